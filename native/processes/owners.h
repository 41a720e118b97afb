#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace earshot::processes {

struct Query {
  /** Inodes of sockets in ascending order, each once, or nothing for all. */
  std::optional<std::vector<uint32_t>> inodes;
  std::string procRoot;
};

struct Process {
  uint32_t pid;
  std::string name;
  std::vector<std::string> command;
  /** The real user id. */
  uint32_t uid;
};

struct Owners {
  /** A row for each descriptor found, in ascending order of inode, process and descriptor: */
  std::vector<uint32_t> inode;
  std::vector<uint32_t> pid;
  std::vector<uint32_t> fd;
  /** The processes that `pid` names, each once. */
  std::vector<Process> processes;
  /** How many processes' descriptors this user may not see. */
  uint32_t denied = 0;
};

/**
 * Which processes hold which sockets, from the links in proc_pid_fd(5), on all cores. Of every
 * process the first 64 descriptors are looked at, since a socket can have several owners. The rest
 * of one that has more is looked at as long as a wanted socket is without an owner; when each has
 * one, only the descriptors of the same numbers are, for these are what a child inherits.
 */
Owners findOwners(const Query& query);

}  // namespace earshot::processes
