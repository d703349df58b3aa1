"""SFT data: questions about pictures -> unique, in no benchmark -> eight answers of a teacher -> verified -> chat rows.

    python recipes/openmmr_sft.py                                  # the demo: drawn questions, a simulated teacher
    python recipes/openmmr_sft.py --questions questions.jsonl \
        --base-url http://node1:8000/v1 --model Qwen/Qwen3-VL-235B-A22B-Instruct \
        --judge-url http://node2:8000/v1 --judge-model Qwen/Qwen3-235B-A22B-Instruct-2507 \
        --benchmark mathverse.jsonl --benchmark AI4Math/MathVista:testmini --out runs/mine

The same command continues a run that was stopped or killed, and asks for no answer twice. Keys are read from MMCURATE_API_KEY
(teacher) and MMCURATE_JUDGE_API_KEY (judge). Settings of the recipe: OpenMMReasoner, arXiv 2511.16334, section 3.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.dedup import Decontaminate, ExactDedup, NearDedup
from mmcurate.distill import Distill
from mmcurate.errors import MMCurateError, SettingsError, Stopped
from mmcurate.export import to_sft
from mmcurate.sources import Files, Hub, Mix, Procedural
from mmcurate.verify import Verify


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Without options it runs the demo. Keys are read from MMCURATE_API_KEY and MMCURATE_JUDGE_API_KEY.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--questions",
        metavar="FILE-OR-HUB-ID",
        help="rows of id, question, answer and, where they are, options and images",
    )
    parser.add_argument(
        "--benchmark",
        action="append",
        default=[],
        metavar="FILE-OR-HUB-ID",
        help="drop questions that are in it; may be given several times",
    )
    parser.add_argument("--base-url", metavar="URL", help="the teacher's endpoint, such as http://node1:8000/v1")
    parser.add_argument("--model", metavar="NAME", help="the teacher's name there")
    parser.add_argument("--judge-url", metavar="URL", help="a judge's endpoint, for answers that no rule decides")
    parser.add_argument("--judge-model", metavar="NAME", help="the judge's name there")
    parser.add_argument("--num-responses", type=int, default=8, metavar="N", help="answers a question (default: 8)")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many questions, at random")
    parser.add_argument(
        "--input-price", type=float, default=0.0, metavar="USD", help="of a million tokens sent, for the cost"
    )
    parser.add_argument("--output-price", type=float, default=0.0, metavar="USD", help="of a million tokens answered")
    parser.add_argument("--store", metavar="DIR", help="the answer store (default: `answers` beside the run folder)")
    parser.add_argument(
        "--out", default="runs/openmmr_sft", metavar="DIR", help="the run folder (default: runs/openmmr_sft)"
    )
    options = parser.parse_args()
    if bool(options.questions) != bool(options.base_url):
        parser.error("--questions and --base-url go together; without both, the demo runs")
    for url, model in (("base_url", "model"), ("judge_url", "judge_model")):
        if bool(getattr(options, url)) != bool(getattr(options, model)):
            parser.error(f"--{url.replace('_', '-')} and --{model.replace('_', '-')} go together")
    return options


def questions(options: argparse.Namespace) -> Any:
    """Returns the source: a file or folder, a data set of the Hub, or drawn questions, 20 of them twice."""
    if not options.questions:
        return Mix([Procedural(240), Procedural(20)])
    return named("--questions", options.questions)


def named(option: str, name: str) -> Any:
    """Returns a file or folder, or a data set of the Hub: `owner/name`, or `owner/name:split` for another than train."""
    if Path(name).exists():
        return Files(name)
    if name.count("/") == 1 and not name.endswith((".jsonl", ".json", ".csv", ".parquet", ".arrow")):
        id, _, split = name.partition(":")
        return Hub(id, split=split or "train")
    raise SettingsError(f"{option} {name}: there is no such file, and it is no id of the Hub (owner/name)")


def main() -> None:
    """Runs the recipe."""
    options, begin = arguments(), time.monotonic()
    with ExitStack() as stack:
        source = questions(options)
        url, name = options.base_url, options.model
        if url is None:
            demo = stack.enter_context(SimulatedTeacher(source))
            url, name = demo.base_url, demo.model
        teacher = OpenAIChat(
            name,
            url,
            temperature=1.0,
            max_tokens=16_384,
            store=options.store,
            api_key=os.environ.get("MMCURATE_API_KEY", ""),
            input_price=options.input_price,
            output_price=options.output_price,
        )
        judge = None
        if options.judge_url:
            judge = OpenAIChat(
                options.judge_model,
                options.judge_url,
                temperature=0.0,
                max_tokens=8,
                store=options.store,
                api_key=os.environ.get("MMCURATE_JUDGE_API_KEY", ""),
            )

        unique = [
            ExactDedup(),
            mm.Filter("duplicate_of is null and conflicts_with is null", name="unique"),
            NearDedup(),
            mm.Filter("near_dedup.duplicate_of is null", name="no_near_duplicate"),
        ]
        if options.benchmark:
            against = [named("--benchmark", name) for name in options.benchmark]
            unique += [Decontaminate(against=against), mm.Filter("benchmark_match is null", name="in_no_benchmark")]
        pipeline = mm.Pipeline(
            source,
            *unique,
            Distill(teacher, num_responses=options.num_responses),
            Verify(judge=judge),
            mm.Filter("verdict = 'correct'", of="responses", name="correct"),
        )

        run = pipeline.run(options.out, sample=options.sample)
        final = to_sft(run)
        report = run.report()
        print(summary(run, len(final), time.monotonic() - begin))
        print(f"\ndata set  {run.path / 'final'}\nreport    {report.path}\n")
        print("import datasets, mmcurate")
        print(f"final = datasets.load_from_disk({str(run.path / 'final')!r})")
        print(f"run = mmcurate.open({str(run.path)!r})  # run.sample(20), run.explain(id), run.report()")


def summary(run: mm.Run, num_final: int, seconds: float) -> str:
    """Returns a short table of what was asked, kept and dropped."""
    funnel = run.funnel()
    traces = next(iter(funnel.traces.values()))
    lines = [("questions", f"{funnel.rows[0].num_in:,}")]
    lines += [
        (f"  dropped by {line.step}: {reason}", f"{n:,}") for line in funnel.rows for reason, n in line.dropped.items()
    ]
    lines += [("questions kept", f"{funnel.rows[-1].num_out:,}"), ("answers asked for", f"{traces[0].num_in:,}")]
    lines += [
        (f"  dropped by {line.step}: {reason}", f"{n:,}") for line in traces for reason, n in line.dropped.items()
    ]
    lines += [("traces kept", f"{num_final:,}")]
    lines += [
        (
            f"tokens of {t['model']}",
            f"{t['prompt_tokens']:,} sent, {t['tokens']:,} answered" + (f", US$ {t['cost']:,.2f}" if t["cost"] else ""),
        )
        for t in run.totals()
    ]
    lines += [("time", f"{seconds:,.1f} s")]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("mmcurate").setLevel(logging.INFO)
    try:
        main()
    except Stopped as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        sys.exit(130)
    except MMCurateError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
