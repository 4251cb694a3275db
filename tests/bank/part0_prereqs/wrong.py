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

# %% expected 3 dims. Received 4-dim tensor
def einops_figure_1(arr):
    return einops.rearrange(arr, "b h w -> (b h) w")

# %% the channels are stacked too; they stay an axis of their own, in front
def einops_figure_1(arr):
    return einops.rearrange(arr, "b c h w -> (b c h) w")

# %% each row is doubled, which stretches the picture
def einops_figure_2(arr):
    return einops.repeat(arr[0], "c h w -> c (h 2) w")

# %% take only the first, arr[0]
def einops_figure_2(arr):
    return einops.repeat(arr, "b c h w -> b c (2 h) w")

# %% these are the first two pictures; show the first one twice
def einops_figure_2(arr):
    return einops.rearrange(arr[:2], "b c h w -> c (b h) w")

# %% the copies stand side by side, not above each other
def einops_figure_2(arr):
    return np.concatenate([arr[0], arr[0]], axis=2)

# %% the shape is (6, 2, 3); it must be (3, 4, 3)
def einops_figure_2(arr):
    return np.concatenate([arr[0], arr[0]])

# %% the channels come last; a picture is (3, height, width)
def einops_figure_2(arr):
    return einops.repeat(arr[0], "c h w -> (2 h) w c")

# %% each column is doubled
def einops_figure_3(arr):
    return einops.repeat(arr[0:2], "b c h w -> c (b h) (w 2)")

# %% the two pictures stand side by side and their copies below
def einops_figure_3(arr):
    return einops.repeat(arr[0:2], "b c h w -> c (2 h) (b w)")

# %% the rows of the two pictures are interleaved: the picture must vary slower than its rows
def einops_figure_3(arr):
    return einops.repeat(arr[0:2], "b c h w -> c (h b) (2 w)")

# %% the two pictures are stacked, but each stands there only once
def einops_figure_3(arr):
    return einops.rearrange(arr[0:2], "b c h w -> c (b h) w")

# %% all six pictures are there; take only the first two, arr[0:2]
def einops_figure_3(arr):
    return einops.repeat(arr, "b c h w -> c (b h) (2 w)")

# %% stands there twice instead of being stretched
def einops_figure_4(arr):
    return einops.repeat(arr[0], "c h w -> c (2 h) w")

# %% it must be (3, 4, 3)
def einops_figure_4(arr):
    return einops.repeat(arr[0], "c h w -> c (h 4) w")

# %% stretched in width, not in height
def einops_figure_4(arr):
    return einops.repeat(arr[0], "c h w -> c h (w 2)")

# %% stretched both ways; only the height shall double
def einops_figure_4(arr):
    return einops.repeat(arr[0], "c h w -> c (h 2) (w 2)")

# %% all pictures are treated; take only the first, arr[0]
def einops_figure_4(arr):
    return einops.repeat(arr, "b c h w -> b c (h 2) w")

# %% the columns of the three channels are interleaved
def einops_figure_5(arr):
    return einops.rearrange(arr[0], "c h w -> h (w c)")

# %% the channels stand above each other, not side by side
def einops_figure_5(arr):
    return einops.rearrange(arr[0], "c h w -> (c h) w")

# %% the whole is still an axis of its own in front; a grey picture is (height, width)
def einops_figure_5(arr):
    return einops.rearrange(arr[0], "c h w -> 1 h (c w)")

# %% three times the grey picture of all channels; each channel shall stand there once
def einops_figure_5(arr):
    return einops.repeat(einops.reduce(arr[0], "c h w -> h w", "mean"), "h w -> h (3 w)")

# %% all pictures are treated; take only the first, arr[0]
def einops_figure_5(arr):
    return einops.rearrange(arr, "b c h w -> b h (c w)")

# %% run down the columns, 0 2 4 above 1 3 5
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b2 b1) c h w -> c (b1 h) (b2 w)", b1=2)

# %% Could not infer sizes
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)")

# %% three rows of two
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=3)

# %% one row of six; the target has two rows of three
def einops_figure_6(arr):
    return einops.rearrange(arr, "b c h w -> c h (b w)")

# %% rows or columns of different pictures are interleaved
def einops_figure_6(arr):
    return einops.rearrange(arr, "(b1 b2) c h w -> c (h b1) (w b2)", b1=2)

# %% reshape moves no pixel
def einops_figure_7(arr):
    return arr[1].reshape(3, arr.shape[3], arr.shape[2])

# %% this begins with arr[0], and it must be arr[1]
def einops_figure_7(arr):
    return einops.rearrange(arr[0], "c h w -> c w h")

# %% the picture is turned by a quarter; only swap the two axes
def einops_figure_7(arr):
    return np.rot90(arr[1], axes=(1, 2))

# %% the channels come last; a picture is (3, height, width)
def einops_figure_7(arr):
    return arr[1].T

# %% all pictures are treated; take only the second, arr[1]
def einops_figure_7(arr):
    return einops.rearrange(arr, "b c h w -> b c w h")

# %% write (h h2), not (h2 h)
def einops_figure_8(arr):
    return einops.reduce(arr, "(b1 b2) c (h2 h) (w2 w) -> c (b1 h) (b2 w)", "max", b1=2, h2=2, w2=2)

# %% it must be the largest
def einops_figure_8(arr):
    return einops.reduce(arr, "(b1 b2) c (h h2) (w w2) -> c (b1 h) (b2 w)", "mean", b1=2, h2=2, w2=2)

# %% every second pixel is taken; it must be the largest of each square
def einops_figure_8(arr):
    sheet = einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=2)
    return sheet[:, ::2, ::2]

# %% the size is right for two rows of three, but the pictures are at their full size
def einops_figure_8(arr):
    return einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=2)

# %% the pictures run down the columns; the row must vary slowest in the batch
def einops_figure_8(arr):
    pattern = "(b2 b1) c (h h2) (w w2) -> c (b1 h) (b2 w)"
    return einops.reduce(arr, pattern, "max", b1=2, h2=2, w2=2)

# %% the colour is gone
def einops_figure_9(arr):
    return arr.max(axis=(0, 1))

# %% the mean over the pictures; of each pixel the largest is wanted
def einops_figure_9(arr):
    return arr.mean(0)

# %% the sum over the pictures; of each pixel the largest is wanted
def einops_figure_9(arr):
    return einops.reduce(arr, "b c h w -> c h w", "sum")

# %% the largest over the channels of each picture; it must be over the pictures
def einops_figure_9(arr):
    return arr.max(axis=1)

# %% the smallest over the pictures; the largest is wanted
def einops_figure_9(arr):
    return einops.reduce(arr, "b c h w -> c h w", "min")

# %% the mean of the channels
def einops_figure_10(arr):
    return einops.reduce(arr, "b c h w -> h (b w)", "mean")

# %% the pictures stand above each other, not side by side
def einops_figure_10(arr):
    return einops.reduce(arr, "b c h w -> (b h) w", "max")

# %% the columns of different pictures are interleaved
def einops_figure_10(arr):
    return einops.reduce(arr, "b c h w -> h (w b)", "max")

# %% the colour is still there: reduce it away
def einops_figure_10(arr):
    return einops.rearrange(arr, "b c h w -> c h (b w)")

# %% this is only the first channel; take the largest of the three
def einops_figure_10(arr):
    return einops.rearrange(arr[:, 0], "b h w -> h (b w)")

# %% four copies instead of one picture
def einops_figure_11(arr):
    return einops.repeat(arr[0], "c h w -> c (2 h) (2 w)")

# %% only the height is stretched
def einops_figure_11(arr):
    return einops.repeat(arr[0], "c h w -> c (h 2) w")

# %% only the width is stretched
def einops_figure_11(arr):
    return arr[0].repeat(2, axis=2)

# %% all pictures are treated; take only the first, arr[0]
def einops_figure_11(arr):
    return einops.repeat(arr, "b c h w -> b c (h 2) (w 2)")

# %% the height is stretched, but the width is copied: (w 2), not (2 w)
def einops_figure_11(arr):
    return einops.repeat(arr[0], "c h w -> c (h 2) (2 w)")

# %% the mean of pixels that are far apart
def einops_figure_12(arr):
    return einops.reduce(arr, "b c (h10 h) (w10 w) -> c h (b w)", "mean", h10=10, w10=10)

# %% each pixel is the largest of its square; it must be the mean
def einops_figure_12(arr):
    pattern = "b c (h h10) (w w10) -> c h (b w)"
    return einops.reduce(arr, pattern, "max", h10=10, w10=10)

# %% every tenth pixel is taken; it must be the mean of each square
def einops_figure_12(arr):
    return einops.rearrange(arr[:, :, ::10, ::10], "b c h w -> c h (b w)")

# %% the pictures stand above each other, not side by side
def einops_figure_12(arr):
    return einops.reduce(arr, "b c (h h10) (w w10) -> c (b h) w", "mean", h10=10, w10=10)

# %% the shape is (3, 10, 60); it must be (3, 2, 18)
def einops_figure_12(arr):
    return einops.reduce(arr, "b c (h h10) (w w10) -> c h (b w)", "mean", h=10, w=10)

# %% 8 is missing
def rearrange_1():
    return torch.arange(3, 8)

# %% the numbers run down the columns
def rearrange_1():
    return einops.rearrange(torch.arange(3, 9), "(w h) -> h w", w=2)

# %% two rows of three; it must be three rows of two
def rearrange_1():
    return einops.rearrange(torch.arange(3, 9), "(h w) -> h w", h=2)

# %% the numbers start at 0; arange(start, end) takes both
def rearrange_1():
    return einops.rearrange(torch.arange(6), "(h w) -> h w", w=2)

# %% the numbers are right, but still in one row
def rearrange_1():
    return torch.arange(3, 9)

# %% they must be integer
def rearrange_2():
    return torch.tensor([[1.0, 2, 3], [4, 5, 6]])

# %% not a torch.Tensor
def rearrange_2():
    return np.arange(1, 7).reshape(2, 3)

# %% the numbers run down the columns
def rearrange_2():
    return einops.rearrange(torch.arange(1, 7), "(w h) -> h w", h=2)

# %% three rows of two; it must be two rows of three
def rearrange_2():
    return einops.rearrange(torch.arange(1, 7), "(h w) -> h w", w=2)

# %% the numbers are right, but still in one row
def rearrange_2():
    return torch.arange(1, 7)

# %% the days of a week are neighbours
def temperatures_average(temps):
    return einops.reduce(temps, "(days weeks) -> weeks", "mean", days=7)

# %% each day of the week over all weeks
def temperatures_average(temps):
    return temps.view(-1, 7).mean(dim=0)

# %% this is the sum of each week, not its mean
def temperatures_average(temps):
    return einops.reduce(temps, "(w d) -> w", "sum", d=7)

# %% this is the mean of all days; there must be one number for each week
def temperatures_average(temps):
    return temps.mean()

# %% the shape is (2,); it must be (1,)
def temperatures_average(temps):
    return torch.stack([temps[:7].mean(), temps[7:].mean()])

# %% this has one number for each day; there must be one for each week
def temperatures_average(temps):
    return temps.view(-1, 7).mean(1).repeat_interleave(7)

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

# %% the mean of each day of the week over all weeks is subtracted
def temperatures_differences(temps):
    weeks = temps.view(-1, 7)
    return (weeks - weeks.mean(0)).flatten()

# %% these are the means, one for each day; subtract them from the days
def temperatures_differences(temps):
    return temperatures_average(temps).repeat_interleave(7)

# %% with 7 in the denominator
def temperatures_normalized(temps):
    weeks = temps.view(-1, 7)
    return ((weeks - weeks.mean(1, keepdim=True)) / weeks.std(1, keepdim=True, correction=0)).flatten()

# %% divided by the variance
def temperatures_normalized(temps):
    weeks = temps.view(-1, 7)
    return ((weeks - weeks.mean(1, keepdim=True)) / weeks.var(1, keepdim=True)).flatten()

# %% mean and deviation of all days are used; each week has its own
def temperatures_normalized(temps):
    return (temps - temps.mean()) / temps.std()

# %% the mean of the week is not subtracted
def temperatures_normalized(temps):
    weeks = temps.view(-1, 7)
    return (weeks / weeks.std(1, keepdim=True)).flatten()

# %% days get the deviations of the two weeks in turn: in (a b) the week must vary slowest
def temperatures_normalized(temps):
    std = temps.view(-1, 7).std(1)
    return temperatures_differences(temps) / std.repeat(7)

# %% the weeks are still an axis of their own; lay them end to end
def temperatures_normalized(temps):
    weeks = temps.view(-1, 7)
    return (weeks - weeks.mean(1, keepdim=True)) / weeks.std(1, keepdim=True)

# %% these are the differences, not yet divided by the deviation
def temperatures_normalized(temps):
    return temperatures_differences(temps)

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

# %% divided by the sum of the row; its length is the root of its sum of squares
def normalize_rows(matrix):
    return matrix / matrix.sum(1, keepdim=True)

# %% divided by the length of the whole matrix; each row has its own
def normalize_rows(matrix):
    return matrix / matrix.norm()

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

# %% right, but not made with torch.arange
def rearrange_1():
    return torch.tensor(range(3, 9)).view(3, 2)

# %% only one of the two rows is divided by its length
def cos_sim_matrix(matrix):
    return normalize_rows(matrix) @ matrix.T

# %% the second factor must be transposed, that rows meet rows
def cos_sim_matrix(matrix):
    unit = normalize_rows(matrix)
    return unit @ unit

# %% these are the similarities of the columns, not of the rows
def cos_sim_matrix(matrix):
    unit = matrix / matrix.norm(dim=0)
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

# %% a draw each
def sample_distribution(probs, n):
    return torch.rand(n, 1) > probs.cumsum(0)

# %% the share of wrong answers
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=1) != true_classes).float().mean()

# %% take argmax along the classes
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=0) == true_classes).float().mean()

# %% this is the number of right answers
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=1) == true_classes).float().sum()

# %% these are the single answers; their share is wanted
def classifier_accuracy(scores, true_classes):
    return scores.argmax(dim=1) == true_classes

# %% this is in percent; the share lies between 0 and 1
def classifier_accuracy(scores, true_classes):
    return 100 * (scores.argmax(dim=1) == true_classes).float().mean()

# %% mean(): could not infer output dtype
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=1) == true_classes).mean()

# %% divided by 3, however many rows there are
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(dim=1) == true_classes).sum() / 3

# %% paid only once
def total_price_indexing(prices, items):
    return prices[items.unique()].sum().item()

# %% their sum is wanted
def total_price_indexing(prices, items):
    return prices[items]

# %% this is the sum of all prices, whatever was bought
def total_price_indexing(prices, items):
    return prices.sum().item()

# %% this is the sum of the article numbers, not of their prices
def total_price_indexing(prices, items):
    return items.sum().item()

# %% this is the mean price; the sum is wanted
def total_price_indexing(prices, items):
    return prices[items].mean().item()

# %% what is bought several times is paid only once
def total_price_indexing(prices, items):
    bought = torch.zeros(len(prices), dtype=torch.bool)
    bought[items] = True
    return prices[bought].sum().item()

# %% indexes has 2 rows and matrix has 3, where torch's gather says nothing
def gather_2d(matrix, indexes):
    return matrix.gather(1, indexes)

# %% the indexes choose rows
def gather_2d(matrix, indexes):
    return matrix.gather(0, indexes)

# %% each row takes the indexes of all rows; matrix[:, indexes] is not gather
def gather_2d(matrix, indexes):
    assert matrix.ndim == indexes.ndim == 2 and len(matrix) == len(indexes)
    return matrix[:, indexes]

# %% these are whole rows; each index shall choose one number of its own row
def gather_2d(matrix, indexes):
    assert matrix.ndim == indexes.ndim == 2 and len(matrix) == len(indexes)
    return matrix[indexes]

# %% scattered instead of gathered: out[i, j] = matrix[i, indexes[i, j]]
def gather_2d(matrix, indexes):
    assert matrix.ndim == indexes.ndim == 2 and len(matrix) == len(indexes)
    return torch.zeros(matrix.shape).scatter(1, indexes, matrix)

# %% only the numbers of rows must agree; a row may take any number of columns
def gather_2d(matrix, indexes):
    assert matrix.shape == indexes.shape
    return matrix.gather(1, indexes)

# %% gather_2d must raise AssertionError: indexes has 2 rows and matrix has 3
def gather_2d(matrix, indexes):
    assert matrix.ndim == 2 and indexes.ndim == 2
    return matrix.gather(1, indexes)

# %% Index tensor must have the same number of dimensions
def total_price_gather(prices, items):
    return prices[None].gather(1, items).sum().item()

# %% these are the single prices; their sum is wanted
def total_price_gather(prices, items):
    return prices.gather(0, items)

# %% what is bought several times is paid only once
def total_price_gather(prices, items):
    return prices.gather(0, items.unique()).sum().item()

# %% this is the mean price; the sum is wanted
def total_price_gather(prices, items):
    return prices.gather(0, items).mean().item()

# %% Dimension out of range (expected to be in range of [-1, 0], but got 1)
def total_price_gather(prices, items):
    return prices.gather(1, items).sum().item()

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

# %% this is every row with every column; the two lists of indexes must go together
def integer_array_indexing(matrix, coords):
    return matrix[coords[:, 0]][:, coords[:, 1]]

# %% only the first two columns of coords are used
def integer_array_indexing(matrix, coords):
    return matrix[coords[:, 0], coords[:, 1]]

# %% too many indices for tensor of dimension 2
def integer_array_indexing(matrix, coords):
    return matrix[tuple(coords)]

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

# %% all numbers together sum to 1; each row must
def batched_softmax(matrix):
    exps = (matrix - matrix.max()).exp()
    return exps / exps.sum()

# %% the largest of the whole matrix is subtracted; each row needs its own largest
def batched_softmax(matrix):
    exps = (matrix - matrix.max()).exp()
    return exps / exps.sum(1, keepdim=True)

# %% the exponentials are divided by the largest of the row; divide by the sum
def batched_softmax(matrix):
    return (matrix - matrix.max(1, keepdim=True).values).exp()

# %% this is the logarithm of the softmax
def batched_softmax(matrix):
    return matrix.log_softmax(1)

# %% rounded to 0
def batched_logsoftmax(matrix):
    return torch.softmax(matrix, dim=1).log()

# %% give it an axis of length 1
def batched_logsoftmax(matrix):
    return matrix - torch.logsumexp(matrix, dim=1)

# %% the logarithm of the sum is inf or -inf; use a logsumexp that is stable
def batched_logsoftmax(matrix):
    return matrix - matrix.exp().sum(1, keepdim=True).log()

# %% this is the softmax; its logarithm is wanted
def batched_logsoftmax(matrix):
    return torch.softmax(matrix, dim=1)

# %% each column is treated by itself; softmax goes along the rows
def batched_logsoftmax(matrix):
    return matrix.log_softmax(0)

# %% logsumexp is added; a logarithm of a quotient is a difference
def batched_logsoftmax(matrix):
    return matrix + batched_logsumexp(matrix)[:, None]

# %% the largest of the row is subtracted, but not the logarithm of the sum
def batched_logsoftmax(matrix):
    return matrix - matrix.max(1, keepdim=True).values

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

# %% this is the logarithm of a softmax that was rounded to 0; use the log softmax
def batched_cross_entropy_loss(logits, true_labels):
    probs = batched_softmax(logits)
    return -probs[torch.arange(len(logits)), true_labels].log()

# %% this is the probability of the true class; the loss is minus its logarithm
def batched_cross_entropy_loss(logits, true_labels):
    return batched_softmax(logits)[torch.arange(len(logits)), true_labels]

# %% these are the negative logits of the true class; take the log softmax first
def batched_cross_entropy_loss(logits, true_labels):
    return -logits[torch.arange(len(logits)), true_labels]

# %% this is the loss of the most likely class; take the true one
def batched_cross_entropy_loss(logits, true_labels):
    return -batched_logsoftmax(logits).max(1).values

# %% these are columns
def collect_rows(matrix, row_indexes):
    return matrix[:, row_indexes]

# %% these are the single numbers at the places (i, indexes[i])
def collect_rows(matrix, row_indexes):
    return matrix[torch.arange(len(row_indexes)), row_indexes]

# %% the rows lie on their side: the result must be the transpose
def collect_rows(matrix, row_indexes):
    return matrix[row_indexes].T

# %% a number that is there twice gives its row twice
def collect_rows(matrix, row_indexes):
    return matrix[row_indexes.unique()]

# %% give them in the order of row_indexes
def collect_rows(matrix, row_indexes):
    return matrix[row_indexes.sort().values]

# %% the shape is (1, 3); it must be (3, 3)
def collect_rows(matrix, row_indexes):
    return matrix[row_indexes.bool()]

# %% Index tensor must have the same number of dimensions as input tensor
def collect_rows(matrix, row_indexes):
    return matrix.gather(0, row_indexes)

# %% these are rows
def collect_columns(matrix, column_indexes):
    return matrix[column_indexes]

# %% the result must be the transpose
def collect_columns(matrix, column_indexes):
    return torch.stack([matrix[:, i] for i in column_indexes])

# %% these are the single numbers at the places (i, indexes[i])
def collect_columns(matrix, column_indexes):
    return matrix[torch.arange(len(column_indexes)), column_indexes]

# %% give them in the order of column_indexes
def collect_columns(matrix, column_indexes):
    return matrix[:, column_indexes.sort().values]

# %% the columns lie on their side: the result must be the transpose
def collect_columns(matrix, column_indexes):
    return matrix.T[column_indexes]

# %% the shape is (3,); it must be (3, 3)
def collect_columns(matrix, column_indexes):
    return matrix[:, column_indexes.tolist()[0]]

# %% must contain '->'
def einsum_trace(mat):
    return einops.einsum(mat, "i i")

# %% stays on the diagonal
def einsum_trace(mat):
    return einops.einsum(mat, "i j ->")

# %% this is the diagonal; its sum is wanted: no letter after the arrow
def einsum_trace(mat):
    return np.diag(mat)

# %% these are the sums of the rows
def einsum_trace(mat):
    return einops.einsum(mat, "i j -> i")

# %% this is the other diagonal
def einsum_trace(mat):
    return np.trace(mat[:, ::-1])

# %% product with the transpose
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "i j, i -> j")

# %% must not stand after the arrow
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "i j, j -> i j")

# %% everything is summed; one number for each row
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "i j, j ->")

# %% the matrix is summed alone, for no letter is shared
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "i j, k -> i")

# %% the rows are multiplied by the vector's numbers, and not summed
def einsum_mv(mat, vec):
    return mat * vec[:, None]

# %% Unknown axis i on right side of einsum ij, j -> i; einops takes "ij" for one axis
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "ij, j -> i")

# %% first the rows of mat1
def einsum_mm(mat1, mat2):
    return einops.einsum(mat1, mat2, "i j, j k -> k i")

# %% number by number
def einsum_mm(mat1, mat2):
    return mat1 * mat2

# %% the factors are in the wrong order: mat2 times mat1
def einsum_mm(mat1, mat2):
    return mat2 @ mat1

# %% the first matrix is transposed: the shared letter must be its second
def einsum_mm(mat1, mat2):
    return einops.einsum(mat1, mat2, "j i, j k -> i k")

# %% the second matrix is transposed: the shared letter must be its first
def einsum_mm(mat1, mat2):
    return einops.einsum(mat1, mat2, "i j, k j -> i k")

# %% the products are not summed: the shared letter must not stand after the arrow
def einsum_mm(mat1, mat2):
    return einops.einsum(mat1, mat2, "i j, j k -> i j k")

# %% both vectors need the same letter
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, j ->")

# %% the products are not summed: no letter after the arrow
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, i -> i")

# %% this is the outer product
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, j -> i j")

# %% Einsum pattern must contain '->'.
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, i")

# %% this is the product of vec1 with itself
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec1, "i, i ->")

# %% this is the sum of vec1 alone
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, "i ->")

# %% first the letter of vec1
def einsum_outer(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, j -> j i")

# %% is a return statement missing?
def einsum_outer(vec1, vec2):
    einops.einsum(vec1, vec2, "i, j -> i j")

# %% the vectors share a letter, so number meets number; each needs a letter of its own
def einsum_outer(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, i -> i")

# %% this is the inner product
def einsum_outer(vec1, vec2):
    return vec1 @ vec2

# %% everything is summed: both letters must stand after the arrow
def einsum_outer(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, j ->")

# %% the result is transposed: after the arrow, first the letter of vec1
def einsum_outer(vec1, vec2):
    return vec1[None] * vec2[:, None]

# %% must be a torch.Tensor: leave out .item()
def classifier_accuracy(scores, true_classes):
    return (scores.argmax(1) == true_classes).sum().item() / len(scores)

# %% must be a float: .item() makes a Python number
def total_price_indexing(prices, items):
    return prices[items].sum()

# %% gather_2d must raise AssertionError, not ValueError
def gather_2d(matrix, indexes):
    if matrix.ndim != 2 or indexes.ndim != 2 or len(matrix) != len(indexes):
        raise ValueError("shapes do not fit")
    return matrix[torch.arange(len(matrix))[:, None], indexes]

# %% the numbers are right, but not by einsum
def einsum_trace(mat):
    return np.trace(mat)

# %% the numbers are right, but not by einsum
def einsum_trace(mat):
    return sum(mat[i, i] for i in range(len(mat)))

# %% the numbers are right, but not by einsum
def einsum_mv(mat, vec):
    return np.array([np.dot(row, vec) for row in mat])

# %% the numbers are right, but not by einsum
def einsum_mm(mat1, mat2):
    return mat1 @ mat2

# %% the numbers are right, but not by einsum
def einsum_mm(mat1, mat2):
    return (mat1[:, :, None] * mat2[None, :, :]).sum(axis=1)

# %% the numbers are right, but not by einsum
def einsum_inner(vec1, vec2):
    return float(np.dot(vec1, vec2))

# %% the numbers are right, but not by einsum
def einsum_inner(vec1, vec2):
    return sum(a * b for a, b in zip(vec1, vec2))

# %% the numbers are right, but not by einsum
def einsum_outer(vec1, vec2):
    return vec1[:, None] * vec2[None, :]

# %% the numbers are right, but not by einsum
def einsum_outer(vec1, vec2):
    return np.outer(vec1, vec2)

# %% einops takes "ij" for one axis: put a space between them, "i j, j k -> i k"
def einsum_mm(mat1, mat2):
    return einops.einsum(mat1, mat2, "ij, jk -> ik")

# %% einops takes "ij" for one axis: put a space between them, "i j, j -> i"
def einsum_mv(mat, vec):
    return einops.einsum(mat, vec, "ij, j -> i")

# %% the pattern names fewer axes than the array has
def einsum_trace(mat):
    return einops.einsum(mat, "ii ->")

# %% ValueError: Einsum pattern must contain '->'
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, i")

# %% and it must be arr[1], for counting starts at 0
def einops_figure_7(arr):
    return einops.rearrange(arr[2], "c h w -> c w h")

# %% and it must be arr[0], for counting starts at 0
def einops_figure_4(arr):
    return einops.repeat(arr[1], "c h w -> c (h 2) w")

# %% and it must be arr[0], for counting starts at 0
def einops_figure_3(arr):
    return einops.repeat(arr[1:3], "b c h w -> c (b h) (2 w)")

# %% the price is right, but not by gather
def total_price_gather(prices, items):
    return prices[items].sum().item()

# %% must be a float: .item() makes a Python number
def total_price_gather(prices, items):
    return prices.gather(0, items).sum()

# %% gather_2d must raise AssertionError, not RuntimeError: indexes has 4 rows and matrix has 3
def gather_2d(matrix, indexes):
    assert len(indexes) >= len(matrix)
    return matrix.gather(1, indexes)

# %% right, but not made with torch.arange
def rearrange_1():
    return torch.tensor([[3, 4], [5, 6], [7, 8]])

# %% right, but not made with torch.arange
def rearrange_2():
    return einops.rearrange(torch.tensor([1, 2, 3, 4, 5, 6]), "(h w) -> h w", w=3)

# %% only one of the two rows is divided by its length
def cos_sim_matrix(matrix):
    return matrix @ normalize_rows(matrix).T

# %% only the first two columns of coords are used
def integer_array_indexing(matrix, coords):
    return matrix[coords[:, 0], coords[:, 1]] if matrix.ndim > 1 else matrix[coords[:, 0]]

# %% a number that is there twice gives its row twice
def collect_rows(matrix, row_indexes):
    return torch.stack([row for i, row in enumerate(matrix) if i in row_indexes])

# %% the indexes choose from the first row alone
def collect_columns(matrix, column_indexes):
    return matrix.gather(1, column_indexes[None])

# %% EinopsError: Indexing expression contains duplicate dimension "i"
def einsum_outer(vec1, vec2):
    return einops.einsum(vec1, vec2, "i, i -> i i")

# %% the result is a list, not a torch.Tensor
def temperatures_average(temps):
    return [temps[i : i + 7].mean() for i in range(0, len(temps), 7)]

# %% the standard deviation is the biased one
def temperatures_normalized(temps):
    weeks = temps.numpy().reshape(-1, 7)
    return torch.from_numpy(((weeks - weeks.mean(1, keepdims=True)) / weeks.std(1, keepdims=True)).ravel())

# %% but 6 outcomes are numbered from 0 to 5
def sample_distribution(probs, n):
    return (torch.rand(n, 1) < probs.cumsum(0)).sum(1)
