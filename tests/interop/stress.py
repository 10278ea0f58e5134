# SPDX-License-Identifier: MIT
"""tests/interop/stress.py: everything at once, by dice. Run it against a build with sanitizers:

    AXFARM_BUILD=build-asan tests/interop/interop.py stress

Zones come, go and change at reloads, primaries restart, versions and NOTIFYs come in bursts, an
operator refreshes and fetches again, clients ask and pull, some of them break off. Afterwards every
zone must be in step, and the daemon must have complained of nothing and end cleanly.
AXFARM_STRESS_SEED repeats the dice of a run, though not the order in which threads run.
"""

import os
import random
import re
import socket
import struct
import threading
import time

import axfarm
import evil
import harness
import lifecycle
import peers
import streams
import wire
from harness import Failure, scenario

ZONES = 60
RUN_S = 14.0
SETTLE_S = 20.0
KEPT = 4            # versions from which differences are sent
ACTION_S = 0.01     # between actions


class Farm:
    """The content of all zones, served by any number of primaries."""

    def __init__(self, dice):
        self.dice = dice
        self.lock = threading.Lock()
        self.versions = {}      # zone -> {serial: set of records}
        self.serials = {}

    def make(self, zone):
        ns = wire.rr(wire.name(zone), wire.NS, 300, wire.name('ns1.' + zone))
        with self.lock:
            self.serials[zone] = self.dice.choice([1, 2**31 - 3, 2**32 - 3])
            self.versions[zone] = {self.serials[zone]: {ns} | {self.host(zone) for _ in range(20)}}

    def host(self, zone):
        owner = wire.name('h%d.%s' % (self.dice.randrange(200), zone))
        return wire.rr(owner, 1, 300, struct.pack('>I', 0x0a000000 + self.dice.randrange(1000)))

    def bump(self, zone):
        with self.lock:
            serial = self.serials[zone]
            records = set(self.versions[zone][serial])
            for _ in range(self.dice.randrange(1, 8)):
                records ^= {self.host(zone)}
            serial = (serial + self.dice.randrange(1, 3)) % 2**32
            self.serials[zone] = serial
            self.versions[zone][serial] = records
            while len(self.versions[zone]) > KEPT:
                del self.versions[zone][next(iter(self.versions[zone]))]

    def soa(self, zone, serial):
        return wire.rr(wire.name(zone), wire.SOA, 300, wire.soa_rdata(zone, serial, 3))

    def answer(self, query):
        """The records of the answer to SOA, AXFR or IXFR."""
        zone, qtype = evil.zone_of(query)
        with self.lock:
            serial = self.serials[zone]
            soa, versions = self.soa(zone, serial), self.versions[zone]
            if qtype == wire.SOA:
                return [soa]
            if qtype == wire.IXFR:
                have = wire.soa_serial(wire.Message(query).authority[0][3])
                if have == serial:
                    return [soa]
                if have in versions:
                    gone, come = versions[have] - versions[serial], versions[serial] - versions[have]
                    return [soa, self.soa(zone, have)] + sorted(gone) + [soa] + sorted(come) + [soa]
            return [soa] + sorted(versions[serial]) + [soa]


class Primary:
    """One address at which a farm is served."""

    def __init__(self, farm, port):
        self.farm = farm
        self.port = port
        self.start()

    def start(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in (self.udp, self.tcp):
            s.bind(('127.0.0.1', self.port))
        self.tcp.listen(100)
        self.connections = set()
        for function, s in ((self.serve_udp, self.udp), (self.serve_tcp, self.tcp)):
            threading.Thread(target=function, args=(s,), daemon=True).start()

    def stop(self):
        for s in [self.udp, self.tcp] + list(self.connections):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def restart(self, seconds):
        self.stop()
        time.sleep(seconds)
        harness.wait('the port of a primary', self.try_start)

    def try_start(self):
        try:
            self.start()
        except OSError:
            return False
        return True

    def serve_udp(self, s):
        while s.fileno() >= 0:
            try:
                query, peer = s.recvfrom(65535)
                if not query:
                    return
                s.sendto(wire.response(query, self.farm.answer(query)), peer)
            except (OSError, KeyError, IndexError, struct.error, wire.WireError):
                continue

    def serve_tcp(self, listening):
        while True:
            try:
                s, _ = listening.accept()
            except OSError:
                return
            self.connections.add(s)
            threading.Thread(target=self.serve_connection, args=(s,), daemon=True).start()

    def serve_connection(self, s):
        with s:
            try:
                while True:
                    length, = struct.unpack('>H', wire.read_exactly(s, 2))
                    query = wire.read_exactly(s, length)
                    evil.send(s, wire.response(query, self.farm.answer(query)))
            except (OSError, KeyError, ValueError, wire.WireError):
                pass
        self.connections.discard(s)


class Stress:
    """One run: the daemon, its primaries, and what happens to them."""

    def __init__(self, case):
        self.case = case
        self.seed = int(os.environ.get('AXFARM_STRESS_SEED', random.SystemRandom().randrange(10**6)))
        case.note('AXFARM_STRESS_SEED=%d' % self.seed)
        self.dice = random.Random(self.seed)
        self.farm = Farm(random.Random(self.seed + 1))
        self.zones = ['z%d.stress.example.' % n for n in range(ZONES)]
        for zone in self.zones:
            self.farm.make(zone)
        self.primaries = [Primary(self.farm, case.port()) for _ in range(2)]
        self.subject = axfarm.Axfarm(case)
        self.limits = {'min-refresh': '1s', 'min-retry': '1s', 'max-retry': '2s'}
        for zone in self.zones[:ZONES // 2]:
            self.add(zone)
        self.restarting = threading.Lock()      # one at a time
        self.threads = []
        self.counts = {}

    def add(self, zone):
        targets = [peers.Target(p.port) for p in self.primaries]
        self.dice.shuffle(targets)
        self.subject.add_secondary(zone, targets[:self.dice.choice([1, 2, 2])])
        self.subject.settings[zone]['limits'] = dict(self.limits, **self.dice.choice([
            {}, {'idle-time': '5s'}, {'transfer-time': '20s'}]))

    def zone(self):
        return self.dice.choice(self.zones)

    def background(self, function, *args):
        """Lets something slow run beside; failures of clients are none of the daemon's."""
        def guarded():
            try:
                function(*args)
            except (OSError, wire.WireError, Failure):
                pass
        if len(self.threads) > 20:
            self.threads.pop(0).join()
        self.threads.append(threading.Thread(target=guarded, daemon=True))
        self.threads[-1].start()

    # ---- what may happen

    def news(self):
        for _ in range(self.dice.choice([1, 1, 3, 20])):
            zone = self.zone()
            self.farm.bump(zone)
            self.notify(zone)

    def notify(self, zone):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(self.dice.choice([1, 1, 5])):
                s.sendto(wire.message(zone, wire.SOA, wire.NOTIFY, 0x400), ('127.0.0.1', self.subject.port))

    def quiet_news(self):
        self.farm.bump(self.zone())

    def reload(self):
        for _ in range(self.dice.choice([1, 2, 10])):
            zone = self.zone()
            if zone in self.subject.settings and self.dice.random() < 0.5:
                del self.subject.settings[zone]
            else:
                self.add(zone)
        if self.dice.random() < 0.5:
            self.subject.configure()
            self.subject.ctl('reload')
        else:
            self.subject.reload()

    def operate(self):
        self.background(self.subject.ctl, 'zone', self.dice.choice(['refresh', 'retransfer']), self.zone())

    def look(self):
        self.background(self.subject.ctl, *self.dice.choice([['status'], ['zone', 'list'],
                                                             ['zone', 'export', self.zone()]]))

    def ask(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(50):
                zone = self.zone()
                s.sendto(wire.message('h%d.%s' % (self.dice.randrange(200), zone), self.dice.choice([1, 6, 255])),
                         ('127.0.0.1', self.subject.port))

    def pull(self):
        self.background(wire.axfr, ('127.0.0.1', self.subject.port), self.zone(), 5.0)

    def break_off(self):
        s = streams.connect(self.subject, 4096)
        for _ in range(20):
            s.sendall(streams.frame(wire.message(self.zone(), wire.AXFR)))
        s.close()

    def primary_restarts(self):
        self.background(self.restart_one, self.dice.choice(self.primaries), self.dice.random())

    def restart_one(self, primary, seconds):
        with self.restarting:
            primary.restart(seconds)

    def run(self):
        actions = ([self.news] * 12 + [self.quiet_news] * 4 + [self.reload] * 3 + [self.operate] * 3 + [self.look] * 2 +
                   [self.ask] * 4 + [self.pull] * 6 + [self.break_off] * 3 + [self.primary_restarts])
        end = time.monotonic() + RUN_S
        while time.monotonic() < end:
            action = self.dice.choice(actions)
            self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
            action()
            self.subject.process.must_live()
            time.sleep(ACTION_S)
        for t in self.threads:
            t.join(20)
        self.case.note(', '.join('%d %s' % (n, name) for name, n in sorted(self.counts.items())))

    # ---- what must hold

    def in_step(self):
        end = time.monotonic() + SETTLE_S
        for zone in self.subject.settings:
            left = max(1.0, end - time.monotonic())
            self.subject.wait_serial(zone, self.farm.serials[zone], left)
            got = {(owner.lower(), rtype, rdata) for owner, rtype, _, rdata in
                   wire.axfr(('127.0.0.1', self.subject.port), zone)[1:]}
            answer = wire.response(wire.message(zone, wire.AXFR), sorted(self.farm.versions[zone][self.farm.serials[zone]]))
            want = {(owner.lower(), rtype, rdata) for owner, rtype, _, rdata in wire.Message(answer).answer}
            lifecycle.expect('the content of %s' % zone, sorted(got), sorted(want))

    def gone(self):
        for zone in set(self.zones) - set(self.subject.settings):
            m = wire.ask_udp(('127.0.0.1', self.subject.port), wire.message(zone, wire.SOA))
            lifecycle.expect('the answer for %s, which was removed' % zone, m and m.rcode, wire.REFUSED)

    def log_is_clean(self):
        log = self.subject.process.log()
        # Its primaries are cut off, and that is said.
        bad = re.findall(r'.*(?:Sanitizer|runtime error|Assertion|Z error: (?!primary \S+ is cut off)).*', log)
        if bad:
            raise Failure('\n'.join(bad[:10]))


@scenario('stress')
def stress(case):
    s = Stress(case)
    try:
        s.subject.start()
        s.subject.wait_answers()
        s.run()
        s.subject.configure()
        s.subject.ctl('reload')
        case.check('in-step', s.in_step)
        case.check('gone', s.gone)
        case.check('states', lambda: [s.subject.wait_state(z, 'ok', 10) for z in s.subject.settings])
        case.check('stops', streams.stop_clean, s.subject.process)
        case.check('log-is-clean', s.log_is_clean)
    finally:
        for primary in s.primaries:
            primary.stop()
