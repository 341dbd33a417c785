/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File systems in memory, with fs-verity or on dm-verity.
 */
#ifndef KCR_SELFTEST_VERITY_HPP
#define KCR_SELFTEST_VERITY_HPP

#include <linux/dm-ioctl.h>
#include <linux/fsverity.h>
#include <linux/loop.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "csum.hpp"

namespace verity
{

using afalg::Bytes;
using afalg::fail;
using afalg::Fd;

inline constexpr size_t block_size = 4096;

/** A temporary directory, removed with what is in it. */
class Directory
{
public:
    Directory()
    {
        char name[] = "/tmp/kcr-verity-XXXXXX";
        if (!mkdtemp(name))
            fail("mkdtemp");
        path_ = name;
    }
    ~Directory()
    {
        std::system(("rm -rf " + path_).c_str());
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    std::string operator/(const std::string& name) const
    {
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

inline void put_file(const std::string& path, const Bytes& content)
{
    const Fd fd(open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));

    if (fd.get() < 0 ||
        write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
        fsync(fd.get()) != 0)
        fail(path);
}

inline Fd open_read(const std::string& path)
{
    Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));

    if (fd.get() < 0)
        fail(path);
    return fd;
}

/** Enables fs-verity on a file that nobody has open for writing. */
inline void enable(const std::string& path)
{
    const Fd fd = open_read(path);
    fsverity_enable_arg arg{};

    arg.version = 1;
    arg.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
    arg.block_size = block_size;
    if (ioctl(fd.get(), FS_IOC_ENABLE_VERITY, &arg) != 0)
        fail("FS_IOC_ENABLE_VERITY");
}

/** A file as a block device. */
class Loop
{
public:
    Loop(const std::string& file, bool read_only)
    {
        const Fd control = Fd(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
        const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0)
            throw tap::Skip("no loop devices");
        path_ = "/dev/loop" + std::to_string(number);
        const int how = read_only ? O_RDONLY : O_RDWR;
        const Fd backing(open(file.c_str(), how | O_CLOEXEC));
        const Fd fd(open(path_.c_str(), how | O_CLOEXEC));
        if (backing.get() < 0 || fd.get() < 0 || ioctl(fd.get(), LOOP_SET_FD, backing.get()) != 0)
            fail(path_);
    }
    ~Loop()
    {
        const Fd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        ioctl(fd.get(), LOOP_CLR_FD, 0);
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    const std::string& path() const
    {
        return path_;
    }

private:
    std::string path_;
};

/** Something mounted for a scope. */
class Mount
{
public:
    Mount(const std::string& device, std::string where, unsigned long flags)
        : where_(std::move(where))
    {
        mkdir(where_.c_str(), 0755);
        if (mount(device.c_str(), where_.c_str(), "ext4", flags, nullptr) != 0)
            fail("mount " + device);
    }
    ~Mount()
    {
        umount(where_.c_str());
    }
    Mount(const Mount&) = delete;
    Mount& operator=(const Mount&) = delete;

private:
    std::string where_;
};

inline Bytes read_all(const std::string& path)
{
    const std::string text = [&] {
        const Fd fd = open_read(path);
        struct stat status {
        };
        fstat(fd.get(), &status);
        std::string all(static_cast<size_t>(status.st_size), '\0');
        if (read(fd.get(), all.data(), all.size()) != static_cast<ssize_t>(all.size()))
            fail(path);
        return all;
    }();
    return Bytes(text.begin(), text.end());
}

inline Bytes sha256(afalg::View data)
{
    const Fd bound = net::make_socket(AF_ALG, SOCK_SEQPACKET, 0);
    sockaddr_alg name{};
    Bytes digest(32);

    name.salg_family = AF_ALG;
    std::strcpy(reinterpret_cast<char*>(name.salg_type), "hash");
    std::strcpy(reinterpret_cast<char*>(name.salg_name), "sha256");
    if (bind(bound.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)) != 0)
        throw tap::Skip("no sha256");
    const Fd operation(accept4(bound.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (send(operation.get(), data.data(), data.size(), 0) != static_cast<ssize_t>(data.size()) ||
        read(operation.get(), digest.data(), digest.size()) != 32)
        fail("sha256");
    return digest;
}

/** The hashes of up to 128 blocks: one block; its own hash is the root. */
inline Bytes hash_block(const Bytes& image)
{
    Bytes block;

    for (size_t at = 0; at < image.size(); at += block_size) {
        const Bytes digest = sha256(afalg::View(image).subspan(at, block_size));
        block.insert(block.end(), digest.begin(), digest.end());
    }
    block.resize(block_size);
    return block;
}

/** A dm-verity device over @p data with the hashes in @p hashes. */
class Device
{
public:
    Device(const std::string& data, const std::string& hashes, size_t blocks, const Bytes& root,
           const std::string& options = "")
        : control_(open("/dev/mapper/control", O_RDWR | O_CLOEXEC)), blocks_(blocks)
    {
        if (control_.get() < 0)
            throw tap::Skip("no device mapper");
        std::string hex;
        for (const uint8_t byte : root) {
            hex += "0123456789abcdef"[byte >> 4];
            hex += "0123456789abcdef"[byte & 15];
        }
        table_ = "1 " + data + " " + hashes + " 4096 4096 " + std::to_string(blocks) +
                 " 0 sha256 " + hex + " -" + options;
        path_ = "/dev/dm-" + std::to_string(minor(call(DM_DEV_CREATE, 0).dev));
        load();
        call(DM_DEV_SUSPEND, 0);
    }
    ~Device()
    {
        try {
            call(DM_DEV_REMOVE, 0);
        } catch (const std::exception&) {
            std::puts("# the dm-verity device could not be removed");
        }
    }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    const std::string& path() const
    {
        return path_;
    }
    /** Suspends the device and lets it go on, with the same table. */
    void suspend_and_resume()
    {
        call(DM_DEV_SUSPEND, DM_SUSPEND_FLAG);
        call(DM_DEV_SUSPEND, 0);
    }

private:
    dm_ioctl call(unsigned long request, uint32_t flags, const std::string& table = "")
    {
        alignas(8) std::array<char, 2048> buffer{};
        dm_ioctl header{};
        dm_target_spec target{};

        header.version[0] = DM_VERSION_MAJOR;
        header.data_size = buffer.size();
        header.data_start = sizeof(header);
        header.flags = flags;
        std::strcpy(header.name, "kcr-test");
        if (!table.empty()) {
            header.target_count = 1;
            target.length = blocks_ * (block_size / 512);
            std::strcpy(target.target_type, "verity");
            std::memcpy(buffer.data() + sizeof(header), &target, sizeof(target));
            std::memcpy(buffer.data() + sizeof(header) + sizeof(target), table.c_str(),
                        table.size() + 1);
        }
        std::memcpy(buffer.data(), &header, sizeof(header));
        if (ioctl(control_.get(), request, buffer.data()) != 0)
            fail("device mapper: " + table);
        std::memcpy(&header, buffer.data(), sizeof(header));
        return header;
    }
    void load()
    {
        call(DM_TABLE_LOAD, DM_READONLY_FLAG, table_);
    }

    Fd control_;
    size_t blocks_;
    std::string table_;
    std::string path_;
};

} // namespace verity

#endif
