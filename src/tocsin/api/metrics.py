"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from tocsin.allocators import allocated
from tocsin.ingest.bulk import Ingest
from tocsin.moments import SECOND
from tocsin.response.hosts.host_registry import HostRegistry
from tocsin.scheduler.scheduler import Scheduler
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import EventStore


class Metrics:
    """Counts requests, and asks the store about itself when it is asked."""

    def __init__(
        self, store: EventStore, ingest: Ingest, clock: ArrivalClock, scheduler: Scheduler, hosts: HostRegistry
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "tocsin_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "tocsin_request_seconds", "Time until a request was answered.", ["route"], registry=self.registry
        )
        self.events = Counter(
            "tocsin_ingested_events",
            "Documents received, by what became of them.",
            ["result"],
            registry=self.registry,
        )
        self.bytes = Counter("tocsin_ingested_bytes", "Bytes of bulk requests, unpacked.", registry=self.registry)
        self.actions = Histogram(
            "tocsin_bulk_actions",
            "Actions of bulk requests.",
            buckets=(1, 10, 100, 1_000, 10_000, 100_000),
            registry=self.registry,
        )
        self.enrollments = Counter(
            "tocsin_host_enrollments", "Requests of hosts to enrol, by what became of them.", ["result"],
            registry=self.registry,
        )  # fmt: skip
        self.host_logs = Counter(
            "tocsin_host_log_rows", "Rows that hosts logged, by what became of them.", ["result"],
            registry=self.registry,
        )  # fmt: skip
        for result in ("enrolled", "refused"):
            self.enrollments.labels(result)  # 0 from the start, so that a rise is seen
        for result in ("created", "again", "refused", "left out", "cut", "dropped"):
            self.host_logs.labels(result)
        enrolled = Gauge("tocsin_hosts", "Hosts that have enrolled.", registry=self.registry)
        enrolled.set_function(lambda: hosts.count)
        self.registry.register(_Store(store, ingest, clock))
        self.registry.register(_Memory(store, scheduler))

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Store:
    def __init__(self, store: EventStore, ingest: Ingest, clock: ArrivalClock) -> None:
        self._clock, self._ingest = clock, ingest
        self._store, self._rejected, self._intake = store, ingest.rejected, ingest.intake

    def collect(self) -> Iterator[Metric]:
        events = GaugeMetricFamily("tocsin_store_events", "Events in the store.", labels=["index"])
        size = GaugeMetricFamily("tocsin_store_bytes", "Bytes of tables on disk.", labels=["index"])
        for info in self._store.indices():
            events.add_metric([info.name], info.events)
            size.add_metric([info.name], info.size)
        yield from (events, size)
        waiting = GaugeMetricFamily("tocsin_store_waiting_bytes", "Bytes of events in the journal alone.")
        waiting.add_metric([], self._store.waiting())
        yield waiting
        damaged = GaugeMetricFamily("tocsin_set_aside", "Indices and files that are damaged and left out.")
        damaged.add_metric([], len(self._store.set_aside()))
        yield damaged
        steps = CounterMetricFamily("tocsin_clock_steps", "Times that the system clock was set.")
        steps.add_metric([], self._clock.steps)
        lead = GaugeMetricFamily(
            "tocsin_clock_lead_seconds",
            "How far arrivals are ahead of the system clock.",
        )
        lead.add_metric([], self._clock.lead / SECOND)
        yield from (steps, lead)
        under_way = GaugeMetricFamily("tocsin_bulk_actions_under_way", "Actions of bulk requests being stored.")
        under_way.add_metric([], self._ingest.actions)
        yield under_way
        rejected = CounterMetricFamily(
            "tocsin_rejected_documents", "Documents that were refused.", labels=["reason"]
        )
        for reason, count in self._rejected.counts.items():
            rejected.add_metric([reason], count)
        yield rejected
        unseen = CounterMetricFamily(
            "tocsin_unseen_documents",
            "Documents that are stored and that no rule could see.",
            labels=["reason", "index"],
        )
        for (reason, index), count in list(self._intake.unseen.counts.items()):
            unseen.add_metric([reason.value, index], count)
        yield unseen

    def describe(self) -> list[Metric]:
        return []


class _Memory:
    """What holds the service's memory; the process' own gauges tell how much there is in all."""

    def __init__(self, store: EventStore, scheduler: Scheduler) -> None:
        self._store, self._scheduler = store, scheduler

    def collect(self) -> Iterator[Metric]:
        held = GaugeMetricFamily("tocsin_memory_bytes", "Bytes that are held, by what for.", labels=["part"])
        parts = {**self._store.memory(), **self._scheduler.buffer_sizes(), **allocated()}
        for name, size in parts.items():
            held.add_metric([name], size)
        yield held

    def describe(self) -> list[Metric]:
        return []
