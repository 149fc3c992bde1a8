import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from elastic_reasoning.cli import generate as module
from elastic_reasoning.cli.main import main
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.scripted import ScriptedEngine

QUESTION = "a 4 b -8 c +7 ="
PIECES = [b"<eos>", b"<t>", b"</t>", b"[bold]", b"[/x]", b" caf", b"\xc3", b"\xa9", b"\\[", b"\n", b"so", b"4", b"<"]
PIECES += [b"\x1b", b"]52;c;aGk=\x07", b"\xc2\x9b2J", b"\xe2\x80\xae"]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


class Streaming(ScriptedEngine):
    """Says these pieces whatever is forced, and lets itself be listened to as the transformers engine does."""

    def __init__(self, *pieces: int, context: int | None = None) -> None:
        template = Template(
            opening=TokenDelimiter("<t>", (1,)),
            closing=TokenDelimiter("</t>", (2,)),
            eos=frozenset([0]),
            num_tokens=len(PIECES),
            encode=lambda text: tuple(n for n, piece in enumerate(PIECES) if piece == text.encode()),
            decode=lambda ids: b"".join(PIECES[i] for i in ids).decode("utf-8", "replace"),
        )
        said = iter(pieces)
        super().__init__(lambda request, ids: [next(said, 0)], template, context)
        self.shown: list[str] = []
        self.look: Callable[[], str] = str

    def submit(self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None) -> list[Future]:
        def look(delta: Delta) -> None:
            listen(delta)
            self.shown.append(self.look())

        return super().submit(walks, look if listen else None, until)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Streaming]:
    def use(*pieces: int, context: int | None = None) -> Streaming:
        engine = Streaming(*pieces, context=context)
        monkeypatch.setattr(module, "open_engine", lambda config, model: engine)
        return engine

    return use


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["generate", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["generate", *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("elastic: error: ")
    assert error.count("\n") == 1
    return error


def test_thinking_comes_before_the_solution_and_what_was_used_comes_last(
    says: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    says(10, 10, 2, 11, 0)
    out = printed(capsys, "why", "--budget", "5+3")
    assert out.splitlines() == [
        "thinking",
        "soso </t>",
        "solution",
        "4",
        "",
        "thinking 2/5 tokens, solution 2/3, forced 0; elastic, ended by delimiter, eos",
    ]


def test_what_the_budget_did_is_said(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(*[10] * 9)
    out = printed(capsys, "why", "--budget", "2+3")
    assert out.endswith(
        "thinking 2/2 tokens (budget hit), solution 3/3 (cut), forced 1; elastic, ended by length, length\n"
    )
    says(10, 10, 0)
    assert "thinking 2/inf tokens, solution 1/inf, forced 1;" in printed(capsys, "why", "--budget", "inf+inf")


def test_probes_are_said_and_pauses_are_not(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(*[10] * 40)
    options = ("--options.probe_every", "2", "--options.probe_text", "so", "--options.probe_tokens", "3")
    out = printed(capsys, "why", "--budget", "5+3", "--strategy", "dynasor", *options, "--options.num_equal", "9")
    assert out.endswith(
        "thinking 5/5 tokens (budget hit), solution 3/3 (cut), forced 1, 2 probes 6 tokens; dynasor, "
        "ended by length, length\n"
    )


@pytest.mark.parametrize(
    ("strategy", "said", "used"),
    [
        ("vanilla", [10] * 9, "thinking 5 tokens (budget hit), solution 0, total 5/5, forced 0;"),
        ("vanilla", [10, 10, 10, 2, 11, 0], "thinking 3 tokens, solution 2, total 5/5, forced 0;"),
        ("s1", [10, 2, 11, 0], "thinking 1 tokens, solution 2, total 3/5, forced 0;"),
        ("nothinking", [10, 0], "thinking 0/0 tokens (budget hit), solution 2/3, forced 1;"),
        ("l1-exact", [10, 2, 11, 0], "thinking 1 tokens, solution 2, total 3, asked for 5, forced 0;"),
        ("unconstrained", [10, 2, 11, 0], "thinking 1 tokens, solution 2, total 3, no limit, forced 0;"),
    ],
)
def test_tokens_are_told_beside_what_the_budget_bounds(
    says: Any, capsys: pytest.CaptureFixture[str], strategy: str, said: list[int], used: str
) -> None:
    says(*said)
    flags = ["--options.answer_tokens", "2"] if strategy == "s1" else []
    assert used in printed(capsys, "why", "--budget", "2+3", "--strategy", strategy, *flags)


def test_an_end_of_sequence_in_thinking_is_no_text(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(10, 0)
    assert printed(capsys, "why", "--budget", "2+3", "--strategy", "vanilla").startswith("thinking\nso\n\n")


def test_only_a_few_tokens_are_decoded_for_each_new_one(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine = says(*[10] * 60, 2, 0)
    decode, lengths = engine.template.decode, list[int]()
    engine.template = replace(engine.template, decode=lambda ids: lengths.append(len(ids)) or decode(ids))
    assert printed(capsys, "why", "--budget", "90+3").startswith("thinking\n" + "so" * 60 + " </t>")
    assert max(lengths) < 8


def test_tokens_are_shown_as_they_come(says: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = says(10, 10, 11, 2, 11, 0)
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    engine.look = out.getvalue
    assert main(["generate", "why", "--budget", "5+3"]) == 0
    assert engine.shown[:3] == ["thinking\nso", "thinking\nsoso", "thinking\nsoso4"]
    assert engine.shown[5] == "thinking\nsoso4 </t>\nsolution\n4"


def test_text_that_looks_like_markup_is_shown_as_it_is(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(3, 8, 4, 2, 3, 4, 9, 8, 0)
    out = printed(capsys, "why", "--budget", "5+9")
    assert "[bold]\\[[/x] </t>" in out
    assert "[bold][/x]\n\\[\n" in out


@pytest.mark.parametrize("terminal", ["", "1"])
def test_letters_that_a_terminal_obeys_are_shown(
    terminal: str, says: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", terminal)
    obeyed, shown = {"\x1b]", "\x07", "\x9b", "\u202e"}, ("\\x1b", "]52;c;aGk=", "\\x9b2J", "\\u202e")
    for argv in (["--budget", "5+9"], ["--budget", "5+9", "--json"]):
        says(13, 14, 2, 15, 16, 13, 14, 0)
        out = printed(capsys, "why", *argv)
        assert not [letter for letter in obeyed if letter in out]
        if "--json" in argv:
            values = json.loads(out)
            assert (values["thinking"], values["solution"]) == ("\x1b]52;c;aGk=\x07", "\x9b2J\u202e\x1b]52;c;aGk=\x07")
        else:
            assert all(part in out for part in shown)


def test_a_letter_of_two_tokens_is_shown_once_it_is_whole(says: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = says(5, 6, 7, 2, 5, 6, 0)
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    engine.look = out.getvalue
    assert main(["generate", "why", "--budget", "5+2"]) == 0
    assert engine.shown[:3] == ["thinking\n caf", "thinking\n caf", "thinking\n café"]
    assert "\ufffd" not in "".join(engine.shown)


def test_text_that_was_shown_before_half_a_letter_is_not_lost(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(5, 6, 11, 0)
    assert printed(capsys, "why", "--budget", "2+2").startswith("thinking\n caf [forced: </t>]\nsolution\n4\n")


def test_a_prompt_that_does_not_fit_is_one_line(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(context=4)
    assert "the budget needs 11 tokens after the prompt, 7 more" in refused(capsys, "why", "--budget", "5+5")


def test_the_question_may_come_from_standard_input(
    says: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = says(2, 11, 0)
    asked: list[str] = []
    monkeypatch.setattr(
        engine, "prompt", lambda messages, tools=(): asked.append(messages[0]["content"]) or Streaming().prompt([])
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(" two\nlines \n"))
    printed(capsys, "-")
    assert asked == ["two\nlines"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert "no question" in refused(capsys, "-")


# With a model.


def test_a_model_answers_under_the_budget(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, QUESTION, "--model", "mini", "--budget", "6+4", "--device", "cpu")
    assert out.startswith("thinking\n")
    assert "\nsolution\n" in out
    assert "/6 tokens" in out


def test_json_is_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--model", "mini", "--budget", "6+4", "--sampling.seed", str(10**30), "--device", "cpu"]
    data = json.loads(printed(capsys, QUESTION, *flags, "--json"))
    assert (data["strategy"], data["budget"], data["error"]) == ("elastic", "6+4", None)
    assert data["num_thinking_tokens"] <= 6
    assert sum(len(s["ids"]) for s in data["segments"] if s["phase"] == "solution") == data["num_solution_tokens"]
    streamed = printed(capsys, QUESTION, *flags)
    assert data["thinking"] in streamed
    assert data["solution"] in streamed


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], 'no question: elastic generate "'),
        ([""], "no question"),
        (["a", "--budget", "-1+2"], "thinking budget -1: must be 0 or more"),
        (["a", "--budget", "1+-2"], "solution budget -2: must be 0 or more"),
        (["a", "--budget", "1.5+2"], "'1.5' is not a whole number"),
        (["a", "--budget", "24"], "write it as THINKING+SOLUTION"),
        (["a", "--strategy", "elastc"], "unknown strategy 'elastc': did you mean 'elastic'?"),
        (["a", "--strategy", "s1", "--options.grace", "2"], "grace=2 means nothing to strategy 's1'"),
        (["a", "--model", "minni"], "unknown model 'minni': did you mean 'mini'?"),
        (["a", "--model", "/nowhere/at/all"], "give a folder"),
        (["a", "--budget", "9999+9"], "more than the model's context leaves: lower the budget"),
        (["a " * 3000], "the prompt has 3003 tokens, 2491 more than the model's context of 512"),
        (["a", "--options.min_thinking", "99"], "min_thinking 99 is more than the thinking budget"),
        (["a", "--device", "abacus"], "device 'abacus' cannot be used"),
        (["a", "--dtype", "int4"], "dtype 'int4': must be one of auto"),
        (["a", "--opening", "<think>"], "both delimiters must be given"),
        (["a", "--opening", "☺", "--closing", "☻"], "delimiter '☺'"),
    ],
)
def test_bad_input_is_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(capsys, *argv)


@pytest.mark.parametrize("colour", [True, False])
def test_forced_tokens_are_told_apart_with_colours_and_without(
    colour: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(*(("FORCE_COLOR", "1") if colour else ("NO_COLOR", "1")))
    arguments = ["--budget", "3+8", "--strategy", "s1", "--options.answer_tokens", "2", "--device", "cpu"]
    out = printed(capsys, QUESTION, *arguments)
    assert ("[forced: </think>]" in out) == ("[forced: Final Answer:]" in out) == (not colour)
    assert ("\x1b[30;43m" in out) == colour
