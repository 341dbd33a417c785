/* SPDX-License-Identifier: GPL-2.0 */
/** @file corpus.hpp
 * Real files, read block by block as a backup tool would.
 */
#ifndef KCR_DEMO_CORPUS_HPP
#define KCR_DEMO_CORPUS_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace demo
{

/** The blocks of a tree's files, in the order of a sorted walk. */
class Corpus
{
public:
    /**
     * Reads blocks until there are @p blocks of them or the tree ends.
     *
     * Directories are read one at a time, entries sorted by name; symbolic
     * links and what cannot be read are left out. The last block of a file is
     * as short as it is.
     */
    Corpus(const std::filesystem::path& tree, size_t blocks, size_t block_size);

    /** Number of blocks. */
    size_t size() const
    {
        return extents_.size();
    }

    /** Number of files that gave at least one block. */
    size_t files() const
    {
        return files_;
    }

    /** Sum of the blocks' lengths. */
    size_t bytes() const
    {
        return data_.size();
    }

    /** The content of block @p index. */
    std::span<const uint8_t> block(size_t index) const
    {
        return std::span(data_).subspan(extents_[index].offset, extents_[index].length);
    }

    /** How many blocks have the same content as an earlier one. */
    size_t duplicates() const;

private:
    struct Extent {
        size_t offset;
        size_t length;
    };

    void walk(const std::filesystem::path& directory);
    void read(const std::filesystem::path& file);
    bool full() const
    {
        return extents_.size() >= wanted_;
    }

    size_t wanted_;
    size_t block_size_;
    size_t files_ = 0;
    std::vector<uint8_t> data_;
    std::vector<Extent> extents_;
};

} // namespace demo

#endif
