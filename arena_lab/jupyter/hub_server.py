"""Serve a learner's JupyterLab in a class: `python -P -m arena_lab.jupyter.hub_server`.

In the image of a class the course is in /opt/course, where nobody can change it, and this module
runs from there. The learner's own copy is on a volume at /lab, with what they wrote.
"""

import shutil
import sys
from pathlib import Path

from arena_lab import lab
from arena_lab.errors import LabError
from arena_lab.paths import ROOT, STATE, write_atomically
from arena_lab.update import course_files, update

_COURSE = Path("/opt/course")
# JupyterHub's packages are the server's alone: what a learner's programs find is the lock's.
_PACKAGES = "/opt/singleuser"


def serve() -> None:
    """Serve until the hub stops it."""
    try:
        bring_up(_COURSE, (_COURSE.with_suffix(".sum")).read_text(encoding="utf-8"))
    except (LabError, OSError) as error:
        # With the course as it was, a learner can work on.
        print(f"the course could not be brought up: {error}", file=sys.stderr, flush=True)
    lab.prepare()
    sys.path.append(_PACKAGES)
    from jupyterhub.singleuser import main

    main()


def bring_up(course: Path, version: str) -> None:
    """Bring a newer course to the learner, around what they wrote, and put back what is missing.

    Args:
        course: The course of the image.
        version: What it is known by; the learner's copy keeps that of the course it is of.

    Raises:
        LabError: A file is in the way; the answers are as they were, or brought up whole.
    """
    stamp = STATE / "course"
    known = stamp.read_text(encoding="utf-8") if stamp.is_file() else ""
    if known != version:
        update(ROOT, str(course), check=False)
        stamp.parent.mkdir(exist_ok=True)  # a cluster's volume begins empty
        write_atomically(stamp, version)
        return
    for name in course_files(course):
        if not (ROOT / name).exists():
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(course / name, ROOT / name)


if __name__ == "__main__":
    serve()
