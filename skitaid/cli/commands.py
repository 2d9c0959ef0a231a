"""Which commands and options exist. The parser, the help text and the documentation's test all read these two tables,
so that they cannot disagree. Nothing here imports a command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `module` is the name of the module in this package whose `run(session)` carries it out. `argument`
    is what stands after the command, "" when nothing may, `words` how many words that are at most, None: any number.
    `more` are lines of the command's own help. `aliases` are older names."""

    name: str
    module: str
    summary: str
    one: str = ""
    argument: str = ""
    words: int | None = 1
    more: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `metavar` is "" for a switch. `commands` are those it belongs to, none: every command."""

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    commands: tuple[str, ...] = ()

    @property
    def spelling(self) -> str:
        joined = ", ".join(self.flags)
        return f"{joined} {self.metavar}" if self.metavar else joined


COMMANDS = (
    Command(
        "start",
        "start",
        "start the daemon with every conf of servers-enabled (the default command)",
        one="start that instance; when no daemon runs, one with that instance alone",
    ),
    Command("stop", "ask", "stop the daemon and everything it runs", one="stop that instance"),
    Command(
        "restart",
        "ask",
        "have new masters and workers take over from those that run, refusing no connection",
        one="the same for one",
        aliases=("restart-all",),
    ),
    Command("reload", "ask", "read the confs again, replace the workers gracefully", one="the same for one"),
    Command(
        "shutdown",
        "ask",
        "stop everything, finishing what is in flight",
        one="the same for one",
        aliases=("shutdown-all",),
    ),
    Command("terminate", "ask", "stop everything at once", one="the same for one", aliases=("terminate-all",)),
    Command(
        "rotate", "ask", "put today's logs aside and begin new ones", one="the same for one", aliases=("rotate-all",)
    ),
    Command("status", "status", "show what runs, as a table or as JSON", one="with each of its workers"),
    Command(
        "log", "log", "show the end of skitaid.log, follow it with -F", one="that instance's log; -s chooses which"
    ),
    Command("check", "check", "validate skitaid.conf and every conf, start nothing", one="validate one"),
    Command("dump", "dump", "print the effective configuration, every default filled in", one="print one"),
    Command(
        "run",
        "run",
        "serve an app.py or a folder now, in the foreground; reload when a file changes",
        one="serve that instance so; -f cron run JOB runs a job now",
        argument="[PATH]",
    ),
    Command(
        "explain",
        "explain",
        "tell which host block, mount and conf line answer a URL",
        one="ask one instance",
        argument="URL",
    ),
    Command(
        "bench",
        "bench",
        "make many requests to a URL, and tell how many it answers a second and how quickly",
        argument="URL",
    ),
    Command("list", "cron_list", "with -f cron: show the jobs, when they run next and how they ended last"),
    Command(
        "next",
        "cron_next",
        "with -f cron: print when a crontab expression, or every job, runs next",
        argument="[EXPRESSION]",
    ),
    Command(
        "queue",
        "queue",
        "with -f smtpda: list the mails that wait, show one, retry, hold or remove it",
        argument="[WHAT [ID]]",
        words=None,
        more=(
            "queue list            the same as queue alone",
            "queue show ID         envelope, what became of each recipient, header of the mail",
            "queue retry ID        try it now, with all its retries",
            "queue hold ID         leave it until retry or remove",
            "queue remove ID       throw it away, without telling its sender",
            "ID may be several, or a state: queue retry deferred, queue remove failed.",
        ),
    ),
    Command(
        "cert",
        "cert",
        "show the certificates of the instances, and until when they are valid",
        one="make one, signed by itself, where there is none yet",
    ),
    Command(
        "doctor",
        "doctor",
        "look for what is wrong with this machine's set-up, with the fix for each",
        one="look at one instance",
    ),
)

OPTIONS = (
    Option(
        "name",
        ("-f", "--config", "--conf", "-n", "--name"),
        "the instance that is meant (its conf file's stem)",
        metavar="NAME",
    ),
    Option(
        "log_suffix",
        ("-s", "--log-suffix"),
        "which log: server, request, app (default) or stderr",
        metavar="SUFFIX",
        commands=("log",),
    ),
    Option("verbose", ("-v", "--verbose"), "start stays in the foreground and logs to the console"),
    Option("etc", ("--etc",), "folder of the conf files (default: $SKITAID_ETC, else /etc/skitaid)", metavar="DIR"),
    Option("follow", ("-F", "--follow"), "keep printing what is added to the log", commands=("log",)),
    Option("json", ("--json",), "print an object instead of a table", commands=("status",)),
    Option("yaml", ("--yaml",), "print YAML instead of conf", commands=("dump",)),
    Option("port", ("--port",), "port to serve on (default: the conf's, else 5000)", metavar="PORT", commands=("run",)),
    Option("requests", ("-n", "--requests"), "how many requests (default 1000)", metavar="N", commands=("bench",)),
    Option("concurrency", ("-c", "--concurrency"), "how many at a time (default 10)", metavar="C", commands=("bench",)),
    Option("after", ("--after",), "from that time on, in ISO form (default: now)", metavar="TIME", commands=("next",)),
    Option(
        "zone",
        ("--tz",),
        "in that time zone, such as Europe/Berlin (default: the machine's)",
        metavar="ZONE",
        commands=("next",),
    ),
    Option("count", ("-n", "--count"), "how many times (default 5)", metavar="N", commands=("next",)),
    Option("help", ("-h", "--help"), "show this text, or a command's own"),
    Option("version", ("--version",), "show the version"),
)


def options_of(command: Command) -> tuple[Option, ...]:
    """Every option, those that are this command's own first: their flags (`bench -n`) go before others' (`-n NAME`)."""
    own = [option for option in OPTIONS if command.name in option.commands]
    return (*own, *(option for option in OPTIONS if option not in own))


def find_command(word: str) -> Command | None:
    """The command of that name or older name."""
    return next((command for command in COMMANDS if word == command.name or word in command.aliases), None)


def command_words() -> Iterator[str]:
    """Every word that is a command, older names included."""
    for command in COMMANDS:
        yield command.name
        yield from command.aliases
