"""The table of places: what is in it counts, and one with a mistake is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.access.places import PlacesError, load_places, read_places

GOOD = '[organisations]\nNBG = "ZT901"\n"NORTHBECK GENERAL" = "urn:oid:2.16.840.1.113883.2.1.3.2.4.19.1:ZT901"\n'


def test_a_place_stands_for_an_organisation_by_any_of_its_names() -> None:
    places = read_places(GOOD)

    assert places.organisation(("NORTHBECK GENERAL",)) == places.organisation(("ward", "NBG")) == "ZT901"
    assert places.organisation(("nbg",)) == places.organisation(()) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[organisations", "no TOML"),
        ("", "is needed"),
        ("[organisations]", "is needed"),
        ('organisations = "ZT901"', "is needed"),
        (f"{GOOD}[more]", "more: there is no such key"),
        ("[organisations]\nNBG = 7", "NBG: an ODS code"),
        ('[organisations]\nNBG = ""', "NBG: an ODS code"),
    ],
)
def test_a_mistake_is_told(text: str, told: str) -> None:
    with pytest.raises(PlacesError, match=told):
        read_places(text)


def test_a_file_is_named_where_it_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(PlacesError, match=r"none[.]toml"):
        load_places(str(tmp_path / "none.toml"))
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    with pytest.raises(PlacesError, match="not UTF-8"):
        load_places(str(tmp_path / "odd.toml"))
    (tmp_path / "good.toml").write_text(GOOD)
    assert load_places(str(tmp_path / "good.toml")).organisation(["NBG"]) == "ZT901"
