// SPDX-License-Identifier: GPL-2.0
#include "probes.h"

#include "fd.h"
#include "profile.skel.h"
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

namespace kcr::ctl
{

namespace
{

constexpr std::size_t batch = 4096;

struct LinkOwner {
    void operator()(bpf_link* link) const
    {
        bpf_link__destroy(link);
    }
};
using Link = std::unique_ptr<bpf_link, LinkOwner>;

/// How one function is attached to.
struct Attachment {
    std::string how;
    std::string obstacle;
    std::vector<tool::Fd> fds; ///< links of fentry and fexit
    std::vector<Link> links;   ///< kprobes
};

void add_counts(kcr_counts& sum, const kcr_counts& more)
{
    auto* to = reinterpret_cast<__u64*>(&sum);
    const auto* from = reinterpret_cast<const __u64*>(&more);
    for (std::size_t i = 0; i < sizeof(sum) / sizeof(__u64); ++i)
        to[i] += from[i];
}

} // namespace

class Probes::State
{
public:
    State(const Types& types, const std::vector<Planned>& functions)
        : types_(types), functions_(functions), attachments_(functions.size())
    {
    }
    ~State()
    {
        detach();
        profile_bpf__destroy(object_);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Status load(const ProbeOptions& options);
    std::size_t attach();
    void detach()
    {
        for (auto& attachment : attachments_) {
            attachment.fds.clear();
            attachment.links.clear();
        }
    }
    void arm(bool on)
    {
        __atomic_store_n(&object_->bss->armed, on ? 1U : 0U, __ATOMIC_SEQ_CST);
    }
    Status write_plans();
    void set_budget(std::uint64_t ns)
    {
        __atomic_store_n(&object_->data->budget_ns, ns, __ATOMIC_RELAXED);
    }
    Result<std::vector<Measurement>> read();

private:
    Status configure(const ProbeOptions& options);
    Status attach_typed(std::uint32_t index, Attachment& attachment);
    Status attach_probes(std::uint32_t index, Attachment& attachment);
    Status read_counts(std::vector<Measurement>& measured);
    Status read_inputs(std::vector<Measurement>& measured);
    Status read_nests(std::vector<Measurement>& measured);

    const Types& types_;
    std::vector<Planned> functions_;
    std::vector<Attachment> attachments_;
    profile_bpf* object_ = nullptr;
    ProgramTemplates templates_;
};

Status Probes::State::configure(const ProbeOptions& options)
{
    const auto count = static_cast<__u32>(functions_.size());
    auto* object = object_;
    std::array<__u64, 4> secret{};
    if (::getrandom(secret.data(), sizeof(secret), 0) != sizeof(secret))
        return Error{"no random numbers", {}};
    for (std::size_t i = 0; i < secret.size(); ++i)
        object->rodata->secret[i] = secret[i] | 1U; // multipliers must be odd
    object->rodata->own_tgid = static_cast<__u32>(::getpid());
    if (const auto task = types_.find_struct("task_struct")) {
        const auto voluntary = types_.field(*task, "nvcsw");
        const auto involuntary = types_.field(*task, "nivcsw");
        if (!voluntary || !involuntary)
            return Error{"struct task_struct does not count switches", {}};
        object->rodata->nvcsw_offset = voluntary->offset;
        object->rodata->nivcsw_offset = involuntary->offset;
    }
    bpf_map__set_max_entries(object->maps.plans, count);
    bpf_map__set_max_entries(object->maps.counts, count);
    bpf_map__set_max_entries(object->maps.inputs, options.inputs);
    return {};
}

Status Probes::State::load(const ProbeOptions& options)
{
    const auto any = types_.functions().find("bpf_fentry_test1");
    const bool typed = any != types_.functions().end() && !options.kprobes;
    if (auto registered = templates_.expect(typed ? any->second : 0); !registered)
        return registered;
    object_ = profile_bpf__open();
    if (object_ == nullptr)
        return Error{fmt::format("cannot open the BPF programs: {}", std::strerror(errno)), {}};
    if (auto configured = configure(options); !configured)
        return configured;
    bpf_program__set_autoload(object_->progs.kcr_entry, typed);
    bpf_program__set_autoload(object_->progs.kcr_exit, typed);
    if (const int error = profile_bpf__load(object_); error != 0)
        return Error{
            fmt::format("the kernel does not load the BPF programs: {}", std::strerror(-error)),
            last_libbpf_messages()};
    return write_plans();
}

Status Probes::State::write_plans()
{
    const int fd = bpf_map__fd(object_->maps.plans);
    for (std::uint32_t i = 0; i < functions_.size(); ++i) {
        if (bpf_map_update_elem(fd, &i, &functions_[i].plan, BPF_ANY) != 0)
            return Error{fmt::format("cannot write plans: {}", std::strerror(errno)), {}};
    }
    return {};
}

Status Probes::State::attach_typed(std::uint32_t index, Attachment& attachment)
{
    const auto& target = functions_[index].target;
    const auto type_id = target.type_id;
    if (!type_id || !templates_.complete())
        return Error{"its type is not known, or kprobes are wanted", {}};
    // The exit first: once there is an entry, its exit is seen
    for (const auto kind : {BPF_TRACE_FEXIT, BPF_TRACE_FENTRY}) {
        const auto& pattern = kind == BPF_TRACE_FEXIT ? templates_.exit() : templates_.entry();
        auto program = pattern.load_for(*type_id, kind);
        if (!program)
            return program.error();
        LIBBPF_OPTS(bpf_link_create_opts, options);
        options.tracing.cookie = index;
        tool::Fd link(bpf_link_create(program->get(), 0, kind, &options));
        if (!link.valid())
            return Error{fmt::format("cannot attach: {}", std::strerror(errno)), {}};
        attachment.fds.push_back(std::move(link)); // which holds the program
    }
    return {};
}

Status Probes::State::attach_probes(std::uint32_t index, Attachment& attachment)
{
    const auto& target = functions_[index].target;
    if (functions_[index].plan.nr_args > 6)
        return Error{"a kprobe sees no more than 6 words of arguments", {}};
    for (const bool at_return : {true, false}) {
        LIBBPF_OPTS(bpf_kprobe_opts, options);
        options.bpf_cookie = index;
        options.retprobe = at_return;
        auto* program = at_return ? object_->progs.kcr_kretprobe : object_->progs.kcr_kprobe;
        Link link(bpf_program__attach_kprobe_opts(program, target.function.c_str(), &options));
        if (!link)
            return Error{fmt::format("cannot set a kprobe: {}", std::strerror(errno)),
                         last_libbpf_messages()};
        attachment.links.push_back(std::move(link));
    }
    return {};
}

std::size_t Probes::State::attach()
{
    std::size_t attached = 0;
    for (std::uint32_t i = 0; i < functions_.size(); ++i) {
        auto& attachment = attachments_[i];
        attachment = {};
        if (const auto typed = attach_typed(i, attachment); typed.ok()) {
            attachment.how = "fentry";
        } else {
            attachment = {};
            if (const auto probed = attach_probes(i, attachment); probed.ok()) {
                attachment.how = "kprobe";
            } else {
                attachment = {};
                attachment.obstacle = fmt::format("fentry: {}; kprobe: {}", typed.error().message,
                                                  probed.error().message);
            }
        }
        attached += attachment.how.empty() ? 0 : 1;
    }
    return attached;
}

Status Probes::State::read_counts(std::vector<Measurement>& measured)
{
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
        return Error{"cannot find out the number of CPUs", {}};
    std::vector<kcr_counts> each(static_cast<std::size_t>(cpus));
    const int fd = bpf_map__fd(object_->maps.counts);
    for (std::uint32_t i = 0; i < functions_.size(); ++i) {
        if (bpf_map_lookup_elem(fd, &i, each.data()) != 0)
            return Error{fmt::format("cannot read counts: {}", std::strerror(errno)), {}};
        for (const auto& counts : each)
            add_counts(measured[i].counts, counts);
    }
    return {};
}

Status Probes::State::read_inputs(std::vector<Measurement>& measured)
{
    const int fd = bpf_map__fd(object_->maps.inputs);
    std::vector<kcr_input_key> keys(batch);
    std::vector<kcr_input> values(batch);
    std::vector<std::set<__u64>> results(measured.size());
    __u32 position = 0;
    bool first = true;
    for (int error = 0; error == 0;) {
        auto count = static_cast<__u32>(batch);
        error = bpf_map_lookup_batch(fd, first ? nullptr : &position, &position, keys.data(),
                                     values.data(), &count, nullptr);
        if (error != 0 && errno != ENOENT)
            return Error{fmt::format("cannot read inputs: {}", std::strerror(errno)), {}};
        first = false;
        for (std::size_t i = 0; i < count; ++i) {
            if (keys[i].func >= measured.size())
                continue;
            auto& what = measured[keys[i].func];
            what.hottest = std::max<std::uint64_t>(what.hottest, values[i].calls);
            results[keys[i].func].insert(values[i].result);
        }
    }
    for (std::size_t i = 0; i < measured.size(); ++i)
        measured[i].results = results[i].size();
    return {};
}

Status Probes::State::read_nests(std::vector<Measurement>& measured)
{
    const int fd = bpf_map__fd(object_->maps.nests);
    kcr_nest_key key{};
    kcr_nest_key next{};
    const kcr_nest_key* previous = nullptr;
    while (bpf_map_get_next_key(fd, previous, &next) == 0) {
        __u64 count = 0;
        key = next;
        previous = &key;
        if (bpf_map_lookup_elem(fd, &key, &count) != 0 || key.child >= measured.size() ||
            key.parent >= measured.size())
            continue;
        measured[key.child].inside[measured[key.parent].target.function] += count;
    }
    return {};
}

Result<std::vector<Measurement>> Probes::State::read()
{
    std::vector<Measurement> measured(functions_.size());
    for (std::size_t i = 0; i < functions_.size(); ++i) {
        measured[i].target = functions_[i].target;
        measured[i].attached = attachments_[i].how;
        measured[i].obstacle = attachments_[i].obstacle;
    }
    for (const auto step : {&State::read_counts, &State::read_inputs, &State::read_nests}) {
        if (auto done = (this->*step)(measured); !done)
            return done.error();
    }
    return measured;
}

Probes::Probes(std::unique_ptr<State> state) : state_(std::move(state)) {}
Probes::~Probes() = default;

Result<std::unique_ptr<Probes>>
Probes::load(const Types& types, const std::vector<Planned>& functions, const ProbeOptions& options)
{
    // Each function takes two descriptors or four
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    auto state = std::make_unique<State>(types, functions);
    if (auto loaded = state->load(options); !loaded)
        return loaded.error();
    return std::unique_ptr<Probes>(new Probes(std::move(state)));
}

std::size_t Probes::attach()
{
    return state_->attach();
}

void Probes::arm(bool on)
{
    state_->arm(on);
}

void Probes::set_budget(std::uint64_t ns)
{
    state_->set_budget(ns);
}

void Probes::detach()
{
    state_->detach();
}

Result<std::vector<Measurement>> Probes::read()
{
    return state_->read();
}

Status check_privileges()
{
    if (::geteuid() != 0)
        return Error{"kcrctl profile needs root", "it loads BPF programs: sudo kcrctl profile ..."};
    return {};
}

} // namespace kcr::ctl
