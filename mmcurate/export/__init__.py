"""Final data sets of a run, and exports of them for trainers."""

from mmcurate.export.arrow import load
from mmcurate.export.rl import to_rl
from mmcurate.export.sft import to_sft

__all__ = ["load", "to_rl", "to_sft"]
