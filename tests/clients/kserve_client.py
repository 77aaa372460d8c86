# SPDX-License-Identifier: Apache-2.0
"""Asks a server with KServe's client, as it comes, and prints the answers as JSON.

A process of its own, because the messages of KServe's and of Triton's client have the same names.

    kserve_client.py ADDRESS MODEL < PIXELS        (UINT8 images of 784 pixels; by clients_test.py)
"""

import asyncio
import json
import sys

import kserve
import numpy as np
from kserve.protocol.infer_type import RequestedOutput

ADDRESS, MODEL = sys.argv[1:3]


def request(pixels, binary_data, outputs=None, parameters=None):
    images = kserve.InferInput("images", list(pixels.shape), "UINT8")
    images.set_data_from_numpy(pixels, binary_data=binary_data)
    return kserve.InferRequest(model_name=MODEL, infer_inputs=[images], request_outputs=outputs,
                               parameters=parameters)


async def ask(pixels):
    async with kserve.InferenceGRPCClient(ADDRESS) as client:
        answers = {
            "raw": await client.infer(request(pixels, True)),
            "contents": await client.infer(request(pixels, False)),
            "radius": await client.infer(request(
                pixels, True, [RequestedOutput("radius", {"binary_data": True})],
                {"epsilon": "1.5", "binary_data_output": True}))}
        health = [await client.is_server_live(), await client.is_server_ready(),
                  await client.is_model_ready(MODEL)]
    values = {name: {output.name: output.as_numpy().tolist() for output in answer.outputs}
              for name, answer in answers.items()}
    return {"health": health, **values}


print(json.dumps(asyncio.run(ask(
    np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, 1, 28, 28)))))
