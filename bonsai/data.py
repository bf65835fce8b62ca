"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747) as whole tensors.

The four IDX files lie in `data/FashionMNIST/raw`, where `torchvision.datasets.FashionMNIST(root=data.root())`
finds them too. The environment variable `BONSAI_DATA` names another folder.
"""

import functools
import gzip
import os
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
MEAN, STD = 0.2860, 0.3530  # of the 60,000 training images, pixels in 0..1
SPLITS = {"train": ("train", 0, 55_000), "validation": ("train", 55_000, 60_000), "test": ("t10k", 0, 10_000)}

SNIPPETS = Path(__file__).resolve().parent.parent / "data" / "MovieSnippets" / "movie-snippets.tsv.gz"


def root() -> Path:
    """The data folder: `BONSAI_DATA` if set, else the one that came with the course."""
    chosen = os.environ.get("BONSAI_DATA")
    return Path(chosen) if chosen else Path(__file__).resolve().parent.parent / "data"


def load(split: str) -> tuple[Tensor, Tensor]:
    """Images and labels of one split.

    Args:
        split: `"train"` (55,000 images), `"validation"` (the last 5,000 of the official training set) or
            `"test"` (10,000; look at it once, after every choice has been made).

    Returns:
        images, float32 `[N, 1, 28, 28]`, normalised to mean 0 and standard deviation 1; labels, int64 `[N]`.

    Raises:
        ValueError: unknown split, or a file that is not the IDX file it should be.
        FileNotFoundError: no Fashion-MNIST in the data folder.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
    prefix, start, stop = SPLITS[split]
    pixels = _read_idx(_find(f"{prefix}-images-idx3-ubyte"), dims=3)[start:stop]
    labels = _read_idx(_find(f"{prefix}-labels-idx1-ubyte"), dims=1)[start:stop]
    images = torch.from_numpy(pixels).unsqueeze(1).float().div_(255).sub_(MEAN).div_(STD)
    return images, torch.from_numpy(labels).long()


def load_snippets(split: str) -> tuple[list[str], Tensor]:
    """Sentences from film reviews, positive or negative (Hutto and Gilbert 2014, doi:10.1609/icwsm.v8i1.14550).

    About 20 people rated each sentence from -4 to 4; those with a mean of -0.5 to 0.5 are left out.

    Args:
        split: `"test"` (15 in 100, by a checksum of the sentence), `"validation"` (10 in 100) or `"train"`.

    Returns:
        the sentences, and int64 labels `[N]`: 1 for positive, 0 for negative.

    Raises:
        ValueError: unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
    with gzip.open(SNIPPETS, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    part = {"test": range(0, 3), "validation": range(3, 5), "train": range(5, 20)}[split]
    rated = [(float(score), text) for score, text in rows if zlib.crc32(text.encode()) % 20 in part]
    kept = [(score, text) for score, text in rated if abs(score) > 0.5]
    return [text for _, text in kept], torch.tensor([score > 0 for score, _ in kept]).long()


@functools.lru_cache(maxsize=4)
def _read_idx(path: Path, dims: int) -> np.ndarray:
    """One IDX file, plain or gzipped: a magic number, `dims` sizes as big-endian int32, then bytes. Kept: to unpack the
    training images takes longer than most of what is done with them."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    header = np.frombuffer(raw, ">i4", count=1 + dims) if len(raw) >= 4 * (1 + dims) else np.zeros(1)
    shape = header[1:]
    if header[0] != 0x0800 + dims or len(raw) != 4 * (1 + dims) + int(shape.prod()):
        raise ValueError(f"{path} is not a complete IDX file: fetch it again")
    return np.frombuffer(raw, np.uint8, offset=4 * (1 + dims)).reshape(shape).copy()


def _find(name: str) -> Path:
    for folder in (root() / "FashionMNIST" / "raw", root()):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.exists():
                return path
    raise FileNotFoundError(
        f"{name} (or {name}.gz) is not in {root()} nor in its FashionMNIST/raw: "
        "unset BONSAI_DATA to use the copy that came with the course"
    )
