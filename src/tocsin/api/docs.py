"""The description of the interface as a page: Swagger UI, served from here and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)
_STATIC = Path(fastapi_offline.__file__).parent / "static"
# The page's own rules: scripts from here alone, and the styles that Swagger UI writes into the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tocsin: its interface</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
<link rel="stylesheet" href="/docs/style.css">
<link rel="icon" href="/docs/static/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  docExpansion: "none",
  displayRequestDuration: true,
});
"""
# What Swagger UI leaves to be wished for: commands that can be read and copied, and room on narrow screens.
_STYLE = """.swagger-ui .info .markdown pre { overflow-x: auto; padding: 8px; }
.swagger-ui .info .markdown pre code { color: inherit; font-weight: 400; padding: 0; white-space: pre; }
.swagger-ui .markdown code, .swagger-ui .renderedMarkdown code { color: inherit; font-weight: 600; }
.swagger-ui .opblock-tag { text-transform: capitalize; }
.swagger-ui .opblock-tag small { text-transform: none; }
.swagger-ui .scheme-container { padding: 12px 0; }
@media (max-width: 700px) {
  .swagger-ui .opblock-tag { flex-wrap: wrap; }
  .swagger-ui .opblock-tag small { flex: 1 1 100%; order: 3; padding: 4px 0; }
  .swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
  .swagger-ui .opblock .opblock-summary-path { max-width: 100%; }
}
"""


@router.get("/docs")
async def page() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(_PAGE)


@router.get("/docs/start.js")
async def start() -> Response:
    """Return what starts Swagger UI on the page."""
    return Response(_START, media_type="text/javascript")


@router.get("/docs/style.css")
async def style() -> Response:
    """Return what the page looks like beyond Swagger UI's own style."""
    return Response(_STYLE, media_type="text/css")


def add_docs(app: FastAPI) -> None:
    """Add the page and what it loads."""
    app.include_router(router)
    app.mount("/docs/static", StaticFiles(directory=_STATIC), name="docs")
