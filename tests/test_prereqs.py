"""0.0 alone: its examples print what the page says, its digits are what their code draws."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from part0_prereqs import utils

from arena_lab.catalogue import find_section
from chapter0_fundamentals.instructions.figures import digits

SECTION = find_section("0.0")
PAGE = SECTION.page.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


def words(text: str) -> str:
    return " ".join(text.split())


def first_line(code: str) -> str:
    return next(row for row in code.splitlines() if "import" not in row and row)


@pytest.mark.parametrize("code", blocks("python"), ids=first_line)
def test_python_example_prints_what_stands_behind_its_lines(code: str) -> None:
    expected = re.findall(r"^print\(.*?\)  # (.*)$", code, flags=re.M)
    assert len(expected) == len(re.findall(r"^print\(", code, flags=re.M)) > 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "example", "exec"), {"__name__": "example"})
    assert words(printed.getvalue()) == words(" ".join(expected))


@pytest.mark.parametrize(
    "code", [code for code in blocks("bash") if not code.startswith("./inv")], ids=first_line
)
def test_shell_example_prints_what_stands_behind_its_lines(code: str, tmp_path: Path) -> None:
    expected = re.findall(r"# → (.*)$", code, flags=re.M)
    assert expected
    # The examples mean the Python of this environment, and nobody's own settings of git.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [words(line) for line in done.stdout.splitlines()]
    assert [line for line in lines if line in expected] == expected, done.stdout


def test_digits_are_what_their_code_draws() -> None:
    # Another machine may round a pixel's edge the other way.
    stored = np.round(255 * utils.load_digits()).astype(int)
    assert stored.shape == (6, 3, 150, 150)
    assert abs(stored - digits.draw()).max() <= 1


def test_each_colour_channel_of_a_digit_is_a_picture_of_its_own() -> None:
    for digit in utils.load_digits():
        correlation = np.corrcoef(digit.reshape(3, -1))
        assert correlation[~np.eye(3, dtype=bool)].min() < 0.9


@pytest.mark.parametrize("number", range(1, 13))
def test_right_answer_is_shown_as_the_target(number: int) -> None:
    figure = utils.show_einops_figure(number, lambda arr: utils.einops_target(number, arr))
    target, yours = figure.data
    assert target.source == yours.source
    assert [title.text.split()[0] for title in figure.layout.annotations] == ["target", "yours"]


@pytest.mark.parametrize(
    ("result", "text"),
    [(None, "is a return missing?"), (np.zeros((6, 3, 4, 4)), "no picture: shape (6, 3, 4, 4)")],
)
def test_answer_that_is_no_picture_is_shown_as_text(result: object, text: str) -> None:
    figure = utils.show_einops_figure(1, lambda arr: result)
    assert len(figure.data) == 1
    assert any(text in note.text for note in figure.layout.annotations)


def test_unwritten_answer_shows_the_target_alone() -> None:
    def unwritten(arr: np.ndarray) -> np.ndarray:
        raise NotImplementedError()

    figure = utils.show_einops_figure(1, unwritten)
    assert any("not written yet" in note.text for note in figure.layout.annotations)


def test_answer_cannot_change_the_target() -> None:
    def spoil(arr: np.ndarray) -> np.ndarray:
        arr[:] = 0
        return arr[0]

    target, yours = utils.show_einops_figure(9, spoil).data
    assert target.source != yours.source


def test_array_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(150, 150, 3\) is no picture"):
        utils.display_array_as_img(np.zeros((150, 150, 3)))


def test_slider_shows_one_path_at_a_time() -> None:
    figure = utils.descent_by_learning_rate()
    for step in figure.layout.sliders[0].steps:
        valley, *paths = step.args[0]["visible"]
        assert valley
        assert paths.count(True) == 1
