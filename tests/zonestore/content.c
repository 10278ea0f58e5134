/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/content.c — zones made of their number and serial. */
#include "tests/zonestore/content.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "content: %s\n", what);
		abort();
	}
}

void content_apex(unsigned index, struct name_buf *out)
{
	char text[64];

	snprintf(text, sizeof(text), "Zone%u.example.", index);
	must(name_parse(bytes_str(text), NULL, out) == ERR_OK, text);
}

static void add_line(struct builder *b, const char *line, struct rr_scratch *scratch)
{
	struct rr rr;

	must(rr_parse(bytes_str(line), NULL, 300, scratch, &rr) == ERR_OK, line);
	must(builder_add(b, &rr) == ERR_OK, line);
}

struct snapshot *content_version(struct pool *pool, unsigned index, uint32_t serial,
                                 unsigned filling)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct builder_origin origin = { SNAPSHOT_BY_AXFR, { 0 }, 1700000000 };
	struct builder_options options = { .pool = pool };
	struct snapshot *snap = NULL;
	struct name_buf apex;
	struct builder *b;
	char line[160];

	content_apex(index, &apex);
	options.apex = name_of(&apex);
	b = builder_new(&options);
	snprintf(line, sizeof(line),
	         "zone%u.example. SOA ns.zone%u.example. mail.example. %u 60 10 600 60", index,
	         index, serial);
	add_line(b, line, scratch);
	snprintf(line, sizeof(line), "zone%u.example. NS ns.example.", index);
	add_line(b, line, scratch);
	snprintf(line, sizeof(line), "serial.zone%u.example. TXT \"%u\"", index, serial);
	add_line(b, line, scratch);
	snprintf(line, sizeof(line), "count.zone%u.example. TXT \"%u\"", index, filling);
	add_line(b, line, scratch);
	for (unsigned i = 0; i < filling; i++) {
		snprintf(line, sizeof(line), "f%05u.zone%u.example. A 10.%u.%u.%u", i, index,
		         index & 255, i >> 8 & 255, i & 255);
		add_line(b, line, scratch);
	}
	must(builder_freeze(b, &origin, &snap) == ERR_OK, "freeze");
	builder_free(b);
	free(scratch);
	return snap;
}

/* The number in the TXT record at `label` below the apex; UINT64_MAX if there is none. */
static uint64_t number_at(const struct snapshot *snap, const char *label)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct name apex = snapshot_apex(snap);
	struct owner_view owner;
	struct rrset_reader r;
	struct name_buf name;
	struct rrset set;
	struct bytes rdata;
	char text[16] = "";
	uint64_t number = UINT64_MAX;

	if (name_parse(bytes_str(label), &apex, &name) == ERR_OK &&
	    snapshot_owner(snap, name_of(&name), &owner) &&
	    owner_rrset(&owner, TYPE_TXT, 0, &set)) {
		r = rrset_read(&set);
		if (rrset_next(&r, scratch, &rdata) && rdata.len > 1 && rdata.len < sizeof(text)) {
			memcpy(text, rdata.at + 1, rdata.len - 1);
			number = strtoul(text, NULL, 10);
		}
	}
	free(scratch);
	return number;
}

bool content_whole(const struct snapshot *snap, unsigned index)
{
	struct snapshot_cursor *cursor = mem_new(sizeof(*cursor));
	struct snapshot_facts facts;
	struct name_buf apex;
	struct rrset set;
	uint32_t records = 1; /* the SOA */

	snapshot_facts(snap, &facts);
	content_apex(index, &apex);
	snapshot_cursor_init(cursor, snap);
	while (snapshot_cursor_next(cursor, &set)) {
		records += set.count;
	}
	free(cursor);
	return name_equal(snapshot_apex(snap), name_of(&apex)) && records == facts.records &&
	       number_at(snap, "serial") == facts.source_serial.n &&
	       number_at(snap, "count") + CONTENT_RECORDS == records;
}
