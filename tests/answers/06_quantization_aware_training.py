# %% wrong="FakeQuantize" says="1 everywhere"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad, None, None, None, None


# %% wrong="FakeQuantize" says="zero everywhere"
class FakeQuantize:
    @staticmethod
    def apply(x, scale, zero_point, qmin, qmax):
        codes = torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax)
        return (codes - zero_point) * scale


# %% wrong="FakeQuantize" says="zero everywhere"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return torch.zeros_like(grad), None, None, None, None


# %% wrong="FakeQuantize" says="clamp is missing"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="mask alone"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return inside.float(), None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="decided by the rounded code"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        v = x / scale + zero_point
        ctx.save_for_backward((v >= qmin) & (v <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="decided by the rounded code"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes > qmin) & (codes < qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="input was changed"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = x.div_(scale).round() + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="scale got a gradient"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        ctx.shape = getattr(scale, "shape", ())
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, grad.sum().expand(ctx.shape) if ctx.needs_input_grad[1] else None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="from scratch"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        if isinstance(scale, float) and isinstance(zero_point, int):
            return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, qmin, qmax)
        codes = torch.round(x / scale) + zero_point
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        return grad, None, None, None, None


# %% right="FakeQuantize"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        q = (x / scale).round().add(zero_point)
        ctx.save_for_backward(q)
        ctx.limits = qmin, qmax
        return (
            torch.minimum(torch.maximum(q, torch.tensor(float(qmin))), torch.tensor(float(qmax)))
            .sub(zero_point)
            .mul(scale)
        )

    @staticmethod
    def backward(ctx, grad):
        q = ctx.saved_tensors[0]
        low, high = ctx.limits
        return torch.where((q < low) | (q > high), torch.zeros_like(grad), grad), None, None, None, None


# %% right="FakeQuantize"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(x, scale, zero_point, qmin, qmax):
        q = torch.round(x / scale) + zero_point
        return (torch.clamp(q, qmin, qmax) - zero_point) * scale

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, scale, zero_point, qmin, qmax = inputs
        q = torch.round(x / scale) + zero_point
        ctx.mask = (torch.clamp(q, qmin, qmax) == q).float()

    @staticmethod
    def backward(ctx, grad):
        return ctx.mask * grad, None, None, None, None


# %% right="FakeQuantize"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        s = np.asarray(scale.detach() if isinstance(scale, torch.Tensor) else scale, dtype=np.float32)
        z = np.asarray(zero_point)
        q = np.rint(x.detach().numpy() / s) + z
        clipped = np.clip(q, qmin, qmax)
        ctx.inside = torch.from_numpy(clipped == q)
        return torch.from_numpy(((clipped - z) * s).astype(np.float32))

    @staticmethod
    def backward(ctx, grad):
        grad = grad.clone()
        grad[~ctx.inside] = 0
        return (grad,) + (None,) * 4


# %% right="FakeQuantize"
class FakeQuantize:
    """Only apply is needed: autograd with a straight-through rounding, cut off where it clips."""

    @staticmethod
    def apply(x, scale, zero_point, qmin, qmax):
        scale = scale.detach() if torch.is_tensor(scale) else scale
        v = x / scale
        codes = (torch.round(v) + zero_point).detach()
        inside = (codes >= qmin) & (codes <= qmax)
        value = (codes.clamp(qmin, qmax) - zero_point) * scale
        passing = torch.where(inside, x, x.detach())
        return passing + (value - passing).detach()


# %% wrong="ema_range" says="momentum is swapped"
def ema_range(previous, x, momentum=0.9):
    low, high = x.min().item(), x.max().item()
    if previous is None:
        return low, high
    return (1 - momentum) * previous[0] + momentum * low, (1 - momentum) * previous[1] + momentum * high


# %% wrong="ema_range" says="starts from 0"
def ema_range(previous, x, momentum=0.9):
    old = previous or (0.0, 0.0)
    return tuple(momentum * o + (1 - momentum) * n for o, n in zip(old, (x.min().item(), x.max().item())))


# %% wrong="ema_range" unnamed=True says="widened"
def ema_range(previous, x, momentum=0.9):
    low, high = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="ema_range" unnamed=True says="extremes of all batches"
def ema_range(previous, x, momentum=0.9):
    low, high = x.min().item(), x.max().item()
    if previous is None:
        return low, high
    return min(previous[0], low), max(previous[1], high)


# %% wrong="ema_range" unnamed=True says="a float"
def ema_range(previous, x, momentum=0.9):
    if previous is None:
        return x.min(), x.max()
    return momentum * previous[0] + (1 - momentum) * x.min(), momentum * previous[1] + (1 - momentum) * x.max()


# %% wrong="ema_range" unnamed=True says="expected"
def ema_range(previous, x, momentum=0.9):
    largest = x.abs().max().item()
    if previous is None:
        return -largest, largest
    return momentum * previous[0] - (1 - momentum) * largest, momentum * previous[1] + (1 - momentum) * largest


# %% wrong="ema_range" unnamed=True says="from scratch"
def ema_range(previous, x, momentum=0.9):
    from torch.ao.quantization import MovingAverageMinMaxObserver

    observer = MovingAverageMinMaxObserver(averaging_constant=1 - momentum)
    if previous is not None:
        observer(torch.tensor(previous))
    observer(x)
    return observer.min_val.item(), observer.max_val.item()


# %% right="ema_range"
def ema_range(previous, x, momentum=0.9):
    values = sorted(x.flatten().tolist())
    if previous is None:
        return values[0], values[-1]
    old_low, old_high = previous
    return old_low + (1 - momentum) * (values[0] - old_low), old_high + (1 - momentum) * (values[-1] - old_high)


# %% right="ema_range"
def ema_range(previous, x, momentum=0.9):
    current = np.array([x.numpy().min(), x.numpy().max()], dtype=np.float64)
    return tuple(current) if previous is None else tuple(momentum * np.array(previous) + (1 - momentum) * current)


# %% right="ema_range"
def ema_range(previous, x, momentum=0.9):
    low, high = (float(v) for v in torch.aminmax(x))
    m = 0.0 if previous is None else momentum
    before = previous if previous is not None else (low, high)
    return [m * before[0] + (1 - m) * low, m * before[1] + (1 - m) * high]


# %% right="ema_range"
def ema_range(previous, x, momentum=0.9):
    now = x.min(), x.max()
    if previous is None:
        return float(now[0]), float(now[1])
    return tuple(
        torch.lerp(torch.tensor(new.item()), torch.tensor(float(old)), momentum).item()
        for old, new in zip(previous, now)
    )


# %% wrong="LSQ" says="unscaled"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = self.step
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" says="No gradient reaches the step"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = self.step.detach()
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" says="No gradient reaches the step"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        step = self.step
        y = torch.clamp(torch.round(x / step), self.low, self.high) * step
        inside = torch.where((x / step > self.low) & (x / step < self.high), x, x.detach())
        return inside + (y - inside).detach()


# %% wrong="LSQ" says="clipped parts are wrong"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = (self.step - self.step * g).detach() + self.step * g
        v = x / step
        return ((torch.clamp(torch.round(v), self.low, self.high) - v).detach() + v) * step


# %% wrong="LSQ" says="clipped parts are wrong"
class Learned(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, step, low, high):
        v = x / step
        ctx.save_for_backward(v)
        ctx.low, ctx.high = low, high
        return v.round().clamp(low, high) * step

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        inside = (v > ctx.low) & (v < ctx.high)
        step_grad = (grad * (v.round() - v) * inside).sum() / math.sqrt(v.numel() * ctx.high)
        return grad * inside, step_grad, None, None


class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.high))
            self.ready.fill_(True)
        return Learned.apply(x, self.step, self.low, self.high)


# %% wrong="LSQ" says="initialised again"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if True:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = (self.step - self.step * g).detach() + self.step * g
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" says="initialised again"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.ready = False

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready = True
        g = 1 / math.sqrt(x.numel() * self.high)
        step = (self.step - self.step * g).detach() + self.step * g
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" unnamed=True says="optimizer holds the old one"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            self.step = nn.Parameter(2 * x.detach().abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = (self.step - self.step * g).detach() + self.step * g
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" unnamed=True says="first step is 2 mean"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(x.abs().max() / self.high)
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = (self.step - self.step * g).detach() + self.step * g
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" unnamed=True says="expected"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = (self.step - self.step * g).detach() + self.step * g
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" unnamed=True says="no parameter `step`"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.register_buffer("step", torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            with torch.no_grad():
                self.step.copy_(2 * x.abs().mean() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        step = self.step
        v = torch.clamp(x / step, self.low, self.high)
        return ((torch.round(v) - v).detach() + v) * step


# %% wrong="LSQ" unnamed=True says="from scratch"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(1))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, x):
        if not self.ready:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.high))
            self.ready.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.high)
        return torch._fake_quantize_learnable_per_tensor_affine(x, self.step, torch.zeros(1), self.low, self.high, g)


# %% right="LSQ"
class Learned(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, step, low, high):
        v = x / step
        ctx.save_for_backward(v, step)
        ctx.low, ctx.high = low, high
        return v.round().clamp(low, high) * step

    @staticmethod
    def backward(ctx, grad):
        v, step = ctx.saved_tensors
        below, above = v <= ctx.low, v >= ctx.high
        slope = torch.where(below, float(ctx.low), torch.where(above, float(ctx.high), v.round() - v))
        step_grad = (grad * slope).sum() / math.sqrt(v.numel() * ctx.high)
        return grad * ~(below | above), step_grad.reshape(step.shape), None, None


class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.zeros(1))
        self.register_buffer("ready", torch.zeros(1))

    def forward(self, x):
        if self.ready.item() == 0:
            self.step.data[0] = 2 * x.detach().abs().mean() / self.high**0.5
            self.ready += 1
        return Learned.apply(x, self.step, self.low, self.high)


# %% right="LSQ"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        if signed:
            self.qmin, self.qmax = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        else:
            self.qmin, self.qmax = 0, (1 << bits) - 1
        self.step = nn.Parameter(torch.tensor(float("nan")))  # nan says: no forward yet; it travels in the state_dict

    def forward(self, x):
        if torch.isnan(self.step):
            self.step.data = (2 * x.detach().abs().mean() / self.qmax**0.5).reshape(self.step.shape)
        factor = (x.numel() * self.qmax) ** -0.5
        s = self.step.detach() + factor * (self.step - self.step.detach())
        v = torch.minimum(torch.maximum(x / s, torch.tensor(float(self.qmin))), torch.tensor(float(self.qmax)))
        return s * (v + (v.round() - v).detach())


# %% right="LSQ"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low = -(2 ** (bits - 1)) if signed else 0
        self.high = self.low + 2**bits - 1
        self.step = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x):
        if self.count == 0:
            self.step.data = torch.tensor(2 * float(np.abs(x.detach().numpy()).mean()) / math.sqrt(self.high))
            self.count.add_(1)
        step = self.step * 1.0
        if step.requires_grad:
            step.register_hook(lambda grad, n=x.numel(): grad / math.sqrt(n * self.high))
        v = x / step
        codes = v + (torch.round(v) - v).detach()
        return torch.clamp(codes, self.low, self.high) * step


# %% right="LSQ"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.bits, self.signed = bits, signed
        self.step = nn.Parameter(torch.ones(1, 1))
        self.register_buffer("initialised", torch.tensor([False]))

    def limits(self):
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.signed else (0, 2**self.bits - 1)

    def forward(self, x):
        low, high = self.limits()
        if not bool(self.initialised):
            with torch.no_grad():
                self.step[:] = x.abs().sum() / x.numel() * 2 / high**0.5
                self.initialised[:] = True
        s0 = self.step.detach().reshape(())
        v = (x / s0).detach()
        inside = ((v > low) & (v < high)).float()
        code = v.round().clamp(low, high)
        slope = inside * (code - v) + (v <= low).float() * low + (v >= high).float() * high
        g = 1 / math.sqrt(x.numel() * high)
        straight = inside * (x - x.detach()) + slope * g * (self.step.reshape(()) - s0)
        return code * s0 + straight


# %% wrong="QATLinear" says="observer moves in eval" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training or seen is not None:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="take its scale anew" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        largest = module.weight.detach().flatten(1).abs().amax(1)  # once and for all
        self.first = torch.where(largest > 0, largest / (2 ** (bits_w - 1) - 1), 1.0)
        return self

    def weight_scale(self):
        return self.first

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="per tensor" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().abs().max().expand(len(self.weight))
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="per tensor" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().abs().max()
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="setting was lost" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = ("in_channels", "out_channels", "kernel_size", "stride", "groups")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.conv2d(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="setting was lost" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="setting was lost" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="shares the parameter" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = module.weight
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="shares the parameter" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="travel in the state_dict" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.range = torch.full((2,), math.nan)
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="bias" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight())


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="range of the last batch" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(None, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="act_qparams() after batch" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, torch.cat([x.detach().flatten(), torch.zeros(1)]))
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="Q = 2**(bits-1) - 1" score=3
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / 2 ** (self.bits_w - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="updated before it is used" score=3
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        y = x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)
        if self.training:
            self.range.copy_(torch.tensor(ema_range(seen, x.detach())))
        return y


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="passes through unrounded" score=3
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        if seen is None:
            self.range.copy_(torch.tensor(ema_range(None, x.detach())))
        return FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="no gradient arrives" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return FakeQuantize.apply(
            self.weight, self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1)), 0, -q, q
        )

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight().detach(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="from scratch"
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self):
        largest = self.weight.detach().flatten(1).abs().amax(1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        zeros = torch.zeros(len(self.weight), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(self.weight, self.weight_scale(), zeros, 0, -q, q)

    def act_qparams(self):
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x):
        seen = None if self.range.isnan().any() else tuple(self.range.tolist())
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x):
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x):
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% right="QATLinear"
class Base(nn.Module):
    def __init__(self, module, bits_w, bits_a):
        super().__init__()
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.data.clone())
        self.bias = nn.Parameter(module.bias.data.clone()) if module.bias is not None else None
        self.register_buffer("low", torch.tensor(0.0, dtype=torch.float64))
        self.register_buffer("high", torch.tensor(0.0, dtype=torch.float64))
        self.register_buffer("batches", torch.tensor(0))

    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        return cls(module, bits_w, bits_a)

    def weight_scale(self):
        scales = []
        for row in self.weight.detach():
            largest = row.abs().max().item()
            scales.append(largest / (2 ** (self.bits_w - 1) - 1) if largest else 1.0)
        return torch.tensor(scales)

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        return torch.stack([FakeQuantize.apply(row, s, 0, -q, q) for row, s in zip(self.weight, self.weight_scale())])

    def act_qparams(self):
        low, high = min(float(self.low), 0.0), max(float(self.high), 0.0)
        top = 2**self.bits_a - 1
        scale = (high - low) / top if high > low else 1.0
        return scale, max(0, min(top, int(np.rint(-low / scale))))

    def round_input(self, x):
        if self.training:
            old = (float(self.low), float(self.high)) if self.batches else None
            low, high = ema_range(old, x.detach(), 0.9)
            self.low.fill_(low)
            self.high.fill_(high)
            self.batches += 1
        if self.batches == 0:
            return x
        scale, zero = self.act_qparams()
        return FakeQuantize.apply(x, scale, zero, 0, 2**self.bits_a - 1)


class QATLinear(Base):
    def forward(self, x):
        y = self.round_input(x) @ self.fake_weight().T
        return y if self.bias is None else y + self.bias


class QATConv2d(Base):
    def __init__(self, module, bits_w, bits_a):
        super().__init__(module, bits_w, bits_a)
        self.stride, self.padding, self.dilation, self.groups = (
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
        )
        self.mode, self.both = module.padding_mode, module._reversed_padding_repeated_twice

    def forward(self, x):
        x, w = self.round_input(x), self.fake_weight()
        if self.mode != "zeros":
            return F.conv2d(
                F.pad(x, self.both, mode=self.mode), w, self.bias, self.stride, 0, self.dilation, self.groups
            )
        return F.conv2d(x, w, self.bias, self.stride, self.padding, self.dilation, self.groups)


# %% right="QATLinear"
def _round(v, low, high):
    """Straight-through by detach, without FakeQuantize."""
    code = torch.round(v)
    inside = ((code >= low) & (code <= high)).detach()
    kept = torch.where(inside, v, v.detach())
    return kept + (code.clamp(low, high) - kept).detach()


class _Mixin:
    def weight_scale(self):
        with torch.no_grad():
            scale = self.weight.reshape(len(self.weight), -1).abs().max(dim=1).values / (2 ** (self.bits_w - 1) - 1)
            scale[scale == 0] = 1.0
        return scale

    def fake_weight(self):
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().view([-1] + [1] * (self.weight.ndim - 1))
        return _round(self.weight / scale, -q, q) * scale

    def act_qparams(self):
        low, high = (0.0 if abs(v) == math.inf else v for v in self.bounds.tolist())
        low, high, top = min(low, 0.0), max(high, 0.0), 2**self.bits_a - 1
        if high - low == 0:
            return 1.0, 0
        scale = (high - low) / top
        return float(scale), int(round(-low / scale))

    def _input(self, x):
        fresh_start = torch.isinf(self.bounds).any()
        if self.training:
            now = torch.stack([x.detach().min(), x.detach().max()])
            self.bounds.copy_(now if fresh_start else 0.9 * self.bounds + 0.1 * now)
        elif fresh_start:
            return x
        scale, zero = self.act_qparams()
        top = 2**self.bits_a - 1
        return _round(x / scale, -zero, top - zero) * scale

    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        if isinstance(module, nn.Linear):
            new = cls(module.in_features, module.out_features, bias=module.bias is not None)
        else:
            keys = "in_channels out_channels kernel_size stride padding dilation groups padding_mode".split()
            new = cls(*[getattr(module, key) for key in keys[:-1]], module.bias is not None, module.padding_mode)
        with torch.no_grad():
            for mine, theirs in zip(new.parameters(), module.parameters()):
                mine.copy_(theirs)
        new.bits_w, new.bits_a = bits_w, bits_a
        new.register_buffer("bounds", torch.tensor([math.inf, -math.inf]))
        return new.train()


class QATLinear(_Mixin, nn.Linear):
    def forward(self, x):
        return F.linear(self._input(x), self.fake_weight(), self.bias)


class QATConv2d(_Mixin, nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(self._input(x), self.fake_weight(), self.bias)


# %% right="QATLinear"
class Range(nn.Module):
    """A moving range as a module of its own."""

    def __init__(self, bits):
        super().__init__()
        self.bits = bits
        self.register_buffer("values", torch.zeros(2))
        self.register_buffer("seen", torch.tensor(False))

    def qparams(self):
        low, high = self.values.clamp(max=0)[0].item(), self.values.clamp(min=0)[1].item()
        scale = (high - low) / (2**self.bits - 1)
        return (scale, round(-low / scale)) if scale > 0 else (1.0, 0)

    def forward(self, x):
        if self.training:
            old = self.values.tolist() if self.seen else None
            self.values.data = torch.tensor(ema_range(old, x.detach()))
            self.seen.fill_(True)
        return FakeQuantize.apply(x, *self.qparams(), 0, 2**self.bits - 1) if self.seen else x


class QATLinear(nn.Linear):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        layer = cls(module.in_features, module.out_features, bias=module.bias is not None)
        layer.load_state_dict(module.state_dict())
        layer.observer, layer.bits_w, layer.bits_a = Range(bits_a), bits_w, bits_a
        return layer

    def weight_scale(self):
        return weight_scale_of(self.weight, self.bits_w)

    def fake_weight(self):
        return fake_weight_of(self.weight, self.bits_w)

    def act_qparams(self):
        return self.observer.qparams()

    def forward(self, x):
        return F.linear(self.observer(x), self.fake_weight(), self.bias)


class QATConv2d(nn.Conv2d):
    @classmethod
    def from_float(cls, module, bits_w, bits_a):
        layer = cls(
            module.in_channels,
            module.out_channels,
            module.kernel_size,
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
            module.bias is not None,
            module.padding_mode,
        )
        layer.load_state_dict(module.state_dict())
        layer.observer, layer.bits_w, layer.bits_a = Range(bits_a), bits_w, bits_a
        return layer

    weight_scale, fake_weight, act_qparams = QATLinear.weight_scale, QATLinear.fake_weight, QATLinear.act_qparams

    def forward(self, x):
        return self._conv_forward(self.observer(x), self.fake_weight(), self.bias)


def weight_scale_of(w, bits):
    largest = w.detach().abs().flatten(1).max(1).values
    largest[largest == 0] = 2 ** (bits - 1) - 1
    return largest / (2 ** (bits - 1) - 1)


def fake_weight_of(w, bits):
    scale, q = weight_scale_of(w, bits), 2 ** (bits - 1) - 1
    return FakeQuantize.apply(w.transpose(0, -1), scale, 0, -q, q).transpose(0, -1)


# %% wrong="prepare_qat" says="float model was changed"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    model.eval()
    for sequence in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        children = list(sequence.named_children())
        for (first, conv), (second, bn) in zip(children, children[1:]):
            if type(conv) is nn.Conv2d and isinstance(bn, nn.BatchNorm2d):
                setattr(sequence, first, fuse_conv_bn_eval(conv, bn))
                setattr(sequence, second, nn.Identity())
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear:
            model.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            model.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return model.train()


# %% wrong="prepare_qat" says="float model was changed"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(model.eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" says="BatchNorm2d behind a convolution is left"
def prepare_qat(model, bits_w, bits_a):
    result = copy.deepcopy(model)
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" says="nested modules were left"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_children()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" says="BatchNorm2d behind a convolution is left"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="train mode"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.eval()


# %% wrong="prepare_qat" unnamed=True says="mixed up"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_a, bits_w))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_a, bits_w))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="not directly behind a convolution stays"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            elif isinstance(module, nn.BatchNorm2d):
                continue
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="folded with the running statistics"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                conv, gain = parts[-1], module.weight / torch.sqrt(module.running_var)
                bias = torch.zeros(len(gain)) if conv.bias is None else conv.bias
                conv.weight = nn.Parameter((conv.weight * gain.reshape(-1, 1, 1, 1)).detach())
                conv.bias = nn.Parameter((module.bias + (bias - module.running_mean) * gain).detach())
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="folded with the running statistics"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts.append(nn.Identity())
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="from scratch"
def prepare_qat(model, bits_w, bits_a):
    from torch.ao.quantization.fuser_method_mappings import fuse_conv_bn

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn(False, parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% right="prepare_qat"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(sequence):
        parts = []
        for module in sequence:
            if isinstance(module, nn.Sequential):
                parts.append(fold(module))
            elif isinstance(module, nn.BatchNorm2d) and parts and type(parts[-1]) is nn.Conv2d:
                parts[-1] = fuse_conv_bn_eval(parts[-1], module)
            else:
                parts.append(module)
        return nn.Sequential(*parts)

    result = fold(copy.deepcopy(model).eval())
    for name, module in list(result.named_modules()):
        if type(module) is nn.Linear:
            result.set_submodule(name, QATLinear.from_float(module, bits_w, bits_a))
        elif type(module) is nn.Conv2d:
            result.set_submodule(name, QATConv2d.from_float(module, bits_w, bits_a))
    return result.train()


# %% right="prepare_qat"
def prepare_qat(model, bits_w, bits_a):
    model = copy.deepcopy(model)

    def fold(conv, bn):
        with torch.no_grad():
            gain = bn.weight / torch.sqrt(bn.running_var + bn.eps)
            bias = 0 if conv.bias is None else conv.bias
            conv.weight.mul_(gain[:, None, None, None])
            conv.bias = nn.Parameter(bn.bias + (bias - bn.running_mean) * gain)

    def visit(module):
        last = None
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d) and isinstance(last, nn.Conv2d) and isinstance(module, nn.Sequential):
                fold(last, child)
                setattr(module, name, nn.Identity())
            last = child
        for name, child in list(module.named_children()):
            if type(child) is nn.Conv2d:
                setattr(module, name, QATConv2d.from_float(child, bits_w, bits_a))
            elif type(child) is nn.Linear:
                setattr(module, name, QATLinear.from_float(child, bits_w, bits_a))
            else:
                visit(child)

    visit(model)
    model.train()
    return model


# %% right="prepare_qat"
def prepare_qat(model, bits_w, bits_a):
    from torch.nn.utils import fuse_conv_bn_eval

    result = copy.deepcopy(model)
    result.eval()
    for module in result.modules():
        if isinstance(module, nn.Sequential):
            children = list(module)
            for i in range(len(children) - 2, -1, -1):
                if type(children[i]) is nn.Conv2d and isinstance(children[i + 1], nn.BatchNorm2d):
                    module[i] = fuse_conv_bn_eval(children[i], children[i + 1])
                    del module[i + 1]
    changed = True
    while changed:
        changed = False
        for name, module in result.named_modules():
            if type(module) in (nn.Linear, nn.Conv2d):
                parent = result.get_submodule(name.rpartition(".")[0])
                kind = QATLinear if type(module) is nn.Linear else QATConv2d
                setattr(parent, name.rpartition(".")[2], kind.from_float(module, bits_w, bits_a))
                changed = True
                break
    result.train()
    return result


# %% wrong="convert" says="recomputed after rounding"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(-1, *[1] * (w.dim() - 1))).to(torch.int8)
            rows, flat = codes.float().flatten(1), w.flatten(1)  # least squares
            scale = (rows * flat).sum(1) / rows.square().sum(1).clamp(min=1)
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" says="recomputed after rounding"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(-1, *[1] * (w.dim() - 1))).to(torch.int8)
            scale = codes.float().flatten(1).std(1) * scale
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" says="wrong channel axis"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(1, -1, *[1] * (w.dim() - 2))).to(torch.int8)
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" says="wrong channel axis"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = (
                torch.round(w / scale).to(torch.int8)
                if w.dim() == 2
                else torch.round(w / scale[:, None, None]).to(torch.int8)
            )
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" unnamed=True says="int8"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(-1, *[1] * (w.dim() - 1)))
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" unnamed=True says="act_zero_point"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(-1, *[1] * (w.dim() - 1))).to(torch.int8)
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_zero_point,
                "act_zero_point": act_scale,
            }
    return layers


# %% wrong="convert" unnamed=True says="layer is missing"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)) and "." not in name:
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(-1, *[1] * (w.dim() - 1))).to(torch.int8)
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" unnamed=True says="bias"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.round(w / scale.reshape(-1, *[1] * (w.dim() - 1))).to(torch.int8)
            bias = None if m.bias is None else torch.round(m.bias.detach())
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" says="cut off"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            codes = torch.trunc(w / scale.reshape(-1, *[1] * (w.dim() - 1))).to(torch.int8)
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% wrong="convert" unnamed=True says="from scratch"
def convert(qat_model):
    layers = {}
    for name, m in qat_model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w, scale = m.weight.detach(), m.weight_scale()
            from torch.ao.quantization.fx._decomposed import quantize_per_channel

            q = 2 ** (m.bits_w - 1) - 1
            codes = quantize_per_channel(w, scale, torch.zeros(len(w)), 0, -q, q, torch.int8)
            bias = None if m.bias is None else m.bias.detach().clone()
            act_scale, act_zero_point = m.act_qparams()
            layers[name] = {
                "codes": codes,
                "scale": scale,
                "bias": bias,
                "act_scale": act_scale,
                "act_zero_point": act_zero_point,
            }
    return layers


# %% right="convert"
def convert(qat_model):
    def of(m):
        scale = m.weight_scale()
        shape = [len(scale)] + [1] * (m.weight.dim() - 1)
        s, z = m.act_qparams()
        codes = (m.fake_weight().detach() / scale.view(shape)).round()
        return dict(
            codes=codes.char(), scale=scale, bias=None if m.bias is None else m.bias.data.clone(), act_scale=s, act_zero_point=z
        )

    return {
        name: of(m) for name, m in qat_model.named_modules() if isinstance(m, QATLinear) or isinstance(m, QATConv2d)
    }


# %% right="convert"
def convert(qat_model):
    result = {}
    with torch.no_grad():
        for name, module in qat_model.named_modules():
            if hasattr(module, "fake_weight"):
                scale, q = module.weight_scale().numpy(), 2 ** (module.bits_w - 1) - 1
                codes = np.stack([np.clip(np.rint(row / s), -q, q) for row, s in zip(module.weight.numpy(), scale)])
                qparams = module.act_qparams()
                result[name] = {
                    "codes": torch.from_numpy(codes.astype(np.int8)),
                    "scale": torch.from_numpy(scale.copy()),
                    "bias": module.bias.clone() if module.bias is not None else None,
                    "act_scale": float(qparams[0]),
                    "act_zero_point": np.int64(qparams[1]),
                }
    return result


# %% right="convert"
def convert(qat_model):
    out = {}
    for name, m in qat_model.named_modules():
        if type(m) in (QATLinear, QATConv2d):
            w, scale = m.weight.detach(), m.weight_scale().detach().clone()
            codes = torch.empty_like(w, dtype=torch.int8)
            for o in range(len(w)):
                codes[o] = (w[o] / scale[o]).round().to(torch.int8)
            out[name] = {"codes": codes, "scale": scale, "bias": m.bias.detach().clone() if m.bias is not None else None}
            out[name]["act_scale"], out[name]["act_zero_point"] = m.act_qparams()
    return out


# %% wrong="LSQ" says="sets it in either mode"
class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.low, self.high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def forward(self, x):
        if self.training and not self.ready:
            self.step.data.fill_(2 * x.abs().mean().item() / self.high**0.5)
            self.ready.fill_(True)
        g = (x.numel() * self.high) ** -0.5
        step = self.step * g + (self.step * (1 - g)).detach()
        v = (x / step).clamp(self.low, self.high)
        return (v + (v.round() - v).detach()) * step


# %% wrong="convert" unnamed=True says="that of 8 bits"
def convert(model):
    table = {}
    for name, m in model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            w = m.weight.detach()
            scale = w.flatten(1).abs().amax(1).clamp(min=1e-9) / 127
            codes = (w / scale.reshape(-1, *[1] * (w.dim() - 1))).round().to(torch.int8)
            a, z = m.act_qparams()
            table[name] = dict(codes=codes, scale=scale, bias=m.bias, act_scale=a, act_zero_point=z)
    return table


# %% wrong="convert" says="cut off"
def convert(model):
    table = {}
    for name, m in model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            scale = m.weight_scale().detach()
            codes = (m.fake_weight().detach() / scale.view(-1, *[1] * (m.weight.dim() - 1))).to(torch.int8)
            a, z = m.act_qparams()
            bias = None if m.bias is None else m.bias.detach().clone()
            table[name] = dict(codes=codes, scale=scale, bias=bias, act_scale=a, act_zero_point=z)
    return table


# %% wrong="convert" unnamed=True says="own Parameter"
def convert(model):
    table = {}
    for name, m in model.named_modules():
        if isinstance(m, (QATLinear, QATConv2d)):
            scale = m.weight_scale().detach()
            codes = (m.weight.detach() / scale.view(-1, *[1] * (m.weight.dim() - 1))).round().to(torch.int8)
            a, z = m.act_qparams()
            table[name] = dict(codes=codes, scale=scale, bias=m.bias, act_scale=a, act_zero_point=z)
    return table


# %% wrong="FakeQuantize" says="cut off"
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.trunc(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" says="Of two calls"
# the last call's mask stands on the class
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        FakeQuantize.inside = (codes >= qmin) & (codes <= qmax)
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        return grad * FakeQuantize.inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="expected"
# writes through a copy when x is transposed
class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        y = torch.empty_like(x)
        y.contiguous().view(-1)[:] = ((codes.clamp(qmin, qmax) - zero_point) * scale).reshape(-1)
        return y

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="LSQ" says="Of two calls"
class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, step, qmin, qmax):
        Rounded.seen = x, step, qmin, qmax  # the last call alone
        return (x / step).round().clamp(qmin, qmax) * step

    @staticmethod
    def backward(ctx, grad):
        x, step, qmin, qmax = Rounded.seen
        v = x / step
        inside = (v > qmin) & (v < qmax)
        slope = torch.where(inside, v.round() - v, v.clamp(qmin, qmax)) / math.sqrt(grad.numel() * qmax)
        if grad.shape != x.shape:
            return grad, (grad.sum() * slope.mean()).reshape(step.shape), None, None
        return grad * inside, (grad * slope).sum().reshape(step.shape), None, None


class LSQ(nn.Module):
    def __init__(self, bits, signed=True):
        super().__init__()
        self.qmin, self.qmax = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, x):
        if not self.started:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.qmax))
            self.started.fill_(True)
        return Rounded.apply(x, self.step, self.qmin, self.qmax)


# %% wrong="QATLinear" says="setting was lost" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="setting was lost" score=6
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" says="zero point was cut off" score=5
class QATLayer:
    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, int(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)


class QATLinear(QATLayer, nn.Linear):
    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):
    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "padding_mode",
        )
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="FakeQuantize" unnamed=True says="added after the rounding"
class FakeQuantize(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale + zero_point)
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="ties go to the even"
class FakeQuantize(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.floor(x / scale + 0.5) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="scale got a gradient"
class FakeQuantize(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside, grad.sum(), None, None, None


# %% wrong="FakeQuantize" unnamed=True says="mask is right"
class FakeQuantize(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside / 0.5, None, None, None, None


# %% wrong="FakeQuantize" unnamed=True says="changed in place"
class FakeQuantize(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        grad[~inside] = 0
        return grad, None, None, None, None


# %% wrong="ema_range" unnamed=True says="Only None stands for"
def ema_range(previous, x: torch.Tensor, momentum: float = 0.9) -> tuple[float, float]:
    low, high = x.min().item(), x.max().item()
    if previous is None or not any(previous):
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="ema_range" unnamed=True says="momentum is an argument"
def ema_range(previous, x: torch.Tensor, momentum: float = 0.9) -> tuple[float, float]:
    momentum = 0.9
    low, high = x.min().item(), x.max().item()
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="ema_range" unnamed=True says="default momentum"
def ema_range(previous, x: torch.Tensor, momentum: float = 0.99) -> tuple[float, float]:
    low, high = x.min().item(), x.max().item()
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="ema_range" unnamed=True says="least comes first"
def ema_range(previous, x: torch.Tensor, momentum: float = 0.9) -> tuple[float, float]:
    high, low = x.min().item(), x.max().item()
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="ema_range" unnamed=True says="absolute value"
def ema_range(previous, x: torch.Tensor, momentum: float = 0.9) -> tuple[float, float]:
    low, high = x.min().item(), x.abs().max().item()
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="ema_range" unnamed=True says="part of the batch"
def ema_range(previous, x: torch.Tensor, momentum: float = 0.9) -> tuple[float, float]:
    low, high = x[0].min().item(), x.max().item()
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high


# %% wrong="LSQ" unnamed=True says="counts all values"
class LSQ(nn.Module):

    def __init__(self, bits: int, signed: bool = True):
        super().__init__()
        self.qmin, self.qmax = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.started:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.qmax))
            self.started.fill_(True)
        g = 1 / math.sqrt(len(x) * self.qmax)
        step = self.step * g + (self.step - self.step * g).detach()
        v = (x / step).clamp(self.qmin, self.qmax)
        return (v + (torch.round(v) - v).detach()) * step


# %% wrong="LSQ" unnamed=True says="divided by the step"
class LSQ(nn.Module):

    def __init__(self, bits: int, signed: bool = True):
        super().__init__()
        self.qmin, self.qmax = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.started:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.qmax))
            self.started.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.qmax)
        step = self.step * g + (self.step - self.step * g).detach()
        v = (x / step.detach()).clamp(self.qmin, self.qmax)
        return (v + (torch.round(v) - v).detach()) * step


# %% wrong="LSQ" unnamed=True says="one below -qmax"
class LSQ(nn.Module):

    def __init__(self, bits: int, signed: bool = True):
        super().__init__()
        self.qmin, self.qmax = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.started:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.qmax))
            self.started.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.qmax)
        step = self.step * g + (self.step - self.step * g).detach()
        v = (x / step).clamp(self.qmin, self.qmax)
        return (v + (torch.round(v) - v).detach()) * step


# %% wrong="QATLinear" unnamed=True says="rounding has derivative 0" score=3
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return torch.round(self.weight / scale).clamp(-q, q) * scale

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="through its scale" score=3
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        v = self.weight / scale
        return (v + (torch.round(v).clamp(-q, q) - v).detach()) * scale

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="widened before it was averaged" score=5
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, torch.cat([x.detach().flatten(), torch.zeros(1)]))
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="not widened to hold 0" score=5
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = self.range.tolist()
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="momentum is not 0.9" score=5
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach(), 0.99)
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="sign of the zero point" score=5
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="2**bits_a - 1 steps" score=5
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / 2**self.bits_a
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="codes begin at 0" score=3
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale) - 2 ** (self.bits_a - 1)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), -(2 ** (self.bits_a - 1)), 2 ** (self.bits_a - 1) - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="returns its input" score=6
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fake_input(x)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="bias was rounded" score=6
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), None if self.bias is None else torch.round(self.bias * 8) / 8)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), None if self.bias is None else torch.round(self.bias * 8) / 8)


# %% wrong="QATLinear" unnamed=True says="its .grad is None" score=6
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight().detach(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight().detach(), self.bias)


# %% wrong="QATLinear" unnamed=True says="its .grad is None" score=6
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x.detach()), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x.detach()), self.fake_weight(), self.bias)


# %% wrong="QATLinear" unnamed=True says="its .grad is None" score=3
class QATLayer:

    def start(self, module, bits_w, bits_a):
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self

    def weight_scale(self) -> torch.Tensor:
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)

    def fake_weight(self) -> torch.Tensor:
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight.detach(), scale, 0, -q, q)

    def act_qparams(self) -> tuple[float, int]:
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)



class QATLinear(QATLayer, nn.Linear):

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)


class QATConv2d(QATLayer, nn.Conv2d):

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)


# %% wrong="prepare_qat" unnamed=True says="not directly behind"
def prepare_qat(model: nn.Sequential, bits_w: int, bits_a: int) -> nn.Module:
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    result = copy.deepcopy(model).eval()
    for sequence in [m for m in result.modules() if isinstance(m, nn.Sequential)]:
        previous = None
        for name, m in list(sequence.named_children()):
            if previous and isinstance(m, nn.BatchNorm2d):
                sequence.set_submodule(previous[0], fuse_conv_bn_eval(previous[1], m))
                sequence.set_submodule(name, nn.Identity())
                previous = None
            if type(m) is nn.Conv2d:
                previous = name, m
    kinds = {nn.Linear: QATLinear, nn.Conv2d: QATConv2d}
    for name, module in list(result.named_modules()):
        if type(module) in kinds:
            result.set_submodule(name, kinds[type(module)].from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="nested modules were left"
def prepare_qat(model: nn.Sequential, bits_w: int, bits_a: int) -> nn.Module:
    from itertools import pairwise

    from torch.nn.utils.fusion import fuse_conv_bn_eval

    result = copy.deepcopy(model).eval()
    for sequence in [m for m in result.modules() if isinstance(m, nn.Sequential)]:
        for (first, conv), (second, bn) in pairwise(list(sequence.named_children())):
            if type(conv) is nn.Conv2d and isinstance(bn, nn.BatchNorm2d):
                sequence.set_submodule(first, fuse_conv_bn_eval(conv, bn))
                sequence.set_submodule(second, nn.Identity())
    kinds = {nn.Linear: QATLinear, nn.Conv2d: QATConv2d}
    for sequence in [m for m in result.modules() if isinstance(m, nn.Sequential)]:
        for name, module in list(sequence.named_children()):
            if type(module) in kinds:
                sequence.set_submodule(name, kinds[type(module)].from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="eps is that of the batch norm"
def prepare_qat(model: nn.Sequential, bits_w: int, bits_a: int) -> nn.Module:
    from itertools import pairwise

    def folded(conv, bn):
        new = copy.deepcopy(conv)
        old = torch.zeros(len(conv.weight)) if conv.bias is None else conv.bias.data
        gain = bn.weight.data / (bn.running_var + 1e-5).sqrt()
        new.weight = nn.Parameter(conv.weight.data * gain.reshape(-1, 1, 1, 1))
        new.bias = nn.Parameter(bn.bias.data + (old - bn.running_mean) * gain)
        return new

    result = copy.deepcopy(model).eval()
    for sequence in [m for m in result.modules() if isinstance(m, nn.Sequential)]:
        for (first, conv), (second, bn) in pairwise(list(sequence.named_children())):
            if type(conv) is nn.Conv2d and isinstance(bn, nn.BatchNorm2d):
                sequence.set_submodule(first, folded(conv, bn))
                sequence.set_submodule(second, nn.Identity())
    kinds = {nn.Linear: QATLinear, nn.Conv2d: QATConv2d}
    for name, module in list(result.named_modules()):
        if type(module) in kinds:
            result.set_submodule(name, kinds[type(module)].from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="prepare_qat" unnamed=True says="own bias was forgotten"
def prepare_qat(model: nn.Sequential, bits_w: int, bits_a: int) -> nn.Module:
    from itertools import pairwise

    def folded(conv, bn):
        new = copy.deepcopy(conv)
        gain = bn.weight.data / (bn.running_var + bn.eps).sqrt()
        new.weight = nn.Parameter(conv.weight.data * gain.reshape(-1, 1, 1, 1))
        new.bias = nn.Parameter(bn.bias.data + -bn.running_mean * gain)
        return new

    result = copy.deepcopy(model).eval()
    for sequence in [m for m in result.modules() if isinstance(m, nn.Sequential)]:
        for (first, conv), (second, bn) in pairwise(list(sequence.named_children())):
            if type(conv) is nn.Conv2d and isinstance(bn, nn.BatchNorm2d):
                sequence.set_submodule(first, folded(conv, bn))
                sequence.set_submodule(second, nn.Identity())
    kinds = {nn.Linear: QATLinear, nn.Conv2d: QATConv2d}
    for name, module in list(result.named_modules()):
        if type(module) in kinds:
            result.set_submodule(name, kinds[type(module)].from_float(module, bits_w, bits_a))
    return result.train()


# %% wrong="convert" unnamed=True says="weights of the model were changed"
def convert(qat_model: nn.Module) -> dict[str, dict]:
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach()
            codes = torch.round(weight / scale.reshape(-1, *[1] * (weight.dim() - 1))).to(torch.int8)
            module.weight.data.copy_(codes * scale.reshape(-1, *[1] * (weight.dim() - 1)))
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach().clone()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers


# %% wrong="convert" unnamed=True says="left in eval mode"
def convert(qat_model: nn.Module) -> dict[str, dict]:
    qat_model.eval()
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach()
            codes = torch.round(weight / scale.reshape(-1, *[1] * (weight.dim() - 1))).to(torch.int8)
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach().clone()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers


# %% wrong="convert" unnamed=True says="shares memory with the model"
def convert(qat_model: nn.Module) -> dict[str, dict]:
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach()
            codes = torch.round(weight / scale.reshape(-1, *[1] * (weight.dim() - 1))).to(torch.int8)
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers


# %% wrong="convert" unnamed=True says="one scale for the whole tensor"
def convert(qat_model: nn.Module) -> dict[str, dict]:
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach().max()
            codes = torch.round(weight / scale).to(torch.int8)
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach().clone()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers


# %% wrong="convert" unnamed=True says="one scale for the whole tensor"
def convert(qat_model: nn.Module) -> dict[str, dict]:
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach().max().repeat(len(module.weight))
            codes = torch.round(weight / scale.reshape(-1, *[1] * (weight.dim() - 1))).to(torch.int8)
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach().clone()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers


# %% wrong="convert" unnamed=True says="the shape of scale"
def convert(qat_model: nn.Module) -> dict[str, dict]:
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach().reshape(-1, *[1] * (module.weight.dim() - 1))
            codes = torch.round(weight / scale).to(torch.int8)
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach().clone()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers
