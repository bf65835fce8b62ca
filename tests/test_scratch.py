"""Shortcuts are found however they are written, and honest answers raise no alarm."""

import pytest

from bonsai.scratch import find_shortcuts

SETUP = """
import math, operator, sys, functools, importlib
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
%matplotlib inline
"""
FORBIDDEN = [
    "torch.quantize_per_tensor",
    "torch.quantize_per_channel",
    "torch.fake_quantize_*",
    "torch.ao",
    "torchao",
    "torch.Tensor.dequantize",
    "torch.Tensor.to_sparse*",
    "torch.nn.utils.prune",
    "torch.nn.functional.kl_div",
    "torch.nn.KLDivLoss",
    "gzip",
    "zlib",
]
Q = "torch.quantize_per_tensor"
COMPUTED = "getattr(torch, …) with a computed name"


def found(*cells: str, exercise: str = "quantize", exercises=()) -> list[str]:
    return find_shortcuts([SETUP, *cells], exercise, FORBIDDEN, exercises)


def answer(*body: str) -> str:
    """`quantize` with this body."""
    return "\n    ".join(["def quantize(x, scale, zero_point):", *body])


CAUGHT = {
    "direct call": ([answer("return torch.quantize_per_tensor(x, scale, zero_point, torch.qint8)")], [Q]),
    "glob": (
        [answer("return torch.fake_quantize_per_channel_affine(x)")],
        ["torch.fake_quantize_per_channel_affine"],
    ),
    "below a module": (
        [answer("return torch.ao.quantization.FakeQuantize()(x)")],
        ["torch.ao.quantization.FakeQuantize"],
    ),
    "order, no duplicates": (
        [answer("a = torch.quantize_per_channel(x)", "b = F.kl_div(x, x)", "return torch.quantize_per_channel(x)")],
        ["torch.quantize_per_channel", "torch.nn.functional.kl_div"],
    ),
    "module alias in another cell": (
        ["import torch.ao.quantization as tq", answer("return tq.QuantStub()(x)")],
        ["torch.ao.quantization.QuantStub"],
    ),
    "through a module of the course": (
        ["from bonsai import bundle", answer("return bundle.zlib.compress(x)")],
        ["bonsai.bundle.zlib.compress"],
    ),
    "name imported under another": (["from torch import quantize_per_tensor as q", answer("return q(x)")], [Q]),
    "alias bound in a later cell": ([answer("return q(x)"), "q = torch.quantize_per_tensor"], [Q]),
    "star import": (["from torch import *", answer("return quantize_per_tensor(x)")], [Q]),
    "unused import inside": ([answer("import torchao.quantization", "return x")], ["torchao.quantization"]),
    "from-import inside": ([answer("from torch.ao import quantization as t", "return x")], ["torch.ao.quantization"]),
    "assigned module": (
        ["tq = torch.ao", answer("return tq.quantization.observe(x)")],
        ["torch.ao.quantization.observe"],
    ),
    "local alias": ([answer("f = torch.quantize_per_tensor", "return f(x)")], [Q]),
    "local alias of torch": ([answer("t = torch", "return t.quantize_per_tensor(x)")], [Q]),
    "tuple assignment": (["a, (b, c) = 1, (torch, torch.ao)", answer("return b.quantize_per_tensor(x)")], [Q]),
    "walrus": ([answer("if (t := torch):", "    return t.quantize_per_tensor(x)")], [Q]),
    "one of several bindings": (
        ["q = torch.quantize_per_tensor", "q = torch.round", answer("return q(x)")],
        [Q],
    ),
    "conditional expression": ([answer("return (torch if x.any() else np).quantize_per_tensor(x)")], [Q]),
    "default argument": (["def quantize(x, q=torch.quantize_per_tensor):\n    return q(x)"], [Q]),
    "module as default argument": (["def quantize(x, lib=torch):\n    return lib.quantize_per_tensor(x)"], [Q]),
    "module as an argument": ([answer("return (lambda m: m.quantize_per_tensor(x))(torch)")], [Q]),
    "module in a container": ([answer("for m in [torch]:", "    return m.quantize_per_tensor(x)")], [Q]),
    "module returned by a helper": (["def lib(): return torch", answer("return lib().quantize_per_tensor(x)")], [Q]),
    "class attribute": (
        ["class Tools:\n    q = staticmethod(torch.quantize_per_tensor)", answer("return Tools.q(x)")],
        [Q],
    ),
    "getattr": ([answer("return getattr(torch, 'quantize_per_' + 'tensor')(x)")], [Q]),
    "getattr, f-string": ([answer("return getattr(torch, f'quantize_{\"per\"}_tensor')(x)")], [Q]),
    "getattr, join": ([answer("return getattr(torch, '_'.join(['quantize', 'per', 'tensor']))(x)")], [Q]),
    "getattr, percent": ([answer("return getattr(torch, 'quantize_per_%s' % 'tensor')(x)")], [Q]),
    "getattr, format": ([answer("return getattr(torch, 'quantize_{}_{}'.format('per', 'tensor'))(x)")], [Q]),
    "getattr, named string": (["NAME = 'quantize_per_tensor'", answer("return getattr(torch, NAME)(x)")], [Q]),
    "getattr, computed": ([answer("return getattr(torch, 'rosnet_rep_ezitnauq'[::-1])(x)")], [COMPUTED]),
    "getattr of a parent, computed": (
        [answer("return getattr(nn.utils, chr(112) + 'rune')")],
        ["getattr(torch.nn.utils, …) with a computed name"],
    ),
    "getattr under another name": (["g = getattr", answer("return g(torch, 'quantize_per_tensor')(x)")], [Q]),
    "getattr in reduce": (
        [answer("return functools.reduce(getattr, ['ao', 'quantization'], torch).observe(x)")],
        [COMPUTED],
    ),
    "__getattribute__": ([answer("return torch.__getattribute__('quantize_per_tensor')(x)")], [Q]),
    "import_module": ([answer("return importlib.import_module('torchao').quantize_(x)")], ["torchao.quantize_"]),
    "import_module, relative": ([answer("return importlib.import_module('.ao', 'torch')")], ["torch.ao"]),
    "a finder": (
        [answer("return importlib.machinery.PathFinder.find_spec('torch.nn.utils.prune', torch.nn.utils.__path__)")],
        ["importlib.machinery.PathFinder.find_spec"],
    ),
    "torch's importer": ([answer("return torch._utils.try_import('torchao')")], ["torch._utils.try_import"]),
    "the list of finders": ([answer("return sys.meta_path[-1].find_spec('torchao')")], ["sys.meta_path"]),
    "a loader": ([answer("torch.__spec__.loader.exec_module(x)")], ["torch.__spec__.loader.exec_module"]),
    "import_module, computed": ([answer("return importlib.import_module(str(x))")], ["import of a computed name"]),
    "__import__": ([answer("return __import__('torch.ao')")], ["torch.ao"]),
    "vars": ([answer("return vars(torch)['quantize_per_tensor'](x)")], [Q]),
    "__dict__": ([answer("return torch.__dict__['quantize_per_tensor'](x)")], [Q]),
    "__dict__.get": ([answer("return torch.__dict__.get('quantize_per_tensor')(x)")], [Q]),
    "vars, searched": ([answer("return [f for n, f in vars(torch).items() if n.endswith('r')][0](x)")], [COMPUTED]),
    "attrgetter": ([answer("return operator.attrgetter('quantize_per_tensor')(torch)(x)")], [Q]),
    "sys.modules": ([answer("return sys.modules['torch.ao'].quantization")], ["torch.ao.quantization"]),
    "partial": ([answer("return functools.partial(torch.quantize_per_tensor, x)()")], [Q]),
    "torch.ops": (
        [answer("return torch.ops.aten.quantize_per_tensor(x)")],
        ["torch.ops.aten.quantize_per_tensor"],
    ),
    "torch.ops, quantized": (
        [answer("return torch.ops.quantized_decomposed.quantize_per_tensor.default(x)")],
        ["torch.ops.quantized_decomposed.quantize_per_tensor.default"],
    ),
    "_VariableFunctions": (
        [answer("return torch._C._VariableFunctions.quantize_per_tensor(x)")],
        ["torch._C._VariableFunctions.quantize_per_tensor"],
    ),
    "_VF": ([answer("return torch._VF.quantize_per_tensor(x)")], ["torch._VF.quantize_per_tensor"]),
    "torch through another module": (
        [answer("return F.torch.quantize_per_tensor(x)")],
        ["torch.nn.functional.torch.quantize_per_tensor"],
    ),
    "the function under F": ([answer("return torch.kl_div(x, x)")], ["torch.kl_div"]),
    "the old place of torch.ao": (
        [answer("return torch.quantization.FakeQuantize()(x)")],
        ["torch.quantization.FakeQuantize"],
    ),
    "a class by its file": ([answer("return nn.modules.loss.KLDivLoss()(x, x)")], ["torch.nn.modules.loss.KLDivLoss"]),
    "eval": ([answer("return eval('torch.quantize_per_tensor')(x)")], [Q]),
    "exec": ([answer("exec('import torch as t; y = t.quantize_per_tensor(x)')")], [Q]),
    "exec, computed": ([answer("exec(''.join(map(chr, [112])))")], ["exec of a computed string"]),
    "eval, computed": ([answer("return eval(input())")], ["eval of a computed string"]),
    "exec of compile": ([answer("exec(compile('torch.quantize_per_tensor(x)', '', 'exec'))")], [Q]),
    "exec in a cell": (["exec('q = torch.quantize_per_tensor')", answer("return q(x)")], [Q]),
    "cell magic": (["%%time\n" + answer("return torch.quantize_per_tensor(x)")], [Q]),
    "line magic": (["%time q = torch.quantize_per_tensor", answer("return q(x)")], [Q]),
    "Tensor method": ([answer("return (x + 1).dequantize()")], ["torch.Tensor.dequantize"]),
    "Tensor method, glob": ([answer("return x.to_sparse_csr().values()")], ["torch.Tensor.to_sparse_csr"]),
    "Tensor method by getattr": ([answer("return getattr(x, 'dequantize')()")], ["torch.Tensor.dequantize"]),
    "Tensor method unbound": ([answer("return torch.Tensor.dequantize(x)")], ["torch.Tensor.dequantize"]),
    "Tensor method by methodcaller": (
        [answer("return operator.methodcaller('dequantize')(x)")],
        ["torch.Tensor.dequantize"],
    ),
    "Tensor method on super": (
        [
            "class T(torch.Tensor):\n    def dequantize(self): return super().dequantize()",
            answer("return T(x).dequantize()"),
        ],
        ["torch.Tensor.dequantize"],
    ),
    "helper": (["def helper(x):\n    return torch.quantize_per_tensor(x)", answer("return helper(x)")], [Q]),
    "helper of a helper": (
        ["def a(x): return b(x)", "def b(x): return torch.quantize_per_tensor(x)", answer("return a(x)")],
        [Q],
    ),
    "helper class": (
        ["class H:\n    def run(self, x): return torch.ao.go(x)", answer("return H().run(x)")],
        ["torch.ao.go"],
    ),
    "helper by globals": (
        ["def h(x): return torch.quantize_per_tensor(x)", answer("return globals()['h'](x)")],
        [Q],
    ),
    "nested function": ([answer("def inner():", "    return torch.quantize_per_tensor(x)", "return inner()")], [Q]),
    "comprehension": ([answer("return [torch.quantize_per_tensor(v) for v in x]")], [Q]),
    "decorator": (["@torch.ao.wrap\n" + answer("return x")], ["torch.ao.wrap"]),
    "answer is an assignment": (["quantize = torch.quantize_per_tensor"], [Q]),
    "answer is an import": (["from torch import quantize_per_tensor as quantize"], [Q]),
    "answer keeps the earlier one": (
        [answer("return torch.quantize_per_tensor(x)"), "old = quantize", answer("return old(x)")],
        [Q],
    ),
    "a later definition that never runs": (
        [answer("return torch.quantize_per_tensor(x)"), "if False:\n    def quantize(x): return x"],
        [Q],
    ),
    "global set in a function": (
        ["def prepare():\n    global q\n    q = torch.quantize_per_tensor", "prepare()", answer("return q(x)")],
        [Q],
    ),
    "changed library": (["torch.mine = torch.quantize_per_tensor", answer("return torch.mine(x)")], [Q]),
    "put in a dictionary": (
        ["tools = {}\ntools['q'] = torch.quantize_per_tensor", answer("return tools['q'](x)")],
        [Q],
    ),
    "appended to a list": (["tools = []\ntools.append(torch.quantize_per_tensor)", answer("return tools[0](x)")], [Q]),
    "a broken cell elsewhere": (["def (:", answer("return torch.quantize_per_tensor(x)")], [Q]),
    "globals().update": (["globals().update(q=torch.quantize_per_tensor)", answer("return q(x)")], [Q]),
    "unpacked arguments": ([answer("return getattr(*[torch, 'quantize_per_tensor'])(x)")], [Q]),
    "unpacked pair": ([answer("pair = torch, str(x)", "return getattr(*pair)(x)")], [COMPUTED]),
    "name from a computed exec": (["exec(open('f').read())", answer("return q(x)")], ["exec of a computed string"]),
    "a class through the toolkit": (
        ["import bonsai.measure as m", answer("return m.nn.KLDivLoss()(x, x)")],
        ["bonsai.measure.nn.KLDivLoss"],
    ),
    "nested too deeply": ([answer("return " + "x" + ".a" * 3000)], ["an expression nested too deeply to read"]),
}

CLEAN = {
    "by hand": [answer("return torch.clamp(torch.round(x / scale) + zero_point, -128, 127)")],
    "allowed functions": [answer("return F.linear(F.softmax(x, -1), nn.Linear(2, 2).weight).quantile(0.5)")],
    "comment": [answer("# torch.quantize_per_tensor(x) would do this", "return x")],
    "docstring": [answer('"""Like torch.quantize_per_tensor, x.dequantize() and torchao."""', "return x")],
    "error message": [answer("raise ValueError('torch.quantize_per_tensor wants a scale, gzip')")],
    "error message, f-string": [answer("raise ValueError(f'torch.ao: {scale} {x.shape}')")],
    "parameter": ["def quantize(gzip, torchao):\n    return gzip.compress(torchao.x)"],
    "local variable": ["import gzip", answer("gzip = x.sum()", "return gzip.item()")],
    "loop variable": ["import zlib", answer("return [zlib.real for zlib in x]")],
    "own function of that name": ["def quantize_per_tensor(x): return x", answer("return quantize_per_tensor(x)")],
    "own function after a star import": [
        "from torch import *",
        "def quantize_per_tensor(x): return x",
        answer("return quantize_per_tensor(round(x))"),
    ],
    "own function called dequantize": ["def dequantize(q): return q * 2", answer("return dequantize(x)")],
    "demo cell": [
        answer("return x.round()"),
        "import torchao, gzip\nfrom torch.ao.quantization import *",
        "theirs = torchao.quantize_(x)\nprint(torch.quantize_per_tensor(x, 1, 0).dequantize(), quantize(x))",
    ],
    "demo cell, loop": [
        "for f in (torch.quantize_per_tensor, quantize):\n    print([f(v) for v in range(3)])",
        answer("f = x.round()", "return f"),
    ],
    "demo cell fills a table": ["import pandas as pd\npd.DataFrame(torch.ao.x)", answer("return pd.Series(x)")],
    "demo cell fills a figure": ["import matplotlib.pyplot as plt\nplt.plot(torch.ao.x)", answer("return plt")],
    "import torch.ao elsewhere": ["import torch.ao.quantization", answer("return torch.round(x)")],
    "helper that is not used": ["def theirs(x): return torch.quantize_per_tensor(x)", answer("return x")],
    "earlier attempt": [answer("return torch.quantize_per_tensor(x)"), answer("return x.round()")],
    "earlier attempt, recursive": [
        answer("return torch.quantize_per_tensor(x)"),
        answer("return x if x.ndim == 0 else torch.stack([quantize(v, scale, zero_point) for v in x])"),
    ],
    "own method of that name": [
        "class Q:\n    def dequantize(self): return self.codes\n    def run(self): return self.dequantize()",
        answer("q = Q()", "return q.dequantize() + Q().dequantize() + q.run()"),
    ],
    "own method by super": [
        "class A:\n    def dequantize(self): return 1",
        "class B(A):\n    def dequantize(self): return super().dequantize()\n    def f(self): return self.dequantize()",
        answer("return B().dequantize()"),
    ],
    "own attribute": [
        "class Q:\n    def __init__(self):\n        self.ao = 1\n    def f(self): return self.ao + self.gzip",
        answer("return Q().f()"),
    ],
    "getattr of a known name": [answer("return getattr(torch, 'round')(x)")],
    "getattr of a layer": [answer("return [getattr(x, name) for name in ('weight', 'bias')]")],
    "getattr of a layer beside isinstance": [answer("return isinstance(x, torch.Tensor) and getattr(x, scale)")],
    "hasattr": [answer("return hasattr(x, 'dequantize')")],
    "model.eval": [answer("x.eval()", "return x.train()")],
    "annotation": [
        "def quantize(x: torch.ao.Thing, s: 'torchao.X' = 1) -> torch.ao.Other:\n    y: torch.ao.Y = x\n    return y"
    ],
    "names that only begin alike": [answer("return torch.aot(x) + x.dequantize_all() + torch.nn.utils.prune_all")],
    "relative names": [answer("return x.quantize_per_tensor(x.kl_div)")],
    "library imports": [answer("from torch import nn", "import torch.nn.utils.parametrize as p", "return p")],
    "sys.modules": [answer("return sys.modules['torch'].round(x)")],
    "eval of a constant": [answer("return eval('1 + 1')")],
    "shell and magics": ["!pip install torchao\n%pip install torchao\n?torch.ao", answer("return x")],
    "missing answer": ["x = torch.quantize_per_tensor"],
    "broken answer": [answer("return torch.quantize_per_tensor(x")],
    "cyclic names": ["a = b\nb = a\ns = s + 'x'", answer("return a(b, s, getattr(x, s))")],
}


@pytest.mark.parametrize(("cells", "want"), CAUGHT.values(), ids=CAUGHT)
def test_shortcut_is_named(cells: list[str], want: list[str]) -> None:
    assert found(*cells) == want


@pytest.mark.parametrize("cells", CLEAN.values(), ids=CLEAN)
def test_honest_answer_raises_no_alarm(cells: list[str]) -> None:
    assert found(*cells) == []


LSQ = """
class LSQ(nn.Module):
    zeros = {zeros}

    def __init__(self, bits):
        super().__init__()
        self.step = nn.Parameter(torch.ones(()))
        self.dequantize = lambda q: q * self.step

    def forward(self, x):
        return {forward}
"""


@pytest.mark.parametrize(
    ("zeros", "forward", "after", "want"),
    [
        ("0", "self.dequantize((x / self.step).round())", "", []),
        ("0", "torch.fake_quantize_per_tensor_affine(x, 1, 0, 0, 1)", "", ["torch.fake_quantize_per_tensor_affine"]),
        ("torch.ao", "self.zeros.go(x)", "", ["torch.ao"]),
        ("torch", "self.zeros.quantize_per_tensor(x)", "", [Q]),
        ("0", "x.dequantize()", "", ["torch.Tensor.dequantize"]),
        ("0", "x", "LSQ.forward = lambda self, x: torch.quantize_per_tensor(x)", [Q]),
        ("0", "x", "setattr(LSQ, 'forward', torch.quantize_per_tensor)", [Q]),
    ],
)
def test_class_exercise(zeros: str, forward: str, after: str, want: list[str]) -> None:
    assert found(LSQ.format(zeros=zeros, forward=forward), after, exercise="LSQ") == want


def test_base_class_is_read_too() -> None:
    cells = ["class Base(nn.Module):\n    def forward(self, x): return torch.ao.f(x)", "class LSQ(Base): pass"]
    assert found(*cells, exercise="LSQ") == ["torch.ao.f"]


def test_pair_shares_a_helper_but_each_is_graded_on_its_own() -> None:
    pair = ("encode_sparse", "decode_sparse")
    cells = [
        "import gzip\ndef pack(b): return gzip.compress(b)",
        "def encode_sparse(w): return pack(w.numpy().tobytes())",
        "def decode_sparse(blob): return torch.tensor(list(blob)) if encode_sparse else None",
    ]
    assert found(*cells, exercise="encode_sparse", exercises=pair) == ["gzip.compress"]
    assert found(*cells, exercise="decode_sparse", exercises=pair) == []
    assert found(*cells, exercise="decode_sparse") == ["gzip.compress"]


def test_pair_made_together() -> None:
    cell = "import gzip\nencode_sparse, decode_sparse = gzip.compress, lambda blob: blob"
    assert found(cell, exercise="encode_sparse") == ["gzip.compress"]
    assert found(cell, exercise="decode_sparse") == []


def test_repetition_costs_little() -> None:
    execs = "e0 = '1'\n" + "\n".join(f"e{i + 1} = 'exec(e{i}); exec(e{i})'" for i in range(40))
    assert found(execs, answer("exec(e40)")) == []
    nested = "\n".join("    " * i + f"def f{i}(x):" for i in range(1, 19)) + "\n" + "    " * 19 + "return x\n"
    nested += "\n".join("    " * i + f"f{i}(x)" for i in range(18, 0, -1))
    assert found("def quantize(x):\n" + nested) == []
    doubling = "a0 = s0 = 'x'\n" + "\n".join(f"a{i + 1} = a{i} or a{i}\ns{i + 1} = s{i} + s{i}" for i in range(60))
    assert found(doubling, answer("return a60(getattr(x, s60))")) == []
