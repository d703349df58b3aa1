"""The client with its answer store against bare aiohttp: CPU a request, in one run on one machine.

    python tests/benchmarks/client.py [--requests 5000] [--in-flight 200]

A server in another process answers 1 KB after 100 ms; 20 of the answers take 2 s. The client keeps every answer durable.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import tempfile
import time

PROMPT = "What is shown in the picture? " * 34  # 1 KB
SLOW = 20


def serve(ready):
    """Answers chat completions, each twentieth of a thousandth slowly."""
    from aiohttp import web

    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 1000}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 250, "completion_tokens": 250},
    }
    body = json.dumps(answer).encode()

    async def chat(request):
        asked = await request.read()
        await asyncio.sleep(2.0 if b"slow one" in asked else 0.1)
        return web.Response(body=body, content_type="application/json")

    async def models(request):
        return web.json_response({"data": [{"id": "m"}]})

    async def main():
        app = web.Application()
        app.router.add_post("/v1/chat/completions", chat)
        app.router.add_get("/v1/models", models)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


def cpu():
    """Returns the seconds of CPU this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def bare(port, texts, in_flight):
    """The floor: aiohttp and nothing else."""
    import aiohttp

    places = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def one(text):
            async with places:
                payload = {
                    "model": "m",
                    "messages": [{"role": "user", "content": text}],
                    "max_tokens": 512,
                    "temperature": 1.0,
                }
                async with session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=payload) as response:
                    return (await response.json())["choices"][0]["message"]["content"]

        return await asyncio.gather(*(one(text) for text in texts))


def main():
    """Prints both, and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=200)
    options = parser.parse_args()
    from mmcurate.chat import Answer, ChatRequest, OpenAIChat

    texts = [f"{i} {PROMPT}" for i in range(options.requests)]
    for i in random.Random(0).sample(range(len(texts)), SLOW):
        texts[i] = "slow one " + texts[i]
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    asyncio.run(bare(port, texts[:100], options.in_flight))
    results = {}
    for turn in range(3):
        begin, used = time.perf_counter(), cpu()
        asyncio.run(bare(port, texts, options.in_flight))
        results["bare aiohttp", turn] = (time.perf_counter() - begin, cpu() - used)
        with (
            tempfile.TemporaryDirectory() as folder,
            OpenAIChat(
                "m", f"http://127.0.0.1:{port}/v1", store=folder, concurrency=options.in_flight, max_tokens=512
            ) as chat,
        ):
            chat.identity()
            begin, used = time.perf_counter(), cpu()
            answers = chat.answers([ChatRequest("", text) for text in texts])
            results["mmcurate, stored", turn] = (time.perf_counter() - begin, cpu() - used)
            assert all(isinstance(a, Answer) for a in answers)
            assert len(chat.answer_store().get([a.key for a in answers], 512)) == len(texts)
    server.terminate()
    for name in ("bare aiohttp", "mmcurate, stored"):
        wall, used = (min(results[name, turn][i] for turn in range(3)) for i in (0, 1))
        print(
            f"{name:18} {wall:6.2f} s  {options.requests / wall:7,.0f} requests/s  {1e3 * used / options.requests:.3f} CPU ms a request"
        )
    ratio = min(results["mmcurate, stored", t][1] for t in range(3)) / min(
        results["bare aiohttp", t][1] for t in range(3)
    )
    print(f"CPU ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
