"""Several sources and finished runs as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmcurate.errors import SettingsError, did_you_mean
from mmcurate.sources.source import Rows, Source, pick
from mmcurate.step import digest, settings


@settings
class Mix(Source):
    """Yields the rows of several sources, one after the other.

    An id that an earlier part has too gets the part's number: "q7@2".

    Attributes:
        parts: sources and finished runs (whose kept rows come with their kept traces).
        caps: the most rows of a part, by its name, or one for each part (None for no cap); chosen at random by
            `seed`, and the same when other parts change.
        weights: how many rows of each part to take for one of another's, by name or in the parts' order; as
            many rows as that allows.
        seed: for caps and weights.
        name: of the mix.
    """

    parts: Sequence[Any]
    caps: Mapping[str, int] | Sequence[int | None] | None = None
    weights: Mapping[str, float] | Sequence[float] | None = None
    seed: int = 0
    name: str = "mix"

    def __post_init__(self) -> None:
        for part in self.parts:
            if not isinstance(part, Rows):
                raise SettingsError(f"Mix: {type(part).__name__} is neither a source nor a finished run")
        for setting in ("caps", "weights"):
            self._each(setting)
        if self.weights is not None and any(not w or w < 0 for w in self._each("weights")):
            raise SettingsError(
                f"Mix: weights needs a positive number for each of {', '.join(p.name for p in self.parts)}"
            )

    def _each(self, setting: str) -> list[Any]:
        """Returns a setting's value for each part, None where it has none."""
        given, names = getattr(self, setting), [part.name for part in self.parts]
        if isinstance(given, Mapping):
            for name in given:
                if name not in names:
                    raise SettingsError(f"Mix: {setting} names {name!r}{did_you_mean(name, names)}")
            return [given.get(name) for name in names]
        if given is not None and len(given) != len(names):
            raise SettingsError(f"Mix: {setting} has {len(given)} values for {len(names)} parts")
        return list(given) if given is not None else [None] * len(names)

    def _limits(self) -> list[int | None]:
        limits = self._each("caps")
        if self.weights is None:
            return limits
        counts = []
        for part, cap in zip(self.parts, limits, strict=True):
            count = sum(1 for _ in part)
            counts.append(count if cap is None else min(cap, count))
        weights = self._each("weights")
        unit = min((count / weight for count, weight in zip(counts, weights, strict=True)), default=0)
        return [round(unit * weight) for weight in weights]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        for number, (part, limit) in enumerate(zip(self.parts, self._limits(), strict=True), 1):
            mine: set[str] = set()
            rows: Any = enumerate(part) if limit is None else pick(part, limit, self.seed)
            for i, row in rows:
                name = str(row.get("id") if row.get("id") is not None else f"{part.name}-{i:06d}")
                mine.add(name)
                yield {
                    **row,
                    "id": f"{name}@{number}" if name in seen else name,
                    "source": row.get("source") or part.name,
                }
            seen |= mine

    def describe(self) -> list[dict[str, Any]]:
        """See `Source.describe`; `cap` is the most rows that were taken of a part."""
        out = []
        for part, cap in zip(self.parts, self._each("caps"), strict=True):
            told = part.describe() if hasattr(part, "describe") else [{"name": part.name}]
            out += [{**one, **({} if cap is None else {"cap": cap})} for one in told]
        return out

    def prompts(self) -> dict[str, str]:
        """Returns the system prompts behind the responses that finished runs bring, by their ids."""
        return {k: v for part in self.parts if hasattr(part, "prompts") for k, v in part.prompts().items()}

    def fingerprint(self) -> str | None:
        """Returns a digest of the parts and settings, or None where a part has none."""
        parts = [part.fingerprint() for part in self.parts]
        if any(part is None for part in parts):
            return None
        return digest([parts, self._each("caps"), self._each("weights"), self.seed])
