#include "processes/options.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>

#include "descriptor.h"

namespace earshot::processes {
namespace {

// One number on every architecture since Linux 5.3 and 5.6; older headers lack them.
constexpr long kPidfdOpen = 434;
constexpr long kPidfdGetfd = 438;

Descriptor duplicate(uint32_t pid, uint32_t fd) {
  if (pid == static_cast<uint32_t>(getpid())) {
    return Descriptor(fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 0));
  }
  const Descriptor process(static_cast<int>(syscall(kPidfdOpen, pid, 0)));
  if (!process) return Descriptor();
  return Descriptor(static_cast<int>(syscall(kPidfdGetfd, process.get(), fd, 0)));
}

/** Is it still the socket that was meant? Its number may have been given to another since. */
bool isSocket(int fd, uint32_t inode) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
         static_cast<uint32_t>(status.st_ino) == inode;
}

std::optional<bool> option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(fd, level, name, &value, &size) != 0) return std::nullopt;
  return value != 0;
}

uint8_t optionsOf(uint32_t pid, uint32_t fd, uint32_t inode) {
  const Descriptor socket = duplicate(pid, fd);
  if (!socket || !isSocket(socket.get(), inode)) return 0;
  const auto reuseAddress = option(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  const auto reusePort = option(socket.get(), SOL_SOCKET, SO_REUSEPORT);
  if (!reuseAddress || !reusePort) return 0;
  uint8_t bits = kOptionsKnown;
  if (*reuseAddress) bits |= kReuseAddress;
  if (*reusePort) bits |= kReusePort;
  if (const auto v6only = option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY)) {
    bits |= kV6onlyOptionKnown;
    if (*v6only) bits |= kV6onlyOption;
  }
  return bits;
}

}  // namespace

std::vector<uint8_t> socketOptions(const Descriptors& descriptors) {
  const auto& [pid, fd, inode] = descriptors;
  std::vector<uint8_t> options(inode.size());
  for (size_t row = 0; row < options.size(); row++) {
    options[row] = optionsOf(pid[row], fd[row], inode[row]);
  }
  return options;
}

}  // namespace earshot::processes
