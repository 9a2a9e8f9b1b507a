"""What good input looks like, as sentences that yield objections. No I/O, no clock, no XML."""

from common.rules.objection import Objection, Objections, Rulebook, as_errors

__all__ = ["Objection", "Objections", "Rulebook", "as_errors"]
