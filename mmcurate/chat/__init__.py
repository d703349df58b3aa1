"""Teachers and judges: chat models, the answer store under them, and two that need no model."""

from mmcurate.chat.model import ChatModel, Usage
from mmcurate.chat.openai import OpenAIChat
from mmcurate.chat.recorded import RecordedTeacher
from mmcurate.chat.request import Answer, ChatRequest, Failure
from mmcurate.chat.server import Faults
from mmcurate.chat.simulated import SimulatedTeacher
from mmcurate.chat.store import AnswerStore
from mmcurate.chat.vllm import VLLMChat

__all__ = [
    "Answer",
    "AnswerStore",
    "ChatModel",
    "ChatRequest",
    "Failure",
    "Faults",
    "OpenAIChat",
    "RecordedTeacher",
    "SimulatedTeacher",
    "Usage",
    "VLLMChat",
]
