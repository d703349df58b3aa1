"""Offline dynamic sampling: which rows stay, why the others don't, and the order from easy to hard."""

import datasets
import numpy as np
import pytest
from conftest import picture

from mmcurate.errors import ColumnError, SettingsError
from mmcurate.train.sampling import curriculum, filter_pass_rate

RATES = [0.0, 0.125, None, 1.0, 0.5, float("nan"), 0.875, 0.5]


def rows(rates=RATES, ids="hgfedcba"):
    return datasets.Dataset.from_list(
        [{"id": i, "pass_rate": rate} for i, rate in zip(ids, rates, strict=True)],
        features=datasets.Features({"id": datasets.Value("string"), "pass_rate": datasets.Value("float64")}),
    )


def test_what_is_neither_always_right_nor_never_stays_in_its_order():
    kept, left_out = filter_pass_rate(rows())
    assert kept["id"][:] == ["g", "d", "b", "a"]
    assert left_out == {0: "pass rate of 0", 2: "no pass rate", 3: "pass rate of 1", 5: "no pass rate"}
    assert len(kept) + len(left_out) == len(RATES)


def test_bounds_are_outside():
    kept, left_out = filter_pass_rate(rows(), above=0.125, below=0.875)
    assert kept["pass_rate"][:] == [0.5, 0.5]
    assert left_out[1] == left_out[0] == "pass rate of 0.125 or less"
    assert left_out[6] == left_out[3] == "pass rate of 0.875 or more"
    assert len(kept) + len(left_out) == len(RATES)


@pytest.mark.parametrize(("above", "below"), [(-0.1, 1.0), (0.5, 0.5), (0.9, 0.1), (0.0, 1.1)])
def test_bounds_that_cannot_be(above, below):
    with pytest.raises(SettingsError, match="the lower one first"):
        filter_pass_rate(rows(), above, below)


def test_a_set_of_which_nothing_is_left_says_why():
    with pytest.raises(SettingsError) as raised:
        filter_pass_rate(rows([0.0, 1.0, 1.0, None], "abcd"))
    assert str(raised.value) == (
        "no pass rate of the set's 4 rows is above 0 and below 1: 1 have no pass rate, 1 have pass rate of 0, "
        "2 have pass rate of 1; measure them with Distill and Verify, or train without the filter"
    )


def test_easy_comes_first_ties_by_id_and_unrated_rows_last():
    ordered = curriculum(rows())
    assert ordered["id"][:] == ["e", "b", "a", "d", "g", "h", "c", "f"]
    assert sorted(ordered["id"]) == sorted(rows()["id"])


def test_rows_without_a_rate_are_ordered_by_id_whatever_they_have_instead():
    assert curriculum(rows([None, float("nan"), None, 0.0], "dcba"))["id"][:] == ["a", "b", "c", "d"]


def test_the_order_does_not_depend_on_where_rows_stood():
    shuffled = rows().select([5, 3, 0, 7, 1, 6, 2, 4])
    assert curriculum(shuffled)["id"][:] == curriculum(rows())["id"][:]


def test_a_chosen_set_is_chosen_from_again():
    kept, _ = filter_pass_rate(curriculum(rows()).select(range(5)))
    assert kept["pass_rate"][:] == [0.875, 0.5, 0.5, 0.125]


def test_columns_that_are_missing_are_named():
    with pytest.raises(ColumnError, match="lacks the column 'pass_rate'; it has id"):
        filter_pass_rate(rows().remove_columns("pass_rate"))
    with pytest.raises(ColumnError, match="lacks the column 'id'; it has pass_rate"):
        curriculum(rows().remove_columns("id"))


def test_no_picture_is_read(tmp_path):
    """Pictures that aren't there, or aren't pictures, don't matter."""
    good = tmp_path / "good.png"
    good.write_bytes(picture())
    made = [
        {"id": "a", "pass_rate": 0.5, "images": [str(good)]},
        {"id": "b", "pass_rate": 0.9, "images": ["/gone.png"]},
    ]
    made.append({"id": "c", "pass_rate": 1.0, "images": ["/gone.png"]})
    pictured = datasets.Dataset.from_list(made).cast_column("images", datasets.List(datasets.Image()))
    kept, left_out = filter_pass_rate(pictured)
    assert left_out == {2: "pass rate of 1"}
    assert curriculum(kept).select_columns(["id"])[:] == {"id": ["b", "a"]}
    assert np.array(curriculum(kept)[1]["images"][0]).shape == (30, 40, 3)
