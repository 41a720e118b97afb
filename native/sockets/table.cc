#include "sockets/table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <tuple>

namespace earshot::sockets {
namespace {

constexpr size_t kFirstCapacity = 64;

using Columns =
    std::tuple<Table::Cookie, Table::Cgroup, Table::LocalAddress, Table::RemoteAddress,
               Table::BoundInterface, Table::Inode, Table::Uid, Table::ReceiveQueue,
               Table::SendQueue, Table::Mark, Table::InterfaceSet, Table::LocalPort,
               Table::RemotePort, Table::Protocol, Table::Family, Table::State, Table::Flags>;

/** Calls `visit` with the offset and the width of each column, in their order. */
void eachColumn(auto visit) {
  std::apply([&](auto... columns) { (visit(columns.offset, columns.end - columns.offset), ...); },
             Columns{});
}

}  // namespace

void Table::append(const Row& row) {
  if (length_ == capacity_) reserve(std::max(kFirstCapacity, 2 * capacity_));
  const size_t at = length_++;
  column<Cookie>()[at] = row.cookie;
  column<Cgroup>()[at] = row.cgroup;
  column<LocalAddress>()[at] = row.localAddress;
  column<RemoteAddress>()[at] = row.remoteAddress;
  column<BoundInterface>()[at] = row.boundInterface;
  column<Inode>()[at] = row.inode;
  column<Uid>()[at] = row.uid;
  column<ReceiveQueue>()[at] = row.receiveQueue;
  column<SendQueue>()[at] = row.sendQueue;
  column<Mark>()[at] = row.mark;
  column<InterfaceSet>()[at] = row.interfaceSet;
  column<LocalPort>()[at] = row.localPort;
  column<RemotePort>()[at] = row.remotePort;
  column<Protocol>()[at] = row.protocol;
  column<Family>()[at] = row.family;
  column<State>()[at] = row.state;
  column<Flags>()[at] = row.flags;
  for (const KeyedPrefix& prefix : row.keyedPeers) keyedPeers_.push_back({at, prefix});
}

void Table::append(const Table& other, size_t row) {
  if (length_ == capacity_) reserve(std::max(kFirstCapacity, 2 * capacity_));
  const size_t at = length_++;
  eachColumn([&](size_t offset, size_t width) {
    std::memcpy(block_.get() + offset * capacity_ + width * at,
                other.block_.get() + offset * other.capacity_ + width * row, width);
  });
}

void Table::append(const Table& other, size_t first, size_t count) {
  if (count == 0) return;
  if (length_ + count > capacity_) reserve(std::max(length_ + count, 2 * capacity_));
  eachColumn([&](size_t offset, size_t width) {
    std::memcpy(block_.get() + offset * capacity_ + width * length_,
                other.block_.get() + offset * other.capacity_ + width * first, width * count);
  });
  length_ += count;
}

Table Table::from(size_t first) const {
  Table rows;
  rows.append(*this, first, length_ - first);
  return rows;
}

void Table::truncate(size_t length) {
  length_ = length;
  std::erase_if(keyedPeers_, [&](const Keyed& keyed) { return keyed.row >= length; });
  if (messages_.ends.size() <= length) return;
  messages_.ends.resize(length);
  messages_.bytes.resize(length == 0 ? 0 : messages_.ends.back());
}

void Table::keep(std::span<const uint8_t> message) {
  // Rows before that have none end where the last one that has one does.
  messages_.ends.resize(length_ - 1, static_cast<uint32_t>(messages_.bytes.size()));
  messages_.bytes.insert(messages_.bytes.end(), message.begin(), message.end());
  messages_.ends.push_back(static_cast<uint32_t>(messages_.bytes.size()));
}

void Table::reserve(size_t capacity) {
  Block grown(static_cast<uint8_t*>(std::malloc(capacity * kRowSize)));
  if (!grown) throw std::bad_alloc();
  if (length_ > 0) {
    eachColumn([&](size_t offset, size_t width) {
      std::memcpy(grown.get() + offset * capacity, block_.get() + offset * capacity_,
                  width * length_);
    });
  }
  block_ = std::move(grown);
  capacity_ = capacity;
}

void Table::pack() {
  if (length_ == capacity_) return;
  eachColumn([&](size_t offset, size_t width) {
    std::memmove(block_.get() + offset * length_, block_.get() + offset * capacity_,
                 width * length_);
  });
  capacity_ = length_;
}

Table::Block Table::release() {
  length_ = capacity_ = 0;
  return std::move(block_);
}

}  // namespace earshot::sockets
