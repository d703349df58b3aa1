"""Your own folder of pictures and questions -> an SFT set and an RL set.

A few hundred questions are enough: a teacher answers each many times, what is right stays, and of that the answers that differ most.

    python recipes/domain_adapt.py                                    # a demo on drawn questions
    python recipes/domain_adapt.py --questions my_domain \\
        --teacher Qwen/Qwen3-VL-235B-A22B-Instruct=http://node1:8000/v1 --out runs/my_domain

`my_domain` is a folder (or one file) with questions.jsonl, .csv or .parquet, and the pictures that its rows name:

    {"id": "scan-17", "question": "Which bone is broken?", "options": ["radius", "ulna"], "answer": "B", "images": ["scans/17.png"]}

`id`, `options` and `images` may be missing. An answer that no rule can compare (a sentence) needs a --judge. The same
command continues a run; more questions in the folder ask only for theirs.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import common

import mmcurate as mm
from mmcurate.dedup import ExactDedup, NearDedup
from mmcurate.distill import Distill
from mmcurate.sample import DiverseResponses
from mmcurate.sources import Procedural
from mmcurate.verify import GoldAudit, Verify


def main() -> None:
    """Runs the recipe."""
    parser = common.parser(__doc__)
    parser.add_argument("--questions", metavar="FOLDER-OR-FILE", help="yours; without it a demo runs")
    parser.add_argument("--teacher", action="append", default=[], metavar="MODEL=URL", help="or MODEL=vllm:8")
    parser.add_argument("--judge", metavar="MODEL=URL", help="decides what no rule does; or MODEL=vllm:8")
    parser.add_argument(
        "--keep", type=int, default=4, metavar="N", help="right answers a question, those that differ most (default: 4)"
    )
    parser.set_defaults(num_responses=16)
    options, begin = parser.parse_args(), time.monotonic()
    if len(options.teacher) > 1:
        parser.error("--teacher: give one; openmmr_sft.py takes several")
    source: Any = common.named("--questions", options.questions) if options.questions else Procedural(60)

    with ExitStack() as stack:
        [teacher] = common.teachers(options, stack, source, temperature=1.0, max_tokens=16_384)
        judge = common.chat(options, "--judge", options.judge, temperature=0.0, max_tokens=8) if options.judge else None
        pipeline = mm.Pipeline(
            source,
            ExactDedup(),
            mm.Filter("duplicate_of is null and conflicts_with is null", name="unique"),
            NearDedup(),
            mm.Filter("near_dedup.duplicate_of is null", name="no_near_duplicate"),
            GoldAudit(),
            common.good_gold(options),
            Distill(teacher, num_responses=options.num_responses, **common.prompt(options)),
            Verify(judge=judge),
            mm.Filter("verdict = 'correct'", of="responses", name="correct"),
            DiverseResponses(),
            mm.AtMost(options.keep, of="responses", order="diverse", name="most_diverse"),
        )
        run = pipeline.run(options.out or "runs/domain_adapt", sample=options.sample)
        sets = {"traces in the SFT set": run.to_sft(), "questions in the RL set": run.to_rl()}
        common.finish(options, run, time.monotonic() - begin, **sets)


if __name__ == "__main__":
    common.run_recipe(main)
