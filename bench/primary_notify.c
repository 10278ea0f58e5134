/* SPDX-License-Identifier: MIT
 *
 * bench/primary_notify.c — tells a secondary of many zones at once, until each was answered. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/arena.h"
#include "bench/primary_p.h"

#define NOTIFY_WINDOW 512U

static int64_t now_ms(const struct primary *p)
{
	return p->now_ns / NS_PER_MS;
}

static bool notify_send(const struct primary *p, uint32_t zone)
{
	uint8_t octets[DATAGRAM_LEN];
	struct writer w = writer_of(octets, sizeof(octets));

	notify_write(p, (uint16_t)zone, zone, &w);
	return send(p->notifier.source.fd, octets, w.len, MSG_DONTWAIT) > 0;
}

static void notify_end(struct notifier *n)
{
	close(n->source.fd);
	n->source.fd = -1;
	free(n->answered);
	n->answered = NULL;
	printf("ok\n");
}

/* Keeps the window full; after the last zone it begins again with those that did not answer. */
static void notify_more(struct primary *p)
{
	struct notifier *n = &p->notifier;

	while (n->left > 0 && n->in_flight < NOTIFY_WINDOW && n->in_flight < n->left) {
		if (n->next > n->last) {
			if (n->in_flight > 0) {
				return;
			}
			n->next = n->first;
		}
		if (n->answered[n->next - n->first] == 0) {
			if (!notify_send(p, n->next)) {
				return;
			}
			n->in_flight++;
		}
		n->next++;
	}
	if (n->left == 0) {
		notify_end(n);
	}
}

void notify_hear(struct primary *p)
{
	struct notifier *n = &p->notifier;
	uint8_t in[DATAGRAM_LEN];
	struct told told;
	ssize_t len;

	while ((len = recv(n->source.fd, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		if (told_read(p, bytes_of(in, (size_t)len), &told) && told.rcode == RCODE_NOERROR &&
		    told.zone >= n->first && told.zone <= n->last &&
		    n->answered[told.zone - n->first] == 0) {
			n->answered[told.zone - n->first] = 1;
			n->left--;
			n->in_flight -= n->in_flight > 0;
			n->heard_ms = now_ms(p);
		}
	}
	notify_more(p);
}

/* What was not answered for a while is lost. */
void notify_tick(struct primary *p)
{
	struct notifier *n = &p->notifier;

	if (n->source.fd >= 0 && now_ms(p) - n->heard_ms > NOTIFY_AGAIN_MS) {
		n->heard_ms = now_ms(p);
		n->in_flight = 0;
		notify_more(p);
	}
}

void notify_begin(struct primary *p, const struct addr *to, uint32_t first, uint32_t last)
{
	struct notifier *n = &p->notifier;

	n->source = (struct source){ SOURCE_NOTIFY, socket_to(p, to) };
	n->first = first;
	n->last = last;
	n->next = first;
	n->left = last - first + 1;
	n->in_flight = 0;
	n->answered = mem_zero(n->left, 1);
	n->heard_ms = now_ms(p);
	watch(p, EPOLL_CTL_ADD, &n->source, EPOLLIN);
	notify_more(p);
}
