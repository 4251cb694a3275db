"""The instruction site in Chromium: a real server, pages of the course, and a toy course."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from arena_lab import catalogue, pages, paths, translations
from arena_lab.site import links

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOME = paths.ROOT / "chapter0_fundamentals/instructions/Home.py"
FLAGS = "--no-sandbox --disable-background-networking --disable-component-update --disable-sync"

PAGE = """\
---
section: "9.1"
title: Toys
exercises: toys
summary: A section to try the site on.
---
Welcome.

# First

## The logarithm

Let $y = \\log x$, so that

$$
\\frac{\\partial y}{\\partial x} = \\frac{1}{x}
$$

```python
print("a line")
```

:::{figure} tree
:alt: A tree.
The $n$ leaves.
:::

::::{exercise} double
:difficulty: 1
:importance: 2
:minutes: 5

Write it.

:::{hint}
Twice what?
:::
:::{hint}
Twice $x$.
:::
::::

::::{question} Why $2$?
:::{answer}
Because.
:::
::::

PARAGRAPHS

## The end

The last words.

# Second

More.

:::{interactive} wave
:alt: A wave.
The caption.
:::
"""

SOLUTIONS = '''\
# %%
def double(x: float) -> float:
    """Give twice `x`."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
'''

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 30"/>'

UTILS = """\
import plotly.graph_objects as go

def wave():
    return go.Figure(go.Scatter(y=[0, 1, 0, -1]))
"""


@dataclass
class Site:
    """A running site, and a browser that notes what should not happen."""

    url: str
    state: Path
    browser: Browser
    faults: list[str] = field(default_factory=list)

    def open(
        self,
        address: str = "",
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        locale: str = "en-US",
    ) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            locale=locale,
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("request", lambda request: self._note_request(request.url))
        page.on("websocket", lambda socket: self._note_request(socket.url))
        page.goto(self.url + address)
        expect(page.locator("[data-here]")).to_be_attached(timeout=30_000)
        page.wait_for_selector("html.lab-ready", state="attached")
        return page

    def store(self, **verdicts: dict[str, str]) -> None:
        path = self.state / "verdicts" / "9.1.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"section": "9.1", "exercises": verdicts})
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)

    def _note_console(self, message) -> None:  # type: ignore[no-untyped-def]
        if message.type == "error":
            self.faults.append(f"console: {message.text}")

    def _note_request(self, url: str) -> None:
        here = self.url.split("://", 1)[1]
        if not url.startswith(("data:", "blob:", f"http://{here}", f"ws://{here}")):
            self.faults.append(f"asked another host: {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("Chromium is missing; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def course(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The real course, with nothing done yet."""
    state = tmp_path_factory.mktemp("state")
    with _serve(paths.ROOT, state) as url:
        yield Site(url, state, browser)


@pytest.fixture(scope="module")
def toy_site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root, state = tmp_path_factory.mktemp("toys"), tmp_path_factory.mktemp("state")
    instructions, folder = root / "chapter9/instructions", root / "chapter9/exercises/toys"
    (instructions / "pages").mkdir(parents=True)
    (instructions / "media/9.1").mkdir(parents=True)
    folder.mkdir(parents=True)
    text = "\n\n".join(["Some words that fill a line of the page, and then some more."] * 40)
    english = PAGE.replace("PARAGRAPHS", text)
    (instructions / "pages/91_Toys.md").write_text(english)
    (instructions / "pages/zh").mkdir()
    chinese = english.replace("Welcome.", "欢迎。").replace("# First", "# 第一部分")
    (instructions / "pages/zh/91_Toys.md").write_text(chinese.replace("The last words.", "再见。"))
    for theme in ("light", "dark"):
        drawing = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 30"><!--{theme}--></svg>'
        )
        (instructions / f"media/9.1/tree.{theme}.svg").write_text(drawing)
    (folder / "solutions.py").write_text(SOLUTIONS)
    (folder / "utils.py").write_text(UTILS)
    with _serve(root, state, "--server.baseUrlPath", "lab/site") as url:
        yield Site(f"{url}lab/site/", state, browser)


@pytest.fixture
def toys(toy_site: Site) -> Iterator[Site]:
    """A course of one section under a proxy's path, with nothing done yet."""
    toy_site.store()
    toy_site.faults.clear()
    yield toy_site
    for context in toy_site.browser.contexts:
        context.close()


@contextlib.contextmanager
def _serve(root: Path, state: Path, *flags: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "ARENA_LAB_ROOT": str(root),
        "ARENA_LAB_STATE": str(state),
        "ARENA_LAB_JUPYTER": "/",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(HOME), f"--server.port={port}", *flags]
    log = state / "site.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env=environment, cwd=root, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        prefix = f"{flags[1]}/" if flags else ""
        _wait_for(f"http://127.0.0.1:{port}/{prefix}_stcore/health", process, log)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)
    assert "Traceback" not in log.read_text(), log.read_text()


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5)
            return
        time.sleep(0.1)
    pytest.fail(f"the site did not start:\n{log.read_text()}")


def folded(page: Page, label: str) -> Locator:
    summary = page.locator("summary", has_text=re.compile(f"^\\s*{label}\\s*$"))
    return page.locator("details").filter(has=summary).last


def places() -> list[str]:
    return ["?"] + [
        links.to(section.number, part)
        for section in catalogue.sections()
        for part in links.slugs(pages.parse(section.page))
    ]


@pytest.fixture(scope="module", params=translations.LANGUAGES)
def reader(course: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One who leafs through the whole course without closing the page."""
    page = course.open(f"?lang={request.param}")
    page.evaluate(AXE_SCRIPT)
    yield page
    page.context.close()


def go(page: Page, address: str) -> None:
    """Follow a link, as a click on it does, and unfold everything there."""
    page.evaluate(
        """(address) => {
          const link = document.createElement("a")
          link.href = address
          document.body.append(link)
          link.click()
          link.remove()
        }""",
        address,
    )
    expect(page.locator(f'[data-here="{address}"]')).to_be_attached(timeout=30_000)
    page.wait_for_function("!document.querySelector('[data-stale=true], .stSkeleton')")
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")


def serious(page: Page, *rules: str) -> list[str]:
    """Give axe-core's serious findings; of all rules, if none is named."""
    # Spans of a formula are left out: thousands, with the colour of the text around them.
    found = page.evaluate(
        """(rules) => axe.run(
          { exclude: [".katex-html"] },
          { resultTypes: ["violations"], ...(rules.length && { runOnly: rules }) },
        )""",
        list(rules),
    )["violations"]
    return [
        f"{fault['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical") or fault["id"] == "heading-order"
        for node in fault["nodes"]
    ]


def overflow(page: Page) -> int:
    main = page.get_by_test_id("stMain")
    return main.evaluate("(main) => main.scrollWidth - main.clientWidth")


@pytest.mark.parametrize("address", [*places(), "?search=gradient"])
def test_each_page_of_the_course_opens_whole(course: Site, reader: Page, address: str):
    course.faults.clear()
    reader.set_viewport_size({"width": 1440, "height": 900})
    go(reader, address)

    assert reader.get_by_test_id("stException").count() == 0
    assert reader.locator(".lab-trouble").count() == 0
    assert reader.locator(".katex-error").count() == 0
    raw = reader.get_by_test_id("stMain").evaluate(
        """(main) => {
          const copy = main.cloneNode(true)
          copy.querySelectorAll("code, pre, .katex, script, style").forEach((part) => part.remove())
          return copy.innerText.match(/.{0,40}\\$.{0,40}/)?.[0] ?? ""
        }"""
    )
    assert raw == "", "a formula is left as dollars"
    assert overflow(reader) == 0
    reader.wait_for_timeout(200)  # what scrolls is found out a moment after it came
    assert serious(reader) == []

    dark = "(is) => (document.documentElement.dataset.labTheme === 'dark') === is"
    was_dark = reader.evaluate(dark, True)
    reader.keyboard.press("d")
    reader.wait_for_function(dark, arg=not was_dark)
    reader.wait_for_timeout(250)  # colours fade
    assert serious(reader, "color-contrast") == []

    reader.set_viewport_size({"width": 390, "height": 844})
    reader.wait_for_timeout(300)
    assert overflow(reader) == 0
    assert serious(reader, "scrollable-region-focusable") == []
    assert course.faults == []


def test_the_site_sets_no_cookie(toys: Site):
    assert toys.open().context.cookies() == []


def test_a_link_in_another_language_is_no_choice(toys: Site):
    page = toys.open("?section=9.1&lang=zh")

    expect(page.get_by_text("欢迎。")).to_be_visible()
    assert page.context.cookies() == []


def test_the_browser_s_language_is_spoken(toys: Site):
    page = toys.open("?section=9.1", locale="zh-CN")

    expect(page.get_by_text("欢迎。")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert page.context.cookies() == []


def test_a_choice_of_language_keeps_the_place_and_holds_for_the_next_visit(toys: Site):
    page = toys.open("?section=9.1&page=first")
    page.get_by_text("The last words.").scroll_into_view_if_needed()
    page.get_by_role("link", name="中文").click()

    expect(page.get_by_text("再见。")).to_be_visible()
    assert page.url.endswith("?section=9.1&page=first&lang=zh#exercise-double")
    expect(page.locator("#exercise-double")).to_be_in_viewport()
    page.get_by_role("link", name="概览").click()
    expect(page.get_by_text("欢迎。")).to_be_visible()

    later = page.context.new_page()
    later.goto(toys.url)
    expect(later.get_by_role("heading", name="章节")).to_be_visible(timeout=30_000)
    later.get_by_role("link", name="English").click()
    expect(later.get_by_role("heading", name="Sections")).to_be_visible(timeout=30_000)


def test_home_leads_to_the_next_step(toys: Site):
    toys.store(double={"status": "failed"})
    page = toys.open()

    page.get_by_role("link", name="Go on double").click()

    expect(page.get_by_role("heading", name="First", exact=True)).to_be_visible()
    expect(page).to_have_url(f"{toys.url}?section=9.1&page=first#exercise-double")
    page.wait_for_function(
        "document.getElementById('exercise-double')?.getBoundingClientRect().top < 300"
    )
    assert toys.faults == []


def test_a_click_changes_the_page_without_loading_it_anew(toys: Site):
    page = toys.open("?section=9.1")
    page.evaluate("window.isTheSame = true")

    page.get_by_role("link", name="First").first.click()

    expect(page.get_by_role("heading", name="First", exact=True)).to_be_visible()
    assert page.evaluate("window.isTheSame")
    assert page.title() == "First · 9.1"


def test_back_returns_to_where_the_reader_was(toys: Site):
    page = toys.open("?section=9.1&page=first")
    page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 700)")
    page.locator(".lab-subpages").get_by_role("link", name="Second").click()
    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollTop") == 0

    page.go_back()

    expect(page.get_by_role("heading", name="First", exact=True)).to_be_visible()
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop > 600")


def test_back_from_a_heading_returns_to_where_the_reader_was(toys: Site):
    page = toys.open("?section=9.1&page=first")
    main = page.get_by_test_id("stMain")
    main.evaluate("(main) => main.scrollTo(0, 300)")
    page.locator(".lab-outline").get_by_text("The end").click()
    expect(page.locator("#the-end")).to_be_in_viewport()
    page.go_back()

    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop === 300")


def test_an_address_with_a_heading_survives_a_reload(toys: Site):
    page = toys.open("?section=9.1&page=first#the-end")

    for _ in range(2):
        expect(page.get_by_role("heading", name="The end")).to_be_in_viewport()
        assert page.url.endswith("?section=9.1&page=first#the-end")
        page.reload()


def test_the_outline_leads_to_a_heading(toys: Site):
    page = toys.open("?section=9.1&page=first")

    page.locator(".lab-outline").get_by_role("link", name="The end").click()

    expect(page.get_by_role("heading", name="The end")).to_be_in_viewport()
    expect(page).to_have_url(re.compile("#the-end$"))


def test_formulas_are_typeset(toys: Site):
    page = toys.open("?section=9.1&page=first")

    expect(page.locator(".katex-display .mfrac").first).to_be_visible()
    expect(page.locator("strong .katex", has_text="2")).to_be_visible()


def test_formulas_are_set_even_if_their_code_had_to_be_fetched_twice(toys: Site):
    page = toys.browser.new_page()
    page.route("**/rehype-katex.*.js", lambda route: route.abort(), times=1)

    page.goto(f"{toys.url}?section=9.1&page=first")

    expect(page.locator(".katex-display .mfrac").first).to_be_visible(timeout=30_000)


def test_code_can_be_copied(toys: Site):
    page = toys.open("?section=9.1&page=first")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = page.locator(".lab-code").filter(has_text="a line")
    expect(code).to_be_visible()

    code.hover()

    code.get_by_role("button", name="Copy").click()

    expect(code.locator(".lab-copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == 'print("a line")'


def test_hints_are_folded_and_open_one_by_one(toys: Site):
    page = toys.open("?section=9.1&page=first")
    first, second = (folded(page, f"Hint {n} of 2") for n in (1, 2))
    expect(first.get_by_text("Twice what?")).not_to_be_visible()
    expect(second).not_to_be_visible()

    first.locator("summary").click()

    expect(first.get_by_text("Twice what?")).to_be_visible()
    expect(second.locator("summary")).to_be_visible()
    expect(second.locator(".katex")).not_to_be_visible()


def test_the_solution_warns_as_long_as_no_try_was_made(toys: Site):
    page = toys.open("?section=9.1&page=first")
    solution = folded(page, "Solution")
    solution.locator("summary").first.click()
    expect(solution.get_by_text("You have not tried this one yet")).to_be_visible()
    expect(solution.locator(".lab-code")).not_to_be_visible()

    solution.get_by_text("Show the solution anyway").click()

    expect(solution.locator(".lab-code")).to_be_visible()
    expect(solution.locator(".lab-code")).to_contain_text("return 2 * x")


def test_the_solution_opens_after_a_try(toys: Site):
    toys.store(double={"status": "failed", "message": "too small"})
    solution = folded(toys.open("?section=9.1&page=first"), "Solution")

    solution.locator("summary").first.click()

    expect(solution.locator(".lab-code")).to_contain_text("return 2 * x")


def test_an_open_page_follows_the_verdict_and_keeps_what_is_unfolded(toys: Site):
    page = toys.open("?section=9.1&page=first")
    status = page.locator("[data-exercise=double]")
    hint = folded(page, "Hint 1 of 2")
    hint.locator("summary").click()
    expect(status).to_have_text("not started")

    toys.store(double={"status": "failed", "message": "3 is not 4 <b>"})
    expect(status).to_contain_text("3 is not 4 <b>")
    toys.store(double={"status": "passed"})
    expect(status).to_contain_text("passed")

    expect(page.locator(".lab-progress")).to_contain_text("1 of 1 passed")
    expect(hint.get_by_text("Twice what?")).to_be_visible()
    assert toys.faults == []


def test_an_own_answer_to_a_question_outlives_a_reload(toys: Site):
    page = toys.open("?section=9.1&page=first")
    page.get_by_label("Your own answer").fill("Because 1 + 1.")
    page.reload()
    expect(page.get_by_label("Your own answer")).to_have_value("Because 1 + 1.")

    page.get_by_label("Your own answer").fill("")
    page.reload()
    expect(page.get_by_label("Your own answer")).to_have_value("")


def test_search_leads_to_the_place(toys: Site):
    page = toys.open()
    page.keyboard.press("/")
    page.keyboard.type("last words")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{toys.url}?search=last+words")

    page.get_by_role("link", name="The end").click()

    expect(page.get_by_role("heading", name="The end")).to_be_in_viewport()
    assert toys.faults == []


def test_keys_turn_the_pages_but_not_while_one_writes(toys: Site):
    page = toys.open("?section=9.1&page=first")
    page.get_by_label("Your own answer").press_sequentially("n")
    expect(page).to_have_url(re.compile("page=first$"))

    page.get_by_role("heading", name="First", exact=True).click()
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="First", exact=True)).to_be_visible()


def test_the_keyboard_scrolls_a_page_and_the_next(toys: Site):
    page = toys.open("?section=9.1&page=first")
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop > 100"

    page.keyboard.press("Space")
    page.wait_for_function(scrolled)

    page.keyboard.press("p")
    expect(page.locator('[data-here="?section=9.1"]')).to_be_attached()
    page.keyboard.press("n")
    expect(page.locator('[data-here="?section=9.1&page=first"]')).to_be_attached()
    page.keyboard.press("Space")
    page.wait_for_function(scrolled)


def test_the_colour_mode_swaps_the_drawings(toys: Site):
    page = toys.open("?section=9.1&page=first")
    light, dark = page.locator(".lab-figure.lab-light"), page.locator(".lab-figure.lab-dark")
    expect(light).to_be_visible()
    expect(dark).to_be_hidden()

    page.get_by_role("button", name="Light or dark").click()

    expect(dark).to_be_visible()
    expect(light).to_be_hidden()
    expect(page.locator(".stMainMenuPopover")).to_have_count(0)

    page.keyboard.press("d")

    expect(light).to_be_visible()


def test_the_system_may_ask_for_dark(toys: Site):
    page = toys.open("?section=9.1&page=first", scheme="dark")

    expect(page.locator(".lab-figure.lab-dark")).to_be_visible()


def test_the_choice_of_colours_outlives_a_reload(toys: Site):
    page = toys.open("?section=9.1&page=first")
    page.keyboard.press("d")
    expect(page.locator("html")).to_have_attribute("data-lab-theme", "dark")

    page.reload()

    expect(page.locator("html")).to_have_attribute("data-lab-theme", "dark")


def test_fonts_of_formulas_come_before_the_first_formula(toys: Site):
    page = toys.open()
    page.wait_for_selector("html.lab-ready", state="attached")

    loaded = "[...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"
    assert {"KaTeX_Main", "KaTeX_Math", "KaTeX_Size1"} <= {
        name.strip('"') for name in page.evaluate(loaded)
    }


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_moves_once_it_is_seen(toys: Site, width: int):
    page = toys.browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.add_init_script(
        """window.moved = []
        new PerformanceObserver((list) => {
          for (const shift of list.getEntries())
            for (const { node } of shift.sources)
              if (node?.textContent) window.moved.push(node.textContent.slice(0, 60))
        }).observe({ type: "layout-shift", buffered: true })"""
    )
    page.goto(f"{toys.url}?section=9.1&page=first")
    expect(page.locator(".katex-display")).to_be_visible()
    page.wait_for_timeout(1000)

    assert page.evaluate("window.moved") == []


def test_paper_holds_the_whole_page_dark_on_white(toys: Site):
    page = toys.open("?section=9.1&page=first", scheme="dark")
    expect(page.locator(".katex-display")).to_be_visible()

    page.emulate_media(media="print")

    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.locator(".lab-tools")).to_be_hidden()
    expect(page.locator(".lab-figure.lab-light")).to_be_visible()
    colour = "getComputedStyle(document.querySelector('.stMain p')).color"
    assert page.evaluate(colour) == "rgb(38, 40, 43)"
    # The toy page is forty paragraphs long: more than a window's height and than two sheets.
    assert len(re.findall(rb"/Type /Page\b", page.pdf())) > 2


def test_the_keyboard_shows_where_it_is(toys: Site):
    page = toys.open("?section=9.1&page=first")
    expect(page.locator(".katex-display")).to_be_visible()
    seen = """() => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement)
      const isSeen = (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none"
      return [isSeen, document.activeElement.outerHTML.slice(0, 120)]
    }"""

    reached = []
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break  # past the last one
        reached.append(page.evaluate(seen))

    assert [html for is_seen, html in reached if not is_seen] == []
    assert any("summary" in html for _, html in reached)
    assert any("lab-own" in html for _, html in reached)


def test_an_interactive_figure_is_drawn_without_another_host(toys: Site):
    page = toys.open("?section=9.1&page=second")

    expect(page.locator(".js-plotly-plot .scatterlayer path").first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")
    assert toys.faults == []


def test_on_a_phone_a_link_closes_the_sidebar(toys: Site):
    page = toys.open("?section=9.1", width=390, height=844)
    second = page.locator(".lab-subpages").get_by_role("link", name="Second")
    expect(second).not_to_be_in_viewport()
    expect(page.locator(".lab-mode")).to_be_visible()
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(page.locator(".lab-mode")).to_be_hidden()  # it would lie over the sidebar

    second.click()

    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    expect(second).not_to_be_in_viewport()


def test_an_unknown_place_leads_on(toys: Site):
    page = toys.open()
    page.goto(f"{toys.url}?section=9.1&page=third")
    expect(page.get_by_role("alert")).to_contain_text("Section 9.1 has no page 'third'.")

    page.get_by_test_id("stMain").get_by_role("link", name="Second").click()

    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    assert toys.faults == []


def test_an_exercise_opens_its_notebook_in_jupyterlab(toys: Site):
    link = toys.open("?section=9.1&page=first").get_by_role("link", name="open in JupyterLab")

    assert link.get_attribute("href") == "/lab/tree/chapter9/exercises/toys/answers.py#double"
