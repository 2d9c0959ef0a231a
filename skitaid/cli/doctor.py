"""doctor: looks at everything a site needs from the machine, and says the fix for what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skitaid.cli.doctor_cron import check_cron
from skitaid.cli.doctor_instance import check_conf, check_instance
from skitaid.cli.doctor_machine import check_agents, check_daemon, check_file_limit, check_folders, check_packages
from skitaid.cli.doctor_mail import check_mail
from skitaid.cli.finding import Finding, Level, wrong
from skitaid.cli.session import Session, out, out_style
from skitaid.cli.style import Style, Tone
from skitaid.config.model import Main
from skitaid.exceptions import ConfError, RefusedError

TONES = {Level.FINE: Tone.GOOD, Level.WARNING: Tone.WARNING, Level.WRONG: Tone.BAD}


def run(session: Session) -> int:
    session.refuse_agents()
    refuse_others(session.load_main())
    if session.options.name is not None:
        session.require_instance()
    findings = examine(session)
    for line in text(findings, out_style()):
        out(line)
    return 1 if any(finding.level is Level.WRONG for finding in findings) else 0


def refuse_others(main: Main) -> None:
    """What another user may do tells nothing about a daemon, and the fixes would take its folders away from it. Raises
    RefusedError."""
    from skitaid.supervisor import lock

    run_path = main.global_.run_path
    if lock.is_closed(run_path):
        raise RefusedError(f"{run_path / lock.LOCK_FILE} belongs to another user; ask as that user or as root")


def examine(session: Session) -> list[Finding]:
    """Every finding, for the instance of -f or for all."""
    from skitaid.config.load import load_all

    loaded = load_all(session.etc)
    findings = [*check_packages(), check_file_limit(), *check_folders(loaded.main)]
    findings += check_daemon(loaded.main, session.hint)
    findings += [*check_agents(loaded.main), *check_mail(loaded.main, session.hint)]
    findings += check_cron(loaded.main, loaded.instances.values())
    findings += [_conf(error, name, session) for name, error in loaded.failures.items() if _is_meant(session, name)]
    running = running_instances(loaded.main)
    for name, instance in loaded.instances.items():
        if _is_meant(session, name):
            findings += check_conf(instance)
            findings += check_instance(instance, loaded.main, is_running=name in running)
    return findings


def running_instances(main: Main) -> set[str]:
    """Names of the instances that a running daemon has up; none when no daemon answers."""
    from skitaid.supervisor import control

    try:
        answer: Mapping[str, object] = control.ask(main.global_.run_path, {"command": "status", "name": None})
    except RefusedError:
        return set()
    instances = answer.get("instances")
    items = instances if isinstance(instances, list) else []
    return {item["name"] for item in items if item["state"] in ("running", "starting", "stopping")}


def text(findings: Sequence[Finding], style: Style) -> list[str]:
    """A line for each finding and one for its fix, then the sum."""
    width = max((len(finding.subject) for finding in findings), default=0)
    lines = []
    for finding in findings:
        mark = style.paint(f"{finding.level.value:7}", TONES[finding.level])
        lines.append(f"{mark}  {finding.subject:{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"{'':7}  {'':{width}}  {style.paint('fix:', Tone.STRONG)} {finding.fix}")
    return [*lines, "", _sum(findings)]


def _is_meant(session: Session, name: str) -> bool:
    return session.options.name in (None, name)


def _conf(error: ConfError, name: str, session: Session) -> Finding:
    first, *others = sorted(error.problems, key=lambda problem: problem.is_warning)  # what is wrong, then what is odd
    more = f" and {len(others)} more" if others else ""
    return wrong(name, f"{first}{more}", session.hint(f"-f {name} check"))


def _sum(findings: Sequence[Finding]) -> str:
    wrongs = sum(finding.level is Level.WRONG for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    if not wrongs and not warnings:
        return "Everything is in order."
    return f"{wrongs} wrong, {warnings} to think about."
