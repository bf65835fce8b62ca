"""Looks at the machine for what the course needs; each finding with its remedy."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from autograder.desk import workspace
from autograder.source import ROOT

DISK_GB, MEMORY_GB = 2, 4


@dataclass
class Finding:
    """One line of `bonsai doctor`."""

    what: str
    ok: bool
    said: str
    remedy: str = ""
    needed: bool = True  # whether lessons cannot be done without it


def examine() -> Iterator[Finding]:
    """Look at one thing after another. A look that fails is a finding, too."""
    looks: list[Callable[[], Finding]] = [python, course, torch, threads, memory, disk, data, desk, sandbox, browser]
    for look in looks:
        try:
            yield look()
        except Exception as error:
            yield Finding(look.__name__, False, f"{type(error).__name__}: {error}", "Install the course again.")


def python() -> Finding:
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", ok, said, "Install Python 3.11, 3.12 or 3.13 and make the environment anew.")


def course() -> Finding:
    try:
        return Finding("Bonsai", True, f"{version('bonsai-course')} in {ROOT}")
    except PackageNotFoundError:
        return Finding("Bonsai", False, "not installed", "Run: pip install --editable . in the course's folder.")


def torch() -> Finding:
    import torch

    build = f"CUDA {torch.version.cuda} build" if torch.version.cuda else "CPU build"
    return Finding("torch", True, f"{torch.__version__}, {build}, imported")


def threads() -> Finding:
    """On a busy machine several threads of torch can wait for each other and be many times slower than one."""
    import torch

    usual = torch.get_num_threads()
    try:
        one, many = (_seconds(n) for n in (1, usual))
    finally:
        torch.set_num_threads(usual)
    said = f"1 thread {one * 1e3:.0f} ms, {usual} threads {many * 1e3:.0f} ms for the same products"
    return Finding(
        "threads", many < 3 * one, said, "Other programs keep the cores busy; lessons use one thread.", False
    )


def _seconds(count: int) -> float:
    import torch

    torch.set_num_threads(count)
    a = torch.ones(256, 256)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(20):
            a @ a
        times.append(time.perf_counter() - began)
    return sorted(times)[2]


def memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # Windows
        return Finding("memory", True, "not known here", needed=False)
    return Finding("memory", total >= MEMORY_GB, f"{total:.0f} GB", f"Close other programs: {MEMORY_GB} GB are needed.")


def disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 2**30
    return Finding("disk", free >= DISK_GB, f"{free:.0f} GB free", f"Make room: {DISK_GB} GB should be free.")


def data() -> Finding:
    """The data files against their published checksums."""
    folder = ROOT / "data"
    lines = (folder / "FashionMNIST" / "SHA256SUMS").read_text().split("\n")
    wanted = {name: digest for digest, name in (line.split() for line in lines if line)}
    broken = []
    for name, digest in wanted.items():
        path = folder / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            broken.append(name)
    said = f"{len(wanted) - len(broken)} of {len(wanted)} files as published"
    return Finding("data", not broken, said, f"Get again: {', '.join(broken)} (git checkout data).")


def desk() -> Finding:
    folder = workspace.root()
    opened = sum(workspace.notebook(name).exists() for name in workspace.lessons())
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    ok = os.access(nearest, os.W_OK)
    said = f"{folder}, {opened} of {len(workspace.lessons())} lessons opened"
    return Finding("workspace", ok, said, "It cannot be written to: set BONSAI_WORK to a folder of yours.")


def sandbox() -> Finding:
    """Needed to grade other people's work only."""
    path = shutil.which("bwrap")
    if path is None:
        remedy = "Your own work is checked without it. To grade others' on Linux: apt install bubblewrap."
        return Finding("sandbox", False, "no bubblewrap", remedy, needed=False)
    command = [path, "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    ok, words = done.returncode == 0, done.stderr.strip().splitlines()
    said = "bubblewrap works" if ok else f"bubblewrap is refused: {words[-1] if words else 'no reason given'}"
    return Finding("sandbox", ok, said, "Allow unprivileged user namespaces, or grade with docker.", needed=False)


def browser() -> Finding:
    import webbrowser

    try:
        name = webbrowser.get().__class__.__name__
    except webbrowser.Error:
        remedy = "bonsai lab --no-browser prints an address to open elsewhere."
        return Finding("browser", False, "none found", remedy, needed=False)
    return Finding("browser", True, f"found ({name})", needed=False)
