import json
from dataclasses import replace

import pytest

from elastic_reasoning.records.record import Record
from elastic_reasoning.report.traces import HEAD, PART, TAIL, embed, script_json, share_beginnings
from make_records import make_manifest, make_records

RECORDS = make_records(num_problems=12, num_samples=4, budgets=("8+20",))
SETTINGS = list(dict.fromkeys(record.setting for record in RECORDS))
ASKED = make_manifest(12).problems


def long(num_characters: int) -> list[Record]:
    """The records, with thoughts that differ and are so long."""
    return [
        replace(r, segments=[{**part, "text": f"{r.key}".ljust(num_characters, "x") + "end"} for part in r.segments])
        for r in RECORDS
    ]


def test_the_middle_of_a_long_text_is_left_out() -> None:
    held = embed(ASKED[:1], long(30_000), SETTINGS, 1)
    (problem,) = held.problems
    first, second = (dict(zip(PART, part, strict=True)) for part in problem["traces"][0][-1][:2])
    texts = [problem["texts"][part["text"]][: part["length"]] for part in (first, second)]
    assert [len(text) for text in texts] == [HEAD, TAIL]
    assert texts[0].startswith("('mini'")
    assert texts[1].endswith("xend")
    assert (first["omitted"], second["omitted"]) == (0, 30_003 - HEAD - TAIL)
    assert (first["finish"], second["finish"]) == (None, "length")
    assert held.num_cut == sum(len(record.segments) for record in RECORDS if record.problem == ASKED[0]["id"])


def test_a_text_that_fits_is_whole() -> None:
    held = embed(ASKED, long(HEAD + TAIL - 3), SETTINGS, 12)
    assert held.num_cut == 0


def test_samples_go_before_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    records = long(3000)
    assert embed(ASKED, records, SETTINGS, 12).num_samples == (4, 4)
    monkeypatch.setattr("elastic_reasoning.report.traces.MAX_BYTES", 700_000)
    held = embed(ASKED, records, SETTINGS, 12)
    assert held.num_samples == (2, 4)
    assert held.num_left_out == 0
    assert {trace[1] for problem in held.problems for trace in problem["traces"]} == {0, 1}
    monkeypatch.setattr("elastic_reasoning.report.traces.MAX_BYTES", 1)
    assert len(embed(ASKED, records, SETTINGS, 12).problems) == 1


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
