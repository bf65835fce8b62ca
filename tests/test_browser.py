"""Two journeys in a real browser: a learner from the start page to green, a teacher in the formgrader."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import class_of
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from autograder.desk import workspace
from autograder.source import find_source, teacher_notebook

LESSON = "01_quantization_math"
SIZES = ((1400, 900), (1280, 720), (390, 844))
WRONG = """def affine_qparams(x_min: float, x_max: float, qmin: int, qmax: int) -> tuple[float, int]:
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("no range")
    low, high = min(x_min, 0.0), max(x_max, 0.0)
    if low == high:
        return 1.0, min(max(0, qmin), qmax)
    scale = (high - low) / (qmax - qmin + 1)
    return scale, min(max(round(qmin - low / scale), qmin), qmax)
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]

expect.set_options(timeout=120_000)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")


@contextmanager
def jupyter(command: list[str], folder: Path, home: Path):
    """A Jupyter server on a free port of this machine, with settings of its own; ended afterwards."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    settings = home / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # else a cell out of sight is not on the page
    places = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    env = os.environ | dict.fromkeys(places, str(home))
    (home / "jupyter_server_config.json").write_text(json.dumps({"IdentityProvider": {"token": ""}}))
    log = (home / "log").open("w")
    command = [sys.executable, "-m", *command, "--no-browser", f"--port={port}"]
    server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        for _ in range(300):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


@pytest.fixture
def shots(page, tmp_path):
    """Takes a screenshot in each size; set BONSAI_SCREENSHOTS to a folder to look at them."""
    folder = Path(os.environ.get("BONSAI_SCREENSHOTS", tmp_path))

    def take(name: str) -> None:
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(500)  # the page lays itself out again
            page.screenshot(path=folder / f"{name}-{width}.png")
        page.set_viewport_size({"width": 1400, "height": 900})

    return take


def menu(page: Page, name: str, item: str) -> None:
    page.get_by_role("menuitem", name=name, exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def write(page: Page, cell: Locator, text: str) -> None:
    """Replace what stands in a cell."""
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def answers(unanswered: str) -> dict[str, str]:
    """The right answers of the lesson, but for one."""
    cells = [c for c in teacher_notebook(find_source(LESSON)).cells if workspace.is_answer(c)]
    return {workspace.key(c): c.source for c in cells if workspace.key(c) != unanswered}


def test_a_learner_goes_from_the_start_page_to_green(page, tmp_path, shots, monkeypatch):
    """Start page, lesson, wrong answer, message, right answer, a slider that moves its picture, points, Validate."""
    monkeypatch.setenv("BONSAI_WORK", str(tmp_path / "work"))
    workspace.open_lesson(LESSON)
    mine = workspace.read(workspace.notebook(LESSON))  # the other exercises are answered already
    given = answers(unanswered="affine_qparams")
    for cell in mine.cells:
        cell.source = given.get(workspace.key(cell), cell.source)
    workspace.write(mine, workspace.notebook(LESSON))
    right = next(c.source for c in teacher_notebook(find_source(LESSON)).cells if workspace.key(c) == "affine_qparams")
    with jupyter(["autograder", "lab"], tmp_path, tmp_path / "home") as url:
        page.goto(url)
        expect(page.get_by_role("heading", name="how to make a neural network smaller")).to_be_visible()
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()  # before, nothing runs
        menu(page, "Run", "Run All Cells")
        progress = page.locator(".jp-OutputArea tr", has_text="The mathematics of quantization")
        expect(progress).to_contain_text("10 of 11")
        expect(progress).to_contain_text("0 of 43")
        progress.scroll_into_view_if_needed()
        expect(page.get_by_text("Jupyter news")).to_have_count(0)
        shots("start")

        progress.get_by_role("link").click()
        lesson = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(lesson.get_by_role("heading", name="The mathematics of quantization")).to_be_visible()
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
        exercise = lesson.locator(".jp-CodeCell", has_text="def affine_qparams(")
        test = lesson.locator(".jp-CodeCell", has=page.locator(".jp-Placeholder")).first
        expect(lesson.get_by_text("Checked here:").first).to_be_attached()
        assert len(test.inner_text().splitlines()) < 4, "the test cell is not folded"
        write(page, exercise, WRONG)
        menu(page, "Run", "Run All Above Selected Cell")
        for _ in range(3):  # the answer, the text below it, the test
            page.keyboard.press("Shift+Enter")
        expect(test.locator(".jp-OutputArea-output")).to_contain_text("There are qmax - qmin steps between the codes")
        test.scroll_into_view_if_needed()
        shots("wrong")

        write(page, exercise, right)
        menu(page, "Run", "Run All Cells")
        expect(test.locator(".jp-OutputArea-output")).to_contain_text("✓ affine_qparams")
        explorer = lesson.locator(".jp-CodeCell", has_text="widgets.explore(clipping")
        picture = explorer.locator(".jupyter-widgets-output-area img, .widget-output img").first
        picture.wait_for(timeout=400_000)
        before = picture.get_attribute("src")
        handle = explorer.locator(".noUi-handle").last
        handle.focus()
        for _ in range(4):
            handle.press("ArrowLeft")
        page.wait_for_function(
            "([image, src]) => image.isConnected ? image.src !== src : true", arg=[picture.element_handle(), before]
        )
        picture.scroll_into_view_if_needed()
        shots("slider")

        page.keyboard.press("Control+s")
        bonsai = [sys.executable, "-m", "autograder", "check", "01", "affine_qparams"]
        done = subprocess.run(bonsai, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0 and "4 of 4 points" in done.stdout, done.stdout + done.stderr
        lesson.get_by_role("button", name="Validate").click()
        said = page.get_by_role("dialog")
        expect(said).to_contain_text("Success! Your notebook passes all the tests.", timeout=400_000)
        shots("validate")
        said.get_by_role("button", name="OK").click()

        page.get_by_role("tab", name="start.ipynb").click()
        menu(page, "Run", "Run All Cells")
        expect(progress).to_contain_text("11 of 11")
        expect(progress).to_contain_text("4 of 43")
        progress.scroll_into_view_if_needed()
        shots("progress")


def test_a_teacher_grades_the_question_and_sees_the_flag(page, tmp_path, shots):
    folder = class_of.make_course(tmp_path)
    submitted = folder / "submitted" / "ann" / class_of.LESSON / f"{class_of.LESSON}.ipynb"
    notebook = json.loads(submitted.read_text())
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "double":
            cell["source"] = "import socket\n\ndef double(x):\n    return 2 * x"
    submitted.write_text(json.dumps(notebook))
    autograde = [sys.executable, "-m", "nbgrader", "autograde", class_of.LESSON, "--student=ann"]
    done = subprocess.run(autograde, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before = class_of.rows(folder)["ann"]
    assert before[0][-1] and "why" in [name for name, *_ in before[1]]
    command = ["jupyterlab", "--allow-root", "--ip=127.0.0.1"]
    with jupyter(command, folder, tmp_path / "home") as url:
        page.goto(f"{url}/formgrader/gradebook/{class_of.LESSON}/{class_of.LESSON}")
        row = page.locator("tbody tr", has=page.get_by_role("link"))
        expect(row).to_have_count(1)
        expect(row.locator(".glyphicon-flag")).to_be_visible()
        shots("formgrader")
        row.get_by_role("link").first.click()
        points = page.locator("input.score").last  # of the question
        points.scroll_into_view_if_needed()
        comment = "[...document.querySelectorAll('textarea')].some(t => (t.value + t.placeholder).includes('network'))"
        page.wait_for_function(comment)  # why it is flagged
        points.fill("3")
        points.press("Tab")
        page.wait_for_timeout(2000)
        shots("question")
    grades = {name: (score, waits) for name, _, _, score, _, _, waits in class_of.rows(folder)["ann"][1]}
    assert grades["why"] == (3, False)
