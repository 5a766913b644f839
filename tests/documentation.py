"""The pages of docs/ that follow from the code: commands with their options, and the addresses of the service.

`make docs` writes them anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer.main
from fastapi import FastAPI

from tests.fuzz import routes_of
from tocsin.api.app import create_app
from tocsin.api.service import open_service
from tocsin.cli.main import app as commands_app
from tocsin.config import Config

ROOT = Path(__file__).resolve().parents[1]
COMMANDS, ROUTES = ROOT / "docs" / "commands.md", ROOT / "docs" / "routes.md"
_NOTE = "<!-- `make docs` writes this page. -->"
_METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
# Addresses that stand in no document of the interface, with what they are for.
BESIDE = {
    "/docs": "The page that describes the interface.",
    "/docs/start.js": "What starts that page.",
    "/docs/style.css": "What that page looks like.",
    "/docs/static/{rest}": "What that page loads.",
    "/openapi.json": "The description of the interface, in OpenAPI.",
    "/internal/security/login": "Begin a session, as clients of Kibana do.",
    "/api/security/logout": "End that session.",
    "/logout": "End that session.",
    "/api/v1/osquery/enroll": "Enrol a host that runs osquery.",
    "/api/v1/osquery/config": "Give a host its packs.",
    "/api/v1/osquery/log": "Take what a host logged.",
    "/api/v1/osquery/distributed/read": "Give a host the live queries that wait for it.",
    "/api/v1/osquery/distributed/write": "Take a host's answers to live queries.",
    "/api/v1/osquery/carve/begin": "Begin to take a file of a host.",
    "/api/v1/osquery/carve/block": "Take a block of that file.",
    "/s/{space_id}/api/{rest}": "Tell that there is no such space, or no such address in it.",
    "/s/{space_id}/internal/{rest}": "The same.",
}


def commands(group: Any = None, path: Sequence[str] = ("tocsin",)) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its whole name."""
    group = group or typer.main.get_command(commands_app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def command_page() -> str:
    """Return the page of commands."""
    lines = [
        "# Commands",
        "",
        _NOTE,
        "",
        "`-h` or `--help` behind any of them shows the same on the terminal.",
        "",
    ]
    for name, command in commands():
        lines += [f"## {name}", "", cleandoc(command.help or ""), ""]
        shown = [one for one in command.params if one.name != "help" and not getattr(one, "hidden", False)]
        if shown:
            lines += ["| argument or option | meaning |", "| --- | --- |"]
            lines += [f"| {_names(one)} | {_cell(one.help or '')}{_variable(one)} |" for one in shown]
            lines.append("")
    return "\n".join(lines)


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.strip('_').upper()}`"
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    off = ", ".join(f"`{name}`" for name in parameter.secondary_opts)
    return f"{names} / {off}" if off else names


def _variable(parameter: Any) -> str:
    return f" Or `{parameter.envvar}` in the environment." if parameter.envvar else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def route_page(app: FastAPI) -> str:
    """Return the page of addresses."""
    lines = [
        "# Addresses", "", _NOTE, "",
        "What the service answers to. `/docs` of a running service shows parameters and bodies; "
        "[serve.md](serve.md) and [watch.md](watch.md) say how they are used. Addresses of Kibana are there "
        "behind `/s/default`, too.", "",
    ]  # fmt: skip
    groups: dict[str, dict[tuple[str, str, str], list[str]]] = {}
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            *_, needs = operation["description"].split("\n\n")
            about = operation["description"].removesuffix(needs).partition("\n\n")[0]
            text = _cell(f"{operation['summary']}. {about}")
            group = groups.setdefault(operation["tags"][0], {})
            group.setdefault((path, text, _cell(needs)), []).append(method.upper())
    for tag in app.openapi()["tags"]:
        lines += [f"## {tag['name'].capitalize()}", "", tag["description"], ""]
        lines += ["| address | methods | what it does | who may |", "| --- | --- | --- | --- |"]
        for (path, text, needs), methods in groups.pop(tag["name"]).items():
            methods_text = ", ".join(sorted(methods, key=_METHODS.index))
            lines.append(f"| `{path}` | {methods_text} | {text} | {needs} |")
        lines.append("")
    assert not groups, f"no group is described that is called {', '.join(groups)}"
    lines += ["## For browsers, clients of Kibana, and hosts", "", "| address | what it does |", "| --- | --- |"]
    lines += [f"| `{path}` | {told} |" for path, told in BESIDE.items()]
    return "\n".join([*lines, ""])


def addresses(app: FastAPI) -> set[tuple[str, str]]:
    """Return every address of the service with each of its methods, without the default space's spellings."""
    return {
        (path.replace(":path}", "}").removeprefix("/s/default"), method)
        for path, methods in routes_of(app)
        for method in methods
    }


def main() -> None:
    """Write the pages."""
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"data": Path(folder), "port": 0}
        service = open_service(Config(**settings))
        try:
            ROUTES.write_text(route_page(create_app(service)), "utf-8")
        finally:
            service.close()
    COMMANDS.write_text(command_page(), "utf-8")


if __name__ == "__main__":
    main()
