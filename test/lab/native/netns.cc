#include "netns.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>

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

std::string readFile(int netns, const std::string& path) {
  std::string text;
  onOwnThread([&] {
    enterNamespace(netns);
    Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw Failure("open " + path);
    char buffer[65536];
    for (;;) {
      ssize_t got = read(file.get(), buffer, sizeof buffer);
      if (got < 0) throw Failure("read " + path);
      if (got == 0) return;
      text.append(buffer, static_cast<size_t>(got));
    }
  });
  return text;
}

namespace {

bool isRunning(int socket, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  // A change of carrier may wait a second to be noticed (linkwatch_schedule_work); asking for the
  // carrier notices it at once (linkwatch_sync_dev), since Linux 6.7.
  ethtool_value link{};
  link.cmd = ETHTOOL_GLINK;
  request.ifr_data = reinterpret_cast<char*>(&link);
  ioctl(socket, SIOCETHTOOL, &request);
  return ioctl(socket, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

}  // namespace

std::vector<std::string> awaitRunning(int netns, std::vector<std::string> interfaces,
                                      int timeoutMs) {
  onOwnThread([&] {
    enterNamespace(netns);
    Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!any) throw Failure("socket");
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeoutMs);
    for (;;) {
      std::erase_if(interfaces, [&](const auto& name) { return isRunning(any.get(), name); });
      if (interfaces.empty() || std::chrono::steady_clock::now() >= deadline) return;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  return interfaces;
}

}  // namespace lab
