"""The project's own papers agree with each other and with the code."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"].values()
WANTED = [Requirement(r) for r in [*PROJECT["dependencies"], *(r for extra in EXTRAS for r in extra)]]
LOCK = [
    Requirement(line.split("#")[0])
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line and not line.startswith((" ", "#"))
]


def test_the_lock_pins_everything_and_within_the_declared_ranges():
    pinned = {canonicalize_name(r.name): r for r in LOCK}
    for requirement in WANTED:
        pin = pinned.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in requirements.lock: run make lock"
        versions = [r.specifier for r in LOCK if r.name == pin.name]
        for specifier in versions:
            (version,) = (s.version for s in specifier if s.operator == "==")
            assert requirement.specifier.contains(version), f"the lock has {pin.name} {version}, not {requirement}"
    assert all(re.fullmatch(r"==[^,*]+", str(r.specifier)) for r in LOCK), "a line of the lock is no exact pin"


def test_the_installed_versions_are_the_locked_ones():
    from importlib.metadata import version

    for requirement in WANTED:
        name = canonicalize_name(requirement.name)
        here = [r for r in LOCK if canonicalize_name(r.name) == name and (r.marker is None or r.marker.evaluate())]
        assert here and here[0].specifier.contains(version(requirement.name).split("+")[0]), requirement.name


def test_conda_installs_python_pip_and_the_project():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    listed = [line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- ")]
    assert listed == [
        *("conda-forge", f"python {PROJECT['requires-python']}", "pip", "pip:"),
        *("--constraint requirements.lock", "--editable .[deploy,text,llm,cluster,site,dev]"),
    ]


@pytest.mark.parametrize("package", ["bonsai", "autograder"])
def test_every_import_is_a_declared_dependency(package):
    listed = PROJECT["dependencies"] + (PROJECT["optional-dependencies"]["cluster"] if package == "autograder" else [])
    modules = {canonicalize_name(r.name).replace("-", "_") for r in map(Requirement, listed)}
    own = set(sys.stdlib_module_names) | {"bonsai", "autograder"}
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                assert name.split(".")[0].lower() in own | modules, (
                    f"{path.name} imports {name}, which pyproject.toml lacks"
                )


def test_imports_point_one_way():
    for path in [*(ROOT / "bonsai").glob("*.py"), *(ROOT / "lessons").glob("*/*.py")]:
        assert not re.search(r"^\s*(from|import) autograder", path.read_text(), re.M), f"{path} imports the autograder"


def test_the_readme_names_commands_that_exist():
    readme, targets = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"(?m)(?:^|`)make (\w+)", readme))
    assert {"demo", "test", "lab"} <= commands
    for command in commands:
        assert re.search(rf"^{command}:", targets, re.M), f"README names make {command}"
    from typer.main import get_command

    from autograder.cli import app

    known = get_command(app).commands
    for command in set(re.findall(r"(?:bin/|`)bonsai ([a-z]+)", readme)):
        assert command in known, f"README names bonsai {command}"
    for path in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / path).exists(), f"README links to {path}"


def test_sources_hold_no_machine_paths():
    here = re.compile(r"(?<![\w.~])/(root|work|home/(?!learner))/?")
    for pattern in ("bonsai/*.py", "autograder/**/*", "solutions/*", "lessons/*/*", "data/*.py", "*.md", "Makefile"):
        for path in ROOT.glob(pattern):
            if path.is_file():
                found = here.search(path.read_text(encoding="utf-8"))
                assert not found, f"{path.relative_to(ROOT)} names {found.group()}…"


def test_every_promise_of_security_names_a_test_that_exists():
    text = (ROOT / "autograder" / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 15
    for row in rows:
        promise, tests = row.strip("| ").split(" | ")
        named = 0
        for group in tests.split("; "):
            file, _, names = group.partition(": ")
            source = (ROOT / "tests" / f"{file.strip('`')}.py").read_text(encoding="utf-8")
            defined = set(re.findall(r"^def (test_\w+)\(", source, flags=re.M))
            found = re.findall(r"`(test_\w+)`", names)
            assert set(found) <= defined, f"{promise}: {sorted(set(found) - defined)} are not in {file}"
            named += len(found)
        assert named, promise
