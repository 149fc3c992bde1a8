"""Who may ask: API keys from a file, of which it knows nothing but their hashes.

keys:
  - name: team-a
    sha256: 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
    daily_limit: 20.00
    models: [qwen3]
    ceiling: 2048+1024
    max_concurrent: 8
"""

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.serving.config import ModelConfig, stamp_of
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.untrusted.json import MalformedError
from elastic_reasoning.untrusted.yaml import convert_known, load_yaml

PREFIX = "ek-"
"""Begins every key, so that one that has leaked is known for what it is."""
CHECK_SECONDS = 1.0
"""How often it is looked whether the file is another one, while requests come."""

logger = logging.getLogger(__name__)


class Key(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One key, and what it may ask for."""

    name: str
    """What logs and totals call it."""
    sha256: str = ""
    """Of the key, as `elastic serve --new_key NAME` prints it. The key itself is nowhere."""
    daily_limit: Decimal | None = None
    """The most that its requests of one day (UTC) may cost."""
    models: tuple[str, ...] = ()
    """Those that it may ask for; all if empty."""
    budget: str = ""
    """Thinking and solution tokens where a request asks for none; as the model has it if empty."""
    ceiling: str = ""
    """The most that a request may ask for; the model's holds too."""
    max_concurrent: int = 0
    """Requests that it may have under way or waiting at once; 0 for any number."""

    def __post_init__(self) -> None:
        where = f"key {self.name!r}:"
        if not self.name:
            raise UsageError("a key has no name: logs and totals need one")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise UsageError(f"{where} sha256 must be 64 letters of 0-9a-f, as `elastic serve --new_key` prints them")
        if self.daily_limit is not None and not (self.daily_limit.is_finite() and self.daily_limit >= 0):
            raise UsageError(f"{where} daily_limit {self.daily_limit}: must be 0 or more")
        if self.max_concurrent < 0:
            raise UsageError(f"{where} max_concurrent {self.max_concurrent}: must be 0 (any number) or more")
        for budget in (self.budget, self.ceiling):
            Budget.parse(budget or "inf+inf")

    def policy(self, model: ModelConfig) -> ModelConfig:
        """What a request with this key may ask of a model."""
        if not self.budget and not self.ceiling:
            return model
        ceiling = _lower(Budget.parse(self.ceiling or "inf+inf"), model.most)
        default = _lower(Budget.parse(self.budget or model.budget), ceiling)
        return replace(model, budget=str(default), ceiling=str(ceiling))


ANYONE = Key(name="anyone", sha256="0" * 64)
"""Who asks where no keys are needed."""


class _KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[Key]


def _lower(one: Budget, other: Budget) -> Budget:
    """In each part the lower of both."""
    pairs = ((one.thinking, other.thinking), (one.solution, other.solution))
    return Budget(*(min((each for each in pair if each is not None), default=None) for pair in pairs))


def new_key() -> str:
    """A key that nobody can guess: 256 bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """What the file has of a key. Keys are random and long, so that a fast hash without a salt hides them."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def entry(name: str, key: str) -> str:
    """What a file of keys has of a key.

    Raises:
        UsageError: there can be no such name.
    """
    made = Key(name=name, sha256=hashed(key))
    return f"  - name: {json.dumps(made.name)}\n    sha256: {made.sha256}"


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file.

    Raises:
        UsageError: it cannot be read, says something else, or has one key or name twice.
    """
    try:
        keys = tuple(convert_known(load_yaml(path.read_text("utf-8")), _KeyFile).keys)
    except (OSError, UnicodeError, MalformedError, ElasticError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not keys:
        raise UsageError(f"{path}: holds no key; `elastic serve --new_key NAME` makes one")
    for part in ("name", "sha256"):
        values = [getattr(key, part) for key in keys]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise UsageError(f"{path}: {part} {twice} stands there twice")
    return keys


class Keys:
    """The keys that are valid now.

    A file that has changed is read again when the next request comes, a second later at the most. One that cannot be
    read leaves the keys as they were. Requests under way go on.

    Args:
        path: their file; without one, anyone may ask.
        clock: seconds.

    Raises:
        UsageError: the file is no file of keys.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._checked = clock()
        self._stamp = stamp_of(path)
        self._keys = () if path is None else read_keys(path)

    @property
    def have_limits(self) -> bool:
        """Whether any of them has a daily limit."""
        return any(key.daily_limit is not None for key in self._keys)

    def find(self, headers: Mapping[str, str]) -> Key:
        """Who asks.

        Args:
            headers: of the request: `Authorization: Bearer KEY`, or `x-api-key: KEY` as Anthropic's clients send it.

        Raises:
            ApiError: 401 where it is nobody.
        """
        if self._path is None:
            return ANYONE
        self._refresh()
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not given:
            raise _unauthorised("no API key: send Authorization: Bearer KEY, or x-api-key: KEY")
        own, found = hashed(given), None
        for key in self._keys:  # all of them, so that the time says nothing of where it stands
            if hmac.compare_digest(key.sha256, own):
                found = key
        if found is None:
            raise _unauthorised("the API key is not known here")
        return found

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._checked < CHECK_SECONDS or self._path is None:
            return
        self._checked = now
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = read_keys(self._path)
        except UsageError as error:
            logger.error("the keys stay as they were: %s", error)
        else:
            logger.info("keys read from %s: %d", self._path, len(self._keys))


def _unauthorised(message: str) -> ApiError:
    return ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
