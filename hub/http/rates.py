"""How often one account, or one address, may ask (threats section 9, hub-api section 1.4).

A fixed window, counted in one round trip to the cache. Without the Redis protocol, or while the
cache is away, each web process counts for itself: refusing everybody would be worse.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from redis.exceptions import RedisError

from hub.errors import ThrottledError
from hub.http.throttle import client_address
from hub.policies import Actor

log = structlog.get_logger(__name__)
API, RESOLVE, WRITE, ARCHIVE = "api", "resolve", "write", "archive"
OWN_COUNTS_LIMIT = 10_000


@dataclass(frozen=True)
class Spent:
    """Where somebody stands after one more request."""

    name: str
    quota: int
    left: int
    window_seconds: int
    seconds_left: int

    def describe(self, response: HttpResponseBase) -> None:
        """Tell the client, in the headers that huggingface_hub reads."""
        response["RateLimit"] = f'"{self.name}";r={max(0, self.left)};t={self.seconds_left}'
        response["RateLimit-Policy"] = f'"{self.name}";q={self.quota};w={self.window_seconds}'
        if self.left < 0:
            response["Retry-After"] = str(self.seconds_left)

    def require(self) -> None:
        """Raises: ThrottledError once more was asked than the quota."""
        if self.left < 0:
            raise ThrottledError(
                f"More than {self.quota} requests of the kind “{self.name}” within "
                f"{self.window_seconds} seconds: wait {self.seconds_left} seconds, then go on."
            )


def spend(name: str, actor: Actor, request: HttpRequest) -> Spent | None:
    """Count one request of the kind `name`; None where its quota is 0, which means none."""
    quota = settings.RATE_LIMITS[name]
    if not quota:
        return None
    window = settings.RATE_LIMIT_WINDOW_SECONDS
    number, gone = divmod(int(time.time()), window)
    who = f"user-{actor.person.pk}" if actor.person else f"from-{client_address(request)}"
    count = _count(f"rate:{name}:{who}:{number}", window)
    return Spent(name, quota, quota - count, window, window - gone)


def _count(key: str, seconds: int) -> int:
    backend = caches["default"]
    if isinstance(backend, RedisCache):
        try:
            client = backend._cache.get_client(None, write=True)
            with client.pipeline(transaction=False) as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, seconds)
                count, _ = pipeline.execute()
        except RedisError as error:
            log.warning("rates.cache_away", error=str(error)[:200])
        else:
            return int(count)
    return _own.count(key)


class _OwnCounts:
    """Counts of this process; all are forgotten when there are too many."""

    def __init__(self) -> None:
        self._lock, self._counts = threading.Lock(), dict[str, int]()

    def count(self, key: str) -> int:
        with self._lock:
            if len(self._counts) >= OWN_COUNTS_LIMIT and key not in self._counts:
                self._counts.clear()
            self._counts[key] = self._counts.get(key, 0) + 1
            return self._counts[key]


_own = _OwnCounts()
