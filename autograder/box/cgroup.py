"""A control group of Linux for a process and all that it starts: the kernel itself counts and bounds its memory.

Pages, files in memory, pipes and sockets count, from one moment to the next. Version 2 of the interface and version 1
are tried; an ordinary user has a place for groups where the system has handed one over (systemd does in a session of a
desktop, and with `systemd-run --user --scope`). Source: Linux, admin-guide/cgroup-v2 and cgroup-v1/memory.
"""

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
NAME = "bonsai"
REMOVE_S = 2.0  # that the kernel may need until the last process of a group is gone


class MemoryGroup:
    """A group that exists, with a process in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def was_full(self) -> bool:
        """Whether the kernel ended a process in it because there was no memory left."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                told = dict(line.split() for line in (self.folder / name).read_text().splitlines())
                return int(told.get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Take it away, once its processes are gone; what cannot be taken away now is by a later grader."""
        deadline = time.monotonic() + REMOVE_S
        while self.folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.01)


def memory_group(pid: int, memory_mb: int) -> MemoryGroup | None:
    """Move a process into a new group that may hold so much memory; None where the machine lets us have none.

    What the process had before does not count, nor what it shares with the parent that it was forked from.
    """
    for place in places(Path("/proc/self/cgroup").read_text()):
        folder = place / f"{NAME}-{os.getpid()}-{pid}"
        with contextlib.suppress(OSError):
            sweep(place)
            folder.mkdir()
            try:
                limit(folder, memory_mb << 20)
                (folder / "cgroup.procs").write_text(str(pid))
                return MemoryGroup(folder)
            except OSError:
                folder.rmdir()
    return None


def places(own: str, mount: Path = MOUNT) -> Iterator[Path]:
    """Where a group may be made, the closest first.

    Args:
        own: the text of /proc/self/cgroup, a line for each hierarchy.
    """
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top = mount if (mount / "cgroup.controllers").exists() else mount / "unified"
            inside = top / path.lstrip("/")
            yield from dict.fromkeys((inside, inside.parent if inside != top else top, top))
        elif "memory" in controllers.split(","):
            yield from dict.fromkeys((mount / "memory" / path.lstrip("/"), mount / "memory"))


def limit(folder: Path, most: int) -> None:
    """Write a group's limit in bytes, without a way into the swap.

    Raises:
        OSError: this group has no say over memory.
    """
    second = (folder / "memory.max").exists()
    wanted = {"memory.max": most} if second else {"memory.limit_in_bytes": most}
    wished = {"memory.swap.max": 0, "memory.oom.group": 1} if second else {"memory.memsw.limit_in_bytes": most}
    for name, value in (wanted | wished).items():
        if name in wanted or (folder / name).exists():
            with open(folder / name, "r+") as file:
                file.write(str(value))


@functools.cache
def sweep(place: Path) -> None:
    """Remove groups of graders that are gone; once is enough, a later grader comes after this one."""
    for left in place.glob(f"{NAME}-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):
                left.rmdir()
