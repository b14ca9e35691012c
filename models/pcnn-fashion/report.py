# SPDX-License-Identifier: Apache-2.0
"""Numbers about a trained network: HerPN coefficients and ranges, and the fused formula against the layers.

    w2 = gamma / sqrt(8 pi (v2 + eps))
    w1 = gamma / (2 sqrt(v1 + eps))
    w0 = beta + gamma ((1 - m0) / sqrt(2 pi (v0 + eps)) - m1 / (2 sqrt(v1 + eps))
                       - (1 + sqrt2 m2) / sqrt(8 pi (v2 + eps)))
    HerPN(x) = w2 x^2 + w1 x + w0
"""

import numpy as np
import torch

from network import HerPN


def flat(tensor):
    return tensor.detach().double().flatten().numpy()


def fused(herpn):
    """(w2, w1, w0) per channel, numpy float64, from the parameters of an unfused HerPN."""
    gamma, beta = flat(herpn.gamma), flat(herpn.beta)
    m0, v0 = flat(herpn.bn0.running_mean), flat(herpn.bn0.running_var) + herpn.bn0.eps
    m1, v1 = flat(herpn.bn1.running_mean), flat(herpn.bn1.running_var) + herpn.bn1.eps
    m2, v2 = flat(herpn.bn2.running_mean), flat(herpn.bn2.running_var) + herpn.bn2.eps
    w2 = gamma / np.sqrt(8 * np.pi * v2)
    w1 = gamma / (2 * np.sqrt(v1))
    w0 = beta + gamma * ((1 - m0) / np.sqrt(2 * np.pi * v0) - m1 / (2 * np.sqrt(v1))
                         - (1 + np.sqrt(2) * m2) / np.sqrt(8 * np.pi * v2))
    return w2, w1, w0


def activations(model):
    return [(name, module) for name, module in model.named_modules() if isinstance(module, HerPN)]


def record(model, inputs, see):
    """Runs the model in chunks and calls see(name, input, output) for every HerPN."""
    hooks = [module.register_forward_hook(lambda _, x, y, name=name: see(name, x[0], y))
             for name, module in activations(model)]
    with torch.no_grad():
        for chunk in inputs.split(500):
            model(chunk)
    for hook in hooks:
        hook.remove()


def ranges(model, inputs):
    """A table: per HerPN the span of its coefficients, and of its input and output over `inputs`."""
    low_high = {}

    def see(name, x, y):
        seen = low_high.get(name, (0.0, 0.0))
        low_high[name] = (max(seen[0], x.abs().max().item()), max(seen[1], y.abs().max().item()))

    record(model, inputs, see)
    lines = [f"{'HerPN':29}{'min |w2|':>9}{'max |w2|':>9}{'|w1/w2|':>9}{'|w0/w2|':>9}{'m0 - 1':>8}"
             f"{'max v0':>8}{'max |x|':>9}{'max |y|':>9}"]
    for name, module in activations(model):
        w2, w1, w0 = fused(module)
        lines.append(
            f"{name:29}{np.abs(w2).min():9.4f}{np.abs(w2).max():9.4f}{np.abs(w1 / w2).max():9.3f}"
            f"{np.abs(w0 / w2).max():9.3f}{np.abs(flat(module.bn0.running_mean) - 1).max():8.0e}"
            f"{flat(module.bn0.running_var).max():8.0e}{low_high[name][0]:9.2f}{low_high[name][1]:9.2f}")
    return "\n".join(lines) + "\n"


def fused_check(model, inputs):
    """Each HerPN (in double) against its fused quadratic on the inputs that it really gets."""
    worst = {}

    def see(name, x, y):
        w2, w1, w0 = (w.reshape(1, -1, 1, 1) for w in fused(dict(activations(model))[name]))
        x, y = x.double().numpy(), y.double().numpy()
        difference = np.abs((w2 * x + w1) * x + w0 - y).max() / np.abs(y).max()
        worst[name] = max(worst.get(name, 0.0), difference)

    record(model, inputs, see)
    return (f"fused quadratic against the unfused layers, double, {len(worst)} HerPN, {len(inputs)} images: "
            f"largest relative difference {max(worst.values()):.2e}")
