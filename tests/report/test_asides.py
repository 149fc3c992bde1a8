"""Probes and branches in tables, in figures and on the page, in a real browser."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from browsing import card, contrast
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.report.columns import columns_of
from elastic_reasoning.report.figures.curves import curves, places_of, ticks_of
from elastic_reasoning.report.grid import accuracy_grid
from elastic_reasoning.report.page import render_page
from elastic_reasoning.report.results import Results
from elastic_reasoning.report.traces import HEAD, PART, TAIL, TRACE, embed
from make_asides import aside_records
from make_records import make_manifest

RECORDS = aside_records()
PROBED = next(record for record in RECORDS if record.strategy == "dynasor")


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page with one who is probed on the left and one who was chosen on the right; complaints fail the test."""
    path = tmp_path / "report.html"
    path.write_text(render_page(Results.of(make_manifest(4), RECORDS)), encoding="utf-8")
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{path.as_uri()}#problem=chain-0001&left=mini/dynasor&right=mini/vote")
    yield page
    assert complaints == []
    page.close()


def test_a_probe_is_a_mark_at_its_place_that_opens(page: Any) -> None:
    marks = page.locator("#left .thinking .probe")
    assert marks.count() == 2
    thinking = page.locator("#left .thinking .text")
    assert "answer" not in thinking.inner_text().split("?")[0]
    assert "probes 4, beyond the budget" in card(page, "left")
    marks.first.focus()
    page.keyboard.press("Enter")
    assert marks.first.get_attribute("aria-expanded") == "true"
    opened = page.locator("#left .asked").first
    assert opened.locator(".forced").inner_text() == "answer"
    assert opened.locator(".sampled").inner_text() == PROBED.probes[0].answered
    page.keyboard.press("Space")
    assert not opened.is_visible()
    assert page.locator("#left .branches").count() == 0


def test_branches_are_behind_buttons_with_their_ends(page: Any) -> None:
    buttons = page.locator("#right .branches button")
    assert buttons.all_inner_texts() == ["1: stopped", "2: chosen, 4", "3: finished, 4"]
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    chosen = page.locator("#right .block.solution .text").inner_text()
    others = sum(branch.num_spent_tokens for branch in RECORDS[-1].branches if not branch.is_chosen)
    assert f"other branches {others}" in card(page, "right")
    buttons.nth(0).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "1: stopped"
    assert page.locator("#right .block.solution").count() == 0
    assert "stopped" in page.locator("#right .block.thinking h4").inner_text().lower()
    buttons.nth(2).click()
    assert "4 4 four" in page.locator("#right .block.solution .text").inner_text()
    assert "thinking 6/3" in card(page, "right")
    buttons.nth(1).click()
    assert page.locator("#right .block.solution .text").inner_text() == chosen


def test_the_page_says_what_probes_are_where_there_are_any(page: Any) -> None:
    assert page.get_by_text("probed, taken back").is_visible()
    plain = [record for record in RECORDS if record.strategy == "elastic"]
    assert "probed, taken back" not in render_page(Results.of(make_manifest(4), plain))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_can_be_read_in_the_dark(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.locator("#left .probe").first.click()
    for selector in (".probe", ".asked .forced", ".asked .sampled", ".asked small", ".branches button"):
        assert contrast(page.locator(selector).first) >= 4.5


def test_tables_have_columns_for_them_where_there_are_any() -> None:
    rows = summarise(RECORDS)
    named = {column.name: column for column in columns_of(rows)}
    for row in rows:
        probes, others = (named[name].value(row) for name in ("mean_probe_tokens", "mean_branch_tokens"))
        assert probes == (0 if row.strategy in ("elastic", "unconstrained") else 4)
        assert (others > 0) == (row.strategy == "vote")
        assert row.mean_total_tokens == fmean(record.num_spent_tokens for record in row.samples)
    plain = columns_of([row for row in rows if row.strategy == "elastic"])
    assert not {"mean_probe_tokens", "mean_branch_tokens"} & {column.name for column in plain}
    about = accuracy_grid(rows, 100)[-1]
    assert "probes of dynasor" in about
    assert "beyond them" in about


def test_a_curve_with_probes_stands_beyond_its_budgets() -> None:
    rows = [row for row in summarise(RECORDS) if row.strategy in ("elastic", "dynasor")]
    drawn = curves(rows, over="total")
    by_strategy = {curve.strategy: curve for curve in drawn}
    assert [point.x for point in by_strategy["dynasor"].line] == [6 + 5 + 4]
    assert list(ticks_of(drawn, places_of(drawn), "total")) == [28, 44]
    used = {curve.strategy: curve for curve in curves(rows, over="used")}
    assert used["dynasor"].line[0].x == PROBED.num_spent_tokens


def test_the_middle_of_many_segments_is_left_out_with_its_probes() -> None:
    part, probe = PROBED.segments[0], PROBED.probes[0]
    num = 40
    thinking = [{**part, "text": f"{n:04d}".ljust(1000, "x")} for n in range(num)]
    probes = [replace(probe, position=len(part["ids"]) * (n + 1), asked=f"asked {n}") for n in range(num)]
    record = replace(PROBED, segments=[*thinking, *PROBED.segments[3:]], probes=probes)
    held = embed(make_manifest(4).problems[:1], [record], [record.setting], 1)
    (problem,) = held.problems
    trace = dict(zip(TRACE, problem["traces"][0], strict=True))
    pieces = [dict(zip(PART, piece, strict=True)) for piece in trace["parts"]]
    texts = [(piece["phase"], problem["texts"][piece["text"]][: piece["length"]]) for piece in pieces]
    shown = "".join(text for phase, text in texts if phase == "thinking")
    assert len(shown) == HEAD + TAIL
    assert (shown[:4], shown[HEAD : HEAD + 4], shown[-1000:-996]) == ("0000", "0038", "0039")
    assert [piece["omitted"] for piece in pieces if piece["omitted"]] == [1000 * num - HEAD - TAIL]
    asked = [text for phase, text in texts if phase == "probe" and text.startswith("asked")]
    assert asked == [*(f"asked {n}" for n in range(6)), "asked 37", "asked 38", "asked 39"]
    assert held.num_cut == 1
