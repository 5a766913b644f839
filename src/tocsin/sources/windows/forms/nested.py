"""Windows events in JSON that is nested as their XML is.

`evtx_dump` writes attributes as `#attributes`, with `--separate-json-attributes` (as Chainsaw does) beside their
element as `Provider_attributes`; xmltodict, python-evtx and EvtxECmd's `--fj` as `@Name`; Velociraptor's
`parse_evtx` has `System` and `EventData` at the root, `EventID.Value`, and the time as seconds since 1970 (the
fixtures of Velocidex/evtx). Tables of such objects have flat names with dots (`Event.System.EventID`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.sources.batch import unflatten
from tocsin.sources.windows.forms.elements import MESSAGE, as_logged, assembled, data_of, head_of, user_data_of

Record = Mapping[str, Any]

_PARTS = ("System", "EventData", "UserData", "ProcessingErrorData", "RenderingInfo", MESSAGE)
_DOTTED = ("Event.System.Channel", "System.Channel")


def is_nested(record: Record) -> bool:
    """Return whether a record is an event whose head is its `System`, in `Event` or at the root."""
    nested = record.get("Event")
    if isinstance(nested, dict):
        return isinstance(nested.get("System"), dict) or "System" in nested
    system = record.get("System")
    if isinstance(system, dict):
        return "EventID" in system and ("Channel" in system or "Provider" in system)
    return any(name in record for name in _DOTTED)


def record_of(record: Record) -> Record:
    """Return the record as the `evtx` parser would render it."""
    dotted = any(name in record for name in _DOTTED)
    nested = unflatten(record) if dotted else record
    event = nested["Event"] if isinstance(nested.get("Event"), dict) else nested
    system = event.get("System")
    if not isinstance(system, dict) or (_is_rendered(system, event) and not dotted):
        return record if "Event" in record else {"Event": event}
    head = head_of(system)
    of_user = not event.get("EventData") and bool(event.get("UserData"))
    data = user_data_of(event["UserData"]) if of_user else data_of(event.get("EventData"))
    if isinstance(data, dict) and not of_user:
        provider, event_id = (head.get("Provider") or {}).get("#attributes", {}).get("Name"), head.get("EventID")
        data = as_logged(data, provider, event_id)
    rendered = assembled(head, data, of_user=of_user)
    rendered["Event"] |= {name: event[name] for name in _PARTS[3:] if name in event}
    return rendered


def _is_rendered(system: Record, event: Record) -> bool:
    """Return whether the `evtx` parser itself rendered an event, so that nothing of it has to be changed."""
    provider = system.get("Provider")
    if not isinstance(provider, dict) or "#attributes" not in provider:
        return False
    if not (isinstance(system.get("Channel"), str) and isinstance(system.get("Computer"), str)):
        return False
    event_id = system.get("EventID")
    if not isinstance(event_id, int) and not (isinstance(event_id, dict) and "#text" in event_id):
        return False
    data = event.get("EventData")
    if isinstance(data, (str, list)):
        return False
    data = data.get("Data") if isinstance(data, dict) else None
    return not isinstance(data, list) and not (isinstance(data, dict) and "#text" not in data)
