"""What is fetched from an issuer: JSON of bounded size, in bounded time, from addresses that were configured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests

from common.oauth.refusal import CannotTell

Fetch = Callable[[str, Mapping[str, str] | None], Any]
"""JSON from an address, by POST where there is a form; CannotTell."""

_MOST: Final = 512 * 1024
_PIECE: Final = 16 * 1024


def fetcher(connect: float, answer: float, credentials: tuple[str, str] | None = None) -> Fetch:
    """What fetches; it follows no redirection, which would lead to where nobody configured."""
    session = requests.Session()
    session.trust_env = False

    def fetch(url: str, form: Mapping[str, str] | None = None) -> Any:
        try:
            with session.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                auth=credentials if form is not None else None,
                headers={"Accept": "application/json"},
                timeout=(connect, answer),
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    raise CannotTell(f"the issuer answers {response.status_code}")
                data = bytearray()
                for piece in response.iter_content(_PIECE):
                    data += piece
                    if len(data) > _MOST:
                        raise CannotTell("the issuer answers more than is taken")
            return json.loads(data)
        except requests.RequestException as error:
            raise CannotTell(f"the issuer cannot be reached ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise CannotTell("the issuer does not answer with JSON") from error

    return fetch
