"""Which weights a model's name means: a commit of the Hub, or what lies in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mmcurate.errors import ModelNotFound, SettingsError

_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf"}
_OTHERS = {".json", ".jinja", ".txt", ".model", ".tiktoken", ".py"}
_WHOLE_BYTES = 16 << 20
"""Files up to this size are read whole."""
_BLOCKS, _BLOCK_BYTES = 64, 64 << 10
"""How many blocks of a larger file are read, evenly spaced, the first and the last among them."""


def identify(model: str, revision: str | None) -> dict[str, str]:
    """Returns what tells a model's weights from all others, and the commit to load where they come from the Hub.

    A folder goes by its content, wherever it lies: small files whole, weights by size and samples.

    Args:
        model: a folder, or an id of the Hub.
        revision: a branch, tag or commit of the Hub.

    Raises:
        ModelNotFound: there is neither such a folder nor such a model.
        SettingsError: a folder has no revisions.
    """
    if Path(model).expanduser().is_dir():
        if revision is not None:
            raise SettingsError(f"revision = {revision!r}: {model} is a folder, which has no revisions; leave it out")
        return {"weights": folder_digest(Path(model).expanduser())}
    import huggingface_hub

    try:
        config = huggingface_hub.hf_hub_download(model, "config.json", revision=revision)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise ModelNotFound(
            f"the model {model!r}{f' at revision {revision!r}' if revision else ''} is no folder with weights, and the Hub "
            f"gives none: {said}; name a folder or a model of the Hub (owner/name)"
        ) from None
    return {"model": model, "weights": Path(config).parent.name}


def folder_digest(folder: Path) -> str:
    """Returns the digest of a folder's model.

    Raises:
        ModelNotFound: it holds no weights.
    """
    files = sorted(p for p in folder.iterdir() if p.suffix in _WEIGHTS | _OTHERS and p.is_file())
    if not any(p.suffix in _WEIGHTS for p in files):
        raise ModelNotFound(f"{folder} holds no model: there is no file of {', '.join(sorted(_WEIGHTS))} in it")
    out = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        out.update(f"{path.name}\n{size}\n".encode())
        with open(path, "rb") as file:
            if size <= _WHOLE_BYTES:
                out.update(file.read())
                continue
            for i in range(_BLOCKS):
                file.seek(i * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
                out.update(file.read(_BLOCK_BYTES))
    return "sha256:" + out.hexdigest()
