"""Packages that `pip install tocsin` leaves out: which extra brings them."""

from __future__ import annotations

from tocsin.errors import TocsinError

# Extra -> the modules that tocsin imports of its packages, and of those that these bring along.
MODULES = {
    "serve": frozenset((
        "alembic", "apprise", "argon2", "cachetools", "cryptography", "deltalake", "ecs_logging", "fastapi",
        "fastapi_offline", "filelock", "httpcore", "httpx", "prometheus_client", "pydantic_settings", "pystache",
        "python_multipart", "sqlalchemy", "starlette", "uvicorn", "watchfiles",
    )),
    "postgresql": frozenset(("psycopg",)),
}  # fmt: skip


def missing_extra(error: ModuleNotFoundError) -> TocsinError | None:
    """Return what to do about a module that is not installed; None where no extra brings it."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in MODULES.items():
        if module in modules:
            return TocsinError(
                f"this command needs packages that are not installed, such as {module}",
                hint=f"pip install 'tocsin[{extra}]'",
            )
    return None
