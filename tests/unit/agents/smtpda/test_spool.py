from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.errors import MailError, MalformedMailError, SpoolError
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.retry import Outcome, Record, Status
from skitaid.agents.smtpda.spool import Spool, find_spool, new_id
from skitaid.agents.smtpda.wakeup import WakeupSocket
from skitaid.exceptions import RefusedError

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


def envelope(mail_id: str = "") -> Envelope:
    return Envelope(mail_id or new_id(), 1.0, "a@x.org", ("b@x.org",))


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    found = Queue(tmp_path / "spool")
    found.prepare()
    return found


@pytest.fixture
def put(queue: Queue) -> Callable[[], str]:
    """Queues a mail and takes it in."""

    def do() -> str:
        mail_id = Spool(queue.folder).put(envelope(), MESSAGE)
        assert queue.take_in() == [mail_id]
        return mail_id

    return do


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- senders


def test_queued_is_one_private_file_and_nothing_else(queue: Queue) -> None:
    before = os.umask(0)
    try:
        mail_id = Spool(queue.folder).put(envelope(), MESSAGE)
    finally:
        os.umask(before)
    assert names(queue.incoming) == [f"{mail_id}.mail"]
    assert (queue.incoming / f"{mail_id}.mail").stat().st_mode & 0o777 == 0o600


def test_folders_are_for_whom_they_are(queue: Queue) -> None:
    assert [path.stat().st_mode & 0o7777 for path in (queue.incoming, queue.queue, queue.failed)] == [
        0o1777,
        0o700,
        0o700,
    ]


def test_ids_sort_by_age() -> None:
    ids = [new_id() for _ in range(100)]
    assert sorted(ids) == ids and len(set(ids)) == 100


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_is_told_and_leaves_nothing(queue: Queue, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*args: object, **kargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(SpoolError, match="No space left on device") as caught:
        Spool(queue.folder).put(envelope(), MESSAGE)
    assert caught.value.errno == 28
    monkeypatch.undo()
    assert names(queue.incoming) == []


def test_a_mail_is_synced_before_it_is_queued_and_the_folder_after(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    sync, rename = os.fsync, os.rename

    def noting_sync(fd: int) -> None:
        seen.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
        sync(fd)

    def noting_rename(source: str, target: str, **kargs: object) -> None:
        seen.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(os, "rename", noting_rename)
    Spool(queue.folder).put(envelope(), MESSAGE)
    assert seen == ["file", "rename", "folder"]


def test_what_cannot_be_sent_is_not_queued(queue: Queue) -> None:
    with pytest.raises(MailError):
        Spool(queue.folder).put(envelope(), b"bare\nnewline\r\n")
    assert names(queue.incoming) == []


def test_the_agent_is_woken(queue: Queue) -> None:
    wakeup = WakeupSocket(queue.folder)
    os.set_blocking(wakeup.fd, True)
    Spool(queue.folder).put(envelope(), MESSAGE)
    assert os.read(wakeup.fd, 1) == b"\0"
    wakeup.close()


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    queue = Queue(folder)
    queue.prepare()
    wakeup = WakeupSocket(folder)
    Spool(folder).wake()
    assert os.read(wakeup.fd, 1) == b"\0"
    wakeup.close()


def test_which_spool(tmp_path: Path) -> None:
    assert find_spool({"SKITAID_SPOOL_PATH": "/srv/spool"}).folder == Path("/srv/spool")
    own = find_spool({"XDG_STATE_HOME": str(tmp_path)}).folder
    assert own in (tmp_path / "skitaid" / "smtpda", Path("/var/local/skitaid/daemons/smtpda"))


def as_nobody(action: Callable[[], object]) -> int:
    """What `action` comes to in a process of another user: 0, or the number of its OSError."""
    pid = os.fork()
    if not pid:
        code = 255
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            action()
            code = 0
        except OSError as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_can_queue_and_see_nobody_else_s_mail() -> None:
    with TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        queue = Queue(Path(root) / "spool")
        queue.prepare()
        spool = Spool(queue.folder)
        ours = Path(queue.incoming / f"{spool.put(envelope(), MESSAGE)}.mail")
        assert as_nobody(lambda: spool.put(envelope(), MESSAGE)) == 0
        assert as_nobody(ours.read_bytes) == errno.EACCES
        assert as_nobody(ours.unlink) == errno.EPERM
        assert as_nobody(lambda: os.listdir(queue.queue)) == errno.EACCES
        assert len(queue.take_in()) == 2
        assert as_nobody((queue.queue / ours.name).read_bytes) == errno.EACCES


# ---------------------------------------------------------------- the agent


def test_a_second_agent_is_refused(queue: Queue) -> None:
    queue.lock()
    with pytest.raises(RefusedError, match="another mail agent"):
        Queue(queue.folder).lock()
    queue.unlock()
    Queue(queue.folder).lock()


def test_taken_in_in_order_and_only_what_is_a_mail(queue: Queue, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(envelope().to_line() + MESSAGE)
    ids = [Spool(queue.folder).put(envelope(), MESSAGE) for _ in range(3)]
    (queue.incoming / ".part-1.part").write_bytes(b"")
    (queue.incoming / "0-link.mail").symlink_to(secret)
    (queue.incoming / "1-link.mail").hardlink_to(secret)
    (queue.incoming / "2-folder.mail").mkdir()
    (queue.incoming / "3 blank.mail").write_bytes(b"")
    assert queue.take_in() == ids == queue.ids()
    assert len(names(queue.incoming)) == 5


def test_a_flood_is_taken_in_by_and_by(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skitaid.agents.smtpda.queue.TAKE_MOST", 2)
    for number in range(3):
        (queue.incoming / f"0{number}.mail").symlink_to("/etc/passwd")
    ids = [Spool(queue.folder).put(envelope(), MESSAGE) for _ in range(5)]
    assert [queue.take_in() for _ in range(4)] == [ids[:2], ids[2:4], ids[4:], []]


@pytest.mark.parametrize("where", ["queue", "failed"])
def test_a_mail_of_the_agent_s_is_not_replaced_by_another_of_that_name(
    queue: Queue, put: Callable[[], str], where: str
) -> None:
    mail_id = put()
    if where == "failed":
        queue.fail(mail_id)
    before = b"".join(queue.read(mail_id).read())
    Spool(queue.folder).put(envelope(mail_id), b"Subject: other\r\n\r\nforged\r\n")
    assert queue.take_in() == []
    assert b"".join(queue.read(mail_id).read()) == before
    queue.remove(mail_id)
    assert queue.take_in() == [mail_id]


def test_who_queues_a_mail_by_the_name_of_a_bounce_does_not_prevent_the_bounce(queue: Queue) -> None:
    Spool(queue.folder).put(envelope(f"{new_id()}-b1"), MESSAGE)
    assert queue.take_in() == []


def test_chance_makes_no_bounce_of_a_mail(queue: Queue) -> None:
    Spool(queue.folder).put(envelope("18e9ca365203a2be-b3948029"), MESSAGE)
    assert queue.take_in() == ["18e9ca365203a2be-b3948029"]


def test_a_name_leaves_room_for_that_of_the_bounce(queue: Queue) -> None:
    Spool(queue.folder).put(envelope("a" * 100), MESSAGE)
    Spool(queue.folder).put(envelope("a" * 80), MESSAGE)
    assert queue.take_in() == ["a" * 80]


def test_a_file_that_grows_is_read_to_where_it_was(queue: Queue, put: Callable[[], str]) -> None:
    mail_id = put()
    mail = queue.read(mail_id)
    with mail.path.open("ab") as file:
        file.write(b"more\r\n")
    assert b"".join(mail.read()) == MESSAGE


def test_read_as_it_was_queued(queue: Queue) -> None:
    given = envelope()
    message = b"Subject: x\r\n\r\n" + b".y\r\n" * 50_000
    mail_id = Spool(queue.folder).put(given, message)
    queue.take_in()
    mail = queue.read(mail_id)
    assert mail.envelope == given and mail.size == len(message)
    assert b"".join(mail.read()) == message == b"".join(mail.read())


def test_the_name_is_the_id_whatever_the_file_says(queue: Queue, put: Callable[[], str]) -> None:
    (queue.incoming / "own-1.mail").write_bytes(envelope("other-1").to_line() + MESSAGE)
    queue.take_in()
    assert queue.read("own-1").envelope.id == "own-1"


def test_a_file_that_is_no_mail(queue: Queue) -> None:
    (queue.queue / "x.mail").write_bytes(b"no envelope")
    with pytest.raises(MalformedMailError):
        queue.read("x")
    with pytest.raises(FileNotFoundError):
        queue.read("y")


def test_given_up_and_back_again(queue: Queue, put: Callable[[], str]) -> None:
    mail_id = put()
    record = Record(2, outcomes={"b@x.org": Outcome(Status.FAILED, "550 no", 2)})
    queue.write_record(mail_id, record)
    queue.fail(mail_id)
    assert queue.ids() == [] and queue.failed_ids() == [mail_id]
    assert queue.record(mail_id) == record
    queue.revive(mail_id, replace(record, since=2))
    assert queue.ids() == [mail_id] and queue.failed_ids() == []
    assert queue.record(mail_id).since == 2
    queue.remove(mail_id)
    assert names(queue.queue) == []


@pytest.mark.parametrize("where", ["gone", "failed"])
def test_a_record_follows_its_mail_after_a_crash(queue: Queue, put: Callable[[], str], where: str) -> None:
    mail_id = put()
    queue.write_record(mail_id, Record(1))
    mail = queue.queue / f"{mail_id}.mail"
    if where == "failed":
        mail.rename(queue.failed / mail.name)
    else:
        mail.unlink()
    queue.tidy()
    assert names(queue.queue) == []
    assert names(queue.failed) == ([f"{mail_id}.json", f"{mail_id}.mail"] if where == "failed" else [])


def test_a_record_is_whole_or_not_there(queue: Queue, put: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    mail_id = put()
    queue.write_record(mail_id, Record(1))

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        queue.write_record(mail_id, Record(2))
    monkeypatch.undo()
    assert queue.record(mail_id).attempts == 1
    assert names(queue.queue) == [f"{mail_id}.json", f"{mail_id}.mail"]


def test_what_was_kept_long_enough_goes(queue: Queue, put: Callable[[], str]) -> None:
    old, young = put(), put()
    for mail_id in (old, young):
        queue.write_record(mail_id, Record(1))
        queue.fail(mail_id)
    part = queue.incoming / ".x.part"
    part.write_bytes(b"")
    for path in (queue.failed / f"{old}.json", part):
        os.utime(path, (1000.0, 1000.0))
    now = (queue.failed / f"{young}.json").stat().st_mtime
    assert queue.expire(30 * 86400.0, now) == [old]
    assert queue.failed_ids() == [young] and names(queue.incoming) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"recipients": ()},
        {"recipients": ("b@x.org>\r\nRCPT TO:<c@x.org",)},
        {"sender": "a b"},
        {"recipients": tuple(f"{n:060}@x.org" for n in range(20_000))},
    ],
)
def test_an_envelope_that_the_agent_would_not_understand_is_not_queued(queue: Queue, fields: dict[str, object]) -> None:
    with pytest.raises(MailError):
        Spool(queue.folder).put(replace(envelope(), **fields), MESSAGE)  # type: ignore[arg-type]
    assert names(queue.incoming) == []
