/* SPDX-License-Identifier: MIT
 *
 * ring/buffers.c — the buffers that the kernel receives into.
 *
 * The ring of provided buffers is mapped and registered by hand, since liburing 2.3 cannot do it.
 * Entry i of the pool is buffer i for ever; giving it back puts its number into the ring again. */
#include "ring/buffers_p.h"

#include <errno.h>
#include <sys/mman.h>

static void *map(size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void buffers_fini(struct buffers *b)
{
	if (b->ring != NULL) {
		munmap(b->ring, b->ring_len);
	}
	if (b->base != NULL) {
		munmap(b->base, (size_t)b->count * b->len);
	}
	*b = (struct buffers){ .group = b->group };
}

static void buffers_put(struct buffers *b, unsigned n)
{
	io_uring_buf_ring_add(b->ring, b->base + (size_t)n * b->len, b->len, (uint16_t)n,
	                      (int)(b->count - 1), 0);
	io_uring_buf_ring_advance(b->ring, 1);
}

int buffers_init(struct buffers *b, struct io_uring *ring, unsigned count, unsigned len)
{
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = b->group };
	int res = -ENOMEM;

	assert(count > 0 && (count & (count - 1)) == 0 && count <= 1U << 15);
	assert(b->ring == NULL);
	b->count = count;
	b->len = len;
	b->ring_len = count * sizeof(struct io_uring_buf);
	b->ring = map(b->ring_len);
	b->base = map((size_t)count * len);
	if (b->ring != NULL && b->base != NULL) {
		reg.ring_addr = (uintptr_t)b->ring;
		res = io_uring_register_buf_ring(ring, &reg, 0);
	}
	if (res < 0) {
		buffers_fini(b);
		return res;
	}
	io_uring_buf_ring_init(b->ring);
	for (unsigned i = 0; i < count; i++) {
		buffers_put(b, i);
	}
	return 0;
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

	assert(buffers_have(b, at));
	buffers_put(b, (unsigned)(offset / b->len));
}
