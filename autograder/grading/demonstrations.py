"""Which of a course's own demonstrations a submission needs: the others are not run again when it is graded.

    to_run([("setup", "import torch"), ("demonstration", "import copy"), ("own", "twin = copy.copy(model)")])  # {1}

A demonstration is a cell of the teacher's, unchanged, that is neither set-up nor test. One is needed when a cell of the
learner reads a name that it binds or whose value it may change, and so are those that it needs itself. In doubt all
are. The learner's text is parsed here: this belongs into a process with a clock and a memory limit.
"""

import ast
import builtins
import functools
import keyword
import re
import symtable
import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

END = 1 << 30  # a position below every cell
VALUE, DEFINITION = "a value", "a definition"  # how a name is bound; where an import binds it, by the import's text

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Defines = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Assigns = ast.Assign | ast.AnnAssign
Literals = ast.List | ast.Dict | ast.Set

# With these a cell can reach names that do not stand in its text: builtins, the shell's own, attributes, modules.
REACHES_FAR = {"globals", "locals", "vars", "eval", "exec", "compile", "__import__", "__builtins__", "get_ipython"}
SHELL = re.compile(r"In|Out|_{1,3}|_i{0,3}\d*|_[iod]h")
FAR_ATTRIBUTES = {"__globals__", "__code__", "__main__", "f_globals", "f_locals", "f_back", "user_ns", "_getframe"}
FAR_ATTRIBUTES |= {"__self__", "sys"}
# Modules; of sys, all but what is near.
FAR_MODULES = {"__main__", "importlib", "runpy", "inspect", "gc", "builtins", "IPython"}
NEAR = {"byteorder", "maxsize", "float_info", "getsizeof", "version", "version_info", "platform", "stdout", "stderr"}
# Methods that change what they are called on, beside those of torch, which end with an underscore.
CHANGES = {"append", "add", "update", "setdefault", "pop", "popitem", "extend", "insert", "clear", "remove", "discard"}
CHANGES |= {"sort", "reverse"}
CACHES = {"cache", "lru_cache", "cached_property", "singledispatch"}
# What makes tables, which reading does not change.
TABLES = {"tensor", "arange", "zeros", "ones", "full", "eye", "linspace", "logspace", "array", "range", "tuple", "list"}
TABLES |= {"dict", "set", "frozenset", "sorted", "len", "int", "float", "str", "bytes", "bool", "min", "max", "sum"}
TABLES |= {"abs", "round", "zip", "enumerate", "map", "reversed", "device", "finfo", "iinfo", "Field", "field"}
# What a demonstration may set in a module without the result of an answer depending on it: random states are set anew
# before each cell and each test, and the rest decides how fast something is, or what is printed.
HARMLESS = (
    *("torch.manual_seed", "numpy.random.seed", "random.seed", "torch.set_num_threads", "torch._inductor.config"),
    *("torch.backends.quantized.engine", "warnings.filterwarnings", "warnings.simplefilter"),
)
SETTERS = ("set_", "use", "seed", "manual_seed", "filterwarnings", "simplefilter", "chdir", "putenv", "register")
# What IPython takes for a magic without its `%`, if a cell has one line and is no Python: `time double(3)`.
AUTOMAGIC = re.compile(r"\s*([^\W\d]\w*)[ \t]+\S")
# Commands that change nothing an answer can see, if no value is put in and nothing else follows.
ARGUMENTS = re.compile(r"[^{$;&|<>`\n]*")
COMMAND = re.compile(rf"\s*(?:pip3?|conda|uv|ls|pwd|date|which|nvidia-smi)\b{ARGUMENTS.pattern}")
TIMEIT = re.compile(r"(?:-(?:[nrp][ \t]*\d+|[tcqo]+)[ \t]+)*(.*)", re.S)


def roles(cells: Iterable[tuple[str, str]], texts: Collection[str]) -> list[tuple[str, str]]:
    """Code cells for `to_run`: a plain one that holds one of the texts, but for its end, is a demonstration.

    Args:
        cells: (kind, source) of each, see `autograder.source.kind_of`.
    """
    known = {text.rstrip() for text in texts}
    own = {"answer": "own", "plain": "own"}
    return [
        ("demonstration" if kind == "plain" and source.rstrip() in known else own.get(kind, kind), source)
        for kind, source in cells
    ]


def to_run(cells: list[tuple[str, str]]) -> set[int]:
    """Indices of the demonstrations that have to run.

    Args:
        cells: the code cells from top to bottom, each (role, source) with the role "setup", "test", "demonstration"
            (all of these the teacher's text) or "own" (whatever a learner wrote or changed).
    """
    demonstrations = {i for i, (role, _) in enumerate(cells) if role == "demonstration"}
    if not demonstrations:
        return set()
    try:
        texts = {i: plain(source) if role == "own" else source for i, (role, source) in enumerate(cells)}
        looks = {i: look(text) for i, text in texts.items() if text is not None}
        trees = {i: one[0] for i, one in looks.items() if one is not None}
        names = {i: one[1] for i, one in looks.items() if one is not None}
        own = [i for i, (role, _) in enumerate(cells) if role == "own" and texts[i] is not None]
        if any(i not in trees for i in own) or reaches_far(written := [trees[i] for i in own]):
            return demonstrations
        if keeps_state(written, {name for one in names.values() for name in one.modules}):
            return demonstrations
    except (RecursionError, SyntaxError, ValueError, MemoryError):
        return demonstrations
    if any(SHELL.fullmatch(name) for i in own for name in names[i].reads):
        return demonstrations
    modules = {n: m for i in names if cells[i][0] == "setup" for n, m in names[i].modules.items()}
    strange = demonstrations - set(names)
    world = {i for i in demonstrations - strange if changes_modules(trees[i], modules | names[i].modules)}
    return strange | _Search([role for role, _ in cells], names).found(world)


@dataclass
class Names:
    """What a cell does with names."""

    binds: dict[str, set[str]] = field(default_factory=dict)  # name -> how
    now: set[str] = field(default_factory=set)  # read when the cell runs, before the cell binds them
    later: set[str] = field(default_factory=set)  # read when its functions are called
    probes: set[str] = field(default_factory=set)  # of these, by probes
    mentions: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)  # name -> dotted name of what is imported under it
    loads: set[str] = field(default_factory=set)  # dotted names of the modules that its imports load
    chains: set[str] = field(default_factory=set)  # dotted names as they are written: np.linalg.norm

    @property
    def reads(self) -> set[str]:
        return self.now | self.later


class _Search:
    """From the names that are read to the demonstrations behind them."""

    def __init__(self, roles: list[str], names: dict[int, Names]):
        self.names = names
        self.of = {role: [i for i in names if roles[i] == role] for role in ("setup", "own", "test", "demonstration")}
        self.values = {n for each in names.values() for n, how in each.binds.items() if VALUE in how}
        self.needed: set[int] = set()
        self.waiting: list[tuple[str, int]] = []  # names, each with the position that reads it

    def found(self, world: Iterable[int]) -> set[int]:
        """The demonstrations behind what is read, and those in `world` with what they need."""
        setup = {n for i in self.of["setup"] for n in self.names[i].binds}
        for i in self.of["own"]:
            self.waiting += [(n, i) for n in self.names[i].now] + [(n, END) for n in self.names[i].later]
        for i in self.of["setup"]:
            self.waiting += [(n, END) for n in self.names[i].later]
        for i in self.of["test"]:  # beside the answers run its probes, and what nothing else defines
            each = self.names[i]
            self.waiting += [(n, i) for n in (each.reads - set(each.binds) - setup) | each.probes]
        for i in {*world, *self._submodules()}:
            self._need(i, END)
        until: dict[str, int] = {}
        while self.waiting:
            name, position = self.waiting.pop()
            if position <= until.get(name, -1):
                continue
            until[name] = position
            for i in self.of["demonstration"]:
                if i < position and self._concerns(i, name, position):
                    how = self.names[i].binds
                    if how.get(name, {VALUE}) & {VALUE, DEFINITION}:
                        self._need(i, position)  # and what is changed under another name that it gives to the value
                        self.waiting += [(n, position) for n in how if VALUE in how[n]]
                    else:  # an imported module calls nothing of the cell later
                        self._need(i, i)
        return self.needed

    def _need(self, i: int, position: int) -> None:
        """A demonstration has to run: what it reads has to be there."""
        self.needed.add(i)
        self.waiting += [(n, i) for n in self.names[i].now] + [(n, position) for n in self.names[i].later]

    def _concerns(self, i: int, name: str, position: int) -> bool:
        """Whether a demonstration binds a name, or may change the value that stands behind it."""
        how = self.names[i].binds.get(name)
        if how is None:
            return name in self.values and name in self.names[i].mentions
        return len(how) > 1 or not how <= self._imported_alike(name, position)

    def _imported_alike(self, name: str, position: int) -> set[str]:
        """The import by which the set-up or the learner has a name at a position, if nothing else binds it there."""
        above = [i for i in (*self.of["setup"], *self.of["own"]) if i <= position and name in self.names[i].binds]
        hows = {how for i in above for how in self.names[i].binds[name]}
        return hows if len(hows) == 1 and not hows & {VALUE, DEFINITION} else set()

    def _submodules(self) -> list[int]:
        """Demonstrations that import `a.b`, so that the learner can say `a.b.c` after `import a` alone."""
        modules = {n: m for each in self.names.values() for n, m in each.modules.items()}
        loaded = {m for i in (*self.of["setup"], *self.of["own"]) for m in self.names[i].loads}
        used = set()
        for chain in (c for i in self.of["own"] for c in self.names[i].chains):
            first, dot, rest = chain.partition(".")
            used.add(f"{modules.get(first, first)}{dot}{rest}.")
        wanted = {m for i in self.of["demonstration"] for m in self.names[i].loads if "." in m} - loaded
        wanted = {m for m in wanted if any(chain.startswith(f"{m}.") for chain in used)}
        return [i for i in self.of["demonstration"] if wanted & self.names[i].loads]


# Reading one cell ----------------------------------------------------------------------------------------------------


@functools.lru_cache(2048)
def look(source: str) -> tuple[ast.Module, Names] | None:
    """The syntax of a cell, its lines `%matplotlib …` aside, and its names; None if it is not Python."""
    text = "\n".join("" if line.startswith("%matplotlib ") else line for line in source.split("\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError:
        return None
    return tree, names_of(tree, text)


def plain(source: str) -> str | None:
    """A learner's cell as the Python that IPython makes of it; None if that cannot be run, so that nothing is.

    Of few magics it is known what they run, and only by themselves at the outermost level: the others stay calls of
    `get_ipython`, or text that is no Python. Both are in doubt.
    """
    from autograder.grading.suspicion import parse  # with IPython, which a process that supervises can do without

    if look(source) is not None:
        return source
    tree, is_python = parse(source)
    if not is_python:
        one_line = "\n" not in source.strip() or len(source.splitlines()) == 1
        magic = AUTOMAGIC.match(source) if one_line else None
        return source if magic and not keyword.iskeyword(magic[1]) else None
    if tree is None:
        return source
    return "\n".join(run_by(statement) for statement in tree.body)


def run_by(statement: ast.stmt) -> str:
    """A statement; of a magic what it runs, where that is known."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), how), args, [])):
            texts = [a.value for a in args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            match how, *texts:
                case "run_cell_magic", "time", "", body:
                    return body
                case "run_line_magic", "time", text:
                    return text
                case "run_line_magic", "timeit", text if found := TIMEIT.fullmatch(text):
                    return f"({found[1]})"
                case "run_line_magic", "pinfo" | "pinfo2", name if all(map(str.isidentifier, name.split("."))):
                    return name
                case "system", text if COMMAND.fullmatch(text):
                    return "pass"
                case "run_line_magic", "pip" | "conda" | "matplotlib", text if ARGUMENTS.fullmatch(text):
                    return "pass"
    return ast.unparse(statement)


def names_of(tree: ast.Module, text: str) -> Names:
    """What a cell does with names."""
    reader = _Reader()
    for statement in tree.body:
        before = set(reader.names.binds)
        reader.visit(statement)
        sure = isinstance(statement, ast.Import | ast.ImportFrom | ast.With | Defines)
        if sure or (isinstance(statement, Assigns) and statement.value is not None):
            reader.bound |= (set(reader.names.binds) - before) | stored(statement)
    names = reader.names
    probes = {s.name for s in tree.body if isinstance(s, ast.FunctionDef) and "probe" in words(s.decorator_list)}
    _read_in_calls(symtable.symtable(text, "<cell>", "exec"), names, probes)
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                names.mentions.add(name)
            case ast.Attribute() if chain := dotted(node):
                names.chains.add(chain)
            case ast.Import(names=given):
                names.loads.update(a.name for a in given)
                for a in given:
                    top = a.name.partition(".")[0]
                    names.modules[a.asname or top] = a.name if a.asname else top
            case ast.ImportFrom(module=str(module), names=given):
                names.loads.add(module)
                names.modules.update({a.asname or a.name: f"{module}.{a.name}" for a in given})
    names.mentions |= set(names.binds) | names.later
    return names


def _read_in_calls(top: symtable.SymbolTable, names: Names, probes: set[str]) -> None:
    """Names from around the cell that its functions read, and those that they bind there."""
    tables = [(table, "") for table in top.get_children()]
    for table, caller in tables:  # grows while we walk
        at_once = table.get_type() == "class" or table.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr")
        caller = caller or ("" if at_once else table.get_name())
        tables += [(inner, caller) for inner in table.get_children()]
        for symbol in table.get_symbols():
            if symbol.is_global() and symbol.is_referenced() and caller:
                names.later.add(symbol.get_name())
                if caller in probes:
                    names.probes.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                names.binds.setdefault(symbol.get_name(), set()).add(VALUE)


class _Reader(ast.NodeVisitor):
    """What runs when the cell does: all but the bodies of functions."""

    def __init__(self) -> None:
        self.names = Names()
        self.bound: set[str] = set()  # by the statements before
        self.hidden: list[set[str]] = []  # variables of the comprehensions and loops around
        self.inside = 0  # a class or a comprehension, whose names are its own

    def bind(self, name: str, how: str) -> None:
        if not self.inside:
            self.names.binds.setdefault(name, set()).add(how)

    def within(self, own: set[str], *parts: Iterable[ast.AST]) -> None:
        self.hidden.append(own)
        for node in (node for part in parts for node in part):
            self.visit(node)
        self.hidden.pop()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id, VALUE)
        elif node.id not in self.bound and not any(node.id in own for own in self.hidden):
            self.names.now.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Lambda) and isinstance(node.targets[0], ast.Name):
            self.bind(node.targets[0].id, DEFINITION)
            self.visit(node.value)
        else:
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id not in self.bound:
            self.names.now.add(node.target.id)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.names.binds.setdefault(node.target.id, set()).add(VALUE)
        self.visit(node.value)

    def visit_Import(self, node: ast.Import) -> None:
        for a in node.names:
            top = a.name.partition(".")[0]
            self.bind(a.asname or top, f"import {a.name if a.asname else top}")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for a in node.names:
            self.bind(a.asname or a.name, f"from {'.' * node.level}{node.module or ''} import {a.name}")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bind(node.name, DEFINITION)
        annotations = [a.annotation for a in parameters(node)] + [node.returns]
        parts = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, *annotations]
        self.within(set(), [part for part in parts if part is not None])

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.within(set(), [d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name, DEFINITION)
        self.within(set(), node.decorator_list, node.bases, node.keywords)
        self.inside += 1
        self.within(set(), node.body)
        self.inside -= 1

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.within(set(), [node.iter, node.target])
        self.within(stored(node.target), node.body)
        self.within(set(), node.orelse)

    visit_AsyncFor = visit_For

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        self.within(set(), node.items)
        self.within({n for item in node.items for n in stored(item)}, node.body)

    visit_AsyncWith = visit_With

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.visit(node.generators[0].iter)
        self.inside += 1
        own = {n for generator in node.generators for n in stored(generator.target)}
        self.within(own, ast.iter_child_nodes(node))
        self.inside -= 1

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bind(node.name, VALUE)
        self.within({node.name} if node.name else set(), ast.iter_child_nodes(node))

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name, VALUE)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.bind(node.rest, VALUE)
        self.generic_visit(node)


def stored(node: ast.AST) -> set[str]:
    """Names that are assigned to anywhere in it."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def words(node: ast.AST | list) -> set[str]:
    """Names and attributes anywhere in it."""
    found = (n for one in (node if isinstance(node, list) else [node]) for n in ast.walk(one))
    return {n.id if isinstance(n, ast.Name) else n.attr for n in found if isinstance(n, (ast.Name, ast.Attribute))}


def parameters(function: Function) -> list[ast.arg]:
    a = function.args
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *(p for p in (a.vararg, a.kwarg) if p is not None)]


def dotted(node: ast.AST) -> str:
    """`a.b.c` as text, or "" for anything else."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return node.id if isinstance(node, ast.Name) else ""


def root(node: ast.AST) -> str:
    """The name at the left end of `a.b[c].d`, or ""; what belongs to a class is reached by "cls"."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        if isinstance(node, ast.Attribute) and node.attr in ("__class__", "__dict__"):
            return "cls"
        node = node.value
    if isinstance(node, ast.Call) and dotted(node.func) == "type":
        return "cls"
    return node.id if isinstance(node, ast.Name) else ""


# When in doubt -------------------------------------------------------------------------------------------------------


def reaches_far(trees: list) -> bool:
    """Whether a learner's cell could use names that it does not spell."""
    spelled = set()  # `sys` in `sys.byteorder`; a walk meets that before its parts
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id="sys") as module) if name in NEAR:
                spelled.add(module)
            case ast.Name(id=name, ctx=ast.Load()) if name in REACHES_FAR or (name == "sys" and node not in spelled):
                return True
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in FAR_ATTRIBUTES:
                return True
            case ast.Import(names=given) if any(a.name == "sys" and a.asname for a in given):
                return True
            case ast.ImportFrom(module="sys", names=given) if not {a.name for a in given} <= NEAR:
                return True
            case ast.Import(names=given) if any(a.name.partition(".")[0] in FAR_MODULES for a in given):
                return True
            case ast.ImportFrom(module=str(name)) if name.partition(".")[0] in FAR_MODULES:
                return True
    return False


def keeps_state(trees: list, modules: set[str]) -> bool:
    """Whether what a learner's cells define may remember an earlier call, so that a demonstration's calls could matter.

    Caches, `global`, classes and defaults that hold containers, functions that change what is not their own, and
    functions that use a value made by anything but literals and the constructors of tables.

    Args:
        modules: names under which something is imported.
    """
    assigned = [(stored(s), s.value) for tree in trees for s in tree.body if isinstance(s, Assigns) and s.value]
    containers = {name for names, value in assigned if can_change(value) for name in names}
    strange = {name for names, value in assigned if not is_table(value) for name in names}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Global) or (isinstance(node, Defines) and CACHES & words(node.decorator_list)):
            return True
        if isinstance(node, ast.ClassDef):
            values = [s.value for s in node.body if isinstance(s, Assigns) and s.value is not None]
            if any(can_change(v) and not (isinstance(v, ast.Call) and is_table(v)) for v in values):
                return True
    return any(_remembers(function, containers, strange, modules) for tree in trees for function in outermost(tree))


def outermost(node: ast.AST) -> Iterator[Function]:
    """Functions that do not stand in another one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child
        else:
            yield from outermost(child)


def can_change(value: ast.AST) -> bool:
    """Whether a value is, or holds, something that can be changed in place."""
    kinds = (*Literals.__args__, ast.Call, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
    return any(isinstance(node, kinds) for node in ast.walk(value))


def is_table(value: ast.AST) -> bool:
    """Whether a value is made of literals and constructors of tables, and is not an empty container to be filled."""
    if isinstance(value, Literals) and not getattr(value, "elts", getattr(value, "keys", [])):
        return False
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
    filled = all(call.args or call.keywords for call in calls)
    known = all(dotted(call.func).rpartition(".")[2] in TABLES for call in calls)
    return filled and known and not any(isinstance(node, ast.GeneratorExp | ast.Lambda) for node in ast.walk(value))


def _remembers(function: Function, containers: set[str], strange: set[str], modules: set[str]) -> bool:
    """Whether a function has a default that can be changed, or may change something that is not its own."""
    a = function.args
    if any(can_change(default) for default in (*a.defaults, *a.kw_defaults) if default is not None):
        return True
    inner = [
        n for part in (function.body if isinstance(function.body, list) else [function.body]) for n in ast.walk(part)
    ]
    own = {p.arg for f in (function, *inner) if isinstance(f, Function) for p in parameters(f)} - {"cls"}
    own |= {n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in inner:
        target = ""
        match node:
            case ast.Name(id=name) if name in strange - own:
                return True
            case ast.Attribute() | ast.Subscript() if isinstance(node.ctx, (ast.Store, ast.Del)):
                target = root(node)
            case ast.Call(func=ast.Name(id="next" | "setattr" | "delattr"), args=[first, *_]):
                target = root(first)
            case ast.Call(func=ast.Attribute(value=value, attr=name), args=given):
                if name.endswith("_") and root(value) in modules - own:  # nn.init.zeros_(weight)
                    target = root(given[0]) if given else ""
                elif name in CHANGES or name.endswith("_"):
                    target = root(value)
            case ast.Call(func=ast.Name(id=name), args=given) if name not in dir(builtins):
                if any(isinstance(g, ast.Name) and g.id in containers - own for g in given):
                    return True
        if target and target not in own:
            return True
    return False


def changes_modules(tree: ast.AST | None, modules: dict[str, str]) -> bool:
    """Whether a demonstration may change something beyond its own names: an attribute of a module, or all names.

    Args:
        modules: name -> dotted name of what is imported under it.
    """
    put_back: set[int] = set()  # what stands in `with patch.dict(globals(), …)`; a walk meets that before its parts
    for node in ast.walk(tree or ast.Module([], [])):
        target = ""
        match node:
            case ast.Attribute() | ast.Subscript() if isinstance(node.ctx, (ast.Store, ast.Del)):
                target = _in_module(node, modules)
            case ast.Call(func=ast.Attribute(attr=name) as called) if name.startswith(SETTERS):
                target = _in_module(called, modules)
            case ast.Call(func=ast.Attribute(value=ast.Attribute() as value, attr=name)) if name in CHANGES:
                target = _in_module(value, modules)
            case ast.Call(func=ast.Name(id="exec" | "eval" | "setattr" | "delattr" | "vars" | "locals")):
                return True
            case ast.Call(func=function, args=given) if dotted(function) == "patch.dict":
                put_back |= {id(n) for g in given for n in ast.walk(g)}
            case ast.Name(id="globals") if id(node) not in put_back:
                return True
        if target and not target.startswith(HARMLESS):
            return True
    return False


def _in_module(node: ast.AST, modules: dict[str, str]) -> str:
    """The dotted name of something that is reached through an imported name, or ""."""
    while isinstance(node, ast.Subscript):
        node = node.value
    first, dot, rest = dotted(node).partition(".")
    return modules[first] + dot + rest if first in modules else ""
