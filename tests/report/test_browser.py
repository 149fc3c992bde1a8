"""The page in a real browser."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browsing import card, choose, contrast
from elastic_reasoning.report.page import render_page
from elastic_reasoning.report.published import published
from elastic_reasoning.report.report import write_report
from elastic_reasoning.report.results import Results
from make_records import BASE, TRAINED, make_manifest, make_records, write_folder

HOSTILE = '</script><img src="x" onerror="window.hacked = true"><script>window.hacked = true</script>'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which the first problem holds hostile text and an error."""
    folder = tmp_path_factory.mktemp("report")
    records = make_records(num_problems=12, num_samples=2, budgets=("8+20", "24+20", "64+20"))
    changed = []
    for record in records:
        if record.problem == "chain-0000" and record.model == BASE:
            record = replace(record, answer=HOSTILE, segments=[{**p, "text": HOSTILE} for p in record.segments])
        if record.problem == "chain-0002":
            flags = {"unboxed": True, "escaped": True, "solution_cut": True, "closed_again": 3, "tool_cut": True}
            record = replace(record, **flags)
        if record.key[:4] == (TRAINED, "elastic", "24+20", "chain-0001"):
            record = replace(record, error="the prompt is too long", correct=None, answer=None, segments=[])
        changed.append(record)
    manifest = replace(make_manifest(12), task=HOSTILE, config={"note": HOSTILE})
    write_folder(folder / "run", changed, manifest)
    return write_report(folder / "run", folder / "out", max_problems=10, trained_at="24+20")["page"]


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report, opened; whatever it asks for or complains about fails the test."""
    page = browser.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    yield page
    assert complaints == []
    assert [url for url in asked if not url.startswith((report.as_uri(), "data:"))] == []
    page.close()


def test_a_click_shows_both_models_side_by_side(page: Any) -> None:
    choose(page, "chain-0003")
    left, right = page.locator("#left"), page.locator("#right")
    assert page.locator("#left-arm").input_value() == "mini/elastic"
    assert page.locator("#right-arm").input_value() == "mini-e1/elastic"
    for side in (left, right):
        assert side.locator(".block.thinking .text").inner_text().startswith("b +")
        assert side.locator(".block.thinking .forced").inner_text() == "</think>"
        assert side.locator(".block.solution .text").inner_text().startswith("answer")
        assert side.locator(".badge").inner_text() in ("✓ right", "✗ wrong")
    assert "thinking 24/24 solution 3/20 forced 1" in card(page, "left")
    boxes = [side.bounding_box() for side in (left, right)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert "reference answer:" in page.locator("#question").inner_text()


def test_budget_strategy_and_sample_can_be_chosen(page: Any) -> None:
    choose(page, "chain-0003")
    page.locator("#budgets button", has_text="8+20").first.click()
    assert "thinking 8/8" in card(page, "left")
    page.locator("#left-arm").select_option("mini/vanilla")
    assert "in all 28/28" in card(page, "left")
    page.locator("#right-arm").select_option("mini-e1/unconstrained")
    assert "closed by the model" in card(page, "right")
    before = card(page, "left")
    page.locator("#samples button", has_text="2").click()
    assert card(page, "left") != before


def test_each_side_has_a_budget_of_its_own(page: Any, browser: Any) -> None:
    choose(page, "chain-0003")
    page.locator("#right-arm").select_option("mini/elastic")
    page.locator("#right-budget").select_option("64+20")
    assert "thinking 24/24" in card(page, "left")
    assert "/64" in card(page, "right")
    assert page.locator("#budgets [aria-pressed=true]").count() == 0
    other = browser.new_page()
    other.goto(page.url)
    assert [card(other, side) for side in ("left", "right")] == [card(page, side) for side in ("left", "right")]
    other.close()
    page.locator("#budgets button", has_text="8+20").first.click()
    assert [page.locator(f"#{side}-budget").input_value() for side in ("left", "right")] == ["8+20", "8+20"]


def test_keys_move_through_problems_and_budgets(page: Any) -> None:
    choose(page, "chain-0003")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert page.locator("#list [aria-current=true] .id").inner_text() == "chain-0004"
    assert page.locator("#budgets [aria-pressed=true]").inner_text() == "64+20"
    page.keyboard.press("/")
    page.keyboard.type("chain-0007")
    assert page.locator("#list button").count() == 1


def scrolled(page: Any) -> float:
    return page.evaluate("window.scrollY")


def in_view(page: Any, selector: str) -> bool:
    box = page.locator(selector).bounding_box()
    return 0 <= box["y"] < page.viewport_size["height"]


@pytest.mark.parametrize("size", [(1280, 800), (1280, 400), (360, 740)])
def test_the_page_opens_at_its_top_and_knows_its_keys_at_once(browser: Any, report: Path, size: tuple) -> None:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(report.as_uri())
    page.wait_for_timeout(200)
    assert scrolled(page) == 0
    assert in_view(page, "h1")
    page.keyboard.press("ArrowDown")
    assert page.locator("#list [aria-current=true] .id").inner_text() == "chain-0001"
    for _ in range(50):  # it scrolls there smoothly
        if in_view(page, "#traces"):
            break
        page.wait_for_timeout(100)
    assert in_view(page, "#traces")
    page.keyboard.press("j")
    assert page.locator("#list [aria-current=true] .id").inner_text() == "chain-0002"
    page.keyboard.press("ArrowRight")
    assert page.locator("#budgets [aria-pressed=true]").inner_text() == "64+20"
    page.keyboard.press("/")
    page.keyboard.type("chain-0007")
    assert page.locator("#list button").count() == 1
    page.close()


def test_the_list_keeps_its_entry_in_view_and_the_page_where_it_is(page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    page.locator("#traces").scroll_into_view_if_needed()
    before = scrolled(page)
    for _ in range(9):
        page.keyboard.press("j")
    assert page.locator("#list [aria-current=true] .id").inner_text() == "chain-0009"
    assert scrolled(page) == before
    assert page.evaluate(
        """() => {
          const boxOf = (selector) => document.querySelector(selector).getBoundingClientRect();
          const [list, entry] = [boxOf("#list"), boxOf("#list [aria-current=true]")];
          return entry.top >= list.top - 1 && entry.bottom <= list.bottom + 1;
        }"""
    )


def test_what_has_keys_of_its_own_keeps_them(page: Any) -> None:
    first = page.locator("#list [aria-current=true] .id").inner_text()
    page.locator("#left-arm").focus()
    page.keyboard.press("ArrowDown")
    page.locator("#left .block.thinking .text").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Control+j")
    page.locator("#chart .hit").first.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#list [aria-current=true] .id").inner_text() == first
    assert page.locator("#budgets [aria-pressed=true]").inner_text() == "24+20"


def test_no_number_is_broken_on_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    broken = page.evaluate(
        """() => {
          const texts = [];
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            if (node.parentElement.closest("script, .text, .question, .said, pre, #list, dl, noscript")) continue;
            for (const found of node.data.matchAll(/[+−-]?[0-9][0-9.,]*/g)) {
              const range = document.createRange();
              range.setStart(node, found.index);
              range.setEnd(node, found.index + found[0].length);
              if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) texts.push(found[0]);
            }
          }
          return texts;
        }"""
    )
    assert broken == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_address_leads_back_to_what_was_seen(page: Any, browser: Any) -> None:
    choose(page, "chain-0005")
    page.locator("#budgets button", has_text="64+20").click()
    page.locator("#right-arm").select_option("mini/s1")
    other = browser.new_page()
    other.goto(page.url)
    assert other.locator("#list [aria-current=true] .id").inner_text() == "chain-0005"
    assert card(other, "right") == card(page, "right")
    assert other.locator("#budgets [aria-pressed=true]").inner_text() == "64+20"
    other.close()


def test_an_address_that_means_nothing_is_the_start(browser: Any, report: Path) -> None:
    page = browser.new_page()
    page.goto(f"{report.as_uri()}#problem=none&budget=x&left=__proto__&filter=constructor&sample=-1")
    assert page.locator("#list [aria-current=true] .id").inner_text() == "chain-0000"
    assert page.locator("#left .badge").count() == 1
    page.close()


@pytest.mark.parametrize(("outcome", "marks"), [("gained", "✗ ✓"), ("both-right", "✓ ✓"), ("both-wrong", "✗ ✗")])
def test_outcomes_can_be_filtered(page: Any, outcome: str, marks: str) -> None:
    option = page.locator(f"#filter option[value={outcome}]").inner_text()
    page.locator("#filter").select_option(outcome)
    buttons = page.locator("#list button")
    assert buttons.count() == int(re.findall(r"\((\d+)\)", option)[0])
    for n in range(buttons.count()):
        assert "".join(buttons.nth(n).locator(".mark").all_text_contents()).strip() == marks


def test_names_of_outcomes_say_which_model(page: Any) -> None:
    assert "mini wrong → mini-e1 right" in page.locator("#filter").inner_text()


def test_an_error_is_neither_right_nor_wrong(page: Any) -> None:
    choose(page, "chain-0001")
    assert "! error the prompt is too long" in card(page, "right")
    page.locator("#filter").select_option("error")
    assert page.locator("#list button").count() == 1


@pytest.mark.parametrize(
    ("outcome", "holds"),
    [
        ("right", "✓ right"),
        ("wrong", "✗ wrong"),
        ("no-answer", "no answer"),
        ("forced", "delimiter forced"),
        ("unboxed", "no box"),
        ("cut", "solution cut"),
        ("escaped", "thought again in the solution"),
        ("closed-again", "closed again in the solution"),
        ("tool-cut", "tool call cut"),
        ("error", "! error"),
    ],
)
def test_problems_are_found_by_what_came_out_on_either_side(page: Any, outcome: str, holds: str) -> None:
    page.locator("#left-arm").select_option("mini/vanilla")
    page.locator("#filter").select_option(outcome)
    buttons = page.locator("#list button")
    assert buttons.count() >= 1
    for n in range(buttons.count()):
        buttons.nth(n).click()
        assert holds in card(page, "left") + card(page, "right")


def test_two_settings_are_set_against_each_other(page: Any) -> None:
    said = page.locator("#difference").inner_text()
    assert re.fullmatch(r"Right less left on 11 problems: [+−][\d.]+ ± [\d.]+ points of accuracy\.", said)
    for part in (0, 1):
        assert page.locator(f"#lengths-{part} .shape").count() == 2
    assert page.locator("#tenths .shape").count() == 2
    row = page.locator("#measures tr", has_text="thinking tokens").first
    left, right, change = row.locator("td").all_inner_texts()
    assert float(change.replace("−", "-")) == pytest.approx(float(right.split()[0]) - float(left.split()[0]), abs=0.11)
    page.locator("#left-arm").select_option("mini-e1/elastic")
    page.locator("#right-arm").select_option("mini/elastic")
    assert page.locator("#difference").inner_text() == said.replace("+", "−")
    page.locator("#left-arm").select_option("mini/vanilla")
    page.locator("#right-arm").select_option("mini-e1/s1")
    assert page.locator("#difference").inner_text() == ""  # nobody asks for this pair


def test_a_pair_in_the_table_leads_to_its_traces(page: Any) -> None:
    page.locator("#pairs tbody tr", has_text="mini-e1/s1").filter(has_text="64+20").last.locator("button").click()
    assert page.locator("#right-arm").input_value() == "mini-e1/s1"
    assert page.locator("#left-arm").input_value() == "mini-e1/elastic"
    assert page.locator("#budgets [aria-pressed=true]").inner_text() == "64+20"
    assert page.evaluate("document.activeElement.id") == "compared"


def test_hostile_text_is_shown_as_text(page: Any) -> None:
    choose(page, "chain-0000")
    assert page.locator("#left .block.solution .text").inner_text() == HOSTILE
    assert HOSTILE in card(page, "left")
    assert page.locator("#left img").count() == 0
    assert page.locator("header b").inner_text() == HOSTILE
    assert page.evaluate("window.hacked") is None


def test_what_is_left_out_is_seen(page: Any) -> None:
    assert page.get_by_text("This page holds the first 10 of 12 problems").is_visible()


def test_the_table_sorts(page: Any) -> None:
    accuracy = page.locator("#results th", has_text="accuracy")
    cells = page.locator("#results tbody tr td:nth-child(4)")
    for direction in ("ascending", "descending"):
        accuracy.locator("button").click()
        assert accuracy.get_attribute("aria-sort") == direction
        shown = [float(cell.split()[0].rstrip("%")) for cell in cells.all_inner_texts()]
        assert shown == sorted(shown, reverse=direction == "descending")


def test_the_figure_has_other_axes(page: Any) -> None:
    for name, label in (("tokens used", "tokens used, mean"), ("thinking at a fixed s", "thinking budget t")):
        page.locator("#axes button", has_text=name).click()
        assert page.locator("#axes [aria-pressed=true]").inner_text() == name
        assert label in page.locator("#chart").inner_text()
        assert page.locator("#chart .curve").count() == page.locator("#legend button").count()


def test_the_figure_can_be_read_with_keys_alone(page: Any) -> None:
    page.locator("#legend button").last.focus()
    page.keyboard.press("Tab")
    first = page.locator("#chart .tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#chart .tip").is_visible()
    assert page.locator("#chart .tip").inner_text() != first
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "compared"


def test_the_figure_tells_its_numbers_and_leads_to_traces(page: Any) -> None:
    mark = page.locator("#chart .hit").first
    mark.hover()
    assert re.search(r"mini/vanilla\s+budget 8\+20\s+[\d.]+ ± [\d.]+ %", page.locator("#chart .tip").inner_text())
    mark.click()
    assert page.locator("#budgets [aria-pressed=true]").inner_text() == "8+20"
    page.locator("#legend button").first.click()
    assert page.locator("#chart .curve").count() == page.locator("#legend button").count() - 1


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_at_any_width_and_in_the_dark(page: Any, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for selector in (".block.thinking .text", ".block.solution .text", ".text .forced", ".block h4"):
        assert contrast(page.locator(selector).first) >= 4.5


@pytest.fixture(scope="module")
def long_report(tmp_path_factory: pytest.TempPathFactory, benchmark_run: Results) -> Path:
    path = tmp_path_factory.mktemp("long") / "report.html"
    path.write_text(render_page(benchmark_run, trained_at="1024+1024"), encoding="utf-8")
    return path


def test_a_run_of_thousands_of_tokens(browser: Any, long_report: Path) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 800})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(long_report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert re.search(r"1.5K\s+512\+1K", page.locator("#chart").inner_text())
    page.locator("#axes button", has_text="tokens used").click()
    assert page.locator("#chart .published").count() == len(published("aime24"))
    page.locator("#legend button", has_text="published").click()
    assert page.locator("#chart .published").count() == 0
    page.locator("#heat button", has_text="±").first.click()
    assert page.evaluate("document.activeElement.id") == "compared"
    assert page.locator("#left-budget").input_value() == "0+1024"
    page.locator("#left-arm").select_option("DeepScaleR-1.5B-Preview/unconstrained")
    assert re.search(r"[\d,]+ characters are left out here", page.locator("#left").inner_text())
    assert "$x^2$" in page.locator("#left .thinking .text").inner_text()  # mathematics is shown as it was written
    assert complaints == []
    page.close()


def test_print_shows_the_traces_and_not_the_controls(page: Any) -> None:
    page.emulate_media(media="print")
    assert not page.locator("#list").is_visible()
    assert page.locator("#left .block.thinking").is_visible()
    assert page.get_by_text("sample 1", exact=False).first.is_visible()
    assert "mini/elastic/24+20" in card(page, "left")
