"""Copy learners' answers out of their volumes, whatever they put there instead.

Runs on the host before there is an environment: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from arena_lab.errors import LabError
from arena_lab.paths import write_atomically

# A learner's file is some hundred kilobytes at most.
_LARGEST = 8 << 20
_MEMBER = re.compile(r"(?:\./)?([^/]+)/chapter[^/]*/exercises/([^/]+)/answers\.py")


def collect(volumes: Mapping[str, str], folder: Path, image: str) -> int:
    """Copy each learner's answers to FOLDER/LEARNER/PACKAGE/answers.py.

    Args:
        volumes: The volume of each learner.
        folder: Made here; one that holds something is left alone.
        image: Any with tar in it.

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
    script = "cd /all && find . -path '*/.lab' -prune -o -name answers.py -type f -print0"
    command = [
        *("docker", "run", "--rm", *hardened, *mounts, "--entrypoint=sh", image, "-c"),
        f"{script} | tar --create --null --files-from=- --ignore-failed-read",
    ]
    n_files = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for number, package, content in _answers(process.stdout):
            _write(folder / learners[number] / package / "answers.py", content)
            n_files += 1
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise LabError(f"the answers could not be copied: {said[-1] if said else 'docker failed'}")
    return n_files


def _answers(stream: IO[bytes]) -> Iterator[tuple[int, str, bytes]]:
    """Give the learner's number, the package and the content of each file of an archive."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if not match or not member.isfile() or member.size > _LARGEST:
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield int(match[1]), match[2], file.read()
    except tarfile.ReadError:
        # Nothing came; what Docker said tells why.
        return


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from None
