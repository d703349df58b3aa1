"""kill -9 at random moments: the same command finishes, nothing is lost, nothing is paid for twice."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import mmcurate as mm
from mmcurate.chat import Faults, SimulatedTeacher
from mmcurate.sources import Files
from tests.conftest import RECIPE, final_rows, picture, recipe, write_jsonl

NUMBER, EACH = 520, 2


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    rows = []
    for i in range(NUMBER):
        (folder / f"{i % 40}.png").write_bytes(picture((i % 40, 9, 9)))
        rows.append(
            {
                "id": f"q{i}",
                "question": f"What is {i} + {i}?",
                "answer": str(2 * i),
                "images": [f"{i % 40}.png"] * (i % 3),
            }
        )
    return write_jsonl(folder / "q.jsonl", rows)


def command(rows, server, out):
    return [
        sys.executable,
        str(RECIPE),
        "--questions",
        str(rows),
        "--teacher",
        f"{server.model}={server.base_url}",
        "--num-responses",
        str(EACH),
        "--out",
        str(out),
    ]


@pytest.fixture(scope="module")
def wanted(rows, tmp_path_factory):
    """The final set of a run that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with SimulatedTeacher(Files(rows)) as server:
        begin = time.monotonic()
        subprocess.run(command(rows, server, out), check=True, capture_output=True)
        return final_rows(out / "final"), time.monotonic() - begin


def test_kill_at_twenty_moments(rows, wanted, tmp_path):
    dice, out, kills, twice = random.Random(5), tmp_path / "run", 0, 0
    with SimulatedTeacher(Files(rows), faults=Faults(latency_s=0.3)) as server:
        for _ in range(20):
            process = subprocess.Popen(command(rows, server, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                process.wait(dice.uniform(0.5, 3.5))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
            if process.returncode == 0:  # done: begin anew, on a store that knows a part
                assert final_rows(out / "final") == wanted[0]
                out = tmp_path / f"run-{kills}"
                twice = sum(n - 1 for n in server.asked.values() if n > 1)
        subprocess.run(command(rows, server, out), check=True, capture_output=True)
        twice = sum(n - 1 for n in server.asked.values() if n > 1)
        assert len(server.asked) == NUMBER * EACH
    assert kills >= 10
    assert twice <= kills * 256, "at most what was in flight"
    assert final_rows(out / "final") == wanted[0]
    assert mm.open(out).complete


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("asking", [False, True])
def test_a_stop_is_clean_and_quick(rows, wanted, tmp_path, sent, asking):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest's own workers ignore it, and so would the child
    with SimulatedTeacher(Files(rows), faults=Faults(latency_s=1.0, slow=0.05, slow_s=60)) as server:
        process = subprocess.Popen(
            command(rows, server, tmp_path / "run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(1.5)
        while asking and not server.num_requests:
            time.sleep(0.1)
        begin = time.monotonic()
        process.send_signal(sent)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - begin < 5.0
    if asking:  # before that the interpreter may still be starting
        assert process.returncode == 130, said
        assert "the same command continues" in said
        assert "Traceback" not in said
    with SimulatedTeacher(Files(rows)) as server:
        subprocess.run(command(rows, server, tmp_path / "run"), check=True, capture_output=True)
    assert final_rows(tmp_path / "run" / "final") == wanted[0]


def test_the_endpoint_goes_and_comes_back(rows, wanted, tmp_path):
    server = SimulatedTeacher(Files(rows), faults=Faults(latency_s=0.5))
    server.start()
    process = subprocess.Popen(
        command(rows, server, tmp_path / "run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while server.num_requests < 100:
        time.sleep(0.02)
        assert process.poll() is None
    server.stop()
    seen = server.num_requests
    time.sleep(float(os.environ.get("MMCURATE_TEST_DOWN_S", "6")))
    assert process.poll() is None
    server.start()
    _, said = process.communicate(timeout=100)
    server.stop()
    assert process.returncode == 0, said
    assert "is down" in said
    assert "is back" in said
    assert seen < NUMBER * EACH
    assert final_rows(tmp_path / "run" / "final") == wanted[0]
    run = mm.open(tmp_path / "run")
    assert run.complete
    assert run.funnel().traces["distill.responses"][0].dropped == {}


def test_the_demo(tmp_path):
    begin = time.monotonic()
    first = recipe(out=tmp_path / "run")
    assert time.monotonic() - begin < 120
    assert "dropped by unique" in first.stdout
    assert "traces kept" in first.stdout
    for name in ("final", "report.html", "funnel.json", "run.json"):
        assert (tmp_path / "run" / name).exists()
    rows = final_rows(tmp_path / "run" / "final")
    again = recipe(out=tmp_path / "run")
    assert final_rows(tmp_path / "run" / "final") == rows
    assert [line for line in again.stdout.splitlines() if not line.startswith("time")] == [
        line for line in first.stdout.splitlines() if not line.startswith("time")
    ]
    code = "\n".join(first.stdout.splitlines()[-3:]) + "\nprint(len(final), run.complete)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(len(rows)), "True"]
