# lesson 01: right work in unusual clothes; exercises not named here are right answers

# %%
data = torch.randn(3)  # a name that the tests use, too
record = [1]
torch.set_default_dtype(torch.float64)

# %%
GROUP = 64

# %%
%%time
def to_float(q, s):
    return dequantize(q, s, 0)

# %% exercise="quantize"
import time
def timed(f):
    def wrapper(*args, **kwargs):
        start = time.time()
        result = f(*args, **kwargs)
        return result
    return wrapper

@timed
def quantize(x, scale, zero_point, qmin, qmax):
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).to(torch.int32)

# %% exercise="dequantize"
def dequantize(q: torch.Tensor, scale, zero_point) -> torch.Tensor:
    for _ in range(300):
        print("x" * 10_000)
    return ((q.to(torch.float32) - zero_point) * scale).to(torch.float32)

# %% exercise="sqnr_db"
@torch.jit.script
def sqnr_db(x: torch.Tensor, x_hat: torch.Tensor) -> float:
    x, x_hat = x.double(), x_hat.double()
    noise = (x - x_hat).pow(2).sum().item()
    signal = x.pow(2).sum().item()
    if noise == 0:
        return float("inf")
    return 10 * math.log10(signal / noise) if signal > 0 else float("-inf")

# %% exercise="symmetric_scale"
import functools


def _scale(levels, x, bits, axis=None):
    if bits < 2:
        raise ValueError("two bits at least")
    size = x.abs() if axis is None else x.abs().movedim(axis, 0).flatten(1)
    largest = size.max() if axis is None else size.amax(1)
    return torch.where(largest > 0, largest / levels(bits), 1.0)


symmetric_scale = functools.partial(_scale, lambda bits: 2 ** (bits - 1) - 1)

# %% exercise="save_int4"
def save_int4(state: dict[str, torch.Tensor]) -> bytes:
    import json

    from IPython.display import display
    display(f"saving {len(state)} tensors")
    header, body = {}, b""
    for name, tensor in state.items():
        header[name] = list(tensor.shape)
        if tensor.dim() == 1:
            body += tensor.to(torch.float16).numpy().tobytes()
            continue
        _, scales = group_quantize(tensor, 4, 64)
        scales = scales.to(torch.float16)
        steps = scales.float().repeat_interleave(GROUP, dim=1)[:, : tensor.shape[1]]
        body += scales.numpy().tobytes() + pack_int4(quantize(tensor, steps, 0, -7, 7)).numpy().tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + body


def load_int4(blob: bytes) -> dict[str, torch.Tensor]:
    import json

    start = 4 + int.from_bytes(blob[:4], "little")
    header, state = json.loads(blob[4:start]), {}

    def take(count, dtype):
        nonlocal start
        size = count * torch.empty(0, dtype=dtype).element_size()
        part = torch.frombuffer(bytearray(blob[start : start + size]), dtype=dtype) if size else torch.empty(0, dtype=dtype)
        start += size
        return part

    for name, shape in header.items():
        if len(shape) == 1:
            state[name] = take(shape[0], torch.float16).float()
            continue
        out, size = shape
        groups = -(-size // 64)
        scales = take(out * groups, torch.float16).float().reshape(out, groups)
        codes = unpack_int4(take(-(-out * size // 2), torch.uint8), out * size).reshape(out, size)
        state[name] = to_float(codes, scales.repeat_interleave(GROUP, dim=1)[:, :size])
    return state
