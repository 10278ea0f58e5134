# SPDX-License-Identifier: MIT
"""tests/interop/harness.py: scenarios, the processes they start, and how they end.

A scenario is a function that gets a Case. The case gives it ports, a folder and processes, keeps the
named results of its checks, and ends everything when it is over. Nothing sleeps for a fixed time:
wait() looks again and again until its deadline.
"""

import concurrent.futures
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORTS = range(*(int(x) for x in os.environ.get('AXFARM_TEST_PORTS', '20000-20499').split('-')))
WAIT_S = 30.0
LOOK_S = 0.02


class Failure(Exception):
    """A check that did not hold, with what was seen."""


class Ports:
    """Free ports of the range, each given once until all have been."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next = random.randrange(len(PORTS))

    def take(self):
        with self.lock:
            for _ in range(len(PORTS)):
                port = PORTS[self.next]
                self.next = (self.next + 1) % len(PORTS)
                if self.is_free(port):
                    return port
        raise Failure('no free port in %s' % PORTS)

    @staticmethod
    def is_free(port):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as s:
                if kind == socket.SOCK_STREAM:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(('127.0.0.1', port))
                except OSError:
                    return False
        return True


PORT = Ports()


def wait(what, look, timeout=WAIT_S):
    """Calls look() until it returns something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure('waited %.0f s for %s' % (timeout, what() if callable(what) else what))
        time.sleep(LOOK_S)


def run(args, text=None, timeout=WAIT_S, check=True):
    """Runs a program to its end; returns its output, or raises with it."""
    p = subprocess.run(args, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=timeout, encoding='utf-8', errors='replace', check=False)
    if check and p.returncode != 0:
        raise Failure('%s: exit status %d\n%s' % (' '.join(args[:4]), p.returncode, p.stdout[-2000:]))
    return p.stdout


def program(name):
    """The path of a server's program. AppArmor's profiles bind a few of them to their packages'
    folders by path; a copy of one may work in ours."""
    path = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/local/sbin')
    if path is None:
        raise Failure('%s is not installed (./dev test installs it)' % name)
    return path


def confined(path):
    profile = '/etc/apparmor.d/' + path.lstrip('/').replace('/', '.')
    return os.path.exists(profile) and os.path.isdir('/sys/kernel/security/apparmor')


class Process:
    """A server in the foreground, its output in a file."""

    def __init__(self, case, title, args):
        self.title = title
        self.args = args
        self.log_path = os.path.join(case.folder, title + '.log')
        path = args[0]
        if confined(path):
            copy = os.path.join(case.folder, 'bin-' + os.path.basename(path))
            if not os.path.exists(copy):
                shutil.copy(path, copy)
            self.args = [copy] + args[1:]
        self.p = None
        case.processes.append(self)
        self.start()

    def start(self):
        with open(self.log_path, 'ab') as log:
            self.p = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=subprocess.STDOUT, start_new_session=True)

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def alive(self):
        return self.p.poll() is None

    def must_live(self):
        if not self.alive():
            raise Failure('%s ended with status %d:\n%s' % (self.title, self.p.returncode,
                                                             self.log()[-3000:]))
        return True

    def signal(self, number):
        self.p.send_signal(number)

    def stop(self, timeout=10.0):
        """SIGTERM, then SIGKILL to its whole group; returns how long it took, in seconds."""
        start = time.monotonic()
        if self.alive():
            self.p.terminate()
            try:
                self.p.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        took = time.monotonic() - start
        self.kill()
        return took

    def kill_only(self):
        try:
            os.killpg(self.p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def kill(self):
        self.kill_only()
        self.p.wait()


class Case:
    """What one run of a scenario owns."""

    def __init__(self, title, options):
        self.title = title
        self.options = options
        self.folder = tempfile.mkdtemp(prefix='axfarm-')
        self.processes = []
        self.results = []       # (name, None or what went wrong)
        self.notes = []

    def port(self):
        return PORT.take()

    def path(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def check(self, name, function, *args):
        """Runs one named check; a Failure in it fails this one and not the scenario."""
        try:
            function(*args)
            self.results.append((name, None))
            return True
        except Failure as e:
            self.results.append((name, str(e)))
            return False

    def note(self, text):
        """Something measured, printed beside the results."""
        self.notes.append(text)

    def end(self):
        for p in reversed(self.processes):
            p.stop(5.0)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


SCENARIOS = {}
CASES = []


def scenario(title):
    """Registers a function under a name; it is run by run_all()."""
    def register(function):
        assert title not in SCENARIOS
        SCENARIOS[title] = function
        return function
    return register


def run_one(title, options):
    case = Case(title, options)
    CASES.append(case)
    start = time.monotonic()
    try:
        SCENARIOS[title](case)
        if not case.results:
            case.results.append(('', None))
    except Failure as e:
        case.results.append(('', str(e)))
    except Exception:       # pylint: disable=broad-except  (a broken scenario is a failed test)
        case.results.append(('', traceback.format_exc()))
    finally:
        case.end()
    return case, time.monotonic() - start


def print_case(case, seconds):
    """Prints each result; returns (passed, failed)."""
    passed = failed = 0
    for name, wrong in case.results:
        full = case.title + ('/' + name if name else '')
        if wrong is None:
            passed += 1
            print('ok   %s' % full)
        else:
            failed += 1
            print('FAIL %s\n     %s' % (full, wrong.rstrip().replace('\n', '\n     ')))
    if failed:
        for p in case.processes:
            print('     --- end of %s' % p.log_path)
            print('     ' + p.log()[-1500:].rstrip().replace('\n', '\n     '))
    for text in case.notes:
        print('     %s' % text)
    print('     %s took %.1f s' % (case.title, seconds), flush=True)
    return passed, failed


def run_all(wanted, options, workers=2):
    """Runs the scenarios whose names begin with one of `wanted` (all if it is empty)."""
    titles = [t for t in SCENARIOS if not wanted or any(t.startswith(w.rstrip('/')) for w in wanted)]
    if not titles:
        print('no scenario is called %s; there are: %s' % (' '.join(wanted), ' '.join(SCENARIOS)))
        return 2
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        runs = [pool.submit(run_one, t, options) for t in titles]
        for done in concurrent.futures.as_completed(runs):
            case, seconds = done.result()
            p, f = print_case(case, seconds)
            passed, failed = passed + p, failed + f
            if f and options.keep:
                print('     kept: %s' % case.folder)
            else:
                case.remove()
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


def end_on_signals():
    """SIGTERM, SIGHUP and Ctrl-C end a run at once, with all that it started."""
    def stop(number, _):
        for case in CASES:
            for p in case.processes:
                p.kill_only()
            case.remove()
        os._exit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
