from __future__ import annotations

import io

import pytest

from skitaid.cli.style import PLAIN, Tone, style_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_no_colours() -> None:
    assert style_for(io.StringIO(), {"TERM": "xterm"}) is PLAIN


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_a_terminal_that_cannot_or_must_not_gets_none(environ: dict[str, str]) -> None:
    assert style_for(Terminal(), environ) is PLAIN


def test_a_terminal_gets_colours_that_end() -> None:
    pytest.importorskip("rs4.termcolor", reason="rs4 gives the colours; without it all is plain")
    style = style_for(Terminal(), {"TERM": "xterm"})
    painted = style.paint("text", Tone.BAD)
    assert painted.startswith("\x1b[")
    assert painted.endswith("text\x1b[0m")
    assert style.paint("text", Tone.PLAIN) == "text"
