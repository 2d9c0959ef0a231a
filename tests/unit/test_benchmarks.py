"""The benchmark's reading, reckoning and drawing; it measures by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import draw, load, machine, prepare, rounds, run, verdict
from benchmarks.cases import CASES, TARGETS, Quantity, Target
from benchmarks.servers import SERVERS, Place

WRK = """Running 3s test @ http://127.0.0.1:8123/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.83ms    1.34ms   9.86ms   65.14%
    Req/Sec    33.99k     2.09k   39.59k    80.00%
  Latency Distribution
     50%  926.00us
     75%    3.03ms
     90%    3.62ms
     99%    5.19ms
  101369 requests in 3.00s, 12.76MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 7
Requests/sec:  33755.42
Transfer/sec:      4.25MB
"""

H2LOAD = """Application protocol: h2c
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 2.01s, 16709.50 req/s, 18.33MB/s
requests: 33450 total, 33739 started, 33450 done, 33419 succeeded, 31 failed, 4 errored, 2 timeout
status codes: 33419 2xx, 0 3xx, 20 4xx, 5 5xx
traffic: 36.65MB (38433418) total, 3.44MB (3609252) headers (space savings 39.66%), 32.64MB (34221056) data
                     min         max         mean         sd        +/- sd
time for request:      281us     88.29ms     18.42ms     11.93ms    83.10%
"""

STAT = """cpu  300 30 300 3000 0 0 30 3 0 0
cpu0 100 10 100 1000 50 0 10 1 0 0
cpu1 200 20 200 2000 0 0 20 2 0 0
intr 5
"""


def sample(rps: float, foreign: float = 0.0) -> rounds.Sample:
    return rounds.Sample(rps, 1.0, 2.0, 0, 0, 1e6 / rps, 1.0, 0.5, foreign)


def figure(rps: float, *, is_clean: bool = True) -> rounds.Figure:
    return replace(rounds.summary([sample(rps)], 1), is_clean=is_clean)


# ---------------------------------------------------------------- reading


def test_wrk() -> None:
    assert load.parse_wrk(WRK) == load.Outcome(101369, 33755.42, 0.926, 5.19, 7, 10)


def test_wrk_without_errors() -> None:
    quiet = "\n".join(line for line in WRK.splitlines() if "errors" not in line and "Non-2xx" not in line)
    found = load.parse_wrk(quiet)
    assert (found.refused, found.broken) == (0, 0)


def test_wrk_that_could_not_connect() -> None:
    with pytest.raises(load.LoadError, match="unable to connect"):
        load.parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_h2load() -> None:
    assert load.parse_h2load(H2LOAD) == load.Outcome(33450, 16709.5, None, None, 25, 6)


def test_h2load_that_could_not_connect() -> None:
    nothing = H2LOAD.replace("33450 done", "0 done")
    with pytest.raises(load.LoadError, match="no result"):
        load.parse_h2load(nothing)


def test_streams_are_a_matter_of_h2load() -> None:
    by_time = load.Load("/a", 32, streams=10).command(8123, 3)
    assert by_time == ["h2load", "-t", "1", "-c", "32", "-m", "10", "-D", "3", "http://127.0.0.1:8123/a"]
    by_count = load.Load("/a", 1, streams=1, count=6).command(8123, 3)
    assert by_count[by_count.index("-n") + 1] == "6"
    assert "-D" not in by_count


def test_some_loads_need_longer() -> None:
    assert "-d3s" in load.Load(least_s=3).command(8123, 1)
    assert "-d5s" in load.Load(least_s=3).command(8123, 5)


def test_no_percentiles_no_ratio() -> None:
    untold = replace(figure(1000), p50_ms=None, p99_ms=None)
    assert verdict.ratio_of(Quantity.ADDED, untold, figure(2000)) is None
    assert verdict.ratios({("hello", "skitaid+log"): untold}) == []


@pytest.mark.parametrize(("text", "ms"), [("532.00us", 0.532), ("1.26ms", 1.26), ("2.10s", 2100.0), ("1.50m", 90000.0)])
def test_durations(text: str, ms: float) -> None:
    assert load.parse_duration_ms(text) == pytest.approx(ms)


def test_an_unknown_duration() -> None:
    with pytest.raises(load.LoadError, match=r"1\.0h"):
        load.parse_duration_ms("1.0h")


def test_busy_time_leaves_idling_and_waiting_out() -> None:
    assert machine.parse_busy(STAT) == pytest.approx({0: 221 * machine.TICK_S, 1: 442 * machine.TICK_S})


def test_pss() -> None:
    assert machine.parse_pss("Rss:   4096 kB\nPss:    2048 kB\nPss_Dirty:  1 kB\n") == 2.0


def test_pss_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="Pss"):
        machine.parse_pss("Rss:   4096 kB\n")


def test_packages() -> None:
    text = "# a comment\n\nwrk           command -v wrk\ngcc  command -v cc || false\n"
    assert prepare.parse_packages(text) == {"wrk": "command -v wrk", "gcc": "command -v cc || false"}


# ---------------------------------------------------------------- proxies


def test_what_a_proxy_adds_is_a_difference() -> None:
    slow = replace(figure(1000), p50_ms=1.25)
    assert verdict.ratio_of(Quantity.ADDED, slow, figure(2000)) == pytest.approx(0.25)
    assert Quantity.ADDED.is_limit


def test_every_proxy_is_told_its_backend(tmp_path: Path) -> None:
    for number, server in enumerate(server for server in SERVERS.values() if server.is_proxy):
        folder = tmp_path / str(number)
        folder.mkdir()
        words = server.make(Place(8123, folder, tmp_path, 8124))
        told = " ".join(words) + "".join(path.read_text() for path in folder.rglob("*.conf"))
        assert "8123" in told
        assert "8124" in told


# ---------------------------------------------------------------- who else used the machine


def reading(at: float, busy: dict[int, float], server: float, children: float) -> machine.Reading:
    return machine.Reading(at, busy, server, children)


def test_what_nobody_of_ours_used_is_foreign() -> None:
    before = reading(10.0, {0: 5.0, 1: 5.0}, 3.0, 1.0)
    after = reading(12.0, {0: 7.0, 1: 6.5}, 4.0, 2.4)
    assert machine.foreign_share(before, after, machine.Cores(0, 1)) == pytest.approx(0.5)


def test_foreign_work_on_one_core_for_both() -> None:
    before = reading(0.0, {0: 0.0}, 0.0, 0.0)
    after = reading(1.0, {0: 1.0}, 0.5, 0.4)
    assert machine.foreign_share(before, after, machine.Cores(0, 0)) == pytest.approx(0.1)


# ---------------------------------------------------------------- figures


def test_disturbed_samples_do_not_count_when_enough_others_are_there() -> None:
    found = rounds.summary([sample(100), sample(10, foreign=0.5), sample(110), sample(120)], 3)
    assert (found.rps, found.samples, found.is_clean) == (110, 3, True)
    assert found.cost_us == pytest.approx(1e6 / 110)


def test_the_least_disturbed_samples_count_when_nothing_better_is_there() -> None:
    found = rounds.summary([sample(100, 0.1), sample(10, 0.5), sample(20, 0.4), sample(90, 0.2)], 3)
    assert (found.rps, found.samples, found.is_clean) == (90, 3, False)


def test_a_single_round() -> None:
    assert rounds.summary([sample(100)], 1).is_clean


def test_ratios_are_ours_by_theirs_and_costs_theirs_by_ours() -> None:
    fast, slow = figure(200), figure(100)
    assert verdict.ratio_of(Quantity.RPS, fast, slow) == pytest.approx(2.0)
    assert verdict.ratio_of(Quantity.COST, fast, slow) == pytest.approx(2.0)
    assert verdict.ratio_of(Quantity.GROWTH, fast, slow) == pytest.approx(0.5)


def test_no_cost_no_ratio() -> None:
    assert verdict.ratio_of(Quantity.COST, replace(figure(1), cost_us=None), figure(1)) is None


@pytest.mark.parametrize(
    ("value", "bound", "goal", "is_limit", "word"),
    [
        (2.0, 1.8, 2.2, False, "held"),
        (2.3, 1.8, 2.2, False, "goal"),
        (1.7, 1.8, 2.2, False, "MISSED"),
        (1.1, None, 1.2, False, "not yet"),
        (1.1, None, None, False, ""),
        (12.0, 15.0, None, True, "held"),
        (16.0, 15.0, None, True, "MISSED"),
        (2.0, None, 3.0, True, "goal"),
    ],
)
def test_marks(value: float, bound: float | None, goal: float | None, is_limit: bool, word: str) -> None:
    assert verdict.mark(value, bound, goal, is_limit=is_limit) == word


def test_only_what_was_measured_is_compared() -> None:
    found = verdict.ratios({("hello", "skitaid+log"): figure(200), ("hello", "granian"): figure(100, is_clean=False)})
    assert [(ratio.target.other, ratio.is_clean) for ratio in found] == [("granian", False), ("", True)]


def test_tables_name_servers_and_mark_noise() -> None:
    figures = {("hello", "skitaid+log"): figure(2000), ("hello", "granian"): figure(1000, is_clean=False)}
    lines = verdict.case_table(CASES[0], figures).splitlines()
    assert lines[1].split()[:4] == ["skitaid,", "log", "on", "2,000"]
    assert lines[2].endswith("~")
    assert "2.00   2.00   0.70   0.90  goal ~" in verdict.ratio_table(verdict.ratios(figures))


# ---------------------------------------------------------------- the data


def test_cases_name_servers_that_exist() -> None:
    assert {key for case in CASES for key in case.servers} <= SERVERS.keys()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.case}-{target.server}-{target.other}")
def test_targets_name_what_is_measured(target: Target) -> None:
    servers = {case.key: case.servers for case in CASES}
    assert target.server in servers[target.case]
    if target.quantity is not Quantity.P99:
        assert target.other in servers[target.other_case or target.case]


def test_scripts_of_loads_exist() -> None:
    scripts = {one.script for case in CASES for one in case.loads if one.script}
    assert scripts and all((load.LUA / script).is_file() for script in scripts)


# ---------------------------------------------------------------- the command line


def test_cases_by_word_and_by_list() -> None:
    assert run.parse(["hello", "--only", "json,memory"]).only == ["hello", "json", "memory"]


def test_everything_by_default() -> None:
    options = run.parse([])
    assert {"memory", "ready", "idle", "hello"} <= set(options.only)
    assert "granian" in options.peers


def test_an_unknown_case_is_told_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run.parse(["--only", "helo"])
    assert stopped.value.code == 2
    assert "'helo' is not one of: memory" in capsys.readouterr().err


# ---------------------------------------------------------------- the picture


def test_a_picture_of_what_was_measured() -> None:
    measured = {
        "figures": [
            {"case": "hello", "server": "granian", "label": "granian <&>", "rps": 50.0},
            {"case": "hello", "server": "skitaid", "label": "skitaid", "rps": 100.0},
            {"case": "mounts", "server": "skitaid", "label": "not shown", "rps": 1.0},
        ]
    }
    groups = draw.groups_of(measured)
    assert [[bar.label for bar in group.bars] for group in groups] == [["skitaid", "granian <&>"]]
    tree = ElementTree.fromstring(draw.svg(groups, "foot"))
    bars = tree.findall(".//{http://www.w3.org/2000/svg}rect")
    assert [bar.get("class") for bar in bars] == ["ours", "theirs"]
    longer, shorter = (float(bar.get("width", "0")) for bar in bars)
    assert longer == pytest.approx(2 * shorter)
