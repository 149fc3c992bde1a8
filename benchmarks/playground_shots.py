"""Pictures of the playground for the documentation.

    python benchmarks/playground_shots.py            # docs/figures/playground.png, -dark and -phone

A gateway serves both miniatures to a few clients, so that there is load to see, while Chromium runs the trained one
with separate budgets beside the untrained one that is cut as a whole. It needs playwright and a chromium;
the pictures in docs/ were taken where the font Inter is installed (Debian: fonts-inter).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from PIL import Image
from playwright.sync_api import sync_playwright

from elastic_reasoning.tasks.arithmetic import Arithmetic

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
SERVED = {"mini-e1": {"price": {"input": 0.15, "output": 0.60}}, "mini": {"price": {"input": 0.15, "output": 0.60}}}
STATE = "a=mini-e1/elastic/16%2B20&b=mini/vanilla/16%2B20"
NUM_CLIENTS = 3
LIMITS = (
    {"thinking_budget": 16},
    {"thinking_budget": 64},
    {"thinking_budget": 64, "max_cost": 0.00003},
    {"thinking_budget": 400, "min_thinking": 400, "deadline_seconds": 1.0},
)
"""Of the clients' requests, in turn."""
LOOK_SECONDS = 24
"""How long the load is watched before a picture is taken."""
SHOTS = {
    "playground": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", "device_scale_factor": 2},
    "playground-dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark", "device_scale_factor": 2},
    "playground-phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "device_scale_factor": 2,
    },
}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The root URL of a gateway in a process of its own."""
    file = folder / "gateway.yaml"
    file.write_text(json.dumps({"models": SERVED}))
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "serve", "--file", str(file), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].removesuffix("/v1")
        finally:
            process.terminate()


@contextmanager
def load(url: str) -> Iterator[None]:
    """Clients that ask one problem after the other."""
    over = threading.Event()
    problems = [problem.messages for problem in Arithmetic().problems("test", 64)]

    def client(first: int) -> None:
        for number in range(first, 10**6, NUM_CLIENTS):
            limits = LIMITS[number % len(LIMITS)]
            body = {"model": "mini-e1", "messages": problems[number % 64], "solution_budget": 20, **limits}
            asked = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode())
            with suppress(HTTPError), urllib.request.urlopen(asked) as answer:  # a deadline may be refused
                answer.read()
            if over.wait(0.25):
                return

    clients = [threading.Thread(target=client, args=(number,)) for number in range(NUM_CLIENTS)]
    for each in clients:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in clients:
            each.join()


def shoot(browser: Any, url: str, name: str, settings: dict[str, Any]) -> None:
    """Run both columns once, and write the picture of what is seen then."""
    page = browser.new_page(**settings)
    page.goto(f"{url}/#{STATE}")
    page.locator("body[data-ready]").wait_for()
    page.wait_for_timeout(1000 * LOOK_SECONDS)
    page.locator("#run").click()
    page.locator("#run.stops").wait_for()
    page.locator("#run:not(.stops)").wait_for()
    page.wait_for_timeout(2500)  # the last thing moves, and the load counts the run
    picture = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture = picture.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    picture.save(FIGURES / f"{name}.png", optimize=True)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with load(url):
            for name, settings in SHOTS.items():
                shoot(browser, url, name, settings)
        browser.close()


if __name__ == "__main__":
    main()
