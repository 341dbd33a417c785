// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the seccomp_install site, compiled filters.
 *
 * key:    the filter's classic BPF, byte for byte, and whether its user's
 *	   capabilities spare it from being hardened
 * result: an object: the compiled program and which system calls it allows
 *	   whatever their arguments
 * owner:  one for the system, renewed when a setting changes that shapes code
 *
 * What depends on more than the bytes (its place in a chain, flags, listener,
 * log setting) stays the filter's own. The original program, which checkpointing
 * asks for, is equal for equal bytes and shared with the rest.
 */
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/kcr_seccomp.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

DEFINE_STATIC_KEY_FALSE(kcr_seccomp_install_key);

static struct kcr_owner kcr_seccomp_install_owner;

struct kcr_site kcr_seccomp_install_site = {
	.name = "seccomp_install",
	.key = &kcr_seccomp_install_key,
	.max_body = BPF_MAXINSNS * sizeof(struct sock_filter),
	.automatic = true,
	.objects = true,
};

/**
 * struct kcr_seccomp_program - a compiled filter that many may use
 * @object: for those who use or remember it
 * @prog: the program
 * @cache_size: bytes at @cache
 * @cache: a struct action_cache: what it allows by itself
 */
struct kcr_seccomp_program {
	struct kcr_object object;
	struct bpf_prog *prog;
	size_t cache_size;
	u8 cache[] __aligned(sizeof(long));
};

static struct kcr_seccomp_program *kcr_seccomp_program(struct kcr_object *object)
{
	return container_of(object, struct kcr_seccomp_program, object);
}

/* Who remembers it has waited for readers before, see kcr_blob_retire() */
static void kcr_seccomp_release(struct kcr_object *object)
{
	struct kcr_seccomp_program *program = kcr_seccomp_program(object);

	bpf_prog_destroy(program->prog);
	kfree(program);
}

/* Hardened programs have constants of their own, for equal work */
static bool kcr_seccomp_equal(const struct kcr_object *a, const struct kcr_object *b)
{
	const struct kcr_seccomp_program *x, *y;

	x = container_of_const(a, struct kcr_seccomp_program, object);
	y = container_of_const(b, struct kcr_seccomp_program, object);
	if (memcmp(x->cache, y->cache, x->cache_size))
		return false;
	if (x->prog->blinded || y->prog->blinded)
		return x->prog->blinded == y->prog->blinded;
	return x->prog->len == y->prog->len &&
	       !memcmp(x->prog->insnsi, y->prog->insnsi, bpf_prog_insn_size(x->prog));
}

/* A user who may load hardened programs as they are, with that setting */
static bool kcr_seccomp_spared(void)
{
#ifdef CONFIG_BPF_JIT
	return READ_ONCE(bpf_jit_harden) == 1 && bpf_token_capable(NULL, CAP_BPF);
#else
	return false;
#endif
}

/* To be printed for debugging, each time that one is compiled */
static bool kcr_seccomp_printed(void)
{
#ifdef CONFIG_BPF_JIT
	return READ_ONCE(bpf_jit_enable) > 1;
#else
	return false;
#endif
}

/* Short programs would be inline, which objects are not; they are cheap, too */
static bool kcr_seccomp_begin(struct kcr_query *q, u32 len)
{
	struct kcr_shape shape = { .body_len = len };

	if (len <= KCR_INLINE_MAX || kcr_seccomp_printed())
		return false;
	if (kcr_query_begin(q, &kcr_seccomp_install_site,
			    &kcr_seccomp_install_owner, &shape) < 0)
		return false;
	/* After the stamp was taken: a change to the setting is seen here or there */
	if (kcr_seccomp_spared())
		q->head |= 1;
	return true;
}

/**
 * kcr_seccomp_find() - find the compiled program of a filter
 * @q: the query; to be ended by the caller if there is none
 * @k: of the new filter; on success it has a reference to the program
 * @fprog: the filter's classic BPF, in user space
 * @prog: where to put the program
 * @cache: where to put its struct action_cache
 * @cache_size: the size of that in bytes
 *
 * What is looked for is what user space has when it is read here. It may be
 * something else when it is compiled: kcr_seccomp_keep() looks.
 *
 * Context: may sleep.
 * Return: true if there is one; else, @q->body is NULL if it is not for reuse.
 */
bool kcr_seccomp_find(struct kcr_query *q, struct kcr_seccomp *k,
		      const struct sock_fprog *fprog, struct bpf_prog **prog,
		      void *cache, size_t cache_size)
{
	u32 len = fprog->len * sizeof(struct sock_filter);
	struct kcr_seccomp_program *program;

	memset(q, 0, sizeof(*q));
	if (!kcr_seccomp_begin(q, len)) {
		q->start = 0;
		q->size_class = KCR_CLASS_16;
		q->body = NULL;
		return false;
	}
	q->owned_body = kmalloc(len, GFP_KERNEL | __GFP_NOWARN);
	if (!q->owned_body || copy_from_user(q->owned_body, fprog->filter, len)) {
		kcr_query_abandon(q);
		q->size_class = KCR_CLASS_16;
		q->body = NULL;
		return false;
	}
	q->body = q->owned_body;
	if (!kcr_lookup_unified(q))
		return false;
	program = kcr_seccomp_program(q->object);
	k->program = q->object;
	*prog = program->prog;
	memcpy(cache, program->cache, cache_size);
	kcr_query_end(q, true);
	return true;
}

/* Of what was read, and as fast as it would be compiled again */
static bool kcr_seccomp_keepable(const struct kcr_query *q,
				 const struct bpf_prog *prog)
{
	const struct sock_fprog_kern *orig = prog->orig_prog;
	u32 len = kcr_body_len(q);

	return orig && orig->len * sizeof(struct sock_filter) == len &&
	       !memcmp(orig->filter, q->owned_body, len) &&
	       (prog->jited || !prog->jit_requested);
}

/**
 * kcr_seccomp_keep() - remember a compiled program
 * @q: the query that missed
 * @k: of the new filter; if the program may be shared, it has a reference then
 * @prog: the program
 * @cache: its struct action_cache
 * @cache_size: the size of that in bytes
 *
 * Context: may sleep.
 */
void kcr_seccomp_keep(struct kcr_query *q, struct kcr_seccomp *k,
		      struct bpf_prog *prog, const void *cache,
		      size_t cache_size)
{
	struct kcr_seccomp_program *program;

	if (!q->body || !kcr_wants_result(q) || !kcr_seccomp_keepable(q, prog))
		return;
	program = kmalloc(struct_size(program, cache, cache_size), GFP_KERNEL_ACCOUNT);
	if (!program)
		return;
	refcount_set(&program->object.refs, 1);
	program->object.bytes = sizeof(*program) + cache_size +
				prog->pages * PAGE_SIZE + prog->jited_len +
				kcr_body_len(q);
	program->object.release = kcr_seccomp_release;
	program->object.equal = kcr_seccomp_equal;
	program->prog = prog;
	program->cache_size = cache_size;
	memcpy(program->cache, cache, cache_size);
	k->program = &program->object;
	q->object = &program->object;
	memset(q->res, 0, sizeof(q->res));
	kcr_store_result(q);
}

/**
 * kcr_seccomp_free() - free a filter's program, unless others use it
 * @k: of the filter
 * @prog: its program
 *
 * Context: any short of NMI.
 */
void kcr_seccomp_free(struct kcr_seccomp *k, struct bpf_prog *prog)
{
	if (k->program)
		kcr_object_put(k->program);
	else
		bpf_prog_destroy(prog);
}

/**
 * kcr_seccomp_renew() - a setting that shapes compiled programs has changed
 *
 * Filters that are installed from now on are compiled anew.
 *
 * Context: any short of NMI.
 */
void kcr_seccomp_renew(void)
{
	kcr_owner_renew(&kcr_seccomp_install_owner);
}

static int __init kcr_seccomp_install_init(void)
{
	kcr_owner_init(&kcr_seccomp_install_owner);
	return kcr_site_register(&kcr_seccomp_install_site);
}
subsys_initcall(kcr_seccomp_install_init);
