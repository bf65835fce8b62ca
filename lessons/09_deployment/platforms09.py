"""The other platforms of lesson 09: what is installed is tried, and what is not says so."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from lesson09 import session
from torch import Tensor


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


class _OpenVino:
    """An ONNX file compiled by OpenVINO in float32 (on new CPUs its default is bfloat16), with a session's `run`."""

    def __init__(self, path: str, threads: int):
        import openvino as ov

        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        self.request = ov.Core().compile_model(path, "CPU", hints).create_infer_request()

    def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs of one call."""
        return list(self.request.infer(feed).values())


def openvino_files(path: str, feeds: Iterable[dict[str, np.ndarray]], folder: Path) -> dict[str, str]:
    """The text model for OpenVINO, as it is and as NNCF's int8 with ranges from `feeds`; {} where not installed."""
    if not (_installed("openvino") and _installed("nncf")):
        return {}
    import nncf
    import openvino as ov

    calibration = nncf.Dataset(list(feeds))
    small = nncf.quantize(ov.Core().read_model(path), calibration, model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(small, str(folder / "text_openvino.xml"))
    return {"OpenVINO FP32": path, "OpenVINO int8": str(folder / "text_openvino.xml")}


def text_session(name: str, path: str, threads: int = 1):
    """Something with a session's `run` for a file of the text model; OpenVINO for names that begin with it."""
    return _OpenVino(path, threads) if name.startswith("OpenVINO") else session(path, threads)


def openvino_note() -> str:
    """One sentence about OpenVINO here."""
    if _installed("openvino"):
        return "OpenVINO ran with the precision hint f32."
    return "OpenVINO: not run here, since it is not installed (pip install openvino nncf)."


def _try_openvino(model: nn.Module, x: Tensor, folder: Path) -> str:
    import nncf
    import openvino as ov

    float_model = ov.Core().read_model(folder / "cnn.onnx")
    small = nncf.quantize(float_model, nncf.Dataset([part.numpy() for part in x.split(20)]))
    ov.save_model(small, str(folder / "cnn_openvino.xml"))
    size = (folder / "cnn_openvino.bin").stat().st_size
    out = ov.compile_model(small, "CPU")(x.numpy())[0]
    return f"run here: {size:,} bytes of weights, {_agreement(model, x, torch.from_numpy(out))}"


def _try_executorch(model: nn.Module, x: Tensor, folder: Path) -> str:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    exported = torch.export.export(model, (x[:1],))
    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    (folder / "cnn.pte").write_bytes(program.buffer)
    method = Runtime.get().load_program(folder / "cnn.pte").load_method("forward")
    out = torch.cat([method.execute([part])[0] for part in x.split(1)])
    return f"run here in FP32: {len(program.buffer):,} bytes, {_agreement(model, x, out)}"


def _try_coreml(model: nn.Module, x: Tensor, folder: Path) -> str:
    import coremltools as ct

    traced = torch.jit.trace(model, x[:1])
    converted = ct.convert(traced, inputs=[ct.TensorType(name="input", shape=(1, *x.shape[1:]))])
    converted.save(str(folder / "cnn.mlpackage"))
    size = sum(f.stat().st_size for f in (folder / "cnn.mlpackage").rglob("*") if f.is_file())
    return f"converted here (float16, {size:,} bytes); predicting needs macOS"


def _agreement(model: nn.Module, x: Tensor, logits: Tensor) -> str:
    with torch.no_grad():
        same = (model(x).argmax(1) == logits.argmax(1)).double().mean().item()
    return f"the same class as PyTorch on {100 * same:.1f} % of {len(x)} images"


def try_platforms(model: nn.Module, x: Tensor, folder: Path) -> dict[str, str]:
    """For each platform of the guide, what was run here, or why it was not."""
    import onnxruntime

    said = {"ONNX Runtime": f"run above, version {onnxruntime.__version__}"}
    tries = {
        "OpenVINO": (("openvino", "nncf"), _try_openvino),
        "ExecuTorch": (("executorch",), _try_executorch),
        "Core ML": (("coremltools",), _try_coreml),
    }
    for name, (packages, attempt) in tries.items():
        missing = [p for p in packages if not _installed(p)]
        if missing:
            said[name] = f"not run here: {' and '.join(missing)} not installed"
            continue
        try:
            said[name] = attempt(model, x, folder)
        except Exception as error:  # another version than the one this was written for
            said[name] = f"not run here: {type(error).__name__}: {str(error).splitlines()[0]:.100}"
    said["TensorRT"] = "not run here: needs an NVIDIA GPU"
    said["Snapdragon"] = "not run here: needs the vendor's SDK and a phone"
    return said
