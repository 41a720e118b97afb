#include "watch/row_index.h"

#include <bit>
#include <cstring>

namespace earshot::watch {
namespace {

using sockets::Table;

/** The finalizer of splitmix64: every bit of the outcome depends on every bit that went in. */
uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

uint64_t mixed(uint64_t seed, const sockets::Address& address) {
  uint64_t halves[2];
  std::memcpy(halves, address.data(), sizeof halves);
  return mixed(mixed(seed + halves[0]) + halves[1]);
}

}  // namespace

uint64_t identityOf(const Table& table, size_t row) {
  const uint64_t cookie = table.column<Table::Cookie>()[row];
  if (cookie != 0) return cookie;
  const auto number = [&](auto... values) {
    uint64_t all = 0;
    ((all = mixed(all + values + 1)), ...);
    return all;
  };
  const uint64_t seed =
      number(table.column<Table::Protocol>()[row], table.column<Table::Family>()[row],
             table.column<Table::LocalPort>()[row], table.column<Table::RemotePort>()[row],
             table.column<Table::Inode>()[row]);
  return mixed(mixed(seed, table.column<Table::LocalAddress>()[row]),
               table.column<Table::RemoteAddress>()[row]);
}

RowIndex::RowIndex(const Table& table) {
  if (table.length() == 0) return;
  slots_.resize(std::bit_ceil(2 * table.length()));
  for (size_t row = 0; row < table.length(); row++) {
    const uint64_t identity = identityOf(table, row);
    slots_[slotOf(identity)] = {identity, static_cast<uint32_t>(row + 1)};
  }
}

std::optional<uint32_t> RowIndex::find(uint64_t identity) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[slotOf(identity)];
  return slot.place == 0 ? std::nullopt : std::optional(slot.place - 1);
}

/** Where the identity stands, or would. */
size_t RowIndex::slotOf(uint64_t identity) const {
  const size_t mask = slots_.size() - 1;
  size_t at = mixed(identity) & mask;
  while (slots_[at].place != 0 && slots_[at].identity != identity) at = (at + 1) & mask;
  return at;
}

}  // namespace earshot::watch
