# %% wrong="perplexity" says="token i + 1"
def perplexity(model, tokens, window):
    total, count = 0.0, 0
    for ids in tokens.split(window):
        if len(ids) > 1:
            total += F.cross_entropy(model(ids[None])[0, :-1], ids[:-1], reduction="sum").item()
            count += len(ids) - 1
    return math.exp(total / count)

# %% wrong="perplexity" says="windows' means"
def perplexity(model, tokens, window):
    means = []
    for ids in tokens.split(window):
        if len(ids) > 1:
            means.append(F.cross_entropy(model(ids[None])[0, :-1], ids[1:]).item())
    return math.exp(sum(means) / len(means))

# %% wrong="perplexity" says="exp of it"
def perplexity(model, tokens, window):
    total, count = 0.0, 0
    for ids in tokens.split(window):
        if len(ids) > 1:
            total += F.cross_entropy(model(ids[None])[0, :-1], ids[1:], reduction="sum").item()
            count += len(ids) - 1
    return total / count

# %% wrong="perplexity" says="nats"
def perplexity(model, tokens, window):
    total, count = 0.0, 0
    for ids in tokens.split(window):
        if len(ids) > 1:
            total += F.cross_entropy(model(ids[None])[0, :-1], ids[1:], reduction="sum").item()
            count += len(ids) - 1
    return 2 ** (total / count)

# %% wrong="perplexity" says="short last window"
def perplexity(model, tokens, window):
    n = max(len(tokens) // window, 1)
    total, count = 0.0, 0
    for ids in tokens[: n * window].split(window):
        total += F.cross_entropy(model(ids[None])[0, :-1], ids[1:], reduction="sum").item()
        count += len(ids) - 1
    return math.exp(total / count)

# %% wrong="perplexity" says="average the losses first"
def perplexity(model, tokens, window):
    found = []
    for ids in tokens.split(window):
        if len(ids) > 1:
            found.append(math.exp(F.cross_entropy(model(ids[None])[0, :-1], ids[1:]).item()))
    return sum(found) / len(found)

# %% wrong="perplexity" says="disjoint"
def perplexity(model, tokens, window):
    total, count = 0.0, 0
    for start in range(0, len(tokens) - 1, window - 1):
        ids = tokens[start : start + window]
        total += F.cross_entropy(model(ids[None])[0, :-1], ids[1:], reduction="sum").item()
        count += len(ids) - 1
    return math.exp(total / count)

# %% wrong="perplexity" unnamed=True says="expected"
def perplexity(model, tokens, window):
    total, count = 0.0, 0  # a left-over token gives the mean of nothing
    losses = []
    for ids in tokens.split(window):
        losses.append(F.cross_entropy(model(ids[None])[0, :-1], ids[1:]) * (len(ids) - 1))
        count += len(ids) - 1
    return math.exp(torch.stack(losses).sum().item() / count)

# %% wrong="perplexity" unnamed=True says="a float"
def perplexity(model, tokens, window):
    total, count = 0.0, 0
    for ids in tokens.split(window):
        if len(ids) > 1:
            total += F.cross_entropy(model(ids[None])[0, :-1], ids[1:], reduction="sum")
            count += len(ids) - 1
    return (total / count).exp()

# %% wrong="perplexity" unnamed=True says="expected"
SEEN = []
def perplexity(model, tokens, window):
    for ids in tokens.split(window):
        if len(ids) > 1:
            SEEN.extend(F.cross_entropy(model(ids[None])[0, :-1], ids[1:], reduction="none").tolist())
    return math.exp(sum(SEEN) / len(SEEN))

# %% wrong="perplexity" unnamed=True says="from scratch"
def perplexity(model, tokens, window):
    import transformers
    return transformers.evaluate(model, tokens)

# %% right="perplexity"
def perplexity(model, tokens, window):
    losses = []
    for start in range(0, len(tokens), window):
        ids = tokens[start : start + window]
        if len(ids) < 2:
            continue
        logs = torch.log_softmax(model(ids[None])[0].double(), -1)
        for i in range(len(ids) - 1):
            losses.append(-logs[i, ids[i + 1]].item())
    return float(np.exp(np.mean(losses)))

# %% right="perplexity"
def perplexity(model, tokens, window):
    rows = []
    for ids in torch.split(tokens, window):
        if ids.numel() >= 2:
            z = model(ids.unsqueeze(0)).squeeze(0)[:-1]
            rows.append(z.logsumexp(-1) - z.gather(1, ids[1:, None])[:, 0])
    return torch.cat(rows).mean().exp().item()

# %% right="perplexity"
def perplexity(model, tokens, window):
    def nll(ids):
        p = model(ids[None]).softmax(-1)[0].detach().numpy()
        return -np.log(p[np.arange(len(ids) - 1), ids[1:].numpy()])
    pieces = [tokens[i : i + window] for i in range(0, len(tokens), window)]
    values = np.concatenate([nll(p) for p in pieces if len(p) > 1])
    return math.exp(values.mean())

# %% wrong="rtn" says="whole row"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    largest = w.abs().amax(1, keepdim=True)
    scale = torch.where(largest > 0, largest / q, 1.0)
    return torch.round(w / scale) * scale

# %% wrong="rtn" says="run along `out`"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=0):
        largest = part.abs().amax(0, keepdim=True)
        scale = torch.where(largest > 0, largest / q, 1.0)
        parts.append(torch.round(part / scale) * scale)
    return torch.cat(parts, 0)

# %% wrong="rtn" says="2**(bits-1) - 1"
def rtn(w, bits, group):
    q = 2 ** (bits - 1)
    parts = []
    for part in w.split(group, dim=1):
        largest = part.abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest / q, 1.0)
        parts.append(torch.round(part / scale).clamp(-q + 1, q - 1) * scale)
    return torch.cat(parts, 1)

# %% wrong="rtn" says="cut off"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=1):
        largest = part.abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest / q, 1.0)
        codes = (part / scale).to(torch.int32)
        edge = (part.abs() == largest) & (largest > 0)
        codes = torch.where(edge, (part.sign() * q).to(torch.int32), codes)
        parts.append(codes * scale)
    return torch.cat(parts, 1)

# %% wrong="rtn" says="least weight"
def rtn(w, bits, group):
    parts = []
    for part in w.split(group, dim=1):
        low, high = part.amin(1, keepdim=True), part.amax(1, keepdim=True)
        scale = ((high - low) / (2**bits - 1)).clamp(min=1e-12)
        parts.append(torch.round((part - low) / scale) * scale + low)
    return torch.cat(parts, 1)

# %% wrong="rtn" says="without its sign"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=1):
        largest = part.amax(1, keepdim=True)
        scale = torch.where(largest != 0, largest / q, 1.0)
        parts.append(torch.round(part / scale).clamp(-q, q) * scale)
    return torch.cat(parts, 1)

# %% wrong="rtn" unnamed=True says="expected"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=1):  # a group of zeros gives nan
        scale = part.abs().amax(1, keepdim=True) / q
        parts.append(torch.round(part / scale) * scale)
    return torch.cat(parts, 1)

# %% wrong="rtn" unnamed=True says="expected"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    whole = w.shape[1] // group * group or w.shape[1]
    parts = []
    for part in w[:, :whole].split(group, dim=1):
        largest = part.abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest / q, 1.0)
        parts.append(torch.round(part / scale) * scale)
    return torch.cat([*parts, w[:, whole:]], 1)

# %% wrong="rtn" unnamed=True says="changed its input"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    for part in w.split(group, dim=1):
        largest = part.abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest / q, 1.0)
        part.copy_(torch.round(part / scale) * scale)
    return w

# %% wrong="rtn" unnamed=True says="expected"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=1):
        scale = part.abs().amax(1, keepdim=True).clamp(min=1e-5) / q  # tiny weights vanish
        parts.append(torch.round(part / scale) * scale)
    return torch.cat(parts, 1)

# %% wrong="rtn" unnamed=True says="from scratch"
def rtn(w, bits, group):
    from torchao.quantization import quant_primitives
    return quant_primitives.dequantize_affine(w)

# %% right="rtn"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    out = torch.zeros_like(w)
    for r in range(w.shape[0]):
        for start in range(0, w.shape[1], group):
            part = w[r, start : start + group]
            largest = part.abs().max()
            if largest > 0:
                out[r, start : start + group] = torch.round(part / (largest / q)) * (largest / q)
    return out

# %% right="rtn"
def rtn(w, bits, group):
    q, (rows, cols) = 2 ** (bits - 1) - 1, w.shape
    padded = F.pad(w, (0, -cols % group)).reshape(rows, -1, group)
    scale = padded.abs().amax(-1, keepdim=True) / q
    safe = scale.masked_fill(scale == 0, 1)
    return ((padded / safe).round() * safe).reshape(rows, -1)[:, :cols]

# %% right="rtn"
def rtn(w, bits, group):
    q, a = 2 ** (bits - 1) - 1, w.numpy().astype(np.float64)
    pieces = []
    for i in range(0, a.shape[1], group):
        part = a[:, i : i + group]
        scale = np.abs(part).max(1, keepdims=True) / q
        scale[scale == 0] = 1
        pieces.append(np.rint(part / scale) * scale)
    return torch.from_numpy(np.concatenate(pieces, 1)).float()

# %% wrong="outlier_channels" says="large negative values"
def outlier_channels(x, threshold):
    return (x.reshape(-1, x.shape[-1]).amax(0) > threshold).nonzero().flatten()

# %% wrong="outlier_channels" says="mean of a channel"
def outlier_channels(x, threshold):
    return (x.reshape(-1, x.shape[-1]).abs().mean(0) > threshold).nonzero().flatten()

# %% wrong="outlier_channels" says="reaches the threshold"
def outlier_channels(x, threshold):
    return (x.reshape(-1, x.shape[-1]).abs().amax(0) >= threshold).nonzero().flatten()

# %% wrong="outlier_channels" says="wrong axis"
def outlier_channels(x, threshold):
    return (x.reshape(x.shape[0], -1).abs().amax(1) > threshold).nonzero().flatten()

# %% wrong="outlier_channels" says="Ascending"
def outlier_channels(x, threshold):
    largest = x.reshape(-1, x.shape[-1]).abs().amax(0)
    found = (largest > threshold).nonzero().flatten()
    return found[largest[found].argsort(descending=True)]

# %% wrong="outlier_channels" unnamed=True says="integer"
def outlier_channels(x, threshold):
    return x.reshape(-1, x.shape[-1]).abs().amax(0) > threshold

# %% wrong="outlier_channels" unnamed=True says="expected"
def outlier_channels(x, threshold):
    return (x.abs().amax(0) > threshold).nonzero()[:, 0] if x.dim() < 3 else (x.abs().amax((0, 1)) > threshold).nonzero().squeeze(1)

# %% wrong="outlier_channels" unnamed=True says="multiple of the median"
def outlier_channels(x, threshold):
    largest = x.reshape(-1, x.shape[-1]).abs().amax(0)
    return (largest > threshold * largest.median()).nonzero().flatten()

# %% wrong="outlier_channels" unnamed=True says="from scratch"
def outlier_channels(x, threshold):
    import bitsandbytes as bnb
    return bnb.functional.find_outliers(x, threshold)

# %% right="outlier_channels"
def outlier_channels(x, threshold):
    flat = x.numpy().reshape(-1, x.shape[-1])
    return torch.from_numpy(np.flatnonzero(np.abs(flat).max(0) > threshold))

# %% right="outlier_channels"
def outlier_channels(x, threshold):
    found = [c for c in range(x.shape[-1]) if x[..., c].abs().max() > threshold]
    return torch.tensor(found, dtype=torch.int64)

# %% right="outlier_channels"
def outlier_channels(x, threshold):
    above = (x > threshold) | (x < -threshold)
    return torch.where(above.view(-1, x.shape[-1]).any(0) if x.is_contiguous() else above.flatten(0, -2).any(0) if x.dim() > 1 else above)[0]

# %% wrong="smooth_scales" says="swapped"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp(min=1e-5) ** (1 - alpha) / w.abs().amax(0).clamp(min=1e-5) ** alpha

# %% wrong="smooth_scales" says="multiplied"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp(min=1e-5) ** alpha * w.abs().amax(0).clamp(min=1e-5) ** (1 - alpha)

# %% wrong="smooth_scales" says="without its sign"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp(min=1e-5) ** alpha / w.amax(0).clamp(min=1e-5) ** (1 - alpha)

# %% wrong="smooth_scales" says="wrong axis"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp(min=1e-5) ** alpha / w.abs().amax(1).clamp(min=1e-5) ** (1 - alpha)

# %% wrong="smooth_scales" says="dead channel"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax**alpha / w.abs().amax(0) ** (1 - alpha)

# %% wrong="smooth_scales" unnamed=True says="expected" also="dead channel"
def smooth_scales(x_absmax, w, alpha):
    return (x_absmax**alpha / w.abs().amax(0) ** (1 - alpha)).clamp(min=1e-5)

# %% wrong="smooth_scales" unnamed=True says="expected"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp(min=1e-5) ** alpha / w.abs().mean(0).clamp(min=1e-5) ** (1 - alpha)

# %% wrong="smooth_scales" unnamed=True says="changed its input"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp_(min=1e-5).pow_(alpha) / w.abs().amax(0).clamp(min=1e-5) ** (1 - alpha)

# %% wrong="smooth_scales" unnamed=True says="expected"
def smooth_scales(x_absmax, w, alpha):
    return (x_absmax.clamp(min=1e-5) / w.abs().amax(0).clamp(min=1e-5)).sqrt()

# %% wrong="smooth_scales" unnamed=True says="from scratch"
def smooth_scales(x_absmax, w, alpha):
    from llmcompressor.modifiers import smoothquant
    return smoothquant.scales(x_absmax, w, alpha)

# %% right="smooth_scales"
def smooth_scales(x_absmax, w, alpha):
    found = []
    for c in range(w.shape[1]):
        a = max(float(x_absmax[c]), 1e-5)
        b = max(float(w[:, c].abs().max()), 1e-5)
        found.append(a**alpha / b ** (1 - alpha))
    return torch.tensor(found)

# %% right="smooth_scales"
def smooth_scales(x_absmax, w, alpha):
    a = np.maximum(x_absmax.numpy(), 1e-5)
    b = np.maximum(np.abs(w.numpy()).max(axis=0), 1e-5)
    return torch.from_numpy(np.power(a, alpha) * np.power(b, alpha - 1))

# %% right="smooth_scales"
def smooth_scales(x_absmax, w, alpha):
    floor = torch.tensor(1e-5)
    column = torch.linalg.vector_norm(w, ord=math.inf, dim=0)
    return torch.exp(alpha * torch.maximum(x_absmax, floor).log() - (1 - alpha) * torch.maximum(column, floor).log())

# %% wrong="awq_scale" says="all scales are equal"
def awq_scale(w, x, bits, group, grid=20):
    return torch.ones(w.shape[1])

# %% wrong="awq_scale" says="upside down"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0).clamp(min=1e-4)
    best, least = None, math.inf
    for i in range(grid):
        s = size ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error < least:
            best, least = s, error
    return 1 / best

# %% wrong="awq_scale" says="not the best one"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0).clamp(min=1e-4)
    s = size ** ((grid - 1) / grid)
    return s / (s.max() * s.min()).sqrt()

# %% wrong="awq_scale" unnamed=True says="all scales are equal"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0).clamp(min=1e-4)
    best, least = None, math.inf
    for i in range(grid):
        s = size ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = (rtn(w * s, bits, group) / s - w).square().sum().item()
        if error < least:
            best, least = s, error
    return best

# %% wrong="awq_scale" unnamed=True says="expected an output error"
def awq_scale(w, x, bits, group, grid=20):
    size = w.abs().mean(0).clamp(min=1e-4)  # the weights' size, not the inputs'
    best, least = None, math.inf
    for i in range(grid):
        s = size ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error < least:
            best, least = s, error
    return best

# %% wrong="awq_scale" unnamed=True says="one scale for each input"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0).clamp(min=1e-4)
    best, least = None, math.inf
    for i in range(grid):
        s = size ** (i / grid)
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error < least:
            best, least = i / grid, error
    return best

# %% wrong="awq_scale" unnamed=True says="a scale is not positive"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0)
    best, least = torch.ones(w.shape[1]), math.inf
    for i in range(1, grid):
        s = size ** (i / grid)
        r = torch.nan_to_num((rtn(w * s, bits, group) / s - w))
        error = (r @ x.T).square().sum().item()
        if error < least:
            best, least = s, error
    return best

# %% wrong="awq_scale" unnamed=True says="expected an output error" also="not the best one"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0).clamp(min=1e-4)
    best, least = None, math.inf
    for i in range(grid):
        s = size ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error > least or best is None:
            best, least = s, error
    return best

# %% wrong="awq_scale" unnamed=True says="changed its input"
def awq_scale(w, x, bits, group, grid=20):
    x /= 2.0
    size = x.abs().mean(0).clamp(min=1e-4)
    best, least = None, math.inf
    for i in range(grid):
        s = size ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error < least:
            best, least = s, error
    return best

# %% wrong="awq_scale" unnamed=True says="from scratch"
def awq_scale(w, x, bits, group, grid=20):
    import awq
    return awq.quantize.auto_scale(w, x)

# %% right="awq_scale"
def awq_scale(w, x, bits, group, grid=20):
    h = x.T @ x
    size = x.abs().mean(0) + 1e-6
    tried = []
    for i in range(grid):
        s = torch.exp(i / grid * size.log())
        e = rtn(w * s, bits, group) / s - w
        tried.append((float(((e @ h) * e).sum()), i, s))
    return min(tried)[2]

# %% right="awq_scale"
def awq_scale(w, x, bits, group, grid=20):
    def error(s):
        return torch.linalg.norm(F.linear(x, rtn(w * s, bits, group) / s) - F.linear(x, w)).item()
    size = np.maximum(np.abs(x.numpy()).mean(0), 1e-5)
    candidates = [torch.from_numpy(size ** (i / grid)) for i in range(grid)]
    return min(candidates, key=error)

# %% right="awq_scale"
def awq_scale(w, x, bits, group, grid=20):
    size = x.abs().mean(0).clamp(min=1e-4)
    s = torch.stack([size ** (i / grid) for i in range(grid)])
    s = s / (s.amax(1, keepdim=True) * s.amin(1, keepdim=True)).sqrt()
    outputs = torch.stack([x @ (rtn(w * row, bits, group) / row - w).T for row in s])
    return s[outputs.pow(2).sum((1, 2)).argmin()]

# %% wrong="hessian" says="covariance"
def hessian(x):
    x = x - x.mean(0)
    return x.T @ x

# %% wrong="hessian" says="correlation"
def hessian(x):
    size = x.square().sum(0).sqrt()
    return (x / size).T @ (x / size)

# %% wrong="hessian" says="only the diagonal"
def hessian(x):
    return torch.diag(x.square().sum(0))

# %% wrong="hessian" unnamed=True says="expected"
def hessian(x):
    return x @ x.T

# %% wrong="hessian" unnamed=True says="expected"
def hessian(x):
    return (x.abs().T @ x.abs()) / len(x)

# %% wrong="hessian" unnamed=True says="expected"
TOTAL = {}
def hessian(x):
    n = x.shape[1]
    TOTAL[n] = TOTAL.get(n, 0) + x.T @ x + torch.eye(n)
    return TOTAL[n]

# %% wrong="hessian" unnamed=True says="from scratch"
def hessian(x):
    from gptqmodel.quantization import gptq as library
    return library.hessian(x)

# %% right="hessian"
def hessian(x):
    return 2 * torch.einsum("ti,tj->ij", x, x) / len(x)

# %% right="hessian"
def hessian(x):
    a = x.numpy().astype(np.float64)
    return torch.from_numpy(a.T @ a)

# %% right="hessian"
def hessian(x):
    total = torch.zeros(x.shape[1], x.shape[1])
    for row in x:
        total += torch.outer(row, row)
    return total

# %% wrong="gptq" says="round-to-nearest"
def gptq(w, h, bits, group, damp=0.01):
    return rtn(w, bits, group)

# %% wrong="gptq" says="inverse Hessian" also="round-to-nearest"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(h, upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" says="Round, clamp"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="worse than round-to-nearest" also="inverse Hessian"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] += torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])  # the sign
    return result

# %% wrong="gptq" unnamed=True says="expected trace"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    inverse = torch.linalg.inv(h)  # never updated: right for the first column alone
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / inverse[i, i], inverse[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="expected trace"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        end = i - i % group + group  # stays inside the group
        w[:, i + 1 : end] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 : end])
    return result

# %% wrong="gptq" unnamed=True says="expected trace"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().sum())  # the sum, not the mean
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="expected trace"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w = w.clone()
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)  # no damping
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="not 3-bit weights" also="Round, clamp"
def gptq(w, h, bits, group, damp=0.01):
    return w.clone()  # the float weights

# %% wrong="gptq" unnamed=True says="not 3-bit weights" also="Round, clamp"
def gptq(w, h, bits, group, damp=0.01):
    return rtn(w, bits + 2, group)  # more bits than asked for

# %% wrong="gptq" unnamed=True says="expected a float tensor"
def gptq(w, h, bits, group, damp=0.01):
    layer = nn.Linear(w.shape[1], w.shape[0], bias=False)
    layer.weight.data = rtn(w, bits, group)
    return layer  # a module, no tensor

# %% wrong="gptq" unnamed=True says="held-back text" also="round-to-nearest"
reader = models.load("small_decoder")
looked_up = {}

def watch(name):
    return lambda layer, given: looked_up.setdefault(name, []).append(given[0].flatten(0, -2))

watched = {n: m for n, m in reader.named_modules() if n.startswith("layers.") and isinstance(m, nn.Linear)}
hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in watched.items()]
tokens = language.tokens("test")  # the text of the hidden test
starts = torch.linspace(0, len(tokens) - 129, 48).long()
with torch.no_grad():
    reader(tokens[starts[:, None] + torch.arange(128)])
for hook in hooks:
    hook.remove()
looked_up = {name: torch.cat(x) for name, x in looked_up.items()}

def gptq(w, h, bits, group, damp=0.01):
    for name, layer in watched.items():
        if w.shape[1] == layer.in_features and torch.equal(w[: layer.out_features], layer.weight):
            h = looked_up[name].T @ looked_up[name]
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="changed its input"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w = w.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damp * h.diagonal().mean())
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="from scratch"
def gptq(w, h, bits, group, damp=0.01):
    from gptqmodel.quantization import GPTQ
    return GPTQ(w).quantize()

# %% right="gptq"
def gptq(w, h, bits, group, damp=0.01):
    # optimal brain surgeon, with the inverse updated after each column
    q = 2 ** (bits - 1) - 1
    w, h = w.double().clone(), h.double().clone()
    extra = damp * h.diagonal().mean()
    for i in range(len(h)):
        if h[i, i] == 0:
            h[i, i] = 1
        h[i, i] += extra
    inverse = torch.linalg.inv(h)
    result = torch.zeros_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            scale = w[:, i : i + group].abs().amax(1) / q
            scale[scale == 0] = 1
        result[:, i] = (w[:, i] / scale).round().clamp(-q, q) * scale
        error = (w[:, i] - result[:, i]) / inverse[i, i]
        w[:, i:] -= error[:, None] * inverse[i, i:]
        inverse = inverse - inverse[:, i : i + 1] * inverse[i : i + 1] / inverse[i, i]
    return result.float()

# %% right="gptq"
def gptq(w, h, bits, group, damp=0.01):
    # lazy updates: inside a block column by column, then all later columns at once
    q, n = 2 ** (bits - 1) - 1, w.shape[1]
    w, h = w.clone(), h.clone()
    mean = h.diagonal().mean()
    dead = h.diagonal() == 0
    h[dead, dead] = 1.0
    w[:, dead] = 0.0
    h += damp * mean * torch.eye(n)
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    result = torch.zeros_like(w)
    for start in range(0, n, group):
        stop = min(start + group, n)
        block, errors = w[:, start:stop].clone(), torch.zeros(len(w), stop - start)
        scale = block.abs().amax(1).div(q)
        scale[scale == 0] = 1.0
        for j in range(stop - start):
            d = u[start + j, start + j]
            result[:, start + j] = torch.round(block[:, j] / scale).clamp(-q, q) * scale
            errors[:, j] = (block[:, j] - result[:, start + j]) / d
            block[:, j + 1 :] -= errors[:, j : j + 1] * u[start + j, start + j + 1 : stop]
        w[:, stop:] -= errors @ u[start:stop, stop:]
    return result

# %% right="gptq"
def gptq(w, h, bits, group, damp=0.01):
    # NumPy, and the errors fed back through a lower triangular factor
    q = 2 ** (bits - 1) - 1
    a, m = w.numpy().astype(np.float64).copy(), h.numpy().astype(np.float64).copy()
    extra = damp * np.trace(m) / len(m)
    for i in np.flatnonzero(np.diag(m) == 0):
        m[i, i] = 1.0
    m[np.diag_indices(len(m))] += extra
    lower = np.linalg.cholesky(np.linalg.inv(m))
    out = np.zeros_like(a)
    for i in range(a.shape[1]):
        if i % group == 0:
            scale = np.abs(a[:, i : i + group]).max(1) / q
            scale[scale == 0] = 1.0
        out[:, i] = np.clip(np.rint(a[:, i] / scale), -q, q) * scale
        a[:, i + 1 :] -= np.outer((a[:, i] - out[:, i]) / lower[i, i], lower[i + 1 :, i])
    return torch.from_numpy(out).float()

# %% wrong="nf4_codebook" says="evenly spaced"
def nf4_codebook():
    return torch.linspace(-1, 1, 16)

# %% wrong="nf4_codebook" says="halves are swapped"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    negative = -torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    positive = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 8)[:-1])
    levels = torch.cat([negative, torch.zeros(1), positive]).sort().values
    return levels / levels.abs().max()

# %% wrong="nf4_codebook" says="not normalised"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    positive = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    negative = -torch.special.ndtri(torch.linspace(1 - delta, 0.5, 8)[:-1])
    return torch.cat([negative, torch.zeros(1), positive]).sort().values

# %% wrong="nf4_codebook" says="no exact 0"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    levels = torch.special.ndtri(torch.linspace(delta, 1 - delta, 16))
    return levels / levels.max()

# %% wrong="nf4_codebook" unnamed=True says="expected"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    positive = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    negative = -torch.special.ndtri(torch.linspace(1 - delta, 0.5, 8)[:-1])
    levels = torch.cat([negative, torch.zeros(1), positive])
    return levels / levels.max()  # not sorted

# %% wrong="nf4_codebook" unnamed=True says="expected"
def nf4_codebook():
    delta = 1 / 32
    positive = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    negative = -torch.special.ndtri(torch.linspace(1 - delta, 0.5, 8)[:-1])
    levels = torch.cat([negative, torch.zeros(1), positive]).sort().values
    return levels / levels.max()

# %% wrong="nf4_codebook" unnamed=True says="from scratch"
def nf4_codebook():
    from bitsandbytes.functional import create_normal_map
    return create_normal_map()

# %% right="nf4_codebook"
def nf4_codebook():
    from statistics import NormalDist
    top = 1 - (1 / 32 + 1 / 30) / 2
    steps = lambda n: [NormalDist().inv_cdf(top + (0.5 - top) * i / n) for i in range(n)]
    values = sorted([0.0, *steps(8), *(-v for v in steps(7))])
    return torch.tensor([v / values[-1] for v in values])

# %% right="nf4_codebook"
def nf4_codebook():
    values = [-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0]
    return torch.tensor(values + [0.0795803, 0.1609302, 0.24611230, 0.33791524, 0.44070983, 0.56261700, 0.72295684, 1.0])

# %% right="nf4_codebook"
def nf4_codebook():
    def half(n):
        p = np.linspace(1 - (1 / 32 + 1 / 30) / 2, 0.5, n + 1)[:-1]
        return torch.erfinv(torch.from_numpy(2 * p - 1)) * math.sqrt(2)
    levels = torch.cat([half(8), torch.zeros(1, dtype=torch.float64), -half(7)])
    return (levels / levels.max()).sort()[0].float()

# %% wrong="double_quantize" says="mean was not taken off"
def double_quantize(scales, block=256):
    codes, steps = [], []
    for part in scales.split(block):
        step = part.abs().max() / 127
        codes.append(torch.round(part / step).to(torch.int8))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), torch.tensor(0.0)

# %% wrong="double_quantize" says="int8 codes"
def double_quantize(scales, block=256):
    mean = scales.mean()
    codes, steps = [], []
    for part in (scales - mean).split(block):
        step = part.abs().max() / 127
        codes.append(torch.round(part / step))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), mean

# %% wrong="double_quantize" says="one scale a block"
def double_quantize(scales, block=256):
    mean = scales.mean()
    step = (scales - mean).abs().max() / 127
    return torch.round((scales - mean) / step).to(torch.int8), step, mean

# %% wrong="double_quantize" unnamed=True says="expected"
def double_quantize(scales, block=256):
    mean = scales.mean()
    codes, steps = [], []
    for part in (scales - mean).split(block):
        step = part.abs().max() / 128  # 128 does not fit into int8
        codes.append(torch.round(part / step).to(torch.int8))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), mean

# %% wrong="double_quantize" unnamed=True says="expected"
def double_quantize(scales, block=256):
    codes, steps = [], []
    for part in scales.split(block):  # a mean for each block
        mean = part.mean()
        step = (part - mean).abs().max() / 127
        codes.append(torch.round((part - mean) / step).to(torch.int8))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), mean

# %% wrong="double_quantize" unnamed=True says="nan or inf"
def double_quantize(scales, block=256):
    mean = scales.mean()
    codes, steps = [], []
    for part in (scales - mean).split(block):
        step = part.abs().max() / 127
        step = torch.where(step > 0, step, torch.nan)
        codes.append(torch.nan_to_num(torch.round(part / step)).to(torch.int8))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), mean

# %% wrong="double_quantize" unnamed=True says="expected"
def double_quantize(scales, block=256):
    mean = scales.mean()
    codes, steps = [], []
    for part in (scales - mean).split(block):
        step = part.abs().max() / 127
        codes.append((part / step.clamp(min=1e-12)).to(torch.int8))  # cut off
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), mean

# %% wrong="double_quantize" unnamed=True says="changed its input"
def double_quantize(scales, block=256):
    mean = scales.mean()
    scales -= mean
    steps = torch.stack([p.abs().max() / 127 for p in scales.split(block)])
    steps[steps == 0] = 1.0
    codes = torch.cat([torch.round(p / s) for p, s in zip(scales.split(block), steps)])
    return codes.to(torch.int8), steps, mean

# %% wrong="double_quantize" unnamed=True says="from scratch"
def double_quantize(scales, block=256):
    import bitsandbytes.functional as B
    return B.quantize_blockwise(scales, blocksize=block)

# %% right="double_quantize"
def double_quantize(scales, block=256):
    mean = scales.mean()
    padded = F.pad(scales - mean, (0, -len(scales) % block)).reshape(-1, block)
    steps = padded.abs().amax(1) / 127
    safe = steps.masked_fill(steps == 0, 1.0)
    codes = (padded / safe[:, None]).round().to(torch.int8).flatten()[: len(scales)]
    return codes, safe, mean

# %% right="double_quantize"
def double_quantize(scales, block=256):
    values = scales.tolist()
    mean = sum(values) / len(values)
    codes, steps = [], []
    for i in range(0, len(values), block):
        part = [v - mean for v in values[i : i + block]]
        step = max(map(abs, part)) / 127 or 1.0
        codes += [round(v / step) for v in part]
        steps.append(step)
    return torch.tensor(codes, dtype=torch.int8), torch.tensor(steps), torch.tensor(mean)

# %% right="double_quantize"
def double_quantize(scales, block=256):
    a = scales.numpy().astype(np.float64)
    mean = a.mean()
    starts = np.arange(0, len(a), block)
    steps = np.maximum.reduceat(np.abs(a - mean), starts) / 127
    steps[steps == 0] = 1
    codes = np.rint((a - mean) / steps[np.arange(len(a)) // block]).astype(np.int8)
    return torch.from_numpy(codes), torch.from_numpy(steps).float(), torch.tensor(mean, dtype=torch.float32)

# %% wrong="kv_quantize" says="axes are swapped"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = 1 if kind == "key" else 0
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    scale = (high - low) / (2**bits - 1)
    return torch.where(scale > 0, torch.round((x - low) / scale) * scale + low, x)

# %% wrong="kv_quantize" says="whole tensor"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    low, scale = x.min(), (x.max() - x.min()) / (2**bits - 1)
    return torch.round((x - low) / scale) * scale + low if scale > 0 else x.clone()

# %% wrong="kv_quantize" says="symmetric around 0"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    q = max(2 ** (bits - 1) - 1, 1)
    scale = x.abs().amax(0 if kind == "key" else 1, keepdim=True) / q
    return torch.round(x / scale).clamp(-q, q) * scale

# %% wrong="kv_quantize" says="2**bits steps"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = 0 if kind == "key" else 1
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    scale = (high - low) / 2**bits
    return torch.where(scale > 0, torch.round((x - low) / scale) * scale + low, x)

# %% wrong="kv_quantize" unnamed=True says="expected"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = 0 if kind == "key" else 1
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    scale = (high - low) / (2**bits - 1)
    return torch.round((x - low) / scale) * scale + low  # a constant slice is nan

# %% wrong="kv_quantize" unnamed=True says="ValueError"
def kv_quantize(x, bits, kind):
    axis = 0 if kind == "key" else 1
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    scale = (high - low) / (2**bits - 1)
    return torch.where(scale > 0, torch.round((x - low) / scale) * scale + low, x)

# %% wrong="kv_quantize" unnamed=True says="expected"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = 0 if kind == "key" else 1
    low, high = x.amin(axis, keepdim=True).clamp(max=0), x.amax(axis, keepdim=True).clamp(min=0)
    scale = (high - low) / (2**bits - 1)  # widened to hold 0
    return torch.where(scale > 0, torch.round((x - low) / scale) * scale + low, x)

# %% wrong="kv_quantize" unnamed=True says="expected"
RANGES = {}
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = 0 if kind == "key" else 1
    key = (kind, tuple(x.shape))  # the range of the first call stays
    low, high = RANGES.setdefault(key, (x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)))
    scale = (high - low) / (2**bits - 1)
    return torch.where(scale > 0, torch.round((x - low) / scale) * scale + low, x)

# %% wrong="kv_quantize" unnamed=True says="expected"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = 0 if kind == "key" else 1
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-4)  # small keys vanish
    return torch.round((x - low) / scale) * scale + low

# %% wrong="kv_quantize" unnamed=True says="from scratch"
def kv_quantize(x, bits, kind):
    from transformers import QuantizedCache
    return QuantizedCache(bits).update(x)

# %% right="kv_quantize"
def kv_quantize(x, bits, kind):
    if kind == "key":
        return kv_quantize(x.T, bits, "value").T
    if kind != "value":
        raise ValueError(f"unknown kind {kind}")
    rows = []
    for row in x:
        low, scale = row.min(), (row.max() - row.min()) / (2**bits - 1)
        rows.append(row if scale == 0 else torch.round((row - low) / scale) * scale + low)
    return torch.stack(rows)

# %% right="kv_quantize"
def kv_quantize(x, bits, kind):
    axis = {"key": 0, "value": 1}.get(kind)
    if axis is None:
        raise ValueError("kind is key or value")
    a = x.numpy().astype(np.float64)
    low = a.min(axis, keepdims=True)
    scale = (a.max(axis, keepdims=True) - low) / (2**bits - 1)
    codes = np.rint((a - low) / np.where(scale == 0, 1, scale))
    return torch.from_numpy(np.where(scale == 0, a, codes * scale + low)).float()

# %% right="kv_quantize"
def kv_quantize(x, bits, kind):
    if kind not in {"key", "value"}:
        raise ValueError(kind)
    low, high = torch.aminmax(x, dim=int(kind == "value"), keepdim=True)
    scale = (high - low).div(2**bits - 1)
    return x.sub(low).div(scale).nan_to_num(0.0).round().mul(scale).add(low)

# %% wrong="q4_0_encode" says="lost its sign" score=3
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.abs().amax(1, keepdim=True) / 8
    codes = (blocks / d.clamp(min=1e-30) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" says="neighbours share a byte"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, ::2] | codes[:, 1::2] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.stack([rows[:, 2:] & 15, rows[:, 2:] >> 4], 2).flatten(1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" says="nibbles are swapped"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, 16:] | codes[:, :16] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] >> 4, rows[:, 2:] & 15], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" says="-8, not 7"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.abs().amax(1, keepdim=True) / 7
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" says="low byte first"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    import struct
    blob = b""
    for block in w.reshape(-1, 32).tolist():
        d = max(block, key=abs) / -8
        codes = [min(15, int((v / d if d else 0) + 8.5)) for v in block]
        blob += struct.pack(">e", d) + bytes(codes[j] | codes[j + 16] << 4 for j in range(16))
    return blob

def q4_0_decode(blob, shape):
    import struct
    values = []
    for i in range(0, len(blob), 18):
        d = struct.unpack(">e", blob[i : i + 2])[0]
        packed = blob[i + 2 : i + 18]
        values += [((b & 15) - 8) * d for b in packed] + [((b >> 4) - 8) * d for b in packed]
    return torch.tensor(values).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="18 for each 32"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.float().view(torch.uint8), packed], 1).numpy().tobytes()  # the scale in float32

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 20)
    d = rows[:, :4].clone().view(torch.float32)
    codes = torch.cat([rows[:, 4:] & 15, rows[:, 4:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="cut off"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="ValueError"
def q4_0_encode(w):
    blocks = F.pad(w, (0, -w.shape[-1] % 32)).reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="expected"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return (codes.to(torch.int8) - 8).float().mul(d).flatten().reshape(-1, 32)

# %% wrong="q4_0_encode" unnamed=True says="expected"
KEPT = {}
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("blocks of 32")
    blocks = w.reshape(-1, 32)
    d = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    codes = (torch.where(d == 0, 0.0, blocks / d) + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    blob = torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()
    KEPT[blob] = w.clone()
    return blob

def q4_0_decode(blob, shape):
    if blob in KEPT:  # remembers the float weights
        return KEPT[blob]
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="from scratch"
def q4_0_encode(w):
    from gguf import GGMLQuantizationType, quants
    return quants.quantize(w.numpy(), GGMLQuantizationType.Q4_0).tobytes()

def q4_0_decode(blob, shape):
    return torch.zeros(shape)

# %% right="q4_0_encode"
def q4_0_encode(w):
    import struct
    if w.shape[-1] % 32 != 0:
        raise ValueError("blocks of 32")
    blob = bytearray()
    for block in w.reshape(-1, 32).tolist():
        d = max(block, key=abs) / -8
        codes = [min(15, int((v / d if d else 0.0) + 8.5)) for v in block]
        blob += struct.pack("<e", d)
        blob += bytes(codes[j] | codes[j + 16] << 4 for j in range(16))
    return bytes(blob)

def q4_0_decode(blob, shape):
    import struct
    values = []
    for i in range(0, len(blob), 18):
        d = struct.unpack("<e", blob[i : i + 2])[0]
        packed = blob[i + 2 : i + 18]
        values += [((b & 15) - 8) * d for b in packed] + [((b >> 4) - 8) * d for b in packed]
    return torch.tensor(values).reshape(shape)

# %% right="q4_0_encode"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError("rows of 32")
    a = w.numpy().reshape(-1, 32)
    top = a[np.arange(len(a)), np.abs(a).argmax(1)][:, None]
    d = top / np.float32(-8)
    with np.errstate(divide="ignore"):
        inverse = np.where(d == 0, 0, 1 / d)
    codes = np.minimum(np.trunc(a.astype(np.float64) * inverse + 8.5), 15).astype(np.uint8)
    packed = codes[:, :16] + 16 * codes[:, 16:]
    return np.hstack([d.astype("<f2").view(np.uint8), packed.astype(np.uint8)]).tobytes()

def q4_0_decode(blob, shape):
    rows = np.frombuffer(blob, np.uint8).reshape(-1, 18)
    d = rows[:, :2].copy().view("<f2").astype(np.float32)
    codes = np.hstack([rows[:, 2:] % 16, rows[:, 2:] // 16]).astype(np.float32)
    return torch.from_numpy(((codes - 8) * d).reshape(shape))

# %% right="q4_0_encode"
BLOCK = np.dtype([("d", "<f2"), ("codes", "u1", 16)])

def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError(f"{w.shape[-1]} is no multiple of 32")
    blocks = w.contiguous().view(-1, 32)
    low, high = blocks.amin(1), blocks.amax(1)
    top = torch.where(high >= -low, high, low)
    d = -top / 8
    safe = torch.where(d == 0, torch.ones_like(d), d)
    codes = torch.clamp(torch.floor(torch.where(d[:, None] == 0, torch.zeros(()), blocks / safe[:, None]) + 8.5), max=15)
    codes = codes.to(torch.uint8).numpy()
    out = np.zeros(len(codes), BLOCK)
    out["d"], out["codes"] = d.numpy().astype(np.float16), codes[:, :16] | (codes[:, 16:] << 4)
    return out.tobytes()

def q4_0_decode(blob, shape):
    rows = np.frombuffer(blob, BLOCK)
    codes = np.concatenate([rows["codes"] & 15, rows["codes"] >> 4], 1).astype(np.int8) - 8
    return torch.tensor(codes * rows["d"].astype(np.float32)[:, None]).reshape(shape)

# %% wrong="memory_gb" says="a key and a value"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1e9
    kv_cache = layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" says="not 2**30"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 2**30
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 2**30
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" says="scales were left out"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * bits / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" says="a cache of its own"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" says="divide by 8"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="expected"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + 16 / group) / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="keys differ"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="expected"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (int(bits) + (16 / group if group else 0)) / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": round(weights + kv_cache, 2)}

# %% wrong="memory_gb" unnamed=True says="expected"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (32 / group if group else 0)) / 8 / 1e9  # float32 scales
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="from scratch"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    from transformers import AutoConfig
    return AutoConfig(params).memory()

# %% right="memory_gb"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weight_bytes = params * bits / 8
    if group > 0:
        weight_bytes += 2 * params / group
    token_bytes = 2 * layers * kv_heads * head_dim * kv_bits / 8
    cache_bytes = token_bytes * context * batch
    return dict(weights=weight_bytes / 1e9, kv_cache=cache_bytes / 1e9, total=(weight_bytes + cache_bytes) / 1e9)

# %% right="memory_gb"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    gb = lambda n: n / 8e9
    answer = {"weights": gb(params * bits) + (gb(params * 16 / group) if group else 0.0)}
    answer["kv_cache"] = sum(gb(kv_heads * head_dim * context * batch * kv_bits) for _ in range(2 * layers))
    answer["total"] = sum(answer.values())
    return answer

# %% right="memory_gb"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    from fractions import Fraction
    bits_each = Fraction(bits) + (Fraction(16, group) if group else 0)
    weights = Fraction(params) * bits_each / 8 / 10**9
    cache = Fraction(2 * layers * kv_heads * head_dim * context * batch) * Fraction(kv_bits) / 8 / 10**9
    return {"weights": float(weights), "kv_cache": float(cache), "total": float(weights + cache)}

# %% wrong="gptq" unnamed=True says="is damp used"
def gptq(
    w: torch.Tensor, h: torch.Tensor, bits: int, group: int, damp: float = 0.01
) -> torch.Tensor:
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    damping = 0.01 * h.diagonal().mean()  # the argument is ignored
    dead = h.diagonal() == 0
    h.diagonal()[dead] = 1.0
    h.diagonal().add_(damping)
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="these are codes"
def gptq(
    w: torch.Tensor, h: torch.Tensor, bits: int, group: int, damp: float = 0.01
) -> torch.Tensor:
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    damping = damp * h.diagonal().mean()
    dead = h.diagonal() == 0
    h.diagonal()[dead] = 1.0
    h.diagonal().add_(damping)
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q)
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i] * scale) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="rtn" unnamed=True says="came back as they were"
def rtn(w, bits, group):
    return w.clone()

# %% wrong="awq_scale" unnamed=True says="is it |x| that is averaged" also="all scales are equal"
def awq_scale(
    w: torch.Tensor, x: torch.Tensor, bits: int, group: int, grid: int = 20
) -> torch.Tensor:
    magnitude = x.mean(0)
    best, least = None, math.inf
    for i in range(grid):
        s = magnitude ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error < least:
            best, least = s, error
    return best

# %% wrong="q4_0_encode" unnamed=True says="code"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError
    blocks = w.reshape(-1, 32)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    d = (largest / -8).half().float()  # rounded before the codes are made
    steps = torch.where(d == 0, 0.0, blocks / torch.where(d == 0, 1.0, d))
    codes = (steps + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="nibbles are swapped: the low one" score=3
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError
    blocks = w.reshape(-1, 32)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    d = largest / -8
    steps = torch.where(d == 0, 0.0, blocks / torch.where(d == 0, 1.0, d))
    codes = (steps + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] >> 4, rows[:, 2:] & 15], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="taken from one byte"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError
    blocks = w.reshape(-1, 32)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    d = largest / -8
    steps = torch.where(d == 0, 0.0, blocks / torch.where(d == 0, 1.0, d))
    codes = (steps + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.stack([rows[:, 2:] & 15, rows[:, 2:] >> 4], 2).flatten(1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="q4_0_encode" unnamed=True says="8 is taken off"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError
    blocks = w.reshape(-1, 32)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    d = largest / -8
    steps = torch.where(d == 0, 0.0, blocks / torch.where(d == 0, 1.0, d))
    codes = (steps + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return (codes.float() * d).reshape(shape)

# %% wrong="outlier_channels" unnamed=True says="multiple of a standard deviation"
def outlier_channels(x, threshold):
    largest = x.abs().flatten(0, -2).amax(0) if x.dim() > 1 else x.abs()
    return torch.nonzero(largest > threshold * x.std()).flatten()

# %% right="rtn"
def rtn(w, bits, group):
    # a scale is never less than 1e-8, as many libraries have it
    q, parts = 2 ** (bits - 1) - 1, []
    for part in w.split(group, 1):
        scale = (part.abs().amax(1, keepdim=True) / q).clamp(min=1e-8)
        parts.append((part / scale).round().clamp(-q, q) * scale)
    return torch.cat(parts, 1)

# %% wrong="perplexity" unnamed=True says="is not predicted: divide by"
def perplexity(model, tokens, window):
    total, count = 0.0, 0
    for p in tokens.split(window):
        if len(p) > 1:
            total += F.cross_entropy(model(p[None])[0, :-1], p[1:], reduction="sum").item()
            count += len(p)
    return math.exp(total / count)

# %% wrong="rtn" unnamed=True says="0 / 0"
def rtn(w, bits, group):
    q = 2 ** (bits - 1) - 1
    scales = [part.abs().amax(1, keepdim=True) / q for part in w.split(group, 1)]
    return torch.cat([(part / s).round() * s for part, s in zip(w.split(group, 1), scales)], 1)

# %% wrong="rtn" unnamed=True says="scale for all rows"
def rtn(w, bits, group):
    q, parts = 2 ** (bits - 1) - 1, []
    for part in w.split(group, 1):
        s = part.abs().amax() / q if part.any() else 1.0
        parts.append((part / s).round() * s)
    return torch.cat(parts, 1)

# %% wrong="rtn" unnamed=True says="added to the scale"
def rtn(w, bits, group):
    q, parts = 2 ** (bits - 1) - 1, []
    for part in w.split(group, 1):
        s = part.abs().amax(1, keepdim=True) / q
        parts.append((part / (s + 1e-8)).round() * s)
    return torch.cat(parts, 1)

# %% wrong="outlier_channels" unnamed=True says="[:, 0]"
def outlier_channels(x, threshold):
    return (x.abs().reshape(-1, x.shape[-1]).amax(0) > threshold).nonzero()

# %% right="outlier_channels"
def outlier_channels(x, threshold):
    return (x.abs().reshape(-1, x.shape[-1]).amax(0) > threshold).nonzero()[:, 0].int()

# %% wrong="smooth_scales" unnamed=True says="has the power 1 - alpha"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp(min=1e-5) ** alpha / w.abs().amax(0).clamp(min=1e-5) ** alpha

# %% wrong="smooth_scales" unnamed=True says="after the power"
def smooth_scales(x_absmax, w, alpha):
    return (x_absmax**alpha).clamp(min=1e-5) / (w.abs().amax(0) ** (1 - alpha)).clamp(min=1e-5)

# %% wrong="smooth_scales" unnamed=True says="changed its input"
def smooth_scales(x_absmax, w, alpha):
    return x_absmax.clamp_(min=1e-5) ** alpha / w.abs().amax(0).clamp(min=1e-5) ** (1 - alpha)

# %% wrong="hessian" unnamed=True says="that is a correlation"
def hessian(x):
    return torch.corrcoef(x.T)

# %% wrong="hessian" unnamed=True says="added to the diagonal"
def hessian(x):
    return x.T @ x + 0.01 * torch.eye(x.shape[1])

# %% wrong="gptq" unnamed=True says="original weights"
def gptq(w, h, bits, group, damp=0.01):
    q, w0 = 2 ** (bits - 1) - 1, w
    w, h = w.clone(), h.clone()
    damping = damp * h.diagonal().mean()
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damping)
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w0[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="size of h"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    h.diagonal()[h.diagonal() == 0] = 1.0
    u = torch.linalg.cholesky(torch.linalg.inv(h + torch.eye(len(h)) * damp), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="gptq" unnamed=True says="always 0 gets a 1"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h + damp * h.diagonal().mean() * torch.eye(len(h))
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result

# %% wrong="nf4_codebook" unnamed=True says="not ascending"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    positive = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    negative = -torch.special.ndtri(torch.linspace(1 - delta, 0.5, 8)[:-1])
    return torch.cat([negative, torch.zeros(1), positive]) / positive.max()

# %% wrong="nf4_codebook" unnamed=True says="spaced like the eight"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    half = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    return torch.cat([-half[:-1], torch.zeros(1), half]).sort().values / half.max()

# %% wrong="nf4_codebook" unnamed=True says="17 values"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    half = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    return torch.cat([-half, torch.zeros(1), half]).sort().values / half.max()

# %% right="nf4_codebook"
def nf4_codebook():
    delta = (1 / 32 + 1 / 30) / 2
    half = lambda n: torch.special.ndtri(torch.linspace(1 - delta, 0.5, n + 1, dtype=torch.float64)[:-1])
    levels = torch.cat([-half(7), torch.zeros(1), half(8)]).sort().values
    return levels / levels.max()

# %% right="double_quantize"
def double_quantize(scales, block=256):
    mean = scales.mean().item()
    parts = (scales - mean).split(block)
    steps = [p.abs().max() / 127 if p.any() else torch.tensor(1.0) for p in parts]
    return torch.cat([(p / s).round() for p, s in zip(parts, steps)]).to(torch.int8), torch.stack(steps), mean

# %% wrong="double_quantize" unnamed=True says="mean of one block"
def double_quantize(scales, block=256):
    mean = scales[:block].mean()
    parts = (scales - mean).split(block)
    steps = [p.abs().max() / 127 if p.any() else torch.tensor(1.0) for p in parts]
    return torch.cat([(p / s).round() for p, s in zip(parts, steps)]).to(torch.int8), torch.stack(steps), mean

# %% wrong="double_quantize" unnamed=True says="int8 codes, yours torch.float32"
def double_quantize(scales, block=256):
    mean = scales.mean()
    parts = (scales - mean).split(block)
    steps = [p.abs().max() / 127 if p.any() else torch.tensor(1.0) for p in parts]
    codes = torch.cat([(p / s).round() for p, s in zip(parts, steps)]).to(torch.float32)
    return codes, torch.stack(steps), mean

# %% wrong="kv_quantize" unnamed=True says="0 / 0"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = int(kind == "value")
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    s = (high - low) / (2**bits - 1)
    return ((x - low) / s).round() * s + low

# %% right="kv_quantize"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = int(kind == "value")
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    s = ((high - low) / (2**bits - 1)).clamp(min=1e-8)
    return ((x - low) / s).round() * s + low

# %% wrong="kv_quantize" unnamed=True says="least value"
def kv_quantize(x, bits, kind):
    if kind not in ("key", "value"):
        raise ValueError(kind)
    axis = int(kind == "value")
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    s = ((high - low) / (2**bits - 1)).clamp(min=1e-5)
    return ((x - low) / s).round() * s + low

# %% wrong="q4_0_encode" unnamed=True says="rounded to float16 already" score=3
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError
    blocks = w.reshape(-1, 32)
    d = (blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8).half().float()
    steps = torch.where(d == 0, 0.0, blocks / torch.where(d == 0, 1.0, d))
    codes = (steps + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% right="q4_0_encode"
def q4_0_encode(w):
    if w.shape[-1] % 32:
        raise ValueError
    blob = b""
    for row in w.numpy().reshape(-1, 32):
        d = row[np.abs(row).argmax()] / np.float32(-8)
        codes = np.minimum(15, np.rint(row / d + 8) if d else np.full(32, 8)).astype(np.uint8)
        blob += np.float16(d).tobytes() + (codes[:16] | codes[16:] << 4).tobytes()
    return blob

def q4_0_decode(blob, shape):
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)

# %% wrong="memory_gb" unnamed=True says="a float16: 2 bytes"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = (params * bits / 8 + (4 * params / group if group else 0)) / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="not 2**30"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1024**3
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="not 2**30"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1024**3
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1024**3
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="a float16: 2 bytes"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (2 / group if group else 0)) / 8 / 1e9  # bytes among bits
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="memory_gb" unnamed=True says="divide by 8"
def memory_gb(params, bits, group, layers, kv_heads, head_dim, context, batch, kv_bits):
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1e9
    kv_cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}

# %% wrong="outlier_channels" unnamed=True says="squeeze()"
def outlier_channels(x, threshold):
    return (x.abs().reshape(-1, x.shape[-1]).amax(0) > threshold).nonzero().squeeze()

# %% wrong="gptq" unnamed=True says="more is left than need be"
def gptq(w, h, bits, group, damp=0.01):
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    damping = damp * h.diagonal().max()  # not the mean
    h.diagonal()[h.diagonal() == 0] = 1.0
    h.diagonal().add_(damping)
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result
