#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/lint/lint.py: checks the tree against ARCHITECTURE.md and the style guide.

usage: lint.py [ROOT]

Reads every source file; no compiler is asked. Prints the ten longest of each kind and every breach;
exit status 1 if there is one. The tables are in rules.py; lint_test.py feeds it bad trees.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402  (the folder of this file must be on the path first)

SOURCE = ('.c', '.h')
SCRIPT = ('.py', '.sh')
TEXT = ('.md', '.yaml', '.proto', '.txt')


def find_files(root):
    """Yields paths, relative to root, of all files that a person wrote."""
    for folder, dirs, names in os.walk(root):
        rel = os.path.relpath(folder, root)
        dirs[:] = sorted(d for d in dirs if not d.startswith('.') and d != '__pycache__' and
                         d != 'node_modules' and d != 'subprojects' and
                         not (rel == '.' and (d == 'build' or d.startswith('build-'))))
        for name in sorted(names):
            yield os.path.normpath(os.path.join(rel, name))


def strip(text):
    """Blanks comments and the insides of literals; keeps every line and column where it was."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(m):
        s = m.group(0)
        if s[0] in '"\'':
            return s[0] + re.sub(r'[^\n]', ' ', s[1:-1]) + s[0]
        return re.sub(r'[^\n]', ' ', s)
    return re.sub(pattern, blank, text, flags=re.S)


def without_macros(code):
    """Blanks preprocessor lines with their continuations."""
    out, inside = [], False
    for line in code.split('\n'):
        if inside or line.lstrip().startswith('#'):
            inside = line.endswith('\\')
            out.append('')
        else:
            out.append(line)
    return '\n'.join(out)


class Function:
    """A function definition: its name, first line, length, parameters and deepest nesting."""

    def __init__(self, head, body, line):
        call = re.search(r'(\w+)\s*\(', re.sub(r'__attribute__\s*\(\(.*?\)\)\)?', '', head))
        self.name = call.group(1) if call else '?'
        if re.fullmatch(r'[A-Z_]+', self.name):     # TEST(suite, name), Test(...)
            args = re.findall(r'\w+', head[head.index('('):])
            self.name = '%s(%s)' % (self.name, ', '.join(args[:2]))
            self.parameters = 0
        else:
            self.parameters = count_parameters(head, self.name)
        self.line = line
        self.lines = body.count('\n') + 1
        self.nesting = deepest(body)


def count_parameters(head, name):
    depth, count, inside = 0, 0, ''
    for c in head[head.index(name) + len(name):].lstrip():
        if c == '(':
            depth += 1
        elif c == ')':
            depth -= 1
            if depth == 0:
                break
        elif c == ',' and depth == 1:
            count += 1
        inside += c
    inside = inside.strip('( \n')
    return 0 if inside in ('', 'void') else count + 1


def deepest(body):
    """Control blocks open with ') {', 'else {' or 'do {'; other braces are initialisers."""
    stack, worst = [], 0
    for m in re.finditer(r'[{}]', body):
        if m.group(0) == '}':
            if stack:
                stack.pop()
            continue
        before = body[:m.start()]
        control = re.search(r'(\)\s|\belse\s|\bdo\s)\s*$', before) is not None
        stack.append(control)
        worst = max(worst, sum(stack))
    return worst


def find_functions(code):
    """Functions begin with a brace alone in the first column: clang-format sees to that."""
    lines = code.split('\n')
    functions, i = [], 0
    while i < len(lines):
        if lines[i] != '{':
            i += 1
            continue
        first = i
        while first > 0 and lines[first - 1].strip() and not re.search(r'[;}]\s*$', lines[first - 1]):
            first -= 1
        end = i
        while end + 1 < len(lines) and not lines[end].startswith('}'):
            end += 1
        head = '\n'.join(lines[first:i])
        if '(' in head:
            functions.append(Function(head, '\n'.join(lines[i:end + 1]), first + 1))
        i = end + 1
    return functions


def outside_functions(code):
    """The code with function bodies blanked."""
    out, inside = [], False
    for line in code.split('\n'):
        if line == '{':
            inside = True
            out.append('{}')
            continue
        out.append('' if inside else line)
        if inside and line.startswith('}'):
            inside = False
    return '\n'.join(out)


def file_scope_variables(code):
    """Yields (line, name) of file-scope objects that can change; best effort."""
    flat, depth, start = '', 0, 1
    line = 1
    for c in outside_functions(code):
        if c == '\n':
            line += 1
        if c == '{':
            depth += 1
        elif c == '}':
            depth -= 1
            if depth == 0 and not re.search(r'=\s*$', flat) and '=' not in flat and \
                    re.search(r'\)\s*$', flat):
                flat = ''       # the end of a function
                continue
        elif depth == 0:
            if c == ';':
                name = mutable(flat)
                if name:
                    yield start, name
                flat = ''
                continue
            if not flat.strip():
                flat, start = '', line
            flat += c


def mutable(declaration):
    """The name of the object that a file-scope declaration makes, if it can change."""
    text = ' '.join(declaration.split('=')[0].split())
    if not text or re.match(r'(typedef|extern|static_assert|_Static_assert|struct \w+$|union \w+$|'
                            r'enum\b(?! \w+ \*?\w))', text):
        return None
    pointer = re.match(r'[^(]*\(\s*\*(\s*const\b)?\s*(\w+)[^)]*\)\s*\(', text)
    if pointer:
        return None if pointer.group(1) else pointer.group(2)
    text = re.sub(r'__attribute__\s*\(\(.*?\)\)', '', re.sub(r'_Alignas\s*\([^)]*\)', '', text))
    if '(' in text:
        return None             # a prototype
    name = re.search(r'(\w+)\s*(\[[^]]*\]\s*)*$', text)
    if not name or ' ' not in text.strip():
        return None
    specifier = text[text.rindex('*'):] if '*' in text else text
    return None if re.search(r'\bconst\b', specifier) else name.group(1)


def static_locals(code):
    """Yields (line, name) of static objects inside functions that can change."""
    for m in re.finditer(r'^[ \t]+static\s+([^;={(]*)[;={]', code, re.M):
        name = mutable('static ' + m.group(1))
        if name:
            yield code.count('\n', 0, m.start()) + 1, name


class Lint:
    """One run over one tree."""

    def __init__(self, root, table=rules):
        self.root = root
        self.rules = table
        self.breaches = []
        self.functions = []     # (lines, where), and so on
        self.files = []
        self.headers = []
        self.parameters = []
        self.nestings = []

    def breach(self, path, line, what):
        self.breaches.append('%s:%d: %s' % (path, line, what))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as f:
            return f.read()

    def run(self):
        paths = list(find_files(self.root))
        for path in paths:
            name = os.path.basename(path)
            if path.endswith(SOURCE) or path.endswith(SCRIPT) or path.endswith(TEXT) or \
                    name in ('meson.build', 'meson_options.txt', 'dev'):
                text = self.read(path)
                self.check_words(path, text)
                if not path.endswith(TEXT) and name != 'meson_options.txt':
                    self.check_licence(path, text)
            if path.endswith(SOURCE):
                self.check_source(path, text)
        self.check_registration(paths)
        self.check_tables(paths)
        return self.breaches

    def check_words(self, path, text):
        if path in self.rules.WORD_EXCEPTIONS:
            return
        for pattern, why in self.rules.WORDS:
            for m in re.finditer(pattern, text):
                self.breach(path, text.count('\n', 0, m.start()) + 1,
                            '"%s": %s' % (m.group(0), why))

    def check_licence(self, path, text):
        if path.endswith(SOURCE):
            if not text.startswith('/* SPDX-License-Identifier: MIT'):
                self.breach(path, 1, 'first line is not the SPDX line')
        elif 'SPDX-License-Identifier: MIT' not in '\n'.join(text.split('\n')[:3]):
            self.breach(path, 1, 'no SPDX line')

    def check_source(self, path, text):
        code = strip(text)
        plain = without_macros(code)
        if not path.startswith('tests/') or not path.endswith('_test.c'):
            if not re.match(r'/\* SPDX[^\n]*\n \*\n \* %s — ' % re.escape(path), text):
                self.breach(path, 3, 'no purpose line " * %s — ..."' % path)
        self.check_includes(path, text)
        self.check_types(path, plain)
        self.check_sizes(path, text, plain)
        if path.endswith('.h') and '\n#pragma once\n' not in text:
            self.breach(path, 1, 'no #pragma once')
        if not path.startswith(self.rules.OUTSIDE_DAEMON):
            self.check_calls(path, plain)
            self.check_variables(path, plain)

    def check_includes(self, path, text):
        room = path.split('/')[0]
        for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
            line = text.count('\n', 0, m.start()) + 1
            if m.group(1) == '"':
                self.check_arrow(path, line, room, m.group(2))
            else:
                self.check_door(path, line, m.group(2))

    def check_arrow(self, path, line, room, header):
        if '/' not in header or '..' in header.split('/'):
            self.breach(path, line, '"%s" is not written from the root' % header)
            return
        # The tests of a room see its private headers, and so do fuzz entries: a decoder of foreign
        # octets may be private.
        seers = (os.path.dirname(header), 'tests/' + os.path.dirname(header), 'tests/fuzz')
        if header.endswith('_p.h') and os.path.dirname(path) not in seers:
            self.breach(path, line, '"%s" is private to %s/' % (header, os.path.dirname(header)))
        target = header.split('/')[0]
        if target == room:
            return
        if target == 'tests' or target == 'bench':
            self.breach(path, line, '"%s": no room includes %s/' % (header, target))
        elif target not in self.rules.ARROWS:
            self.breach(path, line, '"%s" is in no room' % header)
        elif room in self.rules.ARROWS and target not in self.rules.ARROWS[room]:
            self.breach(path, line, '"%s": no arrow from %s to %s' % (header, room, target))
        elif room not in self.rules.ARROWS and room not in self.rules.WATCHERS:
            self.breach(path, line, '%s/ is not a room' % room)

    def check_door(self, path, line, header):
        for pattern, doors in self.rules.DOORS:
            if re.fullmatch(pattern, header):
                if not any(path == d or d.endswith('/') and path.startswith(d) for d in doors):
                    self.breach(path, line, '<%s> stays behind %s' % (header, ', '.join(doors)))
                return
        if not re.fullmatch(re.sub(r'\s', '', self.rules.SYSTEM_HEADERS), header):
            self.breach(path, line, '<%s> is foreign and has no door' % header)

    def check_types(self, path, code):
        for m in re.finditer(r'\btypedef\b([^;{]*)[;{]', code):
            line = code.count('\n', 0, m.start()) + 1
            if not re.search(r'\(\s*\*\s*\w+\s*\)\s*\(', m.group(1)):
                self.breach(path, line, 'typedef of what is no function pointer')
            if re.search(r'\w_t\s*\)', m.group(1)) or re.search(r'\w_t\s*$', m.group(1)):
                self.breach(path, line, 'names in _t are the C library\'s')

    def check_sizes(self, path, text, code):
        lines = text.count('\n')
        limit = self.rules.HEADER_LINES_MAX if path.endswith('.h') else self.rules.FILE_LINES_MAX
        (self.headers if path.endswith('.h') else self.files).append((lines, path))
        self.check_limit(path, '', 1, lines, limit, 'lines')
        for f in find_functions(code):
            where = '%s:%d %s' % (path, f.line, f.name)
            self.functions.append((f.lines, where))
            self.parameters.append((f.parameters, where))
            self.nestings.append((f.nesting, where))
            r = self.rules
            self.check_limit(path, f.name, f.line, f.lines, r.FUNCTION_LINES_MAX, 'lines')
            self.check_limit(path, f.name, f.line, f.parameters, r.PARAMETERS_MAX, 'parameters')
            self.check_limit(path, f.name, f.line, f.nesting, r.NESTING_MAX, 'levels')

    def check_limit(self, path, name, line, value, limit, unit):
        if (path, name) in self.rules.SIZE_EXCEPTIONS:
            limit = max(limit, self.rules.SIZE_EXCEPTIONS[path, name][0])
        if value > limit:
            self.breach(path, line, '%s%d %s, the limit is %d' %
                        (name + ': ' if name else '', value, unit, limit))

    def check_calls(self, path, code):
        for names, doors, why in self.rules.CALLS:
            if any(path == d or d.endswith('/') and path.startswith(d) for d in doors):
                continue
            for m in re.finditer(r'(?<![\w.>])(%s)\s*\(' % names, code):
                if (path, m.group(1)) not in self.rules.CALL_EXCEPTIONS:
                    self.breach(path, code.count('\n', 0, m.start()) + 1,
                                '%s(): %s' % (m.group(1), why))

    def check_variables(self, path, code):
        found = list(file_scope_variables(code)) + list(static_locals(code))
        for line, name in found:
            if (path, name) not in self.rules.VARIABLE_EXCEPTIONS:
                self.breach(path, line, '%s: an object outside of all functions, or static in one, '
                            'that is not const' % name)

    def meson_lists(self, folder, name):
        """Whether FILE is listed in its folder's meson.build or one above it."""
        while True:
            path = os.path.join(folder, 'meson.build')
            if os.path.exists(os.path.join(self.root, path)):
                text, rel = self.read(path), os.path.relpath(name, folder or '.')
                stem = re.sub(r'_\w+\.c$', '', rel)     # 'name' ... + '_fuzz.c'
                if "'%s'" % rel in text or "'%s'" % stem in text and "'%s'" % rel[len(stem):] in text:
                    return True
            if not folder:
                return False
            folder = os.path.dirname(folder)

    def check_registration(self, paths):
        for path in paths:
            if not path.endswith('.c'):
                continue
            room = path.split('/')[0]
            if not self.meson_lists(os.path.dirname(path), path):
                self.breach(path, 1, 'listed in no meson.build')
            if room not in self.rules.ARROWS or path in self.rules.UNTESTED:
                continue
            test = 'tests/' + self.rules.TESTED_BY.get(path, path[:-2] + '_test.c')
            if test not in paths:
                self.breach(path, 1, 'has no %s, and is not excepted in tests/lint/rules.py' % test)

    def check_tables(self, paths):
        """Exceptions of what is gone are removed with it."""
        r = self.rules
        named = [k[0] for k in r.CALL_EXCEPTIONS] + [k[0] for k in r.VARIABLE_EXCEPTIONS] + \
                [k[0] for k in r.SIZE_EXCEPTIONS] + list(r.UNTESTED) + list(r.TESTED_BY) + \
                list(r.WORD_EXCEPTIONS)
        for path in sorted(set(named)):
            if path not in paths:
                self.breach('tests/lint/rules.py', 1, 'excepts %s, which is not there' % path)
        for path in list(r.UNTESTED) + list(r.TESTED_BY):
            if 'tests/' + path[:-2] + '_test.c' in paths:
                self.breach('tests/lint/rules.py', 1, '%s has a test: no exception' % path)

    def print_longest(self):
        for title, found in (('functions by lines', self.functions), ('sources by lines', self.files),
                             ('headers by lines', self.headers),
                             ('functions by parameters', self.parameters),
                             ('functions by nesting', self.nestings)):
            print('longest %s:' % title)
            for value, where in sorted(found, key=lambda x: (-x[0], x[1]))[:10]:
                print('  %5d  %s' % (value, where))
        lengths = sorted(x[0] for x in self.functions)
        if lengths:
            print('%d functions, median %d lines' % (len(lengths), lengths[len(lengths) // 2]))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else \
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    lint = Lint(root)
    breaches = lint.run()
    lint.print_longest()
    for b in breaches:
        print(b)
    print('lint: %d breaches' % len(breaches))
    return 1 if breaches else 0


if __name__ == '__main__':
    sys.exit(main())
