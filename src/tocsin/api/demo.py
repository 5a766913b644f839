"""A first look at the service: bundled rules enabled, bundled telemetry sent in, alerts told as they come."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.api.service import Service
from tocsin.errors import TocsinError
from tocsin.ingest.demo import demo_actions
from tocsin.ingest.remote import remote_sender
from tocsin.management.imports import import_objects
from tocsin.management.rules.bulk_actions import Change, apply_action, select_rules
from tocsin.management.rules.files import read_rule_files
from tocsin.management.rules.runs import request_run
from tocsin.management.rules.saving import schema_of
from tocsin.rules.load import bundled_folder
from tocsin.store.records import access
from tocsin.store.records.access import local_actor
from tocsin.store.records.models import ApiKey, StoredAlert, StoredRule, User

log = logging.getLogger(__name__)
_PATIENCE = 30.0  # seconds until the service has to answer
_ACTOR = local_actor("demo")
_USER = "demo"  # who looks at the alerts in a browser


@dataclass
class Demo:
    """What shows the service at work.

    `show` is given each alert's document, when it has been raised. `log_in_path` makes the path of a page that
    logs a user in by itself, once.
    """

    show: Callable[[Mapping[str, Any]], None]
    log_in_path: Callable[[str], str]

    def start(self, service: Service, address: str, say: Callable[[str], None]) -> None:
        """Begin, in a thread that goes on when the service listens."""
        service.scheduler.scheduler.on_alerts = self._raised
        threading.Thread(target=self._run, args=(service, address, say), name="demo", daemon=True).start()

    def _raised(self, alerts: Sequence[StoredAlert]) -> None:
        for alert in alerts:
            if not alert.building_block:
                self.show(orjson.loads(alert.document))

    def _run(self, service: Service, address: str, say: Callable[[str], None]) -> None:
        try:
            _wait_for(address)
            rules = _enable_rules(service)
            with service.records.transaction() as session:
                key = _new_key(session)
                _ensure_user(session)
            actions = demo_actions()
            say(f"rules enabled: {', '.join(rules)}")
            with remote_sender(address, key) as send:
                answers = send(actions)
            stored = sum(answer.get("status") == 201 for answer in answers)
            say(f"{stored:,} events of the bundled telemetry sent through _bulk; the rules look at them at once,")
            say("and from now on every 5 minutes")
            _run_now(service)
            say(_hints(address, key))
            say("The alerts in your browser (the link logs in by itself, once):")
            say(f"  {address}{self.log_in_path(_USER)}")
        except (TocsinError, httpx.HTTPError) as error:
            log.exception("the demo failed")
            say(f"the demo failed: {error}")


def _new_key(session: Session) -> str:
    """Return a key for the hints. One of an earlier demonstration is revoked."""
    earlier = select(ApiKey.id).where(ApiKey.name == _USER, ApiKey.owner_id.is_(None), ApiKey.revoked.is_(None))
    access.revoke_keys(session, _ACTOR, list(session.scalars(earlier)))
    return access.add_key(session, _ACTOR, _USER, ["read", "ingest"], access.A_DAY).encoded


def _ensure_user(session: Session) -> None:
    """Add the user who is logged in by a link; nobody is told the password."""
    if session.scalar(select(User.id).where(User.name == _USER)) is None:
        access.add_user(session, _ACTOR, _USER, "admin", secrets.token_urlsafe(32))


def _wait_for(address: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            httpx.get(f"{address}/healthz", trust_env=False, verify=False, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _enable_rules(service: Service) -> list[str]:
    """Save the bundled rules that are not there, enable all of them, and return their names."""
    schemas = schema_of(service.store)
    read = read_rule_files([str(bundled_folder())])
    rule_ids = [str(orjson.loads(line)["rule_id"]) for line in read.lines]
    with service.records.transaction() as session:
        import_objects(session, _ACTOR, read.lines, schemas)
        rules, _ = select_rules(session, None, rule_ids, None)
        apply_action("enable", rules, Change(session, _ACTOR, schemas))
        return [rule.name for rule in rules]


def _run_now(service: Service) -> None:
    now = time.time_ns()
    with service.records.transaction() as session:
        for rule in session.scalars(select(StoredRule).where(StoredRule.enabled)):
            request_run(session, _ACTOR, rule, (now, now))
    service.scheduler.wake()


def _hints(address: str, key: str) -> str:
    head = f"  curl -H 'Authorization: ApiKey {key}'"
    json = "-H 'Content-Type: application/json'"
    query = '{"query": "process where process.args : \\"-DownloadFile\\""}'
    return (
        f"the service goes on at {address} (its interface is described at {address}/docs). A look at it:\n"
        f"{head} '{address}/_cat/indices?v'\n"
        f"{head} '{address}/.alerts-security.alerts-default/_search?pretty'\n"
        f"{head} {json} '{address}/logs-*,winlogbeat-*/_eql/search?pretty' -d '{query}'"
    )
