"""Alerts reach real receivers; those that hang, fail or lead elsewhere do no harm."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import SecretStr

from coordinator.alerts.channels import command, webhook
from coordinator.alerts.channels.email import mail
from coordinator.alerts.delivering import try_channels
from coordinator.alerts.telling import AlertMessage
from coordinator.alerts.watch import AlertWatch
from coordinator.errors import DeliveryError
from schemas.alert_settings import (
    AlertRuleSettings,
    AlertSettings,
    CommandSettings,
    EmailSettings,
    WebhookSettings,
)
from schemas.live_settings import LiveSettings
from tests.integration.receivers import Hook, Post, mail_server, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.settings import Settings

BODY: dict[str, Any] = {
    "news": "firing",
    "rule": "disk_full",
    "severity": "critical",
    "labels": {"folder": "Aufnähmen ❤"},
    "metric": "disk_used_share",
    "value": 0.95,
    "threshold": 0.9,
    "summary": "disk_full (folder Aufnähmen ❤): 0.95",
    "since": "2026-01-01T00:00:00Z",
    "at": "2026-01-01T00:01:00Z",
    "runbook": "ops/runbook.md",
}
#: A secret as the specification has it, and what it stands for.
SECRET, KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"1\xf2\x90\xf6\xbf\x06"
PATIENCE_SECONDS = 20


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Return a web server."""
    with web_server() as found:
        yield found


@pytest.fixture
def post() -> Iterator[Post]:
    """Return a mail server."""
    with mail_server() as found:
        yield found


def to(hook: Hook, path: str = "/in", **more: Any) -> WebhookSettings:  # noqa: ANN401
    return WebhookSettings(url=SecretStr(hook.address + path), **more)


def by(post: Post, **more: Any) -> EmailSettings:  # noqa: ANN401
    return EmailSettings(
        host="127.0.0.1",
        port=post.port,
        encryption="none",
        recipients=("ops@example.org", "me@example.org"),
        **more,
    )


def test_a_webhook_is_posted_a_message_that_its_receiver_can_verify(hook: Hook) -> None:
    webhook.post(to(hook, secret=SecretStr(SECRET)), BODY, "message-1")
    path, headers, body = hook.got.get(timeout=PATIENCE_SECONDS)
    assert (path, json.loads(body)) == ("/in", BODY)
    assert headers["webhook-id"] == "message-1"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"message-1.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_the_specifications_example() -> None:
    key = webhook.secret_bytes(SECRET)
    assert key.startswith(KEY)
    content = b'{"test": 2432232314}'
    signature = webhook.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, content)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["plain words", "whsec_not base64!"])
def test_a_secret_that_is_no_base64_is_taken_as_it_is(secret: str) -> None:
    assert webhook.secret_bytes(secret) == secret.encode()


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (503, False), (429, False), (404, True)]
)
def test_an_answer_decides_whether_it_is_worth_another_try(
    hook: Hook, status: int, *, final: bool
) -> None:
    hook.answers = [status]
    with pytest.raises(DeliveryError, match=f"answers {status}") as caught:
        webhook.post(to(hook), BODY, "1")
    assert caught.value.final is final
    assert hook.address not in str(caught.value), "it may hold a token"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_to_a_private_address(hook: Hook, status: int) -> None:
    with web_server() as private:
        hook.answers, hook.headers = [status], {"Location": f"{private.address}/secret"}
        with pytest.raises(DeliveryError, match="a redirect is not followed"):
            webhook.post(to(hook), BODY, "1")
        assert private.got.empty()


def test_a_webhook_that_hangs_costs_no_longer_than_its_limit(hook: Hook) -> None:
    began = time.monotonic()
    with pytest.raises(DeliveryError, match=r"did not answer within 0\.3 s") as caught:
        webhook.post(to(hook, "/hang", timeout_seconds=0.3), BODY, "1")
    assert time.monotonic() - began < 5
    assert not caught.value.final


def test_a_webhook_that_is_not_there_is_tried_again_later() -> None:
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        webhook.post(WebhookSettings(url=SecretStr("http://127.0.0.1:9/x")), BODY, "1")
    assert not caught.value.final


def test_a_mail_names_the_alert_in_its_subject(post: Post) -> None:
    mail(by(post), BODY, "message-1")
    envelope = post.got.get(timeout=PATIENCE_SECONDS)
    found = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert envelope.rcpt_tos == ["ops@example.org", "me@example.org"]
    assert found["Subject"] == "[chordscribe] FIRING: disk_full (folder Aufnähmen ❤): 0.95"
    assert found["Message-ID"] == "<message-1@localhost>"
    assert "ops/runbook.md, section disk_full" in found.get_content()


@pytest.mark.parametrize(
    ("reply", "final"), [("451 later", False), ("554 never", True), ("552 full", True)]
)
def test_a_mail_servers_reply_decides_whether_it_is_worth_another_try(
    post: Post, reply: str, *, final: bool
) -> None:
    post.reply = reply
    with pytest.raises(DeliveryError, match=f"answers {reply[:3]}") as caught:
        mail(by(post), BODY, "1")
    assert caught.value.final is final


def test_a_mail_is_not_sent_in_the_clear_where_it_shall_be_encrypted(post: Post) -> None:
    settings = by(post).model_copy(update={"encryption": "starttls"})
    with pytest.raises(DeliveryError, match="SMTPNotSupportedError"):
        mail(settings, BODY, "1")
    assert post.got.empty()


def script(*lines: str) -> CommandSettings:
    return CommandSettings(argv=(sys.executable, "-c", "\n".join(lines)), timeout_seconds=30)


def test_a_command_is_given_the_message_and_no_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_DATABASE_URL", "postgresql://me:hunter2@host/db")
    out = tmp_path / "out"
    run = script(
        "import json, os, sys",
        f"json.dump([json.load(sys.stdin), dict(os.environ)], open({str(out)!r}, 'w'))",
    )
    command.run(run, BODY, "message-1")
    body, env = json.loads(out.read_text())
    assert body == BODY
    assert env["CHORDSCRIBE_ALERT_RULE"] == "disk_full"
    assert env["CHORDSCRIBE_ALERT_ID"] == "message-1"
    assert "hunter2" not in json.dumps(env)


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(DeliveryError, match="ended with 3: it is broken"):
        command.run(script("import sys", "print('it is broken')", "sys.exit(3)"), BODY, "1")
    with pytest.raises(DeliveryError, match="cannot be run: FileNotFoundError"):
        command.run(CommandSettings(argv=("/no/such/program",)), BODY, "1")


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    hanging = script(
        "import subprocess, sys, time",
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])",
        f"open({str(note)!r}, 'w').write(str(child.pid))",
        "time.sleep(60)",
    ).model_copy(update={"timeout_seconds": 1.5})
    with pytest.raises(DeliveryError, match=r"took longer than 1\.5 s"):
        command.run(hanging, BODY, "1")
    child = int(note.read_text())
    psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    alive = psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE
    assert not alive


def test_a_test_message_tells_of_each_channel_whether_it_arrived(hook: Hook, post: Post) -> None:
    hook.answers = [500]
    settings = AlertSettings(webhook=to(hook), email=by(post))
    found = try_channels(settings, AlertMessage.model_validate(BODY))
    assert found == {"webhook": "the webhook answers 500", "email": None}


def test_a_coordinators_watch_delivers_and_tries_again_what_a_receiver_refuses(
    settings: Settings, hook: Hook, post: Post, tmp_path: Path
) -> None:
    hook.answers = [500, 500, 204]
    rule = AlertRuleSettings(
        metric="broker_memory_share", comparison=">", threshold=0.0, severity="critical"
    )
    alerts = AlertSettings(
        defaults=False,
        every_seconds=0.2,
        retry_seconds=0.05,
        rules={"used": rule},
        webhook=to(hook),
        email=by(post),
        command=CommandSettings(argv=("tee", str(tmp_path / "told"))),
    )
    watching = settings.model_copy(update={"alerts": alerts})
    watch = AlertWatch(LiveSettings(watching, follow=False), "here")
    watch.start()
    try:
        tries = [hook.got.get(timeout=PATIENCE_SECONDS) for _ in range(3)]
        envelope = post.got.get(timeout=PATIENCE_SECONDS)
    finally:
        watch.stop()
    assert len({headers["webhook-id"] for _, headers, _ in tries}) == 1, "it is one message"
    assert {json.loads(body)["news"] for _, _, body in tries} == {"firing"}
    assert b"FIRING" in envelope.content
    assert json.loads((tmp_path / "told").read_text())["rule"] == "used"


def test_a_webhook_that_hangs_keeps_no_mail_from_going_out(
    settings: Settings, hook: Hook, post: Post
) -> None:
    rule = AlertRuleSettings(metric="disk_used_share", comparison=">", threshold=0.0)
    alerts = AlertSettings(
        defaults=False,
        every_seconds=0.2,
        rules={"used": rule},
        webhook=to(hook, "/hang", timeout_seconds=60),
        email=by(post),
    )
    watching = settings.model_copy(update={"alerts": alerts})
    watch = AlertWatch(LiveSettings(watching, follow=False), "here")
    watch.start()
    try:
        hook.got.get(timeout=PATIENCE_SECONDS)
        post.got.get(timeout=PATIENCE_SECONDS)
    finally:
        hook.go_on.set()
        watch.stop()
