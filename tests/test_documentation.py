"""docs/ describes every command, option, setting, metric and address, and its examples are commands that run."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import run_service
from tests.documentation import BESIDE, COMMANDS, ROOT, ROUTES, addresses, command_page, commands, route_page
from tests.scenario import EXAMPLES
from tests.serving import tocsin
from tocsin.api.app import create_app
from tocsin.cli.main import app as commands_app
from tocsin.config import PREFIX, Config
from tocsin.rules.load import bundled_folder

PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
PROSE = [page for page in PAGES if page.name != "CHANGELOG.md"]
WRITTEN = "run `make docs`"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, str]]:
    """The application of a service, and what its `/metrics` tell after a request and an event."""
    with run_service(tmp_path_factory.mktemp("service")) as running:
        for document in ({"message": "one"}, {"@timestamp": "no time"}):  # is stored, is refused
            running.http().post("/logs-test-default/_doc", json=document)
        yield create_app(running.service), running.http().get("/metrics").text


def commands_of(page: Path) -> list[list[str]]:
    """Return the lines of each block of commands of a page, without what is said of them."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [[re.split(r"\s+# ", line)[0] for line in block.splitlines()] for block in blocks]


def test_the_chinese_readme_has_the_commands_of_the_english_one() -> None:
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert len(commands_of(english)) > 5
    assert commands_of(chinese) == commands_of(english)
    for page, other in ((english, chinese), (chinese, english)):
        assert f"({other.name})" in page.read_text("utf-8")
    english_links, chinese_links = (
        re.findall(r"\]\(([^)]+\.md)\)", page.read_text("utf-8"))[1:] for page in (english, chinese)
    )
    assert chinese_links == english_links


# ---- commands


def test_the_page_of_commands_is_what_they_say() -> None:
    assert COMMANDS.read_text("utf-8") == command_page(), WRITTEN


def test_every_command_and_option_says_what_it_is_for() -> None:
    silent = [name for name, command in commands() if not command.help]
    silent += [
        f"{name} {parameter.name}"
        for name, command in commands()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert silent == []


# ---- the service


def test_the_page_of_addresses_is_what_the_service_answers_to(service: tuple[FastAPI, str]) -> None:
    app, _ = service
    assert ROUTES.read_text("utf-8") == route_page(app), WRITTEN
    described = {(path, method.upper()) for path, methods in app.openapi()["paths"].items() for method in methods}
    there = {(path, method) for path, method in addresses(app) if path not in BESIDE and method != "HEAD"}
    assert there == {pair for pair in described if pair[1] != "HEAD"}, "name it in tests/documentation.py"
    assert {path for path, _ in addresses(app)} >= BESIDE.keys()


def test_every_address_says_what_it_does(service: tuple[FastAPI, str]) -> None:
    app, _ = service
    silent = [
        f"{method} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description")
    ]
    assert silent == []


def rows_of(heading: str) -> list[list[str]]:
    """Return the rows of the table in docs/serve.md whose first column has this heading."""
    page = (ROOT / "docs" / "serve.md").read_text("utf-8")
    [table] = re.findall(rf"^\| {heading} \|.*\n\|[- |]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [line.strip("|").split(" | ") for line in table.splitlines()]


def names_in(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)", cell))


def test_every_metric_is_described_with_its_labels(service: tuple[FastAPI, str]) -> None:
    labels = {
        family.name + ("_total" if family.type == "counter" else ""): {
            label for sample in family.samples for label in sample.labels if label != "le"
        }
        for family in text_string_to_metric_families(service[1])
        if family.samples and not family.name.endswith("_created")
    }
    own = {name: names for name, names in labels.items() if name.startswith("tocsin_")}
    described = {name: names_in(row[1]) for row in rows_of("metric") for name in names_in(row[0])}
    assert own == {name: names for name, names in described.items() if name.startswith("tocsin_")}
    others = {name for name in labels if not name.startswith(("tocsin_", "process_"))}
    assert others == {name for name in described if not name.startswith(("tocsin_", "process_"))}


def test_every_part_of_the_memory_is_described(service: tuple[FastAPI, str]) -> None:
    parts = set(re.findall(r'^tocsin_memory_bytes\{part="(\w+)"', service[1], re.MULTILINE))
    assert parts == {name for row in rows_of("part") for name in names_in(row[0])}


def test_every_setting_is_described() -> None:
    described = {name for row in rows_of("setting") for name in names_in(row[0])}
    assert set(Config.model_fields) == described
    assert [name for name, field in Config.model_fields.items() if not field.description] == []


def test_every_variable_of_the_environment_is_described() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    text = "\n".join(page.read_text("utf-8") for page in PROSE)
    assert [name for name in set(re.findall(rf"{PREFIX}[A-Z_]+", sources)) if f"`{name}`" not in text] == []


# ---- examples


def blocks(language: str) -> list[Any]:
    """Return the blocks of code in a language, each with its page."""
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PROSE
        for number, text in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
        )
    ]


def examples() -> list[list[str]]:
    """Return the commands of tocsin that pages show, each once, without what a shell makes of them."""
    lines = (line for block in blocks("console") for line in block.values[0].splitlines())
    shown = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ tocsin ")]
    plain = (list(itertools.takewhile(lambda word: word not in (">", "|"), words[1:])) for words in shown)
    return [list(words) for words in dict.fromkeys(map(tuple, plain))]


def runs_on_files(words: list[str]) -> bool:
    """Tell an example that needs neither a service nor a checkout of others' rules."""
    return (
        words[0] in ("hunt", "query", "explain", "sources")
        or (words[0] == "rules" and words[1] in ("list", "show") and "--saved" not in words)
    ) and "--help" not in words


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_an_example_is_a_command_with_its_options(words: list[str]) -> None:
    command = typer.main.get_command(commands_app)
    names = {option for one in command.params for option in one.opts}
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no command {rest[0]}"
        command = command.commands[rest.pop(0)]
        names = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert given <= names | {"--help", "-h"}


@pytest.mark.slow
@pytest.mark.parametrize("words", [words for words in examples() if runs_on_files(words)], ids=" ".join)
def test_an_example_on_files_runs(words: list[str], tmp_path: Path) -> None:
    for folder in ("logs", "fdr"):
        shutil.copytree(EXAMPLES, tmp_path / folder)
    for rules in ("rules", "detection-rules/rules/windows"):
        shutil.copytree(bundled_folder(), tmp_path / rules)
    done = tocsin(
        *("logs" if word == "EVENTS..." else word for word in words), data=tmp_path / "data", cwd=tmp_path
    )
    assert done.returncode in ((0, 1) if "--fail-on-alert" in words else (0,)), done.stderr


@pytest.mark.parametrize("text", blocks("toml"))
def test_an_example_of_settings_holds_settings(text: str) -> None:
    assert set(tomllib.loads(text)) <= set(Config.model_fields)


@pytest.mark.parametrize("text", blocks("python"))
def test_an_example_in_python_is_python(text: str) -> None:
    compile(text, "example", "exec")


@pytest.mark.parametrize("text", blocks("json"))
def test_an_example_in_json_is_json(text: str) -> None:
    json.loads(text)


# ---- links


def test_what_contributors_are_led_to_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    paths = re.findall(r"`((?:src|tests|docs)/[\w./]+)`", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page}: {target}"
        if anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in headings
            }
