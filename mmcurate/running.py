"""One run of a pipeline: takes the source in, does what is missing of each step, keeps the manifest."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate.columns import ROW_NUMBER, array_digest, read_schema, read_table, write_json, write_table
from mmcurate.engine import Engine
from mmcurate.errors import DiskFull, RunError, RunFolderError, Stopped
from mmcurate.folder import MIN_FREE_BYTES
from mmcurate.ingest import ingest
from mmcurate.progress import Progress, say
from mmcurate.run import FORMAT, MANIFEST, Run
from mmcurate.select import Filter, Selection
from mmcurate.sources.source import pick
from mmcurate.state import ROWS, Entry, Ref, State, expand, lengths
from mmcurate.step import Step, as_json, digest, fingerprint, passing_failures

SHARD_ROWS = 256
"""How many source rows a shard has."""
SHARDS_AT_ONCE = 4
"""How many shards a waiting step works on at once, so that one slow answer idles nothing."""


def _inputs(state: State, step: Step) -> list[tuple[str, Ref]]:
    """Returns the columns that a step is handed, besides those of its own signatures."""
    names = ("id", *step.requires)
    return [(n, state.resolve(step.inputs.get(n, n), of=f"{step.name}: ")) for n in names]


def _signature_inputs(state: State, step: Step, signatures: Step) -> list[tuple[str, Ref]]:
    """Returns the columns that a step's signatures are handed."""
    names = ("id", *signatures.requires)
    return [(n, state.resolve(step.inputs.get(n, n), of=f"{step.name}: ")) for n in names]


def _signature_entry(state: State, step: Step, signatures: Step) -> Entry:
    """Returns the entry of a step's signatures; that of an earlier step where it made the same of the same columns."""
    inputs = _signature_inputs(state, step, signatures)
    made_of = [fingerprint(signatures), [[name, str(ref)] for name, ref in inputs]]
    for entry in state.entries.values():
        if entry.hidden and entry.settings == made_of:
            return entry
    columns = dict.fromkeys(signatures.provides.names, "")
    return Entry(f"{step.name}.signatures", "columns", made_of, columns=columns, hidden=True)


def add_step(state: State, step: Step) -> tuple[Entry, list[tuple[str, Ref]]]:
    """Adds a step's columns to a state; returns its entry and the columns it reads."""
    inputs = _inputs(state, step)
    if step.where:
        Filter(step.where).find(state)
    signatures = step.signatures()
    if signatures is not None:
        hidden = _signature_entry(state, step, signatures)
        state.entries.setdefault(hidden.name, hidden)
        inputs += [(n, Ref(hidden.name, n)) for n in signatures.provides.names]
    found = dict(inputs)
    columns = {}
    for field in step.provides:
        of = (field.metadata or {}).get(b"of", b"").decode()
        columns[field.name] = state.list_of(found[of]) if of else ""
    entry = Entry(step.name, "columns", {}, step.version, columns)
    state.entries[step.name] = entry
    return entry, inputs


class Running:
    """One run of a pipeline."""

    def __init__(
        self,
        source: Any,
        steps: Sequence[Step | Selection],
        root: Path,
        *,
        seed: int,
        sample: int | None,
        engine: Engine,
        stopping: threading.Event,
    ) -> None:
        self.source, self.steps, self.root, self.engine, self.stopping = source, steps, root, engine, stopping
        self.seed, self.sample = seed, sample
        self.started = time.time()
        previous = root / MANIFEST
        self.previous: dict[str, Any] = json.loads(previous.read_text("utf-8")) if previous.exists() else {}
        self.entries: list[Entry] = []
        self.parts: list[dict[str, Any]] | None = None  # what the source said of itself when its rows were read

    def go(self) -> Run:
        """Takes the source in, then does each step."""
        before = self.previous.get("source")
        mine = {"class": type(self.source).__name__, "name": self.source.name}
        if before and {k: before.get(k) for k in mine} != mine:
            raise RunFolderError(
                f"{self.root} holds a run of another source ({before['class']} {before['name']!r}, "
                f"now {mine['class']} {mine['name']!r}): choose another folder"
            )
        if not self.previous:
            self._manifest(complete=False)
        state = State(self.root, self._take())
        self.entries = [state.entries[ROWS]]
        if not state.num_rows():
            say(f"no usable question in {self.source.name!r}: run.funnel() says why")
        passing = 0
        for step in self.steps:
            if isinstance(step, Step):
                passing += self._step(state, step)
            else:
                self._select(state, step)
            self._manifest(complete=False)
        self._manifest(complete=not passing)
        if passing:
            say(f"{passing:,} requests failed for reasons that may pass; the same command tries them again")
        run = Run(self.root)
        for folder, name in (("final", "to_sft"), ("final_rl", "to_rl")):
            if (self.root / folder).exists() and not run.exports:
                say(f"{self.root / folder} is of an earlier run here: run.{name}() makes it anew")
        return run

    def _manifest(self, *, complete: bool) -> None:
        source = self.source
        write_json(
            self.root / MANIFEST,
            {
                "format": FORMAT,
                "mmcurate": version("mmcurate"),
                "python": ".".join(map(str, sys.version_info[:3])),
                "packages": {
                    name: version(name) for name in ("pyarrow", "datasets", "duckdb", "math-verify", "pillow")
                },
                "seed": self.seed,
                "sample": self.sample,
                "shard_rows": SHARD_ROWS,
                "source": {
                    "class": type(source).__name__,
                    "name": source.name,
                    "fingerprint": self._source_print,
                    "prompts": source.prompts() if hasattr(source, "prompts") else {},
                    "parts": self.parts or self._parts(),
                },
                "entries": [dataclasses.asdict(e) for e in self.entries],
                "exports": self.previous.get("exports", []),
                "exported": self.previous.get("exported"),
                "complete": complete,
                "started": self.started,
                "finished": time.time() if complete else None,
            },
        )

    @cached_property
    def _source_print(self) -> str | None:
        """The source's fingerprint from before its rows are read: what changes meanwhile is then read again next time."""
        return self.source.fingerprint()

    def _parts(self) -> list[dict[str, Any]]:
        source = self.source
        return source.describe() if hasattr(source, "describe") else [{"name": source.name}]

    def _take(self) -> list[str]:
        """Takes the source's rows in, or finds that they are in already."""
        source = self.source
        name = self._source_print
        before = self.previous.get("source", {})
        if (
            name
            and before.get("fingerprint") == name
            and self.previous.get("entries")
            and (self.previous["seed"], self.previous["sample"], self.previous["shard_rows"])
            == (self.seed, self.sample, SHARD_ROWS)
        ):
            files: list[str] = self.previous["entries"][0]["files"]
            if all((self.root / f).exists() for f in files):
                self.parts = before.get("parts")
                return files
        rows: Iterable[Mapping[str, Any]] = source
        if self.sample is not None:
            rows = (row for _, row in pick(source, self.sample, self.seed))
        files, progress = [], Progress("rows", self.sample or 0)
        for file, count in ingest(rows, self.root, SHARD_ROWS):
            files.append(file)
            progress.advance(count, {})
        progress.close()
        return files

    # --- steps -------------------------------------------------------------------------------------------------

    def _step(self, state: State, step: Step) -> int:
        """Does what is missing of a step; returns how many failures may pass."""
        signatures = step.signatures()
        if signatures is not None:
            hidden = _signature_entry(state, step, signatures)
            if hidden.name not in state.entries:
                inputs = _signature_inputs(state, step, signatures)
                self._shards(state, signatures, hidden, inputs, fingerprint(signatures))
                state.entries[hidden.name] = hidden
                self.entries.append(hidden)
        entry, inputs = add_step(state, step)
        entry.settings, entry.about = as_json(step), dict(step.describe())
        self.entries.append(entry)
        if step.scope == "dataset":
            return self._whole(state, step, entry, inputs, fingerprint(step))
        alive = list(state.alive)
        if step.where:
            entry.about["where"] = step.where
            out = Entry(step.name, "drops", {})
            for shard, drops in enumerate(Filter(step.where).drops(state, range(state.num_shards))):
                state.drop(out, shard, drops)
        passing = self._shards(state, step, entry, inputs, fingerprint(step))
        state.alive = alive
        return passing

    def _key(self, state: State, inputs: Sequence[tuple[str, Ref]], shard: int) -> list[Any]:
        """What a step sees of a shard, in digests: its columns, and which rows and traces are in."""
        masks = {}
        for _, ref in inputs:
            along = state.list_of(ref)
            mask = state.mask(along, shard) if along else None
            if mask is not None and not mask.all():
                masks[along] = array_digest(pa.array(mask))
        rows = array_digest(pa.array(state.alive[shard]))
        return [rows, masks, *([n, state.digest(ref, shard)] for n, ref in inputs)]

    def _shards(self, state: State, step: Step, entry: Entry, inputs: list[tuple[str, Ref]], print_: str) -> int:
        files = [
            f"{entry.name}/{s:05d}-{digest([print_, self._key(state, inputs, s)])[:16]}.arrow"
            for s in range(state.num_shards)
        ]
        entry.files = files
        todo = []
        for shard, file in enumerate(files):
            path = self.root / file
            if not path.exists() or passing_failures(_with_metadata(path)):
                todo.append(shard)
        if todo:
            self._announce(state, step, inputs, todo)
            if len(todo) < len(files):
                say(f"{entry.name}: {len(files) - len(todo)} of {len(files)} shards are done, going on with the rest")
            progress = Progress(
                entry.name, state.num_rows(), sum(len(state.alive[s]) for s in range(len(files)) if s not in set(todo))
            )

            def work(shard: int) -> pa.Table:
                table = state.table(inputs, shard)
                made = _checked(step, table, step(table))
                made = self._aligned(state, entry, shard, made)
                if self.stopping.is_set():
                    raise Stopped("stopped before this shard was written")
                write_table(self.root / files[shard], made)
                return made

            results = self.engine.map(lambda: work, todo, at_once=SHARDS_AT_ONCE if step.waits else 1)
            try:
                for result in results:
                    progress.advance(len(state.alive[result[0]]) if result else 0, step.status(), step.rows_done())
            finally:
                results.close()
                progress.close()
        for shard, file in enumerate(files):
            failures = passing_failures(_with_metadata(self.root / file))
            if failures:
                entry.passing[shard] = failures
        return sum(entry.passing.values())

    def _announce(self, state: State, step: Step, inputs: list[tuple[str, Ref]], todo: list[int]) -> None:
        """Tells what the step will cost, and checks that the disk has room for it."""
        total: dict[str, float] = {}
        if type(step).plan is not Step.plan:
            for shard in todo:
                for name, value in step.plan(state.table(inputs, shard)).items():
                    total[name] = total.get(name, 0.0) + value
        need, free = total.get("bytes", 0.0) + MIN_FREE_BYTES / 4, shutil.disk_usage(self.root).free
        if need > free:
            raise DiskFull(
                f"{step.name} will write about {need / 1e6:,.0f} MB, but {self.root} has {free / 1e6:,.0f} MB free"
            )
        line = step.announce(total)
        if line:
            say(f"{step.name}: {line}")

    def _aligned(self, state: State, entry: Entry, shard: int, made: pa.Table) -> pa.Table:
        """Puts nulls beside the traces that are out, and the row numbers beside the rows."""
        for column, along in entry.columns.items():
            if not along:
                continue
            step, _, name = along.partition(".")
            counts = lengths(state.read(Ref(step, name), shard))
            mask = state.mask(along, shard)
            i, lists = made.column_names.index(column), made[column].combine_chunks()
            inside = (
                counts
                if mask is None
                else np.bincount(np.repeat(np.arange(len(counts)), counts)[mask], minlength=len(counts))
            )
            if not np.array_equal(lengths(lists), inside):
                raise RunError(f"{entry.name}: its {column!r} must have one item for each of {along!r}")
            if mask is not None:
                made = made.set_column(i, made.field(i), expand(lists, mask, counts))
        return made.append_column(ROW_NUMBER, pa.array(state.alive[shard]))

    def _whole(self, state: State, step: Step, entry: Entry, inputs: list[tuple[str, Ref]], print_: str) -> int:
        shards = range(state.num_shards)
        key = digest([print_, [self._key(state, inputs, s) for s in shards]])[:16]
        entry.files = [f"{entry.name}/{s:05d}-{key}.arrow" for s in shards]
        if all((self.root / f).exists() for f in entry.files):
            return 0
        progress = Progress(entry.name, state.num_rows())
        table = pa.concat_tables([state.table(inputs, s) for s in shards]) if shards else None
        if table is None:
            return 0
        made, start = _checked(step, table, step(table)), 0
        for shard in shards:
            count = len(state.alive[shard])
            part = self._aligned(state, entry, shard, made.slice(start, count).combine_chunks())
            write_table(self.root / entry.files[shard], part)
            start += count
            progress.advance(count, step.status())
        progress.close()
        return 0

    def _select(self, state: State, step: Selection) -> None:
        columns = step.find(state)
        entry = Entry(step.name, "drops", as_json(step), of=str(columns.of) if columns.of else "")
        refs = [(str(r), r) for r in [Ref(ROWS, "id"), *columns.refs()]]
        keys = [self._key(state, refs, s) for s in range(state.num_shards)]
        whole = not (isinstance(step, Filter) or step.of)
        for shard in range(state.num_shards):
            key = digest([entry.settings, keys if whole else keys[shard]])[:16]
            entry.files.append(f"{entry.name}/{shard:05d}-{key}.arrow")
        todo = [s for s, f in enumerate(entry.files) if not (self.root / f).exists()]
        if todo:
            shards = list(range(state.num_shards)) if whole else todo
            for shard, drops in zip(shards, step.drops(state, shards), strict=True):
                write_table(self.root / entry.files[shard], drops)
        num_dropped = num_in = 0
        for shard in range(state.num_shards):
            drops = read_table(self.root / entry.files[shard])
            num_dropped += drops.num_rows
            num_in += self._num_in(state, entry, shard)
            state.drop(entry, shard, drops)
        if num_in and num_dropped == num_in:
            say(
                f"{entry.name} dropped all {num_in:,} {'traces' if entry.of else 'questions'}: is {step!r} what you mean?"
            )
        state.entries[entry.name] = entry
        self.entries.append(entry)

    @staticmethod
    def _num_in(state: State, entry: Entry, shard: int) -> int:
        if not entry.of:
            return len(state.alive[shard])
        step, _, column = entry.of.partition(".")
        mask = state.mask(entry.of, shard)
        return int(lengths(state.read(Ref(step, column), shard)).sum() if mask is None else mask.sum())


def _with_metadata(path: Path) -> pa.Table:
    return read_schema(path).empty_table()


def _checked(step: Step, table: pa.Table, made: pa.Table) -> pa.Table:
    """Returns a step's output in its declared types.

    Raises:
        RunError: it has other columns or another number of rows than it must.
    """
    if made.num_rows != table.num_rows:
        raise RunError(
            f"{step.name} returned {made.num_rows} rows for {table.num_rows}: a step returns one row for each row"
        )
    missing = set(step.provides.names) ^ set(made.column_names)
    if missing:
        raise RunError(f"{step.name} says that it provides {step.provides.names}, but returned {made.column_names}")
    try:
        return pa.table(
            [made[f.name].cast(f.type) for f in step.provides], schema=step.provides
        ).replace_schema_metadata(made.schema.metadata)
    except pa.ArrowInvalid as error:
        raise RunError(f"{step.name} returned other types than it provides: {error}") from None
