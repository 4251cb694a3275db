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

# %% [markdown]
# ### make_rays_1d
#
# 0.1 · Rays and segments · difficulty 2/5, importance 3/5, about 15 minutes

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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_make_rays_1d(make_rays_1d)
    tests.test_make_rays_1d_of_any_size(make_rays_1d)

# %%
if MAIN:
    rays1d = make_rays_1d(9, 10.0)
    # A direction is not a point: where the ray is at u = 1 is origin + direction.
    render_lines_with_plotly(torch.stack([rays1d[:, 0], rays1d.sum(1)], 1)).show()

# %% [markdown]
# ### intersect_ray_1d
#
# 0.1 · Rays and segments · difficulty 3/5, importance 4/5, about 25 minutes

# %%
def intersect_ray_1d(ray: Float[Tensor, "2 3"], segment: Float[Tensor, "2 3"]) -> bool:
    """Tell whether a ray meets a segment; both lie in the plane z = 0.

    Args:
        ray: Origin and direction.
        segment: The two end points, which belong to it.

    Returns:
        False where the equations have no single solution: the two are parallel.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_intersect_ray_1d(intersect_ray_1d)
    tests.test_intersect_ray_1d_ends(intersect_ray_1d)
    tests.test_intersect_ray_1d_special_case(intersect_ray_1d)

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

# %% [markdown]
# ### intersect_rays_1d
#
# 0.1 · Batched operations · difficulty 4/5, importance 4/5, about 40 minutes

# %%
def intersect_rays_1d(
    rays: Float[Tensor, "rays 2 3"], segments: Float[Tensor, "segments 2 3"]
) -> Bool[Tensor, " rays"]:
    """Tell for each ray whether it meets any segment; all lie in the plane z = 0.

    Args:
        rays: Origin and direction of each.
        segments: Two end points of each. A ray does not meet what is parallel to it.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_intersect_rays_1d(intersect_rays_1d)
    tests.test_intersect_rays_1d_one_pair_at_a_time(intersect_rays_1d)
    tests.test_intersect_rays_1d_special_case(intersect_rays_1d)
    tests.test_intersect_rays_1d_sizes(intersect_rays_1d)

# %%
if MAIN:
    print(intersect_rays_1d(rays1d, segments))

# %% [markdown]
# ### make_rays_2d
#
# 0.1 · Batched operations · difficulty 3/5, importance 2/5, about 20 minutes

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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_make_rays_2d(make_rays_2d)
    tests.test_make_rays_2d_of_any_size(make_rays_2d)

# %%
if MAIN:
    rays2d = make_rays_2d(10, 10, 0.3, 0.3)
    render_lines_with_plotly(torch.stack([rays2d[:, 0], rays2d.sum(1)], 1)).show()

# %% [markdown]
# ### triangle_ray_intersects
#
# 0.1 · Triangles · difficulty 3/5, importance 3/5, about 12 minutes

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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_triangle_ray_intersects(triangle_ray_intersects)
    tests.test_triangle_ray_intersects_edges_and_corners(triangle_ray_intersects)
    tests.test_triangle_ray_intersects_singular(triangle_ray_intersects)

# %% [markdown]
# ### raytrace_triangle
#
# 0.1 · Triangles · difficulty 4/5, importance 4/5, about 20 minutes

# %%
def raytrace_triangle(
    rays: Float[Tensor, "rays 2 3"], triangle: Float[Tensor, "3 3"]
) -> Bool[Tensor, " rays"]:
    """Tell for each ray whether it meets the triangle, its edges and corners included.

    Args:
        rays: Origin and direction of each.
        triangle: Its corners. A ray that is parallel to it does not meet it.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_raytrace_triangle(raytrace_triangle)
    tests.test_raytrace_triangle_single_rays(raytrace_triangle)
    tests.test_raytrace_triangle_edges_and_corners(raytrace_triangle)
    tests.test_raytrace_triangle_singular(raytrace_triangle)

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

# %% [markdown]
# ### raytrace_mesh
#
# 0.1 · Meshes · difficulty 3/5, importance 4/5, about 40 minutes

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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_raytrace_mesh(raytrace_mesh)
    tests.test_raytrace_mesh_single_ray(raytrace_mesh)
    tests.test_raytrace_mesh_singular(raytrace_mesh)
    tests.test_raytrace_mesh_looking_back(raytrace_mesh)
    tests.test_raytrace_mesh_scattered(raytrace_mesh)

# %%
if MAIN:
    triangles = load_mesh(MESH / "duck.pt")  # or duck.stl, duck.obj, or a mesh of your own
    n_pixels = 120
    rays = make_rays_2d(n_pixels, n_pixels, 0.45, 0.45)
    rays[:, 0] = torch.tensor([-3.0, 0.0, 0.0])  # the camera stands three units before the duck
    depths = raytrace_mesh(rays, triangles)
    display_image(depths.reshape(n_pixels, n_pixels)).show()

# %% [markdown]
# ### rotation_matrix
#
# 0.1 · Meshes · difficulty 2/5, importance 3/5, about 8 minutes

# %%
def rotation_matrix(theta: Float[Tensor, ""]) -> Float[Tensor, "3 3"]:
    """Make the matrix that turns points around the y axis.

    Args:
        theta: Angle in radians; a quarter turn takes the z axis to the x axis.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_rotation_matrix(rotation_matrix)
    tests.test_rotation_matrix_is_a_rotation(rotation_matrix)

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

# %% [markdown]
# ### raytrace_mesh_gpu
#
# 0.1 · Meshes · difficulty 1/5, importance 3/5, about 5 minutes

# %%
def raytrace_mesh_gpu(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Do what `raytrace_mesh` does, on the GPU if there is one.

    Returns:
        The depths, on the CPU whatever computed them.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_raytrace_mesh_gpu(raytrace_mesh_gpu)
    tests.test_raytrace_mesh_gpu_there_and_back(raytrace_mesh_gpu)

# %%
if MAIN:
    depths = raytrace_mesh_gpu(rays, triangles)
    print(f"{depths.isfinite().sum()} of {len(depths)} rays hit the duck")

# %% [markdown]
# ### raytrace_mesh_lambert
#
# 0.1 · Light and tests · difficulty 5/5, importance 2/5, about 60 minutes, optional

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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_raytrace_mesh_lambert(raytrace_mesh_lambert)
    tests.test_raytrace_mesh_lambert_one_ray(raytrace_mesh_lambert)
    tests.test_raytrace_mesh_lambert_order_of_corners(raytrace_mesh_lambert)
    tests.test_raytrace_mesh_lambert_there_and_back(raytrace_mesh_lambert)

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

# %% [markdown]
# ### hit_cases
#
# 0.1 · Light and tests · difficulty 3/5, importance 2/5, about 30 minutes, optional

# %%
Case = tuple[Float[Tensor, "2 3"], Float[Tensor, "3 3"], bool]


def hit_cases() -> Sequence[Case]:
    """Give cases for `raytrace_triangle`: a ray, a triangle, and whether they meet."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_hit_cases_are_right(hit_cases)
    tests.test_hit_cases_find_every_bug(hit_cases)

# %% [markdown]
# ### moller_trumbore
#
# 0.1 · How fast can it go? · difficulty 3/5, importance 3/5, about 30 minutes, optional

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
    raise NotImplementedError()


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
if MAIN:
    tests.test_moller_trumbore(moller_trumbore)
    tests.test_moller_trumbore_pairs(moller_trumbore)
    tests.test_moller_trumbore_singular(moller_trumbore)

# %% [markdown]
# ### raytrace_mesh_shared_origin
#
# 0.1 · How fast can it go? · difficulty 4/5, importance 3/5, about 45 minutes, optional

# %%
def raytrace_mesh_shared_origin(
    rays: Float[Tensor, "rays 2 3"], triangles: Float[Tensor, "triangles 3 3"]
) -> Float[Tensor, " rays"]:
    """Find the depth of the mesh along rays from one point by one matrix product.

    Rays with different origins are handed to `raytrace_mesh_moller_trumbore`.
    A triangle whose plane goes through the origin is not hit. No ray slips through an
    edge that two triangles share.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_raytrace_mesh_shared_origin(raytrace_mesh_shared_origin)
    tests.test_raytrace_mesh_shared_origin_leaves_no_gaps(raytrace_mesh_shared_origin)
    tests.test_raytrace_mesh_shared_origin_falls_back(raytrace_mesh_shared_origin)

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

# %% [markdown]
# ### enter_boxes
#
# 0.1 · How fast can it go? · difficulty 3/5, importance 2/5, about 30 minutes, optional

# %% [markdown]
# ### raytrace_hierarchy
#
# 0.1 · How fast can it go? · difficulty 5/5, importance 2/5, about 90 minutes, optional

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
    raise NotImplementedError()


def raytrace_hierarchy(
    rays: Float[Tensor, "rays 2 3"], hierarchy: Hierarchy
) -> Float[Tensor, " rays"]:
    """Find the depth of a mesh, looking only into boxes that a ray enters.

    Returns:
        What `raytrace_mesh` would give for the triangles that it was built from.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_enter_boxes(enter_boxes)
    tests.test_enter_boxes_pairs(enter_boxes)

# %%
if MAIN:
    tests.test_raytrace_hierarchy_finds_every_leaf(raytrace_hierarchy, build_hierarchy)
    tests.test_raytrace_hierarchy_takes_the_nearest(raytrace_hierarchy, build_hierarchy)
    tests.test_raytrace_hierarchy(raytrace_hierarchy, build_hierarchy)
    tests.test_raytrace_hierarchy_where_nothing_is_hit(raytrace_hierarchy, build_hierarchy)
    tests.test_raytrace_hierarchy_passes_over_boxes(raytrace_hierarchy, build_hierarchy)

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
