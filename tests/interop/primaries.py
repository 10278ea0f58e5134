# SPDX-License-Identifier: MIT
"""tests/interop/primaries.py: zones with two primaries that do not agree."""

import time

import axfarm
import harness
import peers
import zones
from harness import Failure, scenario
from lifecycle import expect

EVERY_SECOND = {'min-refresh': '1s', 'max-refresh': '1s', 'min-retry': '4s', 'max-retry': '4s'}


def two(case, name, serials, more=(), **settings):
    """Two Knots with the zone at these serials, the second with some records more, and axfarmd with both as
    its primaries; none is started."""
    key = peers.Key('test_key')
    servers = [peers.Knot(case, title) for title in ('first', 'second')]
    subject = axfarm.Axfarm(case)
    for server, serial in zip(servers, serials):
        zone = zones.small(name, serial)
        zone.records += more if server is servers[1] else []
        server.add_primary(zone, key)
    subject.add_secondary(name, [s.target(key) for s in servers], key)
    subject.settings[name].update({'limits': EVERY_SECOND, 'compare-primaries': 'off'}, **settings)
    return servers, subject, key


def transfers(subject, name):
    return len(subject.transfers(name, 'AXFR')) + len(subject.transfers(name, 'IXFR'))


def port_of(subject, name):
    return int(subject.zone(name)['primary'].split('@')[-1])


@scenario('primaries/ordered')
def ordered(case):
    """The first is behind the second, for good: what the second had once is kept."""
    name = 'ordered.example.'
    (first, second), subject, _ = two(case, name, (10, 12), **{'on-lower-serial': 'follow'})
    second.start()
    subject.start()
    subject.wait_serial(name, 12)
    first.start()
    before = transfers(subject, name)

    def stays():
        for _ in range(12):
            time.sleep(0.5)
            expect('serial', subject.serial(name), 12)
        expect('transfers', transfers(subject, name), before)
        subject.wait_state(name, 'ok')
    case.check('does-not-bounce', stays)

    def away():
        second.stop()
        for _ in range(8):
            time.sleep(0.5)
            expect('serial', subject.serial(name), 12)
        told = harness.wait('the primary as down', lambda: subject.primaries('--state', 'down').get(second.port))
        expect('error', told['last_error']['code'], 'connection-refused')
        expect('down since', told['down_since'] is not None, True)
        expect('primaries', list(subject.primaries()), [second.port, first.port])
        expect('state of the other', subject.primaries()[first.port]['state'], 'up')
        expect('primaries down', subject.status()['primaries_down'], 1)
        second.process.start()
        subject.wait_state(name, 'ok')
        harness.wait('the primary as up', lambda: subject.primaries('--state', 'up').get(second.port))
        expect('transfers', transfers(subject, name), before)
    case.check('nor-while-the-second-is-away', away)

    def catches_up():
        second.stop()
        first.update(name, ['n.%s 60 IN A 192.0.2.9' % name], serial=13)
        subject.wait_serial(name, 13)
        expect('the port of the primary', port_of(subject, name), first.port)
    case.check('takes-the-first-when-it-is-newer', catches_up)


@scenario('primaries/newest')
def newest(case):
    """Whoever has the newest serial gives the zone."""
    name = 'newest.example.'
    (first, second), subject, key = two(case, name, (5, 9), **{'primary-policy': 'newest'})
    first.start()
    second.start()
    subject.start()

    def first_load():
        subject.wait_serial(name, 9)
        expect('transfers', transfers(subject, name), 1)
        expect('the port of the primary', port_of(subject, name), second.port)
    case.check('at-the-first-load', first_load)

    def refreshes():
        first.update(name, ['n.%s 60 IN A 192.0.2.9' % name], serial=11)
        subject.wait_serial(name, 11)
        peers.compare(first, subject, name, key)
        second.update(name, ['m.%s 60 IN A 192.0.2.9' % name], serial=12)
        subject.wait_serial(name, 12)
        peers.compare(second, subject, name, key)
    case.check('at-a-refresh', refreshes)

    def one_away():
        first.stop()
        second.update(name, ['o.%s 60 IN A 192.0.2.9' % name], serial=14)
        subject.wait_serial(name, 14, 20)
        subject.wait_state(name, 'ok')
    case.check('with-one-away', one_away)


@scenario('primaries/same-serial')
def same_serial(case):
    """Two with the same serial and different zones are found, shown, and not served in turns."""
    name = 'same.example.'
    line = 'more.%s 60 IN A 192.0.2.77' % name
    (first, second), subject, key = two(case, name, (3, 3), [line], **{'compare-primaries': '2s'})
    first.start()
    second.start()
    subject.start()
    subject.wait_serial(name, 3)

    def found():
        got = harness.wait('the difference', lambda: subject.zone(name)['differs'])
        expect('the port', int(got.split('@')[-1]), second.port)
        if 'has this serial with other content' not in subject.ctl('zone', 'status', name):
            raise Failure(subject.ctl('zone', 'status', name))
        expect('zones that differ', subject.status()['zones_differ'], 1)
        if subject.status()['compared_differ'] < 1 or 'is not what' not in subject.process.log():
            raise Failure('not counted or not logged: %s' % subject.status())
        peers.compare(first, subject, name, key)
        expect('transfers', transfers(subject, name), 1)
        expect('state', subject.zone(name)['state'] in ('ok', 'refreshing'), True)
    case.check('found', found)

    def settled():
        first.update(name, [line], serial=4)
        second.update(name, serial=4)
        subject.wait_serial(name, 4)
        compared = subject.status()['compared']
        harness.wait('comparisons', lambda: subject.status()['compared'] > compared + 1)
        expect('difference', subject.zone(name)['differs'], None)
    case.check('settled', settled)
