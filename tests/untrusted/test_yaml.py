from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from elastic_reasoning.cli.main import main
from elastic_reasoning.untrusted.json import MalformedError
from elastic_reasoning.untrusted.yaml import check_yaml, convert_known, load_yaml

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("**/*.yaml"))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "alias bomb": (BOMB, "more than 10,000 values"),
    "alias of itself": ("a: &a [*a]\n", "stands within what it stands for"),
    "deep": ("[" * 100_000 + "]" * 100_000, "nested deeper than 64"),
    "deep in blocks": ("".join(" " * n + "a:\n" for n in range(100)), "nested deeper than 64"),
    "large": ("# x\n" * 100_000, "letters, of 262,144"),
    "many": ("- x\n" * 20_000, "more than 10,000 values"),
    "twice": ("limit: 4\nseed: 1\nlimit: 8\n", "line 3: limit is given twice"),
    "twice within": ("vllm: {args: {a: 1, b: 2, a: 3}}\n", "line 1: a is given twice"),
    "no YAML": ("a: [1, 2\nb: 3\n", "not YAML"),
    "NUL": ("a: \x00\n", "not YAML"),
    "tab": ("a:\n\tb: 1\n", "not YAML"),
    "alias of nothing": ("a: *b\n", ""),
}


@pytest.mark.parametrize("name", [name for name, (_, message) in BAD.items() if message])
def test_what_no_recipe_would_be_is_refused(name: str) -> None:
    text, message = BAD[name]
    with pytest.raises(MalformedError, match=message) as caught:
        check_yaml(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BAD)
def test_a_command_says_so_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(BAD[name][0])
    assert main(["sweep", f"--recipe={recipe}", f"--out={tmp_path / 'out'}"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert len(err) < 2100
    assert not (tmp_path / "out").exists()


def test_aliases_of_small_things_are_kept(tmp_path: Path) -> None:
    check_yaml("base: &base {a: 1, b: 2}\nmore: {<<: *base, c: 3}\nagain: [*base, *base]\n")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_pass(path: Path) -> None:
    check_yaml(path.read_text())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_yaml_writes_passes(value: object) -> None:
    check_yaml(yaml.safe_dump(value))


@given(st.text(st.sampled_from("&*a:-[]{}<, \n'\"!|>%@\t\x00\ud800")) | st.text())
def test_anything_at_all_passes_or_is_refused(text: str) -> None:
    with suppress(MalformedError):
        check_yaml(text)


class _Part(Struct):
    size: int = 0


class _Whole(Struct):
    parts: dict[str, _Part] = {}
    listed: list[_Part] = []
    one: _Part | None = None
    plain: dict[str, str] = {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("part: {}", r"part: unknown key; did you mean 'parts'\?"),
        ("parts: {a: {sise: 1}}", r"parts.a.sise: unknown key; did you mean 'size'\?"),
        ("listed: [{size: 1}, {sizes: 1}]", r"listed.1.sizes: unknown key; did you mean 'size'\?"),
        ("one: {other: 1}", "one.other: unknown key; known are size"),
        ("one: {size: big}", "Expected `int`, got `str`"),
        ("{[1]: 2}", "not YAML"),
        ("one: 2026-99-99", "not YAML"),
    ],
)
def test_a_key_that_no_field_has_is_named_with_its_place_and_the_nearest(text: str, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        convert_known(load_yaml(text), _Whole)


def test_what_is_known_is_converted() -> None:
    found = convert_known(load_yaml("{parts: {a: {size: 1}}, one: null, plain: {sise: x}}"), _Whole)
    assert (found.parts["a"].size, found.one, found.plain) == (1, None, {"sise": "x"})
