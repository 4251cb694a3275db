"""Call a function in a fresh Python that knows what the notebook or script at hand has defined.

A notebook's kernel holds threads of its own and perhaps a GPU, so it must not fork. What has been
written in it can be imported from nowhere: it travels as source, without what ran beside it.
"""

import __future__

import ast
import contextlib
import io
import json
import linecache
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from arena_lab import cells
from arena_lab.rank import packed
from arena_lab.uses import Script

_MAIN = "__mp_main__"  # as multiprocessing names it: `if __name__ == "__main__":` is not for us


def is_called_for(*work: Any) -> bool:
    """Tell whether a fork from here is unsafe for `work`, and another process can be given it.

    It is unsafe in a notebook or a script that runs: its threads, those of torch and of a GPU too,
    would be missing in the child. Functions can be given away that have a name at the top level.
    """
    try:
        _, names = _pickled(work)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return bool(names) or threading.active_count() > 1


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Give `function(*args, **kwargs)`, called in a fresh process; what it prints comes out here.

    Raises:
        BaseException: What the call raised.
        RuntimeError: The process ended without an answer.
    """
    work, names = _pickled((function, args, kwargs))
    with tempfile.TemporaryDirectory(prefix="arena-lab-fresh-") as folder:
        Path(folder, "work").write_bytes(work)
        sources = _sources(names) if names else []
        Path(folder, "setting").write_text(json.dumps({"path": sys.path, "sources": sources}))
        _run_there(folder)
        answer = Path(folder, "answer")
        if not answer.exists():
            raise RuntimeError("the process that was to do this ended without an answer")
        kind, *rest = pickle.loads(answer.read_bytes())
    if kind == "result":
        return rest[0]
    error, notes = rest
    for note in notes:
        error.add_note(note)
    raise error


class _Pickler(pickle.Pickler):
    """Notes which names of the main program are pickled by reference."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.names: set[str] = set()

    def persistent_id(self, obj: Any) -> None:
        if getattr(obj, "__module__", None) == "__main__" and hasattr(obj, "__qualname__"):
            self.names.add(obj.__qualname__.partition(".")[0])
        elif type(obj).__module__ == "__main__":
            self.names.add(type(obj).__qualname__.partition(".")[0])


def _pickled(work: Any) -> tuple[bytes, set[str]]:
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(work)
    return file.getvalue(), pickler.names


def _sources(names: set[str]) -> list[tuple[str, int, str]]:
    """Give the statements that define `names` and all that they use: file, first line, source."""
    scripts = _main_scripts()
    needed = Script("\n".join(f"# %%\n{text}" for _, text in scripts)).reach(names)
    found = []
    for file, text in scripts:
        for cell in cells.split(text):
            with contextlib.suppress(SyntaxError, ValueError):
                for statement in cells.statements("\n" * (cell.line - 1) + cell.text):
                    imports = issubclass(statement.kind, ast.Import | ast.ImportFrom)
                    if imports or needed & set(statement.names):
                        found.append((file, statement.first, statement.source))
    return found


def _main_scripts() -> list[tuple[str, str]]:
    """Give the source of the main program: the cells that a notebook has run, or the script."""
    main = sys.modules["__main__"]
    if "In" in vars(main) and "IPython" in sys.modules:
        from IPython.core.inputtransformer2 import TransformerManager

        plain = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
        return [(f"cell {n}", plain(text)) for n, text in enumerate(main.In) if n and text]
    file = getattr(main, "__file__", None)
    return [(file, Path(file).read_text(encoding="utf-8"))] if file else []


def _run_there(folder: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "arena_lab.fresh", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        for piece in iter(lambda: os.read(process.stdout.fileno(), 1 << 16), b""):  # type: ignore[union-attr]
            sys.stdout.write(piece.decode("utf-8", "replace"))
            sys.stdout.flush()
        process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if process.stdin:
            process.stdin.close()


# --- in the fresh process ---------------------------------------------------------------------


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


def _load(sources: list[tuple[str, int, str]]) -> None:
    """Be the main program: run its definitions, each under the name of where it stands."""
    main = ModuleType(_MAIN)
    sys.modules["__main__"] = sys.modules[_MAIN] = main
    lines: dict[str, list[str]] = {}
    for file, first, source in sources:
        rows = lines.setdefault(file, [])
        rows += ["\n"] * (first - 1 - len(rows))
        rows += [f"{row}\n" for row in source.split("\n")]
        # One that does not run is missed where it is used.
        with contextlib.suppress(Exception):
            # Annotations may use names that nothing else needs: they stay text.
            flags = __future__.annotations.compiler_flag
            exec(compile("\n" * (first - 1) + source, file, "exec", flags), vars(main))
    for file, rows in lines.items():
        linecache.cache[file] = (1, None, rows, file)


def _answer(folder: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    setting = json.loads(Path(folder, "setting").read_text())
    sys.path[:] = setting["path"]
    _load(setting["sources"])
    answer: tuple[Any, ...]
    try:
        function, args, kwargs = pickle.loads(Path(folder, "work").read_bytes())
        answer = ("result", function(*args, **kwargs))
    except BaseException as error:  # the learner's code may raise anything
        error, frames = packed(error)
        places = [f"{file}, line {line}, in {name}" for file, line, name in frames]
        answer = ("raised", error, places[-3:])
    new = Path(folder, "answer.new")
    new.write_bytes(pickle.dumps(answer))
    new.rename(Path(folder, "answer"))


if __name__ == "__main__":
    # Not the module that runs as the main program: that one is about to be replaced.
    from arena_lab import fresh

    fresh._answer(sys.argv[1])
    os._exit(0)
