"""What the recipes' command lines share: where questions come from, who answers, what is shown at the end."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher, VLLMChat
from mmcurate.errors import MMCurateError, SettingsError, Stopped, did_you_mean
from mmcurate.export.licences import allows
from mmcurate.sources import BENCHMARKS, Files, Hub

COMMERCIAL = "licence is not null and not regexp_matches(lower(licence), '(^|[-_ ])nc([-_ ]|$)|non-?commercial|research|unknown')"
"""The rows whose licence doesn't forbid commercial use."""
GOOD_GOLD = "gold_problem is null"
"""The rows whose own gold the verifier accepts: no other answer to the rest could be found right by a rule."""
GOLD_FOR_A_JUDGE = (
    "gold_problem is null or (gold_problem like 'undecided%' and gold_problem not like 'undecided as row%')"
)
"""Those, and the ones whose gold only a judge can compare, such as a sentence."""
_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow")


def parser(text: str, *, makes_a_set: bool = True) -> argparse.ArgumentParser:
    """Returns a parser whose help is the recipe's own text; one that makes no data set asks once, and pushes nothing."""
    made = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = made.add_argument
    add("--out", metavar="DIR", help="the run folder; the same command again continues it (default: runs/<recipe>)")
    add("--sample", type=int, metavar="N", help="only so many questions, at random")
    if makes_a_set:
        add("--num-responses", type=int, default=8, metavar="N", help="answers a question (default: 8)")
    add("--prompt", metavar="FILE", help="a file with another system prompt")
    add("--store", metavar="DIR", help="the answer store (default: `answers` beside the run folder)")
    add("--input-price", type=float, default=0.0, metavar="USD", help="of a million tokens sent, for the cost")
    add("--output-price", type=float, default=0.0, metavar="USD", help="of a million tokens answered")
    if makes_a_set:
        add("--push", metavar="OWNER/NAME", help="push the result to the Hugging Face Hub, into a private data set")
        add("--no-images", action="store_true", help="push hashes and source paths instead of pictures")
    return made


def add_sources(made: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Adds the options of a recipe that has sources of its own."""
    add = made.add_argument
    add(
        "--questions",
        metavar="FILE-OR-HUB-ID",
        help="your own questions instead: rows of id, question, answer, options, images",
    )
    add(
        "--source",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"a local copy of a source: {', '.join(names)}",
    )
    add("--without", action="append", default=[], metavar="NAME", help="leave a source out, or `benchmarks`")
    add("--no-nc", action="store_true", help="leave out what a licence keeps from commercial use, or has no licence")
    add(
        "--benchmark",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a local copy of a benchmark to stay clear of (mathvista=DIR), or a file or Hub id of another one "
        "(default: the nine of the paper, from the Hub; with --questions none)",
    )


def chosen(
    made: argparse.ArgumentParser, options: argparse.Namespace, sources: dict[str, Callable[..., Any]]
) -> list[Any]:
    """Returns the recipe's sources, each from the Hub or from a local copy, without those that are left out."""
    paths = dict(pair(made, "--source", text, sources) for text in options.source)
    for name in options.without:
        if name not in (*sources, "benchmarks"):
            made.error(f"--without {name}: no such source{did_you_mean(name, [*sources, 'benchmarks'])}")
    kept = {name: kind for name, kind in sources.items() if name not in options.without}
    if options.no_nc:  # left out before they are read
        kept = {name: kind for name, kind in kept.items() if allows(kind.licence) == "free"}
        if not kept:
            made.error(
                "--no-nc leaves no source: none of " + ", ".join(sources) + " has a licence that allows commercial use"
            )
    return [kind(path=paths.get(name)) for name, kind in kept.items()]


def pair(
    made: argparse.ArgumentParser, option: str, text: str, known: Sequence[str] | dict[str, Any]
) -> tuple[str, str]:
    """Returns the two parts of NAME=PATH, where the name is known."""
    name, equals, path = text.partition("=")
    if not equals or name not in known:
        made.error(f"{option} {text}: must be NAME=PATH{did_you_mean(name, list(known))}")
    return name, path


def against(made: argparse.ArgumentParser, options: argparse.Namespace) -> list[Any]:
    """Returns the benchmarks to stay clear of."""
    local = dict(pair(made, "--benchmark", text, BENCHMARKS) for text in options.benchmark if "=" in text)
    others = [named("--benchmark", text) for text in options.benchmark if "=" not in text]
    nine = list(local) if options.questions or "benchmarks" in options.without else list(BENCHMARKS)
    return others + [BENCHMARKS[name](path=local.get(name)) for name in nine]


def named(option: str, name: str) -> Any:
    """Returns a file or folder, or a data set of the Hub: `owner/name`, or `owner/name:split` for another than train."""
    if Path(name).exists():
        return Files(name)
    if name.count("/") == 1 and not name.endswith(_SUFFIXES):
        id, _, split = name.partition(":")
        return Hub(id, split=split or "train")
    raise SettingsError(f"{option} {name}: there is no such file, and it is no id of the Hub (owner/name)")


def chat(options: argparse.Namespace, option: str, text: str, **sampling: Any) -> Any:
    """Returns a chat model of MODEL=URL, or of MODEL=vllm:8 for vLLM on eight GPUs of this machine.

    Keys are read from MMCURATE_API_KEY (teachers) and MMCURATE_JUDGE_API_KEY (judges).
    """
    parts = re.fullmatch(r"(.+?)=(https?:.*|vllm(?::(\d+))?)", text)  # a URL may have more of "="
    if not parts:
        name = text.partition("=")[0] or "MODEL"
        raise SettingsError(
            f"{option} {text}: must be MODEL=URL, such as {name}=http://node1:8000/v1, or {name}=vllm:8"
        )
    model, where, gpus = parts.groups()
    shared: dict[str, Any] = {"store": options.store, **sampling}
    if where.startswith("vllm"):
        return VLLMChat(model, tensor_parallel_size=int(gpus or 1), **shared)
    key = "MMCURATE_JUDGE_API_KEY" if option == "--judge" else "MMCURATE_API_KEY"
    return OpenAIChat(model, where, api_key=os.environ.get(key, ""), **shared)


def good_gold(options: argparse.Namespace) -> mm.Filter:
    """Returns the filter of golds that can be verified, with or without a judge."""
    return mm.Filter(GOLD_FOR_A_JUDGE if options.judge else GOOD_GOLD, name="gold_is_accepted")


def teachers(options: argparse.Namespace, stack: ExitStack, source: Any, **sampling: Any) -> list[Any]:
    """Returns the teachers, or where none is named a simulated one, which knows the golds of the source."""
    if options.teacher:
        return [chat(options, "--teacher", text, **prices(options), **sampling) for text in options.teacher]
    if options.push:
        raise SettingsError("--push needs a --teacher: what a simulated one invents is for nobody else")
    return [simulated(options, stack, source, "--teacher", **sampling)]


def simulated(options: argparse.Namespace, stack: ExitStack, source: Any, option: str, **sampling: Any) -> OpenAIChat:
    """Returns a chat model that knows most golds of the source, for a demo."""
    logging.getLogger("mmcurate").info("no %s: a simulated one answers, which knows most golds", option)
    demo = stack.enter_context(SimulatedTeacher(source))
    return OpenAIChat(demo.model, demo.base_url, store=options.store, **prices(options), **sampling)


def prices(options: argparse.Namespace) -> dict[str, float]:
    """Returns what a million tokens cost, as a chat model takes it."""
    return {"input_price": options.input_price, "output_price": options.output_price}


def prompt(options: argparse.Namespace) -> dict[str, str]:
    """Returns the setting of another system prompt, where a file of one is named."""
    if not options.prompt:
        return {}
    try:
        return {"system_prompt": Path(options.prompt).read_text("utf-8").strip()}
    except OSError as error:
        raise SettingsError(f"--prompt {options.prompt}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"--prompt {options.prompt}: no UTF-8 text ({error}); save it as UTF-8") from None


def finish(options: argparse.Namespace, run: mm.Run, seconds: float, **sets: Any) -> None:
    """Prints what was asked, kept and dropped, and where it lies; pushes it where that was asked."""
    report = run.report()
    print(summary(run, {name: len(rows) for name, rows in sets.items()}, seconds))
    folders = [Path(rows.cache_files[0]["filename"]).parent for rows in sets.values()]
    print("\n" + "".join(f"data set  {folder}\n" for folder in folders) + f"report    {report.path}\n")
    print("import datasets, mmcurate")
    print(f"final = datasets.load_from_disk({str(folders[0])!r})")
    print(f"run = mmcurate.open({str(run.path)!r})  # run.sample(20), run.explain(id), run.report()")
    if options.push:
        print(f"\npushed to {run.push_to_hub(options.push, images=not options.no_images)}")


def summary(run: mm.Run, sets: dict[str, int], seconds: float) -> str:
    """Returns a short table of what was asked, kept and dropped."""
    funnel = run.funnel()
    lines = [("questions", f"{funnel.rows[0].num_in:,}")]
    lines += [
        (f"  dropped by {line.step}: {reason}", f"{n:,}") for line in funnel.rows for reason, n in line.dropped.items()
    ]
    lines += [("questions kept", f"{funnel.rows[-1].num_out:,}")]
    for name, traces in funnel.traces.items():
        what = (
            "answers brought"
            if name.startswith("rows.")
            else f"answers asked for{'' if len(funnel.traces) == 1 else f' ({name})'}"
        )
        lines += [(what, f"{traces[0].num_in:,}")]
        lines += [
            (f"  dropped by {line.step}: {reason}", f"{n:,}") for line in traces for reason, n in line.dropped.items()
        ]
    lines += [(name, f"{number:,}") for name, number in sets.items()]
    for t in run.totals():
        cost = f", US$ {t['cost']:,.2f}" if t["cost"] else ""
        lines += [(f"tokens of {t['model']}", f"{t['prompt_tokens']:,} sent, {t['tokens']:,} answered{cost}")]
    lines += [("time", f"{seconds:,.1f} s")]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def run_recipe(main: Callable[[], None]) -> None:
    """Runs a recipe; what goes wrong is one line, and the exit status tells."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("mmcurate").setLevel(logging.INFO)
    try:
        main()
    except Stopped as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:  # a training's: its last checkpoint is whole
        print("\nstopped; the same command goes on from where it was last saved", file=sys.stderr)
        sys.exit(130)
    except MMCurateError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
