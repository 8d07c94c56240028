"""Measures a queue from PyPI as the bench measures Slipway's, and prints what it saw as JSON.

    peers.py huey FOLDER          on an SQLite file in FOLDER
    peers.py procrastinate URL    on that PostgreSQL database
    peers.py prefect FOLDER       with a server of its own, on an SQLite file in FOLDER

None needs a broker: they keep their queue where Slipway keeps its own. Their workers run with the settings they come
with, but for the number of jobs at once (AT_ONCE). Prefect's jobs are its background tasks, which start sooner than its
flows do.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

STARTS = int(os.environ.get("STARTS", "50"))
AT_ONCE = int(os.environ.get("AT_ONCE", "8"))
# In a worker they come by its environment.
kind, place = (os.environ["PEER"], os.environ["PLACE"]) if "PEER" in os.environ else sys.argv[1:3]
# Prefect does a few a second, and its server holds a thousand that wait.
JOBS = int(os.environ.get("JOBS", "200" if kind == "prefect" else "10000"))


def told(path):
    return path.read_text().split("\n")[:-1] if path.exists() else []


def wait_for(path, lines):
    while len(told(path)) < lines:
        time.sleep(0.005)
    return [float(line) for line in told(path)]


def tell(path):
    with open(path, "a") as file:
        file.write(f"{time.time()}\n")


notes = Path(os.environ.get("NOTES", "."))
started, done = notes / "started", notes / "done"

if kind == "huey":
    from huey import SqliteHuey

    huey = SqliteHuey(filename=f"{place}/huey.db", fsync=True)

    @huey.task()
    def child():
        process = subprocess.Popen(["/bin/true"])
        tell(started)
        process.wait()

    @huey.task()
    def nothing():
        tell(done)

    def worker():
        return [sys.executable, "-m", "huey.bin.huey_consumer", "peers.huey", "-k", "thread", "-w", str(AT_ONCE), "-q"]

    def send(task, many):
        for _ in range(many):
            task()

elif kind == "prefect":
    if "PREFECT_API_URL" not in os.environ:
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = "127.0.0.1:{}".format(free.getsockname()[1])
        os.environ |= {
            "PREFECT_HOME": place,
            "PREFECT_API_URL": f"http://{address}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "DO_NOT_TRACK": "1",
        }
    import prefect

    @prefect.task
    def child():
        process = subprocess.Popen(["/bin/true"])
        tell(started)
        process.wait()

    @prefect.task
    def nothing():
        tell(done)

    def worker():
        serve = f"import peers, prefect.task_worker; prefect.task_worker.serve(peers.child, peers.nothing, limit={AT_ONCE})"
        return [sys.executable, "-c", serve]

    def send(task, many):
        for _ in range(many):
            task.delay()

else:
    import asyncio

    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=place))

    @app.task(name="child")
    async def child():
        process = await asyncio.create_subprocess_exec("/bin/true")
        tell(started)
        await process.wait()

    @app.task(name="nothing")
    async def nothing():
        tell(done)

    def worker():
        return [sys.executable, "-m", "procrastinate", "--app", "peers.app", "worker", "--concurrency", str(AT_ONCE)]

    async def deferred(task, many):
        if many == 1:
            await task.defer_async()
        else:
            await task.batch_defer_async(*({} for _ in range(many)))

    async def opened(work):
        async with app.open_async():
            return await work()


def run(command, name):
    env = {**os.environ, "PEER": kind, "PLACE": place, "NOTES": str(notes), "PYTHONPATH": str(Path(__file__).parent)}
    with open(notes / f"{name}.log", "a") as log:
        return subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=notes)


def run_worker():
    return run(worker(), "worker")


@contextlib.contextmanager
def server():
    """What the workers ask for work, where that is no database."""
    if kind != "prefect":
        yield
        return
    url = urllib.parse.urlsplit(os.environ["PREFECT_API_URL"])
    start = [sys.executable, "-m", "prefect", "server", "start", "--host", url.hostname, "--port", str(url.port)]
    process = run(start, "server")
    try:
        while True:
            try:
                urllib.request.urlopen(url.geturl() + "/health").close()
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"Prefect's server ended: see {notes / 'server.log'}")
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure_async():
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        process = run_worker()
        try:
            waits = []
            # The first waits for the worker to be there, and is not counted.
            for number in range(1 + STARTS):
                await asyncio.sleep(0.2)
                sent = time.time()
                await deferred(child, 1)
                while len(told(started)) <= number:
                    await asyncio.sleep(0.005)
                waits.append(float(told(started)[number]) - sent)
        finally:
            process.terminate()
            process.wait()
        await deferred(nothing, JOBS)
    return waits[1:]


def measure():
    process = run_worker()
    try:
        waits = []
        # The first waits for the worker to be there, and is not counted.
        for number in range(1 + STARTS):
            time.sleep(0.2)
            sent = time.time()
            send(child, 1)
            waits.append(wait_for(started, number + 1)[number] - sent)
    finally:
        process.terminate()
        process.wait()
    send(nothing, JOBS)
    return waits[1:]


def main():
    with server():
        seen = measured()
    print(json.dumps(seen))


def measured():
    waits = asyncio.run(measure_async()) if kind == "procrastinate" else measure()
    process = run_worker()
    try:
        ends = wait_for(done, JOBS)
    finally:
        process.terminate()
        process.wait()
    return {
        "p50_ms": percentile(waits, 0.5) * 1000,
        "p99_ms": percentile(waits, 0.99) * 1000,
        "jobs_per_second": (len(ends) - 1) / (max(ends) - min(ends)),
    }


if __name__ == "__main__":
    # By the name under which the workers know its tasks.
    import peers

    peers.main()
