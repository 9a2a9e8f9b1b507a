"""The commands as a whole: help that teaches, errors in sentences, a manual that is up to date."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from console.cli import COMMANDS, portolan
from console.reference import commands, reference
from tests.unit.console.running import ROOT

LEAVES = {name: command for name, command in commands(portolan, "portolan") if not isinstance(command, click.Group)}


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(portolan, list(arguments), prog_name="portolan")
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PORTOLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PORTOLAN_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("name", LEAVES)
def test_the_help_of_every_command_shows_an_example_that_begins_with_it(name: str) -> None:
    code, out, _ = invoke(*name.split()[1:], "--help")

    assert code == 0
    assert "Example" in out
    assert name in out.split("Example", 1)[1]


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_of_every_command_says_what_it_does(name: str) -> None:
    options = [found for found in LEAVES[name].params if isinstance(found, click.Option) and not found.hidden]

    assert [option.name for option in options if not option.help] == []


def test_the_reference_is_printed_from_the_help() -> None:
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")

    assert page == reference(), "run python -m console.reference > docs/reference/command-line.md"


def test_every_command_is_in_the_overview() -> None:
    _, out, _ = invoke("--help")

    assert [name for name in COMMANDS if f"  {name} " not in out] == []


def test_what_is_no_command_is_wrong_usage() -> None:
    code, _, err = invoke("nonsense")

    assert code == 2
    assert "No such command 'nonsense'" in err


def test_wrong_settings_are_all_told_and_are_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_MAX_OBJECTS", "none")
    monkeypatch.setenv("PORTOLAN_COLOUR", "red")

    code, _, err = invoke("migrate")

    assert code == 2
    assert "PORTOLAN_MAX_OBJECTS in the environment is 'none'" in err
    assert "PORTOLAN_COLOUR in the environment is not a setting" in err


def test_a_file_of_settings_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PORTOLAN_CONFIG", "")
    file = tmp_path / "settings.toml"
    file.write_text('log_level = "loud"')

    for arguments in (("--config", str(file), "migrate"), ("migrate", "--config", str(file))):
        code, _, err = invoke(*arguments)
        assert code == 2
        assert f"log_level in {file} is 'loud'" in err


def test_an_error_that_nobody_foresaw_is_a_sentence_and_with_debug_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down() -> None:
        raise ZeroDivisionError("patient 9990001006")

    monkeypatch.setattr("console.commands.migrate.settings", break_down)

    code, _, err = invoke("migrate")
    assert code == 1
    assert "ZeroDivisionError" in err
    assert "--debug" in err
    assert "9990001006" not in err
    result = CliRunner().invoke(portolan, ["--debug", "migrate"])
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    code, out, _ = invoke("completion", shell)

    assert code == 0
    assert f"{shell}_complete" in out or f"{shell}_source" in out or "_PORTOLAN_COMPLETE" in out


def test_the_completion_script_completes_commands_in_bash(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    program = tmp_path / "portolan"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m console "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(portolan completion bash)"; COMP_WORDS=(portolan mig); COMP_CWORD=1; '
        '_portolan_completion portolan; echo "${COMPREPLY[@]}"'
    )
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    done = subprocess.run([bash, "-c", script], env=environ, capture_output=True, text=True, timeout=30)

    assert "migrate" in done.stdout, done.stderr
