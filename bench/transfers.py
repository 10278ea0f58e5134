#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/transfers.py: all figures of transfers in one table, each beside its target.

Each part runs generator primaries (bench/primary) or Knot, and axfarmd with an empty database on a disk, all on this
machine: what they take from each other is part of the figures, so CPU time is shown beside every time. No figure is
shown of a run after which a zone lacked its primary's serial. All at full size takes about half an hour.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'interop'))
import axfarm               # noqa: E402  pylint: disable=wrong-import-position
import harness              # noqa: E402  pylint: disable=wrong-import-position
import transfer_adaptive    # noqa: E402  pylint: disable=wrong-import-position
import transfer_changes     # noqa: E402  pylint: disable=wrong-import-position
import transfer_farm        # noqa: E402  pylint: disable=wrong-import-position
import transfer_knot        # noqa: E402  pylint: disable=wrong-import-position
import transfer_load        # noqa: E402  pylint: disable=wrong-import-position
import transfer_scale       # noqa: E402  pylint: disable=wrong-import-position

machine = transfer_farm.machine             # for the other benchmarks
cpu_seconds = transfer_farm.cpu_seconds
OUT = os.path.join(ROOT, 'bench', 'out.py')


def out(table, options):
    """Transfers out are measured by a program of their own."""
    if not os.path.exists(OUT):
        print('  (there is no bench/out.py)')
        return
    with tempfile.NamedTemporaryFile(suffix='.json') as file:
        done = subprocess.run([sys.executable, OUT, '--json', file.name, '--delegations', str(options.delegations)],
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8',
                              env=dict(os.environ, AXFARM_BUILD=axfarm.BUILD))
        if done.returncode != 0:
            table.fail('transfers out', done.stdout[-1000:])
            return
        with open(file.name, encoding='utf-8') as f:
            figures = json.load(f)['figures']
    for f in figures:
        table.add(f['what'], f['value'], f['unit'], at_most=f.get('at_most'), at_least=f.get('at_least'))


PARTS = {
    'load': transfer_load.load,
    'propagation': transfer_changes.propagation,
    'lanes': transfer_changes.lanes,
    'scale': transfer_scale.scale,
    'adaptive': transfer_adaptive.adaptive,
    'out': out,
    'knot': transfer_knot.knot,
}

# option: at full size, and quick
SIZES = {
    'zones': (100000, 10000),
    'large': (1000000, 50000),
    'delegations': (1000000, 100000),
    'each': (5000, 500),
    'slow': (10000, 1000),
    'seconds': (5, 2),
    'dead_seconds': (60, 15),
    'refresh': (60, 10),
    'runs': (3, 1),
    'knot_zones': (5000, 2000),
    'knot_changes': (500, 100),
}
HELP = {
    'zones': 'of a load',
    'large': 'zones of the large farm',
    'delegations': 'of the large zone',
    'each': 'zones of each behaviour',
    'slow': 'slow transfers at once',
    'seconds': 'of changes at a rate',
    'dead_seconds': 'for which a primary is dead',
    'refresh': 'seconds of the refresh time whose spread is measured',
    'runs': 'of which the median counts, where one run is short',
    'knot_zones': 'zones of Knot',
    'knot_changes': 'changes at Knot',
}


def read_options():
    parser = argparse.ArgumentParser(prog='./dev bench transfers', description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('parts', nargs='*', metavar='PART', help='some of: %s' % ' '.join(PARTS))
    parser.add_argument('--quick', action='store_true', help='small sizes')
    for name, (full, quick) in SIZES.items():
        parser.add_argument('--' + name.replace('_', '-'), type=int, metavar='N',
                            help='%s (%d, quick %d)' % (HELP[name], full, quick))
    parser.add_argument('--rates', default='1000,5000,20000', help='changes a second')
    parser.add_argument('--dir', metavar='FOLDER', help='for databases, on a disk (default /var/tmp)')
    parser.add_argument('--env', action='append', default=[], metavar='NAME=VALUE', help='for axfarmd')
    parser.add_argument('--keep', action='store_true', help='keep databases and logs')
    parser.add_argument('--json', metavar='FILE', default=os.path.join(axfarm.BUILD, 'bench-transfers.json'),
                        help='where the figures go (default: bench-transfers.json in the build folder)')
    options = parser.parse_args()
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error('no such part: %s' % ' '.join(unknown))
    for name, sizes in SIZES.items():
        if getattr(options, name) is None:
            setattr(options, name, sizes[options.quick])
    options.rates = [int(x) for x in options.rates.split(',')]
    return options


def main():
    options = read_options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    harness.end_on_signals()
    table = transfer_farm.Table()
    print('%s; load average %.1f' % (machine(), os.getloadavg()[0]), flush=True)
    print('databases in %s, durable; zones of 12 records' % transfer_farm.disk_folder(options.dir))
    for title, part in PARTS.items():
        if options.parts and title not in options.parts:
            continue
        print('\n%s' % title, flush=True)
        table.part = title
        try:
            part(table, options)
        except harness.Failure as e:
            table.fail(title, str(e))
    with open(options.json, 'w', encoding='utf-8') as f:
        json.dump({'benchmark': 'transfers', 'machine': machine(), 'quick': options.quick,
                   'figures': table.rows, 'failures': table.failures}, f, indent=1)
        f.write('\n')
    missed = sum(transfer_farm.verdict_of(f) == 'MISSED' for f in table.rows)
    print('\n%d figures, %d targets missed, %d measurements failed; written to %s' % (
        len(table.rows), missed, len(table.failures), options.json))
    return 1 if table.failures else 0


if __name__ == '__main__':
    sys.exit(main())
