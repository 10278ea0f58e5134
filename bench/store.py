#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/store.py: all figures of the store in one table, each beside its target.

Runs the benchmarks of memory, speed, restart, disk and updates at a rate one after the other, each in processes of its own and in the
build folder, and keeps what they measured as one JSON file. All at full size takes about half an hour; --quick takes the small
sizes only, which says less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, 'bench')
BUILD = os.path.abspath(os.environ.get('AXFARM_BUILD', os.path.join(ROOT, 'build')))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'interop'))
sys.path.insert(0, BENCH)
import transfers    # noqa: E402  pylint: disable=wrong-import-position


def program(name, *arguments):
    return [os.path.join(BUILD, 'bench', name)] + list(arguments)


def script(name, *arguments):
    return [sys.executable, os.path.join(BENCH, name)] + list(arguments)


# title: command at full size, and the quick one; each writes its figures to the file after --json
PARTS = {
    'memory': (script('memory.py'),
               script('memory.py', '--sizes', '1000,10000,100000', '--zones', '100000', '--delegations', '100000')),
    'speed': (program('store_bench', '100000', '1000000'), program('store_bench', '10000', '100000')),
    'restart': (script('restart.py'), script('restart.py', '--zones', '100000', '--runs', '1')),
    'disk': (program('disk_bench'), program('disk_bench')),
    'rate': (program('rate_bench'), program('rate_bench', '10000', '2')),
}


def measure(title, command, verbose):
    """Runs one benchmark; its figures, each with `part`. A benchmark that fails has none, and says why."""
    with tempfile.NamedTemporaryFile(suffix='.json') as out:
        # The file comes first: programs take what follows it as sizes.
        command = command[:1] + ['--json', out.name] + command[1:] if command[0] != sys.executable else \
            command + ['--json', out.name]
        done = subprocess.run(command, check=False, stdout=None if verbose else subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding='utf-8', cwd=BUILD,
                              env=dict(os.environ, AXFARM_BUILD=BUILD))
        if done.returncode != 0:
            print('%s: failed with status %d\n%s' % (title, done.returncode, (done.stdout or '')[-2000:]),
                  file=sys.stderr)
            return None
        figures = json.load(open(out.name, encoding='utf-8'))['figures']
    return [dict(f, part=title) for f in figures]


def target_of(figure):
    if 'at_most' in figure:
        return 'at most %.6g' % figure['at_most']
    if 'at_least' in figure:
        return 'at least %.6g' % figure['at_least']
    return ''


def verdict_of(figure):
    if 'at_most' in figure:
        return 'met' if figure['value'] <= figure['at_most'] else 'MISSED'
    if 'at_least' in figure:
        return 'met' if figure['value'] >= figure['at_least'] else 'MISSED'
    return ''


def show(figures):
    width = max(len(f['what']) for f in figures)
    part = None
    for f in figures:
        if f['part'] != part:
            part = f['part']
            print('\n%s' % part)
        print(('  %-*s  %12.5g %-14s %-18s %s' % (
            width, f['what'], f['value'], f['unit'], target_of(f), verdict_of(f))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('parts', nargs='*', metavar='PART', help='some of: %s' % ' '.join(PARTS))
    parser.add_argument('--quick', action='store_true', help='small sizes')
    parser.add_argument('--verbose', action='store_true', help='show what each benchmark prints')
    parser.add_argument('--json', metavar='FILE', default=os.path.join(BUILD, 'bench-store.json'),
                        help='where the figures go (default: bench-store.json in the build folder)')
    options = parser.parse_args()
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error('no such part: %s' % ' '.join(unknown))
    print(transfers.machine(), flush=True)
    figures = []
    failed = False
    for title, commands in PARTS.items():
        if options.parts and title not in options.parts:
            continue
        print('measuring %s ...' % title, file=sys.stderr, flush=True)
        got = measure(title, commands[options.quick], options.verbose)
        failed = failed or got is None
        figures += got or []
    if figures:
        show(figures)
        with open(options.json, 'w', encoding='utf-8') as out:
            json.dump({'benchmark': 'store', 'machine': transfers.machine(), 'quick': options.quick,
                       'figures': figures}, out, indent=1)
            out.write('\n')
        missed = sum(verdict_of(f) == 'MISSED' for f in figures)
        print('\n%d figures, %d targets missed; written to %s' % (len(figures), missed, options.json))
    return 1 if failed or not figures else 0


if __name__ == '__main__':
    sys.exit(main())
