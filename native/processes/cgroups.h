#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace earshot::processes {

/** The path below the cgroup v2 mount of each id that has one, "/" for its root. */
std::vector<std::pair<uint64_t, std::string>> cgroupPaths(const std::vector<uint64_t>& ids);

/** The id of the cgroup at such a path; nothing where none is, or no cgroup v2 is mounted. */
std::optional<uint64_t> cgroupId(const std::string& path);

}  // namespace earshot::processes
