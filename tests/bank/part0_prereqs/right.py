"""Right answers to 0.0 in other styles: loops, einsum, slices, torch's own functions."""

# %% numpy
def einops_figure_1(arr):
    return np.concatenate([picture for picture in arr], axis=1)

# %% reshape
def einops_figure_1(arr):
    b, c, h, w = arr.shape
    return arr.transpose(1, 0, 2, 3).reshape(c, b * h, w)

# %% two steps
def einops_figure_2(arr):
    return np.tile(arr[0], (1, 2, 1))

# %% numpy
def einops_figure_2(arr):
    return np.concatenate([arr[0]] * 2, axis=1)

# %% two steps
def einops_figure_3(arr):
    column = einops.rearrange(arr[:2], "b c h w -> c (b h) w")
    return np.concatenate([column, column], axis=2)

# %% four pieces
def einops_figure_3(arr):
    return np.block([[arr[0], arr[0]], [arr[1], arr[1]]])

# %% numpy
def einops_figure_4(arr):
    return arr[0].repeat(2, axis=1)

# %% indexes
def einops_figure_4(arr):
    return arr[0][:, np.arange(2 * arr.shape[2]) // 2]

# %% transpose and reshape
def einops_figure_5(arr):
    c, h, w = arr[0].shape
    return arr[0].transpose(1, 0, 2).reshape(h, c * w)

# %% numpy
def einops_figure_5(arr):
    return np.concatenate(list(arr[0]), axis=1)

# %% other names, the other length
def einops_figure_6(arr):
    return einops.rearrange(arr, "(y x) rgb h w -> rgb (y h) (x w)", x=3)

# %% two rows in a loop
def einops_figure_6(arr):
    rows = [np.concatenate(list(arr[i : i + 3]), axis=2) for i in (0, 3)]
    return np.concatenate(rows, axis=1)

# %% numpy
def einops_figure_7(arr):
    return arr[1].transpose(0, 2, 1)

# %% swapaxes, into an array of its own
def einops_figure_7(arr):
    return np.ascontiguousarray(arr[1].swapaxes(-1, -2))

# %% two calls
def einops_figure_8(arr):
    sheet = einops.rearrange(arr, "(b1 b2) c h w -> c (b1 h) (b2 w)", b1=2)
    return einops.reduce(sheet, "c (h 2) (w 2) -> c h w", "max")

# %% maximum of four
def einops_figure_8(arr):
    small = np.maximum(
        np.maximum(arr[..., ::2, ::2], arr[..., 1::2, ::2]),
        np.maximum(arr[..., ::2, 1::2], arr[..., 1::2, 1::2]),
    )
    return einops.rearrange(small, "(row col) c h w -> c (row h) (col w)", col=3)

# %% a loop
def einops_figure_9(arr):
    most = arr[0]
    for picture in arr[1:]:
        most = np.maximum(most, picture)
    return most

# %% numpy
def einops_figure_9(arr):
    return np.amax(arr, axis=0)

# %% numpy
def einops_figure_10(arr):
    return np.concatenate(list(arr.max(axis=1)), axis=1)

# %% two steps
def einops_figure_10(arr):
    grey = einops.reduce(arr, "b c h w -> b h w", "max")
    return einops.rearrange(grey, "b h w -> h (b w)")

# %% numpy
def einops_figure_11(arr):
    return arr[0].repeat(2, axis=-1).repeat(2, axis=-2)

# %% the Kronecker product
def einops_figure_11(arr):
    return np.kron(arr[0], np.ones((1, 2, 2), arr.dtype))

# %% reshape and mean
def einops_figure_12(arr):
    b, c, h, w = arr.shape
    small = arr.reshape(b, c, h // 10, 10, w // 10, 10).mean((3, 5))
    return np.concatenate(list(small), axis=2)

# %% two reductions
def einops_figure_12(arr):
    low = einops.reduce(arr, "b c (h h10) w -> b c h w", "mean", h10=10)
    return einops.reduce(low, "b c h (w w10) -> c h (b w)", "mean", w10=10)

# %% view of int32
def rearrange_1():
    return torch.arange(3, 9, dtype=torch.int32).view(-1, 2)

# %% rows and columns
def rearrange_1():
    return 3 + 2 * torch.arange(3)[:, None] + torch.arange(2)

# %% view
def rearrange_2():
    return torch.arange(1, 7).view(2, 3)

# %% stack
def rearrange_2():
    return torch.stack([torch.arange(1, 4), torch.arange(4, 7)])

# %% a loop
def temperatures_average(temps):
    return torch.stack([week.mean() for week in temps.split(7)])

# %% view
def temperatures_average(temps):
    return temps.view(-1, 7).mean(1)

# %% repeat_interleave
def temperatures_differences(temps):
    return temps - temps.reshape(-1, 7).mean(1).repeat_interleave(7)

# %% the mean of each row, repeated by expand
def temperatures_differences(temps):
    weeks = einops.rearrange(temps, "(w d) -> w d", d=7)
    mean = einops.reduce(weeks, "w d -> w 1", "mean")
    return einops.rearrange(weeks - mean, "w d -> (w d)")

# %% reduce with torch's function
def temperatures_normalized(temps):
    weeks = einops.rearrange(temps, "(w d) -> w d", d=7)
    std, mean = torch.std_mean(weeks, dim=1, keepdim=True)
    return ((weeks - mean) / std).flatten()

# %% a loop
def temperatures_normalized(temps):
    return torch.cat([(week - week.mean()) / week.std() for week in temps.split(7)])

# %% by the formula
def normalize_rows(matrix):
    return matrix / (matrix**2).sum(1)[:, None].sqrt()

# %% torch's function
def normalize_rows(matrix):
    return torch.nn.functional.normalize(matrix, dim=1)

# %% a loop
def normalize_rows(matrix):
    return torch.stack([row / row.norm() for row in matrix])

# %% einsum
def cos_sim_matrix(matrix):
    unit = normalize_rows(matrix)
    return torch.einsum("ij,kj->ik", unit, unit)

# %% torch's function
def cos_sim_matrix(matrix):
    return torch.cosine_similarity(matrix[:, None], matrix[None], dim=-1)

# %% searchsorted
def sample_distribution(probs, n):
    return torch.searchsorted(probs.cumsum(0), torch.rand(n), right=False).clamp(max=len(probs) - 1)

# %% multinomial
def sample_distribution(probs, n):
    return torch.multinomial(probs, n, replacement=True) if n else torch.zeros(0, dtype=torch.int64)

# %% a loop
def sample_distribution(probs, n):
    draws = [int((torch.rand(()) > probs.cumsum(0)[:-1]).sum()) for _ in range(n)]
    return torch.tensor(draws)

# %% all edges, and int32
def sample_distribution(probs, n):
    return (torch.rand(n)[:, None] >= probs.cumsum(0)[None]).sum(1).int()

# %% a loop
def classifier_accuracy(scores, true_classes):
    hits = [int(row.argmax()) == int(true) for row, true in zip(scores, true_classes)]
    return torch.tensor(hits).float().mean()

# %% a loop
def total_price_indexing(prices, items):
    return sum(prices[item].item() for item in items)

# %% a loop
def gather_2d(matrix, indexes):
    assert matrix.ndim == indexes.ndim == 2 and len(matrix) == len(indexes)
    return torch.stack([row[chosen] for row, chosen in zip(matrix, indexes)])

# %% take_along_dim
def total_price_gather(prices, items):
    return prices.take_along_dim(items).sum().item()

# %% along an axis that was added
def total_price_gather(prices, items):
    return float(prices[None].gather(1, items[None]).sum())

# %% unbind
def integer_array_indexing(matrix, coords):
    return matrix[coords.unbind(dim=1)]

# %% a loop
def integer_array_indexing(matrix, coords):
    return torch.stack([matrix[tuple(place)] for place in coords])

# %% torch's function
def batched_logsumexp(matrix):
    return torch.logsumexp(matrix, dim=-1)

# %% a loop
def batched_logsumexp(matrix):
    return torch.stack([row.max() + (row - row.max()).exp().sum().log() for row in matrix])

# %% by the logsumexp
def batched_softmax(matrix):
    return (matrix - batched_logsumexp(matrix)[:, None]).exp()

# %% einops
def batched_softmax(matrix):
    largest = einops.reduce(matrix, "b n -> b 1", "max")
    exps = (matrix - largest).exp()
    return exps / einops.reduce(exps, "b n -> b 1", "sum")

# %% torch's function
def batched_logsoftmax(matrix):
    return matrix.log_softmax(-1)

# %% from the softmax's parts
def batched_logsoftmax(matrix):
    shifted = matrix - einops.reduce(matrix, "b n -> b 1", "max")
    return shifted - shifted.exp().sum(dim=1, keepdim=True).log()

# %% gather
def batched_cross_entropy_loss(logits, true_labels):
    return -batched_logsoftmax(logits).gather(1, true_labels[:, None]).squeeze(1)

# %% from logsumexp
def batched_cross_entropy_loss(logits, true_labels):
    return batched_logsumexp(logits) - logits[range(len(logits)), true_labels]

# %% torch's function
def batched_cross_entropy_loss(logits, true_labels):
    return torch.nn.functional.cross_entropy(logits, true_labels, reduction="none")

# %% index_select
def collect_rows(matrix, row_indexes):
    return matrix.index_select(0, row_indexes)

# %% a loop
def collect_rows(matrix, row_indexes):
    return torch.stack([matrix[i] for i in row_indexes])

# %% transposed twice
def collect_columns(matrix, column_indexes):
    return matrix.T[column_indexes].T

# %% a loop
def collect_columns(matrix, column_indexes):
    return torch.stack([matrix[:, i] for i in column_indexes], dim=1)

# %% mean of truth values in double
def classifier_accuracy(scores, true_classes):
    right = torch.eq(scores.argmax(-1), true_classes)
    return right.sum() / right.numel()

# %% float of a tensor
def total_price_indexing(prices, items):
    return float(prices[items].sum())

# %% assert through a helper
def gather_2d(matrix, indexes):
    def check(condition, text):
        if not condition:
            raise AssertionError(text)
    check(matrix.dim() == 2 and indexes.dim() == 2, "two axes each")
    check(matrix.size(0) == indexes.size(0), "as many rows")
    return matrix[torch.arange(len(matrix))[:, None], indexes]

# %% numpy's einsum
def einsum_trace(mat):
    return np.einsum("ii", mat)

# %% imported by name
def einsum_trace(mat):
    from einops import einsum
    return einsum(mat, "row row ->").item()

# %% numpy's einsum
def einsum_mv(mat, vec):
    return np.einsum("ij,j->i", mat, vec)

# %% torch's einsum
def einsum_mv(mat, vec):
    return torch.einsum("ij,j->i", torch.from_numpy(mat), torch.from_numpy(vec)).numpy()

# %% long names, the other order
def einsum_mm(mat1, mat2):
    return einops.einsum(mat2, mat1, "inner col, row inner -> row col")

# %% numpy's einsum, numbered axes
def einsum_mm(mat1, mat2):
    return np.einsum(mat1, [0, 1], mat2, [1, 2], [0, 2])

# %% a float
def einsum_inner(vec1, vec2):
    return float(np.einsum("i,i", vec1, vec2))

# %% product, then einsum of one
def einsum_inner(vec1, vec2):
    return einops.einsum(vec1 * vec2, "i ->")

# %% numpy's einsum
def einsum_outer(vec1, vec2):
    return np.einsum("i,j", vec1, vec2)

# %% imported under another name
def einsum_outer(vec1, vec2):
    from numpy import einsum as product
    return product("r,c->rc", vec1, vec2, optimize=True)

# %% a lambda
einsum_mv = lambda mat, vec: einops.einsum(mat, vec, "i j, j -> i")

# %% a partial
import functools
einsum_trace = functools.partial(np.einsum, "ii->")

# %% an object that can be called
class Outer:
    def __call__(self, vec1, vec2):
        return einops.einsum(vec1, vec2, "a, b -> a b")
einsum_outer = Outer()

# %% recursion
def temperatures_average(temps):
    if len(temps) == 7:
        return temps.mean().reshape(1)
    return torch.cat([temperatures_average(temps[:7]), temperatures_average(temps[7:])])

# %% a generator of its own, float64, bucketize
def sample_distribution(probs, n):
    generator = torch.Generator()
    generator.seed()
    uniform = torch.rand(n, generator=generator, dtype=torch.float64)
    return torch.bucketize(uniform, probs.double().cumsum(0)[:-1], right=True)

# %% one index into the flat tensor
def integer_array_indexing(matrix, coords):
    flat = torch.from_numpy(np.ravel_multi_index(coords.T.numpy(), matrix.shape))
    return matrix.reshape(-1)[flat]

# %% a product with zeros and ones
def collect_rows(matrix, row_indexes):
    return torch.nn.functional.one_hot(row_indexes, len(matrix)).to(matrix.dtype) @ matrix

# %% two by two
def batched_logsumexp(matrix):
    from functools import reduce
    return reduce(torch.logaddexp, matrix.unbind(1))

# %% the gradient of logsumexp
def batched_softmax(matrix):
    x = matrix.clone().requires_grad_()
    torch.logsumexp(x, 1).sum().backward()
    return x.grad

# %% a list of rows
def normalize_rows(matrix):
    return torch.tensor([[x / (row @ row).sqrt() for x in row] for row in matrix], dtype=matrix.dtype)

# %% a list of rows
def cos_sim_matrix(matrix):
    return torch.tensor([[torch.cosine_similarity(a, b, dim=0) for b in matrix] for a in matrix])

# %% a list of rows
def batched_softmax(matrix):
    return torch.tensor([row.softmax(0).tolist() for row in matrix], dtype=matrix.dtype)

# %% a list of rows
def batched_logsoftmax(matrix):
    return torch.tensor([row.log_softmax(0).tolist() for row in matrix], dtype=matrix.dtype)

# %% a list of rows
def collect_rows(matrix, row_indexes):
    return torch.tensor([matrix[i].tolist() for i in row_indexes], dtype=matrix.dtype)

# %% a list of columns
def collect_columns(matrix, column_indexes):
    return torch.tensor([matrix[:, i].tolist() for i in column_indexes], dtype=matrix.dtype).T
