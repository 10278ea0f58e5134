# SPDX-License-Identifier: MIT
"""tests/lint/rules.py: what the lint allows, as tables. Every exception names its reason.

Rooms and arrows are ARCHITECTURE.md's; limits and words are the style guide's.
"""

# Room -> rooms whose headers it may include, besides its own.
ARROWS = {
    'base': set(),
    'dns': {'base'},
    'ring': {'base'},
    'proto': {'base'},
    'zonestore': {'base', 'dns'},
    'transfer': {'base', 'dns', 'ring', 'proto', 'zonestore'},
    'answer': {'base', 'dns', 'ring', 'proto', 'zonestore'},
    'cluster': {'base', 'dns', 'ring', 'proto', 'zonestore'},
    'control': {'base', 'dns', 'ring'},
    'daemon': {'base', 'dns', 'ring', 'proto', 'zonestore', 'transfer', 'answer', 'cluster',
               'control'},
}
# These look at every room; no room looks at them (tests/ may include tests/).
WATCHERS = {'tests', 'bench'}

# Foreign headers and the only places that may include them (a folder ends in '/').
DOORS = [
    (r'liburing(\.h|/.*)', ['ring/']),
    (r'openssl/.*', ['dns/hmac.c', 'ring/tls.c', 'base/digest.c']),
    (r'lmdb\.h', ['zonestore/']),
    (r'protobuf-c/.*', ['proto/']),
    (r'xxhash\.h', ['base/']),
    (r'microhttpd\.h', ['control/']),
    (r'jansson\.h', ['control/']),
    (r'yaml\.h', ['control/']),
    (r'cyaml/.*', ['control/']),
    (r'curl/.*', ['control/']),
    (r'urcu.*', ['base/', 'zonestore/']),
    (r'criterion/.*', ['tests/']),
]

# Headers of the C library and the kernel. Anything else in <> is foreign and needs a door.
SYSTEM_HEADERS = r'''(aio|arpa/\w+|assert|ctype|dirent|endian|errno|execinfo|fcntl|float|fnmatch|ftw|
getopt|glob|grp|ifaddrs|inttypes|libgen|limits|linux/\w+|locale|malloc|math|net/\w+|netdb|netinet/\w+|
poll|pthread|pwd|sched|semaphore|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|
spawn|stdlib|stdnoreturn|string|strings|sys/\w+|syslog|termios|threads|time|unistd)\.h'''

# Calls that reach for the world. Regular expression of the name -> where they may stand.
CALLS = [
    (r'time|clock_gettime|clock|gettimeofday|timespec_get|localtime|localtime_r',
     ['base/env.c'], 'time comes from struct env'),
    (r'getrandom|getentropy|rand|srand|random|srandom|rand_r|drand48|arc4random\w*',
     ['base/env.c'], 'randomness comes from struct env'),
    (r'socket|socketpair|connect|bind|listen|accept4?|sendto|sendmsg|sendmmsg|recv|recvfrom|'
     r'recvmsg|recvmmsg|getaddrinfo|gethostbyname',
     ['ring/'], 'the network is ring/'),
    (r'open|openat|creat|fopen|fdopen|freopen|opendir|mkstemp|tmpfile',
     ['ring/', 'zonestore/guard.c', 'zonestore/journal_lmdb.c', 'zonestore/lmdb_written.c'], 'files are opened at their doors'),
    (r'sleep|usleep|nanosleep|clock_nanosleep', [], 'waiting is a timer'),
    (r'alloca|strcpy|strcat|sprintf|vsprintf|gets|strtok|system|popen|signal|atoi|atol|atof',
     [], 'unsafe or unchecked'),
]

# (path, call) -> reason.
CALL_EXCEPTIONS = {
    ('daemon/process.c', 'socket'): 'one datagram to the service manager, before and after the turns',
    ('daemon/process.c', 'sendto'): 'one datagram to the service manager, before and after the turns',
    ('control/config_file.c', 'open'): 'the door of configuration files, behind struct config_host',
    ('control/ctl_config.c', 'fopen'): 'axfarmctl is a program of its own, not the daemon',
    ('control/ctl_http.c', 'socket'): 'axfarmctl is a program of its own, not the daemon',
    ('control/ctl_http.c', 'connect'): 'axfarmctl is a program of its own, not the daemon',
    ('control/control_socket.c', 'socket'): 'the control socket has threads of its own, no ring',
    ('control/control_socket.c', 'connect'): 'asks whether a stale control socket is alive',
    ('control/control_socket.c', 'bind'): 'the control socket has threads of its own, no ring',
    ('control/control_socket.c', 'listen'): 'the control socket has threads of its own, no ring',
}

# Folders whose code stands outside of the rules on calls and file-scope variables: they are not the
# daemon. Sizes, headers and words are checked there as everywhere.
OUTSIDE_DAEMON = ('tests/', 'bench/')

# (path, variable) -> reason.
VARIABLE_EXCEPTIONS = {
    ('ring/uring.c', 'running'): 'which ring this thread runs: mails go from ring to ring',
    ('base/env.c', 'block'): 'cache of the system\'s randomness, per thread',
    ('base/env.c', 'left'): 'cache of the system\'s randomness, per thread',
}

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 900
HEADER_LINES_MAX = 200
PARAMETERS_MAX = 5
NESTING_MAX = 3

# (path, function or '') -> (limit, reason). Two or three entries, ever.
SIZE_EXCEPTIONS = {
    ('control/http.c', 'http_answer'): (8, 'libmicrohttpd says what its callback takes'),
    ('base/bytes.h', ''): (240, 'readers and writers are inline, and one family'),
    ('ring/io.h', ''): (260, 'the one interface of two worlds; half of it says who owns what'),
}

# Sources that are private parts of one interface -> the test of that interface, below tests/.
TESTED_BY = {
    'answer/referral.c': 'answer/answer_test.c',
    'ring/buffers.c': 'ring/uring_test.c',
    'zonestore/lmdb_read.c': 'zonestore/journal_lmdb_test.c',
    'zonestore/lmdb_written.c': 'zonestore/lmdb_log_test.c',
    'zonestore/lmdb_zones.c': 'zonestore/lmdb_hot_test.c',
    'ring/io.c': 'ring/uring_test.c',
    'ring/sim_node.c': 'ring/sim_test.c',
    'ring/sim_tcp.c': 'ring/sim_test.c',
    'ring/sim_udp.c': 'ring/sim_test.c',
    'ring/sockets.c': 'ring/uring_test.c',
    'ring/tcp.c': 'ring/uring_test.c',
    'ring/udp.c': 'ring/uring_test.c',
    'dns/rdata_bitmap.c': 'dns/rdata_test.c',
    'zonestore/disk_run.c': 'zonestore/store_test.c',
    'zonestore/lmdb_walk.c': 'zonestore/load_test.c',
    'zonestore/commit.c': 'zonestore/versions_test.c',
    'zonestore/reset.c': 'zonestore/load_test.c',
    'zonestore/restore.c': 'zonestore/versions_test.c',
    'dns/rdata_fields.c': 'dns/rdata_test.c',
    'dns/rdata_forms.c': 'dns/rdata_test.c',
    'dns/rdata_loc.c': 'dns/rdata_test.c',
    'dns/rdata_numbers.c': 'dns/rdata_test.c',
    'dns/rdata_text.c': 'dns/rdata_test.c',
    'transfer/attempt.c': 'transfer/refresh_test.c',
    'transfer/pull.c': 'transfer/refresh_test.c',
    'transfer/conn_learn.c': 'transfer/conn_test.c',
    'transfer/refresh_events.c': 'transfer/refresh_test.c',
    'transfer/refresh_report.c': 'transfer/refresh_test.c',
    'zonestore/buffer.c': 'zonestore/body_test.c',
    'zonestore/cursor.c': 'zonestore/builder_test.c',
    'zonestore/check_journal.c': 'zonestore/check_test.c',
    'zonestore/check_memory.c': 'zonestore/check_test.c',
    'zonestore/tally.c': 'zonestore/check_test.c',
    'zonestore/merge.c': 'zonestore/builder_test.c',
    'zonestore/node.c': 'zonestore/find_test.c',
    'zonestore/owner.c': 'zonestore/builder_test.c',
    'zonestore/tree_writer.c': 'zonestore/builder_test.c',
    'control/control_socket.c': 'control/control_test.c',
    'control/ctl_call.c': 'control/axfarmctl_test.c',
    'control/ctl_primary.c': 'control/axfarmctl_test.c',
    'control/ctl_status.c': 'control/axfarmctl_test.c',
    'control/ctl_store.c': 'control/axfarmctl_test.c',
    'control/ctl_versions.c': 'control/axfarmctl_test.c',
    'control/ctl_zone.c': 'control/axfarmctl_test.c',
}

# Sources without a unit test -> reason.
UNTESTED = {
    'daemon/apply.c': 'wiring of a whole daemon: reload scenarios of tests/interop/lifecycle.py',
    'daemon/dispatch.c': 'wiring of a whole daemon: every scenario of tests/interop',
    'daemon/main.c': 'wiring of a whole daemon: every scenario of tests/interop',
    'daemon/ops.c': 'wiring of a whole daemon: axfarmctl in every scenario of tests/interop',
    'daemon/ops_primaries.c': 'wiring of a whole daemon: tests/interop/lifecycle.py',
    'daemon/ops_store.c': 'wiring of a whole daemon: tests/interop/versions.py',
    'daemon/ops_versions.c': 'wiring of a whole daemon: tests/interop/versions.py',
    'daemon/server.c': 'wiring of a whole daemon: every scenario of tests/interop',
    'daemon/shard.c': 'wiring of a whole daemon: every scenario of tests/interop',
    'daemon/verify.c': 'runs the program itself: tests/interop/versions.py',
}

# Words that never stand in sources, and files that may use them all the same.
WORDS = [
    (r'(?i)\b(?!hostmaster|postmaster|webmaster)\w*master\w*\b', 'say primary'),
    (r'(?i)\b\w*slave\w*\b', 'say secondary'),
    (r'\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))', 'needs an issue number: TODO(#12)'),
    (r'(?<![\w/])/(home|root|work)/[\w.]', 'a path of one machine'),
]
WORD_EXCEPTIONS = {
    'tests/lint/rules.py': 'names the words',
    'tests/lint/lint_test.py': 'names the words',
    'tests/interop/peers.py': 'settings of other servers',
}
