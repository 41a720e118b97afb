#include "sockets/kept_socket.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <mutex>
#include <utility>

namespace earshot::sockets {
namespace {

struct Kept {
  std::mutex mutex;
  std::optional<std::pair<NamespaceId, netlink::Socket>> socket;
  /** The namespace itself: while somebody has it open, stat(2) of it takes half the time. */
  std::optional<std::pair<NamespaceId, Descriptor>> name;
};

/** Never destroyed: a worker may still read while the process ends. */
Kept& kept() {
  static Kept& only = *new Kept;
  return only;
}

}  // namespace

std::optional<NamespaceId> currentNamespace() {
  struct stat here {};
  if (stat("/proc/thread-self/ns/net", &here) < 0) return std::nullopt;
  return NamespaceId{here.st_dev, here.st_ino};
}

netlink::Socket takeSocket(const NamespaceId& where) {
  {
    const std::lock_guard lock(kept().mutex);
    auto& socket = kept().socket;
    if (socket && socket->first == where) {
      netlink::Socket taken = std::move(socket->second);
      socket.reset();
      return taken;
    }
  }
  return netlink::Socket(NETLINK_SOCK_DIAG);
}

void leaveSocket(const NamespaceId& where, netlink::Socket socket) {
  const std::lock_guard lock(kept().mutex);
  if (auto& name = kept().name; !name || name->first != where) {
    name.emplace(where, Descriptor(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)));
  }
  kept().socket.emplace(where, std::move(socket));
}

}  // namespace earshot::sockets
