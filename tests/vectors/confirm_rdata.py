#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/vectors/confirm_rdata.py: asks BIND whether it agrees with rdata.txt.

Runs named-rrchecker (bind9-utils) on every case above "# differs": the wire form must print as the
text (white space inside long fields apart), every text must be read as the wire form, and what we
refuse it must refuse. Types that this BIND does not know are left out. Exit status 77 (skipped)
without named-rrchecker.
"""

import os
import shutil
import subprocess
import sys


def ask(record, form):
    """What named-rrchecker prints for a record, as a list of fields; None if it refuses."""
    r = subprocess.run(['named-rrchecker', form], input='IN %s\n' % record, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return r.stdout.rstrip('\n').split('\t') if r.returncode == 0 else None


def generic(rtype, wire):
    return '%s \\# %d %s' % (rtype, len(wire) // 2, wire)


def judge(fields):
    """Complaints about one case."""
    kind, rtype = fields[0], fields[1]
    rest = ['' if f == '-' else f for f in fields[2:]]
    if kind == 'wire':
        return [] if ask(generic(rtype, rest[0]), '-p') is None else ['BIND takes the wire form']
    if kind == 'text':
        return [] if ask('%s %s' % (rtype, rest[0]), '-p') is None else ['BIND takes the text']
    said = []
    printed = ask(generic(rtype, rest[0]), '-p')
    if printed is None:
        said.append('BIND refuses the wire form')
    elif printed[2].replace(' ', '') != rest[1].replace(' ', ''):
        said.append('BIND prints ' + printed[2])
    for text in rest[1:]:
        read = ask('%s %s' % (rtype, text), '-u')
        wire = None if read is None else ''.join(read[2].split()[2:])
        if wire != rest[0]:
            said.append('BIND reads "%s" as %s' % (text, wire))
    return said


def main():
    if shutil.which('named-rrchecker') is None:
        print('named-rrchecker is not installed')
        return 77
    known = subprocess.run(['named-rrchecker', '-T'], stdout=subprocess.PIPE,
                           text=True).stdout.split()
    passed = failed = left_out = 0
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'rdata.txt')
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip('\n')
            if line == '# differs':
                break
            if not line or line.startswith('#'):
                continue
            fields = line.split('\t')
            if fields[1] not in known and not fields[1].startswith('TYPE'):
                left_out += 1
                continue
            said = judge(fields)
            for s in said:
                print('rdata.txt:%d: %s' % (number, s))
            failed += len(said) > 0
            passed += len(said) == 0
    print('%d left out, BIND does not know their types' % left_out)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
