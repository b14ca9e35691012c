# SPDX-License-Identifier: Apache-2.0
"""What was measured as a table, beside what has to be reached, and the ratios of rows."""
from rows import GB, ROWS

RATIOS = [  # title, row, row, field, at least
    ('2 threads over 1', 'threads_1', 'threads_2', 'seconds_best', 1.8),
    ('2 workers over 1, three images', 'images_1', 'images_2', 'seconds_per_image', 1.7),
    ('2 workers over 1, the third of them alone', 'images_1', 'images_2', 'seconds_last', 1.7),
    ('2 workers over 1, one image, processes just started', 'workers_1', 'workers_2', 'seconds_per_image', 1.7),
    ('2 MPI ranks over 1, three images', 'mpi_1', 'mpi_2', 'seconds_per_image', 1.7),
    ('2 MPI ranks over 1, the third of them alone', 'mpi_1', 'mpi_2', 'seconds_last', 1.7),
    ('patches apart over packed', 'separate', 'threads_2', 'seconds_best', None),
    ('predicted over measured, 1 thread', 'compile', 'threads_1', ('predicted_seconds', 'seconds_best'), None),
]
SAME_BYTES = ['threads_1', 'threads_2', 'together', 'avx2', 'workers_1', 'workers_2', 'images_1', 'images_2',
              'killed_worker', 'mpi_1', 'mpi_2']


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
    digests = [results[r]['sha256'] for r in SAME_BYTES if 'sha256' in results.get(r, {})]
    if digests:
        longest = max(digests, key=len)
        same = 'the same bytes' if all(d == longest[:len(d)] for d in digests) else 'DIFFERENT BYTES'
        print(f'results of threads, workers and ranks: {same}')
