"""Pages as a browser has them: their links and forms, and what in them would be a browser's to obey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

# Characters that a browser obeys without showing them: of control, of direction, of no width.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_SHOWN = frozenset(("title", "alt", "aria-label", "placeholder", "label"))
_LEADING = frozenset(("href", "src", "action", "formaction", "hx-get", "hx-post", "data-href", "xlink:href"))
_NEVER = frozenset(("base", "embed", "iframe", "object", "applet", "math", "portal"))


@dataclass
class Page(HTMLParser):
    """What a page leads to, sends by its buttons, loads in parts, and does that no page of the desk does."""

    links: set[str] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    _action: str | None = None  # of the form that is read
    _actions: dict[str, str | None] = field(default_factory=dict)  # of forms, by their ids

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _NEVER:
            self.problems.append(f"<{tag}>")
        for name, value in values.items():
            self._check(tag, name, value)
        loaded = values.get("src") or values.get("href", "")
        if tag in ("script", "img", "link") and not loaded.startswith("/desk/static/"):
            self.problems.append(f"<{tag}> loads {values}")
        if "href" in values and tag == "a":
            self.links.add(values["href"])
            away = urlsplit(values["href"]).netloc
            if away and not {"noopener", "noreferrer"} <= set(values.get("rel", "").split()):
                self.problems.append(f"a link to {away} tells where it comes from")
        if "data-href" in values:
            self.links.add(values["data-href"])
        if "hx-get" in values and tag != "form":
            self.parts.add(values["hx-get"])
        if tag == "form":
            self._begin_form(values)
        elif "hx-post" in values:
            self.forms.add(values["hx-post"])
        if tag == "button" and "disabled" not in values and values.get("type", "submit") == "submit":
            action = self._actions.get(values["form"]) if "form" in values else self._action
            if (address := values.get("formaction", action)) is not None:
                self.forms.add(address)
        if tag == "input":
            self.values.append((values.get("name", ""), values.get("value", "")))

    def _begin_form(self, values: dict[str, str]) -> None:
        method = values.get("method", "get").lower()
        if method == "get" and "hx-post" not in values:
            self.links.add(values.get("action", ""))
        self._action = values.get("hx-post", values.get("action", "")) if method != "dialog" else None
        if method != "post" and "hx-post" not in values:
            self._action = None
        self._actions[values.get("id", "")] = self._action

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = None

    def values_of(self, *names: str) -> list[str]:
        """Return the values of fields of forms."""
        return [value for name, value in self.values if name in names]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        # What is written in a field is its value, and so stays as it is.
        if self.lasttag != "textarea" and (hidden := HIDDEN.search(data)):
            self.problems.append(f"{hidden[0]!r} in the text {data[:80]!r}")

    def _check(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on") or name == "style":
            self.problems.append(f"{tag} has {name}={value[:80]!r}")
        if name in _LEADING and re.match(r"[\s\x00-\x20]*(javascript|data|vbscript|file):", value, re.IGNORECASE):
            self.problems.append(f"{tag} leads to {value[:80]!r}")
        if name in _SHOWN and (hidden := HIDDEN.search(value)):
            self.problems.append(f"{hidden[0]!r} in {name} of {tag}: {value[:80]!r}")


def read_page(text: str) -> Page:
    """Return what a page, or a part of one, holds."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def pages_from(
    client: httpx.Client, start: str, *, most: int = 150, each: int = 3
) -> Iterator[tuple[str, httpx.Response, Page]]:
    """Yield pages and parts that can be reached from one, each kind of address a few times: `each` of those that
    differ in their ids or queries alone. Log-out and other forms are not sent."""
    waiting, seen, kinds = [(start, False)], {start}, dict[tuple[str, ...], int]()
    while waiting and most:
        address, is_part = waiting.pop(0)
        kind = _kind(address)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > each:
            continue
        most -= 1
        headers = {"HX-Request": "true", "HX-Current-URL": f"{client.base_url}{start}"} if is_part else {}
        answer = client.get(address, headers=headers)
        is_file = answer.headers.get("content-disposition", "").startswith("attachment")
        is_page = answer.headers.get("content-type", "").startswith("text/html") and not is_file
        page = read_page(answer.text if is_page else "")
        yield address, answer, page
        found_links = [(link, False) for link in sorted(page.links)] + [
            (part, True) for part in sorted(page.parts)
        ]
        if answer.is_redirect:
            found_links.append((answer.headers["location"], False))
        for link, part in found_links:
            whole = urljoin(address, link)
            if (
                not urlsplit(whole).netloc
                and not urlsplit(whole).scheme
                and whole not in seen
                and whole.startswith("/")
            ):
                seen.add(whole)
                waiting.append((whole.partition("#")[0], part))


def _kind(address: str) -> tuple[str, ...]:
    """Return what an address has in common with those that differ from it in ids and values alone."""
    parts = urlsplit(address)
    path = re.sub(r"[0-9a-f-]{16,}|\d+", "…", parts.path)
    return (path, *sorted({pair.partition("=")[0] for pair in parts.query.split("&")}))
