// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the seccomp_run site, what filters answer.
 *
 * key:    the words of struct seccomp_data that the filter chain may load when
 *	   it is run for this system call
 * result: the chain's return value, and which filter it came from
 * owner:  the chain, by the filter that it begins with; a chain never changes
 *
 * Which words those are depends on the system call: its number and the
 * architecture are loaded first, and then compared with constants. For each
 * that comes by, the programs are walked once with those two known and
 * everything else unknown, see kcr_seccomp_scan().
 *
 * Requests are accounted by the length of the chain, so that short chains, for
 * which this does not pay, are told apart from long ones.
 */
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/kcr_seccomp.h>
#include <linux/nospec.h>
#include <linux/seccomp.h>
#include <linux/slab.h>

DEFINE_STATIC_KEY_FALSE(kcr_seccomp_run_key);

struct kcr_site kcr_seccomp_run_site = {
	.name = "seccomp_run",
	.key = &kcr_seccomp_run_key,
	.automatic = true,
};

#define KCR_SECCOMP_WORDS	(sizeof(struct seccomp_data) / sizeof(u32))

/* See kcr_seccomp_reads() */
#define KCR_READS_MASK		BIT(15)
#define KCR_READS_NONE		1
/* The mask begins with this word: the two before are always part of the key */
#define KCR_READS_FIRST		2

static_assert(KCR_SECCOMP_WORDS - KCR_READS_FIRST <= 15);
static_assert(KCR_SECCOMP_WORDS * sizeof(u32) <= KCR_INLINE_MAX);

/* Of chains that have not been run yet: nothing is known. Never written */
static u16 kcr_seccomp_unknown[KCR_SECCOMP_CALLS];

/* Where &struct kcr_seccomp.reads has a system call, or -1 */
static int kcr_seccomp_call(const struct seccomp_data *sd)
{
	unsigned int nr = sd->nr;

	if (sd->arch == SECCOMP_ARCH_NATIVE && nr < SECCOMP_ARCH_NATIVE_NR)
		return array_index_nospec(nr, SECCOMP_ARCH_NATIVE_NR);
#ifdef SECCOMP_ARCH_COMPAT
	if (sd->arch == SECCOMP_ARCH_COMPAT && nr < SECCOMP_ARCH_COMPAT_NR)
		return KCR_SECCOMP_NATIVE +
		       array_index_nospec(nr, SECCOMP_ARCH_COMPAT_NR);
#endif
	return -1;
}

/**
 * struct kcr_seccomp_state - what is known before an instruction is executed
 * @acc: the accumulator, if it is known
 * @known: whether it is
 * @reached: whether the instruction may be executed at all
 */
struct kcr_seccomp_state {
	u32 acc;
	bool known;
	bool reached;
};

/* The instruction at @to may be executed in state @from, too */
static void kcr_seccomp_reach(struct kcr_seccomp_state *to,
			      const struct kcr_seccomp_state *from)
{
	if (!to->reached)
		*to = *from;
	else if (to->acc != from->acc || !from->known)
		to->known = false;
}

static bool kcr_seccomp_jumps(const struct sock_filter *insn, u32 acc)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		return acc == insn->k;
	case BPF_JGT:
		return acc > insn->k;
	case BPF_JGE:
		return acc >= insn->k;
	default:
		return acc & insn->k;
	}
}

/* Jumps go forward only; if what they depend on is not known, both ways */
static void kcr_seccomp_jump(struct kcr_seccomp_state *at,
			     const struct sock_filter *insn)
{
	struct kcr_seccomp_state *next = at + 1;

	if (BPF_OP(insn->code) == BPF_JA) {
		kcr_seccomp_reach(next + insn->k, at);
	} else if (at->known && BPF_SRC(insn->code) == BPF_K) {
		kcr_seccomp_reach(next + (kcr_seccomp_jumps(insn, at->acc) ?
					  insn->jt : insn->jf), at);
	} else {
		kcr_seccomp_reach(next + insn->jt, at);
		kcr_seccomp_reach(next + insn->jf, at);
	}
}

/* Execute what is no jump; returns the mask of words that it loads */
static u32 kcr_seccomp_step(struct kcr_seccomp_state *at,
			    const struct sock_filter *insn,
			    const struct seccomp_data *sd)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		at->known = insn->k < KCR_READS_FIRST * sizeof(u32);
		if (!at->known)
			return BIT(insn->k / sizeof(u32));
		at->acc = ((const u32 *)sd)[insn->k / sizeof(u32)];
		return 0;
	case BPF_LD | BPF_IMM:
		at->known = true;
		at->acc = insn->k;
		return 0;
	case BPF_ALU | BPF_AND | BPF_K:
		at->acc &= insn->k;
		return 0;
	default:
		/* Of what is left these leave the accumulator as it is */
		if (BPF_CLASS(insn->code) != BPF_LDX &&
		    BPF_CLASS(insn->code) != BPF_ST &&
		    BPF_CLASS(insn->code) != BPF_STX)
			at->known = false;
		return 0;
	}
}

/*
 * Which words a program may load when it is run for the system call that @sd
 * names. Whatever is not followed here (the index register, memory, arithmetic)
 * counts as unknown, so that what is found is never too little. @states has
 * an element for each instruction.
 */
static u32 kcr_seccomp_scan(const struct sock_fprog_kern *orig,
			    const struct seccomp_data *sd,
			    struct kcr_seccomp_state *states)
{
	const struct sock_filter *insn;
	unsigned int pc;
	u32 mask = 0;

	memset(states, 0, orig->len * sizeof(*states));
	states[0].reached = true;
	for (pc = 0; pc < orig->len; pc++) {
		insn = &orig->filter[pc];
		if (!states[pc].reached || BPF_CLASS(insn->code) == BPF_RET)
			continue;
		if (BPF_CLASS(insn->code) == BPF_JMP) {
			kcr_seccomp_jump(&states[pc], insn);
			continue;
		}
		mask |= kcr_seccomp_step(&states[pc], insn, sd);
		kcr_seccomp_reach(&states[pc + 1], &states[pc]);
	}
	return mask;
}

static u16 kcr_seccomp_encode(u32 mask)
{
	u32 rest = mask & (mask - 1);

	if (hweight32(mask) > 2)
		return KCR_READS_MASK | mask >> KCR_READS_FIRST;
	return (mask ? __ffs(mask) : KCR_READS_NONE) |
	       (rest ? __ffs(rest) : KCR_READS_NONE) << 8;
}

/* Find out what the chain reads for a system call; 0 if there is no memory */
static noinline u16 kcr_seccomp_learn(struct kcr_seccomp *k,
				      const struct seccomp_data *sd, int call)
{
	struct kcr_seccomp_state *states;
	u16 *unknown = kcr_seccomp_unknown;
	const struct kcr_seccomp *at;
	u16 *reads = READ_ONCE(k->reads);
	u32 mask = 0;

	if (reads == kcr_seccomp_unknown) {
		reads = kcalloc(KCR_SECCOMP_CALLS, sizeof(*reads),
				GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!reads)
			return 0;
		/* Fully ordered: zeroed before it can be seen */
		if (!try_cmpxchg(&k->reads, &unknown, reads)) {
			kfree(reads);
			reads = unknown;
		}
	}
	states = kvmalloc_array(BPF_MAXINSNS, sizeof(*states),
				GFP_KERNEL | __GFP_NOWARN);
	if (!states)
		return 0;
	for (at = k; at; at = at->prev)
		mask |= kcr_seccomp_scan(at->prog->orig_prog, sd, states);
	kvfree(states);
	WRITE_ONCE(reads[call], kcr_seccomp_encode(mask));
	return reads[call];
}

/* Chains that read more than two words beside number and architecture */
static noinline int kcr_seccomp_lookup_mask(struct kcr_query *q,
					    const struct seccomp_data *sd,
					    u32 insns, u16 reads)
{
	const u32 *words = (const u32 *)sd;
	unsigned long mask = (reads & ~KCR_READS_MASK) << KCR_READS_FIRST;
	u32 *key = (u32 *)q->key;
	unsigned int bit, n = 0;

	memset(key, 0, KCR_INLINE_MAX);
	key[n++] = words[0];
	key[n++] = words[1];
	for_each_set_bit(bit, &mask, KCR_SECCOMP_WORDS)
		key[n++] = words[bit];
	kcr_begin_inline(q, insns, n > 8 ? KCR_CLASS_64 : KCR_CLASS_32);
	return kcr_lookup_unified(q);
}

/**
 * kcr_seccomp_lookup() - find what a filter chain has answered before
 * @q: the query
 * @k: of the filter that the chain begins with
 * @sd: what the chain is run for
 *
 * Context: may sleep.
 * Return: 1 with the first word of @q->res: the return value in the lower half,
 * in the upper one which filter it came from, counted from 1, or 0 if all allow;
 * 0 if that has to be found out and may be stored; a negative error if this
 * is not for reuse.
 */
int kcr_seccomp_lookup(struct kcr_query *q, struct kcr_seccomp *k,
		       const struct seccomp_data *sd)
{
	const u32 *words = (const u32 *)sd;
	int call = kcr_seccomp_call(sd);
	u16 reads;

	if (unlikely(call < 0))
		return -EOPNOTSUPP;
	reads = READ_ONCE(READ_ONCE(k->reads)[call]);
	if (unlikely(!reads)) {
		reads = kcr_seccomp_learn(k, sd, call);
		if (!reads)
			return -ENOMEM;
	}
	q->site = &kcr_seccomp_run_site;
	q->owner = &k->owner;
	/* A chain is never changed, so neither is its stamp */
	q->stamp = k->owner.stamp;
	if (unlikely(reads & KCR_READS_MASK))
		return kcr_seccomp_lookup_mask(q, sd, k->insns, reads);
	q->key[0] = *(const u64 *)sd;
	q->key[1] = words[(u8)reads] | (u64)words[reads >> 8] << 32;
	kcr_begin_inline(q, k->insns, KCR_CLASS_16);
	return kcr_lookup_16(q);
}

/**
 * kcr_seccomp_attach() - a filter gets its place in a chain
 * @k: of the filter
 * @prog: its program
 * @prev: of the next one in the chain, or NULL
 *
 * Context: any short of NMI; before the filter is used.
 */
void kcr_seccomp_attach(struct kcr_seccomp *k, const struct bpf_prog *prog,
			const struct kcr_seccomp *prev)
{
	k->prog = prog;
	k->prev = prev;
	k->insns = prog->orig_prog->len + (prev ? prev->insns : 0);
	k->size = kcr_size(k->insns);
	k->reads = kcr_seccomp_unknown;
	kcr_owner_init(&k->owner);
}

/**
 * kcr_seccomp_detach() - a filter is not in any chain any more, or never was
 * @k: of the filter
 *
 * What the chain has answered is not swept: its stamp is never used again, and
 * system calls' arguments are no secrets.
 *
 * Context: any.
 */
void kcr_seccomp_detach(struct kcr_seccomp *k)
{
	if (k->reads != kcr_seccomp_unknown)
		kfree(k->reads);
}

static int __init kcr_seccomp_run_init(void)
{
	return kcr_site_register(&kcr_seccomp_run_site);
}
subsys_initcall(kcr_seccomp_run_init);
