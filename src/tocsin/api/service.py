"""The service's parts, put together: the event store, records, ingest, and what guards them."""

from __future__ import annotations

import logging
import os
import re
import stat
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.actions.delivery import Deliverer, DeliveryThread
from tocsin.actions.egress import EgressPolicy, networks_of
from tocsin.api.access_control import AccessControl
from tocsin.api.metrics import Metrics
from tocsin.api.running import Searches
from tocsin.api.working import Work
from tocsin.config import Config
from tocsin.ingest.bulk import Ingest
from tocsin.ingest.rejected import Rejected
from tocsin.ingest.watch import WatchedFolders
from tocsin.management.settings import lake_settings, scheduler_settings
from tocsin.response.cases.hunt_results import add_hunt_result
from tocsin.response.host_actions.automatic import AutomaticActions
from tocsin.response.host_actions.connectors import OpenConnectors
from tocsin.response.host_actions.sending import ActionSender
from tocsin.response.host_actions.thread import HostActionThread
from tocsin.response.hosts.fleet import Fleet
from tocsin.response.reputation.indicator_hunts import HuntThread
from tocsin.response.reputation.look_ups import Look, begin_again
from tocsin.scheduler.scheduler import Scheduler
from tocsin.scheduler.thread import SchedulerThread, set_forward
from tocsin.search.processes import SearchProcesses
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.clock import ArrivalClock
from tocsin.store.composite import CompositeScans, CompositeStore, StoreBeside
from tocsin.store.durable import write_durably
from tocsin.store.events import EventStore
from tocsin.store.indicators.indicator_index import IndicatorIndex
from tocsin.store.lake.lake import LakeStore
from tocsin.store.mappings.templates import Templates
from tocsin.store.records.access import ensure_admin, has_admin, local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.encryption import cipher_of
from tocsin.store.records.exceptions import endpoint_list
from tocsin.store.records.high_water import HIGH_WATER
from tocsin.store.records.salvage import salvage
from tocsin.store.records.templates import templates_in
from tocsin.store.resources import raise_if_lacking

log = logging.getLogger(__name__)
_LOST_RECORDS = "users, rules and alerts that were kept beside these events are gone; there are new, empty records"

_UNDECRYPTABLE = "no key decrypts these; give the former one as decryption_only_keys, or their settings anew"


@dataclass
class Service:
    """What a running service is made of."""

    config: Config
    store: EventStore
    clock: ArrivalClock
    scheduler: SchedulerThread
    deliveries: DeliveryThread
    host_actions: HostActionThread
    fleet: Fleet
    indicator_hunts: HuntThread
    look: Look
    records: Records
    alerts: AlertIndex
    ingest: Ingest
    gate: AccessControl
    watched: WatchedFolders
    metrics: Metrics
    searches: Searches
    work: Work
    first_password: str | None = None  # of the admin that this start made
    without_admin: bool = False  # no user who may sign in is an admin
    cluster_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    stopping: bool = False

    def stop(self) -> None:
        """Let what requests wait for end soon. May be called by a handler of signals."""
        self.stopping = True
        self.searches.stop()
        self.alerts.stop()
        self.work.stop()

    def close(self) -> None:
        """Stop taking anything, and leave everything on disk."""
        self.stop()
        self.watched.close()
        self.scheduler.close()
        self.deliveries.close()
        self.host_actions.close()
        self.fleet.close()
        self.indicator_hunts.close()
        self.searches.close()
        self.alerts.close()
        self.work.close()
        self.store.close()
        self.records.close()


def open_service(config: Config) -> Service:
    """Open the data directory and the database. Raises TocsinError."""
    _private(config.data)
    clock = ArrivalClock()
    events = LakeStore(config.data, lake_settings(config), clock)
    try:
        damaged = salvage(config.records_url, config.data / "damaged")
        records = Records(config.records_url, cipher_of(config), config.data / HIGH_WATER)
        lost = _LOST_RECORDS if records.is_empty() and events.kept_records() else None
        records.upgrade()
        events.keep_records(lost=damaged or lost or records.behind(expected=events.noted_records()))
        records.accept()
        with records.transaction() as session:
            password, without_admin = ensure_admin(session), not has_admin(session)
            endpoint_list(session, local_actor("tocsin"))
            begin_again(session)
        set_forward(clock, records)
        if undecryptable := records.encrypt_connectors():
            events.report_damage("connectors", f"{_UNDECRYPTABLE}: {', '.join(undecryptable)}")
    except BaseException:
        events.close()
        raise
    alerts = AlertIndex(records)
    beside: list[StoreBeside] = [alerts, IndicatorIndex(records)]
    store = CompositeStore(events, beside)
    scheduler = SchedulerThread(Scheduler(store, records, scheduler_settings(config), clock=clock))
    rejected = Rejected(config.data / "rejected")

    def templates() -> Templates:
        with records.transaction() as session:
            return templates_in(session)

    ingest = Ingest(events, rejected, templates, events.settings.max_indices)
    watched = WatchedFolders(
        config.watch,
        ingest.store_all,
        config.data / "watched.json",
        config.data / "rejected",
        add_unread=rejected.add_unread,
    )
    if watched.fault is not None:
        events.report_damage("watched.json", watched.fault)
    if config.watch:
        watched.start()
    fleet = Fleet(records, config.data / "carves", config.history_days)
    metrics = Metrics(store, ingest, clock, scheduler.scheduler, fleet.registry)
    egress = EgressPolicy(networks_of(config.connector_networks))
    deliveries = DeliveryThread(Deliverer(records, clock, egress))
    connectors = OpenConnectors(records, egress)
    automatic = AutomaticActions(records, connectors)
    host_actions = HostActionThread(ActionSender(records, connectors), automatic)
    scheduler.start()
    deliveries.start()
    host_actions.start()
    fleet.start()
    indicator_hunts = HuntThread(store, records, add_hunt_result)
    indicator_hunts.start()
    processes = SearchProcesses(store, CompositeScans(events, beside), config.search_memory)
    alerts.start()
    return Service(
        config=config,
        store=store,
        clock=clock,
        scheduler=scheduler,
        deliveries=deliveries,
        host_actions=host_actions,
        fleet=fleet,
        indicator_hunts=indicator_hunts,
        look=Look(records, egress),
        records=records,
        alerts=alerts,
        ingest=ingest,
        gate=AccessControl(records),
        watched=watched,
        metrics=metrics,
        searches=Searches(processes, config.search_timeout),
        work=Work(config.search_timeout),
        first_password=password,
        without_admin=without_admin,
        cluster_uuid=_uuid(config.data / "uuid", events.report_damage),
    )


def _private(folder: Path) -> None:
    """Make the folder for this user alone; one that is there keeps its rights, but not for everybody."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o007:
        os.chmod(folder, mode & ~0o007)


def _uuid(path: Path, damaged: Callable[[str, str], None]) -> str:
    """Return the id of this installation, a new one where there is none that can be read."""
    try:
        known = path.read_text("ascii").strip()
        if re.fullmatch(r"[\w-]{22}", known):
            return known
        damaged(path.name, "it holds no id; the installation has a new one")
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise_if_lacking(path.name, error)
        damaged(path.name, f"it cannot be read, and the installation has a new id: {error}")
    made = uuid.uuid4().hex[:22]
    write_durably(path, made.encode())
    return made
