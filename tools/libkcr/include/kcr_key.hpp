// SPDX-License-Identifier: GPL-2.0-only
/// @file
/// @brief How arguments become a key: bytes that are equal if, and only if, the arguments are.
/// Included by kcr.hpp.
#pragma once

#include <array>
#include <cfenv>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace kcr
{

/// Specialise it with a function
///
///     static auto key(const T& value);
///
/// that returns what identifies @p T: something that is an argument by itself, or a std::tuple
/// of such.
template <typename T> struct key_traits;

/// Specialise it as true to vouch that a trivially copyable structure, say of doubles, has no
/// padding, and nothing in it leads elsewhere.
template <typename T> inline constexpr bool no_padding = false;

namespace detail
{

template <typename> inline constexpr bool never = false;

template <typename T>
concept has_key_traits = requires(const T& value)
{
    key_traits<T>::key(value);
};

template <typename T> struct is_array : std::false_type {
};
template <typename T, std::size_t N> struct is_array<std::array<T, N>> : std::true_type {
};
template <typename T> struct is_complex : std::false_type {
};
template <typename T> struct is_complex<std::complex<T>> : std::true_type {
};
template <typename T> struct is_tuple : std::false_type {
};
template <typename... T> struct is_tuple<std::tuple<T...>> : std::true_type {
};

/// Whether the bytes of a T are the T: no padding, no pointer, no two forms of a value that are
/// equal. Floating-point numbers are their bytes: 0.0 and -0.0 are two.
template <typename T> constexpr bool is_plain()
{
    if constexpr (is_array<T>::value || is_complex<T>::value)
        return is_plain<typename T::value_type>();
    else if constexpr (std::is_floating_point_v<T>)
        return !std::is_same_v<T, long double>;
    else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                       std::is_null_pointer_v<T> || !std::is_trivially_copyable_v<T>)
        return false;
    else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>)
        return true;
    else
        return no_padding<T> || std::has_unique_object_representations_v<T>;
}

template <typename T> struct sequence_traits {
    static constexpr bool is = false;
};
template <typename T, bool Owning, bool Constant> struct sequence_of {
    static constexpr bool is = true;
    static constexpr bool owning = Owning;
    static constexpr bool constant = Constant;
    using value_type = T;
};
template <typename C, typename T, typename A>
struct sequence_traits<std::basic_string<C, T, A>> : sequence_of<C, true, true> {
};
template <typename C, typename T>
struct sequence_traits<std::basic_string_view<C, T>> : sequence_of<C, false, true> {
};
template <typename T, typename A>
struct sequence_traits<std::vector<T, A>> : sequence_of<T, true, true> {
};
template <typename T, std::size_t N>
struct sequence_traits<std::span<T, N>>
    : sequence_of<std::remove_const_t<T>, false, std::is_const_v<T>> {
};

/// Any number of plain values, one after the other.
template <typename T>
concept sequence = sequence_traits<T>::is;
template <typename T>
concept owning_sequence = sequence<T> && sequence_traits<T>::owning;

template <typename T>
concept plain = !sequence<T> && !has_key_traits<T> && is_plain<T>();

/// Whether results may depend on how numbers are rounded.
template <typename T> constexpr bool is_floating()
{
    using U = std::remove_cvref_t<T>;
    if constexpr (sequence<U>)
        return is_floating<typename sequence_traits<U>::value_type>();
    else if constexpr (is_array<U>::value || is_complex<U>::value)
        return is_floating<typename U::value_type>();
    else
        return std::is_floating_point_v<U> || no_padding<U>;
}
template <typename T> inline constexpr bool has_floats = is_floating<T>();

/// Says what is wrong with an argument.
template <typename A, bool Automatic> constexpr bool check_argument()
{
    using T = std::remove_cvref_t<A>;
    static_assert(!std::is_reference_v<A> || std::is_const_v<std::remove_reference_t<A>>,
                  "kcr: an argument must not be a reference that can be written through: a hit "
                  "would not write; take it by value or const reference, and return the output");
    if constexpr (Automatic && !has_key_traits<T>) {
        static_assert(!std::is_pointer_v<T>,
                      "kcr: a pointer says nothing of what it points to: take std::string_view, "
                      "std::span<const T> or the value");
        if constexpr (sequence<T>) {
            using E = typename sequence_traits<T>::value_type;
            static_assert(sequence_traits<T>::constant,
                          "kcr: a span that can be written through: take std::span<const T>, and "
                          "return the output");
            static_assert(is_plain<E>() && !std::is_same_v<T, std::vector<bool>>,
                          "kcr: the elements must be trivially copyable without padding: "
                          "specialise kcr::key_traits, or kcr::no_padding to vouch for it");
        } else if constexpr (!std::is_pointer_v<T>) {
            static_assert(plain<T>,
                          "kcr: an argument must be trivially copyable without padding: "
                          "specialise kcr::key_traits, or kcr::no_padding to vouch for it, or "
                          "use kcr::with_key()");
        }
    }
    return true;
}

/// How an argument is passed on: what is cheap to copy by value.
template <typename A>
using argument = std::conditional_t<std::is_scalar_v<std::remove_cvref_t<A>>,
                                    std::remove_cvref_t<A>, const std::remove_cvref_t<A>&>;

/// Memory, on the stack if it is little.
template <std::size_t Inline> class buffer
{
public:
    explicit buffer(std::size_t size)
    {
        if (size > Inline)
            more_.reset(new std::byte[size]);
    }
    std::byte* data()
    {
        return more_ ? more_.get() : inline_;
    }
    [[nodiscard]] const std::byte* data() const
    {
        return more_ ? more_.get() : inline_;
    }

private:
    std::unique_ptr<std::byte[]> more_;
    std::byte inline_[Inline];
};

/// The bytes of one part of a key.
template <typename T> struct part {
    static_assert(plain<T>, "kcr: a key must be made of numbers, structures without padding, "
                            "strings, vectors and tuples of those");
    static constexpr bool fixed = true;
    static constexpr std::size_t most = sizeof(T);
    static std::size_t length(const T& /*value*/)
    {
        return sizeof(T);
    }
    static std::byte* write(std::byte* to, const T& value)
    {
        std::memcpy(to, &value, sizeof(T));
        return to + sizeof(T);
    }
};

/// With its length before it: what follows must not be taken for it.
template <sequence T> struct part<T> {
    using E = typename sequence_traits<T>::value_type;
    static_assert(is_plain<E>() && !std::is_same_v<T, std::vector<bool>>,
                  "kcr: a key must be made of numbers, structures without padding, strings, "
                  "vectors and tuples of those");
    static constexpr bool fixed = false;
    static constexpr std::size_t most = 0;
    static std::size_t length(const T& value)
    {
        return sizeof(std::uint64_t) + value.size() * sizeof(E);
    }
    static std::byte* write(std::byte* to, const T& value)
    {
        const std::uint64_t size = value.size();
        std::memcpy(to, &size, sizeof(size));
        if (size > 0)
            std::memcpy(to + sizeof(size), value.data(), size * sizeof(E));
        return to + length(value);
    }
};

template <typename... T> struct part<std::tuple<T...>> {
    static constexpr bool fixed = (part<std::remove_cvref_t<T>>::fixed && ...);
    static constexpr std::size_t most = (part<std::remove_cvref_t<T>>::most + ... + 0);
    static std::size_t length(const std::tuple<T...>& values)
    {
        return std::apply(
            [](const auto&... value) {
                return (part<std::remove_cvref_t<decltype(value)>>::length(value) + ... +
                        std::size_t{0});
            },
            values);
    }
    static std::byte* write(std::byte* to, const std::tuple<T...>& values)
    {
        std::apply(
            [&](const auto&... value) {
                ((to = part<std::remove_cvref_t<decltype(value)>>::write(to, value)), ...);
            },
            values);
        return to;
    }
};

/// What an argument is in the key: itself, or what its key_traits say.
template <typename T> decltype(auto) projected(const T& value)
{
    if constexpr (has_key_traits<T>)
        return key_traits<T>::key(value);
    else
        return (value);
}

/// A key whose length is known.
template <std::size_t Size> class fixed_key
{
public:
    static constexpr bool fixed = true;
    static constexpr std::size_t most = Size;

    template <typename T> explicit fixed_key(const T& values)
    {
        if constexpr (Size > 0)
            part<T>::write(bytes_, values);
        else
            bytes_[0] = {};
    }
    [[nodiscard]] const std::byte* data() const
    {
        return bytes_;
    }
    [[nodiscard]] static constexpr std::size_t size()
    {
        return Size;
    }

private:
    std::byte bytes_[Size > 0 ? Size : 1];
};

/// Another key.
class any_key
{
public:
    static constexpr bool fixed = false;
    static constexpr std::size_t most = 0;

    template <typename T>
    explicit any_key(const T& values) : size_(part<T>::length(values)), bytes_(size_)
    {
        part<T>::write(bytes_.data(), values);
    }
    [[nodiscard]] const std::byte* data() const
    {
        return bytes_.data();
    }
    [[nodiscard]] std::size_t size() const
    {
        return size_;
    }

private:
    std::size_t size_;
    buffer<256> bytes_;
};

/// A sequence that is all of a key need not be copied.
class key_view
{
public:
    static constexpr bool fixed = false;
    static constexpr std::size_t most = 0;

    template <typename T>
    explicit key_view(const T& value)
        : data_(value.data()), size_(value.size() * sizeof(typename sequence_traits<T>::value_type))
    {
    }
    [[nodiscard]] const void* data() const
    {
        return data_;
    }
    [[nodiscard]] std::size_t size() const
    {
        return size_;
    }

private:
    const void* data_;
    std::size_t size_;
};

/// How numbers are rounded now, and what else may shape them.
inline std::uint32_t float_control()
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & 0xffc0U; // without the flags that computing raises
#else
    return static_cast<std::uint32_t>(std::fegetround());
#endif
}

template <typename T> auto make_key(const T& values)
{
    if constexpr (part<T>::fixed)
        return fixed_key<part<T>::most>(values);
    else
        return any_key(values);
}

/// The key of some values: all that results may depend on. It may refer to them if they stay.
template <bool Floats, bool Stay, typename... T> auto key_of(const T&... values)
{
    if constexpr (Floats)
        return make_key(std::tuple<std::uint32_t, decltype(projected(values))...>(
            float_control(), projected(values)...));
    else if constexpr (Stay && sizeof...(T) == 1 && (sequence<T> && ...))
        return key_view(values...);
    else
        return make_key(std::tuple<decltype(projected(values))...>(projected(values)...));
}

} // namespace detail

} // namespace kcr
