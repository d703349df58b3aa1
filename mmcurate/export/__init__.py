"""Final data sets of a run."""

from mmcurate.export.hub import push_to_hub
from mmcurate.export.sft import load, to_sft

__all__ = ["load", "push_to_hub", "to_sft"]
