// SPDX-License-Identifier: GPL-2.0
#include "description.h"

#include "../memo/describe.h"

#include <kcr.h>

#include <fmt/format.h>

#include <array>

namespace kcr::ctl
{

namespace
{

/// Where the arguments of a function are, as the System V ABI for x86-64 says.
struct Placement {
    struct Register {
        bool floating = false;
        unsigned number = 0;
        std::uint64_t mask = 0;
    };
    /// Of each argument.
    std::vector<std::vector<Register>> registers;
    unsigned stack_words = 0;
};

Result<Placement> place(const Signature& signature)
{
    Placement placement;
    unsigned integers = 0;
    unsigned floats = 0;
    std::size_t items = 0;
    std::size_t tracked = 0;
    for (const auto& argument : signature.arguments) {
        std::vector<Eightbyte> parts = {{.floating = false, .mask = ~std::uint64_t{0}}};
        if (argument.kind == ArgumentKind::value)
            parts = eightbytes(argument.parts);
        std::vector<Placement::Register> found;
        bool whole = true; // structures are in registers or on the stack, not in both
        for (const auto& part : parts) {
            const bool in_register = part.floating ? floats < KCR_MEMO_XMM : integers < KCR_MEMO_GP;
            if (!in_register && !part.floating && parts.size() == 1) {
                found.push_back({false, KCR_MEMO_GP + placement.stack_words++, part.mask});
                continue;
            }
            whole = whole && in_register;
            auto& next = part.floating ? floats : integers;
            found.push_back({part.floating, next++, part.mask});
        }
        if (!whole || placement.stack_words > KCR_MEMO_STACK)
            return signature_error(
                signature.text, argument.at, "this argument is passed on the stack",
                fmt::format("only integers and pointers are taken from there, up "
                            "to {}; there are 6 registers for those, and 8 for "
                            "floating point",
                            KCR_MEMO_STACK));
        items += argument.kind == ArgumentKind::ignored ? 0 : found.size();
        tracked += argument.extent.tracked ? 1 : 0;
        placement.registers.push_back(std::move(found));
    }
    if (items > KCR_MEMO_ITEMS)
        return signature_error(signature.text, 0, "too many arguments");
    if (tracked > KCR_MEMO_TRACKED)
        return signature_error(signature.text, 0,
                               fmt::format("at most {} arguments are tracked", KCR_MEMO_TRACKED));
    return placement;
}

std::string mask_of(const Scalar& scalar)
{
    return scalar.size == 8 ? "ffffffffffffffff"
                            : fmt::format("{:x}", (std::uint64_t{1} << scalar.size * 8) - 1);
}

std::string memory_item(const Signature& signature, const Placement& placement, std::size_t index)
{
    const auto& argument = signature.arguments[index];
    const auto mode = (argument.read ? KCR_MEMO_IN : 0) | (argument.written ? KCR_MEMO_OUT : 0);
    const auto reg = placement.registers[index][0].number;
    if (argument.kind == ArgumentKind::string)
        return fmt::format("s{:x},{:x};", mode, reg);
    std::array<std::string, 2> factors = {"ff,0", "ff,0"};
    const auto& extent = argument.extent;
    std::size_t used = 0;
    for (const auto number : extent.arguments) {
        const auto& counted = signature.arguments[number];
        const bool behind = used == 0 && extent.behind_pointer;
        factors[used++] = fmt::format("{:x},{}", placement.registers[number][0].number,
                                      behind ? "ffffffffffffffff" : mask_of(counted.parts[0]));
    }
    if (extent.returned)
        factors[used] =
            fmt::format("{:x},{}", KCR_MEMO_RETURN_REG, mask_of(signature.returned.parts[0]));
    const auto kind = extent.tracked ? std::string("t") : fmt::format("b{:x},", mode);
    return fmt::format("{}{:x},{:x},{},{},{};", kind, reg, extent.count, factors[0], factors[1],
                       extent.behind_pointer ? 1 : 0);
}

std::string items_of(const Signature& signature, const Placement& placement)
{
    std::string text;
    for (std::size_t i = 0; i < signature.arguments.size(); ++i) {
        const auto kind = signature.arguments[i].kind;
        if (kind == ArgumentKind::ignored)
            continue;
        if (kind == ArgumentKind::pointer) {
            text += fmt::format("p{:x};", placement.registers[i][0].number);
            continue;
        }
        if (kind != ArgumentKind::value) {
            text += memory_item(signature, placement, i);
            continue;
        }
        for (const auto& reg : placement.registers[i])
            text += fmt::format("{}{:x},{:x};", reg.floating ? 'f' : 'i', reg.number, reg.mask);
    }
    return text;
}

std::string returns_of(const Signature& signature, const Placement& placement)
{
    if (const auto number = signature.returned.argument)
        return fmt::format("a{:x};", placement.registers[*number][0].number);
    std::string text;
    unsigned integers = 0;
    unsigned floats = 0;
    for (const auto& part : eightbytes(signature.returned.parts))
        text += fmt::format("{}{:x},{:x};", part.floating ? 'f' : 'i',
                            part.floating ? floats++ : integers++, part.mask);
    return text;
}

unsigned flags_of(const Memo& memo)
{
    return (memo.pure ? unsigned{KCR_PURE} : 0U) | (memo.always ? unsigned{KCR_ALWAYS} : 0U);
}

} // namespace

Status place_arguments(const Signature& signature)
{
    const auto placement = place(signature);
    return placement ? Status() : placement.error();
}

std::string describe(int fd, unsigned seccomp_filters, const std::vector<Memo>& memos)
{
    auto text = fmt::format("{}\t{:x}\t{:x}\n", KCR_MEMO_MAGIC, fd, seccomp_filters);
    for (const auto& memo : memos) {
        const auto placement = place(memo.signature);
        if (!placement)
            continue;
        const auto slash = memo.signature.library.rfind('/');
        const auto library = slash == std::string::npos ? memo.signature.library
                                                        : memo.signature.library.substr(slash + 1);
        text += fmt::format("{}\t{}\t{}\t{}\t{:x},{:x},{:x},{:x},{:x}\n", library,
                            memo.signature.function, items_of(memo.signature, *placement),
                            returns_of(memo.signature, *placement), flags_of(memo), memo.learn,
                            memo.expiry_ms, memo.max_entries, placement->stack_words);
    }
    return text;
}

} // namespace kcr::ctl
