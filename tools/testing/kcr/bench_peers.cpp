// SPDX-License-Identifier: GPL-2.0
/// @file
/// Structures to compare the tiers with, on the same keys in the same harness. All of them get
/// the hash for nothing, as a tier's lookup does, but for absl_xxh64.
#include "bench.hpp"

#include <absl/container/flat_hash_map.h>
#include <tbb/concurrent_hash_map.h>
#include <unordered_map>

namespace kcr::native
{

namespace
{

/// A key in a map.
template <unsigned Words> struct Key {
    WordArray<Words> words;
    u64 hash;
};

/// A key that is looked for: its hash is known.
template <unsigned Words> struct Probe {
    const WordArray<Words>& words;
    u64 hash;
};

template <unsigned Words> struct Equal {
    using is_transparent = void;
    template <typename A, typename B> bool operator()(const A& a, const B& b) const
    {
        return a.words == b.words;
    }
};

template <unsigned Words> struct KnownHash {
    using is_transparent = void;
    template <typename A> std::size_t operator()(const A& key) const
    {
        return key.hash;
    }
};

template <unsigned Words> struct Xxh64 {
    using is_transparent = void;
    template <typename A> std::size_t operator()(const A& key) const
    {
        return xxh64(key.words.data(), sizeof(key.words), 1);
    }
};

template <unsigned Words> struct TbbCompare {
    using is_transparent = void;
    template <typename A> std::size_t hash(const A& key) const
    {
        return key.hash;
    }
    template <typename A, typename B> bool equal(const A& a, const B& b) const
    {
        return a.words == b.words;
    }
};

template <unsigned Words, typename Hash>
using StdMap = std::unordered_map<Key<Words>, WordArray<Words>, Hash, Equal<Words>>;
template <unsigned Words, typename Hash>
using AbslMap = absl::flat_hash_map<Key<Words>, WordArray<Words>, Hash, Equal<Words>>;
template <unsigned Words>
using TbbMap = tbb::concurrent_hash_map<Key<Words>, WordArray<Words>, TbbCompare<Words>>;

template <unsigned Words> Probe<Words> probe(const u64* key, u64 hash)
{
    return {*reinterpret_cast<const WordArray<Words>*>(key), hash};
}

template <typename Map, unsigned Words>
bool lookup(void* context, kcr_query* q, const u64* key, u64 hash)
{
    const auto* map = static_cast<const Map*>(context);
    const auto found = map->find(probe<Words>(key, hash));
    if (found == map->end())
        return false;
    __builtin_memcpy(q->res, &found->second, sizeof(found->second));
    return true;
}

template <unsigned Words> bool lookup_tbb(void* context, kcr_query* q, const u64* key, u64 hash)
{
    typename TbbMap<Words>::const_accessor found;
    if (!static_cast<TbbMap<Words>*>(context)->find(found, probe<Words>(key, hash)))
        return false;
    __builtin_memcpy(q->res, &found->second, sizeof(found->second));
    return true;
}

/// The peers that are written in C: by words of a key.
template <unsigned Words> struct C;
template <> struct C<2> {
    static constexpr auto hlist = kcr_bench_hlist_16;
    static constexpr auto lfht = kcr_bench_lfht_16;
};
template <> struct C<4> {
    static constexpr auto hlist = kcr_bench_hlist_32;
    static constexpr auto lfht = kcr_bench_lfht_32;
};
template <> struct C<8> {
    static constexpr auto hlist = kcr_bench_hlist_64;
    static constexpr auto lfht = kcr_bench_lfht_64;
};

/// Adds the peers of one working set.
template <unsigned Words> class Peers
{
public:
    Peers(std::vector<Subject>& subjects, std::shared_ptr<WorkingSet<Words>> set,
          const kcr_query& like)
        : subjects_(subjects), set_(std::move(set)), like_(like), count_(set_->keys.size())
    {
        hashes_.resize(count_);
        for (const auto& result : set_->results)
            hashes_[result[1]] = result[0];
    }

    void add_c()
    {
        const u32 buckets = count_ > KCR_L2_SLOTS ? KCR_L3_SLOTS : KCR_L2_SLOTS;
        const std::shared_ptr<kcr_bench_hlist> hlist(kcr_bench_hlist_create(buckets, Words * 8),
                                                     kcr_bench_hlist_destroy);
        const std::shared_ptr<kcr_bench_lfht> lfht(kcr_bench_lfht_create(buckets, Words * 8),
                                                   kcr_bench_lfht_destroy);
        for (std::size_t i = 0; i < count_; i++) {
            kcr_bench_hlist_add(hlist.get(), hashes_[i], set_->keys[i].data(),
                                set_->results[i].data());
            kcr_bench_lfht_add(lfht.get(), hashes_[i], set_->keys[i].data(),
                               set_->results[i].data());
        }
        add("bucket_hlist", C<Words>::hlist, hlist);
        add("lfht", C<Words>::lfht, lfht);
    }

    template <typename Map> void add_map(const std::string& name, kcr_bench_fn* fn)
    {
        auto map = std::make_shared<Map>(count_);
        for (std::size_t i = 0; i < count_; i++)
            map->emplace(Key<Words>{set_->keys[i], hashes_[i]}, set_->results[i]);
        add(name, fn, map);
    }

private:
    void add(const std::string& name, kcr_bench_fn* fn, const std::shared_ptr<void>& context)
    {
        auto q = std::make_shared<kcr_query>(like_);
        const std::string size = count_ > KCR_L2_SLOTS ? "_l3" : "";
        const std::string bytes = std::to_string(Words * 8);
        Subject subject;
        subject.name = "peer_" + name + size + "_" + bytes + "_" + bytes;
        subject.run = [=, set = set_](u64 steps) {
            follow<Words>(fn, context.get(), *set, *q, steps);
        };
        subjects_.push_back(std::move(subject));
    }

    std::vector<Subject>& subjects_;
    std::shared_ptr<WorkingSet<Words>> set_;
    kcr_query like_;
    std::size_t count_;
    std::vector<u64> hashes_;
};

} // namespace

template <unsigned Words>
void add_peers(std::vector<Subject>& subjects, std::shared_ptr<WorkingSet<Words>> set,
               const kcr_query& like)
{
    using Std = StdMap<Words, KnownHash<Words>>;
    using Absl = AbslMap<Words, KnownHash<Words>>;
    using AbslXxh64 = AbslMap<Words, Xxh64<Words>>;

    Peers<Words> peers(subjects, std::move(set), like);
    peers.add_c();
    peers.template add_map<TbbMap<Words>>("tbb", lookup_tbb<Words>);
    peers.template add_map<Std>("std", lookup<Std, Words>);
    peers.template add_map<Absl>("absl", lookup<Absl, Words>);
    peers.template add_map<AbslXxh64>("absl_xxh64", lookup<AbslXxh64, Words>);
}

template void add_peers(std::vector<Subject>&, std::shared_ptr<WorkingSet<2>>, const kcr_query&);
template void add_peers(std::vector<Subject>&, std::shared_ptr<WorkingSet<4>>, const kcr_query&);
template void add_peers(std::vector<Subject>&, std::shared_ptr<WorkingSet<8>>, const kcr_query&);

} // namespace kcr::native
