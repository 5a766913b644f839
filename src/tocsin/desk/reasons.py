"""Why something was refused, as people read it: the reasons of the service's answers, in the visitor's language.

The service answers programs in English. A page shows the same reason: found in the table by its form, and said in
the visitor's language with what stands in its places. What is not in the table is shown as it is.
"""

from __future__ import annotations

import gettext
import re
from functools import cache

from tocsin.desk.translations import N_

_PLACE = re.compile(r"%\((\w+)\)s")
_INNER = "reason"  # a place that holds a reason of its own
_MOST_INNER = 3  # reasons within reasons
_LONGEST = 20_000  # characters of a reason that is looked for
# What the service says, and what people read of it where that is something else.
_SAID_OTHERWISE: tuple[tuple[str, str], ...] = (
    ("Found 1 problem\nline %(line)s:%(column)s: %(reason)s", N_("Line %(line)s, column %(column)s: %(reason)s")),
)
# Reasons that are read as they are said.
_REASONS: tuple[str, ...] = ()


def said_reason(catalogue: gettext.NullTranslations, reason: str, depth: int = 0) -> str:
    """Return a reason as people read it, in the language of a catalogue."""
    if depth > _MOST_INNER or len(reason) > _LONGEST:
        return reason
    for pattern, text in _patterns():
        if match := pattern.fullmatch(reason):
            values = {
                name: said_reason(catalogue, value, depth + 1) if name.startswith(_INNER) else value
                for name, value in match.groupdict().items()
            }
            said = catalogue.gettext(text)
            return said % values if values else said
    return reason


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    said = [*_SAID_OTHERWISE, *((reason, reason) for reason in _REASONS)]
    return [(_pattern(form), text) for form, text in said]


def _pattern(form: str) -> re.Pattern[str]:
    """Return a form of reasons as a pattern: a place of it holds any text."""
    parts = _PLACE.split(form)  # a text, the name of the place behind it, a text, …
    written = [f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)]
    return re.compile("".join(written), re.DOTALL)
