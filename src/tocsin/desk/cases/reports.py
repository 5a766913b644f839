"""Reports of cases: a page that needs nothing else, and Markdown."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.page_route import PageRoute
from tocsin.desk.visitor import Reader
from tocsin.response.cases.report import case_report

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/cases/{id}/report")
async def report_case(visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Return a file with a case, its alerts and its activity, to hand on."""
    report = await records.read(lambda session: case_report(session, id))
    return _file(await run_in_threadpool(report.html), f"tocsin-case-{report.number}.html", "text/html")


@router.get("/cases/{id}/report.md")
async def report_case_in_markdown(visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Return a case as Markdown."""
    report = await records.read(lambda session: case_report(session, id))
    text = await run_in_threadpool(report.markdown)
    return _file(text, f"tocsin-case-{report.number}.md", "text/markdown")


def _file(text: str, name: str, media_type: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",  # should it be shown from here all the same
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type=media_type, headers=headers)
