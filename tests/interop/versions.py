# SPDX-License-Identifier: MIT
"""tests/interop/versions.py: history, differences, rollback, pins and checks, with real neighbours."""

import json
import os
import random
import re
import subprocess

import axfarm
import harness
import peers
import zones
from harness import Failure, scenario

FLIPS = 16      # of the database, with the whole daemon
FLIPS_SEED = 20261121


def expect(what, got, want):
    if got != want:
        raise Failure('%s is %s, wanted %s' % (what, got, want))


def lines_of(text):
    """Records of zone files and differences, with one space between fields."""
    return [re.sub(r'\s+', ' ', x.strip()) for x in text.split('\n') if x.strip()]


def content(lines):
    """Records without the SOA."""
    return sorted(x for x in lines if ' SOA ' not in x)


def ctl(subject, *args):
    """Exit status, standard output, standard error."""
    p = subprocess.run([os.path.join(axfarm.BUILD, 'axfarmctl'), '-s', subject.folder('axfarm.sock')] + list(args),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False,
                       encoding='utf-8')
    return p.returncode, p.stdout, p.stderr


def history(subject, name):
    return json.loads(subject.ctl('--json', 'zone', 'history', name))['versions']


def chain(case, behind_class):
    """A primary, axfarmd, and a secondary behind it."""
    key = peers.Key('test_key')
    primary, subject = peers.Bind(case, 'primary'), axfarm.Axfarm(case)
    behind = behind_class(case, 'behind')
    zone = zones.small('v.example.')
    primary.add_primary(zone, key, [subject.target(key)])
    subject.add_secondary(zone.name, primary.target(key), key, [behind.target(key)])
    behind.add_secondary(zone.name, subject.target(key), key)
    primary.start()
    subject.start()
    subject.wait_serial(zone.name, 1)
    behind.start()
    behind.wait_serial(zone.name, 1)
    return primary, subject, behind, key


def grow(case, primary, subject, key, name):
    """Serials 2 to 4; returns what each had."""
    seen = {1: peers.records(subject.target(key), name)}
    for serial in (2, 3, 4):
        remove = ['n3.%s 60 IN A 192.0.2.3' % name] if serial == 4 else []
        primary.update(name, ['n%d.%s 60 IN A 192.0.2.%d' % (serial, name, serial)], remove)
        subject.wait_serial(name, serial)
        seen[serial] = peers.records(subject.target(key), name)

    def grows():
        kept = history(subject, name)
        expect('serials', [v['serial'] for v in kept], [4, 3, 2, 1])
        expect('states', [v['state'] for v in kept], ['served', 'older', 'older', 'older'])
        expect('added', [v['added'] for v in kept[:3]], [1, 1, 1])
        expect('deleted', [v['deleted'] for v in kept[:3]], [1, 0, 0])
        expect('versions', subject.zone(name)['versions'], 4)
    case.check('history-grows', grows)
    return seen


def differences(case, subject, name, seen):
    def changed():
        status, out, _ = ctl(subject, 'zone', 'diff', name, '3', '4')
        expect('exit status', status, 1)
        got = lines_of(out)
        expect('SOAs', [x[0] for x in got[:2]] + [' SOA ' in x for x in got[:2]], ['-', '+', True, True])
        expect('records', got[2:], ['-n3.%s 60 IN A 192.0.2.3' % name, '+n4.%s 60 IN A 192.0.2.4' % name])
    case.check('diff-is-the-change', changed)

    def both_ways():
        there = lines_of(ctl(subject, 'zone', 'diff', name, '1', 'current')[1])
        back = lines_of(ctl(subject, 'zone', 'diff', name, '4', '1')[1])
        expect('records', sorted(x[1:] for x in there), sorted(x[1:] for x in back))
        old, new = set(content(seen[1])), set(content(seen[4]))
        expect('added', len([x for x in there if x[0] == '+']), 1 + len(new - old))
        expect('deleted', len([x for x in there if x[0] == '-']), 1 + len(old - new))
    case.check('diff-both-ways', both_ways)
    case.check('diff-of-nothing', lambda: expect('answer', ctl(subject, 'zone', 'diff', name, '2', '2'), (0, '', '')))

    def refused():
        status, _, err = ctl(subject, 'zone', 'diff', name, '2', '77')
        expect('exit status', status, 2)
        expect('why', 'serial 77 is not kept; kept are 4, 3, 2, 1' in err, True)
    case.check('diff-of-what-is-not-kept', refused)

    def shows():
        for serial, lines in seen.items():
            got = lines_of(subject.ctl('zone', 'show', name, '--serial', str(serial)))
            peers.same_records(peers.fold(content(got), True), peers.fold(content(lines), True))
    case.check('show', shows)


def refusals(case, subject, name):
    def each():
        for words, why in ((['release', name], 'the zone is not pinned'), (['accept', name], 'nothing is held'),
                           (['reject', name], 'nothing is held'),
                           (['rollback', name, '77'], 'serial 77 is not kept; kept are 4, 3, 2, 1'),
                           (['diff', name, 'current', 'held'], 'nothing is held')):
            status, _, err = ctl(subject, 'zone', *words)
            expect('exit status of %s' % words[0], status, 2 if words[0] == 'diff' else 1)
            expect('reason of %s: %s' % (words[0], err), why in err, True)
    case.check('refusals-have-reasons', each)


def roll_back(case, servers, key, name, seen):
    primary, subject, behind = servers

    def goes_out():
        subject.ctl('zone', 'rollback', name, '2')
        expect('serial', subject.serial(name), 5)
        zone = subject.zone(name)
        expect('status', (zone['source_serial'], zone['pinned'], zone['received_by']), (2, True, 'ROLLBACK'))
        peers.same_records(content(peers.records(subject.target(key), name)), content(seen[2]))
    case.check('rollback-serves-the-old', goes_out)

    def followed():
        behind.wait_serial(name, 5)
        peers.same_records(content(peers.records(behind.target(key), name)),
                           content(peers.records(subject.target(key), name)))
    case.check('rollback-is-followed', followed)

    def holds():
        primary.update(name, ['n5.%s 60 IN A 192.0.2.5' % name])
        harness.wait('serial 5 to be held', lambda: (subject.zone(name)['held'] or {}).get('serial') == 5)
        expect('why', subject.zone(name)['held']['why'], 'pinned')
        expect('serial', subject.serial(name), 5)
        expect('held', 'v.example.  the zone is pinned' in subject.ctl('zone', 'held'), True)
        out = lines_of(ctl(subject, 'zone', 'diff', name, 'current', 'held')[1])
        expect('differs', '+n5.%s 60 IN A 192.0.2.5' % name in out, True)
    case.check('what-comes-is-held', holds)


def restart(case, subject, name, key):
    """Pin, hold and history survive."""
    before = history(subject, name), subject.zone(name), peers.records(subject.target(key), name)
    subject.stop()
    subject.process.start()
    subject.wait_serial(name, before[1]['serial'])
    subject.wait_state(name, 'ok')

    def same():
        expect('history', history(subject, name), before[0])
        now = subject.zone(name)
        for field in ('serial', 'source_serial', 'root', 'pinned', 'held', 'versions', 'received_at'):
            expect(field, now[field], before[1][field])
        peers.same_records(peers.records(subject.target(key), name), before[2])
    case.check('survives-a-restart', same)


def release(case, servers, key, name):
    primary, subject, behind = servers

    def new_content():
        subject.ctl('zone', 'release', name)
        expect('serial', subject.serial(name), 6)
        zone = subject.zone(name)
        expect('status', (zone['source_serial'], zone['pinned'], zone['held']), (5, False, None))
        behind.wait_serial(name, 6)
        peers.same_records(content(peers.records(behind.target(key), name)),
                           content(peers.records(primary.target(key), name)))
    case.check('release-serves-the-new', new_content)

    def own_line():
        primary.update(name, ['n6.%s 60 IN A 192.0.2.6' % name])
        subject.wait_serial(name, 7)
        expect('source', subject.zone(name)['source_serial'], 6)
        behind.wait_serial(name, 7)
    case.check('serials-of-its-own', own_line)

    def passes():
        primary.update(name, ['n7.%s 60 IN A 192.0.2.7' % name], serial=100)
        subject.wait_serial(name, 100)
        expect('source', subject.zone(name)['source_serial'], 100)
        behind.wait_serial(name, 100)
        primary.update(name, ['n8.%s 60 IN A 192.0.2.8' % name])
        subject.wait_serial(name, 101)
    case.check('until-the-primary-passed', passes)


def decide(case, servers, name):
    primary, subject, _ = servers

    def rejects():
        subject.ctl('zone', 'pin', name)
        primary.update(name, ['n9.%s 60 IN A 192.0.2.9' % name])
        harness.wait('serial 102 to be held', lambda: (subject.zone(name)['held'] or {}).get('serial') == 102)
        subject.ctl('zone', 'reject', name)
        expect('why', subject.zone(name)['held']['why'], 'rejected')
        subject.ctl('zone', 'release', name)
        expect('serial', subject.serial(name), 101)
        expect('why', subject.zone(name)['held']['why'], 'rejected')
    case.check('reject', rejects)

    def accepts():
        subject.ctl('zone', 'accept', name)
        expect('serial', subject.serial(name), 102)
        expect('held', subject.zone(name)['held'], None)
    case.check('accept', accepts)

    def same_serial():
        subject.ctl('zone', 'rollback', name, '100', '--same-serial')
        expect('serial', subject.serial(name), 100)
        expect('source', subject.zone(name)['source_serial'], 100)
        subject.ctl('zone', 'release', name)
        subject.wait_serial(name, 102)
    case.check('same-serial', same_serial)


def transfers(case, subject, name):
    """What is held is not fetched again and again."""
    def once_each():
        count = len(subject.transfers(name, 'IXFR')) + len(subject.transfers(name, 'AXFR'))
        expect('transfers of 9 versions', count, 9)
    case.check('fetched-once', once_each)


def checks(case, subject):
    def online():
        status, out, err = ctl(subject, 'store', 'check')
        expect('exit status (%s%s)' % (out, err), status, 0)
    case.check('check-online', online)

    def stats():
        s = json.loads(subject.ctl('--json', 'store', 'stats'))
        expect('zones', s['zones'], 1)
        expect('versions', s['versions'] > 5, True)
        expect('updates', s['updates'] > 3 and s['commit_durable']['count'] == s['updates'], True)
    case.check('stats', stats)

    def offline():
        subject.stop()
        expect('exit status of axfarmd', subject.process.p.returncode, 0)
        status, out = check_offline(subject)
        expect('exit status (%s)' % out, status, 0)
    case.check('check-offline', offline)


def check_offline(subject):
    p = subprocess.run([os.path.join(axfarm.BUILD, 'axfarmctl'), '-c', subject.folder('axfarm.yaml'), 'store',
                        'check', '--offline'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                       check=False, encoding='utf-8', errors='replace')
    return p.returncode, p.stdout


def versions(case, behind_class):
    primary, subject, behind, key = chain(case, behind_class)
    name, servers = 'v.example.', (primary, subject, behind)
    seen = grow(case, primary, subject, key, name)
    differences(case, subject, name, seen)
    refusals(case, subject, name)
    roll_back(case, servers, key, name, seen)
    restart(case, subject, name, key)
    release(case, servers, key, name)
    decide(case, servers, name)
    transfers(case, subject, name)
    checks(case, subject)


@scenario('versions-knot')
def versions_knot(case):
    """The whole life of versions, with Knot behind us."""
    versions(case, peers.Knot)


@scenario('versions-nsd')
def versions_nsd(case):
    """The same with NSD behind us."""
    versions(case, peers.Nsd)


def show(subject, name, serial):
    return subject.ctl('zone', 'show', name, '--serial', str(serial)).rstrip('\n').split('\n')


@scenario('diff-signed')
def diff_signed(case):
    """The difference of two signed versions of a zone with NSEC3, in order, line by line."""
    key, name = peers.Key('test_key'), 'signed.example.'
    primary, subject = peers.Nsd(case, 'primary'), axfarm.Axfarm(case)
    options = '-3', 'cafe', '-H', '2'
    more = ['x%d.%s 60 IN NS ns.elsewhere.example.' % (i, name) for i in range(25)]
    old = zones.sign(case, zones.delegations(name, 400, 1), *options)
    new = zones.sign(case, zones.Zone(name, zones.delegations(name, 370, 1).records + more), *options)
    primary.add_primary(old, key, [subject.target(key)])
    subject.add_secondary(name, primary.target(key), key)
    primary.start()
    subject.start()
    subject.wait_serial(name, 1)
    before, after = set(old.records), set(new.records)
    primary.update(name, [r for r in new.records if r not in before], [r for r in old.records if r not in after])
    subject.wait_serial(name, 2)
    a, b = show(subject, name, 1), show(subject, name, 2)
    status, out, _ = ctl(subject, 'zone', 'diff', name, '1', 'current')
    got = out.rstrip('\n').split('\n')
    gone, come = [x for x in a if x not in set(b)], [x for x in b if x not in set(a)]

    def complete():
        expect('exit status', status, 1)
        expect('NSEC3 among them', any('NSEC3' in x for x in gone) and any('NSEC3' in x for x in come), True)
        expect('deleted, in order', [x[1:] for x in got if x[0] == '-'] == gone, True)
        expect('added, in order', [x[1:] for x in got if x[0] == '+'] == come, True)
    case.check('complete', complete)

    def merged():
        seen = []
        for line in got[2:]:
            fields = line[1:].split()
            owner = fields[0].lower(), 'NSEC3' in fields[3:5]
            if not seen or seen[-1][0] != owner:
                seen.append((owner, line[0]))
            elif line[0] == '-' and seen[-1][1] == '+':
                raise Failure('deleted after added: %s' % line)
            else:
                seen[-1] = owner, line[0]
        owners = [x[0] for x in seen]
        expect('an owner comes up twice', len(owners), len(set(owners)))
    case.check('owner-by-owner', merged)


def flip(path, rng):
    """Flips one bit where something is written."""
    with open(path, 'r+b') as f:
        octets = f.read()
        at = rng.choice([i for i, x in enumerate(octets) if x != 0])
        bit = rng.randrange(8)
        f.seek(at)
        f.write(bytes([octets[at] ^ 1 << bit]))
    return 'bit %d of octet %d' % (bit, at)


def serves_right(subject, key, good):
    """Whatever is served is one of the versions that the primary had."""
    for name, lines in good.items():
        if subject.serial(name) is not None:
            peers.same_records(peers.records(subject.target(key), name), lines)


@scenario('bit-flips')
def bit_flips(case):
    """A flipped bit in the database is found or was in no use; nothing wrong is ever served."""
    key = peers.Key('test_key')
    primary, subject = peers.Knot(case, 'primary'), axfarm.Axfarm(case)
    for i in range(30):
        zone = zones.small('f%d.example.' % i)
        primary.add_primary(zone, key, [subject.target(key)])
        subject.add_secondary(zone.name, primary.target(key), key)
    primary.start()
    subject.start()
    for name in primary.zones:
        subject.wait_serial(name, 1)
    good = {name: peers.records(subject.target(key), name) for name in primary.zones}
    subject.stop()
    rng = random.Random(FLIPS_SEED)
    found = []

    def once():
        what = flip(subject.folder('db/data.mdb'), rng)
        status, out = check_offline(subject)
        if status not in (0, 1):
            raise Failure('%s: exit status %d: %s' % (what, status, out[-500:]))
        subject.process.start()
        subject.wait_answers()
        serves_right(subject, key, good)
        for name, lines in good.items():
            harness.wait('%s after %s' % (name, what), lambda n=name: subject.serial(n) == 1)
            peers.same_records(peers.records(subject.target(key), name), lines)
        subject.stop()
        found.append(status)
        again, out = check_offline(subject)
        if again != 0:
            raise Failure('%s: still damaged afterwards: %s' % (what, out[-500:]))
    for i in range(FLIPS):
        case.check('flip-%d' % i, once)
    case.note('%d flips, %d found by the check' % (FLIPS, sum(found)))
    case.check('some-are-found', lambda: expect('found', sum(found) > 0, True))
