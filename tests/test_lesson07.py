"""Lesson 07: properties of the reference answers for any input, and the range coder that the text shows."""

import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.source import LESSONS, find_source, teacher_notebook


@pytest.fixture(scope="module")
def lesson():
    """The set-up of lesson 07 and all its answers."""
    names: dict = {"__name__": "lesson07"}
    threads = torch.get_num_threads()
    sys.path.insert(0, str(LESSONS / "07_deep_compression"))
    try:
        for cell in teacher_notebook(find_source("07")).cells:
            marks = cell.metadata.get("nbgrader", {})
            if marks.get("grade_id") == "setup" or marks.get("solution"):
                exec(cell.source, names)
    finally:
        sys.path.pop(0)
        torch.set_num_threads(threads)
    return names


SLOW_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # decides nothing
COUNTS = st.lists(st.integers(0, 10**6), max_size=60)


@given(COUNTS)
@SLOW_MACHINE
def test_huffman_lengths_are_optimal_and_fit_into_a_prefix_code(lesson, counts):
    lengths = lesson["huffman_lengths"](counts)
    used = [n for c, n in zip(counts, lengths, strict=True) if c]
    assert [n == 0 for n in lengths] == [c == 0 for c in counts]
    assert sum(2.0**-n for n in used) == (1 if len(used) > 1 else 0.5 * len(used))
    assert sum(c * n for c, n in zip(counts, lengths, strict=True)) == lesson["checks07"].least_bits(counts)
    bound = lesson["entropy_bits"](counts) * sum(counts)
    assert bound - 1e-6 * sum(counts) <= lesson["checks07"].least_bits(counts) < bound + sum(counts) + 1


@given(COUNTS)
@SLOW_MACHINE
def test_canonical_codes_are_free_of_prefixes_and_in_order(lesson, counts):
    lengths = lesson["huffman_lengths"](counts)
    codes = lesson["canonical_codes"](lengths)
    assert [len(code) for code in codes] == lengths
    used = sorted(code for code in codes if code)
    assert not any(b.startswith(a) for a, b in pairwise(used))
    assert codes == lesson["checks07"].place_codes(lengths)


@given(st.data(), st.integers(1, 40))
@SLOW_MACHINE
def test_any_symbols_survive_the_round_trip(lesson, data, alphabet):
    symbols = data.draw(st.lists(st.integers(0, alphabet - 1), max_size=300))
    counts = [symbols.count(s) for s in range(alphabet)]
    codes = lesson["canonical_codes"](lesson["huffman_lengths"](counts))
    blob = lesson["encode_symbols"](symbols, codes)
    assert len(blob) == -(-lesson["checks07"].least_bits(counts) // 8)
    assert lesson["decode_symbols"](blob, codes, len(symbols)) == symbols
    if symbols:
        with pytest.raises(ValueError):
            lesson["decode_symbols"](blob[:-1], codes, len(symbols) + 8)


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.integers(1, 9))
@SLOW_MACHINE
def test_any_mask_survives_the_round_trip(lesson, mask, bits):
    gaps, real = lesson["relative_index"](torch.tensor(mask), bits)
    places = (torch.tensor(gaps, dtype=torch.int64) + 1).cumsum(0) - 1
    back = torch.zeros(len(mask), dtype=torch.bool)
    back[places[torch.tensor(real, dtype=torch.bool)]] = True
    assert back.tolist() == mask
    assert all(0 <= gap < 2**bits for gap in gaps)
    assert not real or real[-1]
    assert all(gap == 2**bits - 1 for gap, kept in zip(gaps, real, strict=True) if not kept)


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60), st.integers(1, 4))
@SLOW_MACHINE
def test_k_means_ends_where_nothing_moves(lesson, values, bits):
    values = torch.tensor(values)
    for init in ("linear", "density", "random"):
        answer = lesson["kmeans_codebook"](values, bits, init)
        lesson["checks07"].check_codebook(answer, values, bits, init)


@given(st.integers(0, 1000), st.floats(0, 1), st.integers(1, 255))
@settings(SLOW_MACHINE, max_examples=25)
def test_any_clustered_model_survives_both_coders(lesson, seed, density, values):
    state = lesson["checks07"].clustered("convolutions", seed, density, values)
    coders = (lesson["compress"], lesson["decompress"]), (lesson["lesson07"].range_file, lesson["lesson07"].range_read)
    for write, read in coders:
        back = lesson["checks07"].network("convolutions")
        read(write(lesson["checks07"].state_after("convolutions", state)), back)
        lesson["checks07"].check_state(dict(back.named_parameters()), state, write.__name__)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=500))
@SLOW_MACHINE
def test_the_range_coder_reads_what_it_wrote(lesson, bits):
    coder = lesson["lesson07"].RangeCoder()
    for context, bit in bits:
        coder.bit(context, bit)
    reader = lesson["lesson07"].RangeCoder(coder.finish())
    assert [reader.bit(context) for context, _ in bits] == [bit for _, bit in bits]


def test_the_range_coder_survives_long_runs_and_carries(lesson):
    rng = torch.Generator().manual_seed(0)
    for share in (0.001, 0.03, 0.5, 0.999):
        bits = (torch.rand(20_000, generator=rng) < share).int().tolist()
        coder = lesson["lesson07"].RangeCoder()
        for bit in bits:
            coder.bit(0, bit)
        blob = coder.finish()
        entropy = lesson["entropy_bits"]([bits.count(0), bits.count(1)]) * len(bits) / 8
        assert len(blob) < 1.01 * entropy + 8
        reader = lesson["lesson07"].RangeCoder(blob)
        assert [reader.bit(0) for _ in bits] == bits


@pytest.mark.parametrize("name", ["lenet_300_100", "lenet_5"])
def test_a_disguised_network_computes_the_same(lesson, name):
    model = lesson["lesson07"].shipped(name, "clustered")
    other = lesson["checks07"].network(name)
    other.load_state_dict(lesson["checks07"].disguised(name, model.state_dict(), seed=3))
    x = torch.randn(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(x), other.eval()(x), atol=1e-4)
    assert not torch.equal(
        model.state_dict()["0.weight" if name == "lenet_5" else "1.weight"], next(other.parameters())
    )
