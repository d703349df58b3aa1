"""Conversations of published data sets, whatever their fields are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmcurate.prompts import clean_question
from mmcurate.sources.golds import gold_of

_USERS = ("human", "user")
_MODELS = ("gpt", "assistant", "model", "bot")


class Turn(NamedTuple):
    """A question and its response, each with the field that it stood in, for messages."""

    question: str
    asked: str
    response: str
    answered: str


def turns_of(row: Mapping[str, Any]) -> tuple[list[Turn], str | None]:
    """Returns the turns of a row, and what is wrong with it where it has none.

    Read are `conversations` of {from, value}, `messages` of {role, content} (also with content in parts), and
    `query` beside `response`. What a system says is left out.
    """
    for column, who, what in (("conversations", "from", "value"), ("messages", "role", "content")):
        said = row.get(column)
        if said is None:
            continue
        if not isinstance(said, list) or not all(isinstance(turn, Mapping) for turn in said):
            return [], f"bad row: {column} is no list of turns"
        turns: list[Turn] = []
        asked: tuple[str, str] | None = None
        for i, turn in enumerate(said):
            speaker, text, field = str(turn.get(who, "")).lower(), _text(turn.get(what)), f"{column}[{i}].{what}"
            if speaker in _USERS:
                asked = (text, field)
            elif speaker in _MODELS and asked:
                turns.append(Turn(*asked, text, field))
                asked = None
            elif speaker not in (*_MODELS, "system"):
                return [], f"bad row: {column}[{i}].{who} is {turn.get(who)!r}, neither a user nor a model"
        return turns, None if turns else f"no answer: {column} has no turn with a question and a response"
    if row.get("query") is not None and row.get("response") is not None:
        return [Turn(_text(row["query"]), "query", _text(row["response"]), "response")], None
    return [], f"bad row: neither conversations, messages nor query; there are: {', '.join(row)}"


def _text(content: Any) -> str:
    """Returns a turn's text; of content in parts the texts, with a tag for each picture."""
    if isinstance(content, list):
        parts = [p if isinstance(p, Mapping) else {"type": "text", "text": p} for p in content]
        return "".join(str(p.get("text") or "") if p.get("type", "text") == "text" else "<image>" for p in parts)
    return "" if content is None else str(content)


def in_context(turns: Sequence[Turn], index: int) -> str:
    """Returns a turn's question, behind the earlier questions and answers that it may refer to.

    Earlier turns without an answer are left out. Where there are any, picture tags go: the pictures belong to the whole
    conversation, and stand before it.
    """
    question = clean_question(turns[index].question)
    earlier = [(clean_question(t.question), gold.text) for t in turns[:index] if (gold := gold_of(t.response))]
    if not earlier:
        return question
    before = "".join(f"Question: {asked}\nAnswer: {answer}\n\n" for asked, answer in earlier)
    return re.sub(r"<image>\n?", "", f"{before}Question: {question}")
