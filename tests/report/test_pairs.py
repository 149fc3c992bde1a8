import io

import pytest
from rich.console import Console

from elastic_reasoning.analysis.compare import compare_runs, holm
from elastic_reasoning.report.pairs import p_text, pairs_of, pairs_table
from make_records import make_records

RECORDS = make_records(num_problems=10, num_samples=2, budgets=("8+20", "24+20"))


def test_pairs_differ_in_model_or_in_strategy_alone() -> None:
    pairs = pairs_of(RECORDS)
    for pair in pairs:
        differing = [n for n in ("model", "strategy", "budget") if getattr(pair.a, n) != getattr(pair.b, n)]
        assert differing in (["model"], ["strategy"])
        assert pair.a.model == "mini" if differing == ["model"] else pair.a.strategy == "elastic"
    assert len({(pair.a, pair.b) for pair in pairs}) == len(pairs) == 15


def test_p_is_corrected_for_all_pairs_together() -> None:
    pairs = pairs_of(RECORDS)
    assert [pair.p_holm for pair in pairs] == holm([pair.p_value for pair in pairs])


def test_settings_without_a_common_problem_make_no_pair() -> None:
    apart = [r for r in RECORDS if (r.model == "mini") == (r.problem < "chain-0005") and r.strategy == "elastic"]
    assert pairs_of(apart) == []
    assert pairs_of([]) == []


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_and_says_what_won(width: int) -> None:
    pairs = compare_runs(*([r for r in RECORDS if r.model == model] for model in ("mini", "mini-e1")))
    console = Console(file=io.StringIO(), width=width)
    console.print(pairs_table(pairs, width))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    pair = pairs[0]
    assert f"{100 * pair.difference:+.1f} ± " in text
    assert f"{pair.num_won}:{pair.num_lost}:{pair.num_tied}" in text
    assert "10 problems in both" in text


def test_p_is_never_shown_as_nothing() -> None:
    assert [p_text(p) for p in (None, 0.0, 0.0004, 0.04, 1.0)] == ["–", "<0.001", "<0.001", "0.040", "1.000"]
