"""Functions in other processes, and commands, as tasks."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid import was
from skitaid.instance import functions
from skitaid.was.local import pools
from skitaid.was.local.process_work import ProcessPool, ProcessWork, RemoteTraceback
from skitaid.was.state_table import StateTable
from skitaid.was.states import registered_names
from skitaid.was.tasks.result import STA_NORMAL, STA_REQFAIL, STA_TIMEOUT
from skitaid.was.tasks.task import Task
from skitaid.was.worker import Worker, current_worker
from tests.functional.engines import until
from tests.functional.running import ROOT
from tests.unit.was.rig import world

MODULE = """
import os
import signal
import subprocess
import sys
import time

from skitaid import was

was.register_states("local.sum")


def add(a, b=0):
    return a + b


def pid():
    return os.getpid()


def fail(text):
    raise LookupError(text)


class Unreadable(Exception):
    def __init__(self, one, two):
        super().__init__("unreadable")


def fail_unreadably():
    raise Unreadable(1, 2)


def give_unpicklable():
    return lambda: 1


def die(code):
    os._exit(code)


def leave():
    sys.exit(3)


def hang(path):
    child = subprocess.Popen(["sleep", "60"])
    with open(path, "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    time.sleep(60)


def count(times):
    for _ in range(times):
        was.addgs("local.sum")
    return was.get_lock("local").acquire(False), was.gentemp()


def call():
    return was.get("http://127.0.0.1:1/").fetch()
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("worker")
    (folder / "local_functions.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    with world(folder):
        found = current_worker()
        found.states = states = StateTable.create()
        found.child_command = (sys.executable, functions.__file__)
        path = [str(folder), str(ROOT), *sys.path]
        found.child_fds = (states.fd,)
        found.child_setup = lambda: {
            "path": path, "roots": (str(folder),), "title": "test", "var_folder": str(folder), "states_fd": states.fd,
            "state_names": registered_names(),
        }  # fmt: skip
        yield found
    sys.path.remove(str(folder))
    sys.modules.pop("local_functions", None)


@pytest.fixture
def module(worker: Worker) -> Any:
    import local_functions  # type: ignore[import-not-found]

    return local_functions


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def has_unread(pool: ProcessPool) -> bool:
    """Whether its child was sent something that it has not read yet."""
    (child,) = pool._children
    unread = fcntl.ioctl(child._socket, termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(unread, sys.byteorder) > 0


# ---------------------------------------------------------------- processes


def test_a_function_in_another_process(module: Any) -> None:
    task = was.Process(module.add, 1000, b=-1)
    assert (task.fetch(), task.code) == (999, 200)
    pid = was.Process(module.pid).fetch()
    assert pid != os.getpid()
    assert was.Process(module.pid).fetch(10) == pid


def test_several_at_once(module: Any) -> None:
    assert was.Tasks([was.Process(module.add, number) for number in range(20)], 30).fetch() == list(range(20))
    children = pools._pools["Process"]._children
    assert 1 <= len(children) <= (os.cpu_count() or 1)


def test_an_exception_comes_back_with_its_traceback(module: Any) -> None:
    task = was.Process(module.fail, "no such thing")
    assert (task.dispatch().status, task.dispatch().code) == (STA_REQFAIL, 500)
    with pytest.raises(LookupError, match="no such thing") as raised:
        task.fetch()
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "in fail" in str(raised.value.__cause__)
    with pytest.raises(SystemExit):
        was.Process(module.leave).fetch()


def test_an_exception_that_cannot_come_back_is_told(module: Any) -> None:
    with pytest.raises(Exception, match="Unreadable"):
        was.Process(module.fail_unreadably).fetch()
    with pytest.raises(Exception, match="lambda"):
        was.Process(module.give_unpicklable).fetch()


def test_what_cannot_be_handed_over(module: Any) -> None:
    for function, arguments in ((lambda: 1, ()), (module.add, (lambda: 1,))):
        with pytest.raises(TypeError, match=r"was\.Process cannot hand"):
            was.Process(function, *arguments)


def test_a_process_that_dies_fails_its_task_alone(module: Any) -> None:
    with pytest.raises(Exception, match="ended with exit code 7 while it ran the function"):
        was.Process(module.die, 7).fetch()
    assert was.Process(module.add, 1).fetch() == 1


def test_a_process_that_takes_too_long_is_killed_with_all_it_started(module: Any, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    task = was.Process(module.hang, str(path))
    until(lambda: path.exists() and path.read_text().count(" "), "the function to begin")
    pids = [int(word) for word in path.read_text().split()]
    assert task.dispatch(0).status == STA_TIMEOUT
    until(lambda: all(map(is_gone, pids)), f"the end of {pids}")
    assert was.Process(module.add, 1).fetch() == 1


def test_it_shares_states_and_locks_with_the_worker(module: Any, worker: Worker) -> None:
    with was.get_lock("local"):
        assert was.Process(module.count, 100).fetch()[0] is False
    assert was.getgs("local.sum") == 100
    has_lock, name = was.Process(module.count, 1).fetch()
    assert has_lock
    assert name.startswith(str(worker.var_folder))


def test_it_knows_the_states_that_others_registered(module: Any) -> None:
    was.register_states("local.elsewhere")
    was.setgs("local.elsewhere", 7)
    assert was.Process(was.getgs, "local.elsewhere").fetch() == 7


def test_a_process_that_was_killed_meanwhile_is_replaced(module: Any) -> None:
    pid = was.Process(module.pid).fetch()
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(pid), "its end")
    assert was.Process(module.pid).fetch() != pid


def test_a_process_that_is_killed_before_it_takes_the_function_is_replaced(module: Any, worker: Worker) -> None:
    """It cannot have begun with it."""
    pool = ProcessPool(worker, 1)
    pid = Task(ProcessWork(pool, module.pid, (), {})).fetch()
    os.kill(pid, signal.SIGSTOP)
    task = Task(ProcessWork(pool, module.pid, (), {}))
    until(lambda: has_unread(pool), "the function to be on its way")
    os.kill(pid, signal.SIGKILL)
    other = task.fetch()
    assert other != pid
    pool.end()
    assert is_gone(other)


def test_it_calls_no_servers(module: Any) -> None:
    with pytest.raises(Exception, match="this process is none of its workers"):
        was.Process(module.call).fetch()


def test_the_end_of_the_worker_is_the_end_of_its_processes(module: Any, worker: Worker) -> None:
    pids = was.Tasks([was.Process(module.pid) for _ in range(5)], 30).fetch()
    worker.end()
    assert all(map(is_gone, pids))
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], "a zombie is left"
    assert was.Process(module.add, 1).fetch() == 1


def test_a_worker_that_is_killed_leaves_nobody_behind(module: Any, worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    script = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from skitaid.was.local.child import Child
import pickle, local_functions
child = Child({tuple(worker.child_command)!r}, {dict(worker.child_setup())!r}, {worker.child_fds!r})
child.run(pickle.dumps((local_functions.hang, ({str(path)!r},), {{}})))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], pass_fds=worker.child_fds, process_group=0)
    until(lambda: path.exists() and path.read_text().count(" "), "the function to begin")
    pids = [int(word) for word in path.read_text().split()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: all(map(is_gone, pids)), f"the end of {pids}")


# ---------------------------------------------------------------- commands


def test_a_command() -> None:
    task = was.Subprocess("echo hello; echo more")
    assert (task.fetch(), task.code) == ("hello\nmore\n", 200)
    assert was.Subprocess(["printf", "%s", "a b; c"]).fetch() == "a b; c"
    was.Subprocess("exit 0").commit()


def test_a_command_that_fails() -> None:
    task = was.Subprocess("echo out; echo why >&2; exit 3")
    assert (task.dispatch().status, task.code) == (STA_REQFAIL, 500)
    with pytest.raises(subprocess.CalledProcessError) as raised:
        task.fetch()
    assert (raised.value.returncode, raised.value.output, raised.value.stderr) == (3, "out\n", "why\n")
    with pytest.raises(FileNotFoundError):
        was.Subprocess(["/no/such/program"]).fetch()


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    task = was.Subprocess(f"sleep 60 & echo $$ $! > {path}.new; mv {path}.new {path}; wait", timeout=30)
    until(path.exists, "the command to begin")
    pids = [int(word) for word in path.read_text().split()]
    assert task.dispatch(0).status == STA_TIMEOUT
    until(lambda: all(map(is_gone, pids)), f"the end of {pids}")


def test_a_command_ends_in_time_though_nobody_waits() -> None:
    since = time.monotonic()
    task = was.Subprocess("sleep 60", timeout=0.1)
    until(lambda: task.is_done, "the end of the command")
    assert task.status == STA_TIMEOUT
    assert time.monotonic() - since < 10
    assert was.Subprocess("sleep 60", timeout=0.1).dispatch().status == STA_TIMEOUT


def test_much_output(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(was.Subprocess("head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2").fetch()) == 300_000
    from skitaid.was.local.command_work import CommandPool, CommandWork
    from skitaid.was.tasks.task import Task

    work = CommandWork(CommandPool(1), "yes", 30, max_bytes=100_000)
    with pytest.raises(Exception, match="printed more than 100000 bytes"):
        Task(work).fetch()


def test_a_command_that_never_begins() -> None:
    from skitaid.was.local.command_work import CommandPool, CommandWork
    from skitaid.was.tasks.task import Task

    pool = CommandPool(1)
    first, second = (Task(CommandWork(pool, command, 30)) for command in ("sleep 60", "echo"))
    second.give_up()
    first.give_up()
    until(lambda: not pool.is_busy, "the end of both")
    assert (first.status, second.status) == (STA_TIMEOUT, STA_TIMEOUT)


def test_commands_leave_no_descriptor() -> None:
    was.Subprocess("true").fetch()
    until(lambda: not pools._pools["Subprocess"].is_busy, "the end")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert was.Subprocess("echo").dispatch().status == STA_NORMAL
        was.Subprocess("sleep 60").dispatch(0)
    until(lambda: not pools._pools["Subprocess"].is_busy, "the end of all")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_command_that_closed_its_output_is_killed_too(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    task = was.Subprocess(f"echo $$ > {path}.new; mv {path}.new {path}; exec >&- 2>&- sleep 60", timeout=30)
    until(path.exists, "the command to begin")
    assert task.dispatch(0).status == STA_TIMEOUT
    until(lambda: is_gone(int(path.read_text())), "its end")
    assert was.Subprocess("exec >&- 2>&-; sleep 0.01; exit 3").dispatch().error.returncode == 3


def test_commands_that_wait_for_their_turn_hold_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    tasks = [was.Subprocess("sleep 60") for _ in range(200)]
    assert len(os.listdir("/proc/self/fd")) < before + 50
    for task in tasks:
        task.give_up()
    until(lambda: not pools._pools["Subprocess"].is_busy, "the end of all")


_COMMANDING = """
import os, sys, time
from skitaid import was
from skitaid.was.local import pools
for number in "12":
    path = f"{sys.argv[1]}{number}"
    was.Subprocess(f"sleep 60 & echo $$ $! > {path}.new; mv {path}.new {path}; wait")
guard = pools._pools["Subprocess"].guard
while len(guard._groups) < 2:
    time.sleep(0.001)
with guard._lock:
    is_parent = os.fork()
if not is_parent:
    time.sleep(60)
print("The guard knows both", flush=True)
sys.stdin.read()
"""


def test_commands_end_with_the_worker_that_is_killed(tmp_path: Path) -> None:
    paths = [tmp_path / f"pids{number}" for number in "12"]
    worker = subprocess.Popen(
        [sys.executable, "-c", _COMMANDING, str(tmp_path / "pids")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        process_group=0, cwd=ROOT,
    )  # fmt: skip
    assert worker.stdout is not None
    try:
        assert worker.stdout.readline() == b"The guard knows both\n"
        until(lambda: all(path.exists() for path in paths), "the commands to begin")
        pids = [int(word) for path in paths for word in path.read_text().split()]
        assert not any(map(is_gone, pids))
        worker.send_signal(signal.SIGKILL)
        until(lambda: all(map(is_gone, pids)), f"the end of {pids}")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()


def test_commands_end_with_the_worker(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    task = was.Subprocess(f"echo $$ > {path}.new; mv {path}.new {path}; exec sleep 60")
    until(path.exists, "the command to begin")
    worker.end()
    until(lambda: is_gone(int(path.read_text())), "its end")
    assert task.dispatch(10).status == STA_REQFAIL


def test_a_guard_that_was_killed_is_replaced(tmp_path: Path) -> None:
    from skitaid.was.local.command_guard import CommandGuard

    commands = [subprocess.Popen(["sleep", "60"], process_group=0) for _ in range(3)]
    guard = CommandGuard()
    guard.watch(commands[0].pid)
    assert guard._shell is not None
    guard._shell.kill()
    guard._shell.wait()
    guard.watch(commands[1].pid)
    guard.watch(commands[2].pid)
    guard.forget(commands[2].pid)
    guard.close()
    assert [commands[0].wait(10), commands[1].wait(10)] == [-signal.SIGKILL] * 2
    assert commands[2].poll() is None
    guard.watch(commands[2].pid)
    assert commands[2].wait(10) == -signal.SIGKILL


def test_a_lock_that_is_released_while_somebody_has_it_by_fork() -> None:
    lock = was.get_lock("forked")
    heard, says = os.pipe()
    lock.acquire()
    pid = os.fork()
    if not pid:
        os.close(says)
        os.read(heard, 1)
        os._exit(0)
    try:
        lock.release()
        assert lock.acquire(False)
        lock.release()
    finally:
        os.close(says)
        os.close(heard)
        os.waitpid(pid, 0)


def test_what_was_not_done_in_time_is_named() -> None:
    result = was.Subprocess("sleep 60").dispatch(0.01)
    told = re.fullmatch(r"was\.Subprocess\('sleep 60'\): given up after (\S+) s", str(result.error))
    assert told and 0.01 <= float(told[1]) < 20, result.error
    with pytest.raises(was.Error, match=r"^504 Gateway Timeout: was\.Subprocess\('sleep 60'\): given up after"):
        result.fetch()
    assert str(was.Thread(time.sleep, 0.1).dispatch(0).error).startswith("was.Thread(sleep): given up after")
