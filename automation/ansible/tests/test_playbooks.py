"""The shipped playbooks against real hosts: what the hosts run afterwards decides, not what Ansible says."""

import datetime
import http.server
import ipaddress
import shutil
import ssl
import threading
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ALL = ("web-1", "web-2", "web-3")


def everywhere(version):
    return dict.fromkeys(ALL, version)


def running(fleet):
    return {host.name: host.runs(fleet.health_port) for host in fleet.hosts}


def releases(host):
    return sorted(path.name for path in (host.root / "releases").iterdir())


def test_first_deploy_second_deploy_and_nothing_to_do(fleet):
    first = fleet.deploy("1.0.0")
    assert first.code == 0, first.output
    assert running(fleet) == everywhere("1.0.0")
    assert first.versions("before") == everywhere("")
    assert first.versions("observed") == everywhere("1.0.0")
    assert first.of("start")[0]["playbook"] == "deploy.yml"
    assert first.of("play")[0]["hosts"] == 3
    assert first.events[-1]["kind"] == "stats"
    assert first.events[-1]["hosts"]["web-1"]["failed"] == 0

    second = fleet.deploy("1.1.0")
    assert second.code == 0, second.output
    assert running(fleet) == everywhere("1.1.0")
    assert second.versions("before") == everywhere("1.0.0")
    for host in fleet.hosts:
        assert (host.link("current"), host.link("previous")) == ("releases/1.1.0", "releases/1.0.0")

    again = fleet.deploy("1.1.0")
    assert again.code == 0, again.output
    assert {event["host"] for event in again.of("already_current")} == set(ALL)
    assert not second.of("already_current")
    assert again.versions("observed") == everywhere("1.1.0")
    touched = {event["task"] for event in again.of("host", status="changed")}
    assert touched == {"Take the attempt"}


def test_a_host_takes_no_attempt_twice(fleet):
    host = fleet.hosts[0]
    attempt = str(uuid.uuid4())
    assert fleet.deploy("1.0.0", hosts=[host], attempt=attempt).code == 0
    twice = fleet.deploy("1.1.0", hosts=[host], attempt=attempt)
    assert twice.code != 0
    assert f"already taken attempt {attempt}" in twice.messages(host.name)[0]
    assert host.runs(fleet.health_port) == "1.0.0"


def test_a_wrong_checksum_changes_nothing(fleet):
    host = fleet.hosts[0]
    assert fleet.deploy("1.0.0", hosts=[host]).code == 0
    # What an attempt killed while unpacking leaves behind goes with the next one.
    (host.root / "releases" / f".{uuid.uuid4()}").mkdir()
    path, found = fleet.artifact("1.1.0")
    expected = "0" * 64
    wrong = fleet.deploy("1.1.0", hosts=[host], slipway_artifact_sha256=expected)
    assert wrong.code != 0
    (message,) = wrong.messages(host.name)
    assert all(part in message for part in (str(path), expected, found, "Nothing was changed")), message
    assert releases(host) == ["1.0.0"]
    assert [path for path in (host.root / ".slipway").rglob("*") if path.is_file()] == []
    assert host.runs(fleet.health_port) == "1.0.0"


def test_a_sick_release_fails_is_rolled_back_and_rolling_back_again_is_harmless(fleet):
    assert fleet.deploy("1.0.0").code == 0
    bad = fleet.deploy("2.0.0", status="failing")
    assert bad.code != 0
    assert bad.versions("before") == everywhere("1.0.0")
    assert bad.versions("observed") == everywhere("2.0.0")
    (message,) = bad.messages("web-2")
    assert "did not become healthy with version 2.0.0" in message and 'HTTP 503, status "failing"' in message

    back = fleet.roll_back(everywhere("1.0.0"))
    assert back.code == 0, back.output
    assert running(fleet) == everywhere("1.0.0")
    assert [event["playbook"] for event in back.of("start")] == ["rollback.yml", "probe.yml"]
    assert back.versions("observed") == everywhere("1.0.0")
    assert fleet.hosts[0].link("current") == "releases/1.0.0"

    # The version before may be sick itself: the version alone is no roll back, and no good answer to a probe.
    sick = fleet.roll_back(everywhere("2.0.0"))
    assert sick.code != 0
    assert "did not become healthy with version 2.0.0" in sick.messages("web-1")[0]
    probe = fleet.run("probe")
    assert probe.code != 0
    assert probe.versions("observed") == everywhere("2.0.0")
    (message,) = probe.messages("web-3")
    assert "checkout 2.0.0 runs here, but it is not healthy" in message and 'HTTP 503, status "failing"' in message
    assert fleet.roll_back(everywhere("1.0.0")).code == 0

    again = fleet.roll_back(everywhere("1.0.0"))
    assert again.code == 0, again.output
    assert {event["host"] for event in again.of("already_current")} == set(ALL)
    assert {event["task"] for event in again.of("host", status="changed")} == {"Take the attempt"}


def test_what_slipway_did_not_install_is_not_replaced_unless_there_is_a_way_back(fleet):
    host = fleet.hosts[0]
    assert fleet.deploy("1.0.0", hosts=[host]).code == 0
    # Installed by somebody else, as far as this host can tell.
    shutil.rmtree(host.root)

    refused = fleet.deploy("1.1.0", hosts=[host])
    assert refused.code != 0
    assert refused.versions("before") == {"web-1": "1.0.0"}
    (message,) = refused.messages("web-1")
    assert f"checkout 1.0.0 runs here, but there is no {host.root}/releases/1.0.0" in message and "Roll out 1.0.0 here first" in message
    assert (releases(host), host.runs(fleet.health_port)) == ([], "1.0.0")
    back = fleet.roll_back({"web-1": "1.0.0"}, hosts=[host])
    assert back.code == 0, "it runs what it ran before"
    assert back.of("already_current")

    silent = fleet.deploy("1.1.0", hosts=[host], slipway_service="basket")
    assert "does not tell which version of basket it is" in silent.messages("web-1")[0]

    adopted = fleet.deploy("1.0.0", hosts=[host])
    assert adopted.code == 0, adopted.output
    assert host.link("current") == "releases/1.0.0"
    assert fleet.deploy("1.1.0", hosts=[host]).code == 0
    assert fleet.roll_back({"web-1": "1.0.0"}, hosts=[host]).code == 0
    assert host.runs(fleet.health_port) == "1.0.0"


def test_one_host_failing_stops_no_other(fleet):
    assert fleet.deploy("1.0.0").code == 0
    gone, refusing, fine = fleet.hosts
    gone.stop()
    wrong_rollback = {refusing.name: "0.9.0", fine.name: "1.0.0", gone.name: "1.0.0"}

    deployed = fleet.deploy("1.1.0")
    assert deployed.code != 0
    (message,) = deployed.messages(gone.name, "unreachable")
    assert "Connection refused" in message
    assert deployed.events[-1]["hosts"][gone.name]["unreachable"] == 1
    assert fine.runs(fleet.health_port) == refusing.runs(fleet.health_port) == "1.1.0"

    back = fleet.roll_back(wrong_rollback)
    assert back.code != 0, "a host that failed in the first play must not be forgotten by the probe"
    assert "Release 0.9.0 is not on this host" in back.messages(refusing.name)[0]
    assert (refusing.runs(fleet.health_port), fine.runs(fleet.health_port)) == ("1.1.0", "1.0.0")


def test_probe_only_reads(fleet):
    assert fleet.deploy("1.0.0", hosts=fleet.hosts[:2]).code == 0
    for arguments in ([], ["--check"]):
        probe = fleet.run("probe", arguments=arguments)
        assert probe.code != 0
        assert probe.versions("observed") == {"web-1": "1.0.0", "web-2": "1.0.0"}
        (message,) = probe.messages("web-3")
        assert "not which version of checkout runs" in message and "gave no answer (Request failed:" in message
        assert not probe.of("host", status="changed")
    preview = fleet.deploy("1.1.0", hosts=fleet.hosts[:2], arguments=["--check"])
    assert preview.code == 0, preview.output
    assert running(fleet) == {"web-1": "1.0.0", "web-2": "1.0.0", "web-3": None}
    assert releases(fleet.hosts[0]) == ["1.0.0"]


def test_old_releases_go_but_never_what_the_links_need(fleet):
    host = fleet.hosts[0]
    keep = {"hosts": [host], "slipway_keep_releases": 2}
    for version in ("1.0", "1.1", "1.2"):
        assert fleet.deploy(version, **keep).code == 0
    assert releases(host) == ["1.1", "1.2"]
    # 1.1, the older one, becomes current again; 1.3 then makes it the third newest, and previous.
    assert fleet.deploy("1.1", **keep).code == 0
    assert fleet.deploy("1.3", **keep).code == 0
    assert (host.link("current"), host.link("previous")) == ("releases/1.3", "releases/1.1")
    assert releases(host) == ["1.1", "1.2", "1.3"]

    path, sha256 = fleet.artifact("other")
    for version in ("1.2", "1.3"):
        # One of them is what runs, and is not taken for what was asked for either.
        changed = fleet.run("deploy", hosts=[host], slipway_version=version, slipway_artifact=str(path), slipway_artifact_sha256=sha256)
        assert "was unpacked from another artefact" in changed.messages("web-1")[0]
        assert not changed.of("already_current")
    assert host.runs(fleet.health_port) == "1.3"


def test_bad_input_is_refused_before_any_host_is_asked(fleet):
    refused = fleet.deploy(
        "1.0.0", hosts=fleet.hosts[:1], slipway_version="../../etc", slipway_artifact="-x", slipway_service="Check out", slipway_install_root="/etc",
        host_vars={"web-1": {"slipway_restart_command": "sh -c true"}},
    )
    assert refused.code != 0
    (message,) = refused.messages("web-1")
    for name in ("slipway_version", "slipway_artifact ", "slipway_service", "slipway_install_root", "slipway_restart_command"):
        assert name in message
    assert [event["task"] for event in refused.of("task")] == ["Check what was asked for"]

    nothing_before = fleet.run("rollback", hosts=fleet.hosts[:1])
    assert "no version to go back to" in nothing_before.messages("web-1")[0]


def test_an_artefact_is_downloaded_over_https(fleet):
    host = fleet.hosts[0]
    path, sha256 = fleet.artifact("1.0.0")
    certificate = self_signed(fleet.folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=fleet.artifacts)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}/{path.name}"
        untrusted = fleet.run("deploy", hosts=[host], slipway_version="1.0.0", slipway_artifact=url, slipway_artifact_sha256=sha256)
        assert "certificate" in untrusted.messages("web-1")[0].lower()
        host.stop()
        host.start(extra_env=f"SSL_CERT_FILE={certificate}")
        wrong = fleet.run("deploy", hosts=[host], slipway_version="1.0.0", slipway_artifact=url + "?signature=s3cret", slipway_artifact_sha256="0" * 64)
        assert url in wrong.messages("web-1")[0] and "s3cret" not in wrong.messages("web-1")[0]
        good = fleet.run("deploy", hosts=[host], slipway_version="1.0.0", slipway_artifact=url, slipway_artifact_sha256=sha256)
        server.shutdown()
    assert good.code == 0, good.output
    assert host.runs(fleet.health_port) == "1.0.0"


def self_signed(folder):
    """A certificate for 127.0.0.1 with its key, one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
