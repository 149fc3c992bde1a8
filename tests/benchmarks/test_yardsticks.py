import miniature_tables

from elastic_reasoning.analysis.yardsticks import yardsticks
from elastic_reasoning.report.yardsticks import numbers_of
from make_records import make_records


def test_the_table_of_the_docs_has_every_budget_of_every_model() -> None:
    found = yardsticks(make_records(6, 2, ("8+20", "24+20"), strategies=["elastic"]))
    made = miniature_tables.yardsticks(
        {
            "yardsticks": [numbers_of(each) for each in found],
            "num_samples_each": 2,
            "date": "2026-01-01",
            "machine": {"processor": "x", "cores": 2, "threads": 1},
            "versions": {"torch": "1", "transformers": "2"},
        }
    )
    rows = [line.split(" | ") for line in made.splitlines() if line.startswith("| mini")]
    assert [row[:2] for row in rows] == [[f"| {model}", b] for model in ("mini", "mini-e1") for b in ("8+20", "24+20")]
    assert [row[5] for row in rows] == [rows[0][5], "–", rows[2][5], "–"]  # starved needs a next budget
    assert "6 problems, 2 samples each. 2026-01-01" in made
