"""A run of today or of yesterday: its data set, a sample of it, its report, and what became of each row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmcurate.columns import read_digests, write_json
from mmcurate.errors import RunError, RunFolderError
from mmcurate.gallery import Gallery
from mmcurate.report.explain import Explanation, explain, story
from mmcurate.report.funnel import Funnel, funnel
from mmcurate.report.page import Report, totals, write_report
from mmcurate.select import Filter
from mmcurate.sources.source import chance
from mmcurate.state import ROWS, Entry, Ref, State, replay
from mmcurate.step import digest

if TYPE_CHECKING:
    from mmcurate.export.hub import Pushed

FORMAT = 1
MANIFEST = "run.json"


def read_manifest(root: Path) -> dict[str, Any]:
    """Reads a run folder's manifest.

    Raises:
        RunFolderError: there is none, or a newer mmcurate wrote it.
    """
    path = root / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        hint = "" if root.exists() else "; there is no such folder"
        raise RunFolderError(f"{root} is no run folder: it has no {MANIFEST}{hint}") from None
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged ({error}); run the recipe again, it asks for nothing twice") from None
    if manifest.get("format", 0) > FORMAT:
        raise RunFolderError(
            f"{root} was written by mmcurate {manifest.get('mmcurate')}, which is newer: upgrade mmcurate"
        )
    return manifest


class Run:
    """A run folder. In a notebook it shows its funnel.

    Args:
        path: the folder, wherever it was moved or copied to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        self.manifest = read_manifest(self.path)
        self.name = self.path.name
        self.entries = [
            Entry(**{**e, "passing": {int(k): v for k, v in e["passing"].items()}}) for e in self.manifest["entries"]
        ]
        current = self.manifest.get("exported") == self.content()
        self.exports = [Entry(**e) for e in self.manifest.get("exports", [])] if current else []

    @property
    def complete(self) -> bool:
        """Whether every step has done every shard."""
        return bool(self.manifest["complete"])

    def state(self, after: str | None = None) -> State:
        """Returns what is still in after a step, by default after the last."""
        if not self.entries:
            raise RunError(f"{self.path}: the source isn't taken in yet; run the recipe again to continue")
        names = [e.name for e in self.entries]
        if after is not None and after not in names:
            raise RunError(f"the run has no step {after!r}; it has {', '.join(names)}")
        return replay(self.path, self.entries if after is None else self.entries[: names.index(after) + 1])

    def columns(self, state: State) -> list[tuple[str, Ref]]:
        """Returns the columns to show, each under its bare name where one step makes it, else under step_column."""
        refs = [
            Ref(e.name, c) for e in state.entries.values() if e.kind == "columns" and not e.hidden for c in e.columns
        ]
        names = [r.column for r in refs]
        lists = state.lists()
        out = []
        for ref in refs:
            hidden = ("problem",) if Ref(ROWS, "responses") in lists else ("problem", "responses", "verdicts")
            if ref.step == ROWS and ref.column in hidden:
                continue
            alone = names.count(ref.column) == 1 or (
                ref.step != ROWS and [r.step for r in refs if r.column == ref.column and r.step != ROWS] == [ref.step]
            )
            out.append((ref.column if alone else f"{ref.step}_{ref.column}", ref))
        return out

    def dataset(self, after: str | None = None) -> Any:
        """Returns the rows still in, with every step's columns, as a `datasets.Dataset` whose pictures decode.

        Args:
            after: a step's name, to see what was in after that step instead of after the last.
        """
        from mmcurate.report.huggingface import to_dataset

        state = self.state(after)
        columns = self.columns(state)
        return to_dataset([state.table(columns, s) for s in range(state.num_shards)])

    def sample(self, num_questions: int = 20, where: str | None = None, seed: int = 0) -> Gallery:
        """Returns some of the questions still in with their traces, which a notebook shows with pictures.

        Args:
            num_questions: how many, at random.
            where: an SQL condition, such as `"pass_rate < 0.5"`.
            seed: another seed gives others.
        """
        state = self.state()
        if where:
            condition = Filter(where)
            for shard, drops in enumerate(condition.drops(state, range(state.num_shards))):
                state.drop(Entry("sample", "drops", {}), shard, drops)
        ranked = []
        for shard in range(state.num_shards):
            ids = state.read(Ref(ROWS, "id"), shard).to_pylist()
            ranked += [
                (chance(seed, 0, {"id": i}), shard, int(row)) for i, row in zip(ids, state.alive[shard], strict=True)
            ]
        chosen = sorted((shard, row) for _, shard, row in sorted(ranked)[:num_questions])
        return Gallery(self._shown(state, chosen))

    def _shown(self, state: State, chosen: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """Returns rows with all their traces, each with its grade and, where it is out, who dropped it."""
        out = []
        refs = [(n, Ref(ROWS, n)) for n in ("id", "source", "question", "options", "answer", "images", "licence")]
        for shard, number in chosen:
            alive, state.alive[shard] = state.alive[shard], np.array([number], np.int32)
            row = state.table(refs, shard).to_pylist()[0]
            state.alive[shard] = alive
            told = story(self.path, self.entries + self.exports, shard, number)
            row.update({name.partition(".")[2]: value for name, value in told.facts.items() if "." in name})
            row["traces"] = [_trace(trace) for trace in told.traces]
            out.append(row)
        return out

    def funnel(self) -> Funnel:
        """Returns how many rows and traces each step took and dropped, and why. The sums are exact."""
        return funnel(self.path, self.entries + self.exports)

    def totals(self) -> list[dict[str, Any]]:
        """Returns what each teacher answered: `answers`, `prompt_tokens`, `tokens`, and `cost` in US dollars."""
        return totals(self.path, self.entries)

    def explain(self, id: str) -> Explanation:
        """Returns what became of a question or a trace, and what each step said of it.

        Raises:
            RunError: the run has no such id.
        """
        return explain(self.path, self.entries + self.exports, id)

    def report(self) -> Report:
        """Writes `report.html` and `funnel.json` into the run folder. In a notebook it shows itself."""
        counted = self.funnel()
        write_json(self.path / "funnel.json", counted.to_json())
        return write_report(self.path, self.manifest, self.entries + self.exports, counted, self.sample(24))

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = True,
        token: str | None = None,
        revision: str | None = None,
        images: bool = True,
        licence_ok: Sequence[str] = (),
    ) -> Pushed:
        """Publishes the run as a data set of the Hugging Face Hub: `mmcurate.export.push_to_hub`."""
        from mmcurate.export import push_to_hub

        return push_to_hub(
            self, repo, private=private, token=token, revision=revision, images=images, licence_ok=licence_ok
        )

    def to_sft(self, out: str | Path | None = None) -> Any:
        """Returns the final SFT set as a `datasets.Dataset`: `mmcurate.export.to_sft`."""
        from mmcurate.export import to_sft

        return to_sft(self, out)

    def to_rl(self, out: str | Path | None = None) -> Any:
        """Returns the final RL set as a `datasets.Dataset`: `mmcurate.export.to_rl`."""
        from mmcurate.export import to_rl

        return to_rl(self, out)

    def record_export(self, name: str, entries: list[Entry]) -> None:
        """Keeps what an export left out, so that the funnel adds up to the last row; other exports' stay."""
        self.manifest = read_manifest(self.path)  # another `Run` of the folder may have recorded one
        content = self.content()
        current = self.manifest.get("exports", []) if self.manifest.get("exported") == content else []
        others = [Entry(**e) for e in current]
        self.exports = [e for e in others if e.export not in ("", name)] + entries
        self.manifest.update(exports=[dataclasses.asdict(e) for e in self.exports], exported=content)
        write_json(self.path / MANIFEST, self.manifest)

    def fingerprint(self) -> str | None:
        """Returns a digest of the files that make up the run."""
        return self.content()

    def content(self) -> str:
        """Returns a digest of all that the run's files hold."""
        return digest([[e.name, e.files, [read_digests(self.path / f) for f in e.files]] for e in self.entries])

    def describe(self) -> list[dict[str, Any]]:
        """Returns what the run knows of the data sets behind it; see `Source.describe`."""
        return list(self.manifest["source"].get("parts", []))

    def prompts(self) -> dict[str, str]:
        """Returns the system prompts behind the run's responses, by their ids."""
        out = dict(self.manifest["source"].get("prompts", {}))
        for entry in self.entries:
            out.update(entry.about.get("prompts", {}))
        return out

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields the rows still in with their traces still in, as a source does: a finished run can be mixed."""
        state = self.state()
        lists = state.lists()
        graders = [
            v.step
            for r in lists
            for v in _verdicts_of(state, r)[-1:]
            if {"pass_rate", "num_scored"} <= state.entries[v.step].columns.keys()
        ]
        rates = [(c, Ref(graders[-1], c)) for c in ("pass_rate", "num_scored") if graders]
        for shard in range(state.num_shards):
            refs = [
                (n, Ref(ROWS, n))
                for n in ("id", "source", "question", "options", "answer", "images", "licence", "metadata")
            ]
            table = state.table(
                refs
                + [(f"responses{i}", r) for i, r in enumerate(lists)]
                + [(f"verdicts{i}", v) for i, r in enumerate(lists) for v in _verdicts_of(state, r)[-1:]]
                + rates,
                shard,
            )
            for row in table.to_pylist():
                out = {k: row[k] for k, _ in refs if k != "metadata"}
                out.update(json.loads(row["metadata"] or "{}"))
                out.update({c: row[c] for c, _ in rates if row[c] is not None})
                out["responses"] = [r for i in range(len(lists)) for r in row[f"responses{i}"] or ()] or None
                out["verdicts"] = [
                    g
                    for i in range(len(lists))
                    for g in (row.get(f"verdicts{i}") or [None] * len(row[f"responses{i}"] or ()))
                ] or None
                yield out

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}){'' if self.complete else ', not complete'}\n{self.funnel()}"

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()


def _trace(told: Explanation) -> dict[str, Any]:
    out = {name.rpartition(".")[2]: value for name, value in told.facts.items()}
    return {**out, "trace_id": told.id, "dropped": "" if told.kept else f"{told.dropped_by}: {told.reason}"}


def _verdicts_of(state: State, responses: Ref) -> list[Ref]:
    """Returns the columns of verdicts on a list of responses, in the order of their steps."""
    return [
        Ref(e.name, c)
        for e in state.entries.values()
        for c, along in e.columns.items()
        if c == "verdicts" and along == str(responses)
    ]


def open_run(path: str | Path) -> Run:
    """Opens a run folder, wherever it was moved or copied to.

    Raises:
        RunFolderError: it is none.
    """
    return Run(path)
