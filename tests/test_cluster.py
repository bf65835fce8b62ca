"""Grading on a Dask cluster: the same results, and every way in which it can fail."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from class_of import make_course, rows
from test_classes import sleepy, works
from test_cli import bonsai

from autograder.classes import executor as executors
from autograder.classes.executor import Cluster, GraderError, Local, Settings, run
from autograder.classes.measure import dask_cluster, score

pytest.importorskip("distributed")
PROGRAM = Path(sys.executable).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("cluster"))


def children(pid: int) -> list[tuple[int, str]]:
    """The descendants of a process, with their command lines."""
    found, pids = [], [pid]
    for one in pids:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
            found.append((one, Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode()))
        except OSError:
            continue
    return found[1:]


def test_a_cluster_gives_the_results_of_one_machine_and_outlives_a_killed_grader(folder, monkeypatch):
    handed_in = works(folder, "ann", "bad", "cop", "dia", "eve")
    with Local(Settings(), 1) as local:
        expected = {name: score(graded) for name, graded in run(local, handed_in)}
    with dask_cluster(1) as address, Cluster(Settings(), address) as cluster:
        assert {name: score(graded) for name, graded in run(cluster, handed_in)} == expected

        def kill() -> None:
            """End the grading process, not Dask's, once while it is at the sleepy one."""
            time.sleep(1.5)
            (pid, *_) = [p for p, line in children(os.getpid()) if "autograder.classes.executor" in line]
            os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        ((_, graded),) = run(cluster, [("sleepy", sleepy(folder, 4))])
        thread.join()
        assert graded.result.status == "graded" and graded.result.score == 5
        monkeypatch.setattr(executors, "fingerprint", lambda lessons=True: "0" * 64)
        with pytest.raises(GraderError, match="is another one"):
            Cluster(Settings(), address).start()


def test_commands_over_tls_and_a_scheduler_that_dies(folder, tmp_path):
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bonsai -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *request.split()], cwd=tmp_path, check=True, capture_output=True)
    tls = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    tls["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(tmp_path / "cert.pem")
    for side in ("CLIENT", "SCHEDULER", "WORKER"):
        for what in ("cert", "key"):
            tls[f"DASK_DISTRIBUTED__COMM__TLS__{side}__{what.upper()}"] = str(tmp_path / f"{what}.pem")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | tls, "cwd": tmp_path}
    port = str(20_000 + os.getpid() % 20_000)
    address = f"tls://127.0.0.1:{port}"
    common = ["--no-dashboard"]
    scheduler = subprocess.Popen(
        [PROGRAM / "dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--protocol", "tls", *common], **quiet
    )
    options = ["--nworkers", "1", "--nthreads", "1", "--memory-limit", "0", *common]
    worker = subprocess.Popen([PROGRAM / "dask", "worker", address, *options], start_new_session=True, **quiet)
    try:
        deadline, said = time.monotonic() + 240, ""
        while time.monotonic() < deadline:  # until both are up
            done = bonsai("course", "grade", "--scheduler", address, cwd=folder, PYTHONPATH=str(folder), **tls)
            said = done.stdout + done.stderr
            if "no workers" not in said and "no scheduler" not in said:
                break
        assert "5 of 5" in done.stdout and "Traceback" not in done.stderr, said
        assert set(rows(folder)) == {"ann", "bad", "cop", "dia", "eve"}
        again = [str(PROGRAM / "bonsai"), "course", "grade", "--force", "--scheduler", address]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        run_ = subprocess.Popen(again, cwd=folder, env=os.environ | tls | {"PYTHONPATH": str(folder)}, **pipes)
        line = run_.stderr.readline()
        assert line.startswith("1/5"), line
        scheduler.kill()
        _, err = run_.communicate(timeout=120)
        assert run_.returncode == 1 and "run it again to go on" in " ".join(err.split()) and "Traceback" not in err, err
    finally:
        scheduler.kill()
        os.killpg(worker.pid, signal.SIGKILL)
        scheduler.wait()
        worker.wait()
