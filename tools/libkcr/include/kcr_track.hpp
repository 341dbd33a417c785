// SPDX-License-Identifier: GPL-2.0-only
/// @file
/// @brief libkcr for C++20: functions that remember their results and read large memory.
///
///     std::vector<row> table = ...;
///     auto find = kcr::memoize(
///         [](std::span<const row> rows, std::uint64_t key) { return search(rows, key); },
///         kcr::depends_on(table), {.name = "find"});
///     find(17);
///
/// The callable gets the memory first, as std::span<const T>, and may read nothing else of the
/// kind. What it computed is not found any more once anything has written to the memory; see
/// kcr_track.h. Memory that grows or moves is another memory: memoize again.
#pragma once

#include "kcr.hpp"
#include "kcr_track.h"

#include <array>
#include <iterator>
#include <ranges>
#include <span>
#include <tuple>
#include <utility>

namespace kcr
{

/// Memory that a function reads; see depends_on().
template <typename... T> struct dependencies {
    std::tuple<std::span<const T>...> spans;
};

/// The memory that a function reads beside its arguments: containers of trivially copyable
/// elements, std::span, std::string_view. It must stay where it is.
template <typename... Range> auto depends_on(Range&&... ranges)
{
    static_assert(sizeof...(Range) > 0 && sizeof...(Range) <= KCR_TRACKED_MAX,
                  "kcr: a function depends on one to eight memories");
    static_assert(((std::is_lvalue_reference_v<Range> || std::ranges::borrowed_range<Range>)&&...),
                  "kcr: a temporary does not stay: depend on an object that outlives the function");
    static_assert((detail::is_plain<std::ranges::range_value_t<Range>>() && ...),
                  "kcr: memory that is depended on must be trivially copyable without pointers: "
                  "what they lead to would not be tracked");
    return dependencies<std::ranges::range_value_t<Range>...>{
        {std::span<const std::ranges::range_value_t<Range>>(std::ranges::data(ranges),
                                                            std::ranges::size(ranges))...}};
}

namespace detail
{

template <typename... T> struct types {
};

/// The arguments behind the first @p N.
template <std::size_t N, typename... A> struct behind {
    using type = types<A...>;
};
template <std::size_t N, typename First, typename... A>
requires(N > 0) struct behind<N, First, A...> : behind<N - 1, A...> {
};

template <typename Signature, typename... T> struct split;
template <typename R, typename... A, typename... T> struct split<R(A...), T...> {
    using result = R;
    using arguments = typename behind<sizeof...(T), A...>::type;
    template <std::size_t... I> static constexpr bool takes(std::index_sequence<I...> /*first*/)
    {
        return (std::is_same_v<std::remove_cvref_t<std::tuple_element_t<I, std::tuple<A...>>>,
                               std::span<const T>> &&
                ...);
    }
    static constexpr bool takes_spans()
    {
        if constexpr (sizeof...(A) < sizeof...(T))
            return false;
        else
            return takes(std::make_index_sequence<sizeof...(T)>());
    }
    static_assert(takes_spans(), "kcr: the callable must take what it depends on first, each as "
                                 "std::span<const T>");
};

} // namespace detail

/// A function that remembers and depends on memory; see kcr::memoize(). Copies share what they
/// know.
template <typename R, typename F, typename Arguments, typename... T> class memoized_on;

template <typename R, typename F, typename... A, typename... T>
class memoized_on<R, F, detail::types<A...>, T...>
{
    static constexpr std::size_t sets = sizeof...(T);
    static constexpr std::size_t front = sets * sizeof(kcr_tracked_key);
    static constexpr bool floats =
        detail::has_floats<R> || (detail::has_floats<A> || ...) || (detail::has_floats<T> || ...);
    using result_bytes = detail::result_bytes<R>;

    static_assert((detail::check_argument<A, true>() && ...));
    static_assert(std::is_pointer_v<F> || std::is_empty_v<F>,
                  "kcr: what a callable captures is not part of the key: pass it as an argument, "
                  "or depend on it");

public:
    memoized_on(F callable, const dependencies<T...>& on, const options<>& options)
        : callable_(std::move(callable)), spans_(on.spans),
          function_(create(callable_, options), kcr_function_destroy),
          result_max_(options.result_max)
    {
        kcr_domain* domain = (options.in != nullptr ? *options.in : domain::process()).get();
        std::apply(
            [&](const auto&... span) {
                std::size_t i = 0;
                ((tracked_[i++] = track(domain, span)), ...);
            },
            spans_);
        for (std::size_t i = 0; i < sets; i++)
            pointers_[i] = tracked_[i].get();
    }

    /// The function's result, reused or computed. Throws what the function throws.
    R operator()(detail::argument<A>... arguments) const
    {
        const auto key = detail::key_of<floats, false>(arguments...);
        detail::buffer<front + 256> whole(front + key.size());
        if (key.size() > 0)
            std::memcpy(whole.data() + front, key.data(), key.size());
        return call(whole.data(), front + key.size(), arguments...);
    }

    /// 0 if results are remembered and the memory can be tracked, otherwise a negative errno.
    [[nodiscard]] int status() const noexcept
    {
        return status_and(nullptr);
    }

    /// The status as a sentence.
    [[nodiscard]] const char* why() const noexcept
    {
        const char* text = nullptr;
        status_and(&text);
        return text;
    }

    [[nodiscard]] kcr_function_stats stats() const noexcept
    {
        kcr_function_stats stats = {};
        stats.size = sizeof(stats);
        kcr_function_get_stats(function_.get(), &stats);
        return stats;
    }

    /// Says that the memory has changed in a way that the kernel cannot see.
    void renew() const noexcept
    {
        for (kcr_tracked* tracked : pointers_)
            kcr_tracked_renew(tracked);
    }

    /// For the C interface.
    [[nodiscard]] kcr_function* get() const noexcept
    {
        return function_.get();
    }

private:
    template <typename E>
    static std::shared_ptr<kcr_tracked> track(kcr_domain* domain, std::span<const E> span)
    {
        const kcr_span all = {span.data(), span.size_bytes()};
        return {kcr_tracked_create(domain, &all, 1), kcr_tracked_destroy};
    }

    int status_and(const char** text) const noexcept
    {
        int status = kcr_function_status(function_.get(), text);
        for (std::size_t i = 0; i < sets && status == 0; i++)
            status = kcr_tracked_status(pointers_[i], text);
        return status;
    }

    template <typename... B> R compute(const B&... arguments) const
    {
        return std::apply([&](const auto&... span) { return callable_(span..., arguments...); },
                          spans_);
    }

    template <typename... B> R call(std::byte* key, std::size_t size, const B&... arguments) const
    {
        kcr_ticket ticket;
        std::size_t length = 0;
        if constexpr (result_bytes::fixed) {
            alignas(R) std::byte result[sizeof(R)];
            if (kcr_begin_tracked(function_.get(), pointers_.data(), key, size, result, sizeof(R),
                                  &length, &ticket) == KCR_HIT)
                return *std::launder(reinterpret_cast<R*>(result));
        } else {
            detail::buffer<1024> result(result_max_);
            if (kcr_begin_tracked(function_.get(), pointers_.data(), key, size, result.data(),
                                  result_max_, &length, &ticket) == KCR_HIT)
                return result_bytes::make(result.data(), length);
        }
        R result = compute(arguments...);
        kcr_end(function_.get(), &ticket, key, size, result_bytes::data(result),
                result_bytes::length(result));
        return result;
    }

    static kcr_function* create(const F& callable, const options<>& options)
    {
        using key_type =
            decltype(detail::key_of<floats, false>(std::declval<detail::argument<A>>()...));
        const auto most = key_type::fixed ? key_type::most : std::size_t{options.key_max};
        return detail::create_function<R(std::span<const T>..., A...), R>(
            callable, options, static_cast<std::uint32_t>(front + most),
            static_cast<std::uint32_t>(sets));
    }

    F callable_;
    std::tuple<std::span<const T>...> spans_;
    std::shared_ptr<kcr_function> function_;
    std::uint32_t result_max_;
    std::array<std::shared_ptr<kcr_tracked>, sets> tracked_;
    std::array<kcr_tracked*, sets> pointers_{};
};

/// A function that remembers what @p callable returned as long as the memory does not change that
/// it depends on; see kcr::depends_on().
///
/// @tparam Signature as R(std::span<const T>..., A...), for callables with more than one
template <typename Signature = void, typename F, typename... T>
auto memoize(F callable, const dependencies<T...>& on, const options<>& options = {})
{
    if constexpr (std::is_void_v<Signature>) {
        static_assert(detail::has_signature<F>, "kcr: the callable has more than one signature: "
                                                "say which, kcr::memoize<R(A...)>(...)");
        return memoize<typename detail::signature_of<F>::type>(std::move(callable), on, options);
    } else {
        using split = detail::split<Signature, T...>;
        return memoized_on<typename split::result, F, typename split::arguments, T...>(
            std::move(callable), on, options);
    }
}

} // namespace kcr
