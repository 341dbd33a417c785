// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: errors, for people.
 */
#include "internal.h"

#include <errno.h>

static const struct {
	int status;
	const char *text;
} kcr_texts[] = {
	{ 0, "results are reused" },
	{ -ENOENT, "there is no KCR in this kernel (no device), or no such function" },
	{ -ENODEV, "there is no KCR in this kernel (no driver)" },
	{ -ENXIO, "there is no KCR in this kernel (no driver)" },
	{ -EACCES, "no permission for the device, or to store" },
	{ -EPERM, "not permitted, or storing was stopped before" },
	{ -ENOMEM, "no memory" },
	{ -EDQUOT, "a limit of the user's is reached" },
	{ -ENOSPC, "the domain has as many functions as it can have" },
	{ -EOPNOTSUPP, "KCR is switched off (kcr_enable)" },
	{ -EPROTO, "the kernel's KCR is one that this library does not know" },
	{ -EBADF, "there is no domain" },
	{ -ENOTTY, "the descriptor is none of a domain" },
	{ -EINVAL, "the options are not valid" },
	{ -E2BIG, "the kernel's KCR is older than this library" },
	{ -EMFILE, "the process has no descriptor left" },
	{ -ENFILE, "the system has no descriptor left" },
	{ -EBADMSG, "rejected: equal keys gave different results" },
};

/* kcr_status_text() - a sentence; never NULL */
const char *kcr_status_text(int status)
{
	size_t i;

	for (i = 0; i < sizeof(kcr_texts) / sizeof(kcr_texts[0]); i++) {
		if (kcr_texts[i].status == status)
			return kcr_texts[i].text;
	}
	return "an error that KCR does not know";
}
