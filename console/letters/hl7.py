"""Writes HL7 v2 values as document metadata has them (ITI TF-3 Table 4.2.3.1.7-2)."""

from typing import Final

_ESCAPES: Final = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"})


def escaped(text: str) -> str:
    """The text with the separators escaped."""
    return text.translate(_ESCAPES)


def cx(identifier: str, authority: str) -> str:
    """An identifier with its authority's OID."""
    return f"{escaped(identifier)}^^^&{authority}&ISO"


def person_name(family: str, given: str = "", further: str = "", suffix: str = "", prefix: str = "") -> str:
    """A name as in PID-5, without empty components at its end."""
    return "^".join(escaped(part) for part in (family, given, further, suffix, prefix)).rstrip("^")


def xcn(
    family: str,
    given: str = "",
    further: str = "",
    suffix: str = "",
    prefix: str = "",
    identifier: str = "",
    authority: str = "",
) -> str:
    """A person with an id, or without; the authority is only said of an id."""
    name = "^".join(escaped(part) for part in (identifier, family, given, further, suffix, prefix))
    return f"{name}^^^&{authority}&ISO" if identifier and authority else name.rstrip("^")


def xon(name: str, identifier: str = "", authority: str = "") -> str:
    """An organisation; the authority is only said of an id."""
    return (
        f"{escaped(name)}^^^^^&{authority}&ISO^^^^{escaped(identifier)}" if identifier and authority else escaped(name)
    )
