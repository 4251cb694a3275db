"""An update brings the course up, and leaves every answer as it was written."""

import os
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from arena_lab import catalogue, starters, update
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.merging import merge
from arena_lab.paths import ROOT

Write = Callable[..., None]

OLD = '''\
# %%
import numpy as np

import tests

MAIN = __name__ == "__main__"

# %% [markdown]
# ### double
#
# about 5 minutes

# %%
def double(x):
    """Give twice `x`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_double(double)

# %% [markdown]
# ### halve, third
#
# about 5 minutes

# %%
def halve(x):
    """Give half of `x`."""
    raise NotImplementedError()


def third(x):
    """Give a third of `x`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_halve(halve)
    tests.test_third(third)

# %% [markdown]
# ### last
#
# about 5 minutes

# %%
def last(x):
    """Give the last of `x`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_last(last)
'''

SQUARE = '''\
# %% [markdown]
# ### square
#
# about 5 minutes

# %%
def square(x):
    """Give the square of `x`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_square(square)

'''


def written(text: str, name: str, body: str) -> str:
    """Put a body in the place of a stub."""
    head, _, rest = text.partition(f"def {name}(")
    return f"{head}def {name}(" + rest.replace("raise NotImplementedError()", body, 1)


def before(text: str, marker: str, more: str) -> str:
    return text.replace(marker, more + marker)


MINE = written(OLD, "double", "return 2 * x  # mine")
LAST = "# %% [markdown]\n# ### last\n"


def test_nothing_new_changes_nothing() -> None:
    assert merge(MINE, OLD, OLD).text == MINE


def test_file_without_answers_becomes_the_new_starter() -> None:
    new = before(OLD, LAST, SQUARE).replace("about 5", "about 10")
    assert merge(OLD, OLD, new).text == new


def test_new_exercise_comes_at_its_place() -> None:
    merged = merge(MINE, OLD, before(OLD, LAST, SQUARE))
    assert merged.text == before(MINE, LAST, SQUARE)
    assert merged.added == ["square"]


def test_new_exercise_at_the_end() -> None:
    new = OLD + "\n" + SQUARE.rstrip("\n") + "\n"
    assert merge(MINE, OLD, new).text == MINE + "\n" + SQUARE.rstrip("\n") + "\n"


def test_cells_of_the_learner_stay_where_they_are() -> None:
    mine = before(MINE, LAST, "# %%\nprint('a try of mine')\n\n")
    merged = merge(mine, OLD, before(OLD, LAST, SQUARE))
    assert merged.text == before(mine, LAST, SQUARE)


def test_changed_stub_is_renewed_where_nothing_was_written() -> None:
    new = OLD.replace("def last(x):", "def last(x, n=1):")
    merged = merge(MINE, OLD, new)
    assert merged.text == MINE.replace("def last(x):", "def last(x, n=1):")
    assert merged.renewed == ["last"]


def test_changed_stub_leaves_what_was_written() -> None:
    merged = merge(MINE, OLD, OLD.replace("def double(x):", "def double(x, y):"))
    assert merged.text == MINE
    assert merged.kept == ["double"]


def test_one_cell_is_renewed_definition_by_definition() -> None:
    mine = written(OLD, "halve", "return x / 2")
    new = OLD.replace("def third(x):", "def third(x, y):").replace("def halve(x)", "def halve(z)")
    merged = merge(mine, OLD, new)
    assert merged.text == mine.replace("def third(x):", "def third(x, y):")
    assert (merged.renewed, merged.kept) == (["third"], ["halve"])


def test_definition_that_is_new_in_a_written_cell_is_added() -> None:
    mine = written(OLD, "halve", "return x / 2")
    quarter = '\n\ndef quarter(x):\n    """Quarter."""\n    raise NotImplementedError()\n'
    third = '    """Give a third of `x`."""\n    raise NotImplementedError()\n'
    merged = merge(mine, OLD, OLD.replace(third, third + quarter))
    assert merged.text == mine.replace(third, third + quarter)
    assert merged.added == ["quarter"]


def test_new_import_reaches_a_cell_that_was_written_in() -> None:
    mine = MINE.replace("import numpy as np\n", "import math\nimport numpy as np\n")
    new = OLD.replace("import numpy as np\n", "import numpy as np\nimport torch\n")
    text = merge(mine, OLD, new).text
    assert "import math\n" in text
    assert "import torch\n" in text


def test_renamed_exercise_keeps_the_old_answer_and_brings_the_new_stub() -> None:
    new = OLD.replace("double", "twice")
    merged = merge(MINE, OLD, new)
    assert "return 2 * x  # mine" in merged.text
    assert "def twice(x):" in merged.text
    assert (merged.gone, merged.added) == (["double"], ["twice"])
    assert merged.renamed == {"twice": "double"}


def test_exercise_that_is_gone_and_was_not_begun_is_taken_out() -> None:
    new = OLD[: OLD.index(LAST)].rstrip("\n") + "\n"
    merged = merge(MINE, OLD, new)
    assert merged.text == MINE[: MINE.index(LAST)].rstrip("\n") + "\n"
    assert merged.removed == ["last"]


def test_what_the_learner_deleted_stays_deleted() -> None:
    mine = MINE[: MINE.index(LAST)].rstrip("\n") + "\n"
    assert merge(mine, OLD, OLD).text == mine


def test_broken_code_is_kept_to_the_byte() -> None:
    mine = written(OLD, "double", "return (2 *")
    merged = merge(mine, OLD, before(OLD, LAST, SQUARE).replace("double(x):", "double(x, y):"))
    assert merged.text == before(mine, LAST, SQUARE)
    assert merged.kept == ["double"]


def test_merging_again_changes_nothing() -> None:
    new = before(OLD, LAST, SQUARE).replace("def last(x):", "def last(x, n=1):")
    once = merge(MINE, OLD, new)
    again = merge(once.text, OLD, new)
    assert again.text == once.text
    assert again.kept == []


def test_unknown_old_starter_renews_nothing_and_adds_what_is_new() -> None:
    merged = merge(MINE, "", before(OLD, LAST, SQUARE).replace("last(x)", "last(x, n)"))
    assert merged.text == before(MINE, LAST, SQUARE)


def test_marks_of_a_merge_are_refused() -> None:
    with pytest.raises(LabError, match="unfinished merge"):
        merge("<<<<<<< HEAD\n" + MINE, OLD, OLD)


def script(*cells: str, **bodies: str) -> str:
    """Give a script of cells, each the names that it defines; unless told, they are stubs."""
    return "\n".join(
        "# %%\n" + "\n\n".join(f"def {n}():\n    {bodies.get(n, STUB)}\n" for n in cell.split())
        for cell in cells
    )


STUB = "raise NotImplementedError()"
PASS = "return 1  # mine"


@pytest.mark.parametrize(
    ("mine", "old", "new", "order"),
    [
        pytest.param(["a", "b"], ["a", "b"], ["a b"], "ab", id="two cells become one"),
        pytest.param(["a", "b c"], ["a", "b c"], ["a b", "c"], "abc", id="one moves up"),
        pytest.param(["a b", "c"], ["a b", "c"], ["a", "b c"], "abc", id="one moves down"),
        pytest.param(["a b"], ["a b"], ["a", "b"], "ab", id="one cell becomes two"),
        pytest.param(["a", "b"], ["a b"], ["a b c"], "abc", id="the learner cut a cell"),
        pytest.param(["a b"], ["a", "b"], ["a", "b c"], "abc", id="the learner joined two"),
        pytest.param(["a", "b", "a"], ["a", "b"], ["b a"], "aba", id="the learner has two"),
    ],
)
@pytest.mark.parametrize("name", ["", "a", "b", "a b"])
def test_definitions_that_move_between_cells_stand_there_once(
    mine: list[str], old: list[str], new: list[str], order: str, name: str
) -> None:
    bodies = dict.fromkeys(name.split(), PASS)
    merged = merge(script(*mine, **bodies), script(*old), script(*new))
    assert sorted(re.findall(r"^def (\w)", merged.text, re.M)) == sorted(order)
    assert merged.text.count(PASS) == sum(order.count(n) for n in bodies)
    assert merged.added == [n for n in "c" if n in "".join(new) and n not in "".join(old)]
    assert merge(merged.text, script(*old), script(*new)).text == merged.text


def test_untouched_cells_that_become_one_come_in_as_the_course_has_them() -> None:
    a, b = "# %%\nif MAIN:\n    tests.test_a(a)\n\n", "# %%\nif MAIN:\n    tests.test_b(b)\n\n"
    both = "# %%\nif MAIN:\n    tests.test_a(a)\n    tests.test_b(b)\n\n"
    first, second = script("a") + "\n", script("b") + "\n"
    end = "# %%\nprint()\n"
    new = script("a b") + "\n" + both + end
    assert merge(first + a + second + b + end, first + a + second + b + end, new).text == new


def test_answer_beside_a_stub_is_not_covered_when_the_stub_moves() -> None:
    mine = script("a", "b") + "\n" + script("a", a=PASS)
    text = merge(mine, script("a", "b"), script("b a") + "\n# %%\nprint()\n").text
    assert text.rindex("def a()") == text.rindex(f"def a():\n    {PASS}")


def test_new_exercise_reaches_a_file_beside_code_that_does_not_compile() -> None:
    mine = script("a b", a="return (")
    merged = merge(mine, script("a b"), script("a b c"))
    assert merged.text == f"{mine}\n{script('c')}"
    assert merged.added == ["c"]
    assert merge(merged.text, script("a b"), script("a b c")).text == merged.text


@pytest.mark.parametrize(
    "line", ["try:\n    import wandb\nexcept ImportError:\n    pass", "n: int"]
)
def test_answer_below_a_line_with_a_colon_is_found_without_an_old_starter(line: str) -> None:
    mine = f"# %%\n{line}\n\n\ndef a(x, y=1):\n    return x + y\n"
    assert merge(mine, "", script("a")).text.count("def a(") == 1


def test_new_exercise_comes_though_one_beside_it_was_deleted() -> None:
    merged = merge(script("b"), script("a", "b"), script("a c", "b"))
    assert "def c()" in merged.text


@pytest.mark.parametrize(
    "imports",
    [
        "from os.path import join, \\\n    split\n",
        "from os.path import (\n    join,\n    split,\n)\n",
        "import os; import sys\n",
    ],
)
def test_new_import_comes_after_one_over_two_lines(imports: str) -> None:
    mine = MINE.replace("import tests\n", f"import tests\n{imports}")
    text = merge(mine, OLD, OLD.replace("import tests\n", "import tests\nimport torch\n")).text
    assert text == mine.replace(imports, f"{imports}import torch\n")


def test_file_where_an_exercise_would_stand_twice_is_refused() -> None:
    with pytest.raises(LabError, match="a would stand in it twice"):
        merge(script("b"), script("b"), script("b", "a", "a"))


def cut(names: list[str], random: Random) -> list[str]:
    """Put names into cells of one to three."""
    cells = []
    while names:
        n = random.randint(1, 3)
        cells.append(" ".join(names[:n]))
        names = names[n:]
    return cells


def moved(names: list[str], random: Random) -> list[str]:
    """Give names in another order, but for most of them."""
    names = list(names)
    if names and random.random() < 0.5:
        names.insert(random.randrange(len(names)), names.pop(random.randrange(len(names))))
    return names


@pytest.mark.parametrize("seed", range(100))
def test_whatever_moves_no_answer_is_lost_or_covered(seed: int) -> None:
    random = Random(seed)
    old = list("abcdefgh")
    new = moved([n for n in old if random.random() < 0.9], random)
    new[random.randrange(len(new)) : 0] = ["x", "y"]
    before = cut(old, random)
    after = cut(new, random)
    mine = random.choice([before, cut(moved(old, random), random)])
    answers = {n: f"return '{n}'  # mine" for n in old if random.random() < 0.4}
    if random.random() < 0.3:
        answers["a"] = "return ("
    changed = {n: f"'new'\n    {STUB}" for n in new if random.random() < 0.3}
    text = script(*mine, **answers)
    if random.random() < 0.3:
        text += "\n# %%\nb = 3  # mine\n"
    merged = merge(text, script(*before), script(*after, **changed))
    found = Counter(re.findall(r"^(?:def )?(\w)(?:\(| =)", merged.text, re.M))
    for name, body in answers.items():
        assert f"def {name}():\n    {body}\n" in merged.text
    assert {n: found[n] for n in new} == {n: 1 + (n == "b" and "b = 3" in text) for n in new}
    assert "b = 3" not in text or merged.text.rindex("b = 3") > merged.text.find("def b(")
    assert sorted(merged.added) == ["x", "y"]
    assert merge(merged.text, script(*before), script(*after, **changed)).text == merged.text


# --- a checkout -------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ("git", "-c", "user.name=T", "-c", "user.email=t@example.org", *words),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


class Course:
    """A course with its remote, and a learner's clone of it."""

    def __init__(self, section: Section, root: Path) -> None:
        self.teacher, self.learner, self.root = root, root.parent / f"{root.name}-mine", root
        self.section = section
        self.name = section.answers.relative_to(root)
        (root / "arena_lab").mkdir()
        (root / "arena_lab/engine.py").write_text("VERSION = 1\n")
        (root / "old.py").write_text("OLD = 1\n")
        (root / ".gitignore").write_text(".lab/\n__pycache__/\n")
        git(root, "init", "--quiet", "--initial-branch=main")
        self.publish()
        git(root.parent, "clone", "--quiet", str(root), str(self.learner))
        self.introduce_the_learner()

    def introduce_the_learner(self) -> None:
        for key, value in (("user.name", "L"), ("user.email", "l@example.org")):
            git(self.learner, "config", key, value)

    def publish(self) -> None:
        git(self.teacher, "add", "--all")
        git(self.teacher, "commit", "--quiet", "-m", "Change the course")

    def change(self) -> None:
        """Put an exercise in, change a stub, and rename one; change files beside it."""
        solutions = self.section.solutions
        text = solutions.read_text()
        square = text[text.index("# %%\ndef triple") :].replace("triple", "square")
        text = text.replace("def double(x: np.ndarray)", "def double(x: np.ndarray, n: int = 2)")
        solutions.write_text(text.replace("# %%\ndef triple", f"{square}\n\n# %%\ndef triple"))
        page = self.section.page.read_text()
        exercise = page[page.index("::::{exercise} triple") :]
        page = page.replace(exercise, exercise.replace("triple", "square") + "\n" + exercise)
        self.section.page.write_text(page)
        (section,) = catalogue.sections(self.teacher)
        section.answers.write_text(starters.starter(section))
        (self.teacher / "arena_lab/engine.py").write_text("VERSION = 2\n")
        (self.teacher / "new.py").write_text("NEW = 1\n")
        (self.teacher / "old.py").unlink()

    def write(self, name: str, body: str) -> str:
        path = self.learner / self.name
        path.write_text(written(path.read_text(), name, body))
        return path.read_text()

    @property
    def answers(self) -> str:
        return (self.learner / self.name).read_text()

    def is_new(self) -> bool:
        return (
            (self.learner / "arena_lab/engine.py").read_text() == "VERSION = 2\n"
            and (self.learner / "new.py").exists()
            and not (self.learner / "old.py").exists()
        )


@pytest.fixture
def course(section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    made = Course(section, tmp_path)
    for module in (starters, update):
        monkeypatch.setattr(module, "STATE", made.learner / ".lab")
    return made


def test_course_that_is_new_stays(course: Course) -> None:
    done = update.update(course.learner, check=False)
    assert (done.answers, done.files) == ({}, [])


def test_course_is_brought_up_around_uncommitted_answers(course: Course) -> None:
    before = course.write("triple", "return 3 * x  # mine")
    course.change()
    course.publish()
    done = update.update(course.learner, check=False)
    assert course.is_new()
    assert "return 3 * x  # mine" in course.answers
    assert "def square(" in course.answers
    assert "def double(x: np.ndarray, n: int = 2)" in course.answers
    assert git(course.learner, "rev-parse", "HEAD") == git(course.teacher, "rev-parse", "HEAD")
    assert git(course.learner, "status", "--short").split() == ["M", str(course.name)]
    (copy,) = done.backups
    assert copy.read_text() == before


def test_course_is_brought_up_around_committed_answers(course: Course) -> None:
    course.write("triple", "return 3 * x  # mine")
    git(course.learner, "commit", "--quiet", "--all", "-m", "Write triple")
    course.change()
    course.publish()
    done = update.update(course.learner, check=False)
    assert done.merged_commits
    assert course.is_new()
    assert "return 3 * x  # mine" in course.answers
    assert git(course.learner, "status", "--short") == ""
    assert update.update(course.learner, check=False).answers == {}


def test_learner_with_a_fork_gets_the_teachers_course(course: Course) -> None:
    page = (ROOT / "docs/teaching.md").read_text()
    (block,) = re.findall(r"^```\n(git clone YOURS .+?)^```$", page, re.M | re.S)
    fork = course.root.parent / f"{course.root.name}-fork.git"
    git(course.root.parent, "clone", "--quiet", "--bare", str(course.teacher), str(fork))
    shutil.rmtree(course.learner)
    commands = block.replace("YOURS", str(course.teacher)).replace("FORK", str(fork))
    commands = commands.replace("arena-lab", course.learner.name)
    subprocess.run(["sh", "-ec", commands], cwd=course.root.parent, check=True)
    course.introduce_the_learner()
    course.write("triple", "return 3 * x  # mine")
    git(course.learner, "commit", "--quiet", "--all", "-m", "Write triple")
    git(course.learner, "push", "--quiet")
    course.change()
    course.publish()
    update.update(course.learner, check=False)
    assert course.is_new()
    git(course.learner, "push", "--quiet")
    handed_in = git(fork, "show", f"main:{course.name}")
    assert "return 3 * x  # mine" in handed_in
    assert "def square(" in handed_in


def test_check_changes_nothing(course: Course) -> None:
    before = course.write("triple", "return 3 * x")
    course.change()
    course.publish()
    done = update.update(course.learner, check=True)
    (merged,) = done.answers.values()
    assert (merged.added, merged.renewed) == (["square"], ["double"])
    assert sorted(done.files)[0] == "arena_lab/engine.py"
    assert course.answers == before
    assert not course.is_new()
    assert not (course.learner / ".lab").exists()


def test_changed_files_of_the_course_are_refused(course: Course) -> None:
    before = course.write("triple", "return 3 * x")
    (course.learner / "arena_lab/engine.py").write_text("VERSION = 'mine'\n")
    course.change()
    course.publish()
    with pytest.raises(LabError, match=r"nothing was touched:\n  arena_lab/engine\.py\n"):
        update.update(course.learner, check=False)
    assert course.answers == before


def test_file_of_the_learner_in_the_place_of_a_new_one_is_refused(course: Course) -> None:
    (course.learner / "new.py").write_text("mine\n")
    course.change()
    course.publish()
    with pytest.raises(LabError, match=r"new\.py"):
        update.update(course.learner, check=False)
    assert (course.learner / "new.py").read_text() == "mine\n"


def test_notes_and_staged_files_of_the_learner_stay(course: Course) -> None:
    (course.learner / "notes.md").write_text("mine\n")
    course.change()
    course.publish()
    update.update(course.learner, check=False)
    assert (course.learner / "notes.md").read_text() == "mine\n"


def test_unfinished_merge_of_git_is_told(course: Course) -> None:
    path = course.learner / course.name
    path.write_text(path.read_text().replace("def double(x: np.ndarray)", "def double(x)"))
    git(course.learner, "commit", "--quiet", "--all", "-m", "Write double")
    course.change()
    course.publish()
    with pytest.raises(subprocess.CalledProcessError):
        git(course.learner, "pull", "--no-rebase")
    with pytest.raises(LabError, match="git merge --abort"):
        update.update(course.learner, check=False)


def test_remote_that_cannot_be_reached_is_told(course: Course) -> None:
    before = course.write("double", "return 2 * x")
    shutil.move(course.teacher / ".git", course.teacher / "moved")
    with pytest.raises(LabError, match="git fetch failed"):
        update.update(course.learner, check=False)
    assert course.answers == before


@pytest.mark.parametrize("stop", ["_write_answers", "_move", "_git reset"])
def test_interrupted_update_goes_on(
    course: Course, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = course.write("triple", "return 3 * x  # mine")
    course.change()
    course.publish()
    name, _, word = stop.partition(" ")
    original = getattr(update, name)

    def interrupt(*args: object, **options: object) -> object:
        if not word or word in args:
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(update, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        update.update(course.learner, check=False)
    assert "return 3 * x  # mine" in course.answers
    monkeypatch.setattr(update, name, original)
    update.update(course.learner, check=False)
    assert course.is_new()
    assert course.answers.count("return 3 * x  # mine") == 1
    assert course.answers.count("def square(") == 1
    copies = sorted((course.learner / ".lab/backups").rglob("*.py"))
    assert copies[0].read_text() == before


@pytest.mark.parametrize("source", ["git", "folder"])
def test_full_disk_leaves_the_answers_whole(
    course: Course, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = course.write("triple", "return 3 * x  # mine")
    course.change()
    course.publish()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        where = None if source == "git" else str(course.teacher)
        with pytest.raises(LabError, match="No space left on device"):
            update.update(course.learner, where, check=False)
        assert course.answers == before
    update.update(course.learner, where, check=False)
    assert course.is_new() or source == "folder"


@pytest.mark.parametrize("form", ["folder", "zip file"])
def test_course_without_git_is_brought_up_from(course: Course, form: str, tmp_path: Path) -> None:
    shutil.rmtree(course.learner / ".git")
    course.write("triple", "return 3 * x  # mine")
    (course.learner / "notes.md").write_text("mine\n")
    with pytest.raises(LabError, match=r"\./inv update --source FILE\.zip"):
        update.update(course.learner, check=False)
    course.change()
    source = course.teacher
    if form == "zip file":
        archive = shutil.make_archive(str(tmp_path.parent / f"{tmp_path.name}-new"), "zip", source)
        source = Path(archive)
    done = update.update(course.learner, str(source), check=False)
    assert "return 3 * x  # mine" in course.answers
    assert "def square(" in course.answers
    assert (course.learner / "arena_lab/engine.py").read_text() == "VERSION = 2\n"
    assert (course.learner / "notes.md").read_text() == "mine\n"
    assert {path.read_text() for path in done.backups if "engine" in path.name} == {"VERSION = 1\n"}


def test_section_that_a_class_leaves_out_is_brought_up_too(course: Course) -> None:
    (course.learner / "class.toml").write_text('sections = ["9.2"]\n')
    course.change()
    done = update.update(course.learner, str(course.teacher), check=True)
    assert done.answers[str(course.name)].renewed == ["double"]


@pytest.mark.parametrize("form", ["folder", "zip file", "zip file without modes"])
def test_programs_of_a_newer_course_can_be_run(course: Course, form: str, tmp_path: Path) -> None:
    for folder in (course.teacher, course.learner):
        (folder / "inv").write_text("#!/bin/sh\n")
        (folder / "inv").chmod(0o755)
    (course.teacher / "inv").write_text("#!/bin/sh\necho new\n")
    shutil.copy(course.teacher / "inv", course.teacher / "start")
    source = course.teacher
    if form != "folder":
        source = tmp_path.parent / f"{tmp_path.name}-new.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(p for p in course.teacher.rglob("*") if p.is_file()):
                name = f"lab/{path.relative_to(course.teacher)}"
                if "without" in form:
                    archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
                else:
                    archive.write(path, name)
    update.update(course.learner, str(source), check=False)
    assert subprocess.check_output([course.learner / "inv"], text=True) == "new\n"
    if "without" not in form:
        assert os.access(course.learner / "start", os.X_OK)
    assert not os.access(course.learner / "new.py", os.X_OK)


def test_course_is_brought_up_where_there_is_no_git(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course.write("triple", "return 3 * x  # mine")
    course.change()
    archive = course.learner / "new.zip"
    course.publish()
    git(course.teacher, "archive", "--output", str(archive), "main")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(LabError, match=r"git is not installed.*--source FILE\.zip"):
        update.update(course.learner, check=False)
    update.update(course.learner, str(archive), check=False)
    assert "return 3 * x  # mine" in course.answers
    assert "def square(" in course.answers
    assert (course.learner / "arena_lab/engine.py").read_text() == "VERSION = 2\n"


def test_page_that_was_renamed_does_not_stand_there_twice(course: Course) -> None:
    page = course.section.page
    page.rename(page.with_name("91_[9.1]_Games.md"))
    update.update(course.learner, str(course.teacher), check=False)
    assert [path.name for path in catalogue.page_paths(course.learner)] == ["91_[9.1]_Games.md"]


def test_folder_without_a_course_is_told(course: Course, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no course"):
        update.update(course.learner, str(tmp_path / "chapter9_toys"), check=False)
