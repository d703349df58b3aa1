"""What the sections share: the card, its memory, and settings under which a CPU takes the same ways."""

import gc
import math


def on(kind, checkpointing=True):
    """Settings that a card gets by itself, so that a CPU takes the same ways."""
    name = "activation_checkpointing" if hasattr(kind, "activation_checkpointing") else "gradient_checkpointing"
    return {"bf16": True, name: checkpointing, "use_cpu": device() == "cpu"}


def quiet(**more):
    return {"gradient_accumulation_steps": 1, "report_to": "none", "disable_tqdm": True, **more}


def logged(done, name):
    return [said[name] for said in done.history if said.get(name) is not None]


def device():
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def freed():
    """Gives a card's memory back, and counts its peak anew."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib():
    import torch

    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else math.nan
