"""Look-ups: questions to services outside about observables, what was answered, and how old that is.

A question is written down before it is sent, and counts against the quota whatever comes of it; what was
answered is kept, and asked again only by somebody who wants that. Nothing is sent that may not be
(`sending.py`), to a service that is switched off, or beyond its quota.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tocsin.actions.egress import EgressPolicy
from tocsin.actions.webhook import Answer, ExchangeError, exchange
from tocsin.errors import InvalidError, TocsinError
from tocsin.investigation.observables import Observable
from tocsin.response.reputation.sending import never_sent
from tocsin.response.reputation.service_settings import (
    SENT,
    ServiceSettings,
    key_of,
    own_domains,
    service_settings,
    settings_of,
)
from tocsin.response.reputation.services.service import NoVerdictError, ReputationProvider, ServiceVerdict
from tocsin.store.records.access import Actor, record
from tocsin.store.records.database import Records, begin_to_write, chunks
from tocsin.store.records.reputation import ReputationLookUp, ReputationService

ASKING, ANSWERED, REFUSED, FAILED = "asking", "answered", "refused", "failed"
FRESH = timedelta(hours=24)  # for which a verdict is not asked for again
KEPT = timedelta(days=90)
TIMEOUT = 20.0  # seconds
_MOST_OF_ANSWER = 4 << 20
_WAIT = 60.0  # seconds after a 429 that does not say how long to wait
_LONGEST_WAIT = 32 * 86_400.0
_LONGEST_VALUE = 2_048
_NO_ANSWER = "the service ended before the answer came"


class QuotaError(TocsinError):
    """A service may not be asked now: what it takes in a span of time is used up."""


@dataclass(frozen=True)
class LookUp:
    """What came of asking a service about an observable last. `verdict` is there if the state is `answered`."""

    service: ReputationProvider
    kind: str
    value: str
    state: str
    asked: datetime
    asked_by: str
    verdict: ServiceVerdict | None = None
    problem: str = ""

    @property
    def is_fresh(self) -> bool:
        """Whether it is not asked again."""
        return self.state == ANSWERED and datetime.now(UTC) - self.asked < FRESH


@dataclass(frozen=True)
class Offer:
    """A service that can be asked about an observable, and what it said of it last."""

    settings: ServiceSettings
    last: LookUp | None
    refused: str = ""  # why the value is never sent


def begin_again(session: Session) -> int:
    """After a start, have questions failed whose answer was not waited for; return how many there were."""
    failed = {"problem": _NO_ANSWER}
    ended = update(ReputationLookUp).where(ReputationLookUp.state == ASKING).values(state=FAILED, verdict=failed)
    count = len(session.scalars(select(ReputationLookUp.id).where(ReputationLookUp.state == ASKING)).all())
    session.execute(ended)
    return count


def offers(session: Session, observables: Iterable[Observable]) -> Mapping[tuple[str, str], list[Offer]]:
    """Return, by kind and value, the services that are switched on and take such a value, with what they said."""
    enabled = [settings for settings in service_settings(session) if settings.enabled]
    own = own_domains(session) if enabled else ()
    wanted = list(observables)
    pairs = [
        (settings, observable)
        for observable in wanted
        for settings in enabled
        if observable.kind in settings.service.questions
    ]
    keys = [_key(settings.service.id, observable.kind, observable.value) for settings, observable in pairs]
    last = _last(session, keys)
    made: dict[tuple[str, str], list[Offer]] = {(observable.kind, observable.value): [] for observable in wanted}
    for (settings, observable), key in zip(pairs, keys, strict=True):
        row = last.get(key)
        known = None if row is None else _look_up(settings.service, row)
        refused = never_sent(observable.kind, observable.value, own) or ""
        made[observable.kind, observable.value].append(Offer(settings, known, refused))
    return made


@dataclass(frozen=True)
class Look:
    """Asks services, within their quotas, at addresses that the service may reach."""

    records: Records
    egress: EgressPolicy
    timeout: float = TIMEOUT

    def up(self, actor: Actor, service_id: str, kind: str, value: str, *, again: bool = False) -> LookUp:
        """Return what a service says of a value: what it said lately, unless it is to be asked `again`.

        Raises NotFoundError, InvalidError for what is never sent or a service that is switched off, and
        QuotaError.
        """
        with self.records.transaction() as session:
            begin_to_write(session)
            settings = settings_of(session, service_id)
            known = _last(session, [_key(service_id, kind, value)])
            row = next(iter(known.values()), None)
            if row is not None:
                look_up = _look_up(settings.service, row)
                if look_up.state == ASKING and datetime.now(UTC) - look_up.asked < timedelta(seconds=self.timeout):
                    return look_up
                if look_up.is_fresh and not again:
                    return look_up
            _check(session, settings, kind, value)
            refused = _beyond_quota(settings)
            row = _row(service_id, kind, value, actor, REFUSED if refused else ASKING)
            row.verdict = {"problem": refused} if refused else None
            session.add(row)
            if not refused:  # what leaves the house
                record(session, actor, "reputation.ask", value[:160], service=settings.service.name, kind=kind)
            _let_go(session)
            session.flush()
            id_, key = row.id, key_of(session, service_id)
        if refused:
            raise QuotaError(refused)
        return self._asked(settings, id_, kind, value, key)

    def _asked(self, settings: ServiceSettings, id_: int, kind: str, value: str, key: str) -> LookUp:
        verdict: ServiceVerdict | None = None
        problem, answer = "", None
        try:
            request = settings.service.questions[kind](settings.address, value, key)
            answer = exchange(request, self.egress, self.timeout, most_of_answer=_MOST_OF_ANSWER)
            verdict = _verdict(settings.service, kind, answer)
        except ExchangeError as error:
            problem = str(error)
        except NoVerdictError as error:
            problem = str(error)
        with self.records.transaction() as session:
            row = session.get_one(ReputationLookUp, id_)
            row.state = FAILED if verdict is None else ANSWERED
            row.verdict = {"problem": problem[:500]} if verdict is None else asdict(verdict)
            if answer is not None and answer.status == 429:
                wait = min(answer.retry_after or _WAIT, _LONGEST_WAIT)
                service = session.get_one(ReputationService, settings.service.id)
                service.blocked_until = datetime.now(UTC) + timedelta(seconds=wait)
            return _look_up(settings.service, row)


def _verdict(service: ReputationProvider, kind: str, answer: Answer) -> ServiceVerdict:
    """Return the verdict of an answer. Raises NoVerdictError, whose text says what was answered instead."""
    if answer.status in service.not_known:
        return ServiceVerdict.unknown()
    if answer.status == 429:
        raise NoVerdictError(f"{service.name} says that its quota is used up (429)")
    if answer.status in (401, 403):
        raise NoVerdictError(f"{service.name} refuses the key ({answer.status})")
    if 300 <= answer.status < 400:
        raise NoVerdictError(f"{service.name} answered with a redirect ({answer.status}), which is not followed")
    if answer.status != 200:
        raise NoVerdictError(f"{service.name} answered {answer.status}")
    try:
        document = orjson.loads(answer.text)
    except orjson.JSONDecodeError:
        raise NoVerdictError(f"{service.name} answered with no JSON, or with more than is read") from None
    return service.read(kind, document)


def _check(session: Session, settings: ServiceSettings, kind: str, value: str) -> None:
    """Raise InvalidError where a service is not asked about a value."""
    name = settings.service.name
    if not settings.enabled:
        raise InvalidError(f"{name} is switched off; an administrator can switch it on")
    if kind not in settings.service.questions:
        raise InvalidError(f"{name} is not asked about a {kind}")
    if len(value) > _LONGEST_VALUE:
        raise InvalidError(f"the value has more than {_LONGEST_VALUE:,} characters: it is never sent")
    if reason := never_sent(kind, value, own_domains(session)):
        raise InvalidError(f"the value {reason}: it is never sent")


def _beyond_quota(settings: ServiceSettings) -> str:
    """Return why a service may not be asked now, nothing where it may."""
    if settings.blocked_until is not None:
        moment = settings.blocked_until.strftime("%Y-%m-%d %H:%M:%S")
        return f"{settings.service.name} said not to ask before {moment} UTC"
    for usage in settings.usage:
        if not usage.left:
            limit = usage.limit
            span = {60: "a minute", 3_600: "an hour", 86_400: "a day"}.get(
                limit.seconds, f"{limit.seconds} seconds"
            )
            return f"{settings.service.name} takes {limit.questions:,} questions {span}, and they are used up"
    return ""


def _row(service_id: str, kind: str, value: str, actor: Actor, state: str) -> ReputationLookUp:
    return ReputationLookUp(
        key=_key(service_id, kind, value), service=service_id, kind=kind, value=value, asked=datetime.now(UTC),
        asked_by=actor.name[:160], state=state, verdict=None,
    )  # fmt: skip


def _key(service_id: str, kind: str, value: str) -> str:
    return hashlib.sha256(orjson.dumps([service_id, kind, value])).hexdigest()


def _last(session: Session, keys: Sequence[str]) -> dict[str, ReputationLookUp]:
    """Return, by key, the last look-up of each that was sent."""
    last: dict[str, ReputationLookUp] = {}
    for some_keys in chunks(keys):
        query = select(ReputationLookUp).where(
            ReputationLookUp.key.in_(some_keys), ReputationLookUp.state.in_(SENT)
        )
        last.update((row.key, row) for row in session.scalars(query.order_by(ReputationLookUp.id)))
    return last


def _look_up(service: ReputationProvider, row: ReputationLookUp) -> LookUp:
    said: Mapping[str, Any] = row.verdict or {}
    verdict = ServiceVerdict(said["rating"], said["says"]) if row.state == ANSWERED else None
    return LookUp(
        service, row.kind, row.value, row.state, row.asked, row.asked_by, verdict, str(said.get("problem", ""))
    )


def _let_go(session: Session) -> None:
    """Let go of look-ups that are too old to be of use."""
    session.execute(delete(ReputationLookUp).where(ReputationLookUp.asked < datetime.now(UTC) - KEPT))
