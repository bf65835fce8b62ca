"""What of a submission is taken: its notebook and regular files within bounds. Everything else gets one sentence.

Nothing else of a submission's folder is opened, so links, devices, pipes and files without end reach no other step.
"""

import errno
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import nbformat

MAX_BYTES = 8 << 20  # of a submitted notebook without its outputs
MAX_FILE_BYTES = 256 << 20  # with them
MAX_CELLS = 2000
FILES_BYTES = 50 << 20  # of a submission's other files
FILES, DEPTH = 1000, 10  # at most so many of them, in folders of folders
NAMED_LIKE_FILES = (".ipynb", ".py", ".txt")  # a folder with such a name would stand where a file belongs
REMARKS = 5  # about files that are not taken
PARSE_S, PARSE_MB = 30, 1536  # for a notebook's text
SMALL_BYTES = 1 << 20  # of a text that takes little whatever it says
CELL_KEPT = {"nbgrader", "bonsai_result"}  # of a cell's metadata
# Reads a large file in a process of its own, whose memory and time are bounded, and leaves its outputs out.
SLIM = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
notebook = json.loads(sys.stdin.buffer.read({MAX_FILE_BYTES}).decode("utf-8-sig"))
sheets = notebook.get("worksheets", [notebook]) if isinstance(notebook, dict) else []
for cell in [cell for sheet in sheets for cell in sheet.get("cells", [])]:
    cell["outputs"] = []
slim = json.dumps(notebook)
sys.exit(1) if len(slim) > {MAX_BYTES} else print(slim)
"""


class Unreadable(ValueError):
    """A submission that cannot be graded; the message is one sentence."""


@dataclass
class HandedIn:
    """A submission's folder as it was read."""

    notebook: bytes = b""
    unreadable: str = ""  # why there is no notebook
    files: dict[str, bytes] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)  # sentences about what was not taken


def handed_in(folder: Path, notebook: str) -> HandedIn:
    """Read a submission's folder.

    Args:
        notebook: what its file should be called, without `.ipynb`. Another one is taken for it if it is the only one.
    """
    if folder.is_symlink() or folder.parent.is_symlink():
        return HandedIn(unreadable="The submission's folder is a link, and links are not followed.")
    files, remarks = files_of(folder)
    found = HandedIn(files=files, remarks=remarks)
    time = files.get("timestamp.txt")
    if time is not None and not is_time(time):
        del files["timestamp.txt"]
        remarks.append("Its timestamp.txt holds no time; it is not known when it was handed in.")
    path = folder / f"{notebook}.ipynb"
    others = sorted(p for p in folder.glob("*.ipynb") if p.is_file() and not p.is_symlink())
    if not os.path.lexists(path) and len(others) == 1:
        path = others[0]
        remarks.append(f"The notebook is called {path.name!r} and not '{notebook}.ipynb'; it was taken for it.")
    elif not os.path.lexists(path):
        said = f", but {len(others)} others" if others else ""
        found.unreadable = f"There is no notebook {notebook}.ipynb{said}."
        return found
    try:
        found.notebook = content_of(path)
    except Unreadable as error:
        found.unreadable = str(error)
    return found


def files_of(folder: Path, notebooks: bool = False, most: int = FILES_BYTES) -> tuple[dict[str, bytes], list[str]]:
    """A folder's regular files, notebooks only if asked for, by their paths in it; and sentences about the others.

    Args:
        most: bytes in all; a file with which it would be more is not taken.
    """
    files: dict[str, bytes] = {}
    refused: list[str] = []
    if not folder.is_dir():
        return files, refused
    for place, folders, names, fd in os.fwalk(folder, follow_symlinks=False):  # nor a link that comes in meanwhile
        inside = Path(place).relative_to(folder)
        for name in sorted(folders):
            why = "it is a link" if is_link(name, fd) else ""
            if not fit(name) or name.endswith(NAMED_LIKE_FILES) or len(inside.parts) >= DEPTH:
                why = why or "it is a folder with a name, or in a depth, that is not taken"
            if why:
                folders.remove(name)
                refused.append(f"{str(inside / name)!a} was not taken: {why}.")
        folders.sort()
        for name in sorted(names):
            if name.endswith(".ipynb") and not notebooks:
                continue
            try:
                if len(files) == FILES or not fit(name):
                    raise Unreadable(f"there are {FILES} files already." if fit(name) else "its name cannot be shown.")
                files[str(inside / name)] = content = read_regular(name, most, fd)
                most -= len(content)
            except Unreadable as error:
                refused.append(f"{str(inside / name)!a} was not taken: {lowered(str(error))}")
    if len(refused) > REMARKS:
        refused[REMARKS - 1 :] = [f"{len(refused) - REMARKS + 1} more files were not taken."]
    return files, refused


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Write files by their paths in a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def fit(name: str) -> bool:
    """Whether a file name can be shown and written everywhere."""
    return name.isprintable() and len(name) <= 200


def is_link(name: str, folder: int) -> bool:
    """Whether something in a folder is a link, or gone."""
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode)
    except OSError:
        return True


def lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def is_student(name: str) -> bool:
    """Whether a folder's name can be a student's: it can be shown, and nbgrader does not take it for a pattern."""
    return fit(name) and not set(name) & set("*?[")


def read_regular(path: Path | str, most: int, folder: int | None = None) -> bytes:
    """The bytes of a regular file.

    Args:
        folder: a descriptor of the folder that `path` is in.

    Raises:
        Unreadable: it is something else, or has more bytes than `most`.
    """
    with opened(path, most, folder) as file:
        content = file.read(most + 1)
    if len(content) > most:  # it has grown, or does not say how long it is
        raise Unreadable("The file grows while it is read.")
    return content


def opened(path: Path | str, most: int, folder: int | None = None) -> BinaryIO:
    """A regular file, opened for reading without following a link or waiting for anybody.

    Raises:
        Unreadable: it is something else, or has more bytes than `most`.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unreadable("This is a link, and links are not followed: hand in the file itself.") from None
        raise Unreadable(f"The file could not be read: {error.strerror}.") from None
    about = os.fstat(fd)
    why = ""
    if not stat.S_ISREG(about.st_mode):
        why = f"This is {'a folder' if stat.S_ISDIR(about.st_mode) else 'a device or a pipe'}, not a file."
    elif about.st_size > most:
        why = f"The file has {about.st_size / (1 << 20):.0f} MB; more than {most / (1 << 20):.0f} are not read."
    if why:
        os.close(fd)
        raise Unreadable(why)
    return open(fd, "rb")


def is_time(content: bytes) -> bool:
    """Whether nbgrader can read a time of handing in."""
    from nbgrader.utils import parse_utc  # imported late: nbgrader takes a second

    try:
        return isinstance(parse_utc(content[:100].decode().strip()), datetime)
    except Exception:  # dateutil raises what it likes
        return False


def content_of(path: Path) -> bytes:
    """The bytes of a file, of a large one those of its notebook without outputs.

    Raises:
        Unreadable: it is not a regular file, or it is too large.
    """
    with opened(path, MAX_FILE_BYTES) as file:
        if os.fstat(file.fileno()).st_size <= MAX_BYTES:
            return file.read(MAX_BYTES)
        slim = subprocess.run([sys.executable, "-I", "-c", SLIM], stdin=file, capture_output=True)
    if slim.returncode != 0 and b"JSONDecodeError" in slim.stderr:
        raise Unreadable("The file is not complete JSON: it was cut off or edited. Save it again in JupyterLab.")
    if slim.returncode != 0:
        raise Unreadable(f"The notebook, outputs aside, is larger than {MAX_BYTES >> 20} MB, or cannot be read.")
    return slim.stdout


def parsed_apart(raw: bytes) -> nbformat.NotebookNode:
    """`parsed`; what is not small, in a process of its own with a limit of time and memory.

    Raises:
        Unreadable: not JSON, not a notebook, or it takes too much to find out.
    """

    def work() -> bytes:
        try:
            return json.dumps(parsed(raw)).encode()
        except Unreadable as error:
            return json.dumps({"unreadable": str(error)}).encode()

    if len(raw) <= SMALL_BYTES:
        return parsed(raw)
    said = bounded(work, PARSE_S, PARSE_MB)
    if said is None:
        raise Unreadable("The file takes too much time or memory to be read.")
    notebook = json.loads(said)
    if "unreadable" in notebook:
        raise Unreadable(notebook["unreadable"])
    return nbformat.from_dict(notebook)


def parsed(raw: bytes) -> nbformat.NotebookNode:
    """The bytes of a notebook file as nbformat 4, without outputs.

    Raises:
        Unreadable: not JSON, not a notebook.
    """
    try:
        text = raw.decode("utf-8-sig")
        content = json.loads(text)
        if "\\u" in text:  # half a character is JSON, but nothing that can be written
            content = mended(content)
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8, so it is not a notebook.") from None
    except (ValueError, RecursionError):
        what = "The file is empty." if not raw.strip() else "The file is not complete JSON: it was cut off or edited."
        raise Unreadable(f"{what} Save it again in JupyterLab.") from None
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise Unreadable("The file is JSON, but not a notebook.")
    try:
        notebook = upgraded(content)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # nbformat raises what it likes on what is not a notebook
        raise Unreadable(f"The file is not a valid notebook: {last_line(str(error))}") from None
    return notebook


def mended(value: Any) -> Any:
    """JSON data whose texts can be written as UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [mended(v) for v in value]
    return {mended(k): mended(v) for k, v in value.items()} if isinstance(value, dict) else value


def upgraded(content: dict) -> nbformat.NotebookNode:
    """A notebook of any format as one of nbformat 4.5, of which only what grading looks at is kept."""
    if "cells" in content:
        content.setdefault("nbformat", 4)
        content.setdefault("nbformat_minor", 5)
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    content["metadata"] = {}
    for cell in [c for sheet in content.get("worksheets", [content]) for c in sheet.get("cells", [])]:
        own = cell.get("metadata")
        cell["metadata"] = {k: v for k, v in own.items() if k in CELL_KEPT} if isinstance(own, dict) else {}
        for key in ("source", "input"):
            if isinstance(cell.get(key), list):
                cell[key] = "".join(cell[key])
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
    notebook = nbformat.convert(nbformat.from_dict(content), 4)
    if len(notebook.cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(notebook.cells)} cells; more than {MAX_CELLS} are not read.")
    made = nbformat.v4.new_notebook()
    for cell in notebook.cells:
        kind = cell.cell_type if cell.cell_type in ("code", "markdown") else "raw"
        new = bare_cell(kind, cell.get("source", ""), cell.metadata)
        count = cell.get("execution_count")
        if cell.cell_type == "code" and type(count) is int and count >= 0:
            new.execution_count = count
        if cell.cell_type == "markdown" and cell.get("attachments"):
            from autograder.grading.pages import pictures  # imported late: nbconvert takes a while

            if attached := pictures(cell.attachments):
                new["attachments"] = nbformat.from_dict(attached)
        new.id = f"cell-{len(made.cells)}"
        made.cells.append(new)
    if isinstance(metadata.get("bonsai"), dict):
        made.metadata["bonsai"] = metadata["bonsai"]
    if isinstance(kernel := metadata.get("kernelspec"), dict):
        made.metadata["kernelspec"] = {k: str(kernel.get(k, "")) for k in ("name", "display_name", "language")}
    if any(k in metadata for k in ("bonsai_run", "bonsai_flags")):
        made.metadata["bonsai_run"] = {}  # the grader says that it was there
    nbformat.validate(made)
    return made


def bare_cell(kind: str, source: str, metadata: dict) -> nbformat.NotebookNode:
    """A cell as nbformat 4.5 makes it, without an id; nbformat's own functions validate each one by itself."""
    code: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return nbformat.from_dict({"cell_type": kind, "source": source, "metadata": metadata, **code})


def bounded(work: Callable[[], bytes], seconds: int, memory_mb: int) -> bytes | None:
    """What `work` returns, done in a process of its own with a limit of processor time and memory; None if it fails."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (used + (memory_mb << 20), used + (memory_mb << 20)))
            with open(writer, "wb") as file:
                file.write(work())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as file:
        made = file.read()
    return made if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 else None


def last_line(text: str) -> str:
    """The last line of a traceback or log that says something, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
