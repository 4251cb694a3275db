"""The container opened in an editor, by the command line tool that editors use."""

import json
import re
import shutil
import subprocess

import pytest

from arena_lab.inside import CHECKS

# The last that runs on Debian 12's own Node.js.
CLI = "@devcontainers/cli@0.80.0"


@pytest.fixture(scope="module")
def cli(tmp_path_factory, image_name):
    """Run the tool in a checkout, and give its answer and what it logged."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here to fetch the dev container tool with")
    folder = tmp_path_factory.mktemp("cli")
    subprocess.run(
        ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder, CLI],
        check=True,
    )

    def run(checkout, command: str, *arguments: str):
        done = subprocess.run(
            [
                *(folder / "node_modules" / ".bin" / "devcontainer", command),
                *(f"--workspace-folder={checkout.folder}", *arguments),
            ],
            capture_output=True,
            text=True,
        )
        return done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def opened(cli, make_checkout, docker):
    """A checkout that an editor opened, and what it logged."""
    checkout = make_checkout(4242)
    answer, log = cli(checkout, "up")
    assert json.loads(answer.splitlines()[-1])["outcome"] == "success", log
    yield checkout, log
    volumes = [m["Name"] for m in checkout.container()["Mounts"] if m["Type"] == "volume"]
    checkout.compose("down")
    docker("volume", "rm", *volumes)


def inside(cli, checkout, *command: str) -> str:
    return cli(checkout, "exec", *command)[0].strip()


def test_check_runs_once_the_container_is_made(opened):
    _, log = opened
    verdicts = re.findall(r"(PASS|WARN|FAIL)  \w", log)
    assert verdicts == ["PASS"] * len(CHECKS), log


def test_it_is_the_hardened_container_of_compose(opened):
    checkout, _ = opened
    container = checkout.container()
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert container["Config"]["User"] == f"{checkout.user}:{checkout.user}"
    (binding,) = host["PortBindings"]["8888/tcp"]
    assert binding["HostIp"] == "127.0.0.1"


def test_editor_works_as_the_owner_of_the_checkout(cli, opened):
    checkout, _ = opened
    assert inside(cli, checkout, "id", "-u") == str(checkout.user)
    inside(cli, checkout, "touch", "/lab/from-the-editor")
    assert checkout.owner("from-the-editor") == checkout.user


def test_editors_server_has_a_place_that_outlives_the_container(cli, opened):
    checkout, _ = opened
    inside(cli, checkout, "mkdir", "/home/learner/.vscode-server/bin")
    cli(checkout, "up", "--remove-existing-container")
    assert inside(cli, checkout, "ls", "/home/learner/.vscode-server") == "bin"


def test_python_is_the_labs(cli, opened):
    checkout, _ = opened
    assert inside(cli, checkout, "python", "-c", "import sys, torch; print(sys.prefix)") == (
        "/opt/venv"
    )


def test_jupyterlab_is_there_too_and_up_gives_its_link(opened):
    checkout, _ = opened
    before = checkout.container()["Id"]
    lab = checkout.up()
    assert checkout.container()["Id"] == before
    assert lab.run_cell("print(6 * 7)") == "42"


def test_editor_that_opens_a_running_lab_takes_it_as_it_is(cli, another):
    lab = another.up()
    before = another.container()["Id"]
    answer, log = cli(another, "up")
    assert json.loads(answer.splitlines()[-1])["outcome"] == "success", log
    assert another.container()["Id"] == before
    assert lab.ask("GET", "/api/contents")[0] == 200


def test_extensions_ports_and_interpreter_are_set(cli, opened):
    checkout, _ = opened
    answer, _ = cli(checkout, "read-configuration", "--include-merged-configuration")
    merged = json.loads(answer.splitlines()[-1])["mergedConfiguration"]
    (editor,) = merged["customizations"]["vscode"]
    assert editor["extensions"] == ["ms-python.python", "ms-toolsai.jupyter"]
    assert editor["settings"]["python.defaultInterpreterPath"] == "/opt/venv/bin/python"
    assert merged["forwardPorts"] == [8888]
