"""A teacher that repeats what real models once said: an OpenAI-compatible server over a file of responses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmcurate.chat.known import KnownQuestions, read_rows
from mmcurate.chat.server import ChatServer, Faults
from mmcurate.errors import SourceError


class RecordedTeacher(ChatServer):
    """Serves recorded responses over real HTTP; the same request always gets the same answer.

    A request's seed picks among a question's responses, and the samples of one question have seeds in a row: so up to
    as many samples as there are responses, no response comes twice.

    Args:
        questions: the questions that the responses belong to, with `id`: a source, a list of dicts, or a JSONL file.
        responses: dicts, or a JSONL file of them, with `id` (the question's) and `response`; `reasoning` and
            `finish_reason` where they are.
        model, root, port, api_key, faults: as for `ChatServer`.

    Raises:
        SourceError: the file can't be read, or no response belongs to a question.
    """

    def __init__(
        self,
        questions: str | Path | Iterable[Mapping[str, Any]],
        responses: str | Path | Iterable[Mapping[str, Any]],
        *,
        model: str = "recorded-teacher",
        root: str = "",
        port: int = 0,
        api_key: str = "",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(model=model, root=root, port=port, api_key=api_key, faults=faults)
        self.responses: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for response in read_rows(responses):
            if "id" not in response or "response" not in response:
                raise SourceError(f"a recorded response needs `id` and `response`, this one has {sorted(response)}")
            self.responses[str(response["id"])].append(response)
        rows = list(read_rows(questions))
        if not any(str(row.get("id")) in self.responses for row in rows):
            raise SourceError(
                f"none of the {len(self.responses)} questions of the recorded responses is among the questions"
            )
        self._known = KnownQuestions(rows)

    def reply(self, messages: list[dict[str, Any]], seed: int) -> tuple[dict[str, Any], str]:
        row = self._known.find(messages)
        recorded = self.responses.get(str(row["id"])) if row else None
        if not recorded:
            return {"role": "assistant", "content": ""}, "stop"
        chosen = recorded[seed % len(recorded)]
        message = {"role": "assistant", "content": chosen["response"]}
        if chosen.get("reasoning"):
            message["reasoning"] = chosen["reasoning"]
        return message, chosen.get("finish_reason") or "stop"
