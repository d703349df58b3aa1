"""The verifier beside math-verify on the same pairs: right kept, wrong accepted, pairs a second. One process, one core.

    MMCURATE_TEST_DATA=... python tests/benchmarks/verifier.py

Both see each pair for the first time: our caches are emptied between the rounds, which alternate. math-verify is called as its
README says, with the gold between dollar signs, and told the letters where the gold is one.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from mmcurate.schema import Verdict
from mmcurate.verify import choice, expression, gold, latex, math, number, text, units
from mmcurate.verify.math_verify import math_verify

cascade = importlib.import_module("mmcurate.verify.grade")  # its name is also the function's
ROUNDS = 3
Pair = tuple[str, str, list[str], str | None, bool]
CACHED = [
    gold.read_gold, cascade._decided_before, latex._read, number._parse, number._unit, units.parse_unit, text.unwrap, text.words,
    choice.squeeze, choice._texts, choice._forms, math.clean, math._at_a_point,
]  # fmt: skip


def load(data: Path) -> dict[str, list[Pair]]:
    """Returns the pairs of each group: response, gold, options, question, whether it is labelled right."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for line in (data / "verifier" / "dev.jsonl").open():
        row = json.loads(line)
        pair = (row["response"], row["gold"], row.get("options") or [], row["question"], bool(row["label"]))
        groups[f"dev: {row['stratum']}"].append(pair)
    for line in (data / "verifier" / "unit_pairs_dev.jsonl").open():
        row = json.loads(line)
        groups["unit pairs"].append((row["response"], row["gold"], [], None, bool(row["label"])))
    rows = {row["id"]: row for row in map(json.loads, (data / "mm" / "mathvision" / "data.jsonl").open())}
    for line in (data / "mm" / "mathvision" / "responses.jsonl").open():
        said = json.loads(line)
        row = rows[said["id"]]
        groups["mathvision responses"].append(
            (said["response"], row["answer"], row["options"], row["question"], bool(said["label"]))
        )
    groups["of all, by LaTeX comparison"] = [
        pair for pairs in list(groups.values()) for pair in pairs if _ours(pair)[1] in ("math", "math-verify")
    ]
    return groups


def _ours(pair: Pair) -> tuple[bool, str]:
    made = cascade.decide(pair[0], pair[1], pair[2], pair[3], math_verify)
    return made.verdict is Verdict.CORRECT, made.method


def ours(pair: Pair) -> bool:
    return _ours(pair)[0]


def theirs(pair: Pair) -> bool:
    from math_verify import (
        ExprExtractionConfig,
        LatexExtractionConfig,
        StringExtractionConfig,
        parse,
        verify,
    )

    response, gold, options = pair[:3]
    letters = gold.strip("() .")
    if len(letters) == 1 and letters.isupper() and letters <= "J":
        strings = tuple("ABCDEFGHIJ"[: len(options) or 10])
        config = [StringExtractionConfig(strings=strings), LatexExtractionConfig(), ExprExtractionConfig()]
        return bool(verify(parse(letters, config), parse(response, config)))
    wrapped = gold if "$" in gold or "\\boxed" in gold else f"${gold}$"
    return bool(verify(parse(wrapped), parse(response)))


def timed(judge: Callable[[Pair], bool], pairs: list[Pair]) -> tuple[list[bool], float]:
    for cached in CACHED:
        cached.cache_clear()
    begin = time.perf_counter()
    said = [judge(pair) for pair in pairs]
    return said, time.perf_counter() - begin


def main() -> None:
    for name in ("math_verify", "latex2sympy2_extended"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    groups = load(Path(os.environ["MMCURATE_TEST_DATA"]))
    expression.fifty()
    theirs(("$x^2$", "x^2", [], None, True))  # imports
    print(f"math-verify {version('math-verify')}; {ROUNDS} rounds in turn, the fastest of each counts\n")
    head = f"{'pairs':30} {'right':>6} {'wrong':>6} | {'right kept':>21} | {'wrong accepted':>15} | {'pairs a second':>17} | {'ratio':>6}"
    print(
        head,
        f"{'':30} {'':>6} {'':>6} | {'ours':>10} {'theirs':>10} | {'ours':>7} {'theirs':>7} | {'ours':>8} {'theirs':>8} |",
        sep="\n",
    )
    for name, pairs in groups.items():
        best = {ours: float("inf"), theirs: float("inf")}
        said: dict[Callable[[Pair], bool], list[bool]] = {}
        for _ in range(ROUNDS):
            for judge in (ours, theirs):
                said[judge], seconds = timed(judge, pairs)
                best[judge] = min(best[judge], seconds)
        labels = [pair[4] for pair in pairs]
        right, wrong = sum(labels), len(labels) - sum(labels)
        kept = {j: sum(s and label for s, label in zip(said[j], labels, strict=True)) for j in best}
        taken = {j: sum(s and not label for s, label in zip(said[j], labels, strict=True)) for j in best}
        rate = {j: len(pairs) / best[j] for j in best}
        print(
            f"{name:30} {right:6} {wrong:6} | {kept[ours] / (right or 1):10.1%} {kept[theirs] / (right or 1):10.1%} | "
            f"{taken[ours]:7} {taken[theirs]:7} | {rate[ours]:8.0f} {rate[theirs]:8.0f} | {rate[ours] / rate[theirs]:5.1f}x"
        )


if __name__ == "__main__":
    main()
