"""Writes each of the recipe's data sets in the layout that it is published in.

A row is a dict of `question`, `answer` and, where they are, `id`, `options` (texts) and `images` (bytes); `raw` holds columns to be
written exactly so, instead of what would be made of the others. Rows may be a generator: memory stays small.
"""

import io
import itertools
import json
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmcurate.answers import LETTERS

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_BATCH = 500


def _png(side, colour_type, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def tiny_png(number, side=16):
    """A PNG of one colour that no other number has; in microseconds."""
    pixel = (number & 0xFFFFFF).to_bytes(3, "big")
    return _png(side, 2, (b"\0" + pixel * side) * side)


def mosaic(seed):
    """A PNG of 6 x 6 grey tiles, 48 pixels wide and high; those of two seeds don't look alike. In microseconds."""
    tiles = random.Random(f"mosaic-{seed}").randbytes(36)
    lines = (b"".join(bytes([tile]) * 8 for tile in tiles[i : i + 6]) for i in range(0, 36, 6))
    return _png(48, 0, b"".join((b"\0" + line) * 8 for line in lines))


class Parts(io.RawIOBase):
    """A file that is cut into parts while it is written: image.zip.part-aa, -ab, ..."""

    def __init__(self, stem, part_bytes):
        self.stem, self.part_bytes, self.number, self.file = stem, part_bytes, 0, None

    def writable(self):
        return True

    def write(self, data):
        data = memoryview(data).cast("B")
        done = 0
        while done < len(data):
            if self.file is None or self.file.tell() == self.part_bytes:
                self._next()
            room = self.part_bytes - self.file.tell()
            done += self.file.write(data[done : done + room])
        return len(data)

    def _next(self):
        self.flush()
        if self.file:
            self.file.close()
        suffix = "".join("abcdefghijklmnopqrstuvwxyz"[n] for n in divmod(self.number, 26))
        self.file = open(f"{self.stem}.part-{suffix}", "wb")  # noqa: SIM115
        self.number += 1

    def close(self):
        if self.file:
            self.file.close()
        super().close()


def lines(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def array(path, rows):
    """One JSON array, an object a line."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n")
        for i, row in enumerate(rows):
            file.write((",\n" if i else "") + json.dumps(row, ensure_ascii=False))
        file.write("\n]\n")


def parquet(path, rows, schema, image_column=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    if image_column:
        kind = {"_type": "Image"}
        kind = [kind] if pa.types.is_list(schema.field(image_column).type) else kind
        features = {"info": {"features": {image_column: kind}}}
        schema = schema.with_metadata({b"huggingface": json.dumps(features).encode()})
    with pq.ParquetWriter(path, schema) as writer:
        for batch in _batches(rows):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _batches(rows):
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def texts(*names):
    return pa.schema([(name, pa.string()) for name in names])


def letter(row):
    """The gold as a letter where there are options."""
    options = row.get("options")
    return LETTERS[options.index(row["answer"])] if options else row["answer"]


def asked(row, head="\nChoices:\n", style="{}. {}", between="\n"):
    """The question with its options in the text."""
    options = row.get("options") or []
    return (
        row["question"]
        + head * bool(options)
        + between.join(style.format(LETTERS[i], o) for i, o in enumerate(options))
    )


def picture(row, number, name="picture"):
    images = row.get("images") or []
    return {"bytes": images[0], "path": f"{name}-{number}.png"} if images else None


def _id(row, number):
    return str(row.get("id", number))


# --- the SFT sources -------------------------------------------------------------------------------------------------


def write_llava_cot(folder, rows, part_bytes=1 << 26, prefix=""):
    """`train.jsonl` and a zip cut into parts; `prefix` stands before the members' names."""
    stream = io.BufferedWriter(Parts(folder / "image.zip", part_bytes))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:

        def made():
            for i, row in enumerate(rows):
                out = {"id": _id(row, i), "conversations": turns(row)}
                if row.get("images"):
                    out["image"] = f"geoqa+/images/{i}.png"
                out |= row.get("raw", {})
                for data in row.get("images") or ():
                    if prefix + out["image"] not in archive.NameToInfo:
                        archive.writestr(prefix + out["image"], data)
                yield out

        def turns(row):
            said = (
                "<SUMMARY> I look. </SUMMARY>\n\n<CAPTION> A picture. </CAPTION>\n\n<REASONING> So it is. </REASONING>\n\n"
                f"<CONCLUSION> {letter(row)} </CONCLUSION>"
            )
            return [{"from": "human", "value": asked(row)}, {"from": "gpt", "value": said}]

        lines(folder / "train.jsonl", made())
    stream.close()


def _thought(row):
    return f"<think>So it is.</think>\n<answer>{letter(row)}</answer>"


def _messages(row):
    tag = "<image>" * len(row.get("images") or ())
    return [{"role": "user", "content": tag + asked(row)}, {"role": "assistant", "content": _thought(row)}]


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def write_openvlthinker(folder, rows):
    """Conversations in Parquet, pictures inside."""

    def made():
        for i, row in enumerate(rows):
            images = [{"bytes": data, "path": f"{i}.png"} for data in row.get("images") or ()]
            yield {"messages": _messages(row), "images": images, **row.get("raw", {})}

    schema = pa.schema([("messages", MESSAGES), ("images", pa.list_(IMAGE))])
    parquet(folder / "data" / "train-00000-of-00001.parquet", made(), schema, "images")


def write_wemath_sft(folder, rows):
    """`mathbook_sft.jsonl` and loose pictures; rows without one have no `images`."""
    (folder / "images").mkdir()

    def made():
        for i, row in enumerate(rows):
            out = {"messages": _messages(row)}
            for k, data in enumerate(row.get("images") or ()):
                (folder / "images" / f"{i}_{k}.png").write_bytes(data)
                out.setdefault("images", []).append(f"images/{i}_{k}.png")
            yield out | row.get("raw", {})

    lines(folder / "mathbook_sft.jsonl", made())


def write_mmr1(folder, rows, part_rows=8000):
    """One JSON array and tars of some thousand rows' pictures each."""
    tars = {}

    def add(number, name, data):
        part = number // part_rows
        if part not in tars:
            for tar in tars.values():
                tar.close()
            tars[part] = tarfile.open(folder / f"part_{part:04d}.tar", "w")  # noqa: SIM115
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tars[part].addfile(info, io.BytesIO(data))
        tars[part].members.clear()

    def made():
        for i, row in enumerate(rows):
            names = [f"images/mm_math_{i}_{k}.png" for k in range(len(row.get("images") or ()))]
            for name, data in zip(names, row.get("images") or (), strict=True):
                add(i, name, data)
            said = f"<think>So it is.</think>\n\nIt is $\\boxed{{{letter(row)}}}$."
            turns = [{"from": "human", "value": "<image>" * len(names) + asked(row)}, {"from": "gpt", "value": said}]
            yield {"conversations": turns, "images": names, **row.get("raw", {})}

    array(folder / "sft.json", made())
    for tar in tars.values():
        tar.close()
    (folder / "dataset_info.json").write_text('{"mmr1": {"file_name": "sft.json", "formatting": "sharegpt"}}')


def write_miromind(folder, rows):
    """id, question, response; no picture."""

    def made():
        for i, row in enumerate(rows):
            said = f"<think>So it is.</think>\n\nThe result is $\\boxed{{{letter(row)}}}$."
            yield {"id": _id(row, i), "question": asked(row), "response": said, **row.get("raw", {})}

    parquet(folder / "data" / "train-00000-of-00001.parquet", made(), texts("id", "question", "response"))


# --- the RL sources --------------------------------------------------------------------------------------------------


def write_virl39k(folder, rows):
    """`39Krelease.parquet` and `images.zip`."""
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_STORED) as archive:

        def made():
            for i, row in enumerate(rows):
                name = _id(row, i)
                names = [f"images/{name}-{k}.jpg" for k in range(len(row.get("images") or ()))]
                for member, data in zip(names, row.get("images") or (), strict=True):
                    archive.writestr(member, data)
                yield {
                    "question": "<image>" * len(names) + asked(row, "\nChoices: ", "({}) {}", " "),
                    "answer": f"\\boxed{{{letter(row)}}}",
                    "PassRate_32BTrained": 0.5,
                    "PassRate_7BBase": -1.0,
                    "category": "Geometry",
                    "source": "GeoX",
                    "qid": name,
                    "image": names,
                    **row.get("raw", {}),
                }

        schema = pa.schema(
            [
                *texts("question", "answer"),
                ("PassRate_32BTrained", pa.float64()),
                ("PassRate_7BBase", pa.float64()),
                *texts("category", "source", "qid"),
                ("image", pa.list_(pa.string())),
            ]
        )
        parquet(folder / "39Krelease.parquet", made(), schema)


def write_thinklite(folder, rows):
    """One Parquet file with raw bytes."""

    def made():
        for i, row in enumerate(rows):
            images = row.get("images") or [None]
            yield {
                "id": i,
                "problem": "<image>" + asked(row),
                "answer": letter(row),
                "image": images[0],
                **row.get("raw", {}),
            }

    schema = pa.schema([("id", pa.int64()), *texts("problem", "answer"), ("image", pa.binary())])
    parquet(folder / "ThinkLite-VL-Hard-11k.parquet", made(), schema)


def write_tqa(folder, rows, split="train"):
    """images, problem, answer."""

    def made():
        for i, row in enumerate(rows):
            images = [{"bytes": data, "path": f"{i}.png"} for data in row.get("images") or ()]
            yield {
                "images": images,
                "problem": "<image>" * len(images) + asked(row, "\n"),
                "answer": letter(row),
                **row.get("raw", {}),
            }

    schema = pa.schema([("images", pa.list_(IMAGE)), *texts("problem", "answer")])
    parquet(folder / "data" / f"{split}-00000-of-00001.parquet", made(), schema, "images")


def write_wemath_standard(folder, rows):
    """The split "standard", and a second file in another layout, which isn't to be read."""
    names = [f"knowledge-level{i}" for i in (1, 2, 3, 4)] + ["knowledge", "principle", "idx", "answer"]

    def made():
        for i, row in enumerate(rows):
            yield {
                "id": _id(row, i),
                "question": asked(row, " ", "{}. {}", " "),
                "image": picture(row, i),
                "knowledge-level1": "Geometry",
                "knowledge-level2": "Plane",
                "knowledge-level3": "Triangles",
                "knowledge-level4": "Angles",
                "knowledge": "Angle sum",
                "principle": "180 degrees",
                "idx": str(i),
                "answer": letter(row),
                **row.get("raw", {}),
            }

    schema = pa.schema([*texts("id", "question"), ("image", IMAGE), *texts(*names)])
    parquet(folder / "data" / "standard-00000-of-00001-0123456789abcdef.parquet", made(), schema, "image")
    other = [{"problem": "Not this file", "answer": "0", "images": []}]
    parquet(
        folder / "mathbook_standard.parquet",
        other,
        pa.schema([*texts("problem", "answer"), ("images", pa.list_(pa.binary()))]),
    )


def write_wemath_pro(folder, rows):
    """The split "pro" in two shards."""
    rows = iter(rows)
    schema = pa.schema(
        [
            *texts("question_id", "question"),
            ("image", IMAGE),
            *texts("difficulty"),
            ("knowledge points", pa.list_(pa.string())),
            *texts("idx", "answer"),
        ]
    )

    def made(rows, start):
        for i, row in enumerate(rows, start):
            yield {
                "question_id": _id(row, i),
                "question": asked(row),
                "image": picture(row, i),
                "difficulty": "xy",
                "knowledge points": ["Area"],
                "idx": str(i),
                "answer": letter(row),
                **row.get("raw", {}),
            }

    first = list(itertools.islice(rows, 2))
    parquet(folder / "data" / "pro-00000-of-00002-0123456789abcdef.parquet", made(first, 0), schema, "image")
    parquet(folder / "data" / "pro-00001-of-00002-0123456789abcdef.parquet", made(rows, 2), schema, "image")


def write_mmk12(folder, rows, split="train"):
    """id, question, answer, subject, image."""

    def made():
        for i, row in enumerate(rows):
            yield {
                "id": _id(row, i),
                "question": asked(row, "\n"),
                "answer": letter(row) if row.get("options") else f"$${row['answer']}$$",
                "subject": "math",
                "image": picture(row, i),
                **row.get("raw", {}),
            }

    schema = pa.schema([*texts("id", "question", "answer", "subject"), ("image", IMAGE)])
    parquet(folder / "data" / f"{split}-00000-of-00001.parquet", made(), schema, "image")


def write_puzzlevqa(folder, rows):
    """image, question, options, answer, caption, explanation, deduction."""
    said = ("caption", "explanation", "deduction")

    def made():
        for i, row in enumerate(rows):
            out = {"image": picture(row, i), "question": row["question"], "options": row["options"]}
            yield (
                out
                | {"answer": row["answer"]}
                | {name: row.get(name, f"A {name}.") for name in said}
                | row.get("raw", {})
            )

    schema = pa.schema(
        [("image", IMAGE), *texts("question"), ("options", pa.list_(pa.string())), *texts("answer", *said)]
    )
    parquet(folder / "data" / "train-00000-of-00001.parquet", made(), schema, "image")


def write_algopuzzlevqa(folder, rows):
    """Arrow files under data/, with a `solution` that has the puzzle's own form."""
    (folder / "data").mkdir()
    solution = pa.struct([("cuts", pa.int64()), ("steps", pa.list_(pa.list_(pa.int64())))])
    schema = pa.schema(
        [
            ("image", IMAGE),
            *texts("question"),
            ("options", pa.list_(pa.string())),
            *texts("answer"),
            ("solution", solution),
        ]
    )
    with (
        pa.OSFile(str(folder / "data" / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, schema) as out,
    ):
        for start, batch in enumerate(_batches(rows)):
            made = [
                {
                    "image": picture(row, start * _BATCH + i),
                    "question": row["question"],
                    "options": row["options"],
                    "answer": row["answer"],
                    "solution": {"cuts": 6, "steps": [[1, 2]]},
                    **row.get("raw", {}),
                }
                for i, row in enumerate(batch)
            ]
            out.write_table(pa.Table.from_pylist(made, schema))
    (folder / "data" / "dataset_info.json").write_text("{}")


def write_all(root, rows):
    """Writes the same rows as each of the thirteen; rows without options aren't puzzles, and MiroMind takes no pictures."""
    from mmcurate import sources

    out = {}
    for name, write in WRITERS.items():
        folder = Path(root) / name
        folder.mkdir(parents=True)
        mine = [{**row, "images": []} for row in rows] if name == "MiroMind" else rows
        write(folder, [row for row in mine if row.get("options")] if name.endswith("PuzzleVQA") else mine)
        out[getattr(sources, name)] = folder
    return out


WRITERS = {
    "LLaVACoT": write_llava_cot,
    "OpenVLThinker": write_openvlthinker,
    "WeMathSFT": write_wemath_sft,
    "MMR1": write_mmr1,
    "MiroMind": write_miromind,
    "ViRL39K": write_virl39k,
    "ThinkLite": write_thinklite,
    "TQA": write_tqa,
    "WeMathStandard": write_wemath_standard,
    "WeMathPro": write_wemath_pro,
    "MMK12": write_mmk12,
    "PuzzleVQA": write_puzzlevqa,
    "AlgoPuzzleVQA": write_algopuzzlevqa,
}
