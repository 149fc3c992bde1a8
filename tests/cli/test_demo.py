"""`elastic demo`, on a few problems."""

import json

import pytest

from elastic_reasoning.cli.main import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--limit", "6", "--out", str(out)]) == 0
    return out


def test_it_writes_a_page_a_figure_and_records(demo):
    assert (demo / "report.html").stat().st_size > 10_000
    assert (demo / "accuracy.png").exists()
    lines = (demo / "records" / "records/main.jsonl").read_text().splitlines()
    assert len(lines) == 2 * (3 * 8 + 1) * 6


def test_a_second_time_it_shows_what_is_there(demo, capsys):
    assert main(["demo", "--limit", "6", "--out", str(demo)]) == 0
    shown = capsys.readouterr().out
    assert "mini-e1/elastic" in shown
    assert "where it was trained" in shown
    assert "fewer than the base's" in shown


def test_the_table_as_json(demo, capsys):
    assert main(["demo", "--limit", "6", "--out", str(demo), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["strategy"] for row in rows} == {"elastic", "s1", "vanilla", "unconstrained"}
    assert {row["model"] for row in rows} == {"mini", "mini-e1"}


def test_one_problem_is_too_few(capsys, tmp_path):
    assert main(["demo", "--limit", "1", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("elastic: error: limit 1")
