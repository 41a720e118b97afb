#include "processes/owners.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "error.h"
#include "files/read.h"
#include "processes/directory.h"

namespace earshot::processes {
namespace {

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/** The inode in "socket:[12345]" (sockfs_dname). */
std::optional<uint32_t> socketInode(std::string_view link) {
  constexpr std::string_view kFront = "socket:[";
  if (!link.starts_with(kFront) || !link.ends_with(']')) return std::nullopt;
  link.remove_prefix(kFront.size());
  link.remove_suffix(1);
  return number(link);
}

std::string_view text(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/** The first number behind "Uid:" in proc_pid_status(5): real, effective, saved, filesystem. */
std::optional<uint32_t> realUid(std::string_view status) {
  constexpr std::string_view kKey = "\nUid:\t";
  const size_t at = status.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  status.remove_prefix(at + kKey.size());
  return number(status.substr(0, status.find_first_of("\t\n")));
}

/**
 * The arguments, each ended by a NUL; a process that wrote a title over them may lack the last one,
 * and leaves the rest of their room as empty ones, which are no arguments.
 */
std::vector<std::string> arguments(std::string_view line) {
  std::vector<std::string> command;
  while (!line.empty()) {
    const size_t end = std::min(line.find('\0'), line.size());
    command.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  while (!command.empty() && command.back().empty()) command.pop_back();
  return command;
}

/** Who a process is; nothing when it ended meanwhile. */
std::optional<Process> describe(int proc, const char* pid) {
  const std::string base(pid);
  std::vector<uint8_t> name, command, status;
  if (files::readAt(proc, (base + "/comm").c_str(), name) ||
      files::readAt(proc, (base + "/status").c_str(), status)) {
    return std::nullopt;
  }
  // Of a zombie, or of one who hides it, the command line is empty.
  files::readAt(proc, (base + "/cmdline").c_str(), command);
  const auto uid = realUid(text(status));
  if (!uid) return std::nullopt;
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return Process{*number(pid), std::string(text(name)), arguments(text(command)), *uid};
}

bool isDenial(int error) { return error == EACCES || error == EPERM; }

}  // namespace

Owners findOwners(const Query& query) {
  Owners owners;
  Directory proc(AT_FDCWD, query.procRoot.c_str());
  Directory::Entry process;
  while (proc.next(process)) {
    const auto pid = number(process.name);
    if (!pid) continue;
    Directory descriptors(proc.get(), (std::string(process.name) + "/fd").c_str());
    const size_t before = owners.inode.size();
    bool denied = isDenial(descriptors.error());
    Directory::Entry descriptor;
    while (descriptors.next(descriptor)) {
      char link[32];
      const ssize_t length = readlinkat(descriptors.get(), descriptor.name, link, sizeof link);
      if (length < 0) {
        if (isDenial(errno)) denied = true;
        continue;
      }
      const auto inode = socketInode({link, static_cast<size_t>(length)});
      if (!inode) continue;
      if (query.inodes && !std::ranges::binary_search(*query.inodes, *inode)) continue;
      owners.inode.push_back(*inode);
      owners.pid.push_back(*pid);
      owners.fd.push_back(number(descriptor.name).value_or(0));
    }
    if (denied) owners.denied++;
    if (owners.inode.size() == before) continue;
    if (auto found = describe(proc.get(), process.name)) {
      owners.processes.push_back(std::move(*found));
    } else {
      // It ended while it was looked at: so did its hold on the sockets.
      owners.inode.resize(before);
      owners.pid.resize(before);
      owners.fd.resize(before);
    }
  }
  if (proc.error()) {
    throw Failure{Operation::kKernel, "open", proc.error(), "reading " + query.procRoot};
  }
  return owners;
}

}  // namespace earshot::processes
