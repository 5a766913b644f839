"""Which parts of a connector are secret: its secrets, most of its headers, and everything after an address's host.

The path of an address is often a secret (Slack, Teams, Discord, Mattermost), and nothing marks such a path as one.
So people are shown scheme, host and port. Sending back what was shown changes nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from tocsin.store.records.models import Connector

MASK = "***"
_OPEN_HEADERS = frozenset({"accept", "accept-language", "content-type", "kbn-xsrf", "user-agent"})
_OPEN_SETTINGS = frozenset(
    {"authType", "certType", "format", "hasAuth", "method", "verificationMode", "verify"}
)  # of a connector's `config`; `url` and `headers` are looked into
_SHORTEST = 4  # characters of a secret that is looked for in a text
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.I)


def masked_address(url: str) -> str:
    """Return an address as people are shown it: its host and port, and a mask for the rest."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return MASK
    if not host:
        return MASK
    where = f"[{host}]" if ":" in host else host
    signed_in = f"{MASK}@" if "@" in parts.netloc else ""
    more = f"/{MASK}" if parts.path.strip("/") or parts.query or parts.fragment else parts.path
    return f"{parts.scheme}://{signed_in}{where}{'' if port is None else f':{port}'}{more}"


def masked_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connector's settings as people are shown them."""
    return {name: _masked(name, value) for name, value in config.items()}


def _masked(name: str, value: Any) -> Any:
    if name == "url" and isinstance(value, str):
        return masked_address(value)
    if name == "headers" and isinstance(value, Mapping):
        return {header: text if header.lower() in _OPEN_HEADERS else MASK for header, text in value.items()}
    if name in _OPEN_SETTINGS or value is None or isinstance(value, bool | int | float):
        return value
    return MASK


def is_masked(config: Mapping[str, Any]) -> bool:
    """Return whether a part of some settings is a mask, so that its value is not known."""
    headers = config.get("headers")
    values = [*config.values(), *(headers.values() if isinstance(headers, Mapping) else ())]
    return any(isinstance(value, str) and MASK in value for value in values)


def changed_config(given: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return settings with the values that masks stand for, and whether the address stays the same.

    Masked values belong to the address that they were given with: another address does not get them.
    """
    config = dict(given)
    if "url" in before and config.get("url") == masked_address(str(before["url"])):
        config["url"] = before["url"]
    same = config.get("url") == before.get("url")
    known = before.get("headers")
    known = {str(name).lower(): value for name, value in known.items()} if isinstance(known, Mapping) else {}
    headers = config.get("headers")
    if isinstance(headers, Mapping):
        kept = {name: known.get(name.lower()) if value == MASK else value for name, value in headers.items()}
        config["headers"] = {
            name: value for name, value in kept.items() if value is not None and (same or headers[name] != MASK)
        }
    for name, value in given.items():
        if value == MASK and name in before:
            if same:
                config[name] = before[name]
            else:
                del config[name]
    return config, same


def redacted(text: str, connector: Connector) -> str:
    """Return a text, an answer say, in one line, without the secrets of a connector and with addresses masked."""
    for secret in sorted(set(_secrets(connector)), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return without_addresses("".join(character if character.isprintable() else " " for character in text))


def without_addresses(text: str) -> str:
    """Return a text whose addresses are masked."""
    return _ADDRESS.sub(lambda match: masked_address(match[0]), text)


def _secrets(connector: Connector) -> Iterator[str]:
    headers = connector.config.get("headers")
    given = headers.items() if isinstance(headers, Mapping) else ()
    user, password = connector.secrets.get("user"), connector.secrets.get("password")
    values = [
        *_texts(connector.secrets),
        *(str(value) for name, value in given if str(name).lower() not in _OPEN_HEADERS),
        *(text for name, value in connector.config.items() if name not in (*_OPEN_SETTINGS, "headers", "url")
          for text in _texts(value)),
    ]  # fmt: skip
    if user:
        values.append(base64.b64encode(f"{user}:{password or ''}".encode()).decode())
    for address in (connector.config.get("url"), *_texts(connector.secrets)):
        if isinstance(address, str) and MASK in masked_address(address):
            values += _parts(address)
    for value in values:
        for text in (value, unquote(value), *value.split()):  # `Bearer …` is a secret behind a word
            if len(text) >= _SHORTEST:
                yield text


def _parts(address: str) -> list[str]:
    """Return the parts of an address that may be secrets."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return [address]
    pairs = re.split(r"[&;=]", parts.query)
    whole = parts.path + (f"?{parts.query}" if parts.query else "")
    return [address, whole, parts.username or "", parts.password or "", *parts.path.split("/"), *pairs]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return []
