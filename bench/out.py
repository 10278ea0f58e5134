# SPDX-License-Identifier: MIT
"""bench/out.py: a large zone sent out by AXFR, to one client and to many, signed or not, beside slow ones.

A generated primary (bench/primary) serves one zone of delegations, axfarmd pulls it once; bench/pull then
pulls it from axfarmd. MB/s are octets of DNS messages by the wall clock; CPU is axfarmd's alone. Clients and
server share the machine. What HMAC costs by itself is measured in the same run by bench/xfr_out_bench.
"""

import argparse
import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'interop'))
import axfarm       # noqa: E402  pylint: disable=wrong-import-position
import harness      # noqa: E402  pylint: disable=wrong-import-position
import memory       # noqa: E402  pylint: disable=wrong-import-position
import transfers    # noqa: E402  pylint: disable=wrong-import-position

MB = 1000000
ZONE = 'registry.'
SECRET = 'a secret of thirty-two octets...'
ALGORITHM = 'hmac-sha256'
SETTLE_S = 2.0


class Farm(memory.Farm):
    """The zone of delegations, which anybody on this machine may pull."""

    def configure(self, with_zones):
        with open(self.path('axfarm.yaml'), 'w', encoding='ascii') as f:
            json.dump({
                'server': {'listen': ['127.0.0.1@%d' % self.port], 'workers': self.workers},
                'database': {'path': self.path('db')},
                'control': {'socket': self.path('sock')},
                'log': {'level': 'warning'},
                'keys': [{'name': 'k', 'algorithm': ALGORITHM,
                          'secret': base64.b64encode(SECRET.encode()).decode()}],
                'primaries': [{'name': 'p', 'addresses': ['127.0.0.1@%d' % self.primary_port]}],
                'templates': [{'name': 'hosted', 'primaries': ['p'],
                               'allow-transfer': ['127.0.0.0/8', {'key': 'k'}]}],
                'zones': [{'file': 'zones.txt', 'template': 'hosted'}] if with_zones else []}, f)

    def pull_args(self, *args, signed=False):
        return ([os.path.join(axfarm.BUILD, 'bench', 'pull'), '--to', '127.0.0.1@%d' % self.port,
                 '--zone', ZONE] + (['--key', 'k:%s:%s' % (ALGORITHM, SECRET)] if signed else []) +
                [str(a) for a in args])

    def cpu(self):
        """CPU seconds of the process: its clock is finer than what /proc tells."""
        return time.clock_gettime((~self.daemon.p.pid << 3) | 2)

    def pull(self, *args, signed=False):
        """What one run of the clients saw, with axfarmd's CPU seconds."""
        before = self.cpu()
        run = subprocess.run(self.pull_args(*args, signed=signed), check=True, capture_output=True,
                             encoding='ascii', timeout=900)
        seen = json.loads(run.stdout.splitlines()[-1])
        seen['cpu'] = self.cpu() - before
        return seen


class Table:
    """Figures with what they should be, printed as they come."""

    def __init__(self):
        self.rows = []

    def add(self, name, figure, unit, at_least=None, at_most=None):
        row = {'what': name, 'value': figure, 'unit': unit}
        text = ''
        if at_least is not None:
            row['at_least'] = at_least
            text = 'at least %.4g%s' % (at_least, '' if figure >= at_least else '  MISSED')
        if at_most is not None:
            row['at_most'] = at_most
            text = 'at most %.4g%s' % (at_most, '' if figure <= at_most else '  MISSED')
        self.rows.append(row)
        print('%-58s %10.4g %-14s %s' % (name, figure, unit, text), flush=True)


def hmac_speed():
    """MB/s of HMAC alone, by size."""
    run = subprocess.run([os.path.join(axfarm.BUILD, 'bench', 'xfr_out_bench'), '--hmac'], check=True,
                         capture_output=True, encoding='ascii')
    return json.loads(run.stdout.splitlines()[-1])


def speed(table, farm, options, clients, signed, at_least):
    """Best of the runs: what other work on the machine takes is none of the server's doing."""
    runs = [farm.pull('--clients', clients, '--threads', min(clients, options.threads), signed=signed)
            for _ in range(options.runs)]
    rates = [r['octets'] / r['seconds'] / MB for r in runs]
    best = runs[rates.index(max(rates))]
    name = '%d client%s%s' % (clients, '' if clients == 1 else 's', ', ' + ALGORITHM if signed else '')
    table.add(name, max(rates), 'MB/s', at_least=at_least)
    table.add(name + ', median', statistics.median(rates), 'MB/s')
    table.add(name + ', CPU of axfarmd', min(r['cpu'] / r['octets'] * 1e9 for r in runs), 's/GB')
    table.add(name + ', records', best['records'] * clients / best['seconds'] / 1e6, 'million/s')
    best['least_cpu'] = min(r['cpu'] / r['octets'] for r in runs)
    return best


def plain(table, farm, options):
    one = speed(table, farm, options, 1, False, 600)
    table.add('octets of a record in the stream', one['octets'] / one['records'], 'octets')
    table.add('octets of a message', one['octets'] / one['messages'], 'octets')
    speed(table, farm, options, 16, False, 1500)


def signed(table, farm, options):
    raw = hmac_speed()
    for size, rate in sorted(raw.items(), key=lambda x: int(x[0])):
        table.add('%s alone, %s octets' % (ALGORITHM, size), rate, 'MB/s')
    least = 0.6 * raw['16384']
    for clients in (1, 16):
        best = speed(table, farm, options, clients, True, least)
        table.add('%d client%s, what a second of CPU sends, to HMAC' % (clients, '' if clients == 1 else 's'),
                  1 / best['least_cpu'] / MB / raw['16384'], 'times')


def checked(table, farm, _):
    """Every record of every client read: the same content, as many as the zone has."""
    seen = [farm.pull('--clients', n, '--check', signed=s) for n, s in ((1, False), (1, True), (4, False))]
    facts = json.loads(farm.ctl('zone', 'status', ZONE))
    for s in seen:
        if s['records'] != facts['records'] + 1 or s['sum'] != seen[0]['sum']:
            raise harness.Failure('the clients saw something else: %s' % seen)
    print('every record read, every signature verified: %d records, sum %s' %
          (seen[0]['records'], seen[0]['sum']))
    table.add('octets of a record without compression', seen[0]['wire'] / seen[0]['records'], 'octets')


def kernel_tcp_bytes():
    with open('/proc/net/sockstat', encoding='ascii') as f:
        fields = next(line for line in f if line.startswith('TCP:')).split()
    return int(fields[fields.index('mem') + 1]) * os.sysconf('SC_PAGE_SIZE')


def slow(table, farm, options):
    """Clients that take little a second, beside one that takes all it can and one that asks questions."""
    idle = farm.pull('--clients', 0, '--queries', '--seconds', 2)
    alone = [farm.pull('--queries') for _ in range(options.runs)]
    pss, tcp = farm.settled_pss(), kernel_tcp_bytes()
    with subprocess.Popen(farm.pull_args('--slow', options.slow, '--queries'), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, encoding='ascii') as p:
        if p.stdout.readline().strip() != 'ready':
            raise harness.Failure('the slow clients did not begin')
        time.sleep(SETTLE_S)
        more, more_tcp = farm.pss() - pss, kernel_tcp_bytes() - tcp
        before = farm.cpu()
        time.sleep(SETTLE_S)
        load = (farm.cpu() - before) / SETTLE_S
        beside_idle = farm.pull('--clients', 0, '--queries', '--seconds', 2)
        beside = [farm.pull('--queries') for _ in range(options.runs)]
        out, _ = p.communicate('\n', timeout=900)
    slows = json.loads(out.splitlines()[-1])
    rate = {k: max(r['octets'] / r['seconds'] for r in runs) for k, runs in
            (('alone', alone), ('beside', beside))}
    table.add('slow clients refused, of %d' % options.slow, slows['slow_refused'], 'clients', at_most=0)
    table.add('memory of a slow client, axfarmd', more / options.slow / 1000, 'KB', at_most=64)
    table.add('memory of a slow client, kernel, both ends', more_tcp / options.slow / 1000, 'KB')
    table.add('CPU for all of the slow clients', load * 100, '% of a core')
    table.add('a fast client beside the slow, to alone', rate['beside'] / rate['alone'], 'times', at_least=0.9)
    for what, runs in (('idle', [idle]), ('beside a fast transfer', alone),
                       ('beside the slow clients', [beside_idle]), ('beside both', beside)):
        for p in ('p50', 'p99'):
            table.add('a query %s, %s' % (what, p), min(r[p + '_us'] for r in runs), 'us')


SECTIONS = {f.__name__: f for f in (checked, plain, signed, slow)}


def serve(farm):
    """Leaves everything running, for other tools to look at."""
    print('axfarmd %d\n%s' % (farm.daemon.p.pid, ' '.join(farm.pull_args())), flush=True)
    sys.stdin.readline()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--only', action='append', choices=SECTIONS, help='this section (may be repeated)')
    parser.add_argument('--delegations', type=int, default=1000000)
    parser.add_argument('--runs', type=int, default=5, help='of each speed; the best counts')
    parser.add_argument('--threads', type=int, default=1, help='of the clients')
    parser.add_argument('--slow', type=int, default=1000, help='slow clients')
    parser.add_argument('--workers', type=int, default=0, help='of axfarmd; 0: one a processor')
    parser.add_argument('--serve', action='store_true', help='only start everything, until a line of input')
    parser.add_argument('--json', metavar='FILE', help='also write the figures there')
    options = parser.parse_args()
    options.keep = False
    options.env = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    harness.end_on_signals()
    table = Table()
    print(transfers.machine())
    with Farm(options, 'delegations', 1, options.delegations, workers=options.workers) as farm:
        if options.serve:
            serve(farm)
            return
        for name, section in SECTIONS.items():
            if not options.only or name in options.only:
                section(table, farm, options)
    if options.json:
        with open(options.json, 'w', encoding='ascii') as f:
            json.dump({'machine': transfers.machine(), 'figures': table.rows}, f, indent=1)


if __name__ == '__main__':
    main()
