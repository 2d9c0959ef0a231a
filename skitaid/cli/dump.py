"""dump: the effective configuration, every default filled in, as conf or as YAML. It can be loaded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from skitaid.cli.session import Session, complain_problems, out
from skitaid.config.model import Instance, Main
from skitaid.exceptions import ConfError


def run(session: Session) -> int:
    from skitaid.config import dump
    from skitaid.config.load import load_instance

    main = session.load_main()
    to_text = dump.dump_yaml if session.options.yaml else dump.dump_conf
    if session.options.name is not None:
        path = session.instance_files()[session.require_instance()]
        out(to_text(load_instance(path, main)).rstrip("\n"))
        return 0
    out(f"# {main.path or session.etc / 'skitaid.conf'}")
    out(to_text(main).rstrip("\n"))
    bad = [path for path in session.instance_files().values() if not _shown(path, main, to_text)]
    return 2 if bad else 0


def _shown(path: Path, main: Main, to_text: Callable[[Instance], str]) -> bool:
    """False: its conf is wrong, which is said on standard error."""
    from skitaid.config.load import load_instance

    try:
        text = to_text(load_instance(path, main))
    except ConfError as error:
        complain_problems(error.problems)
        return False
    out(f"\n# {path}")
    out(text.rstrip("\n"))
    return True
