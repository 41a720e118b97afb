#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sockets/table.h"

namespace earshot::watch {

/**
 * What tells a socket from all others: its cookie, which the kernel gives once; where it is not
 * told
 * (/proc/net) its ends and its inode, mixed into as many bits.
 */
uint64_t identityOf(const sockets::Table& table, size_t row);

/** Rows by identity. Of rows with the same one the last counts: a dump meets who moves twice. */
class RowIndex {
 public:
  RowIndex() = default;
  explicit RowIndex(const sockets::Table& table);

  std::optional<uint32_t> find(uint64_t identity) const;

 private:
  struct Slot {
    uint64_t identity;
    /** One more than the row; 0: empty. */
    uint32_t place;
  };

  size_t slotOf(uint64_t identity) const;

  std::vector<Slot> slots_;
};

}  // namespace earshot::watch
