"""The reference losses: equal to the papers' formulas worked by hand, and TRL's equal to them on real batches of real models."""

import math
import random
from functools import partial

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from mmcurate.train.job import config_of  # noqa: E402
from mmcurate.train.losses import dapo_loss, group_advantages, grpo_loss, gspo_loss, sequence_ratio  # noqa: E402
from mmcurate.train.model import load_model  # noqa: E402
from mmcurate.train.policy import trainer_class  # noqa: E402
from mmcurate.train.presets import rl_settings  # noqa: E402
from mmcurate.train.processor import load_processor  # noqa: E402
from mmcurate.train.rows import trainable  # noqa: E402
from tests.conftest import picture  # noqa: E402
from tests.tiny_models import build  # noqa: E402

# Four responses of 2, 3, 1 and 2 tokens, each token's ratio to the old policy, and advantages; clip 0.05 on both sides.
RATIOS = [[1.21, 1.0], [0.81, 0.9, 1.0], [0.9], [1.1, 1.1]]
ADVANTAGES = [1.0, -2.0, 1.0, -1.0]


def batch(ratios, advantages, dtype=torch.float64):
    """Log-probabilities with these ratios; behind a response's end stands what a mask must hide."""
    longest = max(map(len, ratios)) + 1
    old = torch.linspace(-3.0, -0.1, longest * len(ratios), dtype=dtype).view(len(ratios), longest)
    change = torch.full_like(old, 2.0)
    mask = torch.zeros_like(old, dtype=torch.long)
    for i, row in enumerate(ratios):
        change[i, : len(row)] = torch.tensor(row, dtype=dtype).log()
        mask[i, : len(row)] = 1
    return old + change, old, torch.tensor(advantages, dtype=dtype), mask


def test_worked_example():
    given = batch(RATIOS, ADVANTAGES)
    # s: sqrt(1.21 * 1.0); (0.81 * 0.9 * 1.0)^(1/3); 0.9; sqrt(1.1 * 1.1)
    assert sequence_ratio(*given[:2], given[3]).tolist() == pytest.approx([1.1, 0.9, 0.9, 1.1])
    # GSPO, s A against clip(s) A: 1.1, 1.05; -1.8, -1.9; 0.9, 0.95; -1.1, -1.05. The smaller: 1.05 - 1.9 + 0.9 - 1.1 = -1.05; by 4
    assert gspo_loss(*given, 0.05, 0.05).item() == pytest.approx(1.05 / 4)
    # GRPO, token by token: (1.05 + 1)/2; (-1.9 - 1.9 - 2)/3; 0.9; (-1.1 - 1.1)/2: 1.025 - 5.8/3 + 0.9 - 1.1; by 4
    assert grpo_loss(*given, 0.05, 0.05).item() == pytest.approx((5.8 / 3 - 0.825) / 4)
    # DAPO: the same eight tokens: 1.05 + 1 - 1.9 - 1.9 - 2 + 0.9 - 1.1 - 1.1 = -5.05; by 8
    assert dapo_loss(*given, 0.05, 0.05).item() == pytest.approx(5.05 / 8)
    assert dapo_loss(*given, 0.05, 0.05, num_tokens=20).item() == pytest.approx(5.05 / 20)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss"),
    [
        (1.2, 1.0, -1.1),  # no gain above 1 + clip_high
        (1.05, 1.0, -1.05),
        (0.7, 1.0, -0.7),  # below, a better response pulls back
        (0.7, -1.0, 0.8),  # no gain below 1 - clip_low
        (0.9, -1.0, 0.9),
        (1.2, -1.0, 1.2),
    ],
)
def test_each_side_has_its_own_clip(ratio, advantage, loss):
    for made in (gspo_loss, grpo_loss, dapo_loss):
        given = batch([[ratio, ratio]], [advantage])
        given[0].requires_grad_()
        value = made(*given, 0.2, 0.1)
        assert value.item() == pytest.approx(loss)
        value.backward()
        clipped = loss not in (-ratio, ratio)
        # d(-r A)/d(log r) = -r A, shared by the two tokens
        wanted = [0.0, 0.0] if clipped else [-ratio * advantage / 2] * 2
        assert given[0].grad[0].tolist() == pytest.approx([*wanted, 0.0]), "and nothing beyond the mask"


def by_the_paper(kind, log_probs, old, advantages, lengths, low, high):
    """The objectives' sums, written out for lists of numbers."""

    def term(ratio, advantage):
        return min(ratio * advantage, min(max(ratio, 1 - low), 1 + high) * advantage)

    total, num_tokens = 0.0, sum(lengths)
    for new, before, advantage, length in zip(log_probs, old, advantages, lengths):
        if kind == "gspo":
            ratio = math.prod(math.exp(n - b) for n, b in zip(new[:length], before[:length])) ** (1 / length)
            total += term(ratio, advantage) / len(lengths)
        else:
            share = 1 / (len(lengths) * length) if kind == "grpo" else 1 / num_tokens
            total += sum(share * term(math.exp(n - b), advantage) for n, b in zip(new[:length], before[:length]))
    return -total


REFERENCE = {"gspo": gspo_loss, "grpo": grpo_loss, "dapo": dapo_loss}


@pytest.mark.parametrize("kind", REFERENCE)
def test_the_papers_formulas_and_their_slopes(kind):
    draw = random.Random(0)
    lengths, low, high = [5, 1, 3, 4, 2, 5], 0.1, 0.15
    old = [[draw.uniform(-3, -0.5) for _ in range(5)] for _ in lengths]
    new = [[o + draw.uniform(-0.35, 0.35) for o in row] for row in old]
    advantages = [draw.uniform(-2, 2) for _ in lengths]
    wanted = by_the_paper(kind, new, old, advantages, lengths, low, high)
    mask = torch.arange(5)[None] < torch.tensor(lengths)[:, None]
    for dtype in (torch.bool, torch.long, torch.float64):
        given = torch.tensor(new, dtype=torch.float64, requires_grad=True)
        others = torch.tensor(old, dtype=torch.float64), torch.tensor(advantages, dtype=torch.float64)
        made = REFERENCE[kind](given, *others, mask.to(dtype), low, high)
        assert made.item() == pytest.approx(wanted, rel=1e-12)
    made.backward()
    step = 1e-6
    for i, row in enumerate(new):
        for t in range(5):
            sides = []
            for change in (step, -step):
                moved = [list(r) for r in new]
                moved[i][t] = row[t] + change
                sides.append(by_the_paper(kind, moved, old, advantages, lengths, low, high))
            slope = (sides[0] - sides[1]) / (2 * step)
            assert given.grad[i, t].item() == pytest.approx(slope, abs=1e-8)
    assert (given.grad == 0).any(1).logical_and(mask.any(1)).any(), "some are clipped"


def test_a_masked_response_counts_in_the_mean():
    log_probs, old, advantages, mask = batch(RATIOS, ADVANTAGES)
    mask[1] = 0
    for made, value in ((gspo_loss, -0.85 / 4), (grpo_loss, -0.825 / 4), (dapo_loss, -0.75 / 5)):
        assert made(log_probs, old, advantages, mask, 0.05, 0.05).item() == pytest.approx(value)
        nothing = made(log_probs.requires_grad_(), old, advantages, torch.zeros_like(mask), 0.05, 0.05)
        nothing.backward()
        assert nothing.item() == 0.0
        assert log_probs.grad.abs().max() == 0.0


def test_group_advantages():
    nan = math.nan
    made = group_advantages(torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]), 4, eps=0.0)
    deviation = math.sqrt(4 * 0.25 / 3)
    assert made.tolist() == pytest.approx(
        [0.5 / deviation, -0.5 / deviation, -0.5 / deviation, 0.5 / deviation, 0, 0, 0, 0]
    )
    made = group_advantages(torch.tensor([1.0, nan, 0.0, 0.5, nan, nan, nan, 1.0, nan, nan, nan, nan]), 4, eps=0.0)
    assert made.tolist() == pytest.approx([1.0, 0.0, -1.0, 0.0] + [0.0] * 8), "what isn't scored moves nothing"


def rows():
    """Prompts with no picture, one, and two of different sizes."""
    import datasets

    made = []
    for i in range(8):
        shown = [picture(["red", "blue", "green"][k], size=(40 + 24 * i, 56)) for k in range(i % 3)]
        content = "<image>" * len(shown) + f"What colour is {i}?"
        images = [{"bytes": data, "path": None} for data in shown]
        made.append({"prompt": [{"role": "user", "content": content}], "images": images})
    text = datasets.Value("string")
    features = {"prompt": datasets.List({"role": text, "content": text}), "images": datasets.List(datasets.Image())}
    return trainable(datasets.Dataset.from_list(made, features=datasets.Features(features)))


def captured(family, folder, algorithm, **settings):
    """What TRL's loss was given and returned in a rollout of four updates, each of two micro-batches."""

    seen = []

    class Trainer(trainer_class()):
        def _calculate_rewards(self, *args):
            self.rewards = super()._calculate_rewards(*args)
            return self.rewards

        def _generate_and_score_completions(self, inputs):
            made = super()._generate_and_score_completions(inputs)
            check_masks(made, self.processing_class.tokenizer.eos_token_id, self.mask_truncated_completions)
            for i, row in enumerate(inputs[:12]):  # of three prompts: no picture, one, two
                kept = made["completion_mask"][i].bool()
                alone = log_probs_alone(self.model, self.processing_class, row, made["completion_ids"][i])
                assert torch.allclose(made["old_per_token_logps"][i][kept], alone[kept], atol=1e-4)
            wanted = group_advantages(self.rewards[:, 0], self.num_generations)
            assert torch.allclose(made["advantages"], wanted, atol=1e-6)
            return made

        def _get_per_token_logps_and_entropies(self, *args, **more):
            out = super()._get_per_token_logps_and_entropies(*args, **more)
            self.with_gradient = out[0]
            return out

        def _compute_loss(self, model, inputs):
            loss = super()._compute_loss(model, inputs)
            (slope,) = torch.autograd.grad(loss, self.with_gradient, retain_graph=True)
            steps = self.current_gradient_accumulation_steps
            seen.append((inputs, self.with_gradient.detach(), loss.detach(), slope, steps))
            return loss

    def reward(completion_ids, **_):
        """Anything that differs, and for some nothing at all."""
        return [None if sum(ids) % 7 == 0 else sum(ids) % 5 / 4 for ids in completion_ids]

    model = load_model(build(family, folder / "model"))
    processor = load_processor(folder / "model", family)
    eos = processor.tokenizer.eos_token_id
    others = [t for t in range(len(processor.tokenizer)) if t != eos and not 60 < t < 70]
    held = {"suppress_tokens": others}  # so few are left that some responses end by themselves
    changes = {**BATCHES, **settings, "generation_kwargs": held}
    config = config_of("GRPOConfig", None, folder / "out", partial(rl_settings, "paper", algorithm), changes)
    Trainer(model=model, reward_funcs=reward, args=config, train_dataset=rows(), processing_class=processor).train()
    return seen


def check_masks(made, eos, masked):
    """All tokens up to the end count, and of a response that was cut off all or none."""
    for ids, mask in zip(made["completion_ids"].tolist(), made["completion_mask"].tolist()):
        length = ids.index(eos) + 1 if eos in ids else 0 if masked else len(ids)
        assert mask == [1] * length + [0] * (len(ids) - length)


@torch.no_grad()
def log_probs_alone(model, processor, row, completion_ids):
    """A response's log-probabilities by the model itself: one row, nothing padded, its own pictures."""
    text = processor.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
    given = processor(text=[text], images=row["images"] or None, return_tensors="pt")
    length = given["input_ids"].shape[1]
    more = {
        "input_ids": completion_ids,
        "attention_mask": torch.ones_like(completion_ids),
        "mm_token_type_ids": torch.zeros_like(completion_ids),
    }
    given |= {name: torch.cat([given[name], more[name][None]], 1) for name in more if name in given}
    logits = model(**given).logits[0, length - 1 : -1]
    return logits.log_softmax(-1).gather(-1, completion_ids[:, None])[:, 0]


BATCHES = {
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "steps_per_generation": 8,
    "num_generations": 4,
    "max_completion_length": 16,
    "max_steps": 4,
    "learning_rate": 2e-3,
    "warmup_steps": 0,
    "seed": 3,
    "shuffle_dataset": False,
    "save_strategy": "no",
    "disable_tqdm": True,
}


@pytest.mark.filterwarnings(
    "ignore:`(is_)?gradient_checkpointing.*is deprecated:FutureWarning"  # TRL 1.16 reads the old name
)
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize(("algorithm", "masked"), [("gspo", False), ("gspo", True), ("grpo", True), ("dapo", True)])
def test_trls_loss_is_the_reference(tmp_path, family, algorithm, masked):
    """On batches that mix texts, one picture and two, ratios other than 1, responses cut off and ones that aren't scored."""
    low, high = (3e-4, 4e-4) if algorithm == "gspo" else (0.01, 0.02)
    seen = captured(family, tmp_path, algorithm, mask_truncated_completions=masked, epsilon=low, epsilon_high=high)
    assert len(seen) == 8
    ratios, slopes, lengths = [], [], set()
    for inputs, log_probs, loss, slope, steps in seen:
        mask, advantages = inputs["completion_mask"], inputs["advantages"]
        given = log_probs.requires_grad_(), inputs["old_per_token_logps"], advantages, mask, low, high
        if algorithm == "dapo":  # its mean is over the tokens of an update: so many of the rollout's
            num_tokens = inputs["num_items_in_batch"] * steps / BATCHES["steps_per_generation"]
            made = dapo_loss(*given, num_tokens=num_tokens)
        else:
            made = REFERENCE[algorithm](*given) / steps
        assert abs(made.item() - loss.item()) < 1e-6
        made.backward()
        assert torch.allclose(log_probs.grad, slope, atol=1e-6)
        counted = mask.any(1) & (advantages != 0)
        ratios += sequence_ratio(log_probs, inputs["old_per_token_logps"], mask)[counted].tolist()
        slopes += slope[counted][mask[counted].bool()].tolist()
        lengths |= set(mask.sum(1).tolist())
    assert max(abs(ratio - 1) for ratio in ratios) > 0.01
    assert 0 < sum(s == 0 for s in slopes) < len(slopes), "some are clipped, some aren't"
    assert (0 in lengths) is masked
    assert len(lengths) > 3
