#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/lint/lint_test.py: feeds the lint small trees, and sees that it complains, or does not."""

import os
import sys
import tempfile
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402
import rules  # noqa: E402

HEAD = '/* SPDX-License-Identifier: MIT\n *\n * %s — a thing. */\n'
TEST_HEAD = '/* SPDX-License-Identifier: MIT */\n'
MESON = "# SPDX-License-Identifier: MIT\nfiles(%s)\n"


def table(**changes):
    """The real tables without their exceptions, which name files that these trees lack."""
    t = types.SimpleNamespace(**{k: v for k, v in vars(rules).items() if k.isupper()})
    t.CALL_EXCEPTIONS, t.VARIABLE_EXCEPTIONS, t.SIZE_EXCEPTIONS = {}, {}, {}
    t.UNTESTED, t.TESTED_BY, t.WORD_EXCEPTIONS = {}, {}, {}
    for k, v in changes.items():
        setattr(t, k, v)
    return t


def breaches(files, rules_table=None):
    """Writes the tree, with heads, a meson.build and tests where they are not given; lints it."""
    files = dict(files)
    sources = [p for p in files if p.endswith(('.c', '.h')) and not p.startswith('tests/')]
    for path in sources:
        if path.endswith('.c'):
            files.setdefault('tests/' + path[:-2] + '_test.c', TEST_HEAD)
    by_folder = {}
    for path in files:
        if path.endswith('.c'):
            by_folder.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    for folder, names in by_folder.items():
        files.setdefault(folder + '/meson.build',
                         MESON % ', '.join("'%s'" % n for n in sorted(names)))
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as f:
                f.write(text)
        return lint.Lint(root, rules_table or table()).run()


def source(path, code):
    head = HEAD % path + ('#pragma once\n' if path.endswith('.h') else '')
    return {path: head + code}


def function(lines, head='static void f(void)'):
    return head + '\n{\n' + '\tg();\n' * (lines - 2) + '}\n'


def nested(levels):
    return 'static void f(void)\n{\n' + ''.join('\t' * (i + 1) + 'if (x) {\n' for i in range(levels)) \
        + ''.join('\t' * (i + 1) + '}\n' for i in reversed(range(levels))) + '}\n'


CLEAN = {
    'arrow down': source('transfer/a.c', '#include "zonestore/store.h"\n#include <stdio.h>\n'),
    'private header of the own room': source('ring/a.c', '#include "ring/a_p.h"\n'),
    'private header in the test of the room':
        {'tests/ring/a_test.c': TEST_HEAD + '#include "ring/a_p.h"\n#include "tests/test.h"\n'},
    'private header in a fuzz entry':
        {'tests/fuzz/a_fuzz.c': '/* SPDX-License-Identifier: MIT\n *\n * tests/fuzz/a_fuzz.c — octets.\n */\n'
                                '#include "ring/a_p.h"\n'},
    'door': source('zonestore/journal_lmdb.c', '#include <lmdb.h>\nstatic int f(void)\n{\n\treturn open();\n}\n'),
    'function at the wall': source('dns/a.c', function(70)),
    'five parameters': source('dns/a.c', 'int f(int a, int b, int c, int d, int (*e)(int, int))\n{\n}\n'),
    'three levels': source('dns/a.c', nested(3)),
    'initialisers are no nesting': source('dns/a.c', 'static void f(void)\n{\n\tif (x) {\n\t\tif (y) {\n'
                                          '\t\t\tz = (struct a){ { { { 1 } } } };\n\t\t}\n\t}\n}\n'),
    'constants': source('dns/a.c', 'static const int a = 1;\nstatic const char *const b[] = { "x" };\n'
                        'const struct { int a; int b; } c[] = { { 1, 2 } };\nextern int d;\n'
                        'struct e {\n\tint f;\n\tint (*g)(int);\n};\nenum h { I, J };\n'
                        'int k(int (*l)(int), int m);\nstatic int n(void)\n{\n'
                        '\tstatic const int o = 1;\n\treturn o;\n}\n'),
    'calls through a table': source('dns/a.c', 'static void f(void)\n{\n\te->time(e);\n\ts.open();\n'
                                    '\tmy_time();\n\ttimeout();\n}\n'),
    'calls in words': source('dns/a.c', '/* open() and time() */\nstatic const char s[] = "open()";\n'),
    'calls at their door': source('base/env.c', 'static void f(void)\n{\n\ttime(NULL);\n}\n'),
    'calls in tests': {'tests/dns/a_test.c': TEST_HEAD + 'void f(void)\n{\n\topen("x");\n}\n'},
    'typedef of a function pointer': source('dns/a.h', 'typedef int (*visit)(int a);\n'),
    'listed in two pieces': {'tests/fuzz/name_fuzz.c': HEAD % 'tests/fuzz/name_fuzz.c', 'tests/fuzz/meson.build':
                             "# SPDX-License-Identifier: MIT\nforeach e : ['name']\n  e + '_fuzz.c'\nendforeach\n"},
    'numbered TODO': source('dns/a.c', '/* TODO(#12): more */\n'),
}

# name -> (files, what the only complaint says)
BAD = {
    'arrow up': (source('base/a.c', '#include "dns/name.h"\n'), 'no arrow from base to dns'),
    'arrow between siblings': (source('transfer/a.c', '#include "answer/answer.h"\n'),
                               'no arrow from transfer to answer'),
    'control looks at the store': (source('control/a.h', '#include "zonestore/store.h"\n'),
                                   'no arrow from control to zonestore'),
    'someone includes daemon': (source('control/a.c', '#include "daemon/daemon.h"\n'),
                                'no arrow from control to daemon'),
    'a room includes tests': (source('dns/a.c', '#include "tests/test.h"\n'), 'no room includes tests/'),
    'unknown room': (source('dns/a.c', '#include "util/x.h"\n'), 'is in no room'),
    'file outside of rooms': (source('util/a.h', '#include "base/err.h"\n'), 'util/ is not a room'),
    'relative include': (source('dns/a.c', '#include "name.h"\n'), 'not written from the root'),
    'include with dots': (source('dns/a.c', '#include "dns/../base/err.h"\n'),
                          'not written from the root'),
    'indented include': (source('base/a.c', '#if A\n# include "dns/name.h"\n#endif\n'),
                         'no arrow from base to dns'),
    'private header of another room': (source('transfer/a.c', '#include "zonestore/node_p.h"\n'),
                                       'private to zonestore/'),
    'private header in the test of another room':
        ({'tests/dns/a_test.c': TEST_HEAD + '#include "ring/a_p.h"\n'}, 'private to ring/'),
    'liburing outside': (source('transfer/a.c', '#include <liburing.h>\n'), 'stays behind ring/'),
    'BoringSSL in another file of dns': (source('dns/tsig.c', '#include <openssl/hmac.h>\n'),
                                         'stays behind dns/hmac.c'),
    'lmdb outside': (source('daemon/a.c', '#include <lmdb.h>\n'), 'stays behind zonestore/'),
    'jansson outside': (source('daemon/a.c', '#include <jansson.h>\n'), 'stays behind control/'),
    'foreign header without a door': (source('dns/a.c', '#include <glib.h>\n'), 'has no door'),
    'time': (source('transfer/a.c', 'static void f(void)\n{\n\tnow = time(NULL);\n}\n'), 'time(): '),
    'clock': (source('ring/a.c', 'static void f(void)\n{\n\tclock_gettime(1, &t);\n}\n'),
              'clock_gettime(): '),
    'randomness': (source('dns/a.c', 'static void f(void)\n{\n\tgetrandom(a, 1, 0);\n}\n'),
                   'getrandom(): '),
    'socket': (source('daemon/a.c', 'static void f(void)\n{\n\ts = socket(1, 2, 3);\n}\n'), 'socket(): '),
    'open': (source('zonestore/a.c', 'static void f(void)\n{\n\treturn open("x", 0);\n}\n'), 'open(): '),
    'alloca': (source('ring/a.c', 'static void f(void)\n{\n\tchar *a = alloca(5);\n}\n'), 'alloca(): '),
    'variable': (source('dns/a.c', 'static int count;\n'), 'count: an object'),
    'global': (source('dns/a.c', 'struct table *table = NULL;\n'), 'table: an object'),
    'table of strings that can change': (source('dns/a.c', 'static const char *names[] = { "a" };\n'),
                                         'names: an object'),
    'function pointer': (source('dns/a.c', 'static void (*hook)(int) = NULL;\n'), 'hook: an object'),
    'array': (source('dns/a.c', 'static uint8_t cache[10][20];\n'), 'cache: an object'),
    'atomic': (source('dns/a.c', 'static _Atomic int n = 1;\n'), 'n: an object'),
    'static in a function': (source('dns/a.c', 'int f(void)\n{\n\tstatic int calls;\n\treturn calls++;\n}\n'),
                             'calls: an object'),
    'long function': (source('dns/a.c', function(71)), '71 lines, the limit is 70'),
    'long test': ({'tests/dns/a_test.c': TEST_HEAD + function(71, 'TEST(a, b)')}, 'TEST(a, b): 71 lines'),
    'long file': (source('dns/a.c', '\n' * 900), '903 lines, the limit is 900'),
    'long header': (source('dns/a.h', '\n' * 200), '204 lines, the limit is 200'),
    'six parameters': (source('dns/a.c', 'int f(int a, int b, int c,\n      int d, int e, int g)\n{\n}\n'),
                       'f: 6 parameters'),
    'four levels': (source('dns/a.c', nested(4)), 'f: 4 levels'),
    'typedef of a struct': (source('dns/a.h', 'typedef struct name name;\n'), 'no function pointer'),
    'a _t name': (source('dns/a.h', 'typedef int (*visit_t)(int);\n'), 'names in _t'),
    'no SPDX': ({'dns/a.h': '#pragma once\n/* SPDX-License-Identifier: MIT\n *\n * dns/a.h — a. */\n'},
                None),
    'no SPDX in a script': ({'tests/a.py': 'print(1)\n'}, 'no SPDX line'),
    'no SPDX in meson.build': ({'dns/meson.build': 'files()\n'}, 'no SPDX line'),
    'no purpose': ({'dns/a.h': '/* SPDX-License-Identifier: MIT */\n#pragma once\n'}, 'no purpose line'),
    'purpose of another file': ({'dns/a.h': HEAD % 'dns/b.h' + '#pragma once\n'}, 'no purpose line'),
    'no pragma once': ({'dns/a.h': HEAD % 'dns/a.h'}, 'no #pragma once'),
    'not registered': (dict(source('dns/a.c', ''), **{'dns/meson.build': MESON % "'b.c'"}),
                       'listed in no meson.build'),
    'test not registered': ({'tests/dns/a_test.c': TEST_HEAD, 'tests/dns/meson.build': MESON % ''},
                            'listed in no meson.build'),
    'old word': (source('dns/a.c', '/* the master server */\n'), 'say primary'),
    'old word in an identifier': (source('dns/a.c', 'int slaves(void);\n'), 'say secondary'),
    'TODO without a number': (source('dns/a.c', '/* TODO: more */\n'), 'needs an issue number'),
    'path of one machine': ({'docs/a.md': 'run /home/me/axfarm\n'}, 'a path of one machine'),
}


def check(name, files, want, rules_table=None):
    found = breaches(files, rules_table)
    if want is None:
        ok = bool(found)
    elif want == '':
        ok = not found
    else:
        ok = len(found) == 1 and want in found[0]
    print('%s %s' % ('ok  ' if ok else 'FAIL', name))
    if not ok:
        print('     wanted %s, found:' % repr(want))
        for line in found:
            print('     ' + line)
    return ok


def no_test_breaches():
    """A tree without the test that breaches() would add."""
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(os.path.join(root, 'dns'))
        for path, text in (('dns/a.c', HEAD % 'dns/a.c'), ('dns/meson.build', MESON % "'a.c'")):
            with open(os.path.join(root, path), 'w', encoding='utf-8') as f:
                f.write(text)
        bare = lint.Lint(root, table()).run()
        part = lint.Lint(root, table(TESTED_BY={'dns/a.c': 'dns/b_test.c'})).run()
        excepted = lint.Lint(root, table(UNTESTED={'dns/a.c': 'a reason'})).run()
    ok = len(bare) == 1 and 'has no tests/dns/a_test.c' in bare[0] and not excepted and \
        len(part) == 1 and 'has no tests/dns/b_test.c' in part[0]
    print('%s no test' % ('ok  ' if ok else 'FAIL'))
    return ok


def main():
    results = [check('clean: ' + n, files, '') for n, files in CLEAN.items()]
    results += [check(n, files, want) for n, (files, want) in BAD.items()]
    results.append(no_test_breaches())
    long_file = source('dns/a.c', function(80))
    results.append(check('excepted by name', long_file, '',
                         table(SIZE_EXCEPTIONS={('dns/a.c', 'f'): (80, 'a reason')})))
    results.append(check('exceptions have a limit too', source('dns/a.c', function(81)), '81 lines',
                         table(SIZE_EXCEPTIONS={('dns/a.c', 'f'): (80, 'a reason')})))
    results.append(check('exception of what is gone', source('dns/b.c', ''), 'which is not there',
                         table(SIZE_EXCEPTIONS={('dns/a.c', 'f'): (80, 'a reason')})))
    print('%d passed, %d failed' % (results.count(True), results.count(False)))
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
