"""Pairs of submissions whose answers are alike beyond what the lesson and the class explain.

Winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003): hash
every run of `RUN` tokens, keep the smallest hash of every `WINDOW` in a row, and compare what is kept. So any passage
of `RUN + WINDOW - 1` tokens that two answers share is found, wherever it stands and whatever its names are.

A pair is a place to look, never a verdict: short exercises have few right answers.
"""

import hashlib
import io
import keyword
import token
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RUN, WINDOW = 12, 6  # tokens; about one line of code and a half
LONGEST = 100_000  # characters of an answer that are read
COMMON = 0.2  # what more than this share of the class has written is no sign
ENOUGH = 6  # shared fingerprints that make a pair, and
ALIKE = 0.4  # the share of the smaller answer's own fingerprints that they must be
SKIPPED = {token.COMMENT, token.NL, token.NEWLINE, token.ENCODING, token.ENDMARKER, token.INDENT, token.DEDENT}


@dataclass(frozen=True)
class Pair:
    """Two submissions that share fingerprints which the lesson and the class do not explain."""

    one: str
    other: str
    shared: int  # fingerprints
    alike: float  # of the smaller one's own, 0 to 1
    exercises: tuple[str, ...]  # where they lie, the most first


def tokens(source: str) -> list[str]:
    """Python as words that do not depend on names, comments, texts or layout; attributes and numbers stay.

    What is no Python gives the words before the place where it stops being so.
    """
    words: list[str] = []
    lines = io.StringIO(source[:LONGEST]).readline
    try:
        for kind, text, *_ in tokenize.generate_tokens(lines):
            if kind in SKIPPED:
                continue
            if kind == token.NAME and not keyword.iskeyword(text) and words[-1:] != ["."]:
                text = "name"
            elif kind == token.STRING:
                text = "text"
            words.append(text)
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return words


def fingerprints(source: str) -> set[int]:
    """The winnowed hashes of a text."""
    words = tokens(source)
    hashes = [number("\0".join(words[i : i + RUN])) for i in range(len(words) - RUN + 1)]
    if len(hashes) <= WINDOW:
        return {min(hashes)} if hashes else set()
    return {min(hashes[i : i + WINDOW]) for i in range(len(hashes) - WINDOW + 1)}


def number(text: str) -> int:
    """A hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def pairs(class_: Mapping[str, Mapping[str, str]], given: Iterable[str] = ()) -> list[Pair]:
    """Which submissions are alike, the most alike first.

    Args:
        class_: learner -> exercise -> answer.
        given: what everybody had: stubs, the lesson's other cells, its text with code.
    """
    known = set().union(*map(all_hashes, given)) if given else set()
    own = {
        who: {exercise: fingerprints(answer) - known for exercise, answer in answers.items()}
        for who, answers in class_.items()
    }
    whole = {who: set().union(*found.values()) if found else set() for who, found in own.items()}
    held = Counter(mark for marks in whole.values() for mark in marks)
    most = max(2, int(COMMON * len(class_)))
    rare = {who: {mark for mark in marks if held[mark] <= most} for who, marks in whole.items()}
    holders: dict[int, list[str]] = {}
    for who, marks in rare.items():
        for mark in marks:
            holders.setdefault(mark, []).append(who)
    shared: Counter[tuple[str, str]] = Counter()
    for learners in holders.values():
        shared.update((a, b) for i, a in enumerate(sorted(learners)) for b in sorted(learners)[i + 1 :])
    found = []
    for (one, other), count in shared.items():
        alike = count / min(len(whole[one]), len(whole[other]))
        if count >= ENOUGH and alike >= ALIKE:
            both = rare[one] & rare[other]
            where = Counter({e: len(both & own[one][e]) for e in own[one]})
            names = tuple(e for e, n in where.most_common() if n)
            found.append(Pair(one, other, count, alike, names))
    return sorted(found, key=lambda p: (-p.alike, -p.shared, p.one, p.other))


def all_hashes(source: str) -> set[int]:
    """Every run of tokens of a given text, so that nothing of it is ever taken for someone's own."""
    words = tokens(source)
    return {number("\0".join(words[i : i + RUN])) for i in range(len(words) - RUN + 1)}
