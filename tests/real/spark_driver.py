"""A real Spark driver that does what a test tells it, with a clock that the test sets.

One JSON object a line on stdin, one answer a line on stdout; the end of stdin
ends the driver, so it cannot outlive the test, however that ends. The JVM runs
under libfaketime, which reads a file for how far behind real time it is: Spark
itself is unmodified, and what it tells of hours ago happened a moment ago.

Nothing here sleeps to synchronise: a command is answered once Spark's own event
bus has delivered what it caused.

Usage: spark_driver.py DIRECTORY LIBFAKETIME
"""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from pathlib import Path

DIRECTORY = Path(sys.argv[1])
CLOCK = DIRECTORY / "clock"
# How often the driver's own state is looked at while something is awaited.
PAUSE = 0.02


def set_clock(behind_s):
    # Replaced as a whole, so that no reader sees half of it.
    new = DIRECTORY / "clock.new"
    new.write_text(f"-{behind_s}\n")
    new.rename(CLOCK)


def fake_the_clock_of_children(library):
    os.environ.update(
        LD_PRELOAD=library,
        FAKETIME_TIMESTAMP_FILE=str(CLOCK),
        # Each question reads the file, so that a moved clock holds at once.
        FAKETIME_NO_CACHE="1",
        # Timeouts and waits count real seconds.
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        # The workaround for other C libraries makes a JVM's waits spin.
        FAKETIME_FORCE_MONOTONIC_FIX="0",
    )


set_clock(0)
fake_the_clock_of_children(sys.argv[2])

from pyspark.sql import SparkSession  # noqa: E402  (the JVM inherits the environment)


class Application:
    """One Spark application, with the work that a test has begun in it."""

    number = 0
    # Names of libfaketime's, once a JVM runs.
    shared_memory = []

    def __init__(self, behind_s, conf):
        Application.number += 1
        self.work = DIRECTORY / f"application-{Application.number}"
        self.work.mkdir()
        self.pipes = []
        self.threads = []
        self.queries = []
        self.loops = []
        set_clock(behind_s)
        builder = SparkSession.builder.master("local[2]").appName("Databricks Shell")
        fixed = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.port": "0",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "WARN",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(self.work / "warehouse"),
            "spark.local.dir": str(DIRECTORY / "local"),
            # A clock that jumps by hours must not look like an executor that is gone.
            "spark.storage.blockManagerHeartbeatTimeoutMs": "100h",
        }
        for key, value in {**fixed, **conf}.items():
            builder = builder.config(key, value)
        self.spark = builder.getOrCreate()
        self.context = self.spark.sparkContext
        self.jvm = self.context._jvm
        names = self.jvm.java.lang.System.getenv("FAKETIME_SHARED") or ""
        Application.shared_memory = [name.lstrip("/") for name in names.split()]

    def describe(self):
        return {
            "ui": self.context.uiWebUrl,
            "version": self.context.version,
            "started_ms": self.context.startTime,
        }

    def now_ms(self):
        return self.jvm.java.lang.System.currentTimeMillis()

    def settle(self):
        """Waits until the UI's store has heard of everything that has happened."""
        self.context._jsc.sc().listenerBus().waitUntilEmpty()

    def clock(self, behind_s):
        set_clock(behind_s)

    def last_end(self):
        """The end of the latest job, as Spark itself keeps it."""
        jobs = self.context._jsc.sc().statusStore().jobsList(None)
        ends = (jobs.apply(index).completionTime() for index in range(jobs.size()))
        return {"end_ms": max(end.get().getTime() for end in ends if end.isDefined())}

    def last_sql_end(self):
        """The end of the latest SQL execution, as Spark itself keeps it."""
        rows = self.executions()
        ends = [row.completionTime() for row in rows]
        return {"end_ms": max(end.get().getTime() for end in ends if end.isDefined())}

    def api(self, path):
        """What the UI answers to a path below the application."""
        application = f"{self.context.uiWebUrl}/api/v1/applications/{self.context.applicationId}"
        with urllib.request.urlopen(f"{application}/{path}") as answer:
            return {"answer": json.load(answer)}

    def job(self):
        self.context.parallelize(range(10), 2).count()

    def jobs(self, count):
        # Without a worker in Python, which would take most of the time.
        rows = self.jvm.java.util.ArrayList()
        rows.add(1)
        for _ in range(count):
            self.context._jsc.parallelize(rows, 1).count()

    def sql(self, count):
        for _ in range(count):
            self.spark.range(1).collect()

    def failed_job(self):
        def fail(_):
            raise ValueError("on purpose")

        try:
            self.context.parallelize([1], 1).map(fail).count()
        except Exception as error:  # Py4J's, which carries Python's.
            assert "on purpose" in str(error), error
        else:
            raise AssertionError("the job did not fail")

    def long_job(self):
        """One task, which reads a pipe that nobody writes to."""
        gate = str(self.work / "gate")
        os.mkfifo(gate)

        # Python's own sleep fails in a worker whose clock is moved meanwhile.
        def wait(_):
            with open(gate) as pipe:
                pipe.read()

        self.in_background(lambda: self.context.parallelize([1], 1).map(wait).count())
        tracker = self.context._jsc.sc().statusTracker()
        self.wait_for(lambda: len(tracker.getActiveJobIds()) == 1)
        self.wait_for(lambda: self.open_pipe(gate))

    def planning(self):
        """A command that reads a table's log of files, which is a pipe that nobody writes to."""
        table = self.work / "table"
        pipe = table / "_spark_metadata" / "0"
        pipe.parent.mkdir(parents=True)
        os.mkfifo(pipe)
        command = f"CREATE TABLE planned USING parquet LOCATION '{table}'"
        self.in_background(lambda: self.spark.sql(command))
        self.wait_for(lambda: self.running_sql() == 1)
        # A reader is there once the pipe can be opened for writing without waiting.
        self.wait_for(lambda: self.open_pipe(pipe))

    def open_pipe(self, pipe):
        try:
            self.pipes.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def running_sql(self):
        self.settle()
        return sum(1 for row in self.executions() if row.completionTime().isEmpty())

    def executions(self):
        rows = self.spark._jsparkSession.sharedState().statusStore().executionsList()
        return [rows.apply(index) for index in range(rows.size())]

    def python_loop(self):
        """Work of the driver's machine of which Spark never hears."""
        program = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
        self.loops.append(subprocess.Popen([sys.executable, "-c", program], env={}))

    def stream(self, name, trigger):
        """A stream of files whose first file has come; it is answered after that batch."""
        source = self.work / f"{name}-source"
        source.mkdir()
        (source / "first.txt").write_text("one line\n")
        query = (
            self.spark.readStream.text(str(source))
            .writeStream.format("noop")
            .queryName(name)
            .option("checkpointLocation", str(self.work / f"{name}-checkpoint"))
            .trigger(**trigger)
            .start()
        )
        self.queries.append(query)
        self.wait_for(lambda: any(batch["numInputRows"] for batch in query.recentProgress))
        if "availableNow" in trigger:
            query.awaitTermination()
        return {"id": query.id, "run_id": query.runId}

    def stop_streams(self):
        for query in self.queries:
            query.stop()

    def in_background(self, work):
        def run():
            try:
                work()
            except Exception:
                # It is torn down with its application; what a test wants of it, it waits for.
                pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    def wait_for(self, condition):
        while not condition():
            time.sleep(PAUSE)
        self.settle()

    def end(self):
        for pipe in self.pipes:
            os.close(pipe)
        for loop in self.loops:
            loop.kill()
            loop.wait()
        self.stop_streams()
        for thread in self.threads:
            thread.join()
        self.spark.stop()
        shutil.rmtree(self.work, ignore_errors=True)


COMMANDS = {
    "api",
    "clock",
    "failed_job",
    "job",
    "jobs",
    "last_end",
    "last_sql_end",
    "long_job",
    "planning",
    "python_loop",
    "sql",
    "stop_streams",
    "stream",
}


def answer(text):
    print(json.dumps(text), flush=True)


def read_orders(orders):
    """Ends the process with its stdin, also while an order is being carried out."""
    try:
        for line in sys.stdin:
            orders.put(line)
    finally:
        end_everything()


def end_everything():
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.proc.kill()
        gateway.proc.wait()
    # It outlives the processes that used it.
    for name in Application.shared_memory:
        Path("/dev/shm", name).unlink(missing_ok=True)
        Path("/dev/shm", f"sem.{name}").unlink(missing_ok=True)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    # Threads that wait inside Spark must not hold this process.
    os._exit(0)


def serve(orders):
    application = None
    while True:
        order = json.loads(orders.get())
        verb = order.pop("do")
        if verb == "start":
            if application is not None:
                application.end()
            application = Application(**order)
            answer(application.describe())
            continue
        assert verb in COMMANDS, verb
        before = application.now_ms()
        result = getattr(application, verb)(**order) or {}
        application.settle()
        answer({"from_ms": before, "to_ms": application.now_ms(), **result})


ORDERS = queue.Queue()
threading.Thread(target=read_orders, args=(ORDERS,), daemon=True).start()
try:
    serve(ORDERS)
except BaseException:
    traceback.print_exc()
    end_everything()
