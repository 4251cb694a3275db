"""Make the duck of this folder: `python make.py` writes the other files anew.

The duck is a few closed shapes that run into each other, each a sphere pulled into form. It looks
along +x, y points up, and it is about two units long. Corners go around each triangle so that its
normal points outward.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

# Around and from pole to pole, for the shapes of the duck of 616 triangles.
_BODY, _HEAD, _BEAK, _WING, _EYE = (18, 8), (14, 8), (8, 3), (8, 4), (5, 3)

Points = np.ndarray
Form = Callable[[Points], Points]


def duck(detail: int = 1) -> np.ndarray:
    """Give the duck as triangles of three corners, float32 (n, 3, 3).

    Args:
        detail: Each step of the grid is cut into so many: 4 gives about 16 times the triangles.
    """
    parts = [
        _blob(_BODY, _body, detail),
        _blob(_HEAD, lambda p: p * (0.44, 0.43, 0.42) + (0.5, 0.37, 0.0), detail),
        _blob(_BEAK, _beak, detail),
    ]
    for side in (1.0, -1.0):
        parts.append(_blob(_WING, lambda p, side=side: _wing(p, side), detail))
        eye = np.array([0.8, 0.52, 0.25 * side])
        parts.append(_blob(_EYE, lambda p, eye=eye: 0.09 * p + eye, detail))
    return np.concatenate(parts).astype(np.float32)


def _body(p: Points) -> Points:
    x, y, z = p.T
    # The tail: behind the middle, the back rises to a point.
    tail = np.clip(-x - 0.35, 0, 1)
    flat = np.where(y < 0, 0.75, 1.0)
    width = 0.62 * (1 - 0.75 * np.clip(tail, 0, 1))
    return np.stack(
        [0.95 * x - 0.15, 0.55 * y * flat * (1 - 0.55 * tail) + 0.75 * tail - 0.38, width * z], 1
    )


def _beak(p: Points) -> Points:
    x, y, z = p.T
    forward = np.clip(x, 0, 1)
    return np.stack(
        [0.95 + 0.33 * x, 0.27 + 0.13 * y * (1 - 0.6 * forward) + 0.05 * forward, 0.25 * z], 1
    )


def _wing(p: Points, side: float) -> Points:
    x, y, z = p.T
    back = np.clip(-x, 0, 1)
    return np.stack(
        [0.45 * x - 0.25, 0.22 * y * (1 - 0.5 * back) + 0.2 * back - 0.26, 0.1 * z + 0.56 * side], 1
    ) - np.stack([0 * x, 0 * y, 0.14 * side * back], 1)


def _blob(steps: tuple[int, int], form: Form, detail: int) -> np.ndarray:
    """Cut a sphere into triangles and pull its corners into form."""
    around, down = steps[0] * detail, steps[1] * detail
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    tilt = np.linspace(0, np.pi, down + 1)[1:-1, None]
    rings = np.stack(
        np.broadcast_arrays(np.cos(tilt), np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn)),
        -1,
    )
    corners = form(np.concatenate([[[1.0, 0, 0]], rings.reshape(-1, 3), [[-1.0, 0, 0]]]))
    i = np.arange(around)
    j = (i + 1) % around
    faces = [np.stack([0 * i, 1 + i, 1 + j], 1)]
    for ring in range(down - 2):
        a, b = 1 + ring * around, 1 + (ring + 1) * around
        faces += [np.stack([a + i, b + i, b + j], 1), np.stack([a + i, b + j, a + j], 1)]
    last = len(corners) - 1
    faces.append(np.stack([last + 0 * i, last - around + j, last - around + i], 1))
    return corners[np.concatenate(faces)]


def turning_depths(n_frames: int = 36, n_pixels: int = 72) -> np.ndarray:
    """Give pictures of the duck's depth from three units away, (frames, y, z); nan for no hit."""
    y, z = np.meshgrid(*2 * [np.linspace(-0.45, 0.45, n_pixels)], indexing="ij")
    directions = np.stack([np.ones(n_pixels**2), y.ravel(), z.ravel()], 1)
    frames = []
    for turn in 2 * np.pi * np.arange(n_frames) / n_frames:
        cos, sin = np.cos(turn), np.sin(turn)
        turned = duck() @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T
        a, b, c = (turned + np.array([3.0, 0, 0])).transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        away = (a * normal).sum(1)
        side = np.where(away < 0, -1, 1)[:, None]
        walls = [directions @ (side * np.cross(p, q)).T for p, q in ((a, b), (b, c), (c, a))]
        nearness = np.where(np.min(walls, 0) >= 0, directions @ (normal / away[:, None]).T, 0).max(
            1
        )
        with np.errstate(divide="ignore"):
            frames.append(np.where(nearness > 0, 1 / nearness, np.nan).reshape(y.shape))
    return np.stack(frames)


def main() -> None:
    """Write the files."""
    import torch
    import trimesh

    triangles = duck()
    torch.save(torch.from_numpy(triangles), HERE / "duck.pt")
    mesh = trimesh.Trimesh(triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3))
    mesh.merge_vertices()
    mesh.export(HERE / "duck.stl")
    mesh.export(HERE / "duck.obj", header="A duck, made by make.py of this folder; CC0 1.0")
    depths = turning_depths()
    near, far = np.nanmin(depths), np.nanmax(depths)
    steps = np.nan_to_num((depths - near) / (far - near) * 254, nan=255).round().astype(np.uint8)
    np.savez_compressed(HERE / "turning_duck.npz", steps=steps, near=near, far=far)
    print(f"{len(triangles)} triangles, closed: {mesh.is_watertight}, volume {mesh.volume:.3f}")


if __name__ == "__main__":
    main()
