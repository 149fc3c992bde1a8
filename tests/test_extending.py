"""Everything that docs/extending.md adds works as it stands: its files are written, its commands and its Python run.

What belongs inside the package is added to a copy of it. All of it runs in one process, where torch is imported once.
"""

import ast
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import elastic_reasoning
from elastic_reasoning.engines.loading import load_template
from fake_servers import FakeModel, models, serving

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
PACKAGE = Path(elastic_reasoning.__file__).parent
FILE = re.compile(r"# ((?:[\w-]+/)*[\w-]+\.(?:py|yaml))(?:, in (\w+))?\n")
ANSWERS = "http://127.0.0.1:8000"
"""What the page calls a server of the reader."""


@dataclass
class Section:
    """What a section of the page adds, and what it runs."""

    files: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, what of the file is added to ("" for a new file), text."""
    steps: list[tuple[str, str]] = field(default_factory=list)


def sections() -> dict[str, Section]:
    found: dict[str, Section] = defaultdict(Section)
    for part in PAGE.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        for language, code in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            head = FILE.match(code)
            if head:
                found[title].files.append((head[1], head[2] or "", code[head.end() :]))
            elif language == "python":
                found[title].steps.append(("python", code))
            else:
                lines = code.replace("\\\n", " ").splitlines()
                found[title].steps += [("elastic", line.removeprefix("elastic ")) for line in lines]
    return dict(found)


SECTIONS = sections()


def add(path: Path, place: str, text: str) -> None:
    """Write a file, or add to what it calls `place`: to the fields of a class, or before the end of a table."""
    if not place:
        path.write_text(text, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for node in ast.parse("".join(lines)).body:
        if isinstance(node, ast.ClassDef) and node.name == place:
            last = max(n for n, child in enumerate(node.body) if isinstance(child, ast.AnnAssign | ast.Expr))
            lines.insert(node.body[last].end_lineno or 0, text)
            break
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == place:
            assert node.end_lineno is not None
            lines.insert(node.end_lineno - 1, text)
            break
    else:
        raise AssertionError(f"{path.name} has no {place}")
    path.write_text("".join(lines), encoding="utf-8")


def tokens_server(model: FakeModel) -> web.Application:
    """The server of the section on dialects."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        ids, why = model.write(body["ids"], body["num"] or 8, body["stop"], set())
        return web.json_response({"ids": ids, "ended_by": "length" if why == "length" else "stop"})

    app = web.Application()
    app.router.add_get("/v1/models", models(model))
    app.router.add_post("/tokens", answer)
    return app


def muse(folder: Path) -> None:
    """The miniature, with other delimiters."""
    shutil.copytree(PACKAGE / "miniature" / "models" / "mini", folder)
    for path in folder.glob("*.j*"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("<think>", "<|muse|>").replace("</think>", "<|reply|>"), encoding="utf-8")


@dataclass
class Done:
    """What came of the page."""

    folder: Path
    results: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder, source = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("source")
    package = source / "src" / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "recipes", package / "recipes", ignore=shutil.ignore_patterns("__pycache__"))
    for section in SECTIONS.values():
        for path, place, text in section.files:
            within = path.replace("recipes/", f"src/{PACKAGE.name}/recipes/")
            add((source if within.startswith("src/") else folder) / within, place, text)
    muse(folder / "muse")
    (folder / "rows.jsonl").write_text('{"problem": "What is 2 + 3?", "answer": "5"}\n')
    model = FakeModel(load_template("mini-e1")[1], context=128, ends_in_thinking=False, name="mini-e1")
    with serving(lambda: tokens_server(model)) as server:
        base = server.url.removesuffix("/v1")
        steps = [(kind, text.replace(ANSWERS, base)) for each in SECTIONS.values() for kind, text in each.steps]
        (source / "steps.json").write_text(json.dumps(steps))
        command = [sys.executable, str(ROOT / "tests" / "run_steps.py"), "steps.json", "results.json"]
        command[2:] = [str(source / name) for name in command[2:]]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{source / 'src'}{os.pathsep}{folder}",
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
        }
        subprocess.run(command, cwd=folder, env=environment, check=True)
    results = iter(json.loads((source / "results.json").read_text()))
    return Done(folder, {title: [next(results) for _ in section.steps] for title, section in SECTIONS.items()})


@pytest.mark.parametrize("title", SECTIONS)
def test_what_a_section_shows_runs(title: str, done: Done) -> None:
    for (_, text), result in zip(SECTIONS[title].steps, done.results[title], strict=True):
        assert result["status"] == 0, f"{text}\n{result['output']}"


@pytest.mark.parametrize("title", SECTIONS)
def test_an_addition_is_one_file(title: str) -> None:
    assert len({path for path, _, _ in SECTIONS[title].files if not path.startswith("recipes/")}) == 1


def output(done: Done, title: str) -> str:
    return "\n".join(str(result["output"]) for result in done.results[title])


def test_a_strategy_is_told_of_its_options_and_has_its_label(done: Done) -> None:
    generated, swept = (str(result["output"]) for result in done.results["A strategy"])
    assert "halves" in generated
    assert "two halves" in swept
    lines = (done.folder / "runs/halves/records/main.jsonl").read_text().splitlines()
    assert {json.loads(line)["strategy"] for line in lines} == {"elastic", "halves"}


def test_a_benchmark_is_measured(done: Done) -> None:
    lines = (done.folder / "runs/parity/records/main.jsonl").read_text().splitlines()
    assert {json.loads(line)["problem"] for line in lines} == {"parity-1100", "parity-1101"}
    assert output(done, "A benchmark").startswith("True\n")


def test_a_benchmark_of_the_package_is_measured_by_its_recipe(done: Done) -> None:
    manifest = json.loads((done.folder / "runs/hmmt25/manifest.json").read_text())
    assert manifest["task"] == "hmmt25"
    assert manifest["config"]["strategies"] == ["elastic", "vanilla"]


def test_an_engine_keeps_its_budgets(done: Done) -> None:
    generated, measured, in_python = (str(result["output"]) for result in done.results["An engine"])
    assert "draws every id alike" in generated
    assert "draws every id alike" in measured
    thinking, solution = map(int, in_python.split())
    assert 0 <= thinking <= 8
    assert 0 < solution <= 4


def test_markers_are_found_and_forced(done: Done) -> None:
    assert "opening='<|muse|>'" in output(done, "A family's markers")


def test_a_dialect_is_found_and_measured_with(done: Done) -> None:
    text = output(done, "A server's dialect")
    assert re.search(r"^server +\S+ \(tokens\)$", text, re.MULTILINE)
    manifest = json.loads((done.folder / "runs/tokens/manifest.json").read_text())
    assert manifest["task"] == "arithmetic"


def test_a_flag_has_its_help_and_stands_in_the_manifest(done: Done) -> None:
    help_text = " ".join(str(done.results["A flag"][0]["output"]).split())
    assert "--label TEXT Words that keep this run apart from others with the same settings" in help_text
    assert json.loads((done.folder / "runs/label/manifest.json").read_text())["config"]["label"] == "first try"


def test_a_column_is_shown_and_exported(done: Done) -> None:
    report = done.folder / "runs/label/report"
    [row] = csv.DictReader((report / "results.csv").read_text().splitlines())
    assert "tokens_per_right_answer" in row
    assert float(row["mean_forced_tokens"]) > 0
    assert "tokens that were forced, mean" in (report / "report.html").read_text()
