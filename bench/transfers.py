# SPDX-License-Identifier: MIT
"""bench/transfers.py: zones transferred per second from a local Knot into a durable store.

One Knot serves N hosting zones of 12 records; axfarmd starts with an empty database and pulls them all,
TSIG-signed. The clock runs from its start to the moment at which its status counts every zone as served,
so every version is on the disk by then. Primary and secondary share the machine.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'interop'))
import axfarm   # noqa: E402  pylint: disable=wrong-import-position
import harness  # noqa: E402  pylint: disable=wrong-import-position
import peers    # noqa: E402  pylint: disable=wrong-import-position

ZONE = '''$TTL 3600
@ SOA ns1.hoster.example. hostmaster.hoster.example. 2024010101 86400 7200 1209600 300
@ NS ns1.hoster.example.
@ NS ns2.hoster.example.
@ NS ns3.hoster.example.
@ MX 10 mail
@ A 10.{a}.{b}.{c}
@ AAAA 2001:db8:{a:x}:{b:x}::{c:x}
@ TXT "v=spf1 ip4:10.{a}.{b}.{c} include:spf.hoster.example -all"
_dmarc TXT "v=DMARC1; p=none; rua=mailto:dmarc@{name}"
www CNAME @
mail A 10.{b}.{c}.{a}
ftp CNAME www
'''


def write_primary(case, port, key, names):
    folder = case.path('knot', 'x')[:-2]
    os.makedirs(os.path.join(folder, 'zones'))
    for i, name in enumerate(names):
        text = ZONE.format(name=name, a=i >> 16 & 255, b=i >> 8 & 255, c=i & 255)
        with open(os.path.join(folder, 'zones', name + '.zone'), 'w', encoding='ascii') as f:
            f.write(text)
    with open(os.path.join(folder, 'knot.conf'), 'w', encoding='ascii') as f:
        f.write('''server:
  rundir: "{0}"
  listen: "127.0.0.1@{1}"
  tcp-workers: 2
  udp-workers: 1
  background-workers: 2
log:
  - target: stderr
    any: error
database:
  storage: "{0}"
key:
  - id: "{2.name}"
    algorithm: {2.algorithm}
    secret: "{2.secret}"
acl:
  - id: out
    key: "{2.name}"
    action: transfer
template:
  - id: default
    storage: "{0}/zones"
    file: "%s.zone"
    semantic-checks: off
    zonefile-sync: -1
    acl: out
zone:
'''.format(folder, port, key))
        f.writelines('  - domain: %s\n' % n for n in names)
    return [harness.program('knotd'), '-c', os.path.join(folder, 'knot.conf')]


def write_secondary(case, port, primary, key, names):
    path = case.path('axfarm', 'axfarm.yaml')
    with open(case.path('axfarm', 'zones.txt'), 'w', encoding='ascii') as f:
        f.writelines(n + '\n' for n in names)
    with open(path, 'w', encoding='ascii') as f:
        json.dump({
            'server': {'listen': ['127.0.0.1@%d' % port]},
            'database': {'path': case.path('axfarm', 'db')},
            'control': {'socket': case.path('axfarm', 'sock')},
            'log': {'level': 'warning'},
            'keys': [{'name': key.name, 'algorithm': key.algorithm, 'secret': key.secret}],
            'primaries': [{'name': 'p', 'addresses': ['127.0.0.1@%d' % primary], 'key': key.name}],
            'templates': [{'name': 'hosted', 'primaries': ['p']}],
            'zones': [{'file': 'zones.txt', 'template': 'hosted'}]}, f)
    return [os.path.join(axfarm.BUILD, 'axfarmd'), '-c', path]


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def memory_kib(pid):
    with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('Pss:'))


def served(case):
    text = harness.run([os.path.join(axfarm.BUILD, 'axfarmctl'), '-s', case.path('axfarm', 'sock'),
                        '--json', 'status'], check=False)
    try:
        states = json.loads(text)['zones_by_state']
    except (ValueError, KeyError):
        return -1
    return states.get('ok', 0) + states.get('refreshing', 0)


def measure(options):
    case = harness.Case('transfers', options)
    try:
        key = peers.Key('bench.key')
        names = ['z%07d.example' % i for i in range(options.zones)]
        primary, port = case.port(), case.port()
        knot = harness.Process(case, 'knot', write_primary(case, primary, key, names))
        harness.wait('Knot to load', lambda: knot.must_live() and peers.wire.serial(
            ('127.0.0.1', primary), names[-1], 0.5), 300)
        before = cpu_seconds(knot.p.pid)
        start = time.monotonic()
        daemon = harness.Process(case, 'axfarmd', write_secondary(case, port, primary, key, names))
        harness.wait(lambda: '%d of %d zones' % (served(case), len(names)),
                     lambda: daemon.must_live() and served(case) == len(names), 600)
        seconds = time.monotonic() - start
        return {'zones': len(names), 'seconds': seconds, 'zones_per_second': len(names) / seconds,
                'cpu_us_per_zone': cpu_seconds(daemon.p.pid) * 1e6 / len(names),
                'primary_cpu_us_per_zone': (cpu_seconds(knot.p.pid) - before) * 1e6 / len(names),
                'pss_kib': memory_kib(daemon.p.pid)}
    finally:
        case.end()
        case.remove()


def machine():
    with open('/proc/cpuinfo', encoding='ascii') as f:
        model = next((x.split(':')[1].strip() for x in f if x.startswith('model name')), '?')
    return '%s, %d cores, Linux %s, loopback, primary and secondary on the same cores' % (
        model, os.cpu_count(), platform.release())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--zones', type=int, default=5000, help='how many (default 5000)')
    parser.add_argument('--runs', type=int, default=3, help='of which the median counts (default 3)')
    parser.add_argument('--json', metavar='FILE', help='also write the figures there')
    options = parser.parse_args()
    options.keep = False
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    harness.end_on_signals()
    runs = [measure(options) for _ in range(options.runs)]
    figures = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
    print(machine())
    print('%d zones of 12 records from Knot by AXFR with hmac-sha256, durable; median of %d runs' %
          (options.zones, options.runs))
    print('  zones a second            %10.0f' % figures['zones_per_second'])
    print('  axfarmd, CPU-us a zone    %10.0f' % figures['cpu_us_per_zone'])
    print('  Knot, CPU-us a zone       %10.0f' % figures['primary_cpu_us_per_zone'])
    print('  axfarmd, PSS              %10.0f KiB' % figures['pss_kib'])
    if options.json:
        with open(options.json, 'w', encoding='ascii') as f:
            json.dump(dict(figures, machine=machine()), f, indent=1)


if __name__ == '__main__':
    main()
