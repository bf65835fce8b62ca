"""What happens around a test cell in the learner's own kernel, so that nothing which another cell did decides a test.

The course's grader does the same in its own way: there, tests run in a process that the learner's cells never touch.
"""

import ast
import builtins
import re
from contextlib import ExitStack
from typing import Any

from bonsai.settings import usual_settings
from bonsai.wording import advice, is_stub, learner_lines

SETUP = "from bonsai.testing import"
TEST = re.compile(r"^(check|check_errors|check_inputs|expect|require|from_scratch|checks\d\d\.\w+)\(", re.M)
ALIAS = "_given_"


def attach(shell: Any) -> None:
    """Watch the cells that this IPython runs."""
    watcher = Watcher(shell)
    shell.events.register("pre_run_cell", watcher.before)
    shell.events.register("post_run_cell", watcher.after)
    shell.ast_transformers.append(watcher)


class Watcher(ast.NodeTransformer):
    """Runs test cells with the usual settings, and with the names that the set-up cell gave them."""

    def __init__(self, shell: Any):
        self.shell, self.given, self.around = shell, dict[str, Any](), ExitStack()
        self.testing = False
        self.clashing: set[str] = set()

    def before(self, info: Any) -> None:
        """A cell is about to run."""
        self.around.close()
        self.testing = bool(TEST.search(info.raw_cell or "")) and SETUP not in info.raw_cell
        if self.testing:
            changed = self.around.enter_context(usual_settings())
            if changed:
                print(f"(This notebook changes {' and '.join(changed)}; the test sets it as usual.)")
            self.shell.set_custom_exc((Exception,), self.explain)
            self.around.callback(self.shell.set_custom_exc, (), None)

    def after(self, result: Any) -> None:
        """A cell has run."""
        self.around.close()
        self.testing = False
        source = getattr(getattr(result, "info", None), "raw_cell", None) or ""
        if SETUP in source and result.success:
            self.given = {name: self.shell.user_ns[name] for name in names_bound(source) if name in self.shell.user_ns}

    def explain(self, shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> list[str]:
        """What a failed test shows: its own words, or the learner's lines; never the inside of the course's tools."""
        if hasattr(error, "_render_traceback_"):
            lines = error._render_traceback_()
        elif is_stub(error):
            lines = ["✗ not answered yet: write the answer in place of `raise NotImplementedError()`"]
        else:
            said = f"{kind.__name__}: {error}"
            if isinstance(error, NameError):
                said += "\n  The cell that defines it has not run in this kernel, or failed: run it again."
            lines = [f"✗ {said}", *learner_lines(error), *advice(kind.__name__, str(error))]
        shell._showtraceback(kind, error, lines)
        return lines

    # As a transformer of syntax trees: in a test cell, a name that was bound anew means what the set-up cell meant.

    def visit_Module(self, node: ast.Module) -> ast.Module:
        if not self.testing:
            return node
        names = self.shell.user_ns
        usual = {n: v for n, v in vars(builtins).items() if n[:1] != "_"} | self.given
        own = bound_in(node.body)
        self.clashing = {n for n, v in usual.items() if n in names and names[n] is not v and n not in own}
        self.clashing -= {"open", "exit", "quit", "display", "get_ipython"}  # IPython has its own
        names.update({ALIAS + n: usual[n] for n in self.clashing})
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(ALIAS + node.id, node.ctx), node) if node.id in self.clashing else node

    def visit_FunctionDef(self, node: Any) -> Any:
        outer, self.clashing = self.clashing, self.clashing - bound_in([node])
        self.generic_visit(node)
        self.clashing = outer
        return node

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef


def bound_in(nodes: list) -> set[str]:
    """Names that statements, with all that is inside them, give a value or take as parameters."""
    found = set()
    for one in (inner for node in nodes for inner in ast.walk(node)):
        match one:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found |= {(a.asname or a.name).partition(".")[0] for a in aliases}
    return found


def names_bound(source: str) -> set[str]:
    """Names that a cell binds at its top."""
    try:
        body = ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.M)).body
    except SyntaxError:
        return set()
    return set().union(*(bound_in([n]) if not isinstance(n, ast.FunctionDef) else {n.name} for n in body))
