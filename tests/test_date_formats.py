"""Formats of dates, as Elasticsearch's page "format" names and spells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.date_formats import date_format

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("format", "text", "start", "length"),
    [
        ("strict_date_optional_time", "2026-11-20T10:00:00.123456789Z", AT * SECOND + 123456789, 0),
        ("strict_date_optional_time", "2026-11-20T12:00:00+02:00", AT * SECOND, SECOND - 1),
        ("strict_date_optional_time", "2026-11-20T10", AT * SECOND, 3600 * SECOND - 1),
        ("strict_date_optional_time", "2026-11-20", (AT - 36_000) * SECOND, DAY - 1),
        ("strict_date_optional_time", "2026-11", (AT - 36_000) * SECOND - 19 * DAY, 30 * DAY - 1),
        ("epoch_second", "1795168800", AT * SECOND, 0),
        ("epoch_second", 1795168800.5, AT * SECOND + SECOND // 2, 0),
        ("epoch_millis", "-1", -1_000_000, 0),
        ("basic_date", "20261120", (AT - 36_000) * SECOND, DAY - 1),
        ("strict_date_hour_minute_second", "2026-11-20T10:00:00", AT * SECOND, SECOND - 1),
        ("yyyy/MM/dd HH:mm:ss", "2026/11/20 10:00:00", AT * SECOND, SECOND - 1),
        ("yyyy/MM/dd||epoch_second", "1795168800", AT * SECOND, 0),
        ("dd/MMM/yyyy:HH:mm:ss Z", "20/Nov/2026:11:00:00 +0100", AT * SECOND, SECOND - 1),
        ("MMM d, yyyy @ HH:mm:ss.SSS", "Nov 20, 2026 @ 10:00:00.123", AT * SECOND + 123_000_000, 0),
        ("d.M.yy h:mm a", "20.11.26 10:00 AM", AT * SECOND, 60 * SECOND - 1),
        ("yyyy-MM-dd'T'HH:mm[:ss]X", "2026-11-20T10:00Z", AT * SECOND, 60 * SECOND - 1),
        ("EEE, d MMM yyyy HH:mm:ss z", "Fri, 20 Nov 2026 10:00:00 GMT", AT * SECOND, SECOND - 1),
    ],
)
def test_dates_are_spans(format, text, start, length):
    assert date_format(format).parse(text) == (start, length)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("yyyy/MM/dd", "2026-11-20"),
        ("yyyy/MM/dd", "2026/13/20"),
        ("yyyy/MM/dd", "2026/02/30"),
        ("epoch_second", "soon"),
        ("strict_date_optional_time", ""),
        ("yyyy", True),
        ("yyyy", "9999"),  # beyond 64 bits
    ],
)
def test_what_is_no_date_is_refused(format, text):
    with pytest.raises(ValueError, match=r"date|64|1678"):
        date_format(format).parse(text)


@pytest.mark.parametrize("format", ["", "no_such_format", "yyyy||", "QQQ", "''"])
def test_what_is_no_format_is_refused(format):
    with pytest.raises(ValueError, match="Invalid format"):
        date_format(format)


@pytest.mark.parametrize(
    ("format", "unit"),
    [
        ("strict_date_optional_time", 10**6), ("strict_date_optional_time_nanos", 1), ("epoch_millis", 1),
        ("epoch_second", 1), ("yyyy/MM/dd HH:mm:ss", SECOND), ("MMM d, yyyy @ HH:mm:ss.SSS", 10**6),
        ("basic_date", DAY), ("EEEE, d MMMM yyyy h:mm:ss a", SECOND), ("date_time", 10**6),
        ("dd/MMM/yyyy:HH:mm:ss Z", SECOND),
    ],
)  # fmt: skip
@given(moment=st.integers(0, 4 * 10**18))
def test_what_is_written_is_read(format, unit, moment):
    found = date_format(format)
    assert found.parse(found.write(moment)).start == moment // unit * unit
