"""A process under test for tests/real_load.rs: it does one kind of work until its stdin ends.

    load.py rest            wakes up ten times a second and does nothing, as daemons do
    load.py spin            keeps one thread busy without a pause
    load.py send RATE       serves one connection with RATE bytes a second; prints its port
    load.py receive PORT    reads from that port whatever comes

It measures nothing: its load is read from the operating system, by its process id. All that
spin share one processor, so that the scheduler gives each an equal share of it, however busy the
machine is. Traffic goes through read() and write(), which the kernel counts in
/proc/PID/io. The first line on stdout says that the work goes on.
"""

import hashlib
import os
import socket
import sys
import threading
import time

BLOCK = bytes(64 * 1024)


def rest():
    print("ready", flush=True)
    while True:
        time.sleep(0.1)


def spin():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("ready", flush=True)
    while True:
        hashlib.sha256(BLOCK).digest()


def send(rate):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    began, sent = time.monotonic(), 0
    while True:
        due = (time.monotonic() - began) * rate - sent
        if due < len(BLOCK):
            time.sleep(0.01)
        else:
            sent += os.write(connection.fileno(), BLOCK)


def receive(port):
    connection = socket.create_connection(("127.0.0.1", port))
    print("ready", flush=True)
    while os.read(connection.fileno(), 1 << 20):
        pass


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_stdin, daemon=True).start()
    kind, *arguments = sys.argv[1:]
    {"rest": rest, "spin": spin, "send": send, "receive": receive}[kind](*map(int, arguments))
