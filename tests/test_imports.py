"""Which part may lean on which, read from the source; and what an import may not bring with it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import elastic_reasoning

SOURCE = Path(elastic_reasoning.__file__).parent
MODULES = sorted(set(SOURCE.rglob("*.py")) - {SOURCE / "__init__.py"})  # the front door may name anything
HEAVY = ("torch", "transformers", "vllm", "trl", "matplotlib")

CORE = 0
LAYERS = {
    "untrusted": 1,
    "engines": 1,
    "tasks": 1,
    "grading": 1,
    "evaluation": 2,
    "training": 2,
    "miniature": 2,
    "report": 3,
    "cli": 4,
}
ON_THE_CORE_ALONE = "integrations"
STANDS_WITH = {"integrations/lm_eval.py": "evaluation"}
"""An integration that opens engines of ours. The others are loaded by engines, and lean on the core alone."""


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
    """Whether a part of the house leans on one that stands above it."""
    if importer == target:
        return False
    if ON_THE_CORE_ALONE in (importer, target):
        return target in LAYERS or importer not in ("cli", ON_THE_CORE_ALONE)
    return LAYERS.get(target, CORE) > LAYERS.get(importer, CORE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path: Path) -> None:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    own = [target for target in imported(path) if target.split(".")[0] == SOURCE.name and "." in target]
    importers = {parts[0], STANDS_WITH.get(path.relative_to(SOURCE).as_posix(), parts[0])}
    reversed_imports = [target for target in own if all(reversal(importer, part_of(target)) for importer in importers)]
    assert not reversed_imports
    if parts[0] not in (*LAYERS, ON_THE_CORE_ALONE):
        foreign = {target.split(".")[0] for target in imported(path)} - {SOURCE.name}
        assert foreign <= sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_training_imports_trl(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] != "training":
        assert "trl" not in {target.split(".")[0] for target in imported(path)}


def test_every_part_has_a_layer() -> None:
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert packages <= {*LAYERS, ON_THE_CORE_ALONE}


@pytest.mark.parametrize(
    ("importer", "target", "wrong"),
    [
        ("cursor", "walk", False),
        ("cursor", "engines", True),
        ("engines", "evaluation", True),
        ("evaluation", "engines", False),
        ("training", "report", True),
        ("cli", "report", False),
        ("integrations", "cursor", False),
        ("integrations", "engines", True),
        ("engines", "integrations", True),
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
