#include "processes/owners.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <string_view>
#include <tuple>

#include "error.h"
#include "files/read.h"
#include "parallel.h"
#include "processes/directory.h"
#include "processes/found_before.h"

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

/**
 * Who the process is that a directory of descriptors is of; nothing when it has ended. By that
 * directory and not by its number, which another process may have by now.
 */
std::optional<Process> describe(int descriptors, uint32_t pid) {
  std::vector<uint8_t> name, command, status;
  if (files::readAt(descriptors, "../comm", name) ||
      files::readAt(descriptors, "../status", status)) {
    return std::nullopt;
  }
  // Of a zombie, or of one who hides it, the command line is empty.
  files::readAt(descriptors, "../cmdline", command);
  const auto uid = realUid(text(status));
  if (!uid) return std::nullopt;
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return Process{pid, std::string(text(name)), arguments(text(command)), *uid};
}

bool isDenial(int error) { return error == EACCES || error == EPERM; }

/** One descriptor that holds a wanted socket. */
struct Holding {
  uint32_t inode;
  uint32_t fd;
};

/** A process, and which of its descriptors hold wanted sockets. */
struct Candidate {
  std::string pid;
  std::vector<Holding> holdings;
  bool denied = false;
  std::optional<Process> process;
};

/** The wanted sockets of which one owner is enough: each is taken by the first who finds it. */
class Unfound {
 public:
  explicit Unfound(const std::vector<uint32_t>& inodes)
      : inodes_(inodes), taken_(inodes.size()), left_(inodes.size()) {}

  bool take(uint32_t inode) {
    const auto place = std::ranges::lower_bound(inodes_, inode) - inodes_.begin();
    if (taken_[static_cast<size_t>(place)].exchange(true)) return false;
    left_--;
    return true;
  }
  bool none() const { return left_ == 0; }

 private:
  const std::vector<uint32_t>& inodes_;
  std::vector<std::atomic<bool>> taken_;
  std::atomic<size_t> left_;
};

class Search {
 public:
  explicit Search(const Query& query) : query_(query), proc_(AT_FDCWD, query.procRoot.c_str()) {
    if (proc_.error()) refuse();
    if (query.one && query.inodes) unfound_.emplace(*query.inodes);
  }

  std::vector<Candidate> run() {
    if (unfound_) lookWhereFoundBefore();
    if (!unfound_ || !unfound_->none()) lookEverywhere();
    std::erase_if(candidates_,
                  [](const Candidate& one) { return one.holdings.empty() && !one.denied; });
    return std::move(candidates_);
  }

  bool hidden() const { return hidden_; }

 private:
  [[noreturn]] void refuse() const {
    throw Failure{Operation::kKernel, "open", proc_.error(), "reading " + query_.procRoot};
  }

  void lookWhereFoundBefore() {
    for (const uint32_t inode : *query_.inodes) {
      const auto before = foundBefore(inode);
      if (!before) continue;
      Candidate candidate{std::to_string(before->pid), {}, false, {}};
      const Directory descriptors(proc_.get(), (candidate.pid + "/fd").c_str());
      if (descriptors.error()) continue;
      look(candidate, descriptors.get(), std::to_string(before->fd).c_str());
      candidates_.push_back(std::move(candidate));
    }
  }

  /** Looks at every descriptor of every process: a socket may have any number of owners. */
  void lookEverywhere() {
    const size_t start = candidates_.size();
    hidden_ = true;
    Directory::Entry entry;
    while (proc_.next(entry)) {
      const auto pid = number(entry.name);
      if (!pid) continue;
      // Every PID namespace has a first process.
      if (*pid == 1) hidden_ = false;
      candidates_.push_back({entry.name, {}, false, {}});
    }
    if (proc_.error()) refuse();
    if (unfound_) sortByLikelihood(start);
    parallel(candidates_.size() - start, [&](size_t at) {
      Candidate& candidate = candidates_[start + at];
      if (unfound_ && unfound_->none()) return;
      lookAt(candidate);
    });
  }

  /** The sockets' own users first; and who has few descriptors, by which all are soon looked at. */
  void sortByLikelihood(size_t start) {
    using Place = std::tuple<bool, off_t, size_t>;
    std::vector<Place> order;
    for (size_t at = start; at < candidates_.size(); at++) {
      struct stat status {};
      fstatat(proc_.get(), (candidates_[at].pid + "/fd").c_str(), &status, 0);
      // The size is the number of descriptors (Linux 6.2).
      order.emplace_back(!std::ranges::binary_search(query_.uids, status.st_uid), status.st_size,
                         at);
    }
    std::sort(order.begin(), order.end());
    std::vector<Candidate> sorted(
        std::move_iterator(candidates_.begin()),
        std::move_iterator(candidates_.begin() + static_cast<ptrdiff_t>(start)));
    for (const Place& place : order) sorted.push_back(std::move(candidates_[std::get<2>(place)]));
    candidates_ = std::move(sorted);
  }

  void lookAt(Candidate& candidate) {
    Directory descriptors(proc_.get(), (candidate.pid + "/fd").c_str());
    candidate.denied = isDenial(descriptors.error());
    Directory::Entry entry;
    while (!(unfound_ && unfound_->none()) && descriptors.next(entry)) {
      look(candidate, descriptors.get(), entry.name);
    }
  }

  /** Takes the descriptor in if it holds a wanted socket. */
  void look(Candidate& candidate, int descriptors, const char* name) {
    const auto inode = linkAt(descriptors, name);
    if (!inode) {
      if (isDenial(errno)) candidate.denied = true;
      return;
    }
    if (query_.inodes && !std::ranges::binary_search(*query_.inodes, *inode)) return;
    if (!candidate.process) candidate.process = describe(descriptors, *number(candidate.pid));
    // It has ended: another may hold the socket still.
    if (!candidate.process) return;
    if (unfound_ && !unfound_->take(*inode)) return;
    candidate.holdings.push_back({*inode, number(name).value_or(0)});
  }

  /** The inode of the socket that a link leads to; nothing, and errno, where it leads to none. */
  static std::optional<uint32_t> linkAt(int directory, const char* path) {
    char link[32];
    errno = 0;
    const ssize_t length = readlinkat(directory, path, link, sizeof link);
    if (length < 0) return std::nullopt;
    return socketInode({link, static_cast<size_t>(length)});
  }

  const Query& query_;
  Directory proc_;
  std::vector<Candidate> candidates_;
  std::optional<Unfound> unfound_;
  bool hidden_ = false;
};

}  // namespace

Owners findOwners(const Query& query) {
  Owners owners;
  if (query.inodes && query.inodes->empty()) return owners;
  std::vector<Holder> holders;
  Search search(query);
  for (Candidate& candidate : search.run()) {
    if (candidate.denied) owners.denied++;
    if (candidate.holdings.empty()) continue;
    const uint32_t pid = candidate.process->pid;
    for (const auto& [inode, fd] : candidate.holdings) holders.push_back({inode, pid, fd});
    const bool isKnown = std::ranges::any_of(
        owners.processes, [&](const Process& known) { return query.one && known.pid == pid; });
    if (!isKnown) owners.processes.push_back(std::move(*candidate.process));
  }
  owners.hidden = search.hidden();
  if (query.one) rememberFound(holders);
  std::ranges::sort(holders, {},
                    [](const Holder& one) { return std::tuple(one.inode, one.pid, one.fd); });
  for (const Holder& holder : holders) {
    owners.inode.push_back(holder.inode);
    owners.pid.push_back(holder.pid);
    owners.fd.push_back(holder.fd);
  }
  return owners;
}

}  // namespace earshot::processes
