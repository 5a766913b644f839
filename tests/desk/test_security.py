"""What nobody may do to the desk: every route of its pages is tried, those too that are added later.

Routes come from the application. Pages are walked from the first one by the links and parts that they hold, in a
service whose events, rule and guide are hostile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select, update
from starlette.routing import compile_path

from tests.api.conftest import PASSWORD
from tests.desk.browsing import pages_from, read_page
from tests.desk.hostile import BIDI, SCRIPT, run_hostile_desk
from tocsin.api.interface import calls_of
from tocsin.api.security import guarded_scope, is_guard
from tocsin.desk.app import create_app_with_desk
from tocsin.desk.forms import read_form
from tocsin.desk.page_route import PageRoute
from tocsin.store.records.access import ROLES, Scope
from tocsin.store.records.models import AuditEntry, WebSession

# Where nobody has to be logged in.
OPEN = {
    ("GET", "/"), ("GET", "/login"), ("GET", "/login/once/{token}"), ("POST", "/login"),
    ("POST", "/login/language"),
}  # fmt: skip
ELSEWHERE = (
    "https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil",
    "///evil.example", "/\t/evil.example",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    with run_hostile_desk(tmp_path_factory.mktemp("hostile")) as desk:
        yield desk


def routes(desk):
    """Return method, path and dependencies of each page, and of each change that a page can ask for."""
    app = create_app_with_desk(desk.running.service)
    return [
        (method, route.path, list(calls_of(route.dependant)))
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, PageRoute) and isinstance(route.dependant, Dependant)
        for method in sorted(set(route.methods or ()) - {"HEAD"})
    ]


def guarded(desk):
    """Return method, address and scope of each of those that not everybody may ask for."""
    alert = desk.alerts[0]
    ids = {"/alerts/": alert["kibana.alert.uuid"], "/rules/": alert["kibana.alert.rule.uuid"]}
    places = []
    for method, path, calls in routes(desk):
        if (method, path) in OPEN:
            continue
        (scope,) = [guarded_scope(call) for call in calls if is_guard(call)]
        id_ = next((value for beginning, value in ids.items() if path.startswith(beginning)), "1")
        _, template, parameters = compile_path(path)
        places.append((method, template.format(**dict.fromkeys(parameters, id_)), scope))
    return places


def newest_change(desk):
    with desk.running.service.records.transaction() as session:
        return session.scalar(select(func.max(AuditEntry.id)))


def csrf_of(client):
    return client.get("/settings").text.partition('name="csrf" value="')[2].partition('"')[0]


def test_every_page_but_those_to_log_in_with_has_one_guard(hostile):
    known = routes(hostile)
    assert len(known) > 20
    assert {(method, path) for method, path, _ in known} >= OPEN
    for method, path, calls in known:
        guards = [call for call in calls if is_guard(call)]
        assert len(guards) == (0 if (method, path) in OPEN else 1), (method, path)


def test_every_change_reads_its_form_before_its_session_is_checked(hostile):
    """What the form brings against forgery is there when the session is looked at.

    Where no form is read, as with files, a header has to bring it, which no form of another site can.
    """
    for method, path, calls in routes(hostile):
        if method != "GET" and (method, path) not in OPEN and read_form in calls:
            guard = next(place for place, call in enumerate(calls) if is_guard(call))
            assert calls.index(read_form) < guard, (method, path)


def sessions(desk):
    """Yield what a browser may show as a session that is none: nothing, a forged one, one that is over."""
    yield "none", {}
    yield "forged", {"tocsin_session": "x" * 43}
    yield "long", {"tocsin_session": "x" * 5_000}
    with desk.logged_in("admin") as client:
        token = client.cookies["tocsin_session"]
    with desk.running.service.records.transaction() as session:
        session.execute(update(WebSession).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    yield "over", {"tocsin_session": token}


def test_without_a_session_everything_leads_to_the_log_in_page(hostile):
    before = newest_change(hostile)
    places = guarded(hostile)
    for which, cookies in sessions(hostile):
        if which == "over":
            before = newest_change(hostile)
        with hostile.browser(cookies=cookies) as client:
            for method, address, _ in places:
                answer = client.request(method, address, data={"csrf": "x"} if method != "GET" else None)
                assert answer.status_code == 303, (which, method, address)
                assert answer.headers["location"].startswith("/login?next=%2F"), (which, method, address)
                part = client.request(
                    method, address, headers={"HX-Request": "true", "HX-Current-URL": hostile.url}
                )
                assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login?next=%2Falerts"), address
                assert part.text == ""
    assert newest_change(hostile) == before


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (None, {}), ("", {}), ("wrong", {}), ("x" * 43, {}), ("é", {}), (None, {"X-CSRF-Token": "wrong"}),
        ("right", {"Sec-Fetch-Site": "cross-site"}), ("right", {"Sec-Fetch-Site": "same-site"}),
        ("right", {"Origin": "https://evil.example"}), ("right", {"Origin": "null"}),
    ],
)  # fmt: skip
def test_what_another_site_could_send_changes_nothing(hostile, token, headers):
    with hostile.logged_in("admin") as client:
        right = csrf_of(client)
        before = newest_change(hostile)
        for method, address, _ in guarded(hostile):
            if method == "GET":
                continue
            fields = {} if token is None else {"csrf": right if token == "right" else token}
            answer = client.request(method, address, data=fields, headers=headers)
            assert answer.status_code == 403, (method, address)
            assert "text/html" in answer.headers["content-type"]
        assert newest_change(hostile) == before
        assert client.get("/settings").status_code == 200


def test_a_token_is_that_of_its_own_session(hostile):
    with hostile.logged_in("admin") as one_client, hostile.logged_in("admin") as other:
        token = csrf_of(other)
        for method, address, _ in guarded(hostile):
            if method != "GET":
                assert one_client.request(method, address, data={"csrf": token}).status_code == 403, address


@pytest.mark.parametrize("role", ["viewer", "analyst", "engineer"])
def test_what_a_role_may_not_do_is_refused_on_a_page(hostile, role):
    refused = [place for place in guarded(hostile) if place[2] is not None and not _may(role, place[2])]
    assert refused
    with hostile.logged_in(role) as client:
        token, before = csrf_of(client), newest_change(hostile)
        for method, address, _ in refused:
            answer = client.request(method, address, data={"csrf": token} if method != "GET" else None)
            assert answer.status_code == 403, (method, address)
            assert "<h1>Not allowed</h1>" in answer.text
            part = client.request(
                method, address, headers={"HX-Request": "true", "X-CSRF-Token": token}, data={"csrf": token}
            )
            assert (part.status_code, 'role="alert"' in part.text) == (403, True)
        assert newest_change(hostile) == before


def _may(role: str, scope: Scope | None) -> bool:
    return scope is None or bool({scope, Scope.ADMIN} & ROLES[role])


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_role_is_harmless_and_offers_what_the_role_may_do(hostile, role):
    """The pages are reached by links; no link, part or form leads to what would be refused."""
    patterns = [
        (method, compile_path(path)[0], [guarded_scope(call) for call in calls if is_guard(call)])
        for method, path, calls in routes(hostile)
    ]

    def scope_of(method: str, address: str) -> Scope | None:
        path = urlsplit(address).path
        for known_method, pattern, scopes in patterns:
            if known_method == method and pattern.match(path):
                return scopes[0] if scopes else None
        raise AssertionError(f"no page takes {method} {address}")

    problems, walked = {}, 0
    with hostile.logged_in(role) as client:
        for address, answer, page in pages_from(client, "/alerts?from="):
            walked += 1
            wrong = list(page.problems)
            if answer.status_code >= 400:
                wrong.append(f"answers {answer.status_code}")
            forms = [form or address for form in page.forms]
            wrong += [f"offers {form}" for form in forms if not _may(role, scope_of("POST", form))]
            if wrong:
                problems[address] = wrong[:5]
    assert not problems, "\n".join(f"{address}: {wrong}" for address, wrong in problems.items())
    assert walked > 12


def test_every_page_forbids_framing_sniffing_and_keeping(hostile):
    with hostile.logged_in("admin") as client:
        for address, answer, _ in pages_from(client, "/alerts?from=", each=1):
            headers = answer.headers
            assert headers["x-frame-options"] == "DENY", address
            assert headers["x-content-type-options"] == "nosniff", address
            assert headers["referrer-policy"] == "no-referrer", address
            assert headers["cache-control"] == "no-store", address
            policy = headers["content-security-policy"]
            is_file = headers.get("content-disposition", "").startswith("attachment")
            assert is_file or "frame-ancestors 'none'" in policy, address
            assert "default-src 'none'" in policy, address
            assert "unsafe" not in policy, address


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_no_change_leads_to_another_host(hostile, elsewhere):
    """With forms that hold nothing but where to go back to; logging in too."""
    changes = [address for method, address, _ in guarded(hostile) if method != "GET" and address != "/logout"]
    with hostile.logged_in("engineer") as client:
        fields = {"csrf": csrf_of(client), "back": elsewhere, "next": elsewhere}
        for address in [*changes, "/logout"]:
            for headers in ({}, {"HX-Request": "true", "HX-Current-URL": elsewhere.replace("\t", "")}):
                answer = client.post(address, data=fields, headers=headers)
                assert answer.status_code < 500, address
                _stays_here(answer)
    with hostile.browser() as client:
        _stays_here(client.get("/login", params={"next": elsewhere}))
        _stays_here(client.post("/login/language", data={"language": "en", "next": elsewhere}))
        fields = {"name": "analyst", "password": PASSWORD, "next": elsewhere}
        _stays_here(client.post("/login", data=fields))


def _stays_here(answer: httpx.Response) -> None:
    for name in ("location", "hx-redirect", "hx-location", "hx-push-url", "hx-replace-url"):
        target = answer.headers.get(name, "/")
        assert target.startswith("/"), (answer.request.url, target)
        assert not target.startswith(("//", "/\\")), (answer.request.url, target)
    for field in read_page(answer.text).values_of("next", "back") if answer.is_success else ():
        assert field.startswith("/"), (answer.request.url, field)
        assert not field.startswith(("//", "/\\")), (answer.request.url, field)


def test_heads_and_options_say_no_more_than_pages_do(hostile):
    for role in (None, "viewer"):
        with hostile.browser() if role is None else hostile.logged_in(role) as client:
            for method, address, _ in guarded(hostile):
                if method != "GET" or address.endswith("export"):
                    continue
                head, got = client.head(address), client.get(address)
                assert (head.status_code, head.content) == (got.status_code, b""), address
                assert head.headers.get("location") == got.headers.get("location"), address
                options = client.options(address)
                assert options.status_code in (404, 405), address
                assert "access-control-allow-origin" not in options.headers


def test_a_link_logs_nobody_in_as_somebody_else(hostile):
    """Neither by being opened nor from another site's page; the form of another site logs nobody in either."""
    with hostile.logged_in("viewer") as client:
        before = client.cookies["tocsin_session"]
        assert client.get("/login/once/anything").headers["location"] == "/alerts"
        fields = {"name": "analyst", "password": PASSWORD}
        answer = client.post("/login", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert client.cookies["tocsin_session"] == before


@pytest.mark.parametrize(
    ("name", "password"), [(SCRIPT, "x"), (BIDI, "x"), ("a" * 60_000, "x"), ("analyst", "a" * 60_000)]
)
def test_hostile_names_are_harmless_at_the_log_in(hostile, name, password):
    with hostile.browser() as client:
        answer = client.post("/login", data={"name": name, "password": password})
        assert answer.status_code == 401
        assert read_page(answer.text).problems == []
