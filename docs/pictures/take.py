"""Take the README's pictures anew: `python docs/pictures/take.py`. Needs Chromium.

Both show the real thing, in a copy of the checkout where answers of 0.4 have been begun and one
of them is wrong.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import instructions  # noqa: E402

from arena_lab import catalogue, pages  # noqa: E402
from arena_lab.site import links  # noqa: E402

# The mistake of the picture: the gradient keeps the shape of the output.
MISTAKE = ("    return unbroadcast(grad_out * y, x)", "    return grad_out * y")
EXERCISE = "multiply_back0"
STOP_BEFORE = "def forward_and_back"
COLUMNS = 96


def main() -> None:
    """Take both."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = copy_checkout(Path(folder) / "lab")
        begin(root / "chapter0_fundamentals/exercises/part4_backprop")
        command = f"{sys.executable} -m invoke test --section 0.4"
        output = run(root, command)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        terminal(browser, "$ ./inv test --section 0.4\n" + shorten(output), HERE / "verdict.png")
        page(browser, root, HERE / "page.png")
        browser.close()


def copy_checkout(to: Path) -> Path:
    """Copy what is under version control, and nothing of a learner's."""
    names = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, names.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    return to


def begin(section: Path) -> None:
    """Write the first answers of a section: ours, and one of them wrong."""
    solutions = (section / "solutions.py").read_text()
    starters = (section / "answers.py").read_text()
    right, wrong = MISTAKE
    if right not in solutions or STOP_BEFORE not in solutions:
        raise SystemExit("the solutions of 0.4 have changed: mend MISTAKE or STOP_BEFORE")
    written = solutions[: solutions.index(STOP_BEFORE)].replace(right, wrong, 1)
    written = re.sub(r".*### (BEGIN|END) SOLUTION\n", "", written)
    (section / "answers.py").write_text(written + starters[starters.index(STOP_BEFORE) :])


def run(root: Path, command: str) -> str:
    """Give what a command prints in a terminal."""
    env = os.environ | environment(root) | {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"}
    done = subprocess.run(command.split(), cwd=root, env=env, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def environment(root: Path) -> dict[str, str]:
    """Give the variables that let the engine work on a copy."""
    path = f"{root}:{root}/chapter0_fundamentals/exercises"
    return {"PYTHONPATH": path, "ARENA_LAB_ROOT": str(root)}


def shorten(output: str) -> str:
    """Leave out the progress bar, and all but two of the exercises that were not started."""
    rows = output.splitlines()
    rows = rows[max(i for i, row in enumerate(rows) if "━" in row) + 1 :]
    idle = [i for i, row in enumerate(rows) if Text.from_ansi(row).plain.startswith("·")]
    return "\n".join([*rows[: idle[1] + 1], "   …", *rows[idle[-1] + 1 :]])


def terminal(browser: Browser, output: str, to: Path) -> None:
    """Draw coloured output as a terminal shows it."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(output), soft_wrap=True)
    html = console.export_html(
        theme=MONOKAI,
        inline_styles=True,
        code_format="""<body style="margin:0"><pre style="display:inline-block; margin:0;
            padding:18px 22px; background:{background}; color:{foreground};
            font:15px/1.35 'DejaVu Sans Mono', monospace">{code}</pre></body>""",
    )
    sheet = browser.new_page(viewport={"width": 1100, "height": 400})
    sheet.set_content(html)
    sheet.locator("pre").screenshot(path=to)
    sheet.close()


def page(browser: Browser, root: Path, to: Path) -> None:
    """Photograph the page of the exercise that went wrong."""
    section = catalogue.find_section("0.4")
    address = links.to_exercise(section, pages.parse(section.page), EXERCISE)
    os.environ.update(environment(root))
    os.chdir(root)
    instructions.HOME = root / instructions.HOME.relative_to(ROOT)
    with instructions.server() as url:
        sheet = browser.new_page(viewport={"width": 1280, "height": 860})
        sheet.goto(f"{url}{address}")
        sheet.wait_for_selector(f"#{links.anchor_of(EXERCISE)}")
        sheet.wait_for_timeout(2000)  # for fonts, figures and the way down to the card
        sheet.screenshot(path=to)
        sheet.close()


if __name__ == "__main__":
    main()
