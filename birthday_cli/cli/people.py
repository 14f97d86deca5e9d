"""Commands over the users: seed, and users add, import, export, list, delete."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson, DryRun, Yes
from birthday_cli.domain.profile import Profile
from birthday_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.people import Rejected

_SHOWN = 20
users = typer.Typer(
    help="The users: add, import, export, list and delete them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(seed)
    users.command("add")(add_user)
    users.command("import")(import_users)
    users.command("export")(export_users)
    users.command("list")(list_users)
    users.command("delete")(delete_user)
    app.add_typer(users, name="users")


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
    from birthday_cli.pipeline.seed import seed

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


def import_users(
    file: Annotated[Path, typer.Argument(help="A CSV file, or - for standard input.")],
    reject_file: Annotated[
        Path | None, typer.Option(help="Write the rejected lines here, with the reason.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add users from CSV, or bring them up to date; e-mails tell who is who.

    The header names, in any order: first_name, last_name, email, timezone, birthday_date,
    anniversary_date, location_city, location_country. Dates are MM-DD, YYYY-MM-DD or --MM-DD. A
    line that is wrong is reported and left out; the exit code is then 1.

    Example: bdaysched users import people.csv --reject-file rejected.csv
    """
    from birthday_cli.pipeline.people import import_csv

    settings = options.settings()
    with ExitStack() as files:
        source = files.enter_context(_open(file))
        on_reject = _Rejections(files.enter_context(_create(reject_file)) if reject_file else None)
        done = import_csv(settings, source, on_reject, dry_run)
    if on_reject.count > _SHOWN:
        more = on_reject.count - _SHOWN
        kept = f"see {reject_file}" if reject_file else "--reject-file FILE keeps them all"
        output.tell(f"… and {more} more: {kept}")
    if as_json:
        output.print_json(done)
    else:
        added = f"{'would take' if dry_run else 'added'} {done.added}"
        output.tell(
            f"{added}, changed {done.changed}, unchanged {done.unchanged}, rejected {done.rejected}"
        )
    if done.rejected:
        raise typer.Exit(ExitCode.FAILED)


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
    from birthday_cli.pipeline import people

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
    from birthday_cli.pipeline import people

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
    from birthday_cli.pipeline import people

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
    from birthday_cli.pipeline import people

    settings = options.settings()
    found = people.find(settings, who)
    if not dry_run:
        options.confirm(f"Delete {found.first_name} {found.last_name} <{found.email}>?", yes)
        people.delete(settings, found.id)
    if as_json:
        output.print_json({"dry_run": dry_run, "deleted": found})
    else:
        output.tell(f"{'would delete' if dry_run else 'deleted'} {found.email}")


class _Rejections:
    """Shows the first rejected lines on stderr, and writes all of them to a file."""

    def __init__(self, file: TextIO | None) -> None:
        import csv

        self.count = 0
        self._writer = csv.writer(file) if file else None

    def __call__(self, rejected: "Rejected") -> None:
        self.count += 1
        if self.count <= _SHOWN:
            output.tell(f"line {rejected.line}: {rejected.reason}")
        if self._writer:
            self._writer.writerow([rejected.line, rejected.reason, *rejected.cells])


def _open(file: Path) -> TextIO:
    try:
        if str(file) == "-":
            return open(
                sys.stdin.fileno(),
                encoding="utf-8-sig",
                errors="surrogateescape",
                newline="",
                closefd=False,
            )
        return file.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as problem:
        raise UsageError(f"{file} cannot be read: {problem.strerror}") from problem


def _create(file: Path) -> TextIO:
    try:
        return file.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem.strerror}") from problem
