# SPDX-License-Identifier: MIT
"""tests/interop/axfarm.py: axfarmd as one more server, and its command line."""

import json
import os
import re
import signal

import harness
import peers

BUILD = os.environ.get('AXFARM_BUILD', os.path.join(harness.ROOT, 'build'))


class Axfarm(peers.Server):
    """The daemon with a configuration file of its own; always a secondary."""

    kind = 'axfarm'

    def __init__(self, case, name='axfarm', keys=()):
        super().__init__(case, name, keys)
        self.limits = {'min-refresh': '1s', 'min-retry': '1s'}
        self.log_level = 'debug'
        self.log_format = 'text'
        self.workers = 2
        self.server = {}

    def configure(self):
        """JSON is YAML too, and needs no quoting of ours."""
        c = {'server': dict({'listen': ['127.0.0.1@%d' % self.port], 'workers': self.workers}, **self.server),
             'database': {'path': self.folder('db')}, 'control': {'socket': self.folder('axfarm.sock')},
             'log': {'level': self.log_level, 'format': self.log_format},
             'keys': [{'name': k.name, 'algorithm': k.algorithm, 'secret': k.secret}
                      for k in self.keys.values()],
             'primaries': [], 'zones': []}
        os.makedirs(c['database']['path'], exist_ok=True)
        for i, (name, s) in enumerate(self.settings.items()):
            sources = s['primary'] if isinstance(s['primary'], list) else [s['primary']]
            for n, p in enumerate(sources):
                c['primaries'].append(dict({'name': 'p%d-%d' % (i, n), 'addresses': ['127.0.0.1@%d' % p.port]},
                                           **({'key': p.key.name} if p.key else {})))
            c['zones'].append({
                'name': name, 'primaries': ['p%d-%d' % (i, n) for n in range(len(sources))],
                'allow-transfer': [{'key': s['key'].name}] if s['key'] else ['127.0.0.0/8'],
                'notify': [dict({'address': '127.0.0.1@%d' % t.port}, **({'key': t.key.name} if t.key else {}))
                           for t in s['notify']],
                'limits': s.get('limits', self.limits),
                **{k: s[k] for k in ('history', 'guard', 'on-lower-serial', 'primary-policy', 'compare-primaries')
                   if k in s}})
        with open(self.folder('axfarm.yaml'), 'w', encoding='ascii') as f:
            json.dump(c, f, indent=1)
        os.chmod(self.folder('axfarm.yaml'), 0o600)

    def add_secondary(self, name, primary, key=None, notify=()):
        """As every server's, but `primary` may be a list, tried in order."""
        for p in primary if isinstance(primary, list) else [primary]:
            self.add_key(p.key)
        self.add_key(key)
        for t in notify:
            self.add_key(t.key)
        self.settings[name] = {'role': 'secondary', 'primary': primary, 'key': key, 'notify': list(notify)}

    def command(self):
        return [os.path.join(BUILD, 'axfarmd'), '-c', self.folder('axfarm.yaml')]

    def reload(self):
        self.configure()
        self.process.signal(signal.SIGHUP)

    def ctl(self, *args, check=True):
        return harness.run([os.path.join(BUILD, 'axfarmctl'), '-s', self.folder('axfarm.sock')] + list(args),
                           check=check)

    def status(self):
        """The daemon's JSON."""
        return json.loads(self.ctl('--json', 'status'))

    def primaries(self, *args):
        """What is told of primaries, by port."""
        listed = json.loads(self.ctl('--json', 'primary', 'list', *args))['primaries']
        return {int(p['address'].split('@')[-1]): p for p in listed}

    def zone(self, name):
        """The zone's JSON."""
        text = self.ctl('--json', 'zone', 'status', name)
        found = json.loads(text)
        if isinstance(found, dict) and 'zones' in found:
            found = found['zones']
        if isinstance(found, list):
            found = [z for z in found if z['name'] == name][0]
        return found

    def wait_state(self, name, state, timeout=harness.WAIT_S):
        return harness.wait(lambda: '%s to be %s: %s' % (name, state, self.zone(name)),
                            lambda: self.process.must_live() and self.zone(name)['state'] == state, timeout)

    def wait_error(self, name, timeout=harness.WAIT_S):
        """Waits until the zone shows an error, and returns it."""
        return harness.wait('%s to show an error' % name, lambda: self.zone(name)['last_error'], timeout)

    def transfers(self, name, kind):
        """Lines of the log that tell of completed transfers of a kind into a zone."""
        pattern = r'zone %s: %s from \S+: Transfer completed: .*' % (re.escape(name), kind)
        return re.findall(pattern, self.process.log())

    def transfers_out(self, name, kind):
        pattern = r'zone %s: %s to \S+: Transfer completed: .*' % (re.escape(name), kind)
        return re.findall(pattern, self.process.log())


def subject(case):
    """The server under test, or the one that stands in for it while the tests are tested."""
    kind = case.options.stand_in
    if kind:
        return peers.PEERS[kind](case, 'stand-in')
    return Axfarm(case)
