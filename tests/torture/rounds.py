"""`kill -9` while events come in and rules run, files damaged between kill and start, and a clock that is set.

Kills fall at random moments, at the ticks of rules, while slices of tables are put together, and at each place of
`DEATHS`. After each, every event and every change that was acknowledged has to be there once, and no alert twice;
with a file damaged, all that did not lie in it. The store has to open each time without help. At the end, every
event that is stored and fits a rule has to have its alert, once, and every tick of a rule its execution.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.postgresql import Cluster
from tests.torture.damage import DAMAGES, check_damage, damage
from tests.torture.look import Found, look_before
from tests.torture.process import DEATHS
from tests.torture.recorded import Recorded, check_alerts, check_mark, check_once, recorded
from tests.torture.senders import RULES, Changer, Sender, User, pairs_in
from tests.torture.service import INTERVAL, Service
from tocsin.store.events import Scan
from tocsin.store.lake.lake import LakeSettings, LakeStore

_SENDERS = 3
_PATIENCE = 12.0  # seconds until it has to have come to where it is to die
_ORDERING, _ORDERING_TOO = "a slice is being put together", "it is, and that process is killed too"
ENDS = ("any moment", "a tick", _ORDERING, _ORDERING_TOO, "a stop", *DEATHS)
_STEPS = (-7200, -60, 0, 60, 3600)  # seconds that the clock may be off


@dataclass(frozen=True)
class Round:
    """When the service is ended, what is damaged in a copy then, and how far off the clock is from then on.

    `waits` says that rules are run to the end over the damaged copy, `repaired` that it is mended.
    """

    end: str
    damage: tuple[str, str] | None = None
    clock: int = 0
    set_while_running: bool = False
    waits: bool = False
    repaired: bool = False


@dataclass
class Tortured:
    """What came of it: events acknowledged and stored, when it was ended, what damages have come to."""

    acknowledged: int = 0
    stored: int = 0
    changes: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    damages: list[str] = field(default_factory=list)


def drawn(kills: int, seed: int) -> list[Round]:
    """Return rounds drawn at random: each way to end it and each kind of damage about as often as any other."""
    rng, clock, rounds = random.Random(seed), 0, []
    ends, damages = list(ENDS), list(DAMAGES)
    rng.shuffle(ends)
    rng.shuffle(damages)
    for number in range(kills):
        if rng.random() < 0.5:
            clock = rng.choice([step for step in _STEPS if step != clock])
        one = Round(
            ends[number % len(ends)],
            damages[number % len(damages)],
            clock,
            set_while_running=rng.random() < 0.5,
            waits=rng.random() < 0.3,
            repaired=rng.random() < 0.2,
        )
        rounds.append(one)
    return rounds


def torture(
    data: Path,
    rounds: Sequence[Round],
    seed: int = 1,
    postgresql: Cluster | None = None,
    *,
    tls: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Tortured:
    """End a service many times, set its clock, and damage copies of its folder.

    Raises AssertionError when an event or an alert is missing or there twice, or when damage is not named.
    """
    rng, done, off = random.Random(seed), Tortured(), 0
    service = Service(data, RULES, postgresql.create("torture") if postgresql else "", tls=tls)
    service.start()
    service.begin()
    users: list[User] = [*(Sender(service, number) for number in range(1, _SENDERS + 1)), Changer(service)]
    for user in users:
        user.start()
    for number, one in enumerate(rounds):
        told = f"round {number} of seed {seed}: {one}"
        damaged = len(done.damages)
        try:
            if one.set_while_running and one.clock != off:
                time.sleep(rng.uniform(0, 1))
                service.set_clock(one.clock)
            _end(service, one.end, rng, one.clock if one.set_while_running else off, done.ends)
            _check(service, one, users, number, postgresql, rng, done)
            service.set_clock(one.clock)
            done.steps, off = done.steps + (one.clock != off), one.clock
            service.start()
            tell(f"{number}: {one.end}; {'; '.join(done.damages[damaged:]) or 'nothing was damaged'}")
        except AssertionError as error:
            raise AssertionError(f"{told}: {error}") from error
    time.sleep(1)
    for user in users:
        user.stopped = True
    for user in users:
        user.join()
    furthest = max([0, *(one.clock for one in rounds)])
    service.set_clock(furthest)  # behind what was told before, its clock would go on slower
    _until_all_is_run(service.url, time.time_ns() + furthest * 10**9)
    service.kill()
    found = check_events(data, _acknowledged(users[:-1]))
    records = recorded(service.url)
    check_once(records)
    check_alerts(records, pairs_in(found))
    check_changes(records, users[-1].acknowledged)
    done.acknowledged, done.stored = len(_acknowledged(users[:-1])), len(found)
    done.changes = len(users[-1].acknowledged)
    return done


def _acknowledged(senders: Iterable[User]) -> set[str]:
    return set().union(*(sender.acknowledged for sender in senders))


def _end(service: Service, end: str, rng: random.Random, off: int, ends: Counter[str]) -> None:
    """Wait for a moment to end the service at, and end it; count where it has come to."""
    time.sleep(rng.uniform(0.1, 2.5))
    if end in DEATHS:
        ends[end if service.die_at(end, _PATIENCE) else "any moment"] += 1
        return
    if end == "a stop":
        service.stop()
    elif end in (_ORDERING, _ORDERING_TOO):
        end = end if service.until_ordering(_PATIENCE) else "any moment"
        time.sleep(rng.choice([0, rng.uniform(0, 0.05)]))
        if end == _ORDERING_TOO and not service.kill_ordering():
            end = "any moment"
        service.kill()
    else:
        if end == "a tick":
            past = (time.time_ns() + off * 10**9) % INTERVAL
            time.sleep((INTERVAL - past) / 1e9 + rng.uniform(0, 0.5))
        service.kill()
    ends[end] += 1


def _check(
    service: Service, one: Round, users: Sequence[User], number: int, postgresql: Cluster | None,
    rng: random.Random, done: Tortured,
) -> None:  # fmt: skip
    """Look at what the service has left, and damage a copy of it."""
    if one.end == _ORDERING and one.damage is not None and number % 2:
        return  # the next service starts beside the process that still puts a slice together
    service.until_ordered()
    copies = service.data.with_name("whole"), service.data.with_name("damaged")
    whole, copy = copies  # they stay when something is wrong
    for made in copies:
        shutil.copytree(service.data, made)
    url = f"sqlite:///{whole}/records.db" if postgresql is None else service.url
    before = look_before(whole, url)
    assert not before.told, f"what nobody damaged is told of: {before.told}"
    check_found(before, _acknowledged(users[:-1]))
    check_once(before.records)
    check_changes(before.records, users[-1].acknowledged)
    check_mark(whole, before.records)
    if one.damage is not None:
        what = damage(copy, *one.damage, rng)
        if what is None:
            done.damages.append(f"{one.damage[1]} {one.damage[0]}: not there")
        else:
            database = "" if postgresql is None else postgresql.copy("torture", f"torture_{number}")
            told = check_damage(copy, database, before, what, caught_up=one.waits, repaired=one.repaired)
            done.damages.append(told)
            if postgresql is not None:
                postgresql.drop(f"torture_{number}")
    for made in copies:
        shutil.rmtree(made)


def check_found(found: Found, acknowledged: set[str]) -> None:
    """Raise AssertionError when an acknowledged event is missing, or one is there twice."""
    check_ids((id_ for ids in found.events.values() for id_ in ids), acknowledged)


def check_ids(ids: Iterable[str], acknowledged: set[str]) -> set[str]:
    """Return ids. Raises AssertionError when one that was acknowledged is missing, or one is there twice."""
    found = Counter(ids)
    missing = acknowledged - found.keys()
    assert not missing, f"{len(missing)} acknowledged events are missing, {min(missing)} for one"
    twice = [id_ for id_, count in found.items() if count > 1]
    assert not twice, f"{len(twice)} events are there twice, {twice[0]} for one"
    return set(found)


def check_changes(records: Recorded, acknowledged: set[str]) -> None:
    """Raise AssertionError when a change that was acknowledged is not in the audit log."""
    missing = acknowledged - set(records.changes)
    assert not missing, f"{len(missing)} acknowledged changes are not in the audit log, {min(missing)} for one"


def check_events(data: Path, acknowledged: set[str]) -> set[str]:
    """Return the ids of what is stored. Raises AssertionError when one is missing, or there twice."""
    lake = LakeStore(data, LakeSettings(maintain_every=1e9, quiet=0))
    for settled in (False, True):
        if settled:
            lake.flush()
            lake.maintain(clean=True)
        found = check_ids(
            (id_ for batch in lake.scan(Scan(["*"])) for id_ in batch.ids(range(batch.rows))), acknowledged
        )
    assert not lake.set_aside()
    lake.close()
    return found


def _until_all_is_run(url: str, moment: int, seconds: float = 240.0) -> None:
    """Wait until every rule has been run for everything that had come in by a moment."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if min((runs[-1][1] for runs in recorded(url).runs.values()), default=0) > moment:
            return
        time.sleep(1)
    raise AssertionError("the rules were not run to the end")
