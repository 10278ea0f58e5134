# SPDX-License-Identifier: MIT
"""bench/transfer_load.py: first loads into an empty database on a disk: many small zones, and one large zone."""

import socket
import struct
import time

import transfer_farm
from transfer_farm import Stage, Wrong

ONE_POLL_S = 0.002      # between questions for the large zone


def load_once(table, options, zones, *args, signed=False, **targets):
    """Loads `zones`; `targets`: title, and seconds and cpu (seconds) at most."""
    title = targets['title']
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', zones, *(stage.key_args() if signed else []), *args)
        before = primary.stats()['cpu_us']
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names(),
                                 'signed': signed})
        end = secondary.wait_served(zones, lambda: primary.stats()['transfers'])
        seconds, cpu, stats = end - secondary.began, secondary.cpu(), primary.stats()
        pss = secondary.pss()
        primary.must_match(secondary.address)
    table.add('%s: from start to all served' % title, seconds, 's', at_most=targets.get('seconds'))
    table.add('%s: axfarmd' % title, cpu, 'CPU-s', at_most=targets.get('cpu'))
    table.add('%s: axfarmd, a zone' % title, cpu / zones * 1e6, 'CPU-us')
    table.add('%s: the primary, a zone' % title, (stats['cpu_us'] - before) / zones, 'CPU-us')
    table.add('%s: connections' % title, stats['connections'], '')
    table.add('%s: PSS when loaded' % title, pss / transfer_farm.MB, 'MB')


def answers(s, name):
    """Asks for the SOA once; whether it came."""
    labels = b''.join(bytes([len(x)]) + x.encode() for x in name.rstrip('.').split('.')) + b'\0'
    s.send(struct.pack('>HHHHHH', 1, 0, 1, 0, 0, 0) + labels + struct.pack('>HH', 6, 1))
    try:
        answer = s.recv(4096)
    except OSError:
        return False
    return len(answer) > 12 and answer[3] & 15 == 0 and struct.unpack_from('>H', answer, 6)[0] > 0


def one_large(table, options):
    with Stage(options) as stage:
        primary = stage.primary('primary', '--kind', 'delegations', '--delegations', options.delegations)
        name = primary.names()[0]
        before = primary.stats()['cpu_us']
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': [name]})
        end = time.monotonic() + transfer_farm.LOAD_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.connect(('127.0.0.1', secondary.port))
            while not answers(s, name):
                secondary.must_live()
                if time.monotonic() > end:
                    raise Wrong('the large zone is not served')
                time.sleep(ONE_POLL_S)
        answered = time.monotonic_ns()
        stats, cpu = primary.stats(), secondary.cpu()
        primary.must_match(secondary.address)
    title = 'one zone of %d delegations' % options.delegations
    table.add('%s: first request to first answer' % title, (answered - stats['first_ns']) / 1e9, 's',
              at_most=1.0 * options.delegations / 1000000)
    table.add('%s: axfarmd' % title, cpu, 'CPU-s')
    table.add('%s: the primary' % title, (stats['cpu_us'] - before) / 1e6, 'CPU-s')


def load(table, options):
    zones, scale = options.zones, options.zones / 100000
    runs = [
        (zones, [], {'title': '%d zones' % zones, 'seconds': 2.5 * scale, 'cpu': 3 * scale}),
        (zones, [], {'title': '%d zones, hmac-sha256' % zones, 'seconds': 3.5 * scale, 'signed': True}),
        (zones, ['--one-per-connection'],
         {'title': '%d zones, one request per connection' % zones, 'seconds': 10 * scale}),
        (options.large, [], {'title': '%d zones' % options.large, 'seconds': 30 * options.large / 1000000}),
    ]
    for count, args, settings in runs:
        try:
            load_once(table, options, count, *args, **settings)
        except transfer_farm.harness.Failure as e:
            table.fail(settings['title'], str(e))
    try:
        one_large(table, options)
    except transfer_farm.harness.Failure as e:
        table.fail('one large zone', str(e))
