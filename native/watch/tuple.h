#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "sockets/table.h"

namespace earshot::watch {

/** Both ends of a socket. */
using Tuple = std::array<uint8_t, 36>;

inline Tuple tupleOf(const sockets::Address& local, uint16_t localPort,
                     const sockets::Address& remote, uint16_t remotePort) {
  Tuple tuple;
  std::memcpy(tuple.data(), local.data(), 16);
  std::memcpy(tuple.data() + 16, remote.data(), 16);
  std::memcpy(tuple.data() + 32, &localPort, 2);
  std::memcpy(tuple.data() + 34, &remotePort, 2);
  return tuple;
}

inline Tuple tupleOf(const sockets::Row& row) {
  return tupleOf(row.localAddress, row.localPort, row.remoteAddress, row.remotePort);
}

inline Tuple tupleOf(const sockets::Table& table, size_t row) {
  using sockets::Table;
  return tupleOf(table.column<Table::LocalAddress>()[row], table.column<Table::LocalPort>()[row],
                 table.column<Table::RemoteAddress>()[row], table.column<Table::RemotePort>()[row]);
}

}  // namespace earshot::watch
