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
