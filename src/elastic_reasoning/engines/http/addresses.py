"""Where the replicas of a server are: given, listed in a file that may change, or all addresses of a name.

urls = await find_urls(("file:servers.txt", "dns+http://vllm.models.svc.cluster.local:8000/v1"))
"""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from elastic_reasoning.core.errors import EngineError, UsageError

FILE, NAME = "file", "dns+http"
"""What stands before a colon: a file with one URL a line, and a name of which each address is a replica."""
KNOWN_FORMS = f"http://127.0.0.1:8000/v1, {FILE}:servers.txt or {NAME}://vllm:8000/v1"


def check_address(address: str, key_name: str = "the variable that api_key_env names") -> None:
    """Refuse what is no address of replicas; `key_name` says where a key belongs.

    Raises:
        UsageError: as said.
    """
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise UsageError(f"the URL of {parts.hostname} holds a name or a key: set {key_name} instead")
    is_file = parts.scheme == FILE and not parts.netloc and parts.path
    if not is_file and (parts.scheme not in ("http", "https", NAME) or not parts.hostname):
        raise UsageError(f"base URL {address!r}: write it as {KNOWN_FORMS}")


def may_change(address: str) -> bool:
    """Whether other replicas may be found there at another time."""
    return urlsplit(address).scheme in (FILE, NAME)


async def find_urls(addresses: Sequence[str]) -> tuple[str, ...]:
    """The URLs of all replicas at these addresses, each once.

    Raises:
        EngineError: a file cannot be read or lists none, or a name has no address.
    """
    found = await asyncio.gather(*map(_urls_at, addresses))
    return tuple(dict.fromkeys(url for urls in found for url in urls))


async def _urls_at(address: str) -> Sequence[str]:
    parts = urlsplit(address)
    if parts.scheme == FILE:
        return await asyncio.to_thread(_listed, Path(parts.path))
    if parts.scheme != NAME:
        return [address]
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, parts.port or 80, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise EngineError(f"{address}: the name {parts.hostname} has no address ({error})") from None
    hosts = sorted({str(where[0]) for _, _, _, _, where in answers})
    port = f":{parts.port}" if parts.port else ""
    return [f"http://{f'[{host}]' if ':' in host else host}{port}{parts.path}" for host in hosts]


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"the list of servers {path} cannot be read: {error}") from None
    urls = [line for text in lines if (line := text.partition("#")[0].strip())]
    for url in urls:
        try:
            check_address(url)
        except UsageError as error:
            raise EngineError(f"the list of servers {path}: {error}") from None
        if may_change(url):
            raise EngineError(f"the list of servers {path} has {url!r}: it may hold only URLs, one a line")
    if not urls:
        raise EngineError(f"the list of servers {path} is empty: write one URL a line, as http://127.0.0.1:8000/v1")
    return urls
