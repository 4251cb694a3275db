"""Take the README's pictures anew: `python docs/pictures/take.py`. Needs Chromium.

All show the real thing, in a copy of the checkout where answers of 0.4 have been begun and one
of them is wrong. `--all FOLDER` takes what else a learner sees, at two widths and in both colour
modes, for somebody to look at: home, a page of each section, cards in every state, JupyterLab.
"""

import argparse
import contextlib
import io
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import grading  # noqa: E402
import instructions  # noqa: E402

from arena_lab import catalogue, pages  # noqa: E402
from arena_lab.site import links  # noqa: E402

# The mistake of the picture: the gradient keeps the shape of the output.
MISTAKE = ("    return unbroadcast(grad_out * y, x)", "    return grad_out * y")
EXERCISE = "multiply_back0"
STOP_BEFORE = "def forward_and_back"
COLUMNS = 96


WIDTHS = {1440: 900, 390: 844}
SCHEMES = ("light", "dark")

# What a card can say, with the words of arena_lab/checking.py.
STATES = {
    "not-started": ("not started", ""),
    "passed": ("passed", ""),
    "failed": ("failed", "The gradient has the shape of the output, (3, 2); x has (2,)."),
    "waiting": ("waiting", "waits for unbroadcast"),
    "timeout": ("failed", "test_log_back did not finish within 5 seconds: an endless loop?"),
    "crash": ("failed", "test_log_back crashed the Python interpreter (SIGSEGV)"),
}


def main() -> None:
    """Take the README's pictures, and all others into a folder if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    parser.add_argument("--grades", action="store_true", help="only the report of a class")
    given = parser.parse_args()
    folder_of_all = given.all
    if given.grades:
        return report_of_a_class()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = copy_checkout(Path(folder) / "lab")
        begin(root / "chapter0_fundamentals/exercises/part4_backprop")
        command = f"{sys.executable} -m invoke test --section 0.4"
        output = run(root, command)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        terminal(browser, "$ ./inv test --section 0.4\n" + shorten(output), HERE / "verdict.png")
        os.environ.update(environment(root))
        os.chdir(root)
        instructions.HOME = root / instructions.HOME.relative_to(ROOT)
        with instructions.server() as url:
            page(browser, url, HERE / "page.png")
            if folder_of_all:
                folder_of_all.mkdir(parents=True, exist_ok=True)
                everything(browser, url, root, folder_of_all)
        with lab(root) as link:
            notebook(browser, link, HERE / "jupyterlab.png")
        browser.close()


def report_of_a_class() -> None:
    """Grade a class whose answers are made from the bank, and photograph its page."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        grading.make(Path(folder) / "class", 16)
        grades = Path(folder) / "grades"
        grading.measure(Path(folder) / "class", grades, 16, [])
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        sheet = browser.new_page(viewport={"width": 1240, "height": 900})
        sheet.goto(f"file://{grades}/index.html")
        sheet.screenshot(path=HERE / "grades.png")
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
    return {
        "PYTHONPATH": path,
        "ARENA_LAB_ROOT": str(root),
        "ARENA_LAB_STATE": str(root / ".lab"),
        "ARENA_LAB_JUPYTER": "/",
        "ARENA_LAB_REPOSITORY": "https://example.org/arena-lab",
    }


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


def page(browser: Browser, url: str, to: Path) -> None:
    """Photograph the page of the exercise that went wrong."""
    section = catalogue.find_section("0.4")
    address = links.to_exercise(section, pages.parse(section.page), EXERCISE)
    with opened(browser, f"{url}{address}", 1280, 860, "light") as sheet:
        sheet.screenshot(path=to)


def everything(browser: Browser, url: str, root: Path, folder: Path) -> None:
    """Photograph what a learner sees of the site, each width and colour mode by itself."""
    section = catalogue.find_section("0.4")
    cards = links.to_exercise(section, pages.parse(section.page), EXERCISE).partition("#")[0]
    places = {"home": "?", "search": links.to_search("gradient"), "nowhere": "?section=9"} | {
        each.number: links.to(each.number, links.slugs(pages.parse(each.page))[1])
        for each in catalogue.sections()
    }
    places |= {f"{name}-zh": links.in_language(places[name], "zh") for name in ("home", "0.4")}
    for (width, height), scheme in itertools.product(WIDTHS.items(), SCHEMES):
        end = f"{width}-{scheme}.png"
        for name, address in places.items():
            with opened(browser, f"{url}{address}", width, height, scheme) as sheet:
                sheet.screenshot(path=folder / f"{name}-{end}")
        cards_of(browser, f"{url}{cards}", root, folder, width, scheme)
    with lab(root) as link:
        for scheme in SCHEMES:
            notebook(browser, link, folder / f"jupyterlab-{scheme}.png", scheme)


def cards_of(
    browser: Browser, address: str, root: Path, folder: Path, width: int, scheme: str
) -> None:
    """Photograph a card in each state that it can have, folded and unfolded."""
    section = catalogue.find_section("0.4")
    names = [exercise.name for exercise in section.exercises]
    end = f"{width}-{scheme}.png"
    for state, (status, message) in STATES.items():
        instructions.store(
            root / ".lab", section, {names[0]: {"status": status, "message": message}}
        )
        # So high a window that a card is in it whole.
        with opened(browser, address, width, 4000, scheme) as sheet:
            card = sheet.locator(".lab-exercise").first
            card.screenshot(path=folder / f"card-{state}-{end}")
            if state in ("not-started", "passed"):
                card.locator("summary").first.click()
                card.locator(".lab-solution > summary").click()
                card.screenshot(path=folder / f"card-{state}-some-{end}")
                card.evaluate("(it) => it.querySelectorAll('details').forEach((d) => d.open = 1)")
                card.screenshot(path=folder / f"card-{state}-all-{end}")
    optional = next(exercise for exercise in section.exercises if exercise.optional)
    place = links.to_exercise(section, pages.parse(section.page), optional.name)
    base = address.partition("?")[0]
    with opened(browser, f"{base}{place.partition('#')[0]}", width, 9000, scheme) as sheet:
        anchor = f"#{links.anchor_of(optional.name)}"
        card = sheet.locator(".lab-exercise").filter(has=sheet.locator(anchor))
        card.screenshot(path=folder / f"card-optional-{end}")


@contextlib.contextmanager
def opened(browser: Browser, address: str, width: int, height: int, scheme: str) -> Iterator[Page]:
    """Open a place of the site, and wait until nothing moves any more."""
    sheet = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    # Chromium drops what it was fetching when a network comes or goes, as when a container starts.
    for patience in (20_000, 60_000, 120_000):
        sheet.goto(address)
        with contextlib.suppress(TimeoutError):
            sheet.wait_for_selector(".stMain h1", timeout=patience)
            break
    sheet.wait_for_timeout(2000)  # for fonts, figures and the way down to a card
    yield sheet
    sheet.close()


@contextlib.contextmanager
def lab(root: Path) -> Iterator[str]:
    """Start the lab on the copy; give its link."""
    command = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "lab", "--no-browser"]
    process = subprocess.Popen(
        [*command, "--port=18899"],
        env={**os.environ, "HOME": str(root / ".lab")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def notebook(browser: Browser, link: str, to: Path, scheme: str = "light") -> None:
    """Photograph JupyterLab where the card's link leads."""
    section = catalogue.find_section("0.4")
    context = browser.new_context(
        viewport={"width": 1280, "height": 860},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    sheet = context.new_page()
    sheet.goto(link.replace("/lab?", "/lab?reset&"))
    sheet.wait_for_selector(".jp-Launcher", timeout=60_000)
    exercise = section.find(EXERCISE)
    sheet.goto(link.split("/lab?")[0] + str(links.in_jupyter(section.answers, exercise.title)))
    sheet.locator(".jp-Cell.jp-mod-active", has_text=f"def {EXERCISE}").wait_for(timeout=60_000)
    sheet.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    sheet.wait_for_timeout(3000)
    sheet.screenshot(path=to)
    context.close()


if __name__ == "__main__":
    main()
