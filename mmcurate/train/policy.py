"""TRL's `GRPOTrainer` with what is missing in it: mixed batches, media tokens held back, and the ratio in the log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any


def one_token_a_picture(ids: Sequence[int], picture: int) -> list[int]:
    """Returns a prompt with one token for each picture: vLLM makes them as many as they are, whatever there is already."""
    return [id for i, id in enumerate(ids) if id != picture or not i or ids[i - 1] != picture]


def as_seen(image: Any, image_processor: Any) -> Any:
    """Returns a picture in the size in which the processor sees it, which every other processor then leaves as it is."""
    import PIL.Image
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    height, width = smart_resize(
        image.height,
        image.width,
        factor=image_processor.patch_size * image_processor.merge_size,
        min_pixels=image_processor.size["shortest_edge"],
        max_pixels=image_processor.size["longest_edge"],
    )
    return image if image.size == (width, height) else image.resize((width, height), PIL.Image.Resampling.BICUBIC)


def trainer_class() -> type:
    """Returns the trainer's class; TRL is imported here, since that takes seconds."""
    import torch
    from transformers import TrainerCallback
    from trl import GRPOTrainer

    class PolicyTrainer(GRPOTrainer):
        """Trains a policy on its own responses."""

        def __init__(self, model: Any, *args: Any, **more: Any) -> None:
            model.register_forward_pre_hook(_no_pictures, with_kwargs=True)
            super().__init__(model, *args, **more)
            if self.ref_model is not None:
                self.ref_model.register_forward_pre_hook(_no_pictures, with_kwargs=True)
            self.add_callback(_Passes(self))
            # TRL pads prompts on the left, and reads where their pictures are from the processor's own padding.
            processor: Any = self.processing_class
            processor.tokenizer.padding_side = "left"

        def _get_train_sampler(self, dataset: Any = None) -> Any:
            self.sampler = super()._get_train_sampler(dataset)
            return self.sampler

        def _tokenize_prompts(self, prompts: list[Any]) -> Any:
            """Gives rows without pictures an empty list: the processor takes no None beside rows with pictures."""
            ids, images, fields = super()._tokenize_prompts(prompts)
            return ids, images and [mine or [] for mine in images], fields

        def _generate_single_turn(self, prompt_ids: Any, images: Any, *args: Any, **more: Any) -> Any:
            """Asks vLLM with what this trainer's processor sees, since vLLM has one of its own."""
            processor: Any = self.processing_class
            if self.use_vllm and images is not None:
                seen = partial(as_seen, image_processor=processor.image_processor)
                images = [[seen(p) for p in mine] if mine else None for mine in images]  # a list is asked for its first
                if self.vllm_mode == "colocate":
                    prompt_ids = [one_token_a_picture(ids, processor.image_token_id) for ids in prompt_ids]
            return super()._generate_single_turn(prompt_ids, images, *args, **more)

        def _get_per_token_logps_and_entropies(self, *args: Any, **more: Any) -> Any:
            out = super()._get_per_token_logps_and_entropies(*args, **more)
            self._log_probs = out[0].detach()
            return out

        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            """Logs the ratio, as the algorithm has it: of a sequence (arXiv 2507.18071, eq. 7), or of a token."""
            loss = super()._compute_loss(model, inputs)
            mask, old = inputs["completion_mask"], inputs.get("old_per_token_logps")
            with torch.no_grad():
                change = torch.zeros_like(self._log_probs) if old is None else self._log_probs - old
                if self.importance_sampling_level == "sequence":
                    change = ((change * mask).sum(-1) / mask.sum(-1).clamp(min=1))[mask.any(-1)]
                else:
                    change = change[mask.bool()]
                ratios = self.accelerator.gather(_summary(change.exp()))
            mode = "train" if model.training else "eval"
            lows, means, highs = ratios.view(-1, 3).unbind(-1)
            for name, value in (("min", lows.min()), ("mean", means.nanmean()), ("max", highs.max())):
                self._metrics[mode][f"ratio/{name}"].append(value.item())
            return loss

    class _Passes(TrainerCallback):
        """Draws the orders of the passes that are done, so that a training that goes on gets the order of its own pass."""

        def __init__(self, trainer: Any) -> None:
            self._trainer = trainer

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            sampler = self._trainer.sampler
            for _ in range(int(state.epoch or 0) if sampler.shuffle else 0):
                torch.randperm(sampler.num_samples, generator=sampler.generator)

    def _no_pictures(model: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Drops the empty pixels of a micro-batch of text alone, which the vision tower can't take."""
        pixels = kwargs.get("pixel_values")
        if pixels is not None and not len(pixels):
            kwargs = {name: value for name, value in kwargs.items() if name not in ("pixel_values", "image_grid_thw")}
        return args, kwargs

    def _summary(ratios: Any) -> Any:
        if not ratios.numel():
            return torch.ones(3, device=ratios.device)
        return torch.stack([ratios.min(), ratios.mean(), ratios.max()])

    return PolicyTrainer
