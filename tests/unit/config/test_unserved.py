"""What a conf may say, and this release does not serve."""

from pathlib import Path

import pytest

from skitaid.config.load import load_all
from skitaid.config.unserved import unserved


def write(etc: Path, text: str) -> Path:
    folder = etc / "servers-enabled"
    folder.mkdir(parents=True)
    (folder / "pub").mkdir()
    (folder / "site.conf").write_text(text)
    return etc


@pytest.mark.parametrize("text, told", [
    ("[server]\nssl = yes\ncertfile = c.pem\n", "ssl = yes"),
])
def test_what_would_be_unsafe_is_refused(tmp_path: Path, text: str, told: str) -> None:
    etc = write(tmp_path, text + "[routes:line]\n/ = pub\n")
    (etc / "cert").mkdir()
    (etc / "cert" / "c.pem").write_text("-")
    loaded = load_all(etc, is_root=False)
    assert not loaded.instances
    assert told in str(loaded.failures["site"])


@pytest.mark.parametrize("text", [
    "[server]\nenable_proxy = yes\n",
    "[@api]\nmembers = 127.0.0.1:1\n",
    f"[api-gateway]\nenable_gateway = yes\nsecret_key = {'x' * 32}\n",
])
def test_proxies_are_served(tmp_path: Path, text: str) -> None:
    etc = write(tmp_path, text + "[routes:line]\n/ = pub\n")
    instance = load_all(etc, is_root=False).instances["site"]
    assert instance.warnings == ()
    assert unserved(instance) == []
