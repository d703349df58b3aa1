"""A saved model behind an OpenAI-compatible endpoint: what vLLM does on a GPU, for tiny models on a CPU."""

import base64
import io
import threading
from pathlib import Path

import PIL.Image

from mmcurate.chat.server import ChatServer


class ServedModel(ChatServer):
    """Answers greedily.

    Args:
        folder: of the model and its processor.
        max_new_tokens: of an answer.
    """

    def __init__(self, folder, max_new_tokens):
        from transformers import AutoModelForImageTextToText

        from mmcurate.train.model import family_of
        from mmcurate.train.processor import load_processor

        super().__init__(model="tiny", root=str(folder))
        self._model = AutoModelForImageTextToText.from_pretrained(folder)
        self._processor = load_processor(Path(folder), family_of(folder)[0])
        self._max_new_tokens = max_new_tokens
        self._lock = threading.Lock()

    def reply(self, messages, seed):
        import torch

        images, shown = [], []
        for message in messages:
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(map(_part, content))
            images += [part["image"] for part in parts if part["type"] == "image"]
            shown.append({"role": message["role"], "content": parts})
        text = self._processor.apply_chat_template(shown, tokenize=False, add_generation_prompt=True)
        inputs = self._processor(images=images or None, text=[text], return_tensors="pt")
        with self._lock, torch.no_grad():
            made = self._model.generate(**inputs, max_new_tokens=self._max_new_tokens, do_sample=False)
        made = made[0, inputs["input_ids"].shape[1] :]
        ended = made[-1].item() == self._processor.tokenizer.eos_token_id
        said = self._processor.tokenizer.decode(made, skip_special_tokens=True)
        return {"role": "assistant", "content": said}, "stop" if ended else "length"


def _part(part):
    if part["type"] != "image_url":
        return part
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return {"type": "image", "image": PIL.Image.open(io.BytesIO(data)).convert("RGB")}
