"""A file in parts comes back byte for byte, or not at all."""

import random
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "file_parts.py"
file_parts = runpy.run_path(str(SCRIPT))
MIB = 2**20


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A file of two and a half MiB in three parts."""
    (tmp_path / "model.gguf").write_bytes(random.Random(0).randbytes(5 * MIB // 2))
    assert file_parts["main"](["split", str(tmp_path / "model.gguf"), str(tmp_path / "parts"), "--mib", "1"]) == 0
    return tmp_path / "parts" / "model.gguf.parts"


def test_the_parts_make_the_file_again(listed: Path, tmp_path: Path) -> None:
    sizes = [path.stat().st_size for path in sorted(listed.parent.glob("model.gguf.[0-9]"))]
    assert sizes == [MIB, MIB, MIB // 2]
    assert file_parts["main"](["join", str(listed), str(tmp_path / "joined")]) == 0
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "model.gguf").read_bytes()


def test_a_part_that_is_missing_or_damaged_is_named(listed: Path, tmp_path: Path) -> None:
    second = listed.with_name("model.gguf.2")
    content = second.read_bytes()
    second.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(SystemExit, match=r"model.gguf.2 has 1,048,576 of 1,048,576 bytes, or others: bring it again"):
        file_parts["join"](listed, tmp_path / "joined")
    second.write_bytes(content[:100])
    with pytest.raises(SystemExit, match=r"has 100 of 1,048,576 bytes"):
        file_parts["join"](listed, tmp_path / "joined")
    second.unlink()
    with pytest.raises(SystemExit, match=r"model.gguf.2 is not there"):
        file_parts["join"](listed, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_a_part_of_no_size_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        file_parts["main"](["split", str(SCRIPT), str(tmp_path), "--mib", "0"])
    assert "--mib 0: must be 1 or more" in capsys.readouterr().err
