"""Where questions come from."""

from mmcurate.sources.files import Files
from mmcurate.sources.hub import HFDataset, Hub
from mmcurate.sources.mix import Mix
from mmcurate.sources.procedural import Procedural
from mmcurate.sources.source import Rows, Source

__all__ = ["Files", "HFDataset", "Hub", "Mix", "Procedural", "Rows", "Source"]
