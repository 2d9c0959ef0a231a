"""A master's command line, and the conf it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from skitaid.config.certificates import certificate_problems
from skitaid.config.load import instance_files, load_instance, load_main
from skitaid.config.model import Instance, Listen, Main
from skitaid.engine.listener import Security
from skitaid.exceptions import ConfError, Problem

__all__ = ["RUN_LOG", "RUN_PORT", "Arguments", "Conf", "parse"]

RUN_LOG = "SKITAID_RUN_LOG"
RUN_PORT = "SKITAID_RUN_PORT"


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a master's command line and environment say. `log_folder` and `port` stand for the conf's, for a run in the
    foreground."""

    name: str
    etc: Path
    is_verbose: bool = False
    log_folder: Path | None = None
    port: int | None = None

    def load(self) -> Conf:
        """The conf as it is now. Raises ConfError."""
        main = load_main(self.etc)
        path = instance_files(self.etc).get(self.name)
        if path is None:
            missing = self.etc / "servers-enabled" / f"{self.name}.conf"
            raise ConfError([Problem(str(missing), 0, "there is no such file", "write it, or name another instance")])
        instance = load_instance(path, main)
        security = None if instance.server.tls is None else _security(instance)
        if self.port is not None:
            instance = replace(instance, server=replace(instance.server, listen=_on_port(instance, self.port)))
        folder = self.log_folder or main.global_.log_path / "instances" / self.name
        return Conf(main, instance, folder, main.global_.var_path / "instances" / self.name, security)


@dataclass(frozen=True, slots=True)
class Conf:
    """What a master works from. `log_folder` and `var_folder` are the instance's own. `security`: what its TCP
    addresses speak, None: in the clear."""

    main: Main
    instance: Instance
    log_folder: Path
    var_folder: Path
    security: Security | None = None


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Arguments:
    """Only programs write this command line; people use `skitaid-instance`. Raises ValueError."""
    words = dict(pairwise(argv))
    if not {"-f", "--etc"} <= words.keys():
        raise ValueError("expected -f NAME --etc DIR")
    log_folder, port = environ.get(RUN_LOG), environ.get(RUN_PORT, "")
    return Arguments(
        words["-f"],
        Path(words["--etc"]),
        "-v" in argv,
        Path(log_folder) if log_folder else None,
        int(port) if port.isdecimal() else None,
    )


def _security(instance: Instance) -> Security:
    """With the certificates as they are now, which is while their keys can be read. Raises ConfError."""
    from skitaid.instance.tls import make_tls

    refused = [problem for problem in certificate_problems(instance) if not problem.is_warning]
    if refused:
        raise ConfError(refused)
    return make_tls(instance)


def _on_port(instance: Instance, port: int) -> tuple[Listen, ...]:
    """The conf's first TCP address on another port; unix sockets as they are."""
    listens = instance.server.listen
    first = next((listen for listen in listens if listen.path is None), None)
    return tuple(
        replace(listen, port=port) if listen is first else listen
        for listen in listens
        if listen is first or listen.path is not None
    )
