# SPDX-License-Identifier: Apache-2.0
"""The scikit-learn walk-through of trainer/IMPORTING.md: trains on MNIST and writes model.onnx and
reference.npz.

    scikit_learn.py MNIST_FOLDER OUT
"""

import gzip
import pathlib
import sys

import numpy
import skl2onnx
import sklearn.linear_model

mnist, out = map(pathlib.Path, sys.argv[1:3])


def read(name, header):
    return numpy.frombuffer(gzip.decompress((mnist / name).read_bytes())[header:], numpy.uint8)


x = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype("float32")[:3000] / 255
y = read("train-labels-idx1-ubyte.gz", 8)[:3000]
model = sklearn.linear_model.LogisticRegression(max_iter=200).fit(x, y)
onnx_model = skl2onnx.to_onnx(model, x[:1], options={"zipmap": False})
(out / "model.onnx").write_bytes(onnx_model.SerializeToString())
numpy.savez(out / "reference.npz", input=x[:64], output=model.predict_proba(x[:64]), labels=y[:64])
