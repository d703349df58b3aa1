"""The final sets as folders that `datasets` opens: Arrow files, and the pictures beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate.columns import durable_write, write_json
from mmcurate.errors import RunFolderError
from mmcurate.export.dataset import ABOUT, PICTURES, Pictures, Read, export, read_about
from mmcurate.run import Run
from mmcurate.step import digest


def to_dataset(run: Run, out: Path, name: str, read: Read, schema: pa.Schema, version: int) -> Any:
    """Writes a set as a `datasets.Dataset` and returns it; does nothing where it is there already.

    Args:
        run, out, name, read: as for `export`.
        schema: of a row.
        version: of the format.
    """
    out = Path(out).expanduser().resolve()
    fingerprint = digest([name, version, str(out), run.content()])[:16]

    def write(folder: Path, shards: Iterable[list[dict[str, Any]]]) -> None:
        _write(folder, shards, schema, out, fingerprint)

    return load(export(run, out, name, read, write, settings=version))


def load(path: str | Path) -> Any:
    """Opens a final set, wherever its folder was moved or copied to.

    Raises:
        RunFolderError: the folder holds none.
    """
    import datasets

    path = Path(path).expanduser().resolve()
    about = read_about(path)
    if not about or not (path / "state.json").exists():
        raise RunFolderError(f"{path} holds no final set (it has no {ABOUT}); make it with run.to_sft() or run.to_rl()")
    dataset = datasets.load_from_disk(str(path))
    if about["path"] == str(path):
        return dataset
    old, new = len(about["path"]), str(path)
    parts = []
    for batch in dataset.data.table.to_batches():
        i = batch.schema.get_field_index("images")
        lists = batch.column(i)
        values = lists.values
        moved = pa.array([None if p is None else new + p[old:] for p in values.field("path").to_pylist()], pa.string())
        structs = pa.StructArray.from_arrays([values.field("bytes"), moved], fields=list(PICTURES.value_type))
        parts.append(batch.set_column(i, batch.schema.field(i), pa.ListArray.from_arrays(lists.offsets, structs)))
    return datasets.Dataset(pa.Table.from_batches(parts, dataset.data.schema), info=dataset.info)


def _write(
    folder: Path, shards: Iterable[list[dict[str, Any]]], schema: pa.Schema, out: Path, fingerprint: str
) -> None:
    import datasets

    features = datasets.Features.from_arrow_schema(schema)
    features["images"] = datasets.List(datasets.Image())
    schema = schema.with_metadata(features.arrow_schema.metadata)
    shown = Pictures(folder)
    names: list[str] = []
    for rows in shards:
        for row in rows:
            row["images"] = [{"bytes": None, "path": str(out / shown.put(p))} for p in row["images"]]
        table = pa.Table.from_pylist(rows, schema)

        def write(file: Any, table: pa.Table = table) -> None:
            with pa.ipc.new_stream(file, schema) as writer:
                writer.write_table(table, max_chunksize=1000)

        names.append(f"data-{len(names):05d}.arrow")
        durable_write(folder / names[-1], write)
    write_json(
        folder / "state.json",
        {
            "_data_files": [{"filename": n} for n in names],
            "_fingerprint": fingerprint,
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        },
    )
    datasets.DatasetInfo(features=features).write_to_directory(str(folder))
