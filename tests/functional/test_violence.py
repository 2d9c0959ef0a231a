"""The daemon under violence: what a visitor sees while processes are killed, confs edited and apps broken."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from tests.functional.running import (
    PID_APP,
    Daemon,
    Hammer,
    Place,
    can_bind,
    connect,
    free_port,
    is_refused,
    serves,
    text,
    wait_for,
)


@pytest.fixture
def address(place: Place) -> str:
    """A site of two workers is prepared there."""
    port = free_port()
    place.app("app", PID_APP)
    place.site(f"listen = 127.0.0.1:{port}\nprocesses = 2")
    return f"127.0.0.1:{port}"


def kill(*pids: int, number: signal.Signals = signal.SIGKILL) -> None:
    for pid in pids:
        os.kill(pid, number)


def is_whole(daemon: Daemon) -> bool:
    """One master and two workers that are ready."""
    site = daemon.see()
    return site.get("state") == "running" and [worker["state"] for worker in site["workers"]] == ["ready", "ready"]


def is_tidy(daemon: Daemon) -> bool:
    """No zombie, and no process but the supervisor, the master and its workers."""
    site = daemon.see()
    known = {daemon.pid, site["pid"], *(worker["pid"] for worker in site["workers"])}
    return set(daemon.members) == known and "Z" not in daemon.members.values()


# ---------------------------------------------------------------- kill -9


@pytest.mark.parametrize("victims", ["worker", "workers", "master", "master and a worker", "all but the supervisor"])
def test_killed(daemon: Daemon, address: str, victims: str) -> None:
    site = daemon.start().see()
    workers = [worker["pid"] for worker in site["workers"]]
    chosen = {
        "worker": workers[:1],
        "workers": workers,
        "master": [site["pid"]],
        "master and a worker": [site["pid"], workers[0]],
        "all but the supervisor": [site["pid"], *workers],
    }[victims]
    kill(*chosen)
    # In this order: what status says counts once the supervisor has seen who died.
    wait_for(
        lambda: not set(chosen) & set(daemon.members) and is_whole(daemon) and serves(address), "a site that is whole"
    )
    assert "BACKOFF" not in daemon.log
    wait_for(lambda: is_tidy(daemon), "nobody else")
    assert int(text(address)) not in chosen


def test_a_killed_worker_costs_no_connection(daemon: Daemon, address: str) -> None:
    """But those that it had."""
    site = daemon.start().see()
    with Hammer(address, threads=2).at_work() as hammer:
        kill(site["workers"][0]["pid"])
        wait_for(lambda: daemon.see()["workers_replaced"] == 1 and is_whole(daemon), "another worker")
    assert len(hammer.failures) <= 2  # each thread had one connection at most
    assert not any("Refused" in failure for failure in hammer.failures)


@pytest.mark.parametrize("how", ["alone", "with the master", "with all its children"])
def test_a_killed_supervisor(daemon: Daemon, address: str, how: str) -> None:
    site = daemon.start().see()
    victims = {
        "alone": [],
        "with the master": [site["pid"]],
        "with all its children": [site["pid"], *(worker["pid"] for worker in site["workers"])],
    }[how]
    kill(daemon.pid, *victims)
    daemon.start()
    assert serves(address)
    wait_for(lambda: is_tidy(daemon), "nobody else")


def test_everybody_goes_when_the_supervisor_is_killed(daemon: Daemon, address: str) -> None:
    daemon.start()
    daemon.kill_supervisor()
    wait_for(lambda: not daemon.members, "the end of everybody")
    assert can_bind(address)
    assert daemon("status").returncode == 1


def test_a_stopped_worker_whose_master_is_killed_is_not_in_the_way_for_long(daemon: Daemon, address: str) -> None:
    site = daemon.start().see()
    kill(site["workers"][0]["pid"], number=signal.SIGSTOP)
    kill(site["pid"])
    wait_for(lambda: serves(address) and is_whole(daemon), "a site that is whole")
    wait_for(lambda: is_tidy(daemon), "nobody else")


def test_a_master_that_is_killed_again_and_again_is_started_ever_less_often(daemon: Daemon, address: str) -> None:
    daemon.start()
    for _ in range(4):
        before = daemon.see()["pid"]
        kill(before)
        wait_for(
            lambda before=before: (
                daemon.see()["state"] == "backoff" or (daemon.see()["pid"] not in (before, None) and is_whole(daemon))
            ),
            "another master",
        )
    site = wait_for(lambda: (found := daemon.see())["state"] == "backoff" and found, "the back-off")
    assert site["pid"] is None
    wait_for(lambda: serves(address) and is_whole(daemon), "the next try")


def test_a_master_killed_while_it_starts(daemon: Daemon, place: Place, address: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    daemon.start()
    place.app("app", f"import time\nopen({str(begun)!r}, 'a').close()\ntime.sleep(1)\n" + PID_APP)
    kill(daemon.see()["pid"])
    wait_for(begun.exists, "the next master's worker to load its app")
    kill(wait_for(lambda: daemon.see()["pid"], "the next master"))
    wait_for(lambda: serves(address) and is_whole(daemon), "a site that is whole")
    wait_for(lambda: is_tidy(daemon), "nobody else")


def test_a_master_killed_while_it_reloads(daemon: Daemon, place: Place, address: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    site = daemon.start().see()
    place.app("app", f"import time\nopen({str(begun)!r}, 'a').close()\ntime.sleep(1)\n" + PID_APP)
    kill(site["pid"], number=signal.SIGHUP)
    wait_for(begun.exists, "the reload to begin")
    kill(site["pid"])
    wait_for(lambda: serves(address) and is_whole(daemon), "a site that is whole")
    wait_for(lambda: is_tidy(daemon), "nobody else")


def test_a_supervisor_killed_while_it_stops(daemon: Daemon, place: Place, address: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    place.app("app", f"import time\ndef app(e, s):\n    open({str(begun)!r}, 'w').close()\n    time.sleep(600)\n")
    daemon.start()
    with connect(address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(begun.exists, "the app to begin")
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for(lambda: is_refused(address), "the address to be closed")
        daemon.kill_supervisor()
        wait_for(lambda: not daemon.members, "the end of everybody")
    place.app("app", PID_APP)
    daemon.start()
    assert serves(address)


# ---------------------------------------------------------------- start and stop


def test_a_second_start_is_refused_and_disturbs_nobody(daemon: Daemon, address: str) -> None:
    site = daemon.start().see()
    again = daemon("start")
    assert again.returncode == 1
    assert f"already running with pid {daemon.pid}" in again.stderr
    assert daemon.see()["pid"] == site["pid"]
    assert serves(address)


@pytest.mark.parametrize("what", ["", "skitaid.lock", "skitaid.sock"])
def test_what_is_removed_under_the_daemon_comes_back(daemon: Daemon, place: Place, address: str, what: str) -> None:
    """A cleaner of /run: without its lock a second daemon could start, without its socket no command reaches it."""
    site = daemon.start().see()
    pid = daemon.pid
    if what:
        (place.run_path / what).unlink()
    else:
        shutil.rmtree(place.run_path)
    wait_for(lambda: "anew" in daemon.log, "the log to tell of it")
    again = daemon("start")
    assert (again.returncode, daemon.pid) == (1, pid)
    assert f"already running with pid {pid}" in again.stderr
    assert daemon.see()["pid"] == site["pid"]
    assert serves(address)
    assert daemon("stop").returncode == 0
    wait_for(lambda: not daemon.members, "the end of everybody")
    assert daemon.log.count("anew") == 1


@pytest.mark.parametrize("command", ["stop", "terminate"])
def test_a_stop_leaves_nobody_and_the_port_free(daemon: Daemon, address: str, command: str) -> None:
    daemon.start()
    assert serves(address)
    assert daemon(command).returncode == 0
    assert can_bind(address)
    wait_for(lambda: not daemon.members, "the end of everybody")
    daemon.start()
    assert serves(address)


def test_a_restart_of_all_refuses_nobody(daemon: Daemon, place: Place, address: str) -> None:
    daemon.start()
    with Hammer(address).at_work() as hammer:
        place.answer("next")
        assert daemon("restart").returncode == 0
        wait_for(lambda: "next" in hammer.answers, "the new app")
    assert hammer.failures == []
    assert text(address) == "next"


def test_a_restart_of_one_begins_anew(daemon: Daemon, place: Place, address: str) -> None:
    before = daemon.start().see()["pid"]
    place.answer("next")
    assert daemon("-f", "site", "restart").returncode == 0
    assert text(address) == "next"
    assert daemon.see()["pid"] != before
    wait_for(lambda: is_tidy(daemon), "nobody else")


# ---------------------------------------------------------------- conf and apps


def test_a_reload_of_a_broken_app_says_so_and_keeps_the_old(daemon: Daemon, place: Place, address: str) -> None:
    daemon.start()
    place.app("app", "import no_such_module_anywhere\n")
    done = daemon("-f", "site", "reload")
    assert done.returncode == 1
    assert "No module named 'no_such_module_anywhere'" in done.stdout + done.stderr
    # The new workers, which are of no use, may take a moment to go; the old ones never went.
    assert serves(address)
    wait_for(lambda: is_whole(daemon), "the old workers alone")


def test_workers_keep_their_numbers_over_reloads(daemon: Daemon, address: str) -> None:
    daemon.start()
    for _ in range(2):
        before = {worker["pid"] for worker in daemon.see()["workers"]}
        assert daemon("-f", "site", "reload").returncode == 0
        wait_for(
            lambda before=before: (
                is_whole(daemon) and not before & {worker["pid"] for worker in daemon.see()["workers"]}
            ),
            "the new workers alone",
        )
        assert [worker["id"] for worker in daemon.see()["workers"]] == [0, 1]


def test_confs_come_go_and_change(daemon: Daemon, place: Place, address: str) -> None:
    daemon.start()
    first = daemon.see()["pid"]
    other = f"127.0.0.1:{free_port()}"
    place.answer("other", "other")
    place.site(f"listen = {other}", routes="/ = ../../apps/other", name="other")
    wait_for(lambda: serves(other, "other"), "the conf that came to be served")
    assert len(daemon.status()) == 2

    place.site("prot = 1", name="other")
    wait_for(lambda: "unknown key" in daemon.log, "the mistake to be told")
    assert serves(other, "other")
    moved = f"127.0.0.1:{free_port()}"
    place.site(f"listen = {moved}", routes="/ = ../../apps/other", name="other")
    wait_for(lambda: "its conf file was edited and is right" in daemon.log, "the correction to be told")
    assert serves(other, "other")
    assert daemon("-f", "other", "reload").returncode == 0
    assert serves(moved, "other")
    wait_for(lambda: is_refused(other), "the old address to be closed")

    (place.etc / "servers-enabled" / "other.conf").unlink()
    wait_for(lambda: is_refused(moved), "the conf that went to be stopped")
    wait_for(lambda: list(daemon.status()) == ["site"], "its being forgotten")
    assert daemon.see()["pid"] == first
    assert serves(address)


@pytest.mark.parametrize("fault", ["conf", "import", "crash at import", "port"])
def test_of_two_instances_one_is_bad(daemon: Daemon, place: Place, address: str, fault: str) -> None:
    place.app(
        "bad",
        {"import": "import no_such_module_anywhere\n", "crash at import": "import os\nos._exit(1)\n"}.get(
            fault, PID_APP
        ),
    )
    port = address.rpartition(":")[2] if fault == "port" else "0"
    more = "prot = 1" if fault == "conf" else ""
    place.site(f"listen = 127.0.0.1:{port}\n{more}", routes="/ = ../../apps/bad", name="bad")
    done = daemon("start")
    assert done.returncode == 0, done.stderr
    assert serves(address)
    states = {name: item["state"] for name, item in daemon.status().items()}
    assert states["site"] == "running" or fault == "port"
    assert set(states.values()) != {"running"} or fault == "import"


def test_a_conf_that_is_bad_when_the_master_dies(daemon: Daemon, place: Place, address: str) -> None:
    """Nothing can be started by it; what corrects it starts it."""
    daemon.start()
    good = (place.etc / "servers-enabled" / "site.conf").read_text()
    place.conf(good + "nonsense\n")
    kill(daemon.see()["pid"])
    wait_for(lambda: daemon.see()["state"] == "fatal", "its being noticed")
    place.conf(good)
    wait_for(lambda: serves(address) and is_whole(daemon), "the corrected conf to be served")


# ---------------------------------------------------------------- a full disk


def test_a_full_disk_stops_nobody(daemon: Daemon, place: Place, address: str) -> None:
    """A limit on the size of files has the same effect on logs that are as long already. The shared tables in memory,
    which no disk can hinder, fall under it too: it leaves room for them."""
    limit = 1 << 20
    folder = place.root / "var" / "log"
    logs = [
        folder / "skitaid.log",
        *(folder / "instances" / "site" / f"{kind}.log" for kind in ("server", "app", "request", "stderr")),
    ]
    for path in logs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a line from before\n" * (limit // 19 + 1))
    daemon.before_exec = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    place.app(
        "app",
        "def app(environ, start_response):\n    print('printed')\n"
        "    environ['wsgi.errors'].write('told\\n')\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'served']\n",
    )
    daemon.start()
    assert text(address) == "served"
    site = daemon.see()
    kill(site["workers"][0]["pid"])
    wait_for(lambda: daemon.see()["workers_replaced"] == 1 and is_whole(daemon), "another worker")
    assert daemon("-f", "site", "reload").returncode == 0
    assert text(address) == "served"
    assert [path.stat().st_size for path in logs] == [logs[0].stat().st_size] * len(logs)
    assert daemon("stop").returncode == 0
    wait_for(lambda: not daemon.members, "the end of everybody")


def test_a_pid_file_that_cannot_be_written_stops_nobody(daemon: Daemon, place: Place, address: str) -> None:
    (place.run_path / "skitaid.pid.new").mkdir(parents=True)
    assert daemon("start").returncode == 0
    assert serves(address)
    assert "skitaid.pid: Is a directory; init scripts may not find this daemon" in daemon.log
    assert daemon("stop").returncode == 0


# ---------------------------------------------------------------- at random


@pytest.mark.time_limit(180)
def test_whatever_is_killed_the_site_is_whole_again(daemon: Daemon, address: str) -> None:
    """The same numbers each time: which are killed at once, and by what."""
    daemon.start()
    for round_, number in enumerate([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]):
        site = wait_for(lambda: (found := daemon.see()).get("pid") and found, "a master")
        workers = [worker["pid"] for worker in site["workers"]]
        victims = {pid for bit, pid in enumerate([*workers, site["pid"]]) if number >> bit & 1}
        for pid in victims:
            soft = signal.SIGTERM if round_ % 2 else signal.SIGQUIT
            kill(pid, number=soft if pid in workers and round_ % 3 == 0 else signal.SIGKILL)
        if number > 7:
            daemon.kill_supervisor()
            daemon.start()
        wait_for(lambda victims=victims: not victims & set(daemon.members), "the end of the victims")
        if daemon.see()["state"] == "backoff":
            assert daemon("-f", "site", "start").returncode == 0
        wait_for(lambda: serves(address) and is_whole(daemon), "a site that is whole")
        wait_for(lambda: is_tidy(daemon), "nobody else")
