"""Wrong answers that learners of 0.1 write; each cell's title is what its verdict must contain."""


def systems(rays, segments, sign=1, dim=-1):
    """Give u and v of all pairs, and which are singular; a sign or an axis may be wrong."""
    n_rays, n_segments = len(rays), len(segments)
    rays = einops.repeat(rays[..., :2], "r p d -> r s p d", s=n_segments)
    segments = einops.repeat(segments[..., :2], "s p d -> r s p d", r=n_rays)
    (O, D), (L1, L2) = rays.unbind(2), segments.unbind(2)
    matrices = torch.stack([D, sign * (L1 - L2)], dim=dim)
    singular = torch.linalg.det(matrices).abs() < 1e-8
    matrices[singular] = torch.eye(2)
    return *torch.linalg.solve(matrices, L1 - O).unbind(-1), singular


def solve(rays, triangles, sign=-1, dim=-1):
    """Give s, u and v of all pairs, and which are regular; a sign or an axis may be wrong."""
    O, D = (part[:, None] for part in rays.unbind(1))
    A, B, C = triangles.unbind(1)
    columns = torch.broadcast_tensors(sign * D, B - A, C - A)
    solutions, info = torch.linalg.solve_ex(torch.stack(columns, dim=dim), O - A)
    return *solutions.unbind(-1), info == 0


def meets(s, u, v, regular):
    """Tell which pairs meet."""
    return (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & regular


def light_up(rays, triangles, light, ambient, change=lambda lit: lit.clamp(min=0), missed=0.0,
             unit=True, turned=True):
    """Give brightnesses by Lambert's law; each step of it may be another one."""
    A, B, C = triangles.unbind(1)
    normals = torch.linalg.cross(B - A, C - A)
    if unit:
        normals = torch.nn.functional.normalize(normals, dim=-1)
    s, nearest = nearest_hits(rays, triangles)
    n = normals[nearest]
    if turned:
        n = torch.where((n * rays[:, 1]).sum(-1, keepdim=True) > 0, -n, n)
    return torch.where(s.isfinite(), ambient + change(-(n * light).sum(-1)), missed)

solutions_cases = hit_cases


def fused_cross(p, q):
    """Do what torch.linalg.cross does where the processor can: the second products are rounded,
    and the first ones are not."""
    first = p.double().roll(-1, 1) * q.double().roll(1, 1)
    return (first - p.roll(1, 1) * q.roll(-1, 1)).float()


def by_walls(rays, triangles, both_sides=True, nearest=lambda n: n.amax(1), behind=False,
             edge=0.0, edge_on=False, cross=lambda p, q: torch.stack(cross(p.T, q.T), dim=1)):
    """Trace by one matrix product; each step of it may be another one."""
    A, B, C = (triangles - rays[0, 0]).unbind(1)
    normal = torch.linalg.cross(B - A, C - A)
    k = (A * normal).sum(1, keepdim=True)
    side = torch.where((k < 0) & both_sides, -1.0, 1.0)
    D = rays[:, 1]
    walls = [side * cross(p, q) for p, q in ((A, B), (B, C), (C, A))]
    volumes = torch.stack([D @ wall.T for wall in walls])
    one_over_s = D @ (normal / k if edge_on else torch.where(k == 0, 0.0, normal / k)).T
    hit = (volumes >= edge).all(0) | behind & (volumes <= 0).all(0)
    one_over_s = nearest(torch.where(hit, one_over_s.abs() if behind else one_over_s, 0.0))
    return torch.where(one_over_s > 0, D[:, 0] / one_over_s, math.inf)


def walk(rays, hierarchy, halves=lambda box: torch.cat([2 * box, 2 * box + 1]), last=False,
         levels=lambda level, n: True, in_leaf=lambda corners: corners,
         missed=lambda s, x: torch.where(s.isfinite(), s * x, math.inf)):
    """Walk the hierarchy; each step of it may be another one."""
    O, D = rays.permute(1, 2, 0)
    ray = torch.arange(len(rays))
    box = torch.zeros_like(ray)
    for level, (low, high) in enumerate(zip(hierarchy.low, hierarchy.high)):
        if level:
            ray, box = torch.cat([ray, ray]), halves(box)
        if levels(level, len(hierarchy.low)):
            met = enter_boxes(O[:, ray], D[:, ray], low[:, box], high[:, box]).isfinite()
            ray, box = ray[met], box[met]
    nearest = torch.full((len(rays),), math.inf)
    for corners in in_leaf(hierarchy.triangles):
        s = moller_trumbore(O[:, ray], D[:, ray], *corners[..., box])
        if last:
            nearest[ray] = s
        else:
            nearest.scatter_reduce_(0, ray, s, "amin")
    return missed(nearest, D[0])


# %% y goes from
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = torch.linspace(y_limit, -y_limit, num_pixels)
    return rays

# %% the directions' x is 0
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 1] = torch.linspace(-y_limit, y_limit, num_pixels)
    return rays

# %% origin and direction are swapped
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 0, 0] = 1
    rays[:, 0, 1] = torch.linspace(-y_limit, y_limit, num_pixels)
    return rays

# %% y stops short of y_limit
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = torch.arange(num_pixels) * 2 * y_limit / num_pixels - y_limit
    return rays

# %% the origins must be zero
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[..., 0] = 1
    rays[:, 1, 1] = torch.linspace(-y_limit, y_limit, num_pixels)
    return rays

# %% the rays fan out along z
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 2] = torch.linspace(-y_limit, y_limit, num_pixels)
    return rays

# %% the shape is (2, 5, 3)
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(2, num_pixels, 3)
    rays[1, :, 0] = 1
    rays[1, :, 1] = torch.linspace(-y_limit, y_limit, num_pixels)
    return rays

# %% None
def make_rays_1d(num_pixels, y_limit):
    rays = torch.zeros(num_pixels, 2, 3)
    rays[:, 1, 0] = 1
    torch.linspace(-y_limit, y_limit, num_pixels, out=rays[:, 1, 1])

# %% the matrix is transposed
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L1 - L2], dim=0)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% this treats the ray as a line
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L1 - L2], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(0 <= v <= 1)

# %% this asks for u <= 1
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L1 - L2], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(0 <= u <= 1 and 0 <= v <= 1)

# %% singular though nothing is parallel here: are its columns D and L1 - L2?
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    u, v = torch.linalg.solve(torch.stack([D - O, L1 - L2], dim=1), L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% gave up on a singular matrix: a ray that is parallel is not met
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    u, v = torch.linalg.solve(torch.stack([D, L1 - L2], dim=1), L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% a sign in the matrix is wrong
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L2 - L1], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% an end point, which belongs to the segment
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L1 - L2], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(u > 0 and 0 < v < 1)

# %% do not subtract the origin
def intersect_ray_1d(ray, segment):
    (O, P), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([P - O, L1 - L2], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% parallel: there is no single solution
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L1 - L2], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return True
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% two unknowns take x and y alone
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray, segment
    u, v = torch.linalg.solve(torch.stack([D, L1 - L2], dim=1), L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% ask for each ray whether any segment is met
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return ((u >= 0) & (v >= 0) & (v <= 1) & ~singular).any(dim=0)

# %% this asks whether all segments are met
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return ((u >= 0) & (v >= 0) & (v <= 1) & ~singular).all(dim=1)

# %% one answer for each pair
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return (u >= 0) & (v >= 0) & (v <= 1) & ~singular

# %% a pair that has no single solution counts as a hit
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return (((u >= 0) & (v >= 0) & (v <= 1)) | singular).any(dim=1)

# %% singular though nothing is parallel here: are its columns D and L1 - L2?
def intersect_rays_1d(rays, segments):
    O, D = rays[:, None, :, :2].expand(-1, len(segments), -1, -1).unbind(2)
    L1, L2 = segments[None, :, :, :2].expand(len(rays), -1, -1, -1).unbind(2)
    u, v = torch.linalg.solve(torch.stack([D, D], dim=-1), L1 - O).unbind(-1)
    return ((u >= 0) & (v >= 0) & (v <= 1)).any(1)

# %% gave up on a singular matrix: a ray that is parallel is not met
def intersect_rays_1d(rays, segments):
    O, D = rays[:, None, :, :2].expand(-1, len(segments), -1, -1).unbind(2)
    L1, L2 = segments[None, :, :, :2].expand(len(rays), -1, -1, -1).unbind(2)
    u, v = torch.linalg.solve(torch.stack([D, L1 - L2], dim=-1), L1 - O).unbind(-1)
    return ((u >= 0) & (v >= 0) & (v <= 1)).any(dim=1)

# %% this treats the ray as a line
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return ((v >= 0) & (v <= 1) & ~singular).any(dim=1)

# %% a sign in the matrix is wrong
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments, sign=-1)
    return ((u >= 0) & (v >= 0) & (v <= 1) & ~singular).any(dim=1)

# %% the matrix is transposed
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments, dim=-2)
    return ((u >= 0) & (v >= 0) & (v <= 1) & ~singular).any(dim=1)

# %% a ray that is parallel to one segment may still meet another
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return ((u >= 0) & (v >= 0) & (v <= 1)).any(dim=1) & ~singular.any(dim=1)

# %% changed its argument
def intersect_rays_1d(rays, segments):
    origin = rays[:, :1, :2]
    segments[..., :2] += 0.001
    u, v, singular = systems(rays, segments)
    return ((u >= 0) & (v >= 0) & (v <= 1) & ~singular).any(dim=1)

# %% the pairs stand in the wrong order
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    hits = (u >= 0) & (v >= 0) & (v <= 1) & ~singular
    return hits.T.reshape(len(rays), len(segments)).any(dim=1)

# %% y changes fastest
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels_y)
    z = torch.linspace(-z_limit, z_limit, num_pixels_z)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = einops.repeat(y, "y -> (z y)", z=num_pixels_z)
    rays[:, 1, 2] = einops.repeat(z, "z -> (z y)", y=num_pixels_y)
    return rays

# %% every y must meet every z
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels_y)
    z = torch.linspace(-z_limit, z_limit, num_pixels_z)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = einops.repeat(y, "y -> (z y)", z=num_pixels_z)
    rays[:, 1, 2] = einops.repeat(z, "z -> (y z)", y=num_pixels_y)
    return rays

# %% y and z stand in each other's place
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels_y)
    z = torch.linspace(-z_limit, z_limit, num_pixels_z)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 2] = einops.repeat(y, "y -> (y z)", z=num_pixels_z)
    rays[:, 1, 1] = einops.repeat(z, "z -> (y z)", y=num_pixels_y)
    return rays

# %% the limits of y and z are swapped
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-z_limit, z_limit, num_pixels_y)
    z = torch.linspace(-y_limit, y_limit, num_pixels_z)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = einops.repeat(y, "y -> (y z)", z=num_pixels_z)
    rays[:, 1, 2] = einops.repeat(z, "z -> (y z)", y=num_pixels_y)
    return rays

# %% merge them into one of 6 rays
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    rays = torch.zeros(num_pixels_y, num_pixels_z, 2, 3)
    rays[:, :, 1, 0] = 1
    rays[:, :, 1, 1] = torch.linspace(-y_limit, y_limit, num_pixels_y)[:, None]
    rays[:, :, 1, 2] = torch.linspace(-z_limit, z_limit, num_pixels_z)
    return rays

# %% the numbers of rows and columns are swapped
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels_z)
    z = torch.linspace(-z_limit, z_limit, num_pixels_y)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 0] = 1
    rays[:, 1, 1] = einops.repeat(y, "y -> (y z)", z=num_pixels_y)
    rays[:, 1, 2] = einops.repeat(z, "z -> (y z)", y=num_pixels_z)
    return rays

# %% the directions' x is 0
def make_rays_2d(num_pixels_y, num_pixels_z, y_limit, z_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels_y)
    z = torch.linspace(-z_limit, z_limit, num_pixels_z)
    rays = torch.zeros(num_pixels_y * num_pixels_z, 2, 3)
    rays[:, 1, 1] = einops.repeat(y, "y -> (y z)", z=num_pixels_z)
    rays[:, 1, 2] = einops.repeat(z, "z -> (y z)", y=num_pixels_y)
    return rays

# %% this treats the ray as a line
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(u >= 0 and v >= 0 and u + v <= 1)

# %% this is the parallelogram
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and 0 <= u <= 1 and 0 <= v <= 1)

# %% the matrix is transposed
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A])
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% a sign in the matrix is wrong
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% the unknowns come in the order s, u, v
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    u, v, s = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% singular though nothing is parallel here: are its columns -D, B - A and C - A?
def triangle_ray_intersects(A, B, C, O, D):
    s, u, v = torch.linalg.solve(torch.stack([-D, B - A, B - A], dim=1), O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% gave up on a singular matrix: a ray that is parallel is not met
def triangle_ray_intersects(A, B, C, O, D):
    s, u, v = torch.linalg.solve(torch.stack([-D, B - A, C - A], dim=1), O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% the edges are B - A and C - A
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B, C], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% the right side has the wrong sign
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, A - O)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% which belongs to the triangle
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix).abs() < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u > 0 and v > 0 and u + v < 1)

# %% this treats the ray as a line
def raytrace_triangle(rays, triangle):
    s, u, v, regular = (part[:, 0] for part in solve(rays, triangle[None]))
    return (u >= 0) & (v >= 0) & (u + v <= 1) & regular

# %% this is the parallelogram
def raytrace_triangle(rays, triangle):
    s, u, v, regular = (part[:, 0] for part in solve(rays, triangle[None]))
    return (s >= 0) & (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1) & regular

# %% the matrix is transposed
def raytrace_triangle(rays, triangle):
    return meets(*(part[:, 0] for part in solve(rays, triangle[None], dim=-2)))

# %% edges and corners belong to the triangle
def raytrace_triangle(rays, triangle):
    s, u, v, regular = (part[:, 0] for part in solve(rays, triangle[None]))
    return (s >= 0) & (u > 0) & (v > 0) & (u + v < 1) & regular

# %% singular though nothing is parallel here: are its columns -D, B - A and C - A?
def raytrace_triangle(rays, triangle):
    O, D = rays.unbind(1)
    A, B, C = triangle.expand(len(rays), -1, -1).unbind(1)
    s, u, v = torch.linalg.solve(torch.stack([-D, B - A, B - A], dim=-1), O - A).unbind(-1)
    return (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)

# %% gave up on a singular matrix: a ray that is parallel is not met
def raytrace_triangle(rays, triangle):
    O, D = rays.unbind(1)
    A, B, C = triangle.expand(len(rays), -1, -1).unbind(1)
    s, u, v = torch.linalg.solve(torch.stack([-D, B - A, C - A], dim=-1), O - A).unbind(-1)
    return (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)

# %% the shape is (18, 1); it must be (18,)
def raytrace_triangle(rays, triangle):
    return meets(*solve(rays, triangle[None]))

# %% a ray that is parallel to the triangle counts as a hit
def raytrace_triangle(rays, triangle):
    s, u, v, regular = (part[:, 0] for part in solve(rays, triangle[None]))
    return meets(s, u, v, regular) | ~regular

# %% D is a direction, not a point
def raytrace_triangle(rays, triangle):
    return meets(*(part[:, 0] for part in solve(rays - rays[:, :1] * torch.tensor([[[0.0]], [[1.0]]])[None, :, :, 0], triangle[None])))

# %% u + v must not be more than 1
def raytrace_triangle(rays, triangle):
    s, u, v, regular = (part[:, 0] for part in solve(rays, triangle[None]))
    return (s >= 0) & (u >= 0) & (v >= 0) & regular

# %% this is s; the depth is s times the direction's x
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    return torch.where(meets(s, u, v, regular), s, math.inf).amin(1)

# %% this is the length of the way
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    return torch.where(meets(s, u, v, regular), s, math.inf).amin(1) * rays[:, 1].norm(dim=1)

# %% this is the farthest hit
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    hit = meets(s, u, v, regular)
    farthest = torch.where(hit, s, -math.inf).amax(1) * rays[:, 1, 0]
    return torch.where(hit.any(1), farthest, math.inf)

# %% the least s times x is the farthest hit
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    return torch.where(meets(s, u, v, regular), s * rays[:, 1, :1], math.inf).amin(1)

# %% the minimum is over the wrong axis
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    return torch.where(meets(s, u, v, regular), s * rays[:, 1, :1], math.inf).amin(0)

# %% where nothing is hit the depth is infinity, not nan
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    s = torch.where(meets(s, u, v, regular), s, math.inf).amin(1)
    return torch.where(s.isfinite(), s * rays[:, 1, 0], math.nan)

# %% 0 times infinity is nan
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    return torch.where(meets(s, u, v, regular), s, math.inf).amin(1) * rays[:, 1, 0]

# %% a product with False is not nothing
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    return (s * meets(s, u, v, regular)).amin(1) * rays[:, 1, 0]

# %% the first triangle of the mesh that is hit
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    hit = meets(s, u, v, regular)
    depth = (s * rays[:, 1, :1]).gather(1, hit.int().argmax(1, keepdim=True))[:, 0]
    return torch.where(hit.any(1), depth, math.inf)

# %% gave up on a singular matrix
def raytrace_mesh(rays, triangles):
    O, D = (part[:, None] for part in rays.unbind(1))
    A, B, C = triangles.unbind(1)
    matrices = torch.stack(torch.broadcast_tensors(-D, B - A, C - A), dim=-1)
    s, u, v = torch.linalg.solve(matrices, O - A).unbind(-1)
    hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return torch.where(hit, s * rays[:, 1, :1], math.inf).amin(1)

# %% the depth is measured from the origin
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    s = torch.where(meets(s, u, v, regular), s, math.inf).amin(1)
    return rays[:, 0, 0] + torch.where(s.isfinite(), s * rays[:, 1, 0], math.inf)

# %% this treats the ray as a line
def raytrace_mesh(rays, triangles):
    s, u, v, regular = solve(rays, triangles)
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & regular
    return torch.where(hit, s * rays[:, 1, :1], math.inf).amin(1)

# %% it turns the other way
def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    return torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]])

# %% it turns around the z axis
def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]])

# %% it turns around the x axis
def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    return torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]])

# %% the middle is not 1
def rotation_matrix(theta):
    matrix = torch.zeros(3, 3)
    matrix[0, 0] = matrix[2, 2] = theta.cos()
    matrix[0, 2], matrix[2, 0] = theta.sin(), -theta.sin()
    return matrix

# %% both sines have the same sign
def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    return torch.tensor([[c, 0, s], [0, 1, 0], [s, 0, c]])

# %% the angle is in radians
def rotation_matrix(theta):
    c, s = theta.deg2rad().cos(), theta.deg2rad().sin()
    return torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])

# %% cosine and sine are swapped
def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    return torch.tensor([[s, 0, c], [0, 1, 0], [-c, 0, s]])

# %% the shape is (9,)
def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    return torch.tensor([c, 0, s, 0, 1, 0, -s, 0, c])

# %% there is no GPU on this machine
def raytrace_mesh_gpu(rays, triangles):
    return raytrace_mesh(rays.cuda(), triangles.cuda()).cpu()

# %% there is no GPU on this machine
def raytrace_mesh_gpu(rays, triangles):
    device = torch.device("cuda")
    return raytrace_mesh(rays.to(device), triangles.to(device)).to("cpu")

# %% None
def raytrace_mesh_gpu(rays, triangles):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    raytrace_mesh(rays.to(device), triangles.to(device)).cpu()

# %% bring the result back to the CPU
def raytrace_mesh_gpu(rays, triangles):
    return raytrace_mesh(rays, triangles).to("meta")

# %% there is no GPU on this machine
def raytrace_mesh_gpu(rays, triangles):
    device = "cuda" if torch.cuda.is_available else "cpu"
    return raytrace_mesh(rays.to(device), triangles.to(device)).cpu()

# %% nothing is sent to the GPU
def raytrace_mesh_gpu(rays, triangles):
    return raytrace_mesh(rays, triangles)

# %% bring the result back to the CPU
def raytrace_mesh_gpu(rays, triangles):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return raytrace_mesh(rays.to(device), triangles.to(device))

# %% only one of its tensors is sent to the GPU
def raytrace_mesh_gpu(rays, triangles):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return raytrace_mesh(rays.to(device), triangles).cpu()

# %% numpy
def raytrace_mesh_gpu(rays, triangles):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return raytrace_mesh(rays.to(device), triangles.to(device)).cpu().numpy()

# %% nothing is sent to the GPU
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, ambient_intensity)

# %% bring the result back to the CPU
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    device = device if torch.cuda.is_available() else "cpu"
    return light_up(rays.to(device), triangles.to(device), light.to(device), ambient_intensity)

# %% -n·light
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, -light, ambient_intensity)

# %% turn the normal to the side that is seen
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, ambient_intensity, turned=False)

# %% the normal is not scaled to length 1
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, ambient_intensity, unit=False)

# %% clamp at 0, no absolute value
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, ambient_intensity, torch.abs)

# %% gets less than the ambient light: clamp at 0
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, ambient_intensity, lambda lit: lit)

# %% the ambient light is missing
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, 0.0)

# %% where nothing is hit it is dark: 0, not the ambient light
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light, ambient_intensity, missed=ambient_intensity)

# %% the light is scaled to length 1
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    return light_up(rays, triangles, light / light.norm(), ambient_intensity)

# %% the default device is "cuda"
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    rays, triangles, light = (part.to(device) for part in (rays, triangles, light))
    return light_up(rays, triangles, light, ambient_intensity).cpu()

# %% changed its argument
def raytrace_mesh_lambert(rays, triangles, light, ambient_intensity, device="cuda"):
    light *= -1
    return light_up(rays, triangles, -light, ambient_intensity)

# %% takes the ray for a line
def hit_cases():
    triangle = torch.tensor([[1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, 1.0]])
    targets = {(1.0, -0.5, -0.5): True, (1.0, 0.0, 0.0): True, (1.0, 2.0, 2.0): False}
    return [(torch.tensor([[0.0, 0, 0], to]), triangle, hit) for to, hit in targets.items()]

# %% hit_cases gives no cases
def hit_cases():
    return []

# %% hit_cases returned None
def hit_cases():
    cases = []
    cases.append((torch.zeros(2, 3), torch.zeros(3, 3), False))

# %% the right answer is False
def hit_cases():
    triangle = torch.tensor([[1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, 1.0]])
    return [(torch.tensor([[0.0, 0, 0], [-1.0, 0.5, 0.5]]), triangle, True)]

# %% must be a ray of shape (2, 3)
def hit_cases():
    triangle = torch.tensor([[1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, 1.0]])
    return [(triangle, torch.tensor([[0.0, 0, 0], [1.0, -0.5, -0.5]]), True)]

# %% parallel to the triangle
def hit_cases():
    return [case for case in solutions_cases() if abs(case[0][1, 0]) > 1e-6]

# %% takes every ray to start at (0, 0, 0)
def hit_cases():
    return [case for case in solutions_cases() if case[0][0].abs().sum() == 0]

# %% leaves out edges and corners
def hit_cases():
    cases = solutions_cases()
    return cases[:2] + cases[4:]

# %% s has the wrong sign
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, A - O
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, -dot(T, P) * scale, -dot(D, Q) * scale
    return torch.where((u >= 0) & (v >= 0) & (u + v <= 1) & (s <= 0), s, math.inf)

# %% this is u, not s
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    return torch.where((s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1), u, math.inf)

# %% where the triangle is not met it must be infinity
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    return dot(E2, cross(T, E1)) / dot(E1, cross(D, E2))

# %% this is the parallelogram
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    hit = (s >= 0) & (u >= 0) & (v >= 0) & (u <= 1) & (v <= 1)
    return torch.where(hit, s, math.inf)

# %% this treats the ray as a line
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    return torch.where((u >= 0) & (v >= 0) & (u + v <= 1), s, math.inf)

# %% ask whether it is inside, not whether it is outside
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    missed = (s < 0) | (u < 0) | (v < 0) | (u + v > 1)
    return torch.where(missed, math.inf, s)

# %% this is the depth; give s itself
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return torch.where(hit, s * D[0], math.inf)

# %% triangles are seen from one side only
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    det = dot(E1, P)
    s, u, v = dot(E2, Q) / det, dot(T, P) / det, dot(D, Q) / det
    hit = (det > 1e-6) & (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return torch.where(hit, s, math.inf)

# %% a cross product is the wrong way round
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(E2, D), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return torch.where(hit, s, math.inf)

# %% T has the wrong sign
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, A - O
    P, Q = cross(D, E2), cross(T, E1)
    scale = 1 / dot(E1, P)
    s, u, v = dot(E2, Q) * scale, dot(T, P) * scale, dot(D, Q) * scale
    hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    return torch.where(hit, s, math.inf)


# %% triangles are seen from one side only
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles, both_sides=False)

# %% all rays are taken to start where the first one does
def raytrace_mesh_shared_origin(rays, triangles):
    return by_walls(rays, triangles)

# %% the nearest hit has the largest 1/s
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles, nearest=lambda n: n.amin(1))

# %% this is s; the depth is s times the direction's x
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles) / rays[:, 1, 0]

# %% a triangle behind the ray counts as if it were before it
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles, behind=True)

# %% subtract the origin of the rays from all corners
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    at_zero = rays.clone()
    at_zero[:, 0] = 0
    return by_walls(at_zero, triangles)

# %% rays slip through the edge that two triangles share
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles, edge=1e-6)

# %% torch.linalg.cross may round a × b
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles, cross=fused_cross)

# %% a triangle with k = 0 must not bring nan
def raytrace_mesh_shared_origin(rays, triangles):
    if not (rays[:, 0] == rays[0, 0]).all():
        return raytrace_mesh_moller_trumbore(rays, triangles)
    return by_walls(rays, triangles, edge_on=True)

# %% the ray enters
def enter_boxes(origins, directions, low, high):
    one, other = (low - origins) / directions, (high - origins) / directions
    enter = torch.minimum(one, other).nan_to_num(-math.inf, math.inf, -math.inf).amin(dim=0)
    leave = torch.maximum(one, other).nan_to_num(math.inf, math.inf, -math.inf).amax(dim=0)
    enter = enter.clamp(min=0)
    return torch.where(enter <= leave, enter, math.inf)

# %% comes from the other side
def enter_boxes(origins, directions, low, high):
    enter = ((low - origins) / directions).nan_to_num(-math.inf, math.inf, -math.inf).amax(dim=0)
    leave = ((high - origins) / directions).nan_to_num(math.inf, math.inf, -math.inf).amin(dim=0)
    enter = enter.clamp(min=0)
    return torch.where(enter <= leave, enter, math.inf)

# %% the box is behind the ray
def enter_boxes(origins, directions, low, high):
    one, other = (low - origins) / directions, (high - origins) / directions
    enter = torch.minimum(one, other).nan_to_num(-math.inf, math.inf, -math.inf).amax(dim=0)
    leave = torch.maximum(one, other).nan_to_num(math.inf, math.inf, -math.inf).amin(dim=0)
    return torch.where(enter <= leave, enter.clamp(min=0), math.inf)

# %% the ray starts inside the box
def enter_boxes(origins, directions, low, high):
    one, other = (low - origins) / directions, (high - origins) / directions
    enter = torch.minimum(one, other).nan_to_num(-math.inf, math.inf, -math.inf).amax(dim=0)
    leave = torch.maximum(one, other).nan_to_num(math.inf, math.inf, -math.inf).amin(dim=0)
    return torch.where((enter <= leave) & (leave >= 0), enter, math.inf)

# %% the ray runs in the face
def enter_boxes(origins, directions, low, high):
    one, other = (low - origins) / directions, (high - origins) / directions
    enter = torch.minimum(one, other).amax(dim=0).clamp(min=0)
    leave = torch.maximum(one, other).amin(dim=0)
    return torch.where(enter <= leave, enter, math.inf)

# %% the ray passes above
def enter_boxes(origins, directions, low, high):
    one, other = (low - origins) / directions, (high - origins) / directions
    enter = torch.minimum(one, other).nan_to_num(-math.inf, math.inf, -math.inf).amax(dim=0)
    leave = torch.maximum(one, other).nan_to_num(math.inf, math.inf, -math.inf).amin(dim=0)
    return torch.where(leave >= 0, enter.clamp(min=0), math.inf)

# %% they must be floating-point
def enter_boxes(origins, directions, low, high):
    one, other = (low - origins) / directions, (high - origins) / directions
    enter = torch.minimum(one, other).nan_to_num(-math.inf, math.inf, -math.inf).amax(dim=0)
    leave = torch.maximum(one, other).nan_to_num(math.inf, math.inf, -math.inf).amin(dim=0)
    return enter.clamp(min=0) <= leave

# %% box i holds the boxes 2i and 2i + 1
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy, halves=lambda box: torch.cat([box, box + 1]))

# %% this is s; the depth is s times the direction's x
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy) / rays[:, 1, 0]

# %% the farthest hit, or the last that was looked at
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy, last=True)

# %% those of level 1 are not tested
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy, levels=lambda level, n: level in (0, n - 1))

# %% those of level 2 are not tested
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy, levels=lambda level, n: level < n - 1)

# %% not infinity times x, which is nan for 0
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy, missed=lambda s, x: s * x)

# %% or the first triangle of each
def raytrace_hierarchy(rays, hierarchy):
    return walk(rays, hierarchy, in_leaf=lambda corners: corners[:1])

# %% a negative determinant is taken for 0: compare its absolute value
def triangle_ray_intersects(A, B, C, O, D):
    matrix = torch.stack([-D, B - A, C - A], dim=1)
    if torch.linalg.det(matrix) < 1e-8:
        return False
    s, u, v = torch.linalg.solve(matrix, O - A)
    return bool(s >= 0 and u >= 0 and v >= 0 and u + v <= 1)

# %% a negative determinant is taken for 0: compare its absolute value
def intersect_ray_1d(ray, segment):
    (O, D), (L1, L2) = ray[:, :2], segment[:, :2]
    matrix = torch.stack([D, L1 - L2], dim=1)
    if torch.linalg.det(matrix) < 1e-8:
        return False
    u, v = torch.linalg.solve(matrix, L1 - O)
    return bool(u >= 0 and 0 <= v <= 1)

# %% for each element use &, | and ~
def intersect_rays_1d(rays, segments):
    u, v, singular = systems(rays, segments)
    return (u >= 0 and v >= 0 and v <= 1 and not singular).any(dim=1)

# %% the result is a list, not a torch.Tensor
def intersect_rays_1d(rays, segments):
    return [any(intersect_ray_1d(ray, segment) for segment in segments) for ray in rays]

# %% finite where infinity is expected
def moller_trumbore(O, D, A, B, C):
    E1, E2, T = B - A, C - A, O - A
    P, Q = cross(D, E2), cross(T, E1)
    det = dot(E1, P)
    s, u, v = dot(E2, Q) / det, dot(T, P) / det, dot(D, Q) / det
    return torch.where((s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1), s, 1e9)

# %% the shape is (5, 3); it must be (5, 2, 3)
def make_rays_1d(num_pixels, y_limit):
    y = torch.linspace(-y_limit, y_limit, num_pixels)
    return torch.stack([torch.ones(num_pixels), y, torch.zeros(num_pixels)], dim=1)
