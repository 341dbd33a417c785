// SPDX-License-Identifier: GPL-2.0
#include "system.hpp"

#include <cstdlib>

extern "C" {

static_key_false kcr_enabled_key{true};
static_key_false kcr_rare_key{false};

// As core.c has them; an initialiser puts them into the section for data
__kcr_percpu kcr_tier* kcr_l2 = nullptr;
__kcr_percpu kcr_tier* kcr_l3_local = nullptr;

kcr_tier* kcr_l3_objects;

static kcr_tier* node_tier;

kcr_tier* kcr_cpu_tier(unsigned int cpu)
{
    return smp_load_acquire(per_cpu_ptr(&kcr_l2, cpu));
}

kcr_tier* kcr_node_tier(int /*node*/)
{
    return node_tier;
}

void kcr_sweep(u64 stamp)
{
    for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
        if (kcr_tier* tier = kcr_cpu_tier(cpu))
            kcr_tier_sweep(tier, stamp);
    }
    if (node_tier != nullptr)
        kcr_tier_sweep(node_tier, stamp);
}

// As verdict.c has them, without a worker
void kcr_tiers_request() {}

void kcr_site_learned(kcr_site* site)
{
    if (__atomic_add_fetch(&site->learned.counter, 1, __ATOMIC_RELAXED) >=
        static_cast<int>(site->learn_target))
        WRITE_ONCE(site->mode, KCR_MODE_REUSE);
}

void kcr_site_reject(const kcr_query* q, u32 offset)
{
    kcr_site* site = q->site;
    site->verdict.offset = offset;
    site->head += 1ULL << KCR_HEAD_ERA_SHIFT;
    WRITE_ONCE(site->mode, KCR_MODE_REJECTED);
}

} // extern "C"

namespace kcr::native
{

namespace
{

kcr_tier* create(u32 slots, u8 level, long budget)
{
    kcr_tier* tier = kcr_tier_create(slots, level, NUMA_NO_NODE, budget);
    if (tier == nullptr)
        std::abort();
    return tier;
}

} // namespace

System::System(unsigned cpus, u32 l2_slots, u32 l3_slots, long budget) : cpus_(cpus)
{
    static const bool initialised = [] {
        kcr_fingerprint_init();
        kcr_encrypt_init();
        return kcr_blob_init() == 0;
    }();
    if (!initialised || cpus > NR_CPUS)
        std::abort();
    node_tier = create(l3_slots, 3, budget);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        *per_cpu_ptr(&kcr_l2, cpu) = create(l2_slots, 2, 0);
        *per_cpu_ptr(&kcr_l3_local, cpu) = node_tier;
    }
    site_.name = "native";
    site_.key = &key_;
    site_.max_body = KCR_BODY_DEFAULT;
    site_.head = 1ULL << KCR_HEAD_SITE_SHIFT;
    site_.mode = KCR_MODE_REUSE;
    site_.always = true; // nothing is worth computing here
    site_.secret = true; // encrypted, where that is compiled in
    site_.stats = static_cast<kcr_stats*>(kcr_shim_alloc_percpu(sizeof(kcr_stats)));
    kcr_profit_reset(&site_);
}

System::~System()
{
    for (unsigned cpu = 0; cpu < cpus_; cpu++) {
        kcr_tier_destroy(*per_cpu_ptr(&kcr_l2, cpu));
        *per_cpu_ptr(&kcr_l2, cpu) = nullptr;
        *per_cpu_ptr(&kcr_l3_local, cpu) = nullptr;
    }
    kcr_tier_destroy(node_tier);
    node_tier = nullptr;
    kcr_shim_quiesce();
}

std::uint64_t System::count(kcr_counter counter) const
{
    std::uint64_t sum = 0;
    for (unsigned cpu = 0; cpu < cpus_; cpu++)
        sum += per_cpu_ptr(site_.stats, cpu)->c[counter];
    return sum;
}

} // namespace kcr::native
