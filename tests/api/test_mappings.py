"""Mappings through the official client: given with an index, by an update or by templates, kept and followed.

Types, parameters and the words of refusals are those of its reference ("Mapping", "Index templates") and of its
mappers (`DateFieldMapper`, `VersionStringFieldMapper`, `ConstantKeywordFieldMapper`, `MapperMergeContext`).
"""

from __future__ import annotations

import pytest
from elasticsearch import BadRequestError, NotFoundError, helpers

from tests.api.conftest import run_service
from tocsin.store.patterns import have_common_name

TIME = "2026-11-20T10:00:00.000Z"
FORMAT = "yyyy/MM/dd HH:mm:ss||strict_date_optional_time||epoch_second"
PROPERTIES = {
    "@timestamp": {"type": "date_nanos"},
    "agent": {"properties": {"version": {"type": "version"}}},
    "seen": {"type": "date", "format": FORMAT},
    "precise": {"type": "date_nanos"},
    "loose": {"type": "date", "ignore_malformed": True},
    "status": {"type": "keyword", "null_value": "NONE"},
    "tries": {"type": "integer", "null_value": -1},
    "address": {"type": "ip"},
    "path": {"type": "wildcard"},
    "kind": {"type": "constant_keyword", "value": "login"},
    "note": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    "title": {
        "type": "keyword",
        "fields": {"words": {"type": "text"}, "number": {"type": "long", "ignore_malformed": True}},
    },
    "code": {"type": "keyword", "fields": {"version": {"type": "version"}}},
    "labels_of": {"type": "flattened"},
    "score": {"type": "scaled_float", "scaling_factor": 100},
    "flag": {"type": "boolean"},
    "login": {"type": "alias", "path": "user.name"},
    "user": {"properties": {"name": {"type": "keyword"}}},
    "blob": {"type": "object", "enabled": False},
    "event": {"properties": {"category": {"type": "keyword"}}},
}
DOCUMENTS = [
    {
        "n": 1, "@timestamp": "2026-11-20T10:00:00.123456789Z", "agent": {"version": "1.9.0"},
        "seen": "2026/11/20 10:00:00", "precise": "2026-11-20T10:00:00.000000001Z", "status": "open", "tries": 3,
        "address": "10.1.2.3", "path": "C:\\Windows\\System32\\cmd.exe", "note": "The quick fox", "title": "12",
        "code": "1.9", "labels_of": {"team": "blue", "rank": 7}, "score": 1.5, "flag": True,
        "user": {"name": "alice"}, "loose": TIME, "event": {"category": "process"},
    },
    {
        "n": 2, "@timestamp": "2026-11-20T10:00:00.123456790Z", "agent": {"version": "1.10.0"}, "seen": 1795168801,
        "precise": "2026-11-20T10:00:00.000000002Z", "status": None, "tries": None, "address": "::ffff:10.1.2.4",
        "path": "/usr/bin/ssh", "note": "lazy DOG", "title": "abc", "code": "1.10",
        "labels_of": {"team": "red", "rank": 12}, "score": "2.5", "flag": "false", "user": {"name": "bob"},
        "loose": "not a date", "blob": {"x": 1}, "event": {"category": "process"},
    },
    {
        "n": 3, "@timestamp": "2026-11-20T10:00:00.123456791Z", "agent": {"version": "1.10.0-rc.1"},
        "seen": "2026-11-20T10:00:02Z", "status": ["closed", None], "address": "2001:db8::1", "code": "2.0",
        "user": {"name": "carol"}, "event": {"category": "process"},
    },
]  # fmt: skip
INDEX = "logs-mapped-default"


@pytest.fixture(scope="module", params=["in memory", "in tables"])
def client(running, request):
    """Documents under mappings, with one of every kind of field."""
    client = running.client()
    index = f"{INDEX}-{request.param.replace(' ', '-')}"
    client.indices.create(index=index, mappings={"properties": PROPERTIES})
    for document in DOCUMENTS:
        client.index(index=index, document=document)
    if request.param == "in tables":
        running.service.store.flush()
    return client, index


def numbers(found):
    return sorted(hit["_source"]["n"] for hit in found["hits"]["hits"])


QUERIES = [
    ({"range": {"agent.version": {"lt": "1.10.0"}}}, [1, 3]),
    ({"range": {"agent.version": {"gt": "1.9.0"}}}, [2, 3]),
    ({"range": {"agent.version": {"gte": "1.10.0-alpha", "lt": "1.10.0"}}}, [3]),
    ({"term": {"agent.version": "1.10.0"}}, [2]),
    ({"terms": {"agent.version": ["1.9.0", "1.10.0-rc.1"]}}, [1, 3]),
    ({"wildcard": {"agent.version": "1.10*"}}, [2, 3]),
    ({"range": {"seen": {"gt": "2026/11/20 10:00:00"}}}, [2, 3]),
    ({"range": {"seen": {"gte": "1795168801", "lte": 1795168801}}}, [2]),
    ({"range": {"seen": {"gte": "20.11.2026", "format": "dd.MM.yyyy"}}}, [1, 2, 3]),
    ({"term": {"seen": "2026/11/20 10:00:02"}}, [3]),
    ({"range": {"precise": {"gt": "2026-11-20T10:00:00.000000001Z"}}}, [2]),
    ({"term": {"precise": "2026-11-20T10:00:00.000000001Z"}}, [1]),
    ({"exists": {"field": "loose"}}, [1]),
    ({"term": {"status": "NONE"}}, [2, 3]),
    ({"exists": {"field": "status"}}, [1, 2, 3]),
    ({"term": {"tries": -1}}, [2]),
    ({"exists": {"field": "tries"}}, [1, 2]),
    ({"term": {"address": "10.1.2.4"}}, [2]),
    ({"term": {"address": "10.0.0.0/8"}}, [1, 2]),
    ({"range": {"address": {"gte": "10.1.2.4", "lte": "10.1.2.9"}}}, [2]),
    ({"wildcard": {"path": {"value": "*system32*", "case_insensitive": True}}}, [1]),
    ({"term": {"kind": "login"}}, [1, 2, 3]),
    ({"term": {"kind": "logout"}}, []),
    ({"match": {"note": "dog"}}, [2]),
    ({"match": {"note.raw": "lazy DOG"}}, [2]),
    ({"term": {"note.raw": "lazy"}}, []),
    ({"match": {"title.words": "ABC"}}, [2]),
    ({"range": {"title.number": {"gte": 12}}}, [1]),
    ({"range": {"code.version": {"gt": "1.9"}}}, [2, 3]),
    ({"range": {"code": {"lt": "1.9"}}}, [2]),
    ({"term": {"labels_of.team": "red"}}, [2]),
    ({"term": {"labels_of.rank": "7"}}, [1]),
    ({"term": {"labels_of": "blue"}}, [1]),
    ({"exists": {"field": "labels_of"}}, [1, 2]),
    ({"range": {"score": {"gte": 2}}}, [2]),
    ({"term": {"flag": False}}, [2]),
    ({"term": {"login": "alice"}}, [1]),
    ({"terms": {"login": ["bob", "carol"]}}, [2, 3]),
    ({"exists": {"field": "login"}}, [1, 2, 3]),
    ({"query_string": {"query": "login:ali* OR agent.version:{1.9.0 TO 1.10.0}"}}, [1, 3]),
    ({"exists": {"field": "blob.x"}}, []),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(client, query, expected):
    client, index = client
    assert numbers(client.search(index=index, query=query)) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('agent.version < "1.10.0"', [1, 3]),
        ('agent.version >= "1.10.0"', [2]),
        ('agent.version == "1.10.0"', [2]),
        ('"1.10.0" > agent.version', [1, 3]),
        ('agent.version in ("1.9.0")', [1]),
        ('agent.version : "1.10*"', [2, 3]),
        ('login == "bob"', [2]),
        ('status == "NONE"', [2, 3]),
        ('kind == "login" and tries == -1', [2]),
        ('seen == "2026-11-20T10:00:01Z"', [2]),
        ('precise == "2026-11-20T10:00:00.000000002Z"', [2]),
        ('address == "10.1.2.4"', [2]),
        ('path : "*\\\\cmd.exe"', [1]),
        ('code.version > "1.9"', [2, 3]),
        ('labels_of.team == "blue"', [1]),
        ('@timestamp == "2026-11-20T10:00:00.123456790Z"', [2]),
    ],
)
def test_eql(client, condition, expected):
    client, index = client
    found = client.eql.search(index=index, query=f"process where {condition}")
    assert sorted(event["_source"]["n"] for event in found["hits"]["events"]) == expected


def test_eql_joins_by_an_alias(client):
    client, index = client
    query = "sequence by login [process where n == 1] [process where n == 2]"
    assert client.eql.search(index=index, query=query)["hits"]["total"]["value"] == 0
    query = 'sequence by kind [process where login == "alice"] [process where login == "bob"]'
    assert client.eql.search(index=index, query=query)["hits"]["total"]["value"] == 1


@pytest.mark.parametrize(
    ("sort", "order", "told"),
    [
        ({"agent.version": "asc"}, [1, 3, 2], ["1.9.0", "1.10.0-rc.1", "1.10.0"]),
        ({"agent.version": "desc"}, [2, 3, 1], ["1.10.0", "1.10.0-rc.1", "1.9.0"]),
        ({"@timestamp": "asc"}, [1, 2, 3], [1795168800123456789 + n for n in range(3)]),
        ({"seen": "desc"}, [3, 2, 1], [1795168802000, 1795168801000, 1795168800000]),
        ({"login": "desc"}, [3, 2, 1], ["carol", "bob", "alice"]),
    ],
)
def test_orders_and_pages(client, sort, order, told):
    client, index = client
    found = client.search(index=index, sort=[sort])["hits"]["hits"]
    assert [(hit["_source"]["n"], hit["sort"]) for hit in found] == list(
        zip(order, [[t] for t in told], strict=True)
    )
    behind = client.search(index=index, sort=[sort], search_after=found[0]["sort"])["hits"]["hits"]
    assert [hit["_source"]["n"] for hit in behind] == order[1:]


def test_aggregations(client):
    client, index = client
    aggs = {
        "logins": {"terms": {"field": "login", "order": {"_key": "asc"}}},
        "states": {"terms": {"field": "status", "order": {"_key": "asc"}}},
        "versions": {"terms": {"field": "agent.version", "order": {"_key": "desc"}}},
        "tries": {"min": {"field": "tries"}},
        "addresses": {"terms": {"field": "address", "order": {"_key": "asc"}}},
        "without": {"missing": {"field": "tries"}},
    }
    found = client.search(index=index, size=0, aggs=aggs)["aggregations"]
    keys = {
        name: [bucket["key"] for bucket in found[name]["buckets"]] for name in found if "buckets" in found[name]
    }
    assert keys == {
        "logins": ["alice", "bob", "carol"],
        "states": ["NONE", "closed", "open"],
        "versions": ["1.10.0", "1.10.0-rc.1", "1.9.0"],
        "addresses": ["10.1.2.3", "10.1.2.4", "2001:db8::1"],
    }
    assert (found["tries"]["value"], found["without"]["doc_count"]) == (-1, 1)


def test_fields_and_source(client):
    client, index = client
    asked = ["login", "note.raw", "seen", "@timestamp", "precise", "status", "tries", "address"]
    [hit] = client.search(index=index, query={"term": {"n": 2}}, fields=asked)["hits"]["hits"]
    assert hit["fields"] == {
        "login": ["bob"],
        "note.raw": ["lazy DOG"],
        "seen": ["2026/11/20 10:00:01"],
        "@timestamp": ["2026-11-20T10:00:00.123456790Z"],
        "precise": ["2026-11-20T10:00:00.000000002Z"],
        "status": ["NONE"],
        "tries": [-1],
        "address": ["10.1.2.4"],
    }
    assert hit["_source"] == DOCUMENTS[1]


def test_what_is_told(client):
    client, index = client
    told = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert {name: told[name] for name in ("seen", "status", "login", "note", "path", "kind", "user")} == {
        name: PROPERTIES[name] for name in ("seen", "status", "login", "note", "path", "kind", "user")
    }
    assert told["agent"]["properties"]["version"] == {"type": "version"}
    assert told["n"] == {"type": "long"}  # an event brought it along
    assert client.indices.get(index=index)[index]["mappings"]["properties"] == told
    assert client.indices.get_mapping()[index]["mappings"]["properties"] == told
    field = client.indices.get_field_mapping(index=index, fields="agent.version")[index]["mappings"]
    assert field == {"agent.version": {"full_name": "agent.version", "mapping": {"version": {"type": "version"}}}}
    caps = client.field_caps(index=index, fields="*")["fields"]
    kinds = {
        name: next(iter(caps[name]))
        for name in ("agent.version", "login", "path", "kind", "note", "precise", "labels_of")
    }
    assert kinds == {
        "agent.version": "version", "login": "keyword", "path": "keyword", "kind": "keyword", "note": "text",
        "precise": "date_nanos", "labels_of": "flattened",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "kind", "reason"),
    [
        ({"seen": "20.11.2026"}, "document_parsing_exception", r"field \[seen\] of type \[date\].*'20.11.2026'"),
        ({"tries": "many"}, "document_parsing_exception", r"\[tries\] of type \[integer\]"),
        ({"tries": 1 << 40}, "document_parsing_exception", r"\[tries\] of type \[integer\]"),
        ({"address": "nowhere"}, "document_parsing_exception", r"\[address\] of type \[ip\]"),
        ({"flag": "perhaps"}, "document_parsing_exception", r"\[flag\] of type \[boolean\]"),
        ({"kind": "logout"}, "document_parsing_exception", r"constant_keyword.*\[login\].*\[logout\]"),
        ({"login": "mallory"}, "document_parsing_exception", r"Cannot write to a field alias \[login\]"),
        ({"status": {"a": 1}}, "document_parsing_exception", r"\[status\] of type \[keyword\]"),
        ({"user": "alice"}, "document_parsing_exception", r"object mapping for \[user\]"),
    ],
)
def test_documents_that_do_not_fit(client, document, kind, reason):
    client, index = client
    with pytest.raises(BadRequestError, match=reason) as told:
        client.index(index=index, document={"@timestamp": TIME, **document})
    assert told.value.body["error"]["type"] == kind


@pytest.mark.parametrize(
    ("properties", "kind", "reason"),
    [
        ({"agent": {"properties": {"version": {"type": "keyword"}}}}, "illegal_argument_exception",
         r"mapper \[agent.version\] cannot be changed from type \[version\] to \[keyword\]"),
        ({"n": {"type": "keyword"}}, "illegal_argument_exception",
         r"mapper \[n\] cannot be changed from type \[long\] to \[keyword\]"),
        ({"seen": {"type": "date", "format": "epoch_second"}}, "illegal_argument_exception",
         r"Cannot update parameter \[format\]"),
        ({"user": {"type": "keyword"}}, "illegal_argument_exception", "can't merge an object mapping"),
        ({"status": {"properties": {}}}, "illegal_argument_exception", "can't merge a non object mapping"),
        ({"x": {"type": "nonsense"}}, "mapper_parsing_exception", r"\[nonsense\] declared on field \[x\]"),
        ({"x": {"type": "alias", "path": "nothing"}}, "mapper_parsing_exception", "must refer to an existing"),
        ({"x": {"type": "alias", "path": "login"}}, "mapper_parsing_exception", "another alias"),
        ({"x": {"type": "date", "format": "no_such_format"}}, "mapper_parsing_exception", "no_such_format"),
        ({"x": {"index": True}}, "mapper_parsing_exception", r"No type specified for field \[x\]"),
    ],
)  # fmt: skip
def test_mappings_that_cannot_be(client, properties, kind, reason):
    client, index = client
    with pytest.raises(BadRequestError, match=reason) as told:
        client.indices.put_mapping(index=index, properties=properties)
    assert told.value.body["error"]["type"] == kind


def test_a_mapping_grows(running):
    client = running.client()
    client.indices.create(index="logs-grows", mappings={"properties": {"a": {"type": "keyword"}}})
    assert client.indices.exists(index="logs-grows")
    assert client.search(index="logs-grows")["hits"]["hits"] == []
    with pytest.raises(BadRequestError, match="already exists"):
        client.indices.create(index="logs-grows")
    client.indices.put_mapping(index="logs-grows", properties={"b.c": {"type": "version"}})
    client.indices.put_mapping(index="logs-grows", properties={"b": {"properties": {"c": {"type": "version"}}}})
    told = client.indices.get_mapping(index="logs-grows")["logs-grows"]["mappings"]
    assert told == {
        "properties": {
            "a": {"type": "keyword"}, "b": {"properties": {"c": {"type": "version"}}},
            "@timestamp": {"type": "date"}, "event": {"properties": {"ingested": {"type": "date"}}},
        }
    }  # fmt: skip
    with pytest.raises(NotFoundError):
        client.indices.put_mapping(index="logs-none", properties={"a": {"type": "keyword"}})


@pytest.mark.parametrize(
    ("mappings", "document", "kind"),
    [
        (
            {"dynamic": "strict", "properties": {"@timestamp": {"type": "date"}}},
            {"b": 1},
            "strict_dynamic_mapping_exception",
        ),
        (
            {"properties": {"o": {"dynamic": "strict", "properties": {}}}},
            {"o": {"b": 1}},
            "strict_dynamic_mapping_exception",
        ),
        ({"properties": {"o": {"dynamic": "strict", "properties": {}}}}, {"b": 1}, None),
        ({"dynamic": False, "properties": {"@timestamp": {"type": "date"}}}, {"b": 1}, None),
    ],
)
def test_dynamic(running, mappings, document, kind):
    client = running.client()
    index = f"logs-dynamic-{abs(hash(str((mappings, document))))}"
    client.indices.create(index=index, mappings=mappings)
    if kind is not None:
        with pytest.raises(BadRequestError) as told:
            client.index(index=index, document={"@timestamp": TIME, **document})
        assert told.value.body["error"]["type"] == kind
        return
    client.index(index=index, document={"@timestamp": TIME, **document})
    found = client.count(index=index, query={"term": {"b": 1}})["count"]
    assert found == (mappings.get("dynamic") is not False)


# ---- templates


def test_index_templates(running):
    client = running.client()
    client.cluster.put_component_template(
        name="versions", template={"mappings": {"properties": {"v": {"type": "version"}, "w": {"type": "long"}}}}
    )
    client.indices.put_index_template(
        name="narrow", index_patterns=["logs-made.by-*"], composed_of=["versions"], priority=200, data_stream={},
        template={
            "mappings": {
                "properties": {"w": {"type": "keyword"}, "t": {"type": "date", "format": "epoch_second"}}
            },
            "settings": {"index": {"mapping": {"ignore_malformed": True}}},
        },
    )  # fmt: skip
    client.indices.put_index_template(
        name="broad", index_patterns=["logs-made*"], priority=100,
        template={"mappings": {"properties": {"v": {"type": "keyword"}}}},
    )  # fmt: skip
    rows = [{"v": "1.9", "w": 5, "t": 1795168800}, {"v": "1.10", "w": 6, "t": "not a second"}]
    for index, expected in (("logs-made.by-template", ["1.9", "1.10"]), ("logs-made-otherwise", ["1.10", "1.9"])):
        created, errors = helpers.bulk(
            client, [{"_op_type": "create", "_index": index, "@timestamp": TIME, **row} for row in rows]
        )
        assert (created, errors) == (2, [])
        hits = client.search(index=index, sort=["v"])["hits"]["hits"]
        assert [hit["_source"]["v"] for hit in hits] == expected
    told = client.indices.get_mapping(index="logs-made.by-template")["logs-made.by-template"]["mappings"]
    assert (told["properties"]["w"], told["properties"]["v"]) == ({"type": "keyword"}, {"type": "version"})
    assert client.count(index="logs-made.by-template", query={"exists": {"field": "t"}})["count"] == 1
    # A template changes no index that is there.
    client.indices.put_index_template(
        name="broad", index_patterns=["logs-made*"], priority=300,
        template={"mappings": {"properties": {"v": {"type": "version"}}}},
    )  # fmt: skip
    told = client.indices.get_mapping(index="logs-made-otherwise")["logs-made-otherwise"]["mappings"]
    assert told["properties"]["v"] == {"type": "keyword"}
    client.indices.create(index="logs-made.by-hand", mappings={"properties": {"x": {"type": "ip"}}})
    told = client.indices.get_mapping(index="logs-made.by-hand")["logs-made.by-hand"]["mappings"]["properties"]
    assert (told["v"], told["x"]) == ({"type": "version"}, {"type": "ip"})
    for name in ("narrow", "broad"):
        client.indices.delete_index_template(name=name)


def test_legacy_templates(running):
    client = running.client()
    for order, kind in ((1, "version"), (0, "keyword")):
        client.indices.put_template(
            name=f"old-{order}",
            index_patterns=["logs-old-*"],
            order=order,
            mappings={"properties": {"v": {"type": kind}}},
        )
    client.index(index="logs-old-one", document={"@timestamp": TIME, "v": "1.9"})
    told = client.indices.get_mapping(index="logs-old-one")["logs-old-one"]["mappings"]["properties"]
    assert told["v"] == {"type": "version"}


def test_templates_of_one_priority_have_no_index_in_common(running):
    """`MetadataIndexTemplateService`: which of two were taken would be chance."""
    put = running.client(api_key=running.add_key("ingest", "write_rules")).indices.put_index_template
    put(name="office", index_patterns=["logs-*-office"], priority=7)
    put(name="office", index_patterns=["logs-*-office", "x-office"], priority=7)  # itself may be put again
    put(name="higher", index_patterns=["logs-a-*"], priority=8)
    put(name="elsewhere", index_patterns=["metrics-*"], priority=7)
    with pytest.raises(BadRequestError, match=r"that have the same priority \[7\]") as told:
        put(name="windows", index_patterns=["logs-windows-*"], priority=7)
    error = told.value.body["error"]
    assert error["type"] == "illegal_argument_exception"
    assert "existing templates [office] with patterns (office => [logs-*-office, x-office])" in error["reason"]
    for name in ("office", "higher", "elsewhere"):
        running.client(api_key=running.add_key("ingest", "write_rules")).indices.delete_index_template(name=name)


COMMON = {
    ("logs-*-b", "logs-a-*"): True, ("a*", "b*"): False, ("*", "x"): True, ("a*c", "ab"): False,
    ("a*c", "a*b*"): True, ("a", "a"): True, ("a", "ab"): False, ("*a*", "*b*"): True, ("a**", "a"): True,
}  # fmt: skip


@pytest.mark.parametrize("patterns", COMMON)
def test_patterns_with_a_name_in_common(patterns):
    first, second = patterns
    assert have_common_name(first, second) is have_common_name(second, first) is COMMON[patterns]


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (
            {"composed_of": ["nothing"]},
            "invalid_index_template_exception",
            r"component templates \[nothing\] that do not exist",
        ),
        (
            {"template": {"mappings": {"properties": {"a": {"type": "nonsense"}}}}},
            "mapper_parsing_exception",
            "nonsense",
        ),
    ],
)
def test_templates_that_cannot_be(running, body, kind, reason):
    with pytest.raises(BadRequestError, match=reason) as told:
        running.client().indices.put_index_template(name="wrong", index_patterns=["wrong-*"], **body)
    assert told.value.body["error"]["type"] == kind


@pytest.mark.parametrize(
    ("pattern", "status"),
    [
        ("*", 403), ("l*", 403), ("logs*", 403), ("logs-*", 403), ("logs-*-*", 403), ("logs-s*", 403), ("-*", 403),
        ("winlogbeat-8.19.4", 200), ("winlogbeat-*", 200), ("ecs-logstash-*", 200), ("x-*", 200),
        ("logs-system.security-*", 200), ("logs-s-*", 200), ("logs-mine*", 200),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["_index_template", "_template"])
def test_a_key_that_sends_events_makes_templates_for_its_own_indices(running, kind, pattern, status):
    """Shippers load templates of their names; Elasticsearch asks for `manage_index_templates` for any."""
    with running.http(running.add_key("ingest")) as http:
        told = http.put(f"/{kind}/one", json={"index_patterns": ["own-*", pattern], "priority": 77})
    assert told.status_code == status, told.text
    if status == 403:
        assert told.json()["error"]["type"] == "security_exception"
        assert f"[{pattern}]" in told.json()["error"]["reason"]
    with running.http(running.add_key("write_rules", "ingest")) as http:
        assert http.put(f"/{kind}/one", json={"index_patterns": [pattern], "priority": 77}).status_code == 200
        http.delete(f"/{kind}/one").raise_for_status()


def test_what_binds_all_indices_is_changed_by_no_key_that_only_sends_events(running):
    with running.http(running.add_key("write_rules", "ingest")) as http:
        http.put("/_component_template/part", json={"template": {}}).raise_for_status()
        body = {"index_patterns": ["logs-*"], "composed_of": ["part"], "priority": 78}
        http.put("/_index_template/all", json=body).raise_for_status()
    with running.http(running.add_key("ingest")) as http:
        assert http.put("/_component_template/part", json={"template": {}}).status_code == 403
        assert http.put("/_index_template/all", json={"index_patterns": ["own-*"]}).status_code == 403
        assert http.delete("/_index_template/all").status_code == 403
        assert http.put("/_component_template/own", json={"template": {}}).status_code == 200
    with running.http(running.add_key("write_rules", "ingest")) as http:
        http.delete("/_index_template/all").raise_for_status()


def test_an_earlier_folder_and_a_restart(tmp_path):
    mappings = {"properties": {"v": {"type": "version"}, "s": {"type": "keyword", "null_value": "N"}}}
    with run_service(tmp_path) as service:
        client = service.client()
        client.index(index="logs-before", document={"@timestamp": TIME, "v": "1.9"})
        client.indices.create(index="logs-kept", mappings=mappings)
        client.indices.create(index="logs-empty", mappings=mappings)
        client.index(index="logs-kept", document={"@timestamp": TIME, "v": "1.9", "s": None})
    with run_service(tmp_path) as service:
        client = service.client(api_key=service.add_key("read", "ingest", "write_rules"))
        client.indices.put_index_template(name="all", index_patterns=["logs-*"], template={"mappings": mappings})
        client.index(index="logs-kept", document={"@timestamp": TIME, "v": "1.10"})
        client.index(index="logs-before", document={"@timestamp": TIME, "v": "1.10"})
        lower = {"range": {"v": {"lt": "1.10"}}}
        assert client.count(index="logs-kept", query=lower)["count"] == 1
        assert client.count(index="logs-before", query=lower)["count"] == 0
        assert client.count(index="logs-kept", query={"term": {"s": "N"}})["count"] == 1
        assert client.indices.get_mapping(index="logs-empty")["logs-empty"]["mappings"]["properties"]["v"] == {
            "type": "version"
        }


def test_a_rule_is_checked_against_its_own_indices(running):
    """`process.pid` is a keyword in the one index, and a number in the other, where ECS says so."""
    client = running.client()
    client.indices.create(index="logs-of-text", mappings={"properties": {"process.pid": {"type": "keyword"}}})
    client.index(index="logs-of-numbers", document={"@timestamp": TIME, "process": {"pid": 4}})
    about = {"type": "eql", "language": "eql", "name": "r", "description": "d", "severity": "low", "risk_score": 1}
    with running.http(running.add_key("write_rules", "read")) as http:
        for index, value, status in (
            ("logs-of-text", '"4"', 200),
            ("logs-of-text", "4", 400),
            ("logs-of-numbers", "4", 200),
            ("logs-of-numbers", '"4"', 400),
        ):
            rule = {**about, "index": [index], "query": f"process where process.pid == {value}"}
            told = http.post("/api/detection_engine/rules", json=rule)
            assert told.status_code == status, told.text


# As Elasticsearch's reference on dynamic templates has them, the first that fits counts.
DYNAMIC = [
    {"codes": {"match_mapping_type": "long", "match": "*_code", "mapping": {"type": "keyword"}}},
    {"addresses": {"path_match": ["net.*.ip", "ip_*"], "path_unmatch": "net.raw.*", "mapping": {"type": "ip"}}},
    {"names": {"match_pattern": "regex", "match": "^n_\\d+$", "mapping": {"type": "version"}}},
    {"days": {"match_mapping_type": "date", "mapping": {"type": "date", "format": "yyyy-MM-dd"}}},
    {"same": {"match": "same_*", "mapping": {"type": "{dynamic_type}", "meta": {"of": "{name}"}}}},
    {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}},
]
BECOME = {
    "http_code": (404, "keyword"), "net.a.ip": ("10.0.0.1", "ip"), "net.raw.ip": ("10.0.0.1", "keyword"),
    "ip_x": ("::1", "ip"), "n_12": ("1.10", "version"), "day": ("2026-01-05", "date"), "same_n": (3, "long"),
    "note": (["a", "b"], "keyword"), "source.ip": ("10.1.1.1", "ip"), "flag": (True, "boolean"),
}  # fmt: skip


def test_dynamic_templates_make_the_mapping_of_new_fields(running):
    client = running.client()
    client.indices.create(index="logs-dynamic", mappings={"dynamic_templates": DYNAMIC})
    document = {"@timestamp": TIME, **{name: value for name, (value, _) in BECOME.items()}}
    client.index(index="logs-dynamic", document=document)
    told = client.indices.get_mapping(index="logs-dynamic")["logs-dynamic"]["mappings"]
    assert told["dynamic_templates"] == DYNAMIC
    for name, (_, kind) in BECOME.items():
        found = told["properties"]
        for part in name.split(".")[:-1]:
            found = found[part]["properties"]
        assert found[name.rpartition(".")[2]]["type"] == kind, name
    hits = client.search(index="logs-dynamic", query={"term": {"net.a.ip": "10.0.0.0/8"}})["hits"]["hits"]
    assert len(hits) == 1
    with pytest.raises(BadRequestError, match="failed to parse field"):
        client.index(index="logs-dynamic", document={"@timestamp": TIME, "net": {"a": {"ip": "none"}}})


def test_dynamic_templates_that_cannot_be(running):
    for template, reason in (
        ({"x": {"mapping": {"type": "nonsense"}}}, "No mapper found for type"),
        ({"x": {"match": "a"}}, "must have either mapping or runtime"),
        ({"x": {"match_pattern": "regex", "match": "(", "mapping": {}}}, "no regular expression"),
    ):
        with pytest.raises(BadRequestError, match=reason):
            running.client().indices.create(index="logs-never", mappings={"dynamic_templates": [template]})


def test_the_mapping_of_alerts_stays(running):
    with running.http() as http:
        given = {"properties": {"process.name": {"type": "long"}}}
        answer = http.put("/.alerts-security.alerts-default/_mapping", json=given)
    assert (answer.status_code, "is that of alerts" in answer.text) == (403, True)
