"""Windows events in XML are the same events as in EVTX, however they were exported."""

import io
import random
import re
from pathlib import Path
from typing import Any

import evtx as evtx_package
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared import needs_shared, shared
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.formats.event_xml import read_xml
from tocsin.sources.inputs import find_inputs, recognise
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord, to_ecs
from tocsin.sources.windows.xml import record_of

evtx: Any = evtx_package
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
FIELDS = Wanted(frozenset(("process.name", "process.command_line", "event.code", "host.name", "winlog.record_id")))


def event(number: int, command_line: str = "MpCmdRun.exe -DownloadFile", quote: str = "'") -> str:
    """Return a Sysmon 1 as `wevtutil qe` writes it."""
    q = quote
    return (
        f"<Event xmlns={q}{NAMESPACE}{q}><System><Provider Name={q}Microsoft-Windows-Sysmon{q} "
        f"Guid={q}{{5770385f-c22a-43e0-bf4c-06f5698ffbd9}}{q}/><EventID>1</EventID><Version>5</Version>"
        f"<Level>4</Level><Task>1</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>"
        f"<TimeCreated SystemTime={q}2026-10-05T09:14:07.4994901Z{q}/><EventRecordID>{number}</EventRecordID>"
        f"<Correlation/><Execution ProcessID={q}3500{q} ThreadID={q}4688{q}/>"
        f"<Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>WS-0142</Computer>"
        f"<Security UserID={q}S-1-5-18{q}/></System><EventData><Data Name={q}RuleName{q}>-</Data>"
        f"<Data Name={q}ProcessId{q}>42</Data><Data Name={q}Image{q}>C:\\Defender\\MpCmdRun.exe</Data>"
        f"<Data Name={q}CommandLine{q}>{command_line}</Data></EventData></Event>"
    )


def read(content: bytes, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in read_xml(io.BytesIO(content), "x", FIELDS, rejects or Rejects(), Documents()):
        rows.extend({name: row.get(name) for name in FIELDS.fields} for row in batch.rows)
    return rows


def ids(content: bytes, rejects: Rejects | None = None) -> list[str]:
    return [row["winlog.record_id"] for row in read(content, rejects)]


TWO = event(1), event(2)
CAFE = "caf\u00e9"
DECLARED = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n'


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("\r\n".join(TWO), "wevtutil qe"),
        ("".join(TWO), "without line ends"),
        (f"{DECLARED}<Events>{''.join(TWO)}</Events>", "Event Viewer, wevtutil /e:Events"),
        (
            f"\ufeff<Events>\n<!-- a > b -->\n{TWO[0]}\n<!-- c -->{TWO[1]}\n</Events>\n",
            "comments",
        ),
        (f"<ev:Log xmlns:ev='urn:x' n='1'>{''.join(TWO)}</ev:Log>", "any other root"),
        ("".join(event(n, quote='"') for n in (1, 2)), "double quotes"),
    ],
)
def test_events_are_found_with_or_without_a_root(content: str, what: str) -> None:
    rejects = Rejects()
    assert ids(content.encode(), rejects) == ["1", "2"], what
    assert rejects.total == 0


def test_an_event_in_xml_has_the_fields_of_its_record() -> None:
    found = to_ecs(record_of(event(7, "MpCmdRun.exe &quot;a b&quot; &amp; x ")))
    expected = {
        "@timestamp": "2026-10-05T09:14:07.4994901Z",
        "event.code": "1",
        "host.name": "WS-0142",
        "process.name": "MpCmdRun.exe",
        "process.pid": 42,
        "process.command_line": 'MpCmdRun.exe "a b" & x ',
        "user.id": "S-1-5-18",
        "winlog.process.pid": 3500,
        "winlog.provider_guid": "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
        "log.level": "information",
        "_index": ["logs-windows.sysmon_operational-default", "winlogbeat-default"],
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "winlog.event_data.RuleName" not in found


@pytest.mark.parametrize(
    ("data", "field", "value"),
    [
        ("<EventData><Data>a</Data><Data></Data><Data>c</Data></EventData>", "winlog.event_data.param3", "c"),
        ("<EventData><Data Name='A'>1</Data><Data Name='A'>2</Data></EventData>", "winlog.event_data.A", "1\n2"),
        ("<EventData><Data/><Binary>FF</Binary></EventData>", "winlog.event_data.Binary", "FF"),
        ("<UserData><L xmlns='urn:l'><Name>jo</Name></L></UserData>", "winlog.user_data.Name", "jo"),
        ("<EventData/>", "winlog.event_data.A", None),
        ("<EventData>\n  </EventData>", "winlog.event_data.param1", None),
        ("", "winlog.event_data.A", None),
        ("<RenderingInfo Culture='en'><Message>m</Message></RenderingInfo>", "_index",
         ["logs-windows.forwarded-default", "logs-winlog.winlog-default", "winlogbeat-default"]),
    ],
)  # fmt: skip
def test_event_data(data: str, field: str, value: Any) -> None:
    head = "<System><Provider Name='p'/><EventID Qualifiers='16384'>7</EventID><Channel>c</Channel></System>"
    found = to_ecs(record_of(f"<Event xmlns='{NAMESPACE}'>{head}{data}</Event>"))
    assert found["event.code"] == "7"
    assert found.get(field) == value


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    found = to_ecs(record_of(event(1, "a\x01b&#x2;c&#xD800;d&#9;e")))
    assert found["process.command_line"] == "a\ufffdb\ufffdc\ufffdd\te"


@pytest.mark.parametrize(
    ("content", "kept", "reason", "place"),
    [
        (f"{TWO[0]}\n{event(3)[:300]}\n{TWO[1]}", ["1", "2"], "malformed XML", "line 2"),
        (f"{TWO[0]}\n{TWO[1]}\n{event(3)[:300]}", ["1", "2"], "malformed XML", "line 3"),
        (f"{TWO[0]}\n<Event><System></Data></Event>\n{TWO[1]}", ["1", "2"], "malformed XML", "line 2"),
        (f"{TWO[0]}\n\n<Event><Other/></Event>\n{TWO[1]}", ["1", "2"], "malformed XML", "line 3"),
        (f"{TWO[0]}\nnoise\n{TWO[1]}", ["1", "2"], "not an event", "line 2"),
        (f"{TWO[0]}\n<a>noise</a>\n{TWO[1]}", ["1", "2"], "not an event", "line 2"),
        (
            f"{TWO[0]}\n{event(3).replace('<EventID>1</EventID>', '')}\n{TWO[1]}",
            ["1", "2"],
            "malformed Windows event",
            "line 2",
        ),
    ],
)
def test_what_is_broken_is_rejected_and_the_rest_read(
    content: str, kept: list[str], reason: str, place: str
) -> None:
    rejects = Rejects()
    assert ids(content.encode(), rejects) == kept
    assert dict(rejects.counts) == {reason: 1}
    assert rejects.first[reason].position == place


def test_an_unknown_encoding_is_named() -> None:
    rejects = Rejects()
    assert ids((event(1, "caf\u00e9") + TWO[1]).encode("latin-1"), rejects) == ["2"]
    assert rejects.first["unknown encoding"].detail.endswith("convert the file to UTF-8 or UTF-16")


def test_an_entity_is_not_expanded() -> None:
    bomb = f"<!DOCTYPE Events [<!ENTITY a 'x'>]><Events>{event(1, '&a;')}{TWO[1]}</Events>"
    rejects = Rejects()
    assert ids(bomb.encode(), rejects) == ["2"]
    assert rejects.counts["malformed XML"] == 1


def test_a_file_is_recognised_in_any_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / f"{encoding}.log"
        path.write_bytes(f"{DECLARED}<Events>{''.join(TWO)}</Events>".encode(encoding))
        (batch,) = read_inputs(find_inputs([str(path)]), FIELDS, Rejects())
        assert batch.table.raw("winlog.record_id").to_pylist() == ["1", "2"]  # type: ignore[union-attr]
        assert batch.raw(0).event()["process.name"] == "MpCmdRun.exe"


def test_a_web_page_is_no_telemetry() -> None:
    assert recognise(b"<!doctype html><html><body>Events</body></html>") is None


def test_events_are_found_wherever_reads_end() -> None:
    content = "\n".join(event(number) for number in range(40)).encode()

    class Dribble(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(random.Random(self.tell()).randint(1, 900))

    rejects = Rejects()
    (batch,) = read_xml(Dribble(content), "x", FIELDS, rejects, Documents())
    assert [row.get("winlog.record_id") for row in batch.rows] == [str(number) for number in range(40)]
    assert rejects.total == 0


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_event_of_a_damaged_file_goes_uncounted(data: st.DataObject) -> None:
    parts = [event(number).encode() for number in range(4)]
    broken = data.draw(st.integers(0, 3))
    whole = parts[broken]
    start = data.draw(st.integers(1, len(whole) - 1))
    length = data.draw(st.integers(0, 40))
    parts[broken] = whole[:start] + data.draw(st.binary(max_size=12)) + whole[start + length :]
    rejects = Rejects()
    found = ids(b"\n".join(parts), rejects)
    others = [str(number) for number in range(4) if number != broken]
    # Where the end of an event is lost, the next may go with it, in one reject.
    assert len([one for one in found if one in others]) >= 2
    assert len(found) + rejects.total >= 3
    assert len(found) == 4 or rejects.total


KEYS = st.sampled_from(("#attributes", "#text", "Name", "a"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_record_with_odd_values_is_refused_or_read(data: st.DataObject) -> None:
    record = record_of(event(1))
    part = data.draw(st.sampled_from(("System", "EventData", "Event")))
    if part == "Event":
        record["Event"][data.draw(st.sampled_from(("System", "EventData", "UserData")))] = data.draw(JSON)
    else:
        record["Event"][part][data.draw(st.sampled_from(sorted(record["Event"][part])))] = data.draw(JSON)
    try:
        row = WindowsRecord(record)
    except MalformedRecord:
        return
    assert row.fields()["event.code"]


@needs_shared("events/evtx")
@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(shared("events/evtx").glob("*.evtx")), ids=lambda path: path.stem[:60])
def test_every_real_record_is_the_same_in_xml_as_in_evtx(path: Path) -> None:
    def lines(value: Any) -> Any:
        """XML itself turns carriage return and line feed into a line feed."""
        return value.replace("\r\n", "\n") if isinstance(value, str) else value

    def records(method: str) -> list[str]:
        found = []
        try:
            for record in getattr(evtx.PyEvtxParser(str(path)), method)():
                found.append(record["data"])  # noqa: PERF401 (what comes before damage counts)
        except RuntimeError:
            pass
        return found

    in_xml, in_json = records("records"), records("records_json")
    assert len(in_xml) == len(in_json)
    for xml, json in zip(in_xml, in_json, strict=True):
        expected = {name: lines(value) for name, value in to_ecs(orjson.loads(json)).items()}
        assert to_ecs(record_of(xml[xml.index("<Event") :])) == expected


PREFIXED = (
    "<{p}System><{p}Provider Name='Microsoft-Windows-Sysmon'/><{p}EventID>1</{p}EventID>"
    "<{p}TimeCreated SystemTime='2026-11-20T10:00:00Z'/>"
    "<{p}Channel>Microsoft-Windows-Sysmon/Operational</{p}Channel><{p}Computer>h</{p}Computer></{p}System>"
    "<{p}EventData><{p}Data Name='Image'>C:\\münze.exe</{p}Data></{p}EventData>"
)


@pytest.mark.parametrize(
    "text",
    [
        "<e:Event xmlns:e='{ns}'>{of_e}</e:Event>",
        "<e:Events xmlns:e='{ns}'><e:Event>{of_e}</e:Event></e:Events>",
        "<Event xmlns='{ns}'>{plain}</Event>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "iso-8859-1", "utf-16"])
def test_a_namespace_may_have_a_prefix_and_a_file_declare_its_encoding(
    tmp_path: Path, text: str, encoding: str
) -> None:
    event = text.format(ns=NAMESPACE, of_e=PREFIXED.format(p="e:"), plain=PREFIXED.format(p=""))
    path = tmp_path / "events.xml"
    path.write_bytes(f"<?xml version='1.0' encoding='{encoding}'?>\n{event}\n{event}".encode(encoding))
    rejects = Rejects()
    (batch,) = read_inputs(find_inputs([str(path)]), Wanted(frozenset(("process.name",))), rejects)
    assert rejects.total == 0, rejects.first
    assert [batch.raw(row).event()["process.name"] for row in range(2)] == ["münze.exe"] * 2


def prefixed(number: int, prefix: str = "ns0") -> str:
    """Return an event whose names have a prefix, as ElementTree and XSLT write them again."""
    text = event(number).replace(f" xmlns='{NAMESPACE}'", "")
    return re.sub(r"<(/?)(?=[A-Z])", rf"<\1{prefix}:", text)


@pytest.mark.parametrize("prefix", ["ns0", "e", "win.evt-1"])
@pytest.mark.parametrize(
    "root",
    [
        "<{p}:Events xmlns:{p}='{n}'>{e}</{p}:Events>",
        "<?xml version='1.0'?>\n<Events xmlns:{p}='{n}'>\n{e}\n</Events>",
        "<{p}:Events xmlns:{p}='{n}' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{x}</{p}:Events>",
    ],
)
def test_names_may_have_a_prefix(root: str, prefix: str) -> None:
    both = "".join(prefixed(number, prefix) for number in (1, 2))
    nil = both.replace(f"<{prefix}:EventData>", f"<{prefix}:EventData xsi:type='{prefix}:Data'>")
    rejects = Rejects()
    rows = read(root.format(p=prefix, n=NAMESPACE, e=both, x=nil).encode(), rejects)
    assert [row["winlog.record_id"] for row in rows] == ["1", "2"]
    assert {row["process.name"] for row in rows} == {"MpCmdRun.exe"}
    assert not rejects.total


def test_a_prefix_may_be_declared_by_the_event_itself(tmp_path: Path) -> None:
    text = prefixed(1).replace("<ns0:Event>", f"<ns0:Event xmlns:ns0='{NAMESPACE}'>")
    (tmp_path / "e").write_text(text + "\n" + event(2))
    (batch,) = read_inputs(find_inputs([str(tmp_path / "e")]), FIELDS, Rejects())
    assert batch.table.raw("winlog.record_id").to_pylist() == ["1", "2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("windows-1252", "caf\u00e9 \u201equoted\u201c"),
        ("ISO-8859-1", "caf\u00e9"),
        ("windows-1251", "\u043f\u0440\u0438\u0432\u0435\u0442"),
        ("shift_jis", "\u30c6\u30b9\u30c8\u8868"),
        ("gbk", "\u6d4b\u8bd5"),
        ("utf-8", "caf\u00e9"),
    ],
)
def test_a_declared_encoding_is_followed(encoding: str, text: str) -> None:
    content = (
        f"<?xml version='1.0' encoding='{encoding}' standalone='yes'?>\n<Events>{event(1, text)}{TWO[1]}</Events>"
    )
    rejects = Rejects()
    first, second = read(content.encode(encoding), rejects)
    assert (first["process.command_line"], second["winlog.record_id"]) == (text, "2")
    assert not rejects.total


@pytest.mark.parametrize("declared", ["utf-16", "x-unknown", "base64"])
def test_a_declaration_that_does_not_hold_is_passed_over(declared: str) -> None:
    content = f"<?xml version='1.0' encoding='{declared}'?>\n{event(1, CAFE)}".encode()
    assert read(content)[0]["process.command_line"] == CAFE
    rejects = Rejects()
    assert not read(content.replace("\u00e9".encode(), b"\xe9"), rejects)
    assert rejects.counts["unknown encoding"] == 1
