# SPDX-License-Identifier: Apache-2.0
"""Golden cases of layers that PyTorch differentiates: inputs, outputs and gradients."""

import numpy as np
import torch
from orthogonium.model_factory import ClassParam
from orthogonium.reparametrizers import BatchedIdentity, BatchedPowerIteration, OrthoParams
from torch.func import functional_call

import golden_file

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
    return golden_file.numbers(tensor.detach().numpy())


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


def case_of(peer, ours, tensors, parameters, gradients):
    """A case as the file has it. `tensors`: input with its gradient, output, gradient of that."""
    x, y, dy = tensors
    return {
        "peer": peer,
        "ours": ours,
        "input_shape": golden_file.image_shape(x.shape),
        "output_shape": golden_file.image_shape(y.shape),
        "x": numbers(x),
        "y": numbers(y),
        "dy": numbers(dy),
        "dx": numbers(x.grad),
        "parameters": {k: numbers(v) for k, v in parameters.items()},
        "gradients": {k: numbers(v) for k, v in gradients.items()},
    }


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
    return case_of(peer, ours, (x, y, dy), parameters,
                   {k: trained[renamed[k]].grad for k in parameters})


def ortho_params(orthogonalizer, power_iterations=0):
    normalizer = ClassParam(BatchedIdentity)
    if power_iterations:
        normalizer = ClassParam(BatchedPowerIteration, power_it_niter=power_iterations)
    return OrthoParams(spectral_normalizer=normalizer, orthogonalizer=orthogonalizer)


def function_case(peer, ours, function, x, parameters=None, settle=0):
    """`function(x, **parameters)`; parameters are named as ours are, with an underscore for a dot.

    `ours` may be a list: a chain of layers. `settle`: steps in which ours iterates first. A
    parameter without a gradient is one that the peer does not learn.
    """
    x = x.clone().requires_grad_(True)
    trained = {k: v.clone().requires_grad_(True) for k, v in (parameters or {}).items()}
    y = function(x, **trained)
    dy = normal(*y.shape)
    (y * dy).sum().backward()
    parameters = {k.replace("_dot_", "."): v for k, v in trained.items()}
    case = case_of(peer, ours, (x, y, dy), parameters,
                   {k: v.grad for k, v in parameters.items()})
    return case | {"settle": settle} if settle else case


def call(module, x, **parameters):
    """The module with these parameters in the place of its own."""
    named = {k.replace("_dot_", "."): v for k, v in parameters.items()}
    return functional_call(module, named, (x,))
