#pragma once

#include <cstdint>
#include <optional>

#include "netlink/listener.h"

namespace earshot::watch {

/** What of the network has changed: bits, the same as NetworkPart in lib/native.ts. */
enum NetworkPart : uint32_t {
  kInterfaces = 1,
  kAddresses = 2,
  kRoutes = 4,
  kRules = 8,
  kFirewall = 16,
};

/**
 * The kernel's word that the network of the calling thread's namespace has changed: rtnetlink(7),
 * and nftables where this user may hear of it. What cannot be heard is not told.
 */
class Network {
 public:
  Network();

  /** For poll(2); -1 where there is none. */
  int routing() const { return routing_ ? routing_->get() : -1; }
  int firewall() const { return firewall_ ? firewall_->get() : -1; }

  /** What has changed since this was last asked. */
  uint32_t changed();

 private:
  std::optional<netlink::Listener> routing_;
  std::optional<netlink::Listener> firewall_;
};

}  // namespace earshot::watch
