/* SPDX-License-Identifier: MIT
 *
 * zonestore/check.c — telling what a check finds. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "zonestore/check_p.h"

struct teller teller_of(const struct check_sink *sink, const char *what)
{
	return (struct teller){ .sink = sink,
		                .what = what,
		                .next_ns = env_mono_ns(sink->env) + CHECK_TELL_S * NS_PER_S };
}

static void tell(struct teller *t, const char *format, va_list args)
{
	char line[CHECK_LINE_MAX];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s: ", t->what);

	vsnprintf(line + len, sizeof(line) - len, format, args);
	if (!t->deaf && !t->sink->tell(t->sink->self, line)) {
		t->deaf = true;
	}
}

void teller_find(struct teller *t, const char *format, ...)
{
	va_list args;

	t->findings++;
	if (t->findings <= CHECK_TOLD_MAX) {
		va_start(args, format);
		tell(t, format, args);
		va_end(args);
	}
	if (t->findings == CHECK_TOLD_MAX) {
		teller_say(t, "there is more, which is counted only");
	}
}

void teller_say(struct teller *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(t, format, args);
	va_end(args);
}

bool teller_goes_on(struct teller *t, uint64_t done, const char *of_what)
{
	uint64_t now;

	if (done % CHECK_LOOK_EVERY != 0 || t->deaf) {
		return !t->deaf;
	}
	now = env_mono_ns(t->sink->env);
	t->deaf = !t->sink->tell(t->sink->self, NULL);
	if (now >= t->next_ns) {
		teller_say(t, "%" PRIu64 " %s so far", done, of_what);
		t->next_ns = now + CHECK_TELL_S * NS_PER_S;
	}
	return !t->deaf;
}

enum err teller_result(const struct teller *t)
{
	if (t->deaf) {
		return ERR_STOPPING;
	}
	return t->findings > 0 ? ERR_STORE_CORRUPT : ERR_OK;
}
