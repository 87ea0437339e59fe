"""Our words for statuses and reasons, so that nobody has to know a provider's code to read a report."""

from notifier.delivery.status import DeliveryStatus
from notifier.vocabulary import Channel

_S = DeliveryStatus

STATUSES = {
    _S.DELIVERED: "delivered",
    _S.ACCEPTED: "handed over, no news yet",
    _S.SENDING: "being handed over",
    _S.QUEUED: "waiting",
    _S.BOUNCED: "came back",
    _S.FAILED: "failed",
    _S.HELD_BACK: "not sent on purpose",
    _S.CANCELLED: "cancelled",
    _S.UNKNOWN: "not known yet",
}

REASONS = {
    "hard_bounce": "the address does not exist or takes no mail",
    "soft_bounce": "the receiving side refused it this time",
    "complaint": "the recipient reported our mail as spam",
    "opt_out": "the recipient asked us to stop",
    "manual": "an officer suppressed the address",
    "erased": "the recipient asked to be forgotten",
    "not_subscribed": "the recipient left the school's list",
    "topic_declined": "the recipient does not want this topic",
    "paused_by_recipient": "the recipient has paused all messages",
    "reached_by_email": "the recipient was reached by email",
    "no_content": "there is no text in a language for this recipient",
    "expired": "it could not leave before it expired",
    "gave_up": "the provider kept asking us to wait",
    "cut_off": "a worker was cut off; the provider's record decides",
    "ambiguous": "the provider did not answer; its record decides",
    "dropped": "the provider did not send it",
    "invalid_address": "the provider says it is no address",
    "spam_content": "the provider took the text for spam",
    # Twilio's codes
    "21211": "it is no telephone number",
    "21408": "text messages to this country are switched off",
    "21610": "the recipient replied STOP to this sender",
    "21612": "the number cannot be reached from our sender",
    "21614": "it is not a mobile number",
    "21635": "it is a landline",
    "30001": "the provider's queue was full",
    "30002": "our account is suspended",
    "30003": "the phone was off or out of reach",
    "30004": "the phone or its network blocks us",
    "30005": "the number is not in use",
    "30006": "it is a landline or cannot be reached",
    "30007": "the network filtered the text",
    "30008": "the network does not say why",
    "30034": "our sender is not registered",
    "30036": "it could not be delivered in time",
    # Enhanced status codes of mail (RFC 3463)
    "5.1.1": "the mailbox does not exist",
    "5.1.2": "the mail domain does not exist",
    "5.2.1": "the mailbox is switched off",
    "5.2.2": "the mailbox is full",
    "5.7.1": "the receiving server refuses us",
    "5.7.515": "our domain is not authenticated well enough",
}


def status_words(status: str) -> str:
    """Return our words for a status."""
    return STATUSES.get(DeliveryStatus(status), status)


def reason_words(reason: str) -> str:
    """Return our words for a reason; a code nobody has explained yet stands for itself."""
    return REASONS.get(reason, f"the provider's code {reason}" if reason else "no reason given")


def masked(channel: Channel, value: str) -> str:
    """Return an address as its owner recognises it and nobody else can use it."""
    if channel is Channel.SMS:
        return f"••• ••• {value[-3:]}"
    name, _, domain = value.partition("@")
    return f"{name[:1]}•••@{domain}"
