"""`measure.report`, `memory_bytes`, `checklist`, and the command that prints them. No test looks at a duration."""

import json

import pytest
import torch
import torch.nn as nn
from typer.testing import CliRunner

from autograder.cli import app
from bonsai import measure, models

KEYS = {
    *("parameters", "bytes", "macs", "memory_bytes", "batch", "threads", "repeats", "p50_ms", "p95_ms", "p99_ms"),
    *("images_per_second", "accuracy"),
}


class Counting(nn.Module):
    """Answers 0, 1, 2, 0, … for the images in turn, and remembers how it was called."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("seen", torch.zeros(5))
        self.calls: list[tuple[int, bool, bool, int]] = []

    def forward(self, x):
        self.calls.append((len(x), self.training, torch.is_grad_enabled(), torch.get_num_threads()))
        return self.linear(x) * 0 + torch.eye(3)[torch.arange(len(x)) % 3]


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_report_counts_and_leaves_the_model_alone(threads):
    model = Counting().train()
    model.linear.eval()
    found = measure.report(model, torch.zeros(9, 4), torch.zeros(9, dtype=torch.int64), batch=2, threads=2, repeats=7)
    assert set(found) == KEYS
    assert (found["parameters"], found["macs"], found["batch"], found["threads"], found["repeats"]) == (15, 12, 2, 2, 7)
    assert found["bytes"] == measure.size_bytes(model)
    assert found["memory_bytes"] == 4 * (15 + 5) + 4 * 2 * (4 + 3)
    assert found["accuracy"] == pytest.approx(100 / 3)
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"] and found["images_per_second"] > 0
    assert [m.training for m in model.modules()] == [True, False] and torch.get_num_threads() == 1
    timed = [call for call in model.calls if call[3] == 2]
    assert timed == [(2, False, False, 2)] * (5 + 7)
    assert not any(training or gradient for _, training, gradient, _ in model.calls)


def test_report_restores_after_a_failure(threads):
    model = nn.Sequential(nn.Linear(3, 3)).train()
    with pytest.raises(RuntimeError):
        measure.report(model, torch.zeros(4, 5), torch.zeros(4, dtype=torch.int64), threads=2)
    assert model.training and model[0].training and torch.get_num_threads() == 1


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"batch": 10}, {"threads": 0}, {"repeats": 0}])
def test_report_refuses(wrong):
    with pytest.raises(ValueError, match="batch"):
        measure.report(Counting(), torch.zeros(9, 4), torch.zeros(9, dtype=torch.int64), **wrong)


def test_memory_is_that_of_the_largest_module():
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2)).train()
    weights = 4 * measure.report(model, torch.zeros(1, 8), torch.zeros(1, dtype=torch.int64))["parameters"]
    assert measure.memory_bytes(model, (5, 2, 4)) == weights + 4 * 5 * (32 + 32)
    assert measure.memory_bytes(model, (1, 2, 4)) == weights + 4 * (32 + 32)
    assert model.training and not any(m._forward_hooks for m in model.modules())


def test_checklist():
    before = {"bytes": 1000, "accuracy": 91.0, "p50_ms": 3.0, "images_per_second": 100.0}
    after = {"bytes": 250, "accuracy": 90.4, "p50_ms": 2.0, "images_per_second": 90.0}
    goals = {"bytes": 4.0, "accuracy": 0.5, "p50_ms": 1.2, "images_per_second": 1.0}
    rows = measure.checklist(before, after, goals)
    assert [row["reached"] for row in rows.values()] == [True, False, True, False]
    assert rows["bytes"] == {"before": 1000, "after": 250, "change": 4.0, "goal": 4.0, "reached": True}
    assert rows["accuracy"]["change"] == pytest.approx(-0.6) and rows["images_per_second"]["change"] == 0.9
    assert measure.checklist(before, after, {"accuracy": 0.7})["accuracy"]["reached"]
    with pytest.raises(KeyError):
        measure.checklist(before, after, {"joules": 2.0})


def run(*words: str):
    return CliRunner().invoke(app, ["benchmark", *words], env={"COLUMNS": "120"})


def test_command_prints_json():
    result = run("small_cnn", "--json", "--repeats", "2", "--batch", "3")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert list(found) == ["small_cnn"] and set(found["small_cnn"]) == KEYS
    card = models.card("small_cnn")
    assert found["small_cnn"]["parameters"] == card["parameters"]
    assert found["small_cnn"]["accuracy"] == pytest.approx(
        card["test_accuracy"], abs=0.1
    )  # another processor may round
    assert found["small_cnn"]["batch"] == 3


def test_command_prints_a_table():
    result = run("lenet_300_100", "--repeats", "1")
    assert result.exit_code == 0, result.output
    for text in ("lenet_300_100", "266,610", "MACs an image", "p99, ms", "images a second", "test accuracy, %"):
        assert text in result.stdout


def test_command_names_what_is_wrong(monkeypatch, tmp_path):
    unknown = run("alexnet")
    assert unknown.exit_code == 2 and "resnet8" in unknown.stderr
    assert run("resnet8", "--batch", "0").exit_code == 2
    monkeypatch.setenv("BONSAI_DATA", str(tmp_path))
    missing = run("resnet8")
    assert missing.exit_code == 2 and "Traceback" not in missing.output
