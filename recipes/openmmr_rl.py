"""The RL set of OpenMMReasoner (arXiv 2511.16334, section 4): questions about pictures with checkable answers and pass rates.

Eight sources -> short answers that the verifier accepts -> unique within and across sources, in no benchmark -> eight answers of a
model, verified, as a pass rate -> chat rows with ground truth, answer type and pass rate. Without options it runs a demo:

    python recipes/openmmr_rl.py

With a model it rebuilds the published set, some 74K questions. The Hub is read, or local copies:

    python recipes/openmmr_rl.py --teacher Qwen/Qwen3-VL-8B-Instruct=http://node1:8000/v1 --source virl39k=/data/ViRL39K

Pass rates come from any model: behind an endpoint, or in this process (MODEL=vllm:1). The published ones are Qwen3-VL-8B's (8 answers at
temperature 1.0, top_p 0.9). Without --teacher the sources come without pass rates. The same command continues a run, and
asks for no answer twice. The report has each source's published and actual counts side by side. Your own questions come with
--questions. For trainers: `mmcurate.export.to_verl(run, "verl")`, `to_ms_swift`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import common

import mmcurate as mm
from mmcurate.dedup import Decontaminate, ExactDedup, NearDedup
from mmcurate.distill import Distill
from mmcurate.sources import (
    MMK12,
    TQA,
    AlgoPuzzleVQA,
    Mix,
    Procedural,
    PuzzleVQA,
    ThinkLite,
    ViRL39K,
    WeMathPro,
    WeMathStandard,
)
from mmcurate.verify import GoldAudit, Verify

SOURCES = (ViRL39K, ThinkLite, TQA, WeMathStandard, MMK12, WeMathPro, PuzzleVQA, AlgoPuzzleVQA)
"""In the order in which they keep a question that several have: ViRL39K holds much of MMK12, and stays whole."""


def main() -> None:
    """Runs the recipe."""
    parser = common.parser(__doc__)
    parser.add_argument(
        "--teacher", action="append", default=[], metavar="MODEL=URL", help="whose pass rates; or MODEL=vllm:1"
    )
    parser.add_argument("--judge", metavar="MODEL=URL", help="decides what no rule does; or MODEL=vllm:8")
    sources = {kind.name: kind for kind in SOURCES}
    common.add_sources(parser, list(sources))
    options, begin = parser.parse_args(), time.monotonic()
    if len(options.teacher) > 1:
        parser.error("--teacher: a pass rate is one model's; give one")

    demo = not (options.questions or options.teacher or options.source or options.without)
    if options.questions:
        source: Any = common.named("--questions", options.questions)
    elif demo:
        source, options.without = Mix([Procedural(160), Procedural(20)]), ["benchmarks"]  # 20 come twice
    else:
        source = Mix(common.chosen(parser, options, sources), name="openmmr_rl")

    steps: list[Any] = [mm.Filter(common.COMMERCIAL, name="commercial_licence")] if options.no_nc else []
    steps += [
        # The paper leaves out long answers, which a rule can't compare.
        mm.Filter("length(answer) <= 50", name="short_answer"),
        ExactDedup(priority=tuple(sources)),
        mm.Filter("duplicate_of is null and conflicts_with is null", name="unique"),
        NearDedup(priority=tuple(sources)),
        mm.Filter("near_dedup.duplicate_of is null", name="no_near_duplicate"),
    ]
    if benchmarks := common.against(parser, options):
        steps += [Decontaminate(against=benchmarks), mm.Filter("benchmark_match is null", name="in_no_benchmark")]
    steps += [GoldAudit(), common.good_gold(options)]

    with ExitStack() as stack:
        if demo or options.teacher:
            [model] = common.teachers(options, stack, source, temperature=1.0, top_p=0.9, max_tokens=8_192)
            judge = (
                common.chat(options, "--judge", options.judge, temperature=0.0, max_tokens=8) if options.judge else None
            )
            steps += [
                Distill(model, num_responses=options.num_responses, **common.prompt(options)),
                Verify(judge=judge),
                # What is always or never right teaches GSPO nothing in that epoch, but models change: off, as in the paper.
                # mm.Filter("pass_rate > 0 and pass_rate < 1", name="neither_always_nor_never"),
            ]
        run = mm.Pipeline(source, *steps).run(options.out or "runs/openmmr_rl", sample=options.sample)
        final = run.to_rl()
        common.finish(options, run, time.monotonic() - begin, **{"questions in the set": final})


if __name__ == "__main__":
    common.run_recipe(main)
