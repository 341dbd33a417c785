/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * @file
 * @brief libkcr: reuse of a program's own results through the kernel's /dev/kcr.
 *
 * A domain is a memory region that the kernel writes and this process can only
 * read. A function in it is a deterministic computation with a key (its whole
 * input) and a result, both plain bytes. Lookups are done in user space, without
 * a system call; remembering a result is one.
 *
 * Whatever cannot be had (no KCR in the kernel, no device, no memory, a limit) is
 * no error: everything is then computed, and kcr_domain_status() says why. No
 * function here returns NULL, changes errno, prints or exits. Functions that can
 * fail return 0 or a negative errno.
 *
 * Pointers to domains and functions may be NULL; such a domain or function only
 * computes. All functions are thread-safe. Those marked "any context" may be
 * called in signal handlers too, even if one interrupted the same call: they take
 * no lock and no memory.
 *
 * After fork() the child goes on using domains and functions as its parent does.
 */
#ifndef KCR_H
#define KCR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Whatever this header promises has this version; see kcr_version(). */
#define KCR_VERSION_MAJOR 1
#define KCR_VERSION_MINOR 1

/** Bytes of an identity. */
#define KCR_IDENTITY_BYTES 32

/** As an audit_interval: no hit is ever computed again. */
#define KCR_NO_AUDIT 0xffffffffU

/** A domain; see kcr_domain_create(). */
struct kcr_domain;

/** A function in a domain; see kcr_function_create(). */
struct kcr_function;

/**
 * @brief The library's version.
 * @return major << 16 | minor of the library that is loaded, which may be later
 * than the header's.
 *
 * Context: any.
 */
unsigned int kcr_version(void);

/** @brief How to make a domain. What is 0 takes the default. */
struct kcr_domain_options {
	size_t size;		/**< sizeof(struct kcr_domain_options) */
	const char *device;	/**< path of the device; NULL for /dev/kcr */
	uint64_t region_size;	/**< bytes, a power of two from 64 KiB to 1 GiB;
				     0 for what the administrator has set */
	uint32_t learn_target;	/**< equal results after which a function's results
				     are reused; 0 for 100 */
	uint32_t expiry_ms;	/**< milliseconds for which a result is used; 0 for
				     ever */
};

/**
 * @brief Make a domain of one's own.
 * @param options what it is to be like, or NULL for the defaults
 * @return the domain, to be given to kcr_domain_destroy(); see
 * kcr_domain_status() for whether it remembers anything.
 *
 * Context: process; allocates memory and makes system calls.
 */
struct kcr_domain *kcr_domain_create(const struct kcr_domain_options *options);

/**
 * @brief Use a domain that another process made.
 * @param fd descriptor of the domain: inherited, or received over a socket
 * @return the domain, to be given to kcr_domain_destroy(). If its status is 0 it
 * owns @p fd; otherwise @p fd remains the caller's.
 *
 * Whether results can be stored, or only looked up, is a property of the
 * descriptor: see kcr_domain_share().
 *
 * Context: process; allocates memory and makes system calls.
 */
struct kcr_domain *kcr_domain_from_fd(int fd);

/**
 * @brief Let go of a domain.
 * @param domain the domain
 *
 * Its functions stay usable: the domain goes with the last of them.
 *
 * Context: process.
 */
void kcr_domain_destroy(struct kcr_domain *domain);

/**
 * @brief Does the domain remember results, and if not, why?
 * @param domain the domain
 * @param text if not NULL, set to a sentence for people; never NULL, never to be
 * freed
 * @return 0 if it does; otherwise what kept it from being had: -ENOENT (no
 * device: no KCR in this kernel), -EACCES (no permission), -ENOMEM, -EDQUOT (a
 * limit of the user's), -EOPNOTSUPP (switched off), -EPROTO (a kernel that this
 * library does not know), -EBADF and -ENOTTY (not a domain's descriptor), and what
 * else open(2), ioctl(2) and mmap(2) return.
 *
 * Context: any.
 */
int kcr_domain_status(const struct kcr_domain *domain, const char **text);

/**
 * @brief The domain's descriptor.
 * @param domain the domain
 * @return the descriptor, still the domain's and close-on-exec unless it came
 * from kcr_domain_from_fd(); -EBADF if there is none.
 *
 * To have children that exec() join the domain, clear FD_CLOEXEC of it, or of what
 * kcr_domain_share() returns, and tell them the number; they call
 * kcr_domain_from_fd().
 *
 * Context: any.
 */
int kcr_domain_fd(const struct kcr_domain *domain);

/** @brief What those may do who get a shared descriptor. */
enum kcr_sharing {
	KCR_SHARE_LOOKUPS = 0,	/**< look results up */
	KCR_SHARE_ALL = 1,	/**< store, flush and share as well: they are trusted
				     with all results in the domain */
};

/**
 * @brief Make another descriptor of a domain, to be given to another process.
 * @param domain the domain
 * @param sharing what may be done with it
 * @return a descriptor, close-on-exec and the caller's; -EACCES if this domain
 * may only be looked up in, -EBADF if there is none, -EMFILE, -ENFILE, -ENOMEM.
 *
 * Context: process; makes a system call.
 */
int kcr_domain_share(struct kcr_domain *domain, enum kcr_sharing sharing);

/**
 * @brief Forget all results of a domain.
 * @param domain the domain
 * @return 0; -EACCES if this domain may only be looked up in, -EBADF if there is
 * none.
 *
 * Results that are being computed now will not be stored.
 *
 * Context: any; makes a system call.
 */
int kcr_domain_flush(struct kcr_domain *domain);

/**
 * @brief Never make a system call again on behalf of this domain.
 * @param domain the domain
 *
 * For before entering a sandbox. Lookups go on; nothing is stored any more, no
 * clock is read, and whatever would need a system call returns -EPERM. Memory and
 * descriptor stay until the process ends. It cannot be undone. A call in another
 * thread that is about to store may still do so.
 *
 * Context: any.
 */
void kcr_stop_storing(struct kcr_domain *domain);

/** @brief A domain's statistics. */
struct kcr_domain_stats {
	size_t size;		/**< sizeof(struct kcr_domain_stats), set by the caller */
	uint64_t domain;	/**< number of the domain; never that of another since
				     boot */
	uint64_t region_size;	/**< bytes */
	uint64_t entries;	/**< results remembered now */
	uint64_t blob_bytes;	/**< memory of those that need memory of their own */
	uint64_t stored;	/**< results stored */
	uint64_t equal;		/**< results that equalled what was remembered */
	uint64_t refused;	/**< results for which there was no room */
	uint64_t evicted;	/**< results that made room for others */
	uint64_t stale;		/**< results computed before a flush, dropped */
	uint64_t flushes;	/**< flushes */
	uint64_t rejected;	/**< functions caught giving different results */
	uint32_t functions;	/**< number of functions */
	uint32_t may_store;	/**< 1 if this descriptor may store, 0 if not */
};

/**
 * @brief Ask the kernel for a domain's statistics.
 * @param domain the domain
 * @param stats where to put them; its size must be set
 * @return 0; -EBADF if there is no domain, -EINVAL if the size is too small.
 *
 * Context: any; makes a system call.
 */
int kcr_domain_get_stats(struct kcr_domain *domain, struct kcr_domain_stats *stats);

/** @brief Flags of a function. */
enum kcr_function_flags {
	KCR_PURE = 1,	/**< the caller vouches that equal keys give equal results:
			     reused at once, without learning; audits go on */
	KCR_ALWAYS = 2,	/**< look up even where it does not pay */
};

/** @brief What a function is like. What is 0 takes the default. */
struct kcr_function_options {
	size_t size;		/**< sizeof(struct kcr_function_options) */
	const char *name;	/**< for people; at most 63 bytes are kept; required */
	const void *identity;	/**< KCR_IDENTITY_BYTES that say what the function is;
				     NULL for a hash of the name */
	uint64_t version;	/**< another version is another function */
	uint32_t key_max;	/**< longest key in bytes, at most 32768 */
	uint32_t result_max;	/**< longest result in bytes, at most 32768. With
				     the key's length it decides how fast hits are: up
				     to 16, 32 and 80 bytes are fast */
	uint32_t flags;		/**< of enum kcr_function_flags */
	uint32_t learn_target;	/**< 0 for the domain's */
	uint32_t audit_interval;/**< of so many hits one is computed again and
				     compared; 0 for 1024; KCR_NO_AUDIT */
	uint32_t max_entries;	/**< limit of results at a time; 0 for none */
	uint32_t expiry_ms;	/**< 0 for the domain's */
	uint32_t overhead;	/**< ticks that reuse costs the caller in each call beside
				     kcr_begin(), such as for making the key; counted
				     when it is found out whether reuse pays */
	uint32_t sets;		/**< how many tracked memories it depends on, see
				     kcr_track.h; key_max counts what keys begin with */
	uint32_t reserved;	/**< 0 */
};

/**
 * @brief Find a function in a domain, or add it.
 * @param domain the domain
 * @param options what the function is. Processes that share a domain share a
 * function if identity, version, key_max, result_max and sets are equal; the first
 * one's other options hold.
 * @return the function, to be given to kcr_function_destroy(); see
 * kcr_function_status() for whether it is reused.
 *
 * Context: process; allocates memory and makes a system call.
 */
struct kcr_function *kcr_function_create(struct kcr_domain *domain,
					 const struct kcr_function_options *options);

/**
 * @brief Let go of a function.
 * @param function the function; no other thread uses it any more
 *
 * Its results stay in the domain.
 *
 * Context: process.
 */
void kcr_function_destroy(struct kcr_function *function);

/**
 * @brief Can the function be reused, and if not, why?
 * @param function the function
 * @param text as in kcr_domain_status()
 * @return 0 if it can; the domain's status if that is not 0; -EINVAL (options that
 * are not valid), -ENOSPC (the domain has as many functions as it can have),
 * -ENOENT (a function that those who may store have not added), -ENOMEM; -EBADMSG
 * if it was caught giving different results for equal keys.
 *
 * Context: any.
 */
int kcr_function_status(const struct kcr_function *function, const char **text);

/**
 * @brief Forget all results of a function.
 * @param function the function
 * @param relearn not 0: also have it prove itself (again), even if it was
 * rejected
 * @return 0; -EACCES if the domain may only be looked up in, -EBADF if there is
 * no domain.
 *
 * Context: any; makes a system call.
 */
int kcr_function_flush(struct kcr_function *function, int relearn);

/** @brief What is done with a function's results. */
enum kcr_function_state {
	KCR_FUNCTION_NONE = 0,	/**< nothing: there is no domain, or it is dead */
	KCR_FUNCTION_LEARNING,	/**< they are computed and compared */
	KCR_FUNCTION_REUSED,	/**< they are reused */
	KCR_FUNCTION_REJECTED,	/**< equal keys gave different results: no more */
};

/** @brief A function's statistics, of this process and those that it forked. */
struct kcr_function_stats {
	size_t size;		/**< sizeof(struct kcr_function_stats), set by the
				     caller */
	uint64_t hits;		/**< lookups that found a result */
	uint64_t misses;	/**< lookups that did not */
	uint64_t bypassed;	/**< calls without a lookup, because it did not pay */
	uint64_t audits;	/**< hits that were computed all the same, and equal */
	uint64_t learned;	/**< calls computed while learning */
	uint64_t failed;	/**< results that could not be stored */
	int64_t saved;		/**< ticks saved, estimated from samples; negative if
				     lost */
	uint32_t state;		/**< enum kcr_function_state */
	uint32_t number;	/**< the function's number in the domain */
};

/**
 * @brief A function's statistics.
 * @param function the function
 * @param stats where to put them; its size must be set
 * @return 0; -EINVAL if the size is too small.
 *
 * Threads that run meanwhile may or may not be counted.
 *
 * Context: any.
 */
int kcr_function_get_stats(const struct kcr_function *function,
			   struct kcr_function_stats *stats);

/** @brief What to do after kcr_begin(). */
enum kcr_answer {
	KCR_COMPUTE = 0,	/**< compute, then call kcr_end() */
	KCR_HIT = 1,		/**< the result is there */
};

/** @brief What kcr_begin() tells kcr_end(). Not to be looked into. */
struct kcr_ticket {
	uint64_t opaque[8];	/**< private */
};

/**
 * @brief Look a result up.
 * @param function the function
 * @param key the key: all that the result depends on
 * @param key_len bytes of key
 * @param result where to put the result, apart from the key. It may be overwritten
 * even if KCR_COMPUTE is returned
 * @param result_cap bytes of room there
 * @param result_len set to the result's length in bytes after a hit
 * @param ticket filled in if KCR_COMPUTE is returned
 * @return KCR_HIT or KCR_COMPUTE. A key that is longer than the function's
 * key_max and a result for which there is no room are computed.
 *
 * kcr_end() need not be called: if computing failed, or was left by an exception or
 * longjmp(), drop the ticket.
 *
 * Context: any. Makes no system call.
 */
enum kcr_answer kcr_begin(struct kcr_function *function, const void *key, size_t key_len,
			  void *result, size_t result_cap, size_t *result_len,
			  struct kcr_ticket *ticket);

/**
 * @brief How many calls are not worth a kcr_begin(), because reuse does not pay?
 * @param function the function
 * @return how many of this thread's next calls are to be computed without
 * kcr_begin(); they are counted as bypassed, unless the function is rejected. 0 if the
 * next one is worth it.
 *
 * kcr_begin() bypasses by itself. This is for callers to whom already making the key
 * is dear.
 *
 * Context: any. Makes no system call.
 */
uint32_t kcr_bypass_calls(struct kcr_function *function);

/**
 * @brief Tell what a call costs, with reuse and without.
 * @param function the function
 * @param plain ticks of a call without reuse
 * @param hit ticks of a call that is a hit, all included; both in the same unit as
 * the processor's counter
 *
 * libkcr times what it sees. For callers that do more, or to whom some ticks matter:
 * from then on hits are taken to save the difference.
 *
 * Context: any.
 */
void kcr_tell_costs(struct kcr_function *function, uint32_t plain, uint32_t hit);

/**
 * @brief Account a result that was computed, and remember it if that is worthwhile.
 * @param function the function
 * @param ticket from kcr_begin(), in this thread
 * @param key the same key again: if it was in memory that has changed, a copy
 * @param key_len bytes of key
 * @param result the result
 * @param result_len bytes of result. A result longer than the function's
 * result_max is not remembered
 *
 * Context: any. May make one system call.
 */
void kcr_end(struct kcr_function *function, const struct kcr_ticket *ticket, const void *key,
	     size_t key_len, const void *result, size_t result_len);

/**
 * @brief Computes a result, for kcr_call().
 * @param result where to put it
 * @param result_cap bytes of room there
 * @param result_len set to the result's length in bytes
 * @param arg as given to kcr_call()
 * @return 0; anything else is returned by kcr_call(), and nothing is remembered.
 */
typedef int (*kcr_compute)(void *result, size_t result_cap, size_t *result_len, void *arg);

/**
 * @brief Look a result up, or compute and remember it.
 * @param function the function
 * @param key the key: all that the result depends on; it must not change while
 * computing
 * @param key_len bytes of key
 * @param result where to put the result; see kcr_begin()
 * @param result_cap bytes of room there
 * @param result_len set to the result's length in bytes
 * @param compute computes the result
 * @param arg for @p compute
 * @return 0, or what @p compute returned.
 *
 * Context: that of @p compute.
 */
int kcr_call(struct kcr_function *function, const void *key, size_t key_len, void *result,
	     size_t result_cap, size_t *result_len, kcr_compute compute, void *arg);

/** @brief A result where it is. */
struct kcr_view {
	const void *data;	/**< the result, in memory that can only be read */
	size_t len;		/**< bytes of result */
	uint64_t opaque[2];	/**< private */
};

/**
 * @brief Look a result up without copying it.
 * @param function the function
 * @param key the key
 * @param key_len bytes of key
 * @param view filled in after a hit
 * @return KCR_HIT, or KCR_COMPUTE if it is not there: go on with kcr_begin() or
 * kcr_call().
 *
 * The result may be overwritten at any time: use it, then ask kcr_view_valid(), and
 * only then believe what was made of it. Until then any bytes may be read there; the
 * memory stays mapped as long as the function exists.
 *
 * Context: any. Makes no system call.
 */
enum kcr_answer kcr_peek(struct kcr_function *function, const void *key, size_t key_len,
			 struct kcr_view *view);

/**
 * @brief Was the result in a view the key's, up to now?
 * @param view from kcr_peek() with KCR_HIT
 * @return 1 if all that was read there was; 0 if not: look it up again, or compute.
 *
 * Context: any.
 */
int kcr_view_valid(const struct kcr_view *view);

/**
 * @brief An identity for code.
 * @param address of a function or of an object that belongs to it
 * @param identity KCR_IDENTITY_BYTES are put here: a hash of the build id (without
 * one, of the path) of the program or library that @p address is in, and of where in
 * it
 * @return 0; -ENOENT if nothing that is loaded has @p address.
 *
 * Context: process.
 */
int kcr_code_identity(const void *address, void *identity);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* KCR_H */
