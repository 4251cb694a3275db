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

# %% [markdown]
# ### einops_figure_1
#
# 0.0 · Pictures · difficulty 2/5, importance 2/5, about 8 minutes

# %%
def einops_figure_1(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 digits*height width"]:
    """Stack all pictures above each other."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_1(einops_figure_1)

# %%
if MAIN:
    show_einops_figure(1, einops_figure_1).show()

# %% [markdown]
# ### einops_figure_2
#
# 0.0 · Pictures · difficulty 2/5, importance 2/5, about 5 minutes

# %%
def einops_figure_2(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height width"]:
    """Show the first picture twice, one above the other."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_2(einops_figure_2)

# %%
if MAIN:
    show_einops_figure(2, einops_figure_2).show()

# %% [markdown]
# ### einops_figure_3
#
# 0.0 · Pictures · difficulty 3/5, importance 2/5, about 6 minutes

# %%
def einops_figure_3(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height 2*width"]:
    """Stack the first two pictures, and show each twice, side by side."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_3(einops_figure_3)

# %%
if MAIN:
    show_einops_figure(3, einops_figure_3).show()

# %% [markdown]
# ### einops_figure_4
#
# 0.0 · Pictures · difficulty 3/5, importance 2/5, about 3 minutes

# %%
def einops_figure_4(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height width"]:
    """Stretch the first picture to twice its height."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_4(einops_figure_4)

# %%
if MAIN:
    show_einops_figure(4, einops_figure_4).show()

# %% [markdown]
# ### einops_figure_5
#
# 0.0 · Pictures · difficulty 3/5, importance 2/5, about 6 minutes

# %%
def einops_figure_5(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "height 3*width"]:
    """Show the three colour channels of the first picture side by side, in grey."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_5(einops_figure_5)

# %%
if MAIN:
    show_einops_figure(5, einops_figure_5).show()

# %% [markdown]
# ### einops_figure_6
#
# 0.0 · Pictures · difficulty 3/5, importance 2/5, about 6 minutes

# %%
def einops_figure_6(
    arr: Float[Arr, "6 3 height width"],
) -> Float[Arr, "3 2*height 3*width"]:
    """Lay the six pictures out in two rows of three."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_6(einops_figure_6)

# %%
if MAIN:
    show_einops_figure(6, einops_figure_6).show()

# %% [markdown]
# ### einops_figure_7
#
# 0.0 · Pictures · difficulty 2/5, importance 2/5, about 2 minutes

# %%
def einops_figure_7(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 width height"]:
    """Mirror the second picture along its diagonal: swap height and width."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_7(einops_figure_7)

# %%
if MAIN:
    show_einops_figure(7, einops_figure_7).show()

# %% [markdown]
# ### einops_figure_8
#
# 0.0 · Pictures · difficulty 4/5, importance 2/5, about 8 minutes

# %%
def einops_figure_8(
    arr: Float[Arr, "6 3 height width"],
) -> Float[Arr, "3 height 3*width//2"]:
    """Lay the six pictures out in two rows, at half their size.

    Each pixel is the largest of a square of 2 × 2, channel by channel.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_8(einops_figure_8)

# %%
if MAIN:
    show_einops_figure(8, einops_figure_8).show()

# %% [markdown]
# ### einops_figure_9
#
# 0.0 · Pictures · difficulty 2/5, importance 2/5, about 2 minutes, optional

# %%
def einops_figure_9(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 height width"]:
    """Lay all pictures over each other: keep the largest value of each pixel."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_9(einops_figure_9)

# %%
if MAIN:
    show_einops_figure(9, einops_figure_9).show()

# %% [markdown]
# ### einops_figure_10
#
# 0.0 · Pictures · difficulty 3/5, importance 2/5, about 4 minutes, optional

# %%
def einops_figure_10(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "height digits*width"]:
    """Show all pictures side by side in grey, by the largest channel of each pixel."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_10(einops_figure_10)

# %%
if MAIN:
    show_einops_figure(10, einops_figure_10).show()

# %% [markdown]
# ### einops_figure_11
#
# 0.0 · Pictures · difficulty 3/5, importance 2/5, about 2 minutes, optional

# %%
def einops_figure_11(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 2*height 2*width"]:
    """Stretch the first picture to twice its height and twice its width."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_11(einops_figure_11)

# %%
if MAIN:
    show_einops_figure(11, einops_figure_11).show()

# %% [markdown]
# ### einops_figure_12
#
# 0.0 · Pictures · difficulty 4/5, importance 2/5, about 3 minutes, optional

# %%
def einops_figure_12(
    arr: Float[Arr, "digits 3 height width"],
) -> Float[Arr, "3 height//10 digits*(width//10)"]:
    """Show all pictures side by side at a tenth of their size.

    Each pixel is the mean of a square of 10 × 10, channel by channel.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einops_figure_12(einops_figure_12)

# %%
if MAIN:
    show_einops_figure(12, einops_figure_12).show()

# %% [markdown]
# ### rearrange_1
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 3 minutes

# %%
def rearrange_1() -> Int[Tensor, "3 2"]:
    """Give [[3, 4], [5, 6], [7, 8]], made with `torch.arange` and `einops.rearrange`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_rearrange_1(rearrange_1)

# %% [markdown]
# ### rearrange_2
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 2 minutes

# %%
def rearrange_2() -> Int[Tensor, "2 3"]:
    """Give [[1, 2, 3], [4, 5, 6]], made with `torch.arange` and `einops.rearrange`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_rearrange_2(rearrange_2)

# %% [markdown]
# ### temperatures_average
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 5 minutes

# %%
def temperatures_average(temps: Float[Tensor, " days"]) -> Float[Tensor, " days//7"]:
    """Give the mean temperature of each week.

    Args:
        temps: One temperature a day; the number of days is a multiple of 7.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_temperatures_average(temperatures_average)
    tests.test_temperatures_average_of_any_number_of_weeks(temperatures_average)

# %% [markdown]
# ### temperatures_differences
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 5 minutes

# %%
def temperatures_differences(temps: Float[Tensor, " days"]) -> Float[Tensor, " days"]:
    """Subtract from each day the mean of its own week.

    Args:
        temps: One temperature a day; the number of days is a multiple of 7.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_temperatures_differences(temperatures_differences)
    tests.test_temperatures_differences_of_any_number_of_weeks(temperatures_differences)

# %% [markdown]
# ### temperatures_normalized
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 5 minutes

# %%
def temperatures_normalized(temps: Float[Tensor, " days"]) -> Float[Tensor, " days"]:
    """Subtract from each day the mean of its own week, and divide by that week's deviation.

    Args:
        temps: One temperature a day; the number of days is a multiple of 7. The deviation is the
            unbiased standard deviation, with 6 in the denominator, as `torch.std` gives it.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_temperatures_normalized(temperatures_normalized)
    tests.test_temperatures_normalized_of_any_number_of_weeks(temperatures_normalized)

# %% [markdown]
# ### normalize_rows
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 4 minutes

# %%
def normalize_rows(matrix: Float[Tensor, "rows cols"]) -> Float[Tensor, "rows cols"]:
    """Divide each row by its length, the square root of its sum of squares.

    Args:
        matrix: No row is all zero.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_normalize_rows(normalize_rows)
    tests.test_normalize_rows_of_any_shape(normalize_rows)

# %% [markdown]
# ### cos_sim_matrix
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 4 minutes

# %%
def cos_sim_matrix(matrix: Float[Tensor, "rows cols"]) -> Float[Tensor, "rows rows"]:
    """Give the cosine similarity of each pair of rows.

    Args:
        matrix: No row is all zero.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_cos_sim_matrix(cos_sim_matrix)
    tests.test_cos_sim_matrix_of_any_shape(cos_sim_matrix)

# %% [markdown]
# ### sample_distribution
#
# 0.0 · Tensors · difficulty 3/5, importance 3/5, about 12 minutes

# %%
def sample_distribution(probs: Float[Tensor, " outcomes"], n: int) -> Int[Tensor, " {n}"]:
    """Draw n independent outcomes, numbered from 0, without a loop.

    Args:
        probs: The probability of each outcome; they sum to 1.
        n: How many to draw; may be 0.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_sample_distribution(sample_distribution)
    tests.test_sample_distribution_of_other_sizes(sample_distribution)

# %% [markdown]
# ### classifier_accuracy
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 4 minutes

# %%
def classifier_accuracy(
    scores: Float[Tensor, "batch classes"], true_classes: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Give the share of inputs whose true class has the highest score, 0 to 1.

    Args:
        scores: One row for each input; no two scores of a row are equal.
        true_classes: The right class of each input.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_classifier_accuracy(classifier_accuracy)
    tests.test_classifier_accuracy_of_any_shape(classifier_accuracy)

# %% [markdown]
# ### total_price_indexing
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 3 minutes

# %%
def total_price_indexing(prices: Float[Tensor, " goods"], items: Int[Tensor, " bought"]) -> float:
    """Give the sum of the prices of what was bought, by indexing with `items`.

    Args:
        prices: The price of each article.
        items: The number of the article, for everything bought; may repeat, may be empty.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_total_price_indexing(total_price_indexing)

# %% [markdown]
# ### gather_2d
#
# 0.0 · Tensors · difficulty 3/5, importance 3/5, about 10 minutes

# %%
def gather_2d(
    matrix: Float[Tensor, "rows cols"], indexes: Int[Tensor, "rows picked"]
) -> Float[Tensor, "rows picked"]:
    """Gather along axis 1: out[i, j] = matrix[i, indexes[i, j]].

    Raises:
        AssertionError: An argument is not a matrix, or they differ in their number of rows.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_gather_2d(gather_2d)
    tests.test_gather_2d_of_any_shape(gather_2d)
    tests.test_gather_2d_refuses_shapes_that_do_not_fit(gather_2d)

# %% [markdown]
# ### total_price_gather
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 2 minutes

# %%
def total_price_gather(prices: Float[Tensor, " goods"], items: Int[Tensor, " bought"]) -> float:
    """Give the sum of the prices of what was bought, by `gather`.

    Args:
        prices: The price of each article.
        items: The number of the article, for everything bought; may repeat, may be empty.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_total_price_gather(total_price_gather)

# %% [markdown]
# ### integer_array_indexing
#
# 0.0 · Tensors · difficulty 3/5, importance 3/5, about 10 minutes

# %%
def integer_array_indexing(
    matrix: Float[Tensor, "*axes"], coords: Int[Tensor, "points n_axes"]
) -> Float[Tensor, " points"]:
    """Read the values at a list of places.

    Args:
        matrix: Any number of axes.
        coords: One place in each row: an index for each axis of `matrix`.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_integer_array_indexing(integer_array_indexing)
    tests.test_integer_array_indexing_in_any_number_of_axes(integer_array_indexing)

# %% [markdown]
# ### batched_logsumexp
#
# 0.0 · Tensors · difficulty 3/5, importance 3/5, about 12 minutes

# %%
def batched_logsumexp(matrix: Float[Tensor, "batch n"]) -> Float[Tensor, " batch"]:
    """Give log(sum(exp(row))) of each row, finite for numbers of any size."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_batched_logsumexp(batched_logsumexp)
    tests.test_batched_logsumexp_of_large_numbers(batched_logsumexp)
    tests.test_batched_logsumexp_of_any_shape(batched_logsumexp)

# %% [markdown]
# ### batched_softmax
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 4 minutes

# %%
def batched_softmax(matrix: Float[Tensor, "batch n"]) -> Float[Tensor, "batch n"]:
    """Give exp(x) / sum(exp(x)) along each row, right for numbers of any size."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_batched_softmax(batched_softmax)
    tests.test_batched_softmax_of_large_numbers(batched_softmax)
    tests.test_batched_softmax_does_not_change_with_a_shift(batched_softmax)
    tests.test_batched_softmax_of_any_shape(batched_softmax)

# %% [markdown]
# ### batched_logsoftmax
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 4 minutes

# %%
def batched_logsoftmax(matrix: Float[Tensor, "batch n"]) -> Float[Tensor, "batch n"]:
    """Give log(softmax(row)) of each row, finite for finite numbers of any size."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_batched_logsoftmax(batched_logsoftmax)
    tests.test_batched_logsoftmax_of_large_numbers(batched_logsoftmax)
    tests.test_batched_logsoftmax_of_any_shape(batched_logsoftmax)

# %% [markdown]
# ### batched_cross_entropy_loss
#
# 0.0 · Tensors · difficulty 3/5, importance 3/5, about 9 minutes

# %%
def batched_cross_entropy_loss(
    logits: Float[Tensor, "batch classes"], true_labels: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Give -log(softmax(logits)) of each row at its true class.

    Args:
        logits: One row for each input. A logit may be -inf: that class has probability 0.
        true_labels: The right class of each input.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_batched_cross_entropy_loss(batched_cross_entropy_loss)
    tests.test_batched_cross_entropy_loss_of_certain_answers(batched_cross_entropy_loss)
    tests.test_batched_cross_entropy_loss_of_any_shape(batched_cross_entropy_loss)

# %% [markdown]
# ### collect_rows
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 2 minutes

# %%
def collect_rows(
    matrix: Float[Tensor, "rows cols"], row_indexes: Int[Tensor, " picked"]
) -> Float[Tensor, "picked cols"]:
    """Give the rows with these numbers, in this order; a number may repeat."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_collect_rows(collect_rows)

# %% [markdown]
# ### collect_columns
#
# 0.0 · Tensors · difficulty 2/5, importance 3/5, about 2 minutes

# %%
def collect_columns(
    matrix: Float[Tensor, "rows cols"], column_indexes: Int[Tensor, " picked"]
) -> Float[Tensor, "rows picked"]:
    """Give the columns with these numbers, in this order; a number may repeat."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_collect_columns(collect_columns)

# %% [markdown]
# ### einsum_trace
#
# 0.0 · Einsum · difficulty 2/5, importance 4/5, about 4 minutes

# %%
def einsum_trace(mat: Float[Arr, "n n"]) -> Float[Scalar, ""]:
    """Give the sum of the diagonal."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einsum_trace(einsum_trace)

# %% [markdown]
# ### einsum_mv
#
# 0.0 · Einsum · difficulty 2/5, importance 4/5, about 2 minutes

# %%
def einsum_mv(mat: Float[Arr, "rows cols"], vec: Float[Arr, " cols"]) -> Float[Arr, " rows"]:
    """Give the product of a matrix and a vector."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einsum_mv(einsum_mv)

# %% [markdown]
# ### einsum_mm
#
# 0.0 · Einsum · difficulty 2/5, importance 4/5, about 2 minutes

# %%
def einsum_mm(mat1: Float[Arr, "rows n"], mat2: Float[Arr, "n cols"]) -> Float[Arr, "rows cols"]:
    """Give the product of two matrices."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einsum_mm(einsum_mm)

# %% [markdown]
# ### einsum_inner
#
# 0.0 · Einsum · difficulty 2/5, importance 4/5, about 3 minutes

# %%
def einsum_inner(vec1: Float[Arr, " n"], vec2: Float[Arr, " n"]) -> Float[Scalar, ""]:
    """Give the inner product of two vectors, a number."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einsum_inner(einsum_inner)

# %% [markdown]
# ### einsum_outer
#
# 0.0 · Einsum · difficulty 2/5, importance 4/5, about 3 minutes

# %%
def einsum_outer(vec1: Float[Arr, " rows"], vec2: Float[Arr, " cols"]) -> Float[Arr, "rows cols"]:
    """Give the outer product of two vectors, every product of an element with an element."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_einsum_outer(einsum_outer)
