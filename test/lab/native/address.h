// Socket addresses from text and back; the family of an address is seen by its colon.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "failure.h"

namespace lab {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr* pointer() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* pointer() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

inline int familyOf(const std::string& address) {
  return address.find(':') == std::string::npos ? AF_INET : AF_INET6;
}

/// `scope` names an interface of the namespace the calling thread is in; empty for none.
inline SocketAddress socketAddress(const std::string& address, uint16_t port,
                                   const std::string& scope) {
  SocketAddress result;
  if (familyOf(address) == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&result.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    result.length = sizeof *in;
    if (inet_pton(AF_INET, address.c_str(), &in->sin_addr) != 1)
      throw Failure("'" + address + "' is no IPv4 address", EINVAL);
    return result;
  }
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(port);
  result.length = sizeof *in6;
  if (inet_pton(AF_INET6, address.c_str(), &in6->sin6_addr) != 1)
    throw Failure("'" + address + "' is no IPv6 address", EINVAL);
  if (!scope.empty()) {
    in6->sin6_scope_id = if_nametoindex(scope.c_str());
    if (in6->sin6_scope_id == 0) throw Failure("if_nametoindex " + scope);
  }
  return result;
}

inline uint16_t portOf(const SocketAddress& address) {
  return ntohs(address.family() == AF_INET
                   ? reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port
                   : reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
}

/// Without a port or zone; a v4-mapped address as the IPv4 address it carries.
inline std::string addressText(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
  } else if (address.family() == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
      inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof text);
    else
      inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace lab
