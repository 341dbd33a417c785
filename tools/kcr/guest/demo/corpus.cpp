// SPDX-License-Identifier: GPL-2.0
#include "corpus.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>

#include "afalg.hpp"

namespace demo
{

namespace
{

/* One read of this size is one round trip to a file system outside the guest. */
constexpr size_t read_size = size_t{128} * 1024;

} // namespace

Corpus::Corpus(const std::filesystem::path& tree, size_t blocks, size_t block_size)
    : wanted_(blocks), block_size_(block_size)
{
    data_.reserve(blocks * block_size);
    if (std::filesystem::is_directory(tree))
        walk(tree);
    else
        read(tree);
}

void Corpus::walk(const std::filesystem::path& directory)
{
    std::vector<std::filesystem::directory_entry> entries;
    std::error_code error;

    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error))
        entries.push_back(*at);
    std::sort(entries.begin(), entries.end());
    for (const auto& entry : entries) {
        if (full())
            return;
        if (entry.is_symlink(error))
            continue;
        if (entry.is_directory(error))
            walk(entry.path());
        else if (entry.is_regular_file(error))
            read(entry.path());
    }
}

void Corpus::read(const std::filesystem::path& file)
{
    const afalg::Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    const size_t begin = data_.size();
    const size_t limit = begin + (wanted_ - extents_.size()) * block_size_;

    while (fd.get() >= 0 && data_.size() < limit) {
        const size_t have = data_.size();
        const size_t want = std::min(read_size, limit - have);
        data_.resize(have + want);
        const ssize_t got = ::read(fd.get(), data_.data() + have, want);
        data_.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
        if (got <= 0)
            break;
    }
    for (size_t offset = begin; offset < data_.size(); offset += block_size_)
        extents_.push_back({offset, std::min(block_size_, data_.size() - offset)});
    files_ += data_.size() > begin;
}

size_t Corpus::duplicates() const
{
    std::set<std::string_view> seen;
    size_t count = 0;

    for (size_t i = 0; i < size(); i++) {
        const auto data = block(i);
        count += !seen.emplace(reinterpret_cast<const char*>(data.data()), data.size()).second;
    }
    return count;
}

} // namespace demo
