"""Turns questions about pictures into verified, deduplicated training sets.

    import mmcurate as mm

    run = mm.Pipeline(source, *steps).run("runs/mine")   # the same line resumes it
    run.report()                                         # what became of every row
    mm.open("runs/mine").explain("q7")

Names are loaded when they are first used: `import mmcurate` opens nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmcurate.comparison import compare
    from mmcurate.pipeline import Pipeline
    from mmcurate.run import Run
    from mmcurate.run import open_run as open
    from mmcurate.schema import Grade, Verdict
    from mmcurate.select import AtMost, Filter
    from mmcurate.standalone import apply
    from mmcurate.step import Step, settings

__all__ = ["AtMost", "Filter", "Grade", "Pipeline", "Run", "Step", "Verdict", "apply", "compare", "open", "settings"]

_WHERE = {
    "AtMost": "select",
    "Filter": "select",
    "Grade": "schema",
    "Pipeline": "pipeline",
    "Run": "run",
    "Step": "step",
    "Verdict": "schema",
    "apply": "standalone",
    "compare": "comparison",
    "open": "run:open_run",
    "settings": "step",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'mmcurate' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    value = getattr(importlib.import_module(f"mmcurate.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
