"""The part of a notebook's code that one function needs: what a fresh process is given, and what its bytes are worth.

Read from the syntax: nothing is imported, nothing is run. The grader and a learner's own kernel use the same reader.
"""

import ast
import functools
import re
import symtable
import warnings
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

LIMIT = 8 << 10  # bytes of UTF-8 that a fresh process takes unless a test allows more
BODY_MAGICS = re.compile(r"\s*%%(time|timeit|capture|prun)\b[^\n]*\n")  # magics whose cell is Python
INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def needed_code(cells: list[str], names: Collection[str], setup: str = "") -> str:
    """The statements at the top of `cells` that `names` need, directly or through other names, in their order.

    Args:
        cells: sources in the order in which they ran; one that does not parse gives nothing.
        names: of functions or classes.
        setup: source of the set-up cell; what it imports is there already.
    """
    given = {name for piece in statements(setup) for name in piece.imported}
    pieces = [piece for cell in cells for piece in statements(cell)]
    own = {name for piece in pieces for name in piece.bound}
    wanted, taken = set(names), set[int]()
    grown = True
    while grown:
        grown = False
        for number, piece in enumerate(pieces):
            gives = piece.bound | (piece.imported - given) | (piece.changed & own)
            if number not in taken and gives & (wanted | {"*"}):
                taken.add(number)
                wanted |= piece.used
                grown = True
    return "\n".join(pieces[number].text for number in sorted(taken))


def home_of(name: str, cells: list[str]) -> list[str]:
    """The last cell that defines a name, alone in a list; or no cell."""
    return [cell for cell in cells if any(name in piece.bound for piece in statements(cell))][-1:]


def compressed(code: str) -> int:
    """Bytes of some code as UTF-8, packed by zlib at level 9; 0 of none."""
    return len(zlib.compress(code.encode("utf-8", "surrogatepass"), 9)) if code else 0


def size(code: str) -> int:
    """Bytes of some code as UTF-8."""
    return len(code.encode("utf-8", "surrogatepass"))


def newest(cells: list[str]) -> list[str]:
    """The cells that a learner ran, without those that a later version replaced: it binds the very same names."""
    binds = [frozenset(name for piece in statements(cell) for name in piece.bound) for cell in cells]
    return [cell for i, cell in enumerate(cells) if binds[i] not in binds[i + 1 :]]


@dataclass
class Piece:
    """A statement at the top of a cell: its text, and names that it gives a value, imports, changes and reads."""

    text: str
    used: set[str]
    bound: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)  # `f.x = …`, `f[0] = …`, `f.append(…)`


@functools.lru_cache(maxsize=1000)
def statements(source: str) -> tuple[Piece, ...]:
    """The statements at the top of a cell."""
    text, pieces = without_magic(source), list[Piece]()
    for node in parsed(text):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if first != node.lineno:
            shown = "\n".join(text.split("\n")[first - 1 : node.end_lineno])
        else:
            shown = ast.get_source_segment(text, node) or ""
        piece = Piece(shown, global_names(shown))
        note_bindings(node, piece)
        pieces.append(piece)
    return tuple(pieces)


def global_names(source: str) -> set[str]:
    """Names that a piece of code reads from around it or binds there: no parameters or local variables."""
    found = set[str]()
    try:
        tables = [symtable.symtable(source, "<cell>", "exec")]
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # a `return` in the open, and the like
        return found
    for table in tables:  # grows while we walk
        tables += table.get_children()
        outermost = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if outermost or s.is_global()}
    return found


def without_magic(source: str) -> str:
    """A cell as plain Python; `%%time` and the like stand above Python."""
    text = BODY_MAGICS.sub("", source, count=1)
    try:
        return as_python(text)
    except SyntaxError:
        return text


def as_python(cell: str) -> str:
    """A cell with its magics turned into calls.

    Raises:
        SyntaxError: IPython's own transformer fails on it, as on `=%` before a backslash.
    """
    try:
        return TransformerManager().transform_cell(cell)
    except (IndexError, RuntimeError) as error:
        raise SyntaxError("IPython cannot read this cell") from error


def parsed(text: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []


def note_bindings(statement: ast.stmt, piece: Piece) -> None:
    """Note the names that a statement gives a value, imports or changes; what is inside a function stays there."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                piece.bound.add(name)
            case ast.Import(names=names):
                piece.imported |= {a.asname or a.name.partition(".")[0] for a in names}
            case ast.ImportFrom(names=names):
                piece.imported |= {a.asname or a.name for a in names}
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                piece.bound.add(name)
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                piece.changed |= root_name(node)
            case ast.Expr(value=ast.Call(func=ast.Attribute() as function)):
                piece.changed |= root_name(function)
            case ast.ExceptHandler(name=str(caught)) | ast.MatchAs(name=str(caught)) | ast.MatchStar(name=str(caught)):
                piece.bound.add(caught)
        if not isinstance(node, INNER):
            todo += ast.iter_child_nodes(node)


def root_name(node: ast.AST) -> set[str]:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
