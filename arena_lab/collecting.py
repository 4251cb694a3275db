"""Copy learners' answers out of their volumes, whatever they put there instead.

Runs on the host before there is an environment: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from arena_lab import taking
from arena_lab.errors import LabError
from arena_lab.paths import ROOT, write_atomically

_MEMBER = re.compile(r"(?:\./)?([^/]+)/chapter[^/]*/exercises/([^/]+)/answers\.py")


def collect(volumes: Mapping[str, str], folder: Path, image: str, course: Path = ROOT) -> int:
    """Copy each learner's answers to FOLDER/LEARNER/PACKAGE/answers.py.

    Each file keeps the time of its last change.

    Args:
        volumes: The volume of each learner.
        folder: Made here; one that holds something is left alone.
        image: Any with Python in it.
        course: Where the sections are whose answers are taken.

    Returns:
        The number of files.

    Raises:
        LabError: The folder holds files or cannot be written, or Docker refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LabError(f"{folder} holds something already; name a new folder")
    # Learners by number: what Docker makes of a name in an option is none of ours.
    learners = list(volumes)
    mounts = [f"--volume={volumes[who]}:/all/{n}:ro" for n, who in enumerate(learners)]
    hardened = ("--network=none", "--read-only", "--cap-drop=ALL", "--user=1000:1000")
    program = Path(taking.__file__).read_text(encoding="utf-8")
    sections = sorted(path.parent for path in course.glob("chapter*/exercises/*/solutions.py"))
    command = [
        *("docker", "run", "--rm", *hardened, *mounts, "--entrypoint=python", image, "-I", "-c"),
        *(program, "/all", *(f"{path.relative_to(course)}/answers.py" for path in sections)),
    ]
    n_files = 0
    # Not a pipe: nobody reads it before the end.
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout is not None
            for number, package, content, changed in _answers(process.stdout):
                path = folder / learners[number] / package / "answers.py"
                _write(path, content, changed)
                n_files += 1
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise LabError(f"the answers could not be copied: {said[-1] if said else 'docker failed'}")
    return n_files


def _answers(stream: IO[bytes]) -> Iterator[tuple[int, str, bytes, float]]:
    """Give whose each file of an archive is by number, its package, content and last change."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if not match or not member.isfile() or member.size > taking.LARGEST:
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield int(match[1]), match[2], file.read(), member.mtime
    except tarfile.ReadError:
        # Nothing came; what Docker said tells why.
        return


def _write(path: Path, content: bytes, changed: float) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
        os.utime(path, (changed, changed))
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from None
