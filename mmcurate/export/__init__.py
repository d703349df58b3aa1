"""Final data sets of a run, and exports of them for trainers."""

from mmcurate.export.arrow import load
from mmcurate.export.hub import push_to_hub
from mmcurate.export.llama_factory import to_llama_factory
from mmcurate.export.lmms_engine import to_lmms_engine
from mmcurate.export.ms_swift import to_ms_swift
from mmcurate.export.rl import to_rl
from mmcurate.export.sft import to_sft
from mmcurate.export.verl import to_verl

__all__ = ["load", "push_to_hub", "to_llama_factory", "to_lmms_engine", "to_ms_swift", "to_rl", "to_sft", "to_verl"]
