#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/count.py: how many single tests passed and failed.

usage: count.py FILE...

A FILE is meson's testlog.json (one program a line) or the output of one test program. A program
counts what it says itself, in Criterion's closing line or in ours ("N passed, N failed"), and as one
test otherwise. Prints two numbers.
"""

import json
import re
import sys

CRITERION = re.compile(r'Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)')
OURS = re.compile(r'^(\d+) passed, (\d+) failed$', re.M)


def count_output(text, good):
    """What one program's output says; `good` is what its exit status said."""
    text = re.sub(r'\x1b\[[0-9;]*m', '', text)
    passed = failed = 0
    for m in CRITERION.finditer(text):
        passed += int(m.group(2))
        failed += int(m.group(3)) + int(m.group(4))
    ours = OURS.findall(text)
    if ours:
        passed += int(ours[-1][0])
        failed += int(ours[-1][1])
    if good and passed + failed == 0:
        passed = 1
    if not good and failed == 0:
        failed = 1
    return passed, failed


def count_file(path):
    if not path.endswith('.json'):
        with open(path, encoding='utf-8', errors='replace') as f:
            text = f.read()
        return count_output(text, OURS.search(text) is not None)
    passed = failed = 0
    with open(path, encoding='utf-8', errors='replace') as f:
        for line in f:
            program = json.loads(line)
            if program['result'] == 'SKIP':
                continue
            good = program['result'] in ('OK', 'EXPECTEDFAIL')
            text = (program.get('stdout') or '') + '\n' + (program.get('stderr') or '')
            p, n = count_output(text, good)
            passed, failed = passed + p, failed + n
    return passed, failed


def main():
    counts = [count_file(path) for path in sys.argv[1:]]
    print(sum(c[0] for c in counts), sum(c[1] for c in counts))


if __name__ == '__main__':
    main()
