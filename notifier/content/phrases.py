"""The English of everything recipients read around an advisory: the message ids of the catalogues, in one place.

Kept few and kept together, so that a translator sees them side by side. `{name}` in a sentence stands for a value; the
greeting takes a name with a space before it or nothing at all, and the list of schools comes in brackets or not at all.
"""

from notifier.regions.facts import DIRECTORY, EMERGENCY
from notifier.vocabulary import Readers


def N_(message: str) -> str:  # noqa: N802 - the name by which gettext tools find a sentence
    """Mark a sentence for translation where it is not said yet."""
    return message


# What each contact is for.
LABELS = {
    EMERGENCY: N_("In an emergency"),
    "child_helpline": N_("Helpline for children and young people"),
    "parent_helpline": N_("Helpline for parents"),
    "online_safety_helpline": N_("Help with safety online"),
    "police_non_emergency": N_("Police, if it is not urgent"),
    "police_cyber_report": N_("Report it to the police"),
    "csam_hotline": N_("Report images of abuse"),
    "image_removal": N_("Have images taken down"),
    "child_protection": N_("Child protection"),
    "crisis_support": N_("Support in a crisis"),
    DIRECTORY: N_("Find a hotline in your country"),
}

# Which contacts the block of a message shows, in order. Young people see the helpline first; the reporting page of the
# police stands for the hotline where there is one; the directory comes only where no line may be shown.
ORDER = {
    Readers.PARENTS: (
        EMERGENCY,
        "child_helpline",
        "parent_helpline",
        "online_safety_helpline",
        "police_non_emergency",
        "police_cyber_report",
        "image_removal",
        "crisis_support",
    ),
    Readers.YOUNG_PEOPLE: (
        "child_helpline",
        "online_safety_helpline",
        EMERGENCY,
        "police_cyber_report",
        "image_removal",
    ),
    Readers.SCHOOL_STAFF: (
        EMERGENCY,
        "police_non_emergency",
        "child_protection",
        "police_cyber_report",
        "child_helpline",
        "crisis_support",
        "image_removal",
    ),
}
INSTEAD = {"police_cyber_report": "csam_hotline"}

DAY_AND_NIGHT = N_("day and night")
EVERY_DAY = N_("every day")

# The line at the end of a text message. At most 24 characters where the language is GSM-7, 19 elsewhere; STOP itself
# is never translated, because that is the word the networks know.
OPT_OUT_BY_REPLY = N_("Opt out: reply STOP")
OPT_OUT_BY_LINK = N_("Opt out: {link}")
