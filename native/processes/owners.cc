#include "processes/owners.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <tuple>

#include "error.h"
#include "files/read.h"
#include "parallel.h"
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

class Search {
 public:
  explicit Search(const Query& query) : query_(query), proc_(AT_FDCWD, query.procRoot.c_str()) {
    Directory::Entry entry;
    while (proc_.next(entry)) {
      if (number(entry.name)) candidates_.push_back({entry.name, {}, false, {}});
    }
    if (proc_.error()) {
      throw Failure{Operation::kKernel, "open", proc_.error(), "reading " + query.procRoot};
    }
  }

  /** Looks at every descriptor of every process: a socket may have any number of owners. */
  std::vector<Candidate> run() {
    parallel(candidates_.size(), [&](size_t at) {
      Candidate& candidate = candidates_[at];
      lookAt(candidate);
      if (!candidate.holdings.empty()) {
        candidate.process = describe(proc_.get(), candidate.pid.c_str());
      }
    });
    std::erase_if(candidates_,
                  [](const Candidate& one) { return one.holdings.empty() && !one.denied; });
    return std::move(candidates_);
  }

 private:
  void lookAt(Candidate& candidate) const {
    Directory descriptors(proc_.get(), (candidate.pid + "/fd").c_str());
    candidate.denied = isDenial(descriptors.error());
    Directory::Entry entry;
    while (descriptors.next(entry)) look(candidate, descriptors.get(), entry.name);
  }

  /** Takes the descriptor in if it holds a wanted socket. */
  void look(Candidate& candidate, int descriptors, const char* name) const {
    char link[32];
    const ssize_t length = readlinkat(descriptors, name, link, sizeof link);
    if (length < 0) {
      if (isDenial(errno)) candidate.denied = true;
      return;
    }
    const auto inode = socketInode({link, static_cast<size_t>(length)});
    if (!inode) return;
    if (query_.inodes && !std::ranges::binary_search(*query_.inodes, *inode)) return;
    candidate.holdings.push_back({*inode, number(name).value_or(0)});
  }

  const Query& query_;
  Directory proc_;
  std::vector<Candidate> candidates_;
};

}  // namespace

Owners findOwners(const Query& query) {
  Owners owners;
  if (query.inodes && query.inodes->empty()) return owners;
  struct Row {
    Holding holding;
    uint32_t pid;
  };
  std::vector<Row> rows;
  for (Candidate& candidate : Search(query).run()) {
    if (candidate.denied) owners.denied++;
    // One without a description ended while it was looked at: so did its hold on the sockets.
    if (!candidate.process) continue;
    for (const Holding& holding : candidate.holdings) {
      rows.push_back({holding, candidate.process->pid});
    }
    owners.processes.push_back(std::move(*candidate.process));
  }
  std::ranges::sort(rows, {}, [](const Row& row) {
    return std::tuple(row.holding.inode, row.pid, row.holding.fd);
  });
  for (const Row& row : rows) {
    owners.inode.push_back(row.holding.inode);
    owners.pid.push_back(row.pid);
    owners.fd.push_back(row.holding.fd);
  }
  return owners;
}

}  // namespace earshot::processes
