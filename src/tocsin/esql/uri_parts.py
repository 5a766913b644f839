"""`uri_parts`: a URI taken apart, as Elasticsearch's processor of that name does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from tocsin.ecs import FieldType

URI_PARTS: Mapping[str, FieldType] = {
    "domain": FieldType.KEYWORD, "fragment": FieldType.KEYWORD, "path": FieldType.KEYWORD,
    "extension": FieldType.KEYWORD, "port": FieldType.LONG, "query": FieldType.KEYWORD,
    "scheme": FieldType.KEYWORD, "user_info": FieldType.KEYWORD, "username": FieldType.KEYWORD,
    "password": FieldType.KEYWORD,
}  # fmt: skip


def uri_parts(text: str) -> dict[str, Any]:
    """Return the parts that a URI has, none for a text that is no URI."""
    try:
        parsed = urlsplit(text)
        port = parsed.port
    except ValueError:
        return {}
    account, at, _ = parsed.netloc.rpartition("@")
    name, colon, password = account.partition(":")
    path = unquote(parsed.path)
    last = path.rpartition("/")[2]
    parts = {
        "scheme": parsed.scheme,
        "domain": parsed.netloc[len(account) + len(at) :].removesuffix(f":{port}"),
        "port": port,
        "path": path,
        "extension": last.rpartition(".")[2] if "." in last else "",
        "query": unquote(parsed.query),
        "fragment": unquote(parsed.fragment),
        "user_info": unquote(account),
        "username": unquote(name) if colon else "",
        "password": unquote(password) if colon else "",
    }
    return {part: value for part, value in parts.items() if value not in ("", None) or part == "path"}
