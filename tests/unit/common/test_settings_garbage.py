"""Settings: whatever is given, the answer is Settings or SettingsError."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.settings import TABLE, Settings, SettingsError, load

NAMES = st.sampled_from([f"PORTOLAN_{name.upper()}" for name in TABLE]) | st.text(max_size=20).map(
    lambda rest: f"PORTOLAN_{rest}"
)
NEAR_VALUES = st.from_regex(r"\A[0-9.]{0,25} ?[a-zA-Z]{0,4}\Z") | st.from_regex(r"\A[a-z0-9:/.\[\]@?#=,-]{0,40}\Z")


@given(st.dictionaries(NAMES, st.text(max_size=80) | NEAR_VALUES, max_size=6))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    environ.pop("PORTOLAN_CONFIG", None)
    with suppress(SettingsError):
        assert isinstance(load(environ), Settings)


@given(st.sampled_from(sorted(TABLE)), st.text(max_size=80) | NEAR_VALUES)
def test_every_kind_reads_or_raises_value_error(name: str, value: str) -> None:
    kind = TABLE[name].kind
    try:
        parsed = kind.parse(value)
    except ValueError:
        return
    again = kind.parse(kind.show(parsed))
    assert again == (pytest.approx(parsed) if isinstance(parsed, float) else parsed)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300) | st.from_regex(r"\A(\[?[a-z_.]{1,12}\]?( = ['\[{0-9a-z]{0,9})?\n){0,5}\Z").map(str.encode)
)
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(content)
    with suppress(SettingsError):
        assert isinstance(load({}, file), Settings)


@given(st.text(max_size=200))
def test_problems_are_printable_sentences(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({"PORTOLAN_METRICS": f"{value}?", f"PORTOLAN_X{value[:10]}": "1"})

    assert all(problem.isprintable() and problem[-1] in ".?" for problem in refused.value.problems)
