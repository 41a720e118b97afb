#include "netns.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <set>
#include <sstream>

#include "failure.h"

namespace lab {

void enterNamespace(int netns) {
  if (setns(netns, CLONE_NEWNET) != 0) throw Failure("setns");
}

std::vector<Descriptor> createNamespaces(int count) {
  std::vector<Descriptor> namespaces;
  onOwnThread([&] {
    for (int made = 0; made < count; made++) {
      if (unshare(CLONE_NEWNET) != 0) throw Failure("unshare(CLONE_NEWNET)");
      Descriptor self(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
      if (!self) throw Failure("open /proc/thread-self/ns/net");
      namespaces.push_back(std::move(self));
    }
  });
  return namespaces;
}

std::vector<int> writeFiles(int netns, const std::vector<FileWrite>& files) {
  std::vector<int> errors(files.size(), 0);
  onOwnThread([&] {
    enterNamespace(netns);
    for (size_t index = 0; index < files.size(); index++) {
      Descriptor file(open(files[index].path.c_str(), O_WRONLY | O_CLOEXEC));
      const std::string& text = files[index].text;
      if (!file || write(file.get(), text.data(), text.size()) < 0) errors[index] = errno;
    }
  });
  return errors;
}

namespace {

/// Asks a device for its carrier. A change of carrier may wait a second to be noticed
/// (linkwatch_schedule_work); asking notices it at once (linkwatch_sync_dev, since Linux 6.7), and
/// comes back only when whoever was busy with it is done, for asking takes the same lock.
void askCarrier(int socket, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  ethtool_value link{};
  link.cmd = ETHTOOL_GLINK;
  request.ifr_data = reinterpret_cast<char*>(&link);
  ioctl(socket, SIOCETHTOOL, &request);
}

bool isRunning(int socket, const std::string& interface) {
  askCarrier(socket, interface);
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(socket, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_RUNNING) == 0)
    return false;
  // The flag is set before the queues are opened and a bridge lets its port in (linkwatch_do_dev).
  askCarrier(socket, interface);
  return true;
}

std::string readHere(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw Failure("open " + path);
  std::string text;
  char buffer[65536];
  for (;;) {
    ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0) throw Failure("read " + path);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

constexpr unsigned kOptimistic = 0x04, kDadFailed = 0x08, kTentative = 0x40;  // IFA_F_*
constexpr unsigned kLocalRoute = 0x80000000;                                  // RTF_LOCAL

/// Addresses of operational interfaces that should have their local route and have not.
std::vector<std::string> addressesWithoutRoute(int socket) {
  std::set<std::string> routed;
  std::istringstream routes(readHere("/proc/thread-self/net/ipv6_route"));
  for (std::string line; std::getline(routes, line);) {
    std::istringstream fields(line);
    std::string destination, length, skip;
    unsigned flags = 0;
    fields >> destination >> length >> skip >> skip >> skip >> skip >> skip >> skip >> std::hex >>
        flags;
    if (length == "80" && (flags & kLocalRoute) != 0) routed.insert(destination);
  }
  std::vector<std::string> missing;
  std::istringstream addresses(readHere("/proc/thread-self/net/if_inet6"));
  for (std::string line; std::getline(addresses, line);) {
    std::istringstream fields(line);
    std::string address, skip, interface;
    unsigned flags = 0;
    fields >> address >> skip >> skip >> skip >> std::hex >> flags >> interface;
    // An optimistic address answers before it is known to be nobody else's.
    bool pending = (flags & (kTentative | kOptimistic)) == kTentative;
    if (pending || (flags & kDadFailed) != 0 || routed.contains(address)) continue;
    if (isRunning(socket, interface)) missing.push_back(address + " of " + interface);
  }
  return missing;
}

/// Asks again and again until nothing is missing any more, or the time is over.
template <typename Missing>
std::vector<std::string> awaitNone(int netns, int timeoutMs, Missing&& missing) {
  std::vector<std::string> left;
  onOwnThread([&] {
    enterNamespace(netns);
    Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!any) throw Failure("socket");
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeoutMs);
    for (;;) {
      left = missing(any.get());
      if (left.empty() || std::chrono::steady_clock::now() >= deadline) return;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  return left;
}

}  // namespace

std::string readFile(int netns, const std::string& path) {
  std::string text;
  onOwnThread([&] {
    enterNamespace(netns);
    text = readHere(path);
  });
  return text;
}

std::vector<std::string> awaitRunning(int netns, std::vector<std::string> interfaces,
                                      int timeoutMs) {
  return awaitNone(netns, timeoutMs, [&](int socket) {
    std::erase_if(interfaces, [&](const auto& name) { return isRunning(socket, name); });
    return interfaces;
  });
}

std::vector<std::string> awaitAddresses(int netns, int timeoutMs) {
  return awaitNone(netns, timeoutMs, addressesWithoutRoute);
}

}  // namespace lab
