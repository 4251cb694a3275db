"""What a learner keeps when memory, disk or power runs out, or the page is closed."""

import contextlib
import http.client
import itertools
import json
import os
import random
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect, sync_playwright

from container import Kernel, printed_by

SECTION = "chapter0_fundamentals/exercises/part4_backprop"
ANSWERS = f"{SECTION}/answers.py"
VERDICTS = ".lab/verdicts/0.4.json"


def save(lab, text: str) -> tuple[int, str]:
    """Save answers.py as JupyterLab does; give the status and what was said."""
    model = {"type": "file", "format": "text", "content": text}
    status, _, body = lab.ask("PUT", f"/api/contents/{ANSWERS}", model)
    return status, json.loads(body).get("message", "")


def start(checkout, wait_for_lab, lab):
    """Start the container again, as it was."""
    checkout.compose("up", "--detach")
    return wait_for_lab(lab.port, checkout.folder)


# Memory

GREEDY = "x = bytearray(1 << 31); print(len(x))"
REASON = "The kernel was ended: it wanted more memory than the container may take, which is 0.8 GB."


@pytest.fixture(scope="module")
def small(make_checkout, image_name):
    """A checkout whose lab may take 800 MB, and the lab."""
    checkout = make_checkout(4242)
    (checkout.folder / ".env").write_text("ARENA_LAB_MEMORY=800m\n")
    yield checkout, checkout.up()
    checkout.compose("down")


def test_kernel_that_takes_too_much_memory_ends_alone(small):
    checkout, lab = small
    assert checkout.container()["HostConfig"]["Memory"] == 800 << 20
    began = checkout.container()["State"]["StartedAt"]
    assert lab.run_cell(GREEDY).endswith("the kernel died")
    assert lab.run_cell("print('a new one')") == "a new one"
    assert checkout.container()["State"]["StartedAt"] == began


def test_cell_says_that_memory_ran_out_and_what_helps(small):
    checkout, lab = small
    said = lab.run_cell(GREEDY)
    assert said.startswith(REASON)
    assert "ARENA_LAB_MEMORY=" in said
    assert REASON in checkout.compose("logs", "lab").stdout


def test_kernel_that_ends_itself_is_not_said_to_lack_memory(small):
    _, lab = small
    assert lab.run_cell("import os; os._exit(1)") == "the kernel died"


@pytest.fixture
def page(small):
    """JupyterLab in a browser, with a notebook open whose one cell takes too much."""
    if not shutil.which("chromium"):
        pytest.skip("there is no chromium on the path")
    checkout, lab = small
    (checkout.folder / SECTION / "greedy.ipynb").write_text(json.dumps(notebook(GREEDY)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_default_timeout(60_000)
        url = f"http://127.0.0.1:{lab.port}/lab/tree/{SECTION}/greedy.ipynb"
        page.goto(f"{url}?token={lab.token}")
        yield page
        browser.close()


def notebook(code: str) -> dict:
    cell = {"cell_type": "code", "source": code, "metadata": {}, "outputs": []}
    return {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4,
            "nbformat_minor": 4}  # fmt: skip


@pytest.mark.browser
def test_jupyterlab_shows_below_the_cell_why_its_kernel_died(page):
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)
    page.locator(".jp-Cell").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    expect(page.locator(".jp-OutputArea-output")).to_contain_text(REASON)


# The page is closed

TRAINING = """
import time, torch
from arena_lab import tracking as wandb
wandb.init(project="resilience", name="unseen")
weight = torch.zeros(1)
for step in range(20):
    weight += 1
    wandb.log({"loss": 1 / (step + 1)})
    torch.save(weight, "/lab/.lab/unseen.pt")
    print(f"step {step}", flush=True)
    time.sleep(0.1)
wandb.finish()
print("the end")
"""


@pytest.fixture
def left_alone(lab):
    """A training whose page was closed after its first step: its kernel, session and cell."""
    kernel, session = Kernel(lab.port, lab.token), uuid.uuid4().hex
    page = kernel.open(session)
    cell = kernel.send(page, session, TRAINING)
    for said in printed_by(page, cell):
        if "step 0" in said:
            break
    page.close()
    yield kernel, session, cell
    kernel.end()


def test_page_that_was_cut_off_gets_what_it_missed(left_alone):
    kernel, session, cell = left_alone
    time.sleep(1)
    said = "".join(printed_by(kernel.open(session), cell))
    assert said.splitlines()[-2:] == ["step 19", "the end"]


def test_training_whose_page_is_gone_goes_on(checkout, lab, left_alone):
    kernel, _, _ = left_alone
    # Behind the training in the kernel's queue; variables are there too.
    assert kernel.run("print(step, float(weight))") == "19 20.0"
    (checkpoint,) = (checkout.folder / ".lab").glob("unseen.pt")
    assert checkout.owner(str(checkpoint)) == checkout.user
    assert logged(checkout) == "20"


def logged(checkout) -> str:
    """Count the steps of the run that the dashboard shows."""
    program = (
        "from trackio.sqlite_storage import SQLiteStorage as runs;"
        "print(len(runs.get_logs('resilience', 'unseen')))"
    )
    return checkout.shell(f'TRACKIO_DIR=/lab/.lab/runs python -c "{program}"')


# The container is removed and made anew


def test_down_and_up_keep_answers_progress_data_and_runs(another, wait_for_lab):
    lab = another.up()
    text = (another.folder / SECTION / "solutions.py").read_text() + "# Mine.\n"
    assert save(lab, text)[0] == 200
    another.shell("invoke test --section 0.4")
    another.shell("mkdir -p .lab/data && echo digits > .lab/data/mine")
    assert lab.run_cell(TRAINING).endswith("the end")
    progress = another.shell("invoke progress").split()
    assert "29 of 29" in " ".join(progress)
    another.compose("down")
    start(another, wait_for_lab, lab)
    assert (another.folder / ANSWERS).read_text() == text
    assert another.shell("invoke progress").split() == progress
    assert another.shell("cat .lab/data/mine") == "digits"
    assert logged(another) == "20"


# The disk is full

DISK_MB = 64


@pytest.fixture
def on_a_small_disk(engine, make_checkout, image_name, tmp_path):
    """A checkout on a disk of its own that is nearly full, and its lab."""
    if os.getuid() != 0:
        pytest.skip("only root can make a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-o", f"size={DISK_MB}m", "-t", "tmpfs", "arena-lab-test"]
    subprocess.run(["mount", *options, disk], check=True)
    checkout = make_checkout(4242, disk)
    yield checkout
    checkout.compose("down")
    subprocess.run(["umount", disk], check=True)


def fill(checkout) -> None:
    """Leave no byte on the disk of a checkout."""
    with contextlib.suppress(OSError), (checkout.folder / "ballast").open("wb") as file:
        while file.write(bytes(1 << 16)):
            file.flush()


def test_full_disk_costs_neither_answers_nor_progress(on_a_small_disk):
    checkout = on_a_small_disk
    lab = checkout.up()
    text = (checkout.folder / ANSWERS).read_text() + "\n# Mine.\n"
    assert save(lab, text)[0] == 200
    checkout.shell("invoke test --section 0.4", check=False)
    verdicts = (checkout.folder / VERDICTS).read_text()
    fill(checkout)
    longer = text + "# A line more.\n" * 2000
    status, said = save(lab, longer)
    assert (status, said) == (507, "the disk is full, and answers.py stays as it was on it: "
                              "make room, then save again")  # fmt: skip
    assert (checkout.folder / ANSWERS).read_text() == text
    said = " ".join(checkout.shell("invoke test --section 0.4", check=False).split())
    assert "the verdicts could not be kept in /lab/.lab/verdicts/0.4.json: No space left" in said
    assert (checkout.folder / VERDICTS).read_text() == verdicts
    (checkout.folder / "ballast").unlink()
    assert save(lab, longer)[0] == 200
    assert (checkout.folder / ANSWERS).read_text() == longer


# The power is cut

N_CUTS = 2
ONE_TEST = "invoke test --section 0.4 --exercise log_back"


@contextlib.contextmanager
def repeated(action: Callable[[], object]) -> Iterator[None]:
    """Do something again and again in the background, also while nobody answers."""
    stopped = threading.Event()

    def loop() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                action()

    thread = threading.Thread(target=loop)
    thread.start()
    yield
    stopped.set()
    thread.join()


def test_power_cut_leaves_answers_whole_and_progress_readable(another, wait_for_lab, docker):
    lab = another.up()
    answers, verdicts = another.folder / ANSWERS, another.folder / VERDICTS
    solutions = (answers.parent / "solutions.py").read_text()
    whole = [solutions + f"# {mark}\n" * 50_000 for mark in "ab"]
    assert save(lab, whole[0])[0] == 200
    another.shell("invoke test --section 0.4")
    known = json.loads(verdicts.read_text())["exercises"].keys()
    turns = itertools.cycle(whole)
    for _ in range(N_CUTS):
        with (
            repeated(lambda: save(lab, next(turns))),
            repeated(lambda: another.shell(ONE_TEST, check=False)),
        ):
            time.sleep(random.uniform(3, 5))
            docker("kill", "--signal=KILL", another.container()["Id"])
        assert answers.read_text() in whole
        assert json.loads(verdicts.read_text())["exercises"].keys() == known
        start(another, wait_for_lab, lab)
    assert "0.4" in another.shell("invoke progress")
