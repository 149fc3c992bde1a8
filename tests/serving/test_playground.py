"""The playground in a real browser, before a gateway with the miniature."""

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from client_pages import needs_curl
from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import from_wire
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import Gateway, open_gateway
from serving.gateways import listening

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
QUIET = ("--disable-component-update", "--disable-sync")
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
sync_api = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    price = {"input": 1, "output": 4}
    return open_gateway(make_config({"models": {"mini-e1": {"price": price}, "mini": {}}}))


@pytest.fixture(scope="module")
def url(gateway: Gateway) -> Iterator[str]:
    with listening(gateway) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *QUIET])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """The playground with one column; what it fetches elsewhere or complains of fails the test."""
    page = browser.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    go(page, url, "a=mini-e1/elastic/16%2B20&compare=0&pace=live")
    yield page
    refused = getattr(page, "refused", "nothing")
    page.close()
    assert [text for text in complaints if refused not in text] == []
    assert [each for each in asked if not each.startswith((url, "about:"))] == []


def go(page: Any, url: str, state: str, question: str = QUESTION) -> None:
    page.goto("about:blank")  # the page itself would only be told of another address
    page.goto(f"{url}/#problem={question.replace('+', '%2B')}&{state}")
    page.wait_for_selector("body[data-ready]")


def run(page: Any) -> None:
    page.locator("#run").click()
    over(page)


def over(page: Any) -> None:
    page.wait_for_selector(".outcome:not([hidden]), .alert:not([hidden])")
    page.wait_for_selector("#run:not(.stops)")


def column(page: Any, letter: str) -> Any:
    return page.get_by_role("region", name=f"Run {letter}")


def meter(page: Any, letter: str, phase: str) -> dict[str, Any]:
    """What a meter shows: tokens used, how far it is filled, where its wall stands, and what is said under it."""
    node = column(page, letter).locator(f".meter.{phase}")
    share = "node => Number.parseFloat(node.style.width || node.style.left)"
    return {
        "used": int(node.locator(".used").inner_text()),
        "filled": node.locator(".fill").first.evaluate(share),
        "wall": node.locator(".wall:not(.soft)").evaluate(share),
        "closed": node.locator(".wall:not(.soft)").get_attribute("data-closed"),
        "caption": node.locator(".caption").inner_text(),
    }


def test_a_problem_is_typed_a_wall_is_moved_and_both_meters_fill(page: Any) -> None:
    page.locator("#problem").fill(QUESTION)
    column(page, "A").get_by_label("Thinking", exact=True).fill("12")
    page.keyboard.press("Tab")
    run(page)
    thinking, solution = meter(page, "A", "thinking"), meter(page, "A", "solution")
    assert (thinking["used"], thinking["closed"], thinking["caption"]) == (12, "tokens", "closed at 12 by the budget")
    assert thinking["filled"] == pytest.approx(thinking["wall"])
    assert solution["used"] <= 20
    assert solution["closed"] == "model"
    assert "solution complete" in column(page, "A").locator(".outcome").inner_text()
    assert column(page, "A").locator(".gate").inner_text() == "closed by the budget after 12 tokens"
    assert column(page, "A").locator(".block.thinking .text").inner_text().startswith("a 4 b -8")
    assert "1 token" in column(page, "A").locator(".numbers").inner_text()


def test_what_a_model_closes_by_itself_has_no_wall_in_the_way(page: Any) -> None:
    column(page, "A").get_by_label("Thinking", exact=True).fill("64")
    run(page)
    thinking = meter(page, "A", "thinking")
    assert thinking["closed"] == "model"
    assert thinking["caption"] == f"closed by itself at {thinking['used']}"
    assert thinking["used"] < 64


def test_a_wall_is_dragged(page: Any) -> None:
    slider = column(page, "A").get_by_label("Thinking wall, tokens")
    before = meter(page, "A", "thinking")["wall"]
    box = slider.bounding_box()
    track = box["width"] - 22  # the thumb's middle goes from its half to its half
    grip = (box["x"] + 11 + track * before / 100, box["y"] + box["height"] / 2)
    page.mouse.move(*grip)
    page.mouse.down()
    page.mouse.move(grip[0] + track / 4, grip[1], steps=4)
    page.mouse.up()
    assert column(page, "A").get_by_label("Thinking", exact=True).input_value() == "22"
    assert "16" not in re.findall(r"a=[^&]*", page.url)[0]


def test_two_strategies_run_side_by_side_on_one_scale(page: Any, url: str) -> None:
    go(page, url, "a=mini-e1/elastic/16%2B20&b=mini/vanilla/16%2B20&pace=live")
    run(page)
    left, right = (meter(page, letter, "thinking") for letter in "AB")
    assert (left["used"], right["used"]) == (16, 36)
    assert right["wall"] / left["wall"] == pytest.approx(36 / 16, rel=1e-3)
    assert right["caption"] == "cut off at 36 by the budget"
    assert meter(page, "B", "solution")["caption"] == "nothing left for it"
    assert "No answer" not in column(page, "A").locator(".outcome").inner_text()
    assert "no solution" in column(page, "B").locator(".outcome").inner_text()
    tops = {letter: column(page, letter).locator(".transcript").bounding_box()["y"] for letter in "AB"}
    assert tops["A"] == tops["B"]


@pytest.mark.full
def test_each_strategy_has_the_walls_that_it_keeps(page: Any, url: str) -> None:
    go(page, url, "a=mini-e1/s1/16%2B20&b=mini-e1/nothinking/16%2B20&pace=live")
    run(page)
    thinking = meter(page, "A", "thinking")
    assert (thinking["used"], thinking["caption"]) == (16, "closed at 16 by the budget")
    assert thinking["wall"] == pytest.approx(thinking["filled"])  # t + s less what is kept for the answer
    assert meter(page, "B", "thinking")["caption"] == "this strategy does not think"
    assert column(page, "B").locator(".gate").is_hidden()
    go(page, url, "a=mini-e1/unconstrained/16%2B20&b=mini-e1/l1-max/16%2B20&pace=live")
    run(page)
    assert {meter(page, letter, "thinking")["closed"] for letter in "AB"} == {"model"}
    assert column(page, "A").get_by_label("Thinking", exact=True).is_disabled()
    assert "asks for this length" in column(page, "B").locator(".about").inner_text()


def test_a_known_problem_is_graded(page: Any, url: str) -> None:
    page.get_by_role("button", name="Shuffle a new problem").click()
    assert page.locator("#problem").input_value() != QUESTION
    column(page, "A").get_by_label("Thinking", exact=True).fill("64")
    run(page)
    assert re.fullmatch(r"[✓✗] \d is (right|wrong\. It is \d\.)", page.locator(".verdict").inner_text())


def test_the_address_leads_back(page: Any, browser: Any, url: str) -> None:
    page.get_by_role("switch").check()
    column(page, "B").get_by_label("Strategy").select_option("s1")
    column(page, "B").get_by_label("Solution", exact=True).fill("9")
    column(page, "B").locator("summary").click()
    column(page, "B").get_by_role("spinbutton", name="num_waits").fill("1")
    column(page, "A").get_by_label("Deadline").fill("30")
    page.keyboard.press("Tab")
    other = browser.new_page()
    other.goto(page.url)
    other.wait_for_selector("body[data-ready]")
    fields = "[...document.querySelectorAll('main :is(input, select, textarea)')].map(each => each.value)"
    assert other.evaluate(fields) == page.evaluate(fields)
    other.close()


@pytest.mark.full
@pytest.mark.parametrize(
    "state", ["a=none/elastic/1%2B1", "a=mini/elastic/x%2B1&pace=__proto__", "a=%FF&seed=-1&compare"]
)
def test_an_address_that_means_nothing_is_the_start(page: Any, url: str, state: str) -> None:
    go(page, url, state)
    assert column(page, "A").get_by_label("Model").input_value() in ("mini-e1", "mini")


def copied(page: Any, form: str) -> str:
    button = column(page, "A").get_by_role("button", name=form)
    if button.get_attribute("aria-expanded") == "false":
        button.click()
    return column(page, "A").locator(".code pre").inner_text()


def test_the_copied_requests_run(page: Any, url: str) -> None:
    needs_curl()
    page.locator("#problem").fill("a 4 b -8 = 'it' \"s\"\n")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    assert copied(page, "curl").startswith("curl ")
    column(page, "A").get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["elastic"]["budget"] == {"thinking": 16, "solution": 20}
    done = subprocess.run([sys.executable, "-c", copied(page, "Python")], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == answer["choices"][0]["message"]["reasoning_content"]
    words = shlex.split(copied(page, "vLLM"))
    read = from_wire(json.loads(words[words.index("-d") + 1])["vllm_xargs"])
    assert read is not None
    assert (str(read.budget), read.strategy) == ("16+20", "elastic")


def test_everything_can_be_done_by_keys_alone(page: Any) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"no way to {selector} by Tab")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "problem"
    page.keyboard.press("Control+a")
    page.keyboard.type(QUESTION)
    tab_to(".meter.thinking input[type=range]")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert column(page, "A").get_by_label("Thinking", exact=True).input_value() == "14"
    page.keyboard.press("Control+Enter")
    over(page)
    assert meter(page, "A", "thinking")["used"] == 14
    said = page.locator("#status").inner_text()
    assert said.startswith("A: closed by the budget after 14 tokens.")
    tab_to(".copy button")
    page.keyboard.press("Enter")
    assert column(page, "A").locator(".code pre").is_visible()


@pytest.fixture
def held(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The engine stands still after a few tokens, until this is set."""
    engine = gateway.backends["mini-e1"].engine
    submit, go_on, told = engine.submit, threading.Event(), itertools.count()

    def submit_held(walks: list[Walk], listen: Listen, *more: Any) -> list[Future[Walk]]:
        def tell(delta: Delta) -> None:
            listen(delta)
            if next(told) == 8:
                go_on.wait(60)

        return submit(walks, tell, *more)

    monkeypatch.setattr(engine, "submit", submit_held)
    yield go_on
    go_on.set()


def test_a_stop_in_the_middle_stops_the_server(page: Any, url: str, held: threading.Event) -> None:
    go(page, url, "a=mini-e1/elastic/450%2B20&a.min_thinking=450&compare=0&pace=live")
    page.locator("#run").click()
    page.locator(".block.thinking .text:not(:empty)").wait_for()
    assert page.locator("#run").inner_text() == "Stop"
    page.keyboard.press("Escape")
    over(page)
    assert column(page, "A").locator(".outcome").inner_text() == "stopped by you"
    assert 0 < meter(page, "A", "thinking")["used"] < 450
    while page.request.get(f"{url}/v1/elastic/stats").json()["running"]:
        page.wait_for_timeout(20)
    held.set()
    given_up = page.request.get(f"{url}/v1/elastic/stats").json()["models"]["mini-e1"]["total"]["tokens"]["given_up"]
    assert 0 < given_up < 450


def test_a_refusal_is_told(page: Any, url: str) -> None:
    page.refused = "status of 400"
    go(page, url, "a=mini-e1/elastic/16%2B20&a.min_thinking=30&compare=0")
    run(page)
    alert = column(page, "A").get_by_role("alert")
    assert "min_thinking 30 is more than the thinking budget of 16 tokens" in alert.inner_text()
    assert column(page, "A").locator(".transcript").is_hidden()


def test_a_deadline_that_cannot_be_kept_is_offered_a_longer_one(page: Any) -> None:
    page.refused = "status of 4"
    error = {"message": "deadline_seconds 0.1: too short", "code": "deadline_infeasible", "earliest_seconds": 20.001}
    page.route("**/v1/chat/completions", lambda route: route.fulfill(status=400, json={"error": error}), times=1)
    column(page, "A").get_by_label("Deadline").fill("0.1")
    page.locator("#run").click()
    page.get_by_role("button", name="Run with 20.01 s").click()
    over(page)
    assert "deadline kept" in column(page, "A").locator(".outcome").inner_text()
    assert column(page, "A").locator(".meter.clock .limit").inner_text() == "20.01"


def test_a_busy_server_is_asked_again(page: Any) -> None:
    page.refused = "status of 429"
    answer = {"status": 429, "json": {"error": {"message": "busy"}}, "headers": {"Retry-After": "0"}}
    page.route("**/v1/chat/completions", lambda route: route.fulfill(**answer), times=1)
    page.locator("#run").click()
    page.get_by_role("button", name="Try again").click()
    over(page)
    assert meter(page, "A", "thinking")["used"] == 16


def test_a_key_is_asked_for_where_one_is_needed(page: Any, url: str) -> None:
    page.refused = "status of 401"

    def keyed(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer right":
            route.fallback()
        else:
            route.fulfill(status=401, json={"error": {"message": "a key is needed"}})

    page.route("**/v1/**", keyed)
    page.reload()
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Use").click()
    page.get_by_text("This key is not known here.").wait_for()
    page.get_by_label("API key").fill("right")
    page.keyboard.press("Enter")
    page.locator("#columns .column").first.wait_for()
    run(page)
    assert meter(page, "A", "thinking")["used"] == 16
    assert "right" not in page.url
    assert "$ELASTIC_API_KEY" in copied(page, "curl")
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [1, 0]


def test_text_of_a_model_is_never_markup(page: Any) -> None:
    text = "<img src=x onerror='window.hacked = 1'>"
    chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
    last = {
        "choices": [],
        "elastic": {"seconds": 0.1, "solution_tokens": 1, "thinking_tokens": 0, "thinking_ended_by": text},
    }
    stream = "".join(f"data: {each}\n\n" for each in (json.dumps(chunk), json.dumps(last), "[DONE]"))
    page.route("**/v1/chat/completions", lambda route: route.fulfill(body=stream, content_type="text/event-stream"))
    run(page)
    assert column(page, "A").locator(".block.solution .text").inner_text() == text
    assert page.locator(".column img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_the_load_stands_beside(page: Any) -> None:
    page.locator("#load").wait_for()
    run(page)
    page.locator("#load .ends [data-cause=tokens]").first.wait_for()
    assert page.get_by_role("complementary", name="Live load").is_visible()


@pytest.mark.parametrize("size", [(360, 780), (760, 900), (1440, 900)])
def test_nothing_is_wider_than_the_window(page: Any, url: str, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    go(page, url, "a=mini-e1/elastic/16%2B20&b=mini/vanilla/16%2B20&b.deadline=60&pace=live", f"{QUESTION}{'x' * 300}")
    run(page)
    copied(page, "curl")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    tops = [column(page, letter).bounding_box()["y"] for letter in "AB"]
    assert (tops[0] == tops[1]) == (size[0] >= 760)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_stands_out_and_all_fields_have_names(page: Any, url: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    go(page, url, "a=mini-e1/elastic/16%2B20&b=mini/vanilla/16%2B20&pace=live")
    run(page)
    copied(page, "Python")
    page.locator("#load .ends span").first.wait_for()
    faint = page.evaluate(CONTRAST)
    assert faint == []
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button, [role=meter], [role=img]")]
            .filter((node) => !(node.ariaLabel || node.labels?.[0]?.textContent.trim() || node.textContent.trim()))
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))


def test_the_theme_can_be_chosen(page: Any) -> None:
    button = page.get_by_role("button", name="Theme")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    button.click()
    button.click()
    assert button.get_attribute("aria-label") == "Theme: dark"
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate(background) == dark


@pytest.mark.full
def test_a_wall_stops_at_the_ceiling_and_an_empty_field_is_the_servers_own(page: Any, url: str) -> None:
    def limited(route: Any) -> None:
        facts = route.fetch().json()
        facts["models"][0] |= {
            "ceiling": {"thinking": 30, "solution": None},
            "budget": {"thinking": 24, "solution": None},
        }
        route.fulfill(json=facts)

    page.route("**/elastic/models", limited)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    thinking = column(page, "A").get_by_label("Thinking", exact=True)
    thinking.fill("99")
    page.keyboard.press("Tab")
    assert thinking.input_value() == "30"
    thinking.fill("")
    page.keyboard.press("Tab")
    assert thinking.get_attribute("placeholder") == "24"
    assert "thinking_budget" not in copied(page, "curl")
