"""Kernels and formats of torchao, bitsandbytes and gguf beside lesson 08's own, as far as they are installed."""

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn
from lesson08 import output_error
from torch import Tensor

from bonsai import measure


class InBfloat16(nn.Module):
    """A layer that computes in bfloat16, between float32 neighbours."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.bfloat16()).float()


def _torchao(layer: nn.Linear, config: Any, dtype: torch.dtype = torch.float32) -> nn.Module:
    from torchao.quantization import quantize_

    net = nn.Sequential(copy.deepcopy(layer).to(dtype))
    quantize_(net, config)
    return net[0]


def _torchao_int8(layer: nn.Linear) -> nn.Module:
    from torchao.quantization import Int8WeightOnlyConfig

    return _torchao(layer, Int8WeightOnlyConfig())


def _torchao_int4(layer: nn.Linear) -> nn.Module:
    from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

    return InBfloat16(_torchao(layer, PrototypeInt4WeightOnlyConfig(group_size=64), torch.bfloat16))


def _bitsandbytes(layer: nn.Linear, made: nn.Module) -> nn.Module:
    made.load_state_dict({"weight": layer.weight.detach().clone()})
    return made.to("cpu").eval().requires_grad_(False)  # codes are made on the way to the device


def _bitsandbytes_int8(layer: nn.Linear) -> nn.Module:
    import bitsandbytes as bnb

    sizes = layer.in_features, layer.out_features
    return _bitsandbytes(layer, bnb.nn.Linear8bitLt(*sizes, bias=False, has_fp16_weights=False))


def _bitsandbytes_nf4(layer: nn.Linear) -> nn.Module:
    import bitsandbytes as bnb

    return _bitsandbytes(layer, bnb.nn.Linear4bit(layer.in_features, layer.out_features, bias=False, quant_type="nf4"))


# name -> bits of a weight, scales included, and a layer without bias by that kernel
KERNELS: dict[str, tuple[float, Callable[[nn.Linear], nn.Module]]] = {
    "FP32": (32, lambda layer: layer),
    "bfloat16": (16, lambda layer: InBfloat16(copy.deepcopy(layer).bfloat16())),
    "torchao int8": (8, _torchao_int8),
    "bitsandbytes int8": (8, _bitsandbytes_int8),
    "torchao int4": (4.5, _torchao_int4),
    "bitsandbytes NF4": (4.5, _bitsandbytes_nf4),
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of libraries on their way."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def kernel_lines(rounds: int = 7) -> list[str]:
    """How fast weight-only kernels are against FP32, in turns: one layer [2048, 2048] at 1 and at 64 tokens."""
    dense = nn.Linear(2048, 2048, bias=False).requires_grad_(False)
    layers: dict[str, nn.Module] = {}
    lines = []
    for name, (_, make) in KERNELS.items():
        try:
            with quiet():
                layers[name] = make(dense)
        except ImportError as error:
            lines.append(f"{name} is not measured here: {error} (bitsandbytes: README, extra llm)")
    for tokens in (1, 64):
        x = torch.randn(tokens, 2048)
        with torch.no_grad(), quiet():
            calls: dict = {name: lambda m=m, x=x: m(x) for name, m in layers.items()}
            times = measure.latency_ms(calls, rounds)
        for name, (low, mid, high) in measure.speedup(times, "FP32").items():
            if name != "FP32":
                verdict = "faster" if low > 1 else "slower" if high < 1 else "no clear difference"
                ratio = f"{mid:5.2f} times as fast as FP32 ({low:.2f} to {high:.2f})"
                lines.append(f"{tokens:2} tokens, {name:17} {ratio}: {verdict}")
    return lines


def library_lines(layer: nn.Linear, x: Tensor, rtn: Callable) -> list[str]:
    """One layer by the libraries that are here: bytes of the weight, relative error of its outputs."""
    w, lines = layer.weight.detach(), []
    h, groups = x.T @ x, -(-w.shape[1] // 64) * len(w)
    made = {"by hand, RTN 4 bits, groups of 64": (w.numel() // 2 + 2 * groups, rtn(w, 4, 64))}
    with quiet():
        from torchao.quantization import IntxWeightOnlyConfig, PerGroup

        int4 = torch.int4  # type: ignore[attr-defined]
        t: Any = _torchao(layer, IntxWeightOnlyConfig(weight_dtype=int4, granularity=PerGroup(64))).weight
        size = sum(getattr(t, name).nbytes for name in t.__tensor_flatten__()[0])  # unpacked: a byte for a 4-bit code
        made["torchao IntxWeightOnly int4, groups of 64"] = (size, t.dequantize())
    try:
        from bitsandbytes import functional as bnb

        codes, state = bnb.quantize_4bit(w.clone(), blocksize=64, quant_type="nf4", compress_statistics=True)
        size = codes.numel() + state.absmax.numel() + 4 * state.state2.absmax.numel()
        made["bitsandbytes NF4, scales quantized again"] = (size, bnb.dequantize_4bit(codes, state))
    except ImportError:
        lines.append("bitsandbytes is not installed (README, extra llm)")
    try:
        from gguf import GGMLQuantizationType, quants

        for kind in (GGMLQuantizationType.Q4_0, GGMLQuantizationType.Q8_0):
            blob = quants.quantize(w.numpy(), kind)
            made[f"gguf {kind.name}"] = (blob.nbytes, torch.from_numpy(quants.dequantize(blob, kind)))
    except ImportError:
        lines.append("gguf is not installed (extra llm)")
    for name, (size, back) in made.items():
        error = 100 * output_error(w, back.float(), h)
        lines.append(f"{name:42} {size:7,} bytes, {4 * w.numel() / size:.2f} times smaller, output error {error:.1f} %")
    return lines
