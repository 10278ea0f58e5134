# SPDX-License-Identifier: MIT
"""tests/interop/behaviours.py: primaries that answer each in a way of their own (bench/primary).

However a primary behaves, its zones arrive whole, a change that it tells of is served, and nothing is lost. How fast
is for `./dev bench transfers adaptive` to say.
"""

import os
import sys

import axfarm
import harness
import peers
from harness import Failure, scenario

sys.path.insert(0, os.path.join(harness.ROOT, 'bench'))
import transfer_adaptive    # noqa: E402  pylint: disable=wrong-import-position
import transfer_farm        # noqa: E402  pylint: disable=wrong-import-position

ZONES = 60
COMPARED = 3            # zones, record by record
CHANGES = 100           # a second, for one second
LOAD_S = 60


def behaves(case, title, args, signed):
    """Loads the zones, changes them, and compares the serials."""
    key = transfer_farm.KEY
    if signed:
        args = args + ['--key', '%s:%s:%s' % (key.name, key.algorithm, key.secret), '--sign-notify']
    port = case.port()
    primary = transfer_farm.Primary(case, 'primary-%d' % port, '127.0.0.1@%d' % port, '--zones', ZONES, *args)
    secondary = transfer_farm.Secondary(case, [{
        'name': 'p', 'addresses': [primary.listen], 'zones': primary.names(), 'signed': signed,
        'allow-transfer': ['127.0.0.0/8'], 'limits': {'min-retry': '1s', 'max-retry': '2s'}}], case.port(), folder='axfarm-%d' % port)
    try:
        secondary.wait_served(ZONES, None, LOAD_S)
        primary.must_match(secondary.address)
        primary.rate(CHANGES, 1, secondary.address)
        stats = primary.stats()
        for zone in primary.names()[:COMPARED]:
            peers.same_records(peers.records(peers.Target(port, key if signed else None), zone),
                               peers.records(peers.Target(secondary.port), zone))
        if stats['bad_signatures']:
            raise Failure('%d requests were not signed as they should' % stats['bad_signatures'])
        case.note('%s: %d requests, %d connections for %d zones and %d changes' % (
            title, stats['requests'], stats['connections'], ZONES, CHANGES))
    finally:
        primary.stop()
        secondary.stop()


@scenario('behaviours')
def behaviours(case):
    if case.options.stand_in:
        return
    if not os.path.exists(os.path.join(axfarm.BUILD, 'bench', 'primary')):
        raise Failure('bench/primary is not built')
    for title, args in transfer_adaptive.BEHAVIOURS.items():
        for signed in (False, True):
            name = title.replace(' ', '-').replace(',', '') + ('/signed' if signed else '')
            case.check(name, behaves, case, name, args, signed)
