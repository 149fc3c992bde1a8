"""What tests of the report's page share that look at it in a real browser."""

import re
from typing import Any


def card(page: Any, side: str) -> str:
    """What a side says, on one line."""
    return re.sub(r"\s+", " ", page.locator(f"#{side}").inner_text())


def choose(page: Any, problem: str) -> None:
    page.locator("#list button", has_text=problem).click()


def contrast(element: Any) -> float:
    """The ratio of luminances of a text and of what is behind it, as WCAG 2 defines it."""
    colours = element.evaluate(
        """node => {
          let behind = node;
          while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
          return [getComputedStyle(behind).backgroundColor, getComputedStyle(node).color];
        }"""
    )
    dark, light = sorted(map(_luminance, colours))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
