"""Training on the final sets: `sft` and `rl` over TRL, a check of the settings, and the reference losses.

Needs `pip install 'mmcurate[train]'`.
"""
