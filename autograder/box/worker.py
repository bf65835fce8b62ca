"""Runs inside the sandbox: the warm parent, and the process that it forks for each submission, which runs the answers.

The parent imports torch once, reads no data, knows no secret and runs no learner's code. Each child closes itself in
(`enclose`), then serves one request at a time: run a cell, call an exercise, run a probe. Nothing that this file does
after the first learner's cell can be trusted: the grader treats every byte from here as the learner's.
"""

import builtins
import contextlib
import ctypes
import fcntl
import functools
import gc
import importlib
import io
import json
import linecache
import os
import pkgutil
import platform
import random
import resource
import signal
import socket
import struct
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from autograder.box import wire
from autograder.box.lock import Lock, ShortcutUsed, imported_since, remember_keepers

# Requests to a child, and its replies. The grader's own processes use the same numbers.
START, CELL, DEFINE, LEAVE_OUT, CALL, PROBE, SEED, REPLACE, KEEP = range(1, 10)
DONE, FAILED = 64, 65
# A question of a child's own, in the middle of a request, and what comes back: a call of another process's function.
BORROW, LENT = 66, 67

NOBODY = 65534
# modules beside the course's own whose contents are put back before a probe runs
PRISTINE = ("builtins", "copy", "math", "numpy", "torch", "torch.nn", "torch.nn.functional")
# Made in the parent, before any learner's code: what pristine modules hold, how many modules there were, and locks.
HELD: list[tuple[Any, dict[str, Any]]] = []
KNOWN = 0
PREPARED: dict[tuple[str, ...], Lock] = {}
MESSAGE = 2000  # characters of an error that are passed on
LINES = 3  # places in the learner's code that led to it, the innermost last
LABELS: dict[str, str] = {}  # file name that Python gave a cell -> what a reader calls the cell
NOT_SHOWN = "(an error that cannot be shown)"
FORK, LEARN = b"F", b"L"  # what a parent is asked for
WIRE_FD = 200  # out of the way of code that closes or reuses low descriptors
TRAINING = "torchao.quantization"  # takes seconds, half of them for what torch imports with its first optimizer
NAMESPACES = {
    "user": 0x10000000,
    "mnt": 0x20000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x8000000,
    "uts": 0x4000000,
}
MS_NOSUID, MS_NOSUID_NODEV, MS_NOEXEC, MS_REC_PRIVATE, MS_BIND = 2, 2 | 4, 8, 0x4000 | 0x40000, 0x1000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38

LARGE_PAGE, MADV_COLLAPSE = 2 << 20, 25
FEW = 10  # requests to a parent, after which large pages, which take a tenth of a second to make, are worth it

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """`enclosed` or `plain`: a parent that forks, on the socket that is its input. `once`: one child, on both.

    `lean` after it: for one notebook, so what few lessons need is left to them.
    """
    mode, lean = sys.argv[1], "lean" in sys.argv[2:]
    if mode == "enclosed":
        become_nobody()
    gc.disable()  # while all is imported it finds nothing and takes a tenth of the time
    if mode == "once":
        warm_up(lean=True)
        gc.enable()
        learner(wire.Channel(os.dup(0), os.dup(1)))
    control = socket.socket(fileno=os.dup(0))
    warm_up(lean)
    serve(control, learner, enclosed=mode == "enclosed", learn=learn)


# The warm parent -----------------------------------------------------------------------------------------------------


def become_nobody() -> None:
    """Give up root, so that the limit on processes holds. Nothing to do for an ordinary user."""
    if os.getuid() != 0:
        return
    for cover in ("sys", "sysrq-trigger", "irq", "bus"):  # bubblewrap protects them from root; with them a child
        libc.umount2(b"/proc/" + cover.encode(), 2)  # may not mount its own /proc, and nobody cannot write to them
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self stays root's, and a child cannot map its user


def warm_up(lean: bool = False) -> None:
    """Import what lessons import; make the shell. One thread, no data."""
    import numpy.random  # noqa: F401  # else NumPy imports it in each child

    import bonsai.testing  # noqa: F401

    if not lean:
        import_toolkit()
    know_the_processor()
    run_once()
    note_modules()


def run_once() -> None:
    """Make the shell, and have everything imported that a first cell takes."""
    from bonsai.settings import usual_settings

    shell = make_shell()
    shell.outputs = Outputs(1 << 10, 1 << 10)
    with usual_settings():
        shell.run_cell("import torch\ntorch.manual_seed(0)\ndel torch", silent=True)


def note_modules() -> None:
    """Note what the modules hold that are there now."""
    remember_keepers()
    HELD[:] = pristine(list(sys.modules))
    global KNOWN
    KNOWN = len(sys.modules)


def learn(text: str) -> None:
    """Once for all later children, from JSON: import the library of that name; or look for what a test puts out of
    order, which are the patterns of a list."""
    said = json.loads(text)
    if isinstance(said, str):
        import_toolkit(said)
        return note_modules()
    patterns = tuple(said)
    PREPARED[patterns] = Lock(list(patterns))
    PREPARED[patterns].look()


def pristine(names: list[str], folder: str = "") -> list[tuple[Any, dict[str, Any]]]:
    """Of these modules, the course's own and those in `PRISTINE`, with their classes: each with what it holds.

    Args:
        folder: of the lesson's own modules, if there are any.
    """
    held: list[tuple[Any, dict[str, Any]]] = []
    for name in names:
        module = sys.modules[name]
        own = name.split(".")[0] == "bonsai" or (folder and str(getattr(module, "__file__", "")).startswith(folder))
        if own or name in PRISTINE:
            held.append((module, dict(vars(module))))
            classes = [v for v in vars(module).values() if isinstance(v, type)] if own else []
            held += [(c, dict(vars(c))) for c in classes if c.__module__ == name]
    return held


def import_toolkit(*more: str) -> None:
    """Import all of `bonsai`, what draws, and `more`."""
    import bonsai

    toolkit = [f"bonsai.{module.name}" for module in pkgutil.iter_modules(bonsai.__path__)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in (*toolkit, "matplotlib.font_manager", "matplotlib.pyplot", *more):
            with contextlib.suppress(ImportError):  # an optional part of the toolkit
                importlib.import_module(name)


def know_the_processor() -> None:
    """Have torch look at the processor now: a fresh process sees no /proc/cpuinfo, and some operations ask for it."""
    import torch

    torch.zeros(64).half().float()  # asks


def serve(
    control: socket.socket,
    child: Callable[[wire.Channel], NoReturn],
    enclosed: bool,
    learn: Callable[[str], object] = lambda text: None,
) -> NoReturn:
    """Fork a child for each socket that arrives, until the grader goes away.

    Args:
        learn: is given each text that comes in a file instead, so that all later children have read it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    gc.collect()
    gc.freeze()  # else the first collection in each child copies every page
    gc.enable()
    control.send(b"R")
    served = 0
    while True:
        served += 1
        if served == FEW:
            use_large_pages()
        message, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            os._exit(0)
        if message == LEARN:
            with os.fdopen(fds[0], "rb") as file:
                for text in json.load(file):
                    learn(text)
            gc.freeze()
            continue
        if os.fork() == 0:
            control.close()
            try:
                become_child(fds[0], child, enclosed)
            finally:
                os._exit(1)
        os.close(fds[0])


def use_large_pages() -> None:
    """Have the kernel keep this process's memory in pages of 2 MB: there are 512 times fewer for each fork to copy."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, _, _, inode, *_ = line.split()
        begin, end = (int(address, 16) for address in place.split("-"))
        if rights == "rw-p" and inode == "0":
            begin, end = -(-begin // LARGE_PAGE) * LARGE_PAGE, end // LARGE_PAGE * LARGE_PAGE
            if begin < end:
                libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), MADV_COLLAPSE)  # where it can


def become_child(fd: int, child: Callable[[wire.Channel], NoReturn], enclosed: bool) -> None:
    """First tell the grader who the child is, as a pidfd, which works across namespaces and is never reused."""
    connection = socket.socket(fileno=fd)
    if enclosed:
        try:
            enter_namespaces()
        except OSError as error:
            connection.sendall(b"E" + str(error).encode())
            return
        pid = os.fork()
        if pid:
            socket.send_fds(connection, [b"P"], [os.pidfd_open(pid)])
            return  # bubblewrap's init reaps it
        os.setsid()  # a signal to the process group would cross the namespace, and end the parent
    else:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        socket.send_fds(connection, [b"P"], [os.pidfd_open(os.getpid())])
    fd = connection.detach()
    channel = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, WIRE_FD)
    os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child(wire.Channel(channel, channel))


# Closing in ----------------------------------------------------------------------------------------------------------


def check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def enter_namespaces() -> None:
    """Own user, mounts, processes, network and so on, for this process's children."""
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(sum(NAMESPACES.values())), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        Path("/proc/self", name).write_text(text)


def enclose(start: dict) -> None:
    """Own empty folders, the submission's files, limits, no privileges. From here on nothing can be undone."""
    if start["enclosed"]:
        mount(None, "/", None, MS_REC_PRIVATE)
        for folder in ("/tmp", "/dev/shm", start["work"], *start["hide"]):
            mount("tmpfs", folder, "tmpfs", MS_NOSUID_NODEV, f"size={start['tmp_mb']}m,mode=700")
        for file in start["cover"]:
            mount("/dev/null", file, None, MS_BIND)
        mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0600")
        processes_only = "subset=pid" if start["blind"] else ""  # no meminfo, loadavg and so on, which all share
        mount("proc", "/proc", "proc", MS_NOSUID_NODEV | MS_NOEXEC, processes_only)
    os.chdir(start["work"])
    for name, content in start["files"].items():
        path = Path(start["work"], name)
        if path.is_absolute() and ".." not in Path(name).parts and path.is_relative_to(start["work"]):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    set_limits(start)
    if start["enclosed"] and start["blind"]:  # smaps and pagemap tell which pages another fork still shares
        mount("tmpfs", "/proc", "tmpfs", MS_NOSUID_NODEV | MS_NOEXEC, "size=4k,mode=500")
    if start["harden"]:
        drop_privileges()
        program = seccomp_program(platform.machine(), start["blind"])
        check(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    raw = [None if text is None else text.encode() for text in (source, target, kind)]
    check(libc.mount(raw[0], raw[1], raw[2], ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def set_limits(start: dict) -> None:
    """Memory beyond what was inherited, files, processes, CPU seconds; and the first to go when memory runs out."""
    pages, *_ = Path("/proc/self/statm").read_text().split()
    inherited, memory = int(pages) * resource.getpagesize(), start["memory_mb"] << 20
    limits = {
        resource.RLIMIT_DATA: memory,  # counts private memory...
        resource.RLIMIT_AS: inherited + 2 * memory,  # ...and this what is shared
        resource.RLIMIT_FSIZE: start["file_mb"] << 20,
        resource.RLIMIT_NOFILE: 512,
        resource.RLIMIT_CPU: start["cpu_s"],
        resource.RLIMIT_CORE: 0,
    }
    if start["enclosed"]:  # elsewhere it would count the user's other processes
        limits[resource.RLIMIT_NPROC] = start["processes"]
    for what, amount in limits.items():
        hard = resource.getrlimit(what)[1]
        amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (amount, amount))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def drop_privileges() -> None:
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    check(libc.capset(header, none), "capset")
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


# Calls that no lesson needs and that kernel exploits begin with: name -> number on x86_64 and on aarch64.
DENIED = {
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272)},
    **{"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41)},
    **{"chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430)},
    **{"fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425)},
    **{"io_uring_enter": (426, 426), "io_uring_register": (427, 427), "add_key": (248, 217)},
    **{"request_key": (249, 218), "keyctl": (250, 219), "kexec_load": (246, 104), "kexec_file_load": (320, 294)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "swapon": (167, 224)},
    **{"name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "swapoff": (168, 225), "reboot": (169, 142)},
    **{"acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170)},
    **{"clock_settime": (227, 112), "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162)},
    **{"lookup_dcookie": (212, 18), "pidfd_getfd": (438, 438), "fadvise64": (221, 223)},
    **{"inotify_init": (253, 26), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27)},
    **{"fanotify_init": (300, 262), "fanotify_mark": (301, 263)},
    # memory that no limit counts once it is not mapped
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186)},
    **{"mq_open": (240, 180)},
}
# What a fresh process must not see by: locks, the machine's load, which pages of a file are in memory.
BLINDING = {"flock": (73, 32), "sysinfo": (99, 179), "mincore": (27, 232), "cachestat": (451, 451)}
BLINDING |= {"preadv2": (327, 286)}
LEASES, LOCKS = (1024, 1026), (5, 6, 7, 36, 37, 38, 1031, 1032)  # fcntl: leases, notices; locks, sizes of pipes
MACHINES = {
    "x86_64": (0, 0xC000003E, {"clone": 56, "socket": 41, "fcntl": 72}),
    "aarch64": (1, 0xC00000B7, {"clone": 220, "socket": 198, "fcntl": 25}),
}
FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink (which getifaddrs needs); not vsock, which leaves the machine


class _Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter))]


def seccomp_program(machine: str, blind: bool = False) -> _Program:
    """A classic BPF program over `struct seccomp_data`: number at 0, architecture at 4, arguments from 16, 8 bytes.

    Args:
        blind: also refuse what shows another process's doings.
    """
    if machine not in MACHINES:
        raise OSError(f"no list of system calls for {machine}: only x86_64 and aarch64 are known")
    column, arch, number = MACHINES[machine]
    load, equal, at_least, has_bits, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, deny, absent = 0x7FFF0000, 0x50000 | 1, 0x50000 | 38  # EPERM; ENOSYS makes glibc fall back to clone
    program = [
        (load, 0, 0, 4), (equal, 1, 0, arch), (answer, 0, 0, deny),
        (load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (answer, 0, 0, deny),  # the x32 calls
        (equal, 0, 1, 435), (answer, 0, 0, absent),  # clone3: its flags lie in memory, where they cannot be checked
        (equal, 0, 3, number["clone"]),
        (load, 0, 0, 16), (has_bits, 0, 1, sum(NAMESPACES.values()) | 0x2000000), (answer, 0, 0, deny),
        (load, 0, 0, 0), (equal, 0, 2 + len(FAMILIES), number["socket"]),
        (load, 0, 0, 16), *((equal, len(FAMILIES) - i, 0, f) for i, f in enumerate(FAMILIES)), (answer, 0, 0, deny),
        (load, 0, 0, 0),
    ]  # fmt: skip
    commands = (*LEASES, *LOCKS) if blind else LEASES
    program += [(equal, 0, 3 + len(commands), number["fcntl"]), (load, 0, 0, 24)]
    program += [(equal, len(commands) - i, 0, c) for i, c in enumerate(commands)]
    program += [(answer, 0, 0, allow), (answer, 0, 0, deny)]
    for numbers in (DENIED | BLINDING if blind else DENIED).values():
        program += [(equal, 0, 1, numbers[column]), (answer, 0, 0, deny)]
    program.append((answer, 0, 0, allow))
    return _Program(len(program), (_Filter * len(program))(*(_Filter(*line) for line in program)))


# The learner's process -----------------------------------------------------------------------------------------------


def learner(channel: wire.Channel) -> NoReturn:
    """Serve one submission. Every request gets one reply, from this process only."""
    me = os.getpid()
    _, number, body = channel.receive()
    try:
        start = wire.decode(body)
        raw = os.memfd_create("outputs")
        enclose(start)
        session = Session(start, raw)
    except Exception as error:
        channel.send(FAILED, number, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        os._exit(1)
    channel.send(DONE, number, b"")
    while True:
        kind, number, body = channel.receive()
        session.borrow = functools.partial(borrow, channel, number)
        reply = session.answer(kind, wire.decode(body))
        if os.getpid() != me:  # a fork that a cell left running must not reply a second time
            os._exit(0)
        channel.send(DONE, number, reply)


def borrow(channel: wire.Channel, number: int, name: str, args: tuple, kwargs: dict) -> Any:
    """Have a function called that this process does not have: the grader passes the call on, and the result back.

    An empty message tells the grader that not all of it can cross: a model, or the way that gradients go.
    """
    try:
        message = wire.encode(("", name, args, kwargs, ()), strict=True)
    except (TypeError, ValueError):
        message = b""
    if message and takes_gradients([*args, *kwargs.values()]):
        channel.send(BORROW, number, b"")
        channel.receive()
    channel.send(BORROW, number, message)
    _, _, body = channel.receive()
    kind, value = wire.decode(body)
    if kind == "value":
        return value
    error = next((e for b in value["bases"] if isinstance(e := vars(builtins).get(b), type)), RuntimeError)
    raise error(value["message"])


def takes_gradients(values: list) -> bool:
    """Whether something is computed with tensors that wait for a gradient."""
    import torch

    return torch.is_grad_enabled() and any(isinstance(v, torch.Tensor) and v.requires_grad for v in values)


class Session:
    """The learner's shell with its outputs, and the exercises in it.

    Args:
        raw: a file for what is written past Python.
    """

    def __init__(self, start: dict, raw: int):
        import numpy
        import torch

        self.limit_kb, self.picture_kb = start["text_kb"], start["picture_kb"]
        os.environ["HOME"] = start["work"]
        sys.path.insert(0, start["work"])
        self.raw = raw
        nothing = os.open("/dev/null", os.O_RDONLY)
        for fd, source in ((0, nothing), (1, self.raw), (2, self.raw)):
            os.dup2(source, fd)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        self.seeders = random.seed, numpy.random.seed, torch.manual_seed
        self.seed()  # a parent's state would be shared by all its children
        torch.set_num_threads(1)
        self.shell = make_shell()
        self.borrow: Callable[[str, tuple, dict], Any]
        self.builtins = frozenset(vars(builtins))
        self.locks = dict(PREPARED)
        self.lock: Lock | None = None  # that holds
        self.kept: dict[str, Any] = {}  # names of the set-up cells as they were before anything of the learner's ran
        self.inside: list[tuple[Any, dict[str, Any]]] = []  # modules and classes, and what they held then

    def answer(self, kind: int, request: Any) -> bytes:
        """The reply to one request; an error in it is a reply too."""
        own: dict[int, Callable[..., dict]] = {CELL: self.run_cell, DEFINE: self.define, LEAVE_OUT: self.leave_out}
        own |= {SEED: self.seed, REPLACE: self.replace, KEEP: self.keep}
        if kind in own:
            if kind != SEED:  # between two calls of one exercise
                self.hold(())
            return json.dumps(own[kind](*request), default=str).encode()
        try:
            value = self.call(kind, *request)
        except BaseException as error:
            self.hold(())  # its lines are read from files, for which Python needs what may be out of order: codecs
            return wire.encode(("error", describe(error)))
        try:
            return wire.encode(("value", value))
        except Exception as error:
            what = f"{request[1]} returned something that cannot leave its process: {error}"
            return wire.encode(("error", describe(Unsendable(what)) | {"bases": []}))

    def seed(self) -> dict:
        """Set the random states: before each cell and each test, so that they do not depend on what ran before."""
        for seeder in self.seeders:
            seeder(0)
        return {}

    def keep(self, setups: list[str]) -> dict:
        """Run the set-up cells by themselves, before any cell of the learner's; remember what probes need of them."""
        namespace = {"__name__": "__main__", "get_ipython": self.shell.user_ns.get("get_ipython")}
        for source in setups:
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(self.shell.transform_cell(source), "<set-up>", "exec"), namespace)
        self.kept = {name: value for name, value in namespace.items() if not name.startswith("__")}
        self.inside = [*HELD, *pristine(imported_since(KNOWN), os.getcwd())]
        return {}

    def restore(self) -> None:
        """Put back what the learner's code changed in the course's modules, in torch's and in Python's builtins."""
        stubs = self.lock.stubs if self.lock is not None else []
        for thing, held in self.inside:
            now = vars(thing)
            for name, value in held.items():
                if name not in now or (now[name] is not value and now[name] not in stubs):
                    with contextlib.suppress(AttributeError, TypeError):  # what cannot be set was not
                        setattr(thing, name, value)

    def names_of_probe(self) -> dict[str, Any]:
        """What a probe sees: the learner's names, but the set-up cell's and Python's own under theirs."""
        self.restore()
        names = {k: v for k, v in self.shell.user_ns.items() if k not in self.builtins}
        for name, value in self.kept.items():
            if isinstance(value, types.ModuleType) and any(value is thing for thing, _ in self.inside):
                copied = types.ModuleType(
                    name
                )  # an answer that changes the module while the probe runs changes another
                vars(copied).update(vars(value))
                value = copied
            names[name] = value
        return names

    def run_cell(self, source: str, label: str = "") -> dict:
        """Run a cell as Jupyter would; its outputs as nbformat has them.

        Args:
            label: what errors call the cell.
        """
        from bonsai.settings import changed

        self.seed()
        known, usual = set(linecache.cache), changed()
        with self._outputs() as outputs:
            try:
                result = self.shell.run_cell(source, store_history=True)
                failed = result.error_before_exec or result.error_in_exec
            except BaseException as error:  # the shell itself was broken by a cell
                outputs.add({"output_type": "error", "ename": type(error).__name__, "evalue": "", "traceback": []})
                failed = error
        LABELS.update(dict.fromkeys(set(linecache.cache) - known, label))
        settings = [setting for setting in changed() if setting not in usual]
        reply = {"outputs": outputs.finish(), "ok": failed is None, "flood": outputs.flood, "settings": settings}
        return reply | {"error": describe(failed) if failed else None}

    @contextlib.contextmanager
    def _outputs(self) -> Iterator["Outputs"]:
        """What is printed and shown inside, up to a limit; what one call prints is no burden to the next."""
        self.shell.outputs = outputs = Outputs(self.limit_kb << 10, self.picture_kb << 10)
        saved, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), Stream("stdout", outputs), Stream("stderr", outputs)
        try:
            yield outputs
        finally:
            sys.stdout, sys.stderr = saved
            self._drain(outputs)

    def _drain(self, outputs: "Outputs") -> None:
        """What was written past Python, by `os.write` or by another program."""
        size = os.fstat(self.raw).st_size
        if size:
            outputs.text("stdout", os.pread(self.raw, self.limit_kb << 10, 0).decode("utf-8", "replace"))
            outputs.flood |= size > self.limit_kb << 10
            os.ftruncate(self.raw, 0)
            os.lseek(self.raw, 0, os.SEEK_SET)

    def define(self, source: str) -> dict:
        """For a fresh process: each statement by itself, and one that fails (there is no data here) is passed over."""
        import ast

        from bonsai.bundle import as_python

        try:
            tree = ast.parse(as_python(source))
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return {}
        namespace = self.shell.user_ns
        filename = f"<cell {len(linecache.cache)}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        LABELS[filename] = ""
        for node in tree.body:
            try:
                exec(compile(ast.Module([node], []), filename, "exec"), namespace)
            except Exception:
                continue
        return {}

    def leave_out(self, names: list[str], why: str) -> dict:
        """In place of a cell that cannot be run again: its names say why they are missing."""

        def missing(*args: Any, **kwargs: Any) -> NoReturn:
            raise RuntimeError(why)

        self.shell.user_ns.update(dict.fromkeys(names, missing))
        return {}

    def hold(self, forbidden: tuple[str, ...]) -> None:
        """Put what is forbidden out of order, and all else in order; between calls of one exercise nothing changes."""
        if forbidden and forbidden not in self.locks:
            self.locks[forbidden] = Lock(list(forbidden))
        wanted = self.locks[forbidden] if forbidden else None
        if self.lock is not None and self.lock is not wanted:
            self.lock.__exit__()
        self.lock = wanted
        if wanted is not None:
            wanted.__enter__()

    def replace(self, names: list[str]) -> dict:
        """From now on these names stand for functions of another process; plain data goes there and comes back."""

        def other(name: str) -> Callable:
            def function(*args: Any, **kwargs: Any) -> Any:
                return self.borrow(name, args, kwargs)

            function.__name__ = name
            return function

        self.shell.user_ns.update({name: other(name) for name in names})
        return {}

    def call(self, kind: int, source: str, name: str, args: tuple, kwargs: dict, forbidden: tuple[str, ...]) -> Any:
        """Call an exercise by name; or a probe, whose definition came with the request.

        Raises:
            ShortcutUsed: what is forbidden was called, even if the answer caught that.
        """
        from bonsai.settings import usual_settings

        namespace = self.shell.user_ns
        with usual_settings(), self._outputs():
            self.hold(forbidden)
            if kind == PROBE:
                namespace = self.names_of_probe()
                exec(compile(source, "<probe>", "exec"), namespace)
            if name not in namespace:
                raise NameError(f"name {name!r} is not defined", name=name)
            value = namespace[name](*args, **kwargs)
        if self.lock is not None and self.lock.used:
            raise ShortcutUsed(self.lock.used)
        return value


class Unsendable(Exception):
    """A result that is not plain data of a bearable size."""


def text_of(error: BaseException) -> str:
    """Its message; of an error in the syntax without the name of the file, which here is the shell's own invention."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:
        return NOT_SHOWN


def where(function: str, line: int, cell: str, code: str) -> str:
    """A place in the learner's code, as a reader of the notebook finds it."""
    place = f"line {line} of {cell}" if cell else "in a fresh process"
    return f"  {place}{f', in {function}' if function.isidentifier() else ''}: {code.strip()}"


def describe(error: BaseException) -> dict:
    """An exception as plain data, with the lines of the learner's own code that led to it."""
    from bonsai.wording import once

    bases = [c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"]
    message = text_of(error)
    plain = all(type(a) in (str, int, float, bool, type(None)) for a in error.args) and len(error.args) < 5
    args = error.args if plain and len(str(error.args)) < MESSAGE else (message[:MESSAGE],)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not f.filename.startswith(("<frozen", "<probe>"))]
    inside = once([f for f in own if f.filename in LABELS])
    lines = [where(f.name, f.lineno or 0, LABELS[f.filename], f.line or "")[:300] for f in inside[-LINES:]]
    if isinstance(error, SyntaxError) and not lines:
        lines = [f"  line {error.lineno}: {(error.text or '').strip()}"[:300]]
    name = type(error).__name__
    return {"type": name[:100], "bases": bases[:20], "message": message[:MESSAGE], "args": args, "traceback": lines}


@functools.cache
def make_shell() -> Any:
    """IPython without a kernel, history or a terminal; made once, in the parent."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Any as AnyTrait
    from traitlets import Type
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        def publish(self, data: Any, metadata: Any = None, *args: Any, **kwargs: Any) -> None:
            self.shell.outputs.add({"output_type": "display_data", "data": data, "metadata": metadata or {}})

        def clear_output(self, wait: bool = False) -> None:
            self.shell.outputs.items.clear()

    class Hook(DisplayHook):
        def write_output_prompt(self) -> None:
            pass

        def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
            result = {"output_type": "execute_result", "data": format_dict, "metadata": md_dict or {}}
            if self.shell is not None:
                self.shell.outputs.add(result | {"execution_count": self.prompt_count})

        def finish_displayhook(self) -> None:
            pass

    class Shell(InteractiveShell):
        outputs = AnyTrait(None)
        display_pub_class = Type(Publisher)
        displayhook_class = Type(Hook)

        def enable_gui(self, gui: str | None = None) -> None:
            pass

        def ask_exit(self) -> None:
            pass

        def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
            error = {"output_type": "error", "ename": etype.__name__, "evalue": text_of(evalue), "traceback": stb}
            self.outputs.add(error)

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = Shell.instance(config=config)
    shell.enable_matplotlib("inline")
    return shell


class Outputs:
    """A cell's outputs, up to a number of characters of text and of bytes of pictures."""

    def __init__(self, text_room: int, picture_room: int):
        self.items: list[dict] = []
        self.text_room, self.picture_room = text_room, picture_room
        self.flood = False

    def text(self, name: str, text: str) -> None:
        if len(text) > self.text_room:
            text, self.flood = text[: self.text_room], True
        if not text:
            return
        self.text_room -= len(text)
        last = self.items[-1] if self.items else {}
        if last.get("name") == name and last["output_type"] == "stream":
            last["parts"].append(text)
        else:
            self.items.append({"output_type": "stream", "name": name, "parts": [text]})

    def add(self, output: dict) -> None:
        if output["output_type"] == "error":  # an error is always told; it is cut instead of dropped
            lines = [line[:2000] for line in output["traceback"][-40:]]
            output = output | {"evalue": output["evalue"][:2000], "traceback": lines}
            self.text_room -= sum(map(len, lines))
        else:
            data = {kind: value for kind, value in output["data"].items() if self._fits(kind, value)}
            if not data:
                return
            output = output | {"data": data}
        if len(self.items) < 1000:
            self.items.append(output)

    def _fits(self, kind: str, value: Any) -> bool:
        size = len(value) if isinstance(value, (str, bytes)) else len(json.dumps(value, default=str))
        room = self.picture_room if kind.startswith("image/") else self.text_room
        if size > room:
            self.flood = True
            return False
        if kind.startswith("image/"):
            self.picture_room -= size
        else:
            self.text_room -= size
        return True

    def finish(self) -> list[dict]:
        import base64

        done = []
        for item in self.items:
            if item["output_type"] == "stream":
                item = {"output_type": "stream", "name": item["name"], "text": "".join(item["parts"])}
            elif "data" in item:
                data = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in item["data"].items()}
                item = item | {"data": data}
            done.append(item)
        if self.flood:
            done.append({"output_type": "stream", "name": "stderr", "text": "\n[the rest of the output was cut]\n"})
        return done


class Stream:
    """Standard output or error of a cell."""

    encoding, errors, closed = "utf-8", "replace", False

    def __init__(self, name: str, outputs: Outputs):
        self.name, self.outputs = name, outputs

    def write(self, text: str) -> int:
        self.outputs.text(self.name, text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2


if __name__ == "__main__":
    main()
