"""The recipe's nine benchmarks, to stay clear of and to be measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmcurate.errors import SettingsError, did_you_mean
from mmcurate.sources.charxiv import CharXiv
from mmcurate.sources.dynamath import DynaMath
from mmcurate.sources.logicvista import LogicVista
from mmcurate.sources.mathverse import MathVerse
from mmcurate.sources.mathvision import MathVision
from mmcurate.sources.mathvista import MathVista
from mmcurate.sources.mmmu import MMMU
from mmcurate.sources.mmmu_pro import MMMUPro
from mmcurate.sources.published import Published
from mmcurate.sources.wemath import WeMath

BENCHMARKS: dict[str, type[Published]] = {
    kind.name: kind for kind in (MathVista, MathVision, MathVerse, DynaMath, WeMath, LogicVista, MMMU, MMMUPro, CharXiv)
}
"""Each benchmark's class, by the name that its rows' `source` has."""


def benchmarks(names: Sequence[str] | None = None, *, path: str | Path | None = None) -> list[Published]:
    """Returns benchmarks as sources, as `Decontaminate(against=benchmarks())` takes them.

    Args:
        names: which, as their rows' `source` says: "mathvista", "mathvision", "mathverse", "dynamath", "wemath", "logicvista", "mmmu",
            "mmmu_pro", "charxiv". All nine unless given.
        path: a folder with a local copy of each, `path/mathvista` and so on; read from the Hub unless given.

    Raises:
        SettingsError: a name isn't known, or a copy isn't there.
    """
    wanted = [names] if isinstance(names, str) else list(BENCHMARKS if names is None else names)
    for name in wanted:
        if name not in BENCHMARKS:
            raise SettingsError(f"benchmarks: there is no {name!r}{did_you_mean(name, BENCHMARKS)}")
    return [BENCHMARKS[name](path=None if path is None else Path(path) / name) for name in wanted]
