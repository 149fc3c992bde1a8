"""A client that goes away stops the upstream at once, whatever it waits for."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from fake_servers import Pace, fake_vllm, serving
from serving.upstreams import before, chat, fake_mini


@pytest.mark.parametrize("plug_in", [False, True], ids=["by call", "one pass"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("place", [0, 3])
def test_an_upstream_is_let_go_of_when_the_client_goes_away(plug_in: bool, stream: bool, place: int) -> None:
    pace = Pace()
    pace.halt = lambda number: place
    with serving(lambda: fake_vllm(fake_mini(), plug_in, pace=pace)) as server, before(server.url) as root:
        pace.halted.clear()  # what the server can do was asked of it
        client = http.client.HTTPConnection(urlsplit(root).netloc)
        client.request("POST", "/v1/chat/completions", json.dumps(chat(stream=stream)))
        assert pace.halted.wait(20)
        client.close()
        assert pace.dropped.wait(20)
