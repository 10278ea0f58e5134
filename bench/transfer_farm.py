# SPDX-License-Identifier: MIT
"""bench/transfer_farm.py: what the measurements of transfers have in common.

A Stage owns a folder on a disk, generator primaries (bench/primary) and one axfarmd with an empty database. Figures
go into a Table, each with its target; a Wrong in a measurement means that its figure would not be true: no figure is
shown then, and the part has failed.
"""

import json
import os
import platform
import socket
import subprocess
import tempfile
import time

import axfarm
import harness
import peers

MB = 1000000
KEY = peers.Key('bench.key')
LOAD_S = 600
POLL_S = 0.02


class Wrong(harness.Failure):
    """What was measured is not what was to be measured."""


def machine():
    with open('/proc/cpuinfo', encoding='ascii') as f:
        model = next((x.split(':')[1].strip() for x in f if x.startswith('model name')), '?')
    return '%s, %d cores, Linux %s, loopback, primary and secondary on the same cores' % (
        model, os.cpu_count(), platform.release())


def disk_folder(wanted):
    """A folder that is on a disk: what tmpfs holds would not survive, and costs nothing."""
    folder = wanted or '/var/tmp'
    kind = harness.run(['stat', '-f', '-c', '%T', folder]).strip()
    if kind in ('tmpfs', 'ramfs'):
        raise Wrong('%s is on %s; --dir tells a folder on a disk' % (folder, kind))
    return folder


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def pss_bytes(pid):
    with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith('Pss:'))


class Primary(harness.Process):
    """The generator, driven by lines; made with its options, flags as they are."""

    def __init__(self, case, title, listen, *args):
        self.listen = listen
        self.names_path = case.path(title, 'names.txt')
        super().__init__(case, title, [os.path.join(axfarm.BUILD, 'bench', 'primary'), '--names', self.names_path,
                                       '--listen', listen] + [str(a) for a in args])

    def start(self):
        with open(self.log_path, 'ab') as log:
            self.p = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                      start_new_session=True, encoding='ascii')
        self.read('ready')

    def read(self, end='ok'):
        lines = []
        while not lines or lines[-1] != end:
            line = self.p.stdout.readline()
            if line == '':
                raise Wrong('the primary ended: %s' % self.log())
            lines.append(line.strip())
            if lines[-1] == 'error':
                raise Wrong('the primary refuses a command')
        return lines[:-1]

    def say(self, text):
        self.p.stdin.write(text + '\n')
        self.p.stdin.flush()

    def command(self, text):
        self.say(text)
        return self.read()

    def stats(self):
        return json.loads(self.command('stats')[0])

    def names(self):
        with open(self.names_path, encoding='ascii') as f:
            return f.read().split()

    def must_match(self, address, first=None, last=None):
        """All zones, or some, have the primary's serials at the secondary."""
        zones = '' if first is None else ' %d %d' % (first, last)
        lost = json.loads(self.command('check %s%s' % (address, zones))[0])['lost']
        if lost:
            raise Wrong('%d zones are not what the primary has' % lost)

    def rate_begin(self, per_s, seconds, address, first=None, last=None):
        self.say('rate %d %d %s%s' % (per_s, seconds, address, '' if first is None else ' %d %d' % (first, last)))

    def rate_end(self):
        figures = json.loads(self.read()[0])
        if figures['lost'] or figures['unseen']:
            raise Wrong('%(lost)d zones never got their last serial, %(unseen)d changes were not seen' % figures)
        return figures

    def rate(self, *args):
        self.rate_begin(*args)
        return self.rate_end()


class Secondary(harness.Process):
    """axfarmd, configured by groups of zones: each a primary with its zones and settings."""

    def __init__(self, case, groups, port, env=(), folder='axfarm'):
        self.folder = os.path.dirname(case.path(folder, 'x'))
        self.port = port
        self.address = '127.0.0.1@%d' % self.port
        self.groups = []
        self.began = None
        for g in groups:
            self.group(**g)
        self.configure()
        super().__init__(case, folder + 'd', ['/usr/bin/env'] + list(env) + [
            os.path.join(axfarm.BUILD, 'axfarmd'), '-c', self.path('axfarm.yaml')])

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        self.began = time.monotonic()
        super().start()

    def group(self, name, addresses, zones, signed=False, **template):
        """Zones (names) of one primary; as of the next configure()."""
        with open(self.path(name + '.zones'), 'w', encoding='ascii') as f:
            f.writelines(z + '\n' for z in zones)
        self.groups.append((name, addresses, signed, template))

    def configure(self):
        primaries, templates, zones = [], [], []
        for name, addresses, signed, template in self.groups:
            primaries.append(dict({'name': name, 'addresses': addresses}, **({'key': KEY.name} if signed else {})))
            templates.append(dict({'name': name, 'primaries': [name]}, **template))
            zones.append({'file': name + '.zones', 'template': name})
        c = {'server': {'listen': [self.address]},
             'database': {'path': self.path('db')}, 'control': {'socket': self.path('sock')},
             'log': {'level': 'error'},
             'keys': [{'name': KEY.name, 'algorithm': KEY.algorithm, 'secret': KEY.secret}],
             'primaries': primaries, 'templates': templates, 'zones': zones}
        with open(self.path('axfarm.yaml'), 'w', encoding='ascii') as f:
            json.dump(c, f)
        os.chmod(self.path('axfarm.yaml'), 0o600)

    def call(self, method, path):
        """The control socket, without the cost of a program for each look; None: it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(60)
                s.connect(self.path('sock'))
                s.sendall(('%s %s HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n' % (method, path)).encode())
                text = b''.join(iter(lambda: s.recv(65536), b''))
            return json.loads(text.split(b'\r\n\r\n', 1)[1])
        except (OSError, IndexError, ValueError):
            return None

    def status(self):
        return self.call('GET', '/v1/status')

    def served(self):
        states = (self.status() or {}).get('zones_by_state', {})
        return states.get('ok', 0) + states.get('refreshing', 0)

    def reload(self):
        self.configure()
        answer = self.call('POST', '/v1/reload')
        if answer is None or 'error' in answer:
            raise Wrong('axfarmd does not reload: %s %s' % (answer, self.log()[-1000:]))

    def cpu(self):
        return cpu_seconds(self.p.pid)

    def pss(self):
        return pss_bytes(self.p.pid)

    def wait_served(self, zones, sent=None, timeout=LOAD_S):
        """Until so many zones are served; returns when that was. Status walks all zones, so it is asked for only
        once sent() says that the primary has sent enough."""
        end = time.monotonic() + timeout
        pause = POLL_S
        while True:
            self.must_live()
            if sent is None or sent() >= zones:
                sent = None
                before = time.monotonic()
                served = self.served()
                if served >= zones:
                    return time.monotonic()
                pause = max(POLL_S, time.monotonic() - before)
            if time.monotonic() > end:
                raise Wrong('%d of %d zones served after %.0f s' % (self.served(), zones, timeout))
            time.sleep(pause)


class Stage:
    """What one measurement runs on; ends and removes everything."""

    def __init__(self, options):
        tempfile.tempdir = disk_folder(options.dir)
        self.options = options
        self.case = harness.Case('transfers', options)
        harness.CASES.append(self.case)
        self.secondary = None

    def __enter__(self):
        return self

    def __exit__(self, kind, e, _):
        if isinstance(e, harness.Failure):
            e.args = (self.why(e),)
        self.case.end()
        if self.options.keep:
            print('kept: %s' % self.case.folder)
        else:
            self.case.remove()
        harness.CASES.remove(self.case)

    def primary(self, title, *args, listen=None):
        listen = listen or '127.0.0.1'
        return Primary(self.case, title, '%s@%d' % (listen, self.case.port()), *args)

    def key_args(self):
        return ['--key', '%s:%s:%s' % (KEY.name, KEY.algorithm, KEY.secret)]

    def start(self, *groups):
        """axfarmd with these groups, each a dict of group()'s arguments."""
        self.secondary = Secondary(self.case, groups, self.case.port(), self.options.env)
        return self.secondary

    def why(self, e):
        """What went wrong, and how axfarmd stands."""
        if self.secondary is None:
            return str(e)
        status = self.secondary.status()
        if status is None:
            return '%s (axfarmd %s)' % (e, 'does not answer' if self.secondary.alive() else 'has ended')
        return '%s (%s; transfers: %d running, %d failed; %s)' % (
            e, ', '.join('%d %s' % (n, state) for state, n in status['zones_by_state'].items() if n),
            status['transfers_running'], status['transfers_failed'], self.secondary.log()[-300:].strip() or 'no errors')


class Table:
    """Figures with their targets, printed as they come."""

    def __init__(self):
        self.rows = []
        self.failures = []
        self.part = ''

    def add(self, what, value, unit, at_most=None, at_least=None):
        row = {'part': self.part, 'what': what, 'value': value, 'unit': unit}
        if at_most is not None:
            row['at_most'] = at_most
        if at_least is not None:
            row['at_least'] = at_least
        self.rows.append(row)
        print(('  %-66s %12.5g %-14s %-18s %s' % (what, value, unit, target_of(row), verdict_of(row))).rstrip(),
              flush=True)

    def fail(self, what, why):
        self.failures.append({'part': self.part, 'what': what, 'why': why})
        print('  %s: FAILED: %s' % (what, why), flush=True)


def target_of(figure):
    if 'at_most' in figure:
        return 'at most %.6g' % figure['at_most']
    if 'at_least' in figure:
        return 'at least %.6g' % figure['at_least']
    return ''


def verdict_of(figure):
    if 'at_most' in figure:
        return 'met' if figure['value'] <= figure['at_most'] else 'MISSED'
    if 'at_least' in figure:
        return 'met' if figure['value'] >= figure['at_least'] else 'MISSED'
    return ''
