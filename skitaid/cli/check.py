"""check: validate skitaid.conf and the instances' confs. Starts nothing and imports no app."""

from __future__ import annotations

from skitaid.cli.session import Session, complain_problems, out, out_style
from skitaid.cli.style import Tone
from skitaid.config.load import Loaded, load_all
from skitaid.exceptions import Problem


def run(session: Session) -> int:
    session.refuse_agents()
    session.require_etc()
    name = session.options.name
    if name is not None:
        session.require_instance()
    problems = found_problems(session, name)
    complain_problems(problems)
    errors = sum(not problem.is_warning for problem in problems)
    out(verdict(session, errors, len(problems) - errors))
    return 2 if errors else 0


def found_problems(session: Session, name: str | None) -> tuple[Problem, ...]:
    """Everything wrong or doubtful in skitaid.conf and in the conf of instance `name`, or of all. Raises ConfError
    when skitaid.conf cannot be used: the others depend on it."""
    loaded = load_all(session.etc)
    problems: list[Problem] = list(loaded.main.warnings)
    for instance_name in sorted({*loaded.instances, *loaded.failures}):
        if name in (None, instance_name):
            problems += _of_instance(loaded, instance_name)
    return tuple(problems)


def _of_instance(loaded: Loaded, name: str) -> tuple[Problem, ...]:
    failure = loaded.failures.get(name)
    return failure.problems if failure else loaded.instances[name].warnings


def verdict(session: Session, errors: int, warnings: int) -> str:
    style = out_style()
    what = f"{session.options.name}" if session.options.name else f"{session.etc}"
    doubts = f", {_count(warnings, 'warning')}" if warnings else ""
    if errors:
        return style.paint(f"{what}: {_count(errors, 'error')}{doubts}", Tone.BAD)
    return style.paint(f"{what}: in order{doubts}", Tone.GOOD)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
