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
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn

METHODS = "torch.Tensor."  # patterns of methods are left to the reader of syntax: torch itself uses all of them
SPARED = ("marshal", "torch.jit")  # and so are these: Python reads modules with the one, torch asks the other


LIBRARIES = sorted(filter(None, sys.path), key=len, reverse=True)  # folders, as they were before any learner's code
MAKING = ("__init__", "__new__", "__call__")
WRITTEN_IN_PYTHON = 1 << 9  # a class's flag: it lives on the heap


# Of the modules that were there before any learner's code: where a built-in thing is kept (its id -> namespaces), and
# how many names each namespace has. To look through all of them in each process would copy most of its memory.
KEEPERS: dict[int, list[dict[str, Any]]] = {}
SIZES: dict[int, int] = {}


def remember_keepers() -> None:
    """Note where modules keep what is built in: in the parent of the processes, whenever it has imported something."""
    KEEPERS.clear()
    SIZES.clear()
    for module in [m for m in list(sys.modules.values()) if isinstance(m, types.ModuleType)]:
        if module.__name__ != "__main__":  # where the learner's code will be
            SIZES[id(vars(module))] = len(vars(module))
            for thing in vars(module).values():
                if callable(thing) and type(thing) is not types.FunctionType:
                    KEEPERS.setdefault(id(thing), []).append(vars(module))


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
        self.tops = {p.partition(".")[0] for p in self.patterns}
        self.modules: dict[str, Any] = {}  # that were looked at
        self.found: dict[str, Any] = {}  # what was found in them
        self.mark: Any = None  # as old as the last look
        self.read: dict[int, tuple[types.CodeType, str]] = {}  # its id -> code, and what it is called if forbidden
        self.functions: dict[types.FunctionType, str] = {}  # what is written in Python -> what it is called
        self.builtins: dict[int, tuple[str, Any]] = {}  # its id -> what it is called, and itself
        self.codes: dict[types.FunctionType, tuple[types.CodeType, types.CodeType]] = {}  # its own, one that refuses
        self.stubs: list[Callable] = []  # what stands for something built in
        self.mode: Any = None

    # putting out of order

    def __enter__(self) -> "Lock":
        self.used = ""
        if self.undo or self.mode:
            return self
        self.look()
        for function, name in self.functions.items():
            function.__code__ = self.refusing_code(name, function)
            self.undo.append(functools.partial(setattr, function, "__code__", self.codes[function][0]))
        self.exchange()
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

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Python asks this before it imports a module. What torch only asks for, it hears of and cannot load."""
        if name.partition(".")[0] in sys.stdlib_module_names or not any(covers(p, name) for p in self.patterns):
            return None
        if not torch_only_asks():
            self.refuse(name)
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        found = next((spec for spec in others if spec), None)
        if found:
            found.loader = Refusing(self)
        return found

    def look(self) -> None:
        """Find what is forbidden in the packages of which modules have been imported since the last look."""
        before, self.modules = self.modules, dict(sys.modules)
        packages = {name.partition(".")[0] for name, module in self.modules.items() if before.get(name) is not module}
        packages |= {name.partition(".")[0] for name, thing in self.found.items() if replaced(name, thing)}
        for pattern in self.patterns:
            if pattern.partition(".")[0] in packages:
                for name, thing in forbidden(pattern):
                    self.found[name] = thing
                    self.sort(name, thing)
        # a library's code that ran again, or whose module is hidden. What was there when the process began is frozen,
        # and what came since the last look is young: unless the collector has been there, and taken the mark along
        mark: list = []
        made = [*gc.get_objects(0), *gc.get_objects(1)]
        if id(self.mark) not in map(id, made):
            made = gc.get_objects()
        self.mark = mark
        for function in [thing for thing in made if type(thing) is types.FunctionType]:
            if name := self.forbidden_code(function.__code__):
                self.functions.setdefault(function, name)
        for function, name in self.functions.items():
            self.refusing_code(name, function)

    def forbidden_code(self, code: types.CodeType) -> str:
        """What a function's code is called in the library that it comes from, if that is forbidden, or ""."""
        if id(code) not in self.read:
            name = f"{module_of(code.co_filename)}.{code.co_qualname}"
            last = name.rpartition(".")[2]
            wanted = name.partition(".")[0] in self.tops and (last[0] not in "_<" or last in MAKING)
            wanted = wanted and any(covers(p, name) for p in self.patterns)
            self.read[id(code)] = code, name if wanted else ""
        return self.read[id(code)][1]

    def sort(self, name: str, thing: Any) -> None:
        """Something forbidden among the functions whose code can be changed, or what has to be exchanged."""
        if type(thing) is functools._lru_cache_wrapper:
            thing = thing.__wrapped__
        if type(thing) is types.FunctionType:
            self.functions.setdefault(thing, name)
        elif issubclass(type(thing), type) and thing.__flags__ & WRITTEN_IN_PYTHON:
            for key, function in list(vars(thing).items()) if not issubclass(thing, type) else ():
                if not key.startswith("_") or key in MAKING:  # the others are called where nobody means to
                    function = getattr(function, "__func__", function)
                    if type(function) is types.FunctionType and function.__module__ == thing.__module__:
                        self.functions.setdefault(function, name)  # not, say, Enum.__new__, which all share
        else:
            home = str(getattr(thing, "__module__", "")).partition(".")[0]
            number = home == "numpy" and issubclass(type(thing), type)  # np.double is np.float64
            kernel = type(thing).__module__.startswith("triton.")  # runs on a GPU, and there is none
            if home != "torch" and not number and not kernel:
                self.builtins.setdefault(id(thing), (name, thing))

    def refusing_code(self, name: str, function: types.FunctionType) -> types.CodeType:
        """What stands for a Python function's own code; both are kept."""
        code = function.__code__
        if function not in self.codes or self.codes[function][0] is not code:

            def refuse() -> NoReturn:
                self.refuse(name)

            consts = tuple(refuse if c == "REFUSE" else c for c in STUB.co_consts)
            self.codes[function] = code, STUB.replace(co_consts=consts, co_freevars=code.co_freevars)
        return self.codes[function][1]

    def exchange(self) -> None:
        """Put a function that refuses wherever something built in is kept: modules, and what the learner's code made.

        What was there when the process began is frozen, and no referrer; where its modules keep something is known, and
        those that came or grew since are looked through.
        """
        if not self.builtins:
            return
        instead = {key: self.refusing(name) for key, (name, _) in self.builtins.items()}
        homes = [home for thing in instead for home in KEEPERS.get(thing, ())]
        every = [vars(m) for m in list(sys.modules.values()) if isinstance(m, types.ModuleType)]
        homes += [home for home in every if SIZES.get(id(home)) != len(home)]
        for home in [*homes, *gc.get_referrers(*(thing for _, thing in self.builtins.values()))]:
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


class Refusing(Loader):
    """Loads nothing: what is found with it may be looked at, not imported."""

    def __init__(self, lock: Lock):
        self.lock = lock

    def create_module(self, spec: ModuleSpec) -> NoReturn:
        self.lock.refuse(spec.name)

    def exec_module(self, module: types.ModuleType) -> NoReturn:
        self.lock.refuse(module.__name__)


def torch_only_asks() -> bool:
    """Whether torch asks if a library is there: the first optimizer of a process makes it do so."""
    from importlib.util import find_spec

    import torch

    frame, asked = sys._getframe(2), False
    while frame and frame.f_code.co_filename.startswith("<frozen importlib"):
        asked |= frame.f_code is find_spec.__code__
        frame = frame.f_back  # type: ignore[assignment]
    return asked and frame is not None and frame.f_code.co_filename.startswith(torch.__path__[0])


def imported_since(count: int) -> list[str]:
    """Names of the modules that came after the first so many, the last one first."""
    return list(itertools.islice(reversed(sys.modules), max(0, len(sys.modules) - count)))


@functools.lru_cache(maxsize=10_000)
def module_of(file: str) -> str:
    """The dotted name of the module that a file of a library holds."""
    for folder in LIBRARIES:
        if file.startswith(f"{folder}/"):
            return file.removeprefix(f"{folder}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return ""


def replaced(name: str, thing: Any) -> bool:
    """Whether a module holds something else under the name by now: it was run again, or written to."""
    home, _, key = name.rpartition(".")
    return isinstance(module := sys.modules.get(home), types.ModuleType) and vars(module).get(key, thing) is not thing


def forbidden(pattern: str) -> list[tuple[str, Any]]:
    """The functions and classes that a pattern forbids, of the modules that are imported."""
    found = list[tuple[str, Any]]()
    for name, module in modules_below(pattern.partition(".")[0]):
        if covers(pattern, name):
            found += own(name, module)
        elif pattern.startswith(f"{name}.") and pattern.count(".") - name.count(".") <= 2:
            found += below(name, module, pattern.removeprefix(f"{name}.").split("."))
    return found


def modules_below(top: str) -> list[tuple[str, types.ModuleType]]:
    """The imported modules of a package."""
    named = [(n, m) for n, m in list(sys.modules.items()) if n == top or n.startswith(f"{top}.")]
    return [(n, m) for n, m in named if isinstance(m, types.ModuleType)]


def own(name: str, module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """What a forbidden module defines itself."""
    for key, thing in list(vars(module).items()):
        if key.startswith("__"):  # how a module answers for itself
            continue
        home = getattr(thing, "__module__", None)
        if callable(thing) and isinstance(home, str) and (home == name or home.strip("_") == name):
            yield f"{name}.{key}", thing


def below(name: str, thing: Any, parts: list[str]) -> Iterator[tuple[str, Any]]:
    """What is under a pattern's parts in a module."""
    first, *rest = parts
    for key, value in list(vars(thing).items()) if hasattr(thing, "__dict__") else []:
        if fnmatchcase(key, first):
            if not rest and callable(value):
                yield f"{name}.{key}", value
            elif rest and isinstance(value, type):
                yield from below(f"{name}.{key}", value, rest)


def covers(pattern: str, name: str) -> bool:
    """Whether the pattern names `name` or something above it, part by part: `bonsai.scratch.covers`, for a process that
    does without torch, and out of the way of code that writes to the toolkit."""
    if "*" not in pattern:
        return name == pattern or name.startswith(f"{pattern}.")
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
