"""Lesson 09: does an answer depend on who else is in the batch?"""

import logging
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def alone_and_together(run: Callable[[list], np.ndarray], items: list, batch: int = 8) -> tuple[Tensor, Tensor]:
    """Logits of all items `[N, C]`, each in a call of its own, and in calls of `batch` neighbours."""
    alone = [run([item]) for item in items]
    together = [run(items[i : i + batch]) for i in range(0, len(items), batch)]
    return torch.from_numpy(np.concatenate(alone)), torch.from_numpy(np.concatenate(together))


def compare(name: str, alone: Tensor, together: Tensor) -> str:
    """A row of the table: how far the logits of one item differ, and how many labels do."""
    apart = (alone - together).abs().amax(1)
    other = int((alone.argmax(1) != together.argmax(1)).sum())
    return f"{name:44} {len(alone):5} {apart.median():10.6f} {apart.max():10.6f} {other:7}"


HEAD = f"{'the same input alone and among eight':44} {'':>5} {'median':>10} {'largest':>10} {'labels':>7}"


def eight_bit_weights(path: str, out: str, int8_inputs: bool) -> None:
    """A copy of a file whose products with weights keep these as int8, a scale for every 32 of them.

    Args:
        int8_inputs: the other factor becomes int8 as well, with a scale for every 32 values of each row; else it stays
            float.
    """
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    logging.getLogger(nbits.__name__).setLevel(logging.ERROR)
    level = 4 if int8_inputs else 1  # of the operator MatMulNBits: int8 or float32
    settings = nbits.DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, accuracy_level=level, bits=8)
    made = nbits.MatMulNBitsQuantizer(onnx.load(path), algo_config=settings)
    made.process()
    made.model.save_model_to_file(out)
