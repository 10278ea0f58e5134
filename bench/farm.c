/* SPDX-License-Identifier: MIT
 *
 * bench/farm.c — names and records out of numbers. */
#include "bench/farm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define LETTERS       26U
#define NUMBER_BASE   36U
#define PREFIX_LEN    5U /* letters that put delegations in order */
#define HOSTERS       5000U
#define PAIRS         8U      /* of name servers that a hoster's customers share */
#define KEY_OCTETS    294U    /* of a 2048-bit RSA public key */
#define POINTER_APEX  0xc00cU /* the question's name */
#define TTL_LONG      3600U
#define TTL_SHORT     300U
#define SOA_REFRESH_S 86400U

static const char *const words[] = {
	"alpen",  "auto",   "bau",    "berg",  "blau",   "blumen", "boot",  "brot",
	"cafe",   "design", "dorf",   "druck", "energy", "fahrt",  "fit",   "foto",
	"garten", "gold",   "grafik", "haus",  "heim",   "hof",    "holz",  "immo",
	"kino",   "kunst",  "licht",  "markt", "musik",  "nord",   "optik", "park",
	"pizza",  "praxis", "rad",    "reise", "sport",  "stein",  "tech",  "welt",
};

static const char *const tlds[] = { "com", "de", "net", "org", "info", "nl", "at", "eu" };

/* ---- numbers ---- */

/* Steele, Lea, Flood: SplitMix64. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t dice(const struct farm *f, uint32_t zone, uint32_t unit, uint32_t salt)
{
	return mix(mix(f->seed ^ (uint64_t)zone << 32 ^ unit) + salt);
}

void farm_init(struct farm *f)
{
	if (f->kind == FARM_DELEGATIONS) {
		f->zones = 1;
	}
	f->bumps = mem_zero(f->zones, sizeof(*f->bumps));
}

void farm_fini(struct farm *f)
{
	free(f->bumps);
	f->bumps = NULL;
}

/* ---- names ---- */

static void name_text(const struct farm *f, uint32_t zone, char *out, size_t cap)
{
	uint64_t h = dice(f, zone, 0, 1);
	char number[8];
	size_t at = sizeof(number);

	if (f->kind == FARM_DELEGATIONS) {
		snprintf(out, cap, "registry.");
		return;
	}
	number[--at] = '\0';
	do {
		number[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[zone % NUMBER_BASE];
		zone /= NUMBER_BASE;
	} while (zone > 0);
	snprintf(out, cap, "%s%s-%s.%s.%s%s", words[h % ARRAY_LEN(words)],
	         (h >> 16) % 2 == 0 ? "" : words[(h >> 24) % ARRAY_LEN(words)], number + at,
	         tlds[(h >> 40) % ARRAY_LEN(tlds)], f->tail == NULL ? "" : f->tail,
	         f->tail == NULL ? "" : ".");
}

void farm_name(const struct farm *f, uint32_t zone, struct name_buf *out)
{
	char text[64];

	name_text(f, zone, text, sizeof(text));
	if (name_parse(bytes_str(text), NULL, out) != ERR_OK) {
		abort();
	}
}

/* The number behind the dash of a label; UINT32_MAX if there is none. */
static uint32_t label_number(const uint8_t *label, unsigned len)
{
	unsigned at = len;
	uint64_t n = 0;

	while (at > 0 && label[at - 1] != '-') {
		at--;
	}
	if (at == 0 || at == len || len - at > 7) {
		return UINT32_MAX;
	}
	for (; at < len; at++) {
		uint8_t c = octet_lower(label[at]);
		unsigned digit = c >= 'a' ? c - 'a' + 10U : c - '0' + 0U;
		n = n * NUMBER_BASE + (digit < NUMBER_BASE ? digit : 0);
	}
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

bool farm_find(const struct farm *f, struct name name, uint32_t *zone)
{
	struct name_buf expected;

	if (name.labels == 0) {
		return false;
	}
	*zone = f->kind == FARM_DELEGATIONS ? 0 : label_number(name.at + 1, name.at[0]);
	if (*zone >= f->zones) {
		return false;
	}
	farm_name(f, *zone, &expected);
	return name_equal(name, name_of(&expected));
}

/* ---- generations ---- */

void farm_bump(struct farm *f, uint32_t zone)
{
	f->bumps[zone]++;
}

uint16_t farm_generation(const struct farm *f, uint32_t zone)
{
	return f->bumps[zone];
}

uint32_t farm_serial(const struct farm *f, uint32_t zone, uint16_t generation)
{
	return FARM_SERIAL + (uint32_t)(dice(f, zone, 0, 2) % 10000) + generation;
}

bool farm_generation_of(const struct farm *f, uint32_t zone, uint32_t serial, uint16_t *generation)
{
	uint32_t since = serial - farm_serial(f, zone, 0);

	*generation = (uint16_t)since;
	return since <= f->bumps[zone];
}

/* The last generation up to this one in which the unit changed. */
static uint16_t changed_in(const struct farm *f, uint32_t zone, uint32_t unit, uint16_t generation)
{
	while (generation > 0 && dice(f, zone, unit, 0x10000U + generation) % 1000 >= f->churn) {
		generation--;
	}
	return generation;
}

uint32_t farm_units(const struct farm *f)
{
	return f->kind == FARM_DELEGATIONS ? f->delegations + 1 : 1;
}

bool farm_changed(const struct farm *f, uint32_t zone, uint32_t unit, uint16_t from, uint16_t to)
{
	if (f->kind == FARM_PARKED) {
		return false;
	}
	return changed_in(f, zone, unit, from) != changed_in(f, zone, unit, to);
}

/* ---- writing records ---- */

static void must(bool fits)
{
	if (!fits) {
		abort(); /* FARM_UNIT_MAX_LEN is too small */
	}
}

/* Writes dotted labels; without a dot at the end the apex follows, "" is the apex. */
static void put_name(struct writer *w, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ".");
		must(writer_u8(w, (uint8_t)len) && writer_put(w, bytes_of(text, len)));
		text += len;
		if (text[0] == '.' && text[1] == '\0') {
			must(writer_u8(w, 0));
			return;
		}
		text += *text == '.';
	}
	must(writer_u16(w, POINTER_APEX));
}

/* Begins a record; its rdata follows, then record_end(). */
static size_t record_begin(struct farm_unit *u, const char *owner, uint16_t type, uint32_t ttl)
{
	put_name(&u->w, owner);
	must(writer_u16(&u->w, type) && writer_u16(&u->w, CLASS_IN) && writer_u32(&u->w, ttl) &&
	     writer_u16(&u->w, 0));
	return u->w.len;
}

static void record_end(struct farm_unit *u, size_t rdata_at)
{
	store_u16(u->octets + rdata_at - 2, (uint16_t)(u->w.len - rdata_at));
	must(u->count < FARM_UNIT_MAX_RECORDS);
	u->ends[u->count++] = u->w.len;
}

static void record_name(struct farm_unit *u, const char *owner, uint16_t type, const char *target)
{
	size_t at = record_begin(u, owner, type, TTL_LONG);

	put_name(&u->w, target);
	record_end(u, at);
}

static void record_octets(struct farm_unit *u, const char *owner, uint16_t type, struct bytes b)
{
	size_t at = record_begin(u, owner, type, type == TYPE_TXT ? TTL_LONG : TTL_SHORT);

	must(writer_put(&u->w, b));
	record_end(u, at);
}

static void record_text(struct farm_unit *u, const char *owner, const char *text)
{
	size_t at = record_begin(u, owner, TYPE_TXT, TTL_LONG);
	size_t left = strlen(text);

	do {
		size_t len = left < 255 ? left : 255;
		must(writer_u8(&u->w, (uint8_t)len) && writer_put(&u->w, bytes_of(text, len)));
		text += len;
		left -= len;
	} while (left > 0);
	record_end(u, at);
}

static void unit_begin(struct farm_unit *u)
{
	u->count = 0;
	u->w = writer_of(u->octets, sizeof(u->octets));
}

void farm_soa(const struct farm *f, uint32_t zone, uint16_t generation, struct farm_unit *out)
{
	const uint32_t numbers[] = { farm_serial(f, zone, generation), SOA_REFRESH_S, 7200, 2419200,
		                     300 };
	size_t at;

	unit_begin(out);
	at = record_begin(out, "", TYPE_SOA, TTL_LONG);
	put_name(&out->w, "ns1.hoster.example.");
	put_name(&out->w, "hostmaster.hoster.example.");
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		must(writer_u32(&out->w, numbers[i]));
	}
	record_end(out, at);
}

/* ---- zones ---- */

/* The apex comes first, then the other owners in their order. */
static void hosting_apex(struct farm_unit *u, uint32_t zone, uint64_t h)
{
	uint8_t octets[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	unsigned pair = (unsigned)(h % PAIRS) * 2;
	char text[256];
	size_t at;

	for (unsigned i = 1; i <= 2; i++) {
		snprintf(text, sizeof(text), "ns%u.hoster.example.", pair + i);
		record_name(u, "", TYPE_NS, text);
	}
	if (zone % 2 == 0) {
		record_name(u, "", TYPE_NS, "ns-ext.hoster.example.");
	}
	at = record_begin(u, "", TYPE_MX, TTL_LONG);
	must(writer_u16(&u->w, 10));
	put_name(&u->w, "mail");
	record_end(u, at);
	store_u64(octets + 8, h);
	record_octets(u, "", TYPE_AAAA, bytes_of(octets, sizeof(octets)));
	octets[0] = (uint8_t)(1 + (h >> 32) % 223);
	store_u16(octets + 1, (uint16_t)(h >> 40));
	octets[3] = (uint8_t)(h >> 56);
	record_octets(u, "", TYPE_A, bytes_of(octets, 4));
	snprintf(text, sizeof(text), "v=spf1 mx a ip4:%u.%u.%u.%u include:_spf.hoster.example ~all",
	         octets[0], octets[1], octets[2], octets[3]);
	record_text(u, "", text);
}

static void hosting_names(const struct farm *f, struct farm_unit *u, uint32_t zone, uint64_t h)
{
	static const char *const shops[] = {
		"shop", "blog", "cloud", "dev", "intranet", "webmail"
	};
	const uint8_t mail[4] = { 192, 0, 2, (uint8_t)((h >> 8) % 200) };
	char apex[64];
	char text[256];
	char owner[32];

	name_text(f, zone, apex, sizeof(apex));
	snprintf(text, sizeof(text), "v=DMARC1; p=none; rua=mailto:dmarc@%.*s",
	         (int)strlen(apex) - 1, apex);
	record_text(u, "_dmarc", text);
	if (zone % 2 == 1) {
		record_name(u, "ftp", TYPE_CNAME, "");
	}
	record_octets(u, "mail", TYPE_A, bytes_of(mail, sizeof(mail)));
	snprintf(owner, sizeof(owner), "%s%u", shops[h % ARRAY_LEN(shops)],
	         (unsigned)(h >> 20) % 20);
	snprintf(text, sizeof(text), "sites%u.hoster.example.", (unsigned)(h >> 28) % 500);
	record_name(u, owner, TYPE_CNAME, text);
	record_name(u, "www", TYPE_CNAME, "");
}

/* A TXT record with as much randomness as a key has. */
static void dkim_key(struct farm_unit *u, uint64_t h)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[512] = "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A";
	size_t at = strlen(text);
	size_t end = 18 + (KEY_OCTETS + 2) / 3 * 4;

	for (uint64_t i = 0; at < end; i++) {
		uint64_t bits = mix(h + i);
		for (unsigned k = 0; k < 10 && at < end; k++, bits >>= 6) {
			text[at++] = digits[bits & 63];
		}
	}
	record_text(u, "s1._domainkey", text);
}

static void parked(struct farm_unit *u)
{
	static const uint8_t address[4] = { 192, 0, 2, 1 };

	record_name(u, "", TYPE_NS, "ns1.hoster.example.");
	record_name(u, "", TYPE_NS, "ns2.hoster.example.");
	record_octets(u, "", TYPE_A, bytes_of(address, sizeof(address)));
}

/* The owner of delegation `n`: letters that grow with it, and a word. */
static void delegation_owner(const struct farm *f, uint32_t n, uint64_t h, char *out, size_t cap)
{
	uint64_t place =
		(uint64_t)n * (LETTERS * LETTERS * LETTERS * LETTERS * LETTERS) / f->delegations;

	assert(cap > PREFIX_LEN);
	for (unsigned i = PREFIX_LEN; i-- > 0; place /= LETTERS) {
		out[i] = (char)('a' + place % LETTERS);
	}
	snprintf(out + PREFIX_LEN, cap - PREFIX_LEN, "%s", words[h % ARRAY_LEN(words)]);
}

static void delegation(const struct farm *f, struct farm_unit *u, uint32_t n, uint64_t h)
{
	bool has_glue = n % 5 == 0;
	unsigned hoster = (unsigned)(h >> 8) % HOSTERS;
	char owner[32];
	char ns[64];
	uint8_t octets[36];

	/* What it is called does not change with its generation. */
	delegation_owner(f, n, dice(f, 0, n + 1, 3), owner, sizeof(owner));
	for (unsigned i = 1; i <= 2; i++) {
		if (has_glue) {
			snprintf(ns, sizeof(ns), "ns%u.%s", i, owner);
		} else {
			snprintf(ns, sizeof(ns), "ns%u.hoster%u.example.", i, hoster);
		}
		record_name(u, owner, TYPE_NS, ns);
	}
	if (n % 10 < 3) {
		store_u32(octets, (uint32_t)(h & 0xffff) << 16 | 13 << 8 | 2);
		for (unsigned i = 0; i < 4; i++) {
			store_u64(octets + 4 + 8 * i, mix(h + i));
		}
		record_octets(u, owner, TYPE_DS, bytes_of(octets, sizeof(octets)));
	}
	for (unsigned i = 1; has_glue && i <= 2; i++) {
		store_u32(octets, (uint32_t)(mix(h + i) | 1U << 24));
		snprintf(ns, sizeof(ns), "ns%u.%s", i, owner);
		record_octets(u, ns, TYPE_A, bytes_of(octets, 4));
	}
}

void farm_records(const struct farm *f, uint32_t zone, uint32_t unit, uint16_t generation,
                  struct farm_unit *out)
{
	uint64_t h = dice(f, zone, unit, 0x20000U + changed_in(f, zone, unit, generation));

	unit_begin(out);
	switch (f->kind) {
	case FARM_PARKED:
		parked(out);
		break;
	case FARM_HOSTING:
	case FARM_DKIM:
		hosting_apex(out, zone, h);
		hosting_names(f, out, zone, h);
		if (f->kind == FARM_DKIM) {
			dkim_key(out, h);
		}
		break;
	case FARM_DELEGATIONS:
		if (unit == 0) {
			record_name(out, "", TYPE_NS, "a.nic.example.");
			record_name(out, "", TYPE_NS, "b.nic.example.");
		} else {
			delegation(f, out, unit - 1, h);
		}
		break;
	}
}
