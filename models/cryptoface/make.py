# SPDX-License-Identifier: Apache-2.0
"""Makes CryptoFaceNet models in ONNX, unfused, with every BatchNormalization a node.

    python3 make.py net4 --output FOLDER

writes NAME.onnx (embedding [N,256]), NAME-norm.onnx (with the normalisation polynomial),
NAME-inputs.npy (float32 [16,3,S,S] in [-1,1], further crops) and NAME-expected.npy, NAME-norm-expected.npy (float64, what this program computes for them). Names: net4,
net9, net16, patch (one 32x32 patch), reduced (four 16x16 patches, few channels). With --trained-like the
channels in front of activations differ by decades (NAME-trained*).

The weights are drawn from a fixed seed and not trained. Statistics come from passes in train mode over
crops of the photographs in crops.png, in float64, and are rounded to 16 bits, so every run writes the
same bytes. Parameter count, shapes and depth are checked. Needs numpy and python3-onnx.
"""

import argparse
import os
import pathlib
import time

os.environ['OPENBLAS_NUM_THREADS'] = '1'  # before numpy: sums in one order

import numpy as np

import onnx_writer
import photographs
from layers import rounded
from network import LEVELS, LEVELS_NORMALISE, VARIANTS, CryptoFaceNet

SEED = 1
BATCH = 64
PASSES = 4
INPUTS = 16
CALIBRATION = 256  # images whose norms the normalisation is fitted to
DECADES = (-0.5, 3)  # of the factors of channels with --trained-like
TRIM = 0.5         # share of the norms left out, half at each end


def squared_norms(embeddings):
    with np.errstate(over='ignore'):  # a crop far outside of what the statistics saw; trimmed below
        return np.sum(embeddings**2, axis=1)


def gather_statistics(net, rng):
    for _ in range(PASSES):
        net(photographs.crops(BATCH, net.variant.side, rng), train=True)
    net.finish()


def fit_normalisation(net, rng):
    """a, b, c through 1/sqrt(y) at mean - std, mean, mean + std of the trimmed squared norms."""
    images = photographs.crops(CALIBRATION, net.variant.side, rng)
    norms = np.sort(np.concatenate([squared_norms(net(images[n:n + BATCH]))
                                    for n in range(0, len(images), BATCH)]))
    cut = int(len(norms) * TRIM / 2)
    norms = norms[cut:len(norms) - cut]
    mean, deviation = norms.mean(), norms.std()
    at = np.array([mean - deviation, mean, mean + deviation])
    net.norm = rounded(np.linalg.solve(np.vander(at, 3), 1 / np.sqrt(at)), 24)
    return at, norms


def check_network(net):
    count = sum(array.size for array in net.parameters())
    if count != net.variant.parameters:
        raise AssertionError(f'expected {net.variant.parameters} parameters, found {count}')
    levels = sum(LEVELS.values())
    if levels != 24 or levels + LEVELS_NORMALISE != 28:
        raise AssertionError(f'expected 24 levels, found {levels}')


def check_shapes(model, variant):
    """Every stage of every backbone, from the exported file."""
    small, middle, large = variant.channels
    side = variant.patch
    expected = {'conv': (small, side, side)}
    for number, (channels, factor) in enumerate(
            [(small, 1), (middle, 2), (middle, 2), (large, 4), (large, 4)]):
        expected[f'layers.{number}.add'] = (channels, side // factor, side // factor)
    expected |= {'herpnpool.pool': (large, 2, 2), 'bn': (4 * large,)}
    found = onnx_writer.shapes(model)
    for patch in range(variant.grid**2):
        for name, dims in expected.items():
            if found[f'nets.{patch}.{name}'][1:] != dims:
                raise AssertionError(f'nets.{patch}.{name}: expected {dims}, found '
                                     f'{found[f"nets.{patch}.{name}"]}')
    batch_norms = sum(node.op_type == 'BatchNormalization' for node in model.graph.node)
    if batch_norms != variant.grid**2 * (11 * 3 + 2 + 1) + 1:
        raise AssertionError(f'found {batch_norms} BatchNormalizations')


def write(net, name, normalise, folder):
    writer = onnx_writer.Writer()
    output = net.emit(writer, 'x', normalise)
    side = net.variant.side
    model = writer.model(name, (3, side, side), output, (net.variant.embedding,))
    check_shapes(model, net.variant)
    (folder / f'{name}.onnx').write_bytes(model.SerializeToString())


def spread_channels(net):
    """Ranges as training leaves them: what enters a HerPN differs by decades from channel to channel, and
    its leading coefficient by twice as many."""
    rng = np.random.RandomState(SEED + 1)
    for backbone in net.nets:
        for conv in [backbone.conv] + [block.conv1 for block in backbone.blocks]:
            decades = rng.uniform(*DECADES, (len(conv.weight), 1, 1, 1))
            conv.weight = (conv.weight * 10**decades).astype(np.float32)


def build(name, trained_like=False):
    """Network with statistics and normalisation, the generator for what follows, and the norms."""
    rng = np.random.RandomState(SEED)
    net = CryptoFaceNet(rng, VARIANTS[name])
    check_network(net)
    if trained_like:
        spread_channels(net)
    gather_statistics(net, rng)
    return net, rng, *fit_normalisation(net, rng)


def usual_inputs(net, rng, norms):
    """float32 crops whose embeddings have lengths that the normalisation was fitted to"""
    found = np.empty((0, 3, net.variant.side, net.variant.side), np.float32)
    while len(found) < INPUTS:
        crops = photographs.crops(BATCH, net.variant.side, rng).astype(np.float32)
        squares = squared_norms(net(crops.astype(np.float64)))
        found = np.concatenate([found, crops[(squares >= norms[0]) & (squares <= norms[-1])]])
    return found[:INPUTS]


def make(name, folder, trained_like=False):
    start = time.process_time()
    net, rng, at, norms = build(name, trained_like)
    name += '-trained' if trained_like else ''
    for normalise in (False, True):
        write(net, name + ('-norm' if normalise else ''), normalise, folder)
    inputs = usual_inputs(net, rng, norms)
    embeddings = np.ascontiguousarray(net(inputs.astype(np.float64)))
    np.save(folder / f'{name}-inputs.npy', inputs)
    np.save(folder / f'{name}-expected.npy', embeddings)
    np.save(folder / f'{name}-norm-expected.npy', net.normalised(embeddings))
    error = np.abs(np.sqrt(norms) * (net.norm[0] * norms**2 + net.norm[1] * norms + net.norm[2]) - 1)
    print(f'{name}: {net.variant.parameters} parameters, squared norms {norms[0]:.1f} to {norms[-1]:.1f}, '
          f'polynomial through {at[0]:.1f}, {at[1]:.1f}, {at[2]:.1f}: length wrong by {error.mean():.2%} '
          f'on average, {error.max():.2%} at most; {time.process_time() - start:.1f} s')


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='+', choices=VARIANTS, metavar='NAME')
    parser.add_argument('--trained-like', action='store_true',
                        help='channels over decades, as in trained networks; writes NAME-trained*')
    parser.add_argument('--output', type=pathlib.Path, default=pathlib.Path('.'))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        make(name, arguments.output, arguments.trained_like)


if __name__ == '__main__':
    main()
