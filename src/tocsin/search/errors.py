"""What keeps a search from being answered."""

from __future__ import annotations

from tocsin.errors import TocsinError


class SearchError(TocsinError):
    """A search that asks for something that cannot be."""


class NoSuchIndexError(SearchError):
    """No index has the name that was asked for."""


class IndexSetAsideError(SearchError):
    """The index that was asked for is damaged."""


class SearchStoppedError(SearchError):
    """A search that took too long, or was cancelled."""


class ServiceStopsError(SearchStoppedError):
    """A search that is not answered because the service stops."""


class TooManySearchesError(SearchError):
    """A search that is refused because many others wait already."""


class SearchTooLargeError(SearchError):
    """A search that needs more memory than one may take."""

    @classmethod
    def of(cls, memory: int, ending: str = "") -> SearchTooLargeError:
        """Return the error of a search that may take so many bytes; `ending` says how it ended."""
        reason = f"Data too large: the search needs more than the {memory:,} bytes that one may take{ending}"
        return cls(reason, hint="ask for fewer hits or buckets, or a shorter span of time")
