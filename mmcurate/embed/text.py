"""Encoders of texts: static models, which take a mean of word vectors."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcurate.embed.encoder import INSTALL, digest_of, missing, model_name, unit
from mmcurate.errors import SettingsError
from mmcurate.step import settings

_WEIGHTS, _TOKENIZER = "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"


@settings
class StaticText:
    """The mean of a text's word vectors, (N, 256) at length 1: some 5,000 questions a second on one core, no download.

    The vectors are WordLlama's `l2_supercat` (MIT), read from the files of the pip package `wordllama` and equal to
    its `embed`. A text's words count, their order doesn't; English mostly. An empty text becomes zeros.
    """

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Returns the texts' vectors."""
        table, tokenizer = _static()
        ids = [e.ids for e in tokenizer.encode_batch(list(items), add_special_tokens=False)]
        out = np.zeros((len(ids), table.shape[1]), np.float32)
        for row, tokens in zip(out, ids, strict=True):
            if tokens:
                table[tokens].mean(axis=0, out=row)
        return unit(out)

    def fingerprint(self) -> str:
        """Returns the model's name and a digest of its files."""
        return f"wordllama l2_supercat_256 {_static_digest()}"


def _static_file(name: str) -> Path:
    spec = importlib.util.find_spec("wordllama")  # found, not imported: importing it sets up the root logger
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / name).exists():
            return Path(folder) / name
    raise SettingsError(f"StaticText needs the package wordllama with its file {name}: {INSTALL}")


@functools.cache
def _static_digest() -> str:
    return digest_of(_static_file(_WEIGHTS), _static_file(_TOKENIZER))


@functools.cache
def _static() -> tuple[np.ndarray, Any]:
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
    except ImportError as error:
        missing("StaticText", error)
    table = load_file(_static_file(_WEIGHTS))["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(_static_file(_TOKENIZER)))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return table.astype(np.float32), tokenizer


@settings
class Model2Vec:
    """Any static model of the package `model2vec`, for other languages or a larger vocabulary.

    Attributes:
        model: a name on the Hub, such as "minishlab/potion-base-32M", or a folder. A folder counts by its content.
    """

    model: str

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Returns the texts' vectors."""
        if not items:
            return np.zeros((0, 1), np.float32)
        model = _model2vec(self.model)
        return np.asarray(model.encode(list(items), max_length=None, use_multiprocessing=False), np.float32)

    def fingerprint(self) -> str:
        """Returns the model's name, or a digest of its folder."""
        return f"model2vec {model_name(self.model)}"


@functools.lru_cache(maxsize=2)
def _model2vec(model: str) -> Any:
    try:
        from model2vec import StaticModel
    except ImportError as error:
        missing("Model2Vec", error)
    return StaticModel.from_pretrained(model)
