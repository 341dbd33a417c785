/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol of kernel/kcr/tier.c: one slot, readers, writers, and a sweep.
 *
 * Memory is weak. A process does not execute its loads and stores in the order
 * of the program, but picks any that is not held back by a barrier, a
 * dependency, or an earlier access to the same location; each takes effect at
 * once for all (other-multi-copy atomic, as arm64 and RISC-V are). So a store
 * that has not been picked yet sits in a store buffer, and a load that is picked
 * early was speculated.
 *
 * Each of the C code's barriers is a constraint below, under the name that the
 * C code's comments give it, and a -D switch takes it away (check.sh lists them).
 *
 *	model		C
 *	Writer		kcr_tier_store(), from the owner's stamp on: kcr_query_begin()
 *	  st_stored	WRITE_ONCE(q->owner->stored, 1)
 *	  st_bkey, bres	the blob's body and bulk, from before it was published
 *	  claim, odd	kcr_slot_claim(): the load and the store of its cmpxchg	(W)
 *	  ld_owner	READ_ONCE(q->owner->stamp) == q->stamp			(S)
 *	  st_wipe*	kcr_blob_discard() in kcr_slot_wipe()
 *	  st_*		kcr_slot_fill()
 *	  even		kcr_slot_release()					(W)
 *	Reader		kcr_slot_read(); q->res is word 0, q->key word 1	(R)
 *	BlobReader	kcr_slot_read_blob(), kcr_blob_read()			(R)
 *	Renew		kcr_owner_restamp(), kcr_tier_sweep(), kcr_slot_evict()	(S)
 *
 * Each stamp has its own result for a key. Words of the slot: for an inline entry result and
 * key, for a blob pointer and fingerprint. Keys 1 and 2 are inline, 3 is a blob's.
 */
#define NONE	0
#define INLINE	1
#define BLOB	2

#define PTR	40		/* pointers: PTR + number of the blob */
#define JUNK	60		/* what is read from memory that is no blob */
#define OLD	1		/* stamps */
#define NEW	2
#define OTHER	3
#define BLOBS	2
#define RESULT(stamp, key) (10 + 4 * (stamp) + (key))

byte seq, stamp, class, word0, word1;		/* the slot */
bool taken;		/* a cmpxchg has loaded seq, and not stored it yet */
byte owner[2] = { OLD, OTHER };			/* owners' stamps */
bool stored[2];
byte bkey[BLOBS], bres[BLOBS];
bool live[BLOBS];
bool in_rcu, must_wait[BLOBS];			/* the one reader of blobs */

/* The barriers */
#ifdef ACQUIRE_CMPXCHG
#define FULL_CMPXCHG	false
#else
#define FULL_CMPXCHG	true
#endif
#ifdef NO_RELEASE
#define RELEASE(done)	true
#else
#define RELEASE(done)	(done)
#endif
#ifdef NO_ACQUIRE
#define ACQUIRE(done)	true
#else
#define ACQUIRE(done)	(done)
#endif
#ifdef NO_RMB
#define RMB(done)	true
#else
#define RMB(done)	(done)
#endif
#ifdef NO_RMB_COPY
#define RMB_COPY(done)	true
#else
#define RMB_COPY(done)	(done)
#endif
#ifdef NO_SWEEP_ACQUIRE
#define SWEEP_ACQUIRE(done) true
#else
#define SWEEP_ACQUIRE(done) (done)
#endif

/* A blob that left the slot goes when no reader that may have found it is left */
inline retire(b)
{
	d_step {
		must_wait[b] = in_rcu;
#ifdef NO_RCU
		must_wait[b] = false;
#endif
	}
	!must_wait[b];
	d_step {
		live[b] = false;
		bkey[b] = JUNK;
		bres[b] = JUNK;
	}
}

proctype Writer(byte o, key, kind, blob)
{
	byte mine = owner[o];	/* kcr_query_begin() */
	byte now, old = BLOBS;
	bool st_stored, st_bkey, st_bres, claim, odd, ld_owner, even;
	bool st_wkey, st_wres, st_stamp, st_class, st_word0, st_word1;
	bool store;		/* the stamp was still ours */

	if
	:: kind == BLOB ->
		live[blob] = true
	:: else ->
		st_bkey = true;
		st_bres = true
	fi;
	do
	:: atomic { !st_stored &&
#ifdef STORED_LATE
		   claim ->
#else
		   true ->
#endif
		stored[o] = true; st_stored = true }
	:: atomic { !st_bkey -> bkey[blob] = key; st_bkey = true }
	:: atomic { !st_bres -> bres[blob] = RESULT(mine, key); st_bres = true }
	:: atomic { !claim && (!FULL_CMPXCHG || (st_bkey && st_bres &&
#ifdef STORED_LATE
		    true
#else
		    st_stored
#endif
		    )) ->
		if
		:: seq % 2 || taken ->
			break		/* somebody else has it: drop the result */
		:: else ->
			claim = true;
			if
			:: FULL_CMPXCHG -> seq++; odd = true
			:: else -> taken = true
			fi;
			/* What is there is read under the claim */
			if
			:: class == BLOB && stamp -> old = word0 - PTR
			:: else -> st_wkey = true; st_wres = true
			fi
		fi }
	:: atomic { claim && !odd -> seq++; taken = false; odd = true }
	:: atomic { !ld_owner &&
#ifdef EARLY_STAMP
		   true ->
#else
		   claim ->
#endif
		now = owner[o]; ld_owner = true }
	/* Stores are never speculated: the branch on the stamp comes first */
	:: atomic { claim && ld_owner && !store && now == mine -> store = true }
	:: atomic { store && !st_wkey -> bkey[old] = 0; st_wkey = true }
	:: atomic { store && !st_wres -> bres[old] = 0; st_wres = true }
	:: atomic { store && !st_stamp -> stamp = mine; st_stamp = true }
	:: atomic { store && !st_class -> class = kind; st_class = true }
	:: atomic { store && !st_word0 ->
		word0 = (kind == BLOB -> PTR + blob : RESULT(mine, key)); st_word0 = true }
	:: atomic { store && !st_word1 -> word1 = key; st_word1 = true }
	:: atomic { odd && !even && ld_owner && (now != mine || store) &&
		   RELEASE(now != mine || (st_wkey && st_wres && st_stamp &&
					   st_class && st_word0 && st_word1 &&
					   st_bkey && st_bres)) ->
		seq++; even = true }
	:: even && st_stored && (now != mine || (st_wkey && st_wres && st_stamp &&
		   st_class && st_word0 && st_word1 && st_bkey && st_bres)) ->
		break
	od;
	if
	:: store && old < BLOBS -> retire(old)
	:: else
	fi
}

proctype Reader(byte want, key)
{
	byte seq1, seq2, got_stamp, got_class, res, got_key;
	bool ld_seq1, ld_seq2, ld_stamp, ld_class, ld_word0, ld_word1;

	do
	:: atomic { !ld_seq1 -> seq1 = seq; ld_seq1 = true }
	:: atomic { !ld_stamp && ACQUIRE(ld_seq1) -> got_stamp = stamp; ld_stamp = true }
	:: atomic { !ld_class && ACQUIRE(ld_seq1) -> got_class = class; ld_class = true }
	:: atomic { !ld_word0 && ACQUIRE(ld_seq1) -> res = word0; ld_word0 = true }
	:: atomic { !ld_word1 && ACQUIRE(ld_seq1) -> got_key = word1; ld_word1 = true }
	:: atomic { !ld_seq2 && ld_seq1 &&
		   RMB(ld_stamp && ld_class && ld_word0 && ld_word1) ->
		seq2 = seq; ld_seq2 = true }
	:: ld_seq2 && ld_stamp && ld_class && ld_word0 && ld_word1 -> break
	od;
#ifdef NO_RECHECK
	seq2 = seq1;
#endif
#ifndef ODD_ACCEPTED
	if
	:: seq1 % 2 -> goto miss
	:: else
	fi;
#endif
	if
	:: seq2 == seq1 && got_stamp == want && got_class == INLINE && got_key == key ->
		assert(res == RESULT(want, key))
	:: else
	fi;
miss:	skip
}

/* The pointer gives the address of the blob's loads, and that alone orders them */
proctype BlobReader(byte want, key)
{
	byte seq1, seq2, seq3, got_stamp, got_class, ptr, fp, got_key, res;
	bool ld_seq1, ld_seq2, ld_seq3, ld_stamp, ld_class, ld_word0, ld_word1;
	bool ld_bkey, ld_bres, dead;

	in_rcu = true;
	do
	:: atomic { !ld_seq1 -> seq1 = seq; ld_seq1 = true }
	:: atomic { !ld_stamp && ACQUIRE(ld_seq1) -> got_stamp = stamp; ld_stamp = true }
	:: atomic { !ld_class && ACQUIRE(ld_seq1) -> got_class = class; ld_class = true }
	:: atomic { !ld_word0 && ACQUIRE(ld_seq1) -> ptr = word0; ld_word0 = true }
	:: atomic { !ld_word1 && ACQUIRE(ld_seq1) -> fp = word1; ld_word1 = true }
	:: atomic { !ld_seq2 && ld_seq1 &&
		   RMB(ld_stamp && ld_class && ld_word0 && ld_word1) ->
		seq2 = seq; ld_seq2 = true }
	:: atomic { !ld_bkey && ld_word0 ->
		if
		:: ptr >= PTR && ptr < PTR + BLOBS && live[ptr - PTR] ->
			got_key = bkey[ptr - PTR]
		:: else -> dead = true; got_key = JUNK
		fi;
		ld_bkey = true }
	:: atomic { !ld_bres && ld_word0 ->
		if
		:: ptr >= PTR && ptr < PTR + BLOBS && live[ptr - PTR] ->
			res = bres[ptr - PTR]
		:: else -> dead = true; res = JUNK
		fi;
		ld_bres = true }
	:: atomic { !ld_seq3 && ld_seq2 && RMB_COPY(ld_bkey && ld_bres) ->
		seq3 = seq; ld_seq3 = true }
	:: ld_seq3 && ld_stamp && ld_class && ld_word0 && ld_word1 && ld_bkey && ld_bres ->
		break
	od;
	atomic { in_rcu = false; must_wait[0] = false; must_wait[1] = false };
#ifdef NO_RECHECK_FOLLOW
	seq2 = seq1;
#endif
#ifdef NO_RECHECK_COPY
	seq3 = seq1;
#endif
	if
	:: seq1 % 2 == 0 && seq2 == seq1 && got_stamp == want && got_class == BLOB &&
	   fp == key ->
		assert(!dead);		/* followed only while it is memory of a blob */
		if
		:: seq3 == seq1 && got_key == key -> assert(res == RESULT(want, key))
		:: else
		fi
	:: else
	fi
}

proctype Renew()
{
	byte old, got_seq, got_stamp, blob = BLOBS;
	bool xchg, flag, ld_stored, ld_seq, ld_stamp;

	old = owner[0];
	do
	:: atomic { !xchg -> owner[0] = NEW; xchg = true }
	:: atomic { !ld_stored &&
#ifdef NO_XCHG
		   true ->
#else
		   xchg ->
#endif
		flag = stored[0]; ld_stored = true }
	:: atomic { !ld_seq &&
#ifdef NO_XCHG
		   true ->
#else
		   xchg ->
#endif
		got_seq = seq; ld_seq = true }
	:: atomic { !ld_stamp && SWEEP_ACQUIRE(ld_seq) &&
#ifdef NO_XCHG
		   true ->
#else
		   xchg ->
#endif
		got_stamp = stamp; ld_stamp = true }
	:: xchg && ld_stored && ld_seq && ld_stamp -> break
	od;
	if
	:: !flag || (got_seq % 2 == 0 && got_stamp != old) -> goto out
#ifdef NO_WAIT
	:: flag && got_seq % 2 -> goto out
#endif
	:: else
	fi;
	/* kcr_slot_evict(): the claim is the writer's, and so are its barriers */
	atomic { seq % 2 == 0 && !taken -> seq++ };
	if
	:: stamp == old ->
		if
		:: class == BLOB ->
			blob = word0 - PTR;
			bkey[blob] = 0;
			bres[blob] = 0
		:: else
		fi;
		word0 = 0;
		word1 = 0;
		stamp = 0;
		class = NONE
	:: else
	fi;
	seq++;
out:	assert(stamp != old);
	if
	:: blob < BLOBS -> retire(blob)
	:: else
	fi
}

/* Blob 0 lies in the slot at the beginning: key 3 of the owner that is renewed */
inline start_with_blob()
{
	stamp = OLD;
	class = BLOB;
	word0 = PTR;
	word1 = 3;
	bkey[0] = 3;
	bres[0] = RESULT(OLD, 3);
	live[0] = true;
	stored[0] = true
}

init
{
	atomic {
#if SCENE == 1			/* two keys of one owner */
		run Writer(0, 1, INLINE, 0);
		run Writer(0, 2, INLINE, 0);
		run Reader(OLD, 1)
#elif SCENE == 5		/* one key of two owners */
		run Writer(0, 1, INLINE, 0);
		run Writer(1, 1, INLINE, 0);
		run Reader(OLD, 1)
#elif SCENE == 2		/* invalidation against stores */
		run Writer(0, 1, INLINE, 0);
		run Writer(1, 2, INLINE, 0);
		run Renew()
#elif SCENE == 3		/* a blob gives way to an inline entry and comes back */
		start_with_blob();
		run Writer(1, 1, INLINE, 0);
		run Writer(0, 3, BLOB, 1);
		run BlobReader(OLD, 3)
#else				/* a blob is swept while it is read and replaced */
		start_with_blob();
		run Writer(0, 3, BLOB, 1);
		run Renew();
		run BlobReader(OLD, 3)
#endif
	};
	_nr_pr == 1;
	assert(seq % 2 == 0 && !taken);
#if SCENE == 2 || SCENE == 4
	assert(stamp != OLD)		/* nothing of the old stamp came later */
#endif
}
