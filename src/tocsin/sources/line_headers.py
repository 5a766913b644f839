"""What syslog daemons and container runtimes put before the JSON of a line.

RFC 5424 and RFC 3164 with or without the priority, rsyslog's and journald's times in ISO 8601 with the host and
the program, CEE's cookie `@cee:`, and the log files of the Kubernetes CRI (time, stream, `F` or `P`).
"""

from __future__ import annotations

import re

_HEADER = re.compile(
    rb"(?:<\d{1,3}>|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d[ .]|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)"
    rb'[^{\r\n]{0,400}(?=\{\s*")'
)


def json_behind_header(line: bytes) -> bytes | None:
    """Return what follows such a header, None for a line without one before an object in JSON."""
    header = _HEADER.match(line)
    return None if header is None else line[header.end() :]
