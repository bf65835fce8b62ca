"""The energy that a piece of work takes, where the machine has a meter that we may read."""

from collections.abc import Callable
from pathlib import Path

METERS = Path("/sys/class/powercap")  # Linux's interface to RAPL, the meters of Intel's and AMD's processors


def meters() -> dict[Path, int]:
    """The meters of whole processors (`intel-rapl:0` and so on) that can be read, and what they show, in microjoules.

    Empty on other systems, in most virtual machines, and where only the administrator may look.
    """
    shown = {}
    for meter in sorted(METERS.glob("intel-rapl:[0-9]*")):
        if meter.name.count(":") == 1:  # its parts (cores, graphics) are in it already
            try:
                shown[meter] = int((meter / "energy_uj").read_text())
            except (OSError, ValueError):
                continue
    return shown


def joules(work: Callable[[], object]) -> float | None:
    """The energy in joules of the processors while `work` runs, everything else that they do included; None without a
    meter.

    A meter starts again at 0 when it has reached its end, after some minutes at full load; work that takes longer than
    that needs a meter at the plug.

    Source: Linux kernel documentation, power/powercap.
    """
    before = meters()
    work()
    after, total = meters(), 0
    if not before or set(after) != set(before):
        return None
    for meter, start in before.items():
        used = after[meter] - start
        total += used if used >= 0 else used + int((meter / "max_energy_range_uj").read_text())
    return total / 1e6
