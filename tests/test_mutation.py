"""Small changes of the solutions are made and tried, and a change that no test notices is told."""

import re
from pathlib import Path

import pytest

from arena_lab import mutants, mutation
from arena_lab.catalogue import Section, every_section
from arena_lab.errors import LabError
from arena_lab.mutation import score

SECTIONS = every_section()
each_section = pytest.mark.parametrize("section", SECTIONS, ids=[s.number for s in SECTIONS])


@pytest.fixture
def write_solution(section: Section) -> object:
    def write(body: str) -> None:
        text = section.solutions.read_text()
        section.solutions.write_text(text.replace("return 2 * x", body))

    return write


def changes(section: Section) -> set[tuple[str, str]]:
    return {(m.before, m.after) for m in mutants.of(section) if m.name == "double"}


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("return x + 2", "return x - 2"),
        ("return x + 2", "return x + 3"),
        ("return x < 2", "return x <= 2"),
        ("return not x", "return x"),
        ("return x.sum(axis=1)", "return x.sum()"),
        ("return x.sum(axis=1)", "return x.mean(axis=1)"),
        ("return f(x, 2)", "return f(2, x)"),
        ("return f(x, 2)", "return f(x)"),
        ("return x, 1", "return (1, x)"),
        ("return x", "return"),
        ("return x[1:]", "return x[:]"),
        ("return rearrange(x, 'a b -> a b')", "return rearrange(x, 'a b -> b a')"),
        ("x += 1; return x", mutants.REMOVED),
        ("if x: return 1", "if True:"),
    ],
)
def test_change(section: Section, write_solution: object, code: str, changed: str) -> None:
    write_solution(code)  # type: ignore[operator]
    assert changed in {after for _, after in changes(section)}


@pytest.mark.parametrize("code", ["raise ValueError(f'no {x} + 1')", "'''A docstring.'''", "pass"])
def test_what_says_nothing_is_left_alone(
    section: Section, write_solution: object, code: str
) -> None:
    write_solution(code)  # type: ignore[operator]
    assert changes(section) <= {(code.replace('"', "'"), mutants.REMOVED)}


def test_given_code_is_left_alone(section: Section) -> None:
    assert {m.name for m in mutants.of(section)} == {"double", "halve", "half_of_double", "triple"}


def test_tests_of_the_small_course_kill_every_mutant(section: Section) -> None:
    found = score(section, mutants.of(section))
    assert [str(m) for m in found.survived] == []
    assert found.share == 1


def test_mutant_that_nobody_notices_survives(section: Section, write_solution: object) -> None:
    write_solution("return 2 * x + 0.0 * np.ones(1)")  # type: ignore[operator]
    survived = {m.after for m in score(section, mutants.of(section)).survived}
    assert "return 2 * x + 0.0 / np.ones(1)" in survived


def test_mutant_that_never_ends_is_killed(section: Section, write_solution: object) -> None:
    write_solution("while x.sum() > 100: x = x / 2\n    return 2 * x")  # type: ignore[operator]
    endless = [m for m in mutants.of(section) if m.after == "while x.sum() >= 100:"]
    assert score(section, endless).killed == ()
    endless = [m for m in mutants.of(section) if m.after == "while x.sum() < 100:"]
    assert len(score(section, endless).killed) == 1


@pytest.fixture
def list_as_equal(section: Section, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    def write(mutant: mutants.Mutant, reason: str = 'reason = "0 / 1 is 0."') -> None:
        path = mutation.folder(section) / "equal.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        entry = f'[[equal]]\nname = "{mutant.name}"\nbefore = "{mutant.before}"\n'
        path.write_text(f'{entry}after = "{mutant.after}"\n{reason}\n')

    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    return write


def test_reasons_make_a_survivor_equal(
    section: Section, write_solution: object, list_as_equal: object
) -> None:
    write_solution("return 2 * x + 0.0 * np.ones(1)")  # type: ignore[operator]
    (one,) = (m for m in mutants.of(section) if m.after == "return 2 * x + 0.0 / np.ones(1)")
    list_as_equal(one)  # type: ignore[operator]
    found = score(section, [one])
    assert (found.equal, found.survived) == (((one, "0 / 1 is 0."),), ())
    assert "0 / 1 is 0." in mutation.as_markdown(found)


def test_reason_that_is_missing_is_told(section: Section, list_as_equal: object) -> None:
    list_as_equal(mutants.of(section)[0], reason="")  # type: ignore[operator]
    with pytest.raises(LabError, match="reason"):
        mutation.reasons(section)


def test_mutant_that_is_listed_as_equal_and_killed_is_told(
    section: Section, list_as_equal: object
) -> None:
    (one,) = (m for m in mutants.of(section) if m.after == "return 3 * x" and m.name == "double")
    list_as_equal(one)  # type: ignore[operator]
    assert score(section, [one]).mislisted == [one]


def test_solutions_that_fail_are_told(section: Section, write_solution: object) -> None:
    write_solution("return x")  # type: ignore[operator]
    with pytest.raises(LabError, match="our double does not pass its own tests"):
        score(section, mutants.of(section))


def test_same_seed_gives_the_same_sample(section: Section) -> None:
    every = mutants.of(section)
    assert mutants.sample(every, 3, 1) == mutants.sample(every, 3, 1)
    assert mutants.sample(every, 3, 1) != mutants.sample(every, 3, 2)
    assert mutants.sample(every, 10**6, 1) == every


@each_section
def test_equal_mutants_are_mutants_of_today(section: Section) -> None:
    known = {mutant.key for mutant in mutants.of(section)}
    assert sorted(set(mutation.reasons(section)) - known) == []


@each_section
def test_score_that_is_kept_reaches_the_goal(section: Section) -> None:
    path = mutation.folder(section) / "score.md"
    if not path.exists():
        pytest.skip("not measured yet")
    share = re.search(r"\| ([\d.]+) % \|", path.read_text())
    assert share
    assert float(share[1]) >= 100 * mutation.GOAL
