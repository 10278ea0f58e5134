#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/interop/interop.py: axfarmd against BIND, Knot, NSD and PowerDNS, both ways.

usage: interop.py [--keep] [--stand-in KIND] [SCENARIO...]

A scenario is named by its beginning ("bind", "bind/tsig"). --stand-in puts one of the peers in
axfarmd's place, to test the tests: what only axfarmd can show is then skipped. --keep keeps the folders
of failed scenarios.
"""

import argparse
import sys

import answers    # noqa: F401  (registers its scenarios)
import axfarm
import behaviours    # noqa: F401  (registers its scenarios)
import chains    # noqa: F401  (registers its scenarios)
import evil     # noqa: F401  (registers its scenarios)
import guard    # noqa: F401  (registers its scenarios)
import harness
import lifecycle    # noqa: F401  (registers its scenarios)
import notify    # noqa: F401  (registers its scenarios)
import peers
import primaries    # noqa: F401  (registers its scenarios)
import restarts    # noqa: F401  (registers its scenarios)
import streams    # noqa: F401  (registers its scenarios)
import stress    # noqa: F401  (registers its scenarios)
import versions    # noqa: F401  (registers its scenarios)
import zones
from harness import Failure, scenario


def is_real(server):
    return server.kind == 'axfarm'


def canonical(case, name, text, title):
    """A zone file as BIND writes it, sorted."""
    path, out = case.path('canonical', title + '.in'), case.path('canonical', title + '.out')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    harness.run(['named-compilezone', '-q', '-i', 'none', '-k', 'ignore', '-n', 'ignore', '-m', 'ignore',
                 '-M', 'ignore', '-S', 'ignore', '-r', 'ignore', '-T', 'ignore', '-s', 'full', '-o', out, name,
                 path])
    with open(out, encoding='utf-8') as f:
        return sorted(' '.join(x.split()) for x in f if x.strip() and not x.startswith(';'))


def check_export(case, subject, name, title, key):
    """`axfarmctl zone export` is a zone file with the records of the AXFR."""
    exported = subject.ctl('zone', 'export', name)
    served = peers.records(subject.target(key), name)
    if title == 'bigset':       # more than BIND's tools hold: compare as text
        lines = sorted(' '.join(x.split()) for x in exported.split('\n') if x and x[0] not in ';$')
        peers.same_records(served, lines)
        return
    soa = [x for x in served if ' IN SOA ' in x]
    rest = [x for x in served if ' IN SOA ' not in x]
    peers.same_records(canonical(case, name, '\n'.join(soa + rest) + '\n', title + '-served'),
                       canonical(case, name, exported, title + '-exported'))


def primary_zones(case, kind):
    """Every zone arrives whole."""
    key = peers.Key('zones_key')
    primary, subject = peers.PEERS[kind](case, 'primary'), axfarm.subject(case)
    known = zones.varied(case, kind if not case.options.stand_in else zones.least(kind, subject.kind))
    for zone in known.values():
        primary.add_primary(zone, key, [subject.target(key)])
        subject.add_secondary(zone.name, primary.target(key), key)
    primary.start()
    subject.start()
    for title, zone in known.items():
        def check(title=title, zone=zone):
            subject.wait_serial(zone.name, zone.serial, 60)
            peers.compare(primary, subject, zone.name, key)
            if is_real(subject):
                check_export(case, subject, zone.name, title, key)
        case.check(title, check)


def check_wrong_key(subject, zone, codes):
    """Without the right key nothing is served, and the operator is told why."""
    error = subject.wait_error(zone.name)
    if error['code'] not in codes:
        raise Failure('error code %s is none of %s' % (error['code'], codes))
    if not error['text'] or not error['primary'] or not error['at']:
        raise Failure('incomplete error: %s' % error)
    if subject.zone(zone.name)['state'] not in ('new', 'failing'):
        raise Failure('state %s' % subject.zone(zone.name)['state'])
    if subject.serial(zone.name) is not None:
        raise Failure('%s is served' % zone.name)


def primary_tsig(case, kind):
    """Every algorithm; a wrong secret and an unknown key are told apart from a refusal."""
    primary, subject = peers.PEERS[kind](case, 'primary'), axfarm.subject(case)
    known = {}
    for algorithm in peers.ALGORITHMS:
        key = peers.Key('key-' + algorithm, algorithm)
        zone = zones.small(algorithm + '.example.')
        known[algorithm] = (zone, key)
        primary.add_primary(zone, key, [subject.target(key)])
        subject.add_secondary(zone.name, primary.target(key), key)
    wrong, unknown = zones.small('wrong.example.'), zones.small('unknown.example.')
    primary.add_primary(wrong, peers.Key('wrong_key'))
    primary.add_primary(unknown, peers.Key('other_key'))
    if is_real(subject):
        subject.add_secondary(wrong.name, primary.target(peers.Key('wrong_key', secret='d3Jvbmc=')))
        subject.add_secondary(unknown.name, primary.target(peers.Key('no_such_key')))
    primary.start()
    subject.start()
    for algorithm, (zone, key) in known.items():
        def check(zone=zone, key=key):
            subject.wait_serial(zone.name, 1)
            peers.compare(primary, subject, zone.name, key)
            primary.update(zone.name, ['signed.%s 60 IN TXT "by NOTIFY"' % zone.name])
            subject.wait_serial(zone.name, 2)
            peers.compare(primary, subject, zone.name, key)
        case.check(algorithm, check)
    if is_real(subject):
        refused = {'refused', 'notauth', 'tsig-missing'}
        case.check('wrong-secret', check_wrong_key, subject, wrong, {'tsig-badsig'} | refused)
        case.check('unknown-key', check_wrong_key, subject, unknown, {'tsig-badkey'} | refused)


def change(server, name, step):
    """One of a chain of updates: adds, replaces and removes."""
    zone = server.zones[name]
    old = [r for r in zone.records if ' IN TXT "step ' in r]
    add = ['s%d.%s 60 IN TXT "step %d"' % (step, name, step), 's.%s 60 IN TXT "step %d"' % (name, step)]
    remove = [r for r in old if r.startswith('s.') or step % 3 == 0]
    server.update(name, add, remove)
    return zone.serial


def primary_ixfr(case, kind):
    """A chain of updates arrives step by step, and what was missed in one go."""
    key = peers.Key('ixfr_key')
    primary, subject = peers.PEERS[kind](case, 'primary'), axfarm.subject(case)
    zone = zones.delegations('chain.example.', 200, 3)
    primary.add_primary(zone, key, [subject.target(key)])
    subject.add_secondary(zone.name, primary.target(key), key)
    primary.start()
    subject.start()
    subject.wait_serial(zone.name, 1)
    steps = 10 if kind == 'pdns' else 20

    def chain():
        for step in range(steps):
            subject.wait_serial(zone.name, change(primary, zone.name, step))
            if step % 5 == 4:
                peers.compare(primary, subject, zone.name, key)
    if not case.check('chain', chain):
        return

    def used_ixfr():
        done = len(subject.transfers(zone.name, 'IXFR'))
        if primary.can_ixfr and done < steps - 1:
            raise Failure('%d IXFR for %d updates; AXFR: %s' % (done, steps, subject.transfers(zone.name, 'AXFR')))
    if is_real(subject):
        case.check('by-ixfr', used_ixfr)

    def missed():
        subject.stop()
        for step in range(steps, steps + 4):
            serial = change(primary, zone.name, step)
        subject.process.start()
        # Nothing is asked before the refresh is due; a NOTIFY says that there is news.
        subject.wait_answers()
        primary.notify(zone.name)
        subject.wait_serial(zone.name, serial)
        peers.compare(primary, subject, zone.name, key)
    case.check('missed', missed)

    def forgotten():
        subject.stop()
        serial = change(primary, zone.name, steps + 10)
        primary.forget_history(zone.name)
        subject.process.start()
        subject.wait_answers()
        primary.notify(zone.name)
        subject.wait_serial(zone.name, serial)
        peers.compare(primary, subject, zone.name, key)
    if kind in ('bind', 'knot'):
        case.check('history-lost', forgotten)


def secondary_zones(case, kind):
    """axfarm between BIND and another secondary: that one gets every zone whole, and follows."""
    key, out_key = peers.Key('in_key'), peers.Key('out_key')
    primary, subject = peers.Bind(case, 'primary'), axfarm.subject(case)
    end = peers.PEERS[kind](case, 'end')
    known = zones.varied(case, zones.least('bind', kind))
    for zone in known.values():
        primary.add_primary(zone, key, [subject.target(key)])
        subject.add_secondary(zone.name, primary.target(key), out_key, [end.target(out_key)])
        end.add_secondary(zone.name, subject.target(out_key), out_key)
    primary.start()
    subject.start()
    for zone in known.values():
        subject.wait_serial(zone.name, 1, 60)
    end.start()
    for title, zone in known.items():
        def check(zone=zone):
            end.wait_serial(zone.name, 1, 60)
            peers.compare(end, subject, zone.name, out_key)
        case.check(title, check)
    name = 'small.example.'

    def follow():
        for step in range(6):
            serial = change(primary, name, step)
            subject.wait_serial(name, serial)
            end.wait_serial(name, serial)
        peers.compare(end, subject, name, out_key)
    case.check('follows', follow)


def secondary_tsig(case, kind):
    """Transfers out with every algorithm, and none without the key."""
    primary, subject = peers.Bind(case, 'primary'), axfarm.subject(case)
    end = peers.PEERS[kind](case, 'end')
    known = {}
    for algorithm in peers.ALGORITHMS:
        key = peers.Key('key-' + algorithm, algorithm)
        zone = zones.small(algorithm + '.example.')
        known[algorithm] = (zone, key)
        primary.add_primary(zone, None, [subject.target()])
        subject.add_secondary(zone.name, primary.target(), key, [end.target(key)])
        end.add_secondary(zone.name, subject.target(key), key)
    primary.start()
    subject.start()
    for zone, _ in known.values():
        subject.wait_serial(zone.name, 1)
    end.start()
    for algorithm, (zone, key) in known.items():
        def check(zone=zone, key=key):
            end.wait_serial(zone.name, 1)
            peers.compare(end, subject, zone.name, key)
            for target in (subject.target(), subject.target(peers.Key(key.name, key.algorithm, 'd3Jvbmc='))):
                try:
                    got = peers.records(target, zone.name)
                except Failure:
                    continue
                raise Failure('%d records without the right key' % len(got))
        case.check(algorithm, check)


def register():
    for kind in peers.PEERS:
        for title, function in (('zones', primary_zones), ('tsig', primary_tsig), ('ixfr', primary_ixfr),
                                ('secondary-zones', secondary_zones), ('secondary-tsig', secondary_tsig)):
            scenario('%s/%s' % (kind, title))(lambda case, f=function, k=kind: f(case, k))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--keep', action='store_true', help='keep the folders of failed scenarios')
    parser.add_argument('--stand-in', choices=sorted(peers.PEERS), help='a peer in the place of axfarmd')
    parser.add_argument('scenario', nargs='*', help='beginnings of names')
    options = parser.parse_args()
    harness.end_on_signals()
    register()
    if options.stand_in:
        for title in [t for t in harness.SCENARIOS if t.split('/')[0] not in peers.PEERS]:
            del harness.SCENARIOS[title]
    return harness.run_all(options.scenario, options)


if __name__ == '__main__':
    sys.exit(main())
