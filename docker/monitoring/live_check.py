#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the real Prometheus on the real server and checks what operators will see.

A demo model is trained and served on loopback. Prometheus starts with a day of history, made from
two scrapes of that server, and scrapes it while it answers. Checked:

  1. promtool's lint of /metrics;
  2. every expression of the dashboard and every recording rule has a value, and every series that
     an alert reads exists;
  3. the robustness alerts are silent while the digits are those the model was trained on, and
     pending once they are others.

    docker/monitoring/live_check.py [--programs build/dev/bin]
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import expressions

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IMAGES = ROOT / "data/mnist/t10k-images-idx3-ubyte.gz"
LABELS = ROOT / "data/mnist/t10k-labels-idx1-ubyte.gz"
DRIFT_ALERTS = {"LipserveRadiusDrift", "LipserveLessRobustThanTrained"}
HISTORY_STEP_S = 120
WAIT_S = 60  # for anything that should take a second or two


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def wait_for(what, probe):
    """Calls probe until it returns something true; that is returned."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"expected {what} within {WAIT_S} s")


class Program:
    """A child process whose output goes to a file; stopped at the end of the `with`."""

    def __init__(self, log, command):
        self.log = log
        with open(log, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=WAIT_S)

    def find(self, pattern):
        """The match of `pattern` in the log, once there is one."""
        def probe():
            text = self.log.read_text(encoding="utf-8")
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args[0]} ended early:\n{text[-2000:]}")
            return re.search(pattern, text)
        return wait_for(f"'{pattern}' in {self.log}", probe)


class Service:
    """A served demo model and ways to load it."""

    def __init__(self, programs, folder):
        self.client = programs / "lipserve-client"
        subprocess.run(
            [programs / "lipserve-train", "train", "--recipe",
             ROOT / "trainer/recipes/mnist08.textproto", "--data", ROOT / "data/mnist",
             "--out", folder / "models/mnist08/1"], check=True, capture_output=True)
        # The client sends 256 images a call: a second one that has to wait is refused.
        self.program = Program(folder / "server.log", [
            programs / "lipserve-server", "--models", folder / "models", "--grpc", "127.0.0.1:0",
            "--http", "127.0.0.1:0", "--workers", "1", "--queue-capacity", "256"])
        serving = self.program.find(r"serving: grpc=(\S+) http=(\S+)")
        self.grpc, self.http = serving.groups()

    def run(self, *arguments):
        return subprocess.run([self.client, *arguments, "--server", self.grpc],
                              capture_output=True, check=False).returncode

    def classify(self, labels, begin, end):
        """Classifies those of the test images [begin, end) that have one of the labels."""
        code = self.run("classify", "--json", f"{IMAGES}[{begin}:{end}]", "--labels", LABELS,
                        "--only-labels", labels)
        if code != 0:
            raise RuntimeError(f"classify exited with {code}; {self.program.log} may say why")

    def classify_all(self, labels):
        for begin in range(0, 10000, 250):
            self.classify(labels, begin, begin + 250)

    def provoke_errors(self):
        """Calls that are refused for each of the reasons that dashboard and alerts show."""
        crowd = [subprocess.Popen([self.client, "classify", IMAGES, "--labels", LABELS,
                                   "--only-labels", "0,8", "--server", self.grpc],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for _ in range(4)]
        for client in crowd:
            client.wait()
        self.run("classify", "--model", "nothing", f"{IMAGES}[0]")
        self.run("classify", f"{IMAGES}[0]", "--request-id", "x" * 129)

    def metrics(self):
        return get(f"http://{self.http}/metrics")


def samples(metrics):
    """{series: value} of a /metrics page."""
    lines = (line.rpartition(" ") for line in metrics.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def history(first, second, instance, end):
    """A day and 3 hours of OpenMetrics text that ends at `end`: counters go on as they did from the
    first to the second scrape, everything else stays."""
    job = f'job="lipserve",instance="{instance}"'
    counts = re.compile(r"\w+(_total|_bucket|_sum|_count)(\{|$)")
    times = range(int(end) - 27 * 3600, int(end), HISTORY_STEP_S)
    lines = [f'up{{{job}}} 1 {t}' for t in times]
    for series, value in second.items():
        name, _, labels = series.partition("{")
        growth = value - first.get(series, 0.0) if counts.match(series) else 0.0
        labelled = f"{name}{{{job},{labels}" if labels else f"{name}{{{job}}}"
        lines += [f"{labelled} {value + growth * step} {t}" for step, t in enumerate(times)]
    return "\n".join([*lines, "# EOF", ""])


class Prometheus:
    """A real one, with our configuration made to look at one server, every second."""

    def __init__(self, folder, target):
        config = (HERE / "prometheus.yml").read_text(encoding="utf-8")
        config = re.sub(r"dns_sd_configs:\n.*?\n\n", f"static_configs: [{{targets: ['{target}']}}]\n\n",
                        config, flags=re.DOTALL)
        config = re.sub(r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s", config)
        (folder / "prometheus.yml").write_text(config, encoding="utf-8")
        (folder / "rules").mkdir()
        for rules in (HERE / "rules").glob("*.yaml"):
            text = rules.read_text(encoding="utf-8").replace("interval: 1m", "interval: 1s")
            (folder / "rules" / rules.name).write_text(text, encoding="utf-8")
        self.program = Program(folder / "prometheus.log", [
            "prometheus", f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb", "--web.listen-address=127.0.0.1:0"])
        address = self.program.find(r'msg="Listening on" address=(127\.0\.0\.1:\d+)').group(1)
        self.url = f"http://{address}/api/v1"
        wait_for("Prometheus to be ready", self.is_ready)

    def is_ready(self):
        try:
            return self.groups()
        except urllib.error.URLError:
            return None

    def ask(self, path):
        try:
            return json.loads(get(f"{self.url}/{path}"))["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()}") from error

    def query(self, expression):
        return self.ask("query?" + urllib.parse.urlencode({"query": expression}))["result"]

    def groups(self):
        return self.ask("rules")["groups"]

    def active_alerts(self):
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]}


def is_a_number(result):
    return any(sample["value"][1] != "NaN" for sample in result)


def without_data(prometheus):
    """What an operator would see empty: (where, expression) of each."""
    empty = []
    for where, expression in expressions.of_dashboard():
        if not is_a_number(prometheus.query(expression)):
            empty.append((where, expression))
    for kind, name, expression in expressions.of_rules(prometheus.groups()):
        parts = [expression] if kind == "recording" else expressions.selectors(expression)
        empty += [(f"rule {name}", part) for part in parts
                  if not is_a_number(prometheus.query(part))]
    return empty


def check_expressions(prometheus, service):
    def all_there():
        service.classify("0,8", 0, 250)
        service.provoke_errors()
        return not without_data(prometheus)
    try:
        wait_for("every expression to have a value", all_there)
    except TimeoutError as error:
        lines = [f"  {where}: {expression}" for where, expression in without_data(prometheus)]
        raise RuntimeError("\n".join([f"{error}; none have:", *lines])) from error
    rules = list(expressions.of_rules(prometheus.groups()))
    unhealthy = [f"{rule['name']}: {rule['lastError']}" for group in prometheus.groups()
                 for rule in group["rules"] if rule["health"] == "err"]
    if unhealthy:
        raise RuntimeError("rules that fail:\n  " + "\n  ".join(unhealthy))
    print(f"live: {len(list(expressions.of_dashboard()))} expressions of the dashboard and "
          f"{len(rules)} rules have data")


def check_drift(prometheus, service):
    active = prometheus.active_alerts() & DRIFT_ALERTS
    if active:
        raise RuntimeError(f"ordinary digits: expected no robustness alert, got {active}")
    print("live: robustness alerts silent on the digits of training")

    def drifted():
        service.classify("1,2,3,4,5,6,7,9", 0, 2500)
        return prometheus.active_alerts() >= DRIFT_ALERTS
    wait_for(f"{DRIFT_ALERTS} on digits that training never saw", drifted)
    loss = prometheus.query("model_version:lipserve_certified_radius:loss_vs_reference1d")
    print(f"live: both pending on other digits, {float(loss[0]['value'][1]):.2f} from the day before")


def check(programs, folder):
    service = Service(programs, folder)
    with service.program:
        before = samples(service.metrics())
        service.classify_all("0,8")
        service.provoke_errors()
        page = service.metrics()
        subprocess.run(["promtool", "check", "metrics"], input=page.encode(), check=True)
        print("live: promtool has nothing to say about /metrics")
        text = folder / "history.txt"
        text.write_text(history(before, samples(page), service.http, time.time() - 60),
                        encoding="utf-8")
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text,
                        folder / "tsdb"], check=True, capture_output=True)
        prometheus = Prometheus(folder, service.http)
        with prometheus.program:
            service.classify_all("0,8")
            check_expressions(prometheus, service)
            check_drift(prometheus, service)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/dev/bin")
    programs = parser.parse_args().programs.resolve()
    with tempfile.TemporaryDirectory(prefix="lipserve-monitoring-") as folder:
        try:
            check(programs, pathlib.Path(folder))
        except (RuntimeError, TimeoutError, OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"live_check: {error}")


if __name__ == "__main__":
    main()
