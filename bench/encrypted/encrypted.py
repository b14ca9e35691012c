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
import json
import os
import pathlib
import shutil
import sys
import time

from commands import Failed, NotAvailable
from network import ROOT
from rows import ROWS, Bench
from summary import show


def clean(bench, pending):
    """Removes the setups that no pending row needs; results stay."""
    needed = {ROWS[row][2] for row in pending}
    for setup in ('packed', 'separate', 'bootstraps', 'patch', 'pcnn'):
        if setup not in needed and not bench.options.keep:
            keep = bench.results_folder
            for page in (bench.work / setup).glob('*.html'):
                page.replace(keep / f'{setup}-{page.name}')
            shutil.rmtree(bench.work / setup, ignore_errors=True)


def arguments():
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
    options.only = [row for row in options.only.split(',') if row]
    for row in options.only:
        if row not in ROWS:
            parser.error(f'unknown row {row}: expected some of {", ".join(ROWS)}')
    return options


def measure(bench, row):
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


def main():
    options = arguments()
    if options.list:
        for row, (title, _, _) in ROWS.items():
            print(f'{row:14} {title}')
        return 0
    bench = Bench(options)
    done = {row for row, result in bench.results().items() if 'failed' not in result and 'missing' not in result}
    pending = options.only or [row for row in ROWS if row not in done]
    while pending:
        measure(bench, pending.pop(0))
        clean(bench, pending)
    results = bench.results()
    show(results, options.quick)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + '\n')
    return 1 if any('failed' in r for r in results.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
