// SPDX-License-Identifier: GPL-2.0-only
/// @file
/// @brief libkcr for C++20: functions that remember their results.
///
///     auto f = kcr::memoize(expensive);
///     auto g = kcr::memoize([](std::string_view text) { ... }, {.name = "parse", .version = 2});
///
/// The result must depend on nothing but the arguments; libkcr finds out whether equal
/// arguments give equal results before it reuses any, and goes on checking. Arguments may be
/// numbers, enumerations, structures without padding and pointers, std::array and std::complex
/// of those, std::string, std::string_view, std::vector and std::span<const T>; others with a
/// key of their own, see kcr::key_traits and kcr::with_key(). Results may be the same, but no
/// views. What is misused does not compile, and says what to do.
///
/// All is thread-safe. An exception passes through, and nothing is remembered.
#pragma once

#include "kcr.h"
#include "kcr_key.hpp"

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace kcr
{

/// A domain: where results are remembered, and who shares them.
class domain
{
public:
    /// A domain of one's own. If it cannot be had, functions in it compute: see status().
    explicit domain(const kcr_domain_options* options = nullptr)
        : domain_(kcr_domain_create(options), kcr_domain_destroy)
    {
    }

    /// The domain that @p fd, inherited or received, is a descriptor of.
    static domain from_fd(int fd)
    {
        return domain(kcr_domain_from_fd(fd));
    }

    /// The domain of this process that kcr::memoize() uses unless it is told of another.
    static domain& process()
    {
        static domain the_process;
        return the_process;
    }

    /// 0 if results are remembered, otherwise a negative errno: why not.
    [[nodiscard]] int status() const noexcept
    {
        return kcr_domain_status(domain_.get(), nullptr);
    }

    /// The status as a sentence.
    [[nodiscard]] const char* why() const noexcept
    {
        const char* text = nullptr;
        kcr_domain_status(domain_.get(), &text);
        return text;
    }

    /// A descriptor for another process, the caller's to close; or a negative errno.
    [[nodiscard]] int share(kcr_sharing sharing = KCR_SHARE_LOOKUPS) const noexcept
    {
        return kcr_domain_share(domain_.get(), sharing);
    }

    /// Forgets all results; 0 or a negative errno.
    int flush() const noexcept
    {
        return kcr_domain_flush(domain_.get());
    }

    /// For before entering a sandbox: no system call any more.
    void stop_storing() const noexcept
    {
        kcr_stop_storing(domain_.get());
    }

    /// For the C interface.
    [[nodiscard]] kcr_domain* get() const noexcept
    {
        return domain_.get();
    }

private:
    explicit domain(kcr_domain* owned) : domain_(owned, kcr_domain_destroy) {}

    std::shared_ptr<kcr_domain> domain_;
};

/// The key is made of all arguments.
struct all_arguments {
};

/// How a function is to be remembered. What is left out takes the default.
template <typename Key = all_arguments> struct options {
    const char* name = nullptr;       ///< for people, and for other processes: see memoize()
    std::uint64_t version = 0;        ///< another version is another function
    const domain* in = nullptr;       ///< the domain; domain::process() if there is none
    bool pure = false;                ///< equal arguments do give equal results: do not learn
    bool always = false;              ///< look up even where it does not pay
    std::uint32_t key_max = 1024;     ///< longest key in bytes, if arguments have no fixed size
    std::uint32_t result_max = 1024;  ///< longest result in bytes, if it has no fixed size
    std::uint32_t learn_target = 0;   ///< equal results after which they are reused
    std::uint32_t audit_interval = 0; ///< of so many hits one is computed again
    std::uint32_t max_entries = 0;    ///< limit of results at a time
    std::uint32_t expiry_ms = 0;      ///< milliseconds for which a result is used
    Key key = {};                     ///< makes a key of the arguments
};

/// Options with a key of the caller's own: what @p key returns when called with the arguments.
template <typename Key> options<Key> with_key(Key key, const options<>& others = {})
{
    return {.name = others.name,
            .version = others.version,
            .in = others.in,
            .pure = others.pure,
            .always = others.always,
            .key_max = others.key_max,
            .result_max = others.result_max,
            .learn_target = others.learn_target,
            .audit_interval = others.audit_interval,
            .max_entries = others.max_entries,
            .expiry_ms = others.expiry_ms,
            .key = std::move(key)};
}

namespace detail
{

/// What belongs to one type of callable, and to no other: its address is in the module.
template <typename F> inline char anchor = 0;

/// The name of a type, as the compiler writes it.
template <typename T> std::string name_of()
{
    constexpr std::string_view name = __PRETTY_FUNCTION__;
    constexpr auto start = name.find("T = ") + 4;
    return std::string(name.substr(start, name.find_last_of(";]") - start));
}

/// A result on its way to and from bytes.
template <typename R> struct result_bytes {
    static_assert(!std::is_void_v<R>, "kcr: a function without a result has nothing to reuse");
    static_assert(!std::is_reference_v<R> && !std::is_pointer_v<R>,
                  "kcr: a result must not be a reference or a pointer: return the value");
    static_assert(plain<R>, "kcr: a result must be trivially copyable without padding, "
                            "std::string or std::vector of such; or vouch for it with "
                            "kcr::no_padding<T>");
    static constexpr bool fixed = true;
    static constexpr std::size_t size = sizeof(R);

    static const void* data(const R& result)
    {
        return &result;
    }
    static std::size_t length(const R& /*result*/)
    {
        return sizeof(R);
    }
};

template <typename R>
requires(sequence<R>) struct result_bytes<R> {
    static_assert(owning_sequence<R>,
                  "kcr: a result must not be a view: return std::string or std::vector");
    static constexpr bool fixed = false;

    static const void* data(const R& result)
    {
        return result.data();
    }
    static std::size_t length(const R& result)
    {
        return result.size() * sizeof(typename R::value_type);
    }
    static R make(const std::byte* bytes, std::size_t length)
    {
        R result(length / sizeof(typename R::value_type), typename R::value_type());
        if (length > 0)
            std::memcpy(result.data(), bytes, length);
        return result;
    }
};

/// What a function takes and returns.
template <typename T> struct signature_of : signature_of<decltype(&T::operator())> {
};
template <typename R, typename... A> struct signature_of<R(A...)> {
    using type = R(A...);
};
template <typename R, typename... A> struct signature_of<R(A...) noexcept> : signature_of<R(A...)> {
};
template <typename R, typename... A> struct signature_of<R (*)(A...)> : signature_of<R(A...)> {
};
template <typename R, typename... A>
struct signature_of<R (*)(A...) noexcept> : signature_of<R(A...)> {
};
template <typename F, typename R, typename... A>
struct signature_of<R (F::*)(A...) const> : signature_of<R(A...)> {
};
template <typename F, typename R, typename... A>
struct signature_of<R (F::*)(A...) const noexcept> : signature_of<R(A...)> {
};
template <typename F, typename R, typename... A> struct signature_of<R (F::*)(A...)> {
    static_assert(never<F>, "kcr: a callable that changes itself (mutable) is not deterministic: "
                            "make its operator() const");
    using type = R(A...);
};
template <typename F, typename R, typename... A>
struct signature_of<R (F::*)(A...) noexcept> : signature_of<R (F::*)(A...)> {
};

template <typename T>
concept has_signature = requires
{
    typename signature_of<T>::type;
}
|| requires
{
    &T::operator();
}
|| std::is_pointer_v<T>;

/// What @p callable is, beside its type, among all that this process may have loaded.
template <typename F> void identify(const F& callable, std::byte* identity)
{
    const void* address = &anchor<F>;
    if constexpr (std::is_pointer_v<F>)
        address = reinterpret_cast<const void*>(callable);
    if (kcr_code_identity(address, identity) != 0)
        std::memcpy(identity, &address, sizeof(address)); // made at run time: this process's
}

/// Finds the function in its domain, or adds it; @p sets is how many tracked memories it reads.
template <typename Signature, typename R, typename F, typename Key>
kcr_function* create_function(const F& callable, const options<Key>& options, std::uint32_t key_max,
                              std::uint32_t sets)
{
    const std::string name =
        options.name != nullptr ? options.name + (" " + name_of<Signature>()) : name_of<F>();
    std::byte identity[KCR_IDENTITY_BYTES] = {};
    kcr_function_options o = {};
    o.size = sizeof(o);
    o.name = name.c_str();
    if (options.name == nullptr) {
        identify(callable, identity);
        o.identity = identity;
    }
    o.version = options.version;
    o.key_max = key_max;
    o.result_max = options.result_max;
    if constexpr (result_bytes<R>::fixed)
        o.result_max = static_cast<std::uint32_t>(sizeof(R));
    o.flags |= static_cast<std::uint32_t>(options.pure ? KCR_PURE : 0);
    o.flags |= static_cast<std::uint32_t>(options.always ? KCR_ALWAYS : 0);
    o.learn_target = options.learn_target;
    o.audit_interval = options.audit_interval;
    o.max_entries = options.max_entries;
    o.expiry_ms = options.expiry_ms;
    o.sets = sets;
    return kcr_function_create((options.in != nullptr ? *options.in : domain::process()).get(), &o);
}

} // namespace detail

/// A function that remembers; see kcr::memoize(). Copies share what they know.
template <typename Signature, typename F, typename Key> class memoized;

template <typename R, typename... A, typename F, typename Key> class memoized<R(A...), F, Key>
{
    static constexpr bool automatic = std::is_same_v<Key, all_arguments>;
    static constexpr bool floats = detail::has_floats<R> || (detail::has_floats<A> || ...);
    using result_bytes = detail::result_bytes<R>;

    static_assert((detail::check_argument<A, automatic>() && ...));
    static_assert(!automatic || std::is_pointer_v<F> || std::is_empty_v<F>,
                  "kcr: what a callable captures is not part of the key: pass it as an argument, "
                  "or make it part of the key with kcr::with_key()");

public:
    memoized(F callable, const options<Key>& options)
        : callable_(std::move(callable)), key_(options.key),
          function_(create(callable_, options), kcr_function_destroy),
          result_max_(options.result_max)
    {
    }

    /// The function's result, reused or computed. Throws what the function throws.
    R operator()(detail::argument<A>... arguments) const
    {
        return call(make_key(key_, arguments...), arguments...);
    }

    /// 0 if results are remembered, otherwise a negative errno: why not.
    [[nodiscard]] int status() const noexcept
    {
        return kcr_function_status(function_.get(), nullptr);
    }

    /// The status as a sentence.
    [[nodiscard]] const char* why() const noexcept
    {
        const char* text = nullptr;
        kcr_function_status(function_.get(), &text);
        return text;
    }

    [[nodiscard]] kcr_function_stats stats() const noexcept
    {
        kcr_function_stats stats = {};
        stats.size = sizeof(stats);
        kcr_function_get_stats(function_.get(), &stats);
        return stats;
    }

    /// Forgets all results; 0 or a negative errno.
    int flush() const noexcept
    {
        return kcr_function_flush(function_.get(), 0);
    }

    /// For the C interface.
    [[nodiscard]] kcr_function* get() const noexcept
    {
        return function_.get();
    }

private:
    static auto make_key(const Key& key, detail::argument<A>... arguments)
    {
        if constexpr (automatic)
            return detail::key_of<floats, true>(arguments...);
        else
            return detail::key_of<floats, false>(key(arguments...));
    }

    template <typename Bytes, typename... B> R call(const Bytes& key, const B&... arguments) const
    {
        kcr_ticket ticket;
        std::size_t length = 0;
        if constexpr (result_bytes::fixed) {
            alignas(R) std::byte result[sizeof(R)];
            if (kcr_begin(function_.get(), key.data(), key.size(), result, sizeof(R), &length,
                          &ticket) == KCR_HIT)
                return *std::launder(reinterpret_cast<R*>(result));
        } else {
            detail::buffer<1024> result(result_max_);
            if (kcr_begin(function_.get(), key.data(), key.size(), result.data(), result_max_,
                          &length, &ticket) == KCR_HIT)
                return result_bytes::make(result.data(), length);
        }
        R result = callable_(arguments...);
        kcr_end(function_.get(), &ticket, key.data(), key.size(), result_bytes::data(result),
                result_bytes::length(result));
        return result;
    }

    static kcr_function* create(const F& callable, const options<Key>& options)
    {
        using key_type =
            decltype(make_key(std::declval<const Key&>(), std::declval<detail::argument<A>>()...));
        return detail::create_function<R(A...), R>(
            callable, options,
            key_type::fixed ? static_cast<std::uint32_t>(key_type::most) : options.key_max, 0);
    }

    F callable_;
    Key key_;
    std::shared_ptr<kcr_function> function_;
    std::uint32_t result_max_;
};

/// A function that remembers what @p callable returned, and reuses it.
///
/// Without a name the function is known by its type and by where it is in the program, so that
/// processes that run the same program and share a domain share it. With a name it is known by
/// name, version and type to all who share the domain: give it a new version when its meaning
/// changes.
///
/// @tparam Signature as R(A...), for callables with more than one
template <typename Signature = void, typename F, typename Key = all_arguments>
auto memoize(F callable, const options<Key>& options)
{
    if constexpr (std::is_void_v<Signature>) {
        static_assert(detail::has_signature<F>, "kcr: the callable has more than one signature: "
                                                "say which, kcr::memoize<R(A...)>(...)");
        return memoized<typename detail::signature_of<F>::type, F, Key>(std::move(callable),
                                                                        options);
    } else {
        return memoized<Signature, F, Key>(std::move(callable), options);
    }
}

template <typename Signature = void, typename F>
auto memoize(F callable, const options<>& options = {})
{
    return memoize<Signature, F, all_arguments>(std::move(callable), options);
}

} // namespace kcr
