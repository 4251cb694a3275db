"""What is in the image, and what is not."""

import gzip
import io
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from arena_lab import image, sbom
from arena_lab.paths import ROOT
from container import course_layer, installed_size

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


@pytest.mark.parametrize(
    "user",
    [0, 1000, 4242, random.randrange(10_000, 1 << 31)],
    ids=["root", "the usual first user", "a stranger", "anybody"],
)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a checkout to somebody")
def test_lab_works_for_any_user(make_checkout, image_name, user):
    checkout = make_checkout(user)
    lab = checkout.up()
    assert lab.run_cell("import os, torch; print(os.getuid(), int(torch.ones(6).sum()))") == (
        f"{user} 6"
    )
    model = {"type": "file", "format": "text", "content": "# mine\n"}
    assert lab.ask("PUT", "/api/contents/mine.py", model)[0] == 201
    assert checkout.owner("mine.py") == user
    checkout.compose("down")


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


# The layers of the image with the course, which are those of the other one, and the last

# Byte strings that must be nowhere, and one that is, or the search would prove nothing.
SECRET = "# My secret answer."
KNOWN = b"opt/venv/bin/jupyter"

# What only the build needs, or leaves behind.
LEFT_BEHIND = re.compile(
    r"(.*/)?s?bin/(uv|uvx|pip[\d.]*|gcc|cc|c\+\+|g\+\+|ld|as|make|cmake|strip|git|curl|wget)"
    r"|opt/tools/.+|locks/.+|run/secrets.*|.*/pip\.conf|.*/\.netrc|.*/\.git(/.*)?|.*\.(deb|whl|a)"
    r"|root/\..+/.+|(.*/)?\.cache/.+|var/cache/apt/.+|var/lib/apt/lists/.+|tmp/.+|var/log/.+\.log"
    r"|.*/site-packages/(pip|uv|setuptools|wheel)/.+|lab/(.*/)?(\.env|\.lab|\.venv|__pycache__)(/.*)?"
)


@dataclass
class Layer:
    """The paths in a layer, and which of the byte strings looked for occur in it."""

    paths: list[str] = field(default_factory=list)
    found: set[str] = field(default_factory=set)


class Searched(io.RawIOBase):
    """A stream that is searched for byte strings as it is read."""

    def __init__(self, stream: IO[bytes], wanted: dict[str, bytes], found: set[str]) -> None:
        self.stream, self.wanted, self.found, self.rest = stream, wanted, found, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self.stream.read(len(buffer))
        text = self.rest + chunk
        self.found |= {n for n in self.wanted.keys() - self.found if self.wanted[n] in text}
        self.rest = text[-max(map(len, self.wanted.values())) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


def saved(name: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Give each file of a saved image, uncompressed, by its name in the archive."""
    process = subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=process.stdout, mode="r|", bufsize=1 << 20) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if isinstance(content, io.BufferedReader):
                is_compressed = content.peek(2)[:2] == b"\x1f\x8b"
                yield member.name, gzip.GzipFile(fileobj=content) if is_compressed else content
    assert process.wait() == 0


def read_layers(name: str, wanted: dict[str, bytes]) -> list[Layer]:
    """Read an image's layers from the first to the last, and what describes them as one more."""
    layers: dict[str, Layer] = {}
    order: list[str] = []
    for file, content in saved(name):
        layer = layers[file] = Layer()
        stream = io.BufferedReader(Searched(content, wanted, layer.found), 1 << 20)
        if file == "manifest.json":
            order = json.load(stream)[0]["Layers"]
        elif b"ustar" in stream.peek(512)[:512]:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as archive:
                layer.paths = [member.name.removeprefix("./") for member in archive]
        while stream.read(1 << 20):
            pass
    found = set().union(*(layers[file].found for file in layers.keys() - set(order)))
    return [*(layers[file] for file in order), Layer([], found)]


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


@pytest.fixture(scope="module")
def class_image(checkout, docker):
    """The image with the course inside, built from a checkout with answers in it."""
    answers = next(checkout.folder.glob("chapter*/exercises/*/answers.py"))
    starter = answers.read_text()
    answers.write_text(f"{starter}\n{SECRET}\n")
    done = checkout.inv("build", "--tag", "arena-lab:bench")
    answers.write_text(starter)
    assert done.returncode == 0, done.stderr
    yield "arena-lab:bench"
    docker("image", "rm", "arena-lab:bench")


@pytest.fixture(scope="module")
def layers(class_image, in_image, checkout):
    """The layers of the image with the course, and what was looked for in them."""
    wanted = {"pip's setting": checkout.marker.encode(), "an answer": SECRET.encode()}
    wanted |= own_certificates(in_image("cat /etc/ssl/certs/ca-certificates.crt"))
    for name, value in image.pip_config().items():
        if "url" in name:
            wanted[name] = value.encode()
    return read_layers(class_image, {**wanted, "known text": KNOWN})


@pytest.mark.slow
def test_no_layer_keeps_a_setting_of_the_machine_that_built_it_or_an_answer(layers):
    assert set().union(*(layer.found for layer in layers)) == {"known text"}


@pytest.mark.slow
def test_no_layer_has_what_only_the_build_needs(layers):
    assert any(path == "opt/venv/bin/invoke" for layer in layers for path in layer.paths)
    left = [path for layer in layers for path in layer.paths if LEFT_BEHIND.fullmatch(path)]
    assert left == []


@pytest.mark.slow
def test_course_is_in_the_last_layer_alone(layers):
    *others, last, _ = layers
    strange = [path for path in last.paths if path.partition("/")[0] != "lab"]
    assert "lab/inv" in last.paths
    assert strange == []
    assert [p for layer in others for p in layer.paths if p.startswith("lab/")] == []


def test_image_with_the_course_is_the_other_one_and_a_layer_more(class_image, image_name, docker):
    found = json.loads(docker("image", "inspect", class_image, image_name))
    whole, without = (each["RootFS"]["Layers"] for each in found)
    assert whole[:-1] == without


def test_class_image_has_the_course_with_fresh_starters(class_image, checkout, docker):
    paths = sorted(checkout.folder.glob("chapter*/exercises/*/answers.py"))
    names = [str(path.relative_to(checkout.folder)) for path in paths]
    said = docker("run", "--rm", class_image, "cat", *names)
    assert said == "".join(path.read_text() for path in paths)


def test_class_image_checks_answers(class_image, docker):
    said = docker("run", "--rm", class_image, "invoke", "test", "--section", "0.4", "--solutions")
    assert re.search(r"^\d+ passed, 0 failed$", said, re.M), said


def test_class_image_has_the_course_in_one_small_layer(class_image):
    assert 0 < course_layer() <= 20e6


def test_course_is_built_twice_to_the_same_files(class_image, checkout, docker):
    again = "arena-lab:bench-again"
    given = [f"--build-arg={name}" for name in ("BASE_IMAGE", "APT_MIRROR") if image.setting(name)]
    command = [
        "docker",
        "build",
        "--quiet",
        "--no-cache-filter=course",
        "--tag",
        again,
        *given,
        ".",
    ]
    subprocess.run(command, cwd=checkout.folder, env=image.environment(), check=True)
    try:
        assert compare(class_image, again) == (0, "")
    finally:
        docker("image", "rm", again)


def compare(*names: str) -> tuple[int, str]:
    """Give the exit status of container/compare, and the files that it names."""
    done = subprocess.run([ROOT / "container" / "compare", *names], capture_output=True, text=True)
    *named, _ = done.stdout.splitlines()
    return done.returncode, "\n".join(named)


@pytest.fixture
def small_image(docker, tmp_path):
    """Make an image of a few files, under a name; it is removed in the end."""
    names = []

    def make(name: str, **contents: str) -> str:
        folder = tmp_path / name.replace(":", "-")
        folder.mkdir()
        for file, content in contents.items():
            (folder / file).write_text(content)
        archive = shutil.make_archive(str(folder), "tar", folder)
        docker("import", archive, name)
        names.append(name)
        return name

    yield make
    docker("image", "rm", *names)


def test_compare_names_the_files_that_differ(small_image):
    one = small_image("arena-lab-test:one", same="1", other="2", gone="3")
    two = small_image("arena-lab-test:two", same="1", other="4", new="5")
    assert compare(one, two) == (
        1, "/gone: only in the first\n/new: only in the second\n/other: content",
    )  # fmt: skip


# The list of packages


@pytest.fixture(scope="module")
def bill(image_name, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("bill") / "sbom.json"
    sbom.write(path, image_name)
    return path.read_text()


def listed(bill: str, kind: str) -> set[tuple[str, str]]:
    rows = json.loads(bill)["components"]
    return {(r["name"], r["version"]) for r in rows if r["purl"].startswith(f"pkg:{kind}/")}


def test_list_of_packages_is_valid_cyclonedx(bill):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_list_of_packages_has_what_the_image_holds_of_pythons(bill, in_image):
    folders = in_image("cd /opt/venv/lib/python3.11/site-packages; ls -d *.dist-info").split()
    present = {tuple(folder.removesuffix(".dist-info").split("-")) for folder in folders}
    named = {(re.sub("[-_.]+", "_", name).lower(), v) for name, v in listed(bill, "pypi")}
    assert named == {(re.sub("[-_.]+", "_", name).lower(), v) for name, v in present}


def test_list_of_packages_has_what_the_image_holds_of_debians(bill, in_image):
    status = in_image("cat /var/lib/dpkg/status")
    present = re.findall(r"^Package: (.+)\n(?:.+\n)*?Version: (.+)$", status, re.M)
    assert len(present) > 50
    assert listed(bill, "deb") == set(present)


def test_list_of_packages_says_which_image_it_is_of(bill, docker, image_name):
    (found,) = json.loads(docker("image", "inspect", image_name))
    assert json.loads(bill)["metadata"]["component"]["version"] == found["Id"]


def test_list_of_packages_is_the_same_for_the_same_image(bill, image_name, tmp_path):
    sbom.write(tmp_path / "again.json", image_name)
    assert (tmp_path / "again.json").read_text() == bill
