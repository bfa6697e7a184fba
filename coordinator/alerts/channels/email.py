"""Sends a message by a mail server."""

from __future__ import annotations

import json
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Any

from coordinator.alerts.telling import AlertMessage, News
from coordinator.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.alert_settings import EmailSettings

#: Replies from here on say that it makes no sense to try again.
PERMANENT = 500
TITLES = {
    News.FIRING: "FIRING",
    News.STILL_FIRING: "still firing",
    News.RESOLVED: "resolved",
    News.TEST: "test",
}


def mail(settings: EmailSettings, body: Mapping[str, Any], number: str) -> None:
    """Send a message to all recipients.

    Raises:
        DeliveryError: the server did not take it, for one of them at least.
    """
    message = compose(settings, AlertMessage.model_validate(body), number)
    try:
        with _connected(settings) as server:
            refused = server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        words = f"the mail server refuses every recipient ({codes[0]})"
        raise DeliveryError(words, final=min(codes) >= PERMANENT) from error
    except smtplib.SMTPResponseException as error:
        words = f"the mail server answers {error.smtp_code}"
        raise DeliveryError(words, final=error.smtp_code >= PERMANENT) from error
    except (OSError, smtplib.SMTPException) as error:
        words = f"the mail server cannot be used: {type(error).__name__}"
        raise DeliveryError(words) from error
    if refused:
        words = f"the mail server refuses {len(refused)} of the recipients"
        raise DeliveryError(words, final=True)


def compose(settings: EmailSettings, about: AlertMessage, number: str) -> EmailMessage:
    """Return the mail, whose id is that of the message: sent twice, it is the same mail."""
    message = EmailMessage()
    message["Subject"] = f"[chordscribe] {TITLES[about.news]}: {about.summary}"
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message["Date"] = format_datetime(about.at)
    domain = parseaddr(settings.sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{number}@{domain}>"
    lines = [
        about.summary,
        "",
        f"{about.news.value} ({about.severity}) since {about.since:%Y-%m-%d %H:%M:%S} UTC",
        f"What to do: {about.runbook}, section {about.rule}",
        "",
        json.dumps(about.model_dump(mode="json"), indent=2),
    ]
    message.set_content("\n".join(lines) + "\n")
    return message


def _connected(settings: EmailSettings) -> smtplib.SMTP:
    """Return a connection to the server, encrypted and logged in as configured."""
    host, limit = settings.host or "", settings.timeout_seconds
    trust = ssl.create_default_context()
    if settings.encryption == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, settings.port, timeout=limit, context=trust)
    else:
        server = smtplib.SMTP(host, settings.port, timeout=limit)
    try:
        if settings.encryption == "starttls":
            server.starttls(context=trust)
        if settings.user is not None:
            password = settings.password.get_secret_value() if settings.password else ""
            server.login(settings.user, password)
    except BaseException:
        server.close()
        raise
    return server
