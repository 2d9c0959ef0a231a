from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from skitaid.config.identity import Identity, identity_of
from skitaid.config.model import Global, Server

ROOTS = Global(Path("/log"), Path("/var"), Path("/run"))
SOMEBODY = pwd.getpwall()[1]
SOME_GROUP = grp.getgrall()[1]


@pytest.fixture
def is_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("is_root")
@pytest.mark.parametrize(
    ("server", "global_", "expected"),
    [
        (Server(user=SOMEBODY.pw_name), ROOTS, Identity(SOMEBODY.pw_name, SOMEBODY.pw_uid, SOMEBODY.pw_gid)),
        (
            Server(user=SOMEBODY.pw_name, group=SOME_GROUP.gr_name),
            ROOTS,
            Identity(SOMEBODY.pw_name, SOMEBODY.pw_uid, SOME_GROUP.gr_gid),
        ),
        (
            Server(user=str(SOMEBODY.pw_uid), group=str(SOME_GROUP.gr_gid)),
            ROOTS,
            Identity(SOMEBODY.pw_name, SOMEBODY.pw_uid, SOME_GROUP.gr_gid),
        ),
        (
            Server(),
            Global(Path(), Path(), Path(), user=SOMEBODY.pw_name),
            Identity(SOMEBODY.pw_name, SOMEBODY.pw_uid, SOMEBODY.pw_gid),
        ),
        (Server(group=SOME_GROUP.gr_name), ROOTS, Identity(pwd.getpwuid(0).pw_name, 0, SOME_GROUP.gr_gid)),
        (Server(), ROOTS, None),
    ],
)
def test_whom_root_becomes(server: Server, global_: Global, expected: Identity | None) -> None:
    assert identity_of(server, global_) == expected


def test_others_stay_who_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert identity_of(Server(user=SOMEBODY.pw_name), ROOTS) is None
