#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./run bench ckks`: one table of the CKKS engine beside its scalar code in the same run, Lattigo, OpenFHE and
the targets of the specification.

    ckks.py [--json FILE] [--before FILE] [--quick] [--rounds 2] [--seconds 1] [--isa avx2]
    ckks.py --profile        where the time of a rotation goes

ckks_bench is started for each group of rows and each instruction set in turns, --rounds times; the medians of
all samples are shown. "scalar ms" of a transform is the textbook function in the same process, of everything
else the same operation with SINTER_ISA=scalar. --before shows an earlier --json file in a column of its own.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GROUPS = ['transforms', 'operations_16', 'operations_15', 'network', 'matrix']
QUICK = ['transforms', 'operations_16']
PEERS = """Lattigo 6.1.1 and OpenFHE 1.5.1: CPU ms on one thread of a 2-core AMD EPYC (Zen 3, 3.26 GHz), from
spec/ckks.md. Bootstrapping: Lattigo with the same chain of primes (18300 ms and 26.8 bits with 60-bit primes),
OpenFHE with 59-bit primes (20 bits, 6 levels left)."""

# row -> ms of Lattigo, of OpenFHE, and what has to be reached (ms)
TABLE = {
    'ntt_forward_15': ('0.44-0.46', '0.39', 0.095),
    'ntt_forward_16': ('0.96', '0.80', 0.20),
    'rotate_16': ('324', '357-405', 70),
    'multiply_16': ('332', '376-438', 75),
    'hoisted_16': ('1157', '1471-1527', 260),
    'rescale_16': ('54', '54-63', 12),
    'encode_16': ('39-95', '31', 9),
    'chebyshev_15': ('2100', '2200-2400', 500),
    'matrix_ahead': ('3600-4800', '-', 900),
    'matrix_on_the_fly': ('3600-4800', '-', 900),
    'bootstrap_fast': ('19200', '28800', 5000),
    'bootstrap_precise': ('25500', '28800', 6500),
}
TRANSFORM_RATIO, TWO_THREADS, LOADING_MS, BOOTSTRAP_TWO_MS = 4.5, 1.8, 100, 2800
BOOTSTRAPS = [('fast', 0), ('precise', 0), ('fast', 12), ('precise', 12)]  # preset, log2 of the slots; 0 = all
PEAK_GB = 7
BITS = {'fast': 14.5, 'precise': 18}  # mean over the vectors


def run(command, isa, **options):
    result = subprocess.run([str(c) for c in command], text=True, capture_output=True,
                            env={**os.environ, 'SINTER_ISA': isa}, **options)
    if result.returncode != 0:
        sys.exit(f'{" ".join(map(str, command))}: {result.stderr.strip()}')
    return result.stdout


def merge(rows, isa, found):
    """Adds the samples of one call to rows[name]['samples'][form]; the form 'scalar' is form 1 of that run."""
    for name, row in found['rows'].items():
        kept = rows.setdefault(name, {'operation': row['operation'], 'parameters': row['parameters'],
                                      'butterflies': row.get('butterflies'), 'precision': row.get('precision'),
                                      'samples': {}})
        for form, times in row['forms'].items():
            key = 'scalar' if isa == 'scalar' else form
            for unit, values in times.items():
                kept['samples'].setdefault(key, {}).setdefault(unit, []).extend(values)


def measure(options):
    rows = {}
    for group in QUICK if options.quick else GROUPS:
        command = [options.build / 'bench/ckks_bench', group, '--seconds', options.seconds]
        for at in range(options.rounds):
            merge(rows, options.isa, json.loads(run(command, options.isa)))
            if group != 'transforms':  # these carry their textbook form
                merge(rows, 'scalar', json.loads(run(command + ['--one-thread'], 'scalar')))
        print(f'{group} done', file=sys.stderr)
    return [row for name in rows for row in summary(name, rows[name])]


def summary(name, row):
    """The table's rows of one measured row: one for each number of threads."""
    median = {form: {unit: statistics.median(values) for unit, values in times.items()}
              for form, times in row['samples'].items()}
    reference = median.get('textbook') or median.get('scalar')
    lattigo, openfhe, target = TABLE.get(name, (None, None, None))
    one = median['1']
    out = {'name': name, 'operation': row['operation'], 'parameters': row['parameters'], 'threads': 1,
           'cpu_ms': one['cpu_ms'], 'least_cpu_ms': min(row['samples']['1']['cpu_ms']),
           'samples': len(row['samples']['1']['cpu_ms']), 'scalar_ms': reference['cpu_ms'],
           'ratio': reference['cpu_ms'] / one['cpu_ms'],
           'lattigo_ms': lattigo, 'openfhe_ms': openfhe, 'target_ms': target,
           'met': None if target is None else one['cpu_ms'] <= target}
    if row['precision']:
        out['precision'] = row['precision']
    if row['butterflies']:
        out['ns_per_butterfly'] = 1e6 * one['cpu_ms'] / row['butterflies']
        out['scalar_ns_per_butterfly'] = 1e6 * reference['cpu_ms'] / row['butterflies']
        out['target_ratio'] = TRANSFORM_RATIO
    yield out
    if '2' in median:
        yield {'name': name + '_2', 'operation': row['operation'], 'parameters': row['parameters'],
               'threads': 2, 'cpu_ms': median['2']['cpu_ms'], 'wall_ms': median['2']['wall_ms'],
               'wall_ratio': one['wall_ms'] / median['2']['wall_ms'], 'target_ratio': TWO_THREADS}


def key_rows(options):
    """Sizes and loading of 14 rotation keys, 2.1 GB; figures of one run, wall time."""
    facts = json.loads(run([options.build.resolve() / 'bench/ckks_bench', 'keys'], options.isa,
                           cwd=options.build / 'bench'))['rows']
    whole = facts['keys_uncompressed']['value']
    for name, fact in facts.items():
        row = {'name': name, 'operation': fact['operation'], 'parameters': fact['parameters'], 'threads': 1}
        if fact['unit'] == 'MB':
            row['note'] = f"{fact['value']:.0f} MB, {whole / fact['value']:.2f} times smaller"
            row['megabytes'] = fact['value']
        else:
            target = LOADING_MS if name == 'keys_map' else None
            row |= {'wall_ms': fact['value'], 'target_ms': target,
                    'met': target is None or fact['value'] <= target}
        yield row


def bootstrap(options, isa, preset, log_slots, threads, vectors):
    command = [options.build / 'bench/ckks_bootstrap_bench', '--preset', preset, '--log-slots', log_slots,
               '--threads', threads, '--vectors', vectors]
    found = json.loads(run(command, isa))
    print(f'bootstrapping {preset} {log_slots} {isa} done', file=sys.stderr)
    return found


def bootstrap_rows(options):
    """Every preset on one thread, the first on two threads and with scalar code too."""
    for preset, log_slots in BOOTSTRAPS:
        name = f'bootstrap_{preset}' + (f'_{log_slots}' if log_slots else '')
        one = bootstrap(options, options.isa, preset, log_slots, 1, options.vectors)
        least, peak_met = BITS[preset], one['peak_rss_bytes'] <= 1e9 * PEAK_GB
        row = {'name': name, 'operation': f'bootstrapping, {preset}', 'threads': 1,
               'parameters': f"N=2^16, 2^{log_slots or 15} slots, log2 QP {one['log2_qp']:.0f}",
               'cpu_ms': 1e3 * one['cpu_seconds'], 'found': one,
               'precision': {'mean': one['bits_mean'], 'min': one['bits_min']},
               'target_bits': least, 'peak_met': peak_met,
               'note': f"{one['levels_left']} levels left; keys {one['key_bytes'] / 1e9:.2f} GB; "
                       f"peak {one['peak_rss_bytes'] / 1e9:.1f} GB, <= {PEAK_GB} {verdict(peak_met)}"}
        row['lattigo_ms'], row['openfhe_ms'], row['target_ms'] = TABLE.get(name, (None, None, None))
        if row['target_ms']:
            row['met'] = row['cpu_ms'] <= row['target_ms']
        if name != 'bootstrap_fast':
            yield row
            continue
        scalar = bootstrap(options, 'scalar', preset, log_slots, 1, 2)
        row['scalar_ms'] = 1e3 * scalar['cpu_seconds']
        row['ratio'] = row['scalar_ms'] / row['cpu_ms']
        yield row
        two = bootstrap(options, options.isa, preset, log_slots, 2, 3)
        yield {**{key: row[key] for key in ('operation', 'parameters')}, 'name': name + '_2', 'threads': 2,
               'cpu_ms': 1e3 * two['cpu_seconds'], 'wall_ms': 1e3 * two['wall_seconds'], 'found': two,
               'wall_ratio': one['wall_seconds'] / two['wall_seconds'], 'target_ratio': TWO_THREADS,
               'wall_target_ms': BOOTSTRAP_TWO_MS}


def demo(options):
    """CPU seconds of the server for one image, keys loaded from the file each time."""
    rows = []
    work = options.build / 'bench/ckks_demo'
    for isa in [options.isa, 'scalar']:
        run([sys.executable, ROOT / 'tools/demo.py', '--sinter', options.build / 'sinter', '--work', work,
             '--images', 2 if isa == 'scalar' else 5], isa)
        report = json.loads((work / 'report.json').read_text())
        steps = [s for s in report['steps'] if s['step'] == 'infer']
        rows.append({'cpu_ms': 1e3 * statistics.median(s['cpu_seconds'] for s in steps),
                     'wall_ms': 1e3 * statistics.median(s['seconds'] for s in steps)})
    fast, scalar = rows
    return {'name': 'demo', 'operation': 'encrypted demo, one image', 'parameters': 'N=2^15, 12+4 primes',
            'threads': 2, **fast, 'scalar_ms': scalar['cpu_ms'], 'ratio': scalar['cpu_ms'] / fast['cpu_ms']}


def number(value):
    if value is None:
        return ''
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f'{value:.{digits}f}'


def verdict(met):
    return 'yes' if met else 'NO'


def target_text(row):
    if row.get('target_ms') is None:
        return ''
    return f"<= {row['target_ms']:g} {verdict(row['met'])}"


def note(row):
    parts = [row['note']] if 'note' in row else []
    if 'ns_per_butterfly' in row:
        parts.append(f"{row['ns_per_butterfly']:.2f} ns/butterfly, textbook {row['scalar_ns_per_butterfly']:.2f}")
    if 'wall_ms' in row:
        parts.append(f"wall {number(row['wall_ms'])} ms"
                     + (f", <= {row['wall_target_ms']} " + verdict(row['wall_ms'] <= row['wall_target_ms'])
                        if 'wall_target_ms' in row else ''))
    if 'wall_ratio' in row:
        parts.append(f"{row['wall_ratio']:.2f} times one thread, >= {row['target_ratio']} "
                     + verdict(row['wall_ratio'] >= row['target_ratio']))
    elif 'target_ratio' in row:
        parts.append(f">= {row['target_ratio']} times "
                     + verdict(row['ratio'] >= row['target_ratio']))
    if 'precision' in row:
        mean, worst = row['precision']['mean'], row['precision']['min']
        parts.append(f'mean {mean:.1f}, worst {worst:.1f} bits'
                     + (f", mean >= {row['target_bits']} {verdict(mean >= row['target_bits'])}"
                        if 'target_bits' in row else ''))
    return '; '.join(parts)


def show(rows, before, markdown):
    header = ['operation', 'parameters', 'threads', 'CPU ms', 'scalar ms', 'ratio', 'Lattigo', 'OpenFHE', 'target',
              'note']
    lines = [[r['operation'], r['parameters'], str(r['threads']), number(r.get('cpu_ms')), number(r.get('scalar_ms')),
              number(r.get('ratio')), r.get('lattigo_ms') or '', r.get('openfhe_ms') or '', target_text(r), note(r)]
             for r in rows]
    if before:
        earlier = {r['name']: r.get('cpu_ms') for r in before['rows']}
        header.insert(4, 'before')
        for line, row in zip(lines, rows):
            line.insert(4, number(earlier.get(row['name'])))
    if markdown:
        for line in [header, ['---'] * len(header)] + lines:
            print('| ' + ' | '.join(line) + ' |')
    else:
        widths = [max(len(line[i]) for line in [header] + lines) for i in range(len(header))]
        left = {0, 1, len(header) - 1}
        for line in [header] + lines:
            print('  '.join(c.ljust(w) if i in left else c.rjust(w)
                            for i, (c, w) in enumerate(zip(line, widths))).rstrip())
    print(f'\n{PEERS}\nN=2^15 with 24+5 primes is not 128-bit secure; it is measured because the peers were.')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--build', type=pathlib.Path, default=ROOT / 'build/release')
    parser.add_argument('--json', type=pathlib.Path, help='where the figures go')
    parser.add_argument('--before', type=pathlib.Path, help='an earlier --json file to show beside')
    parser.add_argument('--markdown', action='store_true', help='the table as docs/ckks.md has it')
    parser.add_argument('--from', dest='source', type=pathlib.Path, help='show this --json file, measure nothing')
    parser.add_argument('--isa', default='avx2', help='instruction set to measure, avx2 or avx512ifma')
    parser.add_argument('--quick', action='store_true', help='transforms and operations at N=2^16 only')
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--seconds', type=float, default=1, help='of samples a row and round')
    parser.add_argument('--vectors', type=int, default=10, help='bootstrapped with each preset')
    parser.add_argument('--profile', action='store_true', help="where a rotation's time goes, and nothing else")
    options = parser.parse_args()
    if options.profile:
        print(run([options.build / 'bench/ckks_bench', 'profile'], options.isa), end='')
        return
    before = json.loads(options.before.read_text()) if options.before else None
    if options.source:
        show(json.loads(options.source.read_text())['rows'], before, options.markdown)
        return
    started = time.time()
    rows = measure(options)
    if not options.quick:
        rows += [*bootstrap_rows(options), *key_rows(options), demo(options)]
    show(rows, before, options.markdown)
    print(f'{time.time() - started:.0f} s')
    if options.json:
        options.json.write_text(json.dumps({'isa': options.isa, 'rows': rows, 'peers': PEERS}, indent=1) + '\n')


if __name__ == '__main__':
    main()
