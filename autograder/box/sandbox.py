"""The box that a learner's code runs in: bubblewrap, docker, podman or none, behind one interface.

`open_sandbox(name, limits)` gives something with `start()`, `spawn() -> Worker` and `close()`. With bubblewrap a warm
parent lives in one box, and each child that it forks closes itself into a box of its own (`autograder.box.worker`).
"""

import contextlib
import json
import math
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.box import wire
from autograder.box.cgroup import MemoryGroup, memory_group
from autograder.box.worker import BORROW, FAILED, FORK, LEARN, LENT, START

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.path.abspath(sys.executable)  # not resolved: the link is what finds the virtual environment
COURSE = "/course"  # where the toolkit and the data lie inside the box
WORK = "/home/learner"
VENV = "/venv"  # and the virtual environment: where it really is may be covered, below /tmp for example
START_S = 300.0  # to import torch on a slow disk, or on a machine with other work
WALL = 10  # times as long by the wall clock: what other work on the machine takes away is not the submission's
TICK_S = 0.25  # between two looks at what a process uses
SOCKET_KB, PIPE_KB = 416, 64  # that one of each may hold in the kernel
# Of the grader, no more than this is inside the box.
TOOLKIT = tuple(f"autograder/{name}.py" for name in ("__init__", "box/__init__", "box/lock", "box/wire", "box/worker"))
INSTALL = "install it with `apt install bubblewrap` or `dnf install bubblewrap`"


class SandboxMissing(RuntimeError):
    """There is no sandbox here; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds are of processor time, and of waiting without using any."""

    cell_s: float = 60.0  # of a learner's cell
    call_s: float = 40.0  # of one call of an exercise or a probe; the longest takes 8 on a quick machine
    test_s: float = 120.0  # of a test cell with all its calls
    notebook_s: float = 600.0
    memory_mb: int = 4096
    processes: int = 64
    file_mb: int = 64
    tmp_mb: int = 256  # of each of /tmp, /dev/shm and the working folder
    text_kb: int = 200  # of a cell's output
    picture_kb: int = 2048
    restarts: int = 10  # of the learner's process


class Gone(Exception):
    """The learner's process is lost; the message says why, as the end of a sentence, and `kind` names the cause."""

    def __init__(self, kind: str, why: str):
        super().__init__(why)
        self.kind = kind


class Worker:
    """A process that serves one request at a time, and how to end it with all that it started."""

    def __init__(self, channel: wire.Channel, pidfd: int, memory_mb: int = 0, end: list[str] | None = None):
        self.channel, self.pidfd, self.memory_mb = channel, pidfd, memory_mb
        self._end = end  # a command that ends it, where a signal to our child would only reach a client
        self._number = 0
        self._group = False
        self._client: subprocess.Popen | None = None
        self._memory: MemoryGroup | None = memory_group(self.pid, memory_mb) if memory_mb else None
        self.cpu_s = 0.0  # what it had used when it was ended
        self.waited_s = 0.0  # without using any processor time, while a reply was expected
        os.set_blocking(channel.reader, False)
        os.set_blocking(channel.writer, False)

    @property
    def pid(self) -> int:
        """In our process namespace; -1 once it is reaped."""
        lines = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pid:")).split()[1])

    def request(
        self,
        kind: int,
        body: bytes,
        deadline: float,
        limit: int = wire.MAX_BYTES,
        seconds: float = math.inf,
        lend: Callable[[bytes], bytes] | None = None,
    ) -> tuple[int, bytes]:
        """Send a request and wait for its one reply.

        Args:
            deadline: by the wall clock, `time.monotonic()`.
            seconds: of processor time, and of waiting, that it may take.
            lend: answers what the process asks before it replies, if it may ask.

        Raises:
            Gone: it died, was too slow, took too much memory or broke the protocol. The process has been killed.
        """
        try:
            self._number += 1
            self.send(kind, body, deadline)
            self._wait_for_reply(deadline, seconds)
            kind, number, reply = self.channel.receive(limit + 64, deadline)
            while kind == BORROW and lend is not None and time.monotonic() < deadline:
                self.channel.send(LENT, number, lend(reply), deadline)
                self._wait_for_reply(deadline, seconds)
                kind, number, reply = self.channel.receive(limit + 64, deadline)
            if number != self._number:
                raise wire.WireError("an answer to something that was not asked")
            return kind, reply
        except TimeoutError:
            reason = Gone("timeout", f"did not return, though the machine gave it {WALL} times the time it may take")
        except wire.WireError as error:
            reason = Gone("protocol", f"broke the protocol: it sent {error}")
        except (EOFError, OSError):
            reason = Gone("ended", "ended its process")
        except Gone as error:
            reason = error
        if self._was_full():
            reason = self._too_much()
        self.kill()
        raise reason

    def send(self, kind: int, body: bytes, deadline: float) -> None:
        """Send a request, once nothing is left of earlier ones."""
        if self.readable(0):
            if os.read(self.channel.reader, 1):
                raise wire.WireError("an answer that nobody asked for")
            raise EOFError
        self.channel.send(kind, self._number, body, deadline)

    def readable(self, timeout_s: float) -> bool:
        poller = select.poll()
        poller.register(self.channel.reader, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))

    def _wait_for_reply(self, deadline: float, seconds: float = math.inf) -> None:
        """Look now and then at the clock, and at what the process uses.

        Raises:
            TimeoutError: the deadline passed.
            Gone: it used more than it may.
        """
        if self.readable(TICK_S / 5):  # most calls end here
            return
        start = before = self.cpu()
        waited, looked = 0.0, time.monotonic()
        while not self.readable(max(0.0, min(TICK_S, deadline - time.monotonic()))):
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if self._end:
                continue  # a container's engine watches what is inside
            members = family(self.pid)
            used = sum(map(cpu_seconds, members))
            if used - before < 0.02 and not any(state(p) in "RD" for p in members):
                waited += now - looked
                self.waited_s += now - looked
            before, looked = used, now
            if used - start >= seconds:
                raise Gone("cpu", f"used {used - start:.1f} s of processor time and had not returned")
            if waited >= seconds:
                raise Gone("idle", f"waited for {waited:.1f} s without doing anything")
            if self.memory_mb and (self._was_full() or takes_more(members, self.memory_mb)):
                raise self._too_much()

    def _was_full(self) -> bool:
        return self._memory is not None and self._memory.was_full()

    def _too_much(self) -> Gone:
        return Gone("memory", f"took more than {self.memory_mb} MB of memory")

    def cpu(self) -> float:
        """Seconds of processor time that it and what it started have used so far."""
        if self.pidfd < 0:
            return self.cpu_s
        return sum(map(cpu_seconds, family(self.pid)))

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile it and all that it started stand still; what cannot be stopped is ended."""
        if self.pidfd < 0:
            yield
            return
        pause = [self._end[0], "pause", self._end[-1]] if self._end else None
        if pause:
            still = subprocess.run(pause, capture_output=True, timeout=30, check=False).returncode == 0
        else:
            still = stand_still(self.pid)
        if not still:
            self.kill()
        try:
            yield
        finally:
            if still and pause:
                subprocess.run([pause[0], "unpause", pause[-1]], capture_output=True, timeout=30, check=False)
            elif still:
                for pid in family(self.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it and everything in its process namespace, and wait until it is gone."""
        if self.pidfd < 0:
            return
        self.cpu_s = self.cpu()
        try:
            if self._group and (pid := self.pid) > 0:
                os.killpg(pid, signal.SIGKILL)
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        if self._end:
            subprocess.run(self._end, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=False)
        select.select([self.pidfd], [], [], 10)
        if self._client is not None:
            self._client.wait(10)
        if self._memory is not None:
            self._memory.remove()
        for fd in {self.pidfd, self.channel.reader, self.channel.writer}:
            os.close(fd)
        self.pidfd = -1


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    pids = [pid]
    for one in pids:  # grows while we walk
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                pids += map(int, Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return pids


def stand_still(pid: int) -> bool:
    """Stop a process and its descendants; whether all of them stand still in the end."""
    for _ in range(200):
        moving = [p for p in family(pid) if state(p) not in "TtZX"]
        if not moving:
            return True
        for one in moving:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        time.sleep(0.001)
    return False


def state(pid: int) -> str:
    """A process's state as /proc has it: R, S, T (stopped), Z, …; X if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def takes_more(pids: list[int], limit_mb: int) -> bool:
    """Whether processes hold more memory: a quick sum first, the fair one when that is a lot."""
    held = held_mb(pids)
    return sum(map(resident_mb, pids)) + held > limit_mb and sum(map(proportional_mb, pids)) + held > limit_mb


def held_mb(pids: list[int]) -> float:
    """Memory that the kernel keeps for processes beside what they have mapped: open files without a name, pipes,
    sockets, and what lies in their folders, which are in memory. What cannot be looked at counts as endless."""
    seen: dict[str, float] = {}
    folders: dict[int, float] = {}
    for pid in pids:
        try:
            for number in os.listdir(f"/proc/{pid}/fd"):
                fd = f"/proc/{pid}/fd/{number}"
                with contextlib.suppress(FileNotFoundError):
                    target = os.readlink(fd)
                    if target.startswith(("pipe:", "socket:")):
                        seen[target] = (PIPE_KB if target.startswith("pipe:") else SOCKET_KB) / 1024
                    elif target.endswith(" (deleted)"):
                        about = os.stat(fd)
                        seen[f"{about.st_dev} {about.st_ino}"] = about.st_blocks / 2048
            for folder in ("/tmp", "/dev/shm", WORK):
                inside = os.path.join("/proc", str(pid), "root") + folder  # the folder as the process sees it
                about, space = os.stat(inside), os.statvfs(inside)
                if about.st_dev == os.stat("/tmp").st_dev:  # no sandbox: this is the machine's own
                    continue
                folders[about.st_dev] = (space.f_blocks - space.f_bfree) * space.f_frsize / (1 << 20)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            if state(pid) not in "ZX":
                return math.inf
    elsewhere = [mb for name, mb in seen.items() if not name.startswith(tuple(f"{device} " for device in folders))]
    return sum(elsewhere) + sum(folders.values())


def resident_mb(pid: int) -> float:
    """Counts a page that several processes share in each of them."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def proportional_mb(pid: int) -> float:
    """Counts a shared page once in all."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return resident_mb(pid)


class ForkServer:
    """A warm parent and its children. The command is run once; it must end in a module that calls `worker.serve`."""

    def __init__(self, command: list[str], env: dict[str, str] | None = None, group: bool = False, watch: bool = True):
        self.command, self.env, self.group, self.watch = command, env, group, watch
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None
        # bubblewrap's --die-with-parent means the thread that started it; this one lives as long as we do
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="sandbox")

    def start(self) -> None:
        """Begin to start; `ready` waits."""
        ours, theirs = socket.socketpair()
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `stop`)
        options: dict[str, Any] = {"stdin": theirs, "stdout": subprocess.DEVNULL, "stderr": self.errors}
        self.process = self._spawner.submit(lambda: subprocess.Popen(self.command, env=self.env, **options)).result()
        theirs.close()
        ours.settimeout(START_S)
        self.control = ours
        self._ready = False
        self.learned: set[str] = set()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> None:
        """Wait until the parent has imported everything.

        Raises:
            SandboxMissing: it did not start, with its own last words.
        """
        assert self.control is not None
        if self._ready:
            return
        with contextlib.suppress(TimeoutError):
            self._ready = self.control.recv(1) == b"R"
        if not self._ready:
            said = self.last_words()
            self.stop()
            raise SandboxMissing(explain(said))

    def last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read(100_000).decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def spawn(self, memory_mb: int = 0) -> Worker:
        """A new child.

        Raises:
            SandboxMissing: the parent is gone, or may not make namespaces.
        """
        self.ready()
        assert self.control is not None
        ours, theirs = socket.socketpair()
        ours.settimeout(START_S)
        try:
            with theirs:
                socket.send_fds(self.control, [FORK], [theirs.fileno()])
            message, fds, _, _ = socket.recv_fds(ours, 300, 1)
        except OSError as error:
            raise SandboxMissing(f"the sandbox's parent process does not answer ({error})") from None
        if not fds:
            raise SandboxMissing(explain(message[1:].decode("utf-8", "replace") or "it could not fork"))
        fd = ours.detach()
        worker = Worker(wire.Channel(fd, fd), fds[0], memory_mb if self.watch else 0)
        worker._group = self.group
        return worker

    def learn(self, texts: Iterable[str]) -> None:
        """Have the parent take in texts, once for all its children."""
        new = [text for text in texts if text not in self.learned]
        if not new or self.control is None:
            return
        self.learned.update(new)
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(new).encode())
            file.seek(0)
            with contextlib.suppress(OSError):  # it is gone: `spawn` says so
                socket.send_fds(self.control, [LEARN], [file.fileno()])

    def stop(self) -> None:
        if self.control is not None:
            self.control.close()
            self.errors.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = self.control = None

    def close(self) -> None:
        self.stop()
        self._spawner.shutdown()


class Container:
    """A container per process, for machines without bubblewrap: torch is imported anew each time."""

    alive = True

    def __init__(self, tool: str, limits: Limits):
        if shutil.which(tool) is None:
            raise SandboxMissing(f"{tool} is not installed, and without it nothing of a submission is run")
        self.tool, self.limits = tool, limits

    def start(self) -> None:
        pass

    def ready(self) -> None:
        pass

    def spawn(self, memory_mb: int = 0) -> Worker:
        name = f"bonsai-{uuid.uuid4().hex}"
        ours, theirs = socket.socketpair()
        command = container_command(self.tool, name, self.limits)
        fd = theirs.fileno()
        process = subprocess.Popen(command, stdin=fd, stdout=fd, stderr=subprocess.DEVNULL)
        theirs.close()
        fd = ours.detach()
        worker = Worker(wire.Channel(fd, fd), os.pidfd_open(process.pid), end=[self.tool, "kill", name])
        worker._client = process
        return worker

    def learn(self, texts: Iterable[str]) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def explain(said: str) -> str:
    """Why a box did not start, in a sentence."""
    refusals = ("namespace", "uid map", "Operation not permitted", "unshare", "mount", "loopback")
    if any(word in said for word in refusals):
        return (
            f"bubblewrap is installed, but this machine refuses the namespaces that it needs ({said}); allow "
            "unprivileged user namespaces, or use the sandbox docker or podman"
        )
    return f"the sandbox did not start: {said}"


def open_sandbox(name: str, limits: Limits, lean: bool = False) -> ForkServer | Container:
    """The sandbox of that name: bubblewrap, docker, podman or none.

    Args:
        lean: its warm parent imports what every lesson needs and no more.

    Raises:
        SandboxMissing: it is not installed. Nothing falls back to anything else.
        ValueError: no sandbox has that name.
    """
    if name == "bubblewrap":
        if shutil.which("bwrap") is None:
            raise SandboxMissing(f"bubblewrap is missing, and without it nothing of a submission is run: {INSTALL}")
        return ForkServer([*bubblewrap_command(limits), *["lean"] * lean])
    if name in ("docker", "podman"):
        return Container(name, limits)
    if name == "none":
        warnings.warn(
            "No sandbox: the submission runs with your rights and can read, change and send away all that you can, "
            "the gradebook and the solutions included.",
            stacklevel=3,
        )
        environment = os.environ | course_environment(str(ROOT))
        return ForkServer([PYTHON, "-m", "autograder.box.worker", "plain", *["lean"] * lean], environment, group=True)
    raise ValueError(f"no sandbox {name!r}: choose bubblewrap, docker, podman or none")


def trusted_server() -> ForkServer:
    """The warm parent of the processes that run tests: outside the box, with our rights, none of the learner's code."""
    environment = os.environ | course_environment(str(ROOT)) | {"MPLBACKEND": "agg"}
    return ForkServer([PYTHON, "-m", "autograder.grading.trusted"], environment, group=True, watch=False)


def course_environment(course: str) -> dict[str, str]:
    """What every process of the grader needs: one thread, the course's packages, results that can be repeated."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    python = {"PYTHONPATH": course, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    memory = {"MALLOC_ARENA_MAX": "2", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # large pages: fewer faults
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "NBGRADER_EXECUTION": "autograde"}
    return {**threads, **python, **memory, **quiet, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}


def inner_environment() -> dict[str, str]:
    """All variables that a learner's code sees inside the box."""
    folders = {"HOME": WORK, "IPYTHONDIR": "/tmp/.ipython", "MPLCONFIGDIR": "/tmp/.matplotlib", "TMPDIR": "/tmp"}
    names = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "learner", "LOGNAME": "learner"}
    return course_environment(COURSE) | folders | names


def python_homes() -> list[Path]:
    """Folders that Python needs beyond /usr: its base, and the virtual environment."""
    found: list[Path] = []
    executable = Path(PYTHON).resolve().parents[2]
    for folder in (Path(sys.base_prefix), executable, Path(os.path.abspath(sys.prefix))):
        if folder not in found and not folder.is_relative_to("/usr"):
            found.append(folder)
    return found


def system_data() -> list[str]:
    """Where a distribution keeps data sets, inside and outside the box."""
    return [folder for folder in ("/usr/share/datasets",) if Path(folder).is_dir()]


def data_folder() -> Path:
    chosen = os.environ.get("BONSAI_DATA")
    return Path(chosen).resolve() if chosen else ROOT / "data"


def bubblewrap_command(limits: Limits) -> list[str]:
    """The warm parent's box: what its children will see, and nothing else.

    As root there is no user namespace here: the parent becomes nobody by itself, since the limit on processes does not
    hold for root. Parents of bound folders are made by hand, because bubblewrap makes them for root alone.
    """
    command = ["bwrap", *(f"--unshare-{what}" for what in ("pid", "net", "ipc", "uts", "cgroup-try"))]
    if os.getuid() == 0:
        command += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"):
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    command += ["--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv"]
    command += system_folders()
    for empty in ("/tmp", WORK):
        command += [*folder_with_parents(Path(empty)), "--perms", "1777", "--size", str(limits.tmp_mb << 20)]
        command += ["--tmpfs", empty]
    python = PYTHON
    for folder in python_homes():
        target = folder
        if folder == Path(os.path.abspath(sys.prefix)) != Path(sys.base_prefix):
            target = Path(VENV)
            python = str(target / Path(PYTHON).relative_to(folder))
        command += [*folder_with_parents(target), "--ro-bind", str(folder), str(target)]
        if folder != ROOT and ROOT.is_relative_to(folder):  # a course kept below Python's own folder stays out of sight
            command += ["--tmpfs", str(ROOT)]
    for source, place in course_folders():
        command += [*folder_with_parents(Path(place)), "--ro-bind", source, place]
    for name, value in inner_environment().items():
        command += ["--setenv", name, value]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    return [*command, python, "-m", "autograder.box.worker", "enclosed"]


def system_folders() -> list[str]:
    command = ["--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/sbin", "/lib", "/lib64", "/lib32"):
        if Path(name).is_symlink():
            command += ["--symlink", os.readlink(name), name]
        elif Path(name).exists():
            command += ["--ro-bind", name, name]
    for name in ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"):
        command += ["--ro-bind-try", name, name]
    return [*command, "--proc", "/proc", "--dev", "/dev"]


def course_folders() -> list[tuple[str, str]]:
    """(here, in the box): the toolkit, this grader's inner part, the data. No tests, solutions, other submissions."""
    pairs = [(str(ROOT / "bonsai"), f"{COURSE}/bonsai"), *((str(ROOT / f), f"{COURSE}/{f}") for f in TOOLKIT)]
    return [*pairs, (str(data_folder()), f"{COURSE}/data")]


def folder_with_parents(folder: Path) -> list[str]:
    """Options that make a folder's parents readable for everyone; harmless where they exist."""
    parents = [p for p in reversed(folder.parents) if p != Path("/")]
    return [part for p in parents for part in ("--perms", "0755", "--dir", str(p))]


def container_command(tool: str, name: str, limits: Limits) -> list[str]:
    """The same box as `docker run` or `podman run` has it. The image only has to have a C library: Python is bound."""
    command = [tool, "run", "--rm", "-i", "--name", name, "--network", "none", "--read-only", "--cap-drop", "ALL"]
    command += [
        "--security-opt",
        "no-new-privileges",
        "--user",
        "65534:65534",
        "--ipc",
        "private",
        "--hostname",
        "sandbox",
    ]
    command += ["--pids-limit", str(limits.processes), "--memory", f"{limits.memory_mb}m", "--memory-swap"]
    command += [f"{limits.memory_mb}m", "--shm-size", f"{limits.tmp_mb}m", "--ulimit", "core=0"]
    for folder in ("/tmp", WORK):
        command += ["--tmpfs", f"{folder}:rw,nosuid,nodev,size={limits.tmp_mb}m,mode=1777"]
    for source, target in [*((str(h), str(h)) for h in python_homes()), *course_folders()]:
        command += ["-v", f"{source}:{target}:ro"]
    for key, value in inner_environment().items():
        command += ["-e", f"{key}={value}"]
    image = os.environ.get("BONSAI_IMAGE", "debian:stable-slim")
    return [*command, "--workdir", WORK, image, PYTHON, "-m", "autograder.box.worker", "once"]


def places_of_test_images() -> list[str]:
    """Where the test images lie in the box."""
    found = sorted(data_folder().glob("**/t10k-*"))
    return [f"{COURSE}/data/{path.relative_to(data_folder())}" for path in found if path.is_file()]


def begin(
    worker: Worker,
    name: str,
    limits: Limits,
    files: dict[str, bytes],
    work: str,
    hide_data: bool,
    without_test_images: bool = False,
) -> None:
    """Tell a new process its limits and files; it closes itself in before it answers.

    Raises:
        SandboxMissing: it could not close itself in.
        Gone: it died.
    """
    enclosed = name == "bubblewrap"
    hidden = [f"{COURSE}/data"] * hide_data + system_data() * (hide_data or without_test_images)
    start = {
        **{k: getattr(limits, k) for k in ("memory_mb", "processes", "file_mb", "tmp_mb", "text_kb", "picture_kb")},
        **{"cpu_s": int(limits.notebook_s) + 60, "work": work, "files": files, "enclosed": enclosed},
        **{"harden": name != "none", "hide": hidden},
        "cover": places_of_test_images() if without_test_images and not hide_data else [],
        "blind": hide_data,
    }
    kind, reply = worker.request(START, wire.encode(start, strict=True), time.monotonic() + START_S)
    if kind == FAILED:
        worker.kill()
        raise SandboxMissing(explain(reply.decode("utf-8", "replace")))
