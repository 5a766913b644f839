"""Every command with wrong values: it exits with 2, names what is wrong and what may be, and changes nothing."""

from __future__ import annotations

import io
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from tocsin.cli import choices, main
from tocsin.config import Config
from tocsin.management.alert_changes import REASONS, STATUSES
from tocsin.response.measures.figures import Closings
from tocsin.response.measures.groups import MeasureGrouping
from tocsin.response.measures.tables import TABLES
from tocsin.store.records.access import ROLES, Scope

EXAMPLES = Path(__file__).parents[2] / "examples" / "telemetry"
Run = Callable[[str], tuple[int, str, str]]


def call(monkeypatch: pytest.MonkeyPatch, line: str) -> int:
    """Run a command line in this process, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["tocsin", *shlex.split(line)])
    monkeypatch.setattr(main, "protect", lambda: None)  # the streams are those of the tests, and stay
    try:
        main.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's folder with two keys and a rule."""
    data = tmp_path_factory.mktemp("service") / "data"
    with pytest.MonkeyPatch.context() as monkeypatch:
        for line in ("keys add one --scope read", "keys add two --scope read", "rules import --bundled"):
            assert call(monkeypatch, f"{line} --data {data}") == 0
    return data


@pytest.fixture
def run(tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with some files, and the records of a service in `data`."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_DATA", "TOCSIN_URL", "TOCSIN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long enough password\n"))
    shutil.copytree(records, tmp_path / "data")
    (tmp_path / "empty").mkdir()
    (tmp_path / "events.ndjson").write_text(
        '{"@timestamp":"2026-11-20T12:00:00Z","event":{"category":"process"}}\n'
    )
    (tmp_path / "port.toml").write_text("port = 99999\n")
    (tmp_path / "word.toml").write_text('\nkeep_days = "many"\n')
    (tmp_path / "typo.toml").write_text("prot = 9200\n")
    (tmp_path / "rule.toml").write_text(
        '[rule]\nrule_id = "r"\nname = "R"\ntype = "eql"\nquery = "any where true"\n'
        'severity = "bad"\nrisk_score = 1\n'
    )

    def command(line: str) -> tuple[int, str, str]:
        code = call(monkeypatch, line)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


# The command line, and what it says.
WRONG_VALUES = [
    # closed sets are named
    ("hunt events.ndjson --format nonsense", "'table', 'json', 'ndjson', 'csv', 'html'"),
    ("hunt events.ndjson --group-by user", "'host', 'rule'"),
    ("hunt events.ndjson -o report.doc", ".json, .ndjson, .jsonl, .csv, .html, .htm, .txt"),
    ("hunt events.ndjson --source nonsense", "tocsin sources list"),
    ("hunt events.ndjson --max-alerts 0", "is `0`, and must be at least 1"),
    ("query 'any where true' events.ndjson --format csv", "'table', 'json', 'ndjson'"),
    ("query 'any where true' events.ndjson --limit 0", "is `0`, and must be at least 1"),
    ("explain 'any where true' events.ndjson --format csv", "'table', 'json'"),
    ("sources convert events.ndjson --to csv", "'ndjson', 'parquet'"),
    ("sources convert events.ndjson -o events.csv", ".ndjson, .jsonl, .json, .parquet"),
    ("sources show sysmon --format html", "'table', 'markdown'"),
    ("sources show nonsense", "no source"),
    ("alerts list --status bogus --data data", "'open', 'acknowledged', 'closed'"),
    ("alerts close abc --reason nonsense --data data", "'false_positive', 'duplicate', 'true_positive'"),
    ("alerts list --size 0 --data data", "is `0`, and must be at least 1"),
    ("alerts list --size many --data data", "is `many`, and must be a whole number"),
    ("rules executions --size 0 --data data", "is `0`, and must be at least 1"),
    ("users add ann --role king --data data", "'viewer', 'analyst', 'engineer', 'admin'"),
    ("users change ann --role king --data data", "'viewer', 'analyst', 'engineer', 'admin'"),
    ("keys add three --scope all --data data", "'ingest', 'read', 'write_rules', 'respond', 'admin'"),
    ("keys add three --scope read --days 0 --data data", "is `0`, and must be at least 1"),
    ("serve --log-level loud --data data", "'debug', 'info', 'warning', 'error'"),
    ("serve --log-format xml --data data", "'auto', 'ecs', 'text'"),
    ("serve --port 99999 --data data", "is `99999`, and must be at most 65535"),
    ("rules show 'Remote File Download via MpCmdRun' --locale tlh", "en, zh-CN"),
    # moments
    ("hunt events.ndjson --from nonsense", "--from: `nonsense` is neither a date"),
    ("hunt events.ndjson --from 2026-11-02 --to 2026-11-01", "--from is not before --to"),
    ("query 'any where true' events.ndjson --from now-3parsecs", "is no date math"),
    ("rules run mpcmdrun --from nonsense --data data", "--from: `nonsense` is neither a date"),
    ("rules run mpcmdrun --to nonsense --data data", "--to: `nonsense` is neither a date"),
    ("rules run mpcmdrun --from now-10y --data data", "windows of the rule; a run has at most 100,000"),
    ("rules run mpcmdrun --from now-99999y --data data", "--from"),
    ("rules backfill mpcmdrun --from now --to now-1h --data data", "--from lies behind --to"),
    # what is not there
    ("hunt nosuch.ndjson", "nosuch.ndjson does not exist"),
    ("hunt 'nosuch*.ndjson'", "nosuch*.ndjson matches no file"),
    ("hunt empty", "holds no files"),
    ("hunt events.ndjson --rules nosuch", "nosuch does not exist"),
    ("hunt events.ndjson --rules empty", "holds no rule files"),
    ("hunt events.ndjson --rules rule.toml", "no rule can run"),
    ("hunt events.ndjson -o nosuch/report.html", "there is no folder nosuch"),
    ("hunt events.ndjson -o empty", "empty cannot be written"),
    ("query 'any where true' nosuch.ndjson", "nosuch.ndjson does not exist"),
    ("query 'any where' events.ndjson", "the query ends too early"),
    ("query 'process where nosuch == 1' events.ndjson", "nosuch"),
    ("explain nosuch events.ndjson", "no rule called `nosuch`"),
    ("explain mpcmdrun nosuch.ndjson", "nosuch.ndjson does not exist"),
    ("sources convert nosuch.ndjson", "nosuch.ndjson does not exist"),
    ("rules list --rules nosuch", "nosuch does not exist"),
    ("rules show nosuch", "no rule called `nosuch`"),
    ("rules import nosuch.toml --data data", "nosuch.toml does not exist"),
    ("rules import nosuch.ndjson --data data", "nosuch.ndjson does not exist"),
    ("rules import --data data", "no rules are named"),
    ("rules import rule.toml --data data", "`severity` is `bad`, and must be 'low', 'medium', 'high' or"),
    ("rules enable nosuch --data data", "keeps no rule called `nosuch`"),
    ("rules disable nosuch --data data", "keeps no rule called `nosuch`"),
    ("rules run nosuch --data data", "keeps no rule called `nosuch`"),
    ("rules run --data data", "no rule is named"),
    ("rules backfill nosuch --data data", "keeps no rule called `nosuch`"),
    ("rules executions nosuch --data data", "keeps no rule called `nosuch`"),
    ("alerts show abc --data data", "no alert has an id that begins with `abc`"),
    ("alerts close abc --data data", "no alert has an id that begins with `abc`"),
    ("alerts acknowledge abc --data data", "no alert has an id that begins with `abc`"),
    ("alerts open abc --data data", "no alert has an id that begins with `abc`"),
    ("alerts list --rule nosuch --data data", "no rule and no alert has `nosuch` in its name"),
    ("users password ann --data data", "no user called `ann`"),
    ("users change ann --role viewer --data data", "no user called `ann`"),
    ("keys revoke nosuch --data data", "no key has an id that begins with `nosuch`"),
    ("ingest nosuch.ndjson --data data", "nosuch.ndjson does not exist"),
    ("ingest nosuch.ndjson --follow --data data", "nosuch.ndjson does not exist"),
    ("ingest empty --follow --data data", "empty is a folder"),
    ("ingest a b --follow --data data", "--follow takes one file"),
    ("ingest events.ndjson --url nonsense", "nonsense"),
    ("ingest events.ndjson --url http://127.0.0.1:9", "cannot be reached"),
    (f"ingest {EXAMPLES}/WS-0142-sysmon.evtx --follow --data data", "is evtx, and --follow takes NDJSON"),
    ("store check --data nosuch", "nosuch is no folder"),
    ("store repair --data empty", "holds no event store"),
    ("query '' events.ndjson", "the query is empty"),
    ("hunt rule.toml", "rule.toml holds a rule, not events"),
    ("explain --rules rule.toml nosuch events.ndjson", "no rule called `nosuch`"),
    # configuration
    ("config show --config nosuch.toml", "no configuration file nosuch.toml"),
    ("config show --config port.toml", "port.toml: `port` is 99999, and must be at most 65535"),
    ("config show --config word.toml", "word.toml: `keep_days` is `many`, and must be a whole number"),
    ("config show --config typo.toml", "did you mean `port`?"),
    ("serve --config port.toml", "port.toml: `port` is 99999, and must be at most 65535"),
    ("alerts list --config port.toml", "port.toml: `port` is 99999, and must be at most 65535"),
    ("serve --tls-certificate nosuch.pem --data data", "come together"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "says"), WRONG_VALUES)
def test_a_wrong_value_is_refused_and_what_may_be_is_named(run: Run, line: str, says: str) -> None:
    code, out, err = run(line)
    assert says in " ".join((out + err).split())
    assert code == 2
    assert "Traceback" not in err
    assert "nput should be" not in out + err


ON_RECORDS = [
    "alerts list", "alerts show abc", "alerts close abc", "alerts acknowledge abc", "alerts open abc",
    "rules list --saved", "rules enable x", "rules disable x", "rules run x", "rules backfill x",
    "rules executions",
    "users list", "users password ann", "users change ann --disable", "keys list", "keys revoke abc",
]  # fmt: skip


@pytest.mark.parametrize("line", ON_RECORDS)
@pytest.mark.parametrize(
    ("data", "says"), [("nosuch", "there is no folder nosuch"), ("empty", "holds no records")]
)
def test_a_folder_without_records_is_refused_and_left_as_it_is(run: Run, line: str, data: str, says: str) -> None:
    code, _, err = run(f"{line} --data {data}")
    assert (code, says in err) == (2, True)
    assert "--data" in err
    assert not Path("nosuch").exists()
    assert not list(Path("empty").iterdir())


def test_keys_are_revoked_by_the_beginnings_of_their_ids_all_or_none(run: Run) -> None:
    _, out, _ = run("keys list --data data")
    ids = [line.split()[0] for line in out.splitlines() if " read " in line]
    assert run(f"keys revoke {ids[0][:8]} nosuch --data data")[0] == 2
    assert "revoked" not in run("keys list --data data")[1]
    code, out, _ = run(f"keys revoke {ids[0][:8]} --data data")
    assert (code, out.startswith(f"revoked: {ids[0]};")) == (0, True)
    assert "was revoked already" in run(f"keys revoke {ids[0]} --data data")[1]


@pytest.mark.parametrize(
    ("choice", "those_of_the_service"),
    [
        (choices.Status, STATUSES),
        (choices.ClosingReason, REASONS),
        (choices.Role, ROLES),
        (choices.KeyScope, Scope),
        (choices.MeasuredBy, MeasureGrouping),
        (choices.MeasuredClosings, Closings),
        (choices.MeasuresTable, TABLES),
        (choices.LogLevel, get_args(Config.model_fields["log_level"].annotation)),
        (choices.LogFormat, get_args(Config.model_fields["log_format"].annotation)),
    ],
)
def test_what_a_command_takes_is_what_the_service_takes(choice: type[str], those_of_the_service: object) -> None:
    assert list(choice) == list(those_of_the_service)  # type: ignore[call-overload]


def test_a_run_without_a_service_says_so_at_once(run: Run) -> None:
    code, out, err = run("rules run mpcmdrun --data data")
    assert code == 1
    assert "1 run waits: no service runs on data; start one with `tocsin serve --data data`" in err
    assert "0 windows" not in out


def test_a_message_ends_in_one_full_stop(run: Run) -> None:
    _, _, told = run("hunt events.ndjson --format nonsense")
    assert "'html'." in told
    assert "'html'.." not in told


def test_what_happens_to_rules_that_are_there_already_is_said(run: Run) -> None:
    """A rule that is replaced stays enabled, for a rule file does not say whether it is."""
    _, told, _ = run("rules import --bundled --enable --data data")
    assert "1 of them is disabled; `tocsin rules enable` or --overwrite --enable enables it" in told
    assert run("rules import --bundled --enable --overwrite --data data")[0] == 0
    assert run("rules import --bundled --overwrite --data data")[0] == 0
    assert "1 rule, 1 enabled" in run("rules list --data data")[1]
