"""The rules of the settings check, each a small function from what was asked to what undoes it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mmcurate.train.finding import Case, Finding, Settings
from mmcurate.train.presets import LOSSES
from mmcurate.verify import Verify

error, warning = partial(Finding, "error"), partial(Finding, "warning")

WIDE_CLIP = 0.02
"""Above it a clip is one for token ratios: a response's ratio is the geometric mean of its tokens' and stays near 1."""
NARROW_CLIP = 0.01
"""Below it a clip is one for the ratios of responses: a token's ratio leaves it at once."""
_WHY_NOT = {
    "importance_sampling_level": "GSPO has one ratio a response (arXiv 2507.18071, eq. 7), GRPO and DAPO have one a token",
    "loss_type": "GSPO and GRPO take the mean of responses' means, DAPO the mean over all tokens",
}
_OFF = {"top_p": (1.0, None), "top_k": (0, -1, None), "min_p": (None, 0.0), "repetition_penalty": (1.0, None)}
"""Values under which a setting leaves the model's own probabilities as they are."""

# --- the loss ----------------------------------------------------------------------------------------------------


def _ratio(case: Case) -> Iterator[Finding]:
    c, every = case.config, case.config.micro_batches * case.config.num_iterations
    told = f"steps_per_generation = {c.micro_batches:,} with gradient_accumulation_steps = {c.gradient_accumulation_steps:,}"
    more = f"steps_per_generation={4 * c.gradient_accumulation_steps} makes four (arXiv 2507.18071, section 5.1)"
    if c.gradient_accumulation_steps % every == 0:  # TRL's own condition for not even computing the old probabilities
        yield warning(told, "a rollout is used in one update, so the ratio is always 1 and no clip ever acts", more)
    elif every % c.gradient_accumulation_steps:
        yield warning(told, "a rollout ends inside an update, which then mixes two", more)


def _loss(case: Case) -> Iterator[Finding]:
    c, level, loss = case.config, case.config.importance_sampling_level, case.config.loss_type
    if case.algorithm is None:
        if level == "sequence" and loss not in ("grpo", "luspo"):
            yield warning(
                f"loss_type = {loss!r} with a sequence ratio",
                "it weights responses by their length",
                "loss_type='grpo'",
            )
        return
    for name, right in LOSSES[case.algorithm].items():
        if (value := getattr(c, name)) != right:
            yield error(f"{case.algorithm} with {name} = {value!r}", _WHY_NOT[name], f"{name}={right!r}")


def _clip(case: Case) -> Iterator[Finding]:
    c = case.config
    low, high = c.epsilon, c.epsilon if c.epsilon_high is None else c.epsilon_high
    told = f"epsilon = {low:g}, epsilon_high = {high:g}"
    if c.importance_sampling_level == "sequence" and max(low, high) > WIDE_CLIP:
        yield warning(
            f"{told} for a sequence ratio", "such a clip never acts", "epsilon=3e-4, epsilon_high=4e-4 are GSPO's"
        )
    if c.importance_sampling_level == "token" and min(low, high) < NARROW_CLIP:
        yield warning(
            f"{told} for a token ratio", "nearly every token is clipped", "epsilon=0.2, epsilon_high=0.27 are GRPO's"
        )
    if case.algorithm == "dapo" and high <= low:
        yield warning(
            f"dapo with {told}", "without clip-higher the entropy falls (arXiv 2503.14476, 3.1)", "epsilon_high=0.28"
        )


def _dapo(case: Case) -> Iterator[Finding]:
    if case.algorithm != "dapo":
        return
    if case.data and case.data.num_trivial + case.data.num_unrated:
        yield warning(
            f"dapo on {case.data.num_trivial:,} rows with a pass rate of 0 or 1 and {case.data.num_unrated:,} without one",
            "TRL has no dynamic sampling, and a group of equal rewards teaches nothing",
            "leave them out with the pass-rate filter",
        )
    if hasattr(case.reward, "overlong") and case.reward.overlong is None:
        yield warning(
            "dapo with a reward without an overlong term",
            "a response that is cut off is merely wrong (arXiv 2503.14476, 3.4)",
            f"Reward(overlong=Overlong(max_length={case.config.max_completion_length}))",
        )


def _advantage(case: Case) -> Iterator[Finding]:
    c = case.config
    if c.num_generations < 2:
        yield error(
            f"num_generations = {c.num_generations}",
            "a group of one has no advantage",
            "16 are the paper's, 2 the least",
        )
    if c.scale_rewards not in ("group", True):
        yield warning(
            f"scale_rewards = {c.scale_rewards!r}",
            "GSPO, GRPO and DAPO divide advantages by their group's deviation",
            "scale_rewards='group'",
        )
    for name in ("beta", "entropy_coef"):
        if getattr(c, name):
            yield warning(
                f"{name} = {getattr(c, name):g}", "the paper has no KL term and no entropy bonus", f"{name}=0.0"
            )


# --- responses ---------------------------------------------------------------------------------------------------


def _sampling(case: Case) -> Iterator[Finding]:
    temperature = case.config.sampled("temperature")
    if not 0.8 <= temperature <= 1.2:
        why = "the paper's training collapses at 1.4" if temperature > 1 else "a group's responses become alike"
        yield warning(f"temperature = {temperature:g}", why, "temperature=1.0")
    for name, off in _OFF.items():
        if (value := case.config.sampled(name)) not in off:
            yield warning(
                f"{name} = {value}", "responses are drawn from other probabilities than the ratio's", f"{name}={off[0]}"
            )


def _limit(case: Case) -> Iterator[Finding]:
    limit = case.config.max_completion_length
    for what, facts in (("set", case.data), ("set the model was fine-tuned on", case.sft)):
        if facts and facts.longest_trace and limit is not None and facts.longest_trace > limit:
            yield warning(
                f"max_completion_length = {limit:,}",
                f"the longest trace of the {what} has {facts.longest_trace:,} tokens: the model was shown longer answers than it may give",
                f"max_completion_length={facts.longest_trace}",
            )


def _overlong(case: Case) -> Iterator[Finding]:
    term, limit = getattr(case.reward, "overlong", None), case.config.max_completion_length
    if term is None:
        return
    if term.max_length != limit:
        yield warning(
            f"Overlong(max_length={term.max_length}) with max_completion_length = {limit}",
            "the term ends elsewhere than responses do",
            f"Overlong(max_length={limit})",
        )
    if case.config.mask_truncated_completions:
        yield warning(
            "mask_truncated_completions with an overlong term",
            "responses that are cut off leave the loss, so the term never reaches them",
            "mask_truncated_completions=False",
        )


# --- rows and steps ----------------------------------------------------------------------------------------------


def _columns(case: Case) -> Iterator[Finding]:
    if case.config.remove_unused_columns:
        yield error(
            "remove_unused_columns = True",
            "golds and pictures are gone before they are needed",
            "remove_unused_columns=False",
        )
    if case.curriculum and case.config.shuffle_dataset:
        yield error("shuffle_dataset = True with a curriculum", "its order is lost", "shuffle_dataset=False")


def _run(case: Case) -> Iterator[Finding]:
    if case.config.save_only_model:
        yield error(
            "save_only_model = True",
            "a training that goes on would start its optimizer anew, and isn't the same",
            "save_only_model=False",
        )
    if str(case.config.eval_strategy) not in ("no", "IntervalStrategy.NO", "None"):
        yield error(
            f"eval_strategy = {str(case.config.eval_strategy)!r}",
            "there is no set to evaluate on while it trains",
            "eval_strategy='no'; recipes/openmmr_eval.py measures a model",
        )


def _unverified(case: Case) -> Iterator[Finding]:
    if case.data and case.data.num_unverified:
        yield warning(
            f"{case.data.num_unverified:,} of {case.data.num_rows:,} rows without a verdict",
            "nothing checked these answers: ready traces of a source, or a run without Verify",
            "put a Verify into the pipeline if they aren't to be taken as they are",
        )


def _rollout(case: Case) -> Iterator[Finding]:
    c, data = case.config, case.data
    if data is None or c.num_generations < 1:
        return
    if c.prompts and case.curriculum and (rest := data.num_rows % c.prompts) and data.num_rows >= c.prompts:
        yield warning(
            f"a curriculum of {data.num_rows:,} rows in rollouts of {c.prompts:,}",
            f"TRL drops a rollout that isn't full: the {rest:,} hardest rows never come",
            "another batch, or rows in random order, where each pass drops others",
        )
    if not c.prompts or data.num_rows < c.prompts:
        yield error(
            f"a rollout of {c.prompts:,} prompts on {data.num_rows:,} rows",
            "TRL drops a rollout that isn't full, so there is nothing to train on",
            _smaller_rollout(c, data.num_rows),
        )
    else:
        yield from _warmup(c, data.num_rows // c.prompts * c.updates)


def _smaller_rollout(c: Settings, num_rows: int) -> str:
    """Returns the settings of the largest rollout that the rows fill, in as many updates."""
    now, device = c.gradient_accumulation_steps, c.per_device_train_batch_size * c.world_size
    for fewer in range(now * num_rows // max(c.prompts, 1), 0, -1):
        micro_batches = fewer * c.micro_batches // now
        if micro_batches and micro_batches * device % c.num_generations == 0:
            return f"gradient_accumulation_steps={fewer}, steps_per_generation={micro_batches}"
    return "lower per_device_train_batch_size or num_generations, or get more rows"


def _sft_steps(case: Case) -> Iterator[Finding]:
    c = case.config
    if case.data is not None:
        rows = c.per_device_train_batch_size * c.gradient_accumulation_steps * c.world_size
        yield from _warmup(c, -(-case.data.num_rows // rows))


def _warmup(c: Settings, updates_a_pass: float) -> Iterator[Finding]:
    updates = c.max_steps if c.max_steps > 0 else updates_a_pass * c.num_train_epochs
    if 1 <= c.warmup_steps >= updates:
        yield warning(
            f"warmup_steps = {c.warmup_steps:g} of {updates:,.0f} updates",
            "the learning rate never gets to its value",
            "warmup_steps=0.1, a share, or more num_train_epochs",
        )


def _resume(case: Case) -> Iterator[Finding]:
    c = case.config
    if c.save_strategy == "steps" and c.save_steps >= 1 and c.save_steps % max(c.updates, 1):
        yield warning(
            f"save_steps = {c.save_steps:g} with {c.updates:g} updates a rollout",
            "a training that goes on from the middle of a rollout makes a new one there, and isn't the same",
            f"save_steps={max(1, round(c.save_steps / c.updates)) * c.updates:g}",
        )


def _sequence(case: Case) -> Iterator[Finding]:
    c, pictured = case.config, case.data is None or case.data.has_pictures
    if c.max_length is not None and not c.packing:
        why = "a cut inside a picture raises, and one before the answer gives a loss of NaN"
        finding = (f"max_length = {c.max_length:,}", why if pictured else "answers are cut off", "max_length=None")
        yield error(*finding) if pictured else warning(*finding)
    for name in ("packing", "padding_free"):
        if getattr(c, name) and pictured:
            why = "TRL refuses it for pictures"
            yield error(f"{name} = True", why, f"{name}=False; run.to_lmms_engine and others pack")
    if c.completion_only_loss is False:
        yield error(
            "completion_only_loss = False",
            "the prompt, and every picture's tokens, would be learnt",
            "completion_only_loss=True",
        )
    if c.assistant_only_loss:
        yield error(
            "assistant_only_loss = True",
            "TRL refuses it for rows with a prompt and a completion",
            "completion_only_loss=True",
        )


# --- what the rows came from -------------------------------------------------------------------------------------


def _prompts(case: Case) -> Iterator[Finding]:
    data, sft = case.data, case.sft
    if data is None:
        return
    if data.num_misnamed:
        yield warning(
            f"{data.num_misnamed:,} rows whose prompt_id isn't that of their messages",
            "they were asked with another prompt than they are trained on",
            "make the set anew from its run",
        )
    if "" in data.prompts:
        yield warning(
            f"{data.prompts['']:,} rows without a system prompt",
            "Qwen2.5-VL's chat template then puts in its own",
            "make the set with run.to_sft() or run.to_rl()",
        )
    named = sorted(p for p in data.prompts if p)
    if len(named) > 1:
        told = ", ".join(f"{p} ({data.prompts[p]:,} rows)" for p in named)
        yield warning(
            f"{len(named)} system prompts in one set: {told}", "the model is taught several formats", "keep one"
        )
    before = sorted(p for p in sft.prompts if p) if sft else []
    if named and before and not set(named) <= set(before):
        yield warning(
            f"system prompt {', '.join(named)} after fine-tuning on {', '.join(before)}",
            "the model is asked otherwise than it was taught",
            "use one system prompt for both sets",
        )


def _verifier(case: Case) -> Iterator[Finding]:
    for name, version in (case.data.verifiers if case.data else {}).items():
        if version != Verify.version:
            yield warning(
                f"verdicts of {name!r} by verifier version {version}; installed is {Verify.version}",
                "pass rates and right answers may be others today",
                "run the recipe again, which asks for nothing twice",
            )


RL_RULES = (
    _ratio, _loss, _clip, _dapo, _advantage, _sampling, _limit, _overlong, _columns, _run, _rollout, _resume, _prompts, _verifier,
)  # fmt: skip
SFT_RULES = (_sequence, _columns, _run, _sft_steps, _unverified, _prompts, _verifier)
