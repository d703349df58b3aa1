"""The one abstraction: a step takes a table and returns new columns for the same rows, in the same order.

A new step is one file and its test:

    @settings
    class CountWords(Step):
        '''Counts the words of each question.'''

        min_length: int = 1
        version: ClassVar[int] = 1
        requires: ClassVar[tuple[str, ...]] = ("question",)
        provides: ClassVar[pa.Schema] = pa.schema([("num_words", pa.int32())])

        def __call__(self, table: pa.Table) -> pa.Table:
            words = pc.list_value_length(pc.utf8_split_whitespace(table["question"]))
            return pa.table({"num_words": pc.cast(words, pa.int32())})
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, dataclass_transform, get_type_hints

import pyarrow as pa
import pydantic
import pydantic.dataclasses

from mmcurate.errors import SettingsError, did_you_mean


class Runtime:
    """Marks a setting that changes how a step runs but not what it returns: a URL, a key, a concurrency.

    `base_url: Annotated[str, Runtime]` keeps the URL out of every content key.
    """


T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=False, field_specifiers=(dataclasses.field,))
def settings(cls: type[T]) -> type[T]:
    """Makes a class a frozen, strict pydantic dataclass whose wrong settings fail in one line."""
    config = pydantic.ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)
    made = pydantic.dataclasses.dataclass(cls, frozen=True, config=config)
    checked = made.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            checked(self, *args, **kwargs)
        except pydantic.ValidationError as error:
            ours = [
                e["ctx"]["error"] for e in error.errors() if isinstance(e.get("ctx", {}).get("error"), SettingsError)
            ]
            if ours:
                raise ours[0] from None
            raise SettingsError(_one_line(made, error)) from None
        except TypeError as error:
            raise SettingsError(f"{made.__name__}: {error}") from None

    __init__.__doc__ = checked.__doc__
    made.__init__ = __init__  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def _one_line(cls: type, error: pydantic.ValidationError) -> str:
    known = [f.name for f in dataclasses.fields(cls)]
    by_place = [f.name for f in dataclasses.fields(cls) if not f.kw_only]
    said = []
    for one in error.errors():
        place = one["loc"][0] if one["loc"] else ""
        name = by_place[place] if isinstance(place, int) and place < len(by_place) else str(place)
        if one["type"] == "unexpected_positional_argument":
            said.append(f"too many arguments without a name; the settings are {', '.join(known)}")
        elif one["type"] == "unexpected_keyword_argument":
            said.append(f"there is no setting {name!r}{did_you_mean(name, known)}")
        elif one["type"] in ("missing", "missing_argument"):
            said.append(f"the setting {name!r} is missing")
        elif name == "api_key" or name not in known:
            said.append(f"{name}: {one['msg']}")  # may hold a key: never shown
        else:
            said.append(f"{name} = {_short(one['input'])}: {one['msg'].removeprefix('Value error, ')}")
    return f"{cls.__name__}: " + "; ".join(said)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclasses.dataclass(frozen=True)
class Context:
    """What a run hands to its steps before they start.

    Attributes:
        store: the folder of the answer store, where a teacher has none of its own.
        say: tells the user one line.
        stopping: set when the run is being stopped.
    """

    store: Path
    say: Callable[[str], None]
    stopping: threading.Event


@settings
class Step:
    """Takes a table of rows and returns new columns, one row for each row, in the same order.

    Attributes:
        name: names the step's folder and columns; the class in snake case unless given.
        inputs: where a required column is to be read from, such as `{"responses": "first.responses"}`.
        where: an SQL condition as for `Filter`, such as `"rows.responses is null"`: only rows for which it holds are handed
            to the step, the others get nulls. For steps of shard scope.
        version: raise it when the same settings give other output.
        scope: "shard" for a step that sees some hundred rows at a time; "dataset" for one that must see all.
        requires: the columns it is handed, besides `id` and those of `signatures`.
        provides: the typed columns it returns. A list column whose field metadata say `{"of": "responses"}`
            has one item for each response.
        waits: whether it mostly waits for others, so that several shards are worked on at once.
    """

    _: dataclasses.KW_ONLY
    name: str = ""
    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    where: Annotated[str, Runtime] = ""  # which rows a step saw is in its content key already

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["shard", "dataset"]] = "shard"
    requires: ClassVar[tuple[str, ...]] = ()
    provides: ClassVar[pa.Schema] = pa.schema([])
    waits: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", snake_case(type(self).__name__))
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", self.name):
            raise SettingsError(f"{type(self).__name__}: name = {self.name!r} must be a lower-case identifier")
        if self.where and self.scope == "dataset":
            raise SettingsError(
                f"{type(self).__name__}: where is for steps of shard scope; put a Filter before this one"
            )
        known = (*self.requires, *(() if (first := self.signatures()) is None else first.requires))
        unknown = [column for column in self.inputs if column not in known]
        if unknown:
            raise SettingsError(
                f"{type(self).__name__}: inputs names {unknown[0]!r}, which it doesn't require"
                + did_you_mean(unknown[0], known)
            )

    def __call__(self, table: pa.Table) -> pa.Table:
        """Returns the columns of `provides` for each row of the table."""
        raise TypeError(f"{type(self).__name__} doesn't say what it does: define __call__(self, table)")

    def signatures(self) -> Step | None:
        """For a step of dataset scope: the shard-scope step whose small columns it is handed besides `requires`.

        `requires` should be small too: of `images` a run hands out paths, not bytes.
        """
        return None

    def check(self) -> None:
        """Raises where the step can't work: an endpoint that can't be reached, a package that is missing."""

    def open(self, context: Context) -> None:
        """Gets ready for a run."""

    def plan(self, table: pa.Table) -> Mapping[str, float]:
        """Returns what a shard will cost, such as `{"requests": 512, "stored": 12}`; keys are added up."""
        return {}

    def announce(self, plan: Mapping[str, float]) -> str:
        """Returns the line that tells the user, before the step starts, what it will cost."""
        return ""

    def describe(self) -> Mapping[str, Any]:
        """Returns what the manifest keeps besides the settings: where answers came from, prices. No secrets."""
        return {}

    def status(self) -> Mapping[str, str]:
        """Returns what the progress line shows beside the rows."""
        return {}

    def rows_done(self) -> int:
        """Returns how many rows of the shards in work are done since `open`, where the step knows; for the time left."""
        return 0

    def close(self) -> None:
        """Gives back what `open` took. Called once, also when the run is stopped."""


def snake_case(name: str) -> str:
    """Returns `ExactDedup` as `exact_dedup`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def as_json(thing: Any) -> Any:
    """Returns the settings of a step, source or teacher as JSON, without those marked `Runtime`.

    Raises:
        SettingsError: a setting is neither JSON nor has a `fingerprint()`, such as a bare function.
    """
    return _json(thing, type(thing).__name__)


def _json(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "fingerprint") and callable(value.fingerprint):
        return {"fingerprint": value.fingerprint()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value), include_extras=True)
        out: dict[str, Any] = {"class": type(value).__qualname__}
        for field in dataclasses.fields(value):
            runtime = Runtime in getattr(hints.get(field.name), "__metadata__", ())
            if field.name != "name" and not runtime:
                out[field.name] = _json(getattr(value, field.name), f"{where}.{field.name}")
        return out
    if isinstance(value, Mapping):
        return {str(k): _json(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(v, f"{where}[{i}]") for i, v in enumerate(value)]
    raise SettingsError(
        f"{where} = {_short(value)} has no content key: give it a method fingerprint() -> str "
        "that changes when its results would"
    )


def fingerprint(step: Step) -> str:
    """Returns the digest of a step's class, version and settings: half of the key of its output."""
    return digest({"step": as_json(step), "version": step.version})


def digest(value: Any) -> str:
    """Returns the SHA-256 of a JSON value as 64 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


PASSING = b"mmcurate.passing"


def with_passing_failures(table: pa.Table, num_failures: int) -> pa.Table:
    """Marks a step's output as incomplete: that many items failed for a reason that may pass.

    The shard is used as it is, and the same run tries it again next time.
    """
    metadata = dict(table.schema.metadata or {})
    if num_failures:
        metadata[PASSING] = str(num_failures).encode()
    return table.replace_schema_metadata(metadata)


def passing_failures(table: pa.Table) -> int:
    """Returns how many failures `with_passing_failures` marked."""
    return int((table.schema.metadata or {}).get(PASSING, b"0"))


SPENT = b"mmcurate.spent"


def with_spent(table: pa.Table, spent: Mapping[str, int]) -> pa.Table:
    """Notes in a step's output what it had answered: `answers`, `prompt_tokens` and `tokens`, for the run's totals.

    A step that returns `responses` needs no note: they say it themselves.
    """
    return table.replace_schema_metadata({**(table.schema.metadata or {}), SPENT: json.dumps(dict(spent)).encode()})


def spent(schema: pa.Schema) -> dict[str, int]:
    """Returns what `with_spent` noted."""
    return dict(json.loads((schema.metadata or {}).get(SPENT, b"{}")))
