"""The process that grades: `python -m mmcurate.verify.worker`, which `WorkerPool` starts, feeds and may kill."""

from __future__ import annotations

import dataclasses
import importlib
import resource
import sys
from typing import Any

from mmcurate.verify.grade import decide
from mmcurate.verify.math_verify import math_verify
from mmcurate.verify.policy import Policy
from mmcurate.workers import serve

MAX_BYTES = 4 << 30


def work(task: dict[str, Any]) -> dict[str, Any]:
    """Grades one pair, or compares one pair of mathematical texts."""
    try:
        if "math" in task:
            return {"equal": math_verify(*task["math"])}
        policy = Policy(**task.get("policy", {}))
        finish_reason = task.get("finish_reason")
        grade = decide(
            task["response"], task["gold"], task["options"], task["question"], math_verify, finish_reason, policy
        )
        return dataclasses.asdict(grade)
    except (Exception, RecursionError) as error:
        return {"failed": f"{type(error).__name__}: {error}"[:300]}


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (MAX_BYTES if hard == resource.RLIM_INFINITY else min(MAX_BYTES, hard), hard)
    )
    sys.setrecursionlimit(5000)
    importlib.import_module("math_verify")  # before the first pair's time runs

    serve(work)
