import pytest

from elastic_reasoning.report.published import published
from elastic_reasoning.tasks.loading import all_tasks

ALL = [series for task in all_tasks() for series in published(task)]


def test_only_tasks_that_exist_have_published_figures() -> None:
    from elastic_reasoning.report.published import _file

    assert set(_file()) <= set(all_tasks())


@pytest.mark.parametrize("series", ALL, ids=lambda series: series.name)
def test_every_series_has_a_source_and_plausible_numbers(series) -> None:  # type: ignore[no-untyped-def]
    assert "arXiv" in series.source or "model card" in series.source
    for point in series.points:
        assert (point.accuracy is None) != (point.rating is None)
        assert point.accuracy is None or 0 <= point.accuracy < 1
        assert point.tokens is None or 500 < point.tokens < 20_000
    line = [place for place, _ in series.line]
    assert line == sorted(line)


def test_a_point_stands_at_its_tokens_else_at_its_budget() -> None:
    by_name = {series.name: series for series in published("aime24")}
    assert by_name["E1-Math-1.5B"].line[0] == (1340, 0.135)
    assert by_name["E1-Math-1.5B"].stars == [(6825, 0.35)]
    assert by_name["E1-Code-14B"].line[0] == (2048, 0.179)
    assert by_name["E1-Code-14B"].stars == []
    assert by_name["L1-Max"].across == 0.271
    assert by_name["S1"].read_off


def test_a_task_of_ones_own_has_none() -> None:
    assert published("arithmetic") == ()
