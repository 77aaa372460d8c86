# SPDX-License-Identifier: Apache-2.0
"""Runs deel-lip on fixed weights and inputs and writes what it computes, as make_golden.py does.

    python3 -m venv deel_lip
    deel_lip/bin/pip install deel-lip==1.5.0 tensorflow-cpu==2.15.1 'numpy<2'
    deel_lip/bin/python tests/golden/make_deel_lip.py tests/golden/deel_lip.json

In float64, on inputs that float32 holds exactly. Images are turned from TensorFlow's [N, H, W, C].
"""

import sys

import numpy as np
import tensorflow as tf

import golden_file

tf.keras.backend.set_floatx("float64")

from deel.lip import layers as lip  # noqa: E402
from deel.lip import losses as lip_losses  # noqa: E402

RANDOM = np.random.default_rng(2026)
numbers = golden_file.numbers


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32).astype(np.float64)


def near_orthogonal(rows, cols):
    """A kernel from which Bjorck's iteration converges soon."""
    orthogonal = np.linalg.qr(RANDOM.standard_normal((max(rows, cols), min(rows, cols))))[0]
    if rows < cols:
        orthogonal = orthogonal.T
    kernel = orthogonal + 0.01 * RANDOM.standard_normal((rows, cols))
    return kernel.astype(np.float32).astype(np.float64)


def channels_first(array):
    return np.moveaxis(np.asarray(array), -1, 1)


def layer_case(peer, ours, layer, x, parameters=None, settle=0):
    """`x`: [N, C] or [N, C, H, W]. `parameters`: ours, by name: (value, variable, turned), turned
    if the peer's is the transpose."""
    parameters = parameters or {}
    inputs = tf.constant(np.moveaxis(x, 1, -1))
    layer(inputs)  # builds it
    trained = {k: (getattr(layer, name), turned) for k, (_, name, turned) in parameters.items()}
    for k, (variable, turned) in trained.items():
        value = parameters[k][0]
        variable.assign((value.T if turned else value).reshape(variable.shape))
    for _ in range(settle):  # power iterations
        layer(inputs, training=True)
    variables = [variable for variable, _ in trained.values()]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(inputs, training=True)
        dy = normal(*channels_first(y).shape)
        product = tf.reduce_sum(y * np.moveaxis(dy, 1, -1))
    dx, *gradients = tape.gradient(product, [inputs, *variables])
    return {
        "peer": "deel.lip " + peer,
        "ours": ours,
        "input_shape": golden_file.image_shape(x.shape),
        "output_shape": golden_file.image_shape(dy.shape),
        "x": numbers(x),
        "y": numbers(channels_first(y)),
        "dy": numbers(dy),
        "dx": numbers(channels_first(dx)),
        "parameters": {k: numbers(value) for k, (value, _, _) in parameters.items()},
        "gradients": {
            k: numbers(g.numpy().T if turned else g.numpy())
            for (k, (_, turned)), g in zip(trained.items(), gradients)
        },
    }


def layer_cases():
    bjorck = "bjorck_iterations: 30 bjorck_tolerance: 1e-6"
    for units, inputs in ((3, 7), (7, 3), (4, 4)):
        both = {"kernel": (near_orthogonal(units, inputs), "kernel", True),
                "bias": (normal(units), "bias", False)}
        yield layer_case("SpectralDense", f"spectral_dense {{ units: {units} use_bias: true "
                         f"{bjorck} }}", lip.SpectralDense(units, eps_bjorck=1e-7),
                         normal(2, inputs), both, settle=60)
    for disjoint in (False, True):
        both = {"kernel": (normal(3, 5), "kernel", True), "bias": (normal(3), "bias", False)}
        yield layer_case(
            f"FrobeniusDense(disjoint_neurons={disjoint})",
            "frobenius_dense { units: 3 use_bias: true disjoint_neurons: %s }"
            % str(disjoint).lower(),
            lip.FrobeniusDense(3, disjoint_neurons=disjoint), normal(2, 5), both)
    x = normal(2, 6, 4, 6)
    for peer, ours, layer in (
            ("ScaledAveragePooling2D", "scaled_average_pool { pool_size: [2, 3] }",
             lip.ScaledAveragePooling2D((2, 3))),
            ("ScaledGlobalAveragePooling2D", "scaled_global_average_pool {}",
             lip.ScaledGlobalAveragePooling2D()),
            ("ScaledL2NormPooling2D", "scaled_l2_norm_pool { pool_size: 2 }",
             lip.ScaledL2NormPooling2D((2, 2), eps_grad_sqrt=0.0)),
            ("ScaledGlobalL2NormPooling2D", "scaled_global_l2_norm_pool {}",
             lip.ScaledGlobalL2NormPooling2D(eps_grad_sqrt=0.0)),
            ("MaxMin", "concatenated_relu {}", lip.MaxMin()),
            ("GroupSort(3)", "group_sort { group_size: 3 }", lip.GroupSort(n=3)),
            ("GroupSort2", "group_sort { group_size: 2 }", lip.GroupSort2())):
        yield layer_case(peer, ours, layer, x)
    yield layer_case("FullSort", "full_sort {}", lip.FullSort(), normal(2, 6))
    yield layer_case("Householder", "householder {}", lip.Householder(theta_initializer="zeros"), x,
                     {"angle": (normal(3), "theta", False)})


def loss_case(peer, ours, loss, scores, labels, target, sign=1.0):
    for name in ("alpha", "min_margin", "tau"):  # float32 variables
        if hasattr(loss, name):
            setattr(loss, name, tf.constant(getattr(loss, name).numpy().astype(np.float64)))
    scores_in = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores_in)
        value = sign * tf.reduce_mean(loss.call(tf.constant(target), scores_in))
    return {
        "peer": "deel.lip " + peer,
        "ours": ours,
        "scores": numbers(scores),
        "labels": labels,
        "value": float(value),
        "gradient": numbers(tape.gradient(value, scores_in)),
    }


def loss_cases():
    half = "min_margin: 0.75 margin_convention: MARGIN_CONVENTION_HALF"
    weight = "alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT"
    scores, labels = normal(6, 1), [0, 1, 1, 0, 1, 1]
    # A class's label is 1 where the peer's is 1: ours counts f > 0 as the first class.
    target = np.array([[1.0 - label] for label in labels])
    for peer, ours, loss, sign in (
            ("-KR()", "kr {}", lip_losses.KR(), -1.0),
            ("HingeMargin(0.75)", f"hinge_margin {{ {half} }}", lip_losses.HingeMargin(0.75), 1.0),
            ("HKR(10, 0.75)", f"hkr {{ {weight} {half} }}", lip_losses.HKR(10.0, 0.75), 1.0),
            ("TauBinaryCrossentropy(5)", "tau_cross_entropy { tau: 5 }",
             lip_losses.TauBinaryCrossentropy(5.0), 1.0)):
        yield loss_case(peer, ours, loss, scores, labels, target, sign)
    scores, labels = normal(7, 4), [0, 3, 1, 1, 2, 3, 0]
    target = np.eye(4)[labels]
    for peer, ours, loss, sign in (
            ("-MulticlassKR()", "multiclass_kr {}", lip_losses.MulticlassKR(), -1.0),
            ("MulticlassHinge(0.75)", f"multiclass_hinge {{ {half} }}",
             lip_losses.MulticlassHinge(0.75), 1.0),
            ("MulticlassHKR(10, 0.75)", f"multiclass_hkr {{ {weight} {half} }}",
             lip_losses.MulticlassHKR(10.0, 0.75), 1.0),
            ("MultiMargin(0.75)", "multi_margin { min_margin: 0.75 }",
             lip_losses.MultiMargin(0.75), 1.0),
            ("CategoricalHinge(0.75)", "categorical_hinge { min_margin: 0.75 }",
             lip_losses.CategoricalHinge(0.75), 1.0),
            ("TauCategoricalCrossentropy(5)", "tau_cross_entropy { tau: 5 }",
             lip_losses.TauCategoricalCrossentropy(5.0), 1.0)):
        yield loss_case(peer, ours, loss, scores, labels, target, sign)
    yield loss_case("TauSparseCategoricalCrossentropy(5)", "tau_cross_entropy { tau: 5 }",
                    lip_losses.TauSparseCategoricalCrossentropy(5.0), scores, labels,
                    np.array(labels))


if __name__ == "__main__":
    golden_file.write(sys.argv[1], "tests/golden/make_deel_lip.py",
                      ("deel-lip", "tensorflow-cpu", "numpy"), [*layer_cases()], [*loss_cases()])
