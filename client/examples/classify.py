# SPDX-License-Identifier: Apache-2.0
"""Classifies one image and prints the class and its certificate.

Triton's client works unchanged, because the server speaks the Open Inference Protocol:

    pip install 'tritonclient[grpc]'
    python classify.py 127.0.0.1:8001 mnist08
"""

import sys

import numpy as np
import tritonclient.grpc as triton

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8001"
MODEL = sys.argv[2] if len(sys.argv) > 2 else "mnist08"
EPSILON = 100.0  # in pixel steps, L2

# A white ring on black: a handwritten zero, more or less.
y, x = np.mgrid[:28, :28] - 14
distance_squared = x**2 + y**2
ring = (36 <= distance_squared) & (distance_squared <= 81)
pixels = np.where(ring, 255, 0).astype(np.uint8).reshape(1, 1, 28, 28)  # [N, C, H, W]

images = triton.InferInput("images", pixels.shape, "UINT8")
images.set_data_from_numpy(pixels)
try:
    with triton.InferenceServerClient(ADDRESS) as client:
        answer = client.infer(MODEL, [images], parameters={"epsilon": EPSILON})
except triton.InferenceServerException as error:
    sys.exit(f"{ADDRESS}: {error}")

print(f"class     index {answer.as_numpy('class').item()}")
print(f"margin    {answer.as_numpy('margin').item()}")
print(f"radius    {answer.as_numpy('radius').item()} pixel steps (L2)")
print(f"certified {'yes' if answer.as_numpy('certified').item() else 'no'}, at {EPSILON:g}")
