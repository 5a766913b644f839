"""An option that commands share is written in one place: it means the same, and is told the same, everywhere."""

from __future__ import annotations

from collections import defaultdict

import pytest
import typer

from tocsin.cli.main import app

# What options of one name mean in commands for which they are something else: `--rule` of alerts is no file.
OWN = {
    "--format": "each command has its own formats", "--to": "the end of a span, or the format of a conversion",
    "--from": "the start of events that are read, or of a span of runs", "--quiet": "what it leaves out is named",
    "--wide": "a hunt's table has command lines", "--output": "each command says what it writes",
    "--rejects": "where they are kept by default", "--all-indices": "a hunt has many rules, an explanation one",
    "--size": "each command says of what", "--json": "one document a line, or one document",
    "--role": "that a user gets, or has from now on", "--enable": "a rule that is imported, or a user",
    "--reason": "of an alert, or of a case", "--source": "of telemetry, or of a list of indicators",
    "--status": "of alerts, or of cases, of which closed ones are left out",
    "--rule": "a part of a name", "--limit": "of results, alerts or executions",
    "--all": "every rule, or every host", "--host": "an address to listen on, or a host that is asked",
}  # fmt: skip


def commands(command, name=""):
    if hasattr(command, "commands"):
        for inner in command.commands.values():
            yield from commands(inner, f"{name} {inner.name}".strip())
    else:
        yield name, command


def shared():
    told: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, command in commands(typer.main.get_command(app)):
        for parameter in command.params:
            if parameter.param_type_name == "option":
                told[parameter.opts[0]][parameter.help].append(name)
    return {option: helps for option, helps in told.items() if sum(map(len, helps.values())) > 1}


@pytest.mark.parametrize("option", sorted(shared()))
def test_an_option_of_several_commands_is_told_alike(option):
    helps = shared()[option]
    assert option in OWN or len(helps) == 1, dict(helps)


@pytest.mark.parametrize("option", ["--config", "--data", "--source", "--date-order", "--rules"])
def test_options_are_shared(option):
    assert option in shared()
