"""Encoders: texts or pictures in, vectors out. Everything that needs one takes any object with two methods."""

from mmcurate.embed.encoder import Encoder, EncoderSetting, unit, unit_vectors
from mmcurate.embed.images import ClipImages
from mmcurate.embed.named import Named
from mmcurate.embed.questions import Embeddings, question_vectors
from mmcurate.embed.text import Model2Vec, StaticText

__all__ = [
    "ClipImages",
    "Embeddings",
    "Encoder",
    "EncoderSetting",
    "Model2Vec",
    "Named",
    "StaticText",
    "question_vectors",
    "unit",
    "unit_vectors",
]
