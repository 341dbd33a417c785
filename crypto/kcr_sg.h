/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: scatterlists as plain memory.
 *
 * KCR depends on 64BIT, where there is no high memory: every page of a
 * scatterlist has a kernel address.
 */
#ifndef _CRYPTO_KCR_SG_H
#define _CRYPTO_KCR_SG_H

#include <linux/minmax.h>
#include <linux/scatterlist.h>
#include <linux/string.h>

/**
 * kcr_sg_linear() - address of a scatterlist's data if it is in one piece
 * @sg: the scatterlist
 * @len: bytes wanted
 *
 * Return: the address, or NULL if the first entry is shorter.
 */
static inline void *kcr_sg_linear(struct scatterlist *sg, unsigned int len)
{
	return sg->length >= len ? sg_virt(sg) : NULL;
}

/* A few common sizes without a call */
static __always_inline void kcr_copy(void *dst, const void *src,
				     unsigned int len)
{
	if (len == 64)
		memcpy(dst, src, 64);
	else if (len == 16)
		memcpy(dst, src, 16);
	else if (len == 32)
		memcpy(dst, src, 32);
	else
		memcpy(dst, src, len);
}

bool __kcr_sg_gather(void *dst, struct scatterlist *sg, unsigned int len);
void __kcr_sg_scatter(struct scatterlist *sg, const void *src, unsigned int len);

/**
 * kcr_sg_gather() - copy the beginning of a scatterlist
 * @dst: where to
 * @sg: the scatterlist
 * @len: bytes
 *
 * Return: false if the scatterlist is shorter.
 */
static __always_inline bool kcr_sg_gather(void *dst, struct scatterlist *sg,
					  unsigned int len)
{
	if (unlikely(sg->length < len))
		return __kcr_sg_gather(dst, sg, len);
	kcr_copy(dst, sg_virt(sg), len);
	return true;
}

/**
 * kcr_sg_scatter() - copy to the beginning of a scatterlist
 * @sg: the scatterlist
 * @src: where from
 * @len: bytes; what does not fit is left out
 */
static __always_inline void kcr_sg_scatter(struct scatterlist *sg,
					   const void *src, unsigned int len)
{
	if (unlikely(sg->length < len))
		__kcr_sg_scatter(sg, src, len);
	else
		kcr_copy(sg_virt(sg), src, len);
}

#endif /* _CRYPTO_KCR_SG_H */
