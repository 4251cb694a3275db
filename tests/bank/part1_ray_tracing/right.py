"""Right answers to 0.1 in other styles: loops, numpy, formulas in place of solvers, broadcasting."""

import numpy as np


def det2(a, b):
    """Take the determinant of two vectors of the plane."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def det3(a, b, c):
    """Take the determinant of three vectors."""
    return (torch.linalg.cross(a, b) * c).sum(-1)


def nearest_by_cramer(rays, triangles):
    """Give s of the nearest hit of each ray, and its triangle."""
    O, D = rays[:, None, 0], rays[:, None, 1]
    A, B, C = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    det = det3(*torch.broadcast_tensors(-D, B - A, C - A))
    s = det3(*torch.broadcast_tensors(O - A, B - A, C - A)) / det
    u = det3(*torch.broadcast_tensors(-D, O - A, C - A)) / det
    v = det3(*torch.broadcast_tensors(-D, B - A, O - A)) / det
    hit = (det != 0) & (s >= 0) & (torch.minimum(u, v) >= 0) & (u + v <= 1)
    return s.masked_fill(~hit, float("inf")).min(dim=1)


# %% a loop
def make_rays_1d(num_pixels, y_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels)
    return torch.stack([torch.tensor([[0.0, 0, 0], [1.0, float(value), 0]]) for value in y])

# %% numpy
def make_rays_1d(num_pixels, y_limit):
    rays = np.zeros((num_pixels, 2, 3), dtype=np.float32)
    rays[:, 1, :2] = np.stack([np.ones(num_pixels), np.linspace(-y_limit, y_limit, num_pixels)], 1)
    return torch.from_numpy(rays)

# %% a formula
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = -y_limit + 2 * y_limit * torch.arange(num_pixels) / (num_pixels - 1)
    return rays

# %% stacked
def make_rays_1d(num_pixels, y_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels)
    directions = torch.stack([torch.ones_like(y), y, torch.zeros_like(y)], dim=1)
    return torch.stack([torch.zeros_like(directions), directions], dim=1)

# %% Cramer's rule
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray, segment
    det = det2(D, L1 - L2)
    if det == 0:
        return False
    u, v = det2(L1 - O, L1 - L2) / det, det2(D, L1 - O) / det
    return bool((u >= 0) & (v >= 0) & (v <= 1))

# %% by try
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[..., :2], segment[..., :2]
    try:
        u, v = torch.linalg.solve(torch.stack([D, L1 - L2]).T, L1 - O)
    except RuntimeError:
        return False
    return u.item() >= 0 and v.item() >= 0 and v.item() <= 1

# %% a tensor of one truth
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    x, info = torch.linalg.solve_ex(torch.stack([D, L1 - L2], dim=-1), L1 - O)
    return (x[0] >= 0) & (x[1] >= 0) & (x[1] <= 1) & (info == 0)

# %% a loop over all pairs
def intersect_rays_1d(rays, segments):
    return torch.tensor([any(intersect_ray_1d(r, s) for s in segments) for r in rays])

# %% broadcast, by Cramer's rule
def intersect_rays_1d(rays, segments):
    O, D = rays[:, None, 0], rays[:, None, 1]
    L1, L2 = segments[None, :, 0], segments[None, :, 1]
    det = det2(D, L1 - L2)
    u, v = det2(L1 - O, L1 - L2) / det, det2(D, L1 - O) / det
    return ((det != 0) & (u >= 0) & (v >= 0) & (v <= 1)).any(1)

# %% segments first
def intersect_rays_1d(rays, segments):
    O, D = einops.repeat(rays[:, :, :2], "r p d -> p s r d", s=len(segments))
    L1, L2 = einops.repeat(segments[:, :, :2], "s p d -> p s r d", r=len(rays))
    x, info = torch.linalg.solve_ex(torch.stack([D, L1 - L2], dim=-1), L1 - O)
    return ((x >= 0).all(-1) & (x[..., 1] <= 1) & (info == 0)).sum(0) > 0

# %% meshgrid
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y, z = torch.meshgrid(
        torch.linspace(-y_limit, y_limit, num_pixels_y),
        torch.linspace(-z_limit, z_limit, num_pixels_z),
        indexing="ij",
    )
    directions = torch.stack([torch.ones_like(y), y, z], dim=-1).reshape(-1, 3)
    return torch.stack([torch.zeros_like(directions), directions], dim=1)

# %% a formula
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    rays = torch.zeros(num_pixels_y, num_pixels_z, 2, 3)
    rays[:, :, 1, 0] = 1
    rays[:, :, 1, 1] += y_limit * (2 * torch.arange(num_pixels_y) / (num_pixels_y - 1) - 1)[:, None]
    rays[:, :, 1, 2] += z_limit * (2 * torch.arange(num_pixels_z) / (num_pixels_z - 1) - 1)
    return rays.flatten(0, 1)

# %% two loops
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    rays = []
    for y in torch.linspace(-y_limit, y_limit, num_pixels_y):
        for z in torch.linspace(-z_limit, z_limit, num_pixels_z):
            rays.append([[0.0, 0.0, 0.0], [1.0, y.item(), z.item()]])
    return torch.tensor(rays)

# %% Cramer's rule
def triangle_ray_intersects(A, B, C, O, D):
    det = det3(-D, B - A, C - A)
    if det == 0:
        return False
    s = det3(O - A, B - A, C - A) / det
    u, v = det3(-D, O - A, C - A) / det, det3(-D, B - A, O - A) / det
    return bool(s >= 0 and u >= 0 and v >= 0 and 1 - u - v >= 0)

# %% weights of all three corners
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([B - A, C - A, -D]).T
    x, info = torch.linalg.solve_ex(matrix, O - A)
    return info.item() == 0 and x.amin().item() >= 0 and (x[0] + x[1]).item() <= 1

# %% a loop
def raytrace_triangle(rays, triangle):
    return torch.tensor([triangle_ray_intersects(*triangle, *ray) for ray in rays])

# %% the mask, and broadcasting
def raytrace_triangle(rays, triangle):
    A, B, C = triangle
    matrices = torch.zeros(len(rays), 3, 3)
    matrices[:, :, 0] = -rays[:, 1]
    matrices[:, :, 1], matrices[:, :, 2] = B - A, C - A
    singular = torch.linalg.det(matrices).abs() < 1e-8
    matrices[singular] = torch.eye(3)
    x = torch.linalg.solve(matrices, rays[:, 0] - A)
    return (x >= 0).all(dim=1) & (x[:, 1:].sum(dim=1) <= 1) & ~singular

# %% Cramer's rule
def raytrace_mesh(rays, triangles):
    s, _ = nearest_by_cramer(rays, triangles)
    return torch.where(s < float("inf"), s * rays[:, 1, 0], float("inf"))

# %% a loop over the triangles
def raytrace_mesh(rays, triangles):
    nearest = torch.full((len(rays),), float("inf"))
    for triangle in triangles:
        A, B, C = triangle.expand(len(rays), 3, 3).unbind(1)
        matrices = torch.stack([-rays[:, 1], B - A, C - A], dim=2)
        x, info = torch.linalg.solve_ex(matrices, rays[:, 0] - A)
        hit = (x >= 0).all(1) & (x[:, 1] + x[:, 2] <= 1) & (info == 0)
        nearest[hit] = torch.minimum(nearest[hit], x[hit, 0])
    hit = nearest.isfinite()
    nearest[hit] *= rays[hit, 1, 0]
    return nearest

# %% numpy
def rotation_matrix(theta):
    c, s = np.cos(float(theta)), np.sin(float(theta))
    return torch.from_numpy(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=np.float32))

# %% from a matrix exponential
def rotation_matrix(theta):
    turn = torch.zeros(3, 3)
    turn[0, 2], turn[2, 0] = theta, -theta
    return torch.matrix_exp(turn)

# %% by a condition
def raytrace_mesh_gpu(rays, triangles):
    if torch.cuda.is_available():
        return raytrace_mesh(rays.cuda(), triangles.cuda()).cpu()
    return raytrace_mesh(rays, triangles)

# %% with a number of devices
def raytrace_mesh_gpu(rays, triangles):
    device = torch.device("cuda", 0) if torch.cuda.device_count() else torch.device("cpu")
    with torch.no_grad():
        depths = raytrace_mesh(rays.to(device), triangles.to(device))
    return depths.to("cpu")

# %% the device is found once
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def raytrace_mesh_gpu(rays, triangles):
    return raytrace_mesh(rays.to(DEVICE), triangles.to(DEVICE)).to(rays.device)

# %% an attempt
def raytrace_mesh_gpu(rays, triangles):
    try:
        rays, triangles = (part.to(device="cuda", dtype=torch.float32) for part in (rays, triangles))
    except (RuntimeError, AssertionError):
        pass
    return raytrace_mesh(rays, triangles).cpu()

# %% normals of the hits only
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    if "cuda" in device and not torch.cuda.is_available():
        device = "cpu"
    rays, triangles, light = rays.to(device), triangles.to(device), light.to(device)
    s, nearest = nearest_by_cramer(rays, triangles)
    A, B, C = triangles[nearest].unbind(1)
    n = torch.linalg.cross(B - A, C - A)
    n = n / n.norm(dim=1, keepdim=True).clamp(min=1e-12)
    n = -n * torch.sign((n * rays[:, 1]).sum(1, keepdim=True))
    return ((ambient_intensity + torch.relu(-n @ light)) * s.isfinite()).cpu()

# %% a loop over the rays
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    if not torch.cuda.is_available():
        device = "cpu"
    rays, triangles, light = (part.to(device) for part in (rays, triangles, light))
    brightness = []
    for ray, s, i in zip(rays, *nearest_by_cramer(rays, triangles)):
        if s == float("inf"):
            brightness.append(0.0)
            continue
        A, B, C = triangles[i]
        n = torch.linalg.cross(B - A, C - A)
        n = n / n.norm()
        if torch.dot(n, ray[1]) > 0:
            n = -n
        brightness.append(ambient_intensity + max(0.0, -torch.dot(n, light).item()))
    return torch.tensor(brightness)

# %% the triangle of the page
def hit_cases():
    triangle = torch.tensor([[2.0, 0, 0], [2, 4, 0], [2, 0, 4]])
    cases = [((2.0, 1, 1), True), ((-2.0, -1, -1), False), ((2.0, 0, 0), True),
             ((2.0, 3, 3), False), ((2.0, -1, 1), False), ((2.0, 1, -1), False),
             ((0.0, 1, 1), False)]
    rays = [(torch.tensor([[0.0, 0, 0], to]), triangle, hit) for to, hit in cases]
    return [*rays, (torch.tensor([[0.0, 5, 5], [1.0, -2, -2]]), triangle, True)]

# %% a generator, other edges
def hit_cases():
    triangle = torch.tensor([[2.0, 0, 0], [2, 4, 0], [2, 0, 4]])
    origin = torch.tensor([0.0, -1.0, -1.0])
    for to, hit in (((2.0, 2, 2), True), ((2.0, 1, 1), True), ((2.0, 3, 3), False),
                    ((2.0, -1, 1), False), ((2.0, 1, -1), False)):
        yield torch.stack([origin, torch.tensor(to) - origin]), triangle, hit
    yield torch.stack([origin, torch.tensor([-1.0, 0, 0])]), triangle, False
    yield torch.stack([origin, torch.tensor([0.0, 1, 0])]), triangle, False

# %% with torch.linalg.cross
def moller_trumbore(O, D, A, B, C):
    O, D, A, B, C = torch.broadcast_tensors(O, D, A, B, C)
    det = -(torch.linalg.cross(B - A, C - A, dim=0) * D).sum(0)
    s = (torch.linalg.cross(B - A, C - A, dim=0) * (O - A)).sum(0) / det
    u = (torch.linalg.cross(C - A, -D, dim=0) * (O - A)).sum(0) / det
    v = (torch.linalg.cross(-D, B - A, dim=0) * (O - A)).sum(0) / det
    hit = (det != 0) & (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return s.masked_fill(~hit, math.inf)

# %% a mask for the parallel ones
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P = torch.stack(cross(D, E2))
    det = dot(E1, P)
    parallel = det == 0
    det = torch.where(parallel, torch.ones_like(det), det)
    Q = torch.stack(cross(T, E1))
    u, v, s = dot(T, P) / det, dot(D, Q) / det, dot(E2, Q) / det
    return torch.where((u < 0) | (v < 0) | (u + v > 1) | (s < 0) | parallel, math.inf, s)

# %% four products
def raytrace_mesh_shared_origin(rays, triangles):
    if (rays[:, 0] != rays[0, 0]).any():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    D = rays[:, 1]
    A, B, C = (triangles - rays[0, 0]).unbind(1)
    walls = [D @ torch.stack(cross(p.T, q.T)) for p, q in ((A, B), (B, C), (C, A))]
    normal = torch.linalg.cross(B - A, C - A)
    k = (normal * A).sum(1)
    inside = torch.stack([wall * k.sign() >= 0 for wall in walls]).all(0) & (k != 0)
    s = k / (D @ normal.T)
    s = torch.where(inside & (s > 0), s, math.inf).amin(1)
    return torch.where(s.isfinite(), s * D[:, 0], math.inf)

# %% numpy, in halves
def raytrace_mesh_shared_origin(rays, triangles):
    if len({tuple(origin) for origin in rays[:, 0].tolist()}) > 1:
        return raytrace_mesh_moller_trumbore(rays, triangles)
    corners = (triangles - rays[0, 0]).numpy()
    D = rays[:, 1].numpy()
    A, B, C = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(B - A, C - A)
    k = (normal * A).sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        nearness = D @ np.where(k == 0, 0, normal / k).T
    hit = np.ones_like(nearness, dtype=bool)
    for p, q in ((A, B), (B, C), (C, A)):
        hit &= D @ (np.sign(k) * np.cross(p, q)).T >= 0
    best = (nearness * hit).max(1)
    with np.errstate(divide="ignore"):
        return torch.from_numpy(np.where(best > 0, D[:, 0] / best, np.inf).astype(np.float32))

# %% one coordinate after the other
def enter_boxes(origins, directions, low, high):
    enter = torch.zeros(origins.shape[1])
    leave = torch.full_like(enter, math.inf)
    for o, d, lo, hi in zip(origins, directions, low, high):
        still = d == 0
        one, other = (lo - o) / d, (hi - o) / d
        enter = torch.where(still, enter, torch.maximum(enter, torch.minimum(one, other)))
        leave = torch.where(still, leave, torch.minimum(leave, torch.maximum(one, other)))
        leave = torch.where(still & ((o < lo) | (o > hi)), -1.0, leave)
    return torch.where(enter <= leave, enter, math.inf)

# %% a loop over the pairs
def enter_boxes(origins, directions, low, high):
    found = []
    for o, d, lo, hi in zip(*(part.T.tolist() for part in (origins, directions, low, high))):
        enter, leave = 0.0, math.inf
        for i in range(3):
            if d[i]:
                first, second = sorted([(lo[i] - o[i]) / d[i], (hi[i] - o[i]) / d[i]])
                enter, leave = max(enter, first), min(leave, second)
            elif not lo[i] <= o[i] <= hi[i]:
                leave = -1
        found.append(enter if enter <= leave else math.inf)
    return torch.tensor(found)

# %% a walk with a stack, ray by ray
def raytrace_hierarchy(rays, hierarchy):
    depths = torch.full((len(rays),), math.inf)
    for i, (O, D) in enumerate(rays):
        stack = [(0, 0)]
        best = torch.tensor(math.inf)
        while stack:
            level, box = stack.pop()
            part = slice(box, box + 1)
            low, high = hierarchy.low[level][:, part], hierarchy.high[level][:, part]
            if enter_boxes(O[:, None], D[:, None], low, high)[0] > best:
                continue
            if not enter_boxes(O[:, None], D[:, None], low, high).isfinite()[0]:
                continue
            if level + 1 < len(hierarchy.low):
                stack += [(level + 1, 2 * box), (level + 1, 2 * box + 1)]
            else:
                A, B, C = hierarchy.triangles[..., box].permute(1, 2, 0)
                s = moller_trumbore(O[:, None], D[:, None], A, B, C).amin()
                best = torch.minimum(best, s)
        if best.isfinite():
            depths[i] = best * D[0]
    return depths

# %% a table of rays and boxes at each level
def raytrace_hierarchy(rays, hierarchy):
    O, D = rays.permute(1, 2, 0)
    met = torch.ones(len(rays), 1, dtype=torch.bool)
    for level, (low, high) in enumerate(zip(hierarchy.low, hierarchy.high)):
        if level:
            met = met.repeat_interleave(2, dim=1)
        ray, box = met.nonzero(as_tuple=True)
        enter = enter_boxes(O[:, ray], D[:, ray], low[:, box], high[:, box])
        met[ray, box] = enter.isfinite()
    ray, leaf = met.nonzero(as_tuple=True)
    table = torch.full(met.shape, math.inf)
    for corners in hierarchy.triangles:
        A, B, C = corners[..., leaf]
        s = moller_trumbore(O[:, ray], D[:, ray], A, B, C)
        table[ray, leaf] = torch.minimum(table[ray, leaf], s)
    s = table.amin(1)
    return torch.where(s.isfinite(), s * D[0], math.inf)

# %% a product of both lists
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels_y)
    z = torch.linspace(-z_limit, z_limit, num_pixels_z)
    directions = torch.nn.functional.pad(torch.cartesian_prod(y, z), (1, 0), value=1.0)
    return torch.stack([torch.zeros_like(directions), directions], dim=1)

# %% Rodrigues' formula
def rotation_matrix(theta):
    k = torch.tensor([[0.0, 0, 1], [0, 0, 0], [-1, 0, 0]])
    return torch.eye(3) + torch.sin(theta) * k + (1 - torch.cos(theta)) * (k @ k)
