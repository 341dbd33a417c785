/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Kernel Computation Reuse for user space: /dev/kcr.
 *
 * See Documentation/userspace-api/kcr.rst, and tools/libkcr for a library that
 * does all of this.
 */
#ifndef _UAPI_LINUX_KCR_H
#define _UAPI_LINUX_KCR_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: ioctl conventions
 *
 * Every structure begins with its size, which the caller sets. A kernel that
 * knows a longer one takes what is missing as zero; one that knows a shorter one
 * refuses what it does not know with -E2BIG, unless that is zero. Flags and
 * reserved fields that are not known are refused.
 *
 * Errors that every ioctl may return:
 *
 *  - EFAULT: a pointer leads nowhere
 *  - EINVAL: a size, flag, length or reserved field is not valid
 *  - E2BIG: the structure has fields that this kernel does not know, and uses
 *    them; or a key or result is longer than its function said
 *  - ENOTTY: this descriptor does not know this ioctl
 *  - EOPNOTSUPP: KCR is switched off (kcr_enable)
 *  - EACCES: this is a lookup descriptor
 *  - ENOENT: there is no such function
 *  - ENOMEM: no memory, or the memory control group's limit is reached
 *  - EDQUOT: a limit of the user's or of the function's is reached
 *  - ENOSPC: the domain has as many functions as it can have
 *  - EMFILE, ENFILE: no descriptor is left
 *  - EINTR: a signal came before anything was done
 */

#define KCR_IOC_TYPE		0xBC

/**
 * enum kcr_create_flags - flags of KCR_IOC_CREATE
 * @KCR_CREATE_FLAGS: none is defined yet
 */
enum kcr_create_flags {
	KCR_CREATE_FLAGS = 0,
};

/**
 * struct kcr_create - KCR_IOC_CREATE on /dev/kcr: make a domain
 * @size: sizeof(struct kcr_create)
 * @flags: 0
 * @region_size: bytes of memory for what is remembered, a power of two from
 *	64 KiB to 1 GiB; 0 for what the administrator has set
 * @learn_target: equal results after which a function's results are reused,
 *	unless the function says otherwise; 0 for 100
 * @expiry_ms: milliseconds after which an entry is no longer used, unless the
 *	function says otherwise; 0 for never
 *
 * Returns a store descriptor, close-on-exec. The memory is charged to the
 * caller's memory control group, and counts against the user's limit.
 */
struct kcr_create {
	__u32 size;
	__u32 flags;
	__u64 region_size;
	__u32 learn_target;
	__u32 expiry_ms;
};

#define KCR_IOC_CREATE		_IOW(KCR_IOC_TYPE, 0x00, struct kcr_create)

/* Bytes of a function's identity, and of its name with the terminating zero */
#define KCR_IDENTITY_LEN	32
#define KCR_NAME_LEN		64
/* Longest key and longest result, in bytes; functions in a domain */
#define KCR_KEY_MAX		32768
#define KCR_RESULT_MAX		32768
#define KCR_FUNCTIONS_MAX	256
/* Tracked sets that a function may depend on */
#define KCR_FUNCTION_SETS_MAX	8

/**
 * enum kcr_register_flags - flags of KCR_IOC_REGISTER
 * @KCR_REGISTER_PURE: the caller vouches that equal keys give equal results: the
 *	function is reused at once; audits go on
 */
enum kcr_register_flags {
	KCR_REGISTER_PURE = 1,
};

/**
 * struct kcr_register - KCR_IOC_REGISTER: find or add a function
 * @size: sizeof(struct kcr_register)
 * @flags: &enum kcr_register_flags
 * @identity: what the function is: a hash of its name and of the code behind
 *	it, say; opaque
 * @version: another version is another function
 * @name: for people; printable, terminated by zero
 * @key_max: longest key in bytes, at most %KCR_KEY_MAX
 * @result_max: longest result in bytes, at most %KCR_RESULT_MAX
 * @max_entries: limit of entries at a time; 0 for none
 * @learn_target: as in &struct kcr_create; 0 for the domain's
 * @expiry_ms: as in &struct kcr_create; 0 for the domain's
 * @function: out: the function's number in this domain
 * @sets: how many tracked sets it depends on, at most %KCR_FUNCTION_SETS_MAX, see
 *	uapi/linux/kcr_track.h
 * @reserved: 0
 *
 * If identity, version, @key_max, @result_max and @sets are those of a function
 * that the domain has, that is the one, and nothing else is looked at. On a lookup
 * descriptor -ENOENT if there is none.
 */
struct kcr_register {
	__u32 size;
	__u32 flags;
	__u8 identity[KCR_IDENTITY_LEN];
	__u64 version;
	char name[KCR_NAME_LEN];
	__u32 key_max;
	__u32 result_max;
	__u32 max_entries;
	__u32 learn_target;
	__u32 expiry_ms;
	__u32 function;
	__u32 sets;
	__u32 reserved;
};

#define KCR_IOC_REGISTER	_IOWR(KCR_IOC_TYPE, 0x01, struct kcr_register)

/**
 * enum kcr_stored - what became of an entry, beside negative errors
 * @KCR_STORED_NEW: it is remembered now
 * @KCR_STORED_EQUAL: it was, with this result
 * @KCR_STORED_REFUSED: no room: what is there is worth more, as far as is known
 */
enum kcr_stored {
	KCR_STORED_NEW,
	KCR_STORED_EQUAL,
	KCR_STORED_REFUSED,
};

/**
 * struct kcr_entry - a result to remember
 * @stamp: &struct kcr_region_function.stamp as it was before computing began
 * @key: address of the key
 * @result: address of the result
 * @function: the function's number
 * @key_len: bytes of key, at most what the function was registered with
 * @result_len: bytes of result, likewise
 * @status: out: &enum kcr_stored; -ESTALE if the function or the domain was
 *	flushed since; -EBADMSG if equal keys gave another result before: the
 *	function is rejected; -EPERM if it is already
 */
struct kcr_entry {
	__u64 stamp;
	__aligned_u64 key;
	__aligned_u64 result;
	__u32 function;
	__u32 key_len;
	__u32 result_len;
	__s32 status;
};

/* Entries in one struct kcr_store */
#define KCR_STORE_MAX		1024

/**
 * struct kcr_store - KCR_IOC_STORE: remember results
 * @size: sizeof(struct kcr_store)
 * @flags: 0
 * @entries: address of an array of &struct kcr_entry
 * @nr: how many there are, 1 to %KCR_STORE_MAX
 * @done: out: how many were looked at: less than @nr only after an error
 *
 * Keys and results are copied once, before anything is decided. Returns 0 even
 * if entries were not remembered: each has a status of its own. Where a result
 * is remembered for the same key, the kernel compares; that is how a function
 * learns, and how an audit is made.
 */
struct kcr_store {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 nr;
	__u32 done;
};

#define KCR_IOC_STORE		_IOWR(KCR_IOC_TYPE, 0x02, struct kcr_store)

#define KCR_ALL_FUNCTIONS	0xffffffffU

/**
 * enum kcr_state - what may be done with a function's entries
 * @KCR_STATE_NONE: there is no such function
 * @KCR_STATE_LEARN: compute, and store, until enough equal keys gave equal results
 * @KCR_STATE_REUSE: use them
 * @KCR_STATE_REJECTED: caught giving different results for equal keys
 */
enum kcr_state {
	KCR_STATE_NONE,
	KCR_STATE_LEARN,
	KCR_STATE_REUSE,
	KCR_STATE_REJECTED,
};

/**
 * struct kcr_flush - KCR_IOC_FLUSH: forget results
 * @size: sizeof(struct kcr_flush)
 * @flags: 0
 * @function: of this function, or %KCR_ALL_FUNCTIONS
 * @state: &enum kcr_state that the function has from then on; %KCR_STATE_NONE to
 *	leave it as it is. %KCR_STATE_LEARN gives a rejected one another chance
 *
 * When it returns, what was remembered before is zeroed.
 */
struct kcr_flush {
	__u32 size;
	__u32 flags;
	__u32 function;
	__u32 state;
};

#define KCR_IOC_FLUSH		_IOW(KCR_IOC_TYPE, 0x03, struct kcr_flush)

/**
 * enum kcr_share_flags - flags of KCR_IOC_SHARE
 * @KCR_SHARE_STORE: the new descriptor may store, flush and share, too: who gets
 *	it is trusted with all results in the domain
 */
enum kcr_share_flags {
	KCR_SHARE_STORE = 1,
};

/**
 * struct kcr_share_fd - KCR_IOC_SHARE: another descriptor of this domain
 * @size: sizeof(struct kcr_share_fd)
 * @flags: &enum kcr_share_flags
 *
 * Returns a descriptor, close-on-exec, that may only look up, unless
 * %KCR_SHARE_STORE.
 */
struct kcr_share_fd {
	__u32 size;
	__u32 flags;
};

#define KCR_IOC_SHARE		_IOW(KCR_IOC_TYPE, 0x04, struct kcr_share_fd)

/**
 * enum kcr_access - what a descriptor may do
 * @KCR_ACCESS_STORE: store, flush, register, share; otherwise only look up
 */
enum kcr_access {
	KCR_ACCESS_STORE = 1,
};

/**
 * struct kcr_info - KCR_IOC_INFO: a domain's statistics
 * @size: sizeof(struct kcr_info)
 * @access: out: &enum kcr_access of this descriptor
 * @domain: out: the domain's number; never that of another one since boot
 * @region_size: out: bytes to map at offset 0
 * @counts_size: out: bytes to map at %KCR_COUNTS_OFFSET
 * @functions: out: number of functions
 * @entries: out: results remembered now
 * @blob_bytes: out: memory that takes of what does not fit into slots
 * @stored: out: results stored
 * @equal: out: results that equalled what was remembered
 * @refused: out: results for which there was no room
 * @evicted: out: results that made room for others
 * @stale: out: results computed before a flush, dropped
 * @flushes: out: flushes
 * @rejected: out: functions that were caught giving different results
 */
struct kcr_info {
	__u32 size;
	__u32 access;
	__u64 domain;
	__u64 region_size;
	__u32 counts_size;
	__u32 functions;
	__u64 entries;
	__u64 blob_bytes;
	__u64 stored;
	__u64 equal;
	__u64 refused;
	__u64 evicted;
	__u64 stale;
	__u64 flushes;
	__u64 rejected;
};

#define KCR_IOC_INFO		_IOWR(KCR_IOC_TYPE, 0x05, struct kcr_info)

/**
 * struct kcr_function_info - KCR_IOC_FUNCTION: one function's statistics
 * @size: sizeof(struct kcr_function_info)
 * @function: the function's number
 * @identity: out: as registered
 * @version: out: as registered
 * @name: out: as registered first
 * @key_max: out: as registered
 * @result_max: out: as registered
 * @max_entries: out: as registered first
 * @learn_target: out: equal results after which it is reused
 * @expiry_ms: out: milliseconds after which an entry is no longer used
 * @state: out: &enum kcr_state
 * @learned: out: equal results so far
 * @entries: out: results remembered now
 * @sets: out: as registered
 * @reserved: out: 0
 */
struct kcr_function_info {
	__u32 size;
	__u32 function;
	__u8 identity[KCR_IDENTITY_LEN];
	__u64 version;
	char name[KCR_NAME_LEN];
	__u32 key_max;
	__u32 result_max;
	__u32 max_entries;
	__u32 learn_target;
	__u32 expiry_ms;
	__u32 state;
	__u32 learned;
	__u32 entries;
	__u32 sets;
	__u32 reserved;
};

#define KCR_IOC_FUNCTION	_IOWR(KCR_IOC_TYPE, 0x06, struct kcr_function_info)

/**
 * DOC: The region
 *
 * mmap() of a domain's descriptor at offset 0, all of it, shared, PROT_READ.
 * It begins with &struct kcr_region_header, which says where the rest is.
 *
 * To look a key up in function F, of which the key is at most key_max and the
 * result at most result_max bytes long as registered:
 *
 * 1. Let n be the larger of the key's length and result_max. The class is
 *    %KCR_REGION_16 for n up to 16, %KCR_REGION_32 up to 32, %KCR_REGION_80 up to
 *    80, else %KCR_REGION_BLOB; words is 2, 4 or 10.
 * 2. head = key length << 32 | F << 16 | class.
 * 3. Load the function's stamp, with acquire. If the stamp is 0 or the state is
 *    not %KCR_STATE_REUSE, compute.
 * 4. The fingerprint, with s[] the header's secrets, all arithmetic modulo
 *    2^64, fold(a, b) the upper half of the 128-bit product XOR the lower::
 *
 *	h = (head ^ s[0]) * s[1]
 *	for i = 0, 2, ... words - 2, w[] the key in words of the machine's, padded with zeroes:
 *		h = h ^ fold(w[i] ^ s[2 + i], w[i + 1] ^ s[3 + i])
 *	fingerprint = h * s[12]
 *
 *    For %KCR_REGION_BLOB, words is 0, and fingerprint = XXH64(key, length, seed h * s[12]).
 * 5. slot = slots[index[fingerprint >> 32 & index_mask]].
 * 6. Load seq with acquire; copy stamp, head, and in class 16, 32 and 80 the
 *    result (data[0 .. words - 1]) and the key (data[words .. 2 * words - 1]);
 *    then, after a read barrier, load seq again. A hit requires an even seq,
 *    twice the same, and that stamp, head and key are those asked for.
 * 7. For %KCR_REGION_BLOB, data[0] is an offset from the region's beginning, and
 *    data[1] the fingerprint. Check seq before the offset is used. There are the
 *    key, padded to 8 bytes with zeroes, and the result. Check seq again when
 *    they were compared and copied.
 * 8. If the function's expiry_ms is not 0, a hit also requires that
 *    (__u32)clock - born is at most that.
 *
 * In the kernel a writer makes seq odd, writes, and makes it even again. Where
 * the domain is dead, everything is zero, and nothing matches.
 */
#define KCR_REGION_MAGIC	0x4e4f49474552434bULL	/* "KCREGION" */
#define KCR_REGION_ABI		1
#define KCR_REGION_SECRETS	13
/* Where the counts are mapped */
#define KCR_COUNTS_OFFSET	0x100000000ULL

/**
 * enum kcr_region_class - how an entry is laid out
 * @KCR_REGION_16: up to 16 bytes of key and of result
 * @KCR_REGION_32: up to 32 bytes each
 * @KCR_REGION_80: up to 80 bytes each
 * @KCR_REGION_BLOB: key and result are elsewhere
 */
enum kcr_region_class {
	KCR_REGION_16 = 1,
	KCR_REGION_32,
	KCR_REGION_80,
	KCR_REGION_BLOB,
};

/**
 * struct kcr_region_header - the beginning of a region
 * @magic: %KCR_REGION_MAGIC, or 0 if the domain is dead
 * @abi: %KCR_REGION_ABI; another number, another layout
 * @header_size: bytes of header
 * @size: bytes of region
 * @functions_offset: where the &struct kcr_region_function are
 * @nr_functions: how many there are
 * @index_offset: where the index is, an array of __u16
 * @index_mask: number of its elements, a power of two, minus 1
 * @slots_offset: where the &struct kcr_region_slot are
 * @nr_slots: how many there are, a power of two
 * @blobs_offset: where the memory for class %KCR_REGION_BLOB is
 * @blobs_size: bytes of it
 * @clock: milliseconds, coarse: while a function has an expiry, as old as a tenth
 *	of the shortest at most, or as a jiffy
 * @secrets: for fingerprints; no two domains have the same
 */
struct kcr_region_header {
	__u64 magic;
	__u32 abi;
	__u32 header_size;
	__u64 size;
	__u32 functions_offset;
	__u32 nr_functions;
	__u32 index_offset;
	__u32 index_mask;
	__u32 slots_offset;
	__u32 nr_slots;
	__u32 blobs_offset;
	__u32 blobs_size;
	__u64 clock;
	__u64 secrets[KCR_REGION_SECRETS];
};

/**
 * struct kcr_region_function - what lookups need to know of a function
 * @stamp: in every entry that may be used; 0 for none
 * @state: &enum kcr_state
 * @expiry_ms: milliseconds after which an entry is no longer used, or 0
 */
struct kcr_region_function {
	__u64 stamp;
	__u32 state;
	__u32 expiry_ms;
};

#define KCR_REGION_WORDS	10

/**
 * struct kcr_region_slot - a result
 * @seq: odd while it is written
 * @stamp: the function's stamp when computing began
 * @head: length of the key, function and class
 * @born: the clock's lower half when it was stored
 * @result_len: bytes of result
 * @data: result and key, or where they are
 */
struct kcr_region_slot {
	__u64 seq;
	__u64 stamp;
	__u64 head;
	__u32 born;
	__u32 result_len;
	__u64 data[2 * KCR_REGION_WORDS];
};

/* Functions that have counts, and lines of each, one for each of so many threads */
#define KCR_COUNTS_FUNCTIONS	64
#define KCR_COUNTS_LINES	16

/**
 * struct kcr_counts - what user space counts, for KCR's statistics
 * @hits: lookups that found a result
 * @misses: lookups that did not
 * @bypassed: calls without a lookup, because it did not pay
 * @audits: hits that were computed all the same, and compared
 * @learned: calls computed in learn mode
 * @failed: results that could not be stored
 * @saved: ticks saved, as measured on samples; negative if lost
 * @reserved: 0
 *
 * mmap() of a domain's descriptor at %KCR_COUNTS_OFFSET, shared, readable and
 * writable: struct kcr_counts[KCR_COUNTS_FUNCTIONS][KCR_COUNTS_LINES]. Each
 * descriptor has counts of its own; those who inherit it share them. The kernel
 * shows them in /proc/PID/fdinfo and believes nothing of it.
 */
struct kcr_counts {
	__u64 hits;
	__u64 misses;
	__u64 bypassed;
	__u64 audits;
	__u64 learned;
	__u64 failed;
	__s64 saved;
	__u64 reserved;
};

#endif /* _UAPI_LINUX_KCR_H */
