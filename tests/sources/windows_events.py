"""What every Windows event means, as documentation: `python -m tests.sources.windows_events` prints it."""

from __future__ import annotations

from tocsin.cli.source_markdown import events_in_markdown
from tocsin.sources.windows import system
from tocsin.sources.windows.head import BY_PROVIDER

_HEAD = """# Windows events

What each event of the tables means, which of its values names the user that acts and the process, first the value
that counts, and after what the row is made. `tocsin sources show NAME --format markdown` prints these tables, of
which this page is made; `tocsin sources show NAME` prints what every value becomes. Where they differ from
Elastic's integrations, [sources.md](sources.md#agreement-with-the-integrations) says why."""


def document() -> str:
    """Return the page."""
    datasets = (*BY_PROVIDER.values(), system.SYSTEM, system.APPLICATION, system.OTHER)
    parts = (f"## {dataset.name}\n\n{events_in_markdown(dataset)}" for dataset in datasets)
    return "\n\n".join((_HEAD, *parts)) + "\n"


if __name__ == "__main__":
    print(document(), end="")
