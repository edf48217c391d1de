"""The subjects of MMMU and MMMU-Pro, and the disciplines that they belong to. Source: MMMU mmmu/utils/data_utils.py."""

from __future__ import annotations

from vlmbench.data.rows import Row

DISCIPLINES = {
    "Art and Design": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Science": "Biology Chemistry Geography Math Physics",
    "Health and Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy "
    "Public_Health",
    "Humanities and Social Science": "History Literature Psychology Sociology",
    "Tech and Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power "
    "Materials Mechanical_Engineering",
}
DISCIPLINE_OF = {subject: name for name, subjects in DISCIPLINES.items() for subject in subjects.split()}
SUBJECTS = tuple(sorted(DISCIPLINE_OF))
"""In the order of the hub's configurations and of the official code."""


def subject_of(row: Row) -> str:
    """The subject in an id: `validation_Art_Theory_3`."""
    return row.key("id").partition("_")[2].rpartition("_")[0]


def discipline_of(row: Row) -> str:
    """The discipline of that subject; empty where it is none of MMMU's."""
    return DISCIPLINE_OF.get(subject_of(row), "")
