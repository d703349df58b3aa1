"""The RL set for verl: one Parquet file with the pictures in it, the reward, and a script with GSPO's settings."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate import pictures
from mmcurate.export.dataset import PICTURES, as_run, export, media_problem
from mmcurate.export.files import MAX_PROMPT, MAX_RESPONSE, SCRIPT, write_parquet, write_text
from mmcurate.export.reward import verl_reward
from mmcurate.export.rl import read_rl
from mmcurate.reward import Reward
from mmcurate.run import Run

MIN_SIDE = 28
"""Pixels: Qwen's processors cut pictures into squares of this side."""
GROUP_ROWS = 100
_VERSION = 1
_TEXTS = pa.list_(pa.string())
_FEATURES = {
    "data_source": pa.string(),
    "prompt": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    "images": PICTURES,
    "ability": pa.string(),
    "reward_model": pa.struct([("style", pa.string()), ("ground_truth", pa.string())]),
    "extra_info": pa.struct(
        [
            ("split", pa.string()),
            ("index", pa.int64()),
            ("id", pa.string()),
            ("question", pa.string()),
            ("answer", pa.string()),
            ("options", _TEXTS),
            ("answer_type", pa.string()),
            ("pass_rate", pa.float64()),
        ]
    ),
}
_OVERLONG = """    reward_model.reward_manager=dapo \\
    +reward_model.reward_kwargs.max_resp_len={max_length} \\
    +reward_model.reward_kwargs.overlong_buffer_cfg.enable=true \\
    +reward_model.reward_kwargs.overlong_buffer_cfg.len={buffer} \\
    +reward_model.reward_kwargs.overlong_buffer_cfg.penalty_factor={factor} \\
    +reward_model.reward_kwargs.overlong_buffer_cfg.log=true \\
"""
"""The overlong term as verl's reward manager `dapo` computes it: to a reward file it tells no lengths."""
_SCRIPT = SCRIPT + (
    """# Settings: arXiv 2511.16334 (OpenMMReasoner). A rollout of 512 prompts is used in four updates of 128, so that the sequence
# ratio leaves 1 and GSPO's clip can act; with one update a rollout it never does.
# MODEL, NNODES, GPUS (a node), EPOCHS, and VAL_FILES with TEST_FREQ may be set; more arguments go to verl.

"${{PYTHON:-python3}}" -m verl.trainer.main_ppo \\
    algorithm.adv_estimator=grpo \\
    algorithm.use_kl_in_reward=false \\
    data.train_files="$PWD/train.parquet" \\
    data.val_files="${{VAL_FILES:-$PWD/train.parquet}}" \\
    data.prompt_key=prompt \\
    data.image_key=images \\
    data.return_multi_modal_inputs=true \\
    data.filter_overlong_prompts=true \\
    data.truncation=error \\
    data.max_prompt_length={max_prompt} \\
    data.max_response_length={max_response} \\
    data.train_batch_size=512 \\
    actor_rollout_ref.model.path="${{MODEL:-Qwen/Qwen2.5-VL-7B-Instruct}}" \\
    actor_rollout_ref.model.use_remove_padding=true \\
    actor_rollout_ref.model.enable_gradient_checkpointing=true \\
    actor_rollout_ref.actor.policy_loss.loss_mode=gspo \\
    actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean \\
    actor_rollout_ref.actor.clip_ratio_low=0.0003 \\
    actor_rollout_ref.actor.clip_ratio_high=0.0004 \\
    actor_rollout_ref.actor.ppo_mini_batch_size=128 \\
    actor_rollout_ref.actor.use_dynamic_bsz=true \\
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu={max_tokens} \\
    actor_rollout_ref.actor.use_kl_loss=false \\
    actor_rollout_ref.actor.entropy_coeff=0 \\
    actor_rollout_ref.actor.grad_clip=1.0 \\
    actor_rollout_ref.actor.optim.lr=1e-6 \\
    actor_rollout_ref.actor.optim.lr_warmup_steps=25 \\
    actor_rollout_ref.actor.optim.weight_decay=0.1 \\
    actor_rollout_ref.rollout.name=vllm \\
    actor_rollout_ref.rollout.n=16 \\
    actor_rollout_ref.rollout.temperature=1.0 \\
    actor_rollout_ref.rollout.top_p=1.0 \\
    custom_reward_function.path="$PWD/reward.py" \\
    custom_reward_function.name=compute_score \\
{overlong}    trainer.nnodes="${{NNODES:-8}}" \\
    trainer.n_gpus_per_node="${{GPUS:-8}}" \\
    trainer.total_epochs="${{EPOCHS:-2}}" \\
    trainer.val_before_train=false \\
    trainer.test_freq="${{TEST_FREQ:--1}}" \\
    trainer.save_freq=50 \\
    trainer.project_name=mmcurate \\
    trainer.experiment_name=gspo \\
    "$@"
"""
)


def to_verl(run: Run | str | Path, out: str | Path, *, reward: Reward | None = None) -> Path:
    """Writes the RL set for verl and returns its folder: `train.parquet`, `reward.py`, `train.sh`.

    The questions are those of `to_rl`, without such as verl would misread: texts with another number of `<image>`
    tags than pictures (it drops them silently), or with `<video>`, `<audio>` or a media token. They are
    recorded in the run's funnel. Pictures are RGB and have sides of at least 28 pixels: smaller ones are enlarged. Rows
    without pictures have an empty list, since verl's models run their vision tower on nothing for them.

    Args:
        run: a run, finished or not, or its folder.
        out: the folder.
        reward: what `reward.py` computes; `Reward()` unless given. Its overlong term goes into `train.sh`.

    Raises:
        RunFolderError: `out` holds something else.
        RunError: there is nothing to export.
        SettingsError: the reward needs what verl doesn't tell a reward file.
    """
    reward = Reward() if reward is None else reward
    text = verl_reward(dataclasses.replace(reward, overlong=None))
    term = reward.overlong
    longest = term.max_length if term else MAX_RESPONSE
    script = _SCRIPT.format(
        what="Trains on train.parquet with verl: GSPO, rewards by reward.py.",
        max_prompt=MAX_PROMPT,
        max_response=longest,
        max_tokens=MAX_PROMPT + longest,
        overlong=_OVERLONG.format(max_length=longest, buffer=term.buffer, factor=term.factor) if term else "",
    )

    def write(folder: Path, shards: Iterable[list[dict[str, Any]]]) -> None:
        write_parquet(folder / "train.parquet", _schema(), shards, _row, GROUP_ROWS)
        write_text(folder / "reward.py", text)
        write_text(folder / "train.sh", script)

    return export(as_run(run), out, "to_verl", read_rl, write, check=media_problem, settings=[_VERSION, text, script])


def _schema() -> pa.Schema:
    """Returns the file's schema with its features as `datasets` 2, 3, 4 and 5 read them: a list as a list."""

    def feature(kind: pa.DataType) -> Any:
        if kind == PICTURES.value_type:
            return {"_type": "Image"}
        if pa.types.is_struct(kind):
            return {kind.field(i).name: feature(kind.field(i).type) for i in range(kind.num_fields)}
        if pa.types.is_list(kind):
            return [feature(kind.value_type)]
        return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}

    features = {name: feature(kind) for name, kind in _FEATURES.items()}
    return pa.schema(list(_FEATURES.items()), {"huggingface": json.dumps({"info": {"features": features}})})


def _row(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "data_source": row["source"],
        "prompt": row["prompt"],
        "images": [{"bytes": _rgb(pictures.read(p)), "path": None} for p in row["images"]],
        "ability": "multimodal_reasoning" if row["images"] else "reasoning",
        "reward_model": {"style": "rule", "ground_truth": row["answer"]},
        "extra_info": {"split": "train", "index": number}
        | {name: row[name] for name in ("id", "question", "answer", "options", "answer_type", "pass_rate")},
    }


def _rgb(data: bytes) -> bytes:
    """Returns the picture as every reader sees it: RGB, upright, no side under `MIN_SIDE`; the bytes themselves where they are so."""
    import PIL.Image

    data, _ = pictures.for_model(data)
    image = pictures.opened(data)
    if image.mode == "RGB" and min(image.size) >= MIN_SIDE:
        return data
    image = pictures.pixels(data)
    if min(image.size) < MIN_SIDE:
        scale = MIN_SIDE / min(image.size)
        size = [max(MIN_SIDE, round(side * scale)) for side in image.size]
        image = image.resize(size, PIL.Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
