// SPDX-License-Identifier: GPL-2.0
#include "run.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace programs
{

namespace
{

std::string read_file(const std::string& path)
{
    std::ifstream file(path);

    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

[[noreturn]] void become(std::vector<char*>& argv, const std::string& output,
                         const std::string& errors)
{
    const int in = open("/dev/null", O_RDONLY);
    const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (in < 0 || out < 0 || err < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    execvp(argv[0], argv.data());
    _exit(127);
}

uint64_t nanoseconds(const timeval& time)
{
    return static_cast<uint64_t>(time.tv_sec) * 1000000000 +
           static_cast<uint64_t>(time.tv_usec) * 1000;
}

} // namespace

Outcome run(const std::vector<std::string>& argv)
{
    const std::string output = "/tmp/kcr-programs.out";
    const std::string errors = "/tmp/kcr-programs.err";
    std::vector<std::string> copies = argv;
    std::vector<char*> pointers;
    Outcome outcome;
    int status = 0;

    std::transform(copies.begin(), copies.end(), std::back_inserter(pointers),
                   [](std::string& argument) { return argument.data(); });
    pointers.push_back(nullptr);
    const pid_t pid = fork();
    if (pid < 0)
        throw std::runtime_error("cannot fork");
    if (pid == 0)
        become(pointers, output, errors);
    rusage usage{};
    wait4(pid, &status, 0, &usage);
    outcome.time_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.output = read_file(output);
    outcome.errors = read_file(errors);
    return outcome;
}

Reuse parse_stats(const std::string& errors)
{
    std::istringstream lines(errors);
    std::string line;
    bool table = false;
    Reuse sum;

    while (std::getline(lines, line)) {
        if (line.starts_with("function") && line.find("hits") != std::string::npos) {
            table = true;
            continue;
        }
        line.erase(std::remove(line.begin(), line.end(), ','), line.end());
        std::istringstream fields(line);
        std::string name;
        std::string state;
        Reuse one;
        int64_t saved = 0;
        if (!table || !(fields >> name >> one.calls >> one.hits >> one.computed >> one.bypassed >>
                        saved >> state))
            continue;
        sum.calls += one.calls;
        sum.hits += one.hits;
        sum.computed += one.computed;
        sum.bypassed += one.bypassed;
        sum.state = state;
    }
    return sum;
}

} // namespace programs
