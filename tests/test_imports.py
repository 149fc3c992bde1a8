"""Which part may lean on which, read from the source; and what an import may not bring with it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import elastic_reasoning
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.strategies import STRATEGIES

SOURCE = Path(elastic_reasoning.__file__).parent
MODULES = sorted(set(SOURCE.rglob("*.py")) - {SOURCE / "__init__.py"})  # the front door may name anything
HEAVY = ("torch", "transformers", "vllm", "trl", "matplotlib")

ROOMS = (
    "core",
    "untrusted",
    "chat",
    "engines",
    "grading",
    "tasks",
    "records",
    "analysis",
    "evaluation",
    "rollouts",
    "training",
    "planning",
    "serving",
    "integrations",
    "report",
    "miniature",
    "cli",
)
"""Every room, each of which may lean on those before it and on no other."""
DEFAULT = re.compile(rf'strategy\b.* *"{DEFAULT_STRATEGY}"', re.IGNORECASE)
LEANS_ON = {
    "integrations/sglang": ("core", "chat", "untrusted"),
    "integrations/vllm": ("core", "chat", "untrusted"),
    "integrations/edits.py": ("core",),
    "integrations/row.py": ("core",),
    "integrations/table_step.py": ("core",),
    "integrations/tables.py": ("core",),
    "integrations/walks.py": ("core", "chat"),
}
"""What runs inside someone else's process, and may not bring the rest of the house along."""


def part_of(module: str) -> str:
    """`engines` for `elastic_reasoning.engines.scripted`; the core's modules are their own parts."""
    return module.split(".")[1]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, by its full name."""
    package = [SOURCE.name, *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == SOURCE.name:
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def reversal(importer: str, target: str) -> bool:
    """Whether a room leans on one that stands behind it."""
    return ROOMS.index(target) > ROOMS.index(importer)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path: Path) -> None:
    name = path.relative_to(SOURCE).as_posix()
    room = path.relative_to(SOURCE).parts[0]
    ours = [target for target in imported(path) if target.split(".")[0] == SOURCE.name and "." in target]
    assert not [target for target in ours if reversal(room, part_of(target))]
    for place, allowed in LEANS_ON.items():
        if name.startswith(place):
            assert {part_of(target) for target in ours} <= {*allowed, room}
    if room == "core":
        foreign = {target.split(".")[0] for target in imported(path)} - {SOURCE.name}
        assert foreign <= sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_training_imports_trl(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] != "training":
        assert "trl" not in {target.split(".")[0] for target in imported(path)}


def test_every_room_has_a_rank() -> None:
    assert {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()} == set(ROOMS)


def test_what_lies_between_the_rooms_is_the_front_door_alone() -> None:
    assert [path.name for path in SOURCE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize(
    ("importer", "target", "wrong"),
    [
        ("core", "core", False),
        ("core", "engines", True),
        ("engines", "evaluation", True),
        ("evaluation", "engines", False),
        ("training", "report", True),
        ("cli", "report", False),
        ("engines", "integrations", True),
        ("rollouts", "training", True),
    ],
)
def test_a_reversal_is_recognised(importer: str, target: str, wrong: bool) -> None:
    assert reversal(importer, target) is wrong


@pytest.mark.parametrize(
    "code",
    [
        "import elastic_reasoning",
        "import runpy, sys\n"
        "sys.argv = ['elastic', '--help']\n"
        "try: runpy.run_module('elastic_reasoning.cli.main', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code",
    ],
    ids=["import", "help"],
)
def test_neither_the_import_nor_the_help_loads_what_is_heavy(code: str) -> None:
    report = f"\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_file_but_its_own_names_a_strategy() -> None:
    """The demo tells a story of some of them; the default one bears the name of the command."""
    found = set()
    for path in MODULES:
        place = path.relative_to(SOURCE).as_posix()
        if not place.startswith(("core/strategies/", "cli/demo.py")):
            text = path.read_text()
            values = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
            found |= {(place, name) for name in {*STRATEGIES} - {DEFAULT_STRATEGY} if name in values}
            found |= {(place, line.strip()) for line in text.splitlines() if DEFAULT.search(line)}
    assert found == {("core/request.py", f'DEFAULT_STRATEGY = "{DEFAULT_STRATEGY}"')}
