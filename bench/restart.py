# SPDX-License-Identifier: MIT
"""bench/restart.py: how long a restart takes, from exec to the first answer and to all zones.

A database of N hosting zones is made by restart_make, with no refresh due. axfarmd is started on it with
a configuration that lists the zones, once as a file of names and once as entries of the YAML file, and is
asked for random zones all the while, as resolvers would. The first answer, the slowest one while it loads,
the moment at which every zone is there, questions that the primary got, and the time of a stop are
measured; the stop also in the midst of loading. --json writes them.
"""

import argparse
import json
import os
import random
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'interop'))
import harness  # noqa: E402  pylint: disable=wrong-import-position
import wire     # noqa: E402  pylint: disable=wrong-import-position

BUILD = os.environ.get('AXFARM_BUILD', os.path.join(ROOT, 'build'))
ASK_S = 0.002           # between two questions while it loads
SAMPLE = 3000           # zones asked for when all are there
LOADED = b' zones loaded ('
SEED = 2026


class Primary(threading.Thread):
    """Counts what anybody asks it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.port = harness.PORT.take()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', self.port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.bind(('127.0.0.1', self.port))
        self.tcp.listen()
        self.asked = 0
        self.stopping = False

    def run(self):
        while not self.stopping:
            ready, _, _ = select.select([self.udp, self.tcp], [], [], 0.1)
            for s in ready:
                self.asked += 1
                if s is self.udp:
                    s.recvfrom(65535)
                else:
                    s.accept()[0].close()

    def end(self):
        self.stopping = True
        self.join()
        self.udp.close()
        self.tcp.close()


def write_config(folder, form, port, primary):
    config = {'server': {'listen': ['127.0.0.1@%d' % port]},
              'database': {'path': os.path.join(folder, 'db')},
              'control': {'socket': os.path.join(folder, 'sock')},
              'primaries': [{'name': 'p', 'addresses': ['127.0.0.1@%d' % primary]}],
              'templates': [{'name': 'hosted', 'primaries': ['p']}]}
    path = os.path.join(folder, form + '.yaml')
    with open(path, 'w', encoding='ascii') as f:
        for section, value in config.items():
            f.write('%s: %s\n' % (section, json.dumps(value)))
        if form == 'file':
            f.write('zones: [{file: zones.txt, template: hosted}]\n')
        else:
            f.write('zones:\n')
            with open(os.path.join(folder, 'zones.txt'), encoding='ascii') as names:
                f.writelines('  - {name: %s, template: hosted}\n' % n.strip() for n in names)
    return path


class Daemon:
    """axfarmd, what it says, and questions to it."""

    def __init__(self, path, port):
        self.began = time.monotonic()
        self.p = subprocess.Popen([os.path.join(BUILD, 'axfarmd'), '-c', path], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        os.set_blocking(self.p.stderr.fileno(), False)
        self.said = b''
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(('127.0.0.1', port))
        self.socket.setblocking(False)
        self.waiting = {}
        self.asked = 0
        self.first = None       # seconds from the start to the first answer with a record
        self.slowest = 0.0      # answer since then
        self.counts = {}        # by RCODE

    def now(self):
        return time.monotonic() - self.began

    def ask(self, name):
        self.asked += 1
        number = self.asked & 0xffff
        question = bytearray(wire.message(name, wire.SOA))
        struct.pack_into('!H', question, 0, number)
        try:
            self.socket.send(question)
            self.waiting[number] = time.monotonic()
        except OSError:
            pass        # nobody listens yet

    def look(self, timeout):
        ready, _, _ = select.select([self.socket, self.p.stderr], [], [], timeout)
        if self.p.stderr in ready:
            self.said += self.p.stderr.read() or b''
        try:
            while self.socket in ready:
                answer = self.socket.recv(65535)
                self.judge(answer)
        except OSError:
            pass

    def judge(self, answer):
        number, flags, _, records = struct.unpack_from('!HHHH', answer)
        asked_at = self.waiting.pop(number, None)
        if asked_at is None:
            return
        code = flags & 15
        self.counts[code] = self.counts.get(code, 0) + 1
        if code == 0 and records > 0:
            if self.first is None:
                self.first = self.now()
            else:
                self.slowest = max(self.slowest, time.monotonic() - asked_at)

    def end(self):
        """Seconds from SIGTERM to the end."""
        began = time.monotonic()
        self.p.send_signal(signal.SIGTERM)
        while self.p.poll() is None:
            if time.monotonic() - began > 120:
                self.p.kill()
            self.said += self.p.stderr.read() or b''      # nobody else empties the pipe
            time.sleep(0.002)
        took = time.monotonic() - began
        self.said += self.p.stderr.read() or b''
        self.p.stderr.close()
        self.socket.close()
        if self.p.returncode != 0:
            raise harness.Failure('status %d\n%s' % (self.p.returncode, self.said[-2000:].decode()))
        return took

    def cpu_seconds(self):
        with open('/proc/%d/stat' % self.p.pid, encoding='ascii') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def memory_kib(self, field):
        with open('/proc/%d/status' % self.p.pid, encoding='ascii') as f:
            return next((int(x.split()[1]) for x in f if x.startswith(field)), 0)


def random_zone(rng, zones):
    return 'shop-%d.example.' % rng.randrange(zones)


def wait_loaded(d, zones, rng):
    """Asks for random zones until all are there; returns when that was."""
    asked_at = 0.0
    while LOADED not in d.said:
        if d.p.poll() is not None or d.now() > 300:
            raise harness.Failure('it did not load: %s' % d.said[-2000:].decode())
        if time.monotonic() - asked_at >= ASK_S:
            asked_at = time.monotonic()
            d.ask(random_zone(rng, zones))
        d.look(ASK_S)
    return d.now()


def ask_sample(d, zones, rng):
    """Every zone of a sample must answer now; returns how many do not."""
    d.counts = {}
    d.waiting = {}
    for _ in range(SAMPLE):
        d.ask(random_zone(rng, zones))
        d.look(0.5)
    end = time.monotonic() + 5
    while d.waiting and time.monotonic() < end:
        d.look(0.1)
    return SAMPLE - d.counts.get(0, 0)


def restart(folder, form, zones, rng):
    primary = Primary()
    primary.start()
    port = harness.PORT.take()
    d = Daemon(write_config(folder, form, port, primary.port), port)
    figures = {'all_s': wait_loaded(d, zones, rng)}
    figures['cpu_s'] = d.cpu_seconds()
    figures['first_answer_s'] = d.first if d.first is not None else figures['all_s']
    figures['slowest_answer_s'] = d.slowest
    figures['asked_while_loading'] = d.asked
    figures['servfail_while_loading'] = d.counts.get(2, 0)
    figures['peak_mb'] = d.memory_kib('VmHWM') / 1024
    d.slowest, until = 0.0, d.now() + 1.0       # engines start; what is due would be asked now
    while d.now() < until:
        d.ask(random_zone(rng, zones))
        d.look(ASK_S)
    figures['slowest_answer_then_s'] = d.slowest
    figures['unanswered_after'] = ask_sample(d, zones, rng)
    figures['resident_mb'] = d.memory_kib('VmRSS') / 1024
    figures['stop_s'] = d.end()
    figures['refresh_questions'] = primary.asked
    primary.end()
    return figures


def stop_midway(folder, form, after):
    """Seconds that a stop takes `after` seconds from the start; None: just when it has loaded."""
    primary = Primary()
    port = harness.PORT.take()
    d = Daemon(write_config(folder, form, port, primary.port), port)
    if after is None:
        wait_loaded(d, 1, random.Random(SEED))
    else:
        time.sleep(after)
    took = d.end()
    primary.start()
    primary.end()
    return took


def measure(folder, form, zones, runs):
    rng = random.Random(SEED)
    found = [restart(folder, form, zones, rng) for _ in range(runs)]
    out = {'zones': zones, 'form': form, 'runs': runs}
    for key in found[0]:
        worst = key in ('refresh_questions', 'unanswered_after', 'servfail_while_loading')
        out[key] = max(f[key] for f in found) if worst else statistics.median(f[key] for f in found)
    moments = [0.1, 0.3, 0.6, 0.9]
    out['stop_midway_s'] = max(stop_midway(folder, form, m) for m in [out['all_s'] * x for x in moments] + [None])
    return out


def show(figures):
    print('%d zones, listed as %s (median of %d)' % (
        figures['zones'], {'file': 'a file of names', 'inline': 'entries of the configuration'}[figures['form']],
        figures['runs']))
    print('  first answer              %8.3f s' % figures['first_answer_s'])
    print('  all zones answer          %8.3f s (%.2f s of processor time)' % (figures['all_s'], figures['cpu_s']))
    print('  slowest answer meanwhile  %8.3f s (%d questions, %d SERVFAIL)' % (
        figures['slowest_answer_s'], figures['asked_while_loading'], figures['servfail_while_loading']))
    print('  and in the second after   %8.3f s' % figures['slowest_answer_then_s'])
    print('  questions to the primary  %8d' % figures['refresh_questions'])
    print('  zones without an answer   %8d of %d afterwards' % (figures['unanswered_after'], SAMPLE))
    print('  stop                      %8.3f s, while loading %.3f s' % (figures['stop_s'], figures['stop_midway_s']))
    print('  resident                  %8.1f MB, at most %.1f MB' % (figures['resident_mb'], figures['peak_mb']))


# key: what it is, unit, the most that it may be; by the number of zones where that counts
ROWS = {
    'first_answer_s': ('first answer', 's', {100000: 0.2}),
    'all_s': ('all answer', 's', {100000: 0.8, 1000000: 8}),
    'slowest_answer_s': ('slowest answer while loading', 's', {}),
    'refresh_questions': ('questions to the primary', 'questions', 0),
    'unanswered_after': ('zones without an answer afterwards', 'zones', 0),
    'stop_s': ('stop', 's', 1),
    'stop_midway_s': ('stop while loading', 's', 1),
    'peak_mb': ('most memory', 'MB', {}),
}


def rows(figures):
    """The figures as `./dev bench store` has them."""
    out = []
    for key, (what, unit, target) in ROWS.items():
        row = {'what': '%d zones (%s): %s' % (figures['zones'], figures['form'], what), 'value': figures[key],
               'unit': unit}
        if isinstance(target, dict):
            target = target.get(figures['zones'])
        if target is not None:
            row['at_most'] = target
        out.append(row)
    return out


def make(zones, parent):
    folder = tempfile.mkdtemp(prefix='restart-', dir=parent)
    harness.run([os.path.join(BUILD, 'bench', 'restart_make'), str(zones), folder], timeout=600)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--zones', type=int, nargs='+', default=[100000, 1000000],
                        help='how many (default 100000 1000000)')
    parser.add_argument('--runs', type=int, default=3, help='of which the median counts (default 3)')
    parser.add_argument('--form', choices=['file', 'inline', 'both'], default='both', help='how the zones are listed')
    parser.add_argument('--folder', default=BUILD, help='where the databases are made (default: the build folder)')
    parser.add_argument('--keep', metavar='FOLDER', help='use the database in this folder, and keep it')
    parser.add_argument('--json', metavar='FILE', help='also write the figures there')
    options = parser.parse_args()
    found = []
    for zones in options.zones:
        folder = options.keep or make(zones, options.folder)
        try:
            for form in ['file', 'inline'] if options.form == 'both' else [options.form]:
                found.append(measure(folder, form, zones, options.runs))
                show(found[-1])
        finally:
            if not options.keep:
                shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        with open(options.json, 'w', encoding='ascii') as f:
            json.dump({'benchmark': 'restart', 'figures': [row for one in found for row in rows(one)]}, f, indent=1)


if __name__ == '__main__':
    main()
