from __future__ import annotations

import pytest

from skitaid.cli.commands import COMMANDS, OPTIONS, command_words, find_command
from skitaid.cli.options import Options, UsageError, parse


def of(*arguments: str) -> Options:
    return parse(arguments)


def test_nothing_typed_means_start() -> None:
    options = of()
    assert (options.command.name, options.name, options.verbose) == ("start", None, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-f", "sample", "status"),
        ("status", "-f", "sample"),
        ("-fsample", "status"),
        ("--config", "sample", "status"),
        ("--config=sample", "status"),
        ("--conf=sample", "status"),
        ("-n", "sample", "status"),
        ("--name=sample", "status"),
        ("-vf", "sample", "status"),
        ("-f", "sample", "--", "status"),
    ],
)
def test_the_instance_may_be_named_in_every_documented_way(arguments: tuple[str, ...]) -> None:
    options = parse(arguments)
    assert (options.command.name, options.name) == ("status", "sample")


def test_every_option_reaches_its_field() -> None:
    options = of("-f", "a", "--etc", "/e", "-v", "-s", "request", "-F", "log")
    assert (options.etc, options.verbose, options.log_suffix, options.follow) == ("/e", True, "request", True)
    assert of("status", "--json").json
    assert of("dump", "--yaml").yaml
    assert of("run", "--port", "0").port == 0
    assert of("--version").version
    assert of("log", "-h").help


def test_run_and_explain_take_an_argument() -> None:
    assert of("run", "app.py").argument == "app.py"
    assert of("run").argument is None
    assert of("explain", "http://a/b").argument == "http://a/b"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("restart-all", "restart"),
        ("shutdown-all", "shutdown"),
        ("terminate-all", "terminate"),
        ("rotate-all", "rotate"),
    ],
)
def test_older_names_are_commands(old: str, new: str) -> None:
    options = of(old)
    assert (options.typed, options.command.name) == (old, new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("strat",), "unknown command 'strat'; did you mean start?"),
        (("xyzzy",), "unknown command 'xyzzy'"),
        (("--folow",), "unknown option --folow; did you mean --follow?"),
        (("-x",), "unknown option -x"),
        (("-vx",), "unknown option -x (in -vx)"),
        (("-f",), "option -f wants a value: -f NAME"),
        (("--config=",), "option --config wants a value: --config NAME"),
        (("--json=1", "status"), "option --json takes no value, found '1'"),
        (("start", "shop"), "start takes nothing after it, found 'shop'; an instance is named with -f: -f shop start"),
        (("run", "a", "b"), "run takes one PATH, found also 'b'"),
        (("start", "--json"), "option --json belongs to status, not to start"),
        (("-s", "request", "status"), "option -s belongs to log, not to status"),
        (("-s", "requests", "log"), "-s requests: expected one of server, request, app, stderr; did you mean request?"),
        (("run", "--port", "http"), "--port http: expected a number from 0 to 65535"),
        (("run", "--port", "65536"), "--port 65536: expected a number from 0 to 65535"),
        (("run", "--port", "²"), "--port ²: expected a number from 0 to 65535"),
    ],
)
def test_a_wrong_command_line_says_what_was_expected(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments)
    assert str(caught.value) == message


def test_no_word_and_no_flag_has_two_meanings() -> None:
    words = list(command_words())
    flags = [flag for option in OPTIONS for flag in option.flags]
    assert len(words) == len(set(words))
    # -n: how many, of bench and next; and an older name of -f everywhere else
    assert sorted(flags) == sorted([*set(flags), "-n", "-n"])


def test_options_belong_to_commands_that_exist() -> None:
    owners = {name for option in OPTIONS for name in option.commands}
    assert owners <= {command.name for command in COMMANDS}
    assert find_command("reload") is not None
    assert find_command("Reload") is None
