"""Near-duplicate texts, from raw strings to confirmed pairs, beside datasketch, rensa and gaoya in one run.

    python tests/benchmarks/near_text.py [--documents 20000 200000] [--all]

Documents of 1 KB in words of a Zipf-like vocabulary; a fifth are copies of others with up to 9 % of their words changed.
All take shingles of three words and 25 bands of 5 MinHashes, all confirm at a Jaccard similarity of 0.7; the peers' pairs by
sets in Python (ours are exact too). Truth: the sets of the planted pairs. CPU seconds of the process, the best of two rounds,
which alternate; the slow peers run on the small set only, unless --all is given.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np

from mmcurate.dedup.text import near_pairs

BANDS, BAND_ROWS, WORDS, THRESHOLD = 25, 5, 3, 0.7
CHARACTERS = 1000
Pairs = set[tuple[int, int]]


def documents(number: int) -> tuple[list[str], Pairs]:
    """Returns texts, and the planted pairs among them."""
    random = np.random.default_rng(number)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.array(["".join(random.choice(letters, n)) for n in random.integers(2, 11, 30_000)], object)
    weights = 1 / (np.arange(len(vocabulary)) + 50)
    weights /= weights.sum()
    words = random.choice(len(vocabulary), (number, 160), p=weights)
    copies = number // 5
    originals = random.permutation(number - copies)[:copies]
    for place, original in enumerate(originals, number - copies):
        changed = random.random(160) < random.uniform(0, 0.09)
        words[place] = words[original]
        words[place, changed] = random.integers(0, len(vocabulary), changed.sum())
    order = random.permutation(number)  # order[i] is where document i goes
    texts = [""] * number
    for place, row in enumerate(vocabulary[words]):
        texts[order[place]] = " ".join(row)[:CHARACTERS]
    pairs = {
        tuple(sorted((int(order[a]), int(order[b]))))
        for a, b in zip(originals, range(number - copies, number), strict=True)
    }
    return texts, pairs


def tokens(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))]


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def confirmed(texts: list[str], candidates: Pairs) -> Pairs:
    sets = {i: set(tokens(texts[i])) for pair in candidates for i in pair}
    return {(i, j) for i, j in candidates if jaccard(sets[i], sets[j]) >= THRESHOLD}


def mmcurate(texts: list[str]) -> Pairs:
    return set(map(tuple, near_pairs(texts, THRESHOLD)[0].tolist()))


def datasketch(texts: list[str]) -> Pairs:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=BANDS * BAND_ROWS, params=(BANDS, BAND_ROWS))
    found: Pairs = set()
    made = MinHash.generator(([t.encode() for t in tokens(text)] for text in texts), num_perm=BANDS * BAND_ROWS)
    for i, hashes in enumerate(made):
        found.update((j, i) for j in index.query(hashes))
        index.insert(i, hashes)
    return confirmed(texts, found)


def rensa(texts: list[str]) -> Pairs:
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=THRESHOLD, num_perm=BANDS * BAND_ROWS, num_bands=BANDS)
    hashes = RMinHash.from_token_sets([tokens(text) for text in texts], BANDS * BAND_ROWS, 1)
    index.insert_many(hashes)
    found = {(j, i) for i, others in enumerate(index.query_all(hashes)) for j in others if j < i}
    return confirmed(texts, found)


def gaoya(texts: list[str]) -> Pairs:
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD - 0.2,  # of estimates
        num_bands=BANDS,
        band_size=BAND_ROWS,
        analyzer="word",
        lowercase=True,
        ngram_range=(WORDS, WORDS),
    )
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    found = {(j, i) for i, others in enumerate(index.par_bulk_query(texts)) for j in others if j < i}
    return confirmed(texts, found)


WAYS: list[tuple[Callable[[list[str]], Pairs], bool]] = [
    (mmcurate, True),
    (rensa, True),
    (gaoya, True),
    (datasketch, False),
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    ways = []
    for way, fast in WAYS:
        if importlib.util.find_spec(way.__name__) is None:
            print(f"{way.__name__} isn't installed")
        else:
            ways.append((way, fast))
    mmcurate(["compiles"] * 3)
    head = f"{'documents':>10} {'way':12} {'CPU s':>8} {'documents/CPU s':>16} {'recall':>8} {'pairs':>8} {'ratio':>7}"
    print(head)
    for number in options.documents:
        texts, planted = documents(number)
        over = confirmed(texts, planted)
        print(f"{len(planted):,} planted, {len(over):,} of them at least {THRESHOLD}")
        seconds: dict[str, float] = {}
        found: dict[str, Pairs] = {}
        used = [way for way, fast in ways if fast or options.all or number <= 20_000]
        for _ in range(2):
            for way in used:
                begin = time.process_time()
                found[way.__name__] = way(texts)
                spent = time.process_time() - begin
                seconds[way.__name__] = min(seconds.get(way.__name__, 1e9), spent)
        for name, spent in seconds.items():
            print(
                f"{number:10,} {name:12} {spent:8.2f} {number / spent:16,.0f} {len(found[name] & over) / len(over):8.4f} "
                f"{len(found[name]):8,} {spent / seconds['mmcurate']:6.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
