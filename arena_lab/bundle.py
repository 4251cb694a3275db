"""One file with all that a machine without a network needs: `./inv bundle`, `./inv unbundle FILE`.

A zip archive: the image as `docker save` writes it, the data sets of the cache, the course, and the
checksum of each. Nothing of it is put in its place before all checksums are right.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from arena_lab import image
from arena_lab.errors import LabError
from arena_lab.paths import CONTAINERS_STATE, ROOT

NAME = "arena-lab-bundle.zip"
_IMAGE, _SUMS = "image.tar", "SHA256SUMS"
_DATA, _COURSE = "data/", "arena-lab/"
_CHUNK = 1 << 20
# What packs the image takes minutes even so.
_LEVEL = 1
_FREE_GB = 12
_HANDED_IN = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ARENA_LAB_DATA_MIRROR", "HF_ENDPOINT")


def bundle(path: Path, *, fetch: bool = True) -> None:
    """Write the bundle.

    Args:
        path: Of the file; it appears only once it is whole.
        fetch: Fetch the data sets first that can be had, into the cache.

    Raises:
        LabError: There is no Docker or no image, or the disk is full.
    """
    info = image.docker_info()
    name = image_name()
    if image.capture(["docker", "image", "inspect", name]).returncode:
        raise LabError(f"there is no image {name} yet; build it first: ./inv build")
    if shutil.disk_usage(path.resolve().parent).free < _FREE_GB * 1e9:
        raise LabError(f"{path.resolve().parent} has less than {_FREE_GB} GB free for the bundle")
    if fetch:
        print("Fetching the data sets that can be had:", flush=True)
        _run_inside(info, name, "python", "-m", "arena_lab.data")
    half = path.with_name(path.name + ".part")
    try:
        sums = dict(_write(half, name))
        os.replace(half, path)
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from None
    finally:
        half.unlink(missing_ok=True)
    n_data = sum(member.startswith(_DATA) for member in sums)
    size = path.stat().st_size / 1e9
    print(f"{path}: {size:.1f} GB with the image, {n_data} files of data, and the course.")
    print(f"On the other machine: unzip {path.name} '{_COURSE}*', then there:")
    print(f"  ./inv unbundle ../{path.name} && docker compose up")


def unpack(path: Path) -> tuple[str, int]:
    """Load the image of a bundle, and put its data into the cache.

    Returns:
        The image's name, and the number of files of data.

    Raises:
        LabError: The file is no bundle or damaged, or Docker refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _verify(archive)
            return _load(archive), _put_data(archive)
    except FileNotFoundError:
        raise LabError(f"there is no file {path}") from None
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise LabError(f"{path} is no whole bundle ({error}); copy it again") from None


def make_starters(info: Mapping[str, Any], name: str) -> None:
    """Make each answers.py that is not there, with what an image brings.

    Raises:
        LabError: It failed.
    """
    if _run_inside(info, name, "invoke", "starters"):
        raise LabError(f"invoke starters failed in {name}, for the reason above")


def image_name() -> str:
    """Give the image that the lab runs."""
    return image.setting("ARENA_LAB_IMAGE") or image.IMAGE


def _run_inside(info: Mapping[str, Any], name: str, *command: str) -> int:
    """Run a command in an image, on this checkout and as its owner, and give its exit status."""
    user, group = image.user(info)
    docker = ["docker", "run", "--rm", f"--user={user}:{group}"]
    for variable in _HANDED_IN:
        if value := image.setting(variable):
            docker.append(f"--env={variable}={value}")
    docker += [f"--volume={ROOT}:/lab", name, *command]
    return subprocess.run(docker, cwd=ROOT).returncode


def _write(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Write the archive, and give each member with its checksum."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        sums = {}
        with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            sums[_IMAGE] = _add(archive, _IMAGE, process.stdout)
        if process.returncode:
            raise LabError(f"docker save {name} failed with status {process.returncode}")
        for member, file in [*_course(), *_data()]:
            with file.open("rb") as source:
                sums[member] = _add(archive, member, source, file.stat().st_mode)
        archive.writestr(_SUMS, "".join(f"{total}  {member}\n" for member, total in sums.items()))
    yield from sums.items()


def _course() -> Iterator[tuple[str, Path]]:
    """Give the files of the course; answers stay here, and starters are made anew there."""
    # With sudo, the checkout is somebody else's, which git would not read.
    done = image.capture(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"])
    if done.returncode:
        raise LabError(f"{ROOT} is no git checkout, and its files cannot be told from yours")
    for name in sorted(filter(None, done.stdout.split("\0"))):
        # The engine has a module of that name, too.
        if (ROOT / name).is_file() and not fnmatch.fnmatch(name, "chapter*/exercises/*/answers.py"):
            yield _COURSE + name, ROOT / name


def _data() -> Iterator[tuple[str, Path]]:
    folder = CONTAINERS_STATE / "data"
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix != ".part" and not file.name.startswith("."):
            yield _DATA + file.relative_to(folder).as_posix(), file


def _add(archive: zipfile.ZipFile, member: str, source: IO[bytes], mode: int = 0o644) -> str:
    info = zipfile.ZipInfo(member, time.localtime()[:6])
    info.compress_type = archive.compression
    info._compresslevel = _LEVEL  # type: ignore[attr-defined]  # public from Python 3.13 on
    info.external_attr = (mode & 0o777) << 16
    total = hashlib.sha256()
    with archive.open(info, "w", force_zip64=True) as target:
        for chunk in _chunks(source):
            total.update(chunk)
            target.write(chunk)
    return total.hexdigest()


def _verify(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that is not what was written."""
    rows = archive.read(_SUMS).decode().splitlines()
    sums = {member: total for total, _, member in (row.partition("  ") for row in rows)}
    if set(sums) != set(archive.namelist()) - {_SUMS}:
        raise zipfile.BadZipFile("its list of files is another")
    print("Checking it", flush=True)
    for member, wanted in sums.items():
        total = hashlib.sha256()
        with archive.open(member) as source:
            for chunk in _chunks(source):
                total.update(chunk)
        if total.hexdigest() != wanted:
            raise zipfile.BadZipFile(f"{member} has a wrong checksum")


def _load(archive: zipfile.ZipFile) -> str:
    """Load the image, and give its name."""
    print("Loading the image", flush=True)
    load = ["docker", "load", "--quiet"]
    with (
        archive.open(_IMAGE) as source,
        subprocess.Popen(load, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # its own message says why
            shutil.copyfileobj(source, process.stdin, _CHUNK)
            process.stdin.close()
        said = process.stdout.read().decode(errors="replace")
    if process.returncode:
        raise LabError("docker load failed, for the reason above")
    # One that had no name is called by its number.
    found = re.search(r"Loaded image[^:]*: *(\S+)", said)
    if not found:
        raise LabError(f"docker load does not say which image it loaded: {said.strip()}")
    return found[1]


def _put_data(archive: zipfile.ZipFile) -> int:
    """Put the data sets into the cache; a file that is there already stays as it is."""
    folder = (CONTAINERS_STATE / "data").resolve()
    n_files = 0
    for member in archive.namelist():
        path = (folder / member[len(_DATA) :]).resolve()
        if not member.startswith(_DATA) or not path.is_relative_to(folder):
            continue
        n_files += 1
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(path.name + ".part")
        with archive.open(member) as source, half.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        os.replace(half, path)
    if n_files:
        image.give_to_owner(CONTAINERS_STATE, folder, *folder.rglob("*"))
    return n_files


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk
