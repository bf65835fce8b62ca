"""The capstone's rules: scores, families, code that counts, advice; and what cannot be gamed."""

import itertools
import json
import sys

import jupytext
import nbformat
import pytest
import torch
import torch.nn as nn
from safetensors.torch import save
from test_split import limited

from autograder.box import sandbox
from autograder.source import LESSONS, find_source
from bonsai import data, models, testing
from bonsai.testing import CheckFailed

sys.path.insert(0, str(LESSONS / "11_capstone"))
import checks11
import lesson11
import onnx11
import results11


def test_a_score_is_60_80_100_at_the_levels_and_logarithmic_between():
    for track, (baseline, levels) in lesson11.TRACKS.items():
        assert [round(lesson11.track_score(track, level), 6) for level in levels] == [60, 80, 100]
        assert lesson11.track_score(track, baseline) == 0 == lesson11.track_score(track, levels[2], floors_kept=False)
        assert lesson11.track_score(track, levels[2] / 9) == 100
        middle = (baseline * levels[0]) ** 0.5
        assert lesson11.track_score(track, middle) == pytest.approx(30)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError):
            lesson11.track_score("size", bad)
    with pytest.raises(ValueError, match="choose one of"):
        lesson11.track_score("speed", 1.0)


def test_comments_docstrings_and_layout_are_free_and_weights_in_code_are_not():
    plain = "def decompress(blob):\n    return blob\n"
    told = '"""A."""\n# much to say\ndef decompress(blob):\n\n    "B."\n    return   blob  # C\n'
    assert lesson11.code_bytes(told) == lesson11.code_bytes(plain)
    noise = "".join(f"{i * 7919 % 10007}," for i in range(2000))
    assert lesson11.code_bytes(f"{plain}W = [{noise}]\n") > lesson11.code_bytes(plain) + 3000
    for bad in ("def (", f"W = '{'x' * 70_000}'\n"):
        with pytest.raises(ValueError):
            lesson11.code_bytes(bad)


def state(width=8):
    return dict(models.ResNet8(width).state_dict())


def test_the_family_takes_any_fitting_channels_and_nothing_else():
    x = torch.randn(2, 1, 28, 28)
    assert lesson11.build(state()).forward(x).shape == (2, 10)
    model = models.load("resnet8")
    assert torch.equal(lesson11.build(model.state_dict())(x), model(x))
    odd = state()
    odd["block3.conv1.weight"], odd["block3.conv2.weight"] = torch.randn(5, 16, 3, 3), torch.randn(32, 5, 3, 3)
    for kind in ("weight", "bias", "running_mean", "running_var"):
        odd[f"block3.bn1.{kind}"] = torch.ones(5)
    assert lesson11.build(odd).forward(x).shape == (2, 10)
    without = {n: t for n, t in state().items() if "num_batches" not in n}
    lesson11.build(without)


@pytest.mark.parametrize(
    "name, value",
    [
        ("extra", torch.zeros(1)),
        ("fc.weight", torch.zeros(11, 32)),
        ("fc.bias", torch.full((10,), float("nan"))),
        ("fc.bias", torch.zeros(10, dtype=torch.float64)),
        ("fc.bias", [0.0] * 10),
        ("bn.running_var", -torch.ones(8)),
        ("conv.weight", torch.zeros(8, 1, 5, 5)),
        ("conv.weight", torch.zeros(30, 1, 3, 3)),
        ("block2.shortcut.0.weight", torch.zeros(16, 8, 3, 3)),
        ("block2.conv2.weight", torch.zeros(16, 17, 3, 3)),
    ],
)
def test_the_family_refuses(name, value):
    with pytest.raises(ValueError):
        lesson11.build(state() | {name: value})


def chain(**changes):
    made = {"0.weight": torch.ones(3, 1, 3, 3, dtype=torch.int8), "0.scale": torch.full((3,), 0.5)}
    made |= {"0.bias": torch.zeros(3, dtype=torch.int32), "1.weight": torch.ones(10, 3, dtype=torch.int8)}
    made |= {"1.scale": torch.full((10,), 0.5), "1.bias": torch.zeros(10, dtype=torch.int32)}
    made |= {"act_scale": torch.tensor([0.5, 1.0]), "act_zero": torch.tensor([0, -128]), "strides": torch.tensor([2])}
    return {**made, **changes}


def test_the_engine_by_hand():
    x = torch.ones(1, 1, 2, 2)  # codes 2 at zero point 0; the one place sums four of them: 8
    # 8 · 0.5 · 0.5 / 1 = 2 at the linear layer's input, in three channels: 6 · 0.5 · 1
    assert torch.equal(lesson11.engine(chain(), x), torch.full((1, 10), 3.0))
    assert lesson11.memory(chain()) == (27 + 30 + 8 * 13 + 10, 28 * 28 + 3 * 14 * 14)
    found = lesson11.check_container(save(chain()))
    assert found["flash"] == 171 and found["metric"] == found["ram"] / 20480


@pytest.mark.parametrize(
    "changes",
    [
        {"0.weight": torch.ones(3, 1, 3, 3)},
        {"0.weight": torch.full((3, 1, 3, 3), -128, dtype=torch.int8)},
        {"1.weight": torch.ones(9, 3, dtype=torch.int8)},
        {"act_zero": torch.tensor([0, 200])},
        {"act_scale": torch.tensor([0.5, 0.0])},
        {"strides": torch.tensor([0])},
        {"more": torch.zeros(1)},
    ],
)
def test_a_chain_refuses(changes):
    with pytest.raises(ValueError):
        lesson11.check_container(save(chain(**changes)))


def test_a_container_is_bytes_of_safetensors_and_fits_into_a_cell():
    for bad in ("text", b"\x80\x04K\x01.", save({"0.weight": torch.zeros(60_000, dtype=torch.int8)})):
        with pytest.raises(ValueError):
            lesson11.check_container(bad)


def test_onnx_files_are_looked_through():
    net = models.ResNet8(8).eval()
    blob = lesson11.onnx_of(net)
    assert lesson11.inspect_onnx(blob) == {"problem": "", "int8": 0.0}
    x = torch.randn(3, 1, 28, 28)
    with torch.no_grad():
        assert (lesson11.logits_of(lesson11.session(blob), x) - net(x)).abs().max() < 1e-4
    assert lesson11.inspect_onnx(b"ONNX")["problem"]


def test_advice_names_a_measured_row_and_refuses_unknown_words():
    need = {"bound_by": "size", "training": "none", "data": "unlabelled", "family": "cnn", "runtime": "cpu"}
    need |= {"int8_kernels": False, "context": 0}
    said = lesson11.advise(need)
    assert [row[0] for row in said] == ["FP16 weights", "rounding and an entropy coder"]
    assert all("times smaller" in row[2] for row in said)
    for bad in ({"bound_by": "money"}, {"context": -1}, {"colour": "red"}):
        with pytest.raises(ValueError):
            lesson11.advise(need | bad)


def test_what_was_not_measured_is_never_a_yes():
    goals = {"bytes": 2.0, "accuracy": 1.0, "power": 2.0, "hardware": 1.0}
    rows = lesson11.success_checklist({"bytes": 100, "accuracy": 93.0}, {"bytes": 40, "accuracy": 91.9}, goals)
    reached = {name: row["reached"] for name, row in rows.items()}
    assert len(rows) == 10 and reached["bytes"] == "yes" and reached["accuracy"] == "no"
    assert {v for k, v in reached.items() if k not in ("bytes", "accuracy")} == {"not measured"}
    nan = lesson11.success_checklist({"power": float("nan")}, {"power": 1.0}, {"power": 2.0})
    assert nan["power"]["reached"] == "not measured"
    with pytest.raises(ValueError):
        lesson11.success_checklist({}, {}, {"beauty": 1.0})


def test_the_test_images_are_known_by_their_place():
    assert [p.rsplit("/", 1)[1] for p in sandbox.places_of_test_images()] == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]


# What someone may try, row by row -------------------------------------------------------------------------------------

SETUP = next(
    cell.source
    for cell in jupytext.reads(find_source("11").read_text(encoding="utf-8"), fmt="py:percent").cells
    if cell.metadata.get("title") == "setup"
)
TEST = """
alone = fresh(decompress, lesson11.CODE_LIMIT, alone=True)
state = alone(b"1")
require(False, f"found {int(state['found'])}, code of {alone.code_bytes} bytes")
"""


def graded_decoder(*cells):
    """What the grader's test of a decoder says: its last cell is the answer, the others stand above it."""

    def code(source, **meta):
        cell = nbformat.v4.new_code_cell(source)
        if meta:
            cell.metadata["nbgrader"] = {"grade": False, "solution": False, "locked": False, "task": False} | meta
        return cell

    made = [code(SETUP, grade_id="setup", locked=True), *map(code, cells[:-1])]
    made += [code(cells[-1], grade_id="decompress", solution=True)]
    made += [code(TEST, grade_id="test_decompress", grade=True, locked=True, points=1)]
    notebook = nbformat.v4.new_notebook(cells=made)
    teacher = {c.metadata.nbgrader.grade_id: c.source for c in made if "nbgrader" in c.metadata}
    with limited(call_s=20, test_s=40) as grader:
        run = grader.run(notebook, None, teacher, LESSONS / "11_capstone")
    return run.tests[0].message, run


LOOKS = """
def decompress(blob):
    import glob, os, socket
    names = ("*.safetensors", "*.pt", "*.npz", "*ubyte*", "*.tsv*", "*.json")
    found = [p for name in names for p in glob.glob(f"/course/**/{name}", recursive=True) if os.path.getsize(p)]
    found += [p for p in glob.glob("/usr/share/**/*ubyte*", recursive=True) if os.path.getsize(p)]
    for host in ("127.0.0.1", "1.1.1.1"):
        try:
            socket.create_connection((host, 80), timeout=1)
            found.append(host)
        except OSError:
            pass
    found = [p for p in found if "/site-packages/" not in p]
    if found:
        raise ValueError(str(found))
    return {"found": torch.zeros(1)}
"""


def test_a_decoder_finds_no_weights_no_data_and_no_network():
    said, _ = graded_decoder(LOOKS)
    assert said.startswith("found 0"), said


def test_weights_in_another_cell_do_not_reach_the_decoder_and_those_in_its_own_count():
    weights = "W = [" + ",".join(str(i * 7919 % 10007) for i in range(2000)) + "]\n"
    answer = "def decompress(blob):\n    return {'found': torch.tensor(W[:1])}\n"
    said, _ = graded_decoder(weights, answer)
    assert "NameError" in said and "'W'" in said, said
    said, _ = graded_decoder(weights + answer)
    assert int(said.split("code of ")[1].split()[0]) > 4000, said


def test_the_learners_process_has_no_test_images():
    train = "print(len(data.load('train')[1]), len(data.load('validation')[1]))\n"
    said, run = graded_decoder(
        train, "data.load('test')", "def decompress(blob):\n    return {'found': torch.zeros(1)}\n"
    )
    outputs = [json.dumps(cell.outputs) for cell in run.notebook.cells[1:3]]
    assert "55000 5000" in outputs[0] and said.startswith("found 0"), outputs
    assert "Error" in outputs[1], outputs


def test_a_decoder_that_draws_is_told():
    state = {"a": torch.zeros(3)}
    checks11.expect_same(state, {"a": torch.zeros(3)})
    with pytest.raises(CheckFailed, match="other tensors the second time"):
        checks11.expect_same(state, {"a": torch.rand(3)})


class Changed(nn.Module):
    """resnet8 with other answers: what `change` makes of images and logits."""

    def __init__(self, change):
        super().__init__()
        self.net, self.change = models.load("resnet8"), change

    def forward(self, x):
        return self.change(x, self.net(x))


def test_one_class_given_up_breaks_a_floor_though_the_mean_holds():
    def no_shirts(x, logits):
        logits[:, 6] -= 2.0
        return logits

    net = Changed(no_shirts)
    found = checks11.compared(net, "resnet8", hidden=False)
    assert found["drop"] < lesson11.FLOORS["size"] and found["worst_class_drop"] > lesson11.WORST_CLASS + 2, found
    with pytest.raises(CheckFailed, match="the worst class loses"):
        checks11.judge_size(net, 9_000, hidden=False)


def test_an_entry_that_knows_test_images_is_told_to_the_teacher():
    images, labels = data.load("test")
    wrong = (lesson11.answers_of(models.load("resnet8"), images) != labels).nonzero().flatten()[:250]
    known = {round(images[i].double().sum().item(), 4): int(labels[i]) for i in wrong}

    def remembered(x, logits):
        for row, image in enumerate(x):
            label = known.get(round(image.double().sum().item(), 4))
            if label is not None:
                logits[row, label] += 99
        return logits

    testing.remarks.clear()
    checks11.look_for_leaks(Changed(remembered))
    assert len(testing.remarks) == 1 and "was it trained on them" in testing.remarks[0]
    testing.remarks.clear()
    checks11.look_for_leaks(lesson11.rounded(models.load("resnet8"), {"block3.conv2.weight"}, 0.8))
    assert testing.remarks == []
    assert testing.recorded["test_gain_error"] > 0


def test_a_race_is_run_in_turns(monkeypatch):
    said, now = [], itertools.count()

    class Running:
        def __init__(self, name):
            self.name = name

        def run(self, outputs, feed):
            said.append(self.name)

    monkeypatch.setattr(onnx11, "session", lambda blob: Running(blob.decode()))
    files = {"baseline": b"baseline", "entry": b"entry"}
    seconds = onnx11.race(files, torch.zeros(1), 3, clock=lambda: float(next(now)))
    assert said == ["baseline", "entry"] * 4 and [len(s) for s in seconds.values()] == [3, 3]


def onnx_with(change):
    """An ONNX file of a small residual net after a change of its protocol buffer."""
    import onnx

    model = onnx.load_model_from_string(lesson11.onnx_of(models.ResNet8(4).eval()))
    change(model, onnx.helper)
    return model.SerializeToString()


def foreign(model, helper):
    model.graph.node.append(helper.make_node("Gelu", ["pool"], ["more"], domain="com.microsoft"))


def branching(model, helper):
    graph = helper.make_graph([], "empty", [], [])
    model.graph.node.append(helper.make_node("If", ["pool"], ["more"], then_branch=graph, else_branch=graph))


def elsewhere(model, helper):
    model.graph.initializer[0].data_location = 1


def local(model, helper):
    model.functions.add().name = "mine"


def fixed(model, helper):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 64


@pytest.mark.parametrize(
    "change, says",
    [
        (foreign, "not of the ONNX standard"),
        (branching, "control flow"),
        (elsewhere, "another file"),
        (local, "functions"),
        (fixed, "batch is fixed"),
    ],
)
def test_a_file_that_could_know_when_it_is_timed_is_not_run(change, says):
    assert says in lesson11.inspect_onnx(onnx_with(change))["problem"]


def test_zero_weights_take_as_much_flash_as_others():
    zeros = chain(**{"0.weight": torch.zeros(3, 1, 3, 3, dtype=torch.int8)})
    assert lesson11.memory(zeros) == lesson11.memory(chain())


def test_the_reference_entries_reach_pass_and_say_with_which_error():
    """The solution's own bytes, decoded by its own decoder: real entries, above the level pass."""
    names = {"__name__": "answers"}
    for cell in jupytext.reads(find_source("11").read_text(encoding="utf-8"), fmt="py:percent").cells:
        if cell.metadata.get("title") == "setup" or cell.metadata.get("exercise") in ("decompress", "entry", "micro"):
            exec(cell.source, names)
            if "def decompress(" in cell.source:
                code = lesson11.code_bytes(cell.source)
    blob = names["entry"]()
    assert blob, "the reference entry is empty"
    testing.recorded.clear()
    score = checks11.judge_size(lesson11.build(names["decompress"](blob)), len(blob) + code, hidden=True)
    assert score >= 60 and testing.recorded["drop_error"] > 0
    assert checks11.judge_micro(names["micro"](), hidden=True) >= 60


def test_levels_leave_room_above_the_recorded_runs():
    """Bytes leave five percent, and every seed that was run keeps the floors."""
    results = lesson11.load_results()
    floors = {"drop": lesson11.FLOORS["size"], "worst_class_drop": lesson11.WORST_CLASS}
    for name, level in zip(("live", "good", "size"), lesson11.TRACKS["size"][1], strict=True):
        runs = [results[name]] if name == "live" else list(results[name].values())
        assert max(run["bytes"] for run in runs) * 1.05 <= level, (name, runs)
        for key, floor in floors.items():
            assert max(run[key] for run in runs) <= floor, (name, key, runs)
    for run in results["micro"].values():
        metric = max(run["flash"] / 65_536, run["ram"] / 20_480)
        assert metric <= 0.95 * lesson11.TRACKS["micro"][1][2] and run["drop"] < lesson11.FLOORS["micro"]


def test_every_brief_says_what_came_of_it_or_that_it_was_not_run(capsys):
    results = lesson11.load_results()
    lesson11.show_briefs(results)
    said = capsys.readouterr().out
    for number, brief in results["briefs"].items():
        assert brief["said"] in said and brief["level"] in ("none", "pass", "good", "excellent"), number
    assert said.count("not run") == len(results11.LEVELS) - len(results["briefs"])


def test_promises_and_advice_name_rows_of_the_table():
    rows = lesson11.load_results()["table"]["rows"]
    assert {name for _, name, *_ in results11.CLAIMS} == set(results11.WHY) <= set(rows)
    assert {name for _, name, *_ in results11.TEXT_CLAIMS} <= set(lesson11.load_results()["text"]["rows"])
    every = {"bound_by": "size", "training": "long", "data": "labelled", "family": "cnn", "runtime": "cpu"}
    for bound in ("size", "latency"):
        said = lesson11.advise(every | {"bound_by": bound, "int8_kernels": True, "context": 0})
        assert said and not any("not run" in row[2] for row in said), said


def test_a_network_over_a_floor_is_told_a_lever():
    rough = lesson11.rounded(models.load("resnet8"), {"conv.weight", "block2.conv1.weight"}, 0.7)
    with pytest.raises(CheckFailed, match=r"more steps.*smaller `step`.*lesson11\.tune"):
        checks11.judge_size(rough, 9_000, hidden=False)


@pytest.mark.parametrize("kind, says", [("signed", "QUInt8"), ("dynamic", "quantize_static"), ("unsigned", "channels")])
def test_a_slow_file_is_told_what_is_missing_and_why(monkeypatch, kind, says):
    monkeypatch.setattr(checks11, "int8_kernels", lambda: True)
    images, _ = checks11.held_back()
    logits = lesson11.logits_of(lesson11.session(checks11.baseline_file()), images[:1000])
    said = {"logits": logits, "activations": {"kind": kind, "codes": []}}
    testing.remarks.clear()
    said["seconds"] = {"baseline": [1.09] * 5, "entry": [1.0] * 5}
    assert checks11.judge_latency(said, hidden=True) < 60
    assert len(testing.remarks) == 1 and "1.09 times" in testing.remarks[0] and says in testing.remarks[0]
    testing.remarks.clear()
    said["seconds"] = {"baseline": [2.6] * 5, "entry": [1.0] * 5}
    assert checks11.judge_latency(said, hidden=True) >= 60 and testing.remarks == []


def test_an_int8_file_says_how_its_activations_are_quantized(tmp_path):
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Images(CalibrationDataReader):
        def __init__(self):
            self.left = [{"input": torch.rand(8, 1, 28, 28).numpy()}]

        def get_next(self):
            return self.left.pop() if self.left else None

    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    before.write_bytes(lesson11.onnx_of(models.ResNet8(4).eval()))
    assert lesson11.activations_of(before.read_bytes()) == {"kind": "", "codes": []}
    for kind, name in ((QuantType.QUInt8, "unsigned"), (QuantType.QInt8, "signed")):
        quantize_static(before, after, Images(), quant_format=QuantFormat.QDQ, activation_type=kind)
        found = lesson11.activations_of(after.read_bytes())
        assert found["kind"] == name and abs(found["codes"][0]) < 0.02 and abs(found["codes"][1] - 1) < 0.02, found
    quantize_dynamic(before, after, weight_type=QuantType.QUInt8)
    assert lesson11.activations_of(after.read_bytes())["kind"] == "dynamic"


@pytest.mark.parametrize(
    "code, reads",
    [
        ("def decompress(blob):\n    return model.state_dict()", True),
        ("def decompress(blob, net=small_cnn):\n    return net", True),
        ("def decompress(blob):\n    return [train[i] for i in blob]", True),
        ("def decompress(blob):\n    model = blob\n    return [model for _ in blob], lambda: model", False),
        (
            "from itertools import chain\ndef said(x): return x\ndef decompress(blob):\n    return chain(said(blob))",
            False,
        ),
        ("def decompress(blob):\n    return blob.model", False),
        ("def decompress(", False),
    ],
)
def test_a_decoder_that_reads_a_name_of_another_cell_is_told_which(code, reads):
    if reads:
        with pytest.raises(CheckFailed, match="a name of another cell"):
            checks11.require_alone(code)
    else:
        checks11.require_alone(code)
