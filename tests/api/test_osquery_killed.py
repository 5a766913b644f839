"""The service is killed while a host is being asked: nothing is lost, and nothing counts twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.certificates import make_certificates
from tests.osquery_host import OsqueryHost
from tests.serving import Serve
from tests.waiting import eventually
from tocsin.response.hosts import enrollment, live_queries
from tocsin.response.hosts.live_queries import NewLiveQuery
from tocsin.response.hosts.query_rows import read_rows
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.hosts import LiveQueryHost

ACTOR = local_actor("tests")


@pytest.fixture
def place(tmp_path):
    certificates = make_certificates(tmp_path / "certificates")
    environment = {
        "TOCSIN_TLS_CERTIFICATE": str(certificates.certificate), "TOCSIN_TLS_KEY": str(certificates.key)
    }  # fmt: skip
    return tmp_path / "data", environment, certificates.authority


def test_a_query_outlives_the_service(place):
    data, environment, authority = place
    with Serve(data, env=environment) as serve:
        records = Records(f"sqlite:///{data / 'records.db'}")
        with records.transaction() as session:
            secret = enrollment.add_secret(session, ACTOR).secret
        asked, lost = (OsqueryHost(serve.url, secret, authority=authority, name=name) for name in ("A", "B"))
        assert asked.enroll()["node_key"]
        assert lost.enroll()["node_key"]
        with records.transaction() as session:
            ids = [host.id for host in enrollment.all_hosts(session)]
            new = NewLiveQuery("SELECT * FROM dns_cache", ids, lasts=timedelta(hours=1))
            query_id = live_queries.create_live_query(session, ACTOR, new).id
        given = eventually(lambda: asked.read()["queries"])
        eventually(lambda: lost.read()["queries"])  # this host never gets to see what it was given
        serve.process.kill()
        serve.process.wait(30)
    with Serve(data, env=environment) as serve:
        again = [OsqueryHost(serve.url, secret, authority=authority, name=host.name) for host in (asked, lost)]
        again[0].node_key, again[1].node_key = asked.node_key, lost.node_key
        answer = again[0].answers(given)
        again[0].write(**answer)
        again[0].write(**answer)
        with records.transaction() as session:  # as if the time for which it is not given again were over
            target = session.get_one(LiveQueryHost, (query_id, ids[1]))
            assert (target.state, target.attempts) == ("sent", 1)
            assert target.sent is not None
            target.sent -= timedelta(minutes=1)
        eventually(again[1].poll)
        with records.transaction() as session:
            progress = live_queries.progress_of(session, query_id)
            assert (progress.hosts, progress.rows) == ({"answered": 2}, 6)
            assert len(list(read_rows(session, query_id))) == 6
        for host in (asked, lost, *again):
            host.close()
    records.close()
