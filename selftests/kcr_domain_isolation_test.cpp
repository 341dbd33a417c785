// SPDX-License-Identifier: GPL-2.0
/*
 * Who cannot do what: mappings that cannot be written, descriptors that cannot be
 * opened again, other users, other domains, and what a dead domain leaves.
 */
#include <grp.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <csignal>
#include <sstream>

#include "region.hpp"

using domain::Bytes;
using domain::Fd;
using domain::Mapping;
using domain::Region;
using tap::Check;

namespace
{

constexpr uint64_t small_region = 64 << 10;
constexpr uid_t nobody = 65534;

Bytes text(const std::string& s)
{
    return Bytes(s.begin(), s.end());
}

/* Runs @p what in a child, which exits with what it returns */
template <typename F> int in_child(F what)
{
    const pid_t pid = fork();
    int status = 0;

    if (!pid)
        _exit(what());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string self(const std::string& path)
{
    return "/proc/self/" + path;
}

/* A domain with a function and a result in it */
struct Filled {
    Fd fd = domain::create(small_region);
    Region region{fd.get()};
    uint32_t f = domain::add(fd.get(), {});

    Filled()
    {
        domain::store(fd.get(), f, region.stamp(f), text("key"), text("value"));
    }
    bool intact() const
    {
        return region.find(f, 16, text("key")) == text("value");
    }
    uint8_t* memory() const
    {
        return region.mapping().writable();
    }
};

void test_fresh(Check& check)
{
    const Fd fd = domain::create();
    const Region region(fd.get());
    const Mapping counts(fd.get(), domain::info(fd.get()).counts_size, PROT_READ | PROT_WRITE,
                         KCR_COUNTS_OFFSET);

    check.that(region.zero(sizeof(kcr_region_header)), "a fresh region is zero");
    for (size_t i = 0; i < counts.size(); i++) {
        if (!check.that(!counts.data()[i], "fresh counts are zero"))
            break;
    }
}

void test_mmap(Check& check)
{
    const Filled filled;
    const int fd = filled.fd.get();
    const auto map = [&](size_t size, int prot, int flags, off_t offset) {
        void* address = mmap(nullptr, size, prot, flags, fd, offset);
        const int error = address == MAP_FAILED ? errno : 0;
        if (address != MAP_FAILED)
            munmap(address, size);
        return error;
    };
    const size_t counts_size = domain::info(fd).counts_size;

    check.that(map(small_region, PROT_READ, MAP_SHARED, 0) == 0, "read-only");
    check.that(map(small_region, PROT_READ | PROT_WRITE, MAP_SHARED, 0) == EPERM, "writable");
    check.that(map(small_region, PROT_WRITE, MAP_SHARED, 0) == EPERM, "write-only");
    check.that(map(small_region, PROT_READ | PROT_EXEC, MAP_SHARED, 0) == EINVAL, "executable");
    check.that(map(small_region, PROT_READ, MAP_PRIVATE, 0) == EINVAL, "private");
    check.that(map(small_region, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0) == EINVAL,
               "private and writable");
    check.that(map(small_region * 2, PROT_READ, MAP_SHARED, 0) == EINVAL, "too much");
    check.that(map(4096, PROT_READ, MAP_SHARED, 0) == EINVAL, "a part");
    check.that(map(small_region, PROT_READ, MAP_SHARED, 4096) == EINVAL, "from its middle");
    check.that(map(counts_size, PROT_READ | PROT_WRITE, MAP_SHARED, KCR_COUNTS_OFFSET) == 0,
               "counts");
    check.that(map(counts_size * 2, PROT_READ | PROT_WRITE, MAP_SHARED, KCR_COUNTS_OFFSET) ==
                   EINVAL,
               "more than the counts");
    check.that(map(counts_size, PROT_READ | PROT_EXEC, MAP_SHARED, KCR_COUNTS_OFFSET) == EINVAL,
               "executable counts");
    check.that(filled.intact(), "intact");
}

void test_remap(Check& check)
{
    const Filled filled;
    uint8_t* memory = filled.memory();

    for (const int prot : {PROT_READ | PROT_WRITE, PROT_WRITE, PROT_READ | PROT_EXEC})
        check.that(mprotect(memory, small_region, prot) < 0 && errno == EACCES, "mprotect");
    check.that(mremap(memory, small_region, 2 * small_region, MREMAP_MAYMOVE) == MAP_FAILED,
               "mremap to more");
    check.that(madvise(memory, small_region, MADV_REMOVE) < 0, "MADV_REMOVE");
    check.that(madvise(memory, small_region, MADV_DODUMP) < 0 && errno == EINVAL, "MADV_DODUMP");
    check.that(madvise(memory, small_region, MADV_POPULATE_WRITE) < 0, "MADV_POPULATE_WRITE");
    check.that(filled.intact(), "intact");
    check.that(madvise(memory, small_region, MADV_DONTNEED) == 0 && filled.intact(),
               "there again after MADV_DONTNEED");
}

/* The flags that the kernel keeps for the mapping that begins at @p memory */
std::string vm_flags(const void* memory)
{
    std::ifstream smaps(self("smaps"));
    std::ostringstream start;
    std::string line;
    bool here = false;

    start << std::hex << reinterpret_cast<uintptr_t>(memory) << '-';
    while (std::getline(smaps, line)) {
        if (line.find('-') != std::string::npos && line.find(':') > line.find('-'))
            here = line.compare(0, start.str().size(), start.str()) == 0;
        if (here && line.starts_with("VmFlags:"))
            return line;
    }
    return "";
}

void test_flags(Check& check)
{
    const Filled filled;
    const std::string flags = vm_flags(filled.memory());

    if (flags.empty())
        throw tap::Skip("no smaps");
    check.that(flags.find(" dd") != std::string::npos, "not in core dumps: " + flags);
    check.that(flags.find(" de") != std::string::npos, "cannot grow: " + flags);
    check.that(flags.find(" mw") == std::string::npos, "never writable: " + flags);
    check.that(flags.find(" me") == std::string::npos, "never executable: " + flags);
}

void test_write_behind(Check& check)
{
    const Filled filled;
    uint8_t* memory = filled.memory();
    const uint64_t word = 0x4141414141414141ULL;
    const Fd mem(open(self("mem").c_str(), O_RDWR | O_CLOEXEC));
    const iovec local = {const_cast<uint64_t*>(&word), sizeof(word)};
    const iovec remote = {memory + 4096, sizeof(word)};

    if (mem)
        check.that(pwrite(mem.get(), &word, sizeof(word),
                          static_cast<off_t>(reinterpret_cast<uintptr_t>(memory + 4096))) < 0,
                   "/proc/self/mem");
    check.that(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) < 0 && errno == EFAULT,
               "process_vm_writev");
    const Fd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    check.that(read(zero.get(), memory + 4096, 64) < 0 && errno == EFAULT, "read(2) into it");
    check.that(filled.intact(), "intact");

    const pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        _exit(filled.intact() ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    errno = 0;
    const long poked = ptrace(PTRACE_POKEDATA, pid, memory + 4096, word);
    check.that(poked < 0 && (errno == EIO || errno == EFAULT), "PTRACE_POKEDATA");
    ptrace(PTRACE_CONT, pid, nullptr, nullptr);
    waitpid(pid, &status, 0);
    check.that(WIFEXITED(status) && !WEXITSTATUS(status), "the traced child's is intact");
    check.that(filled.intact(), "intact");
}

/* A store through the mapping kills whoever makes it */
void test_scribble(Check& check)
{
    const Filled filled;

    check.that(in_child([&] {
                   *reinterpret_cast<volatile uint8_t*>(filled.memory() + 4096) = 1;
                   return 0;
               }) == 128 + SIGSEGV,
               "SIGSEGV");
    check.that(filled.intact(), "intact");
}

void test_reopen(Check& check)
{
    const Filled filled;
    const std::string fd = std::to_string(filled.fd.get());
    std::ostringstream range;

    for (const int flags : {O_RDONLY, O_RDWR, O_RDWR | O_TRUNC})
        check.that(open(self("fd/" + fd).c_str(), flags | O_CLOEXEC) < 0, "/proc/self/fd");
    range << "map_files/" << std::hex << reinterpret_cast<uintptr_t>(filled.memory()) << '-'
          << reinterpret_cast<uintptr_t>(filled.memory() + small_region);
    check.that(open(self(range.str()).c_str(), O_RDONLY | O_CLOEXEC) < 0, "/proc/self/map_files");
    check.that(filled.intact(), "intact");
}

void test_file_calls(Check& check)
{
    const Filled filled;
    const int fd = filled.fd.get();
    std::array<uint8_t, 64> buffer{};
    std::array<int, 2> pipe_fds{};

    if (pipe(pipe_fds.data()) < 0)
        domain::fail("pipe");
    check.that(read(fd, buffer.data(), buffer.size()) < 0, "read");
    check.that(pread(fd, buffer.data(), buffer.size(), 0) < 0, "pread");
    check.that(write(fd, buffer.data(), buffer.size()) < 0, "write");
    check.that(lseek(fd, 0, SEEK_END) <= 0, "lseek");
    check.that(ftruncate(fd, 0) < 0, "ftruncate");
    check.that(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0, "fallocate");
    check.that(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0, "seal");
    check.that(splice(fd, nullptr, pipe_fds[1], nullptr, 4096, 0) < 0, "splice from it");
    check.that(splice(pipe_fds[0], nullptr, fd, nullptr, 4096, SPLICE_F_NONBLOCK) < 0,
               "splice to it");

    /* What is read from the pipe may be seen, and what comes back is no way in */
    iovec iov = {filled.memory() + 4096, 4096};
    const ssize_t gifted = vmsplice(pipe_fds[1], &iov, 1, SPLICE_F_GIFT);
    if (gifted > 0) {
        Bytes seen(static_cast<size_t>(gifted));
        check.that(read(pipe_fds[0], seen.data(), seen.size()) == gifted, "vmsplice and read");
    }
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    check.that(filled.intact(), "intact");
}

void test_lookup_descriptor(Check& check)
{
    const Filled filled;
    const Fd lookup(domain::share(filled.fd.get(), 0));
    const Region region(lookup.get());
    const uint64_t stamp = region.stamp(filled.f);

    check.that(region.find(filled.f, 16, text("key")) == text("value"), "looks up");
    check.that(domain::info(lookup.get()).access == 0, "access");
    check.that(domain::store(lookup.get(), filled.f, stamp, text("a"), text("b")) == -EACCES,
               "store");
    check.that(domain::flush(lookup.get(), filled.f) == -EACCES, "flush");
    check.that(domain::flush(lookup.get(), filled.f, KCR_STATE_REJECTED) == -EACCES, "reject");
    check.that(domain::share(lookup.get(), 0) == -EACCES, "share");
    check.that(domain::share(lookup.get(), KCR_SHARE_STORE) == -EACCES, "share with stores");
    check.that(domain::share(filled.fd.get(), 2) == -EINVAL, "unknown flag");
    check.that(mmap(nullptr, small_region, PROT_READ | PROT_WRITE, MAP_SHARED, lookup.get(), 0) ==
                   MAP_FAILED,
               "writable");
    const Fd store(domain::share(filled.fd.get(), KCR_SHARE_STORE));
    check.that(domain::store(store.get(), filled.f, stamp, text("a"), text("b")) == KCR_STORED_NEW,
               "a shared store descriptor");
    check.that(region.find(filled.f, 16, text("a")) == text("b"), "seen by the others");
    check.that(filled.intact(), "intact");
}

void test_other_domain(Check& check)
{
    const Filled filled;
    const Filled other;

    domain::store(filled.fd.get(), filled.f, filled.region.stamp(filled.f), text("mine"),
                  text("a secret"));
    check.that(!other.region.find(other.f, 16, text("mine")), "found in another domain");
    check.that(!other.region.contains(text("a secret")), "bytes in another domain");
    check.that(std::memcmp(filled.region.header().secrets, other.region.header().secrets,
                           sizeof(kcr_region_header::secrets)) != 0,
               "the same secrets");
    check.that(domain::info(filled.fd.get()).domain != domain::info(other.fd.get()).domain,
               "the same number");
    check.that(domain::flush(other.fd.get(), KCR_ALL_FUNCTIONS) == 0 && filled.intact(),
               "flushed by another domain");
}

void test_other_user(Check& check)
{
    const Filled filled;
    const std::string parent = "/proc/" + std::to_string(getpid());
    const std::string fd = std::to_string(filled.fd.get());

    if (getuid())
        throw tap::Skip("needs root");
    check.that(in_child([&] {
                   close(filled.fd.get());
                   if (setgroups(0, nullptr) || setgid(nobody) || setuid(nobody))
                       return 9;
                   if (open((parent + "/fd/" + fd).c_str(), O_RDWR) >= 0)
                       return 1;
                   if (std::ifstream(parent + "/fdinfo/" + fd).good())
                       return 2;
                   if (open((parent + "/mem").c_str(), O_RDONLY) >= 0)
                       return 3;
                   const Filled own;
                   if (!own.intact() || own.region.stamp(own.f) == 0)
                       return 4;
                   return 0;
               }) == 0,
               "another user sees what is not his, or has none of his own");
    check.that(filled.intact(), "intact");
}

void test_user_namespace(Check& check)
{
    const Filled filled;
    const std::string parent = "/proc/" + std::to_string(getpid());
    const std::string fd = std::to_string(filled.fd.get());

    check.that(in_child([&] {
                   if (setgid(nobody) || setuid(nobody) || unshare(CLONE_NEWUSER))
                       return 9;
                   if (open((parent + "/fd/" + fd).c_str(), O_RDWR) >= 0)
                       return 1;
                   if (std::ifstream(parent + "/fdinfo/" + fd).good())
                       return 2;
                   const Filled own;
                   return own.intact() && !own.region.contains(text("a secret")) ? 0 : 3;
               }) == 0,
               "another user namespace sees what is not its");
}

void send_fd(int socket, int fd)
{
    std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char byte = 0;
    iovec iov = {&byte, 1};
    msghdr message{};

    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
    if (sendmsg(socket, &message, 0) != 1)
        domain::fail("sendmsg");
}

int receive_fd(int socket)
{
    std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char byte = 0;
    iovec iov = {&byte, 1};
    msghdr message{};
    int fd = -1;

    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(socket, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
        return -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return fd;
}

/* A descriptor that was sent is what it was */
void test_sent(Check& check)
{
    const Filled filled;
    std::array<int, 2> sockets{};

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) < 0)
        domain::fail("socketpair");
    send_fd(sockets[0], Fd(domain::share(filled.fd.get(), 0)).get());
    check.that(in_child([&] {
                   close(filled.fd.get());
                   const Fd fd(receive_fd(sockets[1]));
                   const Region region(fd.get());
                   if (region.find(filled.f, 16, text("key")) != text("value"))
                       return 1;
                   return domain::store(fd.get(), filled.f, region.stamp(filled.f), text("x"),
                                        text("y")) == -EACCES
                              ? 0
                              : 2;
               }) == 0,
               "looks up and cannot store");
    close(sockets[0]);
    close(sockets[1]);
    check.that(filled.intact(), "intact");
}

void test_fork(Check& check)
{
    const Filled filled;

    check.that(in_child([&] {
                   return domain::store(filled.fd.get(), filled.f, filled.region.stamp(filled.f),
                                        text("child"), text("was here")) == KCR_STORED_NEW
                              ? 0
                              : 1;
               }) == 0,
               "a child stores");
    check.that(filled.region.find(filled.f, 16, text("child")) == text("was here"),
               "its parent finds it");
    check.that(filled.intact(), "intact when the child is gone");
}

/* The memory is zero when the last descriptor is gone, and counts as long as it is mapped */
void test_death(Check& check)
{
    const domain::Setting limit("/sys/module/kcr/parameters/max_memory",
                                std::to_string(2 * small_region));
    Filled filled;
    Fd other(domain::share(filled.fd.get(), 0));

    check.that(domain::try_create(2 * small_region) == -EDQUOT, "more than a user may have");
    filled.fd.reset();
    check.that(filled.intact(), "another descriptor is left");
    other.reset();
    check.that(filled.region.zero(), "zeroed with the last descriptor");
    check.that(!filled.region.find(filled.f, 16, text("key")), "found in a dead domain");
    check.that(domain::try_create(2 * small_region) == -EDQUOT, "there while it is mapped");
    filled.region = Region();
    const Fd again(domain::try_create(2 * small_region));
    check.that(bool(again), "freed with the last mapping");
}

void test_domain_limit(Check& check)
{
    const domain::Setting limit("/sys/module/kcr/parameters/max_domains", "3");
    std::vector<Fd> domains;

    domains.reserve(3);
    for (int i = 0; i < 3; i++)
        domains.push_back(domain::create(small_region));
    check.that(domain::try_create(small_region) == -EDQUOT, "one too many");
    if (!getuid())
        check.that(in_child([&] {
                       if (setuid(nobody))
                           return 9;
                       return Fd(domain::try_create(small_region)) ? 0 : 1;
                   }) == 0,
                   "another user's limit is his own");
    domains.pop_back();
    check.that(bool(Fd(domain::try_create(small_region))), "one less");
}

void test_region_size(Check& check)
{
    const domain::Setting size("/sys/kernel/kcr/region_size", "1M");
    const Fd fd = domain::create();

    check.that(domain::info(fd.get()).region_size == 1 << 20, "as set");
    for (const char* wrong : {"0", "3M", "5", "-1", "2G", "many"})
        check.that(!(std::ofstream("/sys/kernel/kcr/region_size") << wrong << std::flush), wrong);
}

void test_fdinfo(Check& check)
{
    const Filled filled;
    const Mapping counts(filled.fd.get(), domain::info(filled.fd.get()).counts_size,
                         PROT_READ | PROT_WRITE, KCR_COUNTS_OFFSET);
    auto* lines = reinterpret_cast<kcr_counts*>(counts.writable());
    std::stringstream text;

    lines[0].hits = 40;
    lines[15].hits = 2;
    lines[15].saved = -7;
    text << std::ifstream(self("fdinfo/" + std::to_string(filled.fd.get()))).rdbuf();
    for (const char* line : {"kcr-access:\tstore\n", "kcr-region:\t65536\n", "kcr-entries:\t1\n",
                             "kcr-stored:\t1\n", "kcr-function-0:\tf reuse 1 42 0 0 0 0 0 -7\n"})
        check.that(text.str().find(line) != std::string::npos, line + (" in " + text.str()));
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"fresh memory", test_fresh},
        {"mappings that are refused", test_mmap},
        {"mappings stay what they are", test_remap},
        {"flags of the mapping", test_flags},
        {"writing from behind", test_write_behind},
        {"a store through the mapping", test_scribble},
        {"opening again", test_reopen},
        {"calls for files", test_file_calls},
        {"a lookup descriptor", test_lookup_descriptor},
        {"another domain", test_other_domain},
        {"another user", test_other_user},
        {"another user namespace", test_user_namespace},
        {"a descriptor that was sent", test_sent},
        {"fork", test_fork},
        {"death", test_death},
        {"domains that a user may have", test_domain_limit},
        {"size that the administrator set", test_region_size},
        {"fdinfo", test_fdinfo},
    };
    return tap::run_cases(cases, domain::need_device);
}
