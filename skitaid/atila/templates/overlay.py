"""Jinja2 with other signs: what `app.jinja_overlay` makes of its arguments, and templates whose expressions start and
end with one sign.

Jinja2 has no way to write that sign itself, and no `% raw` line. Both are rewritten here before Jinja2 reads a
template: `##` is the sign, `% raw:` to `% endraw` a raw block.
"""

from __future__ import annotations

import re
from typing import Any, Final

from jinja2 import Environment

__all__ = ["OverlayEnvironment", "overlay_options"]

_POSITIONAL: Final = ("line_statement", "variable_string", "block_start_string", "block_end_string")
_OLD_STYLE: Final = {
    "line_statement": "%",
    "variable_string": "#",
    "block_start_string": "{%",
    "block_end_string": "}",
}


def overlay_options(args: tuple[str, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Options of Environment.overlay. Without arguments, by position, or with line_statement or variable_string it is
    the style of the documents before 0.26; else Jinja2's own, changed in what is named. Raises TypeError."""
    if len(args) > len(_POSITIONAL):
        raise TypeError(f"jinja_overlay takes {', '.join(_POSITIONAL)} by position, and options of Jinja2 by name")
    given = {**dict(zip(_POSITIONAL, args, strict=False)), **named}
    if given and not (args or "line_statement" in given or "variable_string" in given):
        return given
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, **_OLD_STYLE, **given}
    statement, variable = options.pop("line_statement"), options.pop("variable_string")
    return {
        "line_statement_prefix": statement,
        "line_comment_prefix": statement and statement * 2,
        "variable_start_string": variable,
        "variable_end_string": variable,
        **options,
    }


class OverlayEnvironment(Environment):
    """Reads templates with doubled signs and raw lines."""

    def preprocess(self, source: str, name: str | None = None, filename: str | None = None) -> str:
        """What Jinja2 reads of a template."""
        rewritten = _Rewriting(self).rewrite(str(source))
        return super().preprocess(rewritten, name, filename)


class _Rewriting:
    """Of one environment's templates."""

    def __init__(self, environment: Environment) -> None:
        self._sign = environment.variable_start_string
        self._is_one_sign = self._sign == environment.variable_end_string
        self._block = (environment.block_start_string, environment.block_end_string)
        prefix = environment.line_statement_prefix
        comment = (environment.comment_start_string, environment.comment_end_string)
        parts = []
        if prefix:
            line = rf"^[ \t]*{re.escape(prefix)}"
            end = rf"{line}[ \t]*endraw[ \t]*:?[ \t]*(?:\n|\Z)"
            parts += [rf"(?P<raw>{line}[ \t]*raw[ \t]*:?[ \t]*\n)(?P<inside>(?s:.*?)){end}", rf"(?P<line>{line}.*$)"]
        parts += [rf"(?P<comment>{_between(*comment)})", rf"(?P<block>{_between(*self._block)})"]
        if self._is_one_sign:
            sign = re.escape(self._sign)
            quoted = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
            parts += [rf"(?P<doubled>{sign}{sign})", rf"(?P<variable>{sign}(?:{quoted}|(?!{sign})[^'\"])*{sign})"]
        self._token = re.compile("|".join(parts), re.MULTILINE)
        self._has_work = self._is_one_sign or bool(prefix)

    def rewrite(self, source: str) -> str:
        """The template in Jinja2's own words."""
        if not self._has_work:
            return source
        return self._token.sub(self._rewritten, source.replace("\r\n", "\n"))

    def _rewritten(self, match: re.Match[str]) -> str:
        start, end = self._block
        if match.lastgroup == "inside":
            return f"{start} raw {end}\n{match['inside']}{start} endraw {end}\n"
        if match.lastgroup == "doubled":
            return f"{self._sign}'{self._sign}'{self._sign}"
        return match[0]


def _between(start: str, end: str) -> str:
    return rf"{re.escape(start)}(?s:.*?){re.escape(end)}"
