"""The guide's examples run as they are printed, one after another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Services

GUIDE = Path(__file__).parents[2] / "docs/guide/python-client.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_guide_run(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("letter.pdf").write_bytes(b"%PDF-1.7")
    space: dict[str, Any] = {}
    addresses = {
        "http://127.0.0.1:8010/registry": services.registry,
        "http://127.0.0.1:8020/repository": services.repository,
    }
    for block in BLOCK.findall(GUIDE.read_text()):
        for default, actual in addresses.items():
            block = block.replace(default, actual)
        exec(compile(block, str(GUIDE), "exec"), space)

    assert space["old"].unique_id == space["unique_id"]
    assert Path("copy.pdf").read_bytes() == b"%PDF-1.7"
    assert len(list(Path().glob("2.25.*.pdf"))) == len(space["entries"]) >= 2
    assert capsys.readouterr().out == ""
