"""Update the course around a learner's answers.

The answers come first: each `answers.py` is copied to the backups and then replaced at once by one
that holds what the learner wrote and what is new. Only then the rest of the course is brought up,
and git's branch is moved last of all. Whatever interrupts this, each file is the old or the new
one, nothing is lost, and the same command goes on where it stopped.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from arena_lab import catalogue, starters
from arena_lab.answers import read_source
from arena_lab.errors import LabError
from arena_lab.merging import Merged, merge
from arena_lab.paths import STATE, write_atomically
from arena_lab.translations import paths_of

_ANSWERS = re.compile(r"chapter[^/]*/exercises/[^/]+/answers\.py")
_PAGES = re.compile(r"chapter[^/]*/instructions/pages/([^/]+/)?[^/]+\.md")
# What belongs to a machine or its learner, never to the course.
_NOT_THE_COURSE = {".git", ".venv", ".lab", ".env", "__pycache__", ".ipynb_checkpoints"}

# How a text of the old or new course is found; None where it is not there.
Reader = Callable[[str], str | None]


@dataclass
class Update:
    """What an update would change, or has changed."""

    answers: dict[str, Merged] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    backups: list[Path] = field(default_factory=list)
    merged_commits: bool = False


def update(root: Path, source: str | None = None, *, check: bool) -> Update:
    """Bring a checkout to the newest course, and leave what the learner wrote.

    Args:
        root: The checkout.
        source: A folder or zip file with the new course; by default git's remote branch.
        check: Only tell what would change.

    Raises:
        LabError: It cannot be done without risk to what the learner changed, or not at all; each
            file is then either as it was or new, and a later try goes on from there.
    """
    try:
        if source:
            with _unpacked(Path(source).expanduser()) as folder:
                return _from_folder(root, folder, check=check)
        return _from_git(root, check=check)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise LabError(
            f"the update stopped: {where}{error.strerror or error}. Your answers are as they were "
            "or brought up whole; mend this and run it again"
        ) from None


def _merged(root: Path, names: Iterable[str], old: Reader, new: Reader) -> dict[str, Merged]:
    """Work out the new text of each file with answers; nothing is written yet."""
    found = {}
    for name in names:
        after, path = new(name), root / name
        if after is None:
            continue
        try:
            mine = read_source(path) if path.exists() else ""
            merged = merge(mine, old(name) or "", after) if mine else Merged(after)
        except (LabError, SyntaxError) as error:
            raise LabError(f"{name} cannot be brought up: {error}. Nothing was changed") from None
        if merged.text != mine or merged.kept or merged.gone:
            found[name] = merged
    return found


def _write_answers(root: Path, done: Update) -> None:
    for name, merged in done.answers.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or read_source(path) != merged.text:
            kept = starters.replace_answers(path, merged.text)
            done.backups += [kept] if kept else []


# --- from git ---------------------------------------------------------------------------------


def _from_git(root: Path, *, check: bool) -> Update:
    if not (root / ".git").exists():
        raise LabError(
            "this course was not cloned with git. Fetch the new one as a zip file, and run: "
            "./inv update --source FILE.zip"
        )
    if _git(root, "ls-files", "--unmerged"):
        raise LabError(
            "a merge was begun and not finished here. `git merge --abort` takes it back; your "
            "answers of before it are in git's last commit"
        )
    target, base, head = _newest(root)
    if target == base:
        return Update()
    before, after = _blobs(root, base), _blobs(root, target)
    changed = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    answers = [name for name in changed if _ANSWERS.fullmatch(name)]
    others = [name for name in changed if name not in answers]
    _refuse_where_changed(root, others, before, after)
    done = Update(_merged(root, answers, _reader(root, before), _reader(root, after)), files=others)
    if not check:
        _write_answers(root, done)
        done.merged_commits = base != head
        _move(root, answers, others, target, head if done.merged_commits else None)
    return done


def _newest(root: Path) -> tuple[str, str, str]:
    """Fetch, and give the commits of the new course, of the one in use, and of this branch."""
    try:
        _git(root, "rev-parse", "--abbrev-ref", "@{upstream}")
    except LabError:
        raise LabError(
            "git does not know where this branch's updates come from; "
            "`git branch --set-upstream-to=origin/main` tells it"
        ) from None
    _git(root, "fetch", "--quiet")
    target, head = (_git(root, "rev-parse", name).strip() for name in ("@{upstream}", "HEAD"))
    return target, _git(root, "merge-base", head, target).strip(), head


def _blobs(root: Path, commit: str) -> dict[str, str]:
    """Give the mode and hash of each file of a commit."""
    rows = _git(root, "ls-tree", "-r", "-z", commit).split("\0")
    pairs = (row.split("\t", 1) for row in rows if row)
    return {name: about.replace(" blob ", " ") for about, name in pairs}


def _reader(root: Path, blobs: dict[str, str]) -> Reader:
    def read(name: str) -> str | None:
        return _git(root, "cat-file", "blob", _hash(blobs[name])) if name in blobs else None

    return read


def _hash(blob: str) -> str:
    return blob.rpartition(" ")[2]


def _refuse_where_changed(
    root: Path, names: list[str], before: dict[str, str], after: dict[str, str]
) -> None:
    """Refuse where a file of the course is neither as it was nor as it will be."""
    here = [name for name in names if (root / name).is_file()]
    hashes = _git(root, "hash-object", "--stdin-paths", given="\n".join(here)).split()
    mine = [
        name
        for name, found in zip(here, hashes, strict=True)
        if found not in {_hash(blobs.get(name, "")) for blobs in (before, after)}
    ]
    if mine:
        listed = "\n".join(f"  {name}" for name in mine[:10])
        raise LabError(
            f"you changed files that the update changes too, and nothing was touched:\n{listed}\n"
            "Copy what you want to keep elsewhere, take them back with `git checkout -- FILE`, "
            "and run it again"
        )


def _move(root: Path, answers: list[str], others: list[str], target: str, head: str | None) -> None:
    """Bring up the rest of the course, then the branch; `head` has commits of the learner's."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}  # what is staged stays out of this
        _git(root, "read-tree", "HEAD", env=index)
        if others:
            _git(
                root,
                *("checkout", "--quiet", "--no-overlay", target),
                *("--pathspec-from-file=-", "--pathspec-file-nul"),
                given="\0".join(others),
                env={**index, "GIT_LITERAL_PATHSPECS": "1"},
            )
        if head:
            _git(root, "add", "--", *[n for n in answers if (root / n).exists()], env=index)
            tree = _git(root, "write-tree", env=index).strip()
            message = ("-m", "Update the course")
            parents = ("-p", head, "-p", target)
            target = _git(root, "commit-tree", tree, *parents, *message).strip()
    _git(root, "reset", "--quiet", "--mixed", target)


def _git(root: Path, *words: str, given: str = "", env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            ("git", *words),
            cwd=root,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(env or {})},
            input=given.encode(),
            capture_output=True,
        )
    except FileNotFoundError:
        raise LabError(
            "git is not installed here. Put the new course into this folder as a zip file, and "
            "run: ./inv update --source FILE.zip (docs/container.md has the whole way)"
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise LabError(
            f"git {words[0]} failed: {said[-1] if said else done.returncode}. Your answers are as "
            "they were or brought up whole; mend this and run it again"
        )
    return done.stdout.decode(errors="surrogateescape")


# --- from a folder or a zip file --------------------------------------------------------------


@contextlib.contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """Give the folder of the new course, unpacked where it is in a zip file."""
    with tempfile.TemporaryDirectory() as folder:
        if source.is_file():
            try:
                shutil.unpack_archive(source, folder)
                _let_run(source, Path(folder))
            except (shutil.ReadError, zipfile.BadZipFile) as error:
                raise LabError(f"{source} cannot be unpacked: {error}") from None
            source = Path(folder)
        for found in (source, *sorted(source.glob("*/"))):
            if (found / "arena_lab").is_dir() and list(found.glob("chapter*/exercises")):
                yield found
                return
    raise LabError(f"{source} holds no course: no arena_lab/ and no chapter*/exercises/")


def _let_run(source: Path, folder: Path) -> None:
    """Make runnable what a zip file says is a program: unpacking it forgets that."""
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            programs = {i.filename for i in archive.infolist() if i.external_attr >> 16 & 0o100}
        for path in folder.rglob("*"):
            if str(path.relative_to(folder)) in programs:
                path.chmod(path.stat().st_mode | 0o111)


def _from_folder(root: Path, folder: Path, *, check: bool) -> Update:
    if folder.resolve() == root.resolve():
        raise LabError(f"{folder} is the course that you are in; name the new one")
    names = sorted(course_files(folder))
    answers = [name for name in names if _ANSWERS.fullmatch(name)]
    others = [n for n in names if n not in answers and not _is_same_file(root / n, folder / n)]
    # A page that got another name would stand there twice.
    found = [each for page in catalogue.page_paths(root) for each in (page, *paths_of(page))]
    pages = {str(page.relative_to(root)) for page in found if page.exists()}
    old_pages = sorted(name for name in pages - {*names} if _PAGES.fullmatch(name))

    def new(name: str) -> str | None:
        return (folder / name).read_text(encoding="utf-8")

    done = Update(
        _merged(root, answers, _old_starter(root), new), files=sorted([*others, *old_pages])
    )
    if not check:
        _write_answers(root, done)
        for name in others:
            done.backups += _put(folder / name, root / name, name)
        for name in old_pages:
            done.backups += _keep(root / name, name)
            (root / name).unlink()
    return done


def _old_starter(root: Path) -> Reader:
    sections = {str(s.answers.relative_to(root)): s for s in catalogue.every_section(root)}

    def old(name: str) -> str | None:
        try:
            return starters.starter(sections[name]) if name in sections else None
        except Exception:  # of an update that was interrupted: then nothing counts as untouched
            return None

    return old


def course_files(folder: Path) -> Iterator[str]:
    """Give the names of what belongs to the course in a folder, not to a machine or a learner."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not _NOT_THE_COURSE & {*name.parts}:
            yield str(name)


def _is_same_file(a: Path, b: Path) -> bool:
    return a.is_file() and a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()


def _put(source: Path, path: Path, name: str) -> list[Path]:
    kept = _keep(path, name) if path.is_file() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, source.read_bytes())
    # One that can be run stays so: a zip file need not tell.
    path.chmod(path.stat().st_mode | source.stat().st_mode & 0o111)
    return kept


def _keep(path: Path, name: str) -> list[Path]:
    folder = STATE / "backups/course" / str(Path(name).parent)
    return [starters.keep(path.read_bytes(), folder, path.name)]
