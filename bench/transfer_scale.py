# SPDX-License-Identifier: MIT
"""bench/transfer_scale.py: ten thousand slow transfers at once, and a million zones at rest."""

import statistics
import time

import transfer_farm
from transfer_farm import Stage, Wrong

SLOW_PRIMARIES = 1000
SLOW_EACH = 10
TRICKLE_MS = 1000
OPEN_S = 15             # until as many are open as there will be
STALL_S = 60
IDLE_S = 30
LOOK_S = 0.25


def addresses(count):
    """127.1.0.1 and following."""
    return ['127.1.%d.%d' % (i // 250, i % 250 + 1) for i in range(count)]


def slow_groups(primary, primaries, each, **template):
    """One group for each address of the slow primary."""
    port = primary.listen.rsplit('@', 1)[1]
    names = primary.names()
    return [dict({'name': 's%d' % i, 'addresses': ['%s@%s' % (a, port)],
                  'zones': names[i * each:(i + 1) * each]}, **template)
            for i, a in enumerate(addresses(primaries))]


def slow_primary(stage, primaries, each):
    """One program; it is at every address of loopback."""
    return stage.primary('slow', '--zones', primaries * each, '--tail', 'slow', '--message-records', 1,
                         '--trickle', TRICKLE_MS, '--out-of-order', listen='0.0.0.0')


def fast_load(secondary, fast):
    """Adds the fast primary's zones to what runs, and waits; how long it took."""
    zones = len(fast.names())
    secondary.group('fast', [fast.listen], fast.names())
    began = time.monotonic()
    secondary.reload()
    end = began + transfer_farm.LOAD_S
    while fast.stats()['transfers'] < zones:
        secondary.must_live()
        if time.monotonic() > end:
            raise Wrong('the fast primary sent %d of %d' % (fast.stats()['transfers'], zones))
        time.sleep(transfer_farm.POLL_S)
    fast.must_match(secondary.address)
    return time.monotonic() - began


def alone(options):
    """What a fast primary's zones take without slow ones."""
    with Stage(options) as stage:
        fast = stage.primary('fast', '--zones', options.zones)
        secondary = stage.start()
        time.sleep(1)
        idle = secondary.pss()
        return idle, fast_load(secondary, fast)


def open_slow(secondary, slow, wanted):
    """Waits until all slow transfers are open, or as many as there will be; (open, PSS) at most."""
    pss = 0
    end = time.monotonic() + OPEN_S
    while time.monotonic() < end and slow.stats()['open'] < wanted * 0.99:
        secondary.must_live()
        pss = max(pss, secondary.pss())
        time.sleep(LOOK_S)
    return pss


def slow_transfers(table, options):
    idle, without = alone(options)
    primaries, each = SLOW_PRIMARIES * options.slow // 10000, SLOW_EACH
    wanted = primaries * each
    with Stage(options) as stage:
        slow = slow_primary(stage, primaries, each)
        fast = stage.primary('fast', '--zones', options.zones)
        secondary = stage.start(*slow_groups(slow, primaries, each))
        pss = open_slow(secondary, slow, wanted)
        pss = max(pss, secondary.pss())
        with_slow = fast_load(secondary, fast)
        open_then = slow.stats()['open']
        secondary.wait_served(wanted + options.zones, lambda: wanted + options.zones, 1800)
        slow.must_match(secondary.address)
        stats = slow.stats()
        seconds = time.monotonic() - secondary.began
    table.add('%d transfers from trickling primaries: most open at once' % wanted, stats['open_max'], '',
              at_least=wanted * 0.99)
    table.add('with them open: PSS above idle', (pss - idle) / transfer_farm.MB, 'MB', at_most=200)
    table.add('all of them finished', seconds, 's')
    table.add('connections for them', stats['connections'], '')
    table.add('%d zones of a fast primary: without them' % options.zones, without, 's')
    table.add('%d zones of a fast primary: beside them' % options.zones, with_slow, 's')
    table.add('beside them to without', with_slow / without, 'times', at_most=1.25)
    table.add('slow ones still open when it was loaded', open_then, '')


def stalled_transfers(table, options):
    """Transfers that begin and then stand still end by their limits, and nothing stays open."""
    primaries, each = SLOW_PRIMARIES * options.slow // 10000, SLOW_EACH
    wanted = primaries * each
    with Stage(options) as stage:
        slow = slow_primary(stage, primaries, each)
        slow.command('set --trickle 3600000')
        secondary = stage.start(*slow_groups(slow, primaries, each, limits={
            'idle-time': '5s', 'transfer-time': '20s', 'min-retry': '1h', 'max-retry': '1h'}))
        began = time.monotonic()
        while (secondary.status() or {}).get('transfers_failed', 0) < wanted:
            secondary.must_live()
            if time.monotonic() > began + STALL_S + wanted / 50:
                raise Wrong('%d of %d ended' % (secondary.status()['transfers_failed'], wanted))
            time.sleep(LOOK_S)
        seconds = time.monotonic() - began
        left = secondary.status()['transfers_running']
        stats = slow.stats()
    table.add('%d transfers that stand still: most open at once' % wanted, stats['open_max'], '')
    table.add('all ended by an idle-time of 5 s', seconds, 's', at_most=30)
    table.add('still running then', left, '', at_most=0)


def at_rest(table, options):
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', options.large)
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names()})
        secondary.wait_served(options.large, lambda: primary.stats()['transfers'], 1200)
        primary.must_match(secondary.address)
        time.sleep(5)                               # what is freed is freed a little later
        before = secondary.cpu()
        time.sleep(IDLE_S)
        share = (secondary.cpu() - before) / IDLE_S * 100
    table.add('%d zones at rest, over %d s' % (options.large, IDLE_S), share, '% of a core', at_most=2)


def spread(table, options):
    """Questions in each second of three refresh times."""
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', options.zones)
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names(), 'limits': {
            'min-refresh': '1s', 'max-refresh': '%ds' % options.refresh}})
        secondary.wait_served(options.zones, lambda: primary.stats()['transfers'])
        counts, cpu = [], secondary.cpu()
        last = asked(primary)
        for _ in range(3 * options.refresh):
            secondary.must_live()
            time.sleep(1)
            now = asked(primary)
            counts.append(now - last)
            last = now
        cpu = secondary.cpu() - cpu
    cycle = counts[-options.refresh:]
    title = '%d zones, refresh %d s' % (options.zones, options.refresh)
    table.add('%s: the busiest second of the first cycle, to the mean' % title,
              max(counts[:options.refresh]) / max(statistics.mean(counts[:options.refresh]), 1), 'times')
    table.add('%s: the busiest second of the third cycle, to the mean' % title,
              max(cycle) / max(statistics.mean(cycle), 1), 'times', at_most=3)
    table.add('%s: axfarmd, a refresh' % title, cpu / max(sum(counts), 1) * 1e6, 'CPU-us')


def asked(primary):
    stats = primary.stats()
    return stats['requests'] + stats['datagrams']


def scale(table, options):
    for title, function in (('slow transfers', slow_transfers), ('transfers that stand still', stalled_transfers),
                            ('zones at rest', at_rest), ('the sweep', spread)):
        try:
            function(table, options)
        except transfer_farm.harness.Failure as e:
            table.fail(title, str(e))
