"""What a teacher should look at in a submission's code, read from its syntax: nothing is run, and no score changes.

Names are followed through imports, `x = os.kill`, `getattr(os, "kill")` and `__import__("os")`, without regard to the
order of cells. It is a reader's help and no defence: what a submission can reach is decided by the sandbox.
"""

import ast
import functools
import re
import warnings
from collections.abc import Collection, Iterator

from autograder.box.lock import covers
from bonsai.bundle import as_python

MOST = 20  # sentences about a submission
LONGEST = 500_000  # characters of a cell that are read
LARGE = 3_000_000  # elements, of something that is made with one constant

# sentence -> names that a cell uses, `*` inside a part; each stands for what is below it too
NAMES = {
    "opens network connections": "socket urllib.request urllib3 requests http.client http.server ftplib smtplib "
    "aiohttp httpx ssl xmlrpc telnetlib socketserver webbrowser torch.hub torch.distributed asyncio.open_connection "
    "asyncio.open_unix_connection asyncio.start_server asyncio.start_unix_server asyncio.streams",
    "starts another program": "subprocess pty os.system os.popen os.exec* os.spawn* os.posix_spawn* "
    "asyncio.create_subprocess_* asyncio.subprocess torch.utils.cpp_extension torch.ops.load_library",
    "reaches into the process's memory": "ctypes _ctypes cffi mmap",
    "starts, signals or ends processes": "os._exit os.abort os.kill os.killpg os.fork os.forkpty os.setsid signal "
    "multiprocessing torch.multiprocessing concurrent.futures.ProcessPoolExecutor psutil faulthandler",
    "leaves work for later": "threading.Thread threading.Timer _thread concurrent.futures.ThreadPoolExecutor atexit "
    "weakref.finalize sched",
    "looks into the running program": "sys._getframe sys._current_frames sys.settrace sys.setprofile "
    "sys.addaudithook gc.get_* gc.freeze gc.unfreeze inspect.stack inspect.currentframe inspect.getouterframes "
    "inspect.trace inspect.getclosurevars traceback.walk_stack",
    "changes what Python itself does": "sys.modules sys.meta_path sys.path_hooks sys.path importlib.reload builtins "
    "__builtins__",
    "uses a format that runs code when it is read": "pickle _pickle marshal dill cloudpickle shelve joblib",
    "reads the environment": "os.environ os.environb os.getenv os.getenvb os.putenv os.unsetenv",
    "changes limits": "resource.setrlimit resource.prlimit sys.setrecursionlimit os.nice os.sched_setaffinity "
    "threading.stack_size",
    "uses raw file descriptors": "os.write os.close os.closerange os.dup os.dup2 os.read os.pipe os.pipe2 os.sendfile "
    "os.open os.fdopen os.memfd_create fcntl",
    "makes links": "os.symlink os.link",
    "ends the notebook on purpose": "exit quit sys.exit SystemExit KeyboardInterrupt GeneratorExit",
    "runs code that it builds": "exec eval compile types.FunctionType types.CodeType codeop runpy",
    "reaches for the grader": "autograder nbgrader",
    "looks around in the file system": "os.walk os.listdir os.scandir os.chdir os.pardir glob os.path.expanduser "
    "pathlib.Path.home os.getcwd os.chroot os.mkfifo os.mknod",
}
# sentence -> attributes that are named, whatever they belong to
ATTRIBUTES = {
    "looks into the running program": "__globals__ __code__ __closure__ __subclasses__ __builtins__ f_back f_globals "
    "f_locals f_builtins tb_frame gi_frame cr_frame",
    "makes links": "symlink_to hardlink_to",
    "looks around in the file system": "rglob iterdir",
}
CHECKS = {"expect", "require", "check_errors", "check_inputs", "from_scratch", "probe", "fresh", "CheckFailed"}
LYING = {"__eq__", "__ne__", "__torch_function__", "__torch_dispatch__", "__array_function__", "__array_ufunc__"}
LYING |= {"__getattribute__", "__instancecheck__", "__reduce__", "__reduce_ex__", "__del__"}
BASES = {"int", "float", "str", "bytes", "torch.Tensor", "torch.nn.Parameter", "numpy.ndarray"}
MODES = ("TorchFunctionMode", "TorchDispatchMode")
HARMLESS_MAGICS = {"matplotlib", "time", "timeit", "capture", "config", "precision", "prun", "pdb", "who", "whos"}
HARMLESS_MAGICS |= {"load_ext", "reload_ext", "autoreload", "pylab", "xmode", "pinfo", "pinfo2", "history", "who_ls"}
HARMLESS_MAGICS |= {"debug", "doctest_mode", "colors", "pprint", "reset", "lprun", "mprun", "memit"}
PROGRAMS = {"system", "getoutput", "sx"}
# modules that are meant to be set
SETTINGS = ("torch.backends", "torch._inductor", "torch._dynamo", "matplotlib", "pandas", "tqdm")
MODULES = {"os", "sys", "builtins", "posix", "importlib", "gc", "inspect", "signal", "subprocess", "socket", "ctypes"}
MODULES |= {"pickle", "marshal"}
GETTERS = {"getattr", "object.__getattribute__", "type.__getattribute__", "inspect.getattr_static"}
UNREAD = "cannot be read as Python, so it was not looked at."
MAKERS = {"zeros", "ones", "empty", "full", "rand", "randn", "randint", "expand", "arange", "range", "bytes"}
MAKERS |= {"bytearray"}
OPENERS = ("open", "io.open", "os", "pathlib", "shutil", "glob", "numpy.load", "torch.load", "torch.save")
OUTSIDE = re.compile(
    r"/(proc|etc|home|root|usr|course|dev|sys|var|tmp|work|mnt|opt|srv|run)\b|~(/|$)|(.*/)?\.\./|.+/\.\.$"
)
BUILTINS = {"exec", "eval", "compile", "exit", "quit", "getattr", "setattr", "delattr", "vars", "type", "open", "bytes"}
BUILTINS |= {"bytearray", "range", "int", "float", "str", "SystemExit", "KeyboardInterrupt", "GeneratorExit"}
BUILTINS |= {"__import__", "__builtins__", "get_ipython", "object", "globals"}
PAGE = re.compile(r"<script|<iframe|\bon(error|load|click)\s*=|javascript:", re.I)
RESULT = re.compile(r"""["'](passed|score|max_score|points|bonsai_result)["']\s*:""")
TEXT_METHODS = {"join", "format", "replace", "lower", "upper", "strip", "removeprefix", "removesuffix", "swapcase"}
COLLIDING = 2**61 - 1  # what Python's hashes of numbers are taken modulo


def suspicions(cells: list[tuple[str, str]], setup: str = "", failed: Collection[str] = ()) -> list[str]:
    """Sentences about cells, one at most for each kind and cell.

    Args:
        cells: what a cell is called ("Code cell 4"), and its source.
        failed: names of cells that ended in an error: that such a one is no Python needs no remark.
        setup: the teacher's set-up code, for the names that it imports. What it imports on purpose, such as
            `threading.Thread` in a lesson on servers, is no cause for a remark.
    """
    aliases = Aliases()
    aliases.visit(parse(setup)[0] or ast.Module([], []))
    expected = {name for name in aliases.known.values() if kind_of(name)} - BUILTINS
    trees, found = [], []
    for name, source in cells:
        if len(source) > LONGEST:
            found.append(f"{name} is too long to be looked at ({len(source) // 1000} kB).")
            continue
        tree, python = parse(source)
        if not python and name not in failed:
            found.append(f"{name} {UNREAD}")
        try:
            aliases.visit(tree or ast.Module([], []))
        except RecursionError:
            tree = None
        if tree is None:
            found.append(f"{name} is nested too deeply to be looked at.")
        else:
            trees.append((name, tree))
    for name, tree in trees:
        reader = Reader(aliases.known, expected)
        try:
            reader.visit(tree)
        except RecursionError:
            reader.note("is nested too deeply to be looked at")
        found += [f"{name} {kind}{f' ({what})' if what else ''}." for kind, what in reader.found.items()]
    more = len(found) - MOST
    return found if more <= 0 else [*found[: MOST - 1], f"There are {more + 1} more remarks of this sort."]


def parse(source: str) -> tuple[ast.Module | None, bool]:
    """The syntax of a cell, magics turned into calls, None if it is too deep; and whether it is Python at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(as_python(source)), True
    except (MemoryError, RecursionError):
        return None, True
    except (SyntaxError, ValueError):
        return ast.Module([], []), False


def code(node: ast.AST) -> ast.Module:
    """The syntax of code that stands in a constant text; empty if it is none."""
    return parse(text(node) or "")[0] or ast.Module([], [])


class Aliases(ast.NodeVisitor):
    """Which names stand for something imported, anywhere in the notebook: name -> dotted name."""

    def __init__(self) -> None:
        self.known = {name: name for name in BUILTINS}

    def visit(self, node: ast.AST) -> None:
        for one in ast.walk(node):
            match one:
                case ast.Import(names=names):
                    for a in names:
                        top = a.name.partition(".")[0]
                        self.known[a.asname or top] = a.name if a.asname else top
                case ast.ImportFrom(module=str(module), names=names):
                    for a in names:
                        self.known[a.asname or a.name] = f"{module}.{a.name}"
                case ast.arguments():
                    for name, value in defaults(one):
                        if meant := dotted(value, self.known):
                            self.known.setdefault(name, meant)
                case ast.Match(subject=subject, cases=cases):
                    for case in cases:
                        for name, meant in taken(case.pattern, subject, self.known):
                            self.known.setdefault(name, meant)
                case ast.NamedExpr(target=ast.Name(id=name), value=value) if meant := dotted(value, self.known):
                    self.known.setdefault(name, meant)
                case ast.Assign(targets=targets, value=value) if meant := dotted(value, self.known):
                    for target in targets:
                        if isinstance(target, ast.Name):
                            self.known.setdefault(target.id, meant)


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    """The dotted name that an expression stands for, if it begins with something imported or builtin; else ""."""
    match node:
        case ast.Name(id=name):
            return known.get(name, "")
        case ast.Attribute(value=value, attr=attr):
            base = dotted(value, known)
            return f"{base}.{attr}" if base else ""
        case ast.Call(func=ast.Attribute(value=value, attr="__getattribute__" | "__getattr__"), args=[key]):
            return f"{dotted(value, known) or '?'}.{text(key) or '?'}"
        case ast.Call(func=ast.Call(func=getter, args=[key]), args=[first]) if (
            dotted(getter, known) == "operator.attrgetter"
        ):
            return f"{dotted(first, known) or '?'}.{text(key) or '?'}"
        case ast.Call(func=ast.Attribute(value=value, attr="get" | "__getitem__" | "pop"), args=[key, *_]) if (
            is_namespace(value, known)
        ):
            return dotted(ast.Subscript(value=value, slice=key, ctx=ast.Load()), known)
        case ast.Call(func=function, args=[first, *rest]):
            name = plain_name(dotted(function, known))
            if name in GETTERS and rest:
                return f"{dotted(first, known) or '?'}.{text(rest[0]) or '?'}"
            if name in ("__import__", "importlib.import_module", "importlib.__import__"):
                return text(first) or "?"
            if name == "vars":
                return f"{dotted(first, known) or '?'}.__dict__"
        case ast.Subscript(value=ast.Call(func=ast.Name(id="globals" | "locals" | "vars"), args=[]), slice=key):
            return known.get(text(key) or "", "")
        case ast.Subscript(value=value, slice=key):
            if is_namespace(value, known):
                base = dotted(value, known).removesuffix(".__dict__").removesuffix("sys.modules").rstrip(".")
                return f"{base}.{text(key) or '?'}".lstrip(".")
    return ""


def is_namespace(node: ast.AST, known: dict[str, str]) -> bool:
    """Whether an expression is a dict of modules or names."""
    return dotted(node, known).endswith(("sys.modules", "__dict__", "__builtins__"))


def plain_name(name: str) -> str:
    """A dotted name without the ways that lead to it through another module: `torch.os.system` is `os.system`."""
    parts = ["os" if name.startswith("posix.") else name.partition(".")[0], *name.split(".")[1:]]
    for at in range(len(parts) - 1, 0, -1):
        if parts[at].lstrip("_") in MODULES - {"signal"} and parts[at - 1] != "backends":
            parts = [parts[at].lstrip("_"), *parts[at + 1 :]]
            break
    own = len(parts) > 1 and parts[0] in ("builtins", "__builtins__") and parts[1] in BUILTINS
    return ".".join(parts[1:] if own else parts)


def taken(pattern: ast.AST, subject: ast.AST, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What a pattern such as `object(system=run)` binds of an imported subject: name -> dotted name."""
    base = dotted(subject, known)
    for one in ast.walk(pattern):
        if isinstance(one, ast.MatchClass) and base:
            for attribute, inner in zip(one.kwd_attrs, one.kwd_patterns, strict=True):
                for name in [i.name for i in ast.walk(inner) if isinstance(i, ast.MatchAs) and i.name]:
                    yield name, f"{base}.{attribute}"


def text(node: ast.AST, most: int = 10_000) -> str | None:
    """A constant string, also as a sum, an f-string or a method of constants, of a bounded length."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = text(left), text(right)
            return first + second if first is not None and second is not None else None
        case ast.JoinedStr(values=values):
            parts = [text(v) for v in values]
            return None if None in parts else "".join(map(str, parts))
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return str(value.value) if isinstance(value, ast.Constant) else text(value)
        case ast.BinOp(left=ast.Constant(value=str(form)), op=ast.Mod(), right=right) if re.fullmatch(
            r"([^%]|%s)*", form
        ):
            given = [text(r) for r in (right.elts if isinstance(right, ast.Tuple) else [right])]
            fits = None not in given and form.count("%s") == len(given)
            return form % tuple(map(str, given)) if fits else None
        case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=None, step=step)) if step is not None:
            whole = text(value)
            return whole[::-1] if whole is not None and ast.unparse(step) == "-1" else None
        case ast.Call(func=ast.Name(id="chr"), args=[ast.Constant(value=int(point))]) if 0 <= point < 0x110000:
            return chr(point)
        case ast.Call(func=ast.Attribute(value=value, attr=method), args=args, keywords=[]) if method in TEXT_METHODS:
            whole = text(value)
            elements = args[0].elts if method == "join" and args and isinstance(args[0], ast.List | ast.Tuple) else args
            given = [text(a) for a in elements]
            if whole is None or None in given or (method == "join" and elements is args) or ":" in whole:
                return None
            words = [list(map(str, given))] if method == "join" else list(map(str, given))
            try:
                made = getattr(whole, method)(*words)
            except (TypeError, ValueError, IndexError, KeyError, AttributeError):
                return None
            return made if isinstance(made, str) and len(made) <= most else None
    return None


def number(node: ast.AST) -> int | None:
    """A constant whole number, also as a sum, product, power or shift of small ones."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            a, b = number(left), number(right)
            if a is None or b is None or not (0 <= a < 2**64 and 0 <= b < 2**64):
                return None
            if isinstance(op, ast.Add | ast.Sub | ast.Mult):
                return a + b if isinstance(op, ast.Add) else a - b if isinstance(op, ast.Sub) else a * b
            if isinstance(op, ast.Pow | ast.LShift) and b < 128:
                return a**b if isinstance(op, ast.Pow) else a << b
    return None


@functools.lru_cache(maxsize=10_000)
def kind_of(name: str) -> str | None:
    """The sentence about a dotted name, if there is one."""
    name = plain_name(name)
    return next((s for s, patterns in NAMES.items() if any(covers(p, name) for p in patterns.split())), None)


class Reader(ast.NodeVisitor):
    """Reads one cell; `found` maps a sentence to what it was found by."""

    def __init__(self, known: dict[str, str], expected: set[str]):
        self.known, self.expected, self.found = known, expected, dict[str, str]()
        self.local: list[set[str]] = []

    def note(self, kind: str, what: str = "") -> None:
        self.found.setdefault(kind, what[:60])

    def names(self) -> dict[str, str]:
        """What is imported, without what a function around has as its own variables."""
        hidden = set().union(*self.local)
        return {k: v for k, v in self.known.items() if k not in hidden} if hidden & set(self.known) else self.known

    def name(self, node: ast.AST) -> str:
        return dotted(node, self.names())

    # names

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.used(node)
        elif node.id in CHECKS and not self.local:
            self.note("redefines a name of the tests", node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.changed(node)
        self.attribute(node.attr)
        self.used(node)
        self.visit(node.value)

    def visit_Match(self, node: ast.Match) -> None:
        for case in node.cases:
            for one in ast.walk(case.pattern):
                for name in one.kwd_attrs if isinstance(one, ast.MatchClass) else ():
                    self.attribute(name)
                    self.mentioned(f"{self.name(node.subject) or '?'}.{name}")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.annotation(node.annotation)
        self.generic_visit(node)

    def annotation(self, node: ast.AST | None) -> None:
        """What stands behind a colon or an arrow: an expression, or one in a text."""
        if node is not None:
            self.visit(node)
            self.visit(code(node) if text(node) else ast.Module([], []))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.change(self.name(node.value), "[…]")
        self.used(node)
        self.generic_visit(node)

    def used(self, node: ast.AST) -> None:
        self.mentioned(self.name(node))

    def mentioned(self, name: str) -> None:
        if (kind := kind_of(name)) and not any(f"{name}.".startswith(f"{e}.") for e in self.expected):
            self.note(kind, name)

    def attribute(self, name: str) -> None:
        for kind, names in ATTRIBUTES.items():
            if name in names.split():
                self.note(kind, name)

    def change(self, base: str, what: str) -> None:
        if base and not base.startswith("?") and not f"{base}{what}".startswith(SETTINGS):
            self.note("changes a library for everyone", f"{base}{what}")

    def changed(self, node: ast.Attribute) -> None:
        """An attribute is set or deleted: of a module, of a class in it, or one that makes an object another's."""
        if node.attr in ("__class__", "__bases__", "__code__", "__defaults__"):
            self.note("changes what an object is", node.attr)
        self.change(self.name(node.value), f".{node.attr}")

    def visit_Import(self, node: ast.Import) -> None:
        for a in node.names:
            self.mentioned(a.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for a in node.names:
            self.mentioned(str(node.module))
            self.mentioned(f"{node.module}.{a.name}")
            if (a.asname or a.name) in CHECKS and node.module != "bonsai.testing":
                self.note("redefines a name of the tests", a.asname or a.name)

    # calls

    def visit_Call(self, node: ast.Call) -> None:
        name = self.name(node.func)
        last = name.rpartition(".")[2] or getattr(node.func, "attr", "")
        if name in ("setattr", "delattr") and node.args:
            self.change(self.name(node.args[0]), ".…")
        if self.name(node).endswith(".?") and not self.name(node).startswith("?"):
            self.note("fetches something by a name that it builds", self.name(node).removesuffix(".?"))
        if name in ("__import__", "importlib.import_module") and node.args and text(node.args[0]) is None:
            self.note("fetches something by a name that it builds", name)
        if name == "get_ipython":
            self.note("reaches into the notebook's machinery", "get_ipython")
        if name == "type" and len(node.args) == 3:
            self.note("makes a class that can lie in a comparison", "type")
        if last == "display" and any(k.arg == "raw" for k in node.keywords):
            self.note("displays data of its own making", "raw=True")
        if last in MAKERS:
            sizes = [n for a in node.args for e in getattr(a, "elts", [a]) if (n := number(e)) is not None]
            self.sized(max([*sizes, 0]))
        for path in [text(a) or "" for a in node.args] if name.startswith(OPENERS) else []:
            if path in ("/", ".."):
                self.note("names a path outside its folder", path)
            if path.endswith((".py", ".pth", ".so", ".ipynb")):
                self.note("opens a program or notebook file", path)
        self.used(node)
        if self.machinery(node):
            return
        for argument in node.args[:1] if plain_name(name) in ("exec", "eval", "compile") else ():
            self.visit(code(argument))
        self.generic_visit(node)

    def machinery(self, node: ast.Call) -> bool:
        """`get_ipython().run_line_magic("time", "f()")` and so on: whether that is all of the call."""
        match node.func:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=attr):
                pass
            case _:
                return False
        if attr in PROGRAMS:
            self.note("starts another program", "!")
        elif attr not in ("run_line_magic", "run_cell_magic") or not node.args:
            return False
        elif (magic := text(node.args[0])) not in HARMLESS_MAGICS:
            kind = "opens a program or notebook file" if magic == "writefile" else "starts another program"
            self.note(kind, f"%{magic}")
        for argument in node.args[1:]:
            self.visit(code(argument))
        return True

    def sized(self, size: int) -> None:
        if size >= LARGE:
            self.note("makes something very large")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Mult):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(one, ast.List) or (isinstance(one, ast.Constant) and isinstance(one.value, (str, bytes))):
                    self.sized(number(other) or 0)
        if number(node) == COLLIDING:
            self.note("uses the number that makes hashes collide", "2**61 - 1")
        if (whole := text(node)) is not None:
            self.words(whole)
        self.generic_visit(node)

    # words

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # text that stands for itself is a comment
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.words(node.value)
        if node.value == COLLIDING:
            self.note("uses the number that makes hashes collide", "2**61 - 1")

    def words(self, said: str) -> None:
        if OUTSIDE.match(said) and "\n" not in said:
            self.note("names a path outside its folder", said)
        if PAGE.search(said):
            self.note("holds text that a web page would run", "script")
        if RESULT.search(said):
            self.note("holds what looks like a result of the grader")
        fields = " ".join(re.findall(r"\{[^{}]*\}", said))
        for name in [said] if re.fullmatch(r"\w+", said) else re.findall(r"\w+", fields):
            self.attribute(name)  # getattr(f, "__globals__"), "{0.__globals__}".format(f)

    # definitions

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        methods = {d.name for d in node.body if isinstance(d, ast.FunctionDef | ast.AsyncFunctionDef)}
        methods |= {t.id for d in node.body if isinstance(d, ast.Assign) for t in d.targets if isinstance(t, ast.Name)}
        bases = {self.name(base) for base in node.bases}
        lying = sorted(methods & LYING) + sorted(bases & BASES) + [b for b in bases if b.endswith(MODES)]
        if lying:
            self.note("makes a class that can lie in a comparison", lying[0])
        if node.name in CHECKS:
            self.note("redefines a name of the tests", node.name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name in CHECKS and not self.local:
            self.note("redefines a name of the tests", node.name)
        for outside in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(outside)
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg)
        for annotation in (*(a.annotation for a in every if a), node.returns):
            self.annotation(annotation)
        self.local.append(set(own_names(node, self.known)))
        for statement in node.body:
            self.visit(statement)
        self.local.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Raise(self, node: ast.Raise) -> None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(raised, ast.Name) and raised.id == "StopIteration":
            self.note("raises StopIteration, which would end a loop of the tests")
        self.generic_visit(node)


def defaults(node: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """Parameters that have a default, and that."""
    places = [*node.posonlyargs, *node.args]
    yield from ((a.arg, d) for a, d in zip(places[len(places) - len(node.defaults) :], node.defaults, strict=True))
    yield from ((a.arg, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None)


def own_names(node: ast.FunctionDef | ast.AsyncFunctionDef, known: dict[str, str]) -> Iterator[str]:
    """Parameters and variables of a function, but for those that it gives something imported."""
    given = {name for name, value in defaults(node.args) if dotted(value, known)}
    for one in ast.walk(node):
        match one:
            case ast.arg(arg=name) if name not in given:
                yield name
            case ast.Assign(targets=targets, value=value) if dotted(value, known) not in known.values():
                yield from (t.id for t in targets if isinstance(t, ast.Name))
            case ast.For(target=ast.Name(id=name)) | ast.comprehension(target=ast.Name(id=name)):
                yield name
