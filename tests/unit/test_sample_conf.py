"""The conf files that skitaid comes with: they load, and what their comments say about keys and defaults is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skitaid.config.crontab import SETTINGS
from skitaid.config.load import instance_files, load_main, parse_instance
from skitaid.config.model import Instance, StaticTarget
from skitaid.config.schema import ALIAS, GATEWAY, GLOBAL, MOUNT, PROXY_CACHE, SERVER, SMTPDA
from skitaid.exceptions import ConfError
from tests.certificates import make

ETC = Path(__file__).parents[2] / "etc" / "skitaid"
SAMPLE_CONF = ETC / "servers-enabled" / "sample.conf"
DEFAULT = re.compile(r"^; (\w+ = .*)$", re.MULTILINE)
EXAMPLE_KEY = re.compile(r"^# (\w+) = ", re.MULTILINE)


def parse(text: str) -> Instance:
    return parse_instance(text, SAMPLE_CONF, load_main(ETC), is_root=False)


def test_the_sample_is_what_is_enabled_and_loads_without_a_word() -> None:
    assert list(instance_files(ETC)) == ["sample"]
    sample = parse(SAMPLE_CONF.read_text())
    assert sample.warnings == ()
    assert [len(host.mounts) for host in sample.hosts] == [7, 2]
    assert load_main(ETC).warnings == ()


def test_the_sample_is_served_on_this_machine_alone_and_by_nobody_else_s_agent() -> None:
    assert {listen.host for listen in parse(SAMPLE_CONF.read_text()).server.listen} == {"127.0.0.1"}
    assert load_main(ETC).smtpda is None
    assert load_main(ETC).crontab is None


def test_each_default_of_the_sample_is_the_default() -> None:
    text = SAMPLE_CONF.read_text()
    with_defaults, count = DEFAULT.subn(r"\1", text)
    assert count >= 8
    assert parse(with_defaults) == parse(text)


def test_a_default_that_is_changed_counts() -> None:
    text = SAMPLE_CONF.read_text()
    assert parse(text.replace("; threads = 4 ", "threads = 9 ")).server.threads == 9
    assert parse(text.replace("; port = 5000", "port = 5009")).server.listen[0].port == 5009


def test_each_example_names_a_key_that_exists() -> None:
    sample_keys = EXAMPLE_KEY.findall(SAMPLE_CONF.read_text())
    assert {"python", "user", "listen"} <= set(sample_keys) <= set(SERVER) | set(MOUNT)
    main_keys = EXAMPLE_KEY.findall((ETC / "skitaid.conf").read_text())
    known = set(GLOBAL) | set(SMTPDA) | set(SETTINGS)
    assert {"user", "log_path", "var_path", "run_path", "smtpserver"} <= set(main_keys) <= known


def test_the_folder_of_files_can_be_switched_on_as_it_is() -> None:
    files = parse((ETC / "servers-available" / "files.conf").read_text())
    assert isinstance(files.hosts[0].mounts[0].target, StaticTarget)
    sample = parse(SAMPLE_CONF.read_text())
    assert {listen.port for listen in files.server.listen}.isdisjoint(listen.port for listen in sample.server.listen)


def test_other_servers_can_be_switched_on_as_they_are() -> None:
    text = (ETC / "servers-available" / "upstreams.conf").read_text()
    upstreams = parse(text)
    assert upstreams.warnings == ()
    assert len(upstreams.aliases["app"].members) == 2
    with_defaults, count = DEFAULT.subn(r"\1", text)
    assert count >= 9
    assert parse(with_defaults) == upstreams
    assert {"check", "ca", "verify", "type", "members"} <= set(EXAMPLE_KEY.findall(text)) <= set(ALIAS)


def test_a_gateway_needs_a_secret_of_its_own() -> None:
    text = (ETC / "servers-available" / "gateway.conf").read_text()
    gateway = parse(text)
    assert gateway.gateway.secret_key is None
    assert ["secret_key" in problem.text for problem in gateway.warnings] == [True]
    assert gateway.gateway.authenticate
    assert gateway.aliases["members"].roles == ("admin", "staff")
    with_defaults, count = DEFAULT.subn(r"\1", text)
    assert count == 3
    assert parse(with_defaults) == gateway
    examples = set(EXAMPLE_KEY.findall(text))
    assert {"secret_key", "audience", "cache_dir", "source"} == examples
    assert examples <= set(GATEWAY) | set(PROXY_CACHE) | set(ALIAS)


def test_of_the_project_only_the_paths_have_to_be_changed(tmp_path: Path) -> None:
    text = (ETC / "servers-available" / "project.conf").read_text()
    with pytest.raises(ConfError) as raised:
        parse(text)
    assert all("/srv/project" in str(problem) for problem in raised.value.problems)
    (tmp_path / "public").mkdir()
    (tmp_path / "wsgi.py").touch()
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").touch(mode=0o755)
    project = parse(text.replace("/srv/project", str(tmp_path)))
    assert project.warnings == ()
    assert [mount.path for mount in project.hosts[0].mounts] == ["/", "/"]


def test_https_needs_a_certificate_and_nothing_else(tmp_path: Path) -> None:
    text = (ETC / "servers-available" / "https.conf").read_text()
    with pytest.raises(ConfError) as raised:
        parse(text)
    assert all("there is no file" in str(problem) for problem in raised.value.problems)
    certfile, keyfile = make("localhost").write(tmp_path, "https")
    text = text.replace("https.pem ", f"{certfile} ").replace("https.key ", f"{keyfile} ")
    site = parse(text)
    assert site.warnings == ()
    assert site.server.tls is not None
    with_defaults, count = DEFAULT.subn(r"\1", text)
    assert count == 2
    assert parse(with_defaults) == site
    assert set(EXAMPLE_KEY.findall(text)) == {"passphrase", "forward", "client_ca", "certfile"}
