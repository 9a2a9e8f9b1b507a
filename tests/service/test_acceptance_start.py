"""A service that cannot work does not start, and says why in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.console.running import Place


@pytest.mark.parametrize("content", [None, "root:x:0:0", '[classCode]\nname = "x"\n'], ids=["none", "no TOML", "wrong"])
def test_o5_codes_that_cannot_be_used_stop_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "codes.toml"
    if content is not None:
        file.write_text(content)

    told = Place(tmp_path, PORTOLAN_CODES=str(file)).run("serve", code=1).stderr

    assert f"The codes of PORTOLAN_CODES cannot be used: {file}" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("below", ["", "further"])
def test_o5_a_place_where_nothing_can_be_kept_stops_the_start(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" / below if below else tmp_path / "file"

    told = Place(tmp_path, PORTOLAN_STORAGE=str(folder)).run("serve", code=1).stderr

    assert f"Documents cannot be kept in {folder} (setting PORTOLAN_STORAGE)" in told
    assert "Traceback" not in told
