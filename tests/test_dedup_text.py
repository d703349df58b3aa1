"""Near-duplicate texts: what counts as equal, exact Jaccard against plain sets, MinHash and LSH against datasketch, growth."""

import random
import re
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmcurate.dedup import text
from mmcurate.dedup import tokens as reading
from mmcurate.dedup.text import candidates, jaccard, near_pairs, overlap, sketch

LETTER = "a-zA-Z\u00c0-\u1fff\ue000-\U0010ffff"
TOKEN = re.compile(
    rf"[{LETTER}][0-9{LETTER}]*|[0-9]+(?:\.[0-9]+)?|(?<![0-9{LETTER}\u3000-\udfff.])\.[0-9]+"
    r"|[\u3000-\udfff]|[^\x00-\x20\x7f!\"$&'*,.:;?`_]"
)
EXERCISE = re.compile(r"[\x00-\x20(]*[0-9]{1,3}[.)](?=[\x00-\x20])")
NEXT_WORD = re.compile(rf"[\x00-\x20]*[{LETTER}]{{2}}")
ALPHABET = "abcxyzABCD 0123459+-/^.,()[]=<>%|αβΔπ°≤√éß不大三。，-　\n"


def plain_tokens(given_text):
    """What `_tokenise` hashes, by a regular expression over characters."""
    if not given_text.isascii():
        given_text = reading._simple(given_text)
    number = EXERCISE.match(given_text)
    if number:
        given_text = given_text[number.end() :]
    out, word_before = [], False
    for match in TOKEN.finditer(given_text):
        token = match[0]
        if token == "-" and word_before and NEXT_WORD.match(given_text, match.end()):
            continue
        name = (token.isascii() and token == token.upper() and len(token) < 6) or len(token.encode()) == 2 != len(token)
        word_before = bool(re.match(f"[{LETTER}]", token)) and len(token) > 1 and not name
        out.append(("0" if token[0] == "." else "") + "".join(c.lower() if c.isascii() else c for c in token))
    return out


def plain_shingles(given_text, words):
    tokens = plain_tokens(given_text)
    return {tuple(tokens[i : i + words]) for i in range(max(1, len(tokens) - words + 1))}


def documents(number, words=150, seed=0, vocabulary=5000):
    rng = random.Random(seed)
    known = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(vocabulary)]
    return [rng.choices(known, k=words) for _ in range(number)]


def planted(number, most_changed, seed=0):
    """Half documents, half copies of them with some words changed."""
    rng, rows = random.Random(seed), documents(number, seed=seed)
    for row in rows[: number // 2]:
        share = rng.uniform(0, most_changed)
        rows.append([f"{w}q" if rng.random() < share else w for w in row])
    rows = rows[: number // 2] + rows[number:]
    return [" ".join(row) for row in rows]


def slowly(monkeypatch):
    """Takes the numpy ways, as where numba isn't installed."""
    monkeypatch.setattr(text, "HAS_NUMBA", False)
    monkeypatch.setattr(reading, "HAS_NUMBA", False)
    monkeypatch.setattr(reading, "_tokenise", reading._tokenise.__wrapped__)


@settings(max_examples=400, deadline=None)
@given(st.text(ALPHABET, max_size=60), st.text(ALPHABET, max_size=60), st.sampled_from([1, 2, 3, 5]))
@example("", "", 3)
@example("", "a", 3)
@example("12. well-known AB - cd", "Well known AB cd", 1)
@example("若x≤5，则∠ABC=30°。", "若x≤5,则∠ABC=30°", 3)
@example(".5 and 0.5 but x.5", "0.5 and .5 but x 5", 1)
def test_jaccard_is_that_of_the_sets(a, b, words):
    ours, theirs = plain_shingles(a, words), plain_shingles(b, words)
    made = sketch([a, b], words)
    assert [int(v[0]) for v in overlap(made, np.array([[0, 1]]), words)] == [
        len(ours & theirs),
        len(ours),
        len(theirs),
    ]
    found = float(jaccard(made, np.array([[0, 1]]), words)[0])
    assert found == pytest.approx(len(ours & theirs) / len(ours | theirs), abs=1e-6)
    if found == 1:
        assert (made.bands[0] == made.bands[1]).all()


def test_jaccard_of_very_long_and_very_short_texts():
    rows = documents(2, 30_000)
    rows[1][:15_000] = rows[0][:15_000]
    texts = [*(" ".join(row) for row in rows), "", "x", "x y", "X, y?", "y x"]
    sets = [plain_shingles(t, 3) for t in texts]
    pairs = np.array([[i, j] for i in range(len(texts)) for j in range(len(texts))])
    exact = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in pairs]
    np.testing.assert_allclose(jaccard(sketch(texts), pairs), exact, atol=1e-4)  # of 60,000 hashes a few collide


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0^+", "0^-"),
        ("x-3", "x+3"),
        ("-5", "5"),
        ("3.5", "35"),
        (".5", "5"),
        ("5!", "5"),
        ("find f'(2)", "find f(2)"),
        ("|x| = 3", "x = 3"),
        ("10²", "10³"),
        ("1½", "11/2"),
        ("√2 cm", "√3 cm"),
        ("x≤5", "x≥5"),
        ("3×4", "3×5"),
        ("α-β", "α β"),
        ("2πr", "2πx"),
        (r"x \leq y", r"x \geq y"),
        (r"\alpha", r"\beta"),
        ("the length of AB", "the length of CD"),
        ("the length of AB at 30°", "the length of CD at 30°"),
        ("∠ABC", "∠DEF"),
        ("ΔABC", "ΔDEF"),
        ("AB-CD", "AB CD"),
        ("side b", "side c"),
        ("the point 'B'", "the point 'C'"),
        ("it is so", "it is not so"),
        ("the maximum of it", "the minimum of it"),
        ("two apples", "three apples"),
        ("有三个苹果", "有五个苹果"),
        ("这是对的", "这不是对的"),
        ("٣٥", "٤٥"),
    ],
)
def test_symbols_differ(a, b):
    first, second = sketch([f"Tell what {a} is", f"Tell what {b} is"]).symbols
    assert first != second


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("What is x?", "  what is\nX"),
        ('the "cat" sat', "the cat sat"),
        ("the “cat” sat", "the 'cat' sat"),
        ("Janet’s eggs", "Janet's eggs"),
        ("point 'B' is", "point B is"),
        ("the dog's tail isn't", "the dog’s tail isn’t"),
        ("a two-digit number", "a two digit number"),
        ("a thing - or two", "a thing – or two"),
        ("a thing — well known", "a thing well known"),
        ("12. Find x", "Find x"),
        ("(3) Find x", "Find x"),
        (".5 of it", "0.5 of it"),
        ("Wow!", "wow"),
        ("这是什么？", "这是什么"),
        ("他说。", "他说"),
        ("（Ｂ）０．５", "(B)0.5"),
        ("f′(x)", "f'(x)"),
        ("٣٥ km", "35 km"),
    ],
)
def test_symbols_agree(a, b):
    made = sketch([a, b])
    assert made.symbols[0] == made.symbols[1]
    assert jaccard(made, np.array([[0, 1]]))[0] == 1


def test_every_special_word_has_its_own_slot():
    pivots, spelled, digits = reading._tables()
    assert np.count_nonzero(pivots) == len(set(reading._PIVOTS) | set(reading._NEGATIONS))
    assert np.count_nonzero(spelled) == np.count_nonzero(digits) == len(reading._SPELLED)


def test_short_texts_are_compared_whole():
    texts = ["x y", "X y.", "x", "y", "x y z", ""]
    made = sketch(texts)
    pairs = np.array([[0, j] for j in range(1, 6)])
    assert jaccard(made, pairs).tolist() == [1, 0, 0, 0, 0]
    assert near_pairs(texts)[0].tolist() == [[0, 1]]


def test_without_numba_it_is_the_same(monkeypatch):
    texts = [*planted(60, 0.1), "", "x", "12. f'(x) = |x| - 5!", "若x≤5，则∠ABC=30°。", "AB-CD α - β .5 two-digit"]
    fast, pairs = sketch(texts), near_pairs(texts)
    slowly(monkeypatch)
    slow = sketch(texts)
    for name in ("tokens", "offsets", "bands", "symbols"):
        assert np.array_equal(getattr(fast, name), getattr(slow, name)), name
        assert getattr(fast, name).dtype == getattr(slow, name).dtype
    again = near_pairs(texts)
    assert np.array_equal(pairs[0], again[0])
    assert np.array_equal(pairs[1], again[1])


def test_arrow_input_in_any_shape():
    texts = ["a b c d", None, "", "ü b c d", "x"]
    whole = sketch([t or "" for t in texts])
    for column in (
        pa.array(texts),
        pa.array(["cut off", *texts], pa.large_string()).slice(1),
        pa.chunked_array([texts[:2], texts[2:]], pa.string()),
    ):
        made = sketch(column)
        assert np.array_equal(made.tokens, whole.tokens)
        assert np.array_equal(made.bands, whole.bands)
    assert len(sketch([])) == 0
    assert near_pairs([])[0].shape == (0, 2)
    many = sketch(texts * 5000)  # over several parts
    assert np.array_equal(many.bands, np.tile(whole.bands, (5000, 1)))


def test_estimates_agree_with_datasketch():
    datasketch = pytest.importorskip("datasketch")
    num, texts = 256, planted(120, 0.3)
    made = sketch(texts, num_bands=num, band_rows=1)  # one hash a band: each band is one MinHash
    theirs = []
    for i in range(len(texts)):
        tokens = made.tokens[made.offsets[i] : made.offsets[i + 1]]
        hashes = datasketch.MinHash(num, hashfunc=lambda b: int.from_bytes(b, "little"))
        hashes.update_batch([int(h).to_bytes(4, "little") for h in text.shingles(tokens, 3)])
        theirs.append(hashes)
    pairs = np.array([[i, i + 60] for i in range(60)])
    exact = jaccard(made, pairs)
    ours = (made.bands[pairs[:, 0]] == made.bands[pairs[:, 1]]).mean(1) - exact
    other = np.array([theirs[i].jaccard(theirs[j]) for i, j in pairs]) - exact
    sigma = np.sqrt(exact * (1 - exact) / num)
    for errors in (ours, other):
        assert (np.abs(errors) <= 4 * sigma + 1e-9).all()
        assert abs(errors.mean()) < 4 * np.sqrt((sigma**2).sum()) / len(pairs)
    assert np.sqrt((ours**2).mean()) < 1.3 * np.sqrt((other**2).mean())


def test_pairs_found_beside_datasketch():
    datasketch = pytest.importorskip("datasketch")
    texts = planted(1000, 0.08)
    sets = [[" ".join(s).encode() for s in plain_shingles(t, 3)] for t in texts]
    lsh, found = datasketch.MinHashLSH(num_perm=125, params=(25, 5)), set()
    for i, hashes in enumerate(datasketch.MinHash.generator(sets, num_perm=125)):
        found.update((j, i) for j in lsh.query(hashes))
        lsh.insert(i, hashes)
    true = {(i, i + 500) for i in range(500) if jaccard_of(sets[i], sets[i + 500]) >= 0.7}
    ours, similar = near_pairs(texts)
    ours = set(map(tuple, ours.tolist()))
    assert len(true) > 300
    assert len(ours & true) >= len(found & true) - 5
    assert len(ours & true) >= 0.98 * len(true)
    assert ours <= true
    assert (similar >= 0.7).all()


def jaccard_of(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


@pytest.mark.parametrize(("changed", "num_bands", "band_rows"), [(0.10, 25, 5), (0.18, 25, 5), (0.10, 8, 4)])
def test_pairs_are_proposed_as_often_as_the_formula_says(changed, num_bands, band_rows):
    rows = documents(2000, 60)
    rng = random.Random(1)
    copies = [[f"{w}q" if rng.random() < changed else w for w in row] for row in rows]
    made = sketch([" ".join(r) for r in rows + copies], num_bands=num_bands, band_rows=band_rows)
    pairs = np.array([[i, i + 2000] for i in range(2000)])
    s = jaccard(made, pairs).astype(float)
    expected = 1 - (1 - s**band_rows) ** num_bands
    proposed = set(map(tuple, candidates(made.bands).tolist()))
    found = sum(tuple(p) in proposed for p in pairs.tolist())
    spread = np.sqrt((expected * (1 - expected)).sum())
    assert spread > 3
    assert abs(found - expected.sum()) < 4 * spread


def test_the_order_of_texts_does_not_matter():
    texts = planted(400, 0.06)
    order = np.random.default_rng(0).permutation(len(texts))
    first = near_pairs(texts)[0]
    second = order[near_pairs([texts[i] for i in order])[0]]
    assert sorted(map(tuple, first.tolist())) == sorted(tuple(sorted(p)) for p in second.tolist())


def test_groups_keep_texts_apart():
    texts = planted(200, 0.05)
    bands = sketch(texts).bands
    groups = np.arange(len(texts)) % 7
    within = candidates(bands, groups)
    pairs = candidates(bands)
    assert {tuple(p) for p in pairs.tolist() if groups[p[0]] == groups[p[1]]} == set(map(tuple, within.tolist()))
    assert len(candidates(bands, np.arange(len(texts)))) == 0


def test_too_many_texts_are_refused():
    bands = np.broadcast_to(np.zeros((1, 1), np.uint32), (1 << 24, 1))
    with pytest.raises(ValueError, match="split them"):
        candidates(bands)


def test_one_letter_five_million_times():
    made = sketch(["a" * 5_000_000, "a " * 2_500_000, "a" * 5_000_000])
    assert np.diff(made.offsets).tolist() == [1, 2_500_000, 1]
    assert jaccard(made, np.array([[0, 1], [0, 2], [1, 1]])).tolist() == [0, 1, 1]


def test_equal_texts_give_linearly_many_pairs():
    num = 100_000
    pairs = near_pairs(["What is the missing number in the part of the figure?"] * num)[0]
    assert len(pairs) < 10 * num
    assert len(np.unique(pairs)) == num
    assert (pairs[:, 0] == 0).sum() == num - 1, "each is paired with the first"


def test_a_template_gives_linearly_many_pairs():
    num = 20_000
    words = documents(1, 40)[0]
    texts = [" ".join([*words[:20], f"number {i}", *words[20:]]) for i in range(num)]
    tracemalloc.start()
    pairs = candidates(sketch(texts).bands)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num < len(pairs) < 25 * 9 * num
    assert peak < 400e6
    assert len(np.unique(sketch(texts).symbols)) == num, "so as questions they are all different"


def test_hostile_characters():
    texts = [
        "\x00\x01",
        "\ud7ff\ue000",
        "🙂" * 50,
        "a\u0301" * 1000,
        "-" * 10_000,
        "." * 10_000,
        "'!" * 5000,
        "3." * 999,
    ]
    made = sketch(texts)
    assert len(made) == len(texts)
    assert (overlap(made, np.array([[i, i] for i in range(len(texts))]), 3)[0] >= 1).all()
