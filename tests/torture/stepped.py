"""`tocsin` with a system clock that is off by what a file says, in seconds.

`python -m tests.torture.stepped FILE serve …`. The file may change while the service runs, as a clock does
that somebody sets.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tocsin.api import service
from tocsin.cli.main import main
from tocsin.store.clock import ArrivalClock


def run() -> None:
    """Run a command."""
    offset = Path(sys.argv.pop(1))

    def wall() -> int:
        return time.time_ns() + int(offset.read_text()) * 1_000_000_000

    setattr(service, "ArrivalClock", lambda: ArrivalClock(wall=wall))  # noqa: B010
    main()


if __name__ == "__main__":
    run()
