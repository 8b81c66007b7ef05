from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.models import ContextType
from messaging_client.wire.titles import context_from_title, named_in_title

from .support import not_json, texts


@pytest.mark.parametrize(
    ("title", "kind", "number"),
    [
        ("Ordonnance n°15", "ordonnance", 15),
        ("Ordonnance N° 15", "ordonnance", 15),
        ("Ordonnance nº 15", "ordonnance", 15),
        ("Ordonnance : #15", "ordonnance", 15),
        ("Ordonnance-15", "ordonnance", 15),
        ("Ordonnance\u00a015", "ordonnance", 15),
        ("Ordonnance15", "ordonnance", 15),
        ("ordonnance du 12 #15", "ordonnance", 15),
        ("ordonnance du 12 et 13", "ordonnance", 13),
        ("Ordonnances 15", "ordonnance", 15),
        ("Examen 23 après la consultation 7", "examen", 23),
        ("La consultation 7 avant l'examen 23", "consultation", 7),
        ("12 ordonnance", "ordonnance", 12),
        ("Ordonnance 007", "ordonnance", 7),
        ("Ordonnance 0", "ordonnance", 0),
        ("Ordonnance ١٥", "ordonnance", None),
        ("Ordonnance " + "9" * 20, "ordonnance", None),
        ("Ordonnance " + "9" * 19, "ordonnance", 10**19 - 1),
        ("# 4", "consultation", 4),
        (15, "consultation", None),
        (["Ordonnance 15"], "consultation", None),
    ],
)
def test_titles(title: object, kind: str, number: int | None) -> None:
    assert context_from_title(title) == (kind, number)


def test_whether_the_title_names_the_type() -> None:
    assert named_in_title("Suivi #3") == (None, 3)
    assert named_in_title("Consultation #3") == (ContextType.CONSULTATION, 3)
    assert named_in_title(None) == (None, None)


@pytest.mark.parametrize("part", ["1a", "ordonnance ", "#", "1", "n°", " ", "\ud800"])
def test_ten_megabytes_take_no_longer(part: str) -> None:
    context_from_title(part * (10_000_000 // len(part)))


@given(st.one_of(texts, not_json))
def test_any_title(title: object) -> None:
    kind, number = context_from_title(title)
    assert isinstance(kind, ContextType)
    assert number is None or type(number) is int
