// SPDX-License-Identifier: GPL-2.0
#include "signature.h"

#include "cursor.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>

namespace kcr::ctl
{

namespace
{

constexpr std::uint64_t largest_extent = 32768;
constexpr unsigned largest_structure = 16;

struct Word {
    std::string_view name;
    Scalar scalar;
};

constexpr std::array<Word, 22> scalars = {{
    {"u8", {false, 1}},    {"u16", {false, 2}},    {"u32", {false, 4}},   {"u64", {false, 8}},
    {"i8", {false, 1}},    {"i16", {false, 2}},    {"i32", {false, 4}},   {"i64", {false, 8}},
    {"s8", {false, 1}},    {"s16", {false, 2}},    {"s32", {false, 4}},   {"s64", {false, 8}},
    {"bool", {false, 1}},  {"char", {false, 1}},   {"short", {false, 2}}, {"int", {false, 4}},
    {"long", {false, 8}},  {"f32", {true, 4}},     {"f64", {true, 8}},    {"float", {true, 4}},
    {"double", {true, 8}}, {"size_t", {false, 8}},
}};

constexpr std::string_view types_hint =
    "arguments: u8 u16 u32 u64 i8 ... i64 f32 f64, ptr[len=arg1], out[16], both[8], cstr,\n"
    "out cstr, struct{f64,f64}, id, and - for what does not count; results: the numbers, struct,\n"
    "void, and arg0 for a pointer that was given";

class Parser : Cursor
{
public:
    explicit Parser(std::string_view text) : Cursor(text) {}

    Signature signature()
    {
        Signature found{.text = std::string(text_)};
        const auto colon = text_.find(':');
        if (colon == std::string_view::npos || colon == 0)
            fail("expected a library and ':'", "as in 'libm.so.6:pow(f64,f64)->f64'");
        found.library = std::string(tool::trim(text_.substr(0, colon)));
        at_ = colon + 1;
        found.function = name("the name of a function");
        expect("(", "'('");
        if (!accept(")")) {
            do
                found.arguments.push_back(argument());
            while (accept(","));
            expect(")", "',' or ')'");
        }
        expect("->", "'->' and what it returns, or ->void");
        found.returned = returned();
        blank();
        if (at_ != text_.size())
            fail("did not expect anything here");
        return found;
    }

private:
    [[nodiscard]] static bool in_name(char c)
    {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '.';
    }

    std::string_view peek_name()
    {
        blank();
        std::size_t end = at_;
        while (end < text_.size() && in_name(text_[end]))
            ++end;
        return text_.substr(at_, end - at_);
    }

    std::string name(const std::string& what)
    {
        const auto found = peek_name();
        if (found.empty())
            fail("expected " + what);
        at_ += found.size();
        return std::string(found);
    }

    bool accept_name(std::string_view word)
    {
        if (peek_name() != word)
            return false;
        at_ += word.size();
        return true;
    }

    std::uint32_t number(const std::string& what)
    {
        blank();
        std::uint64_t value = 0;
        const auto* begin = text_.data() + at_;
        const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
        if (error != std::errc() || end == begin)
            fail("expected " + what);
        if (value == 0 || value > largest_extent)
            fail(fmt::format("{} must be between 1 and {}", what, largest_extent));
        at_ += static_cast<std::size_t>(end - begin);
        return static_cast<std::uint32_t>(value);
    }

    /// `arg3`, or nothing.
    std::optional<unsigned> argument_number()
    {
        const auto word = peek_name();
        unsigned value = 0;
        if (!word.starts_with("arg") || word.size() < 4)
            return std::nullopt;
        const auto* end = word.data() + word.size();
        const auto [last, error] = std::from_chars(word.data() + 3, end, value);
        if (error != std::errc() || last != end || value > 13)
            return std::nullopt;
        at_ += word.size();
        return value;
    }

    void factor(Extent& extent)
    {
        blank();
        const auto at = at_;
        const bool behind = accept("*");
        if (const auto found = argument_number()) {
            if (behind && !extent.arguments.empty())
                fail("only the first factor can be behind a pointer");
            if (extent.arguments.size() + (extent.returned ? 1 : 0) == 2)
                fail("at most two numbers can be multiplied");
            if (!extent.first)
                extent.first = at;
            extent.behind_pointer = extent.behind_pointer || behind;
            extent.arguments.push_back(*found);
            return;
        }
        if (behind)
            fail("expected an argument, as in *arg1");
        if (accept_name("ret")) {
            if (extent.returned || extent.arguments.size() == 2)
                fail("at most two numbers can be multiplied");
            extent.returned = true;
            return;
        }
        const auto times = number("bytes, arg0, *arg0 or ret");
        if (times > largest_extent / extent.count)
            fail(fmt::format("more than {} bytes", largest_extent));
        extent.count *= times;
    }

    Extent extent()
    {
        Extent found;
        expect("[", "'[' and a length, as in ptr[64] or ptr[len=arg1]");
        if (accept_name("tracked")) {
            found.tracked = true;
            expect(",", "',' and a length, as in ptr[tracked,len=arg1]");
        }
        if (accept_name("len"))
            expect("=", "'=' after len");
        do
            factor(found);
        while (accept("*"));
        expect("]", "']'");
        return found;
    }

    [[noreturn]] void refuse_type(std::string_view word) const
    {
        if (word == "ptr" || word == "ptr_t" || word == "void")
            fail("a pointer says nothing about what it leads to",
                 "ptr[len=...], cstr, out[...]; id for an object that does not change, - if it "
                 "does not "
                 "count");
        if (word == "f80" || word == "f128" || word == "ldouble")
            fail("long double is not reused: it travels on the stack or in the x87");
        if (text_.substr(at_).starts_with("..."))
            fail("a function of variable arguments is not reused");
        fail(word.empty() ? "expected a type" : fmt::format("unknown type '{}'", word),
             std::string(types_hint));
    }

    Scalar scalar()
    {
        const auto word = peek_name();
        for (const auto& known : scalars) {
            if (known.name != word)
                continue;
            at_ += word.size();
            // "long double" would be taken for long
            if (word == "long" && peek_name() == "double")
                refuse_type("ldouble");
            return known.scalar;
        }
        refuse_type(word);
    }

    std::vector<Scalar> structure()
    {
        std::vector<Scalar> parts;
        unsigned size = 0;
        expect("{", "'{'");
        do {
            const auto part = scalar();
            size = (size + part.size - 1) / part.size * part.size + part.size;
            if (size > largest_structure)
                fail(fmt::format("a structure of more than {} bytes is not passed in registers",
                                 largest_structure),
                     "one that is returned through memory is an argument: out[...] before the "
                     "others");
            parts.push_back(part);
        } while (accept(","));
        expect("}", "',' or '}'");
        return parts;
    }

    std::vector<Scalar> value()
    {
        if (accept_name("struct"))
            return structure();
        return {scalar()};
    }

    Argument argument()
    {
        blank();
        Argument found{.at = at_};
        const auto rest = text_.substr(at_);
        if (rest.starts_with("-")) {
            ++at_;
            found.kind = ArgumentKind::ignored;
            return found;
        }
        if (accept_name("id")) {
            found.kind = ArgumentKind::pointer;
            return found;
        }
        if (accept_name("out")) {
            found.read = false;
            found.written = true;
        } else if (accept_name("both")) {
            found.written = true;
        }
        if (accept_name("cstr")) {
            found.kind = ArgumentKind::string;
            if (found.read && found.written)
                fail("a string that is changed is not reused", "both[...] if its size is known");
            return found;
        }
        const bool pointer =
            peek_name() == "ptr" && tool::trim(text_.substr(at_ + 3)).starts_with("[");
        if (pointer || found.written) {
            if (pointer)
                at_ += 3;
            found.kind = ArgumentKind::memory;
            found.extent = extent();
            if (found.extent.tracked && found.written)
                throw Failure{found.at, "only what is not written is tracked", {}};
            if (found.extent.returned && found.read)
                throw Failure{found.at, "what is read cannot be as long as what is returned", {}};
            return found;
        }
        found.parts = value();
        return found;
    }

    Returned returned()
    {
        blank();
        Returned found{.at = at_};
        if (accept_name("void"))
            return found;
        if ((found.argument = argument_number()))
            return found;
        if (peek_name() == "cstr" || peek_name() == "ptr")
            fail("a pointer that is returned leads to memory of this process only",
                 "->arg0 for one that was given; most functions that return a static buffer have a "
                 "sibling that takes one, as crypt() has crypt_r()");
        found.parts = value();
        return found;
    }
};

/// References to arguments must lead to arguments of the right kind.
void check_extent(const Signature& signature, const Argument& argument)
{
    const auto& extent = argument.extent;
    for (std::size_t i = 0; i < extent.arguments.size(); ++i) {
        const auto number = extent.arguments[i];
        if (number >= signature.arguments.size())
            throw Failure{argument.at, fmt::format("there is no arg{}", number),
                          "arguments are counted from arg0"};
        const auto& counted = signature.arguments[number];
        if (i == 0 && extent.behind_pointer) {
            const bool good = counted.kind == ArgumentKind::memory && counted.read &&
                              counted.extent.arguments.empty() && counted.extent.count >= 8;
            if (!good)
                throw Failure{argument.at,
                              fmt::format("arg{} does not lead to a number of 8 bytes", number),
                              fmt::format("declare arg{} as ptr[8] or both[8]", number)};
            continue;
        }
        const bool good = counted.kind == ArgumentKind::value && counted.parts.size() == 1 &&
                          !counted.parts[0].floating;
        if (!good)
            throw Failure{argument.at, fmt::format("arg{} is not an integer", number),
                          "arguments are counted from arg0"};
    }
    if (extent.returned &&
        (signature.returned.parts.size() != 1 || signature.returned.parts[0].floating))
        throw Failure{argument.at, "no integer is returned", {}};
}

void check(const Signature& signature)
{
    for (const auto& argument : signature.arguments) {
        if (argument.kind == ArgumentKind::memory)
            check_extent(signature, argument);
    }
    if (const auto number = signature.returned.argument) {
        const bool good = *number < signature.arguments.size() &&
                          signature.arguments[*number].kind != ArgumentKind::value;
        if (!good)
            throw Failure{signature.returned.at, fmt::format("arg{} is not a pointer", *number),
                          "arguments are counted from arg0"};
    }
    const bool returns = signature.returned.argument || !signature.returned.parts.empty();
    bool writes = false;
    for (const auto& argument : signature.arguments)
        writes = writes || argument.written;
    if (!returns && !writes)
        throw Failure{signature.returned.at,
                      "a function that returns nothing and writes nothing is called for its effect",
                      "out[...] says what it writes"};
}

} // namespace

Error signature_error(std::string_view text, std::size_t at, const std::string& what,
                      const std::string& hint)
{
    auto marked = fmt::format("{}\n{}^", text, std::string(at, ' '));
    if (!hint.empty())
        marked += "\n" + hint;
    return {fmt::format("bad signature: {}", what), marked};
}

Result<Signature> parse_signature(std::string_view text)
{
    try {
        auto signature = Parser(text).signature();
        check(signature);
        return signature;
    } catch (const Failure& failure) {
        return signature_error(text, failure.at, failure.what, failure.hint);
    }
}

Result<Signature> parse_signature(std::string_view library, std::string_view function,
                                  const std::vector<std::string>& arguments,
                                  std::string_view returned)
{
    return parse_signature(
        fmt::format("{}:{}({})->{}", library, function, tool::join(arguments, ", "), returned));
}

std::vector<Eightbyte> eightbytes(const std::vector<Scalar>& parts)
{
    std::vector<Eightbyte> found;
    unsigned offset = 0;
    for (const auto& part : parts) {
        offset = (offset + part.size - 1) / part.size * part.size;
        if (found.size() <= offset / 8)
            found.emplace_back();
        auto& eightbyte = found.back();
        eightbyte.floating = eightbyte.floating && part.floating;
        const auto bits =
            part.size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << part.size * 8) - 1;
        eightbyte.mask |= bits << offset % 8 * 8;
        offset += part.size;
    }
    return found;
}

} // namespace kcr::ctl
