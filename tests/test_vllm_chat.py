"""VLLMChat where vLLM isn't installed: its settings, and what an answer's key depends on."""

import importlib.util
import json
import shutil

import pytest

import mmcurate as mm
from mmcurate.chat import ChatRequest, VLLMChat
from mmcurate.chat.weights import identify
from mmcurate.distill import Distill
from mmcurate.errors import ModelNotFound, SettingsError
from mmcurate.sources import Procedural
from tests.test_settings import said


def model(folder, weights=b"\0" * 100, **config):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", **config}))
    (folder / "model.safetensors").write_bytes(weights)
    return str(folder)


def key(*settings, sample_index=0, **more):
    return VLLMChat(*settings, **more).request_key(ChatRequest("system", "1 + 1?", sample_index=sample_index))


def test_wrong_settings():
    assert "did you mean 'max_model_len'" in said(lambda: VLLMChat("m", max_modellen=100))
    assert "temperature = 3.0" in said(lambda: VLLMChat("m", temperature=3.0))
    assert "tensor_parallel_size = 0" in said(lambda: VLLMChat("m", tensor_parallel_size=0))
    text = said(lambda: VLLMChat("m", max_tokens=4096, max_model_len=4096))
    assert "max_model_len = 4096" in text
    assert "max_tokens = 4096" in text
    assert "engine_args holds 'revision'" in said(lambda: VLLMChat("m", engine_args={"revision": "main"}))
    assert "sampling holds 'temperature'" in said(lambda: VLLMChat("m", sampling={"temperature": 0.3}))


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_a_run_without_vllm_ends_before_any_work(tmp_path):
    teacher = VLLMChat(model(tmp_path / "model"))
    with pytest.raises(SettingsError, match=r"pip install 'mmcurate\[vllm\]'"):
        mm.Pipeline(Procedural(3), Distill(teacher)).run(tmp_path / "run")
    assert not (tmp_path / "run" / "rows").exists()


def test_models_that_are_not_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match="holds no model"):
        key(str(tmp_path / "empty"))
    with pytest.raises(ModelNotFound, match="'no/such-model' at revision 'v2'"):
        key("no/such-model", revision="v2")
    with pytest.raises(ModelNotFound, match="owner/name"):
        key(str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="revision = 'v2'"):
        key(model(tmp_path / "model"), revision="v2")


def test_a_folder_goes_by_its_content_wherever_it_lies(tmp_path):
    one = model(tmp_path / "one")
    shutil.copytree(one, tmp_path / "moved" / "elsewhere")
    (tmp_path / "moved" / "elsewhere" / "README.md").write_text("a note")
    assert identify(one, None) == identify(str(tmp_path / "moved" / "elsewhere"), None)
    others = [
        model(tmp_path / "trained", b"\0" * 99 + b"\1"),
        model(tmp_path / "configured", rope_theta=7),
        model(tmp_path / "longer", b"\0" * 101),
    ]
    assert len({json.dumps(identify(m, None)) for m in (one, *others)}) == 4


def test_large_weights_go_by_samples_from_end_to_end(tmp_path):
    size = 24 << 20
    blank = bytes(size)
    found = {identify(model(tmp_path / "blank", blank), None)["weights"]}
    for i, place in enumerate((0, size // 2 - 200_000, size - 1)):
        changed = bytearray(blank)
        changed[place : place + 400_000] = b"\1" * len(changed[place : place + 400_000])
        found.add(identify(model(tmp_path / f"m{i}", bytes(changed[:size])), None)["weights"])
    assert len(found) == 4


def test_what_an_answer_depends_on(tmp_path):
    folder = model(tmp_path / "model")
    same = key(folder)
    assert key(folder, tensor_parallel_size=1, max_model_len=20_000, max_tokens=9, input_price=3.0) == same
    assert key(folder, engine_args={"max_num_seqs": 8, "gpu_memory_utilization": 0.95}) == same
    different = [
        key(folder, sample_index=1),
        key(folder, temperature=0.5),
        key(folder, sampling={"top_k": 20}),
        key(folder, engine_args={"dtype": "float32"}),
        key(folder, engine_args={"quantization": "fp8"}),
        key(folder, engine_args={"load_format": "dummy"}),
        key(folder, engine_args={"an_argument_of_next_year": 1}),
    ]
    assert len({same, *different}) == 8


def test_an_engine_argument_without_a_content_key(tmp_path):
    teacher = VLLMChat(model(tmp_path / "model"), engine_args={"hf_overrides": len})
    with pytest.raises(SettingsError, match="hf_overrides"):
        teacher.request_key(ChatRequest("", "1 + 1?"))
