// SPDX-License-Identifier: GPL-2.0
#include "plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kcr::ctl
{

namespace
{

constexpr unsigned word = 8;
constexpr unsigned register_arguments = 6; ///< what a kprobe sees

struct Failure {
    std::size_t at;
    std::string what;
    std::string hint;
};

/// Where a reference leads to.
struct Place {
    kcr_path path{};
    std::uint32_t type = 0; ///< 0: not known
    bool known = false;
};

class Planner
{
public:
    Planner(const Types* types, const Target& target, std::uint32_t max_bytes)
        : types_(types), target_(target)
    {
        plan_.max_bytes = max_bytes;
        plan_.result_kind = KCR_RESULT_VALUE;
        plan_.result_size = word;
        if (types_ != nullptr && target_.type_id) {
            prototype_ = types_->prototype(*target_.type_id);
            typed_ = true;
            set_result();
        }
    }

    kcr_plan make(const std::vector<Item>& items)
    {
        for (const auto& item : items)
            add(item);
        check_covered();
        plan_.nr_args = typed_ ? prototype_.slots() : register_arguments;
        if (plan_.nr_args > KCR_MAX_ARGS)
            throw Failure{0, fmt::format("more than {} words of arguments", +KCR_MAX_ARGS), {}};
        return plan_;
    }

private:
    void set_result()
    {
        const auto type = prototype_.result;
        if (type == 0) {
            plan_.result_kind = KCR_RESULT_NONE;
        } else if (types_->is_pointer(type)) {
            plan_.result_kind = KCR_RESULT_OBJECT;
        } else {
            const auto size = types_->size(type);
            plan_.result_size = static_cast<__u8>(std::min(size, word));
        }
    }

    /// The number of the argument that @p base names.
    unsigned argument(const Reference& reference)
    {
        const auto& base = reference.base;
        for (unsigned i = 0; i < prototype_.parameters.size(); ++i) {
            if (prototype_.parameters[i].name == base)
                return i;
        }
        const std::string_view digits =
            base.starts_with("arg") ? std::string_view(base).substr(3) : std::string_view();
        unsigned number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
            throw Failure{reference.at, fmt::format("'{}' is not an argument", base), names_hint()};
        check_number(reference.at, number);
        return number;
    }

    void check_number(std::size_t at, unsigned number) const
    {
        const auto count = typed_ ? prototype_.parameters.size() : std::size_t{register_arguments};
        if (number >= count)
            throw Failure{at,
                          fmt::format("there is no argument {}; {} takes {}", number,
                                      target_.function, count),
                          names_hint()};
    }

    [[nodiscard]] std::string names_hint() const
    {
        if (!typed_)
            return "without type information arguments are arg0 to arg5";
        std::string text = target_.function + "(";
        for (const auto& parameter : prototype_.parameters)
            text += fmt::format("{}{} {}", text.back() == '(' ? "" : ", ",
                                types_->describe(parameter.type), parameter.name);
        return text + "), the first is arg0";
    }

    void step_into(Place& place, const Step& step)
    {
        if (!typed_)
            throw Failure{step.at, "fields need the function's type, which is not known", {}};
        auto structure = place.type;
        std::int64_t offset = 0;
        if (step.arrow) {
            if (!types_->is_pointer(structure))
                throw Failure{
                    step.at, fmt::format("'{}' is not a pointer", types_->describe(structure)), {}};
            structure = types_->pointee(structure);
            if (place.path.hops == KCR_MAX_HOPS)
                throw Failure{
                    step.at, fmt::format("more than {} pointers to follow", +KCR_MAX_HOPS), {}};
            ++place.path.hops;
        } else if (place.path.hops == 0 || !types_->is_struct(structure)) {
            throw Failure{
                step.at, "'.' needs a struct in memory; through a pointer it is '->'", {}};
        }
        if (!step.container.empty())
            structure = container(step, offset);
        const auto field = types_->field(structure, step.field);
        if (!field) {
            const auto names = types_->field_names(structure);
            const auto error = tool::unknown_word("field", step.field, names);
            throw Failure{
                step.at,
                fmt::format("{} has no such field: {}", types_->describe(structure), error.message),
                error.hint};
        }
        if (field->bitfield)
            throw Failure{step.at, "bit fields cannot be read", {}};
        offset += field->offset;
        place.path.offset[place.path.hops - 1] += static_cast<__s32>(offset);
        place.type = field->type;
    }

    /// The struct that `->{struct.member}` goes back to.
    std::uint32_t container(const Step& step, std::int64_t& offset)
    {
        const auto structure = types_->find_struct(step.container);
        if (!structure)
            throw Failure{step.at, fmt::format("there is no struct {}", step.container), {}};
        const auto member = types_->field(*structure, step.container_member);
        if (!member)
            throw Failure{
                step.at,
                fmt::format("struct {} has no field {}", step.container, step.container_member),
                {}};
        offset -= member->offset;
        return *structure;
    }

    Place resolve(const Reference& reference)
    {
        const auto number = argument(reference);
        Place place = argument_place(number);
        for (const auto& step : reference.steps)
            step_into(place, step);
        return place;
    }

    Place argument_place(unsigned number)
    {
        Place place;
        place.path.arg = static_cast<__u8>(number);
        place.path.size = word;
        if (typed_) {
            const auto& parameter = prototype_.parameters[number];
            place.path.arg = static_cast<__u8>(parameter.slot);
            place.type = parameter.type;
            place.known = true;
        }
        return place;
    }

    /// The place as a number: of the size that its type has.
    void as_value(Place& place, const Item* item, std::size_t at) const
    {
        if (place.known) {
            if (!types_->is_scalar(place.type) && !types_->is_pointer(place.type))
                throw Failure{
                    at, fmt::format("'{}' is not a number", types_->describe(place.type)), {}};
            place.path.size = static_cast<__u8>(std::min(types_->size(place.type), word));
            place.path.is_signed = types_->is_signed(place.type) ? 1 : 0;
        }
        if (item != nullptr && item->size != 0) {
            place.path.size = static_cast<__u8>(item->size);
            place.path.is_signed = item->is_signed ? 1 : 0;
        }
    }

    /// The place as the memory that a pointer points to, or that an array or a struct is.
    void as_memory(Place& place, std::size_t at) const
    {
        const bool in_place =
            place.known && (types_->is_array(place.type) || types_->is_struct(place.type));
        if (in_place && place.path.hops > 0)
            return;
        if (place.known && !types_->is_pointer(place.type))
            throw Failure{
                at, fmt::format("'{}' is not a pointer", types_->describe(place.type)), {}};
        if (place.path.hops == KCR_MAX_HOPS)
            throw Failure{at, fmt::format("more than {} pointers to follow", +KCR_MAX_HOPS), {}};
        ++place.path.hops;
    }

    void set_length(kcr_op& op, const Length& length)
    {
        if (!length.counted) {
            op.fixed = static_cast<__u32>(length.fixed);
            return;
        }
        auto place = resolve(*length.counted);
        as_value(place, nullptr, length.counted->at);
        op.counted = 1;
        op.scale = length.scale;
        op.length = place.path;
    }

    /// The number of the argument that @p item is about.
    unsigned subject(const Item& item)
    {
        if (item.subject)
            return argument(*item.subject);
        unsigned next = 0;
        while (next < KCR_ARG_SLOTS && covered_[next])
            ++next;
        check_number(item.at, next);
        return next;
    }

    void add(const Item& item)
    {
        if (item.kind == ItemKind::no_result || item.kind == ItemKind::object_result) {
            plan_.result_kind =
                item.kind == ItemKind::no_result ? KCR_RESULT_NONE : KCR_RESULT_OBJECT;
            return;
        }
        const auto number = subject(item);
        covered_[number] = true;
        if (item.kind == ItemKind::ignored)
            return;
        const auto at = item.subject ? item.subject->at : item.at;
        Place place = item.subject ? resolve(*item.subject) : argument_place(number);
        kcr_op op{};
        op.user = item.user ? 1 : 0;
        op.when = item.kind == ItemKind::output ? KCR_WHEN_OUT
                  : item.kind == ItemKind::both ? KCR_WHEN_IN | KCR_WHEN_OUT
                                                : KCR_WHEN_IN;
        fill(op, item, place, at);
        op.where = place.path;
        if (plan_.nr_ops == KCR_MAX_OPS)
            throw Failure{at, fmt::format("more than {} declarations", +KCR_MAX_OPS), {}};
        plan_.ops[plan_.nr_ops++] = op;
    }

    void fill(kcr_op& op, const Item& item, Place& place, std::size_t at)
    {
        if (item.kind == ItemKind::string) {
            as_memory(place, at);
            op.kind = KCR_OP_STRING;
        } else if (item.length) {
            as_memory(place, at);
            op.kind = KCR_OP_MEMORY;
            set_length(op, *item.length);
        } else if (item.kind == ItemKind::identity) {
            as_value(place, nullptr, at);
        } else if (place.known && place.path.hops > 0 &&
                   (types_->is_array(place.type) || types_->is_struct(place.type))) {
            op.kind = KCR_OP_MEMORY;
            op.fixed = types_->size(place.type);
        } else {
            if (place.known && types_->is_pointer(place.type))
                throw Failure{at, "a pointer: say what of the memory counts",
                              fmt::format("'{}' may be ptr[len=...], cstr, out[...], "
                                          "name->field, id (the address itself counts), "
                                          "or - (does not count)",
                                          types_->describe(place.type))};
            as_value(place, &item, at);
            if (op.when == KCR_WHEN_OUT && place.path.hops == 0)
                throw Failure{at, "an argument is not a result", {}};
        }
    }

    void check_covered() const
    {
        for (unsigned i = 0; i < prototype_.parameters.size(); ++i) {
            const auto& parameter = prototype_.parameters[i];
            if (!covered_[i])
                throw Failure{target_.args.size(),
                              fmt::format("nothing is said about argument {}, '{} {}'", i,
                                          types_->describe(parameter.type), parameter.name),
                              "declare it, or say - if it does not count; " + names_hint()};
        }
    }

    const Types* types_;
    const Target& target_;
    Prototype prototype_;
    bool typed_ = false;
    bool covered_[KCR_ARG_SLOTS + 1] = {};
    kcr_plan plan_{};
};

} // namespace

Result<kcr_plan> make_plan(const Types* types, const Target& target, std::uint32_t max_bytes)
{
    const auto items = parse_args(target.args);
    if (!items)
        return items.error();
    try {
        return Planner(types, target, max_bytes).make(*items);
    } catch (const Failure& failure) {
        auto error = spec_error(target.args, failure.at, failure.what);
        if (!failure.hint.empty())
            error.hint += "\n" + failure.hint;
        return error;
    }
}

} // namespace kcr::ctl
