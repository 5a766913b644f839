"""Moments as products write them.

Spellings are those of Kibana (`dateFormat`'s default, "MMM D, YYYY @ HH:mm:ss.SSS"), of browsers' `toLocaleString`
and .NET's short date with long time in the cultures named below, of RFC 2822, RFC 3164, RFC 9110 and C's
`asctime`, of Java's ZonedDateTime, of Go's Time.String, of WMI's CIM_DATETIME and of .NET's JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.moments import (
    datetime_nanoseconds,
    is_doubtful,
    iso,
    mark_of_numbers,
    read_moment,
    to_datetime,
    to_nanoseconds,
    written_moment,
)

SAME = "2026-11-20T15:40:20"


@pytest.mark.parametrize(
    "written",
    [
        # ISO 8601 and near it
        "2026-11-20T15:40:20Z",
        "2026-11-20t15:40:20z",
        "2026-11-20 15:40:20",
        "2026-11-20T15:40:20+0000",
        "2026-11-20T15:40:20+00",
        "2026-11-20 15:40:20 +00:00",
        "2026-11-20 15:40:20 UTC",
        "2026-11-20 15:40:20 GMT",
        "2026-11-20 15:40:20 +0000 UTC",
        "2026-11-20T16:40:20+01:00[Europe/Berlin]",
        "2026-11-20 16:40:20 Europe/Berlin",
        "2026-11-20 10:40:20 EST",
        "2026-11-20 16:40:20 CET",
        "20261120T154020Z",
        "20261120154020",
        "20261120164020.000000+060",
        # the year first
        "2026/11/20 15:40:20",
        "2026. 11. 20. 15:40:20",  # hu-HU
        "2026-11-20 오후 3:40:20",  # ko-KR
        "2026/11/20 下午 03:40:20",  # zh-TW
        # numbers, where 20 is no month
        "11/20/2026, 3:40:20.000 PM",
        "11/20/2026 3:40:20\u202fPM",  # en-US since CLDR 42
        "20/11/2026 15:40:20",
        "20/11/2026, 3:40:20 pm",  # en-AU
        "20.11.2026 15:40:20",
        "20.11.2026 15.40.20",  # fi-FI
        "20-11-2026 15:40:20",  # nl-NL
        # the month by name
        "Nov 20, 2026 @ 15:40:20.000",
        "Nov 20, 2026 3:40:20 PM",
        "November 20, 2026 at 3:40:20 PM",
        "Fri, 20 Nov 2026 15:40:20 GMT",
        "Fri, 20 Nov 2026 10:40:20 -0500",
        "Friday, 20-Nov-26 15:40:20 GMT",
        "Fri Nov 20 15:40:20 2026",
        "Fri Nov 20 15:40:20 UTC 2026",
        "Fri Nov 20 2026 16:40:20 GMT+0100 (Central European Standard Time)",
        "20/Nov/2026:15:40:20 +0000",
        # since 1970 and 1601
        1795189220,
        1795189220.0,
        1795189220000,
        1795189220000000,
        1795189220000000000,
        134396628200000000,
        "1795189220",
        "1795189220.000",
        "1.79518922E9",
        "1795189220000",
        "1795189220000000",
        "1795189220000000000",
        "134396628200000000",
        "/Date(1795189220000)/",
        "/Date(1795189220000+0100)/",
    ],
)
def test_one_moment_is_read_however_it_is_written(written: str | float) -> None:
    assert read_moment(written) == to_nanoseconds(f"{SAME}Z")


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2026-11-20 10:00:00,123", "2026-11-20T10:00:00.123Z"),
        ("2026-11-20T10:00:00.1234567+0200", "2026-11-20T10:00:00.1234567+02:00"),
        ("2026-11-20T10:00:00.1234567891", "2026-11-20T10:00:00.123456789Z"),
        ("Nov 20, 2026 @ 10:00:00.123", "2026-11-20T10:00:00.123Z"),
        (1763632800.123, "2025-11-20T10:00:00.123Z"),
        ("1763632800123456789", "2025-11-20T10:00:00.123456789Z"),
        ("134080416001234567", "2025-11-19T16:00:00.1234567Z"),
        ("2026-07-20 10:00:00 Europe/Berlin", "2026-07-20T10:00:00+02:00"),
        ("11/20/26 12:05 AM", "2026-11-20T00:05:00Z"),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        (5, "1970-01-01T00:00:00.005Z"),
    ],
)
def test_the_fraction_and_the_zone_are_kept(written: str | float, canonical: str) -> None:
    assert written_moment(written) == canonical


@pytest.mark.parametrize(
    "written",
    [
        "yesterday", "", "-", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-20T25:00:00Z",
        "2026-11-20 13:00 PM", "2026-11-20 10:00:00 IST", "2026-11-20 10:00:00 Mars/Olympus", "32/13/2026 10:00",
        "99999999999999999999", True, None, float("nan"), float("inf"), [], {},
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_moment(written)


@pytest.mark.parametrize(
    ("written", "day_first", "canonical"),
    [
        ("10/11/2026 12:00:00", None, "2026-10-11T12:00:00Z"),
        ("10.11.2026 12:00:00", None, "2026-11-10T12:00:00Z"),
        ("10-11-2026 12:00:00", None, "2026-11-10T12:00:00Z"),
        ("10/11/2026 12:00:00", True, "2026-11-10T12:00:00Z"),
        ("10.11.2026 12:00:00", False, "2026-10-11T12:00:00Z"),
        ("20/11/2026 12:00:00", False, "2026-11-20T12:00:00Z"),
        ("11/20/2026 12:00:00", True, "2026-11-20T12:00:00Z"),
    ],
)
def test_a_number_over_twelve_is_the_day_and_else_the_caller_says_which(
    written: str, day_first: bool | None, canonical: str
) -> None:
    assert written_moment(written, day_first=day_first) == canonical


def test_a_date_tells_whether_its_day_and_month_could_be_swapped() -> None:
    assert is_doubtful("10/11/2026, 3:40:20 PM")
    assert not is_doubtful("10/10/2026 3:40")
    assert not is_doubtful("20/11/2026 15:40")
    assert mark_of_numbers("20/11/2026 15:40") == "/"
    assert not mark_of_numbers("2026/11/20 15:40")


@given(st.datetimes(datetime(1678, 1, 1), datetime(2261, 1, 1)), st.integers(0, 9))
def test_the_usual_spelling_is_the_moment_that_elasticsearch_reads(moment: datetime, digits: int) -> None:
    text = f"{moment.isoformat(timespec='seconds')}.{123456789:09}"[: 20 + digits].rstrip(".") + "Z"
    assert read_moment(text) == to_nanoseconds(text)


def test_syslog_means_the_last_year_in_which_the_moment_was() -> None:
    now = datetime.now(UTC)
    for days in (0, 1, 200, 363):
        then = now - timedelta(days=days)
        if (then.month, then.day) != (2, 29):
            assert read_moment(f"{then:%b %e %H:%M:%S}") == to_nanoseconds(then.replace(microsecond=0))


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
ZONES = st.sampled_from(["America/New_York", "Asia/Kolkata", "Europe/Berlin", "Asia/Kathmandu"])


@given(MOMENTS, ZONES)
def test_a_moment_is_the_same_in_every_zone_and_spelling(moment: datetime, zone: str) -> None:
    moment = moment.replace(microsecond=0)
    there = moment.astimezone(ZoneInfo(zone))
    fixed = there.replace(tzinfo=timezone(there.utcoffset() or timedelta()))
    expected = to_nanoseconds(moment)
    for written in (
        moment.isoformat(),
        fixed.isoformat(" "),
        format_datetime(fixed),
        f"{moment:%b %d, %Y @ %H:%M:%S.000}",
        f"{moment:%m/%d/%Y, %I:%M:%S %p}",
        f"{moment:%Y/%m/%d %H:%M:%S}",
        int(moment.timestamp()) * 1000,
        int(moment.timestamp()) * 10_000_000 + 116_444_736_000_000_000,
    ):
        assert read_moment(written) == expected, written


@pytest.mark.parametrize(
    ("moment", "digits", "text"),
    [
        (1_795_189_220_123_456_789, 3, "2026-11-20T15:40:20.123Z"),
        (1_795_189_220_123_456_789, 9, "2026-11-20T15:40:20.123456789Z"),
        (1_795_189_220_123_456_789, 0, "2026-11-20T15:40:20Z"),
        (-1, 9, "1969-12-31T23:59:59.999999999Z"),
        (datetime(2026, 11, 20, 16, 40, 20, 5000, timezone(timedelta(hours=1))), 3, "2026-11-20T15:40:20.005Z"),
        (datetime(2026, 11, 20, 15, 40, 20), 3, "2026-11-20T15:40:20.000Z"),
        (datetime(33, 4, 3, tzinfo=UTC), 3, "0033-04-03T00:00:00.000Z"),
    ],
)
def test_moments_are_written_as_elasticsearch_does(moment: int | datetime, digits: int, text: str) -> None:
    assert iso(moment, digits) == text


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_datetime_of_any_year_comes_back_from_its_nanoseconds(moment: datetime) -> None:
    assert to_datetime(datetime_nanoseconds(moment)) == moment
