"""Log lines as ECS JSON, or as text for a person; secrets are cut out of them."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import ecs_logging

from tocsin.moments import iso
from tocsin.printable import is_terminal, printable_line

_SECRETS = re.compile(
    r"(?i)((?:authorization|password|api_key|cookie|x-csrf-token)[\"']?\s*[:=]\s*[\"']?"
    r"(?:basic |apikey |bearer )?)[^\s\"',;&]+|(://[^:/@\s]+:)[^@/\s]+(?=@)"
)


def without_secrets(text: str) -> str:
    """Return a text with what looks like a password, a key or a cookie cut out."""
    return _SECRETS.sub(lambda secret: (secret[1] or secret[2]) + "***", text)


class _Ecs(ecs_logging.StdlibFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        document = super().format_to_ecs(record)
        document["service"] = {"name": "tocsin"}
        return document


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's)
        return printable_line(super().formatMessage(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's)
        return iso(int(record.created * 1000) * 1_000_000).replace("T", " ").removesuffix("Z")


def set_up_logs(level: str, form: str) -> None:
    """Send every log line to standard error: as `ecs`, as `text` in UTC, or `auto`, text on a terminal alone."""
    handler = logging.StreamHandler(sys.stderr)
    text = form == "text" or (form == "auto" and is_terminal(sys.stderr))
    handler.setFormatter(_Text("%(asctime)s %(levelname)-7s %(message)s") if text else _Ecs())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # each request is logged once, with its duration
    # What the server says of its own start is of no use to a person who is shown the address.
    for name in ("alembic", "watchfiles", "filelock", *(("uvicorn.error",) if text else ())):
        logging.getLogger(name).setLevel(logging.WARNING)
