"""Saved timelines: what is asked, pinned events that stay, notes, and whose they are."""

from __future__ import annotations

import html
import re

import orjson
import pytest

from tests.desk.conftest import Desk, token_of
from tests.desk.test_timeline import send
from tests.desk.test_timeline_exports import read_csv
from tocsin.desk.timeline.saved import SavedTimeline, pinned_document
from tocsin.management.timelines import PinnedEvent, pin_event, save_timeline
from tocsin.store.records.access import local_actor

_HOSTILE = "<script>alert(1)</script>"


def post(client, path: str, **fields: str):
    return client.post(path, data={"csrf": token_of(client), **fields})


def saved_id(answer) -> str:
    assert answer.status_code == 303, answer.text
    return str(re.findall(r"[?&]id=([^&]+)", answer.headers["location"])[0])


@pytest.fixture
def event(desk) -> str:
    document = {"id": "p1", "@timestamp": "2024-05-01T00:00:00Z", "host": {"name": "pinned-host"}, "message": "m"}
    with desk.running.http() as client:
        answer = client.get("/timeline-pins/_doc/p1")
    if answer.status_code != 200:
        send(desk, "timeline-pins", [document])
    return "1714521600000000000:timeline-pins:p1"


def test_a_timeline_is_saved_with_all_it_asks_and_comes_back_by_its_id(desk):
    view = "/timeline?q=process.name%3A+cmd.exe&from=now-7d&columns=%40timestamp%2Chost.name&sort=oldest"
    with desk.logged_in() as client:
        id_ = saved_id(post(client, "/timeline/save", view=view, name="Case 7", description="what cmd did"))
        answer = client.get(f"/timeline?id={id_}")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"{view}&id={id_}"
        text = client.get(answer.headers["location"]).text
        assert "Case 7" in text
        assert "changed since it was saved" not in text
        changed = client.get(f"/timeline?q=x&id={id_}").text
        assert "changed since it was saved" in changed
        saved = post(client, "/timeline/save", view=f"/timeline?q=x&id={id_}", name="Case 8")
        assert saved_id(saved) == id_
        assert "Case 8" in client.get("/timeline/saved").text
        assert post(client, "/timeline/remove", id=id_).headers["location"] == "/timeline/saved"
        assert client.get(f"/timeline?id={id_}").status_code == 404


def test_an_event_is_pinned_shown_at_the_top_exported_and_unpinned(desk, event):
    with desk.logged_in() as client:
        answer = post(client, "/timeline/pins", view="/timeline?q=nothing%3A+here", event=event)
        id_ = saved_id(answer)
        text = client.get(answer.headers["location"]).text
        pins = text.partition('<section class="pins"')[2].partition("</section>")[0]
        assert "pinned-host" in pins
        assert "analyst" in pins
        again = post(client, "/timeline/pins", view=f"/timeline?q=nothing%3A+here&id={id_}", event=event)
        assert client.get(again.headers["location"]).text.count('id="pin-event-') == 1
        of_csv = client.get(f"/timeline/export?format=csv&pins=1&id={id_}&columns=host.name")
        assert read_csv(of_csv.text) == [["host.name", "cut"], ["pinned-host", ""]]
        of_ndjson = client.get(f"/timeline/export?format=ndjson&pins=1&id={id_}")
        assert [orjson.loads(line)["host"]["name"] for line in of_ndjson.text.splitlines()] == ["pinned-host"]
        answer = post(client, "/timeline/pins", view=f"/timeline?id={id_}&q=x", event=event, unpin="1")
        assert 'class="pins"' not in client.get(answer.headers["location"]).text


def test_a_pin_stays_when_its_event_is_removed(desk):
    """The store removes events by their age: one that it never had is as good."""
    with desk.running.service.records.transaction() as session:
        actor = local_actor("tests")
        timeline = save_timeline(session, actor, "of old", {"from": ""}, shared=True)
        gone = PinnedEvent("logs-gone", "x", "1600000000000000000", {"host": {"name": "gone-host"}})
        pin_event(session, actor, timeline.id, gone)
        id_ = timeline.id
        shown = SavedTimeline.of(timeline, actor)
        copy = pinned_document(shown, "logs-gone:x")
        assert copy is not None
        assert copy.text("host.name") == "gone-host"
    with desk.logged_in("viewer") as client:
        text = client.get(f"/timeline/event?open=logs-gone:x&id={id_}").text
    assert "gone-host" in text
    assert "not in the store any more" in text


def test_notes_say_who_and_when_and_are_removed_by_their_author_alone(desk, event):
    key = event.partition(":")[2]
    with desk.logged_in() as client:
        view = "/timeline?q=x"
        id_ = saved_id(post(client, "/timeline/save", view=view, name="noted", new="1", shared="1"))
        view = f"{view}&id={id_}"
        assert post(client, "/timeline/notes", view=view, text=_HOSTILE).status_code == 303
        assert post(client, "/timeline/notes", view=view, text="seen before", key=key).status_code == 303
        text = client.get(view).text
        assert html.escape(_HOSTILE) in text
        assert _HOSTILE not in text
        assert "seen before" in client.get(f"/timeline/event?open={key}&id={id_}").text
        (note,) = set(re.findall(r'name="remove" value="([^"]*)"', text))
    with desk.logged_in("engineer") as client:
        assert 'name="remove"' not in client.get(view).text
        refused = post(client, "/timeline/notes", view=view, remove=note)
        assert refused.status_code == 400
        assert "nobody else removes it" in refused.text
    with desk.logged_in() as client:
        assert post(client, "/timeline/notes", view=view, remove=note).status_code == 303
        assert html.escape(_HOSTILE) not in client.get(view).text


def test_ones_own_is_hidden_from_others_and_a_shared_one_is_not_changed_by_a_viewer(desk, event):
    with desk.logged_in() as client:
        own = saved_id(post(client, "/timeline/save", view="/timeline", name="own", new="1"))
        shared = saved_id(post(client, "/timeline/save", view="/timeline", name="ours", new="1", shared="1"))
    with desk.logged_in("viewer") as client:
        assert client.get(f"/timeline?q=x&id={own}").status_code == 404
        text = client.get(f"/timeline?q=x&from=&id={shared}").text
        assert "data-pin" not in text
        assert 'name="shared"' not in text
        for path, fields in (
            ("/timeline/pins", {"event": event}),
            ("/timeline/notes", {"text": "t"}),
            ("/timeline/save", {"name": "mine"}),
        ):
            refused = post(client, path, view=f"/timeline?q=x&id={shared}", **fields)
            assert refused.status_code == 400, path
            assert "right to respond" in refused.text
        assert post(client, "/timeline/save", view="/timeline", name="a viewer's", new="1").status_code == 303


@pytest.mark.parametrize("path", ["/timeline/save", "/timeline/pins", "/timeline/notes", "/timeline/remove"])
def test_a_form_without_its_token_does_nothing(desk: Desk, path):
    with desk.logged_in() as client:
        answer = client.post(path, data={"view": "/timeline", "name": "forged", "event": "1:a:b", "text": "t"})
        assert answer.status_code == 403
        assert "forged" not in client.get("/timeline/saved").text


@pytest.mark.parametrize("view", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"])
def test_a_form_leads_nowhere_else(desk, view):
    with desk.logged_in() as client:
        answer = post(client, "/timeline/save", view=view, name="n")
    assert answer.status_code == 400


def test_an_event_that_is_not_there_cannot_be_pinned(desk):
    with desk.logged_in() as client:
        answer = post(client, "/timeline/pins", view="/timeline", event="1:logs-nothing:x")
    assert answer.status_code == 404
    assert "cannot be pinned" in answer.text
