# SPDX-License-Identifier: MIT
"""tests/interop/evil.py: a primary that breaks its transfers in every way we know.

Each zone has a way of its own. All are served well at serial 1; then every primary claims serial 2 and
breaks the transfer of it; then serial 3 is well again. At no time may the version being served be
harmed, and the operator must be told what is wrong.
"""

import socket
import struct
import threading

import axfarm
import harness
import peers
import wire
from harness import Failure, scenario

SUFFIX = '.evil.example.'


class Evil:
    """The primary; `step` is the serial of all its zones. Threads end when its sockets are closed."""

    def __init__(self, port):
        self.step = 1
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(('127.0.0.1', port))
        self.tcp.listen(100)
        self.stopping = threading.Event()
        for function in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=function, daemon=True).start()

    def stop(self):
        self.stopping.set()
        self.udp.close()
        self.tcp.close()

    def soa(self, zone, number=None):
        return wire.rr(wire.name(zone), wire.SOA, 300, wire.soa_rdata(zone, self.step if number is None else number))

    def serve_udp(self):
        while not self.stopping.is_set():
            try:
                query, peer = self.udp.recvfrom(65535)
                self.udp.sendto(wire.response(query, [self.soa(zone_of(query)[0])]), peer)
            except (OSError, IndexError, struct.error):
                continue

    def serve_tcp(self):
        while not self.stopping.is_set():
            try:
                s, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_connection, args=(s,), daemon=True).start()

    def serve_connection(self, s):
        with s:
            s.settimeout(20)
            try:
                while True:
                    length, = struct.unpack('>H', wire.read_exactly(s, 2))
                    query = wire.read_exactly(s, length)
                    zone, qtype = zone_of(query)
                    if qtype == wire.SOA:
                        send(s, wire.response(query, [self.soa(zone)]))
                    elif not self.transfer(s, query, zone, qtype):
                        return
            except (OSError, wire.WireError):
                return

    def content(self, zone):
        """The records of a zone besides its SOA."""
        out = [wire.rr(wire.name(zone), wire.NS, 300, wire.name('ns1.' + zone))]
        for i in range(50):
            out.append(wire.rr(wire.name('h%d.%s' % (i, zone)), 1, 300, bytes([10, 0, self.step, i])))
        return out

    def transfer(self, s, query, zone, qtype):
        """Answers AXFR or IXFR; returns whether the connection stays."""
        way = WAYS[zone[:-len(SUFFIX)]]
        if self.step == 2:
            return way(self, s, query, zone, qtype)
        send(s, wire.response(query, [self.soa(zone)] + self.content(zone) + [self.soa(zone)]))
        return True


def zone_of(query):
    """The question of a query: name in text, type."""
    wire_name, pos = wire.read_name(query, 12)
    labels, at = [], 0
    while wire_name[at]:
        labels.append(wire_name[at + 1:at + 1 + wire_name[at]].decode('ascii'))
        at += 1 + wire_name[at]
    return '.'.join(labels) + '.', struct.unpack('>H', query[pos:pos + 2])[0]


def send(s, message):
    s.sendall(struct.pack('>H', len(message)) + message)


def send_all(*make):
    """A way that sends messages made of (evil, zone) -> records, and closes."""
    def way(evil, s, query, zone, _):
        for records in make:
            send(s, wire.response(query, records(evil, zone)))
        return False
    return way


def whole(evil, zone):
    return [evil.soa(zone)] + evil.content(zone) + [evil.soa(zone)]


def begun(evil, zone):
    return [evil.soa(zone)] + evil.content(zone)


def with_record(owner, rtype, rdata, rclass=1):
    """A whole transfer with one more record; `owner` is relative."""
    def records(evil, zone):
        extra = wire.rr(wire.name(owner + zone), rtype, 300, rdata, rclass)
        return begun(evil, zone) + [extra, evil.soa(zone)]
    return send_all(records)


def cut_in_message(evil, s, query, zone, _):
    message = wire.response(query, whole(evil, zone))
    s.sendall(struct.pack('>H', len(message)) + message[:len(message) // 2])
    return False


def idle(evil, s, query, zone, _):
    send(s, wire.response(query, begun(evil, zone)))
    evil.stopping.wait(20)
    return False


def endless(evil, s, query, zone, _):
    send(s, wire.response(query, begun(evil, zone)))
    for n in range(10**6):
        records = [wire.rr(wire.name('e%d-%d.%s' % (n, i, zone)), 16, 1, b'\xff' + b'x' * 255) for i in range(100)]
        send(s, wire.response(query, records))
    return False


def other_ident(evil, s, query, zone, _):
    ident = struct.unpack('>H', query[:2])[0] ^ 1
    send(s, wire.response(query, whole(evil, zone), ident=ident))
    return False


def other_question(evil, s, query, zone, _):
    other = wire.message('other.example.', wire.AXFR, ident=struct.unpack('>H', query[:2])[0])
    send(s, wire.response(other, whole(evil, zone)))
    return False


def rcode_midway(evil, s, query, zone, _):
    send(s, wire.response(query, begun(evil, zone)))
    send(s, wire.response(query, [evil.soa(zone)], rcode=2))
    return False


def no_response_flag(evil, s, query, zone, _):
    send(s, wire.response(query, whole(evil, zone), flags=0x0400))
    return False


def pointer_loop(evil, s, query, zone, _):
    message = wire.response(query, begun(evil, zone) + [b''])
    at = len(message)
    send(s, message + struct.pack('>H', 0xc000 | at) + struct.pack('>HHIH', 1, 1, 300, 4) + b'\x0a\0\0\x01')
    return False


def beyond(evil, s, query, zone, _):
    record = wire.name(zone) + struct.pack('>HHIH', 16, 1, 300, 5000) + b'\x03abc'
    send(s, wire.response(query, begun(evil, zone) + [record]))
    return False


def ixfr_deletes_missing(evil, s, query, zone, qtype):
    if qtype != wire.IXFR:
        send(s, wire.response(query, whole(evil, zone)))
        return True
    missing = wire.rr(wire.name('missing.' + zone), 1, 300, b'\x0a\x09\x09\x09')
    send(s, wire.response(query, [evil.soa(zone), evil.soa(zone, 1), missing, evil.soa(zone), evil.soa(zone)]))
    return True


def ixfr_other_start(evil, s, query, zone, qtype):
    if qtype != wire.IXFR:
        send(s, wire.response(query, whole(evil, zone)))
        return True
    send(s, wire.response(query, [evil.soa(zone), evil.soa(zone, 77), evil.soa(zone), evil.soa(zone)]))
    return True


def ixfr_formerr(evil, s, query, zone, qtype):
    if qtype != wire.IXFR:
        send(s, wire.response(query, whole(evil, zone)))
        return True
    send(s, wire.response(query, [], rcode=1))
    return False


def ixfr_closes(evil, s, query, zone, qtype):
    if qtype != wire.IXFR:
        send(s, wire.response(query, whole(evil, zone)))
        return True
    return False


WAYS = {
    'closed-at-once': lambda *_: False,
    'cut-in-message': cut_in_message,
    'no-final-soa': send_all(begun),
    'empty-message': send_all(begun, lambda evil, zone: []),
    'idle': idle,
    'endless': endless,
    'other-ident': other_ident,
    'other-question': other_question,
    'rcode-midway': rcode_midway,
    'no-response-flag': no_response_flag,
    'pointer-loop': pointer_loop,
    'rdata-beyond-message': beyond,
    'malformed-a': with_record('x.', 1, b'\x0a\0\0'),
    'malformed-mx': with_record('x.', 15, b'\0'),
    'malformed-txt': with_record('x.', 16, b'\x09abc'),
    'other-class': with_record('x.', 1, b'\x0a\0\0\x01', 3),
    'meta-type': with_record('x.', 252, b''),
    'cname-beside-a': with_record('h1.', 5, b'\0'),
    'trailing-records': send_all(lambda evil, zone: whole(evil, zone) + evil.content(zone)),
    'begins-without-soa': send_all(lambda evil, zone: evil.content(zone) + [evil.soa(zone)]),
    'two-serials': send_all(lambda evil, zone: begun(evil, zone) + [evil.soa(zone, 9)]),
    'soa-alone-twice': send_all(lambda evil, zone: [evil.soa(zone), evil.soa(zone)]),
    'no-ns': send_all(lambda evil, zone: [evil.soa(zone)] + evil.content(zone)[1:] + [evil.soa(zone)]),
}
# These break IXFR alone; AXFR is well, and must be fallen back to at once.
FALLBACKS = {
    'ixfr-deletes-missing': ixfr_deletes_missing,
    'ixfr-other-start': ixfr_other_start,
    'ixfr-formerr': ixfr_formerr,
    'ixfr-closes': ixfr_closes,
}
# What is outside of the zone is left out, and the rest is served.
OUTSIDE = {'outside': send_all(lambda evil, zone: begun(evil, zone) + [
    wire.rr(wire.name('victim.example.'), 1, 300, b'\x0a\x06\x06\x06'), evil.soa(zone)])}
BROKEN = list(WAYS)
WAYS.update(FALLBACKS)
WAYS.update(OUTSIDE)


def unharmed(subject, zone, content):
    if subject.serial(zone) != 1:
        raise Failure('serial %s' % subject.serial(zone))
    peers.same_records(content, peers.records(subject.target(), zone))


@scenario('evil')
def evil_primary(case):
    """The version being served is never harmed, whatever the primary sends."""
    subject = axfarm.Axfarm(case)
    subject.limits = dict(subject.limits, **{'transfer-bytes': '2M', 'idle-time': '2s', 'transfer-time': '30s',
                                             'min-retry': '1h', 'max-retry': '1h'})
    evil = Evil(case.port())
    zones = [way + SUFFIX for way in WAYS]
    for zone in zones:
        subject.add_secondary(zone, peers.Target(evil.tcp.getsockname()[1]))
    try:
        subject.start()
        content = {}
        for zone in zones:
            subject.wait_serial(zone, 1)
            content[zone] = peers.records(subject.target(), zone)
        evil.step = 2
        for zone in zones:
            harness.wait('an answer to NOTIFY', lambda z=zone: wire.notify(('127.0.0.1', subject.port), z) == 0)
        for way in BROKEN:
            def check(zone=way + SUFFIX):
                error = subject.wait_error(zone, 60)
                if subject.zone(zone)['state'] != 'failing' or not error['code'] or not error['text']:
                    raise Failure('zone %s' % subject.zone(zone))
                unharmed(subject, zone, content[zone])
            case.check(way, check)
        for way in list(FALLBACKS) + list(OUTSIDE):
            def check(zone=way + SUFFIX):
                subject.wait_serial(zone, 2)
                if not subject.transfers(zone, 'AXFR'):
                    raise Failure('no AXFR')
            case.check(way, check)
        evil.step = 3
        for zone in zones:
            harness.wait('an answer to NOTIFY', lambda z=zone: wire.notify(('127.0.0.1', subject.port), z) == 0)

        def healed():
            for zone in zones:
                subject.wait_serial(zone, 3, 60)
                harness.wait('%s to be ok' % zone, lambda z=zone: subject.zone(z)['state'] == 'ok')
        case.check('heals', healed)
    finally:
        evil.stop()
