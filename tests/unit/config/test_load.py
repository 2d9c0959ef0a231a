from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from skitaid.config.load import (
    default_main,
    etc_root,
    instance_files,
    load_all,
    load_instance,
    load_main,
    parse_instance,
)
from skitaid.config.model import Listen, Main, Smtpda, StaticTarget
from skitaid.exceptions import ConfError
from tests.unit.rights import as_nobody


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    root = tmp_path / "etc"
    (root / "servers-enabled").mkdir(parents=True)
    (root / "www").mkdir()
    return root


def write(etc: Path, name: str, text: str) -> Path:
    path = etc / "servers-enabled" / name
    path.write_text(text, encoding="utf-8")
    return path


def site(port: int) -> str:
    return f"[server]\nport = {port}\n[routes:line]\n/ = ../www\n"


# ---------------------------------------------------------------- folders


@pytest.mark.parametrize(
    ("argument", "environ", "root"),
    [
        ("/a/b", {"SKITAID_ETC": "/c"}, "/a/b"),
        (None, {"SKITAID_ETC": "/c/../d"}, "/d"),
        (None, {}, "/etc/skitaid"),
        ("", {"SKITAID_ETC": ""}, "/etc/skitaid"),
    ],
)
def test_etc_root(argument: str | None, environ: dict[str, str], root: str) -> None:
    assert etc_root(argument, environ) == Path(root)


def test_etc_root_is_absolute() -> None:
    assert etc_root("etc/skitaid", {}) == Path(os.getcwd()) / "etc" / "skitaid"


def test_default_folders() -> None:
    system = default_main(Path("/etc/skitaid")).global_
    assert (system.log_path, system.var_path, system.run_path) == (
        Path("/var/log/skitaid"),
        Path("/var/local/skitaid"),
        Path("/run/skitaid"),
    )
    own = default_main(Path("/home/me/etc/skitaid")).global_
    assert (own.log_path, own.var_path, own.run_path) == (
        Path("/home/me/etc/var/log"),
        Path("/home/me/etc/var/lib"),
        Path("/home/me/etc/var/run"),
    )


def test_which_files_count(etc: Path) -> None:
    for name in ("b.conf", "a.yaml", ".hidden.conf", "c.conf~", "d.txt", "c.yml", "b.yaml"):
        write(etc, name, "")
    assert {name: path.name for name, path in instance_files(etc).items()} == {"a": "a.yaml", "b": "b.conf"}
    assert list(instance_files(etc)) == ["a", "b"]


def test_no_folder_of_instances(tmp_path: Path) -> None:
    assert instance_files(tmp_path) == {}
    assert load_all(tmp_path).instances == {}


# ---------------------------------------------------------------- skitaid.conf


def test_without_skitaid_conf_all_is_default(etc: Path) -> None:
    assert load_main(etc) == default_main(etc)


def test_without_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="there is no such folder"):
        load_main(tmp_path / "gone")


def test_skitaid_conf(etc: Path) -> None:
    (etc / "skitaid.conf").write_text(
        "[global]\nlog_path = ../logs\nuser = root\n[smtpda]\nuser = me\npassword = 'a ; b'\n"
        "[crontab:line]\n* * * * * true\n[state]\nbackend = redis://127.0.0.1:6379/1\n",
        encoding="utf-8",
    )
    main = load_main(etc)
    assert main.path == etc / "skitaid.conf"
    assert main.global_.log_path == etc.parent / "logs"
    assert main.global_.run_path == etc.parent / "var" / "run"
    assert main.global_.user == "root"
    assert main.smtpda == Smtpda(user="me", password="a ; b")
    assert main.crontab is not None
    assert [(line.text, line.origin.line) for line in main.crontab.lines] == [("* * * * * true", 8)]
    assert main.state.backend == "redis://127.0.0.1:6379/1"


def test_skitaid_yaml(etc: Path) -> None:
    (etc / "skitaid.yaml").write_text("global:\n  var_path: /srv/var\n", encoding="utf-8")
    assert load_main(etc).global_.var_path == Path("/srv/var")


def test_a_bad_skitaid_conf_tells_of_the_instances_too(etc: Path) -> None:
    (etc / "skitaid.conf").write_text("[globl]\n", encoding="utf-8")
    write(etc, "a.conf", "[server]\nport = x\n")
    with pytest.raises(ConfError) as caught:
        load_all(etc)
    assert [Path(problem.path).name for problem in caught.value.problems] == ["skitaid.conf", "a.conf"]


# ---------------------------------------------------------------- instances


def test_instance(etc: Path) -> None:
    path = write(etc, "site.conf", site(5001))
    instance = load_instance(path, default_main(etc), is_root=False)
    assert (instance.name, instance.path) == ("site", path)
    assert instance.server.listen == (Listen("", 5001),)
    assert str(instance.server.listen[0].origin) == f"{path}:2"
    assert [(mount.path, mount.target, mount.origin.line) for mount in instance.hosts[0].mounts] == [
        ("/", StaticTarget(etc / "www"), 4)
    ]
    assert instance.warnings == ()


@pytest.mark.parametrize(("user", "is_root", "count"), [("", True, 1), ("", False, 0), ("daemon", True, 0)])
def test_apps_as_root_are_warned_about(etc: Path, user: str, is_root: bool, count: int) -> None:
    path = write(etc, "site.conf", site(5001).replace("port", f"user = {user}\nport"))
    warnings = load_instance(path, default_main(etc), is_root=is_root).warnings
    assert len(warnings) == count
    assert all("apps run as root" in warning.text and warning.is_warning for warning in warnings)


@pytest.mark.parametrize(
    ("own", "effective"),
    [
        ("", ("daemon", "sys")),
        ("user = root\n", ("root", None)),
        ("group = root\n", ("daemon", "root")),
        ("user = root\ngroup = sys\n", ("root", "sys")),
    ],
)
def test_user_of_skitaid_conf(etc: Path, own: str, effective: tuple[str, str | None]) -> None:
    (etc / "skitaid.conf").write_text("[global]\nuser = daemon\ngroup = sys\npython = /bin/sh\n", encoding="utf-8")
    path = write(etc, "site.conf", site(5001).replace("port", f"{own}port"))
    server = load_instance(path, load_main(etc), is_root=False).server
    assert (server.user, server.group) == effective
    assert server.python == "/bin/sh"


def test_paths_are_absolute_also_below_a_relative_root(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(etc, "site.conf", site(5001))
    monkeypatch.chdir(etc.parent)
    loaded = load_all(Path("etc"), is_root=False)
    assert loaded.main.global_.log_path == etc.parent / "var" / "log"
    assert loaded.instances["site"].hosts[0].mounts[0].target == StaticTarget(etc / "www")


def test_conf_and_yaml_mean_the_same(etc: Path) -> None:
    conf = parse_instance(site(5001), etc / "servers-enabled" / "a.conf", default_main(etc), is_root=False)
    text = "server: {port: 5001}\nroutes: [{/: ../www}]\n"
    yaml = parse_instance(text, etc / "servers-enabled" / "a.yaml", default_main(etc), is_root=False)
    assert (conf.server, conf.hosts) == (yaml.server, yaml.hosts)


def test_moved_lines_change_nothing(etc: Path) -> None:
    path, main = etc / "servers-enabled" / "a.conf", default_main(etc)
    assert parse_instance(site(5001), path, main) == parse_instance("; comment\n\n" + site(5001), path, main)


def test_one_bad_file_affects_no_other(etc: Path) -> None:
    write(etc, "a.conf", site(5001))
    write(etc, "b.conf", "[server]\nport = x\nthreds = 1\n")
    (etc / "servers-enabled" / "c.conf").mkdir()
    write(etc, "d.conf", site(5001))
    write(etc, "e.conf", site(5005))
    loaded = load_all(etc, is_root=False)
    assert list(loaded.instances) == ["a", "e"]
    assert {name: len(error.problems) for name, error in loaded.failures.items()} == {"b": 2, "c": 1, "d": 1}
    assert loaded.has_errors
    assert loaded.main == Main(default_main(etc).global_, etc)


def test_warnings_are_no_failures(etc: Path) -> None:
    write(etc, "a.conf", "[server]\nport = 5001\n")
    loaded = load_all(etc, is_root=False)
    assert not loaded.has_errors
    assert [problem.is_warning for problem in loaded.problems] == [True]
    assert loaded.problems == loaded.instances["a"].warnings


CLOSED = """\
[server]
ssl = yes
certfile = site.pem
python = {closed}/venv
directory = {closed}/site
[@a]
type = https
members = a.example.com
ca = ca.pem
[api-gateway]
algorithms = RS256
public_key = key.pem
[routes:line]
/ = {closed}/www
/app = {closed}/site/app.py:app
/package = {closed}
"""


def test_what_is_behind_closed_doors_is_a_problem_of_its_line() -> None:
    with tempfile.TemporaryDirectory() as name:  # where nobody may look, other than at tmp_path
        root = Path(name)
        root.chmod(0o755)
        (root / "etc" / "servers-enabled").mkdir(parents=True)
        path = write(root / "etc", "site.conf", CLOSED.format(closed=root / "closed"))
        for folder in (root / "closed", root / "etc" / "cert"):
            folder.mkdir(mode=0)

        def ask() -> str:
            with pytest.raises(ConfError) as info:
                load_instance(path, default_main(root / "etc"), is_root=False)
            return "\n".join(f"{problem.line} {problem.text}" for problem in info.value.problems)

        try:
            told = as_nobody(ask).splitlines()
        finally:
            (root / "closed").chmod(0o700)
            (root / "etc" / "cert").chmod(0o700)
    assert [line.split()[0] for line in told] == ["3", "4", "5", "9", "12", "14", "15", "16"]
    assert all("no permission to look at" in line for line in told)
    assert "certfile = site.pem: no permission to look at" in told[0]


def test_a_virtual_environment_as_python(etc: Path) -> None:
    (etc / "venv" / "bin").mkdir(parents=True)
    (etc / "venv" / "bin" / "python").symlink_to(sys.executable)
    path = write(etc, "site.conf", site(5001).replace("port", "python = ../venv\nport"))
    assert load_instance(path, default_main(etc)).server.python == str(etc / "venv")


def test_python_by_its_name(etc: Path) -> None:
    path = write(etc, "site.conf", site(5001).replace("port", "python = sh\nport"))
    python = load_instance(path, default_main(etc)).server.python
    assert python is not None
    assert python.endswith("/sh")


def test_what_loading_does_not_import() -> None:
    """The supervisor keeps these modules for as long as it lives: what it does not need is not in them."""
    # -S: what the environment's own start-up files import is not ours to answer for
    heavy = "yaml difflib asyncio logging ssl subprocess email http.client json tempfile shutil"
    code = "import sys, skitaid.config.load; print(*[n for n in sys.argv[1].split() if n in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, heavy], cwd=root, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.split() == []
