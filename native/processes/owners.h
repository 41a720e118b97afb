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
  /** One descriptor for each inode is enough, whoever has it. */
  bool one = false;
  /** The users of the sockets: where one is enough, their processes are looked at first. */
  std::vector<uint32_t> uids;
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
  /** There are processes that this user is not even told of (proc(5), hidepid). */
  bool hidden = false;
};

/**
 * Which processes hold which sockets, from the links in proc_pid_fd(5), on all cores. Every
 * descriptor of every process is looked at, since a socket may have been passed on to anybody;
 * where one is enough, until all are found, those first that are likely to have them.
 */
Owners findOwners(const Query& query);

}  // namespace earshot::processes
