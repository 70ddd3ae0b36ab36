from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.servers import S3Server, run_moto
from tests.fixtures.vault import VaultServer, run_small_vault


@pytest.fixture(
    params=["small", pytest.param("openbao", marks=[pytest.mark.server, pytest.mark.xdist_group("openbao")])]
)
def vault(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[VaultServer]:
    """A Vault server: each kind in turn."""
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "VAULT_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if request.param == "openbao":
        yield request.getfixturevalue("openbao")
        return
    with run_small_vault() as server:
        yield server


@pytest.fixture(scope="session")
def moto_kms() -> Iterator[S3Server]:
    """AWS KMS, by moto."""
    with run_moto() as server:
        yield server


@pytest.fixture
def aws(moto_kms: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """The credentials of a user of AWS KMS, in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto_kms.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto_kms.secret_access_key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    return moto_kms
