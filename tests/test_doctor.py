"""`./inv doctor`: what it says of machines, by what their own tools said."""

import dataclasses
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from arena_lab import asking, compose, doctor, gpu, hosts, image, inside, machine, ports
from arena_lab.machine import FAIL, PASS, WARN, Finding, Machine
from arena_lab.paths import ROOT
from arena_lab.programs import Output

GPUS = Path(__file__).parent / "fixtures" / "gpu"
NONE = Output(127, "")

INFO = {
    "ServerVersion": "26.1.5",
    "MemTotal": 16 << 30,
    "CgroupVersion": "2",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "MemoryLimit": True,
    "Warnings": None,
}
GOOD = Machine(
    pythons=("3.11.2", "3.13.5"),
    docker=Output(0, json.dumps(INFO)),
    version=Output(0, "Docker version 26.1.5+dfsg1, build a72d7cd"),
    compose=Output(0, "Docker Compose version 2.26.1-4"),
    buildx=Output(0, "github.com/docker/buildx 0.13.1+ds1-3"),
    mounts="/dev/vda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0",
    reached={"packages": "", "MNIST": ""},
    skew_s=0.4,
    docker_free_gb=80.0,
    token_mode=0o600,
)


def found(name: str, **answers: object) -> Finding:
    """Give what a check finds on a good machine that differs in these answers."""
    findings = {f.name: f for f in machine.examine(dataclasses.replace(GOOD, **answers))}
    return findings[name]


def info(**changes: object) -> Output:
    return Output(0, json.dumps({**INFO, **changes}))


def test_good_machine_passes_every_check() -> None:
    findings = list(machine.examine(GOOD))
    assert [f for f in findings if f.status != PASS] == []
    assert doctor.status(findings) == 0


CASES: dict[str, tuple[str, dict[str, object], str, str, str]] = {
    # what is wrong: (the check, the answers, the status, part of the reason, part of the mend)
    "no Python 3.11, but Docker": (
        "Python", {"pythons": ("3.13.5",)}, WARN, "found 3.13.5", "./inv up",
    ),
    "no Python 3.11 and no Docker": (
        "Python", {"pythons": ("3.9.2",), "docker": NONE}, FAIL, "found 3.9.2", "uv python install",
    ),
    "a Mac of Intel's": (
        "system", {"system": "Darwin", "arch": "x86_64"}, WARN, "no wheels", "./inv up",
    ),
    "Windows without WSL": ("system", {"system": "MINGW64_NT-10.0"}, FAIL, "WSL 2", ""),
    "ARM": ("system", {"arch": "aarch64"}, PASS, "nobody has tested it", ""),
    "somebody else's folder": (
        "folder", {"writable": False, "owner": 0}, FAIL, "belongs to user 0", "sudo chown",
    ),
    "Windows' disk under WSL": (
        "folder",
        {
            "root": "/mnt/c/Users/you/arena-lab",
            "kernel": "5.15.167.4-microsoft-standard-WSL2",
            "mounts": "/dev/sdc / ext4 rw 0 0\nC:\\134 /mnt/c 9p rw,aname=drvfs;path=C:\\ 0 0",
        },
        WARN, "Windows' disk", "home folder in WSL",
    ),
    "a network disk": (
        "folder",
        {"root": "/home/you/lab", "mounts": "/dev/sda1 / ext4 rw 0 0\nnas:/h /home nfs4 rw 0 0"},
        WARN, "network disk (nfs4)", "home folder",
    ),
    "a full disk": ("disk", {"free_gb": 5.0}, FAIL, "needs 8", "make room"),
    "little memory": ("memory", {"memory_gb": 3.8}, WARN, "training", ""),
    "too little memory": ("memory", {"memory_gb": 1.9}, FAIL, "need 4", "close programs"),
    "a half-made .venv": (".venv", {"venv": "unfinished"}, WARN, "broke off", "./inv --list"),
    "a .venv of another lock": (
        ".venv", {"venv": "outdated"}, WARN, "another lock, or at another place", "./inv --list",
    ),
    "certificates that are not there": (
        "certificates",
        {"certificates": "there are no certificates at ~/ca.pem"},
        WARN, "no certificates at ~/ca.pem", "ARENA_LAB_CA",
    ),
    "a port that is none": (
        "port", {"settings": {"ARENA_LAB_PORT": "http"}}, FAIL, "http is not a port", "65535",
    ),
    "answers that are gone": (
        "answers", {"missing": ("part2_cnns",)}, WARN, "part2_cnns", "./inv starters",
    ),
    "an open token": ("token", {"token_mode": 0o644}, WARN, "mode 644", "chmod 600"),
    "no Docker": ("Docker", {"docker": NONE}, WARN, "not installed", "https://docs.docker.com"),
    "an old Docker": (
        "Docker", {"docker": info(ServerVersion="20.10.24")}, WARN, "20.10", "update",
    ),
    "no Compose": ("Compose", {"compose": NONE}, WARN, "not there", "docker-compose-plugin"),
    "the old Compose": (
        "Compose",
        {"compose": Output(0, "docker-compose version 1.29.2, build unknown")},
        WARN, "1.29.2 is the old one", "docker-compose-plugin",
    ),
    "no buildx": (
        "builder",
        {"buildx": Output(1, "docker: 'buildx' is not a docker command.")},
        WARN, "not there", "docker-buildx-plugin",
    ),
    "an engine without the memory controller": (
        "limits",
        {"docker": info(MemoryLimit=False)},
        WARN, "cannot limit memory", "unified_cgroup_hierarchy",
    ),
    "a small Docker Desktop": (
        "limits", {"docker": info(MemTotal=2 << 30)}, WARN, "2.0 GB", "Docker Desktop",
    ),
    "no room for an image": (
        "Docker's disk", {"docker_free_gb": 7.0}, WARN, "needs 20", "docker system prune",
    ),
    "a taken port": (
        "port",
        {"holder": "port 8888 is taken by process 4711 (python3)"},
        WARN, "process 4711", "--port",
    ),
    "our own lab": ("port", {"holder": "the lab"}, PASS, "serves the lab already", ""),
    "a proxy for everything": (
        "proxy", {"settings": {"HTTPS_PROXY": "http://p:3128"}}, WARN, "own addresses", "NO_PROXY",
    ),
    "a proxy with exceptions": (
        "proxy",
        {"settings": {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "localhost"}},
        PASS, "not used for this machine", "",
    ),
    "no data": (
        "network",
        {"reached": {"packages": "", "MNIST": "no connection to a.example"}},
        WARN, "MNIST (no connection to a.example); smaller sets", ".env.example",
    ),
    "no packages, and nothing installed": (
        "network",
        {"reached": {"packages": "no connection to p.example"}, "docker": NONE},
        FAIL, "packages (no connection", "mirror",
    ),
    "no packages, but all is installed": (
        "network",
        {"reached": {"packages": "no connection"}, "docker": NONE, "venv": "ready"},
        WARN, "packages (no connection", "mirror",
    ),
    "a slow clock": ("clock", {"skew_s": -4000.0}, WARN, "67 minutes behind", "timedatectl"),
    "a fast clock under WSL": (
        "clock", {"skew_s": 600.0, "kernel": "5.15-microsoft-WSL2"}, WARN, "ahead", "hwclock -s",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "answers", "status", "reason", "mend"), CASES.values(), ids=CASES)
def test_each_fault_is_told_with_what_mends_it(
    name: str, answers: dict[str, object], status: str, reason: str, mend: str
) -> None:
    finding = found(name, **answers)
    assert finding.status == status
    assert reason in finding.reason
    assert mend in finding.mend
    assert status in (PASS, FAIL) or finding.mend or name == "memory"
    assert "\n" not in finding.reason + finding.mend


ENGINES = Path(__file__).parent / "fixtures" / "docker"


def engine(name: str) -> dict[str, Output]:
    """Give what a recorded engine's tools said, as `asking.look` keeps it."""
    status = json.loads((ENGINES / name / "status.json").read_text())
    said = {kind: (ENGINES / name / f"{kind}.txt").read_text() for kind in status}
    outputs = {kind: Output(status[kind], said[kind]) for kind in status}
    return {"docker": outputs.pop("info"), **outputs}


@pytest.mark.parametrize(
    ("recorded", "check", "status", "reason", "mend"),
    [
        ("cgroup_1", "Docker", PASS, "version 26.1.5+dfsg1", ""),
        ("cgroup_1", "Compose", PASS, "version 2.26.1", ""),
        ("cgroup_1", "builder", PASS, "buildx 0.13.1", ""),
        ("cgroup_1", "limits", PASS, "24 GB of memory for Docker, cgroup 1", ""),
        ("rootless", "Docker", PASS, "version 26.1.5+dfsg1, rootless", ""),
        ("rootless", "limits", WARN, "cannot limit memory (cgroup 1)", "unified_cgroup_hierarchy"),
        ("not_running", "Docker", WARN, "does not run", "systemctl start docker"),
        ("not_running", "limits", None, "", ""),
        ("not_allowed", "Docker", WARN, "may not use Docker", "usermod -aG docker"),
        ("podman", "Docker", WARN, "docker is Podman 4.3.1 here", "BUILDAH_FORMAT=docker"),
        ("podman", "Compose", WARN, "not there", "apt install"),
        ("podman", "builder", None, "", ""),
        ("podman", "limits", PASS, "24 GB of memory for Docker, cgroup 1", ""),
        ("podman_rootless", "limits", WARN, "cannot limit memory (cgroup 1)", "unified_cgroup"),
    ],
)
def test_recorded_engine_is_judged(
    recorded: str, check: str, status: str | None, reason: str, mend: str
) -> None:
    changed = dataclasses.replace(GOOD, **engine(recorded))  # type: ignore[arg-type]
    finding = {f.name: f for f in machine.examine(changed)}.get(check)
    assert (finding.status if finding else None) == status
    if finding:
        assert reason in finding.reason
        assert mend in finding.mend


@pytest.mark.parametrize(
    ("recorded", "user"), [("rootless", 0), ("podman_rootless", 0), ("podman", None)]
)
def test_rootless_engine_runs_the_lab_as_its_own_root(recorded: str, user: int | None) -> None:
    info = image.engine(engine(recorded)["docker"])
    chosen = compose.settings(info, gpu.Verdict("cpu", ""), 8888)
    owner = image.owner()[0] if user is None else user
    assert chosen["ARENA_LAB_UID"] == str(owner)
    assert chosen["ARENA_LAB_MEMORY"] == f"{24105 * 3 // 4}m"


def evidence(name: str) -> gpu.Evidence:
    recorded = json.loads((GPUS / name / "machine.json").read_text())

    def output(kind: str) -> Output:
        path = GPUS / name / f"{kind}.txt"
        return Output(recorded[kind], path.read_text() if path.exists() else "")

    return gpu.Evidence(
        output("gpus"),
        output("capabilities"),
        docker=json.loads((GPUS / name / "docker-info.json").read_text()),
        cdi=tuple(path.read_text() for path in (GPUS / name).glob("cdi.*")),
        has_hook=recorded.get("has_hook", False),
    )


@pytest.mark.parametrize(
    ("recorded", "gpu_status", "in_container"),
    [
        ("none", PASS, None),
        ("toolkit_without_gpu", WARN, None),
        ("old_driver", WARN, None),
        ("driver_not_loaded", WARN, None),
        ("old_gpu", PASS, None),
        ("runtime", PASS, PASS),
        ("cdi_only", PASS, PASS),
        ("no_toolkit", PASS, WARN),
        ("cdi_switched_off", PASS, WARN),
    ],
)
def test_gpu_is_judged_for_torch_and_for_the_container(
    recorded: str, gpu_status: str, in_container: str | None
) -> None:
    findings = {
        f.name: f for f in machine.examine(dataclasses.replace(GOOD, gpu=evidence(recorded)))
    }
    inside = findings.get("GPU in the container")
    assert findings["GPU"].status == gpu_status
    assert (inside.status if inside else None) == in_container


# In the container; that a good one passes is in tests/container


@pytest.fixture
def lab_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing runs and nothing is installed."""
    monkeypatch.setattr(inside, "ROOT", tmp_path)
    monkeypatch.setattr(inside, "STATE", tmp_path)
    monkeypatch.setattr(inside, "_PATIENCE_S", 0)
    monkeypatch.setenv("ARENA_LAB_PORT_INSIDE", "9")
    (tmp_path / "requirements.txt").write_text("nothing-of-the-kind==1.0 \\\n    --hash=sha256:0\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason", "mend"),
    [
        ("token", "is missing, and nobody could log in", "./inv up"),
        ("packages", "not of this lock (", "./inv build"),
        ("JupyterLab", "does not answer", "docker compose logs"),
        ("notebooks", "nobody can log in", "./inv up"),
    ],
)
def test_each_fault_in_the_container_is_told(
    lab_of_nobody: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str, mend: str
) -> None:
    monkeypatch.setattr(inside, "CHECKS", {name: inside.CHECKS[name]})
    (finding,) = inside.examine()
    assert finding.status == FAIL
    assert reason in finding.reason
    assert mend in finding.mend


def test_open_token_in_the_container_is_a_warning(lab_of_nobody: Path) -> None:
    (lab_of_nobody / "token").write_text("secret")
    (lab_of_nobody / "token").chmod(0o640)
    with pytest.raises(inside._Unfit, match=r"others can read .* \(mode 640\)"):
        inside.token()


# Asking


class _Dated(http.server.BaseHTTPRequestHandler):
    behind_s = 0

    def do_HEAD(self) -> None:
        self.send_response_only(404)
        self.send_header("Date", formatdate(time.time() - self.behind_s, usegmt=True))
        self.end_headers()


@pytest.fixture
def host() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Dated) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_host_that_answers_tells_its_time(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Dated, "behind_s", 3600)
    reason, skew = asking._reach(host, ssl.create_default_context())
    assert reason == ""
    assert skew == pytest.approx(3600, abs=5)


def test_host_that_does_not_answer_is_named() -> None:
    said = asking._reach("http://127.0.0.1:9/simple/", ssl.create_default_context())
    assert said == ("no connection to 127.0.0.1", None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://me:secret@127.0.0.1:9/simple/", "no connection to 127.0.0.1"),
        ("http://127.0.0.1:port/", "no connection to 127.0.0.1"),
        ("me:secret@mirror.example", "no connection to mirror.example"),
        ("http://me:secret@[mirror", "no connection to [mirror"),
    ],
)
def test_address_that_is_not_reached_is_named_without_its_password(url: str, said: str) -> None:
    assert asking._reach(url, ssl.create_default_context()) == (said, None)


def test_host_that_wants_a_password_answers(host: str) -> None:
    url = host.replace("http://", "http://me:secret@")
    assert asking._reach(url, ssl.create_default_context())[0] == ""


def test_host_that_speaks_something_else_is_named() -> None:
    def speak(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=speak, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        said = asking._reach(url, ssl.create_default_context())
    assert said == ("no connection to 127.0.0.1", None)


def test_host_of_many_addresses_is_not_waited_for_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_answers(*_: object, **__: object) -> None:
        time.sleep(10)  # as many addresses take, each its patience
        raise OSError

    monkeypatch.setattr(asking, "_PATIENCE_S", 0.1)
    monkeypatch.setattr("urllib.request.urlopen", none_answers)
    before = time.monotonic()
    said = asking._reach("http://many.example/", ssl.create_default_context())
    assert said == ("no connection to many.example", None)
    assert time.monotonic() - before < 5


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The .env of a checkout, in a home without settings of pip's."""
    for name in [*os.environ]:
        if name.startswith(("ARENA_LAB", "PIP_", "HF_", "UV_", "SSL_CERT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "pip.conf").write_text("[global]\ncert =\n")
    monkeypatch.setattr(image, "ENV", tmp_path / ".env")
    return tmp_path / ".env"


def test_certificates_of_the_network_are_trusted_beside_the_machines_own(settings: Path) -> None:
    before = asking._context()[0].get_ca_certs()
    certificate = Path(__file__).parent / "fixtures" / "certificate.pem"
    shutil.copy(certificate, settings.parent / "network-ca.pem")
    settings.write_text("ARENA_LAB_CA=~/network-ca.pem # of the institute\n")
    context, problem = asking._context()
    assert problem == ""
    subjects = {str(c["subject"]) for c in context.get_ca_certs()}
    assert subjects >= {str(c["subject"]) for c in before}
    assert any("lab.example" in subject for subject in subjects)


def test_certificates_that_cannot_be_used_are_named(settings: Path) -> None:
    settings.write_text("ARENA_LAB_CA=~/network-ca.pem\n")
    assert asking._context()[1] == "there are no certificates at ~/network-ca.pem"
    (settings.parent / "network-ca.pem").write_text("nothing")
    assert asking._context()[1] == "~/network-ca.pem holds no certificates that can be read"


def test_the_hubs_mirror_is_asked_for_celeba(settings: Path) -> None:
    settings.write_text("HF_ENDPOINT=https://hub.example\n")
    assert asking._hosts() == {
        "packages": hosts.PACKAGES, **hosts.DATA, "CelebA": "https://hub.example",
    }  # fmt: skip


@pytest.mark.parametrize("said", ["8890 # mine", "http", "99999"])
def test_a_port_is_read_as_compose_reads_it(
    settings: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    settings.write_text(f"ARENA_LAB_PORT={said}\nARENA_LAB_OFFLINE=1\n")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(ports, "is_free", lambda port: True)
    finding = {f.name: f for f in machine.examine(asking.look())}["port"]
    expected = "8890 is free" if "8890" in said else f"{said} is not a port"
    assert finding.reason == expected


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment as ./inv leaves it."""
    monkeypatch.setattr(asking, "ROOT", tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy==2.3.5\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "invoke"):
        (tmp_path / ".venv" / "bin" / name).touch(mode=0o755)
    stamp = re.search(r"^stamp\(\).*$", (ROOT / "inv").read_text(), re.M)
    assert stamp
    script = f"root={tmp_path}; {stamp[0]}; stamp requirements.txt"
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    (tmp_path / ".venv" / ".holds-requirements.txt").write_bytes(said)
    return tmp_path / ".venv"


def test_environment_of_this_lock_is_ready(venv: Path) -> None:
    assert asking._venv() == "ready"


def test_environment_of_another_lock_or_place_is_told(venv: Path) -> None:
    (venv.parent / "requirements.txt").write_text("numpy==2.3.6\n")
    assert asking._venv() == "outdated"


@pytest.mark.parametrize("lost", ["bin/invoke", ".holds-requirements.txt"])
def test_environment_that_is_not_whole_is_told(venv: Path, lost: str) -> None:
    (venv / lost).unlink()
    assert asking._venv() == "unfinished"


def test_nothing_is_asked_of_the_network_when_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARENA_LAB_OFFLINE", "1")
    assert asking._hosts() == {}


def test_mirrors_are_asked_instead_of_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example/simple")
    monkeypatch.setenv("ARENA_LAB_DATA_MIRROR", "https://mirror.example/data")
    monkeypatch.delenv("ARENA_LAB_OFFLINE", raising=False)
    assert {url.split("/")[2] for url in asking._hosts().values()} == {"mirror.example"}


@pytest.mark.skipif(
    not (shutil.which("ss") or shutil.which("lsof")), reason="nothing here tells who has a port"
)
@pytest.mark.parametrize(
    ("pid", "ours"), [(os.getpid(), True), (os.getppid(), False)], ids=["runs", "gone"]
)
def test_port_of_a_lab_is_told_from_one_whose_lab_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: int, ours: bool
) -> None:
    monkeypatch.setattr(ports, "STATE", tmp_path)
    (tmp_path / "jupyter" / "runtime").mkdir(parents=True)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        file = tmp_path / "jupyter" / "runtime" / f"jpserver-{pid}.json"
        file.write_text(json.dumps({"pid": pid, "port": port}))
        assert ports.serves_lab(port, docker=False) == ours


# The command


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the doctor in a checkout of its own, without an environment and offline."""
    (tmp_path / ".lab").mkdir()

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", "-m", "arena_lab.doctor", *arguments],
            env={
                **environment,
                "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
                "PYTHONPATH": str(ROOT),
                "ARENA_LAB_ROOT": str(tmp_path),
                "ARENA_LAB_OFFLINE": "1",
                "HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=45,
        )

    return run


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str, str], None]:
    """Put a program of a test's before those of the machine."""
    (tmp_path / "bin").mkdir()

    def tool(name: str, script: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    return tool


HANGS = "sleep 60 & wait"


def test_docker_and_nvidia_smi_that_hang_are_told_and_not_waited_for(run, tool) -> None:
    tool("docker", HANGS)
    tool("nvidia-smi", HANGS)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        said = run(ARENA_LAB_PORT=str(holder.getsockname()[1])).stdout
    assert "Docker does not answer (no answer within 3 s)" in said
    assert "nvidia-smi failed: no answer within 3 s" in said
    assert "is taken by" in said


def test_docker_that_hangs_at_a_container_is_not_waited_for(run, tool) -> None:
    answer = json.dumps(INFO)
    quick = f"info) echo '{answer}';; --version | compose | buildx) ;;"
    tool("docker", f"case $1 in {quick} *) {HANGS};; esac")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        said = run(ARENA_LAB_PORT=str(holder.getsockname()[1])).stdout
    assert "PASS  Docker " in said
    assert "is taken by" in said


def test_taken_port_is_told_where_there_is_no_docker(run) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run(ARENA_LAB_PORT=str(holder.getsockname()[1]))
    assert "is taken by" in done.stdout, done.stderr


def test_container_whose_doctor_hangs_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ask", lambda command, patience_s: Output(124, "no answer within"))
    container = ports.Container("a1", "running", 8888, "lab", str(ROOT), False)
    monkeypatch.setattr(ports, "running", lambda: [container])
    (finding,) = doctor._of_the_container()
    assert (finding.status, finding.reason) == (FAIL, "it runs, but its doctor does not")


def test_json_holds_every_finding_and_the_exit_status(run) -> None:
    done = run("--json")
    said = json.loads(done.stdout)
    assert said["status"] == done.returncode
    assert {"system", "Python", "disk", "Docker", "GPU", "port"} <= {
        finding["name"] for finding in said["findings"]
    }


def test_fix_closes_an_open_token_and_nothing_else(run, tmp_path: Path) -> None:
    token = tmp_path / ".lab" / "token"
    token.write_text("secret")
    token.chmod(0o644)
    assert "chmod 600" in run().stdout
    assert token.stat().st_mode & 0o777 == 0o644
    assert "mended: others on this machine can read it" in run("--fix").stdout
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text() == "secret"


def test_fix_that_fails_says_why() -> None:
    finding = Finding("answers", WARN, "gone", "ls", ("ls", "/nowhere/at/all"))
    mended = doctor.mend(finding)
    assert mended.status == WARN
    assert "mending it failed: ls: cannot access" in mended.reason


@pytest.mark.parametrize(
    ("statuses", "status"), [([PASS], 0), ([PASS, WARN], 1), ([WARN, FAIL, PASS], 2)]
)
def test_exit_status_is_that_of_the_worst(statuses: list[str], status: int) -> None:
    assert doctor.status([Finding("x", s, "") for s in statuses]) == status
