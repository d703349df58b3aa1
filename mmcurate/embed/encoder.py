"""What an encoder is, and what the ones here share."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol, runtime_checkable

import numpy as np
import pydantic

from mmcurate import pictures
from mmcurate.errors import SettingsError

INSTALL = "pip install 'mmcurate[embed]'"


@runtime_checkable
class Encoder(Protocol):
    """Turns texts, or the bytes of encoded pictures, into vectors."""

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Returns one vector for each `str` or `bytes`: (N, D) float32, of any length."""
        ...

    def fingerprint(self) -> str:
        """Returns a text that changes when the vectors would."""
        ...


def _checked(thing: Any) -> Any:
    if isinstance(thing, Encoder) and not isinstance(thing, type):
        return thing
    kind = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    if callable(getattr(thing, "encode", None)) and not isinstance(thing, (str, type)):
        raise SettingsError(
            f"an encoder needs fingerprint(), which {kind} lacks: wrap it as Named({kind}(...), 'a name that "
            "changes with the weights')"
        )
    raise SettingsError(f"an encoder is an object with encode() and fingerprint(), such as StaticText(), not {kind}")


EncoderSetting = Annotated[Encoder, pydantic.BeforeValidator(_checked)]
"""The type of a step's setting that holds an encoder; says what is missing where something else is given."""


def unit_vectors(encoder: Encoder, items: Sequence[str] | Sequence[bytes]) -> np.ndarray:
    """Returns the items' vectors at length 1: (N, D) float32.

    Raises:
        ValueError: the encoder returned another number of rows, or numbers that aren't finite.
    """
    vectors = np.asarray(encoder.encode(items), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(items) or not np.isfinite(vectors).all():
        raise ValueError(
            f"{encoder.fingerprint()} returned {vectors.shape} for {len(items)} items: (N, D) finite numbers are needed"
        )
    return unit(vectors)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Returns the rows of (N, D) at length 1, as float32. A row of zeros stays so."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def of_pictures(items: Sequence[Any], encode: Callable[[list[Any]], Any], batch_size: int = 64) -> np.ndarray:
    """Returns the vectors of encoded pictures, zeros for one that can't be decoded; few are decoded at a time."""
    good, parts = [], []
    for start in range(0, len(items), batch_size):
        images = []
        for i in range(start, min(start + batch_size, len(items))):
            try:
                images.append(pictures.pixels(items[i]))
            except (OSError, SyntaxError, ValueError):  # what Pillow raises for damaged bytes
                continue
            good.append(i)
        if images:
            parts.append(np.asarray(encode(images), np.float32))
    out = np.zeros((len(items), parts[0].shape[1] if parts else 1), np.float32)
    if parts:
        out[good] = np.concatenate(parts)
    return out


def missing(what: str, error: ImportError) -> NoReturn:
    """Says which package has to be installed."""
    raise SettingsError(f"{what} needs the package {error.name}: {INSTALL}") from None


def model_name(model: str) -> str:
    """Returns a Hub name as it is, and a digest of a folder's content."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return model
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return _digest_once(folder, tuple((p, p.stat().st_size, p.stat().st_mtime_ns) for p in files))


@functools.lru_cache(maxsize=16)
def _digest_once(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    return digest_of(*(p for p, _, _ in files), root=folder)


def digest_of(*paths: Path, root: Path | None = None) -> str:
    """Returns a short digest of files' names and content."""
    hasher = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            inner = hashlib.file_digest(file, "sha256").hexdigest()
        hasher.update(f"{path.relative_to(root) if root else path.name}\0{inner}\n".encode())
    return hasher.hexdigest()[:16]
