"""How scripts become notebooks for JupyterLab, and scripts again: jupytext, with a few touches.

A script says nothing about its kernel. Told so, JupyterLab would ask for one, and then take the
answer for an edit that is to be saved; so the notebook comes with what a kernel would write into
it. And jupytext marks every cell: here a first cell that had no marker in the file keeps none,
so that a file which nobody edited stays as it is to the byte. And a save is one step: Jupyter's own
writes into the file, and a power cut or a full disk in the middle would leave half of it.
"""

import contextlib
import errno
import io
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class
from tornado.web import HTTPError

from arena_lab.paths import write_atomically

_MARKER = "# %%\n"

_FULL = "the disk is full, and {} stays as it was on it: make room, then save again"

_LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": platform.python_version(),
}


class _Files(AsyncLargeFileManager):
    @contextlib.contextmanager
    def atomic_writing(
        self, os_path: str, text: bool = True, **options: Any
    ) -> Iterator[io.StringIO | io.BytesIO]:
        buffer = io.StringIO(newline="\n") if text else io.BytesIO()
        yield buffer
        with self.perm_to_403(os_path):
            try:
                path = Path(os_path).resolve()  # a link stays one
                write_atomically(path, buffer.getvalue())
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise HTTPError(507, _FULL.format(path.name)) from None
                raise

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        text = model.get("content")
        if model.get("type") == "file" and path.endswith(".py") and isinstance(text, str):
            file = Path(self.root_dir, path.strip("/"))
            if text.startswith(_MARKER) and file.exists() and not _is_marked(file):
                model = {**model, "content": text.removeprefix(_MARKER)}
        saved: dict[str, Any] = await super().save(model, path)  # type: ignore[no-untyped-call]
        return saved


def _is_marked(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace") as lines:
        return lines.readline().startswith(_MARKER.strip())


class Contents(build_async_jupytext_contents_manager_class(_Files)):  # type: ignore[misc]
    """The files of the checkout, scripts among them as notebooks."""

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:
        """Give a file, folder or notebook, as Jupyter's server asks for it."""
        model: dict[str, Any] = await super().get(path, content=content, **options)
        if content and model["type"] == "notebook" and path.endswith(".py"):
            kernels = self.parent.kernel_manager
            name = kernels.default_kernel_name
            spec = kernels.kernel_spec_manager.get_kernel_spec(name)
            model["content"]["metadata"].update(
                kernelspec={
                    "display_name": spec.display_name,
                    "language": spec.language,
                    "name": name,
                },
                language_info=_LANGUAGE,
            )
        return model
