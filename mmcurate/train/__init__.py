"""Training on the final sets: `sft` and `rl` over TRL, a check of their settings, and the reference losses.

    from mmcurate.train import rl, sft

    tuned = sft("runs/mine", "Qwen/Qwen2.5-VL-7B-Instruct", "models/sft")
    rl("runs/mine", tuned.model, "models/gspo")

Needs `pip install 'mmcurate[train]'`. torch, transformers and trl are loaded when a training starts.
"""

from mmcurate.train.folder import Trained
from mmcurate.train.lint import lint_rl, lint_sft
from mmcurate.train.rl import rl
from mmcurate.train.sampling import curriculum, filter_pass_rate
from mmcurate.train.sft import sft

__all__ = ["Trained", "curriculum", "filter_pass_rate", "lint_rl", "lint_sft", "rl", "sft"]
