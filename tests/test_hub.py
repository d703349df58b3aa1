"""`Hub` through the real code of `datasets` and `huggingface_hub`, against a hub on loopback."""

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import picture
from tests.hub_server import serve

CODE = """
import sys
import mmcurate as mm
from mmcurate.errors import SourceError
from mmcurate.sources import Hub
for streaming in (False, True):
    run = mm.Pipeline(Hub("owner/set", streaming=streaming, columns={"question": "problem"}, licence="MIT")).run(f"{sys.argv[1]}/{streaming}")
    row = run.dataset()[1]
    print(row["id"], row["source"], row["question"], row["answer"], row["images"][0].size, row["licence"], run.explain(row["id"]).facts["metadata"])
try:
    list(Hub("owner/nothing"))
except SourceError as error:
    print("SourceError", "owner/nothing" in str(error))
try:
    list(Hub("owner/set"))
except SourceError as error:
    print(error)
"""


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "hub" / "owner" / "set" / "data"
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "problem": ["Q?", "R?"],
            "answer": ["1", "2"],
            "level": [3, 4],
            "image": pa.array(
                [{"bytes": picture(), "path": "a.png"}, {"bytes": picture(size=(9, 7)), "path": "b.png"}]
            ),
        }
    )
    features = (
        b'{"info": {"features": {"problem": {"dtype": "string", "_type": "Value"}, "answer": {"dtype": "string", "_type": "Value"}, '
        b'"level": {"dtype": "int64", "_type": "Value"}, "image": {"_type": "Image"}}}}'
    )
    pq.write_table(table.replace_schema_metadata({b"huggingface": features}), folder / "train-00000-of-00001.parquet")
    server = serve(tmp_path / "hub")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_hub(hub, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, env=environment, timeout=100
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert lines[:2] == ['set-000001 set R? 2 (9, 7) MIT {"level": 4}'] * 2
    assert lines[2] == "SourceError True"
    assert "no column 'question'" in lines[3]
    assert "problem, answer, level, image" in lines[3]
