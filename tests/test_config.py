"""Settings: what is misspelt or contradicts itself is refused at the start, with the name that was meant."""

from pathlib import Path

import pytest

from notifier import config
from notifier.kit.errors import Invalid

ROOT = Path(__file__).parents[1]


def _load(tmp_path: Path, **environment: str) -> config.Settings:
    return config.load(ROOT, {"NOTIFIER_HOME": str(tmp_path), **environment})


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("NOTIFIER_WORKER_LEASE", "30", "NOTIFIER_WORKER_LEASE_S"),
        ("NOTIFIER_DATABSE_URL", "sqlite:///x", "NOTIFIER_DATABASE_URL"),
        ("NOTIFIER_LIFE", "true", "NOTIFIER_LIVE"),
        ("NOTIFIER_PORT", "8025", "NOTIFIER_WEB_PORT"),
        ("NOTIFIER_WORKER_LEASE_S ", "30", "NOTIFIER_WORKER_LEASE_S"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant(
    tmp_path: Path, name: str, value: str, meant: str
) -> None:
    with pytest.raises(Invalid) as refused:
        _load(tmp_path, **{name: value})
    assert f"There is no setting {name} " in str(refused.value)
    assert f"{meant}?" in str(refused.value)


def test_a_variable_like_no_setting_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"There is no setting NOTIFIER_XYZZY; config/notifier\.toml shows every one"):
        _load(tmp_path, NOTIFIER_XYZZY="1")


def test_a_misspelt_name_in_a_file_is_refused_with_the_name_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / config.SECRETS_FILE).write_text('[keys]\ntoken = "1:00"\n', encoding="utf-8")
    with pytest.raises(Invalid, match=r"there is no setting 'keys.token' \(do you mean keys.tokens\?\)"):
        _load(tmp_path)


def test_what_kubernetes_says_about_a_service_of_our_name_is_no_setting(tmp_path: Path) -> None:
    _load(
        tmp_path,
        NOTIFIER_SERVICE_HOST="10.0.0.1",
        NOTIFIER_SERVICE_PORT="8025",
        NOTIFIER_SERVICE_PORT_HTTP="8025",
        NOTIFIER_PORT="tcp://10.0.0.1:8025",
        NOTIFIER_PORT_8025_TCP="tcp://10.0.0.1:8025",
        NOTIFIER_PORT_8025_TCP_PROTO="tcp",
        NOTIFIER_PORT_8025_TCP_ADDR="10.0.0.1",
        NOTIFIER_WEB_SERVICE_HOST="10.0.0.1",
    )


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert _load(tmp_path, NOTIFIER_WORKER_LEASE_S="").worker.lease_s == 60.0


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"NOTIFIER_DOUBT_EVENTS_WAIT_S": "90"}, "doubt.events_wait_s is 90 s, but a call can be under way for 90 s"),
        ({"NOTIFIER_DOUBT_RECORD_WAIT_S": "99"}, "doubt.record_wait_s is 99 s, but a call can be under way for 100 s"),
        ({"NOTIFIER_TWILIO_CONCURRENCY": "5"}, "doubt.record_wait_s is 300 s, but a call can be under way for 460 s"),
        ({"NOTIFIER_WORKER_LEASE_S": "3600"}, "doubt.events_wait_s is 3600 s"),
    ],
)
def test_a_doubt_that_could_be_settled_while_its_call_is_under_way_is_refused(
    tmp_path: Path, environment: dict[str, str], setting: str
) -> None:
    with pytest.raises(Invalid) as refused:
        _load(tmp_path, **environment)
    assert setting in str(refused.value)
