/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Classic BPF for seccomp: random programs, what they return, and processes that
 * live under them.
 */
#ifndef KCR_SELFTEST_BPF_HPP
#define KCR_SELFTEST_BPF_HPP

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "afalg.hpp"

namespace bpf
{

using Program = std::vector<sock_filter>;

inline sock_filter stmt(unsigned code, uint32_t k)
{
    return {static_cast<uint16_t>(code), 0, 0, k};
}

inline sock_filter jump(unsigned code, uint32_t k, uint8_t jt, uint8_t jf)
{
    return {static_cast<uint16_t>(code), jt, jf, k};
}

inline constexpr uint32_t arg_low(unsigned arg)
{
    return offsetof(seccomp_data, args) + 8 * arg;
}

/** Allows everything but @p call, which goes on with what follows. */
inline Program only_for(long call)
{
    return {stmt(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 1, 0),
            stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

/** Answers @p call with @p ret if the low word of argument @p arg is @p value. */
inline Program if_arg(long call, unsigned arg, uint32_t value, uint32_t ret)
{
    Program program = only_for(call);
    program.push_back(stmt(BPF_LD | BPF_W | BPF_ABS, arg_low(arg)));
    program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    program.push_back(stmt(BPF_RET | BPF_K, ret));
    program.push_back(stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return program;
}

/** Makes @p program long enough for its compiled form to be shared. */
inline Program padded(Program program, size_t len = 64)
{
    while (program.size() < len)
        program.push_back(stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return program;
}

/** Installs a filter for this thread; returns what seccomp() does, or -errno. */
inline long install(const Program& program, unsigned flags = 0)
{
    sock_fprog fprog = {static_cast<unsigned short>(program.size()),
                        const_cast<sock_filter*>(program.data())};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    const long got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
    return got < 0 ? -errno : got;
}

/** Runs @p body in a process of its own; returns its status as waitpid() does. */
inline int in_child(const std::function<int()>& body)
{
    const pid_t pid = fork();
    int status = -1;

    if (pid < 0)
        afalg::fail("fork");
    if (pid == 0)
        _exit(body());
    waitpid(pid, &status, 0);
    return status;
}

/** What the kernel's BPF machine would return. */
class Machine
{
public:
    static uint32_t run(const Program& program, const seccomp_data& data)
    {
        Machine machine;

        for (size_t pc = 0; pc < program.size();) {
            const sock_filter& insn = program[pc++];
            switch (BPF_CLASS(insn.code)) {
            case BPF_RET:
                return BPF_RVAL(insn.code) == BPF_A ? machine.a_ : insn.k;
            case BPF_JMP:
                pc += machine.jumps(insn);
                break;
            case BPF_ALU:
                if (!machine.compute(insn))
                    return 0;
                break;
            default:
                machine.move(insn, data);
                break;
            }
        }
        return 0;
    }

private:
    uint32_t operand(const sock_filter& insn) const
    {
        return BPF_SRC(insn.code) == BPF_X ? x_ : insn.k;
    }

    size_t jumps(const sock_filter& insn) const
    {
        const uint32_t value = operand(insn);
        bool yes = false;

        switch (BPF_OP(insn.code)) {
        case BPF_JA:
            return insn.k;
        case BPF_JEQ:
            yes = a_ == value;
            break;
        case BPF_JGT:
            yes = a_ > value;
            break;
        case BPF_JGE:
            yes = a_ >= value;
            break;
        default:
            yes = (a_ & value) != 0;
            break;
        }
        return yes ? insn.jt : insn.jf;
    }

    bool compute(const sock_filter& insn)
    {
        const uint32_t value = operand(insn);

        switch (BPF_OP(insn.code)) {
        case BPF_ADD:
            a_ += value;
            break;
        case BPF_SUB:
            a_ -= value;
            break;
        case BPF_MUL:
            a_ *= value;
            break;
        case BPF_DIV:
            if (value == 0)
                return false;
            a_ /= value;
            break;
        case BPF_AND:
            a_ &= value;
            break;
        case BPF_OR:
            a_ |= value;
            break;
        case BPF_XOR:
            a_ ^= value;
            break;
        default:
            a_ = -a_;
            break;
        }
        return true;
    }

    void move(const sock_filter& insn, const seccomp_data& data)
    {
        switch (insn.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            std::memcpy(&a_, reinterpret_cast<const char*>(&data) + insn.k, sizeof(a_));
            break;
        case BPF_LD | BPF_IMM:
            a_ = insn.k;
            break;
        case BPF_LDX | BPF_IMM:
            x_ = insn.k;
            break;
        case BPF_LD | BPF_W | BPF_LEN:
            a_ = sizeof(data);
            break;
        case BPF_LD | BPF_MEM:
            a_ = memory_[insn.k];
            break;
        case BPF_LDX | BPF_MEM:
            x_ = memory_[insn.k];
            break;
        case BPF_ST:
            memory_[insn.k] = a_;
            break;
        case BPF_STX:
            memory_[insn.k] = x_;
            break;
        case BPF_MISC | BPF_TAX:
            x_ = a_;
            break;
        default: /* TXA */
            a_ = x_;
            break;
        }
    }

    uint32_t a_ = 0;
    uint32_t x_ = 0;
    std::array<uint32_t, BPF_MEMWORDS> memory_ = {};
};

/** A program for @p call that computes an errno from the arguments in some way. */
inline Program random_program(long call, std::mt19937& random)
{
    const auto draw = [&](unsigned below) { return static_cast<uint32_t>(random() % below); };
    static const std::array<unsigned, 6> alu = {BPF_ADD, BPF_SUB, BPF_MUL,
                                                BPF_AND, BPF_OR,  BPF_XOR};
    static const std::array<unsigned, 4> jmp = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    static const std::array<unsigned, 6> moves = {BPF_LD | BPF_IMM,         BPF_LDX | BPF_IMM,
                                                  BPF_MISC | BPF_TAX,       BPF_MISC | BPF_TXA,
                                                  BPF_LD | BPF_W | BPF_LEN, BPF_ALU | BPF_NEG};
    Program program = only_for(call);
    const unsigned length = 4 + draw(40);

    /* All memory is written before it is read, which the kernel insists on */
    for (uint32_t word = 0; word < 2; word++) {
        program.push_back(stmt(BPF_LD | BPF_W | BPF_ABS, arg_low(draw(6)) + 4 * draw(2)));
        program.push_back(stmt(BPF_ST, word));
    }
    for (unsigned i = 0; i < length; i++) {
        const unsigned left = length - i - 1;
        switch (draw(8)) {
        case 0:
        case 1:
            program.push_back(stmt(BPF_LD | BPF_W | BPF_ABS,
                                   draw(4) != 0 ? arg_low(draw(6)) + 4 * draw(2) : 4 * draw(2)));
            break;
        case 2:
        case 3:
            program.push_back(
                stmt(BPF_ALU | alu[draw(alu.size())] | (draw(2) != 0 ? BPF_X : BPF_K), draw(5)));
            break;
        case 4:
        case 5:
            program.push_back(jump(BPF_JMP | jmp[draw(jmp.size())] | (draw(4) == 0 ? BPF_X : BPF_K),
                                   draw(5), static_cast<uint8_t>(draw(left + 1)),
                                   static_cast<uint8_t>(draw(left + 1))));
            break;
        case 6:
            program.push_back(stmt(draw(2) != 0 ? BPF_LD | BPF_MEM : BPF_LDX | BPF_MEM, draw(2)));
            break;
        default:
            program.push_back(stmt(moves[draw(moves.size())], draw(5)));
            break;
        }
    }
    program.push_back(stmt(BPF_ALU | BPF_AND | BPF_K, 0x3f));
    program.push_back(stmt(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO));
    program.push_back(stmt(BPF_RET | BPF_A, 0));
    return program;
}

} // namespace bpf

#endif
