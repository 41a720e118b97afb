#include "sockets/interfaces.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "error.h"
#include "netlink/socket.h"
#include "sockets/filter.h"

namespace earshot::sockets {
namespace {

/** RTEXT_FILTER_SKIP_STATS: the counters, summed over all processors, are most of a link's cost. */
constexpr uint32_t kSkipStats = 1 << 3;

bool isUnspecified(const Address& address) { return address == Address{}; }

/** The IPv4 address inside ::ffff:a.b.c.d, in place; false when it is no such address. */
bool unmap(Address& address) {
  constexpr Address kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!std::equal(kMapped.begin(), kMapped.begin() + 12, address.begin())) return false;
  Address plain{};
  std::copy(address.begin() + 12, address.end(), plain.begin());
  address = plain;
  return true;
}

}  // namespace

struct Interfaces::LinkSink : netlink::Sink {
  explicit LinkSink(Interfaces& interfaces) : into(interfaces) {}

  void begin() override {
    into.names_.clear();
    into.loopbacks_.clear();
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
      into.names_[index].assign(text, strnlen(text, attribute.value.size()));
      break;
    }
    if (link.ifi_flags & IFF_LOOPBACK) into.loopbacks_.push_back(index);
  }

  Interfaces& into;
};

struct Interfaces::AddressSink : netlink::Sink {
  explicit AddressSink(Interfaces& interfaces) : into(interfaces) {}

  void begin() override { into.addresses_.clear(); }

  void message(const netlink::Message& message) override {
    ifaddrmsg header;
    if (message.type != RTM_NEWADDR || !netlink::load(message.payload, header)) return;
    if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6) return;
    const uint8_t family = header.ifa_family == AF_INET ? 4 : 6;
    const size_t size = family == 4 ? 4 : 16;
    netlink::Attributes attributes(netlink::after(message.payload, sizeof header));
    netlink::Attribute attribute;
    netlink::Bytes own;
    while (attributes.next(attribute)) {
      // IFA_ADDRESS is the peer's where there is an IFA_LOCAL (a point-to-point link).
      if (attribute.type == IFA_LOCAL || (attribute.type == IFA_ADDRESS && own.empty())) {
        own = attribute.value;
      }
    }
    if (own.size() < size) return;
    Owned owned{family, header.ifa_prefixlen, {}, header.ifa_index};
    std::copy_n(own.begin(), size, owned.address.begin());
    into.addresses_.push_back(owned);
  }

  Interfaces& into;
};

Interfaces Interfaces::read() {
  Interfaces interfaces;
  netlink::Socket socket(NETLINK_ROUTE);
  std::vector<uint8_t> links;
  netlink::put(links, ifinfomsg{});
  std::vector<uint8_t> mask;
  netlink::put(mask, kSkipStats);
  netlink::putAttribute(links, IFLA_EXT_MASK, mask);
  LinkSink linkSink(interfaces);
  socket.demand(RTM_GETLINK, NLM_F_DUMP, links, linkSink, "reading the interfaces");

  std::vector<uint8_t> addresses;
  netlink::put(addresses, ifaddrmsg{});
  AddressSink addressSink(interfaces);
  socket.demand(RTM_GETADDR, NLM_F_DUMP, addresses, addressSink, "reading the addresses");

  std::vector<uint32_t> all;
  for (const auto& [index, name] : interfaces.names_) all.push_back(index);
  interfaces.sets_.push_back(std::move(all));
  return interfaces;
}

uint32_t Interfaces::indexOf(const std::string& name) const {
  for (const auto& [index, known] : names_) {
    if (known == name) return index;
  }
  return 0;
}

std::vector<uint32_t> Interfaces::ownersOf(uint8_t family, const Address& address) const {
  std::vector<uint32_t> owners;
  for (const Owned& owned : addresses_) {
    if (owned.family == family && owned.address == address) owners.push_back(owned.index);
  }
  if (!owners.empty() || family != 4) return owners;
  // fib_add_ifaddr: on a loopback interface the whole prefix of an IPv4 address is local, and not
  // the address alone. IPv6 has no such rule.
  for (const Owned& owned : addresses_) {
    if (owned.family == 4 && std::ranges::count(loopbacks_, owned.index) > 0 &&
        holds({4, owned.address, owned.prefixLength}, 4, address)) {
      owners.push_back(owned.index);
    }
  }
  return owners;
}

uint32_t Interfaces::setOf(uint8_t family, const Address& local, uint32_t bound) {
  if (bound == 0 && isUnspecified(local)) return 0;
  std::string key(reinterpret_cast<const char*>(local.data()), local.size());
  key.append(reinterpret_cast<const char*>(&bound), sizeof bound);
  key += static_cast<char>(family);
  const auto [answer, isNew] = answered_.try_emplace(std::move(key), 0);
  if (!isNew) return answer->second;

  if (bound != 0) return answer->second = intern({bound});
  Address address = local;
  if (family == 6 && unmap(address)) {
    // A socket on ::ffff:0.0.0.0 takes IPv4 on every address.
    if (isUnspecified(address)) return answer->second = 0;
    family = 4;
  }
  return answer->second = intern(ownersOf(family, address));
}

uint32_t Interfaces::intern(std::vector<uint32_t> indexes) {
  // One that came or went between two readings has no name.
  std::erase_if(indexes, [&](uint32_t index) { return !names_.contains(index); });
  std::ranges::sort(indexes);
  indexes.erase(std::ranges::unique(indexes).begin(), indexes.end());
  // Set 0 is never found here, so that "every interface" stays apart from "all that happen to be".
  for (size_t set = 1; set < sets_.size(); set++) {
    if (sets_[set] == indexes) return static_cast<uint32_t>(set);
  }
  sets_.push_back(std::move(indexes));
  return static_cast<uint32_t>(sets_.size() - 1);
}

std::vector<std::vector<std::string>> Interfaces::sets() const {
  std::vector<std::vector<std::string>> named;
  for (const auto& set : sets_) {
    auto& names = named.emplace_back();
    for (const uint32_t index : set) names.push_back(names_.at(index));
  }
  return named;
}

}  // namespace earshot::sockets
