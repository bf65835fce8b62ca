"""Ranks the capstone's size entries of a class: fronts, and what each entry adds to all the others.

An entry is a point, bytes (decoder included) and error on the images held back. The rank is by front, then by exclusive
hypervolume over (log2 of the bytes, error in percent) within a reference: the baseline's bytes, its error and 3 points.
"""

import hashlib
import itertools
import json
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.text import printable

LESSON = "11_capstone"
BASELINE_BYTES, ROOM = 716_795, 3.0
SAME_BYTES, SAME_POINTS = 0.05, 0.5  # how near a second run of `compress` must come
TREES = ("Maple", "Juniper", "Pine", "Elm", "Larch", "Beech", "Hornbeam", "Ginkgo", "Cypress", "Fig", "Olive", "Azalea")


@dataclass
class Entry:
    """One student's point."""

    name: str
    size_bytes: int
    error: float  # percent of the images held back
    spread: float  # standard error of the drop, in points
    drop: float
    score: float
    verified: bool = False
    front: int = 0
    adds: float = 0.0
    rank: int = 0
    near: bool = False  # whether a neighbour in the ranking could as well have this place

    @property
    def point(self) -> tuple[float, float]:
        return math.log2(self.size_bytes), self.error

    @property
    def notes(self) -> str:
        """What a reader of the rank has to know."""
        return ", ".join(
            ["verified" if self.verified else "not verified"] + ["within the noise of a neighbour"] * self.near
        )


def documents(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The results in files that `bonsai grade --json` wrote, or in folders that hold such files.

    Raises:
        ValueError: there is no such file, or one that is something else.
    """
    found: list[dict[str, Any]] = []
    for path in paths:
        files = sorted(path.glob("**/*.json")) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{path} holds no results: make them with bonsai grade … --json > FILE.json")
        for file in files:
            try:
                results = json.loads(file.read_text(encoding="utf-8"))["results"]
                found += [result for result in results if result["lesson"] == LESSON]
            except (OSError, ValueError, KeyError, TypeError):
                raise ValueError(f"{file} is not what bonsai grade --json writes") from None
    return found


def entries(results: Sequence[dict[str, Any]], again: Sequence[dict[str, Any]] = ()) -> list[Entry]:
    """The entries that kept the floors, the best of each student.

    Args:
        again: results of the same notebooks with entries that the teacher made anew with each student's `compress`;
            an entry is verified when its bytes come within 5 % and its drop within 0.5 points.
    """
    made: dict[str, Entry] = {}
    second = {name_of(result): result["measured"] for result in again}
    for result in results:
        said, name = result["measured"], name_of(result)
        if not all(isinstance(said.get(key), int | float) for key in ("size_bytes", "error", "drop", "score_size")):
            continue
        if said["score_size"] <= 0 or said["size_bytes"] < 1:
            continue
        size, drop = int(said["size_bytes"]), float(said["drop"])
        one = Entry(
            name, size, float(said["error"]), float(said.get("drop_error", 0.0)), drop, float(said["score_size"])
        )
        anew = second.get(name, {})
        near = abs(anew.get("size_bytes", math.inf) - size) <= SAME_BYTES * size
        one.verified = near and abs(anew.get("drop", math.inf) - drop) <= SAME_POINTS
        if name not in made or one.score > made[name].score:
            made[name] = one
    return list(made.values())


def name_of(result: dict[str, Any]) -> str:
    return str(result.get("student") or Path(str(result["notebook"])).stem)


def rank(board: list[Entry]) -> list[Entry]:
    """The entries in order, with front, exclusive hypervolume and rank; equal points share a rank."""
    rest, number = list(board), 0
    while rest:
        number += 1
        front = [e for e in rest if not any(dominates(other.point, e.point) for other in rest)]
        for entry in front:
            entry.front = number
        rest = [e for e in rest if e not in front]
    errors = [e.error - e.drop for e in board]
    corner = (math.log2(BASELINE_BYTES), (max(errors) if errors else 0.0) + ROOM)
    points = [e.point for e in board]
    whole = area(points, corner)
    for i, entry in enumerate(board):
        entry.adds = whole - area([*points[:i], *points[i + 1 :]], corner)
    ordered = sorted(board, key=lambda e: (e.front, -e.adds, e.point, e.name))
    for place, entry in enumerate(ordered):
        before = ordered[place - 1] if place else None
        entry.rank = before.rank if before and before.point == entry.point else place + 1
        if before and alike(before, entry):
            before.near = entry.near = True
    return ordered


def dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and a != b


def alike(a: Entry, b: Entry) -> bool:
    """Whether two entries differ by less than the noise: bytes by 2 %, error by two standard errors."""
    close = abs(a.size_bytes - b.size_bytes) <= 0.02 * min(a.size_bytes, b.size_bytes)
    return close and abs(a.error - b.error) <= 2 * math.hypot(a.spread, b.spread)


def area(points: Sequence[tuple[float, float]], corner: tuple[float, float]) -> float:
    """What points dominate within a corner, strip by strip."""
    costs = [*sorted({c for c, e in points if c < corner[0] and e < corner[1]}), corner[0]]
    total = 0.0
    for left, right in itertools.pairwise(costs):
        best = min([e for c, e in points if c <= left], default=corner[1])
        total += (right - left) * max(0.0, corner[1] - best)
    return total


def pseudonyms(board: Sequence[Entry], salt: str = "") -> dict[str, str]:
    """Another name for each student: a tree, in an order that only the salt tells; without one it is drawn."""
    salt = salt or secrets.token_hex(8)
    order = sorted((e.name for e in board), key=lambda name: hashlib.sha256(f"{salt}/{name}".encode()).hexdigest())
    return {name: f"{TREES[i % len(TREES)]} {i // len(TREES) + 1 or ''}".strip() for i, name in enumerate(order)}


def draw(board: Sequence[Entry], names: dict[str, str]) -> Any:
    """A figure: the entries, their first front, the baseline, and which are not verified."""
    from bonsai import plot

    fig, (ax,) = plot.figure(1, width=7.5, height=4.5)
    front = sorted((e.size_bytes, e.error) for e in board if e.front == 1)
    if front:
        ax.step(*zip(*front, strict=True), where="post", color=plot.BLACK, linewidth=1, label="first front")
    for verified, marker, label in ((True, "o", "verified"), (False, "s", "not verified")):
        some = [e for e in board if e.verified == verified]
        if some:
            xs, ys, spread = [e.size_bytes for e in some], [e.error for e in some], [e.spread for e in some]
            colour = plot.BLUE if verified else plot.ORANGE
            ax.errorbar(xs, ys, spread, marker=marker, linestyle="", color=colour, label=label, capsize=3)
    for e in board:
        where: dict[str, Any] = {"xytext": (5, 4), "textcoords": "offset points", "parse_math": False}
        ax.annotate(printable(names.get(e.name, e.name)), (e.size_bytes, e.error), **where)
    if board:
        ax.plot([BASELINE_BYTES], [board[0].error - board[0].drop], "X", color=plot.RED, label="baseline")
    ax.set_xscale("log")
    ax.set(xlabel="bytes, decoder included", ylabel="error on images held back (%)")
    ax.legend(frameon=False)
    return fig
