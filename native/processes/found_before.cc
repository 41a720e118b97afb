#include "processes/found_before.h"

#include <mutex>
#include <unordered_map>

namespace earshot::processes {
namespace {

/** Of who asks for more than these it is of no use to remember the first. */
constexpr size_t kMostKnown = 4096;

struct Known {
  std::mutex mutex;
  std::unordered_map<uint32_t, Holder> holders;
};

/** Never destroyed: a worker may still read while the process ends. */
Known& known() {
  static Known& only = *new Known;
  return only;
}

}  // namespace

std::optional<Holder> foundBefore(uint32_t inode) {
  const std::lock_guard lock(known().mutex);
  const auto found = known().holders.find(inode);
  if (found == known().holders.end()) return std::nullopt;
  return found->second;
}

void rememberFound(const std::vector<Holder>& holders) {
  const std::lock_guard lock(known().mutex);
  auto& all = known().holders;
  if (all.size() + holders.size() > kMostKnown) all.clear();
  if (holders.size() > kMostKnown) return;
  for (const Holder& holder : holders) all.insert_or_assign(holder.inode, holder);
}

}  // namespace earshot::processes
