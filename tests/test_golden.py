"""Golden outputs guard `version`: when a step's output moves and its version doesn't, old results would be reused as new ones.

To take new ones: MMCURATE_NEW_GOLDEN=1 python -m pytest tests/test_golden.py
"""

import json
import os
from pathlib import Path

import pyarrow as pa

from mmcurate.canonical import as_table, canonical
from mmcurate.chat.request import KEY_VERSION, ChatRequest
from mmcurate.columns import array_digest
from mmcurate.dedup import ExactDedup, NearDedup
from mmcurate.evaluate import BenchmarkVerify
from mmcurate.prompts import SYSTEM_PROMPT, user_text
from mmcurate.sample import Difficulty, DiverseResponses, Stratified
from mmcurate.schema import RESPONSES
from mmcurate.verify import Verify

GOLDEN = Path(__file__).parent / "golden" / "steps.json"
QUESTIONS = [
    {"id": "a", "question": "What is 2 + 2?", "answer": "4"},
    {"id": "b", "question": "what is  2 + 2?  Answer the question using a single word or phrase.", "answer": "4"},
    {"id": "c", "question": "Which is larger?", "options": ["10 cm", "12 cm"], "answer": "B"},
    {"id": "d", "question": "Which is larger?", "options": ["12 cm", "9 cm"], "answer": "A"},
    {"id": "e", "question": "Which is larger?", "options": ["12 cm", "9 cm"], "answer": "B"},
    {"id": "f", "question": "Simplify \\frac{2}{4}", "answer": "\\frac{1}{2}"},
]
OF_BENCHMARKS = [
    {"id": "a", "source": "mathvista", "question": "How wide?", "answer": "0.5", "precision": 1},
    {"id": "b", "source": "mathvision", "question": "How long?", "answer": "$4 \\pi$"},
    {"id": "c", "source": "mathverse", "question": "In the picture.", "answer": "B", "problem_version": "Vision Only"},
    {"id": "d", "source": "dynamath", "question": "How much?", "answer": "4.001", "tolerance": 0.001},
    {"id": "e", "source": "mmmu", "question": "How many?", "answer": "4", "question_type": "open"},
    {"id": "f", "source": "mmmu_pro", "question": "In the picture.", "answer": "B", "drawn_options": ["4", "12 cm"]},
]
OF_BENCHMARKS[2]["question_for_eval"] = "How wide?\nChoices:\nA:4 cm\nB:12 cm"
OF_BENCHMARKS[4]["accepted_answers"] = ["4", "four", "0.5"]
TEXTS = [
    "<think>t</think><answer>4</answer>",
    "The answer is (B).",
    "\\boxed{0.5}",
    "12 cm",
    "A or B",
    "<think>cut",
    "I am not sure about it at all.",
]


def table(questions=QUESTIONS):
    rows = [canonical(q, i, {})[0] for i, q in enumerate(questions)]
    made = as_table(rows)
    responses = [[{"text": t, "sample_index": i, "finish_reason": "stop"} for i, t in enumerate(TEXTS)] for _ in rows]
    return made.set_column(made.column_names.index("responses"), "responses", pa.array(responses, RESPONSES))


def dedup(step, rows):
    """A step's signatures and its columns."""
    signatures = step.signatures()(rows)
    joined = pa.table({n: rows[n] for n in dict.fromkeys(("id", *step.requires))})
    for name in signatures.column_names:
        joined = joined.append_column(name, signatures[name])
    made = step(joined)
    return pa.table(
        [*signatures.columns, *made.columns], [*signatures.column_names, *(f"{n}." for n in made.column_names)]
    )


def outputs():
    rows = table()
    near = [dedup(step, rows) for step in (ExactDedup(), NearDedup())]
    rates = pa.table({"id": list("abcd"), "pass_rate": [0.0, 0.5, 1.0, None], "num_scored": pa.array([8, 8, 8, 0])})
    strata = Stratified(by=("source", "metadata.subject"))
    sampled = [DiverseResponses(), Difficulty(), strata]
    made = [sampled[0](rows), sampled[1](rates), dedup(strata, rows)]
    verdicts = {}
    for verify, asked in (Verify(workers=1), rows), (BenchmarkVerify(workers=1), table(OF_BENCHMARKS)):
        try:
            verdicts[type(verify).__name__] = [verify.version, [array_digest(c) for c in verify(asked).columns]]
        finally:
            verify.close()
    prompts = [user_text(q["question"], q.get("options", []), 0)[0] for q in QUESTIONS]
    keys = [ChatRequest(SYSTEM_PROMPT, p).key({"model": "m", "temperature": 1.0}).hex() for p in prompts]
    return {
        "ExactDedup": [ExactDedup.version, [array_digest(c) for c in near[0].columns]],
        "NearDedup": [NearDedup.version, [array_digest(c) for c in near[1].columns]],
        **{
            type(s).__name__: [s.version, [array_digest(c) for c in t.columns]]
            for s, t in zip(sampled, made, strict=True)
        },
        **verdicts,
        "requests": [KEY_VERSION, keys],
    }


def test_outputs_move_only_with_their_version():
    made = json.loads(json.dumps(outputs()))
    if os.environ.get("MMCURATE_NEW_GOLDEN"):
        GOLDEN.write_text(json.dumps(made, indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    for name, (version, digests) in made.items():
        old_version, old_digests = golden[name]
        assert digests == old_digests or version > old_version, (
            f"the output of {name} moved: raise its version, then take new golden outputs"
        )
        assert version == old_version, f"{name} has another version: take new golden outputs with MMCURATE_NEW_GOLDEN=1"
