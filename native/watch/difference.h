#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sockets/table.h"
#include "watch/row_index.h"

namespace earshot::watch {

/** Sockets with their places by identity. */
struct Indexed {
  Indexed() = default;
  explicit Indexed(sockets::Table rows) : table(std::move(rows)), index(table) {}

  /** Is this row the one that counts for its identity? */
  bool counts(size_t row) const { return index.find(identityOf(table, row)) == row; }

  sockets::Table table;
  RowIndex index;
};

/** What became of the sockets of one poll by the next: rows of these two. */
struct Difference {
  std::vector<uint32_t> closed;
  std::vector<uint32_t> opened;
  /** Is, was. */
  std::vector<std::pair<uint32_t, uint32_t>> changed;
};

/**
 * Changed is who has another state, end, device, holder or option; how much waits in queues is no
 * change.
 */
Difference differenceOf(const Indexed& before, const Indexed& after);

}  // namespace earshot::watch
