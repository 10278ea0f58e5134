/* SPDX-License-Identifier: MIT
 *
 * tests/sim/main.c — runs seeds of the simulator: one, many, or as many as there is time for. */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "tests/sim/heap.h"
#include "tests/sim/run.h"

static const char usage[] =
	"usage: sim [OPTION...]\n"
	"  --seed N       one seed\n"
	"  --seeds A..B   those from A to B\n"
	"  --count N      N seeds, from 1 on (or from --seed); the default is 20\n"
	"  --minutes M    new seeds for so long\n"
	"  -v             what happens, with virtual times\n"
	"  --trace        a line for each seed, with a sum over all that happened\n"
	"  --twice        each seed twice: both must be the same\n"
	"  --sessions N   transfers at once from a primary\n"
	"  --plant NAME   plants a fault, which must be found: foreign, early, back, leak, stuck, "
	"heap\n"
	"A violation is printed with its seed, and the exit status is 1.\n";

struct plan {
	uint64_t first;
	uint64_t count; /* 0: until the time is over */
	uint64_t minutes;
	struct run_options run;
	bool trace;
	bool twice;
};

/* For the handler of signals, which has nothing else to go by. */
static volatile uint64_t seed_now;

/* ---- the seed is told whatever the program dies of ---- */

static size_t put_text(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return len;
}

static size_t put_number(char *at, uint64_t n)
{
	char digits[24];
	size_t len = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	for (size_t i = 0; i < len; i++) {
		at[i] = digits[len - 1 - i];
	}
	return len;
}

static void tell_seed(void)
{
	char line[160];
	size_t len = put_text(line, "\nDIED at seed ");

	len += put_number(line + len, seed_now);
	len += put_text(line + len, "\nreplay: ./dev sim --seed ");
	len += put_number(line + len, seed_now);
	len += put_text(line + len, " -v\n");
	(void)!write(STDOUT_FILENO, line, len);
}

static void on_signal(int number)
{
	tell_seed();
	raise(number); /* the handler was reset */
}

/* Of the sanitizers, where there are any. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void watch_death(void)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	if (__sanitizer_set_death_callback != NULL) {
		__sanitizer_set_death_callback(tell_seed);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		sigaction(signals[i], &act, NULL);
	}
}

/* ---- runs ---- */

static void fail(const struct plan *plan, uint64_t seed, const char *what)
{
	char again[64];

	run_again(&plan->run, again, sizeof(again));
	printf("VIOLATION seed %" PRIu64 ": %s\nreplay: ./dev sim --seed %" PRIu64 "%s -v\n", seed,
	       what, seed, again);
	exit(1);
}

static void run_once(const struct plan *plan, uint64_t seed, struct run_result *out)
{
	struct run_options options = plan->run;

	options.seed = seed;
	seed_now = seed;
	run_seed(&options, out);
}

static void run_one(const struct plan *plan, uint64_t seed, struct run_result *out)
{
	size_t before = heap_blocks();
	struct run_result again;

	run_once(plan, seed, out);
	if (heap_blocks() != before) {
		fail(plan, seed, "memory outlives the run");
	}
	if (plan->twice) {
		run_once(plan, seed, &again);
		if (again.trace != out->trace) {
			fail(plan, seed, "is not the same the second time");
		}
	}
	if (plan->trace || plan->run.verbose) {
		printf("seed %" PRIu64 ": trace %016" PRIx64
		       ", %u zones, %u primaries, %.0f s, %" PRIu64 " turns, %" PRIu64
		       " answers (%" PRIu64 " bad), %" PRIu64 " versions served, %" PRIu64
		       " audits, %u crashes, in step after %" PRIu64 " s\n",
		       seed, out->trace, out->zones, out->primaries, out->virtual_s, out->turns,
		       out->answers, out->faults, out->visible, out->audits, out->crashes,
		       out->calm_s);
	}
}

struct sums {
	uint64_t runs;
	uint64_t turns;
	uint64_t answers;
	uint64_t faults;
	uint64_t visible;
	uint64_t audits;
	uint64_t crashes;
	double virtual_s;
	uint64_t calm_s_max;
};

static void sums_add(struct sums *s, const struct run_result *r)
{
	s->runs++;
	s->turns += r->turns;
	s->answers += r->answers;
	s->faults += r->faults;
	s->visible += r->visible;
	s->audits += r->audits;
	s->crashes += r->crashes;
	s->virtual_s += r->virtual_s;
	s->calm_s_max = r->calm_s > s->calm_s_max ? r->calm_s : s->calm_s_max;
}

static void run_plan(const struct plan *plan)
{
	const struct env *env = env_system();
	uint64_t begun = env_mono_ns(env);
	uint64_t until = begun + plan->minutes * 60 * NS_PER_S;
	struct sums sums = { 0 };
	struct run_result r;
	double took_s;

	for (uint64_t i = 0; plan->count == 0 ? env_mono_ns(env) < until : i < plan->count; i++) {
		run_one(plan, plan->first + i, &r);
		sums_add(&sums, &r);
	}
	took_s = (double)(env_mono_ns(env) - begun) / (double)NS_PER_S;
	printf("%" PRIu64 " seeds in %.1f s (%.1f ms each): %.1f h of virtual time, %" PRIu64
	       " turns, %" PRIu64 " answers (%" PRIu64 " bad), %" PRIu64
	       " versions served, %" PRIu64 " looks at the disk, %" PRIu64
	       " crashes; in step after %" PRIu64 " s at most; no violation\n",
	       sums.runs, took_s, took_s * 1000 / (double)(sums.runs + (sums.runs == 0)),
	       sums.virtual_s / 3600, sums.turns, sums.answers, sums.faults, sums.visible,
	       sums.audits, sums.crashes, sums.calm_s_max);
}

/* ---- options ---- */

static bool number(const char *text, char **end, uint64_t *out)
{
	if (text == NULL || *text < '0' || *text > '9') {
		return false;
	}
	*out = strtoull(text, end, 10);
	return true;
}

static bool whole_number(const char *text, uint64_t *out)
{
	char *end;

	return number(text, &end, out) && *end == '\0';
}

static bool range(const char *text, struct plan *plan)
{
	uint64_t last;
	char *end;

	if (!number(text, &end, &plan->first) || strncmp(end, "..", 2) != 0 ||
	    !whole_number(end + 2, &last) || last < plan->first) {
		return false;
	}
	plan->count = last - plan->first + 1;
	return true;
}

static bool plant_named(const char *text, enum plant *out)
{
	for (enum plant p = PLANT_NONE; p < PLANTS; p++) {
		if (text != NULL && strcmp(text, plant_print(p)) == 0) {
			*out = p;
			return true;
		}
	}
	return false;
}

/* Reads an option that has an argument. */
static bool option_argument(const char *option, const char *argument, struct plan *plan)
{
	if (strcmp(option, "--seed") == 0) {
		plan->count = 1;
		return whole_number(argument, &plan->first);
	}
	if (strcmp(option, "--seeds") == 0) {
		return range(argument, plan);
	}
	if (strcmp(option, "--count") == 0) {
		return whole_number(argument, &plan->count);
	}
	if (strcmp(option, "--minutes") == 0) {
		plan->count = 0;
		plan->first = env_random_u32(env_system());
		return whole_number(argument, &plan->minutes);
	}
	if (strcmp(option, "--sessions") == 0) {
		uint64_t sessions = 0;
		bool read = whole_number(argument, &sessions);

		plan->run.sessions = (unsigned)sessions;
		return read && sessions <= UINT16_MAX;
	}
	return strcmp(option, "--plant") == 0 && plant_named(argument, &plan->run.plant);
}

static bool options_read(int argc, char **argv, struct plan *plan)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0) {
			plan->run.verbose = true;
		} else if (strcmp(argv[i], "--trace") == 0) {
			plan->trace = true;
		} else if (strcmp(argv[i], "--twice") == 0) {
			plan->twice = true;
		} else if (option_argument(argv[i], argv[i + 1], plan)) {
			i++;
		} else {
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	static char buffer[1U << 16];
	struct plan plan = { .first = 1, .count = 20 };

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	if (!options_read(argc, argv, &plan)) {
		fputs(usage, stderr);
		return 2;
	}
	watch_death();
	/* Runs take and give back the same again and again: the system need not hear of it. */
	mallopt(M_MMAP_THRESHOLD, 1 << 26);
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	if (plan.count == 1) {
		printf("seed %" PRIu64 "\n", plan.first);
	} else if (plan.count == 0) {
		printf("seeds from %" PRIu64 " on, for %" PRIu64 " min\n", plan.first,
		       plan.minutes);
	} else {
		printf("seeds %" PRIu64 " to %" PRIu64 "\n", plan.first,
		       plan.first + plan.count - 1);
	}
	fflush(stdout);
	run_plan(&plan);
	return 0;
}
