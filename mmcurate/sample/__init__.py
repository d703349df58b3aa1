"""Choosing: which responses, and which questions. Each step gives a column; `Filter` and `AtMost` choose by it.

mm.Filter("verdict = 'correct'", of="responses"), DiverseResponses(), mm.AtMost(4, of="responses", order="diverse")
FacilityLocation(10_000), mm.AtMost(10_000, order="diverse_rank")
Stratified(by=("source",)), mm.AtMost(10_000, order="stratified_rank")
Difficulty(), mm.Filter("difficulty in ('easy', 'medium', 'hard')")
Length("Qwen/Qwen3-8B"), mm.Filter("length <= 8192", of="responses")
"""

from mmcurate.sample.difficulty import Difficulty, wilson_interval
from mmcurate.sample.diverse_responses import DiverseResponses, farthest_first, jaccard_distances
from mmcurate.sample.facility_location import FacilityLocation, facility_location
from mmcurate.sample.length import Length
from mmcurate.sample.stratified import Stratified

__all__ = [
    "Difficulty",
    "DiverseResponses",
    "FacilityLocation",
    "Length",
    "Stratified",
    "facility_location",
    "farthest_first",
    "jaccard_distances",
    "wilson_interval",
]
