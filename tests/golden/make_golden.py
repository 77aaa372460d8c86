# SPDX-License-Identifier: Apache-2.0
"""Runs deel-torchlip and orthogonium on fixed weights and inputs and writes what they compute.

    python3 -m venv peers
    peers/bin/pip install deel-torchlip==1.0.5 orthogonium==0.0.4 torch==2.15.0 numpy==2.4.6
    peers/bin/python tests/golden/make_golden.py tests/golden/peers.json

Each case names the peer's layer or loss and ours, as a recipe writes it, and holds inputs, outputs
and gradients. Peers run in float64 on inputs that float32 holds exactly, and as converged as they
can be asked to be: their gradients then do not depend on how they stop. Shapes are torch's, [N, C,
H, W]. tests/trainer/layers/peer_parity_test.cc reads the file; it needs no Python.
"""

import sys

import numpy as np
import torch
from torch.func import functional_call

import golden_file

torch.set_default_dtype(torch.float64)

from deel import torchlip  # noqa: E402
from orthogonium import layers as ortho  # noqa: E402
from orthogonium import losses as ortho_losses  # noqa: E402
from orthogonium.layers.conv.AOC import RKOConv2d  # noqa: E402
from orthogonium.layers.conv.AOC.rko_conv import RkoConvTranspose2d  # noqa: E402
from orthogonium.layers.conv.AOL import AOLConv2D  # noqa: E402
from orthogonium.layers.conv.SLL.sll_layer import (  # noqa: E402
    SDPBasedLipschitzDense,
    SDPBasedLipschitzResBlock,
)
from orthogonium.layers.custom_activations import SoftHuber  # noqa: E402
from orthogonium.layers.residual import AdditiveResidual, PrescaledAdditiveResidual  # noqa: E402
from orthogonium.model_factory import ClassParam  # noqa: E402
from orthogonium.reparametrizers import (  # noqa: E402
    BatchedBjorckOrthogonalization,
    BatchedCholeskyOrthogonalization,
    BatchedQROrthogonalization,
)
from torch_cases import (  # noqa: E402
    call,
    float32_exact,
    function_case,
    layer_case,
    near_orthogonal,
    normal,
    numbers,
    ortho_params,
)


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


def activation_cases():
    x = normal(2, 6, 3, 2)
    for peer, ours, module in (
            ("deel.torchlip.MaxMin", "concatenated_relu {}", torchlip.MaxMin()),
            ("orthogonium MaxMin", "max_min {}", ortho.MaxMin()),
            ("orthogonium Abs", "abs {}", ortho.Abs()),
            ("orthogonium SoftHuber(0.25)", "soft_huber { delta: 0.25 }", SoftHuber(0.25))):
        yield function_case(peer, ours, module, x)
    slopes = float32_exact([0.5, -0.75, 0.0, 0.25, 0.875, -0.125])
    yield function_case("deel.torchlip.LPReLU(6)", "prelu {}",
                        lambda x, slope: call(torchlip.LPReLU(6), x, weight=slope), x,
                        {"slope": slopes})
    yield function_case("deel.torchlip.LPReLU()", "prelu { shared: true }",
                        lambda x, slope: call(torchlip.LPReLU(), x, weight=slope), x,
                        {"slope": slopes[:1]})
    angles = {"angle": normal(3)}
    yield function_case("deel.torchlip.HouseHolder", "householder {}",
                        lambda x, angle: call(torchlip.HouseHolder(6), x, theta=angle), x, angles)
    yield function_case(
        "orthogonium HouseHolder times sqrt(2)", "householder {}",
        lambda x, angle: 2.0**0.5 * call(ortho.HouseHolder(6), x, theta=angle.view(1, 3, 1, 1)), x,
        angles)

    def order_2(x, layer0_dot_angle, layer1_dot_angle):
        # What is below a first line is reflected up, what is then beyond a second one, down.
        theta1 = layer1_dot_angle - 2.0 * np.pi - layer0_dot_angle
        return 2.0**0.5 * call(ortho.HouseHolder_Order_2(6), x, theta0=layer0_dot_angle,
                               theta1=theta1, theta2=2.0 * np.pi - theta1)

    yield function_case("orthogonium HouseHolder_Order_2 times sqrt(2), theta1 + theta2 = 2 pi",
                        ["householder {}", "householder {}"], order_2, normal(2, 6, 3, 2),
                        {"layer0_dot_angle": float32_exact([0.25, 0.5, 1.0]),
                         "layer1_dot_angle": float32_exact([7.5, 9.25, 10.0])})


def orthogonal_cases():
    """Maps that no peer has, by PyTorch's own Cayley, and by formulas of papers and autograd."""
    def torch_cayley(kernel):
        # PyTorch's is (I + S/2) (I - S/2)^-1 of S = L - L^T, L what is below the diagonal.
        lower = (-2.0 * (kernel - kernel.T)).tril(-1)
        linear = torch.nn.utils.parametrizations.orthogonal(
            torch.nn.Linear(5, 5, bias=False), orthogonal_map="cayley", use_trivialization=False)
        return linear.parametrizations.weight[0](lower)

    def cayley(kernel):
        rows, cols = kernel.shape
        if rows < cols:
            return cayley(kernel.T).T
        u, v = kernel[:cols], kernel[cols:]
        a = u - u.T + v.T @ v
        eye = torch.eye(cols)
        inverse = torch.linalg.inv(eye + a)
        return torch.cat([inverse @ (eye - a), -2.0 * v @ inverse])

    def block_reflector(kernel, rows, cols):
        inverse = torch.linalg.inv(kernel.T @ kernel)
        return (torch.eye(len(kernel)) - 2.0 * kernel @ inverse @ kernel.T)[:rows, :cols]

    recipe = "spectral_dense { units: %d method: ORTHOGONAL_METHOD_%s }"
    yield function_case("torch.nn.utils.parametrizations.orthogonal, cayley",
                        recipe % (5, "CAYLEY"), lambda x, kernel: x @ torch_cayley(kernel).T,
                        normal(2, 5), {"kernel": normal(5, 5)})
    for units, inputs in ((3, 5), (5, 3)):
        yield function_case("Trockman, Kolter 2021: Cayley's transform", recipe % (units, "CAYLEY"),
                            lambda x, kernel: x @ cayley(kernel).T, normal(2, inputs),
                            {"kernel": normal(units, inputs)})
    for units, inputs in ((3, 6), (6, 3), (6, 6)):
        yield function_case(
            "Lai et al. 2025: BRO", recipe % (units, "BLOCK_REFLECTOR"),
            lambda x, kernel, m=units, n=inputs: x @ block_reflector(kernel, m, n).T,
            normal(2, inputs), {"kernel": near_orthogonal(6, 3)})


def block_cases():
    x = normal(2, 5)
    for units in (3, 8):
        module = SDPBasedLipschitzDense(5, 5, units)
        yield function_case(
            "orthogonium SDPBasedLipschitzDense",
            f"sll_dense {{ units: {units} use_bias: true }}",
            lambda x, kernel, log_q, bias, module=module: call(
                module, x, weight=kernel, q=log_q, bias=bias.view(1, -1)), x,
            {"kernel": normal(units, 5), "log_q": normal(units), "bias": normal(units)})
    images = normal(2, 3, 5, 4)
    for factor in (1, 2):
        # Its bias is of the scaled kernel, and so another parameter; its q cancels, without effect.
        module = SDPBasedLipschitzResBlock(3, factor, kernel_size=3)
        module.bias.data.zero_()
        case = function_case(
            "orthogonium SDPBasedLipschitzResBlock, no bias",
            f"sll_convolution {{ filters: {3 * factor} kernel_size: 3 }}",
            lambda x, kernel, module=module: call(
                module, x, parametrizations_dot_kernel_dot_original=kernel.view(-1, 3, 3, 3)),
            images, {"kernel": normal(3 * factor, 27)})
        case["parameters"]["log_q"] = [0.0] * (3 * factor)
        yield case

    def potential(x, kernel, bias):
        norm = torch.linalg.matrix_norm(kernel, 2)
        return x - 2.0 / norm**2 * torch.relu(x @ kernel.T + bias) @ kernel

    yield function_case("Meunier et al. 2022: CPL", "cpl_dense { units: 4 use_bias: true }",
                        potential, x, {"kernel": normal(4, 5), "bias": normal(4)}, settle=200)

    def linear_residual(x, kernel, bias):
        weights = torch.eye(5) + 0.5 * kernel
        return x @ (weights / torch.linalg.matrix_norm(weights, 2)).T + bias

    yield function_case("Hu et al. 2023: LiResNet's block, divided by its norm",
                        "linear_residual_dense { use_bias: true residual { scale: 0.5 } }", linear_residual, x,
                        {"kernel": normal(5, 5), "bias": normal(5)}, settle=200)


def residual_cases():
    """Around the same branch of three layers: two peers' forms of one block."""
    kernels = {"branch0_dot_kernel": near_orthogonal(4, 4), "branch2_dot_kernel": near_orthogonal(4, 4)}
    ours = ("residual { layers { spectral_dense { units: 4 %s } } layers { max_min {} } "
            "layers { spectral_dense { units: 4 %s } } }")
    ours = ours.replace("%s", "bjorck_iterations: 30 bjorck_tolerance: 1e-6")
    x = normal(3, 4)

    def branch(x, branch0_dot_kernel, branch2_dot_kernel):
        exact = BatchedBjorckOrthogonalization((4, 4), beta=0.5, niters=12)
        w0, w2 = (exact((k / torch.linalg.matrix_norm(k, 2)).unsqueeze(0)).squeeze(0)
                  for k in (branch0_dot_kernel, branch2_dot_kernel))
        return ortho.MaxMin()(x @ w0.T) @ w2.T

    alpha = {"alpha": float32_exact([0.625])}
    yield function_case(
        "deel.torchlip.LipResidual", ours,
        lambda x, alpha, **kernels: functional_call(
            torchlip.LipResidual(), {"alpha": alpha.squeeze()}, (x, branch(x, **kernels))), x,
        alpha | kernels, settle=60)
    for peer, block, its_alpha in (
            ("orthogonium AdditiveResidual", AdditiveResidual, lambda alpha: alpha),
            # x / (1 + c) + f(c x) / (1 + c) is a x + (1 - a) f(x) for c = exp(-alpha).
            ("orthogonium PrescaledAdditiveResidual", PrescaledAdditiveResidual,
             lambda alpha: torch.exp(-alpha))):
        def run(x, alpha, block=block, its_alpha=its_alpha, **kernels):
            class Branch(torch.nn.Module):
                def forward(self, x):
                    return branch(x, **kernels)

            return call(block(Branch()), x, alpha=its_alpha(alpha).squeeze())

        yield function_case(peer, ours, run, x, alpha | kernels, settle=60)


def transposed_convolution_cases():
    """Windows that do not overlap: a convolution of one pixel, then up-sampling."""
    x = normal(2, 8, 3, 2)
    ours = ["convolution { filters: 8 kernel_size: 1 padding: 0 spectral { bjorck_iterations: 30 "
            "bjorck_tolerance: 1e-6 } }", "invertible_up_sampling { pool_size: 2 }"]

    def peers_kernel(kernel):  # [2 * 2 * 2, 8] to [8, 2, 2, 2]
        return kernel.T.reshape(8, 2, 2, 2)

    kernel = {"layer0_dot_kernel": near_orthogonal(8, 8)}
    exact = ortho_params(ClassParam(BatchedBjorckOrthogonalization, beta=0.5, niters=12), 3)
    module = RkoConvTranspose2d(8, 2, 2, stride=2, bias=False, ortho_params=exact)
    name = "parametrizations_dot_weight_dot_original"

    def run(x, layer0_dot_kernel):
        return call(module, x, **{name: peers_kernel(layer0_dot_kernel)})

    module.train()
    for _ in range(60):  # power iterations
        run(x, **kernel)
    yield function_case("orthogonium RkoConvTranspose2d", ours, run, x, kernel, settle=60)


def aol_cases():
    for channels, filters, groups, mode in ((2, 4, 1, "circular"), (4, 4, 2, "zeros")):
        padding_mode = {"circular": "CIRCULAR", "zeros": "ZERO"}[mode]
        both = {"kernel": normal(filters, channels // groups * 9), "bias": normal(filters)}
        yield layer_case(
            f"orthogonium AOLConv2D(padding_mode={mode}, groups={groups})",
            f"convolution {{ filters: {filters} kernel_size: 3 padding: 1 groups: {groups} "
            f"padding_mode: PADDING_MODE_{padding_mode} use_bias: true aol {{}} }}",
            AOLConv2D(channels, filters, 3, padding=1, groups=groups, padding_mode=mode),
            normal(2, channels, 6, 6), both)


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
    # In the order in which they were added: each case draws the next random numbers.
    layers = [*dense_cases(), *convolution_cases(), *image_cases()]
    losses = [*binary_losses(), *multiclass_losses()]
    layers += [*activation_cases(), *orthogonal_cases(), *block_cases(), *residual_cases(),
               *transposed_convolution_cases(), *aol_cases()]
    golden_file.write(sys.argv[1], "tests/golden/make_golden.py",
                      ("deel-torchlip", "orthogonium", "torch", "numpy"), layers, losses)


if __name__ == "__main__":
    main()
