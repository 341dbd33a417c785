// SPDX-License-Identifier: GPL-2.0
/*
 * Domains' memory is charged to the memory control group that asked for it.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

#include "domain.hpp"

using domain::Fd;
using tap::Check;

namespace
{

/* A control group of its own below one that has the memory controller */
class Group
{
public:
    Group()
    {
        mkdir(root, 0755);
        if (mount("none", root, "cgroup2", 0, nullptr) < 0 && errno != EBUSY)
            throw tap::Skip("no cgroup2");
        if (!write("cgroup.subtree_control", "+memory", root) || mkdir(path().c_str(), 0755) < 0)
            throw tap::Skip("no memory control groups");
    }
    ~Group()
    {
        rmdir(path().c_str());
        umount2(root, MNT_DETACH);
    }
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    bool write(const std::string& file, const std::string& value, const std::string& dir = path())
    {
        return bool(std::ofstream(dir + "/" + file) << value << std::flush);
    }
    uint64_t current() const
    {
        uint64_t value = 0;
        std::ifstream(path() + "/memory.current") >> value;
        return value;
    }

private:
    static constexpr const char* root = "/tmp/kcr-cgroup";
    static std::string path()
    {
        return std::string(root) + "/test";
    }
};

/* Makes a domain in the group and keeps it until it is told to go on */
class Child
{
public:
    Child(Group& group, uint64_t region_size)
    {
        if (pipe(ready_.data()) < 0 || pipe(go_on_.data()) < 0)
            domain::fail("pipe");
        pid_ = fork();
        if (!pid_) {
            char byte = 0;
            group.write("cgroup.procs", "0");
            const Fd fd(domain::try_create(region_size));
            byte = fd ? 1 : 0;
            if (::write(ready_[1], &byte, 1) == 1 && read(go_on_[0], &byte, 1) < 0)
                _exit(1);
            _exit(0);
        }
        close(ready_[1]);
        char byte = 0;
        created_ = read(ready_[0], &byte, 1) == 1 && byte;
    }
    ~Child()
    {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        for (const int fd : {ready_[0], go_on_[0], go_on_[1]})
            close(fd);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    bool created() const
    {
        return created_;
    }
    /** Whether it was told what became of it, rather than killed. */
    bool alive() const
    {
        return waitpid(pid_, nullptr, WNOHANG) == 0;
    }

private:
    std::array<int, 2> ready_{};
    std::array<int, 2> go_on_{};
    pid_t pid_ = 0;
    bool created_ = false;
};

void test_charged(Check& check)
{
    constexpr uint64_t size = 16 << 20;
    Group group;
    {
        const Child child(group, size);
        check.that(child.created(), "a domain");
        check.that(group.current() >= size, "charged " + std::to_string(group.current()));
    }
    group.write("memory.max", "8M");
    const Child child(group, size);
    check.that(!child.created(), "a domain larger than the group's limit");
    check.that(child.alive(), "killed for it");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {{"charged and limited", test_charged}};
    return tap::run_cases(cases, domain::need_device);
}
