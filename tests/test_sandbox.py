# ruff: noqa: E501  (sources of notebooks, and tables, are dense)
"""The box itself: its command lines, what it says when it is missing, and what the kernel refuses inside it."""

import contextlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import test_split

from autograder.box import cgroup, sandbox, wire, worker
from autograder.box.sandbox import (
    PYTHON,
    ROOT,
    Gone,
    Limits,
    SandboxMissing,
    Worker,
    bubblewrap_command,
    container_command,
    open_sandbox,
)
from autograder.grading.split import Grader

LIMITS = test_split.LIMITS


@pytest.fixture
def grader():
    return test_split.shared()


def in_the_box(grader, source):
    """What a cell prints there, as JSON."""
    run = grader.run(test_split.notebook(before=[source]), None, test_split.TEACHER)
    return json.loads(test_split.printed(run.notebook.cells[1]))


# Command lines -------------------------------------------------------------------------------------------------------


def pairs(command, option):
    return [tuple(command[i + 1 : i + 3]) for i, word in enumerate(command) if word == option]


def test_bubblewrap_line():
    command = bubblewrap_command(LIMITS)
    for word in ("pid", "net", "ipc", "uts", "cgroup-try"):
        assert f"--unshare-{word}" in command
    assert {"--die-with-parent", "--new-session", "--clearenv"} <= set(command)
    assert ("--unshare-user" in command) == (os.getuid() != 0)
    seen = {source for source, _ in pairs(command, "--ro-bind")}
    assert not any(word in command for word in ("--bind", "--dev-bind", "--share-net"))
    own = {Path(s).relative_to(ROOT).as_posix() for s in seen if Path(s).is_relative_to(ROOT)} - {".venv"}
    assert own <= {"bonsai", "data", *sandbox.TOOLKIT}  # not solutions, tests, .git, nor the rest of the grader
    assert command.index("--remount-ro") > max(i for i, word in enumerate(command) if word == "--ro-bind")
    assert command[-3:] == ["-m", "autograder.box.worker", "enclosed"]


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_container_line(tool):
    command = container_command(tool, "bonsai-1", LIMITS)
    text = " ".join(command)
    assert command[:4] == [tool, "run", "--rm", "-i"]
    for part in ("--network none", "--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--pids-limit 40",
                 "--memory 1500m", "--user 65534:65534", "--tmpfs /tmp:rw,nosuid,nodev,size=64m"):  # fmt: skip
        assert part in text
    mounts = [volume for (volume, _) in pairs(command, "-v")]
    assert mounts and all(m.endswith(":ro") for m in mounts)
    assert not any("solutions" in m or "tests" in m or ".git" in m or m.startswith(f"{ROOT}:") for m in mounts)
    assert command[-3:] == ["-m", "autograder.box.worker", "once"] and "--privileged" not in text


FAKE = """#!{python}
# Stands in for a container tool: the same folders and variables, by bubblewrap.
import os, sys
words = sys.argv[1:]
if words[0] == "kill":
    sys.exit(0)
command = ["bwrap", "--unshare-pid", "--unshare-net", "--die-with-parent", "--clearenv", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
           "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--proc", "/proc", "--dev", "/dev"]
for i, word in enumerate(words):
    if word == "-v":
        source, target, _ = words[i + 1].split(":")
        command += ["--ro-bind", source, target]
    if word == "--tmpfs":
        command += ["--tmpfs", words[i + 1].split(":")[0]]
    if word == "-e":
        command += ["--setenv", *words[i + 1].split("=", 1)]
os.execvp("bwrap", command + words[words.index("--workdir") + 3 :])
"""


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap plays the container")
def test_containers_serve_behind_the_same_interface(tmp_path, monkeypatch):
    tool = tmp_path / "podman"
    tool.write_text(FAKE.format(python=PYTHON))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with Grader("podman", Limits(call_s=2, cell_s=20)) as grader:  # each process imports torch anew
        run = test_split.grade(grader, double="def double(x):\n    while True: pass", files={"a.txt": b"1"})
    assert test_split.points(run)["double"] == 0 and test_split.points(run)["total"] == 3
    assert "did not return" in " ".join(run.flags)


# Missing or refused --------------------------------------------------------------------------------------------------


def test_without_bubblewrap_there_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxMissing, match="apt install bubblewrap") as error, Grader() as grader:
        grader.run(test_split.notebook(), None, test_split.TEACHER)
    assert "\n" not in str(error.value)
    for tool in ("docker", "podman"):
        with pytest.raises(SandboxMissing, match=f"{tool} is not installed"):
            open_sandbox(tool, LIMITS)
    with pytest.raises(ValueError, match="no sandbox 'chroot'"):
        open_sandbox("chroot", LIMITS)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("bwrap: setting up uid map: Permission denied", "refuses the namespaces"),
        ("bwrap: Unknown option --x", "did not start"),
    ],
)
def test_refused_namespaces_are_explained(monkeypatch, tmp_path, said, sentence):
    tool = tmp_path / "bwrap"
    tool.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxMissing, match=sentence) as error, Grader() as grader:
        grader.start()
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_child_that_cannot_close_itself_in_runs_nothing(monkeypatch):
    """Namespaces inside the box are refused: nothing of the submission runs, and it is not a score."""
    refusing = [*bubblewrap_command(LIMITS)]
    refusing[refusing.index("--hostname") : refusing.index("--hostname")] = ["--unshare-user", "--disable-userns"]
    monkeypatch.setattr(sandbox, "bubblewrap_command", lambda limits: refusing)
    with pytest.raises(SandboxMissing, match="refuses the namespaces"), Grader(limits=LIMITS) as grader:
        grader.run(test_split.notebook(), None, test_split.TEACHER)


def test_a_child_that_cannot_mount_runs_nothing(monkeypatch):
    monkeypatch.setattr("autograder.grading.split.WORK", "/nowhere")
    with pytest.raises(SandboxMissing, match="mount /nowhere"), Grader(limits=LIMITS) as grader:
        grader.run(test_split.notebook(), None, test_split.TEACHER)


def test_none_says_what_it_risks():
    with pytest.warns(UserWarning, match="gradebook") as said:
        open_sandbox("none", LIMITS).close()
    assert len(said) == 1


# One request, one reply -----------------------------------------------------------------------------------------------


def frame(number, body=b"N", length=None):
    return wire.HEADER.pack(64, number, len(body) if length is None else length) + body


@pytest.mark.parametrize(
    ("before", "reply", "kind"),
    [
        (b"", frame(1), ""),
        (b"", frame(2), "protocol"),
        (b"", frame(2**63), "protocol"),
        (frame(1), b"", "protocol"),
        (b"x", frame(1), "protocol"),
        (b"", frame(1, length=1 << 31), "protocol"),
        (b"", frame(1, length=99), "timeout"),
        (b"", b"", "timeout"),
        (b"", None, "ended"),
    ],
)
def test_one_request_gets_one_reply(before, reply, kind):
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["sleep", "60"])
    peer = Worker(wire.Channel(fd := ours.detach(), fd), os.pidfd_open(process.pid))
    theirs.send(before)

    def answer():
        with contextlib.suppress(OSError, EOFError):  # the other side may have seen enough
            wire.Channel(theirs.fileno(), theirs.fileno()).receive()
            theirs.close() if reply is None else theirs.send(reply)

    threading.Thread(target=answer, daemon=True).start()
    if not kind:
        assert peer.request(1, b"?", time.monotonic() + 5) == (64, b"N")
        theirs.send(frame(1))  # a second reply is noticed at the next request
        kind = "protocol"
    with pytest.raises(Gone) as gone:
        peer.request(1, b"?", time.monotonic() + 0.3, limit=1000)
    assert gone.value.kind == kind
    assert process.wait(5) == -9 and peer.pidfd == -1


# Inside --------------------------------------------------------------------------------------------------------------

SYSCALLS = """
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_long(a) for a in args])
    return ctypes.get_errno() if result == -1 else 0
found = {name: call(numbers[COLUMN], 0, 0, 0, 0, 0) for name, numbers in DENIED.items()}
for name, flag in NAMESPACES.items():
    found["clone " + name] = call(CLONE, flag | 17, 0, 0, 0, 0)
    found["unshare " + name] = call(DENIED["unshare"][COLUMN], flag)
found["clone3"] = call(435, 0, 0)
for family in (40, 38, 17, 44):
    try:
        socket.socket(family, socket.SOCK_STREAM)
        found[f"socket {family}"] = 0
    except OSError as error:
        found[f"socket {family}"] = error.errno
import threading
threading.Thread(target=lambda: None).start()
import subprocess
import threading
subprocess.run(["true"], check=True)
socket.if_nameindex()
print(json.dumps(found))
"""


def test_the_kernel_refuses_what_no_lesson_needs(grader):
    column, _, numbers = worker.MACHINES[os.uname().machine]
    names = {"DENIED": worker.DENIED, "NAMESPACES": worker.NAMESPACES, "COLUMN": column, "CLONE": numbers["clone"]}
    found = in_the_box(grader, "\n".join(f"{k} = {v!r}" for k, v in names.items()) + SYSCALLS)
    assert found.pop("clone3") == 38
    assert set(found.values()) == {1}, {k: v for k, v in found.items() if v != 1}


def test_numbers_of_system_calls_are_those_of_this_machine():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if os.uname().machine != "x86_64" or not header.exists():
        pytest.skip("no list of system calls here")
    numbers = {line.split()[1][5:]: int(line.split()[2]) for line in header.read_text().splitlines() if "__NR_" in line}
    assert {name: pair[0] for name, pair in worker.DENIED.items()} == {name: numbers[name] for name in worker.DENIED}
    generic = re.findall(
        r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s", Path("/usr/include/asm-generic/unistd.h").read_text()
    )
    here_alone = {"inotify_init"}  # other machines know only its successor, whose number stands beside it
    assert {(name, str(pair[1])) for name, pair in worker.DENIED.items() if name not in here_alone} <= set(generic)


LIMITED = """
import json, mmap, os, resource, time
found = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in ("NPROC", "FSIZE", "CORE", "DATA", "CPU", "NOFILE")}
children = 0
try:
    while children < 500:
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
        children += 1
except OSError:
    pass
found["children"] = children
def fill(folder):
    written = 0
    try:
        for n in range(100):
            with open(f"{folder}/{n}", "wb") as f:
                written += f.write(bytes(1 << 23))
    except OSError:
        pass
    return written
found["tmp"], found["shm"], found["work"] = fill("/tmp"), fill("/dev/shm"), fill(".")
try:
    open("/dev/shm/0", "wb").truncate(0); open("/tmp/0", "wb").write(bytes(1 << 26))
    found["file"] = "written"
except OSError as error:
    found["file"] = error.errno
try:
    bytearray(3 << 30)
    found["memory"] = "given"
except MemoryError:
    found["memory"] = "refused"
try:
    resource.setrlimit(resource.RLIMIT_NPROC, (500, 500))
    found["raised"] = True
except (ValueError, OSError):
    found["raised"] = False
print(json.dumps(found))
"""


def test_limits_hold_for_this_user(grader):
    found = in_the_box(grader, LIMITED)
    assert found["children"] < LIMITS.processes == found["NPROC"] and not found["raised"]
    assert found["FSIZE"] == LIMITS.file_mb << 20 and found["CORE"] == 0 and found["CPU"] == LIMITS.notebook_s + 60
    assert all(0 < found[folder] <= LIMITS.tmp_mb << 20 for folder in ("tmp", "shm", "work"))
    assert found["file"] in (27, 28) and found["memory"] == "refused"


def test_a_swarm_that_eats_memory_together_is_ended():
    swarm = (
        "import os, time\ndef double(x):\n    for _ in range(20):\n        if os.fork() == 0:\n"
        "            b = b'x' * (300 << 20)\n            time.sleep(100)\n    time.sleep(100)"
    )
    with test_split.limited(memory_mb=1500) as patient:
        run = test_split.grade(patient, double=swarm)
    assert test_split.points(run) == {"double": 0, "total": 3, "pack": 5}
    assert "took more than 1500 MB" in " ".join(run.flags)


def test_what_is_taken_and_given_back_at_once_is_seen_by_the_kernel(monkeypatch):
    """Between two looks at the processes: here no look is taken at all."""
    if not in_a_group("pass", 50)[0]:
        pytest.skip("this machine lets us have no control group")
    monkeypatch.setattr(sandbox, "takes_more", lambda pids, limit_mb: False)
    burst = (
        "import os, time\ndef double(x):\n    for _ in range(8):\n        if os.fork() == 0:\n"
        "            b = b'x' * (300 << 20)\n            time.sleep(1)\n            os._exit(0)\n    for _ in range(8):\n        os.wait()\n    os._exit(1)"
    )
    with test_split.limited(memory_mb=1500) as patient:
        run = test_split.grade(patient, double=burst)
    assert test_split.points(run) == {"double": 0, "total": 3, "pack": 5}
    assert "took more than 1500 MB" in " ".join(run.flags)


def in_a_group(code: str, memory_mb: int) -> tuple[bool, int, bool]:
    """Whether there was a group, how a program that begins in it ended, and whether the kernel ended it."""
    program = [sys.executable, "-c", f"input()\n{code}"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, text=True) as process:
        group = cgroup.memory_group(process.pid, memory_mb)
        process.communicate("\n")
    if group is None:
        return False, process.returncode, False
    full = group.was_full()
    group.remove()
    assert not group.folder.exists()
    return True, process.returncode, full


def test_a_control_group_counts_files_in_memory_too(tmp_path):
    made, code, full = in_a_group("import os; os.write(os.memfd_create('x'), bytes(20 << 20))", 100)
    assert (code, full) == (0, False)
    made, code, full = in_a_group(
        "import os; [os.write(os.memfd_create('x'), bytes(20 << 20)) for _ in range(10)]", 100
    )
    assert (code, full) == ((-9, True) if made else (0, False))


@pytest.mark.parametrize(
    ("own", "files", "wanted"),
    [
        ("0::/user/a.scope\n", ["cgroup.controllers"], ["user/a.scope", "user", ""]),
        ("0::/\n", ["cgroup.controllers"], [""]),
        ("4:memory:/job/1\n1:cpu:/\n0::/\n", [], ["memory/job/1", "memory", "unified"]),
        ("4:cpu,memory:/\n", [], ["memory"]),
        ("1:cpu:/\n", [], []),
    ],
)
def test_where_a_control_group_may_be_made(tmp_path, own, files, wanted):
    for name in files:
        (tmp_path / name).touch()
    assert [*cgroup.places(own, tmp_path)] == [tmp_path / place for place in wanted]


@pytest.mark.parametrize(
    ("files", "written"),
    [
        (
            ["memory.max", "memory.swap.max", "memory.oom.group"],
            {"memory.max": "5", "memory.swap.max": "0", "memory.oom.group": "1"},
        ),
        (["memory.max"], {"memory.max": "5"}),
        (["memory.limit_in_bytes"], {"memory.limit_in_bytes": "5"}),
        (["cgroup.procs"], None),
    ],
)
def test_the_limit_of_a_control_group_in_both_versions(tmp_path, files, written):
    for name in files:
        (tmp_path / name).touch()
    if written is None:
        with pytest.raises(OSError, match=r"memory\.limit_in_bytes"):
            cgroup.limit(tmp_path, 5)
    else:
        cgroup.limit(tmp_path, 5)
        assert {name: (tmp_path / name).read_text() for name in files} == written


def test_groups_of_graders_that_are_gone_are_swept(tmp_path):
    for name in ("bonsai-999999999-3", f"bonsai-{os.getpid()}-4", "other"):
        (tmp_path / name).mkdir()
    cgroup.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"bonsai-{os.getpid()}-4", "other"]


@pytest.mark.skipif(os.getuid() != 0, reason="all other tests have run as an ordinary user")
def test_it_works_for_an_ordinary_user_too(tmp_path):
    """The whole of it as a user without rights; Python's own folder may be root's, so it is bound where all can read."""
    base = Path(sys.base_prefix)
    command = ["bwrap", "--dev-bind", "/", "/", "--cap-add", "ALL"]
    if base.is_relative_to("/root"):
        command += [
            "--perms",
            "0755",
            "--tmpfs",
            "/root",
            *sandbox.folder_with_parents(base),
            "--ro-bind",
            str(base),
            str(base),
        ]
    command += ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    check = (
        "import sys; sys.path.insert(0, 'tests'); import test_split as t, test_sandbox as s, json, os\n"
        "assert os.getuid() == 12345\n"
        "with t.Grader(limits=t.LIMITS) as g:\n"
        "    run = t.grade(g); assert t.points(run) == t.POINTS, run.tests\n"
        "    s.test_limits_hold_for_this_user(g)\n"
        "    s.test_the_kernel_refuses_what_no_lesson_needs(g)\n"
        "    run = t.grade(g, double='import os\\ndef double(x):\\n    os.kill(0, 9)')\n"
        "    assert t.points(run) == {'double': 0, 'total': 3, 'pack': 5}, run.tests\n"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, PYTHON, "-c", check], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_of_the_course_are_readable_in_the_box():
    """As root the box runs as nobody: data that only root can read would look missing there."""
    folders = [Path(folder) for folder, _ in sandbox.course_folders()]
    files = [p for folder in folders for p in (folder, *folder.rglob("*")) if "__pycache__" not in p.parts]
    closed = [str(p) for p in files if not p.stat().st_mode & stat.S_IROTH]
    assert not closed, f"chmod a+r {' '.join(closed)}"
