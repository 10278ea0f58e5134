#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/sim/sim_test.py: the simulator itself: a run is a function of its seed, and faults are found.

usage: sim_test.py PROGRAM
"""

import re
import subprocess
import sys

SEEDS = '1..8'
PLANT_SEEDS = '1..60'

# What is planted -> what is said of it, one of these.
PLANTS = {
    'foreign': [r'content that no primary had'],
    'early': [r'lost what it served', r'serial of the primary went from', r'is not durable', r'the journal is damaged'],
    'back': [r'serial of the primary went from', r'serial went from'],
    'leak': [r'references outlive their owners: [1-9]'],
    'stuck': [r'is not in step'],
    'heap': [r'memory outlives the run'],
}

passed = failed = 0


def run(*args):
    p = subprocess.run([PROGRAM, *args], capture_output=True, text=True, errors='replace')
    return p.returncode, p.stdout


def check(name, good, output=''):
    global passed, failed
    passed += good
    failed += not good
    print(('ok   ' if good else 'FAIL ') + name)
    if not good:
        print(output[-2000:])


def untimed(output):
    return re.sub(r'^1 seeds in .*$', '', output, flags=re.M)


def traces(output):
    return re.findall(r'^seed \d+: trace \w+.*$', output, re.M)


def same_seed_same_run():
    status, first = run('--seeds', SEEDS, '--trace')
    check('seeds run', status == 0 and len(traces(first)) == 8, first)
    check('another process has the same traces', traces(run('--seeds', SEEDS, '--trace')[1]) == traces(first))
    check('so has a second run in one process', run('--seeds', SEEDS, '--twice')[0] == 0)
    status, told = run('--seed', '3', '-v')
    check('so has a run that is told', traces(told) == traces(first)[2:3], told)
    check('what is told is the same, too', untimed(run('--seed', '3', '-v')[1]) == untimed(told))
    check('other seeds have other traces', len({t.split()[3] for t in traces(first)}) == 8, first)


def planted_faults_are_found():
    for plant, texts in PLANTS.items():
        status, output = run('--plant', plant, '--seeds', PLANT_SEEDS)
        found = re.search(r'^VIOLATION seed (\d+)\b.*$', output, re.M)
        told = found is not None and any(re.search(t, found.group(0)) for t in texts)
        check('planted and found: ' + plant, status == 1 and told, output)
        if found is not None:
            again = run('--plant', plant, '--seed', found.group(1))[1]
            check('and found again: ' + plant, found.group(0) in again, again)
            check('and told how: ' + plant,
                  'replay: ./dev sim --seed %s --plant %s' % (found.group(1), plant) in output, output)


def options_are_read():
    for args in (['--seed'], ['--seed', 'x'], ['--seeds', '5..1'], ['--plant', 'roses'], ['--no']):
        check('refused: ' + ' '.join(args), run(*args)[0] == 2)


PROGRAM = sys.argv[1]
same_seed_same_run()
planted_faults_are_found()
options_are_read()
print('%d passed, %d failed' % (passed, failed))
sys.exit(failed > 0)
