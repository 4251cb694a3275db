"""Checks of 0.1 Ray Tracing: expected values come from drawings on paper and from numpy.

The systems of equations are solved here by Cramer's rule in float64, and the usual mistakes are
made on purpose: what they would give is what a wrong answer is compared with.
"""

import contextlib
import math
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from arena_lab.checks import Call, WrongAnswer, call, checks, expect, fail, require

INF = math.inf


# --- helpers ----------------------------------------------------------------------------------


def floats(values):
    return torch.tensor(values, dtype=torch.float32)


def ray(direction, origin=(0, 0, 0)):
    return floats([list(origin), list(direction)])


def aimed(targets, origin=(0, 0, 0)):
    """Make rays from one origin through points: s is 1 there."""
    targets, origin = floats(targets), floats(list(origin))
    return torch.stack([origin.expand_as(targets), targets - origin], dim=1)


def flat(points):
    """Give points of the plane z = 0."""
    return floats([[*point, 0] for point in points])


@contextlib.contextmanager
def explained(what, columns=None):
    """Say what it means when a solver gives up on a singular matrix.

    Args:
        what: The name of the answer.
        columns: Where nothing is parallel: those that the matrix must have.
    """
    try:
        yield
    except RuntimeError as error:
        called = next(iter(getattr(error, "__notes__", [])), "").removeprefix("in the call ")
        if "square matrices" in str(error):
            fail(
                f"{what}: a system needs as many equations as unknowns; two unknowns take x and y "
                "alone, three take x, y and z",
                raised=str(error).splitlines()[0],
                called=called,
            )
        if "singular" not in str(error):
            raise
        if columns:
            fail(
                f"{what}: the matrix is singular though nothing is parallel here: are its columns "
                f"{columns}?",
                raised=str(error).splitlines()[0],
                called=called,
            )
        fail(
            f"{what} gave up on a singular matrix: a ray that is parallel is not met, and must "
            "not stop the rest",
            raised=str(error).splitlines()[0],
            called=called,
        )


def only_value(values):
    return values[0] if np.shape(values) == (1,) else values


@dataclass
class Case:
    """One call of a function that says yes or no."""

    args: tuple
    expected: bool
    why: str


def gives(function, *args, expected, mistakes=None, columns=None, **options):
    """Check a tensor; mistakes may be numpy arrays, and those that are right here are left out."""
    with explained(function.__name__, columns):
        made = call(function, *args)
    wrong = {text: as_tensor(value) for text, value in (mistakes or {}).items()}
    expected = as_tensor(expected)
    wrong = {text: value for text, value in wrong.items() if not same(value, expected)}
    if isinstance(made.value, torch.Tensor) and not same(made.value, expected):
        wrong = told_apart(wrong)
    made.gives(expected, mistakes=wrong, **options)


def told_apart(mistakes):
    """Join mistakes that lead to the same here; where a single number fits many, it tells none."""
    groups = []
    for text, value in mistakes.items():
        group = next((texts for texts, other in groups if same(other, value)), None)
        if group is None:
            groups.append(([text], value))
        else:
            group.append(text)
    return {
        "; or ".join(texts[:2]): value
        for texts, value in groups
        if len(texts) < 3 or value.numel() > 1
    }


def as_tensor(values):
    tensor = torch.as_tensor(np.array(values))
    return tensor.float() if tensor.is_floating_point() else tensor


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and bool(torch.isclose(a, b).all())


def decide(function, cases, mistakes=None, columns=None):
    """Check yes or no for each case; a mistake is a diagnosis and what it would say to each."""
    calls = []
    for case in cases:
        with explained(function.__name__, columns):
            made = call(function, *case.args)
        value = made.value
        if np.shape(value) != () or getattr(value, "dtype", np.asarray(value).dtype) not in (
            torch.bool,
            np.dtype(bool),
        ):
            made.gives(case.expected)
        calls.append(made)
    said = [bool(made.value) for made in calls]
    for i, case in enumerate(cases):
        if said[i] != case.expected:
            known = [text for text, values in (mistakes or {}).items() if list(values) == said]
            _wrong(calls[i], case, "; or ".join(known[:2]) or case.why)


def _wrong(made: Call, case: Case, sentence):
    raise WrongAnswer(
        f"{made.name}: {sentence}",
        ("called", made.text),
        ("returned", str(bool(made.value))),
        ("expected", f"{case.expected} ({case.why})"),
    )


def numpy_of(tensor):
    return np.asarray(tensor.tolist(), dtype=np.float64)


def cramer(columns, right):
    """Solve small systems given by their columns; nan where there is no single solution."""
    matrix = np.stack(np.broadcast_arrays(*columns), axis=-1)
    det = np.linalg.det(matrix)
    det = np.where(np.abs(det) < 1e-9, np.nan, det)
    found = []
    for i in range(matrix.shape[-1]):
        swapped = matrix.copy()
        swapped[..., i] = right
        found.append(np.linalg.det(swapped) / det)
    return found


def crossings(rays, segments):
    """Solve O + uD = L1 + v(L2 - L1) for all pairs; also with the usual slips."""
    O, D = numpy_of(rays)[:, None, :, :2].transpose(2, 0, 1, 3)  # noqa: E741
    L1, L2 = numpy_of(segments)[None, :, :, :2].transpose(2, 0, 1, 3)
    right = L1 - O
    u, v = cramer((D, L1 - L2), right)
    matrix = np.stack(np.broadcast_arrays(D, L1 - L2), axis=-1)
    tu, tv = cramer((matrix[..., 0, :], matrix[..., 1, :]), right)
    return {
        "right": (u, v),
        "rows": (tu, tv),
        "point": cramer((D - O, L1 - L2), right),
        "determinant": np.linalg.det(matrix),
    }


def compared(test):
    with np.errstate(invalid="ignore"):
        return test()


def meets(u, v):
    return compared(lambda: (u >= 0) & (v >= 0) & (v <= 1))


def slips_1d(rays, segments):
    """Give what each mistake says to every pair of a ray and a segment."""
    solved = crossings(rays, segments)
    u, v = solved["right"]
    return {
        "this treats the ray as a line: it must not go backwards, u >= 0": compared(
            lambda: (v >= 0) & (v <= 1)
        ),
        "this treats the segment as a ray: it ends at v = 1": compared(lambda: (u >= 0) & (v >= 0)),
        "the segment begins at v = 0: v must not be negative": compared(
            lambda: (u >= 0) & (v <= 1)
        ),
        "this asks for u <= 1, but a ray does not end": compared(
            lambda: (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
        ),
        "the bounds are on the wrong unknowns: u >= 0 for the ray, 0 <= v <= 1 for the segment": (
            compared(lambda: (v >= 0) & (u >= 0) & (u <= 1))
        ),
        "this treats both as lines: check u and v": compared(lambda: ~np.isnan(u)),
        "a sign in the matrix is wrong: the columns are D and L1 - L2": meets(u, -v),
        "the right side has the wrong sign: it is L1 - O": meets(-u, -v),
        "the matrix is transposed: D and L1 - L2 are its columns, not its rows": meets(
            *solved["rows"]
        ),
        "a negative determinant is taken for 0: compare its absolute value": meets(u, v)
        & (solved["determinant"] > 0),
        "the ray's second row is a direction, not a point: do not subtract the origin": meets(
            *solved["point"]
        ),
    }


# --- Rays and segments ------------------------------------------------------------------------


@checks("make_rays_1d")
def test_make_rays_1d(make_rays_1d):
    y = np.array([-10.0, -5.0, 0.0, 5.0, 10.0])
    right = np.zeros((5, 2, 3))
    right[:, 1, 0], right[:, 1, 1] = 1, y
    upward, flipped, off_screen, positive, sideways = (right.copy() for _ in range(5))
    upward[:, 1, 1], upward[:, 1, 2] = 0, y
    flipped[:] = right[:, ::-1]
    off_screen[:, 0, 0] = 1
    positive[:, 1, 1] = np.linspace(0, 10, 5)
    sideways[:, 1, 0] = 0
    half_open = right.copy()
    half_open[:, 1, 1] = np.arange(5) * 4 - 10
    unit = right.copy()
    unit[:, 1] /= np.linalg.norm(unit[:, 1], axis=1, keepdims=True)
    gives(
        make_rays_1d,
        5,
        10.0,
        expected=right,
        mistakes={
            "origin and direction are swapped: the origin comes first": flipped,
            "the rays fan out along z; y is the second coordinate": upward,
            "the origins must be zero: the screen is where the directions point to": off_screen,
            "y begins at 0; it goes from -y_limit to y_limit": positive,
            "the directions' x is 0; it must be 1, so that they reach the screen": sideways,
            "y stops short of y_limit: both ends are included (torch.linspace)": half_open,
            "the directions are scaled to length 1; their x must be 1": unit,
            "y goes from y_limit down; it starts at -y_limit": right[::-1],
        },
    )


@checks("make_rays_1d")
def test_make_rays_1d_of_any_size(make_rays_1d):
    right = np.zeros((2, 2, 3))
    right[:, 1, 0], right[:, 1, 1] = 1, [-0.5, 0.5]
    gives(make_rays_1d, 2, 0.5, expected=right)


IN_PLANE = "D and L1 - L2"
SEGMENT = flat([(2, 1), (2, 3)])
CROSSINGS = [
    Case((flat([(0, 0), (1, 1)]), SEGMENT), True, "they cross at (2, 2): u = 2, v = 1/2"),
    Case(
        (flat([(0, 0), (1, 3)]), SEGMENT), False, "at x = 2 the ray is above the segment, v = 2.5"
    ),
    Case((flat([(0, 0), (1, 0)]), SEGMENT), False, "at x = 2 the ray is below it, v = -1/2"),
    Case((flat([(0, 0), (-1, -1)]), SEGMENT), False, "the segment is behind the ray, u = -2"),
    Case((flat([(0, 0), (4, 4)]), SEGMENT), True, "they cross at (2, 2), before u = 1"),
    Case(
        (flat([(1, 4), (1, -2)]), SEGMENT), True, "they cross at (2, 2); the ray starts at (1, 4)"
    ),
    Case((flat([(3, 2), (1, 0)]), SEGMENT), False, "the segment is behind the ray, u = -1"),
    Case((flat([(0, 2), (1, 0)]), flat([(1, 1), (5, 5)])), True, "they cross at (2, 2), v = 1/4"),
    Case((flat([(0, 2), (1, 0)]), flat([(3, 1), (5, -3)])), False, "the lines cross at v = -1/2"),
    Case((flat([(1, -8), (0, 1)]), flat([(0, 0), (2, 0)])), True, "the ray goes straight up"),
    Case(
        (flat([(-1, 0), (4, 1)]), flat([(0, -1), (0, 0)])),
        False,
        "the ray passes beyond the end of the segment, v = 5/4",
    ),
]


def per_case(cases):
    """Give what each mistake would say to each of some cases."""
    one_by_one = [slips_1d(a[None], b[None]) for a, b in (case.args for case in cases)]
    return {text: [bool(d[text][0, 0]) for d in one_by_one] for text in one_by_one[0]}


@checks("intersect_ray_1d")
def test_intersect_ray_1d(intersect_ray_1d):
    decide(intersect_ray_1d, CROSSINGS, per_case(CROSSINGS), IN_PLANE)


_END = "the ray goes through an end point, which belongs to the segment"
ENDS = [
    Case((flat([(0, 0), (2, 1)]), SEGMENT), True, f"{_END}: v = 0"),
    Case((flat([(0, 0), (2, 3)]), SEGMENT), True, f"{_END}: v = 1"),
    Case((flat([(2, 2), (1, 0)]), SEGMENT), True, "the ray starts on the segment: u = 0"),
]


@checks("intersect_ray_1d")
def test_intersect_ray_1d_ends(intersect_ray_1d):
    decide(intersect_ray_1d, ENDS, columns=IN_PLANE)


@checks("intersect_ray_1d")
def test_intersect_ray_1d_special_case(intersect_ray_1d):
    why = "there is no single solution, and then the answer is False"
    decide(
        intersect_ray_1d,
        [
            Case((flat([(0, 0), (0, 1)]), SEGMENT), False, f"ray and segment are parallel: {why}"),
            Case(
                (flat([(2, 0), (0, 1)]), SEGMENT),
                False,
                f"the ray runs along the segment: {why}",
            ),
            Case((flat([(0, 0), (1, 1)]), flat([(2, 2), (2, 2)])), False, f"it is a point: {why}"),
        ],
    )


def scene_1d():
    """Give 5 rays and 3 segments: some rays meet none, some one, some two."""
    rays = flat([(0, 0)] * 10).reshape(5, 2, 3)
    rays[:, 1, :2] = floats([[1, -2], [1, -0.5], [1, 0.25], [-1, -1], [1, 3]])
    rays[2, 0, :2] = floats([-1, 1])
    rays[4, 0, :2] = floats([0, -4])
    segments = torch.stack(
        [flat([(2, -2), (2, 0)]), flat([(3, 1), (1, 3)]), flat([(4, -9), (4, 9)])]
    )
    return rays, segments


@checks("intersect_rays_1d")
def test_intersect_rays_1d(intersect_rays_1d):
    rays, segments = scene_1d()
    pairs = meets(*crossings(rays, segments)["right"])
    slips = {text: pair.any(1) for text, pair in slips_1d(rays, segments).items()}
    gives(
        intersect_rays_1d,
        rays,
        segments,
        expected=[True, True, True, False, True],
        mistakes={
            "any is taken over the rays; ask for each ray whether any segment is met": pairs.any(0),
            "this asks whether all segments are met; any is enough": pairs.all(1),
            "this tells only about the first segment": pairs[:, 0],
            "this tells only about the last segment": pairs[:, -1],
            "one answer for each pair: take any over the segments": pairs,
            "the pairs stand in the wrong order: with the segments first, reshaping to (rays, "
            "segments) mixes them": pairs.T.reshape(pairs.shape).any(1),
        }
        | slips,
        columns=IN_PLANE,
    )


@checks("intersect_rays_1d")
def test_intersect_rays_1d_one_pair_at_a_time(intersect_rays_1d):
    # With a single pair each mistake shows by itself.
    def single(ray, segment):
        return only_value(intersect_rays_1d(ray[None], segment[None]))

    single.__name__ = intersect_rays_1d.__name__
    decide(single, CROSSINGS, per_case(CROSSINGS), IN_PLANE)
    decide(single, ENDS, columns=IN_PLANE)


@checks("intersect_rays_1d")
def test_intersect_rays_1d_special_case(intersect_rays_1d):
    rays = torch.stack([flat([(0, 0), (0, 1)]), flat([(0, 0), (1, 1)]), flat([(2, 0), (0, 1)])])
    segments = torch.stack([SEGMENT, flat([(-1, 4), (1, 4)]), flat([(5, 5), (5, 5)])])
    gives(
        intersect_rays_1d,
        rays,
        segments,
        expected=[True, True, False],
        mistakes={
            "a pair that has no single solution counts as a hit; it must not": [True, True, True],
            "a ray that is parallel to one segment may still meet another": [False, False, False],
        },
    )


@checks("intersect_rays_1d")
def test_intersect_rays_1d_sizes(intersect_rays_1d):
    rays, segments = scene_1d()
    for n_rays, chosen, expected in (
        (1, slice(None), [True]),
        (2, slice(1), [False, True]),
        (5, slice(1, 2), [False, False, True, False, True]),
        (3, slice(None), [True, True, True]),
    ):
        gives(
            intersect_rays_1d,
            rays[:n_rays],
            segments[chosen],
            expected=expected,
            columns=IN_PLANE,
        )


@checks("make_rays_2d")
def test_make_rays_2d(make_rays_2d):
    y, z = np.array([-0.5, 0.0, 0.5]), np.array([-2.0, 2.0])
    right = np.zeros((6, 2, 3))
    right[:, 1, 0], right[:, 1, 1], right[:, 1, 2] = 1, np.repeat(y, 2), np.tile(z, 3)
    by_column, swapped, flipped, off_screen, limits = (right.copy() for _ in range(5))
    by_column[:, 1, 1], by_column[:, 1, 2] = np.tile(y, 2), np.repeat(z, 3)
    swapped[:, 1, 1:] = right[:, 1, :0:-1]
    flipped[:] = right[:, ::-1]
    off_screen[:, 0, 0] = 1
    limits[:, 1, 1], limits[:, 1, 2] = np.repeat(4 * y, 2), np.tile(z / 4, 3)
    transposed, sideways = right.copy(), right.copy()
    transposed[:, 1, 1:] = [(y, z) for y in (-0.5, 0.5) for z in (-2, 0, 2)]
    sideways[:, 1, 0] = 0
    diagonal = right.copy()
    diagonal[:, 1, 1], diagonal[:, 1, 2] = np.tile(y, 2), np.tile(z, 3)
    gives(
        make_rays_2d,
        3,
        2,
        0.5,
        2.0,
        expected=right,
        mistakes={
            "y changes fastest; go row by row, so that z changes from ray to ray": by_column,
            "y and z stand in each other's place: a direction is (1, y, z)": swapped,
            "the limits of y and z are swapped": limits,
            "origin and direction are swapped: the origin comes first": flipped,
            "the origins must be zero: the screen is where the directions point to": off_screen,
            "the numbers of rows and columns are swapped: num_pixels_y is how many y there "
            "are": transposed,
            "the directions' x is 0; it must be 1, so that they reach the screen": sideways,
            "every y must meet every z; here both change together": diagonal,
            "the grid still has two axes: merge them into one of 6 rays": right.reshape(3, 2, 2, 3),
        },
    )


@checks("make_rays_2d")
def test_make_rays_2d_of_any_size(make_rays_2d):
    right = np.zeros((8, 2, 3))
    right[:, 1, 0] = 1
    right[:, 1, 1:] = [(y, z) for y in (-0.25, 0.25) for z in (-3, -1, 1, 3)]
    gives(make_rays_2d, 2, 4, 0.25, 3.0, expected=right)


# --- Triangles --------------------------------------------------------------------------------


def hits_of(rays, triangles):
    """Solve O + sD = A + u(B - A) + v(C - A) for all pairs; also with the usual slips."""
    O, D = numpy_of(rays)[:, None].transpose(2, 0, 1, 3)  # noqa: E741
    A, B, C = numpy_of(triangles)[None].transpose(2, 0, 1, 3)
    columns = (-D, B - A, C - A)
    matrix = np.stack(np.broadcast_arrays(*columns), axis=-1)
    rows = [matrix[..., i, :] for i in range(3)]
    return {
        "determinant": np.linalg.det(matrix),
        "right": cramer(columns, O - A),
        "rows": cramer(rows, O - A),
        "points": cramer((-D, B, C), O - A),
        "direction": cramer((O - D, B - A, C - A), O - A),
    }


def inside(s, u, v):
    return compared(lambda: (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1))


def slips_3d(rays, triangles):
    """Give what each mistake says to every pair of a ray and a triangle."""
    solved = hits_of(rays, triangles)
    s, u, v = solved["right"]
    return {
        "this treats the ray as a line: a triangle behind it is not met, s >= 0": compared(
            lambda: (u >= 0) & (v >= 0) & (u + v <= 1)
        ),
        "this is the parallelogram: not u <= 1 and v <= 1, but u + v <= 1": compared(
            lambda: (s >= 0) & (u >= 0) & (v >= 0) & (u <= 1) & (v <= 1)
        ),
        "u must not be negative": compared(lambda: (s >= 0) & (v >= 0) & (u + v <= 1)),
        "v must not be negative": compared(lambda: (s >= 0) & (u >= 0) & (u + v <= 1)),
        "u + v must not be more than 1": compared(lambda: (s >= 0) & (u >= 0) & (v >= 0)),
        "this asks for s <= 1, but a ray does not end": compared(
            lambda: (s <= 1) & inside(s, u, v)
        ),
        "this asks only whether the ray meets the triangle's plane: check u and v": compared(
            lambda: s >= 0
        ),
        "a sign in the matrix is wrong: its first column is -D": inside(-s, u, v),
        "the right side has the wrong sign: it is O - A": inside(-s, -u, -v),
        "the matrix is transposed: -D, B - A and C - A are its columns, not its rows": inside(
            *solved["rows"]
        ),
        "a negative determinant is taken for 0: compare its absolute value": inside(s, u, v)
        & (solved["determinant"] > 0),
        "B and C are used as they are; the edges are B - A and C - A": inside(*solved["points"]),
        "D is a direction, not a point: do not subtract O from it": inside(*solved["direction"]),
        "the unknowns come in the order s, u, v": inside(v, s, u),
    }


IN_SPACE = "-D, B - A and C - A"
TRIANGLE = floats([[2, 0, 0], [2, 4, 0], [2, 0, 4]])


def hit_case(direction, expected, why, origin=(0, 0, 0), triangle=TRIANGLE):
    return Case((*triangle, floats(list(origin)), floats(list(direction))), expected, why)


HITS = [
    hit_case((2, 1, 1), True, "the ray meets it at (2, 1, 1): u = v = 1/4"),
    hit_case((1, 0.25, 0.5), True, "the ray meets it at (2, 1/2, 1), where s = 2"),
    hit_case((4, 1, 2), True, "the ray meets it at (2, 1/2, 1), where s = 1/2"),
    hit_case((-2, -1, -1), False, "the triangle is behind the ray, s = -1"),
    hit_case((2, 3, 3), False, "it passes beyond the edge from B to C: u = v = 3/4"),
    hit_case((2, -1, 1), False, "it passes the edge from A to C outside: u = -1/4"),
    hit_case((2, 1, -1), False, "it passes the edge from A to B outside: v = -1/4"),
    hit_case((2, 6, -3), False, "it passes far from B: v = -3/4, and u + v is less than 1"),
    hit_case((2, -3, 6), False, "it passes far from C: u = -3/4, and u + v is less than 1"),
    hit_case((2, 6, 1), False, "it passes beyond B: u = 3/2"),
    hit_case((-1, 0, 0), True, "the ray comes from the other side", origin=(5, 1, 1)),
    hit_case(
        (0, -1, 0),
        True,
        "the ray comes from above",
        (1, 5, 1),
        floats([[0, 1, 0], [4, 1, 0], [0, 1, 4]]),
    ),
    hit_case(
        (-2, -2, -1),
        True,
        "s = 1, u = 1/4, v = 1/2",
        (6, 4.75, 3.75),
        floats([[2, 4, 0], [4, 5, 1], [5, 1, 5]]),
    ),
    hit_case((1, 0, 0), False, "the ray starts beside it", origin=(0, 5, 5)),
    hit_case((1, 0, 0), False, "the ray starts beyond it", origin=(3, 1, 1)),
    hit_case(
        (1, 2, 3),
        True,
        "the triangle is oblique",
        (1, 0, 0),
        floats([[3, 1, 3], [1, 5, 2], [2, 2, 7]]),
    ),
]


def per_hit_case(cases):
    rays = [torch.stack(case.args[3:])[None] for case in cases]
    one_by_one = [
        slips_3d(r, torch.stack(c.args[:3])[None]) for r, c in zip(rays, cases, strict=True)
    ]
    return {text: [bool(d[text][0, 0]) for d in one_by_one] for text in one_by_one[0]}


@checks("triangle_ray_intersects")
def test_triangle_ray_intersects(triangle_ray_intersects):
    decide(triangle_ray_intersects, HITS, per_hit_case(HITS), IN_SPACE)


@checks("triangle_ray_intersects")
def test_triangle_ray_intersects_edges_and_corners(triangle_ray_intersects):
    why = "which belongs to the triangle"
    decide(
        triangle_ray_intersects,
        [
            hit_case((2, 0, 0), True, f"the ray goes through the corner A, {why}"),
            hit_case((2, 4, 0), True, f"the ray goes through the corner B, {why}"),
            hit_case((2, 0, 4), True, f"the ray goes through the corner C, {why}"),
            hit_case((2, 1, 0), True, f"the ray goes through the edge from A to B, {why}"),
            hit_case((2, 0, 1), True, f"the ray goes through the edge from A to C, {why}"),
            hit_case((2, 2, 2), True, f"the ray goes through the edge from B to C, {why}"),
            hit_case((1, 0, 0), True, "the ray starts on it: s = 0", origin=(2, 1, 1)),
        ],
        columns=IN_SPACE,
    )


@checks("triangle_ray_intersects")
def test_triangle_ray_intersects_singular(triangle_ray_intersects):
    why = "there is no single solution, and then the answer is False"
    line = floats([[2, 0, 0], [2, 1, 0], [2, 2, 0]])
    point = floats([[2, 1, 1]] * 3)
    decide(
        triangle_ray_intersects,
        [
            hit_case((0, 1, 1), False, f"ray and triangle are parallel: {why}"),
            hit_case((0, 1, 0), False, f"the ray runs inside the triangle: {why}", (2, -1, 1)),
            hit_case((2, 1, 0), False, f"the corners are on one line: {why}", triangle=line),
            hit_case((2, 1, 1), False, f"the corners are one point: {why}", triangle=point),
        ],
    )


OBLIQUE = floats([[3, 1, 3], [1, 5, 2], [2, 2, 7]])
# On these rays no two of the usual mistakes say the same.
SCATTERED = floats(
    [
        [[1, -1, 0], [0, 3, -1]], [[-2, 1, 0], [1, -4, -1]], [[-1, -1, 0], [-3, -4, -2]],
        [[2, 3, 3], [0, -2, 4]], [[-3, 0, 1], [3, -1, -3]], [[-3, 0, -1], [6, 0, 4]],
        [[-3, -1, 2], [6, 2, 0]], [[-3, -3, -1], [5, 5, 6]], [[-2, 3, 1], [4, 1, 4]],
        [[1, 2, 0], [2, 0, -3]], [[0, -3, -3], [2, 6, 9]], [[-2, 3, 0], [-4, 1, -3]],
        [[2, 2, 0], [-4, 0, -1]], [[-2, -1, -1], [4, 4, 4]], [[-1, -3, 1], [4, 4, 3]],
        [[1, 2, 1], [-3, 3, 3]], [[-3, 1, 3], [4, 5, -1]], [[0, 2, -2], [1, 1, -1]],
    ]
)  # fmt: skip


@checks("raytrace_triangle")
def test_raytrace_triangle(raytrace_triangle):
    expected = inside(*hits_of(SCATTERED, OBLIQUE[None])["right"])[:, 0]
    slips = {text: said[:, 0] for text, said in slips_3d(SCATTERED, OBLIQUE[None]).items()}
    gives(
        raytrace_triangle, SCATTERED, OBLIQUE, expected=expected, mistakes=slips, columns=IN_SPACE
    )


@checks("raytrace_triangle")
def test_raytrace_triangle_single_rays(raytrace_triangle):
    def single(A, B, C, O, D):  # noqa: E741
        return only_value(raytrace_triangle(torch.stack([O, D])[None], torch.stack([A, B, C])))

    single.__name__ = raytrace_triangle.__name__
    decide(single, HITS, per_hit_case(HITS), IN_SPACE)


@checks("raytrace_triangle")
def test_raytrace_triangle_edges_and_corners(raytrace_triangle):
    targets = [(2, 0, 0), (2, 4, 0), (2, 0, 4), (2, 1, 0), (2, 0, 1), (2, 2, 2)]
    gives(
        raytrace_triangle,
        aimed(targets),
        TRIANGLE,
        expected=[True] * 6,
        mistakes={
            "edges and corners belong to the triangle: compare with >= and <=": [False] * 6,
            "the edge where u + v is 1 belongs to the triangle": [
                True,
                False,
                False,
                True,
                True,
                False,
            ],
        },
        columns=IN_SPACE,
    )


@checks("raytrace_triangle")
def test_raytrace_triangle_singular(raytrace_triangle):
    rays = torch.stack([ray((0, 1, 1)), ray((2, 1, 1)), ray((0, 1, 0), origin=(2, -1, 1))])
    gives(
        raytrace_triangle,
        rays,
        TRIANGLE,
        expected=[False, True, False],
        mistakes={
            "a ray that is parallel to the triangle counts as a hit; it must not": [True] * 3,
            "one parallel ray spoils the others": [False] * 3,
        },
    )
    for corners in ([[2, 0, 0], [2, 1, 0], [2, 2, 0]], [[2, 1, 1]] * 3):
        gives(raytrace_triangle, rays, floats(corners), expected=[False] * 3)


# --- Meshes -----------------------------------------------------------------------------------


def depths_of(rays, triangles):
    """Give s, depth and the number of the nearest hit for each ray, by numpy."""
    s, u, v = hits_of(rays, triangles)["right"]
    s = np.where(inside(s, u, v), s, INF)
    nearest = s.min(1)
    with np.errstate(invalid="ignore"):
        depth = np.where(np.isfinite(nearest), nearest * numpy_of(rays)[:, 1, 0], INF)
    return nearest, depth, s.argmin(1)


def wall(x, y=0.0, z=0.0, size=2.0):
    """Give a triangle that stands upright at x with a corner at (y, z)."""
    return [[x, y, z], [x, y + size, z], [x, y, z + size]]


# Three walls in a row, one beside them, one behind the camera, and one of no area.
MESH = floats(
    [
        wall(4, -1, -1, 4),
        wall(5, -2, -2, 8),
        wall(2, -1, -1),
        wall(3, 2, 2),
        wall(-2, -3, -3, 8),
        [[1, 0, 0]] * 3,
    ]
)
TARGETS = [
    (4, -0.5, -0.5), (2, -0.5, -0.5), (1, 1.125, 1.375), (4, 2, 0.5),
    (2, 5, 5), (4, -5, 1), (3, 2.5, 2.5),
]  # fmt: skip


def slip_without_s(s, u, v):
    return compared(lambda: (u >= 0) & (v >= 0) & (u + v <= 1))


def depth_mistakes(rays, triangles, slips=True):
    """Give what goes wrong with depths and, unless it is solved in another way, with hits."""
    s, u, v = hits_of(rays, triangles)["right"]
    directions = numpy_of(rays)[:, 1]
    x = directions[:, 0]
    with np.errstate(invalid="ignore"):
        found = wrong_numbers(s, directions, numpy_of(rays)[:, 0]) | wrong_minima(s, u, v, x)
        for text, said in slips_3d(rays, triangles).items() if slips else ():
            bad = np.where(said & ~np.isnan(s), s, INF).min(1)
            found[text] = np.where(np.isfinite(bad), bad * x, INF)
    # Each of these was right about what is hit.
    return {
        text: value(inside(s, u, v)) if callable(value) else value for text, value in found.items()
    }


def wrong_numbers(s, directions, origins):
    """Give for each mistake what it makes of the nearest hit, as a function of what is hit."""
    x = directions[:, 0]

    def of_nearest(change, missed=INF):
        def value(hit):
            nearest = np.where(hit, s, INF).min(1)
            with np.errstate(invalid="ignore"):
                return np.where(hit.any(1), change(nearest), missed)

        return value

    length = np.linalg.norm(directions, axis=1)
    return {
        "this is s; the depth is s times the direction's x": of_nearest(lambda s: s),
        "this is the length of the way; the depth is s times the direction's x": of_nearest(
            lambda s: s * length
        ),
        "this is the x of the point that is hit; the depth is measured from the origin": (
            of_nearest(lambda s: s * x + origins[:, 0])
        ),
        "where nothing is hit the depth is infinity (float('inf')), not 0": of_nearest(
            lambda s: s * x, missed=0
        ),
        "where nothing is hit the depth is infinity, not nan": of_nearest(
            lambda s: s * x, missed=np.nan
        ),
    }


def wrong_minima(s, u, v, x):
    """Give what comes out where the nearest hit is looked for in a wrong way."""
    hit, depth = inside(s, u, v), s * x[:, None]
    any_hit = hit.any(1)
    first = np.take_along_axis(depth, hit.argmax(1)[:, None], 1)[:, 0]
    return {
        "this is the farthest hit; the nearest hides it": np.where(
            any_hit, np.where(hit, depth, -INF).max(1), INF
        ),
        "this is the farthest hit, and the nearest hides it; where nothing is hit the depth is "
        "infinity": np.where(hit, depth, -INF).max(1),
        "this is the first triangle of the mesh that is hit, not the nearest": np.where(
            any_hit, first, INF
        ),
        "a triangle behind the ray counts as if it were before it: s >= 0, not its absolute "
        "value": np.where(slip_without_s(s, u, v), abs(s) * x[:, None], INF).min(1),
        "a product with False is not nothing (nan stays nan, and 0 wins the minimum): choose "
        "with torch.where": np.where(hit, s, s * 0).min(1) * x,
        "the minimum is over the wrong axis: a depth for each ray, not for each triangle": (
            np.where(hit, depth, INF).min(0)
        ),
        "the minimum over the triangles is missing": np.where(hit, depth, INF),
    }


def misses_gpu(error):
    """Tell whether an error means that a GPU was asked for and there is none."""
    text = "" if isinstance(error, WrongAnswer) else str(error)
    return not torch.cuda.is_available() and ("NVIDIA" in text or "CUDA" in text)


class Sent(torch.Tensor):
    """What would lie on a GPU."""


class PretendedGpu(TorchFunctionMode):
    """Let a machine seem to have a GPU, and note what is sent there; it stays where it is."""

    def __init__(self):
        super().__init__()
        self.n_moved = 0

    def __enter__(self):
        self.patches = contextlib.ExitStack()
        for name, value in (("is_available", True), ("device_count", 1)):
            self.patches.enter_context(patch.object(torch.cuda, name, lambda value=value: value))
        return super().__enter__()

    def __exit__(self, *error):
        self.patches.close()
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        place = self.place(func, args, kwargs)
        if place is None:
            return func(*args, **kwargs)
        if func in (torch.Tensor.to, torch.Tensor.cuda, torch.Tensor.cpu):
            self.n_moved += func is not torch.Tensor.cpu and not isinstance(args[0], Sent)
            value = args[0].clone()
        else:  # made there
            value = func(*args, **kwargs | {"device": "cpu"})
        with torch._C.DisableTorchFunctionSubclass():
            return value.as_subclass(Sent if place == "cuda" else torch.Tensor)

    @staticmethod
    def place(func, args, kwargs):
        """Tell the type of the device that a function of torch's is asked for, or None."""
        if func in (torch.Tensor.cuda, torch.Tensor.cpu):
            return func.__name__
        is_move = func is torch.Tensor.to
        named = (*args[1:], *kwargs.values()) if is_move else (kwargs.get("device"),)
        places = [torch.device(value) for value in named if isinstance(value, str | torch.device)]
        return places[0].type if places else None


def check_moves(function, *args):
    """Check that all tensors are sent to a GPU, if there is one, and the result is brought back."""
    name = function.__name__
    try:
        with PretendedGpu() as gpu:
            value = function(*args)
    except (RuntimeError, AssertionError) as error:
        if misses_gpu(error):  # it does more with a GPU than can be pretended
            return
        raise
    require(gpu.n_moved > 0, f"{name}: nothing is sent to the GPU where there is one: .to(device)")
    require(
        gpu.n_moved > 1,
        f"{name}: only one of its tensors is sent to the GPU, and tensors from both places do not "
        "mix",
    )
    require(
        not isinstance(value, Sent),
        f"{name}: where there is a GPU, the result stays there: bring the result back to the CPU",
    )


def trace_checks(function, rays, triangles, more=None):
    """Compare depths; `more` mistakes stand in for those of the linear system."""
    with np.errstate(invalid="ignore"):
        _, depth, _ = depths_of(rays, triangles)
        mistakes = depth_mistakes(rays, triangles, slips=more is None) | (more or {})
    gives(function, rays, triangles, expected=depth, mistakes=mistakes, rtol=1e-3, atol=1e-4)


def scattered(n_rays, n_triangles, seed, shared_origin=True):
    """Give rays and triangles at random, the same each time, and none that is a close call."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-1.5, 1.5, (n_triangles, 1, 3)) + rng.normal(0, 0.7, (n_triangles, 3, 3))
    origins = np.array([-4.0, 0.3, -0.2]) + rng.normal(
        0, 0.0 if shared_origin else 0.5, (n_rays, 3)
    )
    directions = np.concatenate([np.ones((n_rays, 1)), rng.uniform(-0.4, 0.4, (n_rays, 2))], 1)
    rays = floats(np.stack([origins, directions * rng.uniform(0.5, 2, (n_rays, 1))], 1).tolist())
    triangles = floats(corners.tolist())
    s, u, v = hits_of(rays, triangles)["right"]
    margin = np.abs(np.stack([s, u, v, 1 - u - v])).min((0, 2))
    return rays[torch.from_numpy(margin > 1e-3)], triangles


@checks("raytrace_mesh")
def test_raytrace_mesh(raytrace_mesh):
    rays = aimed(TARGETS, origin=(-1, 0, 0))
    rays[1, 1] *= 2
    trace_checks(raytrace_mesh, rays, MESH)


@checks("raytrace_mesh")
def test_raytrace_mesh_single_ray(raytrace_mesh):
    for target in TARGETS:
        trace_checks(raytrace_mesh, aimed([target], origin=(-1, 0, 0)), MESH)
    trace_checks(raytrace_mesh, aimed([(2, -0.5, -0.5)]), MESH[1:2])


@checks("raytrace_mesh")
def test_raytrace_mesh_singular(raytrace_mesh):
    rays = torch.stack([ray((0, 1, 0)), ray((1, -0.25, -0.25)), ray((0, 0, 1), (2, 0, -3))])
    gives(
        raytrace_mesh,
        rays,
        MESH,
        expected=[INF, 2, INF],
        mistakes={
            "0 times infinity is nan: a ray with x = 0 that hits nothing has depth infinity": [
                np.nan,
                2,
                np.nan,
            ],
            "a ray that is parallel to a triangle counts as a hit; it must not": [0, 2, 0],
        },
    )


@checks("raytrace_mesh")
def test_raytrace_mesh_looking_back(raytrace_mesh):
    near = torch.tensor([[-2.0, -1, -1], [-2, 2, -1], [-2, -1, 2]])
    far = near - torch.tensor([3.0, 0, 0])
    gives(
        raytrace_mesh,
        torch.stack([ray((-1, 0, 0))]),
        torch.stack([far, near]),
        expected=[-2.0],
        mistakes={
            "the least s times x is the farthest hit where x is negative: take the nearest by s, "
            "then multiply": [-5.0],
            "the depth is s times the direction's x, negative where a ray looks back": [2.0],
        },
    )


@checks("raytrace_mesh")
def test_raytrace_mesh_scattered(raytrace_mesh):
    trace_checks(raytrace_mesh, *scattered(40, 30, seed=0, shared_origin=False))
    trace_checks(raytrace_mesh, *scattered(9, 9, seed=1))


@checks("rotation_matrix")
def test_rotation_matrix(rotation_matrix):
    for angle in (0.1, math.pi / 2, 0.0):
        c, s = math.cos(angle), math.sin(angle)
        right = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        d = math.radians(angle)
        gives(
            rotation_matrix,
            torch.tensor(angle),
            expected=right,
            mistakes={
                "it turns the other way: the sign of the sine is wrong": right.T,
                "it turns around the x axis": [[1, 0, 0], [0, c, -s], [0, s, c]],
                "it turns around the z axis": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
                "cosine and sine are swapped": [[s, 0, c], [0, 1, 0], [-c, 0, s]],
                "both sines have the same sign: the one at the lower left is negative": [
                    [c, 0, s], [0, 1, 0], [s, 0, c],
                ],
                "the middle is not 1: points keep their y": [[c, 0, s], [0, 0, 0], [-s, 0, c]],
                "the angle is in radians": [
                    [math.cos(d), 0, math.sin(d)], [0, 1, 0], [-math.sin(d), 0, math.cos(d)],
                ],
            },
            atol=1e-6,
        )  # fmt: skip


@checks("rotation_matrix")
def test_rotation_matrix_is_a_rotation(rotation_matrix):
    for angle in (2.0, -1.3):
        matrix = call(rotation_matrix, torch.tensor(angle)).value
        of = f"R @ R.T with R = rotation_matrix({angle})"
        expect(matrix @ matrix.T, torch.eye(3), of=of, atol=1e-5)
    turned = rotation_matrix(torch.tensor(math.pi / 2)) @ floats([0, 0, 1])
    expect(turned, floats([1, 0, 0]), of="rotation_matrix(π/2) @ (0, 0, 1)", atol=1e-6)


@checks("raytrace_mesh_gpu")
def test_raytrace_mesh_gpu(raytrace_mesh_gpu):
    rays = aimed(TARGETS, origin=(-1, 0, 0))
    expected = as_tensor(depths_of(rays, MESH)[1])
    try:
        made = call(raytrace_mesh_gpu, rays, MESH)
    except (RuntimeError, AssertionError) as error:
        if not misses_gpu(error):
            raise
        fail(
            "raytrace_mesh_gpu: there is no GPU on this machine, and then it must work on the CPU: "
            "ask torch.cuda.is_available()",
            raised=str(error).splitlines()[0],
        )
    if isinstance(made.value, torch.Tensor):
        place = made.value.device.type
        require(place == "cpu", "raytrace_mesh_gpu: bring the result back to the CPU", is_on=place)
    made.gives(expected)
    require(rays.device.type == "cpu", "raytrace_mesh_gpu: the rays themselves must stay in place")


@checks("raytrace_mesh_gpu")
def test_raytrace_mesh_gpu_there_and_back(raytrace_mesh_gpu):
    check_moves(raytrace_mesh_gpu, aimed(TARGETS, origin=(-1, 0, 0)), MESH)


# --- Light, and a test of your own ------------------------------------------------------------

LIGHT = floats([0.6, -0.8, 0.0])


def shading(rays, triangles, light, ambient):
    """Give brightnesses worked out in numpy; also with the usual slips."""
    s, _, nearest = depths_of(rays, triangles)
    hit = np.isfinite(s)
    A, B, C = numpy_of(triangles).transpose(1, 0, 2)
    area = np.cross(B - A, C - A)[nearest]
    n = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)
    sign = np.where((n * numpy_of(rays)[:, 1]).sum(1) > 0, -1.0, 1.0)
    light = numpy_of(light)
    cosine = -sign * (n @ light)
    lit = ambient + cosine.clip(0)
    wrong = {
        "the light is the direction it travels in: bright where n and light point against each "
        "other, -n·light": ambient + (-cosine).clip(0),
        "a triangle that shows its back is dark: turn the normal to the side that is seen": ambient
        + (-(n @ light)).clip(0),
        "the normal is not scaled to length 1": ambient + (-sign * (area @ light)).clip(0),
        "what faces away from the light gets less than the ambient light: clamp at 0": ambient
        + cosine,
        "a face that looks away is lit as well: clamp at 0, no absolute value": ambient
        + np.abs(cosine),
        "the ambient light is missing": cosine.clip(0),
        "the ambient light is added only where the light arrives": np.where(cosine > 0, lit, 0),
        "ambient and light are mixed; they are added": ambient + (1 - ambient) * cosine.clip(0),
        "the light is scaled to length 1; its length is its strength": ambient
        + (cosine / np.linalg.norm(light)).clip(0),
        "the larger of ambient and arriving light is taken; they are added": np.maximum(
            cosine, ambient
        ),
    }
    wrong = {text: np.where(hit, value, 0.0) for text, value in wrong.items()}
    wrong["where nothing is hit it is dark: 0, not the ambient light"] = np.where(hit, lit, ambient)
    wrong["a ray that hits nothing gets the light of some triangle; it must be 0"] = lit
    wrong["these are depths, not brightnesses"] = np.where(hit, s, INF)
    return np.where(hit, lit, 0.0), wrong


def lambert_checks(function, rays, triangles, light, ambient):
    expected, mistakes = shading(rays, triangles, light, ambient)
    try:
        gives(
            function,
            rays,
            triangles,
            light,
            ambient,
            expected=expected,
            mistakes=mistakes,
            rtol=1e-3,
        )
    except (RuntimeError, AssertionError) as error:
        if not misses_gpu(error):
            raise
        fail(
            f'{function.__name__}: the default device is "cuda", and there is no GPU here: then it '
            "must work on the CPU (torch.cuda.is_available())",
            raised=str(error).splitlines()[0],
        )


# Four walls that look up, down, towards the camera and half away, one before the other.
ROOM = floats(
    [
        [[2, -1, -1], [4, -1, -1], [2, -1, 3]],
        [[2, 1, -1], [2, 1, 3], [4, 1, -1]],
        wall(5, -2, -2, 6)[::-1],
        [[3, -0.5, 2], [4, -0.5, 2], [3, 0.5, 3]],
    ]
)
LOOKS = [(2.5, -1, 0), (2.5, 1, 0), (5, 0, 0), (3.25, -0.25, 2.25), (5, 9, 0), (1, -3, 0)]


@checks("raytrace_mesh_lambert")
def test_raytrace_mesh_lambert(raytrace_mesh_lambert):
    lambert_checks(raytrace_mesh_lambert, aimed(LOOKS), ROOM, LIGHT, 0.25)


@checks("raytrace_mesh_lambert")
def test_raytrace_mesh_lambert_one_ray(raytrace_mesh_lambert):
    for look in LOOKS:
        rays = aimed([look], origin=(0, 0.125, 0))
        lambert_checks(raytrace_mesh_lambert, rays, ROOM, 1.5 * LIGHT, 0.5)


@checks("raytrace_mesh_lambert")
def test_raytrace_mesh_lambert_order_of_corners(raytrace_mesh_lambert):
    # Corners the other way round turn the normal over; the picture must stay as it is.
    lambert_checks(raytrace_mesh_lambert, aimed(LOOKS), ROOM.flip(1), LIGHT, 0.25)
    lambert_checks(raytrace_mesh_lambert, *scattered(30, 20, seed=2), -2 * LIGHT, 0.0)


@checks("raytrace_mesh_lambert")
def test_raytrace_mesh_lambert_there_and_back(raytrace_mesh_lambert):
    check_moves(raytrace_mesh_lambert, aimed(LOOKS), ROOM, LIGHT, 0.25)


def implementations():
    """Give wrong versions of raytrace_triangle, each with what is wrong about it."""

    def solved(rays, triangle):
        return (part[:, 0] for part in hits_of(rays, triangle[None])["right"])

    def wrong(rule):
        def raytrace_triangle(rays, triangle):
            return torch.from_numpy(compared(lambda: rule(*solved(rays, triangle))))

        return raytrace_triangle

    def from_zero(rays, triangle):
        rays = torch.stack([torch.zeros_like(rays[:, 0]), rays[:, 1]], 1)
        return torch.from_numpy(inside(*solved(rays, triangle)))

    def parallel_hits(rays, triangle):
        s, u, v = solved(rays, triangle)
        return torch.from_numpy(inside(s, u, v) | np.isnan(s))

    return {
        "takes the ray for a line, so that triangles behind it are hit": wrong(
            lambda s, u, v: (u >= 0) & (v >= 0) & (u + v <= 1)
        ),
        "takes the triangle for a parallelogram (u <= 1 and v <= 1)": wrong(
            lambda s, u, v: (s >= 0) & (u >= 0) & (v >= 0) & (u <= 1) & (v <= 1)
        ),
        "does not check u >= 0": wrong(lambda s, u, v: (s >= 0) & (v >= 0) & (u + v <= 1)),
        "does not check v >= 0": wrong(lambda s, u, v: (s >= 0) & (u >= 0) & (u + v <= 1)),
        "leaves out edges and corners (> instead of >=)": wrong(
            lambda s, u, v: (s >= 0) & (u > 0) & (v > 0) & (u + v < 1)
        ),
        "counts a ray that is parallel to the triangle as a hit": parallel_hits,
        "takes every ray to start at (0, 0, 0)": from_zero,
        "always says no": wrong(lambda s, u, v: np.zeros(s.shape, dtype=bool)),
        "always says yes": wrong(lambda s, u, v: np.ones(s.shape, dtype=bool)),
    }


def run_cases(hit_cases):
    """Call the answer and see that it gives cases of the right form."""
    cases = call(hit_cases).value
    require(cases is not None, "hit_cases returned None: is a return statement missing?")
    found = list(cases)
    require(bool(found), "hit_cases gives no cases")
    for i, case in enumerate(found, start=1):
        parts = tuple(case) if isinstance(case, tuple | list) else ()
        shapes = [tuple(getattr(part, "shape", ())) for part in parts[:2]]
        if len(parts) != 3 or shapes != [(2, 3), (3, 3)]:
            fail(
                f"case {i} of {len(found)} that hit_cases gives must be a ray of shape (2, 3), a "
                "triangle of shape (3, 3), and True or False",
                case=repr(case)[:300],
            )
    return [(ray.float(), triangle.float(), bool(expected)) for ray, triangle, expected in found]


@checks("hit_cases")
def test_hit_cases_are_right(hit_cases):
    cases = run_cases(hit_cases)
    for i, (one, triangle, expected) in enumerate(cases, start=1):
        s, u, v = (part.item() for part in hits_of(one[None], triangle[None])["right"])
        solution = "there is no single solution"
        right = False
        if not math.isnan(s):
            solution = f"s = {s:.4g}, u = {u:.4g}, v = {v:.4g}"
            # A ray at an edge by a hair may be meant either way.
            right = min(s, u, v, 1 - u - v) >= -1e-6
            if expected != right and abs(min(s, u, v, 1 - u - v)) < 1e-5:
                right = expected
        if right != expected:
            fail(
                f"case {i} of {len(cases)} that hit_cases gives expects {expected}, and the right "
                f"answer is {right}",
                ray=one,
                triangle=triangle,
                solution=solution,
            )


@checks("hit_cases")
def test_hit_cases_find_every_bug(hit_cases):
    cases = run_cases(hit_cases)
    for bug, function in implementations().items():
        said = [bool(function(one[None], triangle)[0]) for one, triangle, _ in cases]
        if said == [expected for _, _, expected in cases]:
            fail(f"hit_cases: a raytrace_triangle that {bug} passes all of your cases")


# --- How fast can it go? ----------------------------------------------------------------------


def by_components(rays, triangles):
    """Give O, D, A, B and C with xyz as the first axis, for all pairs."""
    O, D = rays.permute(1, 2, 0)[..., None]  # noqa: E741
    A, B, C = triangles.permute(1, 2, 0)[:, :, None]
    return O, D, A, B, C


def check_moller_trumbore(moller_trumbore, rays, triangles):
    s, u, v = hits_of(rays, triangles)["right"]
    hit = inside(s, u, v)
    O, D = numpy_of(rays)[:, None].transpose(2, 0, 1, 3)  # noqa: E741
    A, B, C = numpy_of(triangles).transpose(1, 0, 2)
    faces = np.einsum("rtx,tx->rt", -D + 0 * O, np.cross(B - A, C - A)) > 0
    turned = {
        "a cross product is the wrong way round: D × E2 and T × E1 (a × b is -(b × a))": inside(
            -s, u, -v
        ),
        "T has the wrong sign: it is O - A": inside(-s, -u, -v),
        "a sign is wrong: s comes out negative before the camera": inside(-s, u, v),
    }
    slips = slips_3d(rays, triangles) | {
        "triangles are seen from one side only: the determinant may be negative": hit & faces,
        "triangles are seen from one side only: the determinant may be negative ": hit & ~faces,
    }
    gives(
        moller_trumbore,
        *by_components(rays, triangles),
        expected=np.where(hit, s, INF),
        mistakes={
            "s has the wrong sign": np.where(hit, -s, INF),
            "this is u, not s": np.where(hit, u, INF),
            "this is v, not s": np.where(hit, v, INF),
            "where the triangle is not met it must be infinity": s,
            "where the triangle is not met it must be infinity, not 0": np.where(hit, s, 0),
            "this is the depth; give s itself": np.where(hit, s * numpy_of(rays)[:, 1, :1], INF),
        }
        | {text: np.where(said, -s, INF) for text, said in turned.items()}
        | {text: np.where(said, s, INF) for text, said in slips.items()},
        rtol=1e-3,
    )


@checks("moller_trumbore")
def test_moller_trumbore(moller_trumbore):
    # Moved a little, so that nothing lies on an edge even by mistake.
    oblique = OBLIQUE + floats([0.01, 0.02, 0.03])
    check_moller_trumbore(moller_trumbore, SCATTERED, torch.stack([oblique, oblique.flip(0)]))
    rays = aimed(TARGETS, origin=(-1, 0, 0))
    rays[1, 1] *= 2
    check_moller_trumbore(moller_trumbore, rays, MESH[:5])


@checks("moller_trumbore")
def test_moller_trumbore_pairs(moller_trumbore):
    rays, triangles = scattered(40, 40, seed=3, shared_origin=False)
    triangles = triangles[: len(rays)]
    O, D = rays.permute(1, 2, 0)  # noqa: E741
    A, B, C = triangles.permute(1, 2, 0)
    s, u, v = (np.diagonal(part) for part in hits_of(rays, triangles)["right"])
    gives(moller_trumbore, O, D, A, B, C, expected=np.where(inside(s, u, v), s, INF), rtol=1e-3)


@checks("moller_trumbore")
def test_moller_trumbore_singular(moller_trumbore):
    rays = torch.stack([ray((0, 1, 1)), ray((2, 1, 1)), ray((0, 1, 0), origin=(2, -1, 1))])
    triangles = torch.stack([TRIANGLE, floats([[2, 1, 1]] * 3)])
    gives(
        moller_trumbore,
        *by_components(rays, triangles),
        expected=[[INF, INF], [1, INF], [INF, INF]],
        mistakes={
            "a ray that is parallel to its triangle must give infinity, not nan": [
                [INF, INF], [1, np.nan], [np.nan, np.nan],
            ],
            "a parallel ray gives nan here, and every comparison with nan is false: ask whether "
            "it is inside, not whether it is outside": [
                [INF, np.nan], [1, np.nan], [np.nan, np.nan],
            ],
        },
    )  # fmt: skip


def slips_of_walls(rays, triangles):
    """Give the depths that mistakes with walls and signs lead to."""
    s, u, v = hits_of(rays, triangles)["right"]
    x = numpy_of(rays)[:, 1, :1]
    from_zero = rays.clone()
    from_zero[:, 0] = 0
    A, B, C = numpy_of(triangles).transpose(1, 0, 2)
    distance = (np.cross(B - A, C - A) * (A - numpy_of(rays)[0, 0])).sum(1)

    def nearest(hit):
        with np.errstate(invalid="ignore"):
            return np.where(hit, s * x, INF).min(1)

    hit = inside(s, u, v)
    one_side = "triangles are seen from one side only: multiply the walls by -1 where k < 0"
    return {
        one_side: nearest(hit & (distance > 0)),
        one_side + " ": nearest(hit & (distance < 0)),
        "nothing is hit: the nearest hit has the largest 1/s, misses have 0, and a triangle with "
        "k = 0 must not bring nan into the maximum": nearest(hit & False),
        "triangles behind the camera are hit": nearest(slip_without_s(s, u, v)),
        "the camera is taken to stand at (0, 0, 0): subtract the origin of the rays from all "
        "corners": depths_of(from_zero, triangles)[1],
    }


@checks("raytrace_mesh_shared_origin")
def test_raytrace_mesh_shared_origin(raytrace_mesh_shared_origin):
    rays = aimed(TARGETS, origin=(-1, 0, 0))
    mixed = torch.cat([MESH[:2], MESH[2:].flip(1)])
    for triangles in (mixed, mixed.flip(1)):
        more = slips_of_walls(rays, triangles)
        trace_checks(raytrace_mesh_shared_origin, rays, triangles, more)
    rays[1, 1] *= 2
    trace_checks(raytrace_mesh_shared_origin, rays, MESH, slips_of_walls(rays, MESH))
    rays, triangles = scattered(40, 30, seed=4)
    more = slips_of_walls(rays, triangles)
    trace_checks(raytrace_mesh_shared_origin, rays, triangles, more)


@checks("raytrace_mesh_shared_origin")
def test_raytrace_mesh_shared_origin_leaves_no_gaps(raytrace_mesh_shared_origin):
    # Pairs of triangles that share the edge from A to B, and rays through that edge.
    rng = np.random.default_rng(0)
    along = np.arange(1, 50)[:, None] / 50
    through = 0
    for A, B, C in rng.normal(0, 1, (20, 3, 3)):
        pair = floats(np.array([[A, B, C], [B, A, A + B - C]]).tolist())
        rays = aimed((A + along * (B - A)).tolist(), origin=(-5, 0.1, 0.2))
        depths = call(raytrace_mesh_shared_origin, rays, pair).value
        through += int((~torch.isfinite(depths)).sum())
    require(
        through == 0,
        "raytrace_mesh_shared_origin: rays slip through the edge that two triangles share; compute "
        "each volume from the edge's two corners alone, by cross (torch.linalg.cross may round "
        "a × b and b × a differently), and compare with >= 0",
        slipped_through=f"{through} of {20 * len(along)} rays",
    )


@checks("raytrace_mesh_shared_origin")
def test_raytrace_mesh_shared_origin_falls_back(raytrace_mesh_shared_origin):
    rays, triangles = scattered(30, 20, seed=5, shared_origin=False)
    _, depth, _ = depths_of(rays, triangles)
    from_first = rays.clone()
    from_first[:, 0] = rays[0, 0]
    gives(
        raytrace_mesh_shared_origin,
        rays,
        triangles,
        expected=depth,
        mistakes={
            "all rays are taken to start where the first one does; look whether they do": depths_of(
                from_first, triangles
            )[1]
        },
        rtol=1e-3,
        atol=1e-4,
    )


BOX = ((1, -1, -2), (3, 1, 2))
BOX_CASES = [
    ((0, 0, 0), (1, 0, 0), 1, "the ray enters through the face x = 1"),
    ((0, 0, 0), (4, 1, 2), 0.25, "the ray enters through the face x = 1, where s = 1/4"),
    ((5, 0, 0), (-1, 0, 0), 2, "the ray comes from the other side, through the face x = 3"),
    ((2, -5, 0), (0, 1, 0), 4, "the ray comes from below, through the face y = -1"),
    ((0, 0, 0), (1, 0.5, -1), 1, "the ray enters through the face x = 1 and leaves below"),
    (
        (0, 0, 0),
        (1, 2, 0),
        INF,
        "the ray passes above: it is inside x at s = 1 and out of y at 1/2",
    ),
    ((2, 0, 0), (1, 1, 1), 0, "the ray starts inside the box"),
    ((5, 0, 0), (1, 0, 0), INF, "the box is behind the ray"),
    ((0, 3, 0), (1, 0, 0), INF, "the ray runs beside the box, and its y stays 3"),
    ((0, 1, 0), (1, 0, 0), 1, "the ray runs in the face y = 1, which belongs to the box"),
    ((0, -1, 0), (1, 0, 0), 1, "the ray runs in the face y = -1, which belongs to the box"),
]


@checks("enter_boxes")
def test_enter_boxes(enter_boxes):
    origins, directions = (floats([case[i] for case in BOX_CASES]).T for i in (0, 1))
    low, high = (floats([corner] * len(BOX_CASES)).T for corner in BOX)
    expected = np.array([case[2] for case in BOX_CASES])
    made = call(enter_boxes, origins, directions, low, high)
    value = made.value
    right_kind = isinstance(value, torch.Tensor) and value.is_floating_point()
    if right_kind and value.shape == expected.shape:
        for i, (origin, direction, entry, why) in enumerate(BOX_CASES):
            have = made.value[i].item()
            if not (have == entry or abs(have - entry) < 1e-4):
                fail(
                    f"enter_boxes: {why}",
                    origin=str(origin),
                    direction=str(direction),
                    box=f"from {BOX[0]} to {BOX[1]}",
                    returned=f"{have:.4g}",
                    expected=f"{entry:.4g}",
                )
    made.gives(as_tensor(expected))


@checks("enter_boxes")
def test_enter_boxes_pairs(enter_boxes):
    rng = np.random.default_rng(0)
    n = 60
    origins, directions, one, other = rng.normal(0, 1, (4, 3, n))
    low, high = np.minimum(one, other) * 1.5, np.maximum(one, other) * 1.5
    # By steps along the ray: the first of many points that lies in the box.
    steps = np.linspace(0, 12, 24001)[:, None, None]
    points = origins + steps * directions
    within = ((points >= low) & (points <= high)).all(1)
    first = np.where(within.any(0), steps[within.argmax(0), 0, 0], INF)
    grazes = np.array([0 < w.sum() < 40 for w in within.T])
    keep = ~grazes
    parts = [floats(part[:, keep].tolist()) for part in (origins, directions, low, high)]
    gives(enter_boxes, *parts, expected=first[keep], atol=1e-3)


@checks("raytrace_hierarchy")
def test_raytrace_hierarchy_finds_every_leaf(raytrace_hierarchy, build_hierarchy):
    places = [(-6, -6), (-6, 6), (6, -6), (6, 6)]
    triangles = floats([wall(4, y, z) for y, z in places])
    hierarchy = build_hierarchy(triangles, 1)
    order = [
        int((triangles == leaf).all((1, 2)).nonzero()[0])
        for leaf in hierarchy.triangles[0].permute(2, 0, 1)
    ]
    rays = aimed([(4, y + 0.5, z + 0.5) for y, z in (places[i] for i in order)])
    depths = call(raytrace_hierarchy, rays, hierarchy).value
    if isinstance(depths, torch.Tensor) and depths.shape == (4,):
        found = [i for i in range(4) if torch.isclose(depths[i], torch.tensor(4.0))]
        lost = [i for i in range(4) if i not in found]
        if lost and found:
            fail(
                f"raytrace_hierarchy: the triangles in leaves {found} are found, those in leaves "
                f"{lost} are not: box i holds the boxes 2i and 2i + 1, for each of its rays",
                returned=depths,
                expected=floats([4, 4, 4, 4]),
            )
    gives(
        raytrace_hierarchy,
        rays,
        hierarchy,
        expected=[4.0] * 4,
        mistakes={"this is s; the depth is s times the direction's x": [1.0] * 4},
    )


@checks("raytrace_hierarchy")
def test_raytrace_hierarchy_takes_the_nearest(raytrace_hierarchy, build_hierarchy):
    # The ray enters all four boxes, and meets what is in the second and the fourth.
    missed = [[[x, 1.4, 1.4], [x, 2, -1], [x, -1, 2]] for x in (2, 4)]
    triangles = floats([missed[0], wall(3, -0.5, -0.5), missed[1], wall(5, -0.5, -0.5)])
    for size in (1, 2, 4):
        gives(
            raytrace_hierarchy,
            aimed([(2, 0, 0)]),
            build_hierarchy(triangles, size),
            expected=[3.0],
            mistakes={
                "a triangle that is missed takes the place of a hit, or only the first leaf or the "
                "first triangle of each is looked at: the smallest s of all counts": [INF],
                "this is the farthest hit, or the last that was looked at; the nearest counts": [
                    5.0
                ],
            },
        )


@checks("raytrace_hierarchy")
def test_raytrace_hierarchy(raytrace_hierarchy, build_hierarchy):
    for n_triangles, leaf_size, seed in ((1, 3, 6), (5, 2, 7), (37, 3, 8), (64, 4, 9)):
        rays, triangles = scattered(40, n_triangles, seed, shared_origin=False)
        _, depth, _ = depths_of(rays, triangles)
        hierarchy = build_hierarchy(triangles, leaf_size)
        mistakes = depth_mistakes(rays, triangles)
        gives(
            raytrace_hierarchy,
            rays,
            hierarchy,
            expected=depth,
            mistakes=mistakes,
            rtol=1e-3,
            atol=1e-4,
        )


@checks("raytrace_hierarchy")
def test_raytrace_hierarchy_where_nothing_is_hit(raytrace_hierarchy, build_hierarchy):
    rays = torch.stack([ray((-1, 0, 0)), ray((0, 1, 0)), ray((-1, 3, 0))])
    hierarchy = build_hierarchy(MESH[:3], 1)
    gives(
        raytrace_hierarchy,
        rays,
        hierarchy,
        expected=[INF] * 3,
        mistakes={
            "where nothing is hit the depth is infinity, not infinity times x, which is nan for 0 "
            "and negative for less": [-INF, np.nan, -INF],
        },
    )


@checks("raytrace_hierarchy")
def test_raytrace_hierarchy_passes_over_boxes(raytrace_hierarchy, build_hierarchy):
    triangles = floats([wall(2, -1, -1), wall(2, 9, 9), wall(3, -1, -1), wall(3, 9, 9)])
    for level in (1, 2):
        hierarchy = build_hierarchy(triangles, 1)
        # Boxes of this level are moved away, and with them what is inside must be out of reach.
        for part in (hierarchy.low, hierarchy.high):
            part[level] += 100
        gives(
            raytrace_hierarchy,
            aimed([(2, -0.5, -0.5), (2, 9.5, 9.5)]),
            hierarchy,
            expected=[INF, INF],
            mistakes={
                f"it looks into boxes that no ray enters: those of level {level} are not tested": [
                    2.0, 2.0,
                ],
            },
        )  # fmt: skip
