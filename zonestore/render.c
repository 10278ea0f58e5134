/* SPDX-License-Identifier: MIT
 *
 * zonestore/render.c — records from leaves into messages.
 *
 * What is copied are runs of a few octets, most often. The bodies of sets lie anywhere in memory:
 * they are fetched some records before they are needed, and so is the next leaf. */
#include "zonestore/render.h"

#include "dns/message.h"
#include "zonestore/cursor_p.h"
#include "zonestore/stored_p.h"

#define POINTER_BITS  0xc000U
#define POINTER_LEN   2U
#define POINTER_MAX   0x3fffU
#define FIXED_LEN     10U /* type, class, TTL, length of rdata */
#define ESCAPE        0x01
#define SETS_AHEAD    16U /* bodies fetched before they are needed */
#define LEAF_LINES    12U /* of the next leaf: most leaves are no longer */
#define LINE_BYTES    64U
#define ENTRIES_ROOMY 4U  /* entries that are 16 octets at least */
#define KEY_SLACK     64U /* octets that are read beyond a label of a key, at most */
#define PAGE_SLACK    (NAME_MAX_LEN + 64U) /* for an owner, and what is written beyond it */
#define NAMES_MAX     2U                   /* in rdata of types whose names are stored relative */
#define RECORD_ROOM   (POINTER_LEN + FIXED_LEN + NAMES_MAX) /* of a record, besides its rdata */

/* What struct snapshot_render keeps in `opaque`. */
struct render_state {
	struct leaf_path path;
	struct leaf_walk walk;
	const uint32_t *links; /* sets of the owner at hand that did not go out whole */
	const uint32_t *fetch; /* end of the leaf's sets */
	unsigned sets;
	unsigned rdata_at; /* of the first of them: octets that went out */
	/* The owner at hand. */
	const uint8_t *cases; /* NULL: all in lower case */
	uint16_t key_len;
	uint16_t escape_at; /* the first escape in the key; UINT16_MAX: none */
	uint8_t labels;
	uint8_t key[KEY_MAX + KEY_SLACK];
	uint16_t label_end[NAME_MAX_LABELS]; /* of each label in the key, its 0x00 counted */
};

static_assert(sizeof(struct render_state) <= sizeof(((struct snapshot_render *)0)->opaque),
              "the walk has room");

/* The message at hand, and what stands where in it; 0: nowhere that a pointer reaches. */
struct page {
	uint8_t *message;
	uint8_t *at;
	const uint8_t *end;
	bool far; /* it ends where no pointer reaches, or the apex is the root */
	struct name apex;
	uint16_t apex_at;
	uint16_t owner_at;
	/* All but the first label of the last name in rdata that is not below the apex. */
	struct bytes tail;
	uint16_t tail_at;
	uint16_t label_at[NAME_MAX_LABELS]; /* the names that the owner's labels end */
};

static struct render_state *state_of(struct snapshot_render *r)
{
	return (struct render_state *)(void *)r->opaque;
}

/* Copies a few octets, most often: a call would cost more than the copying. */
static inline uint8_t *put(uint8_t *to, const uint8_t *from, size_t len)
{
	if (len > 32) {
		memcpy(to, from, len);
	} else if (len >= 16) {
		memcpy(to, from, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	} else if (len >= 8) {
		memcpy(to, from, 8);
		memcpy(to + len - 8, from + len - 8, 8);
	} else if (len >= 4) {
		memcpy(to, from, 4);
		memcpy(to + len - 4, from + len - 4, 4);
	} else {
		for (size_t i = 0; i < len; i++) {
			to[i] = from[i];
		}
	}
	return to + len;
}

/* As octets_same(), without a loop over the last few. */
static inline bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
	if (len < 8) {
		return octets_same(a, b, len);
	}
	for (size_t i = 0; i + 8 < len; i += 8) {
		if (load_u64(a + i) != load_u64(b + i)) {
			return false;
		}
	}
	return load_u64(a + len - 8) == load_u64(b + len - 8);
}

static inline uint8_t *put_pointer(uint8_t *to, unsigned at)
{
	store_u16(to, (uint16_t)(POINTER_BITS | at));
	return to + POINTER_LEN;
}

/* Where `at` is in the message, if a pointer reaches it. */
static inline uint16_t place(const struct page *g, const uint8_t *at)
{
	size_t offset = (size_t)(at - g->message);

	return offset <= POINTER_MAX ? (uint16_t)offset : 0;
}

/* The root is never pointed to: Knot DNS refuses it, and a pointer would be longer. */
static uint8_t *put_apex(struct page *g, uint8_t *to)
{
	if (g->apex.len == 1) {
		*to = 0;
		return to + 1;
	}
	if (g->apex_at != 0) {
		return put_pointer(to, g->apex_at);
	}
	g->apex_at = place(g, to);
	return put(to, g->apex.at, g->apex.len);
}

/* ---- owners ---- */

/* A label of a key that has escapes or letters in upper case; returns where it ends. */
static uint8_t *put_odd_label(uint8_t *to, const struct render_state *s, unsigned from,
                              unsigned end)
{
	uint8_t *length = to++;

	for (unsigned i = from; i < end; i++) {
		uint8_t c = s->key[i];
		if (s->cases != NULL && (s->cases[i / 8] & 0x80 >> i % 8) != 0) {
			c = (uint8_t)(c - 0x20);
		}
		if (c == ESCAPE) {
			c = (uint8_t)(s->key[++i] - 1);
		}
		*to++ = c;
	}
	*length = (uint8_t)(to - length - 1);
	return to;
}

/* Writes the owner's name: the labels that do not stand in the message yet, and a pointer. Labels
 * with letters in upper case are not pointed to. */
static uint8_t *put_owner(struct page *g, const struct render_state *s, uint8_t *to)
{
	bool odd = s->cases != NULL || s->escape_at != UINT16_MAX;
	uint8_t *begin = to;
	unsigned known = s->cases != NULL ? 0 : s->labels;

	while (known > 0 && g->label_at[known - 1] == 0) {
		known--;
	}
	for (unsigned i = s->labels; i-- > known;) {
		unsigned from = i == 0 ? 0 : s->label_end[i - 1];
		unsigned end = s->label_end[i] - 1U;
		g->label_at[i] = s->cases != NULL ? 0 : place(g, to);
		if (odd) {
			to = put_odd_label(to, s, from, end);
		} else {
			*to++ = (uint8_t)(end - from);
			to = put(to, s->key + from, end - from);
		}
	}
	if (known > 0) {
		to = put_pointer(to, g->label_at[known - 1]);
	} else {
		to = put_apex(g, to);
	}
	g->owner_at = s->labels == 0       ? g->apex_at
	              : known == s->labels ? g->label_at[known - 1]
	                                   : place(g, begin);
	return to;
}

/* Most octets that the owner takes. */
static inline size_t owner_room(const struct page *g, const struct render_state *s)
{
	return g->owner_at != 0 ? POINTER_LEN
	                        : s->key_len + (g->apex_at != 0 ? POINTER_LEN : g->apex.len);
}

/* ---- rdata ---- */

/* A name below the apex, of whose labels `len` octets are stored. Kept out of the loop over records,
 * which is a tenth faster without it. */
__attribute__((noinline)) static uint8_t *put_below(struct page *g, const struct render_state *s,
                                                    uint8_t *to, const uint8_t *name, size_t len)
{
	size_t top = s->labels == 0 ? 0 : s->label_end[0]; /* a length octet for the 0x00 */
	size_t at = 0;

	if (top == 0 || g->label_at[0] == 0 || s->escape_at < top || len < top ||
	    !same(name + len - top + 1, s->key, top - 1)) {
		to = put(to, name, len);
		return put_apex(g, to);
	}
	while (at < len - top) { /* it ends like the owner: in a label of its own? */
		at += 1U + name[at];
	}
	if (at > len - top) {
		to = put(to, name, len);
		return put_apex(g, to);
	}
	to = put(to, name, len - top);
	return put_pointer(to, g->label_at[0]);
}

/* A name elsewhere, of `len` octets. */
static inline uint8_t *put_elsewhere(struct page *g, uint8_t *to, const uint8_t *name, size_t len)
{
	size_t first = 1U + name[0];
	struct bytes tail;

	if (first >= len) {
		return put(to, name, len); /* the root */
	}
	tail = bytes_of(name + first, len - first);
	if (tail.len == g->tail.len && same(tail.at, g->tail.at, tail.len)) {
		to = put(to, name, first);
		return put_pointer(to, g->tail_at);
	}
	if (tail.len > POINTER_LEN && place(g, to + first) != 0) {
		g->tail = tail;
		g->tail_at = place(g, to + first);
	}
	return put(to, name, len);
}

/* A stored name, whose last octet tells where it is. */
static inline uint8_t *put_name(struct page *g, const struct render_state *s, uint8_t *to,
                                struct bytes name)
{
	return name.at[name.len - 1] == 0 ? put_elsewhere(g, to, name.at, name.len)
	                                  : put_below(g, s, to, name.at, name.len - 1);
}

/* Octets of the stored name at `at`. */
static size_t name_len(const uint8_t *at)
{
	size_t len = 0;

	while (at[len] != 0 && at[len] != STORED_APEX) {
		len += 1U + at[len];
	}
	return len + 1;
}

static inline uint8_t *put_rdata(struct page *g, const struct render_state *s, uint8_t *to,
                                 uint16_t type, struct bytes rdata)
{
	struct stored_layout layout;

	if (!stored_is_relative(type)) {
		return put(to, rdata.at, rdata.len);
	}
	layout = stored_layout(type);
	to = put(to, rdata.at, layout.skip);
	rdata = bytes_of(rdata.at + layout.skip, rdata.len - layout.skip);
	if (layout.names > 1) {
		size_t len = name_len(rdata.at);
		to = put_name(g, s, to, bytes_of(rdata.at, len));
		rdata = bytes_of(rdata.at + len, rdata.len - len);
	}
	return put_name(g, s, to, rdata);
}

/* Most octets that names in rdata take more than what is stored. */
static inline size_t rdata_room(const struct page *g, uint16_t type)
{
	return !stored_is_relative(type) ? 0 : NAMES_MAX * (g->apex_at != 0 ? 1U : g->apex.len);
}

/* Writes what stands between owner and rdata, but for the length. */
static inline uint8_t *put_fixed(uint8_t *to, const uint8_t *body)
{
	memcpy(to, body + 4, 2);
	store_u16(to + 2, CLASS_IN);
	memcpy(to + 4, body, 4);
	return to + FIXED_LEN;
}

/* Appends one record; false if it may not fit. */
static bool put_record(struct page *g, const struct render_state *s, const uint8_t *body,
                       struct bytes rdata)
{
	uint16_t type = body_type(body);
	uint8_t *to = g->at;
	uint8_t *at;

	if (owner_room(g, s) + FIXED_LEN + rdata.len + rdata_room(g, type) >
	    (size_t)(g->end - to)) {
		return false;
	}
	to = g->owner_at != 0 ? put_pointer(to, g->owner_at) : put_owner(g, s, to);
	at = put_fixed(to, body);
	to = put_rdata(g, s, at, type, rdata);
	store_u16(at - 2, (uint16_t)(to - at));
	g->at = to;
	return true;
}

/* Appends what is left of the set at hand as far as it fits; true if that is all of it. */
static bool put_part(struct page *g, struct render_state *s, const uint8_t *body, unsigned *count)
{
	struct bytes rdatas = body_rdatas(body);

	if (body_count(body) == 1) {
		if (!put_record(g, s, body, rdatas)) {
			return false;
		}
		(*count)++;
		return true;
	}
	while (s->rdata_at < rdatas.len) {
		const uint8_t *at = rdatas.at + s->rdata_at;
		if (!put_record(g, s, body, bytes_of(at + 2, load_u16(at)))) {
			return false;
		}
		(*count)++;
		s->rdata_at += 2U + load_u16(at);
	}
	s->rdata_at = 0;
	return true;
}

/* The owner where there is slack behind it and pointers reach everywhere: most have one label. */
static inline uint8_t *put_owner_roomy(struct page *g, const struct render_state *s, uint8_t *to)
{
	size_t len = s->label_end[0] - 1U;

	if (s->labels != 1 || s->cases != NULL || s->escape_at != UINT16_MAX) {
		return put_owner(g, s, to);
	}
	g->owner_at = g->label_at[0] = (uint16_t)(to - g->message);
	to[0] = (uint8_t)len;
	memcpy(to + 1, s->key, 16);
	if (len > 16) {
		memcpy(to + 17, s->key + 16, LABEL_MAX_LEN - 16);
	}
	return put_pointer(to + 1 + len, g->apex_at);
}

/* Writes a record that is known to fit. */
static inline uint8_t *put_roomy(struct page *g, const struct render_state *s, uint8_t *to,
                                 const uint8_t *body, struct bytes rdata)
{
	uint8_t *at;

	to = g->owner_at != 0 ? put_pointer(to, g->owner_at) : put_owner_roomy(g, s, to);
	at = put_fixed(to, body);
	to = put_rdata(g, s, at, body_type(body), rdata);
	store_u16(at - 2, (uint16_t)(to - at));
	return to;
}

/* Appends what is left of the set at hand; true if all of it fitted. */
static inline bool put_set(struct page *g, struct render_state *s, const uint8_t *body,
                           unsigned *count)
{
	uint32_t rdatas = body_count(body);
	const uint8_t *at = body + BODY_HEAD_MANY;
	uint8_t *to = g->at;

	if (body_len(body) + rdatas * RECORD_ROOM + PAGE_SLACK > (size_t)(g->end - to) ||
	    s->rdata_at > 0 || g->apex_at == 0 || g->far) {
		return put_part(g, s, body, count);
	}
	*count += rdatas;
	if (!body_is_many(body)) {
		struct bytes rdata = bytes_of(body + BODY_HEAD, load_u16(body + BODY_HEAD - 2));
		g->at = put_roomy(g, s, to, body, rdata);
		return true;
	}
	for (uint32_t i = 0; i < rdatas; i++) {
		struct bytes rdata = bytes_of(at + 2, load_u16(at));
		to = put_roomy(g, s, to, body, rdata);
		at = rdata.at + rdata.len;
	}
	g->at = to;
	return true;
}

/* ---- the walk ---- */

static inline void fetch_body(const struct pool *pool, uint32_t link)
{
	const uint8_t *body = pool_body(pool, (struct body_handle){ link });

	__builtin_prefetch(body);
	__builtin_prefetch(body + LINE_BYTES - sizeof(struct body)); /* many go on there */
}

/* Goes to a leaf: its first bodies are asked for, and all of the next one. */
static void leaf_begin(struct render_state *s, const struct snapshot *snap, const struct node *leaf)
{
	const struct node *next = leaf_path_sibling(&s->path, snap);
	unsigned sets = shape_sets(leaf);

	s->walk = leaf_walk(leaf);
	s->fetch = leaf->links + sets;
	for (unsigned i = 0; i < sets && i < SETS_AHEAD; i++) {
		fetch_body(snapshot_pool(snap), leaf->links[i]);
	}
	for (unsigned i = 0; next != NULL && i < LEAF_LINES; i++) {
		__builtin_prefetch((const uint8_t *)next + (size_t)i * LINE_BYTES);
	}
}

/* Copies the rest of a key. Returns how many octets of it are known to be neither end nor escape; the
 * one after them is, if it is one of the first 16. `roomy`: more of the leaf follows. */
static inline unsigned put_rest(uint8_t *to, struct bytes rest, bool roomy)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (roomy && rest.len <= 16) {
		uint64_t v[2];
		uint64_t found[2];
		memcpy(v, rest.at, 16);
		memcpy(to, v, 16);
		for (unsigned i = 0; i < 2; i++) { /* octets below 2, and perhaps some after them */
			found[i] = (v[i] - 0x0202020202020202U) & ~v[i] & 0x8080808080808080U;
		}
		return found[0] != 0 ? (unsigned)__builtin_ctzll(found[0]) / 8
		                     : 8 + (unsigned)__builtin_ctzll(found[1] | 1ULL << 63) / 8;
	}
#endif
	put(to, rest.at, rest.len);
	return 0;
}

/* Takes up the key of an entry: forgets the labels that it does not share with the one before. */
static inline void take_key(struct render_state *s, struct page *g, const struct leaf_entry *e)
{
	unsigned labels = s->labels;
	unsigned len = e->shared + (unsigned)e->rest.len;

	while (labels > 0 && s->label_end[labels - 1] > e->shared) {
		labels--;
	}
	if (s->escape_at >= e->shared) {
		s->escape_at = UINT16_MAX;
	}
	for (unsigned i = e->shared +
	                  put_rest(s->key + e->shared, e->rest, s->walk.left >= ENTRIES_ROOMY);
	     i < len; i++) {
		if (s->key[i] == 0) {
			g->label_at[labels] = 0;
			s->label_end[labels++] = (uint16_t)(i + 1);
		} else if (s->key[i] == ESCAPE && s->escape_at == UINT16_MAX) {
			s->escape_at = (uint16_t)i;
		}
	}
	s->labels = (uint8_t)labels;
	s->key_len = (uint16_t)len;
	s->cases = e->cases;
	g->owner_at = 0;
}

/* Goes on to the next owner; false at the end. */
static inline bool next_owner(struct render_state *s, struct page *g, const struct snapshot *snap)
{
	struct leaf_entry e;

	while (!leaf_next(&s->walk, &e, &s->links)) {
		const struct node *leaf = leaf_path_next(&s->path, snap);
		if (leaf == NULL) {
			return false;
		}
		leaf_begin(s, snap, leaf);
	}
	s->sets = e.sets;
	take_key(s, g, &e);
	return true;
}

void snapshot_render_init(struct snapshot_render *r, const struct snapshot *snap)
{
	struct render_state *s = state_of(r);
	const struct node *leaf;

	memset(r, 0, sizeof(*r));
	r->snap = snap;
	s->escape_at = UINT16_MAX;
	leaf = leaf_path_first(&s->path, snap, 0, 1);
	r->ended = leaf == NULL;
	if (leaf != NULL) {
		leaf_begin(s, snap, leaf);
	}
}

unsigned snapshot_render_next(struct snapshot_render *r, struct writer *message, unsigned apex_at)
{
	const struct pool *pool = snapshot_pool(r->snap);
	struct name apex = snapshot_apex(r->snap);
	struct render_state *s = state_of(r);
	struct page g = { .message = message->at,
		          .at = message->at + message->len,
		          .end = message->at + message->cap,
		          .far = message->cap > POINTER_MAX + 1 || apex.len == 1,
		          .apex = apex,
		          .apex_at = (uint16_t)(apex.len == 1 ? 0 : apex_at) };
	unsigned count = 0;

	assert(message->len >= MESSAGE_HEADER_LEN && apex_at < message->len);
	assert(apex_at <= POINTER_MAX);
	while (!r->ended) {
		if (s->sets == 0 && !next_owner(s, &g, r->snap)) {
			r->ended = true;
			break;
		}
		if (s->links + SETS_AHEAD < s->fetch) {
			fetch_body(pool, s->links[SETS_AHEAD]);
		}
		if (!put_set(&g, s, pool_body(pool, (struct body_handle){ *s->links }), &count)) {
			break;
		}
		s->links++;
		s->sets--;
	}
	message->len = (size_t)(g.at - g.message);
	return count;
}
