# SPDX-License-Identifier: MIT
"""tests/interop/chains.py: IXFR out: long chains of changes, and what secondaries make of them.

    BIND (changed by nsupdate) --> axfarmd --> the secondary under test

After each change the secondary's zone is compared with ours, and our log must say that it came by
IXFR. Beside that, an IXFR client of our own applies each difference to a copy of the old version.
"""

import concurrent.futures
import random
import re
import socket
import struct
import time

import axfarm
import harness
import peers
import versions
import wire
import zones
from harness import Failure, scenario

STEPS = 200
STEPS_PDNS = 12     # it looks for its work once a second
NAME = 'chain.example.'


class Changes:
    """Random changes of a zone: what is added, deleted, given another TTL or other letters."""

    SIZES = [1, 1, 1, 2, 3, 5, 10, 40]

    def __init__(self, server, name, seed):
        self.server, self.name = server, name
        self.rng = random.Random(seed)
        self.count = 0

    def ours(self):
        return [r for r in self.server.zones[self.name].records if r.lower().startswith('r')]

    def record(self):
        self.count += 1
        rng, owner = self.rng, 'r%d.%s' % (self.rng.randrange(400), self.name)
        kind = self.count % 4
        if kind == 0:
            return '%s 300 IN A 10.0.%d.%d' % (owner, self.count >> 8 & 255, self.count & 255)
        if kind == 1:
            return '%s 300 IN MX %d mail%d.%s' % (owner, rng.randrange(100), self.count, self.name)
        if kind == 2:
            return '%s 300 IN TXT "%d %s"' % (owner, self.count, 'x' * rng.randrange(200))
        return '%s 300 IN AAAA 2001:db8::%x' % (owner, self.count)

    def respelled(self, ours):
        """All records of one owner name under another TTL, or spelled in other letters."""
        owner = self.rng.choice(ours).split(' ', 1)[0].lower()
        old = [r for r in ours if r.split(' ', 1)[0].lower() == owner]
        spelled = owner[0].swapcase() + owner[1:] if self.rng.random() < 0.5 else old[0].split(' ', 1)[0]
        ttl = self.rng.choice([60, 300, 900])
        return [' '.join([spelled, str(ttl)] + r.split(' ')[2:]) for r in old], old

    def step(self, size=None):
        """Makes one change; returns the new serial."""
        size = size or self.rng.choice(self.SIZES)
        ours, taken = self.ours(), {r.split(' ')[0].lower(): r.split(' ')[0:2] for r in self.ours()}
        add, remove = [], []
        if ours and self.rng.random() < 0.3:
            add, remove = self.respelled(ours)
        gone = {r.split(' ', 1)[0].lower() for r in remove}
        for r in [self.record() for _ in range(size)]:
            owner, _, rest = r.split(' ', 2)
            if owner not in gone:       # what is there already keeps its spelling and its TTL
                add.append(' '.join(taken.get(owner, [owner, '300']) + [rest]))
        spare = [r for r in ours if r.split(' ', 1)[0].lower() not in gone]
        remove += self.rng.sample(spare, min(size - 1, len(spare), max(0, len(ours) - 100)))
        self.server.update(self.name, add, remove)
        return self.server.zones[self.name].serial


def chain(case, end_class, key=None, history=None, **more):
    """A started chain, in step."""
    primary, subject, end = peers.Bind(case, 'primary'), axfarm.Axfarm(case), end_class(case, 'end')
    zone = zones.small(NAME)
    zone.records += ['r%d.%s 300 IN A 10.9.0.%d' % (i, NAME, i) for i in range(150)]
    primary.add_primary(zone, None, [subject.target()])
    subject.add_secondary(NAME, primary.target(), key, [end.target(key)])
    if history:
        subject.settings[NAME]['history'] = history
    end.add_secondary(NAME, subject.target(key), key)
    end.settings[NAME].update(more)
    primary.start()
    subject.start()
    subject.wait_serial(NAME, 1)
    end.start()
    end.wait_serial(NAME, 1, 60)
    return primary, subject, end


def lines_out(subject, kind):
    """(messages, records, octets) of transfers out of a kind, from the log."""
    found = [re.search(r'(\d+) messages, (\d+) records, (\d+) bytes', line)
             for line in subject.transfers_out(NAME, kind)]
    return [tuple(int(x) for x in m.groups()) for m in found if m]


def chain_out(case, kind):
    """Each change goes on to the secondary as a difference, and its zone stays ours."""
    key = peers.Key('chain_key')
    primary, subject, end = chain(case, axfarm.Axfarm if kind == 'axfarm' else peers.PEERS[kind], key, ixfr=True)
    changes, steps = Changes(primary, NAME, kind), STEPS_PDNS if kind == 'pdns' else STEPS

    def follow():
        for _ in range(steps):
            serial = changes.step()
            subject.wait_serial(NAME, serial)
            end.wait_serial(NAME, serial)
            peers.compare(end, subject, NAME, key)
    if not case.check('%d-changes' % steps, follow):
        return

    def by_ixfr():
        sent = lines_out(subject, 'IXFR')
        case.note('%s took %d IXFR, %d octets in all; the zone has %d' % (
            kind, len(sent), sum(x[2] for x in sent), lines_out(subject, 'AXFR')[-1][2]))
        status = subject.status()
        if status['transfers_out_ixfr'] != len(sent):
            raise Failure('%d IXFR in the log, %d counted' % (len(sent), status['transfers_out_ixfr']))
        if len(sent) < steps * 9 // 10:
            raise Failure('%d IXFR for %d changes' % (len(sent), steps))
    case.check('by-ixfr', by_ixfr)

    def missed():
        end.stop()
        before = len(lines_out(subject, 'IXFR'))
        for i in range(6):
            primary.update(NAME, ['flip.%s 60 IN TXT "%d"' % (NAME, i)],
                           ['flip.%s 60 IN TXT "%d"' % (NAME, i - 1)] if i else [])
            subject.wait_serial(NAME, primary.zones[NAME].serial)
        end.process.start()
        wake(end)
        end.wait_serial(NAME, primary.zones[NAME].serial, 60)
        peers.compare(end, subject, NAME, key)
        sent = lines_out(subject, 'IXFR')[before:]
        if [x[1] for x in sent] != [5]:
            raise Failure('six changes of one record are one of five records: %s' % sent)
    case.check('missed', missed)


def wake(end):
    """Has a secondary that was started again ask its primary: by a NOTIFY from nobody in particular, where that is
    believed."""
    end.wait_answers()
    if end.kind == 'axfarm':
        end.wait_state(NAME, 'ok')
        end.ctl('zone', 'refresh', NAME)
    wire.notify(('127.0.0.1', end.port), NAME)


@scenario('chains/history')
def history(case):
    """A secondary whose version is not kept any more gets the whole zone."""
    primary, subject, end = chain(case, peers.Knot, history={'versions': 3})
    changes = Changes(primary, NAME, 'history')

    def behind(count, kind, other):
        end.stop()
        before = len(lines_out(subject, kind)), len(lines_out(subject, other))
        for _ in range(count):
            subject.wait_serial(NAME, changes.step(3))
        end.process.start()
        wake(end)
        end.wait_serial(NAME, primary.zones[NAME].serial)
        after = len(lines_out(subject, kind)), len(lines_out(subject, other))
        if (after[0] - before[0], after[1] - before[1]) != (1, 0):
            raise Failure('%s and %s out: %s before, %s after' % (kind, other, before, after))
        peers.compare(end, subject, NAME)       # by AXFR: after counting
    case.check('kept', behind, 3, 'IXFR', 'AXFR')
    case.check('not-kept', behind, 4, 'AXFR', 'IXFR')
    case.check('kept-again', behind, 2, 'IXFR', 'AXFR')


def check_version(subject, old, number, new):
    """Our own client: the difference from an old version, applied to it, is the new one."""
    soa, (kind, deleted, added) = wire.ixfr(('127.0.0.1', subject.port), NAME, number)
    if kind == 'AXFR':
        made = {soa} | set(added)
    else:
        made = set(old) - set(deleted)
        if len(made) != len(old) - len(deleted):
            raise Failure('from %d: deletes what is not there' % number)
        if made & set(added):
            raise Failure('from %d: adds what is there' % number)
        made = {r for r in made if r[1] != wire.SOA} | set(added) | {soa}
    if made != set(new):
        raise Failure('from %d by %s: %d records, not %d' % (number, kind, len(made), len(new)))
    return kind


@scenario('chains/wire')
def by_wire(case):
    """From every version kept to the newest, byte by byte, over TCP and UDP."""
    primary, subject = peers.Bind(case, 'primary'), axfarm.Axfarm(case)
    zone = zones.small(NAME)
    primary.add_primary(zone, None, [subject.target()])
    subject.add_secondary(NAME, primary.target())
    subject.settings[NAME]['history'] = {'versions': 25, 'bytes': '1G'}
    primary.start()
    subject.start()
    changes, address, kept, kinds = Changes(primary, NAME, 'wire'), ('127.0.0.1', subject.port), {}, []
    subject.wait_serial(NAME, 1)

    def all_versions():
        for step in range(60):
            records = wire.axfr(address, NAME)
            for number, old in list(kept.items())[-25:]:
                kinds.append(check_version(subject, old, number, records))
            kept[subject.serial(NAME)] = records
            subject.wait_serial(NAME, changes.step(150 if step % 20 == 19 else None))
        case.note('%d IXFR, %d AXFR' % (kinds.count('IXFR'), kinds.count('AXFR')))
        if kinds.count('IXFR') < len(kinds) // 2:
            raise Failure('few differences')
    case.check('tcp', all_versions)

    def udp():
        serial = subject.serial(NAME)
        primary.update(NAME, ['udp.%s 60 IN TXT "one"' % NAME])
        subject.wait_serial(NAME, serial + 1)
        m = wire.ask_udp(address, wire.ixfr_query(NAME, serial))
        kind, deleted, added = wire.differences(m.answer, serial)
        if (kind, len(deleted), len(added), m.octets <= 512) != ('IXFR', 0, 1, True):
            raise Failure('one record: %s, %d deleted, %d added, %d octets' % (
                kind, len(deleted), len(added), m.octets))
        primary.update(NAME, ['udp%d.%s 60 IN TXT "many"' % (i, NAME) for i in range(60)])
        subject.wait_serial(NAME, serial + 2)
        for number in (serial, 1, serial + 2, serial + 3):      # large, not kept, current, ahead
            m = wire.ask_udp(address, wire.ixfr_query(NAME, number))
            if len(m.answer) != 1 or wire.soa_serial(m.answer[0][3]) != serial + 2 or m.tc:
                raise Failure('from %d: %d records of %d octets' % (number, len(m.answer), m.octets))
    case.check('udp', udp)


@scenario('chains/large')
def large(case):
    """A difference of tens of thousands of records, to many clients at once; others are answered meanwhile."""
    primary, subject = peers.Nsd(case, 'primary'), axfarm.Axfarm(case)
    zone = zones.small(NAME)
    zone.records += ['r%d.%s 300 IN A 10.9.%d.%d' % (i, NAME, i >> 8 & 255, i & 255) for i in range(60000)]
    primary.add_primary(zone, None, [subject.target()])
    subject.add_secondary(NAME, primary.target())
    primary.start()
    subject.start()
    subject.wait_serial(NAME, 1, 60)
    address = ('127.0.0.1', subject.port)
    old = wire.axfr(address, NAME)
    remove = [r for r in zone.records if r.startswith('r')][::5]
    primary.update(NAME, [r.replace(' IN A 10.9.', ' IN A 10.8.') for r in remove], remove)
    subject.wait_serial(NAME, 2, 60)
    new = wire.axfr(address, NAME)

    def many():
        slowest = 0.0
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            runs = [pool.submit(check_version, subject, old, 1, new) for _ in range(8)]
            while not all(r.done() for r in runs):
                start = time.monotonic()
                if subject.serial(NAME, 5.0) != 2:
                    raise Failure('no answer meanwhile')
                slowest = max(slowest, time.monotonic() - start)
        kinds = {r.result() for r in runs}
        case.note('the slowest answer meanwhile took %.0f ms' % (slowest * 1000))
        if kinds != {'IXFR'}:
            raise Failure('came by %s' % kinds)
    case.check('many', many)

    def half_closed():
        """Who says that it asks no more gets its difference all the same, though counting takes turns."""
        with socket.create_connection(address, 10) as s:
            query = wire.ixfr_query(NAME, 1)
            s.sendall(struct.pack('>H', len(query)) + query)
            s.shutdown(socket.SHUT_WR)
            octets = b''
            while True:
                part = s.recv(1 << 16)
                if not part:
                    break
                octets += part
        records = []
        while octets:
            length, = struct.unpack('>H', octets[:2])
            records += wire.Message(octets[2:2 + length]).answer
            octets = octets[2 + length:]
        kind, deleted, added = wire.differences(records, 1)
        if (kind, len(deleted), len(added)) != ('IXFR', 12000, 12000):
            raise Failure('%s, %d deleted, %d added' % (kind, len(deleted), len(added)))
    case.check('half-closed', half_closed)


@scenario('chains/nsd-udp')
def nsd_udp(case):
    """NSD asks over UDP first, and comes by TCP where one message does not hold it."""
    primary, subject, end = chain(case, peers.Nsd, peers.Key('udp_key'), udp=True)
    changes = Changes(primary, NAME, 'udp')

    def follow():
        for size in [1, 2, 1, 60, 1, 3, 60, 1]:
            serial = changes.step(size)
            subject.wait_serial(NAME, serial)
            end.wait_serial(NAME, serial)
            peers.compare(end, subject, NAME, peers.Key('udp_key'))
    case.check('follows', follow)
    case.note('%d SOA, %d IXFR' % tuple(len(lines_out(subject, kind)) for kind in ('SOA', 'IXFR')))


@scenario('chains/signed')
def signed(case):
    """A zone that BIND signs anew with every change, NSEC3 and all, on to three secondaries."""
    primary, subject = peers.Bind(case, 'primary'), axfarm.Axfarm(case)
    ends = [c(case, 'end-' + c.kind) for c in (peers.Bind, peers.Knot, peers.Nsd)]
    zone = zones.small(NAME)
    primary.add_primary(zone, None, [subject.target()])
    primary.settings[NAME]['signed'] = True
    subject.add_secondary(NAME, primary.target(), None, [e.target() for e in ends])
    for e in ends:
        e.add_secondary(NAME, subject.target())
    primary.start()
    subject.start()
    for e in ends:
        e.start()
    changes = Changes(primary, NAME, 'signed')

    def serials():
        return {s.serial(NAME) for s in [primary, subject] + ends}

    def in_step():
        """All have the serial that the primary has once it has signed what was changed, and the same content. It
        signs on in its own time: what differs counts if no serial changed meanwhile."""
        before = serials()
        if len(before) != 1 or None in before:
            return False
        try:
            for e in ends:
                peers.compare(e, subject, NAME)
        except Failure:
            if serials() == before:
                raise
            return False
        return True

    def follow():
        for _ in range(40):
            changes.step()
            harness.wait('all to be in step', in_step, 60)
        if not any(' NSEC3 ' in r for r in peers.records(subject.target(), NAME)):
            raise Failure('the zone has no NSEC3')
    case.check('follows', follow)
    case.note('%d IXFR' % len(lines_out(subject, 'IXFR')))


class Acts:
    """An operator at random: rolls back, pins, releases, while the primary goes on."""

    def __init__(self, primary, subject):
        self.primary, self.subject = primary, subject
        self.changes = Changes(primary, NAME, 'acts')
        self.rng = random.Random('acts')

    def settled(self):
        """What the primary has is served or kept aside."""
        serial, zone = self.primary.zones[NAME].serial, self.subject.zone(NAME)
        return serial in (zone['source_serial'], (zone['held'] or {}).get('serial'))

    def change(self):
        if self.rng.random() < 0.15:
            self.primary.zones[NAME].serial += 100      # passes the zone's own line
        self.changes.step()
        harness.wait('the change to arrive', self.settled)

    def act(self):
        """Does one thing; returns its name."""
        pinned = self.subject.zone(NAME)['pinned']
        word = self.rng.choice(['change', 'change', 'change', 'rollback'] + (['release'] * 2 if pinned else ['pin']))
        if word == 'change':
            self.change()
        elif word == 'rollback':
            older = [v['serial'] for v in versions.history(self.subject, NAME) if v['state'] == 'older']
            self.subject.ctl('zone', 'rollback', NAME, str(self.rng.choice(older or [self.subject.serial(NAME)])))
        else:
            self.subject.ctl('zone', word, NAME)
        return word


@scenario('chains/rollback')
def rollback(case):
    """Secondaries follow a zone that is rolled back, pinned and released at random, by differences."""
    primary, subject = peers.Bind(case, 'primary'), axfarm.Axfarm(case)
    ends = [c(case, 'end-' + c.kind) for c in (peers.Bind, peers.Knot, peers.Nsd)]
    zone = zones.small(NAME)
    zone.records += ['r%d.%s 300 IN A 10.9.0.%d' % (i, NAME, i) for i in range(150)]
    primary.add_primary(zone, None, [subject.target()])
    subject.add_secondary(NAME, primary.target(), None, [e.target() for e in ends])
    subject.settings[NAME]['history'] = {'versions': 12, 'bytes': '1G'}
    for e in ends:
        e.add_secondary(NAME, subject.target())
    primary.start()
    subject.start()
    subject.wait_serial(NAME, 1)
    for e in ends:
        e.start()
        e.wait_serial(NAME, 1)
    acts, served, words, sent = Acts(primary, subject), {}, [], []

    def follow():
        for _ in range(60):
            before = len(lines_out(subject, 'IXFR'))
            words.append(acts.act())
            serial = subject.serial(NAME)
            for e in ends:
                e.wait_serial(NAME, serial)
            sent.append(len(lines_out(subject, 'IXFR')) - before)
            for e in ends:
                peers.compare(e, subject, NAME)
            new = wire.axfr(('127.0.0.1', subject.port), NAME)
            for v in versions.history(subject, NAME):
                if v['state'] == 'older' and v['serial'] in served:
                    check_version(subject, served[v['serial']], v['serial'], new)
            served[serial] = new
    case.check('60-acts', follow)

    def by_ixfr():
        case.note(', '.join('%d %s' % (words.count(w), w) for w in sorted(set(words))) + ': %d IXFR' % sum(sent))
        if sum(sent) < len(ends) * len(served) * 3 // 4:
            raise Failure('%d IXFR for %d versions' % (sum(sent), len(served)))
    case.check('by-ixfr', by_ixfr)


def register():
    for kind in list(peers.PEERS) + ['axfarm']:
        scenario('%s/chain-out' % kind)(lambda case, k=kind: chain_out(case, k))


register()
