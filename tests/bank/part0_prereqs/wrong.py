"""Wrong answers that learners of 0.0 write; each cell's title is what its verdict must contain."""

# %% different pictures are interleaved
def einops_figure_1(arr):
    return einops.rearrange(arr, "b c h w -> c (h b) w")

# %% stand side by side, not above each other
def einops_figure_1(arr):
    return np.concatenate(list(arr), axis=2)

# %% the channels come last
def einops_figure_1(arr):
    return einops.rearrange(arr, "b c h w -> (b h) w c")

# %% expected 3 dims. Received 4-dim tensor.
def einops_figure_1(arr):
    return einops.rearrange(arr, "b h w -> (b h) w")

# %% each row is doubled, which stretches the picture
def einops_figure_2(arr):
    return einops.repeat(arr[0], "c h w -> c (h 2) w")

# %% take only the first, arr[0]
def einops_figure_2(arr):
    return einops.repeat(arr, "b c h w -> b c (2 h) w")

# %% each column is doubled
def einops_figure_3(arr):
    return einops.repeat(arr[0:2], "b c h w -> c (b h) (w 2)")

# %% stands there twice instead of being stretched
def einops_figure_4(arr):
    return einops.repeat(arr[0], "c h w -> c (2 h) w")

# %% it must be (3, 4, 3)
def einops_figure_4(arr):
    return einops.repeat(arr[0], "c h w -> c (h 4) w")

# %% the columns of the three channels are interleaved
def einops_figure_5(arr):
    return einops.rearrange(arr[0], "c h w -> h (w c)")

# %% run down the columns, 0 2 4 above 1 3 5
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b2 b1) c h w -> c (b1 h) (b2 w)", b1=2)

# %% Could not infer sizes
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)")

# %% three rows of two
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=3)

# %% reshape moves no pixel
def einops_figure_7(arr):
    return arr[1].reshape(3, arr.shape[3], arr.shape[2])

# %% write (h h2), not (h2 h)
def einops_figure_8(arr):
    return einops.reduce(arr, "(b1 b2) c (h2 h) (w2 w) -> c (b1 h) (b2 w)", "max", b1=2, h2=2, w2=2)

# %% it must be the largest
def einops_figure_8(arr):
    return einops.reduce(arr, "(b1 b2) c (h h2) (w w2) -> c (b1 h) (b2 w)", "mean", b1=2, h2=2, w2=2)

# %% the colour is gone
def einops_figure_9(arr):
    return arr.max(axis=(0, 1))

# %% the mean of the channels
def einops_figure_10(arr):
    return einops.reduce(arr, "b c h w -> h (b w)", "mean")

# %% four copies instead of one picture
def einops_figure_11(arr):
    return einops.repeat(arr[0], "c h w -> c (2 h) (2 w)")

# %% the mean of pixels that are far apart
def einops_figure_12(arr):
    return einops.reduce(arr, "b c (h10 h) (w10 w) -> c h (b w)", "mean", h10=10, w10=10)

# %% 8 is missing
def rearrange_1():
    return torch.arange(3, 8)

# %% the numbers run down the columns
def rearrange_1():
    return einops.rearrange(torch.arange(3, 9), "(w h) -> h w", w=2)

# %% they must be integer
def rearrange_2():
    return torch.tensor([[1.0, 2, 3], [4, 5, 6]])

# %% not a torch.Tensor
def rearrange_2():
    return np.arange(1, 7).reshape(2, 3)

# %% the days of a week are neighbours
def temperatures_average(temps):
    return einops.reduce(temps, "(days weeks) -> weeks", "mean", days=7)

# %% each day of the week over all weeks
def temperatures_average(temps):
    return temps.view(-1, 7).mean(dim=0)

# %% mean of its own week
def temperatures_differences(temps):
    return temps - temps.mean()

# %% days get the means of the two weeks in turn
def temperatures_differences(temps):
    return temps - temperatures_average(temps).repeat(7)

# %% lay them end to end
def temperatures_differences(temps):
    weeks = temps.view(-1, 7)
    return weeks - weeks.mean(1, keepdim=True)

# %% The size of tensor a (14) must match the size of tensor b (2)
def temperatures_differences(temps):
    return temps - temperatures_average(temps)

# %% with 7 in the denominator
def temperatures_normalized(temps):
    weeks = temps.view(-1, 7)
    return ((weeks - weeks.mean(1, keepdim=True)) / weeks.std(1, keepdim=True, correction=0)).flatten()

# %% divided by the variance
def temperatures_normalized(temps):
    weeks = temps.view(-1, 7)
    return ((weeks - weeks.mean(1, keepdim=True)) / weeks.var(1, keepdim=True)).flatten()

# %% keepdim=True
def normalize_rows(matrix):
    return matrix / matrix.norm(dim=1)

# %% the columns have length 1, not the rows
def normalize_rows(matrix):
    return matrix / matrix.norm(dim=0, keepdim=True)

# %% the length is its root
def normalize_rows(matrix):
    return matrix / (matrix**2).sum(1, keepdim=True)

# %% changed its argument matrix in place
def normalize_rows(matrix):
    matrix /= matrix.norm(dim=1, keepdim=True)
    return matrix

# %% divide them by the lengths of both rows
def cos_sim_matrix(matrix):
    return matrix @ matrix.T

# %% in normalize_rows?
def cos_sim_matrix(matrix):
    unit = matrix / matrix.norm(dim=1)
    return unit @ unit.T

# %% that of columns
def cos_sim_matrix(matrix):
    unit = normalize_rows(matrix)
    return unit.T @ unit

# %% outcomes are numbered the other way round
def sample_distribution(probs, n):
    return (torch.rand(n, 1) < probs.cumsum(0)).sum(1) - 1

# %% was drawn, but 6 outcomes are numbered from 0 to 5
def sample_distribution(probs, n):
    return (torch.rand(n, 1) > probs.cumsum(0)).sum(1) + 1

# %% probs is not used
def sample_distribution(probs, n):
    return torch.randint(0, len(probs), (n,))

# %% all draws are equal
def sample_distribution(probs, n):
    return (torch.rand(1, 1) > probs.cumsum(0)).sum(1).repeat(n)

# %% the draws come in order
def sample_distribution(probs, n):
    return (torch.linspace(0, 0.9999, n)[:, None] > probs.cumsum(0)).sum(1)

# %% outcomes are integers
def sample_distribution(probs, n):
    return (torch.rand(n, 1) > probs.cumsum(0)).float().sum(1)

# %% is a return statement missing?
def sample_distribution(probs, n):
    (torch.rand(n, 1) > probs.cumsum(0)).sum(1)

# %% the share of wrong answers
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=1) != true_classes).float().mean()

# %% a draw each
def sample_distribution(probs, n):
    return torch.rand(n, 1) > probs.cumsum(0)

# %% take argmax along the classes
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=0) == true_classes).float().mean()

# %% this is the number of right answers
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=1) == true_classes).float().sum()

# %% paid only once
def total_price_indexing(prices, items):
    return prices[items.unique()].sum().item()

# %% their sum is wanted
def total_price_indexing(prices, items):
    return prices[items]

# %% indexes has 2 rows and matrix has 3, where torch's gather says nothing
def gather_2d(matrix, indexes):
    return matrix.gather(1, indexes)

# %% the indexes choose rows
def gather_2d(matrix, indexes):
    return matrix.gather(0, indexes)

# %% Index tensor must have the same number of dimensions
def total_price_gather(prices, items):
    return prices[None].gather(1, items).sum().item()

# %% one array of indexes chooses along axis 0 only
def integer_array_indexing(matrix, coords):
    return matrix[coords]

# %% each place is read as (column, row)
def integer_array_indexing(matrix, coords):
    return matrix[coords[:, 1], coords[:, 0]]

# %% any number of axes, here three (too many values
def integer_array_indexing(matrix, coords):
    rows, cols = coords.T
    return matrix[rows, cols]

# %% subtract the largest of the row first
def batched_logsumexp(matrix):
    return matrix.exp().sum(dim=1).log()

# %% each row needs its own largest
def batched_logsumexp(matrix):
    return matrix.max() + (matrix - matrix.max()).exp().sum(dim=1).log()

# %% not added again
def batched_logsumexp(matrix):
    return (matrix - matrix.max(dim=1, keepdim=True).values).exp().sum(dim=1).log()

# %% that each row loses its own
def batched_logsumexp(matrix):
    largest = matrix.max(dim=1).values
    return largest + (matrix - largest).exp().sum(dim=1).log()

# %% sum along each row, dim=1
def batched_logsumexp(matrix):
    return torch.logsumexp(matrix, dim=0)

# %% take the axis of length 1 away before you add
def batched_logsumexp(matrix):
    largest = matrix.max(dim=1, keepdim=True).values
    return largest + (matrix - largest).exp().sum(dim=1).log()

# %% subtract the largest of the row first
def batched_softmax(matrix):
    return matrix.exp() / matrix.exp().sum(dim=1, keepdim=True)

# %% each column is divided by the shifted sum of a row
def batched_softmax(matrix):
    exps = (matrix - matrix.max(dim=1, keepdim=True).values).exp()
    return exps / exps.sum(dim=1)

# %% from each column the largest of a row is subtracted
def batched_softmax(matrix):
    exps = (matrix - matrix.max(dim=1).values).exp()
    return exps / exps.sum(dim=1, keepdim=True)

# %% the columns sum to 1, not the rows
def batched_softmax(matrix):
    return torch.softmax(matrix, dim=0)

# %% rounded to 0
def batched_logsoftmax(matrix):
    return torch.softmax(matrix, dim=1).log()

# %% give it an axis of length 1
def batched_logsoftmax(matrix):
    return matrix - torch.logsumexp(matrix, dim=1)

# %% the loss is its negative
def batched_cross_entropy_loss(logits, true_labels):
    return batched_logsoftmax(logits)[torch.arange(len(logits)), true_labels]

# %% choose one number in each row
def batched_cross_entropy_loss(logits, true_labels):
    return -batched_logsoftmax(logits)[:, true_labels]

# %% 0 times -inf is nan
def batched_cross_entropy_loss(logits, true_labels):
    chosen = torch.nn.functional.one_hot(true_labels, logits.shape[1])
    return -(batched_logsoftmax(logits) * chosen).sum(dim=1)

# %% every row has a loss of its own
def batched_cross_entropy_loss(logits, true_labels):
    return torch.nn.functional.cross_entropy(logits, true_labels)

# %% these are columns
def collect_rows(matrix, row_indexes):
    return matrix[:, row_indexes]

# %% these are rows
def collect_columns(matrix, column_indexes):
    return matrix[column_indexes]

# %% the result must be the transpose
def collect_columns(matrix, column_indexes):
    return torch.stack([matrix[:, i] for i in column_indexes])

# %% must contain '->'
def einsum_trace(mat):
    return einops.einsum(mat, "i i")

# %% stays on the diagonal
def einsum_trace(mat):
    return einops.einsum(mat, "i j ->")

# %% product with the transpose
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "i j, i -> j")

# %% must not stand after the arrow
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "i j, j -> i j")

# %% first the rows of mat1
def einsum_mm(mat1, mat2):
    return einops.einsum(mat1, mat2, "i j, j k -> k i")

# %% number by number
def einsum_mm(mat1, mat2):
    return mat1 * mat2

# %% both vectors need the same letter
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, j ->")

# %% first the letter of vec1
def einsum_outer(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, j -> j i")

# %% is a return statement missing?
def einsum_outer(vec1, vec2):
    einops.einsum(vec1, vec2, "i, j -> i j")
