"""Two themes, and a board to draw on in inches: what the figures of all pages have in common.

A figure is a function of the theme; blue is what goes forward, orange what comes back.
"""

import importlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from arena_lab import pages

Point = tuple[float, float]


@dataclass(frozen=True)
class Theme:
    """Colours by their role. Blue and orange stay apart for colour-blind eyes."""

    name: str
    ink: str
    quiet: str
    line: str
    paper: str
    forward: str
    forward_fill: str
    back: str
    back_fill: str
    accent: str
    accent_fill: str

    def __getitem__(self, role: str) -> str:
        return getattr(self, role)


LIGHT = Theme(
    name="light",
    ink="#26282b",
    quiet="#66645e",
    line="#b9b4a8",
    paper="#f5f3ee",
    forward="#2563b8",
    forward_fill="#e1ebf9",
    back="#a34806",
    back_fill="#fce8d8",
    accent="#0f6b62",
    accent_fill="#dbefec",
)
DARK = Theme(
    name="dark",
    ink="#dedcd6",
    quiet="#a09d96",
    line="#5b6169",
    paper="#22252a",
    forward="#7fb0f0",
    forward_fill="#1d2c42",
    back="#f0a35e",
    back_fill="#3d2a18",
    accent="#6fd0c3",
    accent_fill="#16332f",
)

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "mathtext.fontset": "cm",
    "svg.fonttype": "path",
    "svg.hashsalt": "arena-lab",
}


class Board:
    """A drawing of so many inches, transparent, with its origin at the lower left.

    A phone shows five inches at three quarters of their size: keep to widths up to 5.2 and text
    from 10 points.
    """

    def __init__(self, theme: Theme, width: float, height: float) -> None:
        self.theme = theme
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: str = "ink",
        size: float = 11,
        ha: str = "center",
        bold: bool = False,
        code: bool = False,
    ) -> None:
        """Write text, centred on its height."""
        self.axes.text(
            x,
            y,
            text,
            color=self.theme[color],
            fontsize=size,
            ha=ha,
            va="center",
            weight="bold" if bold else "normal",
            family="DejaVu Sans Mono" if code else "DejaVu Sans",
            linespacing=1.35,
            zorder=4,
        )

    def node(
        self,
        x: float,
        y: float,
        label: str = "",
        color: str = "ink",
        fill: str = "paper",
        radius: float = 0.27,
        size: float = 14,
    ) -> None:
        """Draw a circle with a label."""
        self.axes.add_patch(
            Circle((x, y), radius, fc=self.theme[fill], ec=self.theme[color], lw=1.3, zorder=3)
        )
        self.text(x, y - 0.01, label, color, size)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        label: str = "",
        color: str = "ink",
        fill: str = "paper",
        size: float = 11,
        bold: bool = False,
        code: bool = False,
        dashed: bool = False,
    ) -> None:
        """Draw a rounded box around its centre."""
        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.07",
                fc=self.theme[fill],
                ec=self.theme[color],
                lw=1.3,
                ls="--" if dashed else "-",
                zorder=2,
            )
        )
        self.text(x, y - 0.01, label, color, size, bold=bold, code=code)

    def arrow(
        self,
        start: Point,
        end: Point,
        color: str = "forward",
        bend: float = 0.0,
        gap: float | tuple[float, float] = 0.34,
        width: float = 1.6,
        dashed: bool = False,
    ) -> None:
        """Draw an arrow that keeps `gap` inches from its ends; `bend` bows it to its right."""
        gaps = gap if isinstance(gap, tuple) else (gap, gap)
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>,head_length=0.45,head_width=0.22",
                mutation_scale=14,
                connectionstyle=f"arc3,rad={bend}",
                shrinkA=72 * gaps[0],
                shrinkB=72 * gaps[1],
                lw=width,
                ls=(0, (3, 2)) if dashed else "-",
                color=self.theme[color],
                joinstyle="miter",
                zorder=3,
            )
        )

    def line(self, points: Sequence[Point], color: str = "line", width: float = 1.3) -> None:
        """Draw straight lines from point to point."""
        self.axes.plot(*zip(*points, strict=True), color=self.theme[color], lw=width, zorder=2)

    def cells(
        self,
        x: float,
        y: float,
        rows: Sequence[Sequence[object]],
        color: str = "forward",
        fill: str = "forward_fill",
        size: float = 0.42,
        font: float = 11,
    ) -> None:
        """Draw an array of numbers with its upper left corner at (x, y)."""
        edge, inside = self.theme[color], self.theme[fill]
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                left, bottom = x + j * size, y - (i + 1) * size
                cell = Rectangle((left, bottom), size, size, fc=inside, ec=edge, lw=1, zorder=2)
                self.axes.add_patch(cell)
                middle = left + size / 2, bottom + size / 2 - 0.01
                self.text(*middle, f"{value}", color, font)


Draw = Callable[[Theme], Figure]


def save(draw: Draw, theme: Theme, path: Path) -> None:
    """Write a figure as SVG, the same bytes each time."""
    with matplotlib.rc_context(_STYLE):
        figure = draw(theme)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(path, format="svg", transparent=True, metadata=nothing)


def as_png(draw: Draw, theme: Theme) -> bytes:
    """Give a figure on paper as PNG, for readers that show no SVG."""
    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        paper = "white" if theme is LIGHT else "#14161a"
        draw(theme).savefig(file, format="png", dpi=110, facecolor=paper)
    return file.getvalue()


def draw_all(media: Path) -> list[Path]:
    """Draw the figures of every section, each into the folder of `media` named by its number."""
    here = Path(__file__).parent
    written = []
    for path in sorted(here.parent.glob("pages/*.md")):
        meta = pages.parse(path).meta
        if not (here / f"{meta['exercises']}.py").exists():
            continue
        module = importlib.import_module(f"{__package__}.{meta['exercises']}")
        folder = media / str(meta["section"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in module.FIGURES.items():
            for theme in (LIGHT, DARK):
                written.append(folder / f"{name}.{theme.name}.svg")
                save(draw, theme, written[-1])
    return written
