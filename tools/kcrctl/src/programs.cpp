// SPDX-License-Identifier: GPL-2.0
#include "programs.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <deque>

namespace kcr::ctl
{

namespace
{

constexpr std::size_t kept_messages = 16;
constexpr std::size_t largest_message = 1U << 20;

std::deque<std::string>& messages()
{
    static std::deque<std::string> kept;
    return kept;
}

int keep_message(libbpf_print_level level, const char* format, va_list arguments)
{
    if (level == LIBBPF_DEBUG)
        return 0;
    std::vector<char> text(largest_message); // the verifier's log is one message
    const int size = std::vsnprintf(text.data(), text.size(), format, arguments);
    for (auto& line : tool::split(text.data(), '\n')) {
        messages().push_back(std::move(line));
        if (messages().size() > kept_messages)
            messages().pop_front();
    }
    return size;
}

} // namespace

void quiet_libbpf()
{
    libbpf_set_print(keep_message);
}

std::string last_libbpf_messages()
{
    const std::vector<std::string> lines(messages().begin(), messages().end());
    return tool::join(lines, "\n");
}

void ProgramTemplate::take(const bpf_program* program, const bpf_prog_load_opts& options)
{
    const auto* instructions = bpf_program__insns(program);
    instructions_.assign(instructions, instructions + bpf_program__insn_cnt(program));
    functions_count_ = options.func_info_cnt;
    functions_size_ = options.func_info_rec_size;
    types_fd_ = options.prog_btf_fd;
    const auto* info = static_cast<const char*>(options.func_info);
    const std::size_t size = std::size_t{functions_count_} * functions_size_;
    functions_.assign(info, info + size);
}

Result<tool::Fd> ProgramTemplate::load_for(std::uint32_t function, bpf_attach_type kind) const
{
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = kind;
    options.attach_btf_id = function;
    options.prog_btf_fd = types_fd_;
    options.func_info = functions_.data();
    options.func_info_cnt = functions_count_;
    options.func_info_rec_size = functions_size_;
    const char* name = kind == BPF_TRACE_FENTRY ? "kcr_entry" : "kcr_exit";
    tool::Fd fd(bpf_prog_load(BPF_PROG_TYPE_TRACING, name, "GPL", instructions_.data(),
                              instructions_.size(), &options));
    if (!fd.valid())
        return Error{fmt::format("cannot load the program: {}", std::strerror(errno)), {}};
    return fd;
}

ProgramTemplates::~ProgramTemplates()
{
    for (const int handler : handlers_)
        libbpf_unregister_prog_handler(handler);
}

int ProgramTemplates::on_entry(bpf_program* program, bpf_prog_load_opts* options, long self)
{
    auto* templates =
        reinterpret_cast<ProgramTemplates*>(self); // NOLINT(performance-no-int-to-ptr)
    options->attach_btf_id = templates->function_;
    templates->entry_.take(program, *options);
    return 0;
}

int ProgramTemplates::on_exit(bpf_program* program, bpf_prog_load_opts* options, long self)
{
    auto* templates =
        reinterpret_cast<ProgramTemplates*>(self); // NOLINT(performance-no-int-to-ptr)
    options->attach_btf_id = templates->function_;
    templates->exit_.take(program, *options);
    return 0;
}

Status ProgramTemplates::expect(std::uint32_t function)
{
    function_ = function;
    LIBBPF_OPTS(libbpf_prog_handler_opts, options);
    options.cookie = reinterpret_cast<long>(this);
    options.prog_prepare_load_fn = on_entry;
    handlers_.push_back(libbpf_register_prog_handler("kcr.entry", BPF_PROG_TYPE_TRACING,
                                                     BPF_TRACE_FENTRY, &options));
    options.prog_prepare_load_fn = on_exit;
    handlers_.push_back(
        libbpf_register_prog_handler("kcr.exit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, &options));
    if (handlers_[0] < 0 || handlers_[1] < 0)
        return Error{"libbpf does not take the handlers of our programs", {}};
    return {};
}

} // namespace kcr::ctl
