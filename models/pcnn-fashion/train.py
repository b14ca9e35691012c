# SPDX-License-Identifier: Apache-2.0
"""Trains PatchCNN on Fashion-MNIST and exports it, unfused, as model.onnx.

    python3 train.py --output . [--epochs 20] [--seed 1] [--holdout 0]

Steps: AdamW with a one-cycle learning rate on flipped and shifted images, weights averaged over the last
epochs; statistics in train mode (statistics_pass.py); accuracy on the 10,000 test images in float32 and
double; export; logits of the first 200 test images. One thread, and every random number comes from
--seed, so the same libraries on the same processor give the same file. Writes model.onnx,
expected_f32.npy, expected_f64.npy, ranges.txt and train.log into --output.
"""

import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import dataset
import report
import statistics_pass
from fast_herpn import FastHerPN
from network import PatchCNN

EXPECTED = 200  # test images whose logits are kept
STATISTICS = 25600  # training images seen by the statistics pass


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", required=True, help="folder for the results; must exist")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=0.006, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=0.02, help="AdamW weight decay of the weights")
    parser.add_argument("--smoothing", type=float, default=0.05, help="label smoothing")
    parser.add_argument("--shift", type=int, default=1, help="largest random shift in pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--holdout", type=int, default=0,
                        help="leave out the last images of the training set and test on them instead")
    return parser.parse_args()


class Log:
    def __init__(self, path):
        self.file = open(path, "w")
        self.start = time.time()

    def __call__(self, text):
        # Wall and processor seconds: they differ when other programs share the machine.
        line = f"[{time.time() - self.start:6.1f} s, cpu {time.process_time():6.1f} s] {text}"
        print(line, flush=True)
        print(line, file=self.file, flush=True)


def augment(pixels, shift, generator):
    """Each image (uint8 [N,1,32,32]) mirrored with probability 1/2 and moved by up to `shift` pixels."""
    count, side = pixels.shape[0], pixels.shape[-1]
    padded = F.pad(pixels[:, 0], (shift,) * 4)
    moves = torch.randint(0, 2 * shift + 1, (2, count, 1), generator=generator)
    mirrored = torch.randint(0, 2, (count, 1), generator=generator).bool()
    steps = torch.arange(side).expand(count, side)
    columns = torch.where(mirrored, side - 1 - steps, steps) + moves[1]
    rows = steps + moves[0]
    images = torch.arange(count).view(-1, 1, 1)
    return padded[images, rows[:, :, None], columns[:, None, :]][:, None]


def to_input(pixels):
    return pixels.float().mul_(dataset.SCALE).add_(dataset.OFFSET)


def optimiser_for(model, options, steps):
    # Scales, shifts and biases are not decayed: gamma must not drift towards zero.
    weights = [p for name, p in model.named_parameters() if p.dim() in (2, 4)]
    others = [p for name, p in model.named_parameters() if p.dim() not in (2, 4)]
    optimiser = torch.optim.AdamW(
        [{"params": weights, "weight_decay": options.decay}, {"params": others, "weight_decay": 0}],
        lr=options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=steps, pct_start=0.2, div_factor=20, final_div_factor=50)
    return optimiser, schedule


def train(pixels, labels, options, log):
    """Returns the averaged weights as a state dict of PatchCNN without running statistics."""
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    model = PatchCNN(FastHerPN).to(memory_format=torch.channels_last)
    per_epoch = len(pixels) // options.batch
    optimiser, schedule = optimiser_for(model, options, per_epoch * options.epochs)
    average = [p.detach().clone() for p in model.parameters()]
    for epoch in range(options.epochs):
        order = torch.randperm(len(pixels), generator=generator)
        total, right, largest_norm = 0.0, 0, 0.0
        for step in range(per_epoch):
            chosen = order[step * options.batch:(step + 1) * options.batch]
            logits = model(to_input(augment(pixels[chosen], options.shift, generator)))
            loss = F.cross_entropy(logits, labels[chosen], label_smoothing=options.smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
            right += (logits.argmax(1) == labels[chosen]).sum().item()
            largest_norm = max(largest_norm, norm.item())
            done = epoch * per_epoch + step + 1
            keep = min(0.995, done / (done + 10))
            for mean, parameter in zip(average, model.parameters()):
                mean.lerp_(parameter.detach(), 1 - keep)
        log(f"epoch {epoch + 1:2d}/{options.epochs}  loss {total / per_epoch:.4f}  "
            f"train accuracy {100 * right / (per_epoch * options.batch):.2f} %  "
            f"largest gradient norm {largest_norm:.2f}")
    with torch.no_grad():
        for mean, parameter in zip(average, model.parameters()):
            parameter.copy_(mean)
    return {name: value.contiguous() for name, value in model.state_dict().items()
            if "running" not in name and "tracked" not in name}


def logits_of(model, inputs):
    with torch.no_grad():
        return torch.cat([model(chunk) for chunk in inputs.split(500)])


def accuracy(logits, labels):
    return 100 * (logits.argmax(1) == labels).double().mean().item()


def export(model, path):
    """Every BatchNorm stays a node: no folding, and the graph is traced as the module stands (eval)."""
    torch.onnx.export(
        model, torch.zeros(2, 1, 32, 32), path, opset_version=13, input_names=["x"],
        output_names=["logits"], dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)


def main():
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    log = Log(os.path.join(options.output, "train.log"))
    log(" ".join(f"{key}={value}" for key, value in sorted(vars(options).items()) if key != "output"))
    log(f"torch {torch.__version__}, numpy {np.__version__}")

    pixels, labels = dataset.load("train")
    test_pixels, test_labels = dataset.load("t10k")
    if options.holdout:
        test_pixels, test_labels = pixels[-options.holdout:], labels[-options.holdout:]
        pixels, labels = pixels[:-options.holdout], labels[:-options.holdout]
    log(f"{len(pixels)} training images, {len(test_pixels)} {'held-out' if options.holdout else 'test'} images")

    weights = train(torch.from_numpy(pixels), torch.from_numpy(labels), options, log)

    model = PatchCNN()
    model.load_state_dict(weights, strict=False)
    inputs = torch.from_numpy(dataset.scaled(pixels[:STATISTICS]))
    statistics_pass.gather(model, inputs, options.batch)
    before = logits_of(model, inputs[:1000])
    model.double()
    statistics_pass.normalise_channels(model)
    inputs = inputs.double()
    statistics_pass.gather(model, inputs, options.batch)
    after = logits_of(model, inputs[:1000])
    log(f"statistics gathered in train mode over {len(inputs)} images; channel scales moved, largest change "
        f"of a logit {(after - before).abs().max():.2e} (largest logit {after.abs().max():.2f})")

    model.float()
    test_labels = torch.from_numpy(test_labels)
    single = logits_of(model, torch.from_numpy(dataset.scaled(test_pixels)))
    export(model, os.path.join(options.output, "model.onnx"))
    ranges = report.ranges(model, torch.from_numpy(dataset.scaled(test_pixels)))
    with open(os.path.join(options.output, "ranges.txt"), "w") as file:
        file.write(ranges)
    # From here on in double, with the float32 parameters: what exact arithmetic makes of the file.
    model.double()
    double = logits_of(model, torch.from_numpy(dataset.scaled(test_pixels).astype(np.float64)))
    if not math.isfinite(double.abs().max().item()):
        raise ValueError("evaluation: expected finite logits")
    log(f"accuracy float32 {accuracy(single, test_labels):.2f} %, double {accuracy(double, test_labels):.2f} %")
    log(f"float32 against double: largest difference {(single - double).abs().max():.2e}, largest logit "
        f"{double.abs().max():.2f}, relative {(single - double).abs().max() / double.abs().max():.2e}")
    np.save(os.path.join(options.output, "expected_f32.npy"), single[:EXPECTED].numpy())
    np.save(os.path.join(options.output, "expected_f64.npy"), double[:EXPECTED].numpy())
    log("\n" + ranges + "\n" + report.fused_check(model, torch.from_numpy(
        dataset.scaled(test_pixels[:EXPECTED]).astype(np.float64))))
    log(f"model.onnx: {os.path.getsize(os.path.join(options.output, 'model.onnx'))} bytes")


if __name__ == "__main__":
    main()
