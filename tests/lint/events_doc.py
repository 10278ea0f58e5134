# SPDX-License-Identifier: MIT
"""tests/lint/events_doc.py: docs/events.md is the table of base/event.c, written for operators.

Without an argument it fails if the page is not what the table says; with -w it writes the page.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEAD = '''# Events

What axfarmd logs: one event for each outcome. `log.level` drops what is less urgent; `log.format: json` writes
the same events as objects with `time`, `level`, `event` and the fields named below. Fields that the sentence
does not name follow it as `key=value` (for example `key=` for the TSIG key of a transfer). This page is the
table of `base/event.c`.

| event | level | sentence | fields |
|---|---|---|---|
'''


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding='utf-8') as f:
        return f.read()


def strings(text):
    return ''.join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def table():
    source = read('base', 'event.c')
    named = {n: strings(v) for n, v in re.findall(r'static const char (\w+)\[\] =\s*((?:"[^;]*"\s*)+);', source)}
    fields = {k: re.sub(r'\s*\n\s*\*?\s*', ' ', v).strip()
              for k, v in re.findall(r'(EVENT_\w+),\s*/\* (.*?) ?\*/', read('base', 'event.h'), re.S)}
    rows = re.findall(r'\[(EVENT_\w+)\]\s*=\s*\{\s*"([^"]+)",\s*LEVEL_(\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*|\w+\s*)+)\}',
                      source)
    for kind, name, level, text in rows:
        sentence = strings(text) if '"' in text else named[text.strip()]
        yield kind, '| `%s` | %s | %s | %s |\n' % (name, level.lower(), sentence, fields.get(kind, ''))


def main():
    rows = list(table())
    kinds = re.search(r'enum event_kind \{(.*?)\}', read('base', 'event.h'), re.S).group(1)
    known = re.findall(r'^\s+(EVENT_\w+),', kinds, re.M)
    missing = [k for k in known if k != 'EVENT_COUNT' and k not in dict(rows)]
    if missing or len(rows) < 20:
        print('base/event.c: no row could be read for %s' % ', '.join(missing))
        return 1
    page = HEAD + ''.join(row for _, row in rows)
    path = os.path.join(ROOT, 'docs', 'events.md')
    if sys.argv[1:] == ['-w']:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(page)
        return 0
    if not os.path.exists(path) or read('docs', 'events.md') != page:
        print('docs/events.md is not what base/event.c says; python3 tests/lint/events_doc.py -w')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
