"""Puts library functions out of order in the learner's process, while an answer that must do without them runs.

    lock = Lock(["torch.nn.functional.kl_div", "torch.ao"])
    with lock:
        ...                 # every way of reaching them raises ShortcutUsed
    lock.used               # the name that was called, also where the error was caught

A Python function gets other code, so that it is out of order wherever it is kept: in a list, an annotation, a default.
A call of torch's own functions is seen by torch (`TorchFunctionMode`), under whatever name it was fetched. What else is
built in is exchanged in the modules and in what the learner's code can have put it into. This is a lock against
answers, not against attacks: it lies in the process of the learner, who may break it. What the syntax says
(`bonsai.scratch`) is the other lock.
"""

import functools
import gc
import sys
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NoReturn

METHODS = "torch.Tensor."  # patterns of methods are left to the reader of syntax: torch itself uses all of them
SPARED = ("marshal", "torch.jit")  # and so are these: Python reads modules with the one, torch asks the other


MAKING = ("__init__", "__new__", "__call__")
WRITTEN_IN_PYTHON = 1 << 9  # a class's flag: it lives on the heap


class ShortcutUsed(BaseException):
    """A forbidden function was called; no `except Exception` hides it."""


def stub(*args: Any, **kwargs: Any) -> Any:
    refuse: Any = "REFUSE"
    return refuse()


STUB = stub.__code__


class Lock:
    """What patterns forbid, found once and put in and out of order.

    Args:
        patterns: dotted names, `*` inside a part; each stands for itself and for everything below it.
    """

    def __init__(self, patterns: list[str]):
        from bonsai.scratch import canonical

        self.used = ""
        self.patterns = [p for p in patterns if not p.startswith(METHODS) and p not in SPARED]
        self.torch = {c.removeprefix("torch."): p for p in self.patterns if (c := canonical(p)).count(".") == 1}
        self.torch = {c: p for c, p in self.torch.items() if f"torch.{c}" not in sys.modules}
        self.seen: dict[Any, str] = {}  # torch function -> the pattern that forbids it, or ""
        self.undo: list[Callable[[], None]] = []
        self.found: list[tuple[str, Any]] = []
        self.looked = 0  # at so many modules
        self.stubs: list[Callable] = []  # what stands for something built in
        self.mode: Any = None

    # putting out of order

    def __enter__(self) -> "Lock":
        self.used = ""
        if self.undo or self.mode:
            return self
        if self.looked != len(sys.modules):
            self.found, self.looked = list(self.forbidden()), len(sys.modules)
        self.exchange(tuple((name, thing) for name, thing in self.found if self.disable(name, thing)))
        sys.meta_path.insert(0, self)  # type: ignore[arg-type]
        self.undo.append(lambda: sys.meta_path.remove(self))  # type: ignore[arg-type]
        if self.torch:
            self.mode = watching(self)
            self.mode.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self.mode:
            self.mode.__exit__(None, None, None)
        while self.undo:
            self.undo.pop()()
        self.stubs.clear()
        self.mode = None

    def refuse(self, name: str) -> NoReturn:
        self.used = self.used or name
        raise ShortcutUsed(name)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Python asks this before it imports a module."""
        if any(covers(p, name) for p in self.patterns) and name.partition(".")[0] not in sys.stdlib_module_names:
            self.refuse(name)

    def forbidden(self) -> Iterator[tuple[str, Any]]:
        """The functions and classes that the patterns forbid, of the modules that are imported."""
        tops = {p.partition(".")[0] for p in self.patterns}
        modules = [(n, m) for n, m in list(sys.modules.items()) if n.partition(".")[0] in tops]
        for name, module in modules:
            for pattern in self.patterns if isinstance(module, types.ModuleType) else ():
                if covers(pattern, name):
                    yield from self.own(name, module)
                elif pattern.startswith(f"{name}.") and pattern.count(".") - name.count(".") <= 2:
                    yield from self.below(name, module, pattern.removeprefix(f"{name}.").split("."))

    def own(self, name: str, module: types.ModuleType) -> Iterator[tuple[str, Any]]:
        """What a forbidden module defines itself."""
        for key, thing in list(vars(module).items()):
            if key.startswith("__"):  # how a module answers for itself
                continue
            home = getattr(thing, "__module__", None)
            if callable(thing) and isinstance(home, str) and (home == name or home.strip("_") == name):
                yield f"{name}.{key}", thing

    def below(self, name: str, thing: Any, parts: list[str]) -> Iterator[tuple[str, Any]]:
        """What is under a pattern's parts in a module."""
        first, *rest = parts
        for key, value in list(vars(thing).items()) if hasattr(thing, "__dict__") else []:
            if fnmatchcase(key, first):
                if not rest and callable(value):
                    yield f"{name}.{key}", value
                elif rest and isinstance(value, type):
                    yield from self.below(f"{name}.{key}", value, rest)

    def disable(self, name: str, thing: Any) -> bool:
        """Put something out of order; whether it is built in, and has to be exchanged for something else."""
        if type(thing) is types.FunctionType:
            self.empty(name, thing)
        elif issubclass(type(thing), type) and thing.__flags__ & WRITTEN_IN_PYTHON:
            for key, function in list(vars(thing).items()) if not issubclass(thing, type) else ():
                if not key.startswith("_") or key in MAKING:  # the others are called where nobody means to
                    function = getattr(function, "__func__", function)
                    if type(function) is types.FunctionType and function.__module__ == thing.__module__:
                        self.empty(name, function)  # and not, say, Enum.__new__, which all enumerations share
        else:
            home = str(getattr(thing, "__module__", "")).partition(".")[0]
            return home != "torch" and not (
                home == "numpy" and issubclass(type(thing), type)
            )  # np.double is np.float64
        return False

    def empty(self, name: str, function: types.FunctionType) -> None:
        """Give a Python function code that refuses."""
        code = function.__code__
        if code.co_consts and callable(code.co_consts[-1]) and code.co_filename == STUB.co_filename:
            return  # two patterns meant it

        def refuse() -> NoReturn:
            self.refuse(name)

        consts = tuple(refuse if c == "REFUSE" else c for c in STUB.co_consts)
        function.__code__ = STUB.replace(co_consts=consts, co_freevars=code.co_freevars)
        self.undo.append(lambda: setattr(function, "__code__", code))

    def exchange(self, builtin: tuple[tuple[str, Any], ...]) -> None:
        """Put a function that refuses wherever something built in is kept: modules, and what the learner's code made.

        What was there when the process began is frozen, and no referrer; modules are looked through for that.
        """
        instead = {id(thing): self.refusing(name) for name, thing in builtin}
        homes = [vars(m) for m in list(sys.modules.values()) if isinstance(m, types.ModuleType)]
        for home in [*homes, *gc.get_referrers(*(thing for _, thing in builtin))] if builtin else []:
            if type(home) is types.CellType:
                items: list[tuple[Any, Any]] = [(None, home.cell_contents)]
            elif type(home) in (dict, list):
                items = list(home.items()) if type(home) is dict else list(enumerate(home))
            else:
                continue
            for key, thing in items:
                if id(thing) in instead:
                    put(home, key, instead[id(thing)])
                    self.undo.append(functools.partial(put, home, key, thing))

    def refusing(self, name: str) -> Callable:
        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            self.refuse(name)

        self.stubs.append(refuse)
        return refuse

    def torch_name(self, function: Any) -> str:
        """The pattern that forbids one of torch's own functions, or ""."""
        if function not in self.seen:
            method = isinstance(function, types.MethodDescriptorType | types.WrapperDescriptorType)
            method |= str(getattr(function, "__qualname__", "")).startswith(("Tensor.", "TensorBase."))
            name = str(getattr(function, "__name__", "")).partition(".")[0]
            found = [p for c, p in self.torch.items() if fnmatchcase(name, c)]
            self.seen[function] = found[0] if found and not method else ""
        return self.seen[function]


def put(home: Any, key: Any, value: Any) -> None:
    """Into a dictionary, a list or, without a key, a cell of a closure."""
    if key is None and type(home) is types.CellType:
        home.cell_contents = value
    else:
        home[key] = value


def watching(lock: Lock) -> Any:
    """Torch's own way of seeing each call of its functions."""
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            if name := lock.torch_name(function):
                lock.refuse(name)
            return function(*args, **(kwargs or {}))

    return Watch()


def covers(pattern: str, name: str) -> bool:
    """Whether the pattern names `name` or something above it, part by part."""
    if "*" not in pattern:
        return name == pattern or name.startswith(f"{pattern}.")
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
