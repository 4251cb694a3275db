"""Tell an error in one line that a beginner can use."""

import re
import signal

from arena_lab.answers import EndedProcess, TakesTooLong
from arena_lab.values import shorten

CALL = "in the call "  # begins the note that a check adds to an error
_LUMP = 4  # letters; a longer name is a name
_LONG = 400  # characters of a line
_MEANINGS = {
    r"Boolean value of Tensor with more|truth value of an array with more": "`and`, `or`, `not` "
    "and `if` ask for a single truth value; for each element use &, | and ~, each comparison in "
    "parentheses",
    r"before Module\.__init__\(\) call": "begin __init__ with super().__init__()",
    r"leaf Variable that requires grad.*in-place": "what changes a parameter in place must not be "
    "recorded: put it under torch.no_grad()",
    r"'NoneType' object|'NoneType' and|and 'NoneType'": "something is None: does a function that "
    "was called lack its return?",
}


def one_line(error: BaseException) -> str:
    """Give type and text of an error; of einops' the reason, which stands at their end."""
    if isinstance(error, EndedProcess | TakesTooLong):
        return str(error)
    text, name = text_of(error).strip(), type(error).__name__
    if name == "EinopsError":
        return f"{name}: {_of_einops(text)}"
    meaning = next((said for what, said in _MEANINGS.items() if re.search(what, text)), "")
    first = text.partition("\n")[0]
    said = shorten(": ".join(part for part in (name, first) if part), _LONG)
    return said + (meaning and f" ({meaning})")


def sentence_of(name: str, error: BaseException) -> str:
    """Say in a sentence that an answer, or what it calls, raised an error."""
    if isinstance(error, MemoryError) or "can't allocate memory" in text_of(error):
        return f"{name} asked for more memory than a test may use"
    if isinstance(error, RecursionError):
        return f"{name} calls itself without end (RecursionError)"
    if isinstance(error, SystemExit):
        return f"{name} calls exit: an answer must return, not end the program"
    return f"{name} raised {one_line(error)}"


def end_of_process(code: int) -> str:
    """Say how a process ended by its exit code, which is negative for a signal."""
    if code >= 0:
        return f"ended the Python interpreter (exit code {code})"
    names = {known.value: known.name for known in signal.Signals}  # not of every real-time signal
    return f"crashed the Python interpreter ({names.get(-code, f'signal {-code}')})"


def calls_in(error: BaseException) -> list[tuple[str, str]]:
    """Give the calls that an error came from, as `checks.call` notes them."""
    notes = getattr(error, "__notes__", [])
    return [("called", note.removeprefix(CALL)) for note in notes if note.startswith(CALL)]


def text_of(error: BaseException) -> str:
    """Give an error's text, or nothing where it cannot tell itself."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # an error of the learner's own class may fail to tell itself
        return ""


def _of_einops(text: str) -> str:
    first, *_, reason = (line.strip().rstrip(".") for line in f"{text}\n{text}".splitlines())
    quoted = re.search(r'"(.*->.*)"', first)
    pattern = quoted[1] if quoted else first.rpartition(" einsum ")[2].rstrip(".")
    said = reason if first == reason else f'{reason}, in the pattern "{pattern}"'
    lump = _lump(pattern)
    if lump is None:
        return said
    spaced = re.sub(r"[a-zA-Z]{2,}", lambda found: " ".join(found[0]), pattern)
    spaced = re.sub(
        r"\s*(,|->)\s*", lambda found: {",": ", "}.get(found[1], " -> "), spaced
    ).strip()
    return f'{said}; einops takes "{lump}" for one axis: put a space between them, "{spaced}"'


def _lump(pattern: str) -> str | None:
    """Give a name that numpy's style would read as several axes, or None."""
    names = re.findall(r"[a-zA-Z]\w*", pattern)
    for name in names:
        others = set("".join(other for other in names if other != name))
        if 1 < len(name) <= _LUMP and set(name) <= others:
            return name
    return None
