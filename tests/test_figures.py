"""The drawings of the pages are what their code draws, and read in both themes."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from arena_lab.paths import ROOT
from chapter0_fundamentals.instructions.figures import theme

MEDIA = ROOT / "chapter0_fundamentals" / "instructions" / "media"


@pytest.mark.slow
def test_drawing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    drawn = {path.relative_to(tmp_path): path.read_bytes() for path in theme.draw_all(tmp_path)}
    stored = {path.relative_to(MEDIA): path.read_bytes() for path in MEDIA.rglob("*.svg")}
    different = sorted(str(name) for name in drawn if drawn[name] != stored.get(name))
    assert different == [], "out of date; run: ./inv figures"
    assert sorted(str(name) for name in set(stored) - set(drawn)) == [], "no code draws these"


@pytest.mark.slow
def test_importing_a_drawing_leaves_the_environment_alone() -> None:
    # The notebooks import them beside what a learner runs.
    modules = sorted(path.stem for path in Path(theme.__file__).parent.glob("[a-z]*.py"))
    code = f"""
        import importlib, os
        before = dict(os.environ)
        for name in {modules}:
            importlib.import_module("chapter0_fundamentals.instructions.figures." + name)
            assert dict(os.environ) == before, name
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=True)


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["ink", "quiet", "forward", "back", "accent"])
def test_text_stands_out_from_what_is_behind_it(colours: theme.Theme, role: str) -> None:
    # 4.5 is what WCAG 2 asks for (success criterion 1.4.3); the site's own backgrounds.
    page = {"light": "#fffefc", "dark": "#17191c"}[colours.name]
    behind = {"page": page, "paper": colours.paper}
    if role in ("forward", "back", "accent"):
        behind["fill"] = colours[f"{role}_fill"]
    ratios = {name: contrast(colours[role], colour) for name, colour in behind.items()}
    assert min(ratios.values()) >= 4.5, ratios


@pytest.mark.parametrize("path", sorted(MEDIA.rglob("*.svg")), ids=lambda path: path.name)
def test_drawing_needs_nothing_from_outside(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # Text is drawn as paths, so no font is needed; links lead inside the file.
    assert "<text" not in text
    # Photographs and what networks draw are pictures inside the drawing.
    inside = ("#", "data:image/png;base64,")
    assert [
        link for link in re.findall(r'href="([^"]*)"', text) if not link.startswith(inside)
    ] == []


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
