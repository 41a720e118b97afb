#include "sockets/kept_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/**
 * The directory of the calling thread's namespaces if that is the main one, which asks the small
 * questions that block, else -1: from there the kernel has half as far to look. What is in it
 * follows the thread from one namespace to the next. Used by that thread alone.
 */
int ownDirectory() {
  static pid_t of = 0;
  static Descriptor& directory = *new Descriptor;
  const pid_t process = getpid();
  if (syscall(SYS_gettid) != process) return -1;
  // After a fork() it would still be the parent's.
  if (of != process) {
    directory = Descriptor(open("/proc/thread-self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    of = process;
  }
  return directory.get();
}

}  // namespace

std::optional<NamespaceId> currentNamespace() {
  struct stat here {};
  const int directory = ownDirectory();
  const bool told = directory >= 0 && fstatat(directory, "net", &here, 0) == 0;
  if (!told && stat("/proc/thread-self/ns/net", &here) < 0) return std::nullopt;
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
