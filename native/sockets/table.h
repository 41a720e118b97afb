#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace earshot::sockets {

/** An address in network order; an IPv4 one is the first four bytes, the rest zero. */
using Address = std::array<uint8_t, 16>;

/** Peers whose segments a TCP socket takes only with an MD5 signature (RFC 2385). */
struct KeyedPrefix {
  /** 4 or 6. */
  uint8_t family;
  uint8_t length;
  Address address;
};

/** What is told of one socket. */
struct Row {
  uint64_t cookie = 0;
  uint64_t cgroup = 0;
  Address localAddress{};
  Address remoteAddress{};
  uint32_t boundInterface = 0;
  uint32_t inode = 0;
  uint32_t uid = 0;
  uint32_t receiveQueue = 0;
  uint32_t sendQueue = 0;
  uint32_t mark = 0;
  uint32_t interfaceSet = 0;
  uint16_t localPort = 0;
  uint16_t remotePort = 0;
  uint8_t protocol = 0;
  uint8_t family = 0;
  uint8_t state = 0;
  uint8_t flags = 0;
  /** Hardly any socket has some, so that they stand beside the columns. */
  std::vector<KeyedPrefix> keyedPeers;
};

/** Bits of Row::flags, the same as RowFlag in lib/native.ts. */
enum RowFlag : uint8_t {
  kV6onlyKnown = 1,
  kV6only = 2,
  kMarkKnown = 4,
  kTransparentKnown = 8,
  kTransparent = 16,
  kProcfs = 32,
};

/**
 * The sockets read, column by column in one block of memory, which JavaScript can then hold as it
 * is: rows come by the hundred thousand. Wider columns come first, so that each is aligned.
 */
class Table {
 public:
  template <class Value, size_t kOffset>
  struct Column {
    using Type = Value;
    /** Bytes of a row before this column: times the capacity, its place in the block. */
    static constexpr size_t offset = kOffset;
    static constexpr size_t end = kOffset + sizeof(Value);
  };

  using Cookie = Column<uint64_t, 0>;
  using Cgroup = Column<uint64_t, Cookie::end>;
  using LocalAddress = Column<Address, Cgroup::end>;
  using RemoteAddress = Column<Address, LocalAddress::end>;
  using BoundInterface = Column<uint32_t, RemoteAddress::end>;
  using Inode = Column<uint32_t, BoundInterface::end>;
  using Uid = Column<uint32_t, Inode::end>;
  using ReceiveQueue = Column<uint32_t, Uid::end>;
  using SendQueue = Column<uint32_t, ReceiveQueue::end>;
  using Mark = Column<uint32_t, SendQueue::end>;
  using InterfaceSet = Column<uint32_t, Mark::end>;
  using LocalPort = Column<uint16_t, InterfaceSet::end>;
  using RemotePort = Column<uint16_t, LocalPort::end>;
  using Protocol = Column<uint8_t, RemotePort::end>;
  using Family = Column<uint8_t, Protocol::end>;
  using State = Column<uint8_t, Family::end>;
  using Flags = Column<uint8_t, State::end>;
  static constexpr size_t kRowSize = Flags::end;

  size_t length() const { return length_; }

  void append(const Row& row);

  /** Appends a row of another table, without its keyed peers. */
  void append(const Table& other, size_t row);

  /** Appends so many rows of another table from `first` on, without what stands beside the columns.
   */
  void append(const Table& other, size_t first, size_t count);

  /** The rows from `first` on, without what stands beside the columns. */
  Table from(size_t first) const;

  /** Forgets the rows behind the first `length`. */
  void truncate(size_t length);

  /** The prefixes of each row that has some, in the order of the rows. */
  struct Keyed {
    size_t row;
    KeyedPrefix prefix;
  };
  const std::vector<Keyed>& keyedPeers() const { return keyedPeers_; }

  /** Keeps a message as it is beside the row that was appended last. */
  void keep(std::span<const uint8_t> message);

  /** What was kept, in the order of the rows, one after the other. */
  struct Messages {
    std::vector<uint8_t> bytes;
    /** Where that of each row ends, up to the last row that has one. */
    std::vector<uint32_t> ends;
  };
  const Messages& messages() const { return messages_; }

  template <class C>
  typename C::Type* column() {
    return reinterpret_cast<typename C::Type*>(block_.get() + C::offset * capacity_);
  }

  template <class C>
  const typename C::Type* column() const {
    return reinterpret_cast<const typename C::Type*>(block_.get() + C::offset * capacity_);
  }

  /** Closes the gaps between the columns: each then starts at its offset times length(). */
  void pack();

  struct Free {
    void operator()(uint8_t* block) const { std::free(block); }
  };
  using Block = std::unique_ptr<uint8_t[], Free>;

  /** The packed columns, length() * kRowSize bytes; the table is empty then. */
  Block release();

 private:
  void reserve(size_t capacity);

  Block block_;
  std::vector<Keyed> keyedPeers_;
  Messages messages_;
  size_t capacity_ = 0;
  size_t length_ = 0;
};

}  // namespace earshot::sockets
