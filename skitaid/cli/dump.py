"""dump: the effective configuration, every default filled in, as conf or as YAML. It can be loaded again."""

from __future__ import annotations

from skitaid.cli.session import Session, out


def run(session: Session) -> int:
    from skitaid.config import dump
    from skitaid.config.load import load_instance

    main = session.load_main()
    to_text = dump.dump_yaml if session.options.yaml else dump.dump_conf
    if session.options.name is not None:
        path = session.instance_files()[session.require_instance()]
        out(to_text(load_instance(path, main)).rstrip("\n"))
        return 0
    out(f"# {session.etc}/skitaid.conf")
    out(to_text(main).rstrip("\n"))
    for path in session.instance_files().values():
        out(f"\n# {path}")
        out(to_text(load_instance(path, main)).rstrip("\n"))
    return 0
