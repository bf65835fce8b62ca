"""What test cells are written with: `check`, `check_errors`, `check_inputs`, `expect`, `require`, `probe`, `fresh`, …

A failed check raises `CheckFailed`, which Jupyter shows as a few lines of text instead of a traceback.
In the learner's kernel (and under stock nbgrader) a probe is just a call. The course's grader runs probes, and
every call of an exercise, in the learner's sandboxed process, and everything else in this module outside it.
"""

import copy
import math
import numbers
import os
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from IPython import get_ipython
from torch import Tensor

from bonsai import bundle, kernel
from bonsai.scratch import find_shortcuts, own_modules
from bonsai.settings import usual_settings
from bonsai.wording import advice, call_as_code, is_stub, name_of, raised  # noqa: F401

NOT_WRITTEN = "NotImplementedError: not written yet. Write the answer in place of `raise NotImplementedError()`."


def warn_on_stdout(message, category, filename, lineno, file=None, line=None) -> None:
    """Show a warning as a cell's output: to stock nbgrader anything on stderr is a failed test."""
    print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stdout)


if os.environ.get("NBGRADER_EXECUTION"):  # nbgrader is grading or validating
    warnings.showwarning = warn_on_stdout


class CheckFailed(AssertionError):
    """A check did not hold; the message is for the learner."""

    sentences: tuple[str, ...] = ()  # all that are said of a mistake and agree with what was observed

    def _render_traceback_(self) -> list[str]:  # IPython shows these lines in place of a traceback
        return [f"✗ {self}"]


def expect(got, want, what: str, mistakes: dict | None = None, tol: float | Tensor = 0.0) -> None:
    """Compare a result with what it should be: type, then shape, then values.

    Args:
        got: what the learner's code, or a probe, returned.
        want: the right value: number, string, bytes, None, tensor, or tuples, lists and dicts of these.
        what: in words, what is compared.
        mistakes: sentence -> the value that this mistake gives, or a function that says whether `got` shows it.
        tol: largest allowed difference, absolute below 1 and relative above; a tensor gives it element by element.

    Integer tensors may have any integer dtype, float tensors any float dtype.

    Raises:
        CheckFailed: with the sentence of the mistake that `got` shows, and the first difference.
    """
    found = difference(got, want, tol)
    if found is None:
        print(f"✓ {what}")
        return
    fits = [
        sentence
        for sentence, wrong in (mistakes or {}).items()
        if (_holds(wrong, got) if callable(wrong) else difference(got, wrong, tol) is None)
    ]
    fail(f"{what}: {next(iter(fits), '')}\n{found}", fits)


def check(
    exercise: Callable,
    cases: list[tuple],
    want: list | Callable,
    mistakes: dict[str, list | Callable | tuple] | None = None,
    symptoms: dict[str, Callable] | None = None,
    tol: float = 0.0,
) -> None:
    """Call an exercise on many arguments and report the first case that is wrong.

    Args:
        exercise: the learner's function.
        cases: one tuple of arguments a call.
        want: the right value of each case, or a function that computes it from the arguments.
        mistakes: sentence -> what the function with that mistake returns in each case (`...` where that does not
            matter), or that function, or a tuple of these. A mistake is named if it gives the first wrong result
            and no right one shows that it was not made; of several, the one that gives most of the results.
        symptoms: sentence -> a function of the result, the right value and the arguments that says whether the
            result shows it; see `shown`. These are looked at first.
        tol: as in `expect`.

    Raises:
        CheckFailed: with the call, the sentence of the mistake, and the first difference.
    """
    name = name_of(exercise)
    wants = [want(*case) for case in cases] if callable(want) else want
    results = [_outcome(exercise, copy.deepcopy(case)) for case in cases]  # copies: the answer may change its input
    first = next((i for i, w in enumerate(wants) if not _same(results[i], w, tol)), None)
    if first is None:
        print(f"✓ {name}: {len(cases)} case{'s' * (len(cases) > 1)}")
        return
    got, case, right = results[first], cases[first], wants[first]
    found = [m for m, shows in (symptoms or {}).items() if shown(shows, got, right, *case)]
    fits: dict[str, int] = {}
    for m, ways in (mistakes or {}).items():
        for way in ways if isinstance(ways, tuple) else (ways,):
            values = [_outcome(way, c) for c in cases] if callable(way) else way
            same = [v is not ... and _same(g, v, tol) for g, v in zip(results, values, strict=True)]
            refuted = any(  # with this mistake, a result that is right would have been wrong
                not fit and _finite(v) and _same(g, w, tol)
                for g, w, v, fit in zip(results, wants, values, same, strict=True)
            )
            if same[first] and not refuted:
                fits[m] = max(sum(same), fits.get(m, 0))
    found += sorted(fits, key=lambda m: -fits[m])
    error = got if isinstance(got, Exception) else None
    seen = f"  expected {show(right)}\n  yours {raised(error)}" if error else difference(got, right, tol)
    fail(f"{_call(name, case)}: {next(iter(found), '')}\n{seen}", found, error)


def shown(symptom: Callable, got: object, right: object, *case: object) -> bool:
    """Whether a result shows a symptom, which must agree with all that is observed.

    A result of another form (an exception, another type, shape or kind of dtype) shows it only if an unrelated one
    would not: an exception of a class that nobody raises, a tensor of an odd shape. (A dict is a probe's report, whose
    parts a symptom picks by name.)
    """
    if not _holds(symptom, got, right, *case):
        return False
    if isinstance(got, Exception):
        return not _holds(symptom, _Unrelated("something else"), right, *case)
    if isinstance(got, dict) or same_form(got, right):
        return True
    return not _holds(symptom, _of_odd_shape(right), right, *case)


def _finite(value: object) -> bool:
    """Whether something is predicted at all: `...`, an exception or a nan is no prediction."""
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    if isinstance(value, (list, tuple)):
        return all(map(_finite, value))
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return value is not ... and not isinstance(value, Exception) and (type(value) is not float or math.isfinite(value))


class _Unrelated(Exception):
    """Stands for any error that has nothing to do with a symptom."""


def _of_odd_shape(want: Any) -> Any:
    """Something of the same type and dtype that has nothing to do with `want`."""
    if isinstance(want, Tensor):
        return torch.zeros(97, 89, 1, 1, dtype=want.dtype)
    if isinstance(want, (list, tuple)):
        return [_of_odd_shape(w) for w in want]
    return want


def stumbled(got: object) -> bool:
    """Whether a result is an exception that values and shapes cause, not one of a slip such as a misspelt name."""
    return isinstance(got, (ArithmeticError, ValueError, IndexError)) or type(got) is RuntimeError


def same_form(got: object, want: object) -> bool:
    """Whether two values agree in type, shape and kind of dtype, whatever the numbers in them are."""
    if isinstance(want, Tensor):
        return isinstance(got, Tensor) and _kind(got) == _kind(want) and got.shape == want.shape
    if isinstance(want, (list, tuple)):
        return isinstance(got, (list, tuple)) and len(got) == len(want) and all(map(same_form, got, want))
    if isinstance(want, dict):
        return isinstance(got, dict) and set(got) == set(want) and all(same_form(got[k], w) for k, w in want.items())
    if isinstance(want, bool) or want is None or isinstance(want, (str, bytes)):
        return type(got) is type(want)
    number = numbers.Integral if isinstance(want, numbers.Integral) else numbers.Real
    return isinstance(got, number) and not isinstance(got, bool)


def fail(message: str, sentences: list[str] | None = None, cause: Exception | None = None) -> NoReturn:
    """Raise CheckFailed; `sentences` are all that agree with what was observed. The message holds the first."""
    error = CheckFailed(message)
    error.sentences = tuple(sentences or ())
    raise error from cause


def _call(name: str, args: tuple) -> str:
    return call_as_code(name, args) or f"{name}({', '.join(show(a, 40) for a in args)})"


def _outcome(fn: Callable, args: tuple) -> object:
    """What a call returns or, as a value, the exception that it raises."""
    try:
        with usual_settings():
            return fn(*args)
    except Exception as error:
        if is_stub(error):
            vars(error)["_render_traceback_"] = lambda: [NOT_WRITTEN]
            raise
        return error


def _holds(shows: Callable, *args) -> bool:
    """Whether a symptom shows; an answer that has not even the form which the symptom looks at does not show it."""
    try:
        return bool(shows(*args))
    except Exception:
        return False


def _same(got, want, tol) -> bool:
    if isinstance(got, Exception) or isinstance(want, Exception):
        return type(got) is type(want)
    return difference(got, want, tol) is None


def check_errors(error: type[Exception], exercise: Callable, *cases: tuple) -> None:
    """Check that each call raises `error`, as the exercise's docstring promises.

    Raises:
        CheckFailed: nothing, or something else, was raised.
        NotImplementedError: the exercise has not been answered yet.
    """
    for case in cases:
        got = _outcome(exercise, case)
        if not isinstance(got, error):
            came = raised(got) if isinstance(got, Exception) else f"returned {show(got)}"
            fail(f"{_call(name_of(exercise), case)}: expected {error.__name__}, yours {came}")
    print(f"✓ {name_of(exercise)} raises {error.__name__}")


def check_inputs(inputs_after: Callable, exercise: Callable, *args) -> None:
    """Check that a call leaves its arguments as they were.

    Args:
        inputs_after: a probe that calls the exercise of a given name and returns the list of its arguments.

    Raises:
        CheckFailed: an argument was changed.
    """
    name = name_of(exercise)
    after = inputs_after(name, *copy.deepcopy(args))
    for i, (got, want) in enumerate(zip(after, args, strict=True)):
        if found := difference(got, want):
            fail(f"{name} changed its input, argument {i + 1}; work on a copy\n{found}")
    print(f"✓ {name} leaves its inputs as they are")


def require(holds: bool, message: str, passed: str = "") -> None:
    """Check a property; `message` says what was expected, what came, and what to look at.

    Raises:
        CheckFailed: with `message`, when `holds` is false.
    """
    if not holds:
        raise CheckFailed(message)
    if passed:
        print(f"✓ {passed}")


def probe(fn: Callable) -> Callable:
    """Mark a function that runs beside the answer and returns plain data (tensors, numbers, strings, lists, dicts).

    Its source is all that travels: it may use its arguments, the names of the set-up cell and the exercises.
    """
    return fn


def fresh(exercise: Callable, limit: int = bundle.LIMIT, alone: bool = False) -> Callable:
    """The same exercise as a new process would run it, with no memory of this one, no data and no checkpoints.

    Args:
        exercise: the learner's function, or a probe.
        limit: most bytes, as UTF-8, of the learner's own code that the new process takes: the exercise (of a probe, the
            exercises that it calls) and what they use.
        alone: the exercise's own cell is all that the new process takes, beside the set-up.

    Returns:
        a function with the attributes `code`, the text of that code, and `code_bytes`: its size, packed by zlib at
        level 9. It belongs to a file that only this code can read, so it is added to the file's bytes before a ratio
        is formed.
    """
    shell = get_ipython()  # the cells run so far; the course's grader looks at the submitted notebook instead
    cells = bundle.newest(list(shell.user_ns["In"]) if shell else [])
    setup = "\n".join(filter(is_setup, cells))
    own = [cell for cell in cells if not is_setup(cell)]
    own = bundle.home_of(name_of(exercise), own) if alone else own
    code = bundle.needed_code(own, needed_by(exercise), setup)
    there = getattr(exercise, "__globals__", {})

    def call(*args, **kwargs):
        require_short(name_of(exercise), code, limit)
        if not (alone and code):
            return exercise(*args, **kwargs)
        known = {"__name__", "__builtins__", *(n for p in bundle.statements(setup) for n in p.bound | p.imported)}
        names = {name: there[name] for name in known if name in there}
        exec(compile(code, "<answer>", "exec"), names)
        return names[name_of(exercise)](*args, **kwargs)

    call.__name__ = name_of(exercise)
    call.code = code  # type: ignore[attr-defined]
    call.code_bytes = bundle.compressed(code)  # type: ignore[attr-defined]
    return call


awarded: list[float] = []


def award(share: float, points: float) -> float:
    """Give a share of a test cell's points, 0 to 1; a cell that comes to its end without it gives all of them.

    Stock nbgrader takes the number that a cell's last line shows for partial credit: let this be the last line.

    Raises:
        ValueError: a share that does not lie between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of the points lies between 0 and 1, not {share}")
    awarded.append(float(share))
    return round(share * points, 2)


class Clauses:
    """The clauses of an exercise's contract and the points of each: `clauses = Clauses(packing=2, unpacking=2)`.

    Checks stand in `with clauses("packing"):`; a clause in which none fails gives its points, whatever the others do.
    What fails outside a clause costs all points; so does an answer that hangs or ends its process, since nothing can be
    asked of it afterwards. `clauses.award()` is the last line of the test cell.
    """

    def __init__(self, **points: int):
        self.points = points
        self.failed: dict[str, Exception] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        if name not in self.points:
            raise ValueError(f"no clause {name!r}: there are {', '.join(self.points)}")
        try:
            yield
        except Exception as error:
            self.failed.setdefault(name, error)

    def award(self) -> float | None:
        """Give the points of the clauses that hold.

        Returns:
            under stock nbgrader the points, if some are lost: its partial credit is the number that a last line shows.

        Raises:
            CheckFailed: everywhere else, with what failed; or the learner's own error.
        """
        most = sum(self.points.values())
        earned = most - sum(self.points[name] for name in self.failed)
        awarded.append(earned / most)
        if not self.failed:
            return None
        error = next(iter(self.failed.values()))
        if earned and is_stub(error):
            error = CheckFailed(f"not written yet: {', '.join(self.failed)}")
        if earned and isinstance(error, CheckFailed):
            held = ", ".join(name for name in self.points if name not in self.failed)
            error.args = (f"{error}\n  {earned} of {most} points, for: {held}",)
        if not earned or raises or os.environ.get("NBGRADER_EXECUTION") != "autograde":
            raise error
        print(f"✗ {error}" if isinstance(error, CheckFailed) else f"✗ {type(error).__name__}: {error}")
        return float(earned)


raises = False  # whether lost points are always raised: the course's grader takes them from `awarded`


def is_setup(cell: str) -> bool:
    """Whether a cell is a lesson's set-up cell, which is not the learner's own code."""
    return "from bonsai.testing import" in cell


def needed_by(exercise: Callable) -> set[str]:
    """The names whose code a fresh process needs for a function: its own, and those that a probe's code uses."""
    code = getattr(exercise, "__code__", None)
    return {name_of(exercise), *(code.co_names if code else ())}


def require_short(name: str, code: str, limit: int) -> None:
    """Fail if a fresh process would need more than `limit` bytes of the learner's code.

    Raises:
        CheckFailed: with both numbers.
    """
    if (size := bundle.size(code)) > limit:
        parts = [(bundle.size(p.text), ", ".join(sorted(p.bound))) for p in bundle.statements(code) if p.bound]
        longest = ", ".join(f"{names} {length:,}" for length, names in sorted(parts, reverse=True)[:3])
        raise CheckFailed(
            f"a fresh process takes at most {limit:,} bytes of your code, and {name} with all that it uses has "
            f"{size:,}: what it needs to know belongs into the file, not into the code\n  longest: {longest:.200}"
        )


def from_scratch(exercise: Callable, forbidden: list[str], uses: Collection[str] = ()) -> None:
    """Check that an answer calls neither the library function that the exercise is about nor the lesson's own modules.

    Args:
        exercise: the learner's function or class.
        forbidden: dotted names, see `bonsai.scratch.find_shortcuts`.
        uses: the lesson's modules that an answer may use.

    Raises:
        CheckFailed: naming each shortcut.
    """
    shell = get_ipython()  # the cells run so far; the course's grader looks at the submitted notebook instead
    cells = list(shell.user_ns["In"]) if shell else []
    forbidden = [*forbidden, *(module for module in own_modules(cells) if module not in uses)]
    report_shortcuts(name_of(exercise), find_shortcuts(cells, name_of(exercise), forbidden))


def report_shortcuts(name: str, shortcuts: list[str]) -> None:
    """Raise `CheckFailed` if there are shortcuts."""
    if shortcuts:
        raise CheckFailed(shortcut_sentence(name, shortcuts))


def shortcut_sentence(name: str, shortcuts: list[str]) -> str:
    """What is said of an answer that calls what it is to replace."""
    return f"{name} is to be written from scratch, without {' and '.join(shortcuts)}"


HELP = {
    "coroutine": ": `async def` makes one; write `def`",
    "generator": ": `yield` makes one; return a list",
    "NoneType": ": is there a `return`?",
    "sparse Tensor": ": .to_dense() makes a plain one",
    "meta Tensor": ", which holds no numbers: make it on the CPU",
}
recorded: dict[str, float] = {}


def record(**measured: float) -> None:
    """Note measured results (`ratio=7.4`), for the report and on the screen."""
    for name, value in measured.items():
        recorded[name] = float(value)
        print(f"measured {name} = {value:.4g}")


remarks: list[str] = []


def remark(sentence: str) -> None:
    """Tell the teacher what to look at; it changes no score."""
    remarks.append(sentence)
    print(f"remark: {sentence}")


DIFFERENT = "  first difference at "


def difference(got, want, tol: float | Tensor = 0.0) -> str | None:
    """The first difference between two values in words, or None. Only `want` decides how they are compared."""
    if isinstance(want, Tensor):
        return _tensor_difference(got, want, tol)
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)):
            return _expected(want, got, f"a {type(want).__name__} of {len(want)}")
        if len(got) != len(want):
            return f"  expected {len(want)} items: {show(want)}\n  yours has {len(got)}: {show(got)}"
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            found = difference(g, w, tol)
            if found:
                return _at(i, found)
        return None
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return _expected(want, got, "a dict")
        if set(got) != set(want):
            missing, extra = sorted(map(str, set(want) - set(got))), sorted(map(str, set(got) - set(want)))
            return f"  the keys differ: missing {missing}, unexpected {extra}"
        for key, w in want.items():
            found = difference(got[key], w, tol)
            if found:
                return _at(key, found)
        return None
    if isinstance(want, bool) or want is None or isinstance(want, (str, bytes)):
        return None if type(got) is type(want) and got == want else _expected(want, got)
    if isinstance(want, numbers.Integral):
        if not isinstance(got, numbers.Integral) or isinstance(got, bool):
            return _expected(want, got, "an int")
        return None if int(got) == int(want) else _expected(want, got)
    if not isinstance(got, numbers.Real) or isinstance(got, bool):
        hint = " (.item() makes a Python float of a tensor)" if isinstance(got, Tensor) else ""
        return _expected(want, got, f"a float{hint}")
    return None if _close(float(got), float(want), float(tol)) else _expected(want, got)


def _at(key: object, found: str) -> str:
    """A difference that was found at a key: one place for all the levels, such as ['layers'][1]."""
    place, rest = f"{DIFFERENT}[{key!r}]", found.removeprefix(DIFFERENT)
    return f"{place}\n{found}" if rest == found else place + rest


def _close(got: float, want: float, tol: float) -> bool:
    if math.isnan(want) or math.isinf(want):
        return got == want or (math.isnan(got) and math.isnan(want))
    return abs(got - want) <= tol * max(1.0, abs(want))


def _tensor_difference(got, want: Tensor, tol: float | Tensor) -> str | None:
    if not isinstance(got, Tensor) or got.is_meta or got.layout != torch.strided:
        return _expected(want, got, "a torch.Tensor")
    if _kind(got) != _kind(want):
        return f"  expected {_kind(want)} values\n  yours has dtype {got.dtype}"
    if got.shape != want.shape:
        return f"  expected shape {tuple(want.shape)}\n  yours    shape {tuple(got.shape)}"
    exact = torch.float64 if want.is_floating_point() else torch.int64
    g, w = got.detach().to("cpu", exact), want.detach().to(exact)
    limit = tol if isinstance(tol, Tensor) else tol * w.abs().clamp(min=1)
    same = (g == w) | (g.isnan() & w.isnan()) | ((g - w).abs() <= limit)
    if same.all():
        return None
    at = tuple((~same).nonzero()[0].tolist())
    wrong = int((~same).sum())
    narrow = got.dtype in (torch.float16, torch.bfloat16) and want.dtype not in (torch.float16, torch.bfloat16)
    return (
        f"  first difference at {list(at)} ({wrong} of {want.numel()} values differ)\n"
        f"  expected {show(w[at].item())}\n  yours    {show(g[at].item())}"
        + (f"\n  yours has dtype {got.dtype}, which keeps two or three digits: compute in float32" if narrow else "")
    )


def _kind(t: Tensor) -> str:
    if t.dtype == torch.bool:
        return "bool"
    return "float" if t.is_floating_point() else "complex" if t.is_complex() else "integer"


def _expected(want, got, kind: str = "") -> str:
    tail = f", {kind}" if kind else ""
    return f"  expected {show(want)}{tail}\n  yours    {show(got)}" + (f", a {type_name(got)}" if kind else "")


def type_name(value: object) -> str:
    """The type of a value in words, with what to do about it where that is known."""
    name = str(getattr(value, "type_name", type(value).__name__))
    if isinstance(value, Tensor):
        name = "meta Tensor" if value.is_meta else "sparse Tensor" if value.layout != torch.strided else name
    return name + HELP.get(name, "")


def show(value, limit: int = 100) -> str:
    """A value in at most `limit` characters."""
    if isinstance(value, Tensor) and (value.is_meta or value.layout != torch.strided):
        return f"<{type_name(value)}>"
    if isinstance(value, Tensor):
        few = 6 if limit > 60 else 3
        flat = ", ".join(f"{v:.5g}" for v in value.detach().flatten()[:few].tolist())
        return f"tensor([{flat}{', …' if value.numel() > few else ''}], shape {tuple(value.shape)})"
    if type(value) in (tuple, list):
        text = f"({', '.join(show(v, limit) for v in value[:20])}{', …' if len(value) > 20 else ''})"
    else:
        text = f"{value:.9g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


if shell := get_ipython():
    kernel.attach(shell)
