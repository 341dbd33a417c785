// SPDX-License-Identifier: GPL-2.0
#include "argspec.h"

#include "cursor.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>

namespace kcr::ctl
{

namespace
{

constexpr std::uint64_t largest_length = 1U << 20;
constexpr std::uint64_t largest_scale = 65536;

struct Word {
    std::string_view name;
    ItemKind kind;
    unsigned size;
    bool is_signed;
};

constexpr std::array<Word, 18> known_words = {{
    {"u8", ItemKind::value, 1, false},
    {"u16", ItemKind::value, 2, false},
    {"u32", ItemKind::value, 4, false},
    {"u64", ItemKind::value, 8, false},
    {"s8", ItemKind::value, 1, true},
    {"s16", ItemKind::value, 2, true},
    {"s32", ItemKind::value, 4, true},
    {"s64", ItemKind::value, 8, true},
    {"val", ItemKind::value, 0, false},
    {"ptr", ItemKind::memory, 0, false},
    {"out", ItemKind::output, 0, false},
    {"both", ItemKind::both, 0, false},
    {"cstr", ItemKind::string, 0, false},
    {"id", ItemKind::identity, 0, false},
    {"-", ItemKind::ignored, 0, false},
    {"noret", ItemKind::no_result, 0, false},
    {"object", ItemKind::object_result, 0, false},
    {"user", ItemKind::memory, 0, false},
}};

class Parser : Cursor
{
public:
    explicit Parser(std::string_view text) : Cursor(text) {}

    std::vector<Item> items()
    {
        std::vector<Item> items;
        blank();
        if (at_ == text_.size())
            return items;
        for (;;) {
            items.push_back(item());
            blank();
            if (at_ == text_.size())
                return items;
            expect(",", "',' between two declarations");
            blank();
        }
    }

private:
    [[nodiscard]] static bool in_name(char c)
    {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    }

    /// The name that is next, or an empty one.
    std::string_view peek_name()
    {
        blank();
        std::size_t end = at_;
        if (end < text_.size() && std::isdigit(static_cast<unsigned char>(text_[end])) == 0) {
            while (end < text_.size() && in_name(text_[end]))
                ++end;
        }
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

    std::uint64_t number(const std::string& what, std::uint64_t largest)
    {
        blank();
        std::uint64_t value = 0;
        const auto* begin = text_.data() + at_;
        const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
        if (error != std::errc() || end == begin)
            fail("expected " + what);
        if (value == 0 || value > largest)
            fail(fmt::format("{} must be between 1 and {}", what, largest));
        at_ += static_cast<std::size_t>(end - begin);
        return value;
    }

    Reference reference()
    {
        blank();
        Reference found{.at = at_};
        found.base = name("an argument, as in arg0 or by its name");
        for (;;) {
            blank();
            Step step{.at = at_};
            if (accept("->")) {
                if (accept("{")) {
                    step.container = name("the name of a struct");
                    expect(".", "'.' and a member of the struct");
                    step.container_member = name("a member of the struct");
                    expect("}", "'}'");
                }
            } else if (accept(".")) {
                step.arrow = false;
            } else {
                return found;
            }
            blank();
            step.at = at_;
            step.field = name("the name of a field");
            found.steps.push_back(std::move(step));
        }
    }

    Length length()
    {
        Length found;
        const auto word = peek_name();
        if (word.empty()) {
            found.fixed = number("a number of bytes, or len=", largest_length);
        } else {
            if (word != "len")
                fail("expected a number of bytes, or len=");
            at_ += word.size();
            expect("=", "'=' after len");
            if (peek_name().empty()) {
                found.fixed = number("a number of bytes or an argument", largest_length);
            } else {
                found.counted = reference();
                if (accept("*"))
                    found.scale =
                        static_cast<std::uint32_t>(number("bytes of an element", largest_scale));
            }
        }
        expect("]", "']'");
        return found;
    }

    static const Word* find_word(std::string_view text)
    {
        for (const auto& word : known_words) {
            if (word.name == text)
                return &word;
        }
        return nullptr;
    }

    void modifiers(Item& item, bool& named)
    {
        for (;;) {
            auto text = peek_name();
            if (text.empty() && text_.substr(at_).starts_with("-") &&
                !text_.substr(at_).starts_with("->"))
                text = text_.substr(at_, 1);
            const auto* word = find_word(text);
            if (word == nullptr || named)
                return;
            at_ += text.size();
            if (text == "user") {
                item.user = true;
                continue;
            }
            item.kind = word->kind;
            item.size = word->size;
            item.is_signed = word->is_signed;
            named = true;
        }
    }

    Item item()
    {
        blank();
        Item item{.at = at_};
        bool named = false;
        modifiers(item, named);
        if (item.kind == ItemKind::no_result || item.kind == ItemKind::object_result)
            return item;
        // A parameter may be called out or id, but hardly u64
        const auto* next = find_word(peek_name());
        if (next != nullptr && next->kind == ItemKind::value)
            fail("expected ',' between two declarations");
        if (!peek_name().empty())
            item.subject = reference();
        else if (!named)
            fail("expected a declaration such as u64, ptr[len=arg2], cstr, out[32] or arg0->field");
        const bool sized = accept("[");
        if (sized)
            item.length = length();
        const bool takes_length = !named || item.kind == ItemKind::memory ||
                                  item.kind == ItemKind::output || item.kind == ItemKind::both;
        if (sized && !takes_length)
            throw Failure{item.at, "only ptr, out, both and fields have a length"};
        if (!sized && takes_length && named && !item.subject)
            fail("expected '[' and a length, as in ptr[64] or ptr[len=arg2]");
        if (sized && !named)
            item.kind = ItemKind::memory;
        return item;
    }
};

} // namespace

Error spec_error(std::string_view text, std::size_t at, const std::string& what)
{
    return {fmt::format("bad --args: {} (at character {})", what, at + 1),
            fmt::format("{}\n{}^", text, std::string(at, ' '))};
}

Result<std::vector<Item>> parse_args(std::string_view text)
{
    try {
        return Parser(text).items();
    } catch (const Failure& failure) {
        return spec_error(text, failure.at, failure.what);
    }
}

} // namespace kcr::ctl
