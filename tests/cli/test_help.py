import importlib
from dataclasses import dataclass, field, fields, is_dataclass

import pytest

from elastic_reasoning.cli.help import GROUPS, OTHERS, help_text
from elastic_reasoning.cli.main import COMMANDS, main
from elastic_reasoning.cli.options import OptionParser
from elastic_reasoning.core.request import OptionValues

NO_CONFIGURATION = ("lm-eval", "recipes")


@dataclass(frozen=True)
class Small:
    """What is tried.

    Attributes:
        zebra: a field that stands in no group.
        out: a folder, auto, here, ...
        json: whether it is printed.
        share: whether it is shared.
        seed: of all draws.
        budgets: each as 24+20. The task's own otherwise.
        options: what a strategy is told.
    """

    zebra: str = " "
    out: str = "runs/x"
    json: bool = False
    share: bool = True
    seed: int = 0
    budgets: tuple[str, ...] = ("8+20", "24+20")
    options: OptionValues = field(default_factory=dict)


def test_what_is_used_most_stands_first_and_defaults_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_text(Small, command="try", about="Try it.", example="elastic try", arguments="[OUT]")
    lines = text.splitlines()
    assert lines[:6] == [
        "usage: elastic try [OUT] [--option VALUE ...]",
        "",
        "Try it.",
        "",
        "what it works on:",
        "  --budgets LIST              each as 24+20. The task's own otherwise [8+20,24+20]",
    ]
    for line in (
        "  --seed N                    of all draws [0]",
        "  --out TEXT                  a folder, auto, here, ... [runs/x]",
        "  --json                      whether it is printed",
        "  --share true|false          whether it is shared [true]",
        '  --zebra TEXT                a field that stands in no group [" "]',
        "options, what a strategy is told:",
        f"{OTHERS}:",
    ):
        assert line in lines
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles[0] == "what it works on:"
    assert titles[-2:] == ["always:", "example:"]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NO_CONFIGURATION])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_option_of_every_command_is_explained_in_a_group(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):
        main([name, "--help"])
    text = capsys.readouterr().out
    options = text.partition("example:")[0].splitlines()
    module = importlib.import_module(f"elastic_reasoning.cli.{name.replace('-', '_')}")
    (config,) = (
        each
        for each in vars(module).values()
        if is_dataclass(each) and each.__module__ == module.__name__ and each.__name__.endswith(("Config", "Command"))
    )
    for option in OptionParser(config(), None).names:
        found = [n for n, line in enumerate(options) if line.split()[:1] == [f"--{option}"]]
        assert len(found) == 1, option
        beside = options[found[0]][30:].strip() if len(options[found[0]]) > 30 else ""
        assert beside or options[found[0] + 1].startswith(" " * 30), option
    assert options[0].startswith(f"usage: elastic {name}")
    assert options[2] != ""
    assert max(map(len, options)) <= max(width, 60)


def test_every_field_has_one_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert {"options", "sampling"} & set(names) == set()
    assert {f.name for f in fields(Small)} - set(names) == {"zebra", "options"}


@pytest.mark.parametrize("name", ["warm_start", "warm-start", "lm_eval", "lm-eval"])
def test_a_command_is_spelled_with_dashes_and_underscores_are_understood(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert f"usage: elastic {name.replace('_', '-')}" in capsys.readouterr().out
    assert not [each for each in COMMANDS if "_" in each]
