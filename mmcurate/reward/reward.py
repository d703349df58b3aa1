"""The reward of reinforcement learning: accuracy by the verifier, strict format, and what a response's length costs.

R = (1 - w) * accuracy + w * format, plus the terms on length that are on (OpenMMReasoner, arXiv 2511.16334, section 3).
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import pydantic

from mmcurate.answers import options_of
from mmcurate.chat import Failure
from mmcurate.errors import ColumnError, EndpointDown, SettingsError
from mmcurate.prompts import is_strict
from mmcurate.reward.length import Overlong, conciseness
from mmcurate.schema import Grade, Verdict
from mmcurate.step import Runtime, digest, settings
from mmcurate.verify import Policy
from mmcurate.verify.grade import check_arguments, grade_here, grade_tasks, kept_pool
from mmcurate.verify.judge import ask_judge, check_judge, judge_grade, needs_judge
from mmcurate.verify.policy import DEFAULT

MIN_POOLED = 64
"""Responses in a call from which on worker processes grade: they take 1.5 s to start, once, and a response 0.3 to 3 ms."""
_ACCURACY = {Verdict.CORRECT: 1.0, Verdict.INCORRECT: 0.0, Verdict.NO_ANSWER: 0.0}


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """A response's reward and what it is made of.

    Attributes:
        reward: None where the response isn't scored: no rule decides, or the check failed.
        accuracy: 1 or 0, or None.
        format: 1 where the text is one `<think>` part, one `<answer>` part and nothing else; or 0.
        overlong: the term for long responses, 0 or less.
        conciseness: Kimi's length reward, -0.5 to 0.5, before its weight.
        without_none: the reward for trainers that can't leave a response out of its group: one that isn't scored has no accuracy.
        grade: the verifier's verdict and its reasons.
    """

    reward: float | None
    accuracy: float | None
    format: float
    overlong: float
    conciseness: float
    without_none: float
    grade: Grade


@settings
class Reward:
    """Scores responses; a TRL reward function, and the source of verl's.

    As a reward function it reads the columns of `to_rl`: `answer`, and where they are `options`, `question` and `id`. A response that
    no rule and no judge can grade, or whose check failed, gets None: not scored, which TRL leaves out of its group. It is never 0.

    Attributes:
        format_weight: w; the paper's ablation has its best mean at 0.1, of 0.1, 0.3, 0.5 and 0.7.
        overlong: the punishment near the limit, or None for none; the paper describes it, every published script leaves it off.
        conciseness: weight of Kimi k1.5's length reward (arXiv 2501.12599, section 2.3.3), 0 for none: among the scored responses of one
            `id` in a call, 0.5 for the shortest down to -0.5 for the longest, and never above 0 for a wrong one. Kimi turns it
            on only after a first phase without.
        policy: what counts as the same answer.
        judge: an `OpenAIChat` or the like for what no rule decides, or None. While its endpoint is down, calls wait for it.
        eos_token_ids: the tokens that end a response. One that ends with none of them was cut off, and has an answer only where that is
            complete. Empty: not known, and the text alone decides. `train.rl` sets it.
        workers: processes that grade a call of 64 responses or more, kept for the next call; smaller ones are graded in this process.
    """

    format_weight: float = pydantic.Field(default=0.1, ge=0.0, le=1.0)
    overlong: Overlong | None = None
    conciseness: float = pydantic.Field(default=0.0, ge=0.0)
    policy: Policy = DEFAULT
    judge: Any = None
    eos_token_ids: Sequence[int] = ()
    workers: Annotated[int, Runtime] = pydantic.Field(default=4, gt=0)

    __name__: ClassVar[str] = "Reward"  # under which trainers log a function

    def __post_init__(self) -> None:
        check_judge("Reward", self.judge)

    def fingerprint(self) -> str:
        """Returns what tells this reward from another; a judge's endpoint is asked who it is."""
        rules = dataclasses.replace(self, judge=None, workers=1)
        return digest([repr(rules), None if self.judge is None else self.judge.fingerprint()])

    def score(
        self,
        response: str,
        gold: str,
        *,
        options: Sequence[str] = (),
        question: str | None = None,
        num_tokens: int | None = None,
        finish_reason: str | None = None,
    ) -> Score:
        """Scores one response; see `scores`."""
        return self.scores(
            [response],
            [gold],
            options=[options],
            questions=[question],
            num_tokens=None if num_tokens is None else [num_tokens],
            finish_reasons=[finish_reason],
        )[0]

    def scores(
        self,
        responses: Sequence[str],
        golds: Sequence[str],
        *,
        options: Sequence[Sequence[str]] | None = None,
        questions: Sequence[str | None] | None = None,
        num_tokens: Sequence[int] | None = None,
        finish_reasons: Sequence[str | None] | None = None,
        groups: Sequence[Hashable] | None = None,
    ) -> list[Score]:
        """Scores responses, each against its own gold. Safe in any thread or process.

        Args:
            responses, golds: as many of each.
            options, questions: as many, or None.
            num_tokens: of each response; needed where a term on length is on.
            finish_reasons: "length" for a response that was cut off.
            groups: equal for the responses to one prompt, which `conciseness` compares; all one group unless given.

        Raises:
            SettingsError: a term on length is on, and `num_tokens` isn't given.
        """
        given = (golds, options, questions, num_tokens, finish_reasons, groups)
        if any(part is not None and len(part) != len(responses) for part in given):
            counts = ", ".join(str(len(part)) for part in given if part is not None)
            raise SettingsError(
                f"Reward: {len(responses)} responses, and {counts} of the other arguments: give as many"
            )
        if num_tokens is None and (self.overlong or self.conciseness):
            on = "overlong" if self.overlong else "conciseness"
            raise SettingsError(f"Reward: {on} is on and counts tokens: give num_tokens (TRL's completion_ids)")
        none = [None] * len(responses)
        columns = [none if part is None else part for part in (options, questions, finish_reasons)]
        grades = self._grades([_task(*row) for row in zip(responses, golds, *columns, strict=True)])
        lengths = [0] * len(responses) if num_tokens is None else list(num_tokens)
        concise = [0.0] * len(responses)
        if self.conciseness:
            accuracies = [_ACCURACY.get(g.verdict) for g in grades]
            concise = conciseness(lengths, accuracies, none if groups is None else groups)
        return list(map(self._score, responses, grades, lengths, concise))

    def _score(self, response: str, grade: Grade, length: int, concise: float) -> Score:
        accuracy, formatted = _ACCURACY.get(grade.verdict), float(is_strict(response))
        overlong = self.overlong(length) if self.overlong else 0.0
        total = (1 - self.format_weight) * (accuracy or 0.0) + self.format_weight * formatted
        total += overlong + self.conciseness * concise
        return Score(None if accuracy is None else total, accuracy, formatted, overlong, concise, total, grade)

    def _grades(self, tasks: list[dict[str, Any]]) -> list[Grade]:
        if len(tasks) < MIN_POOLED:
            grades = [grade_here(task, self.policy) for task in tasks]
        else:
            grades = grade_tasks(kept_pool(min(self.workers, os.cpu_count() or 1)), tasks, self.policy)
        pairs = [(t["question"], t["options"], t["gold"], t["response"]) for t in tasks]
        try:
            ask_judge(self.judge, grades, pairs)
        except EndpointDown as error:  # no reason to end a training, nor to call a response wrong
            down = Failure(str(error), passing=True)
            grades = [
                judge_grade(down, g) if needs_judge(g, t["gold"]) else g for g, t in zip(grades, tasks, strict=True)
            ]
        return grades

    def __call__(
        self,
        completions: Sequence[Any],
        *,
        answer: Sequence[Any] | None = None,
        options: Sequence[Any] | None = None,
        question: Sequence[str | None] | None = None,
        id: Sequence[Hashable] | None = None,
        completion_ids: Sequence[Sequence[int]] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Returns the reward of each completion, None where it isn't scored: TRL's reward function.

        Logs the means of accuracy (of what is scored) and of each other term, the share that isn't scored, the share of each
        verdict, and in the table of completions each verdict with the answer that was read.

        Args:
            completions: texts, or lists of messages whose last one is the response.
            answer, options, question, id: columns of the data set.
            completion_ids: the tokens of each completion.
            log_metric, log_extra: TRL's.
            columns: whatever else TRL passes; not looked at.

        Raises:
            ColumnError: there is no column `answer`, or `conciseness` is on and there is no column `id`.
        """
        columns |= {"answer": answer, "options": options, "question": question, "id": id}
        for name in ("answer", "id") if self.conciseness else ("answer",):
            if columns[name] is None:
                have = ", ".join(n for n, c in columns.items() if c is not None and n not in _TRL)
                raise ColumnError(
                    f"Reward needs the column {name!r}, and the data set has: {have}; rename yours to {name!r}"
                )
        ends, cut = set(self.eos_token_ids), None
        if ends and completion_ids is not None:
            cut = [None if len(ids) and ids[-1] in ends else "length" for ids in completion_ids]
        made = self.scores(
            [_text(c) for c in completions],
            columns["answer"],
            options=options,
            questions=question,
            num_tokens=None if completion_ids is None else [len(ids) for ids in completion_ids],
            finish_reasons=cut,
            groups=id,
        )
        if log_metric is not None:
            for name, value in self._metrics(made).items():
                log_metric(name, value)
        if log_extra is not None:
            log_extra("verdict", [str(s.grade.verdict) for s in made])
            log_extra("answer_read", [s.grade.extracted or "" for s in made])
        return [s.reward for s in made]

    def _metrics(self, scores: list[Score]) -> dict[str, float]:
        """Returns what is logged of a call; without the accuracy where nothing is scored."""
        scored = [s.accuracy for s in scores if s.accuracy is not None]
        counts = Counter(s.grade.verdict for s in scores)
        out = {"accuracy": _mean(scored)} if scored else {}
        out["format"] = _mean([s.format for s in scores])
        if self.overlong:
            out["overlong"] = _mean([s.overlong for s in scores])
        if self.conciseness:
            out["conciseness"] = _mean([s.conciseness for s in scores])
        out["not_scored"] = (len(scores) - len(scored)) / len(scores)
        return out | {f"verdict/{verdict}": counts[verdict] / len(scores) for verdict in Verdict}


_TRL = ("prompts", "trainer_state", "environments")


def _task(response: str, gold: Any, options: Any, question: str | None, finish_reason: str | None) -> dict[str, Any]:
    gold = "" if gold is None else gold
    listed = options_of(options)
    check_arguments(response, gold, listed)
    return {
        "response": response,
        "gold": str(gold),
        "options": listed,
        "question": question,
        "finish_reason": finish_reason,
    }


def _text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """Returns a completion's text: of a chat, that of its last message, in which TRL may have parted reasoning from answer."""
    if isinstance(completion, str):
        return completion
    message = completion[-1]
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)
    reasoning = message.get("reasoning_content")
    return f"<think>{reasoning}</think>{text}" if reasoning else text


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
