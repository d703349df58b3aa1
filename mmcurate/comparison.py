"""Comparing a run with a published set: counts by source, lengths, prompts, answer formats, and what both have."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcurate.dedup import text
from mmcurate.export.dataset import anything, as_run
from mmcurate.export.rl import read_rl
from mmcurate.export.sft import read_sft
from mmcurate.layouts import Sample, samples
from mmcurate.profile import MEASURES, Profile
from mmcurate.run import Run

MIN_JACCARD = 0.7
"""Of two questions' word triples: from here on they are near."""
SHOWN = 12


@dataclass
class Table:
    """A title, the names of the columns, and the rows."""

    title: str
    columns: list[str]
    rows: list[list[Any]]

    def to_pandas(self) -> Any:
        """Returns it as a `pandas.DataFrame`."""
        import pandas

        return pandas.DataFrame(self.rows, columns=self.columns)

    def __str__(self) -> str:
        cells = [self.columns, *([_cell(value) for value in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        return "\n".join([self.title, *("  " + line for line in lines)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(v))}</td>" for v in row) + "</tr>" for row in self.rows
        )
        return f"<h3>{html.escape(self.title)}</h3><table><tr>{head}</tr>{body}</table>"


@dataclass(repr=False)
class Comparison:
    """What a run and a published set have in common, and where they differ. In a notebook it shows its tables.

    Attributes:
        sources: rows and different questions by source.
        lengths: mean and quantiles.
        prompts: system prompts, and the instructions around questions that `clean_question` takes off.
        formats: how responses give their answers, and of what kind answers are.
        overlap: questions and pictures of the run that the other set has too.
        unread: rows of the set that can't be read, by reason.
    """

    sources: Table
    lengths: Table
    prompts: Table
    formats: Table
    overlap: Table
    unread: dict[str, int]

    def tables(self) -> list[Table]:
        """Returns all tables."""
        return [self.sources, self.lengths, self.prompts, self.formats, self.overlap]

    def to_pandas(self) -> dict[str, Any]:
        """Returns each table as a `pandas.DataFrame`, by its attribute's name."""
        names = ("sources", "lengths", "prompts", "formats", "overlap")
        return {name: table.to_pandas() for name, table in zip(names, self.tables(), strict=True)}

    def __repr__(self) -> str:
        unread = [f"not read: {n:,} rows, {why}" for why, n in self.unread.items()]
        return "\n\n".join([*map(str, self.tables()), *unread])

    def _repr_html_(self) -> str:
        unread = [f"<p>not read: {n:,} rows, {html.escape(why)}</p>" for why, n in self.unread.items()]
        return "".join([*(t._repr_html_() for t in self.tables()), *unread])


def compare(run: Run | str | Path, dataset: Any) -> Comparison:
    """Compares a run with a published set, such as OpenMMReasoner-SFT-874K or -RL-74K, or with an export of another run.

    Where the set has responses, the run's side is its SFT set, else its RL set, as they would be exported. The set is read
    once, row by row; memory grows by some 0.5 KB a different question, and 50 bytes a row.

    Questions are compared by their text without `<image>` tags, instructions and listed options; near ones are
    those of a Jaccard similarity of 0.7 or more with the same numbers. Pictures are compared by the digest of their
    bytes, so a set that holds paths alone shares none.

    Args:
        run: a run or its folder.
        dataset: a `datasets.Dataset` or `IterableDataset`; a Parquet file, a folder of such files, or one that `datasets` saved;
            or the id of a data set on the Hub, of which every config is read.

    Raises:
        SourceError: the set can't be read, or its columns are of no known layout.
        SettingsError: `dataset` is none of these.
    """
    other = Profile()
    other.take(samples(dataset))
    mine = Profile()
    mine.take(_own(as_run(run), with_responses=other.num_responses > 0))
    return Comparison(
        sources=Table(
            "rows and different questions by source",
            ["source", "run rows", "set rows", "run questions", "set questions"],
            [
                [s, mine.rows[s], other.rows[s], mine.questions[s], other.questions[s]]
                for s in sorted(mine.rows | other.rows, key=lambda s: -max(mine.rows[s], other.rows[s]))
            ]
            + [["all", *(sum(c.values()) for c in (mine.rows, other.rows, mine.questions, other.questions))]],
        ),
        lengths=Table(
            "lengths",
            ["of", "in", "rows", "mean", "5 %", "median", "95 %", "longest"],
            [[m, side, *p.quantiles(m)] for m in MEASURES for side, p in (("run", mine), ("set", other))],
        ),
        prompts=_shares("prompts", mine.prompts, other.prompts, mine, other),
        formats=_shares("answers", mine.formats, other.formats, mine, other),
        overlap=_overlap(mine, other),
        unread=dict(other.unread),
    )


def _own(run: Run, with_responses: bool) -> Iterator[Sample]:
    """Yields the rows of a run's own set."""
    state = run.state()
    for shard in range(state.num_shards):
        for row in (read_sft if with_responses else read_rl)(run, state, shard, anything)[0]:
            yield Sample(
                source=row["source"],
                system=row["prompt"][0]["content"],
                question=row["prompt"][1]["content"],
                response=row["completion"][0]["content"] if with_responses else None,
                answer=row["answer"],
                pictures=[p["sha256"] for p in row["images"]],
                has_bytes=bool(row["images"]),
                num_tokens=row.get("num_tokens"),
                pass_rate=row["pass_rate"],
            )


def _overlap(mine: Profile, other: Profile) -> Table:
    ours = mine.sketches()
    exact = sum(key in other.texts for key in mine.texts)
    near = np.zeros(len(mine.texts), bool)
    near[[place for key, place in mine.texts.items() if key in other.texts]] = True
    theirs = other.sketches()
    pairs = text.crossing(ours.bands, theirs.bands)
    pairs += np.array([0, len(mine.texts)])
    both = text.joined(ours, theirs)
    pairs = pairs[text.jaccard(both, pairs) >= MIN_JACCARD]
    used, places = np.unique(pairs, return_inverse=True)
    _, equal_numbers = text.number_relations(_some(both, used), places.reshape(pairs.shape))
    near[pairs[equal_numbers, 0]] = True

    def line(what: str, shared: int, run: int, published: int) -> list[Any]:
        return [what, shared, run, published, round(shared / run, 4) if run else None]

    return Table(
        "what the run shares with the set",
        ["of", "shared", "run", "set", "share of the run's"],
        [
            line("question texts, the same", exact, len(mine.texts), len(other.texts)),
            line("question texts, near or the same", int(near.sum()), len(mine.texts), len(other.texts)),
            line("pictures", len(mine.pictures & other.pictures), len(mine.pictures), len(other.pictures)),
            line("texts with their pictures", len(mine.joint & other.joint), len(mine.joint), len(other.joint)),
        ],
    )


def _some(sketches: text.Sketches, which: np.ndarray) -> text.Sketches:
    """Returns the sketches of some of the texts."""
    counts = np.diff(sketches.offsets)[which]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    at = np.repeat(sketches.offsets[which] - offsets[:-1], counts) + np.arange(offsets[-1])
    return text.Sketches(sketches.tokens[at], offsets, sketches.bands[which], sketches.symbols[which])


def _shares(
    title: str, mine: Counter[tuple[str, str]], other: Counter[tuple[str, str]], run: Profile, published: Profile
) -> Table:
    """Returns the most frequent of each kind, each with its share of the rows."""
    totals = [max(1, sum(p.rows.values())) for p in (run, published)]
    rows = []
    for kind in dict.fromkeys(k for k, _ in [*mine, *other]):
        values = dict.fromkeys(v for k, v in [*mine, *other] if k == kind)
        largest = sorted(values, key=lambda v: -max(mine[kind, v] / totals[0], other[kind, v] / totals[1]))[:SHOWN]
        for value in largest:
            counts = mine[kind, value], other[kind, value]
            rows.append([kind, value, *counts, *(round(n / t, 4) for n, t in zip(counts, totals, strict=True))])
    return Table(title, ["what", "value", "run rows", "set rows", "run share", "set share"], rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"{value:,}"
    short = " ".join(str(value).split())
    return short if len(short) <= 100 else short[:97] + "..."
