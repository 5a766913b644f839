"""Actions: what is told of alerts, to whom, how often, what becomes of it. Messages go to a real server."""

from __future__ import annotations

import html
import socketserver
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from tests.scheduler.virtual import BAD, MINUTE, SECOND, START, Office, rule
from tocsin.actions.apprise_process import notify
from tocsin.actions.delivery import Deliverer
from tocsin.actions.egress import EgressPolicy, networks_of
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.store.records.models import Connector, Delivery, StoredRule


class Hook:
    """A server that keeps what it is sent; `status`, `headers` and `answer` are what it answers."""

    def __init__(self, host="127.0.0.1"):
        self.got, self.status, self.answer = list[dict[str, Any]](), 200, b""
        self.headers = dict[str, str]()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append({"path": self.path, "headers": dict(self.headers), "body": body})
                self.send_response(hook.status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # who asked is gone
                    self.wfile.write(hook.answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def has_got(self, count):
        return len(self.got) >= count

    def bodies(self):
        return [orjson.loads(one["body"]) for one in self.got]


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.shutdown()


LOCAL = EgressPolicy(networks_of(["127.0.0.0/8"]))


def action(**frequency):
    return {"id": "hook", "group": "default", "params": {}, "frequency": {"summary": True, **frequency}}


def office_of(tmp_path, hook, one, **connector):
    office = Office(tmp_path, [rule(actions=[one])])
    given = {
        "type": ".webhook",
        "config": {"url": f"http://127.0.0.1:{hook.port}/alerts"},
        "secrets": {},
        **connector,
    }
    with office.records.transaction() as session:
        session.add(Connector(id="hook", name="hook", created=datetime.now(UTC), created_by="x", **given))
    office.turn()
    return office


def raise_alerts(office, count=1):
    for _ in range(count):
        office.event(**BAD, host={"name": "ws-1"})
    office.until((office.now // (5 * MINUTE) + 1) * 5 * MINUTE)
    office.turn()


def deliver(office, later=0):
    return Deliverer(office.records, office.clock, LOCAL).turn(office.clock.moment() + timedelta(seconds=later))


def states(office):
    with office.records.transaction() as session:
        return [(one.state, one.tries) for one in session.scalars(select(Delivery).order_by(Delivery.id))]


def test_a_summary_tells_of_all_alerts_of_an_execution(tmp_path, hook):
    office = office_of(tmp_path, hook, action())
    raise_alerts(office, 3)
    deliver(office)
    [body] = hook.bodies()
    assert body["rule"]["name"] == "r"
    assert len(body["alerts"]) == 3
    assert body["alerts"][0]["kibana.alert.rule.rule_id"] == "r"
    assert states(office) == [("delivered", 1)]
    deliver(office)
    assert len(hook.got) == 1


def test_each_alert_is_told_of_by_itself(tmp_path, hook):
    params = {"body": '{"text": "{{context.rule.name}}: {{#context.alerts}}{{host.name}}{{/context.alerts}}"}'}
    office = office_of(tmp_path, hook, {**action(summary=False), "params": params})
    raise_alerts(office, 2)
    deliver(office)
    assert hook.bodies() == [{"text": "r: ws-1"}] * 2


def test_what_is_throttled_is_told_of_together_when_the_time_is_over(tmp_path, hook):
    office = office_of(tmp_path, hook, action(throttle="1h", notifyWhen="onThrottleInterval"))
    for _ in range(3):
        raise_alerts(office)
        deliver(office)
    assert [body["count"] for body in hook.bodies()] == [1]
    deliver(office, later=3700)
    assert [body["count"] for body in hook.bodies()] == [1, 2]


def test_a_snoozed_rule_tells_nobody(tmp_path, hook):
    office = office_of(tmp_path, hook, action())
    with office.records.transaction() as session:
        session.scalars(select(StoredRule)).one().muted_until = datetime.now(UTC) + timedelta(hours=1)
    raise_alerts(office)
    deliver(office)
    assert hook.got == []
    assert states(office) == [("held back", 0)]


def test_what_fails_is_tried_again_later(tmp_path, hook):
    office = office_of(tmp_path, hook, action())
    hook.status = 503
    raise_alerts(office)
    deliver(office)
    assert deliver(office) == 0  # not at once
    hook.status = 200
    deliver(office, later=20)
    assert states(office) == [("delivered", 2)]
    assert len(hook.got) == 2


@pytest.mark.parametrize(
    ("connector", "status", "words"),
    [
        ({}, 404, "answers 404"),
        ({"type": ".jira"}, 200, "cannot deliver"),
        ({"type": ".apprise", "secrets": {"urls": ["nonsense"]}}, 200, "Apprise does not know an address"),
    ],
)
def test_what_cannot_succeed_is_given_up_and_told(tmp_path, hook, connector, status, words):
    office = office_of(tmp_path, hook, action(), **connector)
    hook.status = status
    raise_alerts(office)
    deliver(office)
    assert states(office) == [("failed", 1)]
    with office.records.transaction() as session:
        assert words in str(session.scalars(select(Delivery)).one().error)


def test_apprise_delivers(tmp_path, hook):
    params = {"title": "{{context.rule.name}}", "message": "{{#alerts}}{{host.name}} {{/alerts}}"}
    urls = [f"json://127.0.0.1:{hook.port}/notify"]
    office = office_of(
        tmp_path, hook, {**action(), "params": params}, type=".apprise", config={}, secrets={"urls": urls}
    )
    raise_alerts(office, 2)
    deliver(office)
    [body] = hook.bodies()
    assert (body["title"], body["message"]) == ("r", "ws-1 ws-1")


COMMAND = r'C:\new\x.exe "a_b" <script> & `*c*`'
NASTY = {
    **BAD,
    "host": {"name": "ws-1"},
    "process": {"name": "bad.exe", "command_line": COMMAND + "\nsecond line"},
}
TELLS = "**{{context.rule.name}}**: {{#alerts}}{{process.command_line}}{{/alerts}}"


def raise_nasty(office):
    office.event(**NASTY)
    office.until((office.now // (5 * MINUTE) + 1) * 5 * MINUTE)
    office.turn()


def test_a_value_in_a_body_is_escaped_as_json(tmp_path, hook):
    params = {"body": '{"text": "{{#context.alerts}}{{process.command_line}}{{/context.alerts}}"}'}
    office = office_of(tmp_path, hook, {**action(), "params": params})
    raise_nasty(office)
    deliver(office)
    assert hook.bodies() == [{"text": COMMAND + "\nsecond line"}]


def test_a_value_in_a_body_that_is_no_json_stays_as_it_is(tmp_path, hook):
    config = {"url": f"http://127.0.0.1:{hook.port}/", "headers": {"content-type": "text/plain"}}
    office = office_of(
        tmp_path,
        hook,
        {**action(), "params": {"body": "{{#alerts}}{{process.command_line}}{{/alerts}}"}},
        config=config,
    )
    raise_nasty(office)
    deliver(office)
    assert hook.got[0]["body"].decode() == COMMAND + "\nsecond line"
    assert hook.got[0]["headers"]["content-type"] == "text/plain"


def to_apprise(tmp_path, hook, url, format_, **params):
    config = {} if format_ is None else {"format": format_}
    office = office_of(
        tmp_path, hook, {**action(), "params": params}, type=".apprise", config=config, secrets={"urls": [url]}
    )
    raise_nasty(office)
    deliver(office)
    assert states(office) == [("delivered", 1)]


@pytest.mark.parametrize("format_", [None, "text", "nonsense"])
def test_a_text_reaches_a_service_as_it_is(tmp_path, hook, format_):
    to_apprise(
        tmp_path, hook, f"json://127.0.0.1:{hook.port}/", format_, message=TELLS, title="{{alerts.0.reason}}"
    )
    [body] = hook.bodies()
    assert body["message"] == f"**r**: {COMMAND}\nsecond line"


SHOWN = COMMAND.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    ("format_", "kind", "text"),
    [
        (None, False, f"**r**: {SHOWN}\nsecond line"),
        ("markdown", True, "*r*: `" + SHOWN.replace("`", "'") + "`\nsecond line"),
    ],
)
def test_slack_gets_its_three_characters_escaped_and_nothing_else(
    tmp_path, hook, monkeypatch, format_, kind, text
):
    """Slack has `&`, `<` and `>` escaped in every text (docs.slack.dev, "Formatting message text").

    Its address is Apprise's own, which can be changed in this process alone.
    """
    monkeypatch.setattr("tocsin.actions.apprise_process.notify_apart", lambda *some: notify(*some[:4]))
    monkeypatch.setattr("apprise.plugins.slack.NotifySlack.webhook_url", f"http://127.0.0.1:{hook.port}/services")
    hook.answer = b"ok"  # Slack's
    to_apprise(tmp_path, hook, "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#soc", format_, message=TELLS)
    [body] = hook.bodies()
    [told] = body["attachments"]
    assert told["title"] == "r"
    assert body["mrkdwn"] is kind
    assert told["text"] == text
    assert "<script>" not in told["text"]


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it is sent (RFC 5321, as little as a client needs)."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.got = list[Message]()
        super().__init__(("127.0.0.1", 0), _MailSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _MailSession(socketserver.StreamRequestHandler):
    server: Mailbox

    def say(self, line):
        self.wfile.write(line + b"\r\n")

    def handle(self):
        self.say(b"220 mail")
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"DATA":
                self.say(b"354 go on")
                lines = []
                while (one := self.rfile.readline()) != b".\r\n":
                    lines.append(one.removeprefix(b"."))
                self.server.got.append(message_from_bytes(b"".join(lines), policy=policy.default))
            self.say(b"221 bye" if command == b"QUIT" else b"250 ok")
            if command == b"QUIT":
                return


@pytest.fixture
def mailbox():
    made = Mailbox()
    yield made
    made.shutdown()


@pytest.mark.parametrize(
    ("format_", "kind", "told"),
    [
        (None, "text/plain", ["**r**: " + COMMAND]),
        (
            "markdown",
            "text/html",
            ["<strong>r</strong>: <code>", html.escape(COMMAND.replace("`", "'"), quote=False)],
        ),
        ("html", "text/html", ["**r**: " + html.escape(COMMAND, quote=False)]),
    ],
)
def test_a_mail_shows_values_as_they_are(tmp_path, hook, mailbox, format_, kind, told):
    url = f"mailto://127.0.0.1:{mailbox.server_address[1]}/?from=tocsin@x.test&to=soc@x.test"
    to_apprise(
        tmp_path,
        hook,
        url,
        format_,
        message=TELLS,
        subject='{{context.rule.name}} "<&>" \\ {{#alerts}}{{process.name}}{{/alerts}}',
    )
    [mail] = mailbox.got
    assert mail["Subject"] == 'r "<&>" \\ bad.exe'
    part = mail.get_body(("html", "plain"))
    assert part.get_content_type() == kind
    content = part.get_content().replace("&quot;", '"').replace("\r\n", "\n")
    for text in told:
        assert text in content
    assert "<script>" not in content or kind == "text/plain"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{context.rule.index}}", "logs-*"),
        ("{{#alerts}}{{process.args}}{{/alerts}}", "a,b c"),
        ("{{#alerts}}{{#process.args}}<{{.}}>{{/process.args}}{{/alerts}}", "<a><b c>"),
        ("{{#alerts}}{{process.elevated}}{{/alerts}}", "true"),
        ("{{#alerts}}{{host}}{{/alerts}}", '{"name":"ws-1"}'),
        ("{{#alerts}}{{process.no_such}}{{no.such}}{{/alerts}}|", "|"),
        ("{{state.signals_count}}", "1"),
    ],
)
def test_values_are_written_as_kibana_writes_them(tmp_path, hook, template, told):
    """Lists with commas, objects as JSON: mustache.js, and `addToStringDeep` of Kibana's `mustache_renderer`."""
    office = office_of(
        tmp_path, hook, {**action(), "params": {"message": template}}, type=".apprise", config={},
        secrets={"urls": [f"json://127.0.0.1:{hook.port}/"]},
    )  # fmt: skip
    office.event(
        **BAD | {"process": {"name": "bad.exe", "args": ["a", "b c"], "elevated": True}}, host={"name": "ws-1"}
    )
    office.until((office.now // (5 * MINUTE) + 1) * 5 * MINUTE)
    office.turn()
    deliver(office)
    assert hook.bodies()[0]["message"] == told


def test_a_webhook_signs_in(tmp_path, hook):
    config = {"url": f"http://127.0.0.1:{hook.port}/", "headers": {"X-Team": "soc"}}
    office = office_of(tmp_path, hook, action(), config=config, secrets={"user": "a", "password": "b"})
    raise_alerts(office)
    deliver(office)
    assert hook.got[0]["headers"]["X-Team"] == "soc"
    assert hook.got[0]["headers"]["Authorization"] == "Basic YTpi"


def test_alerts_and_their_messages_are_written_together(tmp_path, hook):
    office = office_of(tmp_path, hook, action())
    raise_alerts(office)
    assert len(office.alerts()) == 1
    assert states(office) == [("waiting", 0)]
    assert office.alerts()[0].created > START


def test_what_was_delivered_long_ago_is_forgotten(tmp_path, hook):
    """So are executions and filled gaps; alerts stay, and so does the execution to which more ticks are added."""
    office = office_of(tmp_path, hook, action())
    office.settings = SchedulerSettings(history=30 * 86_400 * SECOND)
    office.stop()
    office.turn()
    office.event(**BAD)
    office.until(START + 10 * MINUTE)
    office.turn()
    Deliverer(office.records).turn(datetime.fromtimestamp(office.now / 1e9, UTC))
    with office.records.transaction() as session:
        for one in session.scalars(select(Delivery)):
            one.done = datetime.fromtimestamp(office.now / 1e9, UTC)
    before = len(office.executions())
    for _ in range(40):
        office.pass_(86_400 * SECOND)
        office.turn()
    assert before > len(office.executions()) == 1
    assert office.executions()[0].last_tick == office.now // (5 * MINUTE) * 5 * MINUTE
    with office.records.transaction() as session:
        assert session.scalars(select(Delivery)).all() == []
    assert len(office.alerts()) == 1
