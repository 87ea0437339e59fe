"""Words of recipients' pages that are chosen by a value: topics, reasons, channels. All are gettext messages."""

from notifier.content.phrases import N_

# The consent log names the wording people saw. A change of meaning on a page is a new version.
WORDING = "2026-11"

TOPICS = {"online-blackmail": N_("Online blackmail and threats")}

# Why a list may be used, to the person on it (GDPR article 6).
BASES = {
    "consent": N_("You or your family agreed to it."),
    "public_task": N_("Keeping children safe is a public task of the police and the school."),
    "legal_obligation": N_("The law asks the school to pass on safety messages."),
    "vital_interests": N_("It protects the life and health of children."),
    "legitimate_interests": N_("The school has a good reason to keep families informed."),
}

# Short notices that a page sends by email or text message.
CHOICES_SAVED = N_("Your choices were saved")
CONFIRM_ADDRESS = N_("Please confirm your address")
CONFIRM_BY_CODE = N_("{sender}: your code is {code}")
CONFIRM_BY_LINK = N_("You asked for safety messages from {sender}. To confirm, open:")
IF_NOT_YOU = N_("If you did not ask for this, do nothing and you will hear no more.")

CHANGES = {
    "language": N_("Your language was changed."),
    "pause": N_("Your pause was changed."),
    "quiet": N_("Your quiet hours were changed."),
    "lists": N_("Your schools were changed."),
    "topics": N_("Your topics were changed."),
    "stopped": N_("You will get no more messages at this address."),
    "resumed": N_("You will get messages at this address again."),
    "other": N_("The other address will get no more messages."),
    "data": N_("We will send a copy of your data to this address."),
    "forget": N_("You will get no more messages, and we will delete your data."),
}

PAUSES = {
    "none": N_("No pause"),
    "7": N_("One week"),
    "28": N_("Four weeks"),
    "90": N_("Three months"),
}
