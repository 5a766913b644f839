"""Look-ups at services that judge observables: what is asked, what is never sent, quotas, and hostile answers."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from tests.response.reputation.vendors import (
    BAD_ADDRESS,
    BAD_DOMAIN,
    BAD_HASH,
    BAD_URL,
    DOUBTFUL_HASH,
    GOOD_HASH,
    KEY,
    Reply,
    abuseipdb,
    hybrid_analysis,
    vendor,
    virustotal,
)
from tocsin.actions.egress import EgressPolicy, networks_of
from tocsin.errors import InvalidError, NotFoundError
from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH, URL, Observable
from tocsin.response.reputation.look_ups import Look, QuotaError, begin_again, offers
from tocsin.response.reputation.sending import never_sent
from tocsin.response.reputation.service_settings import (
    ServiceChange,
    change_own_domains,
    change_service,
    service_settings,
    settings_of,
)
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.encryption import open_cipher
from tocsin.store.records.models import AuditEntry
from tocsin.store.records.reputation import ReputationLookUp, ReputationService

ACTOR = local_actor("tests")
LOCAL = EgressPolicy(networks_of(["127.0.0.0/8"]))
SPOKEN = {"virustotal": virustotal, "hybrid_analysis": hybrid_analysis, "abuseipdb": abuseipdb}


@pytest.fixture
def records(tmp_path):
    opened = Records(f"sqlite:///{tmp_path}/records.db", open_cipher(tmp_path))
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def vendors(records):
    """All services, each spoken by a server on this machine, and switched on with its key."""
    with (
        vendor(virustotal) as one_of_files,
        vendor(hybrid_analysis) as one_of_sandboxes,
        vendor(abuseipdb) as one_of_addresses,
    ):
        running = {
            "virustotal": one_of_files, "hybrid_analysis": one_of_sandboxes, "abuseipdb": one_of_addresses,
        }  # fmt: skip
        with records.transaction() as session:
            for id_, server in running.items():
                change_service(session, ACTOR, id_, ServiceChange(True, key=KEY, address=server.url))
        yield running


@pytest.fixture
def look(records):
    return Look(records, LOCAL, timeout=5)


ANSWERS = [
    ("virustotal", HASH, BAD_HASH, "malicious", "41 of 70 engines: malicious; 0: suspicious"),
    ("virustotal", HASH, DOUBTFUL_HASH, "suspicious", "1 of 70 engines: malicious; 0: suspicious"),
    ("virustotal", HASH, GOOD_HASH, "harmless", "0 of 70 engines: malicious; 0: suspicious"),
    ("virustotal", HASH, "12" * 32, "unknown", ""),
    ("virustotal", DOMAIN, BAD_DOMAIN, "malicious", "9 of 70 engines: malicious; 0: suspicious"),
    ("virustotal", ADDRESS, BAD_ADDRESS, "malicious", "4 of 70 engines: malicious; 0: suspicious"),
    ("virustotal", URL, BAD_URL, "malicious", "7 of 70 engines: malicious; 0: suspicious"),
    ("hybrid_analysis", HASH, BAD_HASH, "malicious", "1 of 2 reports: malicious; highest threat score 100"),
    ("hybrid_analysis", DOMAIN, BAD_DOMAIN, "malicious", "1 of 2 reports: malicious; highest threat score 100"),
    ("hybrid_analysis", ADDRESS, BAD_ADDRESS, "malicious", "1 of 2 reports: malicious; highest threat score 100"),
    ("hybrid_analysis", URL, BAD_URL, "malicious", "1 of 2 reports: malicious; highest threat score 100"),
    ("hybrid_analysis", HASH, GOOD_HASH, "unknown", ""),
    ("abuseipdb", ADDRESS, BAD_ADDRESS, "malicious", "confidence of abuse 100 of 100, 300 reports in 90 days"),
    ("abuseipdb", ADDRESS, "8.8.4.4", "suspicious", "confidence of abuse 40 of 100, 120 reports in 90 days"),
    ("abuseipdb", ADDRESS, "1.1.1.1", "unknown", "confidence of abuse 0 of 100, 0 reports in 90 days"),
]


@pytest.mark.parametrize(("service", "kind", "value", "rating", "says"), ANSWERS)
def test_each_service_is_asked_as_it_documents(vendors, look, service, kind, value, rating, says):
    answered = look.up(ACTOR, service, kind, value)
    assert (answered.state, answered.problem) == ("answered", "")
    assert (answered.verdict.rating, answered.verdict.says) == (rating, says)
    assert len(vendors[service].asked) == 1


def test_without_an_administrators_word_nothing_is_sent(records, look):
    with records.transaction() as session:
        assert not any(settings.enabled or settings.automatic for settings in service_settings(session))
        assert list(offers(session, [Observable(HASH, BAD_HASH, "file.hash.sha256", {})]).values()) == [[]]
    with pytest.raises(InvalidError, match="switched off"):
        look.up(ACTOR, "virustotal", HASH, BAD_HASH)
    with pytest.raises(NotFoundError, match="no service"):
        look.up(ACTOR, "elsewhere", HASH, BAD_HASH)


def test_what_was_answered_lately_is_not_asked_again_unless_somebody_wants_it(records, vendors, look):
    for again in (False, False, True):
        look.up(ACTOR, "virustotal", HASH, BAD_HASH, again=again)
    assert len(vendors["virustotal"].asked) == 2
    with records.transaction() as session:
        day_before = datetime.now(UTC) - timedelta(hours=25)
        session.execute(update(ReputationLookUp).values(asked=day_before))
    look.up(ACTOR, "virustotal", HASH, BAD_HASH)
    assert len(vendors["virustotal"].asked) == 3


def test_the_documented_quota_is_kept_and_shown(records, vendors, look):
    for number in range(4):
        look.up(ACTOR, "virustotal", HASH, f"{number:064x}")
    with pytest.raises(QuotaError, match="4 questions a minute"):
        look.up(ACTOR, "virustotal", HASH, BAD_HASH)
    assert len(vendors["virustotal"].asked) == 4
    with records.transaction() as session:
        settings = settings_of(session, "virustotal")
        assert [(usage.limit.questions, usage.used, usage.left) for usage in settings.usage] == [
            (4, 4, 0), (500, 4, 496),
        ]  # fmt: skip
        later = settings_of(session, "virustotal", datetime.now(UTC) + timedelta(seconds=61))
        assert [usage.left for usage in later.usage] == [4, 496]


def test_a_service_that_says_to_wait_is_not_asked_until_then(records, vendors, look):
    vendors["abuseipdb"].reply = Reply(429, {"errors": []}, {"Retry-After": "3600"})
    refused = look.up(ACTOR, "abuseipdb", ADDRESS, BAD_ADDRESS)
    assert (refused.state, refused.problem) == ("failed", "AbuseIPDB says that its quota is used up (429)")
    with records.transaction() as session:
        blocked = settings_of(session, "abuseipdb").blocked_until
    assert blocked is not None
    assert timedelta(minutes=59) < blocked - datetime.now(UTC) <= timedelta(hours=1)
    with pytest.raises(QuotaError, match="said not to ask before"):
        look.up(ACTOR, "abuseipdb", ADDRESS, "8.8.4.4")
    assert len(vendors["abuseipdb"].asked) == 1


HOSTILE = [
    (Reply(body=b"<html>login</html>"), "answered with no JSON"),
    (Reply(body=b'{"data": ' + b"[" * 100_000), "answered with no JSON"),
    (Reply(body=b'{"data": "' + b"x" * (5 << 20) + b'"}'), "answered with no JSON, or with more than is read"),
    (Reply(document=[]), "no `data.attributes.last_analysis_stats`"),
    (Reply(document={"data": {"attributes": {"last_analysis_stats": "many"}}}), "is no object"),
    (Reply(500, {}), "answered 500"),
    (Reply(401, {}), r"refuses the key \(401\)"),
    (
        Reply(302, {}, {"Location": "http://127.0.0.1:1/latest/meta-data"}),
        r"a redirect \(302\), which is not followed",
    ),
]


@pytest.mark.parametrize(("reply", "message"), HOSTILE)
def test_an_answer_that_is_no_verdict_is_a_failure_with_its_reason(vendors, look, reply, message):
    vendors["virustotal"].reply = reply
    failed = look.up(ACTOR, "virustotal", HASH, BAD_HASH)
    assert (failed.state, failed.verdict) == ("failed", None)
    assert re.search(message, failed.problem)
    vendors["virustotal"].reply = None
    assert look.up(ACTOR, "virustotal", HASH, BAD_HASH).state == "answered"


def test_figures_that_are_none_count_for_nothing(vendors, look):
    stats = {"malicious": "<script>", "suspicious": None, "harmless": True, "undetected": 5}
    vendors["virustotal"].reply = Reply(document={"data": {"attributes": {"last_analysis_stats": stats}}})
    verdict = look.up(ACTOR, "virustotal", HASH, BAD_HASH).verdict
    assert (verdict.rating, verdict.says) == ("harmless", "0 of 5 engines: malicious; 0: suspicious")


def test_a_service_that_does_not_answer_is_given_up(records, vendors):
    answers = threading.Event()
    vendors["virustotal"].reply = Reply(document={}, wait=answers)
    failed = Look(records, LOCAL, timeout=0.5).up(ACTOR, "virustotal", HASH, BAD_HASH)
    answers.set()
    assert (failed.state, failed.problem) == ("failed", "the exchange was not over within 0.5 seconds")


def test_an_address_of_this_machine_is_refused_by_default(records, vendors):
    failed = Look(records, EgressPolicy()).up(ACTOR, "virustotal", HASH, BAD_HASH)
    assert "loopback" in failed.problem
    assert vendors["virustotal"].asked == []


def test_a_question_whose_answer_was_not_waited_for_is_told_after_a_start(records, vendors, look):
    with records.transaction() as session:
        look_up = look.up(ACTOR, "virustotal", HASH, BAD_HASH)
        session.execute(update(ReputationLookUp).values(state="asking", verdict=None))
    assert look_up.state == "answered"
    with records.transaction() as session:
        assert begin_again(session) == 1
        [[offer]] = [
            [offer for offer in of if offer.settings.service.id == "virustotal"]
            for of in offers(session, [Observable(HASH, BAD_HASH, "file.hash.sha256", {})]).values()
        ]
    assert offer.last is not None
    assert (offer.last.state, offer.last.problem) == ("failed", "the service ended before the answer came")


NEVER = [
    (ADDRESS, "10.1.2.3"), (ADDRESS, "127.0.0.1"), (ADDRESS, "169.254.169.254"), (ADDRESS, "fe80::1"),
    (ADDRESS, "::ffff:192.168.0.1"), (ADDRESS, "fd00::1"), (ADDRESS, "224.0.0.1"), (ADDRESS, "100.64.0.1"),
    (ADDRESS, "2001:db8::1%eth0"), (ADDRESS, "x"),
    (DOMAIN, "dc01"), (DOMAIN, "dc01.corp"), (DOMAIN, "printer.local"), (DOMAIN, "files.contoso.com"),
    (DOMAIN, "CONTOSO.com."), (DOMAIN, "10.0.0.1"), (DOMAIN, "1.0.0.10.in-addr.arpa"), (DOMAIN, "a b.com"),
    (DOMAIN, "127.1"), (DOMAIN, "<script>.com"),
    (URL, "http://10.0.0.5/a"), (URL, "http://localhost:9200/"), (URL, "http://[::1]/"), (URL, "file:///etc/passwd"),
    (URL, "http://user:secret@evil-domain.com/"), (URL, "http://wiki.contoso.com/x"), (URL, "http://0x7f000001/"),
    (URL, "http://evil-domain.com/\r\nHost: x"), (URL, "javascript:alert(1)"), (URL, "http://[::1"),
    (HASH, "zz"), (HASH, "ab" * 33), (HASH, "../../x"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), NEVER)
def test_what_is_of_ones_own_network_is_never_sent(records, vendors, look, kind, value):
    with records.transaction() as session:
        change_own_domains(session, ACTOR, ["contoso.com", " .Fabrikam.net "])
    with pytest.raises(InvalidError, match="never sent"):
        look.up(ACTOR, "virustotal", kind, value)
    assert vendors["virustotal"].asked == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [(ADDRESS, "8.8.8.8"), (ADDRESS, "2606:4700::1111"), (DOMAIN, "notcontoso.com"), (DOMAIN, "xn--bcher-kva.ch"),
     (URL, "https://evil-domain.com:8443/a?b=c"), (HASH, "AB" * 16)],
)  # fmt: skip
def test_what_everybody_may_see_may_be_sent(kind, value):
    assert never_sent(kind, value, ["contoso.com"]) is None


def test_a_key_is_encrypted_and_goes_to_its_own_address_alone(records, vendors):
    with records.transaction() as session:
        kept = session.scalar(text("SELECT secrets FROM reputation_services WHERE id = 'virustotal'"))
        assert KEY not in kept
        with pytest.raises(InvalidError, match="given anew"):
            change_service(session, ACTOR, "virustotal", ServiceChange(True, address="https://elsewhere.example"))
        assert settings_of(session, "virustotal").has_key
        details = session.scalars(select(AuditEntry.detail)).all()
    assert KEY not in str(details)


def test_a_key_is_removed_and_a_service_is_off_without_one(records, vendors):
    with records.transaction() as session:
        address = vendors["virustotal"].url
        with pytest.raises(InvalidError, match="missing"):
            change_service(session, ACTOR, "virustotal", ServiceChange(True, address=address, remove_key=True))
        settings = change_service(
            session, ACTOR, "virustotal", ServiceChange(False, address=address, remove_key=True)
        )
    assert (settings.has_key, settings.enabled) == (False, False)


@pytest.mark.parametrize(
    "address", ["ftp://x.org", "x.org", "https://user:pw@x.org", "https://x.org/?a=b", "https://"]
)
def test_an_address_that_is_none_is_refused(records, address):
    with records.transaction() as session, pytest.raises(InvalidError, match="address"):
        change_service(session, ACTOR, "virustotal", ServiceChange(False, address=address))


def test_a_key_that_no_key_decrypts_is_told_and_can_be_given_anew(records, vendors, tmp_path):
    other = Records(f"sqlite:///{tmp_path}/records.db", open_cipher(tmp_path / "none", "z" * 40))
    assert "virustotal" in other.encrypt_connectors()
    with other.transaction() as session:
        assert settings_of(session, "virustotal").undecryptable
        change = ServiceChange(True, key=KEY, address=vendors["virustotal"].url)
        assert not change_service(session, ACTOR, "virustotal", change).undecryptable
        assert session.get_one(ReputationService, "virustotal").secrets == {"key": KEY}
    other.close()
