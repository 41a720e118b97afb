// Opens sockets inside a network namespace with any options. A socket belongs to the namespace it
// was made in wherever its descriptor is used afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lab {

struct ListenerSpec {
  int protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
  std::string address;
  uint16_t port = 0;
  std::string scope;
  bool reuseAddress = false;
  bool reusePort = false;
  std::optional<bool> v6only;
  std::string device;
  bool freebind = false;
  bool transparent = false;
  uint32_t mark = 0;
  int backlog = 0;
  bool listen = true;  // TCP only
  std::string remoteAddress;
  uint16_t remotePort = 0;
  std::optional<uint32_t> uid;
  std::string keyedAddress;  // TCP MD5: peers of this prefix must sign; empty for none
  uint8_t keyedLength = 0;
  bool trial = false;         // one attempt, and closed again at once
  bool unprivileged = false;  // without CAP_NET_BIND_SERVICE
};

struct Opened {
  int fd = -1;
  uint16_t port = 0;
  uint64_t inode = 0;
  int error = 0;
  const char* failedAt = "";
};

std::vector<Opened> openListeners(int netns, const std::vector<ListenerSpec>& specs);

/// Takes one connection that waits; `error` is EAGAIN where none does.
Opened acceptOne(int listener);

}  // namespace lab
