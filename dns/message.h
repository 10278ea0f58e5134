/* SPDX-License-Identifier: MIT
 *
 * dns/message.h — DNS messages: header, question, EDNS(0), and a composer with name compression.
 *
 * Reading borrows the message. message_read() takes the header and the one question; records follow
 * by rr_read() on the same reader. Composing writes into the caller's buffer and never past its
 * end: what does not fit is rolled back whole, so that a message is cut at an RRset. */
#pragma once

#include "dns/rr.h"

#define MESSAGE_HEADER_LEN  12
#define MESSAGE_MAX_LEN     65535
#define MESSAGE_UDP_MIN_LEN 512 /* without EDNS, RFC 1035 §2.3.4 */

enum opcode {
	OPCODE_QUERY = 0,
	OPCODE_IQUERY = 1,
	OPCODE_STATUS = 2,
	OPCODE_NOTIFY = 4,
	OPCODE_UPDATE = 5
};

enum rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_NOTAUTH = 9,
	RCODE_NOTZONE = 10,
	RCODE_BADVERS = 16,
};

#define FLAG_QR 0x8000U
#define FLAG_AA 0x0400U
#define FLAG_TC 0x0200U
#define FLAG_RD 0x0100U
#define FLAG_RA 0x0080U
#define FLAG_AD 0x0020U
#define FLAG_CD 0x0010U

struct header {
	uint16_t id;
	uint16_t flags; /* the whole second word: QR, opcode, bits, low RCODE */
	uint16_t qdcount;
	uint16_t ancount;
	uint16_t nscount;
	uint16_t arcount;
};

static inline enum opcode header_opcode(const struct header *h)
{
	return (enum opcode)(h->flags >> 11 & 15);
}

static inline uint16_t header_rcode(const struct header *h)
{
	return h->flags & 15;
}

MUST_USE enum err header_read(struct reader *r, struct header *out);

struct question {
	struct name_buf name;
	uint16_t type;
	uint16_t class;
};

MUST_USE enum err question_read(struct reader *r, struct question *out);

/* EDNS(0), RFC 6891 §6.1.3. */
struct edns {
	bool present;
	uint8_t version;
	uint8_t extended_rcode; /* upper eight bits */
	bool dnssec_ok;
	uint16_t udp_size;
	struct bytes options; /* checked to be well-formed options; borrowed */
};

/* Walks the records of all sections after the question, up to the end. Finds OPT (at most one, in
 * the additional section, root owner) and TSIG (at most one, the very last record). A message that
 * has octets left over is ERR_WIRE_TRAILING. The reader is not moved. */
struct message_tail {
	struct edns edns;
	size_t tsig_at; /* offset of the TSIG record's owner; 0 if there is none */
};

MUST_USE enum err message_tail_read(const struct reader *after_question, const struct header *h,
                                    struct message_tail *out);

/* A message under construction. A name's suffixes are remembered as a tree of labels, found by
 * hashing (parent, label): each label of a name costs one probe. */
enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

#define COMPOSER_NAMES_MAX 512 /* suffixes remembered for compression */
#define COMPOSER_BUCKETS   256

/* A suffix that stands in the message; its number is its index plus one, 0 is the root. */
struct composer_name {
	uint16_t at;     /* offset of its first label, < 0x4000 */
	uint16_t hash;   /* of the parent's number and the label */
	uint16_t parent; /* number of the suffix without its first label */
	uint16_t next;   /* number of the next older one in the bucket */
};

struct composer {
	struct writer w; /* whole message, header included */
	size_t reserve;  /* octets at the end kept for OPT and TSIG */
	bool keep_case;  /* names are compressed only where the case of letters is the same too */
	uint16_t counts[4]; /* question, answer, authority, additional */
	uint16_t name_count;
	uint16_t buckets[COMPOSER_BUCKETS];
	struct composer_name names[COMPOSER_NAMES_MAX];
};

/* Begins a message in `at`; the header is written by composer_finish(). `cap` is at least the
 * header's length and at most MESSAGE_MAX_LEN (both asserted). `keep_case` is false; transfers set
 * it, so that every name arrives as it was spelled. */
void composer_init(struct composer *c, void *at, size_t cap);

MUST_USE bool composer_question(struct composer *c, struct name name, uint16_t type,
                                uint16_t class);

/* Appends a record (not OPT: composer_edns()); names in its rdata are compressed where RFC 3597 §4
 * allows. Sections are written in their order (asserted). False, and nothing written, if it does
 * not fit. */
MUST_USE bool composer_rr(struct composer *c, enum section section, const struct rr *rr);

/* Marks, and goes back to a mark: for RRsets that go in whole or not at all. */
struct composer_mark {
	size_t len;
	uint16_t counts[4];
	uint16_t name_count;
};
struct composer_mark composer_mark(const struct composer *c);
void composer_rollback(struct composer *c, struct composer_mark mark);

/* Keeps `len` octets free at the end, instead of what was kept before. */
#define EDNS_OPT_LEN 11
void composer_reserve(struct composer *c, size_t len);

/* For records that are written by other means: the message so far, ending where the reserve begins;
 * and what it became, with so many records more in `section`. Their names are not remembered. */
struct writer composer_open(const struct composer *c);
void composer_adopt(struct composer *c, enum section section, const struct writer *w,
                    unsigned count);

/* Appends the OPT record, EDNS_OPT_LEN octets and its options, which it takes out of the reserve.
 * False if they do not fit. edns->present is not looked at. */
MUST_USE bool composer_edns(struct composer *c, const struct edns *edns);

/* Writes the header; returns the message. After that, TSIG may be appended to `c->w`, which counts
 * itself in the header. */
struct bytes composer_finish(struct composer *c, uint16_t id, uint16_t flags);
