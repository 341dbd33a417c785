// SPDX-License-Identifier: GPL-2.0
/*
 * Trackers when processes begin and end: exec, exit, processes that share memory,
 * descriptors that outlive what they are about.
 */
#include <sys/socket.h>

#include <thread>

#include "others.hpp"

using namespace track;

namespace
{

constexpr const char* inherited_option = "--inherited";

/* A process with other memory: all that it may do is to look at statistics */
int look_at_inherited(int fd)
{
    const size_t size = KCR_SETS_MAX * sizeof(uint64_t);
    auto arm = domain::sized<kcr_set_arm>();
    auto info = domain::sized<kcr_set_info>();
    auto add = domain::sized<kcr_set_add>();
    const kcr_range range = {address_of(&arm), 1};
    int wrong = 0;

    add.set = KCR_SET_NEW;
    add.nr = 1;
    add.ranges = address_of(&range);
    wrong |= domain::request(fd, KCR_IOC_SET_ARM, arm) == -EPERM ? 0 : 1;
    wrong |= domain::request(fd, KCR_IOC_SET_ADD, add) == -EPERM ? 0 : 2;
    wrong |= domain::request(fd, KCR_IOC_SET_INFO, info) == 0 && info.ranges == 1 ? 0 : 4;
    const auto* stamps =
        static_cast<const uint64_t*>(mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0));
    if (stamps != MAP_FAILED) {
        for (size_t i = 0; i < KCR_SETS_MAX; i++)
            wrong |= stamps[i] ? 8 : 0;
    }
    return wrong;
}

void test_exec(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    const Fd kept(dup(subject.tracker().fd()));

    area.fill();
    if (fcntl(kept.get(), F_SETFD, 0) < 0)
        domain::fail("F_SETFD");
    const int result = in_child([&] {
        const std::string number = std::to_string(kept.get());
        execl("/proc/self/exe", "kcr_track_life_test", inherited_option, number.c_str(), nullptr);
        return 99;
    });
    check.that(!result, "after exec: " + std::to_string(result));
    subject.run(check, {"a store after all that", [&] { area.word(1)++; }});
}

/* A process that shares this one's memory, and is not a thread: it is as good as one */
void test_shared_memory(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    static std::array<uint8_t, 65536> stack alignas(16);
    static const Subject* child_subject;
    static uint64_t* child_word;
    const auto run = [&](int (*what)(void*)) {
        int status = 0;
        const pid_t pid =
            clone(what, stack.data() + stack.size(), CLONE_VM | CLONE_FILES | SIGCHLD, nullptr);
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            domain::fail("clone");
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };

    area.fill();
    child_subject = &subject;
    child_word = &area.word(1);
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"a store of a process with the same memory", [&] {
                                check.that(!run([](void*) {
                                    ++*child_word;
                                    return child_subject->stamp() ? 1 : 0;
                                }),
                                           "it sees a stamp");
                            }});
    }
    subject.tracker().renew(subject.set());
    check.that(!run([](void*) {
        return child_subject->tracker().arm_once(child_subject->set()).armed() &&
                       child_subject->stamp()
                   ? 0
                   : 1;
    }),
               "it cannot arm");
    area.word(1)++;
    check.that(!subject.stamp(), "a store after that");
}

int send_fd(int socket, int fd)
{
    char byte = 0;
    iovec data = {&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};

    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(socket, &message, 0) == 1 ? 0 : 1;
}

Fd receive_fd(int socket)
{
    char byte = 0;
    iovec data = {&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    int fd = -1;

    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
        std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return Fd(fd);
}

/* The process whose memory it is ends; its tracker is in another one's hands */
void test_exit(Check& check)
{
    std::array<int, 2> ends{};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0)
        domain::fail("socketpair");
    const Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    for (int i = 0; i < 4; i++) {
        check.that(!in_child([&] {
            const Area area;
            const Subject subject(area.span());
            area.fill();
            return subject.try_arm().armed() ? send_fd(theirs.get(), subject.tracker().fd()) : 2;
        }),
                   "a child that arms, sends its tracker and ends");
        const Fd tracker = receive_fd(ours.get());
        auto info = domain::sized<kcr_set_info>();
        check.that(domain::request(tracker.get(), KCR_IOC_SET_INFO, info) == 0 && info.armed == 1 &&
                       !info.stamp,
                   "armed after its process has ended");
        const int wrong = look_at_inherited(tracker.get());
        check.that(!wrong, "a dead process's tracker: " + std::to_string(wrong));
    }
}

/* The tracker holds on to the domain */
void test_domain_first(Check& check)
{
    const Area area;
    Fd fd = domain::create(small_region);
    const domain::Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.name = "f", .key_max = sizeof(Key), .sets = 1});
    const Tracker tracker(fd.get());
    const uint32_t set = tracker.make(area.data(), area.size());

    area.fill();
    fd.reset();
    const Answer answer = tracker.arm(set);
    const Key key = {{set, 0, answer.stamp}, 1};
    check.that(answer.armed(), "armed: " + answer.text());
    check.that(domain::store(tracker.fd(), f, region.stamp(f), bytes_of(key), Bytes(8)) ==
                   KCR_STORED_NEW,
               "stored");
    check.that(region.find(f, 16, bytes_of(key)).has_value(), "found");
    area.word(0)++;
    check.that(!tracker.stamp(set), "a store");
}

void test_disabled(Check& check)
{
    const Area area;
    const Subject subject(area.span());

    area.fill();
    {
        const domain::Setting off("/sys/module/kernel/parameters/kcr_enable", "0");
        check.that(subject.tracker().arm_once(subject.set()).ret == -EOPNOTSUPP, "armed");
        check.that(!subject.stamp(), "a stamp");
    }
    subject.run(check, {"a store when it is enabled again", [&] { area.word(1)++; }});
    /* What is armed stays watched, or is not armed any more, but never stale */
    subject.run(check, {"a store while it is disabled", [&] {
                            const domain::Setting off("/sys/module/kernel/parameters/kcr_enable",
                                                      "0");
                            area.word(1)++;
                        }});
}

/* Sets come and go while others are armed, and while their memory is written to */
void test_come_and_go(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    std::atomic<bool> done = false;

    area.fill();
    {
        std::jthread writer([&] {
            while (!done) {
                area.word(3)++;
                madvise(area.page(3), page_size, MADV_DONTNEED);
                sched_yield();
            }
        });
        for (int i = 0; i < 200; i++) {
            const Subject other(area.span());
            other.tracker().arm_once(other.set());
            const uint32_t more = other.tracker().make(area.page(2), 2 * page_size);
            other.tracker().arm_once(more);
            check.that(other.tracker().drop(other.set()) == 0, "dropped");
        }
        done = true;
    }
    area.populate();
    subject.run(check, {"a store after they went", [&] { area.word(1)++; }});
}

} // namespace

int main(int argc, char** argv)
{
    if (argc == 3 && argv[1] == std::string(inherited_option))
        return look_at_inherited(std::stoi(argv[2]));

    const std::vector<tap::Case> cases = {
        {"exec", test_exec},
        {"processes that share memory", test_shared_memory},
        {"exit", test_exit},
        {"a tracker that outlives its domain's descriptor", test_domain_first},
        {"switched off", test_disabled},
        {"sets that come and go", test_come_and_go},
    };
    return tap::run_cases(cases, need_tracking);
}
