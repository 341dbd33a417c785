// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: what becomes of results that were computed.
 *
 * Storing is a system call. What is computed for the first time is stored only if
 * computing costs several times as much, or if nobody knows yet what storing costs;
 * otherwise what comes a second time is, as far as a small table remembers. That
 * holds while learning, too: whoever computes what never comes again learns nothing
 * by storing it.
 *
 * Audits compare here. A difference is handed to the kernel, which compares again,
 * and rejects the function for all.
 */
#include "region.h"
#include "track.h"

#include <errno.h>

/* Computing costs so many times what storing does: store at first sight */
#define KCR_DEAR	4
/* Results that are not stored after a lack of memory, or of whatever */
#define KCR_PAUSE	256

static bool kcr_may_store(const struct kcr_function *f, const struct kcr_ticket_inside *t)
{
	const struct kcr_watch *watch = (const struct kcr_watch *)(uintptr_t)t->watch;

	if (!load_relaxed(&f->domain->may_store) || load_relaxed(&f->domain->quiet))
		return false;
	return !f->sets || (t->flags & KCR_TICKET_TRACKED && !load_relaxed(&watch->foreign));
}

/* Whether to go on after an ioctl that failed */
static bool kcr_passes(int err)
{
	return err == -EINTR || err == -ENOMEM || err == -EDQUOT || err == -EAGAIN ||
	       err == -EOPNOTSUPP || err == -EFAULT;
}

/* Results that depend on tracked memory go through its tracker, which knows the stamps */
static int kcr_store_through(struct kcr_function *f, const struct kcr_ticket_inside *t,
			     struct kcr_store *store)
{
	struct kcr_watch *watch = (struct kcr_watch *)(uintptr_t)t->watch;
	int err;

	if (t->flags & KCR_TICKET_TRACKED)
		return kcr_watch_ioctl(watch, KCR_IOC_STORE, store);
	err = kcr_domain_ioctl(f->domain, KCR_IOC_STORE, store);
	if (err < 0 && !kcr_passes(err))
		store_relaxed(&f->domain->may_store, 0);
	return err;
}

/**
 * kcr_store() - have the kernel remember a result, or compare it
 *
 * If the descriptor turns out to be none of a domain's (closed, and perhaps opened
 * again as something else), or a sandbox says no, that was the last try.
 *
 * Context: any; makes a system call.
 * Return: &struct kcr_entry.status, or -EIO if there is none.
 */
int kcr_store(struct kcr_function *f, const struct kcr_ticket_inside *t, const void *key,
	      size_t key_len, const void *result, size_t result_len)
{
	struct kcr_line *line = &f->lines[t->line % KCR_LINES];
	struct kcr_entry entry = {
		.stamp = t->stamp,
		.key = (uintptr_t)key,
		.result = (uintptr_t)result,
		.function = f->number,
		.key_len = (uint32_t)key_len,
		.result_len = (uint32_t)result_len,
	};
	struct kcr_store store = {
		.size = sizeof(store),
		.entries = (uintptr_t)&entry,
		.nr = 1,
	};
	uint64_t start = kcr_clock();
	int err;

	err = kcr_store_through(f, t, &store);
	kcr_profit_learn(&line->store, kcr_clock() - start);
	if (!err)
		err = entry.status;
	else
		entry.status = -EIO;
	if (err < 0 && err != -ESTALE && err != -EBADMSG && err != -EINTR)
		store_relaxed(&line->pause, KCR_PAUSE);
	if ((err < 0 && err != -ESTALE) || err == KCR_STORED_REFUSED)
		add_relaxed(&f->counts[t->line % KCR_LINES].failed, 1);
	return entry.status;
}

/* Whether a key had come before, as far as is known; notes it */
static bool kcr_repeated(struct kcr_function *f, uint64_t fingerprint)
{
	uint32_t *tags = &f->tags[fingerprint >> 32 & f->tag_mask];
	uint32_t new = (uint16_t)(fingerprint >> 48 | 1);
	uint32_t old = load_relaxed(tags);

	if ((uint16_t)old == new || old >> 16 == new)
		return true;
	store_relaxed(tags, old << 16 | new);
	return false;
}

static bool kcr_worth_storing(struct kcr_function *f, const struct kcr_ticket_inside *t,
			      size_t result_len, bool repeated)
{
	struct kcr_line *line = &f->lines[t->line % KCR_LINES];
	uint32_t pause = load_relaxed(&line->pause);
	uint32_t store = load_relaxed(&line->store);

	if (!kcr_may_store(f, t))
		return false;
	if (result_len > f->result_max) {
		add_relaxed(&f->counts[t->line % KCR_LINES].failed, 1);
		return false;
	}
	if (pause) {
		store_relaxed(&line->pause, (uint16_t)(pause - 1));
		return false;
	}
	return repeated || !store || load_relaxed(&line->compute) / KCR_DEAR >= store;
}

/* Equal keys gave different results: the kernel is told, if it can be */
static void kcr_differed(struct kcr_function *f, const struct kcr_ticket_inside *t,
			 const void *key, size_t key_len, const void *result, size_t result_len)
{
	int status = -EIO;

	if (kcr_may_store(f, t) && result_len <= f->result_max)
		status = kcr_store(f, t, key, key_len, result, result_len);
	/* -EPERM: somebody else has told it meanwhile */
	if (status != -EBADMSG && status != -EPERM && status != -ESTALE)
		kcr_function_distrust(f);
}

static void kcr_end_audit(struct kcr_function *f, const struct kcr_ticket_inside *t,
			  const void *key, size_t key_len, const void *result, size_t result_len)
{
	struct kcr_found found;
	struct kcr_probe p;
	bool equal;

	if (!kcr_find(f, key, key_len, &p, &found))
		return;
	/* What was computed may be of memory that has changed since */
	if (t->flags & KCR_TICKET_TRACKED &&
	    !kcr_watch_holds((const struct kcr_watch *)(uintptr_t)t->watch, key, f->sets))
		return;
	equal = found.len == result_len && kcr_bytes_equal(found.data, result, result_len);
	if (!kcr_still(found.slot, found.seq))
		return;
	if (equal)
		add_relaxed(&f->counts[t->line % KCR_LINES].audits, 1);
	/* Unless it was flushed since computing began */
	else if (p.stamp == t->stamp &&
		 load_acquire(&load_relaxed(&f->shared)->stamp) == t->stamp)
		kcr_differed(f, t, key, key_len, result, result_len);
}

static __attribute__((noinline)) void kcr_end_closely(struct kcr_function *f,
						      const struct kcr_ticket_inside *t,
						      const void *key, size_t key_len,
						      const void *result, size_t result_len)
{
	bool timed = t->flags & KCR_TICKET_TIMED && !load_relaxed(&f->domain->quiet);
	uint64_t computed = timed ? kcr_clock() : 0;
	bool repeated = false;

	if (t->flags & KCR_TICKET_AUDIT) {
		kcr_end_audit(f, t, key, key_len, result, result_len);
	} else {
		repeated = kcr_repeated(f, t->fingerprint);
		/* What this call has cost is known before it is decided on */
		if (timed && !load_relaxed(&f->lines[t->line % KCR_LINES].compute))
			kcr_profit_learn(&f->lines[t->line % KCR_LINES].compute,
					 computed - t->computing);
		if (kcr_worth_storing(f, t, result_len, repeated))
			kcr_store(f, t, key, key_len, result, result_len);
	}
	if (timed)
		kcr_profit_miss(f, t, computed, kcr_clock(), repeated);
}

void kcr_end(struct kcr_function *f, const struct kcr_ticket *ticket, const void *key,
	     size_t key_len, const void *result, size_t result_len)
{
	const struct kcr_ticket_inside *t = (const struct kcr_ticket_inside *)ticket;

	if (t->flags && f)
		kcr_end_closely(f, t, key, key_len, result, result_len);
}

int kcr_call(struct kcr_function *f, const void *key, size_t key_len, void *result,
	     size_t result_cap, size_t *result_len, kcr_compute compute, void *arg)
{
	struct kcr_ticket ticket;
	int err;

	if (kcr_begin(f, key, key_len, result, result_cap, result_len, &ticket) == KCR_HIT)
		return 0;
	err = compute(result, result_cap, result_len, arg);
	if (!err)
		kcr_end(f, &ticket, key, key_len, result, *result_len);
	return err;
}
