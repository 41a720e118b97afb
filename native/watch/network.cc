#include "watch/network.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "error.h"

namespace earshot::watch {
namespace {

// Older headers lack some of these groups.
constexpr uint32_t kNexthop = 32;      // RTNLGRP_NEXTHOP, Linux 5.3
constexpr uint16_t kNewNexthop = 104;  // RTM_NEWNEXTHOP
constexpr uint32_t kNftables = 7;      // NFNLGRP_NFTABLES

constexpr int kRoom = 1024 * 1024;

/** The four operations on a kind of object follow one another. */
uint32_t partOf(uint16_t type) {
  switch (type & ~3) {
    case RTM_NEWADDR & ~3:
      return kAddresses;
    case RTM_NEWROUTE & ~3:
    case kNewNexthop & ~3:
      return kRoutes;
    case RTM_NEWRULE & ~3:
      return kRules;
    default:
      return kInterfaces;
  }
}

std::optional<netlink::Listener> listener(int protocol, std::initializer_list<uint32_t> groups) {
  try {
    netlink::Listener listener(protocol, kRoom);
    bool any = false;
    for (const uint32_t group : groups) any = listener.join(group) || any;
    if (any) return listener;
  } catch (const Failure&) {
    // Not in this kernel, or not allowed.
  }
  return std::nullopt;
}

}  // namespace

Network::Network()
    : routing_(listener(NETLINK_ROUTE,
                        {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                         RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, kNexthop,
                         RTNLGRP_TC, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF})),
      firewall_(listener(NETLINK_NETFILTER, {kNftables})) {}

uint32_t Network::changed() {
  uint32_t parts = 0;
  if (routing_ &&
      !routing_->drain([&](const netlink::Message& message) { parts |= partOf(message.type); })) {
    // What was lost may have been anything.
    parts |= kInterfaces | kAddresses | kRoutes | kRules;
  }
  if (firewall_ && !firewall_->drain([&](const netlink::Message&) { parts |= kFirewall; })) {
    parts |= kFirewall;
  }
  return parts;
}

}  // namespace earshot::watch
