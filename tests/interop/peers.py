# SPDX-License-Identifier: MIT
"""tests/interop/peers.py: BIND, Knot, NSD and PowerDNS on loopback, in a folder of the test.

All have the same shape. A server is made with keys, gets zones with add_primary() or
add_secondary(), and is started; update() then changes a zone of a primary the way its operator
would. Every peer is 127.0.0.1 with a port.
"""

import base64
import hashlib
import os
import re

import harness
import wire

ALGORITHMS = ['hmac-md5', 'hmac-sha1', 'hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512']


class Key:
    """A TSIG key; its secret is a function of its name."""

    def __init__(self, name, algorithm='hmac-sha256', secret=None):
        self.name = name
        self.algorithm = algorithm
        self.secret = secret or base64.b64encode(hashlib.sha512(name.encode()).digest()[:32]).decode()

    def dig(self):
        return ['-y', '%s:%s:%s' % (self.algorithm, self.name, self.secret)]


class Target:
    """Someone's address and key, as another server's configuration names it."""

    def __init__(self, port, key=None):
        self.port = port
        self.key = key

    def address(self):
        return ('127.0.0.1', self.port)


def records(target, zone, timeout=60):
    """The zone's records by AXFR with dig, sorted, the SOA once; raises Failure."""
    args = ['dig', '@127.0.0.1', '-p', str(target.port), zone, 'AXFR', '+noall', '+answer', '+onesoa',
            '+time=20', '+tries=1', '+noidnout', '+nosplit'] + (target.key.dig() if target.key else [])
    text = harness.run(args, timeout=timeout)
    lines = sorted(' '.join(x.split()) for x in text.split('\n') if x and not x.startswith(';'))
    if '; Transfer failed' in text or not any(' IN SOA ' in x for x in lines):
        raise harness.Failure('AXFR of %s from port %d: %s' % (zone, target.port, text[-300:]))
    return lines


def fold(lines, everything=False):
    """Owner names (or all of each line) in lower case: some servers spell them so."""
    return sorted(x.lower() if everything else x.split(' ', 1)[0].lower() + ' ' + x.split(' ', 1)[1]
                  for x in lines)


def no_duplicates(lines):
    for a, b in zip(lines, lines[1:]):
        if a == b:
            raise harness.Failure('twice: %s' % a[:300])


def same_records(a, b):
    """Raises Failure with the first differences of two sorted lists."""
    if a == b:
        return
    only_a, only_b = sorted(set(a) - set(b)), sorted(set(b) - set(a))
    text = '%d and %d records' % (len(a), len(b))
    for title, lines in (('only in the first', only_a), ('only in the second', only_b)):
        for line in lines[:5]:
            text += '\n%s: %s' % (title, line[:300])
        if len(lines) > 5:
            text += '\n... and %d more' % (len(lines) - 5)
    raise harness.Failure(text)


def compare(first, second, name, key=None):
    """Whole zones of two servers (targets with the zone's key), as `first`'s habits demand."""
    a, b = records(first.target(key), name), records(second.target(key), name)
    if second.kind == 'axfarm':
        no_duplicates(b)
    if 'pdns' in (first.kind, second.kind):
        # It sends some records twice, and gives NSEC3PARAM a TTL of its own.
        a, b = ({re.sub(r' \d+ IN NSEC3PARAM', ' IN NSEC3PARAM', x) for x in lines} for lines in (a, b))
        a, b = sorted(a), sorted(b)
    if not {first.kind, second.kind} <= {'bind', 'axfarm'}:
        everything = name.startswith('escapes')     # where they fold case inside of rdata too
        a, b = fold(a, everything), fold(b, everything)
    same_records(a, b)


class Server:
    """What all servers share."""

    kind = ''
    can_ixfr = True

    def __init__(self, case, name, keys=()):
        self.case = case
        self.name = name
        self.port = case.port()
        self.keys = {k.name: k for k in keys}
        self.zones = {}         # name -> Zone, where we are primary
        self.settings = {}      # name -> dict of the zone's settings
        self.process = None

    def target(self, key=None):
        return Target(self.port, key)

    def folder(self, *parts):
        return self.case.path(self.name, *parts)

    def add_key(self, key):
        if key is not None:
            self.keys[key.name] = key

    def add_primary(self, zone, key=None, notify=()):
        """Serves `zone`; transfers with `key` or to anyone on loopback; tells the targets `notify`."""
        self.add_key(key)
        for t in notify:
            self.add_key(t.key)
        zone.write(self.folder(self.file_of(zone.name)))
        self.zones[zone.name] = zone
        self.settings[zone.name] = {'role': 'primary', 'key': key, 'notify': list(notify)}

    def add_secondary(self, name, primary, key=None, notify=()):
        """Pulls zone `name` from the target `primary`; transfers on with `key` or to anyone."""
        self.add_key(primary.key)
        self.add_key(key)
        for t in notify:
            self.add_key(t.key)
        self.settings[name] = {'role': 'secondary', 'primary': primary, 'key': key, 'notify': list(notify)}

    @staticmethod
    def file_of(name):
        return ('root' if name == '.' else re.sub(r'[^a-z0-9.-]', '_', name.lower())) + 'zone'

    def serial(self, zone, timeout=0.5):
        return wire.serial(('127.0.0.1', self.port), zone, timeout)

    def wait_answers(self):
        """Until it answers anything at all."""
        harness.wait('%s to answer' % self.name, lambda: self.process.must_live() and wire.ask_udp(
            ('127.0.0.1', self.port), wire.message('.', wire.SOA), 0.5))

    def wait_serial(self, zone, serial, timeout=harness.WAIT_S):
        harness.wait(lambda: '%s to have serial %d of %s; it has %s' %
                     (self.name, serial, zone, self.serial(zone)),
                     lambda: self.process.must_live() and self.serial(zone) == serial, timeout)

    def wait_primary(self):
        """Until every zone that is served from here is served."""
        for name, zone in self.zones.items():
            if self.settings[name].get('signed'):   # signing moves the serial on by itself
                harness.wait('%s to have %s' % (self.name, name), lambda n=name: self.serial(n) is not None, 60)
            else:
                self.wait_serial(name, zone.serial, 60)

    def start(self):
        self.configure()
        self.process = harness.Process(self.case, self.name, self.command())
        self.wait_primary()
        return self

    def stop(self):
        return self.process.stop()

    def restart(self):
        self.stop()
        self.process.start()
        self.wait_primary()

    def change(self, name, add, remove, serial=None):
        """Changes what we know of the zone; update() also tells the server."""
        zone = self.zones[name]
        gone = set(remove)
        zone.records = [r for r in zone.records if r not in gone] + list(add)
        zone.serial = zone.serial + 1 if serial is None else serial
        return zone


class Bind(Server):
    """BIND 9."""

    kind = 'bind'

    def configure(self):
        control = self.case.port()
        out = ['options {', 'directory "%s"; pid-file "named.pid";' % self.folder('x')[:-2],
               'session-keyfile "session.key"; managed-keys-directory "."; bindkeys-file "no-keys";',
               'listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };' % self.port,
               'recursion no; dnssec-validation no; notify explicit; empty-zones-enable no;',
               'max-records-per-type 0; max-types-per-name 0; transfers-per-ns 20; transfers-in 100;',
               'notify-delay 0; serial-query-rate 1000; notify-rate 1000; startup-notify-rate 1000;',
               'tcp-clients 500; transfers-out 200; max-journal-size 50m; max-ixfr-ratio unlimited; check-names primary ignore;',
               'check-names secondary ignore; check-integrity no; check-wildcard no; minimal-responses no;',
               'masterfile-format text; allow-transfer { any; };', '};',
               'logging { channel out { stderr; severity info; print-time yes; }; category default { out; }; };',
               'dnssec-policy nsec3 { nsec3param iterations 0 optout no salt-length 0; };',
               'key "control" { algorithm hmac-sha256; secret "Y29udHJvbA=="; };',
               'controls { inet 127.0.0.1 port %d allow { 127.0.0.1; } keys { "control"; }; };' % control]
        for k in self.keys.values():
            out.append('key "%s" { algorithm %s; secret "%s"; };' % (k.name, k.algorithm, k.secret))
        for name, s in self.settings.items():
            out.append('zone "%s" {' % name)
            if s['key']:
                out.append('allow-transfer { key "%s"; };' % s['key'].name)
            out.append('file "%s";' % self.file_of(name))
            out.append('also-notify { %s };' % ''.join(
                '127.0.0.1 port %d%s; ' % (t.port, ' key "%s"' % t.key.name if t.key else '')
                for t in s['notify']))
            if s['role'] == 'primary':
                out.append('type primary; allow-update { 127.0.0.1; };')
                if s.get('signed'):
                    out.append('dnssec-policy nsec3; inline-signing no;')
            else:
                p = s['primary']
                out.append('type secondary; primaries { 127.0.0.1 port %d%s; };' %
                           (p.port, ' key "%s"' % p.key.name if p.key else ''))
                out.append('allow-notify { 127.0.0.1; }; min-refresh-time 1; min-retry-time 1;')
            out.append('};')
        with open(self.folder('named.conf'), 'w', encoding='ascii') as f:
            f.write('\n'.join(out) + '\n')
        self.control = ['rndc', '-c', self.folder('rndc.conf')]
        with open(self.folder('rndc.conf'), 'w', encoding='ascii') as f:
            f.write('key "control" { algorithm hmac-sha256; secret "Y29udHJvbA=="; };\noptions { '
                    'default-server 127.0.0.1; default-port %d; default-key "control"; };\n' % control)

    def command(self):
        return [harness.program('named'), '-f', '-n', '1', '-c', self.folder('named.conf')]

    def update(self, name, add=(), remove=(), serial=None):
        zone = self.change(name, add, remove, serial)
        text = 'server 127.0.0.1 %d\nzone %s\n' % (self.port, name)
        text += ''.join('update delete %s\n' % re.sub(r'^(\S+) \d+ ', r'\1 ', r) for r in remove)
        text += ''.join('update add %s\n' % r for r in add)
        text += 'update add %s\nsend\n' % zone.soa()
        harness.run(['nsupdate', '-v'], text)

    def notify(self, name):
        harness.run(self.control + ['notify', name])

    def forget_history(self, name):
        """Throws the journal away, so that the next IXFR is answered with the whole zone."""
        harness.run(self.control + ['sync', '-clean', name])


class Knot(Server):
    """Knot DNS."""

    kind = 'knot'

    def configure(self):
        folder = self.folder('x')[:-2]
        out = ['server:', '  rundir: "%s"' % folder, '  listen: "127.0.0.1@%d"' % self.port,
               '  tcp-workers: 2', '  udp-workers: 1', '  background-workers: 2',
               'log:', '  - target: stderr', '    any: info',
               'database:', '  storage: "%s"' % folder, '  journal-db-max-size: 200M',
               '  timer-db-max-size: 50M', 'key:']
        for k in self.keys.values():
            out += ['  - id: "%s"' % k.name, '    algorithm: %s' % k.algorithm, '    secret: "%s"' % k.secret]
        remotes, acls, zones = [], [], []
        acls += ['  - id: anyone', '    address: 127.0.0.0/8', '    action: [transfer, notify]']
        for k in self.keys.values():
            acls += ['  - id: "by-%s"' % k.name, '    key: "%s"' % k.name, '    action: [transfer, notify]']
        for i, (name, s) in enumerate(self.settings.items()):
            zones += ['  - domain: "%s"' % name, '    file: "%s"' % self.file_of(name),
                      '    storage: "%s"' % folder, '    semantic-checks: off', '    zonefile-sync: -1',
                      '    zonefile-load: %s' % ('whole' if s['role'] == 'primary' else 'none'),
                      '    journal-content: %s' % ('changes' if s['role'] == 'primary' else 'all'),
                      '    journal-max-usage: 50M', '    refresh-min-interval: 2',
                      '    retry-min-interval: 2']
            sources = [s['primary']] if s['role'] == 'secondary' else []
            for word, targets in (('notify', s['notify']), ('master', sources)):
                names = []
                for n, t in enumerate(targets):
                    names.append('%s%d-%d' % (word, i, n))
                    remotes += ['  - id: %s' % names[-1], '    address: 127.0.0.1@%d' % t.port]
                    remotes += ['    key: "%s"' % t.key.name] if t.key else []
                if names:
                    zones.append('    %s: [%s]' % (word, ', '.join(names)))
            acl = ['"by-%s"' % s['key'].name] if s['key'] else ['anyone']
            if s['role'] == 'secondary':
                acl += ['anyone'] if not s['primary'].key else ['"by-%s"' % s['primary'].key.name]
            zones.append('    acl: [%s]' % ', '.join(acl))
        out += (['remote:'] + remotes if remotes else []) + ['acl:'] + acls + ['zone:'] + zones
        with open(self.folder('knot.conf'), 'w', encoding='ascii') as f:
            f.write('\n'.join(out) + '\n')

    def command(self):
        return [harness.program('knotd'), '-c', self.folder('knot.conf')]

    def knotc(self, lines):
        """Runs commands of knotc, one a line, in one session."""
        harness.run([harness.program('knotc'), '-s', self.folder('knot.sock')] + lines)

    def update(self, name, add=(), remove=(), serial=None):
        zone = self.change(name, add, remove, serial)
        # One knotc for each line is what it takes: its interactive mode reads no script.
        soa = zone.soa().split(' ')
        self.knotc(['zone-begin', name])
        for verb, lines in (('zone-unset', remove), ('zone-set', add)):
            for line in lines:
                owner, ttl, _, rest = line.split(' ', 3)
                rtype, rdata = rest.split(' ', 1)
                self.knotc([verb, name, owner] + ([ttl] if verb == 'zone-set' else []) + [rtype, rdata])
        self.knotc(['zone-unset', name, name, 'SOA'])
        self.knotc(['zone-set', name, name, soa[1], 'SOA', ' '.join(soa[4:])])
        self.knotc(['zone-commit', name])

    def notify(self, name):
        self.knotc(['zone-notify', name])

    def forget_history(self, name):
        self.knotc(['-f', 'zone-purge', '+journal', name])


class Nsd(Server):
    """NSD."""

    kind = 'nsd'

    def configure(self):
        folder = self.folder('x')[:-2]
        out = ['server:', '  ip-address: 127.0.0.1@%d' % self.port, '  username: ""', '  zonesdir: "%s"' % folder,
               '  database: ""', '  pidfile: "%s/nsd.pid"' % folder, '  xfrdfile: "%s/xfrd.state"' % folder,
               '  zonelistfile: "%s/zone.list"' % folder, '  xfrdir: "%s"' % folder, '  server-count: 1',
               '  verbosity: 1', '  zonefiles-check: yes', '  xfrd-reload-timeout: 0', '  tcp-count: 200',
               'remote-control:', '  control-enable: yes', '  control-interface: "%s/nsd.sock"' % folder]
        for k in self.keys.values():
            out += ['key:', '  name: "%s"' % k.name, '  algorithm: %s' % k.algorithm, '  secret: "%s"' % k.secret]
        for name, s in self.settings.items():
            out += ['zone:', '  name: "%s"' % name, '  zonefile: "%s"' % self.file_of(name),
                    '  provide-xfr: 127.0.0.1 %s' % (s['key'].name if s['key'] else 'NOKEY')]
            if s['role'] == 'primary':
                out += ['  store-ixfr: yes', '  create-ixfr: yes', '  ixfr-number: 50', '  notify-retry: 3']
                out += ['  notify: 127.0.0.1@%d %s' % (t.port, t.key.name if t.key else 'NOKEY')
                        for t in s['notify']]
            else:
                p = s['primary']
                key = p.key.name if p.key else 'NOKEY'
                out += ['  request-xfr: %s127.0.0.1@%d %s' % ('UDP ' if s.get('udp') else '', p.port, key),
                        '  allow-notify: 127.0.0.1 %s' % key, '  allow-notify: 127.0.0.1 NOKEY', '  min-retry-time: 1', '  max-retry-time: 2',
                        '  min-refresh-time: 1']
        with open(self.folder('nsd.conf'), 'w', encoding='ascii') as f:
            f.write('\n'.join(out) + '\n')

    def command(self):
        return [harness.program('nsd'), '-d', '-c', self.folder('nsd.conf')]

    def update(self, name, add=(), remove=(), serial=None):
        zone = self.change(name, add, remove, serial)
        path = self.folder(self.file_of(name))
        old = os.stat(path).st_mtime_ns
        zone.write(path)
        # NSD compares modification times in whole seconds of some file systems: make sure it moves.
        if os.stat(path).st_mtime_ns // 10**9 <= old // 10**9:
            os.utime(path, ns=(old + 10**9, old + 10**9))
        harness.run([harness.program('nsd-control'), '-c', self.folder('nsd.conf'), 'reload', name])
        self.wait_serial(name, zone.serial)

    def notify(self, name):
        harness.run([harness.program('nsd-control'), '-c', self.folder('nsd.conf'), 'notify', name])

    def stop(self):
        """It keeps what it received only in memory, unless told to write it."""
        if self.process.alive() and any(s['role'] == 'secondary' for s in self.settings.values()):
            harness.run([harness.program('nsd-control'), '-c', self.folder('nsd.conf'), 'write'])
        return super().stop()


PDNS_TABLES = '''
CREATE TABLE domains (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, master TEXT,
  last_check INTEGER, type TEXT NOT NULL, notified_serial INTEGER, account TEXT, options TEXT, catalog TEXT);
CREATE TABLE records (id INTEGER PRIMARY KEY, domain_id INTEGER, name TEXT, type TEXT, content TEXT,
  ttl INTEGER, prio INTEGER, disabled BOOLEAN DEFAULT 0, ordername TEXT, auth BOOL DEFAULT 1);
CREATE INDEX by_name ON records(name, type);
CREATE INDEX by_domain ON records(domain_id, name, type);
CREATE INDEX by_order ON records(domain_id, ordername);
CREATE TABLE supermasters (ip TEXT NOT NULL, nameserver TEXT NOT NULL, account TEXT NOT NULL);
CREATE TABLE comments (id INTEGER PRIMARY KEY, domain_id INTEGER, name TEXT, type TEXT, modified_at INT,
  account TEXT, comment TEXT);
CREATE TABLE domainmetadata (id INTEGER PRIMARY KEY, domain_id INT, kind TEXT COLLATE NOCASE, content TEXT);
CREATE TABLE cryptokeys (id INTEGER PRIMARY KEY, domain_id INT, flags INT, active BOOL,
  published BOOL DEFAULT 1, content TEXT);
CREATE TABLE tsigkeys (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, algorithm TEXT COLLATE NOCASE,
  secret TEXT, UNIQUE (name, algorithm));
'''


class Pdns(Server):
    """PowerDNS with its SQLite backend. It answers IXFR with the whole zone."""

    kind = 'pdns'
    can_ixfr = False

    def pdnsutil(self, *args):
        return harness.run(['pdnsutil', '--config-dir=' + self.folder('x')[:-2]] + list(args), timeout=120)

    def sql(self, text):
        harness.run(['sqlite3', '-cmd', '.timeout 5000', self.folder('pdns.db')], text)

    def configure(self):
        folder = self.folder('x')[:-2]
        roles = {s['role'] for s in self.settings.values()}
        out = ['launch=gsqlite3', 'gsqlite3-database=%s/pdns.db' % folder, 'gsqlite3-pragma-synchronous=0',
               'gsqlite3-dnssec=yes', 'socket-dir=%s' % folder, 'local-address=127.0.0.1',
               'local-port=%d' % self.port, 'primary=%s' % ('yes' if 'primary' in roles else 'no'),
               'secondary=%s' % ('yes' if 'secondary' in roles else 'no'), 'allow-axfr-ips=127.0.0.0/8',
               'allow-notify-from=127.0.0.0/8', 'xfr-cycle-interval=1', 'only-notify=', 'daemon=no',
               'guardian=no', 'loglevel=5', 'cache-ttl=0', 'query-cache-ttl=0', 'negquery-cache-ttl=0',
               'zone-cache-refresh-interval=0', 'max-tcp-connections=200', 'retrieval-threads=4', 'write-pid=no',
               'enable-lua-records=no', 'security-poll-suffix=', 'receiver-threads=1', 'distributor-threads=1',
               'xfr-max-received-mbytes=500', 'domain-metadata-cache-ttl=0']
        with open(self.folder('pdns.conf'), 'w', encoding='ascii') as f:
            f.write('\n'.join(out) + '\n')
        self.sql(PDNS_TABLES)
        for k in self.keys.values():
            self.pdnsutil('import-tsig-key', k.name, k.algorithm, k.secret)
        for name, s in self.settings.items():
            if s['role'] == 'primary':
                self.pdnsutil('load-zone', name, self.folder(self.file_of(name)))
                if any(' NSEC' in r for r in self.zones[name].records):
                    self.pdnsutil('set-presigned', name)
                else:
                    self.pdnsutil('rectify-zone', name)
                self.sql("UPDATE domains SET type = 'MASTER' WHERE name = '%s';" % self.bare(name))
                if s['notify']:
                    self.pdnsutil('set-meta', name, 'ALSO-NOTIFY', *['127.0.0.1:%d' % t.port for t in s['notify']])
            else:
                p = s['primary']
                self.pdnsutil('create-secondary-zone', name, '127.0.0.1:%d' % p.port)
                if p.key:
                    self.pdnsutil('activate-tsig-key', name, p.key.name, 'secondary')
                if s.get('ixfr'):
                    self.pdnsutil('set-meta', name, 'IXFR', '1')
            if s['key']:
                self.pdnsutil('activate-tsig-key', name, s['key'].name, 'primary')

    @staticmethod
    def bare(name):
        return name if name == '.' else name.rstrip('.').lower()

    def command(self):
        return [harness.program('pdns_server'), '--config-dir=' + self.folder('x')[:-2]]

    def control(self, *args):
        return harness.run(['pdns_control', '--config-dir=' + self.folder('x')[:-2]] + list(args))

    def update(self, name, add=(), remove=(), serial=None):
        zone = self.change(name, add, remove, serial)
        zone.write(self.folder(self.file_of(name)))
        self.pdnsutil('load-zone', name, self.folder(self.file_of(name)))
        self.control('purge', name + '$')
        self.control('notify', name)

    def notify(self, name):
        self.control('notify', name)


PEERS = {c.kind: c for c in (Bind, Knot, Nsd, Pdns)}
