"""Installs skitaid on this machine, or into a packager's DESTDIR, and takes it out again. See docs/installing.md.

The program goes into a virtual environment of its own in PREFIX/lib/skitaid, so that neither Debian's guard of its
Python nor another program's packages stand in the way. A new version is built beside the old and then takes its place:
an install that fails changes nothing.
"""

from __future__ import annotations

import argparse
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conf_files import Action, ConfFolder, write

CHECKOUT = Path(__file__).resolve().parent.parent
USER = "skitaid"
COMMANDS = {
    "skitaid": "skitaid",
    "skitaid.py": "skitaid",
    "skitaid-instance": "skitaid-instance",
    "skitaid-instance.py": "skitaid-instance",
    "skitaid-smtpda": "skitaid-smtpda",
    "skitaid-smtpda.py": "skitaid-smtpda",
    "skitaid-cron": "skitaid-cron",
    "skitaid-cron.py": "skitaid-cron",
}
FOLDERS = ("etc/skitaid/servers-enabled", "etc/skitaid/servers-available", "var/log/skitaid", "var/local/skitaid")
SECRET_FOLDERS = ("etc/skitaid/cert",)
SHIPPED = (
    "skitaid.conf",
    "cert/README.txt",
    "servers-enabled/sample.conf",
    *(f"servers-available/{name}.conf" for name in ("files", "gateway", "https", "project", "upstreams")),
    "servers-available/README.txt",
)
"""Of the checkout's conf folder: whoever tried things out there has sites, certificates and keys of his own beside."""
SHIPPED_FOLDER = "sample/"
SOURCES = ("skitaid", "setup.cfg", "pyproject.toml", "README.md")
WRITTEN_FOR = "/usr/local/"  # the prefix that systemd/ and init.d/ name in the checkout
SEARCHED_PREFIXES = (Path("/usr/local"), Path("/usr"))
"""Below which shells look for commands and systemd for units, without being told."""
USER_LINE = re.compile(rb"^[;#]\s*user\s*=\s*skitaid\s*$", re.MULTILINE)


class CannotInstallError(Exception):
    """The person who installs must act; the message says how."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things go. `destdir` "" is this machine itself."""

    prefix: Path
    destdir: str

    def staged(self, path: Path | str) -> Path:
        """Where a file of the installed system is written now."""
        return Path(self.destdir + os.path.join("/", path))

    @property
    def library(self) -> Path:
        return self.staged(self.prefix / "lib" / "skitaid")

    @property
    def etc(self) -> Path:
        return self.staged("etc/skitaid")

    @property
    def docs(self) -> Path:
        return self.staged(self.prefix / "share" / "doc" / "skitaid")

    @property
    def services(self) -> dict[Path, Path]:
        """Installed file → its source, in which the prefix is put right."""
        return {
            self.staged(self.prefix / "lib/systemd/system/skitaid.service"): CHECKOUT / "systemd" / "skitaid.service",
            self.staged("etc/init.d/skitaid"): CHECKOUT / "init.d" / "skitaid",
        }

    @property
    def is_this_machine(self) -> bool:
        return not self.destdir


# ---------------------------------------------------------------- before


def check_may_install(places: Places) -> None:
    if not places.prefix.is_absolute():
        raise CannotInstallError(f"PREFIX is {places.prefix}; it must be a path from the root, as /usr/local")
    if places.is_this_machine and os.geteuid() != 0:
        raise CannotInstallError(
            "this installs for the whole machine and needs root: sudo make install. Without root: make run and"
            " bin/skitaid.py work from the checkout; for packaging: make install DESTDIR=/some/folder"
        )
    for name, command in COMMANDS.items():
        link = places.staged(places.prefix / "bin" / name)
        if os.path.lexists(link) and not is_our_link(link, command):
            raise CannotInstallError(f"{link} is in the way and not ours; move it, or choose another PREFIX")


def is_our_link(link: Path, command: str) -> bool:
    return link.is_symlink() and os.readlink(link) == link_target(command)


def link_target(command: str) -> str:
    return f"../lib/skitaid/bin/{command}"


def check_python_is_for_everyone() -> None:
    """Workers drop to an ordinary user, which must be able to read the interpreter's library."""
    home = Path(sys.base_prefix).resolve()
    closed = [folder for folder in (home, *home.parents) if not folder.stat().st_mode & 0o001]
    if closed:
        raise CannotInstallError(
            f"the Python in {home} cannot be read by the user {USER}, as {closed[-1]} is closed to others; name one"
            " that everybody may use: make install PYTHON=/usr/bin/python3"
        )


def running_pid() -> int | None:
    try:
        pid = int(Path("/run/skitaid/skitaid.pid").read_text(encoding="ascii"))
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def check_not_running(places: Places) -> None:
    pid = running_pid()
    if pid is not None and places.is_this_machine:
        raise CannotInstallError(f"skitaid runs (pid {pid}); stop it first: systemctl stop skitaid, or skitaid stop")


# ---------------------------------------------------------------- the program


def copy_sources(target: Path) -> Path:
    """pip builds in the folder it is given, and what a former build left in the checkout would be packed too."""
    target.mkdir()
    for name in SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, target / name)
    return target


def run(command: Sequence[str | Path], purpose: str) -> None:
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        raise CannotInstallError(f"could not {purpose}; the reason is above. Nothing of a former install was changed")


def build_environment(folder: Path, wheel: str, pip_flags: Sequence[str]) -> None:
    run([sys.executable, "-m", "venv", "--clear", folder], "make the virtual environment")
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(wheel).resolve() if wheel else copy_sources(Path(scratch) / "skitaid")
        flags = ["--quiet", "--no-compile", *pip_flags]
        command: list[str | Path] = [folder / "bin/python", "-m", "pip", "install", *flags, f"{source}[sample]"]
        run(command, "install skitaid and what it needs with pip")


def move_paths(environment: Path, home: Path) -> None:
    """Scripts of a virtual environment name its folder; make them name the one it will live in."""
    old, new = os.fsencode(environment), os.fsencode(home)
    for path in [environment / "pyvenv.cfg", *(environment / "bin").iterdir()]:
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if old in content:
            path.write_bytes(content.replace(old, new))  # keeps the mode


def compile_modules(environment: Path, home: Path) -> None:
    """Ahead of time, with the paths that tracebacks shall show. Failures are passed over: some packages carry files
    of other languages' versions, which nobody imports."""
    options: list[str | Path] = ["-qq", "-f", "-s", environment, "-p", home]
    subprocess.run([environment / "bin/python", "-m", "compileall", *options, environment / "lib"], check=False)


def install_program(places: Places, wheel: str, pip_flags: Sequence[str]) -> None:
    home = places.prefix / "lib" / "skitaid"
    fresh = places.library.with_name("skitaid.fresh")
    former = places.library.with_name("skitaid.former")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    try:
        build_environment(fresh, wheel, pip_flags)
        move_paths(fresh, home)
        compile_modules(fresh, home)
        shutil.rmtree(former, ignore_errors=True)
        if places.library.exists():
            places.library.rename(former)
        fresh.rename(places.library)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def link_commands(places: Places) -> None:
    folder = places.staged(places.prefix / "bin")
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in COMMANDS.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(link_target(command))


# ---------------------------------------------------------------- what stands around it


def is_shipped(name: str) -> bool:
    """Is that file of the conf folder one of the release?"""
    return name in SHIPPED or name.startswith(SHIPPED_FOLDER)


def shipped_conf() -> dict[str, bytes]:
    """The conf files of the release, with the user that workers run as switched on in skitaid.conf."""
    root = CHECKOUT / "etc" / "skitaid"
    paths = [path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    names = {str(path.relative_to(root)): path for path in paths if not path.name.startswith(".")}
    files = {name: path.read_bytes() for name, path in names.items() if is_shipped(name)}
    files["skitaid.conf"], count = USER_LINE.subn(b"user = skitaid", files["skitaid.conf"], count=1)
    if not count:
        raise CannotInstallError("etc/skitaid/skitaid.conf has no line `# user = skitaid` that could be switched on")
    return files


def install_conf(places: Places) -> None:
    for name, action in ConfFolder(places.etc).install(shipped_conf()).items():
        if action not in (Action.SAME, Action.WRITE):
            print(f"  {places.etc / name}: {action.value}")


def install_services(places: Places) -> None:
    for target, source in places.services.items():
        content = source.read_bytes().replace(os.fsencode(WRITTEN_FOR), os.fsencode(f"{places.prefix}/"))
        write(target, content, source.stat().st_mode & 0o755)


def install_docs(places: Places) -> None:
    for source in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]:
        if source.exists():
            write(places.docs / source.relative_to(CHECKOUT), source.read_bytes())


def make_folders(places: Places) -> None:
    """Open to read: a site may run as a user of its own, which must get through to its part. Logs are closed each."""
    for folder in FOLDERS:
        make_folder(places.staged(folder), 0o755)
    for folder in SECRET_FOLDERS:
        make_folder(places.staged(folder), 0o700)


def make_folder(path: Path, mode: int) -> None:
    """A folder that is there stays as it is. Debian's /var/local hands its group and its setgid bit on: not wanted."""
    if path.is_dir():
        return
    path.mkdir(parents=True)
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)


def add_user() -> None:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        pass
    else:
        return
    if not shutil.which("useradd"):
        raise CannotInstallError(f"there is no user {USER} and no useradd; add a system user of that name, then again")
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/var/local/skitaid"]
    run(["useradd", *options, "--shell", "/usr/sbin/nologin", USER], f"add the system user {USER}")


def reload_systemd() -> None:
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "daemon-reload"], check=False)


def next_step(places: Places, *, is_running: bool) -> str:
    """What to type now, where the shell and systemd find it."""
    is_searched = places.prefix in SEARCHED_PREFIXES
    program = "skitaid" if is_searched else str(places.prefix / "bin" / "skitaid")
    if is_running:
        return f"It runs, with the program of before. To take over the new one: {program} check, then {program} restart"
    unit = "skitaid" if is_searched else str(places.prefix / "lib/systemd/system/skitaid.service")
    has_sample = (places.etc / "servers-enabled" / "sample.conf").exists()
    sample = "; the sample is on http://127.0.0.1:5000/" if has_sample else ""
    return f"Start it: systemctl enable --now {unit} (or: {program} start){sample}"


# ---------------------------------------------------------------- the two commands


def install(places: Places, wheel: str, pip_flags: Sequence[str]) -> None:
    check_may_install(places)
    if places.is_this_machine:
        check_python_is_for_everyone()
    install_program(places, wheel, pip_flags)
    link_commands(places)
    make_folders(places)  # before the conf files, which would make them with the usual rights
    install_conf(places)
    install_services(places)
    install_docs(places)
    print(f"skitaid is installed: {places.library}, its conf in {places.etc}")
    if places.is_this_machine:
        add_user()
        reload_systemd()
        print(next_step(places, is_running=running_pid() is not None))


def remove_program(places: Places) -> None:
    for name, command in COMMANDS.items():
        link = places.staged(places.prefix / "bin" / name)
        if is_our_link(link, command):
            link.unlink()
    for target in places.services:
        target.unlink(missing_ok=True)
    shutil.rmtree(places.library, ignore_errors=True)
    shutil.rmtree(places.docs, ignore_errors=True)


def uninstall(places: Places) -> None:
    check_may_install(places)
    check_not_running(places)
    remove_program(places)
    kept = ConfFolder(places.etc).uninstall() if places.etc.exists() else []
    for name in kept:
        print(f"  {places.etc / name}: kept, as it was edited")
    if places.is_this_machine:
        reload_systemd()
    print("skitaid is uninstalled. Logs, data and the user skitaid stay; to be rid of them as well:")
    print(f"  rm -r {places.staged('var/log/skitaid')} {places.staged('var/local/skitaid')}; userdel {USER}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="make install and make uninstall")
    parser.add_argument("--prefix", type=Path, default=Path("/usr/local"))
    parser.add_argument("--destdir", default="")
    parser.add_argument("--wheel", default="", help="install this wheel instead of building one from the checkout")
    parser.add_argument("--pip-flags", default="", help="more flags for pip, as --no-index")
    parser.add_argument("command", choices=["install", "uninstall"])
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    places = Places(options.prefix, options.destdir.rstrip("/") and os.path.abspath(options.destdir))
    try:
        if options.command == "install":
            install(places, options.wheel, options.pip_flags.split())
        else:
            uninstall(places)
    except CannotInstallError as error:
        print(f"skitaid: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"skitaid: no right to write {error.filename}: as root, or with a DESTDIR of your own", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
