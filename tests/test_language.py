"""The language model, its tokenizer and its text."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from autograder.source import find_source, teacher_notebook
from bonsai import language, models

TOKENIZER = language.tokenizer()


@given(st.text())
def test_the_tokenizer_gives_any_text_back(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_its_merges_are_those_of_the_training_chapters():
    first = language.learn_merges(language.text("train"), 8)
    assert first == sorted(TOKENIZER.rank, key=lambda pair: TOKENIZER.rank[pair])[:8]


def test_the_chapters_stay_apart():
    parts = {split: language.text(split) for split in language.SPLITS}
    assert len(language.chapters()) == 61 and sum(map(len, parts.values())) == sum(
        map(len, language.chapters().values())
    )
    assert "universally acknowledged" in parts["train"] and not any(c in "".join(parts.values()) for c in "_*")
    assert all(language.chapters()[10 * n] in parts["test"] for n in range(1, 7))
    with pytest.raises(ValueError, match="train"):
        language.text("holdout")


def test_the_shipped_model_reaches_what_its_card_says():
    model, card = models.load("small_decoder"), models.card("small_decoder")
    assert sum(p.numel() for p in model.parameters()) == card["parameters"] < 3e6
    assert (models.CHECKPOINTS / "small_decoder.safetensors").stat().st_size < 8e6
    windows = language.tokens("validation")[: 20 * 128].view(-1, 128)
    with torch.no_grad():
        logits = model(windows[:, :-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
    assert math.exp(loss) == pytest.approx(card["validation_perplexity"], rel=0.25)  # a part of the chapters


def test_it_sees_no_token_of_the_future_and_a_cache_changes_nothing():
    torch.manual_seed(0)
    model = language.Decoder(vocabulary=50, dim=32, layers=2, heads=4, kv_heads=2, hidden=48).eval()
    ids = torch.randint(50, (1, 9))
    with torch.no_grad():
        whole = model(ids)
        assert torch.allclose(whole[:, :4], model(ids[:, :4]), atol=1e-5)
        cache: list[list[torch.Tensor]] = [[] for _ in model.layers]
        steps = [model(ids[:, :3], cache)] + [model(ids[:, i : i + 1], cache) for i in range(3, 9)]
    assert torch.allclose(whole, torch.cat(steps, 1), atol=1e-5)
    assert model.generate(ids[0].tolist(), 3)[0] == whole[0, -1].argmax()


def test_the_calibration_windows_are_training_text():
    windows = load_file(models.CHECKPOINTS / "lesson08.safetensors")["calibration"]
    assert windows.shape == (64, 128)
    text = language.text("train")
    assert all(TOKENIZER.decode(w.tolist()[2:-2]) in text for w in windows)


def test_q4_0_of_the_solution_is_what_gguf_writes_and_reads():
    from gguf import GGMLQuantizationType, quants

    cells = teacher_notebook(find_source("08")).cells
    (answer,) = (c.source for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == "q4_0_encode")
    names: dict = {"torch": torch}
    exec(answer, names)
    w = torch.randn(40, 96, generator=torch.Generator().manual_seed(0))
    blob = quants.quantize(w.numpy(), GGMLQuantizationType.Q4_0)
    assert names["q4_0_encode"](w) == blob.tobytes()
    theirs = torch.from_numpy(quants.dequantize(blob, GGMLQuantizationType.Q4_0))
    assert torch.equal(names["q4_0_decode"](blob.tobytes(), w.shape), theirs)
