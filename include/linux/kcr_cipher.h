/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: the key that a process's results are encrypted with.
 */
#ifndef _LINUX_KCR_CIPHER_H
#define _LINUX_KCR_CIPHER_H

#include <linux/types.h>

#ifdef CONFIG_KCR_ENCRYPTION
/**
 * struct kcr_cipher - a process's key
 * @key: for ChaCha20
 * @tag: has each process find results in places of its own
 */
struct kcr_cipher {
	u32 key[8];
	u64 tag;
};

void kcr_cipher_init(struct kcr_cipher *cipher);
void kcr_cipher_destroy(struct kcr_cipher *cipher);

/* A memory descriptor begins and ends its life */
#define kcr_mm_init(mm)		kcr_cipher_init(&(mm)->kcr_cipher)
#define kcr_mm_destroy(mm)	kcr_cipher_destroy(&(mm)->kcr_cipher)
#else
struct mm_struct;

static inline void kcr_mm_init(struct mm_struct *mm) { }
static inline void kcr_mm_destroy(struct mm_struct *mm) { }
#endif

#endif /* _LINUX_KCR_CIPHER_H */
