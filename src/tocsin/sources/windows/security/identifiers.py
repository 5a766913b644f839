"""What security identifiers (SIDs) are called, in the words of Elastic's integration."""

from __future__ import annotations

from functools import cache
from importlib import resources

_OF_DOMAINS = "S-1-5-21-"
# Accounts of every domain, which are named where a descriptor grants them something.
_ACCOUNTS = frozenset(("Administrator", "Guest", "KRBTGT"))


def well_known(identifier: str) -> str | None:
    """Return what an identifier is called that is the same on all machines; None for any other."""
    return None if identifier.isdigit() else _names().get(identifier)


def name_of(identifier: str) -> str:
    """Return what an identifier is called, also one of a domain (`S-1-5-21-…-512`); itself without a name."""
    if identifier.startswith(_OF_DOMAINS):
        return _names().get(identifier.rpartition("-")[2], identifier)
    return well_known(identifier) or identifier


def names(identifiers: str) -> list[str] | None:
    """Return what the identifiers of a list are called, each written `%{S-1-…}`."""
    return [name_of(identifier.strip("%{}")) for identifier in identifiers.split()] or None


def is_account(name: str) -> bool:
    """Return whether a name that is well known is one of an account."""
    return name in _ACCOUNTS


@cache
def _names() -> dict[str, str]:
    text = (resources.files("tocsin.sources.windows.security") / "identifiers.tsv").read_text("utf-8")
    return dict(line.split("\t", 1) for line in text.splitlines() if line and not line.startswith("#"))
