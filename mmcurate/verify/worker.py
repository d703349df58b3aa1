"""The process that grades: `python -m mmcurate.verify.worker`, which `WorkerPool` starts, feeds and may kill."""

from __future__ import annotations

import resource
import sys
from typing import Any

from mmcurate.verify.grade import decide
from mmcurate.verify.math import NotMathematics, equal_math
from mmcurate.workers import serve

MAX_BYTES = 4 << 30


def work(task: dict[str, Any]) -> dict[str, Any]:
    """Grades one pair, or compares one pair of mathematical texts."""
    try:
        if "math" in task:
            try:
                return {"equal": equal_math(*task["math"])}
            except NotMathematics as error:
                return {"not_math": str(error)}
        grade = decide(
            task["response"], task["gold"], task["options"], task["question"], equal_math, task.get("finish_reason")
        )
        return {"verdict": str(grade.verdict), "extracted": grade.extracted, "method": grade.method, "why": grade.why}
    except (Exception, RecursionError) as error:
        return {"failed": f"{type(error).__name__}: {error}"[:300]}


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (MAX_BYTES if hard == resource.RLIM_INFINITY else min(MAX_BYTES, hard), hard)
    )
    sys.setrecursionlimit(5000)
    import math_verify  # noqa: F401  before the first pair's time runs

    serve(work)
