"""The hosts in memory: each request of one is told by its node key without a look at the disk.

When a host was seen last is noted here, and written some seconds later for all together.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tocsin.response.hosts.enrollment import key_hash
from tocsin.store.records.hosts import OsqueryHost


@dataclass(frozen=True)
class EnrolledNode:
    """What requests of a host need to know of it."""

    id: str
    name: str
    host_identifier: str
    hardware_uuid: str
    platform: str
    os_name: str
    os_version: str
    osquery_version: str


class HostRegistry:
    """Which host a node key is of, and when each was seen last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nodes: dict[str, EnrolledNode] = {}
        self._seen: dict[str, tuple[datetime, str]] = {}  # host id: when, and from where; not written yet
        self._last: dict[str, datetime] = {}
        self._addresses: dict[str, str] = {}
        self._hosts_at: Counter[str] = Counter()  # how many hosts each of these addresses has
        self._keys: dict[str, str] = {}  # host id: the hash of its node key
        self._state: tuple[int, datetime | None] = (0, None)

    def refresh(self, session: Session) -> None:
        """Read who has enrolled or was revoked since the last time; all of them where somebody was removed."""
        count, changed = session.execute(select(func.count(), func.max(OsqueryHost.changed))).one()
        if (count, changed) == self._state:
            return
        known, since = self._state
        columns = (
            OsqueryHost.node_key_hash, OsqueryHost.address, OsqueryHost.id, OsqueryHost.name,
            OsqueryHost.host_identifier, OsqueryHost.hardware_uuid, OsqueryHost.platform, OsqueryHost.os_name,
            OsqueryHost.os_version, OsqueryHost.osquery_version,
        )  # fmt: skip
        is_whole = since is None or count < known
        query = select(*columns) if is_whole else select(*columns).where(OsqueryHost.changed >= since)
        rows = session.execute(query).all()
        with self._lock:
            if is_whole:
                self._nodes, self._keys, self._addresses, self._hosts_at = {}, {}, {}, Counter()
            for key, address, *about in rows:
                node = EnrolledNode(*about)
                if (former := self._keys.pop(node.id, None)) is not None:
                    self._nodes.pop(former, None)
                if key is not None:
                    self._nodes[key], self._keys[node.id] = node, key
                    if node.id not in self._addresses:
                        self._note_address(node.id, address)
            self._state = (count, changed)

    def node(self, node_key: object, address: str) -> EnrolledNode | None:
        """Return the host that a key is of, which is seen by that; None where no host has it, or no more."""
        if not isinstance(node_key, str) or not node_key:
            return None
        node = self._nodes.get(key_hash(node_key))
        if node is not None:
            now = datetime.now(UTC)
            with self._lock:
                self._seen[node.id] = (now, address)
                self._last[node.id] = now
                self._note_address(node.id, address)
        return node

    def _note_address(self, host_id: str, address: str) -> None:
        former = self._addresses.get(host_id)
        if former == address:
            return
        self._addresses[host_id] = address
        self._hosts_at[address] += 1
        if former is not None:
            self._hosts_at[former] -= 1
            if not self._hosts_at[former]:
                del self._hosts_at[former]

    def knows_address(self, address: str) -> bool:
        """Tell whether a host was seen last at an address: bodies of many megabytes are taken from there alone."""
        with self._lock:
            return address in self._hosts_at

    def last_seen(self, host_id: str) -> datetime | None:
        """Return when a host was seen since the service runs."""
        return self._last.get(host_id)

    @property
    def count(self) -> int:
        """How many hosts have a key."""
        return len(self._nodes)

    def write(self, session: Session) -> int:
        """Write when hosts were seen; return of how many. What cannot be written waits for the next time."""
        with self._lock:
            seen = dict(self._seen)
        rows = [
            {"id": id_, "last_seen": moment, "address": address[:64]} for id_, (moment, address) in seen.items()
        ]
        if rows:
            session.execute(update(OsqueryHost), rows)
        with self._lock:
            for id_, noted in seen.items():
                if self._seen.get(id_) == noted:
                    del self._seen[id_]
        return len(rows)
