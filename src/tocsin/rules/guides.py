"""Investigation guides in rules: their plugins written out where the text names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

PLACEHOLDER = re.compile(r"\$(investigate|osquery)_([0-9]{1,4})")


def with_plugins(text: str, transform: Mapping[str, Any]) -> str:
    """Return a guide whose `$investigate_0`, `$osquery_1` are written out as `!{investigate{…}}`, `!{osquery{…}}`.

    `transform` is the table of that name in a rule file, where the plugins stand. Elastic writes them out in its
    releases. A name without an entry stays as it is.
    """

    def written_out(match: re.Match[str]) -> str:
        entries, number = transform.get(match[1]), int(match[2])
        if not isinstance(entries, list) or number >= len(entries):
            return match[0]
        return f"!{{{match[1]}{orjson.dumps(entries[number], default=str).decode()}}}"

    return PLACEHOLDER.sub(written_out, text) if transform else text
