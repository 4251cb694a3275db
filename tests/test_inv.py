"""`./inv`: makes .venv from the lock when it has to, and runs the task in it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What `inv` needs besides a Python.
TOOLS = ["sh", "awk", "cat", "cksum", "dirname", "grep", "head", "mkdir", "paste", "rm", "sed"]

# Stands in for every Python: it "has" the version in $FAKE/version, makes environments that hold a
# copy of itself, and its pip writes the stand-in for uv. What was asked of it goes to $FAKE/calls.
FAKE_PYTHON = """#!/bin/sh
log() { echo "$*" >>"$FAKE/calls"; }
case "$1 $2" in
"-c "*)
    case $2 in *ensurepip*) [ ! -e "$FAKE/no-ensurepip" ]; exit ;; esac
    exec REAL -c 'import sys; sys.version_info = tuple(map(int, sys.argv[2].split(".")))
exec(sys.argv[1])' "$2" "$(cat "$FAKE/version")" ;;
"- "*) exec REAL "$@" ;;
"-m venv")
    log venv
    mkdir -p "$3/bin"
    [ ! -e "$FAKE/kill-venv" ] || { rm "$FAKE/kill-venv"; kill -9 $PPID; exit 1; }
    cp "$0" "$3/bin/python" ;;
"-m pip")
    [ "$3" = install ] || { cat "$FAKE/pip-settings" 2>/dev/null; exit; }
    log pip "$@"
    [ ! -e "$FAKE/offline" ] || { echo "Failed to establish a new connection"; exit 1; }
    cp "$FAKE/uv" "${0%python}uv" ;;
"-m arena_lab.compose") shift 2; log compose "$@"; echo "PYTHONPATH=$PYTHONPATH" ;;
esac
"""

# Stands in for uv: its packages are one script, `invoke`, which prints what it is called with.
FAKE_UV = """#!/bin/sh
bin=${0%uv}
case $* in
--version) exit ;;
*--dry-run*)
    [ ! -e "$FAKE/offline" ] || { echo "error: Request failed: dns error"; exit 2; }
    exit 0 ;;
esac
echo "uv $*" >>"$FAKE/calls"
env | grep -E '^(UV_|SSL_CERT|HTTPS_PROXY)' | sort >"$FAKE/environment"
[ ! -e "$FAKE/kill-uv" ] || { rm "$FAKE/kill-uv"; kill -9 $PPID; exit 1; }
[ ! -e "$FAKE/slow" ] || sleep 0.5
printf '#!/bin/sh\\necho "invoke $*"\\n' >"${bin}invoke"
chmod +x "${bin}invoke"
"""


class Checkout:
    """A copy of `inv` with a lock of its own, and stand-ins for Python and uv."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "lab"
        self.fake = folder / "fake"
        self.bin = folder / "bin"
        for path in (self.root, self.fake, self.bin):
            path.mkdir()
        shutil.copy(ROOT / "inv", self.root)
        (self.root / "pyproject.toml").write_text("[project]\n")
        (self.root / "requirements.txt").write_text("torch==2 \\\n    --hash=sha256:aa\n")
        (self.root / "requirements-dev.txt").write_text(
            "torch==2 \\\n    --hash=sha256:aa\nuv==1 \\\n    --hash=sha256:bb\n"
            "    # via arena-lab\nuvicorn==3 \\\n    --hash=sha256:cc\n"
        )
        for tool in [*TOOLS, "chmod", "cp", "env", "sleep", "sort"]:
            where = shutil.which(tool)
            assert where
            (self.bin / tool).symlink_to(where)
        self.write(self.fake / "uv", FAKE_UV)
        self.add_python("python3", "3.11.2")

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.write_text(text.replace("REAL", sys.executable))
        path.chmod(0o755)

    def add_python(self, name: str, version: str) -> None:
        self.write(self.bin / name, FAKE_PYTHON)
        (self.fake / "version").write_text(version)

    def switch(self, name: str, on: bool = True) -> None:
        (self.fake / name).touch() if on else (self.fake / name).unlink()

    def environment(self, **extra: str) -> dict[str, str]:
        return {"PATH": str(self.bin), "HOME": "/nowhere", "FAKE": str(self.fake)} | extra

    def start(self, *words: str, **extra: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.root / "inv", *words],
            env=self.environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*words, **extra)
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def calls(self) -> list[str]:
        """What was asked of the stand-ins since the last look."""
        path = self.fake / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def handed_to_uv(self) -> dict[str, str]:
        lines = (self.fake / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def made(checkout: Checkout) -> Checkout:
    assert checkout.run().returncode == 0
    checkout.calls()
    return checkout


def only_line(text: str) -> str:
    """The one line that a command wrote about a failure, after what it said on the way."""
    lines = [line for line in text.splitlines() if ".venv" not in line]
    assert len(lines) == 1, text
    return lines[0]


def test_first_start_installs_the_lock_and_runs_the_task(checkout: Checkout) -> None:
    result = checkout.run("test", "--section", "0.4")
    venv, pip, packages, link = checkout.calls()
    assert result.stdout == f"invoke --search-root {checkout.root} test --section 0.4\n"
    assert venv == "venv"
    assert "--require-hashes" in pip
    assert packages.endswith(f"--require-hashes -r {checkout.root}/requirements.txt")
    assert link.endswith(f"--no-deps --no-build-isolation --offline -e {checkout.root}")


def test_pip_brings_uv_by_the_hashes_of_the_lock(checkout: Checkout) -> None:
    checkout.run()
    block = (checkout.root / ".venv/.uv.txt").read_text()
    assert block.startswith("uv==1 \\\n    --hash=sha256:bb\n")
    assert "uvicorn" not in block


def test_no_arguments_lists_the_tasks(made: Checkout) -> None:
    listed, others = made.run().stdout.splitlines()
    assert listed == f"invoke --search-root {made.root} --list"
    assert others.startswith("In a container: up, down,")


@pytest.mark.parametrize("words", [["--list"], ["-l"], ["--list", "--depth=1"]])
def test_list_names_what_is_no_task_of_invoke(made: Checkout, words: list[str]) -> None:
    assert "A class: class." in made.run(*words).stdout


def test_list_that_fails_says_so(made: Checkout) -> None:
    (made.root / ".venv/bin/invoke").write_text("#!/bin/sh\nexit 7\n")
    assert made.run("--list").returncode == 7
    assert made.run("--list").stdout == ""


def test_later_starts_look_nothing_up(made: Checkout) -> None:
    made.run("test")
    assert made.calls() == []


def test_exit_code_is_the_tasks(made: Checkout) -> None:
    invoke = made.root / ".venv/bin/invoke"
    invoke.write_text("#!/bin/sh\nexit 7\n")
    assert made.run("test").returncode == 7


def test_changed_lock_installs_again_into_the_same_environment(made: Checkout) -> None:
    (made.root / "requirements.txt").write_text("torch==3 \\\n    --hash=sha256:dd\n")
    made.run("test")
    assert [call.split()[0] for call in made.calls()] == ["uv", "uv"]


def test_moved_checkout_is_linked_anew(made: Checkout) -> None:
    made.root = made.root.rename(made.root.with_name("moved lab"))
    made.run("test")
    assert made.calls()[-1].endswith(f"-e {made.root}")


def test_scripts_that_name_the_old_place_are_written_again(made: Checkout) -> None:
    (made.root / ".venv/bin/invoke").write_text(f"#!{made.root}/.venv/bin/python\n")
    made.root = made.root.rename(made.root.with_name("moved"))
    made.run("test")
    assert "--reinstall" in made.calls()[0]


def test_environment_whose_python_is_gone_is_made_anew(made: Checkout) -> None:
    python = made.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    made.run("test")
    assert made.calls()[0] == "venv"


def test_environment_made_by_hand_is_kept(made: Checkout) -> None:
    for stamp in made.root.glob(".venv/.holds-*"):
        stamp.unlink()
    made.run("test")
    assert "venv" not in made.calls()


def test_venv_cut_off_half_way_is_made_anew(checkout: Checkout) -> None:
    checkout.switch("kill-venv")
    assert checkout.run("test").returncode == -signal.SIGKILL
    checkout.calls()
    assert checkout.run("test").stdout.startswith("invoke")
    assert checkout.calls()[0] == "venv"


def test_packages_cut_off_half_way_are_written_again(checkout: Checkout) -> None:
    checkout.switch("kill-uv")
    assert checkout.run("test").returncode == -signal.SIGKILL
    checkout.calls()
    assert checkout.run("test").stdout.startswith("invoke")
    assert "--reinstall" in checkout.calls()[0]


def test_two_at_once_install_once(checkout: Checkout) -> None:
    checkout.switch("slow")
    both = [checkout.start("test"), checkout.start("test")]
    said = [process.communicate(timeout=30) for process in both]
    assert [out.startswith("invoke") for out, _ in said] == [True, True]
    assert checkout.calls().count("venv") == 1
    assert sum("another ./inv is installing; waiting" in err for _, err in said) == 1


def test_no_network_is_one_line_that_names_the_mirrors_variable(checkout: Checkout) -> None:
    checkout.switch("offline")
    result = checkout.run("test")
    line = only_line(result.stderr)
    assert result.returncode == 1
    assert "cannot reach the Python package index" in line
    assert "PIP_INDEX_URL" in line


def test_network_lost_after_uv_came_is_one_line_too(made: Checkout) -> None:
    (made.root / "requirements.txt").write_text("torch==3\n")
    made.switch("offline")
    result = made.run("test", PIP_INDEX_URL="https://me:secret@mirror.example/simple")
    assert "cannot reach https://mirror.example/simple" in only_line(result.stderr)
    assert "secret" not in result.stderr


def test_next_start_with_network_repairs(checkout: Checkout) -> None:
    checkout.switch("offline")
    checkout.run("test")
    checkout.switch("offline", on=False)
    assert checkout.run("test").stdout.startswith("invoke")


@pytest.mark.parametrize(
    ("setting", "variable", "value"),
    [
        ("global.index-url", "UV_DEFAULT_INDEX", "https://mirror.example/simple"),
        (":env:.index-url", "UV_DEFAULT_INDEX", "https://mirror.example/simple"),
        ("global.cert", "SSL_CERT_FILE", "/etc/ssl/ours.pem"),
        ("install.trusted-host", "UV_INSECURE_HOST", "mirror.example"),
        ("global.find-links", "UV_FIND_LINKS", "/wheels"),
        ("global.proxy", "HTTPS_PROXY", "http://proxy.example:3128"),
        (":env:.default-timeout", "UV_HTTP_TIMEOUT", "180"),
        ("global.timeout", "UV_HTTP_TIMEOUT", "60"),
    ],
)
def test_setting_of_pip_is_handed_to_uv(
    checkout: Checkout, setting: str, variable: str, value: str
) -> None:
    (checkout.fake / "pip-settings").write_text(f"{setting}='{value}'\n")
    checkout.run("test")
    assert checkout.handed_to_uv()[variable] == value


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        pytest.param(
            r"global.trusted-host='\na.example\nb.example'",
            "UV_INSECURE_HOST",
            "a.example b.example",
            id="hosts on lines of their own",
        ),
        pytest.param(
            r"global.find-links='/wheels\n/more  /all'",
            "UV_FIND_LINKS",
            "/wheels,/more,/all",
            id="folders of wheels",
        ),
        pytest.param(
            'global.cert="/it\'s/ours.pem"', "SSL_CERT_FILE", "/it's/ours.pem", id="a quote"
        ),
        pytest.param(
            "global.index-url='https://file'\ninstall.index-url='https://install'\n"
            ":env:.index-url='https://env'",
            "UV_DEFAULT_INDEX",
            "https://env",
            id="the environment over files",
        ),
        pytest.param(
            "global.index-url='https://file'\ninstall.index-url='https://install'",
            "UV_DEFAULT_INDEX",
            "https://install",
            id="what is for installing over the rest",
        ),
        pytest.param(
            "global.index-url='https://all'\nglobal.index-url='https://mine'",
            "UV_DEFAULT_INDEX",
            "https://mine",
            id="the last of several files",
        ),
        # uv takes a package from the first index that has it, and a later one may have other
        # builds of it than the lock.
        pytest.param(
            r"global.extra-index-url='\nhttps://a\nhttps://b'",
            "UV_INDEX",
            "https://pypi.org/simple https://a https://b",
            id="indexes besides the usual one",
        ),
        pytest.param(
            ":env:.index-url='https://env'\nglobal.extra-index-url='https://a'",
            "UV_INDEX",
            "https://env https://a",
            id="indexes besides one",
        ),
    ],
)
def test_settings_of_pip_hold_as_pip_reads_them(
    checkout: Checkout, settings: str, variable: str, value: str
) -> None:
    (checkout.fake / "pip-settings").write_text(settings + "\n")
    checkout.run("test")
    assert checkout.handed_to_uv()[variable] == value


@pytest.mark.parametrize(("value", "is_told"), [("true", True), ("1", True), ("false", False)])
def test_no_index_of_pip_is_an_option_of_uv(checkout: Checkout, value: str, is_told: bool) -> None:
    (checkout.fake / "pip-settings").write_text(f"global.no-index='{value}'\n")
    checkout.run("test")
    assert ("--no-index" in checkout.calls()[2]) == is_told


def test_setting_of_uv_wins_over_pips(checkout: Checkout) -> None:
    (checkout.fake / "pip-settings").write_text("global.index-url='https://pip.example'\n")
    checkout.run("test", UV_DEFAULT_INDEX="https://uv.example")
    assert checkout.handed_to_uv()["UV_DEFAULT_INDEX"] == "https://uv.example"


def test_project_task_brings_the_projects_packages_once(made: Checkout) -> None:
    made.run("check")
    assert made.calls()[0].endswith("requirements-dev.txt")
    made.run("check")
    made.run("test")
    assert made.calls() == []


def test_project_tasks_exist() -> None:
    named = re.search(r"project_tasks='(.*)'", (ROOT / "inv").read_text())
    assert named
    tasks = re.findall(r"^def (\w+)\(", (ROOT / "tasks.py").read_text(), re.MULTILINE)
    assert set(named[1].split()) <= {task.rstrip("_").replace("_", "-") for task in tasks}


def test_other_python_is_named_with_ways_to_get_the_right_one(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.13.1")
    result = checkout.run("test")
    line = only_line(result.stderr)
    assert result.returncode == 1
    assert f"needs Python 3.11; found 3.13.1 {checkout.bin}/python3." in line
    assert "conda create" in line
    assert not (checkout.root / ".venv").exists()


def test_update_without_the_right_python_names_the_way_in_the_container(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.13.1")
    line = only_line(checkout.run("update").stderr)
    assert 'or update in the container: docs/container.md, "A newer course"' in line
    assert "## A newer course\n" in (ROOT / "docs/container.md").read_text()


def test_no_python_at_all_is_said(checkout: Checkout) -> None:
    (checkout.bin / "python3").unlink()
    assert "found no Python at all" in only_line(checkout.run("test").stderr)


def test_python_without_venv_names_debians_package(checkout: Checkout) -> None:
    checkout.switch("no-ensurepip")
    assert "apt install python3.11-venv" in only_line(checkout.run("test").stderr)


@pytest.mark.parametrize("task", ["up", "down", "shell", "build"])
def test_container_tasks_need_no_environment(checkout: Checkout, task: str) -> None:
    checkout.add_python("python3", "3.9.2")
    result = checkout.run(task, "--gpu")
    assert checkout.calls() == [f"compose {task} --gpu"]
    assert result.stdout == f"PYTHONPATH={checkout.root}\n"
    assert not (checkout.root / ".venv").exists()


def test_container_tasks_refuse_an_old_python(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.8.10")
    assert "./inv up needs Python 3.9 or later" in only_line(checkout.run("up").stderr)


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        ("list 0.4", "list --section=0.4"),
        ("next 0.4", "next --section=0.4"),
        ("watch 0.4", "watch --section=0.4"),
        ("test 0.4 --all", "test --section=0.4 --all"),
        ("test 0.4 log_back --solutions", "test --section=0.4 --exercise=log_back --solutions"),
        ("test log_back", "test --exercise=log_back"),
        ("mutate 0.4 --all", "mutate --section=0.4 --all"),
        ("test --section 0.4", "test --section 0.4"),
        ("list progress", "list progress"),
        ("hint log_back", "hint log_back"),
        ("test", "test"),
    ],
)
@pytest.mark.parametrize("container", ["", "1"])
def test_section_and_exercise_need_no_flag(
    made: Checkout, typed: str, run: str, container: str
) -> None:
    made.write(made.bin / "invoke", '#!/bin/sh\necho "invoke $*"\n')
    said = made.run(*typed.split(), ARENA_LAB_CONTAINER=container).stdout
    assert said.partition(f"--search-root {made.root} ")[2] == f"{run}\n"


def test_in_the_container_invoke_is_what_is_on_the_path(checkout: Checkout) -> None:
    checkout.write(checkout.bin / "invoke", '#!/bin/sh\necho "container $*"\n')
    result = checkout.run("test", ARENA_LAB_CONTAINER="1")
    assert result.stdout == f"container --search-root {checkout.root} test\n"
    assert not (checkout.root / ".venv").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_folder_that_cannot_be_written_is_said(checkout: Checkout) -> None:
    checkout.root.chmod(0o555)
    assert "cannot write in" in only_line(checkout.run("test").stderr)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_inv_is_clean_by_shellcheck() -> None:
    result = subprocess.run(["shellcheck", ROOT / "inv"], capture_output=True, text=True)
    assert result.stdout == ""


TASKS = '''
from invoke import task

@task
def hello(c):
    """Say where the engine is."""
    import arena_lab
    print(arena_lab.__file__)
'''


def small_lock(names: str) -> str:
    """The blocks of the real lock for a few packages."""
    blocks = re.split(r"^(?=[a-z])", (ROOT / "requirements-dev.txt").read_text(), flags=re.M)
    return "".join(block for block in blocks if block.split("==")[0] in names.split())


@pytest.mark.slow
def test_real_environment_survives_a_move_and_a_cut(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    (root / "arena_lab").mkdir(parents=True)
    (root / "chapter0_fundamentals/exercises").mkdir(parents=True)
    (root / "arena_lab/__init__.py").touch()
    (root / "tasks.py").write_text(TASKS)
    shutil.copy(ROOT / "inv", root)
    shutil.copy(ROOT / "pyproject.toml", root)
    needed = "invoke hatchling packaging pathspec pluggy tomlkit trove-classifiers"
    (root / "requirements.txt").write_text(small_lock(needed))
    (root / "requirements-dev.txt").write_text(small_lock(needed + " uv"))

    def hello(folder: Path) -> str:
        result = subprocess.run([folder / "inv", "hello"], capture_output=True, text=True)
        if "cannot reach" in result.stderr:
            pytest.skip("the package index cannot be reached")
        return result.stdout or result.stderr

    assert hello(root) == f"{root}/arena_lab/__init__.py\n"
    moved = root.rename(tmp_path / "moved")
    assert hello(moved) == f"{moved}/arena_lab/__init__.py\n"
    shutil.rmtree(next(moved.glob(".venv/lib/python*/site-packages/invoke")))
    (moved / ".venv/.unfinished").write_text("packages\n")
    assert hello(moved) == f"{moved}/arena_lab/__init__.py\n"
