from __future__ import annotations

import platform
import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from birthday_cli import __version__
from birthday_cli.domain.retry import OutcomeClass
from birthday_cli.telemetry.health import State
from birthday_cli.telemetry.metrics import WorkerMetrics


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics()


def read(metrics: WorkerMetrics) -> dict[str, float]:
    """Return every sample that a scrape finds, by its name and labels as they are written."""
    text = generate_latest(metrics.registry).decode()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_series_is_there_from_the_start(metrics: WorkerMetrics) -> None:
    found = read(metrics)
    for outcome in OutcomeClass:
        assert found[f'bdaysched_attempts_total{{outcome="{outcome}"}}'] == 0
    for result in "sent retrying failed held skipped unknown taken_away handed_back".split():
        assert found[f'bdaysched_references_settled_total{{result="{result}"}}'] == 0
    for server in ("broker", "database"):
        assert found[f'bdaysched_reconnects_total{{server="{server}"}}'] == 0
    assert found["bdaysched_leases_renewed_total"] == 0
    assert found["bdaysched_lateness_seconds_count"] == 0
    assert found["bdaysched_processing_seconds_count"] == 0
    assert found['bdaysched_paused{reason="operator"}'] == 0
    assert found['bdaysched_paused{reason="receiver_down"}'] == 0
    assert found["bdaysched_broker_connected"] == 0
    assert found["bdaysched_database_up"] == 0
    assert found["process_resident_memory_bytes"] > 0
    build = f'bdaysched_build_info{{python="{platform.python_version()}",version="{__version__}"}}'
    assert found[build] == 1


def test_counters_count(metrics: WorkerMetrics) -> None:
    metrics.attempted(OutcomeClass.AMBIGUOUS)
    metrics.attempted(OutcomeClass.DELIVERED, 7)
    metrics.settled("sent", 7)
    metrics.settled("held")
    metrics.reconnected("database")
    metrics.renewed(3)
    found = read(metrics)
    assert found['bdaysched_attempts_total{outcome="ambiguous"}'] == 1
    assert found['bdaysched_attempts_total{outcome="delivered"}'] == 7
    assert found['bdaysched_references_settled_total{result="sent"}'] == 7
    assert found['bdaysched_references_settled_total{result="held"}'] == 1
    assert found['bdaysched_references_settled_total{result="failed"}'] == 0
    assert found['bdaysched_reconnects_total{server="database"}'] == 1
    assert found["bdaysched_leases_renewed_total"] == 3


def test_what_nobody_declared_is_not_counted(metrics: WorkerMetrics) -> None:
    with pytest.raises(KeyError):
        metrics.settled("lost")  # type: ignore[arg-type]


def test_lateness_has_buckets_from_milliseconds_to_a_day(metrics: WorkerMetrics) -> None:
    metrics.observe_lateness([0.004, 0.005, 0.2, 59])
    metrics.observe_lateness(iter([86_400, 90_000]))
    found = read(metrics)
    assert found['bdaysched_lateness_seconds_bucket{le="0.005"}'] == 2
    assert found['bdaysched_lateness_seconds_bucket{le="0.25"}'] == 3
    assert found['bdaysched_lateness_seconds_bucket{le="60.0"}'] == 4
    assert found['bdaysched_lateness_seconds_bucket{le="43200.0"}'] == 4
    assert found['bdaysched_lateness_seconds_bucket{le="86400.0"}'] == 5
    assert found['bdaysched_lateness_seconds_bucket{le="+Inf"}'] == 6
    assert found["bdaysched_lateness_seconds_count"] == 6
    assert found["bdaysched_lateness_seconds_sum"] == pytest.approx(176_459.209)


def test_processing_has_buckets_up_to_a_lease(metrics: WorkerMetrics) -> None:
    metrics.observe_processing([0.03, 299])
    found = read(metrics)
    assert found['bdaysched_processing_seconds_bucket{le="0.05"}'] == 1
    assert found['bdaysched_processing_seconds_bucket{le="300.0"}'] == 2


def test_gauges_are_asked_for_when_they_are_read(metrics: WorkerMetrics) -> None:
    states = iter(
        [
            State(in_flight=64, broker_connected=True, database_ok=True, rate_limit="fleet"),
            State(in_flight=1, paused_by_operator=True, rate_limit="process"),
            State(receiver_down=True),
        ]
    )
    metrics.watch(lambda: next(states))
    busy, idle, probing = read(metrics), read(metrics), read(metrics)
    assert (busy["bdaysched_requests_in_flight"], idle["bdaysched_requests_in_flight"]) == (64, 1)
    assert (busy["bdaysched_broker_connected"], idle["bdaysched_broker_connected"]) == (1, 0)
    assert (busy["bdaysched_database_up"], idle["bdaysched_database_up"]) == (1, 0)
    operator, down = (
        f'bdaysched_paused{{reason="{reason}"}}' for reason in ("operator", "receiver_down")
    )
    assert [(found[operator], found[down]) for found in (busy, idle, probing)] == [
        (0, 0),
        (1, 0),
        (0, 1),
    ]
    scopes = [f'bdaysched_rate_limit{{scope="{scope}"}}' for scope in ("none", "process", "fleet")]
    assert [busy[scope] for scope in scopes] == [0, 0, 1]
    assert [idle[scope] for scope in scopes] == [0, 1, 0]


def test_names_keep_to_the_conventions_and_everything_is_explained(
    metrics: WorkerMetrics,
) -> None:
    text = generate_latest(metrics.registry).decode()
    for family in text_string_to_metric_families(text):
        assert re.fullmatch(r"(bdaysched|process)_[a-z_]+", family.name)
        assert family.documentation.endswith(".") or family.name == "bdaysched_build_info"
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_milliseconds"))
        is_counter = any(sample.name.endswith("_total") for sample in family.samples)
        assert is_counter == (family.type == "counter")
        for sample in family.samples:
            assert "id" not in sample.labels, "one series for each of something"


def test_two_workers_in_one_process_share_nothing() -> None:
    first, second = WorkerMetrics(), WorkerMetrics()
    first.renewed(1)
    assert read(second)["bdaysched_leases_renewed_total"] == 0


def test_one_family_can_be_asked_for(metrics: WorkerMetrics) -> None:
    # Scraping with ?name[]=… finds only what the registry knows by name.
    only = metrics.registry.restricted_registry(["bdaysched_leases_renewed_total"])
    assert "bdaysched_leases_renewed_total 0.0" in generate_latest(only).decode()
