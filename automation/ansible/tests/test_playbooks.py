"""The shipped playbooks against real hosts: what the hosts run afterwards decides, not what Ansible says."""

import datetime
import http.server
import ipaddress
import os
import shutil
import ssl
import threading
import uuid

from conftest import tree
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
    assert sorted(event["host"] for event in first.of("facts")) == list(ALL), "told once by each host"
    told = first.of("facts")[0]["facts"]
    assert told["kernel"] == os.uname().release and told["architecture"] == os.uname().machine and told["hostname"] == os.uname().nodename
    assert told["python"].startswith("3.") and told["cpus"] == len(os.sched_getaffinity(0)) and told["memory_mb"] > 100
    assert not first.of("play")[0].get("check")

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
    fleet.given("1.0.0", [host])
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
    host = fleet.hosts[0]
    fleet.given("1.0.0", [host])
    bad = fleet.deploy("2.0.0", status="failing", hosts=[host])
    assert bad.code != 0
    assert bad.versions("before") == {host.name: "1.0.0"}
    assert bad.versions("observed") == {host.name: "2.0.0"}
    (message,) = bad.messages(host.name)
    assert "did not become healthy with version 2.0.0" in message and 'HTTP 503, status "failing"' in message
    # The version alone is no good answer to a probe.
    probe = fleet.run("probe", hosts=[host])
    assert probe.code != 0
    assert probe.versions("observed") == {host.name: "2.0.0"}
    (message,) = probe.messages(host.name)
    assert "checkout 2.0.0 runs here, but it is not healthy" in message and 'HTTP 503, status "failing"' in message

    back = fleet.roll_back({host.name: "1.0.0"}, hosts=[host])
    assert back.code == 0, back.output
    assert host.runs(fleet.health_port) == "1.0.0"
    assert [event["playbook"] for event in back.of("start")] == ["rollback.yml", "probe.yml"]
    assert back.versions("observed") == {host.name: "1.0.0"}
    assert host.link("current") == "releases/1.0.0"
    assert len(back.of("facts")) == 1, "the probe does not ask again"

    again = fleet.roll_back({host.name: "1.0.0"}, hosts=[host])
    assert again.code == 0, again.output
    assert again.of("already_current", host=host.name)
    assert {event["task"] for event in again.of("host", status="changed")} == {"Take the attempt"}

    # The version before may be sick itself.
    sick = fleet.roll_back({host.name: "2.0.0"}, hosts=[host])
    assert sick.code != 0
    assert "did not become healthy with version 2.0.0" in sick.messages(host.name)[0]


def test_what_slipway_did_not_install_is_not_replaced_unless_there_is_a_way_back(fleet):
    host = fleet.hosts[0]
    fleet.given("1.0.0", [host])
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
    taken_over = fleet.deploy("1.1.0", hosts=[host])
    assert taken_over.code == 0 and taken_over.versions("before") == {"web-1": "1.0.0"}, taken_over.output


def test_one_host_failing_stops_no_other(fleet):
    fleet.given("1.0.0")
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
    fleet.given("1.0.0", fleet.hosts[:2])
    before = {host.name: tree(host.folder) for host in fleet.hosts}
    for arguments in ([], ["--check"]):
        probe = fleet.run("probe", arguments=arguments, slipway_ask_facts=bool(arguments))
        assert probe.code != 0
        assert probe.versions("observed") == {"web-1": "1.0.0", "web-2": "1.0.0"}
        (message,) = probe.messages("web-3")
        assert "not which version of checkout runs" in message and "gave no answer (Request failed:" in message
        assert not probe.of("host", status="changed")
        assert len(probe.of("facts")) == (3 if arguments else 0)
    assert {host.name: tree(host.folder) for host in fleet.hosts} == before


def test_old_releases_go_but_never_what_the_links_need(fleet):
    host = fleet.hosts[0]
    keep = {"hosts": [host], "slipway_keep_releases": 2}
    fleet.given("1.0", [host])
    fleet.given("1.1", [host])
    assert fleet.deploy("1.2", **keep).code == 0
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


def test_a_dry_run_tells_what_would_change_and_changes_nothing(fleet):
    ready, fresh, foreign = fleet.hosts
    fleet.given("0.9.0", [ready])
    fleet.given("1.0.0", [ready, foreign])
    shutil.rmtree(foreign.root)
    before = {host.name: tree(host.folder) for host in fleet.hosts}
    dry = ["--check", "--diff"]
    attempt = str(uuid.uuid4())
    path, sha256 = fleet.artifact("1.1.0")

    plan = fleet.deploy("1.1.0", attempt=attempt, arguments=dry)
    assert plan.of("play")[0]["check"] is True
    shown = {event["host"]: event["diff"].splitlines() for event in plan.of("host", status="changed")}
    brought = f"+release: 1.1.0 copied from {path} (sha256 {sha256}) and unpacked"
    assert {"-runs: 1.0.0", "+runs: 1.1.0, restarted", "-current: 1.0.0", "+current: 1.1.0", "+previous: 1.0.0", brought} <= set(shown[ready.name])
    assert {"-runs: nothing that tells its version", "+runs: 1.1.0, restarted", "-release: 1.1.0 not here", brought} <= set(shown[fresh.name])
    assert set(shown) == {ready.name, fresh.name}, "nothing but the preview counts as changed"
    assert "there is no" in plan.messages(foreign.name)[0] and "Roll out 1.0.0 here first" in plan.messages(foreign.name)[0]
    assert plan.versions("before") == {ready.name: "1.0.0", fresh.name: "", foreign.name: "1.0.0"}

    # What a real run would refuse, in its words.
    wrong = fleet.deploy("1.1.0", hosts=[ready], arguments=dry, slipway_artifact_sha256="0" * 64)
    assert all(part in wrong.messages(ready.name)[0] for part in (str(path), "0" * 64, sha256, "Nothing was changed"))
    other = fleet.deploy("0.9.0", hosts=[ready], arguments=dry, slipway_artifact_sha256="0" * 64)
    assert "was unpacked from another artefact" in other.messages(ready.name)[0]
    back = fleet.roll_back({ready.name: "0.9.0", foreign.name: "0.9.0"}, hosts=[ready, foreign], arguments=dry)
    (diff,) = [event["diff"] for event in back.of("host", status="changed")]
    assert {"+runs: 0.9.0, restarted", "+current: 0.9.0"} <= set(diff.splitlines())
    assert "Release 0.9.0 is not on this host" in back.messages(foreign.name)[0]
    same = fleet.deploy("1.0.0", hosts=[ready], arguments=dry)
    assert same.of("already_current") and not same.of("host", status="changed")

    assert {host.name: tree(host.folder) for host in fleet.hosts} == before
    assert fleet.deploy("1.1.0", hosts=[fresh], attempt=attempt).code == 0, "a dry run takes no attempt"
    assert "already taken attempt" in fleet.deploy("1.1.0", hosts=[fresh], attempt=attempt, arguments=dry).messages(fresh.name)[0]


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
