"""Import in the parent, once, what each child would import for itself."""

import ast
import functools
import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from arena_lab.catalogue import Section

# Makes torch.cuda.is_available() leave CUDA as it is.
_ASK_DRIVER_ONLY = "PYTORCH_NVML_BASED_CUDA_CHECK"


@functools.cache
def import_what_answers_use(section: Section) -> None:
    """Import the libraries of a section's answers, and what its tests name for it."""
    tree = ast.parse(section.solutions.read_text(encoding="utf-8"))
    for node in tree.body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            # Our own folders are the learner's to change: only installed packages are shared.
            spec = importlib.util.find_spec(name.partition(".")[0])
            if spec and "site-packages" in (spec.origin or ""):
                imported(name)
    tests = imported(f"{section.package}.tests")
    for name in getattr(tests, "IMPORTED_AHEAD", ()):
        imported(name)
    _remember_annotations()


def imported(name: str) -> ModuleType:
    """Import a module that may ask for a GPU: no child can use one that its parent has begun."""
    before = os.environ.get(_ASK_DRIVER_ONLY)
    os.environ[_ASK_DRIVER_ONLY] = "1"
    try:
        return importlib.import_module(name)
    finally:
        del os.environ[_ASK_DRIVER_ONLY]
        if before is not None:
            os.environ[_ASK_DRIVER_ONLY] = before


def _remember_annotations() -> None:
    """Make `Float[Tensor, "batch"]` once: to make all of a file's anew is half of loading it."""
    kind: Any = type(getattr(sys.modules.get("jaxtyping"), "Float", None))
    make = getattr(kind, "__getitem__", None)
    if make is None or hasattr(make, "__wrapped__"):  # not in use, or done
        return
    remembered = functools.lru_cache(maxsize=4096)(make)

    @functools.wraps(make)
    def look_up(dtype: type, item: Any) -> Any:
        try:
            return remembered(dtype, item)
        except TypeError:  # what cannot be a key
            return make(dtype, item)

    kind.__getitem__ = look_up
