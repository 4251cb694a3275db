"""The course's data: fetched once into one folder with checksums, or a real subset of it.

Nothing is fetched at import. A file whose checksum is wrong is fetched again, never used.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from arena_lab import cores, hosts
from arena_lab.fetch import Unreachable, failed, fetch
from arena_lab.paths import STATE

CACHE = Path(os.environ.get("ARENA_LAB_DATA") or STATE / "data")

_WITH_THE_LAB = Path(__file__).parent / "datasets"
_SUBSET = _WITH_THE_LAB / "mnist_5000.npz"
_N_TRAIN_OF_SUBSET = 4_000

_MNIST_SUMS = {
    "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_MNIST_FILES = {f"{name}-ubyte.gz": checksum for name, checksum in _MNIST_SUMS.items()}

_CIFAR_FILES = {
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
}
_CIFAR_NAMES = [  # in the order of the labels
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
]

# torchvision's names end in the first eight digits of the file's sha256.
_WEIGHTS_FILE = "resnet34-b627a593.pth"

_CELEBA = "datasets/nielsr/CelebA-faces"  # on the Hugging Face hub
_FACE_SIDE = 64
_N_FACES_TO_TEST = 10_000
_GALAXIES = _WITH_THE_LAB / "galaxies.npz"

# Two sets, so that a network that has seen one has not seen the other.
PHOTOGRAPHS = ("astronaut", "cat", "coffee", "flower", "temple")
OTHER_PHOTOGRAPHS = ("admiral", "galaxies", "retina", "rocket")
_BLOCK = 64  # side of the squares of which every fifth is kept for the test


@dataclass(frozen=True)
class Digits:
    """Handwritten digits: images uint8 (n, 28, 28) from 0 to 255, labels int64 (n,) from 0 to 9."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str


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
        paths = _fetch("mnist", hosts.MNIST, _MNIST_FILES)
    except Unreachable as error:
        print(f"The full MNIST is not here ({error}); 5,000 real digits of it stand in.")
        return _digits_of_the_lab("5,000 digits of MNIST that come with the lab")
    arrays = [_read_idx(path) for path in paths]
    return Digits(
        arrays[0], arrays[1].astype(np.int64), arrays[2], arrays[3].astype(np.int64), "MNIST"
    )


@dataclass(frozen=True)
class ColourPictures:
    """Small colour pictures: uint8 (n, 32, 32, 3) from 0 to 255, labels int64 (n,) into `names`."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    names: Sequence[str]
    source: str


def colour_pictures(*, subset: bool = False) -> ColourPictures:
    """Load CIFAR-10, 50,000 small pictures of ten kinds of things to train on and 10,000 to test.

    Where it is not in the cache and cannot be fetched, 1,000 and 300 crops of five photographs
    that come with the lab stand in, and one line says so; the label is which photograph it is.

    Args:
        subset: Take the crops without asking the network.
    """
    if subset:
        return photograph_crops(PHOTOGRAPHS)
    try:
        (archive,) = _fetch("cifar10", hosts.CIFAR, _CIFAR_FILES)
    except Unreachable as error:
        print(f"CIFAR-10 is not here ({error}); small crops of five real photographs stand in.")
        return photograph_crops(PHOTOGRAPHS)
    return _read_cifar(archive)


def photographs(names: Sequence[str] = PHOTOGRAPHS) -> list[np.ndarray]:
    """Load photographs that come with the lab: uint8 (height, width, 3), at most 512 on a side."""
    from PIL import Image

    folder = _WITH_THE_LAB / "photographs"
    return [np.asarray(Image.open(folder / f"{name}.jpg").convert("RGB")) for name in names]


def photograph_crops(
    names: Sequence[str], n_train: int = 200, n_test: int = 60, seed: int = 0
) -> ColourPictures:
    """Cut small pictures from photographs; those to test with show parts that no other shows.

    Args:
        names: Of photographs; the label of a crop is the position of its photograph here.
        n_train: Crops of each photograph to train on.
        n_test: Crops of each photograph to test with.
        seed: Of the choice.
    """
    rng = np.random.default_rng(seed)
    parts: dict[bool, list[tuple[np.ndarray, int]]] = {True: [], False: []}
    for label, photograph in enumerate(photographs(names)):
        corners = [
            (top, left)
            for top in range(0, photograph.shape[0] - _BLOCK + 1, _BLOCK)
            for left in range(0, photograph.shape[1] - _BLOCK + 1, _BLOCK)
        ]
        rng.shuffle(corners)
        n_kept = len(corners) // 5
        for is_train, chosen, n in (
            (True, corners[n_kept:], n_train),
            (False, corners[:n_kept], n_test),
        ):
            for i in range(n):
                parts[is_train].append((_crop(photograph, *chosen[i % len(chosen)], rng), label))
    train, test = (_stacked(parts[is_train], rng) for is_train in (True, False))
    source = f"crops of {len(names)} photographs that come with the lab"
    return ColourPictures(*train, *test, names, source)


def _stacked(
    part: list[tuple[np.ndarray, int]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give pictures and labels as two arrays, in a random order."""
    chosen = [part[i] for i in rng.permutation(len(part))]
    return np.stack([image for image, _ in chosen]), np.array([label for _, label in chosen])


def _crop(photograph: np.ndarray, top: int, left: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of 32 to 64 pixels from a block, and bring it to 32."""
    from PIL import Image

    side = int(rng.integers(_BLOCK // 2, _BLOCK + 1))
    row, col = (int(start + rng.integers(0, _BLOCK - side + 1)) for start in (top, left))
    crop = Image.fromarray(photograph[row : row + side, col : col + side])
    return np.asarray(crop.resize((32, 32), Image.Resampling.BILINEAR))


@dataclass(frozen=True)
class PicturesWithoutLabels:
    """Square colour pictures of one kind of thing: uint8 (n, side, side, 3) from 0 to 255."""

    train_images: np.ndarray
    test_images: np.ndarray
    source: str


def faces(*, subset: bool = False) -> PicturesWithoutLabels:
    """Load CelebA, 202,599 photographs of faces, 64 × 64; the last 10,000 are to test with.

    They come from the Hugging Face hub (1.4 GB), or from where HF_ENDPOINT or
    ARENA_LAB_DATA_MIRROR says. Where they are not in the cache and cannot be fetched, galaxies
    that come with the lab stand in, 32 × 32, and one line says so.

    Args:
        subset: Take the galaxies without asking the network.
    """
    if subset:
        return galaxies()
    try:
        paths = _fetch("celeba", f"{_hub()}/{_CELEBA}/resolve/main/data/", _celeba_files())
    except Unreachable as error:
        print(f"CelebA is not here ({error}); photographs of galaxies stand in.")
        return galaxies()
    images = np.concatenate([_read_faces(path) for path in paths])
    n_test = min(_N_FACES_TO_TEST, len(images) // 10)
    return PicturesWithoutLabels(images[: len(images) - n_test], images[-n_test:], "CelebA")


def galaxies() -> PicturesWithoutLabels:
    """Load galaxies of the Hubble eXtreme Deep Field that come with the lab, 32 × 32.

    Each is there in eight positions, for no galaxy has an upper side. All positions of a galaxy
    are either to train on or to test with.
    """
    with np.load(_GALAXIES) as file:
        images = file["images"]
    n_test = len(images) // 10
    train, test = (_in_eight_positions(part) for part in (images[n_test:], images[:n_test]))
    return PicturesWithoutLabels(train, test, "galaxies of the Hubble eXtreme Deep Field")


def _in_eight_positions(images: np.ndarray) -> np.ndarray:
    """Give square pictures turned by quarters, and mirrored."""
    turned = [np.rot90(images, quarters, axes=(1, 2)) for quarters in range(4)]
    return np.concatenate([*turned, *(image[:, :, ::-1] for image in turned)])


def _hub() -> str:
    return (os.environ.get("HF_ENDPOINT") or hosts.HUB).rstrip("/")


def _celeba_files() -> dict[str, str]:
    """Give the names of CelebA's files with their checksums, from the hub's listing of `data`."""
    (listing,) = _fetch("celeba", f"{_hub()}/api/{_CELEBA}/tree/main/", {"data": None})
    try:
        entries = json.loads(listing.read_bytes())
        files = {
            Path(entry["path"]).name: entry["lfs"]["oid"]
            for entry in entries
            if entry["path"].endswith(".parquet")
        }
    except (ValueError, KeyError, TypeError):
        files = {}
    if not files:
        listing.unlink()
        raise failed("what was sent is no list of its files")
    return files


def _read_faces(path: Path) -> np.ndarray:
    """Give the photographs of a Parquet file as squares, cut once and kept beside it."""
    kept = path.with_suffix(".npy")
    try:
        return np.load(kept, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # not there, or damaged
        pass
    faces = _cut_faces(path)
    half = kept.with_suffix(".part")
    with open(half, "wb") as file:
        np.save(file, faces)
    half.replace(kept)
    return faces


def _cut_faces(path: Path) -> np.ndarray:
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow.parquet
    from tqdm.auto import tqdm

    file = pyarrow.parquet.ParquetFile(path)
    faces = np.empty((file.metadata.num_rows, _FACE_SIDE, _FACE_SIDE, 3), np.uint8)
    n_done = 0
    with (
        ThreadPoolExecutor(cores.usable()) as pool,
        tqdm(total=len(faces), unit="face", desc=f"cutting {path.stem}") as bar,
    ):
        for rows in file.iter_batches(512, columns=["image"]):
            for face in pool.map(_face, rows.column("image").field("bytes").to_pylist()):
                faces[n_done] = face
                n_done += 1
            bar.update(len(rows))
    return faces


def _face(jpeg: bytes) -> np.ndarray:
    """Cut the middle square out of a photograph, and bring it to 64 × 64."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(jpeg)) as image:
        size = (_FACE_SIDE, _FACE_SIDE)
        return np.asarray(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BILINEAR))


def resnet34_weights() -> Path | None:
    """Give the file with torchvision's ImageNet weights of ResNet34, fetched where needed.

    None where they are not in the cache and cannot be fetched; one line says why.
    """
    try:
        for _ in range(2):  # once more if what lies in the cache is damaged
            (path,) = _fetch("resnet34", hosts.WEIGHTS, {_WEIGHTS_FILE: None})
            if hashlib.sha256(path.read_bytes()).hexdigest()[:8] in path.stem:
                return path
            path.unlink()
        raise failed(f"what {urlsplit(hosts.WEIGHTS).netloc} sent has a wrong checksum")
    except Unreachable as error:
        print(f"ResNet34's ImageNet weights are not here ({error}).")
        return None


def _fetch(folder: str, host: str, files: Mapping[str, str | None]) -> list[Path]:
    return fetch(CACHE / folder, host, files)


def _digits_of_the_lab(source: str) -> Digits:
    with np.load(_SUBSET) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    n = _N_TRAIN_OF_SUBSET
    return Digits(images[:n], labels[:n], images[n:], labels[n:], source)


def _read_cifar(archive: Path) -> ColourPictures:
    """Read CIFAR-10's binary form: records of one byte for the label, then the three channels."""
    with tarfile.open(archive) as tar:
        files = {
            Path(member.name).name: np.frombuffer(content.read(), np.uint8).reshape(-1, 3073)
            for member in tar
            if member.name.endswith(".bin") and (content := tar.extractfile(member))
        }
    test = files.pop("test_batch.bin")
    train = np.concatenate([files[name] for name in sorted(files)])
    images = [r[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) for r in (train, test)]
    labels = [records[:, 0].astype(np.int64) for records in (train, test)]
    return ColourPictures(images[0], labels[0], images[1], labels[1], _CIFAR_NAMES, "CIFAR-10")


def _read_idx(path: Path) -> np.ndarray:
    """Read LeCun's IDX format: magic number with the count of axes, their lengths, the bytes."""
    with gzip.open(path, "rb") as file:
        data = file.read()
    n_axes = data[3]
    shape = np.frombuffer(data, ">i4", n_axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


if __name__ == "__main__":  # fetches all that the sections use, for a bundle
    digits()
    colour_pictures()
    resnet34_weights()
