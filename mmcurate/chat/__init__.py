"""Teachers and judges: chat models, the answer store under them, and two that need no model."""

from mmcurate.chat.openai import OpenAIChat, Usage
from mmcurate.chat.recorded import RecordedTeacher
from mmcurate.chat.request import Answer, ChatRequest, Failure
from mmcurate.chat.server import Faults
from mmcurate.chat.simulated import SimulatedTeacher
from mmcurate.chat.store import AnswerStore

__all__ = [
    "Answer",
    "AnswerStore",
    "ChatRequest",
    "Failure",
    "Faults",
    "OpenAIChat",
    "RecordedTeacher",
    "SimulatedTeacher",
    "Usage",
]
