"""`import mmcurate` is quick, opens nothing, and shows just its public names."""

import subprocess
import sys

import mmcurate


def run(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_loads_no_heavy_package_and_opens_nothing():
    code = """
import sys, os
opened = []
sys.addaudithook(lambda event, args: opened.append((event, args[0])) if event in ("socket.connect", "sqlite3.connect") or
                 (event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")) and "site-packages" not in str(args[0])
                  and "mmcurate" in str(args[0])) else None)
import mmcurate
heavy = [m for m in ("datasets", "pandas", "aiohttp", "numba", "math_verify", "openai", "torch", "duckdb", "PIL") if m in sys.modules]
print(heavy, opened)
"""
    assert run(code).strip() == "[] []"


def test_import_takes_under_half_a_second():
    code = "import time; t = time.process_time(); import mmcurate; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(3)) < 0.5


def test_public_names():
    assert dir(mmcurate) == [
        "AtMost",
        "Filter",
        "Grade",
        "Pipeline",
        "Run",
        "Step",
        "Verdict",
        "apply",
        "compare",
        "open",
        "settings",
    ]
    for name in dir(mmcurate):
        assert getattr(mmcurate, name).__doc__


def test_names_that_stay():
    from mmcurate import chat, dedup, distill, export, reward, sources, train, verify
    from mmcurate.train import losses

    assert {"Hub", "Files", "Mix", "Procedural"} <= set(sources.__all__)
    assert {"OpenAIChat", "SimulatedTeacher", "RecordedTeacher"} <= set(chat.__all__)
    assert {"Distill"} <= set(distill.__all__)
    assert {"grade", "Verify"} <= set(verify.__all__)
    assert {"ExactDedup"} <= set(dedup.__all__)
    assert {"push_to_hub", "to_sft"} <= set(export.__all__)
    assert {"Reward"} <= set(reward.__all__)
    assert {"rl", "sft"} <= set(train.__all__)
    assert callable(losses.gspo_loss)


def test_training_loads_torch_only_when_it_starts():
    code = "import sys, mmcurate.train, mmcurate.train.losses; print([m for m in ('torch', 'transformers', 'trl', 'peft') if m in sys.modules])"
    assert run(code).strip() == "[]"
