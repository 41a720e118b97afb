#include "processes/cgroups.h"

#include <dirent.h>
#include <sys/stat.h>

#include <mutex>
#include <string_view>
#include <unordered_map>

#include "files/read.h"
#include "processes/directory.h"

namespace earshot::processes {
namespace {

/** Where cgroup v2 is mounted, from proc_pid_mountinfo(5); empty where it is not. */
std::string mountPoint() {
  std::vector<uint8_t> bytes;
  if (files::read("/proc/self/mountinfo", bytes)) return {};
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    // 36 35 98:0 /root /mount-point options optional… - type source options
    if (line.find(" - cgroup2 ") == std::string_view::npos) continue;
    size_t start = 0;
    for (int field = 0; field < 4; field++) start = line.find(' ', start) + 1;
    const std::string_view escaped = line.substr(start, line.find(' ', start) - start);
    std::string path;
    for (size_t at = 0; at < escaped.size(); at++) {
      // mangle_path: a space, a tab, a newline and a backslash are written as three octal digits.
      if (escaped[at] == '\\' && at + 3 < escaped.size()) {
        path += static_cast<char>((escaped[at + 1] - '0') << 6 | (escaped[at + 2] - '0') << 3 |
                                  (escaped[at + 3] - '0'));
        at += 3;
      } else {
        path += escaped[at];
      }
    }
    return path;
  }
  return {};
}

/** Path by id; an empty path is an id that was looked for and not found. */
using Paths = std::unordered_map<uint64_t, std::string>;

/** The id of a cgroup is the inode number of its directory (kernfs, on 64-bit inode numbers). */
void walk(int parent, const char* name, const std::string& path, Paths& paths) {
  Directory directory(parent, name);
  Directory::Entry entry;
  while (directory.next(entry)) {
    if (entry.type != DT_DIR) continue;
    const std::string below = std::string(path).append("/").append(entry.name);
    paths[entry.inode] = below;
    walk(directory.get(), entry.name, below, paths);
  }
}

Paths readTree() {
  Paths paths;
  const std::string root = mountPoint();
  struct stat status {};
  if (root.empty() || stat(root.c_str(), &status) < 0) return paths;
  paths.emplace(status.st_ino, "/");
  walk(AT_FDCWD, root.c_str(), "", paths);
  return paths;
}

}  // namespace

std::vector<std::pair<uint64_t, std::string>> cgroupPaths(const std::vector<uint64_t>& ids) {
  // Ids are never used again and a cgroup v2 is never renamed, so what was found stays true. Never
  // destroyed: a worker may still read while the process ends.
  static std::mutex& mutex = *new std::mutex;
  static Paths& known = *new Paths;

  const std::lock_guard lock(mutex);
  bool complete = true;
  for (const uint64_t id : ids) complete = complete && known.contains(id);
  if (!complete) {
    Paths fresh = readTree();
    // A removed cgroup lives on in its sockets: keep what is still asked for, also as not found.
    for (const uint64_t id : ids) {
      const auto before = known.find(id);
      fresh.try_emplace(id, before == known.end() ? std::string() : before->second);
    }
    known = std::move(fresh);
  }
  std::vector<std::pair<uint64_t, std::string>> found;
  for (const uint64_t id : ids) {
    const std::string& path = known.at(id);
    if (!path.empty()) found.emplace_back(id, path);
  }
  return found;
}

std::optional<uint64_t> cgroupId(const std::string& path) {
  const std::string root = mountPoint();
  struct stat status {};
  if (root.empty() || stat((root + path).c_str(), &status) < 0) return std::nullopt;
  if (!S_ISDIR(status.st_mode)) return std::nullopt;
  return status.st_ino;
}

}  // namespace earshot::processes
