# SPDX-License-Identifier: Apache-2.0
"""What a server does in production that a unit test cannot see: it stays flat over a million
requests and a thousand reloads, loses nothing while models come and go, refuses quickly under
overload, survives kill -9, and forgets clients that vanish.

    tests/reliability/reliability.py build/release/bin            all of it, about 8 minutes
    tests/reliability/reliability.py build/release/bin flat swaps only these
    tests/reliability/reliability.py PROGRAMS --short             a minute; judges counts only

Prints one line per figure, with its bound; exits 1 if one is broken. Times and memory are judged in
the long run only, where the machine should have nothing else to do.
"""

import argparse
import pathlib
import random
import signal
import struct
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from served import (MIB, MODEL, Programs, Repeated, Server, Visitor, copy_model, wait_for)


class Report:
    """Figures and their bounds. Counts are always judged, times and memory in a long run."""

    def __init__(self, short):
        self.short = short
        self.broken = 0

    def count(self, what, figure, expected=0):
        self.line(what, f"{figure}", f"= {expected}", figure == expected)

    def at_most(self, what, figure, bound, unit):
        judged = not self.short
        self.line(what, f"{figure:.2f} {unit}", f"<= {bound} {unit}" + ("" if judged else " (not judged)"),
                  not judged or figure <= bound)

    def tell(self, what, figure):
        print(f"     {what:<58} {figure}", flush=True)

    def line(self, what, figure, bound, holds):
        self.broken += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {what:<58} {figure:>16}   {bound}", flush=True)


class Checks:
    def __init__(self, programs, folder, report):
        self.programs, self.report = programs, report
        self.short = report.short
        self.folder = pathlib.Path(folder)
        self.trained = self.folder / "trained"
        for seed in (1, 2):
            programs.train(self.trained / str(seed), seed)

    def repository(self, name, versions=(1,), model=MODEL):
        models = self.folder / name
        for version in versions:
            copy_model(self.trained / str(version), models / model / str(version))
        return models

    # ---- flat ---------------------------------------------------------------------------------

    def flat(self):
        models = self.repository("flat")
        ready = []
        for _ in range(3 if self.short else 9):
            with Server(self.programs, models) as server:
                ready.append(server.seconds_to_ready)
        self.report.at_most("ready after, median", 1e3 * statistics.median(ready), 300, "ms")
        with Server(self.programs, models, "--repository-mode", "poll", "--repository-poll-ms",
                    10) as server:
            self.report.at_most("resident with the demo model", server.resident_bytes() / MIB, 64,
                                "MiB")
            server.load(1 if self.short else 10)
            self.requests_leave_nothing(server)
            self.reloads_leave_nothing(server, models)

    def requests_leave_nothing(self, server):
        wanted = 5_000 if self.short else 1_000_000
        before, answered, other = server.resident_bytes(), 0, 0
        while answered < wanted and other == 0:
            calls = server.load(1 if self.short else 10)["calls"]
            answered += calls.pop("OK", 0)
            other += sum(calls.values())
        self.report.count(f"failed of {answered:,} requests", other)
        self.report.at_most("grown meanwhile", (server.resident_bytes() - before) / MIB, 5, "MiB")
        self.report.tell("resident now", f"{server.resident_bytes() / MIB:.1f} MiB")

    def reloads_leave_nothing(self, server, models):
        version = models / MODEL / "2"
        copy_model(self.trained / "2", version)
        visitor = Visitor(version)

        def reload(times):
            for _ in range(times):
                wait_for(lambda: server.serves(MODEL, 2))
                visitor.toggle()
                wait_for(lambda: not server.serves(MODEL, 2))
                visitor.toggle()
            wait_for(lambda: server.serves(MODEL, 2))

        reload(2 if self.short else 50)
        times = 10 if self.short else 1000
        before = server.resident_bytes()
        reload(times)
        grown = server.resident_bytes() - before
        self.report.count(f"versions left over by {times:,} reloads",
                          server.metrics().count("lipserve_model_loaded{") - 2)
        self.report.at_most("grown meanwhile", grown / MIB, 5, "MiB")
        self.report.tell("resident now", f"{server.resident_bytes() / MIB:.1f} MiB")

    # ---- nothing lost -------------------------------------------------------------------------

    def swaps(self):
        """The version that answers changes every 100 ms under full load."""
        models = self.repository("swaps", (1, 2))
        with Server(self.programs, models, "--repository-mode", "poll", "--repository-poll-ms",
                    10) as server:
            self.under_change("versions swapped every 100 ms", server,
                              Visitor(models / MODEL / "2"))

    def loads(self):
        """Another model is loaded and unloaded every 100 ms under full load."""
        models = self.repository("loads")
        copy_model(self.trained / "2", models / "visitor" / "1")
        with Server(self.programs, models, "--repository-mode", "poll", "--repository-poll-ms",
                    10) as server:
            self.under_change("another model loaded and unloaded every 100 ms", server,
                              Visitor(models / "visitor"))

    def under_change(self, what, server, visitor):
        seconds = 2 if self.short else 20
        known = dict(server.answers(version=version)
                     for version in (1, 2) if server.serves(MODEL, version))
        with Repeated(lambda: check_answers(server, known), 0.02):
            quiet = server.load(seconds)
        with Repeated(lambda: check_answers(server, known), 0.02) as checked, \
                Repeated(visitor.toggle, 0.1) as changes:
            busy = server.load(seconds * 3)
        loaded = server.messages().count(": loaded ")
        self.report.tell(what, f"{changes.count} changes, {loaded} loads")
        self.report.count(f"failed of {busy['calls'].get('OK', 0):,} requests", failed(busy))
        self.report.count(f"wrong of {checked.count} x 32 answers compared bit by bit",
                          len(checked.errors))
        for error in checked.errors[:3]:
            self.report.tell("", error)
        p99 = [load["answered"]["p99_ms"] for load in (quiet, busy)]
        self.report.at_most(f"p99 {p99[1]:.2f} ms over {p99[0]:.2f} ms without changes",
                            p99[1] / p99[0], 3, "x")

    # ---- overload -----------------------------------------------------------------------------

    def overload(self):
        """Ten times the capacity of a network whose requests take milliseconds."""
        models = self.folder / "overload"
        self.programs.train(models / MODEL / "1", units=256)
        with Server(self.programs, models) as server:
            shape = ("--images-per-call", 64)
            seconds = 2 if self.short else 15
            full = server.load(seconds, *shape, outstanding=16)
            capacity = full["calls_per_second"]
            server.load(1, *shape, "--rate", 2 * capacity, outstanding=2000)
            before = server.peak_bytes()
            over = server.load(seconds, *shape, "--rate", 10 * capacity, outstanding=2000)
            self.report.tell("capacity, and calls a second that came",
                             f"{capacity:.0f}, {sum(over['calls'].values()) / seconds:.0f}")
            refused = over["calls"].get("RESOURCE_EXHAUSTED", 0)
            self.report.count("neither answered nor refused", failed(over) - refused)
            self.report.tell("answered, and share of the capacity",
                             f"{over['calls'].get('OK', 0)}, "
                             f"{over['calls'].get('OK', 0) / seconds / capacity:.2f}")
            self.report.at_most(f"refused {refused}: told within, p50",
                                over["refused"]["p50_ms"], 5, "ms")
            self.report.at_most("refused: told within, p99", over["refused"]["p99_ms"], 5, "ms")
            # What is answered has waited for a full queue: 1,024 images, as in the full load.
            self.report.at_most(
                f"answered: p99 {over['answered']['p99_ms']:.1f} ms over "
                f"{full['answered']['p99_ms']:.1f} ms at capacity",
                over["answered"]["p99_ms"] / full["answered"]["p99_ms"], 3, "x")
            self.report.at_most("peak memory grown", (server.peak_bytes() - before) / MIB, 64, "MiB")

    # ---- crashes and vanishing clients --------------------------------------------------------

    def kill(self):
        """kill -9 at a random moment of a load, while versions come and go."""
        models = self.repository("kill", (1, 2))
        expected = {}
        with Server(self.programs, models) as server:
            for version in (1, 2):
                number, answers = server.answers(version=version)
                expected[number] = answers
        visitor = Visitor(models / MODEL / "2")
        rounds = 3 if self.short else 20
        wrong = 0
        randomness = random.Random(1)
        for _ in range(rounds):
            server = Server(self.programs, models, "--repository-mode", "poll",
                            "--repository-poll-ms", 1)
            client = subprocess.Popen(
                [self.programs.folder / "lipserve-client", "load", "--server", server.grpc,
                 "--duration", "60s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with Repeated(visitor.toggle, 0.01):
                time.sleep(randomness.uniform(0.05, 0.5))
                server.kill()
            client.kill()
            client.wait()
            if not visitor.here.exists():
                visitor.toggle()
            with Server(self.programs, models) as server:
                wrong += any(server.answers(version=version)[1] != expected[version]
                             for version in (1, 2))
        self.report.count(f"restarts of {rounds} after kill -9 with another answer", wrong)

    def clients(self):
        """Clients that vanish: killed in the middle, deadlines, half a handshake, half a frame."""
        models = self.repository("clients")
        with Server(self.programs, models) as server:
            rounds = 3 if self.short else 30
            self.vanish(server, 2)
            descriptors, threads = server.descriptors(), server.threads()
            before = server.resident_bytes()
            self.vanish(server, rounds)
            wait_for(lambda: server.descriptors() <= descriptors, 30)
            self.report.count(f"descriptors left by {rounds * 53} vanished connections",
                              max(0, server.descriptors() - descriptors))
            self.report.count("threads left", max(0, server.threads() - threads))
            self.report.at_most("grown meanwhile", (server.resident_bytes() - before) / MIB, 5,
                                "MiB")
            self.report.count("requests in flight or queued", in_flight(server))
            self.report.count("failed of the next requests", failed(server.load(1)))

    def vanish(self, server, rounds):
        for _ in range(rounds):
            killed = [subprocess.Popen(
                [self.programs.folder / "lipserve-client", "load", "--server", server.grpc,
                 "--duration", "60s", "--concurrency", "64"], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL) for _ in range(2)]
            time.sleep(0.2)
            for client in killed:
                client.send_signal(signal.SIGKILL)
                client.wait()
            self.programs.run("lipserve-client", "load", "--server", server.grpc, "--duration",
                              "200ms", "--warm-up", "0s", "--concurrency", 2000, "--timeout",
                              "20ms", check=False)  # cancelled by their deadlines
            for beginning in (b"", b"PRI * HTTP/2.0\r\n", PREFACE, PREFACE + HALF_A_CALL, b"\0" * 99):
                for _ in range(10):
                    connection = server.connect()
                    connection.sendall(beginning)
                    # Half of them say goodbye, the others are gone.
                    if _ % 2:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                              struct.pack("ii", 1, 0))
                    connection.close()


# HTTP/2: the preface with empty SETTINGS; a HEADERS frame that announces more than comes.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
HALF_A_CALL = b"\0\0\x40\1\4\0\0\0\1\x83\x86"


def check_answers(server, known):
    try:
        version, answers = server.answers()
    except RuntimeError as error:
        # The client asks which version is the default, and sticks to it; this one has gone since.
        if "NOT_FOUND: no version" in str(error):
            return
        raise
    if known.get(version) != answers:
        raise RuntimeError(f"version {version} answered otherwise than before")


def failed(load):
    return sum(count for code, count in load["calls"].items() if code != "OK")


def in_flight(server):
    return sum(int(float(line.split()[1])) for line in server.metrics().splitlines()
               if line.startswith(("lipserve_inflight_requests ", "lipserve_queue_depth ")))


def main():
    parser = argparse.ArgumentParser()
    names = ["flat", "swaps", "loads", "overload", "kill", "clients"]
    parser.add_argument("programs")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(names))
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_intermixed_args()
    unknown = set(arguments.checks) - set(names)
    if unknown:
        parser.error(f"expected of {', '.join(names)}, got {', '.join(unknown)}")
    report = Report(arguments.short)
    with tempfile.TemporaryDirectory(prefix="lipserve-reliability-") as folder:
        checks = Checks(Programs(arguments.programs), folder, report)
        for name in arguments.checks or names:
            print(name, flush=True)
            getattr(checks, name)()
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
