"""The pages of the desk, as its head lists them and as keys lead to them."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.desk.translations import N_
from tocsin.store.records.access import Scope


@dataclass(frozen=True)
class NavigationEntry:
    """A page: `g` and then its key lead to it; those who may not see it are not shown it."""

    address: str
    label: str
    key: str
    scope: Scope = Scope.READ

    def is_current(self, path: str) -> bool:
        """Tell whether a path is that of the page, or of one below it."""
        return path == self.address or path.startswith(f"{self.address}/")


NAVIGATION = (
    # In the order in which the head shows them.
    NavigationEntry("/alerts", N_("Alerts"), "a"),
    NavigationEntry("/cases", N_("Cases"), "c"),
    NavigationEntry("/timeline", N_("Timeline"), "t"),
    NavigationEntry("/response", N_("Response"), "p"),
    NavigationEntry("/rules", N_("Rules"), "r"),
    NavigationEntry("/overview", N_("Overview"), "o"),
    NavigationEntry("/indicators", N_("Indicators"), "i"),
    NavigationEntry("/measures", N_("Measures"), "m"),
    NavigationEntry("/hosts", N_("Hosts"), "h"),
    NavigationEntry("/exceptions", N_("Exceptions"), "e"),
    NavigationEntry("/access", N_("Access"), "u", Scope.ADMIN),
)
