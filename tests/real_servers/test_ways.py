"""Every way to spend a budget is exact on llama.cpp and SGLang, as far as they give what it needs."""

from collections.abc import Callable

import pytest

from real_servers.serving import Start
from ways import WAYS, check_way

pytestmark = [pytest.mark.timeout(1800)]

Seen = Callable[[str], None]


@pytest.mark.parametrize("num", [2, pytest.param(50, marks=pytest.mark.full)])
@pytest.mark.parametrize("way", WAYS)
def test_a_way_is_exact(start: Start, way: str, num: int, seen: Seen) -> None:
    check_way(start("mini").engine(), way, num, seen)
