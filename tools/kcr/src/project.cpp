// SPDX-License-Identifier: GPL-2.0
#include "project.h"

#include "process.h"
#include "text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace kcr::tool
{

namespace fs = std::filesystem;

fs::path Project::tarball() const
{
    const char* other = std::getenv(tarball_variable);
    return other != nullptr && *other != '\0' ? other : default_tarball;
}

Status Project::make_directories() const
{
    for (const auto& dir : {build(), logs(), cache(), cache() / "ccache"}) {
        std::error_code error;
        fs::create_directories(dir, error);
        if (error)
            return Error{fmt::format("cannot make {}: {}", dir.string(), error.message()), {}};
    }
    return {};
}

Result<BuildLock> BuildLock::take(const Project& project)
{
    const auto path = project.build() / ".lock";
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!fd.valid())
        return Error{fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)), {}};
    bool told = false;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (interrupted() != 0)
            return Error{"interrupted", {}};
        if (!told)
            fmt::print(stderr, "kcr: another run uses build/; waiting for it\n");
        told = true;
        const timespec pause = {0, 100'000'000};
        ::nanosleep(&pause, nullptr);
    }
    inherit_always(fd.get());
    return BuildLock(std::move(fd));
}

BuildLock::~BuildLock()
{
    if (fd_.valid())
        inherit_always(-1);
}

std::vector<std::string> config_names(const Project& project)
{
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(project.root() / "configs", error)) {
        if (entry.path().extension() == ".config")
            names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace kcr::tool
