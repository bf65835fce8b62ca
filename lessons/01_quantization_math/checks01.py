"""What the test cells of lesson 01 call: the check of a file, and how mistakes show. Nothing here quantizes."""

import math
import pickletools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bonsai.testing import expect, require, stumbled


def _close(a, b) -> bool:
    return abs(a / b - 1) < 1e-4


def _wrapped(got, want, x, scale, zero_point, lo, hi) -> bool:
    """Codes that are a multiple of 256 off, a type too narrow, or numbers out of range that do not saturate."""
    if stumbled(got):
        return "overflow" in str(got) or "out of bounds" in str(got)
    off, info = (got.long() - want.long()).abs(), torch.iinfo(got.dtype)
    if info.min > lo or info.max < hi or (off % 256 == 0).all() or x.abs().max() > 1e9:
        return True
    saturates = ((want == lo) | (want == hi)) & (lo <= got) & (got <= hi)
    return isinstance(zero_point, int) and zero_point == 0 and bool((saturates & (off > 1)).any())


def _rounding(got, want, x, scale, *_) -> tuple[bool, bool]:
    """Whether the codes are at most 1 off, and whether there are ties."""
    return ((got - want).abs() <= 1).all(), (x / scale % 1 == 0.5).any()


def _swapped(got, want) -> bool:
    wrong = got != want
    return bool(((got.to(torch.uint8) >> 4) | (got.to(torch.uint8) << 4 & 0xF0) == want)[wrong].all())


def _zero_slice(got, want, *_) -> bool:
    zeros = want == 1
    return got.shape == want.shape and (got != want)[zeros].any() and torch.allclose(got[~zeros], want[~zeros])


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments.
def _rounded_twice(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax) -> Tensor:
    """Codes by a multiplication that keeps the high 32 bits, rounded, and a rounding shift after it."""
    total = (x_q.long() - x_zp) @ w_q.long().T + (0 if bias_q is None else bias_q.long())
    high, shift = (total * torch.as_tensor(m0) + (1 << 30)) >> 31, torch.as_tensor(shift)
    return (((high + ((1 << shift) >> 1)) >> shift) + out_zp).clamp(qmin, qmax)


def _at_ends(got, want, args) -> bool:
    """Whether codes are wrong in no other places than where the right ones are qmin or qmax, and too far out there, or
    an end moved by the zero point."""
    out_zp, qmin, qmax = args[6:]
    if not isinstance(got, Tensor) or got.shape != want.shape:
        return False
    mine, right = got.long()[got != want], want.long()[got != want]
    moved = (mine == right + out_zp) if out_zp else torch.zeros_like(mine, dtype=torch.bool)
    beyond = ((right == qmax) & (mine > qmax)) | ((right == qmin) & (mine < qmin))
    return bool((((right == qmin) | (right == qmax)) & (moved | beyond)).all())


def _on_grid(value, width, steps) -> bool:
    """Whether a value is 1 to `steps` times the width."""
    return abs(value / width - round(float(value / width))) < 1e-3 and 0.5 < value / width < steps + 0.5


def _largest_signed(w: Tensor, bits: int, group: int) -> Tensor:
    """Scales of the largest value of each group, signs and all."""
    return torch.stack([part.amax(1) for part in w.split(group, 1)], 1) / (2 ** (bits - 1) - 1)


SYMPTOMS: dict[str, dict] = {
    "affine_qparams": {
        "The zero point is not an int; it is a code, so an int.": lambda got, *_: (
            not isinstance(got[1], (int, np.integer))
        ),
        "The range was not widened to hold 0.": lambda got, want, a, b, lo, hi: (
            a * b > 0 and (stumbled(got) or a == b or _close(got[0] * (hi - lo), b - a))
        ),
        "0 was not clamped to the codes qmin..qmax.": lambda got, want, a, b, lo, hi: (
            a == b == 0 and got[0] == 1.0 and got[1] != want[1]
        ),
        "An empty range (both ends 0) has scale 1.0; anything else ends in a division by zero.": (
            lambda got, want, a, b, *_: a == b == 0 and (stumbled(got) or got[0] != 1.0)
        ),
    },
    "quantize": {
        "The codes are floats; a code is an integer.": lambda got, *_: got.is_floating_point(),
        "A code wrapped around: clamp first, then cast to an integer type that holds qmin..qmax.": _wrapped,
        "The codes were truncated (or rounded down or up); round to the nearest.": lambda got, want, x, *args: (
            not got.is_floating_point() and _rounding(got, want, x, *args) == (True, False)
        ),
    },
    "dequantize": {
        "q - zero_point wrapped around in a narrow or unsigned type: widen q first.": lambda got, want, q, s, z: (
            isinstance(got, OverflowError) or (got.shape == want.shape and ((got - want) / s % 256 == 0).all())
        ),
        "The zero point was added; the mark is scale * (q - zero_point).": lambda got, want, q, s, z: (
            got.shape == want.shape and (((got - want) / s - 2 * z) % 256 == 0).all()
        ),
        "The zero point was subtracted after the scale: subtract it from the code.": lambda got, want, q, s, z: (
            torch.allclose(got, want + (s - 1) * z)
        ),
        "Divided by the scale; multiply.": lambda got, want, q, s, z: torch.allclose(got * s * s, want),
        "The zero point was left out.": lambda got, want, q, s, z: ((got - want) / s == z).all(),
    },
    "sqnr_db": {
        "x / 0 and log10(0) are not defined: look at the noise first, then at the signal.": lambda got, want, *_: (
            math.isinf(want) and (stumbled(got) or (isinstance(got, float) and got != want))
        ),
    },
    "symmetric_scale": {
        "An all-zero slice has scale 1.0: a scale of 0 or nan ends in a zero division.": _zero_slice,
        "There is one scale for each index along `axis`: a 1-d tensor.": lambda got, want, *_: (
            got.shape != want.shape and got.numel() == want.numel()
        ),
        "The maximum ran along the wrong axis: `axis` is the one that keeps its own scales.": lambda got, want, *_: (
            want.dim() == 1 and got.shape != want.shape
        ),
    },
    "group_quantize": {
        "The codes are floats; a code is an integer.": lambda got, *_: got[0].is_floating_point(),
        "The tail was lost: `in` need not be a multiple of group_size.": lambda got, want, w, b, g: (
            w.shape[1] % g and (stumbled(got) or got[0].shape[1] < w.shape[1] or got[1].shape[1] == w.shape[1] // g)
        ),
        "All rows share a group's scale; each row has its own.": lambda got, want, w, b, g: (
            torch.allclose(got[1], (shared := want[1].amax(0)).expand_as(got[1]))
            and not torch.allclose(want[1], shared.expand_as(want[1]))
        ),
        "The scales are one long row: put them side by side (stack), `[out, ceil(in / group_size)]`.": (
            lambda got, want, w, b, g: got[1].shape == (want[1].numel(),)
        ),
        "There is one scale a row; each group of a row has its own.": lambda got, want, w, b, g: (
            w.shape[1] > g
            and len(got[1]) == len(w)
            and (got[1].dim() == 1 or got[1].shape[1] == 1 or (got[1] == got[1][:, :1]).all())
        ),
        "The groups run along the wrong axis: they are neighbours along `in`.": lambda got, want, w, b, g: (
            got[1].shape != want[1].shape and sorted(got[1].shape) == sorted((-(-w.shape[0] // g), w.shape[1]))
        ),
        "The maximum was taken without the absolute value.": lambda got, want, w, b, g: (
            got[1].shape == want[1].shape
            and bool((((got[1] - (signed := _largest_signed(w, b, g))).abs() <= 1e-6) | (signed == 0)).all())
            and not torch.allclose(signed, want[1])
        ),
        "Divided by 2**(bits-1); the largest code is Q = 2**(bits-1) - 1.": lambda got, want, w, b, g: _close(
            got[1][0, 0] * 2 ** (b - 1), w[0, :g].abs().max()
        ),
    },
    "mse_clip": {
        "All-zero x gives 0.0.": lambda got, want, x, *_: not x.any() and (stumbled(got) or isinstance(got, float)),
        "The maximum was taken without the absolute value.": lambda got, want, x, bits, steps=100: (
            0 < x.max() < x.abs().max()
            and _on_grid(got, x.max() / steps, steps)
            and (want > x.max() * 1.001 or not _on_grid(got, x.abs().max() / steps, steps))
        ),
        "This is the scale (threshold / Q); return the threshold.": lambda got, want, x, bits, *_: (
            bits > 2 and _close(got * (2 ** (bits - 1) - 1), want)
        ),
        "Values beyond the threshold must saturate at ±Q, and their error counts: else the smallest step wins.": (
            lambda got, want, *_: 0 < got < want / 4
        ),
        "This is the largest value, where clipping has no error; the rounding error counts as well.": (
            lambda got, want, x, bits, steps=100: _close(got, x.abs().max()) and want > 1.5 * x.abs().max() / steps
        ),
        "Not on the grid, or the grid is off by one: thresholds are max|x| * i / steps for i = 1 to steps.": (
            lambda got, want, x, bits, steps=100: (
                abs(i := got / x.abs().max() * steps) < 0.5
                or abs(i - round(float(i))) > 1e-3
                or i > steps + 0.5
                or _close(want, x.abs().max() / steps)
                or (_close(want, x.abs().max()) and i > steps - 1.5)
            )
        ),
    },
    "integer_linear": {
        "bias_q may be None: then nothing is added.": lambda got, want, *args: (
            args[2] is None and isinstance(got, (AttributeError, TypeError))
        ),
        "Rounded twice, first to the high 32 bits and then by the shift: round the exact product once.": (
            lambda got, want, *args: (
                torch.as_tensor(args[5]).min() > 0 and torch.equal(got.long(), _rounded_twice(*args))
            )
        ),
        "The product has 62 bits: a float in the middle lost some (a double holds 53), or a type overflowed.": (
            lambda got, want, *args: want.abs().max() > 2**30
        ),
        "The multipliers ran along the wrong axis; they belong to the last, the channels.": lambda got, want, *args: (
            stumbled(got) and isinstance(args[4], Tensor) and len(args[4]) > 1
        ),
        "The codes were not clamped to qmin and qmax at the end.": lambda got, want, *args: (
            isinstance(got, Tensor)
            and bool(((got > args[8]) | (got < args[7])).any())
            and bool(_at_ends(got, want, args))
        ),
        "The zero point of the output was added after the clamp: add it first, so that the ends are qmin and qmax.": (
            lambda got, want, *args: _at_ends(got, want, args)
        ),
        "w_q was not transposed: it is `[out, in]`, a row for each output.": lambda got, want, *args: (
            isinstance(got, Tensor)
            and args[1].shape[0] == args[1].shape[1] > 1
            and torch.equal(got.long(), _rounded_twice(args[0], args[1].T, *args[2:]))
        ),
        "The sum overflowed a narrow type such as int8: widen the codes before you subtract and multiply.": (
            lambda got, want, *args: args[0].dtype in (torch.int8, torch.uint8)
        ),
    },
    "pack_int4": {
        "Offset binary (code + 8); a nibble holds the code in two's complement, code & 15.": lambda got, want, c: (
            got.shape == want.shape and got.numel() > 0 and bool(((got ^ 0x88) & 15 == want & 15).all())
        ),
        "The odd tail was lost: pad with 0 before you pair the codes.": lambda got, want, c: (
            c.numel() % 2 and (stumbled(got) or got.numel() == c.numel() // 2 or (got[:-1] == want[:-1]).all())
        ),
        "The nibbles are swapped: the first code goes into the low four bits.": lambda got, want, c: _swapped(
            got, want
        ),
        "The sign was lost, or a negative code ran into its neighbour: keep four bits, & 15.": lambda got, want, c: (
            (c < 0).any() and (stumbled(got) or got.shape == want.shape)
        ),
    },
    "unpack_int4": {
        "Offset binary (nibble - 8); nibbles above 7 stand for code - 16, the others for themselves.": (
            lambda got, want, p, n: got.numel() > 0 and torch.equal(got.long() + 8, want.long() & 15)
        ),
        "The padding came back: return n codes.": lambda got, want, p, n: got.numel() == n + 1,
        "The odd tail was lost: the last byte holds a code as well.": lambda got, want, p, n: (
            n % 2 and (stumbled(got) or got.numel() == n - 1 or (got[:-1] == want[:-1]).all())
        ),
        "The nibbles are swapped: the first code comes from the low four bits.": lambda got, want, p, n: (
            got[0] != want[0] and got[0] & 15 == p[0] >> 4
        ),
        "The sign was lost: nibbles above 7 stand for code - 16.": lambda got, want, p, n: (
            stumbled(got) or (want < 0)[got != want].all()
        ),
    },
}


def check_file(state, blob, back, what):
    """Names, shapes, the bound on every weight, and the bytes, against what this format needs."""
    require(isinstance(blob, bytes), f"{what}: save_int4 should return bytes, yours a {type(blob).__name__}")
    require(not _is_pickle(blob), f"{what}: the file is a pickle, which runs code when it is opened")
    require(isinstance(back, dict), f"{what}: load_int4 should return a dict, yours a {type(back).__name__}")
    require(set(back) == set(state), f"{what}: names lost: expected {sorted(state)!s:.150}, yours {list(back)!s:.150}")
    packed, scales = "the codes are not packed; two share a byte", "the scales are float32; float16 is enough"
    biases = "the 1-d tensors are float32; float16 is enough"
    payload, dearer = 0, {packed: 0, scales: 0, biases: 0}  # bytes that the format needs, and what each mistake adds
    for name, tensor in state.items():
        if tensor.dim() == 1:
            expect(back[name], tensor, f"{what}: {name}, float16", _astray(tensor), tol=tensor.abs() * 2**-10 + 2**-24)
            payload += 2 * len(tensor)
            dearer[biases] += 2 * len(tensor)
            continue
        out, size = tensor.shape
        groups = -(-size // 64)
        padded = F.pad(tensor, (0, groups * 64 - size)).reshape(out, groups, 64)
        step = (padded.abs().amax(2) / 7).repeat_interleave(64, dim=1)[:, :size]
        expect(
            back[name], tensor, f"{what}: {name}, half a step for each weight", _astray(tensor), tol=step * 0.51 + 1e-9
        )
        payload += out * groups * 2 + (out * size + 1) // 2
        dearer[packed] += out * size // 2
        dearer[scales] += out * groups * 2
    require(all(back[n].dtype == torch.float32 for n in state), f"{what}: load_int4 should return float32 tensors")
    # a container (npz is the dearest) may cost 1000 bytes and 1000 a tensor; mistakes add more in the larger states
    more = len(blob) - payload
    why = max((m for m in dearer if dearer[m] <= more), key=lambda m: dearer[m], default="what else is in the file?")
    require(more <= 1000 + 1000 * len(state), f"{what}: expected about {payload} bytes, yours {len(blob)}: {why}")


def _astray(tensor: Tensor) -> dict:
    """How bytes read as something else show."""
    limit = 10 * tensor.abs().max() + 1e-3
    said = "far beyond the tensor's range: do save and load agree on dtypes and order?"
    return {said: lambda got: not bool((got.abs() <= limit).all())}


def _is_pickle(blob: bytes) -> bool:
    """Whether bytes read as a pickle, as what torch.save makes of one, or as NumPy's array of pickled objects."""
    try:
        return b"data.pkl" in blob or b"'|O'" in blob or (blob.endswith(b".") and bool(list(pickletools.genops(blob))))
    except Exception:
        return False


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

STEPS = "There are qmax - qmin steps between the codes, not qmax - qmin + 1."
QMIN = "qmin was left out of the zero point."
CUT = "The zero point was cut off; round it to the nearest integer."
CLAMP = "The codes were not clamped to qmin..qmax."
EARLY = "Clamped before the zero point was added; qmin and qmax bound the sum."
AWAY = "Ties go to the even neighbour, as torch.round has it."
LATE = "Round before the zero point is added: at a tie it matters."
TWENTY = "20 log10 is for amplitudes; sums of squares are powers and take 10 log10."
NATURAL = "Decibels use log10, not the natural logarithm."
MEAN = "This is the mean of ratios; divide the sums once."
UPSIDE = "The ratio is upside down: it is signal over noise."
VARIANCE = "These are variances, which leave the mean out; the power of a signal is its sum of squares."
LEVELS = "Divided by 2**(bits-1); the largest code is Q = 2**(bits-1) - 1."
SIGN = "The maximum was taken without the absolute value."
AXIS = "The maximum ran along the wrong axis: `axis` is the one that keeps its own scales."
FLOOR = "The product was rounded down or towards 0, by a shift or //: round half away from zero."
DROP = "The zero point of the input was dropped: the sum runs over x_q - x_zp."
UP = "Halves went up; they go away from zero, so -0.5 becomes -1."
EVEN = "Halves went to the even neighbour; they go away from zero."
TWICE = "The product was rounded twice; round once, at the end."
INTEGER_LINEAR_AXIS = "The multipliers ran along the wrong axis; they belong to the last, the channels."

AFFINE_QPARAMS_MISTAKES = {
    STEPS: [(4 / 256, 64), ..., ..., ..., ..., ...],
    CUT: [(4 / 255, 63), (2 / 255, 0), ..., (5 / 255, 0), ..., ...],
    QMIN: [(4 / 255, 64), (2 / 255, 0), (3 / 255, 127), (5 / 255, 0), (1.0, 0), (4 / 255, 64)],
}


DEQUANTIZE_DTYPE = {"Real values are float32: end with .to(torch.float32).": lambda got: True}


QUANTIZE_MISTAKES = {
    CLAMP: [torch.tensor([-300, 100, 200]), ..., ..., ..., ...],
    EARLY: [..., torch.tensor([3, 3, 3, 4, 5, 18]), ..., ..., ...],
    AWAY: [..., ..., ..., ..., torch.tensor([2, 3, 4])],
    LATE: [..., ..., ..., ..., torch.tensor([2, 2, 4])],
}


SQNR_DB_MISTAKES = {
    TWENTY: [40.91514, ..., ...],
    NATURAL: [47.1053, ..., ...],
    UPSIDE: [-20.45757, ..., ...],
    VARIANCE: [18.69666, ..., ...],
    MEAN: tuple(
        [db, ..., ...] for db in (24.78126, 21.50515, 21.45214, 19.33230, 23.27714, 11.63857, 24.62398, 30.80186)
    ),
}


SYMMETRIC_SCALE_MISTAKES = {
    LEVELS: [torch.tensor(5 / 128), torch.tensor([5, 2, 0.25]) / 8, torch.tensor([1.0, 3, 5]) / 8, ..., ...],
    "Divided by the number of steps; the scale is max|x| / Q.": (
        [torch.tensor(5 / 255), ..., ..., ..., ...],
        [torch.tensor(10 / 255), ..., ..., ..., ...],
    ),
    SIGN: [torch.tensor(3 / 127), ..., torch.tensor([1.0, 2, 5]) / 7, ..., ...],
    AXIS: [..., torch.tensor([1.0, 3, 5]) / 7, torch.tensor([5, 2, 0.25]) / 7, ..., ...],
}


INTEGER_LINEAR_MISTAKES = {
    "The product has 62 bits: a float in the middle lost some (a double holds 53), or a type overflowed.": (
        [torch.tensor([[1751894540]]), ..., ..., ..., ...],
        [torch.tensor([[1751894528]]), ..., ..., ..., ...],
    ),
    DROP: [..., torch.tensor([[75, 44], [74, 44]]), ..., ..., ...],
    "The bias was dropped.": [..., torch.tensor([[11, 12], [9, 11]]), ..., ..., ...],
    FLOOR: (
        [..., torch.tensor([[10, 12], [9, 11]]), ..., ..., ...],
        [..., torch.tensor([[10, 12], [10, 11]]), ..., ..., ...],
    ),
    TWICE: [..., torch.tensor([[11, 13], [9, 12]]), ..., ..., ...],
    UP: [..., ..., torch.tensor([[0], [-1], [1], [2]]), ..., ...],
    EVEN: [..., ..., torch.tensor([[0], [-2], [0], [2]]), ..., ...],
    INTEGER_LINEAR_AXIS: [..., ..., ..., ..., torch.tensor([[2, 2], [2, 2]])],
}
