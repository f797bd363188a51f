"""The private servers of a campaign: made on first use, kept for all loads and repeats, and always ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from iobench import proc, servers
from iobench.campaign.site import Site
from iobench.drives.leftovers import temporary_folder
from iobench.drives.workdir import WorkFolder
from iobench.errors import InterruptedCampaign, IobenchError, ToolError
from iobench.model import Service
from iobench.servers import Endpoint, Room, Server
from iobench.texts import Phrase


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and where it is reached."""

    server: Server
    endpoint: Endpoint


class Services:
    """Opens the servers that works ask for. Leaving it ends them: at once where that is by an error."""

    def __init__(self, campaign: str, raw: Callable[[str], Path], stop: proc.Stop) -> None:
        self._campaign, self._raw, self._stop = campaign, raw, stop
        self._running: dict[tuple[str, Service], Served] = {}
        self._refused: dict[tuple[str, Service], IobenchError] = {}
        self._scratch: WorkFolder | None = None
        self._shared: Path | None = None
        self._opened = 0

    def get(self, site: Site, service: Service) -> Served:
        """Return the server of a target, started where it does not run yet or has died.

        Raises ToolError or CannotRunError; one that could not be started is not tried again.
        """
        key = site.passport.target.name, service
        if key in self._refused:
            raise self._refused[key]
        if key not in self._running:
            try:
                self._running[key] = self._started(site, service)
            except InterruptedCampaign:
                raise
            except IobenchError as error:
                self._refused[key] = error
                raise
            except OSError as error:
                said = error.strerror or str(error)
                why = {"target": key[0], "server": service.kind, "said": said}
                self._refused[key] = ToolError(Phrase("failed.server.set-up", why))
                raise self._refused[key] from error
        return self._running[key]

    def runs(self, site: Site, service: Service) -> bool:
        """Whether a target's server was started, and not ended since."""
        return (site.passport.target.name, service) in self._running

    def drop_failed(self, site: Site, service: Service) -> None:
        """End a server that is dead or does not answer: the next step that needs it starts it anew."""
        key = site.passport.target.name, service
        served = self._running.get(key)
        if served is not None and served.server.problem() is not None:
            self._running.pop(key)
            served.server.close(kill=True)

    def _started(self, site: Site, service: Service) -> Served:
        self._opened += 1
        name = f"{service.kind}-{self._opened}"
        if self._scratch is None:
            self._scratch = WorkFolder.make(temporary_folder(), f"{self._campaign}-servers")
            self._shared = Path(self._scratch.make_folder("shared"))
        assert self._shared is not None
        target, private = site.passport.target, Path(self._scratch.make_folder(name))
        room = Room(
            data=private if target.kind == "server" else Path(site.ground.folder(name)),
            shared=self._shared,
            private=private,
            log=self._raw(f"server-{name}"),
            stop=self._stop,
            group=site.group,
        )
        if target.kind == "server":
            server = servers.attach(target.path, service, room)
        else:
            server = servers.module(service.kind).open(service, room)
        try:
            return Served(server, server.start())
        except BaseException:
            server.close(kill=True)
            raise

    def __enter__(self) -> Services:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.ExitStack() as stack:
            if self._scratch is not None:
                stack.callback(self._scratch.remove)
            for served in self._running.values():
                stack.callback(served.server.close, kind is not None)
        self._running.clear()
