# lesson 01: answers and cells that fail; exercises not named here are right answers

# %% exercise="affine_qparams"
name = input("Your name? ")
def affine_qparams(x_min, x_max, qmin, qmax):
    return 1.0, 0

# %% exercise="dequantize"
def dequantize(q, scale, zero_point):
    q = q.cuda()
    return ((q.to(torch.float32) - zero_point) * scale).to(torch.float32)

# %% exercise="sqnr_db"
def sqnr_db(x, x_hat):
    raise NotImplementedError("todo later")

# %% exercise="integer_linear"
import seaborn
def integer_linear(x_q, w_q, bias_q, x_zp: int, m0, shift, out_zp: int, qmin: int, qmax: int) -> torch.Tensor:
    accumulator = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        accumulator = accumulator + bias_q.long()
    total = 31 + torch.as_tensor(shift).long()
    product = accumulator * torch.as_tensor(m0).long()
    half = torch.ones_like(total) << (total - 1)
    rounded = torch.sign(product) * ((product.abs() + half) >> total)
    return torch.clamp(rounded + out_zp, qmin, qmax)

# %% exercise="pack_int4"
def pack_int4(codes, extra):
    flat = codes.flatten().to(torch.int32)
    if flat.numel() and (flat.min() < -8 or flat.max() > 7):
        raise ValueError("a 4-bit code lies in -8..7")
    flat = F.pad(flat, (0, flat.numel() % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)


def unpack_int4(packed: torch.Tensor, n: int) -> torch.Tensor:
    if n > 2 * packed.numel():
        raise ValueError(f"{packed.numel()} bytes hold {2 * packed.numel()} codes, not {n}")
    wide = packed.to(torch.int32)
    codes = torch.stack([wide & 15, wide >> 4], dim=1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)
