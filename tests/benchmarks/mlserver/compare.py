# SPDX-License-Identifier: Apache-2.0
"""lipserve beside MLServer: the same protocol, the same load, a network of the same size.

    python3 -m venv build/tools/mlserver
    build/tools/mlserver/bin/pip install -r tests/benchmarks/mlserver/requirements.txt
    build/tools/mlserver/bin/python tests/benchmarks/mlserver/compare.py build/release/bin models

`models` is what demo.sh leaves: it holds the demo's model, mnist08.
Both serve a dense network 784-32-16-1 on loopback over gRPC's ModelInfer, one image of FP32 a call.
lipserve answers with class, scores, margin and a proven radius; MLServer with the scores of
onnxruntime. Rounds take turns, medians are printed. About 3 minutes.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

HERE = pathlib.Path(__file__).resolve().parent
OUTSTANDING = (1, 16, 64)
ROUNDS = 3


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_network(path, widths=(784, 32, 16, 1)):
    """Weights at random: what they are does not change how long they take."""
    random = np.random.default_rng(1)
    nodes, weights, value = [], [], "images"
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        shapes = {f"w{i}": (inputs, outputs), f"b{i}": (outputs,)}
        weights += [onnx.numpy_helper.from_array(
            random.normal(size=shape).astype(np.float32), name) for name, shape in shapes.items()]
        last = i == len(widths) - 2
        nodes.append(onnx.helper.make_node("Gemm", [value, f"w{i}", f"b{i}"],
                                           ["scores" if last else f"d{i}"]))
        if not last:
            nodes.append(onnx.helper.make_node("Relu", [f"d{i}"], [f"r{i}"]))
        value = f"r{i}"
    floats = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "dense",
        [onnx.helper.make_tensor_value_info("images", floats, ["n", widths[0]])],
        [onnx.helper.make_tensor_value_info("scores", floats, ["n", widths[-1]])], weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)],
                                   ir_version=8)
    onnx.save(model, str(path))


def start_lipserve(programs, models):
    process = subprocess.Popen([programs / "lipserve-server", "--models", models, "--grpc",
                                "127.0.0.1:0", "--http", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().split()[1].removeprefix("grpc=")


def start_mlserver(folder):
    ports = [free_port() for _ in range(3)]
    write_network(folder / "dense.onnx")
    shutil.copy(HERE / "dense_runtime.py", folder)
    (folder / "settings.json").write_text(json.dumps({
        "host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1],
        "metrics_port": ports[2],
        "parallel_workers": 0,  # in its own process: faster for a network of this size
        "debug": False}), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps({
        "name": "dense", "implementation": "dense_runtime.Dense",
        "parameters": {"uri": str(folder / "dense.onnx"), "version": "1"}}), encoding="utf-8")
    process = subprocess.Popen([pathlib.Path(sys.executable).parent / "mlserver", "start", folder],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=folder)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", ports[1])).close()
            return process, f"127.0.0.1:{ports[1]}"
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("MLServer does not listen")


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def resident_mib(process):
    pages = pathlib.Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(programs, process, address, model, outstanding, seconds):
    before = cpu_seconds(process)
    run = subprocess.run([programs / "inference_load", address, model, "784", str(outstanding),
                          str(seconds)], capture_output=True, text=True, check=True)
    figures = json.loads(run.stdout)
    # The warm-up of a second is in the time, and in the calls by its share.
    calls = figures["answered"] * (seconds + 1) / seconds
    figures["cpu_us"] = 1e6 * (cpu_seconds(process) - before) / calls
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lipserve-peer-") as folder:
        peers = {"MLServer": (*start_mlserver(pathlib.Path(folder)), "dense"),
                 "lipserve": (*start_lipserve(arguments.programs, arguments.models), "mnist08")}
        try:
            for outstanding in OUTSTANDING:
                print(f"{outstanding} outstanding")
                rounds = {name: [] for name in peers}
                for _ in range(ROUNDS):
                    for name, (process, address, model) in peers.items():
                        rounds[name].append(measure(arguments.programs, process, address, model,
                                                    outstanding, arguments.seconds))
                medians = {name: {key: statistics.median(figures[key] for figures in all_figures)
                                  for key in ("calls_per_second", "p50_ms", "p99_ms", "cpu_us")}
                           for name, all_figures in rounds.items()}
                for name, median in medians.items():
                    ratio = median["calls_per_second"] / medians["MLServer"]["calls_per_second"]
                    print(f"  {name:<9} {median['calls_per_second']:9.0f} calls/s  "
                          f"p50 {median['p50_ms']:8.3f} ms  p99 {median['p99_ms']:8.3f} ms  "
                          f"cpu {median['cpu_us']:7.1f} us/call  {ratio:5.1f} x", flush=True)
            for name, (process, _, _) in peers.items():
                print(f"resident: {name} {resident_mib(process):.0f} MiB")
        finally:
            for process, _, _ in peers.values():
                process.send_signal(signal.SIGKILL)
                process.wait()


if __name__ == "__main__":
    main()
