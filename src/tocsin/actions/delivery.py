"""Messages about alerts, delivered: by webhook, or by Apprise to the hundred services that it knows.

A message that fails is tried again with growing pauses, for about a day; the outcome of each message is recorded.
The messages of one connector are delivered one after the other; connectors do not wait for each other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import orjson
from sqlalchemy import select

from tocsin.actions import apprise_process
from tocsin.actions.egress import EgressPolicy
from tocsin.actions.masking import is_masked, masked_address, redacted
from tocsin.actions.messages import Message, MessageTemplateError, message_of
from tocsin.actions.outbox import DELIVERED, FAILED, WAITING
from tocsin.actions.webhook import ExchangeError, exchange
from tocsin.backoff import pause_after
from tocsin.store.clock import ArrivalClock
from tocsin.store.records.database import Records
from tocsin.store.records.models import Connector, Delivery, StoredAlert, StoredRule
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
_TRIES = 12
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=6)
_MESSAGES_PER_TURN = 50  # of a connector
_TURN = 30.0  # seconds, after which a connector makes room for others that wait
_CONNECTORS = 32  # that deliver at the same time
MESSAGE_TIMEOUT = 15.0  # seconds for one message
_MAX_ALERTS = 100  # that a message holds whole
_MAX_ANSWER = 200  # characters of an answer that errors show


class DeliveryError(Exception):
    """A message that could not be delivered; `lasting` says that trying again makes no sense."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


def send_webhook(connector: Connector, message: Message, egress: EgressPolicy, timeout: float) -> None:
    """Send a message to an address, within `timeout` seconds. Raises DeliveryError."""
    config, secrets = connector.config, connector.secrets
    user = secrets.get("user")
    shown = masked_address(str(config["url"]))
    headers = httpx.Headers(
        {"Accept-Encoding": "identity", "Content-Type": "application/json", "kbn-xsrf": "tocsin"}
    )
    try:
        headers.update(config.get("headers") or {})
        request = httpx.Request(
            str(config.get("method", "post")).upper(), str(config["url"]), content=message.body, headers=headers
        )
        if user:
            request = next(httpx.BasicAuth(str(user), str(secrets.get("password", ""))).auth_flow(request))
    except (httpx.InvalidURL, ValueError, TypeError):  # their texts hold the address or the header
        raise DeliveryError(f"the address or a header of {shown} cannot be sent", lasting=True) from None
    try:
        answer = exchange(request, egress, timeout, verify=config.get("verify", True) is not False)
    except ExchangeError as error:
        reason = redacted(str(error), connector)
        raise DeliveryError(f"{shown} cannot be reached: {reason}", lasting=error.lasting) from None
    if answer.status >= 300:
        lasting = answer.status < 500 and answer.status not in (408, 425, 429)
        text = redacted(answer.text, connector)[:_MAX_ANSWER]
        raise DeliveryError(f"{shown} answers {answer.status}: {text}", lasting=lasting)


def send_apprise(connector: Connector, message: Message, egress: EgressPolicy, timeout: float) -> None:
    """Send a message to all Apprise addresses of a connector, within twice `timeout`. Raises DeliveryError."""
    given = connector.secrets.get("urls") or connector.secrets.get("url") or ()
    urls = [given] if isinstance(given, str) else [str(url) for url in given]
    if not urls:
        raise DeliveryError("the connector has no address: put Apprise's into secrets.urls", lasting=True)
    try:
        outcome = apprise_process.notify_apart(
            urls, message.title, message.text, message.format, egress, 2 * timeout
        )
    except TimeoutError:
        raise DeliveryError(f"Apprise had not delivered it within {2 * timeout:g} seconds") from None
    if outcome != apprise_process.DELIVERED:
        raise DeliveryError(_APPRISE_ERRORS[outcome], lasting=outcome != apprise_process.FAILED)


_APPRISE_ERRORS = {
    apprise_process.UNKNOWN_ADDRESS: "Apprise does not know an address of the connector",
    apprise_process.REFUSED: "an address of the connector leads to a loopback, link-local or private network, or "
    "to a program; `connector_networks` says which networks connectors may reach",
    apprise_process.FAILED: "Apprise could not deliver it",
}
_Send = Callable[[Connector, Message, EgressPolicy, float], None]
SENDERS: Mapping[str, _Send] = {
    ".webhook": send_webhook,
    ".apprise": send_apprise,
}


def send(connector: Connector, message: Message, egress: EgressPolicy, timeout: float = MESSAGE_TIMEOUT) -> None:
    """Send a message through a connector, within `timeout` seconds.

    Raises DeliveryError, whatever goes wrong; it names no secret.
    """
    sender = SENDERS.get(connector.type)
    if sender is None:
        raise DeliveryError(f"connectors of the type {connector.type} cannot deliver", lasting=True)
    if connector.is_undecryptable:
        raise DeliveryError(
            "no key decrypts the connector's settings: give the former key, or the settings anew", lasting=True
        )
    if is_masked(connector.config):
        raise DeliveryError("the connector lacks what exports hide: give it its address and headers", lasting=True)
    try:
        sender(connector, message, egress, timeout)
    except DeliveryError:
        raise
    except Exception as error:
        reason = redacted(f"{type(error).__name__}: {error}", connector)
        log.error("delivering failed: %s", reason)  # a traceback would show secrets
        raise DeliveryError(reason) from None


class Deliverer:
    """Delivers what is due by the clock of arrivals, connector by connector, each in a thread.

    `egress` says what connectors may reach, `timeout` how many seconds one message may take.
    """

    def __init__(
        self,
        records: Records,
        clock: ArrivalClock | None = None,
        egress: EgressPolicy | None = None,
        timeout: float = MESSAGE_TIMEOUT,
    ) -> None:
        self.records, self.clock, self.egress = records, clock or ArrivalClock(), egress or EgressPolicy()
        self._timeout = timeout
        self._pool = ThreadPoolExecutor(_CONNECTORS, thread_name_prefix="deliver")
        self._busy: set[str] = set()  # connectors
        self._closing = threading.Event()

    def turn(self, now: datetime | None = None) -> int:
        """Deliver what is due; return how many messages were tried."""
        return sum(delivering.result() for delivering in self.begin(now))

    def begin(self, now: datetime | None = None) -> list[Future[int]]:
        """Begin to deliver what is due through connectors that deliver nothing yet. One thread calls this."""
        now = now or self.clock.moment()
        with self.records.transaction() as session:
            due = select(Delivery.connector_id).where(Delivery.state == WAITING, Delivery.next_try <= now)
            connector_ids = set(session.scalars(due.distinct()))
        begun = []
        for connector_id in sorted(connector_ids - self._busy):
            self._busy.add(connector_id)
            begun.append(self._pool.submit(self._deliver_through, connector_id, now))
        return begun

    def close(self) -> None:
        """End, when the messages under way are sent."""
        self._closing.set()
        self._pool.shutdown()

    def _deliver_through(self, connector_id: str, now: datetime) -> int:
        """Deliver what is due through a connector; return how many messages were tried."""
        began, tried = time.monotonic(), 0
        try:
            with self.records.transaction() as session:
                due = select(Delivery.id).where(
                    Delivery.state == WAITING, Delivery.next_try <= now, Delivery.connector_id == connector_id
                )
                ids = list(session.scalars(due.order_by(Delivery.next_try).limit(_MESSAGES_PER_TURN)))
            for id_ in ids:
                if self._closing.is_set() or time.monotonic() - began > _TURN:
                    break
                self._deliver(id_, now)
                tried += 1
        except Exception as error:
            log.warning("messages cannot be delivered now: %s", error)
        finally:
            self._busy.discard(connector_id)
        return tried

    def _deliver(self, id_: int, now: datetime) -> None:
        with self.records.transaction() as session:
            waiting = session.get(Delivery, id_)
            if waiting is None:
                return
            connector = session.get(Connector, waiting.connector_id)
            rule = session.get(StoredRule, waiting.rule_uuid)
            ids = waiting.alerts[:_MAX_ALERTS]
            alerts = session.scalars(select(StoredAlert).where(StoredAlert.id.in_(ids)))
            by_id = {alert.id: alert.document for alert in alerts}
            documents = [orjson.loads(by_id[alert_id]) for alert_id in ids if alert_id in by_id]
        error: DeliveryError | None = None
        try:
            if connector is None:
                raise DeliveryError(f"there is no connector {waiting.connector_id}", lasting=True)
            send(connector, message_of(waiting, connector, rule, documents), self.egress, self._timeout)
        except MessageTemplateError as failed:
            error = DeliveryError(str(failed), lasting=True)
        except DeliveryError as failed:
            error = failed
        with self.records.transaction() as session:
            delivery = session.get(Delivery, id_)
            if delivery is None:
                return
            delivery.tries += 1
            delivery.error = None if error is None else str(error)
            if error is None or error.lasting or delivery.tries >= _TRIES:
                delivery.state = DELIVERED if error is None else FAILED
                delivery.done = datetime.now(UTC)
            else:
                delivery.next_try = now + pause_after(delivery.tries, _FIRST_PAUSE, _LONGEST_PAUSE)
        if error is not None:
            log.warning("the message about %d alerts could not be delivered: %s", len(waiting.alerts), error)


class DeliveryThread:
    """Delivers every few seconds until it is stopped."""

    def __init__(self, deliverer: Deliverer, every: float = 2.0) -> None:
        self.deliverer, self._every = deliverer, every
        self._problem: str | None = None
        self._worker = WorkerThread("deliver", self._run)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def problem(self) -> str | None:
        """Return why messages are not delivered now, None when they are."""
        failure = self._worker.failure
        return self._problem if failure is None else f"the thread that delivers messages has ended: {failure}"

    def close(self) -> None:
        """End, when the messages under way are sent."""
        self._worker.close()
        self.deliverer.close()

    def _run(self, closing: threading.Event) -> None:
        while not closing.wait(self._every):
            try:
                self.deliverer.begin()
                self._problem = None
            except Exception as error:
                self._problem = f"messages cannot be delivered now: {error}"
                log.warning("messages cannot be delivered now: %s", error)
