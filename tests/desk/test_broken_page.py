"""A page that cannot be written: whoever looks gets a page, and programs get JSON."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page


def test_a_template_that_fails_is_said_on_a_page(caplog):
    router = APIRouter(route_class=PageRoute)

    @router.get("/broken")
    async def show(request: Request) -> Response:
        return page(request, "rules/rule.html", None)  # without all that it needs

    app = FastAPI()
    app.include_router(router)
    answer = TestClient(app).get("/broken", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert "This page could not be written" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "UndefinedError" in caplog.text
