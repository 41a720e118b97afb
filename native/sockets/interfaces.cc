#include "sockets/interfaces.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "sockets/filter.h"

namespace earshot::sockets {
namespace {

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

Interfaces::Interfaces(std::shared_ptr<const InterfaceList> list)
    : list_(std::move(list)), sets_(1) {
  for (const auto& [index, name] : list_->names) sets_[0].push_back(index);
}

uint32_t Interfaces::indexOf(const std::string& name) const {
  for (const auto& [index, known] : list_->names) {
    if (known == name) return index;
  }
  return 0;
}

std::vector<uint32_t> Interfaces::ownersOf(uint8_t family, const Address& address) const {
  std::vector<uint32_t> owners;
  for (const auto& [prefix, index] : list_->addresses) {
    if (prefix.family == family && prefix.address == address) owners.push_back(index);
  }
  if (!owners.empty() || family != 4) return owners;
  // fib_add_ifaddr: on a loopback interface the whole prefix of an IPv4 address is local, and not
  // the address alone. IPv6 has no such rule.
  for (const auto& [prefix, index] : list_->addresses) {
    const bool loopback = std::ranges::count(list_->loopbacks, index) > 0;
    if (loopback && prefix.family == 4 && holds(prefix, 4, address)) owners.push_back(index);
  }
  return owners;
}

size_t Interfaces::Hash::operator()(const Asked& asked) const {
  // An odd number of random bits: multiplied by it, every bit below decides on those above.
  constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;
  const uint64_t mixed = (asked.address[0] * kSpread + asked.address[1]) * kSpread + asked.bound;
  return static_cast<size_t>((mixed ^ mixed >> 32) * kSpread >> 16) + asked.family;
}

uint32_t Interfaces::setOf(uint8_t family, const Address& local, uint32_t bound) {
  if (bound == 0 && isUnspecified(local)) return 0;
  Asked asked{{}, bound, family};
  std::memcpy(asked.address, local.data(), sizeof asked.address);
  const auto [answer, isNew] = answered_.try_emplace(asked, 0);
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
  std::erase_if(indexes, [&](uint32_t index) { return !list_->names.contains(index); });
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
    for (const uint32_t index : set) names.push_back(list_->names.at(index));
  }
  return named;
}

}  // namespace earshot::sockets
