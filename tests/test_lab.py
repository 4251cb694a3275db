"""`invoke lab`: who gets in, how scripts become notebooks, what a port in use says."""

import http.server
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket

from arena_lab import lab as lab_module
from arena_lab import ports
from arena_lab.errors import LabError
from arena_lab.paths import ROOT

ANSWERS = "chapter9_toys/exercises/toys/answers.py"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def ask(
    lab: Any,
    path: str,
    *,
    token: bool = True,
    method: str = "GET",
    body: Any = None,
    **headers: str,
) -> tuple[int, Any]:
    """Send a request, and give the status and what came back."""
    if token:
        headers["Authorization"] = f"token {lab.token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(lab.url + path, data, headers, method=method)
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Location")


# Who gets in


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/contents", "/api/kernels", "/api/terminals"])
def test_without_the_token_the_api_is_closed(lab: Any, path: str) -> None:
    assert ask(lab, path, token=False)[0] == 403


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/lab", "/site/", "/site/_stcore/health", "/runs/", "/proxy/22/"])
def test_without_the_token_a_page_leads_to_the_login(lab: Any, path: str) -> None:
    status, location = ask(lab, path, token=False)
    assert status in (302, 403)
    assert location is None or location.startswith("/login")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/lab", "/site/", "/site/_stcore/health", "/runs/", "/api/contents"]
)
def test_with_the_token_everything_opens(lab: Any, path: str) -> None:
    assert ask(lab, path)[0] == 200


@pytest.mark.slow
def test_another_host_name_is_refused_even_with_the_token(lab: Any) -> None:
    assert ask(lab, "/lab", Host="evil.example")[0] == 403


SOCKETS = ["/site/_stcore/stream", "/api/events/subscribe"]


def open_socket(lab: Any, path: str, *, cookie: str = "", origin: str = "") -> bool:
    """Tell whether a page of `origin` could open a socket."""
    headers = {"Cookie": cookie} if cookie else {}
    try:
        websocket.create_connection(
            lab.url.replace("http", "ws") + path,
            header=headers,
            origin=origin or lab.url,
            redirect_limit=0,
            timeout=60,
        ).close()
    except websocket.WebSocketException as error:
        if "403 Forbidden" in str(error) or "Redirect" in str(error):
            return False
        raise
    return True


@pytest.mark.slow
@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_opens_with_the_token(lab: Any, path: str) -> None:
    assert open_socket(lab, path, cookie=login_cookie(lab))


@pytest.mark.slow
@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_without_the_token_stays_closed(lab: Any, path: str) -> None:
    assert not open_socket(lab, path)


@pytest.mark.slow
@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_stays_closed_to_pages_from_elsewhere(lab: Any, path: str) -> None:
    cookie = login_cookie(lab)
    assert not open_socket(lab, path, cookie=cookie, origin="http://evil.example")


def login_cookie(lab: Any) -> str:
    """The cookie that a browser holds after it opened the link."""
    with urllib.request.urlopen(f"{lab.url}/lab?token={lab.token}") as answer:
        cookies = answer.headers.get_all("Set-Cookie")
    return "; ".join(cookie.split(";")[0] for cookie in cookies)


@pytest.mark.slow
def test_nothing_listens_beyond_this_machine_and_the_site_on_no_port(lab: Any) -> None:
    ask(lab, "/site/")
    server = psutil.Process(lab.process.pid)
    for process in [server, *server.children(recursive=True)]:
        ports = [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert all(port.laddr.ip == "127.0.0.1" for port in ports)
        if "arena_lab.jupyter.site_server" in process.cmdline():
            assert ports == []


@pytest.mark.slow
def test_no_command_line_shows_the_token(lab: Any) -> None:
    server = psutil.Process(lab.process.pid)
    lines = [" ".join(p.cmdline()) for p in [server, *server.children(recursive=True)]]
    assert not any(lab.token in line for line in lines)


# Scripts as notebooks


def read_notebook(lab: Any, path: str) -> dict[str, Any]:
    status, text = ask(lab, f"/api/contents/{path}?content=1&type=notebook")
    assert status == 200
    model: dict[str, Any] = json.loads(text)
    return model


def save(lab: Any, path: str, content: Any) -> None:
    body = {"type": "notebook", "format": "json", "content": content}
    assert ask(lab, f"/api/contents/{path}", method="PUT", body=body)[0] == 200


@pytest.mark.slow
def test_answers_open_as_cells(lab: Any) -> None:
    cells = read_notebook(lab, ANSWERS)["content"]["cells"]
    assert [cell["cell_type"] for cell in cells[:3]] == ["code", "markdown", "code"]
    assert cells[1]["source"] == "## Twice\n\nWrite $2x$."


@pytest.mark.slow
def test_a_kernel_is_named_so_that_nobody_has_to_choose(lab: Any) -> None:
    assert read_notebook(lab, ANSWERS)["content"]["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["answers.py", "solutions.py"])
def test_saving_what_nobody_edited_changes_no_byte(lab: Any, name: str) -> None:
    path = ANSWERS.replace("answers.py", name)
    before = (lab.root / path).read_bytes()
    save(lab, path, read_notebook(lab, path)["content"])
    assert (lab.root / path).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    sorted(ROOT.glob("chapter*/exercises/*/solutions.py"))
    + sorted(ROOT.glob("chapter*/exercises/*/answers.py")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_saving_a_script_of_the_course_changes_no_byte(lab: Any, path: Path) -> None:
    copy = lab.root / "chapter9_toys/exercises/toys" / f"{path.parent.name}_{path.name}"
    copy.write_bytes(path.read_bytes())
    inside = str(copy.relative_to(lab.root))
    save(lab, inside, read_notebook(lab, inside)["content"])
    assert copy.read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_saving_an_edit_changes_that_and_nothing_else(lab: Any) -> None:
    path = ANSWERS.replace("answers.py", "edited.py")
    before = (lab.root / ANSWERS).read_text()
    (lab.root / path).write_text(before)
    content = read_notebook(lab, path)["content"]
    content["cells"][-1]["source"] += "\n    # mine"
    content["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "42"}]
    content["cells"][-1]["metadata"] = {"collapsed": True}
    save(lab, path, content)
    assert (lab.root / path).read_text() == before + "    # mine\n"


SAVE = """
import asyncio, resource, signal, sys
from arena_lab.jupyter.contents import Contents
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # ends this process, as a power cut would
resource.setrlimit(resource.RLIMIT_FSIZE, (7000, 7000))
model = {"type": "file", "format": "text", "content": "# new\\n" * 2000}
asyncio.run(Contents(root_dir=sys.argv[1]).save(model, "answers.py"))
"""


@pytest.mark.slow
def test_power_cut_in_the_middle_of_a_save_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text("# old\n" * 1000)
    done = subprocess.run([sys.executable, "-c", SAVE, str(tmp_path)], cwd=ROOT)
    assert done.returncode == -signal.SIGXFSZ
    assert (tmp_path / "answers.py").read_text() == "# old\n" * 1000


@pytest.mark.slow
def test_save_through_a_link_leaves_the_link(lab: Any) -> None:
    folder = lab.root / Path(ANSWERS).parent
    (folder / "real.py").write_text("# old\n")
    (folder / "link.py").symlink_to("real.py")
    path = ANSWERS.replace("answers.py", "link.py")
    body = {"type": "file", "format": "text", "content": "# new\n"}
    assert ask(lab, f"/api/contents/{path}", method="PUT", body=body)[0] == 200
    assert (folder / "link.py").is_symlink()
    assert (folder / "real.py").read_text() == "# new\n"


@pytest.mark.slow
def test_a_module_reads_as_text_too(lab: Any) -> None:
    path = ANSWERS.replace("answers.py", "utils.py")
    _, text = ask(lab, f"/api/contents/{path}?content=1&type=file&format=text")
    assert json.loads(text)["content"] == "LUCK = 7\n"


@pytest.mark.slow
def test_a_cell_finds_the_sections_packages(lab: Any) -> None:
    _, text = ask(lab, "/api/kernels", method="POST", body={"path": ANSWERS})
    kernel = json.loads(text)["id"]
    address = f"{lab.url}/api/kernels/{kernel}/channels".replace("http", "ws")
    stream = websocket.create_connection(
        address, header={"Authorization": f"token {lab.token}"}, timeout=60
    )
    code = "import toys.tests as tests, arena_lab; print(tests.__name__)"
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "s"}
    stream.send(
        json.dumps(
            {
                "header": {**header, "username": "", "version": "5.3", "date": ""},
                "parent_header": {},
                "metadata": {},
                "content": {"code": code, "silent": False, "allow_stdin": False},
                "channel": "shell",
            }
        )
    )
    said = ""
    while True:
        message = json.loads(stream.recv())
        if message["msg_type"] in ("stream", "error"):
            said += message["content"].get("text") or message["content"]["evalue"]
        if message["msg_type"] == "execute_reply":
            break
    stream.close()
    ask(lab, f"/api/kernels/{kernel}", method="DELETE")
    assert said == "toys.tests\n"


# Start and stop


@pytest.mark.slow
def test_one_line_with_the_link_is_printed(lab: Any) -> None:
    assert re.fullmatch(rf"The lab is open at +{lab.url}/lab\?token=[0-9a-f]{{48}}\n", lab.printed)


@pytest.mark.slow
def test_starting_again_gives_the_link_of_the_one_that_runs(lab: Any) -> None:
    again = subprocess.run(
        [sys.executable, "-m", "invoke", "lab", f"--port={lab.url.rpartition(':')[2]}"],
        cwd=ROOT,
        env={**os.environ, "ARENA_LAB_ROOT": str(lab.root)},
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0
    assert again.stdout == f"The lab is running already: {lab.url}/lab?token={lab.token}\n"


@pytest.mark.slow
def test_home_folder_is_left_alone(lab: Any) -> None:
    ask(lab, "/site/")
    ask(lab, "/runs/")
    assert list((lab.root / "home").iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_stops_lab_and_site_without_a_question(
    start_lab: Callable[[Path], Any], tmp_path: Path
) -> None:
    lab = start_lab(tmp_path)
    ask(lab, "/site/")
    children = psutil.Process(lab.process.pid).children(recursive=True)
    lab.process.send_signal(signal.SIGINT)
    assert lab.process.stdout.read().strip() == "Ctrl-C stops it."
    assert lab.process.wait(timeout=30) == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.slow
def test_ctrl_c_stops_the_lab_while_the_site_starts(
    start_lab: Callable[[Path], Any], tmp_path: Path
) -> None:
    lab = start_lab(tmp_path)
    lab.process.send_signal(signal.SIGINT)
    assert lab.process.wait(timeout=30) == 0


@pytest.mark.slow
def test_site_ends_with_a_lab_that_is_killed(
    start_lab: Callable[[Path], Any], tmp_path: Path
) -> None:
    lab = start_lab(tmp_path)
    ask(lab, "/site/")
    children = psutil.Process(lab.process.pid).children(recursive=True)
    lab.process.kill()
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lab_module, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(lab_module, "_JUPYTER", tmp_path / ".lab/jupyter")
    return tmp_path / ".lab"


@pytest.fixture
def other_server() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_port_in_use_names_the_process_and_another_port(state: Path, other_server: int) -> None:
    with pytest.raises(LabError) as error:
        lab_module.start(other_server, browser=False)
    taken = rf"port {other_server} is taken by process {os.getpid()} \(.+\); "
    assert re.fullmatch(taken + r"try: ./inv lab --port \d+", str(error.value))


def leave_file(state: Path, pid: int, port: int) -> Path:
    """Leave what JupyterLab writes when it starts, and a crash does not take away."""
    file = state / "jupyter" / "runtime" / f"jpserver-{pid}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": pid, "port": port}))
    return file


def test_process_that_has_only_the_number_of_a_lab_is_none(state: Path, other_server: int) -> None:
    leave_file(state, os.getppid(), other_server)
    with pytest.raises(LabError, match=f"port {other_server} is taken by process {os.getpid()} "):
        lab_module.start(other_server, browser=False)


def test_program_younger_than_what_a_crash_left_is_no_lab(state: Path, other_server: int) -> None:
    os.utime(leave_file(state, os.getpid(), other_server), (0, 0))
    with pytest.raises(LabError, match=f"port {other_server} is taken by process {os.getpid()} "):
        lab_module.start(other_server, browser=False)


def test_lab_in_the_container_is_known_by_its_port(
    state: Path,
    other_server: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    container = ports.Container("a1", "running", other_server, "lab", str(ROOT), False)
    monkeypatch.setattr(ports, "running", lambda: [container])
    monkeypatch.setattr(lab_module, "CONTAINERS_STATE", state.parent / "containers")
    lab_module.start(other_server, browser=False)
    link = f"http://127.0.0.1:{other_server}/lab?token="
    token = (state.parent / "containers" / "token").read_text()
    assert capsys.readouterr().out == f"The lab is running already: {link}{token}\n"


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1"])
def test_what_is_no_port_is_said(state: Path, port: str) -> None:
    with pytest.raises(LabError, match=f"^{port} is not a port"):
        lab_module.start(port)


def test_token_is_for_the_owner_alone_and_has_no_newline(state: Path) -> None:
    token = lab_module.token()
    file = state / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == token
    assert re.fullmatch("[0-9a-f]{48}", token)


def test_token_is_kept(state: Path) -> None:
    assert lab_module.token() == lab_module.token()
    assert [path.name for path in state.iterdir()] == ["token"]


def test_empty_token_is_replaced(state: Path) -> None:
    state.mkdir()
    (state / "token").touch()
    assert len(lab_module.token()) == 48


def test_token_that_others_could_read_is_closed(state: Path) -> None:
    lab_module.token()
    (state / "token").chmod(0o644)
    lab_module.token()
    assert stat.S_IMODE((state / "token").stat().st_mode) == 0o600


def test_folder_that_cannot_be_written_is_said_in_one_line(state: Path) -> None:
    state.write_text("a file where the folder should be")
    with pytest.raises(LabError) as error:
        lab_module.token()
    assert "\n" not in str(error.value)
    assert str(state) in str(error.value)
    assert "answers could not be saved" in str(error.value)
