# SPDX-License-Identifier: MIT
"""bench/transfer_adaptive.py: primaries that behave each in a way of their own, and one that dies."""

import time

import transfer_farm
from transfer_farm import Stage, Wrong

BEHAVIOURS = {
    'pipelining, in order': [],
    'pipelining, out of order, messages mixed': ['--out-of-order', '--message-records', 3],
    'one request per connection': ['--one-per-connection'],
    'one request at a time, drops the others': ['--serial'],
    'answers after 50 ms': ['--delay', 50],
    'answers after 20 ms, refuses more than 8 at once': ['--delay', 20, '--refuse-over', 8],
    'a message each 20 ms, in order': ['--trickle', 20, '--message-records', 8],
    'a message each 20 ms, all at once': ['--trickle', 20, '--message-records', 8, '--out-of-order'],
}
BEHAVIOUR_S = 120
DEAD_ZONES = 10000
DEAD_S = 60
NOTICE_S = 60
RECOVER_S = 180


def behaviour(table, options, title, args):
    zones = options.each
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', zones, *args)
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names(), 'limits': {
            'min-retry': '1s', 'max-retry': '5s'}})
        end = secondary.wait_served(zones, lambda: primary.stats()['transfers'], BEHAVIOUR_S)
        seconds, cpu, stats = end - secondary.began, secondary.cpu(), primary.stats()
        primary.must_match(secondary.address)
    table.add('%s: %d zones' % (title, zones), seconds, 's', at_most=BEHAVIOUR_S)
    table.add('%s: requests, a zone' % title, stats['requests'] / zones, '')
    table.add('%s: refused or dropped, a zone' % title, (stats['refused'] + stats['dropped']) / zones, '')
    table.add('%s: connections (at once %d), open at most %d' % (
        title, stats['connections_open_max'], stats['open_max']), stats['connections'], '')
    table.add('%s: axfarmd, a zone' % title, cpu / zones * 1e6, 'CPU-us')


def dead(table, options, how):
    """All zones refresh within seconds; the primary is dead for a minute, its zones change, it comes back."""
    zones = min(DEAD_ZONES, options.zones)
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', zones)
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names(), 'limits': {
            'min-refresh': '1s', 'max-refresh': '5s', 'min-retry': '5s', 'max-retry': '1h'}})
        secondary.wait_served(zones, lambda: primary.stats()['transfers'])
        primary.command('death %s' % how)
        time.sleep(10)                                  # until it is noticed
        primary.command('bump all')
        before, cpu = primary.stats(), secondary.cpu()
        time.sleep(options.dead_seconds)
        after, cpu = primary.stats(), secondary.cpu() - cpu
        transfers = after['transfers']
        primary.command('death none')
        began = time.monotonic()
        while primary.stats()['requests'] == after['requests'] and time.monotonic() < began + RECOVER_S:
            time.sleep(0.01)
        noticed = time.monotonic() - began
        while primary.stats()['transfers'] - transfers < zones:
            secondary.must_live()
            if time.monotonic() > began + RECOVER_S:
                raise Wrong('%d of %d zones were fetched in %d s' % (
                    primary.stats()['transfers'] - transfers, zones, RECOVER_S))
            time.sleep(transfer_farm.POLL_S)
        primary.must_match(secondary.address)
        caught_up = time.monotonic() - began
    minutes = options.dead_seconds / 60
    title = 'a dead primary of %d zones (%s)' % (zones, how)
    table.add('%s: connections a minute' % title, (after['connections'] - before['connections']) / minutes, '',
              at_most=60)
    table.add('%s: datagrams a minute' % title, (after['datagrams'] - before['datagrams']) / minutes, '', at_most=60)
    table.add('%s: axfarmd' % title, cpu / options.dead_seconds * 100, '% of a core')
    table.add('%s: its return is noticed' % title, noticed, 's', at_most=NOTICE_S)
    table.add('%s: all zones caught up' % title, caught_up, 's')


def adaptive(table, options):
    runs = [(title, lambda t=title, a=args: behaviour(table, options, t, a)) for title, args in BEHAVIOURS.items()]
    runs += [('a dead primary (%s)' % how, lambda h=how: dead(table, options, h)) for how in ('close', 'silent')]
    for title, function in runs:
        try:
            function()
        except transfer_farm.harness.Failure as e:
            table.fail(title, str(e))
