"""The mail agent as a process, with a mail server that fails in every way."""

from __future__ import annotations

import json
import os
import random
import re
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGQUIT, SIGTERM, Signals

import pytest

from skitaid.agents.smtpda.bounce import bounce_id
from skitaid.agents.smtpda.delivery_journal import DeliveryJournal
from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.message import Email
from skitaid.agents.smtpda.spool import Spool, new_id
from skitaid.supervisor.agents import BOOT
from tests.functional.mail_sink import ABILITIES, FAULTS, OK, Sink
from tests.functional.running import PROGRAM, ROOT, Daemon, Place, free_port, wait_for

Post = Callable[..., "Office"]


class Office:
    """A conf folder with a mail agent, and a sink that it hands mail to."""

    def __init__(self, root: Path, sink: Sink, **keys: object) -> None:
        self.etc = root / "etc"
        self.folder = root / "var" / "lib" / "daemons" / "smtpda"
        self.spool = Spool(self.folder)
        self.sink = sink
        self.log_path = root / "var" / "log" / "daemons" / "smtpda" / "smtpda.log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.etc.mkdir()
        self.conf(**keys)

    def conf(self, **keys: object) -> None:
        made = {"smtpserver": self.sink.address, "retry_after": "0.05", "max_retry": 1000, **keys}
        text = "[smtpda]\n" + "".join(f"{name} = {value}\n" for name, value in made.items())
        (self.etc / "skitaid.conf").write_text(text)

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.is_file() else ""

    def run(self) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SKITAID_")}
        self.processes.append(
            subprocess.Popen(
                [sys.executable, str(BOOT), "-f", "smtpda", "--etc", str(self.etc)],
                stdin=subprocess.DEVNULL,
                env=environ,
            )
        )
        return self.processes[-1]

    def start(self) -> Office:
        count = self.log.count("is ready")
        self.run()
        wait_for(lambda: self.log.count("is ready") > count, "the mail agent")
        return self

    def stop(self, number: Signals = SIGQUIT) -> int:
        self.processes[-1].send_signal(number)
        return self.processes[-1].wait(30)

    def send(self, recipients: object = "b@x.org", *, sender: str = "a@x.org", **fields: object) -> str:
        mail = Email("Hello", sender, recipients)
        mail.add_text("hello")
        for name, value in fields.items():
            setattr(mail, name, value)
        return mail.send(self.spool)

    def left(self) -> set[str]:
        """Ids of the mails that wait. One on its way from folder to folder is seen, listed in that order."""
        names = [*os.listdir(self.folder / "incoming"), *os.listdir(self.folder / "queue")]
        return {name.removesuffix(".mail") for name in names if name.endswith(".mail")}

    def failed(self) -> set[str]:
        return {path.stem for path in (self.folder / "failed").glob("*.mail")}

    def drained(self, timeout_s: float = 30) -> None:
        wait_for(lambda: not self.left(), f"an empty queue:\n{self.log[-3000:]}", timeout_s)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(30)
        self.sink.close()
        left = DeliveryJournal()  # what agents that were killed leave in memory
        left.open(self.folder)
        left.clear()
        left.close()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """Makes an office whose agent runs; keywords are keys of the conf."""
    offices: list[Office] = []

    def make(sink: Sink | None = None, **keys: object) -> Office:
        offices.append(Office(tmp_path, sink or Sink(), **keys))
        return offices[-1].start()

    yield make
    for office in offices:
        office.end()


# ---------------------------------------------------------------- delivery


@pytest.mark.parametrize("abilities", [ABILITIES, ("8BITMIME",)])
def test_the_bytes_arrive_as_they_were_queued(post: Post, abilities: tuple[str, ...]) -> None:
    office = post(Sink(abilities=abilities))
    message = (
        b"Subject: x\r\nMessage-ID: <raw@x>\r\n\r\n.\r\n..\r\n.a\r\n\r\n"
        + b"\xff\xfe \x01"
        + b"x" * 994
        + b"\r\n"
        + b"." * 998
        + b"\r\n"
        + b".\r\nMAIL FROM:<x@y>\r\n"
        + b".line\r\n" * 30_000
    )
    office.spool.put(Envelope(new_id(), 1.0, "a@x.org", ("b@x.org",)), message)
    office.drained()
    (taken,) = office.sink.taken
    assert taken.body == message
    assert "BODY=8BITMIME" in taken.parameters


def test_each_recipient_by_itself_and_a_bounce_for_who_failed(post: Post) -> None:
    office = post()
    mail_id = office.send(["b@x.org", "fail@x.org"], bcc="c@x.org")
    office.drained()
    wait_for(lambda: len(office.sink.taken) == 2, "the mail and its bounce")
    mail, bounce = office.sink.taken
    assert mail.recipients == ("b@x.org", "c@x.org")
    assert (bounce.sender, bounce.recipients) == ("", ("a@x.org",))
    assert b"<fail@x.org>:" in bounce.body and b"550 5.1.1 no such user" in bounce.body
    assert bounce.mail_id == bounce_id(mail_id, 1)
    assert office.failed() == {mail_id}


def test_a_bounce_that_fails_is_not_bounced(post: Post) -> None:
    office = post()
    mail_id = office.send("fail1@x.org", sender="fail2@x.org")
    wait_for(lambda: office.failed() == {mail_id, bounce_id(mail_id, 1)}, "both in failed")
    assert office.left() == set() and office.sink.taken == []


def test_given_up_after_the_retries(post: Post) -> None:
    office = post(max_retry=2)
    mail_id = office.send(["temp@x.org", "b@x.org"])
    wait_for(lambda: office.failed() == {mail_id}, "the mail in failed")
    wait_for(lambda: len(office.sink.taken) == 2, "the bounce")
    assert b"given up after 3 attempts: 450 4.2.1 mailbox busy" in office.sink.taken[1].body
    assert office.sink.recipients() == ["a@x.org", "b@x.org"]


def test_connections_are_used_again_and_bounded(post: Post) -> None:
    office = post(Sink(pause_s=0.005), concurrency=3)
    ids = {office.send() for _ in range(30)}
    office.drained()
    assert {mail.mail_id for mail in office.sink.taken} == ids
    assert office.sink.most_at_once <= 3 and office.sink.connections <= 6


def test_a_server_that_is_down_holds_up_nobody_else(post: Post) -> None:
    office = post(concurrency=2)
    for _ in range(10):
        mail = Email("Hello", "a@x.org", "b@x.org")
        mail.set_smtp(f"127.0.0.1:{free_port()}")
        mail.send(office.spool)
    office.send("c@x.org")
    wait_for(lambda: office.sink.recipients() == ["c@x.org"], "the mail that can go")
    assert len(office.left()) == 10


def test_a_server_without_smtputf8(post: Post) -> None:
    office = post(Sink(abilities=("8BITMIME",)))
    office.send("jörg@x.org")
    wait_for(lambda: office.sink.taken, "the bounce")
    assert b"<j\\x{F6}rg@x.org>" in office.sink.taken[0].body and b"SMTPUTF8" in office.sink.taken[0].body


def test_smtputf8(post: Post) -> None:
    office = post()
    office.send("jörg@exämple.com", subject="Grüße")
    office.drained()
    (taken,) = office.sink.taken
    assert taken.recipients == ("jörg@xn--exmple-cua.com",) and "SMTPUTF8" in taken.parameters


def test_a_mail_that_was_queued_while_no_agent_ran(post: Post) -> None:
    office = post()
    assert office.stop() == 0
    mail_id = office.send()
    assert office.left() == {mail_id}
    office.start()
    office.drained()
    assert [mail.mail_id for mail in office.sink.taken] == [mail_id]


def test_a_second_agent_is_refused(post: Post) -> None:
    office = post()
    second = office.run()
    assert second.wait(30) == 1
    assert "another mail agent works on" in office.log
    office.send()
    office.drained()


def test_what_others_leave_in_the_spool_holds_up_no_mail(post: Post) -> None:
    office = post()
    incoming = office.folder / "incoming"
    (incoming / "a-folder.mail").mkdir()
    os.mkfifo(incoming / "b-fifo.mail")
    (incoming / "c-link.mail").symlink_to("/etc/passwd")
    for name, line in (("d-garbage", b"\xff\xfe"), ("e-odd", b'{"id":"x","route":{"host":"x","ssl":[]}}\n')):
        (incoming / f"{name}.mail").write_bytes(line)
    mail_id = office.send()
    wait_for(lambda: [mail.mail_id for mail in office.sink.taken] == [mail_id], "the mail behind")
    wait_for(lambda: office.failed() == {"d-garbage", "e-odd"}, "what is not a mail in failed")
    assert office.left() == {"a-folder", "b-fifo", "c-link"} and "Traceback" not in office.log


def test_a_folder_of_the_spool_that_is_removed_is_made_anew(post: Post) -> None:
    office = post()
    (office.folder / "queue").rmdir()
    office.send()
    wait_for(lambda: len(office.sink.taken) == 1, "the mail")
    (office.folder / "incoming").rmdir()
    wait_for((office.folder / "incoming").is_dir, "the folder")
    assert office.log.count("was removed, and is made anew") == 2


def test_a_folder_that_mails_cannot_be_moved_to_is_said_once(post: Post) -> None:
    office = post()
    queue = office.folder / "queue"
    queue.rename(office.folder / "queue.away")
    queue.write_bytes(b"")
    office.send()
    wait_for(lambda: "mails stay in" in office.log, "the trouble in the log")
    office.send()
    queue.unlink()
    wait_for(lambda: len(office.sink.taken) == 2, "both mails")
    assert office.log.count("mails stay in") == 1


def test_a_graceful_stop_finishes_the_mail_under_way(post: Post) -> None:
    gate = threading.Event()
    office = post(Sink(dot_gate=gate), concurrency=1)
    first = office.send()
    wait_for(office.sink.at_dot.is_set, "the mail under way")
    second = office.send()
    office.processes[-1].send_signal(SIGQUIT)
    wait_for(lambda: "stopping (graceful)" in office.log, "the stop")
    gate.set()
    assert office.processes[-1].wait(30) == 0
    assert [mail.mail_id for mail in office.sink.taken] == [first]
    assert office.left() == {second}


def test_reload_takes_another_server(post: Post) -> None:
    office = post(smtpserver=f"127.0.0.1:{free_port()}")
    office.send()
    wait_for(lambda: "cannot connect" in office.log, "a first attempt")
    office.conf()
    office.processes[-1].send_signal(SIGHUP)
    office.drained()
    assert len(office.sink.taken) == 1


# ---------------------------------------------------------------- TLS and login


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for 127.0.0.1, and the file of its authority: itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "sink.pem"
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path


Tls = tuple[ssl.SSLContext, Path]
LOGIN = {"user": "ann", "password": "secret"}


@pytest.mark.parametrize("keys", [{"starttls": "yes"}, {"ssl": "yes"}])
def test_tls_then_the_password_then_the_mail(post: Post, tls: Tls, keys: dict[str, str]) -> None:
    office = post(Sink(tls=tls[0], is_tls_first="ssl" in keys, login=("ann", "secret")), cafile=tls[1], **LOGIN, **keys)
    office.send()
    office.drained()
    (taken,) = office.sink.taken
    assert taken.is_tls and taken.user == "ann"


@pytest.mark.parametrize("keys", [{"starttls": "yes"}, {"ssl": "yes"}])
def test_nothing_is_said_to_a_server_that_is_not_certified(post: Post, tls: Tls, keys: dict[str, str]) -> None:
    office = post(Sink(tls=tls[0], is_tls_first="ssl" in keys, login=("ann", "secret")), **LOGIN, **keys)
    office.send()
    wait_for(lambda: "certificate verify failed" in office.log, "the reason in the log")
    assert not [line for line in office.sink.commands if line.startswith(("AUTH", "MAIL"))]
    assert len(office.left()) == 1


def test_nothing_is_said_to_a_server_whose_certificate_has_another_name(post: Post, tls: Tls) -> None:
    sink = Sink(tls=tls[0], login=("ann", "secret"))
    office = post(sink, smtpserver=f"localhost:{sink.port}", starttls="yes", cafile=tls[1], **LOGIN)
    office.send()
    wait_for(lambda: "certificate verify failed" in office.log, "the reason in the log")
    assert {line.split()[0] for line in sink.commands} <= {"EHLO", "STARTTLS"}
    assert len(office.left()) == 1


def test_nothing_is_said_when_starttls_is_taken_away(post: Post) -> None:
    office = post(Sink(login=("ann", "secret")), starttls="yes", **LOGIN)
    office.send()
    wait_for(lambda: "offers no STARTTLS, and TLS is required" in office.log, "the reason in the log")
    assert {line.split()[0] for line in office.sink.commands} <= {"EHLO", "QUIT"}
    assert len(office.left()) == 1


def test_opportunistic_tls_takes_what_it_gets(post: Post, tls: Tls) -> None:
    office = post(Sink(tls=tls[0], login=("ann", "secret")), starttls="opportunistic", **LOGIN)
    office.send()
    office.drained()
    assert office.sink.taken[0].is_tls
    assert "AUTH CRAM-MD5" in office.sink.commands  # nobody knows who that is


def test_to_this_machine_in_the_clear_the_password_is_not_shown(post: Post) -> None:
    office = post(Sink(login=("ann", "secret")), **LOGIN)
    office.send()
    office.drained()
    assert office.sink.taken[0].user == "ann"
    assert "AUTH CRAM-MD5" in office.sink.commands


def test_a_wrong_password_is_no_reason_to_give_a_mail_up(post: Post) -> None:
    office = post(Sink(login=("ann", "other")), max_retry=0, retry_after=3600, **LOGIN)
    mail_id = office.send()
    wait_for(lambda: "535 5.7.8" in office.log, "the reason in the log")
    own = Email("Hello", "a@x.org", "c@x.org")
    own.set_smtp(office.sink.address, "ann", "secret")
    own_id = own.send(office.spool)
    wait_for(lambda: own_id in office.failed(), "the mail that came with a wrong password")
    assert mail_id in office.left()
    office.conf(max_retry=0, retry_after=3600, user="ann", password="other")
    office.processes[-1].send_signal(SIGHUP)  # and it is tried at once
    office.drained()
    assert "b@x.org" in office.sink.recipients()
    assert mail_id not in office.failed()


# ---------------------------------------------------------------- everything at once

SENDER = """
import os, random, sys, time
from pathlib import Path
from skitaid.agents.smtpda.message import Email
from skitaid.agents.smtpda.spool import Spool
spool, list_path, count = Spool(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
record = os.open(list_path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
while os.pread(record, 1 << 20, 0).count(b"\\n") < count:
    recipients = random.choice(("b", "b", "b", "b c", "fail", "b fail")).split()
    recipients = [f"{name}@x.org" for name in recipients]
    mail = Email("Hello", "a@x.org", recipients)
    mail.add_text(".\\nhello\\n" * random.randrange(1, 500))
    os.write(record, f"{mail.send(spool)} {','.join(recipients)}\\n".encode())
    time.sleep(random.random() * 0.04)
"""


@pytest.mark.time_limit(180)
def test_killed_again_and_again_nothing_is_lost_and_next_to_nothing_comes_twice(post: Post, tmp_path: Path) -> None:
    chance = random.Random(7)
    calm = threading.Event()
    office = post(Sink(plan=lambda number: OK if calm.is_set() else chance.choice((OK, OK, OK, *FAULTS))))
    queued_path = tmp_path / "queued"

    def app() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", SENDER, office.folder, queued_path, "150"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    office.processes.append(sender := app())
    agent = office.processes[0]
    for kill in range(25):
        # The agent says when it is there: it is killed at some moment of its work, not of its start.
        seen = office.log.count("is ready") if kill else 1
        with suppress(subprocess.TimeoutExpired):
            sender.wait(chance.uniform(0.05, 0.4))
        agent.send_signal(SIGKILL)
        assert agent.wait(30) == -SIGKILL
        if kill % 6 == 5 and sender.poll() is None:
            sender.kill()
            sender.wait(30)
            office.processes.append(sender := app())
        agent = office.run()
        wait_for(lambda: office.log.count("is ready") > seen, "the next agent")  # noqa: B023
    assert sender.wait(60) == 0
    # From here on all goes well. A mail that failed nine times by chance waits for a quarter of a minute nevertheless.
    calm.set()
    office.drained(timeout_s=90)
    # A mail is seen to be gone before its bounce is seen to be there.
    wait_for(lambda: not office.left(), "an empty queue")
    assert office.processes[-1].poll() is None
    judge(office, queued_path.read_text())


def judge(office: Office, text: str) -> None:
    queued = {mail_id: recipients.split(",") for mail_id, recipients in (line.split() for line in text.splitlines())}
    assert len(queued) >= 150
    wanted = {(mail_id, each) for mail_id, recipients in queued.items() for each in recipients if each != "fail@x.org"}
    bounced = {mail_id for mail_id, recipients in queued.items() if "fail@x.org" in recipients}
    taken = [mail for mail in office.sink.taken if mail.sender]
    bounces = [mail for mail in office.sink.taken if not mail.sender]
    arrived = Counter((mail.mail_id, each) for mail in taken for each in mail.recipients)
    assert wanted - arrived.keys() == set(), "lost"
    # Whoever was killed between the rename and the note of it has queued a mail that is on no list.
    assert len({mail_id for mail_id, _ in arrived} - queued.keys()) <= 5
    told = Counter(mail.mail_id.rpartition("-")[0] for mail in bounces if mail.mail_id.rpartition("-")[0] in queued)
    assert set(told) == bounced
    ids = Counter(mail.mail_id for mail in bounces)
    twice = sum(count > 1 for count in arrived.values()) + sum(count > 1 for count in ids.values())
    assert twice <= 6
    assert len(ids) == len({each.rpartition("-")[0] for each in ids}), "two bounces for one failure"


def test_what_the_killed_agent_had_heard_is_not_sent_again(post: Post) -> None:
    office = post()
    office.stop()
    mail_id = office.send(["b@x.org", "c@x.org"])
    (office.folder / "incoming" / f"{mail_id}.mail").rename(office.folder / "queue" / f"{mail_id}.mail")
    journal = DeliveryJournal()
    journal.open(office.folder)
    assert journal.is_kept
    with journal.entry(mail_id, ["b@x.org", "c@x.org"]) as entry:
        entry.arm(["b@x.org"])
        entry.mark()
        office.start()
    office.drained()
    assert office.sink.recipients() == ["c@x.org"]
    assert f"{mail_id}: delivered: from <a@x.org> to <b@x.org>" in office.log


# ---------------------------------------------------------------- with the daemon

APP = """
from skitai import was

def app(environ, start_response):
    mail = was.email("Hello", "shop@example.com", "ann@example.com")
    mail.add_text("Thank you")
    mail_id = mail.send()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [mail_id.encode()]
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(Place(tmp_path))
    yield daemon
    daemon.end()


def test_an_app_sends_and_the_daemon_s_agent_delivers(daemon: Daemon) -> None:
    from tests.functional.running import text as fetch

    sink = Sink()
    daemon.place.app("app", APP)
    daemon.place.site()
    (daemon.place.etc / "skitaid.conf").write_text(f"[smtpda]\nsmtpserver = {sink.address}\nretry_after = 3600\n")
    daemon.start()
    address = wait_for(lambda: daemon.see().get("address"), "the site's address")
    mail_id = fetch(address)
    wait_for(lambda: [mail.mail_id for mail in sink.taken] == [mail_id], "the mail")
    assert "queue is empty" in queue_of(daemon)

    def agent() -> dict[str, object]:
        return dict(json.loads(daemon("status", "--json").stdout)["agents"][0])

    wait_for(lambda: re.match(r"0 queued .* 1 delivered", str(agent()["note"])), "the counts in the status")
    assert agent()["counts"] == {"queued": 0, "deferred": 0, "held": 0, "failed": 0, "delivered": 1}
    assert daemon("-f", "smtpda", "stop").returncode == 0
    assert agent()["state"] == "stopped"
    for action, shown in (("hold", "held"), ("retry", "new|queued"), ("remove", "empty")):
        if action == "hold":
            mail_id = fetch(address)
        done = daemon("-f", "smtpda", "queue", action, mail_id)
        assert done.returncode == 0, done.stderr
        assert re.search(shown, queue_of(daemon)), queue_of(daemon)
    sink.close()


IMPATIENT = """
from skitai import was

mail = was.email("Hello", "shop@example.com", "ann@example.com")
mail.add_text("I am there")
mail.send()

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]
"""


def test_an_app_sends_before_the_agent_s_first_start(daemon: Daemon) -> None:
    from tests.functional.running import text as fetch

    daemon.place.app("app", IMPATIENT)
    daemon.place.site()
    (daemon.place.etc / "skitaid.conf").write_text(f"[smtpda]\nsmtpserver = 127.0.0.1:{free_port()}\n")
    daemon.start()
    assert fetch(wait_for(lambda: daemon.see().get("address"), "the site's address")) == "ok"
    assert re.search("new|queued|deferred", queue_of(daemon))


def queue_of(daemon: Daemon) -> str:
    done = daemon("-f", "smtpda", "queue")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_queue_by_hand(post: Post) -> None:
    office = post(retry_after="3600")
    mail = Email("Hello", "a@x.org", "temp@x.org")
    mail.set_smtp(office.sink.address, None, None)
    mail_id = mail.send(office.spool)
    wait_for(lambda: "deferred" in office.log, "the first attempt")

    def queue(*words: str) -> subprocess.CompletedProcess[str]:
        words = ("--etc", str(office.etc), "-f", "smtpda", "queue", *words)
        return subprocess.run(
            [sys.executable, str(PROGRAM), *words], text=True, capture_output=True, timeout=60, check=False
        )

    assert re.search(rf"{mail_id} +deferred .* a@x.org +temp@x.org +in .* 450 4.2.1 mailbox busy", queue().stdout)
    assert "held" in queue("hold", mail_id).stdout
    assert re.search(rf"{mail_id} +held", queue("list").stdout)
    before = office.log.count("deferred:")
    assert queue("retry", mail_id).returncode == 0
    wait_for(lambda: office.log.count("deferred:") > before, "another attempt")
    shown = queue("show", mail_id).stdout
    assert "to        <temp@x.org> waiting: 450" in shown and "Subject: Hello" in shown and office.sink.address in shown
    assert queue("remove", mail_id).returncode == 0
    assert office.left() == set() and "empty" in queue().stdout
    assert queue("remove", mail_id).returncode == 1
    assert queue("retyr", mail_id).returncode == 2
    assert office.stop(SIGTERM) == 0
