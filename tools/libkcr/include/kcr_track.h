/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * @file
 * @brief libkcr: functions that read memory which is too large to be part of a key.
 *
 * Tracked memory is watched by the kernel: a key names it, and says as of when. Once
 * anything writes to it, or maps something else there, what was remembered is not
 * found any more. Until it is watched again, which happens by itself in
 * kcr_begin_tracked() where that seems worthwhile, such functions compute.
 *
 * What can be tracked is private anonymous memory (malloc(), stacks, large objects
 * of interpreters) and memfds that are sealed against writing and shrinking, by
 * whole pages. Memory that shares its pages with what changes often is better laid
 * out on pages of its own, with aligned_alloc() or mmap().
 *
 * As everywhere in libkcr, what cannot be had is no error: it is computed.
 *
 * Tracked memory is its process's. In a child after fork() it is as if it were
 * never watched; there, make other ones.
 */
#ifndef KCR_TRACK_H
#define KCR_TRACK_H

#include <kcr.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Memory that is tracked; see kcr_tracked_create(). */
struct kcr_tracked;

/** @brief Some memory. */
struct kcr_span {
	const void *start;	/**< its first byte */
	size_t len;		/**< bytes, not 0 */
};

/** Spans that can be tracked as one. */
#define KCR_SPANS_MAX 64

/** Tracked memories that one function may depend on. */
#define KCR_TRACKED_MAX 8

/**
 * @brief What a key of a function with tracked memory begins with: one of these for
 * each. kcr_begin_tracked() fills them in.
 */
struct kcr_tracked_key {
	uint64_t opaque[2];	/**< private */
};

/**
 * @brief Have memory tracked.
 * @param domain the domain of the functions that read it
 * @param spans what memory; extended to whole pages
 * @param nr how many spans, 1 to KCR_SPANS_MAX
 * @return the tracked memory, to be given to kcr_tracked_destroy(); see
 * kcr_tracked_status().
 *
 * The memory may be freed, and become something else, while it is tracked: that is
 * a change as others are.
 *
 * Context: process; allocates memory and makes system calls.
 */
struct kcr_tracked *kcr_tracked_create(struct kcr_domain *domain, const struct kcr_span *spans,
				       size_t nr);

/**
 * @brief Let go of tracked memory.
 * @param tracked the tracked memory; no other thread uses it any more, nor a ticket
 *
 * Context: process; makes a system call.
 */
void kcr_tracked_destroy(struct kcr_tracked *tracked);

/**
 * @brief Can the memory be tracked, and if not, why?
 * @param tracked the tracked memory
 * @param text as in kcr_domain_status()
 * @return 0 if it can, as far as is known; the domain's status if that is not 0;
 * -EINVAL (no spans, too many, or an empty one), -ENOSPC (the process tracks as much
 * as it can), -EACCES (the domain may only be looked up in), -ENOTTY (the kernel
 * tracks no memory), -EOPNOTSUPP (this memory can never be tracked), -EAGAIN (it
 * could not when it was tried last; that may change), -EPERM (this is another
 * process than the one that made it), -ENOMEM.
 *
 * Context: any.
 */
int kcr_tracked_status(const struct kcr_tracked *tracked, const char **text);

/**
 * @brief Say that the memory has changed in a way that the kernel cannot see.
 * @param tracked the tracked memory
 * @return 0; -EBADF if it is not tracked, -EPERM after kcr_stop_storing() or in
 * another process.
 *
 * Memory that could not be tracked is tried again after this.
 *
 * Context: any; makes a system call.
 */
int kcr_tracked_renew(struct kcr_tracked *tracked);

/**
 * @brief Track other memory in place of that.
 * @param tracked the tracked memory; no other thread uses it meanwhile
 * @param spans what memory from now on
 * @param nr how many spans
 * @return 0; otherwise nothing has changed: -EINVAL, -ENOSPC, -ENOMEM, -EBADF if it
 * is not tracked, -EPERM after kcr_stop_storing() or in another process.
 *
 * For caches of tracked memory: takes no memory.
 *
 * Context: any; makes system calls.
 */
int kcr_tracked_retarget(struct kcr_tracked *tracked, const struct kcr_span *spans, size_t nr);

/** @brief Statistics of tracked memory. */
struct kcr_tracked_stats {
	size_t size;		/**< sizeof(struct kcr_tracked_stats), set by the caller */
	uint64_t pages;		/**< pages of memory */
	uint64_t armed;		/**< how often it began to be watched */
	uint64_t changed;	/**< changes and what might have been some, also while it
				     was not watched */
	uint64_t refused;	/**< how often it could not be watched */
	uint32_t watched;	/**< 1 if it is now, 0 if not */
	uint32_t reserved;	/**< 0 */
};

/**
 * @brief Ask the kernel for statistics of tracked memory.
 * @param tracked the tracked memory
 * @param stats where to put them; its size must be set
 * @return 0; -EINVAL if the size is too small, -EBADF if it is not tracked, -EPERM
 * after kcr_stop_storing() or in another process.
 *
 * Context: any; makes a system call.
 */
int kcr_tracked_get_stats(struct kcr_tracked *tracked, struct kcr_tracked_stats *stats);

/**
 * @brief Look a result up that depends on tracked memory.
 * @param function the function, made with options.sets
 * @param tracked that many tracked memories, always in the same order
 * @param key the key; it begins with options.sets struct kcr_tracked_key, which are
 * filled in here. Aligned to 8 bytes
 * @param key_len bytes of key, with those
 * @param result as in kcr_begin()
 * @param result_cap as in kcr_begin()
 * @param result_len as in kcr_begin()
 * @param ticket as in kcr_begin(); for kcr_end(), with the same key
 * @return KCR_HIT or KCR_COMPUTE.
 *
 * Begin before anything is read of the tracked memory. Memory that is not watched
 * makes it compute; it may be watched from then on. How soon that is tried again
 * after changes depends on how many calls the last time was good for.
 *
 * Context: any. May make one system call for each tracked memory that is not watched.
 */
enum kcr_answer kcr_begin_tracked(struct kcr_function *function,
				  struct kcr_tracked *const *tracked, void *key, size_t key_len,
				  void *result, size_t result_cap, size_t *result_len,
				  struct kcr_ticket *ticket);

/**
 * @brief Fill in what a key begins with, for kcr_peek().
 * @param tracked tracked memories
 * @param nr how many
 * @param key the key; aligned to 8 bytes
 * @return 1; 0 if one of them is not watched now, so that nothing can be found.
 *
 * Context: any. Makes no system call.
 */
int kcr_tracked_fill(struct kcr_tracked *const *tracked, size_t nr, void *key);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* KCR_TRACK_H */
