# SPDX-License-Identifier: MIT
"""bench/memory.py: what axfarmd occupies, the whole process, in each of the situations that have a target.

A generated primary (bench/primary) serves the zones; axfarmd starts with an empty database and pulls them
all, so that every version is on the disk, too. The figure is PSS, as the kernel counts it: everything the
process has mapped, shared pages by their share. A peak is that of the resident set.
"""

import argparse
import json
import os
import resource
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'interop'))
import axfarm       # noqa: E402  pylint: disable=wrong-import-position
import harness      # noqa: E402  pylint: disable=wrong-import-position
import transfers    # noqa: E402  pylint: disable=wrong-import-position

MB = 1000000
KEY_OCTETS = 412        # of rdata in a TXT with a 2048-bit key
RECORDS = 2.7           # of a delegation
LOAD_S = 3600
SETTLED = 11            # looks in a row that see the same: what is removed is freed seconds later
NO_LARGER = 1.03        # what is left to chance
ROUNDS = 10


class Primary(harness.Process):
    """The generator, driven by lines."""

    def __init__(self, case, port, kind, zones, delegations=0):
        self.names = case.path('axfarm', 'zones.txt')
        super().__init__(case, 'primary', [
            os.path.join(axfarm.BUILD, 'bench', 'primary'), '--kind', kind, '--zones', str(zones),
            '--delegations', str(delegations), '--listen', '127.0.0.1@%d' % port, '--names', self.names])

    def start(self):
        with open(self.log_path, 'ab') as log:
            self.p = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                      start_new_session=True, encoding='ascii')
        self.read('ready')

    def read(self, end):
        lines = []
        while not lines or lines[-1] != end:
            line = self.p.stdout.readline()
            if line == '':
                raise harness.Failure('the primary ended: %s' % self.log())
            lines.append(line.strip())
            if lines[-1] == 'error':
                raise harness.Failure('the primary refuses')
        return lines[:-1]

    def command(self, text):
        self.p.stdin.write(text + '\n')
        self.p.stdin.flush()
        return self.read('ok')

    def sent(self):
        return int(self.command('count')[0])


class Farm:
    """One primary and one axfarmd that has loaded all of its zones."""

    def __init__(self, options, kind, zones, delegations=1, **settings):
        self.case = harness.Case('memory', options)
        harness.CASES.append(self.case)
        self.zones = zones
        self.workers = settings.get('workers', 0)
        self.history = settings.get('history', 20)
        self.primary_port, self.port = self.case.port(), self.case.port()
        self.primary = Primary(self.case, self.primary_port, kind, max(zones, 1), delegations)
        self.configure(zones > 0)
        self.daemon = harness.Process(self.case, 'axfarmd', ['/usr/bin/env'] + options.env + [
            os.path.join(axfarm.BUILD, 'axfarmd'), '-c', self.path('axfarm.yaml')])
        self.wait_loaded(zones)

    def path(self, name):
        return self.case.path('axfarm', name)

    def configure(self, with_zones):
        with open(self.path('axfarm.yaml'), 'w', encoding='ascii') as f:
            json.dump({
                'server': {'listen': ['127.0.0.1@%d' % self.port], 'workers': self.workers},
                'database': {'path': self.path('db')},
                'control': {'socket': self.path('sock')},
                'log': {'level': 'warning'},
                'primaries': [{'name': 'p', 'addresses': ['127.0.0.1@%d' % self.primary_port]}],
                'templates': [{'name': 'hosted', 'primaries': ['p'],
                               'history': {'versions': self.history}}],
                'zones': [{'file': 'zones.txt', 'template': 'hosted'}] if with_zones else []}, f)

    def ctl(self, *args, check=True):
        return harness.run([os.path.join(axfarm.BUILD, 'axfarmctl'), '-s', self.path('sock'), '--json'] +
                           list(args), check=check, timeout=300)

    def states(self):
        try:
            return json.loads(self.ctl('status', check=False))['zones_by_state']
        except (ValueError, KeyError):
            return None

    def served(self):
        states = self.states()
        if states is None:
            return -1
        return states.get('ok', 0) + states.get('refreshing', 0)

    def wait_loaded(self, zones):
        harness.LOOK_S = 0.02 if zones <= 10000 else 0.5
        harness.wait(lambda: '%d of %d zones' % (self.served(), zones),
                     lambda: self.daemon.must_live() and self.served() == zones, LOAD_S)

    def wait_settled(self):
        """Until nothing is refreshed any more."""
        harness.wait(lambda: 'zones to settle: %s' % self.states(),
                     lambda: self.daemon.must_live() and (self.states() or {}).get('ok', 0) == self.zones,
                     LOAD_S)

    def replace_all(self):
        before = self.primary.sent()
        self.primary.command('bump all')
        self.primary.command('notify 127.0.0.1@%d all' % self.port)
        harness.wait('all zones to be asked for again',
                     lambda: self.daemon.must_live() and self.primary.sent() - before >= self.zones, LOAD_S)
        self.wait_settled()

    def remove_all(self):
        self.configure(False)
        self.ctl('reload')
        self.wait_loaded(0)

    def add_all(self):
        self.configure(True)
        self.ctl('reload')
        self.wait_loaded(self.zones)

    def restart(self):
        self.daemon.stop(60.0)
        self.daemon.start()
        self.wait_loaded(self.zones)

    def status(self, what, name):
        with open('/proc/%d/%s' % (self.daemon.p.pid, what), encoding='ascii') as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(name + ':'))

    def pss(self):
        return self.status('smaps_rollup', 'Pss')

    def settled_pss(self):
        """Once it stays: what is freed is freed a little later."""
        seen = [self.pss()]

        def settled():
            seen.append(self.pss())
            last = seen[-SETTLED:]
            return len(seen) > SETTLED and max(last) - min(last) < min(last) * 0.005
        harness.LOOK_S = 0.5
        harness.wait('memory to settle', settled, 120)
        return seen[-1]

    def store_bytes(self):
        """What the store has taken from the system: versions, nodes, bodies, tables."""
        return json.loads(self.ctl('status'))['memory_bytes']

    def peak_reset(self):
        with open('/proc/%d/clear_refs' % self.daemon.p.pid, 'w', encoding='ascii') as f:
            f.write('5')

    def peak(self):
        return self.status('status', 'VmHWM')

    def detail(self):
        return {k: self.status('smaps_rollup', k) for k in ('Rss', 'Pss', 'Pss_Anon', 'Pss_File')}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.case.end()
        self.case.remove()


class Table:
    """Figures with their targets, printed as they come."""

    def __init__(self):
        self.rows = []

    def add(self, name, figure, unit, target=None):
        """`target` is the most that the figure may be."""
        self.rows.append({'what': name, 'value': figure, 'unit': unit})
        if target is not None:
            self.rows[-1]['at_most'] = target
        text = '' if target is None else 'at most %.4g%s' % (target, '' if figure <= target else '  MISSED')
        print('%-58s %10.4g %-14s %s' % (name, figure, unit, text), flush=True)


def hosting(table, options):
    targets = {100000: 100, 1000000: 1000}
    before = None
    for zones in options.sizes:
        with Farm(options, 'hosting', zones) as farm:
            pss = farm.settled_pss()
            table.add('%d hosting zones' % zones, pss / MB, 'MB', targets.get(zones))
            table.add('%d hosting zones, a zone' % zones, pss / zones, 'octets')
            if before is not None:
                table.add('each zone from %d to %d' % (before[0], zones),
                          (pss - before[1]) / (zones - before[0]), 'octets', 1000)
            before = (zones, pss)
            if options.restart:
                farm.restart()
                table.add('%d hosting zones, restarted' % zones, farm.settled_pss() / MB, 'MB',
                          targets.get(zones))


def parked(table, options):
    with Farm(options, 'parked', options.zones) as farm:
        table.add('%d parked zones' % options.zones, farm.settled_pss() / MB, 'MB',
                  250 * options.zones / MB)
        if options.restart:
            farm.restart()
            table.add('%d parked zones, restarted' % options.zones, farm.settled_pss() / MB, 'MB',
                      250 * options.zones / MB)


def dkim(table, options):
    zones = min(100000, options.zones)
    with Farm(options, 'hosting', zones) as farm:
        plain = farm.settled_pss()
    with Farm(options, 'dkim', zones) as farm:
        table.add('a key of 2048 bits in a zone (%d octets)' % KEY_OCTETS,
                  (farm.settled_pss() - plain) / zones, 'octets', KEY_OCTETS * 1.25)


def delegations(table, options):
    records = RECORDS * options.delegations
    for history in (0, 20):
        with Farm(options, 'delegations', 1, options.delegations, history=history) as farm:
            pss = farm.settled_pss()
            title = 'with' if history else 'without'
            if not history:
                table.add('a zone of %d delegations' % options.delegations, pss / records,
                          'octets/record', 60)
            for _ in range(2):
                farm.peak_reset()
                farm.replace_all()
                peak, after = farm.peak(), farm.settled_pss()
            table.add('while all of it is replaced by AXFR, %s history' % title, peak / records,
                      'octets/record', 132)
            table.add('after it', after / records, 'octets/record', None if history else 60)


def workers(table, options):
    zones = min(100000, options.zones)
    figures = {}
    for count in (1, 16):
        with Farm(options, 'hosting', 0, workers=count) as farm:
            empty = farm.settled_pss()
        with Farm(options, 'hosting', zones, workers=count) as farm:
            figures[count] = (empty, farm.settled_pss(), farm.store_bytes())
    table.add('one worker without zones', figures[1][0] / MB, 'MB')
    table.add('each worker more', (figures[16][0] - figures[1][0]) / 15 / MB, 'MB', 4)
    table.add('each worker more, after loading %d zones' % zones,
              (figures[16][1] - figures[1][1]) / 15 / MB, 'MB', 4)
    table.add('the store of %d zones with 16 workers to one' % zones, figures[16][2] / figures[1][2],
              'times', 1.1)


def rounds(table, options):
    zones = min(100000, options.zones)
    with Farm(options, 'hosting', zones, history=0) as farm:
        table.add('%d zones before' % zones, farm.settled_pss() / MB, 'MB')
        first = None
        for n in range(ROUNDS):
            farm.replace_all()
            pss = farm.settled_pss()
            first = first or pss
            if options.verbose:
                print('  round %d: %.1f MB' % (n + 1, pss / MB), flush=True)
        table.add('after replacing all once', first / MB, 'MB')
        table.add('after replacing all %d times, to once' % ROUNDS, pss / first, 'times', NO_LARGER)
        first = None
        for n in range(ROUNDS):
            farm.remove_all()
            gone = farm.settled_pss()
            farm.add_all()
            pss = farm.settled_pss()
            first = first or (gone, pss)
            if options.verbose:
                print('  round %d: %.1f MB, %.1f MB' % (n + 1, gone / MB, pss / MB), flush=True)
        table.add('all removed once', first[0] / MB, 'MB')
        table.add('all removed %d times, to once' % ROUNDS, gone / first[0], 'times', NO_LARGER)
        table.add('all added again %d times, to once' % ROUNDS, pss / first[1], 'times', NO_LARGER)


SECTIONS = {f.__name__: f for f in (hosting, parked, dkim, delegations, workers, rounds)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--only', action='append', choices=SECTIONS, help='this section (may be repeated)')
    parser.add_argument('--sizes', default='1000,10000,100000,1000000', help='numbers of hosting zones')
    parser.add_argument('--zones', type=int, default=1000000, help='at most, in the other sections')
    parser.add_argument('--delegations', type=int, default=1000000, help='in the large zone')
    parser.add_argument('--restart', action='store_true', help='also measure after a restart')
    parser.add_argument('--env', action='append', default=[], metavar='NAME=VALUE',
                        help='for axfarmd: LD_PRELOAD= tries another allocator')
    parser.add_argument('--verbose', action='store_true', help='each round')
    parser.add_argument('--json', metavar='FILE', help='also write the figures there')
    options = parser.parse_args()
    options.keep = False
    options.sizes = [int(x) for x in options.sizes.split(',')]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    harness.end_on_signals()
    table = Table()
    print(transfers.machine())
    for name, section in SECTIONS.items():
        if not options.only or name in options.only:
            section(table, options)
    if options.json:
        with open(options.json, 'w', encoding='ascii') as f:
            json.dump({'machine': transfers.machine(), 'figures': table.rows}, f, indent=1)


if __name__ == '__main__':
    main()
