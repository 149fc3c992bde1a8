import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import elastic_reasoning
from elastic_reasoning.cli import main as module
from elastic_reasoning.cli.main import COMMANDS, main
from elastic_reasoning.core.errors import DelimiterError
from make_records import make_records, write_folder


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def command(argv: list[str]) -> int:
        raise error

    monkeypatch.setattr(module, "_command", lambda name: command)
    return main(["sweep"])


@pytest.mark.parametrize("flag", ["-h", "--help", "help"])
def test_help_names_every_command_and_an_example(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert 'elastic generate "a 4 b -8' in text


def test_no_command_is_answered_with_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: elastic" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"elastic-reasoning {elastic_reasoning.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert not caught.value.code
    text = capsys.readouterr().out
    assert f"usage: elastic {name}" in text
    assert f"\n  elastic {name}" in text.partition("example:")[2]


@pytest.mark.parametrize("arguments", [["--help"], ["lm-eval", "--help"], ["recipes", "--help"]])
def test_help_that_is_written_by_hand_fits_a_terminal_but_for_lines_to_copy(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with suppress(SystemExit):
        main(arguments)
    text = capsys.readouterr().out.partition("example:")[0]
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweeep"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("elastic: error: unknown command 'sweeep': did you mean 'sweep'? known are ")
    assert err.count("\n") == 1


def test_delimiters_that_nothing_names_are_asked_for_by_their_flags(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(monkeypatch, DelimiterError("no thinking delimiters")) == 2
    message = capsys.readouterr().err
    assert message.startswith("elastic: error: no thinking delimiters: give --opening '<think>' --closing '</think>'")
    assert "opening=" not in message


def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(monkeypatch, KeyboardInterrupt("to go on: elastic sweep")) == 130
    assert capsys.readouterr().err == "\nelastic: interrupted: to go on: elastic sweep\n"
    assert failing(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "\nelastic: interrupted\n"


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        failing(monkeypatch, ZeroDivisionError())


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_reader_that_has_gone_is_no_error(tmp_path: Path, flags: list[str]) -> None:
    folder = write_folder(tmp_path / "run", make_records(num_problems=2, num_samples=1))
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "report", str(folder), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode != 2


@pytest.mark.parametrize("argv", [["--help"], ["sweep", "--help"]])
def test_help_that_nobody_reads_is_no_error(argv: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "elastic_reasoning.cli.main", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 141)


def test_a_terminal_that_cannot_show_a_letter_is_no_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "run", make_records(num_problems=2, num_samples=1))
    done = subprocess.run(
        [sys.executable, "-m", "elastic_reasoning.cli.main", "report", str(folder)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"accuracy" in done.stdout
