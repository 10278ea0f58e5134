/* SPDX-License-Identifier: MIT
 *
 * ring/buffers.c — the buffers that the kernel receives into.
 *
 * The ring of provided buffers is mapped and registered by hand, since liburing 2.3 cannot do it.
 * Entry i of the pool is buffer i for ever; giving it back puts its number into the ring again. */
#include "ring/uring_p.h"

#include <errno.h>
#include <sys/mman.h>

static void *map(size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void buffers_unmap(struct buffers *b)
{
	if (b->ring != NULL) {
		munmap(b->ring, b->ring_len);
	}
	if (b->base != NULL) {
		munmap(b->base, (size_t)b->count * b->len);
	}
	*b = (struct buffers){ 0 };
}

static void buffers_put(struct buffers *b, unsigned n)
{
	io_uring_buf_ring_add(b->ring, b->base + (size_t)n * b->len, b->len, (uint16_t)n,
	                      (int)(b->count - 1), 0);
	io_uring_buf_ring_advance(b->ring, 1);
}

/* Returns 0 or a negative errno. */
int buffers_init(struct uring *u, enum buffer_group group, unsigned count, unsigned len)
{
	struct buffers *b = &u->buffers[group];
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = (uint16_t)group };
	int res = -ENOMEM;

	assert(count > 0 && (count & (count - 1)) == 0 && count <= 1U << 15);
	*b = (struct buffers){ .count = count, .len = len, .group = (uint16_t)group };
	b->ring_len = count * sizeof(struct io_uring_buf);
	b->ring = map(b->ring_len);
	b->base = map((size_t)count * len);
	if (b->ring != NULL && b->base != NULL) {
		reg.ring_addr = (uintptr_t)b->ring;
		res = io_uring_register_buf_ring(&u->ring, &reg, 0);
	}
	if (res < 0) {
		buffers_unmap(b);
		return res;
	}
	io_uring_buf_ring_init(b->ring);
	for (unsigned i = 0; i < count; i++) {
		buffers_put(b, i);
	}
	return 0;
}

void buffers_fini(struct uring *u, enum buffer_group group)
{
	buffers_unmap(&u->buffers[group]);
}

uint8_t *buffers_at(const struct buffers *b, uint32_t cqe_flags)
{
	unsigned n = cqe_flags >> IORING_CQE_BUFFER_SHIFT;

	assert((cqe_flags & IORING_CQE_F_BUFFER) != 0);
	assert(n < b->count);
	return b->base + (size_t)n * b->len;
}

void buffers_give(struct buffers *b, const void *at)
{
	size_t offset = (size_t)((uintptr_t)at - (uintptr_t)b->base);

	assert(offset < (size_t)b->count * b->len);
	buffers_put(b, (unsigned)(offset / b->len));
}

void uring_give_back(struct io *io, struct io_lease lease)
{
	struct uring *u = uring_of(io);
	uintptr_t at = (uintptr_t)lease.at;
	const struct buffers *stream = &u->buffers[GROUP_STREAM];
	uintptr_t base = (uintptr_t)stream->base;
	bool of_stream = at >= base && at - base < (size_t)stream->count * stream->len;

	if (lease.at == NULL) {
		return;
	}
	assert(lease.at == u->leased); /* once, in the handler that got it */
	u->leased = NULL;
	buffers_give(&u->buffers[of_stream ? GROUP_STREAM : GROUP_DATAGRAM], lease.at);
}
