# SPDX-License-Identifier: MIT
"""tests/interop/streams.py: TCP clients of every temper: many queries at once, slow ones, half closed ones, and ones that
never come to the point."""

import itertools
import os
import re
import resource
import select
import socket
import struct
import threading
import time

import axfarm
import evil
import harness
import lifecycle
import peers
import wire
from harness import Failure, scenario

BIG = 'big.evil.example.'
BIG_RECORDS = 60000
IDLE_S = 15         # CONN_IDLE_S of daemon/server.c
STALL_S = 60        # CONN_STALL_S, after which a client that takes nothing is left
CONNS_MAX = 16384   # of daemon/server.c
SLOW = 1500         # clients that take nothing
FILES = CONNS_MAX + 600     # that this process and axfarmd may have open


class Big(evil.Evil):
    """A primary with one zone of many records, which only ever says what it is."""

    def transfer(self, s, query, zone, qtype):
        if zone != BIG:
            evil.send(s, wire.response(query, evil.whole(self, zone)))
            return True
        records = [self.soa(zone), wire.rr(wire.name(zone), wire.NS, 300, wire.name('ns1.' + zone))]
        for i in range(BIG_RECORDS):
            records.append(wire.rr(wire.name('h%d.%s' % (i, zone)), 1, 300, struct.pack('>I', 0x0a000000 + i)))
            if len(records) == 500:
                evil.send(s, wire.response(query, records))
                records = []
        evil.send(s, wire.response(query, records + [self.soa(zone)]))
        return True


def frame(message):
    return struct.pack('>H', len(message)) + message


def connect(subject, receive=None):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(20)
    s.connect(('127.0.0.1', subject.port))
    return s


def read_message(s):
    length, = struct.unpack('>H', wire.read_exactly(s, 2))
    return wire.Message(wire.read_exactly(s, length))


def read_answers(s, count, transfer):
    """Reads the answers to queries with ids 0, 1, ...; number `transfer` is an AXFR. All in order."""
    for ident in range(count):
        m = read_message(s)
        lifecycle.expect('the id of an answer', m.ident, ident)
        lifecycle.expect('the RCODE of answer %d' % ident, m.rcode, 0)
        records = len(m.answer)
        while ident == transfer and (records < 2 or m.answer[-1][1] != wire.SOA):
            m = read_message(s)
            lifecycle.expect('the id in a transfer', m.ident, ident)
            records += len(m.answer)
        lifecycle.expect('the records of answer %d' % ident, records, BIG_RECORDS + 3 if ident == transfer else 1)


def queries(count, transfer):
    return b''.join(frame(wire.message(BIG if n == transfer else 'h%d.%s' % (n, BIG),
                                       wire.AXFR if n == transfer else 1, ident=n)) for n in range(count))


def pipelined(subject):
    with connect(subject) as s:
        s.sendall(queries(1000, 500))
        read_answers(s, 1000, 500)


def octet_by_octet(subject):
    """Each octet in a segment of its own, as far as that goes."""
    with connect(subject) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in queries(20, -1):
            s.sendall(bytes([octet]))
        read_answers(s, 20, -1)


def half_closed(subject):
    """A client that says that it is done gets all its answers, and then the end."""
    with connect(subject) as s:
        s.sendall(queries(300, 100))
        s.shutdown(socket.SHUT_WR)
        read_answers(s, 300, 100)
        lifecycle.expect('what follows the last answer', s.recv(1), b'')


def slow_reader(subject):
    """A client that takes little at a time gets everything, and delays nobody."""
    with connect(subject, 4096) as s:
        s.sendall(queries(200, 100))
        time.sleep(1)
        start = time.monotonic()
        lifecycle.expect('the serial meanwhile', subject.serial(BIG), 1)
        if time.monotonic() - start > 0.4:
            raise Failure('others wait for the slow reader')
        read_answers(s, 200, 100)


def vanishes(subject):
    """Clients that go in the middle of a transfer."""
    for n in range(30):
        s = connect(subject, 4096)
        s.sendall(queries(3, 1))
        s.recv(1 + 997 * n)
        if n % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()
    pipelined(subject)


def closed_within(s, seconds, drip):
    """Waits for the end of a connection, sending an octet of `drip` every second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        readable, _, _ = select.select([s], [], [], 1.0)
        try:
            if readable and s.recv(1) == b'':
                return True
            s.send(next(drip))
        except OSError:
            return True
    return False


def drips(subject):
    """Octets that never become a message do not keep a connection."""
    with connect(subject) as s:
        message = b'\x40\0' + b'x' * 100
        if not closed_within(s, IDLE_S + 6, (bytes([o]) for o in message)):
            raise Failure('a message that never ends keeps its connection')


def junk_drips(subject):
    """Nor do frames in which nothing is asked."""
    with connect(subject) as s:
        if not closed_within(s, IDLE_S + 6, itertools.repeat(b'\0\0')):
            raise Failure('empty messages keep their connection')


class Stalled:
    """A client that asks for more than buffers hold, takes nothing of it, and goes on to send."""

    def __init__(self, subject):
        self.subject = subject
        self.socket = connect(subject, 4096)
        self.socket.sendall(b''.join(frame(wire.message(BIG, wire.AXFR)) for _ in range(12)))
        self.start = time.monotonic()
        self.left_after = None
        self.thread = threading.Thread(target=self.drip, daemon=True)
        self.thread.start()

    def drip(self):
        while time.monotonic() < self.start + STALL_S + 10:
            if re.search(r'transfer to \S+@%d failed' % self.socket.getsockname()[1], self.subject.process.log()):
                self.left_after = time.monotonic() - self.start
                return
            try:
                self.socket.send(frame(wire.message(BIG, 1)))
            except OSError:
                pass
            time.sleep(1)

    def was_left(self):
        self.thread.join()
        self.socket.close()
        if self.left_after is None:
            raise Failure('a client that takes nothing is still waited for')
        if self.left_after < STALL_S - 5:
            raise Failure('a slow client was left after %.1f s' % self.left_after)


@scenario('streams')
def streams(case):
    subject = axfarm.Axfarm(case)
    subject.log_level = 'info'
    big = Big(case.port())
    subject.add_secondary(BIG, peers.Target(big.tcp.getsockname()[1]))
    try:
        subject.start()
        subject.wait_serial(BIG, 1)
        stalled = Stalled(subject)
        for title, function in (('pipelined', pipelined), ('octet-by-octet', octet_by_octet),
                                ('half-closed', half_closed), ('slow-reader', slow_reader), ('vanishes', vanishes),
                                ('drips', drips), ('junk-drips', junk_drips)):
            case.check(title, function, subject)
        case.check('stalled', stalled.was_left)
        case.check('lives', subject.process.must_live)
    finally:
        big.stop()


class Crowd:
    """Clients that began a transfer and take nothing of it, and others that only sit there."""

    def __init__(self, subject):
        self.subject = subject
        self.slow, self.idle = [], []

    def slow_begin(self):
        self.slow = [connect(self.subject, 4096) for _ in range(SLOW)]
        for s in self.slow:
            s.sendall(frame(wire.message(BIG, wire.AXFR)))
        for s in self.slow:
            s.recv(1, socket.MSG_PEEK)

    def others(self):
        """One who takes all, and one who asks, are served as ever."""
        pipelined(self.subject)
        lifecycle.expect('the serial meanwhile', self.subject.serial(BIG, 1.0), 1)

    def full(self):
        """The longest idle goes for each that comes; whoever is sent something stays."""
        started = len(self.idle)
        while len(self.slow) + len(self.idle) < CONNS_MAX + 100:
            self.idle.append(connect(self.subject))
        self.others()
        lifecycle.expect('what the longest idle hears', self.idle[started].recv(1), b'')
        self.idle[-1].sendall(queries(1, -1))
        read_answers(self.idle[-1], 1, -1)
        for s in self.slow:
            if not s.recv(1000):
                raise Failure('a slow client was left')

    def end(self):
        for s in self.slow + self.idle:
            s.close()


@scenario('crowd')
def crowd(case):
    """More clients than a shard has room for."""
    subject = axfarm.Axfarm(case)
    subject.workers = 1
    big = Big(case.port())
    subject.add_secondary(BIG, peers.Target(big.tcp.getsockname()[1]))
    clients = Crowd(subject)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        subject.start()
        subject.wait_serial(BIG, 1)
        if hard < SLOW + 500:
            case.note('only %d files may be open here' % hard)
            return
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        case.check('slow', clients.slow_begin)
        case.check('others', clients.others)
        if hard >= FILES:
            case.check('full', clients.full)
        case.check('lives', subject.process.must_live)
    finally:
        clients.end()
        big.stop()


STOP_LIMIT_S = lifecycle.STOP_S


def stop_clean(process):
    took = process.stop()
    lifecycle.expect('exit status', process.p.returncode, 0)
    if took > STOP_LIMIT_S:
        raise Failure('took %.1f s' % took)


def minds_signals(pid):
    """Whether the process has come so far as to hold its signals back (it ignores SIGPIPE next)."""
    try:
        with open('/proc/%d/status' % pid, encoding='ascii') as f:
            ignored = int(re.search(r'SigIgn:\s+(\S+)', f.read()).group(1), 16)
    except OSError:
        return True
    return ignored >> 12 & 1 == 1


def stop_after(process, seconds):
    """Starts it and stops it so long after it could be stopped cleanly."""
    process.start()
    harness.wait('signals to be held back', lambda: minds_signals(process.p.pid), 10)
    time.sleep(seconds)
    stop_clean(process)


@scenario('stops')
def stops(case):
    """SIGTERM ends it cleanly and soon in every phase."""
    subject = axfarm.Axfarm(case)
    big = Big(case.port())
    subject.add_secondary(BIG, peers.Target(big.tcp.getsockname()[1]))
    for n in range(200):
        subject.add_secondary('z%d.evil.example.' % n, peers.Target(big.tcp.getsockname()[1]))
    subject.configure()
    subject.process = harness.Process(case, subject.name, subject.command())
    try:
        subject.wait_answers()
        case.check('transferring', stop_clean, subject.process)
        for milliseconds in (0, 0, 10, 20, 30, 40, 60, 80, 120, 200, 500):
            case.check('after-%d-ms' % milliseconds, stop_after, subject.process, milliseconds / 1000)
        subject.process.start()
        subject.wait_serial(BIG, 1, 60)

        def with_clients():
            clients = [connect(subject, 4096) for _ in range(20)]
            for c in clients:
                c.sendall(queries(10, 3))
            clients[0].recv(1)
            clients[1].sendall(b'\x40')
            stop_clean(subject.process)
            for c in clients:
                c.close()
        case.check('clients-amid-transfers', with_clients)
        subject.process.start()
        subject.wait_serial(BIG, 1, 60)

        def with_operators():
            clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(4)]
            for c in clients:
                c.settimeout(20)
                c.connect(subject.folder('axfarm.sock'))
                c.sendall(b'GET /v1/zones/big.evil.example./export HTTP/1.1\r\nHost: axfarm\r\n\r\n')
            lifecycle.expect('the status line of an export', clients[0].recv(12), b'HTTP/1.1 200')
            clients[3].sendall(b'GET /')
            stop_clean(subject.process)
            for c in clients:
                c.close()
        case.check('operators-amid-exports', with_operators)
    finally:
        big.stop()


@scenario('cannot-start')
def cannot_start(case):
    """What fails late in the start undoes what came before it."""
    subject = axfarm.Axfarm(case)
    subject.add_secondary(BIG, peers.Target(case.port()))
    subject.configure()
    os.makedirs(subject.folder('axfarm.sock', 'not-a-socket'))
    subject.process = harness.Process(case, subject.name, subject.command())
    harness.wait('it to end', lambda: not subject.process.alive())
    lifecycle.expect('exit status', subject.process.p.returncode, 1)
    if 'axfarmd: ' not in subject.process.log() or 'Sanitizer' in subject.process.log():
        raise Failure(subject.process.log()[-2000:])


@scenario('early-notify')
def early_notify(case):
    """A NOTIFY that is acknowledged while the store is being loaded is not forgotten."""
    subject = axfarm.Axfarm(case)
    primary = Big(case.port())
    zones = ['early%d.evil.example.' % n for n in range(300)]
    for zone in zones:
        subject.add_secondary(zone, peers.Target(primary.tcp.getsockname()[1]))
    subject.log_level = 'info'
    subject.limits = {'min-refresh': '1h'}
    try:
        subject.start()
        for zone in zones:
            subject.wait_serial(zone, 1, 60)
        subject.stop()
        primary.step = 2
        subject.process.start()
        harness.wait('an answer to NOTIFY', lambda: wire.notify(('127.0.0.1', subject.port), zones[0], 0.02) == 0)
        subject.wait_serial(zones[0], 2, 10)
    finally:
        primary.stop()


@scenario('strangers')
def strangers(case):
    """What anybody may send does not fill the log, and is told all the same."""
    subject = axfarm.Axfarm(case)
    subject.log_level = 'info'
    subject.workers = 1
    subject.server = {'notify-refused-rate': 100000}
    subject.add_secondary(BIG, peers.Target(case.port()))
    subject.start()
    subject.wait_answers()
    start = time.monotonic()
    for n in range(1000):
        if wire.notify(('127.0.0.1', subject.port), 'no%d.example.' % n) != 9:
            raise Failure('a NOTIFY for a zone that is not ours was not refused')
    seconds = int(time.monotonic() - start) + 2
    lines = len(re.findall(r'\n.*zone no[0-9]+\.example', subject.process.log()))
    if not 0 < lines <= 20 * seconds:
        raise Failure('%d lines in %d seconds' % (lines, seconds))
