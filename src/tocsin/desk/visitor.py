"""Who looks at a page, and how they want to see it: zone of time and theme, which their browser keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request

from tocsin.api.security import allow
from tocsin.store.records.access import Actor, Scope

ZONE_COOKIE, THEME_COOKIE = "tocsin_zone", "tocsin_theme"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page. `csrf` is what their requests that change something must carry."""

    actor: Actor
    csrf: str
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    theme: str = "auto"

    @property
    def may_respond(self) -> bool:
        """Tell whether they may change alerts."""
        return self.actor.may(Scope.RESPOND)

    @property
    def may_write_rules(self) -> bool:
        """Tell whether they may change rules and exceptions."""
        return self.actor.may(Scope.WRITE_RULES)


def visitor(scope: Scope | None) -> Callable[[Request], Awaitable[Visitor]]:
    """Return a dependency that lets those see a page who may do something."""
    check = allow(scope)

    async def find(request: Request) -> Visitor:
        actor = await check(request)
        zone, name = _zone(request.cookies.get(ZONE_COOKIE, ""))
        theme = request.cookies.get(THEME_COOKIE, "")
        csrf = getattr(request.state, "csrf", "")
        return Visitor(actor, csrf, zone, name, theme if theme in THEMES else "auto")

    return find


def _zone(name: str) -> tuple[tzinfo, str]:
    try:
        return (ZoneInfo(name), name) if name and len(name) < 64 else (UTC, "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, "UTC"
