from __future__ import annotations

import os
import socket

from skitaid.supervisor.succession import Order, OrderReader, Word, inherited, say


def test_words_come_over() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        say(ours, Word.ASK, 7)
        say(ours, Word.RELIEVED)
        reader = OrderReader()
        data = theirs.recv(4096)
        assert reader.feed(data[:9]) == []
        assert reader.feed(data[9:]) == [Order(Word.ASK, 7), Order(Word.RELIEVED)]


def test_what_is_no_order_is_dropped() -> None:
    lines = [b"", b"x", b"[]", b'{"word": "dance"}', b'{"word": "ask", "pid": "x"}', b'{"word": "stay"}', b""]
    assert OrderReader().feed(b"\n".join(lines)) == [Order(Word.STAY)]


def test_nobody_hears() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(True)
        for _ in range(20_000):
            say(ours, Word.STAY)
        theirs.close()
        say(ours, Word.STAY)


def test_inherited() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        os.set_inheritable(ours.fileno(), True)
        got = inherited("SKITAID_X_FD", {"SKITAID_X_FD": str(ours.detach())})
        assert got is not None
        with got:
            assert not got.get_inheritable()
    assert inherited("SKITAID_X_FD", {}) is None
    assert inherited("SKITAID_X_FD", {"SKITAID_X_FD": "-"}) is None
