"""Pages as HTML: the templates, what they can call, and what a browser may do with a page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from tocsin import __version__
from tocsin.api.answers import ApiError
from tocsin.api.dependencies import service_of
from tocsin.desk.alerts.undo_offers import taken_message
from tocsin.desk.documents import FlatDocument
from tocsin.desk.navigation import NAVIGATION
from tocsin.desk.reasons import said_reason
from tocsin.desk.roles import ROLE_LABELS, SCOPE_DESCRIPTIONS
from tocsin.desk.shown import (
    as_data,
    bold,
    cut_in_the_middle,
    moment_text,
    paragraphs,
    shown_age,
    shown_duration,
    shown_moment,
    shown_rate,
    shown_size,
    shown_span,
    visible,
    visible_lines,
)
from tocsin.desk.translations import LANGUAGES, N_, translated, translations
from tocsin.desk.visitor import Visitor, language_of, visitor_of
from tocsin.desk.words import UNIT_WORDS, WORDS
from tocsin.detection.schedule import span
from tocsin.investigation.happened import who_did_what
from tocsin.moments import iso
from tocsin.response.host_actions.requests import person_of

_UNIT = re.compile(r"([0-9][0-9,]*) ?(" + "|".join(sorted(UNIT_WORDS, key=len, reverse=True)) + r")\b")
_LONGEST_REASON = 4_000  # characters of why something was refused
STATIC = Path(__file__).parent / "static"
# Nothing from elsewhere, no script and no style written into a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin.desk"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue = translations(language)

    # A label may be a text of the source, or a rule's tag: it is escaped, and a `%` in it is one.
    def gettext(text: str, **values: object) -> Markup:
        label = escape(catalogue.gettext(text))
        return label % values if values else label

    def ngettext(singular: str, plural: str, number: int, /, **values: object) -> Markup:
        return escape(catalogue.ngettext(singular, plural, number)) % {"num": number, **values}

    environment.install_gettext_callables(gettext, ngettext)  # type: ignore[attr-defined]

    def word(value: object) -> str:
        text = str(value)
        return catalogue.gettext(WORDS[text]) if text in WORDS else visible(value)

    def reason(text: object) -> Markup:
        """Return why something was refused, in lines, as people read it."""
        lines = visible_lines(cut_in_the_middle(said_reason(catalogue, str(text)), _LONGEST_REASON))
        return Markup('<span class="reason">{}</span>').format(lines)

    def units(text: str) -> str:
        """Return a span of time as `2 min`, its units in the language."""
        return _UNIT.sub(lambda match: catalogue.gettext(UNIT_WORDS[match[2]]) % {"count": match[1]}, text)

    def ago(moment: object, now: datetime) -> str:
        return catalogue.gettext(N_("%(age)s ago")) % {"age": units(shown_age(moment, now))}

    def sentence(document: FlatDocument) -> str:
        """Return what happened: who did what; what the rule says of it where the event does not tell."""
        return who_did_what(document.text, catalogue.gettext) or document.text("kibana.alert.reason")

    environment.filters |= {
        "units": units, "ago": ago, "sentence": sentence, "moment_text": moment_text,
        "age": lambda moment, now: units(shown_age(moment, now)),
        "between": lambda start, end: units(shown_span(start, end)),
        "duration": lambda nanoseconds: units(shown_duration(nanoseconds)),
        "span": lambda nanoseconds: units(span(nanoseconds)), "rate": lambda rate: units(shown_rate(rate)),
        "reason": reason, "bold": bold, "paragraphs": paragraphs,
        "visible": visible, "word": word, "moment": shown_moment, "cut": cut_in_the_middle,
        "visible_lines": visible_lines, "as_data": as_data,
        "size": shown_size,
        "moment_ns": lambda moment, zone: shown_moment(iso(moment), zone),
    }  # fmt: skip
    environment.globals |= {
        "asset": asset, "version": __version__, "language": language, "languages": LANGUAGES,
        "navigation": NAVIGATION, "role_labels": ROLE_LABELS, "scope_descriptions": SCOPE_DESCRIPTIONS,
    }  # fmt: skip
    return environment


@cache
def asset(name: str) -> str:
    """Return the address of a script or style: another one when its content is another."""
    path = STATIC / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else "none"
    return f"/desk/static/{name}?v={digest}"


def page(
    request: Request,
    template: str,
    visitor: Visitor | None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """Return a template as a page, filled with its context."""
    environment = _environment(visitor.language if visitor else language_of(request))
    if "message" not in context:
        context["message"] = (
            None if visitor is None or "hx-request" in request.headers else taken_message(request, visitor)
        )
    context |= {"visitor": visitor, "path": request.url.path, "now": datetime.now(UTC)}
    context["waiting_for_approval"] = _waiting_for_approval(request, visitor)
    text = environment.get_template(template).render(context)
    return HTMLResponse(text, status, {"Content-Security-Policy": POLICY, **(headers or {})})


def _waiting_for_approval(request: Request, visitor: Visitor | None) -> int:
    """Return how many actions on hosts wait for the approval of somebody like the visitor."""
    if visitor is None or not visitor.may_respond:
        return 0
    requesters = service_of(request).host_actions.requesters()
    return sum(requester != person_of(visitor.actor) for requester in requesters)


def part(template: str, visitor: Visitor, **context: Any) -> Markup:
    """Return a template as a part of a page, filled with its context."""
    text = _environment(visitor.language).get_template(template).render(visitor=visitor, **context)
    return Markup(text)  # templates escape


# What was wrong, by the status of its answer; the phrases of the protocol stand for others.
_ERRORS = {
    400: N_("This cannot be done"), 403: N_("Not allowed"), 404: N_("Not found"), 405: N_("Not allowed"),
    408: N_("It took too long"), 409: N_("It has changed meanwhile"), 413: N_("Too large"),
    429: N_("Too many requests"), 500: N_("Something went wrong here"), 503: N_("Not available now"),
}  # fmt: skip


def error_page(request: Request, error: ApiError) -> HTMLResponse:
    """Return a page, or the part of one that was asked for, that says what was wrong."""
    template = "shared/error_part.html" if "hx-request" in request.headers else "shared/error.html"
    visitor = visitor_of(request)
    title = _ERRORS.get(error.status) or HTTPStatus(error.status).phrase
    context = {"title": translated(language_of(request), title), "reason": error.reason}
    return page(request, template, visitor, status=error.status, headers=error.headers, **context)
