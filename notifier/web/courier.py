"""Short notices that a person has just asked for: a confirmation, a code, a link. Campaigns never leave this way.

Each goes to one address, at once, through the first provider of its channel; whether it left is told to the page that
asked, and nothing is kept.
"""

from html import escape

import structlog

from notifier.content.languages import direction_of
from notifier.providers.base import ProviderError
from notifier.vocabulary import Channel, EmailMessage, Envelope, Message, SmsMessage
from notifier.web.parts import WebParts

log = structlog.get_logger("notifier.web")

# What a provider gives back as the reference of a notice: it names no delivery.
_REFERENCE = "notice"


async def send_notice(
    parts: WebParts, channel: Channel, destination: str, *, subject: str, text: str, language: str
) -> bool:
    """Send one notice; return whether a provider took it."""
    provider = next((one for one in parts.providers.values() if one.channel is channel), None)
    if provider is None:
        return False
    try:
        (receipt,) = await provider.send(
            _message(parts, channel, subject, text, language), [Envelope(_REFERENCE, destination, {})]
        )
    except ProviderError as refusal:
        log.warning("notice_refused", provider=provider.name, code=refusal.code)
        return False
    return receipt.error is None


def _message(parts: WebParts, channel: Channel, subject: str, text: str, language: str) -> Message:
    if channel is Channel.SMS:
        return SmsMessage(sender=parts.context.sms_sender, text=text, language=language)
    paragraphs = "".join(f"<p>{_linked(line)}</p>" for line in text.split("\n") if line)
    direction = direction_of(parts.languages, language)
    return EmailMessage(
        sender=parts.context.sender_email,
        sender_name=parts.sender_name,
        subject=subject,
        text=f"{text}\n",
        html=f'<!doctype html><html lang="{escape(language)}" dir="{direction}"><body>{paragraphs}</body></html>',
        language=language,
        reply_to=parts.context.reply_to or None,
        headers={"Auto-Submitted": "auto-replied"},
    )


def _linked(line: str) -> str:
    return f'<a href="{escape(line)}">{escape(line)}</a>' if line.startswith("http") else escape(line)
