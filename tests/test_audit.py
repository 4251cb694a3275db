"""`./inv audit`: what is known against the packages of a lock, by a database that is made up."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena_lab.audit import advisories
from arena_lab.errors import LabError

pytestmark = pytest.mark.slow

KNOWN = {
    "id": "PYSEC-1",
    "summary": "It leaks.",
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


class Database(http.server.BaseHTTPRequestHandler):
    """Answers as OSV's interface does; it knows one package."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = [KNOWN] if asked["package"]["name"] == "leaky" else []
        body = json.dumps({"vulns": known} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def database() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Database)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    mark = f"--hash=sha256:{'0' * 64}"
    path.write_text(f"leaky==1.0 \\\n    {mark}\nsound==2.0 \\\n    {mark}\n")
    return path


def test_advisory_is_given_with_the_version_that_mends_it(lock: Path, database: str) -> None:
    assert list(advisories(lock, database)) == [("leaky 1.0", "PYSEC-1", "1.1")]


def test_database_that_is_not_reached_is_said_in_one_line(lock: Path) -> None:
    with pytest.raises(LabError) as error:
        list(advisories(lock, "http://127.0.0.1:9/v1/query"))
    assert str(error.value).startswith("http://127.0.0.1:9/v1/query could not be asked")
    assert "Connection refused" in str(error.value)
    assert "\n" not in str(error.value)
