"""`Filter` and `AtMost`: the only things that drop rows or traces, each with a recorded reason."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pydantic

from mmcurate.columns import ROW_NUMBER
from mmcurate.errors import ColumnError, SettingsError, did_you_mean
from mmcurate.state import DROPS, ROWS, Ref, State, lengths
from mmcurate.step import settings

UNKNOWN = "unknown"
_TRACE_FIELDS = (
    "trace_id",
    "teacher",
    "prompt_id",
    "sample_index",
    "text",
    "reasoning",
    "finish_reason",
    "prompt_tokens",
    "num_tokens",
)
_GRADE_FIELDS = ("verdict", "method", "extracted", "why")


def _duckdb(query: str, value: str) -> str:
    """Returns one value; nothing of the connection outlives the call."""
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute(query, [value]).fetchone()
    return str(row[0]) if row else ""


def _parse(sql: str, what: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """Returns the parts of a condition that are joined by AND, and the column names in it.

    Raises:
        SettingsError: it isn't SQL.
    """
    tree = json.loads(_duckdb("SELECT json_serialize_sql(?)", f"SELECT 1 FROM t WHERE {sql}"))
    if tree.get("error"):
        raise SettingsError(f"{what}: {sql!r} isn't SQL: {str(tree.get('error_message', '')).splitlines()[0]}")
    if len(tree["statements"]) != 1 or tree["statements"][0]["node"]["type"] != "SELECT_NODE":
        raise SettingsError(f'{what}: {sql!r} must be one SQL condition, such as "pass_rate > 0"')
    where = tree["statements"][0]["node"]["where_clause"]
    parts = where["children"] if where["type"] == "CONJUNCTION_AND" else [where]
    texts = []
    for part in parts:
        tree["statements"][0]["node"]["where_clause"] = part
        text = _duckdb("SELECT json_deserialize_sql(?::JSON)", json.dumps(tree)).partition(" WHERE ")[2]
        texts.append(text[1:-1] if text.startswith("(") and text.endswith(")") else text)
    names: list[tuple[str, ...]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("class") == "COLUMN_REF":
                names.append(tuple(node["column_names"]))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(where)
    return texts, list(dict.fromkeys(names))


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of an expression, found: each name with where it lies (a column, and a field of its items)."""

    of: Ref | None
    found: dict[tuple[str, ...], tuple[Ref, str]]

    def refs(self) -> list[Ref]:
        """Returns the columns."""
        return list(dict.fromkeys([ref for ref, _ in self.found.values()] + ([self.of] if self.of else [])))


def find(names: Sequence[tuple[str, ...]], of: str, state: State, what: str) -> Columns:
    """Finds an expression's columns.

    Raises:
        ColumnError: a name is unknown, or fits several columns.
    """
    if not of:
        found = {}
        for name in names:
            if len(name) == 1 and name[0] in (*_TRACE_FIELDS, *_GRADE_FIELDS):
                raise ColumnError(f'{what}: {name[0]!r} belongs to traces: add of="responses"')
            ref = state.resolve(
                ".".join(name[:2]) if len(name) > 1 and name[0] in state.entries else name[0], of=f"{what}: "
            )
            found[name] = (ref, "")
        return Columns(None, found)
    base = state.resolve(of, of=f"{what}: of = {of!r}: ")
    if state.list_of(base) != str(base):
        raise ColumnError(f"{what}: of = {of!r} is no list of responses")
    along = [
        Ref(entry.name, column)
        for entry in state.entries.values()
        for column, list_name in entry.columns.items()
        if list_name == str(base)
    ]
    found = {}
    for name in names:
        step, field = (name[0], name[1]) if len(name) > 1 and name[0] in state.entries else ("", name[0])
        if field in _TRACE_FIELDS and step in ("", base.step):
            found[name] = (base, field)
            continue
        fitting = [r for r in along if step in ("", r.step)]
        graded = [(r, field) for r in fitting if r.column == "verdicts" and field in _GRADE_FIELDS]
        plain = [(r, "") for r in fitting if r.column == field]
        if len(graded + plain) > 1:  # what a step says comes before what the source brought
            graded, plain = ([p for p in part if p[0].step != ROWS] for part in (graded, plain))
        if len(graded + plain) > 1:
            where = " or ".join(f"{r.step}.{field}" for r, _ in graded + plain)
            raise ColumnError(f"{what}: {field!r} is made by several steps: say which, {where}")
        if graded or plain:
            found[name] = (graded + plain)[0]
            continue
        try:
            found[name] = (state.resolve(f"{step}.{field}" if step else field), "")
        except ColumnError as error:
            if "several" in str(error):
                raise ColumnError(f"{what}: {error}") from None
            known = [*_TRACE_FIELDS, *(_GRADE_FIELDS if any(r.column == "verdicts" for r in along) else ())]
            raise ColumnError(f"{what}: there is no {field!r} for traces{did_you_mean(field, known)}") from None
    return Columns(base, found)


def _input(columns: Columns, state: State, shard: int) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Returns the expression's columns with a row for each row or trace still in, its row number and trace index."""
    rows = state.alive[shard]
    index = np.full(len(rows), -1, np.int32)
    keep = parents = None
    if columns.of:
        responses = state.read(columns.of, shard)
        counts = lengths(responses)
        mask = state.mask(str(columns.of), shard)
        keep = np.ones(int(counts.sum()), bool) if mask is None else mask
        parents = np.repeat(np.arange(len(rows)), counts)[keep]
        index = (
            np.arange(int(counts.sum()))
            - np.repeat(np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else counts, counts)
        )[keep].astype(np.int32)
        rows = rows[parents]
    out: dict[str, pa.Array] = {}
    nested: dict[str, dict[str, pa.Array]] = {}
    for name, (ref, field) in columns.found.items():
        column = state.read(ref, shard)
        if columns.of and state.list_of(ref) == str(columns.of):
            column = column.flatten().filter(pa.array(keep))
            if field:
                column = column.field(field) if not column.null_count else pa.compute.struct_field(column, field)
        elif columns.of:
            column = column.take(pa.array(parents))
        if len(name) > 1 and name[0] in state.entries:
            nested.setdefault(name[0], {})[name[1]] = column
        else:
            out[name[0]] = column
    for step, fields in nested.items():
        out[step] = pa.StructArray.from_arrays(list(fields.values()), list(fields))
    out[ROW_NUMBER] = pa.array(rows)
    return pa.table(out), rows, index


def _queries(tables: Iterable[pa.Table], sql: str, what: str) -> list[pa.Table]:
    """Returns what a query says of each table `t`, over one connection: opening one costs more than the query."""
    import duckdb

    out, failure = [], ""
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            for table in tables:
                connection.register("t", table)
                out.append(connection.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            failure = str(error).splitlines()[0]
    if failure:  # raised out here: an error that keeps the connection alive prints at exit
        raise SettingsError(f"{what}: {failure}")
    return out


def _drops(rows: np.ndarray, index: np.ndarray, reasons: Sequence[str]) -> pa.Table:
    of_rows = pa.array(index, mask=index < 0)
    return pa.table(
        {ROW_NUMBER: pa.array(rows.astype(np.int32)), "index": of_rows, "reason": pa.array(list(reasons), pa.string())},
        schema=DROPS,
    )


@settings
class Filter:
    """Keeps the rows, or the traces, for which a condition holds.

    Where the condition is null (a pass rate that isn't known) the row goes too, under "unknown".

    Attributes:
        where: an SQL condition (DuckDB's) over columns: `"pass_rate > 0 and duplicate_of is null"`. A column that
            several steps make is named with its step: `near_dedup.duplicate_of`.
        of: "responses" to filter traces instead of rows; then the fields of a response and of its grade are
            columns too: `"verdict = 'correct' and finish_reason = 'stop'"`.
        name: in the report; "filter" unless given.
    """

    where: str
    _: dataclasses.KW_ONLY
    of: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", _parse(self.where, "Filter"))

    def find(self, state: State) -> Columns:
        """Finds the columns that the condition names. Raises ColumnError."""
        return find(self._parsed[1], self.of, state, f"Filter({self.where!r})")  # type: ignore[attr-defined]

    def drops(self, state: State, shards: Sequence[int]) -> list[pa.Table]:
        """Returns what goes, for each shard, with the part of the condition that failed first."""
        parts, _ = self._parsed  # type: ignore[attr-defined]
        columns, places = self.find(state), []

        def tables() -> Iterator[pa.Table]:
            for shard in shards:
                table, *place = _input(columns, state, shard)
                places.append(place)
                yield table

        said = ", ".join(f"({part})::BOOLEAN AS c{i}" for i, part in enumerate(parts))
        results = _queries(tables(), f"SELECT {said} FROM t", f"Filter({self.where!r})")
        return [self._told(result, *place) for result, place in zip(results, places, strict=True)]

    def _told(self, results: pa.Table, rows: np.ndarray, index: np.ndarray) -> pa.Table:
        """Returns what goes of a shard, by what each part of the condition says of its rows or traces."""
        parts, _ = self._parsed  # type: ignore[attr-defined]
        answers = [results[f"c{i}"].to_pylist() for i in range(len(parts))]
        bad, reasons = [], []
        for i, values in enumerate(zip(*answers, strict=True)):
            if all(v is True for v in values):
                continue
            bad.append(i)
            failed = next((p for p, v in zip(parts, values, strict=True) if v is False), None)
            null = next((p for p, v in zip(parts, values, strict=True) if v is None), "")
            reasons.append(f"not: {failed}" if failed else f"{UNKNOWN}: {null}")
        return _drops(rows[bad], index[bad], reasons)


@settings
class AtMost:
    """Keeps at most so many traces of each question, or so many rows in all.

    Attributes:
        limit: how many.
        of: "responses" to cap the traces of each question; rows unless given.
        order: an SQL expression; the smallest are kept. The order they came in unless given.
        name: in the report; "at_most" unless given.
    """

    limit: int = pydantic.Field(gt=0)
    _: dataclasses.KW_ONLY
    of: str = ""
    order: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        parsed = _parse(f"({self.order}) IS NULL", "AtMost") if self.order else ([], [])
        object.__setattr__(self, "_parsed", parsed)

    def find(self, state: State) -> Columns:
        """Finds the columns that the order names. Raises ColumnError."""
        return find(self._parsed[1], self.of, state, f"AtMost(order={self.order!r})")  # type: ignore[attr-defined]

    def drops(self, state: State, shards: Sequence[int]) -> list[pa.Table]:
        """Returns what goes, for each shard."""
        columns = self.find(state)
        parts: list[tuple[np.ndarray, ...]] = []

        def inputs() -> Iterator[pa.Table]:
            for shard in shards:
                table, rows, index = _input(columns, state, shard)
                parts.append((np.full(len(rows), shard, np.int64), rows, index))
                yield table

        sql = f"SELECT ({self.order or 'NULL'}) AS o FROM t"
        orders = [chunk for told in _queries(inputs(), sql, f"AtMost({self.order!r})") for chunk in told["o"].chunks]
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros(0, np.int32)] * 3
        tables = dict(zip(("shard", "row", "i"), map(pa.array, joined), strict=True))
        if self.order:
            tables["o"] = pa.chunked_array(orders) if orders else pa.nulls(0)
        group = "PARTITION BY shard, row" if self.of else ""
        order_by = ("o NULLS LAST, " if self.order else "") + "shard, row, i"
        sql = f"SELECT shard, row, i, row_number() OVER ({group} ORDER BY {order_by}) AS place FROM t ORDER BY shard, row, i"
        [placed] = _queries([pa.table(tables)], sql, "AtMost")
        shard_of, place = placed["shard"].to_numpy(), placed["place"].to_numpy()
        row, i = placed["row"].to_numpy(), placed["i"].to_numpy()
        what = "traces a question" if self.of else "rows"
        reason = f"over the {self.limit} {what}" + (f" with the smallest {self.order}" if self.order else "")
        out = []
        for shard in shards:
            bad = (shard_of == shard) & (place > self.limit)
            out.append(_drops(row[bad], i[bad], [reason] * int(bad.sum())))
        return out


Selection = Filter | AtMost
