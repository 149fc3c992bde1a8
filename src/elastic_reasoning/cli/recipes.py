"""`elastic recipes`: the recipes that come with the package, and where each lies."""

import difflib
import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from textwrap import shorten

from elastic_reasoning.cli.output import say
from elastic_reasoning.core.errors import UsageError

HELP = """usage: elastic recipes [NAME]

List the recipes that come with the package; with a name, print where that one
lies. A command takes a recipe by its name or as a file: --recipe aime24,
--recipe my.yaml. A file of that name comes first.

example:
  elastic recipes
  elastic sweep --recipe demo --limit 32 --out runs/demo
  cp "$(elastic recipes mini-e1)" my.yaml
  accelerate launch --config_file "$(elastic recipes launch/ddp)" -m elastic_reasoning.cli.main train mini-e1
"""
FOR = re.compile(r"(?:elastic|elastic_reasoning\.cli\.main) ([\w-]+)[ \\\n#]+--recipe")
FOLDERS = {"launch": "accelerate", "verl": "main_ppo"}
"""What reads the files of a folder that no command of ours does."""
WIDEST = 400
"""Characters of a description that does not go to a terminal."""


def main(argv: list[str]) -> int:
    """Run the command."""
    if argv and argv[0] in ("-h", "--help"):
        say(HELP, end="")
        raise SystemExit(0)
    if len(argv) > 1:
        raise UsageError(f"{len(argv)} names ({', '.join(argv)}): give one, or none for a list")
    if argv:
        say(recipe_path(argv[0]))
        return 0
    found = shipped()
    width = max(map(len, found))
    room = shutil.get_terminal_size().columns - width - 14 if sys.stdout.isatty() else WIDEST
    for name, path in found.items():
        text = path.read_text(encoding="utf-8")
        say(f"{name:<{width}}  {command_of(name, text):<10}  {shorten(about(text), max(20, room), placeholder=' ...')}")
    return 0


def shipped() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = Path(str(files("elastic_reasoning.recipes")))
    paths = folder.rglob("*.yaml")
    return dict(sorted((path.relative_to(folder).as_posix().removesuffix(".yaml"), path) for path in paths))


def recipe_path(given: str) -> str:
    """The file of a recipe that is given as a file or by the name of a shipped one; a file comes first.

    Raises:
        UsageError: there is neither.
    """
    if Path(given).is_file():
        return given
    known = shipped()
    if given in known:
        return str(known[given])
    name = given.removeprefix("recipes/").removesuffix(".yaml")
    if name in known:
        raise UsageError(f"no file {given}: the recipe that comes with the package is given by its name, {name}")
    if Path(given).exists():
        raise UsageError(f"recipe {given} is not a file: give a YAML file, or a name (elastic recipes lists them)")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"recipe {given!r} does not exist: {hint}give a YAML file, or a name (elastic recipes lists them)")


def command_of(name: str, text: str) -> str:
    """The command that a recipe is for, from the line that says how it is run."""
    found, within = FOR.search(text), name.partition("/")[0]
    return FOLDERS.get(within) or (found[1] if found else "")


def about(text: str) -> str:
    """The first sentence of the comment that a recipe begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("# ") or line.startswith("#  "):
            break
        lines.append(line.removeprefix("# "))
    return re.split(r"\.(?=\s+[A-Z]|$)", " ".join(lines), maxsplit=1)[0]
