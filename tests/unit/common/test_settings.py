"""Settings: every row is read, checked and explained; nothing starts with a wrong one."""

from dataclasses import fields
from pathlib import Path

import pytest

from common.settings import TABLE, Settings, SettingsError, load
from common.settings_reference import reference
from common.settings_types import GIB, MIB, split_bind

ROOT = Path(__file__).parents[3]
S3 = {
    "PORTOLAN_STORAGE": "s3://letters",
    "PORTOLAN_S3_ENDPOINT": "http://127.0.0.1:9000",
    "PORTOLAN_S3_ACCESS_KEY": "portolan",
    "PORTOLAN_S3_SECRET_KEY": "quite a secret",
}


def problems_of(environ: dict[str, str], file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load(environ, file)
    return refused.value.problems


def toml(folder: Path, content: str) -> Path:
    file = folder / "portolan.toml"
    file.write_text(content, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", TABLE)
def test_every_default_is_accepted_as_its_own_value(name: str) -> None:
    row = TABLE[name]
    shown = row.kind.show(row.default)

    assert shown == "" or row.kind.parse(shown) == row.default


@pytest.mark.parametrize("name", TABLE)
def test_o5_every_setting_explains_a_wrong_value(name: str) -> None:
    [problem] = problems_of({f"PORTOLAN_{name.upper()}": "not\x07good"})

    assert f"PORTOLAN_{name.upper()}" in problem
    assert TABLE[name].kind.accepts in problem
    assert "\x07" not in problem


def test_nothing_given_means_the_defaults() -> None:
    assert load({}) == Settings()


def test_a_program_may_make_settings_itself(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/registry.db"
    assert settings.storage_url == f"{tmp_path}/documents"
    assert settings.bucket is None
    assert settings.codes_file is None


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("8MiB", "max_metadata_bytes", 8 * MIB),
        ("1 gib", "max_document_bytes", GIB),
        ("4096", "max_document_bytes", 4096),
        ("10s", "idle_timeout", 10.0),
        ("250ms", "idle_timeout", 0.25),
        ("2h", "sweep_after", 7200.0),
        ("90", "sweep_after", 90.0),
        ("No", "metrics", False),
        ("[::1]:8011", "registry_bind", "[::1]:8011"),
        ("off", "registry_mllp_bind", "off"),
        ("0.0.0.0:2575", "registry_mllp_bind", "0.0.0.0:2575"),
        ("/var/lib/portolan", "data", Path("/var/lib/portolan")),
    ],
)
def test_values_are_read_with_their_units(given: str, name: str, value: object) -> None:
    assert getattr(load({f"PORTOLAN_{name.upper()}": given}), name) == value


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("max_metadata_bytes", "8MB"),
        ("max_metadata_bytes", "-1"),
        ("idle_timeout", "soon"),
        ("idle_timeout", "nan"),
        ("idle_timeout", "10 weeks"),
        ("registry_bind", "127.0.0.1"),
        ("registry_bind", "off"),
        ("registry_mllp_bind", "127.0.0.1"),
        ("registry_bind", "127.0.0.1:0"),
        ("registry_bind", "127.0.0.1:65536"),
        ("registry_bind", "::1:8010"),
        ("registry_url", "ftp://127.0.0.1/registry"),
        ("registry_url", "http:///registry"),
        ("registry_url", "http://user:word@host/registry"),
        ("registry_url", "http://host:99999/registry"),
        ("repository_uid", "2.999.01"),
        ("repository_uid", "3.1"),
        ("repository_uid", "2." + "1" * 63),
        ("storage", "s3://"),
        ("storage", "s3://Letters"),
        ("storage", "gs://letters"),
        ("database", "mysql://host/name"),
        ("repositories", "2.999.1=http://a,2.999.1=http://b"),
        ("max_objects", "5 000"),
        ("max_objects", "٣"),
        ("max_objects", "9" * 5000),
    ],
)
def test_o5_wrong_values_are_refused(name: str, given: str) -> None:
    [problem] = problems_of({f"PORTOLAN_{name.upper()}": given})

    assert TABLE[name].kind.accepts in problem


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    file = toml(tmp_path, 'max_objects = "many"\nmax_objcts = 3\n')

    found = problems_of({"PORTOLAN_METRICS": "perhaps", "PORTOLAN_DATABSE": "x"}, file)

    assert len(found) == 4
    assert any("did you mean max_objects?" in problem for problem in found)
    assert any("did you mean PORTOLAN_DATABASE?" in problem for problem in found)
    assert any(str(file) in problem and "'many'" in problem for problem in found)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, "max_objects = 7\nmax_documents = 8\n")

    settings = load({"PORTOLAN_MAX_OBJECTS": "9"}, file)

    assert (settings.max_objects, settings.max_documents) == (9, 8)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    file = toml(tmp_path, "max_objects = 7\ncodes = ''\n")

    assert load({"PORTOLAN_MAX_OBJECTS": ""}, file).max_objects == 7


def test_the_file_may_group_and_use_its_own_types(tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        """
        metrics = false
        idle_timeout = 2.5
        repositories = ["2.999.1=http://a/r", "2.999.2=http://b/r"]
        storage = "s3://letters"
        [s3]
        endpoint = "http://127.0.0.1:9000"
        access_key = "portolan"
        [s3.secret]
        key = "quite a secret"
        """,
    )

    settings = load({"PORTOLAN_CONFIG": str(file)})

    assert (settings.metrics, settings.idle_timeout, settings.bucket) == (False, 2.5, "letters")
    assert settings.repository_addresses["2.999.2"] == "http://b/r"
    assert settings.repository_addresses[settings.repository_uid] == settings.repository_url
    assert settings.s3_secret_key == "quite a secret"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("max_objects = ", "is not a TOML file"),
        ("x = " + "[" * 5000, "is not a TOML file"),
        ("max_objects = 1979-05-27", "must be a text"),
        ("max_objects = [1]", "must be a text"),
        ("max_objects = nan", "is 'nan'"),
        ("max_objects = ''", "is ''"),
        ("s3_region = 'a'\n[s3]\nregion = 'b'", "set twice"),
        ("s3 = 'x'", "s3 in"),
    ],
)
def test_o5_a_wrong_file_is_explained(tmp_path: Path, content: str, said: str) -> None:
    [problem] = problems_of({}, toml(tmp_path, content))

    assert said in problem


def test_o5_a_file_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b"data = '\xff'")
    (tmp_path / "large.toml").write_bytes(b"#" * (MIB + 1))

    assert "No such file" in problems_of({}, tmp_path / "none.toml")[0]
    assert "not UTF-8" in problems_of({}, tmp_path / "odd.toml")[0]
    assert "larger than" in problems_of({}, tmp_path / "large.toml")[0]


def test_names_reserved_for_tests_and_the_command_line_are_no_settings() -> None:
    environ = {"PORTOLAN_FAULT": "db.flushed", "PORTOLAN_FAULT_TRACE": "x", "PORTOLAN_REQUIRE_SERVERS": "1"}

    assert load({**environ, "_PORTOLAN_COMPLETE": "bash_source", "HOME": "/"}) == Settings()


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.secret])
def test_s15_secrets_are_never_shown(name: str) -> None:
    secret = "kept\x01hidden"
    settings = Settings(**{name: secret})

    assert "hidden" not in repr(settings)
    assert "hidden" not in problems_of({f"PORTOLAN_{name.upper()}": secret})[0]
    assert repr(settings) == repr(Settings())


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("quite a secret\n", encoding="utf-8")
    environ = {**S3, "PORTOLAN_S3_SECRET_KEY": "", "PORTOLAN_S3_SECRET_KEY_FILE": str(file)}

    assert load(environ).s3_secret_key == "quite a secret"
    assert "both given" in problems_of({**S3, "PORTOLAN_S3_SECRET_KEY_FILE": str(file)})[0]
    assert "No such file" in problems_of({**environ, "PORTOLAN_S3_SECRET_KEY_FILE": str(tmp_path / "none")})[0]


def test_only_secrets_may_come_from_a_file() -> None:
    assert "not a setting" in problems_of({"PORTOLAN_S3_REGION_FILE": "/etc/region"})[0]


@pytest.mark.parametrize("database", ["", "postgresql+psycopg://host/name"])
def test_a_replica_needs_postgresql_on_both_sides(database: str) -> None:
    replica = "sqlite:///file" if database else "postgresql+psycopg://other/name"

    [problem] = problems_of({"PORTOLAN_DATABASE": database, "PORTOLAN_DATABASE_REPLICA": replica})

    assert "database_replica" in problem


@pytest.mark.parametrize("missing", ["PORTOLAN_S3_ENDPOINT", "PORTOLAN_S3_ACCESS_KEY", "PORTOLAN_S3_SECRET_KEY"])
def test_o5_a_bucket_needs_all_of_its_settings(missing: str) -> None:
    [problem] = problems_of({**S3, missing: ""})

    assert missing.removeprefix("PORTOLAN_").lower() in problem


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"PORTOLAN_REGISTRY_BIND": "127.0.0.1:8020"}, "its own port"),
        ({"PORTOLAN_REGISTRY_MLLP_BIND": "127.0.0.1:8020"}, "its own port"),
        ({"PORTOLAN_MLLP_TLS_CLIENT_CA": "/etc/ca.pem"}, "mllp_tls_certificate must be set"),
        (
            {"PORTOLAN_MLLP_PLAIN": "true", "PORTOLAN_REGISTRY_MLLP_BIND": "10.0.0.5:8060"},
            "registry_mllp_bind must be an address of this machine alone",
        ),
        ({"PORTOLAN_AUDIT_REPOSITORY_BIND": "127.0.0.1:8020"}, "its own port"),
        ({"PORTOLAN_AUDIT_REPOSITORY_PLAIN": "true", "PORTOLAN_AUDIT_REPOSITORY_BIND": "0.0.0.0:6514"}, "loopback"),
        ({"PORTOLAN_AUDIT_REPOSITORY_PLAIN": "true", "PORTOLAN_TLS_CERTIFICATE": "/x.pem"}, "tls_certificate must not"),
        ({"PORTOLAN_AUDIT_REPOSITORY_OPEN": "true", "PORTOLAN_AUDIT_REPOSITORY_HTTP_BIND": "0.0.0.0:8090"}, "loopback"),
        ({"PORTOLAN_AUDIT_REPOSITORY_CHECKPOINTS": "/x"}, "audit_repository_key must be set"),
        ({"PORTOLAN_AUDIT_REPOSITORY_READERS": "/x"}, "tls_trust or tls_proxies must be set"),
        ({"PORTOLAN_OAUTH": "required", "PORTOLAN_OAUTH_JWKS": "/x"}, "oauth_issuer must be set"),
        ({"PORTOLAN_OAUTH": "required", "PORTOLAN_OAUTH_ISSUER": "x"}, "oauth_introspection must be set"),
        ({"PORTOLAN_OAUTH_JWKS": "/x", "PORTOLAN_OAUTH_METADATA": "https://idp.example"}, "keep one of them"),
        ({"PORTOLAN_OAUTH_METADATA": "http://idp.example"}, "must be an https address"),
        ({"PORTOLAN_OAUTH_INTROSPECTION": "http://idp.example"}, "must be an https address"),
        ({"PORTOLAN_MAX_SUBMISSION_BYTES": "1MiB"}, "must fit"),
        ({"PORTOLAN_REQUEST_TIMEOUT": "5s"}, "idle_timeout"),
        ({"PORTOLAN_SWEEP_AFTER": "30s"}, "must be longer"),
        ({"PORTOLAN_REPOSITORIES": "2.999.826.1.1=http://elsewhere/"}, "another address"),
    ],
)
def test_o5_settings_that_do_not_go_together_are_refused(environ: dict[str, str], said: str) -> None:
    [problem] = problems_of(environ)

    assert said in problem


def test_workers_are_as_many_as_set_or_suit_the_cores() -> None:
    assert Settings(registry_workers=3).workers("registry") == 3
    assert 1 <= Settings().workers("repository") <= 8


def test_database_connections_follow_the_threads_up_to_eight() -> None:
    assert Settings(registry_threads=3).database_connections == 3
    assert Settings(registry_threads=40).database_connections == 8
    assert Settings(registry_threads=40, database_pool=20).database_connections == 20
    assert Settings(database_pool=3).database_connections == 3


def test_addresses_to_listen_on_are_split() -> None:
    assert split_bind("[::1]:8010") == ("::1", 8010)
    assert split_bind("localhost:80") == ("localhost", 80)


def test_every_field_is_a_row_with_a_meaning() -> None:
    assert [entry.name for entry in fields(Settings)] == list(TABLE)
    assert all(row.meaning.endswith(".") for row in TABLE.values())


def test_the_manual_page_is_the_table() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    assert page == reference(TABLE), "out of date: run python -m common.settings > docs/reference/settings.md"
