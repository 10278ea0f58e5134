/* SPDX-License-Identifier: MIT
 *
 * transfer/conn_learn.c — what becomes of connections, and what that says about a primary. */
#include "transfer/conn_inner_p.h"

/* The connection came to nothing. Where others are alive, it is their number that the primary minds. */
bool conn_too_many(const struct conn *c, enum err e)
{
	uint64_t since = e == ERR_PEER_TIMEOUT ? c->opened_ns : 0; /* who says no is there */
	/* Those of other shards are taken to be alive. */
	uint32_t alive = quota_conns(c->primary->quota) - c->primary->conn_count;

	for (const struct conn *o = c->primary->conns; o != NULL; o = o->next) {
		alive += o != c && o->heard_ns > since;
	}
	if (alive == 0 || c->messages != 0 || err_class(e) != ERR_CLASS_PEER) {
		return false;
	}
	primary_bears(c->primary, alive);
	return true;
}

/* One connection more speaks for its being able to do less. */
static void strike(const struct conn *c, enum primary_ability ability)
{
	struct primary *p = c->primary;

	p->strike_ns = conn_now(c);
	p->proofs = 0;
	if (++p->strikes >= CONN_STRIKES_MAX) {
		primary_can(p, ability);
	}
}

/* When a primary ends, or the network does, all its connections do at once: that counts once. */
static void strike_spaced(const struct conn *c)
{
	const struct primary *p = c->primary;

	if (p->strike_ns == 0 || conn_now(c) - p->strike_ns >= CONN_STRIKE_S * NS_PER_S) {
		strike(c, ABILITY_SERIAL);
	}
}

/* What does an end say about the primary's ability? One right after a single answer, that it closes always;
 * or, if there were others to answer, that they should not have been sent. One that never said a word
 * says nothing yet: the next is asked one thing alone. */
static void learn_ability(const struct conn *c)
{
	struct primary *p = c->primary;
	bool prompt = c->served > 0 && conn_now(c) - c->answered_ns <= CONN_PROMPT_NS;
	bool others = c->piped && c->count > 0;

	if (c->served == 1 && prompt) {
		strike(c, others ? ABILITY_SERIAL : ABILITY_SINGLE);
	} else if (c->piped && c->messages == 0) {
		p->cautious = true;
	} else if (others && c->served < CONN_DEPTH_MAX) {
		strike_spaced(c);
	}
}

void conn_learn_end(const struct conn *c, enum err e)
{
	struct primary *p = c->primary;
	bool alone = quota_conns(p->quota) == p->conn_count; /* no other shard has any */

	if (e != ERR_PEER_CLOSED) {
		return;
	}
	learn_ability(c);
	if (c->count > 1) {
		window_lost(&p->windows[JOB_PULL], conn_now(c));
	}
	/* One that closes one connection after the other without a word is as good as none. */
	if (c->messages == 0 && !c->piped && alone && ++p->mute >= CONN_STRIKES_MAX) {
		p->mute = 0;
		primary_unreached(p, e);
	}
}

void conn_learn_lost(struct conn *c, bool sure)
{
	struct primary *p = c->primary;

	if (sure) {
		primary_can(p, ABILITY_SERIAL);
	} else {
		strike_spaced(c);
	}
}

/* What was asked before another was answered, and answered after it, shows that it can be, though once may
 * be luck; where one at a time is asked, a second answer does. */
void conn_note_served(struct conn *c, const struct request *r)
{
	bool behind = c->served > 0 && c->answered_ns > r->sent_ns;
	struct primary *p = c->primary;

	c->served++;
	c->answered_ns = conn_now(c);
	p->proofs += behind;
	if (p->proofs >= CONN_PROOFS_MIN || (p->ability != ABILITY_PIPELINE && c->served > 1)) {
		p->strikes = 0;
		p->proofs = 0;
	}
}

void conn_note_answer(struct conn *c, struct request *r)
{
	struct primary *p = c->primary;

	for (struct request *o = c->requests; o != r; o = o->next) {
		if (o->first_ns == 0 && !o->overtaken) {
			o->overtaken = true;
			o->heard_ns = conn_now(c);
		}
	}
	p->reorders = p->reorders || r->overtaken;
	r->first_ns = conn_now(c);
	p->heard = true;
	p->heard_ns = conn_now(c);
	p->mute = 0;
	if (p->cautious) {
		p->cautious = false; /* it answers, if it is asked one thing alone */
		p->strikes++;
	}
	primary_answered(p);
	if (r->sent_ns != 0) {
		window_answered(&p->windows[JOB_PULL], r->first_ns - r->sent_ns,
		                p->slots[JOB_PULL].running * 2 >= p->windows[JOB_PULL].size,
		                r->first_ns);
	}
}

/* A connection that answered others, and then says nothing to what was asked after them for much
 * longer than it ever took, has lost it; and so it has what others overtake, unless it is known to answer in any
 * order. */
bool conn_dropped(const struct conn *c)
{
	const struct primary *p = c->primary;
	uint64_t silence = CONN_SILENCE_S * NS_PER_S;
	uint64_t usual = 8 * p->windows[JOB_PULL].smooth_ns;
	uint64_t since = c->heard_ns;

	for (const struct request *r = c->requests; r != NULL; r = r->next) {
		if (r->overtaken && r->first_ns == 0 && !p->reorders) {
			since = r->sent_ns;
			break;
		}
		since = r->sent_ns > since ? r->sent_ns : since;
	}
	return c->piped && c->served > 0 &&
	       conn_now(c) - since >= (usual > silence ? usual : silence);
}
