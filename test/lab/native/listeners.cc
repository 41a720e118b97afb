#include "listeners.h"

#include <linux/capability.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "address.h"
#include "descriptor.h"
#include "netns.h"

namespace lab {

namespace {

/// A port that a socket closed a moment ago held may still be taken: a program that this process is
/// just starting has a copy of it until it executes. What is taken after 10 ms is.
bool bindOrTaken(int fd, const SocketAddress& local, int attempts) {
  for (int attempt = 0; attempt < attempts; attempt++) {
    if (bind(fd, local.pointer(), local.length) == 0) return true;
    if (errno != EADDRINUSE) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  errno = EADDRINUSE;
  return false;
}

/// The calling thread goes without CAP_NET_BIND_SERVICE for a while: capabilities are a thread's.
class Unprivileged {
 public:
  explicit Unprivileged(bool wanted) : active_(wanted) {
    if (active_) set(false);
  }
  ~Unprivileged() {
    if (active_) set(true);
  }

 private:
  static void set(bool has) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) throw Failure("capget");
    const uint32_t bit = 1u << CAP_NET_BIND_SERVICE;
    data[0].effective = has ? data[0].effective | bit : data[0].effective & ~bit;
    if (syscall(SYS_capset, &header, data) != 0) throw Failure("capset");
  }

  bool active_;
};

void describe(int fd, Opened& opened) {
  SocketAddress actual;
  actual.length = sizeof actual.storage;
  struct stat status {};
  if (getsockname(fd, actual.pointer(), &actual.length) != 0) throw Failure("getsockname");
  if (fstat(fd, &status) != 0) throw Failure("fstat");
  opened.port = portOf(actual);
  opened.inode = status.st_ino;
}

/// The call that failed, with errno left as it set it; `nullptr` when all went well.
const char* openOne(const ListenerSpec& spec, Opened& opened) {
  int family = familyOf(spec.address);
  bool tcp = spec.protocol == IPPROTO_TCP;
  Descriptor fd(socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return "socket";

  auto set = [&](int level, int name, int value) {
    return setsockopt(fd.get(), level, name, &value, sizeof value) == 0;
  };
  int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  // The owner is who made the socket, and changing the owner of the file changes it too
  // (sockfs_setattr); seteuid() would change every thread of the process.
  if (spec.uid && fchown(fd.get(), *spec.uid, static_cast<gid_t>(-1)) != 0) return "fchown";
  if (spec.reuseAddress && !set(SOL_SOCKET, SO_REUSEADDR, 1)) return "SO_REUSEADDR";
  if (spec.reusePort && !set(SOL_SOCKET, SO_REUSEPORT, 1)) return "SO_REUSEPORT";
  if (spec.v6only && !set(IPPROTO_IPV6, IPV6_V6ONLY, *spec.v6only)) return "IPV6_V6ONLY";
  if (spec.mark != 0 && !set(SOL_SOCKET, SO_MARK, static_cast<int>(spec.mark))) return "SO_MARK";
  if (spec.freebind && !set(level, family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND, 1))
    return "IP_FREEBIND";
  if (spec.transparent && !set(level, family == AF_INET ? IP_TRANSPARENT : IPV6_TRANSPARENT, 1))
    return "IP_TRANSPARENT";
  if (!spec.device.empty() && setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, spec.device.c_str(),
                                         static_cast<socklen_t>(spec.device.size())) != 0)
    return "SO_BINDTODEVICE";
  // The address a datagram was sent to comes with it, for answers from exactly that address.
  if (!tcp && !set(level, family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, 1))
    return "IP_PKTINFO";

  if (!spec.keyedAddress.empty()) {
    tcp_md5sig key{};
    SocketAddress peer = socketAddress(spec.keyedAddress, 0, "");
    std::memcpy(&key.tcpm_addr, &peer.storage, sizeof key.tcpm_addr);
    key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
    key.tcpm_prefixlen = spec.keyedLength;
    key.tcpm_keylen = 4;
    std::memcpy(key.tcpm_key, "lab!", 4);
    if (setsockopt(fd.get(), IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key) != 0)
      return "TCP_MD5SIG_EXT";
  }

  SocketAddress local = socketAddress(spec.address, spec.port, spec.scope);
  {
    const Unprivileged without(spec.unprivileged);
    if (!bindOrTaken(fd.get(), local, spec.trial ? 1 : 10)) return "bind";
  }
  if (!spec.remoteAddress.empty()) {
    SocketAddress remote = socketAddress(spec.remoteAddress, spec.remotePort, spec.scope);
    if (connect(fd.get(), remote.pointer(), remote.length) != 0 && !(tcp && errno == EINPROGRESS))
      return "connect";
  }
  const bool connected = !spec.remoteAddress.empty();
  if (tcp && spec.listen && !connected && listen(fd.get(), spec.backlog) != 0) return "listen";

  if (spec.trial) return nullptr;
  describe(fd.get(), opened);
  opened.fd = fd.release();
  return nullptr;
}

}  // namespace

std::vector<Opened> openListeners(int netns, const std::vector<ListenerSpec>& specs) {
  std::vector<Opened> all(specs.size());
  onOwnThread([&] {
    enterNamespace(netns);
    for (size_t index = 0; index < specs.size(); index++) {
      try {
        if (const char* call = openOne(specs[index], all[index])) {
          all[index].error = errno;
          all[index].failedAt = call;
        }
      } catch (const Failure& failure) {
        all[index].error = failure.error;
        all[index].failedAt = "address";
      }
    }
  });
  return all;
}

Opened acceptOne(int listener) {
  Opened opened;
  Descriptor fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    opened.error = errno;
    opened.failedAt = "accept";
    return opened;
  }
  describe(fd.get(), opened);
  opened.fd = fd.release();
  return opened;
}

}  // namespace lab
