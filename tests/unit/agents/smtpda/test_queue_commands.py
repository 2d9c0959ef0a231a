from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.listing import Place, entries, find
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.queue_commands import perform
from skitaid.agents.smtpda.retry import Outcome, Record, Status
from skitaid.agents.smtpda.spool import Spool
from skitaid.exceptions import RefusedError

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    found = Queue(tmp_path)
    found.prepare()
    return found


def put(queue: Queue, mail_id: str, record: Record | None = None) -> str:
    queue.put(Envelope(mail_id, 1.0, "a@x.org", ("b@x.org",)), MESSAGE)
    if record is not None:
        queue.write_record(mail_id, record)
    return mail_id


def places(queue: Queue) -> dict[str, Place]:
    return {entry.id: entry.place for entry in entries(queue)}


def test_where_everything_is(queue: Queue) -> None:
    failed = Record(1, outcomes={"b@x.org": Outcome(Status.FAILED, "550 no", 1)})
    put(queue, "0")
    put(queue, "1", Record(1, due_s=5.0, outcomes={"b@x.org": Outcome(Status.WAITING, "450 later", 1)}))
    put(queue, "2", Record(is_held=True))
    queue.fail(put(queue, "3", failed))
    Spool(queue.folder).put(Envelope("4", 1.0, "a@x.org", ("b@x.org",)), MESSAGE)
    (queue.queue / "5.mail").write_bytes(b"?")
    assert places(queue) == {
        "0": Place.QUEUED,
        "1": Place.DEFERRED,
        "2": Place.HELD,
        "3": Place.FAILED,
        "4": Place.NEW,
        "5": Place.QUEUED,
    }
    assert [entry.last_word for entry in entries(queue)][1:4] == ["450 later", "", "550 no"]
    damaged = find(queue, "5")
    assert damaged is not None and damaged.envelope is None and "not an envelope" in damaged.last_word
    assert find(queue, "6") is None


def test_what_others_leave_in_incoming_is_shown_and_waited_for_by_nobody(queue: Queue) -> None:
    os.mkfifo(queue.incoming / "0.mail")
    (queue.incoming / "1.mail").mkdir()
    (queue.incoming / "2.mail").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind(str(queue.incoming / "3.mail"))
    assert [entry.fault.endswith("is not a file") for entry in entries(queue)] == [True] * 4


def test_held_and_tried_again(queue: Queue) -> None:
    put(queue, "0")
    perform(queue, "hold", "0")
    assert places(queue) == {"0": Place.HELD}
    perform(queue, "retry", "0")
    assert places(queue) == {"0": Place.QUEUED}


def test_tried_again_after_it_was_given_up(queue: Queue) -> None:
    record = Record(3, outcomes={"b@x.org": Outcome(Status.FAILED, "550 no", 3)}, bounced=3)
    queue.fail(put(queue, "0", record))
    perform(queue, "retry", "0")
    assert places(queue) == {"0": Place.DEFERRED}
    assert queue.record("0").waiting(("b@x.org",)) == ("b@x.org",) and not queue.record("0").unbounced()


@pytest.mark.parametrize("is_failed", [False, True])
def test_removed(queue: Queue, is_failed: bool) -> None:
    put(queue, "0", Record(1))
    if is_failed:
        queue.fail("0")
    perform(queue, "remove", "0")
    assert places(queue) == {}


@pytest.mark.parametrize("command", ["retry", "hold", "remove"])
@pytest.mark.parametrize("mail_id", ["none", "../queue/0", "", "0.mail", "0/../0"])
def test_no_such_mail(queue: Queue, command: str, mail_id: str) -> None:
    put(queue, "0")
    with pytest.raises(RefusedError, match="no mail"):
        perform(queue, command, mail_id)
    assert places(queue) == {"0": Place.QUEUED}
