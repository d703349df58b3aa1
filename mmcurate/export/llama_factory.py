"""The SFT set for LLaMA-Factory: Parquet of messages, pictures as files, and OpenMMReasoner's settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate.columns import write_json
from mmcurate.export.dataset import CHAT, Pictures, as_run, export, media_problem
from mmcurate.export.files import SCRIPT, sft_numbers, write_parquet, write_text
from mmcurate.export.sft import read_sft
from mmcurate.run import Run

_VERSION = 1
SCHEMA = pa.schema([("id", pa.string()), ("messages", CHAT), ("images", pa.list_(pa.string()))])
_INFO = {
    "mmcurate": {
        "file_name": "train.parquet",
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }
}
_TRAIN = """# OpenMMReasoner's SFT (arXiv 2511.16334): {recipe_steps:,} steps on {recipe_rows:,} rows, 32 GPUs of 80 GB, one pack of 61,440 tokens
# a GPU. max_steps and warmup_steps make as many passes over this set's {rows:,} rows on as many GPUs.
model_name_or_path: Qwen/Qwen2.5-VL-7B-Instruct
image_max_pixels: 4194304
stage: sft
do_train: true
finetuning_type: full
freeze_vision_tower: false
freeze_multi_modal_projector: false
dataset: mmcurate
dataset_dir: .
template: qwen2_vl
cutoff_len: 61440
packing: true
neat_packing: true
output_dir: output
per_device_train_batch_size: 1
gradient_accumulation_steps: 1
learning_rate: 5.0e-05
weight_decay: 0.0
lr_scheduler_type: cosine
max_steps: {steps}
warmup_steps: {warmup}
bf16: true
gradient_checkpointing: true
enable_liger_kernel: true
flash_attn: fa2
save_steps: 500
logging_steps: 1
report_to: none
"""


def to_llama_factory(run: Run | str | Path, out: str | Path) -> Path:
    """Writes the SFT set for LLaMA-Factory and returns its folder: `train.parquet`, `images/`, `dataset_info.json`, `train.yaml`, `train.sh`.

    Rows, pictures and drops are those of `to_lmms_engine`.

    Args:
        run: a run, finished or not, or its folder.
        out: the folder.

    Raises:
        RunFolderError: `out` holds something else.
        RunError: there is nothing to export.
    """

    def write(folder: Path, shards: Iterable[list[dict[str, Any]]]) -> None:
        shown = Pictures(folder)
        rows = write_parquet(folder / "train.parquet", SCHEMA, shards, lambda row, _: _row(row, shown))
        write_json(folder / "dataset_info.json", _INFO)
        write_text(folder / "train.yaml", _TRAIN.format(**sft_numbers(rows)))
        what = "Trains on train.parquet with LLaMA-Factory; on several machines, its FORCE_TORCHRUN, NNODES and NODE_RANK apply."
        write_text(folder / "train.sh", SCRIPT.format(what=what) + '\nllamafactory-cli train train.yaml "$@"\n')

    return export(as_run(run), out, "to_llama_factory", read_sft, write, check=media_problem, settings=_VERSION)


def _row(row: dict[str, Any], shown: Pictures) -> dict[str, Any]:
    messages = [*row["prompt"], *row["completion"]]
    return {"id": row["id"], "messages": messages, "images": [shown.put(p) for p in row["images"]]}
