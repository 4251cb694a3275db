"""Digits come whole from a server, or a real subset stands in; nothing false is ever used."""

import errno
import gzip
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from arena_lab import data, fetch


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


IMAGES = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 256
LABELS = np.array([7, 0, 9])
FILES = {
    "train-images-idx3-ubyte.gz": idx(IMAGES),
    "train-labels-idx1-ubyte.gz": idx(LABELS),
    "t10k-images-idx3-ubyte.gz": idx(IMAGES[:1]),
    "t10k-labels-idx1-ubyte.gz": idx(LABELS[:1]),
}


class Server(http.server.ThreadingHTTPServer):
    """A mirror on loopback: `sent` is what it sends for each file, `status` what it answers.

    It can misbehave: `cuts` so many times after half a file, `busy` so many times, `claims` other
    lengths than it sends, `redirects` once, `pauses_s` before it says anything, `labels` what ends
    in .gz as packed for the way.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent = dict(FILES)
        self.status = 200
        self.n_requests = 0
        self.ranges: list[str] = []
        self.whole: list[str] = []
        self.cuts = self.busy = self.claims = 0
        self.pauses_s = 0.0
        self.redirects = self.labels = False
        self.holds = threading.Event()
        self.holds.set()
        self.paths: list[str] = []
        self.encodings: set[str] = set()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.n_requests += 1
        server.paths.append(self.path)
        server.encodings.add(self.headers["Accept-Encoding"])
        time.sleep(server.pauses_s)
        if server.redirects and not self.path.startswith("/elsewhere"):
            self.send_response(302)
            self.send_header("Location", f"/elsewhere{self.path}")
            self.end_headers()
            return
        name = self.path.rsplit("/", 1)[-1]
        body = server.sent.get(name, b"")
        status = server.status
        if server.busy:
            server.busy -= 1
            status = 429
        if asked := self.headers.get("Range"):
            server.ranges.append(asked)
            body = body[int(asked.removeprefix("bytes=").removesuffix("-")) :]
            status = 206 if body else 416
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + server.claims))
        if server.labels and name.endswith(".gz"):
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if server.cuts and len(body) > 64:
            server.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body[: len(body) + min(server.claims, 0)])
        self.wfile.flush()
        server.holds.wait(60)
        server.whole.append(name)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    with Server() as server:
        monkeypatch.setattr(data, "_MNIST_FILES", sums)
        monkeypatch.setattr(data, "CACHE", tmp_path / "data")
        monkeypatch.setenv("ARENA_LAB_DATA_MIRROR", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.delenv("ARENA_LAB_OFFLINE", raising=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_digits_are_fetched_from_the_mirror(server: Server) -> None:
    found = data.digits()
    assert found.source == "MNIST"
    np.testing.assert_array_equal(found.train_images, IMAGES)
    np.testing.assert_array_equal(found.train_labels, LABELS)
    assert found.test_images.shape == (1, 28, 28)


def test_digits_are_fetched_once(server: Server) -> None:
    data.digits()
    before = server.n_requests
    data.digits()
    assert server.n_requests == before


def test_wrong_bytes_are_never_used(server: Server) -> None:
    server.sent["train-images-idx3-ubyte.gz"] = idx(IMAGES[:, ::-1])
    found = data.digits()
    assert "come with the lab" in found.source
    assert not list(data.CACHE.glob("mnist/train-images*"))


def test_damaged_file_in_the_cache_is_fetched_again(server: Server) -> None:
    data.digits()
    (data.CACHE / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(b"half a fi")
    np.testing.assert_array_equal(data.digits().train_labels, LABELS)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between tries, and not for long for an answer."""
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(fetch, "PATIENCE_S", 0.2)


@pytest.mark.parametrize("cuts", [1, 2, 3])
def test_fetch_that_is_cut_off_goes_on(server: Server, hasty: None, cuts: int) -> None:
    server.sent["large"] = os.urandom(1 << 21)
    server.cuts = cuts + 1  # the first asks only whether anybody is there
    sums = {"large": hashlib.sha256(server.sent["large"]).hexdigest()}
    (path,) = fetch.fetch(data.CACHE / "mnist", "", sums)
    assert path.read_bytes() == server.sent["large"]
    assert "bytes=1048576-" in server.ranges


def test_host_that_always_cuts_off_is_given_up(
    server: Server, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    server.cuts = 10_000
    server.sent["train-images-idx3-ubyte.gz"] *= 1000
    assert "come with the lab" in data.digits().source
    assert "broke off; the next try goes on from there" in capsys.readouterr().out
    assert not (data.CACHE / "mnist" / "train-images-idx3-ubyte.gz").exists()


def test_length_that_is_too_short_is_no_file(server: Server) -> None:
    server.claims = -10
    assert "come with the lab" in data.digits().source
    assert not list(data.CACHE.glob("mnist/*.gz"))


def test_busy_host_is_asked_again(server: Server, hasty: None) -> None:
    server.busy = 2
    assert data.digits().source == "MNIST"


def test_redirection_is_followed(server: Server) -> None:
    server.redirects = True
    assert data.digits().source == "MNIST"


def test_file_that_is_labelled_as_packed_for_the_way_stays_packed(server: Server) -> None:
    server.labels = True
    assert data.digits().source == "MNIST"
    assert server.encodings == {"identity"}


def test_host_that_says_nothing_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetch, "PATIENCE_S", 0.2)
    server.pauses_s = 0.5
    assert "come with the lab" in data.digits().source
    assert f"127.0.0.1:{server.server_port} does not answer" in capsys.readouterr().out


def test_host_of_many_addresses_is_not_waited_for_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_answers(*_: object, **__: object) -> None:
        time.sleep(10)  # as many addresses take, each its patience
        raise OSError

    monkeypatch.setattr(fetch, "PATIENCE_S", 0.1)
    monkeypatch.setattr(fetch, "_failed", {})
    monkeypatch.setattr("requests.get", none_answers)
    before = time.monotonic()
    assert fetch._why_unreachable("https://many.example/x") == "many.example does not answer"
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    ("mirror", "reason"),
    [
        ("http://me:secret@127.0.0.1:9", "no connection to 127.0.0.1:9"),
        ("me:secret@mirror.example", "what is set as its address is none"),
        ("http://me:secret@[mirror", "what is set as its address is none"),
    ],
)
def test_address_that_is_not_reached_is_told_without_its_password(
    mirror: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(data, "CACHE", tmp_path)
    monkeypatch.setenv("ARENA_LAB_DATA_MIRROR", mirror)
    monkeypatch.delenv("ARENA_LAB_OFFLINE", raising=False)
    assert "come with the lab" in data.digits().source
    said = capsys.readouterr().out
    assert reason in said
    assert "secret" not in said


def test_host_that_failed_is_asked_again_after_a_while(
    server: Server, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 404
    assert "come with the lab" in data.digits().source
    asked = server.n_requests
    server.status = 200
    assert "come with the lab" in data.digits().source
    assert server.n_requests == asked  # else each loader would wait for it anew
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert data.digits().source == "MNIST"


@pytest.mark.parametrize(("status", "claims"), [(404, 0), (200, -10)])
def test_stand_in_is_kept_until_its_host_is_asked_again(
    server: Server, hasty: None, monkeypatch: pytest.MonkeyPatch, status: int, claims: int
) -> None:
    monkeypatch.setattr(fetch, "_failed", {})
    load = fetch.kept(data.digits)
    server.status, server.claims = status, claims
    stand_in = load()
    server.status, server.claims = 200, 0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert load() is stand_in
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert load().source == "MNIST"
    whole = load()
    monkeypatch.setattr(time, "monotonic", lambda: now + 600)
    assert load() is whole
    assert whole.source == "MNIST"


def test_stand_in_is_kept_as_long_as_a_training_goes_on(
    server: Server, hasty: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.monotonic()
    load = fetch.kept(data.digits)
    part = fetch.kept(lambda: load().train_images[:3])
    server.status = 404
    stand_in = load()
    server.status = 200
    with fetch.held():
        for seconds in range(0, 120, 10):
            monkeypatch.setattr(time, "monotonic", lambda s=seconds: now + s)
            assert load() is stand_in
            np.testing.assert_array_equal(part(), stand_in.train_images[:3])
    assert capsys.readouterr().out.count("is not here") == 1
    np.testing.assert_array_equal(part(), IMAGES)


def test_failed_host_limits_only_what_was_to_come_from_it(
    server: Server, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    load, faces = fetch.kept(data.digits), fetch.kept(data.faces)
    labels = fetch.kept(lambda: load().train_labels)
    data.digits()  # lies in the cache now
    server.status = 404
    galaxies, digits = faces(), load()
    labels()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert load() is digits
    assert faces() is not galaxies


def test_what_is_made_of_a_stand_in_runs_out_with_it(
    server: Server, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    load = fetch.kept(data.digits)
    labels = fetch.kept(lambda: load().train_labels)
    server.status = 404
    load()
    monkeypatch.setattr(time, "monotonic", lambda: now + 10)
    assert len(labels()) == 4000
    server.status = 200
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert labels().tolist() == LABELS.tolist()


def test_stand_in_for_a_list_that_is_none_runs_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    load = fetch.kept(data.faces)
    server.sent["data"] = b"<html>Please sign in</html>"
    stand_in = load()
    assert load() is stand_in
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert load() is not stand_in


def test_full_disk_is_told_and_leaves_no_half_file(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch.shutil, "move", full)
    assert "come with the lab" in data.digits().source
    assert "the disk is full; ARENA_LAB_DATA names" in capsys.readouterr().out
    assert not list(data.CACHE.glob("mnist/*.gz"))
    monkeypatch.undo()


FETCH = """
import sys
from pathlib import Path
from arena_lab import fetch
sums = dict(zip(sys.argv[2::2], sys.argv[3::2]))
print(len(fetch.fetch(Path(sys.argv[1]), "", sums)))
"""


def start_fetch(sums: dict[str, str]) -> subprocess.Popen[str]:
    words = [word for pair in sums.items() for word in pair]
    command = [sys.executable, "-c", FETCH, str(data.CACHE / "mnist"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_two_at_once_fetch_each_file_once(server: Server) -> None:
    both = [start_fetch(data._MNIST_FILES) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["4", "4"]
    # Once to see whether the host answers, once for each file.
    assert len(server.whole) <= len(FILES) + 2
    assert data.digits().source == "MNIST"


def test_killed_fetch_leaves_a_cache_from_which_the_next_goes_on(server: Server) -> None:
    name = "train-images-idx3-ubyte.gz"
    server.sent[name] = os.urandom(1 << 22)
    sums = {name: hashlib.sha256(server.sent[name]).hexdigest()}
    server.claims = 1 << 22  # it promises more than it sends, and is waited for
    server.holds = threading.Event()
    process = start_fetch(sums)
    part = data.CACHE / "mnist" / f"{name}.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.holds.set()
    server.claims = 0
    assert not (data.CACHE / "mnist" / name).exists()
    (path,) = fetch.fetch(data.CACHE / "mnist", "", sums)
    assert path.read_bytes() == server.sent[name]


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_refusal_names_host_and_status(
    server: Server, hasty: None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = status
    assert "come with the lab" in data.digits().source
    assert f"127.0.0.1:{server.server_port} answers {status}" in capsys.readouterr().out


def test_offline_asks_no_one(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARENA_LAB_OFFLINE", "1")
    data.digits()
    assert server.n_requests == 0
    assert "ARENA_LAB_OFFLINE is set" in capsys.readouterr().out


def test_digits_of_the_lab_are_real_and_balanced() -> None:
    found = data.digits(subset=True)
    assert found.train_images.shape == (4000, 28, 28)
    assert found.test_images.shape == (1000, 28, 28)
    counts = np.bincount(np.concatenate([found.train_labels, found.test_labels]))
    assert counts.tolist() == [500] * 10
    # The mean and the standard deviation of all of MNIST are 0.1307 and 0.3081.
    assert found.train_images.mean() / 255 == pytest.approx(0.131, abs=0.002)
    assert found.train_images.std() / 255 == pytest.approx(0.308, abs=0.002)


# --- CIFAR-10 and photographs -----------------------------------------------------------------

CIFAR = "cifar-10-binary.tar.gz"


def cifar_archive() -> bytes:
    def records(label: int) -> bytes:
        red, green, blue = (np.full(1024, 10 * label + channel) for channel in (1, 2, 3))
        return bytes([label]) + np.concatenate([red, green, blue]).astype(np.uint8).tobytes()

    files = {f"data_batch_{i}.bin": records(i) for i in range(1, 6)} | {
        "test_batch.bin": records(7)
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def cifar(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    server.sent[CIFAR] = cifar_archive()
    checksum = hashlib.sha256(server.sent[CIFAR]).hexdigest()
    monkeypatch.setattr(data, "_CIFAR_FILES", {CIFAR: checksum})
    return server


def test_cifar_is_read_with_channels_last(cifar: Server) -> None:
    found = data.colour_pictures()
    assert found.source == "CIFAR-10"
    assert found.train_labels.tolist() == [1, 2, 3, 4, 5]
    assert found.names[found.test_labels[0]] == "horse"
    assert found.train_images.shape == (5, 32, 32, 3)
    assert found.train_images[1, 0, 0].tolist() == [21, 22, 23]


def test_crops_stand_in_for_cifar_and_it_is_said(
    cifar: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    cifar.status = 404
    assert data.colour_pictures().train_images.shape == (1000, 32, 32, 3)
    assert "five real photographs stand in" in capsys.readouterr().out


def test_crops_to_test_with_show_nothing_that_others_show(monkeypatch: pytest.MonkeyPatch) -> None:
    # Pictures whose pixels say which block of 64 they stand in.
    blocks = np.add.outer(10 * np.arange(4), np.arange(4)).astype(np.uint8)
    picture = np.repeat(np.kron(blocks, np.ones((64, 64), np.uint8))[..., None], 3, axis=2)
    monkeypatch.setattr(data, "photographs", lambda names: [picture])
    crops = data.photograph_crops(["one"], n_train=100, n_test=40)
    seen, kept = set(crops.train_images.ravel()), set(crops.test_images.ravel())
    assert seen
    assert kept
    assert not seen & kept


def test_crops_are_balanced_and_the_same_each_time() -> None:
    one, other = (data.photograph_crops(["cat", "coffee"], 20, 10) for _ in range(2))
    np.testing.assert_array_equal(one.train_images, other.train_images)
    assert np.bincount(one.train_labels).tolist() == [20, 20]
    assert np.bincount(one.test_labels).tolist() == [10, 10]


@pytest.mark.parametrize("name", [*data.PHOTOGRAPHS, *data.OTHER_PHOTOGRAPHS])
def test_every_photograph_is_small_and_its_source_recorded(name: str) -> None:
    (picture,) = data.photographs([name])
    assert picture.dtype == np.uint8
    assert max(picture.shape) <= 512
    readme = Path(data.__file__).parent / "datasets" / "README.md"
    assert f"`{name}.jpg`" in readme.read_text(encoding="utf-8")


# --- CelebA and galaxies ----------------------------------------------------------------------

PARQUET = "train-00000-of-00001.parquet"


def parquet_of_faces(n: int = 20) -> bytes:
    """Make what the hub has, of small size: photographs of one colour, JPEG in Parquet."""
    rows = []
    for i in range(n):
        jpeg = io.BytesIO()
        Image.new("RGB", (178, 218), (10 * i, 100, 200)).save(jpeg, "JPEG", quality=95)
        rows.append({"image": {"bytes": jpeg.getvalue(), "path": f"{i:06}.jpg"}})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.fixture
def celeba(server: Server) -> Server:
    content = parquet_of_faces()
    entry = {
        "type": "file",
        "path": f"data/{PARQUET}",
        "size": len(content),
        "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)},
    }
    readme = {"type": "file", "path": "data/README.md", "size": 3}
    server.sent |= {"data": json.dumps([readme, entry]).encode(), PARQUET: content}
    return server


@pytest.mark.parametrize("variable", ["ARENA_LAB_DATA_MIRROR", "HF_ENDPOINT"])
def test_faces_are_fetched_and_cut_to_squares(
    celeba: Server, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARENA_LAB_DATA_MIRROR")
    monkeypatch.setenv(variable, f"http://127.0.0.1:{celeba.server_port}")
    found = data.faces()
    assert found.source == "CelebA"
    assert found.train_images.shape == (18, 64, 64, 3)
    assert found.test_images.shape == (2, 64, 64, 3)
    assert np.abs(found.train_images[7].astype(int) - [70, 100, 200]).max() <= 3


def test_faces_are_asked_for_under_the_names_of_the_hub(
    celeba: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARENA_LAB_DATA_MIRROR")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{celeba.server_port}/")
    data.faces()
    assert set(celeba.paths) == {
        "/api/datasets/nielsr/CelebA-faces/tree/main/data",
        f"/datasets/nielsr/CelebA-faces/resolve/main/data/{PARQUET}",
    }


def test_faces_are_fetched_and_cut_once(celeba: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data.faces()
    before = celeba.n_requests
    monkeypatch.setattr(data, "_cut_faces", None)
    np.testing.assert_array_equal(data.faces().train_images, first.train_images)
    assert celeba.n_requests == before


def test_faces_that_are_damaged_are_made_anew(celeba: Server) -> None:
    first = data.faces()
    folder = data.CACHE / "celeba"
    (folder / PARQUET).write_bytes(b"half a fi")
    (folder / PARQUET).with_suffix(".npy").write_bytes(b"half a fi")
    np.testing.assert_array_equal(data.faces().train_images, first.train_images)


def test_wrong_faces_are_never_used(celeba: Server, capsys: pytest.CaptureFixture[str]) -> None:
    celeba.sent[PARQUET] = parquet_of_faces(3)
    assert "galaxies" in data.faces().source
    assert "wrong checksum" in capsys.readouterr().out


def test_list_of_faces_that_is_none_is_asked_for_again(
    celeba: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    right = celeba.sent["data"]
    celeba.sent["data"] = b"<html>Please sign in</html>"
    assert "galaxies" in data.faces().source
    assert "no list of its files" in capsys.readouterr().out
    celeba.sent["data"] = right
    assert data.faces().source == "CelebA"


def test_galaxies_stand_in_for_faces_and_it_is_said(
    celeba: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    celeba.status = 404
    found = data.faces()
    assert found.train_images.shape == (8 * 257, 32, 32, 3)
    assert found.test_images.shape == (8 * 28, 32, 32, 3)
    assert "galaxies stand in" in capsys.readouterr().out


def test_galaxies_to_test_with_are_none_to_train_on() -> None:
    found = data.galaxies()
    train = {image.tobytes() for image in found.train_images}
    assert not any(image.tobytes() in train for image in found.test_images)


def test_source_of_galaxies_is_recorded() -> None:
    readme = Path(data.__file__).parent / "datasets" / "README.md"
    assert "`galaxies.npz`" in readme.read_text(encoding="utf-8")


# --- weights ----------------------------------------------------------------------------------


@pytest.fixture
def weights(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    content = bytes(range(256)) * 400
    name = f"resnet34-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setattr(data, "_WEIGHTS_FILE", name)
    server.sent[name] = content
    return server


def test_weights_are_fetched(weights: Server) -> None:
    path = data.resnet34_weights()
    assert path is not None
    assert path.read_bytes() == weights.sent[path.name]


def test_weights_that_are_damaged_are_fetched_again(weights: Server) -> None:
    path = data.resnet34_weights()
    assert path is not None
    path.write_bytes(b"half a fi")
    assert data.resnet34_weights() == path
    assert path.read_bytes() == weights.sent[path.name]


def test_wrong_weights_are_never_used(weights: Server, capsys: pytest.CaptureFixture[str]) -> None:
    weights.sent = {name: content[::-1] for name, content in weights.sent.items()}
    assert data.resnet34_weights() is None
    assert "wrong checksum" in capsys.readouterr().out
    assert not list(data.CACHE.glob("resnet34/*.pth"))


def test_fetching_goes_on_where_it_stopped(weights: Server) -> None:
    name = data._WEIGHTS_FILE
    part = data.CACHE / "resnet34" / f"{name}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(weights.sent[name][:1000])
    path = data.resnet34_weights()
    assert path is not None
    assert path.read_bytes() == weights.sent[name]
    assert weights.ranges == ["bytes=1000-"]
