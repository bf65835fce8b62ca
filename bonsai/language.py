"""A decoder-only transformer, its tokenizer, and the novel that the shipped one was trained on.

`models.load("small_decoder")` gives the shipped one. The same class holds any model of the Llama family.
"""

import gzip
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

FOLDER = Path(__file__).resolve().parent.parent / "data" / "PrideAndPrejudice"
SPLITS = ("train", "validation", "test")

# A word with the blank before it, a run of digits or signs, or blanks: GPT-2's pattern (Radford et al. 2019)
WORDS = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
ONE_DIGIT = re.compile(r"'(?:s|t|re|ve|m|ll|d)|\d| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


class RMSNorm(nn.Module):
    """`x / sqrt(mean(x²) + eps) · weight` over the last axis (Zhang and Sennrich 2019, arXiv:1910.07467)."""

    def __init__(self, dim: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x: Tensor, start: int, base: float) -> Tensor:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864): channels 2i and 2i+1 turn by `position · base^(-2i/d)`.

    Args:
        x: `[batch, heads, tokens, d]`; the first token has the position `start`.
    """
    tokens, d = x.shape[-2:]
    speed = base ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
    angle = torch.outer(torch.arange(start, start + tokens, dtype=torch.float32), speed)
    cos, sin = angle.cos(), angle.sin()
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Causal attention in which `heads / kv_heads` queries share a key and a value (Ainslie et al. 2023).

    `store` sees the keys (with positions) and values of a call, each `[batch, kv_heads, tokens, head_dim]`, and returns
    what the attention reads; None leaves them as they are.
    """

    def __init__(self, dim: int, heads: int, kv_heads: int, base: float, dropout: float):
        super().__init__()
        self.heads, self.kv_heads, self.base = heads, kv_heads, base
        d = dim // heads
        self.q = nn.Linear(dim, heads * d, bias=False)
        self.k = nn.Linear(dim, kv_heads * d, bias=False)
        self.v = nn.Linear(dim, kv_heads * d, bias=False)
        self.o = nn.Linear(heads * d, dim, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.store: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None

    def forward(self, x: Tensor, past: list[Tensor] | None = None) -> Tensor:
        start = past[0].shape[2] if past else 0
        q = rotate(self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2), start, self.base)
        k = rotate(self.k(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2), start, self.base)
        v = self.v(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)
        if self.store:
            k, v = self.store(k, v)
        if past is not None:
            if past:
                k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
            past[:] = [k, v]
        shared = self.heads // self.kv_heads
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=start == 0 and q.shape[2] > 1)
        return self.dropout(self.o(y.transpose(1, 2).flatten(2)))


class SwiGLU(nn.Module):
    """`down(silu(gate(x)) · up(x))` (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, dim: int, hidden: int, dropout: float):
        super().__init__()
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.down(F.silu(self.gate(x)) * self.up(x)))


class Block(nn.Module):
    """Attention, then the feed-forward part, each behind a norm and beside a shortcut."""

    def __init__(self, dim: int, heads: int, kv_heads: int, hidden: int, base: float, eps: float, dropout: float):
        super().__init__()
        self.attention_norm, self.mlp_norm = RMSNorm(dim, eps), RMSNorm(dim, eps)
        self.attention = Attention(dim, heads, kv_heads, base, dropout)
        self.mlp = SwiGLU(dim, hidden, dropout)

    def forward(self, x: Tensor, past: list[Tensor] | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), past)
        return x + self.mlp(self.mlp_norm(x))


class Decoder(nn.Module):
    """A language model of the Llama family (Touvron et al. 2023, arXiv:2302.13971); the head is the embedding.

    The defaults are those of the shipped `small_decoder`: 1,115,520 parameters.
    """

    def __init__(
        self,
        vocabulary: int = 1024,
        dim: int = 128,
        layers: int = 5,
        heads: int = 4,
        kv_heads: int = 2,
        hidden: int = 384,
        base: float = 10_000.0,
        eps: float = 1e-5,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Block(dim, heads, kv_heads, hidden, base, eps, dropout) for _ in range(layers))
        self.norm = RMSNorm(dim, eps)

    def forward(self, ids: Tensor, cache: list[list[Tensor]] | None = None) -> Tensor:
        """Logits `[batch, tokens, vocabulary]` of the token after each of `ids`, int64 `[batch, tokens]`.

        Args:
            cache: keys and values of the tokens before, one list a layer (empty lists at the start); added to. After
                the first call, one token at a time.
        """
        x = self.dropout(self.embed(ids))
        for i, layer in enumerate(self.layers):
            x = layer(x, cache[i] if cache else None)
        return F.linear(self.norm(x), self.embed.weight)

    @torch.no_grad()
    def generate(self, ids: list[int], tokens: int) -> list[int]:
        """The `tokens` most likely tokens after `ids`, one by one, with a cache."""
        cache: list[list[Tensor]] = [[] for _ in self.layers]
        new: list[int] = []
        logits = self(torch.tensor([ids]), cache)
        for _ in range(tokens):
            new.append(int(logits[0, -1].argmax()))
            logits = self(torch.tensor([new[-1:]]), cache)
        return new


def init(model: Decoder) -> None:
    """Start values for training: normal, the layers before a shortcut smaller (Radford et al. 2019)."""
    for name, p in model.named_parameters():
        if p.dim() > 1:
            last = name.endswith(("attention.o.weight", "mlp.down.weight"))
            nn.init.normal_(p, std=0.05 / (math.sqrt(2 * len(model.layers)) if last else 1))


class Tokenizer:
    """Byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019).

    Args:
        tokens: the bytes of each token; all 256 single bytes among them.
        merges: pairs of byte strings, the first learned first.
        pattern: what parts a text into words; no token crosses them.
    """

    def __init__(self, tokens: list[bytes], merges: list[tuple[bytes, bytes]], pattern: re.Pattern = WORDS):
        self.tokens, self.pattern = tokens, pattern
        self.ids = {token: i for i, token in enumerate(tokens)}
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids; `decode` gives the text back."""
        ids: list[int] = []
        for word in self.pattern.findall(text):
            if word not in self.known:
                self.known[word] = self._split(word)
            ids += self.known[word]
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of some tokens; bytes that are not UTF-8 become �."""
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", errors="replace")

    def _split(self, word: str) -> list[int]:
        parts = [bytes([b]) for b in word.encode()]
        while len(parts) > 1:
            ranks = [self.rank.get(pair, math.inf) for pair in pairwise(parts)]
            at = ranks.index(min(ranks))
            if ranks[at] == math.inf:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [self.ids[p] for p in parts]


def learn_merges(text: str, count: int) -> list[tuple[bytes, bytes]]:
    """The `count` most frequent pairs, merged one after the other; among equals the least."""
    words = {tuple(bytes([b]) for b in word.encode()): n for word, n in Counter(WORDS.findall(text)).items()}
    merges: list[tuple[bytes, bytes]] = []
    while len(merges) < count:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, n in words.items():
            for pair in pairwise(word):
                pairs[pair] += n
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {_merged(word, best): n for word, n in words.items()}
    return merges


def _merged(word: tuple[bytes, ...], pair: tuple[bytes, bytes]) -> tuple[bytes, ...]:
    if pair[0] not in word:
        return word
    new, at = [], 0
    while at < len(word):
        both = word[at : at + 2] == pair
        new.append(pair[0] + pair[1] if both else word[at])
        at += 2 if both else 1
    return tuple(new)


def tokenizer() -> Tokenizer:
    """The one of the shipped model: 256 bytes and 768 merges, learned on the training chapters."""
    pairs = json.loads((FOLDER / "merges.json").read_text(encoding="utf-8"))
    merges = [(bytes.fromhex(a), bytes.fromhex(b)) for a, b in pairs]
    return Tokenizer([bytes([b]) for b in range(256)] + [a + b for a, b in merges], merges)


def chapters() -> dict[int, str]:
    """Number -> text of each chapter of Pride and Prejudice (Austen 1813), a paragraph a line."""
    with gzip.open(FOLDER / "pride-and-prejudice.txt.gz", "rt", encoding="utf-8") as file:
        _, *parts = re.split(r"^Chapter (\d+)$", file.read().replace("_", "").replace("*", ""), flags=re.MULTILINE)
    paragraphs = {int(n): re.split(r"\n\s*\n", text.strip()) for n, text in zip(parts[::2], parts[1::2], strict=True)}
    return {n: "\n".join(" ".join(p.split()) for p in ps if p.strip()) + "\n" for n, ps in paragraphs.items()}


def text(split: str) -> str:
    """The novel's chapters of one split.

    Args:
        split: `"test"` (chapters 10, 20, …: held back), `"validation"` (5, 15, …) or `"train"` (all others).

    Raises:
        ValueError: unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
    rest = {"test": (0,), "validation": (5,), "train": (1, 2, 3, 4, 6, 7, 8, 9)}[split]
    return "".join(body for n, body in chapters().items() if n % 10 in rest)


def tokens(split: str) -> Tensor:
    """The same as token ids, int64 `[N]`."""
    return torch.tensor(tokenizer().encode(text(split)))
