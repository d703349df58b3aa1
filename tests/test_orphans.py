"""A process killed without a chance leaves none of its own behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import multiprocessing, sys, time
from mmcurate.chat.orphans import Watch

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    before = context.Process(target=time.sleep, args=(60,), daemon=True)
    before.start()
    watch = Watch()
    child = context.Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    watch.seen()
    if sys.argv[1] == "closed":
        watch.close()
    print(before.pid, child.pid, watch._process.pid, flush=True)
    time.sleep(60)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")


@pytest.mark.parametrize("ends", ["killed", "closed"])
def test_orphans(tmp_path, ends):
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), ends], stdout=subprocess.PIPE, text=True)
    before, child, watch = map(int, process.stdout.readline().split())
    try:
        assert alive(child)
        assert alive(watch) == (ends == "killed")
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(1.0)
        assert alive(before), "of others it ends none"
        assert alive(child) == (ends == "closed")
        assert not alive(watch)
    finally:
        for pid in (before, child):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.stdout.close()
