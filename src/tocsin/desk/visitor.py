"""Who looks at a page, and how they want to see it: zone, theme and language, which their browser keeps.

`Reader`, `Responder`, `RuleWriter`, `Administrator` and `Anybody` annotate a parameter of a handler: they let
through those who may do that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends
from starlette.requests import Request

from tocsin.api.security import allow
from tocsin.desk.translations import DEFAULT_LANGUAGE, LANGUAGES, preferred_language
from tocsin.store.records.access import Actor, Scope

# `tocsin_zone` is that of the browser's clock, which a script keeps; one that was chosen goes before it.
ZONE_COOKIE, CHOSEN_ZONE_COOKIE = "tocsin_zone", "tocsin_chosen_zone"
THEME_COOKIE, LANGUAGE_COOKIE = "tocsin_theme", "tocsin_language"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page. `csrf` is what their requests that change something must carry."""

    actor: Actor
    csrf: str
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    theme: str = "auto"
    language: str = DEFAULT_LANGUAGE

    @property
    def may_respond(self) -> bool:
        """Tell whether they may change alerts."""
        return self.actor.may(Scope.RESPOND)

    @property
    def may_write_rules(self) -> bool:
        """Tell whether they may change rules and exceptions."""
        return self.actor.may(Scope.WRITE_RULES)

    @property
    def may_administer(self) -> bool:
        """Tell whether they may change users and keys."""
        return self.actor.may(Scope.ADMIN)


def visitor(scope: Scope | None) -> Callable[[Request], Awaitable[Visitor]]:
    """Return a dependency that lets those see a page who may do something."""

    # A dependency of its own, so that a route's guard can be told from outside.
    async def find(request: Request, actor: Actor = Depends(allow(scope))) -> Visitor:  # noqa: B008
        return _visitor(request, actor)

    return find


def _visitor(request: Request, actor: Actor) -> Visitor:
    cookies = request.cookies
    zone, name = known_zone(cookies.get(CHOSEN_ZONE_COOKIE, "") or cookies.get(ZONE_COOKIE, ""))
    theme = cookies.get(THEME_COOKIE, "")
    csrf = getattr(request.state, "csrf", "")
    return Visitor(actor, csrf, zone, name, theme if theme in THEMES else "auto", language_of(request))


def visitor_of(request: Request) -> Visitor | None:
    """Return who sent a request, also one that was refused; None where nobody is logged in."""
    actor = getattr(request.state, "actor", None)
    return None if actor is None else _visitor(request, actor)


Anybody = Annotated[Visitor, Depends(visitor(None))]
Reader = Annotated[Visitor, Depends(visitor(Scope.READ))]
Responder = Annotated[Visitor, Depends(visitor(Scope.RESPOND))]
RuleWriter = Annotated[Visitor, Depends(visitor(Scope.WRITE_RULES))]
Administrator = Annotated[Visitor, Depends(visitor(Scope.ADMIN))]


def language_of(request: Request) -> str:
    """Return the language that a browser has chosen, else the first that it asks for and the desk has."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred_language(request.headers.get("accept-language", ""))


def known_zone(name: str) -> tuple[tzinfo, str]:
    """Return a zone by its name in the time-zone database, and the name; UTC for an unknown one."""
    try:
        return (ZoneInfo(name), name) if name and len(name) < 64 else (UTC, "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, "UTC"
