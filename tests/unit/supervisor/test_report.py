from __future__ import annotations

import os
import tracemalloc

from skitaid.supervisor.report import REPORT_FD, Event, Report, Reporter, ReportReader, inherited


def _sent(write: object) -> bytes:
    read_fd, write_fd = os.pipe()
    write(Reporter(write_fd))  # type: ignore[operator]
    os.close(write_fd)
    data = os.read(read_fd, 65536)
    os.close(read_fd)
    return data


def test_what_the_master_says_is_what_the_supervisor_reads() -> None:
    def talk(reporter: Reporter) -> None:
        reporter.ready(["127.0.0.1:5000"])
        reporter.reload_failed("no\nmodule")
        reporter.reloaded()
        reporter.stopping()

    assert ReportReader().feed(_sent(talk)) == [
        Report(Event.READY, ("127.0.0.1:5000",)),
        Report(Event.RELOAD_FAILED, (), "no\nmodule"),
        Report(Event.RELOADED),
        Report(Event.STOPPING),
    ]


def test_apps_that_could_not_be_loaded_are_told_as_far_as_a_line_holds_them() -> None:
    sent = _sent(lambda reporter: reporter.ready(["a"], [f"/{number}{'x' * 5000}" for number in range(100)]))
    (report,) = ReportReader().feed(sent)
    assert len(sent) < 4096
    assert [text[:3] for text in report.unserved] == [f"/{number}x" for number in range(6)]
    assert ReportReader().feed(b'{"event": "reloaded", "unserved": 7}\n') == [Report(Event.RELOADED)]


def test_what_an_agent_says_about_itself() -> None:
    sent = _sent(lambda reporter: reporter.note("2 queued", {"queued": 2}))
    assert ReportReader().feed(sent) == [Report(Event.NOTE, (), "2 queued", {"queued": 2})]
    odd = b'{"event": "note", "counts": 7}\n{"event": "note", "counts": {"a": "b", "c": 1}}\n'
    assert [report.counts for report in ReportReader().feed(odd)] == [{}, {"c": 1}]


def test_lines_may_come_in_pieces() -> None:
    reader = ReportReader()
    assert reader.feed(b'{"event": "rea') == []
    assert reader.feed(b'dy"}\n{"event"') == [Report(Event.READY)]
    assert reader.feed(b': "stopping"}\n') == [Report(Event.STOPPING)]


def test_nonsense_is_dropped() -> None:
    noise = b'hello\n[]\n{"event": "dance"}\n{"event": ["ready"]}\n\xff\n\n{"event": "ready", "addresses": 7}\n'
    assert ReportReader().feed(noise) == [Report(Event.READY)]


def test_a_line_without_end_takes_no_memory() -> None:
    reader = ReportReader()
    tracemalloc.start()
    try:
        for _ in range(100):
            assert reader.feed(b"x" * 4096) == []
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_gone_parent_is_no_error() -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    reporter = Reporter(write_fd)
    reporter.ready([])
    reporter.stopping()
    os.close(write_fd)


def test_inherited() -> None:
    read_fd, write_fd = os.pipe()
    os.set_inheritable(write_fd, True)
    inherited({REPORT_FD: str(write_fd)}).stopping()
    assert os.read(read_fd, 100) == b'{"event": "stopping"}\n'
    assert not os.get_inheritable(write_fd)
    inherited({}).stopping()  # nobody to tell, and no error
    os.close(read_fd)
    os.close(write_fd)
