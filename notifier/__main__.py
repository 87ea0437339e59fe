"""The way in: `notifier`, which is the same as `python -m notifier`.

It imports nothing of weight by itself, so that Ctrl-C ends the command quietly even while its modules are being loaded.
"""

import sys
from importlib import import_module

from notifier.kit.sqlite_threads import stop_counting_memory

INTERRUPTED = 130


def main() -> None:
    """Run the command line; an interrupted one ends with 130 and without a traceback, as the shell expects."""
    try:
        stop_counting_memory()
        import_module("notifier.cli").main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
