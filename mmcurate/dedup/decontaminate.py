"""Decontamination: which questions are in a benchmark, or in another set of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic

from mmcurate import pictures
from mmcurate.dedup import text
from mmcurate.dedup.near import NearSignatures, Signatures, same_picture
from mmcurate.dedup.neighbours import Lookalikes
from mmcurate.dedup.reference import Reference
from mmcurate.errors import SettingsError
from mmcurate.step import Step, settings

GRAM_WORDS = 8
"""Words of an n-gram, as in PaLM's check (Chowdhery et al. 2022, section 8), which calls a text seen from 70 % on."""
MIN_WORDS = 8
"""A shorter text alone is no evidence: "What is the value of x?" is in every benchmark."""
_RARE = 8
_AT_ONCE = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A question and what it hit.

    Attributes:
        row, other: of the question, and of the reference's.
        kind: "question" (pictures and text), "text" or "picture".
        similarity: of the texts; 1 for "picture".
    """

    row: int
    other: int
    kind: str
    similarity: float


@settings
class Decontaminate(Step):
    """Finds questions that are in benchmarks (or in another set of one's own), re-worded or with a re-encoded picture.

    A question with pictures is a hit where one of its pictures is one of the other's (see `mmcurate.dedup.confirm` for
    what counts as the same) and the texts share enough words, or the other has no text. Where either side has no picture,
    the text alone decides: enough of its shingles (MinHash), or of the other's 8-word runs, are shared; and the numbers
    are the same. A text of under 8 words, and one that its benchmark asks of several pictures or calls a template, is no
    hit alone, except that a short question without pictures hits the same question without pictures. Golds aren't
    looked at.

    What can't be found: a translation, a text that is written anew, and a picture that is drawn anew.

    Memory: some 0.5 KB a row beside what is mapped from disk, and the references' signatures (5 KB a row).

    Attributes:
        against: sources, finished runs or `datasets.Dataset`s: `against=[Files("mathvista.jsonl"), mm.open("runs/sft")]`.
        min_jaccard: of the shingles of two texts, where the text alone decides.
        min_overlap: the Jaccard similarity of the words of two texts whose pictures are the same.
        min_containment: the share of the other text's 8-word runs that are in this one, where the text alone decides.
        by: "question" as above; "images" calls every question about a picture of a benchmark a hit, whatever it asks;
            "text" doesn't look at pictures.
    """

    against: Any
    _: dataclasses.KW_ONLY
    min_jaccard: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.6
    min_overlap: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.4
    min_containment: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.7
    by: Literal["question", "text", "images"] = "question"

    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    requires: ClassVar[tuple[str, ...]] = ("images",)
    provides: ClassVar[pa.Schema] = pa.schema(
        [
            ("benchmark_match", pa.string()),  # "<name of the source>:<id>", or null
            ("match_kind", pa.string()),  # "question", "text" or "picture"
            ("match_similarity", pa.float32()),
            ("match_question", pa.large_string()),  # the other's text
            ("match_picture", pa.large_binary()),  # the other's first picture, small, as JPEG
        ]
    )

    def __post_init__(self) -> None:
        things = self.against
        if isinstance(things, (str, bytes)) or not isinstance(things, (list, tuple)):
            raise SettingsError(f"Decontaminate: against takes a list, against=[...], not {type(things).__name__}")
        if not things:
            raise SettingsError("Decontaminate: against is empty: name at least one data set")
        object.__setattr__(self, "against", tuple(t if isinstance(t, Reference) else Reference(t) for t in things))
        super().__post_init__()

    def signatures(self) -> Step:
        return NearSignatures()

    def describe(self) -> Mapping[str, Any]:
        return {"against": [one for reference in self.against for one in reference.describe()]}

    def close(self) -> None:
        """Removes the references' temporary pictures."""
        for reference in self.against:
            reference.close()

    def __call__(self, table: pa.Table) -> pa.Table:
        mine = Signatures(table)
        best: dict[int, tuple[Hit, Reference]] = {}
        for reference in self.against:
            for hit in find_hits(
                mine,
                reference.signatures,
                min_jaccard=self.min_jaccard,
                min_overlap=self.min_overlap,
                min_containment=self.min_containment,
                by=self.by,
            ):
                before = best.get(hit.row)
                if before is None or hit.similarity > before[0].similarity:
                    best[hit.row] = (hit, reference)
        told = {row: _told(hit, reference) for row, (hit, reference) in best.items()}
        rows = np.array(sorted(told), np.int64)
        place = np.full(len(mine), -1)
        place[rows] = np.arange(len(rows))
        found = pa.table(
            [pa.array([told[r][k] for r in rows.tolist()], f.type) for k, f in enumerate(self.provides)], self.provides
        )
        return found.take(pa.array(place, mask=place < 0))


def _told(hit: Hit, reference: Reference) -> tuple[Any, ...]:
    theirs = reference.table
    shown = None
    for picture in theirs["images"][hit.other].as_py() or ():
        try:
            shown = pictures.thumbnail(pictures.read(picture))
            break
        except (OSError, ValueError):
            continue
    name = f"{reference.name}:{theirs['id'][hit.other].as_py()}"
    return name, hit.kind, hit.similarity, theirs["question"][hit.other].as_py(), shown


def find_hits(
    mine: Signatures,
    theirs: Signatures,
    *,
    min_jaccard: float,
    min_overlap: float,
    min_containment: float,
    by: str,
) -> Iterable[Hit]:
    """Yields which rows are in a reference; a row several times where it hits several.

    Args:
        mine, theirs: the rows, and the reference's.
        min_jaccard, min_overlap, min_containment, by: as for `Decontaminate`.
    """
    if not len(mine) or not len(theirs):
        return
    if by != "text":
        yield from _by_pictures(mine, theirs, 0.0 if by == "images" else min_overlap, by)
    if by != "images":
        yield from _by_text(mine, theirs, min_jaccard, min_containment, by)


# --- pictures ------------------------------------------------------------------------------------------------------


class _Pictures:
    """The different pictures of some rows: where each is first, and which rows show it."""

    def __init__(self, rows: Signatures) -> None:
        self.rows = rows
        usable = np.flatnonzero(rows.usable & (rows.num_images > 0))
        lists = rows.table["images"].take(pa.array(usable)).combine_chunks()
        of = np.repeat(usable, rows.num_images[usable])
        place = np.arange(len(of)) - np.repeat(
            np.cumsum(rows.num_images[usable]) - rows.num_images[usable], rows.num_images[usable]
        )
        shas = lists.flatten().field("sha256").dictionary_encode()
        self.shas = shas.dictionary.to_pylist()
        codes = shas.indices.to_numpy()
        _, first = np.unique(codes, return_index=True)
        self.first = np.stack([of[first], place[first]], axis=1) if len(of) else np.zeros((0, 2), np.int64)
        order = np.argsort(codes, kind="stable")
        self.by_picture = np.split(of[order], np.flatnonzero(np.diff(codes[order])) + 1) if len(of) else []

    def __len__(self) -> int:
        return len(self.first)

    def thumbs(self, which: np.ndarray) -> np.ndarray:
        """Returns the thumbnails of some pictures, (N, 1, 2, 32, 32) uint8."""
        return self.rows.thumbs_of(self.first[which, 0], self.first[which, 1])[:, None]


def _by_pictures(mine: Signatures, theirs: Signatures, min_overlap: float, by: str) -> Iterable[Hit]:
    ours, others = _Pictures(mine), _Pictures(theirs)
    lookalikes = Lookalikes(others.thumbs, len(others))
    known = {sha: i for i, sha in enumerate(others.shas)}
    for start in range(0, len(ours) if len(others) else 0, _AT_ONCE):
        here = np.arange(start, min(start + _AT_ONCE, len(ours)))
        equal = [(i, known[ours.shas[i]]) for i in here if ours.shas[i] in known]
        alike = lookalikes.find(ours.thumbs(here)) + np.array([start, 0])
        pairs = np.unique(np.concatenate([np.array(equal, np.int64).reshape(-1, 2), alike]), axis=0)
        for i, j in pairs.tolist():
            rows, others_rows = np.unique(ours.by_picture[i]), np.unique(others.by_picture[j])
            cross = np.stack([np.repeat(rows, len(others_rows)), np.tile(others_rows, len(rows))], axis=1)
            shared = _overlaps(mine, theirs, cross)
            wordless = theirs.num_words[cross[:, 1]] == 0
            keep = wordless | (shared >= min_overlap) if by == "question" else np.ones(len(cross), bool)
            if not keep.any():
                continue
            (row, place), (other, spot) = ours.first[i], others.first[j]
            if ours.shas[i] != others.shas[j] and not same_picture(mine, row, place, theirs, other, spot):
                continue
            for (row, other), similarity, bare in zip(cross[keep], shared[keep], wordless[keep], strict=True):
                only_picture = bare or similarity < min_overlap or by == "images"
                yield Hit(
                    int(row), int(other), *(("picture", 1.0) if only_picture else ("question", float(similarity)))
                )


def _overlaps(mine: Signatures, theirs: Signatures, pairs: np.ndarray) -> np.ndarray:
    """Returns the Jaccard similarity of the words of pairs of rows, (P,)."""
    sketches, places = _together(mine, theirs, pairs)
    return text.jaccard(sketches, places, 1)


def _together(mine: Signatures, theirs: Signatures, pairs: np.ndarray) -> tuple[text.Sketches, np.ndarray]:
    """Returns the sketches of the texts in some pairs, and the pairs as places in them."""
    a, at_a = np.unique(pairs[:, 0], return_inverse=True)
    b, at_b = np.unique(pairs[:, 1], return_inverse=True)
    return text.joined(mine.sketches(a), theirs.sketches(b)), np.stack([at_a, at_b + len(a)], axis=1)


# --- text ----------------------------------------------------------------------------------------------------------


def _by_text(
    mine: Signatures, theirs: Signatures, min_jaccard: float, min_containment: float, by: str
) -> Iterable[Hit]:
    bare = theirs.num_images == 0
    specific = ((theirs.num_words >= MIN_WORDS) | (bare & (theirs.num_words > 0))) & ~_templates(theirs)
    first, of = _distinct(mine.codes("text_key"))
    others = np.flatnonzero(specific)
    others = others[_distinct(theirs.codes("text_key")[others])[0]]
    if not len(others):
        return
    found = [text.crossing(mine.bands[first], theirs.bands[others])]
    reference = theirs.sketches(others)
    for start in range(0, len(first), _AT_ONCE):
        part = mine.sketches(first[start : start + _AT_ONCE])
        found.append(text.sharing(part, reference, GRAM_WORDS, _RARE) + np.array([start, 0]))
    pairs = np.unique(np.concatenate(found), axis=0)
    if not len(pairs):
        return
    sketches, places = _together(mine, theirs, np.stack([first[pairs[:, 0]], others[pairs[:, 1]]], axis=1))
    jaccard = text.jaccard(sketches, places)
    shared, _, whole = text.overlap(sketches, places, GRAM_WORDS)
    contained = shared / whole
    more, equal = text.number_relations(sketches, places)
    long = theirs.num_words[others[pairs[:, 1]]] >= MIN_WORDS
    hit = (((jaccard >= min_jaccard) & equal) | ((contained >= min_containment) & more)) & (long | (jaccard == 1))
    rows_of = np.split(np.argsort(of, kind="stable"), np.flatnonzero(np.diff(np.sort(of))) + 1)
    near = np.maximum(jaccard, contained)
    for k in np.flatnonzero(hit):
        i, other = pairs[k, 0], int(others[pairs[k, 1]])
        for row in rows_of[i]:
            pictures_here, pictures_there = mine.num_images[row] > 0, theirs.num_images[other] > 0
            if not long[k] and (pictures_here or pictures_there):
                continue
            if by == "text" or not (pictures_here and pictures_there):
                yield Hit(int(row), other, "text", float(near[k]))


def _distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each different code is first, and which of these each is."""
    _, first, of = np.unique(codes, return_index=True, return_inverse=True)
    return first, of


def _templates(theirs: Signatures) -> np.ndarray:
    """Returns which texts are asked of several pictures, or are templates by their own word, (N,) bool."""
    texts, images = theirs.codes("text_key"), theirs.codes("images_key")
    pairs = np.unique(np.stack([texts, images], axis=1), axis=0)
    values, counts = np.unique(pairs[:, 0], return_counts=True)
    asked_often = pa.array(np.isin(texts, values[counts > 1]))
    return pc.coalesce(theirs.table["template"], asked_often).to_numpy()
