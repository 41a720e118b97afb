#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "netlink/socket.h"
#include "sockets/interface_list.h"

namespace earshot::sockets {
namespace {

/** RTEXT_FILTER_SKIP_STATS: the counters, summed over all processors, are most of a link's cost. */
constexpr uint32_t kSkipStats = 1 << 3;

class LinkSink : public netlink::Sink {
 public:
  explicit LinkSink(InterfaceList& list) : list_(list) {}

  void begin() override {
    list_.names.clear();
    list_.loopbacks.clear();
  }

  void message(const netlink::Message& message) override {
    ifinfomsg link;
    if (message.type != RTM_NEWLINK || !netlink::load(message.payload, link)) return;
    const auto index = static_cast<uint32_t>(link.ifi_index);
    netlink::Attributes attributes(netlink::after(message.payload, sizeof link));
    netlink::Attribute attribute;
    while (attributes.next(attribute)) {
      if (attribute.type != IFLA_IFNAME) continue;
      const auto* text = reinterpret_cast<const char*>(attribute.value.data());
      list_.names[index].assign(text, strnlen(text, attribute.value.size()));
      break;
    }
    if (link.ifi_flags & IFF_LOOPBACK) list_.loopbacks.push_back(index);
  }

 private:
  InterfaceList& list_;
};

class AddressSink : public netlink::Sink {
 public:
  explicit AddressSink(InterfaceList& list) : list_(list) {}

  void begin() override { list_.addresses.clear(); }

  void message(const netlink::Message& message) override {
    ifaddrmsg header;
    if (message.type != RTM_NEWADDR || !netlink::load(message.payload, header)) return;
    if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6) return;
    netlink::Attributes attributes(netlink::after(message.payload, sizeof header));
    netlink::Attribute attribute;
    netlink::Bytes own;
    while (attributes.next(attribute)) {
      // Where there is an IFA_LOCAL (a point-to-point link), IFA_ADDRESS is the peer's.
      if (attribute.type == IFA_LOCAL || (attribute.type == IFA_ADDRESS && own.empty())) {
        own = attribute.value;
      }
    }
    const uint8_t family = header.ifa_family == AF_INET ? 4 : 6;
    const size_t size = family == 4 ? 4 : 16;
    if (own.size() < size) return;
    Prefix prefix{family, {}, header.ifa_prefixlen};
    std::copy_n(own.begin(), size, prefix.address.begin());
    list_.addresses.push_back({prefix, header.ifa_index});
  }

 private:
  InterfaceList& list_;
};

}  // namespace

InterfaceList readInterfacesByNetlink() {
  InterfaceList list;
  netlink::Socket socket(NETLINK_ROUTE);
  std::vector<uint8_t> links;
  netlink::put(links, ifinfomsg{});
  std::vector<uint8_t> mask;
  netlink::put(mask, kSkipStats);
  netlink::putAttribute(links, IFLA_EXT_MASK, mask);
  LinkSink linkSink(list);
  socket.demand(RTM_GETLINK, NLM_F_DUMP, links, linkSink, "reading the interfaces");

  std::vector<uint8_t> addresses;
  netlink::put(addresses, ifaddrmsg{});
  AddressSink addressSink(list);
  socket.demand(RTM_GETADDR, NLM_F_DUMP, addresses, addressSink, "reading the addresses");
  return list;
}

}  // namespace earshot::sockets
