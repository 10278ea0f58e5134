/* SPDX-License-Identifier: MIT
 *
 * dns/composer.c — messages under construction, with name compression (RFC 1035 §4.1.4).
 *
 * Names are looked up from the right: starting at the root, each label is a step from a suffix to
 * a longer one that already stands in the message. The first step that finds nothing ends the
 * search; the labels left of it are written, a pointer after them, and remembered. So a suffix is
 * known only if all shorter ones are, and comparing one label confirms it. */
#include "dns/message.h"

#include "dns/octets_p.h"
#include "dns/rdata.h"

#define POINTER_BITS 0xc000U
#define POINTER_MAX  0x3fffU
#define BUCKET_MASK  (COMPOSER_BUCKETS - 1U)

static_assert((COMPOSER_BUCKETS & BUCKET_MASK) == 0, "buckets are a power of two");
static_assert(COMPOSER_NAMES_MAX < UINT16_MAX, "numbers of suffixes fit their field");

void composer_init(struct composer *c, void *at, size_t cap)
{
	assert(cap >= MESSAGE_HEADER_LEN);
	assert(cap <= MESSAGE_MAX_LEN);

	c->w = writer_of(at, cap);
	c->w.len = MESSAGE_HEADER_LEN;
	c->reserve = 0;
	c->keep_case = false;
	c->name_count = 0;
	memset(c->counts, 0, sizeof(c->counts));
	memset(c->buckets, 0, sizeof(c->buckets));
}

/* The writer that ends where the reserve begins. */
static inline struct writer composer_writer(const struct composer *c)
{
	struct writer w = c->w;
	size_t cap = c->w.cap > c->reserve ? c->w.cap - c->reserve : 0;

	w.cap = cap > w.len ? cap : w.len;
	return w;
}

static inline uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* Hash of a step: the suffix it starts from and the label (length octet first), without case. */
static inline uint16_t step_hash(unsigned parent, const uint8_t *label)
{
	size_t len = label[0];
	uint64_t h = mix(parent, len);

	for (label++; len >= 8; label += 8, len -= 8) {
		h = mix(h, octets_lower(load_u64(label)));
	}
	if (len > 0) {
		h = mix(h, octets_lower(octets_few(label, len)));
	}
	return (uint16_t)(h >> 16);
}

static inline bool label_same(const struct composer *c, const uint8_t *a, const uint8_t *b)
{
	return a[0] == b[0] && (c->keep_case ? memcmp(a + 1, b + 1, a[0]) == 0
	                                     : octets_compare(a + 1, b + 1, a[0]) == 0);
}

/* The number of the suffix that `label` makes of `parent`; 0 if there is none. */
static inline unsigned step_find(const struct composer *c, unsigned parent, const uint8_t *label,
                                 uint16_t hash)
{
	unsigned number = c->buckets[hash & BUCKET_MASK];

	while (number != 0) {
		const struct composer_name *n = &c->names[number - 1];

		if (n->hash == hash && n->parent == parent &&
		    label_same(c, c->w.at + n->at, label)) {
			break;
		}
		number = n->next;
	}
	return number;
}

/* Remembers a suffix; returns its number, 0 if there is no room or no pointer reaches it. */
static inline unsigned step_add(struct composer *c, unsigned parent, uint16_t hash, size_t at)
{
	uint16_t *bucket = &c->buckets[hash & BUCKET_MASK];

	if (c->name_count == COMPOSER_NAMES_MAX || at > POINTER_MAX) {
		return 0;
	}
	c->names[c->name_count++] = (struct composer_name){
		.at = (uint16_t)at,
		.hash = hash,
		.parent = (uint16_t)parent,
		.next = *bucket,
	};
	*bucket = c->name_count;
	return c->name_count;
}

/* Writes a name, compressed as far as its suffixes are known, and remembers those that are new. On
 * failure the writer may hold a part of it: callers work on a copy. */
static bool name_compose(struct composer *c, struct writer *w, struct name n)
{
	uint8_t at[NAME_MAX_LABELS];
	size_t begin = w->len;
	unsigned left = n.labels; /* labels that are not known */
	unsigned number = 0;
	uint16_t hash = 0;

	name_offsets(n, at);
	for (; left > 0; left--) {
		const uint8_t *label = n.at + at[left - 1];
		unsigned found;

		hash = step_hash(number, label);
		found = step_find(c, number, label, hash);
		if (found == 0) {
			break;
		}
		number = found;
	}
	if (number == 0) {
		if (!writer_put(w, name_bytes(n))) {
			return false;
		}
	} else if (!writer_put(w, bytes_of(n.at, left == n.labels ? n.len : at[left])) ||
	           !writer_u16(w, (uint16_t)(POINTER_BITS | c->names[number - 1].at))) {
		return false;
	}
	while (left-- > 0) {
		number = step_add(c, number, hash, begin + at[left]);
		if (number == 0) {
			break;
		}
		hash = left > 0 ? step_hash(number, n.at + at[left - 1]) : 0;
	}
	return true;
}

bool composer_question(struct composer *c, struct name name, uint16_t type, uint16_t class)
{
	struct composer_mark mark = composer_mark(c);
	struct writer w = composer_writer(c);

	assert(c->counts[1] + c->counts[2] + c->counts[3] == 0);
	if (!name_compose(c, &w, name) || !writer_u16(&w, type) || !writer_u16(&w, class)) {
		composer_rollback(c, mark);
		return false;
	}
	c->w.len = w.len;
	c->counts[0]++;
	return true;
}

/* Writes rdata with its length before it. */
static bool rdata_compose(struct composer *c, struct writer *w, uint16_t type, struct bytes rdata)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned count = rdata_compressible_names(type, rdata, names);
	size_t len_at = w->len;
	size_t done = 0;

	if (!writer_u16(w, (uint16_t)rdata.len)) {
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		struct name n;

		if (!writer_put(w, bytes_of(rdata.at + done, names[i].offset - done)) ||
		    name_view(bytes_of(rdata.at + names[i].offset, names[i].len), &n) != ERR_OK ||
		    !name_compose(c, w, n)) {
			return false;
		}
		done = names[i].offset + (size_t)names[i].len;
	}
	if (!writer_put(w, bytes_of(rdata.at + done, rdata.len - done))) {
		return false;
	}
	store_u16(w->at + len_at, (uint16_t)(w->len - len_at - 2));
	return true;
}

bool composer_rr(struct composer *c, enum section section, const struct rr *rr)
{
	struct composer_mark mark = composer_mark(c);
	struct writer w = composer_writer(c);

	assert(rr->rdata.len <= RDATA_MAX_LEN);
	assert(section == SECTION_ADDITIONAL || c->counts[3] == 0);
	assert(section != SECTION_ANSWER || c->counts[2] == 0);
	if (!name_compose(c, &w, rr->owner) || !writer_u16(&w, rr->type) ||
	    !writer_u16(&w, rr->class) || !writer_u32(&w, rr->ttl) ||
	    !rdata_compose(c, &w, rr->type, rr->rdata)) {
		composer_rollback(c, mark);
		return false;
	}
	c->w.len = w.len;
	c->counts[1 + section]++;
	return true;
}

struct composer_mark composer_mark(const struct composer *c)
{
	struct composer_mark mark = { .len = c->w.len, .name_count = c->name_count };

	memcpy(mark.counts, c->counts, sizeof(mark.counts));
	return mark;
}

void composer_rollback(struct composer *c, struct composer_mark mark)
{
	assert(mark.len <= c->w.len);
	assert(mark.name_count <= c->name_count);

	/* The newest is at the head of its bucket, so they come off in the order of their going on.
	 */
	while (c->name_count > mark.name_count) {
		const struct composer_name *n = &c->names[--c->name_count];

		c->buckets[n->hash & BUCKET_MASK] = n->next;
	}
	c->w.len = mark.len;
	memcpy(c->counts, mark.counts, sizeof(c->counts));
}

void composer_reserve(struct composer *c, size_t len)
{
	c->reserve = len;
}

struct writer composer_open(const struct composer *c)
{
	return composer_writer(c);
}

void composer_adopt(struct composer *c, enum section section, const struct writer *w,
                    unsigned count)
{
	assert(w->at == c->w.at && w->len >= c->w.len && w->len <= c->w.cap);
	assert(c->counts[1 + section] + count <= UINT16_MAX);
	c->w.len = w->len;
	c->counts[1 + section] = (uint16_t)(c->counts[1 + section] + count);
}

bool composer_edns(struct composer *c, const struct edns *edns)
{
	size_t len = EDNS_OPT_LEN + edns->options.len;
	size_t reserve = c->reserve;
	uint32_t ttl = (uint32_t)edns->extended_rcode << 24 | (uint32_t)edns->version << 16 |
	               (edns->dnssec_ok ? 0x8000U : 0);
	struct writer w;

	assert(edns->options.len <= RDATA_MAX_LEN);
	c->reserve = reserve > len ? reserve - len : 0;
	w = composer_writer(c);
	if (!writer_u8(&w, 0) || !writer_u16(&w, TYPE_OPT) || !writer_u16(&w, edns->udp_size) ||
	    !writer_u32(&w, ttl) || !writer_u16(&w, (uint16_t)edns->options.len) ||
	    !writer_put(&w, edns->options)) {
		c->reserve = reserve;
		return false;
	}
	c->w.len = w.len;
	c->counts[3]++;
	return true;
}

struct bytes composer_finish(struct composer *c, uint16_t id, uint16_t flags)
{
	uint8_t *at = c->w.at;

	store_u16(at, id);
	store_u16(at + 2, flags);
	for (unsigned i = 0; i < ARRAY_LEN(c->counts); i++) {
		store_u16(at + 4 + (size_t)2 * i, c->counts[i]);
	}
	return writer_bytes(&c->w);
}
