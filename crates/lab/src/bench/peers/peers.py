"""Measures a queue from PyPI as the bench measures Slipway's, and prints what it saw as JSON.

    peers.py huey FOLDER          on an SQLite file in FOLDER
    peers.py procrastinate URL    on that PostgreSQL database

Both need no broker: they keep their queue where Slipway keeps its own. Their workers run with the settings they come
with, but for the number of jobs at once (AT_ONCE).
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

STARTS = int(os.environ.get("STARTS", "50"))
JOBS = int(os.environ.get("JOBS", "10000"))
AT_ONCE = int(os.environ.get("AT_ONCE", "8"))
# In a worker they come by its environment.
kind, place = (os.environ["PEER"], os.environ["PLACE"]) if "PEER" in os.environ else sys.argv[1:3]


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


def run_worker():
    env = {**os.environ, "PEER": kind, "PLACE": place, "NOTES": str(notes), "PYTHONPATH": str(Path(__file__).parent)}
    with open(notes / "worker.log", "a") as log:
        return subprocess.Popen(worker(), env=env, stdout=log, stderr=log, cwd=notes)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure_async():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        process = run_worker()
        try:
            waits = []
            for number in range(STARTS):
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
    return waits


def measure():
    process = run_worker()
    try:
        waits = []
        for number in range(STARTS):
            time.sleep(0.2)
            sent = time.time()
            send(child, 1)
            waits.append(wait_for(started, number + 1)[number] - sent)
    finally:
        process.terminate()
        process.wait()
    send(nothing, JOBS)
    return waits


def main():
    waits = measure() if kind == "huey" else asyncio.run(measure_async())
    process = run_worker()
    try:
        ends = wait_for(done, JOBS)
    finally:
        process.terminate()
        process.wait()
    print(
        json.dumps(
            {
                "p50_ms": percentile(waits, 0.5) * 1000,
                "p99_ms": percentile(waits, 0.99) * 1000,
                "jobs_per_second": (len(ends) - 1) / (max(ends) - min(ends)),
            }
        )
    )


if __name__ == "__main__":
    # By the name under which the workers know its tasks.
    import peers

    peers.main()
