"""Write learners' answers as an archive: `python taking.py FOLDER PATH ... > ANSWERS.tar`.

Runs in a container in which FOLDER has a folder for each learner, who may have put anything at a
PATH and may change it meanwhile. No link is followed, and no more is read than answers can be.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import tarfile
import time
from collections.abc import Sequence
from typing import IO

# A learner's file is some hundred kilobytes at most.
LARGEST = 8 << 20


def take(folder: str, paths: Sequence[str], stream: IO[bytes]) -> None:
    """Write what each learner has at each path, with the time of its last change."""
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for learner in sorted(os.listdir(folder)):
            for path in paths:
                found = None
                with contextlib.suppress(OSError):
                    found = _read(f"{folder}/{learner}", path)
                if found is None:
                    continue
                member = tarfile.TarInfo(f"{learner}/{path}")
                content, changed = found
                member.size, member.mtime = len(content), changed
                archive.addfile(member, io.BytesIO(content))


def _read(folder: str, path: str) -> tuple[bytes, int] | None:
    *parents, name = path.split("/")
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for parent in parents:
            inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        # Without waiting for the other end of a pipe.
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        content = file.read(LARGEST + 1) if stat.S_ISREG(status.st_mode) else b""
    if not stat.S_ISREG(status.st_mode) or len(content) > LARGEST:
        return None
    # A learner can set any time; none is before 1970 or still to come.
    return content, max(0, min(int(status.st_mtime), int(time.time())))


if __name__ == "__main__":
    take(sys.argv[1], sys.argv[2:], sys.stdout.buffer)
