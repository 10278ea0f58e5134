# SPDX-License-Identifier: MIT
"""tests/interop/answers.py: axfarmd answers as BIND and Knot do.

Every name of a zone that has one of everything, the names around them, below them and between them, and
every type that matters, are asked of all three; so are messages that are wrong or odd. What the two others
themselves answer differently is not held against anyone.
"""

import socket
import struct

import axfarm
import harness
import peers
import wire
import zones
from harness import Failure, scenario

ZONE, CHILD = 'varied.example.', 'child.varied.example.'
TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'PTR': 12, 'MX': 15, 'TXT': 16, 'AAAA': 28, 'SRV': 33, 'DNAME': 39,
         'DS': 43, 'RRSIG': 46, 'NSEC': 47, 'TYPE65280': 65280}
SHOWN = 8       # differences that a failure tells


def parent():
    """One of everything that changes the way of an answer."""
    records = zones.small(ZONE).records + [line.replace('@', ZONE) for line in (
        '@ 300 IN SRV 0 5 5060 mail.@', 'multi.@ 60 IN A 192.0.2.11', 'multi.@ 60 IN A 192.0.2.12',
        'multi.@ 60 IN TXT "two"', 'UPPER.@ 60 IN TXT "Case"', 'odd.@ 60 IN TYPE65280 \\# 2 0a0b',
        # Wildcards: of an alias, of a sub-tree, beside an empty non-terminal, of a mail name.
        '*.alias.@ 60 IN CNAME www.@', '*.w.@ 60 IN A 192.0.2.13', '*.w.@ 60 IN MX 10 mail.@',
        'known.w.@ 60 IN TXT "hides the wildcard"', 'x.ent.w.@ 60 IN TXT "and so does this"',
        'y.*.star.@ 60 IN TXT "below a star"', '*.*.two.@ 60 IN TXT "two stars"', '*.loop.@ 60 IN CNAME a.loop.@',
        # Chains: long, circular, into the cut, out of the zone, to nothing, to an empty non-terminal.
        *('c%d.@ 60 IN CNAME c%d.@' % (i, i + 1) for i in range(6)), 'c6.@ 60 IN A 192.0.2.14',
        'l0.@ 60 IN CNAME l1.@', 'l1.@ 60 IN CNAME l0.@', 'self.@ 60 IN CNAME self.@',
        'tocut.@ 60 IN CNAME host.sub.@', 'toglue.@ 60 IN CNAME ns.sub.@', 'out.@ 60 IN CNAME www.elsewhere.test.',
        'tonone.@ 60 IN CNAME none.@', 'toent.@ 60 IN CNAME b.c.@', 'towild.@ 60 IN CNAME any.w.@',
        'todname.@ 60 IN CNAME x.dn.@', 'tochild.@ 60 IN CNAME www.child.@',
        # DNAME: inside, outside, too long, below it nothing is seen.
        'dn.@ 60 IN DNAME target.@', 'dn.@ 60 IN TXT "beside the DNAME"', 'x.target.@ 60 IN A 192.0.2.15',
        'deep.x.target.@ 60 IN TXT "deep"', 'long.@ 60 IN DNAME %s.@' % '.'.join(['l' * 60] * 3),
        'chain.@ 60 IN DNAME dn.@',
        # Cuts: with DS, glue inside, beside and outside, servers below another cut, a name below glue.
        'cut.@ 300 IN NS ns.cut.@', 'cut.@ 300 IN NS ns.sub.@', 'cut.@ 300 IN NS ns1.@',
        'cut.@ 300 IN NS ns.elsewhere.test.', 'cut.@ 300 IN DS 1 8 2 %s' % ('AB' * 32), 'ns.cut.@ 300 IN A 192.0.2.54',
        'ns.cut.@ 300 IN AAAA 2001:db8::54', 'below.ns.cut.@ 300 IN A 192.0.2.55', 'bare.@ 300 IN NS ns.elsewhere.test.',
        'child.@ 300 IN NS ns1.child.@', 'child.@ 300 IN DS 1 8 2 %s' % ('CD' * 32), 'ns1.child.@ 300 IN A 192.0.2.1',
        'deep.ent.cut2.@ 300 IN NS ns1.@', 'mxcut.@ 300 IN MX 10 ns.sub.@', 'mxalias.@ 300 IN MX 10 www.@',
        'mxwild.@ 300 IN MX 10 any.w.@')]
    return zones.Zone(ZONE, records)


def labels(name):
    return name.rstrip('.').split('.')


def questions(zone):
    """Names of the zone, and around them, each with every type."""
    names = {zone.name}
    for line in zone.records:
        owner = line.split(' ', 1)[0]
        for i in range(len(labels(owner))):
            up = '.'.join(labels(owner)[i:]) + '.'
            if up.endswith(zone.name):
                names |= {up, 'nx.' + up, 'a.nx.' + up, '*.' + up, up.upper(), 'a' + up}
    names |= {'x' * 63 + '.long.' + zone.name, 'y' * 63 + '.' + 'x' * 63 + '.long.' + zone.name}
    return [(n, t) for n in sorted(names) if n.endswith(zone.name) or n.lower().endswith(zone.name)
            for t in TYPES.values()]


def lower(records):
    """Records without case, sorted: names may be compressed to a question's spelling of them."""
    return sorted({(r[0].lower(), r[1], r[2], r[3].lower()) for r in records})


def sense(m):
    """What a response says, in a form that can be compared."""
    if m is None:
        return None
    rtypes = {r[1] for r in m.authority}
    referral = wire.NS in rtypes and wire.SOA not in rtypes and not m.aa
    negative = wire.SOA in rtypes
    # NS beside an answer, and addresses beside anything but a referral, are a courtesy.
    authority = lower(m.authority) if negative or referral or not m.answer else []
    return (m.rcode, m.aa, m.tc, lower(m.answer), authority, lower(m.additional) if referral else [])


def ask_many(address, queries, window=64):
    """The answers to many queries over UDP, asked again where nothing came."""
    out = [None] * len(queries)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(address)
        s.settimeout(0.5)
        for _ in range(4):
            for start in range(0, len(queries), window):
                waiting = {i for i in range(start, min(start + window, len(queries))) if out[i] is None}
                for i in waiting:
                    s.send(struct.pack('>H', i) + queries[i][2:])
                while waiting:
                    try:
                        got = s.recv(65535)
                    except OSError:
                        break
                    i, = struct.unpack('>H', got[:2])
                    if i in waiting:
                        waiting.discard(i)
                        out[i] = wire.Message(got)
    return out


def trio(case):
    """BIND as the primary, Knot and axfarmd as its secondaries, all with both zones."""
    bind, knot, subject = peers.Bind(case, 'bind'), peers.Knot(case, 'knot'), axfarm.Axfarm(case)
    for zone in (parent(), zones.small(CHILD)):
        bind.add_primary(zone, None, [subject.target()])
        knot.add_secondary(zone.name, bind.target())
        subject.add_secondary(zone.name, bind.target())
    for server in (bind, knot, subject):
        server.start()
    for server in (knot, subject):
        for name in bind.zones:
            server.wait_serial(name, 1)
    return bind, knot, subject


def differences(servers, asked, queries):
    """Where axfarmd is alone: the other two agree and it does not."""
    answers = [[sense(m) for m in ask_many(('127.0.0.1', s.port), queries)] for s in servers]
    alone, split = [], 0
    for q, b, k, a in zip(asked, *answers):
        if b != k:
            split += a not in (b, k)
        elif a != b:
            alone.append('%s %s\n  others %s\n  axfarm %s' % (q[0], q[1], b, a))
    return alone, split


def must_agree(case, servers, zone):
    asked = questions(zone)
    alone, split = differences(servers, asked, [wire.message(n, t) for n, t in asked])
    case.note('%s: %d questions, %d where all three differ' % (zone.name, len(asked), split))
    if alone:
        raise Failure('%d of %d differ\n%s' % (len(alone), len(asked), '\n'.join(alone[:SHOWN])))


def opt(version=0, size=1232, rcode=0, flags=0, options=b'', owner=b'\0'):
    return owner + struct.pack('>HHBBHH', 41, size, rcode, version, flags, len(options)) + options


def odd_query(qname='www.' + ZONE, qtype=1, rclass=1, opcode=0, flags=0, counts=(1, 0, 0, 0), tail=b'', repeat=1):
    head = struct.pack('>HHHHHH', 0, opcode << 11 | flags, *counts)
    return head + (wire.name(qname) + struct.pack('>HH', qtype, rclass)) * repeat + tail


def odd_messages():
    """Title -> message: what is wrong, unknown or rare, and has an answer."""
    a = wire.rr(wire.name(ZONE), 1, 0, b'\x7f\0\0\1')
    out = {'opcode %d' % n: odd_query(opcode=n) for n in (1, 2, 3, 6, 7, 15)}
    out.update({'class %d' % n: odd_query(rclass=n) for n in (3, 4, 254)})
    out.update({
        'no question': odd_query(counts=(0, 0, 0, 0), repeat=0), 'two questions': odd_query(counts=(2, 0, 0, 0), repeat=2),
        'question cut': odd_query()[:-3], 'name beyond': odd_query(counts=(1, 0, 0, 0), repeat=0) + b'\x3fa',
        'BADVERS': odd_query(counts=(1, 0, 0, 1), tail=opt(1)), 'two OPT': odd_query(counts=(1, 0, 0, 2), tail=opt() * 2),
        'OPT not of the root': odd_query(counts=(1, 0, 0, 1), tail=opt(owner=wire.name('x.'))),
        'OPT cut': odd_query(counts=(1, 0, 0, 1), tail=opt(options=b'\0\x0a\0\x09\0')), 'RD': odd_query(flags=0x100),
        'CD': odd_query(flags=0x10), 'AD': odd_query(flags=0x20), 'Z': odd_query(flags=0x40), 'TC': odd_query(flags=0x200),
        'AA': odd_query(flags=0x400), 'record missing': odd_query(counts=(1, 0, 0, 1)),
        'EDNS options': odd_query(counts=(1, 0, 0, 1), tail=opt(options=b'\0\x0a\0\x08abcdefgh')),
        'DO': odd_query(counts=(1, 0, 0, 1), tail=opt(flags=0x8000)),
        'answer in the query': odd_query(counts=(1, 1, 0, 0), tail=a), 'outside': odd_query('www.elsewhere.test.'),
        'root': odd_query('.', 2), 'small EDNS': odd_query(counts=(1, 0, 0, 1), tail=opt(size=100)),
        'type OPT': odd_query(qtype=41), 'MAILB': odd_query(qtype=253), 'MAILA': odd_query(qtype=254),
        'type 256': odd_query(qtype=256)})
    return out


def reply(address, query, tcp=False):
    """The octets of an answer, or None."""
    try:
        if tcp:
            with socket.create_connection(address, 1.0) as s:
                s.sendall(struct.pack('>H', len(query)) + query)
                return wire.read_exactly(s, struct.unpack('>H', wire.read_exactly(s, 2))[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1.0)
            s.connect(address)
            s.send(query)
            return s.recv(65535)
    except (OSError, wire.WireError):
        return None


def head(octets):
    """Flags and counts of a response, its extended RCODE, and whether it has OPT."""
    if octets is None:
        return 'nothing'
    m = wire.Message(octets)
    edns = [r for r in m.additional if r[1] == 41]
    extended = (edns[0][2] >> 24) << 4 if edns else 0
    return 'RCODE %d flags %04x QD %d AN %d OPT %s' % (m.rcode | extended, m.flags & 0xfff0, octets[5], len(m.answer),
                                                     'DO' if edns and edns[0][2] & 0x8000 else bool(edns))


@scenario('answers')
def answers(case):
    """Questions about a zone that has everything, and odd messages."""
    servers = trio(case)
    for zone in (parent(), zones.small(CHILD)):
        case.check(zone.name.rstrip('.'), must_agree, case, servers, zone)

    def odd():
        wrong = []
        for title, query in odd_messages().items():
            for tcp in (False, True):
                b, k, a = [head(reply(('127.0.0.1', s.port), query, tcp)) for s in servers]
                if a not in (b, k):
                    wrong.append('%s%s\n  BIND   %s\n  Knot   %s\n  axfarm %s' % (title, ' (TCP)' * tcp, b, k, a))
        if wrong:
            raise Failure('\n'.join(wrong))
    case.check('odd-messages', odd)
