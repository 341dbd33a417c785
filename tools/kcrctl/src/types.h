// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct btf;
struct btf_type;

namespace kcr::ctl
{

/// A parameter of a function.
struct Parameter {
    std::string name;
    std::uint32_t type = 0;
    unsigned slot = 0;  ///< which word of the arguments it begins with
    unsigned slots = 1; ///< how many words it takes
};

/// What a function takes and returns.
struct Prototype {
    std::vector<Parameter> parameters;
    std::uint32_t result = 0; ///< 0: void
    bool variadic = false;

    [[nodiscard]] unsigned slots() const;
};

/// Where a field is.
struct Field {
    std::uint32_t type = 0;
    std::uint32_t offset = 0; ///< in bytes
    bool bitfield = false;
};

/// The kernel's type information (BTF).
class Types
{
public:
    /// Reads the running kernel's.
    static Result<Types> of_kernel();
    /// Takes what was built in memory; for tests.
    static Types adopt(btf* types);

    /// The id of a function, if its type is known.
    [[nodiscard]] std::optional<std::uint32_t> function(const std::string& name) const;
    /// All functions whose types are known.
    [[nodiscard]] const std::map<std::string, std::uint32_t>& functions() const
    {
        return functions_;
    }
    /// What function @p id takes and returns.
    [[nodiscard]] Prototype prototype(std::uint32_t id) const;

    /// The type without typedefs, const, volatile and attributes.
    [[nodiscard]] std::uint32_t strip(std::uint32_t type) const;
    /// An integer, an enumeration or bool.
    [[nodiscard]] bool is_scalar(std::uint32_t type) const;
    [[nodiscard]] bool is_signed(std::uint32_t type) const;
    [[nodiscard]] bool is_pointer(std::uint32_t type) const;
    [[nodiscard]] bool is_array(std::uint32_t type) const;
    /// A struct or a union.
    [[nodiscard]] bool is_struct(std::uint32_t type) const;
    /// What a pointer points to; 0 is void.
    [[nodiscard]] std::uint32_t pointee(std::uint32_t pointer) const;
    /// True if what the pointer points to cannot be written through it.
    [[nodiscard]] bool is_pointer_to_const(std::uint32_t pointer) const;
    /// A struct without pointers, or an array of such, or a scalar: its bytes are its value.
    [[nodiscard]] bool is_flat(std::uint32_t type) const;
    /// Size in bytes; 0 if it has none.
    [[nodiscard]] std::uint32_t size(std::uint32_t type) const;
    /// The struct called @p name.
    [[nodiscard]] std::optional<std::uint32_t> find_struct(const std::string& name) const;
    /// A field of a struct, also of anonymous ones inside of it.
    [[nodiscard]] std::optional<Field> field(std::uint32_t structure, std::string_view name) const;
    /// Names of all fields of a struct.
    [[nodiscard]] std::vector<std::string> field_names(std::uint32_t structure) const;
    /// The type in C, roughly.
    [[nodiscard]] std::string describe(std::uint32_t type) const;

private:
    struct Free {
        void operator()(btf* types) const;
    };
    explicit Types(btf* types);
    [[nodiscard]] const btf_type* at(std::uint32_t type) const;
    [[nodiscard]] std::string name(std::uint32_t offset) const;

    std::unique_ptr<btf, Free> btf_;
    std::map<std::string, std::uint32_t> functions_;
};

} // namespace kcr::ctl
