"""check: validate skitaid.conf and the instances' confs. Starts nothing and imports no app."""

from __future__ import annotations

from skitaid.cli.session import Session, complain_problems, out, out_style
from skitaid.cli.style import Tone
from skitaid.config.load import Loaded, load_all
from skitaid.exceptions import Problem


def run(session: Session) -> int:
    session.refuse_agents()
    if session.options.name is not None:
        session.load_main()
        session.require_instance()
    loaded = load_all(session.etc)
    problems = found_problems(loaded, session.options.name)
    complain_problems(problems)
    errors = sum(not problem.is_warning for problem in problems)
    is_empty = not loaded.instances and not loaded.failures
    out(verdict(session, errors, len(problems) - errors) + (", but servers-enabled holds no conf file" * is_empty))
    return 2 if errors else 0


def found_problems(loaded: Loaded, name: str | None) -> tuple[Problem, ...]:
    """Everything wrong or doubtful; with `name` in that instance's conf and in skitaid.conf alone."""
    if name is None:
        return loaded.problems
    failure = loaded.failures.get(name)
    return (*loaded.main.warnings, *(failure.problems if failure else loaded.instances[name].warnings))


def verdict(session: Session, errors: int, warnings: int) -> str:
    style = out_style()
    what = f"{session.options.name}" if session.options.name else f"{session.etc}"
    doubts = f", {_count(warnings, 'warning')}" if warnings else ""
    if errors:
        return style.paint(f"{what}: {_count(errors, 'error')}{doubts}", Tone.BAD)
    return style.paint(f"{what}: in order{doubts}", Tone.GOOD)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
