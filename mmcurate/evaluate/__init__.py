"""Measuring a model: graded as each benchmark grades, scored as each benchmark scores.

run = mm.Pipeline(Mix(benchmarks()), Distill(model, num_responses=1), BenchmarkVerify(judge=judge)).run("runs/eval")
print(score(run))
"""

from mmcurate.evaluate.metrics import FourDimensional, four_dimensional, worst_case
from mmcurate.evaluate.published import lmms_eval_command
from mmcurate.evaluate.scores import Score, Scores, score
from mmcurate.evaluate.verify import BenchmarkVerify

__all__ = [
    "BenchmarkVerify",
    "FourDimensional",
    "Score",
    "Scores",
    "four_dimensional",
    "lmms_eval_command",
    "score",
    "worst_case",
]
