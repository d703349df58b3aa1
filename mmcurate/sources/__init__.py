"""Where questions come from: one's own files and data sets, the recipe's published ones, drawn ones."""

from mmcurate.sources.algopuzzlevqa import AlgoPuzzleVQA
from mmcurate.sources.benchmark import BENCHMARKS, benchmarks
from mmcurate.sources.charxiv import CharXiv
from mmcurate.sources.dynamath import DynaMath
from mmcurate.sources.files import Files
from mmcurate.sources.hub import HFDataset, Hub
from mmcurate.sources.llava_cot import LLaVACoT
from mmcurate.sources.logicvista import LogicVista
from mmcurate.sources.mathverse import MathVerse
from mmcurate.sources.mathvision import MathVision
from mmcurate.sources.mathvista import MathVista
from mmcurate.sources.miromind import MiroMind
from mmcurate.sources.mix import Mix
from mmcurate.sources.mmk12 import MMK12
from mmcurate.sources.mmmu import MMMU
from mmcurate.sources.mmmu_pro import MMMUPro
from mmcurate.sources.mmr1 import MMR1
from mmcurate.sources.openvlthinker import OpenVLThinker
from mmcurate.sources.procedural import Procedural
from mmcurate.sources.published import Published
from mmcurate.sources.puzzlevqa import PuzzleVQA
from mmcurate.sources.source import Rows, Source
from mmcurate.sources.thinklite import ThinkLite
from mmcurate.sources.tqa import TQA
from mmcurate.sources.virl39k import ViRL39K
from mmcurate.sources.wemath import WeMath
from mmcurate.sources.wemath_pro import WeMathPro
from mmcurate.sources.wemath_sft import WeMathSFT
from mmcurate.sources.wemath_standard import WeMathStandard

__all__ = [
    "BENCHMARKS",
    "MMK12",
    "MMMU",
    "MMR1",
    "TQA",
    "AlgoPuzzleVQA",
    "CharXiv",
    "DynaMath",
    "Files",
    "HFDataset",
    "Hub",
    "LLaVACoT",
    "LogicVista",
    "MMMUPro",
    "MathVerse",
    "MathVision",
    "MathVista",
    "MiroMind",
    "Mix",
    "OpenVLThinker",
    "Procedural",
    "Published",
    "PuzzleVQA",
    "Rows",
    "Source",
    "ThinkLite",
    "ViRL39K",
    "WeMath",
    "WeMathPro",
    "WeMathSFT",
    "WeMathStandard",
    "benchmarks",
]
