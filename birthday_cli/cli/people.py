"""Commands over the users: seed, and users add, import, export, list, delete, erase."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.importing import import_users
from birthday_cli.cli.options import AsJson, DryRun, Yes
from birthday_cli.domain.profile import Profile
from birthday_cli.errors import UsageError

users = typer.Typer(
    help="The users: add, import, export, list, delete and erase them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.TRYING)(seed)
    users.command("add")(add_user)
    users.command("import")(import_users)
    users.command("export")(export_users)
    users.command("list")(list_users)
    users.command("delete")(delete_user)
    users.command("erase")(erase_user)
    app.add_typer(users, name="users", rich_help_panel=panels.EVERY_DAY)


def seed(
    count: Annotated[int, typer.Option("--users", min=1, max=1_000_000, help="How many.")] = 100,
    profile: Annotated[
        Profile, typer.Option(help="All sorts, hard cases, or one morning.")
    ] = Profile.MIXED,
    random_seed: Annotated[int, typer.Option(help="The same users for the same number.")] = 42,
    due: Annotated[bool, typer.Option("--due", help="Half of them are due by now.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add sample users with messages of the past three months and the coming three.

    Example: bdaysched seed --users 1000 --due
    """
    from birthday_cli.domain.sample import just_past_nine
    from birthday_cli.pipeline.users.seed import seed

    settings = options.settings()
    now = options.clock(settings).now()
    celebrating = just_past_nine(now) if due or profile is Profile.BURST else None
    done = seed(settings, now, count, random_seed, profile, celebrating, dry_run)
    if as_json:
        output.print_json(done)
        return
    output.tell(
        f"{'would add' if dry_run else 'added'} {done.users} users, {done.past_messages} past"
        f" messages and {done.coming_messages} coming ones"
    )
    output.tell("next: `bdaysched schedule`, then `bdaysched run-worker`")


def add_user(
    email: Annotated[str, typer.Option(help="Tells users apart.")],
    first_name: Annotated[str, typer.Option()],
    last_name: Annotated[str, typer.Option()],
    timezone: Annotated[str, typer.Option(help="An IANA name, such as Asia/Tokyo.")],
    birthday: Annotated[str, typer.Option(help="MM-DD.")] = "",
    anniversary: Annotated[str, typer.Option(help="MM-DD.")] = "",
    city: Annotated[str, typer.Option()] = "",
    country: Annotated[str, typer.Option()] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add one user.

    Example: bdaysched users add --email ada@example.com --first-name Ada --last-name Lovelace
    --timezone Europe/London --birthday 12-10
    """
    from birthday_cli.pipeline.users import people

    fields = {
        "first_name": first_name,
        "last_name": last_name,
        "email": email,
        "timezone": timezone,
        "birthday_date": birthday,
        "anniversary_date": anniversary,
        "location_city": city,
        "location_country": country,
    }
    user_id = people.add(options.settings(), fields, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "id": user_id})
    else:
        output.tell(f"{'would add' if dry_run else 'added'} {email}")


def export_users(
    file: Annotated[Path, typer.Argument(help="A new CSV file; standard output without it.")] = (
        Path("-")
    ),
) -> None:
    """Write all users as CSV, which users import reads again.

    Example: bdaysched users export people.csv
    """
    from birthday_cli.pipeline.users import people

    if str(file) == "-":
        people.export(options.settings(), sys.stdout.buffer)
        return
    try:
        target = file.open("xb")
    except FileExistsError as problem:
        raise UsageError(f"{file} is there already: name a new file") from problem
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem.strerror}") from problem
    with target:
        people.export(options.settings(), target)


def list_users(
    text: Annotated[str, typer.Argument(help="A part of a name or e-mail.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The most to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show users, all or those with a text in their name or e-mail.

    Example: bdaysched users list lovelace
    """
    from birthday_cli.pipeline.users import people

    found = people.search(options.settings(), text, limit)
    if as_json:
        output.print_json(found)
        return
    output.print_table(("email", "name", "timezone", "birthday", "anniversary"), found)
    if len(found) == limit:
        output.tell(f"the first {limit}; --limit shows more")


def delete_user(
    who: Annotated[str, typer.Argument(metavar="USER", help="The e-mail or the id.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete a user; the record stays, and nothing that is not under way is sent any more.

    Example: bdaysched users delete ada@example.com
    """
    from birthday_cli.pipeline.users import people

    settings = options.settings()
    found = people.find(settings, who)
    if not dry_run:
        options.confirm(f"Delete {found.first_name} {found.last_name} <{found.email}>?", yes)
        people.delete(settings, found.id)
    if as_json:
        output.print_json({"dry_run": dry_run, "deleted": found})
    else:
        output.tell(f"{'would delete' if dry_run else 'deleted'} {found.email}")


def erase_user(
    who: Annotated[str, typer.Argument(metavar="USER", help="The e-mail or the id.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove all that is kept about a user, also a deleted one, for good; say what that was.

    The messages of every month go, too, and a month that is restored later cannot bring them back.
    Backups are not reached, nor what the delivery service has received.

    Example: bdaysched users erase ada@example.com --dry-run
    """
    from birthday_cli.pipeline.users import erase

    settings = options.settings()
    found = erase.find(settings, who)
    if not dry_run:
        question = f"Erase {found.first_name} {found.last_name} <{found.email}> for good?"
        options.confirm(question, yes)
    rows = erase.erase(settings, found.id, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "erased": found, "rows": rows})
        return
    output.print_table(("table", "rows"), rows.items())
    output.tell(f"{'would erase' if dry_run else 'erased'} {found.email}")
