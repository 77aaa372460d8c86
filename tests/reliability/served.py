# SPDX-License-Identifier: Apache-2.0
"""lipserve-server as a process that is measured, its models, and the load that it gets."""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "data/mnist/t10k-images-idx3-ubyte.gz"
MODEL = "mnist08"
MIB = 1 << 20


class Programs:
    """The folder with lipserve-server, lipserve-client and lipserve-train."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()

    def run(self, program, *arguments, timeout=600, check=True):
        finished = subprocess.run([str(self.folder / program), *map(str, arguments)],
                                  capture_output=True, text=True, timeout=timeout, check=False)
        if check and finished.returncode != 0:
            raise RuntimeError(f"{program}: {finished.stderr.strip()}")
        return finished

    def train(self, folder, seed=0, hidden=None):
        """One epoch of the demo; with `hidden` layers of so many units, in a few large steps."""
        recipe = ROOT / "trainer/recipes/mnist08.textproto"
        if hidden is not None:
            lines = recipe.read_text(encoding="utf-8").splitlines()
            narrow = [i for i, line in enumerate(lines) if "spectral_dense" in line]
            wide = [line for units in hidden for line in (
                f"layers {{ spectral_dense {{ units: {units} use_bias: true initial_scale: 0.03 }} }}",
                "layers { group_sort { group_size: 2 } }")]
            lines[narrow[0]:narrow[-1] + 2] = wide
            recipe = pathlib.Path(folder).parent / ".wide.textproto"
            recipe.parent.mkdir(parents=True, exist_ok=True)
            text = "\n".join(lines).replace("batch_size: 128", "batch_size: 2048")
            recipe.write_text(text, encoding="utf-8")
        self.run("lipserve-train", "train", "--recipe", recipe, "--data", ROOT / "data/mnist",
                 "--out", folder, "--epochs", 1, "--seed", seed, "--attack-images", 0)


class Server:
    """lipserve-server on free ports of loopback."""

    def __init__(self, programs, models, *flags):
        self.programs = programs
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [programs.folder / "lipserve-server", "--models", models, "--grpc", "127.0.0.1:0",
             "--http", "127.0.0.1:0", *map(str, flags)],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        self.seconds_to_ready = time.perf_counter() - start
        if not line.startswith("serving: grpc="):
            raise RuntimeError("lipserve-server: " + self.messages())
        self.grpc, self.http = (word.split("=")[1] for word in line.split()[1:3])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) << 10

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        """How many threads have each name."""
        names = collections.Counter()
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                names[(task / "comm").read_text(encoding="utf-8").strip()] += 1
        return names

    def metrics(self):
        return self.page("/metrics")

    def page(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=10) as response:
            return response.read().decode()

    def metric(self, series):
        """The value of the one series of that name and labels."""
        return next(float(line.rsplit(" ", 1)[1]) for line in self.metrics().splitlines()
                    if line.startswith(series + " "))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def serves(self, model, version):
        return f'lipserve_model_loaded{{model="{model}",version="{version}"}} 1\n' in self.metrics()

    def connect(self):
        host, port = self.grpc.rsplit(":", 1)
        return socket.create_connection((host, int(port)))

    def load(self, seconds, *flags, outstanding=64, warm_up=1, model=MODEL, timeout=10):
        """What lipserve-client load prints."""
        run = self.programs.run("lipserve-client", "load", "--json", "--server", self.grpc,
                                "--model", model, "--duration", f"{seconds}s", "--warm-up",
                                f"{warm_up}s", "--concurrency", outstanding, "--timeout",
                                f"{timeout}s", *flags, timeout=seconds + 120, check=False)
        if not run.stdout:
            raise RuntimeError(run.stderr.strip())
        return json.loads(run.stdout)

    def answers(self, images="[0:32]", model=MODEL, version=0):
        """Class, radius and version of each image, by the client's own words."""
        run = self.programs.run("lipserve-client", "classify", "--json", "--server", self.grpc,
                                "--model", model, "--model-version", version,
                                "--input", f"{IMAGES}{images}", check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr.strip())
        keep = ("class", "radius_l2_hex", "digest_sha256")
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        return (lines[0]["model_version"],
                [tuple(line[key] for key in keep) for line in lines])


class Repeated(threading.Thread):
    """Calls `action` again and again, `pause` seconds apart, until it is stopped; keeps errors."""

    def __init__(self, action, pause=0.0):
        super().__init__()
        self.action, self.pause = action, pause
        self.count = 0
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.action()
                self.count += 1
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(str(error))
            self.stopping.wait(self.pause)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()


class Background(threading.Thread):
    """Calls `action` once, beside what its block does, and waits for its result."""

    def __init__(self, action):
        super().__init__()
        self.action = action
        self.result = None

    def run(self):
        self.result = self.action()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.join()


class Visitor:
    """A folder of the repository that comes and goes by renaming, as an operator would do it."""

    def __init__(self, folder):
        self.here = pathlib.Path(folder)
        self.hidden = self.here.parent / ("." + self.here.name)

    def toggle(self):
        if self.here.exists():
            self.here.rename(self.hidden)
        else:
            self.hidden.rename(self.here)


def copy_model(source, target):
    pathlib.Path(target).mkdir(parents=True)
    shutil.copy(pathlib.Path(source) / "model.lip", pathlib.Path(target) / "model.lip")


def wait_for(condition, seconds=60.0):
    """Looks again and again until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited in vain for " + condition.__name__)
        time.sleep(0.005)
