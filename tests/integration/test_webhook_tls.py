from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from birthday_cli.domain.retry import OutcomeClass
from birthday_cli.errors import UsageError
from tests.example import send
from tests.servers.certificates import Authority, Certificate
from tests.servers.misbehaving import outspoken, read_request, webhook

HOST = "127.0.0.1"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def serving(certificate: Certificate, clients: Authority | None = None) -> ssl.SSLContext:
    """Return the context of a server, which accepts only what clients has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    if clients:
        context.load_verify_locations(clients.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def ours(authority: Authority, certificate: Certificate) -> dict[str, Any]:
    """Return the settings of a client that has this certificate."""
    return {
        "delivery_ca": str(authority.ca),
        "delivery_cert": str(certificate.chain),
        "delivery_key": str(certificate.key),
    }


def in_full(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with what the files hold in place of their paths."""
    return {name: Path(file).read_text() for name, file in settings.items()}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the name in the client's certificate."""
    await read_request(reader)
    peer: Any = writer.get_extra_info("peercert") or {}
    names = dict(pair for group in peer.get("subject", ()) for pair in group)
    name = names.get("commonName", "nobody").encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))


def hashed(ca: Path, folder: Path) -> Path:
    """Return the folder, with ca in it under the name by which OpenSSL looks for it."""
    command = ["openssl", "x509", "-in", str(ca), "-noout", "-hash"]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(ca.read_bytes())
    return folder


class TestCertificateOfTheServer:
    @pytest.mark.parametrize("in_pem", [False, True])
    async def test_is_accepted_when_our_authority_has_signed_it(
        self, in_pem: bool, authority: Authority
    ) -> None:
        ca = authority.ca.read_text() if in_pem else str(authority.ca)
        async with webhook(answer, serving(authority.server(HOST))) as url:
            outcome = await send(url, delivery_ca=ca)

        assert outcome.kind is OutcomeClass.DELIVERED
        assert outcome.body == "nobody"

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
    async def test_is_accepted_when_the_system_trusts_its_authority(
        self, name: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
        if name == "SSL_CERT_FILE":
            monkeypatch.setenv(name, str(authority.ca))
        else:
            monkeypatch.setenv(name, str(hashed(authority.ca, tmp_path)))
        async with webhook(answer, serving(authority.server(HOST))) as url:
            outcome = await send(url)

        assert outcome.kind is OutcomeClass.DELIVERED

    @pytest.mark.parametrize(
        ("kind", "why"),
        [
            ("expired", "certificate has expired"),
            ("misnamed", "no alternative certificate subject name matches target"),
            ("strange", "unable to get local issuer certificate"),
        ],
    )
    async def test_that_is_not_accepted_is_named_with_the_reason_and_nothing_is_sent(
        self, kind: str, why: str, authority: Authority, stranger: Authority
    ) -> None:
        certificate = {
            "expired": lambda: authority.server(HOST, expired=True),
            "misnamed": lambda: authority.server("example.org"),
            "strange": lambda: stranger.server(HOST),
        }[kind]()
        async with outspoken(serving(certificate)) as url:
            outcome = await send(url + "?key=geheim", delivery_ca=str(authority.ca))

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert f"the server's certificate is not accepted: {why}" in outcome.error
        assert ("DELIVERY_CA" in outcome.error) == (kind == "strange")
        assert "geheim" not in outcome.error

    async def test_is_not_accepted_from_the_system_s_authority_when_ours_is_named(
        self, authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        async with outspoken(serving(authority.server(HOST))) as url:
            outcome = await send(url, delivery_ca=str(stranger.ca))

        assert outcome.kind is OutcomeClass.TRANSIENT

    async def test_is_not_looked_at_in_a_version_before_tls_1_2(self, authority: Authority) -> None:
        context = serving(authority.server(HOST))
        with pytest.warns(DeprecationWarning, match=r"TLSv1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        async with outspoken(context) as url:
            outcome = await send(url, delivery_ca=str(authority.ca))

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.startswith("cannot connect to 127.0.0.1:")


class TestOurCertificate:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("in_pem", [False, True])
    async def test_says_who_we_are(
        self, in_pem: bool, version: ssl.TLSVersion, authority: Authority
    ) -> None:
        settings = ours(authority, authority.client("birthdays"))
        if in_pem:
            settings = in_full(settings)
        context = serving(authority.server(HOST), clients=authority)
        context.maximum_version = version
        async with webhook(answer, context) as url:
            outcome = await send(url, **settings)

        assert outcome.kind is OutcomeClass.DELIVERED
        assert outcome.body == "birthdays"

    async def test_and_its_key_may_be_one_file(self, authority: Authority, tmp_path: Path) -> None:
        certificate = authority.client("birthdays")
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.key.read_bytes() + certificate.chain.read_bytes())
        async with webhook(answer, serving(authority.server(HOST), clients=authority)) as url:
            outcome = await send(url, delivery_ca=str(authority.ca), delivery_cert=str(both))

        assert outcome.body == "birthdays"

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_that_is_wanted_and_not_set_is_named(
        self, version: ssl.TLSVersion, authority: Authority
    ) -> None:
        context = serving(authority.server(HOST), clients=authority)
        context.maximum_version = version
        async with outspoken(context) as url:
            outcome = await send(url, delivery_ca=str(authority.ca))

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert "it wants a client certificate (DELIVERY_CERT and DELIVERY_KEY)" in outcome.error

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize(
        ("kind", "why"), [("expired", "certificate expired"), ("strange", "unknown ca")]
    )
    async def test_that_the_server_refuses_is_named_with_the_reason_and_nothing_was_sent(
        self,
        kind: str,
        why: str,
        version: ssl.TLSVersion,
        authority: Authority,
        stranger: Authority,
    ) -> None:
        issuer = stranger if kind == "strange" else authority
        certificate = issuer.client("birthdays", expired=kind == "expired")
        context = serving(authority.server(HOST), clients=authority)
        context.maximum_version = version
        async with outspoken(context) as url:
            outcome = await send(url, **ours(authority, certificate))

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.endswith(
            f": it does not accept our certificate (DELIVERY_CERT): {why}"
        )


@pytest.mark.parametrize("url", ["https://localhost:1/", "smtps://localhost:1"])
class TestSettingsThatCannotBe:
    @pytest.mark.parametrize("name", ["delivery_ca", "delivery_cert", "delivery_key"])
    async def test_a_file_that_cannot_be_read(
        self, name: str, url: str, authority: Authority, tmp_path: Path
    ) -> None:
        settings = ours(authority, authority.client("birthdays"))
        with pytest.raises(UsageError, match=f"^{name.upper()}.* cannot be read: No such file"):
            await send(url, **{**settings, name: str(tmp_path / "none")})

    @pytest.mark.parametrize("name", ["delivery_ca", "delivery_cert", "delivery_key"])
    async def test_a_file_that_holds_something_else(
        self, name: str, url: str, authority: Authority, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        other.write_bytes(b"MII\xff")
        settings = ours(authority, authority.client("birthdays"))
        with pytest.raises(UsageError, match=f"^{name.upper()}.* holds no .* in PEM$"):
            await send(url, **{**settings, name: str(other)})

    @pytest.mark.parametrize("name", ["delivery_ca", "delivery_cert", "delivery_key"])
    async def test_pem_that_is_broken(self, name: str, url: str, authority: Authority) -> None:
        settings = ours(authority, authority.client("birthdays"))
        text = in_full(settings)[name]
        broken = text.replace(text.splitlines()[2], "geheim")
        with pytest.raises(UsageError, match=r"^DELIVERY_\w+( and DELIVERY_KEY)? cannot be used: "):
            await send(url, **{**settings, name: broken})

    async def test_a_key_of_another_certificate(self, url: str, authority: Authority) -> None:
        settings = ours(authority, authority.client("birthdays"))
        settings["delivery_key"] = str(authority.client("other").key)
        with pytest.raises(UsageError, match=r"^DELIVERY_KEY is not the key of the certificate in"):
            await send(url, **settings)

    async def test_a_key_that_is_encrypted(self, url: str, authority: Authority) -> None:
        certificate = authority.client("birthdays")
        key = serialization.load_pem_private_key(certificate.key.read_bytes(), None)
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
        settings = {**ours(authority, certificate), "delivery_key": encrypted.decode()}
        with pytest.raises(UsageError, match=r"^DELIVERY_KEY is encrypted: decrypt it"):
            await send(url, **settings)

    @pytest.mark.parametrize("missing", ["delivery_cert", "delivery_key"])
    async def test_one_without_the_other(
        self, missing: str, url: str, authority: Authority
    ) -> None:
        settings = ours(authority, authority.client("birthdays"))
        del settings[missing]
        with pytest.raises(UsageError, match=f"but not {missing.upper()}, .*: set both$"):
            await send(url, **settings)
