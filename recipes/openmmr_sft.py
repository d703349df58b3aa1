"""The SFT set of OpenMMReasoner (arXiv 2511.16334, section 3).

Questions about pictures -> unique, in no benchmark -> eight answers of a teacher -> verified -> with ready traces mixed in
-> chat rows. Without options it runs a demo in a minute: drawn questions, a simulated teacher.

    python recipes/openmmr_sft.py

With a teacher it rebuilds the published set: some 103K questions of LLaVA-CoT, OpenVLThinker and We-Math (kept at eight answers:
about 583K traces), and the ready traces of MMR1 and MiroMind-M1 (874K in all). The Hub is read, or local copies:

    python recipes/openmmr_sft.py --out runs/openmmr_sft \\
        --teacher Qwen/Qwen3-VL-235B-A22B-Instruct=http://node1:8000/v1 \\
        --judge Qwen/Qwen3-235B-A22B-Instruct-2507=http://node2:8000/v1 \\
        --source llava_cot=/data/LLaVA-CoT-100k

Teacher and judge are served by vLLM on eight GPUs each, or run in this process (MODEL=vllm:8), one after the other:

    vllm serve Qwen/Qwen3-VL-235B-A22B-Instruct --tensor-parallel-size 8 --max-model-len 32768 \\
        --limit-mm-per-prompt.video 0 --mm-encoder-tp-mode data --generation-config vllm
    vllm serve Qwen/Qwen3-235B-A22B-Instruct-2507 --tensor-parallel-size 8 --max-model-len 32768 --generation-config vllm

The same command continues a run that was stopped or killed, and asks for no answer twice: a larger --num-responses asks for the
further ones, and a --judge may be added later, when the teacher's GPUs are free again: what was answered needs no teacher. The ablations of the paper are
--num-responses 1, 2, 4, 8, another --teacher, and --without mmr1 --without miromind_m1. Your own questions come with
--questions. Keys are read from MMCURATE_API_KEY (teachers) and MMCURATE_JUDGE_API_KEY (judge).
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import common

import mmcurate as mm
from mmcurate.dedup import Decontaminate, ExactDedup, NearDedup
from mmcurate.distill import Distill
from mmcurate.sources import MMR1, LLaVACoT, MiroMind, Mix, OpenVLThinker, Procedural, WeMathSFT
from mmcurate.verify import GoldAudit, Verify

CAPS = {"mmr1": 199_425, "miromind_m1": 91_953}
"""How many ready traces are mixed in: as many as in the published set, which doesn't say which. Here they are
chosen at random among the rows that can be used, by SEED and the row's id, so that the choice doesn't change with other parts."""
SEED = 0


def main() -> None:
    """Runs the recipe."""
    parser = common.parser(__doc__)
    parser.add_argument(
        "--teacher", action="append", default=[], metavar="MODEL=URL", help="or MODEL=vllm:8; several may be given"
    )
    parser.add_argument("--judge", metavar="MODEL=URL", help="decides what no rule does; or MODEL=vllm:8")
    parser.add_argument(
        "--descriptions",
        action="store_true",
        help="take LLaVA-CoT's open descriptions too, which only a judge can compare",
    )
    sources = {kind.name: kind for kind in (LLaVACoT, OpenVLThinker, WeMathSFT, MMR1, MiroMind)}
    common.add_sources(parser, list(sources))
    options, begin = parser.parse_args(), time.monotonic()
    if options.descriptions:
        sources["llava_cot"] = partial(LLaVACoT, descriptions=True)

    if options.questions:
        source: Any = common.named("--questions", options.questions)
    elif options.teacher or options.source or options.without:
        parts = common.chosen(parser, options, sources)
        source = Mix(parts, caps={p.name: CAPS[p.name] for p in parts if p.name in CAPS}, seed=SEED, name="openmmr_sft")
    else:
        source, options.without = Mix([Procedural(240), Procedural(20)]), ["benchmarks"]  # the demo; 20 come twice

    steps: list[Any] = [mm.Filter(common.COMMERCIAL, name="commercial_licence")] if options.no_nc else []
    steps += [
        ExactDedup(),
        mm.Filter("duplicate_of is null and conflicts_with is null", name="unique"),
        NearDedup(),
        mm.Filter("near_dedup.duplicate_of is null", name="no_near_duplicate"),
    ]
    if benchmarks := common.against(parser, options):
        steps += [Decontaminate(against=benchmarks), mm.Filter("benchmark_match is null", name="in_no_benchmark")]
    steps += [
        GoldAudit(where="rows.responses is null"),  # ready traces are taken as they are
        common.good_gold(options),
    ]

    with ExitStack() as stack:
        judge = common.chat(options, "--judge", options.judge, temperature=0.0, max_tokens=8) if options.judge else None
        for i, teacher in enumerate(common.teachers(options, stack, source, temperature=1.0, max_tokens=16_384), 1):
            asked, verified = ("distill", "verify") if i == 1 else (f"distill_{i}", f"verify_{i}")
            steps += [
                Distill(
                    teacher,
                    num_responses=options.num_responses,
                    where="rows.responses is null",
                    name=asked,
                    **common.prompt(options),
                ),
                Verify(judge=judge, inputs={"responses": f"{asked}.responses"}, name=verified),
                mm.Filter("verdict = 'correct'", of=f"{asked}.responses", name="correct" if i == 1 else f"correct_{i}"),
                # The paper tried two filters, and both made the model worse (mean of three benchmarks 55.2 without):
                # by length (54.2): mm.Filter("length(text) >= 400", of=f"{asked}.responses", name="long_enough"),
                # by difficulty (51.3): mm.Filter(f"{verified}.pass_rate is null or {verified}.pass_rate < 1", name="not_too_easy"),
            ]
        run = mm.Pipeline(source, *steps).run(options.out or "runs/openmmr_sft", sample=options.sample, seed=SEED)
        final = run.to_sft()
        common.finish(options, run, time.monotonic() - begin, **{"traces kept": final})


if __name__ == "__main__":
    common.run_recipe(main)
