"""deploy/ and its runbook: what the alerts say, what the dashboard shows, what a person does."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from birthday_cli import config
from birthday_cli.config import Settings
from birthday_cli.pipeline import units
from birthday_cli.pipeline.looking.metrics import measure
from birthday_cli.pipeline.schedule import schedule
from birthday_cli.telemetry.metrics import WorkerMetrics
from tests import documents
from tests.facts import NOW
from tests.servers.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "alerts.yml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
SYSTEMS = [
    line
    for block in documents.blocks("docs/runbook.md")
    if block.kind == "console"
    for line in documents.typed(block)
]


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def expressions() -> list[str]:
    alerts = re.sub(r"^ *runbook_url:.*$|^ *#.*$", "", ALERTS.read_text(), flags=re.MULTILINE)
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [alerts, *shown]


def promtool(*arguments: str | Path) -> str:
    ended = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, cwd=ROOT / "deploy"
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def names_of_alerts() -> list[str]:
    return re.findall(r"^ *- alert: (\w+)$", ALERTS.read_text(), re.MULTILINE)


def test_promtool_takes_the_rules() -> None:
    assert f"{len(names_of_alerts())} rules found" in promtool("check", "rules", ALERTS)


def test_alerts_fire_when_they_must_and_not_otherwise() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_each_alert_is_tried_both_ways() -> None:
    tried = (ROOT / "deploy" / "alerts_test.yml").read_text()
    for name in names_of_alerts():
        assert f"- name: '{name}, fires'" in tried
        assert f"- name: '{name}, does not'" in tried


def test_every_metric_that_is_asked_for_is_one_that_the_program_exposes(
    settings: Settings, rabbitmq: RabbitNode
) -> None:
    schedule(settings, NOW)
    texts = (
        generate_latest(WorkerMetrics().registry),
        measure(replace(settings, broker_url=rabbitmq.url), NOW).text(),
    )
    exposed: dict[str, set[tuple[str, str]]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                exposed.setdefault(sample.name, set()).update(sample.labels.items())
    for expression in expressions():
        for name, _, matchers in re.findall(
            r"\b(bdaysched_\w+)\b({([^}]*)})?", expression.replace("{{", "")
        ):
            assert name in exposed, name
            for label, value in re.findall(r'(\w+)="([^"]*)"', matchers):
                assert (label, value) in exposed[name], (name, label, value)


def test_every_metric_of_the_database_is_on_the_dashboard(settings: Settings) -> None:
    schedule(settings, NOW)
    shown = " ".join(expressions())
    for family in measure(settings, NOW).collect():
        assert family.name in shown, family.name


def test_the_dashboard_can_be_imported() -> None:
    """As Grafana reads it: panels with numbers of their own that do not lie on each other."""
    assert {"title", "uid", "panels", "templating", "schemaVersion"} <= DASHBOARD.keys()
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels())


def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    rules = [
        f"  - record: shown:number{number}\n    expr: {json.dumps(expression)}\n"
        for number, expression in enumerate(expressions()[1:])
    ]
    path = tmp_path / "rules.yml"
    path.write_text("groups:\n- name: shown\n  rules:\n" + "".join(rules))
    promtool("check", "rules", path)


def test_each_alert_has_its_entry_and_each_entry_its_alert() -> None:
    entries = re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(entries) == sorted(names_of_alerts())
    urls = re.findall(r"runbook_url: (\S+)$", ALERTS.read_text(), re.MULTILINE)
    assert urls == [f"docs/runbook.md#{name.lower()}" for name in names_of_alerts()]
    for anchor in re.findall(r"\]\(#(\w+)\)", RUNBOOK):
        assert anchor in map(str.lower, entries)


def test_each_entry_has_a_command() -> None:
    for entry in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]:
        assert "```sh\n" in entry, entry.partition("\n")[0]


def test_the_runbook_names_units_that_there_are() -> None:
    installation = units.Installation(
        "me", Path("/e/.env"), 1, 12, 24, Path("/m.prom"), "/bin/true"
    )
    there = set(units.systemd(installation, config.Settings()))
    for line in SYSTEMS:
        assert line.split()[0] in ("systemctl", "journalctl"), line
        for name in re.findall(r"bdaysched-[\w@.-]+", line):
            unit = re.sub(r"@\d+", "@", name)
            assert {unit, f"{unit}.service"} & there, line
