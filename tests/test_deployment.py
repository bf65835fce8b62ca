"""Lesson 09 starts a server and a second process; nothing of either is left, however its cell ends."""

import socket
import subprocess
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from autograder.source import LESSONS

CELL = """
def percentiles_under_load(call, clients, requests):
    for i in range(requests):
        call(i)
    return {"calls": requests}
"""


@pytest.fixture
def served09(monkeypatch):
    monkeypatch.syspath_prepend(LESSONS / "09_deployment")
    import served09

    return served09


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, RuntimeError])
def test_server_and_clients_end_with_their_block(served09, ending, tmp_path, monkeypatch):
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    path = tmp_path / "cell.py"
    path.write_text(CELL)
    names: dict = {}
    exec(compile(CELL, path, "exec"), names)
    app, asked = FastAPI(), []

    @app.post("/predict")
    def predict(body: dict) -> dict:
        asked.append(body["text"])
        return body

    def journey():
        with served09.load_from_outside(names["percentiles_under_load"]) as load, served09.serve(app) as url:
            assert load(url, ["a", "b"], 2, 3) == {"calls": 3}
            places.append(urlsplit(url))
            if ending:
                raise ending

    places: list = []
    if ending:
        with pytest.raises(ending):
            journey()
    else:
        journey()
    assert asked == ["a", "b", "a"]
    assert len(started) == 1 and started[0].returncode is not None, "the clients' process is still there"
    with socket.socket() as s:
        assert s.connect_ex((places[0].hostname, places[0].port)) != 0, "the server still listens"


def test_a_function_that_needs_another_cell_is_named(served09, tmp_path):
    path = tmp_path / "cell.py"
    path.write_text("def percentiles_under_load(call, clients, requests):\n    return helper()\n")
    names: dict = {}
    exec(compile(path.read_text(), path, "exec"), names)
    with (
        pytest.raises(AssertionError, match="names of another cell"),
        served09.load_from_outside(names["percentiles_under_load"]) as load,
    ):
        load("http://127.0.0.1:9", [], 1, 0)
