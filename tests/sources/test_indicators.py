"""Indicators in files, in the shapes that their sources write.

STIX: the examples of STIX 2.1, sections 4.7 and 9. abuse.ch: the headers of the exports of URLhaus, ThreatFox and
MalwareBazaar. MISP: `/attributes/restSearch` and its CSV. OTX: a pulse. ECS: the documents of Elastic's `ti_*`
integrations, and the fields those fill for each type of STIX and MISP.
"""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InputError
from tocsin.sources.indicators import read_indicators

MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "ab" * 32


@pytest.fixture
def read(tmp_path):
    """Write files with some contents, and read them as indicators."""

    def reading(*contents, name="feed.txt"):
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(str(path))
        return read_indicators(paths)

    return reading


def told(found):
    """Return what each document says of its indicator, but for its name."""
    return [
        {
            name.removeprefix("threat.indicator."): value
            for name, value in one.items()
            if name.startswith("threat.indicator.") and name != "threat.indicator.name"
        }
        for one in found.documents
    ]


def indicator(pattern, **more):
    return {
        "type": "indicator", "spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2016-04-06T20:03:48.000Z", "modified": "2016-04-06T20:03:48.000Z", "pattern": pattern,
        "pattern_type": "stix", "valid_from": "2016-01-01T00:00:00Z", **more,
    }  # fmt: skip


def bundle(*objects):
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": list(objects)})


def key(value):
    return {"type": "windows-registry-key", "registry.key": value}


PATTERNS = {
    "[ipv4-addr:value = '198.51.100.3']": {"type": "ipv4-addr", "ip": "198.51.100.3"},
    "[ipv4-addr:value = '198.51.100.3/32']": {"type": "ipv4-addr", "ip": "198.51.100.3"},
    "[ipv6-addr:value = '2001:DB8:0::1']": {"type": "ipv6-addr", "ip": "2001:db8::1"},
    "[domain-name:value = 'Evil.example']": {"type": "domain-name", "url.domain": "evil.example"},
    "[url:value = 'http://x.example:8080/a?b=c#d']": {
        "type": "url", "url.original": "http://x.example:8080/a?b=c#d", "url.full": "http://x.example:8080/a?b=c#d",
        "url.scheme": "http", "url.domain": "x.example", "url.port": 8080, "url.path": "/a", "url.query": "b=c",
        "url.fragment": "d",
    },
    f"[file:hashes.MD5 = '{MD5}']": {"type": "file", "file.hash.md5": MD5},
    f"[file:hashes.'SHA-1' = '{SHA1}']": {"type": "file", "file.hash.sha1": SHA1},
    f"[file:hashes.'SHA-256' = '{SHA256.upper()}']": {"type": "file", "file.hash.sha256": SHA256},
    f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']": {
        "type": "file", "file.hash.md5": MD5, "file.hash.sha1": SHA1,
    },
    "[file:name = 'it\\'s.exe']": {"type": "file", "file.name": "it's.exe"},
    "[file:name = 'a.exe' OR file:name IN ('b.exe', 'c.exe')]": {
        "type": "file", "file.name": ["a.exe", "b.exe", "c.exe"],
    },
    "[email-message:from_ref.value = 'a@b.example']": {"type": "email-addr", "email.address": "a@b.example"},
    "[email-addr:value = 'a@b.example']": {"type": "email-addr", "email.address": "a@b.example"},
    r"[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Software\\Foo']": {
        **key("Software\\Foo"), "registry.hive": "HKLM",
        "registry.path": ["HKEY_LOCAL_MACHINE\\Software\\Foo", "HKLM\\Software\\Foo"],
    },
    "[autonomous-system:number = 64512]": {"type": "autonomous-system", "as.number": 64512},
    "[x509-certificate:serial_number = '36:f7']": {"type": "x509-certificate", "x509.serial_number": "36:f7"},
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "fields"), PATTERNS.items())
def test_patterns_of_stix_give_the_fields_of_elastics_integrations(read, pattern, fields):
    found = read(bundle(indicator(pattern)))
    [document] = told(found)
    assert {name: document[name] for name in fields} == fields
    assert found.skipped == {}


def test_a_pattern_of_several_types_is_a_document_a_type(read):
    found = read(bundle(indicator("[ipv4-addr:value = '1.2.3.4'] OR [domain-name:value = 'a.example']")))
    assert [one["type"] for one in told(found)] == ["ipv4-addr", "domain-name"]


REFUSED = {
    "[file:name = 'a' AND file:size = 3]": "AND",
    "[ipv4-addr:value = '1.1.1.1'] AND [file:name = 'a']": "AND",
    "[ipv4-addr:value = '1.1.1.1'] FOLLOWEDBY [file:name = 'a']": "FOLLOWEDBY",
    "[ipv4-addr:value = '1.1.1.1'] REPEATS 5 TIMES": "REPEATS",
    "[ipv4-addr:value = '1.1.1.1'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'": "START",
    "[file:name LIKE 'a%']": "LIKE",
    "[file:name MATCHES '^a']": "MATCHES",
    "[ipv4-addr:value ISSUBSET '10.0.0.0/8']": "ISSUBSET",
    "[ipv4-addr:value = '10.0.0.0/8']": "block of addresses",
    "[file:name NOT = 'a']": "NOT",
    "[EXISTS file:name]": "EXISTS",
    "[mutex:name = 'a']": "`mutex:name`",
    "[file:hashes.MD5 = 'short']": "no md5 hash",
    "file.name == 1": "cannot be parsed",
    "(" * 5000 + "[file:name = 'a']" + ")" * 5000: "",
}


@pytest.mark.parametrize(("pattern", "reason"), REFUSED.items(), ids=[one[:40] for one in REFUSED])
def test_what_a_pattern_asks_beside_values_is_counted_with_its_reason(read, pattern, reason):
    found = read(bundle(indicator(pattern), indicator("[file:name = 'kept']")))
    assert [one["file.name"] for one in told(found) if one["file.name"] != "a"] == ["kept"]
    if reason:
        assert [reason in one for one in found.skipped] == [True]
        assert sum(found.skipped.values()) == 1


def test_patterns_of_other_languages_are_counted(read):
    found = read(bundle(indicator("rule x {}", pattern_type="yara"), indicator("[file:name = 'kept']")))
    assert found.skipped == {"pattern of type yara: only STIX patterns name values": 1}


def test_what_stix_says_of_an_indicator_stays_with_it(read):
    who = {"type": "identity", "id": "identity--1", "name": "CERT"}
    about = {
        "name": "C2", "description": "Beacon", "confidence": 85, "created_by_ref": "identity--1", "revoked": True,
        "valid_until": "2026-01-01T00:00:00Z", "labels": ["malicious"],
        "object_marking_refs": ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
    }  # fmt: skip
    [document] = read(bundle(who, indicator("[ipv4-addr:value = '1.2.3.4']", **about))).documents
    expected = {
        "event.kind": "enrichment", "event.category": ["threat"], "event.type": ["indicator"],
        "event.module": "ti_custom", "_index": "logs-ti_custom.indicator-default", "threat.feed.name": "feed",
        "threat.indicator.name": "C2", "threat.indicator.description": "Beacon",
        "threat.indicator.confidence": "High",
        "threat.indicator.provider": "CERT", "threat.indicator.marking.tlp": "GREEN", "stix.revoked": True,
        "tags": ["malicious"],
    }  # fmt: skip
    assert {name: document.get(name) for name in expected} == expected
    assert document["stix.valid_until"].startswith("2026-01-01T00:00:00")
    assert document["threat.indicator.first_seen"].startswith("2016-01-01T00:00:00")


URLHAUS = """################################################################
# abuse.ch URLhaus Database Dump (CSV - recent URLs only)      #
################################################################
#
# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter
"1","2026-11-01 09:00:00","http://x.example/a.exe","online","","malware_download","exe,elf","https://u/1/","me"
"""
THREATFOX = """# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","confidence_level","reference"
"2026-11-01 09:00:00", "1", "198.51.100.7:443", "ip:port", "botnet_cc", "75", "None"
"2026-11-01 09:00:00", "2", "c2.example", "domain", "botnet_cc", "100", ""
"""
BAZAAR = f'''# "first_seen_utc","sha256_hash","md5_hash","sha1_hash","reporter","file_name"
"2026-11-01 09:00:00", "{SHA256}", "{MD5}", "{SHA1}", "me", "a.exe"
'''
TABLES = {
    "type and value": ("type,value\nip,10.1.2.3\ndomain,a.example\n", [
        {"type": "ipv4-addr", "ip": "10.1.2.3"}, {"type": "domain-name", "url.domain": "a.example"}]),
    "with semicolons": ("Indicator;Comment\n10.1.2.3;bad\n", [
        {"type": "ipv4-addr", "ip": "10.1.2.3", "description": "bad"}]),
    "one column with a name": (f"sha256\n{SHA256}\n", [{"type": "file", "file.hash.sha256": SHA256}]),
    "hashes of any length": (f"hash,source\n{MD5},x\n{SHA1},x\n", [
        {"type": "file", "file.hash.md5": MD5, "provider": "x"},
        {"type": "file", "file.hash.sha1": SHA1, "provider": "x"}]),
    "ECS names": ("threat.indicator.ip,threat.indicator.type\n10.1.2.3,ipv4-addr\n", [
        {"type": "ipv4-addr", "ip": "10.1.2.3"}]),
    "no names": ("1,2026-11-01,10.1.2.3\n2,2026-11-02,10.1.2.4\n", [
        {"type": "ipv4-addr", "ip": "10.1.2.3"}, {"type": "ipv4-addr", "ip": "10.1.2.4"}]),
    "no names, types beside": ("domain,a.example\nip,10.1.2.3\n", [
        {"type": "domain-name", "url.domain": "a.example"}, {"type": "ipv4-addr", "ip": "10.1.2.3"}]),
    "OTX": (f'Indicator type,Indicator,Description\nFileHash-MD5,{MD5},\nhostname,h.example,\n', [
        {"type": "file", "file.hash.md5": MD5}, {"type": "domain-name", "url.domain": "h.example"}]),
    "MISP": (
        f'uuid,event_id,category,type,value,comment,to_ids,date\nu,1,Payload,"filename|md5","a.exe|{MD5}","",1,2\n',
        [
        {"type": "file", "file.name": "a.exe", "file.hash.md5": MD5}]),
    "a list": ("# comment\n10.1.2.3\nevil.example ; remark\n\nhxxps://x[.]example/a\n", [
        {"type": "ipv4-addr", "ip": "10.1.2.3"}, {"type": "domain-name", "url.domain": "evil.example"},
        {"type": "url", "url.full": "https://x.example/a"}]),
    "a list with commas in values": ("http://x.example/a?b=1,2\nhttp://x.example/a?b=1,3\n", [
        {"type": "url", "url.full": "http://x.example/a?b=1,2"},
        {"type": "url", "url.full": "http://x.example/a?b=1,3"}]),
    "a hosts file": ("127.0.0.1 a.example\n0.0.0.0 b.example # x\n", [
        {"type": "domain-name", "url.domain": "a.example"}, {"type": "domain-name", "url.domain": "b.example"}]),
    "URLhaus": (URLHAUS, [{"type": "url", "url.full": "http://x.example/a.exe", "provider": "me"}]),
    "ThreatFox": (THREATFOX, [
        {"type": "ipv4-addr", "ip": "198.51.100.7", "port": 443, "confidence": "High"},
        {"type": "domain-name", "url.domain": "c2.example", "confidence": "High"}]),
    "MalwareBazaar": (BAZAAR, [
        {"type": "file", "file.hash.sha256": SHA256, "file.hash.md5": MD5, "file.hash.sha1": SHA1,
         "file.name": "a.exe"}]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("encode", [str.encode, lambda t: t.encode("utf-16"), lambda t: gzip.compress(t.encode())],
                         ids=["UTF-8", "UTF-16", "gzip"])  # fmt: skip
def test_tables_and_lists_are_told_by_their_content(read, text, expected, encode):
    found = read(encode(text))
    assert [
        {name: one.get(name) for name in want} for one, want in zip(told(found), expected, strict=True)
    ] == expected
    assert found.skipped == {}


ECS = {"threat": {"indicator": {"type": "ipv4-addr", "ip": "10.1.2.3"}, "feed": {"name": "AbuseCH"}},
       "event": {"dataset": "ti_abusech.url", "kind": "enrichment"},
       "@timestamp": "2026-10-01T00:00:00Z"}  # fmt: skip
HIT = {"_index": ".ds-logs-ti_abusech.url-default-2026.10.01-000001", "_id": "x", "_source": ECS}
ATTRIBUTE = {
    "uuid": "u",
    "type": "ip-dst|port",
    "value": "10.1.2.3|443",
    "to_ids": True,
    "Tag": [{"name": "tlp:red"}],
}
IP = {"type": "ipv4-addr", "ip": "10.1.2.3"}
JSONS = {
    "an ECS document": (ECS, IP),
    "with dots": ({"threat.indicator.type": "ipv4-addr", "threat.indicator.ip": "10.1.2.3"}, IP),
    "of Filebeat 7": ({"threatintel": {"indicator": {"type": "ipv4-addr", "ip": "10.1.2.3"}}}, IP),
    "a hit": (HIT, IP),
    "an answer of a search": ({"took": 1, "hits": {"total": {"value": 1}, "hits": [HIT]}}, IP),
    "a list": ([{"type": "ip", "value": "10.1.2.3"}], IP),
    "a list of values": (["10.1.2.3"], IP),
    "TAXII": ({"more": False, "objects": [indicator("[ipv4-addr:value = '10.1.2.3']")]}, IP),
    "an indicator alone": (indicator("[ipv4-addr:value = '10.1.2.3']"), IP),
    "MISP's attributes": ({"response": {"Attribute": [ATTRIBUTE]}}, {**IP, "port": 443}),
    "MISP's event": ({"response": [{"Event": {"Attribute": [ATTRIBUTE], "Object": []}}]}, {**IP, "port": 443}),
    "MISP's object": ({"Event": {"Object": [{"name": "x", "Attribute": [ATTRIBUTE]}]}}, {**IP, "port": 443}),
    "OTX": ({"id": "1", "name": "Pulse", "indicators": [{"type": "IPv4", "indicator": "10.1.2.3"}]}, IP),
    "ThreatFox": (
        {"query_status": "ok", "data": [{"ioc": "10.1.2.3:443", "ioc_type": "ip:port"}]}, {**IP, "port": 443}),
}  # fmt: skip


@pytest.mark.parametrize(("document", "fields"), JSONS.values(), ids=JSONS)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_told_by_its_content(read, document, fields, indent):
    found = read(json.dumps(document, indent=indent))
    assert [{name: one.get(name) for name in fields} for one in told(found)] == [fields]
    assert [one["event.kind"] for one in found.documents] == ["enrichment"]
    assert found.skipped == {}


def test_documents_keep_what_they_say_themselves(read):
    [document] = read(json.dumps(HIT)).documents
    expected = {
        "_index": "logs-ti_abusech.url-default", "_id": "x", "@timestamp": "2026-10-01T00:00:00Z",
        "event.module": "ti_abusech", "threat.feed.name": "AbuseCH",
    }  # fmt: skip
    assert {name: document.get(name) for name in expected} == expected


def test_lines_of_json_are_read_each_for_itself(read):
    lines = [json.dumps(ECS), '{"cut": ', json.dumps({"type": "btc", "value": "1A"}), json.dumps({"a": 1})]
    found = read("\n".join(lines))
    assert len(found.documents) == 1
    assert found.skipped == {
        "line that is no JSON": 1,
        "type `btc` has no field of indicators": 1,
        "object that is no indicator": 1,
    }


def test_several_files_give_each_indicator_once(read):
    found = read(bundle(indicator("[file:name = 'a']")), bundle(indicator("[file:name = 'a']")), "10.1.2.3\n")
    assert len(found.documents) == 2
    assert found.skipped == {"indicator that was read before": 1}


def test_what_is_not_for_detection_is_left_out(read):
    found = read(json.dumps([{**ATTRIBUTE, "to_ids": False}, ATTRIBUTE]))
    assert len(found.documents) == 1
    assert found.skipped == {"attribute of MISP that is not for detection (`to_ids`)": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("just some words\nand more\n", "nothing in it is an indicator"),
        ('{"process": {"name": "a"}}', "nothing in it is an indicator"),
        ('{"type": "bundle", "objects": [', "is no JSON"),
        ("name,colour\na,red\nb,blue\n", "no column of the table is known to hold indicators"),
        ("", "is empty"),
        ('type,value\nip,"' + "1" * 17_000_000, "cannot be read as CSV"),
        (b"ElfFile\x00" + bytes(4096), "is no text"),
        (b"\xff\x01 not text \xc3\x28", "is no text"),
    ],
)
def test_what_holds_no_indicators_is_refused_with_what_to_do(read, content, message):
    with pytest.raises(InputError, match=message) as error:
        read(content)
    assert "feed.txt" in str(error.value)
    assert error.value.hint


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"nowhere\.csv does not exist"):
        read_indicators(["nowhere.csv"])


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)
_MEMBERS = ("name", "description", "confidence", "created_by_ref", "external_references", "object_marking_refs",
            "labels", "valid_from", "valid_until", "revoked", "modified")  # fmt: skip


@given(about=st.dictionaries(st.sampled_from(_MEMBERS), _JSON))
def test_whatever_stix_says_beside_its_pattern_the_value_is_read(tmp_path_factory, about):
    path = tmp_path_factory.mktemp("feed") / "feed.json"
    path.write_text(bundle(indicator("[file:name = 'a']", **about)))
    [document] = read_indicators([str(path)]).documents
    assert document["threat.indicator.file.name"] == "a"
    values = [one for value in document.values() for one in (value if isinstance(value, list) else [value])]
    assert all(isinstance(one, (str, int, float)) for one in values)


_LABEL = st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True)
_VALUES = st.one_of(
    st.ip_addresses(v=4).map(lambda ip: ("ipv4-addr:value", "threat.indicator.ip", str(ip))),
    st.tuples(_LABEL, _LABEL).map(
        lambda p: ("domain-name:value", "threat.indicator.url.domain", ".".join((*p, "example")))
    ),
    st.binary(min_size=32, max_size=32).map(
        lambda b: ("file:hashes.'SHA-256'", "threat.indicator.file.hash.sha256", b.hex())
    ),
    st.tuples(_LABEL, st.text("abc'\\/?=&%,; -_.", max_size=12)).map(
        lambda p: ("url:value", "threat.indicator.url.full", f"http://{p[0]}.example/{p[1]}x")
    ),
)


@given(values=st.lists(_VALUES, min_size=1, max_size=6, unique=True))
def test_every_value_of_a_pattern_is_a_value_of_a_document(tmp_path_factory, values):
    quoted = [(path, value.replace("\\", "\\\\").replace("'", "\\'")) for path, _, value in values]
    path = tmp_path_factory.mktemp("feed") / "feed.json"
    path.write_text(bundle(indicator(" OR ".join(f"[{name} = '{value}']" for name, value in quoted))))
    found = read_indicators([str(path)])
    assert found.skipped == {}
    held = set()
    for document in found.documents:
        for name, value in document.items():
            held |= {(name, one) for one in (value if isinstance(value, list) else [value])}
    assert {(name, value) for _, name, value in values} <= held


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("feed") / "feed.txt"
    path.write_bytes(text.encode("utf-8", errors="replace"))
    hints = []
    try:
        assert read_indicators([str(path)]).documents
    except InputError as error:
        hints.append(error.hint)
    assert all(hints)


FEED_EVENT = "5f8b0c3e-1111-4222-8333-944444444444"
OTHER_EVENT = "5f8b0c3e-5555-4666-8777-988888888888"
MISP_EVENT = {
    "uuid": FEED_EVENT, "info": "Emotet, first wave", "date": "2026-10-01", "timestamp": "1790812800",
    "threat_level_id": "1", "analysis": "2", "published": True, "Orgc": {"name": "CIRCL", "uuid": "u"},
    "Tag": [{"name": "tlp:amber", "colour": "#ffc000"}, {"name": "type:OSINT"}],
    "Attribute": [
        {"uuid": "a1", "type": "ip-dst|port", "category": "Network activity", "to_ids": True,
         "value": "198.51.100.7|8443", "comment": "second stage", "timestamp": "1790816400"},
        {"uuid": "a2", "type": "comment", "category": "Other", "to_ids": True, "value": "see the report"},
        {"uuid": "a3", "type": "domain", "category": "Network activity", "to_ids": False, "value": "cdn.example"},
        {"uuid": "a4", "type": "md5", "category": "Payload delivery", "to_ids": True, "value": MD5,
         "deleted": True},
    ],
    "Object": [
        {"name": "file", "uuid": "o", "Attribute": [
            {"uuid": "a5", "type": "sha256", "object_relation": "sha256", "category": "Payload delivery",
             "to_ids": True, "value": SHA256, "Tag": [{"name": "tlp:red"}]}]},
    ],
}  # fmt: skip
MANIFEST = {
    uuid: {"info": "x", "Orgc": {"name": "CIRCL", "uuid": "u"}, "analysis": "2", "timestamp": 1,
           "date": "2026-10-01", "threat_level_id": "1", "Tag": []}
    for uuid in (FEED_EVENT, OTHER_EVENT)
}  # fmt: skip


def test_a_feed_of_misp_is_read_with_what_its_events_say(tmp_path):
    """The files are those of MISP's feed generator: manifest.json, hashes.csv, UUID.json."""
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "hashes.csv").write_text(f"{'0' * 32},{FEED_EVENT}\n{'1' * 32},{OTHER_EVENT}\n")
    (tmp_path / f"{FEED_EVENT}.json").write_text(json.dumps({"Event": MISP_EVENT}))
    read = read_indicators([str(tmp_path)])
    address, file = read.documents
    assert (address["threat.indicator.ip"], address["threat.indicator.port"]) == ("198.51.100.7", 8443)
    assert address["threat.indicator.description"] == "second stage"
    assert address["threat.indicator.modified_at"] == "2026-10-01T01:00:00.000Z"
    assert file["threat.indicator.file.hash.sha256"] == SHA256
    assert (file["threat.indicator.provider"], file["threat.feed.name"]) == ("CIRCL", "MISP")
    assert file["threat.indicator.description"] == "Emotet, first wave"
    assert (address["threat.indicator.marking.tlp"], file["threat.indicator.marking.tlp"]) == ("AMBER", "RED")
    assert file["_index"] == "logs-ti_misp.threat_attributes-default"
    assert read.skipped == {
        "type `comment` has no field of indicators": 1,
        "attribute of MISP that is not for detection (`to_ids`)": 1,
        "attribute of MISP that was deleted": 1,
        "event that a manifest of MISP names, whose file was not given": 1,
    }


@pytest.mark.parametrize(
    "event",
    [
        {"info": "x", "Attribute": "none", "Object": [None, {"Attribute": [5]}], "Tag": 7, "Orgc": []},
        {"info": None, "Attribute": [{}], "Object": {}},
        {"info": "x", "Attribute": [{"type": 5, "value": {"a": 1}}, {"type": "ip-dst", "value": None}]},
    ],
)
def test_an_event_of_misp_that_is_none_breaks_nothing(read, event):
    read_with = read(json.dumps([{"Event": event}, {"Event": {"info": "x", "Attribute": [ATTRIBUTE]}}]))
    assert len(read_with.documents) == 1


def test_until_when_a_row_is_valid_is_kept(read):
    [document] = read("indicator,valid_until\n10.1.2.3,2027-01-02 03:04:05\n").documents
    assert document["stix.valid_until"] == "2027-01-02T03:04:05Z"
