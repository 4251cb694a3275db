"""The notebooks of a section stand alone: prose, drawings, hints, and code that runs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

from arena_lab import cells, notebooks, pages, paths
from arena_lab.catalogue import Section, every_section
from arena_lab.errors import LabError
from arena_lab.pages import Block, Directive, Markdown

SECTIONS = every_section()
each_section = pytest.mark.parametrize("section", SECTIONS, ids=[s.number for s in SECTIONS])


def flat(text: str) -> str:
    """Give a text without quotation marks at line starts and without indentation."""
    return "\n".join(line.removeprefix("> ").strip() for line in text.split("\n"))


def prose_of(notebook: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def code_of(notebook: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def markdown_in(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Markdown):
            yield block.text
        else:
            yield from markdown_in(block.blocks)


def directives_in(blocks: Iterable[Block], name: str) -> Iterator[Directive]:
    for block in blocks:
        if isinstance(block, Directive):
            if block.name == name:
                yield block
            yield from directives_in(block.blocks, name)


def blocks_of(section: Section) -> list[Block]:
    return [block for part in pages.parse(section.page).subpages for block in part.blocks]


@each_section
@pytest.mark.parametrize("solutions", [False, True], ids=["exercises", "solutions"])
def test_all_prose_of_the_page_is_there(section: Section, solutions: bool):
    prose = flat(prose_of(notebooks.build(section, solutions=solutions)))
    assert [text for text in markdown_in(blocks_of(section)) if flat(text) not in prose] == []


@each_section
def test_all_drawings_are_there(section: Section):
    prose = prose_of(notebooks.build(section, solutions=False))
    drawings = re.findall(r"!\[(.+)\]\(data:image/png;base64,[A-Za-z0-9+/=]+\)", prose)
    figures = directives_in(blocks_of(section), "figure")
    assert drawings == [re.sub(r"[\[\]]", "", figure.options["alt"]) for figure in figures]


@each_section
def test_code_of_the_exercises_is_the_starters(section: Section):
    code = code_of(notebooks.build(section, solutions=False))
    starter = cells.definitions(section.answers.read_text(encoding="utf-8"))
    assert set(cells.definitions(code)) >= set(starter)
    assert "SOLUTION" not in code
    assert code.count("raise NotImplementedError()") == section.answers.read_text(
        encoding="utf-8"
    ).count("raise NotImplementedError()")


@each_section
def test_code_of_the_solutions_is_whole(section: Section):
    code = code_of(notebooks.build(section, solutions=True))
    ours = cells.definitions(section.solutions.read_text(encoding="utf-8"))
    assert [name for name in cells.definitions(code) if name in ours] == list(ours)
    assert "SOLUTION" not in code


@each_section
def test_tests_of_an_exercise_are_called_under_it(section: Section):
    code = code_of(notebooks.build(section, solutions=False))
    called = re.findall(r"^ *(tests\.test_\w+\(.*\))$", code, re.M)
    starter = section.answers.read_text(encoding="utf-8")
    assert called == re.findall(r"^ *(tests\.test_\w+\(.*\))$", starter, re.M)


@each_section
def test_the_same_sources_give_the_same_notebook(section: Section):
    assert notebooks.build(section, solutions=True) == notebooks.build(section, solutions=True)


def test_only_the_exercises_fold_a_solution(section: Section):
    folded = "<summary>Solution</summary>\n\n```python\ndef double("
    assert folded in prose_of(notebooks.build(section, solutions=False))
    assert folded not in prose_of(notebooks.build(section, solutions=True))


def test_hints_are_folded(section: Section):
    prose = prose_of(notebooks.build(section, solutions=False))
    assert "<details>\n<summary>Hint</summary>\n\nTwice what?\n\n</details>" in prose


def test_both_notebooks_are_written(section: Section, tmp_path: Path):
    folder = tmp_path / "new/folder"
    written = notebooks.write(section, folder)
    assert [path.name for path in written] == [
        "9.1_Toys_exercises.ipynb",
        "9.1_Toys_solutions.ipynb",
    ]
    for path in written:
        nbformat.validate(nbformat.read(path, as_version=4))


def test_a_folder_that_cannot_be_made_is_named(section: Section, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"file/9.1_Toys_exercises.ipynb cannot be written"):
        notebooks.write(section, tmp_path / "file")


def add_cell(section: Section, code: str) -> None:
    text = section.solutions.read_text(encoding="utf-8")
    section.solutions.write_text(f"{text}\n\n# %%\nif MAIN:\n    {code}\n", encoding="utf-8")


@pytest.mark.slow
def test_what_the_cells_show_is_kept(section: Section, tmp_path: Path):
    add_cell(section, "print(double(np.array([21])))")
    _, solutions = notebooks.write(section, tmp_path, run=True)
    shown = [
        output.text
        for cell in nbformat.read(solutions, as_version=4).cells
        for output in cell.get("outputs", ())
    ]
    assert shown[-1] == "[42]\n"


@pytest.mark.slow
def test_a_cell_that_fails_stops_it(section: Section, tmp_path: Path):
    add_cell(section, "double()")
    with pytest.raises(LabError, match=r"9.1: a cell of the solutions fails:(.|\n)*TypeError"):
        notebooks.write(section, tmp_path, run=True)


@pytest.mark.slow
def test_no_path_of_this_machine_goes_out(section: Section, tmp_path: Path):
    add_cell(section, f"print({str(paths.ROOT)!r})")
    with pytest.raises(LabError, match=r"the output of cell \d+ names a path of this machine"):
        notebooks.write(section, tmp_path, run=True)


# What Colab and Kaggle have, by the names of the imports.
THERE = {
    *("IPython", "PIL", "filelock", "numpy", "plotly", "psutil", "pyarrow", "requests", "torch"),
    *("torchvision", "tqdm", "wandb", "yaml"),
}


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_first_cell_brings_every_package_that_is_not_there():
    names = [s.folder / f"{name}.py" for s in SECTIONS for name in ("solutions", "tests", "utils")]
    seen: set[Path] = set()
    needed: set[str] = set()
    while names:
        file = names.pop()
        seen.add(file)
        for name in imported_by(file):
            needed.add(name.partition(".")[0])
            parts = paths.ROOT.joinpath(*name.split("."))
            ours = (parts.with_suffix(".py"), parts.parent.with_suffix(".py"))
            names += [each for each in ours if each.is_file() and each not in seen]
    distributions = packages_distributions()
    brought = {name for name, (by, *_) in distributions.items() if by in notebooks.PACKAGES.split()}
    others = {name for name in needed if name in distributions}

    assert others - THERE == brought


@pytest.mark.slow
def test_the_first_cell_brings_the_lab_where_it_is_not(section: Section, tmp_path: Path):
    course = section.page.parents[3]
    home = tmp_path / "away"
    repository = home / "repository"
    shutil.copytree(course / "chapter9_toys", repository / "chapter9_toys")
    shutil.copytree(paths.ROOT / "arena_lab", repository / "arena_lab")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.invalid", "-C", str(repository)]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "All"]):
        subprocess.run([*git, *words], check=True)

    # As on Colab: all packages that the lab needs, and not the lab.
    bare = home / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    packages = Path(nbformat.__file__).parents[1]
    (bare / "lib/python3.11/site-packages/all.pth").write_text(str(packages))
    code = code_of(notebooks.build(section, solutions=True))
    given, count = re.subn(
        r'^REPOSITORY = ".*"$', f'REPOSITORY = "file://{repository}"', code, flags=re.M
    )
    assert count == 1
    checked = subprocess.run(
        [bare / "bin/python", "-"],
        input=f"{given}\nprint(tests.__file__)",
        cwd=home,
        env={k: v for k, v in os.environ.items() if not k.startswith(("ARENA_LAB", "PYTHONPATH"))},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.splitlines() == [
        "✓ test_double passed",
        "✓ test_halve passed",
        "✓ test_half_of_double passed",
        "✓ test_triple passed",
        str(home / f"arena-lab/chapter9_toys/exercises/{section.package}/tests.py"),
    ]


# What a cell may draw or train for minutes, and how little of it shows that the cell works.
SMALL = {
    **{"n_pixels": 40, "small": 20, "num_frames": 2, "count": 1},
    **{"epochs": 1, "n_epochs": 1, "n_steps": 20},
}


def made_small(code: str) -> str:
    """Take less of everything that has a size; what a definition has as its default stays."""
    for name, most in SMALL.items():
        code = re.sub(
            rf"\b({name}) ?= ?(\d+)\b",
            lambda found, most=most: f"{found[1]}={min(int(found[2]), most)}",
            code,
        )
    return code


def test_a_size_is_made_small_and_a_default_stays() -> None:
    assert made_small("f(x, num_frames=24)\nepochs = 1_0") == "f(x, num_frames=2)\nepochs = 1_0"
    assert made_small("epochs: int = 3") == "epochs: int = 3"


@each_section
@pytest.mark.slow
def test_solutions_run_from_top_to_bottom(section: Section):
    notebook = notebooks.build(section, solutions=True)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = made_small(cell.source)

    notebooks.execute(notebook, section)

    cells_run = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells_run)
    assert any("passed" in str(cell.outputs) for cell in cells_run)
    assert "'output_type': 'error'" not in str(notebook)
