"""Words, numbers and signs of texts as hashes, marked by what they are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.answers import normal
from mmcurate.compiled import HAS_NUMBA, compiled


def tokenise(texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the tokens of N texts.

    Case, spacing and the punctuation of sentences don't count; digits, letters of any script, signs and brackets do.
    Every ideograph is a word. The number of an exercise ("12. ") isn't the question's.

    Returns:
        tokens: a hash of each word, number and sign, all texts joined, (T,) uint32. The lowest bit is set for numbers
            ("two" is the number 2), the next for signs, for names of one letter or of capitals, and for negations; all
            that compares words leaves these two bits out.
        offsets: where each text's tokens begin, (N + 1,) int64.
        symbols: a digest of each text's numbers, signs, names of one letter or of capitals, and words such as "not" and
            "even", in their order, (N,) int64: texts that differ here ask different things, however alike they are.
    """
    data, offsets = _bytes(texts)
    tokens, token_offsets = np.empty(len(data), np.uint32), np.zeros(len(offsets), np.int64)
    symbols = np.zeros(len(offsets) - 1, np.int64)
    used = _run(data, offsets, _tables(), tokens, token_offsets, symbols)
    return tokens[:used].copy(), token_offsets, symbols


def marked_digests(tokens: pa.LargeListArray, mask: int) -> np.ndarray:
    """Returns a digest of some of each text's tokens, whatever their order, (N,) int64.

    Args:
        tokens: of `Sketches`, as lists.
        mask: 1 for the numbers, 3 for the signs, names and negations too.
    """
    values = tokens.flatten().to_numpy().astype(np.uint64)
    owner = np.repeat(np.arange(len(tokens)), tokens.value_lengths().to_numpy(zero_copy_only=False))
    mixed = np.where((values & np.uint64(mask)) > 0, values * np.uint64(0x9E3779B97F4A7C15), np.uint64(0))
    mixed ^= mixed >> np.uint64(31)
    out = np.zeros(len(tokens), np.uint64)
    np.add.at(out, owner, mixed)
    return out.astype(np.int64)


def _run(data: np.ndarray, offsets: np.ndarray, tables: tuple[np.ndarray, ...], *out: np.ndarray) -> int:
    if HAS_NUMBA:
        return int(_tokenise(data, offsets, _CLASSES, _LOWER, *tables, *out))
    plain: Any = (
        data.tobytes(),
        offsets.tolist(),
        _CLASSES.tolist(),
        _LOWER.tolist(),
        *(t.tolist() for t in tables),
    )  # no numpy scalars
    return int(_tokenise(*plain, *out))


_PUNCTUATION = str.maketrans(
    {**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″", '"'), **dict.fromkeys("‐‑‒–—―", "-")}
    | dict.fromkeys("。、「」『』《》〈〉", " ")
    | {"Δ": "∆", "×": "✕", "÷": "/"}  # to where the signs are
)
_FOREIGN = re.compile("[^\\x00-\\x7f]+")
_GREEK = re.compile("(?<=[a-zA-Z0-9])(?=[α-ω])|(?<=[α-ω])(?=[a-zA-Z0-9])")


def _simple(text: str) -> str:
    """Returns a text that isn't ASCII with the simpler ones of equal characters."""
    return _GREEK.sub(" ", _FOREIGN.sub(_folded, normal(text).translate(_PUNCTUATION)))


def _folded(match: re.Match[str]) -> str:
    """Returns small letters, and the decimal digits of any script as ours. ASCII keeps its capitals: they are names."""
    text = match[0].casefold()
    return text if text.isalpha() else "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _bytes(texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the texts' bytes, joined, and where each begins. Only texts that aren't ASCII are normalised here."""
    column = texts.cast(pa.large_string()).fill_null("")
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.large_string())
    foreign = pc.not_equal(pc.utf8_length(column), pc.binary_length(column))
    if pc.any(foreign).as_py():
        changed = [_simple(t) for t in column.filter(foreign).to_pylist()]
        column = pc.replace_with_mask(column, foreign, pa.array(changed, pa.large_string()))
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    if offsets[-1] == offsets[0]:
        return np.zeros(0, np.uint8), np.zeros(len(offsets), np.int64)
    data = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return data, offsets - offsets[0]


_BREAK, _DIGIT, _LETTER, _IDEOGRAPH, _SIGN, _MARK, _FOREIGN_SIGN = range(7)


def _classes() -> np.ndarray:
    """Returns what each byte of a text is, (256,) uint8. Of the marks, only the signs belong to a number."""
    out = np.full(256, _MARK, np.uint8)
    out[:33] = out[127] = _BREAK
    out[[ord(c) for c in "!\"$&'*,.:;?`_"]] = _BREAK
    out[ord("0") : ord("9") + 1] = _DIGIT
    out[ord("a") : ord("z") + 1] = out[ord("A") : ord("Z") + 1] = _LETTER
    out[[ord(c) for c in "+-/<=>^%|"]] = _SIGN
    out[128:] = _LETTER
    out[227:238] = _IDEOGRAPH  # the first of three bytes: kana, ideographs, hangul
    out[194] = out[226] = _FOREIGN_SIGN  # the first of two or three: degrees, roots, comparisons, arrows
    return out


def _lower() -> np.ndarray:
    out = np.arange(256, dtype=np.int64)
    out[ord("A") : ord("Z") + 1] += 32
    return out


_CLASSES, _LOWER = _classes(), _lower()


@compiled
def _tokenise(
    data: np.ndarray,
    offsets: np.ndarray,
    classes: np.ndarray,
    lower: np.ndarray,
    pivots: np.ndarray,
    spelled: np.ndarray,
    digits: np.ndarray,
    tokens: np.ndarray,
    token_offsets: np.ndarray,
    symbols: np.ndarray,
) -> int:
    """Writes a hash of each token, odd for numbers, and a digest of each text's symbols.

    A number is a run of digits, with a decimal part where there is one. A hyphen or dash between words is no sign, but
    one after a name such as "x" or "AB" is.
    """
    used = 0
    for text in range(len(offsets) - 1):
        i, end = offsets[text], offsets[text + 1]
        sequence = 0
        # The number of an exercise, "12. " or "(3) ", isn't the question's.
        j = i
        while j < end and (data[j] <= 32 or data[j] == 40):
            j += 1
        first = j
        while j < end and classes[data[j]] == 1:
            j += 1
        if first < j < first + 4 and j + 1 < end and (data[j] == 46 or data[j] == 41) and data[j + 1] <= 32:
            i = j + 1
        start, word_before = i, False
        while i < end:
            c = data[i]
            kind = classes[c]
            i += 1
            h = ((2166136261 ^ lower[c]) * 16777619) & 0xFFFFFFFF
            if kind == 0:
                if c != 46 and c != 33 and c != 39:
                    continue
                if c == 39 and word_before and classes[data[i - 2]] == 2:  # 's, 't, 're: no names
                    j = i
                    while j < end and classes[data[j]] == 2:
                        j += 1
                    if i < j <= i + 2:
                        i = j
                        continue
                # ".5" is a number, and "5!" and "f'" aren't "5" and "f".
                before = data[i - 2] if i - 1 > start else 32
                after = data[i] if i < end else 32
                if c == 46 and classes[after] == 1 and before != 46 and not 1 <= classes[before] <= 3:
                    i -= 1
                    kind, h = 1, ((2166136261 ^ 48) * 16777619) & 0xFFFFFFFF
                elif c != 46 and not word_before and classes[before] == 2 and not 97 <= after <= 122:
                    if c == 39 and i - 3 >= start and data[i - 3] == 39:
                        continue
                    kind = 4
                elif c == 33 and (classes[before] == 1 or before == 41):
                    kind = 4
                else:
                    continue
            number = symbol = False
            if kind == 2:
                begin = i
                capitals = c < 97
                while i < end and 1 <= classes[data[i]] <= 2:
                    h = ((h ^ lower[data[i]]) * 16777619) & 0xFFFFFFFF
                    capitals = capitals and data[i] < 97
                    i += 1
                if i == begin:
                    symbol = c != 97 and c != 65  # a name, but for the article
                else:
                    symbol = (capitals and i - begin < 5) or (c >= 128 and i == begin + 1)
                word_before = i > begin and not symbol
            elif kind == 1:
                while i < end and classes[data[i]] == 1:
                    h = ((h ^ lower[data[i]]) * 16777619) & 0xFFFFFFFF
                    i += 1
                if i + 1 < end and data[i] == 46 and classes[data[i + 1]] == 1:
                    h = ((h ^ 46) * 16777619) & 0xFFFFFFFF
                    i += 1
                    while i < end and classes[data[i]] == 1:
                        h = ((h ^ lower[data[i]]) * 16777619) & 0xFFFFFFFF
                        i += 1
                number = symbol = True
                word_before = False
            elif kind == 3 or kind == 6:
                for _ in range(1 if c == 194 else 2):
                    if i < end:
                        h = ((h ^ lower[data[i]]) * 16777619) & 0xFFFFFFFF
                        i += 1
                symbol, word_before = kind == 6, False
            else:
                if c == 45 and word_before:
                    j = i
                    while j < end and data[j] <= 32:
                        j += 1
                    k = j + 1 if j < end and data[j] < 128 else j + 2  # where the second letter is
                    if k < end and classes[data[j]] == 2 and classes[data[k]] == 2:
                        continue
                symbol, word_before = kind == 4, False
            h ^= h >> 16
            h = (h * 0x85EBCA6B) & 0xFFFFFFFF
            h ^= h >> 13
            h = (h * 0xC2B2AE35) & 0xFFFFFFFF
            h ^= h >> 16
            slot, marked = (h >> 2) & 0xFFFF, h | 3
            pivot = pivots[slot] | 3 == marked
            negation = pivots[slot] == marked
            if spelled[slot] == marked:
                h = digits[slot]
                number = symbol = True
            h = (h & 0xFFFFFFFC) | (1 if number else 2 if symbol or negation else 0)
            tokens[used] = h
            used += 1
            if symbol or pivot:
                sequence = (sequence * 0x5BD1E995 + h) & 0x7FFFFFFFFFFFFFF
        symbols[text] = sequence
        token_offsets[text + 1] = used
    return used


_NEGATIONS = "not no non never neither nor none except without odd even prime 不 没 非 无 未".split()  # noqa: SIM905
_PIVOTS = (  # noqa: SIM905
    "least most less more fewer greater smaller larger minimum "
    "maximum min max smallest largest lowest highest shortest longest youngest oldest first last second third "
    "left right above below top bottom upper lower inside outside inscribed circumscribed increase "
    "decrease increases decreases increasing decreasing before after true false correct incorrect positive "
    "negative sum difference product quotient perimeter area radius diameter north south east west clockwise "
    "counterclockwise horizontal vertical red blue green yellow black white orange purple one two three four five "
    "six seven eight nine ten half twice double triple sin cos tan log ln sec csc cot arcsin arccos arctan exp sqrt "
    "leq geq le ge lt gt neq cup cap subset perp parallel perpendicular alpha beta gamma delta theta lambda mu phi "
    "omega pi sigma 最 大 小 多 少 上 下 左 右 前 后 内 外 奇 偶 正 负 增 减 和 差 积 商 "
    "一 二 三 四 五 六 七 八 九 十 百 千 两 半 倍 红 蓝 绿 黄 黑 白 "
).split()
"""Words that change what is asked where everything else stays."""


_SPELLED = {
    **dict(
        zip(
            ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
            map(str, range(2, 13)),
            strict=True,
        )
    ),
    **{"thrice": "3", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60"},
}
"""Numbers that are written as words; "one" is too often none."""


@cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pivots, spelled numbers, and these in digits, each in its slot; (65536,) int64."""
    empty = np.zeros(1 << 16, np.int64)

    def hashes(words: Sequence[str]) -> np.ndarray:
        data, offsets = _bytes(pa.array(words, pa.large_string()))
        tokens, unused = np.empty(len(data), np.uint32), np.zeros(len(offsets), np.int64)
        used = _run(data, offsets, (empty, empty, empty), tokens, unused, unused.copy())
        return tokens[:used].astype(np.int64) | 3

    pivots, spelled, digits = empty.copy(), empty.copy(), empty.copy()
    for table, keys, values in (
        (pivots, _NEGATIONS, _NEGATIONS),
        (spelled, list(_SPELLED), list(_SPELLED)),
        (digits, list(_SPELLED), list(_SPELLED.values())),
    ):
        table[(hashes(keys) >> 2) & 0xFFFF] = hashes(values)
    others = hashes(_PIVOTS)
    pivots[(others >> 2) & 0xFFFF] = others ^ 1  # known by its lowest bit
    return pivots, spelled, digits
