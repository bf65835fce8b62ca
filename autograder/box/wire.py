"""What crosses between the learner's process and the grader: frames, and plain data inside them. Never pickle.

A frame is `kind (1 byte) | number of the request (8) | length (4) | body`. Plain data is None, bool, int, float, str,
bytes, list, tuple, dict, set, tensors, NumPy arrays and scalars and dtypes. Anything else arrives as `Opaque`.
Every length is checked against what is really there before memory is taken: any bytes give a value or a `WireError`.

This file imports neither torch nor NumPy by itself, so that the process that supervises can use it and stay small.
"""

import math
import os
import select
import struct
import sys
import time
from typing import Any

MAX_BYTES = 64 << 20  # of one encoded value
MAX_DEPTH = 20  # of containers in containers
MAX_ITEMS = 1_000_000  # values in one encoded value
MAX_KEYS = 65_536  # in one dict or set: keys can be chosen to collide, and colliding keys cost their square
MAX_INT_BITS = 8192
ARRAY_COST = 50  # an array weighs as many items: it costs more to make than a number

# dtype -> bytes an element; the names are those of torch, and NumPy's where it has them
DTYPES = {
    **{"bool": 1, "uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint16": 2, "uint32": 4, "uint64": 8},
    **{"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16},
    **{"float8_e4m3fn": 1, "float8_e5m2": 1},
}
NUMPY_ONLY_TORCH = {"bfloat16", "float8_e4m3fn", "float8_e5m2"}

HEADER = struct.Struct("!BQI")
_U32, _U64, _F64 = struct.Struct("!I"), struct.Struct("!Q"), struct.Struct("!d")


class WireError(Exception):
    """Bytes that are not what the protocol allows."""


class Opaque:
    """Stands for an object that is not plain data: nothing of it crosses but the name of its type."""

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"

    def __bool__(self) -> bool:
        raise TypeError(f"a {self.type_name} is not plain data, so it is neither true nor false here")


class Channel:
    """Frames over a pair of descriptors (twice the same one for a socket). Deadlines are `time.monotonic()`."""

    def __init__(self, reader: int, writer: int):
        self.reader, self.writer = reader, writer

    def send(self, kind: int, number: int, body: bytes, deadline: float | None = None) -> None:
        """Write one frame.

        Raises:
            TimeoutError: the other side did not read in time.
            OSError: it is gone.
        """
        header = HEADER.pack(kind, number, len(body))
        for part in (header, body) if len(body) > 1 << 16 else (header + body,):  # one write where it can be one
            rest = memoryview(part)
            while rest:
                wait(self.writer, select.POLLOUT, deadline)
                rest = rest[os.write(self.writer, rest[: 1 << 16]) :]

    def receive(self, limit: int = MAX_BYTES, deadline: float | None = None) -> tuple[int, int, bytes]:
        """Read one frame: kind, number, body.

        Raises:
            TimeoutError: it did not come in time.
            EOFError: the other side is gone.
            WireError: longer than `limit`.
        """
        kind, number, length = HEADER.unpack(self._read(HEADER.size, deadline))
        if length > limit:
            raise WireError(f"a message of {length} bytes, where {limit} are allowed")
        return kind, number, self._read(length, deadline)

    def _read(self, count: int, deadline: float | None) -> bytes:
        got = bytearray()
        while len(got) < count:
            wait(self.reader, select.POLLIN, deadline)
            part = os.read(self.reader, min(count - len(got), 1 << 20))
            if not part:
                raise EOFError("the other side closed the connection")
            got += part
        return bytes(got)


def wait(fd: int, event: int, deadline: float | None) -> None:
    """Until the descriptor is ready; a closed one counts as ready.

    Raises:
        TimeoutError: the deadline passed.
    """
    poller = select.poll()
    poller.register(fd, event)
    left_ms = None if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)
    if not poller.poll(left_ms):
        raise TimeoutError


def encode(value: Any, strict: bool = False, limit: int = MAX_BYTES) -> bytes:
    """Plain data as bytes. Subclasses are reduced to their base; with `strict` nothing becomes `Opaque`.

    Raises:
        TypeError: `strict`, and something is not plain data; or a key that is not plain data.
        ValueError: too deep, too many values or too many bytes.
    """
    writer = _Writer(strict, limit)
    writer.value(value, MAX_DEPTH)
    return b"".join(writer.parts)


def decode(data: bytes) -> Any:
    """The value that `encode` was given.

    Raises:
        WireError: whatever else the bytes are.
    """
    reader = _Reader(data)
    try:
        value = reader.value(MAX_DEPTH)
    except WireError:
        raise
    except Exception as error:  # a length, dtype or text that the checks let through: still the sender's fault
        raise WireError(f"unreadable value: {type(error).__name__}") from None
    if reader.at != len(data):
        raise WireError("bytes left over after the value")
    return value


class _Writer:
    """Appends tagged values. `type()` decides what a value is, because an object can lie about everything else."""

    def __init__(self, strict: bool, limit: int):
        self.parts: list[bytes] = []
        self.strict, self.room, self.items = strict, limit, MAX_ITEMS

    def put(self, tag: bytes, *parts: bytes) -> None:
        self.room -= 1 + sum(map(len, parts))
        if self.room < 0:
            raise ValueError("too many bytes")
        self.parts += (tag, *parts)

    def value(self, value: Any, depth: int) -> None:
        self.items -= 1
        if depth < 0 or self.items < 0:
            raise ValueError(f"containers more than {MAX_DEPTH} deep" if depth < 0 else "too many values")
        kind = type(value)
        torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
        if value is None:
            self.put(b"N")
        elif kind is bool:
            self.put(b"T" if value else b"F")
        elif torch is not None and issubclass(kind, torch.Tensor):
            self._tensor(torch, value)
        elif torch is not None and kind is torch.dtype and str(value)[6:] in DTYPES:
            self.put(b"y", _short(str(value)[6:]))
        elif numpy is not None and issubclass(kind, numpy.ndarray):
            self._array(numpy, b"A", value.view(numpy.ndarray))
        elif numpy is not None and issubclass(kind, numpy.generic) and value.dtype.name in DTYPES:
            self._array(numpy, b"G", numpy.asarray(value))
        elif issubclass(kind, int):
            self._int(int.__int__(value))
        elif issubclass(kind, float):
            self.put(b"f", _F64.pack(float.__float__(value)))
        elif issubclass(kind, str):
            self._long(b"s", str.__str__(value).encode("utf-8", "surrogatepass"))
        elif issubclass(kind, (bytes, bytearray, memoryview)):
            self._long(b"b", bytes(memoryview(value)))
        elif issubclass(kind, (list, tuple)):
            base = list if issubclass(kind, list) else tuple
            self._many(b"l" if base is list else b"t", list(base.__iter__(value)), depth)
        elif issubclass(kind, dict):
            self._dict(list(dict.items(value)), depth)
        elif issubclass(kind, (set, frozenset)):
            values = set.__iter__(value) if issubclass(kind, set) else frozenset.__iter__(value)
            self._many(b"e", [self._key(v) for v in values], depth)
        elif kind is Opaque:
            self.put(b"O", _short(value.type_name[:100]))
        elif self.strict:
            raise TypeError(f"{kind.__name__} is not plain data")
        else:
            self.put(b"O", _short(str(kind.__name__)[:100]))

    def _long(self, tag: bytes, raw: bytes) -> None:
        self.put(tag, _U32.pack(min(len(raw), 0xFFFFFFFF)), raw)

    def _int(self, value: int) -> None:
        if value.bit_length() > MAX_INT_BITS:
            raise ValueError(f"an int of {value.bit_length()} bits")
        self._long(b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))

    def _many(self, tag: bytes, values: list, depth: int) -> None:
        if len(values) > (MAX_KEYS if tag == b"e" else MAX_ITEMS):
            raise ValueError("too many values")
        self.put(tag, _U32.pack(len(values)))
        for value in values:
            self.value(value, depth - 1)

    def _dict(self, items: list[tuple], depth: int) -> None:
        if len(items) > MAX_KEYS:
            raise ValueError("too many keys")
        self.put(b"d", _U32.pack(len(items)))
        for key, value in items:
            self.value(self._key(key), depth - 1)
            self.value(value, depth - 1)

    def _key(self, key: Any) -> Any:
        if not isinstance(key, (type(None), bool, int, float, str, bytes, tuple)):
            raise TypeError(f"{type(key).__name__} is not plain data that can be a key")
        return key

    def _tensor(self, torch: Any, value: Any) -> None:
        with torch._C.DisableTorchFunctionSubclass():  # the methods of Tensor itself, whatever a subclass says
            dtype = str(value.dtype)[6:]
            plain = value.layout == torch.strided and value.device.type != "meta" and dtype in DTYPES
            if not plain:
                if self.strict:
                    raise TypeError(f"a {dtype} tensor of layout {value.layout} is not plain data")
                where = "meta" if value.device.type == "meta" else "sparse" if value.layout != torch.strided else dtype
                return self.put(b"O", _short(f"{where} Tensor"))
            if value.numel() * value.element_size() > self.room:
                raise ValueError("too many bytes")
            flat = value.detach().as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
            raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""  # NumPy gives empty ones stride 0
            self._shaped(b"X", dtype, tuple(value.shape), raw)

    def _array(self, numpy: Any, tag: bytes, value: Any) -> None:
        dtype = value.dtype.name
        if dtype not in DTYPES:
            if self.strict:
                raise TypeError(f"a NumPy array of {dtype} is not plain data")
            return self.put(b"O", _short("ndarray"))
        if value.nbytes > self.room:
            raise ValueError("too many bytes")
        self._shaped(tag, dtype, value.shape, value.astype(value.dtype.newbyteorder("="), order="C").tobytes())

    def _shaped(self, tag: bytes, dtype: str, shape: tuple, raw: bytes) -> None:
        self.items -= ARRAY_COST
        self.put(tag, _short(dtype), bytes([len(shape)]), *(_U64.pack(d) for d in shape), _U32.pack(len(raw)), raw)


def _short(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")[:255]
    return bytes([len(raw)]) + raw


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at, self.items = memoryview(data), 0, MAX_ITEMS

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.at:
            raise WireError("the value ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, layout: struct.Struct) -> Any:
        return layout.unpack(self.take(layout.size))[0]

    def short(self) -> str:
        return str(self.take(self.take(1)[0]), "utf-8", "replace")

    def count(self, limit: int) -> int:
        """How many values follow: each takes a byte at least."""
        count = self.number(_U32)
        if count > limit or count > len(self.data) - self.at:
            raise WireError(f"{count} values announced")
        return count

    def value(self, depth: int) -> Any:
        self.items -= 1
        if depth < 0 or self.items < 0:
            raise WireError("too deep" if depth < 0 else "too many values")
        tag = bytes(self.take(1))
        if tag in (b"N", b"T", b"F"):
            return {b"N": None, b"T": True, b"F": False}[tag]
        if tag == b"f":
            return self.number(_F64)
        if tag in (b"i", b"s", b"b"):
            return self._scalar(tag, self.take(self.number(_U32)))
        if tag in (b"l", b"t"):
            values = [self.value(depth - 1) for _ in range(self.count(MAX_ITEMS))]
            return values if tag == b"l" else tuple(values)
        if tag == b"e":
            return {self.value(depth - 1) for _ in range(self.count(MAX_KEYS))}
        if tag == b"d":
            return {self.value(depth - 1): self.value(depth - 1) for _ in range(self.count(MAX_KEYS))}
        if tag in (b"X", b"A", b"G"):
            return self._shaped(tag)
        if tag == b"y":
            return self._dtype()
        if tag == b"O":
            return Opaque(self.short())
        raise WireError("unknown kind of value")

    def _scalar(self, tag: bytes, raw: memoryview) -> Any:
        if tag == b"s":
            return str(raw, "utf-8", "surrogatepass")
        if tag == b"b":
            return bytes(raw)
        if len(raw) > MAX_INT_BITS // 8 + 1:
            raise WireError("an int too long")
        return int.from_bytes(raw, "big", signed=True)

    def _dtype(self) -> Any:
        import torch

        name = self.short()
        if name not in DTYPES:
            raise WireError("unknown dtype")
        return getattr(torch, name)

    def _shaped(self, tag: bytes) -> Any:
        self.items -= ARRAY_COST
        dtype = self.short()
        shape = [self.number(_U64) for _ in range(self.take(1)[0])]
        raw = self.take(self.number(_U32))
        if dtype not in DTYPES or len(shape) > 16 or math.prod(max(d, 1) for d in shape) > 1 << 40:
            raise WireError("no such array")
        if math.prod(shape) * DTYPES[dtype] != len(raw):
            raise WireError("the array's shape and its bytes disagree")
        if tag == b"X":
            return self._tensor(dtype, shape, raw)
        import numpy

        if dtype in NUMPY_ONLY_TORCH or (tag == b"G" and shape):
            raise WireError("no such array")
        # a bool that is neither 0 nor 1 would be undefined behaviour
        made = numpy.frombuffer(raw, "uint8") != 0 if dtype == "bool" else numpy.frombuffer(raw, dtype).copy()
        return made[0] if tag == b"G" else made.reshape(shape)

    def _tensor(self, dtype: str, shape: list[int], raw: memoryview) -> Any:
        import torch

        if not len(raw):
            return torch.empty(shape, dtype=getattr(torch, dtype))
        flat = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
        return (flat != 0 if dtype == "bool" else flat.view(getattr(torch, dtype))).reshape(shape)
