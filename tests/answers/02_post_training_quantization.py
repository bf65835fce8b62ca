# %% [markdown]
# Answers to lesson 02, wrong and right ones: each cell replaces one answer cell.

# %% wrong="fold_batchnorm" says="eps was forgotten"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    k = (bn.weight.data if bn.affine else 1) / bn.running_var.sqrt()
    b = conv.bias.data if conv.bias is not None else 0
    folded.weight = nn.Parameter(conv.weight.data * k.view(-1, 1, 1, 1))
    folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias.data if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" says="not the standard deviation"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    k = (bn.weight.data if bn.affine else 1) / (bn.running_var + bn.eps)
    b = conv.bias.data if conv.bias is not None else 0
    folded.weight = nn.Parameter(conv.weight.data * k.view(-1, 1, 1, 1))
    folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias.data if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" says="not the standard deviation" also="eps was forgotten"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    k = (bn.weight.data if bn.affine else 1) / bn.running_var
    b = conv.bias.data if conv.bias is not None else 0
    folded.weight = nn.Parameter(conv.weight.data * k.view(-1, 1, 1, 1))
    folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias.data if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" says="bias of the convolution was dropped"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    k = (bn.weight.data if bn.affine else 1) / torch.sqrt(bn.running_var + bn.eps)
    folded.weight = nn.Parameter(conv.weight.data * k.view(-1, 1, 1, 1))
    folded.bias = nn.Parameter((bn.bias.data if bn.affine else 0) - bn.running_mean * k)
    return folded


# %% wrong="fold_batchnorm" says="changed the convolution"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    with torch.no_grad():
        k = (bn.weight if bn.affine else 1) / torch.sqrt(bn.running_var + bn.eps)
        b = conv.bias if conv.bias is not None else 0
        bias = (b - bn.running_mean) * k + (bn.bias if bn.affine else 0)
        conv.weight.mul_(k.view(-1, 1, 1, 1))
        conv.bias = nn.Parameter(bias)
    return conv


# %% wrong="fold_batchnorm" says="changed the convolution"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    bn.eval()
    folded = copy.deepcopy(conv)
    with torch.no_grad():
        k = (bn.weight if bn.affine else 1) / torch.sqrt(bn.running_var + bn.eps)
        b = conv.bias if conv.bias is not None else 0
        folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias if bn.affine else 0))
        folded.weight = nn.Parameter(conv.weight * k.view(-1, 1, 1, 1))
    return folded


# %% wrong="fold_batchnorm" unnamed=True says="eps stands under the root"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    k = (bn.weight.data if bn.affine else 1) / (bn.running_var.sqrt() + bn.eps)
    b = conv.bias.data if conv.bias is not None else 0
    folded.weight = nn.Parameter(conv.weight.data * k.view(-1, 1, 1, 1))
    folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias.data if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" unnamed=True says="was not scaled"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    k = (bn.weight.data if bn.affine else 1) / torch.sqrt(bn.running_var + bn.eps)
    b = conv.bias.data if conv.bias is not None else 0
    folded.weight = nn.Parameter(conv.weight.data * k.view(-1, 1, 1, 1))
    folded.bias = nn.Parameter(b - bn.running_mean * k + (bn.bias.data if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" unnamed=True says="setting was lost"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    folded = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size)
    with torch.no_grad():
        k = (bn.weight if bn.affine else 1) / torch.sqrt(bn.running_var + bn.eps)
        b = conv.bias if conv.bias is not None else 0
        folded.weight = nn.Parameter(conv.weight * k.view(-1, 1, 1, 1))
        folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" unnamed=True says="expected ValueError"
def fold_batchnorm(conv, bn):
    folded = copy.deepcopy(conv)
    with torch.no_grad():
        k = (bn.weight if bn.affine else 1) / torch.sqrt(bn.running_var + bn.eps)
        b = conv.bias if conv.bias is not None else 0
        folded.weight = nn.Parameter(conv.weight * k.view(-1, 1, 1, 1))
        folded.bias = nn.Parameter((b - bn.running_mean) * k + (bn.bias if bn.affine else 0))
    return folded


# %% wrong="fold_batchnorm" unnamed=True says="from scratch, without"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    from torch.nn.utils import fusion as helpers

    return helpers.fuse_conv_bn_eval(copy.deepcopy(conv).eval(), copy.deepcopy(bn).eval())


# %% right="fold_batchnorm"
def fold_batchnorm(conv, bn):
    if not bn.track_running_stats:
        raise ValueError("no statistics")
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        True,
        conv.padding_mode,
    )
    for o in range(conv.out_channels):
        gamma = bn.weight[o].item() if bn.affine else 1.0
        beta = bn.bias[o].item() if bn.affine else 0.0
        k = gamma / math.sqrt(bn.running_var[o].item() + bn.eps)
        b = conv.bias[o].item() if conv.bias is not None else 0.0
        folded.weight.data[o] = conv.weight.data[o] * k
        folded.bias.data[o] = k * (b - bn.running_mean[o].item()) + beta
    return folded


# %% right="fold_batchnorm"
def fold_batchnorm(conv, bn):
    if bn.running_var is None:
        raise ValueError
    folded = copy.deepcopy(conv)
    still = copy.deepcopy(bn).eval()
    out = conv.out_channels
    with torch.no_grad():  # where BatchNorm sends 0 and 1 tells the line
        zero = still(torch.zeros(1, out, 1, 1)).flatten()
        k = still(torch.ones(1, out, 1, 1)).flatten() - zero
        folded.weight.copy_(conv.weight * k.reshape(-1, 1, 1, 1))
        bias = zero if conv.bias is None else zero + k * conv.bias
    folded.bias = nn.Parameter(bias.clone())
    return folded


# %% right="fold_batchnorm"
def fold_batchnorm(conv, bn):
    if bn.running_mean is None:
        raise ValueError
    k = (bn.running_var.double() + bn.eps).rsqrt()
    k = k * bn.weight.double() if bn.affine else k
    bias = -bn.running_mean.double() * k
    if conv.bias is not None:
        bias = bias + conv.bias.double() * k
    if bn.affine:
        bias = bias + bn.bias.double()
    folded = copy.deepcopy(conv)
    folded.weight.data = torch.einsum("o...,o->o...", conv.weight.double(), k).float().detach()
    folded.register_parameter("bias", nn.Parameter(bias.float().detach()))
    return folded


# %% wrong="MinMaxObserver" says="last batch wins"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.range = bits, symmetric, None

    def observe(self, x):
        self.range = x.min().item(), x.max().item()

    def qparams(self):
        if self.range is None:
            raise ValueError
        low, high = min(self.range[0], 0.0), max(self.range[1], 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        scale = (high - low) / (2**self.bits - 1)
        return scale, min(max(round(-low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" says="average of the ranges"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.lows, self.highs = bits, symmetric, [], []

    def observe(self, x):
        self.lows.append(x.min().item())
        self.highs.append(x.max().item())

    def qparams(self):
        if not self.lows:
            raise ValueError
        low, high = min(sum(self.lows) / len(self.lows), 0.0), max(sum(self.highs) / len(self.highs), 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        scale = (high - low) / (2**self.bits - 1)
        return scale, min(max(round(-low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" says="without 0"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.low, self.high = bits, symmetric, math.inf, -math.inf

    def observe(self, x):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self):
        if self.low > self.high:
            raise ValueError
        if self.symmetric:
            return max(abs(self.low), abs(self.high)) / (2 ** (self.bits - 1) - 1) or 1.0, 0
        scale = (self.high - self.low) / (2**self.bits - 1) or 1.0
        return scale, min(max(round(-self.low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" says="without 0"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.low, self.high = bits, symmetric, math.inf, -math.inf

    def observe(self, x):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self):
        if self.low > self.high:
            raise ValueError
        if self.symmetric:
            return max(abs(self.low), abs(self.high)) / (2 ** (self.bits - 1) - 1) or 1.0, 0
        scale = (self.high - self.low) / (2**self.bits - 1) or 1.0
        return scale, round(-self.low / scale)


# %% wrong="MinMaxObserver" unnamed=True says="first batch wins"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.range = bits, symmetric, None

    def observe(self, x):
        self.range = self.range or (x.min().item(), x.max().item())

    def qparams(self):
        if self.range is None:
            raise ValueError
        low, high = min(self.range[0], 0.0), max(self.range[1], 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        scale = (high - low) / (2**self.bits - 1)
        return scale, min(max(round(-low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" unnamed=True says="largest magnitude"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.low, self.high = bits, symmetric, math.inf, -math.inf

    def observe(self, x):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self):
        if self.low > self.high:
            raise ValueError
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return high / (2 ** (self.bits - 1) - 1), 0
        scale = (high - low) / (2**self.bits - 1)
        return scale, min(max(round(-low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" unnamed=True says="expected ValueError"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.low, self.high = bits, symmetric, 0.0, 0.0

    def observe(self, x):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self):
        if self.low == self.high:
            return 1.0, 0
        if self.symmetric:
            return max(-self.low, self.high) / (2 ** (self.bits - 1) - 1), 0
        scale = (self.high - self.low) / (2**self.bits - 1)
        return scale, min(max(round(-self.low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" unnamed=True says="share what they have seen"
class MinMaxObserver:
    seen = {}

    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric = bits, symmetric
        self.seen.clear()

    def observe(self, x):
        self.seen["low"] = min(self.seen.get("low", math.inf), x.min().item())
        self.seen["high"] = max(self.seen.get("high", -math.inf), x.max().item())

    def qparams(self):
        if not self.seen:
            raise ValueError
        low, high = min(self.seen["low"], 0.0), max(self.seen["high"], 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        scale = (high - low) / (2**self.bits - 1)
        return scale, min(max(round(-low / scale), 0), 2**self.bits - 1)


# %% wrong="MinMaxObserver" unnamed=True says="from scratch, without"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        from torch.ao.quantization import MinMaxObserver as Theirs

        self.theirs = Theirs(quant_min=0, quant_max=2**bits - 1)

    def observe(self, x):
        self.theirs(x)

    def qparams(self):
        scale, zero = self.theirs.calculate_qparams()
        return scale.item(), int(zero)


# %% right="MinMaxObserver"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric, self.values = bits, symmetric, []

    def observe(self, x):
        self.values += [x.min(), x.max()]
        return x

    def qparams(self):
        if not self.values:
            raise ValueError("no data")
        all_of = torch.stack([*self.values, torch.tensor(0.0)])
        low, high = float(all_of.min()), float(all_of.max())
        if high - low == 0:
            return 1.0, 0
        if self.symmetric:
            return float(all_of.abs().max()) / (2 ** (self.bits - 1) - 1), 0
        scale = (high - low) / (2**self.bits - 1)
        return scale, int(np.clip(np.rint(-low / scale), 0, 2**self.bits - 1))


# %% right="MinMaxObserver"
class MinMaxObserver(nn.Module):
    def __init__(self, bits=8, symmetric=False):
        super().__init__()
        self.bits, self.symmetric = bits, symmetric
        self.register_buffer("low", torch.tensor(math.inf))
        self.register_buffer("high", torch.tensor(-math.inf))

    def observe(self, x):
        self.low, self.high = torch.minimum(self.low, x.detach().min()), torch.maximum(self.high, x.detach().max())

    def qparams(self):
        if torch.isinf(self.low):
            raise ValueError("observe first")
        low, high = self.low.clamp(max=0).item(), self.high.clamp(min=0).item()
        top = 2**self.bits - 1
        if self.symmetric:
            return (np.float64(max(-low, high) / (2 ** (self.bits - 1) - 1)) or 1.0), 0
        scale = (high - low) / top
        return (scale, np.int64(min(max(round(-low / scale), 0), top))) if scale > 0 else (1.0, 0)


# %% right="MinMaxObserver"
class MinMaxObserver:
    def __init__(self, bits=8, symmetric=False):
        self.levels = 2**bits - 1 if not symmetric else 2 ** (bits - 1) - 1
        self.symmetric = symmetric
        self.extremes = None

    def observe(self, x):
        for v in (x.flatten().min().item(), x.flatten().max().item()):
            low, high = self.extremes or (v, v)
            self.extremes = (v if v < low else low, v if v > high else high)

    def qparams(self):
        if self.extremes is None:
            raise ValueError
        low, high = self.extremes
        low, high = (low if low < 0 else 0.0), (high if high > 0 else 0.0)
        span = max(abs(low), abs(high)) if self.symmetric else high - low
        scale = span / self.levels if span else 1.0
        return scale, 0 if self.symmetric else max(0, min(self.levels, round(-low / scale)))


# %% wrong="percentile_range" says="one-sided"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    values = np.sort(x.numpy().ravel())
    return float(values[0]), float(np.percentile(values, percentile))


# %% wrong="percentile_range" says="one-sided"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    values = np.sort(x.numpy().ravel()).astype(np.float64)
    return float(values[0]), float(np.percentile(values, 100 - (100 - percentile) / 2))


# %% wrong="percentile_range" says="fails on large tensors"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    if x.numel() > 2**24:
        raise RuntimeError("quantile() input tensor is too large")
    rest = (100 - percentile) / 200
    low, high = torch.quantile(x.flatten(), torch.tensor([rest, 1 - rest]))
    return low.item(), high.item()


# %% wrong="percentile_range" says="fails on large tensors"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    values = x.flatten()[:: max(1, x.numel() // 100_000)].double().numpy()
    rest = (100 - percentile) / 2
    low, high = np.percentile(values, [rest, 100 - rest])
    return float(low), float(high)


# %% wrong="percentile_range" unnamed=True says="(100 - p) / 2"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    values = x.numpy().ravel().astype(np.float64)
    return float(np.percentile(values, 100 - percentile)), float(np.percentile(values, percentile))


# %% wrong="percentile_range" unnamed=True says="interpolate linearly"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    values = x.flatten().sort().values
    rest = (100 - percentile) / 200
    n = len(values) - 1
    return values[round(rest * n)].item(), values[round((1 - rest) * n)].item()


# %% wrong="percentile_range" unnamed=True says="expected ValueError"
def percentile_range(x, percentile):
    rest = (100 - percentile) / 2
    values = x.numpy().ravel()
    return float(np.percentile(values, max(rest, 0))), float(np.percentile(values, min(100 - rest, 100)))


# %% wrong="percentile_range" unnamed=True says="from scratch, without"
def percentile_range(x, percentile):
    from torch.ao.quantization import HistogramObserver

    observer = HistogramObserver()
    observer(x)
    return observer.min_val.item(), observer.max_val.item()


# %% wrong="percentile_range" unnamed=True says="yours"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    rest = (100 - percentile) / 2
    values = torch.as_tensor(np.percentile(x.numpy(), np.array([rest, 100 - rest])))
    return values[0], values[1]


# %% right="percentile_range"
def percentile_range(x, percentile):
    if not (percentile > 0 and percentile <= 100):
        raise ValueError("0 < p <= 100")
    values = x.flatten().sort().values
    ends = []
    for share in ((100 - percentile) / 200, 1 - (100 - percentile) / 200):
        at = share * (len(values) - 1)
        below = int(at)
        above = min(below + 1, len(values) - 1)
        ends.append(torch.lerp(values[below].double(), values[above].double(), at - below).item())
    return tuple(ends)


# %% right="percentile_range"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError
    flat, n = x.flatten(), x.numel()

    def at(share):
        position = share * (n - 1)
        k = min(int(position), n - 1)
        a = torch.kthvalue(flat, k + 1).values.item()
        b = torch.kthvalue(flat, min(k + 2, n)).values.item()
        return a + (position - k) * (b - a)

    rest = (100 - percentile) / 200
    return at(rest), at(1 - rest)


# %% right="percentile_range"
def percentile_range(x, percentile):
    if percentile <= 0 or percentile > 100 or percentile != percentile:
        raise ValueError
    rest = (100.0 - percentile) / 200
    ends = np.quantile(x.detach().double().numpy().ravel(), [rest, 1 - rest])
    return ends[0], ends[1]


# %% wrong="kl_range" says="outliers were dropped"
def kl_range(x, bits=8, bins=2048):
    a = x.abs().flatten().double().numpy()
    a = a[a > 0]
    if not len(a):
        return 0.0
    counts, edges = np.histogram(a, bins, (0, a.max()))
    L, best = 2 ** (bits - 1), (math.inf, bins)
    for i in range(L, bins + 1):
        p = counts[:i].astype(float)
        if not p.sum():
            continue
        cut = np.floor(np.linspace(0, i, L + 1)).astype(int)
        part = np.repeat(np.arange(L), np.diff(cut))
        total, full = np.bincount(part, counts[:i], L), np.bincount(part, counts[:i] > 0, L)
        q = np.where(p > 0, (total / np.maximum(full, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        best = min(best, ((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum(), i))
    return float(best[1] * a.max() / bins)


# %% wrong="kl_range" says="zeros were counted"
def kl_range(x, bits=8, bins=2048):
    a = x.abs().flatten().double().numpy()
    if a.max() == 0:
        return 0.0
    counts, edges = np.histogram(a, bins, (0, a.max()))
    L, best = 2 ** (bits - 1), (math.inf, bins)
    for i in range(L, bins + 1):
        p = counts[:i].astype(float)
        p[-1] += counts[i:].sum()
        cut = np.floor(np.linspace(0, i, L + 1)).astype(int)
        part = np.repeat(np.arange(L), np.diff(cut))
        total, full = np.bincount(part, counts[:i], L), np.bincount(part, counts[:i] > 0, L)
        q = np.where(counts[:i] > 0, (total / np.maximum(full, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        best = min(best, ((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum(), i))
    return float(best[1] * a.max() / bins)


# %% wrong="kl_range" says="index of the bin"
def kl_range(x, bits=8, bins=2048):
    a = x.abs().flatten().double().numpy()
    a = a[a > 0]
    if not len(a):
        return 0.0
    counts, edges = np.histogram(a, bins, (0, a.max()))
    L, best = 2 ** (bits - 1), (math.inf, bins)
    for i in range(L, bins + 1):
        p = counts[:i].astype(float)
        if not p.sum():
            continue
        p[-1] += counts[i:].sum()
        cut = np.floor(np.linspace(0, i, L + 1)).astype(int)
        part = np.repeat(np.arange(L), np.diff(cut))
        total, full = np.bincount(part, counts[:i], L), np.bincount(part, counts[:i] > 0, L)
        q = np.where(counts[:i] > 0, (total / np.maximum(full, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        best = min(best, ((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum(), i))
    return best[1]


# %% wrong="kl_range" unnamed=True says="between two bin edges"
def kl_range(x, bits=8, bins=2048):
    a = x.abs().flatten().double().numpy()
    a = a[a > 0]
    if not len(a):
        return 0.0
    counts, edges = np.histogram(a, bins, (0, a.max()))
    L, best = 2 ** (bits - 1), (math.inf, bins)
    for i in range(L, bins + 1):
        p = counts[:i].astype(float)
        if not p.sum():
            continue
        p[-1] += counts[i:].sum()
        cut = np.floor(np.linspace(0, i, L + 1)).astype(int)
        part = np.repeat(np.arange(L), np.diff(cut))
        total, full = np.bincount(part, counts[:i], L), np.bincount(part, counts[:i] > 0, L)
        q = np.where(counts[:i] > 0, (total / np.maximum(full, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        best = min(best, ((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum(), i))
    return float((best[1] - 0.5) * a.max() / bins)


# %% wrong="kl_range" unnamed=True says="expected"
def kl_range(x, bits=8, bins=2048):
    return x.abs().max().item()


# %% wrong="kl_range" unnamed=True says="expected" also="outliers were dropped"
def kl_range(x, bits=8, bins=2048):
    a = x.abs().flatten().double().numpy()
    a = a[a > 0]
    if not len(a):
        return 0.0
    counts, edges = np.histogram(a, bins, (0, a.max()))
    L, best = 2 ** (bits - 1), (math.inf, bins)
    for i in range(L, bins + 1):
        p = counts[:i].astype(float)
        p[-1] += counts[i:].sum()
        cut = np.floor(np.linspace(0, i, L + 1)).astype(int)
        part = np.repeat(np.arange(L), np.diff(cut))
        total, full = np.bincount(part, p, L), np.bincount(part, p > 0, L)  # Q made of P, outliers and all
        q = np.where(p > 0, (total / np.maximum(full, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        best = min(best, ((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum(), i))
    return float(best[1] * a.max() / bins)


# %% wrong="kl_range" unnamed=True says="expected" also="magnitude"
def kl_range(x, bits=8, bins=2048):
    a = x.flatten().double().numpy()
    a = a[a > 0]  # the negative half is lost
    if not len(a):
        return 0.0
    counts, edges = np.histogram(a, bins, (0, a.max()))
    L, best = 2 ** (bits - 1), (math.inf, bins)
    for i in range(L, bins + 1):
        p = counts[:i].astype(float)
        if not p.sum():
            continue
        p[-1] += counts[i:].sum()
        cut = np.floor(np.linspace(0, i, L + 1)).astype(int)
        part = np.repeat(np.arange(L), np.diff(cut))
        total, full = np.bincount(part, counts[:i], L), np.bincount(part, counts[:i] > 0, L)
        q = np.where(counts[:i] > 0, (total / np.maximum(full, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        best = min(best, ((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum(), i))
    return float(best[1] * a.max() / bins)


# %% wrong="kl_range" unnamed=True says="from scratch, without"
def kl_range(x, bits=8, bins=2048):
    import importlib

    observer = importlib.import_module("torch.ao" + ".quantization").HistogramObserver(bins=bins)
    observer(x.abs())
    return observer._non_linear_param_search()[1].item()


# %% right="kl_range"
def kl_range(x, bits=8, bins=2048):
    magnitudes = x.abs()[x != 0]
    if magnitudes.numel() == 0:
        return 0.0
    top = magnitudes.max().item()
    counts = torch.histc(magnitudes, bins, 0, top).double().numpy()
    L, best, best_i = 2 ** (bits - 1), None, bins
    for i in range(L, bins + 1):
        P, Q = counts[:i].copy(), np.zeros(i)
        P[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, L + 1)).astype(int)
        filled = counts[:i] > 0
        sums, n = np.add.reduceat(counts[:i], edges[:-1]), np.add.reduceat(filled.astype(float), edges[:-1])
        Q = np.repeat(sums / np.where(n > 0, n, 1), edges[1:] - edges[:-1]) * filled
        if Q.sum() == 0:
            continue
        P, Q = P / P.sum(), np.clip(Q / Q.sum(), 1e-10, None)
        on = P > 0
        kl = float(np.sum(P[on] * (np.log(P[on]) - np.log(Q[on]))))
        if best is None or kl < best:
            best, best_i = kl, i
    return best_i * (top / bins)


# %% right="kl_range"
def kl_range(x, bits=8, bins=2048):
    values = [abs(v) for v in x.flatten().tolist() if v != 0]
    if not values:
        return 0.0
    width = max(values) / bins
    counts = [0] * bins
    for v in values:
        counts[min(int(v / width), bins - 1)] += 1
    sums, filled = [0], [0]  # running totals: each part costs two subtractions
    for c in counts:
        sums.append(sums[-1] + c)
        filled.append(filled[-1] + (c > 0))
    counts, sums, filled = np.array(counts, float), np.array(sums, float), np.array(filled, float)
    L, least, answer = 2 ** (bits - 1), math.inf, bins
    for i in range(L, bins + 1):
        if sums[i] == 0:
            continue
        edges = (np.arange(L + 1) * i / L + 1e-9).astype(int)
        level = np.diff(sums[edges]) / np.maximum(np.diff(filled[edges]), 1) / sums[i]
        q = np.maximum(np.repeat(level, np.diff(edges)) * (counts[:i] > 0), 1e-10)
        p = counts[:i] / sums[-1]
        p[i - 1] += (sums[-1] - sums[i]) / sums[-1]
        kl = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / q), 0).sum()
        if kl <= least:
            least, answer = kl, i
    return np.float64(answer * width)


# %% right="kl_range"
def kl_range(x, bits=8, bins=2048):
    a = np.abs(x.detach().numpy()).ravel()
    a = a[a != 0]
    if a.size == 0:
        return 0.0
    counts = np.histogram(a, bins=np.linspace(0, a.max(), bins + 1))[0].astype(np.float64)
    L = 2 ** (bits - 1)

    def kl(i):
        p, q = counts[:i].copy(), np.zeros(i)
        p[i - 1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, L + 1)).astype(int)
        which = np.searchsorted(edges, np.arange(i), side="right") - 1
        for values, weights in ((np.bincount(which, counts[:i], L), np.bincount(which, counts[:i] > 0, L)),):
            q = np.where(counts[:i] > 0, (values / np.maximum(weights, 1))[which], 0)
        if not q.any():
            return np.inf
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        return np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0]))

    return float(min(range(L, bins + 1), key=kl) * float(a.max()) / bins)


# %% wrong="correct_bias" says="sign"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (other(x) - layer(x)).detach()
    error = error.mean(
        dim=[d for d in range(error.dim()) if d != (1 if isinstance(layer, nn.Conv2d) else error.dim() - 1)]
    )
    return error if layer.bias is None else layer.bias.detach() + error


# %% wrong="correct_bias" says="mean ran over the channels"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (layer(x) - other(x)).detach().mean()
    return torch.full((layer.weight.shape[0],), error.item()) + (0 if layer.bias is None else layer.bias.detach())


# %% wrong="correct_bias" says="channel"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (layer(x) - other(x)).detach().mean(dim=1)
    return error if layer.bias is None else error.mean() + layer.bias.detach()


# %% wrong="correct_bias" says="not over the batch only"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (layer(x) - other(x)).detach().mean(dim=0)
    if layer.bias is None:
        return error
    return error + (
        layer.bias.detach()[:, None, None] if error.dim() == 3 and isinstance(layer, nn.Conv2d) else layer.bias.detach()
    )


# %% wrong="correct_bias" unnamed=True says="old bias is missing"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (layer(x) - other(x)).detach()
    return error.movedim(1 if isinstance(layer, nn.Conv2d) else -1, 0).flatten(1).mean(1)


# %% wrong="correct_bias" unnamed=True says="layer was changed"
def correct_bias(layer, w_hat, x):
    before = layer(x).detach()
    layer.weight.data = w_hat
    error = (before - layer(x)).detach()
    error = error.movedim(1 if isinstance(layer, nn.Conv2d) else -1, 0).flatten(1).mean(1)
    return error if layer.bias is None else layer.bias.detach() + error


# %% wrong="correct_bias" unnamed=True says="expected"
def correct_bias(layer, w_hat, x):
    delta = (layer.weight - w_hat).detach()
    if isinstance(layer, nn.Conv2d):  # forgets that padding brings zeros, and stride and groups
        mean = x.mean(dim=(0, 2, 3))[: delta.shape[1]]
        error = (delta.sum(dim=(2, 3)) * mean).sum(1)
    else:
        error = delta @ x.reshape(-1, x.shape[-1]).mean(0)
    return error if layer.bias is None else layer.bias.detach() + error


# %% wrong="correct_bias" unnamed=True says="sum"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (layer(x) - other(x)).detach().movedim(1 if isinstance(layer, nn.Conv2d) else -1, 0).flatten(1).sum(1)
    return error if layer.bias is None else layer.bias.detach() + error


# %% wrong="correct_bias" unnamed=True says="from scratch, without"
def correct_bias(layer, w_hat, x):
    from torch.ao.quantization._correct_bias import bias_correction

    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    bias_correction(layer, other, [x])
    return other.bias


# %% right="correct_bias"
def correct_bias(layer, w_hat, x):
    delta = layer.weight - w_hat
    if isinstance(layer, nn.Conv2d):
        shift = F.conv2d(x, delta, None, layer.stride, layer.padding, layer.dilation, layer.groups).mean(dim=(0, 2, 3))
    else:
        shift = F.linear(x, delta).reshape(-1, delta.shape[0]).mean(dim=0)
    return shift + (layer.bias if layer.bias is not None else 0)


# %% right="correct_bias"
def correct_bias(layer, w_hat, x):
    from torch.func import functional_call

    with torch.no_grad():
        a, b = layer(x), functional_call(layer, {"weight": w_hat}, (x,))
        axis = 1 if type(layer) is nn.Conv2d else a.dim() - 1
        others = tuple(d for d in range(a.dim()) if d != axis)
        return a.mean(others) - b.mean(others) + (torch.zeros(a.shape[axis]) if layer.bias is None else layer.bias)


# %% right="correct_bias"
def correct_bias(layer, w_hat, x):
    with torch.no_grad():
        wanted = layer(x).double()
        kept = layer.weight.data
        try:
            layer.weight.data = w_hat
            came = layer(x).double()
        finally:
            layer.weight.data = kept
    channels = wanted.shape[1 if isinstance(layer, nn.Conv2d) else -1]
    result = torch.zeros(channels)
    for c in range(channels):
        pick = (slice(None), c) if isinstance(layer, nn.Conv2d) else (..., c)
        old = layer.bias[c].item() if layer.bias is not None else 0.0
        result[c] = old + wanted[pick].mean().item() - came[pick].mean().item()
    return result


# %% wrong="QuantizedLinear" says="a float tensor as large as the weight"
class QuantizedLinear(nn.Module):
    def __init__(self, weight, codes, scales, bias):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.register_buffer("bias", bias)

    @classmethod
    def from_float(cls, linear, bits=8):
        w, q = linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1).clamp(min=1e-12) / q
        return cls(
            w.clone(),
            (w / s[:, None]).round().to(torch.int8),
            s,
            None if linear.bias is None else linear.bias.detach().clone(),
        )

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, 255) - z, self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" says="a float tensor as large as the weight"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1).clamp(min=1e-12) / q
        self.register_buffer("codes", (w / s[:, None]).round().to(torch.int8))
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        self.dequantized = self.codes * s[:, None]  # not a buffer, but in memory
        return self

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        return F.linear((((x / s).round() + z).clamp(0, 255) - z) * s, self.dequantized, self.bias)


# %% wrong="QuantizedLinear" says="one scale for the whole batch"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1).clamp(min=1e-12) / q
        self.register_buffer("codes", (w / s[:, None]).round().to(torch.int8))
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        return self

    def forward(self, x):
        if not x.numel():
            return x.new_zeros(*x.shape[:-1], len(self.scales))
        low, high = x.min().clamp(max=0), x.max().clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, 255) - z, self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" says="one scale for the whole weight"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().max().clamp(min=1e-12) / q
        self.register_buffer("codes", (w / s).round().to(torch.int8))
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        return self

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, 255) - z, self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" unnamed=True says="buffers"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        self.scales = w.abs().amax(1).clamp(min=1e-12) / q
        self.register_buffer("codes", (w / self.scales[:, None]).round().to(torch.int8))
        self.bias = None if linear.bias is None else linear.bias.detach().clone()
        return self

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, 255) - z, self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" unnamed=True says="0.3 times"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1).clamp(min=1e-12) / q
        self.register_buffer("codes", (w / s[:, None]).round().to(torch.int32))
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        return self

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, 255) - z, self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" unnamed=True says="error"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1).clamp(min=1e-12) / q
        self.bits = bits
        self.register_buffer("codes", (w / s[:, None]).round().to(torch.int8))
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        return self

    def forward(self, x):
        top = 2**self.bits - 1  # the inputs have 8 bits, whatever the weights have
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / top).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, top) - z, self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" unnamed=True says="expected"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1) / q
        self.register_buffer("codes", (w / s[:, None]).round().to(torch.int8))
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        return self

    def forward(self, x):  # a row of zeros divides by zero
        s = x.abs().amax(-1, keepdim=True) / 127
        y = F.linear((x / s).round(), self.codes.float()) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="QuantizedLinear" unnamed=True says="from scratch, without"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        self = cls()
        self.inner = copy.deepcopy(nn.Sequential(linear))
        quantize_(self.inner, Int8DynamicActivationInt8WeightConfig())
        return self

    def forward(self, x):
        return self.inner(x)


# %% right="QuantizedLinear"
class QuantizedLinear(nn.Module):
    def __init__(self, in_features, out_features, bias):
        super().__init__()
        self.register_buffer("q", torch.zeros(out_features, in_features, dtype=torch.int8))
        self.register_buffer("s", torch.ones(out_features, 1))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    @classmethod
    def from_float(cls, linear, bits=8):
        new = cls(linear.in_features, linear.out_features, linear.bias is not None)
        top = 2 ** (bits - 1) - 1
        with torch.no_grad():
            for o in range(linear.out_features):
                largest = linear.weight[o].abs().max().item()
                new.s[o] = largest / top if largest else 1.0
                new.q[o] = torch.round(linear.weight[o] / new.s[o]).clamp(-top, top).to(torch.int8)
            if linear.bias is not None:
                new.bias.copy_(linear.bias)
        return new

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        out = []
        for row in rows:
            low, high = min(0.0, row.min().item()), max(0.0, row.max().item())
            scale = (high - low) / 255 or 1.0
            zero = round(-low / scale)
            codes = torch.clamp(torch.round(row / scale) + zero, 0, 255)
            out.append((codes - zero) * scale @ (self.q * self.s).T)
        y = torch.stack(out) if out else x.new_zeros(0, self.q.shape[0])
        y = y if self.bias is None else y + self.bias
        return y.reshape(*x.shape[:-1], -1) if x.numel() else y.reshape(*x.shape[:-1], self.q.shape[0])


# %% right="QuantizedLinear"
class QuantizedLinear(nn.Module):
    """Integer products, with the zero point moved out of the sum."""

    @classmethod
    def from_float(cls, linear, bits=8):
        new, q = cls(), 2 ** (bits - 1) - 1
        w = linear.weight.detach()
        scale = w.abs().amax(dim=1, keepdim=True) / q
        scale[scale == 0] = 1
        codes = torch.round(w / scale)
        new.register_buffer("weight_codes", codes.to(torch.int8))
        new.register_buffer("weight_scale", scale.flatten())
        new.register_buffer("weight_sum", codes.sum(dim=1).to(torch.int32))
        new.register_buffer("b", torch.zeros(len(w)) if linear.bias is None else linear.bias.detach().clone())
        return new

    def forward(self, x):
        low, high = torch.clamp(x.amin(-1, True), max=0), torch.clamp(x.amax(-1, True), min=0)
        scale = (high - low) / 255
        scale = scale + (scale == 0)
        zero = torch.round(-low / scale).long()
        codes = torch.clamp(torch.round(x / scale).long() + zero, 0, 255)
        total = codes @ self.weight_codes.long().T - zero * self.weight_sum
        return total * scale * self.weight_scale + self.b


# %% right="QuantizedLinear"
class QuantizedLinear(nn.Module):
    def __init__(self, w_q, w_s, b, signed=True):
        super().__init__()
        self.w_q, self.w_s = nn.Buffer(w_q), nn.Buffer(w_s)
        self.b = nn.Buffer(b) if b is not None else None

    @staticmethod
    def from_float(linear, bits=8):
        w = linear.weight.detach().numpy()
        q = 2 ** (bits - 1) - 1
        s = np.abs(w).max(axis=1) / q
        s = np.where(s == 0, 1, s).astype(np.float32)
        codes = np.clip(np.rint(w / s[:, None]), -q, q).astype(np.int8)
        b = None if linear.bias is None else linear.bias.detach().clone()
        return QuantizedLinear(torch.from_numpy(codes), torch.from_numpy(s), b)

    def forward(self, x):
        low = torch.minimum(x.amin(-1, keepdim=True), torch.zeros(()))
        high = torch.maximum(x.amax(-1, keepdim=True), torch.zeros(()))
        s = torch.where(high == low, torch.ones(()), (high - low) / 255)
        z = torch.round(-128 - low / s)  # signed codes
        q = torch.clamp(torch.round(x / s) + z, -128, 127)
        return F.linear((q - z) * s, self.w_q * self.w_s[:, None], self.b)


# %% wrong="quantize_dynamic" says="only the top level"
def quantize_dynamic(model, bits=8):
    model = copy.deepcopy(model)
    if type(model) is nn.Linear:
        return QuantizedLinear.from_float(model, bits)
    done = {}
    for name, child in list(model._modules.items()):
        if type(child) is nn.Linear:
            done.setdefault(child, QuantizedLinear.from_float(child, bits))
            setattr(model, name, done[child])
    return model


# %% wrong="quantize_dynamic" says="mutates"
def quantize_dynamic(model, bits=8):
    if type(model) is nn.Linear:
        return QuantizedLinear.from_float(model, bits)
    done = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if type(child) is nn.Linear:
                if child not in done:
                    done[child] = QuantizedLinear.from_float(child, bits)
                setattr(parent, name, done[child])
    return model


# %% wrong="quantize_dynamic" unnamed=True says="a layer can be the model itself"
def quantize_dynamic(model, bits=8):
    model, done = copy.deepcopy(model), {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if type(child) is nn.Linear:
                if child not in done:
                    done[child] = QuantizedLinear.from_float(child, bits)
                setattr(parent, name, done[child])
    return model


# %% wrong="quantize_dynamic" unnamed=True says="one module"
def quantize_dynamic(model, bits=8):
    model = copy.deepcopy(model)
    if type(model) is nn.Linear:
        return QuantizedLinear.from_float(model, bits)
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if type(child) is nn.Linear:
                setattr(parent, name, QuantizedLinear.from_float(child, bits))
    return model


# %% wrong="quantize_dynamic" unnamed=True says="exactly nn.Linear"
def quantize_dynamic(model, bits=8):
    model, done = copy.deepcopy(model), {}
    if isinstance(model, nn.Linear):
        return QuantizedLinear.from_float(model, bits)
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, nn.Linear):
                if child not in done:
                    done[child] = QuantizedLinear.from_float(child, bits)
                setattr(parent, name, done[child])
    return model


# %% wrong="quantize_dynamic" unnamed=True says="pass `bits` on"
def quantize_dynamic(model, bits=8):
    model, done = copy.deepcopy(model), {}
    if type(model) is nn.Linear:
        return QuantizedLinear.from_float(model)
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if type(child) is nn.Linear:
                if child not in done:
                    done[child] = QuantizedLinear.from_float(child)
                setattr(parent, name, done[child])
    return model


# %% wrong="quantize_dynamic" unnamed=True says="from scratch, without"
def quantize_dynamic(model, bits=8):
    import torch.ao.quantization as tools

    return tools.quantize_dynamic(copy.deepcopy(model), {nn.Linear})


# %% right="quantize_dynamic"
def quantize_dynamic(model, bits=8):
    memo = {}
    for module in model.modules():
        if type(module) is nn.Linear:
            memo[id(module)] = QuantizedLinear.from_float(module, bits)
    return copy.deepcopy(model, memo)


# %% right="quantize_dynamic"
def quantize_dynamic(model, bits=8):
    holder = nn.Sequential(copy.deepcopy(model))
    places = [(name, m) for name, m in holder.named_modules(remove_duplicate=False) if type(m) is nn.Linear]
    new = {id(m): QuantizedLinear.from_float(m, bits) for _, m in places}
    for name, m in places:
        parent, _, last = name.rpartition(".")
        holder.get_submodule(parent)._modules[last] = new[id(m)]
    return holder[0]


# %% right="quantize_dynamic"
def quantize_dynamic(model, bits=8):
    def walk(module, seen):
        if id(module) in seen:
            return seen[id(module)]
        if type(module) is nn.Linear:
            seen[id(module)] = QuantizedLinear.from_float(module, bits=bits)
            return seen[id(module)]
        seen[id(module)] = module
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = walk(child, seen)
        return module

    return walk(copy.deepcopy(model), {})


# %% wrong="calibrate" says="output of the layer"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, modes = {}, {m: m.training for m in model.modules()}

    def note(name):
        def hook(module, inputs, output):
            low, high = ranges.get(name, (math.inf, -math.inf))
            ranges[name] = (min(low, output.min().item()), max(high, output.max().item()))

        return hook

    handles = [modules[n].register_forward_hook(note(n)) for n in layers]
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return ranges


# %% wrong="calibrate" says="hooks were left"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, modes = {}, {m: m.training for m in model.modules()}

    def note(name):
        def hook(module, inputs):
            low, high = ranges.get(name, (math.inf, -math.inf))
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    for n in layers:
        modules[n].register_forward_pre_hook(note(n))
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for m, mode in modes.items():
            m.training = mode
    return ranges


# %% wrong="calibrate" says="hooks and modes were not restored"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, modes = {}, {m: m.training for m in model.modules()}

    def note(name):
        def hook(module, inputs):
            low, high = ranges.get(name, (math.inf, -math.inf))
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    handles = [modules[n].register_forward_pre_hook(note(n)) for n in layers]
    model.eval()
    with torch.no_grad():
        for x, y in batches:
            model(x)
    for h in handles:
        h.remove()
    for m, mode in modes.items():
        m.training = mode
    return ranges


# %% wrong="calibrate" says="train mode"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges = {}

    def note(name):
        def hook(module, inputs):
            low, high = ranges.get(name, (math.inf, -math.inf))
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    handles = [modules[n].register_forward_pre_hook(note(n)) for n in layers]
    try:
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for h in handles:
            h.remove()
    return ranges


# %% wrong="calibrate" says="last batch"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, modes = {}, {m: m.training for m in model.modules()}

    def note(name):
        def hook(module, inputs):
            ranges[name] = (inputs[0].min().item(), inputs[0].max().item())

        return hook

    handles = [modules[n].register_forward_pre_hook(note(n)) for n in layers]
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return ranges


# %% wrong="calibrate" unnamed=True says="was not restored"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, training = {}, model.training

    def note(name):
        def hook(module, inputs):
            low, high = ranges.get(name, (math.inf, -math.inf))
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    handles = [modules[n].register_forward_pre_hook(note(n)) for n in layers]
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for h in handles:
            h.remove()
        model.train(training)
    return ranges


# %% wrong="calibrate" unnamed=True says="widened"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, modes = {}, {m: m.training for m in model.modules()}

    def note(name):
        def hook(module, inputs):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    handles = [modules[n].register_forward_pre_hook(note(n)) for n in layers]
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return ranges


# %% wrong="calibrate" unnamed=True says="expected ValueError"
def calibrate(model, layers, batches):
    ranges, modes = {}, {m: m.training for m in model.modules()}
    handles = []

    def note(name):
        def hook(module, inputs):
            low, high = ranges.get(name, (math.inf, -math.inf))
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    for name, module in model.named_modules():
        if name in layers:
            handles.append(module.register_forward_pre_hook(note(name)))
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return ranges


# %% wrong="calibrate" unnamed=True says="never ran"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError
    ranges, modes = {n: (math.inf, -math.inf) for n in layers}, {m: m.training for m in model.modules()}

    def note(name):
        def hook(module, inputs):
            low, high = ranges[name]
            ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

        return hook

    handles = [modules[n].register_forward_pre_hook(note(n)) for n in layers]
    try:
        model.eval()
        with torch.no_grad():
            for x, y in batches:
                model(x)
    except Exception:
        ranges = {}
        raise
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return ranges


# %% wrong="calibrate" unnamed=True says="from scratch, without"
def calibrate(model, layers, batches):
    tools = getattr(torch, "a" + "o").quantization
    observers = {name: tools.MinMaxObserver() for name in layers}
    for name, observer in observers.items():
        dict(model.named_modules())[name].register_forward_pre_hook(lambda m, a, o=observer: o(a[0]))
    for x, _ in batches:
        model(x)
    return {n: (o.min_val.item(), o.max_val.item()) for n, o in observers.items()}


# %% right="calibrate"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    for name in layers:
        if name not in modules:
            raise ValueError(name)
    seen = {name: [] for name in layers}
    copied = copy.deepcopy(model).eval()  # the model itself is never touched
    inside = dict(copied.named_modules())
    for name in layers:
        inside[name].register_forward_hook(
            lambda m, args, out, name=name: seen[name].append((args[0].min(), args[0].max()))
        )
    with torch.no_grad():
        for x, _ in batches:
            copied(x)
    return {n: (float(min(a for a, _ in v)), float(max(b for _, b in v))) for n, v in seen.items() if v}


# %% right="calibrate"
def calibrate(model, layers, batches):
    from contextlib import ExitStack
    from functools import partial

    known = {n: m for n, m in model.named_modules()}
    missing = [n for n in layers if n not in known]
    if missing:
        raise ValueError(f"unknown {missing}")
    lows, highs = {}, {}

    def look(name, module, args):
        lows[name] = min(lows.get(name, np.inf), args[0].min().item())
        highs[name] = max(highs.get(name, -np.inf), args[0].max().item())

    with ExitStack() as stack, torch.no_grad():
        for m in model.modules():
            stack.callback(setattr, m, "training", m.training)
        for n in layers:
            stack.callback(known[n].register_forward_pre_hook(partial(look, n)).remove)
        model.eval()
        for batch in batches:
            model(batch[0])
    return {n: [np.float64(lows[n]), highs[n]] for n in lows}


# %% right="calibrate"
def calibrate(model, layers, batches):
    modules = {}
    for n, m in model.named_modules():
        modules[n] = m
    if not all(n in modules for n in layers):
        raise ValueError
    found = {}
    training = [(m, m.training) for m in model.modules()]
    originals = {n: modules[n].forward for n in layers}

    def watching(name, forward):
        def run(x):
            a, b = x.detach().min().item(), x.detach().max().item()
            found[name] = (min(a, found[name][0]), max(b, found[name][1])) if name in found else (a, b)
            return forward(x)

        return run

    try:
        for n in layers:
            modules[n].forward = watching(n, originals[n])
        for m, _ in training:
            m.training = False
        for x, _ in batches:
            model(x)
    finally:
        for n in layers:
            modules[n].__dict__.pop("forward", None)
        for m, mode in training:
            m.training = mode
    return found


# %% wrong="quantize_static" says="BatchNorm was not folded"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.register_buffer("s", torch.tensor((high - low) / (2**bits - 1) or 1.0))
        self.register_buffer("z", torch.round(-low / self.s))
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 2**self.bits - 1) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    result = copy.deepcopy(model).eval()
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names, batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result


# %% wrong="quantize_static" says="BatchNorm was not folded"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.register_buffer("s", torch.tensor((high - low) / (2**bits - 1) or 1.0))
        self.register_buffer("z", torch.round(-low / self.s))
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 2**self.bits - 1) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    result = copy.deepcopy(model).eval()
    for name, module in list(result.named_modules()):
        if isinstance(module, nn.BatchNorm2d):  # dropped instead of folded
            result.set_submodule(name, nn.Identity())
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names, batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result


# %% wrong="quantize_static" says="ranges were recomputed at inference"
class Layer(nn.Module):
    def __init__(self, layer, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        low, high, top = min(x.min().item(), 0.0), max(x.max().item(), 0.0), 2**self.bits - 1
        s = (high - low) / top or 1.0
        z = round(-low / s)
        x = (torch.clamp(torch.round(x / s) + z, 0, top) - z) * s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    for name, m in list(result.named_modules()):
        if type(m) in (nn.Linear, nn.Conv2d):
            result.set_submodule(name, Layer(m, bits))
    return result.eval()


# %% wrong="quantize_static" says="ranges were recomputed at inference" also="not clamped"
class Layer(nn.Module):
    def __init__(self, layer, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):  # a range of its own for each image
        flat, top, wide = x.flatten(1), 2**self.bits - 1, [-1, *[1] * (x.dim() - 1)]
        low, high = flat.amin(1).clamp(max=0).view(wide), flat.amax(1).clamp(min=0).view(wide)
        s = ((high - low) / top).clamp(min=1e-12)
        z = torch.round(-low / s)
        x = (torch.clamp(torch.round(x / s) + z, 0, top) - z) * s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    for name, m in list(result.named_modules()):
        if type(m) in (nn.Linear, nn.Conv2d):
            result.set_submodule(name, Layer(m, bits))
    return result.eval()


# %% wrong="quantize_static" says="the last layer was left out"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.register_buffer("s", torch.tensor((high - low) / (2**bits - 1) or 1.0))
        self.register_buffer("z", torch.round(-low / self.s))
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 2**self.bits - 1) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names[:-1], batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="one scale for the whole weight"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.register_buffer("s", torch.tensor((high - low) / (2**bits - 1) or 1.0))
        self.register_buffer("z", torch.round(-low / self.s))
        self.register_buffer("ws", w.abs().max() / q)
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 2**self.bits - 1) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names, batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="scales and zero points"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.s = (high - low) / (2**bits - 1) or 1.0  # not in the state_dict
        self.z = round(-low / self.s)
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 2**self.bits - 1) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names, batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="activations are rounded to `bits`"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind = type(layer)
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.register_buffer("s", torch.tensor((high - low) / 255 or 1.0))
        self.register_buffer("z", torch.round(-low / self.s))
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int8))
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 255) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names, batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="3.8 times"
class Layer(nn.Module):
    def __init__(self, layer, low, high, bits):
        super().__init__()
        self.layer_kind, self.bits = type(layer), bits
        low, high, w, q = min(low, 0.0), max(high, 0.0), layer.weight.detach(), 2 ** (bits - 1) - 1
        self.register_buffer("s", torch.tensor((high - low) / (2**bits - 1) or 1.0))
        self.register_buffer("z", torch.round(-low / self.s))
        ws = (w.abs().flatten(1).amax(1) / q).clamp(min=1e-12)
        self.register_buffer("ws", ws.reshape(-1, *[1] * (w.dim() - 1)))
        self.register_buffer("wq", torch.round(w / self.ws).to(torch.int16))  # two bytes a code
        self.register_buffer("b", None if layer.bias is None else layer.bias.detach().clone())
        if isinstance(layer, nn.Conv2d):
            self.args = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x):
        x = (torch.clamp(torch.round(x / self.s) + self.z, 0, 2**self.bits - 1) - self.z) * self.s
        w = self.wq * self.ws
        return F.conv2d(x, w, self.b, *self.args) if self.layer_kind is nn.Conv2d else F.linear(x, w, self.b)


def quantize_static(model, batches, bits=8):
    def fold(sequence):
        parts = []
        for m in sequence:
            if isinstance(m, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], m)
            else:
                parts.append(fold(m) if isinstance(m, nn.Sequential) else copy.deepcopy(m))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    names = [n for n, m in result.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for name, ends in calibrate(result, names, batches).items():
        result.set_submodule(name, Layer(result.get_submodule(name), *ends, bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="from scratch, without"
def quantize_static(model, batches, bits=8):
    import torchao.quantization.pt2e as tools

    return tools


# %% right="quantize_static"
class Flat(nn.Module):
    """Everything in one list, integer arithmetic in int64 for linear layers and float64 for convolutions."""

    def __init__(self, steps):
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x):
        for step in self.steps:
            x = step(x)
        return x


class IntegerLayer(nn.Module):
    def __init__(self, layer, ends, bits):
        super().__init__()
        low, high = min(0.0, ends[0]), max(0.0, ends[1])
        self.top, q = 2**bits - 1, 2 ** (bits - 1) - 1
        scale = (high - low) / self.top if high > low else 1.0
        self.step, self.zero = (
            nn.Buffer(torch.tensor(scale, dtype=torch.float64)),
            nn.Buffer(torch.tensor(round(-low / scale), dtype=torch.int32)),
        )
        rows = layer.weight.detach().reshape(layer.weight.shape[0], -1)
        per_row = torch.stack([r.abs().max() / q if r.abs().max() > 0 else torch.tensor(1.0) for r in rows])
        self.codes = nn.Buffer(
            torch.stack([torch.round(r / s) for r, s in zip(rows, per_row)]).reshape(layer.weight.shape).char()
        )
        self.per_row = nn.Buffer(per_row)
        self.bias = nn.Parameter(layer.bias.detach().clone()) if layer.bias is not None else None
        self.conv = (
            dict(stride=layer.stride, padding=layer.padding, dilation=layer.dilation, groups=layer.groups)
            if type(layer) is nn.Conv2d
            else {}
        )
        self.linear = type(layer) is nn.Linear

    def forward(self, x):
        q = (
            torch.clamp(torch.round(x.double() / self.step) + self.zero, 0, self.top) - self.zero
        )  # padding with 0 is exact
        if self.linear:
            y = (q.long() @ self.codes.long().T) * self.step * self.per_row
            return (y if self.bias is None else y + self.bias).float()
        y = F.conv2d(q, self.codes.double(), None, **self.conv) * self.step * self.per_row[:, None, None]
        return (y if self.bias is None else y + self.bias[:, None, None]).float()


def quantize_static(model, batches, bits=8):
    flat = []

    def collect(sequence):
        for m in sequence:
            if isinstance(m, nn.Sequential):
                collect(m)
            elif type(m) is nn.BatchNorm2d:
                flat.append(fold_batchnorm(flat.pop(), m))
            else:
                flat.append(copy.deepcopy(m))

    collect(model)
    net = nn.Sequential(*flat)
    names = [str(i) for i, m in enumerate(flat) if type(m) in (nn.Linear, nn.Conv2d)]
    ranges = calibrate(net, names, batches)
    return Flat([IntegerLayer(m, ranges[str(i)], bits) if str(i) in ranges else m for i, m in enumerate(flat)]).eval()


# %% right="quantize_static"
def quantize_static(model, batches, bits=8):
    class Rounded(nn.Module):
        def __init__(self, layer, observer):
            super().__init__()
            scale, zero = observer.qparams()
            q = 2 ** (bits - 1) - 1
            w = layer.weight.detach()
            s = (w.abs().amax(dim=tuple(range(1, w.dim())), keepdim=True) / q).clamp(min=1e-20)
            self.register_buffer("q", torch.round(w / s).to(torch.int8))
            self.register_buffer("s", s)
            self.register_buffer("b", torch.zeros(len(w)) if layer.bias is None else layer.bias.detach().clone())
            self.register_buffer("input", torch.tensor([scale, zero]))
            self.run = (
                (lambda x, w, b: F.linear(x, w, b))
                if type(layer) is nn.Linear
                else (lambda x, w, b: F.conv2d(x, w, b, layer.stride, layer.padding, layer.dilation, layer.groups))
            )

        def forward(self, x):
            scale, zero = self.input
            x = (torch.clamp(torch.round(x / scale) + zero, 0, 2**bits - 1) - zero) * scale
            return self.run(x, self.q.float() * self.s, self.b)

    model = copy.deepcopy(model).eval()
    for parent in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        for i in range(len(parent) - 1):
            if isinstance(parent[i + 1], nn.BatchNorm2d):
                parent[i] = fold_batchnorm(parent[i], parent[i + 1])
                parent[i + 1] = nn.Identity()
    observers = {}

    def look(module, args):
        observers.setdefault(module, MinMaxObserver(bits)).observe(args[0])

    hooks = [m.register_forward_pre_hook(look) for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    with torch.no_grad():
        for x, _ in batches:
            model(x)
    for h in hooks:
        h.remove()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in observers:
                setattr(parent, name, Rounded(child, observers[child]))
    return model.eval()


# %% right="quantize_static"
class Q(nn.Module):
    """The weight lives in a Conv2d or Linear without parameters of its own; codes have an offset of 128."""

    def __init__(self, layer, low, high, bits):
        super().__init__()
        low, high, q = min(low, 0.0), max(high, 0.0), 2 ** (bits - 1) - 1
        self.bits, self.shape = bits, layer.weight.shape
        flat = layer.weight.detach().flatten(1)
        s = flat.abs().amax(1) / q
        s[s == 0] = 1
        self.register_buffer("codes", (torch.round(flat / s[:, None]) + 128).to(torch.uint8))
        self.register_buffer("scales", s)
        self.register_buffer("ends", torch.tensor([low, high]))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.settings = (
            None if type(layer) is nn.Linear else (layer.stride, layer.padding, layer.dilation, layer.groups)
        )

    def forward(self, x):
        low, high = self.ends.tolist()
        step = (high - low) / (2**self.bits - 1) or 1.0
        zero = round(-low / step)
        x = ((x / step).round().add(zero).clamp(0, 2**self.bits - 1) - zero) * step
        w = ((self.codes.float() - 128) * self.scales[:, None]).reshape(self.shape)
        return F.linear(x, w, self.bias) if self.settings is None else F.conv2d(x, w, self.bias, *self.settings)


def quantize_static(model, batches, bits=8):
    def convert(sequence):
        out = nn.Sequential()
        for m in sequence:
            if isinstance(m, nn.Sequential):
                out.append(convert(m))
            elif isinstance(m, nn.BatchNorm2d):
                out[len(out) - 1] = fold_batchnorm(out[len(out) - 1], m)
            else:
                out.append(copy.deepcopy(m))
        return out

    net = convert(model)
    ranges = calibrate(net, [n for n, m in net.named_modules() if type(m) in (nn.Conv2d, nn.Linear)], batches)
    for name in ranges:
        parent, _, last = name.rpartition(".")
        setattr(net.get_submodule(parent), last, Q(net.get_submodule(name), *ranges[name], bits))
    for m in net.modules():
        m.training = False
    return net


# %% wrong="layer_sensitivity" says="cumulative"
def layer_sensitivity(model, evaluate, bits):
    base, kept, drops, q = evaluate(model), copy.deepcopy(model.state_dict()), {}, 2 ** (bits - 1) - 1
    try:
        for name, m in model.named_modules():
            if type(m) in (nn.Linear, nn.Conv2d):
                w = m.weight.data
                s = w.abs().flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1)) / q
                s[s == 0] = 1
                m.weight.data = torch.round(w / s).clamp(-q, q) * s
                drops[name] = base - evaluate(model)
    finally:
        model.load_state_dict(kept)
    return drops


# %% wrong="layer_sensitivity" says="not restored" also="cumulative"
def layer_sensitivity(model, evaluate, bits):
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            w = m.weight.data
            s = w.abs().flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1)) / q
            s[s == 0] = 1
            m.weight.data = torch.round(w / s).clamp(-q, q) * s
            drops[name] = base - evaluate(model)
    return drops


# %% wrong="layer_sensitivity" says="not restored"
def layer_sensitivity(model, evaluate, bits):
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            w = m.weight.data
            s = w.abs().flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1)) / q
            s[s == 0] = 1
            m.weight.data = torch.round(w / s).clamp(-q, q) * s
            drops[name] = base - evaluate(model)
            m.weight.data = w  # but not when evaluate raises
    return drops


# %% wrong="layer_sensitivity" says="per tensor"
def layer_sensitivity(model, evaluate, bits):
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            w = m.weight.data
            s = w.abs().max() / q
            try:
                m.weight.data = torch.round(w / s).clamp(-q, q) * s
                drops[name] = base - evaluate(model)
            finally:
                m.weight.data = w
    return drops


# %% wrong="layer_sensitivity" unnamed=True says="sign"
def layer_sensitivity(model, evaluate, bits):
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            w = m.weight.data
            s = w.abs().flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1)) / q
            s[s == 0] = 1
            try:
                m.weight.data = torch.round(w / s).clamp(-q, q) * s
                drops[name] = evaluate(model) - base
            finally:
                m.weight.data = w
    return drops


# %% wrong="layer_sensitivity" unnamed=True says="one evaluation for the baseline"
def layer_sensitivity(model, evaluate, bits):
    drops, q = {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            base, w = evaluate(model), m.weight.data
            s = w.abs().flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1)) / q
            s[s == 0] = 1
            try:
                m.weight.data = torch.round(w / s).clamp(-q, q) * s
                drops[name] = base - evaluate(model)
            finally:
                m.weight.data = w
    return drops


# %% wrong="layer_sensitivity" unnamed=True says="expected a dict with the layers"
def layer_sensitivity(model, evaluate, bits):
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if isinstance(m, (nn.Linear, nn.Conv2d, nn.BatchNorm2d)):
            w = m.weight.data
            s = (w.abs().flatten(1).amax(1) if w.dim() > 1 else w.abs()).view(-1, *[1] * (w.dim() - 1)) / q
            s[s == 0] = 1
            try:
                m.weight.data = torch.round(w / s).clamp(-q, q) * s
                drops[name] = base - evaluate(model)
            finally:
                m.weight.data = w
    return drops


# %% wrong="layer_sensitivity" unnamed=True says="mode of some modules" also="not restored"
def layer_sensitivity(model, evaluate, bits):
    model.eval()
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            w = m.weight.data
            s = w.abs().flatten(1).amax(1).view(-1, *[1] * (w.dim() - 1)) / q
            s[s == 0] = 1
            try:
                m.weight.data = torch.round(w / s).clamp(-q, q) * s
                drops[name] = base - evaluate(model)
            finally:
                m.weight.data = w
    return drops


# %% wrong="layer_sensitivity" unnamed=True says="from scratch, without"
def layer_sensitivity(model, evaluate, bits):
    base, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, m in model.named_modules():
        if type(m) in (nn.Linear, nn.Conv2d):
            w = m.weight.data
            s = w.abs().flatten(1).amax(1) / q
            m.weight.data = torch.fake_quantize_per_channel_affine(
                w, s, torch.zeros(len(s), dtype=torch.int32), 0, -q, q
            )
            drops[name] = base - evaluate(model)
            m.weight.data = w
    return drops


# %% right="layer_sensitivity"
def layer_sensitivity(model, evaluate, bits):
    def rounded(w):
        q, out = 2 ** (bits - 1) - 1, w.clone()
        for row in out:
            top = row.abs().max().item()
            if top:
                row.copy_(torch.round(row * (q / top)).clamp(-q, q) * (top / q))
        return out

    base = evaluate(model)
    result = {}
    for name, module in model.named_modules():
        if type(module) is nn.Linear or type(module) is nn.Conv2d:
            trial = copy.deepcopy(model)
            trial.get_submodule(name).weight.data = rounded(module.weight.detach())
            result[name] = base - evaluate(trial)
    return result


# %% right="layer_sensitivity"
def layer_sensitivity(model, evaluate, bits):
    q = 2 ** (bits - 1) - 1
    state = {k: v.clone() for k, v in model.state_dict().items()}
    scores = {None: evaluate(model)}
    try:
        for name in [n for n, m in model.named_modules() if type(m) in {nn.Conv2d, nn.Linear}]:
            w = state[f"{name}.weight"].numpy()
            s = np.abs(w).reshape(len(w), -1).max(axis=1).reshape(-1, *[1] * (w.ndim - 1)) / q
            s = np.where(s == 0, np.float32(1), s)
            model.load_state_dict(
                {**state, f"{name}.weight": torch.from_numpy((np.clip(np.rint(w / s), -q, q) * s).astype(np.float32))}
            )
            scores[name] = evaluate(model)
    finally:
        model.load_state_dict(state)
    return {n: np.float64(scores[None] - s) for n, s in scores.items() if n is not None}


# %% right="layer_sensitivity"
def layer_sensitivity(model, evaluate, bits):
    from contextlib import contextmanager

    @contextmanager
    def quantized(layer):
        kept, q = layer.weight, 2 ** (bits - 1) - 1
        s = kept.detach().abs().flatten(1).max(dim=1).values.div(q)
        s = s.masked_fill(s == 0, 1.0).reshape([-1] + [1] * (kept.dim() - 1))
        layer.weight = nn.Parameter(torch.round(kept.detach() / s).clamp(-q, q) * s)
        try:
            yield
        finally:
            layer.weight = kept

    baseline, drops = float(evaluate(model)), {}
    for name, layer in list(model.named_modules()):
        if type(layer) in (nn.Conv2d, nn.Linear):
            with quantized(layer):
                drops[name] = baseline - float(evaluate(model))
    return drops


# %% wrong="assign_bits" says="over budget" also="elements, not bytes"
def assign_bits(sensitivity, sizes, budget_bytes):
    if sum(sizes[n] * min(d) / 8 for n, d in sensitivity.items()) > budget_bytes:
        raise ValueError
    return {name: min(drops, key=drops.get) for name, drops in sensitivity.items()}


# %% wrong="assign_bits" says="over budget"
def assign_bits(sensitivity, sizes, budget_bytes):
    if sum(sizes[n] * min(d) / 8 for n, d in sensitivity.items()) > budget_bytes:
        raise ValueError
    # each layer by itself fits, but not all together
    return {n: min((b for b in d if sizes[n] * b / 8 <= budget_bytes), key=d.get) for n, d in sensitivity.items()}


# %% wrong="assign_bits" says="greedy by layer order"
def assign_bits(sensitivity, sizes, budget_bytes):
    choice = {n: min(d) for n, d in sensitivity.items()}
    cost = lambda: sum(sizes[n] * b / 8 for n, b in choice.items())
    if cost() > budget_bytes:
        raise ValueError
    for name, drops in sensitivity.items():
        for bits in sorted(drops, reverse=True):
            old, choice[name] = choice[name], bits
            if cost() <= budget_bytes:
                break
            choice[name] = old
    return choice


# %% wrong="assign_bits" says="elements, not bytes" also="over budget"
def assign_bits(sensitivity, sizes, budget_bytes):
    import itertools

    names, best = list(sensitivity), None
    for widths in itertools.product(*sensitivity.values()):
        if sum(sizes[n] * b / 32 for n, b in zip(names, widths)) <= budget_bytes:
            total = sum(sensitivity[n][b] for n, b in zip(names, widths))
            if best is None or total < best[0]:
                best = total, dict(zip(names, widths))
    if best is None:
        raise ValueError
    return best[1]


# %% wrong="assign_bits" says="elements, not bytes"
def assign_bits(sensitivity, sizes, budget_bytes):
    import itertools

    names, best = list(sensitivity), None
    for widths in itertools.product(*sensitivity.values()):
        if sum(sizes[n] * b for n, b in zip(names, widths)) <= budget_bytes:
            total = sum(sensitivity[n][b] for n, b in zip(names, widths))
            if best is None or total < best[0]:
                best = total, dict(zip(names, widths))
    if best is None:
        raise ValueError
    return best[1]


# %% wrong="assign_bits" unnamed=True says="expected a total drop" also="greedy by layer order"
def assign_bits(sensitivity, sizes, budget_bytes):
    # from the narrowest, always the best gain a byte next: good, but not within 1 %
    choice = {n: min(d) for n, d in sensitivity.items()}
    cost = lambda c: sum(sizes[n] * b / 8 for n, b in c.items())
    if cost(choice) > budget_bytes:
        raise ValueError
    while True:
        steps = []
        for n, d in sensitivity.items():
            for b in d:
                if b > choice[n] and cost({**choice, n: b}) <= budget_bytes and d[b] < d[choice[n]]:
                    steps.append(((d[choice[n]] - d[b]) / (sizes[n] * (b - choice[n])), n, b))
        if not steps:
            return choice
        _, n, b = max(steps)
        choice[n] = b


# %% wrong="assign_bits" unnamed=True says="expected a total drop" also="greedy by layer order"
def assign_bits(sensitivity, sizes, budget_bytes):
    # one width for all
    for bits in sorted({b for d in sensitivity.values() for b in d}, reverse=True):
        choice = {n: max([b for b in d if b <= bits], default=min(d)) for n, d in sensitivity.items()}
        if sum(sizes[n] * b / 8 for n, b in choice.items()) <= budget_bytes:
            return choice
    raise ValueError


# %% wrong="assign_bits" unnamed=True says="expected ValueError"
def assign_bits(sensitivity, sizes, budget_bytes):
    import itertools

    names, best = list(sensitivity), (math.inf, {n: min(d) for n, d in sensitivity.items()})
    for widths in itertools.product(*sensitivity.values()):
        total = sum(sensitivity[n][b] for n, b in zip(names, widths))
        if sum(sizes[n] * b for n, b in zip(names, widths)) / 8 <= budget_bytes and total < best[0]:
            best = total, dict(zip(names, widths))
    return best[1]


# %% wrong="assign_bits" unnamed=True says="ValueError" also="elements, not bytes"
def assign_bits(sensitivity, sizes, budget_bytes):
    import itertools

    names, best = list(sensitivity), None
    for widths in itertools.product(*sensitivity.values()):
        total = sum(sensitivity[n][b] for n, b in zip(names, widths))
        if sum(sizes[n] * b for n, b in zip(names, widths)) / 8 < budget_bytes and (
            best is None or total < best[0]
        ):  # < for <=
            best = total, dict(zip(names, widths))
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% wrong="assign_bits" unnamed=True says="from scratch, without"
def assign_bits(sensitivity, sizes, budget_bytes):
    import nncf

    return nncf.assign(sensitivity, sizes, budget_bytes)


# %% right="assign_bits"
def assign_bits(sensitivity, sizes, budget_bytes):
    import itertools

    names = list(sensitivity)
    fitting = [
        w
        for w in itertools.product(*(sensitivity[n] for n in names))
        if sum(sizes[n] * b for n, b in zip(names, w)) / 8 <= budget_bytes
    ]
    if not fitting:
        raise ValueError("the budget is too small")
    best = min(fitting, key=lambda w: sum(sensitivity[n][b] for n, b in zip(names, w)))
    return {n: np.int64(b) for n, b in zip(names, best)}


# %% right="assign_bits"
def assign_bits(sensitivity, sizes, budget_bytes):
    names = sorted(sensitivity, key=lambda n: -sizes[n])
    cheapest = [0] * (len(names) + 1)
    least = [0.0] * (len(names) + 1)
    for i in reversed(range(len(names))):
        cheapest[i] = cheapest[i + 1] + sizes[names[i]] * min(sensitivity[names[i]]) / 8
        least[i] = least[i + 1] + min(sensitivity[names[i]].values())
    best = [math.inf, None]

    def search(i, left, drop, choice):  # branch and bound
        if left < cheapest[i] or drop + least[i] >= best[0]:
            return
        if i == len(names):
            best[:] = drop, dict(choice)
            return
        for bits, d in sorted(sensitivity[names[i]].items(), key=lambda item: item[1]):
            search(i + 1, left - sizes[names[i]] * bits / 8, drop + d, {**choice, names[i]: bits})

    search(0, budget_bytes + 1e-9, 0.0, {})
    if best[1] is None:
        raise ValueError
    return best[1]


# %% right="assign_bits"
def assign_bits(sensitivity, sizes, budget_bytes):
    budget = math.floor(budget_bytes * 8 + 1e-6)  # bits
    table = {0: (0.0, ())}  # bits spent -> (least drop, widths)
    for name, drops in sensitivity.items():
        new = {}
        for spent, (total, widths) in table.items():
            for bits, drop in drops.items():
                cost = spent + sizes[name] * bits
                if cost <= budget and (cost not in new or total + drop < new[cost][0]):
                    new[cost] = (total + drop, (*widths, bits))
        table = new
    if not table:
        raise ValueError("impossible")
    return dict(zip(sensitivity, min(table.values())[1]))


# %% wrong="fold_batchnorm" says="random start"
def fold_batchnorm(conv, bn):
    if bn.running_var is None:
        raise ValueError
    factor = (1 if bn.weight is None else bn.weight) / (bn.running_var + bn.eps).sqrt()
    weight = conv.weight * factor.reshape(-1, 1, 1, 1)  # computed and forgotten
    return nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        padding_mode=conv.padding_mode,
    )


# %% wrong="fold_batchnorm" says="train mode"
def fold_batchnorm(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> nn.Conv2d:
    if bn.training:
        raise ValueError("call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("this BatchNorm keeps no running statistics: there is nothing fixed to fold")
    with torch.no_grad():
        gamma, beta = (bn.weight, bn.bias) if bn.affine else (1.0, 0.0)
        k = gamma / torch.sqrt(bn.running_var + bn.eps)
        bias = 0.0 if conv.bias is None else conv.bias
        folded = copy.deepcopy(conv)
        folded.weight = nn.Parameter(conv.weight * k[:, None, None, None])
        folded.bias = nn.Parameter(k * (bias - bn.running_mean) + beta)
    return folded


# %% wrong="fold_batchnorm" says="affine=False"
def fold_batchnorm(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> nn.Conv2d:
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("this BatchNorm keeps no running statistics: there is nothing fixed to fold")
    with torch.no_grad():
        gamma, beta = (bn.weight, bn.bias)
        k = gamma / torch.sqrt(bn.running_var + bn.eps)
        bias = 0.0 if conv.bias is None else conv.bias
        folded = copy.deepcopy(conv)
        folded.weight = nn.Parameter(conv.weight * k[:, None, None, None])
        folded.bias = nn.Parameter(k * (bias - bn.running_mean) + beta)
    return folded


# %% wrong="fold_batchnorm" says="running mean was left out"
def fold_batchnorm(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> nn.Conv2d:
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("this BatchNorm keeps no running statistics: there is nothing fixed to fold")
    with torch.no_grad():
        gamma, beta = (bn.weight, bn.bias) if bn.affine else (1.0, 0.0)
        k = gamma / torch.sqrt(bn.running_var + bn.eps)
        bias = 0.0 if conv.bias is None else conv.bias
        folded = copy.deepcopy(conv)
        folded.weight = nn.Parameter(conv.weight * k[:, None, None, None])
        folded.bias = nn.Parameter(k * bias + beta)
    return folded


# %% wrong="fold_batchnorm" says="setting was lost"
def fold_batchnorm(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> nn.Conv2d:
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("this BatchNorm keeps no running statistics: there is nothing fixed to fold")
    with torch.no_grad():
        gamma, beta = (bn.weight, bn.bias) if bn.affine else (1.0, 0.0)
        k = gamma / torch.sqrt(bn.running_var + bn.eps)
        bias = 0.0 if conv.bias is None else conv.bias
        folded = nn.Conv2d(
            conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, groups=conv.groups
        )
        folded.weight = nn.Parameter(conv.weight * k[:, None, None, None])
        folded.bias = nn.Parameter(k * (bias - bn.running_mean) + beta)
    return folded


# %% wrong="fold_batchnorm" says="setting was lost"
def fold_batchnorm(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> nn.Conv2d:
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("this BatchNorm keeps no running statistics: there is nothing fixed to fold")
    with torch.no_grad():
        gamma, beta = (bn.weight, bn.bias) if bn.affine else (1.0, 0.0)
        k = gamma / torch.sqrt(bn.running_var + bn.eps)
        bias = 0.0 if conv.bias is None else conv.bias
        folded = copy.deepcopy(conv)
        folded.padding_mode = "zeros"
        folded.weight = nn.Parameter(conv.weight * k[:, None, None, None])
        folded.bias = nn.Parameter(k * (bias - bn.running_mean) + beta)
    return folded


# %% wrong="MinMaxObserver" says="moving average" also="average of the ranges"
class MinMaxObserver:
    def __init__(self, bits: int = 8, symmetric: bool = False):
        self.bits, self.symmetric = bits, symmetric
        self.low, self.high = math.inf, -math.inf

    def observe(self, x: torch.Tensor):
        low, high = x.min().item(), x.max().item()
        first = self.low > self.high
        self.low = low if first else 0.9 * self.low + 0.1 * low
        self.high = high if first else 0.9 * self.high + 0.1 * high

    def qparams(self) -> tuple[float, int]:
        if self.low > self.high:
            raise ValueError("observe at least one batch first")
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        qmax = 2**self.bits - 1
        scale = (high - low) / qmax
        return scale, min(max(round(-low / scale), 0), qmax)


# %% wrong="MinMaxObserver" says="truncated"
class MinMaxObserver:
    def __init__(self, bits: int = 8, symmetric: bool = False):
        self.bits, self.symmetric = bits, symmetric
        self.low, self.high = math.inf, -math.inf

    def observe(self, x: torch.Tensor):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self) -> tuple[float, int]:
        if self.low > self.high:
            raise ValueError("observe at least one batch first")
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        qmax = 2**self.bits - 1
        scale = (high - low) / qmax
        return scale, min(max(int(-low / scale), 0), qmax)


# %% wrong="MinMaxObserver" says="what was seen has to stay"
# what was seen is forgotten when it is read
class MinMaxObserver:
    def __init__(self, bits: int = 8, symmetric: bool = False):
        self.bits, self.symmetric = bits, symmetric
        self.low, self.high = math.inf, -math.inf

    def observe(self, x: torch.Tensor):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self) -> tuple[float, int]:
        if self.low > self.high:
            raise ValueError("observe at least one batch first")
        lowest, highest = self.low, self.high
        self.low, self.high = math.inf, -math.inf
        low, high = min(lowest, 0.0), max(highest, 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        qmax = 2**self.bits - 1
        scale = (high - low) / qmax
        return scale, min(max(round(-low / scale), 0), qmax)


# %% wrong="percentile_range" says="range is symmetric"
def percentile_range(x: torch.Tensor, percentile: float) -> tuple[float, float]:
    if not 0 < percentile <= 100:
        raise ValueError(f"a percentile lies above 0 and is at most 100, not {percentile}")
    rest = (100 - percentile) / 2
    low, high = np.percentile(x.detach().abs().flatten().numpy(), np.array([percentile, percentile]))
    return -float(low), float(high)


# %% wrong="percentile_range" says="range is symmetric"
def percentile_range(x: torch.Tensor, percentile: float) -> tuple[float, float]:
    if not 0 < percentile <= 100:
        raise ValueError(f"a percentile lies above 0 and is at most 100, not {percentile}")
    rest = (100 - percentile) / 2
    low, high = np.percentile(x.detach().flatten().numpy(), np.array([rest, 100 - rest]))
    return -float(max(-low, high)), float(max(-low, high))


# %% wrong="percentile_range" says="exclusive"
def percentile_range(x, percentile):
    if not 0 < percentile <= 100:
        raise ValueError("0 < p <= 100")
    rest = (100 - percentile) / 2
    low, high = np.percentile(x.detach().flatten().numpy(), np.array([rest, 100 - rest]), method="weibull")
    return float(low), float(high)


# %% wrong="kl_range" says="fills empty bins"
def kl_range(x: torch.Tensor, bits: int = 8, bins: int = 2048) -> float:
    sizes = x.detach().abs().flatten().double().numpy()
    top, levels = sizes.max(), 2 ** (bits - 1)
    if top == 0:
        return 0.0
    counts = np.histogram(sizes[sizes > 0], bins=bins, range=(0, top))[0].astype(float)
    least, best = math.inf, bins
    for i in range(levels, bins + 1):
        kept = counts[:i]
        if kept.sum() == 0:
            continue
        p = kept.copy()
        p[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, levels + 1)).astype(int)
        part = np.repeat(np.arange(levels), np.diff(edges))  # the part that each bin belongs to
        total, filled = np.bincount(part, kept, levels), np.bincount(part, minlength=levels)
        q = (total / np.maximum(filled, 1))[part]
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        divergence = (p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum()
        if divergence < least:
            least, best = divergence, i
    return float(best * top / bins)


# %% wrong="kl_range" says="magnitude"
def kl_range(x: torch.Tensor, bits: int = 8, bins: int = 2048) -> float:
    sizes = x.detach().flatten().double().numpy()
    top, levels = sizes.max(), 2 ** (bits - 1)
    if top == 0:
        return 0.0
    counts = np.histogram(sizes[sizes > 0], bins=bins, range=(0, top))[0].astype(float)
    least, best = math.inf, bins
    for i in range(levels, bins + 1):
        kept = counts[:i]
        if kept.sum() == 0:
            continue
        p = kept.copy()
        p[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, levels + 1)).astype(int)
        part = np.repeat(np.arange(levels), np.diff(edges))  # the part that each bin belongs to
        total, filled = np.bincount(part, kept, levels), np.bincount(part, kept > 0, levels)
        q = np.where(kept > 0, (total / np.maximum(filled, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        divergence = (p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum()
        if divergence < least:
            least, best = divergence, i
    return float(best * top / bins)


# %% wrong="kl_range" says="magnitude"
def kl_range(x: torch.Tensor, bits: int = 8, bins: int = 2048) -> float:
    sizes = x.detach().clamp(min=0).flatten().double().numpy()
    top, levels = sizes.max(), 2 ** (bits - 1)
    if top == 0:
        return 0.0
    counts = np.histogram(sizes[sizes > 0], bins=bins, range=(0, top))[0].astype(float)
    least, best = math.inf, bins
    for i in range(levels, bins + 1):
        kept = counts[:i]
        if kept.sum() == 0:
            continue
        p = kept.copy()
        p[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, levels + 1)).astype(int)
        part = np.repeat(np.arange(levels), np.diff(edges))  # the part that each bin belongs to
        total, filled = np.bincount(part, kept, levels), np.bincount(part, kept > 0, levels)
        q = np.where(kept > 0, (total / np.maximum(filled, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        divergence = (p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum()
        if divergence < least:
            least, best = divergence, i
    return float(best * top / bins)


# %% wrong="quantize_dynamic" says="one module"
def quantize_dynamic(model: nn.Module, bits: int = 8) -> nn.Module:
    replaced: dict[nn.Module, nn.Module] = {}

    def quantized(module):
        if type(module) is not nn.Linear:
            return module
        if True:
            replaced[module] = QuantizedLinear.from_float(module, bits)
        return replaced[module]

    result = quantized(copy.deepcopy(model))
    for parent in list(result.modules()):
        for name, child in list(parent._modules.items()):
            setattr(parent, name, quantized(child))
    return result


# %% wrong="quantize_dynamic" says="pass `bits` on"
def quantize_dynamic(model: nn.Module, bits: int = 8) -> nn.Module:
    replaced: dict[nn.Module, nn.Module] = {}

    def quantized(module):
        if type(module) is not nn.Linear:
            return module
        if module not in replaced:
            replaced[module] = QuantizedLinear.from_float(module)
        return replaced[module]

    result = quantized(copy.deepcopy(model))
    for parent in list(result.modules()):
        for name, child in list(parent._modules.items()):
            setattr(parent, name, quantized(child))
    return result


# %% wrong="correct_bias" says="sum"
def correct_bias(layer, w_hat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.weight = nn.Parameter(w_hat)
        shift = layer(x) - other(x)
        shift = shift.movedim(1 if isinstance(layer, nn.Conv2d) else -1, 0).flatten(1).sum(dim=1)
        return shift if layer.bias is None else layer.bias + shift


# %% wrong="calibrate" says="under the last layer"
def calibrate(model, layers, batches):
    modules = dict(model.named_modules())
    if set(layers) - set(modules):
        raise ValueError("unknown layers")
    modes = [(m, m.training) for m in model.modules()]
    seen, hooks = {}, []
    for name in layers:

        def look(module, inputs):
            seen.setdefault(name, []).append((inputs[0].min().item(), inputs[0].max().item()))

        hooks.append(modules[name].register_forward_pre_hook(look))
    try:
        model.eval()
        with torch.no_grad():
            for x, _ in batches:
                model(x)
    finally:
        for hook in hooks:
            hook.remove()
        for m, mode in modes:
            m.training = mode
    return {name: (min(a for a, _ in ends), max(b for _, b in ends)) for name, ends in seen.items()}


# %% wrong="quantize_static" says="one scale for the whole weight"
class StaticLayer(nn.Module):
    def __init__(self, layer, low: float, high: float, bits: int):
        super().__init__()
        observer = MinMaxObserver(bits)
        observer.observe(torch.tensor([low, high]))
        scale, zero_point = observer.qparams()
        self.register_buffer("x_scale", torch.tensor(scale))
        self.register_buffer("x_zero_point", torch.tensor(zero_point))
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        largest = w.abs().max().expand(len(w))
        scales = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (w.dim() - 1))
        self.register_buffer("scales", scales)
        self.register_buffer("codes", torch.clamp(torch.round(w / scales), -q, q).to(torch.int8))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.bits, self.settings = bits, None
        if isinstance(layer, nn.Conv2d):
            self.settings = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "groups")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.clamp(torch.round(x / self.x_scale) + self.x_zero_point, 0, 2**self.bits - 1)
        x_hat, w_hat = (codes - self.x_zero_point) * self.x_scale, self.codes.float() * self.scales
        return (
            F.linear(x_hat, w_hat, self.bias)
            if self.settings is None
            else F.conv2d(x_hat, w_hat, self.bias, **self.settings)
        )


def quantize_static(model: nn.Sequential, batches: list, bits: int = 8) -> nn.Module:
    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], module)
            else:
                parts.append(copy.deepcopy(module))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    layers = {name: module for name, module in result.named_modules() if type(module) in (nn.Linear, nn.Conv2d)}
    ranges = calibrate(result, list(layers), batches)
    for name, layer in layers.items():
        result.set_submodule(name, StaticLayer(layer, *ranges[name], bits))
    return result.eval()


# %% wrong="quantize_static" says="groups=1"
class StaticLayer(nn.Module):
    def __init__(self, layer, low: float, high: float, bits: int):
        super().__init__()
        observer = MinMaxObserver(bits)
        observer.observe(torch.tensor([low, high]))
        scale, zero_point = observer.qparams()
        self.register_buffer("x_scale", torch.tensor(scale))
        self.register_buffer("x_zero_point", torch.tensor(zero_point))
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        largest = w.abs().flatten(1).amax(dim=1)
        scales = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (w.dim() - 1))
        self.register_buffer("scales", scales)
        self.register_buffer("codes", torch.clamp(torch.round(w / scales), -q, q).to(torch.int8))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.bits, self.settings = bits, None
        if isinstance(layer, nn.Conv2d):
            self.settings = {key: getattr(layer, key) for key in ("stride", "padding", "dilation")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.clamp(torch.round(x / self.x_scale) + self.x_zero_point, 0, 2**self.bits - 1)
        x_hat, w_hat = (codes - self.x_zero_point) * self.x_scale, self.codes.float() * self.scales
        return (
            F.linear(x_hat, w_hat, self.bias)
            if self.settings is None
            else F.conv2d(x_hat, w_hat, self.bias, **self.settings)
        )


def quantize_static(model: nn.Sequential, batches: list, bits: int = 8) -> nn.Module:
    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], module)
            else:
                parts.append(copy.deepcopy(module))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    layers = {name: module for name, module in result.named_modules() if type(module) in (nn.Linear, nn.Conv2d)}
    ranges = calibrate(result, list(layers), batches)
    for name, layer in layers.items():
        result.set_submodule(name, StaticLayer(layer, *ranges[name], bits))
    return result.eval()


# %% wrong="quantize_static" says="setting of a convolution was lost"
class StaticLayer(nn.Module):
    def __init__(self, layer, low: float, high: float, bits: int):
        super().__init__()
        observer = MinMaxObserver(bits)
        observer.observe(torch.tensor([low, high]))
        scale, zero_point = observer.qparams()
        self.register_buffer("x_scale", torch.tensor(scale))
        self.register_buffer("x_zero_point", torch.tensor(zero_point))
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        largest = w.abs().flatten(1).amax(dim=1)
        scales = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (w.dim() - 1))
        self.register_buffer("scales", scales)
        self.register_buffer("codes", torch.clamp(torch.round(w / scales), -q, q).to(torch.int8))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.bits, self.settings = bits, None
        if isinstance(layer, nn.Conv2d):
            self.settings = {key: getattr(layer, key) for key in ("stride", "padding", "groups")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.clamp(torch.round(x / self.x_scale) + self.x_zero_point, 0, 2**self.bits - 1)
        x_hat, w_hat = (codes - self.x_zero_point) * self.x_scale, self.codes.float() * self.scales
        return (
            F.linear(x_hat, w_hat, self.bias)
            if self.settings is None
            else F.conv2d(x_hat, w_hat, self.bias, **self.settings)
        )


def quantize_static(model: nn.Sequential, batches: list, bits: int = 8) -> nn.Module:
    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], module)
            else:
                parts.append(copy.deepcopy(module))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    layers = {name: module for name, module in result.named_modules() if type(module) in (nn.Linear, nn.Conv2d)}
    ranges = calibrate(result, list(layers), batches)
    for name, layer in layers.items():
        result.set_submodule(name, StaticLayer(layer, *ranges[name], bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="look at the calibration"
class StaticLayer(nn.Module):
    def __init__(self, layer, low: float, high: float, bits: int):
        super().__init__()
        observer = MinMaxObserver(bits)
        observer.observe(torch.tensor([low, high]))
        scale, zero_point = observer.qparams()
        self.register_buffer("x_scale", torch.tensor(scale))
        self.register_buffer("x_zero_point", torch.tensor(zero_point))
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        largest = w.abs().flatten(1).amax(dim=1)
        scales = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (w.dim() - 1))
        self.register_buffer("scales", scales)
        self.register_buffer("codes", torch.clamp(torch.round(w / scales), -q, q).to(torch.int8))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.bits, self.settings = bits, None
        if isinstance(layer, nn.Conv2d):
            self.settings = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "groups")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.clamp(torch.round(x / self.x_scale) + self.x_zero_point, 0, 2**self.bits - 1)
        x_hat, w_hat = (codes - self.x_zero_point) * self.x_scale, self.codes.float() * self.scales
        return (
            F.linear(x_hat, w_hat, self.bias)
            if self.settings is None
            else F.conv2d(x_hat, w_hat, self.bias, **self.settings)
        )


def quantize_static(model: nn.Sequential, batches: list, bits: int = 8) -> nn.Module:
    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], module)
            else:
                parts.append(copy.deepcopy(module))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    layers = {name: module for name, module in result.named_modules() if type(module) in (nn.Linear, nn.Conv2d)}
    ranges = calibrate(result, list(layers), batches[-1:])
    for name, layer in layers.items():
        result.set_submodule(name, StaticLayer(layer, *ranges[name], bits))
    return result.eval()


# %% wrong="layer_sensitivity" says="with a dot in its name"
def layer_sensitivity(model: nn.Module, evaluate, bits: int) -> dict[str, float]:
    baseline, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, layer in list(model.named_modules()):
        if type(layer) not in (nn.Linear, nn.Conv2d):
            continue
        weight = layer.weight.detach().clone()
        largest = weight.abs().flatten(1).amax(dim=1)
        scale = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (weight.dim() - 1))
        rounded = copy.deepcopy(layer)
        try:
            rounded.weight.data.copy_(torch.clamp(torch.round(weight / scale), -q, q) * scale)
            setattr(model, name, rounded)
            drops[name] = baseline - evaluate(model)
        finally:
            setattr(model, name, layer)
    return drops


# %% wrong="layer_sensitivity" says="cut off"
def layer_sensitivity(model: nn.Module, evaluate, bits: int) -> dict[str, float]:
    baseline, drops, q = evaluate(model), {}, 2 ** (bits - 1) - 1
    for name, layer in model.named_modules():
        if type(layer) not in (nn.Linear, nn.Conv2d):
            continue
        weight = layer.weight.detach().clone()
        largest = weight.abs().flatten(1).amax(dim=1)
        scale = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (weight.dim() - 1))
        try:
            layer.weight.data.copy_(torch.clamp(torch.trunc(weight / scale), -q, q) * scale)
            drops[name] = baseline - evaluate(model)
        finally:
            layer.weight.data.copy_(weight)
    return drops


# %% wrong="assign_bits" says="cheapest step first"
# narrows the layer that loses least per byte
def assign_bits(sensitivity, sizes, budget_bytes):
    choice = {n: max(d) for n, d in sensitivity.items()}
    cost = lambda: sum(sizes[n] * b for n, b in choice.items()) / 8
    while cost() > budget_bytes:
        steps = []
        for n, b in choice.items():
            lower = [w for w in sensitivity[n] if w < b]
            if lower:
                w = max(lower)
                steps.append(((sensitivity[n][w] - sensitivity[n][b]) / (sizes[n] * (b - w)), n, w))
        if not steps:
            raise ValueError("nothing fits")
        _, n, w = min(steps)
        choice[n] = w
    return choice


# %% wrong="assign_bits" says="filled to whole bytes"
# each layer is filled to whole bytes
def assign_bits(sensitivity: dict[str, dict[int, float]], sizes: dict[str, int], budget_bytes: float) -> dict[str, int]:
    partial = [(0, 0.0, {})]  # (bits so far, drop so far, choice), none beaten by a cheaper one
    for name, drops in sensitivity.items():
        longer = [
            (cost + 8 * -(-sizes[name] * bits // 8), total + drop, choice | {name: bits})
            for cost, total, choice in partial
            for bits, drop in drops.items()
        ]
        longer.sort(key=lambda item: item[:2])
        partial, least = [], math.inf
        for item in longer:
            if item[1] < least and item[0] / 8 <= budget_bytes:
                partial.append(item)
                least = item[1]
    if not partial:
        raise ValueError(f"no assignment fits into {budget_bytes} bytes")
    return partial[-1][2]


# %% wrong="kl_range" says="this is KL(Q || P)"
def kl_range(x: torch.Tensor, bits: int = 8, bins: int = 2048) -> float:
    sizes = x.detach().abs().flatten().double().numpy()
    top, levels = sizes.max(), 2 ** (bits - 1)
    if top == 0:
        return 0.0
    counts = np.histogram(sizes[sizes > 0], bins=bins, range=(0, top))[0].astype(float)
    least, best = math.inf, bins
    for i in range(levels, bins + 1):
        kept = counts[:i]
        if kept.sum() == 0:
            continue
        p = kept.copy()
        p[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, levels + 1)).astype(int)
        part = np.repeat(np.arange(levels), np.diff(edges))  # the part that each bin belongs to
        total, filled = np.bincount(part, kept, levels), np.bincount(part, kept > 0, levels)
        q = np.where(kept > 0, (total / np.maximum(filled, 1))[part], 0)
        p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-10)
        divergence = (q[p > 0] * np.log(q[p > 0] / p[p > 0])).sum()
        if divergence < least:
            least, best = divergence, i
    return float(best * top / bins)


# %% wrong="kl_range" says="this is KL(Q || P)"
def kl_range(x: torch.Tensor, bits: int = 8, bins: int = 2048) -> float:
    sizes = x.detach().abs().flatten().double().numpy()
    top, levels = sizes.max(), 2 ** (bits - 1)
    if top == 0:
        return 0.0
    counts = np.histogram(sizes[sizes > 0], bins=bins, range=(0, top))[0].astype(float)
    least, best = math.inf, bins
    for i in range(levels, bins + 1):
        kept = counts[:i]
        if kept.sum() == 0:
            continue
        p = kept.copy()
        p[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, levels + 1)).astype(int)
        part = np.repeat(np.arange(levels), np.diff(edges))  # the part that each bin belongs to
        total, filled = np.bincount(part, kept, levels), np.bincount(part, kept > 0, levels)
        q = np.where(kept > 0, (total / np.maximum(filled, 1))[part], 0)
        p, q = np.maximum(p / p.sum(), 1e-10), q / q.sum()
        divergence = (q[q > 0] * np.log(q[q > 0] / p[q > 0])).sum()
        if divergence < least:
            least, best = divergence, i
    return float(best * top / bins)


# %% wrong="kl_range" says="bins with Q = 0 were left out"
def kl_range(x: torch.Tensor, bits: int = 8, bins: int = 2048) -> float:
    sizes = x.detach().abs().flatten().double().numpy()
    top, levels = sizes.max(), 2 ** (bits - 1)
    if top == 0:
        return 0.0
    counts = np.histogram(sizes[sizes > 0], bins=bins, range=(0, top))[0].astype(float)
    least, best = math.inf, bins
    for i in range(levels, bins + 1):
        kept = counts[:i]
        if kept.sum() == 0:
            continue
        p = kept.copy()
        p[-1] += counts[i:].sum()
        edges = np.floor(np.linspace(0, i, levels + 1)).astype(int)
        part = np.repeat(np.arange(levels), np.diff(edges))  # the part that each bin belongs to
        total, filled = np.bincount(part, kept, levels), np.bincount(part, kept > 0, levels)
        q = np.where(kept > 0, (total / np.maximum(filled, 1))[part], 0)
        p, q = p / p.sum(), q / q.sum()
        both = (p > 0) & (q > 0)
        divergence = (p[both] * np.log(p[both] / q[both])).sum()
        if divergence < least:
            least, best = divergence, i
    return float(best * top / bins)


# %% wrong="MinMaxObserver" says="mind the minus"
class MinMaxObserver:
    def __init__(self, bits: int = 8, symmetric: bool = False):
        self.bits, self.symmetric = bits, symmetric
        self.low, self.high = math.inf, -math.inf

    def observe(self, x: torch.Tensor):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self) -> tuple[float, int]:
        if self.low > self.high:
            raise ValueError("observe at least one batch first")
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        qmax = 2**self.bits - 1
        scale = (high - low) / qmax
        return scale, round(low / scale)


# %% wrong="MinMaxObserver" says="mind the minus"
class MinMaxObserver:
    def __init__(self, bits: int = 8, symmetric: bool = False):
        self.bits, self.symmetric = bits, symmetric
        self.low, self.high = math.inf, -math.inf

    def observe(self, x: torch.Tensor):
        self.low, self.high = min(self.low, x.min().item()), max(self.high, x.max().item())

    def qparams(self) -> tuple[float, int]:
        if self.low > self.high:
            raise ValueError("observe at least one batch first")
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if low == high:
            return 1.0, 0
        if self.symmetric:
            return max(-low, high) / (2 ** (self.bits - 1) - 1), 0
        qmax = 2**self.bits - 1
        scale = (high - low) / qmax
        return scale, min(max(round(low / scale), 0), qmax)


# %% wrong="correct_bias" says="one mean a sample; each output channel"
def correct_bias(layer, w_hat, x):
    other = copy.deepcopy(layer)
    other.weight.data = w_hat
    error = (layer(x) - other(x)).detach()
    error = error.flatten(1).mean(1) if isinstance(layer, nn.Conv2d) else error.flatten(0, -2).mean(0)
    return error if layer.bias is None else layer.bias.detach() + error


# %% wrong="QuantizedLinear" says="a float tensor as large as the weight"
class QuantizedLinear(nn.Module):
    @classmethod
    def from_float(cls, linear, bits=8):
        self, w, q = cls(), linear.weight.detach(), 2 ** (bits - 1) - 1
        s = w.abs().amax(1).clamp(min=1e-12) / q
        self.register_buffer("codes", (w / s[:, None]).round())
        self.register_buffer("scales", s)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        return self

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        s = ((high - low) / 255).clamp(min=1e-12)
        z = (-low / s).round()
        y = F.linear(((x / s).round() + z).clamp(0, 255) - z, self.codes) * s * self.scales
        return y if self.bias is None else y + self.bias


# %% wrong="quantize_dynamic" says="with a dot in its name"
def quantize_dynamic(model, bits=8):
    result = copy.deepcopy(model)
    if type(result) is nn.Linear:
        return QuantizedLinear.from_float(result, bits)
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            setattr(result, name, QuantizedLinear.from_float(module, bits))
    return result


# %% wrong="quantize_static" says="codes are not clamped" also="ranges were recomputed"
class StaticLayer(nn.Module):
    def __init__(self, layer, low: float, high: float, bits: int):
        super().__init__()
        observer = MinMaxObserver(bits)
        observer.observe(torch.tensor([low, high]))
        scale, zero_point = observer.qparams()
        self.register_buffer("x_scale", torch.tensor(scale))
        self.register_buffer("x_zero_point", torch.tensor(zero_point))
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        largest = w.abs().flatten(1).amax(dim=1)
        scales = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (w.dim() - 1))
        self.register_buffer("scales", scales)
        self.register_buffer("codes", torch.clamp(torch.round(w / scales), -q, q).to(torch.int8))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.bits, self.settings = bits, None
        if isinstance(layer, nn.Conv2d):
            self.settings = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "groups")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.round(x / self.x_scale) + self.x_zero_point
        x_hat, w_hat = (codes - self.x_zero_point) * self.x_scale, self.codes.float() * self.scales
        return (
            F.linear(x_hat, w_hat, self.bias)
            if self.settings is None
            else F.conv2d(x_hat, w_hat, self.bias, **self.settings)
        )


def quantize_static(model: nn.Sequential, batches: list, bits: int = 8) -> nn.Module:
    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], module)
            else:
                parts.append(copy.deepcopy(module))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    layers = {name: module for name, module in result.named_modules() if type(module) in (nn.Linear, nn.Conv2d)}
    ranges = calibrate(result, list(layers), batches)
    for name, layer in layers.items():
        result.set_submodule(name, StaticLayer(layer, *ranges[name], bits))
    return result.eval()


# %% wrong="quantize_static" unnamed=True says="at fold_batchnorm"
def fold_batchnorm(conv, bn):  # an earlier answer that forgets eps
    k = (bn.weight if bn.affine else 1) / torch.sqrt(bn.running_var)
    folded = copy.deepcopy(conv)
    folded.weight = nn.Parameter((conv.weight * k[:, None, None, None]).detach())
    bias = 0 if conv.bias is None else conv.bias
    folded.bias = nn.Parameter((k * (bias - bn.running_mean) + (bn.bias if bn.affine else 0)).detach())
    return folded


class StaticLayer(nn.Module):
    def __init__(self, layer, low: float, high: float, bits: int):
        super().__init__()
        observer = MinMaxObserver(bits)
        observer.observe(torch.tensor([low, high]))
        scale, zero_point = observer.qparams()
        self.register_buffer("x_scale", torch.tensor(scale))
        self.register_buffer("x_zero_point", torch.tensor(zero_point))
        w, q = layer.weight.detach(), 2 ** (bits - 1) - 1
        largest = w.abs().flatten(1).amax(dim=1)
        scales = torch.where(largest > 0, largest / q, 1.0).reshape(-1, *[1] * (w.dim() - 1))
        self.register_buffer("scales", scales)
        self.register_buffer("codes", torch.clamp(torch.round(w / scales), -q, q).to(torch.int8))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.bits, self.settings = bits, None
        if isinstance(layer, nn.Conv2d):
            self.settings = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "groups")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.clamp(torch.round(x / self.x_scale) + self.x_zero_point, 0, 2**self.bits - 1)
        x_hat, w_hat = (codes - self.x_zero_point) * self.x_scale, self.codes.float() * self.scales
        return (
            F.linear(x_hat, w_hat, self.bias)
            if self.settings is None
            else F.conv2d(x_hat, w_hat, self.bias, **self.settings)
        )


def quantize_static(model: nn.Sequential, batches: list, bits: int = 8) -> nn.Module:
    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d):
                parts[-1] = fold_batchnorm(parts[-1], module)
            else:
                parts.append(copy.deepcopy(module))
        return nn.Sequential(*parts)

    result = fold(model).eval()
    layers = {name: module for name, module in result.named_modules() if type(module) in (nn.Linear, nn.Conv2d)}
    ranges = calibrate(result, list(layers), batches)
    for name, layer in layers.items():
        result.set_submodule(name, StaticLayer(layer, *ranges[name], bits))
    return result.eval()
