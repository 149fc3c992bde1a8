import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from elastic_reasoning.evaluation.records import Record
from elastic_reasoning.report.page import render_page, script_json, share_beginnings
from make_records import make_manifest, make_records

RECORDS = make_records(num_problems=12, num_samples=2, budgets=("8+20", "24+20"))
HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \u2028 \udc80 \" '"


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
    page = render_page(make_manifest(12), RECORDS)
    assert rebuilt(page) == {record.key: segments(record) for record in RECORDS}
    assert "This page holds" not in page


def test_what_is_left_out_is_said() -> None:
    page = render_page(make_manifest(12), RECORDS, max_problems=5)
    assert [problem["id"] for problem in data_of(page)["problems"]] == [f"chain-{n:04d}" for n in range(5)]
    assert "This page holds the first 5 of\n    12 problems" in page


def test_a_page_of_long_texts_holds_fewer_problems_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [
        replace(record, segments=[{**part, "text": f"{record.key}" + "word " * 2000} for part in record.segments])
        for record in RECORDS
    ]
    monkeypatch.setattr("elastic_reasoning.report.page.MAX_BYTES", 700_000)
    page = render_page(make_manifest(12), long)
    num_held = len(data_of(page)["problems"])
    assert 1 <= num_held < 12
    assert f"holds the first {num_held} of" in page
    assert len(page) < 900_000
    monkeypatch.setattr("elastic_reasoning.report.page.MAX_BYTES", 1)
    assert len(data_of(render_page(make_manifest(12), long))["problems"]) == 1


def test_problems_that_were_not_reached_are_not_shown() -> None:
    page = render_page(make_manifest(40), [record for record in RECORDS if record.problem == "chain-0003"])
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
    page = render_page(manifest, hostile, title=HOSTILE)
    assert not {"img"} & {tag for tag, _ in Tags(page).found}
    assert [tag for tag, _ in Tags(page).found].count("script") == 3
    assert {segment for parts in rebuilt(page).values() for *_, segment in parts} == {HOSTILE}


def test_the_page_refers_to_nothing_outside() -> None:
    page = render_page(make_manifest(12), RECORDS)
    for _, attributes in Tags(page).found:
        assert not attributes.get("src")
        assert attributes.get("href") in (None, "data:,")
    assert set(re.findall(r"https?://[^\s\"'<>`]*", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "url(" not in page
    assert "@import" not in page


def test_the_same_records_give_the_same_page() -> None:
    assert render_page(make_manifest(12), RECORDS) == render_page(make_manifest(12), list(RECORDS))


@pytest.mark.parametrize("text", ["</script>", "<!--", "a & b", "\u2028", '"', "\\", "\x00", "\udc80", "数学"])
def test_json_in_a_script_is_harmless_and_reads_back(text: str) -> None:
    written = script_json({"text": text})
    assert not set("<>&") & set(written)
    assert json.loads(written)["text"] == text
    written.encode()


def test_a_text_that_begins_another_is_stored_within_it() -> None:
    texts = ["b", "", "ab", "abc", "abd", "ab", "abcde", "a\U0001f600", "a\U0001f600z"]
    kept, place = share_beginnings(texts)
    assert sorted(kept) == ["abcde", "abd", "a\U0001f600z", "b"]
    for text in texts:
        which, units = place[text]
        utf16 = kept[which].encode("utf-16-le")[: 2 * units]
        assert utf16.decode("utf-16-le") == text
