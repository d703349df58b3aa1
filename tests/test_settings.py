"""Wrong settings fail at construction, in one line that names the thing, the value and the next move."""

import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat
from mmcurate.dedup import ExactDedup
from mmcurate.distill import Distill
from mmcurate.errors import ColumnError, SettingsError
from mmcurate.sources import Files, Mix, Procedural
from mmcurate.step import Step, as_json, fingerprint
from mmcurate.verify import Verify


def said(make, error=SettingsError):
    with pytest.raises(error) as caught:
        make()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_misspelt_setting():
    assert "did you mean 'temperature'" in said(lambda: OpenAIChat("m", "http://x/v1", temprature=1.0))


def test_wrong_type_names_the_value():
    assert "temperature = '1'" in said(lambda: OpenAIChat("m", "http://x/v1", temperature="1"))
    assert "num_responses = 0" in said(lambda: Distill(OpenAIChat("m", "http://x/v1"), num_responses=0))


def test_missing_setting():
    assert "'teacher' is missing" in said(lambda: Distill())


def test_a_url_without_scheme():
    assert "http://host:8000/v1" in said(lambda: OpenAIChat("m", "localhost:8000/v1"))


def test_not_a_teacher():
    assert "OpenAIChat" in said(lambda: Distill("gpt-4"))
    assert "OpenAIChat" in said(lambda: Verify(judge="gpt-4"))


def test_missing_file():
    assert "nowhere.jsonl" in said(lambda: Files("nowhere.jsonl"))


def test_mix_names():
    assert "did you mean 'procedural'" in said(lambda: Mix([Procedural(3)], caps={"procedurl": 2}))


def test_unknown_family():
    assert "did you mean 'clock'" in said(lambda: Procedural(3, families=["clok"]))


def test_filter_is_checked_before_anything_runs():
    source = Procedural(3)
    assert "isn't SQL" in said(lambda: mm.Filter("pass_rate >"))
    assert "did you mean 'duplicate_of'" in said(
        lambda: mm.Pipeline(source, ExactDedup(), mm.Filter("duplicate_off is null")), ColumnError
    )
    assert "no column 'pass_rate'" in said(lambda: mm.Pipeline(source, mm.Filter("pass_rate > 0")), ColumnError)


def test_two_steps_of_one_name():
    assert "name='exact_dedup_2'" in said(lambda: mm.Pipeline(Procedural(3), ExactDedup(), ExactDedup()))


def test_a_bare_name_that_two_steps_make():
    steps = ExactDedup(), ExactDedup(name="again")
    text = said(lambda: mm.Pipeline(Procedural(3), *steps, mm.Filter("duplicate_of is null")), ColumnError)
    assert "exact_dedup.duplicate_of or again.duplicate_of" in text
    mm.Pipeline(Procedural(3), *steps, mm.Filter("again.duplicate_of is null"))


def test_filter_of_traces_names():
    teacher = OpenAIChat("m", "http://x/v1")
    steps = Procedural(3), Distill(teacher), Verify()
    mm.Pipeline(*steps, mm.Filter("verdict = 'correct' and pass_rate > 0.1 and finish_reason = 'stop'", of="responses"))
    text = said(lambda: mm.Pipeline(*steps, mm.Filter("verdct = 'correct'", of="responses")), ColumnError)
    assert "did you mean 'verdict'" in text


def test_a_class_instead_of_a_step():
    assert "did you mean ExactDedup(...)" in said(lambda: mm.Pipeline(Procedural(3), ExactDedup))


def test_not_a_source():
    assert "datasets.Dataset" in said(lambda: mm.Pipeline([1, 2]))


def test_runtime_settings_are_no_part_of_the_key():
    one = as_json(Verify(workers=1))
    assert one == as_json(Verify(workers=7))
    assert "workers" not in one


def test_a_bare_function_is_refused_by_name():
    @mm.settings
    class Odd(Step):
        key: object = len

    assert "Odd.key" in said(lambda: fingerprint(Odd()))


def test_replace():
    pipeline = mm.Pipeline(Procedural(3), ExactDedup(), mm.Filter("duplicate_of is null"))
    other = pipeline.replace("filter", mm.Filter("duplicate_of is not null"))
    assert [s.name for s in other.steps] == ["exact_dedup", "filter"]
    assert other.steps[1].where == "duplicate_of is not null"
    assert "did you mean 'filter'" in said(lambda: pipeline.replace("filtr", ExactDedup()))
