"""The client and the answer store against a server that misbehaves in every way."""

import asyncio
import contextlib
import functools
import json
import logging
import socket
import sqlite3
import threading
import time

import pytest

from mmcurate.chat import (
    Answer,
    AnswerStore,
    ChatRequest,
    Failure,
    Faults,
    OpenAIChat,
    RecordedTeacher,
    SimulatedTeacher,
)
from mmcurate.chat.server import ChatServer
from mmcurate.errors import ChatError, EndpointDown, ModelNotFound, RequestFailed, SourceError, Unauthorized
from tests.conftest import picture, questions

SECRET = "sk-live-very-secret-12345"


def requests(number, samples=1):
    return [ChatRequest("system", q["question"], sample_index=i) for q in questions(number) for i in range(samples)]


def chat(server, tmp_path, **more):
    return OpenAIChat(server.model, server.base_url, store=tmp_path / "store", **more)


def test_answers_come_in_order_and_once(tmp_path):
    with (
        SimulatedTeacher(questions(100), accuracy=1.0, slips=0, cut_off=0) as server,
        chat(server, tmp_path) as teacher,
    ):
        asked = requests(100, 3)
        answers = teacher.answers(asked)
        assert server.num_requests == 300
        for i, answer in enumerate(answers):
            assert f"<answer>{2 * (i // 3)}</answer>" in answer.text
        assert len({a.text for a in answers[:3]}) + len({a.text for a in answers[3:6]}) > 2, "samples differ"
        assert [a.text for a in teacher.answers(asked)] == [a.text for a in answers]
        assert server.num_requests == 300
        assert teacher.usage.paid_answers == 300


def test_every_fault_at_once(tmp_path):
    faults = Faults(overloaded=0.05, failing=0.1, garbage=0.1, dropped=0.1)
    with SimulatedTeacher(questions(60), faults=faults) as server, chat(server, tmp_path, max_retries=20) as teacher:
        answers = teacher.answers(requests(60, 2))
    assert all(isinstance(a, Answer) for a in answers)
    assert server.num_requests == 120


def test_a_request_that_always_fails_is_a_passing_failure(tmp_path):
    with (
        SimulatedTeacher(questions(3), faults=Faults(failing=1.0)) as server,
        chat(server, tmp_path, max_retries=1) as teacher,
    ):
        results = teacher.answers(requests(3))
        assert all(isinstance(r, Failure) and r.passing and "HTTP 500" in r.reason for r in results)
        with pytest.raises(RequestFailed, match="after 2 tries"):
            teacher.ask("What is 1 + 1?")


class Refusing(ChatServer):
    """A server that refuses pictures, as llama.cpp does."""

    status, message = (
        500,
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    )

    def reply(self, messages, seed):
        raise AssertionError

    async def _chat(self, request):
        from aiohttp import web

        self.num_requests += 1
        return web.json_response({"error": {"message": self.message}}, status=self.status)


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_permanent_refusals_are_not_retried(tmp_path, status):
    server = Refusing(model="m")
    server.status = status
    with server, OpenAIChat("m", server.base_url, store=tmp_path) as teacher:
        result = teacher.answers(requests(1))[0]
    assert isinstance(result, Failure)
    assert not result.passing
    assert "not supported" in result.reason
    assert server.num_requests == 1


def test_unreachable(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with (
            OpenAIChat("m", url, store=tmp_path) as teacher,
            pytest.raises(EndpointDown, match="cannot reach http://127"),
        ):
            teacher.ask("Hello")


def test_a_server_that_is_gone_and_comes_back_as_another(tmp_path):
    with SimulatedTeacher([], root="first") as server, chat(server, tmp_path) as teacher:
        said = teacher.ask("Hello").text
    port = int(server.base_url.rpartition(":")[2].partition("/")[0])
    with chat(server, tmp_path) as teacher:
        assert teacher.ask("Hello").text == said
        with pytest.raises(EndpointDown, match="cannot reach"):
            teacher.ask("Hello again")
        with SimulatedTeacher([], root="second", port=port):
            with pytest.raises(ChatError, match=r"is back with .*second.*, and was .*first"):
                teacher.ask("Hello again")
            assert teacher.ask("Hello").text


def test_wrong_key_and_wrong_model(tmp_path):
    with SimulatedTeacher([], api_key="right") as server:
        with (
            chat(server, tmp_path, api_key=SECRET) as teacher,
            pytest.raises(Unauthorized, match="refused the key") as caught,
        ):
            teacher.ask("Hello")
        assert SECRET not in str(caught.value)
        with chat(server, tmp_path, api_key="right") as teacher:
            assert teacher.ask("Hello").text
        with (
            OpenAIChat("simulated-teachr", server.base_url, api_key="right", store=tmp_path) as teacher,
            pytest.raises(ModelNotFound, match="did you mean 'simulated-teacher'"),
        ):
            teacher.ask("Hello")


def test_keys_appear_nowhere(tmp_path, caplog, capfd):
    import mmcurate as mm
    from mmcurate.distill import Distill
    from mmcurate.export import to_sft
    from mmcurate.sources import Procedural

    caplog.set_level(logging.DEBUG)
    source = Procedural(5)
    with SimulatedTeacher(source, api_key=SECRET) as server:
        url = server.base_url.replace("http://", "http://user:password-77@")
        teacher = OpenAIChat(server.model, url, api_key=SECRET)
        run = mm.Pipeline(source, Distill(teacher, num_responses=2)).run(tmp_path / "runs" / "a")
        to_sft(run)
        run.report()
        server.api_key = "changed"
        broken = OpenAIChat(server.model, url, api_key=SECRET, temperature=0.3)
        with pytest.raises(Unauthorized) as caught:
            mm.Pipeline(source, Distill(broken)).run(tmp_path / "runs" / "b")
    shown = "".join(
        [
            repr(teacher),
            str(teacher),
            repr(mm.Pipeline(source, Distill(teacher))),
            str(caught.value),
            repr(run),
            caplog.text,
            *capfd.readouterr(),
        ]
    )
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    for secret in (SECRET, "password-77"):
        assert secret not in shown
        assert secret.encode() not in written


def test_keys_from_the_environment_go_only_where_they_belong(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert OpenAIChat("m", "http://somewhere.else/v1")._key() == ""
    assert OpenAIChat("m")._key() == SECRET
    monkeypatch.setenv("MMCURATE_API_KEY", "mine")
    assert OpenAIChat("m", "http://somewhere.else/v1")._key() == "mine"


def test_reasoning_is_kept(tmp_path):
    for field in ("reasoning", "reasoning_content"):
        with (
            SimulatedTeacher(questions(1), reasoning_field=field, slips=0, cut_off=0, accuracy=1.0) as server,
            chat(server, tmp_path / field) as teacher,
        ):
            answer = teacher.ask("What is 0 + 0?")
        assert answer.text == "<answer>0</answer>"
        assert answer.reasoning
        assert answer.finish_reason == "stop"
        assert answer.num_tokens > 0


def test_settings_are_sent(tmp_path):
    seen = []

    class Listening(SimulatedTeacher):
        async def _chat(self, request):
            seen.append(json.loads(await request.read()))
            return await super()._chat(request)

    with (
        Listening([]) as server,
        chat(server, tmp_path, temperature=0.7, extra_body={"top_k": 20}, stop=["\n\n"]) as teacher,
    ):
        teacher.answers([ChatRequest("s", "a", sample_index=i) for i in range(3)])
    body = seen[0]
    assert {
        k: body[k]
        for k in ("temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "top_k", "stop")
    } == {
        "temperature": 0.7,
        "top_p": 1.0,
        "max_tokens": 16_384,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "top_k": 20,
        "stop": ["\n\n"],
    }
    assert len({b["seed"] for b in seen}) == 3


def test_pictures_stand_where_their_tags_are(tmp_path):
    seen = []

    class Listening(SimulatedTeacher):
        async def _chat(self, request):
            seen.append(json.loads(await request.read()))
            return await super()._chat(request)

    with Listening([]) as server, chat(server, tmp_path) as teacher:
        teacher.ask("If <image> then <image>?", images=[picture("red"), picture("blue")])
        teacher.ask("What?", images=[picture("red")])
    kinds = [[p["type"] for p in b["messages"][-1]["content"]] for b in seen]
    assert kinds == [["text", "image_url", "text", "image_url", "text"], ["image_url", "text"]]


def test_slow_answers_hold_up_nothing(tmp_path):
    with (
        SimulatedTeacher(questions(300), faults=Faults(slow=0.03, slow_s=2.0)) as server,
        chat(server, tmp_path, concurrency=20) as teacher,
    ):
        begin = time.monotonic()
        teacher.answers(requests(300))
        assert time.monotonic() - begin < 5.5


def test_works_under_a_running_event_loop(tmp_path):
    with SimulatedTeacher(questions(2)) as server, chat(server, tmp_path) as teacher:

        async def notebook():
            return teacher.ask("What is 1 + 1?").text

        assert asyncio.run(notebook())


def test_equal_requests_in_flight_are_sent_once(tmp_path):
    with SimulatedTeacher(questions(5), faults=Faults(latency_s=0.2)) as server, chat(server, tmp_path) as teacher:
        threads = [threading.Thread(target=lambda: teacher.answers(requests(5))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.num_requests == 5


def test_many_teachers_in_one_process(tmp_path):
    with SimulatedTeacher(questions(600)) as server:
        teachers = [chat(server, tmp_path, temperature=t / 10, concurrency=400) for t in range(3)]
        threads = [threading.Thread(target=t.answers, args=(requests(600),)) for t in teachers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.num_requests == 1800
        for teacher in teachers:
            teacher.close()


def test_the_store_is_read_together_and_written_apart(tmp_path):
    one, two = AnswerStore(tmp_path), AnswerStore(tmp_path)
    assert one.path != two.path
    body = json.dumps(
        {"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 7}}
    ).encode()
    answer = Answer("4", None, "stop", 0, 7, b"k" * 32)
    done = threading.Event()
    one.put(answer, 100, body, lambda error: done.set())
    assert done.wait(5)
    assert two.get([b"k" * 32], 100)[b"k" * 32].text == "4"
    assert two.get([b"k" * 32], 50)[b"k" * 32].stored, "it ended by itself, so a limit that it fits in serves"
    assert two.get([b"k" * 32], 5) == {}
    assert two.get([b"x" * 32], 100) == {}
    one.close()
    two.close()
    with contextlib.closing(sqlite3.connect(one.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_merging_stores_is_copying_files(tmp_path):
    import shutil

    with SimulatedTeacher(questions(10)) as server:
        for name in ("a", "b"):
            with OpenAIChat(
                server.model, server.base_url, store=tmp_path / name, temperature=0.1 if name == "a" else 0.2
            ) as teacher:
                teacher.answers(requests(10))
        shutil.copy(tmp_path / "b" / "answers-0000.sqlite", tmp_path / "a" / "answers-from-b.sqlite")
        for temperature in (0.1, 0.2):
            with OpenAIChat(server.model, server.base_url, store=tmp_path / "a", temperature=temperature) as teacher:
                teacher.answers(requests(10))
        assert server.num_requests == 20


def test_a_store_that_is_none(tmp_path):
    (tmp_path / "answers-0007.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 40)
    store = AnswerStore(tmp_path)
    with pytest.raises(ChatError, match=r"answers-0007\.sqlite isn't an answer store"):
        store.get([b"k" * 32], 10)
    store.close()


def test_a_question_by_hand_does_not_move_a_runs_store(tmp_path, monkeypatch):
    import mmcurate as mm
    from mmcurate.distill import Distill
    from mmcurate.sources import Procedural

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with SimulatedTeacher(Procedural(3)) as server:
        teacher = OpenAIChat(server.model, server.base_url)
        teacher.ask("Hello")
        mm.Pipeline(Procedural(3), Distill(teacher, num_responses=1)).run(tmp_path / "runs" / "a")
        assert server.num_requests == 4
    for folder, number in ((tmp_path / "cache" / "mmcurate" / "answers", 1), (tmp_path / "runs" / "answers", 3)):
        with contextlib.closing(sqlite3.connect(folder / "answers-0000.sqlite")) as connection:
            assert connection.execute("SELECT count(*) FROM answers").fetchone() == (number,)


def test_recorded_teacher(tmp_path):
    rows = questions(3)
    recorded = [{"id": "q1", "response": f"answer {i}"} for i in range(5)]
    with RecordedTeacher(rows, recorded) as server, chat(server, tmp_path) as teacher:
        answers = teacher.answers([ChatRequest("s", "What is 1 + 1?", sample_index=i) for i in range(5)])
        assert sorted(a.text for a in answers) == [f"answer {i}" for i in range(5)]
    with pytest.raises(SourceError, match="none of the 1 questions"):
        RecordedTeacher(rows, [{"id": "other", "response": "x"}])


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_users_own_client(tmp_path):
    openai = pytest.importorskip("openai")
    with SimulatedTeacher(questions(5), api_key="key") as server:
        make = functools.partial(openai.AsyncOpenAI, base_url=server.base_url, api_key="key")
        settings = {"make_client": make, "store": tmp_path, "extra_body": {"top_k": 3}}
        for _ in range(2):
            with OpenAIChat(server.model, server.base_url, **settings) as teacher:
                assert all(isinstance(a, Answer) for a in teacher.answers(requests(5)))
        assert server.num_requests == 5


def test_rates_of_the_simulated_teacher(tmp_path):
    from mmcurate.verify import Verdict, grade

    with (
        SimulatedTeacher(questions(400), accuracy=0.6, slips=0.2, cut_off=0.1) as server,
        chat(server, tmp_path) as teacher,
    ):
        answers = teacher.answers(requests(400, 2))
    verdicts = [grade(a.text, str(2 * (i // 2))).verdict for i, a in enumerate(answers)]
    assert abs(sum(a.finish_reason == "length" for a in answers) / 800 - 0.1) < 0.04
    assert abs(sum(v == Verdict.CORRECT for v in verdicts) / 800 - 0.6 * 0.9) < 0.06
