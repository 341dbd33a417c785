// SPDX-License-Identifier: GPL-2.0
/*
 * Packets made of pages that cannot change are the same on the wire whether their
 * checksums are computed or reused: over a device without checksum offload, through
 * a netfilter queue, and through ESP.
 */
#include "csum.hpp"

using afalg::Bytes;
using csum::Site;
using kcr::Random;
using kcr::Watch;
using net::Capture;
using net::Connection;
using net::Packet;
using net::Pair;
using tap::Check;

namespace
{

struct Piece {
    off_t offset;
    size_t length;
};

/* Aligned and not, within a page and across, odd and even */
constexpr std::array<Piece, 12> pieces = {{{0, 1448},
                                           {0, 4096},
                                           {4096, 4096},
                                           {1448, 1448},
                                           {2896, 1448},
                                           {4095, 1449},
                                           {1, 4096},
                                           {777, 4095},
                                           {8192, 8192},
                                           {8193, 8001},
                                           {12288, 300},
                                           {12289, 255}}};

constexpr size_t file_size = 65536;

/* Random bytes, and a page of zeroes */
Bytes make_content(uint64_t seed)
{
    Bytes content = Random(seed).bytes(file_size);
    std::fill(content.begin() + 12288, content.begin() + 16384, uint8_t{0});
    return content;
}

std::vector<Packet> collect(Capture& capture, uint8_t protocol, size_t count)
{
    std::vector<Packet> all;

    for (int i = 0; i < 500 && all.size() < count; i++) {
        for (Packet& packet : capture.take(protocol))
            all.push_back(std::move(packet));
        if (all.size() < count)
            usleep(10000);
    }
    return all;
}

/* One datagram for each piece, from a fixed port, @p rounds times */
std::vector<Packet> datagrams(const Pair& pair, int file, unsigned rounds)
{
    const sockaddr_in from = net::address(net::sender_address, 7776);
    const sockaddr_in to = net::address(net::receiver_address, 7777);
    Capture capture(pair);

    pair.to.enter();
    const afalg::Fd sink = net::make_socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(sink.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0)
        afalg::fail("bind");
    pair.from.enter();
    const afalg::Fd source = net::make_socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(source.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
        connect(source.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0)
        afalg::fail("connect");
    for (unsigned i = 0; i < rounds; i++) {
        for (const Piece& piece : pieces)
            net::send_file(source.get(), file, piece.offset, piece.length);
    }
    return collect(capture, IPPROTO_UDP, rounds * pieces.size());
}

/* The same datagrams without reuse and with it, four times each: byte for byte the same */
void compare_datagrams(Check& check, const Pair& pair, const std::string& what)
{
    const Bytes content = make_content(1);
    const afalg::Fd file = csum::memfd(content, csum::both_seals);
    constexpr unsigned rounds = 4;
    std::vector<Packet> plain;

    {
        const Site off("csum", "off");
        plain = datagrams(pair, file.get(), rounds);
    }
    const Site on("csum", "reuse");
    Site::warm([&] { datagrams(pair, file.get(), 1); });
    const Watch watch("csum");
    const auto reused = datagrams(pair, file.get(), rounds);
    check.that(watch.hits() >= (int64_t{rounds} - 1) * 8,
               what + ": only " + std::to_string(watch.hits()) + " hits");
    check.that(plain.size() == rounds * pieces.size() && reused.size() == plain.size(),
               what + ": " + std::to_string(plain.size()) + " and " +
                   std::to_string(reused.size()) + " packets");
    for (size_t i = 0; i < std::min(plain.size(), reused.size()); i++) {
        const Piece& piece = pieces[i % pieces.size()];
        const auto want =
            afalg::View(content).subspan(static_cast<size_t>(piece.offset), piece.length);
        const std::string which = what + ", packet " + std::to_string(i);
        check.same(reused[i].comparable(), plain[i].comparable(), which);
        check.same(reused[i].payload(), want, which + ", payload");
        check.that(plain[i].valid() && plain[i].check() != 0, which + ": not valid without reuse");
        check.that(reused[i].valid(), which + ": not valid with reuse");
    }
}

void test_queue(Check& check)
{
    const Pair pair(9000);
    const net::Queue queue(pair);

    compare_datagrams(check, pair, "netfilter queue");
    check.that(queue.passed() >= 8 * pieces.size(), "packets did not go through the queue");
}

void test_udp_without_offload(Check& check)
{
    const Pair pair(9000);

    pair.offload(false);
    compare_datagrams(check, pair, "udp without offload");
}

/* Every TCP segment that was seen is valid, and there were some */
void check_segments(Check& check, Capture& capture, const std::string& what)
{
    const auto packets = capture.take(IPPROTO_TCP);

    check.that(packets.size() > 10, what + ": " + std::to_string(packets.size()) + " segments");
    for (const Packet& packet : packets)
        check.that(packet.valid(), what + ": wrong checksum");
}

void test_tcp_without_offload(Check& check)
{
    const Bytes content = make_content(2);
    const afalg::Fd file = csum::memfd(content, csum::both_seals);

    for (const unsigned mtu : {1500U, 9000U}) {
        const Pair pair(mtu);
        pair.offload(false);
        Capture capture(pair);
        Connection connection(pair);
        const std::string what = "mtu " + std::to_string(mtu);
        {
            const Site off("csum", "off");
            csum::transfer(check, connection, file.get(), content, 2, what + ", off");
            check_segments(check, capture, what + ", off");
        }
        const Site on("csum", "reuse");
        Site::warm([&] { connection.transfer(file.get(), 0, content.size()); });
        const Watch watch("csum");
        csum::transfer(check, connection, file.get(), content, 10, what + ", reuse");
        check.that(watch.hits() > 0, what + ": no hits");
        check_segments(check, capture, what + ", reuse");
    }
}

/* The number after a name in one of /proc/net/snmp's pairs of lines */
long snmp(const std::string& protocol, const std::string& name)
{
    std::istringstream text(kcr::read_file("/proc/thread-self/net/snmp"));
    std::string names;
    std::string values;

    while (std::getline(text, names) && std::getline(text, values)) {
        std::istringstream n(names);
        std::istringstream v(values);
        std::string a;
        std::string b;
        if (!names.starts_with(protocol + ":"))
            continue;
        while (n >> a && v >> b) {
            if (a == name)
                return std::stol(b);
        }
    }
    throw std::runtime_error("no " + name);
}

void test_esp(Check& check)
{
    const Pair pair(9000);
    const std::string state =
        "ip xfrm state add src 10.99.0.1 dst 10.99.0.2 proto esp spi 0x100 mode transport "
        "auth 'hmac(sha1)' 0x0102030405060708090a0b0c0d0e0f1011121314 "
        "enc 'cbc(aes)' 0x0102030405060708090a0b0c0d0e0f10";
    const Bytes content = make_content(3);
    const afalg::Fd file = csum::memfd(content, csum::both_seals);

    pair.to.enter();
    net::sh(state);
    pair.from.enter();
    net::sh(state);
    net::sh("ip xfrm policy add src 10.99.0.1 dst 10.99.0.2 dir out "
            "tmpl src 10.99.0.1 dst 10.99.0.2 proto esp mode transport");
    Connection connection(pair);
    const Site on("csum", "reuse");
    Site::warm([&] { connection.transfer(file.get(), 0, content.size()); });
    const Watch watch("csum");
    csum::transfer(check, connection, file.get(), content, 10, "esp");
    check.that(watch.hits() > 0, "no hits");
    pair.to.enter();
    check.that(snmp("Tcp", "InCsumErrors") == 0, "the receiver saw wrong checksums");
    check.that(snmp("Tcp", "InSegs") > 10, "the receiver saw no segments");
    pair.from.enter();
}

/* The content variant is off until switched on; then it is right, too */
void test_content(Check& check)
{
    const sockaddr_in to = net::address(net::receiver_address, 7777);
    const Pair pair(9000);
    const net::Queue queue(pair);
    Capture capture(pair);
    Random random(4);

    check.that(kcr::read_file(kcr::mode_path("csum_content")) == "off", "not off by default");
    const Site on("csum_content", "reuse");
    const Watch watch("csum_content");
    const afalg::Fd source = net::make_socket(AF_INET, SOCK_DGRAM, 0);
    std::vector<Bytes> sent;
    for (unsigned i = 0; i < 200; i++) {
        /* Each four times, with waits for the worker that allocates the tiers */
        const Bytes data = i % 4 ? sent.back() : random.bytes(100 + random.below(4000));
        if (sendto(source.get(), data.data(), data.size(), 0,
                   reinterpret_cast<const sockaddr*>(&to), sizeof(to)) < 0)
            afalg::fail("sendto");
        sent.push_back(data);
        usleep(2000);
    }
    const auto packets = collect(capture, IPPROTO_UDP, sent.size());
    check.that(packets.size() == sent.size(), "packets are missing");
    for (size_t i = 0; i < packets.size(); i++) {
        check.same(packets[i].payload(), sent[i], "payload");
        check.that(packets[i].valid(), "wrong checksum");
    }
    check.that(watch.hits() > 0, "no hits");
}

} // namespace

int main()
{
    const std::array<tap::Case, 5> cases = {{
        {"udp through a netfilter queue: the same packets", test_queue},
        {"udp without checksum offload: the same packets", test_udp_without_offload},
        {"tcp without checksum offload", test_tcp_without_offload},
        {"tcp through esp", test_esp},
        {"by content: off by default, right when on", test_content},
    }};
    return tap::run_cases(cases, csum::require);
}
