#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/interop/kill.py: axfarmd killed hundreds of times in a stream of updates.

usage: kill.py [--kills N] [--seed N] [--stand-in bind]

BIND is the primary of a few zones and updates them without pause; the content of each is a function of
its serial. axfarmd is killed with SIGKILL at random moments. Then the primary is stopped (SIGSTOP), so
that only the disk can help; the check of the database must find nothing wrong; and axfarmd is started:
every zone must answer, whole, with the content of its serial, and that serial must not be older than any
that was seen served before. Meanwhile an operator pins zones and releases them, and has the store checked.
"""

import argparse
import os
import queue
import random
import signal
import struct
import subprocess
import sys
import threading
import time

import axfarm
import harness
import peers
import wire
from harness import Failure, scenario
from zones import Zone

DERIVED = 40            # records of a zone that every update replaces
ANSWER_S = 10.0


def derived(name, serial):
    """The records that depend on the serial, in presentation form."""
    return ['serial.%s 60 IN TXT "%d"' % (name, serial)] + \
           ['h%d.%s 60 IN A 10.%d.%d.%d' % (i, name, i, serial >> 8 & 255, serial & 255) for i in range(DERIVED)]


def fixed(name, count):
    """The records that stay."""
    return ['%s 300 IN NS ns1.%s' % (name, name), 'ns1.%s 300 IN A 192.0.2.1' % name] + \
           ['f%d.%s 60 IN A 192.0.2.%d' % (i, name, i % 256) for i in range(count)]


def on_wire(lines):
    """What an AXFR gives of such lines."""
    out = set()
    for line in lines:
        owner, ttl, _, rtype, rdata = line.split(' ', 4)
        if rtype == 'A':
            octets = bytes(int(x) for x in rdata.split('.'))
            out.add((wire.name(owner), 1, int(ttl), octets))
        elif rtype == 'NS':
            out.add((wire.name(owner), wire.NS, int(ttl), wire.name(rdata)))
        else:
            text = rdata.strip('"').encode()
            out.add((wire.name(owner), wire.TXT, int(ttl), struct.pack('B', len(text)) + text))
    return out


class Stream(threading.Thread):
    """Updates all zones in turn through one nsupdate, for as long as it may."""

    def __init__(self, primary, names):
        super().__init__(daemon=True)
        self.primary = primary
        self.serials = {n: 1 for n in names}    # the newest that was sent
        self.stopping = threading.Event()
        self.wrong = queue.Queue()

    def run(self):
        with subprocess.Popen(['nsupdate', '-v', '-t', '0'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding='ascii') as p:
            p.stdin.write('server 127.0.0.1 %d\n' % self.primary.port)
            while not self.stopping.is_set() and p.poll() is None:
                for name, serial in self.serials.items():
                    p.stdin.write(self.text(name, serial + 1))      # waits while the pipe is full
                    self.serials[name] = serial + 1
            try:
                p.stdin.close()
            except BrokenPipeError:
                pass
            if not self.stopping.is_set():
                self.wrong.put('nsupdate ended: %s' % p.stdout.read()[-500:])

    @staticmethod
    def text(name, serial):
        out = ['zone %s' % name, 'update delete serial.%s TXT' % name]
        out += ['update delete h%d.%s A' % (i, name) for i in range(DERIVED)]
        out += ['update add %s' % line for line in derived(name, serial)]
        zone = Zone(name, [], serial)
        return '\n'.join(out + ['update add %s' % zone.soa(), 'send']) + '\n'


class Watcher(threading.Thread):
    """Asks for serials without pause, so that we know what had been visible before a kill."""

    def __init__(self, subject, names):
        super().__init__(daemon=True)
        self.subject = subject
        self.seen = {n: 1 for n in names}
        self.back = []
        self.stopping = threading.Event()
        self.asked = 0

    def run(self):
        while not self.stopping.is_set():
            for name in self.seen:
                serial = self.subject.serial(name, 0.05)
                if serial is None:
                    time.sleep(0.001)
                    continue
                self.asked += 1
                if serial < self.seen[name]:
                    self.back.append('%s went back from %d to %d' % (name, self.seen[name], serial))
                self.seen[name] = max(self.seen[name], serial)


class Operator(threading.Thread):
    """Pins and releases zones at random, and looks whether the store is well."""

    def __init__(self, subject, names, seed):
        super().__init__(daemon=True)
        self.subject, self.names, self.rng = subject, list(names), random.Random(seed)
        self.stopping = threading.Event()
        self.wrong = queue.Queue()
        self.acts = 0

    def run(self):
        while not self.stopping.wait(0.02 * self.rng.random()):
            words = self.rng.choice([['zone', 'pin'], ['zone', 'release'], ['zone', 'release'],
                                     ['zone', 'history'], ['store', 'check']])
            if words[0] == 'zone':
                words = words + [self.rng.choice(self.names)]
            text = self.subject.ctl(*words, check=False)
            if '\ndamaged: ' in text:
                self.wrong.put(text)
            self.acts += 'axfarmctl: ' not in text

    def stop(self):
        self.stopping.set()
        self.join(30)
        for name in self.names:
            self.subject.ctl('zone', 'release', name, check=False)


def check_store(subject):
    """Nothing is wrong in the database that was left."""
    p = subprocess.run([os.path.join(axfarm.BUILD, 'axfarmctl'), '-c', subject.folder('axfarm.yaml'), 'store',
                        'check', '--offline'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                       check=False, encoding='utf-8', errors='replace')
    if p.returncode != 0:
        raise Failure('store check ended with %d: %s' % (p.returncode, p.stdout[-1000:]))


def check_zone(subject, name, at_least, fixed_records):
    """The zone answers from the disk, whole, and not older than what was visible."""
    serial = harness.wait('%s to answer after a kill' % name,
                          lambda: subject.process.must_live() and subject.serial(name, 0.2), ANSWER_S)
    if serial < at_least:
        raise Failure('%s is back at serial %d; %d had been served' % (name, serial, at_least))
    records = wire.axfr(('127.0.0.1', subject.port), name)
    serial = wire.soa_serial(records[0][3])
    got = records[1:]
    want = fixed_records | on_wire(derived(name, serial))
    if len(got) != len(want) or set(got) != want:
        raise Failure('%s at serial %d is not whole: %d records, %d wanted, %d missing, %d unknown' %
                      (name, serial, len(got), len(want), len(want - set(got)), len(set(got) - want)))
    return serial


def make(case):
    """The primary with its zones, and the server under test."""
    primary, subject = peers.Bind(case, 'primary'), axfarm.subject(case)
    known = {}
    for i, count in enumerate([0, 0, 10, 100, 2000]):
        name = 'k%d.example.' % i
        known[name] = on_wire(fixed(name, count))
        primary.add_primary(Zone(name, fixed(name, count) + derived(name, 1)), None, [subject.target()])
        subject.add_secondary(name, primary.target())
    subject.log_level = 'info'
    return primary, subject, known


def kill_once(primary, subject, known, watcher, rng):
    """One round: some time of updates, the kill, and what the disk gives back."""
    time.sleep(rng.choice([0.0, 0.005, 0.02, 0.05, 0.1, 0.2]) * rng.random())
    subject.process.kill()
    visible = dict(watcher.seen)
    os.kill(primary.process.p.pid, signal.SIGSTOP)
    try:
        if subject.kind == 'axfarm':
            check_store(subject)
        subject.process.start()
        for name, fixed_records in known.items():
            check_zone(subject, name, visible[name], fixed_records)
    finally:
        os.kill(primary.process.p.pid, signal.SIGCONT)


@scenario('kill')
def kill(case):
    """Kills until it is enough, then sees all zones catch up."""
    rng = random.Random(case.options.seed)
    case.note('seed %d' % case.options.seed)
    primary, subject, known = make(case)
    primary.start()
    subject.start()
    for name in known:
        subject.wait_serial(name, 1)
    stream, watcher = Stream(primary, known), Watcher(subject, known)
    operator = Operator(subject, known, case.options.seed) if subject.kind == 'axfarm' else None
    stream.start()
    watcher.start()
    if operator:
        operator.start()
    moved, before = 0, dict(watcher.seen)
    for n in range(case.options.kills):
        def once():
            kill_once(primary, subject, known, watcher, rng)
            if watcher.back:
                raise Failure(watcher.back.pop())
            if not stream.wrong.empty():
                raise Failure(stream.wrong.get())
            if operator and not operator.wrong.empty():
                raise Failure(operator.wrong.get())
        if not case.check('%03d' % n, once):
            break
        moved += watcher.seen != before
        before = dict(watcher.seen)
    stream.stopping.set()
    stream.join(20)
    if operator:
        operator.stop()
        case.note('%d acts of the operator' % operator.acts)
    case.note('%d kills, in %d of them something new had been served; serials %s' % (
        len(case.results), moved, ' '.join(str(s) for s in watcher.seen.values())))

    def catches_up():
        for name, fixed_records in known.items():
            serial = primary.serial(name)
            wire.notify(('127.0.0.1', subject.port), name)
            subject.wait_serial(name, serial)
            check_zone(subject, name, serial, fixed_records)
    case.check('catches-up', catches_up)

    def moving():
        if moved < case.options.kills // 10:
            raise Failure('only %d of %d kills met a server that had served something new' %
                          (moved, case.options.kills))
    case.check('killed-while-updating', moving)
    watcher.stopping.set()
    watcher.join(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=random.randrange(10**6))
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--stand-in', choices=['bind', 'knot'])
    options = parser.parse_args()
    harness.end_on_signals()
    print('seed %d' % options.seed, flush=True)
    return harness.run_all([], options)


if __name__ == '__main__':
    sys.exit(main())
