import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from elastic_reasoning.cli.command import parse
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.request import Sampling


@dataclass(frozen=True)
class Config:
    """What to try.

    Attributes:
        question: what is asked.
        budgets: a list.
        limit: a number or nothing.
        rate: a number.
        loud: a switch.
        options: a group.
        sampling: another one.
    """

    question: str = ""
    budgets: tuple[str, ...] = ("1+2",)
    limit: int | None = 5
    rate: float = 0.5
    loud: bool = False
    options: dict[str, str | int] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)


def parsed(*argv: str) -> Config:
    return parse(Config, argv, command="try", about="Try it.", example="elastic try x", positional="question")


def refused(*argv: str) -> str:
    with pytest.raises(ElasticError) as caught:
        parsed(*argv)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(" (see elastic try --help)", "")


def test_nothing_given_is_the_defaults() -> None:
    assert parsed() == Config()


def test_values_are_given_with_and_without_an_equals_sign() -> None:
    given = Config("why", ("8+20", "16+20"), 7, 0.25, True, {"grace": 2}, Sampling(seed=3))
    flags = ["--budgets", "8+20, 16+20", "--limit", "7", "--rate", "0.25", "--loud"]
    nested = ["--options.grace", "2", "--sampling.seed", "3"]
    assert parsed("why", *flags, *nested) == given
    assert parsed(*flags, *nested, "why") == given
    assert parsed(*flags[:4], "why", *flags[4:], *nested) == given
    assert parsed("--question=why", "--budgets=8+20,16+20", "--limit=7", "--rate=0.25", "--loud=true", *nested) == given
    assert parsed("why", '--budgets=["8+20", "16+20"]', *flags[2:], *nested) == given


@pytest.mark.parametrize("question", ["-5 + 3", "-", "a = b", "1", "null", "[1", "{", "数 ?", "x: y", "'", "[bold]"])
def test_a_question_may_be_any_text(question: str) -> None:
    assert parsed(question).question == question
    assert parsed("--loud", question) == Config(question, loud=True)
    assert parsed("--question", question).question == question


def test_switches() -> None:
    assert parsed("--loud", "false").loud is False
    assert parsed("--loud", "why") == Config("why", loud=True)
    assert parsed("--loud=false").loud is False


def test_an_empty_list_is_empty() -> None:
    assert parsed("--budgets", "").budgets == parsed("--budgets=[]").budgets == ()


def test_nothing_is_a_value_where_it_may_be() -> None:
    assert parsed("--limit", "null").limit is None


def test_a_recipe_lies_under_the_flags_wherever_it_stands(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("budgets: [8+20, 9+20]\nlimit: null\nrate: 2\nloud: true\noptions:\n  grace: 3\n  wait: hm\n")
    under = Config(budgets=("8+20", "9+20"), limit=None, rate=2.0, loud=True, options={"grace": 3, "wait": "hm"})
    assert parsed("--recipe", str(recipe)) == under
    over = parsed("--recipe", str(recipe), "--options.grace", "1", "--limit", "4", "--loud=false")
    assert over == Config(budgets=under.budgets, limit=4, rate=2.0, loud=False, options={"grace": 1, "wait": "hm"})


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--budget", "8+20"], "unknown option 'budget': did you mean 'budgets'?"),
        (["--options.gracee", "1"], "unknown option 'options.gracee': did you mean 'options.grace'?"),
        (["--grace", "1"], "unknown option 'grace': did you mean 'options.grace'?"),
        (["--sampling.limit", "1"], "unknown option 'sampling.limit': did you mean 'limit'?"),
        (["--get", "1"], "unknown option 'get': did you mean 'budgets'?"),
        (["--zzz", "1"], "unknown option 'zzz'"),
        (["-l", "5"], "unknown option 'l'"),
        (["--limit", "many"], "limit 'many': must be a whole number or null"),
        (["--limit", "1.5"], "limit '1.5': must be a whole number or null"),
        (["--rate", "fast"], "rate 'fast': must be a number"),
        (["--loud=perhaps"], "loud 'perhaps': must be true or false"),
        (["--budgets=[8+20"], "budgets '[8+20': must be a list, as [one, two]"),
        (["--options.grace", "-1"], "grace -1: must be 0 or more"),
        (["--sampling.top_p", "2"], "top_p 2.0: must be above 0 and at most 1"),
        (["--options", "5"], "options: must be given as options.NAME"),
        (["--rate"], "argument --rate: expected one argument"),
        (
            ["why", "not now"],
            "unrecognized arguments: not now; question is 'why' already: leave one out, or put words that belong "
            "together in quotes: 'why not now'",
        ),
        (["why", "--question", "how"], "--question is given twice, as 'how' and as 'why': give it once"),
        (["--question=how", "why"], "--question is given twice, as 'how' and as 'why': give it once"),
        (["--limit", "3", "--limit=4"], "--limit is given twice, as '3' and as '4': give it once"),
        (["--loud", "--loud=false"], "--loud is given twice, as 'true' and as 'false': give it once"),
    ],
)
def test_what_does_not_fit_is_one_line(argv: list[str], message: str) -> None:
    assert refused(*argv) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limmit: 3\n", "unknown option 'limmit': did you mean 'limit'?"),
        ("options:\n  grase: 3\n", "unknown option 'options.grase': did you mean 'options.grace'?"),
        ("limit: many\n", "limit 'many': must be a whole number or null"),
        ("budgets: 8+20,9+20\n", "budgets '8+20,9+20': must be a list, as [one, two]"),
        ("options: 5\n", "options: must be given as options.NAME"),
        ("", "the recipe holds no options"),
        ("- 1\n- 2\n", "the recipe holds no options"),
        ("hello\n", "the recipe holds no options"),
        ("a: [1\nb: }", "the recipe is not YAML: while parsing"),
        ("rate: -1e400\nsampling: {temperature: -1}\n", "temperature -1.0: must be 0 (greedy) or more"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    assert refused("--recipe", str(recipe)).startswith(message)


def test_a_recipe_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not a file" in refused("--recipe", str(tmp_path))
    assert "does not exist" in refused("--recipe", str(tmp_path / "none.yaml"))
    assert "not YAML" in refused("--recipe", str(tmp_path / "binary.yaml"))


def test_help_names_every_option_and_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed("--help")
    assert not caught.value.code
    text = capsys.readouterr().out
    for part in (
        "Try it.",
        "--recipe",
        "--budgets",
        "what it works on",
        "--options.grace",
        "example:",
        "elastic try x",
    ):
        assert part in text


def test_a_configuration_can_be_written_down(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        parsed("--limit", "9", "--print_config")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(capsys.readouterr().out)
    assert parsed("--recipe", str(recipe)) == Config(limit=9)
    assert json.dumps(parsed().budgets) == '["1+2"]'


@pytest.mark.parametrize(("word", "loud"), [("yes", True), ("no", False), ("on", True), ("OFF", False), ("true", True)])
def test_a_switch_takes_the_usual_words(word: str, loud: bool) -> None:
    assert parsed("--loud", word, "why") == Config("why", loud=loud)


def test_a_command_without_a_first_argument_says_where_values_stand() -> None:
    with pytest.raises(
        ElasticError, match=r"unrecognized arguments: mini; a value stands behind its flag, as --out mini"
    ):
        parse(Config, ["mini"], command="try", about="", example="")


def test_a_recipe_of_another_command_is_named(tmp_path: Path) -> None:
    assert refused("--recipe", "aime24").endswith("; the recipe aime24 is for elastic sweep")
    assert refused("--recipe=mini-e1").endswith("; the recipe mini-e1 is for elastic train")
    own = tmp_path / "own.yaml"
    own.write_text("# My run.\n#   elastic sweep --recipe own.yaml\nmodels: [mini]\n")
    assert refused("--recipe", str(own)) == "unknown option 'models'; the recipe own is for elastic sweep"
    own.write_text("models: [mini]\n")
    assert refused("--recipe", str(own)) == "unknown option 'models'"


def test_a_name_that_is_not_utf_8_is_one_line() -> None:
    assert refused("--out", "\udcff").startswith("'\\udcff': holds bytes that are not UTF-8")
