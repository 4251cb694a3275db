"""Time the instruction site in Chromium: the first page in a new browser, and a switch of pages.

`python benchmarks/instructions.py [--runs N] [--section 0.4]`. Both times are the browser's own:
until the page's heading and its last element are there and painted.
"""

import argparse
import contextlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from table import Row, show

from arena_lab import catalogue, pages
from arena_lab.site import links

HOME = Path(__file__).parents[1] / "chapter0_fundamentals" / "instructions" / "Home.py"
FLAGS = "--no-sandbox --disable-background-networking --disable-component-update --disable-sync"

# Resolves when an element is there and two frames have passed, so that it is painted.
WAIT = """(selector) => new Promise((resolve) => {
  const look = () => {
    if (!document.querySelector(selector)) return requestAnimationFrame(look)
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())))
  }
  look()
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--section", help="whose pages are switched; default: the longest page")
    arguments = parser.parse_args()
    sections = catalogue.sections()
    section = (
        catalogue.find_section(arguments.section)
        if arguments.section
        else max(sections, key=lambda section: section.page.stat().st_size)
    )
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS.split()
        )
        first_page(browser, url)  # warms the server
        first = [first_page(browser, url) for _ in range(arguments.runs)]
        switches = switch(browser, url, section, arguments.runs)
        title = f"Instructions in Chromium {browser.version}, median of {arguments.runs}"
        browser.close()
    rows = [Row("first page, new browser, warm server", _seconds(first), "≤ 1.5 s")]
    show(title, rows + [Row(name, _seconds(times), "≤ 0.2 s") for name, times in switches.items()])


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} s (slowest {max(times):.2f} s)"


def first_page(browser: Browser, url: str) -> float:
    """Give the seconds from asking for the home page to its last card, with an empty cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(url, wait_until="commit")
    seconds = page.evaluate(WAIT, ".lab-home .lab-cards") / 1000
    context.close()
    return seconds


def switch(
    browser: Browser, url: str, section: catalogue.Section, runs: int
) -> dict[str, list[float]]:
    """Give the seconds from a click in the sidebar to the sub-page, for each of a section."""
    course = pages.parse(section.page)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}{links.to(section.number)}")
    page.evaluate(WAIT, end_of(links.to(section.number)))
    times: dict[str, list[float]] = {}
    for turn in range(runs + 1):
        for subpage, part in zip(course.subpages, links.slugs(course), strict=True):
            seconds = click(page, links.to(section.number, part))
            if turn and len(course.subpages) > 1:  # the first turn loads KaTeX and the like
                times.setdefault(subpage.title, []).append(seconds)
    page.close()
    every = [second for seconds in times.values() for second in seconds]
    rows = {f"switch to {section.number} {title}": each for title, each in times.items()}
    return rows | {f"switch, all of {section.number}": every}


def click(page: Page, address: str) -> float:
    start = page.evaluate(
        """(address) => {
          document.querySelector(`.lab-subpages a[href="${address}"]`).click()
          return performance.now()
        }""",
        address,
    )
    return (page.evaluate(WAIT, end_of(address)) - start) / 1000


def end_of(address: str) -> str:
    """Give a selector for the last element of the page at `address`."""
    return f'.lab-neighbours[data-here="{address}"]'


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start the site on a free port; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(HOME), "--server.port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}_stcore/health", timeout=1)
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("the site did not start") from None
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    main()
