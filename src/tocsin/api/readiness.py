"""Whether the service can do its work, and what goes wrong beside it."""

from __future__ import annotations

from tocsin.api.operations_models import DamagedPart, Readiness, Status
from tocsin.api.service import Service
from tocsin.moments import iso
from tocsin.printable import printable


def readiness_of(service: Service) -> Readiness:
    """Return whether events can be stored, records be read and rules be run, and what else is wrong.

    `not ready` is a service without one of these; `degraded` one that goes on without something.
    """
    grave = _problems(
        events=service.store.check(),
        records=service.records.check(),
        rules=service.scheduler.check(),
        service="stopping" if service.stopping else None,
    )
    slight = _problems(
        rules=service.scheduler.problem,
        clock=service.clock.problem(),
        upkeep=service.store.upkeep_problem(),
        folders=service.watched.problem(),
        messages=service.deliveries.problem(),
        actions=service.host_actions.problem(),
    )
    damaged = [
        DamagedPart(name=printable(damage.name), reason=printable(damage.reason), since=iso(damage.since))
        for damage in service.store.set_aside()
    ]
    status: Status = "not ready" if grave else "degraded" if slight or damaged else "ready"
    return Readiness(status=status, problems={**slight, **grave}, set_aside=damaged)


def _problems(**checks: str | None) -> dict[str, str]:
    return {name: problem for name, problem in checks.items() if problem}
