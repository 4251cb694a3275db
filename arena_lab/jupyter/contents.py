"""How scripts become notebooks for JupyterLab, and scripts again: jupytext, with two touches.

A script says nothing about its kernel. Told so, JupyterLab would ask for one, and then take the
answer for an edit that is to be saved; so the notebook comes with what a kernel would write into
it. And jupytext marks every cell: here a first cell that had no marker in the file keeps none,
so that a file which nobody edited stays as it is to the byte.
"""

import platform
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class

_MARKER = "# %%\n"

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
