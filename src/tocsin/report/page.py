"""A report as one page: its templates, its style and script inside it, and a policy that lets nothing else in."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from tocsin import __version__
from tocsin.printable import printable
from tocsin.report.moments_shown import shown_time


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin.report"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.globals |= {"version": __version__, "time": shown_time, "cut": _cut}
    return environment


def _visible(value: Any) -> Any:
    """Return a value as the page shows it, without what would hide in it or turn its direction."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … and {len(text) - most:,} characters more"


def report_page(template: str, *, places: list[int], **context: Any) -> str:
    """Return a report; `places` are those on its timeline, in thousandths."""
    style, script = _inline("report.css", places=places), _inline("report.js")
    page = _environment().get_template(template)
    return page.render(policy=_policy(style, script), style=style, script=script, **context)


def _inline(template: str, **values: Any) -> Markup:
    """Return the page's style or script."""
    return Markup(_environment().get_template(template).render(**values))


def _policy(style: str, script: str) -> str:
    """Return the page's policy: nothing is loaded, and no style or script but its own is taken, by their hashes.

    The words are those of Content Security Policy Level 3, which needs neither `unsafe-inline` nor a server.
    """
    hashed = (f"'sha256-{b64encode(sha256(part.encode()).digest()).decode()}'" for part in (style, script))
    return "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'".format(*hashed)
