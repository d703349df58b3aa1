"""The reader behind the recipe's data sets: finds a data set's files, probes their layout, and says what it found."""

from __future__ import annotations

import base64
import dataclasses
import functools
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pydantic

from mmcurate import pictures
from mmcurate.answers import answer_type, clean, gold_options, options_of, split_options
from mmcurate.errors import SourceError, did_you_mean
from mmcurate.prompts import clean_question
from mmcurate.sources.archives import Album, Member
from mmcurate.sources.copies import Copy, data_files, existing, local_or_hub
from mmcurate.sources.files import read_rows
from mmcurate.sources.golds import Gold, settled
from mmcurate.sources.source import PROBLEM, Source
from mmcurate.step import Runtime, digest, settings

_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*")
_WHERE = ("path", "revision", "token")
"""Settings that say where the files are: what they are is known from themselves."""


@settings
class Published(Source):
    """A published data set, read from the Hub or from a local copy in the layout that it was published in.

    A subclass is a page of settings and `rows_of`. Rows come with `answer_type` ("choice", "number", "math", "text" or
    "description"), with `raw_answer` and `raw_question` where those were cleaned, with `image_paths` where pictures lie beside the
    rows, and with whatever columns the set has besides. Pictures beside the rows are read when a run takes the row, by member where they lie in archives.

    Attributes:
        path: a local copy: its folder, or its data file. Read from the Hub unless given.
        id: on the Hub, "owner/name".
        revision: a commit, branch or tag; the main branch unless given.
        files: names or patterns of the data files, where they aren't the published ones; `*` stops at a slash.
        token: for private and gated data sets; else the one of `hf auth login`.
        name: what the rows' `source` says.
        licence: what the rows' `licence` says; "unknown" where the publishers declare none.
        rows, kept: how many rows are published, before and after the recipe.
        data: patterns of the names of the data files; the first that any file matches is read. `{config}` and `{split}`
            stand for settings of these names; where one has several values, the files of each are read in turn.
        columns: for each column that must be there, the names it may have.
        archives: patterns of the names of the archives that pictures lie in.
        beside: whether pictures lie beside the rows, as files or in archives.
        remarks: what can't be known from the data, for the manifest.
        version: raise it when the same files give other rows.
    """

    path: str | Path | None = None
    id: str = ""
    revision: str | None = None
    files: str | Sequence[str] = ()
    token: Annotated[pydantic.SecretStr | None, Runtime] = None

    name: ClassVar[str] = "published"
    licence: ClassVar[str] = "unknown"
    rows: ClassVar[int | None] = None
    kept: ClassVar[int | None] = None
    data: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[tuple[str, ...], ...]] = ()
    archives: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[bool] = False
    remarks: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.path is not None:
            existing(self.path, type(self).__name__)

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        """Yields the questions of one published row, made with `question`."""
        raise TypeError(f"{type(self).__name__} doesn't say what a row becomes: define rows_of(self, raw, number)")

    # --- reading -----------------------------------------------------------------------------------------------

    @functools.cached_property
    def _copy(self) -> Copy:
        root = Path(self.path).expanduser() if self.path is not None else None
        return local_or_hub(root.parent if root and root.is_file() else root, self.id, self.revision, self.token)

    @functools.cached_property
    def _album(self) -> Album:
        return Album(self._copy, self.archives, type(self).__name__)

    @functools.cached_property
    def _found(self) -> Found:
        """What the last reading found; each reading starts a new one."""
        return Found()

    def _files(self) -> list[str]:
        if self.path is not None and Path(self.path).expanduser().is_file():
            return [Path(self.path).name]
        patterns: Sequence[str] = [self.files] if isinstance(self.files, str) else self.files
        if patterns:
            return [name for p in patterns for name in data_files(self._copy, [p], type(self).__name__)]
        several = [[v] if isinstance(v, str) else v for v in (getattr(self, n, "") for n in ("config", "split"))]
        found = [
            name
            for config, split in itertools.product(*several)
            for name in data_files(
                self._copy, [p.format(config=config, split=split) for p in self.data], type(self).__name__
            )
        ]
        return list(dict.fromkeys(found))

    def rows_in(self, file: str) -> Iterator[dict[str, Any]]:
        """Yields the rows of a data file as published. An adapter adds what only the file's name tells."""
        return read_rows(self._copy.fetch(file))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.__dict__["_found"] = Found()
        number = 0
        for file in self._files():
            probed = False
            for raw in self.rows_in(file):
                if PROBLEM in raw:
                    yield self._bad(number, raw[PROBLEM])
                else:
                    if not probed:
                        self._expect(file, raw)
                        probed = True
                    yield from self._made(raw, number)
                number += 1

    def _made(self, raw: Mapping[str, Any], number: int) -> list[dict[str, Any]]:
        try:
            return list(self.rows_of(raw, number))
        except KeyError as error:  # a line of JSON that lacks what the first one has
            return [self._bad(number, f"bad row: no {error}; there are: {', '.join(raw)}")]
        except (ValueError, TypeError, AttributeError) as error:
            return [self._bad(number, f"bad row: {type(error).__name__}: {error}")]

    def _expect(self, file: str, raw: Mapping[str, Any]) -> None:
        """Checks that the columns are there that this adapter reads.

        Raises:
            SourceError: names what was expected and what is there.
        """
        for names in self.columns:
            if not set(names) & set(raw):
                near = did_you_mean(names[0], raw)
                raise SourceError(
                    f"{type(self).__name__}: {file} of {self._copy.where} has no column {' or '.join(map(repr, names))}; "
                    f"there are: {', '.join(raw)}{near if 'mean' in near else ''}. Read an older revision=, or the same "
                    "files with Files(path, columns={...})"
                )

    # --- making a row ------------------------------------------------------------------------------------------

    def question(
        self,
        id: str | int,
        question: Any,
        gold: Gold | str | None,
        *,
        options: Any = None,
        images: Any = None,
        problem: str | None = None,
        columns: tuple[str, str] = ("question", "answer"),
        **more: Any,
    ) -> dict[str, Any]:
        """Returns a row, its gold cleaned, its options split from the text where they are in it.

        A row without a question or a gold says so in `_problem`, unless it brings `responses`.

        Args:
            id: the data set's own id, where a repeated one gets a number; or the row's number.
            question: the text as published.
            gold: as published, or as `gold_of` found it.
            options: as published; None where the set has no such column.
            images: in whatever form.
            problem: why the row can't be used, where the adapter knows.
            columns: where question and gold stood, for the reason of a row that lacks one.
            more: further columns, which become metadata; `raw_question` where `question` isn't the text as published.
        """
        asked = clean_question(clean(question) or "")
        text = gold.text if isinstance(gold, Gold) else (clean(gold) or "").strip()
        listed = options_of(options)
        if isinstance(options, str) and len(listed) == 1:
            listed = split_options(f"?\n{options}")[1] or listed
        stem, inside = (asked, []) if listed else split_options(asked)
        answer = settled(text, listed or inside) if text else None
        if inside and answer and not gold_options(answer, inside):
            self._found.counts[
                "questions that keep their options in the text, because the gold names none of them"
            ] += 1
            answer = settled(text, ())
        elif inside:
            self._found.counts["questions whose options were split from the text"] += 1
            asked, listed = stem, inside
        if not problem and not asked.strip():
            problem = f"empty question: {columns[0]} is empty"
        # One without a gold keeps its pictures: others may have to stay clear of it.
        shown = [] if problem else self._pictures(images)
        if paths := [picture.name for picture in shown if isinstance(picture, Member)]:
            more["image_paths"] = paths
        if not problem and not answer and not more.get("responses"):
            problem = f"no answer: {columns[1]} is empty"
        if answer:
            self._found.golds[gold.form if isinstance(gold, Gold) else "their own column"] += 1
            more.setdefault("answer_type", answer_type(answer, listed))
        if answer and answer != text:
            more["raw_answer"] = more.get("raw_answer") or text
        raw = more.pop("raw_question", question)
        if asked != raw:
            more["raw_question"] = raw
        row = {"id": self._unique(id), "question": asked, "options": listed, "answer": answer, "images": shown}
        row |= {"source": self.name, "licence": self.licence, **more}
        return row if problem is None else {**row, PROBLEM: problem}

    def _unique(self, id: str | int) -> str:
        if isinstance(id, int):
            return f"{self.name}-{id:07d}"
        found = self._found
        name = f"{self.name}-{id}"
        found.ids[name] += 1
        if found.ids[name] > 1:
            found.counts["rows that repeat an id of the data set, and got a number behind it"] += 1
            name = f"{name}~{found.ids[name]}"
        return name

    def _bad(self, number: int, problem: str) -> dict[str, Any]:
        return {
            "id": self._unique(number),
            "question": "",
            "answer": None,
            "images": [],
            "source": self.name,
            "licence": self.licence,
            PROBLEM: problem,
        }

    def _pictures(self, value: Any) -> list[Any]:
        """Returns the pictures of a row, those beside it as members that are read later."""
        if value is None or value == "":
            return []
        if isinstance(value, (list, tuple)):
            return [picture for one in value for picture in self._pictures(one)]
        forms = self._found.pictures
        if isinstance(value, Mapping):
            if value.get("bytes") is None:
                return self._pictures(value.get("path"))
            forms["structs of bytes and path"] += 1
            return [{"bytes": value["bytes"], "path": None}]
        if isinstance(value, str):
            if value.startswith("[") and (listed := _as_list(value)):
                return self._pictures(listed)
            data = _inline(value)
            if data is not None:
                forms["base64 text"] += 1
                return [data]
            if not forms["paths"]:
                self._album.check(value)
            forms["paths"] += 1
            return [Member(self._album, value)]
        forms["bytes" if isinstance(value, (bytes, bytearray, memoryview)) else f"{type(value).__name__} objects"] += 1
        return [value]

    # --- what stands behind the rows ---------------------------------------------------------------------------

    def describe(self) -> list[dict[str, Any]]:
        """See `Source.describe`; what the probe found is in `notes` once the rows were read."""
        copy = self.__dict__.get("_copy")
        where = {"path": str(self.path)} if self.path is not None else {"id": self.id}
        return [
            {
                "name": self.name,
                **where,
                "revision": copy.revision if copy else self.revision,
                "licence": self.licence,
                "rows": self.rows,
                "kept": self.kept,
                "notes": [*self.remarks, *self._found.notes()],
            }
        ]

    def fingerprint(self) -> str | None:
        """Returns a digest of the settings and of the files' names, sizes and times, or of the Hub's commit.

        A copy's folder is walked through for it where pictures may be loose files. None where the Hub can't be reached.
        """
        try:
            copy = self._copy
            names = [*self._files(), *self._album.names, *(copy.loose() if self.beside else ())]
            mine = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in _WHERE}
            return digest([self.name, self.version, mine, copy.state(names)])
        except SourceError:
            return None


def own_id(value: Any, number: int) -> str | int:
    """Returns a data set's own id as text, or the row's number where it has none."""
    return number if value is None or value == "" else str(value)


class Found:
    """What a reading found of a layout, counted."""

    def __init__(self) -> None:
        self.golds: Counter[str] = Counter()
        self.pictures: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()

    def notes(self) -> list[str]:
        """Returns the findings as sentences."""
        notes = [f"{what}: {count:,}" for what, count in self.counts.items() if count]
        for what, counts in (("golds were read from", self.golds), ("pictures came as", self.pictures)):
            if said := ", ".join(f"{form} ({count:,})" for form, count in counts.most_common() if count):
                notes.insert(0, f"{what} {said}")
        return notes


def _inline(text: str) -> bytes | None:
    """Returns the bytes of a picture that is written as text, a data URL or base64; None where the text is a path."""
    _, comma, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    if not comma and not _BASE64.fullmatch(text):
        return None
    try:
        data = base64.b64decode(body, validate=False)
    except ValueError:
        data = b""
    return data if comma or pictures.extension(data) else None  # a long path may look like base64


def _as_list(text: str) -> list[Any] | None:
    """Returns a list that is written as text."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None
