"""What fields of forms about cases say."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from tocsin.api.answers import bad_request


def names_of(text: str) -> list[str]:
    """Return names that commas part, each once."""
    return [name for name in dict.fromkeys(part.strip() for part in text.split(",")) if name]


def follow_up_of(text: str, zone: tzinfo) -> datetime | None:
    """Return the moment that a field for date and time says in a zone; None for an empty one. Raises ApiError."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_request("[follow_up] is a date and a time, as in 2026-11-27T12:00") from None
