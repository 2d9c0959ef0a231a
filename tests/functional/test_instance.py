"""A real master with real workers: start, stop, reload, and what it serves while apps and processes misbehave."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from skitaid.supervisor.report import Event
from tests.functional.running import (
    PID_APP,
    WAIT_S,
    Client,
    Hammer,
    Master,
    Place,
    can_bind,
    connect,
    cpu_s,
    free_port,
    get,
    is_refused,
    serves,
    session_members,
    text,
    wait_for,
)

Start = Callable[..., Master]

SLOW_APP = """
import time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open(environ["QUERY_STRING"], "w").close()
        time.sleep(1.0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"""
EXIT_APP = """
import os

def app(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(7)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    """Start a master on the conf that is there; `is_ready=False`: without waiting for it."""
    masters: list[Master] = []

    def begin(*, is_ready: bool = True, **environ: str) -> Master:
        masters.append(Master(place, **environ))
        return masters[-1].ready() if is_ready else masters[-1]

    yield begin
    for master in masters:
        master.end()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


# ---------------------------------------------------------------- start


def test_serves_and_says_where(place: Place, start: Start) -> None:
    place.answer("hello")
    place.site("processes = 2")
    master = start()
    assert text(master.address) == "hello"
    assert len(master.workers) == 2
    assert f"serving on {master.address}" in place.log("server")


def test_a_bad_conf_is_exit_code_2(place: Place, start: Start) -> None:
    path = place.conf("[server]\nprot = 1\n")
    master = start(is_ready=False)
    assert master.ended() == 2
    assert f"{path}:2: " in master.stderr


def test_no_conf_is_exit_code_2(start: Start) -> None:
    master = start(is_ready=False)
    assert master.ended() == 2
    assert "site.conf: there is no such file" in master.stderr


def test_a_taken_port_is_exit_code_1_and_told_at_once(place: Place, start: Start) -> None:
    place.answer("hello")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        place.site(f"listen = 127.0.0.1:{port}")
        assert start(is_ready=False).ended() == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use (another program has it" in place.log("server")
    assert "site.conf:2: " in place.log("server")


def test_one_master_per_instance(place: Place, start: Start) -> None:
    place.answer("hello")
    place.site()
    first = start()
    assert start(is_ready=False).ended() == 1
    assert f"instance site is running already with pid {first.pid}" in place.log("server")
    assert text(first.address) == "hello"


def test_a_worker_that_falls_at_import_is_told(place: Place, start: Start) -> None:
    place.app("app", "import os\nos._exit(9)\n")
    place.site()
    master = start(is_ready=False)
    assert master.ended() == 1
    assert "cannot start: worker #0 ended with exit code 9 before all were ready" in place.log("server")
    assert session_members(master.pid) == {}


def test_an_app_that_takes_too_long_to_import_is_told(place: Place, start: Start) -> None:
    place.app("app", "import time\ntime.sleep(600)\n")
    place.site("start_timeout = 1")
    master = start(is_ready=False)
    assert master.ended() == 1
    assert "not ready within 1 s (start_timeout)" in place.log("server")
    assert session_members(master.pid) == {}


def test_an_app_that_cannot_be_imported_answers_500_and_the_others_are_served(place: Place, start: Start) -> None:
    place.answer("hello")
    place.app("bad", "import no_such_module_anywhere\n")
    place.site(routes="/ = ../../apps/app\n/bad = ../../apps/bad")
    master = start()
    assert text(master.address) == "hello"
    assert get(master.address, "/bad")[0] == 500
    assert "No module named 'no_such_module_anywhere'" in place.log("app")
    assert "this app is not served: /bad (" in place.log("server")


# ---------------------------------------------------------------- stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_stop_is_clean_and_frees_the_port_at_once(place: Place, start: Start, number: signal.Signals) -> None:
    place.answer("hello")
    place.site("processes = 2")
    master = start()
    idle = Client(master.address)
    assert idle.get() == (200, "hello")
    assert master.stop(number) == 0
    assert can_bind(master.address)
    assert session_members(master.pid) == {}
    assert any(report.event is Event.STOPPING for report in master.listen())
    idle.close()


def test_a_graceful_stop_finishes_what_is_in_flight(place: Place, start: Start, tmp_path: Path) -> None:
    place.app("app", SLOW_APP)
    place.site()
    master = start()
    with in_flight(master.address, tmp_path / "begun") as answers:
        master.signal(signal.SIGQUIT)
        wait_for(lambda: is_refused(master.address), "the address to be closed")
    assert answers == ["done"]
    assert master.ended() == 0


def test_a_fast_stop_does_not_wait_for_an_app_that_hangs(place: Place, start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.app("app", f"import time\ndef app(e, s):\n    open({str(begun)!r}, 'w').close()\n    time.sleep(600)\n")
    place.site("response_timeout = 60")
    master = start()
    sock = connect(master.address)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(begun.exists, "the app to begin")
    assert master.stop(signal.SIGTERM) == 0
    sock.close()


def test_terminate_after_shutdown_is_heard(place: Place, start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.app("app", f"import time\ndef app(e, s):\n    open({str(begun)!r}, 'w').close()\n    time.sleep(600)\n")
    place.site("response_timeout = 60")
    master = start()
    sock = connect(master.address)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(begun.exists, "the app to begin")
    master.signal(signal.SIGQUIT)
    wait_for(lambda: is_refused(master.address), "the address to be closed")
    assert master.stop(signal.SIGTERM) == 0
    sock.close()


def test_nobody_spins_while_a_stop_waits(place: Place, start: Start, tmp_path: Path) -> None:
    """A worker that was replaced before leaves a place that could be filled."""
    place.app("app", SLOW_APP.replace("sleep(1.0)", "sleep(3.0)"))
    place.site()
    master = start()
    [worker] = master.workers
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: master.workers not in ([], [worker]) and serves(master.address), "another worker")
    with in_flight(master.address, tmp_path / "begun"):
        master.signal(signal.SIGQUIT)
        wait_for(lambda: is_refused(master.address), "the address to be closed")
        before, began = cpu_s(master.pid), time.monotonic()
        wait_for(lambda: time.monotonic() - began > 1.5, "time to pass")
        used_s = cpu_s(master.pid) - before
    assert used_s < 0.3
    assert master.ended() == 0


@pytest.mark.parametrize("threads", [0, 2])
def test_without_a_parent_nobody_stays(place: Place, start: Start, threads: int, tmp_path: Path) -> None:
    """Also when an app hangs, in a thread or on the loop."""
    begun = tmp_path / "begun"
    place.app("app", f"import time\ndef app(e, s):\n    open({str(begun)!r}, 'w').close()\n    time.sleep(600)\n")
    place.site(f"threads = {threads}")
    master = start()
    sock = connect(master.address)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(begun.exists, "the app to begin")
    master.cut_lifeline()
    assert master.ended() == -signal.SIGKILL  # it goes with all that its apps started
    assert session_members(master.pid) == {}
    assert "the supervisor is gone: stopping" in place.log("server")
    assert can_bind(master.address)
    sock.close()


@pytest.mark.parametrize("threads", [0, 2])
def test_workers_do_not_outlive_a_killed_master(place: Place, start: Start, threads: int, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.app("app", f"import time\ndef app(e, s):\n    open({str(begun)!r}, 'w').close()\n    time.sleep(600)\n")
    port = free_port()
    place.site(f"listen = 127.0.0.1:{port}\nprocesses = 2\nthreads = {threads}")
    master = start()
    sock = connect(master.address)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(begun.exists, "the app to begin")
    master.process.kill()
    master.ended()
    place.answer("next")
    following = start()
    assert text(following.address) == "next"
    wait_for(lambda: not session_members(master.pid), "the end of the workers")
    sock.close()


# ---------------------------------------------------------------- workers that die or hang


def test_a_killed_worker_is_replaced_and_stays(place: Place, start: Start) -> None:
    place.app("app", PID_APP)
    place.site("start_timeout = 1")
    master = start()
    [worker] = master.workers
    os.kill(worker, signal.SIGKILL)
    follower = text(master.address)  # connected meanwhile: it waits, it is not refused
    began = time.monotonic()
    assert follower != str(worker)
    assert f"worker #0 (pid {worker}) was killed by signal 9" in place.log("server")
    wait_for(lambda: time.monotonic() - began > 2.5, "the time in which it should have become ready to be over")
    assert text(master.address) == follower


def test_all_workers_killed_at_once(place: Place, start: Start) -> None:
    place.app("app", PID_APP)
    place.site("processes = 3")
    master = start()
    before = master.workers
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    assert int(text(master.address)) not in before
    wait_for(lambda: len(set(master.workers) - set(before)) == 3, "three others")


def test_an_app_that_falls_on_a_request_is_there_for_the_next(place: Place, start: Start) -> None:
    place.app("app", EXIT_APP)
    place.site()
    master = start()
    began = time.monotonic()
    while place.log("server").count("ended with exit code 7") < 6:
        with connect(master.address) as sock:
            sock.sendall(b"GET /die HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.recv(1)
    passed_s = time.monotonic() - began
    assert place.log("server").count("is replaced") <= 4 + passed_s + 1  # some at once, then one a second
    assert text(master.address).isdecimal()
    assert cpu_s(master.pid) < 0.5 * (passed_s + 1)


def test_an_app_that_no_longer_imports_is_tried_ever_less_often(place: Place, start: Start) -> None:
    place.answer("hello")
    place.site()
    master = start()
    place.app("app", "import os\nos._exit(9)\n")
    os.kill(master.workers[0], signal.SIGKILL)
    wait_for(lambda: place.log("server").count("ended with exit code 9") >= 2, "a second try")
    assert place.log("server").count("is replaced") <= 3
    place.answer("mended")
    assert master.reload().event is Event.RELOADED
    assert text(master.address) == "mended"


def test_a_stopped_worker_is_replaced(place: Place, start: Start) -> None:
    place.app("app", PID_APP)
    place.site("heartbeat_timeout = 2")
    master = start()
    [worker] = master.workers
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: master.workers not in ([worker], []), "another worker")
    assert text(master.address) != str(worker)
    assert f"worker #0 (pid {worker}) gives no sign of life and is killed" in place.log("server")


def test_a_busy_worker_is_not_taken_for_a_stuck_one(place: Place, start: Start) -> None:
    place.app("app", "import time\n" + PID_APP.replace("start_response(", "time.sleep(4)\n    start_response(", 1))
    place.site("heartbeat_timeout = 2\nthreads = 0")
    master = start()
    [worker] = master.workers
    assert text(master.address) == str(worker)
    assert master.workers == [worker]


def test_an_app_that_holds_the_loop_for_ever_is_ended(place: Place, tmp_path: Path) -> None:
    """Without threads a request has a minute; here two seconds."""
    boot = tmp_path / "boot.py"
    boot.write_text(
        "import sys\nfrom skitaid.instance import health, master\n"
        "health.INLINE_REQUEST_S = 2.0\nsys.exit(master.main(sys.argv[1:]))\n"
    )
    place.app(
        "app",
        "def app(environ, start_response):\n    if environ['PATH_INFO'] == '/hang':\n"
        "        while True:\n            pass\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'hello']\n",
    )
    place.site("heartbeat_timeout = 2\nthreads = 0")
    master = Master(place, boot=boot, PYTHONPATH=str(Path(__file__).parents[2]))
    try:
        master.ready()
        sock = connect(master.address)
        sock.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(1) == b""
        assert text(master.address) == "hello"
        sock.close()
    finally:
        master.end()


def test_a_worker_past_the_critical_point_is_replaced(place: Place, start: Start) -> None:
    place.app(
        "app",
        "import os\nimport threading\n"
        + PID_APP
        + """
def burn():
    while True:
        pass

def burning(environ, start_response):
    threading.Thread(target=burn, daemon=True).start()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"it burns"]
""",
    )
    place.site(
        routes="/ = ../../apps/app\n/burn = ../../apps/app:burning",
        more="[critical point]\ncpu_percent = 10\ncontinuous = 2\ninterval = 1\n",
    )
    master = start()
    [worker] = master.workers
    assert text(master.address, "/burn") == "it burns"
    wait_for(lambda: text(master.address) != str(worker), "another worker")
    assert f"worker #0 (pid {worker}) passed the critical point and is replaced" in place.log("server")
    wait_for(lambda: is_gone(worker), "the end of the hot one")


# ---------------------------------------------------------------- reload


class in_flight:
    """Around what is done while one slow request runs; gives the list its answer comes into."""

    def __init__(self, address: str, begun: Path) -> None:
        self._begun = begun
        self._answers: list[str] = []
        self._thread = threading.Thread(target=self._ask, args=(address,))

    def _ask(self, address: str) -> None:
        self._answers.append(text(address, f"/slow?{self._begun}"))

    def __enter__(self) -> list[str]:
        self._thread.start()
        wait_for(self._begun.exists, "the slow request to begin")
        return self._answers

    def __exit__(self, *exc_info: object) -> None:
        self._thread.join(WAIT_S)


def test_a_reload_takes_new_code_and_loses_nothing_in_flight(place: Place, start: Start, tmp_path: Path) -> None:
    place.app("app", SLOW_APP)
    place.site("processes = 2")
    master = start()
    before = set(master.workers)
    with in_flight(master.address, tmp_path / "begun") as answers:
        place.answer("new")
        assert master.reload().event is Event.RELOADED
        assert text(master.address) == "new"
    assert answers == ["done"]
    wait_for(lambda: not before & set(master.workers), "the end of the old ones")
    assert len(master.workers) == 2


def test_reloads_refuse_and_reset_nobody(place: Place, start: Start) -> None:
    place.answer("0")
    place.site("processes = 2")
    master = start()
    with Hammer(master.address).at_work() as hammer:
        for count in range(1, 6):
            place.answer(str(count))
            assert master.reload().event is Event.RELOADED
            wait_for(lambda count=count: str(count) in hammer.answers[-3:], "the new answer")
    assert hammer.failures == []
    assert {str(count) for count in range(6)} <= set(hammer.answers)


def test_a_request_half_sent_at_a_reload_is_answered_and_its_connection_closed(place: Place, start: Start) -> None:
    place.answer("old")
    place.site()
    master = start()
    with connect(master.address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n")
        received = b""
        while not received.endswith(b"old"):
            received += sock.recv(65536)
        place.answer("new")
        assert master.reload().event is Event.RELOADED
        sock.sendall(b"Host: a\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"old")
    assert text(master.address) == "new"


def test_a_reload_with_a_broken_app_keeps_the_old_and_says_why(place: Place, start: Start) -> None:
    place.answer("old")
    place.answer("other", "other")
    place.site(routes="/ = ../../apps/app\n/other = ../../apps/other")
    master = start()
    before = master.workers
    place.app("app", "import no_such_module_anywhere\n")
    place.answer("other and new", "other")
    outcome = master.reload()
    assert outcome.event is Event.RELOAD_FAILED
    assert "No module named 'no_such_module_anywhere'" in outcome.reason
    assert outcome.reason.startswith("this app cannot be loaded: / (")
    assert (text(master.address), text(master.address, "/other")) == ("old", "other")
    wait_for(lambda: master.workers == before, "the end of the new ones")
    assert "reload failed, what served goes on" in place.log("server")
    place.answer("new")
    assert master.reload().event is Event.RELOADED
    assert (text(master.address), text(master.address, "/other")) == ("new", "other and new")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os\nos._exit(5)\n", "worker #0 ended with exit code 5 before all were ready"),
        ("import time\ntime.sleep(600)\n", "not ready within 1 s (start_timeout)"),
    ],
)
def test_a_reload_whose_workers_do_not_come_up_keeps_the_old(
    place: Place, start: Start, source: str, reason: str
) -> None:
    place.answer("old")
    place.site("start_timeout = 1")
    master = start()
    before = master.workers
    place.app("app", source)
    outcome = master.reload()
    assert (outcome.event, outcome.reason) == (Event.RELOAD_FAILED, reason)
    assert text(master.address) == "old"
    wait_for(lambda: master.workers == before, "the end of the new ones")


def test_an_app_that_failed_before_does_not_stand_in_the_way(place: Place, start: Start) -> None:
    place.app("bad", "import no_such_module_anywhere\n")
    place.answer("old")
    place.site(routes="/ = ../../apps/app\n/bad = ../../apps/bad")
    master = start()
    place.answer("new")
    assert master.reload().event is Event.RELOADED
    assert text(master.address) == "new"


def test_a_reload_with_a_bad_conf_keeps_the_old(place: Place, start: Start) -> None:
    place.answer("old")
    place.site()
    master = start()
    place.site("prot = 1")
    outcome = master.reload()
    assert outcome.event is Event.RELOAD_FAILED
    assert "site.conf:3: [server] prot: unknown key" in outcome.reason
    assert text(master.address) == "old"


def test_a_reload_changes_ports(place: Place, start: Start) -> None:
    place.answer("hello")
    one, two, three = (f"127.0.0.1:{free_port()}" for _ in range(3))
    place.site(f"listen = {one}, {two}")
    master = start()
    place.site(f"listen = {two}, {three}")
    assert master.reload().addresses == (two, three)
    assert text(two) == text(three) == "hello"
    wait_for(lambda: is_refused(one), "the address that was given up to be closed")
    assert can_bind(one)


def test_a_reload_to_a_port_that_is_taken_keeps_the_old(place: Place, start: Start) -> None:
    place.answer("hello")
    mine, fresh = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    place.site(f"listen = {mine}")
    master = start()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        place.site(f"listen = {mine}, {fresh}, 127.0.0.1:{port}")
        outcome = master.reload()
    assert outcome.event is Event.RELOAD_FAILED
    assert f"cannot listen on 127.0.0.1:{port}" in outcome.reason
    assert text(mine) == "hello"
    assert is_refused(fresh)


@pytest.mark.parametrize(("before", "after"), [("", "127.0.0.1"), ("127.0.0.1", "")])
def test_a_reload_from_all_addresses_to_one_and_back(place: Place, start: Start, before: str, after: str) -> None:
    place.answer("hello")
    port = free_port()
    place.site(f"ip = {before}\nport = {port}")
    master = start()
    place.answer("next")
    place.site(f"ip = {after}\nport = {port}")
    assert master.reload().event is Event.RELOADED
    assert text(f"127.0.0.1:{port}") == "next"
    assert is_refused(f"127.0.0.2:{port}") == bool(after)


ENVIRON_APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = [environ["wsgi.multithread"], environ["wsgi.multiprocess"], os.environ.get("COLOUR"),
             os.environ.get("TASTE"), os.getcwd()]
    return [" ".join(map(str, words)).encode()]
"""


def test_a_reload_changes_processes_threads_environment_and_directory(place: Place, start: Start) -> None:
    place.app("app", ENVIRON_APP)
    place.site(more="[environment]\nCOLOUR = red\nTASTE = sweet\n")
    master = start(COLOUR="red", TASTE="sweet")  # as the supervisor starts it
    home = place.root / "var" / "lib" / "instances" / "site"
    assert text(master.address) == f"True False red sweet {home}"
    place.site(f"processes = 3\nthreads = 0\ndirectory = {place.apps}", more="[environment]\nCOLOUR = blue\n")
    assert master.reload().event is Event.RELOADED
    assert text(master.address) == f"False True blue None {place.apps}"
    wait_for(lambda: len(master.workers) == 3, "three workers")
    place.site()
    assert master.reload().event is Event.RELOADED
    assert text(master.address) == f"True False None None {home}"
    wait_for(lambda: len(master.workers) == 1, "one worker")


def descriptors(pid: int) -> list[str]:
    """What the descriptors of a process lead to, without numbers that differ."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # open for a moment only
            found.append(re.sub(r"\[\d+\]", "", os.readlink(f"/proc/{pid}/fd/{name}")))
    return sorted(found)


def test_reloads_leave_no_descriptors_behind(place: Place, start: Start) -> None:
    place.app("app", PID_APP)
    place.site("processes = 2")
    master = start()
    text(master.address)
    of_master, of_worker = (
        min((descriptors(pid) for _ in range(5)), key=len)  # without those of a moment
        for pid in (master.pid, master.workers[0])
    )
    assert not [target for target in of_worker if target.endswith(".lock")]
    for _ in range(5):
        before = set(master.workers)
        assert master.reload().event is Event.RELOADED
        wait_for(lambda before=before: not before & set(master.workers), "the end of the old ones")
    assert len(master.workers) == 2
    wait_for(lambda: not Counter(descriptors(master.pid)) - Counter(of_master), "the master's having no more either")
    worker = int(text(master.address))
    wait_for(lambda: not Counter(descriptors(worker)) - Counter(of_worker), "its having no more than the first ones")


def test_processes_are_named(place: Place, start: Start) -> None:
    pytest.importorskip("setproctitle", reason="without setproctitle nobody can name processes")
    place.answer("hello")
    place.site("processes = 2")
    master = start()
    titles = [Path(f"/proc/{pid}/cmdline").read_text().strip("\0") for pid in (master.pid, *master.workers)]
    assert titles == ["skitaid: site master", "skitaid: site worker #0", "skitaid: site worker #1"]


def test_many_reloads_asked_for_at_once_come_to_an_end(place: Place, start: Start) -> None:
    place.answer("old")
    place.site("processes = 2")
    master = start()
    for _ in range(20):
        master.signal(signal.SIGHUP)
    master.until(Event.RELOADED)
    place.answer("new")
    master.signal(signal.SIGHUP)
    wait_for(lambda: text(master.address) == "new", "the app as it is now")
    wait_for(lambda: len(master.workers) == 2, "two workers and no more")


def test_a_reload_asked_for_during_a_reload_follows_it(place: Place, start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.answer("old")
    place.site()
    master = start()
    place.app("app", f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(1)\n")
    master.signal(signal.SIGHUP)
    wait_for(begun.exists, "the reload to begin")
    place.answer("new")
    master.signal(signal.SIGHUP)
    wait_for(lambda: text(master.address) == "new", "the second reload")


def test_a_worker_killed_during_a_reload(place: Place, start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.answer("old")
    place.site()
    master = start()
    [old] = master.workers
    place.app("app", f"import time\nopen({str(begun)!r}, 'a').close()\ntime.sleep(1.5)\n" + PID_APP)
    master.signal(signal.SIGHUP)
    wait_for(begun.exists, "the reload to begin")
    os.kill(old, signal.SIGKILL)
    master.until(Event.RELOADED)
    pid = int(text(master.address))
    wait_for(lambda: master.workers == [pid], "one worker, the one that serves")


def test_a_stop_during_a_reload(place: Place, start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.answer("old")
    place.site()
    master = start()
    place.app("app", f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(600)\n")
    master.signal(signal.SIGHUP)
    wait_for(begun.exists, "the reload to begin")
    assert master.stop(signal.SIGQUIT) == 0
    assert session_members(master.pid) == {}


# ---------------------------------------------------------------- use_reloader


def test_an_edited_app_is_reloaded(place: Place, start: Start) -> None:
    place.answer("old")
    place.site("processes = 2", more="[/]\nuse_reloader = yes\n")
    master = start()
    assert text(master.address) == "old"
    place.answer("new")
    wait_for(lambda: text(master.address) == "new", "the edited app")
    master.until(Event.RELOADED)
    assert place.log("server").count("the source of an app changed") == 1


def test_a_mistake_keeps_the_old_until_it_is_corrected(place: Place, start: Start) -> None:
    """Also when the correction is in a file that the old app never heard of."""
    place.answer("old")
    place.site(more="[/]\nuse_reloader = yes\n")
    master = start()
    place.app("part", "answer = b'new'\nthis is no python\n")
    place.app(
        "app",
        "from part import answer\ndef app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [answer]\n",
    )
    assert "part.py:2" in master.until(Event.RELOAD_FAILED).reason
    assert text(master.address) == "old"
    place.app("part", "answer = b'new'\n")
    wait_for(lambda: text(master.address) == "new", "the corrected app")


def test_an_app_broken_from_the_beginning_is_served_once_corrected(place: Place, start: Start) -> None:
    place.app("app", "this is no python\n")
    place.site(more="[/]\nuse_reloader = yes\n")
    master = start()
    assert get(master.address)[0] == 500
    place.answer("corrected")
    wait_for(lambda: serves(master.address, "corrected"), "the corrected app")


def test_without_use_reloader_nothing_happens(place: Place, start: Start) -> None:
    place.answer("old")
    place.answer("watched", "watched")
    place.site(routes="/ = ../../apps/app")
    master = start()
    place.answer("new")
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 2.2, "two looks at the files")
    assert text(master.address) == "old"


# ---------------------------------------------------------------- addresses


def test_a_unix_socket(place: Place, start: Start) -> None:
    place.answer("hello")
    path = place.root / "site.sock"
    place.site(f"listen = unix:{path}, 127.0.0.1:0")
    master = start()
    assert master.addresses[0] == f"unix:{path}"
    assert text(f"unix:{path}") == text(master.addresses[1]) == "hello"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert master.reload().event is Event.RELOADED
    assert text(f"unix:{path}") == "hello"
    assert master.stop() == 0
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced(place: Place, start: Start) -> None:
    place.answer("hello")
    path = place.root / "site.sock"
    place.site(f"listen = unix:{path}")
    first = start()
    first.process.kill()
    first.ended()
    start()
    assert text(f"unix:{path}") == "hello"


@pytest.mark.parametrize("is_accepting", [True, False])
def test_a_unix_socket_in_use_is_left_alone(place: Place, start: Start, is_accepting: bool) -> None:
    place.answer("hello")
    path = place.root / "site.sock"
    place.site(f"listen = unix:{path}")
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(16 if is_accepting else 0)
        waiting.connect(str(path))  # a queue of length 0 is full with it
        assert start(is_ready=False).ended() == 1
        assert path.exists()
    assert f"cannot listen on unix:{path}: Address already in use (another program" in place.log("server")


def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(place: Place, start: Start) -> None:
    place.answer("hello")
    path = place.root / "site.sock"
    path.write_text("precious")
    place.site(f"listen = unix:{path}")
    assert start(is_ready=False).ended() == 1
    assert path.read_text() == "precious"
    assert "a file that is not a socket has this name (remove it" in place.log("server")


def test_ipv6(place: Place, start: Start) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    place.answer("hello")
    port = free_port()
    place.site(f"listen = [::1]:{port}, 127.0.0.1:{port}")
    master = start()
    assert master.addresses == (f"[::1]:{port}", f"127.0.0.1:{port}")
    assert text(f"[::1]:{port}") == text(f"127.0.0.1:{port}") == "hello"


# ---------------------------------------------------------------- apps


SERVICES_APP = """
from services import greeting
from . import extra

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{greeting.TEXT} {extra.TEXT} {environ['SCRIPT_NAME']}".encode()]
"""


def test_two_apps_of_the_same_name_with_services_of_their_own(place: Place, start: Start) -> None:
    for name in ("one", "two"):
        place.app(f"{name}/app", SERVICES_APP)
        place.app(f"{name}/extra", f"TEXT = 'extra {name}'\n")
        place.app(f"{name}/services/__init__", "")
        place.app(f"{name}/services/greeting", f"TEXT = 'this is {name}'\n")
    place.site(routes="/one = ../../apps/one/app\n/two = ../../apps/two/app.py:app")
    master = start()
    assert text(master.address, "/one") == "this is one extra one /one"
    assert text(master.address, "/two") == "this is two extra two /two"


def test_apps_are_told_where_they_are_and_nothing_that_is_the_master_s(place: Place, start: Start) -> None:
    place.app(
        "app",
        "import os\ndef app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    names = sorted(name for name in os.environ if name.startswith('SKITAID_'))\n"
        "    return ['\\n'.join(f'{name}={os.environ[name]}' for name in names)]\n",
    )
    place.site()
    var = place.root / "var"
    assert text(start(SKITAID_RUN_PORT="0", SKITAID_PATH="/nowhere").address).split("\n") == [
        f"SKITAID_ETC={place.etc}",
        "SKITAID_INSTANCE=site",
        f"SKITAID_LOG_PATH={var}/log/instances/site",
        f"SKITAID_SPOOL_PATH={var}/lib/daemons/smtpda",
        f"SKITAID_VAR_PATH={var}/lib/instances/site",
    ]


def test_pythonpath_comes_first(place: Place, start: Start) -> None:
    place.app("lib/its_own_module", "TEXT = b'from pythonpath'\n")
    place.app(
        "app",
        "import its_own_module\ndef app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [its_own_module.TEXT]\n",
    )
    place.site("pythonpath = ../../apps/lib")
    assert text(start().address) == "from pythonpath"


ASGI_APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.WORD"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"from asgi"})
"""


def test_an_asgi_app_beside_a_wsgi_app(place: Place, start: Start) -> None:
    place.answer("hello")
    place.app("asgi", ASGI_APP.replace("WORD", "complete"))
    place.site(routes="/ = ../../apps/app\n/asgi = ../../apps/asgi")
    master = start()
    assert (text(master.address), text(master.address, "/asgi")) == ("hello", "from asgi")


def test_an_asgi_app_that_cannot_start_keeps_the_old_workers(place: Place, start: Start) -> None:
    place.app("asgi", ASGI_APP.replace("WORD", "complete"))
    place.site(routes="/asgi = ../../apps/asgi")
    master = start()
    place.app("asgi", ASGI_APP.replace("WORD", "failed"))
    assert master.reload().event is Event.RELOAD_FAILED
    assert text(master.address, "/asgi") == "from asgi"


# ---------------------------------------------------------------- logs


def test_usr1_rotates_and_lines_go_on(place: Place, start: Start) -> None:
    place.app("app", "import sys\n" + PID_APP.replace("start_response(", "print('printed')\n    start_response(", 1))
    place.site("processes = 2")
    master = start()
    text(master.address)
    wait_for(lambda: "GET / HTTP/1.1" in place.log("request"), "the request's line")
    master.signal(signal.SIGUSR1)
    wait_for(lambda: "logs rotated" in place.log("server"), "the rotation")
    folder = place.root / "var" / "log" / "instances" / "site"
    for kind in ("server", "request", "stderr"):
        assert list(folder.glob(f"{kind}.log.*")), kind
    text(master.address)
    wait_for(lambda: "GET / HTTP/1.1" in place.log("request"), "a line in the new file")
    wait_for(lambda: "printed" in place.log("stderr"), "a line in the new file")


def test_lines_go_on_after_somebody_moved_the_files(place: Place, start: Start) -> None:
    place.app(
        "app",
        "def app(environ, start_response):\n    environ['wsgi.errors'].write('told\\n')\n"
        "    print('printed')\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'']\n",
    )
    place.site()
    master = start()
    folder = place.root / "var" / "log" / "instances" / "site"
    for path in list(folder.glob("*.log")):
        path.rename(path.with_suffix(".moved"))
    sought = {"app": "told", "request": "GET / ", "stderr": "printed"}
    wait_for(
        lambda: text(master.address) == "" and all(word in place.log(kind) for kind, word in sought.items()),
        "lines in new files",
    )


def test_a_full_disk_stops_nobody(place: Place, start: Start) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    folder = place.root / "var" / "log" / "instances" / "site"
    folder.mkdir(parents=True)
    for kind in ("server", "app", "request", "stderr"):
        (folder / f"{kind}.log").symlink_to("/dev/full")
    place.app(
        "app",
        "import sys\ndef app(environ, start_response):\n    print('printed')\n"
        "    print('printed', file=sys.stderr)\n    environ['wsgi.errors'].write('told\\n')\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'served']\n"
        "def failing(environ, start_response):\n    raise RuntimeError\n",
    )
    place.site(routes="/ = ../../apps/app\n/failing = ../../apps/app:failing")
    master = start()
    [worker] = master.workers
    assert [text(master.address) for _ in range(5)] == ["served"] * 5
    assert get(master.address, "/failing")[0] == 500
    assert master.reload().event is Event.RELOADED
    assert text(master.address) == "served"
    wait_for(lambda: is_gone(worker), "the end of the old one")
    assert master.stop(signal.SIGQUIT) == 0
    assert session_members(master.pid) == {}
