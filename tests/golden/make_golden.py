# SPDX-License-Identifier: Apache-2.0
"""Runs deel-torchlip and orthogonium on fixed weights and inputs and writes what they compute.

    python3 -m venv peers && peers/bin/pip install deel-torchlip==1.0.5 orthogonium==0.0.4 numpy
    peers/bin/python tests/golden/make_golden.py tests/golden/peers.json

Each case names the peer's layer or loss and ours, as a recipe writes it, and holds inputs, outputs
and gradients. Peers run in float64 on inputs that float32 holds exactly, and as converged as they
can be asked to be: their gradients then do not depend on how they stop. Shapes are torch's, [N, C,
H, W]. tests/trainer/peer_parity_test.cc reads the file; it needs no Python.
"""

import json
import sys
from importlib.metadata import version

import numpy as np
import torch

torch.set_default_dtype(torch.float64)

from deel import torchlip  # noqa: E402
from orthogonium import layers as ortho  # noqa: E402
from orthogonium import losses as ortho_losses  # noqa: E402
from orthogonium.layers.conv.AOC import RKOConv2d  # noqa: E402
from orthogonium.layers.conv.AOL import AOLConv2D  # noqa: E402
from orthogonium.model_factory import ClassParam  # noqa: E402
from orthogonium.reparametrizers import (  # noqa: E402
    BatchedBjorckOrthogonalization,
    BatchedCholeskyOrthogonalization,
    BatchedIdentity,
    BatchedPowerIteration,
    BatchedQROrthogonalization,
    OrthoParams,
)

RANDOM = np.random.default_rng(2025)


def float32_exact(array):
    return torch.tensor(np.asarray(array, dtype=np.float32).astype(np.float64))


def normal(*shape):
    return float32_exact(RANDOM.standard_normal(shape))


def near_orthogonal(rows, cols):
    """A kernel from which Bjorck's iteration converges in four steps.

    deel-torchlip detaches the cubic term of later ones and multiplies the gradient by 1.5 in each.
    """
    orthogonal = np.linalg.qr(RANDOM.standard_normal((max(rows, cols), min(rows, cols))))[0]
    if rows < cols:
        orthogonal = orthogonal.T
    return float32_exact(orthogonal + 0.01 * RANDOM.standard_normal((rows, cols)))


def numbers(tensor):
    """The shortest decimals that give the nearest float32 back."""
    return [float(str(np.float32(value))) for value in tensor.detach().numpy().ravel()]


def set_parameters(module, values):
    """Sets what a peer trains: the tensor under its parametrisations, if it has any."""
    trained = {}
    for name, value in values.items():
        target = getattr(module, name)
        if name in getattr(module, "parametrizations", {}):
            target = module.parametrizations[name].original
        target.data = value.reshape(target.shape).clone()
        trained[name] = target
    return trained


def layer_case(peer, ours, module, x, parameters=None, names=("weight", "bias"), settle=0):
    """`parameters`: what ours calls "kernel" and "bias"; `names`: what the peer calls them."""
    parameters = parameters or {}
    renamed = dict(zip(("kernel", "bias"), names))
    trained = set_parameters(module, {renamed[k]: v for k, v in parameters.items()})
    module.train()
    for _ in range(settle):  # power iterations
        module(x)
    x = x.clone().requires_grad_(True)
    y = module(x)
    dy = normal(*y.shape)
    for target in trained.values():
        target.grad = None
    (y * dy).sum().backward()
    return {
        "peer": peer,
        "ours": ours,
        "input_shape": (list(x.shape[1:]) + [1, 1])[:3],
        "output_shape": (list(y.shape[1:]) + [1, 1])[:3],
        "x": numbers(x),
        "y": numbers(y),
        "dy": numbers(dy),
        "dx": numbers(x.grad),
        "parameters": {k: numbers(v) for k, v in parameters.items()},
        "gradients": {k: numbers(trained[renamed[k]].grad) for k in parameters},
    }


def ortho_params(orthogonalizer, power_iterations=0):
    normalizer = ClassParam(BatchedIdentity)
    if power_iterations:
        normalizer = ClassParam(BatchedPowerIteration, power_it_niter=power_iterations)
    return OrthoParams(spectral_normalizer=normalizer, orthogonalizer=orthogonalizer)


def dense_cases():
    bjorck = "bjorck_iterations: 30 bjorck_tolerance: 1e-6"
    for units, inputs in ((3, 7), (7, 3), (4, 4)):
        kernel = near_orthogonal(units, inputs)
        both = {"kernel": kernel, "bias": normal(units)}
        x = normal(2, inputs)
        recipe = f"spectral_dense {{ units: {units} use_bias: true %s }}"
        yield layer_case(
            "deel.torchlip.SpectralLinear", recipe % bjorck,
            torchlip.SpectralLinear(inputs, units, eps_bjorck=1e-7), x, both, settle=60)
        exact = ortho_params(ClassParam(BatchedBjorckOrthogonalization, beta=0.5, niters=12), 3)
        yield layer_case(
            "orthogonium OrthoLinear, BJORCK", recipe % bjorck,
            ortho.OrthoLinear(inputs, units, ortho_params=exact), x, both, settle=60)
        if units == inputs:  # orthogonium's QR takes the columns of a square, ours the rows
            continue
        yield layer_case(
            "orthogonium OrthoLinear, QR", recipe % "method: ORTHOGONAL_METHOD_CHOLESKY",
            ortho.OrthoLinear(inputs, units,
                              ortho_params=ortho_params(ClassParam(BatchedQROrthogonalization))),
            x, both)
    # Its factorisation asks for a batch of matrices and adds 1e-5 to the Gram matrix: a kernel of
    # norm 1000 leaves no trace of that. Tall kernels it orthogonalises by rows, which they cannot.
    class Cholesky(torch.nn.Module):
        def __init__(self, kernel):
            super().__init__()
            self.weight = torch.nn.Parameter(kernel)
            self.map = BatchedCholeskyOrthogonalization(kernel.shape, stable=True)

        def forward(self, x):
            return x @ self.map(self.weight.unsqueeze(0)).squeeze(0).T

    kernel = float32_exact(1000.0 * near_orthogonal(3, 7).numpy())
    yield layer_case("orthogonium OrthoLinear, CHOLESKY_STABLE",
                     "spectral_dense { units: 3 method: ORTHOGONAL_METHOD_CHOLESKY }",
                     Cholesky(kernel), normal(2, 7), {"kernel": kernel})
    for disjoint in (False, True):
        both = {"kernel": normal(3, 5), "bias": normal(3)}
        name = "true" if disjoint else "false"
        yield layer_case(
            f"deel.torchlip.FrobeniusLinear(disjoint_neurons={disjoint})",
            f"frobenius_dense {{ units: 3 use_bias: true disjoint_neurons: {name} }}",
            torchlip.FrobeniusLinear(5, 3, disjoint_neurons=disjoint), normal(2, 5), both)
    yield layer_case(
        "orthogonium UnitNormLinear",
        "frobenius_dense { units: 3 use_bias: true disjoint_neurons: true }",
        ortho.UnitNormLinear(5, 3), normal(2, 5), {"kernel": normal(3, 5), "bias": normal(3)})


def convolution_cases():
    bjorck = "spectral { bjorck_iterations: 30 bjorck_tolerance: 1e-6 }"
    for stride, mode, ours_mode in ((1, "zeros", "ZERO"), (1, "circular", "CIRCULAR"),
                                    (2, "zeros", "ZERO"), (3, "zeros", "ZERO")):
        both = {"kernel": near_orthogonal(4, 18), "bias": normal(4)}
        x = normal(2, 2, 6, 6)
        recipe = (f"convolution {{ filters: 4 kernel_size: 3 stride: {stride} padding: 1 "
                  f"padding_mode: PADDING_MODE_{ours_mode} use_bias: true %s }}")
        geometry = {"stride": stride, "padding": 1, "padding_mode": mode}
        yield layer_case("deel.torchlip.SpectralConv2d", recipe % bjorck,
                         torchlip.SpectralConv2d(2, 4, 3, eps_bjorck=1e-7, **geometry), x, both,
                         settle=60)
        if stride != 1:
            continue
        both = {"kernel": normal(4, 18), "bias": normal(4)}
        yield layer_case("deel.torchlip.FrobeniusConv2d", recipe % "frobenius {}",
                         torchlip.FrobeniusConv2d(2, 4, 3, **geometry), x, both)
    exact = ortho_params(ClassParam(BatchedBjorckOrthogonalization, beta=0.5, niters=12), 3)
    both = {"kernel": near_orthogonal(4, 8), "bias": normal(4)}
    yield layer_case(
        "orthogonium RKOConv2d",
        "convolution { filters: 4 kernel_size: 2 stride: 2 padding: 0 use_bias: true %s }" % bjorck,
        RKOConv2d(2, 4, 2, stride=2, padding=0, padding_mode="zeros", ortho_params=exact),
        normal(2, 2, 6, 6), both, settle=60)
    both = {"kernel": normal(5, 18), "bias": normal(5)}
    yield layer_case(
        "orthogonium AOLConv2D",
        "convolution { filters: 5 kernel_size: 3 padding: 1 use_bias: true aol {} }",
        AOLConv2D(2, 5, 3, padding=1, padding_mode="zeros"), normal(2, 2, 6, 6), both)


def image_cases():
    x = normal(2, 4, 4, 6)
    yield layer_case("deel.torchlip.ScaledAvgPool2d", "scaled_average_pool { pool_size: [2, 3] }",
                     torchlip.ScaledAvgPool2d((2, 3)), x)
    yield layer_case("deel.torchlip.ScaledAdaptiveAvgPool2d", "scaled_global_average_pool {}",
                     torchlip.ScaledAdaptiveAvgPool2d((1, 1)), x)
    yield layer_case("deel.torchlip.ScaledL2NormPool2d", "scaled_l2_norm_pool { pool_size: 2 }",
                     torchlip.ScaledL2NormPool2d((2, 2)), x)
    yield layer_case("deel.torchlip.ScaledAdaptativeL2NormPool2d", "scaled_global_l2_norm_pool {}",
                     torchlip.ScaledAdaptativeL2NormPool2d((1, 1)), x)
    yield layer_case("deel.torchlip.InvertibleDownSampling",
                     "invertible_down_sampling { pool_size: 2 }",
                     torchlip.InvertibleDownSampling(2), x)
    yield layer_case("deel.torchlip.InvertibleUpSampling", "invertible_up_sampling {}",
                     torchlip.InvertibleUpSampling(2), x)
    yield layer_case("deel.torchlip.GroupSort(4)", "group_sort { group_size: 4 }",
                     torchlip.GroupSort(4), x)
    yield layer_case("deel.torchlip.GroupSort2", "group_sort { group_size: 2 }",
                     torchlip.GroupSort2(), x)
    yield layer_case("deel.torchlip.FullSort", "full_sort {}", torchlip.FullSort(), x)
    yield layer_case("deel.torchlip.LayerCentering", "layer_centering { use_bias: true }",
                     torchlip.LayerCentering(4), x, {"bias": normal(4)})
    yield layer_case("orthogonium LayerCentering2D", "layer_centering { use_bias: true }",
                     ortho.LayerCentering2D(4), x, {"bias": normal(4)})
    yield layer_case("deel.torchlip.BatchCentering", "batch_centering { use_bias: true }",
                     torchlip.BatchCentering(4), x, {"bias": normal(4)})


def loss_case(peer, ours, loss, scores, labels, target):
    scores = scores.clone().requires_grad_(True)
    value = loss(scores, target)
    value.backward()
    return {
        "peer": peer,
        "ours": ours,
        "scores": numbers(scores),
        "labels": [int(label) for label in labels],
        "value": float(value.detach()),
        "gradient": numbers(scores.grad),
    }


def binary_losses():
    scores = normal(6, 1)
    labels = [0, 1, 1, 0, 1, 1]
    signs = torch.tensor([[1.0 - 2.0 * label] for label in labels])
    half = "min_margin: 0.8 margin_convention: MARGIN_CONVENTION_HALF"
    convex = "alpha: 0.7 alpha_convention: ALPHA_CONVENTION_CONVEX"
    for peer, ours, loss, target in (
            ("NegKRLoss()", "kr {}", torchlip.NegKRLoss(), signs),
            ("HingeMarginLoss(0.8)", f"hinge_margin {{ {half} }}",
             torchlip.HingeMarginLoss(0.8), signs),
            ("HKRLoss(0.7, 0.8)", f"hkr {{ {convex} {half} }}",
             torchlip.HKRLoss(0.7, 0.8), signs),
            ("TauBCEWithLogitsLoss(5)", "tau_cross_entropy { tau: 5 }",
             torchlip.TauBCEWithLogitsLoss(5.0), (signs + 1.0) / 2.0)):
        yield loss_case("deel.torchlip." + peer, ours, loss, scores, labels, target)


def multiclass_losses():
    scores = normal(7, 4)
    labels = [0, 3, 1, 1, 2, 3, 0]
    classes = torch.tensor(labels)
    one_hot = torch.nn.functional.one_hot(classes, 4).to(scores.dtype)
    half = "min_margin: 0.8 margin_convention: MARGIN_CONVENTION_HALF"
    convex = "alpha: 0.7 alpha_convention: ALPHA_CONVENTION_CONVEX"
    kr = torchlip.KRMulticlassLoss()
    for peer, ours, loss in (
            ("-KRMulticlassLoss()", "multiclass_kr {}", lambda f, y: -kr(f, y)),
            ("HingeMulticlassLoss(0.8)", f"multiclass_hinge {{ {half} }}",
             torchlip.HingeMulticlassLoss(0.8)),
            ("HKRMulticlassLoss(0.7, 0.8)", f"multiclass_hkr {{ {convex} {half} }}",
             torchlip.HKRMulticlassLoss(0.7, 0.8)),
            ("SoftHKRMulticlassLoss(0.7, 0.8, temperature=3)",
             f"soft_hkr {{ {convex} {half} temperature: 3 }}",
             torchlip.SoftHKRMulticlassLoss(0.7, 0.8, temperature=3.0)),
            ("LseHKRMulticlassLoss(0.7, 2, 0.5, 0.8)",
             f"lse_hkr {{ {convex} {half} temperature: 2 penalty: 0.5 }}",
             torchlip.LseHKRMulticlassLoss(0.7, 2.0, 0.5, 0.8)),
            ("CategoricalHingeLoss(0.8)", "categorical_hinge { min_margin: 0.8 }",
             torchlip.CategoricalHingeLoss(0.8))):
        yield loss_case("deel.torchlip." + peer, ours, loss, scores, labels, one_hot)
    yield loss_case("deel.torchlip.TauCrossEntropyLoss(5)", "tau_cross_entropy { tau: 5 }",
                    torchlip.TauCrossEntropyLoss(5.0), scores, labels, classes)
    yield loss_case(
        "orthogonium LossXent(offset=0.5, temperature=0.25)",
        "offset_cross_entropy { offset: 0.5 temperature: 0.25 margins: MARGIN_KIND_SCORES }",
        ortho_losses.LossXent(4, 0.5, 0.25), scores, labels, classes)
    yield loss_case("orthogonium SoftHKRMulticlassLoss(0.7, 0.8, temperature=3)",
                    f"soft_hkr {{ {convex} {half} temperature: 3 }}",
                    ortho_losses.SoftHKRMulticlassLoss(0.7, 0.8, temperature=3.0), scores, labels,
                    classes)


def main():
    torch.manual_seed(2025)
    torch.set_num_threads(1)
    golden = {
        "made_by": "tests/golden/make_golden.py",
        "versions": {name: version(name)
                     for name in ("deel-torchlip", "orthogonium", "torch", "numpy")},
        "layers": [*dense_cases(), *convolution_cases(), *image_cases()],
        "losses": [*binary_losses(), *multiclass_losses()],
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=None, separators=(",", ":"))
        file.write("\n")
    print(f"{len(golden['layers'])} layers, {len(golden['losses'])} losses")


if __name__ == "__main__":
    main()
