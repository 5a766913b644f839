"""Records as each product writes them, every value made up, and what its public integration makes of them."""

from tests.sources.products import crowdstrike, endgame, m365_defender, sentinel_one
from tests.sources.products.case import Case, Record

CASES: dict[str, tuple[Case, ...]] = {
    "m365_defender.event": m365_defender.CASES,
    "sentinel_one_cloud_funnel.event": sentinel_one.CASES,
    "crowdstrike.fdr": crowdstrike.CASES,
    "endgame": endgame.CASES,
}


def readable_as_columns(name: str) -> list[Record]:
    """Return a product's records that columns can hold together.

    An object where others have text is beyond a column, and one shape is read at a time.
    """
    records = [case.record for case in CASES[name]]
    return [r for r in records if "inspected" not in str(r).lower() and "endgame" not in r]
