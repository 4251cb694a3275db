"""Time the instruction site: alone in Chromium, and with 20 readers at once.

`python benchmarks/instructions.py [--runs N] [--section 0.4]`. In Chromium the times are the
browser's own: until the page's last element is there and painted. The readers speak to the server
as Streamlit's page does, from one process: all ask in the same moment, each for another page, and
a page counts when the last of it has come. Server and readers share two cores.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from table import Row, show
from websocket import WebSocket, create_connection

from arena_lab import catalogue, pages
from arena_lab.site import links

HOME = Path(__file__).parents[1] / "chapter0_fundamentals" / "instructions" / "Home.py"
FLAGS = "--no-sandbox --disable-background-networking --disable-component-update --disable-sync"

N_READERS = 20
N_CORES = 2

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
    with (
        tempfile.TemporaryDirectory() as state,
        server(Path(state)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS.split()
        )
        first_page(browser, url)  # warms the server
        first = [first_page(browser, url) for _ in range(arguments.runs)]
        switches, work = switch(browser, url, section, arguments.runs)
        verdicts = verdict(browser, url, Path(state), section, arguments.runs)
        title = f"Instructions in Chromium {browser.version}, median of {arguments.runs}"
        browser.close()
    with server() as url:
        opened, turned = readers(url, arguments.runs)
    rows = [Row("first page, new browser, warm server", _seconds(first), "≤ 1.5 s")]
    rows += [Row(name, _seconds(times), "≤ 0.2 s") for name, times in switches.items()]
    rows += [Row("its processor time in the browser", f"{statistics.median(work):.0f} ms", "")]
    rows += [Row("a run's verdict on the open page", _seconds(verdicts), "≤ 2 s")]
    readers_do = f"{N_READERS} readers on {N_CORES} cores"
    rows += [Row(f"{readers_do} open a page", _percentile(opened), "95 % ≤ 1.5 s")]
    rows += [Row(f"{readers_do} turn it", _percentile(turned), "95 % ≤ 1.5 s")]
    show(title, rows)


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} s (slowest {max(times):.2f} s)"


def _percentile(times: list[float]) -> str:
    ordered = sorted(times)
    at_95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"95 % within {at_95:.2f} s (median {statistics.median(times):.2f} s)"


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
) -> tuple[dict[str, list[float]], list[float]]:
    """Give the seconds from a click in the sidebar to the sub-page, for each of a section.

    Also the milliseconds that the page's own thread worked for each: other work on the machine
    makes a switch late, and leaves these nearly as they are.
    """
    course = pages.parse(section.page)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}{links.to(section.number)}")
    page.evaluate(WAIT, end_of(links.to(section.number)))
    times: dict[str, list[float]] = {}
    work: list[float] = []
    worked = clock(page)
    for turn in range(runs + 1):
        for subpage, part in zip(course.subpages, links.slugs(course), strict=True):
            before = worked()
            seconds = click(page, links.to(section.number, part))
            if turn and len(course.subpages) > 1:  # the first turn sets the formulas
                times.setdefault(subpage.title, []).append(seconds)
                work.append(worked() - before)
    page.close()
    every = [second for seconds in times.values() for second in seconds]
    rows = {f"switch to {section.number} {title}": each for title, each in times.items()}
    return rows | {f"switch, all of {section.number}": every}, work


def clock(page: Page) -> Callable[[], float]:
    """Give a clock of the milliseconds that the page's own thread has worked."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    return worked


def click(page: Page, address: str) -> float:
    start = page.evaluate(
        """(address) => {
          document.querySelector(`.lab-subpages a[href="${address}"]`).click()
          return performance.now()
        }""",
        address,
    )
    return (page.evaluate(WAIT, end_of(address)) - start) / 1000


def verdict(
    browser: Browser, url: str, state: Path, section: catalogue.Section, runs: int
) -> list[float]:
    """Give the seconds from the storing of a verdict until the open page shows its message."""
    exercise = section.exercises[0]
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}{links.to_exercise(section, pages.parse(section.page), exercise.name)}")
    page.wait_for_selector(f"[data-exercise={exercise.name}]")
    times = []
    for run in range(runs):
        message = f"run {run}"
        start = time.perf_counter()
        store(state, section, {exercise.name: {"status": "failed", "message": message}})
        page.get_by_test_id("stMainBlockContainer").get_by_text(message, exact=True).wait_for()
        times.append(time.perf_counter() - start)
    page.close()
    return times


def store(state: Path, section: catalogue.Section, verdicts: dict[str, dict[str, str]]) -> None:
    path = state / "verdicts" / f"{section.number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"section": section.number, "exercises": verdicts}))
    new.replace(path)


def readers(url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Give the seconds that readers wait for their first page, and for each they turn to."""
    addresses = [
        links.to(section.number, part)
        for section in catalogue.sections()
        for part in links.slugs(pages.parse(section.page))
    ]
    together = threading.Barrier(N_READERS)

    def reader(number: int) -> list[float]:
        together.wait()
        start = time.perf_counter()
        urllib.request.urlopen(url).read()
        socket = connect(url)
        ask(socket, addresses[number % len(addresses)])
        times = [time.perf_counter() - start]
        for turn in range(1, rounds + 1):
            together.wait()
            start = time.perf_counter()
            ask(socket, addresses[(number + turn) % len(addresses)])
            times.append(time.perf_counter() - start)
        socket.close()
        return times

    warm = connect(url)
    for address in addresses:
        ask(warm, address)
    warm.close()
    with ThreadPoolExecutor(N_READERS) as pool:
        waited = list(pool.map(reader, range(N_READERS)))
    return [times[0] for times in waited], [second for times in waited for second in times[1:]]


def connect(url: str) -> WebSocket:
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    return create_connection(address, subprotocols=["streamlit"], origin=url.rstrip("/"))


def ask(socket: WebSocket, address: str) -> None:
    """Ask for a page, and wait until all of it has come."""
    request = BackMsg()
    request.rerun_script.query_string = address.lstrip("?")
    socket.send_binary(request.SerializeToString())
    while ForwardMsg.FromString(socket.recv()).WhichOneof("type") != "script_finished":
        pass


def end_of(address: str) -> str:
    """Give a selector for the last element of the page at `address`."""
    return f'.lab-neighbours[data-here="{address}"]'


@contextlib.contextmanager
def server(state: Path | None = None) -> Iterator[str]:
    """Start the site on a free port, with verdicts of its own if asked for; give its address."""
    environment = {**os.environ, **({"ARENA_LAB_STATE": str(state)} if state else {})}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(HOME), "--server.port", str(port)]
    if hasattr(os, "sched_setaffinity"):  # the server inherits it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
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
