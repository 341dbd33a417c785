// SPDX-License-Identifier: GPL-2.0
#include "accel.h"
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "elf_file.h"
#include "prepare.h"
#include "suites.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr std::size_t differences_shown = 30;
constexpr std::size_t longest_nop = 5;
constexpr double gate_boot_timeout_s = 120;

/// These hold the compressed kernel and its size, and so the line numbers in its bug table; and
/// the certificate of the key that each build makes for its modules.
constexpr std::array<std::string_view, 3> made_of_the_build = {
    "arch/x86/boot/compressed/piggy.o", "arch/x86/boot/header.o", "certs/system_certificates.o"};

/// The gates of the hooks. Other keys (kcr_enabled_key) are branched on in our own files only.
constexpr std::array<std::string_view, 11> hook_keys = {
    "kcr_skcipher_key",        "kcr_hash_key",        "kcr_tfm_key",  "kcr_sigverify_key",
    "kcr_seccomp_install_key", "kcr_seccomp_run_key", "kcr_csum_key", "kcr_csum_content_key",
    "kcr_track_key",           "kcr_gate_key",        "kcr_dma_key"};

/// Builds the unpatched and the patched tree with the nokcr config.
Status build_both(const Project& project)
{
    if (auto built = prepare_and_build(project, "nokcr"); !built)
        return built;
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    if (auto unpacked = prepare_pristine(project); !unpacked)
        return unpacked;
    const auto built = build_kernel(
        project,
        {.tree = project.pristine(), .config = "nokcr", .log_name = "build-nokcr-pristine.log"});
    return built ? Status() : built.error();
}

/// Object files below @p dir. Intermediate results of linking vmlinux (vmlinux.o, .tmp_*) are
/// made of the others.
std::set<std::string> object_files(const fs::path& dir)
{
    std::set<std::string> files;
    std::error_code error;
    for (fs::recursive_directory_iterator it(dir, error), end; !error && it != end;
         it.increment(error)) {
        const auto name = it->path().filename().string();
        const auto path = it->path().lexically_relative(dir).generic_string();
        // Programs that the build runs, which it does not need for each configuration
        if (path.starts_with("tools/"))
            continue;
        if (it->path().extension() == ".o" && name != "vmlinux.o" && !name.starts_with(".tmp_"))
            files.insert(path);
    }
    return files;
}

/// Compares one object of both trees; adds a line for each difference.
void compare_object(const fs::path& pristine, const fs::path& patched, const std::string& name,
                    std::vector<std::string>& differences)
{
    const auto before = read_elf(pristine / name);
    const auto after = read_elf(patched / name);
    if (!before || !after) {
        const bool neither = !before && !after;
        if (!neither || *read_file(pristine / name) != *read_file(patched / name))
            differences.push_back(fmt::format("{}: cannot be compared", name));
        return;
    }
    for (const auto& section : differing_sections(*before, *after))
        differences.push_back(fmt::format("{}: {}", name, section));
}

void compare_trees(SuiteContext& context)
{
    const auto pristine = Project::objects(context.project.pristine(), "nokcr");
    const auto patched = Project::objects(context.project.src(), "nokcr");
    const auto before = object_files(pristine);
    const auto after = object_files(patched);
    std::vector<std::string> differences;
    for (const auto& name : after) {
        if (!before.contains(name))
            differences.push_back(name + ": only in the patched tree");
    }
    for (const auto& name : before) {
        if (!after.contains(name))
            differences.push_back(name + ": only in the unpatched tree");
        else if (std::find(made_of_the_build.begin(), made_of_the_build.end(), name) ==
                 made_of_the_build.end())
            compare_object(pristine, patched, name, differences);
    }
    const auto title = fmt::format("CONFIG_KCR=n: {} objects are the same", before.size());
    if (before.size() < 100)
        differences.push_back(fmt::format("only {} objects were found", before.size()));
    if (differences.empty()) {
        context.report.pass(title);
        return;
    }
    if (differences.size() > differences_shown)
        differences.resize(differences_shown);
    context.report.fail(title, join(differences, "\n"));
}

/// A gate of the built kernel: a jump table entry whose key is one of ours.
struct Gate {
    std::string key;
    std::string place;
    std::uint64_t code;
    std::size_t length; ///< of the no-op, 0 if there is none
};

std::map<std::uint64_t, std::string> gate_keys(const ElfFile& kernel)
{
    std::map<std::uint64_t, std::string> keys;
    for (const auto& symbol : kernel.symbols) {
        if (std::find(hook_keys.begin(), hook_keys.end(), symbol.name) != hook_keys.end())
            keys[symbol.address] = symbol.name;
    }
    return keys;
}

std::vector<Gate> find_gates(const ElfFile& kernel,
                             const std::map<std::uint64_t, std::string>& keys)
{
    std::vector<Gate> gates;
    for (const auto& entry : jump_entries(kernel)) {
        const auto key = keys.find(entry.key);
        if (key == keys.end())
            continue;
        gates.push_back({key->second, kernel.place(entry.code), entry.code,
                         patched_nop_length(kernel.bytes_at(entry.code, longest_nop))});
    }
    return gates;
}

void check_gates(SuiteContext& context, const std::map<std::uint64_t, std::string>& keys,
                 const std::vector<Gate>& gates)
{
    for (const auto& key : hook_keys) {
        const auto used = std::count_if(gates.begin(), gates.end(),
                                        [&](const Gate& gate) { return gate.key == key; });
        if (used == 0)
            context.report.fail(fmt::format("gate of {}", key), "no jump table entry refers to it");
    }
    if (keys.empty())
        context.report.fail("gates", "the kernel has none of the hooks' keys");
    for (const auto& gate : gates) {
        const auto name = fmt::format("{} at {} is a no-op in vmlinux", gate.key, gate.place);
        if (gate.length != 0)
            context.report.pass(name);
        else
            context.report.fail(name, "the instruction there is not a no-op");
    }
}

/// Boots with kcr_enable=0, tries to opt in, and reads the gates' code from memory.
void check_running_gates(SuiteContext& context, const std::vector<Gate>& gates)
{
    auto request = boot_request(context.project, "base", "zero-impact");
    request.machine.smp = 1;
    request.machine.kvm = find_accelerator(context.project).kvm;
    request.machine.append = {"kcr_enable=0"};
    request.timeout_s = gate_boot_timeout_s;
    request.job.argv = {(context.project.tool_build() / "kcr-gates").string()};
    for (const auto& gate : gates)
        request.job.argv.push_back(fmt::format("{:x}", gate.code));
    const auto outcome = boot(request);
    if (!outcome || !outcome->success()) {
        context.report.fail("gates at run time", outcome ? outcome->describe() + "\n" + outcome->err
                                                         : outcome.error().message);
        return;
    }
    std::map<std::uint64_t, std::string> seen;
    for (const auto& line : split(outcome->out, '\n')) {
        const auto parts = words(line);
        if (parts.size() != 2)
            continue;
        std::string bytes;
        for (std::size_t at = 0; at + 2 <= parts[1].size(); at += 2)
            bytes.push_back(static_cast<char>(std::stoi(parts[1].substr(at, 2), nullptr, 16)));
        seen[std::stoull(parts[0], nullptr, 16)] = bytes;
    }
    for (const auto& gate : gates) {
        const auto name =
            fmt::format("{} at {} stays a no-op with kcr_enable=0", gate.key, gate.place);
        if (patched_nop_length(seen[gate.code]) != 0)
            context.report.pass(name);
        else
            context.report.fail(name, "the code in memory is not a no-op");
    }
}

} // namespace

void run_suite_zero_impact(SuiteContext& context)
{
    if (auto built = build_both(context.project); !built) {
        context.report.check("build", built);
        return;
    }
    context.report.note("comparing the objects");
    compare_trees(context);
    if (auto built = prepare_and_build(context.project, "base"); !built) {
        context.report.check("build base", built);
        return;
    }
    const auto kernel = read_elf(Project::objects(context.project.src(), "base") / "vmlinux");
    if (!kernel) {
        context.report.fail("vmlinux", kernel.error().message);
        return;
    }
    const auto keys = gate_keys(*kernel);
    const auto gates = find_gates(*kernel, keys);
    check_gates(context, keys, gates);
    if (!gates.empty())
        check_running_gates(context, gates);
}

} // namespace kcr::tool
