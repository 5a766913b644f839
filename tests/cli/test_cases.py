"""`tocsin cases`: what each command does to records, and that a forged log is an error."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests.response.conftest import add_alerts
from tests.scheduler.virtual import CIPHER
from tocsin.cli.main import app
from tocsin.errors import NotFoundError
from tocsin.store.records.database import Records


@pytest.fixture
def records(tmp_path):
    opened = Records(f"sqlite:///{tmp_path}/records.db", CIPHER)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def run(tmp_path, records):
    def run(*arguments, code=0):
        result = CliRunner().invoke(app, ["cases", *arguments, "--data", str(tmp_path)])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_a_case_from_its_beginning_to_its_report(run, records, tmp_path):
    with records.transaction() as session:
        add_alerts(session, 3)
    assert "#1 " in run("new", "Download", "--alert", "a0", "--alert", "nowhere", "--tag", "lolbas")
    assert "added: 2" in run("add", "1", "a1", "a2")
    assert "added" in run("comment", "#1", "Looks real.")
    assert "#1  medium  open  Download" in run("list")
    assert "#1 closed" in run("status", "1", "closed", "--reason", "true_positive")
    assert "no cases" in run("list")
    assert "Looks real" in run("report", "1")
    run("report", "1", "--format", "html", "--output", str(tmp_path / "case.html"))
    assert "Download" in (tmp_path / "case.html").read_text("utf-8")
    assert "the logs of 1 cases hold" in run("verify")


def test_a_forged_log_is_reported(run, records):
    run("new", "Download")
    with records.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER case_activity_update"))
        connection.execute(text("UPDATE case_activity SET actor = 'eve'"))
    assert "entry 1: it was changed" in run("verify", "1", code=1)


@pytest.mark.parametrize(
    "arguments", [("verify", "7"), ("report", "7"), ("comment", "7", "x"), ("status", "7", "open")]
)
def test_what_is_not_there_is_an_error(records, tmp_path, arguments):
    with pytest.raises(NotFoundError, match="no case 7"):
        CliRunner().invoke(app, ["cases", *arguments, "--data", str(tmp_path)], catch_exceptions=False)
