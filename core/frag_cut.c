/* SPDX-License-Identifier: MIT */
/* frag_cut.c - packets cut into fragments
 *
 * The payload is not copied: each fragment is its own header and slices of
 * the pieces that came in.
 */
#include <errno.h>

#include "frag.h"
#include "util.h"

/* Where we are in the pieces of the whole. */
struct cursor {
	const struct iovec *v;
	size_t at; /* in *v */
};

/* The next len bytes as slices; gives how many. */
static int slices(struct cursor *c, struct iovec *out, size_t len)
{
	int n = 0;

	while (len) {
		size_t left = c->v->iov_len - c->at;

		if (!left) {
			c->v++;
			c->at = 0;
			continue;
		}
		left = MIN(left, len);
		out[n].iov_base = (uint8_t *)c->v->iov_base + c->at;
		out[n++].iov_len = left;
		c->at += left;
		len -= left;
	}
	return n;
}

/* The header of one fragment, made of that of the whole. */
static size_t header(uint8_t *out, const uint8_t *ip, uint32_t off,
		     uint32_t len, bool more, uint32_t id)
{
	uint16_t sum;

	if (ip[0] >> 4 == 6) {
		memcpy(out, ip, 40);
		put_be16(out + 4, (uint16_t)(len + 8));
		out[6] = 44;
		out[40] = ip[6];
		out[41] = 0;
		put_be16(out + 42, (uint16_t)(off | more));
		put_be32(out + 44, id);
		return 48;
	}
	memcpy(out, ip, 20);
	put_be16(out + 2, (uint16_t)(len + 20));
	put_be16(out + 4, (uint16_t)id);
	put_be16(out + 6, (uint16_t)(off >> 3 | (more ? 0x2000 : 0)));
	put_be16(out + 10, 0);
	sum = csum_fold(csum_add(0, out, 20));
	memcpy(out + 10, &sum, sizeof(sum));
	return 20;
}

int frag_cut(const struct iovec *v, int n, uint32_t mtu, uint32_t id,
	     int (*emit)(void *arg, const struct iovec *v, int n), void *arg)
{
	struct iovec out[FRAG_PIECES + 1];
	const uint8_t *ip = v->iov_base;
	bool v6 = ip[0] >> 4 == 6;
	uint32_t head = v6 ? 40 : 20, over = v6 ? 48 : 20;
	struct cursor c = { v, head };
	uint8_t h[48];
	size_t len = 0;
	int ret;

	if (n > FRAG_PIECES || v->iov_len < head || mtu < over + 8)
		return -EINVAL;
	if (!v6 && (ip[0] != 0x45 || get_be16(ip + 6) & 0x3fff))
		return -EINVAL;
	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	if (len > PACKET_MAX + (v6 ? 40 : 0))
		return -EINVAL;
	if (len <= mtu)
		return emit(arg, v, n);

	len -= head;
	mtu = (mtu - over) & ~7u;
	for (uint32_t off = 0; off < len; off += mtu) {
		uint32_t part = MIN(mtu, (uint32_t)len - off);

		out[0].iov_base = h;
		out[0].iov_len = header(h, ip, off, part, off + part < len, id);
		ret = emit(arg, out, 1 + slices(&c, out + 1, part));
		if (ret)
			return ret;
	}
	return 0;
}
