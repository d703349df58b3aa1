"""A set of right answers -> a fine-tuned model: supervised fine-tuning of a Qwen2.5-VL or Qwen3-VL, as in OpenMMReasoner (arXiv 2511.16334).

DIR is a run's folder, as the other recipes make it, or its `final`:

    python recipes/train_sft.py runs/openmmr_sft --model Qwen/Qwen2.5-VL-7B-Instruct --out models/sft
    python recipes/train_sft.py runs/my_domain --model Qwen/Qwen3-VL-4B-Instruct --out models/my_sft \\
        --lora --max-pixels 1003520 --steps 200 --set learning_rate=1e-4

The loss falls on answers only. No row is cut: those that don't fit are left out before, with their reasons in OUT/left_out.jsonl. The
same command goes on where it was stopped. Weights, gradients and optimizer are shared by many GPUs:

    accelerate launch --config_file recipes/accelerate/fsdp2.yaml --num_processes 8 \\
        recipes/train_sft.py runs/openmmr_sft --model Qwen/Qwen2.5-VL-7B-Instruct --out models/sft

recipes/accelerate/deepspeed_zero3.yaml does it with DeepSpeed. On several machines each runs that line with --num_machines,
--machine_rank and --main_process_ip; DIR and OUT are then on a file system that all of them see.

The paper's own scale (874K rows, in packs of 61,440 tokens) is lmms-engine's, since TRL packs no rows with pictures:
`mmcurate.export.to_lmms_engine("runs/openmmr_sft", "sets/lmms")` writes its data, its settings and the script that starts it.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import common
import training

from mmcurate.train import sft


def main() -> None:
    """Runs the recipe."""
    parser = training.parser(__doc__)
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="of a row, pictures included (default: the model's context)"
    )
    options = parser.parse_args()
    done = sft(max_tokens=options.max_tokens, **training.chosen(options, sft))

    losses = [said["loss"] for said in done.history if "loss" in said]
    rl_out = shlex.quote(str(Path(options.out).with_name("rl")))
    training.finish(
        done,
        [("loss, first and last", f"{losses[0]:.4f}, {losses[-1]:.4f}")],
        f"python recipes/train_rl.py {training.run_of(options.data)} --model {shlex.quote(str(done.model))} --out {rl_out}",
    )


if __name__ == "__main__":
    common.run_recipe(main)
