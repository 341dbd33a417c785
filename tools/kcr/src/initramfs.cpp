// SPDX-License-Identifier: GPL-2.0
#include "initramfs.h"

#include "text.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace kcr::tool
{

namespace
{

void pad(std::string& archive)
{
    while (archive.size() % 4 != 0)
        archive.push_back('\0');
}

void add_field(std::string& text, std::string_view kind, std::string_view value)
{
    text += fmt::format("{} {}\n{}\n", kind, value.size(), value);
}

} // namespace

std::string render_job(const Job& job)
{
    std::string text;
    add_field(text, "cwd", job.cwd);
    for (const auto& path : job.keep)
        add_field(text, "keep", path);
    for (const auto& variable : job.env)
        add_field(text, "env", variable);
    for (const auto& word : job.argv)
        add_field(text, "arg", word);
    if (job.terminal)
        add_field(text, "terminal", "1");
    return text;
}

std::string render_cpio(const std::vector<CpioFile>& files)
{
    std::string archive;
    unsigned inode = 1;
    auto all = files;
    all.push_back({"TRAILER!!!", 0, {}});
    for (const auto& file : all) {
        archive += fmt::format("070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}"
                               "{:08X}{:08X}{:08X}",
                               inode++, file.mode, 0, 0, 1, 0, file.content.size(), 0, 0, 0, 0,
                               file.name.size() + 1, 0);
        archive += file.name;
        archive.push_back('\0');
        pad(archive);
        archive += file.content;
        pad(archive);
    }
    return archive;
}

Result<Fd> make_initramfs(const std::filesystem::path& init, const Job& job)
{
    auto program = read_file(init);
    if (!program)
        return program.error();
    const auto archive = render_cpio({{"init", S_IFREG | 0755, std::move(*program)},
                                      {"job", S_IFREG | 0644, render_job(job)},
                                      {"dev", S_IFDIR | 0755, {}},
                                      {"root", S_IFDIR | 0755, {}}});
    Fd memory(::memfd_create("kcr-initramfs", MFD_CLOEXEC));
    const auto fail = [] {
        return Error{fmt::format("cannot make the initramfs: {}", std::strerror(errno)), {}};
    };
    if (!memory.valid())
        return fail();
    for (std::size_t done = 0; done < archive.size();) {
        const auto written = ::write(memory.get(), archive.data() + done, archive.size() - done);
        if (written < 0 && errno != EINTR)
            return fail();
        done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
    return memory;
}

} // namespace kcr::tool
