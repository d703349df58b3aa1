"""The SFT set for lmms-engine: Parquet of OpenAI-style messages, pictures as files, and OpenMMReasoner's settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate.export.dataset import Pictures, as_run, export, media_problem
from mmcurate.export.files import SCRIPT, sft_numbers, write_parquet, write_text
from mmcurate.export.sft import read_sft
from mmcurate.run import Run

_VERSION = 1
_URL = pa.struct([("url", pa.string())])
_PART = pa.struct([("type", pa.string()), ("text", pa.large_string()), ("image_url", _URL)])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_PART))]))),
    ]
)
_DATASET = """# Paths are relative to this folder, where train.sh starts.
datasets:
  - path: train.parquet
    data_folder: .
    data_type: parquet
"""
_TRAIN = """# OpenMMReasoner's SFT (arXiv 2511.16334): {recipe_steps:,} steps on {recipe_rows:,} rows, 32 GPUs of 80 GB, one pack of 61,440 tokens
# a GPU. max_steps and warmup_steps make as many passes over this set's {rows:,} rows on as many GPUs.
trainer_type: fsdp2_trainer
dataset_config:
  dataset_type: vision_iterable
  dataset_format: yaml
  dataset_path: dataset.yaml
  processor_config:
    processor_name: Qwen/Qwen2.5-VL-7B-Instruct
    processor_type: qwen2_5_vl
    extra_kwargs:
      image_max_pixels: 4194304
  shuffle: true
  packing: true
  packing_strategy: first_fit
  packing_length: 61440
  filter_overlong: true
model_config:
  load_from_pretrained_path: Qwen/Qwen2.5-VL-7B-Instruct
  attn_implementation: flash_attention_2
trainer_args:
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
  use_liger_kernel: true
  use_rmpad: true
  fsdp2: true
  fsdp_config:
    transformer_layer_cls_to_wrap: [Qwen2_5_VLDecoderLayer]
    reshard_after_forward: false
  dataloader_num_workers: 4
  save_steps: 500
  logging_steps: 1
  report_to: none
"""
_SCRIPT = SCRIPT + (
    """# NNODES, NODE_RANK, MASTER_ADDR and GPUS (a node) may be set; the recipe used 4 nodes of 8.

torchrun --nnodes="${{NNODES:-4}}" --nproc_per_node="${{GPUS:-8}}" --node_rank="${{NODE_RANK:-0}}" \\
    --master_addr="${{MASTER_ADDR:-127.0.0.1}}" --master_port="${{MASTER_PORT:-12355}}" \\
    -m lmms_engine.launch.cli config_yaml=train.yaml "$@"
"""
)


def to_lmms_engine(run: Run | str | Path, out: str | Path) -> Path:
    """Writes the SFT set for lmms-engine and returns its folder: `train.parquet`, `images/`, `dataset.yaml`, `train.yaml`, `train.sh`.

    The traces are those of `to_sft`, without such as a trainer would misread; they are recorded in the run's funnel.
    Pictures lie in the folder once, as for `to_sft`. Packs of rows without pictures skip the vision tower, which
    under FSDP can make the ranks wait for one another: if training hangs, train on rows with pictures only, or more of them.

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
        write_text(folder / "train.yaml", _TRAIN.format(**sft_numbers(rows)))
        write_text(folder / "dataset.yaml", _DATASET)
        write_text(folder / "train.sh", _SCRIPT.format(what="Trains on train.parquet with lmms-engine."))

    return export(as_run(run), out, "to_lmms_engine", read_sft, write, check=media_problem, settings=_VERSION)


def _row(row: dict[str, Any], shown: Pictures) -> dict[str, Any]:
    urls = iter([shown.put(p) for p in row["images"]])
    messages = []
    for message in [*row["prompt"], *row["completion"]]:
        parts = []
        for text in re.split("(<image>)", message["content"]):
            if text == "<image>":
                parts.append({"type": "image_url", "image_url": {"url": next(urls)}})
            elif text:
                parts.append({"type": "text", "text": text})
        messages.append({"role": message["role"], "content": parts})
    return {"id": row["id"], "messages": messages}
