#include "watch/difference.h"

namespace earshot::watch {
namespace {

using sockets::Table;

template <class... Columns>
bool sameIn(const Table& one, size_t row, const Table& other, size_t otherRow) {
  return (... && (one.column<Columns>()[row] == other.column<Columns>()[otherRow]));
}

bool same(const Table& one, size_t row, const Table& other, size_t otherRow) {
  return sameIn<Table::State, Table::LocalPort, Table::RemotePort, Table::LocalAddress,
                Table::RemoteAddress, Table::BoundInterface, Table::Inode, Table::Uid, Table::Mark,
                Table::Flags>(one, row, other, otherRow);
}

}  // namespace

Difference differenceOf(const Indexed& before, const Indexed& after) {
  Difference difference;
  std::vector<bool> stays(before.table.length());
  for (uint32_t row = 0; row < after.table.length(); row++) {
    if (!after.counts(row)) continue;
    const uint64_t identity = identityOf(after.table, row);
    const auto was = before.index.find(identity);
    if (!was) {
      difference.opened.push_back(row);
      continue;
    }
    stays[*was] = true;
    if (!same(after.table, row, before.table, *was)) difference.changed.push_back({row, *was});
  }
  for (uint32_t row = 0; row < before.table.length(); row++) {
    if (!stays[row] && before.counts(row)) difference.closed.push_back(row);
  }
  return difference;
}

}  // namespace earshot::watch
