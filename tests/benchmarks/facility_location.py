"""Facility location: seconds, and the value reached, beside naive greedy, stochastic greedy, random picks and submodlib.

    OMP_NUM_THREADS=2 python tests/benchmarks/facility_location.py [--small]

The value is the mean, over all rows, of the similarity to the nearest picked one. submodlib (pip install submodlib-py) is
shown where it can be imported; it wants all N^2 similarities at once, so only the small problems are its.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from mmcurate.sample import facility_location

DIMENSIONS = 256
CLUSTERS = 2000


def vectors(kind: str, number: int) -> np.ndarray:
    random = np.random.default_rng(0)
    out = random.standard_normal((number, DIMENSIONS), np.float32)
    if kind == "clustered":
        out += random.standard_normal((CLUSTERS, DIMENSIONS), np.float32)[random.integers(0, CLUSTERS, number)]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def value(rows: np.ndarray, picked: np.ndarray) -> float:
    best = [
        np.maximum((rows[i : i + 4096] @ rows[picked].T).max(axis=1), 0).sum(dtype=float)
        for i in range(0, len(rows), 4096)
    ]
    return sum(best) / len(rows)


def ours(rows: np.ndarray, num: int) -> np.ndarray:
    return facility_location(rows, num)[0]


def naive(rows: np.ndarray, num: int) -> np.ndarray:
    similar = np.maximum(rows @ rows.T, 0)
    cover, picked = np.zeros(len(rows), np.float32), []
    for _ in range(num):
        gain = np.maximum(similar - cover, 0).sum(axis=1)
        gain[picked] = -1
        picked.append(int(gain.argmax()))
        np.maximum(cover, similar[picked[-1]], out=cover)
    return np.array(picked)


def stochastic(rows: np.ndarray, num: int) -> np.ndarray:
    """Mirzasoleiman et al. (2015), each pick from a sample of N / num * ln(100)."""
    random = np.random.default_rng(0)
    cover, picked = np.zeros(len(rows), np.float32), []
    size = int(np.ceil(len(rows) / num * np.log(100)))
    for _ in range(num):
        sample = random.choice(len(rows), size, replace=False)
        similar = rows[sample] @ rows.T
        best = int(np.maximum(similar - cover, 0).sum(axis=1).argmax())
        picked.append(int(sample[best]))
        np.maximum(cover, similar[best], out=cover)
    return np.array(picked)


def at_random(rows: np.ndarray, num: int) -> np.ndarray:
    return np.random.default_rng(0).choice(len(rows), num, replace=False)


def submodlib(rows: np.ndarray, num: int) -> np.ndarray:
    from submodlib import FacilityLocationFunction

    similar = np.maximum(rows @ rows.T, 0)
    function = FacilityLocationFunction(n=len(rows), mode="dense", sijs=similar, separate_rep=False)
    made = function.maximize(budget=num, optimizer="LazyGreedy", stopIfZeroGain=False, show_progress=False)
    return np.array([index for index, _ in made])


def main() -> None:
    ways: list[Callable[[np.ndarray, int], np.ndarray]] = [ours, naive, stochastic, at_random]
    try:
        import submodlib as _  # noqa: F401

        ways.append(submodlib)
    except ImportError:
        print("submodlib isn't installed")
    ours(vectors("clustered", 6000), 10)  # compiles
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{os.cpu_count()} processors, OMP_NUM_THREADS = {threads}, {DIMENSIONS} dimensions\n")
    print(f"{'rows':>10} {'picked':>7} {'data':10} {'way':11} {'seconds':>8} {'value':>8}")
    for number, num in ((2_000, 200), (5_000, 500), (20_000, 2_000), (100_000, 10_000)):
        for kind in ("clustered", "random"):
            rows = vectors(kind, number)
            for way in ways:
                if number > 5_000 and way in (naive, submodlib):
                    continue
                if number > 20_000 and (way is stochastic or "--small" in sys.argv):
                    continue
                begin = time.perf_counter()
                picked = way(rows, num)
                seconds = time.perf_counter() - begin
                print(
                    f"{number:10,} {num:7,} {kind:10} {way.__name__:11} {seconds:8.2f} {value(rows, picked):8.5f}",
                    flush=True,
                )
    print(f"\nlargest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
