"""Checks of 0.0 Prerequisites: expected values come from hand, from slices, and from torch."""

import numpy as np
import torch
from einops import rearrange, reduce, repeat

from arena_lab.checks import (
    WrongAnswer,
    call,
    checks,
    expect,
    fail,
    names_called,
    raises,
    require,
)
from part0_prereqs.utils import einops_target

INF = float("inf")


# --- helpers ----------------------------------------------------------------------------------


def numbers(*shape):
    """Make distinct numbers, about half of them negative, the same each time."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


def whole(*values):
    return torch.tensor(values, dtype=torch.int64)


def pictures(height, width):
    """Make six small pictures whose numbers say where they stand, behind a 1: 12103 is digit 2,
    channel 1, row 0, column 3. They are not square, so that swapped axes show."""
    digits, channels, rows, cols = np.indices((6, 3, height, width), dtype=np.float32)
    return 10000 + 1000 * digits + 100 * channels + 10 * rows + cols


def noise(height, width):
    """Make six small pictures of distinct numbers in no order."""
    return np.random.default_rng(height).random((6, 3, height, width)).astype(np.float32)


def retold(error, text):
    """Give the same error with another text; it still shows the learner's line."""
    other = type(error)(text)
    for note in error.__notes__:
        other.add_note(note)
    return other.with_traceback(error.__traceback__)


def check_figure(number, function, mistakes, arr=None):
    """Check an einops figure on small pictures, then on an array that is not contiguous.

    Args:
        number: Which figure.
        function: The answer.
        mistakes: Takes the pictures; gives diagnosis to value, as `gives` wants them.
        arr: The small pictures; by default such whose numbers say where they stand.
    """
    coded = arr is None
    arr = pictures(2, 3) if coded else arr
    target = einops_target(number, arr)
    known = mistakes(arr) | other_pictures(number, arr)
    if target.ndim == 3:
        known["the channels come last; a picture is (3, height, width)"] = rearrange(
            target, "c h w -> h w c"
        )
    try:
        # No figure computes but by means and maxima: what differs by 1 is another pixel.
        call(function, arr).gives(target, mistakes=known, rtol=1e-6)
    except WrongAnswer as wrong:
        if coded:
            legend = "12101 is digit 2, channel 1, row 0, column 1 of arr (behind a 1)"
            wrong.details.append(("numbers", legend))
        raise
    mirrored = noise(20, 30)[..., ::-1].swapaxes(2, 3)
    call(function, mirrored).gives(einops_target(number, mirrored))


# Of figures that show one picture or two: which of them comes first.
FIRST = {2: 0, 3: 0, 4: 0, 5: 0, 7: 1, 11: 0}


def other_pictures(number, arr):
    """Give what comes out with another picture than the one that is asked for."""
    first = FIRST.get(number)
    return {
        f"all is right but the picture: this begins with arr[{(first + i) % 6}], and it must be "
        f"arr[{first}], for counting starts at 0": einops_target(number, np.roll(arr, -i, axis=0))
        for i in (range(1, 6) if first is not None else ())
    }


def for_every_picture(number, arr):
    """Give what comes out if the whole batch is treated like its first picture."""
    return np.stack([einops_target(number, np.roll(arr, -i, axis=0)) for i in range(len(arr))])


def gives_on_empty(function, *args, expected):
    """Check an empty batch, where a loop may make another result: torch stacks no empty list, and
    a tensor made of one has the shape (0,)."""
    try:
        result = call(function, *args)
    except RuntimeError as error:
        if "non-empty" not in str(error):
            raise
    else:
        if getattr(result.value, "shape", None) != (0,):
            result.gives(expected)


# --- Einops -----------------------------------------------------------------------------------


@checks("einops_figure_1")
def test_einops_figure_1(einops_figure_1):
    def mistakes(arr):
        return {
            "the pictures stand side by side, not above each other: which axis of the result "
            "shall be longer?": rearrange(arr, "b c h w -> c h (b w)"),
            "the rows of different pictures are interleaved: in (a b) the first name varies "
            "slowest, so it must be the picture": rearrange(arr, "b c h w -> c (h b) w"),
            "the channels are stacked too; they stay an axis of their own, in front": rearrange(
                arr, "b c h w -> (b c h) w"
            ),
        }

    check_figure(1, einops_figure_1, mistakes)


@checks("einops_figure_2")
def test_einops_figure_2(einops_figure_2):
    def mistakes(arr):
        return {
            "the copies stand side by side, not above each other": repeat(
                arr[0], "c h w -> c h (2 w)"
            ),
            "each row is doubled, which stretches the picture: in (a b) the first name varies "
            "slowest, so it must be the copy": repeat(arr[0], "c h w -> c (h 2) w"),
            "all pictures are treated; take only the first, arr[0]": for_every_picture(2, arr),
            "these are the first two pictures; show the first one twice": rearrange(
                arr[:2], "b c h w -> c (b h) w"
            ),
        }

    check_figure(2, einops_figure_2, mistakes)


@checks("einops_figure_3")
def test_einops_figure_3(einops_figure_3):
    def mistakes(arr):
        two = arr[:2]
        return {
            "the two pictures stand side by side and their copies below; the target has the "
            "pictures above each other": repeat(two, "b c h w -> c (2 h) (b w)"),
            "each column is doubled, which stretches the pictures: in (a b) the first name "
            "varies slowest, so it must be the copy": repeat(two, "b c h w -> c (b h) (w 2)"),
            "the rows of the two pictures are interleaved: the picture must vary slower than "
            "its rows": repeat(two, "b c h w -> c (h b) (2 w)"),
            "the two pictures are stacked, but each stands there only once": rearrange(
                two, "b c h w -> c (b h) w"
            ),
            "all six pictures are there; take only the first two, arr[0:2]": repeat(
                arr, "b c h w -> c (b h) (2 w)"
            ),
        }

    check_figure(3, einops_figure_3, mistakes)


@checks("einops_figure_4")
def test_einops_figure_4(einops_figure_4):
    def mistakes(arr):
        return {
            "the picture stands there twice instead of being stretched: each row must be followed "
            "by its own copy, so the copy varies fastest": repeat(arr[0], "c h w -> c (2 h) w"),
            "stretched in width, not in height": repeat(arr[0], "c h w -> c h (w 2)"),
            "stretched both ways; only the height shall double": repeat(
                arr[0], "c h w -> c (h 2) (w 2)"
            ),
            "all pictures are treated; take only the first, arr[0]": for_every_picture(4, arr),
        }

    check_figure(4, einops_figure_4, mistakes)


@checks("einops_figure_5")
def test_einops_figure_5(einops_figure_5):
    def mistakes(arr):
        return {
            "the channels stand above each other, not side by side": rearrange(
                arr[0], "c h w -> (c h) w"
            ),
            "the columns of the three channels are interleaved: the channel must vary slower than "
            "the columns": rearrange(arr[0], "c h w -> h (w c)"),
            "the whole is still an axis of its own in front; a grey picture is (height, width)": (
                rearrange(arr[0], "c h w -> 1 h (c w)")
            ),
            "three times the grey picture of all channels; each channel shall stand there once": (
                repeat(reduce(arr[0], "c h w -> h w", "mean"), "h w -> h (3 w)")
            ),
            "all pictures are treated; take only the first, arr[0]": for_every_picture(5, arr),
        }

    check_figure(5, einops_figure_5, mistakes)


@checks("einops_figure_6")
def test_einops_figure_6(einops_figure_6):
    def mistakes(arr):
        return {
            "three rows of two; the target has two rows of three": rearrange(
                arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=3
            ),
            "the pictures run down the columns, 0 2 4 above 1 3 5: when the batch is split, the "
            "first name varies slowest, so it must be the row": rearrange(
                arr, "(b2 b1) c h w -> c (b1 h) (b2 w)", b1=2
            ),
            "rows or columns of different pictures are interleaved: in each pair of parentheses "
            "of the result the picture comes first": rearrange(
                arr, "(b1 b2) c h w -> c (h b1) (w b2)", b1=2
            ),
            "one row of six; the target has two rows of three": rearrange(
                arr, "b c h w -> c h (b w)"
            ),
        }

    check_figure(6, einops_figure_6, mistakes)


@checks("einops_figure_7")
def test_einops_figure_7(einops_figure_7):
    def mistakes(arr):
        return {
            "the picture is as it was": arr[1],
            "the pixels are only cut into other rows: reshape moves no pixel; the axes must change "
            "places": arr[1].reshape(3, arr.shape[3], arr.shape[2]),
            "the picture is turned by a quarter; only swap the two axes": np.rot90(
                arr[1], axes=(1, 2)
            ),
            "turned by a quarter clockwise; only swap the two axes": np.rot90(
                arr[1], k=-1, axes=(1, 2)
            ),
            "all pictures are treated; take only the second, arr[1]": rearrange(
                arr, "b c h w -> b c w h"
            ),
        }

    check_figure(7, einops_figure_7, mistakes)


@checks("einops_figure_8")
def test_einops_figure_8(einops_figure_8):
    def mistakes(arr):
        sheet = rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=2)
        small = reduce(arr, "b c (h h2) (w w2) -> b c h w", "max", h2=2, w2=2)
        far = reduce(arr, "b c (h2 h) (w2 w) -> b c h w", "max", h2=2, w2=2)
        return {
            "each pixel is the mean of its square; it must be the largest": reduce(
                sheet, "c (h h2) (w w2) -> c h w", "mean", h2=2, w2=2
            ),
            "each pixel is the smallest of its square; it must be the largest": reduce(
                sheet, "c (h h2) (w w2) -> c h w", "min", h2=2, w2=2
            ),
            "every second pixel is taken; it must be the largest of each square": sheet[
                :, ::2, ::2
            ],
            "the largest of pixels that are half a picture apart: neighbours differ in the part "
            "that varies fastest, so write (h h2), not (h2 h)": rearrange(
                far, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=2
            ),
            "the size is right for two rows of three, but the pictures are at their full size": (
                sheet
            ),
            "three rows of two; the target has two rows of three": rearrange(
                small, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=3
            ),
            "the pictures run down the columns; the row must vary slowest in the batch": rearrange(
                small, "(b2 b1) c h w -> c (b1 h) (b2 w)", b1=2
            ),
        }

    check_figure(8, einops_figure_8, mistakes, noise(4, 6))


@checks("einops_figure_9")
def test_einops_figure_9(einops_figure_9):
    def mistakes(arr):
        return {
            "the mean over the pictures; of each pixel the largest is wanted": arr.mean(0),
            "the sum over the pictures; of each pixel the largest is wanted": arr.sum(0),
            "the smallest over the pictures; the largest is wanted": arr.min(0),
            "the colour is gone: only the axis of the pictures shall vanish": arr.max((0, 1)),
            "the largest over the channels of each picture; it must be over the pictures": arr.max(
                1
            ),
        }

    check_figure(9, einops_figure_9, mistakes, noise(4, 6))


@checks("einops_figure_10")
def test_einops_figure_10(einops_figure_10):
    def mistakes(arr):
        return {
            "the mean of the channels; the largest is wanted": reduce(
                arr, "b c h w -> h (b w)", "mean"
            ),
            "the pictures stand above each other, not side by side": reduce(
                arr, "b c h w -> (b h) w", "max"
            ),
            "the columns of different pictures are interleaved: the picture must vary slower than "
            "its columns": reduce(arr, "b c h w -> h (w b)", "max"),
            "the colour is still there: reduce it away": rearrange(arr, "b c h w -> c h (b w)"),
            "this is only the first channel; take the largest of the three": rearrange(
                arr[:, 0], "b h w -> h (b w)"
            ),
        }

    check_figure(10, einops_figure_10, mistakes, noise(4, 6))


@checks("einops_figure_11")
def test_einops_figure_11(einops_figure_11):
    def mistakes(arr):
        return {
            "four copies instead of one picture of twice the size: the copy must vary fastest, "
            "(h 2) and (w 2)": repeat(arr[0], "c h w -> c (2 h) (2 w)"),
            "the height is stretched, but the width is copied: (w 2), not (2 w)": repeat(
                arr[0], "c h w -> c (h 2) (2 w)"
            ),
            "only the height is stretched": repeat(arr[0], "c h w -> c (h 2) w"),
            "only the width is stretched": repeat(arr[0], "c h w -> c h (w 2)"),
            "all pictures are treated; take only the first, arr[0]": for_every_picture(11, arr),
        }

    check_figure(11, einops_figure_11, mistakes)


@checks("einops_figure_12")
def test_einops_figure_12(einops_figure_12):
    def mistakes(arr):
        def row(arr):
            return rearrange(arr, "b c h w -> c h (b w)")

        far = reduce(arr, "b c (h2 h) (w2 w) -> b c h w", "mean", h2=10, w2=10)
        return {
            "each pixel is the largest of its square; it must be the mean": row(
                reduce(arr, "b c (h h2) (w w2) -> b c h w", "max", h2=10, w2=10)
            ),
            "the mean of pixels that are far apart: neighbours differ in the part that varies "
            "fastest, so write (h h10), not (h10 h)": row(far),
            "every tenth pixel is taken; it must be the mean of each square": row(
                arr[..., ::10, ::10]
            ),
            "the pictures stand above each other, not side by side": reduce(
                arr, "b c (h h2) (w w2) -> c (b h) w", "mean", h2=10, w2=10
            ),
        }

    check_figure(12, einops_figure_12, mistakes, noise(20, 30))


# --- Tensors: rearranging and averaging -------------------------------------------------------


def made_of_arange(function):
    require(
        "arange" in names_called(function),
        f"{function.__name__}: the numbers are right, but not made with torch.arange: use it and "
        "einops.rearrange",
    )


@checks("rearrange_1")
def test_rearrange_1(rearrange_1):
    call(rearrange_1).gives(
        torch.tensor([[3, 4], [5, 6], [7, 8]]),
        mistakes={
            "the numbers run down the columns: with (h w) the second name varies fastest, so a row "
            "holds neighbours": torch.tensor([[3, 6], [4, 7], [5, 8]]),
            "two rows of three; it must be three rows of two": torch.tensor([[3, 4, 5], [6, 7, 8]]),
            "the numbers start at 0; arange(start, end) takes both": torch.arange(6).view(3, 2),
            "the end of arange is not in it: 8 is missing": torch.arange(3, 8),
            "the numbers are right, but still in one row": torch.arange(3, 9),
        },
    )
    made_of_arange(rearrange_1)


@checks("rearrange_2")
def test_rearrange_2(rearrange_2):
    call(rearrange_2).gives(
        torch.tensor([[1, 2, 3], [4, 5, 6]]),
        mistakes={
            "the numbers run down the columns: with (h w) the second name varies fastest, so a row "
            "holds neighbours": torch.tensor([[1, 3, 5], [2, 4, 6]]),
            "three rows of two; it must be two rows of three": torch.arange(1, 7).view(3, 2),
            "the numbers start at 0; arange(start, end) takes both": torch.arange(6).view(2, 3),
            "the numbers are right, but still in one row": torch.arange(1, 7),
        },
    )
    made_of_arange(rearrange_2)


# Two weeks with the means 16 and 7.
TEMPS = [12.0, 14.0, 13.0, 17.0, 16.0, 19.0, 21.0, 8.0, 5.0, 7.0, 9.0, 10.0, 4.0, 6.0]


@checks("temperatures_average")
def test_temperatures_average(temperatures_average):
    temps = torch.tensor(TEMPS)
    call(temperatures_average, temps).gives(
        torch.tensor([16.0, 7.0]),
        mistakes={
            "every second day is averaged: the days of a week are neighbours, so in (a b) the day "
            "comes last": temps.view(7, 2).mean(0),
            "this is the mean of each day of the week over all weeks; average along the other "
            "axis": temps.view(2, 7).mean(0),
            "this is the sum of each week, not its mean": temps.view(2, 7).sum(1),
            "this is the mean of all days; there must be one number for each week": temps.mean(),
            "this has one number for each day; there must be one for each week": torch.tensor(
                [16.0] * 7 + [7.0] * 7
            ),
            "this is the warmest day of each week": torch.tensor([21.0, 10.0]),
        },
    )


@checks("temperatures_average")
def test_temperatures_average_of_any_number_of_weeks(temperatures_average):
    call(temperatures_average, torch.arange(7.0)).gives(torch.tensor([3.0]))
    temps = numbers(42).double()[::2]  # not contiguous
    expected = torch.stack([temps[:7].mean(), temps[7:14].mean(), temps[14:].mean()])
    call(temperatures_average, temps).gives(expected)


@checks("temperatures_differences")
def test_temperatures_differences(temperatures_differences):
    temps = torch.tensor(TEMPS)
    weeks = temps.view(2, 7)
    call(temperatures_differences, temps).gives(
        torch.tensor([-4.0, -2, -3, 1, 0, 3, 5, 1, -2, 0, 2, 3, -3, -1]),
        mistakes={
            "the mean of all days is subtracted; each day needs the mean of its own week": temps
            - temps.mean(),
            "days get the means of the two weeks in turn: in (a b) the week must vary slowest": (
                temps - torch.tensor([16.0, 7.0]).repeat(7)
            ),
            "the mean of each day of the week over all weeks is subtracted": (
                weeks - weeks.mean(0)
            ).flatten(),
            "the weeks are still an axis of their own; lay them end to end": weeks
            - weeks.mean(1, keepdim=True),
            "every second day is taken for a week: in (a b) the day comes last": (
                temps.view(7, 2) - temps.view(7, 2).mean(0)
            ).flatten(),
            "these are the means, one for each day; subtract them from the days": torch.tensor(
                [16.0] * 7 + [7.0] * 7
            ),
        },
    )


@checks("temperatures_differences")
def test_temperatures_differences_of_any_number_of_weeks(temperatures_differences):
    call(temperatures_differences, torch.arange(7.0)).gives(torch.arange(7.0) - 3)
    temps = numbers(42).double()[::2]  # not contiguous
    weeks = temps.reshape(3, 7)
    call(temperatures_differences, temps).gives((weeks - weeks.mean(1, keepdim=True)).flatten())


@checks("temperatures_normalized")
def test_temperatures_normalized(temperatures_normalized):
    temps = torch.tensor(TEMPS)
    weeks = temps.view(2, 7)
    centred = weeks - weeks.mean(1, keepdim=True)
    deviation = weeks.std(1, keepdim=True)
    call(temperatures_normalized, temps).gives(
        (centred / deviation).flatten(),
        mistakes={
            "the standard deviation is the biased one, with 7 in the denominator; use 6, as "
            "torch.std does": (centred / weeks.std(1, keepdim=True, correction=0)).flatten(),
            "divided by the variance; the standard deviation is its root": (
                centred / deviation**2
            ).flatten(),
            "divided by the deviation of all days; each week has its own": (
                centred.flatten() / temps.std()
            ),
            "mean and deviation of all days are used; each week has its own": (temps - temps.mean())
            / temps.std(),
            "days get the deviations of the two weeks in turn: in (a b) the week must vary "
            "slowest": centred.flatten() / deviation.flatten().repeat(7),
            "the mean of the week is not subtracted": (weeks / deviation).flatten(),
            "these are the differences, not yet divided by the deviation": centred.flatten(),
            "the weeks are still an axis of their own; lay them end to end": centred / deviation,
        },
    )


@checks("temperatures_normalized")
def test_temperatures_normalized_of_any_number_of_weeks(temperatures_normalized):
    temps = numbers(42).double()[::2]  # not contiguous
    weeks = temps.reshape(3, 7)
    expected = (weeks - weeks.mean(1, keepdim=True)) / weeks.std(1, keepdim=True)
    call(temperatures_normalized, temps).gives(expected.flatten())


# --- Tensors: broadcasting --------------------------------------------------------------------


@checks("normalize_rows")
def test_normalize_rows(normalize_rows):
    # The lengths of the rows are 3, 7 and 9.
    matrix = torch.tensor([[1.0, 2.0, -2.0], [2.0, 3.0, 6.0], [4.0, -4.0, 7.0]])
    lengths = torch.tensor([3.0, 7.0, 9.0])
    call(normalize_rows, matrix).gives(
        torch.tensor([[1 / 3, 2 / 3, -2 / 3], [2 / 7, 3 / 7, 6 / 7], [4 / 9, -4 / 9, 7 / 9]]),
        mistakes={
            "the columns have length 1, not the rows: sum the squares along the other axis": matrix
            / matrix.norm(dim=0),
            "each column is divided by the length of a row: keep the summed axis with length 1 "
            "(keepdim=True), that each row gets its own": matrix / lengths,
            "divided by the sum of squares; the length is its root": matrix / lengths[:, None] ** 2,
            "divided by the sum of the row; its length is the root of its sum of squares": matrix
            / matrix.sum(1, keepdim=True),
            "divided by the sum of absolute values; the length is the root of the sum of "
            "squares": matrix / matrix.abs().sum(1, keepdim=True),
            "divided by the length of the whole matrix; each row has its own": matrix
            / matrix.norm(),
            "these are the lengths of the rows; divide by them": lengths,
        },
    )


@checks("normalize_rows")
def test_normalize_rows_of_any_shape(normalize_rows):
    matrix = numbers(5, 3).double().T  # not contiguous
    expected = torch.stack([row / (row**2).sum().sqrt() for row in matrix])
    call(normalize_rows, matrix).gives(expected)
    call(normalize_rows, torch.tensor([[-5.0]])).gives(torch.tensor([[-1.0]]))
    gives_on_empty(normalize_rows, torch.zeros(0, 3), expected=torch.zeros(0, 3))


@checks("cos_sim_matrix")
def test_cos_sim_matrix(cos_sim_matrix):
    # Of length 5, 5 and 13; the third is no multiple of the others.
    matrix = torch.tensor([[3.0, 4.0, 0.0], [0.0, -4.0, 3.0], [5.0, 0.0, 12.0]])
    unit = matrix / torch.tensor([[5.0], [5.0], [13.0]])
    columns = matrix / matrix.norm(dim=0)
    mixed = matrix / matrix.norm(dim=1)
    call(cos_sim_matrix, matrix).gives(
        torch.tensor([[1.0, -16 / 25, 15 / 65], [-16 / 25, 1.0, 36 / 65], [15 / 65, 36 / 65, 1.0]]),
        mistakes={
            "these are the inner products; divide them by the lengths of both rows": matrix
            @ matrix.T,
            "each column was divided by the length of a row (in normalize_rows?): keep the summed "
            "axis with length 1": mixed @ mixed.T,
            "only one of the two rows is divided by its length": unit @ matrix.T,
            "only one of the two rows is divided by its length ": matrix @ unit.T,
            "these are the similarities of the columns, not of the rows": columns.T @ columns,
            "the rows have length 1, but the product is that of columns: the inner products of "
            "rows are unit @ unit.T": unit.T @ unit,
            "the columns are normalised; the rows must be": columns @ columns.T,
            "the second factor must be transposed, that rows meet rows": unit @ unit,
        },
    )


@checks("cos_sim_matrix")
def test_cos_sim_matrix_of_any_shape(cos_sim_matrix):
    matrix = numbers(3, 4).T  # not contiguous
    call(cos_sim_matrix, matrix).gives(
        torch.cosine_similarity(matrix[:, None], matrix[None], dim=2), atol=1e-5
    )
    gives_on_empty(cos_sim_matrix, torch.zeros(0, 3), expected=torch.zeros(0, 0))


N_SAMPLES = 50_000
# Five standard deviations of the frequency of an outcome with probability 0.3 are 0.0102.
TOLERANCE = 0.012


def draw(sample_distribution, probs, n):
    """Call the answer, and check what any sample must be: its shape, dtype and range."""
    torch.manual_seed(0)
    drawn = call(sample_distribution, probs, n)
    values = drawn.value
    if values is None:
        fail("sample_distribution: the result is None: is a return statement missing?")
    require(
        isinstance(values, torch.Tensor),
        f"sample_distribution: the result is a {type(values).__name__}, not a torch.Tensor",
        called=drawn.text,
    )
    shown = {"called": drawn.text, "returned": values}
    if values.shape != (n,):
        axes = tuple(values.shape)
        fail(f"sample_distribution: the shape is {axes}; it must be ({n},), a draw each", **shown)
    # A list without draws makes a tensor of floats.
    if n and (values.is_floating_point() or values.dtype == torch.bool):
        fail(f"sample_distribution: the values are {values.dtype}; outcomes are integers", **shown)
    low, high = (int(values.min()), int(values.max())) if n else (0, 0)
    if low < 0 or high >= len(probs):
        wrong = low if low < 0 else high
        sentence = f"outcome {wrong} was drawn, but {len(probs)} outcomes are numbered from 0 to"
        fail(f"sample_distribution: {sentence} {len(probs) - 1}", **shown)
    return values


@checks("sample_distribution")
def test_sample_distribution(sample_distribution):
    probs = torch.tensor([0.05, 0.3, 0.0, 0.1, 0.3, 0.25])
    values = draw(sample_distribution, probs, N_SAMPLES)
    if (values == values[0]).all():
        fail("sample_distribution: all draws are equal; each needs a random number of its own")
    if (values.diff() >= 0).all():
        fail("sample_distribution: the draws come in order, so they are not independent")
    frequencies = values.bincount(minlength=6) / N_SAMPLES
    expect(
        frequencies,
        probs,
        of=f"frequencies of {N_SAMPLES} draws",
        rtol=0,
        atol=TOLERANCE,
        mistakes={
            "outcomes are numbered the other way round: count the edges that the random number "
            "has passed, not those still ahead": probs.flip(0),
            "all outcomes are equally frequent: probs is not used": torch.full((6,), 1 / 6),
        },
    )
    require(
        frequencies[2] == 0,
        "sample_distribution: an outcome of probability 0 was drawn",
        probs=probs,
        frequencies=frequencies,
    )


@checks("sample_distribution")
def test_sample_distribution_of_other_sizes(sample_distribution):
    draw(sample_distribution, torch.tensor([0.25, 0.75]), 0)
    certain = draw(sample_distribution, torch.tensor([0.0, 1.0, 0.0]), 5)
    expect(certain, whole(1, 1, 1, 1, 1), of="five draws of probs = [0, 1, 0]")
    probs = torch.tensor([0.75, 0.25])
    frequencies = draw(sample_distribution, probs, 10_000).bincount(minlength=2) / 10_000
    expect(frequencies, probs, of="frequencies of 10000 draws", rtol=0, atol=0.025)


# --- Tensors: indexing ------------------------------------------------------------------------


@checks("classifier_accuracy")
def test_classifier_accuracy(classifier_accuracy):
    scores = torch.tensor([[0.1, 0.5, 0.4], [-3.0, -1.0, -2.0], [0.9, 0.0, 0.3]])
    true_classes = whole(1, 1, 2)
    call(classifier_accuracy, scores, true_classes).gives(
        torch.tensor(2 / 3),
        returns=torch.Tensor,
        mistakes={
            "the highest score of each column is looked for: take argmax along the classes, "
            "dim=1": torch.tensor(0.0),
            "this is the share of wrong answers": torch.tensor(1 / 3),
            "this is the number of right answers; divide by how many there are": torch.tensor(2.0),
            "this is in percent; the share lies between 0 and 1": torch.tensor(200 / 3),
            "these are the single answers; their mean is wanted": torch.tensor([1.0, 1.0, 0.0]),
            "these are the single answers; their share is wanted": torch.tensor(
                [True, True, False]
            ),
        },
    )


@checks("classifier_accuracy")
def test_classifier_accuracy_of_any_shape(classifier_accuracy):
    scores = numbers(4, 5).T  # not contiguous: five rows of four classes
    best = scores.max(dim=1).indices
    call(classifier_accuracy, scores, best).gives(
        torch.tensor(1.0),
        mistakes={"divided by 3, however many rows there are": torch.tensor(5 / 3)},
    )
    call(classifier_accuracy, scores, (best + 1) % 4).gives(torch.tensor(0.0))
    mostly = (best + torch.tensor([0, 0, 0, 0, 1])) % 4
    call(classifier_accuracy, scores.double(), mostly).gives(torch.tensor(0.8))


PRICES, ITEMS = torch.tensor([0.5, 1.0, 1.5, 2.0, 4.0]), whole(4, 0, 0, 1, 1)


def check_total_price(total_price):
    call(total_price, PRICES, ITEMS).gives(
        7.0,
        returns=float,
        mistakes={
            "what is bought several times is paid only once": 5.5,
            "this is the sum of all prices, whatever was bought": 9.0,
            "this is the mean price; the sum is wanted": 1.4,
            "these are the single prices; their sum is wanted": PRICES[ITEMS],
            "this is the sum of the article numbers, not of their prices": 6,
        },
    )
    call(total_price, numbers(10).double()[::2], whole(3)).gives(float(numbers(10)[6]))
    nothing = call(total_price, PRICES, whole())
    value = nothing.value
    sentence = f"{nothing.name}: who buys nothing pays 0.0"
    require(
        isinstance(value, int | float) and value == 0, sentence, called=nothing.text, returned=value
    )


@checks("total_price_indexing")
def test_total_price_indexing(total_price_indexing):
    check_total_price(total_price_indexing)


@checks("gather_2d")
def test_gather_2d(gather_2d):
    matrix = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    indexes = torch.tensor([[2, 0, 0], [1, 1, 2], [0, 2, 1]])
    call(gather_2d, matrix, indexes).gives(
        torch.tensor([[2.0, 0.0, 0.0], [4.0, 4.0, 5.0], [6.0, 8.0, 7.0]]),
        mistakes={
            "gathered along axis 0, so the indexes choose rows; along axis 1 they choose "
            "columns": matrix.gather(0, indexes),
            "each row takes the indexes of all rows; matrix[:, indexes] is not gather": (
                matrix[:, indexes]
            ),
            "these are whole rows; each index shall choose one number of its own row": matrix[
                indexes
            ],
            "scattered instead of gathered: out[i, j] = matrix[i, indexes[i, j]]": torch.zeros(
                3, 3
            ).scatter(1, indexes, matrix),
        },
    )


@checks("gather_2d")
def test_gather_2d_of_any_shape(gather_2d):
    matrix = numbers(4, 3).double().T  # not contiguous
    indexes = torch.tensor([[3, 3, 0, 1, 2], [0, 0, 0, 0, 0], [1, 2, 3, 2, 1]])
    expected = torch.stack([row[chosen] for row, chosen in zip(matrix, indexes, strict=True)])
    try:
        result = call(gather_2d, matrix, indexes)
    except WrongAnswer:
        raise
    except AssertionError:
        fail(
            "gather_2d refuses what fits: only the numbers of rows must agree; a row may take any "
            "number of columns",
            matrix=matrix,
            indexes=indexes,
        )
    result.gives(expected)
    none = torch.zeros(3, 0, dtype=torch.int64)
    gives_on_empty(gather_2d, matrix, none, expected=torch.zeros(3, 0).double())


@checks("gather_2d")
def test_gather_2d_refuses_shapes_that_do_not_fit(gather_2d):
    matrix = numbers(3, 4)
    for indexes, because in (
        (
            whole([0, 1], [2, 3]),
            "indexes has 2 rows and matrix has 3, where torch's gather says nothing",
        ),
        (whole([0], [1], [2], [3]), "indexes has 4 rows and matrix has 3"),
        (whole(0, 1, 2), "indexes has one axis, not two"),
    ):
        refuses(gather_2d, matrix, indexes, because)
    refuses(gather_2d, numbers(3), whole(0, 1), "matrix has one axis, not two")
    refuses(gather_2d, numbers(2, 3, 2), whole([0], [1]), "matrix has three axes, not two")


def refuses(gather_2d, matrix, indexes, because):
    raises(AssertionError, gather_2d, matrix, indexes, because=f"{because}; assert what must hold")


@checks("total_price_gather")
def test_total_price_gather(total_price_gather):
    check_total_price(total_price_gather)
    require(
        bool({"gather", "take_along_dim"} & names_called(total_price_gather, PRICES, ITEMS)),
        "total_price_gather: the price is right, but not by gather: prices.gather(0, ...) is what "
        "prices[...] was",
    )


@checks("integer_array_indexing")
def test_integer_array_indexing(integer_array_indexing):
    matrix = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    coords = torch.tensor([[0, 1], [2, 0], [1, 1], [1, 2]])
    call(integer_array_indexing, matrix, coords).gives(
        torch.tensor([1.0, 6.0, 4.0, 5.0]),
        mistakes={
            "each place is read as (column, row): coords[:, 0] counts along axis 0": torch.tensor(
                [3.0, 2.0, 4.0, 7.0]
            ),
            "these are whole rows: one array of indexes chooses along axis 0 only; there must be "
            "one for each axis": matrix[coords],
            "this is every row with every column; the two lists of indexes must go together": (
                matrix[coords[:, 0]][:, coords[:, 1]]
            ),
        },
    )


@checks("integer_array_indexing")
def test_integer_array_indexing_in_any_number_of_axes(integer_array_indexing):
    tensor = numbers(2, 3, 4).double().transpose(0, 2)  # not contiguous: 4 3 2
    coords = torch.tensor([[0, 2, 1], [3, 0, 0], [3, 0, 0], [1, 1, 1], [2, 2, 0]])
    expected = torch.stack([tensor[tuple(place)] for place in coords.tolist()])
    try:
        result = call(integer_array_indexing, tensor, coords)
    except ValueError as error:
        raise retold(error, f"matrix may have any number of axes, here three ({error})") from None
    first_two = "only the first two columns of coords are used: matrix may have any number of axes"
    result.gives(expected, mistakes={first_two: tensor[coords[:, 0], coords[:, 1]]})
    row = torch.tensor([5.0, 6.0, 7.0])
    call(integer_array_indexing, row, whole([2], [0])).gives(torch.tensor([7.0, 5.0]))
    none = torch.zeros(0, 3, dtype=torch.int64)
    gives_on_empty(integer_array_indexing, tensor, none, expected=torch.zeros(0).double())


@checks("batched_logsumexp")
def test_batched_logsumexp(batched_logsumexp):
    # The rows sum to 8, 12 and 5, the columns to 6, 5 and 14.
    weights = torch.tensor([[1.0, 3.0, 4.0], [4.0, 1.0, 7.0], [1.0, 1.0, 3.0]])
    matrix, top = weights.log(), torch.tensor([[4.0], [7.0], [3.0]])
    largest = top.log()
    call(batched_logsumexp, matrix).gives(
        torch.tensor([2.0794415, 2.4849067, 1.6094379]),
        mistakes={
            "summed over each column; sum along each row, dim=1": torch.tensor(
                [1.7917595, 1.6094379, 2.6390573]
            ),
            "the logarithm is missing: this is the sum of exponentials": torch.tensor(
                [8.0, 12.0, 5.0]
            ),
            "the largest number was subtracted but not added again: exp(x) is exp(largest) times "
            "exp(x - largest)": torch.tensor([8 / 4, 12 / 7, 5 / 3]).log(),
            "the largest number of the row was added without being subtracted before": torch.tensor(
                [8.0 * 4, 12.0 * 7, 5.0 * 3]
            ).log(),
            "the mean instead of the sum of the exponentials": torch.tensor(
                [8 / 3, 12 / 3, 5 / 3]
            ).log(),
            "this is only the largest of each row": torch.tensor([4.0, 7.0, 3.0]).log(),
            "this is the sum of the row: the logarithm of exp, number by number, undoes it": (
                matrix.sum(1)
            ),
            "largest of shape (batch, 1) plus sums of shape (batch,) is a square: take the axis of "
            "length 1 away before you add": largest + (weights / top).sum(1).log(),
            "from each column the largest of a row is subtracted: keep the axis with length 1 "
            "(keepdim=True), that each row loses its own": (weights / top.T).sum(1).log()
            + top.log().squeeze(1),
            "the summed axis is still there; one number for each row": torch.tensor(
                [[8.0], [12.0], [5.0]]
            ).log(),
        },
    )


OVERFLOW = "exp of the numbers themselves is inf or 0; subtract the largest of the row first"
GLOBAL = "the largest of the whole matrix is subtracted; each row needs its own largest"


@checks("batched_logsumexp")
def test_batched_logsumexp_of_large_numbers(batched_logsumexp):
    matrix = torch.tensor([[1000.0, 1000.0], [-1000.0, -1000.0], [1000.0, -1000.0]])
    top = matrix.max()
    call(batched_logsumexp, matrix).gives(
        torch.tensor([1000.6931472, -999.3068528, 1000.0]),
        rtol=1e-6,
        mistakes={
            OVERFLOW: matrix.exp().sum(1).log(),
            GLOBAL: top + (matrix - top).exp().sum(1).log(),
        },
    )


@checks("batched_logsumexp")
def test_batched_logsumexp_of_any_shape(batched_logsumexp):
    matrix = numbers(20, 10).double().T  # not contiguous
    call(batched_logsumexp, matrix).gives(torch.logsumexp(matrix, dim=1), rtol=1e-6)
    call(batched_logsumexp, torch.tensor([[3.0], [-4.0]])).gives(torch.tensor([3.0, -4.0]))
    gives_on_empty(batched_logsumexp, torch.zeros(0, 4), expected=torch.zeros(0))


@checks("batched_softmax")
def test_batched_softmax(batched_softmax):
    weights = torch.tensor([[1.0, 3.0, 4.0], [4.0, 1.0, 7.0], [1.0, 1.0, 3.0]])
    matrix, sums = weights.log(), torch.tensor([8.0, 12.0, 5.0])
    top = torch.tensor([[4.0], [7.0], [3.0]])
    by_column = weights / top.T
    call(batched_softmax, matrix).gives(
        torch.tensor([[1 / 8, 3 / 8, 4 / 8], [4 / 12, 1 / 12, 7 / 12], [1 / 5, 1 / 5, 3 / 5]]),
        mistakes={
            "the columns sum to 1, not the rows: sum along the other axis": weights
            / weights.sum(0),
            "each column is divided by the sum of a row: keep the summed axis with length 1 "
            "(keepdim=True), that each row gets its own": weights / sums,
            "each column is divided by the shifted sum of a row: keep that axis with length 1 "
            "(keepdim=True)": weights / top / (sums / top.squeeze(1)),
            "from each column the largest of a row is subtracted: keep the axis with length 1 "
            "(keepdim=True), that each row loses its own": by_column
            / by_column.sum(1, keepdim=True),
            "all numbers together sum to 1; each row must": weights / weights.sum(),
            "these are the exponentials; divide each row by its sum": weights,
            "the exponentials are divided by the largest of the row; divide by the sum": weights
            / top,
            "this is the logarithm of the softmax": (weights / sums[:, None]).log(),
            "this is the sigmoid of each number by itself; softmax compares those of a row": (
                weights / (1 + weights)
            ),
        },
    )


@checks("batched_softmax")
def test_batched_softmax_of_large_numbers(batched_softmax):
    matrix = torch.tensor([[1000.0, 1000.0], [-1000.0, -1000.0], [1000.0, -1000.0]])
    exps, shifted = matrix.exp(), (matrix - matrix.max()).exp()
    call(batched_softmax, matrix).gives(
        torch.tensor([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]),
        mistakes={
            OVERFLOW: exps / exps.sum(1, keepdim=True),
            GLOBAL: shifted / shifted.sum(1, keepdim=True),
        },
    )


@checks("batched_softmax")
def test_batched_softmax_does_not_change_with_a_shift(batched_softmax):
    matrix = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]).log()
    for shift in (-80.0, 0.3, 1.2, 3.4, 6.7):
        call(batched_softmax, matrix + shift).gives(torch.arange(1.0, 6)[None] / 15)


@checks("batched_softmax")
def test_batched_softmax_of_any_shape(batched_softmax):
    matrix = numbers(20, 10).double().T  # not contiguous
    call(batched_softmax, matrix).gives(torch.softmax(matrix, dim=1))
    gives_on_empty(batched_softmax, torch.zeros(0, 4), expected=torch.zeros(0, 4))


@checks("batched_logsoftmax")
def test_batched_logsoftmax(batched_logsoftmax):
    weights = torch.tensor([[1.0, 3.0, 4.0], [4.0, 1.0, 7.0], [1.0, 1.0, 3.0]])
    matrix, sums = weights.log(), torch.tensor([8.0, 12.0, 5.0])
    expected = [[1 / 8, 3 / 8, 4 / 8], [4 / 12, 1 / 12, 7 / 12], [1 / 5, 1 / 5, 3 / 5]]
    call(batched_logsoftmax, matrix).gives(
        torch.tensor(expected).log(),
        mistakes={
            "each column is treated by itself; softmax goes along the rows": (
                weights / weights.sum(0)
            ).log(),
            "from each column the logsumexp of a row is subtracted: give it an axis of length 1, "
            "that each row gets its own": matrix - sums.log(),
            "this is the softmax; its logarithm is wanted": torch.tensor(expected),
            "logsumexp is added; a logarithm of a quotient is a difference": matrix
            + sums.log()[:, None],
            "the largest of the row is subtracted, but not the logarithm of the sum": matrix
            - matrix.max(1, keepdim=True).values,
        },
    )


@checks("batched_logsoftmax")
def test_batched_logsoftmax_of_large_numbers(batched_logsoftmax):
    matrix = torch.tensor([[1000.0, 800.0], [-1000.0, -1000.0], [0.0, -300.0]])
    exps = matrix.exp()
    shifted = (matrix - matrix.max(1, keepdim=True).values).exp()
    top = matrix.max()
    call(batched_logsoftmax, matrix).gives(
        torch.tensor([[0.0, -200.0], [-0.6931472, -0.6931472], [0.0, -300.0]]),
        mistakes={
            "this is the logarithm of a softmax that was rounded to 0: subtract the logsumexp from "
            "the numbers instead": (shifted / shifted.sum(1, keepdim=True)).log(),
            OVERFLOW: (exps / exps.sum(1, keepdim=True)).log(),
            "the logarithm of the sum is inf or -inf; use a logsumexp that is stable": matrix
            - exps.sum(1, keepdim=True).log(),
            GLOBAL: matrix - top - (matrix - top).exp().sum(1, keepdim=True).log(),
        },
    )


@checks("batched_logsoftmax")
def test_batched_logsoftmax_of_any_shape(batched_logsoftmax):
    matrix = numbers(20, 10).double().T  # not contiguous
    call(batched_logsoftmax, matrix).gives(torch.log_softmax(matrix, dim=1))
    gives_on_empty(batched_logsoftmax, torch.zeros(0, 4), expected=torch.zeros(0, 4))


@checks("batched_cross_entropy_loss")
def test_batched_cross_entropy_loss(batched_cross_entropy_loss):
    probs = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1], [0.2, 0.4, 0.4]])
    logits, true_labels = probs.log() + torch.tensor([[1.0], [-2.0], [0.5]]), whole(2, 1, 0)
    right = torch.tensor([0.3, 0.8, 0.2])
    call(batched_cross_entropy_loss, logits, true_labels).gives(
        -right.log(),
        mistakes={
            "this is the log probability of the true class; the loss is its negative": right.log(),
            "this is the probability of the true class; the loss is minus its logarithm": right,
            "this is the mean over the batch; every row has a loss of its own": -right.log().mean(),
            "this is the sum over the batch; every row has a loss of its own": -right.log().sum(),
            "each row is read at the labels of all rows: logprobs[:, true_labels] is a matrix; "
            "choose one number in each row": -probs.log()[:, true_labels],
            "these are the negative logits of the true class; take the log softmax first": -logits[
                torch.arange(3), true_labels
            ],
            "this is the loss of the most likely class; take the true one": -probs.max(
                1
            ).values.log(),
            "the softmax goes down the columns; it must go along the rows": -logits.log_softmax(0)[
                torch.arange(3), true_labels
            ],
        },
    )


@checks("batched_cross_entropy_loss")
def test_batched_cross_entropy_loss_of_certain_answers(batched_cross_entropy_loss):
    # The classes have the probabilities (0, 0, 1), (1/3, 1/3, 1/3), (0, 1/2, 1/2) and (1, 0).
    logits = torch.tensor(
        [[-INF, -INF, 0.0], [0.2, 0.2, 0.2], [-INF, 7.0, 7.0], [1000.0, 0.0, -1000.0]]
    )
    call(batched_cross_entropy_loss, logits, whole(2, 0, 0, 2)).gives(
        torch.tensor([0.0, 1.0986123, INF, 2000.0]),
        mistakes={
            "0 times -inf is nan: a sum with zeros and a one does not pick; index instead": (
                torch.tensor([float("nan"), 1.0986123, INF, 2000.0])
            ),
            "this is the logarithm of a softmax that was rounded to 0; use the log softmax": (
                torch.tensor([0.0, 1.0986123, INF, INF])
            ),
        },
    )


@checks("batched_cross_entropy_loss")
def test_batched_cross_entropy_loss_of_any_shape(batched_cross_entropy_loss):
    logits, labels = numbers(4, 6).double().T, whole(3, 0, 2, 1, 3, 3)  # not contiguous
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    call(batched_cross_entropy_loss, logits, labels).gives(expected)
    gives_on_empty(batched_cross_entropy_loss, torch.zeros(0, 4), whole(), expected=torch.zeros(0))


@checks("collect_rows")
def test_collect_rows(collect_rows):
    matrix, indexes = torch.arange(9.0).view(3, 3), whole(2, 0, 0)
    call(collect_rows, matrix, indexes).gives(
        torch.tensor([[6.0, 7.0, 8.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]),
        mistakes={
            "these are columns; rows are chosen along axis 0": matrix[:, indexes],
            "the rows lie on their side: the result must be the transpose": matrix[indexes].T,
            "the rows come in their old order; give them in the order of row_indexes": matrix[
                indexes.sort().values
            ],
            "each row comes once; a number that is there twice gives its row twice": matrix[
                whole(0, 2)
            ],
            "these are the single numbers at the places (i, indexes[i])": matrix[
                torch.arange(3), indexes
            ],
        },
    )
    tall = numbers(3, 5).double().T  # not contiguous: five rows of three
    call(collect_rows, tall, whole(4, 1, 3, 4)).gives(
        torch.stack([tall[4], tall[1], tall[3], tall[4]])
    )
    gives_on_empty(collect_rows, tall, whole(), expected=torch.zeros(0, 3).double())


@checks("collect_columns")
def test_collect_columns(collect_columns):
    matrix, indexes = torch.arange(9.0).view(3, 3), whole(2, 0, 0)
    call(collect_columns, matrix, indexes).gives(
        torch.tensor([[2.0, 0.0, 0.0], [5.0, 3.0, 3.0], [8.0, 6.0, 6.0]]),
        mistakes={
            "these are rows; columns are chosen along axis 1, matrix[:, ...]": matrix[indexes],
            "the columns lie on their side: the result must be the transpose": matrix[:, indexes].T,
            "the columns come in their old order; give them in the order of column_indexes": matrix[
                :, indexes.sort().values
            ],
            "the indexes choose from the first row alone; they hold for all rows": matrix[
                :1, indexes
            ],
            "these are the single numbers at the places (i, indexes[i])": matrix[
                torch.arange(3), indexes
            ],
        },
    )
    wide = numbers(5, 3).double().T  # not contiguous: three rows of five
    expected = torch.stack([wide[:, 4], wide[:, 1], wide[:, 3], wide[:, 4]], dim=1)
    call(collect_columns, wide, whole(4, 1, 3, 4)).gives(expected)
    gives_on_empty(collect_columns, wide, whole(), expected=torch.zeros(3, 0).double())


# --- Einsum -----------------------------------------------------------------------------------


def array(*shape):
    return numbers(*shape).double().numpy()


def product(function, *args):
    """Call an answer; say what it means that a pattern does not fit."""
    try:
        return call(function, *args)
    except ValueError as error:
        reasons = {
            "could not be broadcast": "one letter stands for two axes of different lengths",
            "more dimensions than": "the pattern names fewer axes than the array has: a letter "
            "for each axis, with a space between them",
            "too many subscripts": "the pattern names more axes than the array has",
            "fewer operands": "the pattern names more arrays than are handed over",
            "more operands": "fewer arrays are named in the pattern than are handed over: a comma "
            "between the axes of two arrays",
        }
        known = [said for part, said in reasons.items() if part in str(error)]
        raise (retold(error, f"{known[0]} ({error})") if known else error) from None


def by_einsum(function, *args):
    """Fail where another function was used; the exercise is about writing the pattern."""
    require(
        "einsum" in names_called(function, *args),
        f"{function.__name__}: the numbers are right, but not by einsum: name the axes in a "
        "pattern, as in the example on the page",
    )


@checks("einsum_trace")
def test_einsum_trace(einsum_trace):
    mat = np.array([[1.0, 20.0, 300.0], [4.0, 50.0, 600.0], [7.0, 80.0, 900.0]])
    product(einsum_trace, mat).gives(
        951.0,
        mistakes={
            "this is the sum of all numbers; the same letter twice stays on the diagonal": 1962.0,
            "this is the diagonal; its sum is wanted: no letter after the arrow": np.diag(mat),
            "these are the sums of the rows": mat.sum(1),
            "this is the other diagonal": 357.0,
        },
    )
    big = array(5, 5).T  # not contiguous
    product(einsum_trace, big).gives(sum(big[i, i] for i in range(5)))
    by_einsum(einsum_trace, big)


@checks("einsum_mv")
def test_einsum_mv(einsum_mv):
    mat, vec = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([10.0, 1.0])
    product(einsum_mv, mat, vec).gives(
        np.array([12.0, 35.0]),
        mistakes={
            "this is the product with the transpose: the letter that both share must be the "
            "second of the matrix": np.array([13.0, 25.0]),
            "the products are not summed: the shared letter must not stand after the arrow": mat
            * vec,
            "the rows are multiplied by the vector's numbers, and not summed": mat * vec[:, None],
            "everything is summed; one number for each row": np.array(47.0),
            "the matrix is summed alone, for no letter is shared": np.array([33.0, 88.0]),
        },
    )
    mat, vec = array(4, 3).T, array(8)[::2]  # not contiguous: three rows of four
    product(einsum_mv, mat, vec).gives(np.array([sum(row * vec) for row in mat]))
    by_einsum(einsum_mv, mat, vec)


@checks("einsum_mm")
def test_einsum_mm(einsum_mm):
    mat1, mat2 = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0, 0.0], [10.0, 100.0]])
    product(einsum_mm, mat1, mat2).gives(
        np.array([[21.0, 200.0], [53.0, 500.0]]),
        mistakes={
            "the factors are in the wrong order: mat2 times mat1": mat2 @ mat1,
            "the first matrix is transposed: the shared letter must be its second": mat1.T @ mat2,
            "the second matrix is transposed: the shared letter must be its first": mat1 @ mat2.T,
            "this is the product of number by number": mat1 * mat2,
            "the result is transposed: after the arrow, first the rows of mat1": (mat1 @ mat2).T,
            "the products are not summed: the shared letter must not stand after the arrow": (
                mat1[:, :, None] * mat2[None]
            ),
        },
    )
    mat1, mat2 = array(3, 2).T, array(4, 3).T  # not contiguous
    expected = np.array([[sum(row * column) for column in mat2.T] for row in mat1])
    product(einsum_mm, mat1, mat2).gives(expected)
    by_einsum(einsum_mm, mat1, mat2)


@checks("einsum_inner")
def test_einsum_inner(einsum_inner):
    vec1, vec2 = np.array([1.0, 2.0, 3.0]), np.array([100.0, 10.0, 1.0])
    product(einsum_inner, vec1, vec2).gives(
        123.0,
        mistakes={
            "the products are not summed: no letter after the arrow": vec1 * vec2,
            "every number meets every other: both vectors need the same letter": 666.0,
            "this is the outer product": np.outer(vec1, vec2),
            "this is the product of vec1 with itself": 14.0,
            "this is the sum of vec1 alone": 6.0,
        },
    )
    vec1, vec2 = array(12)[::2], array(6)  # not contiguous
    product(einsum_inner, vec1, vec2).gives(sum(a * b for a, b in zip(vec1, vec2, strict=True)))
    by_einsum(einsum_inner, vec1, vec2)


@checks("einsum_outer")
def test_einsum_outer(einsum_outer):
    vec1, vec2 = np.array([1.0, 2.0, 3.0]), np.array([100.0, 10.0, 1.0])
    product(einsum_outer, vec1, vec2).gives(
        np.array([[100.0, 10.0, 1.0], [200.0, 20.0, 2.0], [300.0, 30.0, 3.0]]),
        mistakes={
            "the result is transposed: after the arrow, first the letter of vec1": np.outer(
                vec2, vec1
            ),
            "the vectors share a letter, so number meets number; each needs a letter of its "
            "own": vec1 * vec2,
            "this is the inner product": 123.0,
            "everything is summed: both letters must stand after the arrow": 666.0,
        },
    )
    vec1, vec2 = array(6)[::2], array(4)  # not contiguous
    product(einsum_outer, vec1, vec2).gives(np.array([[a * b for b in vec2] for a in vec1]))
    by_einsum(einsum_outer, vec1, vec2)
