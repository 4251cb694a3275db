"""./inv up, down, shell and build, up to the engine: tests/container has the rest."""

import ast
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena_lab import compose, gpu, image
from arena_lab.errors import LabError

ROOT = Path(__file__).parent.parent
CPU = gpu.Verdict("cpu", "no GPU")
INFO = {"MemTotal": 16 << 30, "SecurityOptions": ["name=seccomp,profile=builtin"]}

ANSWERS = {
    "compose version": "echo Docker Compose version v2.26.1",
    "info": 'echo \'{"DockerRootDir": "/", "MemTotal": 17179869184}\'',
    "image inspect": "echo 7468000000",
    "ps": "true",
}


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


@pytest.fixture
def run(checkout, tmp_path):
    """Run ./inv's command with a docker that gives the answers of a test."""
    tools = tmp_path / "bin"
    tools.mkdir()

    def run(*arguments: str, answers: dict[str, str] | None = None, **environment: str):
        if answers is not None:
            cases = "\n".join(f"'{said}'*) {then};;" for said, then in answers.items())
            script = (
                f'#!/bin/sh\ncase "$*" in\n{cases}\n*) echo "unexpected: $*" >&2; exit 99;;\nesac\n'
            )
            (tools / "docker").write_text(script)
            (tools / "docker").chmod(0o755)
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("ARENA_LAB", "DOCKER"))
        }
        return subprocess.run(
            [sys.executable, "-m", "arena_lab.compose", *arguments],
            env={
                **inherited,
                "PATH": f"{tools}:/usr/bin:/bin" if answers is not None else str(tools),
                "PYTHONPATH": str(ROOT),
                "ARENA_LAB_ROOT": str(checkout),
                **environment,
            },
            cwd=checkout,
            capture_output=True,
            text=True,
        )

    return run


def assert_fails(done: subprocess.CompletedProcess, *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_up_says_where_to_get_docker(run):
    assert_fails(run("up"), "Docker is not installed: https://docs.docker.com/")


def test_up_says_how_to_start_docker(run):
    refusal = "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"
    done = run("up", answers={**ANSWERS, "info": f"echo '{refusal}' >&2; exit 1"})
    assert_fails(done, "Docker does not run", "sudo systemctl start docker")


def test_up_reads_the_refusal_that_newer_versions_put_into_their_answer(run):
    answer = json.dumps(
        {"ServerErrors": ["permission denied while trying to connect to the socket"]}
    )
    done = run("up", answers={**ANSWERS, "info": f"echo '{answer}'"})
    assert_fails(done, "you may not use Docker", "sudo usermod -aG docker")


def test_up_says_how_to_get_compose(run, tmp_path):
    answers = {
        **ANSWERS,
        "compose version": "echo \"docker: 'compose' is not a command\" >&2; exit 1",
    }
    tools = tmp_path / "bin"
    (tools / "docker-compose").write_text("#!/bin/sh\nexit 127\n")
    (tools / "docker-compose").chmod(0o755)
    assert_fails(run("up", answers=answers), "Compose is not", "docker-compose-plugin")


def test_up_refuses_inside_the_container(run):
    done = run("up", answers=ANSWERS, ARENA_LAB_CONTAINER="1")
    assert_fails(done, "this is inside the container")


def test_up_names_who_has_a_port_that_was_asked_for(run):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = run("up", "--port", str(port), answers=ANSWERS)
    assert_fails(done, f"port {port} is taken by", "./inv up --port ")


def test_up_names_the_container_that_has_the_port(run):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        answers = {f"ps --filter publish={port}": "echo notebooks-1", **ANSWERS}
        done = run("up", "--port", str(port), answers=answers)
    assert_fails(done, f"port {port} is taken by the container notebooks-1")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_up_refuses_what_is_no_port(run, port):
    assert_fails(run("up", answers=ANSWERS, ARENA_LAB_PORT=port), f"{port} is not a port")


def test_up_insists_on_a_gpu_only_where_there_is_one(run):
    done = run("up", "--gpu", answers=ANSWERS)
    assert_fails(done, "no GPU for the container: no NVIDIA driver here")


def test_shell_says_how_to_start_the_lab(run):
    assert_fails(run("shell", answers=ANSWERS), "the lab is not running; start it with: ./inv up")


def test_down_says_that_nothing_runs(run):
    done = run("down", answers=ANSWERS)
    assert (done.returncode, done.stdout) == (0, "The lab is not running.\n")


def listed(folder: Path, state: str = "running", project: str = "some-project") -> str:
    """What `docker ps` prints of a lab, asked as `ports.containers` does."""
    port = "127.0.0.1:8890->8888/tcp" if state == "running" else ""
    fields = ["0a1b2c", state, port, "", project, str(folder)]
    return "printf '%s\\n' '" + "\t".join(fields) + "'"


def test_down_stops_what_runs_whatever_env_says(run, checkout):
    answers = {
        "ps --all --filter label=": listed(checkout),
        "compose --project-name some-project down": "true",
        **ANSWERS,
    }
    done = run("down", answers=answers)
    assert done.stdout == f"Stopped; answers and data are in {checkout}.\n"


@pytest.fixture
def link(checkout, tmp_path):
    """Another name of the checkout, as on systems where /home leads elsewhere."""
    (tmp_path / "link").symlink_to(checkout)
    return tmp_path / "link"


def test_lab_that_was_started_by_another_name_of_the_folder_is_known(run, checkout, link):
    answers = {
        "ps --all --filter label=": listed(link),
        "exec -i 0a1b2c bash": "echo a shell",
        "compose --project-name some-project down": "true",
        **ANSWERS,
    }
    assert run("shell", answers=answers).stdout == "a shell\n"
    assert run("down", answers=answers).stdout == f"Stopped; answers and data are in {checkout}.\n"


def test_lab_that_runs_keeps_port_and_the_name_it_was_started_by(run, checkout, link):
    answers = {
        "ps --all --filter label=": listed(link),
        "build": "true",
        "compose --project-directory=": 'echo "$2"; exit 1',
        **ANSWERS,
    }
    done = run("up", answers=answers)
    assert_fails(done, f"could not be started: --project-directory={link}")
    values = dict(image.assignments((checkout / ".env").read_text()))
    assert values["ARENA_LAB_PORT"] == "8890"


def test_lab_of_another_checkout_is_left_alone(run, tmp_path):
    answers = {"ps --all --filter label=": listed(tmp_path / "other"), **ANSWERS}
    assert run("down", answers=answers).stdout == "The lab is not running.\n"


@pytest.mark.parametrize("command", ["down", "shell", "build"])
def test_every_command_says_how_to_start_docker(run, command):
    refusal = "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"
    done = run(command, answers={**ANSWERS, "info": f"echo '{refusal}' >&2; exit 1"})
    assert_fails(done, "Docker does not run", "sudo systemctl start docker")


def test_build_shows_the_end_of_what_failed_and_keeps_the_rest(run, checkout):
    steps = "for i in $(seq 300); do echo \"#13 $i line\"; done; echo '#13 ERROR: broken'; exit 1"
    done = run("build", answers={**ANSWERS, "build": steps})
    assert_fails(done, "the image could not be built", "#13 300 line", "#13 ERROR: broken")
    assert "#13 200 line" not in done.stderr
    assert "#13 1 line" in (checkout / ".lab" / "build.log").read_text()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("write /var/lib/docker/x: no space left on device", "the disk is full"),
        ("invalid peer certificate: UnknownIssuer", "ARENA_LAB_CA"),
        ("debian:bookworm-slim: failed to resolve source metadata", "BASE_IMAGE"),
        ("Temporary failure resolving 'deb.debian.org'", "connect and run it again"),
        (
            "ERROR: BuildKit is enabled but the buildx component is missing or broken.",
            "docker-buildx",
        ),
    ],
)
def test_build_names_the_usual_causes(run, said, cause):
    done = run("build", answers={**ANSWERS, "build": f'echo "{said}"; exit 1'})
    assert_fails(done, cause)


def test_build_says_which_step_it_has_come_to(run):
    lines = [
        "#9 [base 2/2] RUN apt-get install ca-certificates python3 && true",
        "#9 CACHED",
        "#13 [environment 3/8] RUN /opt/install /locks/torch.txt",
        "#13 0.5 Downloading torch",
        "#13 0.7 Downloading triton",
    ]
    script = "; ".join(f"echo '{line}'" for line in lines)
    done = run("build", answers={**ANSWERS, "build": script})
    said = [line for line in done.stdout.splitlines() if "building" in line]
    assert said == ["  building: torch and CUDA, 3 GB to fetch the first time"]


def test_build_says_how_big_the_image_is(run):
    done = run("build", answers={**ANSWERS, "build": "true"})
    assert re.fullmatch(r"arena-lab:local: 7\.47 GB, in \d+ s", done.stdout.splitlines()[-1]), (
        done.stderr
    )


def test_build_leaves_in_env_what_compose_needs(run, checkout):
    assert run("build", answers={**ANSWERS, "build": "true"}).returncode == 0
    values = dict(image.assignments((checkout / ".env").read_text()))
    assert values["COMPOSE_FILE"] == "docker-compose.yml"
    assert values["ARENA_LAB_UID"] == str(checkout.stat().st_uid)
    assert (checkout / ".lab" / "token").stat().st_size


def test_container_reads_the_folder_that_it_sees_whatever_the_lab_outside_uses(
    run, checkout, tmp_path
):
    (tmp_path / "ca.pem").write_text("a certificate")
    elsewhere = {"ARENA_LAB_STATE": str(tmp_path / "elsewhere"), "ARENA_LAB_DATA": "/nowhere"}
    done = run(
        "build",
        answers={**ANSWERS, "build": "true"},
        ARENA_LAB_CA=str(tmp_path / "ca.pem"),
        **elsewhere,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (checkout / ".lab").iterdir()} == {
        "token", "ca.pem", "build.log",
    }  # fmt: skip
    assert not (tmp_path / "elsewhere").exists()


def test_build_for_a_class_leaves_env_alone(run, checkout):
    assert run("build", "--tag", "lab:class", answers={**ANSWERS, "build": "true"}).returncode == 0
    assert not (checkout / ".env").exists()


def test_first_build_wants_room_on_the_disk(monkeypatch):
    missing = subprocess.CompletedProcess([], 1, "", "No such image")
    monkeypatch.setattr(image, "capture", lambda command: missing)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, 7 * 10**9)
    )
    with pytest.raises(
        LabError, match="/var/lib/docker has 7 GB free, and the first build needs 20"
    ):
        image.check_disk({"DockerRootDir": "/var/lib/docker"})


def test_later_builds_need_no_such_room(monkeypatch):
    there = subprocess.CompletedProcess([], 0, "[]", "")
    monkeypatch.setattr(image, "capture", lambda command: there)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, 0))
    image.check_disk({"DockerRootDir": "/"})


def test_settings_give_what_is_saved_to_the_owner_of_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(compose, "ROOT", tmp_path)
    values = compose.settings(INFO, CPU, 8890)
    owner = tmp_path.stat()
    assert values["ARENA_LAB_UID"] == str(owner.st_uid)
    assert values["ARENA_LAB_GID"] == str(owner.st_gid)
    assert values["ARENA_LAB_PORT"] == "8890"


def test_settings_of_a_rootless_engine_name_root_who_is_the_caller_there():
    values = compose.settings({**INFO, "SecurityOptions": ["name=rootless"]}, CPU, 8888)
    assert (values["ARENA_LAB_UID"], values["ARENA_LAB_GID"]) == ("0", "0")


def test_settings_leave_a_quarter_of_the_memory_to_the_machine():
    assert compose.settings(INFO, CPU, 8888)["ARENA_LAB_MEMORY"] == f"{12 << 10}m"


def test_settings_add_the_overlay_only_for_a_gpu():
    plain = compose.settings(INFO, CPU, 8888)
    assert plain["COMPOSE_FILE"] == "docker-compose.yml"
    assert "ARENA_LAB_GPUS" not in plain
    cdi = gpu.Verdict("gpu", "", driver="cdi", devices="nvidia.com/gpu=all")
    values = compose.settings(INFO, cdi, 8888)
    assert values["COMPOSE_FILE"] == "docker-compose.yml:docker-compose.gpu.yml"
    assert values["ARENA_LAB_GPU_DRIVER"] == "cdi"
    assert values["ARENA_LAB_GPUS"] == "nvidia.com/gpu=all"


def test_settings_tell_checkouts_of_one_name_apart(monkeypatch, tmp_path):
    names = set()
    for person in ("ann", "ben"):
        folder = tmp_path / person / "arena"
        folder.mkdir(parents=True)
        monkeypatch.setattr(compose, "ROOT", folder)
        names.add(compose.settings(INFO, CPU, 8888)["COMPOSE_PROJECT_NAME"])
    assert len(names) == 2


def test_env_keeps_the_lines_of_others_and_their_order(tmp_path):
    path = tmp_path / ".env"
    path.write_text("# mine\nPIP_INDEX_URL=https://mirror.example/simple\n\nOTHER='x y'")
    compose.write_env({"ARENA_LAB_PORT": "8888"}, path)
    compose.write_env({"ARENA_LAB_PORT": "8889", "ARENA_LAB_UID": "1000"}, path)
    assert path.read_text() == (
        "# mine\nPIP_INDEX_URL=https://mirror.example/simple\n\nOTHER='x y'\n"
        f"{compose._BEGIN}ARENA_LAB_PORT=8889\nARENA_LAB_UID=1000\n{compose._END}"
    )


def test_env_gives_way_to_a_line_of_the_learner(tmp_path):
    path = tmp_path / ".env"
    path.write_text("ARENA_LAB_MEMORY=32g\n")
    compose.write_env({"ARENA_LAB_MEMORY": "8g", "ARENA_LAB_PORT": "8888"}, path)
    values = dict(image.assignments(path.read_text()))
    assert values == {"ARENA_LAB_MEMORY": "32g", "ARENA_LAB_PORT": "8888"}


def test_env_fills_a_line_that_was_left_empty(tmp_path):
    path = tmp_path / ".env"
    path.write_text("ARENA_LAB_PORT=\n")
    compose.write_env({"ARENA_LAB_PORT": "8889"}, path)
    assert dict(image.assignments(path.read_text())) == {"ARENA_LAB_PORT": "8889"}


def test_env_is_read_as_compose_does():
    lines = [
        *(
            "A=8890 # mine",
            'B="x # y" # z',
            "C=a#b",
            "D='q # r' # s",
            "E=#x",
            "F='g'",
            "export G=1",
        ),
        *("H = i ", "# J=k", "L="),
    ]
    assert dict(image.assignments("\n".join(lines))) == {
        "A": "8890", "B": "x # y", "C": "a#b", "D": "q # r", "E": "#x", "F": "g", "G": "1",
        "H": "i", "L": "",
    }  # fmt: skip


@pytest.mark.parametrize("lost", [compose._BEGIN, compose._END], ids=["begin", "end"])
def test_env_keeps_lines_around_a_block_that_is_no_longer_whole(tmp_path, lost):
    path = tmp_path / ".env"
    compose.write_env({"ARENA_LAB_PORT": "8888"}, path)
    path.write_text("BEFORE=1\n" + path.read_text().replace(lost, "") + "AFTER=1\n")
    for _ in range(2):
        compose.write_env({"ARENA_LAB_PORT": "8889", "ARENA_LAB_UID": "7"}, path)
    assert path.read_text() == (
        f"BEFORE=1\nARENA_LAB_PORT=8888\nAFTER=1\n{compose._BEGIN}ARENA_LAB_UID=7\n{compose._END}"
    )


def test_env_is_for_its_owner_only(tmp_path):
    path = tmp_path / ".env"
    path.write_text("")
    path.chmod(0o644)
    compose.write_env({"A": "1"}, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_env_is_whole_when_its_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / ".env"
    path.write_text("MINE=1\n")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        compose.write_env({"A": "1"}, path)
    assert [p.name for p in tmp_path.iterdir()] == [".env"]
    assert path.read_text() == "MINE=1\n"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A home without settings of pip; gives the secrets' folder."""
    for name in [*os.environ]:
        if name.startswith("PIP_") or name in ("SSL_CERT_FILE", "ARENA_LAB_CA"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    config.write_text("[global]\ncert =\n")
    folder = tmp_path / "secrets"
    folder.mkdir()
    return config, folder


def test_secrets_hold_the_index_of_pip_and_no_folder_of_this_machine(pip):
    config, folder = pip
    config.write_text(
        "[global]\nindex-url = https://u:p@mirror.example/simple\n"
        "extra-index-url = file:///srv/wheels https://more.example/simple\ncert =\n"
    )
    found = image.secrets(folder)
    assert found["pip_conf"].read_text() == (
        "[global]\nindex-url = https://u:p@mirror.example/simple\n"
        "extra-index-url = https://more.example/simple\n"
    )


def test_secrets_take_pips_variables_before_its_file(pip, monkeypatch):
    config, folder = pip
    config.write_text("[global]\nindex-url = https://file.example/simple\ncert =\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert "variable.example" in image.secrets(folder)["pip_conf"].read_text()


def test_secrets_take_what_is_for_installing_before_the_rest(pip):
    config, folder = pip
    config.write_text(
        "[global]\nindex-url = https://all.example\ncert =\n"
        "[install]\nindex-url = https://install.example\n"
    )
    assert "install.example" in image.secrets(folder)["pip_conf"].read_text()


def test_secrets_name_certificates_that_are_not_there(pip, monkeypatch):
    monkeypatch.setenv("ARENA_LAB_CA", "/nowhere/ca.pem")
    with pytest.raises(LabError, match=r"there are no certificates at /nowhere/ca\.pem"):
        image.secrets(pip[1])


def test_there_are_no_secrets_where_pip_has_no_settings(pip):
    assert image.secrets(pip[1]) == {}


# What `inv` starts with the machine's own Python, of version 3.9 or later.
HOST_SIDE = ("compose", "doctor", "classroom")
LATER = re.compile(
    r"\b(tomllib|ExceptionGroup|pairwise|bit_count|anext|aiter|TypeAlias|Self|StrEnum|batched)\b"
    r"|datetime\.UTC|slots=True|kw_only=|strict=True\)"
)


def modules_of_the_host_side() -> list[str]:
    """Give the files that `inv` loads there, whichever command it runs."""
    program = f"""
import sys
from arena_lab import {", ".join(HOST_SIDE)}
print(*(m.__file__ for name, m in sys.modules.items() if name.startswith("arena_lab")))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(Path(path).name for path in done.stdout.split())


def annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for part in ("annotation", "returns"):
            if found := getattr(node, part, None):
                yield found


@pytest.mark.parametrize("name", modules_of_the_host_side())
def test_host_side_is_written_for_python_3_9(name):
    text = (ROOT / "arena_lab" / name).read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    united = [a for a in annotations(tree) if any(isinstance(n, ast.BinOp) for n in ast.walk(a))]
    assert not united or "from __future__ import annotations" in text
    assert LATER.findall(text) == []


OLDEST = next(iter(sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python"))), None)


@pytest.mark.skipif(not OLDEST, reason="there is no Python 3.9 of pyenv's")
@pytest.mark.parametrize("module", HOST_SIDE)
def test_host_side_starts_under_python_3_9(module):
    command = [OLDEST, "-m", f"arena_lab.{module}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_host_side_needs_the_standard_library_alone():
    program = (
        "import sys, arena_lab.compose, arena_lab.doctor, arena_lab.classroom; "
        "print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) - {"__main__", "sitecustomize", "usercustomize"} == {
        "arena_lab"
    }


def settings_read() -> set[str]:
    """What Compose and the build read of the environment."""
    files = ("docker-compose.yml", "docker-compose.gpu.yml")
    text = "".join((ROOT / file).read_text() for file in files)
    # What is written after a dollar, and what is handed through without a value.
    named = set(re.findall(r"\$\{(\w+)", text)) | set(re.findall(r"^ +([A-Z_]+):$", text, re.M))
    named |= set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.M))
    named -= {"PYTHONHASHSEED", "SOURCE_DATE_EPOCH"}  # the same for everybody
    # The path inside of the container follows from ARENA_LAB_CA; indexes are secrets of the builds.
    secrets = {"ARENA_LAB_CA", "PIP_INDEX_URL", "NPM_CONFIG_REGISTRY"}
    return (named - {"ARENA_LAB_CA_INSIDE"}) | secrets


def settings_of_example() -> set[str]:
    return set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.M))


def test_example_of_settings_names_what_is_read_and_nothing_else():
    assert settings_of_example() == settings_read() | {"COMPOSE_FILE"}  # which is its own


def test_guide_explains_every_setting():
    guide = (ROOT / "docs" / "container.md").read_text()
    written = settings_of_example() | set(compose.settings(INFO, CPU, 8888))
    assert {name for name in written if f"`{name}`" not in guide} == set()


def test_compose_has_every_setting_of_the_block(monkeypatch, tmp_path):
    cdi = gpu.Verdict("gpu", "", driver="cdi", devices="nvidia.com/gpu=all")
    written = set(compose.settings(INFO, cdi, 8888)) - {"COMPOSE_FILE", "COMPOSE_PROJECT_NAME"}
    assert written <= settings_read()
