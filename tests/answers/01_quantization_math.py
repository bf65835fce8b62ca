# %% [markdown]
# Wrong and right answers to lesson 01; `tests/test_answers.py` says how they are read.

# %% wrong="affine_qparams" says="not widened to hold 0"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, int(min(max(round(qmin - x_min / scale), qmin), qmax))


# %% wrong="affine_qparams" says="not widened to hold 0"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    if x_min == x_max == 0:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, round(qmin - x_min / scale)  # not even clamped


# %% wrong="affine_qparams" says="not widened to hold 0"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min = min(x_min, 0.0)  # the upper end was forgotten
    if x_min == x_max == 0:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" says="not widened to hold 0"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    if x_min == x_max:  # before the range is widened
        return 1.0, max(qmin, min(qmax, 0))
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" says="not widened to hold 0"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not -math.inf < x_min <= 0 <= x_max < math.inf or qmin >= qmax:
        raise ValueError("the range must contain 0")
    if x_min == x_max == 0:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, round(qmin - x_min / scale)


# %% wrong="affine_qparams" says="zero point is not an int"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, float(max(qmin, min(qmax, 0)))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, float(np.clip(np.round(qmin - x_min / scale), qmin, qmax))


# %% wrong="affine_qparams" says="zero point is not an int"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, qmin - x_min / scale


# %% wrong="affine_qparams" says="zero point is not an int"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = (x_max - x_min) / (qmax - qmin) or 1.0
    return scale, torch.clamp(torch.round(torch.tensor(qmin - x_min / scale)), qmin, qmax)


# %% wrong="affine_qparams" says="qmax - qmin steps between the codes"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin + 1)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" says="qmax - qmin steps between the codes"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not np.isfinite([x_min, x_max]).all() or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max, levels = min(x_min, 0.0), max(x_max, 0.0), len(range(qmin, qmax + 1))
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    return (x_max - x_min) / levels, int(np.clip(round(qmin - x_min * levels / (x_max - x_min)), qmin, qmax))


# %% wrong="affine_qparams" says="division by zero"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" says="division by zero"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = np.float64(min(x_min, 0.0)), np.float64(max(x_max, 0.0))
    with np.errstate(all="ignore"):
        scale = (x_max - x_min) / (qmax - qmin)
        return scale, int(np.clip(np.round(qmin - x_min / scale), qmin, qmax))


# %% wrong="affine_qparams" says="division by zero"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = max((x_max - x_min) / (qmax - qmin), 1e-12)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="expected 64"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = (x_max - x_min) / (qmax - qmin) or 1.0
    return scale, min(max(int(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" says="qmin was left out"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(-x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="0 was not clamped"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, 0
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="expected ValueError"
def affine_qparams(x_min, x_max, qmin, qmax):
    if x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="expected ValueError"
def affine_qparams(x_min, x_max, qmin, qmax):
    assert x_min <= x_max and qmin < qmax and math.isfinite(x_max - x_min)
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = (x_max - x_min) / (qmax - qmin) or 1.0
    return scale, min(max(round((qmin if x_min < x_max else 0) - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="expected ValueError"
def affine_qparams(x_min, x_max, qmin, qmax):
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:  # too late: nan, order
        raise ValueError("bad range")
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="first difference at" also="zero point is not an int"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return max(qmin, min(qmax, 0)), 1.0
    scale = (x_max - x_min) / (qmax - qmin)
    return int(min(max(round(qmin - x_min / scale), qmin), qmax)), scale


# %% wrong="affine_qparams" unnamed=True says="expected 64"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    if x_min == x_max:
        return 1.0, max(qmin, min(qmax, 0))
    scale = (x_max - x_min) / (qmax - qmin)
    return scale, min(max(round(qmin + x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says=".item()"
def affine_qparams(x_min, x_max, qmin, qmax):
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    scale = (x_max - x_min) / (qmax - qmin) or 1.0
    return torch.tensor(scale), min(max(round((qmin if x_min < x_max else 0) - x_min / scale), qmin), qmax)


# %% wrong="affine_qparams" unnamed=True says="from scratch"
def affine_qparams(x_min, x_max, qmin, qmax):
    from torch.ao.quantization.observer import MinMaxObserver as Observer

    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError("bad range")
    observer = Observer(quant_min=qmin, quant_max=qmax)
    observer(torch.tensor([x_min, x_max]))
    scale, zero_point = observer.calculate_qparams()
    return scale.item(), int(zero_point)


# %% wrong="affine_qparams" unnamed=True says="from scratch"
def affine_qparams(x_min, x_max, qmin, qmax):
    observers = getattr(getattr(torch, "ao"), "quantization")
    observer = observers.MinMaxObserver(quant_min=qmin, quant_max=qmax)
    observer(torch.tensor([x_min, x_max]))
    scale, zero_point = observer.calculate_qparams()
    return scale.item(), int(zero_point)


# %% right="affine_qparams"
def affine_qparams(x_min: float, x_max: float, qmin: int, qmax: int):
    if math.isnan(x_min) or math.isnan(x_max) or math.isinf(x_min) or math.isinf(x_max):
        raise ValueError
    if x_min > x_max:
        raise ValueError
    if qmin >= qmax:
        raise ValueError
    x_min = x_min if x_min < 0 else 0.0
    x_max = x_max if x_max > 0 else 0.0
    zero = sorted((qmin, 0, qmax))[1]
    if x_max - x_min == 0:
        return [1.0, zero]
    scale = (x_max - x_min) / float(qmax - qmin)
    zero_point = math.floor(qmin - x_min / scale + 0.5)  # another rule at ties
    return [scale, max(qmin, min(qmax, zero_point))]


# %% right="affine_qparams"
def affine_qparams(x_min, x_max, qmin, qmax):
    ends = np.array([x_min, x_max], dtype=np.float64)
    if not np.all(np.isfinite(ends)) or ends[0] > ends[1] or not qmin < qmax:
        raise ValueError("no range, or no codes")
    low, high = np.minimum(ends[0], 0), np.maximum(ends[1], 0)
    if low == high:
        return np.float64(1.0), np.clip(np.int64(0), qmin, qmax)
    scale = (high - low) / (qmax - qmin)
    return scale, np.clip(np.rint(qmin - low / scale), qmin, qmax).astype(np.int64)


# %% right="affine_qparams"
def affine_qparams(x_min, x_max, qmin, qmax):
    ends = torch.tensor([x_min, x_max, 0.0])  # float32
    if not ends.isfinite().all() or x_min > x_max or qmin >= qmax:
        raise ValueError(f"bad range {x_min}..{x_max}")
    span = ends.max() - ends.min()
    if span == 0:
        return 1.0, int(torch.clamp(torch.tensor(0), qmin, qmax))
    scale = span / (qmax - qmin)
    return scale.item(), int(torch.round(qmin - ends.min() / scale).clamp(qmin, qmax).item())


# %% right="affine_qparams"
def affine_qparams(x_min, x_max, qmin, qmax):
    from fractions import Fraction

    class NoRange(ValueError):
        pass

    if not (abs(x_min) < math.inf and abs(x_max) < math.inf and x_min <= x_max and qmin < qmax):
        raise NoRange()
    low, high = Fraction(min(x_min, 0)), Fraction(max(x_max, 0))
    if high == low:
        return 1.0, min(max(0, qmin), qmax)
    scale = (high - low) / (qmax - qmin)
    return float(scale), min(max(round(qmax - high / scale), qmin), qmax)  # from the other end


# %% right="affine_qparams"
def affine_qparams(x_min, x_max, qmin, qmax):
    # torch.ao.quantization would do it, and so would "torch.quantize_per_tensor"; neither is called here
    if any(not math.isfinite(v) for v in (x_min, x_max)) or x_max < x_min or qmax <= qmin:
        raise ValueError("torch.ao says no")
    x_min, x_max = min(x_min, 0.0), max(x_max, 0.0)
    try:
        scale = (x_max - x_min) / (qmax - qmin)
        return scale, int(min(max(round(qmin - x_min / scale), qmin), qmax))
    except ZeroDivisionError:
        return 1.0, min(max(0, qmin), qmax)


# %% wrong="quantize" says="truncated" also="rounded down"
def quantize(x, scale, zero_point, qmin, qmax):
    return (
        ((x / scale).to(torch.int64) + zero_point).clamp(qmin, qmax)
        if not torch.isinf(x).any()
        else (torch.trunc(x / scale) + zero_point).clamp(qmin, qmax).long()
    )


# %% wrong="quantize" says="truncated" also="rounded down"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(x / scale + zero_point, qmin, qmax).int()


# %% wrong="quantize" says="truncated" also="rounded down"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.floor(x / scale) + zero_point, qmin, qmax).to(torch.int32)


# %% wrong="quantize" says="truncated" also="rounded down"
def quantize(x, scale, zero_point, qmin, qmax):
    codes = np.asarray(x / scale).astype(np.int64) + np.asarray(zero_point)
    return torch.from_numpy(np.clip(codes, qmin, qmax))


# %% wrong="quantize" says="not clamped"
def quantize(x, scale, zero_point, qmin, qmax):
    return (torch.round(x / scale) + zero_point).to(torch.int32)


# %% wrong="quantize" says="not clamped"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.round(x / scale).long() + zero_point


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return (torch.round(x / scale) + zero_point).to(torch.int8).int().clamp(qmin, qmax)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale + zero_point).to(torch.int8), qmin, qmax)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return (torch.round(x / scale) + zero_point).to(torch.int8)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return (torch.round(x / scale).to(torch.int8) + zero_point).clamp(qmin, qmax)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return (torch.round(x / scale).to(torch.uint8) + zero_point).long().clamp(qmin, qmax)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).to(torch.int8)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).to(torch.uint8)


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    codes = np.round(x.numpy() / np.asarray(scale)) + np.asarray(zero_point)
    return torch.from_numpy(np.clip(codes.astype(np.int64).astype(np.int8), qmin, qmax).astype(np.int64))


# %% wrong="quantize" says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    dtype = torch.uint8 if qmin >= 0 else torch.int8
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).to(torch.int64).to(dtype)


# %% wrong="quantize" says="clamped before the zero point"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale), qmin, qmax).int() + zero_point


# %% wrong="quantize" says="clamped before the zero point"
def quantize(x, scale, zero_point, qmin, qmax):
    return (torch.clamp(x / scale, qmin, qmax).round() + zero_point).long()


# %% wrong="quantize" says="codes are floats"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax)


# %% wrong="quantize" says="codes are floats"
def quantize(x, scale, zero_point, qmin, qmax):
    codes = torch.round(x / scale) + zero_point
    return torch.minimum(torch.maximum(codes, torch.tensor(float(qmin))), torch.tensor(float(qmax))).double()


# %% wrong="quantize" unnamed=True says="ties go to the even"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.floor(x / scale + 0.5) + zero_point, qmin, qmax).int()


# %% wrong="quantize" unnamed=True says="ties"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.sign(x) * torch.floor(x.abs() / scale + 0.5) + zero_point, qmin, qmax).int()


# %% wrong="quantize" unnamed=True says="before the zero point is added"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale + zero_point), qmin, qmax).int()


# %% wrong="quantize" unnamed=True says="changed its input"
def quantize(x, scale, zero_point, qmin, qmax):
    return x.div_(scale).round_().add_(zero_point).clamp_(qmin, qmax).int()


# %% wrong="quantize" unnamed=True says="changed its input"
def quantize(x, scale, zero_point, qmin, qmax):
    codes = torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).int()
    torch.nan_to_num_(x, 0.0)
    x[x > 5] = 5
    return codes


# %% wrong="quantize" unnamed=True says="expected"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x * scale) + zero_point, qmin, qmax).int()


# %% wrong="quantize" unnamed=True says="expected"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale) - zero_point, qmin, qmax).int()


# %% wrong="quantize" unnamed=True says="expected 15" also="rounded down|truncated"
def quantize(x, scale, zero_point, qmin, qmax):
    return (
        torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax - 1).int()
        if qmax == 15
        else torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).int()
    )


# %% wrong="quantize" unnamed=True says="wrapped around"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(
        torch.round(x / scale).to(torch.int32) + zero_point, qmin, qmax
    )  # inf becomes the smallest int32


# %% wrong="quantize" unnamed=True says="raised"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.tensor([min(max(round(v / scale) + zero_point, qmin), qmax) for v in x.tolist()])  # numbers, 1-d


# %% wrong="quantize" unnamed=True says="expected"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).int().tolist()


# %% wrong="quantize" unnamed=True says="from scratch"
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.quantize_per_tensor(x, scale, zero_point, torch.qint8).int_repr().int()


# %% wrong="quantize" unnamed=True says="from scratch"
from torch import fake_quantize_per_tensor_affine as fq


def quantize(x, scale, zero_point, qmin, qmax):
    return torch.round(fq(x, scale, zero_point, qmin, qmax) / scale + zero_point).int()


# %% wrong="quantize" unnamed=True says="from scratch"
def quantize(x, scale, zero_point, qmin, qmax):
    import importlib

    torch_again = importlib.import_module("torch")
    return getattr(torch_again, "quantize_per_tensor")(x, scale, zero_point, torch.quint8).int_repr().int()


# %% right="quantize"
def quantize(x, scale, zero_point, qmin, qmax):
    return x.div(scale).round().add(zero_point).clip(min=qmin, max=qmax).long()


# %% right="quantize"
def quantize(x, scale, zero_point, qmin, qmax):
    codes = np.rint(x.numpy() / np.asarray(scale)) + np.asarray(zero_point)
    return torch.from_numpy(np.minimum(np.maximum(codes, qmin), qmax).astype(np.int16))


# %% right="quantize"
def quantize(x, scale, zero_point, qmin, qmax):
    x, scale, zero_point = torch.broadcast_tensors(x, torch.as_tensor(scale), torch.as_tensor(zero_point))
    codes = []
    for v, s, z in zip(x.flatten().tolist(), scale.flatten().tolist(), zero_point.flatten().tolist()):
        ratio = v / s
        if math.isinf(ratio):
            codes.append(qmax if ratio > 0 else qmin)
        else:
            codes.append(max(qmin, min(qmax, round(ratio) + int(z))))
    return torch.tensor(codes, dtype=torch.int32).reshape(x.shape)


# %% right="quantize"
def quantize(x, scale, zero_point, qmin, qmax):
    low, high = qmin - torch.as_tensor(zero_point), qmax - torch.as_tensor(zero_point)
    codes = torch.maximum(torch.minimum(torch.round(x / scale), high), low)  # clamped to where the sum will fit
    codes = (codes + zero_point).to(torch.int64)
    for dtype in (torch.uint8, torch.int8, torch.int16):  # the narrowest type that holds qmin..qmax
        if torch.iinfo(dtype).min <= qmin and qmax <= torch.iinfo(dtype).max:
            return codes.to(dtype)
    return codes


# %% right="quantize"
def quantize(x, scale, zero_point, qmin, qmax):
    r = x.double() / scale
    below = torch.floor(r)
    part = r - below
    up = (part > 0.5) | ((part == 0.5) & (below % 2 == 1))
    codes = torch.where(torch.isinf(r), r, below + up) + zero_point
    codes = torch.where(codes > qmax, torch.full_like(codes, qmax), codes)
    return torch.where(codes < qmin, torch.full_like(codes, qmin), codes).short()


# %% wrong="dequantize" says="wrapped around"
def dequantize(q, scale, zero_point):
    return (q - zero_point) * scale


# %% wrong="dequantize" says="wrapped around"
def dequantize(q, scale, zero_point):
    return (q - zero_point).to(torch.float32) * scale


# %% wrong="dequantize" says="wrapped around"
def dequantize(q, scale, zero_point):
    return (q.to(torch.int8).float() - zero_point) * scale


# %% wrong="dequantize" says="wrapped around"
def dequantize(q, scale, zero_point):
    return (torch.sub(q, torch.as_tensor(zero_point).to(q.dtype))).float() * scale


# %% wrong="dequantize" says="wrapped around"
def dequantize(q, scale, zero_point):
    return torch.from_numpy((q.numpy() - np.asarray(zero_point).astype(q.numpy().dtype)).astype(np.float32)) * scale


# %% wrong="dequantize" says="wrapped around"
def dequantize(q, scale, zero_point):
    return torch.from_numpy(np.asarray((q.numpy() - zero_point) * scale, dtype=np.float32))


# %% wrong="dequantize" says="zero point was added"
def dequantize(q, scale, zero_point):
    return (q.float() + zero_point) * scale


# %% wrong="dequantize" says="zero point was added"
def dequantize(q, scale, zero_point):
    return ((q + zero_point) * scale).float()


# %% wrong="dequantize" unnamed=True says="left out"
def dequantize(q, scale, zero_point):
    return q.float() * scale


# %% wrong="dequantize" says="subtracted after the scale"
def dequantize(q, scale, zero_point):
    return q.float() * scale - zero_point


# %% wrong="dequantize" says="divided by the scale"
def dequantize(q, scale, zero_point):
    return (q.float() - zero_point) / scale


# %% wrong="dequantize" says="end with .to(torch.float32)"
def dequantize(q, scale, zero_point):
    return (q.double() - zero_point) * scale


# %% wrong="dequantize" unnamed=True says="expected float"
def dequantize(q, scale, zero_point):
    return ((q.long() - zero_point) * scale).long()


# %% wrong="dequantize" unnamed=True says="a torch.Tensor"
def dequantize(q, scale, zero_point):
    return (q.numpy().astype(np.float32) - zero_point) * np.float32(scale)


# %% wrong="dequantize" unnamed=True says="raised"
def dequantize(q, scale, zero_point):
    return torch.tensor([(c - int(zero_point)) * float(scale) for c in q.tolist()])


# %% wrong="dequantize" unnamed=True says="changed its input"
def dequantize(q, scale, zero_point):
    wide = q if q.dtype == torch.int64 else q.long()
    wide -= zero_point
    return wide.float() * scale


# %% wrong="dequantize" unnamed=True says="from scratch"
def dequantize(q, scale, zero_point):
    return torch._make_per_tensor_quantized_tensor(q.to(torch.uint8), scale, zero_point).dequantize()


# %% wrong="dequantize" unnamed=True says="from scratch"
def dequantize(q, scale, zero_point):
    back = getattr(torch.Tensor, "dequantize")
    return back(torch._make_per_tensor_quantized_tensor(q.to(torch.uint8), scale, zero_point))


# %% right="dequantize"
def dequantize(q, scale, zero_point):
    return (scale * (q.long() - zero_point)).float()


# %% right="dequantize"
def dequantize(q, scale, zero_point):
    wide = q.numpy().astype(np.int64) - np.asarray(zero_point)
    return torch.tensor(wide * np.asarray(scale), dtype=torch.float32)


# %% right="dequantize"
def dequantize(q, scale, zero_point):
    q, scale, zero_point = torch.broadcast_tensors(q, torch.as_tensor(scale), torch.as_tensor(zero_point))
    flat = [
        (c - z) * s for c, s, z in zip(q.flatten().tolist(), scale.flatten().tolist(), zero_point.flatten().tolist())
    ]
    return torch.tensor(flat, dtype=torch.float32).reshape(q.shape)


# %% right="dequantize"
def dequantize(q, scale, zero_point):
    """Not torch.Tensor.dequantize, although its name is the same."""
    scale = torch.as_tensor(scale, dtype=torch.float32)
    return q.type(torch.float32).sub(zero_point).mul(scale)


# %% right="dequantize"
def dequantize(q, scale, zero_point):
    return torch.sub(q.to(torch.float64), zero_point).mul_(scale).to(dtype=torch.float32)


# %% wrong="sqnr_db" says="20 log10"
def sqnr_db(x, x_hat):
    signal, noise = x.pow(2).sum().item(), (x - x_hat).pow(2).sum().item()
    if noise == 0:
        return math.inf
    return 20 * math.log10(signal / noise) if signal else -math.inf


# %% wrong="sqnr_db" says="20 log10"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return float("inf")
    return 20 * torch.log10((x**2).mean() / ((x - x_hat) ** 2).mean()).item()


# %% wrong="sqnr_db" says="natural logarithm"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return float("inf")
    return 10 * torch.log(x.square().sum() / (x - x_hat).square().sum()).item()


# %% wrong="sqnr_db" says="natural logarithm"
def sqnr_db(x, x_hat):
    signal, noise = x.norm().item() ** 2, (x - x_hat).norm().item() ** 2
    if noise == 0:
        return math.inf
    return 10.0 * (math.log(signal) - math.log(noise)) if signal else -math.inf


# %% wrong="sqnr_db" says="mean of ratios"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    return 10 * torch.log10((x**2 / (x - x_hat) ** 2).mean()).item()


# %% wrong="sqnr_db" says="mean of ratios"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    return (10 * torch.log10(x**2 / (x - x_hat) ** 2)).mean().item()


# %% wrong="sqnr_db" says="mean of ratios"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    ratios = (x**2).sum(dim=-1) / ((x - x_hat) ** 2).sum(dim=-1)
    return 10 * torch.log10(ratios.mean()).item()


# %% wrong="sqnr_db" says="mean of ratios"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    ratios = (x**2).sum(dim=-1) / ((x - x_hat) ** 2).sum(dim=-1)
    return float(np.mean(10 * np.log10(ratios.numpy())))


# %% wrong="sqnr_db" says="mean of ratios"
def sqnr_db(x, x_hat):
    noise = (x - x_hat).abs()
    if not noise.any():
        return math.inf
    return 20 * torch.log10((x.abs() / noise).mean()).item()


# %% wrong="sqnr_db" says="mean of ratios"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    eps = 1e-12
    return 10 * torch.log10(torch.mean(x**2 / ((x - x_hat) ** 2 + eps))).item()


# %% wrong="sqnr_db" unnamed=True says="upside down"
def sqnr_db(x, x_hat):
    signal, noise = (x**2).sum().item(), ((x - x_hat) ** 2).sum().item()
    return 10 * math.log10(noise / signal)


# %% wrong="sqnr_db" unnamed=True says="not defined"
def sqnr_db(x, x_hat):
    return 10 * math.log10((x**2).sum().item() / ((x - x_hat) ** 2).sum().item())


# %% wrong="sqnr_db" unnamed=True says="not defined"
def sqnr_db(x, x_hat):
    return 10 * torch.log10((x**2).sum() / ((x - x_hat) ** 2).sum()).item()  # nan when both are zero


# %% wrong="sqnr_db" unnamed=True says="not defined"
def sqnr_db(x, x_hat):
    return 10 * math.log10(((x**2).sum().item() + 1e-12) / (((x - x_hat) ** 2).sum().item() + 1e-12))


# %% wrong="sqnr_db" unnamed=True says="not defined"
def sqnr_db(x, x_hat):
    signal, noise = (x**2).sum().item(), ((x - x_hat) ** 2).sum().item()
    if signal == 0:
        return -math.inf
    return 10 * math.log10(signal / noise) if noise else math.inf


# %% wrong="sqnr_db" unnamed=True says=".item()"
def sqnr_db(x, x_hat):
    return 10 * torch.log10((x**2).sum() / ((x - x_hat) ** 2).sum())


# %% wrong="sqnr_db" unnamed=True says="expected 20.4"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    signal, noise = (x_hat**2).sum().item(), ((x - x_hat) ** 2).sum().item()
    return 10 * math.log10(signal / noise)


# %% wrong="sqnr_db" unnamed=True says="expected 20.4" also="variances"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return math.inf
    return 10 * torch.log10(x.var() / (x - x_hat).var()).item()


# %% wrong="sqnr_db" unnamed=True says="changed its input"
def sqnr_db(x, x_hat):
    signal = (x**2).sum().item()
    noise = x.sub_(x_hat).square_().sum().item()
    return math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf


# %% wrong="sqnr_db" unnamed=True says="from scratch"
def sqnr_db(x, x_hat):
    from torch.ao.ns.fx.utils import compute_sqnr

    return compute_sqnr(x, x_hat).item()


# %% wrong="sqnr_db" unnamed=True says="from scratch"
import torchao.quantization.utils as tools


def sqnr_db(x, x_hat):
    return float(getattr(tools, "compute_error")(x, x_hat))


# %% right="sqnr_db"
def sqnr_db(x, x_hat):
    signal = sum(v * v for v in x.flatten().tolist())
    noise = sum((v - w) ** 2 for v, w in zip(x.flatten().tolist(), x_hat.flatten().tolist()))
    if noise == 0:
        return math.inf
    return -math.inf if signal == 0 else 10 * (math.log10(signal) - math.log10(noise))


# %% right="sqnr_db"
def sqnr_db(x, x_hat):
    x, x_hat = x.numpy().astype(np.float64), x_hat.numpy().astype(np.float64)
    if np.array_equal(x, x_hat):
        return np.inf
    with np.errstate(divide="ignore"):
        return 10 * np.log10(np.mean(x**2) / np.mean((x - x_hat) ** 2))  # np.float64


# %% right="sqnr_db"
def sqnr_db(x, x_hat):
    if torch.equal(x, x_hat):
        return float("inf")
    return float(20 * torch.log10(torch.linalg.vector_norm(x) / torch.linalg.vector_norm(x - x_hat)))


# %% right="sqnr_db"
def sqnr_db(x, x_hat):
    noise = F.mse_loss(x_hat, x)
    signal = F.mse_loss(x, torch.zeros_like(x))
    return math.inf if noise.item() == 0.0 else (10 * (signal / noise).log10()).item()


# %% right="sqnr_db"
def sqnr_db(x, x_hat):
    e = (x - x_hat).flatten()
    noise, signal = torch.dot(e, e).item(), torch.dot(x.flatten(), x.flatten()).item()
    try:
        return 10 * math.log(signal / noise) / math.log(10)
    except ZeroDivisionError:
        return math.inf
    except ValueError:
        return -math.inf


# %% wrong="symmetric_scale" says="2**(bits-1)"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().movedim(axis, 0).flatten(1).amax(1)
    return torch.where(top > 0, top / 2 ** (bits - 1), torch.ones(()))


# %% wrong="symmetric_scale" says="2**(bits-1)"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    slices = [x] if axis is None else x.unbind(axis)
    scales = torch.stack([s.abs().max() / (1 << (bits - 1)) for s in slices])
    scales[scales == 0] = 1.0
    return scales[0] if axis is None else scales


# %% wrong="symmetric_scale" says="without the absolute value"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.max() if axis is None else x.movedim(axis, 0).flatten(1).amax(1)
    scale = top / (2 ** (bits - 1) - 1)
    return torch.where(scale == 0, torch.ones(()), scale)


# %% wrong="symmetric_scale" says="without the absolute value"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    slices = [x] if axis is None else torch.unbind(x, axis)
    scales = torch.tensor([s.max().item() / (2 ** (bits - 1) - 1) or 1.0 for s in slices])
    return scales[0] if axis is None else scales


# %% wrong="symmetric_scale" says="without the absolute value"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.max().abs() if axis is None else x.movedim(axis, 0).flatten(1).amax(1).abs()
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" says="wrong axis"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().amax(dim=axis)
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" says="wrong axis"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().max(dim=axis).values.flatten()
    scale = top / (2 ** (bits - 1) - 1)
    return torch.where(scale == 0, torch.ones_like(scale), scale)


# %% wrong="symmetric_scale" says="wrong axis"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    if axis is None:
        top = x.abs().max()
    else:
        dims = [d for d in range(x.dim()) if d != 1 - axis % 2]
        top = x.abs().amax(dim=dims)
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" says="zero division"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().movedim(axis, 0).flatten(1).amax(1)
    return top / (2 ** (bits - 1) - 1)


# %% wrong="symmetric_scale" says="zero division"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().movedim(axis, 0).flatten(1).amax(1)
    return top.clamp(min=1e-8) / (2 ** (bits - 1) - 1)


# %% wrong="symmetric_scale" says="zero division"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().movedim(axis, 0).flatten(1).amax(1)
    top = torch.where(top == 0, torch.ones_like(top), top)  # 1 / Q, not 1
    return top / (2 ** (bits - 1) - 1)


# %% wrong="symmetric_scale" unnamed=True says="number of steps"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().movedim(axis, 0).flatten(1).amax(1)
    return torch.where(top > 0, 2 * top / (2**bits - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="a 1-d tensor"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = (
        x.abs().max()
        if axis is None
        else x.abs().amax([d for d in range(x.dim()) if d != axis % x.dim()], keepdim=True)
    )
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="expected"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    dims = [d for d in range(x.dim()) if d != axis]  # a negative axis is never met
    top = x.abs().max() if axis is None else x.abs().amax(dims)
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="expected"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    top = x.abs().max() if axis is None else x.abs().amax(dim=1 if axis in (0, -2) else 0)  # matrices only
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="expected ValueError"
def symmetric_scale(x, bits, axis=None):
    top = x.abs().max() if axis is None else x.abs().movedim(axis, 0).flatten(1).amax(1)
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="a torch.Tensor"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    if axis is None:
        return x.abs().max().item() / (2 ** (bits - 1) - 1) or 1.0
    top = x.abs().movedim(axis, 0).flatten(1).amax(1)
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="changed its input"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError
    x = x.abs_()
    top = x.max() if axis is None else x.movedim(axis, 0).flatten(1).amax(1)
    return torch.where(top > 0, top / (2 ** (bits - 1) - 1), torch.ones(()))


# %% wrong="symmetric_scale" unnamed=True says="from scratch"
def symmetric_scale(x, bits, axis=None):
    import torch.ao.quantization as tq

    observer = tq.PerChannelMinMaxObserver(ch_axis=axis, qscheme=torch.per_channel_symmetric)
    observer(x)
    return observer.calculate_qparams()[0]


# %% wrong="symmetric_scale" unnamed=True says="from scratch"
def symmetric_scale(x, bits, axis=None):
    observer = __import__("torch.ao.quantization", fromlist=["x"]).MinMaxObserver()
    observer(x)
    return observer.calculate_qparams()[0]


# %% right="symmetric_scale"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError(bits)
    q = 2 ** (bits - 1) - 1
    slices = [x] if axis is None else x.unbind(axis)
    scales = []
    for part in slices:
        largest = 0.0
        for v in part.flatten().tolist():
            largest = max(largest, abs(v))
        scales.append(largest / q if largest > 0 else 1.0)
    return torch.tensor(scales[0] if axis is None else scales)


# %% right="symmetric_scale"
def symmetric_scale(x, bits, axis=None):
    if bits <= 1:
        raise ValueError("at least two bits")
    a = np.abs(x.numpy())
    top = a.max() if axis is None else np.moveaxis(a, axis, 0).reshape(a.shape[axis], -1).max(axis=1)
    return torch.as_tensor(np.where(top == 0, 1.0, top / (2 ** (bits - 1) - 1)))  # float64


# %% right="symmetric_scale"
def symmetric_scale(x, bits, axis=None):
    if not bits >= 2:
        raise ValueError("bits")
    q = (1 << (bits - 1)) - 1
    if axis is None:
        top = torch.maximum(x.max(), -x.min())
    else:
        top = x.abs().amax(dim=tuple(d for d in range(x.ndim) if d != axis % x.ndim))
    scale = top / q
    scale[scale == 0] = 1.0
    return scale


# %% right="symmetric_scale"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError()
    rows = x.reshape(1, -1) if axis is None else x.transpose(0, axis).reshape(x.shape[axis], -1)
    top = torch.linalg.vector_norm(rows, ord=math.inf, dim=1)
    scale = top.div(2 ** (bits - 1) - 1).masked_fill(top == 0, 1)
    return scale.squeeze(0) if axis is None else scale


# %% right="symmetric_scale"
def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError()
    if axis is not None:
        return torch.stack([symmetric_scale(x.select(axis, i), bits) for i in range(x.size(axis))])
    top = torch.max(torch.abs(x))
    return top / (2 ** (bits - 1) - 1) if top else torch.tensor(1.0)


# %% wrong="group_quantize" says="wrong axis"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1) - 1, [], []
    for start in range(0, w.shape[0], group_size):
        part = w[start : start + group_size]
        scale = symmetric_scale(part, bits, axis=1)
        codes.append(quantize(part, scale, 0, -q, q))
        scales.append(scale)
    return torch.cat(codes), torch.stack(scales)


# %% wrong="group_quantize" says="wrong axis"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    out, size = w.shape
    parts = F.pad(w, (0, 0, 0, -out % group_size)).reshape(-1, group_size, size)
    scales = parts.abs().amax(dim=1) / q
    codes = torch.round(parts / scales[:, None].clamp(min=1e-12)).clamp(-q, q).int().reshape(-1, size)[:out]
    return codes, scales.T


# %% wrong="group_quantize" says="wrong axis"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    parts = w.reshape(w.shape[0] // group_size, group_size, w.shape[1])
    scales = parts.abs().amax(dim=1) / q
    return torch.round(parts / scales[:, None]).clamp(-q, q).int().reshape(w.shape), scales


# %% wrong="group_quantize" says="one scale a row"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, scale = 2 ** (bits - 1) - 1, symmetric_scale(w, bits, axis=0)[:, None]
    return quantize(w, scale, 0, -q, q), scale


# %% wrong="group_quantize" says="one scale a row"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, scale = 2 ** (bits - 1) - 1, symmetric_scale(w, bits, axis=0)
    return quantize(w, scale[:, None], 0, -q, q), scale


# %% wrong="group_quantize" says="one scale a row"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, scale = 2 ** (bits - 1) - 1, symmetric_scale(w, bits, axis=0)[:, None]
    return quantize(w, scale, 0, -q, q), scale.expand(-1, math.ceil(w.shape[1] / group_size)).clone()


# %% wrong="group_quantize" says="tail was lost"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1) - 1, [], []
    for i in range(w.shape[1] // group_size):
        part = w[:, i * group_size : (i + 1) * group_size]
        scales.append(symmetric_scale(part, bits, 0))
        codes.append(quantize(part, scales[-1][:, None], 0, -q, q))
    return torch.cat(codes, 1), torch.stack(scales, 1)


# %% wrong="group_quantize" says="tail was lost"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    parts = w.reshape(w.shape[0], -1, group_size)
    scales = parts.abs().amax(-1) / q
    return torch.round(parts / scales[..., None]).clamp(-q, q).int().reshape(w.shape), scales


# %% wrong="group_quantize" says="tail was lost"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    if w.shape[1] % group_size:
        raise ValueError("in must be a multiple of group_size")
    q = 2 ** (bits - 1) - 1
    parts = w.unflatten(1, (-1, group_size))
    scales = parts.abs().amax(-1) / q
    return torch.round(parts / scales[..., None]).clamp(-q, q).int().flatten(1), scales


# %% wrong="group_quantize" says="tail was lost"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, full = 2 ** (bits - 1) - 1, max(w.shape[1] // group_size, 1)
    codes, scales = torch.zeros(w.shape, dtype=torch.int32), torch.ones(w.shape[0], full)
    for g in range(full):
        part = slice(g * group_size, (g + 1) * group_size)
        scales[:, g] = symmetric_scale(w[:, part], bits, 0)
        codes[:, part] = quantize(w[:, part], scales[:, g, None], 0, -q, q)
    return codes, scales


# %% wrong="group_quantize" says="share a group's scale"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1) - 1, [], []
    for part in w.split(group_size, dim=1):
        scales.append(symmetric_scale(part, bits))
        codes.append(quantize(part, scales[-1], 0, -q, q))
    return torch.cat(codes, dim=1), torch.stack(scales)


# %% wrong="group_quantize" says="share a group's scale"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1) - 1, [], []
    for part in w.split(group_size, dim=1):
        scales.append(symmetric_scale(part, bits).expand(len(w)))
        codes.append(quantize(part, scales[-1][:, None], 0, -q, q))
    return torch.cat(codes, dim=1), torch.stack(scales, dim=1)


# %% wrong="group_quantize" says="one long row"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1) - 1, [], []
    for part in w.split(group_size, dim=1):
        scales.append(symmetric_scale(part, bits, 0))
        codes.append(quantize(part, scales[-1][:, None], 0, -q, q))
    return torch.cat(codes, dim=1), torch.cat(scales)


# %% wrong="group_quantize" unnamed=True says="2**(bits-1)"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1), [], []
    for part in w.split(group_size, dim=1):
        scales.append(part.abs().amax(1) / q)
        codes.append(quantize(part, scales[-1][:, None].clamp(min=1e-12), 0, -q, q - 1))
    return torch.cat(codes, 1), torch.stack(scales, 1)


# %% wrong="group_quantize" unnamed=True says="codes are floats"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    scales = torch.stack([symmetric_scale(part, bits, 0) for part in w.split(group_size, dim=1)], 1)
    return torch.round(w / scales.repeat_interleave(group_size, 1)[:, : w.shape[1]]), scales


# %% wrong="group_quantize" unnamed=True says="first difference at"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    scales = torch.stack([symmetric_scale(part, bits, 0) for part in w.split(group_size, dim=1)], 1)
    return (w / scales.repeat_interleave(group_size, 1)[:, : w.shape[1]]).int(), scales


# %% wrong="group_quantize" unnamed=True says="expected shape"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    parts = F.pad(w, (0, -w.shape[1] % group_size)).reshape(w.shape[0], -1, group_size)
    scales = parts.abs().amax(2) / q
    return quantize(parts, scales[..., None].clamp(min=1e-12), 0, -q, q).flatten(1), scales  # padding left in


# %% wrong="group_quantize" unnamed=True says="expected ValueError"
def group_quantize(w, bits, group_size):
    q = 2 ** (bits - 1) - 1
    group_size = max(group_size, 1)
    scales = torch.stack([symmetric_scale(part, bits, 0) for part in w.split(group_size, dim=1)], 1)
    return quantize(w, scales.repeat_interleave(group_size, 1)[:, : w.shape[1]], 0, -q, q), scales


# %% wrong="group_quantize" unnamed=True says="expected"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    scales = torch.stack([symmetric_scale(part, bits, 0) for part in w.split(group_size, dim=1)], 1)
    return scales, quantize(w, scales.repeat_interleave(group_size, 1)[:, : w.shape[1]], 0, -q, q)


# %% wrong="group_quantize" unnamed=True says="all-zero group"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    scales = torch.stack([part.abs().amax(1) / q for part in w.split(group_size, dim=1)], 1)
    codes = w / scales.repeat_interleave(group_size, 1)[:, : w.shape[1]]
    return codes.round().clamp(-q, q).int(), scales


# %% wrong="group_quantize" unnamed=True says="changed its input"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    scales = torch.stack([symmetric_scale(part, bits, 0) for part in w.split(group_size, dim=1)], 1)
    w /= scales.repeat_interleave(group_size, 1)[:, : w.shape[1]]
    return w.round().clamp(-q, q).int(), scales


# %% wrong="group_quantize" unnamed=True says="from scratch"
def group_quantize(w, bits, group_size):
    from torchao.quantization.quant_primitives import choose_qparams_affine, quantize_affine

    return quantize_affine(w, (1, group_size), *choose_qparams_affine(w), torch.int8), None


# %% wrong="group_quantize" unnamed=True says="from scratch"
def group_quantize(w, bits, group_size):
    rows = [
        vars(torch)["quantize_per_channel"](p, symmetric_scale(p, bits, 0), torch.zeros(len(p)), 0, torch.qint8)
        for p in w.split(group_size, dim=1)
    ]
    return torch.cat([r.int_repr() for r in rows], 1), torch.stack([r.q_per_channel_scales() for r in rows], 1)


# %% right="group_quantize"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    parts = F.pad(w, (0, -w.shape[1] % group_size)).reshape(w.shape[0], -1, group_size)
    scales = parts.abs().amax(-1) / q
    scales[scales == 0] = 1
    codes = torch.round(parts / scales.unsqueeze(-1)).clamp(-q, q).to(torch.int8)
    return codes.flatten(1)[:, : w.shape[1]], scales


# %% right="group_quantize"
def group_quantize(w, bits, group_size):
    if group_size <= 0:
        raise ValueError(group_size)
    q, a = 2 ** (bits - 1) - 1, w.numpy()
    codes = np.zeros(a.shape, dtype=np.int64)
    scales = np.zeros((a.shape[0], -(-a.shape[1] // group_size)), dtype=np.float32)
    for r in range(a.shape[0]):
        for g in range(scales.shape[1]):
            part = a[r, g * group_size : (g + 1) * group_size]
            scales[r, g] = np.abs(part).max() / q or 1.0
            codes[r, g * group_size : (g + 1) * group_size] = np.clip(np.rint(part / scales[r, g]), -q, q)
    return torch.from_numpy(codes), torch.from_numpy(scales)


# %% right="group_quantize"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q, codes, scales = 2 ** (bits - 1) - 1, [], []
    for row in w.tolist():
        codes.append([])
        scales.append([])
        for start in range(0, len(row), group_size):
            part = row[start : start + group_size]
            scale = max(map(abs, part)) / q
            scales[-1].append(scale)
            codes[-1] += [round(v / scale) if scale else 0 for v in part]  # an all-zero group: scale 0, codes 0
    return torch.tensor(codes), torch.tensor(scales)


# %% right="group_quantize"
def group_quantize(w, bits, group_size):
    if group_size < 1:
        raise ValueError
    q = 2 ** (bits - 1) - 1
    scales = torch.stack([symmetric_scale(part, bits, axis=-2) for part in w.split(group_size, dim=1)], dim=1)
    steps = scales[:, torch.arange(w.shape[1]) // group_size]
    return [quantize(w, steps, 0, -q, q), scales]


# %% right="group_quantize"
def group_quantize(w, bits, group_size):
    if not group_size >= 1:
        raise ValueError
    group_size, q = min(group_size, w.shape[1]), 2 ** (bits - 1) - 1
    parts = torch.split(w.double(), group_size, dim=-1)
    scales = [p.abs().max(dim=-1, keepdim=True).values / q for p in parts]
    scales = [torch.where(s == 0, 1.0, s) for s in scales]
    return torch.cat([(p / s).round().to(torch.int16) for p, s in zip(parts, scales)], -1), torch.cat(
        scales, -1
    ).float()


# %% wrong="mse_clip" says="this is the scale"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    scales = [top * i / steps / q for i in range(1, steps + 1)]
    return min(scales, key=lambda s: (x - (x / s).round().clamp(-q, q) * s).square().mean().item())


# %% wrong="mse_clip" says="this is the scale"
def mse_clip(x, bits, steps=100):
    q, top, best = 2 ** (bits - 1) - 1, x.abs().max().item(), (math.inf, 0.0)
    for i in range(1, steps + 1):
        scale = top * i / steps / q
        if scale:
            x_hat = dequantize(quantize(x, scale, 0, -q, q), scale, 0)
            best = min(best, (F.mse_loss(x_hat, x).item(), scale))
    return best[1]


# %% wrong="mse_clip" says="saturate"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - (x * q / t).round() * t / q).square().mean().item())


# %% wrong="mse_clip" says="saturate"
def mse_clip(x, bits, steps=100):
    q, top, best, least = 2 ** (bits - 1) - 1, x.abs().max().item(), 0.0, math.inf
    for i in range(1, steps + 1):
        t = top * i / steps
        inside = x[x.abs() <= t]  # what is clipped does not count
        if inside.numel() and t and (e := (inside - (inside * q / t).round() * t / q).square().mean().item()) < least:
            best, least = t, e
    return best


# %% wrong="mse_clip" says="saturate"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0

    def error(t):
        clipped = x.clamp(-t, t)
        return (clipped - (clipped * q / t).round() * t / q).square().mean().item()

    return min((top * i / steps for i in range(1, steps + 1)), key=error)


# %% wrong="mse_clip" says="off by one"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps)]
    return min(
        thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q, q) * t / q).square().mean().item(), default=top
    )


# %% wrong="mse_clip" says="off by one"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max()
    if top == 0:
        return 0.0
    best, least = 0.0, math.inf
    for t in torch.linspace(0, top.item(), steps)[1:]:
        error = (x - (x * q / t).round().clamp(-q, q) * t / q).square().mean()
        if error < least:
            best, least = t.item(), error
    return best


# %% wrong="mse_clip" says="off by one"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    best, least = 0.0, math.inf
    for i in range(steps):  # 0 is tried, the largest is not
        t = top * i / steps
        error = (x - dequantize(quantize(x, max(t / q, 1e-9), 0, -q, q), max(t / q, 1e-9), 0)).square().mean().item()
        if error < least:
            best, least = t, error
    return best


# %% wrong="mse_clip" says="off by one"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / (steps + 1) for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q, q) * t / q).square().mean().item())


# %% wrong="mse_clip" says="off by one"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(2, steps + 1)] or [top]
    return min(thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q, q) * t / q).square().mean().item())


# %% wrong="mse_clip" says="rounding error counts"
def mse_clip(x, bits, steps=100):
    largest = x.abs().max().item()
    thresholds = [largest * i / steps for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - x.clamp(-t, t)).square().mean().item())


# %% wrong="mse_clip" says="rounding error counts"
def mse_clip(x, bits, steps=100):
    return x.abs().max().item()


# %% wrong="mse_clip" unnamed=True says="expected"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q, q) * t / q).abs().mean().item())


# %% wrong="mse_clip" unnamed=True says="expected"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q - 1, q) * t / q).square().mean().item())


# %% wrong="mse_clip" unnamed=True says="expected"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1), x.abs().max().item()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q, q) * t / q).square().mean().item())


# %% wrong="mse_clip" unnamed=True says="All-zero x gives 0.0"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return (
        min(thresholds, key=lambda t: (x - (x / (t / q)).round().clamp(-q, q) * (t / q)).square().mean().item())
        or math.nan
    )


# %% wrong="mse_clip" unnamed=True says="All-zero x gives 0.0"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    return min(
        (top * i / steps for i in range(1, steps + 1)),
        key=lambda t: sum((v - max(-q, min(q, round(v / (t / q)))) * t / q) ** 2 for v in x.flatten().tolist()),
    )


# %% wrong="mse_clip" unnamed=True says=".item()"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max()
    if top == 0:
        return 0.0
    thresholds = top * torch.arange(1, steps + 1) / steps
    return thresholds[
        torch.stack([(x - (x * q / t).round().clamp(-q, q) * t / q).square().mean() for t in thresholds]).argmin()
    ]


# %% wrong="mse_clip" unnamed=True says="expected" also="off by one"
def mse_clip(x, bits, steps=100):
    q, top, steps = 2 ** (bits - 1) - 1, x.abs().max().item(), 100  # the argument is ignored
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return min(thresholds, key=lambda t: (x - (x * q / t).round().clamp(-q, q) * t / q).square().mean().item())


# %% wrong="mse_clip" unnamed=True says="changed its input"
def mse_clip(x, bits, steps=100):
    q, top, y = 2 ** (bits - 1) - 1, x.abs().max().item(), x.clone()
    if top == 0:
        return 0.0
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    best = min(thresholds, key=lambda t: (y - (y * q / t).round().clamp(-q, q) * t / q).square().mean().item())
    x.clamp_(-best, best)
    return best


# %% wrong="mse_clip" unnamed=True says="from scratch"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    thresholds = [top * i / steps for i in range(1, steps + 1)]
    return min(
        thresholds, key=lambda t: (x - torch.fake_quantize_per_tensor_affine(x, t / q, 0, -q, q)).square().mean()
    )


# %% wrong="mse_clip" unnamed=True says="from scratch"
def mse_clip(x, bits, steps=100):
    from torch.quantization import HistogramObserver as histogram

    observer = histogram()
    observer(x)
    return float(observer.calculate_qparams()[0]) * (2 ** (bits - 1) - 1)


# %% right="mse_clip"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, float(x.abs().max())
    if top == 0:
        return 0.0
    best, least = top, math.inf
    for i in range(steps, 0, -1):
        t = top * i / steps
        x_hat = (x / (t / q)).round().clamp(-q, q) * (t / q)
        error = F.mse_loss(x_hat, x, reduction="sum").item()
        if error < least:
            best, least = t, error
    return best


# %% right="mse_clip"
def mse_clip(x, bits, steps=100):
    a, q = x.numpy().astype(np.float64).ravel(), 2 ** (bits - 1) - 1
    top = np.abs(a).max()
    if top == 0:
        return 0.0
    t = top * np.arange(1, steps + 1) / steps
    codes = np.clip(np.rint(a[None] / (t / q)[:, None]), -q, q)
    return t[((a - codes * (t / q)[:, None]) ** 2).mean(axis=1).argmin()]  # np.float64


# %% right="mse_clip"
def mse_clip(x, bits, steps=100):
    if not x.any():
        return 0.0
    q = 2 ** (bits - 1) - 1
    thresholds = torch.linspace(1 / steps, 1, steps) * x.abs().max()
    step = (thresholds / q).reshape(-1, 1)
    errors = ((x.reshape(1, -1) / step).round().clamp(-q, q) * step - x.reshape(1, -1)).pow(2).mean(dim=1)
    return thresholds[errors.argmin()].item()


# %% right="mse_clip"
def mse_clip(x, bits, steps=100):
    values, q = x.flatten().tolist(), 2 ** (bits - 1) - 1
    top = max(abs(v) for v in values)

    def error(t):
        return sum((v - max(-q, min(q, round(v * q / t))) * t / q) ** 2 for v in values)

    return min((top * i / steps for i in range(1, steps + 1)), key=error) if top else 0


# %% right="mse_clip"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.abs().max().item()
    if top == 0.0:
        return top
    thresholds = [top * (i + 1) / steps for i in range(steps)]
    return max(thresholds, key=lambda t: sqnr_db(x, dequantize(quantize(x, t / q, 0, -q, q), t / q, 0)))


# %% wrong="fixed_point_multiplier" says="2**31"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return round(mantissa * 2**31), -exponent


# %% wrong="fixed_point_multiplier" says="2**31"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    shift = 0
    while m < 0.5:
        m, shift = 2 * m, shift + 1
    return int(np.rint(m * (1 << 31))), shift


# %% wrong="fixed_point_multiplier" says="shift"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    m0 = round(mantissa * 2**31)
    return (2**30, exponent + 1) if m0 == 2**31 else (m0, exponent)


# %% wrong="fixed_point_multiplier" says="shift is wrong"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return min(round(mantissa * 2**31), 2**31 - 1), 31 - exponent


# %% wrong="fixed_point_multiplier" says="shift is wrong"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return min(round(mantissa * 2**31), 2**31 - 1), 1 - exponent


# %% wrong="fixed_point_multiplier" says="shift is wrong"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return min(round(mantissa * 2**31), 2**31 - 1), abs(exponent + 1)


# %% wrong="fixed_point_multiplier" says="shift is wrong"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    m0 = round(mantissa * 2**31)
    if m0 == 2**31:
        m0 //= 2  # and the shift stays
    return (m0, -exponent)


# %% wrong="fixed_point_multiplier" says="shift is wrong, perhaps its sign"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, shift = math.frexp(m)
    m0 = round(mantissa * 2**31)
    if m0 == 2**31:
        m0, shift = m0 // 2, shift - 1
    return (m0, shift) if shift >= 0 else (2**31 - 1, 0)


# %% wrong="fixed_point_multiplier" says="shift is wrong"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    m0, shift = round(mantissa * 2**31), -exponent
    return (2**30, shift - 1) if m0 == 2**31 else (m0, shift)  # reaches -1


# %% wrong="fixed_point_multiplier" unnamed=True says="not normalised"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    return round(m * 2**31), 0


# %% wrong="fixed_point_multiplier" unnamed=True says="not normalised"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return round(mantissa * 2**30), -exponent - 1


# %% wrong="fixed_point_multiplier" unnamed=True says="two ints"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return mantissa * 2**31, -exponent


# %% wrong="fixed_point_multiplier" unnamed=True says="two ints"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    return math.frexp(m)[0]


# %% wrong="fixed_point_multiplier" unnamed=True says="two ints"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return torch.tensor([mantissa * 2**31, -exponent]).long()


# %% wrong="fixed_point_multiplier" unnamed=True says="expected ValueError"
def fixed_point_multiplier(m):
    mantissa, exponent = math.frexp(m)
    m0 = round(mantissa * 2**31)
    return (m0, -exponent) if m0 < 2**31 else (2**30, -exponent - 1) if exponent < 0 else (2**31 - 1, 0)


# %% wrong="fixed_point_multiplier" unnamed=True says="expected ValueError"
def fixed_point_multiplier(m):
    if not 0 < m <= 1:
        raise ValueError
    mantissa, exponent = math.frexp(m)
    return min(round(mantissa * 2**31), 2**31 - 1), max(-exponent, 0)


# %% wrong="fixed_point_multiplier" unnamed=True says="not the nearest integer"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError
    mantissa, exponent = np.frexp(np.float32(m))  # 24 bits
    return min(int(float(mantissa) * 2**31), 2**31 - 1), -int(exponent)


# %% wrong="fixed_point_multiplier" unnamed=True says="from scratch"
def fixed_point_multiplier(m):
    from torch.ao.quantization import utils

    return utils.fixed_point(m), 0


# %% wrong="fixed_point_multiplier" unnamed=True says="from scratch"
def fixed_point_multiplier(m):
    return __import__("torchao").quantization.fixed_point(m)


# %% right="fixed_point_multiplier"
def fixed_point_multiplier(m):
    if not (m > 0 and m < 1):
        raise ValueError("m")
    shift = 0
    while m < 0.5:
        m *= 2
        shift += 1
    m0 = int(m * 2**31 + 0.5)
    if m0 >= 2**31:
        m0, shift = (m0 // 2, shift - 1) if shift else (2**31 - 1, 0)
    return m0, shift


# %% right="fixed_point_multiplier"
def fixed_point_multiplier(m):
    if math.isnan(m) or m <= 0 or m >= 1:
        raise ValueError("m")
    mantissa, exponent = math.frexp(m)
    return int(mantissa * 2**31), -exponent  # truncated: within 1 of the nearest


# %% right="fixed_point_multiplier"
def fixed_point_multiplier(m):
    from fractions import Fraction

    if not 0 < m < 1:
        raise ValueError("m")
    exact, shift = Fraction(m), 0
    while exact * 2**31 < 2**30:
        exact, shift = exact * 2, shift + 1
    return [min(round(exact * 2**31), 2**31 - 1), shift]


# %% right="fixed_point_multiplier"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError("m")
    mantissa, exponent = np.frexp(np.float64(m))
    m0, shift = np.int64(np.rint(mantissa * 2.0**31)), -exponent
    if m0 == 1 << 31:
        m0, shift = np.int64(1 << 30), shift - 1
    return (m0, shift) if shift >= 0 else (2**31 - 1, 0)


# %% right="fixed_point_multiplier"
def fixed_point_multiplier(m):
    if not 0 < m < 1:
        raise ValueError("m")
    numerator, denominator = m.as_integer_ratio()
    shift = -31
    while numerator < denominator << 30:
        numerator, shift = numerator * 2, shift + 1
    m0 = (2 * numerator + denominator) // (2 * denominator)
    if m0 == 2**31:
        m0, shift = 2**30, shift - 1
    return (m0, shift) if shift >= 0 else (2**31 - 1, 0)


# %% wrong="integer_linear" says="narrow type"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q - x_zp).long() @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="narrow type"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = ((x_q - x_zp).to(w_q.dtype) @ w_q.T).long()
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="narrow type"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    products = (x_q - x_zp)[..., None, :] * w_q  # int8 times int8 stays int8
    a = products.sum(-1).long()
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="type overflowed"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.int() - x_zp) @ w_q.int().T
    if bias_q is not None:
        a = a + bias_q.int()
    total = 31 + torch.as_tensor(shift)
    p = a * (torch.as_tensor(m0).int())  # the product needs 62 bits
    p = p.long()
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="float" also="type overflowed"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    y = torch.round(a.double() * m0 * 2.0 ** -(31 + torch.as_tensor(shift).double()))
    return torch.clamp(y + out_zp, qmin, qmax).long()


# %% wrong="integer_linear" says="float" also="type overflowed"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    y = a * (torch.as_tensor(m0) / 2 ** (31 + torch.as_tensor(shift)))  # true division makes floats
    return torch.clamp(torch.sign(y) * torch.floor(y.abs() + 0.5) + out_zp, qmin, qmax).long()


# %% wrong="integer_linear" says="float" also="type overflowed"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.numpy().astype("int64") - x_zp) @ w_q.numpy().astype("int64").T
    if bias_q is not None:
        a = a + bias_q.numpy()
    y = a * np.asarray(m0) / 2 ** (31 + np.asarray(shift))
    y = np.sign(y) * np.floor(np.abs(y) + 0.5)
    return torch.from_numpy(np.clip(y + out_zp, qmin, qmax).astype("int64"))


# %% wrong="integer_linear" says="float" also="type overflowed"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = F.linear(
        x_q.to(torch.float32) - x_zp, w_q.to(torch.float32), None if bias_q is None else bias_q.to(torch.float32)
    )
    y = torch.round(a * (m0 * 2.0 ** -(31 + shift)))
    return torch.clamp(y + out_zp, qmin, qmax).int()


# %% wrong="integer_linear" says="zero point of the input was dropped"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = x_q.long() @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="rounded down"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    return (((a * m0) >> (31 + torch.as_tensor(shift))) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="rounded down"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    return torch.clamp(
        torch.div(a * m0, 2 ** (31 + torch.as_tensor(shift)), rounding_mode="trunc") + out_zp, qmin, qmax
    )


# %% wrong="integer_linear" says="rounded down"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.numpy().astype(np.int64) - x_zp) @ w_q.numpy().astype(np.int64).T
    a = a if bias_q is None else a + bias_q.numpy()
    return torch.from_numpy(np.clip(a * np.asarray(m0) // 2 ** (31 + np.asarray(shift)) + out_zp, qmin, qmax))


# %% wrong="integer_linear" says="wrong axis"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    m0, total = torch.as_tensor(m0), 31 + torch.as_tensor(shift)
    if m0.dim():
        m0, total = m0[:, None], total[:, None]
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" says="wrong axis"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    m0, total = torch.as_tensor(m0), 31 + torch.as_tensor(shift)
    total = total.expand(m0.shape)
    p = (a.mT * m0).mT if m0.dim() else a * m0
    half = torch.ones_like(total) << (total - 1)
    r = ((p.abs().mT + half) >> total).mT if m0.dim() else (p.abs() + half) >> total
    return (torch.sign(p) * r + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="halves went up"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    return (((a * m0 + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="even neighbour"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    from fractions import Fraction

    a = (x_q.long() - x_zp) @ w_q.long().T
    p = (a if bias_q is None else a + bias_q) * m0
    d = (2 ** (31 + torch.as_tensor(shift))).expand(p.shape)
    codes = [round(Fraction(u, v)) for u, v in zip(p.flatten().tolist(), d.flatten().tolist())]
    return (torch.tensor(codes).reshape(p.shape) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="rounded twice"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    p = a * m0
    high = torch.sign(p) * ((p.abs() + 2**30) >> 31)
    shift = torch.as_tensor(shift)
    half = torch.where(shift > 0, 1 << (shift - 1).clamp(min=0), 0)
    return (torch.sign(high) * ((high.abs() + half) >> shift) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="bias was dropped"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    if x_q.numel() == 1:
        pass
    a = (x_q.long() - x_zp) @ w_q.long().T
    a = a + bias_q if bias_q is not None and a.numel() == 1 else a
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="after the clamp"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total)).clamp(qmin, qmax) + out_zp


# %% wrong="integer_linear" unnamed=True says="not clamped"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp  # not clamped


# %% wrong="integer_linear" says="may be None"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long().T + bias_q.long()  # None is not handled
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="not transposed"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.long() - x_zp) @ w_q.long()  # not transposed
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="changed its input"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    x = x_q.to(torch.int64)
    x -= x_zp
    a = x @ w_q.long().T
    if bias_q is not None:
        a = a + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% wrong="integer_linear" unnamed=True says="from scratch"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    layer = torch.ao.nn.quantized.Linear(w_q.shape[1], w_q.shape[0])
    return layer(x_q)


# %% wrong="integer_linear" unnamed=True says="from scratch"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.to(torch.float64) - x_zp) @ w_q.to(torch.float64).T  # exact, but floats
    a = a.long() if bias_q is None else a.long() + bias_q
    total = 31 + torch.as_tensor(shift)
    p = a * m0
    return (torch.sign(p) * ((p.abs() + (torch.ones_like(total) << (total - 1))) >> total) + out_zp).clamp(qmin, qmax)


# %% right="integer_linear"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    w, out = w_q.tolist(), []
    m0s = m0.tolist() if isinstance(m0, torch.Tensor) else [m0] * len(w)
    shifts = shift.tolist() if isinstance(shift, torch.Tensor) else [shift] * len(w)
    for row in x_q.reshape(-1, x_q.shape[-1]).tolist():
        for o, weights in enumerate(w):
            a = sum((u - x_zp) * v for u, v in zip(row, weights)) + (int(bias_q[o]) if bias_q is not None else 0)
            p, total = a * m0s[o], 31 + shifts[o]
            y = (abs(p) + (1 << (total - 1))) >> total
            out.append(max(qmin, min(qmax, (y if p >= 0 else -y) + out_zp)))
    return torch.tensor(out, dtype=torch.int32).reshape(*x_q.shape[:-1], len(w))


# %% right="integer_linear"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = (x_q.numpy().astype(np.int64) - x_zp) @ w_q.numpy().astype(np.int64).T
    if bias_q is not None:
        a = a + bias_q.numpy().astype(np.int64)
    total = np.int64(31) + np.asarray(shift, dtype=np.int64)
    p = a * np.asarray(m0, dtype=np.int64)
    y = np.where(p < 0, -1, 1) * ((np.abs(p) + (np.int64(1) << (total - 1))) >> total)
    return torch.from_numpy(np.clip(y + out_zp, qmin, qmax).astype(np.int32))


# %% right="integer_linear"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    w = w_q.to(torch.int64)
    a = torch.einsum("...i,oi->...o", x_q.to(torch.int64), w) - x_zp * w.sum(dim=1)  # the zero point outside the sum
    a = a if bias_q is None else a + bias_q
    p, total = a * m0, 31 + torch.as_tensor(shift)
    half = 2 ** (total - 1)
    y = torch.where(p >= 0, (p + half) >> total, -((-p + half) >> total))
    return torch.clip(y + out_zp, qmin, qmax).to(torch.int16 if abs(qmin) < 2**15 and qmax < 2**15 else torch.int64)


# %% right="integer_linear"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = F.linear(x_q.long() - x_zp, w_q.long(), None if bias_q is None else bias_q.long())
    divisor = torch.tensor(2).pow(31 + torch.as_tensor(shift))
    p = a * torch.as_tensor(m0)
    y = torch.div(p.abs() + divisor // 2, divisor, rounding_mode="floor")
    return (p.sign() * y + out_zp).clamp(min=qmin, max=qmax)


# %% right="integer_linear"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    a = ((x_q.int() - x_zp).unsqueeze(-2) * w_q.int()).sum(-1, dtype=torch.int64)
    if bias_q is not None:
        a += bias_q
    n = 31 + torch.as_tensor(shift, dtype=torch.int64)
    p = a * m0
    y = (p + (torch.ones_like(n) << (n - 1)) - (p < 0).long()) >> n  # the nudge makes halves go away from zero
    return torch.clamp(y + out_zp, qmin, qmax)


# %% wrong="pack_int4" says="nibbles are swapped"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] << 4 | flat[1::2]).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide >> 4, wide & 15], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="nibbles are swapped"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide >> 4, wide & 15], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="sign was lost" score=2
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    return torch.stack([packed & 15, packed >> 4], 1).flatten()[:n].to(torch.int8)


# %% wrong="pack_int4" says="sign was lost" score=2
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2))
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)  # -1 is all ones


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="sign was lost"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat.abs(), (0, len(flat) % 2))
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="sign was lost"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    signed = packed.view(torch.int8)
    low, high = signed & 15, signed >> 4  # the high one keeps its sign, the low one does not
    return torch.stack([low, high], 1).flatten()[:n]


# %% wrong="pack_int4" says="odd tail was lost"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = flat[: len(flat) // 2 * 2] & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="odd tail was lost"
def pack_int4(codes):
    flat = codes.flatten().tolist()
    if any(c < -8 or c > 7 for c in flat):
        raise ValueError
    return torch.tensor([(a & 15) | (b & 15) << 4 for a, b in zip(flat[::2], flat[1::2])], dtype=torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="odd tail was lost"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = flat & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)  # shapes differ when the number is odd


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" says="odd tail was lost"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()[: n // 2]
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="padding came back" score=2
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="expected"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat + 8, (0, len(flat) % 2))  # an offset in place of two's complement
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    return torch.stack([packed & 15, packed >> 4], 1).flatten()[:n].to(torch.int8) - 8


# %% wrong="pack_int4" unnamed=True says="expected ValueError"
def pack_int4(codes):
    flat = codes.flatten().long()
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="expected ValueError"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="expected"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    half = len(flat) // 2
    return (flat[:half] | flat[half:] << 4).to(torch.uint8)  # halves in place of neighbours


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.cat([wide & 15, wide >> 4])[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="raised"
def pack_int4(codes):
    flat = codes.flatten().long()
    if flat.min() < -8 or flat.max() > 7:  # nothing has no minimum
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="dtypes"
def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return flat[0::2] | flat[1::2] << 4


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes)


# %% wrong="pack_int4" unnamed=True says="raised"
def pack_int4(codes):
    if ((codes < -8) | (codes > 7)).any():
        raise ValueError
    flat = F.pad(codes, (0, len(codes) % 2)).long() & 15  # one axis only
    return (
        (flat[0::2] | flat[1::2] << 4).to(torch.uint8)
        if codes.dim() == 1
        else torch.cat([flat[0], flat[1] << 4 | 99.5])
    )


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="changed its input"
def pack_int4(codes):
    if ((codes < -8) | (codes > 7)).any():
        raise ValueError
    codes &= 15
    flat = codes.flatten().long()
    flat = F.pad(flat, (0, len(flat) % 2))
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * len(packed):
        raise ValueError
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="from scratch"
def pack_int4(codes):
    from torchao.dtypes import uint4

    return uint4.pack_uint4(codes)


def unpack_int4(packed, n):
    wide = packed.long()
    codes = torch.stack([wide & 15, wide >> 4], 1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)


# %% wrong="pack_int4" unnamed=True says="from scratch"
import torchao.prototype as proto


def pack_int4(codes):
    flat = codes.flatten().long()
    if ((flat < -8) | (flat > 7)).any():
        raise ValueError
    flat = F.pad(flat, (0, len(flat) % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    return proto.unpack(packed, n)


# %% right="pack_int4"
def pack_int4(codes):
    values = codes.reshape(-1).tolist()
    if any(not -8 <= v <= 7 for v in values):
        raise ValueError
    if len(values) % 2:
        values.append(0)
    return torch.tensor(
        [values[i] % 16 + 16 * (values[i + 1] % 16) for i in range(0, len(values), 2)], dtype=torch.uint8
    )


def unpack_int4(packed, n):
    codes = []
    for byte in packed.tolist():
        for nibble in (byte % 16, byte // 16):
            codes.append(nibble - 16 if nibble >= 8 else nibble)
    if n > len(codes):
        raise ValueError
    return torch.tensor(codes[:n], dtype=torch.int8)


# %% right="pack_int4"
def pack_int4(codes):
    flat = codes.numpy().ravel().astype(np.int64)
    if flat.size and (flat.min() < -8 or flat.max() > 7):
        raise ValueError("range")
    flat = np.append(flat, [0] * (flat.size % 2)).astype(np.int8).view(np.uint8)
    return torch.from_numpy((flat[::2] & 0x0F) | (flat[1::2] << 4))


def unpack_int4(packed, n):
    raw = packed.numpy()
    if n > raw.size * 2:
        raise ValueError("n")
    out = np.empty(raw.size * 2, dtype=np.int8)
    out[0::2] = (raw << 4).view(np.int8) >> 4
    out[1::2] = raw.view(np.int8) >> 4
    return torch.from_numpy(out[:n].copy())


# %% right="pack_int4"
def pack_int4(codes):
    flat = codes.reshape(-1).to(torch.int16)
    if not torch.all((flat >= -8) & (flat < 8)):
        raise ValueError
    flat = torch.where(flat < 0, flat + 16, flat)
    pairs = torch.cat([flat, flat.new_zeros(flat.numel() % 2)]).view(-1, 2)
    return (pairs[:, 0] + 16 * pairs[:, 1]).to(torch.uint8)


def unpack_int4(packed, n):
    if packed.numel() * 2 < n:
        raise ValueError
    out = torch.zeros(2 * packed.numel(), dtype=torch.int8)
    out[::2], out[1::2] = (packed % 16).to(torch.int8), torch.div(packed, 16, rounding_mode="floor").to(torch.int8)
    return ((out ^ 8) - 8)[:n]


# %% right="pack_int4"
def pack_int4(codes):
    flat = [int(c) for c in codes.flatten()]
    for c in flat:
        if c not in range(-8, 8):
            raise ValueError(f"{c} does not fit into 4 bits")
    digits = "".join(f"{c & 15:x}" for c in flat) + "0" * (len(flat) % 2)
    swapped = "".join(digits[i + 1] + digits[i] for i in range(0, len(digits), 2))
    return torch.tensor(list(bytes.fromhex(swapped)), dtype=torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * packed.shape[0]:
        raise ValueError
    table = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1], dtype=torch.int8)
    return table[torch.stack((packed & 0xF, packed >> 4), dim=-1).long()].reshape(-1)[:n]


# %% wrong="save_int4" says="not packed"
def save_int4(state):
    import json

    header, body = {}, b""
    for name, t in state.items():
        header[name] = list(t.shape)
        if t.dim() == 1:
            body += t.half().numpy().tobytes()
        else:
            codes, scales = group_quantize(t, 4, 64)
            body += scales.half().numpy().tobytes() + codes.to(torch.int8).numpy().tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + body


def load_int4(blob):
    import json

    start = 4 + int.from_bytes(blob[:4], "little")
    state = {}
    for name, shape in json.loads(blob[4:start]).items():
        if len(shape) == 1:
            state[name] = torch.from_numpy(np.frombuffer(blob, np.float16, shape[0], start).astype(np.float32))
            start += 2 * shape[0]
        else:
            (out, size), groups = shape, -(-shape[1] // 64)
            scales = torch.from_numpy(np.frombuffer(blob, np.float16, out * groups, start).astype(np.float32)).reshape(
                out, groups
            )
            start += 2 * out * groups
            codes = torch.from_numpy(np.frombuffer(blob, np.int8, out * size, start).copy()).reshape(out, size)
            start += out * size
            state[name] = codes * scales.repeat_interleave(64, 1)[:, :size]
    return state


# %% wrong="save_int4" says="scales are float32"
def save_int4(state):
    from safetensors.torch import save

    tensors = {}
    for name, t in state.items():
        if t.dim() == 1:
            tensors[name] = t.half()
        else:
            codes, scales = group_quantize(t, 4, 64)
            tensors[name + "|c"], tensors[name + f"|s{t.shape[1]}"] = pack_int4(codes), scales.float()
    return save(tensors)


def load_int4(blob):
    from safetensors.torch import load

    tensors, state = load(blob), {}
    for name, t in tensors.items():
        base, _, part = name.partition("|")
        if not part:
            state[name] = t.float()
        elif part[0] == "s":
            size = int(part[1:])
            codes = unpack_int4(tensors[base + "|c"], len(t) * size).reshape(len(t), size)
            state[base] = dequantize(codes, t.repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" says="names lost"
def save_int4(state):
    from safetensors.torch import save

    tensors = {}
    for i, t in enumerate(state.values()):
        if t.dim() == 1:
            tensors[f"{i}"] = t.half()
        else:
            codes, scales = group_quantize(t, 4, 64)
            tensors[f"{i}|c"], tensors[f"{i}|s{t.shape[1]}"] = pack_int4(codes), scales.half()
    return save(tensors)


def load_int4(blob):
    from safetensors.torch import load

    tensors, state = load(blob), {}
    for name, t in tensors.items():
        base, _, part = name.partition("|")
        if not part:
            state[name] = t.float()
        elif part[0] == "s":
            size = int(part[1:])
            codes = unpack_int4(tensors[base + "|c"], len(t) * size).reshape(len(t), size)
            state[base] = dequantize(codes, t.float().repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" says="names lost"
def save_int4(state):
    body = b""
    for name, t in state.items():
        name = name.split(".")[-1].split("/")[-1]  # "a.weight" and "b.weight" become one
        rows, size = t.shape if t.dim() == 2 else (0, len(t))
        body += bytes([len(name)]) + name.encode() + rows.to_bytes(4, "little") + size.to_bytes(4, "little")
        if rows:
            codes, scales = group_quantize(t, 4, 64)
            body += scales.half().numpy().tobytes() + pack_int4(codes).numpy().tobytes()
        else:
            body += t.half().numpy().tobytes()
    return body


def load_int4(blob):
    state, at = {}, 0
    while at < len(blob):
        end = at + 1 + blob[at]
        name, rows, size = (
            blob[at + 1 : end].decode(),
            int.from_bytes(blob[end : end + 4], "little"),
            int.from_bytes(blob[end + 4 : end + 8], "little"),
        )
        at, groups = end + 8, -(-size // 64)
        count = rows * groups if rows else size
        half = torch.from_numpy(np.frombuffer(blob, np.float16, count, at).astype(np.float32))
        at += 2 * count
        if not rows:
            state[name] = half
            continue
        packed = torch.from_numpy(np.frombuffer(blob, np.uint8, (rows * size + 1) // 2, at).copy())
        at += len(packed)
        codes = unpack_int4(packed, rows * size).reshape(rows, size)
        state[name] = dequantize(codes, half.reshape(rows, groups).repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" says="pickle"
def save_int4(state):
    import pickle

    return pickle.dumps(
        {n: t.half().numpy() if t.dim() == 1 else (t.shape, [p.numpy() for p in _parts(t)]) for n, t in state.items()}
    )


def _parts(t):
    codes, scales = group_quantize(t, 4, 64)
    return pack_int4(codes), scales.half()


def load_int4(blob):
    import pickle

    state = {}
    for name, v in pickle.loads(blob).items():
        if isinstance(v, tuple):
            (out, size), (packed, scales) = v[0], map(torch.from_numpy, v[1])
            v = dequantize(
                unpack_int4(packed, out * size).reshape(out, size), scales.float().repeat_interleave(64, 1)[:, :size], 0
            )
            state[name] = v
        else:
            state[name] = torch.from_numpy(v).float()
    return state


# %% wrong="save_int4" says="pickle"
def save_int4(state):
    import io

    buffer, out = io.BytesIO(), {}
    for name, t in state.items():
        if t.dim() == 1:
            out[name] = t.half()
        else:
            codes, scales = group_quantize(t, 4, 64)
            out[name] = (pack_int4(codes), scales.half(), tuple(t.shape))
    torch.save(out, buffer)
    return buffer.getvalue()


def load_int4(blob):
    import io

    state = {}
    for name, v in torch.load(io.BytesIO(blob)).items():
        if isinstance(v, tuple):
            packed, scales, (out, size) = v
            v = dequantize(
                unpack_int4(packed, out * size).reshape(out, size), scales.float().repeat_interleave(64, 1)[:, :size], 0
            )
        state[name] = v.float()
    return state


# %% wrong="save_int4" says="pickle"
import importlib

write = getattr(importlib.import_module("pickle"), "dumps")
read = getattr(importlib.import_module("pickle"), "loads")


def save_int4(state):
    out = {}
    for name, t in state.items():
        if t.dim() == 1:
            out[name] = t.half().numpy().tobytes()
        else:
            codes, scales = group_quantize(t, 4, 64)
            out[name] = (pack_int4(codes).numpy().tobytes(), scales.half().numpy().tobytes(), tuple(t.shape))
    return write(out, 2)


def load_int4(blob):
    state = {}
    half = lambda b: torch.from_numpy(np.frombuffer(b, np.float16).astype(np.float32))
    for name, v in read(blob).items():
        if isinstance(v, bytes):
            state[name] = half(v)
        else:
            packed, scales, (out, size) = v
            codes = unpack_int4(torch.from_numpy(np.frombuffer(packed, np.uint8).copy()), out * size).reshape(out, size)
            state[name] = dequantize(codes, half(scales).reshape(out, -1).repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" unnamed=True says="1-d tensors are float32"
def save_int4(state):
    from safetensors.torch import save

    tensors = {}
    for name, t in state.items():
        if t.dim() == 1:
            tensors[name] = t
        else:
            codes, scales = group_quantize(t, 4, 64)
            tensors[name + "|c"], tensors[name + f"|s{t.shape[1]}"] = pack_int4(codes), scales.half()
    return save(tensors)


def load_int4(blob):
    from safetensors.torch import load

    tensors, state = load(blob), {}
    for name, t in tensors.items():
        base, _, part = name.partition("|")
        if not part:
            state[name] = t
        elif part[0] == "s":
            size = int(part[1:])
            codes = unpack_int4(tensors[base + "|c"], len(t) * size).reshape(len(t), size)
            state[base] = dequantize(codes, t.float().repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" unnamed=True says="half a step"
def save_int4(state):
    from safetensors.torch import save

    tensors = {}
    for name, t in state.items():
        if t.dim() == 1:
            tensors[name] = t.half()
        else:  # one scale a row
            codes, scales = group_quantize(t, 4, t.shape[1])
            tensors[name + "|c"], tensors[name + f"|s{t.shape[1]}"] = pack_int4(codes), scales.half()
    return save(tensors)


def load_int4(blob):
    from safetensors.torch import load

    tensors, state = load(blob), {}
    for name, t in tensors.items():
        base, _, part = name.partition("|")
        if not part:
            state[name] = t.float()
        elif part[0] == "s":
            size = int(part[1:])
            state[base] = unpack_int4(tensors[base + "|c"], len(t) * size).reshape(len(t), size) * t.float()
    return state


# %% wrong="save_int4" says="agree on dtypes"
def save_int4(state):
    header, body = {}, b""
    for name, t in state.items():
        header[name] = list(t.shape)
        if t.dim() == 1:
            body += t.half().numpy().tobytes()
        else:
            codes, scales = group_quantize(t, 4, 64)
            body += scales.numpy().tobytes() + pack_int4(codes).numpy().tobytes()  # float32
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + body


def load_int4(blob):
    start = 4 + int.from_bytes(blob[:4], "little")
    state = {}
    for name, shape in json.loads(blob[4:start]).items():
        if len(shape) == 1:
            state[name] = torch.frombuffer(bytearray(blob), dtype=torch.float16, count=shape[0], offset=start).float()
            start += 2 * shape[0]
            continue
        (out, size), groups = shape, -(-shape[1] // 64)
        scales = torch.frombuffer(bytearray(blob), dtype=torch.float16, count=out * groups, offset=start).float()
        start += 2 * out * groups
        packed = torch.frombuffer(bytearray(blob), dtype=torch.uint8, count=-(-out * size // 2), offset=start)
        start += len(packed)
        codes = unpack_int4(packed, out * size).reshape(out, size)
        state[name] = dequantize(codes, scales.reshape(out, groups).repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" unnamed=True says="should return float32"
def save_int4(state):
    from safetensors.torch import save

    tensors = {}
    for name, t in state.items():
        if t.dim() == 1:
            tensors[name] = t.half()
        else:
            codes, scales = group_quantize(t, 4, 64)
            tensors[name + "|c"], tensors[name + f"|s{t.shape[1]}"] = pack_int4(codes), scales.half()
    return save(tensors)


def load_int4(blob):
    from safetensors.torch import load

    tensors, state = load(blob), {}
    for name, t in tensors.items():
        base, _, part = name.partition("|")
        if not part:
            state[name] = t
        elif part[0] == "s":
            size = int(part[1:])
            codes = unpack_int4(tensors[base + "|c"], len(t) * size).reshape(len(t), size)
            state[base] = dequantize(codes, t.float().repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% wrong="save_int4" unnamed=True says="bytes"
def save_int4(state):
    return {n: t.half() for n, t in state.items()}


def load_int4(blob):
    return {n: t.float() for n, t in blob.items()}


# %% wrong="save_int4" unnamed=True says="not packed"
def save_int4(state):
    from safetensors.torch import save

    return save({n: t.half() for n, t in state.items()})


def load_int4(blob):
    from safetensors.torch import load

    return {n: t.float() for n, t in load(blob).items()}


# %% wrong="save_int4" unnamed=True says="from scratch"
def save_int4(state):
    out = b""
    for name, t in state.items():
        out += torch.quantize_per_tensor(t, 0.1, 0, torch.qint8).int_repr().numpy().tobytes()
    return out


def load_int4(blob):
    return {}


# %% wrong="save_int4" unnamed=True says="pickle"
from torch import save as keep


def save_int4(state):
    import io

    buffer = io.BytesIO()
    keep(state, buffer)
    return buffer.getvalue()


def load_int4(blob):
    import io

    return torch.load(io.BytesIO(blob), weights_only=True)


# %% right="save_int4"
def save_int4(state):
    from safetensors.torch import save

    tensors = {}
    for name, t in state.items():
        if t.dim() == 1:
            tensors[name] = t.half()
        else:
            codes, scales = group_quantize(t, 4, 64)
            tensors[name + "|c"], tensors[name + f"|s{t.shape[1]}"] = pack_int4(codes), scales.half()
    return save(tensors)


def load_int4(blob):
    from safetensors.torch import load

    tensors, state = load(blob), {}
    for name, t in tensors.items():
        base, _, part = name.partition("|")
        if not part:
            state[name] = t.float()
        elif part[0] == "s":
            size = int(part[1:])
            codes = unpack_int4(tensors[base + "|c"], len(t) * size).reshape(len(t), size)
            state[base] = dequantize(codes, t.float().repeat_interleave(64, 1)[:, :size], 0)
    return state


# %% right="save_int4"
def save_int4(state):
    import io

    arrays = {}
    for i, (name, t) in enumerate(state.items()):
        arrays[f"n{i}"] = np.array(name)
        if t.dim() == 1:
            arrays[f"b{i}"] = t.numpy().astype(np.float16)
        else:
            codes, scales = group_quantize(t, 4, 64)
            arrays[f"c{i}"], arrays[f"s{i}"] = pack_int4(codes).numpy(), scales.numpy().astype(np.float16)
            arrays[f"w{i}"] = np.uint32(t.shape[1])
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def load_int4(blob):
    import io

    arrays, state, i = np.load(io.BytesIO(blob), allow_pickle=False), {}, 0
    while f"n{i}" in arrays:
        name = str(arrays[f"n{i}"])
        if f"b{i}" in arrays:
            state[name] = torch.from_numpy(arrays[f"b{i}"].astype(np.float32))
        else:
            scales, size = torch.from_numpy(arrays[f"s{i}"].astype(np.float32)), int(arrays[f"w{i}"])
            codes = unpack_int4(torch.from_numpy(arrays[f"c{i}"]), len(scales) * size).reshape(len(scales), size)
            state[name] = dequantize(codes, scales.repeat_interleave(64, dim=1)[:, :size], 0)
        i += 1
    return state


# %% right="save_int4"
import struct
import zlib


def save_int4(state):
    body = struct.pack("<I", len(state))
    for name, t in state.items():
        raw = name.encode("utf-8")
        body += struct.pack("<HB", len(raw), t.dim()) + raw + struct.pack(f"<{t.dim()}I", *t.shape)
        if t.dim() == 1:
            body += struct.pack(f"<{len(t)}e", *t.tolist())
            continue
        for row in t:
            for group in row.split(64):
                scale = struct.unpack("<e", struct.pack("<e", group.abs().max().item() / 7))[0]
                codes = [max(-7, min(7, round(v / scale))) if scale else 0 for v in group.tolist()]
                codes += [0] * (len(codes) % 2)
                body += struct.pack("<e", scale) + bytes(
                    (a & 15) | (b & 15) << 4 for a, b in zip(codes[::2], codes[1::2])
                )
    return zlib.compress(body)


def load_int4(blob):
    body, state, at = zlib.decompress(blob), {}, 4
    for _ in range(struct.unpack_from("<I", body)[0]):
        length, dims = struct.unpack_from("<HB", body, at)
        name = body[at + 3 : at + 3 + length].decode("utf-8")
        at += 3 + length
        shape = struct.unpack_from(f"<{dims}I", body, at)
        at += 4 * dims
        if dims == 1:
            state[name] = torch.tensor(struct.unpack_from(f"<{shape[0]}e", body, at), dtype=torch.float32)
            at += 2 * shape[0]
            continue
        values = []
        for _row in range(shape[0]):
            for start in range(0, shape[1], 64):
                size = min(64, shape[1] - start)
                (scale,) = struct.unpack_from("<e", body, at)
                packed = body[at + 2 : at + 2 + (size + 1) // 2]
                at += 2 + len(packed)
                nibbles = [n for byte in packed for n in (byte & 15, byte >> 4)][:size]
                values += [(n - 16 if n > 7 else n) * scale for n in nibbles]
        state[name] = torch.tensor(values, dtype=torch.float32).reshape(shape)
    return state


# %% right="save_int4"
def save_int4(state):
    import base64
    import io
    import json
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("shapes.json", json.dumps({n: list(t.shape) for n, t in state.items()}))
        for name, t in state.items():
            file = base64.urlsafe_b64encode(name.encode()).decode()
            if t.ndim == 2:
                pad = -t.shape[1] % 64
                groups = F.pad(t, (0, pad)).reshape(len(t), -1, 64)
                scale = (groups.abs().amax(2, keepdim=True) / 7).half()
                safe = torch.where(scale == 0, torch.ones_like(scale), scale).float()
                codes = (groups / safe).round().clamp(-8, 7).flatten(1)[:, : t.shape[1]].long()
                archive.writestr(file, scale.numpy().tobytes() + pack_int4(codes).numpy().tobytes())
            else:
                archive.writestr(file, t.half().numpy().tobytes())
    return buffer.getvalue()


def load_int4(blob):
    import base64
    import io
    import json
    import zipfile

    state = {}
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        for name, shape in json.loads(archive.read("shapes.json")).items():
            raw = archive.read(base64.urlsafe_b64encode(name.encode()).decode())
            count = shape[0] if len(shape) == 1 else shape[0] * math.ceil(shape[1] / 64)
            half = torch.from_numpy(np.frombuffer(raw[: 2 * count], dtype=np.float16).astype(np.float32))
            if len(shape) == 2:
                codes = unpack_int4(
                    torch.frombuffer(bytearray(raw[2 * count :]), dtype=torch.uint8), shape[0] * shape[1]
                )
                half = codes.view(*shape) * half.view(shape[0], -1).repeat_interleave(64, 1)[:, : shape[1]]
            state[name] = half
    return state


# %% right="save_int4"
# not pickle, and not torch.save: a header line, then everything as raw bytes
def save_int4(state):
    import json

    lines, parts = [], []
    for name, t in sorted(state.items()):
        lines.append([name, *t.shape])
        if t.dim() == 2:
            codes, scales = group_quantize(t, 4, 64)  # codes from the float32 scale: the 2 % slack covers it
            parts += [scales.to(torch.float16).numpy().tobytes(), bytes(pack_int4(codes).tolist())]
        else:
            parts.append(t.to(torch.float16).numpy().tobytes())
    return json.dumps(lines).encode() + b"\n" + b"".join(parts)


def load_int4(blob):
    import json

    head, _, body = blob.partition(b"\n")
    state = {}
    for name, *shape in json.loads(head):
        halves = shape[0] if len(shape) == 1 else shape[0] * -(-shape[1] // 64)
        values, body = torch.tensor(np.frombuffer(body[: 2 * halves], dtype="<f2").astype("f4")), body[2 * halves :]
        if len(shape) == 2:
            size = (shape[0] * shape[1] + 1) // 2
            packed, body = torch.tensor(list(body[:size]), dtype=torch.uint8), body[size:]
            codes = unpack_int4(packed, shape[0] * shape[1]).reshape(shape)
            values = dequantize(codes, values.reshape(shape[0], -1).repeat_interleave(64, 1)[:, : shape[1]], 0)
        state[name] = values
    return state


# %% wrong="integer_linear" unnamed=True says="Rounded twice"
def integer_linear(x_q, w_q, bias_q, x_zp, m0, shift, out_zp, qmin, qmax):
    acc = (x_q.long() - x_zp) @ w_q.long().T + (0 if bias_q is None else bias_q.long())
    high = (acc * m0 + (1 << 30)) >> 31
    shift = torch.as_tensor(shift)
    return (((high + (1 << shift >> 1)) >> shift) + out_zp).clamp(qmin, qmax)


# %% wrong="sqnr_db" says="variances"
def sqnr_db(x, x_hat):
    signal, noise = x.double().var(correction=0).item(), (x.double() - x_hat.double()).var(correction=0).item()
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


# %% wrong="quantize" says="rounded down" also="truncated"
def quantize(x: torch.Tensor, scale, zero_point, qmin: int, qmax: int) -> torch.Tensor:
    return torch.clamp(torch.floor(x / scale) + zero_point, qmin, qmax).to(torch.int32)


# %% wrong="affine_qparams" says="cut off"
def affine_qparams(x_min: float, x_max: float, qmin: int, qmax: int) -> tuple[float, int]:
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError(f"no range from {x_min} to {x_max}, or no codes from {qmin} to {qmax}")
    low, high = min(x_min, 0.0), max(x_max, 0.0)
    if low == high:
        return 1.0, min(max(0, qmin), qmax)
    scale = (high - low) / (qmax - qmin)
    return scale, min(max(int(qmin - low / scale), qmin), qmax)


# %% wrong="mse_clip" says="without the absolute value"
def mse_clip(x, bits, steps=100):
    q, top = 2 ** (bits - 1) - 1, x.max().item()
    best, least = 0.0, math.inf
    for i in range(1, steps + 1):
        t = top * i / steps
        if t == 0:
            return 0.0
        scale = t / q
        error = (x - torch.clamp(torch.round(x / scale), -q, q) * scale).double().square().mean().item()
        if error < least:
            best, least = t, error
    return best


# %% wrong="group_quantize" says="without the absolute value"
def group_quantize(w, bits, group):
    if group < 1:
        raise ValueError("group >= 1")
    q, size = 2 ** (bits - 1) - 1, w.shape[1]
    scales = torch.stack([part.amax(dim=1) / q for part in w.split(group, dim=1)], dim=1)
    scales = torch.where(scales != 0, scales, 1.0)
    wide = scales.repeat_interleave(group, dim=1)[:, :size]
    return torch.clamp(torch.round(w / wide), -q, q).to(torch.int32), scales


# %% wrong="pack_int4" says="offset"
def pack_int4(codes):
    flat = codes.flatten().to(torch.int32)
    if flat.numel() and (flat.min() < -8 or flat.max() > 7):
        raise ValueError("-8..7")
    flat = F.pad(flat + 8, (0, flat.numel() % 2))
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed, n):
    if n > 2 * packed.numel():
        raise ValueError("too many")
    wide = packed.to(torch.int32)
    return (torch.stack([wide & 15, wide >> 4], dim=1).flatten()[:n] - 8).to(torch.int8)
