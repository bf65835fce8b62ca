"""Which library shortcuts does an answer take? Read from the notebook's syntax: nothing is imported, nothing is run.

An expression stands for some dotted names: `tq.observe` for `torch.ao.observe` after `import torch.ao as tq`. Two other
roots occur: `?` for what cannot be known (`?.sum` is a method of something) and `@Name` for a class of the learner and
its instances. A last part `?` is an attribute whose name is computed.
"""

import ast
import builtins
import functools
import re
import warnings
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice

from bonsai.bundle import as_python

# other paths to the same function, and the path that decides
SAME = [
    (r"^(?!safetensors\.).*\.(?=torch\.)", ""),  # F.torch.round; safetensors.torch is another module
    (r"^(?!torch\.).*\.nn\.", "torch.nn."),  # bonsai.models.nn.Linear
    (r"^.*\.F\.", "torch.nn.functional."),
    (r"^torch\.(ops\.[^.]+|_C\._VariableFunctions|_C\._nn|_VF|nn\.functional)\.", "torch."),
    (r"^torch\.(quantization|nn\.(?:quantized|quantizable|qat|intrinsic))(?=\.|$)", r"torch.ao.\1"),
    (r"^torch\.nn\.modules\.\w+\.(?=[A-Z])", "torch.nn."),
]
# libraries that compress what they are given, though their names do not say so, and ways to the system's own
HIDDEN_COMPRESSORS = [
    *("PIL", "imageio", "cv2", "scipy.io", "h5py", "pandas", "pyarrow", "backports.zstd", "cffi"),
    *("encodings.zlib_codec", "encodings.bz2_codec", "ctypes.CDLL", "ctypes.PyDLL", "ctypes.cdll", "ctypes.pydll"),
]
# other ways to a module than an import, which an answer has no need of
LOADERS = [
    *("importlib.machinery", "importlib.util", "importlib.abc", "runpy", "zipimport", "torch._utils.try_import"),
    *("pkgutil.get_loader", "pkgutil.find_loader", "pkgutil.get_importer", "sys.meta_path", "sys.path_hooks"),
    *("sys.path_importer_cache", "torch.Tensor.exec_module", "torch.Tensor.load_module"),  # of any value
]
GETATTR = {"builtins.getattr", "inspect.getattr_static"}
GETTERS = {"operator.attrgetter", "operator.methodcaller"}
IMPORTERS = {"importlib.import_module", "importlib.__import__", "builtins.__import__"}
IMPORTERS |= {"pkgutil.resolve_name", "pydoc.locate"}
LOOKUPS = {"get", "pop", "setdefault", "__getitem__"}  # methods of a dict that read one key
MOST_NAMES = 64  # that one expression may stand for; each `a or b` can double them
PYTHON_MAGICS = {"capture", "prun", "time", "timeit"}
RUNNERS = {"run_cell", "run_cell_magic", "run_line_magic"}
EXPRESSIONS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)  # those that may stand for a library's name
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def find_shortcuts(cells: list[str], exercise: str, forbidden: list[str], exercises: Collection[str] = ()) -> list[str]:
    """The forbidden library names that the answer to `exercise` uses, in order and once each.

    Args:
        cells: sources of the notebook's code cells; one that does not parse is skipped.
        exercise: the graded function or class; its last definition counts, with all that it uses.
        forbidden: dotted names, with `*` inside a part; each stands for itself and everything below it.
            `torch.Tensor.x` is also `.x` of any value that is not known to be of a class of the learner's.
        exercises: the lesson's other exercises, which are graded on their own.
    """
    try:
        return Answer(cells, exercise, [*forbidden, *LOADERS] if forbidden else [], exercises).shortcuts()
    except RecursionError:
        return ["an expression nested too deeply to read"]


def own_modules(cells: list[str]) -> list[str]:
    """The lesson's modules that cells import: what draws, and what the tests know, which no answer may ask.

    They end in the lesson's number: `lesson06`, `checks06`, `pictures06`.
    """
    imported = re.findall(r"^\s*(?:from|import)\s+([a-z]+)(\d\d)\b", "\n".join(cells), flags=re.M)
    lessons = {number for word, number in imported if word in ("lesson", "checks")}
    return list(dict.fromkeys(word + number for word, number in imported if number in lessons))


@functools.lru_cache(maxsize=1000)
def parse(source: str) -> list[ast.stmt]:
    """The statements of a cell, magics turned into calls; none if it does not parse. Each exercise reads them anew."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "invalid escape sequence" is between the learner and Python
            return ast.parse(as_python(source)).body
    except RecursionError:
        raise
    except (SyntaxError, ValueError, MemoryError):
        return []


@dataclass(eq=False)
class Scope:
    """Names and what they may stand for: a dotted name, an expression, a definition, or None for anything."""

    parent: "Scope | None" = None
    owner: str = ""  # the class around it
    is_class: bool = False
    names: "dict[str, list[Binding]]" = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)  # declared global or nonlocal


@dataclass(frozen=True, eq=False)
class Binding:
    value: str | ast.AST | None
    scope: Scope  # where `value` is to be read
    when: str  # "surely" (a plain statement of a cell), "maybe" (inside another), "also" (changes what is there)


def part(value: ast.expr) -> ast.expr:
    """An element of `value`, we do not know which."""
    return ast.Starred(value=value, ctx=ast.Load())


def arguments(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call in order, `*(a, b)` unpacked."""
    args: list[ast.expr] = []
    for arg in call.args:
        match arg:
            case ast.Starred(value=ast.List(elts=elements) | ast.Tuple(elts=elements)):
                args += elements
            case _:
                args.append(arg)
    return args + [k.value for k in call.keywords]


def same_scope(statement: ast.AST) -> Iterator[ast.AST]:
    """A statement and the nodes below that bind names in the same scope, in source order."""
    todo = [statement]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, COMPREHENSIONS):
            yield from (n for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
        elif not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            todo += reversed(list(ast.iter_child_nodes(node)))


@functools.lru_cache(maxsize=1000)
def binding_nodes(cell: str) -> list[tuple[ast.AST, bool]]:
    """The nodes of a cell that may bind names around its functions, each with whether it is a statement by itself."""
    return [(node, node is statement) for statement in parse(cell) for node in same_scope(statement)]


@functools.lru_cache(maxsize=5000)
def inner_definitions(definition: ast.AST) -> tuple[list[ast.ClassDef], list[tuple[ast.FunctionDef, set[str]]]]:
    """The classes in a definition; and its functions that declare names `global`, with these."""
    classes, declaring = list[ast.ClassDef](), list[tuple[ast.FunctionDef, set[str]]]()
    for node in ast.walk(definition):
        if isinstance(node, ast.ClassDef):
            classes.append(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found = {n for s in node.body for g in same_scope(s) if isinstance(g, ast.Global) for n in g.names}
            if found:
                declaring.append((node, found))  # type: ignore[arg-type]
    return classes, declaring


class Environment:
    """What the names of a notebook stand for. Cells may run in any order, so every binding of a name counts."""

    def __init__(self, cells: list[str], exercise: str, exercises: Collection[str]):
        self.exercise, self.others = exercise, set(exercises) - {exercise}
        self.module = Scope()
        self.stars: list[str] = []  # modules of `from m import *`
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.patches: list[tuple[ast.Attribute, ast.expr, Scope]] = []
        self.memo: dict[tuple[ast.AST, Scope], tuple[str, ...]] = {}
        self.texts: dict[tuple[ast.AST, Scope], str | None] = {}
        for cell in cells:
            self.note(binding_nodes(cell), self.module)
        for target, value, scope in self.patches:  # torch.round = mine
            for base in self.names(target.value, scope):
                self.bind(f"{base}.{target.attr}", value, self.module, "also", scope)

    # collecting

    def bind(self, name: str, value: str | ast.AST | None, scope: Scope, when: str, read: Scope | None = None) -> None:
        if name in scope.outside:  # `look_inside` notes it in the module
            return
        scope.names.setdefault(name, []).append(Binding(value, read or scope, when))

    def collect(self, body: Iterable[ast.AST], scope: Scope) -> None:
        """Note what the statements bind in `scope`."""
        self.note([(node, node is statement) for statement in body for node in same_scope(statement)], scope)

    def note(self, nodes: list[tuple[ast.AST, bool]], scope: Scope) -> None:
        """Note what nodes bind in `scope`, each given with whether it is a statement by itself."""
        for node, _ in nodes:
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                scope.outside |= set(node.names)
        for node, top in nodes:
            self.collect_one(node, scope, "surely" if top else "maybe")

    def collect_one(self, node: ast.AST, scope: Scope, when: str) -> None:
        match node:
            case ast.Import(names=aliases):
                for a in aliases:
                    top = a.name.split(".")[0]
                    self.bind(a.asname or top, a.name if a.asname else top, scope, when)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                for a in aliases:
                    if a.name == "*":
                        self.stars.append(module or "?")
                    else:
                        self.bind(a.asname or a.name, None if level else f"{module}.{a.name}", scope, when)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.bind(node.name, node, scope, when)
                if scope is self.module:
                    self.look_inside(node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.assign(target, value, scope, when)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self.assign(target, value, scope, when)
            case ast.AugAssign(target=target, value=value):
                self.assign(target, part(value), scope, "maybe")
            case (
                ast.For(target=target, iter=value)
                | ast.AsyncFor(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
                | ast.withitem(optional_vars=ast.expr() as target, context_expr=value)
            ):
                self.assign(target, part(value), scope, when)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self.bind(name, None, scope, when)
            case ast.Expr(value=ast.Call() as call) if scope is self.module:
                self.collect_call(call)

    def look_inside(self, definition: ast.AST) -> None:
        """Note the classes of a definition, and what its functions bind with `global`."""
        classes, declaring = inner_definitions(definition)
        for node in classes:
            self.classes.setdefault(node.name, []).append(node)
        for function, declared in declaring:
            local = Scope(self.module)
            for statement in function.body:
                for n in same_scope(statement):
                    self.collect_one(n, local, "also")
            for name in declared & set(local.names):
                self.module.names.setdefault(name, []).extend(local.names.pop(name))

    def collect_call(self, call: ast.Call) -> None:
        """What a call in a cell may bind: `exec("f = …")`, `%time f = …`, `setattr(C, "f", …)`, `tools.append(…)`."""
        match call:
            case ast.Call(
                func=ast.Name(id="exec") | ast.Attribute(attr="run_cell"), args=[ast.Constant(value=str(code)), *_]
            ):
                self.collect(parse(code), self.module)
            case ast.Call(
                func=ast.Attribute(attr="run_cell_magic" | "run_line_magic"),
                args=[ast.Constant(value=magic), *_, ast.Constant(value=str(code))],
            ):
                self.collect(parse(code) if magic in PYTHON_MAGICS else [], self.module)
            case ast.Call(func=ast.Name(id="exec")):
                self.stars.append("exec ?")
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="globals")), attr="update")):
                for k in call.keywords:
                    self.bind(k.arg or "?", k.value, self.module, "also")
            case ast.Call(func=ast.Name(id="setattr"), args=[base, ast.Constant(value=str(name)), value]):
                self.assign(ast.Attribute(value=base, attr=name, ctx=ast.Store()), value, self.module, "also")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
                self.bind(name, part(call), self.module, "also")

    def assign(self, target: ast.expr, value: ast.expr, scope: Scope, when: str) -> None:
        match target:
            case ast.Name(id=name):
                self.bind(name, value, scope, when)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
                if len(parts) != len(targets) or any(isinstance(e, ast.Starred) for e in [*parts, *targets]):
                    parts = [part(value)] * len(targets)
                for t, v in zip(targets, parts, strict=True):
                    self.assign(t, v, scope, when)
            case ast.Starred(value=inner):
                self.assign(inner, part(value), scope, when)
            case ast.Subscript(value=ast.Call(func=ast.Name(id="globals")), slice=ast.Constant(value=str(name))):
                self.bind(name, value, self.module, "also", scope)
            case ast.Attribute() | ast.Subscript() if scope is self.module:
                root: ast.expr = target
                while isinstance(root, (ast.Attribute, ast.Subscript)):
                    root = root.value
                if isinstance(root, ast.Name):
                    self.bind(root.id, part(value), scope, "also")
                if isinstance(target, ast.Attribute):
                    self.patches.append((target, value, scope))

    # resolving

    def home(self, name: str, scope: Scope | None) -> Scope | None:
        """The scope whose `name` is meant."""
        while scope and name not in scope.names:
            scope = scope.parent
        return scope

    def bindings(self, name: str, scope: Scope | None) -> list[Binding] | None:
        """What `name` may be bound to where it is used; None if nothing binds it."""
        home = self.home(name, scope)
        if home is None:
            return None
        found = home.names[name]
        if any(isinstance(b.value, str) for b in found):  # changing an imported module is a matter of `patches`
            found = [b for b in found if b.when != "also" or not isinstance(b.value, ast.Starred)]
        if home is self.module and name == self.exercise and scope is not self.module:
            last = max((i for i, b in enumerate(found) if b.when == "surely"), default=0)
            found = [b for i, b in enumerate(found) if i >= last or b.when == "also"]
        return found

    def names(self, node: ast.AST, scope: Scope) -> tuple[str, ...]:
        """The dotted names that an expression may stand for."""
        key = (node, scope)
        if key not in self.memo:
            self.memo[key] = ()  # while it is being found: f = f or g
            self.memo[key] = tuple(islice(dict.fromkeys(islice(self.resolve(node, scope), 8 * MOST_NAMES)), MOST_NAMES))
        return self.memo[key] or ("?",)

    def resolve(self, node: ast.AST, scope: Scope) -> Iterator[str]:
        match node:
            case ast.Name(id=name):
                yield from self.lookup(name, scope)
            case ast.Attribute(value=value, attr=attr):
                for base in self.names(value, scope):
                    yield from self.member(base, attr)
            case ast.Subscript(value=value, slice=key):
                for base in self.names(value, scope):
                    yield from self.item(base, key, scope)
            case ast.NamedExpr(value=value):
                yield from self.names(value, scope)
            case ast.IfExp(body=first, orelse=second):
                yield from self.names(first, scope) + self.names(second, scope)
            case ast.BoolOp(values=values):
                yield from (name for value in values for name in self.names(value, scope))
            case ast.ClassDef(name=name):
                yield f"@{name}"
            case ast.Call():
                for function in self.names(node.func, scope):
                    yield from self.result(function, node, scope)

    def lookup(self, name: str, scope: Scope) -> Iterator[str]:
        found = self.bindings(name, scope)
        if found is None:
            if name == "__builtins__" or hasattr(builtins, name):
                yield "builtins" if name == "__builtins__" else f"builtins.{name}"
            yield from (f"{module}.{name}" for module in self.stars)
        for b in found or []:
            if isinstance(b.value, ast.AST):
                yield from self.names(b.value, b.scope)
            elif b.value and name not in self.others:
                yield b.value

    def member(self, base: str, attr: str) -> Iterator[str]:
        if attr == "user_ns":  # get_ipython().user_ns
            yield "__main__.__dict__"
        elif base.startswith("@"):
            own = attr in self.members(base[1:], set())
            yield base if attr == "__class__" else "?" if own else f"?.{attr}"
        elif not base.startswith("__main__."):  # what that stands for comes with it
            yield f"{base}.{attr}"
            key = attr if base == "__main__" else f"{base}.{attr}"
            if key in self.module.names and (base == "__main__" or "." in key):
                yield from self.lookup(key, self.module)

    def members(self, name: str, seen: set[str]) -> set[str]:
        """Names that a class of the learner's, or one it is derived from, defines."""
        found: set[str] = set()
        for definition in self.classes.get(name, []) if name not in seen else []:
            body = Scope()
            self.collect(definition.body, body)
            stored = (n for n in ast.walk(definition) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
            found |= {*body.names, *(n.attr for n in stored)}
            for base in (b for e in definition.bases for b in self.names(e, self.module) if b.startswith("@")):
                found |= self.members(base[1:], seen | {name})
        return found

    def item(self, base: str, key: ast.AST, scope: Scope) -> Iterator[str]:
        """`base[key]`, where base is a module's dictionary."""
        text = self.text(key, scope)
        if f".{base}".endswith(".sys.modules"):
            yield text or "import ?"
        elif base.endswith(".__dict__") or base == "builtins":
            yield from self.member(base.removesuffix(".__dict__"), text or "?")

    def result(self, function: str, call: ast.Call, scope: Scope) -> Iterator[str]:
        """What `function`, one of the names of `call.func`, returns."""
        args = arguments(call)
        texts = [self.text(a, scope) for a in args]
        owner, _, last = function.rpartition(".")
        if function.startswith("@"):
            yield function
        elif function == "builtins.super":
            for c in self.classes.get(scope.owner, []):
                yield from (name for base in c.bases for name in self.names(base, self.module))
        elif function in {"builtins.globals", "builtins.locals"} or (function == "builtins.vars" and not args):
            yield "__main__.__dict__"
        elif not args:
            return
        elif last in LOOKUPS and f".{owner}".endswith((".sys.modules", ".__dict__")):
            yield from self.item(owner, args[0], scope)
        elif function in GETATTR and len(args) < 2:  # getattr(*pair)
            yield "?.?"
        elif function in GETTERS:
            yield from (f"?.{t or '?'}" for t in (texts if last == "attrgetter" else texts[:1]))
        elif function in IMPORTERS:
            yield from self.imported(texts)
        elif function == "builtins.eval" and texts[0]:
            for statement in self.code(texts[0]):
                yield from self.names(statement.value, scope) if isinstance(statement, ast.Expr) else ()
        elif function == "inspect.getmembers":
            yield from (f"{base}.__dict__.items" for base in self.names(args[0], scope))
        elif last in {"__getattribute__", "__getattr__"} and len(args) == 1:
            yield from self.member(owner, texts[0] or "?")
        elif function in {"builtins.type", "copy.copy", "copy.deepcopy", "importlib.reload"}:
            yield from self.names(args[0], scope)
        else:
            for base in self.names(args[0], scope):
                if function == "builtins.vars":
                    yield f"{base}.__dict__"
                elif (function in GETATTR or last == "__getattribute__") and len(args) > 1:
                    yield from self.member(base, texts[1] or "?")
                elif function == "operator.getitem" and len(args) > 1:
                    yield from self.item(base, args[1], scope)

    def imported(self, texts: list[str | None]) -> Iterator[str]:
        name = texts[0]
        if name and name.startswith("."):  # import_module(".ao", "torch")
            name = f"{texts[1]}{name}" if len(texts) > 1 and texts[1] else None
        if name is None:
            yield "import ?"
        else:
            yield name.replace(":", ".")
            yield name.split(".")[0]  # __import__("torch.nn") is torch

    def code(self, source: str) -> list[ast.stmt]:
        """Statements of a constant given to exec or eval; the same objects each time."""
        return parse(source.strip())

    def text(self, node: ast.AST, scope: Scope) -> str | None:
        """The constant string that an expression is, or None."""
        key = (node, scope)
        if key not in self.texts:
            self.texts[key] = None  # while it is being found: s = s + "x"
            folded = self.fold(node, scope)
            self.texts[key] = folded if folded is not None and len(folded) < 100_000 else None
        return self.texts[key]

    def fold(self, node: ast.AST, scope: Scope) -> str | None:
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.Name(id=name):
                bindings = self.bindings(name, scope) or []
                if len(bindings) == 1 and isinstance(bindings[0].value, ast.AST):
                    return self.text(bindings[0].value, bindings[0].scope)
            case ast.JoinedStr(values=parts):
                return self.joined("", parts, scope)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.text(value, scope)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined("", [left, right], scope)
            case ast.BinOp(left=ast.Constant(value=str(template)), op=ast.Mod(), right=right):
                return self.filled(template.split("%s"), right.elts if isinstance(right, ast.Tuple) else [right], scope)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(template)), attr="format"), args=args):
                return self.filled(template.split("{}"), args, scope)
            case ast.Call(
                func=ast.Attribute(value=glue, attr="join"), args=[ast.List(elts=parts) | ast.Tuple(elts=parts)]
            ):
                between = self.text(glue, scope)
                return None if between is None else self.joined(between, parts, scope)
        return None

    def joined(self, glue: str, nodes: list[ast.expr], scope: Scope) -> str | None:
        texts = [self.text(n, scope) for n in nodes]
        return None if None in texts else glue.join(t for t in texts if t is not None)

    def filled(self, pieces: list[str], holes: list[ast.expr], scope: Scope) -> str | None:
        if len(pieces) != len(holes) + 1 or any(c in p for p in pieces for c in "%{}"):
            return None
        texts = [self.text(h, scope) for h in holes]
        return None if None in texts else "".join(p + (t or "") for p, t in zip(pieces, [*texts, ""], strict=True))


class Answer(ast.NodeVisitor, Environment):
    """Reads the answer and what it uses, and notes every name that a pattern forbids."""

    def __init__(self, cells: list[str], exercise: str, forbidden: list[str], exercises: Collection[str]):
        super().__init__(cells, exercise, exercises)
        self.methods = [p.removeprefix("torch.Tensor.") for p in forbidden if p.startswith("torch.Tensor.")]
        self.patterns = sorted({*forbidden, *map(canonical, forbidden)})
        self.decided: dict[str, bool] = {}
        self.scope = self.module
        self.found: list[str] = []
        self.unknown: list[str] = []  # attributes of what cannot be known, and
        self.escaped: list[str] = []  # modules used as values: perhaps these are what it is
        self.queue: deque[tuple[ast.AST, Scope]] = deque()
        self.followed: set[Binding] = set()
        self.ran: set[str] = set()

    def shortcuts(self) -> list[str]:
        self.scope = Scope(self.module)
        self.visit(ast.Name(id=self.exercise, ctx=ast.Load()))
        while self.queue:
            node, self.scope = self.queue.popleft()
            self.visit(node)
        for module in dict.fromkeys(self.escaped):
            for attribute in dict.fromkeys(self.unknown):
                self.check(module + attribute)
        return [n for i, n in enumerate(self.found) if not any(m.startswith(f"{n}.") for m in self.found)]

    # matching

    def forbidden(self, name: str) -> bool:
        if name not in self.decided:
            method = name.rpartition(".")[2] if name.startswith(("?.", "torch.")) else ""
            names = {name, canonical(name), *borrowed(name)}
            self.decided[name] = any(fnmatchcase(method, m) for m in self.methods if method) or any(
                covers(p, n) for n in names for p in self.patterns
            )
        return self.decided[name]

    def is_parent(self, module: str) -> bool:
        """Whether something forbidden is below the module."""
        parents = {module, canonical(f"{module}.x").removesuffix(".x")}
        return any(p.startswith(f"{m}.") for p in self.patterns for m in parents)

    def check(self, name: str, value: bool = False) -> None:
        """Note the name if it is forbidden; `value`: it is passed on, not just the start of a longer name."""
        base, _, last = name.rpartition(".")
        module, dictionary, rest = name.partition(".__dict__")
        key = name.removeprefix("__main__.")
        if "." in name and key in self.module.names:  # globals()["f"], torch.mine
            self.follow(key)
        elif self.forbidden(name):
            self.report(re.sub(r"^\?\.(.*\.)?", "torch.Tensor.", name))
        elif name == "import ?":
            self.report("import of a computed name")
        elif name.startswith("exec ?"):
            self.report("exec of a computed string")
        elif dictionary and self.is_parent(module) and (rest in {".items", ".values", ".copy"} or (value and not rest)):
            self.report(f"getattr({module}, …) with a computed name")
        elif last == "?" and self.is_parent(base):
            self.report(f"getattr({base}, …) with a computed name")
        elif name.startswith("?."):
            self.unknown.append(name[1:])
        elif value and name != "torch.Tensor" and self.is_parent(name):
            self.escaped.append(name)

    def report(self, name: str) -> None:
        if name not in self.found:
            self.found.append(name)

    def follow(self, name: str) -> None:
        """Read later what a name of the notebook is bound to; what is local is read in its place."""
        if name in self.others or self.home(name, self.scope) is not self.module:
            return
        for b in self.bindings(name, self.scope) or []:
            if isinstance(b.value, ast.AST) and b not in self.followed:
                self.followed.add(b)
                self.queue.append((b.value, b.scope))

    # reading expressions

    def read(self, node: ast.AST, value: bool = True) -> None:
        """Check the names of an expression, then of its parts."""
        if isinstance(node, EXPRESSIONS) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            for name in self.names(node, self.scope):
                self.check(name, value)
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                self.follow(name)
            case ast.Name():
                pass
            case ast.Attribute(value=base):
                self.read(base, False)
            case ast.Subscript(value=base, slice=key):
                self.read(base, False)
                self.visit(key)
            case ast.Call(func=function):
                self.run(node)
                self.read(function, False)
                for arg in [*node.args, *node.keywords]:
                    if GETATTR.intersection(self.names(arg, self.scope)):  # reduce(getattr, names, torch)
                        self.unknown.append(".?")
                    self.visit(arg)
            case _:
                self.visit(node)

    visit_Name = visit_Attribute = visit_Subscript = visit_Call = read

    def run(self, call: ast.Call) -> None:
        """Read what exec, eval and IPython are given to run."""
        args = arguments(call)
        for function in self.names(call.func, self.scope) if args else []:
            last = function.rpartition(".")[2]
            if function in {"builtins.exec", "builtins.eval", "builtins.compile"} or last in RUNNERS:
                given = args[0] if function.startswith("builtins.") else args[-1]
                if isinstance(given, ast.Call) and self.names(given.func, self.scope) == ("builtins.compile",):
                    continue  # read when that call is
                text = self.text(given, self.scope)
                if text is None:
                    self.report(f"{last} of a computed string")
                elif text not in self.ran:
                    self.ran.add(text)
                    self.inside(Scope(self.scope, self.scope.owner), self.code(text))

    # scopes

    def inside(self, scope: Scope, body: Iterable[ast.AST]) -> None:
        statements = list(body)
        self.collect(statements, scope)
        outer, self.scope = self.scope, scope
        for statement in statements:
            self.visit(statement)
        self.scope = outer

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
        for outer in (*decorators, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(outer)
        scope = Scope(self.scope.parent if self.scope.is_class else self.scope, self.scope.owner)
        for arg in ast.walk(node.args):
            if isinstance(arg, ast.arg):
                self.bind(arg.arg, None, scope, "surely")
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in decorators)
        for first in [*node.args.posonlyargs, *node.args.args][: self.scope.is_class and not static]:
            scope.names[first.arg] = [Binding(f"@{scope.owner}", scope, "surely")]
        self.inside(scope, [node.body] if isinstance(node, ast.Lambda) else node.body)

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outer in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outer)
        self.inside(Scope(self.scope, node.name, is_class=True), node.body)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.inside(Scope(self.scope, self.scope.owner), ast.iter_child_nodes(node))

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # annotations do not count
        for child in (node.target, node.value):
            if child:
                self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for a in node.names:
            self.check(a.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for a in node.names:
            self.check(str(node.module) if a.name == "*" else f"{node.module}.{a.name}")


@functools.lru_cache(maxsize=10_000)
def canonical(name: str) -> str:
    """The path that decides: `torch.kl_div` for `F.kl_div` and `torch.ops.aten.kl_div`."""
    for other, same in SAME:
        name = re.sub(other, same, name)
    return name


def borrowed(name: str) -> list[str]:
    """Other names of what is reached through a module of the course: `zlib.crc32` for `bonsai.bundle.zlib.crc32`."""
    first, *rest = name.split(".")
    if not re.fullmatch(r"bonsai|[a-z]+\d\d", first):
        return []
    return [".".join(rest[i:]) for i in range(len(rest) - 1)]


def covers(pattern: str, name: str) -> bool:
    """Whether the pattern names `name` or something above it, part by part."""
    if "*" not in pattern:
        return name == pattern or name.startswith(f"{pattern}.")
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
