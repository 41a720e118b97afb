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
 * Which processes hold which sockets, from the links in proc_pid_fd(5), on all cores. Every
 * descriptor of every process is looked at: a socket may have been passed on to anybody.
 */
Owners findOwners(const Query& query);

}  // namespace earshot::processes
