# SPDX-License-Identifier: Apache-2.0
"""What connections can cost: too many, short, silent or slow ones, and floods of one connection."""

import contextlib
import itertools
import resource
import select
import time
import urllib.error

import http2
from served import MIB, Background, Repeated, Server, wait_for


class Flood(Background):
    """Sends what `chunk(n)` gives for n = 0, 1, ..., and drops what comes back, for some seconds."""

    def __init__(self, server, seconds, chunk, reads=True, acknowledges=True):
        super().__init__(self.flood)
        self.acknowledges = acknowledges
        self.server, self.seconds, self.chunk, self.reads = server, seconds, chunk, reads

    def flood(self):
        """Chunks sent, and connections that it took."""
        end = time.monotonic() + self.seconds
        sent = connections = 0
        while time.monotonic() < end:
            connections += 1
            with contextlib.suppress(OSError), greeted(self.server) as connection:
                if self.acknowledges:
                    connection.sendall(http2.frame(http2.SETTINGS, b"", 1))
                for n in itertools.count():
                    connection.settimeout(max(end - time.monotonic(), 0.01))
                    connection.sendall(self.chunk(n))
                    sent += 1
                    if self.reads:
                        drop(connection)
                    if time.monotonic() >= end:
                        break
        return sent, connections


def greeted(server):
    connection = server.connect()
    connection.settimeout(10)
    connection.sendall(http2.PREFACE)
    return connection


def drop(connection):
    while select.select([connection], [], [], 0)[0]:
        if not connection.recv(1 << 20):
            raise ConnectionError("the server has closed the connection")


def page(server, path):
    try:
        return server.page(path)
    except urllib.error.HTTPError as error:
        return error.code


class ConnectionChecks:
    """Mixed into Checks of reliability.py."""

    def full(self):
        """As many idle connections as there may be, and more than there are descriptors."""
        models = self.repository("full")
        limit = 100 if self.short else 2000
        with Server(self.programs, models, "--max-connections", limit) as server:
            server.load(1)
            wait_for(lambda: server.metric("lipserve_connections") == 0)
            before, busy = server.resident_bytes(), server.cpu_seconds()
            idle = [greeted(server) for _ in range(limit // 2)]
            wait_for(lambda: server.metric("lipserve_connections") == len(idle))
            self.report.tell("memory of an idle connection",
                             f"{(server.resident_bytes() - before) / len(idle) / 1024:.1f} KiB")
            self.report.tell("CPU of opening it",
                             f"{1e6 * (server.cpu_seconds() - busy) / len(idle):.0f} us")
            with Background(lambda: server.load(3, outstanding=4)) as neighbour:
                time.sleep(1)  # it connects and warms up
                while server.metric("lipserve_connections") < limit:
                    idle.append(greeted(server))
                refused = sum(is_refused(server) for _ in range(100))
                pages = [page(server, path) for path in ("/livez", "/readyz")]
            self.report.count("of 100 connections beyond the limit, refused", refused, 100)
            self.report.count("/livez and /readyz of the full server, of 2 that say so",
                              sum(text in ("alive\n", "ready\n") for text in pages), 2)
            self.report.count("failed of the neighbour's requests", failed(neighbour.result))
            for connection in idle:
                connection.close()
            wait_for(lambda: server.metric("lipserve_connections") == 0)
            self.report.count("failed of the next requests", failed(server.load(1)))
            self.out_of_descriptors(server)

    def out_of_descriptors(self, server):
        pid = server.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        few = server.descriptors() + 20
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[1]))
        idle = [server.connect() for _ in range(100)]
        wait_for(lambda: server.descriptors() >= few)
        for connection in idle:
            connection.close()
        self.report.count("failed after it was out of descriptors", failed(server.load(1)))
        self.report.tell("looks for a descriptor in vain",
                         server.metric('lipserve_connections_refused_total{reason="descriptors"}'))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

    def floods(self):
        """What one connection can cost, beside a neighbour with one call at a time.

        Counts are judged afterwards: whatever came, the server has to answer again. What the
        neighbour feels meanwhile is told: gRPC 1.51 leaves some of it to a proxy.
        """
        resets = in_twenties(lambda stream: http2.call(stream, http2.CLASSIFY) + http2.reset(stream))
        checks = in_twenties(http2.call)
        self.flood_of("nothing", lambda n: time.sleep(0.01) or b"")
        self.flood_of("short connections", None)
        self.flood_of("calls", checks)
        self.flood_of("calls, SETTINGS never acknowledged", checks, acknowledges=False)
        self.flood_of("calls whose answers nobody reads", checks, reads=False)
        self.flood_of("rapid resets", resets)
        self.flood_of("pings", lambda n: http2.frame(http2.PING, b"12345678") * 20)
        self.flood_of("settings", lambda n: http2.settings(table_size=n % 4096) * 20)
        self.flood_of("one header without end", endless_header)
        self.flood_of("headers without end", many_headers)
        self.flood_of("empty frames of headers", empty_frames)

    def flood_of(self, what, chunk, **flags):
        seconds = 0.5 if self.short else 4
        with Server(self.programs, self.repository("floods-" + what.replace(" ", "-"))) as server:
            with Background(lambda: server.load(seconds + 2, outstanding=1, warm_up=0,
                                                timeout=5)) as neighbour:
                time.sleep(1)
                before, grown, busy = server.resident_bytes(), [0], server.cpu_seconds()
                flood = (Background(lambda: short_connections(server, seconds)) if chunk is None
                         else Flood(server, seconds, chunk, **flags))
                with Repeated(lambda: grown.append(server.resident_bytes() - before), 0.02), flood:
                    pass
                busy = server.cpu_seconds() - busy
            sent, connections = flood.result
            start = time.monotonic()
            wait_for(lambda: answers(server), 60)
            self.report.tell(f"{what}: chunks a second, connections",
                             f"{sent / seconds:,.0f}, {connections}")
            self.report.tell("    CPU of the server", f"{busy / seconds:.2f} cores")
            self.report.tell("    memory grown at its peak", f"{max(grown) / MIB:.0f} MiB")
            self.report.tell("    neighbour: p50, p99, failed",
                             f"{latency(neighbour.result)}, {failed(neighbour.result)}")
            self.report.tell("    answers again after", f"{time.monotonic() - start:.1f} s")
            self.report.count("    failed of the next requests", failed(server.load(1)))


def in_twenties(call):
    """Chunks of 20 calls on streams of their own; chunk n of one connection."""
    return lambda n: b"".join(call(2 * (20 * n + i) + 1) for i in range(20))


def endless_header(n):
    """A header of 1 GiB, 16 KiB a frame."""
    if n == 0:
        start = b"\0" + http2.integer(4, 7) + b"note" + http2.integer(1 << 30, 7)
        return http2.frame(http2.HEADERS, http2.call_block(http2.CLASSIFY) + start, 0, 1)
    return http2.frame(http2.CONTINUATION, b"x" * (16 << 10), 0, 1)


def empty_frames(n):
    """A block of headers that never ends, without bytes."""
    if n == 0:
        return http2.frame(http2.HEADERS, b"", 0, 1)
    return http2.frame(http2.CONTINUATION, b"", 0, 1) * 100


def many_headers(n):
    """Headers without end, of 1 KiB each."""
    if n == 0:
        return http2.frame(http2.HEADERS, http2.call_block(http2.CLASSIFY), 0, 1)
    return http2.frame(http2.CONTINUATION, http2.literal(b"note", b"x" * 1000) * 16, 0, 1)


def short_connections(server, seconds):
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            greeted(server).close()
        count += 1
    return count, count


def answers(server):
    with contextlib.suppress(RuntimeError):
        return failed(server.load(0.2, warm_up=0, outstanding=1)) == 0
    return False


def is_refused(server):
    try:
        with greeted(server) as connection:
            return connection.recv(1) == b""
    except OSError:
        return True


def failed(load):
    return sum(count for code, count in load["calls"].items() if code != "OK")


def latency(load):
    answered = load["answered"]
    return f"{answered['p50_ms']:.2f} ms, {answered['p99_ms']:.2f} ms"
