"""One JSON array, read element by element."""

import json
import subprocess
import sys

import pytest

from mmcurate.errors import SourceError
from mmcurate.sources import Files, json_array
from mmcurate.sources.json_array import read_array


@pytest.fixture(params=[1, 2, 7, 64, 1 << 20])
def window(request, monkeypatch):
    """However the text is cut into windows, the elements are the same."""
    monkeypatch.setattr(json_array, "_CHUNK", request.param)


VALUES = [
    {"a": 'quotes \\" and [brackets] {too}', "ü": "größer 数学 😀", "n": -1.5e-3, "list": [1, [2, {"x": None}]]},
    [],
    {},
    12345678901234567890,
    "text, with ] and }",
    True,
    None,
    -7,
]


@pytest.mark.parametrize("how", [{}, {"ensure_ascii": False}, {"indent": 3}, {"separators": (",", ":")}])
def test_every_value_in_every_spelling(tmp_path, window, how):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(VALUES, **how), encoding="utf-8")
    assert list(read_array(path)) == VALUES
    path.write_text("\ufeff \n[ ] \n", encoding="utf-8")
    assert list(read_array(path)) == []
    path.write_text('{"one": 1}')
    assert list(read_array(path)) == [{"one": 1}]
    path.write_text('[{"raw": "a\tb\nc"}]')
    assert list(read_array(path)) == [{"raw": "a\tb\nc"}]


FAULTS = {
    '[{"a": 1}, {"b": 2}': "after element 1, at character 19, the file ends: it was cut off",
    '[{"a": 1}, {"b": "2': "element 1 isn't whole JSON",
    '[{"a": 1}, {"b" 2}]': "element 1 isn't whole JSON: Expecting ':' delimiter, at character 16",
    '[{"a": 1} {"b": 2}]': "after element 0, at character 10, stands '{' where a comma belongs",
    '[{"a": 1}, ]': "element 1 isn't whole JSON",
    '[{"a": 1}] trailing': "something follows the array's end at character 11",
    "[": "element 0 isn't whole JSON",
    "": "Expecting value",
    '{"a": 1} {"b": 2}': "Extra data",
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_say_where(tmp_path, window, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r".*") as caught:
        list(read_array(tmp_path / "a.json"))
    assert FAULTS[text] in str(caught.value)


def test_elements_before_a_fault_are_given(tmp_path):
    (tmp_path / "a.json").write_text('[{"question": "Q?"}, {"question": "R?"}, {"question"')
    rows = iter(Files(tmp_path / "a.json"))
    assert [next(rows)["question"], next(rows)["question"]] == ["Q?", "R?"]
    with pytest.raises(SourceError, match=r"a.json: can't be read as json: element 2 isn't whole JSON"):
        next(rows)


def test_a_bracket_that_is_missing_is_found_at_once(tmp_path):
    path = tmp_path / "a.json"
    with open(path, "w") as file:
        file.write('[{"a": [1, 2}, ')
        file.writelines('{"b": "some text of a row"}, ' for _ in range(200_000))
    read = []
    original = json_array._Text.more
    json_array._Text.more = lambda self: read.append(1) or original(self)
    try:
        with pytest.raises(ValueError, match=r"element 0 isn't whole JSON: Expecting ',' delimiter, at character 12"):
            list(read_array(path))
    finally:
        json_array._Text.more = original
    assert read == []


MEMORY = """
import resource, sys
from pathlib import Path
from mmcurate.sources import MMR1
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
source = iter(MMR1(path=sys.argv[1]))
first = next(source)
before, rows = peak(), 1
for row in source:
    rows += 1
print(rows, peak() - before)
"""


def test_memory_stays_when_the_array_is_long(tmp_path):
    turns = [
        {"from": "human", "value": "What is 1 + 1?"},
        {"from": "gpt", "value": "<think>" + "So. " * 2500 + "</think>\\boxed{2}"},
    ]
    row = json.dumps({"conversations": turns, "images": []})
    number = 200_000_000 // len(row)
    with open(tmp_path / "sft.json", "w") as file:
        file.write("[" + ", \n".join([row] * number) + "]")
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, timeout=100)
    rows, grown = done.stdout.split()
    assert int(rows) == number
    assert float(grown) < 20, "megabytes"
