"""What OpenMMReasoner (arXiv 2511.16334) publishes of its final model on the nine benchmarks, and how it measured."""

from __future__ import annotations

from collections.abc import Iterable

SCORES = {
    "mathvista": 79.5,
    "mathvision": 43.6,
    "mathvision_testmini": 38.8,
    "mathverse": 63.8,
    "dynamath": 34.9,
    "wemath": 79.0,
    "logicvista": 50.0,
    "mmmu": 57.8,
    "mmmu_pro_standard": 44.1,
    "mmmu_pro_vision": 40.6,
    "charxiv_reasoning": 46.1,
    "charxiv_descriptive": 73.5,
}
"""Percent, in the table's order: DynaMath's is the worst case, We-Math's the loose score. Through lmms-eval at temperature 0 with the
authors' own scorer (a rule, math-verify, a judge), which isn't the one here."""

TOKENS = {"mathvision_testmini": 9_893, "mathverse": 3_714}
"""Mean tokens of an answer, where they are published."""

TASKS = {
    "mathvista": "mathvista_testmini_cot_reward",
    "mathvision": "mathvision_reason_test_reward",
    "mathvision_testmini": "mathvision_reason_testmini_reward",
    "mathverse": "mathverse_testmini_reward",
    "dynamath": "dynamath",
    "wemath": "wemath_testmini_thinking",
    "logicvista": "logicvista_thinking",
    "mmmu": "mmmu_reasoning_reward",
    "mmmu_pro_standard": "mmmu_pro_standard_cot_reward",
    "mmmu_pro_vision": "mmmu_pro_vision_cot_reward",
    "charxiv_reasoning": "charxiv_val_reasoning_cot",
    "charxiv_descriptive": "charxiv_val_descriptive_cot",
}
"""The authors' lmms-eval tasks, as their README names them."""


def lmms_eval_command(checkpoint: str, columns: Iterable[str]) -> str:
    """Returns the commands that measure a checkpoint as the paper did, on eight GPUs; empty where no column is one of the twelve.

    Put together from the authors' `examples/openmmreasoner/eval.sh` and README. They weren't run here.

    Args:
        checkpoint: a folder, or an id of the Hub: lmms-eval runs the model itself.
        columns: the columns wanted, such as "mathvista".
    """
    tasks = [TASKS[name] for name in columns if name in TASKS]
    if not tasks:
        return ""
    return f"""\
git clone https://github.com/EvolvingLMMs-Lab/OpenMMReasoner && cd OpenMMReasoner   # its lmms_eval_tasks; and pip install lmms-eval
export USE_LLM_JUDGE=True OPENAI_BASE_URL=http://JUDGE:8000/v1 OPENAI_MODEL_NAME=judge OPENAI_API_KEY=EMPTY
export VLLM_WORKER_MULTIPROC_METHOD=spawn
accelerate launch --num_processes=8 --main_process_port=12346 -m lmms_eval --model vllm \\
    --model_args model={checkpoint},tensor_parallel_size=1,data_parallel_size=8,disable_log_stats=True,gpu_memory_utilization=0.7 \\
    --tasks {",".join(tasks)} \\
    --batch_size 256 --log_samples --output_path ./logs --include_path ./lmms_eval_tasks"""
