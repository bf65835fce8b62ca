"""What the test cells of lesson 07 call: inputs, slow and obvious oracles, and the sentences about mistakes."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from bonsai import measure, models
from bonsai.scratch import HIDDEN_COMPRESSORS
from bonsai.testing import difference, fail, require, show
from bonsai.wording import call_as_code, raised

# Libraries that would do an exercise of this lesson. Everything else in torch, numpy and scipy is allowed.
CLUSTERING = ["sklearn", "scipy.cluster"]
COMPRESSORS = [
    *("zlib", "gzip", "bz2", "lzma", "zipfile", "tarfile", "codecs", "compression", "numpy.savez_compressed"),
    *("zstandard", "zstd", "brotli", "lz4", "snappy", "blosc", "constriction", "dahuffman", "huffman", "bitarray"),
    *("matplotlib.image.imsave", "matplotlib.pyplot.imsave", "xmlrpc.client.gzip_encode"),
    *HIDDEN_COMPRESSORS,
]
PICKLES = ["pickle", "cloudpickle", "dill", "marshal", "joblib", "shelve", "torch.save", "torch.load", "numpy.load"]
PICKLES += ["_pickle", "multiprocessing.reduction", "torch.serialization", "torch.jit.save", "torch.package"]
PICKLES += ["numpy.lib.format"]
# What lies beside the notebook: the range coder that the text shows, and the oracles below. No answer may use these
# modules at all; what is named here is out of order while a probe runs, too.
BESIDE = [f"lesson07.{name}" for name in ("RangeCoder", "walk", "range_file", "range_read")]
BESIDE += [f"checks07.{name}" for name in ("sum_of_clusters", "entropy_by_logs", "place_codes", "bytes_of", "written")]
BESIDE += ["checks07.gaps_by_walking", "checks07.read_without_leading_zeros", "checks07.gaps_of_distances"]
BESIDE += ["checks07.rounds"]
FORBIDDEN = [*CLUSTERING, *COMPRESSORS, *BESIDE]


# k-means --------------------------------------------------------------------------------------------------------------


def clouds(seed: int, sizes: tuple[int, ...], spread: float = 0.05) -> Tensor:
    """Groups of values around 0, 1, 2, … that k-means cannot miss."""
    rng = torch.Generator().manual_seed(seed)
    groups = [torch.randn(n, generator=rng) * spread + centre for centre, n in enumerate(sizes)]
    return torch.cat(groups)[torch.randperm(sum(sizes), generator=rng)]


def check_codebook(
    answer: Any,
    values: Tensor,
    bits: int,
    what: str,
    codebook: list[float] | None = None,
    init: str = "linear",
    at_rest: bool = True,
) -> None:
    """Whether (codebook, indices) is what k-means ends with; `codebook` is the one that the linear start leads to.

    Args:
        at_rest: whether it comes to its end within a hundred rounds.
    """
    k, exact = 2**bits, values.double()
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2 and all(isinstance(t, Tensor) for t in answer)
    require(pair, f"{what}: expected two tensors, codebook and indices, yours {show(answer)}")
    book, indices = answer
    require(book.is_floating_point(), f"{what}: expected a float32 codebook, yours has dtype {book.dtype}")
    entries = "2**bits entries" if tuple(book.shape) != (bits,) else "2**bits entries, not bits"
    size = f"{what}: expected a codebook of shape ({k},), {entries}, yours {tuple(book.shape)}"
    require(tuple(book.shape) == (k,), f"{size}; empty clusters stay in it")
    require(not book.isnan().any(), f"{what}: the mean of an empty cluster is nan; an empty cluster stays where it is")
    whole = not indices.is_floating_point() and indices.dtype != torch.bool
    require(whole, f"{what}: expected int64 indices, yours have dtype {indices.dtype}")
    shape = indices.shape == values.shape
    require(shape, f"{what}: expected indices of shape {tuple(values.shape)}, yours {tuple(indices.shape)}")
    inside = int(indices.min()) >= 0 and int(indices.max()) < k
    require(inside, f"{what}: indices lie in 0..{k - 1}, yours in {int(indices.min())}..{int(indices.max())}")
    rising = bool((book.diff() >= 0).all())
    require(rising, f"{what}: the codebook does not rise; sort it, and number the indices anew\n  yours {show(book)}")
    tiny = 1e-5 * max(1e-30, float(exact.abs().max()))
    book, indices = book.double(), indices.long()
    _check_nearest(book, indices, exact, tiny, what)
    if at_rest:
        _check_means(book, indices, exact, tiny, what, init)
    if codebook is not None:
        want = torch.tensor(codebook, dtype=torch.float64)
        found = difference(book, want, torch.full_like(want, max(tiny, 1e-4)))
        start = "from equal steps between min and max, and with empty clusters that stay, it ends elsewhere"
        require(found is None, f"{what}: {start}\n{found}")


def _check_nearest(book: Tensor, indices: Tensor, values: Tensor, tiny: float, what: str) -> None:
    distance = (values - book[indices]).abs()
    least = torch.stack([(values - entry).abs() for entry in book]).amin(0)
    far = (distance > least + tiny).nonzero().flatten()
    if len(far):
        i = int(far[0])
        nearest = int((values[i] - book).abs().argmin())
        require(
            False,
            f"{what}: an index has a nearer entry; after the last move of the codebook, assign once more\n"
            f"  value {show(values[i].item())} at [{i}]: yours {int(indices[i])} ({show(book[indices[i]].item())}), "
            f"nearest {nearest} ({show(book[nearest].item())})",
        )


def _check_means(book: Tensor, indices: Tensor, values: Tensor, tiny: float, what: str, init: str) -> None:
    for entry in range(len(book)):
        members = values[indices == entry]
        if len(members) and abs(members.mean() - book[entry]) > 10 * tiny:
            middle = (
                abs(members.median() - book[entry]) <= 10 * tiny or abs(members.quantile(0.5) - book[entry]) <= tiny
            )
            cause = "it is their median" if middle and len(members) > 2 else ""
            if not cause and init == "linear":
                cause = _where_it_comes_from(book, values, 10 * tiny)
            require(
                False,
                f"{what}: entry {entry} is not the mean of its {len(members)} values{'; ' * bool(cause)}{cause}\n"
                f"  expected {show(members.mean().item())}\n  yours    {show(book[entry].item())}",
            )


def _where_it_comes_from(book: Tensor, values: Tensor, tiny: float) -> str:
    """What a codebook that is not at rest agrees with: a round of the linear start, or the end with other borders."""
    start = torch.linspace(float(values.min()), float(values.max()), len(book), dtype=torch.float64)
    for number, moved in enumerate(rounds(start, values, lambda c: (c[1:] + c[:-1]) / 2)):
        if difference(book, moved, torch.full_like(moved, tiny)) is None:
            return f"it is there after round {number}; go on until nothing moves"
    for borders in (lambda c: c[1:], lambda c: c[:-1]):
        *_, end = rounds(start, values, borders)
        if difference(book, end, torch.full_like(end, tiny)) is None:
            return "the border between two entries lies half way between them, not at an entry"
    return ""


def rounds(book: Tensor, values: Tensor, borders: Callable) -> list[Tensor]:
    """The codebook at the start and after each of a hundred rounds of Lloyd's algorithm with these borders."""
    books = [book]
    for _ in range(100):
        indices = torch.bucketize(values, borders(books[-1]).contiguous())
        count = indices.bincount(minlength=len(book))
        total = torch.zeros_like(book).index_add_(0, indices, values)
        books.append(torch.where(count > 0, total / count.clamp(min=1), books[-1]))
    return books


def check_spread(answer: Any, values: Tensor, bits: int, init: str) -> None:
    """A start among the values themselves leaves few entries empty, also when one value lies far outside."""
    check_codebook(answer, values, bits, f'init="{init}"', init=init)
    used = int((answer[1].long().bincount(minlength=2**bits) > 0).sum())
    require(
        used >= 2**bits // 2,
        f'init="{init}": it looks as if init was ignored; a start among the values uses most entries\n'
        f"  expected at least {2**bits // 2} of {2**bits} used\n  yours    {used}",
        f'init="{init}"',
    )


def sum_of_clusters(grad: Tensor, indices: Tensor, k: int) -> Tensor:
    """One weight after the other."""
    total = [0.0] * k
    for g, i in zip(grad.flatten().tolist(), indices.flatten().tolist(), strict=True):
        total[i] += g
    return torch.tensor(total)


def mean_of_clusters(grad: Tensor, indices: Tensor, k: int) -> Tensor:
    return sum_of_clusters(grad, indices, k) / indices.flatten().bincount(minlength=k).clamp(min=1)


def last_of_clusters(grad: Tensor, indices: Tensor, k: int) -> Tensor:
    kept = torch.zeros(k)
    for g, i in zip(grad.flatten().tolist(), indices.flatten().tolist(), strict=True):
        kept[i] = g
    return kept


def without_empty_end(grad: Tensor, indices: Tensor, k: int) -> Tensor:
    return sum_of_clusters(grad, indices, int(indices.max()) + 1)


GRADIENT_MISTAKES: dict[str, Callable] = {
    "This is the mean over the weights of a cluster; the gradient of a shared value is the sum.": mean_of_clusters,
    "Only one weight of each cluster counts; += with repeated indices does not add up.": last_of_clusters,
    "Entries at the end without weights are missing; the result has k entries.": without_empty_end,
}

# Entropy and Huffman --------------------------------------------------------------------------------------------------


def least_bits(counts: list[int]) -> int:
    """Bits of an optimal prefix code for all symbols: the sum of the inner nodes of Huffman's tree."""
    heap = sorted(c for c in counts if c > 0)
    if len(heap) == 1:
        return heap[0]
    total = 0
    while len(heap) > 1:
        total += heap[0] + heap[1]
        heap = sorted([heap[0] + heap[1], *heap[2:]])
    return total


def entropy_by_logs(counts: list[int]) -> float:
    """The mean of -log2 p over all occurrences."""
    used = [c for c in counts if c > 0]
    return math.fsum(-c * math.log2(c / sum(used)) for c in used) / sum(used) if used else 0.0


ENTROPY_MISTAKES: dict[str, Callable] = {
    "In nats: the logarithm has base 2.": lambda counts: entropy_by_logs(counts) * math.log(2),
    "Bits for all symbols together; divide by their number.": lambda counts: entropy_by_logs(counts) * sum(counts),
    "The sign is wrong: entropy is not negative.": lambda counts: -entropy_by_logs(counts),
    "Every symbol counts alike here; weight each by its probability.": lambda counts: (
        sum(math.log2(sum(counts) / c) for c in counts if c > 0) / max(1, sum(c > 0 for c in counts))
    ),
    "This is the logarithm of the number of symbols: right only if all are equally frequent.": lambda counts: math.log2(
        max(1, len(counts))
    ),
}


def divides_by_nothing(got: Any, want: float, counts: list[int]) -> bool:
    return isinstance(got, ZeroDivisionError) and sum(counts) == 0


ENTROPY_SYMPTOMS: dict[str, Callable] = {
    "Nothing at all, and zeros alone, have entropy 0; look for that before dividing.": divides_by_nothing
}


def fibonacci(n: int) -> list[int]:
    """Counts whose optimal tree is as deep as a tree can be."""
    counts = [1, 1]
    while len(counts) < n:
        counts.append(counts[-1] + counts[-2])
    return counts[:n]


def random_counts(seed: int, rounds: int) -> list[list[int]]:
    """Counts of all kinds: even, steep, with zeros, with ties."""
    rng = torch.Generator().manual_seed(seed)
    draws = []
    for i in range(rounds):
        n = int(torch.randint(1, 40, (1,), generator=rng))
        steep = torch.rand(n, generator=rng) ** (1 + 4 * (i % 3)) * 1000
        counts = steep.long() * (torch.rand(n, generator=rng) > 0.2)
        draws.append((counts // 300 if i % 4 == 3 else counts).tolist())
    return draws


def check_lengths(huffman_lengths: Callable, cases: list[list[int]]) -> None:
    """Whether lengths make an optimal prefix code; which of several equally good ones is free."""
    for counts in cases:
        what = call_as_code("huffman_lengths", (counts,)) or f"huffman_lengths of {len(counts)} counts"
        given = list(counts)
        lengths = huffman_lengths(given)
        require(given == counts, f"{what}: the list of counts was changed; work on a copy\n  it is now {given!s:.100}")
        form = isinstance(lengths, (list, tuple)) and len(lengths) == len(counts)
        require(form, f"{what}: expected a list of {len(counts)} ints, yours {lengths!s:.100}")
        whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in lengths)
        require(whole, f"{what}: lengths are Python ints from 0, yours {lengths!s:.100}")
        yours = f"\n  yours {list(lengths)!s:.100}"
        used = [(c, n) for c, n in zip(counts, lengths, strict=True) if c > 0]
        coded = [n for c, n in zip(counts, lengths, strict=True) if c == 0 and n]
        require(not coded, f"{what}: a symbol that never occurs gets a code; its length is 0{yours}")
        if len(used) == 1:
            require(used[0][1] > 0, f"{what}: a single symbol needs 1 bit, else no decoder can count them{yours}")
        missing = [c for c, n in used if n == 0]
        require(not missing, f"{what}: a symbol that occurs has length 0, so it cannot be written{yours}")
        kraft = sum((Fraction(1, 2**n) for _, n in used), Fraction(0))
        require(kraft <= 1, f"{what}: no prefix code has these lengths; Kraft's sum is {float(kraft):.4g} > 1{yours}")
        bits, least = sum(c * n for c, n in used), least_bits(counts)
        ideal = [max(1, math.ceil(math.log2(sum(counts) / c))) for c, _ in used]
        fixed = len(used) > 1 and len({n for _, n in used}) == 1
        cause = (
            "these are the lengths of a code that is one bit too deep everywhere"
            if bits - least == sum(counts)
            else "these are -log2(p) rounded to whole bits, which is not the cheapest code"
            if [n for _, n in used] == ideal
            else "all symbols have the same length"
            if fixed
            else "a prefix code, but not the cheapest; join the two least counts again and again"
        )
        require(bits == least, f"{what}: {cause}\n  expected {least} bits in all\n  yours    {bits} bits{yours}")
    print(f"✓ huffman_lengths: {len(cases)} cases")


def lengths_for(counts: list[int]) -> list[int]:
    """Lengths of some prefix code, not the best one: -log2 p rounded up."""
    total = max(1, sum(counts))
    return [max(1, math.ceil(math.log2(total / c))) if c > 0 else 0 for c in counts]


# Codes ----------------------------------------------------------------------------------------------------------------


def place_codes(lengths: list[int]) -> list[str]:
    """RFC 1951, 3.2.2, seen on the number line: each code is an interval of width 2^-length, laid side by side."""
    start, codes = Fraction(0), [""] * len(lengths)
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):
        codes[symbol] = format(int(start * 2**length), f"0{length}b")
        start += Fraction(1, 2**length)
    return codes


def reversed_codes(lengths: list[int]) -> list[str]:
    return [code[::-1] for code in place_codes(lengths)]


def longest_first(lengths: list[int]) -> list[str]:
    """The same idea from the other end: the longest codes get the smallest numbers."""
    flipped = str.maketrans("01", "10")
    return [code.translate(flipped) for code in place_codes(lengths)]


def numbered_by_symbol(lengths: list[int]) -> list[str]:
    """Intervals in the order of the symbols, not of the lengths: they do not start where codes of their length do."""
    start, codes = Fraction(0), []
    for n in lengths:
        codes.append(format(int(start * 2**n), f"0{n}b") if n else "")
        start += Fraction(1, 2**n) if n else 0
    return codes


def numbered_unsorted(lengths: list[int]) -> list[str]:
    """Counted on from symbol to symbol, shifted to the left or back where the length changes."""
    code, before, codes = 0, 0, []
    for n in lengths:
        if n:
            code = code << n - before if n >= before else code >> before - n
            before = n
        codes.append(format(code, f"0{n}b") if n else "")
        code += bool(n)
    return codes


def last_symbol_first(lengths: list[int]) -> list[str]:
    return place_codes(lengths[::-1])[::-1]


def zeros_lost(lengths: list[int]) -> list[str]:
    return [format(int(code, 2), "b") if code else "" for code in place_codes(lengths)]


def not_shifted(lengths: list[int]) -> list[str]:
    """Counts on by one where codes get longer, without the shift."""
    codes = [""] * len(lengths)
    for code, (length, symbol) in enumerate(sorted((n, s) for s, n in enumerate(lengths) if n)):
        codes[symbol] = format(code, f"0{length}b")
    return codes


def zeros_counted(lengths: list[int]) -> list[str]:
    """Symbols of length 0 take part in the count of codes: the first code of length 1 does not start at 0."""
    count = [lengths.count(n) for n in range(max(lengths, default=0) + 1)]
    code, codes = 0, [""] * len(lengths)
    for length in range(1, len(count)):
        code = (code + count[length - 1]) << 1
        at = code
        for symbol in [s for s, n in enumerate(lengths) if n == length]:
            codes[symbol] = format(at, f"0{length}b")
            at += 1
    return codes


CODE_MISTAKES: dict[str, Callable | tuple] = {
    "The codes are reversed; read in order they are not free of prefixes any more.": reversed_codes,
    "The longest codes come first; in RFC 1951 the shortest have the smallest numbers.": longest_first,
    "Leading zeros are lost; a code of length n has n characters.": zeros_lost,
    "Where codes get longer, the next number is shifted left by one for each bit.": not_shifted,
    "Symbols of length 0 were counted as codes; they take no room.": zeros_counted,
    "Numbered in the order of the symbols alone; shorter codes come first.": (numbered_by_symbol, numbered_unsorted),
    "Among codes of one length the last symbol comes first; the least symbol does.": last_symbol_first,
}


def asks_for_a_full_code(got: Any, want: list[str], lengths: list[int]) -> bool:
    return isinstance(got, ValueError) and sum(Fraction(1, 2**n) for n in lengths if n) < 1


def counts_what_has_no_code(got: Any, want: list[str], lengths: list[int]) -> bool:
    return isinstance(got, ValueError) and 0 in lengths


CODE_SYMPTOMS: dict[str, Callable] = {
    "Lengths need not use up all codes: only a sum of 2**-length above 1 is an error.": asks_for_a_full_code,
    "Symbols of length 0 have no code: leave them out of the sum of 2**-length.": counts_what_has_no_code,
}


def bytes_of(bits: str, low_first: bool = False, front: bool = False, ones: bool = False) -> bytes:
    """A text of 0 and 1 as bytes, high bit first, zeros at the end; or with one of the mistakes."""
    missing = -len(bits) % 8
    bits = "0" * missing + bits if front else bits + ("1" if ones else "0") * missing
    parts = [bits[i : i + 8] for i in range(0, len(bits), 8)]
    return bytes(int(part[::-1] if low_first else part, 2) for part in parts)


def written(symbols: list[int], codes: list[str]) -> bytes:
    return bytes_of("".join(codes[s] for s in symbols))


WRITING_MISTAKES: dict[str, Callable] = {
    "Low bit first; the first bit of a code is the high bit of its byte.": lambda symbols, codes: bytes_of(
        "".join(codes[s] for s in symbols), low_first=True
    ),
    "The missing bits of the last byte stand in front; they belong at the end.": lambda symbols, codes: bytes_of(
        "".join(codes[s] for s in symbols), front=True
    ),
    "The last byte is filled up with ones; fill it with zeros.": lambda symbols, codes: bytes_of(
        "".join(codes[s] for s in symbols), ones=True
    ),
    "Each symbol starts a byte of its own; codes stand side by side.": lambda symbols, codes: b"".join(
        bytes_of(codes[s]) for s in symbols
    ),
    "The bytes stand in the reverse order; the first symbol's bits are in the first byte.": lambda symbols, codes: (
        written(symbols, codes)[::-1]
    ),
    "A byte of zeros was added to bits that fill their bytes.": lambda symbols, codes: (
        written(symbols, codes) + bytes(sum(len(codes[s]) for s in symbols) % 8 == 0)
    ),
    "Each code is written backwards.": lambda symbols, codes: bytes_of("".join(codes[s][::-1] for s in symbols)),
}


def too_many(got: Any, want: list[int], blob: bytes, codes: list[str], n: int) -> bool:
    return len(got) > n and list(got[:n]) == want


def too_few(got: Any, want: list[int], blob: bytes, codes: list[str], n: int) -> bool:
    return len(got) < n and list(got) == want[: len(got)]


def read_without_leading_zeros(blob: bytes, codes: list[str], n: int) -> list[int]:
    """As many of the n symbols as there are when each byte is written with as few digits as it needs."""
    known = {c: s for s, c in enumerate(codes) if c}
    found: list[int] = []
    word = ""
    for digit in "".join(f"{byte:b}" for byte in blob):
        word += digit
        if word in known and len(found) < n:
            found.append(known[word])
            word = ""
    return found


def loses_leading_zeros(got: Any, want: list[int], blob: bytes, codes: list[str], n: int) -> bool:
    return list(got) == read_without_leading_zeros(blob, codes, n) != want


READING_MISTAKES: dict[str, Callable] = {
    "Leading zeros of bytes are lost; each byte has eight bits.": loses_leading_zeros,
    "The zeros that fill the last byte were read as symbols; stop after n.": too_many,
    "It stops too early; n symbols are in the bytes.": too_few,
}


def random_text(seed: int, symbols: int, n: int) -> tuple[list[int], list[str]]:
    """n random symbols, and a prefix code for them whose lengths differ."""
    rng = torch.Generator().manual_seed(seed)
    lengths = [min(i + 1, symbols - 1) for i in range(symbols)] if symbols > 1 else [1]
    codes = place_codes(lengths)
    order = torch.randperm(symbols, generator=rng).tolist()
    return torch.randint(symbols, (n,), generator=rng).tolist(), [codes[i] for i in order]


# Positions ------------------------------------------------------------------------------------------------------------


def gaps_by_walking(
    mask: list[bool], bits: int, most: int | None = None, skipped: int = 0
) -> tuple[list[int], list[bool]]:
    """One place after the other; or with another largest gap, or another count at the beginning."""
    most, pairs = 2**bits - 1 if most is None else most, []
    last = max((i for i, kept in enumerate(mask) if kept), default=-1)
    for place in range(last + 1):
        if mask[place] or skipped == most:
            pairs.append((skipped, bool(mask[place])))
            skipped = 0
        else:
            skipped += 1
    return [gap for gap, _ in pairs], [kept for _, kept in pairs]


def gaps_from_one(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    gaps, real = gaps_by_walking(mask, bits)
    return [g + 1 for g in gaps], real


def gaps_from_one_for_kept(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    gaps, real = gaps_by_walking(mask, bits)
    return [g + kept for g, kept in zip(gaps, real, strict=True)], real


def gaps_of_one_code_more(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    return gaps_by_walking(mask, bits, most=2**bits)


def gaps_from_minus_one(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    return gaps_by_walking(mask, bits, skipped=-1)


def gaps_with_tail(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    gaps, real = gaps_by_walking([*mask, True], bits)
    return (gaps, real) if real[-1] is False else (gaps[:-1], real[:-1])


def gaps_without_place(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    """A filler skips 2^bits - 1 places and takes none."""
    gaps, real, last = [], [], -1
    for place in [i for i, kept in enumerate(mask) if kept]:
        skip, last = place - last - 1, place
        while skip > 2**bits - 1:
            gaps.append(2**bits - 1)
            real.append(False)
            skip -= 2**bits - 1
        gaps.append(skip)
        real.append(True)
    return gaps, real


def gaps_filled_too_early(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    """A filler already where exactly 2^bits - 1 places are skipped."""
    gaps, real, last = [], [], -1
    for place in [i for i, kept in enumerate(mask) if kept]:
        skip, last = place - last - 1, place
        while skip >= 2**bits - 1:
            gaps.append(2**bits - 1)
            real.append(False)
            skip -= 2**bits - 1
        gaps.append(skip)
        real.append(True)
    return gaps, real


def gaps_from_the_first_place(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    """As if something stood at place 0 already: the first run is one too short."""
    return gaps_by_walking(mask[1:] if mask and not mask[0] else mask, bits)


def gaps_with_one_filler(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    gaps, real, last = [], [], -1
    for place in [i for i, kept in enumerate(mask) if kept]:
        skip, last = place - last - 1, place
        if skip > 2**bits - 1:
            gaps.append(2**bits - 1)
            real.append(False)
            skip -= 2**bits
        gaps.append(skip)
        real.append(True)
    return gaps, real


def gaps_of_distances(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    """Distances to the entry before, from 1, in place of the places skipped; fillers are made of these."""
    gaps, real, last = [], [], -1
    for place in [i for i, kept in enumerate(mask) if kept]:
        fillers, rest = divmod(place - last, 2**bits)
        gaps += [2**bits - 1] * fillers + [rest]
        real += [False] * fillers + [True]
        last = place
    return gaps, real


def gaps_without_fillers(mask: list[bool], bits: int) -> tuple[list[int], list[bool]]:
    places = [i for i, kept in enumerate(mask) if kept]
    return [b - a - 1 for a, b in pairwise([-1, *places])], [True] * len(places)


GAP_MISTAKES: dict[str, Callable | tuple] = {
    "These are distances from 1; a gap counts the places skipped, so a neighbour has gap 0.": (
        *(gaps_from_one, gaps_of_distances, gaps_from_one_for_kept),
    ),
    "The largest gap is 2**bits - 1: 2**bits does not fit into so many bits.": gaps_of_one_code_more,
    "The first gap counts all places before the first kept weight: the count begins with 0.": gaps_from_minus_one,
    "Nothing follows the last kept weight: no filler for the rest.": gaps_with_tail,
    "A filler sits on a place of its own: it skips 2**bits - 1 places and takes the next.": gaps_without_place,
    "A filler too early: 2**bits - 1 skipped places still fit into one gap.": gaps_filled_too_early,
    "The first gap counts all places before the first kept weight: what stands before is at -1, not at 0.": (
        gaps_from_the_first_place
    ),
    "One filler is not always enough; a long run of pruned weights needs several.": gaps_with_one_filler,
    "A gap is larger than 2**bits - 1; long runs need fillers.": gaps_without_fillers,
}


def plain_gaps(answer: Any) -> Any:
    """Lists of what relative_index returned; tensors become lists. What has another form stays as it is."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return answer
    gaps, real = (t.tolist() if isinstance(t, Tensor) else t for t in answer)
    return (gaps, real) if isinstance(gaps, list) and isinstance(real, list) else answer


def check_gaps(relative_index: Callable, cases: list[tuple[Tensor, int]]) -> None:
    """Compare with the walk; name the mistake that gives the same answers wherever this one is wrong."""
    answers = [plain_gaps(relative_index(mask.clone(), bits)) for mask, bits in cases]
    wants = [gaps_by_walking(mask.tolist(), bits) for mask, bits in cases]
    first = next((i for i, want in enumerate(wants) if difference(answers[i], want)), None)
    if first is None:
        print(f"✓ relative_index: {len(cases)} cases")
        return
    got, want, (mask, bits) = answers[first], wants[first], cases[first]
    text = "".join("1" if kept else "0" for kept in mask[:24].tolist()) + ("…" if len(mask) > 24 else "")
    sentence = ""
    if isinstance(got, tuple) and got[0] == want[0] and got[1] == [not kept for kept in want[1]]:
        sentence = "real is True for kept weights and False for fillers."
    elif isinstance(got, list) and all(isinstance(pair, tuple) for pair in got):
        sentence = "two lists are expected, gaps and real, not a list of pairs."
    elif (named := gap_mistake(cases, answers)) != "":
        sentence = named
    elif isinstance(got, tuple) and any(isinstance(gap, int) and gap < 0 for gap in got[0]):
        sentence = "A gap is negative: a filler was set where 2**bits - 1 skipped places still fit into one gap."
    shown = f"\n  expected {want!s:.120}\n  yours    {got!s:.120}"
    require(False, f"relative_index({text}, {bits}): {sentence}{shown}")


def gap_mistake(cases: list[tuple[Tensor, int]], answers: list[Any]) -> str:
    """The mistake that gives all answers; else "", since a sentence has to agree with each of them."""
    for sentence, ways in GAP_MISTAKES.items():
        for wrong in ways if isinstance(ways, tuple) else (ways,):
            made = (wrong(mask.tolist(), bits) for mask, bits in cases)
            if all(difference(answer, gaps) is None for answer, gaps in zip(answers, made, strict=True)):
                return sentence
    return ""


LEAST_RATIO = {"lenet_300_100": (80, 70), "lenet_5": (55, 50)}  # of the file, and of file and reader together

# The file -------------------------------------------------------------------------------------------------------------

SPECS: dict[str, list] = {
    "linear": [("Flatten",), ("Linear", 12, 9), ("ReLU",), ("Linear", 9, 5)],
    "no bias": [("Linear", 30, 7, {"bias": False})],
    "convolutions": [
        *(("Conv2d", 2, 6, 3), ("ReLU",), [("Conv2d", 6, 4, 3, {"bias": False}), ("Flatten",)], ("Linear", 100, 3)),
    ],
    "wide": [("Linear", 400, 150), ("ReLU",), ("Linear", 150, 20)],
    "one weight": [("Linear", 1, 1)],
    "lenet_300_100": [],
    "lenet_5": [],
}


def network(kind: str) -> nn.Module:
    """A network of one of these kinds, untrained."""
    return models.MODELS[kind]() if kind in models.MODELS else models.network(SPECS[kind])


def clustered(kind: str, seed: int, density: float, values: int) -> dict[str, Tensor]:
    """A state for `network(kind)`: each weight keeps a share `density`, and takes at most `values` different values."""
    rng = torch.Generator().manual_seed(seed)
    state = network(kind).state_dict()
    for name, t in state.items():
        if t.dim() == 1:
            state[name] = torch.randn(t.shape, generator=rng)
            continue
        book = torch.randn(values, generator=rng)
        book[book == 0] = 1.0
        steep = (torch.rand(t.shape, generator=rng) ** 2 * values).long().clamp(max=values - 1)
        state[name] = book[steep] * (torch.rand(t.shape, generator=rng) < density)
    return state


def state_after(kind: str, state: dict[str, Tensor]) -> nn.Module:
    """The network with these values."""
    model = network(kind)
    model.load_state_dict(state)
    return model


def other_numbers(shape: torch.Size) -> Tensor:
    """What a parameter of this shape holds before `decompress` fills it."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


def unread(kind: str) -> nn.Module:
    """The network with numbers that have nothing to do with any file."""
    model = network(kind)
    model.load_state_dict({name: other_numbers(t.shape) for name, t in model.state_dict().items()})
    return model


def read(reader: Callable, blob: bytes, kind: str, what: str) -> Any:
    """What the reader makes of a file; an error in it is said together with the network that it was reading."""
    try:
        return reader(blob, kind)
    except Exception as error:
        if isinstance(error, (NotImplementedError, AssertionError)):
            raise
        fail(f"{what}: decompress {raised(error)}", cause=error)


def described(kind: str, density: float, values: int) -> str:
    return f"{kind} ({density:.1%} kept, {values} value{'s' * (values > 1)})"


def check_state(back: Any, state: dict[str, Tensor], what: str) -> None:
    """Whether decoded values are those of the model: weights exactly, biases up to float16."""
    require(isinstance(back, dict) and set(back) == set(state), f"{what}: the decoded model has other parameters")
    for name, want in state.items():
        got = back[name]
        right = isinstance(got, Tensor) and got.shape == want.shape and got.dtype == want.dtype
        require(right, f"{what}: {name} has another shape or dtype after decompress")
        if want.dim() == 1:
            limit = 2.0**-11 * want.double().abs() + 2.0**-24  # half a step of float16
            found = difference(got, want, limit)
            cause = "is not the bias in float16"
        else:
            found, cause = difference(got, want), what_moved(got, want)
        if found is not None and torch.equal(got, other_numbers(want.shape)):
            cause = "still has the numbers from before; write into the parameter itself, p.copy_(…)"
        require(found is None, f"{what}: {name}{' ' * bool(cause)}{cause}\n{found}")


def what_moved(got: Tensor, want: Tensor) -> str:
    """In which way weights are not the ones that were written."""
    if torch.equal(got.flatten().sort().values, want.flatten().sort().values):
        return "has the right values at wrong places; do fillers take a place, and is the order that of flatten()?"
    if torch.equal(got, want.half().float()):
        return "has values rounded to float16, perhaps the codebook; weights come back exactly"
    if torch.equal(got, before_in_book(want)):
        return "has of each value the one before it in the codebook: symbol 0 is a filler, symbol i the i-th value"
    if torch.equal(got[want != 0], want[want != 0]):
        return "is right where weights are kept, but pruned weights are not 0: write them, too"
    return ""


def before_in_book(want: Tensor) -> Tensor:
    """Weights of which each kept one has the next smaller kept value, and the least one 0."""
    book = torch.cat([torch.zeros(1), want[want != 0].unique()])
    return torch.where(
        want == 0, want, book[torch.searchsorted(book[1:].contiguous(), want.contiguous()).clamp(max=len(book) - 1)]
    )


def left(model: nn.Module) -> dict[str, Any]:
    """A model's numbers, modes, and what of it learns."""
    told: dict[str, Any] = {name: t.detach().clone() for name, t in model.state_dict().items()}
    told["in train mode"] = [m.training for m in model.modules()]
    return told | {"requires_grad": [p.requires_grad for p in model.parameters()]}


def changed(key: str, right: dict[str, Any]) -> Callable:
    return lambda got: difference(got[key], right[key]) is not None


def left_mistakes(right: dict[str, Any]) -> dict[str, Callable]:
    return {
        "its mode is another one; put it back.": changed("in train mode", right),
        "its parameters no longer ask for gradients; read them with detach().": changed("requires_grad", right),
        "its numbers were changed; work on copies.": lambda got: True,
    }


def check_bytes(blob: Any, what: str) -> bytes:
    require(type(blob) is bytes, f"{what}: compress returns bytes, yours a {type(blob).__name__}")
    return blob


def ideal_bytes(state: dict[str, Tensor]) -> float:
    """Entropy of kept values and of the masks, each weight tensor by itself, and 2 bytes for each bias.

    No bound for files: a code that sees more than one place at a time, as gaps do, may need less.
    """
    bits = 0.0
    for t in state.values():
        if t.dim() == 1:
            bits += 16 * t.numel()
            continue
        kept = t != 0
        values = t[kept].unique(return_counts=True)[1].tolist()
        bits += entropy_by_logs(values) * sum(values)
        bits += entropy_by_logs([int(kept.sum()), int((~kept).sum())]) * t.numel()
    return bits / 8


def disguised(name: str, state: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The same function with other numbers at other places: hidden units in another order and of another scale.

    relu(s x) = s relu(x) for s > 0, so a layer may be scaled if the next one is scaled back.
    """
    rng = torch.Generator().manual_seed(seed)
    state = {key: t.clone() for key, t in state.items()}
    layers = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    for here, following in pairwise(layers):
        w, after = state[f"{here}.weight"], state[f"{following}.weight"]
        order = torch.randperm(len(w), generator=rng)
        factor = 0.5 + torch.rand(1, generator=rng).item()
        state[f"{here}.weight"], state[f"{here}.bias"] = w[order] * factor, state[f"{here}.bias"][order] * factor
        # a flattened [C, H, W] has H * W columns for each channel
        grouped = after.reshape(len(after), len(w), -1, *after.shape[2:])
        state[f"{following}.weight"] = (grouped[:, order] / factor).reshape(after.shape)
    return state


def measure_file(
    name: str, sizes: tuple[int, int], back: Any, state: dict[str, Tensor], data: tuple[Tensor, Tensor]
) -> dict[str, float]:
    """`ratio` to the dense network's FP32 file, the reader's code counted in, and `accuracy_drop` in points.

    Args:
        sizes: bytes of the file and, packed, of the code that reads it.
        back: the state that was read from the file; `state`: the one that was written.

    Raises:
        CheckFailed: what came back is not what was written, or a goal is not reached.
    """
    check_state(back, state, name)
    dense, small = models.load(name), network(name)
    small.load_state_dict(back)
    for what, least, size in zip(("a file", "file and reader"), LEAST_RATIO[name], (sizes[0], sum(sizes)), strict=True):
        ratio = measure.size_bytes(dense) / size
        require(
            ratio >= least,
            f"{name}: expected {what} at least {least} times smaller, yours is {ratio:.1f} times smaller\n"
            f"  your file {sizes[0]:,} bytes, its packed reader {sizes[1]:,}; for comparison: {ideal_bytes(state):,.0f}"
            " bytes in ideal codes that know all counts, of values and of a mask place by place; gaps may need less",
        )
    before, after = (measure.accuracy(model, *data) for model in (dense, small))
    require(before - after <= 1, f"{name}: expected accuracy within 1 point of {before:.2f} %, yours {after:.2f} %")
    return {"ratio": ratio, "accuracy_drop": before - after}
