"""The one exception for situations that are expected: shown as a line, without a traceback."""

import sys
from collections.abc import Callable


class LabError(Exception):
    """Something a person can mend; the message says what was wrong, where, and what to do."""


def exit_code_of(work: Callable[[], None]) -> int:
    """Call what a program of its own does; an expected fault is one line, and 2."""
    try:
        work()
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
