"""The pages of clients: what they show in Python, with the address of a gateway that runs."""

import re
import shutil
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "docs" / "clients"
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def pieces(page: str) -> list[str]:
    """The pieces of Python on a page."""
    return CODE.findall((PAGES / f"{page}.md").read_text(encoding="utf-8"))


def at(code: str, root: str) -> str:
    """A piece of Python that speaks to the gateway at this root URL."""
    assert "http://127.0.0.1:8080" in code
    return code.replace("http://127.0.0.1:8080", root)


def needs_curl() -> None:
    """Skip a test that runs curl where there is none."""
    if shutil.which("curl") is None:
        pytest.skip("no curl: apt-get install curl")
