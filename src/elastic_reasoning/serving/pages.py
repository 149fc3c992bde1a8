"""The playground at `/`, and what it is told of the gateway.

Its files are package data, read once. Nothing else can be asked for by a path, and a browser that keeps to the headers
fetches nothing from elsewhere.
"""

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response

from elastic_reasoning.serving.facts import facts_of
from elastic_reasoning.serving.gateway import Gateway

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Of what is served, by the end of its name."""
LASTING = ("image/svg+xml",)
"""Types that a browser keeps for a day without asking again; other files may belong to another version by then."""
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def add_pages(app: FastAPI, gateway: Gateway) -> None:
    """Serve the playground's page at `/`, its files beneath `/playground/`, and what it asks for first."""

    @app.get("/v1/elastic/models")
    async def facts() -> dict[str, Any]:
        return facts_of(gateway)

    for file in (files("elastic_reasoning.serving") / "playground").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            path = "/" if file.name == "index.html" else f"/playground/{file.name}"
            app.add_route(path, _page(file.read_bytes(), kind), include_in_schema=False)


def _page(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    headers = {**HEADERS, "etag": tag, "cache-control": "max-age=86400" if kind in LASTING else "no-cache"}

    async def page(request: Request) -> Response:
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return page
