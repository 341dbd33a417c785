/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for seccomp: what is compiled at installation, and
 * what filters answer.
 *
 * See Documentation/core-api/kcr.rst. The glue to struct seccomp_filter is in
 * kernel/kcr_seccomp.h.
 */
#ifndef _LINUX_KCR_SECCOMP_H
#define _LINUX_KCR_SECCOMP_H

#include <linux/kcr.h>
#include <linux/log2.h>
#include <linux/seccomp.h>

struct bpf_prog;
struct seccomp_data;
struct sock_fprog;

#ifdef CONFIG_KCR_SECCOMP

DECLARE_STATIC_KEY_FALSE(kcr_seccomp_install_key);
DECLARE_STATIC_KEY_FALSE(kcr_seccomp_run_key);
extern struct kcr_site kcr_seccomp_install_site;
extern struct kcr_site kcr_seccomp_run_site;

/**
 * struct kcr_seccomp - what KCR knows about a filter
 * @owner: of what the chain that begins with this filter answers
 * @program: the compiled program if it may be shared, or NULL
 * @prog: the program, shared or not
 * @prev: the next one of the chain
 * @insns: instructions of the whole chain, as classic BPF
 * @size: kcr_size() of that
 * @reads: for each system call, which words of struct seccomp_data the chain
 *	may load when it is run for that; see kcr_seccomp_reads()
 */
struct kcr_seccomp {
	struct kcr_owner owner;
	struct kcr_object *program;
	const struct bpf_prog *prog;
	const struct kcr_seccomp *prev;
	u32 insns;
	u32 size;
	u16 *reads;
};

/* Elements of &struct kcr_seccomp.reads: for native calls a power of two, ... */
#define KCR_SECCOMP_NATIVE	roundup_pow_of_two(SECCOMP_ARCH_NATIVE_NR)
/* ... and after them what is not native */
#ifdef SECCOMP_ARCH_COMPAT
#define KCR_SECCOMP_CALLS	(KCR_SECCOMP_NATIVE + SECCOMP_ARCH_COMPAT_NR)
#else
#define KCR_SECCOMP_CALLS	KCR_SECCOMP_NATIVE
#endif

/*
 * What is known about the words that the chain reads for a native system call:
 * 0 if nothing yet; positive if at most two besides number and architecture,
 * their numbers in the two bytes (1, the architecture, for each that is not
 * needed); negative if more, KCR_READS_MASK and a mask from word 2 on.
 */
static __always_inline s16 kcr_seccomp_reads(const struct kcr_seccomp *k,
					     const struct seccomp_data *sd)
{
	const u16 *table = READ_ONCE(k->reads);
	unsigned int nr = sd->nr;

	if (unlikely(sd->arch != SECCOMP_ARCH_NATIVE || nr >= SECCOMP_ARCH_NATIVE_NR))
		return 0;
	/* In range, even if the check has been mispredicted */
	return READ_ONCE(table[nr & (KCR_SECCOMP_NATIVE - 1)]);
}

bool kcr_seccomp_find(struct kcr_query *q, struct kcr_seccomp *k,
		      const struct sock_fprog *fprog, struct bpf_prog **prog,
		      void *cache, size_t cache_size);
void kcr_seccomp_keep(struct kcr_query *q, struct kcr_seccomp *k,
		      struct bpf_prog *prog, const void *cache,
		      size_t cache_size);
void kcr_seccomp_attach(struct kcr_seccomp *k, const struct bpf_prog *prog,
			const struct kcr_seccomp *prev);
void kcr_seccomp_detach(struct kcr_seccomp *k);
void kcr_seccomp_free(struct kcr_seccomp *k, struct bpf_prog *prog);

int kcr_seccomp_lookup(struct kcr_query *q, struct kcr_seccomp *k,
		       const struct seccomp_data *sd);

void kcr_seccomp_renew(void);

#else /* !CONFIG_KCR_SECCOMP */

struct kcr_seccomp { };

static inline void kcr_seccomp_renew(void) { }

#endif /* CONFIG_KCR_SECCOMP */

#endif /* _LINUX_KCR_SECCOMP_H */
