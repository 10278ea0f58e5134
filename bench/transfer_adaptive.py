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
RECOVER_S = 90          # for a first question after its return
CATCH_UP_S = 300


def behaviour(table, options, title, args):
    zones = options.each
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', zones, *args)
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names(), 'limits': {
            'min-retry': '1s', 'max-retry': '5s'}})
        end = secondary.wait_served(zones, lambda: primary.stats()['transfers'], BEHAVIOUR_S)
        seconds, cpu, stats = end - secondary.began, secondary.cpu(), primary.stats()
        primary.must_match(secondary.address)
    table.add('%s: %d zones' % (title, zones), seconds, 's')
    table.add('%s: requests, a zone' % title, stats['requests'] / zones, '')
    table.add('%s: refused or dropped, a zone' % title, (stats['refused'] + stats['dropped']) / zones, '')
    table.add('%s: connections' % title, stats['connections'], '')
    table.add('%s: connections at once' % title, stats['connections_open_max'], '')
    table.add('%s: transfers at once' % title, stats['open_max'], '')
    table.add('%s: axfarmd, a zone' % title, cpu / zones * 1e6, 'CPU-us')


def catch_up(primary, secondary, transfers, began):
    """Until so many were sent in all; how long that took."""
    while primary.stats()['transfers'] < transfers:
        secondary.must_live()
        if time.monotonic() > began + CATCH_UP_S:
            raise Wrong('%d zones are missing after %d s' % (transfers - primary.stats()['transfers'], CATCH_UP_S))
        time.sleep(transfer_farm.POLL_S)
    primary.must_match(secondary.address)
    return time.monotonic() - began


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
        primary.command('death none')
        began = time.monotonic()
        back = primary.stats()
        while primary.stats()['requests'] == back['requests'] and time.monotonic() < began + RECOVER_S:
            time.sleep(0.01)
        noticed = time.monotonic() - began
        caught_up = catch_up(primary, secondary, after['transfers'] + zones, began) if noticed < RECOVER_S else None
    minutes = options.dead_seconds / 60
    title = 'a dead primary of %d zones (%s)' % (zones, how)
    table.add('%s: connections a minute' % title, (after['connections'] - before['connections']) / minutes, '',
              at_most=60)
    table.add('%s: datagrams a minute' % title, (after['datagrams'] - before['datagrams']) / minutes, '', at_most=60)
    table.add('%s: requests over TCP a minute' % title, (after['requests'] - before['requests']) / minutes, '',
              at_most=60)
    table.add('%s: axfarmd' % title, cpu / options.dead_seconds * 100, '% of a core')
    table.add('%s: its return is noticed' % title, noticed, 's', at_most=NOTICE_S)
    if caught_up is not None:
        table.add('%s: all zones caught up' % title, caught_up, 's')


def adaptive(table, options):
    runs = [(title, lambda t=title, a=args: behaviour(table, options, t, a)) for title, args in BEHAVIOURS.items()]
    runs += [('a dead primary (%s)' % how, lambda h=how: dead(table, options, h)) for how in ('close', 'silent')]
    for title, function in runs:
        try:
            function()
        except transfer_farm.harness.Failure as e:
            table.fail(title, str(e))
