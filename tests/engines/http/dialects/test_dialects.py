"""A dialect is one file: found by lying in the folder, and named nowhere else."""

import ast
from pathlib import Path
from typing import Any

import pytest

import elastic_reasoning
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.engines.http import dialects
from elastic_reasoning.engines.http.dialects import all_dialects, find_dialect
from fake_servers import FakeModel, fake_sglang, serving
from letters import letters

SOURCE = Path(elastic_reasoning.__file__).parent
ENGINES = {"vllm", "openai"}
"""Names that engines bear too."""
MINE = """
from dataclasses import replace

from elastic_reasoning.engines.http.dialects.dialect import Introduction, told
from elastic_reasoning.engines.http.dialects.sglang import DIALECT as SGLANG


async def recognise(server, context):
    return Introduction(context, "mine 1.0") if await told(server, "/get_server_info", dict) else None


DIALECT = replace(SGLANG, name="mine", recognise=recognise, native_budget="none")
"""


def test_all_of_them_are_found_and_what_answers_in_text_is_tried_last() -> None:
    assert [dialect.name for dialect in all_dialects()] == ["llama.cpp", "sglang", "vllm", "openai"]
    with pytest.raises(UsageError, match="unknown dialect 'sglan': did you mean 'sglang'"):
        find_dialect("sglan")


def test_a_file_of_ones_own_is_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_engine: Any) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setattr(dialects, "__path__", [*dialects.__path__, str(tmp_path)])
    model = FakeModel(letters())
    with serving(lambda: fake_sglang(model)) as server:
        found = new_engine(model.template, server.url).capabilities
        assert (found.dialect, found.version) == ("mine", "mine 1.0")
        assert new_engine(model.template, server.url, dialect="sglang").capabilities.dialect == "sglang"


def test_no_other_file_names_one() -> None:
    names = {dialect.name for dialect in all_dialects()}
    found = set()
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        if not place.startswith("engines/http/dialects/"):
            theirs = names if place.startswith("engines/http/") or place == "cli/doctor.py" else names - ENGINES
            nodes = ast.walk(ast.parse(path.read_text()))
            found |= {(place, node.value) for node in nodes if isinstance(node, ast.Constant) and node.value in theirs}
    assert not found
