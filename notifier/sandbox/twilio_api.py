"""Twilio's dialect: messages in and looked up again, status callbacks and inbound messages out."""

import re
import secrets
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import orjson

from notifier.sandbox.accounts import Accounts
from notifier.sandbox.behaviour import FAILING_NUMBERS, MAGIC_NUMBERS, SILENT_NUMBER, Answer, Dice, Outcome
from notifier.sandbox.postman import Letter, Reply
from notifier.sandbox.store import Sms, Store

MAX_BODY_CHARACTERS = 1600
MAX_VALIDITY_S = 36_000
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"}
START_WORDS = {"START", "YES", "UNSTOP"}
HELP_WORDS = {"HELP", "INFO"}

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_RETRIES = re.compile(r"\brc=([0-5])\b")
_TWIML_MESSAGE = re.compile(r"<Message[^>]*>(?:\s*<Body>)?(.*?)(?:</Body>\s*)?</Message>", re.DOTALL)

SENTENCES = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21211: "Invalid 'To' Phone Number",
    21212: "Invalid 'From' Number",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    21602: "Message body is required",
    21603: "A 'From' phone number is required",
    21604: "A 'To' phone number is required",
    21609: "Invalid 'StatusCallback' URL",
    21610: "Attempt to send to unsubscribed recipient",
    21612: "The 'To' phone number is not currently reachable using the 'From' phone number",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21624: "Invalid validity period value",
}


class TwilioDialect:
    """The ends of Twilio that Notifier meets."""

    def __init__(self, store: Store, accounts: Accounts, inbound_url: str) -> None:
        self._store = store
        self._accounts = accounts
        self._inbound_url = inbound_url
        self.root = f"/2010-04-01/Accounts/{accounts.twilio_account_sid}/Messages"

    def judge(self, headers: Any) -> Reply | None:  # noqa: ANN401 - any mapping
        """Return the refusal of a caller that is not the account's."""
        if headers.get("Authorization") in self._accounts.basic:
            return None
        return refusal(401, 20003)

    def create(self, body: bytes, dice: Dice) -> tuple[Reply, list[Letter]]:
        """Take or refuse one message; return the answer and the callbacks that will follow."""
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        code = self._error(form)
        if code is None and dice.happens(dice.behaviour.refuse_rate):
            code = 21211
        if code is not None:
            return refusal(400, code), []
        sms = Sms(
            sid=f"SM{secrets.token_hex(16)}",
            to=form["To"],
            sender=form["From"],
            body=form["Body"],
            created_at=time.time(),
            callback=form.get("StatusCallback", ""),
            reference=_reference(form.get("StatusCallback", "")),
        )
        self._store.add_sms(sms)
        return Reply(201, orjson.dumps(self._resource(sms))), self._callbacks(sms, dice)

    def refused(self, answer: Answer, dice: Dice) -> Reply:
        """Return the answer of a service that is too busy or broken."""
        if answer is Answer.THROTTLE:
            return refusal(429, 20429, {"Retry-After": str(dice.behaviour.retry_after_s)})
        return refusal(500, 20500)

    def fetch(self, sid: str) -> Reply:
        """Return one message."""
        sms = self._store.sms_by_sid.get(sid)
        return Reply(200, orjson.dumps(self._resource(sms))) if sms else refusal(404, 20404)

    def redact(self, sid: str, body: bytes) -> Reply:
        """Empty the text of a message, which is the one change Twilio allows."""
        sms = self._store.sms_by_sid.get(sid)
        if sms is None:
            return refusal(404, 20404)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("Body") == "":
            sms.body = ""
        return Reply(200, orjson.dumps(self._resource(sms)))

    def listing(self, query: str) -> Reply:
        """Return messages, newest first, by To, From and DateSent (also with > or <), in pages."""
        wanted = dict(parse_qsl(query, keep_blank_values=True))
        size = min(_whole(wanted.get("PageSize"), DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE)
        page = _whole(wanted.get("Page"), 0)
        pool = self._store.sms_by_number.get(wanted["To"], []) if "To" in wanted else self._store.sms
        found = [sms for sms in reversed(pool) if _matches(sms, wanted)]
        shown = found[page * size : (page + 1) * size]
        more = len(found) > (page + 1) * size
        following = urlencode(wanted | {"Page": str(page + 1), "PageSize": str(size)})
        document = {
            "messages": [self._resource(sms) for sms in shown],
            "page": page,
            "page_size": size,
            "uri": f"{self.root}.json?{query}",
            "next_page_uri": f"{self.root}.json?{following}" if more else None,
        }
        return Reply(200, orjson.dumps(document))

    def inbound(self, sender: str, body: str, to: str, dice: Dice) -> Letter:
        """Let somebody write to one of our numbers; the letter tells us. STOP and START work as they do at Twilio."""
        sms = Sms(f"SM{secrets.token_hex(16)}", to, sender, body, time.time(), status="received", direction="inbound")
        self._store.sms.append(sms)
        self._store.sms_by_sid[sms.sid] = sms
        word = re.sub(r"[^A-Z]", "", body.strip().upper())
        if word in STOP_WORDS:
            self._store.opted_out.add((to, sender))
        elif word in START_WORDS:
            self._store.opted_out.discard((to, sender))
        fields = self._about(sms) | {"Body": body, "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received"}
        if dice.behaviour.advanced_opt_out and (said := _opt_out_type(word)):
            fields["OptOutType"] = said
        return self._letter(self._inbound_url, fields)

    def answered(self, sms_to: str, sms_from: str, content_type: str, text: str) -> None:
        """Send what the answer to an inbound webhook asks for: TwiML messages, or plain text as it stands."""
        bodies = [text] if content_type == "text/plain" and text else _TWIML_MESSAGE.findall(text)
        for body in bodies:
            sid = f"SM{secrets.token_hex(16)}"
            reply = Sms(sid, sms_to, sms_from, unescape(body.strip()), time.time(), status="delivered")
            reply.direction = "outbound-reply"
            self._store.sms.append(reply)
            self._store.sms_by_number.setdefault(sms_to, []).append(reply)
            self._store.sms_by_sid[sid] = reply

    def _error(self, form: dict[str, str]) -> int | None:
        to, sender, text = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        callback, validity = form.get("StatusCallback", ""), form.get("ValidityPeriod", "1")
        checks = (
            (not to, 21604),
            (to in MAGIC_NUMBERS, MAGIC_NUMBERS.get(to, 0)),
            (not _NUMBER.fullmatch(to), 21211),
            (not sender, 21603),
            (not _SENDER.fullmatch(sender), 21212),
            (not text, 21602),
            (len(text) > MAX_BODY_CHARACTERS, 21617),
            (bool(callback) and not _is_callback(callback), 21609),
            (not 1 <= _whole(validity, 0) <= MAX_VALIDITY_S, 21624),
            ((sender, to) in self._store.opted_out, 21610),
        )
        return next((code for failed, code in checks if failed), None)

    def _callbacks(self, sms: Sms, dice: Dice) -> list[Letter]:
        outcome = dice.sms_outcome()
        if not sms.callback or outcome is Outcome.SILENT or sms.to == SILENT_NUMBER:
            return []
        error = FAILING_NUMBERS.get(sms.to) or (30005 if outcome in {Outcome.BOUNCED, Outcome.DROPPED} else None)
        error = error or (30003 if outcome is Outcome.BLOCKED else None)
        last = "undelivered" if error else "delivered"
        retries = int(found[1]) if (found := _RETRIES.search(urlsplit(sms.callback).fragment)) else 1
        return [self._callback(sms, "sent", None, retries), self._callback(sms, last, error, retries)]

    def _callback(self, sms: Sms, status: str, error: int | None, retries: int) -> Letter:
        fields = self._about(sms) | {"MessageStatus": status, "SmsStatus": status}
        if error:
            fields["ErrorCode"] = str(error)

        def posted() -> None:
            if sms.status not in {"delivered", "undelivered"}:
                sms.status, sms.error_code = status, error

        return self._letter(sms.callback, fields, retries=retries, on_posted=posted)

    def _letter(self, url: str, fields: dict[str, str], **how: Any) -> Letter:  # noqa: ANN401 - fields of Letter
        def write() -> tuple[bytes, dict[str, str]]:
            signature = self._accounts.sign_form(url.partition("#")[0], fields.items())
            kind = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
            return urlencode(fields).encode(), kind | signature

        return Letter("twilio", url, write, **how)

    def _about(self, sms: Sms) -> dict[str, str]:
        return {
            "AccountSid": self._accounts.twilio_account_sid,
            "ApiVersion": "2010-04-01",
            "MessageSid": sms.sid,
            "SmsSid": sms.sid,
            "From": sms.sender,
            "To": sms.to,
        }

    def _resource(self, sms: Sms) -> dict[str, Any]:
        created = format_datetime(datetime.fromtimestamp(sms.created_at, UTC))
        return {
            "sid": sms.sid,
            "account_sid": self._accounts.twilio_account_sid,
            "api_version": "2010-04-01",
            "to": sms.to,
            "from": sms.sender,
            "body": sms.body,
            "status": sms.status,
            "direction": sms.direction,
            "num_segments": "1",
            "num_media": "0",
            "error_code": sms.error_code,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "messaging_service_sid": None,
            "date_created": created,
            "date_updated": created,
            "date_sent": created if sms.status != "queued" else None,
            "uri": f"{self.root}/{sms.sid}.json",
        }


def refusal(status: int, code: int, headers: dict[str, str] | None = None) -> Reply:
    """Return an error in Twilio's form."""
    document = {
        "code": code,
        "message": SENTENCES.get(code, "Error"),
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Reply(status, orjson.dumps(document), headers=headers or {})


def _reference(callback: str) -> str:
    return parse_qs(urlsplit(callback).query).get("ref", [""])[0]


def _is_callback(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "_" not in (parts.hostname or "")


def _opt_out_type(word: str) -> str | None:
    for name, words in (("STOP", STOP_WORDS), ("START", START_WORDS), ("HELP", HELP_WORDS)):
        if word in words:
            return name
    return None


def _matches(sms: Sms, wanted: dict[str, str]) -> bool:
    sent = datetime.fromtimestamp(sms.created_at, UTC)
    day = sent.date().isoformat()
    return (
        wanted.get("From", sms.sender) == sms.sender
        and wanted.get("DateSent", day)[:10] == day
        and _moment(wanted.get("DateSent>"), sent) <= sent <= _moment(wanted.get("DateSent<"), sent)
    )


def _moment(text: str | None, otherwise: datetime) -> datetime:
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return otherwise
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else otherwise  # noqa: PLR2004
