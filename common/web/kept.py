"""Who asked, kept beside a request that is answered later: as it was found when the request came, and not again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from common.caller import Caller, Coded
from common.tls import Peer

_CODED: Final = ("roles", "purposes")
_SEVERAL: Final = ("provider_ids", "consents", "policies")


@dataclass(frozen=True, slots=True)
class Asked:
    """The connection that a request came by, and the user whom an assertion vouched for."""

    peer: Peer | None = None
    address: str = ""
    caller: Caller | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What tells whoever asked from anybody else."""
        caller = self.caller
        return (
            self.peer.fingerprint if self.peer is not None else "",
            *((caller.issuer, caller.user) if caller is not None else ()),
        )

    def written(self) -> str:
        """As one text."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def read_asked(text: str) -> Asked:
    """Out of such a text; ValueError for any other."""
    try:
        told: dict[str, Any] = json.loads(text)
        peer, caller = told["peer"], told["caller"]
        return Asked(
            Peer(**{**peer, "names": tuple(peer["names"])}) if peer is not None else None,
            told["address"],
            _caller(caller) if caller is not None else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is not known who asked") from error


def _caller(told: dict[str, Any]) -> Caller:
    coded = {name: tuple(Coded(**each) for each in told[name]) for name in _CODED}
    several = {name: tuple(told[name]) for name in _SEVERAL}
    others = {name: tuple(values) for name, values in told["others"].items()}
    return Caller(**{**told, **coded, **several, "others": others})
