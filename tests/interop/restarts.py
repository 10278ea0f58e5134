# SPDX-License-Identifier: MIT
"""tests/interop/restarts.py: a daemon with many zones that starts again.

The database comes from bench/restart_make: none of its zones is due before tomorrow, and the primary is
a pair of sockets that count who asks.
"""

import json
import os
import random
import socket
import time

import axfarm
import harness
import wire
from harness import Failure, scenario

ZONES = 20000
ASK_S = 2.0
SEED = 2026
STARTED = ' workers, '
LOADED = ' zones loaded ('


class Primary:
    """Listens, and says nothing."""

    def __init__(self, case):
        self.port = case.port()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for s in (self.udp, self.tcp):
            s.bind(('127.0.0.1', self.port))
            s.setblocking(False)
        self.tcp.listen()

    def asked(self):
        """How often somebody asked since the last look."""
        count = 0
        for take in (lambda: self.udp.recv(65535), lambda: self.tcp.accept()[0].close()):
            try:
                while True:
                    take()
                    count += 1
            except BlockingIOError:
                pass
        return count

    def close(self):
        self.udp.close()
        self.tcp.close()


def make(case, primary, port):
    """The database and its configuration; returns the command."""
    folder = case.path('farm', 'axfarm.yaml')[:-len('/axfarm.yaml')]
    harness.run([os.path.join(axfarm.BUILD, 'bench', 'restart_make'), str(ZONES), folder], timeout=120)
    path = os.path.join(folder, 'axfarm.yaml')
    with open(path, 'w', encoding='ascii') as f:
        json.dump({'server': {'listen': ['127.0.0.1@%d' % port], 'workers': 2},
                   'database': {'path': os.path.join(folder, 'db')},
                   'control': {'socket': os.path.join(folder, 'sock')},
                   'primaries': [{'name': 'p', 'addresses': ['127.0.0.1@%d' % primary.port]}],
                   'templates': [{'name': 'hosted', 'primaries': ['p'], 'allow-transfer': ['127.0.0.0/8']}],
                   'zones': [{'file': 'zones.txt', 'template': 'hosted'}]}, f)
    return [os.path.join(axfarm.BUILD, 'axfarmd'), '-c', path]


def zone(rng):
    return 'shop-%d.example.' % rng.randrange(ZONES)


def first_answer(daemon, address, name):
    """The first answer of a daemon that is only just starting must be a good one. Sockets of the one
    before may live a little longer than it, and say nothing."""
    return harness.wait('the first answer', lambda: daemon.must_live() and
                        wire.ask_udp(address, wire.message(name, wire.SOA), 0.2), 20)


def must_answer(m, name):
    if m is None or m.rcode != wire.NOERROR or not m.aa or not m.answer:
        raise Failure('%s: %s' % (name, 'no answer' if m is None else 'RCODE %d' % m.rcode))


def is_loaded(daemon):
    return LOADED in daemon.log()


@scenario('restart-many')
def restart_many(case):
    """Every zone answers from the first moment, and no primary is asked about what is not due."""
    rng = random.Random(SEED)
    primary, port = Primary(case), case.port()
    address = ('127.0.0.1', port)
    daemon = harness.Process(case, 'axfarmd', make(case, primary, port))

    def at_once():
        asked = 0
        name = zone(rng)
        must_answer(first_answer(daemon, address, name), name)
        while not is_loaded(daemon) or asked < 100:
            name = zone(rng)
            must_answer(wire.ask_udp(address, wire.message(name, wire.SOA), ASK_S), name)
            asked += 1
        case.note('%d questions until all was read' % asked)
    case.check('answers-what-is-not-read', at_once)

    def again(look):
        daemon.stop()
        daemon.start()
        first_answer(daemon, address, 'shop-0.example.')
        look()

    def transfers():
        for _ in range(20):
            name = zone(rng)
            records = wire.axfr(address, name)
            if len(records) != 12:
                raise Failure('%s: %d records' % (name, len(records)))
    case.check('transfers-what-is-not-read', again, transfers)

    def pipelined():
        names = [zone(rng) for _ in range(200)]
        with socket.create_connection(address, ASK_S) as s:
            s.settimeout(5 * ASK_S)
            for i, name in enumerate(names):
                m = wire.message(name, wire.SOA, ident=i)
                s.sendall(len(m).to_bytes(2, 'big') + m)
            with s.makefile('rb') as f:
                for i, name in enumerate(names):
                    m = wire.Message(f.read(int.from_bytes(f.read(2), 'big')))
                    must_answer(m, name)
                    if m.ident != i:
                        raise Failure('answer %d came at place %d' % (m.ident, i))
    case.check('answers-in-order-over-tcp', again, pipelined)

    def unasked():
        harness.wait('all zones', lambda: daemon.must_live() and is_loaded(daemon), 60)
        time.sleep(0.5)     # the engines have begun, and would have asked
        asked = primary.asked()
        if asked:
            raise Failure('%d questions' % asked)
    case.check('asks-no-primary', unasked)

    def stops_midway():
        midway = 0
        for part in range(5):
            before = daemon.log().count(STARTED), daemon.log().count(LOADED)
            daemon.start()
            while daemon.must_live() and daemon.log().count(STARTED) == before[0]:
                time.sleep(0.001)
            time.sleep(0.02 * part)
            took = daemon.stop()
            midway += daemon.log().count(LOADED) == before[1]
            if daemon.p.returncode != 0:
                raise Failure('status %d\n%s' % (daemon.p.returncode, daemon.log()[-1000:]))
            case.note('SIGTERM %.2f s after the start: ended in %.3f s' % (0.02 * part, took))
        case.note('%d of 5 while it loaded' % midway)
        daemon.start()
        name = zone(rng)
        must_answer(first_answer(daemon, address, name), name)
    daemon.stop()
    case.check('stops-while-loading', stops_midway)
    daemon.stop()
    primary.close()
