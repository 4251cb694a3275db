"""`./inv class`, as far as it needs no engine: tests/container has the rest."""

import importlib.util
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from arena_lab import accounts, class_settings, collecting, update
from arena_lab.errors import LabError
from arena_lab.jupyter import hub_server
from arena_lab.paths import ROOT

SERVER = ROOT / "deploy" / "server"


# Names


def test_list_has_a_name_a_line_with_teachers_marked():
    text = "# 2026\nann\n\nBen  # late\nlee teacher\njan.o-k@example.org\n"
    found = accounts.parse(text, "learners.txt")
    assert {name: account.is_teacher for name, account in found.items()} == {
        "ann": False,
        "ben": False,
        "lee": True,
        "jan.o-k@example.org": False,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ann\n-rf\n", "learners.txt:2: '-rf' cannot be a name"),
        ("../ann\n", "learners.txt:1: '../ann' cannot be a name"),
        ("a..b\n", "learners.txt:1: 'a..b' cannot be a name"),
        ("an/n\n", "learners.txt:1: 'an/n' cannot be a name"),
        ("josé\n", "learners.txt:1: 'josé' cannot be a name"),
        ("x" * 65, "64 at most"),
        ("ann admin\n", "learners.txt:1: behind ann may stand only the word teacher"),
        ("ann teacher now\n", "learners.txt:1: behind ann may stand only the word teacher"),
        ("ann\nAnn\n", "learners.txt:2: ann stands there twice"),
    ],
)
def test_line_that_is_no_name_is_named(text, said):
    with pytest.raises(LabError, match=re.escape(said)):
        accounts.parse(text, "learners.txt")


# Settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Read settings from a file with these lines and nothing else."""
    for name in [*os.environ]:
        if name.startswith(("ARENA_LAB", "OAUTH")):
            monkeypatch.delenv(name)

    def read(*lines: str) -> class_settings.Settings:
        (tmp_path / ".env").write_text("".join(f"{line}\n" for line in lines))
        return class_settings.read(tmp_path / ".env")

    return read


def test_without_settings_the_hub_is_for_this_machine_alone(settings):
    found = settings()
    assert class_settings.url(found) == "http://127.0.0.1:8000"
    assert found.is_private
    assert not [name for name in found.values if name.startswith("ARENA_LAB_CLASS")]


def test_address_for_every_network_is_shown_as_the_machines_name(settings):
    found = settings("ARENA_LAB_CLASS_BIND=0.0.0.0", "ARENA_LAB_CLASS_PORT=80")
    assert class_settings.url(found) == f"http://{socket.gethostname()}:80"
    assert not found.is_private


def test_with_a_certificate_the_proxy_runs_as_who_may_read_the_key(settings, tmp_path):
    for name in ("certificate", "key"):
        (tmp_path / name).write_text(name)
    found = settings(
        f"ARENA_LAB_CLASS_CERTIFICATE={tmp_path}/certificate", f"ARENA_LAB_CLASS_KEY={tmp_path}/key"
    )
    assert class_settings.url(found) == "https://127.0.0.1:8000"
    assert found.key_owner == f"{os.getuid()}:{os.getgid()}"


@pytest.mark.parametrize(
    "line",
    [
        "BIND=lab.example.org",
        "BIND=203.0.113.7",
        "BIND=::1",
        "PORT=80000",
        "PORT=http",
        "MEMORY=lots",
        "MEMORY=100m",
        "CPUS=0",
        "CPUS=two",
        "CPUS=nan",
        "PROCESSES=1",
        "IDLE_MINUTES=-1",
        "IDLE_MINUTES=inf",
        "INTERNET=yes",
        "SUBNETS=8.8.0.0/16",
        "SUBNETS=10.0.0.0/28",
        "SUBNETS=10.0.0.1/16",
        "GPU_DRIVER=amd",
        "LOGIN=facebook",
        "CERTIFICATE=/nowhere/certificate.pem",
        "CERTIFICATE=~nobody-at-all/certificate.pem",
    ],
)
def test_setting_that_is_wrong_is_named_in_one_line(settings, line):
    with pytest.raises(LabError) as raised:
        settings(f"ARENA_LAB_CLASS_{line}")
    said = str(raised.value)
    assert said.startswith(f"ARENA_LAB_CLASS_{line}: ")
    assert "\n" not in said


def test_certificate_that_only_root_may_see_is_named(settings, monkeypatch):
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(LabError, match=r"CERTIFICATE=/etc/x.pem: .* Permission denied; run this"):
        settings("ARENA_LAB_CLASS_CERTIFICATE=/etc/x.pem")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ARENA_LAB_CLASS_MEMROY=4g"], "there is no setting ARENA_LAB_CLASS_MEMROY"),
        (["ARENA_LAB_CLASS_NAME=x"], "is set by ./inv class up itself"),
        ([f"ARENA_LAB_CLASS_KEY={__file__}"], "TLS needs both"),
        (["ARENA_LAB_CLASS_LOGIN=github"], "needs OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET"),
        (
            ["ARENA_LAB_CLASS_LOGIN=generic-oauth", *(f"OAUTH_{n}=x" for n in "abc")],
            "OAUTH2_AUTHORIZE_URL",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings, lines, said):
    with pytest.raises(LabError, match=re.escape(said)):
        settings(*lines)


def test_setting_of_the_environment_that_contradicts_the_file_is_named(settings, monkeypatch):
    monkeypatch.setenv("ARENA_LAB_CLASS_PORT", "9000")
    assert settings().port == 9000
    with pytest.raises(LabError, match="PORT is 9000 in the environment and 8000 in"):
        settings("ARENA_LAB_CLASS_PORT=8000")


def test_example_names_every_setting():
    text = (SERVER / ".env.example").read_text()
    named = set(re.findall(r"^#(ARENA_LAB_CLASS_\w+)=", text, re.M))
    assert named == set(class_settings._CHECKS)


# Networks


def test_each_learner_gets_addresses_that_nobody_has():
    spec = importlib.util.spec_from_file_location("networks", SERVER / "networks.py")
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    taken = ["172.17.0.0/16", "fd00::/64", "10.213.0.0/29"]
    for wanted in ("10.213.0.8/29", "10.213.0.16/29"):
        assert networks.free_subnet("10.213.0.0/16", taken) == wanted
        taken.append(wanted)
    with pytest.raises(ValueError, match="is taken"):
        networks.free_subnet("10.213.0.0/28", taken)


# Commands


@pytest.fixture
def run(tmp_path):
    """Run ./inv class in a folder of its own, with a docker that answers as a test says."""
    (tmp_path / "deploy" / "server").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    usual = {
        "info": 'echo \'{"DockerRootDir": "/", "MemTotal": 17179869184}\'',
        "compose version": "echo v2",
        "port": "exit 1",
        "ps": "true",
    }

    def run(*words: str, learners: str | None = None, **answers: str):
        if learners is not None:
            (tmp_path / "deploy" / "server" / "learners.txt").write_text(learners)
        cases = "\n".join(f"'{said}'*) {then};;" for said, then in {**usual, **answers}.items())
        script = f'#!/bin/sh\ncase "$*" in\n{cases}\n*) echo "what? $*" >&2; exit 99;;\nesac\n'
        (tmp_path / "bin" / "docker").write_text(script)
        (tmp_path / "bin" / "docker").chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ARENA_LAB", "DOCKER"))}
        path = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "arena_lab.classroom", *words],
            env={**kept, **path, "ARENA_LAB_ROOT": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def test_up_without_a_list_says_how_to_write_one(run):
    assert_refused(run("up"), "there is no ", "learners.txt", "./inv class add NAME")


def test_up_with_an_empty_list_says_so(run):
    assert_refused(run("up", learners="# nobody yet\n"), "names nobody")


def test_up_names_the_wrong_line_of_the_list(run):
    assert_refused(run("up", learners="ann\nb n\n"), "learners.txt:2: behind b may stand")


def test_up_without_an_engine_says_how_to_start_it(run):
    refusal = "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"
    done = run("up", learners="ann\n", info=f"echo '{refusal}' >&2; exit 1")
    assert_refused(done, "Docker does not run", "systemctl start docker")


def test_up_says_who_holds_the_port(run, tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        env = tmp_path / "deploy" / "server" / ".env"
        env.write_text(f"ARENA_LAB_CLASS_PORT={port}\n")
        done = run("up", learners="ann\n")
    assert_refused(done, f"port {port} is taken by", "ARENA_LAB_CLASS_PORT")


def test_add_writes_names_behind_those_that_are_there(run, tmp_path):
    done = run("add", "Ben", "cleo", learners="ann teacher")
    assert done.stdout == "3 may log in.\n"
    text = (tmp_path / "deploy" / "server" / "learners.txt").read_text()
    assert text == "ann teacher\nben\ncleo\n"


@pytest.mark.parametrize(
    ("names", "said"),
    [(["ben", "a b"], "'a b' cannot be a name"), (["ben", "ann"], "ann is in")],
)
def test_add_refuses_all_where_one_is_wrong(run, tmp_path, names, said):
    assert_refused(run("add", *names, learners="ann\n"), said)
    assert (tmp_path / "deploy" / "server" / "learners.txt").read_text() == "ann\n"


def test_reset_of_nobody_is_refused(run):
    assert_refused(run("reset", "ben", learners="ann\n"), "ben is not in")


def test_reset_where_no_hub_runs_says_how_to_start_it(run):
    done = run("reset", "ann", learners="ann\n", exec="echo 'No such container' >&2; exit 1")
    assert_refused(done, "No such container", "./inv class up")


def test_collect_where_nobody_began_says_so(run):
    assert_refused(run("collect", "answers", volume="true"), "nobody has begun")


# Collecting


def archive(path: Path) -> Path:
    """Write what learners might put where their answers belong."""

    def add(name: str, content: bytes = b"", **about: object) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        for key, value in about.items():
            setattr(member, key, value)
        made.addfile(member, io.BytesIO(content))

    with tarfile.open(path, "w") as made:
        add("./0/chapter0_fundamentals/exercises/part0_prereqs/answers.py", b"x = 1\n")
        add("./1/chapter0_fundamentals/exercises/part0_prereqs/answers.py", b"x = 2\n")
        link = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
        add("./1/chapter0_fundamentals/exercises/part4_backprop/answers.py", **link)
        add("./1/../../chapter0_fundamentals/exercises/part4_backprop/answers.py", b"evil")
        add("./1/chapter0_fundamentals/exercises/part1_ray_tracing/answers.py", b"\0" * (9 << 20))
        add("./1/.lab/backups/answers.py", b"old")
    return path


def test_collect_takes_ordinary_files_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncat {archive(tmp_path / 'all.tar')}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    folder = tmp_path / "answers"
    assert collecting.collect({"ann": "v1", "ben": "v2"}, folder, "image") == 2
    found = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "ann/part0_prereqs/answers.py": "x = 1\n",
        "ben/part0_prereqs/answers.py": "x = 2\n",
    }


# A docker that runs the program right here, on folders in place of volumes.
DOCKER = """\
#!{python}
import os, sys, tempfile
all_of_them = tempfile.mkdtemp(dir={folder!r})
for word in sys.argv:
    if word.startswith("--volume="):
        volume, inside, _ = word.partition("=")[2].split(":")
        os.symlink(volume, all_of_them + inside[len("/all"):])
program, _, *paths = sys.argv[sys.argv.index("-c") + 1:]
os.execv(sys.executable, [sys.executable, "-I", "-c", program, all_of_them, *paths])
"""
EXERCISES = "chapter0_fundamentals/exercises"


@pytest.fixture
def volumes(tmp_path, monkeypatch):
    """Make folders that stand for the volumes of learners, with answers of two sections."""
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(DOCKER.format(python=sys.executable, folder=str(tmp_path)))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def make(*names: str) -> dict[str, str]:
        for name in names:
            for package in ("part0_prereqs", "part1_ray_tracing"):
                folder = tmp_path / name / EXERCISES / package
                folder.mkdir(parents=True)
                (folder / "answers.py").write_text(f"# of {name}\n")
        return {name: str(tmp_path / name) for name in names}

    return make


def test_collected_answers_keep_the_time_of_their_last_change(volumes, tmp_path):
    made = volumes("ann", "ben", "cleo")
    moments = {"ann": 1_000_000_000, "ben": 10**12, "cleo": -5}
    for name, moment in moments.items():
        for path in (tmp_path / name).rglob("answers.py"):
            os.utime(path, (moment, moment))
    assert collecting.collect(made, tmp_path / "out", "image") == 6
    saved = {
        name: (tmp_path / "out" / name / "part0_prereqs" / "answers.py").stat().st_mtime
        for name in moments
    }
    assert (saved["ann"], saved["cleo"]) == (1_000_000_000, 0)
    assert time.time() - 60 < saved["ben"] <= time.time()  # none is still to come


def hole(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(8 << 40)


def closed(path: Path) -> None:
    for number in range(1100):
        path.with_name(f"{number}").mkdir(mode=0)
    path.mkdir(mode=0)


STRANGE = {
    "a huge hole": hole,
    "unreadable folders": closed,
    "a pipe": os.mkfifo,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_what_is_no_answer_stops_nobody_elses(volumes, tmp_path, make):
    made = volumes("ann", "ben")
    path = tmp_path / "ann" / EXERCISES / "part0_prereqs" / "answers.py"
    path.unlink()
    make(path)
    assert collecting.collect(made, tmp_path / "out", "image") == 3
    assert not (tmp_path / "out" / "ann" / "part0_prereqs").exists()


def test_link_of_one_leads_to_no_answers_of_another(volumes, tmp_path):
    made = volumes("ann", "ben")
    shutil.rmtree(tmp_path / "ben" / "chapter0_fundamentals")
    (tmp_path / "ben" / "chapter0_fundamentals").symlink_to("../ann/chapter0_fundamentals")
    assert collecting.collect(made, tmp_path / "out", "image") == 2
    assert not (tmp_path / "out" / "ben").exists()


def test_collect_leaves_a_folder_alone_that_holds_something(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(LabError, match="holds something already"):
        collecting.collect({"ann": "v"}, tmp_path, "image")


def test_collect_says_what_docker_says(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'no such image' >&2\nexit 125\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match="no such image"):
        collecting.collect({"ann": "v"}, tmp_path / "answers", "image")


# The course in a learner's folder


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The course of an image, and a learner's copy of it."""
    course, mine = tmp_path / "course", tmp_path / "lab"
    for folder in (course, mine):
        page = folder / "chapter9_toys" / "instructions" / "pages" / "01_[9.1]_Toys.md"
        page.parent.mkdir(parents=True)
        page.write_text("the page\n")
        (folder / "arena_lab").mkdir()
        (folder / "chapter9_toys" / "exercises").mkdir()
    (mine / ".lab").mkdir()
    (mine / ".lab" / "course").write_text("one")
    monkeypatch.setattr(hub_server, "ROOT", mine)
    monkeypatch.setattr(hub_server, "STATE", mine / ".lab")
    return course, mine, Path("chapter9_toys/instructions/pages/01_[9.1]_Toys.md")


def test_file_that_a_learner_deleted_comes_back(folders):
    course, mine, page = folders
    (mine / page).unlink()
    hub_server.bring_up(course, "one")
    assert (mine / page).read_text() == "the page\n"


def test_file_that_a_learner_changed_stays_while_the_course_is_the_same(folders):
    course, mine, page = folders
    (mine / page).write_text("my notes\n")
    hub_server.bring_up(course, "one")
    assert (mine / page).read_text() == "my notes\n"


def test_newer_course_is_brought_up_once(folders, monkeypatch):
    course, mine, _ = folders
    done = []
    monkeypatch.setattr(hub_server, "update", lambda root, source, check: done.append(source))
    hub_server.bring_up(course, "two")
    hub_server.bring_up(course, "two")
    assert done == [str(course)]
    assert (mine / ".lab" / "course").read_text() == "two"


def test_update_that_fails_is_tried_again_at_the_next_start(folders, monkeypatch):
    course, mine, _ = folders

    def fail(*_: object, **__: object) -> None:
        raise LabError("the disk is full")

    monkeypatch.setattr(hub_server, "update", fail)
    with pytest.raises(LabError):
        hub_server.bring_up(course, "two")
    assert (mine / ".lab" / "course").read_text() == "one"


def test_volume_that_is_empty_gets_the_course(tmp_path, monkeypatch):
    empty = tmp_path / "lab"
    (empty / "lost+found").mkdir(parents=True)
    course = tmp_path / "course"
    for name in ("arena_lab", "chapter0_fundamentals"):
        ignored = shutil.ignore_patterns("__pycache__", ".lab")
        shutil.copytree(ROOT / name, course / name, ignore=ignored)
    for name in (hub_server, update):
        monkeypatch.setattr(name, "STATE", empty / ".lab")
    monkeypatch.setattr(hub_server, "ROOT", empty)
    hub_server.bring_up(course, "one")
    answers = "chapter0_fundamentals/exercises/part4_backprop/answers.py"
    assert (empty / answers).read_bytes() == (course / answers).read_bytes()
    assert set(update.course_files(course)) <= set(update.course_files(empty))
    assert (empty / ".lab" / "course").read_text() == "one"


# Locks


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.M))


def test_packages_of_the_hub_are_those_of_the_course_where_both_have_them():
    course, hub = pins(ROOT / "requirements.txt"), pins(SERVER / "hub.txt")
    shared = course.keys() & hub.keys()
    assert len(shared) > 10
    assert {name: hub[name] for name in shared} == {name: course[name] for name in shared}


def test_learners_server_adds_to_the_course_and_speaks_the_hubs_version():
    course, learner = pins(ROOT / "requirements.txt"), pins(SERVER / "learner.txt")
    assert not course.keys() & learner.keys()
    assert learner["jupyterhub"] == pins(SERVER / "hub.txt")["jupyterhub"]


def test_proxy_is_pinned_with_hashes_and_names_no_registry():
    packages = json.loads((SERVER / "proxy" / "package-lock.json").read_text())["packages"]
    rest = {name: package for name, package in packages.items() if name}
    assert rest["node_modules/configurable-http-proxy"]["version"]
    assert [n for n, p in rest.items() if not p["integrity"].startswith("sha512-")] == []
    assert [n for n, p in rest.items() if "resolved" in p] == []
