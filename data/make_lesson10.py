"""Make what lesson 10 looks up: a table of 768 network shapes, a supernet, and the rivals at equal latency.

    python data/make_lesson10.py [PART ...]

Parts, in this order: latency (milliseconds of every shape in four settings), supernet, scratch (a few of its
architectures trained by themselves), table (the shapes that are fast enough, trained once with each seed), rivals.
Whoever runs it again goes on where it stopped: what stands in data/lesson10.json or in
data/checkpoints/lesson10.safetensors is not made again. All of it is FP32 on one thread; times are CPU seconds, so
that other processes count for little.
"""

import copy
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch_pruning as tp
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import Tensor

from autograder.source import find_source, teacher_notebook
from bonsai import data, measure, models, train

FOLDER = Path(__file__).parent
RESULTS, SUPERNET = FOLDER / "lesson10.json", FOLDER / "checkpoints" / "lesson10.safetensors"
sys.path.insert(0, str(FOLDER.parent / "lessons" / "10_architecture_search"))
import spaces10  # noqa: E402

SETTINGS = {"ort64": 64, "ort1": 1, "torch64": 64, "torch1": 1}
ROUNDS = {"ort64": 7, "ort1": 7, "torch64": 3, "torch1": 3}
AT_ONCE, CALLS_OF_ONE = 48, 4  # shapes that take turns; calls of a single image in one reading of the clock
LIMITS_MS = (2.0, 2.6)  # of 64 images in ONNX Runtime: trained in this order, so that a part is a table, too
RECIPE = {"images": 5_120, "batch": 64, "lr": 1e-2, "early_step": 27, "judged_on": 2_000}  # one epoch: 80 steps
SEEDS = (0, 1)
NARROW, TEMPERATURE = 8, 4.0
RIVALS: dict[str, Any] = {"steps": 100, "batch": 64, "lr": 5e-3, "seeds": (0, 1, 2)}
SANDWICH = {"steps": 400, "batch": 128, "lr": 6e-3}


def load() -> dict:
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"made_by": "data/make_lesson10.py"}


def save(made: dict) -> None:
    """Write the results, one shape a line."""
    rows = made.get("shapes", [])
    text = json.dumps({k: v for k, v in made.items() if k != "shapes"}, indent=1)
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = text[:-2] + f',\n "shapes": [\n{lines}\n ]\n}}\n'
    fresh = RESULTS.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(RESULTS)


def to_onnx(net: nn.Sequential) -> bytes:
    """A folded shape network as an ONNX file: Conv, Relu, Add, GlobalAveragePool, Flatten, Gemm."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    at = "input"

    def add(kind: str, *inputs: str, **options: Any) -> str:
        name = f"{kind}{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name

    def keep(t: Tensor) -> str:
        weights.append(numpy_helper.from_array(t.detach().numpy(), f"w{len(weights)}"))
        return weights[-1].name

    for part in net:
        if isinstance(part, spaces10.Block):
            before = at
            for layer in part.body:
                if isinstance(layer, nn.Conv2d):
                    assert layer.bias is not None and isinstance(layer.padding, tuple)
                    at = add("Conv", at, keep(layer.weight), keep(layer.bias), strides=list(layer.stride),
                             pads=list(layer.padding) * 2, group=layer.groups)  # fmt: skip
                else:
                    at = add("Relu", at)
            at = add("Add", before, at) if part.skip else at
        elif isinstance(part, nn.Linear):
            at = add("Gemm", add("Flatten", add("GlobalAveragePool", at)), keep(part.weight), keep(part.bias), transB=1)
    nodes[-1].output[0] = "logits"
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "shape", [image], [logits], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def exported(net: nn.Module) -> bytes:
    """Any other network as an ONNX file, by torch's exporter."""
    program = torch.onnx.export(
        net.eval(), (torch.zeros(2, 1, 28, 28),), input_names=["input"], output_names=["logits"], dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False,
    )  # fmt: skip
    assert program is not None
    return program.model_proto.SerializeToString()


def session(net: nn.Module) -> ort.InferenceSession:
    """ONNX Runtime on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    blob = to_onnx(net) if isinstance(net, nn.Sequential) else exported(net)
    return ort.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


def calls(net: nn.Module) -> dict[str, Callable[[], object]]:
    """One call of a network in each setting."""
    net = net.eval()
    run, laid_out = session(net), net.to(memory_format=torch.channels_last)
    found: dict[str, Callable[[], object]] = {}
    for setting, batch in SETTINGS.items():
        x = torch.zeros(batch, 1, 28, 28).uniform_(-1, 1)
        if setting.startswith("ort"):
            found[setting] = partial(run.run, None, {"input": x.numpy()})
        else:
            found[setting] = partial(laid_out, x.to(memory_format=torch.channels_last))
    return found


@torch.inference_mode()
def interleaved(nets: dict[Any, Any]) -> dict[Any, dict[str, list[float]]]:
    """Milliseconds (25th, 50th, 75th percentile) of every network in every setting, taken in turns."""
    todo = {(key, setting): call for key, net in nets.items() for setting, call in calls(net).items()}
    times: dict[tuple, list[float]] = {key: [] for key in todo}
    for call in todo.values():
        call()
    for number_of_round in range(max(ROUNDS.values())):
        for (key, setting), call in todo.items():
            if number_of_round >= ROUNDS[setting]:
                continue
            number = CALLS_OF_ONE if SETTINGS[setting] == 1 else 1
            began = time.process_time()
            for _ in range(number):
                call()
            times[key, setting].append(1000 * (time.process_time() - began) / number)
    found: dict[Any, dict[str, list[float]]] = {key: {} for key in nets}
    for (key, setting), values in times.items():
        found[key][setting] = [float(f"{q:.4g}") for q in np.percentile(values, [25, 50, 75])]
    return found


def part_latency(made: dict) -> None:
    """Every shape in every setting, some dozens at a time, in a random order."""
    if "shapes" in made:
        return
    torch.manual_seed(0)
    order = random.Random(0).sample(range(len(spaces10.SHAPES)), len(spaces10.SHAPES))
    reference = spaces10.SHAPES[0]
    again: list[dict] = []  # the reference beside every group: how far the machine drifts
    found: dict[int, dict] = {}
    for start in range(0, len(order), AT_ONCE):
        group = order[start : start + AT_ONCE]
        nets = {i: spaces10.shape_network(spaces10.SHAPES[i], folded=True) for i in group}
        times = interleaved({**nets, "reference": spaces10.shape_network(reference, folded=True)})
        again.append(times.pop("reference"))
        found |= times
        print(start, round(time.process_time()), again[-1], flush=True)
    drift = {s: [round(a[s][1], 4) for a in again] for s in SETTINGS}
    made["settings"] = {"batch": SETTINGS, "rounds": ROUNDS, "reference_ms": drift}
    made["shapes"] = [
        {"shape": shape, **spaces10.shape_cost(shape), "ms": found[i]} for i, shape in enumerate(spaces10.SHAPES)
    ]
    save(made)


def answers() -> dict[str, Any]:
    """The exercises of the lesson, as its solution writes them."""
    names: dict[str, Any] = {"__name__": "answers"}
    imports = "import math, random, time\nimport numpy as np\nimport torch\nimport torch.nn as nn\n"
    for cell in teacher_notebook(find_source("10")).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            exec(imports + "import torch.nn.functional as F\n" + cell.source, names)
    return names


def part_supernet(made: dict) -> None:
    """All architectures of the elastic space in one set of weights, by the sandwich rule."""
    if SUPERNET.exists():
        return
    names, x, y = answers(), *data.load("train")
    torch.manual_seed(0)
    net = spaces10.Supernet(names["ElasticConv2d"], names["ElasticBatchNorm2d"]).to(memory_format=torch.channels_last)
    steps, batch, lr = int(SANDWICH["steps"]), int(SANDWICH["batch"]), SANDWICH["lr"]
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1)
    rng, order = random.Random(0), torch.randperm(len(x))
    began = time.process_time()
    for step in range(steps):
        chosen = order[torch.arange(step * batch, (step + 1) * batch) % len(order)]
        images = torch.where(torch.rand(batch, 1, 1, 1) < 0.5, x[chosen].flip(-1), x[chosen])
        images = images.to(memory_format=torch.channels_last)
        others = [spaces10.SMALLEST] + [spaces10.random_architecture(spaces10.SPACE, rng) for _ in range(2)]
        loss = names["sandwich_step"](net, images, y[chosen], spaces10.LARGEST, others, optimizer)
        schedule.step()
        if step % 20 == 0:
            print(step, round(loss, 3), round(time.process_time() - began), flush=True)
    net.eval()
    made["supernet"] = {**SANDWICH, "seed": 0, "cpu_seconds": round(time.process_time() - began)}
    half = net.cut(spaces10.UNIFORM["1/2 wide, kernel 3"])
    tensors = {**net.state_dict(), **{f"half.{name}": t for name, t in half.state_dict().items()}}
    save_file({name: t.contiguous() for name, t in tensors.items()}, SUPERNET)
    SUPERNET.chmod(0o644)


def part_scratch(made: dict) -> None:
    """Architectures of the elastic space trained from scratch, as shortly as the shapes."""
    if "scratch" in made:
        return
    x, y = data.load("train")
    x, y = x[: RECIPE["images"]], y[: RECIPE["images"]]
    val_x, val_y = (t[:2000] for t in data.load("validation"))
    rng = random.Random(5)
    archs = [spaces10.SMALLEST, *spaces10.UNIFORM.values()]
    archs += [spaces10.random_architecture(spaces10.SPACE, rng) for _ in range(3)]
    rows = []
    for arch in archs:
        accuracy = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            net = spaces10.build(arch, spaces10.SPACE).to(memory_format=torch.channels_last)
            train.fit(net, x, y, 1, RECIPE["lr"], int(RECIPE["batch"]), seed, progress=False)
            accuracy.append(round(measure.accuracy(net, val_x, val_y), 2))
        rows.append({"arch": arch, "accuracy": accuracy})
        print(rows[-1], flush=True)
    steps = round(RECIPE["images"] / RECIPE["batch"])
    made["scratch"] = {"steps": steps, "batch": RECIPE["batch"], "images": RECIPE["images"], "rows": rows}


def part_table(made: dict) -> None:
    """The shapes that are fast enough, in a random order, each with both seeds."""
    x, y = data.load("train")
    x, y = x[: RECIPE["images"]], y[: RECIPE["images"]]
    number = int(RECIPE["judged_on"])
    val_x, val_y = data.load("validation")
    test_x, test_y = data.load("test")
    val, test = (val_x[:number], val_y[:number]), (test_x[:number].flip(-1), test_y[:number])
    shuffled = random.Random(1).sample(made["shapes"], len(made["shapes"]))
    made["recipe"] = {**RECIPE, "epochs": 1, "seeds": SEEDS}
    for limit in LIMITS_MS:
        for row in shuffled:
            for seed in SEEDS:
                if row["ms"]["ort64"][1] <= limit and len(row.get("runs", [])) == seed:
                    row.setdefault("runs", []).append(trained(row["shape"], seed, x, y, val, test))
                    save(made)
                    print(limit, seed, row["shape"], row["runs"][-1], flush=True)
        made["limit_ms"] = limit  # up to here the table is complete


def trained(shape: list, seed: int, x: Tensor, y: Tensor, val: tuple, test: tuple) -> dict[str, float]:
    """One shape trained for one epoch: early and final accuracy in percent, CPU seconds of the training."""
    torch.manual_seed(seed)
    net = spaces10.shape_network(shape).to(memory_format=torch.channels_last)
    found: dict[str, float] = {}
    steps = 0

    def look() -> None:
        nonlocal steps
        steps += 1
        if steps == RECIPE["early_step"]:
            found["early"] = round(measure.accuracy(net, val[0][:1000], val[1][:1000]), 1)

    began = time.process_time()
    train.fit(net, x, y, 1, RECIPE["lr"], int(RECIPE["batch"]), seed, look, progress=False)
    found["cpu_seconds"] = round(time.process_time() - began, 2)
    return found | {"val": round(measure.accuracy(net, *val), 2), "test": round(measure.accuracy(net, *test), 2)}


def part_rivals(made: dict) -> None:
    """The searched shape beside pruned and narrow residual nets, equally fast and equally trained."""
    table = {tuple(row["shape"]): row for row in made["shapes"] if len(row.get("runs", [])) == len(SEEDS)}
    chosen = max(table, key=lambda shape: table[shape]["runs"][0]["val"])
    narrow = {"ResNet-8 of width 24": models.load("resnet8"), "narrow": models.ResNet8(NARROW)}
    torch.manual_seed(0)
    ms = interleaved({**narrow, "searched": spaces10.shape_network(chosen, folded=True)})
    if tuple(made.get("rivals", {}).get("shape", ())) != chosen:  # the table has grown since
        made["rivals"] = {**RIVALS, "shape": chosen, "shapes": len(table), "rows": []}
    rows = made["rivals"]["rows"]
    done = {row["name"] for row in rows}
    pruned = models.load("resnet8")
    ratio = 1 - (NARROW + 0.01) / 24  # the pruner rounds what is left down
    importance, example = tp.importance.GroupMagnitudeImportance(p=1), torch.zeros(1, 1, 28, 28)
    ignored = [m for m in pruned.modules() if isinstance(m, nn.Linear)]
    tp.pruner.MagnitudePruner(pruned, example, importance, pruning_ratio=ratio, ignored_layers=ignored).step()
    assert measure.macs(pruned, (1, 1, 28, 28)) == measure.macs(narrow["narrow"], (1, 1, 28, 28))
    starts: dict[str, tuple[str, Callable[[], nn.Module]]] = {
        "searched": ("searched", lambda: spaces10.shape_network(chosen)),
        "narrow ResNet-8": ("narrow", lambda: models.ResNet8(NARROW)),
        "pruned ResNet-8": ("narrow", lambda: copy.deepcopy(pruned)),
    }
    for name, (timed, start) in starts.items():
        for how, alpha in (("labels", 0.0), ("distilled", 0.9)):
            if f"{name}, {how}" in done:
                continue
            nets = [taught(start, seed, alpha) for seed in RIVALS["seeds"]]
            rows.append({
                "name": f"{name}, {how}", "ms": ms[timed], "macs": measure.macs(nets[0], (1, 1, 28, 28)),
                "params": sum(p.numel() for p in nets[0].parameters()), "accuracy": [judged(net) for net in nets],
            })  # fmt: skip
            print(rows[-1], flush=True)
            save(made)
    made["rivals"]["teacher"] = {
        "ms": ms["ResNet-8 of width 24"],
        "macs": measure.macs(models.load("resnet8"), (1, 1, 28, 28)),
        "params": sum(p.numel() for p in models.load("resnet8").parameters()),
        "accuracy": [judged(models.load("resnet8"))],
    }


def judged(net: nn.Module) -> float:
    """Accuracy on mirrored test images, in percent."""
    x, y = data.load("test")
    return round(measure.accuracy(net, x[:5000].flip(-1), y[:5000]), 2)


def taught(start: Callable[[], nn.Module], seed: int, alpha: float) -> nn.Module:
    """A network after `steps` batches of labels (alpha 0) or mostly of the teacher's recorded answers."""
    logits = load_file(FOLDER / "checkpoints" / "lesson05.safetensors")["teacher_logits"].float()
    x, y = (t[: logits.shape[1]] for t in data.load("train"))
    torch.manual_seed(seed)
    net = start().to(memory_format=torch.channels_last).train()
    steps, batch = RIVALS["steps"], RIVALS["batch"]
    optimizer = torch.optim.AdamW(net.parameters(), lr=RIVALS["lr"], weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RIVALS["lr"], total_steps=steps + 1)
    for numbers in torch.randperm(len(x))[: steps * batch].split(batch):
        mirrored = torch.rand(len(numbers)) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), x[numbers].flip(-1), x[numbers])
        z, v = net(images), logits[mirrored.long(), numbers]
        soft = TEMPERATURE**2 * F.cross_entropy(z / TEMPERATURE, torch.softmax(v / TEMPERATURE, 1))
        loss = alpha * soft + (1 - alpha) * F.cross_entropy(z, y[numbers])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def main(parts: list[str]) -> None:
    every = [name.removeprefix("part_") for name in globals() if name.startswith("part_")]
    for part in parts or every:
        began = time.process_time()
        made = load()
        globals()[f"part_{part}"](made)
        made.setdefault("cpu_seconds", {}).setdefault(part, round(time.process_time() - began))
        save(made)
        print(part, round(time.process_time() - began), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
