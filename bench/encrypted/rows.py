# SPDX-License-Identifier: Apache-2.0
"""The rows: what each runs, what has to be reached, and the figures that it gives."""
import hashlib
import json
import pathlib
import shutil

import numpy

import pcnn_images
from commands import Failed, NotAvailable, Sinter
from network import IMAGES, ROOT, Setup

REDUCED = """ckks: {log_n: 13, log_scale: 40, log_q0: 48, log_p: [48, 48, 48, 48], security: none_for_tests}
compile: {margin: 1.5}
"""
REDUCED_BOOTSTRAPS = """ckks: {log_n: 13, log_scale: 40, log_q0: 48, log_p: [48, 48, 48, 48], security: none_for_tests,
       log_q: [48, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40]}
compile: {margin: 1.5, bootstrap: precise}
"""
BOOTSTRAPS = """ckks: {log_n: 16, log_scale: 40, log_q0: 48, log_p: [48, 48, 48, 48, 48, 48], secret: {hamming: 192}}
input: {scale: 0.00784313725490196, offset: -1.0}
compile: {margin: 1.5, bootstrap: precise}
"""
GB = 1e9
MEMORY = {'full': '16G', 'quick': '2G'}


def figures(found):
    return {name: found[name] for name in ('command', 'seconds', 'cpu_seconds', 'peak_bytes')}


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
        self.bootstraps = Setup(self, 'bootstraps', model, REDUCED_BOOTSTRAPS if options.quick else BOOTSTRAPS)
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
        setup.read_keys()
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
        digests = [hashlib.sha256(f.read_bytes()).hexdigest() for f in files]
        if found['json'] is None:
            raise Failed(f'{found["command"]}: printed no JSON')
        return {**figures(found), **setup.accuracy(files), **setup.sizes(), **self.image_seconds(found['json']),
                'sha256': digests, 'killed': found['killed'],
                **{name: found['json'][name] for name in ('busy_seconds', 'tasks', 'lost_workers', 'sent_bytes',
                                                          'predicted_peak_bytes') if name in found['json']}}

    @staticmethod
    def image_seconds(found):
        """Of a single process each image's; of workers, which share them, when each was there."""
        seconds = sorted(r['seconds'] for r in found['results']) if 'workers' in found else \
            [r['seconds'] for r in found['results']]
        if 'workers' in found:
            last = {'seconds_last': seconds[-1] - seconds[-2]} if len(seconds) > 1 else {}
            return {'images': len(seconds), 'there_after': seconds, 'seconds_first': seconds[0], **last,
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

    def row_avx2(self):
        """As on a machine without AVX-512."""
        return self.infer(self.packed, ['--threads', '2'], before=['env', 'SINTER_ISA=avx2'])

    def workers(self, workers, images):
        return self.infer(self.packed, ['--workers', str(workers), '--threads', '1'], count=images)

    def row_workers_1(self):
        return self.workers(1, 1)

    def row_workers_2(self):
        """Every map of the one image is shared by both."""
        return self.workers(2, 1)

    def row_images_1(self):
        return self.workers(1, IMAGES)

    def row_images_2(self):
        """Each has an image of its own, then they share the third."""
        return self.workers(2, IMAGES)

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

    def row_bootstraps(self):
        """Nine levels and bootstraps in place of 26 levels."""
        return self.infer(self.bootstraps, ['--threads', '2'], count=2)

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
    'avx2': ('infer, 2 threads, AVX2 only', [], 'packed'),
    'workers_1': ('1 image, 1 worker', [], 'packed'),
    'workers_2': ('1 image, 2 workers', [], 'packed'),
    'images_1': ('3 images, 1 worker', [], 'packed'),
    'images_2': ('3 images, 2 workers', [], 'packed'),
    'killed_worker': ('1 image, 2 workers, one killed', [], 'packed'),
    'mpi_1': ('3 images, 1 MPI rank', [], 'packed'),
    'mpi_2': ('3 images, 2 MPI ranks', [], 'packed'),
    'separate': ('four patches apart, 2 threads', [], 'separate'),
    'bootstraps': ('two bootstraps, 2 threads', [], 'bootstraps'),
    'patch': ('one patch, 2 threads', [], 'patch'),
    'pcnn': ('pcnn-fashion, 2 threads', [('same_class_share', '>=', 0.99)], 'pcnn'),
    'pcnn_batch': ('pcnn-fashion, images share slots', [('same_class_share', '>=', 0.99)], 'pcnn'),
}
