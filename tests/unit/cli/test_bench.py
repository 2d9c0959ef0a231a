from __future__ import annotations

from typing import Any

import pytest

from skitaid.cli.bench import checked_url, report
from skitaid.cli.bench_client import Run, percentile
from skitaid.cli.commands import find_command
from skitaid.cli.help import of_command
from skitaid.cli.options import UsageError, parse
from skitaid.cli.style import PLAIN


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench", "http://h/", "-n", "50", "-c", "7"), ("-n50", "-c7", "bench", "http://h/"),
        ("bench", "--requests=50", "--concurrency=7", "http://h/"),
    ],
)  # fmt: skip
def test_its_options(arguments: tuple[str, ...]) -> None:
    options = parse(arguments)
    assert (options.command.name, options.argument) == ("bench", "http://h/")
    assert (options.requests, options.concurrency, options.name) == (50, 7, None)


def test_its_defaults() -> None:
    options = parse(("bench", "http://h/"))
    assert (options.requests, options.concurrency) == (1000, 10)


def test_n_still_names_an_instance_elsewhere() -> None:
    assert parse(("-n", "sample", "status")).name == "sample"
    assert parse(("-n", "bench", "status")).name == "bench"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bench", "u", "-n", "0"), "--requests 0: expected a number from 1 to 1,000,000"),
        (("bench", "u", "-n", "many"), "--requests many"),
        (("bench", "u", "-c", "501"), "--concurrency 501: expected a number from 1 to 500"),
        (("status", "-c", "5"), "option -c belongs to bench, not to status"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments)
    assert message in str(caught.value)


def test_its_help_has_each_flag_once() -> None:
    command = find_command("bench")
    assert command is not None
    text = of_command("skitaid", command)
    assert "-n, --requests N" in text and "-c, --concurrency C" in text
    assert text.count("-n,") == 1
    other = find_command("status")
    assert other is not None and "-n, --name NAME" in of_command("skitaid", other)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000/", "https://localhost/a?b=c"])
def test_urls(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url", [None, "", "/a", "h/a", "ftp://h/", "http://", "http://h:x/", "http://h/a b", "http://h:0/"]
)
def test_what_is_no_url(url: str | None) -> None:
    with pytest.raises(UsageError):
        checked_url(url)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles(share: float, value: int) -> None:
    assert percentile(list(range(1, 101)), share) == value


def test_percentiles_of_few() -> None:
    assert percentile([], 0.5) == 0
    assert [percentile([7.0], share) for share in (0.5, 1.0)] == [7.0, 7.0]


class Response:
    def __init__(self, number: int, code: int, reason: str) -> None:
        self.meta = {"req_id": number}
        self.status_code = code
        self.reason = reason


def test_what_is_counted() -> None:
    run = Run()
    for number, code, reason in ((1, 200, "OK"), (2, 404, "Not Found"), (3, 200, "OK"), (4, 702, "Socket Timeout")):
        run.begin({"req_id": number})
        run.finished(Response(number, code, reason))
    assert run.statuses == {"200": 2, "404": 1}
    assert run.failures == {"Socket Timeout": 1}
    assert len(run.latencies) == 3 and not run.began


def figures(**changed: Any) -> dict[str, Any]:
    return {
        "requests": 100, "answered": 100, "seconds": 0.5, "client_cpu": 0.5, "statuses": {"200": 99, "404": 1},
        "latency": {"p50": 0.001, "max": 0.0205}, "failures": {}, "unanswered": 0, "bytes": 5000, "is_cut_short": False,
    } | changed  # fmt: skip


def test_the_report() -> None:
    assert report(figures(), PLAIN) == [
        "  requests/s  200",
        "  duration    0.50 s",
        "  latency     p50 1.0 ms  max 20.5 ms",
        "  statuses    200: 99, 404: 1",
        "  received    5,000 bytes of bodies",
        "  client      50 % of one core",
    ]


def test_the_report_of_a_bad_run() -> None:
    lines = report(
        figures(answered=0, failures={"Socket Timeout": 90}, unanswered=10, is_cut_short=True, statuses={}, bytes=None,
                seconds=0.0),
        PLAIN,
    )  # fmt: skip
    assert lines == [
        "  requests/s  -",
        "  duration    0.00 s, cut short",
        "  latency     -",
        "  statuses    none",
        "  client      50 % of one core",
        "  failures    Socket Timeout: 90",
        "  unanswered  10",
    ]


def test_a_busy_client_is_said() -> None:
    assert "the client itself was busy" in report(figures(client_cpu=0.97), PLAIN)[-1]
