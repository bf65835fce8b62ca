"""The capstone's rules: scores, families, code that counts, advice; and what cannot be gamed."""

import sys

import pytest
import torch
from safetensors.torch import save

from autograder.box import sandbox
from autograder.source import LESSONS
from bonsai import models

sys.path.insert(0, str(LESSONS / "11_capstone"))
import lesson11


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
