"""Checking a file of codes: everything wrong is found and has its line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.codes import CodesError, check, load
from common.codes.__main__ import main
from common.codes.checks import is_snomed
from common.codes.listing import EXPECTED, Severity


def problems(folder: Path, content: str) -> list[str]:
    """The problems other than missing sets, as they are printed."""
    file = folder / "codes"
    file.write_text(content, encoding="utf-8")
    return [str(problem) for problem in check(file) if "there is no set for" not in problem.text]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("typeCode = 3", "line 1: error: typeCode must be a table"),
        ("[systems]\nsnomed = 3", "line 2: error: systems.snomed must be a text"),
        ("systems = 3", "line 1: error: systems must be a table"),
        ("\n[typCode.x]\na = 'A'", "line 2: error: typCode is not an attribute"),
        ("[typeCode]\na = 'A'", "line 2: error: typeCode.a must be a table of codes"),
        ("[typeCode.x]\n\na = 5", "line 3: error: typeCode a must have its display name"),
        ("[typeCode.x]\nany = 'yes'", "line 2: error: any in typeCode.x must be true or false"),
        ("[typeCode.x]\na = ''", "line 2: warning: typeCode a has no display name"),
        ("[typeCode.x]\n'' = 'A'", "line 2: error: typeCode has an empty code"),
        ("[typeCode.'']\na = 'A'", "line 1: error: typeCode has codes of a scheme without a name"),
        ("[typeCode.'2.16.01']\na = 'A'", "line 2: error: typeCode a has the coding scheme 2.16.01"),
        ("[typeCode.'2.16.840.1.113883.6.96']\n373942006 = 'A'", "line 2: error: typeCode 373942006 is not a SNOMED"),
        ("[mimeType]\npdf = 'A'", "line 2: error: mimeType pdf is not a MIME type"),
        ("[languageCode]\n'en_GB' = 'A'", "line 2: error: languageCode en_gb is not a language tag"),
        ("[authorities]\n'2.01' = 'A'", "error: the authority 2.01 is not an OID"),
        ("[typeCode]", "warning: the set for typeCode is empty"),
        ("[typeCode.x]\na = 'A'\na = 'B'", "error: this is not a TOML file"),
        ("[typeCode.s]\na = 'A'\n[systems]\ns='t'\n[typeCode.t]\na='B'", "line 6: warning: typeCode a is listed twice"),
        ("x = " + "[" * 9000, "error: this is not a TOML file"),
        ("<Codes", "error: this is not an XML file"),
        ("<Codes/>", "error: there is no CodeType"),
        ("<Codes><CodeType name='typeCode'/></Codes>", "warning: the set for typeCode is empty"),
        ("<Codes>\n<CodeType name='typeCode'>\n<Code code=''/></CodeType></Codes>", "line 3: warning: typeCode has an"),
        ("<Codes>\n<CodeType name='x' classScheme='y'/></Codes>", "line 2: warning: CodeType x has the unknown class"),
        ("<Codes>\n<AssigningAuthority id='1.2'/></Codes>", "line 2: error: the id of an AssigningAuthority"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    assert [problem for problem in problems(tmp_path, content) if problem.startswith(said)]


def test_missing_sets_are_warnings(tmp_path: Path) -> None:
    file = tmp_path / "codes"
    file.write_text("[languageCode]\nany = true\n", encoding="utf-8")

    assert [problem.severity for problem in check(file)] == [Severity.WARNING] * len(EXPECTED)
    assert load(file).accepts("typeCode", "any", "any")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(b"\xff\xff")

    assert "cannot be read" in str(check(tmp_path / "none")[0])
    assert "cannot be read" in str(check(tmp_path)[0])
    assert "not UTF-8" in str(check(odd)[0])


def test_errors_keep_a_file_from_being_loaded(tmp_path: Path) -> None:
    file = tmp_path / "codes"
    file.write_text("[typCode.x]\na = 'A'\n", encoding="utf-8")

    with pytest.raises(CodesError, match="line 1: error: typCode") as refused:
        load(file)

    assert [problem.severity for problem in refused.value.problems] == [Severity.ERROR]


@pytest.mark.parametrize("code", ["373942005", "824331000000106", "22232009", "1102421000000108"])
def test_a_snomed_identifier_has_a_check_digit(code: str) -> None:
    assert is_snomed(code)
    assert not any(is_snomed(code[:-1] + digit) for digit in "0123456789" if digit != code[-1])


@pytest.mark.parametrize("code", ["", "0", "12345", "0373942005", "1" * 19, "37394200٥", "373942005 "])
def test_what_is_no_snomed_identifier_is_told(code: str) -> None:
    assert not is_snomed(code)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.binary(max_size=100).map(lambda content: b"<" + content)
    | st.text("[]=.\"'aA1\n typeCode", max_size=80).map(str.encode)
)
def test_any_file_is_checked(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "codes"
    file.write_bytes(content)
    errors = [problem for problem in check(file) if problem.severity is Severity.ERROR]
    if errors:
        with pytest.raises(CodesError):
            load(file)
    else:
        assert load(file)


def test_an_operator_may_check_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[typCode.x]\na = 'A'\n", encoding="utf-8")

    assert main([]) == 0
    assert "nothing wrong" in capsys.readouterr().out
    assert main([str(wrong)]) == 1
    assert f"{wrong}, line 1: error" in capsys.readouterr().out
