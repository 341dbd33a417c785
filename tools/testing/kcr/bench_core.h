/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Subjects of the benchmark that are written in C.
 *
 * Each answers one request: the query holds the key, @key is the same key
 * elsewhere, and the result goes to the query's @res.
 */
#ifndef KCR_BENCH_CORE_H
#define KCR_BENCH_CORE_H

#include "kcr_private.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef bool kcr_bench_fn(void* context, struct kcr_query* q, const u64* key, u64 hash);

kcr_bench_fn kcr_bench_empty;      /* the harness alone */
kcr_bench_fn kcr_bench_known;      /* a lookup with the fingerprint known */
kcr_bench_fn kcr_bench_hash_known; /* a lookup */
kcr_bench_fn kcr_bench_request_16, kcr_bench_request_32, kcr_bench_request_64;

/* A site's gate while reuse does not pay */
bool kcr_bench_bypass(const struct kcr_site* site, u32 body_len);

/* An unchecked copy from the slot whose number is in the place of the hash */
kcr_bench_fn kcr_bench_floor_16, kcr_bench_floor_32, kcr_bench_floor_64;

/* The textbook: buckets, a list each, a lock each; readers under RCU */
struct kcr_bench_hlist;
struct kcr_bench_hlist* kcr_bench_hlist_create(u32 buckets, u32 bytes);
void kcr_bench_hlist_add(struct kcr_bench_hlist* table, u64 hash, const u64* key, const u64* value);
void kcr_bench_hlist_destroy(struct kcr_bench_hlist* table);
kcr_bench_fn kcr_bench_hlist_16, kcr_bench_hlist_32, kcr_bench_hlist_64;

/* liburcu's lock-free hash table */
struct kcr_bench_lfht;
struct kcr_bench_lfht* kcr_bench_lfht_create(u32 buckets, u32 bytes);
void kcr_bench_lfht_add(struct kcr_bench_lfht* table, u64 hash, const u64* key, const u64* value);
void kcr_bench_lfht_destroy(struct kcr_bench_lfht* table);
kcr_bench_fn kcr_bench_lfht_16, kcr_bench_lfht_32, kcr_bench_lfht_64;

#ifdef __cplusplus
}
#endif

#endif /* KCR_BENCH_CORE_H */
