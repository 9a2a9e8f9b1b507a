"""Asks the issuer whether a token still counts (RFC 7662, ITI-102); what it said is remembered for a short while."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from common.oauth.fetching import Fetch
from common.oauth.refusal import CannotTell, NotAuthorised

_REMEMBERED: Final = 4096


class Introspection:
    """Safe to use from many threads; answers of either kind are remembered by the token's digest."""

    def __init__(self, url: str, fetch: Fetch, keep: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._fetch, self._keep, self._clock = url, fetch, keep, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = OrderedDict()

    def claims(self, token: str) -> Mapping[str, Any]:
        """What the issuer says of a token that counts; NotAuthorised, CannotTell."""
        name, now = hashlib.sha256(token.encode("utf-8")).digest(), self._clock()
        with self._lock:
            found = self._known.get(name)
        if found is None or now - found[0] > self._keep:
            told = self._fetch(self._url, {"token": token, "token_type_hint": "access_token"})
            if not isinstance(told, dict):
                raise CannotTell("the issuer does not say whether the token counts")
            found = (now, told)
            with self._lock:
                self._known[name] = found
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if found[1].get("active") is not True:
            raise NotAuthorised("The token does not count any more.")
        return found[1]
