/* SPDX-License-Identifier: GPL-2.0 */
/* Child processes that live under a seccomp filter and report numbers. */
#ifndef KCR_SITES_CHILD_HPP
#define KCR_SITES_CHILD_HPP

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "afalg.hpp"
#include "profile.hpp"

namespace sites
{

using Numbers = std::vector<uint64_t>;

/** Installs a filter for this process; returns the instructions that seccomp() took. */
uint64_t install(const Program& program);

/** A process that runs @p work, reports what that returns, and stays until it is let go. */
class Child
{
public:
    explicit Child(const std::function<Numbers()>& work);
    ~Child();
    Child(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    Child& operator=(Child&&) = delete;

    /** What the process reported; throws if it died instead. */
    Numbers numbers();

private:
    pid_t pid_ = -1;
    afalg::Fd report_;
    afalg::Fd hold_;
};

/** Runs @p work in a process of its own and returns what it reports. */
Numbers in_child(const std::function<Numbers()>& work);

} // namespace sites

#endif
