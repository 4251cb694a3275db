"""What README, docs/ and CONTRIBUTING say is there, and what is there is said."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from invoke import Collection
from markdown_it import MarkdownIt

import tasks
from arena_lab import catalogue
from arena_lab.checks import WrongAnswer
from arena_lab.paths import ROOT
from arena_lab.site import links

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()
CONTAINER = (ROOT / "docs/container.md").read_text()
CLASS = (ROOT / "docs/class.md").read_text()
TEXT = {path: path.read_text() for path in DOCUMENTS}
INV = (ROOT / "inv").read_text()
# What `inv` does itself, before there is an environment.
HOST_TASKS = re.findall(r"\w+", re.findall(r"^    (up \|.+)\)$", INV, re.M)[0])
TASKS = {
    *Collection.from_module(tasks).task_names,
    *HOST_TASKS,
}
COMMANDS = r"\./inv|git|cd|unzip|docker|helm|pip|invoke|\.venv/bin/\w+|container/compare"
SOURCES = ("*.py", "*.yml", "*.json", "inv", "Dockerfile", "container/*", ".ci/*", "*.env.example")


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bARENA_LAB_[A-Z_]+[A-Z]\b", text))


def source_files() -> list[Path]:
    listed = subprocess.run(
        ("git", "ls-files", "-z", *SOURCES), cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and not name.startswith("tests/")]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_is_named(task: str) -> None:
    assert any(re.search(rf"(\./inv|invoke) {task}\b", text) for text in TEXT.values())


def test_tasks_that_are_not_invokes_are_listed_and_excepted() -> None:
    (line,) = re.findall(r"echo '(In a container: .+)'", INV)
    (excepted,) = re.findall(r"^There `invoke` stands for(.+?)\n\n", README, re.M | re.S)
    for task in {*HOST_TASKS} - {*Collection.from_module(tasks).task_names}:
        assert re.search(rf"\b{task}\b", line)
        assert f"`{task}`" in excepted


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_only_tasks_that_exist_are_named(path: Path) -> None:
    named = re.findall(r"(?:\./inv|\binvoke) ([a-z][a-z-]*)", TEXT[path])
    assert set(named) <= TASKS


# A block is copied whole: a word behind a command would be its argument.
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_can_be_pasted(path: Path) -> None:
    fences = [token for token in MarkdownIt().parse(TEXT[path]) if token.type == "fence"]
    lines = [line for fence in fences for line in fence.content.splitlines()]
    commands = [line for line in lines if re.match(rf"({COMMANDS}) ", line)]
    assert [line for line in commands if "  " in line.strip()] == []


# A class's answers are in volumes that no container uses while nobody works.
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_removes_volumes_of_others(path: Path) -> None:
    spans = re.findall(r"(?<!Never by )`([^`\n]+)`", TEXT[path])
    lines = [*spans, *TEXT[path].splitlines()]
    risky = re.compile(r"^docker (volume prune|system prune .*--volumes|compose .*down .*-v)")
    assert [line for line in lines if risky.match(line)] == []


def test_every_variable_is_named_and_every_named_one_read() -> None:
    used = set.union(*(variables(path.read_text()) for path in source_files()))
    assert used == variables("".join(TEXT.values()))


def test_example_of_settings_and_their_table_agree() -> None:
    example = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    table = CONTAINER[CONTAINER.index("## Settings") : CONTAINER.index("## Where things are")]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))
    # Set by `./inv up` for each checkout; nobody writes it.
    assert named - {"COMPOSE_PROJECT_NAME"} == example


def test_example_of_a_classs_settings_and_their_table_agree() -> None:
    example = (ROOT / "deploy/server/.env.example").read_text()
    table = CLASS[CLASS.index("## Settings") : CLASS.index("## TLS")]
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", table))
    ours = {"ARENA_LAB_CLASS_NAME", "ARENA_LAB_CLASS_SOCKET", "ARENA_LAB_CLASS_PROXY_USER"}
    assert named - ours == set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", example, re.M))


@pytest.mark.parametrize(
    ("file", "text"),
    [("docker-compose.yml", CONTAINER), ("deploy/server/docker-compose.yml", CLASS)],
)
def test_every_service_and_port_is_named(file: str, text: str) -> None:
    compose = yaml.safe_load((ROOT / file).read_text())
    for name, service in compose["services"].items():
        assert name in text
        for port in service.get("ports", []):
            target = port["target"] if isinstance(port, dict) else port.split(":")[-1]
            assert str(target) in text


def test_table_of_sections_is_that_of_the_course() -> None:
    rows = re.findall(r"^\| (\d\.\d) \| (.+) \| (\d+) \| ([\d.]+) \|$", README, re.M)
    assert [(number, exercises, hours) for number, _, exercises, hours in rows] == [
        (section.number, str(len(section.exercises)), f"{section.hours:.1f}")
        for section in catalogue.every_section()
    ]
    for section, (_, text, *_) in zip(catalogue.every_section(), rows, strict=True):
        assert text.startswith(f"**{section.title}** ")


def test_map_of_the_repository_names_what_is_there() -> None:
    drawn = README[README.index("## What is where") : README.index("## Figures")]
    for path in re.findall(r"^([\w./*, -]+?)(?:  |$)", drawn, re.M):
        for name in path.strip().split(", "):
            if name and not name.startswith("```"):
                folders = (ROOT, ROOT / "chapter0_fundamentals")
                assert any(list(folder.glob(name)) for folder in folders), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in targets(TEXT[path]):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.exists(), target
        if anchor:
            assert anchor in headings(goal.read_text()), target


def test_model_of_a_teachers_own_test_tells_right_from_wrong() -> None:
    (model,) = re.findall(r"^```python\n(.+?)^```$", TEXT[ROOT / "docs/teaching.md"], re.M | re.S)
    scope: dict[str, Any] = {"__name__": "tests_mine"}
    exec(model, scope)
    check = scope["test_log_back_of_large_numbers"]
    check(lambda grad_out, out, x: grad_out / x)
    with pytest.raises(WrongAnswer):
        check(lambda grad_out, out, x: np.zeros(1))


def targets(text: str) -> list[str]:
    inline = (token.children or [] for token in MarkdownIt().parse(text))
    found = (child.attrs.get("href") or child.attrs.get("src") for row in inline for child in row)
    return [str(target) for target in found if target]


def headings(text: str) -> set[str]:
    return {links.slug(row) for row in re.findall(r"^#+ (.+)$", text, re.M)}
