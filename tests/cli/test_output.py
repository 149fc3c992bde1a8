import ast
import io
from pathlib import Path

import pytest
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import elastic_reasoning
from elastic_reasoning.cli.output import new_console, note, say, say_json

BAD = "\x1b]52;c;aGk=\x07 \x9b2J \u202eover"
SHOWN = "\\x1b]52;c;aGk=\\x07 \\x9b2J \\u202eover"
COMMANDS = sorted((Path(elastic_reasoning.__file__).parent / "cli").glob("*.py"))


def test_what_is_said_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    say(BAD)
    note(BAD)
    say_json({"text": BAD})
    out, err = capsys.readouterr()
    assert out.splitlines() == [SHOWN, '{"text": "\\u001b]52;c;aGk=\\u0007 \\u009b2J \\u202eover"}']
    assert err.splitlines() == [SHOWN]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_table_shows_what_it_holds_and_keeps_its_own_colours(terminal: bool) -> None:
    file = io.StringIO()
    bad, shown = BAD.replace("\x07", ""), SHOWN.replace("\\x07", "")  # rich leaves bells out by itself
    table = Table(title=bad)
    table.add_column(bad)
    table.add_row(Text(bad, style="red"))
    table.add_row(bad)
    colours = "standard" if terminal else None
    console = new_console(file=file, force_terminal=terminal, width=200, color_system=colours, highlight=False)
    console.print(table)
    console.print(bad, style="green", markup=False)
    text = file.getvalue()
    assert text.count(shown) == 5
    assert ("\x1b[31m" in text) is terminal
    assert not {"\x9b", "\x07", "\u202e"} & set(text)
    assert "\x1b]" not in text


def test_a_progress_bar_still_moves() -> None:
    file = io.StringIO()
    console = new_console(file=file, force_terminal=True, width=80)
    with Progress(console=console, auto_refresh=False) as progress:
        progress.add_task("work", total=2)
        progress.refresh()
    assert "\x1b[?25l" in file.getvalue()


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_commands_print_in_no_other_way(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    assert path.stem == "output" or not names & {"print", "Console"}
