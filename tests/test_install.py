"""What `pip install tocsin` brings is enough for hunts, and says what more the service needs.

The wheel is built from this tree, and installed without extras into a new environment; its dependencies come from
the environment that runs the tests, by what their metadata ask for, so that no index of packages is needed.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.scenario import EXAMPLES
from tocsin.cli.extras import MODULES, missing_extra

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {extra: PROJECT["optional-dependencies"][extra] for extra in MODULES}


def with_dependencies(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Return the installed distributions that requirements ask for, and those that these ask for."""
    known: dict[str, Distribution] = {}
    waiting = [(Requirement(text), "") for text in requirements]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.name == "tocsin" or (
            requirement.marker and not requirement.marker.evaluate({"extra": extra})
        ):
            continue
        for wanted in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            known[name] = distribution(name)
            waiting += [(Requirement(text), wanted) for text in known[name].requires or ()]
    return known


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd,
        env={**environment, "PYTHONUTF8": "1", "COLUMNS": "160", "TOCSIN_CACHE": ""},
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a new environment with the wheel and no extra."""
    folder = tmp_path_factory.mktemp("install")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    assert not built.returncode, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    commands = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    for one in with_dependencies(PROJECT["dependencies"]).values():
        for name in {Path(str(file)).parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
            if not (site / name).exists():
                (site / name).symlink_to(Path(str(one.locate_file(name))))
    done = run(commands / "python", "-m", "pip", "install", "--no-index", "--no-deps", wheel)
    assert not done.returncode, done.stderr
    return commands


@pytest.mark.slow
def test_the_dependencies_of_the_wheel_are_complete(installed: Path) -> None:
    checked = run(installed / "python", "-m", "pip", "check")
    assert (checked.returncode, checked.stdout.strip()) == (0, "No broken requirements found.")


@pytest.mark.slow
def test_the_wheel_brings_the_languages_of_the_desk(installed: Path) -> None:
    code = "from tocsin.desk.translations import translations; print(translations('zh-CN').gettext('Log in'))"
    assert run(installed / "python", "-c", code).stdout == "登录\n"


@pytest.mark.slow
def test_hunts_need_no_extra(installed: Path, tmp_path: Path) -> None:
    hunted = run(installed / "tocsin", "hunt", EXAMPLES, "--format", "ndjson", cwd=tmp_path)
    assert hunted.returncode == 0, hunted.stderr
    alerts = [json.loads(line) for line in hunted.stdout.splitlines()]
    assert [alert["process"]["name"] for alert in alerts] == ["MpCmdRun.exe", "MpCmdRun.exe", "update.exe"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "shows"),
    [
        (("hunt", EXAMPLES, "-o", "report.html"), "3 alerts written to report.html"),
        (("query", "process where true | head 1", EXAMPLES), "1 result"),
        (("explain", "MpCmdRun", EXAMPLES), "events match"),
        (("rules", "list"), "Remote File Download via MpCmdRun"),
        (("rules", "show", "MpCmdRun"), "Remote File Download via MpCmdRun"),
        (("sources", "list"), "winlogbeat"),
        (("sources", "convert", EXAMPLES, "--to", "parquet", "-o", "events.parquet"), "events"),
        (("serve", "--help"), "--port"),
    ],
)
def test_what_reads_files_needs_no_extra(
    installed: Path, tmp_path: Path, arguments: tuple[str, ...], shows: str
) -> None:
    done = run(installed / "tocsin", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert shows in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",), ("ingest", EXAMPLES), ("ingest", "--url", "http://127.0.0.1:1", EXAMPLES), ("alerts", "list"),
        ("rules", "list", "--saved"), ("users", "list"), ("keys", "list"), ("config", "show"), ("store", "check"),
    ],
)  # fmt: skip
def test_what_the_service_needs_is_said(installed: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(installed / "tocsin", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "this command needs packages that are not installed" in done.stderr
    assert done.stderr.splitlines()[-1] == "  hint: pip install 'tocsin[serve]'"
    assert not list(tmp_path.iterdir())


def imported_modules() -> Iterator[tuple[str, Path]]:
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Import(names):
                    yield from ((name.name.partition(".")[0], file) for name in names)
                case ast.ImportFrom(module=str() as module, level=0):
                    yield module.partition(".")[0], file


def test_every_import_is_of_a_declared_dependency() -> None:
    """Each module comes with a package that pyproject.toml names; those of extras are named in their table too."""
    packages = packages_distributions()
    hunts = with_dependencies(PROJECT["dependencies"]).keys()
    for module, file in imported_modules():
        if module in sys.stdlib_module_names or module == "tocsin":
            continue
        names = {canonicalize_name(name) for name in packages[module]}
        extra = next((extra for extra, modules in MODULES.items() if module in modules), None)
        if extra is None:
            assert names & hunts, f"{file}: {module} comes with no dependency"
        else:
            assert not names & hunts, f"{module} is named for {extra} and comes with hunts"
            assert names & with_dependencies(EXTRAS[extra]).keys(), f"{file}: {module} does not come with {extra}"


@pytest.mark.parametrize("extra", MODULES)
def test_every_package_of_an_extra_is_known_by_its_module(extra: str) -> None:
    packages = packages_distributions()
    known = {canonicalize_name(name) for module in MODULES[extra] for name in packages[module]}
    wanted = {canonicalize_name(Requirement(text).name) for text in EXTRAS[extra]} - {"tocsin"}
    assert wanted <= known | {"psycopg-binary"}


def pins(name: str) -> set[str]:
    """Return the `name==version` of a lock file, without the platforms that each is for."""
    lines = (ROOT / name).read_text().splitlines()
    return {line.partition(" ")[0] for line in lines if "==" in line and not line.startswith(" ")}


def test_the_lock_files_agree_and_hold_no_address() -> None:
    for name in ("requirements-serve.lock", "requirements-build.lock"):
        assert pins(name) < pins("requirements.lock"), name
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text(), f"{lock} holds an address"


def test_the_lock_of_an_image_holds_what_the_service_needs() -> None:
    pinned = {canonicalize_name(pin.partition("==")[0]) for pin in pins("requirements-serve.lock")}
    assert with_dependencies([*PROJECT["dependencies"], *EXTRAS["serve"], *EXTRAS["postgresql"]]).keys() <= pinned


def test_the_lock_of_what_builds_an_image_holds_what_pyproject_asks_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = {canonicalize_name(pin.partition("==")[0]) for pin in pins("requirements-build.lock")}
    assert with_dependencies(asked).keys() <= pinned


def test_a_module_that_no_extra_brings_is_no_hint() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'tocsin.x'", name="tocsin.x")) is None
    assert missing_extra(ModuleNotFoundError("No module named 'numpy'", name="numpy")) is None
    hint = missing_extra(ModuleNotFoundError("No module named 'psycopg.rows'", name="psycopg.rows"))
    assert hint is not None
    assert hint.hint == "pip install 'tocsin[postgresql]'"


@pytest.mark.parametrize(("words", "offered"), [("tocsin hu", "hunt"), ("tocsin hunt --fail", "--fail-on-alert")])
def test_shells_complete_commands_and_options(words: str, offered: str) -> None:
    asked = {"_TOCSIN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    environment = {**os.environ, **asked}
    called = "import sys; sys.argv[0] = 'tocsin'; from tocsin.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", called], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout.split() == [offered]
