"""9:00 in every zone on every date of 2024-2032, against PostgreSQL and against ICU.

Each of them has its own release of the time-zone data. A difference is explained where our code
gives the server's answer from the server's files, and for ICU by the releases in between.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from birthday_cli.domain import zones
from birthday_cli.domain.month_day import LeapRule, celebrated_on
from birthday_cli.domain.send_time import end_of_local_day, instant
from tests.servers.postgres import PostgresServer

NINE = time(9)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIRST = date(2024, 1, 1)
END = date(2033, 1, 1)
DATES = [FIRST + DAY * count for count in range((END - FIRST).days)]

# The releases that changed 9:00 of a date in 2024-2032, and the first such date: the releases'
# NEWS (https://www.iana.org/time-zones), and compiled data compared with those of the one before.
# Debian 12's own Node has 2022e.
CHANGES = [
    ("2022f", "2024-01-01", "America/Chihuahua America/Ojinaga Pacific/Fiji"),
    ("2022f", "2024-04-07", "America/Bahia_Banderas America/Mazatlan Mexico/BajaSur"),
    ("2022f", "2024-04-07", "America/Merida America/Mexico_City America/Monterrey Mexico/General"),
    ("2022g", "2024-01-01", "America/Godthab America/Nuuk"),
    ("2022g", "2024-03-10", "America/Ojinaga"),
    ("2023a", "2024-03-30", "Asia/Gaza Asia/Hebron"),
    ("2023a", "2024-03-31", "America/Godthab America/Nuuk"),
    ("2023a", "2024-04-26", "Africa/Cairo Egypt"),
    ("2023a", "2031-01-26", "Africa/Casablanca Africa/El_Aaiun"),
    ("2023d", "2024-01-01", "Antarctica/Casey Antarctica/Vostok"),
    ("2023d", "2024-03-31", "America/Scoresbysund"),
    ("2024a", "2024-03-01", "Asia/Almaty Asia/Qostanay"),
    ("2024a", "2024-04-13", "Asia/Gaza Asia/Hebron"),
    ("2025a", "2025-03-23", "America/Asuncion"),
    ("2026b", "2026-11-01", "America/Vancouver Canada/Pacific"),
    ("2026c", "2026-09-20", "Africa/Casablanca Africa/El_Aaiun"),
    ("2026c", "2026-11-01", "America/Edmonton America/Yellowknife Canada/Mountain"),
    ("2026d", "2026-11-01", "America/Inuvik"),
    ("2026e", "2026-11-01", "America/Rainy_River America/Winnipeg Canada/Central"),
    ("2026f", "2026-11-01", "America/Havana Cuba"),
]
ADDED = {"America/Ciudad_Juarez": "2022g", "America/Coyhaique": "2025b"}
# It says that no zone was chosen. ICU has `Etc/Unknown` for that; newer versions refuse both.
NO_PLACE = {"Factory"}

Tell = Callable[[str], None]
# The dates on which the offset at 9:00 changes, with the minutes that it is ahead of UTC from then.
Mornings = dict[str, list[tuple[str, int]]]


@cache
def our_mornings() -> Mornings:
    found: Mornings = {}
    nines = [datetime.combine(day, NINE, UTC) for day in DATES]
    for name in sorted(zones.names()):
        zone, before = zones.load(name), None
        found[name] = []
        for day, nine in zip(DATES, nines, strict=True):
            ahead = nine - instant(day, NINE, zone)
            if ahead != before:
                assert not ahead % MINUTE
                found[name].append((str(day), ahead // MINUTE))
                before = ahead
    return found


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.url(), options="-c TimeZone=UTC") as connection:
        yield connection


@pytest.fixture
def tell(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Tell:
    """Show which data were compared in the summary of the run."""
    test = request.node.name
    return lambda what: record_property(test, what)


class ServersZones:
    """The zones as the files of the server have them.

    AT TIME ZONE takes `CET` and its like for abbreviations, which know no summer.
    """

    def __init__(self, server: psycopg.Connection) -> None:
        row = server.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'").fetchone()
        assert row
        own = Path(row[0], "timezone")
        self._files = own if own.is_dir() else Path("/usr/share/zoneinfo")
        rows = server.execute("SELECT abbrev, utc_offset FROM pg_timezone_abbrevs").fetchall()
        self._abbreviations: dict[str, timedelta] = dict(rows)
        rows = server.execute("SELECT name FROM pg_timezone_names").fetchall()
        self.names = sorted(zones.names() & {name for (name,) in rows})
        self._unknown = sorted(zones.names() - {*self.names})
        assert not [name for name in self._unknown if (self._files / name).exists()]

    @cache  # noqa: B019 - it lives as long as one test
    def load(self, name: str) -> ZoneInfo:
        if name.upper() in self._abbreviations:
            # The signs of these names are those of POSIX, the other way round.
            name = f"Etc/GMT{self._abbreviations[name.upper()] // -HOUR:+}"
        with (self._files / name).open("rb") as data:
            return ZoneInfo.from_file(data)

    def tell(self, tell: Tell, differing: set[str]) -> None:
        source = self._files / "tzdata.zi"
        version = source.read_text().split()[2] if source.exists() else "without a version"
        tell(
            f"the server's {self._files.name} is {version}, ours is {zones.version()};"
            f" unknown: {self._unknown}; differing: {sorted(differing)}"
        )


def test_nine_o_clock_in_postgresql(server: psycopg.Connection, tell: Tell) -> None:
    theirs = ServersZones(server)
    rows = [
        (name, ahead, start, until)
        for name in theirs.names
        for (start, ahead), (until, _) in pairwise([*our_mornings()[name], (str(END), 0)])
    ]
    differing = server.execute(
        "SELECT name, day::date, (day + time '9:00') AT TIME ZONE name"
        " FROM unnest(%s::text[], %s::int[], %s::timestamp[], %s::timestamp[])"
        " AS mornings (name, ahead, start, until),"
        " generate_series(start, until - interval '1 day', '1 day') AS day"
        " WHERE (day + time '9:00') AT TIME ZONE name"
        " <> (day + time '9:00' - make_interval(mins => ahead)) AT TIME ZONE 'UTC'",
        [list(column) for column in zip(*rows, strict=True)],
    ).fetchall()
    for name, day, answer in differing:
        assert answer == instant(day, NINE, theirs.load(name)), (name, day)
    theirs.tell(tell, {name for name, *_ in differing})


def test_the_ends_of_days_before_another_offset_in_postgresql(
    server: psycopg.Connection, tell: Tell
) -> None:
    """Between mornings with one offset midnight has it too."""
    theirs = ServersZones(server)
    rows = []
    for name in theirs.names:
        zone = zones.load(name)
        for start, _ in our_mornings()[name][1:]:
            day = date.fromisoformat(start)
            rows.append((name, day, end_of_local_day(instant(day - DAY, NINE, zone), zone)))
    differing = server.execute(
        "SELECT name, day, answer"
        " FROM unnest(%s::text[], %s::date[], %s::timestamptz[]) AS ends (name, day, ours),"
        # Where a change repeats midnight, PostgreSQL takes the second; the second before is single.
        " least(day::timestamp AT TIME ZONE name,"
        " (day - interval '1 second') AT TIME ZONE name + interval '1 second') AS answer"
        " WHERE answer <> ours",
        [list(column) for column in zip(*rows, strict=True)],
    ).fetchall()
    for name, day, answer in differing:
        zone = theirs.load(name)
        assert answer == end_of_local_day(instant(day - DAY, NINE, zone), zone), (name, day)
    theirs.tell(tell, {name for name, *_ in differing})


@pytest.mark.needs_node
def test_nine_o_clock_in_icu(tell: Tell) -> None:
    done = subprocess.run(
        ["node", Path(__file__).with_name("every_morning.mjs")],
        input="\n".join(sorted(zones.names())),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    release = told["versions"]["tz"]

    unknown = {name for name, mornings in told["mornings"].items() if mornings is None}
    assert unknown - NO_PLACE == {name for name, added in ADDED.items() if release < added}

    differing = {}
    for name in sorted(zones.names() - unknown):
        theirs = {(day, ahead) for day, ahead in told["mornings"][name]}
        if changes := theirs ^ set(our_mornings()[name]):
            differing[name] = min(changes)[0]
    assert differing == _changed(*sorted([release, zones.version()]))
    tell(
        f"{told['versions']}, ours is {zones.version()};"
        f" unknown: {sorted(unknown)}; differing: {differing}"
    )


def _changed(older: str, newer: str) -> dict[str, str]:
    """Return the zones in which two releases differ, with the first date on which they do."""
    found: dict[str, str] = {}
    for release, day, names in CHANGES:
        if older < release <= newer:
            for name in names.split():
                found[name] = min(day, found.get(name, day))
    return found


def test_what_is_celebrated_on_every_date(server: psycopg.Connection) -> None:
    """PostgreSQL cuts 29 February plus a year to the 28th; 1 February plus 28 days is 1 March."""
    rows = server.execute(
        "SELECT to_char(leap, 'MM-DD'), (leap + make_interval(years => year - 2024))::date,"
        " make_date(year, extract(month FROM leap)::int, 1) + extract(day FROM leap)::int - 1"
        " FROM generate_series(timestamp '2024-01-01', '2024-12-31', '1 day') AS leap,"
        " generate_series(2024, 2032) AS year"
    ).fetchall()
    assert len(rows) == 366 * 9
    expected = {
        LeapRule.FEB_28: [(day, month_day) for month_day, day, _ in rows],
        LeapRule.MAR_1: [(day, month_day) for month_day, _, day in rows],
        LeapRule.SKIP: [(day, text) for text, _, day in rows if f"{day:%m-%d}" == text],
    }
    for rule in LeapRule:
        ours = [(day, month_day) for day in DATES for month_day in celebrated_on(day, rule)]
        assert sorted(ours) == sorted(expected[rule]), rule
