"""Changes of users, keys and sessions that a page asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends
from sqlalchemy.orm import Session

from tocsin.api.access_control import AccessControl
from tocsin.api.dependencies import ServiceGate
from tocsin.api.transactions import RequestTransactions, TransactionRunner

_T = TypeVar("_T")


@dataclass(frozen=True)
class AccessChangeRunner:
    """Makes changes of users, keys and sessions, after which credentials are checked anew."""

    records: TransactionRunner
    gate: AccessControl

    async def run(self, change: Callable[[Session], _T]) -> _T:
        """Return what a change returns, which is given a transaction. Raises what the change raises."""
        try:
            return await self.records.run(change)
        finally:
            self.gate.forget()


async def _runner(records: RequestTransactions, gate: ServiceGate) -> AccessChangeRunner:
    return AccessChangeRunner(records, gate)


AccessChanges = Annotated[AccessChangeRunner, Depends(_runner)]
