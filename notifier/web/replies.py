"""What we answer to a text message: one short text in the recipient's language, as TwiML, or silence.

Never plain text: Twilio would send any plain answer to the person who wrote.
"""

from xml.sax.saxutils import escape

from fastapi import Response

from notifier.content.furniture import Furniture
from notifier.content.phrases import N_
from notifier.tracking.inbound import Heard
from notifier.tracking.keywords import Keyword

ANSWERS = {
    Keyword.STOP: N_("{sender}: you will get no more text messages from us. To get them again, reply START."),
    Keyword.START: N_("{sender}: you will get our text messages again. To stop them, reply STOP."),
    Keyword.HELP: N_("{sender}: safety messages for families. To stop them, reply STOP. Check a message: {link}"),
}


def twiml(heard: Heard, furniture: Furniture, *, sender_name: str, check_page: str) -> Response:
    """Return the answer to an inbound text message."""
    text = ""
    if heard.answer is not None:
        say = furniture.say(heard.language or "en")
        said = say(ANSWERS[heard.answer], sender=sender_name, link=check_page)
        text = f"<Message>{escape(said)}</Message>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?><Response>{text}</Response>', media_type="text/xml")
