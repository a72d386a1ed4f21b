"""The one way out: where it goes, where it never goes, and when it stops (threat A4)."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.outgoing import (
    Allowed,
    AnswerTooLargeError,
    OutgoingError,
    RefusedAddressError,
    RefusedUrlError,
    check_url,
    send,
)
from hub.outgoing.addresses import is_public
from tests.outgoing.receiver import answer, receiving

NOBODY = Allowed()
LOOPBACK = Allowed.parse(["127.0.0.0/8"])

# Every way to write this machine that some parser takes for something else.
OURSELVES = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "127.255.255.254",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
]


@pytest.mark.parametrize("host", OURSELVES)
def test_a_spelling_of_this_machine_is_refused_before_it_is_kept(host):
    with pytest.raises(OutgoingError):
        check_url(f"http://{host}/hook", NOBODY)


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.mark.parametrize("host", OURSELVES)
def test_this_machine_is_not_reached_however_it_is_spelled(receiver, host):
    with pytest.raises(OutgoingError):
        send("POST", f"http://{host}:{receiver.port}/", allowed=NOBODY)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.1.2.3"),
        *("168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("fe80::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "64:ff9b::808:808"),
        *("::ffff:8.8.8.8", "2002:808:808::1", "2001::1", "100::1", "3fff::1"),
    ],
)
def test_addresses_that_are_not_of_the_internet_are_refused(address):
    with pytest.raises(RefusedAddressError, match="not public"):
        send("POST", "http://name.example/", allowed=NOBODY, resolver=lambda *_: [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("order", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]])
def test_one_bad_address_among_two_refuses_the_host(receiver, order):
    with pytest.raises(RefusedAddressError):
        send("POST", "http://name.example/", allowed=NOBODY, resolver=lambda *_: order)


def test_a_name_that_changes_its_address_is_asked_once(receiver):
    # 127.0.0.2 stands for the public address that was checked, 127.0.0.1 for our own.
    checked = Allowed.parse(["127.0.0.2"])
    answers = [["127.0.0.2"], ["127.0.0.1"]]
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    url = f"http://name.example:{receiver.port}/"
    with pytest.raises(OutgoingError, match="connection failed"):
        # The receiver listens on 127.0.0.1 alone: whoever asks again gets there.
        send("POST", url, allowed=checked, resolver=rebinding)
    assert (asked, receiver.requests) == (["name.example"], [])


def test_the_host_header_names_the_host_and_not_its_address(receiver):
    url = f"http://name.example:{receiver.port}/a?b=c"
    found = send("POST", url, body=b"{}", allowed=LOOPBACK, resolver=lambda *_: ["127.0.0.1"])
    assert (found.status, found.body) == (200, b"thanks")
    (request,) = receiver.requests
    assert request.headers["host"] == f"name.example:{receiver.port}"
    assert (request.method, request.path, request.body) == ("POST", "/a?b=c", b"{}")


def test_the_operator_allows_names_and_networks(receiver):
    for entry in ("name.example", "127.0.0.1", "127.0.0.0/8"):
        url = f"http://name.example:{receiver.port}/"
        allowed = Allowed.parse(["", entry])
        assert send("GET", url, allowed=allowed, resolver=lambda *_: ["127.0.0.1"]).status == 200
    with pytest.raises(ValueError, match="neither a host nor a network"):
        Allowed.parse(["http://name.example/"])


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send("GET", receiver.url, allowed=LOOPBACK).status == 200


def test_a_redirect_is_an_answer_and_not_followed(receiver):
    receiver.answers = [answer(307, b"", Location=receiver.url), answer()]
    found = send("POST", receiver.url, allowed=LOOPBACK)
    assert (found.status, len(receiver.requests)) == (307, 1)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://name.example/", "file:///etc/passwd", "gopher://name.example/", "name.example"),
        *("http://", "http:///path", "http://a@name.example/", "http://8.8.8.8#@127.0.0.1/"),
        *("http://8.8.8.8\\@127.0.0.1/", "http://8.8.8.8 /", "http://name.example/\r\nX: y"),
        *("http://①②⑦.⓪.⓪.①/", "http://name.example:0/", "http://name.example:99999/"),
        *("http://[::1/", "http://[fe80::1%25eth0]/", "http://name.example/#x"),
        "http://name.example/" + "a" * 2000,
    ],
)
def test_a_url_that_parsers_could_misread_is_refused(url):
    with pytest.raises(RefusedUrlError):
        check_url(url, LOOPBACK)


def drip(http):
    http.send_response(200)
    http.end_headers()
    for _ in range(200):
        http.wfile.write(b".")
        time.sleep(0.05)


def drip_head(http):
    for _ in range(200):
        http.wfile.write(b"H")
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [drip, drip_head])
def test_an_answer_that_drips_ends_with_the_time(receiver, slow):
    receiver.answers = [slow]
    with pytest.raises(OutgoingError, match=r"within 0\.3 seconds"):
        send("GET", receiver.url, allowed=LOOPBACK, limit_seconds=0.3)


def test_a_resolver_that_sleeps_ends_with_the_time():
    def sleepy(*_):
        time.sleep(3)
        return ["8.8.8.8"]

    with pytest.raises(OutgoingError, match="within"):
        send("GET", "http://name.example/", allowed=NOBODY, resolver=sleepy, limit_seconds=0.1)


def test_a_huge_answer_is_cut_off(receiver):
    receiver.answers = [answer(body=b"x" * 1_000_000), answer(body=b"x" * 20_000_000)]
    assert len(send("GET", receiver.url, allowed=LOOPBACK).body) == 1_000_000
    with pytest.raises(AnswerTooLargeError):
        send("GET", receiver.url, allowed=LOOPBACK)


def test_what_is_not_http_is_a_refusal():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(OutgoingError, match="within"):  # it never accepts
            send("GET", f"http://127.0.0.1:{port}/", allowed=LOOPBACK, limit_seconds=0.2)
    with pytest.raises(OutgoingError, match="connection failed"):
        send("GET", f"http://127.0.0.1:{port}/", allowed=LOOPBACK)


def test_a_header_of_two_lines_is_refused(receiver):
    with pytest.raises(OutgoingError, match="one line"):
        send("GET", receiver.url, headers={"X-Secret": "a\r\nHost: b"}, allowed=LOOPBACK)
    assert receiver.requests == []


def test_an_unknown_host_is_said_so():
    def unknown(*_):
        raise socket.gaierror

    with pytest.raises(OutgoingError, match="not known"):
        send("GET", "http://name.example/", allowed=NOBODY, resolver=unknown)


@pytest.fixture
def certificate(tmp_path):
    """A certificate for `name.example` that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "name.example")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("name.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return path


def test_tls_is_verified_for_the_host_that_was_named(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with receiving(context=context) as receiver:
        url = f"https://name.example:{receiver.port}/"

        def fetch(address):
            return send("GET", address, allowed=LOOPBACK, resolver=lambda *_: ["127.0.0.1"])

        with pytest.raises(OutgoingError, match="certificate is not valid"):
            fetch(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(url).status == 200
        with pytest.raises(OutgoingError, match="certificate is not valid"):
            fetch(url.replace("name.", "other."))
    assert names == ["name.example", "name.example", "other.example"]
