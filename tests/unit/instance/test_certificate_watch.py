from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.instance.certificate_watch import CertificateWatch


class Story:
    """A certificate's file, what is wrong with it, and what was complained of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text("1")
        self.wrong = ""
        self.complaints: list[str] = []
        self.at_ns = 1_000
        self.watch = CertificateWatch([path], lambda: self.wrong, self.complaints.append)

    def write(self) -> None:
        self.at_ns += 10**9
        os.utime(self.path, ns=(self.at_ns, self.at_ns))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "a.pem")


def test_nothing_is_there_as_long_as_nothing_changes(story: Story) -> None:
    assert [story.watch.is_renewed() for _ in range(3)] == [False] * 3


def test_a_renewal_is_there_when_it_has_come_to_rest(story: Story) -> None:
    story.write()
    assert not story.watch.is_renewed()
    story.write()
    assert not story.watch.is_renewed()
    assert story.watch.is_renewed()
    assert not story.watch.is_renewed()


def test_what_can_t_be_served_is_complained_of_once_and_not_taken(story: Story) -> None:
    story.wrong = "no"
    for _ in range(2):
        story.write()
        assert [story.watch.is_renewed() for _ in range(3)] == [False] * 3
    assert story.complaints == ["no"]
    story.wrong = ""
    story.write()
    assert [story.watch.is_renewed() for _ in range(2)] == [False, True]
