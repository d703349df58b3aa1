"""Final data sets of a run."""

from mmcurate.export.sft import load, to_sft

__all__ = ["load", "to_sft"]
