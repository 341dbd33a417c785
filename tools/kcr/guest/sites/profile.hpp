/* SPDX-License-Identifier: GPL-2.0 */
/* Seccomp filters as real users have them, made with libseccomp. */
#ifndef KCR_SITES_PROFILE_HPP
#define KCR_SITES_PROFILE_HPP

#include <linux/filter.h>

#include <string>
#include <vector>

namespace sites
{

using Program = std::vector<sock_filter>;

/** How libseccomp arranges the system calls of a filter. */
enum class Order { linear, tree };

/** A container runtime's default profile, for x86-64, x86 and x32, from its JSON at @p path. */
Program container_profile(const std::string& path);

/**
 * A sandbox that lets everything through but looks at the arguments of frequent calls:
 * futex, mmap, mprotect, madvise, fcntl, ioctl, epoll_ctl.
 */
Program sandbox_profile(Order order);

/** A filter of five instructions that looks at one argument of fcntl and allows it. */
Program short_profile();

/** A filter that allows everything, so that the kernel's bitmap answers. */
Program open_profile();

} // namespace sites

#endif
