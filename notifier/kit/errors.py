"""What can be refused, in three kinds.

    NotifierError
    ├── NotFound   the thing named does not exist
    ├── Conflict   it exists, but its state or a rule forbids this
    └── Invalid    what was given cannot be used (a file, a value, a setting)

Every message is a sentence for the person at the screen: it names the thing, and the way out.
"""


class NotifierError(Exception):
    """A refusal a user can act on. The command line exits 1 with it; the web answers 4xx."""


class NotFound(NotifierError):
    """The thing named does not exist."""


class Conflict(NotifierError):
    """The thing exists, but its state or a rule forbids this."""


class Invalid(NotifierError):
    """What was given cannot be used as it is."""
