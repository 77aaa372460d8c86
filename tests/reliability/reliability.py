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

from connections import ConnectionChecks, failed
from served import (MIB, MODEL, Background, Programs, Repeated, Server, Visitor, copy_model, wait_for)


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


class Checks(ConnectionChecks):
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
        """Ten times the capacity of a network whose requests take milliseconds.

        Generator, a second client and server share the machine. The second one, on a connection of
        its own, tells whether a wait is the server's or the crowd's own connection's; how late the
        generator sends tells whether it keeps up.
        """
        with Server(self.programs, self.deep_model()) as server:
            shape = ("--images-per-call", 64)
            seconds = 2 if self.short else 15
            full = server.load(seconds, *shape, outstanding=16)
            capacity = full["calls_per_second"]
            server.load(1, *shape, "--rate", 2 * capacity, outstanding=2000)
            before = server.peak_bytes()
            with Background(lambda: server.load(seconds, *shape, "--rate", 50,
                                                outstanding=2000)) as bystander:
                over = server.load(seconds, *shape, "--rate", 10 * capacity, outstanding=2000)
            self.crowd(over, capacity, seconds)
            self.refusals("refused", over)
            self.refusals("refused, a second client", bystander.result)
            # What is answered has waited for a full queue: 1,024 images, as in the full load.
            self.report.at_most(
                f"answered: p99 {over['answered']['p99_ms']:.1f} ms over "
                f"{full['answered']['p99_ms']:.1f} ms at capacity",
                over["answered"]["p99_ms"] / full["answered"]["p99_ms"], 3, "x")
            self.report.at_most("peak memory grown", (server.peak_bytes() - before) / MIB, 64, "MiB")

    def flood(self):
        """More bytes than the machine can carry: refusing them takes all that it has.

        To receive a call of 64 images takes tens of microseconds on either side, so that no client
        can send ten times what a small network computes. Memory has to stay bounded, and every call
        has to end.
        """
        with Server(self.programs, self.repository("flood")) as server:
            shape = ("--images-per-call", 64)
            seconds = 2 if self.short else 15
            capacity = server.load(seconds, *shape, outstanding=16)["calls_per_second"]
            before = server.peak_bytes()
            over = server.load(seconds, *shape, "--rate", 10 * capacity, outstanding=2000)
            self.crowd(over, capacity, seconds)
            self.report.tell("not sent, for want of CPU", over["unsent"])
            # 2,000 messages of 49 KiB may be on their way.
            self.report.at_most("peak memory grown", (server.peak_bytes() - before) / MIB, 160,
                                "MiB")
            self.report.count("failed of the next requests", failed(server.load(1)))

    def deep_model(self):
        models = self.folder / "deep"
        if not models.exists():
            self.programs.train(models / MODEL / "1", hidden=[256] * 16)
        return models

    def crowd(self, over, capacity, seconds):
        calls = over["calls"]
        answered = calls.get("OK", 0) / seconds
        self.report.tell("capacity, and calls a second that came",
                         f"{capacity:.0f}, {sum(calls.values()) / seconds:.0f}")
        self.report.tell("answered a second, and share of the capacity",
                         f"{answered:.0f}, {answered / capacity:.2f}")
        self.report.count("neither answered nor refused",
                          failed(over) - calls.get("RESOURCE_EXHAUSTED", 0))

    def refusals(self, what, load):
        told = load["refused_since_sent"]
        late = load["sent_late"]
        self.report.tell(f"{what}, and sent late: p50, p99",
                         f"{told['count']}, {late['p50_ms']:.2f} ms, {late['p99_ms']:.2f} ms")
        for quantile in ("p50", "p99"):
            self.report.at_most(f"{what}: told within, {quantile}", told[f"{quantile}_ms"], 5, "ms")

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
        """Clients that vanish: killed in the middle, deadlines, half a handshake, half a frame.

        Pools of calls and of memory grow to what a load needed at its worst, which may come late.
        So the load comes three times, and one of the last two has to leave nothing: what leaks,
        leaks each time. gRPC adds a thread to a pool of its own when a timer is due while all of
        them are busy, which is rare; a thread for each connection, or each round, would be many.
        """
        models = self.repository("clients")
        with Server(self.programs, models) as server:
            rounds = 3 if self.short else 30
            self.vanish(server, rounds)
            descriptors, threads = server.descriptors(), server.threads()
            resident = [server.resident_bytes()]
            for _ in range(2):
                self.vanish(server, rounds)
                resident.append(server.resident_bytes())
            wait_for(lambda: server.descriptors() <= descriptors, 30)
            self.report.count(f"descriptors left by {2 * rounds * 53} vanished connections",
                              max(0, server.descriptors() - descriptors))
            new = server.threads() - threads
            for name, count in new.items():
                self.report.tell("a new thread", f"{count} {name}")
            self.report.count("of them not of a pool of gRPC",
                              sum(count for name, count in new.items() if name not in GRPC_POOLS))
            self.report.line("of them of gRPC's pools", new.total(), f"<= {max(4, rounds // 3)}",
                             new.total() <= max(4, rounds // 3))
            growths = [(after - before) / MIB for before, after in zip(resident, resident[1:])]
            self.report.at_most("grown each time", min(growths), 5, "MiB")
            # The last requests may still be computed; one that is lost stays in flight for ever.
            wait_for(lambda: in_flight(server) == 0, 30)
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


# As the kernel has them, which cuts them to 15 characters.
GRPC_POOLS = {"default-executo", "resolver-execut", "grpc_global_tim", "event_engine"}

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


def in_flight(server):
    return sum(int(float(line.split()[1])) for line in server.metrics().splitlines()
               if line.startswith(("lipserve_inflight_requests ", "lipserve_queue_depth ")))


def main():
    parser = argparse.ArgumentParser()
    names = ["flat", "swaps", "loads", "overload", "flood", "kill", "clients", "full",
             "floods"]
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
