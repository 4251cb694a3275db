"""Draw the six digit pictures of 0.0 into `digits.npz`; run as a module to write it anew.

Each digit is a pen stroke of our own along lines and arcs, printed twice in two colours like a
poster whose plates slipped, so that the three colour channels show different shapes.
"""

import itertools
from pathlib import Path

import numpy as np

SIZE = 150
PEN = 10.5  # half the width of a stroke, in pixels
SLIP = (9.0, 7.0)  # of the second plate, to the right and down
GROUND = (24, 27, 38)
COLOURS = [  # the stroke, and its second plate
    ((255, 112, 84), (52, 84, 190)),
    ((255, 184, 60), (150, 40, 120)),
    ((120, 220, 110), (36, 96, 150)),
    ((70, 214, 224), (176, 54, 70)),
    ((120, 160, 255), (150, 92, 20)),
    ((226, 124, 240), (20, 118, 96)),
]

Stroke = list[tuple[float, float]]


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Give points of an ellipse's arc; degrees, clockwise from the right, y downwards."""
    angles = np.radians(np.linspace(start, end, 40))
    return [(x + rx * np.cos(a), y + ry * np.sin(a)) for a in angles]


STROKES: list[list[Stroke]] = [
    [arc(71, 71, 29, 42, 0, 360)],
    [[(50, 50), (75, 29), (75, 113)], [(52, 113), (98, 113)]],
    [[*arc(71, 54, 27, 25, 190, 390), (45, 113), (100, 113)]],
    [[*arc(69, 50, 25, 21, 200, 450), *arc(69, 92, 28, 21, 270, 510)]],
    [[(82, 113), (82, 29), (40, 88), (101, 88)]],
    [[(95, 29), (52, 29), (49, 65), *arc(69, 85, 28, 28, 235, 500)]],
]


def distance(stroke: Stroke, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the distance of each point to the nearest point of a stroke."""
    nearest = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf)
    for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
        dx, dy = x1 - x0, y1 - y0
        along = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9)
        along = np.clip(along, 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - x0 - along * dx, y - y0 - along * dy))
    return nearest


def digit(number: int) -> np.ndarray:
    """Give one picture, (3, SIZE, SIZE), from 0 to 255."""
    x, y = np.arange(SIZE) + 0.5, np.arange(SIZE)[:, None] + 0.5
    picture = np.broadcast_to(np.array(GROUND, float)[:, None, None], (3, SIZE, SIZE))
    front, behind = COLOURS[number]
    for colour, (right, down) in ((behind, SLIP), (front, (0.0, 0.0))):
        far = np.min([distance(s, x - right, y - down) for s in STROKES[number]], axis=0)
        ink = np.clip(PEN + 0.5 - far, 0, 1)  # a soft edge of one pixel
        picture = picture + ink * (np.array(colour, float)[:, None, None] - picture)
    return picture


def draw() -> np.ndarray:
    """Give all six pictures, (6, 3, SIZE, SIZE), as whole numbers from 0 to 255."""
    return np.stack([digit(i) for i in range(len(STROKES))]).round().astype(np.uint8)


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "exercises" / "part0_prereqs" / "digits.npz"
    np.savez_compressed(path, digits=draw())
    print(f"{path}: {path.stat().st_size} bytes")
