#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace earshot::processes {

/** One descriptor that holds a socket. */
struct Holder {
  uint32_t inode;
  uint32_t pid;
  uint32_t fd;
};

/**
 * Where a socket was found last. It says where to look first and no more: the link of the
 * descriptor is read again, and it alone proves who holds the socket now. So it does not matter
 * whether the process is still the one that had this number, or the descriptor the one that had
 * that.
 */
std::optional<Holder> foundBefore(uint32_t inode);

void rememberFound(const std::vector<Holder>& holders);

}  // namespace earshot::processes
