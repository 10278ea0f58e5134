# SPDX-License-Identifier: MIT
"""tests/interop/lifecycle.py: starts, restarts, reloads, stops and the loss of primaries."""

import json
import os
import subprocess

import axfarm
import harness
import peers
import wire
import zones
from harness import Failure, scenario

STOP_S = 5.0      # the aim is one second; machines differ


def pair(case, count=3, primary_class=peers.Bind):
    """A started primary and axfarmd with a few small zones in step."""
    key = peers.Key('test_key')
    primary, subject = primary_class(case, 'primary'), axfarm.Axfarm(case)
    for i in range(count):
        zone = zones.small('z%d.example.' % i)
        primary.add_primary(zone, key, [subject.target(key)])
        subject.add_secondary(zone.name, primary.target(key), key)
    primary.start()
    subject.start()
    for name in primary.zones:
        subject.wait_serial(name, 1)
    return primary, subject, key


def expect(what, got, want):
    if got != want:
        raise Failure('%s is %s, wanted %s' % (what, got, want))


@scenario('restart')
def restart(case):
    """What was served is served again without the primary, and its times go on."""
    primary, subject, key = pair(case)
    name = 'z0.example.'
    primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
    subject.wait_serial(name, 2)
    before = {n: (peers.records(subject.target(key), n), subject.zone(n)) for n in primary.zones}

    def stops():
        took = subject.stop()
        case.note('SIGTERM to end: %.3f s' % took)
        expect('exit status', subject.process.p.returncode, 0)
        if took > STOP_S:
            raise Failure('took %.1f s' % took)
    case.check('stops-in-a-second', stops)
    primary.stop()
    subject.process.start()

    def serves():
        for n, (lines, status) in before.items():
            subject.wait_serial(n, status['serial'], 10)
            peers.same_records(lines, peers.records(subject.target(key), n))
            now = subject.zone(n)
            for field in ('root', 'serial', 'records', 'received_at', 'expire_at'):
                expect('%s of %s' % (field, n), now[field], status[field])
    case.check('serves-from-disk', serves)

    def asks_nobody():
        lines = [x for x in subject.process.log().split('\n') if 'failed' in x]
        if lines:
            raise Failure('\n'.join(lines[:5]))
    case.check('asks-nobody-before-the-refresh', asks_nobody)


@scenario('failover')
def failover(case):
    """A zone's primaries are tried in order."""
    key = peers.Key('test_key')
    first, second = peers.Knot(case, 'first'), peers.Knot(case, 'second')
    subject = axfarm.Axfarm(case)
    name = 'failover.example.'
    for server in (first, second):
        server.add_primary(zones.small(name), key, [subject.target(key)])
    subject.add_secondary(name, [first.target(key), second.target(key)], key)
    first.start()
    second.start()
    subject.start()

    def uses(server):
        port = subject.zone(name)['primary'].split('@')[-1]
        expect('the port of the primary', int(port), server.port)
    subject.wait_serial(name, 1)
    case.check('first', uses, first)
    first.stop()
    second.update(name, ['n.%s 60 IN A 192.0.2.9' % name])

    def moves():
        subject.wait_serial(name, 2)
        uses(second)
    case.check('second', moves)


@scenario('lower-serial')
def lower_serial(case):
    """A primary that goes back is not followed, and the operator is told."""
    primary, subject, key = pair(case, 1, peers.Nsd)
    name = 'z0.example.'
    primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name], serial=1000)
    subject.wait_serial(name, 1000)
    lines = peers.records(subject.target(key), name)
    primary.update(name, ['m.%s 60 IN A 192.0.2.9' % name], serial=500)
    wire.notify(('127.0.0.1', subject.port), name)

    def told():
        expect('code', subject.wait_error(name)['code'], 'serial-old')
        expect('serial', subject.serial(name), 1000)
        peers.same_records(lines, peers.records(subject.target(key), name))
    case.check('told', told)

    def retransfer():
        subject.ctl('zone', 'retransfer', name)
        subject.wait_serial(name, 500)
        subject.wait_state(name, 'ok')
    case.check('retransfer-follows', retransfer)

    def wraps():
        primary.update(name, ['w.%s 60 IN A 192.0.2.9' % name], serial=2147484000)
        subject.wait_serial(name, 2147484000)
        primary.update(name, ['v.%s 60 IN A 192.0.2.9' % name], serial=100)
        subject.wait_serial(name, 100)
    case.check('rfc1982', wraps)


@scenario('expire')
def expire(case):
    """An expired zone is not answered for, and comes back."""
    primary, subject, _ = pair(case, 1, peers.Knot)
    name = 'z0.example.'
    zone = primary.zones[name]
    subject.settings[name]['limits'] = {'min-refresh': '1s', 'max-refresh': '1s', 'min-retry': '1s', 'max-retry': '1s',
                                        'min-expire': '1s', 'max-expire': '3s'}
    subject.reload()
    zone.refresh = 1
    primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
    subject.wait_serial(name, 2)
    primary.stop()

    def expires():
        subject.wait_state(name, 'expired')
        m = wire.ask_udp(('127.0.0.1', subject.port), wire.message(name, wire.SOA))
        expect('RCODE', m.rcode, 2)
    if case.check('expires', expires):
        primary.process.start()

        def comes_back():
            subject.wait_serial(name, 2)
            subject.wait_state(name, 'ok')
        case.check('comes-back', comes_back)


@scenario('reload')
def reload(case):
    """A changed file is applied without losing anything; a broken one is refused."""
    primary, subject, key = pair(case)
    extra = zones.small('extra.example.')

    def adds():
        primary.stop()
        primary.add_primary(extra, key, [subject.target(key)])
        primary.start()
        subject.add_secondary(extra.name, primary.target(key), key)
        subject.reload()
        subject.wait_serial(extra.name, 1)
        expect('serial', subject.serial('z0.example.'), 1)
    case.check('adds', adds)

    def removes():
        del subject.settings['z2.example.']
        subject.configure()
        subject.ctl('reload')
        harness.wait('REFUSED', lambda: getattr(wire.ask_udp(('127.0.0.1', subject.port), wire.message(
            'z2.example.', wire.SOA)), 'rcode', None) == wire.REFUSED)
        expect('serial', subject.serial('z1.example.'), 1)
    case.check('removes', removes)

    def refuses():
        with open(subject.folder('axfarm.yaml'), encoding='ascii') as f:
            good = f.read()
        with open(subject.folder('axfarm.yaml'), 'w', encoding='ascii') as f:
            f.write(good.replace('"listen"', '"lisen"'))
        text = subject.ctl('reload', check=False)
        checked = subprocess.run(subject.command() + ['--check'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 encoding='utf-8', check=False)
        if checked.returncode == 0 or 'lisen' not in checked.stdout or 'axfarm.yaml' not in checked.stdout:
            raise Failure('--check says %s' % checked.stdout)
        if 'lisen' not in text:
            raise Failure('reload says %s' % text)
        for name in ('z0.example.', 'z1.example.', extra.name):
            expect('serial of ' + name, subject.serial(name), 1)
        with open(subject.folder('axfarm.yaml'), 'w', encoding='ascii') as f:
            f.write(good)
    case.check('refuses', refuses)

    def address_taken():
        """A second daemon would share the first one's address, and take part of its queries."""
        with open(subject.folder('axfarm.yaml'), encoding='ascii') as f:
            c = json.load(f)
        c['database']['path'], c['control']['socket'] = subject.folder('db2'), subject.folder('2.sock')
        with open(subject.folder('second.yaml'), 'w', encoding='ascii') as f:
            json.dump(c, f)
        second = subprocess.run([subject.command()[0], '-c', subject.folder('second.yaml')], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, encoding='utf-8', timeout=10, check=False)
        expect('exit status', second.returncode, 1)
        if 'in use' not in second.stdout:
            raise Failure(second.stdout)
    case.check('address-taken', address_taken)

    def log_format():
        subject.log_format = 'json'
        subject.reload()
        harness.wait('an event in JSON', lambda: '"event":"config-loaded"' in subject.process.log(), 5)
        subject.log_format = 'text'
        subject.reload()
        harness.wait('the file applied', lambda: subject.process.log().endswith('changed)\n'), 5)
    case.check('log-format', log_format)

    def new_key():
        subject.settings['z0.example.']['primary'] = primary.target(peers.Key('test_key2'))
        subject.add_key(peers.Key('test_key2'))
        subject.reload()
        error = subject.wait_error('z0.example.')
        if error['code'] not in ('tsig-badkey', 'refused', 'notauth'):
            raise Failure('error %s' % error)
        expect('serial', subject.serial('z0.example.'), 1)
    case.check('changed-key-is-tried-at-once', new_key)


@scenario('control')
def control(case):
    """The command line: tables, JSON, exit statuses."""
    _, subject, _ = pair(case)

    def fields():
        zone = subject.zone('z0.example.')
        for field in ('name', 'state', 'serial', 'root', 'records', 'bytes', 'primary', 'received_at', 'refresh_at',
                      'expire_at', 'last_error'):
            if field not in zone:
                raise Failure('no %s in %s' % (field, zone))
        expect('name', zone['name'], 'z0.example.')
        expect('state', zone['state'], 'ok')
        expect('records', zone['records'], len(zones.small('z0.example.').records) + 1)
    case.check('zone-status-json', fields)

    def tables():
        text = subject.ctl('zone', 'list')
        for i in range(3):
            if 'z%d.example.' % i not in text:
                raise Failure(text)
        if '\x1b' in text:
            raise Failure('colours without a terminal')
        if 'z0.example.' in subject.ctl('zone', 'list', '--state', 'failing', check=False):
            raise Failure('a zone that is ok is listed as failing')
        json.loads(subject.ctl('--json', 'status'))
        subject.ctl('status')
    case.check('tables', tables)

    def primaries():
        told = list(subject.primaries().values())
        expect('addresses', len(told), 1)
        expect('names', told[0]['names'], ['p0-0', 'p1-0', 'p2-0'])
        expect('state', told[0]['state'], 'up')
        expect('parked, and waiting', [told[0]['parked']] + list(told[0]['waiting'].values()), [0] * 6)
        expect('limits', [told[0]['max_connections'], told[0]['max_transfers']], [8, 512])
        if not told[0]['answer_us'] or not told[0]['window']:
            raise Failure('no latency or window in %s' % told)
        if '1: 0 down' not in subject.ctl('status') or ' up ' not in subject.ctl('primary', 'list'):
            raise Failure(subject.ctl('primary', 'list'))
        expect('unused', subject.primaries('--state', 'unused'), {})
    case.check('primaries', primaries)

    def statuses():
        program = os.path.join(axfarm.BUILD, 'axfarmctl')
        socket = subject.folder('axfarm.sock')
        for args, want in ((['zone', 'status', 'z0.example.'], 0), (['zone', 'status', 'no.such.zone.'], 1),
                           (['zone', 'refresh', 'z0.example'], 0), (['nonsense'], 2), (['zone'], 2), (['status'], 0),
                           (['zone', 'export', 'no.such.zone.'], 1)):
            got = subprocess.run([program, '-s', socket] + args, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, check=False).returncode
            expect('status of %s' % ' '.join(args), got, want)
        gone = subprocess.run([program, '-s', socket + '.none', 'status'], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode
        if gone == 0:
            raise Failure('status 0 without a daemon')
    case.check('exit-statuses', statuses)

    def stop():
        subject.ctl('stop')
        harness.wait('the end', lambda: not subject.process.alive(), 5)
        expect('exit status', subject.process.p.returncode, 0)
    case.check('stop', stop)


@scenario('access')
def access(case):
    """NOTIFY and transfers from where they are not allowed are refused; queries outside too."""
    _, subject, _ = pair(case, 1)
    address = ('127.0.0.1', subject.port)

    def refused(query):
        m = wire.ask_udp(address, query)
        expect('RCODE', None if m is None else m.rcode, wire.REFUSED)
    case.check('query-outside', refused, wire.message('elsewhere.example.', wire.SOA))
    case.check('axfr-over-udp-is-no-transfer', lambda: expect(
        'answered with a zone', bool((wire.ask_udp(address, wire.message('z0.example.', wire.AXFR)) or
                                      wire.Message(bytes(12))).answer), False))

    def unsigned():
        try:
            peers.records(subject.target(), 'z0.example.')
        except Failure:
            return
        raise Failure('given without the key')
    case.check('axfr-without-key', unsigned)
