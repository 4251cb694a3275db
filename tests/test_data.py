"""Digits come whole from a server, or a real subset stands in; nothing false is ever used."""

import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from arena_lab import data


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
    """A mirror on loopback: `sent` is what it sends for each file, `status` what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent = dict(FILES)
        self.status = 200
        self.n_requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.n_requests += 1
        body = self.server.sent.get(self.path.rsplit("/", 1)[-1], b"")
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

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
        threading.Thread(target=server.serve_forever, daemon=True).start()
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


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusal_names_host_and_status(
    server: Server, status: int, capsys: pytest.CaptureFixture[str]
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
