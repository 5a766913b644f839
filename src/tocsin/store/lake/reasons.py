"""Why something is set aside, in a sentence: errors of delta-rs and Arrow bring a backtrace of Rust along."""

from __future__ import annotations

import re

# What begins what nobody reads: a backtrace of Rust, its numbered frames, Arrow's detail.
_BACKTRACE = re.compile(
    r"\s*(?:\n|\s)(?:(?:stack )?backtrace:|\d+: (?:<unknown>|\S+::)|Detail: ).*", re.IGNORECASE | re.DOTALL
)
_LONGEST = 300  # characters


def sentence(error: BaseException | str) -> str:
    """Return an error as a line: its type, and what it says without a backtrace."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    line = " ".join(_BACKTRACE.sub("", text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
