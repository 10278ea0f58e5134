# SPDX-License-Identifier: MIT
"""bench/transfer_changes.py: from a primary's NOTIFY to the served answer: at a rate, and beside bulk work."""

import statistics
import time

import transfer_farm
from transfer_farm import Stage, Wrong

HOT = 1000              # zones that change while others load
SWEEP_REFRESH_S = 10
SWEEP_WAIT_S = 60


def propagation(table, options):
    """One farm, loaded; each rate a few times, of which the median counts."""
    targets = {1000: {'p50_ms': 1.5, 'p99_ms': 3}, 5000: {'p99_ms': 10, 'cpu': 40}, 20000: {'p99_ms': 100}}
    with Stage(options) as stage:
        primary = stage.primary('primary', '--zones', options.zones)
        secondary = stage.start({'name': 'p', 'addresses': [primary.listen], 'zones': primary.names()})
        secondary.wait_served(options.zones, lambda: primary.stats()['transfers'])
        primary.must_match(secondary.address)
        primary.rate(500, 1, secondary.address)     # to be warm
        for per_s in options.rates:
            try:
                changes_at(table, options, primary, secondary, per_s, targets.get(per_s, {}))
            except transfer_farm.harness.Failure as e:
                table.fail('%d changes a second' % per_s, stage.why(e))


def changes_at(table, options, primary, secondary, per_s, target):
    runs = []
    for _ in range(options.runs):
        cpu, transfers = secondary.cpu(), primary.stats()['transfers']
        figures = primary.rate(per_s, options.seconds, secondary.address)
        figures['cpu'] = (secondary.cpu() - cpu) / figures['changes'] * 1e6
        figures['transfers'] = primary.stats()['transfers'] - transfers
        runs.append(figures)
    middle = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
    title = '%d changes a second' % per_s
    for key in ('p50_ms', 'p90_ms', 'p99_ms', 'max_ms'):
        table.add('%s: %s' % (title, key[:-3]), middle[key], 'ms', at_most=target.get(key))
    table.add('%s: axfarmd, a change' % title, middle['cpu'], 'CPU-us', at_most=target.get('cpu'))
    table.add('%s: the primary, a change' % title, middle['cpu_us'] / middle['changes'], 'CPU-us')
    table.add('%s: lost' % title, sum(r['lost'] for r in runs), 'zones', at_most=0)
    table.add('%s: all current after the last' % title, middle['settle_ms'], 'ms')
    table.add('%s: transfers for a change' % title, middle['transfers'] / middle['changes'], '')


# ---- lanes ----

def other_primary(stage):
    return stage.primary('other', '--zones', HOT, '--tail', 'other', '--samples', 1000)


def both_rates(secondary, primaries, per_s, seconds):
    """Changes of the hot zones of both primaries at once."""
    for p in primaries:
        p.rate_begin(per_s, seconds, secondary.address, 0, HOT - 1)
    return [p.rate_end() for p in primaries]


def show_lanes(table, title, results):
    for name, r in zip(('the same primary', 'another primary'), results):
        table.add('%s: a change from %s, p99' % (title, name), r['p99_ms'], 'ms')
        table.add('%s: a change from %s, max' % (title, name), r['max_ms'], 'ms', at_most=100)
        table.add('%s: changes from %s' % (title, name), r['sampled'], '')


def first_load(table, options):
    with Stage(options) as stage:
        bulk = stage.primary('bulk', '--zones', options.zones + HOT, '--samples', 1000)
        names = bulk.names()
        other = other_primary(stage)
        secondary = stage.start({'name': 'hot', 'addresses': [bulk.listen], 'zones': names[:HOT]},
                                {'name': 'other', 'addresses': [other.listen], 'zones': other.names()})
        secondary.wait_served(2 * HOT)
        secondary.group('bulk', [bulk.listen], names[HOT:])
        began = time.monotonic()
        secondary.reload()
        while bulk.stats()['transfers'] < 2 * HOT:
            secondary.must_live()
            time.sleep(transfer_farm.POLL_S)
        while_loading = []
        while bulk.stats()['transfers'] < options.zones:
            while_loading.append(both_rates(secondary, (bulk, other), 100, 1))
        secondary.wait_served(options.zones + 2 * HOT)
        seconds = time.monotonic() - began
        bulk.must_match(secondary.address)
    if not while_loading:
        raise Wrong('the load was over before a change was told')
    merged = [max((r[i] for r in while_loading), key=lambda x: x['max_ms']) for i in (0, 1)]
    for i in (0, 1):
        merged[i] = dict(merged[i], sampled=sum(r[i]['sampled'] for r in while_loading),
                         p99_ms=max(r[i]['p99_ms'] for r in while_loading))
    title = 'while %d zones load' % options.zones
    show_lanes(table, title, merged)
    table.add('%s: the load took' % title, seconds, 's')


def sweep(table, options):
    """All zones due at once: a restart with a refresh time of seconds."""
    with Stage(options) as stage:
        bulk = stage.primary('bulk', '--zones', options.large, '--samples', 1000)
        other = other_primary(stage)
        secondary = stage.start({'name': 'bulk', 'addresses': [bulk.listen], 'zones': bulk.names()},
                                {'name': 'other', 'addresses': [other.listen], 'zones': other.names()})
        secondary.wait_served(options.large + HOT, lambda: bulk.stats()['transfers'] + HOT, 1200)
        secondary.stop(60)
        secondary.groups[0][3]['limits'] = {'min-refresh': '1s', 'max-refresh': '%ds' % SWEEP_REFRESH_S}
        secondary.configure()
        secondary.start()
        secondary.wait_served(options.large + HOT)
        before = asked(bulk)
        end = time.monotonic() + SWEEP_WAIT_S
        while asked(bulk) < before + HOT:
            if time.monotonic() > end:
                raise Wrong('no sweep began')
            time.sleep(transfer_farm.POLL_S)
        before, began = asked(bulk), time.monotonic()
        results = both_rates(secondary, (bulk, other), 50, options.seconds)
        swept, seconds = asked(bulk) - before, time.monotonic() - began
    title = 'while %d zones are swept' % options.large
    show_lanes(table, title, results)
    table.add('%s: refreshes meanwhile' % title, swept / seconds, '1/s')


def asked(primary):
    """Questions about zones, over both protocols."""
    stats = primary.stats()
    return stats['requests'] + stats['datagrams']


def lanes(table, options):
    for title, function in (('a first load', first_load), ('a sweep', sweep)):
        try:
            function(table, options)
        except transfer_farm.harness.Failure as e:
            table.fail(title, str(e))
