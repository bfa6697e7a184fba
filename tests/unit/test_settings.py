"""What can be configured, from where, under which names."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kombu.utils.url import parse_url
from sqlalchemy import make_url

from schemas.errors import ConfigurationError
from schemas.setting_keys import all_keys, find_key, is_hot
from schemas.setting_sources import CLI_VALUES, reading_instead
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2"  # noqa: S105  # nobody's


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def read(text: str) -> Settings:
    """Return the settings of a file."""
    import tomllib  # noqa: PLC0415

    with reading_instead(tomllib.loads(text)):
        return load_settings(_env_file=None)


def refusal(text: str) -> str:
    """Return why a file is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return str(caught.value)


def test_every_key_says_what_it_means() -> None:
    assert [key.name for key in all_keys(Settings) if not key.doc] == []


def test_every_key_is_found_by_its_own_name() -> None:
    for key in all_keys(Settings):
        assert find_key(Settings, key.name.replace("NAME", "it")) == key


def test_the_file_has_categories() -> None:
    settings = read(
        """
        version = 2
        [performance.media]
        chunk_seconds = 33
        [storage]
        media_dir = "/m"
        [ui.flower]
        port = 0
        [aggregation]
        strategy = "rover"
        """
    )
    assert settings.media.chunk_seconds == 33
    assert str(settings.media_dir) == "/m"
    assert settings.flower.port == 0
    assert settings.aggregation.strategy == "rover"


def test_a_file_of_version_1_is_read_with_a_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "chordscribe.toml").write_text("[media]\nchunk_seconds = 33\n")
    assert load_settings(_env_file=None).media.chunk_seconds == 33
    assert "in version 2 media is performance.media" in caplog.text


def test_a_name_of_version_1_is_refused_in_a_file_of_version_2() -> None:
    assert refusal("version = 2\n[media]\nchunk_seconds = 33") == (
        "media is performance.media since version 2"
    )


def test_a_file_of_the_future_is_refused() -> None:
    assert "newer than this program's" in refusal("version = 99")


@pytest.mark.parametrize("version", ["'2'", "0", "-1", "true", "1.5"])
def test_a_version_is_a_number(version: str) -> None:
    assert "version has to be a number" in refusal(f"version = {version}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[shceduling]\n", "unknown key shceduling; did you mean scheduling?"),
        ("[scheduling]\nmax_spar = 1", "unknown key scheduling.max_spar; did you mean scheduling."),
        (
            "[storage]\nmedia_dri = '/m'",
            "unknown key storage.media_dri; did you mean storage.media",
        ),
        ("[performance.meda]\nx = 1", "unknown key performance.meda; did you mean performance.med"),
        (
            "[pools.it]\ndevise = 'cpu'",
            "unknown key pools.it.devise; did you mean pools.it.device?",
        ),
        ("brokerurl = 'x'", "unknown key brokerurl; did you mean broker_url?"),
        ("zzzzzzzz = 1", "unknown key zzzzzzzz"),
        ("'' = 1", "unknown key "),
        ("'a\\u0000b' = 1", "unknown key a"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(text: str, message: str) -> None:
    assert message in refusal(text.replace("'a\\u", '"a\\u').replace("b'", 'b"'))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[performance.media]\nchunk_seconds = nan", "performance.media.chunk_seconds"),
        ("[performance.leases]\nlease_seconds = inf", "performance.leases.lease_seconds"),
        ("[performance.leases]\nlease_seconds = -1", "performance.leases.lease_seconds"),
        ("[performance.leases]\nlease_seconds = ''", "performance.leases.lease_seconds"),
        ("[performance.leases]\nlease_seconds = ' '", "performance.leases.lease_seconds"),
        ("[performance.leases]\nlease_seconds = []", "performance.leases.lease_seconds"),
        ("[performance]\nmedia = 3", "performance.media"),
        ("performance = 3", "performance"),
        ("pools = []", "pools"),
        ("[pools.'A b']", "pools.A b"),
        ("[pools.it]\nconcurrency = 1000000000", "pools.it.concurrency"),
        ("[ui.flower]\nport = 65536", "ui.flower.port"),
        ("[ui.flower]\nport = -1", "ui.flower.port"),
        ("[storage]\ndata_dir = ''", "storage.data_dir"),
        ("[storage]\ndata_dir = ' '", "storage.data_dir"),
        ('[storage]\ndata_dir = "a\\u0000b"', "storage.data_dir"),
        ("[aggregation]\nstrategy = '../x'", "aggregation.strategy"),
        ("[aggregation]\nstrategy = 'roverr'", "aggregation.strategy: there is no such merge"),
        ("[monitoring]\nlog_level = 'LOUD'", "monitoring.log_level"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(text: str, key: str) -> None:
    assert key in refusal(text)


@pytest.mark.parametrize("key", ["broker_url", "database_url"])
@pytest.mark.parametrize(
    "rest",
    [
        f"me:{SECRET}@host:0/1",
        f"me:{SECRET}@host:99999/1",
        f"me:{SECRET}@host:port/1",
        f"me:{SECRET}@ho st/1",
        f"me:{SECRET} @host/1",
        f"me:{SECRET}\n@host/1",
        f"me:{SECRET}@[::1/1",
        f"me:a@{SECRET}@host/1",
        f"me:a/{SECRET}@host/1",
        f"me:a#{SECRET}@host/1",
        f"me:a?{SECRET}@host/1",
        f"me:a%{SECRET}@host/1",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(key: str, rest: str) -> None:
    scheme = "redis" if key == "broker_url" else "postgresql"
    with pytest.raises(ConfigurationError) as caught:
        load_settings(_env_file=None, **{key: f"{scheme}://{rest}"})
    assert str(caught.value).startswith(f"the configuration is wrong: {key}: the address")
    assert SECRET not in str(caught.value)


def test_a_broker_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has to begin with one of redis"):
        load_settings(_env_file=None, broker_url="amqp://host")


def test_a_password_with_every_sign_goes_through_when_it_is_encoded() -> None:
    password, encoded = "p@:/#%", "p%40%3A%2F%23%25"
    settings = load_settings(
        _env_file=None,
        broker_url=f" redis://me:{encoded}@[::1]:6379/2 ",
        database_url=f"postgresql://me:{encoded}@[::1]:5432/ledger",
    )
    assert settings.broker_url
    assert settings.database_url
    broker = parse_url(settings.broker_url.get_secret_value())
    assert (broker["password"], broker["hostname"], broker["port"]) == (password, "::1", 6379)
    ledger = make_url(settings.database_url.get_secret_value())
    assert (ledger.password, ledger.host) == (password, "::1")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER_URL", "DATA_DIR", "LEASES__LEASE_SECONDS", "MONITORING__LOG_LEVEL"):
        monkeypatch.setenv(f"CHORDSCRIBE_{name}", "")
    assert load_settings(_env_file=None) == Settings(_env_file=None)


def test_variables_have_the_names_of_the_file_and_the_older_shorter_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_PERFORMANCE__MEDIA__CHUNK_SECONDS", "33")
    monkeypatch.setenv("CHORDSCRIBE_LEASES__SWEEP_SECONDS", "3")
    monkeypatch.setenv("chordscribe_storage__media_dir", "/m")
    settings = load_settings(_env_file=None)
    assert settings.media.chunk_seconds == 33
    assert settings.leases.sweep_seconds == 3
    assert str(settings.media_dir) == "/m"


def test_a_variable_that_names_no_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SHEDULING__MAX_SPARE", "3")
    with pytest.raises(ConfigurationError, match=r"did you mean scheduling\.max_spare\?"):
        load_settings(_env_file=None)


def test_what_kubernetes_sets_by_itself_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("CHORDSCRIBE_PORT", "tcp://10.0.0.1:80")
    assert load_settings(_env_file=None) == Settings(_env_file=None)


def test_the_command_line_wins_over_the_environment_which_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chordscribe.toml").write_text(
        "version = 2\n[scheduling]\nmax_spare = 1\noverdue_every = 1\nspare_seconds = 1\n"
    )
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__OVERDUE_EVERY", "2")
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__SPARE_SECONDS", "2")
    monkeypatch.setitem(CLI_VALUES, "scheduling", {"spare_seconds": 3})
    found = load_settings(_env_file=None).scheduling
    assert (found.max_spare, found.overdue_every, found.spare_seconds) == (1, 2, 3)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"[a\n", b"a = ", b"a = 1\na = 2", b"\0"])
def test_a_file_that_is_no_toml_is_a_clear_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "chordscribe.toml").write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"cannot be read: chordscribe\.toml: "):
        load_settings(_env_file=None)


def test_a_folder_in_the_files_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "chordscribe.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(_env_file=None)


def test_what_is_declared_hot_is_so_by_itself_or_by_what_holds_it() -> None:
    assert is_hot(Settings, ("scheduling", "max_spare"))
    assert is_hot(Settings, ("media", "chunk_seconds"))
    assert not is_hot(Settings, ("media", "by_engine_workers"))
    assert is_hot(Settings, ("engines", "fake", "text"))
    assert is_hot(Settings, ("engine_limits", "fake", "base_seconds"))
    assert not is_hot(Settings, ("pools", "it", "device"))
    assert not is_hot(Settings, ("data_dir",))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
NAMES = st.sampled_from([part for key in all_keys(Settings) for part in key.name.split(".")])
DOCUMENTS = st.dictionaries(
    NAMES, VALUES | st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3))
)


@given(DOCUMENTS)
@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_document_is_accepted_or_refused_with_a_reason(document: dict[str, Any]) -> None:
    reason, found = "", None
    with reading_instead(document):
        try:
            found = load_settings(_env_file=None)
        except ConfigurationError as error:
            reason = str(error)
    assert json.loads(found.model_dump_json()) if found else re.search(r"\w", reason)
