"""What is fetched from elsewhere stands in one list, and each has a variable that replaces it."""

import re
import subprocess

import pytest

from arena_lab import hosts
from arena_lab.paths import ROOT

CODE = ("*.py", "*.js", "*.yml", "*.toml", "inv", "*Dockerfile", "container/*", ".ci/*")
# The course's pages, notebooks and messages name what a person may open; nothing here follows it.
TEXT = (":!tests", ":!*/pages/*", ":!docs")

FETCHED = {
    "arena_lab/hosts.py": {
        url.split("/")[2] for url in [hosts.PACKAGES, *hosts.DATA.values(), hosts.ADVISORIES]
    },
    # APT_MIRROR
    "Dockerfile": {"deb.debian.org"},
    "deploy/server/Dockerfile": {"deb.debian.org"},
    # What the containers of a class call each other.
    "deploy/server/jupyterhub_config.py": {"proxy"},
    "docker-compose.yml": {"deb.debian.org"},
    ".ci/engine": {"deb.debian.org"},
    # Before an index of one's own, the usual one, which uv takes when nothing is said.
    "inv": {"pypi.org"},
    "container/install": {"pypi.org"},
}
# In messages: where a person gets what is missing. The last names kinds of elements.
SHOWN = {"docs.docker.com", "docs.nvidia.com", "example.com", "wandb.ai", "www.w3.org"}

VARIABLES = {
    "PIP_INDEX_URL",
    "APT_MIRROR",
    "BASE_IMAGE",
    "ARENA_LAB_DATA_MIRROR",
    "HF_ENDPOINT",
    "HTTPS_PROXY",
    "ARENA_LAB_CA",
    "ARENA_LAB_OFFLINE",
}


def addresses() -> list[tuple[str, str]]:
    """Give file and host of every address that the code names."""
    listed = subprocess.run(
        ("git", "grep", "-noIE", r"https?://[A-Za-z0-9][A-Za-z0-9.-]*", "--", *CODE, *TEXT),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = (row.split(":", 2) for row in listed.splitlines())
    return sorted({(file, found.partition("//")[2].strip(".")) for file, _, found in rows})


def test_no_other_host_is_named_in_the_code() -> None:
    strange = [
        (file, host)
        for file, host in addresses()
        if host not in {"127.0.0.1", "localhost", ""} | SHOWN | FETCHED.get(file, set())
    ]
    assert strange == []


def test_every_host_is_named_where_it_is_said_to_be() -> None:
    found = addresses()
    for file, wanted in FETCHED.items():
        assert wanted == {host for name, host in found if name == file} & wanted


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_each_way_round_is_documented_and_empty_by_default(name: str) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert re.search(rf"^#{name}=", example, re.M)
    assert f"`{name}`" in (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
