#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./run bench encrypted`: encrypted inference at full size, one row a way to run it, beside what has to be reached.

    encrypted.py [--work FOLDER] [--json FILE] [--only ROW,ROW] [--quick] [--keep] [--list]

Models, programs and keys are made once in the work folder and shared by the rows that need them; each row's result is
kept there, so a run that was interrupted goes on where it stopped, and --only does single rows (again). What no row
needs any more is removed, all of it at the end unless --keep. CryptoFaceNet4 takes about 25 GB of disk and 20 GB of
memory; nothing else should run. --quick takes the reduced network at N = 2^13 (no security) and needs a minute.
"""
import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy

import pcnn_images
from commands import Failed, NotAvailable, Sinter

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REDUCED = """ckks: {log_n: 13, log_scale: 40, log_q0: 48, log_p: [48, 48, 48, 48], security: none_for_tests}
compile: {margin: 1.5}
"""
GB = 1e9
MEMORY = {'full': '16G', 'quick': '2G'}
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


class Bench:
    def __init__(self, options):
        self.options, self.sinter = options, Sinter(options.sinter)
        self.work = options.work.resolve()
        self.results_folder = self.work / 'results'
        self.results_folder.mkdir(parents=True, exist_ok=True)
        net = 'reduced' if options.quick else 'net4'
        scheme = REDUCED if options.quick else (ROOT / 'models/cryptoface/scheme.yaml').read_text()
        model = (net, f'{net}-norm')
        self.packed = Setup(self, 'packed', model, scheme)
        self.separate = Setup(self, 'separate', model, scheme, ['--packing', 'separate'])
        self.patch = Setup(self, 'patch', model if options.quick else ('patch', 'patch-norm'), scheme)

    # Rows: each returns its figures.

    def row_compile(self):
        found = self.packed.compile()
        plan = found['json']
        return {**figures(found), 'program_bytes': plan['program_bytes'], 'levels': plan['depth'],
                'keys': plan['keys'], 'diagonals': plan['diagonals'], 'predicted_seconds': plan['predicted_seconds'],
                'security': plan['security']}

    def row_plans(self):
        """The candidates of --plan, as JSON."""
        self.sinter.need('compile', '--plan')
        model, inputs, _ = self.packed.files()
        self.packed.folder.mkdir(parents=True, exist_ok=True)
        scheme = self.packed.folder / 'scheme.yaml'
        scheme.write_text(self.packed.scheme)
        found = self.sinter(['compile', model, '--data', inputs, '--config', scheme, '--plan', '--json'],
                            self.packed.folder)
        return {**figures(found), 'candidates': found['json'].get('candidates')}

    def row_keygen(self):
        self.packed.keys()
        found = json.loads((self.packed.folder / 'keygen.step.json').read_text())
        return {**figures(found), **self.packed.sizes()}

    def infer(self, setup, arguments, count=None, before=(), kill_after=None):
        """Runs the images one after the other in one call; the first one reads the keys."""
        self.sinter.need('infer', *[a for a in arguments if a.startswith('--')])
        inputs = setup.encrypt()[:count]
        if self.sinter.has('infer', '--batch-size') and '--batch-size' not in arguments:
            arguments = [*arguments, '--batch-size', '1']
        if self.sinter.has('infer', '--memory'):
            arguments = [*arguments, '--memory', MEMORY['quick' if self.options.quick else 'full']]
        if self.sinter.has('infer', '--report') and not {'--mpi', '--workers'} & set(arguments):
            arguments = [*arguments, '--report', 'run.json', '--html', 'run.html']
        outputs = setup.folder / 'outputs'
        shutil.rmtree(outputs, ignore_errors=True)
        outputs.mkdir()
        found = self.sinter(['infer', 'net.sinter', '--keys', 'server.keys', *inputs, '-o', 'outputs', '--json',
                             *arguments], setup.folder, before, kill_after)
        files = [outputs / pathlib.Path(name).with_suffix('.out.ct').name for name in inputs]
        digest = hashlib.sha256(b''.join(f.read_bytes() for f in files)).hexdigest()
        if found['json'] is None:
            raise Failed(f'{found["command"]}: printed no JSON')
        return {**figures(found), **setup.accuracy(files), **setup.sizes(), **self.image_seconds(found['json']),
                'sha256': digest, 'killed': found['killed'],
                **{name: found['json'][name] for name in ('busy_seconds', 'tasks', 'lost_workers', 'sent_bytes',
                                                          'predicted_peak_bytes') if name in found['json']}}

    @staticmethod
    def image_seconds(found):
        """Of a single process each image's; of workers, which share them, when each was there."""
        seconds = sorted(r['seconds'] for r in found['results']) if 'workers' in found else \
            [r['seconds'] for r in found['results']]
        if 'workers' in found:
            return {'images': len(seconds), 'there_after': seconds, 'seconds_first': seconds[0],
                    'seconds_per_image': found['seconds'] / len(seconds)}
        return {'images': len(seconds), 'seconds_by_image': seconds, 'seconds_first': seconds[0],
                'seconds_best': min(seconds), 'seconds_per_image': sum(seconds) / len(seconds)}

    def row_threads_1(self):
        return self.infer(self.packed, ['--threads', '1'])

    def row_threads_2(self):
        return self.infer(self.packed, ['--threads', '2'])

    def row_together(self):
        """The images computed together share the encoding of the weights."""
        return self.infer(self.packed, ['--threads', '2', '--batch-size', str(IMAGES)])

    def row_workers_1(self):
        return self.infer(self.packed, ['--workers', '1', '--threads', '1'])

    def row_workers_2(self):
        return self.infer(self.packed, ['--workers', '2', '--threads', '1'])

    def row_killed_worker(self):
        """One of two workers is killed while it works: the answer still arrives."""
        after = self.results().get('workers_2', {}).get('seconds_first', 20 if not self.options.quick else 1) / 3
        found = self.infer(self.packed, ['--workers', '2', '--threads', '1'], count=1, kill_after=after)
        if found['killed'] is None:
            raise Failed('no worker was killed: it was over before')
        return found

    def mpi(self, ranks):
        if shutil.which('mpirun') is None:
            raise NotAvailable('mpirun')
        before = ['mpirun', '--allow-run-as-root', '--oversubscribe', '--bind-to', 'none', '-n', str(ranks)]
        return self.infer(self.packed, ['--mpi', '--threads', '1'], before=before)

    def row_mpi_1(self):
        return self.mpi(1)

    def row_mpi_2(self):
        return self.mpi(2)

    def row_separate(self):
        """The document's own way: the four patches in ciphertexts of their own."""
        return self.infer(self.separate, ['--threads', '2'], count=2)

    def row_patch(self):
        return self.infer(self.patch, ['--threads', '2'], count=2)

    def pcnn(self, batch):
        """models/pcnn-fashion: test images, class by class against float32."""
        folder, count = self.work / 'pcnn', 4 if self.options.quick else 100
        folder.mkdir(parents=True, exist_ok=True)
        images = folder / 'images.npy'
        numpy.save(images, numpy.load(pcnn_images.MODEL / 'test200.npy')[:count])
        expected = pcnn_images.float32_logits(self.options.sinter, images, folder)
        found = pcnn_images.measure(self.options.sinter, images, expected, batch, 2, folder)
        return {**found, 'seconds': found['infer_seconds'], 'peak_bytes': found['peak_memory_bytes'],
                'same_class_share': found['equal_classes'] / count,
                'largest_error': found['largest_error'] / found['largest_logit']}

    def row_pcnn(self):
        return self.pcnn('1')

    def row_pcnn_batch(self):
        """As many images as the slots hold share the ciphertexts of a run."""
        return self.pcnn('auto')

    def results(self):
        return {p.stem: json.loads(p.read_text()) for p in self.results_folder.glob('*.json')}


ROWS = {  # row -> what it is, what has to be reached, the setup that it needs
    'compile': ('compile', [('seconds', '<=', 120)], 'packed'),
    'plans': ('candidates of --plan', [], 'packed'),
    'keygen': ('keygen, all threads', [('key_bytes', '<=', 12 * GB)], 'packed'),
    'threads_1': ('infer, 1 thread', [], 'packed'),
    'threads_2': ('infer, 2 threads', [('seconds_first', '<=', 90), ('peak_bytes', '<=', 18 * 2**30),
                                       ('cosine', '>=', 0.9999), ('largest_error', '<=', 1e-3)], 'packed'),
    'together': ('3 images together, 2 threads', [], 'packed'),
    'workers_1': ('infer, 1 worker', [], 'packed'),
    'workers_2': ('infer, 2 workers', [], 'packed'),
    'killed_worker': ('infer, 2 workers, one killed', [], 'packed'),
    'mpi_1': ('infer, 1 MPI rank', [], 'packed'),
    'mpi_2': ('infer, 2 MPI ranks', [], 'packed'),
    'separate': ('four patches apart, 2 threads', [], 'separate'),
    'patch': ('one patch, 2 threads', [], 'patch'),
    'pcnn': ('pcnn-fashion, 2 threads', [('same_class_share', '>=', 0.99)], 'pcnn'),
    'pcnn_batch': ('pcnn-fashion, images share slots', [('same_class_share', '>=', 0.99)], 'pcnn'),
}
RATIOS = [  # title, row, row, field, at least
    ('2 threads over 1', 'threads_1', 'threads_2', 'seconds_best', 1.8),
    ('2 workers over 1', 'workers_1', 'workers_2', 'seconds_per_image', 1.7),
    ('2 MPI ranks over 1', 'mpi_1', 'mpi_2', 'seconds_per_image', 1.7),
    ('patches apart over packed', 'separate', 'threads_2', 'seconds_first', None),
    ('predicted over measured, 1 thread', 'compile', 'threads_1', ('predicted_seconds', 'seconds_best'), None),
]
SAME_BYTES = ['threads_1', 'threads_2', 'together', 'workers_1', 'workers_2', 'mpi_1', 'mpi_2']


def figures(found):
    return {name: found[name] for name in ('command', 'seconds', 'cpu_seconds', 'peak_bytes')}


def number(value, field):
    if value is None:
        return ''
    if field.endswith('bytes'):
        return f'{value / GB:.2f} GB'
    if field in ('largest_error',):
        return f'{value:.1e}'
    if field == 'cosine':
        return f'1 - {1 - value:.0e}'
    return f'{value:.3g}' if isinstance(value, float) and value < 10 else f'{value:.1f}'


def targets(row, result):
    """'reached' or what is not, for a row of full size."""
    texts = []
    for field, relation, wanted in ROWS[row][1]:
        value = result.get(field)
        if value is None:
            continue
        is_reached = value <= wanted if relation == '<=' else value >= wanted
        shown = number(wanted, field) if field != 'cosine' else wanted
        texts.append(f'{field} {relation} {shown}: {"yes" if is_reached else "NO"}')
    return '; '.join(texts)


def table(rows):
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for r, row in enumerate(rows):
        print('  '.join(cell.ljust(w) if c == 0 else cell.rjust(w) for c, (cell, w) in
                        enumerate(zip(row[:-1], widths))) + '  ' + row[-1])
        if r == 0:
            print('  '.join('-' * w for w in widths))


def show(results, quick):
    fields = [('seconds', 'wall s'), ('cpu_seconds', 'CPU s'), ('seconds_first', 'first image'),
              ('seconds_best', 'best image'), ('seconds_per_image', 'mean'), ('peak_bytes', 'peak memory'),
              ('key_bytes', 'keys'), ('largest_error', 'error'), ('cosine', 'cosine')]
    rows = [['row'] + [title for _, title in fields] + ['to be reached']]
    for row, (title, _, _) in ROWS.items():
        result = results.get(row)
        if result is None:
            continue
        if 'missing' in result or 'failed' in result:
            rows.append([title] + [''] * len(fields) + [result.get('missing') or 'FAILED: ' + result['failed']])
            continue
        rows.append([title] + [number(result.get(f), f) for f, _ in fields] + ['' if quick else targets(row, result)])
    table(rows)
    for title, a, b, field, wanted in RATIOS:
        first, second = field if isinstance(field, tuple) else (field, field)
        x, y = results.get(a, {}).get(first), results.get(b, {}).get(second)
        if x and y:
            reached = '' if wanted is None or quick else f'  (>= {wanted}: {"yes" if x / y >= wanted else "NO"})'
            print(f'{title}: {x / y:.2f}{reached}')
    digests = {results[r]['sha256'] for r in SAME_BYTES if 'sha256' in results.get(r, {})}
    if digests:
        same = 'the same bytes' if len(digests) == 1 else 'DIFFERENT BYTES'
        print(f'results of threads, workers and ranks: {same}')


def clean(bench, pending):
    """Removes the setups that no pending row needs; results stay."""
    needed = {ROWS[row][2] for row in pending}
    for setup in ('packed', 'separate', 'patch', 'pcnn'):
        if setup not in needed and not bench.options.keep:
            keep = bench.results_folder
            for page in (bench.work / setup).glob('*.html'):
                page.replace(keep / f'{setup}-{page.name}')
            shutil.rmtree(bench.work / setup, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--work', type=pathlib.Path, help='scratch folder (build/bench/encrypted)')
    parser.add_argument('--sinter', type=pathlib.Path, default=ROOT / 'build/release/sinter')
    parser.add_argument('--json', type=pathlib.Path, help='all figures')
    parser.add_argument('--only', default='', help='these rows, also when they have a result')
    parser.add_argument('--quick', action='store_true', help='the reduced network, a minute')
    parser.add_argument('--keep', action='store_true', help='leave programs and keys in the work folder')
    parser.add_argument('--list', action='store_true', help='the rows')
    options = parser.parse_args()
    options.sinter = options.sinter.resolve()
    options.work = options.work or ROOT / ('build/bench/encrypted-quick' if options.quick else 'build/bench/encrypted')
    if options.list:
        for row, (title, _, _) in ROWS.items():
            print(f'{row:14} {title}')
        return 0
    bench = Bench(options)
    chosen = [row for row in options.only.split(',') if row]
    for row in chosen:
        if row not in ROWS:
            parser.error(f'unknown row {row}: expected some of {", ".join(ROWS)}')
    done = {row for row, result in bench.results().items() if 'failed' not in result and 'missing' not in result}
    pending = chosen or [row for row in ROWS if row not in done]
    while pending:
        row = pending[0]
        print(f'{row}: {ROWS[row][0]}', file=sys.stderr, flush=True)
        started = time.strftime('%Y-%m-%d %H:%M:%S')
        try:
            result = getattr(bench, 'row_' + row)()
        except NotAvailable as missing:
            result = {'missing': f'not in this build: {missing}'}
        except Failed as failed:
            result = {'failed': str(failed)}
        result.update(started=started, load=os.getloadavg()[0], cores=os.cpu_count())
        (bench.results_folder / f'{row}.json').write_text(json.dumps(result, indent=1))
        pending.pop(0)
        clean(bench, pending)
    results = bench.results()
    show(results, options.quick)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + '\n')
    return 1 if any('failed' in r for r in results.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
