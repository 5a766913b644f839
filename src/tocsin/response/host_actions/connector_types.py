"""The types of connectors that there are: those of tocsin, and those that other packages bring along."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from tocsin.response.host_actions.interface import ENTRY_POINTS, ResponseConnectorType
from tocsin.response.host_actions.products.crowdstrike import CROWDSTRIKE
from tocsin.response.host_actions.products.elastic_defend import ELASTIC_DEFEND
from tocsin.response.host_actions.products.entra_id import ENTRA_ID
from tocsin.response.host_actions.products.microsoft_defender import MICROSOFT_DEFENDER
from tocsin.response.host_actions.products.sentinelone import SENTINELONE
from tocsin.response.host_actions.products.webhook import WEBHOOK

log = logging.getLogger(__name__)
BUILT_IN = (ELASTIC_DEFEND, MICROSOFT_DEFENDER, SENTINELONE, CROWDSTRIKE, ENTRA_ID, WEBHOOK)


@cache
def connector_types() -> Mapping[str, ResponseConnectorType]:
    """Return the types by their names. An entry point that cannot be loaded is left out, and that is logged.

    A name that tocsin has belongs to tocsin.
    """
    types = {type_.name: type_ for type_ in BUILT_IN}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            type_ = entry.load()
            if not isinstance(type_, ResponseConnectorType):
                raise TypeError(f"it is a {type(type_).__name__}, and no ResponseConnectorType")
            if type_.name in types:
                raise ValueError(f"there is a type of the name {type_.name} already")
        except Exception as error:
            log.warning("the connectors of %s cannot be used: %s: %s", entry.value, type(error).__name__, error)
            continue
        types[type_.name] = type_
    return types
