# SPDX-License-Identifier: MIT
"""tests/interop/guard.py: versions that are held, and primaries that went back."""

import glob
import os
import shutil
import struct

import axfarm
import evil
import harness
import peers
import wire
import zones
from harness import Failure, scenario
from lifecycle import expect

HOSTS = 1200


def large(name):
    """A zone over the guard's default size."""
    zone = zones.small(name)
    zone.records += ['h%d.%s 60 IN A 10.0.%d.%d' % (i, name, i >> 8, i & 255) for i in range(HOSTS)]
    return zone


def restore(server, name, records, serial, subject):
    """What an operator does who puts an older zone file in place: no history goes with it."""
    server.stop()
    for pattern in ('*.jnl', 'journal', 'timers'):
        for path in glob.glob(server.folder('x')[:-1] + pattern):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.remove(path)
    zone = server.zones[name]
    zone.records, zone.serial = list(records), serial
    zone.write(server.folder(server.file_of(name)))
    server.process.start()
    server.wait_primary()
    tell(subject, name)


def tell(subject, name):
    harness.wait('an answer to NOTIFY', lambda: wire.notify(('127.0.0.1', subject.port), name) == 0)


def wait_held(subject, name, why, serial):
    def look():
        held = subject.zone(name).get('held')
        return held and held['why'] == why and held['serial'] == serial
    harness.wait(lambda: '%s held for %s at %d: %s' % (name, why, serial, subject.zone(name)), look)


def unharmed(subject, key, name, lines, state='ok'):
    peers.same_records(lines, peers.records(subject.target(key), name))
    subject.wait_state(name, state)


def guarded(case, kind, name):
    key = peers.Key('test_key')
    primary, subject = peers.PEERS[kind](case, 'primary'), axfarm.Axfarm(case)
    primary.add_primary(large(name), key)
    subject.add_secondary(name, primary.target(key), key)
    primary.start()
    subject.start()
    subject.wait_serial(name, 1)
    return primary, subject, key


def shrinks(case, kind):
    """A zone that lost nearly all of its records is held until an operator, or a better one, comes."""
    name = 'shrinks.example.'
    primary, subject, key = guarded(case, kind, name)
    whole = list(primary.zones[name].records)
    lines = peers.records(subject.target(key), name)

    def held():
        restore(primary, name, whole[:40], 2, subject)
        wait_held(subject, name, 'shrunk', 2)
        unharmed(subject, key, name, lines)
        if 'is not served but held' not in subject.process.log():
            raise Failure('no event')
    case.check('held', held)

    def fetched_once():
        before = len(subject.transfers(name, 'AXFR'))
        for _ in range(3):
            tell(subject, name)
            subject.ctl('zone', 'refresh', name)
        harness.wait('the primary to be asked', lambda: 'has no news (serial 2)' in subject.process.log())
        expect('transfers', len(subject.transfers(name, 'AXFR')), before)
    case.check('fetched-once', fetched_once)

    def superseded():
        primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
        tell(subject, name)
        wait_held(subject, name, 'shrunk', 3)
        if not subject.transfers(name, 'IXFR'):
            raise Failure('not by IXFR')
        unharmed(subject, key, name, lines)
    case.check('superseded-by-ixfr', superseded)

    def survives():
        subject.restart()
        subject.wait_serial(name, 1)
        wait_held(subject, name, 'shrunk', 3)
        unharmed(subject, key, name, lines)
    case.check('survives-a-restart', survives)

    def accepted():
        subject.ctl('zone', 'accept', name)
        subject.wait_serial(name, 3)
        peers.same_records(peers.records(primary.target(key), name), peers.records(subject.target(key), name))
        expect('held', subject.zone(name).get('held'), None)
    case.check('accepted', accepted)

    def rejected():
        restore(primary, name, whole, 10, subject)
        subject.wait_serial(name, 10)
        restore(primary, name, whole[:40], 11, subject)
        wait_held(subject, name, 'shrunk', 11)
        subject.ctl('zone', 'reject', name)
        wait_held(subject, name, 'rejected', 11)
        tell(subject, name)
        expect('serial', subject.serial(name), 10)
    case.check('rejected', rejected)

    def better():
        restore(primary, name, whole, 12, subject)
        subject.wait_serial(name, 12)
        expect('held', subject.zone(name).get('held'), None)
    case.check('a-better-one-is-served', better)


def goes_back(case, kind):
    """A primary that was restored from a backup: first ignored, then followed."""
    name = 'back.example.'
    primary, subject, key = guarded(case, kind, name)
    first = list(primary.zones[name].records)
    primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
    tell(subject, name)
    subject.wait_serial(name, 2)
    primary.update(name, ['m.%s 60 IN A 192.0.2.9' % name])
    tell(subject, name)
    subject.wait_serial(name, 3)
    lines = peers.records(subject.target(key), name)

    def ignored():
        restore(primary, name, first, 1, subject)
        expect('code', subject.wait_error(name)['code'], 'serial-back')
        unharmed(subject, key, name, lines, 'failing')
    case.check('ignored-and-recognised', ignored)

    def followed():
        subject.settings[name]['on-lower-serial'] = 'follow'
        subject.reload()
        harness.wait('the file applied', lambda: '1 changed' in subject.process.log())
        tell(subject, name)
        subject.wait_serial(name, 1)
        subject.wait_state(name, 'ok')
        peers.same_records(peers.records(primary.target(key), name), peers.records(subject.target(key), name))
        log = subject.process.log()
        if 'back to 1' not in log or 'very content of serial 1' not in log:
            raise Failure('no event')
    case.check('followed', followed)

    def goes_on():
        primary.update(name, ['o.%s 60 IN A 192.0.2.9' % name])
        tell(subject, name)
        subject.wait_serial(name, 2)
    case.check('goes-on-from-there', goes_on)


class Scripted(evil.Evil):
    """A primary whose zone is a list of records, SOA first, for each step; IXFR is answered whole."""

    def __init__(self, port, steps):
        super().__init__(port)
        self.steps = steps

    def soa(self, zone, number=None):
        return self.steps[self.step][0]

    def transfer(self, s, query, zone, qtype):
        records = self.steps[self.step]
        evil.send(s, wire.response(query, records + records[:1]))
        return True


def rfc8976(serial, digest_serial, address, digest):
    """The zone of RFC 8976 A.1, or what became of it."""
    name = wire.name
    out = [wire.rr(name('example.'), wire.SOA, 86400, name('ns1.example.') + name('admin.example.') +
                   struct.pack('>IIIII', serial, 1800, 900, 604800, 86400)),
           wire.rr(name('example.'), wire.NS, 86400, name('ns1.example.')),
           wire.rr(name('example.'), wire.NS, 86400, name('ns2.example.')),
           wire.rr(name('ns1.example.'), 1, 3600, bytes([203, 0, 113, address])),
           wire.rr(name('ns2.example.'), 28, 3600, bytes.fromhex('20010db8' + '00' * 11 + '63'))]
    if digest:
        out.append(wire.rr(name('example.'), 63, 86400, struct.pack('>IBB', digest_serial, 1, 1) + digest))
    return out


@scenario('zonemd')
def zonemd(case):
    """The digest of RFC 8976's example is right; when a record is not what it was, it is wrong."""
    name, serial = 'example.', 2018031900
    digest = bytes.fromhex('c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3'
                           'a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c')
    steps = {1: rfc8976(serial, serial, 63, digest), 2: rfc8976(serial + 1, serial + 1, 64, digest),
             3: rfc8976(serial + 2, 0, 64, None)}
    subject = axfarm.Axfarm(case)
    primary = Scripted(case.port(), steps)
    subject.add_secondary(name, peers.Target(primary.tcp.getsockname()[1]))
    try:
        subject.start()

        def right():
            subject.wait_serial(name, serial)
            expect('held', subject.zone(name).get('held'), None)
        case.check('right', right)
        lines = peers.records(subject.target(), name)

        def wrong():
            primary.step = 2
            tell(subject, name)
            wait_held(subject, name, 'zonemd', serial + 1)
            unharmed(subject, None, name, lines)
        case.check('wrong', wrong)

        def without():
            primary.step = 3
            tell(subject, name)
            subject.wait_serial(name, serial + 2)
        case.check('without', without)
    finally:
        primary.stop()


def register():
    for kind in ('bind', 'knot'):
        for title, function in (('guard', shrinks), ('goes-back', goes_back)):
            scenario('%s/%s' % (title, kind))(lambda case, f=function, k=kind: f(case, k))


register()
