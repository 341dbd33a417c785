/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two network namespaces with a pair of virtual Ethernet devices between them,
 * what goes over the wire, and a netfilter queue that lets everything pass.
 */
#ifndef KCR_SELFTEST_NET_HPP
#define KCR_SELFTEST_NET_HPP

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "stats.hpp"

namespace net
{

using afalg::Bytes;
using afalg::fail;
using afalg::Fd;
using afalg::View;

inline constexpr const char* sender_address = "10.99.0.1";
inline constexpr const char* receiver_address = "10.99.0.2";

/** Runs a shell command; throws if it fails. */
inline void sh(const std::string& command)
{
    const std::string quiet = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; " + command + " >/dev/null";

    if (std::system(quiet.c_str()) != 0)
        throw std::runtime_error("failed: " + command);
}

inline sockaddr_in address(const char* host, uint16_t port)
{
    sockaddr_in result{};

    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    inet_pton(AF_INET, host, &result.sin_addr);
    return result;
}

inline Fd make_socket(int family, int type, int protocol)
{
    Fd fd(socket(family, type | SOCK_CLOEXEC, protocol));

    if (fd.get() < 0)
        fail("socket");
    return fd;
}

/** A network namespace that lives as long as this. */
class Namespace
{
public:
    Namespace()
    {
        int ready[2];
        char byte = 0;

        if (pipe2(ready, O_CLOEXEC) != 0)
            fail("pipe");
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (unshare(CLONE_NEWNET) != 0 || write(ready[1], &byte, 1) != 1)
                _exit(1);
            for (;;)
                pause();
        }
        close(ready[1]);
        const bool made = read(ready[0], &byte, 1) == 1;
        close(ready[0]);
        if (!made)
            throw tap::Skip("no network namespaces");
        fd_ = Fd(open(("/proc/" + std::to_string(pid_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
        enter();
        sh("ip link set lo up");
    }
    ~Namespace()
    {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;

    /** Makes this the namespace of the calling thread. */
    void enter() const
    {
        if (setns(fd_.get(), CLONE_NEWNET) != 0)
            fail("setns");
    }
    pid_t pid() const
    {
        return pid_;
    }

private:
    pid_t pid_ = -1;
    Fd fd_;
};

/** Sender and receiver, connected by va and vb; the caller is in the sender's namespace. */
class Pair
{
public:
    explicit Pair(unsigned mtu)
    {
        const std::string size = std::to_string(mtu);

        from.enter();
        /* Neighbours are known: nothing but what is tested goes over the wire */
        sh("ip link add va address 02:00:00:00:00:01 mtu " + size +
           " type veth peer name vb address 02:00:00:00:00:02 mtu " + size + " netns " +
           std::to_string(to.pid()));
        sh("ip addr add 10.99.0.1/24 dev va; ip link set va up; "
           "ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev va");
        to.enter();
        sh("ip addr add 10.99.0.2/24 dev vb; ip link set vb up; "
           "ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev vb");
        from.enter();
    }

    /** Switches checksum offload of the sender's device. */
    void offload(bool on) const
    {
        ethtool_value value{ETHTOOL_STXCSUM, on};
        ifreq request{};

        from.enter();
        const Fd fd = make_socket(AF_INET, SOCK_DGRAM, 0);
        std::strcpy(request.ifr_name, "va");
        request.ifr_data = reinterpret_cast<char*>(&value);
        if (ioctl(fd.get(), SIOCETHTOOL, &request) != 0)
            fail("ETHTOOL_STXCSUM");
    }

    Namespace from;
    Namespace to;
};

/** One's complement sum of @p data, added to @p sum. */
inline uint32_t sum16(View data, uint32_t sum = 0)
{
    for (size_t i = 0; i < data.size(); i++)
        sum += i & 1 ? data[i] : static_cast<uint32_t>(data[i]) << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/** An IPv4 packet without its link layer header. */
struct Packet {
    Bytes bytes;

    size_t header() const
    {
        return static_cast<size_t>(bytes[0] & 15) * 4;
    }
    uint8_t protocol() const
    {
        return bytes[9];
    }
    View transport() const
    {
        const size_t length = static_cast<size_t>(bytes[2]) << 8 | bytes[3];
        return View(bytes).subspan(header(), std::min(length, bytes.size()) - header());
    }
    View payload() const
    {
        const View all = transport();
        return all.subspan(protocol() == IPPROTO_TCP ? static_cast<size_t>(all[12] >> 4) * 4 : 8);
    }
    /** Whether the transport header's checksum is right, pseudo header and all. */
    bool valid() const
    {
        const View all = transport();
        uint32_t sum = sum16(View(bytes).subspan(12, 8));
        sum += protocol() + static_cast<uint32_t>(all.size());
        return sum16(all, sum) == 0xffff;
    }
    uint16_t check() const
    {
        const View all = transport();
        const size_t at = protocol() == IPPROTO_TCP ? 16 : 6;
        return static_cast<uint16_t>(all[at] << 8 | all[at + 1]);
    }
    /** Without what differs from one packet to the next: the IP header's number. */
    Bytes comparable() const
    {
        Bytes copy = bytes;
        copy[4] = copy[5] = copy[10] = copy[11] = 0;
        return copy;
    }
};

/** Records the IPv4 packets that arrive at the receiver, as they were on the wire. */
class Capture
{
public:
    explicit Capture(const Pair& pair)
    {
        sockaddr_ll where{};
        const int large = 64 << 20;

        pair.to.enter();
        fd_ = make_socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
        where.sll_family = AF_PACKET;
        where.sll_protocol = htons(ETH_P_IP);
        where.sll_ifindex = static_cast<int>(if_nametoindex("vb"));
        if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0)
            fail("bind");
        pair.from.enter();
    }

    /** What has arrived from the sender, with a payload. */
    std::vector<Packet> take(uint8_t protocol)
    {
        std::vector<Packet> packets;
        Bytes buffer(70000);
        sockaddr_ll from{};
        socklen_t length = sizeof(from);
        ssize_t got;

        while ((got = recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(&from), &length)) > 0) {
            Packet packet{Bytes(buffer.begin(), buffer.begin() + got)};
            if (from.sll_pkttype == PACKET_HOST && packet.protocol() == protocol &&
                !packet.payload().empty())
                packets.push_back(std::move(packet));
            length = sizeof(from);
        }
        return packets;
    }

private:
    Fd fd_;
};

/** Netfilter queue 0 of the sender: takes whole packets and lets them pass. */
class Queue
{
public:
    explicit Queue(const Pair& pair)
    {
        pair.from.enter();
        sh("nft 'add table ip kcr; add chain ip kcr out { type filter hook output priority 0; }; "
           "add rule ip kcr out udp dport 7777 queue num 0'");
        const int large = 64 << 20;
        fd_ = make_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
        const nfqnl_msg_config_cmd bind{NFQNL_CFG_CMD_BIND, 0, htons(AF_INET)};
        send(NFQNL_MSG_CONFIG, NFQA_CFG_CMD, &bind, sizeof(bind));
        nfqnl_msg_config_params params{};
        params.copy_range = htonl(0xffff);
        params.copy_mode = NFQNL_COPY_PACKET;
        send(NFQNL_MSG_CONFIG, NFQA_CFG_PARAMS, &params, sizeof(params));
        thread_ = std::thread([this] { serve(); });
    }
    ~Queue()
    {
        stop_ = true;
        thread_.join();
        std::system("PATH=/usr/sbin:/sbin; nft delete table ip kcr");
    }
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    unsigned passed() const
    {
        return passed_;
    }

private:
    void send(uint16_t type, uint16_t attribute, const void* data, size_t size)
    {
        struct {
            nlmsghdr header;
            nfgenmsg generic;
            nlattr attribute;
            char data[64];
        } message{};

        message.attribute.nla_type = attribute;
        message.attribute.nla_len = static_cast<uint16_t>(sizeof(nlattr) + size);
        std::memcpy(message.data, data, size);
        message.generic.version = NFNETLINK_V0;
        message.header.nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type);
        message.header.nlmsg_flags = NLM_F_REQUEST;
        message.header.nlmsg_len = static_cast<uint32_t>(sizeof(nlmsghdr) + sizeof(nfgenmsg) +
                                                         NLA_ALIGN(sizeof(nlattr) + size));
        if (::send(fd_.get(), &message, message.header.nlmsg_len, 0) < 0)
            fail("netlink");
    }

    /* One message: the packet's number leads to the verdict */
    void answer(const char* data, size_t size)
    {
        const size_t begin = NLMSG_HDRLEN + sizeof(nfgenmsg);

        for (size_t at = begin; at + sizeof(nlattr) <= size;) {
            nlattr attribute{};
            std::memcpy(&attribute, data + at, sizeof(attribute));
            if (attribute.nla_len < sizeof(nlattr))
                return;
            if ((attribute.nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR) {
                nfqnl_msg_packet_hdr header{};
                std::memcpy(&header, data + at + NLA_HDRLEN, sizeof(header));
                const nfqnl_msg_verdict_hdr verdict{htonl(NF_ACCEPT), header.packet_id};
                send(NFQNL_MSG_VERDICT, NFQA_VERDICT_HDR, &verdict, sizeof(verdict));
                passed_++;
                return;
            }
            at += NLA_ALIGN(attribute.nla_len);
        }
    }

    void serve()
    {
        std::vector<char> buffer(1 << 17);

        while (!stop_) {
            pollfd poll_fd{fd_.get(), POLLIN, 0};
            if (poll(&poll_fd, 1, 50) <= 0)
                continue;
            const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
            if (got > 0)
                answer(buffer.data(), static_cast<size_t>(got));
        }
    }

    Fd fd_;
    std::thread thread_;
    std::atomic<bool> stop_ = false;
    std::atomic<unsigned> passed_ = 0;
};

/** Sends @p count bytes of a file from @p offset on; throws if it cannot. */
inline void send_file(int socket_fd, int file, off_t offset, size_t count)
{
    while (count) {
        const ssize_t sent = sendfile(socket_fd, file, &offset, count);
        if (sent <= 0)
            fail("sendfile");
        count -= static_cast<size_t>(sent);
    }
}

/** A TCP connection from the sender to the receiver. */
class Connection
{
public:
    explicit Connection(const Pair& pair)
    {
        const sockaddr_in where = address(receiver_address, 7778);
        const int one = 1;

        pair.to.enter();
        const Fd listener = make_socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0 ||
            listen(listener.get(), 1) != 0)
            fail("listen");
        pair.from.enter();
        out_ = make_socket(AF_INET, SOCK_STREAM, 0);
        if (connect(out_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0)
            fail("connect");
        in_ = Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (in_.get() < 0)
            fail("accept");
        /* Segments with a wrong checksum never arrive */
        const timeval patience{20, 0};
        setsockopt(out_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        setsockopt(in_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    }

    /** Sends a piece of a file and returns what arrives. */
    Bytes transfer(int file, off_t offset, size_t count)
    {
        Bytes received(count);
        size_t have = 0;

        std::thread reader([&] {
            while (have < count) {
                const ssize_t got = recv(in_.get(), received.data() + have, count - have, 0);
                if (got <= 0)
                    return;
                have += static_cast<size_t>(got);
            }
        });
        try {
            send_file(out_.get(), file, offset, count);
        } catch (...) {
            reader.join();
            throw;
        }
        reader.join();
        received.resize(have);
        return received;
    }

private:
    Fd out_;
    Fd in_;
};

} // namespace net

#endif
