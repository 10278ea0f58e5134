# SPDX-License-Identifier: MIT
"""bench/transfer_knot.py: the same with Knot as the primary: loads, signed and not, and changes by DNS UPDATE."""

import os
import socket
import statistics
import struct
import time

import transfer_farm
import wire
from transfer_farm import KEY, Stage, Wrong, cpu_seconds, harness

ZONE = '''$TTL 3600
@ SOA ns1.hoster.example. hostmaster.hoster.example. 2024010101 86400 7200 1209600 300
@ NS ns1.hoster.example.
@ NS ns2.hoster.example.
@ NS ns3.hoster.example.
@ MX 10 mail
@ A 10.{a}.{b}.{c}
@ AAAA 2001:db8:{a:x}:{b:x}::{c:x}
@ TXT "v=spf1 ip4:10.{a}.{b}.{c} include:spf.hoster.example -all"
_dmarc TXT "v=DMARC1; p=none; rua=mailto:dmarc@{name}"
www CNAME @
mail A 10.{b}.{c}.{a}
ftp CNAME www
'''
CHANGE_STEP = 0.0003    # s, between two questions whether a change is served
CHANGE_S = 30


def write_zones(folder, names):
    os.makedirs(folder)
    for i, name in enumerate(names):
        text = ZONE.format(name=name, a=i >> 16 & 255, b=i >> 8 & 255, c=i & 255)
        with open(os.path.join(folder, name + '.zone'), 'w', encoding='ascii') as f:
            f.write(text)


def start_knot(stage, names, signed):
    folder = os.path.dirname(stage.case.path('knot', 'x'))
    port = stage.case.port()
    write_zones(os.path.join(folder, 'zones'), names)
    with open(os.path.join(folder, 'knot.conf'), 'w', encoding='ascii') as f:
        f.write('''server:
  rundir: "{0}"
  listen: "127.0.0.1@{1}"
  tcp-workers: 2
  udp-workers: 1
  background-workers: 2
log:
  - target: stderr
    any: error
database:
  storage: "{0}"
key:
  - id: "{2.name}"
    algorithm: {2.algorithm}
    secret: "{2.secret}"
acl:
  - id: out
    {3}
    action: transfer
  - id: change
    address: 127.0.0.1
    action: update
template:
  - id: default
    storage: "{0}/zones"
    file: "%s.zone"
    semantic-checks: off
    zonefile-sync: -1
    acl: [out, change]
zone:
'''.format(folder, port, KEY, 'key: "%s"' % KEY.name if signed else 'address: 127.0.0.1'))
        f.writelines('  - domain: %s\n' % n for n in names)
    knot = harness.Process(stage.case, 'knot', [harness.program('knotd'), '-c', os.path.join(folder, 'knot.conf')])
    harness.wait('Knot to load', lambda: knot.must_live() and wire.serial(('127.0.0.1', port), names[-1], 0.5), 300)
    return knot, port


def load(options, zones, signed):
    names = ['z%07d.example' % i for i in range(zones)]
    with Stage(options) as stage:
        knot, port = start_knot(stage, names, signed)
        before = cpu_seconds(knot.p.pid)
        secondary = stage.start({'name': 'p', 'addresses': ['127.0.0.1@%d' % port], 'zones': names, 'signed': signed})
        seconds = secondary.wait_served(zones) - secondary.began
        return {'rate': zones / seconds, 'cpu': secondary.cpu() * 1e6 / zones,
                'knot': (cpu_seconds(knot.p.pid) - before) * 1e6 / zones, 'pss': secondary.pss() / 1024}


def loads(table, options, signed):
    zones = options.knot_zones
    runs = [load(options, zones, signed) for _ in range(options.runs)]
    middle = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
    title = '%d zones from Knot%s' % (zones, ', hmac-sha256' if signed else '')
    table.add('%s: zones a second' % title, middle['rate'], '1/s')
    table.add('%s: axfarmd, a zone' % title, middle['cpu'], 'CPU-us')
    table.add('%s: Knot, a zone' % title, middle['knot'], 'CPU-us')
    table.add('%s: PSS' % title, middle['pss'], 'KiB')


def name_octets(name):
    return b''.join(bytes([len(x)]) + x.encode() for x in name.rstrip('.').split('.')) + b'\0'


def ask(s, message):
    s.send(message)
    return s.recv(4096)


def update(s, zone, number):
    """Sets a TXT record; returns once Knot says that it did."""
    text = str(number).encode()
    rdata = bytes([len(text)]) + text
    message = struct.pack('>HHHHHH', number & 0xffff, 5 << 11, 1, 0, 1, 0) + name_octets(zone) + \
        struct.pack('>HH', 6, 1) + b'\6change\xc0\x0c' + struct.pack('>HHIH', 16, 1, 60, len(rdata)) + rdata
    answer = ask(s, message)
    if answer[3] & 15 != 0:
        raise Wrong('Knot refuses an update: rcode %d' % (answer[3] & 15))


def notify(s, zone, number):
    """Says that the zone changed; the answer to it is taken for no other by its id."""
    s.send(struct.pack('>HHHHHH', number | 0x8000, 4 << 11 | 0x400, 1, 0, 0, 0) + name_octets(zone) +
           struct.pack('>HH', 6, 1))


def has_text(s, zone, number):
    question = struct.pack('>HHHHHH', number & 0xffff, 0, 1, 0, 0, 0) + b'\6change' + name_octets(zone) + \
        struct.pack('>HH', 16, 1)
    s.send(question)
    answer = s.recv(4096)
    while answer[:2] != question[:2]:       # that to the NOTIFY
        answer = s.recv(4096)
    return str(number).encode() in answer[len(question):]


def changes(table, options):
    """One after the other, so that Knot's own pace is no part of it. Knot 3.2 tells of an update a second later, by a
    constant of its own; so NOTIFY is sent here, as soon as it has answered the update, and counted from."""
    names = ['z%07d.example' % i for i in range(options.knot_changes)]
    took = []
    with Stage(options) as stage:
        knot, port = start_knot(stage, names, False)
        secondary = stage.start({'name': 'p', 'addresses': ['127.0.0.1@%d' % port], 'zones': names})
        secondary.wait_served(len(names))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to_knot, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to_axfarm:
            for s, p in ((to_knot, port), (to_axfarm, secondary.port)):
                s.settimeout(5)
                s.connect(('127.0.0.1', p))
            for i, name in enumerate(names):
                update(to_knot, name, 10000 + i)
                began = time.monotonic()
                notify(to_axfarm, name, i)
                while not has_text(to_axfarm, name, 10000 + i):
                    knot.must_live()
                    if time.monotonic() > began + CHANGE_S:
                        raise Wrong('a change of %s is not served' % name)
                    time.sleep(CHANGE_STEP)
                took.append((time.monotonic() - began) * 1000)
    took.sort()
    title = '%d changes at Knot, one after the other' % len(took)
    table.add('%s: from NOTIFY to served, p50' % title, took[len(took) // 2], 'ms')
    table.add('%s: from NOTIFY to served, p99' % title, took[len(took) * 99 // 100], 'ms')


def knot(table, options):
    runs = [('Knot, hmac-sha256', lambda: loads(table, options, True)),
            ('Knot, unsigned', lambda: loads(table, options, False)),
            ('changes at Knot', lambda: changes(table, options))]
    for title, function in runs:
        try:
            function()
        except (harness.Failure, OSError) as e:
            table.fail(title, str(e))
