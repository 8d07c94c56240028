#!/usr/bin/python3
"""checkout, the lab's demo service: a small real daemon with make-believe customers.

It answers /health and /work, draws each second's traffic from a seeded generator, and reports it
to Datadog's v2 intake. How good a release is (errors, latency) is written in its release.json;
what is wrong with this host right now is one word in the fault file.
"""

import argparse
import http.client
import json
import math
import random
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

COUNT, GAUGE = 1, 3
UNSENT_SECONDS = 120


class Traffic:
    """What the customers of one host see, second by second."""

    def __init__(self, host, release, fault_file):
        self.host, self.release, self.fault_file = host, release, Path(fault_file)
        own = random.Random(host)
        self.load = own.uniform(46, 54)
        self.pace = own.uniform(0.97, 1.03)

    def fault(self):
        try:
            return self.fault_file.read_text().strip()
        except FileNotFoundError:
            return ""

    def quality(self, fault):
        """(share of requests that fail, latency in ms) under this fault."""
        share = 0.30 if fault == "failing" else self.release["error_share"]
        latency = self.release["latency_ms"] * self.pace * (8 if fault == "slow" else 1)
        return share, latency

    def second(self, at, fault):
        """(requests, errors, latency in ms) of the second `at`; the same whenever it is asked."""
        chance = random.Random(f"{self.host} {at}")
        tide = 5 * math.sin(2 * math.pi * at / 300)
        requests = max(1, round(chance.gauss(self.load + tide, 2.5)))
        share, latency = self.quality(fault)
        errors = sum(chance.random() < share for _ in range(requests))
        return requests, errors, round(max(1.0, chance.gauss(latency, latency * 0.03)), 2)


class Reporter:
    """Sends points to the intake; keeps what could not be sent and tries again."""

    def __init__(self, config, version):
        url = urlsplit(config["datadog_url"])
        self.place, self.key = (url.hostname, url.port), config["datadog_api_key"]
        self.host = config["host"]
        self.tags = [
            f"service:{config['service']}",
            f"env:{config['environment']}",
            f"version:{version}",
        ]
        self.connection = None
        self.unsent = deque(maxlen=UNSENT_SECONDS)

    def report(self, seconds):
        """`seconds`: (at, requests, errors, latency in ms) each."""
        self.unsent.extend(seconds)
        try:
            if self.send(list(self.unsent)):
                self.unsent.clear()
        except (OSError, http.client.HTTPException):
            self.connection = None

    def send(self, seconds):
        self.connection = self.connection or http.client.HTTPConnection(*self.place, timeout=2)
        body = json.dumps({"series": self.series(seconds)})
        headers = {"DD-API-KEY": self.key, "Content-Type": "application/json"}
        self.connection.request("POST", "/api/v2/series", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status == 202

    def series(self, seconds):
        columns = [("requests", COUNT, 1), ("errors", COUNT, 2), ("latency_ms", GAUGE, 3)]
        rows = [
            (name, kind, [(row[0], row[column]) for row in seconds])
            for name, kind, column in columns
        ]
        rows.append(("up", GAUGE, [(row[0], 1) for row in seconds]))
        return [
            {
                "metric": f"slipway_demo.{name}",
                "type": kind,
                "interval": 1,
                "points": [{"timestamp": at, "value": value} for at, value in points],
                "tags": self.tags,
                "resources": [{"name": self.host, "type": "host"}],
            }
            for name, kind, points in rows
        ]


class Visits:
    """Requests that really came in through /work, added to the make-believe ones."""

    def __init__(self):
        self.lock, self.requests, self.errors = threading.Lock(), 0, 0

    def add(self, failed):
        with self.lock:
            self.requests += 1
            self.errors += failed

    def take(self):
        with self.lock:
            taken = self.requests, self.errors
            self.requests = self.errors = 0
        return taken


def report_for_ever(traffic, reporter, visits, history):
    """Reports at the middle of each second: the last one whole, the running one half.

    The whole second replaces its half. So the newest point of a query is always half-filled.
    """
    started = time.time()
    begin = math.ceil(started)
    if history:
        reporter.unsent = deque(maxlen=max(UNSENT_SECONDS, history))
        reporter.report(
            [(at, *traffic.second(at, "")) for at in range(begin - history, begin)]
        )
    tick = begin
    while True:
        time.sleep(max(0.0, tick + 0.5 - time.time()))
        fault = traffic.fault()
        if fault != "silent":
            seconds = []
            if tick > begin:
                requests, errors, latency = traffic.second(tick - 1, fault)
                real_requests, real_errors = visits.take()
                seconds.append(
                    (tick - 1, requests + real_requests, errors + real_errors, latency)
                )
            requests, errors, latency = traffic.second(tick, fault)
            reporter.report(seconds + [(tick, requests // 2, errors // 2, latency)])
        # A machine that slept goes on with the present second.
        tick = max(tick + 1, math.floor(time.time() - 0.5) + 1)


def handler(config, release, traffic, visits):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = urlsplit(self.path).path
            if path == "/health":
                failing = traffic.fault() == "failing"
                self.answer(
                    500 if failing else 200,
                    {
                        "status": "failing" if failing else "ok",
                        "version": release["version"],
                        "service": config["service"],
                    },
                )
            elif path == "/work":
                share, latency = traffic.quality(traffic.fault())
                time.sleep(latency / 1000)
                failed = random.random() < share
                visits.add(failed)
                body = {"error": "the order could not be taken"} if failed else {"order": "taken"}
                self.answer(500 if failed else 200, body)
            else:
                self.answer(404, {"error": "checkout serves /health and /work"})

        def answer(self, status, body):
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    return Handler


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--config", required=True)
    arguments.add_argument("--history", type=int, default=0, help="seconds of past to report")
    arguments = arguments.parse_args()
    config = json.loads(Path(arguments.config).read_text())
    # The resolved path, so that moving `current` does not change what this process says it is.
    release = json.loads((Path(__file__).resolve().parent.parent / "release.json").read_text())
    traffic = Traffic(config["host"], release, config["fault_file"])
    visits = Visits()
    try:
        server = ThreadingHTTPServer(
            (config["address"], config["port"]), handler(config, release, traffic, visits)
        )
    except OSError as error:
        sys.exit(f"checkout cannot listen on {config['address']}:{config['port']}: {error}")
    server.daemon_threads = True
    print(f"checkout {release['version']} listens on {config['address']}:{config['port']}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    report_for_ever(traffic, Reporter(config, release["version"]), visits, arguments.history)


if __name__ == "__main__":
    main()
