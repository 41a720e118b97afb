#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "descriptor.h"
#include "error.h"
#include "files/read.h"
#include "sockets/interface_list.h"

namespace earshot::sockets {
namespace {

constexpr const char* kDevices = "/proc/thread-self/net/dev";
constexpr const char* kIpv6Addresses = "/proc/thread-self/net/if_inet6";

/** An interface request about a name; false when the interface went away meanwhile. */
bool ask(int fd, unsigned long what, ifreq& request) { return ioctl(fd, what, &request) == 0; }

ifreq named(std::string_view name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

void eachLine(const std::vector<uint8_t>& bytes, auto take) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    take(line);
  }
}

/** /proc/net/dev: two lines of heading, then "  name: counters…". */
void readLinks(int fd, InterfaceList& list) {
  std::vector<uint8_t> bytes;
  if (const int error = files::read(kDevices, bytes)) {
    throw Failure{Operation::kKernel, "open", error, std::string("reading ") + kDevices};
  }
  eachLine(bytes, [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    const size_t start = line.find_first_not_of(' ');
    const std::string_view name = line.substr(start, colon - start);
    ifreq request = named(name);
    if (!ask(fd, SIOCGIFINDEX, request)) return;
    const auto index = static_cast<uint32_t>(request.ifr_ifindex);
    list.names.emplace(index, name);
    if (ask(fd, SIOCGIFFLAGS, request) && (request.ifr_flags & IFF_LOOPBACK)) {
      list.loopbacks.push_back(index);
    }
  });
}

/** SIOCGIFCONF: every IPv4 address with its label, a device's name or one such as "eth0:1". */
void readIpv4(int fd, InterfaceList& list) {
  std::vector<ifreq> requests(64);
  ifconf answer{};
  for (;;) {
    answer.ifc_len = static_cast<int>(requests.size() * sizeof(ifreq));
    answer.ifc_req = requests.data();
    if (ioctl(fd, SIOCGIFCONF, &answer) < 0) throwErrno("ioctl", "reading the IPv4 addresses");
    // A buffer filled to the brim may have been too small.
    if (static_cast<size_t>(answer.ifc_len) < requests.size() * sizeof(ifreq)) break;
    requests.resize(2 * requests.size());
  }
  requests.resize(static_cast<size_t>(answer.ifc_len) / sizeof(ifreq));
  for (ifreq& request : requests) {
    sockaddr_in address;
    std::memcpy(&address, &request.ifr_addr, sizeof address);
    sockaddr_in mask{};
    // devinet_ioctl tells addresses of one label apart by the address in the request.
    ifreq masked = request;
    if (ask(fd, SIOCGIFNETMASK, masked)) std::memcpy(&mask, &masked.ifr_netmask, sizeof mask);
    const std::string_view label(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ));
    ifreq device = named(label.substr(0, label.find(':')));
    if (!ask(fd, SIOCGIFINDEX, device)) continue;
    Prefix prefix{4, {}, static_cast<uint8_t>(std::popcount(mask.sin_addr.s_addr))};
    std::memcpy(prefix.address.data(), &address.sin_addr, sizeof address.sin_addr);
    list.addresses.push_back({prefix, static_cast<uint32_t>(device.ifr_ifindex)});
  }
}

std::optional<uint32_t> hexadecimal(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/** if6_seq_show: 32 digits of address, index, prefix length, scope, flags, name. */
void readIpv6(InterfaceList& list) {
  std::vector<uint8_t> bytes;
  const int error = files::read(kIpv6Addresses, bytes);
  if (error == ENOENT) return;  // no IPv6 here
  if (error) {
    throw Failure{Operation::kKernel, "open", error, std::string("reading ") + kIpv6Addresses};
  }
  eachLine(bytes, [&](std::string_view line) {
    const auto refuse = [&] {
      throw Failure{Operation::kKernel, "read", EBADMSG,
                    std::string("a line of ") + kIpv6Addresses + ": '" + std::string(line) + "'"};
    };
    if (line.size() < 38 || line[32] != ' ') refuse();
    Prefix prefix{6, {}, 0};
    for (size_t byte = 0; byte < 16; byte++) {
      const auto value = hexadecimal(line.substr(2 * byte, 2));
      if (!value) refuse();
      prefix.address[byte] = static_cast<uint8_t>(*value);
    }
    std::string_view rest = line.substr(33);
    const std::string_view indexText = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(indexText.size() + 1, rest.size()));
    const auto index = hexadecimal(indexText);
    const auto length = hexadecimal(rest.substr(0, rest.find(' ')));
    if (!index || !length || *length > 128) refuse();
    prefix.length = static_cast<uint8_t>(*length);
    list.addresses.push_back({prefix, *index});
  });
}

}  // namespace

InterfaceList readInterfacesByProcfs() {
  const Descriptor descriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!descriptor) throwErrno("socket", "opening a socket to ask about interfaces");
  InterfaceList list;
  readLinks(descriptor.get(), list);
  readIpv4(descriptor.get(), list);
  readIpv6(list);
  return list;
}

}  // namespace earshot::sockets
