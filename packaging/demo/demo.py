#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""packaging/demo/demo.py: the demonstration behind ./dev run.

usage: demo.py [--zones N] [--port PORT] [--primary-port PORT] [--seconds N]

A Knot DNS primary on loopback serves a handful of varied zones (and N made from a template), one of them
changing every few seconds, one signed; transfers and NOTIFY are signed with TSIG. axfarmd is its
secondary, on an embedded store in a folder that goes away with the demonstration. The terminal shows
the zones until Ctrl-C; without a terminal, a line is printed for each thing that happens.
"""

import argparse
import base64
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get('AXFARM_BUILD', os.path.join(ROOT, 'build'))
CHANGE_S = 3.0          # how often clock.example changes
SHOW_S = 0.5            # how often the terminal is drawn
READY_S = 20.0
SERVED_S = 10.0         # how long a change may take before it is called lost
CLOCK = 'clock.example.'
FILES = ['shop.example.', 'odd.example.', '2.0.192.in-addr.arpa.', CLOCK]


class DemoError(Exception):
    """Something that the user has to know, as one sentence."""


def program(name):
    path = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/local/sbin')
    if path is None:
        raise DemoError('%s is not installed; ./dev run installs it' % name)
    return path


def must_be_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            if kind == socket.SOCK_STREAM:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', port))
            except OSError as e:
                raise DemoError('port %d on 127.0.0.1 is taken (%s); choose others with --port and '
                                '--primary-port' % (port, e.strerror)) from e


def serial_of(port, zone, timeout=0.25):
    """The serial that a server answers for a zone, or None."""
    labels = b''.join(bytes([len(x)]) + x.encode() for x in zone.rstrip('.').split('.')) + b'\0'
    query = struct.pack('>HHHHHH', random.randrange(65536), 0, 1, 0, 0, 0) + labels + struct.pack('>HH', 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.connect(('127.0.0.1', port))
            s.send(query)
            got = s.recv(4096)
        except OSError:
            return None
    if len(got) < 12 or got[:2] != query[:2] or got[3] & 15 or not got[7]:
        return None
    at = 12 + len(labels) + 4
    at = at + 2 if got[at] >= 0xc0 else at + len(labels)
    length, = struct.unpack('>H', got[at + 8:at + 10])
    at += 10 + length       # the SOA is the first record; its five numbers end it
    return struct.unpack('>I', got[at - 20:at - 16])[0]


def registry_zone(count=2000):
    """A registry's zone: delegations, some with glue and DS."""
    rng = random.Random(7)
    out = ['@ 900 IN SOA ns1 hostmaster 1 3600 600 604800 900', '@ 900 IN NS ns1', 'ns1 900 IN A 192.0.2.1']
    for i in range(count):
        name = ''.join(rng.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(rng.randint(3, 10))) + str(i)
        out.append('%s 3600 IN NS ns1.hoster%d.example.' % (name, rng.randrange(40)))
        if rng.random() < 0.3:
            out += ['%s 3600 IN NS ns.%s' % (name, name), 'ns.%s 3600 IN A 198.51.100.%d' % (name, i % 256)]
        if rng.random() < 0.2:
            out.append('%s 3600 IN DS %d 13 2 %064X' % (name, i, rng.getrandbits(256)))
    return '\n'.join(out) + '\n'


class Demo:
    """Both servers, their folder and their files."""

    def __init__(self, port, primary_port, template_zones=0):
        self.port = port
        self.primary_port = primary_port
        self.folder = tempfile.mkdtemp(prefix='axfarm-demo-')
        self.secret = base64.b64encode(os.urandom(32)).decode()
        self.hosted = ['customer%04d.example.' % i for i in range(template_zones)]
        self.zones = FILES + ['registry.example.', 'signed.example.'] + self.hosted
        self.ticks = 0
        self.processes = []
        self.socket = self.path('axfarm.sock')

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(self.path(name), 0o600)       # keys are in some of them
        return self.path(name)

    def start_primary(self):
        must_be_free(self.primary_port)
        os.mkdir(self.path('knot'))
        for name in os.listdir(os.path.join(HERE, 'zones')):
            shutil.copy(os.path.join(HERE, 'zones', name), self.path(name))
        self.write('registry.example.zone', registry_zone())
        shutil.copy(self.path('shop.example.zone'), self.path('signed.example.zone'))
        conf = ['server:', '  rundir: "%s"' % self.folder, '  listen: 127.0.0.1@%d' % self.primary_port,
                '  tcp-max-clients: 1000', 'log:', '  - target: "%s"' % self.path('knot.log'), '    any: notice',
                'database:', '  storage: "%s"' % self.path('knot'), '  journal-db-max-size: 200M', 'key:',
                '  - id: demo_key', '    algorithm: hmac-sha256', '    secret: "%s"' % self.secret, 'remote:',
                '  - id: axfarm', '    address: 127.0.0.1@%d' % self.port, '    key: demo_key', 'acl:',
                '  - id: axfarm', '    key: demo_key', '    action: transfer', 'policy:', '  - id: nsec3',
                '    algorithm: ecdsap256sha256', '    nsec3: on', 'template:', '  - id: default',
                '    storage: "%s"' % self.folder, '    notify: axfarm', '    acl: axfarm',
                '    zonefile-sync: -1', '    zonefile-load: whole', '    semantic-checks: off',
                '    journal-content: changes', 'zone:']
        for name in self.zones:
            conf += ['  - domain: "%s"' % name]
            if name in self.hosted:
                conf += ['    file: hosted.zone']
            else:
                conf += ['    file: "%szone"' % name]
            if name == 'signed.example.':
                conf += ['    dnssec-signing: on', '    dnssec-policy: nsec3', '    zonefile-load: difference']
        self.spawn([program('knotd'), '-c', self.write('knot.conf', '\n'.join(conf) + '\n')], 'knotd.out')
        self.wait_for(self.primary_port, self.zones, 'the primary')

    def start_axfarm(self):
        must_be_free(self.port)
        os.mkdir(self.path('db'))
        self.write('zones.txt', '\n'.join(self.zones) + '\n')
        conf = {'server': {'listen': ['127.0.0.1@%d' % self.port]}, 'database': {'path': 'db'},
                'control': {'socket': 'axfarm.sock'}, 'log': {'level': 'info', 'format': 'json'},
                'keys': [{'name': 'demo_key', 'algorithm': 'hmac-sha256', 'secret': self.secret}],
                'primaries': [{'name': 'knot', 'addresses': ['127.0.0.1@%d' % self.primary_port],
                               'key': 'demo_key'}],
                'templates': [{'name': 'demo', 'primaries': ['knot'], 'allow-transfer': ['127.0.0.0/8']}],
                'zones': [{'file': 'zones.txt', 'template': 'demo'}]}
        self.write('axfarm.yaml', json.dumps(conf, indent=1))
        self.spawn([os.path.join(BUILD, 'axfarmd'), '-c', self.path('axfarm.yaml')], 'axfarmd.log')

    def spawn(self, args, log):
        with open(self.path(log), 'ab') as out:
            p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        self.processes.append((p, log))

    def must_live(self):
        for p, log in self.processes:
            if p.poll() is not None:
                with open(self.path(log), encoding='utf-8', errors='replace') as f:
                    raise DemoError('%s ended with status %d:\n%s' % (os.path.basename(p.args[0]), p.returncode,
                                                                      f.read()[-1500:]))

    def wait_for(self, port, zones, who):
        end = time.monotonic() + READY_S
        for name in zones:
            while serial_of(port, name) is None:
                self.must_live()
                if time.monotonic() > end:
                    raise DemoError('%s does not answer for %s' % (who, name))
                time.sleep(0.02)

    def knotc(self, *args):
        subprocess.run([program('knotc'), '-s', self.path('knot.sock')] + list(args), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def change(self, zone=CLOCK):
        """Changes a zone on the primary; returns its new serial and when it was committed."""
        self.ticks += 1
        serial = serial_of(self.primary_port, zone) + 1
        text = time.strftime('%H:%M:%S') + ' tick %d' % self.ticks
        self.knotc('zone-begin', zone)
        soa = 'ns1.%s hostmaster.%s %d 3600 600 604800 5' % (zone, zone, serial)
        self.knotc('zone-unset', zone, '@', 'SOA')
        self.knotc('zone-set', zone, '@', '5', 'SOA', soa)
        self.knotc('zone-unset', zone, 'now', 'TXT')
        self.knotc('zone-set', zone, 'now', '5', 'TXT', '"%s"' % text)
        if self.ticks > 10:
            self.knotc('zone-unset', zone, 'tick%d' % (self.ticks - 10))
        self.knotc('zone-set', zone, 'tick%d' % self.ticks, '5', 'TXT', '"%s"' % text)
        at = time.monotonic()
        self.knotc('zone-commit', zone)
        return serial, at

    def wait_served(self, zone, serial, since):
        """Seconds from the commit on the primary until axfarmd serves the serial."""
        while time.monotonic() - since < SERVED_S:
            got = serial_of(self.port, zone)
            if got is not None and got >= serial:
                return time.monotonic() - since
            time.sleep(0.0005)
        self.must_live()
        raise DemoError('serial %d of %s was not served within %d s' % (serial, zone, SERVED_S))

    def ctl(self, *args):
        p = subprocess.run([os.path.join(BUILD, 'axfarmctl'), '-s', self.socket, '--json'] + list(args),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8', check=False)
        return json.loads(p.stdout) if p.returncode == 0 else None

    def zone_list(self):
        found = self.ctl('zone', 'list') or []
        return found['zones'] if isinstance(found, dict) else found

    def stop(self):
        for p, _ in reversed(self.processes):
            if p.poll() is None:
                p.terminate()
        for p, _ in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Log:
    """Follows axfarmd's log, one JSON object a line."""

    def __init__(self, path):
        self.file = open(path, encoding='utf-8', errors='replace')      # closed with the process
        self.rest = ''

    def events(self):
        self.rest += self.file.read()
        lines = self.rest.split('\n')
        self.rest = lines.pop()
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                yield {'event': 'text', 'text': line}


def sentence(event):
    """One event for people; None for what is not worth a line here."""
    kind = event.get('event')
    if kind == 'transfer-done':
        return '%s: %s, serial %s: %s records in %s messages, %s octets, %.1f ms' % (
            event['zone'], event['kind'], event['serial'], event['records'], event['messages'], event['bytes'],
            1000 * float(event['secs']))
    if kind == 'text':
        return event['text']
    if event.get('level') in ('error', 'warning'):
        return ' '.join('%s=%s' % (k, v) for k, v in event.items() if k != 'time')
    return None


class Show:
    """The terminal: a table of the zones that is drawn over itself, and the last events."""

    def __init__(self, demo):
        self.demo = demo
        self.is_terminal = sys.stdout.isatty()
        self.transfers = {}     # zone -> (kind, when)
        self.lines = []
        self.arrived = 0
        self.served_s = []
        self.lock = threading.Lock()

    def say(self, text):
        with self.lock:
            self.lines = (self.lines + [text])[-8:]
            if not self.is_terminal:
                print(text, flush=True)

    def take(self, event):
        if event.get('event') == 'transfer-done':
            if event['zone'] not in self.transfers:
                self.arrived += 1
            self.transfers[event['zone']] = (event['kind'], time.monotonic())
            if event['zone'] in self.demo.hosted and not self.is_terminal and self.arrived % 100:
                return
        text = sentence(event)
        if text:
            self.say(text)

    def draw(self, zones):
        if not self.is_terminal:
            return
        size = shutil.get_terminal_size()
        rows = ['\x1b[1maxfarm: %d zones from Knot on 127.0.0.1@%d, served on 127.0.0.1@%d\x1b[0m' % (
            len(zones), self.demo.primary_port, self.demo.port), '']
        rows.append('%-26s %-10s %10s %9s %8s %5s  %s' % ('zone', 'state', 'serial', 'records', 'octets', 'by',
                                                         'changed'))
        room = max(3, size.lines - len(self.lines) - 10)
        for z in zones[:room]:
            kind, at = self.transfers.get(z['name'], ('', 0))
            colour = {'ok': '32', 'failing': '31', 'expired': '31'}.get(z['state'], '33')
            fresh = at and time.monotonic() - at < 1.0
            age = '%d s ago' % (time.monotonic() - at) if at else ''
            rows.append('%s%-26s \x1b[%sm%-10s\x1b[0m%s %10s %9s %8s %5s  %s\x1b[0m' % (
                '\x1b[1m' if fresh else '', z['name'][:26], colour, z['state'], '\x1b[1m' if fresh else '',
                z.get('serial'), z.get('records'), z.get('bytes'), kind, age))
        if len(zones) > room:
            rows.append('... and %d more, %d of all ok' % (len(zones) - room, sum(z['state'] == 'ok' for z in zones)))
        rows += [''] + self.lines + ['']
        if self.served_s:
            rows.append('the last change was served %.1f ms after its commit on the primary' % (1000 * self.served_s[-1]))
        rows.append('try: dig @127.0.0.1 -p %d now.clock.example. TXT' % self.demo.port)
        rows.append('     build/axfarmctl -s %s zone list' % self.demo.socket)
        rows.append('Ctrl-C ends the demonstration')
        text = ''.join('\x1b[K%s\n' % clip(r, size.columns) for r in rows[:size.lines - 1])
        sys.stdout.write('\x1b[H' + text + '\x1b[J')
        sys.stdout.flush()


def clip(row, columns):
    """Cuts a row to the terminal's width; escape sequences take no room."""
    out, width, i = '', 0, 0
    while i < len(row):
        if row[i] == '\x1b':
            end = row.index('m', i) + 1
            out += row[i:end]
            i = end
        else:
            if width < columns:
                out += row[i]
            width += 1
            i += 1
    return out


def tick(demo, show, stopping):
    """Changes clock.example every few seconds and measures until it is served."""
    while not stopping.wait(CHANGE_S):
        try:
            serial, at = demo.change()
            show.served_s.append(demo.wait_served(CLOCK, serial, at))
            if not show.is_terminal:
                show.say('%s: serial %d served %.1f ms after its commit' % (CLOCK, serial, 1000 * show.served_s[-1]))
        except (DemoError, subprocess.CalledProcessError) as e:
            if not stopping.is_set():
                show.say(str(e))


def run(demo, seconds):
    show, stopping = Show(demo), threading.Event()
    show.say('starting Knot with %d zones' % len(demo.zones))
    demo.start_primary()
    show.say('starting axfarmd')
    start = time.monotonic()
    demo.start_axfarm()
    log = Log(demo.path('axfarmd.log'))
    ticker = threading.Thread(target=tick, args=(demo, show, stopping), daemon=True)
    ticker.start()
    told = False
    if show.is_terminal:
        sys.stdout.write('\x1b[?25l\x1b[2J')
    try:
        while seconds is None or time.monotonic() - start < seconds:
            demo.must_live()
            for event in log.events():
                show.take(event)
            if show.arrived == len(demo.zones) and not told:
                told = True
                show.say('all %d zones have arrived after %.2f s' % (len(demo.zones), time.monotonic() - start))
            if show.is_terminal:
                show.draw(demo.zone_list())
            time.sleep(SHOW_S if show.is_terminal else 0.1)
    finally:
        stopping.set()
        ticker.join(SERVED_S)
        if show.is_terminal:
            sys.stdout.write('\x1b[?25h\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--zones', type=int, default=0, help='so many more zones, made from a template')
    parser.add_argument('--port', type=int, default=5300, help='where axfarmd listens (5300)')
    parser.add_argument('--primary-port', type=int, default=5301, help='where Knot listens (5301)')
    parser.add_argument('--seconds', type=float, help='end by itself')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    demo = Demo(options.port, options.primary_port, options.zones)
    try:
        run(demo, options.seconds)
    except KeyboardInterrupt:
        pass
    except DemoError as e:
        print('axfarm demonstration: %s' % e, file=sys.stderr)
        return 1
    finally:
        demo.stop()
    return 0


if __name__ == '__main__':
    sys.exit(main())
