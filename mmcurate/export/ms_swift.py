"""Both sets for ms-swift: Parquet of messages, pictures as files, a reward, and OpenMMReasoner's settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from mmcurate.errors import SettingsError
from mmcurate.export.dataset import CHAT, Pictures, as_run, export, media_problem
from mmcurate.export.files import MAX_PROMPT, MAX_RESPONSE, SCRIPT, sft_numbers, write_parquet, write_text
from mmcurate.export.reward import reward_code
from mmcurate.export.rl import read_rl
from mmcurate.export.sft import read_sft
from mmcurate.reward import Reward
from mmcurate.run import Run

_VERSION = 2
_COLUMNS = [("id", pa.string()), ("messages", CHAT), ("images", pa.list_(pa.string()))]
SFT_SCHEMA = pa.schema(_COLUMNS)
RL_SCHEMA = pa.schema(
    [
        *_COLUMNS,
        ("solution", pa.large_string()),
        ("choices", pa.list_(pa.large_string())),  # ms-swift has an `options` of its own
        ("problem", pa.large_string()),
        ("source", pa.string()),
    ]
)
_SFT = SCRIPT + (
    """# OpenMMReasoner's SFT (arXiv 2511.16334): {recipe_steps:,} steps on {recipe_rows:,} rows, 32 GPUs of 80 GB, one pack of 61,440
# tokens a GPU. The steps below make as many passes over this set's {rows:,} rows on as many GPUs.
# MODEL may be set, and ms-swift's NNODES, NODE_RANK, NPROC_PER_NODE; more arguments go to ms-swift.

MAX_PIXELS=4194304 swift sft \\
    --model "${{MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}}" \\
    --dataset "$PWD/train.parquet" \\
    --tuner_type full --freeze_vit false --freeze_aligner false \\
    --torch_dtype bfloat16 --attn_impl flash_attn --use_liger_kernel true --gradient_checkpointing true \\
    --packing true --max_length 61440 \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 1 \\
    --learning_rate 5e-5 --lr_scheduler_type cosine --weight_decay 0 \\
    --max_steps {steps} --warmup_steps {warmup} \\
    --deepspeed zero3 --save_steps 500 --logging_steps 1 --output_dir output \\
    "$@"
"""
)
_RL = SCRIPT + (
    """# OpenMMReasoner's GSPO (arXiv 2511.16334): sequence-level ratio, clip 3e-4 and 4e-4, 16 responses a prompt, no KL. A rollout is used
# in four updates of 16 micro-batches (steps_per_generation), so that the ratio leaves 1 and the clip can act.
# MODEL may be set, and ms-swift's NNODES, NODE_RANK, NPROC_PER_NODE; more arguments go to ms-swift.

swift rlhf --rlhf_type grpo \\
    --model "${{MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}}" \\
    --dataset "$PWD/train.parquet" --remove_unused_columns false \\
    --external_plugins "$PWD/plugin.py" --reward_funcs mmcurate \\
    --tuner_type full --torch_dtype bfloat16 --attn_impl flash_attn --gradient_checkpointing true \\
    --importance_sampling_level sequence --loss_type grpo --beta 0 --epsilon 3e-4 --epsilon_high 4e-4 \\
    --num_generations 16 --steps_per_generation 64 --temperature 1.0 --top_p 1.0 \\
    --max_length {prompt} --max_completion_length {longest} \\
    --per_device_train_batch_size 2 --gradient_accumulation_steps 16 \\
    --learning_rate 1e-6 --lr_scheduler_type constant_with_warmup --warmup_steps 25 --weight_decay 0.1 --max_grad_norm 1.0 \\
    --use_vllm true --vllm_mode colocate --deepspeed zero3 --save_steps 50 --logging_steps 1 --output_dir output \\
    "$@"
"""
)
_PLUGIN = '''"""The reward `mmcurate` for ms-swift. It needs `pip install mmcurate` where rewards are computed.

A response that no rule can grade, or whose check failed, isn't wrong, but ms-swift counts a missing reward as 0: it gets no
accuracy here, and keeps the other terms.
"""

{code}

from swift.rewards import ORM, orms


class MMCurate(ORM):
    """Scores each completion against its row's solution."""

    def __call__(self, completions, solution, choices, problem, **kwargs):
        turns = kwargs.get("response_token_ids")
        made = REWARD.scores(
            completions,
            solution,
            options=choices,
            questions=problem,
            num_tokens=turns and [sum(map(len, t)) if t and isinstance(t[0], list) else len(t) for t in turns],
            finish_reasons=kwargs.get("finish_reason"),
            groups=kwargs.get("id"),
        )
        return [score.without_none for score in made]


orms["mmcurate"] = MMCurate
'''


def to_ms_swift(
    run: Run | str | Path, out: str | Path, kind: Literal["sft", "rl"] = "sft", *, reward: Reward | None = None
) -> Path:
    """Writes a set for ms-swift and returns its folder: `train.parquet`, `images/`, `train.sh`, and for RL `plugin.py` with the reward.

    Rows and pictures are those of `to_sft` or `to_rl`, without such as a trainer would misread; they are recorded in
    the run's funnel.

    Args:
        run: a run, finished or not, or its folder.
        out: the folder.
        kind: the SFT set or the RL set.
        reward: what `plugin.py` computes; `Reward()` unless given.

    Raises:
        RunFolderError: `out` holds something else.
        RunError: there is nothing to export.
        SettingsError: the reward has a judge, or is given for the SFT set.
    """
    if kind not in ("sft", "rl"):
        raise SettingsError(f"to_ms_swift: kind = {kind!r} must be 'sft' or 'rl'")
    if kind == "sft" and reward is not None:
        raise SettingsError("to_ms_swift: reward is for the RL set: set kind='rl'")
    reward = Reward() if reward is None else reward
    plugin = _PLUGIN.format(code=reward_code(reward))
    longest = reward.overlong.max_length if reward.overlong else MAX_RESPONSE

    def write(folder: Path, shards: Iterable[list[dict[str, Any]]]) -> None:
        shown = Pictures(folder)
        schema = SFT_SCHEMA if kind == "sft" else RL_SCHEMA
        rows = write_parquet(folder / "train.parquet", schema, shards, lambda row, _: _row(row, shown))
        if kind == "sft":
            text = _SFT.format(what="Fine-tunes on train.parquet with ms-swift.", **sft_numbers(rows))
        else:
            text = _RL.format(
                what="Trains on train.parquet with ms-swift: GSPO, rewards by plugin.py.",
                prompt=MAX_PROMPT,
                longest=longest,
            )
            write_text(folder / "plugin.py", plugin)
        write_text(folder / "train.sh", text)

    name, read = ("to_ms_swift", read_sft) if kind == "sft" else ("to_ms_swift_rl", read_rl)
    settings = _VERSION if kind == "sft" else [_VERSION, plugin, longest]
    return export(as_run(run), out, name, read, write, check=media_problem, settings=settings)


def _row(row: dict[str, Any], shown: Pictures) -> dict[str, Any]:
    """Returns a row of either set: what a schema doesn't have is left out."""
    return {
        "id": row["id"],
        "messages": [*row["prompt"], *row.get("completion", ())],
        "images": [shown.put(p) for p in row["images"]],
        "solution": row["answer"],
        "choices": row.get("options"),
        "problem": row.get("question"),
        "source": row["source"],
    }
