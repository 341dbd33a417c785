// SPDX-License-Identifier: GPL-2.0
#include "harness.h"

#include "description.h"
#include "fd.h"
#include "text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace
{

namespace fs = std::filesystem;
using kcr::ctl::Memo;

constexpr const char* library = "libkcr-subject.so";

const std::vector<std::string>& subject_signatures()
{
    static const std::vector<std::string> signatures = {
        "subject_u8(u8,u8)->u8",
        "subject_i16(i16,i16)->i16",
        "subject_i32(i32,i32)->i32",
        "subject_six(i64,i64,i64,i64,i64,i64)->i64",
        "subject_f32(f32,f32)->f32",
        "subject_eight(f64,f64,f64,f64,f64,f64,f64,f64)->f64",
        "subject_mixed(i32,f64,u64,f32)->f64",
        "subject_third(f64)->f64",
        "subject_same(f64)->f64",
        "subject_effects(f64)->f64",
        "subject_two_doubles(f64)->struct{f64,f64}",
        "subject_struct(i64)->struct{i64,f64}",
        "subject_floats(f32)->struct{f32,f32,f32}",
        "subject_padded(u32)->struct{u8,u32}",
        "subject_words(u64)->struct{u64,u64}",
        "subject_takes_two(struct{f64,f64})->f64",
        "subject_takes_padded(struct{u8,u32})->u64",
        "subject_sum(ptr[len=arg1],size_t)->u64",
        "subject_sum_words(ptr[len=arg1*8],u32)->u64",
        "subject_text(cstr)->u64",
        "subject_fill(out[len=arg1],u32,u32)->i32",
        "subject_reverse(both[16])->void",
        "subject_name(u32,out cstr)->arg1",
        "subject_static(u32,cstr)->arg1",
        "subject_double_bytes(ptr[len=arg1],u64,out[len=*arg3],both[8])->i32",
        "subject_some(u32,out[len=ret])->u32",
        "subject_ten(u64,u32,ptr[len=arg3],u64,f64,u64,u64,cstr,ptr[len=arg9],u8,out[8])->u64",
        "subject_seven(u64,u64,u64,u64,u64,u64,u8)->u64",
        "subject_object(id,u32)->u64",
        "subject_throws(i32)->i32",
        "subject_jumps(i32)->i32",
        "subject_recursive(u32)->u64",
        "subject_impure(u32)->u32",
        "subject_large(ptr[len=arg1],u64,out[len=arg1])->u32",
        "subject_watched(ptr[tracked,len=arg1],size_t,u32)->u64",
    };
    return signatures;
}

Memo parse(const std::string& signature, bool pure)
{
    auto parsed = kcr::ctl::parse_signature(signature);
    EXPECT_TRUE(parsed) << signature << ": " << parsed.error().message;
    EXPECT_TRUE(kcr::ctl::place_arguments(*parsed)) << signature;
    return {.signature = std::move(*parsed), .pure = pure, .always = true};
}

std::string describe(const std::vector<Memo>& memos)
{
    unsigned filters = 0;
    const auto status = kcr::tool::read_file("/proc/self/status");
    for (const auto& line : kcr::tool::split(*status, '\n')) {
        if (line.starts_with("Seccomp_filters:"))
            filters = static_cast<unsigned>(std::stoul(line.substr(16)));
    }
    return kcr::ctl::describe(3, filters, memos);
}

std::string read_all(int fd)
{
    std::string text;
    std::array<char, 65536> buffer{};
    ssize_t bytes = 0;
    while ((bytes = ::read(fd, buffer.data(), buffer.size())) > 0)
        text.append(buffer.data(), static_cast<std::size_t>(bytes));
    return text;
}

void read_report(const fs::path& path, Ran& ran)
{
    const auto text = kcr::tool::read_file(path);
    for (const auto& line : kcr::tool::split(text ? *text : "", '\n')) {
        const auto words = kcr::tool::words(line);
        if (words.size() != 6)
            continue;
        auto& counts = ran.functions[words[0]];
        counts.state = static_cast<unsigned>(std::stoul(words[1]));
        counts.hits = std::stoull(words[2]);
        counts.computed = std::stoull(words[3]);
        counts.bypassed = std::stoull(words[4]);
    }
}

[[noreturn]] void become(const std::vector<std::string>& command,
                         const std::vector<std::string>& environment)
{
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const auto& word : command)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    for (const auto& setting : environment)
        ::putenv(const_cast<char*>(setting.c_str()));
    ::execvp(argv[0], argv.data());
    ::_exit(127);
}

} // namespace

std::string memo_of(const std::string& signature, bool pure)
{
    return describe({parse(signature, pure)});
}

std::string subject_memos(bool pure)
{
    std::vector<Memo> memos;
    for (const auto& signature : subject_signatures())
        memos.push_back(parse(fmt::format("{}:{}", library, signature), pure));
    return describe(memos);
}

Ran run_command(const std::vector<std::string>& command, const std::string& description,
                const std::vector<std::string>& environment)
{
    const auto base = fs::temp_directory_path() / fmt::format("kcr-memo-{}", ::getpid());
    const auto report = base.string() + ".report";
    const auto errors = base.string() + ".errors";
    fs::remove(report);
    auto settings = environment;
    if (!description.empty()) {
        settings.push_back("KCR_MEMO=" + description);
        settings.push_back("KCR_MEMO_REPORT=" + report);
        settings.push_back(std::string("LD_AUDIT=") + KCR_AUDIT_LIBRARY);
        settings.push_back(std::string("LD_PRELOAD=") + KCR_MEMO_BUILD "/emulated/libkcr-memo.so");
    }
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(pipe[1], STDOUT_FILENO);
        ::close(pipe[0]);
        ::close(pipe[1]);
        if (std::freopen(errors.c_str(), "w", stderr) == nullptr)
            ::_exit(126);
        become(command, settings);
    }
    ::close(pipe[1]);
    Ran ran;
    ran.output = read_all(pipe[0]);
    ::close(pipe[0]);
    ::waitpid(child, &ran.status, 0);
    if (const auto text = kcr::tool::read_file(errors))
        ran.errors = *text;
    read_report(report, ran);
    fs::remove(report);
    fs::remove(errors);
    return ran;
}

Ran run_scenario(const std::vector<std::string>& arguments, const std::string& description,
                 Binding binding, const std::vector<std::string>& environment)
{
    std::vector<std::string> command = {std::string(KCR_MEMO_BUILD) + (binding == Binding::lazy
                                                                           ? "/kcr-program-lazy"
                                                                           : "/kcr-program-now")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_command(command, description, environment);
}
