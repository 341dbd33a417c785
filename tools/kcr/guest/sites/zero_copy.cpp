// SPDX-License-Identifier: GPL-2.0
/*
 * A user function's results through /dev/kcr: what a hit costs, copied or read
 * where it lies, against read(2) of as many bytes; and that no hit makes a system
 * call.
 */
#include <kcr.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "figures.hpp"
#include "sites.hpp"

namespace sites
{

namespace
{

constexpr size_t result_bytes = 64;
constexpr int rounds = 200;
constexpr int quiet_hits = 1000000;

using Result = std::array<uint64_t, result_bytes / 8>;

struct Closer {
    void operator()(kcr_domain* domain) const
    {
        kcr_domain_destroy(domain);
    }
    void operator()(kcr_function* function) const
    {
        kcr_function_destroy(function);
    }
};

uint64_t ticks()
{
    return __builtin_ia32_rdtsc();
}

uint64_t sum_of(const void* data)
{
    const auto* bytes = static_cast<const char*>(data);
    uint64_t sum = 0;

    /* As a program reads it: each word once, from where it is */
#pragma GCC unroll 8
    for (size_t i = 0; i < result_bytes / 8; i++) {
        uint64_t word;
        std::memcpy(&word, bytes + 8 * i, sizeof(word));
        sum += word;
    }
    return sum;
}

Result result_of(uint64_t key)
{
    Result result{};

    for (size_t i = 0; i < result.size(); i++)
        result[i] = key * 1000003 + i;
    return result;
}

/* A domain with one function that has one result */
class Remembered
{
public:
    explicit Remembered(uint64_t key) : key_(key), domain_(kcr_domain_create(nullptr))
    {
        const char* why = nullptr;
        if (kcr_domain_status(domain_.get(), &why) != 0)
            throw tap::Skip(why);
        kcr_function_options options{};
        options.size = sizeof(options);
        options.name = "zero-copy";
        options.key_max = sizeof(key_);
        options.result_max = result_bytes;
        options.flags = KCR_PURE | KCR_ALWAYS;
        options.audit_interval = KCR_NO_AUDIT;
        function_.reset(kcr_function_create(domain_.get(), &options));
        for (int i = 0; i < 3 && !find(); i++)
            remember();
        if (!find())
            throw std::runtime_error("a result was not remembered");
    }

    /** Copies the result out; false if it is not there. */
    bool find()
    {
        size_t len = 0;
        return kcr_begin(function_.get(), &key_, sizeof(key_), copy_.data(), result_bytes, &len,
                         &ticket_) == KCR_HIT;
    }
    const Result& copy() const
    {
        return copy_;
    }
    kcr_function* function()
    {
        return function_.get();
    }
    const uint64_t& key() const
    {
        return key_;
    }

private:
    void remember()
    {
        const Result result = result_of(key_);
        kcr_end(function_.get(), &ticket_, &key_, sizeof(key_), result.data(), result_bytes);
    }

    uint64_t key_;
    std::unique_ptr<kcr_domain, Closer> domain_;
    std::unique_ptr<kcr_function, Closer> function_;
    kcr_ticket ticket_{};
    Result copy_{};
};

template <typename What> uint64_t measure(What what)
{
    std::vector<uint64_t> each;

    for (int i = 0; i < rounds; i++) {
        const uint64_t start = ticks();
        what();
        each.push_back(ticks() - start);
    }
    return median(each);
}

/* Under a filter that lets nothing through but the end, 10^6 hits */
int hit_in_silence(Remembered& remembered)
{
    std::array<sock_filter, 4> filter = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    }};
    const sock_fprog program = {filter.size(), filter.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 2;
    int found = 0;
    for (int i = 0; i < quiet_hits; i++)
        found += remembered.find() ? 1 : 0;
    return found == quiet_hits ? 0 : 1;
}

} // namespace

void zero_copy(tap::Check& check)
{
    Remembered remembered(42);
    const uint64_t expected = sum_of(result_of(42).data());
    uint64_t seen = 0;

    std::FILE* const file = std::tmpfile();
    if (file == nullptr || std::fwrite(result_of(42).data(), 1, result_bytes, file) != result_bytes)
        throw std::runtime_error("no temporary file");
    std::fflush(file);
    const int fd = fileno(file);

    const uint64_t empty = measure([] {});
    const uint64_t read_insns =
        measure([&] {
            Result buffer;
            if (pread(fd, buffer.data(), result_bytes, 0) == static_cast<ssize_t>(result_bytes))
                seen = sum_of(buffer.data());
        }) -
        empty;
    check.that(seen == expected, "what was read");

    seen = 0;
    const uint64_t hit_insns = measure([&] {
                                   if (remembered.find())
                                       seen = sum_of(remembered.copy().data());
                               }) -
                               empty;
    check.that(seen == expected, "a copied result");

    seen = 0;
    const uint64_t peek_insns = measure([&] {
                                    kcr_view view;
                                    if (kcr_peek(remembered.function(), &remembered.key(),
                                                 sizeof(uint64_t), &view) == KCR_HIT) {
                                        const uint64_t sum = sum_of(view.data);
                                        if (kcr_view_valid(&view) != 0)
                                            seen = sum;
                                    }
                                }) -
                                empty;
    check.that(seen == expected, "a result where it lies");
    std::fclose(file);

    figure("read_64_insns", read_insns);
    figure("libkcr_hit_64_insns", hit_insns);
    figure("libkcr_peek_64_insns", peek_insns);
    remark("64 bytes, summed: read(2) " + std::to_string(read_insns) + " instructions, a hit " +
           std::to_string(hit_insns) + " (" + times(read_insns, hit_insns) + "), where it lies " +
           std::to_string(peek_insns) + " (" + times(read_insns, peek_insns) + ")");
}

void silent_hits(tap::Check& check)
{
    Remembered remembered(43);
    const pid_t pid = fork();

    if (pid == 0)
        _exit(hit_in_silence(remembered));
    int status = 0;
    waitpid(pid, &status, 0);
    check.that(WIFEXITED(status) && WEXITSTATUS(status) == 0,
               WIFSIGNALED(status) ? "a hit made a system call" : "a hit was none");
}

} // namespace sites
