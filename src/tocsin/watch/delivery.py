"""Messages about alerts, delivered: by webhook, or by Apprise to the hundred services that it knows.

What fails is tried again, later and later, for a day; the outcome of each message is recorded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import apprise
import httpx
import orjson
from sqlalchemy import select

from tocsin.store.clock import ArrivalClock
from tocsin.store.records.database import Records
from tocsin.store.records.models import Connector, Delivery, StoredAlert, StoredRule
from tocsin.watch.messages import Message, TemplateError, message_of
from tocsin.watch.outbox import DELIVERED, FAILED, WAITING

log = logging.getLogger(__name__)
_TRIES = 12
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=6)
_AT_ONCE = 50  # messages in a turn
_PATIENCE = 15.0  # seconds for one message
_SHOWN = 100  # alerts that a message holds whole


class DeliveryError(Exception):
    """A message that could not be delivered; `lasting` says that trying again makes no sense."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


def send_webhook(connector: Connector, message: Message) -> None:
    """Send a message to an address. Raises DeliveryError."""
    config, secrets = connector.config, connector.secrets
    user = secrets.get("user")
    headers = httpx.Headers({"Content-Type": "application/json", "kbn-xsrf": "tocsin"})
    try:
        headers.update(config.get("headers") or {})
        answer = httpx.request(
            str(config.get("method", "post")).upper(), str(config["url"]), content=message.body, headers=headers,
            auth=(str(user), str(secrets.get("password", ""))) if user else None, timeout=_PATIENCE,
            verify=config.get("verify", True) is not False, follow_redirects=False, trust_env=False,
        )  # fmt: skip
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DeliveryError(f"{config['url']} cannot be reached: {error}") from None
    if answer.status_code >= 300:
        lasting = answer.status_code < 500 and answer.status_code not in (408, 425, 429)
        raise DeliveryError(f"{config['url']} answers {answer.status_code}: {answer.text[:200]}", lasting=lasting)


def send_apprise(connector: Connector, message: Message) -> None:
    """Send a message to everything that a connector's Apprise addresses name. Raises DeliveryError."""
    sender = apprise.Apprise()
    urls = connector.secrets.get("urls") or connector.secrets.get("url") or ()
    for url in [urls] if isinstance(urls, str) else urls:
        if not sender.add(url):
            raise DeliveryError("an address of the connector is none that Apprise knows", lasting=True)
    if not len(sender):
        raise DeliveryError("the connector has no address: put Apprise's into secrets.urls", lasting=True)
    # Told what the text is written in, Apprise makes of it what each service needs.
    if not sender.notify(body=message.text, title=message.title, body_format=message.format):
        raise DeliveryError("Apprise could not deliver it")


SENDERS: Mapping[str, Callable[[Connector, Message], None]] = {
    ".webhook": send_webhook,
    ".apprise": send_apprise,
}


def send(connector: Connector, message: Message) -> None:
    """Send a message through a connector. Raises DeliveryError, whatever goes wrong."""
    sender = SENDERS.get(connector.type)
    if sender is None:
        raise DeliveryError(f"connectors of the type {connector.type} cannot deliver", lasting=True)
    try:
        sender(connector, message)
    except DeliveryError:
        raise
    except Exception as error:
        log.exception("delivering failed")
        raise DeliveryError(f"{type(error).__name__}: {error}") from error


@dataclass
class Deliverer:
    """Delivers what waits. `turn` does what is due by the clock of arrivals; one thread calls it."""

    records: Records
    clock: ArrivalClock = field(default_factory=ArrivalClock)

    def turn(self, now: datetime | None = None) -> int:
        """Deliver what is due; return how many messages were tried."""
        now = now or self.clock.moment()
        with self.records.transaction() as session:
            due = select(Delivery.id).where(Delivery.state == WAITING, Delivery.next_try <= now)
            ids = list(session.scalars(due.order_by(Delivery.next_try).limit(_AT_ONCE)))
        for id_ in ids:
            self._deliver(id_, now)
        return len(ids)

    def _deliver(self, id_: int, now: datetime) -> None:
        with self.records.transaction() as session:
            waiting = session.get(Delivery, id_)
            if waiting is None:
                return
            connector = session.get(Connector, waiting.connector_id)
            rule = session.get(StoredRule, waiting.rule_uuid)
            ids = waiting.alerts[:_SHOWN]
            found = {a.id: a.document for a in session.scalars(select(StoredAlert).where(StoredAlert.id.in_(ids)))}
            documents = [orjson.loads(found[one]) for one in ids if one in found]
        error: DeliveryError | None = None
        try:
            if connector is None:
                raise DeliveryError(f"there is no connector {waiting.connector_id}", lasting=True)
            send(connector, message_of(waiting, connector, rule, documents))
        except TemplateError as failed:
            error = DeliveryError(str(failed), lasting=True)
        except DeliveryError as failed:
            error = failed
        with self.records.transaction() as session:
            kept = session.get(Delivery, id_)
            if kept is None:
                return
            kept.tries += 1
            kept.error = None if error is None else str(error)
            if error is None or error.lasting or kept.tries >= _TRIES:
                kept.state = DELIVERED if error is None else FAILED
                kept.done = datetime.now(UTC)
            else:
                kept.next_try = now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (kept.tries - 1))
        if error is not None:
            log.warning("telling of %d alerts failed: %s", len(waiting.alerts), error)


class DeliveryThread:
    """Delivers every few seconds until it is stopped."""

    def __init__(self, deliverer: Deliverer, every: float = 2.0) -> None:
        self.deliverer, self._every, self._stop = deliverer, every, threading.Event()
        self._thread = threading.Thread(target=self._run, name="deliver", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, when the message under way is through."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.deliverer.turn()
            except Exception as error:
                log.warning("messages cannot be delivered now: %s", error)
