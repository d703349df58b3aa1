"""Pictures beside a data set's rows: loose files, members of zips (also of one cut into parts) and of tars, read in place."""

from __future__ import annotations

import errno
import functools
import io
import itertools
import re
import string
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mmcurate.errors import SourceError
from mmcurate.sources.copies import Copy

_PART = re.compile(r"^(.*\.zip)\.(?:part-?)?([a-z]{2,3}|\d{2,4})$")
_FOLDERS = ("images/", "image/")
"""What a picture's path may start with in the rows and not in the archive, or the other way round."""


class Joined(io.RawIOBase):
    """Several files read as one, from any place; each is opened when it is first needed."""

    def __init__(self, copy: Copy, names: Sequence[str]) -> None:
        self._copy, self._names, self._open = copy, names, dict[int, BinaryIO]()
        self._starts = [0]
        for name in names:
            self._starts.append(self._starts[-1] + copy.size(name))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = next((i for i in range(len(self._names)) if self._at < self._starts[i + 1]), None)
        if part is None:
            return 0
        if part not in self._open:
            self._open[part] = self._copy.open(self._names[part])
        file = self._open[part]
        file.seek(self._at - self._starts[part])
        data = file.read(min(len(buffer), self._starts[part + 1] - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        super().close()


class Zip:
    """A zip file, whole or cut into parts, whose members are read one by one."""

    def __init__(self, copy: Copy, names: Sequence[str]) -> None:
        self._what = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)} parts)"
        joined = Joined(copy, names)
        try:
            self._file = zipfile.ZipFile(io.BufferedReader(joined, 1 << 16))
        except (zipfile.BadZipFile, OSError) as error:
            raise SourceError(
                f"{copy.where}: {self._what}, {joined.seek(0, io.SEEK_END):,} bytes, is no whole zip file ({error}): "
                "is a part missing or cut off? Fetch it again"
            ) from None
        self.tops = {name.split("/", 1)[0] + "/" for name in self._file.namelist() if "/" in name}

    def read(self, name: str) -> bytes | None:
        """Returns a member's bytes, or None where there is none of that name.

        Raises:
            OSError: the member is damaged.
        """
        if name not in self._file.NameToInfo:
            return None
        try:
            return self._file.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise OSError(f"member {name} of {self._what} is damaged ({error})") from None


class Tars:
    """Many tars as one. A tar has no table of contents, so they are walked header by header, in the order of their names, as far
    as the names that are asked for need it, and each once. A tar on the Hub is downloaded whole when it is walked.
    """

    def __init__(self, copy: Copy, names: Sequence[str]) -> None:
        self._copy, self._names = copy, names
        self._paths: list[Path] = []  # of those that were walked
        self._places: dict[int, int] = {}  # 1.6M members: numbers, not strings and tuples
        self.tops: set[str] = set()

    def read(self, name: str) -> bytes:
        """Returns the bytes of a known member."""
        place = self._places[hash(name)]
        with self._paths[place >> 80].open("rb") as file:
            file.seek(place & (1 << 48) - 1)
            return file.read(place >> 48 & (1 << 32) - 1)

    def known(self, name: str) -> bool:
        """Whether a tar that was walked has the member."""
        return hash(name) in self._places

    def walk(self) -> bool:
        """Walks the next tar; false where none is left.

        Raises:
            SourceError: it can't be read.
        """
        number = len(self._paths)
        if number == len(self._names):
            return False
        path = self._copy.fetch(self._names[number])
        try:
            with tarfile.open(path, "r:") as tar:
                while member := tar.next():
                    tar.members = []  # type: ignore[attr-defined]  # else it keeps all of them
                    if member.isfile():
                        place = number << 80 | member.size << 48 | member.offset_data
                        name = member.name.removeprefix("./")
                        self._places.setdefault(hash(name), place)
                        if "/" in name:
                            self.tops.add(name.split("/", 1)[0] + "/")
        except (tarfile.TarError, OSError) as error:
            raise SourceError(
                f"{self._copy.where}: {self._names[number]} can't be read as a tar ({error}): fetch it again"
            ) from None
        self._paths.append(path)
        return True


@dataclass(frozen=True, slots=True)
class Member:
    """A picture that is read when it is needed; holding it costs a name."""

    album: Album
    name: str

    def read_bytes(self) -> bytes:
        """Returns the picture's bytes.

        Raises:
            FileNotFoundError: there is no such picture; `filename` is its name.
        """
        return self.album.read(self.name)


class Album:
    """The pictures beside a data set's rows, by the paths in the rows.

    Loose files come first, as in a copy that its owner unpacked; then the archives. A path may lack the archive's top
    folder, or have it besides.

    Args:
        copy: the data set's files.
        archives: patterns of the names of its archives.
        who: for messages.
    """

    def __init__(self, copy: Copy, archives: Sequence[str], who: str) -> None:
        self._copy, self._patterns, self._who = copy, archives, who
        self.names = [name for pattern in archives for name in copy.find(pattern)]

    @functools.cached_property
    def _zips(self) -> list[Zip]:
        sets: dict[str, list[str]] = {}
        for name in self.names:
            if not name.endswith(".tar"):
                part = _PART.match(name)
                sets.setdefault(part[1] if part else name, []).append(name)
        for names in sets.values():
            _without_gaps(self._copy, names)
        return [Zip(self._copy, names) for names in sets.values()]

    @functools.cached_property
    def _tars(self) -> Tars | None:
        tars = [name for name in self.names if name.endswith(".tar")]
        return Tars(self._copy, tars) if tars else None

    def read(self, name: str) -> bytes:
        """Returns a picture's bytes.

        Raises:
            FileNotFoundError: there is no such picture; `filename` is its name.
        """
        plain = name.removeprefix("./")
        bare = next((plain[len(f) :] for f in _FOLDERS if plain.startswith(f)), plain)
        spellings = list(dict.fromkeys([plain, bare, *(f + bare for f in _FOLDERS)]))
        for spelling in spellings:
            if self._copy.has(spelling):
                return self._copy.fetch(spelling).read_bytes()
        for archive in self._zips:
            for spelling in dict.fromkeys([*spellings, *(top + plain for top in sorted(archive.tops))]):
                if (data := archive.read(spelling)) is not None:
                    return data
        if self._tars and (data := self._from_tars(self._tars, spellings)) is not None:
            return data
        raise FileNotFoundError(errno.ENOENT, "no such picture", name)

    def _from_tars(self, tars: Tars, spellings: Sequence[str]) -> bytes | None:
        while True:
            for spelling in (*spellings, *(top + spellings[0] for top in sorted(tars.tops))):
                if tars.known(spelling):
                    return tars.read(spelling)
            if not tars.walk():
                return None

    def check(self, name: str) -> None:
        """Checks, by a first picture's path, that there is anything to look for pictures in.

        Raises:
            SourceError: neither an archive nor a folder of that name is there.
        """
        top = name.removeprefix("./").split("/", 1)[0]
        there = {entry.split("/", 1)[0] for entry in self._copy.there()}
        if self.names or top in there or {f.rstrip("/") for f in _FOLDERS} & there:
            return
        raise SourceError(
            f"{self._who}: the rows name pictures such as {name!r}, and {self._copy.where} has neither "
            + " nor ".join([*self._patterns, f"a file or folder {top!r}"])
            + "; put the pictures beside the data files, as they are published or unpacked"
        )


def _without_gaps(copy: Copy, names: Sequence[str]) -> None:
    """Checks that the parts of one zip are numbered without a gap.

    Raises:
        SourceError: one is missing.
    """
    parts = [match[2] for name in names if (match := _PART.match(name))]
    letters = string.ascii_lowercase

    def number(part: str) -> int:
        return int(part) if part.isdigit() else functools.reduce(lambda n, c: n * 26 + letters.index(c), part, 0)

    for before, after in itertools.pairwise(parts):
        if number(after) != number(before) + 1:
            raise SourceError(
                f"{copy.where}: a part of the zip is missing between {names[parts.index(before)]} and "
                f"{names[parts.index(after)]}; fetch it too"
            )
