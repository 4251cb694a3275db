"""Tell an error in one line that a beginner can use."""

import re

from arena_lab.answers import EndedProcess, TakesTooLong

_LUMP = 4  # letters; a longer name is a name


def one_line(error: BaseException) -> str:
    """Give type and text of an error; of einops' the reason, which stands at their end."""
    if isinstance(error, EndedProcess | TakesTooLong):
        return str(error)
    text, name = text_of(error).strip(), type(error).__name__
    if name == "EinopsError":
        return f"{name}: {_of_einops(text)}"
    return f"{name}: {text.splitlines()[0]}" if text else name


def text_of(error: BaseException) -> str:
    """Give an error's text, or nothing where it cannot tell itself."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # an error of the learner's own class may fail to tell itself
        return ""


def _of_einops(text: str) -> str:
    first, *_, reason = (line.strip() for line in f"{text}\n{text}".splitlines())
    quoted = re.search(r'"(.*->.*)"', first)
    pattern = quoted[1] if quoted else first.rpartition(" einsum ")[2].rstrip(".")
    said = reason if first == reason else f'{reason}, in the pattern "{pattern}"'
    spaced = _with_spaces(pattern)
    if spaced is None:
        return said
    return f'{said}; einops wants a space between the names of axes: "{spaced}"'


def _with_spaces(pattern: str) -> str | None:
    """Give a pattern in numpy's style as einops writes it; None where that is not the mistake."""
    before, _, after = pattern.partition("->")
    left, right = (re.findall(r"[a-zA-Z]\w*", side) for side in (before, after))
    for ours, others in ((left, right), (right, left)):
        letters = set("".join(others))
        lumps = [n for n in ours if 1 < len(n) <= _LUMP and n not in others and set(n) <= letters]
        if lumps and all(len(name) <= _LUMP for name in others):
            split = re.sub(r"[a-zA-Z]{2,}", lambda found: " ".join(found[0]), pattern)
            return (
                re.sub(r"\s*(,|->)\s*", lambda found: f"{found[1]} ", split)
                .replace("-> ", " -> ")
                .strip()
            )
    return None
