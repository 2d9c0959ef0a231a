from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli.explain import Address, explain, host_block, listens, parse_url, steps
from skitaid.cli.explain_static import INDEX, Outcome, look_for
from skitaid.cli.options import UsageError
from skitaid.cli.style import PLAIN
from skitaid.config.load import default_main, parse_instance
from skitaid.config.model import Instance
from skitaid.handlers.static.folder import StaticSettings

CONF = """[server]
port = 5000
[routes:line]
/ = app
/ = files
/api = other:main
/deep/files = files
/search = @engines/v2
: www.example.com
/ = other:main
: .example.com
/ = files
[@engines]
members = admin:secret@127.0.0.1:8001, [::1]:8002 3, unix:/run/x.sock
"""


@pytest.fixture
def site(tmp_path: Path) -> Instance:
    files = tmp_path / "files"
    (files / "inner").mkdir(parents=True)
    (files / "inner" / "index.html").write_text("index")
    (files / "logo.svg").write_text("<svg/>")
    (tmp_path / "app.py").write_text("app = 1")
    (tmp_path / "other.py").write_text("main = 1")
    return parse_instance(CONF, tmp_path / "shop.conf", default_main(tmp_path), is_root=False)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://a:5000/b", Address("a", 5000, "/b")),
        ("http://a", Address("a", 80, "/")),
        ("https://A.example/b?c=d#e", Address("a.example", 443, "/b")),
        ("a:5000/b", Address("a", 5000, "/b")),
        ("www.example.com/b", Address("www.example.com", None, "/b")),
        ("/b%20c", Address("", None, "/b c")),
        ("/%C3%A9", Address("", None, "/Ã©")),
        ("/é", Address("", None, "/Ã©")),
        ("/\udcff", Address("", None, "/\xff")),  # a byte that is not UTF-8
        ("http://[::1]:5000/", Address("::1", 5000, "/")),
    ],
)
def test_a_url_is_read_as_people_write_it(text: str, address: Address) -> None:
    assert parse_url(text) == address


@pytest.mark.parametrize("text", ["ftp://a/", "http://a:port/", "http://a:99999/", "http://[::1/"])
def test_a_wrong_url_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_url(text)


def test_an_instance_listens_on_its_port(site: Instance) -> None:
    assert listens(site, 5000)
    assert listens(site, None)
    assert not listens(site, 80)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("", 3),
        ("unknown.org", 3),
        ("www.example.com", 9),
        ("example.com", 11),
        ("a.b.example.com", 11),
        ("::1", 3),
    ],
)
def test_the_host_block_is_the_router_s_choice(site: Instance, name: str, line: int) -> None:
    host = host_block(site, name)
    assert host is not None
    assert host.origin.line == line


def tried(site: Instance, path: str, host: str = "") -> list[tuple[int, bool]]:
    """(line of the conf, whether it answers) of each step."""
    block = host_block(site, host)
    assert block is not None
    return [(step.mount.origin.line, step.answers) for step in steps(site, block, path)]


def test_a_file_goes_before_the_app_of_the_same_mount(site: Instance) -> None:
    assert tried(site, "/logo.svg") == [(5, True)]
    assert tried(site, "/nothing") == [(5, False), (4, True)]


def test_a_missing_file_falls_through_to_a_shorter_mount_s_app(site: Instance) -> None:
    assert tried(site, "/deep/files/nothing") == [(7, False), (4, True)]


def test_the_longest_mount_answers(site: Instance) -> None:
    assert tried(site, "/api/x") == [(6, True)]
    assert tried(site, "/apix") == [(5, False), (4, True)]
    assert tried(site, "/search/x") == [(8, True)]


def test_files_alone_may_answer_nothing(site: Instance) -> None:
    assert tried(site, "/nothing", "a.example.com") == [(11 + 1, False)]


def test_what_is_printed_names_the_lines(site: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(site, parse_url("http://www.example.com:5000/x"), PLAIN)
    shown = capsys.readouterr().out
    assert "www.example.com (" in shown
    assert "shop.conf:10)" in shown
    assert "SCRIPT_NAME '', PATH_INFO '/x'" in shown
    assert not explain(site, parse_url("http://a.example.com:5000/nothing"), PLAIN)
    assert "Nothing answers: 404." in capsys.readouterr().out


def test_a_proxy_names_its_members_and_what_they_are_asked(site: Instance) -> None:
    block = host_block(site, "")
    assert block is not None
    (step,) = steps(site, block, "/search/a b")
    members = "127.0.0.1:8001, [::1]:8002 3, unix:/run/x.sock"
    assert step.text == f"passed to a member of @engines ({members}) as /v2/a%20b"
    assert "refused: 400" in steps(site, block, "/search/../x")[0].text


def test_a_roundabout_way_into_a_proxy_below_another_is_refused(tmp_path: Path) -> None:
    conf = "[routes:line]\n/ = @a\n/deep = @a\n[@a]\nmembers = 127.0.0.1:1\n"
    instance = parse_instance(conf, tmp_path / "shop.conf", default_main(tmp_path), is_root=False)
    assert "as /deep" in steps(instance, instance.hosts[0], "/deep/deep")[0].text
    assert "refused: 400" in steps(instance, instance.hosts[0], "//deep")[0].text


@pytest.mark.parametrize(
    ("rest", "outcome"),
    [
        ("/logo.svg", Outcome.FILE),
        ("/inner", Outcome.REDIRECT),
        ("/inner/", Outcome.FILE),
        ("", Outcome.MISSING),
        ("/", Outcome.MISSING),
        ("/logo.svg/", Outcome.MISSING),
        ("/.git/config", Outcome.MISSING),
        ("/../app.py", Outcome.MISSING),
        ("/link", Outcome.MISSING),
    ],
)
def test_files_are_found_as_the_static_handler_finds_them(
    site: Instance, tmp_path: Path, rest: str, outcome: Outcome
) -> None:
    (tmp_path / "files" / "link").symlink_to(tmp_path / "app.py")
    assert look_for(tmp_path / "files", rest)[0] is outcome


def test_the_index_names_are_the_static_handler_s() -> None:
    assert tuple(StaticSettings().index) == INDEX
