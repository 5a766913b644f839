"""Rules and alerts of the service from the command line, as one types it."""

from __future__ import annotations

import json
import re

from tests.cli.test_serve import EXAMPLES
from tests.serving import Serve, key, tocsin
from tests.waiting import eventually

RULE = {
    "rule_id": "any", "name": "Any process", "description": "d", "type": "eql", "language": "eql",
    "severity": "low",
    "risk_score": 21, "query": "process where true", "index": ["logs-*"], "timestamp_override": "event.ingested",
}  # fmt: skip


def run(data, *arguments, code=0):
    done = tocsin(*arguments, data=data)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + (done.stderr if code else "")


def set_clock(folder, seconds):
    """Say by how many seconds the clock of services of `tests.torture.process` is off."""
    (folder / "offset").write_text(str(seconds))


def test_from_the_rule_to_the_closed_alert(tmp_path):
    with Serve(tmp_path) as service:
        assert "1 rule taken in" in run(tmp_path, "rules", "import", "--bundled", "--enable")
        api_key = key(tmp_path, "ingest", "read")
        run(tmp_path, "ingest", EXAMPLES, "--url", service.url, "--api-key", api_key)
        told = run(tmp_path, "rules", "run", "mpcmdrun")
        assert "1 window run, 3 matches, 3 new alerts" in told
        again = run(tmp_path, "rules", "run", "mpcmdrun")
        assert "3 matches, 0 new alerts (3 of the matches were alerts already)" in again
        assert "the newest 2, and there are more" in run(tmp_path, "alerts", "list", "--limit", "2")
        listed = run(tmp_path, "alerts", "list")
        late = run(tmp_path, "rules", "run", "mpcmdrun", "--from", "2026-10-01", "--to", "2026-10-10")
        assert "0 matches" in late
        assert "329 events of that span arrived outside it" in late
        assert "windows go by arrival" in late
        assert "tocsin rules run 'Remote File Download via MpCmdRun' --from 20" in late
        told = run(tmp_path, "rules", "run", "mpcmdrun", "--from", "now-1h")
        # A tick may have come meanwhile, whose window holds them.
        assert "329 events lie behind the last window" in told or "3 matches, 0 new alerts" in told
        kept = run(tmp_path, "rules", "list", "--saved")
        assert re.search(r"MpCmdRun +enabled +medium +every \S+ from \S+ +20\S+ \S+ +succeeded +3 ", kept)
        assert "1 rule, 1 enabled" in kept
        ids = re.findall(r"^ ?([0-9a-f]{12}) ", listed, re.MULTILINE)
        assert len(ids) == 3
        assert "closed: 1" in run(tmp_path, "alerts", "close", ids[0], "--reason", "false_positive")
        assert "closed: 0, 1 was so already" in run(tmp_path, "alerts", "close", ids[0])
        assert "acknowledged: 1" in run(tmp_path, "alerts", "acknowledge", ids[1])
        assert ids[0] not in run(tmp_path, "alerts", "list", "--status", "open")
        shown = run(tmp_path, "alerts", "show", ids[0])
        assert "false_positive" in shown
        assert "status open → closed" in shown
        document = json.loads(run(tmp_path, "alerts", "show", ids[0], "--json"))
        assert document["kibana.alert.workflow_status"] == "closed"
        assert "open: 1" in run(tmp_path, "alerts", "open", ids[0])
        counted = run(tmp_path, "alerts", "guide", ids[0], "--url", service.url, "--api-key", api_key)
        without = run(tmp_path, "alerts", "guide", ids[0])
        executions = run(tmp_path, "rules", "executions", "mpcmdrun")
        assert re.search(r"Remote File Download via MpCmdRun.*329 +3 +3", executions)
    assert "no index fits" in executions
    alone = run(tmp_path, "alerts", "guide", ids[0])  # no service: it reads the events itself
    page = tmp_path / "report.html"
    run(tmp_path, "alerts", "report", ids[0], "-o", str(page))
    assert '<ul class="processes">' in page.read_text("utf-8")
    run(tmp_path, "alerts", "report", "-o", str(page))
    assert all(f"alert {id_}" in re.sub("<[^>]*>", "", page.read_text("utf-8")) for id_ in ids)
    for guide in (counted, without, alone):
        assert re.search(r"Alerts for this host in the last 48 hours: [1-3] alerts?", guide)
        assert "Osquery: DNS cache (checked) SELECT * FROM dns_cache" in " ".join(guide.split())
        assert "[ ] 1 Look at the chain" in guide
    assert re.search(r"Network events of this process: (\d+ events?|nothing to find)", counted)
    assert counted == alone
    assert "there is no alert nowhere" in run(tmp_path, "alerts", "guide", "nowhere", code=2)


def test_rules_are_taken_from_exports_and_folders(tmp_path):
    file = tmp_path / "rules.ndjson"
    file.write_text(json.dumps(RULE) + "\n" + json.dumps({**RULE, "rule_id": "b", "interval": "x"}) + "\n")
    told = run(tmp_path, "rules", "import", file, code=2)
    assert "1 rule taken in, 1 not" in told
    assert "not taken: b: interval" in told
    assert "--overwrite" in run(tmp_path, "rules", "import", file, code=2)
    assert "enabled: Any process" in run(tmp_path, "rules", "enable", "any")
    assert "disabled: Any process" in run(tmp_path, "rules", "disable", "--all")


def test_what_was_missed_while_the_service_was_down_is_run_and_shown(tmp_path):
    file = tmp_path / "rules.ndjson"
    file.write_text(json.dumps({**RULE, "interval": "1s", "from": "now-3s", "index": ["logs-gap-*"]}))
    data, program = tmp_path / "data", ("tests.torture.process", tmp_path)

    def executions():
        return run(data, "rules", "executions", "any")

    set_clock(tmp_path, 0)
    with Serve(data, program=program):
        run(data, "rules", "import", file, "--enable")
        eventually(lambda: "no index fits" in executions())
    set_clock(tmp_path, 10)
    with Serve(data, program=program):
        eventually(lambda: "service down" in executions())
        eventually(lambda: "by tocsin" in executions())
    assert "no gaps" in run(data, "rules", "backfill", "any")
