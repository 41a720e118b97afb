#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sockets/interface_list.h"
#include "sockets/table.h"

namespace earshot::sockets {

/** The join of sockets to interfaces: which of them own a local address. */
class Interfaces {
 public:
  explicit Interfaces(std::shared_ptr<const InterfaceList> list);
  explicit Interfaces(InterfaceList list)
      : Interfaces(std::make_shared<const InterfaceList>(std::move(list))) {}

  /** The index of the interface of this name, or 0. */
  uint32_t indexOf(const std::string& name) const;

  /**
   * The interfaces on which a socket stands, as a number for sets(): the device it is bound to,
   * else those that own its local address, else (a wildcard) all. None for an address of nobody, as
   * IP_FREEBIND and IP_TRANSPARENT allow.
   */
  uint32_t setOf(uint8_t family, const Address& local, uint32_t bound);

  /** The names of each set; set 0 is every interface. */
  std::vector<std::vector<std::string>> sets() const;

  const std::map<uint32_t, std::string>& names() const { return list_->names; }

  const std::shared_ptr<const InterfaceList>& list() const { return list_; }

 private:
  std::vector<uint32_t> ownersOf(uint8_t family, const Address& address) const;
  uint32_t intern(std::vector<uint32_t> indexes);

  std::shared_ptr<const InterfaceList> list_;
  std::vector<std::vector<uint32_t>> sets_;
  struct Asked {
    uint64_t address[2];
    uint32_t bound;
    uint8_t family;
    bool operator==(const Asked&) const = default;
  };
  struct Hash {
    size_t operator()(const Asked& asked) const;
  };
  /** What setOf() has answered. */
  std::unordered_map<Asked, uint32_t, Hash> answered_;
};

}  // namespace earshot::sockets
