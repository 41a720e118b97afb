#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace earshot::processes {

/** The path below the cgroup v2 mount of each id that has one, "/" for its root. */
std::vector<std::pair<uint64_t, std::string>> cgroupPaths(const std::vector<uint64_t>& ids);

}  // namespace earshot::processes
