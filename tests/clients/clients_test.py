# SPDX-License-Identifier: Apache-2.0
"""Asks a real server with clients that others made, exactly as they come.

Triton's and KServe's Python clients, grpcurl, buf curl and grpc_health_probe know nothing of
lipserve: the first two speak the Open Inference Protocol, the next two find everything by
reflection. The example in
client/examples/ that uses Triton's client runs here too.

    clients_test.py PROGRAMS TOOLS        (started by check.sh)
"""

import base64
import gzip
import json
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np
import tritonclient.grpc as triton

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/reliability"))
from served import IMAGES, MODEL, Programs, Server  # pylint: disable=wrong-import-position

PROGRAMS, TOOLS = (pathlib.Path(path).resolve() for path in sys.argv[1:3])


def run(*command, **options):
    """The finished program; it may fail."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=60, check=False, **options)


folder = server = None


def setUpModule():
    """A server in explicit mode with the demo model loaded."""
    global folder, server
    folder = tempfile.TemporaryDirectory(prefix="lipserve-clients-")
    models = pathlib.Path(folder.name)
    programs = Programs(PROGRAMS)
    programs.train(models / MODEL / "1")
    server = Server(programs, models, "--repository-mode", "explicit", "--load-model", MODEL)


def tearDownModule():
    server.kill()
    server.log.close()
    folder.cleanup()


def digits(count):
    """The first test digits, [count, 1, 28, 28], UINT8."""
    with gzip.open(IMAGES) as file:
        pixels = file.read(16 + 784 * count)[16:]
    return np.frombuffer(pixels, np.uint8).reshape(count, 1, 28, 28)


def tensor(array, datatype):
    images = triton.InferInput("images", array.shape, datatype)
    images.set_data_from_numpy(array)
    return images


class TritonClientTest(unittest.TestCase):

    def setUp(self):
        self.client = triton.InferenceServerClient(server.grpc)
        self.addCleanup(self.client.close)
        self.images = digits(8)

    def test_health(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready(MODEL))
        self.assertFalse(self.client.is_model_ready("another"))

    def test_metadata_names_the_tensors_that_infer_answers(self):
        metadata = self.client.get_model_metadata(MODEL, as_json=True)
        self.assertEqual([i["name"] for i in metadata["inputs"]], ["images"])
        result = self.client.infer(MODEL, [tensor(self.images, "UINT8")])
        for output in metadata["outputs"]:
            self.assertEqual(len(result.as_numpy(output["name"])), len(self.images))
        config = self.client.get_model_config(MODEL, as_json=True)["config"]
        self.assertEqual(config["max_batch_size"], 256)

    def test_uint8_and_fp32_have_the_same_class_and_radii_in_their_own_units(self):
        pixels = self.client.infer(MODEL, [tensor(self.images, "UINT8")])
        scaled = self.client.infer(
            MODEL, [tensor((self.images / np.float32(255)).astype(np.float32), "FP32")])
        np.testing.assert_array_equal(pixels.as_numpy("class"), scaled.as_numpy("class"))
        np.testing.assert_allclose(pixels.as_numpy("radius"), 255 * scaled.as_numpy("radius"),
                                   rtol=1e-4)

    def test_epsilon_and_radius_precision_are_parameters(self):
        radii = self.client.infer(MODEL, [tensor(self.images, "UINT8")]).as_numpy("radius")
        epsilon = float(np.median(radii))
        result = self.client.infer(MODEL, [tensor(self.images, "UINT8")],
                                   parameters={"epsilon": epsilon, "radius_precision": "FAST"})
        fast = result.as_numpy("radius")
        self.assertTrue((fast <= radii).all())
        np.testing.assert_array_equal(result.as_numpy("certified"), fast >= epsilon)

    def test_classification_output(self):
        result = self.client.infer(MODEL, [tensor(self.images, "UINT8")],
                                   outputs=[triton.InferRequestedOutput("scores", class_count=1),
                                            triton.InferRequestedOutput("class")])
        for (text,), (chosen,) in zip(result.as_numpy("scores"), result.as_numpy("class")):
            score, index, label = text.decode().split(":")
            self.assertGreaterEqual(float(score), 0)
            self.assertEqual(int(index), chosen)
            self.assertEqual(label, "08"[chosen])

    def test_stream(self):
        answers = queue.Queue()
        self.client.start_stream(lambda result, error: answers.put((result, error)))
        for number in range(100):
            self.client.async_stream_infer(MODEL if number % 10 else "another",
                                           [tensor(self.images[:1], "UINT8")],
                                           request_id=str(number))
        for number in range(100):
            result, error = answers.get(timeout=30)
            if number % 10:
                self.assertEqual(result.get_response().id, str(number))
            else:
                self.assertIn("NOT_FOUND", str(error))
        self.client.stop_stream()

    def test_statistics(self):
        def success():
            statistics = self.client.get_inference_statistics(MODEL).model_stats[0]
            return statistics.inference_stats.success.count
        before = success()
        self.client.infer(MODEL, [tensor(self.images, "UINT8")])
        self.assertEqual(success(), before + 1)

    def test_statistics_under_load_do_not_contradict_themselves(self):
        stop = threading.Event()

        def load(count):
            with triton.InferenceServerClient(server.grpc) as client:
                while not stop.is_set():
                    client.infer(MODEL, [tensor(self.images[:count], "UINT8")])
        threads = [threading.Thread(target=load, args=(count,)) for count in (1, 1, 2, 3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(200):
                model = self.client.get_inference_statistics(MODEL).model_stats[0]
                stats, batches = model.inference_stats, model.batch_stats
                parts = (stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output)
                self.assertEqual({part.count for part in parts}, {stats.success.count})
                self.assertGreaterEqual(stats.success.ns, sum(part.ns for part in parts))
                self.assertEqual(sum(b.compute_infer.count for b in batches), model.execution_count)
                self.assertEqual(sum(b.batch_size * b.compute_infer.count for b in batches),
                                 model.inference_count)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_shared_memory_and_traces_say_what_to_do_instead(self):
        for call, words in (
                (self.client.get_system_shared_memory_status, "raw_input_contents"),
                (self.client.unregister_cuda_shared_memory, "raw_input_contents"),
                (self.client.get_trace_settings, "/metrics")):
            with self.assertRaises(triton.InferenceServerException) as caught:
                call()
            self.assertEqual(caught.exception.status(), "StatusCode.UNIMPLEMENTED")
            self.assertIn(words, caught.exception.message())

    def test_errors_name_the_field(self):
        with self.assertRaises(triton.InferenceServerException) as caught:
            self.client.infer(MODEL, [tensor(self.images[:, :, :27], "UINT8")])
        self.assertEqual(caught.exception.status(), "StatusCode.INVALID_ARGUMENT")
        self.assertIn("inputs[0].shape: expected [N, 1, 28, 28]", caught.exception.message())

    def test_load_and_unload(self):
        self.client.unload_model(MODEL)
        self.assertFalse(self.client.is_model_ready(MODEL))
        self.client.load_model(MODEL)
        self.assertTrue(self.client.is_model_ready(MODEL))
        index = self.client.get_model_repository_index(as_json=True)["models"]
        self.assertIn({"name": MODEL, "version": "1", "state": "READY"}, index)


class KServeClientTest(unittest.TestCase):

    def test_its_defaults_get_the_answers_of_tritons_client(self):
        pixels = digits(8)
        asked = subprocess.run(
            [sys.executable, "-B", ROOT / "tests/clients/kserve_client.py", server.grpc, MODEL],
            input=pixels.tobytes(), capture_output=True, timeout=60, check=False)
        self.assertEqual(asked.returncode, 0, asked.stderr.decode())
        answers = json.loads(asked.stdout)
        self.assertEqual(answers["health"], [True, True, True])
        with triton.InferenceServerClient(server.grpc) as client:
            expected = client.infer(MODEL, [tensor(pixels, "UINT8")])
        self.assertEqual(len(answers["raw"]), 5)
        for name, values in answers["raw"].items():
            self.assertEqual(values, expected.as_numpy(name).tolist())
        self.assertEqual(answers["contents"], answers["raw"])  # how it was packed
        self.assertEqual(answers["radius"], {"radius": answers["raw"]["radius"]})


class ExampleTest(unittest.TestCase):

    def classify(self, *arguments):
        return run(sys.executable, ROOT / "client/examples/classify.py", *arguments)

    def test_prints_class_and_certificate(self):
        answer = self.classify(server.grpc)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertRegex(answer.stdout, r"^class     index 0\nmargin    \d+\.\d+\n"
                                        r"radius    \d+\.\d+ pixel steps \(L2\)\n"
                                        r"certified yes, at 100\n$")

    def test_says_what_went_wrong(self):
        answer = self.classify(server.grpc, "another")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("NOT_FOUND] no model named 'another' is served", answer.stderr)


class GrpcurlTest(unittest.TestCase):

    def grpcurl(self, *arguments, data=None):
        options = ["-emit-defaults", "-d", "@"] if data is not None else []
        return run(TOOLS / "grpcurl", "-plaintext", *options, server.grpc, *arguments,
                   input=json.dumps(data) if data is not None else None)

    def test_lists_the_services_by_reflection(self):
        listed = self.grpcurl("list").stdout.split()
        for service in ("grpc.health.v1.Health", "inference.GRPCInferenceService",
                        "lipserve.v1.ClassifierService"):
            self.assertIn(service, listed)

    def test_describes_a_message(self):
        self.assertIn("double certified_radius_l2 = 5",
                      self.grpcurl("describe", "lipserve.v1.Classification").stdout)

    def test_both_protocols_prove_the_same_radius(self):
        data = base64.b64encode(digits(4)[3].tobytes()).decode()
        classified = self.grpcurl("lipserve.v1.ClassifierService/Classify", data={
            "modelName": MODEL,
            "images": {"elementType": "ELEMENT_TYPE_UINT8", "shape": [1, 784], "data": data}})
        self.assertEqual(classified.returncode, 0, classified.stderr)
        radius = json.loads(classified.stdout)["classifications"][0]["certified_radius_l2"]
        inferred = self.grpcurl("inference.GRPCInferenceService/ModelInfer", data={
            "modelName": MODEL, "outputs": [{"name": "radius"}], "rawInputContents": [data],
            "inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 784]}]})
        self.assertEqual(inferred.returncode, 0, inferred.stderr)
        raw = base64.b64decode(json.loads(inferred.stdout)["raw_output_contents"][0])
        self.assertEqual(np.frombuffer(raw, "<f8")[0], radius)

    def test_shows_the_details_of_an_error(self):
        refused = self.grpcurl("lipserve.v1.ClassifierService/Classify",
                               data={"modelName": MODEL, "epsilon": -1})
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Code: InvalidArgument", refused.stderr)
        self.assertIn("google.rpc.BadRequest", refused.stderr)
        self.assertIn('"field": "epsilon"', refused.stderr.replace('":"', '": "'))


class BufCurlTest(unittest.TestCase):

    def test_calls_by_reflection(self):
        answer = run(TOOLS / "buf/node_modules/.bin/buf", "curl", "--protocol", "grpc",
                     "--http2-prior-knowledge", "--reflect-protocol", "grpc-v1alpha", "--data", "{}",
                     f"http://{server.grpc}/lipserve.v1.ClassifierService/ListModels")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(json.loads(answer.stdout)["models"][0]["name"], MODEL)


class HealthProbeTest(unittest.TestCase):

    def probe(self, *arguments):
        return run(TOOLS / "grpc-health-probe", "-addr", server.grpc, *arguments).returncode

    def test_server_services_and_models_are_healthy(self):
        self.assertEqual(self.probe(), 0)
        for service in ("inference.GRPCInferenceService", "lipserve.v1.ClassifierService", MODEL):
            self.assertEqual(self.probe("-service", service), 0)
        self.assertNotEqual(self.probe("-service", "another"), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
