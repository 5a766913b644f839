"""Bundled guides in other languages: an alert keeps the guide in the language that its rule is written in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tocsin.investigation.guides.guide import guide_text
from tocsin.rules.load import bundled_rules
from tocsin.translatable import N_

# Labels of the bundled guides' queries, which are the same in each language's text.
LABELS = (
    N_("Alerts for this user in the last 48 hours"),
    N_("Alerts for this host in the last 48 hours"),
    N_("Network events of this process"),
    N_("Osquery: DNS cache"),
    N_("Osquery: all services"),
    N_("Osquery: services that run as a user"),
    N_("Osquery: unsigned service executables, with a VirusTotal link"),
)


def guide_in(language: str, text: str) -> str:
    """Return the text of a guide in a language (its tag, RFC 5646), the text itself where there is no other.

    It is the same guide, with the same queries and steps in the same order: what is another text by a word is
    another guide, and stays as it is.
    """
    return _texts(language).get(text.strip(), text)


@cache
def _texts(language: str) -> Mapping[str, str]:
    rules = [rule for rule in bundled_rules().rules if language in rule.notes]
    return {guide_text(rule).strip(): guide_text(rule, language) for rule in rules}
