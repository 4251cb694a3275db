"""JupyterLab in Chromium: a learner opens the link, reads, runs cells, and saves."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium on the path"),
]

FLAGS = "--no-sandbox --disable-background-networking --disable-component-update --disable-sync"
PATIENCE_MS = 60_000
expect.set_options(timeout=30_000)
FOLDER = "chapter9_toys/exercises/toys"
N_CELLS = 7


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS.split()
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        yield context
        browser.close()


@pytest.fixture
def asked(context: BrowserContext) -> Iterator[set[str]]:
    """The hosts that any page asks for something while the test runs."""
    hosts: set[str] = set()

    def note(request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob"):
            hosts.add(address.netloc)

    context.on("request", note)
    yield hosts
    context.remove_listener("request", note)


@pytest.fixture
def page(lab: Any, context: BrowserContext) -> Iterator[Page]:
    """JupyterLab, opened by the printed link, with nothing left of earlier tests."""
    page = context.new_page()
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    expect(page.locator(".jp-Launcher")).to_be_visible(timeout=PATIENCE_MS)
    yield page
    for other in context.pages:
        other.close(run_before_unload=False)


def double_click(page: Page, name: str) -> None:
    page.locator(".jp-DirListing-itemName").get_by_text(name, exact=True).dblclick()


def open_file(page: Page, name: str) -> None:
    double_click(page, "toys")
    double_click(page, name)


def open_answers(page: Page) -> None:
    """Open the notebook, and wait for its cells and its kernel."""
    open_file(page, "answers.py")
    expect(cells(page)).to_have_count(N_CELLS)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")


def run_all(page: Page) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def cells(page: Page) -> Any:
    return page.locator(".jp-NotebookPanel:visible .jp-Cell")


def unsaved(page: Page) -> Any:
    return page.locator(".lm-TabBar-tab.jp-mod-dirty")


def save(page: Page) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(unsaved(page)).to_have_count(0)


@pytest.fixture
def answers(lab: Any) -> Iterator[Path]:
    """The learner's file, as it was before the test, and put back after it."""
    path: Path = lab.root / FOLDER / "answers.py"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def test_lab_opens_where_the_exercises_are(page: Page) -> None:
    expect(page.locator(".jp-DirListing-itemName")).to_have_text(["toys"])


def test_answers_open_as_a_notebook_without_a_question(page: Page, answers: Path) -> None:
    open_answers(page)
    expect(page.locator(".jp-Toolbar-kernelName:visible")).to_have_text("Python 3 (ipykernel)")
    expect(page.locator(".jp-RenderedMarkdown:visible h2")).to_contain_text("Twice")
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    expect(unsaved(page)).to_have_count(0)


@pytest.mark.parametrize("name", ["tests.py", "utils.py"])
def test_other_modules_open_in_the_editor(page: Page, name: str) -> None:
    open_file(page, name)
    expect(page.locator(".jp-FileEditor")).to_be_visible()
    expect(page.locator(".jp-NotebookPanel")).to_have_count(0)


def test_a_day_read_run_write_save(
    lab: Any, context: BrowserContext, page: Page, answers: Path, asked: set[str]
) -> None:
    before = answers.read_text()
    with context.expect_page() as opened:
        page.locator(".jp-LauncherCard").filter(has_text="Instructions").click()
    site = opened.value
    expect(site.get_by_role("link", name="Start 9.1 Toys")).to_be_visible()

    open_answers(page)
    run_all(page)
    output = page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output")
    expect(output.last).to_contain_text("42")
    expect(output.last).to_contain_text("test_double")

    cells(page).last.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n# mine")
    save(page)
    assert answers.read_text() == before + "    # mine\n"
    assert asked == {urlsplit(lab.url).netloc}


def test_what_others_write_into_an_open_file_is_not_overwritten(page: Page, answers: Path) -> None:
    open_answers(page)
    answers.write_text(answers.read_text() + "\n# from another editor\n")
    cells(page).last.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n# mine")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-Dialog")).to_contain_text("has changed on disk")
    assert "# from another editor" in answers.read_text()


def test_a_link_of_the_site_opens_the_notebook_at_the_exercise(
    lab: Any, context: BrowserContext, page: Page, answers: Path
) -> None:
    text = answers.read_text()
    heading = "# %% [markdown]\n# ### halve, half_of_double\n#\n# 9.1\n\n# %%\ndef halve"
    answers.write_text(text.replace("# %%\ndef halve", heading, 1))
    site = context.new_page()
    site.goto(f"{lab.url}/site/?section=9.1&page=first")
    link = site.locator(".lab-exercise", has_text="def halve").locator(
        f'a[href*="/lab/tree/{FOLDER}/answers.py"]'
    )
    with context.expect_page() as opened:
        link.click()
    notebook = opened.value
    active = notebook.locator(".jp-Notebook:visible .jp-Cell.jp-mod-active")
    expect(active).to_contain_text("def halve")
    expect(active).to_be_in_viewport()
    expect(notebook.locator(".jp-Toolbar-kernelName:visible")).to_have_text("Python 3 (ipykernel)")


def test_a_language_that_is_chosen_holds_for_the_next_visit_and_for_saving(
    lab: Any, page: Page, context: BrowserContext, answers: Path
) -> None:
    site = context.new_page()
    site.goto(f"{lab.url}/site/")
    site.get_by_role("link", name="中文").click()
    expect(site.get_by_role("heading", name="章节")).to_be_visible(timeout=PATIENCE_MS)

    later = context.new_page()
    later.goto(f"{lab.url}/site/")
    expect(later.get_by_role("heading", name="章节")).to_be_visible(timeout=PATIENCE_MS)

    page.bring_to_front()
    open_answers(page)
    cells(page).nth(3).click()
    page.keyboard.type("# again\n")
    save(page)
    assert "# again" in answers.read_text()
    context.clear_cookies(name="arena-lab-language")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system(lab: Any, context: BrowserContext, scheme: str) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{lab.url}/lab?reset&token={lab.token}")
    is_light = "true" if scheme == "light" else "false"
    expect(page.locator("body")).to_have_attribute(
        "data-jp-theme-light", is_light, timeout=PATIENCE_MS
    )
    page.close()
