// SPDX-License-Identifier: GPL-2.0
#include "memo_file.h"

#include <fmt/format.h>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <limits>
#include <string>

namespace kcr::ctl
{

namespace
{

const std::vector<std::string> known_keys = {"library", "function",  "arguments",
                                             "returns", "pure",      "always",
                                             "learn",   "expiry_ms", "max_entries"};

/// What is wrong with a file, and where; caught in parse_memo_file().
struct Failure {
    toml::source_region where;
    std::string what;
    std::string hint;
};

std::string text_of(const toml::table& table, const char* key)
{
    const auto* node = table.get(key);
    if (node == nullptr)
        throw Failure{table.source(), fmt::format("a memo needs '{}'", key), {}};
    if (!node->is_string())
        throw Failure{node->source(), fmt::format("'{}' is a text", key), {}};
    return node->as_string()->get();
}

std::vector<std::string> texts_of(const toml::table& table, const char* key)
{
    const auto* node = table.get(key);
    if (node == nullptr)
        throw Failure{table.source(), fmt::format("a memo needs '{}'", key), {}};
    std::vector<std::string> texts;
    if (!node->is_array())
        throw Failure{node->source(), fmt::format("'{}' is a list of texts", key), {}};
    for (const auto& element : *node->as_array()) {
        if (!element.is_string())
            throw Failure{element.source(), fmt::format("'{}' is a list of texts", key), {}};
        texts.push_back(element.as_string()->get());
    }
    return texts;
}

std::uint32_t number_of(const toml::table& table, const char* key)
{
    const auto* node = table.get(key);
    if (node == nullptr)
        return 0;
    const auto* number = node->as_integer();
    if (number == nullptr || number->get() < 1 ||
        number->get() > std::numeric_limits<std::uint32_t>::max())
        throw Failure{node->source(), fmt::format("'{}' is a number of at least 1", key), {}};
    return static_cast<std::uint32_t>(number->get());
}

bool flag_of(const toml::table& table, const char* key)
{
    const auto* node = table.get(key);
    if (node == nullptr)
        return false;
    if (!node->is_boolean())
        throw Failure{node->source(), fmt::format("'{}' is true or false", key), {}};
    return node->as_boolean()->get();
}

void check_keys(const toml::table& table, const std::vector<std::string>& known)
{
    for (const auto& [key, node] : table) {
        const std::string name(key.str());
        if (std::find(known.begin(), known.end(), name) != known.end())
            continue;
        const auto error = tool::unknown_word("setting", name, known);
        throw Failure{node.source(), error.message, error.hint};
    }
}

Memo memo_of(const toml::table& table)
{
    check_keys(table, known_keys);
    const auto library = text_of(table, "library");
    const auto function = text_of(table, "function");
    const auto arguments = texts_of(table, "arguments");
    auto signature = parse_signature(library, function, arguments, text_of(table, "returns"));
    if (!signature)
        throw Failure{table.source(), signature.error().message, signature.error().hint};
    return {.signature = std::move(*signature),
            .pure = flag_of(table, "pure"),
            .always = flag_of(table, "always"),
            .learn = number_of(table, "learn"),
            .expiry_ms = number_of(table, "expiry_ms"),
            .max_entries = number_of(table, "max_entries")};
}

std::vector<Memo> memos_of(const toml::table& file)
{
    check_keys(file, {"memo"});
    std::vector<Memo> memos;
    const auto* node = file.get("memo");
    if (node == nullptr || !node->is_array_of_tables())
        throw Failure{file.source(), "there is no [[memo]]", {}};
    for (const auto& element : *node->as_array())
        memos.push_back(memo_of(*element.as_table()));
    return memos;
}

Error error_at(std::string_view name, const toml::source_region& where, const std::string& what,
               const std::string& hint)
{
    return {fmt::format("{}:{}: {}", name, where.begin.line, what), hint};
}

} // namespace

Result<std::vector<Memo>> parse_memo_file(std::string_view text, std::string_view name)
{
    const auto parsed = toml::parse(text, name);
    if (!parsed)
        return error_at(name, parsed.error().source(), std::string(parsed.error().description()),
                        {});
    try {
        return memos_of(parsed.table());
    } catch (const Failure& failure) {
        return error_at(name, failure.where, failure.what, failure.hint);
    }
}

Result<std::vector<Memo>> read_memo_file(const std::filesystem::path& path)
{
    const auto text = tool::read_file(path);
    if (!text)
        return text.error();
    return parse_memo_file(*text, path.string());
}

} // namespace kcr::ctl
