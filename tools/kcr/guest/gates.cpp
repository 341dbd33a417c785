// SPDX-License-Identifier: GPL-2.0
/*
 * Tries to use reuse through AF_ALG, then prints the bytes of kernel code at the addresses given
 * as arguments (hexadecimal), read from /proc/kcore: "ADDRESS BYTES" a line.
 */
#include <elf.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace
{

constexpr int alg_set_reuse = 8; // ALG_SET_REUSE of a patched <linux/if_alg.h>
constexpr std::size_t code_size = 5;

/// One digest on a socket that asked for reuse. Whether that is refused does not matter here.
void try_reuse()
{
    sockaddr_alg address = {};
    address.salg_family = AF_ALG;
    std::memcpy(address.salg_type, "hash", sizeof("hash"));
    std::memcpy(address.salg_name, "sha256", sizeof("sha256"));
    const int bound = ::socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (bound < 0 || ::bind(bound, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        std::perror("AF_ALG");
        std::exit(1);
    }
    const int on = 1;
    const int refused = ::setsockopt(bound, SOL_ALG, alg_set_reuse, &on, sizeof(on));
    std::fprintf(stderr, "opting in: %s\n", refused == 0 ? "accepted" : "refused");
    const int request = ::accept(bound, nullptr, nullptr);
    std::array<char, 32> digest{};
    for (int i = 0; i < 4; ++i) {
        if (::send(request, "kcr", 3, 0) != 3 ||
            ::read(request, digest.data(), digest.size()) != static_cast<ssize_t>(digest.size())) {
            std::perror("digest");
            std::exit(1);
        }
    }
    ::close(request);
    ::close(bound);
}

std::vector<Elf64_Phdr> read_segments(int kcore)
{
    Elf64_Ehdr header = {};
    if (::pread(kcore, &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header)))
        return {};
    std::vector<Elf64_Phdr> segments(header.e_phnum);
    const auto size = segments.size() * sizeof(Elf64_Phdr);
    if (::pread(kcore, segments.data(), size, static_cast<off_t>(header.e_phoff)) !=
        static_cast<ssize_t>(size))
        return {};
    return segments;
}

bool print_code(int kcore, const std::vector<Elf64_Phdr>& segments, std::uint64_t address)
{
    for (const auto& segment : segments) {
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
            address + code_size > segment.p_vaddr + segment.p_memsz)
            continue;
        std::array<unsigned char, code_size> code{};
        const auto offset = static_cast<off_t>(segment.p_offset + (address - segment.p_vaddr));
        if (::pread(kcore, code.data(), code.size(), offset) != static_cast<ssize_t>(code.size()))
            continue;
        std::printf("%llx ", static_cast<unsigned long long>(address));
        for (const unsigned byte : code)
            std::printf("%02x", byte);
        std::printf("\n");
        return true;
    }
    return false;
}

} // namespace

int main(int argc, char** argv)
{
    try_reuse();
    const int kcore = ::open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    const auto segments = read_segments(kcore);
    if (segments.empty()) {
        std::perror("/proc/kcore");
        return 1;
    }
    for (int i = 1; i < argc; ++i) {
        if (!print_code(kcore, segments, std::strtoull(argv[i], nullptr, 16))) {
            std::fprintf(stderr, "cannot read the code at %s\n", argv[i]);
            return 1;
        }
    }
    return 0;
}
