"""Near-duplicate pictures: bytes to signature beside Pillow's bare draft decode, and what confirming a pair costs.

    OMP_NUM_THREADS=1 python tests/benchmarks/near_pictures.py [--pictures 300]

JPEGs of 640 x 480 (soft shapes with grain, quality 85), and drawn diagrams as PNG. The floor is `draft("L", (64, 64))` and
`load()`, or `load()` alone for PNG. imagehash is shown where it is installed. CPU milliseconds a picture, the best of five
rounds, which alternate.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageDraw

from mmcurate.dedup import confirm, image
from mmcurate.sources import Procedural

ROUNDS = 5


def photos(number: int) -> list[bytes]:
    random, out = np.random.default_rng(0), []
    for _ in range(number):
        coarse = random.integers(0, 256, (12, 16, 3), np.uint8)
        picture = PIL.Image.fromarray(coarse).resize((640, 480), PIL.Image.Resampling.BICUBIC)
        grain = np.asarray(picture, np.float32) + random.normal(0, 6, (480, 640, 1))
        picture = PIL.Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=85)
        out.append(file.getvalue())
    return out


def draft(data: bytes) -> None:
    picture = PIL.Image.open(io.BytesIO(data))
    picture.draft("L", (64, 64))
    picture.load()


def signature(data: bytes) -> None:
    image.thumbnails(data)


def hashes() -> dict[str, Callable[[bytes], object]]:
    try:
        import imagehash
    except ImportError:
        print("imagehash isn't installed")
        return {}
    return {
        "imagehash dHash": lambda data: imagehash.dhash(PIL.Image.open(io.BytesIO(data))),
        "imagehash pHash": lambda data: imagehash.phash(PIL.Image.open(io.BytesIO(data))),
    }


def timed(way: Callable[[bytes], object], files: list[bytes]) -> float:
    begin = time.process_time()
    for data in files:
        way(data)
    return (time.process_time() - begin) / len(files) * 1000


def confirmations() -> None:
    drawn = [PIL.Image.open(io.BytesIO(r["images"][0])).convert("RGB") for r in Procedural(16, families=["bar_chart"])]
    large = [picture.resize((640, 480), PIL.Image.Resampling.LANCZOS) for picture in drawn]

    def look(picture: PIL.Image.Image, quality: int) -> confirm.Look:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return confirm.look(file.getvalue())

    seen, again = [look(p, 95) for p in large], [look(p, 75) for p in large]
    changed = []
    for picture in large:
        other = picture.copy()
        PIL.ImageDraw.Draw(other).ellipse([300, 200, 312, 212], fill="black")
        changed.append(look(other, 95))
    cases = {
        "make ready (640 x 480)": None,
        "accepted": again,
        "rejected at the end (one point more)": changed,
        "rejected early (another picture)": seen[5:] + seen[:5],
    }
    files = [io.BytesIO() for _ in large]
    for file, picture in zip(files, large, strict=True):
        picture.save(file, "JPEG", quality=95)
    print(f"\n{'one confirmation':38} {'CPU ms':>8} {'accepted':>9}")
    for name, others in cases.items():
        best, said = float("inf"), []
        for _ in range(3):
            begin = time.process_time()
            if others is None:
                for file in files:
                    confirm.look(file.getvalue())
            else:
                said = [confirm.same_picture(a, b) for a, b in zip(seen, others, strict=True)]
            best = min(best, (time.process_time() - begin) / len(large))
        print(f"{name:38} {best * 1000:8.2f} {f'{sum(said)} of {len(said)}' if said else '':>9}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=300)
    number = parser.parse_args().pictures
    sets = {
        "JPEG 640 x 480": (photos(number), draft),
        "PNG diagrams": (
            [row["images"][0] for row in Procedural(number)],
            lambda d: PIL.Image.open(io.BytesIO(d)).load(),
        ),
    }
    peers = hashes()
    print(f"{'pictures':16} {'way':18} {'CPU ms':>8} {'of the floor':>13}")
    for name, (files, floor) in sets.items():
        ways = {"the floor": floor, "mmcurate": signature, **peers}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for way, function in ways.items():
                best[way] = min(best[way], timed(function, files))
        for way, spent in best.items():
            print(f"{name:16} {way:18} {spent:8.3f} {spent / best['the floor']:12.2f}x")
    confirmations()


if __name__ == "__main__":
    main()
