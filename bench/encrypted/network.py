# SPDX-License-Identifier: Apache-2.0
"""A network compiled, with keys and encrypted inputs: made once in a folder, found again by every row that needs it."""
import json
import pathlib
import subprocess
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IMAGES = 3


class Setup:
    """A compiled network with keys and encrypted inputs, in a folder of its own."""

    def __init__(self, bench, name, model, scheme, options=()):
        self.bench, self.name, self.model, self.scheme = bench, name, model, scheme
        self.options, self.folder = list(options), bench.work / name
        self.images = IMAGES

    def step(self, name, verb, arguments):
        """Runs a step unless its figures are there already."""
        path = self.folder / f'{name}.step.json'
        if not path.exists():
            print(f'  {self.name}: {name}', file=sys.stderr, flush=True)
            found = self.bench.sinter([verb, *arguments], self.folder)
            del found['stdout']
            path.write_text(json.dumps(found))
        return json.loads(path.read_text())

    def files(self):
        """model, inputs, expected result"""
        base, variant = self.model
        folder = self.bench.work / 'models' / base
        if not (folder / f'{base}-expected.npy').exists():
            print(f'  making {base}', file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, str(ROOT / 'models/cryptoface/make.py'), base, '--output', str(folder)],
                           check=True, stdout=subprocess.DEVNULL)
        return folder / f'{variant}.onnx', folder / f'{base}-inputs.npy', folder / f'{variant}-expected.npy'

    def compile(self):
        self.bench.sinter.need('compile', *[o for o in self.options if o.startswith('--')])
        self.folder.mkdir(parents=True, exist_ok=True)
        model, inputs, _ = self.files()
        scheme = self.folder / 'scheme.yaml'
        scheme.write_text(self.scheme)
        return self.step('compile', 'compile', [model, '--data', inputs, '--config', scheme, '-o', 'net.sinter',
                                                '--html', 'plan.html', '--json', *self.options])

    def keys(self):
        self.compile()
        self.step('keygen', 'keygen', ['net.sinter', '--secret', 'client.key', '--eval', 'server.keys', '--force',
                                       '--json'])
        return self.step('expand', 'expand-keys', ['net.sinter', 'server.keys', '--json'])

    def encrypt(self):
        self.keys()
        inputs = self.files()[1]
        for i in range(self.images):
            self.step(f'encrypt-{i}', 'encrypt', ['net.sinter', '--key', 'client.key', '--input', inputs, '--index', i,
                                                  '-o', f'{i}.ct', '--json'])
        return [f'{i}.ct' for i in range(self.images)]

    def read_keys(self):
        """Into the page cache, so that no row pays for the disk."""
        with open(self.folder / 'server.keys.expanded', 'rb') as file:
            while file.read(1 << 24):
                pass

    def accuracy(self, outputs):
        """Largest error and smallest cosine of the results against the float64 network's."""
        expected = numpy.load(self.files()[2])
        error, cosine = 0.0, 1.0
        for i, output in enumerate(outputs):
            self.bench.sinter(['decrypt', 'net.sinter', '--key', 'client.key', output, '-o', 'result.npy'], self.folder)
            found, wanted = numpy.load(self.folder / 'result.npy').astype('f8').ravel(), expected[i].ravel()
            error = max(error, float(numpy.abs(found - wanted).max()))
            norms = numpy.linalg.norm(found) * numpy.linalg.norm(wanted)
            cosine = min(cosine, float(found @ wanted / norms))
        return {'largest_error': error, 'cosine': cosine}

    def sizes(self):
        """Bytes of the keys are those of the file that the client sends; the expanded form can be made again."""
        size = lambda name: (self.folder / name).stat().st_size
        return {'program_bytes': size('net.sinter'), 'key_bytes': size('server.keys'),
                'expanded_bytes': size('server.keys.expanded')}
