"""MMMU's six disciplines (Yue et al. 2023, arXiv 2311.16502, table 2)."""

from __future__ import annotations

from mmcurate.evaluate.items import Item

_SUBJECTS = {
    "Art & Design": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Science": "Biology Chemistry Geography Math Physics",
    "Health & Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health",
    "Humanities & Social Science": "History Literature Psychology Sociology",
    "Tech & Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials "
    "Mechanical_Engineering",
}
_DISCIPLINES = {subject: name for name, subjects in _SUBJECTS.items() for subject in subjects.split()}


def discipline(item: Item) -> str | None:
    """Returns the discipline of a question's subject, None where the subject is none of the thirty."""
    return _DISCIPLINES.get(str(item.about.get("subject")))
