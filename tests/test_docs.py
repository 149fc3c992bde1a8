"""What the pages name is there: commands and their flags, targets of make, files, headings, modules."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from readme import PAGES

from elastic_reasoning.cli.main import COMMANDS, main

ROOT = Path(__file__).parent.parent
PAGES = [*PAGES, ROOT / "CONTRIBUTING.md"]
COMMAND = re.compile(rf"(?<![\w-])elastic ((?:{'|'.join(COMMANDS)})(?![\w-]).*)")
OTHERS_PARSE = ("lm-eval", "recipes")  # by the harness; by hand
CODE = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
LAUNCHED = re.compile(r"accelerate launch .* -m elastic_reasoning\.cli\.main ")


def read(page: Path) -> str:
    """A page, but for code that needs what the page itself adds: `test_extending` runs that."""
    text = page.read_text(encoding="utf-8")
    return CODE.sub("", text) if page.name == "extending.md" else text


def commands(text: str) -> Iterator[str]:
    """Every command of ours in blocks of code and between backticks, without `elastic`."""
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", CODE.sub("", text))]
    blocks = "\n".join(CODE.findall(text)).replace("\\\n", " ").splitlines()
    for line in blocks + inline:
        found = COMMAND.search(LAUNCHED.sub("elastic ", line))
        if found:
            yield found[1]


def help_examples() -> Iterator[tuple[str, str]]:
    for name in COMMANDS:
        module = importlib.import_module(f"elastic_reasoning.cli.{name.replace('-', '_')}")
        lines = getattr(module, "EXAMPLE", "").replace("\\\n", " ")
        yield from ((f"{name} --help", found[1]) for found in COMMAND.finditer(lines))


def all_commands() -> list[tuple[str, str]]:
    in_pages = [(page.name, line) for page in PAGES for line in commands(read(page))]
    return [(place, line) for place, line in in_pages + list(help_examples()) if line.split()[0] not in OTHERS_PARSE]


@pytest.mark.parametrize(("place", "line"), [pytest.param(*each, id=" ".join(each)) for each in all_commands()])
def test_commands_have_the_flags_that_they_are_shown_with(place, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # recipes are those of the package, from wherever one is
    written = re.sub(r"\s{2,}\(.*|\s>\s\S+$", "", line)  # what stands beside an example, or where it goes
    values = re.sub(r"(--(?:total|accuracy)) [A-Z]\b", r"\1 1", written)  # placeholders of numbers
    with pytest.raises(SystemExit) as exit_info:
        raise SystemExit(main([*shlex.split(values, comments=True), "--print_config"]))
    assert exit_info.value.code == 0, (place, capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page):
    text = read(page)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)$", text, re.MULTILINE)
    assert {first or second for first, second in named} <= set(targets)
    for path in re.findall(r"(?<![\w/.])((?:benchmarks|scripts|examples|recipes|tests|docs|src)/[\w./-]*\w)", text):
        assert (ROOT / path).exists(), path
    for link, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", text):
        target = (page.parent / link) if link else page
        assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link}#{anchor}"
    for dotted in set(re.findall(r"elastic_reasoning(?:\.\w+)+", CODE.sub("", text))):
        assert_there(dotted)


def test_what_the_changelog_calls_a_new_name_is_there():
    rows = re.findall(r"^\|.*\|(.*)\|$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"elastic_reasoning(?:\.\w+)+", row)]
    assert names
    for dotted in names:
        assert_there(dotted)


def anchors(text: str) -> set[str]:
    """Of a page's headings, as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def assert_there(dotted: str) -> None:
    """A module, or what a module holds."""
    try:
        importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        assert hasattr(importlib.import_module(module), name), dotted
