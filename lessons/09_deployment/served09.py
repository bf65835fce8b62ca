"""The server of lesson 09 on a port of this machine, its load from a second process, and what it takes in memory."""

import asyncio
import json
import linecache
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bonsai.testing import require


def in_thread(coroutine: Callable) -> Any:
    """Run `coroutine()` in a loop of its own, in a new thread: Jupyter's own loop is busy running this cell."""
    came: list = []

    def work() -> None:
        try:
            came.append((asyncio.run(coroutine()), None))
        except BaseException as error:
            came.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    value, error = came[0]
    if error is not None:
        raise error
    return value


@contextmanager
def serve(app) -> Iterator[str]:
    """Serve an app with uvicorn on a free port of this machine only; the server is stopped however the block ends."""
    import uvicorn

    # with the protocol named, asyncio switches off Nagle's algorithm, which would hold answers back for 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="on"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            for _ in range(1500):  # half a minute
                if server.started or not thread.is_alive():
                    break
                time.sleep(0.02)
            require(server.started, "the server did not start")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


CLIENT = """
import asyncio, json, math, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import httpx
cell = json.loads(sys.stdin.readline())
if "torch" in cell:
    import torch
exec(compile(cell, "<your cell>", "exec"))
print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    with httpx.Client(limits=httpx.Limits(max_connections=64), timeout=30, trust_env=False) as client:
        def call(i):
            client.post(job["url"] + "/predict", json={"text": job["texts"][i % len(job["texts"])]}).raise_for_status()
        print(json.dumps(percentiles_under_load(call, job["clients"], job["requests"])), flush=True)
"""


@contextmanager
def load_from_outside(percentiles_under_load: Callable) -> Iterator[Callable]:
    """A second process that runs your `percentiles_under_load` against a server; gives `run(url, texts, clients, n)`.

    The cell that defines the function is run there (with math, time and np), so that clients and server do not share a
    Python interpreter. The process is ended however the block ends.
    """
    cell = "".join(linecache.getlines(percentiles_under_load.__code__.co_filename))
    process = subprocess.Popen([sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    write, read = process.stdin, process.stdout

    def ask(job: object) -> str:
        write.write(json.dumps(job) + "\n")
        write.flush()
        return read.readline()

    def run(url: str, texts: list[str], clients: int, requests: int) -> dict:
        said = ask({"url": url, "texts": texts, "clients": clients, "requests": requests})
        require(bool(said), "the clients' process has ended: does percentiles_under_load use names of another cell?")
        return json.loads(said)

    try:
        require(ask(cell).strip() == "ready", "the clients' process could not run the cell with percentiles_under_load")
        yield run
    finally:
        process.kill()
        process.wait(10)
        with suppress(OSError):
            write.close()
        read.close()


MEMORY = """
import json, os, sys
import numpy as np, onnxruntime as ort
path, shapes = sys.argv[1], json.loads(sys.argv[2])
def peak():
    if os.path.exists("/proc/self/status"):  # ru_maxrss would begin with what the parent process had
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
options = ort.SessionOptions()
options.intra_op_num_threads, options.log_severity_level = 1, 3
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
kinds = {i.name: np.int64 if "int64" in i.type else np.float32 for i in session.get_inputs()}
session.run(None, {name: np.ones(shape, kinds[name]) for name, shape in shapes.items()})
print(peak() - before)
"""


def session_memory(path: str | Path, shapes: dict[str, list[int]]) -> int:
    """Bytes by which the peak memory of a new process grows when it loads a file and runs it once."""
    command = [sys.executable, "-c", MEMORY, str(path), json.dumps(shapes)]
    return max(1, int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def why_no_server() -> str:
    """Why no server can be reached on this machine's loopback, in one sentence; empty if it can."""
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            socket.create_connection(listener.getsockname(), timeout=2).close()
    except OSError as error:
        return f"The service is not started here: this machine does not talk to itself ({error.strerror})."
    return ""
