/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kcr

#if !defined(_TRACE_KCR_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KCR_H

#include <linux/kcr.h>
#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(KCR_MISS_COLD);
TRACE_DEFINE_ENUM(KCR_MISS_EVICTED);
TRACE_DEFINE_ENUM(KCR_MISS_STALE);
TRACE_DEFINE_ENUM(KCR_MISS_EXPIRED);
TRACE_DEFINE_ENUM(KCR_MISS_TOO_LARGE);
TRACE_DEFINE_ENUM(KCR_MISS_UNVERIFIED);
TRACE_DEFINE_ENUM(KCR_MODE_OFF);
TRACE_DEFINE_ENUM(KCR_MODE_OBSERVE);
TRACE_DEFINE_ENUM(KCR_MODE_LEARN);
TRACE_DEFINE_ENUM(KCR_MODE_REUSE);
TRACE_DEFINE_ENUM(KCR_MODE_REJECTED);

#define show_kcr_miss_reason(reason)				\
	__print_symbolic(reason,				\
		{ KCR_MISS_COLD,	"cold" },		\
		{ KCR_MISS_EVICTED,	"evicted" },		\
		{ KCR_MISS_STALE,	"stale" },		\
		{ KCR_MISS_EXPIRED,	"expired" },		\
		{ KCR_MISS_TOO_LARGE,	"too_large" },		\
		{ KCR_MISS_UNVERIFIED,	"unverified" })

#define show_kcr_mode(mode)					\
	__print_symbolic(mode,					\
		{ KCR_MODE_OFF,		"off" },		\
		{ KCR_MODE_OBSERVE,	"observe" },		\
		{ KCR_MODE_LEARN,	"learn" },		\
		{ KCR_MODE_REUSE,	"reuse" },		\
		{ KCR_MODE_REJECTED,	"rejected" })

TRACE_EVENT(kcr_hit,
	    TP_PROTO(const struct kcr_query *q, unsigned int tier),

	    TP_ARGS(q, tier),

	    TP_STRUCT__entry(__string(site, q->site->name)
			     __field(u64, fingerprint)
			     __field(u32, body_len)
			     __field(u8, tier)),

	    TP_fast_assign(__assign_str(site);
			   __entry->fingerprint = q->fingerprint;
			   __entry->body_len = kcr_body_len(q);
			   __entry->tier = tier;),

	    TP_printk("site=%s fingerprint=%016llx body_len=%u tier=L%u",
		      __get_str(site),
		      __entry->fingerprint,
		      __entry->body_len,
		      __entry->tier)
);

TRACE_EVENT(kcr_miss,
	    TP_PROTO(const struct kcr_query *q, unsigned int reason),

	    TP_ARGS(q, reason),

	    TP_STRUCT__entry(__string(site, q->site->name)
			     __field(u64, fingerprint)
			     __field(u32, body_len)
			     __field(u8, reason)),

	    TP_fast_assign(__assign_str(site);
			   __entry->fingerprint = q->fingerprint;
			   __entry->body_len = kcr_body_len(q);
			   __entry->reason = reason;),

	    TP_printk("site=%s fingerprint=%016llx body_len=%u reason=%s",
		      __get_str(site),
		      __entry->fingerprint,
		      __entry->body_len,
		      show_kcr_miss_reason(__entry->reason))
);

TRACE_EVENT(kcr_store,
	    TP_PROTO(const struct kcr_query *q, int error),

	    TP_ARGS(q, error),

	    TP_STRUCT__entry(__string(site, q->site->name)
			     __field(u64, fingerprint)
			     __field(u32, body_len)
			     __field(int, error)),

	    TP_fast_assign(__assign_str(site);
			   __entry->fingerprint = q->fingerprint;
			   __entry->body_len = kcr_body_len(q);
			   __entry->error = error;),

	    TP_printk("site=%s fingerprint=%016llx body_len=%u error=%d",
		      __get_str(site),
		      __entry->fingerprint,
		      __entry->body_len,
		      __entry->error)
);

TRACE_EVENT(kcr_invalidate,
	    TP_PROTO(u64 old_stamp, u64 new_stamp),

	    TP_ARGS(old_stamp, new_stamp),

	    TP_STRUCT__entry(__field(u64, old_stamp)
			     __field(u64, new_stamp)),

	    TP_fast_assign(__entry->old_stamp = old_stamp;
			   __entry->new_stamp = new_stamp;),

	    TP_printk("old=%llu new=%llu",
		      __entry->old_stamp,
		      __entry->new_stamp)
);

TRACE_EVENT(kcr_mode,
	    TP_PROTO(const char *name, unsigned int old_mode, unsigned int new_mode),

	    TP_ARGS(name, old_mode, new_mode),

	    TP_STRUCT__entry(__string(site, name)
			     __field(u8, old_mode)
			     __field(u8, new_mode)),

	    TP_fast_assign(__assign_str(site);
			   __entry->old_mode = old_mode;
			   __entry->new_mode = new_mode;),

	    TP_printk("site=%s old=%s new=%s",
		      __get_str(site),
		      show_kcr_mode(__entry->old_mode),
		      show_kcr_mode(__entry->new_mode))
);

TRACE_EVENT(kcr_bypass,
	    TP_PROTO(const char *name, unsigned int size, unsigned int requests),

	    TP_ARGS(name, size, requests),

	    TP_STRUCT__entry(__string(site, name)
			     __field(u32, size)
			     __field(u32, requests)),

	    TP_fast_assign(__assign_str(site);
			   __entry->size = 1U << size;
			   __entry->requests = requests;),

	    TP_printk("site=%s size=%u requests=%u",
		      __get_str(site),
		      __entry->size,
		      __entry->requests)
);

#endif /* _TRACE_KCR_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
