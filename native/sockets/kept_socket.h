#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>

#include "netlink/socket.h"

namespace earshot::sockets {

/** Which network namespace a thread is in. */
struct NamespaceId {
  dev_t device;
  ino_t inode;
  bool operator==(const NamespaceId&) const = default;
};

/** The calling thread's; nothing where /proc does not tell. */
std::optional<NamespaceId> currentNamespace();

/**
 * A socket of sock_diag that stays open from one read of a namespace to the next: to open one costs
 * a small question as much as the answer. One is kept, whatever the thread; who finds it taken
 * opens another.
 */
netlink::Socket takeSocket(const NamespaceId& where);

/** Leaves a socket of this namespace, whose last answer has been read to its end, to the next. */
void leaveSocket(const NamespaceId& where, netlink::Socket socket);

}  // namespace earshot::sockets
