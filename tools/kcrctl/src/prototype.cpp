// SPDX-License-Identifier: GPL-2.0
#include "prototype.h"

#include "prototypes_text.h"

#include <fmt/format.h>

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>

namespace kcr::ctl
{

namespace
{

using Kind = ValueType::Kind;

constexpr unsigned pointer_size = 8;

struct Reason {
    std::string_view word;
    std::string_view text;
};

constexpr std::array<Reason, 5> reasons = {{
    {"differs", "gives different results for equal arguments"},
    {"effect", "is called for what it does, not for what it returns"},
    {"state", "depends on more than its arguments"},
    {"pointer", "returns a pointer to memory that it has or makes itself"},
    {"...", "takes variable arguments"},
}};

ValueType known_type(std::string_view word)
{
    if (word == "void")
        return {Kind::nothing, 0};
    if (word == "p")
        return {Kind::pointer, pointer_size};
    if (word == "f80")
        return {Kind::long_double, 16};
    unsigned bits = 0;
    std::from_chars(word.data() + 1, word.data() + word.size(), bits);
    return {word.starts_with("f") ? Kind::floating : Kind::integer, bits / 8};
}

Prototype known_type_of_function(std::string_view text)
{
    Prototype found{.source = "its well-known prototype"};
    const auto end = text.find(')');
    for (const auto& word : tool::split(text.substr(1, end - 1), ','))
        found.parameters.push_back(known_type(word));
    found.result = known_type(text.substr(end + 3));
    return found;
}

std::string to_string(const ValueType& type)
{
    switch (type.kind) {
    case Kind::nothing:
        return "void";
    case Kind::integer:
        return type.size == 0 ? "integer" : fmt::format("i{}", type.size * 8);
    case Kind::pointer:
        return "pointer";
    case Kind::floating:
        return fmt::format("f{}", type.size * 8);
    case Kind::long_double:
        return "long double";
    case Kind::structure:
        return type.size == 0 ? "struct" : fmt::format("struct of {} bytes", type.size);
    case Kind::unknown:
        break;
    }
    return "?";
}

/// What @p argument is contradicts @p known.
bool contradicts(const std::vector<Scalar>& parts, bool pointer, const ValueType& known)
{
    if (pointer)
        return known.kind != Kind::pointer && known.kind != Kind::unknown &&
               (known.kind != Kind::integer || (known.size != 0 && known.size != pointer_size));
    if (parts.empty())
        return known.kind != Kind::unknown && known.kind != Kind::nothing;
    const bool is_single = parts.size() == 1;
    switch (known.kind) {
    case Kind::unknown:
        return false;
    case Kind::nothing:
    case Kind::long_double:
        return true;
    case Kind::structure: {
        const auto size = 8 * eightbytes(parts).size();
        return known.size != 0 && (known.size > size || known.size + 7 < size);
    }
    case Kind::floating:
        return !is_single || !parts[0].floating || parts[0].size != known.size;
    case Kind::integer:
    case Kind::pointer:
        // More bits than there are only make equal inputs look different
        return !is_single || parts[0].floating || parts[0].size < known.size;
    }
    return false;
}

bool is_pointer(const Argument& argument)
{
    return argument.kind != ArgumentKind::value && argument.kind != ArgumentKind::ignored;
}

/// The type that a demangled parameter has.
ValueType demangled_type(std::string_view text)
{
    text = tool::trim(text);
    if (text.ends_with("*") || text.ends_with("&") || text.find("(*)") != std::string_view::npos)
        return {Kind::pointer, pointer_size};
    struct Word {
        std::string_view name;
        ValueType type;
    };
    static constexpr std::array<Word, 17> words = {{
        {"double", {Kind::floating, 8}},
        {"float", {Kind::floating, 4}},
        {"long double", {Kind::long_double, 16}},
        {"bool", {Kind::integer, 1}},
        {"char", {Kind::integer, 1}},
        {"signed char", {Kind::integer, 1}},
        {"unsigned char", {Kind::integer, 1}},
        {"short", {Kind::integer, 2}},
        {"unsigned short", {Kind::integer, 2}},
        {"int", {Kind::integer, 4}},
        {"unsigned int", {Kind::integer, 4}},
        {"long", {Kind::integer, 8}},
        {"unsigned long", {Kind::integer, 8}},
        {"long long", {Kind::integer, 8}},
        {"unsigned long long", {Kind::integer, 8}},
        {"wchar_t", {Kind::integer, 4}},
        {"void", {Kind::nothing, 0}},
    }};
    for (const auto& word : words) {
        if (word.name == text)
            return word.type;
    }
    return {};
}

/// Splits the parameters of a demangled name at the commas that are not within brackets.
std::vector<std::string> split_parameters(std::string_view text)
{
    std::vector<std::string> found;
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i == text.size() ? ',' : text[i];
        if (c == '(' || c == '<' || c == '[')
            ++depth;
        else if (c == ')' || c == '>' || c == ']')
            --depth;
        if (c != ',' || (depth != 0 && i != text.size()))
            continue;
        found.emplace_back(tool::trim(text.substr(begin, i - begin)));
        begin = i + 1;
    }
    if (found.size() == 1 && (found[0].empty() || found[0] == "void"))
        found.clear();
    return found;
}

} // namespace

std::string to_string(const Prototype& prototype)
{
    std::vector<std::string> parameters;
    for (const auto& parameter : prototype.parameters)
        parameters.push_back(to_string(parameter));
    if (prototype.variadic)
        parameters.emplace_back("...");
    return fmt::format("({})->{}", tool::join(parameters, ","), to_string(prototype.result));
}

Status check_prototype(const Signature& signature, const Prototype& known)
{
    const auto source = fmt::format("{}: {}{}", known.source, signature.function, to_string(known));
    if (known.variadic)
        return signature_error(signature.text, 0, "a function of variable arguments is not reused",
                               source);
    const auto given = signature.arguments.size();
    std::size_t offset = 0;
    if (known.maybe_member && given == known.parameters.size() + 1)
        offset = 1;
    if (given != known.parameters.size() + offset)
        return signature_error(signature.text, 0,
                               fmt::format("{} has {} arguments, not {}", signature.function,
                                           known.parameters.size(), given),
                               source);
    for (std::size_t i = 0; i < given; ++i) {
        const auto& argument = signature.arguments[i];
        if (argument.kind == ArgumentKind::ignored) {
            if (i >= offset && known.parameters[i - offset].kind == Kind::floating)
                return signature_error(signature.text, argument.at,
                                       "an argument of floating point cannot be left out", source);
            continue;
        }
        const ValueType type =
            i < offset ? ValueType{Kind::pointer, pointer_size} : known.parameters[i - offset];
        if (contradicts(argument.parts, is_pointer(argument), type))
            return signature_error(signature.text, argument.at,
                                   fmt::format("arg{} is {}", i, to_string(type)), source);
    }
    const auto& returned = signature.returned;
    // What is not needed may be left out
    const bool unused =
        !returned.argument && returned.parts.empty() && known.result.kind != Kind::long_double;
    if (!unused && contradicts(returned.parts, returned.argument.has_value(), known.result))
        return signature_error(
            signature.text, returned.at,
            fmt::format("{} returns {}", signature.function, to_string(known.result)), source);
    return {};
}

Result<std::optional<Prototype>> known_prototype(std::string_view library,
                                                 std::string_view function)
{
    const auto name = library.substr(library.rfind('/') + 1);
    for (const auto& line : tool::split(prototypes_text, '\n')) {
        const auto fields = tool::words(line);
        if (fields.size() < 3 || fields[0].starts_with("#") || !name.starts_with(fields[0]))
            continue;
        if (std::find(fields.begin() + 2, fields.end(), function) == fields.end())
            continue;
        for (const auto& reason : reasons) {
            if (reason.word == fields[1])
                return Error{fmt::format("{}() is not reused: it {}", function, reason.text), {}};
        }
        return std::optional(known_type_of_function(fields[1]));
    }
    return std::optional<Prototype>();
}

std::optional<Prototype> mangled_prototype(const std::string& function)
{
    if (!function.starts_with("_Z"))
        return std::nullopt;
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> demangled(
        abi::__cxa_demangle(function.c_str(), nullptr, nullptr, &status), &std::free);
    if (status != 0 || demangled == nullptr)
        return std::nullopt;
    const std::string_view text = demangled.get();
    // The last bracket at the outermost level is that of the parameters
    const auto end = text.rfind(')');
    if (end == std::string_view::npos)
        return std::nullopt;
    int depth = 0;
    std::size_t begin = end;
    for (; begin > 0; --begin) {
        if (text[begin] == ')')
            ++depth;
        else if (text[begin] == '(' && --depth == 0)
            break;
    }
    Prototype found{.maybe_member = text.substr(0, begin).find("::") != std::string_view::npos,
                    .source = fmt::format("its name says {}", text)};
    for (const auto& parameter : split_parameters(text.substr(begin + 1, end - begin - 1))) {
        if (parameter == "...")
            found.variadic = true;
        else
            found.parameters.push_back(demangled_type(parameter));
    }
    return found;
}

} // namespace kcr::ctl
