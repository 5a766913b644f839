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
_REASONS: tuple[str, ...] = (
    N_("the query ends too early"),
    N_("the query ends too early (%(reason)s)"),
    N_("unexpected `%(token)s`"),
    N_("unexpected `%(token)s` (%(reason)s)"),
    N_("unexpected character `%(character)s` (put the value in quotes, or a backslash before the character)"),
    N_("unexpected character `%(character)s`"),
    N_("expected %(reason)s"),
    N_("a value"),
    N_("a value or %(rest)s"),
    N_("put the value in quotes, or a backslash before the character"),
    N_("this value's quote is never closed"),
    N_("the query is nested too deeply"),
    N_("the query is nested too deeply (split it into several rules)"),
    N_("unknown field `%(field)s`"),
    N_("the time cannot be read: %(reason)s"),
    N_("`%(text)s` is neither a date (2026-11-24T13:00:00Z) nor date math (now-48h)"),
    N_("`%(text)s` is no date math; write it as in now-48h/h"),
    N_("`%(text)s`: `%(rest)s` is no date math; write it as in now-48h/h"),
    N_("`%(text)s`: put `||` between a date and its math"),
    N_("a list of alerts has at most %(filters)s filters, of %(characters)s characters together"),
    N_("the place within the list cannot be read: go back to its first page"),
    N_("there is no facet %(name)s"),
    N_("there is no alert %(id)s"),
    N_("there is no user %(id)s"),
    N_("%(name)s not found"),
    N_("a comment has at most %(most)s characters"),
    N_("a note has at most %(most)s characters"),
    N_("a note has 1 to %(most)s characters"),
    N_("a tag has at most %(most)s characters"),
    N_("[tag] has 1 to 255 characters"),
    N_("alerts cannot be assigned to %(names)s: no such user may respond to them"),
    N_("[status] is one of %(states)s, not `%(state)s`"),
    N_("the address names no process: choose one of the outline"),
    N_("the guide of this alert has no query %(number)s"),
    N_("the guide of this alert has no step %(number)s"),
    N_("a condition names no field: choose one, or take the condition away"),
    N_("%(field)s: the value is empty; choose `exists` for any value"),
    N_("%(field)s: choose a list of values"),
    N_("%(field)s: nested conditions are a JSON list of entries"),
    N_("%(field)s: the nested conditions are no JSON: %(error)s"),
    N_("an exception has at most %(most)s conditions"),
    N_("choose at least one condition"),
    N_("the name has 1 to %(most)s characters"),
    N_("[name] has 1 to %(most)s characters"),
    N_("the moment of expiry cannot be read: `%(text)s`"),
    N_("somebody else has changed this exception since this page was shown: open it anew"),
    N_("a list has a name"),
    N_("this list is one rule's own: other rules cannot use it"),
    N_("no rule is called `%(name)s`"),
    N_("there is no value to add"),
    N_("`%(value)s` is no value of a list of the type %(type)s"),
    N_('list item value: "%(value)s" already exists'),
    N_("the file has more than %(most)s lines"),
    N_("the file has more than %(most)s objects"),
    N_("the address of a timeline has at most %(most)s characters"),
    N_("the name of a column has at most %(most)s characters"),
    N_("a timeline has at most %(most)s columns, not %(count)s"),
    N_("a timeline has at most %(most)s pinned events: unpin some"),
    N_("a timeline has at most %(most)s notes: remove some"),
    N_("the address names no event: it is an index, a colon, and an id"),
    N_("the address names no page: go back to the first one"),
    N_("this event is not in the store: it cannot be pinned"),
    N_("the note is of %(name)s: nobody else removes it"),
    N_("%(count)s runs are too many for a preview: choose a shorter span, or a longer interval"),
    N_(
        "%(name)s has changed this rule since this page was shown, to revision %(revision)s. Open it "
        "anew in another tab, or save yours as a new rule"
    ),
    N_("the rule has no version %(revision)s"),
    N_("is missing"),
    N_("[name] is empty"),
    N_("only users have a list that begins with a view of theirs"),
    N_("another site's page sent this form"),
    N_("the user or the password is wrong"),
    N_("too many wrong passwords for this user or from this address: try again in %(seconds)s s"),
    N_("%(name)s may not do this: it needs the scope [%(scope)s]"),
    N_("a password has %(shortest)s to %(longest)s characters"),
    N_("a user's name has 1 to 128 printable characters and no colon"),
    N_("there is a user called `%(name)s` already"),
    N_("`%(name)s` is the only admin (make another user one first)"),
    N_("no user called `%(name)s`"),
    N_("a key's name has 1 to 128 printable characters"),
    N_("there is a key called `%(name)s` already (revoke that one, or take another name)"),
    N_("a key needs a scope (some of %(scopes)s)"),
    N_("%(count)s searches wait for others to end (try again later)"),
    N_("%(count)s requests wait for others to end: try again later"),
    N_("the work took too long: ask for less at once"),
    N_("the work was cancelled"),
    N_("the service stops"),
    N_("This page could not be written: that is an error of tocsin's own. The service's log has it."),
)


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
