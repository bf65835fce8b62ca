# ruff: noqa: E501  (sources of notebooks, and tables, are dense)
"""What crosses between the learner's process and the grader: everything plain survives, nothing else gets through."""

import contextlib
import math
import os
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.box import wire

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers(), st.text()), inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.sets(st.integers() | st.text(), max_size=5)
    ),
    max_leaves=30,
)


@given(plain)
def test_plain_data_comes_back_equal_and_of_the_same_type(value):
    back = wire.decode(wire.encode(value, strict=True))
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("dtype", sorted(wire.DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3), (1, 1, 1, 4)])
def test_tensors_of_every_dtype_and_shape(dtype, shape):
    x = torch.randint(0, 2, shape).to(getattr(torch, dtype))
    back = wire.decode(wire.encode(x))
    assert back.dtype == x.dtype and back.shape == x.shape
    assert torch.equal(back.view(torch.uint8) if back.dim() and back.numel() else back.reshape(-1).view(torch.uint8),
                       x.view(torch.uint8) if x.dim() and x.numel() else x.reshape(-1).view(torch.uint8))  # fmt: skip


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(4, 6).t(),
        torch.randn(10)[::3],
        torch.ones(1).expand(5, 5),
        torch.tensor([1 + 2j]).conj(),
        torch.nn.Parameter(torch.ones(3)),
    ],
)
def test_views_and_parameters_become_plain_tensors(x):
    back = wire.decode(wire.encode(x))
    assert type(back) is torch.Tensor and torch.equal(back, x.detach()) and not back.requires_grad


@pytest.mark.parametrize("dtype", sorted(set(wire.DTYPES) - wire.NUMPY_ONLY_TORCH))
def test_numpy_stays_numpy(dtype):
    for x in (np.ones((2, 3), dtype), np.ones((), dtype), np.zeros((0, 2), dtype), np.ones(4, dtype)[::2]):
        back = wire.decode(wire.encode(x))
        assert type(back) is np.ndarray and back.dtype == x.dtype and np.array_equal(back, x) and back.shape == x.shape
    scalar = np.ones(1, dtype)[0]
    assert type(wire.decode(wire.encode(scalar))) is type(scalar)


def test_special_numbers():
    back = wire.decode(
        wire.encode([math.inf, -math.inf, math.nan, -0.0, 2**4000, -(2**4000), torch.bfloat16, torch.Size([2])])
    )
    assert back[0] == math.inf and back[1] == -math.inf and math.isnan(back[2]) and math.copysign(1, back[3]) == -1
    assert back[4] == 2**4000 and back[5] == -(2**4000) and back[6] is torch.bfloat16 and back[7] == (2,)


class LyingInt(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class LyingStr(str):
    def __eq__(self, other):
        return True

    def __str__(self):
        return "another"

    __hash__ = str.__hash__


class LyingList(list):
    def __len__(self):
        return 99

    def __iter__(self):
        return iter([42])


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.ones(3)


class Everything:
    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize(
    ("value", "base"),
    [(LyingInt(3), 3), (LyingStr("x"), "x"), (LyingList([1, 2]), [1, 2]), (type("D", (dict,), {})(a=1), {"a": 1})],
)
def test_subclasses_are_reduced_to_their_base(value, base):
    back = wire.decode(wire.encode(value))
    assert type(back) is type(base) and back == base


def test_a_tensor_subclass_sends_its_own_values():
    back = wire.decode(wire.encode(torch.zeros(3).as_subclass(LyingTensor)))
    assert type(back) is torch.Tensor and back.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "value",
    [Everything(), lambda: 1, object, (i for i in "ab"), torch.ones(2).to_sparse(), torch.empty(2, device="meta")],
)
def test_anything_else_is_opaque(value):
    back = wire.decode(wire.encode([value]))[0]
    assert type(back) is wire.Opaque and back != 1 and "object" in repr(back)
    with pytest.raises(TypeError):
        bool(back)
    with pytest.raises(TypeError):
        wire.encode([value], strict=True)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [nested(30), list(range(1_000_001)), torch.zeros(17 << 20), bytes(65 << 20), 1 << 9000, {i: 0 for i in range(70_000)},
     torch.ones(1).expand(1 << 40), [torch.zeros(0)] * 30_000],
    ids=["deep", "many", "big tensor", "big bytes", "big int", "many keys", "expanded", "many tensors"],
)  # fmt: skip
def test_too_much_is_refused_by_the_sender(value):
    with pytest.raises(ValueError):
        wire.encode(value)


def short(text):
    return bytes([len(text)]) + text.encode()


def array(dtype, shape, length, raw=b"", tag=b"X"):
    return (
        tag
        + short(dtype)
        + bytes([len(shape)])
        + b"".join(struct.pack("!Q", d) for d in shape)
        + struct.pack("!I", length)
        + raw
    )


FORGED = {
    "nothing": b"",
    "unknown tag": b"Z",
    "left over": b"NN",
    "long list": b"l" + struct.pack("!I", 2**32 - 1),
    "long string": b"s" + struct.pack("!I", 2**31) + b"abc",
    "deep": b"l\0\0\0\1" * 50 + b"N",
    "not a key": b"d\0\0\0\1" + b"l\0\0\0\0" + b"N",
    "bad text": b"s\0\0\0\2\xff\xff",
    "shape without bytes": array("float32", (1000,), 0),
    "overflowing shape": array("float32", (2**62, 4), 0),
    "overflow to zero": array("float32", (2**63, 2), 0),
    "negative in disguise": array("int8", (2**64 - 1,), 8, bytes(8)),
    "huge beside zero": array("float32", (0, 2**63), 0),
    "unknown dtype": array("object", (1,), 8, bytes(8)),
    "numpy object": array("object", (1,), 8, bytes(8), b"A"),
    "numpy bfloat16": array("bfloat16", (1,), 2, bytes(2), b"A"),
    "scalar with a shape": array("float32", (2,), 8, bytes(8), b"G"),
    "too many dimensions": array("int8", (1,) * 30, 1, b"a"),
    "dtype that is an attribute": b"y" + short("load"),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_bytes_are_an_error(name):
    with pytest.raises(wire.WireError):
        wire.decode(FORGED[name])


def test_bools_that_are_neither_true_nor_false_are_normalised():
    assert wire.decode(array("bool", (2,), 2, b"\x02\x00")).tolist() == [True, False]
    assert wire.decode(array("bool", (2,), 2, b"\xff\x00", b"A")).tolist() == [True, False]


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_wire_error(data):
    with contextlib.suppress(wire.WireError):
        wire.decode(data)


@settings(max_examples=400, deadline=None)
@given(plain, st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_damaged_messages_give_a_value_or_a_wire_error(value, at, byte, cut):
    data = bytearray(wire.encode([value, torch.ones(2, 3), np.float32(1)]))
    data[at % len(data)] = byte
    with contextlib.suppress(wire.WireError):
        wire.decode(bytes(data[: at % len(data)] if cut else data))


def test_frames_have_a_limit_an_end_and_a_deadline():
    reader, writer = os.pipe()
    ours = wire.Channel(reader, writer)
    ours.send(1, 7, b"hello")
    assert ours.receive() == (1, 7, b"hello")
    ours.send(1, 8, b"hello")
    with pytest.raises(wire.WireError):
        ours.receive(limit=4)
    os.read(reader, 100)
    with pytest.raises(TimeoutError):
        ours.receive(deadline=0.0)
    os.write(writer, b"\0\0")  # half a header
    os.close(writer)
    with pytest.raises(EOFError):
        ours.receive()
    os.close(reader)
