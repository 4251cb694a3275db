"""0.1 Ray Tracing: pictures of triangles, by solving many small systems of equations at once."""

# ruff: noqa: E741  (O is an origin)
# %%
import dataclasses
import math
from collections.abc import Callable, Sequence

import einops
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from tqdm import tqdm

import part1_ray_tracing.tests as tests  # noqa: F401
from part1_ray_tracing.mesh.make import duck
from part1_ray_tracing.utils import (
    MESH,
    compare_speed,
    compiled,
    display_image,
    display_video,
    display_video_with_lighting,
    embree_scene,
    load_mesh,
    raytrace_embree,
    render_lines_with_plotly,
    save_video,
)

MAIN = __name__ == "__main__"

Raytracer = Callable[[Float[Tensor, "rays 2 3"], Float[Tensor, "triangles 3 3"]], Tensor]


# %%
def make_rays_1d(num_pixels: int, y_limit: float) -> Float[Tensor, "rays 2 3"]:
    """Make rays from the origin through a row of pixels on the screen x = 1.

    Args:
        num_pixels: How many rays.
        y_limit: The pixels lie evenly from y = -y_limit to y = y_limit, both
            included, at z = 0.

    Returns:
        For each ray its origin and its direction.
    """
    ### BEGIN SOLUTION
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = torch.linspace(-y_limit, y_limit, num_pixels)
    return rays
    ### END SOLUTION


# %%
if MAIN:
    rays1d = make_rays_1d(9, 10.0)
    # A direction is not a point: where the ray is at u = 1 is origin + direction.
    render_lines_with_plotly(torch.stack([rays1d[:, 0], rays1d.sum(1)], 1)).show()


# %%
def intersect_ray_1d(ray: Float[Tensor, "2 3"], segment: Float[Tensor, "2 3"]) -> bool:
    """Tell whether a ray meets a segment; both lie in the plane z = 0.

    Args:
        ray: Origin and direction.
        segment: The two end points, which belong to it.

    Returns:
        False where the equations have no single solution: the two are parallel.
    """
    ### BEGIN SOLUTION
    origin, direction = ray[:, :2]
    start, end = segment[:, :2]
    matrix = torch.stack([direction, start - end], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, start - origin)
    return bool(u >= 0 and 0 <= v <= 1)
    ### END SOLUTION


# %%
if MAIN:
    segments = torch.tensor(
        [
            [[1.0, -12.0, 0.0], [1.0, -6.0, 0.0]],
            [[0.5, 0.1, 0.0], [0.5, 1.15, 0.0]],
            [[2.0, 12.0, 0.0], [2.0, 21.0, 0.0]],
        ]
    )
    render_lines_with_plotly(torch.stack([rays1d[:, 0], rays1d.sum(1)], 1), segments).show()
    for i, segment in enumerate(segments):
        hit = [j for j, ray in enumerate(rays1d) if intersect_ray_1d(ray, segment)]
        print(f"segment {i} is met by the rays {hit}")


# %%
def intersect_rays_1d(
    rays: Float[Tensor, "rays 2 3"], segments: Float[Tensor, "segments 2 3"]
) -> Bool[Tensor, " rays"]:
    """Tell for each ray whether it meets any segment; all lie in the plane z = 0.

    Args:
        rays: Origin and direction of each.
        segments: Two end points of each. A ray does not meet what is parallel to it.
    """
    ### BEGIN SOLUTION
    n_rays, n_segments = len(rays), len(segments)
    rays = einops.repeat(rays[..., :2], "rays p xy -> rays segments p xy", segments=n_segments)
    segments = einops.repeat(segments[..., :2], "segments p xy -> rays segments p xy", rays=n_rays)
    origin, direction = rays.unbind(2)
    start, end = segments.unbind(2)

    matrices = torch.stack([direction, start - end], dim=-1)  # rays segments 2 2
    is_singular = torch.linalg.det(matrices).abs() < 1e-8
    matrices[is_singular] = torch.eye(2)  # any solution will do: it is not counted
    u, v = torch.linalg.solve(matrices, start - origin).unbind(-1)
    meets = (u >= 0) & (v >= 0) & (v <= 1) & ~is_singular
    return meets.any(dim=1)
    ### END SOLUTION


# %%
if MAIN:
    print(intersect_rays_1d(rays1d, segments))


# %%
def make_rays_2d(
    num_pixels_y: int, num_pixels_z: int, y_limit: float, z_limit: float
) -> Float[Tensor, "rays 2 3"]:
    """Make rays from the origin through a grid of pixels on the screen x = 1.

    Args:
        num_pixels_y: Rows of the picture.
        num_pixels_z: Columns of the picture.
        y_limit: The rows lie evenly from y = -y_limit to y = y_limit, both included.
        z_limit: The columns lie evenly from z = -z_limit to z = z_limit, both included.

    Returns:
        num_pixels_y * num_pixels_z rays, row by row: z changes from ray to ray.
    """
    ### BEGIN SOLUTION
    y = torch.linspace(-y_limit, y_limit, num_pixels_y)
    z = torch.linspace(-z_limit, z_limit, num_pixels_z)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = einops.repeat(y, "y -> (y z)", z=num_pixels_z)
    rays[:, 1, 2] = einops.repeat(z, "z -> (y z)", y=num_pixels_y)
    return rays
    ### END SOLUTION


# %%
if MAIN:
    rays2d = make_rays_2d(10, 10, 0.3, 0.3)
    render_lines_with_plotly(torch.stack([rays2d[:, 0], rays2d.sum(1)], 1)).show()


# %%
Point = Float[Tensor, " xyz"]


def triangle_ray_intersects(A: Point, B: Point, C: Point, O: Point, D: Point) -> bool:
    """Tell whether a ray meets a triangle, its edges and corners included.

    Args:
        A: A corner of the triangle.
        B: Another one.
        C: The third one.
        O: Origin of the ray.
        D: Direction of the ray.

    Returns:
        False where the equations have no single solution: the ray is parallel to the
        triangle, or the triangle has no area.
    """
    ### BEGIN SOLUTION
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)
    ### END SOLUTION


# %%
def raytrace_triangle(
    rays: Float[Tensor, "rays 2 3"], triangle: Float[Tensor, "3 3"]
) -> Bool[Tensor, " rays"]:
    """Tell for each ray whether it meets the triangle, its edges and corners included.

    Args:
        rays: Origin and direction of each.
        triangle: Its corners. A ray that is parallel to it does not meet it.
    """
    ### BEGIN SOLUTION
    origin, direction = rays.unbind(1)
    A, B, C = einops.repeat(triangle, "corner xyz -> corner rays xyz", rays=len(rays))
    matrices = torch.stack([-direction, B - A, C - A], dim=-1)  # rays 3 3
    # As solve, but where a matrix is singular it says so instead of giving up on all of them.
    solutions, info = torch.linalg.solve_ex(matrices, origin - A)
    s, u, v = solutions.unbind(-1)
    return (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (info == 0)
    ### END SOLUTION


# %%
if MAIN:
    triangle = torch.tensor([[1.5, -0.5, -0.4], [1.5, 0.6, -0.1], [2.5, -0.1, 0.9]])
    n_pixels = 100
    rays = make_rays_2d(n_pixels, n_pixels, 0.5, 0.5)
    display_image(raytrace_triangle(rays, triangle).reshape(n_pixels, n_pixels)).show()


# %%
def raytrace_triangle_with_bug(
    rays: Float[Tensor, "rays 2 3"], triangle: Float[Tensor, "3 3"]
) -> Bool[Tensor, " rays"]:
    """Tell for each ray whether it meets the triangle: not yet, there are bugs for you to find."""
    A, B, C = einops.repeat(triangle, "corner xyz -> corner rays xyz", rays=len(rays))
    O, D = rays.unbind(-1)
    matrices = torch.stack([-D, B - A, C - A], dim=1)
    s, u, v = torch.linalg.solve(matrices, O - A).unbind(0)  # noqa: RUF059
    return (u >= 0) & (v >= 0) & (u <= 1) & (v <= 1)


if MAIN:
    pass
    # Take the hash signs away. It crashes, and there the search begins.
    # hits = raytrace_triangle_with_bug(rays, triangle)
    # display_image(hits.reshape(n_pixels, n_pixels)).show()


# %%
def in_chunks(
    raytrace_function: Raytracer,
    rays: Float[Tensor, "rays 2 3"],
    triangles: Float[Tensor, "triangles 3 3"],
    max_pairs: int = 500_000,
) -> Tensor:
    """Hand the rays to a function so few at a time that its memory stays small.

    Args:
        raytrace_function: Called with some of the rays and all triangles; gives a value per ray.
        rays: Any number of them.
        triangles: All of the mesh.
        max_pairs: How many pairs of a ray and a triangle one call may look at; a single ray with
            more than that many triangles is handed over by itself.
    """
    rays_at_once = max(1, max_pairs // max(1, len(triangles)))
    first, *others = rays.split(rays_at_once)
    values = raytrace_function(first, triangles)
    # One place for all results: many small ones would lie scattered in the memory of the chunks.
    result = values.new_empty((len(rays), *values.shape[1:]))
    result[: len(first)] = values
    for i, part in enumerate(others, start=1):
        start = i * rays_at_once
        result[start : start + len(part)] = raytrace_function(part, triangles)
    return result


def raytrace_mesh(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Find how far away the mesh is along each ray.

    Args:
        rays: Origin and direction of each.
        triangles: The corners of each.

    Returns:
        The depth of the nearest hit, s times the direction's x; infinity where
        nothing is hit.
    """
    ### BEGIN SOLUTION
    return in_chunks(_depths, rays, triangles)


def _depths(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    s, _ = nearest_hits(rays, triangles)
    return torch.where(s.isfinite(), s * rays[:, 1, 0], math.inf)


def nearest_hits(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> tuple[Float[Tensor, " rays"], Int[Tensor, " rays"]]:
    """Give the smallest s of each ray (infinity for none) and the triangle that has it."""
    origin, direction = einops.rearrange(rays, "rays p xyz -> p rays 1 xyz")
    A, B, C = einops.rearrange(triangles, "triangles corner xyz -> corner 1 triangles xyz")
    columns = torch.broadcast_tensors(-direction, B - A, C - A)
    matrices = torch.stack(columns, dim=-1)  # rays triangles 3 3
    solutions, info = torch.linalg.solve_ex(matrices, origin - A)
    s, u, v = solutions.unbind(-1)
    is_hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (info == 0)
    return torch.where(is_hit, s, math.inf).min(dim=1)
    ### END SOLUTION


# %%
if MAIN:
    triangles = load_mesh(MESH / "duck.pt")  # or duck.stl, duck.obj, or a mesh of your own
    n_pixels = 120
    rays = make_rays_2d(n_pixels, n_pixels, 0.45, 0.45)
    rays[:, 0] = torch.tensor([-3.0, 0.0, 0.0])  # the camera stands three units before the duck
    depths = raytrace_mesh(rays, triangles)
    display_image(depths.reshape(n_pixels, n_pixels)).show()


# %%
def rotation_matrix(theta: Float[Tensor, ""]) -> Float[Tensor, "3 3"]:
    """Make the matrix that turns points around the y axis.

    Args:
        theta: Angle in radians; a quarter turn takes the z axis to the x axis.
    """
    ### BEGIN SOLUTION
    cos, sin, zero, one = theta.cos(), theta.sin(), torch.tensor(0.0), torch.tensor(1.0)
    rows = [cos, zero, sin, zero, one, zero, -sin, zero, cos]
    return einops.rearrange(torch.stack(rows), "(row column) -> row column", row=3)
    ### END SOLUTION


# %%
def raytrace_mesh_video(
    rays: Float[Tensor, "rays 2 3"],
    triangles: Float[Tensor, "triangles 3 3"],
    rotation_matrix: Callable[[Float[Tensor, ""]], Float[Tensor, "3 3"]],
    raytrace_function: Raytracer,
    num_frames: int,
) -> Float[Tensor, "frames rays"]:
    """Trace a mesh again and again while it makes one full turn.

    Args:
        rays: The same for each frame.
        triangles: The mesh before it turns.
        rotation_matrix: Gives the matrix of an angle in radians.
        raytrace_function: Gives a number for each ray.
        num_frames: The mesh turns by 2π / num_frames from one frame to the next.
    """
    frames = []
    for i in tqdm(range(num_frames), desc="frames"):
        turn = rotation_matrix(torch.tensor(2 * math.pi * i / num_frames))
        # A corner is a row here, and row @ matrix.T is what matrix @ column would be.
        frames.append(raytrace_function(rays, triangles @ turn.T))
    return torch.stack(frames)


if MAIN:
    small = 60
    rays = make_rays_2d(small, small, 0.45, 0.45)
    rays[:, 0] = torch.tensor([-3.0, 0.0, 0.0])
    depths = raytrace_mesh_video(rays, triangles, rotation_matrix, raytrace_mesh, num_frames=24)
    frames = einops.rearrange(depths, "frames (y z) -> frames y z", y=small)
    display_video(frames).show()
    save_video(frames, "turning_duck.gif")


# %%
def raytrace_mesh_gpu(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Do what `raytrace_mesh` does, on the GPU if there is one.

    Returns:
        The depths, on the CPU whatever computed them.
    """
    ### BEGIN SOLUTION
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return raytrace_mesh(rays.to(device), triangles.to(device)).cpu()
    ### END SOLUTION


# %%
if MAIN:
    depths = raytrace_mesh_gpu(rays, triangles)
    print(f"{depths.isfinite().sum()} of {len(depths)} rays hit the duck")


# %%
def raytrace_mesh_lambert(
    rays: Float[Tensor, "rays 2 3"],
    triangles: Float[Tensor, "triangles 3 3"],
    light: Float[Tensor, "3"],
    ambient_intensity: float,
    device: str = "cuda",
) -> Float[Tensor, " rays"]:
    """Find how bright the mesh is where each ray meets it, by Lambert's cosine law.

    Args:
        rays: Origin and direction of each.
        triangles: The corners of each, in any order: both sides are lit alike.
        light: The direction that the light travels in; its length is the strength.
        ambient_intensity: Brightness of what the light does not reach.
        device: Where to compute; the CPU if there is no such device.

    Returns:
        ambient_intensity + max(0, -n·light), with n the unit normal of the nearest
        triangle on the side that is seen; 0 where nothing is hit. On the CPU.
    """
    ### BEGIN SOLUTION
    if device.startswith("cuda") and not torch.cuda.is_available():
        device = "cpu"
    triangles, light = triangles.to(device), light.to(device)
    A, B, C = triangles.unbind(1)
    normals = torch.nn.functional.normalize(torch.linalg.cross(B - A, C - A), dim=-1)

    def brightness(rays: Tensor, triangles: Tensor) -> Tensor:
        s, nearest = nearest_hits(rays, triangles)
        n = normals[nearest]  # rays xyz
        is_behind = einops.einsum(n, rays[:, 1], "rays xyz, rays xyz -> rays") > 0
        n = torch.where(is_behind[:, None], -n, n)
        lit = -einops.einsum(n, light, "rays xyz, xyz -> rays")
        return torch.where(s.isfinite(), ambient_intensity + lit.clamp(min=0), 0.0)

    return in_chunks(brightness, rays.to(device), triangles).cpu()
    ### END SOLUTION


# %%
if MAIN:
    light = torch.tensor([0.6, -0.4, 0.3])  # from behind us, above, and from the left

    def lit_duck(rays: Tensor, triangles: Tensor) -> Tensor:
        """Light the duck from a fixed direction."""
        return raytrace_mesh_lambert(rays, triangles, light, ambient_intensity=0.15)

    shades = raytrace_mesh_video(rays, triangles, rotation_matrix, lit_duck, num_frames=24)
    frames = einops.rearrange(shades, "frames (y z) -> frames y z", y=small)
    display_video_with_lighting(frames).show()
    save_video(frames, "lit_duck.gif")


# %%
Case = tuple[Float[Tensor, "2 3"], Float[Tensor, "3 3"], bool]


def hit_cases() -> Sequence[Case]:
    """Give cases for `raytrace_triangle`: a ray, a triangle, and whether they meet."""
    ### BEGIN SOLUTION
    triangle = torch.tensor([[1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, 1.0]])
    middle = triangle.mean(0)
    cases = []
    for to, expected in (
        (middle, True),
        (-middle, False),  # the triangle is behind
        (triangle[0], True),  # a corner
        (triangle[:2].mean(0), True),  # the middle of an edge
        (torch.tensor([1.0, 0.5, 0.5]), False),  # beyond the long edge: u + v > 1
        (torch.tensor([1.0, -1.5, 0.0]), False),  # u < 0
        (torch.tensor([1.0, 0.0, -1.5]), False),  # v < 0
        (torch.tensor([0.0, 1.0, 0.0]), False),  # parallel
    ):
        cases.append((torch.stack([torch.zeros(3), to]), triangle, expected))
    beside = torch.tensor([[0.0, 5.0, 0.0], [1.0, 0.0, 0.0]])  # starts elsewhere
    return [*cases, (beside, triangle, False)]
    ### END SOLUTION


# %%
XYZ = Tensor | tuple[Tensor, Tensor, Tensor]
"""Vectors by their components: x of all of them, then y, then z."""


def cross(a: XYZ, b: XYZ) -> tuple[Tensor, Tensor, Tensor]:
    """Take the cross product of vectors whose components lie along the first axis."""
    (ax, ay, az), (bx, by, bz) = a, b
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


def dot(a: XYZ, b: XYZ) -> Tensor:
    """Take the dot product of vectors whose components lie along the first axis."""
    (ax, ay, az), (bx, by, bz) = a, b
    return ax * bx + ay * by + az * bz


def moller_trumbore(
    O: Float[Tensor, "xyz *#shape"],
    D: Float[Tensor, "xyz *#shape"],
    A: Float[Tensor, "xyz *#shape"],
    B: Float[Tensor, "xyz *#shape"],
    C: Float[Tensor, "xyz *#shape"],
) -> Float[Tensor, "*shape"]:
    """Find the s at which each ray meets its triangle, by Cramer's rule.

    Args:
        O: Origins of rays. The components lie along the first axis, here and in all
            that follow; the other axes broadcast.
        D: Directions of rays.
        A: Corners of triangles.
        B: Corners of triangles.
        C: Corners of triangles.

    Returns:
        Infinity where the ray does not meet the triangle, or is parallel to it.

    Source: Möller and Trumbore, Fast, Minimum Storage Ray/Triangle Intersection, 1997.
    """
    ### BEGIN SOLUTION
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)  # where it is infinite, one of the bounds below is broken
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    is_hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return torch.where(is_hit, s, math.inf)
    ### END SOLUTION


def _depths_by_moller_trumbore(rays: Tensor, triangles: Tensor) -> Tensor:
    O, D = einops.rearrange(rays, "rays p xyz -> p xyz rays 1")
    A, B, C = einops.rearrange(triangles, "triangles corner xyz -> corner xyz 1 triangles")
    s = moller_trumbore(O, D, A, B, C).amin(dim=1)
    return torch.where(s.isfinite(), s * rays[:, 1, 0], math.inf)


def raytrace_mesh_moller_trumbore(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Do what `raytrace_mesh` does with `moller_trumbore`."""
    return in_chunks(_depths_by_moller_trumbore, rays, triangles, max_pairs=50_000)


# %%
def raytrace_mesh_shared_origin(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Find the depth of the mesh along rays from one point by one matrix product.

    Rays with different origins are handed to `raytrace_mesh_moller_trumbore`.
    A triangle whose plane goes through the origin is not hit. No ray slips through an
    edge that two triangles share.
    """
    ### BEGIN SOLUTION
    origin = rays[:1, 0]
    if not (rays[:, 0] == origin).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    A, B, C = (triangles - origin[:, None]).unbind(1)  # seen from the origin
    normal = torch.linalg.cross(B - A, C - A)
    distance = einops.einsum(A, normal, "triangles xyz, triangles xyz -> triangles")
    # Turn each triangle around that shows its back: then all three volumes are positive inside.
    side = torch.where(distance < 0, -1.0, 1.0)[:, None]
    # Not torch.linalg.cross: it may round B x A to something else than -(A x B).
    volumes = [side * torch.stack(cross(p.T, q.T), dim=1) for p, q in ((B, C), (C, A), (A, B))]
    nearness = torch.where(distance[:, None] == 0, 0.0, normal / distance[:, None])
    weights = einops.rearrange([*volumes, nearness], "four triangles xyz -> xyz (four triangles)")

    def depths(rays: Tensor, triangles: Tensor) -> Tensor:
        products = (rays[:, 1] @ weights).view(len(rays), 4, len(triangles))
        smallest = products[:, :3].amin(dim=1)
        one_over_s = torch.where(smallest >= 0, products[:, 3], 0.0).amax(dim=1)
        return torch.where(one_over_s > 0, rays[:, 1, 0] / one_over_s, math.inf)

    return in_chunks(depths, rays, triangles, max_pairs=200_000)
    ### END SOLUTION


# %%
def raytrace_mesh_compiled(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Do what `raytrace_mesh` does with `moller_trumbore`, compiled; the first call takes a minute.

    Raises:
        Missing: There is no C++ compiler on this machine.
    """
    # One kernel holds no pairs in memory, so it needs no chunks.
    return compiled(_depths_by_moller_trumbore)(rays, triangles)


# %%
@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """Boxes in boxes around the triangles of a mesh.

    `low[level]` and `high[level]` hold two opposite corners of the level's boxes, xyz first: one
    box at level 0, twice as many at each level. Box i holds boxes 2i and 2i + 1 of the next level.
    The boxes of the last level are the leaves; leaf i holds the triangles `triangles[..., i]`.
    """

    low: list[Float[Tensor, "xyz _"]]
    high: list[Float[Tensor, "xyz _"]]
    triangles: Float[Tensor, "in_leaf corners xyz leaves"]


def build_hierarchy(triangles: Float[Tensor, "triangles 3 3"], leaf_size: int = 3) -> Hierarchy:
    """Sort a mesh into a hierarchy, from the top: each box is cut into two of equally many.

    Args:
        triangles: At least one.
        leaf_size: At most so many triangles in a leaf. Some are there twice, for all leaves hold
            equally many.

    Source: of the three ways to cut, along x, y or z, the one whose halves have the smaller
    surface; MacDonald and Booth, Heuristics for Ray Tracing Using Space Subdivision, 1990.
    """
    n_levels = math.ceil(math.log2(max(1.0, len(triangles) / leaf_size)))
    in_leaf = -(-len(triangles) // 2**n_levels)
    n_places = in_leaf * 2**n_levels
    order = torch.arange(n_places, device=triangles.device) * len(triangles) // n_places
    middles, lowest, highest = triangles.mean(1), triangles.amin(1), triangles.amax(1)
    for level in range(n_levels):
        inside = order.view(2**level, -1)
        cuts, surfaces = [], []
        for along in middles.unbind(1):
            cut = inside.gather(1, along[inside].argsort(dim=1))
            halves = einops.rearrange(cut, "box (half n) -> box half n", half=2)
            size = highest[halves].amax(2) - lowest[halves].amin(2)  # box half xyz
            cuts.append(cut)
            surfaces.append((size * size.roll(1, dims=-1)).sum((1, 2)))
        best = torch.stack(surfaces).argmin(dim=0)
        order = torch.stack(cuts)[best, torch.arange(2**level, device=best.device)].flatten()

    leaves = einops.rearrange(
        triangles[order], "(leaves n) corner xyz -> n corner xyz leaves", n=in_leaf
    )
    room = 1e-5 * (triangles.amax() - triangles.amin())  # for rounding
    low, high = [leaves.amin((0, 1)) - room], [leaves.amax((0, 1)) + room]
    for _ in range(n_levels):
        low.append(torch.minimum(low[-1][:, ::2], low[-1][:, 1::2]))
        high.append(torch.maximum(high[-1][:, ::2], high[-1][:, 1::2]))
    return Hierarchy(low[::-1], high[::-1], leaves.contiguous())


# %%
def enter_boxes(
    origins: Float[Tensor, "xyz pairs"],
    directions: Float[Tensor, "xyz pairs"],
    low: Float[Tensor, "xyz pairs"],
    high: Float[Tensor, "xyz pairs"],
) -> Float[Tensor, " pairs"]:
    """Find where each ray enters its box: the smallest s >= 0 at which it is inside.

    Args:
        origins: One for each pair of a ray and a box. All four arguments have xyz
            as their first axis.
        directions: A component of 0 keeps that coordinate as it is.
        low: The corner of the box with the smallest coordinates.
        high: The corner of the box with the largest ones; the faces belong to the box.

    Returns:
        0 where the ray starts inside; infinity where it misses the box, or the box
        is behind it.
    """
    ### BEGIN SOLUTION
    one, other = (low - origins) / directions, (high - origins) / directions
    # A ray that runs in a face gives 0 / 0, and is between these two planes all the way.
    enter = torch.minimum(one, other).nan_to_num(-math.inf, math.inf, -math.inf).amax(dim=0)
    leave = torch.maximum(one, other).nan_to_num(math.inf, math.inf, -math.inf).amin(dim=0)
    enter = enter.clamp(min=0)
    return torch.where(enter <= leave, enter, math.inf)
    ### END SOLUTION


def raytrace_hierarchy(
    rays: Float[Tensor, "rays 2 3"], hierarchy: Hierarchy
) -> Float[Tensor, " rays"]:
    """Find the depth of a mesh, looking only into boxes that a ray enters.

    Returns:
        What `raytrace_mesh` would give for the triangles that it was built from.
    """
    ### BEGIN SOLUTION
    origins, directions = einops.rearrange(rays, "rays p xyz -> p xyz rays").contiguous()
    ray = torch.arange(len(rays), device=rays.device)
    box = torch.zeros_like(ray)
    enter = torch.zeros_like(origins[0])
    for level, (low, high) in enumerate(zip(hierarchy.low, hierarchy.high, strict=True)):
        if level:
            ray, box = torch.cat([ray, ray]), torch.cat([2 * box, 2 * box + 1])
        # index_select(1, ray) is [:, ray], three times as fast.
        of_rays = [part.index_select(1, ray) for part in (origins, directions)]
        enter = enter_boxes(*of_rays, low.index_select(1, box), high.index_select(1, box))
        met = (enter < math.inf).nonzero()[:, 0]
        ray, box, enter = (part.index_select(0, met) for part in (ray, box, enter))

    nearest = torch.full((len(rays),), math.inf, device=rays.device)
    first = nearest.scatter_reduce(0, ray, enter, "amin")[ray]
    # The leaves that a ray enters first may save it the others.
    for turn in (enter == first, enter > first):
        now = (turn & (enter <= nearest[ray])).nonzero()[:, 0]
        rays_now, leaves_now = ray.index_select(0, now), box.index_select(0, now)
        O, D = (part.index_select(1, rays_now) for part in (origins, directions))
        for corners in hierarchy.triangles:
            s = moller_trumbore(O, D, *corners.index_select(2, leaves_now))
            nearest.scatter_reduce_(0, rays_now, s, "amin")
    return torch.where(nearest.isfinite(), nearest * directions[0], math.inf)
    ### END SOLUTION


# %%
TRACERS: dict[str, tuple[Callable | None, Callable]] = {
    "linear solve": (None, raytrace_mesh),
    "Möller-Trumbore": (None, raytrace_mesh_moller_trumbore),
    "one matrix product": (None, raytrace_mesh_shared_origin),
    "compiled kernel": (None, raytrace_mesh_compiled),
    "hierarchy": (build_hierarchy, raytrace_hierarchy),
    "Embree": (embree_scene, raytrace_embree),
}

if MAIN:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rays = make_rays_2d(120, 120, 0.45, 0.45)
    rays[:, 0] = torch.tensor([-3.0, 0.0, 0.0])
    compare_speed(TRACERS, rays.to(device), load_mesh(MESH / "duck.pt").to(device))
    # The same duck in finer steps: 11,440 triangles.
    compare_speed(TRACERS, rays.to(device), torch.from_numpy(duck(detail=4)).to(device))
