#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sockets/interfaces.h"
#include "sockets/query.h"
#include "sockets/table.h"

namespace earshot::sockets {

/** One read of the socket tables: SocketTableData of lib/native.ts. */
struct Reading {
  Table table;
  std::vector<std::vector<std::string>> interfaceSets;
  /** Those that `table.boundInterface` names; null where nothing was joined. */
  std::shared_ptr<const InterfaceList> interfaces;
  std::vector<std::pair<uint64_t, std::string>> cgroups;
};

Reading read(const Query& query);

/** A part of what is read: it takes the place of all rows from `first` on that came before. */
struct Part {
  size_t first;
  Reading reading;
};

/** The same in parts, each handed over while the kernel is asked for more; gives the last. */
Part readInParts(const Query& query, const std::function<void(Part)>& take);

/** Says of each row on which interfaces it stands. */
void joinInterfaces(Reading& reading, Interfaces& interfaces);

/** Says of each row in which cgroup it is, and packs the table. */
void finish(Reading& reading);

/** The messages of one dump, as the kernel sent them. */
struct Recording {
  TableName name;
  std::vector<uint8_t> bytes;
};

/** The same by netlink, table by table and undecoded. */
std::vector<Recording> record(const Query& query);

}  // namespace earshot::sockets
