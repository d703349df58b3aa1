"""Questions with checkable answers -> a model that answers them better: GSPO, GRPO or DAPO, as in OpenMMReasoner (arXiv 2511.16334).

DIR is a run's folder, as the other recipes make it, or its `final_rl`; the model is what train_sft.py made, or any Qwen2.5-VL or Qwen3-VL:

    python recipes/train_rl.py runs/openmmr_rl --model models/sft/model --out models/rl
    python recipes/train_rl.py runs/my_domain --model models/my_sft/model --out models/my_rl --lora --pass-rate 0,1 \\
        --set max_completion_length=4096 --set gradient_accumulation_steps=64 --vllm

The reward is 0.9 accuracy + 0.1 format. A response that no rule decides is not scored, unless there is a --judge. Settings that undo the
algorithm are refused or told before anything loads. The same command goes on where it was stopped. Weights, gradients and optimizer
are shared by many GPUs:

    accelerate launch --config_file recipes/accelerate/fsdp2.yaml --num_processes 8 \\
        recipes/train_rl.py runs/openmmr_rl --model models/sft/model --out models/rl --vllm

Responses take most of the time; vLLM makes them. `--vllm` runs it on the GPUs that train; `--vllm http://node2:8000` asks a
server on GPUs of its own, which gets the weights after each update and is started with

    VLLM_SERVER_DEV_MODE=1 vllm serve models/sft/model --max-model-len 32792 --enable-scale-out \\
        --weight-transfer-config '{"backend": "nccl"}' --logprobs-mode processed_logprobs --max-logprobs -1

The paper's own scale is verl's: `mmcurate.export.to_verl("runs/openmmr_rl", "sets/verl")` writes its data, the same reward and the
script with the same settings. A judge's key is read from MMCURATE_JUDGE_API_KEY.
"""

from __future__ import annotations

import math
import shlex
from typing import Any

import common
import training

from mmcurate.errors import SettingsError
from mmcurate.reward import Overlong, Reward
from mmcurate.train import rl
from mmcurate.train.presets import rl_settings


def pass_rate(text: str | None) -> tuple[float, float] | None:
    """Returns the two ends of 0,1."""
    try:
        low, high = (float(part) for part in text.split(",")) if text else (math.nan, math.nan)
    except ValueError:
        raise SettingsError(f"--pass-rate {text}: must be two numbers, such as 0,1") from None
    return (low, high) if text else None


def rollouts(where: str | None) -> dict[str, Any]:
    """Returns TRL's settings for who makes the responses."""
    if not where:
        return {}
    server = {"vllm_mode": "server", "vllm_server_base_url": where.rstrip("/").removesuffix("/v1")}
    return {"use_vllm": True, **({"vllm_mode": "colocate"} if where == "colocate" else server)}


def main() -> None:
    """Runs the recipe."""
    parser = training.parser(__doc__)
    add = parser.add_argument
    add("--algorithm", default="gspo", metavar="NAME", help="gspo, grpo or dapo (default: gspo)")
    add(
        "--pass-rate",
        metavar="LOW,HIGH",
        help="only questions with a pass rate between; 0,1 is dynamic sampling offline",
    )
    add("--curriculum", action="store_true", help="from high pass rates to low ones")
    add("--overlong", action="store_true", help="punish responses near the limit, as DAPO does")
    add("--judge", metavar="MODEL=URL", help="scores what no rule decides")
    add("--vllm", nargs="?", const="colocate", metavar="URL", help="vLLM makes the responses: here, or a server at URL")
    parser.set_defaults(store=None)
    options = parser.parse_args()

    changes = {**training.chosen(options, rl), **rollouts(options.vllm)}
    limit = changes.get("max_completion_length", rl_settings()["max_completion_length"])
    overlong = Overlong(max_length=limit, buffer=min(4096, limit)) if options.overlong else None
    judge = common.chat(options, "--judge", options.judge, temperature=0.0, max_tokens=8) if options.judge else None
    done = rl(
        algorithm=options.algorithm,
        reward=Reward(overlong=overlong, judge=judge),
        pass_rate=pass_rate(options.pass_rate),
        curriculum=options.curriculum,
        **changes,
    )

    rewards = [said["reward"] for said in done.history if said.get("reward") is not None]
    shares = [said["not_scored"] for said in done.history if said.get("not_scored") is not None]
    told = [("reward, first and last", f"{rewards[0]:.3f}, {rewards[-1]:.3f}")] if rewards else []
    told += [("responses not scored", f"{sum(shares) / len(shares):.1%}")] if shares else []
    model = shlex.quote(str(done.model))
    training.finish(
        done,
        told,
        f"vllm serve {model}",
        f"python recipes/openmmr_eval.py --model {model}=http://localhost:8000/v1 --out runs/eval",
    )


if __name__ == "__main__":
    common.run_recipe(main)
