import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.page import render_page
from elastic_reasoning.report.results import Results
from make_records import make_manifest, make_records

RECORDS = make_records(num_problems=12, num_samples=2, budgets=("8+20", "24+20"))
HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \u2028 \udc80 \" '"


def page_of(manifest: Manifest, records: list[Record], **options: Any) -> str:
    return render_page(Results.of(manifest, records), **options)


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def rebuilt(page: str) -> dict[tuple[str, str, str, str, int], list[tuple[str, bool, str | None, str]]]:
    """The segments of every trace that a page holds."""
    data = data_of(page)
    traces = {}
    for problem in data["problems"]:
        for values in problem["traces"]:
            trace = dict(zip(data["trace"], values, strict=True))
            setting = data["settings"][trace["setting"]]
            key = (setting["model"], setting["strategy"], setting["budget"], problem["id"], trace["sample"])
            parts = [dict(zip(data["part"], part, strict=True)) for part in trace["parts"]]
            traces[key] = [
                (p["phase"], p["sampled"], p["finish"], problem["texts"][p["text"]][: p["length"]]) for p in parts
            ]
    return traces


def segments(record: Record) -> list[tuple[str, bool, str | None, str]]:
    return [(part["phase"], part["sampled"], part["finish"], part["text"]) for part in record.segments]


def test_the_page_holds_every_trace_as_it_was() -> None:
    page = page_of(make_manifest(12), RECORDS)
    assert rebuilt(page) == {record.key: segments(record) for record in RECORDS}
    assert "This page holds" not in page


def test_what_is_left_out_is_said() -> None:
    page = page_of(make_manifest(12), RECORDS, max_problems=5)
    assert [problem["id"] for problem in data_of(page)["problems"]] == [f"chain-{n:04d}" for n in range(5)]
    assert "This page holds the first 5 of\n    12 problems" in page


def test_a_page_of_long_texts_holds_less_and_says_so(benchmark_run: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elastic_reasoning.report.traces.MAX_BYTES", 100_000)
    page = render_page(benchmark_run)
    num_held = len(data_of(page)["problems"])
    assert num_held < 4
    assert f"holds the first {num_held} of" in page
    assert "Of each problem it holds the first 1 of 3 samples" in page
    assert re.search(r"The middle of [\d,]+ long texts is left out", page)
    assert len(page) < 500_000


def test_problems_that_were_not_reached_are_not_shown() -> None:
    page = page_of(make_manifest(40), [record for record in RECORDS if record.problem == "chain-0003"])
    assert [problem["id"] for problem in data_of(page)["problems"]] == ["chain-0003"]
    assert "This page holds" not in page


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_hostile_text_adds_no_element() -> None:
    hostile = [
        replace(
            record,
            answer=HOSTILE,
            reason=HOSTILE,
            model=HOSTILE,
            segments=[{**part, "text": HOSTILE} for part in record.segments],
        )
        for record in RECORDS
    ]
    manifest = make_manifest(12)
    manifest = replace(
        manifest,
        task=HOSTILE,
        config={"note": HOSTILE},
        problems=[{**problem, "question": HOSTILE, "answer": HOSTILE} for problem in manifest.problems],
    )
    page = page_of(manifest, hostile, title=HOSTILE)
    assert not {"img"} & {tag for tag, _ in Tags(page).found}
    assert [tag for tag, _ in Tags(page).found].count("script") == 7
    assert {segment for parts in rebuilt(page).values() for *_, segment in parts} == {HOSTILE}


def test_names_and_titles_turn_no_direction_and_obey_nothing() -> None:
    bad = "\x1b]0;x \u202eover \x9b"
    page = page_of(make_manifest(12), [replace(record, model=bad) for record in RECORDS], title=bad)
    outside_of_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not {"\x1b", "\u202e", "\x9b"} & set(outside_of_scripts)
    assert "\\x1b]0;x \\u202eover \\x9b" in outside_of_scripts


def test_the_page_refers_to_nothing_outside() -> None:
    page = page_of(make_manifest(12), RECORDS)
    for _, attributes in Tags(page).found:
        assert not attributes.get("src")
        assert attributes.get("href") in (None, "data:,")
    assert set(re.findall(r"https?://[^\s\"'<>`]*", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "url(" not in page
    assert "@import" not in page


def test_the_same_records_give_the_same_page() -> None:
    assert page_of(make_manifest(12), RECORDS) == page_of(make_manifest(12), list(RECORDS))


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page, re.S)
    return found[0] if found else ""


def test_what_papers_print_is_named_with_its_source_or_left_out(benchmark_run: Results) -> None:
    page = render_page(benchmark_run)
    used = next(chart for chart in data_of(page)["charts"] if chart["id"] == "used")
    assert [series["name"] for series in used["published"]][:2] == ["DeepScaleR-1.5B, separate budgets", "E1-Math-1.5B"]
    assert "1,340 tokens" in section(page, "accuracy")
    assert "read off a plot; Xu et al. 2025" in section(page, "accuracy")
    page = render_page(benchmark_run, overlay=False)
    assert all(chart["published"] == [] for chart in data_of(page)["charts"])
    assert "Xu et al." not in page


def test_the_heat_map_has_a_cell_for_what_was_run(benchmark_run: Results) -> None:
    heat = section(render_page(benchmark_run), "heat")
    assert heat.count("data-setting=") == 2 * 8
    assert heat.count("<td></td>") == 2 * (6 * 3 - 8)
    assert [re.sub(r"<.*?>", "", head) for head in re.findall(r'<th scope="col" class="number">.*?</th>', heat)][
        :6
    ] == [*("0", "512", "1K", "1.75K", "2K", "3K")]
    assert section(page_of(make_manifest(12), RECORDS), "heat") == ""  # one solution budget


def test_pairs_are_models_against_the_first_and_strategies_against_separate_budgets() -> None:
    results = Results.of(make_manifest(12), RECORDS)
    page = render_page(results)
    assert section(page, "pairs").count("data-pair=") == len(results.pairs) == 2 * 3 + 1 + 2 * 2 * 2
    assert section(page_of(make_manifest(12), [r for r in RECORDS if r.key[:2] == ("mini", "s1")]), "pairs") == ""


def test_a_run_of_errors_alone_has_a_page() -> None:
    failed = [replace(r, error="no room", correct=None, answer=None, segments=[], num_reused_tokens=0) for r in RECORDS]
    assert "no room" in page_of(make_manifest(12), failed)


def test_what_was_added_later_is_told() -> None:
    added = {"budgets": ["8+20", "24+20"], "problems": 12}
    growth: Any = {"created": "2025-01-02T00:00:00+00:00", "added": added, "versions": {}, "commit": None}
    page = page_of(replace(make_manifest(12), grown=[growth]), RECORDS)
    assert "<dt>added 2025-01-02T00:00:00+00:00</dt><dd>budgets 8+20, 24+20; problems 12</dd>" in page


def test_what_strategies_were_told_is_said_beside_what_they_do() -> None:
    told = {"s1": {"answer_tokens": 2, "wait": ""}, "elastic": {"grace": 0, "soft_landing": 0, "landing_peak": 10}}
    manifest = replace(make_manifest(12), config={**make_manifest().config, "options": told})
    page = page_of(manifest, RECORDS)
    assert "<b>elastic</b>: separate budgets; " in page
    assert "<b>s1</b>: budget forcing (answer_tokens 2); " in page
    told["elastic"]["soft_landing"] = 4
    page = page_of(replace(manifest, config={**manifest.config, "options": told}), RECORDS)
    assert "<b>elastic</b>: separate budgets (soft_landing 4, landing_peak 10); " in page


def test_yardsticks_stand_for_each_curve_and_for_each_of_its_budgets() -> None:
    hostile = f"mini{HOSTILE}"
    section = page_of(
        make_manifest(12), [replace(record, model=hostile) for record in RECORDS if record.model == "mini"]
    )
    section = section.partition('<section id="yardsticks">')[2].partition("</section>")[0]
    assert section.count("<caption>") == 3
    assert section.count('<th scope="row">24+20</th>') == 3
    for words in ("REG", "OckScore", "at the largest budget", "mean over the budgets"):
        assert words in section
    assert "<script>" not in section
    alone = page_of(make_manifest(12), [record for record in RECORDS if record.budget == "24+20"])
    assert 'id="yardsticks"' not in alone
