"""What a reference to a recording may be; every other one is a clear error that tells no secret."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import BadSourceError
from coordinator.sources.addresses import may_reach, resolve_checked
from coordinator.sources.reference import Reference, read_reference
from coordinator.staging import stage
from schemas.settings import SourceSettings

RULES = SourceSettings()
#: Parts of references that reach for what they must not have.
PIECES = st.sampled_from(
    [
        *("file://", "FILE:", "https://", "HTTP://", "s3://", "zip://", "data:", "::", "://", "|"),
        *("/etc/passwd", "..", "/", "@", "user:secret@", "%2e%2e", "%00", "\x00", "\n", "\u202e"),
        *("\ud800", "127.0.0.1", "[::1]", ":0", ":99999", "?sig=", "#", "bucket", "a.wav", "\\"),
    ]
)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("http://127.0.0.1/x.wav", "allowed are paths"),
        ("HTTP://example.org/x.wav", "allowed are paths"),
        ("ftp://example.org/x.wav", "allowed are paths"),
        ("simplecache::file:///etc/passwd", "allowed are paths"),
        ("filecache::https://example.org/a.wav", "allowed are paths"),
        ("zip://x::http://example.org/a.zip", "allowed are paths"),
        ("reference://", "allowed are paths"),
        ("memory://a.wav", "allowed are paths"),
        ("github://owner:repo@main/a.wav", "allowed are paths"),
        ("file:///etc/passwd", "sources.file_roots"),
        ("FILE:///etc/passwd", "sources.file_roots"),
        ("file://../..", "another machine"),
        ("file://host/share", "another machine"),
        ("file:///etc/pass\x00wd", "characters that no address has"),
        ("file:///etc/%00", "no address of a file"),
        ("s3://b/../x", "names no bucket"),
        ("s3://bucket/../x", "no object of a bucket"),
        ("s3://bucket/a/../../x", "no object of a bucket"),
        ("s3://bucket", "no object of a bucket"),
        ("s3://key:secret@bucket/x", "names no bucket"),
        ("https://", "host or port"),
        ("https:///x.wav", "host or port"),
        ("https://example.org:0/x.wav", "host or port"),
        ("https://example.org:99999/x.wav", "host or port"),
        ("https://[::1/x.wav", "host or port"),
        ("https://user:secret@example.org/x.wav", "a user or a password"),
        ("https://example.org\\@evil.example/x.wav", "characters that no address has"),
        ("https://example.org/a\nb.wav", "characters that no address has"),
        ("https://example.org/\u202egpj.wav", "characters that no address has"),
        ("https://" + "x" * 65_536, "too long"),
        ("https://" + "x" * 200 + ".org/a.wav", "host"),
    ],
)
def test_what_may_not_be_read_is_refused_before_anything_is_opened(
    tmp_path: Path, source: str, complaint: str
) -> None:
    with pytest.raises(BadSourceError, match=complaint) as caught:
        stage(source, tmp_path / "media")
    told = str(caught.value)
    assert len(told) < 300
    assert told.isprintable()
    assert "secret" not in told
    assert not (tmp_path / "media").exists()


def test_a_scheme_that_the_operator_does_not_allow_is_refused() -> None:
    with pytest.raises(BadSourceError, match=r"allowed are .*s3://"):
        read_reference("https://example.org/a.wav", SourceSettings(schemes=("s3",)))


def test_a_signed_address_is_fetched_with_its_query_and_shown_without() -> None:
    found = read_reference("https://example.org:8443/a%20b.wav?X-Signature=secret#part", RULES)
    assert found.target == "https://example.org:8443/a%20b.wav?X-Signature=secret"
    assert (found.name, found.shown) == ("a b.wav", "'https://example.org:8443/a%20b.wav'")


def test_names_of_hosts_and_files_in_other_scripts_are_encoded() -> None:
    found = read_reference("https://bücher.example/größe.mp3", RULES)
    assert found.target == "https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe.mp3"


def test_an_object_is_found_by_bucket_and_key() -> None:
    found = read_reference("S3://calls-2026/day 1/a.wav", RULES)
    assert (found.scheme, found.target, found.name) == ("s3", "calls-2026/day 1/a.wav", "a.wav")


def test_file_addresses_are_read_below_the_configured_folders_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a b.wav").write_bytes(b"bytes")
    (inside / "link.wav").symlink_to(outside / "a b.wav")
    (tmp_path / "root").symlink_to(inside)
    rules = SourceSettings(file_roots=(tmp_path / "root",))
    assert stage(f"file://{inside}/a%20b.wav", tmp_path / "media", rules).name == "a b.wav"
    assert stage(f"file://localhost{inside}/a%20b.wav", tmp_path / "media", rules).size == 5
    for way in (f"{outside}/a%20b.wav", f"{inside}/link.wav", f"{inside}/../out/a%20b.wav"):
        with pytest.raises(BadSourceError, match=r"sources\.file_roots"):
            stage(f"file://{way}", tmp_path / "media", rules)


def test_a_link_put_in_the_way_after_the_check_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.wav").write_bytes(b"secret")
    target = tmp_path / "in" / "a.wav"
    target.write_bytes(b"bytes")
    real = os.open

    def swap_then_open(path: Path, flags: int, *more: int) -> int:
        if Path(path) == target:
            target.unlink()
            target.symlink_to(tmp_path / "secret.wav")
        return real(path, flags, *more)

    monkeypatch.setattr("coordinator.sources.local.os.open", swap_then_open)
    with pytest.raises(BadSourceError, match="cannot be opened"):
        stage(f"file://{target}", tmp_path / "media", SourceSettings(file_roots=(tmp_path,)))


def read_or_told(text: str) -> Reference | str:
    try:
        return read_reference(text, RULES)
    except BadSourceError as error:
        return str(error)


@given(st.lists(st.one_of(PIECES, st.text(string.printable, max_size=5)), max_size=8))
def test_whatever_is_given_is_a_reference_that_is_safe_or_a_clear_error(parts: list[str]) -> None:
    found = read_or_told("".join(parts))
    if isinstance(found, str):
        assert found.isprintable()
        return
    assert found.scheme in {"path", "https", "s3", "gs", "az"}  # no file_roots are configured
    assert found.name.isprintable()
    assert found.shown.isprintable()
    if found.scheme != "path":
        assert "sig=" not in found.shown
    if not found.local and found.scheme != "https":
        assert not {".", ".."} & set(found.target.split("/"))


@pytest.mark.parametrize("head", ["https://", "s3://", "file://", "ftp://", "x::https://"])
@given(st.text(string.ascii_letters + ":/?#[]@!$&.-%", max_size=30))
def test_what_may_be_a_password_or_a_signature_is_never_repeated(head: str, rest: str) -> None:
    for text in (f"{head}user:passw0rd9@{rest}", f"{head}host.example/{rest}?sig=passw0rd9"):
        found = read_or_told(text)
        assert "passw0rd9" not in (found if isinstance(found, str) else found.shown)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1"),
        *(
            "0.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1%eth0",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
        ),
        *("::ffff:169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
        "64:ff9b:1::7f00:1",
    ],
)
def test_addresses_that_are_not_public_are_not_reached(address: str) -> None:
    assert not may_reach(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_reached(address: str) -> None:
    assert may_reach(address)


def test_a_network_that_the_operator_allows_is_reached() -> None:
    rules = SourceSettings.model_validate({"allowed_networks": ["10.1.0.0/16"]})
    assert may_reach("10.1.2.3", rules.allowed_networks)
    assert may_reach("::ffff:10.1.2.3", rules.allowed_networks)
    assert not may_reach("10.2.2.3", rules.allowed_networks)


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f000001", "2130706433", "127.1", "::1"])
def test_every_way_to_write_this_machine_is_known(host: str) -> None:
    def asked(name: str, port: int, **_: object) -> list[tuple[object, ...]]:
        address = "::1" if ":" in name else "127.0.0.1"  # as the system reads them all
        return [(0, 0, 0, "", (address, port))]

    with pytest.raises(BadSourceError, match="no public address"):
        resolve_checked(host, 443, resolve=asked)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    def asked(_name: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("93.184.215.14", port)), (0, 0, 0, "", ("10.0.0.1", port))]

    with pytest.raises(BadSourceError, match=r"10\.0\.0\.1"):
        resolve_checked("rebinding.example", 443, resolve=asked)
