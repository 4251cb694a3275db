"""Fetch files once into a folder: with progress, resumed, checked, by one process at a time.

A file is in its place only when its checksum is right. What a broken fetch leaves is a file
`NAME.part`, from which the next one goes on.
"""

import contextlib
import errno
import functools
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from arena_lab.programs import in_time

if TYPE_CHECKING:
    import pooch

_T = TypeVar("_T")

# After so many seconds without an answer the lab goes on without a network; a host that has
# answered may pause for longer.
PATIENCE_S = 5
_PAUSE_S = 30
_N_TRIES = 4
_BUSY = (429, 502, 503, 504)
# So long a host that failed isn't asked again: not every loader of a cell is to wait for it, and
# who connects the network and runs the cell once more is to get the whole.
_HOLDS_S = 30
_failed: dict[str, tuple[float, str]] = {}  # an address to when and why
_runs_out = math.inf  # when what is loaded now is to be loaded anew
_n_held = 0
# Not packed for the way: the checksum is that of the file.
_AS_IT_IS = {"Accept-Encoding": "identity"}


class Unreachable(Exception):
    """Why data can't be fetched, in a few words."""


def failed(reason: str) -> Unreachable:
    """Make the error of a host that may do better later: what stands in is kept for a while."""
    global _runs_out
    _runs_out = min(_runs_out, time.monotonic() + _HOLDS_S)
    return Unreachable(reason)


def is_offline() -> bool:
    """Tell whether the learner wants no network (`ARENA_LAB_OFFLINE=1`)."""
    return os.environ.get("ARENA_LAB_OFFLINE", "") not in ("", "0")


def fetch(folder: Path, host: str, files: Mapping[str, str | None]) -> list[Path]:
    """Give the paths of files (name: sha256) in a folder, fetched where they are not there.

    Args:
        folder: Where they are kept; below ARENA_LAB_DATA_MIRROR they have a folder of its name.
        host: The address that the names are appended to where there is no mirror.
        files: A name with None is taken as it comes.

    Raises:
        Unreachable: There is no network, the host refuses, what it sent is wrong, or the disk is
            full; the message says which.
    """
    import pooch

    mirror = os.environ.get("ARENA_LAB_DATA_MIRROR")
    base = f"{mirror.rstrip('/')}/{folder.name}/" if mirror else host
    store = pooch.create(folder, base, registry=dict(files))
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        if any(not _is_good(store, name) for name in files):
            _fetch_missing(store, base)
    except (OSError, ValueError) as error:  # what requests raises; a wrong checksum
        raise failed(_reason(error, base)) from None
    return [folder / name for name in files]


def _is_good(store: "pooch.Pooch", name: str) -> bool:
    import pooch

    path = store.abspath / name
    checksum = store.registry[name]
    return path.exists() and (checksum is None or pooch.file_hash(path) == checksum)


def _fetch_missing(store: "pooch.Pooch", base: str) -> None:
    from filelock import FileLock

    store.abspath.mkdir(parents=True, exist_ok=True)
    # The kernel drops the lock with its process: a fetch that was killed bars nobody.
    with FileLock(store.abspath / ".lock"):
        missing = [name for name in store.registry if not _is_good(store, name)]
        if missing and is_offline():
            raise Unreachable("ARENA_LAB_OFFLINE is set")
        reason = _why_unreachable(base + missing[0]) if missing else ""
        if reason:
            raise failed(reason)
        for name in missing:
            store.fetch(name, downloader=_download)


def _download(url: str, output_file: str, store: "pooch.Pooch") -> None:
    """Fetch a file for pooch, again from where it broke off as long as more of it comes."""
    import requests

    part = store.abspath / (url.rsplit("/", 1)[-1] + ".part")
    for tries_left in reversed(range(_N_TRIES)):
        try:
            _continue(url, part)
            break
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            if not tries_left:
                raise
        except requests.HTTPError as error:
            busy = error.response is not None and error.response.status_code in _BUSY
            if not tries_left or not busy:
                raise
        time.sleep(0.5 * (_N_TRIES - tries_left))
    shutil.move(part, output_file)


def _continue(url: str, part: Path) -> None:
    """Append to a part what is missing of it, with a progress bar."""
    import requests
    from tqdm.auto import tqdm

    n_there = part.stat().st_size if part.exists() else 0
    headers = {**_AS_IT_IS, **({"Range": f"bytes={n_there}-"} if n_there else {})}
    with requests.get(url, headers=headers, stream=True, timeout=(PATIENCE_S, _PAUSE_S)) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()  # it was longer than the file, or all of it and wrong
            return _continue(url, part)
        answer.raise_for_status()
        if part.stem.endswith(".gz"):  # some hosts label such a file, and it would be unpacked
            answer.raw.headers.pop("Content-Encoding", None)
        goes_on = answer.status_code == requests.codes.partial_content
        n_there = n_there if goes_on else 0
        total = n_there + int(answer.headers.get("Content-Length", 0))
        with (
            open(part, "ab" if goes_on else "wb") as file,
            tqdm(total=total, initial=n_there, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            for chunk in answer.iter_content(1 << 16):
                file.write(chunk)
                bar.update(len(chunk))


def kept(load: Callable[..., _T]) -> Callable[..., _T]:
    """Load once; where a host failed meanwhile, for so long only that it may be asked again."""
    found: dict[Any, tuple[float, _T]] = {}

    @functools.wraps(load)
    def loaded_once(*arguments: Any, **options: Any) -> _T:
        global _runs_out
        key = (arguments, *options.items())
        if key not in found or (not _n_held and time.monotonic() > found[key][0]):
            others, _runs_out = _runs_out, math.inf
            try:
                value = load(*arguments, **options)
                found[key] = _runs_out, value
            finally:
                _runs_out = others
        # Who makes something of it keeps that no longer.
        _runs_out = min(_runs_out, found[key][0])
        return found[key][1]

    loaded_once.cache_clear = found.clear  # type: ignore[attr-defined]
    return loaded_once


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Keep what is kept until the block ends: a training goes on with what it began with."""
    global _n_held
    _n_held += 1
    try:
        yield
    finally:
        _n_held -= 1


def _why_unreachable(url: str) -> str:
    """Ask whether the host answers; give "" or the reason why not, which holds for a while."""
    import requests

    when, reason = _failed.get(url, (0.0, ""))
    if reason and time.monotonic() - when < _HOLDS_S:
        return reason
    _failed.pop(url, None)

    def look() -> str:
        try:  # not HEAD: a signed address that a host redirects to is for GET alone
            with requests.get(url, headers=_AS_IT_IS, timeout=PATIENCE_S, stream=True) as response:
                if response.status_code not in _BUSY:
                    response.raise_for_status()
        except (OSError, ValueError) as error:
            return _reason(error, url)
        return ""

    # A host may have many addresses, and requests is patient with each.
    found = in_time(look, 2 * PATIENCE_S)
    reason = f"{_host(url)} does not answer" if found is None else found
    if reason:
        _failed[url] = time.monotonic(), reason
    return reason


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _reason(error: Exception, url: str) -> str:
    import requests

    if isinstance(error, requests.exceptions.RequestException) and isinstance(error, ValueError):
        return "what is set as its address is none; one begins with https://"
    host = _host(url)
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{host} answers {error.response.status_code}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the certificate of {host} is not trusted: REQUESTS_CA_BUNDLE names your network's"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"{host} broke off; the next try goes on from there"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to {host}"
    if isinstance(error, ValueError):
        return f"what {host} sent has a wrong checksum"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full; ARENA_LAB_DATA names a place with more room"
    return str(error)
