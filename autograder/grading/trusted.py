"""Runs the test cells, outside the sandbox, in a process that never holds one of the learner's objects.

An exercise here is a function that asks the learner's process, through the grader, and gets plain data back. A probe
sends its own source there. What stays here: the tests, their seeds, the expected values, and every comparison.
"""

import ast
import builtins
import contextlib
import fcntl
import gc
import io
import math
import os
import random
import re
import resource
import socket
import symtable
import sys
import time
import types
from collections.abc import Callable, Collection, Iterable
from typing import Any, NoReturn

from autograder.box import wire
from autograder.box.worker import CALL, MESSAGE, NOT_SHOWN, PROBE, import_toolkit, serve

# The grader's requests, and this process's questions back.
SETUP, TEST, BEGIN, READ, CHOOSE = 32, 33, 34, 35, 36
RESULT, ASK = 96, 97
ANSWER, LOST = 98, 99

MEMORY = 3 << 30  # a fork of the parent has 0.85 GB; a test of the lessons needs no more than twice that
OUTPUT_CHARACTERS = 50_000
# Exceptions that would end a loop of the test in silence, if an answer could raise them here.
SILENT = (StopIteration, StopAsyncIteration, GeneratorExit)


class AnswerError(RuntimeError):
    """The learner's code raised something that has no builtin base worth having."""


class AnswerLost(BaseException):
    """The learner's process is gone, or used what is forbidden. No test can catch it by catching `Exception`."""


def main() -> None:
    """The parent: imports what the tests of most lessons need, and reads the images."""
    gc.disable()  # `serve` enables it
    from autograder.grading import demonstrations, suspicion  # noqa: F401
    from bonsai import data

    import_toolkit()
    with contextlib.suppress(FileNotFoundError, ValueError):  # the tests say so
        for split in ("validation", "test"):
            data.load(split)
    serve(socket.socket(fileno=os.dup(0)), tester, enclosed=False, learn=learn)


def learn(text: str) -> None:
    """Parse a cell of the teacher's for all that read the syntax; a submission's own cells are never read here."""
    from autograder.grading.demonstrations import look
    from bonsai import bundle, scratch

    with contextlib.suppress(Exception):  # whoever needs it will say so
        look(text)
        scratch.binding_nodes(text)
        bundle.statements(text)


def tester(channel: wire.Channel) -> NoReturn:
    """Serve one submission's tests."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    fcntl.fcntl(channel.reader, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    bench: Bench | None = None
    while True:
        kind, number, body = channel.receive()
        request = wire.decode(body)
        if kind == BEGIN:
            bench, reply = Bench(channel, **request), {}
        elif bench is None:
            os._exit(1)
        else:
            served: dict[int, Callable[..., dict]] = {SETUP: bench.setup, TEST: bench.test, READ: bench.read}
            served[CHOOSE] = bench.choose
            reply = served[kind](**request)
        channel.send(RESULT, number, wire.encode(reply))


class Bench:
    """The names of the set-up cell, and the exercises as remote calls.

    Args:
        cells: the submission's code cells, for the search for shortcuts. They are only ever parsed.
        setups: which of the cells are set-up cells: their numbers.
        stubs: the teacher's answer cells: what they define is the learner's.
        helpers: folder of the lesson's own helper files, or "".
    """

    def __init__(self, channel: wire.Channel, cells: list[str], setups: list[int], stubs: list[str], helpers: str):
        import bonsai.testing

        self.channel, self.cells, self.setups, self.above = channel, cells, set(setups), len(cells)
        self.exercises = {name for stub in stubs for name in defined(stub)}
        self.sources: dict[str, str] = {}
        self.ran: list[str] = []  # set-up cells
        self.flags: list[str] = []  # of the test that runs, for the teacher
        self.forbidden: dict[str, list[str]] = {}  # exercise -> names that it must do without, in this test
        self.failed: dict[str, str] = {}
        self.tested = ""
        self.testing = bonsai.testing
        self.testing.raises = True
        for name in ("probe", "fresh", "from_scratch"):
            setattr(bonsai.testing, name, getattr(self, name))
        module = types.ModuleType("__main__")
        module.__dict__["get_ipython"] = lambda: None
        sys.modules["__main__"], self.namespace = module, module.__dict__
        os.environ["NBGRADER_EXECUTION"] = "autograde"
        if helpers:
            os.chdir(helpers)
            sys.path.insert(0, helpers)

    def setup(self, name: str, source: str) -> dict:
        """Run a set-up cell."""
        self._seed()
        self.ran.append(source)
        try:
            with self._quiet():
                self._run(name, source, self.namespace)
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}"}
        return {"failed": ""}

    def test(self, name: str, source: str, above: int, failed: dict[str, str]) -> dict:
        """Run a test cell by itself: whether it came to its end, and what it said.

        Args:
            above: as many cells above it has A run.
            failed: names that a cell should have defined -> how that cell failed.
        """
        self._seed()
        self.above, self.flags, self.forbidden = above, [], {}
        self.failed, self.tested = failed, name.removeprefix("test_")
        self.testing.recorded.clear()
        self.testing.awarded.clear()
        self.testing.remarks.clear()
        said: dict[str, Any] = {"passed": False, "message": "", "hidden": False, "malformed": False}
        began = time.perf_counter()
        with self._quiet() as printed:
            try:
                self._run(name, source, self._names(source))
                said["passed"] = True
            except wire.WireError as error:
                said |= {"message": f"what your function returned could not be read: {error}", "malformed": True}
            except BaseException as error:
                said["message"] = self._explain(error)
                said["hidden"] = in_hidden_region(error, f"<{name}>", source)
        said["seconds"] = time.perf_counter() - began
        said["printed"] = printed.getvalue()
        said["measured"] = {k: v for k, v in self.testing.recorded.items() if math.isfinite(v)}
        said["share"] = self.testing.awarded[-1] if self.testing.awarded else float(said["passed"])
        said["flags"] = [*self.flags, *self.testing.remarks]
        return said

    def read(self, cells: list[tuple[str, str]], setup: str, failed: list[str]) -> dict:
        """What a teacher should look at in the learner's cells, (name, source) each. They are parsed, never run."""
        from autograder.grading.suspicion import suspicions

        return {"flags": suspicions(cells, setup, failed)}

    def choose(self, cells: list[tuple[str, str]]) -> dict:
        """Which demonstrations are needed: indices of cells, (role, source) each, which are only ever parsed."""
        from autograder.grading.demonstrations import to_run

        return {"run": sorted(to_run(cells))}

    def _names(self, source: str) -> dict[str, Any]:
        """What a test cell sees: a copy of the set-up cell's names; what the teacher's answers define, and whatever
        else it uses and nothing else defines, is the learner's."""
        names = dict(self.namespace)
        for free in self.exercises | (global_names(source) - set(names) - set(dir(builtins))):
            names[free] = self._remote(free)
        return names

    def _run(self, name: str, source: str, namespace: dict) -> None:
        source = without_magics(source)
        self.sources[f"<{name}>"] = source
        exec(compile(source, f"<{name}>", "exec"), namespace)

    @contextlib.contextmanager
    def _quiet(self) -> Any:
        printed = Bounded()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(Bounded()):
            yield printed

    def _seed(self) -> None:
        import numpy
        import torch

        torch.manual_seed(0)
        numpy.random.seed(0)
        random.seed(0)

    def _explain(self, error: BaseException) -> str:
        """What to tell the learner."""
        lines = getattr(error, "learner_lines", None)
        name, text = type(error).__name__, str(error)
        if isinstance(error, self.testing.CheckFailed):
            text = re.sub(
                r"yours raised NameError: name '(\w+)' is not defined", lambda m: self._missing(m[1]) or m[0], text
            )
            return text
        if isinstance(error, AnswerLost):
            return text
        if lines is not None:
            if self.testing.is_stub(error):
                other = re.search(r"of the answer to (\w+)", "\n".join(lines[-1:]))
                uses = f": it uses {other[1]}, which is not" if other and other[1] != self.tested else ""
                return f"not answered yet{uses}"
            name = getattr(error, "learner_type", name)
            unknown = re.fullmatch(r"name '(\w+)' is not defined.*", text) if name == "NameError" else None
            said = (unknown and self._missing(unknown[1])) or f"your code raised {name}: {text}"
            call = getattr(error, "learner_call", "")
            return "\n".join([said, *lines, *([f"  try it: {call}"] if call else []), *self.testing.advice(name, text)])
        if isinstance(error, AssertionError):
            return text or "a check of the test does not hold"
        return f"the test could not use what your function returned: {name}: {text}"

    def _missing(self, name: str) -> str:
        """Why a name is not defined, if the cell that should have defined it failed."""
        if name not in self.failed:
            return ""
        kind, _, text = self.failed[name].partition(" failed: ")[2].partition(": ")
        return "\n".join([f"{name} is missing, because {self.failed[name]}", *self.testing.advice(kind, text)])

    # What the tests see ------------------------------------------------------------------------------------------

    def _remote(self, name: str) -> Callable:
        """An exercise: the call goes to the learner's process."""
        return self._function(name, CALL, "")

    def probe(self, fn: Callable) -> Callable:
        """A probe: its source, without comments, goes to the learner's process with each call."""
        node = self._definition(fn)
        node.decorator_list = []
        source = ast.unparse(node)
        if fn.__code__.co_freevars:
            raise TypeError(f"probe {fn.__name__} uses {fn.__code__.co_freevars}, which do not travel: pass them to it")
        unknown = global_names(source) - {fn.__name__} - set(self.namespace) - set(dir(builtins)) - self.exercises
        if unknown and self.exercises:
            raise TypeError(f"probe {fn.__name__} uses {', '.join(sorted(unknown))}, which do not travel")
        return self._function(fn.__name__, PROBE, source)

    def fresh(self, exercise: Callable, limit: int | None = None, alone: bool = False) -> Callable:
        """The exercise in a process that has not seen the data, nor what the other one did; see `bonsai.testing.fresh`.

        What the new process gets of the learner's code is chosen here, by its syntax.
        """
        from bonsai import bundle

        try:
            name, kind, source = exercise.remote  # type: ignore[attr-defined]
        except AttributeError:
            raise TypeError("fresh() takes an exercise or a probe") from None
        own = [cell for i, cell in enumerate(self.cells[: self.above]) if i not in self.setups]
        own = bundle.home_of(name, own) if alone else own
        setup = "\n".join(self.ran)
        code = bundle.needed_code(own, global_names(source) if source else {name}, setup)
        ask = self._function(name, kind, source, code)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.testing.require_short(name, code, limit or bundle.LIMIT)
            try:
                return ask(*args, **kwargs)
            except NameError as error:
                error.args = (f"{error} (in a fresh process, which knows only {name} and the code that it uses)",)
                raise

        call.__name__ = name
        call.code = code  # type: ignore[attr-defined]
        call.code_bytes = bundle.compressed(code)  # type: ignore[attr-defined]
        return call

    def from_scratch(self, exercise: Callable, forbidden: Iterable[str], uses: Collection[str] = ()) -> None:
        """Fail if the answer takes a shortcut; see `bonsai.testing.from_scratch`.

        Its syntax tree decides that here; and from now on, in this test, what is forbidden is out of order in the
        learner's process while the exercise or a probe runs.

        Raises:
            CheckFailed: naming the shortcut.
        """
        from bonsai.scratch import find_shortcuts, own_modules

        forbidden = [*forbidden, *(module for module in own_modules(self.ran) if module not in uses)]
        self.forbidden.setdefault(exercise.__name__, []).extend(forbidden)
        found = find_shortcuts(self.cells[: self.above], exercise.__name__, forbidden)
        self.testing.report_shortcuts(exercise.__name__, found)

    def _definition(self, fn: Callable) -> ast.FunctionDef:
        """The syntax tree of a probe, from the text of the cell that defines it."""
        tree = ast.parse(self.sources[fn.__code__.co_filename])
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == fn.__name__:
                lines = [node.lineno, *(d.lineno for d in node.decorator_list)]
                if fn.__code__.co_firstlineno in lines:
                    return node
        raise TypeError(f"{fn.__name__} is not a function of this cell, so it cannot be a probe")

    def _function(self, name: str, kind: int, source: str, fresh: str | None = None) -> Callable:
        """`fresh`: the learner's code for a process of its own."""

        def ask(*args: Any, **kwargs: Any) -> Any:
            locked = self._locked(name, kind)
            try:
                request = (source, name, args, kwargs, locked)
                body = wire.encode(request, strict=True, limit=wire.MAX_BYTES - 1024)
            except (TypeError, ValueError) as error:
                raise TypeError(f"the test cannot send this to {name}: {error}") from None
            try:
                return self._ask(name, kind, fresh, locked, body)
            except Exception as error:
                if kind == CALL:
                    error.learner_call = self.testing.call_as_code(name, args, kwargs)  # type: ignore[attr-defined]
                raise

        ask.__name__ = ask.__qualname__ = name
        ask.remote = (name, kind, source)  # type: ignore[attr-defined]
        return ask

    def _locked(self, name: str, kind: int) -> tuple[str, ...]:
        """What is out of order during a call. A probe also runs the course's own code, which reads compressed data and
        measures; there libraries are, and of the lesson's modules what a test names, not the modules as a whole."""
        from bonsai.scratch import own_modules

        if kind == CALL:
            return tuple(self.forbidden.get(name, ()))
        own, modules = {*sys.stdlib_module_names, "bonsai"}, own_modules(self.ran)
        every = dict.fromkeys(pattern for patterns in self.forbidden.values() for pattern in patterns)
        return tuple(p for p in every if p.partition(".")[0] not in own and p not in modules)

    def _ask(self, name: str, kind: int, fresh: str | None, locked: tuple[str, ...], body: bytes) -> Any:
        self.channel.send(ASK, 0, wire.encode((name, kind, fresh, locked, body), limit=2 * wire.MAX_BYTES))
        answer, _, body = self.channel.receive(2 * wire.MAX_BYTES)
        if answer == LOST:
            raise AnswerLost(str(body, "utf-8"))
        reply = wire.decode(body)
        if isinstance(reply, tuple) and len(reply) == 2:
            if reply[0] == "value":
                return reply[1]
            if reply[0] == "error":
                error = rebuilt(reply[1])
                if error.learner_type == "ShortcutUsed":  # type: ignore[attr-defined]
                    exercises = [name] if kind == CALL else sorted(self.forbidden)
                    raise AnswerLost(self.testing.shortcut_sentence(" and ".join(exercises), [str(error)]))
                if odd := oddity(reply[1]):
                    self.flags.append(f"{name} {odd}.")
                raise error
        raise wire.WireError("a reply that is neither a value nor an error")


class Bounded(io.StringIO):
    """Text up to a length; the rest is dropped."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, OUTPUT_CHARACTERS - self.tell())])
        return len(text)


def rebuilt(said: Any) -> Exception:
    """The learner's exception as the builtin class of that name, or its nearest builtin base.

    Raises:
        WireError: the description has another form than `worker.describe` gives it.
    """
    try:
        bases, args, lines = list(said["bases"]), tuple(said["args"]), [str(line) for line in said["traceback"]]
        name, message = str(said["type"]), str(said["message"])
    except (TypeError, KeyError):
        raise wire.WireError("an error without its parts") from None
    error: Exception = AnswerError(message)
    for base in bases:
        kind = getattr(builtins, base, None) if isinstance(base, str) else None
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, SILENT):
            try:
                error = kind(*args)
            except Exception:  # some need other arguments
                continue
            break
    error.learner_lines, error.learner_type = lines, name  # type: ignore[attr-defined]
    return error


def oddity(said: dict) -> str:
    """What a teacher should know of a learner's exception, as the end of a sentence."""
    kind, message = str(said["type"]), str(said["message"])
    if kind == "Unsendable" and re.search(r"too many|deep|bits", message):
        return "returned more than a test takes, or something without end"
    if kind in ("SystemExit", "KeyboardInterrupt", *(s.__name__ for s in SILENT)):
        return f"raised {kind}, which no answer needs"
    if kind == "MemoryError" or "can't allocate memory" in message:
        return "asked for more memory than there is"
    if len(message) >= MESSAGE or message == NOT_SHOWN:
        return "raised an error with a text that cannot be shown"
    return ""


def defined(source: str) -> list[str]:
    """Functions and classes at the top of a cell."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in ast.parse(without_magics(source)).body if isinstance(node, kinds)]


def global_names(source: str) -> set[str]:
    """Names that a cell reads from around it: not its own variables, parameters or imports."""
    top = symtable.symtable(without_magics(source), "<cell>", "exec")
    found = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    own = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    tables = list(top.get_children())
    for table in tables:
        tables += table.get_children()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return found - own


def without_magics(source: str) -> str:
    """`%matplotlib inline` and `!ls` mean nothing here; the lines stay, so that their numbers do."""
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.M)


def in_hidden_region(error: BaseException, filename: str, source: str) -> bool:
    """Whether the cell's line that failed stands between the markers of hidden tests."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename and trace.tb_frame.f_code.co_name == "<module>":
            line = trace.tb_lineno
        trace = trace.tb_next
    before = source.split("\n")[:line]
    return sum("BEGIN HIDDEN TESTS" in b for b in before) > sum("END HIDDEN TESTS" in b for b in before)


if __name__ == "__main__":
    main()
