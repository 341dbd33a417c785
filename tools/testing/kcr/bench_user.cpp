// SPDX-License-Identifier: GPL-2.0
/// @file
/// What a hit costs in user space, and what a program would use without KCR: caches in the
/// process that threads may share and that forget what was not used for longest. These hash for
/// themselves.
#define TBB_PREVIEW_CONCURRENT_LRU_CACHE 1
#include "bench_user.h"
#include "bench.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/hash/hash.h>
#include <list>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <tbb/concurrent_lru_cache.h>

namespace kcr::native
{

namespace
{

/// A request to libkcr; what is computed for an audit is what is remembered.
template <unsigned Words> bool hit(void* function, kcr_query* q, const u64* key, u64 /*hash*/)
{
    auto* f = static_cast<kcr_function*>(function);
    kcr_ticket ticket;
    std::size_t length = 0;
    if (kcr_begin(f, key, kBytes<Words>, q->res, kBytes<Words>, &length, &ticket) == KCR_HIT)
        [[likely]]
        return true;
    kcr_view view;
    if (kcr_peek(f, key, kBytes<Words>, &view) != KCR_HIT)
        return false;
    __builtin_memcpy(q->res, view.data, kBytes<Words>);
    kcr_end(f, &ticket, key, kBytes<Words>, q->res, kBytes<Words>);
    return true;
}

template <unsigned Words> bool present(kcr_function* f, const WordArray<Words>& key)
{
    kcr_view view;
    return kcr_peek(f, key.data(), kBytes<Words>, &view) == KCR_HIT;
}

/// Has a result remembered: what is missed and comes again is.
template <unsigned Words>
bool store(kcr_function* f, const WordArray<Words>& key, const WordArray<Words>& result)
{
    for (int tries = 0; tries < 4 && !present<Words>(f, key); tries++) {
        WordArray<Words> out;
        kcr_ticket ticket;
        std::size_t length = 0;
        if (kcr_begin(f, key.data(), kBytes<Words>, out.data(), kBytes<Words>, &length, &ticket) !=
            KCR_HIT)
            kcr_end(f, &ticket, key.data(), kBytes<Words>, result.data(), kBytes<Words>);
    }
    return present<Words>(f, key);
}

/// How often keys that others displaced are replaced.
constexpr u32 kTries = 100;

/// Drops keys that @p f does not remember; how many.
template <unsigned Words> std::size_t drop_forgotten(kcr_function* f, WorkingSet<Words>& set)
{
    return std::erase_if(set.keys, [&](const auto& key) { return !present<Words>(f, key); });
}

/// Has results remembered that lead from each key to the next, in random order.
template <unsigned Words>
void remember_chain(kcr_function* f, WorkingSet<Words>& set, std::mt19937_64& random)
{
    std::vector<u32> order(set.keys.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    set.results.resize(order.size());
    for (std::size_t i = 0; i < order.size(); i++) {
        auto& result = set.results[order[i]];
        for (u64& word : result)
            word = random();
        result[1] = order[(i + 1) % order.size()];
    }
    kcr_function_flush(f, 0);
    for (std::size_t i = 0; i < order.size(); i++)
        store<Words>(f, set.keys[i], set.results[i]);
}

/// Random keys that @p f remembers all at the same time: @p count, or a few less.
template <unsigned Words> WorkingSet<Words> fill_user(kcr_function* f, u32 count)
{
    std::mt19937_64 random(count + Words);
    WorkingSet<Words> set;
    for (u32 tries = 0; tries < kTries && set.keys.size() < count; tries++) {
        while (set.keys.size() < count) {
            WordArray<Words> key;
            for (u64& word : key)
                word = random();
            store<Words>(f, key, key);
            set.keys.push_back(key);
        }
        drop_forgotten<Words>(f, set);
    }
    do
        remember_chain<Words>(f, set, random);
    while (drop_forgotten<Words>(f, set) > 0);
    return set;
}

template <unsigned Words> struct Hash {
    std::size_t operator()(const WordArray<Words>& key) const
    {
        return absl::Hash<WordArray<Words>>()(key);
    }
};

/// The textbook: a map of places in a list, the last used first, under a lock.
template <unsigned Words> class Lru
{
public:
    using Item = std::pair<WordArray<Words>, WordArray<Words>>;

    void reserve(std::size_t capacity)
    {
        capacity_ = capacity;
        map_.reserve(capacity);
    }
    bool get(const WordArray<Words>& key, u64* result)
    {
        const std::lock_guard guard(lock_);
        const auto found = map_.find(key);
        if (found == map_.end())
            return false;
        items_.splice(items_.begin(), items_, found->second);
        __builtin_memcpy(result, found->second->second.data(), kBytes<Words>);
        return true;
    }
    void put(const WordArray<Words>& key, const WordArray<Words>& result)
    {
        const std::lock_guard guard(lock_);
        if (map_.size() >= capacity_) {
            map_.erase(items_.back().first);
            items_.pop_back();
        }
        items_.emplace_front(key, result);
        map_[key] = items_.begin();
    }

private:
    std::mutex lock_;
    std::list<Item> items_;
    absl::flat_hash_map<WordArray<Words>, typename std::list<Item>::iterator, Hash<Words>> map_;
    std::size_t capacity_ = 0;
};

/// Several of them, so that threads seldom want the same lock.
template <unsigned Words, std::size_t Shards> class ShardedLru
{
public:
    explicit ShardedLru(std::size_t capacity)
    {
        for (auto& shard : shards_)
            shard.reserve(2 * capacity / Shards + 16);
    }
    Lru<Words>& of(const WordArray<Words>& key)
    {
        return shards_[key[0] % Shards]; // random: as good as a hash, and for nothing
    }

private:
    std::array<Lru<Words>, Shards> shards_;
};

template <unsigned Words, std::size_t Shards>
bool lookup_lru(void* cache, kcr_query* q, const u64* key, u64 /*hash*/)
{
    const auto& words = *reinterpret_cast<const WordArray<Words>*>(key);
    return static_cast<ShardedLru<Words, Shards>*>(cache)->of(words).get(words, q->res);
}

template <unsigned Words>
using TbbLru = tbb::concurrent_lru_cache<WordArray<Words>, WordArray<Words>,
                                         std::function<WordArray<Words>(WordArray<Words>)>>;

template <unsigned Words>
bool lookup_tbb_lru(void* cache, kcr_query* q, const u64* key, u64 /*hash*/)
{
    auto handle =
        (*static_cast<TbbLru<Words>*>(cache))[*reinterpret_cast<const WordArray<Words>*>(key)];
    __builtin_memcpy(q->res, handle.value().data(), kBytes<Words>);
    return true;
}

template <unsigned Words> class Users
{
public:
    Users(std::vector<Subject>& subjects, const kcr_query& like, u32 count)
        : subjects_(subjects), like_(like),
          function_(kcr_bench_user_create(Words * 8, count * u64{512}), kcr_function_destroy),
          set_(std::make_shared<WorkingSet<Words>>(fill_user<Words>(function_.get(), count)))
    {
    }

    void add()
    {
        add("libkcr_hit", hit<Words>, function_);
        add_lru<1>("peer_lru_mutex");
        add_lru<16>("peer_lru_sharded");
        std::unordered_map<u64, WordArray<Words>> results;
        for (std::size_t i = 0; i < set_->keys.size(); i++)
            results[set_->keys[i][0]] = set_->results[i];
        auto tbb = std::make_shared<TbbLru<Words>>(
            [results](const WordArray<Words>& key) { return results.at(key[0]); },
            set_->keys.size());
        add("peer_lru_tbb", lookup_tbb_lru<Words>, tbb);
    }

    void add_servers()
    {
        kcr::native::add_servers<Words>(subjects_, set_, like_);
    }

private:
    template <std::size_t Shards> void add_lru(const std::string& name)
    {
        auto lru = std::make_shared<ShardedLru<Words, Shards>>(set_->keys.size());
        for (std::size_t i = 0; i < set_->keys.size(); i++)
            lru->of(set_->keys[i]).put(set_->keys[i], set_->results[i]);
        add(name, lookup_lru<Words, Shards>, lru);
    }

    void add(const std::string& name, kcr_bench_fn* fn, const std::shared_ptr<void>& context)
    {
        auto q = std::make_shared<kcr_query>(like_);
        const std::string size = set_->keys.size() > KCR_L2_SLOTS ? "_l3" : "";
        const std::string bytes = std::to_string(kBytes<Words>);
        Subject subject;
        subject.name = name + size + "_" + bytes + "_" + bytes;
        subject.run = [=, set = set_](u64 steps) {
            follow<Words>(fn, context.get(), *set, *q, steps);
        };
        subjects_.push_back(std::move(subject));
    }

    std::vector<Subject>& subjects_;
    kcr_query like_;
    std::shared_ptr<kcr_function> function_;
    std::shared_ptr<WorkingSet<Words>> set_;
};

} // namespace

template <unsigned Words> void add_users(std::vector<Subject>& subjects, const kcr_query& like)
{
    Users<Words> few(subjects, like, KCR_L2_SLOTS);
    few.add();
    if constexpr (Words != 4)
        few.add_servers();
    Users<Words>(subjects, like, KCR_L3_SLOTS).add();
}

template void add_users<2>(std::vector<Subject>&, const kcr_query&);
template void add_users<4>(std::vector<Subject>&, const kcr_query&);
template void add_users<8>(std::vector<Subject>&, const kcr_query&);

} // namespace kcr::native
