"""Invented people for `seed` and `demo`: the same ones for the same random seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid5

from birthday_cli.domain import send_time, zones
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.user import User

_NAMESPACE = UUID("8f3b7c1e-52a4-4f0e-9d5e-6a1f6f4b7d10")
_LEAP_YEAR_START = date(2000, 1, 1)

# One or two for nearly every offset there is, halves and quarters of hours among them.
PLACES = (
    ("Pacific/Kiritimati", "Kiritimati", "Kiribati"),
    ("Pacific/Auckland", "Auckland", "New Zealand"),
    ("Pacific/Chatham", "Waitangi", "New Zealand"),
    ("Australia/Sydney", "Sydney", "Australia"),
    ("Australia/Adelaide", "Adelaide", "Australia"),
    ("Asia/Tokyo", "Tokyo", "Japan"),
    ("Asia/Shanghai", "Shanghai", "China"),
    ("Asia/Jakarta", "Jakarta", "Indonesia"),
    ("Asia/Kathmandu", "Kathmandu", "Nepal"),
    ("Asia/Kolkata", "Mumbai", "India"),
    ("Asia/Tashkent", "Tashkent", "Uzbekistan"),
    ("Asia/Tehran", "Tehran", "Iran"),
    ("Africa/Nairobi", "Nairobi", "Kenya"),
    ("Europe/Berlin", "Berlin", "Germany"),
    ("Europe/London", "London", "United Kingdom"),
    ("Africa/Lagos", "Lagos", "Nigeria"),
    ("Atlantic/Azores", "Ponta Delgada", "Portugal"),
    ("America/Sao_Paulo", "São Paulo", "Brazil"),
    ("America/St_Johns", "St. John's", "Canada"),
    ("America/Halifax", "Halifax", "Canada"),
    ("America/New_York", "New York", "United States"),
    ("America/Mexico_City", "Mexico City", "Mexico"),
    ("America/Denver", "Denver", "United States"),
    ("America/Los_Angeles", "Los Angeles", "United States"),
    ("America/Anchorage", "Anchorage", "United States"),
    ("Pacific/Marquesas", "Taiohae", "French Polynesia"),
    ("Pacific/Honolulu", "Honolulu", "United States"),
    ("Pacific/Pago_Pago", "Pago Pago", "American Samoa"),
)

# fmt: off
_FIRST_NAMES = (
    "Aisha", "Amelia", "Andrés", "Anna", "Ben", "Chloé", "Daniel", "Dilnoza", "Emeka", "Fatima",
    "Grace", "Hana", "Hiroshi", "Ingrid", "Ioane", "João", "Kai", "Kaveh", "Lani", "Leila",
    "Liam", "Lin", "Lucía", "Mele", "Mia", "Nia", "Noah", "Olga", "Omar", "Priya", "Rahul",
    "Sana", "Sione", "Sofia", "Tane", "Tomás", "Wanjiru", "Wei", "Yusuf", "Zoë",
)
_LAST_NAMES = (
    "Abubakar", "Andersson", "Brown", "Chen", "D'Souza", "Diallo", "Fernández", "García",
    "Gurung", "Hoang", "Ivanova", "Jensen", "Kahananui", "Karimova", "Kim", "Kowalski", "Mbeki",
    "Moreau", "Müller", "Nakamura", "Njoroge", "O'Brien", "Okafor", "Parata", "Patel", "Rahimi",
    "Rossi", "Santos", "Sharma", "Silva", "Smith", "Tamahori", "Taufa", "Wang", "Wijaya",
    "Öztürk",
)
# fmt: on
_EDGE_DATES = ("02-29", "02-28", "03-01", "12-31", "01-01")
_EDGE_NAMES = ("Zoë {first_name}", "O'Brien; --", '"Quote"', "🎂 Party", "שלום", "%s\\n")


def people(
    count: int,
    random_seed: int,
    profile: Profile,
    celebrating: Mapping[str, str] | None = None,
    label: str = "",
) -> list[tuple[UUID, User]]:
    """Return that many invented users with their ids, the same ones for the same arguments.

    Every second one, and everyone of a `burst`, lives in a zone of `celebrating` and has the
    month-day that it gives for that zone. `label` keeps those of different days apart.
    """
    rng = random.Random(random_seed)
    origin = f"{profile}{random_seed}{label}"
    chosen = sorted((celebrating or {}).items())
    every = 1 if profile is Profile.BURST else 2
    found = []
    for index in range(count):
        user = _person(rng, profile, f"user{index + 1}.{origin}@example.com")
        if chosen and index % every == 0:
            zone, birthday = chosen[index // every % len(chosen)]
            user = _living_in(user, zone)._replace(birthday_date=birthday)
        found.append((uuid5(_NAMESPACE, f"{origin}/{index}"), user))
    return found


def just_past_nine(now: datetime) -> dict[str, str]:
    """Return the zones in which it was 9:00 within the hour before now, with their month-day."""
    hour = timedelta(hours=1)
    found = {}
    for name in zones.names():
        zone = zones.load(name)
        today = send_time.local_day(now, zone)
        if "/" in name and timedelta() <= now - send_time.instant(today, time(9), zone) < hour:
            found[name] = f"{today:%m-%d}"
    return found


def _person(rng: random.Random, profile: Profile, email: str) -> User:
    zone, city, country = rng.choice(PLACES)
    user = User(
        first_name=rng.choice(_FIRST_NAMES),
        last_name=rng.choice(_LAST_NAMES),
        email=email,
        timezone=zone,
        birthday_date=_some_day(rng),
        anniversary_date=_some_day(rng) if rng.random() < 0.4 else None,
        location_city=city,
        location_country=country,
    )
    if profile is not Profile.EDGES:
        return user
    return _living_in(user, rng.choice(sorted(zones.names())))._replace(
        first_name=rng.choice(_EDGE_NAMES), birthday_date=rng.choice(_EDGE_DATES)
    )


def _living_in(user: User, zone: str) -> User:
    for name, city, country in PLACES:
        if name == zone:
            return user._replace(timezone=zone, location_city=city, location_country=country)
    city = zone.rpartition("/")[2].replace("_", " ")
    return user._replace(timezone=zone, location_city=city, location_country=None)


def _some_day(rng: random.Random) -> str:
    return f"{_LEAP_YEAR_START + timedelta(days=rng.randrange(366)):%m-%d}"
