"""A model on the nine benchmarks of OpenMMReasoner (arXiv 2511.16334): accuracy as each benchmark defines it, mean tokens, tables by subject.

Each question is asked once at temperature 0, with the one prompt that teacher, student and RL see, graded by its benchmark's rule, and scored by
its benchmark's measure. Without options it runs a demo: drawn questions, a simulated model.

    python recipes/openmmr_eval.py

With a model it takes the nine benchmarks from the Hub, or local copies (twelve columns, some 25,000 questions):

    python recipes/openmmr_eval.py --model my-model=http://node1:8000/v1 --out runs/eval_my_model \\
        --judge Qwen/Qwen3-235B-A22B-Instruct-2507=http://node2:8000/v1 --benchmark mathvista=/data/MathVista

What no rule decides goes to the judge; without one it isn't scored, counts as wrong, and the table shows how much that is (much of CharXiv
and MathVerse). An answer that can't be parsed is wrong. The same command continues a run that was stopped, and asks for nothing twice: a
--judge may be added later. A held-out set of your own is an evaluation set too:

    python recipes/openmmr_eval.py --model my-model=http://node1:8000/v1 --questions held_out.jsonl --out runs/eval_held_out

--sample is for a trial: DynaMath's worst case and We-Math's score are of whole sets (ten variants, every step), and only those count that are
whole in the sample.

DIR/scores.md has every table and DIR/scores.json every figure; in Python: `from mmcurate.evaluate import score; score(mm.open(DIR))`. These
aren't the official numbers: the commands for those, through lmms-eval, are printed at the end. Keys are read from MMCURATE_API_KEY (model) and
MMCURATE_JUDGE_API_KEY (judge).
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import common

import mmcurate as mm
from mmcurate.distill import Distill
from mmcurate.errors import did_you_mean
from mmcurate.evaluate import BenchmarkVerify, lmms_eval_command, score
from mmcurate.sources import BENCHMARKS, MathVision, Mix, Procedural

KINDS = {**BENCHMARKS, "mathvision_testmini": partial(MathVision, split="testmini")}
"""MathVision's testmini is part of its test: its questions are asked once, and have a column of their own."""


def source_of(made: argparse.ArgumentParser, options: argparse.Namespace) -> Any:
    """Returns what the model is asked."""
    if options.questions:
        if options.only or options.benchmark:
            made.error("--questions is a set of its own: leave --only and --benchmark out")
        return common.named("--questions", options.questions)
    if not (options.model or options.benchmark or options.only):
        return Procedural(120)
    names = list(dict.fromkeys(name.strip() for name in options.only.split(",")) if options.only else KINDS)
    for name in names:
        if name not in KINDS:
            made.error(f"--only {name}: no such benchmark{did_you_mean(name, KINDS)}")
    paths = dict(common.pair(made, "--benchmark", text, KINDS) for text in options.benchmark)
    for name in paths:
        if name not in names and not (name == "mathvision" and "mathvision_testmini" in names):
            made.error(f"--benchmark {name}={paths[name]}: --only leaves {name} out; add it there")
    paths.setdefault("mathvision_testmini", paths.get("mathvision"))
    return Mix([KINDS[name](path=paths.get(name)) for name in names], name="openmmr_eval")


def main() -> None:
    """Runs the recipe."""
    parser = common.parser(__doc__, makes_a_set=False)
    add = parser.add_argument
    add("--model", metavar="MODEL=URL", help="the model to measure; or MODEL=vllm:8")
    add("--judge", metavar="MODEL=URL", help="decides what no rule does; or MODEL=vllm:8")
    add("--only", metavar="NAME,NAME", help=f"some of the benchmarks: {', '.join(KINDS)}")
    add("--benchmark", action="append", default=[], metavar="NAME=PATH", help="a local copy of a benchmark")
    add("--questions", metavar="FILE-OR-HUB-ID", help="your own questions instead, scored by accuracy")
    add(
        "--max-tokens",
        type=int,
        default=49_152,
        metavar="N",
        help="of an answer (default: 49152, as in the paper; with the question it must fit into the server's context)",
    )
    options, begin = parser.parse_args(), time.monotonic()
    if not options.model and (options.questions or options.benchmark or options.only):
        parser.error("--model is missing: MODEL=URL, such as my-model=http://node1:8000/v1, or MODEL=vllm:8")
    source = source_of(parser, options)
    sampling = {"temperature": 0.0, "max_tokens": options.max_tokens}

    with ExitStack() as stack:
        if options.model:
            model = common.chat(options, "--model", options.model, **common.prices(options), **sampling)
        else:
            model = common.simulated(options, stack, source, "--model", **sampling)
        judge = common.chat(options, "--judge", options.judge, temperature=0.0, max_tokens=8) if options.judge else None
        pipeline = mm.Pipeline(
            source,
            mm.Filter("answer is not null and trim(answer) <> ''", name="has_gold"),
            Distill(model, num_responses=1, **common.prompt(options)),
            BenchmarkVerify(judge=judge),
        )
        run = pipeline.run(options.out or "runs/openmmr_eval", sample=options.sample)

    scores = score(run)
    scores.save(run.path)
    print(f"{scores}\n\n{common.summary(run, {}, time.monotonic() - begin)}\n")
    print(f"scores    {run.path / 'scores.md'}, scores.json\nreport    {run.report().path}")
    if official := lmms_eval_command("CHECKPOINT", scores.columns):
        print(f"\nofficial numbers, by the authors' tasks (put together from their eval.sh, not run here):\n{official}")


if __name__ == "__main__":
    common.run_recipe(main)
