/* SPDX-License-Identifier: MIT
 *
 * control/config_plain.c — long lists of zones that differ in nothing but the name.
 *
 * libyaml takes two microseconds for an entry, which is two seconds for a million. Entries that stand
 * one below the other and are the same octets but for the name say the same but for the name. So of
 * such a run the first and the last are left to libyaml, and those between them are read here:
 *
 *	- {name: a.example, template: hosted}      read as YAML
 *	- {name: b.example, template: hosted}      read here, blank for YAML
 *	- {name: c.example, template: hosted}      read as YAML, with what may follow it
 *
 * That the first is an entry of the list of zones, whole on its own lines, is what libyaml must say
 * when it comes to that line; that each in between ends before the next begins is seen from the next.
 * If anything is not as it should be, or any error is found, all is read again as YAML alone: then
 * errors are what they always are. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/digest.h"
#include "control/config_plain_p.h"

#define RUN_LEAST 8 /* entries: fewer are not worth it */

/* The octets around the name of an entry. */
struct plain_form {
	const char *name_comes; /* after the indentation */
	const char *after_name; /* before the template's name */
	const char *end;        /* after it */
	unsigned lines;
};

static const struct plain_form forms[] = {
	{ "- {name: ", ", template: ", "}\n", 1 },
	{ "- {name: \"", "\", template: ", "}\n", 1 },
	{ "- {\"name\": \"", "\", \"template\": \"", "\"}\n", 1 },
	{ "{\"name\": \"", "\", \"template\": \"", "\"},\n", 1 },
	{ "- name: ", "\n", "\n", 2 }, /* the second line has its own check */
};

/* One entry of the text. */
struct plain_entry {
	struct bytes head; /* the indentation, and what comes before the name */
	struct bytes name;
	struct bytes tail; /* up to the end of its last line */
	unsigned lines;
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

static size_t word_len(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && is_word(*at)) {
		at++;
	}
	return (size_t)(at - from);
}

/* A name that is text in YAML as it stands; what it is worth as a name is judged later. */
static size_t name_len(const char *at, const char *end)
{
	size_t len = word_len(at, end);

	if (len == 0 || *at == '-' || *at == '.' || (len == 4 && memcmp(at, "null", 4) == 0)) {
		return 0;
	}
	return len;
}

static bool text_take(const char **at, const char *end, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(end - *at) < len || memcmp(*at, text, len) != 0) {
		return false;
	}
	*at += len;
	return true;
}

/* After the name: the template, and the end of the entry. */
static bool tail_take(const char **at, const char *end, const struct plain_form *form,
                      size_t indent)
{
	size_t len;

	if (!text_take(at, end, form->after_name)) {
		return false;
	}
	if (form->lines == 2) {
		/* As far to the right as "name" on the line above, no more and no less. */
		for (size_t i = 0; i < indent + 2; i++) {
			if (!text_take(at, end, " ")) {
				return false;
			}
		}
		if (!text_take(at, end, "template: ")) {
			return false;
		}
	}
	len = word_len(*at, end);
	*at += len;
	return len > 0 && text_take(at, end, form->end);
}

/* Reads the entry that begins with the line at `from`; false if it is in none of the forms. */
static bool entry_read(const char *from, const char *end, struct plain_entry *out)
{
	size_t indent = 0;

	while (from + indent < end && from[indent] == ' ') {
		indent++;
	}
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const char *at = from + indent;
		const char *name;
		size_t len;

		if (!text_take(&at, end, forms[i].name_comes)) {
			continue;
		}
		name = at;
		len = name_len(at, end);
		at += len;
		if (len > 0 && tail_take(&at, end, &forms[i], indent)) {
			*out = (struct plain_entry){
				bytes_of(from, (size_t)(name - from)), bytes_of(name, len),
				bytes_of(name + len, (size_t)(at - name) - len), forms[i].lines
			};
			return true;
		}
	}
	return false;
}

/* Reads an entry like `like` at `*at`, and passes over it. */
static bool entry_like(const char **at, const char *end, const struct plain_entry *like,
                       struct bytes *name)
{
	const char *p = *at;
	size_t len;

	if ((size_t)(end - p) < like->head.len || memcmp(p, like->head.at, like->head.len) != 0) {
		return false;
	}
	p += like->head.len;
	len = name_len(p, end);
	if (len == 0 || (size_t)(end - p) < len + like->tail.len ||
	    memcmp(p + len, like->tail.at, like->tail.len) != 0) {
		return false;
	}
	*name = bytes_of(p, len);
	*at = p + len + like->tail.len;
	return true;
}

static const char *line_after(const char *at, const char *end)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));

	return stop == NULL ? end : stop + 1;
}

static void run_add(struct plain *p, struct plain_run run)
{
	if (p->run_count == p->run_cap) {
		p->run_cap = p->run_cap == 0 ? 16 : 2 * p->run_cap;
		p->runs = mem_grow(p->runs, p->run_cap * sizeof(*p->runs));
	}
	p->runs[p->run_count++] = run;
}

/* Finds the run that begins with an entry at `from`; returns its end, or `from` if it is too short. */
static const char *run_find(struct plain *p, const char *from, const char *end, uint32_t *line)
{
	struct plain_entry first;
	struct plain_run run = { .line = *line };
	const char *at;
	struct bytes name;
	uint32_t count = 1;

	if (!entry_read(from, end, &first)) {
		return from;
	}
	run.lines = first.lines;
	at = (const char *)first.tail.at + first.tail.len;
	run.from = at;
	while (entry_like(&at, end, &first, &name)) {
		run.to = at - first.head.len - name.len - first.tail.len;
		count++;
	}
	if (count < RUN_LEAST) {
		return from;
	}
	/* The last one stays: what stands below it may belong to it. */
	run.count = count - 2;
	run.head = first.head;
	run.tail = first.tail;
	*line += count * first.lines;
	run_add(p, run);
	return at;
}

/* Copies the text with runs made blank. */
static void text_reduce(struct plain *p, struct bytes text)
{
	const char *at = (const char *)text.at;
	const char *end = at + text.len;
	char *to = mem_new(text.len + 1);

	p->reduced = to;
	for (size_t i = 0; i < p->run_count; i++) {
		const struct plain_run *run = &p->runs[i];
		size_t lines = (size_t)run->count * run->lines;

		memcpy(to, at, (size_t)(run->from - at));
		to += run->from - at;
		memset(to, '\n', lines);
		to += lines;
		at = run->to;
	}
	memcpy(to, at, (size_t)(end - at));
	to += end - at;
	*to = '\0';
	p->reduced_len = (size_t)(to - p->reduced);
}

bool plain_find(struct plain *p, struct bytes text)
{
	const char *at = (const char *)text.at;
	const char *end = at + text.len;
	uint32_t line = 1;

	*p = (struct plain){ 0 };
	while (at < end) {
		const char *after = run_find(p, at, end, &line);

		if (after == at) {
			after = line_after(at, end);
			line++;
		}
		at = after;
	}
	if (p->run_count > 0) {
		text_reduce(p, text);
	}
	return p->run_count > 0;
}

bool plain_next(struct plain *p, uint32_t line, const struct plain_run **out)
{
	if (p->run_next == p->run_count || p->runs[p->run_next].line != line) {
		return false;
	}
	*out = &p->runs[p->run_next++];
	return true;
}

void plain_each(const struct plain_run *run, void *self,
                void (*name_fn)(void *self, uint32_t line, struct bytes name))
{
	struct plain_entry like = { .head = run->head, .tail = run->tail, .lines = run->lines };
	const char *at = run->from;
	uint32_t line = run->line;
	struct bytes name;

	while (at < run->to && entry_like(&at, run->to, &like, &name)) {
		line += run->lines;
		name_fn(self, line, name);
	}
}

bool plain_all_read(const struct plain *p)
{
	return p->run_next == p->run_count;
}

void plain_fini(struct plain *p)
{
	if (p->reduced != NULL) {
		secret_wipe(p->reduced, p->reduced_len);
	}
	free(p->reduced);
	free(p->runs);
	*p = (struct plain){ 0 };
}
