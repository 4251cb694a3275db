"""The one exception for situations that are expected: shown as a line, without a traceback."""


class LabError(Exception):
    """Something a person can mend; the message says what was wrong, where, and what to do."""
