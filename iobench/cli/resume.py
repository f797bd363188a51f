"""`iobench resume CAMPAIGN`: finished steps are not run again."""

from __future__ import annotations

from typing import Any

import click

from iobench.cli import options
from iobench.cli.listing import complete_campaign
from iobench.errors import CannotRunError, UsageError


@click.command()
@click.argument("campaign", default="latest", shell_complete=complete_campaign)
@options.going_options
def resume(campaign: str, **kwargs: Any) -> int:
    """Go on with CAMPAIGN where it was interrupted; `latest`, the default, is the newest one."""
    from iobench.campaign import remains, spending
    from iobench.cli.existing import learn_passwords
    from iobench.cli.measure import Show, check_baseline, clean_before, finish, go_on, perform, say
    from iobench.cli.progress import log
    from iobench.drives.asking import refuse_silent
    from iobench.results import TAKEN_IN, Store

    shared = options.MeasureOptions(targets=(), repeats=None, duration=None, size=None, dry_run=False, **kwargs)
    folder = Store(shared.results).open(campaign)
    stored, finished = folder.campaign(), folder.finished()
    if stored.imported:
        raise UsageError(f"{stored.id} was imported: there is nothing to go on with")
    if folder.taken_in():
        raise CannotRunError(
            f"{stored.id} was taken in from an archive: to go on would run the commands in its plan, on the drives "
            "that it names. If you know who made it, and it was measured on this machine, remove "
            f"{folder.path / TAKEN_IN} first"
        )
    check_baseline(shared, list(stored.passports))
    for each in stored.passports.values():
        if each.target.kind != "server":
            refuse_silent(each.target.path)
    kept = [each.path for each in remains.left(folder, stored).values()]
    clean_before([p.target for p in stored.passports.values()], shared, kept)
    learn_passwords([p.target for p in stored.passports.values()], None)
    left = len(stored.steps) - len(finished)
    say(f"campaign {stored.id}: {len(finished)} of {len(stored.steps)} steps are kept, {left} are left", shared)
    for target, more in spending.unsaid(stored, folder.path).items():
        say(more.sentence(target), shared)
    directed = (stored.director or {}).get("name")
    if directed == "validate":
        from iobench.cli import validate

        judged = validate.Wanted(("json",) if shared.as_json else ("text",), None, "en")
        return validate.run(folder, go_on(folder, stored), shared, judged)
    show: Show = finish
    if directed == "capacity":
        from iobench.cli.capacity import conclude

        show = conclude
    with log(shared.log_file) as observer:
        return show(folder, shared, perform(go_on(folder, stored), folder, shared, observer))
