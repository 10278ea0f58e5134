# SPDX-License-Identifier: MIT
"""tests/interop/notify.py: NOTIFY in and out: what is skipped, limited, kept and merged."""

import socket
import struct
import threading
import time

import axfarm
import harness
import peers
import wire
import zones
from harness import Failure, scenario
from lifecycle import expect, pair

NOTIFY = 0x2400         # opcode and AA
LONG = {'min-refresh': '1h', 'max-refresh': '1h', 'min-retry': '10m', 'max-retry': '10m'}


def notify_message(zone, serial=None, ident=1):
    """A NOTIFY, with the SOA of that serial in its answer section."""
    answer = b'' if serial is None else wire.rr(wire.name(zone), wire.SOA, 60, wire.soa_rdata(zone, serial))
    return struct.pack('>HHHHHH', ident & 0xffff, NOTIFY, 1, 1 if answer else 0, 0, 0) + \
        wire.name(zone) + struct.pack('>HH', wire.SOA, 1) + answer


class Silent(threading.Thread):
    """A primary or target that takes everything and answers nothing."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(('127.0.0.1', port))
        self.tcp.listen(64)
        self.datagrams = []
        self.stopping = False
        self.start()

    def run(self):
        self.udp.settimeout(0.1)
        while not self.stopping:
            try:
                self.datagrams.append((time.monotonic(), self.udp.recv(4096)))
            except TimeoutError:
                pass

    def end(self):
        self.stopping = True
        self.join()
        self.udp.close()
        self.tcp.close()


@scenario('notify/known-serial')
def known_serial(case):
    """A NOTIFY with our serial in its SOA asks the primary nothing; without one it does."""
    primary, subject, key = pair(case, 1, peers.Knot)
    address, name = ('127.0.0.1', subject.port), 'z0.example.'
    del key

    def asked():
        s = subject.status()
        return s['soa_queries'], s['transfers_done'], len(subject.process.log().split('has no news')) - 1

    def skips():
        subject.settings[name]['limits'] = LONG
        subject.reload()
        subject.wait_state(name, 'ok')
        time.sleep(0.5)
        before = asked()
        for _ in range(20):
            m = wire.ask_udp(address, notify_message(name, 1))
            expect('RCODE', m.rcode, 0)
        time.sleep(0.5)
        expect('what was asked', asked(), before)
    case.check('skips-what-we-have', skips)

    def asks():
        wire.ask_udp(address, notify_message(name))
        harness.wait('a question', lambda: 'has no news' in subject.process.log(), 5)
    case.check('asks-without-a-serial', asks)

    def takes():
        primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
        wire.ask_udp(address, notify_message(name, 2))
        subject.wait_serial(name, 2)
    case.check('takes-a-newer-one', takes)


@scenario('notify/kept')
def kept(case):
    """What a NOTIFY told is known after a stop at once, and after a kill a moment later."""
    for how, wait_s in (('stop', 0.02), ('kill', 0.5)):
        key = peers.Key('test_key')
        primary, subject = peers.Knot(case, 'primary-' + how), axfarm.Axfarm(case, 'axfarm-' + how)
        name = how + '.example.'
        primary.add_primary(zones.small(name), key)
        subject.add_secondary(name, primary.target(key), key)
        subject.settings[name]['limits'] = LONG
        primary.start()
        subject.start()
        subject.wait_serial(name, 1)
        primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
        primary.stop()
        silent = Silent(primary.port)
        m = wire.ask_udp(('127.0.0.1', subject.port), notify_message(name, 2))

        def survives(m=m, how=how, wait_s=wait_s, subject=subject, silent=silent, primary=primary, name=name):
            expect('RCODE', m.rcode, 0)
            time.sleep(wait_s)
            if how == 'stop':
                subject.stop()
            else:
                subject.process.kill()
            silent.end()
            primary.process.start()
            subject.process.start()
            subject.wait_serial(name, 2, 10)
        case.check('after-a-' + how, survives)


@scenario('notify/limits')
def limits(case):
    """Strangers are refused up to a rate and then get no answer; the primary is not harmed by that."""
    primary, subject, _ = pair(case, 1, peers.Knot)
    name = 'z0.example.'

    def answers(count, message):
        """How many of so many messages in a row are answered."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(('127.0.0.1', subject.port))
            for i in range(count):
                s.send(struct.pack('>H', i) + message[2:])
                if i % 50 == 49:
                    time.sleep(0.005)
            s.settimeout(0.5)
            got = 0
            try:
                while s.recv(4096):
                    got += 1
            except TimeoutError:
                pass
            return got

    def strangers():
        got = answers(500, notify_message('elsewhere.example.', 7))
        if not 50 <= got <= 75:
            raise Failure('%d of 500 answered' % got)
        if subject.status()['notifies_limited'] < 400:
            raise Failure(str(subject.status()))
    case.check('refused', strangers)

    def known():
        expect('answered', answers(200, notify_message(name, 1)), 200)     # as a socket holds
        primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
        answers(100, notify_message('elsewhere.example.', 7))
        expect('answered', answers(1, notify_message(name, 2)), 1)
        subject.wait_serial(name, 2)
    case.check('allowed-from-the-same-address', known)


@scenario('notify/dead-target')
def dead_target(case):
    """A target that is silent gets a probe now and then, and all that changed when it answers again."""
    key = peers.Key('test_key')
    primary, subject, live = peers.Knot(case, 'primary'), axfarm.Axfarm(case), peers.Knot(case, 'live')
    late = peers.Knot(case, 'late')
    names = ['z%d.example.' % i for i in range(60)]
    for name in names:
        primary.add_primary(zones.small(name), key, [subject.target(key)])
        subject.add_secondary(name, primary.target(key), key, [live.target(key), late.target(key)])
        live.add_secondary(name, subject.target(key), key)
        late.add_secondary(name, subject.target(key), key)
    silent = Silent(late.port)
    for server in (primary, subject, live):
        server.start()
    for name in names:
        subject.wait_serial(name, 1)
        live.wait_serial(name, 1)

    def delays_nothing():
        for name in names:
            primary.update(name, ['n.%s 60 IN A 192.0.2.9' % name])
        for name in names:
            live.wait_serial(name, 2)
    case.check('delays-nothing', delays_nothing)

    def costs_little():
        harness.wait('silence', lambda: subject.status()['notify_silent'] == subject.workers, 15)
        before = len(silent.datagrams)
        time.sleep(4)
        if len(silent.datagrams) - before > 2 * subject.workers:
            raise Failure('%d datagrams' % (len(silent.datagrams) - before))
        expect('zones to be told of', subject.status()['notifies_owed'] >= len(names) - subject.workers, True)
    case.check('costs-little', costs_little)

    def told_later():
        silent.end()
        late.start()
        for name in names:
            late.wait_serial(name, 2, 70)
        harness.wait('nothing owed', lambda: subject.status()['notifies_owed'] == 0, 70)
        expect('silent targets', subject.status()['notify_silent'], 0)
    case.check('told-later', told_later)
    case.note('%d datagrams to the silent target in all' % len(silent.datagrams))
