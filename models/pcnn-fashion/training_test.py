# SPDX-License-Identifier: Apache-2.0
"""Properties of the training code, on small random data: python3 training_test.py (seconds, no data set)."""

import unittest

import numpy as np
import torch

import report
import statistics_pass
import train
from fast_herpn import FastHerPN
from network import Backbone, HerPN, PatchCNN

SEED = 20250


def random_network(generator_seed):
    """PatchCNN in double with random gamma of both signs, random beta and random BatchNorm weights."""
    torch.manual_seed(generator_seed)
    model = PatchCNN().double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("gamma", "norm.weight", "shortcut.1.weight")):
                parameter.uniform_(0.3, 2.0).mul_(torch.randn(parameter.shape).sign())
            elif name.endswith(("beta", "bias")):
                parameter.normal_()
    return model


class TrainingTest(unittest.TestCase):
    def setUp(self):
        torch.set_num_threads(1)
        torch.manual_seed(SEED)

    def test_fast_herpn_equals_three_batch_norms_in_train_mode(self):
        for channels, side in ((1, 3), (8, 6), (16, 5)):
            plain, fast = HerPN(channels).double(), FastHerPN(channels).double()
            with torch.no_grad():
                for name in ("gamma", "beta"):
                    value = torch.randn(channels, 1, 1, dtype=torch.float64)
                    getattr(plain, name).copy_(value)
                    getattr(fast, name).copy_(value)
            x = (2 * torch.randn(3, channels, side, side, dtype=torch.float64) + 0.5).requires_grad_()
            direction = torch.randn_like(x)
            results = []
            for module in (plain, fast):
                y = module(x)
                gradients = torch.autograd.grad((y * direction).sum(), [x, module.gamma, module.beta])
                results.append([y, *gradients])
            for ours, theirs in zip(results[1], results[0]):
                self.assertLess((ours - theirs).abs().max().item(), 1e-11)

    def test_gathered_statistics_make_bn0_exactly_zero_and_leave_train_mode(self):
        model = random_network(SEED)
        statistics_pass.gather(model, torch.randn(100, 1, 32, 32, dtype=torch.float64), 25)
        self.assertFalse(model.training)
        model.float()
        for _, herpn in report.activations(model):
            self.assertTrue((herpn.bn0.running_mean == 1).all())
            self.assertTrue((herpn.bn0.running_var == 0).all())
            self.assertEqual(int(herpn.bn1.num_batches_tracked), 4)
            self.assertTrue((herpn.bn0(torch.ones(2, herpn.gamma.shape[0], 3, 3)) == 0).all())

    def test_moving_channel_scales_changes_nothing_when_eps_vanishes(self):
        model = random_network(SEED + 1)
        for module in model.modules():
            if isinstance(module, statistics_pass.NORMS):
                module.eps = 1e-13
        inputs = torch.randn(64, 1, 32, 32, dtype=torch.float64)
        statistics_pass.gather(model, inputs, 32)
        before = train.logits_of(model, inputs)
        statistics_pass.normalise_channels(model)
        statistics_pass.gather(model, inputs, 32)
        after = train.logits_of(model, inputs)
        self.assertLess(((after - before).abs().max() / before.abs().max()).item(), 1e-8)
        for name, herpn in report.activations(model):
            w2, _, _ = report.fused(herpn)
            tied = name.endswith("block1.herpn1")
            self.assertTrue(tied or np.abs(np.abs(w2) - 1 / np.sqrt(8 * np.pi)).max() < 1e-2, name)

    def test_the_fused_quadratic_equals_the_unfused_layers(self):
        model = random_network(SEED + 2)
        inputs = torch.randn(40, 1, 32, 32, dtype=torch.float64)
        statistics_pass.gather(model, inputs, 20)
        text = report.fused_check(model, inputs)
        self.assertLess(float(text.split()[-1]), 1e-12, text)

    def test_the_network_is_a_sum_over_patches(self):
        model = random_network(SEED + 3).eval()
        x = torch.randn(3, 1, 32, 32, dtype=torch.float64)
        parts = [model.backbones[i](x[:, :, 16 * (i // 2):16 * (i // 2) + 16, 16 * (i % 2):16 * (i % 2) + 16])
                 for i in range(4)]
        self.assertTrue(torch.allclose(model(x), sum(parts), rtol=1e-12, atol=1e-12))
        self.assertIsInstance(model.backbones[0], Backbone)

    def test_augmentation_mirrors_and_moves_whole_images(self):
        pixels = torch.zeros(200, 1, 32, 32, dtype=torch.uint8)
        pixels[:, 0, 10, 7] = 200
        generator = torch.Generator().manual_seed(SEED)
        moved = train.augment(pixels, 1, generator)
        self.assertTrue((moved.sum((1, 2, 3)) == 200).all())
        places = {tuple(place[2:].tolist()) for place in moved.nonzero()}
        expected = {(row, column) for row in (9, 10, 11) for column in (6, 7, 8, 23, 24, 25)}
        self.assertEqual(places, expected)
        self.assertTrue((train.augment(pixels, 0, generator)[:, 0, 10, [7, 24]].sum(1) == 200).all())


if __name__ == "__main__":
    unittest.main()
