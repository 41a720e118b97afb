#pragma once

#include <cstdint>
#include <vector>

namespace earshot::processes {

/** Descriptors of sockets, by row; `inode` says which socket each was when it was looked up. */
struct Descriptors {
  std::vector<uint32_t> pid;
  std::vector<uint32_t> fd;
  std::vector<uint32_t> inode;
};

/** Bits of what is told of one socket, the same as SocketOption in lib/native.ts. */
enum SocketOption : uint8_t {
  kOptionsKnown = 1,
  kReuseAddress = 2,
  kReusePort = 4,
  kV6onlyOptionKnown = 8,
  kV6onlyOption = 16,
};

/**
 * The options that sock_diag does not tell, by getsockopt(2) on a duplicate of each descriptor:
 * dup(2) for this process's own, pidfd_getfd(2) (Linux 5.6) for those of others, which takes the
 * right to trace them. 0 for what could not be asked, or is another socket by now.
 */
std::vector<uint8_t> socketOptions(const Descriptors& descriptors);

}  // namespace earshot::processes
