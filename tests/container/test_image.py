"""What is in the image, and what is not."""

import gzip
import io
import json
import os
import re
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from arena_lab import image
from arena_lab.paths import ROOT
from container import course_layers, installed_size

USERS = ["1000:1000", "4242:4242", "0:0"]


def test_check_finds_the_packages_of_the_lock(in_image):
    script = "from arena_lab import inside; print(inside.packages())"
    said = in_image(f"python -c '{script}'", f"--volume={ROOT}:/lab:ro")
    assert re.search(r"^\d+, as locked$", said, re.M), said


def test_no_file_makes_somebody_another_user(in_image):
    assert in_image("find / -xdev -type f -perm /6000 2>/dev/null; command -v sudo; true") == ""


@pytest.mark.parametrize("user", ["1000:1000", "4242:4242"])
def test_user_could_write_only_home_and_where_everybody_can(docker, image_name, user):
    # Not read-only here: it is the files' owners that are asked.
    options = (f"--user={user}", "--entrypoint=bash", image_name, "-c")
    script = "find / -xdev -writable -not -type l 2>/dev/null"
    found = docker("run", "--rm", *options, script, check=False).split()
    allowed = r"/(home/learner|lab|tmp|var/tmp|run/lock|dev|proc)(/.*)?"
    assert [path for path in found if not re.fullmatch(allowed, path)] == []


def test_environment_belongs_to_root(in_image):
    assert in_image("find /opt -not -user root") == ""


@pytest.mark.parametrize("user", USERS)
def test_any_user_has_a_name_and_a_home(in_image, user):
    program = "import getpass, pathlib; print(getpass.getuser(), pathlib.Path.home())"
    assert in_image(f"python -c '{program}'", f"--user={user}") == "learner /home/learner"


@pytest.mark.parametrize("user", USERS)
def test_any_user_can_write_what_libraries_keep(in_image, user):
    program = (
        "from pathlib import Path; from IPython.paths import get_ipython_dir;"
        "from jupyter_core.paths import jupyter_runtime_dir;"
        "from torch._inductor.runtime.cache_dir_utils import cache_dir;"
        "[Path(p, 'x').mkdir(parents=True) for p in (jupyter_runtime_dir(), get_ipython_dir(),"
        " cache_dir(), Path.home() / '.cache/huggingface', Path.home() / '.triton')]"
    )
    home = "--tmpfs=/home/learner:exec,mode=1777"
    assert in_image(f'python -c "{program}"', f"--user={user}", home) == ""


@pytest.mark.parametrize("shell", ["bash -c", "bash -lc", "sh -lc"])
def test_every_shell_finds_the_environments_programs(in_image, shell):
    assert in_image(f"{shell} 'command -v invoke'") == "/opt/venv/bin/invoke"


def test_image_has_neither_installer_nor_compiler(in_image):
    assert in_image("command -v uv pip gcc strip; ls /opt") == "install\nstart\nvenv"


def test_start_finds_nearly_all_byte_code_there(make_checkout, image_name, docker, wait_for_lab):
    # Started as root with a root that can be written, it would add what it misses.
    folder = make_checkout(0).folder
    published = ("--publish=127.0.0.1::8888", f"--volume={folder}:/lab")
    name = docker("run", "--detach", "--user=0", *published, image_name).strip()
    try:
        port = int(docker("port", name, "8888/tcp").strip().rpartition(":")[2])
        lab = wait_for_lab(port, folder)
        assert lab.ask("GET", "/site/")[0] == 200
        assert lab.run_cell("import torch; print(1)") == "1"
        added = docker("diff", name)
        missing = re.findall(r"^A (/opt/venv/.*\.pyc)$", added, re.M)
        assert len(missing) <= 10, missing
    finally:
        docker("rm", "--force", name)


def test_health_check_fails_where_nothing_answers(docker, image_name):
    (found,) = json.loads(docker("image", "inspect", image_name))
    kind, *command = found["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    done = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", command[0], image_name, *command[1:]],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stderr


def test_image_is_hardly_bigger_than_torch_and_what_torch_needs(docker, image_name):
    (found,) = json.loads(docker("image", "inspect", image_name))
    assert found["Size"] <= 1.05 * installed_size("torch", "torchvision")


def layers(name: str) -> Iterator[IO[bytes]]:
    """Give each file of the saved image: its layers, uncompressed, and its description."""
    process = subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if isinstance(content, io.BufferedReader):
                is_compressed = content.peek(2)[:2] == b"\x1f\x8b"
                yield gzip.GzipFile(fileobj=content) if is_compressed else content
    assert process.wait() == 0


def occurrences(files: Iterator[IO[bytes]], wanted: dict[str, bytes]) -> set[str]:
    """Tell which of some byte strings occur anywhere in some files."""
    longest = max(map(len, wanted.values()))
    found: set[str] = set()
    for file in files:
        rest = b""
        while chunk := file.read(1 << 24):
            text = rest + chunk
            found |= {name for name in wanted.keys() - found if wanted[name] in text}
            rest = text[-longest:]
    return found


def own_certificates(inside: str) -> dict[str, bytes]:
    """Give a line of each certificate that this machine trusts and the image does not."""
    config = image.pip_config()
    path = os.environ.get("ARENA_LAB_CA") or config.get("cert") or os.environ.get("SSL_CERT_FILE")
    path = path or ssl.get_default_verify_paths().cafile
    text = Path(path).read_text() if path else ""
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----\n(.+?)-----END", text, re.S)
    return {
        f"certificate {n}": body.splitlines()[3].encode()
        for n, body in enumerate(bodies)
        if body not in inside
    }


@pytest.mark.slow
def test_no_layer_keeps_a_setting_of_the_machine_that_built_it(in_image, checkout):
    wanted = {"pip's setting": checkout.marker.encode()}
    wanted |= own_certificates(in_image("cat /etc/ssl/certs/ca-certificates.crt"))
    for name, value in image.pip_config().items():
        if "url" in name:
            wanted[name] = value.encode()
    wanted["known text"] = b"opt/venv/bin/jupyter"
    assert occurrences(layers(image.IMAGE), wanted) == {"known text"}


@pytest.fixture(scope="module")
def class_image(checkout, docker):
    """The image with the course inside, built from a checkout with answers in it."""
    answers = next(checkout.folder.glob("chapter*/exercises/*/answers.py"))
    starter = answers.read_text()
    answers.write_text(starter + "\n# My secret answer.\n")
    done = checkout.inv("build", "--tag", "arena-lab:bench")
    answers.write_text(starter)
    assert done.returncode == 0, done.stderr
    yield "arena-lab:bench"
    docker("image", "rm", "arena-lab:bench")


def test_class_image_has_the_course_with_fresh_starters(class_image, checkout, docker):
    paths = sorted(checkout.folder.glob("chapter*/exercises/*/answers.py"))
    names = [str(path.relative_to(checkout.folder)) for path in paths]
    said = docker("run", "--rm", class_image, "cat", *names)
    assert said == "".join(path.read_text() for path in paths)


def test_class_image_checks_answers(class_image, docker):
    said = docker("run", "--rm", class_image, "invoke", "test", "--section", "0.4", "--solutions")
    assert re.search(r"^\d+ passed, 0 failed$", said, re.M), said


def test_class_image_has_the_course_in_small_layers(class_image):
    assert 0 < course_layers() <= 20e6
