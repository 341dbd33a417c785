// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: xxHash64, as the kernel has it.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "internal.h"

/* kcr_hash() - xxHash64 of some bytes */
uint64_t kcr_hash(const void *data, size_t len, uint64_t seed)
{
	return XXH64(data, len, seed);
}
