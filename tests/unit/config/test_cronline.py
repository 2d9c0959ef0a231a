from __future__ import annotations

import pytest

from skitaid.config.cronline import check_cron_line
from skitaid.config.report import UnfitError


@pytest.mark.parametrize(
    "when",
    [
        "* * * * *",
        "*/15 9-17 * * 1-5",
        "0 0 * * MON-FRI",
        "0 0 * * sun",
        "0 0 * * 7",
        "0 0 * * 5-7",
        "0 0 1 JAN,Jul *",
        "0 0-23/5 * * *",
        "59 23 31 12 *",
        "9 2/12 * * *",
        "3-59/15 * * * *",
        "0 0 * * fri-sun",
    ],
)
def test_good(when: str) -> None:
    check_cron_line(f"{when} /bin/true ; echo 100%")


@pytest.mark.parametrize(
    "when",
    [
        "60 * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "-1 * * * *",
        "5- * * * *",
        "5, * * * *",
        "/5 * * * *",
        "1.5 * * * *",
        "5-10-15 * * * *",
        "1e1 * * * *",
        "+5 * * * *",
        "*/0 * * * *",
        "30-10 * * * *",
        "? * * * *",
        "15 10 ? * *",
        "0 0 31 4,6 *",
    ],
)
def test_bad(when: str) -> None:
    with pytest.raises(UnfitError):
        check_cron_line(f"{when} /bin/true")


@pytest.mark.parametrize("line", ["* * * * *", "* * * *", "@daily", "@never /bin/true", "@daily "])
def test_incomplete(line: str) -> None:
    with pytest.raises(UnfitError):
        check_cron_line(line)


@pytest.mark.parametrize("macro", ["@daily", "@reboot", "@hourly"])
def test_macros(macro: str) -> None:
    check_cron_line(f"{macro} /bin/true")
