#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sockets/half.h"
#include "sockets/query.h"

namespace earshot::sockets {

/**
 * The query's conditions, twice: as a program that the kernel runs on each socket before it writes
 * a message, and as a check of each row here. The program may let too much through (a kernel may
 * not know it at all), the check is exact.
 */
class Filter {
 public:
  /** `boundIndex`: that of the query's device, 0 for "bound to none"; it must have one if it asks.
   */
  Filter(const Query& query, std::optional<uint32_t> boundIndex);

  /** Lets all sockets of a half through. */
  explicit Filter(Half half);

  bool matches(const Row& row) const;

  std::optional<uint32_t> boundIndex() const { return boundIndex_; }

  /** The one port at that end that is asked for, 0 for any: the kernel looks at it first of all. */
  uint16_t localPort() const { return onlyPort(localPorts_); }
  uint16_t remotePort() const { return onlyPort(remotePorts_); }

  /** INET_DIAG_REQ_BYTECODE; empty: the kernel has nothing to check. */
  const std::vector<uint8_t>& program() const { return program_; }

 private:
  static uint16_t onlyPort(const std::vector<PortRange>& ranges) {
    return ranges.size() == 1 && ranges[0].from == ranges[0].to ? ranges[0].from : 0;
  }

  std::vector<PortRange> localPorts_;
  std::vector<PortRange> remotePorts_;
  std::optional<Prefix> local_;
  std::optional<Prefix> remote_;
  std::optional<uint32_t> boundIndex_;
  std::optional<uint32_t> uid_;
  std::optional<uint32_t> mark_;
  std::optional<uint64_t> cgroup_;
  std::optional<Half> half_;
  std::vector<uint8_t> program_;
};

/** Is the address in the prefix? An IPv4 prefix also holds the IPv4 addresses mapped into IPv6. */
bool holds(const Prefix& prefix, uint8_t family, const Address& address);

}  // namespace earshot::sockets
