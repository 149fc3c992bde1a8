"""A wheel and an sdist are told to carry all that the source holds: `pyproject.toml` beside the tree, no build."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PACKAGES = SETUPTOOLS["packages"]
PACKAGE_DATA = SETUPTOOLS["package-data"]
TOP = "elastic_reasoning"
RECIPES = f"{TOP}.recipes"  # lies beside src


def folder(package: str, root: Path = ROOT) -> Path:
    """Where a package's files lie."""
    if package == RECIPES:
        return root / SETUPTOOLS["package-dir"][RECIPES]
    return root / SETUPTOOLS["package-dir"][""] / package.replace(".", "/")


def carried(root: Path) -> set[Path]:
    """The files that a wheel gets: each package's modules, and the data that is named for it."""
    modules = {path for package in PACKAGES for path in folder(package, root).glob("*.py")}
    data = {
        path
        for package, patterns in PACKAGE_DATA.items()
        for pattern in patterns
        for path in folder(package, root).glob(pattern)
    }
    return modules | data


def left_out(root: Path) -> list[str]:
    """The files of the source that no wheel would get."""
    there = {path for place in ("src", "recipes") for path in (root / place).rglob("*") if path.is_file()}
    ours = {path for path in there if not any(part.endswith(("__pycache__", ".egg-info")) for part in path.parts)}
    return sorted(path.relative_to(root).as_posix() for path in ours - carried(root))


def test_every_file_of_the_source_is_carried():
    assert left_out(ROOT) == [], "name its folder or its kind in pyproject.toml, [tool.setuptools]"


def test_a_new_folder_and_a_new_kind_of_file_are_noticed(tmp_path):
    package = tmp_path / "src" / TOP
    (package / "fresh").mkdir(parents=True)
    for name in ("__init__.py", "fresh/__init__.py", "py.typed", "words.toml"):
        (package / name).touch()
    assert left_out(tmp_path) == [f"src/{TOP}/fresh/__init__.py", f"src/{TOP}/words.toml"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_declared_package_is_there(package):
    assert (folder(package) / "__init__.py").is_file()


@pytest.mark.parametrize(("package", "patterns"), PACKAGE_DATA.items())
def test_every_pattern_of_data_finds_something(package, patterns):
    assert package in PACKAGES
    for pattern in patterns:
        assert any(path.is_file() for path in folder(package).glob(pattern)), pattern


def test_the_sdist_is_told_of_every_file_of_the_repository():
    """`MANIFEST.in` grafts folders; what setuptools takes by itself is the licence, the README and the package."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no clone, so nothing to compare with")
    by_itself = {"LICENSE", "README.md", "MANIFEST.in", "pyproject.toml", "src", "recipes"}
    named = set((ROOT / "MANIFEST.in").read_text(encoding="utf-8").replace("graft", "").split("\n", 1)[1].split())
    top = {line.split("/")[0] for line in listed.stdout.split("\n") if line and not line.startswith(".")}
    assert top - by_itself - named == set()
