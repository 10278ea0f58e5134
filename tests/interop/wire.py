# SPDX-License-Identifier: MIT
"""tests/interop/wire.py: enough DNS to ask, to notify and to read a transfer.

Written apart from axfarm's own code, so that the two check each other. Names are bytes in wire form.
"""

import random
import socket
import struct
import time

SOA, NS, CNAME, PTR, MX, TXT, AXFR, IXFR = 6, 2, 5, 12, 15, 16, 252, 251
QUERY, NOTIFY = 0, 4
NOERROR, REFUSED = 0, 5


class WireError(Exception):
    """A message that cannot be read, or is not the answer."""


def name(text):
    """Wire form of a name in presentation form with \\. and \\DDD escapes."""
    out, label, i = b'', b'', 0
    text = text.rstrip('.') if text != '.' and not text.endswith('\\.') else text
    if text in ('', '.'):
        return b'\0'
    while i < len(text):
        c = text[i]
        if c == '\\' and text[i + 1:i + 4].isdigit():
            label += bytes([int(text[i + 1:i + 4])])
            i += 4
            continue
        if c == '\\':
            i += 1
            label += text[i].encode()
        elif c == '.':
            out += bytes([len(label)]) + label
            label = b''
        else:
            label += c.encode()
        i += 1
    return out + bytes([len(label)]) + label + b'\0'


def message(qname, qtype, opcode=QUERY, flags=0, authority=b'', ident=None):
    ident = random.randrange(65536) if ident is None else ident
    head = struct.pack('>HHHHHH', ident, opcode << 11 | flags, 1, 0, 1 if authority else 0, 0)
    return head + name(qname) + struct.pack('>HH', qtype, 1) + authority


def read_name(msg, pos):
    """Returns (name, position after it)."""
    out, end, jumps = b'', None, 0
    while True:
        if pos >= len(msg):
            raise WireError('name beyond the message')
        length = msg[pos]
        if length >= 0xc0:
            end = pos + 2 if end is None else end
            pos = (length & 0x3f) << 8 | msg[pos + 1]
            jumps += 1
            if jumps > 128:
                raise WireError('pointers without end')
        elif length == 0:
            return out + b'\0', pos + 1 if end is None else end
        else:
            out += msg[pos:pos + 1 + length]
            pos += 1 + length


def whole_rdata(msg, rtype, pos, length):
    """Rdata with the names of RFC 1035's types written out."""
    if rtype in (NS, CNAME, PTR):
        return read_name(msg, pos)[0]
    if rtype == MX:
        return msg[pos:pos + 2] + read_name(msg, pos + 2)[0]
    if rtype == SOA:
        mname, at = read_name(msg, pos)
        rname, at = read_name(msg, at)
        return mname + rname + msg[at:pos + length]
    return msg[pos:pos + length]


class Message:
    """A parsed message; `answer` and `authority` are lists of (owner, type, ttl, rdata)."""

    def __init__(self, msg):
        if len(msg) < 12:
            raise WireError('%d octets are no message' % len(msg))
        self.ident, self.flags, qd, an, ns, ar = struct.unpack('>HHHHHH', msg[:12])
        self.rcode = self.flags & 15
        self.aa, self.tc = bool(self.flags & 0x400), bool(self.flags & 0x200)
        self.octets = len(msg)
        pos = 12
        for _ in range(qd):
            _, pos = read_name(msg, pos)
            pos += 4
        sections = []
        for count in (an, ns, ar):
            records = []
            for _ in range(count):
                owner, pos = read_name(msg, pos)
                rtype, _, ttl, length = struct.unpack('>HHIH', msg[pos:pos + 10])
                pos += 10
                if pos + length > len(msg):
                    raise WireError('rdata beyond the message')
                records.append((owner, rtype, ttl, whole_rdata(msg, rtype, pos, length)))
                pos += length
            sections.append(records)
        self.answer, self.authority, self.additional = sections


def soa_serial(rdata):
    """The serial of a SOA's rdata whose names are written out."""
    return struct.unpack('>I', rdata[-20:-16])[0]


def ask_udp(address, query, timeout=1.0):
    """One UDP exchange; None if nothing came in time or nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.connect(address)
            s.send(query)
            end = time.monotonic() + timeout
            while time.monotonic() < end:
                got = s.recv(65535)
                if got[:2] == query[:2]:
                    return Message(got)
        except OSError:
            return None
    return None


def serial(address, zone, timeout=1.0):
    """The serial that a server answers authoritatively for a zone; None if it does not."""
    m = ask_udp(address, message(zone, SOA), timeout)
    if m is None or m.rcode != NOERROR or not m.aa:
        return None
    for _, rtype, _, rdata in m.answer:
        if rtype == SOA:
            return soa_serial(rdata)
    return None


def notify(address, zone, timeout=1.0):
    """Sends a NOTIFY (RFC 1996); returns the RCODE of the answer or None."""
    m = ask_udp(address, message(zone, SOA, NOTIFY, 0x400), timeout)
    return None if m is None else m.rcode


def read_exactly(s, length):
    out = b''
    while len(out) < length:
        part = s.recv(length - len(out))
        if not part:
            raise WireError('closed after %d of %d octets' % (len(out), length))
        out += part
    return out


def axfr(address, zone, timeout=10.0):
    """The records of a whole zone, the SOA first and once; raises WireError."""
    with socket.create_connection(address, timeout) as s:
        query = message(zone, AXFR)
        s.sendall(struct.pack('>H', len(query)) + query)
        records = []
        while True:
            length, = struct.unpack('>H', read_exactly(s, 2))
            m = Message(read_exactly(s, length))
            if m.rcode != NOERROR:
                raise WireError('RCODE %d' % m.rcode)
            if not m.answer:
                raise WireError('a message without records')
            records += m.answer
            if records[0][1] != SOA:
                raise WireError('does not begin with the SOA')
            if len(records) > 1 and records[-1][1] == SOA:
                if records[-1] != records[0]:
                    raise WireError('begins and ends with different SOAs')
                return records[:-1]


def ixfr_query(zone, number):
    """An IXFR query of who has serial `number` (RFC 1995 §3)."""
    return message(zone, IXFR, authority=rr(name(zone), SOA, 0, b'\0\0' + struct.pack('>IIIII', number, 0, 0, 0, 0)))


def differences(records, number):
    """Judges the records of an answer to IXFR: ('SOA' | 'AXFR' | 'IXFR', deleted, added), or None if
    there are more to come. One difference from `number` is what is expected."""
    if records[0][1] != SOA:
        raise WireError('does not begin with the SOA')
    new = soa_serial(records[0][3])
    soas = [i for i, r in enumerate(records) if r[1] == SOA]
    if len(records) == 1:
        return ('SOA', [], []) if new == number else None
    if soas[1:2] != [1] or soa_serial(records[1][3]) == new:
        return ('AXFR', [], records[1:-1]) if soas[-1] == len(records) - 1 else None
    if len(soas) < 4:
        return None
    if len(soas) > 4 or soas[3] != len(records) - 1:
        raise WireError('SOAs at %s of %d records' % (soas, len(records)))
    serials = [soa_serial(records[i][3]) for i in soas]
    if serials != [new, number, new, new] or records[soas[0]] != records[soas[2]] != records[soas[3]]:
        raise WireError('serials %s' % serials)
    return 'IXFR', records[2:soas[2]], records[soas[2] + 1:-1]


def ixfr(address, zone, number, timeout=10.0):
    """IXFR over TCP: the SOA, and what differences() makes of it; raises WireError."""
    with socket.create_connection(address, timeout) as s:
        query = ixfr_query(zone, number)
        s.sendall(struct.pack('>H', len(query)) + query)
        records = []
        while True:
            length, = struct.unpack('>H', read_exactly(s, 2))
            m = Message(read_exactly(s, length))
            if m.rcode != NOERROR or not m.answer:
                raise WireError('RCODE %d, %d records' % (m.rcode, len(m.answer)))
            records += m.answer
            found = differences(records, number)
            if found:
                return records[0], found


def rr(owner, rtype, ttl, rdata, rclass=1):
    """One record on the wire; owner and rdata are already there."""
    return owner + struct.pack('>HHIH', rtype, rclass, ttl, len(rdata)) + rdata


def soa_rdata(zone, number, refresh=3600):
    return name('ns1.' + zone) + name('hostmaster.' + zone) + struct.pack('>IIIII', number, refresh, 60, 604800, 60)


def response(query, answers, rcode=NOERROR, ident=None, flags=0x8400):
    """A response to a query message: its question, and records as rr() makes them."""
    end = read_name(query, 12)[1] + 4
    head = query[:2] if ident is None else struct.pack('>H', ident)
    return head + struct.pack('>HHHHH', flags | rcode, 1, len(answers), 0, 0) + query[12:end] + b''.join(answers)
