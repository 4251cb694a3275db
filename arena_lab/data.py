"""The course's data: fetched once into one folder with checksums, or a real subset of it.

Nothing is fetched at import. A file whose checksum is wrong is fetched again, never used.
"""

import functools
import gzip
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from arena_lab.paths import STATE

CACHE = Path(os.environ.get("ARENA_LAB_DATA") or STATE / "data")

_SUBSET = Path(__file__).parent / "datasets" / "mnist_5000.npz"
_N_TRAIN_OF_SUBSET = 4_000

# After so many seconds without an answer the lab goes on without a network.
_PATIENCE_S = 5

_MNIST_HOST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_MNIST_SUMS = {
    "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_MNIST_FILES = {f"{name}-ubyte.gz": checksum for name, checksum in _MNIST_SUMS.items()}


@dataclass(frozen=True)
class Digits:
    """Handwritten digits: images uint8 (n, 28, 28) from 0 to 255, labels int64 (n,) from 0 to 9."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str


def is_offline() -> bool:
    """Tell whether the learner wants no network (`ARENA_LAB_OFFLINE=1`)."""
    return os.environ.get("ARENA_LAB_OFFLINE", "") not in ("", "0")


def digits(*, subset: bool = False) -> Digits:
    """Load MNIST, 60,000 digits to train on and 10,000 to test.

    Where it is not in the cache and cannot be fetched, 4,000 and 1,000 real digits that come with
    the lab stand in, and one line says so.

    Args:
        subset: Take the digits that come with the lab without asking the network.
    """
    if subset:
        return _digits_of_the_lab("5,000 digits of MNIST that come with the lab")
    try:
        paths = _fetch_mnist()
    except _Unreachable as error:
        print(f"The full MNIST is not here ({error}); 5,000 real digits of it stand in.")
        return _digits_of_the_lab("5,000 digits of MNIST that come with the lab")
    arrays = [_read_idx(path) for path in paths]
    return Digits(
        arrays[0], arrays[1].astype(np.int64), arrays[2], arrays[3].astype(np.int64), "MNIST"
    )


class _Unreachable(Exception):
    """Why data can't be fetched, in a few words."""


def _fetch_mnist() -> list[Path]:
    import pooch

    mirror = os.environ.get("ARENA_LAB_DATA_MIRROR")
    base = f"{mirror.rstrip('/')}/mnist/" if mirror else _MNIST_HOST
    store = pooch.create(CACHE / "mnist", base, registry=_MNIST_FILES)
    pooch.get_logger().setLevel(logging.ERROR)
    missing = [name for name in _MNIST_FILES if not (store.abspath / name).exists()]
    if missing and is_offline():
        raise _Unreachable("ARENA_LAB_OFFLINE is set")
    reason = _why_unreachable(base + missing[0]) if missing else ""
    if reason:
        raise _Unreachable(reason)
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=(_PATIENCE_S, 30))
    try:
        return [Path(store.fetch(name, downloader=downloader)) for name in _MNIST_FILES]
    except (OSError, ValueError) as error:  # what requests raises; a wrong checksum
        raise _Unreachable(_reason(error, base)) from None


@functools.cache
def _why_unreachable(url: str) -> str:
    """Ask once a session whether the host answers; give "" or the reason why not."""
    import requests

    try:
        requests.head(url, timeout=_PATIENCE_S, allow_redirects=True).raise_for_status()
    except OSError as error:
        return _reason(error, url)
    return ""


def _reason(error: Exception, url: str) -> str:
    import requests

    host = urlsplit(url).netloc
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{host} answers {error.response.status_code}"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to {host}"
    if isinstance(error, ValueError):
        return f"what {host} sent has a wrong checksum"
    return str(error)


def _digits_of_the_lab(source: str) -> Digits:
    with np.load(_SUBSET) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    n = _N_TRAIN_OF_SUBSET
    return Digits(images[:n], labels[:n], images[n:], labels[n:], source)


def _read_idx(path: Path) -> np.ndarray:
    """Read LeCun's IDX format: magic number with the count of axes, their lengths, the bytes."""
    with gzip.open(path, "rb") as file:
        data = file.read()
    n_axes = data[3]
    shape = np.frombuffer(data, ">i4", n_axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes).reshape(shape)
