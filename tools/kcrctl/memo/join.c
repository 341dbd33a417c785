// SPDX-License-Identifier: GPL-2.0-only
/* The domain that kcrctl made. Tests have another one, of an emulated kernel. */
#include "memo.h"

#include <kcr.h>

/**
 * kcr_memo_domain() - the domain to reuse results of
 * @fd: its descriptor, inherited
 *
 * Return: the domain; see kcr_domain_status().
 */
struct kcr_domain *kcr_memo_domain(int fd)
{
	return kcr_domain_from_fd(fd);
}
