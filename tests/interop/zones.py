# SPDX-License-Identifier: MIT
"""tests/interop/zones.py: the zones that the tests transfer, generated.

A Zone is a name, the values of its SOA, and records as lines of presentation form (absolute owner
names). Everything is a function of a fixed seed. Signing is BIND's dnssec-signzone.
"""

import glob
import os
import random

import harness

HEX = '0123456789abcdef'


class Zone:
    """A zone as it stands in a zone file."""

    def __init__(self, name, records, serial=1, refresh=3600):
        self.name = name if name.endswith('.') else name + '.'
        self.records = list(records)
        self.serial = serial
        self.refresh = refresh

    def below(self, label):
        return label + '.' if self.name == '.' else label + '.' + self.name

    def soa(self):
        return '%s 300 IN SOA %s %s %d %d 60 604800 60' % (
            self.name, self.below('ns1'), self.below('hostmaster'), self.serial, self.refresh)

    def text(self):
        return '\n'.join([self.soa()] + self.records) + '\n'

    def write(self, path):
        with open(path, 'w', encoding='ascii') as f:
            f.write(self.text())
        return path


def apex(name):
    """NS records and glue that every zone here has."""
    dot = '.' if name == '.' else '.' + name
    return ['%s 300 IN NS ns1%s' % (name, dot), '%s 300 IN NS ns2%s' % (name, dot),
            'ns1%s 300 IN A 192.0.2.1' % dot, 'ns1%s 300 IN AAAA 2001:db8::1' % dot,
            'ns2%s 300 IN A 192.0.2.2' % dot]


def small(name, serial=1):
    """What a customer of a hosting provider has."""
    return Zone(name, apex(name) + [
        '%s 300 IN MX 10 mail.%s' % (name, name), '%s 300 IN TXT "v=spf1 -all"' % name,
        'mail.%s 300 IN A 192.0.2.25' % name, 'www.%s 300 IN CNAME %s' % (name, name),
        '%s 300 IN A 192.0.2.80' % name, '*.wild.%s 60 IN A 192.0.2.81' % name,
        'a.b.c.%s 60 IN TXT "below empty non-terminals"' % name,
        'sub.%s 300 IN NS ns.sub.%s' % (name, name), 'ns.sub.%s 300 IN A 192.0.2.53' % name,
        'd.%s 300 IN DNAME elsewhere.example.' % name], serial)


# Every type that BIND 9.18 writes in a form of its own, and data for it.
TYPES = '''
A 192.0.2.1
NS ns.elsewhere.example.
MB madname.example.
MG mgmname.example.
MR mrname.example.
MINFO rmailbx.example. emailbx.example.
NULL \\# 5 0102030405
WKS 192.0.2.1 6 0 1 2 21 23 25
PTR ptr.example.
HINFO "Generic PC clone" "NetBSD-1.4"
MX 10 mail.example.
TXT "plain" "with \\"quotes\\" and \\\\ and \\; and \\255\\000" ""
RP mbox.example. txt.example.
AFSDB 1 afsdb.example.
X25 "123456789"
ISDN "isdn-address" "subaddress"
RT 65535 intermediate.example.
NSAP 0x47000580005a0000000001e133ffffff00016100
NSAP-PTR nsap.example.
SIG A 8 2 300 20300101000000 20200101000000 2143 example. c2lnbmF0dXJl
KEY 512 3 8 AwEAAcLPcyd0
PX 65535 map822.example. mapx400.example.
GPOS "-22.6882" "116.8652" "250.0"
AAAA 2001:db8::1
LOC 60 9 0.000 N 24 39 0.000 E 10.00m 20m 2000m 20m
NXT next.example. A NS
EID 12 89 AB
NIMLOC 12 89 AB
SRV 65535 65535 65535 srv.example.
ATMA 00
NAPTR 65535 65535 "s" "http+I2L+I2C+I2R" "!^.*$!sip:info@example.com!" replace.example.
KX 10 kx.example.
CERT 65534 65535 8 MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGgiWCn/GxHhai6V
A6 64 ::1:2:3:4 prefix.example.
SINK 8 0 0 2l4=
APL !1:10.0.0.1/32 1:10.0.0.0/24 2:2001:db8::/32
DS 30795 8 2 310D27F4D82C1FC2400704EA9939FE6E1CEAA3B9F8D7E2A0B5B1A1D2D3E4F506
SSHFP 4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789
IPSECKEY 10 3 2 gateway.example. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
IPSECKEY 10 0 2 . AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
RRSIG NSEC 8 3 3600 20300101000000 20200101000000 2143 types.example. c2lnbmF0dXJl
NSEC next.types.example. A NS TYPE65280
DNSKEY 257 3 8 AwEAAcLPcyd0
DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=
TLSA 3 1 1 0C72AC70B745AC19998811B131D662C9AC69DBDBE7CB23E5B514B56664C5D3D6
SMIMEA 3 1 1 0C72AC70B745AC19998811B131D662C9AC69DBDBE7CB23E5B514B56664C5D3D6
HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p rvs.example.
NINFO "foo"
RKEY 0 3 8 AwEAAcLPcyd0
TALINK talink0.example. talink1.example.
CDS 30795 8 2 310D27F4D82C1FC2400704EA9939FE6E1CEAA3B9F8D7E2A0B5B1A1D2D3E4F506
CDNSKEY 257 3 8 AwEAAcLPcyd0
OPENPGPKEY AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
CSYNC 66 3 A NS AAAA
SVCB 1 svc.example. mandatory=alpn alpn="h2,h3" port=8443 ipv4hint=192.0.2.1 key65400="x"
SVCB 0 alias.example.
HTTPS 1 . alpn="h3" no-default-alpn ipv6hint=2001:db8::1 ech="ZWNo"
SPF "v=spf1 -all"
NID 10 0014:4fff:ff20:ee64
L32 10 10.1.2.0
L64 10 2001:0db8:1140:1000
LP 10 l64.example.
EUI48 01-23-45-67-89-ab
EUI64 01-23-45-67-89-ab-cd-ef
URI 10 20 "https://www.example/"
CAA 128 issue "ca.example; account=1"
AVC "foo" "bar"
DOA 1234567890 1234567890 1 "image/gif" R0lGODlhKAAZAOMCAGZmZgBmmf///zOZzMz//5nM/zNmmWbM
AMTRELAY 10 1 3 relay.example.
AMTRELAY 0 0 0 .
TA 30795 8 2 310D27F4D82C1FC2400704EA9939FE6E1CEAA3B9F8D7E2A0B5B1A1D2D3E4F506
DLV 30795 8 2 310D27F4D82C1FC2400704EA9939FE6E1CEAA3B9F8D7E2A0B5B1A1D2D3E4F506
'''.strip().split('\n')

# What each server can only read in RFC 3597's form (found by trying).
UNREADABLE = {
    'bind': set(),
    'knot': set('MB MG MR NULL WKS X25 ISDN NSAP NSAP-PTR SIG PX GPOS NXT EID NIMLOC ATMA A6 SINK HIP NINFO '
                'RKEY TALINK AVC DOA AMTRELAY TA DLV'.split()),
    'nsd': set('NSAP-PTR GPOS EID NIMLOC ATMA A6 SINK HIP NINFO RKEY TALINK DOA AMTRELAY TA'.split()),
    'pdns': set('NULL WKS X25 ISDN RT NSAP NSAP-PTR SIG PX GPOS NXT EID NIMLOC ATMA A6 SINK HIP NINFO TALINK '
                'AVC DOA AMTRELAY TA'.split()),
}


# What a server rejects or, as a primary, would make anew.
SKIPPED = {'pdns': ('RRSIG', 'NSEC', 'IPSECKEY 10 0', 'DNSKEY', 'CDS', 'CDNSKEY')}


# BIND keeps record sets of at most 64 KiB, and Knot sends each in one message; NSD sends messages of at
# most 16 KiB in a transfer, and PowerDNS loses larger records.
SET_RECORDS = {'bind': 5000, 'knot': 3500, 'nsd': 16000, 'pdns': 16000}
RECORD_OCTETS = {'bind': 65000, 'knot': 65000, 'nsd': 16000, 'pdns': 16000}


def rfc3597(rtype, rdata):
    """The same record as a type without a name; BIND translates."""
    line = harness.run(['named-rrchecker', '-u'], 'IN %s %s\n' % (rtype, rdata)).split(None, 2)
    return line[1], line[2].strip().replace('\n', ' ')


def types(server):
    """One owner for each type (NS would be a cut, CNAME and DNAME stand in small())."""
    name, records = 'types.example.', apex('types.example.')
    for i, line in enumerate(TYPES):
        if line.startswith(SKIPPED.get(server, ('-',))):
            continue
        ttl = 3600 if line.startswith('RRSIG') else 60 + i      # Knot gives it its original TTL
        rtype, rdata = line.split(None, 1)
        if rtype in UNREADABLE[server]:
            rtype, rdata = rfc3597(rtype, rdata)
        owner = 't%02d-%s.%s' % (i, line.split()[0].lower(), name)
        records.append('%s %d IN %s %s' % (owner, ttl, rtype, rdata))
    return Zone(name, records)


def unknown(server):
    """Types and data that nobody knows, of every length that can go wrong."""
    name, rng = 'unknown.example.', random.Random(3597)
    records = apex(name)
    for i, length in enumerate([0, 1, 2, 127, 128, 255, 256, 257, 1000, 16000, 16384, 20000]):
        if length > RECORD_OCTETS[server]:
            continue
        data = ''.join(rng.choice(HEX) for _ in range(2 * length))
        records.append('u%d.%s 60 IN TYPE%d \\# %d %s' % (i, name, 65280 + i, length, data))
    for rtype in (400, 999, 32770, 65279, 65534):
        records.append('many.%s 60 IN TYPE%d \\# 3 0a0b0c' % (name, rtype))
        records.append('many.%s 60 IN TYPE%d \\# 4 0a0b0c0d' % (name, rtype))
    return Zone(name, records)


def escapes():
    """Names with every octet, labels of 63 and names of 255 octets, and cases."""
    name = 'escapes.example.'
    records = apex(name)
    for octet in range(256):
        if octet not in b'*':
            records.append('o\\%03d.%s 60 IN A 192.0.2.3' % (octet, name))
    records += ['dot\\.in\\.label.%s 60 IN TXT "dots"' % name,
                'back\\\\slash.%s 60 IN CNAME dot\\.in\\.label.%s' % (name, name),
                '\\@.%s 60 IN TXT "at"' % name, 'quo\\"te.%s 60 IN TXT "quote"' % name,
                'semi\\;colon.%s 60 IN TXT "a\\;b"' % name, '\\(x\\).%s 60 IN TXT "(x)"' % name,
                'sp\\032ace.%s 60 IN MX 10 m\\032x.%s' % (name, name),
                '\\000.%s 60 IN TXT "\\000\\001\\127\\128\\255"' % name,
                'x*y.%s 60 IN A 192.0.2.4' % name, '*.%s 60 IN A 192.0.2.5' % name,
                '*.star.%s 60 IN A 192.0.2.6' % name, 'a.*.%s 60 IN A 192.0.2.7' % name,
                'MiXeD.CaSe.%s 60 IN TXT "Case Of Text"' % name,
                'refers.%s 60 IN CNAME MiXeD.cAsE.%s' % (name, name),
                '%s.%s 60 IN A 192.0.2.8' % ('l' * 63, name),
                '_sip._tcp.%s 60 IN SRV 0 5 5060 s.%s' % (name, name)]
    room = 255 - len(name) - 1      # what is left below the apex in wire form
    long = '.'.join(['l' * 63, 'o' * 63, 'n' * 63, 'g' * (room - 3 * 64 - 1)]) + '.' + name
    short = '.'.join('abcdefghij'[i % 10] for i in range(room // 2)) + '.' + name
    records += ['%s 60 IN TXT "255 octets"' % long, '%s 60 IN TXT "127 labels"' % short,
                'to-long.%s 60 IN CNAME %s' % (name, long),
                'strings.%s 60 IN TXT "%s" "" "%s"' % (name, 's' * 255, 't' * 255),
                'ttl.%s 0 IN A 192.0.2.9' % name, 'ttl2.%s 2147483647 IN A 192.0.2.9' % name]
    return Zone(name, records)


def bigset(server):
    """A record set of 16,000 records, and one of 1,000 with names."""
    name = 'bigset.example.'
    records = apex(name)
    records += ['all.%s 60 IN A 10.%d.%d.%d' % (name, i >> 14 & 255, i >> 7 & 127, i & 127)
                for i in range(SET_RECORDS[server])]
    records += ['names.%s 60 IN PTR host-%d.%s' % (name, i, name) for i in range(1000)]
    return Zone(name, records)


def bigmessage(server):
    """Records that need messages of (nearly) 64 KiB."""
    name, rng = 'bigmessage.example.', random.Random(65535)
    records = apex(name)
    for i, length in enumerate([65000, 64000, 60000, 40000, 16000, 15000]):
        if length > RECORD_OCTETS[server]:
            continue
        data = ''.join(rng.choice(HEX) for _ in range(2 * length))
        records.append('b%d.%s 60 IN TYPE65400 \\# %d %s' % (i, name, length, data))
    text = ' '.join('"%s"' % (chr(97 + i % 26) * 255) for i in range(200 if RECORD_OCTETS[server] > 51200 else 60))
    records.append('txt.%s 60 IN TXT %s' % (name, text))
    return Zone(name, records)


def delegations(name, count, seed, ds_share=0.6):
    """A zone that is mostly cuts, some with glue below themselves and DS."""
    rng = random.Random(seed)
    records = apex(name)
    for i in range(count):
        cut = '%s%d.%s' % (''.join(rng.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(rng.randint(2, 12))),
                           i, '' if name == '.' else name)
        for k in range(rng.randint(2, 4)):
            if rng.random() < 0.4:
                host = 'ns%d.%s' % (k, cut)
                records += ['%s 172800 IN NS %s' % (cut, host),
                            '%s 172800 IN A 198.51.%d.%d' % (host, rng.randrange(256), rng.randrange(256))]
                if rng.random() < 0.5:
                    records.append('%s 172800 IN AAAA 2001:db8:%x::%x' % (host, rng.randrange(65536), i))
            else:
                records.append('%s 172800 IN NS ns%d.host%d.example.' % (cut, k, rng.randrange(50)))
        if rng.random() < ds_share:
            digest = ''.join(rng.choice(HEX) for _ in range(64)).upper()
            records.append('%s 86400 IN DS %d 8 2 %s' % (cut, rng.randrange(65536), digest))
    return Zone(name, records)


def sign(case, zone, *options):
    """The zone with keys of its own and signatures: what dnssec-signzone writes, read back."""
    folder = case.path('sign-' + zone.name.replace('/', '_'), 'x')[:-1]
    harness.run(['dnssec-keygen', '-q', '-K', folder, '-a', 'ECDSAP256SHA256', '-f', 'KSK', zone.name])
    harness.run(['dnssec-keygen', '-q', '-K', folder, '-a', 'ECDSAP256SHA256', zone.name])
    path, signed = os.path.join(folder, 'zone'), os.path.join(folder, 'signed')
    zone.write(path)
    with open(path, 'a', encoding='ascii') as f:
        for key in glob.glob(os.path.join(folder, 'K*.key')):
            with open(key, encoding='ascii') as k:
                f.write(''.join(line for line in k if not line.startswith(';')))
    harness.run(['dnssec-signzone', '-q', '-K', folder, '-d', folder, '-o', zone.name, '-O', 'full', '-P',
                 '-f', signed] + list(options) + [path], timeout=120)
    records = []
    with open(signed, encoding='ascii') as f:
        for line in f:
            fields = line.split(None, 4)
            if line.startswith(';') or len(fields) < 5:
                continue
            if fields[3] == 'SOA':
                continue        # the SOA is written from its values
            records.append(' '.join(line.split()))
    return Zone(zone.name, records, zone.serial, zone.refresh)


def least(first, second):
    """The tables' entry for what two servers must both be able to carry."""
    name = first + '+' + second
    if name not in SET_RECORDS:
        UNREADABLE[name] = UNREADABLE[first] | UNREADABLE[second]
        SKIPPED[name] = SKIPPED.get(first, ()) + SKIPPED.get(second, ()) or ('-',)
        SET_RECORDS[name] = min(SET_RECORDS[first], SET_RECORDS[second])
        RECORD_OCTETS[name] = min(RECORD_OCTETS[first], RECORD_OCTETS[second])
    return name


def varied(case, server):
    """The zones of the interop tests, for a server that must read them. Title -> Zone."""
    nsec3 = ['-3', 'c0ffee', '-H', '5']
    return {
        'small': small('small.example.'),
        'types': types(server),
        'unknown': unknown(server),
        'escapes': escapes(),
        'bigset': bigset(server),
        'bigmessage': bigmessage(server),
        'root': sign(case, delegations('.', 300, 1)),
        'tld': sign(case, delegations('tld.', 4000, 2, 0.1), '-3', '-', '-H', '0', '-A'),
        'nsec': sign(case, small('nsec.example.')),
        'nsec3': sign(case, small('nsec3.example.'), *nsec3),
    }
