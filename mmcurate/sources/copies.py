"""Where a published data set's files lie: in a folder of this machine, or on the Hugging Face Hub."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, TypeVar

import pydantic

from mmcurate.errors import SettingsError, SourceError

T = TypeVar("T")


class Copy(Protocol):
    """The files of a data set, under the names that it was published with."""

    where: str
    """For messages: "folder '/data/tqa'", "Hub data set 'owner/name' at 0123abc"."""
    is_local: bool

    @property
    def revision(self) -> str | None:
        """The commit; None for a folder."""
        ...

    def find(self, pattern: str) -> list[str]:
        """Returns the names that match, sorted; `*` doesn't match a slash."""
        ...

    def there(self) -> list[str]:
        """Returns the names that a message shows of what there is."""
        ...

    def fetch(self, name: str) -> Path:
        """Returns a file of this machine with the content."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        ...

    def size(self, name: str) -> int:
        """Returns how many bytes a file has."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Returns a file that can be read from any place, without fetching the rest."""
        ...

    def loose(self) -> Iterable[str]:
        """Yields the names of all files, where nothing else tells that one of them has changed."""
        ...

    def state(self, names: Iterable[str]) -> Any:
        """Returns a JSON value that changes when the files do."""
        ...


class Folder:
    """A copy in a folder."""

    revision = None
    is_local = True

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path).expanduser()
        self.where = f"folder {str(self.root)!r}"

    def find(self, pattern: str) -> list[str]:
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.glob(pattern) if p.is_file())

    def there(self) -> list[str]:
        inner = [p for p in (self.root, self.root / "data") if p.is_dir()]
        found = [p.relative_to(self.root).as_posix() + "/" * p.is_dir() for d in inner for p in sorted(d.iterdir())]
        return [name for name in found if not name.startswith(".")]

    def fetch(self, name: str) -> Path:
        return self.root / name

    def has(self, name: str) -> bool:
        inside = PurePosixPath(name)
        return not inside.is_absolute() and ".." not in inside.parts and (self.root / inside).is_file()

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        return open(self.root / name, "rb", buffering=0)

    def loose(self) -> Iterator[str]:
        for folder, inner, files in os.walk(self.root):
            inner.sort()
            yield from (os.path.relpath(os.path.join(folder, name), self.root) for name in sorted(files))

    def state(self, names: Iterable[str]) -> Any:
        return [[name, *self._stat(name)] for name in names]

    def _stat(self, name: str) -> tuple[int, ...]:
        try:
            found = os.stat(self.root / name)
        except OSError:  # a link to nothing
            return ()
        return found.st_size, found.st_mtime_ns


class HubCopy:
    """A data set on the Hub, at one commit; data files come through the Hub client's cache.

    Args:
        id: "owner/name".
        revision: a commit, branch or tag; the main branch unless given.
        token: for private and gated data sets.
    """

    is_local = False

    def __init__(self, id: str, revision: str | None, token: pydantic.SecretStr | None) -> None:
        import huggingface_hub

        self.id, self._token = id, token.get_secret_value() if token else None
        self._api = huggingface_hub.HfApi(token=self._token)
        self.where = f"Hub data set {id!r}" + (f", revision {revision!r}" if revision else "")
        if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
            self.revision: str = revision
        else:
            self.revision = str(self._ask(lambda: self._api.dataset_info(id, revision=revision, timeout=30)).sha)
        self.where = f"Hub data set {id!r} at {self.revision[:10]}"

    def _ask(self, question: Callable[[], T]) -> T:
        """Asks the Hub, and says which data set it was about where that fails.

        A network that is down must end the read, never be taken for a missing picture.
        """
        try:
            return question()
        except Exception as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise SourceError(
                f"{self.where}: {type(error).__name__}: {first[:300]}. Check the id, the revision, the token (gated sets want "
                f"their terms accepted) and the network, or read a local copy with path="
            ) from error

    @functools.cached_property
    def _sizes(self) -> dict[str, int]:
        def entries() -> list[Any]:
            return list(self._api.list_repo_tree(self.id, repo_type="dataset", revision=self.revision, recursive=True))

        return {e.path: e.size for e in self._ask(entries) if getattr(e, "size", None) is not None}

    def find(self, pattern: str) -> list[str]:
        parts = pattern.split("/")

        def fits(name: str) -> bool:
            mine = name.split("/")
            return len(mine) == len(parts) and all(map(fnmatch.fnmatchcase, mine, parts))

        return sorted(name for name in self._sizes if fits(name))

    def there(self) -> list[str]:
        return sorted(self._sizes)

    def fetch(self, name: str) -> Path:
        import huggingface_hub

        return Path(
            self._ask(
                lambda: huggingface_hub.hf_hub_download(
                    self.id, name, repo_type="dataset", revision=self.revision, token=self._token
                )
            )
        )

    def has(self, name: str) -> bool:
        return name in self._sizes

    def size(self, name: str) -> int:
        return self._sizes[name]

    def open(self, name: str) -> BinaryIO:
        import huggingface_hub

        files = huggingface_hub.HfFileSystem(token=self._token)
        path = f"datasets/{self.id}@{self.revision}/{name}"
        # Members of an archive lie apart: what is read ahead is mostly thrown away.
        file = self._ask(lambda: files.open(path, "rb", block_size=1 << 18))
        return _Remote(file, self._ask)  # type: ignore[return-value]

    def loose(self) -> Iterator[str]:
        return iter(())

    def state(self, names: Iterable[str]) -> Any:
        return [self.id, self.revision]


class _Remote:
    """A file on the Hub whose failed reads say so as the data set's."""

    def __init__(self, file: Any, ask: Callable[[Callable[[], bytes]], bytes]) -> None:
        self._file, self._ask = file, ask
        self.seek, self.close = file.seek, file.close

    def read(self, num_bytes: int) -> bytes:
        return self._ask(lambda: self._file.read(num_bytes))


def data_files(copy: Copy, patterns: Iterable[str], who: str) -> list[str]:
    """Returns the names of the first pattern that any file matches.

    Raises:
        SourceError: none does; says what was expected and what is there.
    """
    patterns = list(patterns)
    for pattern in patterns:
        if found := copy.find(pattern):
            return found
    there = copy.there()
    splits = sorted({m[1] for n in there if (m := re.match(r"(?:.*/)?([\w.]+?)-\d{5}-of-\d{5}", n))})
    shown = ", ".join(there[:20]) + (f" and {len(there) - 20:,} more" if len(there) > 20 else "")
    raise SourceError(
        f"{who}: {copy.where} has no {' or '.join(patterns)}; there are: {shown or 'no files'}"
        + (f" (splits: {', '.join(splits)})" if splits else "")
        + ". Name the data files with files=, or their folder with path="
    )


def local_or_hub(path: str | Path | None, id: str, revision: str | None, token: pydantic.SecretStr | None) -> Copy:
    """Returns the copy that the settings name."""
    return Folder(path) if path is not None else HubCopy(id, revision, token)


def existing(path: str | Path, who: str) -> Path:
    """Returns a folder that is there.

    Raises:
        SettingsError: it isn't.
    """
    found = Path(path).expanduser()
    if not found.exists():
        raise SettingsError(f"{who}: there is no {str(found)!r}; it was looked for in {Path.cwd()}")
    return found
