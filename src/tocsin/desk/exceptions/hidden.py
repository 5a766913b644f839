"""What exceptions would have hidden, asked of the alerts of the last 30 days."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.orm import Session
from starlette.requests import Request

from tocsin.api.dependencies import service_of
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.transactions import TransactionRunner
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.errors import InvalidError
from tocsin.investigation.hidden_alerts import HiddenAlertsTask
from tocsin.management.exceptions.items import hidden_alerts
from tocsin.query_dsl.build import FALSE
from tocsin.store.alerts.names import ALERTS_INDEX

DAYS = 30
_SINCE = f"now-{DAYS}d"


@dataclass(frozen=True)
class ExceptionPreview:
    """The alerts that an exception would have hidden: how many, how many of them are not closed, the newest.

    `ids` are those of the ones that are not closed, where they were asked for; `hides` tells whether the alert
    that was asked for is among them. `fault` says why it hides nothing.
    """

    total: int
    open: int
    rows: Sequence[FlatDocument] = ()
    ids: Sequence[str] = ()
    hides: bool = False
    fault: str = ""


async def hidden_by(
    request: Request,
    records: TransactionRunner,
    bodies: Sequence[Mapping[str, Any]],
    rules: Collection[str] | None,
    *,
    rows: int = 0,
    ids: bool = False,
    alert: str | None = None,
) -> list[ExceptionPreview]:
    """Return what each of some exceptions, in Kibana's form, would have hidden of the alerts of some rules.

    Raises ApiError.
    """
    schema = service_of(request).store.schema([ALERTS_INDEX])
    faults: dict[int, str] = {}

    def conditions(session: Session) -> list[Any]:
        read = []
        for number, body in enumerate(bodies):
            try:
                read.append(hidden_alerts(session, body, schema, rules))
            except InvalidError as error:
                faults[number] = error.message
                read.append(FALSE)
        return read

    task = HiddenAlertsTask(await records.read(conditions), _SINCE, rows, ids, alert)
    answers = orjson.loads(await searched(request, task))
    return [
        ExceptionPreview(
            answer["total"],
            answer["open"],
            list(map(flat_document, answer["hits"])),
            answer["ids"],
            answer["hides"],
            faults.get(number, ""),
        )
        for number, answer in enumerate(answers)
    ]
