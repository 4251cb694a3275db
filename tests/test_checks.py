"""A comparison passes what is right in any style, and names what is wrong."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arena_lab import checks, paths
from arena_lab.checks import WrongAnswer, call, expect, raises

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def sentence(actual: Any, expected: Any, **options: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        expect(actual, expected, of="y", **options)
    return caught.value.sentence.removeprefix("y: ")


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (X.copy(), X),
        (X.astype(np.float32), X),
        (np.float64(2.0), 2.0),
        (np.array(2.0), 2.0),
        (2.0, np.array(2.0)),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])),
        ([X, 1.0], (X, 1.0)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        ("a", "a"),
        (None, None),
    ],
)
def test_equal_values_pass(actual: Any, expected: Any) -> None:
    expect(actual, expected, of="y")


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (None, X, "the result is None: is a return statement missing?"),
        ("text", X, "the result is a str, not a numpy array"),
        (X.T, X, "the shape is (3, 2); it must be (2, 3) (the axes are swapped)"),
        (X[None], X, "the shape is (1, 2, 3); it must be (2, 3) (an axis of size 1 too many)"),
        (X.sum(), X, "the shape is (); it must be (2, 3) (everything was reduced to one number)"),
        (X.astype(int), X, "the values are integer (int64); they must be floating-point"),
        (X > 3, X, "the values are boolean (bool); they must be floating-point"),
        (-X, X, "the sign is the wrong way round"),
        (X / 6, X, "every value is 0.1667 times the expected one"),
        (X * 1.0002, X, "every value is 1.0002 times the expected one"),
        (X * -1.0002, X, "every value is -1.0002 times the expected one"),
        (0 * X, X, "every value is zero"),
        (X[:2, :2].T, X[:2, :2], "the result is transposed"),
        (X[::-1], X, "the values are right but stand in the wrong places"),
        (X + np.eye(2, 3), X, "2 of 6 values are wrong"),
        (np.where(X > 5, np.nan, X), X, "1 of 6 values is NaN where a finite number is expected"),
        (0 * X + 2, 0 * X + 1, "6 of 6 values are wrong"),
        (2 * np.array([1, 0, 2]), np.array([1, 0, 2]), "2 of 3 values are wrong"),
        (X < 4, X > 2, "5 of 6 values are wrong"),
        (X <= 2, X > 2, "True stands where False must stand, and False where True must"),
        (3.0, 2.0, "the value is wrong"),
        ((X, 1.0), (X, 2.0), "in result[1], the value is wrong"),
        ([X], (X, X), "the result holds 1 values; expected 2"),
    ],
)
def test_difference_is_named(actual: Any, expected: Any, said: str) -> None:
    assert sentence(actual, expected) == said


def test_known_mistake_comes_first() -> None:
    mistakes = {"this is the square": X**2, "this is the root": np.sqrt(X)}
    assert sentence(X**2, X, mistakes=mistakes) == "this is the square"


def test_mistake_of_another_shape_is_known_too() -> None:
    mistakes = {"this sums over the wrong axis": X.sum(0)}
    assert sentence(X.sum(0), X.sum(1), mistakes=mistakes) == "this sums over the wrong axis"


def test_mistake_that_is_right_is_a_fault_of_the_test() -> None:
    with pytest.raises(ValueError, match="is the right result"):
        expect(X, X, of="y", mistakes={"nonsense": X.copy()})


def details(actual: Any, expected: Any, **options: Any) -> dict[str, str]:
    with pytest.raises(WrongAnswer) as caught:
        expect(actual, expected, of="y", **options)
    return dict(caught.value.details)


def test_truth_values_are_shown_as_python_writes_them() -> None:
    shown = details(np.array([True, True]), np.array([True, False]))
    assert shown["differs"] == "at [1]: True instead of False"


@pytest.mark.parametrize(
    ("have", "want", "shown"),
    [
        (1234567, 1234568, "1234567 instead of 1234568"),
        (1.00000012, 1.0, "1.00000012 instead of 1"),
        (np.inf, 2.5, "inf instead of 2.5"),
    ],
)
def test_numbers_that_differ_never_look_the_same(have: Any, want: Any, shown: str) -> None:
    said = details(np.array([have, 0]), np.array([want, 0]), rtol=1e-9, atol=0.0)
    assert said["differs"] == f"at [0]: {shown}"


def test_large_values_are_shown_around_the_first_difference() -> None:
    want = np.arange(40.0).reshape(2, 20)
    have = want.copy()
    have[1, 9] = np.inf
    shown = details(have, want)
    assert shown["is"] == (
        "array of shape (2, 20), float64; at [1, 6:12]: [26., 27., 28., inf, 30., 31.]"
    )
    assert shown["expected"].endswith("at [1, 6:12]: [26., 27., 28., 29., 30., 31.]")


@pytest.mark.parametrize(
    ("actual", "returns", "said"),
    [
        ("tensor", float, "the result is a torch.Tensor, and must be a float: .item() makes"),
        (2.0, "tensor", "the result is a float, and must be a torch.Tensor: leave out .item()"),
        (np.float32(2.0), float, "the result is a numpy.float32, and must be a float"),
        (None, float, "the result is None"),
    ],
)
def test_type_of_a_number_is_held_to_where_asked(actual: Any, returns: Any, said: str) -> None:
    import torch

    actual = torch.tensor(2.0) if isinstance(actual, str) else actual
    returns = torch.Tensor if isinstance(returns, str) else returns
    assert said in sentence(actual, 2.0, returns=returns)


@pytest.mark.parametrize("actual", [2.0, 2, np.float64(2.0)])
def test_what_is_a_float_passes_for_one(actual: Any) -> None:
    expect(actual, type(actual)(2), of="y", returns=float)


def test_exact_dtype_only_where_asked() -> None:
    said = sentence(X.astype(np.float32), X, dtype=True)
    assert said == "the dtype is float32; it must be float64"


def test_tensor_is_not_taken_for_an_array() -> None:
    import torch

    assert sentence(torch.tensor(X), X) == "the result is a torch.Tensor, not a numpy array"
    expect(torch.tensor(2.0, requires_grad=True), 2.0, of="y")
    expect(torch.tensor(X), torch.tensor(X), of="y")


def test_message_shows_call_result_and_place() -> None:
    def square(x: np.ndarray) -> np.ndarray:
        return x**2

    with pytest.raises(WrongAnswer) as caught:
        call(square, np.array([1.0, 3.0])).gives(np.array([1.0, 6.0]))
    assert str(caught.value).splitlines() == [
        "square: 1 of 2 values is wrong",
        "  called    square([1., 3.])",
        "  returned  array of shape (2,), float64: [1., 9.]",
        "  expected  array of shape (2,), float64: [1., 6.]",
        "  differs   at [1]: 9 instead of 6",
    ]


def test_long_call_has_a_line_for_each_argument() -> None:
    def scale(rows: np.ndarray, *others: np.ndarray, by: float) -> None: ...

    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert call(scale, rows, rows, by=2.0).text.splitlines() == [
        "scale(",
        "    rows=[[1., 2.],",
        "          [3., 4.]],",
        "    [[1., 2.],",
        "     [3., 4.]],",
        "    by=2.0,",
        ")",
    ]


def test_large_arguments_are_shown_by_shape() -> None:
    assert call(np.sum, np.ones((4, 7))).text == "sum(<array of shape (4, 7)>)"
    assert call(np.sum, np.ones((0, 3))).text == "sum(<array of shape (0, 3)>)"


@pytest.mark.parametrize("spoil", [lambda x: x.sort(), lambda x: x.__iadd__(1)])
def test_change_in_place_is_named(spoil: Callable[[np.ndarray], Any]) -> None:
    def answer(x: np.ndarray) -> None:
        spoil(x)

    with pytest.raises(WrongAnswer, match="answer changed its argument x in place"):
        call(answer, np.array([3.0, 1.0]))


def test_error_in_an_answer_keeps_the_call_as_a_note() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        call(lambda x: x / 0, 1)
    assert caught.value.__notes__ == ["in the call <lambda>(1)"]


def test_raises_wants_the_error() -> None:
    assert str(raises(ValueError, int, "x", because="x is no number")).startswith("invalid")
    with pytest.raises(WrongAnswer, match="int must raise ValueError: x is no number"):
        raises(ValueError, int, "3", because="x is no number")
    with pytest.raises(WrongAnswer, match="int must raise TypeError, not ValueError: x is no"):
        raises(TypeError, int, "x", because="x is no number")


def test_raises_does_not_take_a_stub_for_an_answer() -> None:
    def stub() -> None:
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        raises(Exception, stub, because="anything")


def test_called_by_hand_a_test_prints_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @checks.checks("double")
    def test_double(double: Callable[[float], float]) -> None:
        call(double, 2.0).gives(4.0)

    monkeypatch.setattr(checks, "by_hand", True)
    test_double(lambda x: 2 * x)
    assert capsys.readouterr().out == "✓ test_double passed\n"


@pytest.mark.parametrize(
    "answer", [lambda x: x, functools.partial(max, 1.0), type("Same", (), {"__call__": max})()]
)
def test_answer_without_a_name_goes_by_that_of_the_exercise(answer: Any) -> None:
    @checks.checks("double")
    def test_double(double: Callable[[float], float]) -> None:
        call(double, 2.0).gives(4.0)

    with pytest.raises((WrongAnswer, TypeError)):
        test_double(answer)
    assert answer.__name__ == "double"


def test_notebook_shows_the_explanation_alone() -> None:
    (shown,) = WrongAnswer("f: no", ("called", "f(1)"))._render_traceback_()
    assert shown == "Wrong answer: f: no\n  called  f(1)"


def test_notebook_shows_html_with_what_the_learner_wrote_escaped() -> None:
    shown = WrongAnswer("f: <b> & no", ("returned", "<script>x</script>"))._repr_html_()
    assert "f: &lt;b&gt; &amp; no" in shown
    assert "&lt;script&gt;x&lt;/script&gt;" in shown
    assert "<script>" not in shown


def test_kernel_gets_html_and_text_and_one_line_as_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython.display

    shown: list[dict[str, str]] = []
    monkeypatch.setattr(checks, "_shows_html", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: shown.append(data))
    wrong = WrongAnswer("f: no", ("called", "f(1)"))
    assert wrong._render_traceback_() == ["Wrong answer: f: no"]
    (data,) = shown
    assert data["text/plain"] == "f: no\n  called  f(1)"
    assert "f(1)" in data["text/html"]


def test_called_by_hand_a_failure_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    from arena_lab.catalogue import every_section

    section = every_section()[0]
    exercise = section.exercises[0]

    def test_it(x: int) -> None:
        raise WrongAnswer("x: no")

    test_it.__module__ = f"{section.package}.tests"
    monkeypatch.setattr(checks, "by_hand", True)
    with pytest.raises(WrongAnswer) as caught:
        checks.checks(exercise.name)(test_it)(1)
    assert f"page {section.number}, {exercise.subpage}" in str(caught.value)


@pytest.mark.slow
def test_failure_in_a_real_kernel() -> None:
    import nbclient
    import nbformat

    code = (
        "from arena_lab.checks import checks, call\n"
        "@checks('double')\n"
        "def test_double(double): call(double, 2.0).gives(4.0)\n"
        "test_double(lambda x: x)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, allow_errors=True, kernel_name="python3").execute()
    shown, error = (o for o in notebook.cells[0].outputs if o.output_type != "stream")
    assert "the value is wrong" in shown.data["text/html"]
    assert "expected" in shown.data["text/plain"]
    assert error.traceback == ["Wrong answer: double: the value is wrong"]


@pytest.mark.slow
def test_error_in_a_real_kernel_shows_the_lines_of_the_learner_alone() -> None:
    import nbclient
    import nbformat

    code = (
        "from part0_prereqs import tests\n"
        "def helper(m): return m + nothing\n"
        "def collect_rows(matrix, row_indexes): return helper(matrix)\n"
        "tests.test_collect_rows(collect_rows)"
    )
    exercises = str(paths.ROOT / "chapter0_fundamentals/exercises")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"import sys; sys.path.append({exercises!r})\n{code}")]
    )
    nbclient.NotebookClient(notebook, allow_errors=True, kernel_name="python3").execute()
    shown, error = (o for o in notebook.cells[0].outputs if o.output_type != "stream")
    said = "collect_rows raised NameError: name 'nothing' is not defined"
    assert error.traceback == [f"Wrong answer: {said}"]
    lines = shown.data["text/plain"].splitlines()
    assert [line.strip() for line in lines if "in helper" in line or "in collect_rows" in line] == [
        "your code  line 4, in collect_rows: def collect_rows(matrix, row_indexes): "
        "return helper(matrix)",
        "line 3, in helper: def helper(m): return m + nothing",
    ]
