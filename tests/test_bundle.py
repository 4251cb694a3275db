"""./inv bundle and unbundle, with an engine that only keeps what it is given."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from arena_lab import image
from arena_lab.paths import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

# `save` gives what was loaded last, `run` notes what it is asked for.
DOCKER = """#!/bin/sh
case "$1" in
info) echo '{"SecurityOptions": ["name='$ENGINE'"]}';;
image) [ -e "$STORE/image" ];;
save) cat "$STORE/image"; echo "$2" > "$STORE/../name";;
load) [ -z "$FULL" ] || { echo "no space left" >&2; exit 1; }
    cat > "$STORE/image"; echo "Loaded image: $(cat "$STORE/../name")";;
run) echo "$@" >> "$STORE/runs"; [ -z "$BROKEN" ];;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], tuple[Path, Run]]:
    """Make a machine with a checkout, and give its folder and how to run ./inv's commands there."""

    def make(name: str) -> tuple[Path, Run]:
        folder = tmp_path / name
        course = folder / "checkout"
        (course / "chapter9" / "exercises" / "toys").mkdir(parents=True)
        (course / "README.md").write_text("the course\n")
        (course / "arena_lab").mkdir()
        (course / "arena_lab" / "answers.py").write_text("the engine\n")
        (course / "chapter9" / "exercises" / "toys" / "answers.py").write_text("mine\n")
        for command in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", *command], cwd=course, check=True)
        tools = folder / "bin"
        tools.mkdir()
        (tools / "docker").write_text(DOCKER)
        (tools / "docker").chmod(0o755)

        def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
            inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARENA_LAB")}
            return subprocess.run(
                [sys.executable, "-S", "-m", "arena_lab.compose", *arguments],
                env={
                    **inherited,
                    "PATH": f"{tools}:/usr/bin:/bin",
                    "PYTHONPATH": str(ROOT),
                    "ARENA_LAB_ROOT": str(course),
                    "STORE": str(folder),
                    "ENGINE": "seccomp",
                    **environment,
                },
                cwd=course,
                capture_output=True,
                text=True,
            )

        return course, run

    return make


@pytest.fixture
def packed(machine, tmp_path: Path) -> Path:
    """A bundle of a machine with an image and a data set."""
    course, run = machine("here")
    (course.parent / "image").write_bytes(bytes(range(256)) * 5000)
    data = course / ".lab" / "data" / "mnist"
    data.mkdir(parents=True)
    (data / "train.gz").write_bytes(b"digits")
    (data / "test.gz.part").write_bytes(b"half")
    done = run("bundle", str(tmp_path / "bundle.zip"))
    assert done.returncode == 0, done.stderr
    assert "1 files of data" in done.stdout
    return tmp_path / "bundle.zip"


def test_bundle_holds_image_data_and_course_without_answers(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == [
            "image.tar", "arena-lab/README.md", "arena-lab/arena_lab/answers.py",
            "data/mnist/train.gz", "SHA256SUMS",
        ]  # fmt: skip


def test_other_machine_gets_image_data_and_starters(machine, packed: Path) -> None:
    course, run = machine("there")
    done = run("unbundle", str(packed))
    assert done.returncode == 0, done.stderr
    assert (course.parent / "image").read_bytes() == bytes(range(256)) * 5000
    assert (course / ".lab" / "data" / "mnist" / "train.gz").read_bytes() == b"digits"
    assert (course.parent / "runs").read_text().rstrip().endswith("invoke starters")
    assert (course / "chapter9" / "exercises" / "toys" / "answers.py").read_text() == "mine\n"


def settings(course: Path) -> dict[str, str]:
    return dict(image.assignments((course / ".env").read_text()))


def test_other_machine_is_set_up_for_its_own_user(machine, packed: Path) -> None:
    course, run = machine("there")
    if os.getuid() == 0:
        os.chown(course, 4242, 4243)
    done = run("unbundle", str(packed))
    assert done.returncode == 0, done.stderr
    values = settings(course)
    assert values["ARENA_LAB_IMAGE"] == "arena-lab:local"
    assert values["COMPOSE_FILE"].startswith("docker-compose.yml")
    owner = course.stat()
    assert (values["ARENA_LAB_UID"], values["ARENA_LAB_GID"]) == (
        str(owner.st_uid),
        str(owner.st_gid),
    )
    assert (course / ".lab" / "token").stat().st_uid == owner.st_uid
    assert f"--user={owner.st_uid}:{owner.st_gid} " in (course.parent / "runs").read_text()


def test_starters_of_a_rootless_engine_are_its_callers(machine, packed: Path) -> None:
    course, run = machine("there")
    assert run("unbundle", str(packed), ENGINE="rootless").returncode == 0
    assert "--user=0:0 " in (course.parent / "runs").read_text()
    assert settings(course)["ARENA_LAB_UID"] == "0"


def test_image_keeps_its_name_and_the_next_up_builds_none(machine, tmp_path: Path) -> None:
    course, run = machine("here")
    (course.parent / "image").write_bytes(b"an image")
    bundle = str(tmp_path / "bundle.zip")
    assert run("bundle", "--no-fetch", bundle, ARENA_LAB_IMAGE="school/lab:1").returncode == 0
    course, run = machine("there")
    (course / ".env").write_text("# mine\nARENA_LAB_IMAGE=old:1\nHTTP_PROXY=http://p:1\n")
    assert run("unbundle", bundle).returncode == 0
    assert settings(course)["ARENA_LAB_IMAGE"] == "school/lab:1"
    assert " school/lab:1 invoke starters" in (course.parent / "runs").read_text()
    assert run("build").returncode == 0
    text = (course / ".env").read_text()
    assert text.count("ARENA_LAB_IMAGE") == 1
    assert "\n# mine\nHTTP_PROXY=http://p:1\n" in text


def test_image_that_cannot_be_loaded_is_told(machine, packed: Path) -> None:
    course, run = machine("there")
    done = run("unbundle", str(packed), FULL="1")
    assert done.returncode == 2
    assert "no space left" in done.stderr
    assert "docker load failed, for the reason above" in done.stderr
    assert not (course / ".env").exists()


def test_starters_that_fail_are_told(machine, packed: Path) -> None:
    _, run = machine("there")
    done = run("unbundle", str(packed), BROKEN="1")
    assert (done.returncode, done.stdout.count("docker compose up")) == (2, 0)
    assert "invoke starters failed" in done.stderr


def test_data_are_those_that_the_container_sees(machine, tmp_path: Path) -> None:
    course, run = machine("here")
    (course.parent / "image").write_bytes(b"an image")
    data = course / ".lab" / "data"
    data.mkdir(parents=True)
    (data / "train.gz").write_bytes(b"digits")
    elsewhere = {"ARENA_LAB_DATA": str(tmp_path), "ARENA_LAB_STATE": str(tmp_path / "state")}
    done = run("bundle", str(tmp_path / "bundle.zip"), **elsewhere)
    assert "1 files of data" in done.stdout
    (data / "train.gz").unlink()
    assert run("unbundle", str(tmp_path / "bundle.zip"), **elsewhere).returncode == 0
    assert (data / "train.gz").read_bytes() == b"digits"


def test_data_that_is_there_already_stays(machine, packed: Path) -> None:
    course, run = machine("there")
    kept = course / ".lab" / "data" / "mnist" / "train.gz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    assert run("unbundle", str(packed)).returncode == 0
    assert kept.read_bytes() == b"mine"


def damage_a_byte(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        image = archive.getinfo("image.tar")
    content = bytearray(path.read_bytes())
    content[image.header_offset + 30 + len(image.filename) + image.compress_size // 2] ^= 1
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def swap_a_member(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/mnist/another.gz", "false")


@pytest.mark.parametrize("damage", [damage_a_byte, cut_off, swap_a_member])
def test_nothing_is_taken_from_a_damaged_bundle(machine, packed: Path, damage) -> None:
    damage(packed)
    course, run = machine("there")
    done = run("unbundle", str(packed))
    assert done.returncode == 2
    assert "is no whole bundle" in done.stderr
    assert "copy it again" in done.stderr
    assert not (course.parent / "image").exists()
    assert not (course / ".lab" / "data").exists()


def test_bundle_without_an_image_says_how_to_get_one(machine, tmp_path: Path) -> None:
    _, run = machine("here")
    done = run("bundle", str(tmp_path / "bundle.zip"))
    assert (done.returncode, list(tmp_path.glob("*.zip*"))) == (2, [])
    assert "./inv build" in done.stderr


def test_unbundle_names_a_file_that_is_not_there(machine) -> None:
    _, run = machine("there")
    done = run("unbundle", "nowhere.zip")
    assert (done.returncode, done.stderr) == (2, "there is no file nowhere.zip\n")
