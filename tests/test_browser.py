"""One journey in a real browser: a learner opens lesson 01, a teacher opens the formgrader."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from autograder import course
from autograder.source import LESSONS, find_source, helpers

LESSON = "01_quantization_math"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")


@contextmanager
def jupyter(folder: Path, home: Path):
    """JupyterLab on a free port of this machine, with settings of its own; ended afterwards."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1"]
    command += ["--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.news_url="]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    settings = home / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # else a cell out of sight is not on the page
    env = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(home),
        "JUPYTERLAB_WORKSPACES_DIR": str(home),
        "IPYTHONDIR": str(home),
    }
    log = (home / "log").open("w")
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
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


@pytest.fixture
def shots(tmp_path) -> Path:
    """Where screenshots go: set BONSAI_SCREENSHOTS to look at them."""
    return Path(os.environ.get("BONSAI_SCREENSHOTS", tmp_path))


def test_a_learner_opens_the_lesson_runs_it_and_stops_at_the_first_exercise(page, tmp_path, shots):
    shutil.copytree(LESSONS / LESSON, tmp_path / "lessons" / LESSON)
    with jupyter(tmp_path / "lessons", tmp_path) as url:
        page.goto(f"{url}/lab/tree/{LESSON}/{LESSON}.ipynb")
        expect(page.get_by_role("heading", name="The mathematics of quantization")).to_be_visible(timeout=120_000)
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=120_000)  # before, nothing runs
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        stopped = page.locator(".jp-OutputArea-output", has_text="NotImplementedError")
        expect(stopped.first).to_be_attached(timeout=300_000)
        stopped.first.scroll_into_view_if_needed()
        page.screenshot(path=shots / "learner-stop.png")
        page.locator(".jp-OutputArea-output img").first.scroll_into_view_if_needed()  # the number formats
        page.screenshot(path=shots / "learner.png")


def test_a_teacher_finds_the_lesson_in_the_formgrader(page, tmp_path, shots):
    source = find_source(LESSON)
    folder = tmp_path / "course"
    course.init(folder, [source])
    for helper in helpers(source):
        shutil.copy(helper, folder)
    with jupyter(folder, tmp_path) as url:
        page.goto(f"{url}/formgrader")
        expect(page.get_by_text(LESSON).first).to_be_visible(timeout=120_000)
        page.screenshot(path=shots / "formgrader.png")
