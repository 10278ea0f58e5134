/* SPDX-License-Identifier: MIT
 *
 * daemon/main.c — axfarmd: start, signals, stop. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "control/control.h"
#include "daemon/daemon_p.h"
#include "daemon/process_p.h"
#include "daemon/verify_p.h"
#include "ring/uring.h"
#include "zonestore/journal_lmdb.h"

#define EXIT_NO         1    /* could not start or run */
#define EXIT_MISUSE     2    /* wrong arguments */
#define ADDRESS_WAIT_MS 3000 /* for a process that just died to let go of its addresses */
#define ADDRESS_LOOK_MS 20
#define WHY_MAX         512

#define MALLOC_LARGE_BYTES (128 << 10)
#define MALLOC_ARENAS      2

static const char usage[] =
	"axfarmd " AXFARM_VERSION " - keeps secondary DNS zones in step with their primaries\n"
	"\n"
	"usage: axfarmd -c FILE [--check]\n"
	"       axfarmd -c FILE --check-store\n"
	"       axfarmd --check-database FOLDER\n"
	"       axfarmd --version | --help\n"
	"\n"
	"  -c, --config FILE   the configuration (axfarm.yaml(5))\n"
	"      --check         read the configuration, say what is wrong with it, and end\n"
	"      --check-store   verify all that the database has, whether or not a daemon uses it, "
	"and\n"
	"                      end with 0 if it is clean, 1 if not, 2 if that could not be found "
	"out\n"
	"      --check-database FOLDER\n"
	"                      read all of a database that nobody uses, and end with 3 if it is\n"
	"                      damaged (or die of it)\n"
	"  -V, --version       print the version and end\n"
	"  -h, --help          print this and end\n"
	"\n"
	"Runs in the foreground and logs to standard error. SIGHUP reads the configuration again;\n"
	"SIGTERM and SIGINT end it. See axfarmd(8), and axfarmctl(1) for talking to it.\n";

struct arguments {
	const char *config_path;
	const char *database_path; /* to be checked */
	const char *verify_path;   /* to be verified */
	bool check;
	bool check_store;
};

/* Reads the command line. Below 0: go on; else the status to exit with. */
static int arguments_read(int argc, char **argv, struct arguments *out)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'C' },
		{ "check-database", required_argument, NULL, 'D' },
		{ "check-store", no_argument, NULL, 'S' },
		{ "verify-database", required_argument, NULL, 'W' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			out->config_path = optarg;
			break;
		case 'C':
			out->check = true;
			break;
		case 'D':
			out->database_path = optarg;
			break;
		case 'S':
			out->check_store = true;
			break;
		case 'W':
			out->verify_path = optarg;
			break;
		case 'V':
			puts("axfarmd " AXFARM_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_MISUSE;
		}
	}
	if ((out->config_path == NULL && out->database_path == NULL && out->verify_path == NULL) ||
	    optind < argc) {
		fputs(usage, stderr);
		return EXIT_MISUSE;
	}
	return -1;
}

static struct config *config_read_or_tell(const char *path)
{
	struct config_errors *errors = mem_zero(1, sizeof(*errors));
	struct config *config = mem_zero(1, sizeof(*config));

	if (config_load(path, config, errors) != ERR_OK) {
		free(config);
		config = NULL;
	}
	config_errors_print(errors, stderr);
	free(errors);
	return config;
}

static int check(const char *path)
{
	struct config *config = config_read_or_tell(path);

	if (config == NULL) {
		return EXIT_NO;
	}
	printf("%s: ok: %zu zones, %zu primaries, %zu keys\n", path, config->zone_count,
	       config->primary_count, config->key_count);
	config_fini(config);
	free(config);
	return EXIT_SUCCESS;
}

static int check_store(const char *path)
{
	struct config *config = config_read_or_tell(path);
	int status;

	if (config == NULL) {
		return EXIT_MISUSE;
	}
	status = verify_alone(config->database_path);
	config_fini(config);
	free(config);
	return status;
}

static unsigned worker_count(const struct config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = config->workers != 0 ? config->workers : cores > 0 ? (unsigned)cores : 1;

	return count < SHARDS_MAX ? count : SHARDS_MAX;
}

/* Reading the database keeps every core busy, and the shards answer beside it. */
static unsigned loader_count(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : cores < STORE_LOADERS_MAX ? (unsigned)cores : STORE_LOADERS_MAX;
}

static void *disk_main(void *arg)
{
	struct daemon *d = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	store_run(d->store, daemon_loaded, d);
	return NULL;
}

void daemon_loaded(void *self)
{
	struct daemon *d = self;

	pthread_mutex_lock(&d->lock);
	d->store_ready = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	/* The main thread waits for signals; this one says that the engines may start. */
	kill(getpid(), SIGUSR1);
}

static enum err open_store(struct daemon *d, const struct config *config, char *why)
{
	struct journal_lmdb_options journal_options = {
		.path = config->database_path,
		.size_max_bytes = config->database_size_bytes,
		.check = process_check_database,
		.env = d->env,
	};
	struct pool_options pool_options = { .env = d->env, .epoch = d->epoch };
	struct store_options options = { .env = d->env,
		                         .events = &d->events,
		                         .epoch = d->epoch,
		                         .shard_count = d->shard_count,
		                         .engine_bytes = transfer_zone_bytes(),
		                         .loaders = loader_count(),
		                         .post = shard_post_task,
		                         .post_self = d };
	enum err e = journal_lmdb_new(&journal_options, &options.journal, why, WHY_MAX);

	if (e != ERR_OK) {
		return e;
	}
	if (why[0] != '\0') {
		EVENT(&d->events, EVENT_STORE_SET_ASIDE, F_STR("path", why));
		why[0] = '\0';
	}
	e = pool_new(&pool_options, &d->pool);
	if (e != ERR_OK) {
		snprintf(why, WHY_MAX, "cannot reserve address space for the store: %s",
		         err_text(e));
		options.journal->ops->free(options.journal);
		return e;
	}
	options.pool = d->pool;
	e = store_new(&options, &d->store);
	if (e != ERR_OK) {
		snprintf(why, WHY_MAX, "store: %s", err_text(e));
	}
	return e;
}

static void subscriber_publish(void *self, struct publish_event event)
{
	struct daemon *d = self;
	struct shard *s = &d->shards[zone_shard(event.zone)];

	if (zone_engine(event.zone) != NULL) {
		transfer_on_publish(s->transfer, event);
	}
}

static enum err start_control(struct daemon *d, const struct config *config, char *why)
{
	struct control_options options = { .socket_path = config->socket_path,
		                           .ops = &d->ops,
		                           .events = &d->events,
		                           .env = d->env };

	daemon_control_ops(d, &d->ops);
	return control_start(&options, &d->control, why);
}

/* Waits a moment, but not for somebody who wants us to stop. */
static bool wait_or_stop(unsigned ms)
{
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	return sigtimedwait(&stops, NULL, &ts) < 0;
}

/* The shards' sockets share their addresses, and would share them with another process, too. The kernel
 * ends the rings of a killed process a little later than the process, so a taken address is looked at
 * again for a while. */
static enum err address_free(const struct addr *at, char *why)
{
	char text[ADDR_TEXT_MAX];
	char reason[WHY_MAX / 2];
	enum err e = ERR_BUSY;

	for (unsigned ms = 0; ms <= ADDRESS_WAIT_MS; ms += ADDRESS_LOOK_MS) {
		e = uring_probe_address(at, reason, sizeof(reason));
		if (e == ERR_OK) {
			return ERR_OK;
		}
		snprintf(why, WHY_MAX, "server.listen: cannot listen on %s: %s",
		         addr_print(at, text), reason);
		if (e != ERR_BUSY) {
			return e;
		}
		if (!wait_or_stop(ADDRESS_LOOK_MS)) {
			return ERR_STOPPING;
		}
	}
	return e;
}

static enum err addresses_free(const struct config *config, char *why)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		TRY(address_free(&config->listen[i], why));
	}
	return ERR_OK;
}

/* Directories, sockets, privileges, store, control, zones: in the order in which each needs the
 * last. */
static enum err daemon_start(struct daemon *d, struct config *config, char *why)
{
	char dir[CONFIG_SOCKET_MAX_LEN + 1];

	TRY(daemon_prepare(d, config, why, WHY_MAX));
	TRY(uring_probe(why, WHY_MAX));
	TRY(addresses_free(config, why));
	snprintf(dir, sizeof(dir), "%s", config->socket_path);
	TRY(process_make_dir(dirname(dir), config->user, why, WHY_MAX));
	TRY(process_make_dir(config->database_path, config->user, why, WHY_MAX));
	d->shard_count = worker_count(config);
	if (shards_start(d) != ERR_OK) {
		snprintf(why, WHY_MAX, "%s", d->why);
		return d->start_err == ERR_OK ? ERR_SYSTEM : d->start_err;
	}
	TRY(process_drop(config->user, why, WHY_MAX));
	TRY(open_store(d, config, why));
	store_subscribe(d->store, (struct subscriber){ d, subscriber_publish });
	TRY(daemon_first_zones(d, why, WHY_MAX));
	shards_go(d);
	TRY(start_control(d, config, why));
	if (pthread_create(&d->disk_thread, NULL, disk_main, d) != 0) {
		snprintf(why, WHY_MAX, "cannot start a thread");
		return ERR_SYSTEM;
	}
	d->disk_started = true;
	for (size_t i = 0; i < config->listen_count; i++) {
		EVENT(&d->events, EVENT_LISTENING, F_ADDR("address", &config->listen[i]));
	}
	EVENT(&d->events, EVENT_STARTED, F_STR("version", AXFARM_VERSION),
	      F_UINT("workers", d->shard_count), F_UINT("zones", store_zone_count(d->store)));
	return ERR_OK;
}

static void reload(struct daemon *d)
{
	struct control_reload count;
	char why[WHY_MAX];

	process_notify("RELOADING=1");
	if (daemon_reload(d, &count, why, sizeof(why)) != ERR_OK) {
		process_notify("STATUS=the last configuration could not be applied");
	}
	process_notify("READY=1");
}

/* The disk thread said that it is done, or somebody else sent its signal. */
static void start_engines(struct daemon *d)
{
	enum err e;
	bool ready;

	pthread_mutex_lock(&d->lock);
	ready = d->store_ready;
	pthread_mutex_unlock(&d->lock);
	if (!ready || atomic_load(&d->loaded)) {
		return;
	}
	e = daemon_start_engines(d);
	if (e != ERR_OK) {
		EVENT(&d->events, EVENT_SYSTEM_FAILED, F_STR("what", "starting the zones"),
		      F_ERR("error", e));
	}
}

/* Waits for signals until one of them ends the daemon. Returns its name. */
static const char *serve(struct daemon *d, const sigset_t *signals)
{
	bool wants_reload = false;

	for (;;) {
		int sig = 0;
		if (sigwait(signals, &sig) != 0) {
			return "signals cannot be waited for";
		}
		if (sig == SIGHUP) {
			wants_reload = true;
		} else if (sig == SIGUSR1) {
			start_engines(d);
		} else {
			return sig == SIGINT ? "SIGINT" : "SIGTERM";
		}
		if (wants_reload && atomic_load(&d->loaded)) { /* else when it is */
			wants_reload = false;
			reload(d);
		}
	}
}

/* Control first (it asks the shards), then the shards (they ask the disk thread), then the disk: from
 * then on nothing changes any more. */
static void daemon_stop(struct daemon *d)
{
	control_stop(d->control);
	shards_stop(d);
	if (d->disk_started) {
		store_stop(d->store);
		pthread_join(d->disk_thread, NULL);
	}
}

static void daemon_free(struct daemon *d)
{
	shards_free(d);
	if (d->store != NULL) {
		daemon_drop_policies(d);
		store_free(d->store);
	}
	applied_free(atomic_load(&d->applied));
	epoch_free(d->epoch);
	if (DAEMON_FREES_ALL) {
		quotas_free(d->quotas); /* else engines that ended as they were have theirs */
	}
	if (d->pool != NULL) {
		pool_free(d->pool);
	}
	free(d);
}

static void daemon_init(struct daemon *d, const char *config_path, const struct config *config)
{
	pthread_condattr_t attr;

	d->config_path = config_path;
	d->env = env_system();
	events_init(&d->events, d->env, STDERR_FILENO);
	d->events.level = (int)config->log_level;
	d->events.format = (int)config->log_format;
	/* The journal of systemd has its own clock (systemd.exec(5), $JOURNAL_STREAM). */
	d->events.timestamps = getenv("JOURNAL_STREAM") == NULL;
	d->epoch = epoch_new();
	d->quotas = quotas_new();
	d->apply_slot = epoch_join(d->epoch);
	d->started_at_s = env_wall_s(d->env);
	pthread_rwlock_init(&d->apply_lock, NULL);
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
}

/* From here on signals wait until somebody waits for them: one that comes while the daemon starts is
 * not lost, nor does it end us. */
static void signals_block(sigset_t *signals)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void stop_at_once(int sig)
{
	(void)sig;
	_exit(EXIT_SUCCESS);
}

static void stops_handle(void (*handler)(int sig), int how)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	pthread_sigmask(how, &stops, NULL);
}

/* A large configuration takes a while, and until it is read there is nothing that a stop would have to
 * put in order. */
static struct config *config_read_first(const char *path)
{
	struct config *config;

	stops_handle(stop_at_once, SIG_UNBLOCK);
	config = config_read_or_tell(path);
	stops_handle(SIG_DFL, SIG_BLOCK);
	return config;
}

static int run(const char *config_path)
{
	struct config *config;
	struct daemon *d;
	char why[WHY_MAX] = "";
	sigset_t signals;
	int status;
	enum err e;

	signals_block(&signals);
	config = config_read_first(config_path);
	if (config == NULL) {
		return EXIT_NO;
	}
	process_raise_limits();
	d = mem_zero(1, sizeof(*d));
	daemon_init(d, config_path, config);
	e = daemon_start(d, config, why);
	if (e == ERR_OK) {
		process_notify("READY=1");
		const char *reason = serve(d, &signals);
		process_notify("STOPPING=1");
		EVENT(&d->events, EVENT_STOPPING, F_STR("reason", reason));
	} else if (e != ERR_STOPPING) {
		fprintf(stderr, "axfarmd: %s\n", why);
	}
	daemon_stop(d);
	if (e == ERR_OK) {
		EVENT(&d->events, EVENT_STOPPED, F_INT("pid", getpid()));
	}
	status = e == ERR_OK || e == ERR_STOPPING ? EXIT_SUCCESS : EXIT_NO;
	if (!DAEMON_FREES_ALL) {
		_exit(status); /* shards still wait to be freed */
	}
	daemon_free(d);
	return status;
}

/* What is large goes back to the system when it is freed, and threads share a few arenas: glibc would
 * raise the first limit by itself, and give every worker an arena of its own, in which what is left over
 * after a million transfers stays. */
static void malloc_settle(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MALLOC_LARGE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, MALLOC_LARGE_BYTES);
	(void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
}

int main(int argc, char **argv)
{
	struct arguments args = { 0 };
	int status = arguments_read(argc, argv, &args);

	malloc_settle();
	if (status >= 0) {
		return status;
	}
	if (args.database_path != NULL) {
		return process_database_checker(args.database_path);
	}
	if (args.verify_path != NULL) {
		return verify_database(args.verify_path);
	}
	if (args.check_store) {
		return check_store(args.config_path);
	}
	return args.check ? check(args.config_path) : run(args.config_path);
}
