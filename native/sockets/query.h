#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sockets/table.h"

namespace earshot::sockets {

enum class Source { kAuto, kNetlink, kProcfs };

/** Both ends included. */
struct PortRange {
  uint16_t from;
  uint16_t to;
};

struct Prefix {
  /** 4 or 6. */
  uint8_t family;
  Address address;
  uint8_t length;
};

/** Which sockets: SocketQuery of lib/native.ts. */
struct Query {
  uint32_t tcpStates = 0;
  uint32_t udpStates = 0;
  bool ipv4 = true;
  bool ipv6 = true;
  std::vector<PortRange> localPorts;
  std::vector<PortRange> remotePorts;
  std::optional<Prefix> local;
  std::optional<Prefix> remote;
  /** Empty: bound to none. */
  std::optional<std::string> boundInterface;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> mark;
  /** The cgroup v2 of the process that made the socket, by its id. */
  std::optional<uint64_t> cgroup;
  /** What the kernel is to tell beside (idiag_ext); with tcp_info it tells Row::keyedPeers too. */
  uint8_t extensions = 0;
  /** Keep the kernel's messages as they are beside the rows (Table::messages). */
  bool keepsMessages = false;
  Source source = Source::kAuto;
  std::optional<std::string> netns;
};

/** One table of the kernel. */
struct TableName {
  /** 6 or 17. */
  uint8_t protocol;
  /** 4 or 6. */
  uint8_t family;
};

}  // namespace earshot::sockets
