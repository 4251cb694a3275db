"""0.0 Prerequisites: einops, indexing, broadcasting and einsum, in small steps."""

# %%
import einops
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

import part0_prereqs.tests as tests  # noqa: F401
from part0_prereqs.utils import load_digits, show_einops_figure

Arr = np.ndarray
Scalar = np.generic | np.ndarray  # numpy gives a number where an array would have no axes

MAIN = __name__ == "__main__"

# %%
if MAIN:
    arr = load_digits()
    print(arr.shape, arr.dtype)


# %%
def einops_figure_1(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 digits*height width"]:
    """Stack all pictures above each other."""
    ### BEGIN SOLUTION
    return einops.rearrange(arr, "digits c h w -> c (digits h) w")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(1, einops_figure_1).show()


# %%
def einops_figure_2(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height width"]:
    """Show the first picture twice, one above the other."""
    ### BEGIN SOLUTION
    return einops.repeat(arr[0], "c h w -> c (2 h) w")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(2, einops_figure_2).show()


# %%
def einops_figure_3(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height 2*width"]:
    """Stack the first two pictures, and show each twice, side by side."""
    ### BEGIN SOLUTION
    return einops.repeat(arr[0:2], "digits c h w -> c (digits h) (2 w)")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(3, einops_figure_3).show()


# %%
def einops_figure_4(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height width"]:
    """Stretch the first picture to twice its height."""
    ### BEGIN SOLUTION
    return einops.repeat(arr[0], "c h w -> c (h 2) w")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(4, einops_figure_4).show()


# %%
def einops_figure_5(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "height 3*width"]:
    """Show the three colour channels of the first picture side by side, in grey."""
    ### BEGIN SOLUTION
    return einops.rearrange(arr[0], "c h w -> h (c w)")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(5, einops_figure_5).show()


# %%
def einops_figure_6(
    arr: Float[Arr, "6 3 height width"],
) -> Float[Arr, "3 2*height 3*width"]:
    """Lay the six pictures out in two rows of three."""
    ### BEGIN SOLUTION
    return einops.rearrange(arr, "(rows cols) c h w -> c (rows h) (cols w)", rows=2)
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(6, einops_figure_6).show()


# %%
def einops_figure_7(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 width height"]:
    """Mirror the second picture along its diagonal: swap height and width."""
    ### BEGIN SOLUTION
    return einops.rearrange(arr[1], "c h w -> c w h")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(7, einops_figure_7).show()


# %%
def einops_figure_8(
    arr: Float[Arr, "6 3 height width"],
) -> Float[Arr, "3 height 3*width//2"]:
    """Lay the six pictures out in two rows, at half their size.

    Each pixel is the largest of a square of 2 × 2, channel by channel.
    """
    ### BEGIN SOLUTION
    pattern = "(rows cols) c (h h2) (w w2) -> c (rows h) (cols w)"
    return einops.reduce(arr, pattern, "max", rows=2, h2=2, w2=2)
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(8, einops_figure_8).show()


# %%
def einops_figure_9(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 height width"]:
    """Lay all pictures over each other: keep the largest value of each pixel."""
    ### BEGIN SOLUTION
    return einops.reduce(arr, "digits c h w -> c h w", "max")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(9, einops_figure_9).show()


# %%
def einops_figure_10(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "height digits*width"]:
    """Show all pictures side by side in grey, by the largest channel of each pixel."""
    ### BEGIN SOLUTION
    return einops.reduce(arr, "digits c h w -> h (digits w)", "max")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(10, einops_figure_10).show()


# %%
def einops_figure_11(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height 2*width"]:
    """Stretch the first picture to twice its height and twice its width."""
    ### BEGIN SOLUTION
    return einops.repeat(arr[0], "c h w -> c (h 2) (w 2)")
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(11, einops_figure_11).show()


# %%
def einops_figure_12(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 height//10 digits*(width//10)"]:
    """Show all pictures side by side at a tenth of their size.

    Each pixel is the mean of a square of 10 × 10, channel by channel.
    """
    ### BEGIN SOLUTION
    return einops.reduce(arr, "digits c (h h10) (w w10) -> c h (digits w)", "mean", h10=10, w10=10)
    ### END SOLUTION


# %%
if MAIN:
    show_einops_figure(12, einops_figure_12).show()


# %%
def rearrange_1() -> Int[Tensor, "3 2"]:
    """Give [[3, 4], [5, 6], [7, 8]], made with `torch.arange` and `einops.rearrange`."""
    ### BEGIN SOLUTION
    return einops.rearrange(torch.arange(3, 9), "(h w) -> h w", w=2)
    ### END SOLUTION


# %%
def rearrange_2() -> Int[Tensor, "2 3"]:
    """Give [[1, 2, 3], [4, 5, 6]], made with `torch.arange` and `einops.rearrange`."""
    ### BEGIN SOLUTION
    return einops.rearrange(torch.arange(1, 7), "(h w) -> h w", h=2)
    ### END SOLUTION


# %%
def temperatures_average(temps: Float[Tensor, " days"]) -> Float[Tensor, " days//7"]:
    """Give the mean temperature of each week.

    Args:
        temps: One temperature a day; the number of days is a multiple of 7.
    """
    ### BEGIN SOLUTION
    return einops.reduce(temps, "(weeks days) -> weeks", "mean", days=7)
    ### END SOLUTION


# %%
def temperatures_differences(temps: Float[Tensor, " days"]) -> Float[Tensor, " days"]:
    """Subtract from each day the mean of its own week.

    Args:
        temps: One temperature a day; the number of days is a multiple of 7.
    """
    ### BEGIN SOLUTION
    average = einops.repeat(temperatures_average(temps), "weeks -> (weeks 7)")
    return temps - average
    ### END SOLUTION


# %%
def temperatures_normalized(temps: Float[Tensor, " days"]) -> Float[Tensor, " days"]:
    """Subtract from each day the mean of its own week, and divide by that week's deviation.

    Args:
        temps: One temperature a day; the number of days is a multiple of 7. The deviation is the
            unbiased standard deviation, with 6 in the denominator, as `torch.std` gives it.
    """
    ### BEGIN SOLUTION
    weeks = einops.rearrange(temps, "(weeks days) -> weeks days", days=7)
    deviation = einops.repeat(weeks.std(dim=1), "weeks -> (weeks 7)")
    return temperatures_differences(temps) / deviation
    ### END SOLUTION


# %%
def normalize_rows(matrix: Float[Tensor, "rows cols"]) -> Float[Tensor, "rows cols"]:
    """Divide each row by its length, the square root of its sum of squares.

    Args:
        matrix: No row is all zero.
    """
    ### BEGIN SOLUTION
    return matrix / matrix.norm(dim=1, keepdim=True)  # norms: rows 1
    ### END SOLUTION


# %%
def cos_sim_matrix(matrix: Float[Tensor, "rows cols"]) -> Float[Tensor, "rows rows"]:
    """Give the cosine similarity of each pair of rows.

    Args:
        matrix: No row is all zero.
    """
    ### BEGIN SOLUTION
    unit = normalize_rows(matrix)
    return unit @ unit.T
    ### END SOLUTION


# %%
def sample_distribution(probs: Float[Tensor, " outcomes"], n: int) -> Int[Tensor, " {n}"]:
    """Draw n independent outcomes, numbered from 0, without a loop.

    Args:
        probs: The probability of each outcome; they sum to 1.
        n: How many to draw; may be 0.
    """
    ### BEGIN SOLUTION
    edges = probs.cumsum(dim=0)
    passed = torch.rand(n, 1) >= edges[:-1]  # n outcomes-1
    return passed.sum(dim=1)
    ### END SOLUTION


# %%
def classifier_accuracy(
    scores: Float[Tensor, "batch classes"], true_classes: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Give the share of inputs whose true class has the highest score, 0 to 1.

    Args:
        scores: One row for each input; no two scores of a row are equal.
        true_classes: The right class of each input.
    """
    ### BEGIN SOLUTION
    return (scores.argmax(dim=1) == true_classes).float().mean()
    ### END SOLUTION


# %%
def total_price_indexing(prices: Float[Tensor, " goods"], items: Int[Tensor, " bought"]) -> float:
    """Give the sum of the prices of what was bought, by indexing with `items`.

    Args:
        prices: The price of each article.
        items: The number of the article, for everything bought; may repeat, may be empty.
    """
    ### BEGIN SOLUTION
    return prices[items].sum().item()
    ### END SOLUTION


# %%
def gather_2d(
    matrix: Float[Tensor, "rows cols"], indexes: Int[Tensor, "rows picked"]
) -> Float[Tensor, "rows picked"]:
    """Gather along axis 1: out[i, j] = matrix[i, indexes[i, j]].

    Raises:
        AssertionError: An argument is not a matrix, or they differ in their number of rows.
    """
    ### BEGIN SOLUTION
    assert matrix.ndim == 2, f"matrix has {matrix.ndim} axes, not 2"
    assert indexes.ndim == 2, f"indexes has {indexes.ndim} axes, not 2"
    assert len(matrix) == len(indexes), f"{len(matrix)} rows, but {len(indexes)} rows of indexes"
    out = matrix.gather(1, indexes)
    assert out.shape == indexes.shape
    return out
    ### END SOLUTION


# %%
def total_price_gather(prices: Float[Tensor, " goods"], items: Int[Tensor, " bought"]) -> float:
    """Give the sum of the prices of what was bought, by `gather`.

    Args:
        prices: The price of each article.
        items: The number of the article, for everything bought; may repeat, may be empty.
    """
    ### BEGIN SOLUTION
    return prices.gather(0, items).sum().item()
    ### END SOLUTION


# %%
def integer_array_indexing(
    matrix: Float[Tensor, "*axes"], coords: Int[Tensor, "points n_axes"]
) -> Float[Tensor, " points"]:
    """Read the values at a list of places.

    Args:
        matrix: Any number of axes.
        coords: One place in each row: an index for each axis of `matrix`.
    """
    ### BEGIN SOLUTION
    return matrix[tuple(coords.T)]
    ### END SOLUTION


# %%
def batched_logsumexp(matrix: Float[Tensor, "batch n"]) -> Float[Tensor, " batch"]:
    """Give log(sum(exp(row))) of each row, finite for numbers of any size."""
    ### BEGIN SOLUTION
    largest = matrix.max(dim=1, keepdim=True).values  # batch 1
    return largest.squeeze(1) + (matrix - largest).exp().sum(dim=1).log()
    ### END SOLUTION


# %%
def batched_softmax(matrix: Float[Tensor, "batch n"]) -> Float[Tensor, "batch n"]:
    """Give exp(x) / sum(exp(x)) along each row, right for numbers of any size."""
    ### BEGIN SOLUTION
    largest = matrix.max(dim=1, keepdim=True).values  # batch 1
    exps = (matrix - largest).exp()
    return exps / exps.sum(dim=1, keepdim=True)
    ### END SOLUTION


# %%
def batched_logsoftmax(matrix: Float[Tensor, "batch n"]) -> Float[Tensor, "batch n"]:
    """Give log(softmax(row)) of each row, finite for finite numbers of any size."""
    ### BEGIN SOLUTION
    return matrix - batched_logsumexp(matrix)[:, None]
    ### END SOLUTION


# %%
def batched_cross_entropy_loss(
    logits: Float[Tensor, "batch classes"], true_labels: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Give -log(softmax(logits)) of each row at its true class.

    Args:
        logits: One row for each input. A logit may be -inf: that class has probability 0.
        true_labels: The right class of each input.
    """
    ### BEGIN SOLUTION
    logprobs = batched_logsoftmax(logits)
    return -logprobs[torch.arange(len(logits)), true_labels]
    ### END SOLUTION


# %%
def collect_rows(
    matrix: Float[Tensor, "rows cols"], row_indexes: Int[Tensor, " picked"]
) -> Float[Tensor, "picked cols"]:
    """Give the rows with these numbers, in this order; a number may repeat."""
    ### BEGIN SOLUTION
    return matrix[row_indexes]
    ### END SOLUTION


# %%
def collect_columns(
    matrix: Float[Tensor, "rows cols"], column_indexes: Int[Tensor, " picked"]
) -> Float[Tensor, "rows picked"]:
    """Give the columns with these numbers, in this order; a number may repeat."""
    ### BEGIN SOLUTION
    return matrix[:, column_indexes]
    ### END SOLUTION


# %%
def einsum_trace(mat: Float[Arr, "n n"]) -> Float[Scalar, ""]:
    """Give the sum of the diagonal."""
    ### BEGIN SOLUTION
    return einops.einsum(mat, "i i ->")
    ### END SOLUTION


# %%
def einsum_mv(mat: Float[Arr, "rows cols"], vec: Float[Arr, " cols"]) -> Float[Arr, " rows"]:
    """Give the product of a matrix and a vector."""
    ### BEGIN SOLUTION
    return einops.einsum(mat, vec, "i j, j -> i")
    ### END SOLUTION


# %%
def einsum_mm(mat1: Float[Arr, "rows n"], mat2: Float[Arr, "n cols"]) -> Float[Arr, "rows cols"]:
    """Give the product of two matrices."""
    ### BEGIN SOLUTION
    return einops.einsum(mat1, mat2, "i j, j k -> i k")
    ### END SOLUTION


# %%
def einsum_inner(vec1: Float[Arr, " n"], vec2: Float[Arr, " n"]) -> Float[Scalar, ""]:
    """Give the inner product of two vectors, a number."""
    ### BEGIN SOLUTION
    return einops.einsum(vec1, vec2, "i, i ->")
    ### END SOLUTION


# %%
def einsum_outer(vec1: Float[Arr, " rows"], vec2: Float[Arr, " cols"]) -> Float[Arr, "rows cols"]:
    """Give the outer product of two vectors, every product of an element with an element."""
    ### BEGIN SOLUTION
    return einops.einsum(vec1, vec2, "i, j -> i j")
    ### END SOLUTION
