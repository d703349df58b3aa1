"""Writes each of the nine benchmarks in the layout that it is published in.

A row is a dict of published columns; those that it leaves out get what is usual, and pictures are given as bytes.
"""

from pathlib import Path

import pyarrow as pa

from tests.layouts import IMAGE, parquet, texts

STRINGS = pa.list_(pa.string())


def shard(split, folder="data"):
    return f"{folder}/{split}-00000-of-00001.parquet".removeprefix("/")


def write(file, rows, schema, usual=None):
    """One Parquet file; columns of pictures become structs of bytes and path."""
    pictures = [field.name for field in schema if field.type == IMAGE]

    def made():
        for i, row in enumerate(rows):
            assert not set(row) - set(schema.names), row
            out = {**(usual or {}), **row}
            for name in pictures:
                if out.get(name) is not None:
                    out[name] = {"bytes": out[name], "path": f"{name}-{i}.png"}
            yield out

    parquet(file, made(), schema, pictures[0] if pictures else None)


def struct(*names):
    return pa.struct([(name, pa.string()) for name in names])


MATHVISTA = pa.schema(
    [
        *texts("pid", "question", "image"),
        ("decoded_image", IMAGE),
        ("choices", STRINGS),
        ("unit", pa.string()),
        ("precision", pa.float64()),
        *texts("answer", "question_type", "answer_type"),
        (
            "metadata",
            pa.struct(
                [
                    *(
                        (n, pa.string())
                        for n in ("split", "language", "source", "category", "task", "context", "grade")
                    ),
                    ("skills", STRINGS),
                    ("img_width", pa.int64()),
                ]
            ),
        ),
        *texts("query"),
    ]
)
ABOUT_VISTA = {
    "language": "english",
    "source": "GeoQA+",
    "category": "math-targeted-vqa",
    "task": "geometry problem solving",
}


def write_mathvista(folder, rows, split="testmini"):
    usual = {"question_type": "free_form", "answer_type": "integer", "query": "Hint: Please answer.\nQuestion: ..."}
    usual["metadata"] = {
        **ABOUT_VISTA,
        "context": "geometry diagram",
        "grade": "high school",
        "skills": ["geometry reasoning"],
    }
    write(folder / shard(split), rows, MATHVISTA, usual)


MATHVISION = pa.schema(
    [
        *texts("id", "question"),
        ("options", STRINGS),
        *texts("image"),
        ("decoded_image", IMAGE),
        *texts("answer", "solution"),
        ("level", pa.int64()),
        *texts("subject"),
    ]
)


def write_mathvision(folder, rows, split="test"):
    write(folder / shard(split), rows, MATHVISION, {"options": [], "level": 2, "subject": "counting"})


MATHVERSE = pa.schema(
    [
        *texts("sample_index", "problem_index", "problem_version", "question"),
        ("image", IMAGE),
        *texts("answer", "question_type", "question_for_eval", "query_wo", "query_cot"),
        ("metadata", struct("split", "source", "subject", "subfield")),
    ]
)


def write_mathverse(folder, rows, config="testmini"):
    usual = {
        "problem_version": "Text Dominant",
        "question_type": "free-form",
        "query_wo": "Please directly answer the question and provide the final value, e.g., 1, 2.5, 300.\nQuestion: ...",
        "metadata": {"split": "testmini", "source": "GeoQA", "subject": "Plane Geometry", "subfield": "Angle"},
    }
    schema = MATHVERSE
    if config.endswith("text_only"):
        schema = pa.schema([field for field in schema if field.name != "image"])
    write(folder / f"{config}.parquet", rows, schema, usual)


DYNAMATH = pa.schema(
    [
        *texts("id", "question", "image"),
        ("decoded_image", IMAGE),
        *texts("ground_truth", "answer_type", "subject", "knowledge_level"),
    ]
)


def write_dynamath(folder, rows):
    """`rows` by variant, 1 to 10; a variant that isn't given repeats the first."""
    usual = {"answer_type": "float", "subject": "plane geometry", "knowledge_level": "high school"}
    for variant in range(1, 11):
        write(folder / shard(f"sample_variant{variant}"), rows.get(variant, rows[1]), DYNAMATH, usual)


WEMATH = pa.schema(
    [
        *texts("ID", "split", "knowledge concept", "question", "option", "answer"),
        ("image_path", IMAGE),
        *texts("key", "question number", "knowledge concept description"),
    ]
)


def write_wemath(folder, rows):
    usual = {"split": "testmini", "knowledge concept": "Area of Circles", "question number": "1"}
    usual |= {"knowledge concept description": "The area of a circle is ..."}
    write(folder / shard("testmini"), rows, WEMATH, usual)


LOGICVISTA = pa.schema(
    [
        *texts("id", "question", "answer", "reasoning"),
        ("image", IMAGE),
        ("skill", STRINGS),
        ("broad_capability", STRINGS),
        ("specific_capability", STRINGS),
        *texts("imagesource", "sourcelink", "liscenced"),
    ]
)


def write_logicvista(folder, rows):
    usual = {"reasoning": "It repeats.", "skill": ["inductive"], "broad_capability": ["diagram"], "liscenced": "no"}
    write(
        folder / shard("test"), rows, LOGICVISTA, {**usual, "specific_capability": ["diagram"], "imagesource": "a site"}
    )


PICTURES = [(f"image_{i}", IMAGE) for i in range(1, 8)]
MMMU = pa.schema(
    [
        *texts("id", "question", "options", "explanation"),
        *PICTURES,
        *texts("img_type", "answer", "topic_difficulty", "question_type", "subfield"),
    ]
)
ABOUT_MMMU = {
    "img_type": "['Diagrams']",
    "topic_difficulty": "Easy",
    "question_type": "multiple-choice",
    "subfield": "Optics",
}


def write_mmmu(folder, rows, split="validation"):
    """A folder for each subject, as the id says it."""
    subjects = {}
    for row in rows:
        subjects.setdefault(row["id"].partition("_")[2].rpartition("_")[0], []).append(row)
    for subject, mine in subjects.items():
        write(folder / shard(split, subject), mine, MMMU, {**ABOUT_MMMU, "explanation": ""})


MMMU_PRO = pa.schema(
    [
        *texts("id", "question", "options", "explanation"),
        *PICTURES,
        *texts("img_type", "answer", "topic_difficulty", "subject"),
    ]
)
MMMU_PRO_VISION = pa.schema([*texts("id"), ("image", IMAGE), *texts("options", "answer", "subject")])


def write_mmmu_pro(folder, rows):
    """`rows` by config."""
    usual = {k: ABOUT_MMMU[k] for k in ("img_type", "topic_difficulty")} | {"explanation": ""}
    for config, mine in rows.items():
        drawn = config == "vision"
        schema = MMMU_PRO_VISION if drawn else MMMU_PRO
        write(folder / shard("test", config), mine, schema, {"subject": "Physics", **({} if drawn else usual)})


CHARXIV = pa.schema(
    [
        ("image", IMAGE),
        *texts("category", "year", "original_id", "original_figure_path", "figure_path"),
        *((n, pa.int64()) for n in ("num_subplots", "subplot_row", "subplot_col")),
        *texts("subplot_loc"),
        *((f"descriptive_q{i}", pa.int64()) for i in (1, 2, 3, 4)),
        *texts(*(f"descriptive_a{i}" for i in (1, 2, 3, 4))),
        *texts("reasoning_q"),
        ("reasoning_q_source", pa.int64()),
        *texts("reasoning_a"),
        ("reasoning_a_type", pa.int64()),
    ]
)


def write_charxiv(folder, rows, stem="val"):
    usual = {"category": "cs", "year": "20", "original_id": "2004.10956", "num_subplots": 1, "reasoning_q_source": 1}
    write(folder / f"{stem}.parquet", rows, CHARXIV, usual | {"subplot_row": 0, "subplot_col": 0})


WRITERS = {
    "mathvista": write_mathvista,
    "mathvision": write_mathvision,
    "mathverse": write_mathverse,
    "dynamath": write_dynamath,
    "wemath": write_wemath,
    "logicvista": write_logicvista,
    "mmmu": write_mmmu,
    "mmmu_pro": write_mmmu_pro,
    "charxiv": write_charxiv,
}


def write_one(root, name, rows, **how):
    """Writes a benchmark as `root/<name>`; returns the folder."""
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[name](folder, rows, **how)
    return folder
