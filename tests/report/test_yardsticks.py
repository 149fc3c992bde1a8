import csv
import io
from dataclasses import replace

import pytest
from rich.console import Console

from elastic_reasoning.analysis.errorbars import Estimate
from elastic_reasoning.analysis.yardsticks import Yardsticks, yardsticks
from elastic_reasoning.report.export import to_csv
from elastic_reasoning.report.yardsticks import MEASURES, TOLD, left_out, lines_of_all, names_of, yardstick_tables
from make_records import make_records

FOUND = yardsticks(make_records(6, 2, ("8+20", "24+20")))


def printed(found: list[Yardsticks], width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(*yardstick_tables(found, width), sep="\n", markup=False)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_brief_measure_is_in_the_terminal_whatever_its_width(width: int) -> None:
    text = printed(FOUND, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert all(measure.title in text for measure in MEASURES if measure.brief)
    assert "after settled" not in text
    assert "mini-e1/s1" in text


def test_of_no_ladder_nothing_is_printed() -> None:
    assert yardstick_tables([]) == []


def test_csv_has_a_line_for_each_ladder_and_for_each_of_its_budgets() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(lines_of_all(FOUND)))))
    assert [line["budget"] for line in lines] == ["", "8+20", "24+20"] * 6
    whole, first, last = lines[:3]
    assert (whole["model"], whole["strategy"], whole["solution"]) == ("mini", "elastic", "20")
    found = FOUND[0]
    assert found.area is not None
    assert (float(whole["area"]), float(whole["area_se"])) == found.area
    assert first["area"] == whole["accuracy"] == last["starved"] == ""
    assert found.steps[0].ock_score is not None
    assert (float(first["ock_score"]), float(first["ock_score_se"])) == found.steps[0].ock_score
    measured = {name for name in first if name.endswith("_se")}
    assert measured == {f"{measure.name}_se" for measure in MEASURES}


def test_a_line_stands_for_all_budgets_by_what_its_measure_is_told_of() -> None:
    found = replace(FOUND[0], starved=Estimate(0.25, 0.125))
    by_name = {measure.name: measure for measure in MEASURES}
    assert by_name["starved"].text(found) == "25.0 ± 12.5%"
    assert by_name["ock_score"].of(found) == found.steps[-1].ock_score
    assert by_name["starved"].text(found.steps[-1]) == "–"
    assert by_name["area"].text(replace(found, area=None)) == "–"
    assert {measure.told for measure in MEASURES} == {*TOLD, "each"}


def test_s_is_named_where_there_are_several_and_what_is_left_out_is_said() -> None:
    found = [FOUND[0], replace(FOUND[0], solution="40", num_left_out=3, num_unshared=1200)]
    assert names_of(found) == ["mini/elastic/s=20", "mini/elastic/s=40"]
    assert names_of(FOUND)[0] == "mini/elastic"
    assert [line.partition(" samples")[0] for line in left_out(found)] == ["3", "1,200"]
    assert left_out(FOUND) == []
