#include "flows.h"

#include <linux/errqueue.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <queue>
#include <set>
#include <tuple>
#include <unordered_map>

#include "address.h"
#include "canary.h"
#include "descriptor.h"
#include "netns.h"

namespace lab {

namespace {

using Clock = std::chrono::steady_clock;

// What a client sends and a server echoes: which run, which flow. What an earlier run left behind
// carries another run's number.
struct Token {
  std::array<char, 8> magic{'e', 'a', 'r', 's', 'h', 'o', 't', '!'};
  uint32_t run = 0;
  uint32_t flow = 0;
};
static_assert(sizeof(Token) == 16);

std::atomic<uint32_t> runs{0};

// Flows are started a few at a time, with the events of those before them handled in between:
// thousands of connections at once would overflow accept queues, which is not what is tested.
constexpr int kBurst = 32;

enum class Phase { waiting, connecting, asking, askingUnconnected, done };

struct Client {
  Phase phase = Phase::waiting;
  Descriptor fd;
  SocketAddress destination;
  Clock::time_point started, deadline;
};

/// Over a veth an ICMP error comes back while connect() still holds the socket, and then it is only
/// noted (tcp_v4_err, tcp_v6_err: sk_err_soft); over a real network it ends the attempt. The error
/// queue hears of it either way.
void hearErrors(int fd, int family, int on) {
  setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
             family == AF_INET ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on);
}

/// While this process starts a program, the child holds a copy of every socket until it executes: a
/// socket closed meanwhile lives on, and its port with it. So a connection is dissolved, not closed
/// and left to go, and a port that is taken is tried again for a while.
void dissolve(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  connect(fd, &nobody, sizeof nobody);
}

bool bindPatiently(int fd, const SocketAddress& address) {
  for (int attempt = 0; attempt < 200; attempt++) {
    if (bind(fd, address.pointer(), address.length) == 0) return true;
    if (errno != EADDRINUSE) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  errno = EADDRINUSE;
  return false;
}

bool isConnected(int fd) {
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  return getpeername(fd, peer.pointer(), &peer.length) == 0;
}

/// The next error of the error queue, 0 for none.
int queuedError(int fd) {
  alignas(cmsghdr) std::array<char, 512> control;
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0) return 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    bool ipv4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
    bool ipv6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
    if (!ipv4 && !ipv6) continue;
    sock_extended_err error;
    std::memcpy(&error, CMSG_DATA(part), sizeof error);
    return static_cast<int>(error.ee_errno);
  }
  return 0;
}

enum class Kind : uint32_t { server, connection, client };

class Run {
 public:
  Run(const std::vector<Server>& servers, const std::vector<FlowSpec>& flows, int window)
      : servers_(servers),
        flows_(flows),
        window_(static_cast<size_t>(window)),
        clients_(flows.size()),
        results_(flows.size()),
        number_(++runs),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw Failure("epoll_create1");
    for (size_t index = 0; index < servers.size(); index++)
      if (servers[index].serves) watch(servers[index].fd, Kind::server, index, EPOLLIN);
    for (size_t index = 0; index < flows.size(); index++) waiting_.push_back(index);
  }

  std::vector<FlowResult> go() {
    while (!waiting_.empty() || inFlight_ > 0) {
      bool stuck = false;
      for (int started = 0; started < kBurst && inFlight_ < window_ && !waiting_.empty() && !stuck;
           started++)
        stuck = !startNext();
      if (hear(patience(stuck)) > 0 || !isLate()) continue;
      // Silence is believed only when no packet is under way any more and nothing was to be heard.
      canary_.fly();
      if (hear(0) == 0) expire();
    }
    return std::move(results_);
  }

 private:
  void watch(int fd, Kind kind, size_t index, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = static_cast<uint64_t>(kind) << 32 | index;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw Failure("epoll_ctl");
  }

  /// Waits for events and handles them; how many there were.
  int hear(int patienceMs) {
    std::array<epoll_event, 256> events;
    int count = epoll_wait(epoll_.get(), events.data(), events.size(), patienceMs);
    if (count < 0 && errno != EINTR) throw Failure("epoll_wait");
    for (int index = 0; index < count; index++) handle(events[static_cast<size_t>(index)]);
    return count;
  }

  void handle(const epoll_event& event) {
    auto kind = static_cast<Kind>(event.data.u64 >> 32);
    size_t index = event.data.u64 & 0xffffffff;
    if (kind == Kind::server && servers_[index].protocol == IPPROTO_TCP) return acceptAll(index);
    if (kind == Kind::server) return answerDatagrams(index);
    if (kind == Kind::connection) return answerConnection(static_cast<int>(index));
    Client& client = clients_[index];
    if (client.phase == Phase::connecting) return connected(index);
    if (client.phase == Phase::asking || client.phase == Phase::askingUnconnected)
      return answered(index);
  }

  // ------------------------------------------------------------------ clients

  /// Starts a flow whose source port no flow before it still holds; false: there is none now.
  bool startNext() {
    for (size_t looked = 0; looked < waiting_.size() && looked < kBurst; looked++) {
      size_t index = waiting_.front();
      waiting_.pop_front();
      const FlowSpec& flow = flows_[index];
      if (flow.sourcePort != 0 && !heldPorts_.insert(portOfFlow(flow)).second) {
        waiting_.push_back(index);
        continue;
      }
      clients_[index].started = Clock::now();
      inFlight_++;
      extend(index);
      try {
        if (const char* call = start(index)) finish(index, errno, call);
      } catch (const Failure& failure) {
        finish(index, failure.error, "address");
      }
      return true;
    }
    return false;
  }

  using HeldPort = std::tuple<int, int, uint16_t>;
  static HeldPort portOfFlow(const FlowSpec& flow) {
    return {flow.netns, flow.protocol, flow.sourcePort};
  }

  /// The call that failed, errno as it left it; `nullptr` while the flow goes on.
  const char* start(size_t index) {
    const FlowSpec& flow = flows_[index];
    Client& client = clients_[index];
    if (const char* call = open(index)) return call;
    if (flow.protocol == IPPROTO_TCP)
      hearErrors(client.fd.get(), client.destination.family(), true);
    if (connect(client.fd.get(), client.destination.pointer(), client.destination.length) != 0 &&
        errno != EINPROGRESS)
      return "connect";
    noteSource(index);
    if (flow.protocol == IPPROTO_TCP) {
      client.phase = Phase::connecting;
      watch(client.fd.get(), Kind::client, index, EPOLLOUT);
      return nullptr;
    }
    client.phase = Phase::asking;
    watch(client.fd.get(), Kind::client, index, EPOLLIN);
    return send(index) ? nullptr : "send";
  }

  const char* open(size_t index) {
    const FlowSpec& flow = flows_[index];
    Client& client = clients_[index];
    if (current_ != flow.netns) enterNamespace(flow.netns);
    current_ = flow.netns;
    client.destination = socketAddress(flow.destination, flow.port, flow.scope);
    int family = client.destination.family();
    bool tcp = flow.protocol == IPPROTO_TCP;
    client.fd.reset(
        socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!client.fd) return "socket";
    auto set = [&](int level, int name, int value) {
      return setsockopt(client.fd.get(), level, name, &value, sizeof value) == 0;
    };
    // A reset instead of TIME-WAIT: the ports of thousands of flows are free again at once.
    linger reset{1, 0};
    setsockopt(client.fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (tcp && !set(SOL_SOCKET, SO_REUSEADDR, 1)) return "SO_REUSEADDR";
    if (!tcp && !set(SOL_SOCKET, SO_BROADCAST, 1)) return "SO_BROADCAST";
    if (flow.mark != 0 && !set(SOL_SOCKET, SO_MARK, static_cast<int>(flow.mark))) return "SO_MARK";
    if (flow.transparent && !(family == AF_INET ? set(IPPROTO_IP, IP_TRANSPARENT, 1)
                                                : set(IPPROTO_IPV6, IPV6_TRANSPARENT, 1)))
      return "IP_TRANSPARENT";
    if (!flow.device.empty() &&
        setsockopt(client.fd.get(), SOL_SOCKET, SO_BINDTODEVICE, flow.device.c_str(),
                   static_cast<socklen_t>(flow.device.size())) != 0)
      return "SO_BINDTODEVICE";
    if (!flow.source.empty() || flow.sourcePort != 0) {
      std::string any = family == AF_INET ? "0.0.0.0" : "::";
      SocketAddress source =
          socketAddress(flow.source.empty() ? any : flow.source, flow.sourcePort, flow.scope);
      if (!bindPatiently(client.fd.get(), source)) return "bind";
    }
    return nullptr;
  }

  void noteSource(size_t index) {
    SocketAddress source;
    source.length = sizeof source.storage;
    if (getsockname(clients_[index].fd.get(), source.pointer(), &source.length) != 0) return;
    results_[index].source = addressText(source);
    results_[index].sourcePort = portOf(source);
  }

  Token token(size_t index) const {
    Token token;
    token.run = number_;
    token.flow = static_cast<uint32_t>(index);
    return token;
  }

  bool send(size_t index) {
    Token what = token(index);
    return ::send(clients_[index].fd.get(), &what, sizeof what, MSG_NOSIGNAL) == sizeof what;
  }

  void connected(size_t index) {
    Client& client = clients_[index];
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(client.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
      throw Failure("SO_ERROR");
    // Asking for queued errors also makes those after the handshake count (tcp_v4_err), which a
    // program that did not ask never sees: a connection that stands has no error.
    if (!isConnected(client.fd.get())) {
      if (error == 0) error = queuedError(client.fd.get());
      if (error != 0) finish(index, error, "handshake");
      return;
    }
    results_[index].connected = true;
    // Once connected, ICMP errors are not for the program any more.
    hearErrors(client.fd.get(), client.destination.family(), false);
    if (!send(index)) return finish(index, errno, "send");
    client.phase = Phase::asking;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<uint64_t>(Kind::client) << 32 | index;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), &event) != 0)
      throw Failure("epoll_ctl");
  }

  void answered(size_t index) {
    Client& client = clients_[index];
    Token got;
    SocketAddress from;
    from.length = sizeof from.storage;
    ssize_t size = recvfrom(client.fd.get(), &got, sizeof got, 0, from.pointer(), &from.length);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      return finish(index, errno, "answer");
    }
    Token want = token(index);
    if (size != sizeof got || std::memcmp(&got, &want, sizeof got) != 0) {
      // The end of a TCP connection without an answer; a stray datagram is none of ours.
      if (flows_[index].protocol == IPPROTO_TCP) finish(index, ECONNRESET, "answer");
      return;
    }
    if (flows_[index].protocol == IPPROTO_TCP) from = client.destination;
    results_[index].answeredFrom = addressText(from);
    results_[index].answeredPort = portOf(from);
    finish(index, 0, "");
  }

  /// The server answered and the connected socket did not hear it: ask again from a socket that
  /// hears answers from any address, as a client that never calls connect() does.
  bool askUnconnected(size_t index) {
    Client& client = clients_[index];
    SocketAddress source;
    source.length = sizeof source.storage;
    if (getsockname(client.fd.get(), source.pointer(), &source.length) != 0) return false;
    dissolve(client.fd.get());
    client.fd.reset();
    if (open(index) != nullptr) return false;
    bool bound = flows_[index].sourcePort != 0 || !flows_[index].source.empty();
    if (!bound && !bindPatiently(client.fd.get(), source)) return false;
    Token what = token(index);
    if (sendto(client.fd.get(), &what, sizeof what, 0, client.destination.pointer(),
               client.destination.length) != sizeof what)
      return false;
    client.phase = Phase::askingUnconnected;
    watch(client.fd.get(), Kind::client, index, EPOLLIN);
    extend(index);
    return true;
  }

  void finish(size_t index, int error, const char* failedAt) {
    Client& client = clients_[index];
    results_[index].error = error;
    results_[index].failedAt = failedAt;
    results_[index].elapsedMs =
        std::chrono::duration<double, std::milli>(Clock::now() - client.started).count();
    if (client.fd) dissolve(client.fd.get());
    client.fd.reset();
    client.phase = Phase::done;
    heldPorts_.erase(portOfFlow(flows_[index]));
    inFlight_--;
  }

  // ------------------------------------------------------------------ time

  void extend(size_t index) {
    Client& client = clients_[index];
    client.deadline = Clock::now() + std::chrono::milliseconds(flows_[index].timeoutMs);
    deadlines_.emplace(client.deadline, index);
  }

  /// How long epoll may wait, in milliseconds.
  int patience(bool stuck) const {
    if (!waiting_.empty() && inFlight_ < window_ && !stuck) return 0;
    if (deadlines_.empty()) return 0;
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadlines_.top().first -
                                                                      Clock::now());
    return left.count() < 0 ? 0 : static_cast<int>(left.count()) + 1;
  }

  /// Is the time over for a flow that is under way?
  bool isLate() {
    while (!deadlines_.empty() && !isAwaited(deadlines_.top())) deadlines_.pop();
    return !deadlines_.empty() && deadlines_.top().first <= Clock::now();
  }

  using Deadline = std::pair<Clock::time_point, size_t>;
  bool isAwaited(const Deadline& deadline) const {
    const Client& client = clients_[deadline.second];
    return client.phase != Phase::done && client.deadline == deadline.first;
  }

  void expire() {
    while (isLate()) {
      size_t index = deadlines_.top().second;
      deadlines_.pop();
      Client& client = clients_[index];
      bool unheard = client.phase == Phase::asking && flows_[index].protocol == IPPROTO_UDP &&
                     results_[index].answerSent;
      if (!unheard || !askUnconnected(index)) finish(index, ETIMEDOUT, "silence");
    }
  }

  // ------------------------------------------------------------------ servers

  /// The result a received token speaks of; `nullptr` for what is not of this run.
  FlowResult* claimed(const Token& token, ssize_t size) {
    Token own;
    if (size != sizeof token || token.magic != own.magic || token.run != number_) return nullptr;
    return token.flow < results_.size() ? &results_[token.flow] : nullptr;
  }

  void took(FlowResult& result, size_t server, const SocketAddress& from) {
    for (int taker : result.takers)
      if (taker == static_cast<int>(server)) return;
    result.takers.push_back(static_cast<int>(server));
    result.seenSource = addressText(from);
    result.seenPort = portOf(from);
  }

  void acceptAll(size_t index) {
    for (;;) {
      SocketAddress from;
      from.length = sizeof from.storage;
      Descriptor connection(
          accept4(servers_[index].fd, from.pointer(), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!connection) {
        // An error of the connection, not of the listener (accept(2)): there may be more behind it.
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (errno == EMFILE || errno == ENFILE) throw Failure("accept4");
        continue;
      }
      int fd = connection.get();
      watch(fd, Kind::connection, static_cast<size_t>(fd), EPOLLIN);
      connections_.insert_or_assign(fd, Connection{std::move(connection), index, from});
    }
  }

  void answerConnection(int fd) {
    auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    Token got;
    ssize_t size = recv(fd, &got, sizeof got, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    FlowResult* result = claimed(got, size);
    if (result == nullptr) {
      connections_.erase(found);
      return;
    }
    took(*result, connection.server, connection.from);
    if (::send(fd, &got, sizeof got, MSG_NOSIGNAL) < 0) result->answerError = errno;
  }

  void answerDatagrams(size_t index) {
    for (;;) {
      Token got;
      SocketAddress from;
      alignas(cmsghdr) std::array<char, 256> control;
      iovec data{&got, sizeof got};
      msghdr message{};
      message.msg_name = from.pointer();
      message.msg_namelen = sizeof from.storage;
      message.msg_iov = &data;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      ssize_t size = recvmsg(servers_[index].fd, &message, 0);
      if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        continue;  // an ICMP error for an earlier answer
      }
      from.length = message.msg_namelen;
      FlowResult* result = claimed(got, size);
      if (result == nullptr) continue;
      took(*result, index, from);
      answerFrom(message, servers_[index].answersFromAsked);
      bool sent = sendmsg(servers_[index].fd, &message, MSG_NOSIGNAL) >= 0;
      if (!sent && errno == EINVAL && from.family() == AF_INET6 && message.msg_controllen > 0) {
        // IPv6 lets only an address of an interface be named (ip6_datagram_send_ctl), not one of
        // AnyIP.
        answerFrom(message, false);
        sent = sendmsg(servers_[index].fd, &message, MSG_NOSIGNAL) >= 0;
      }
      if (sent)
        result->answerSent = true;
      else
        result->answerError = errno;
    }
  }

  /// Keeps of the control data what makes the answer leave from the address that was asked.
  static void answerFrom(msghdr& message, bool asked) {
    if (!asked) {
      message.msg_control = nullptr;
      message.msg_controllen = 0;
      return;
    }
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
        // ipi_spec_dst is the address asked; for a broadcast the one that answers in its place.
        reinterpret_cast<in_pktinfo*>(CMSG_DATA(part))->ipi_ifindex = 0;
      } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
        auto* info = reinterpret_cast<in6_pktinfo*>(CMSG_DATA(part));
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
      }
    }
  }

  struct Connection {
    Descriptor fd;
    size_t server;
    SocketAddress from;
  };

  Canary canary_;
  const std::vector<Server>& servers_;
  const std::vector<FlowSpec>& flows_;
  size_t window_;
  std::vector<Client> clients_;
  std::vector<FlowResult> results_;
  uint32_t number_;
  Descriptor epoll_;
  int current_ = -1;
  size_t inFlight_ = 0;
  std::deque<size_t> waiting_;
  std::set<HeldPort> heldPorts_;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace

std::vector<FlowResult> runFlows(const std::vector<Server>& servers,
                                 const std::vector<FlowSpec>& flows, int window) {
  std::vector<FlowResult> results;
  onOwnThread([&] { results = Run(servers, flows, window).go(); });
  return results;
}

}  // namespace lab
