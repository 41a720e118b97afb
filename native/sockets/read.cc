#include "sockets/read.h"

#include <linux/netlink.h>

#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "error.h"
#include "namespaces/run.h"
#include "netlink/answer.h"
#include "processes/cgroups.h"
#include "sockets/diag.h"
#include "sockets/interfaces.h"
#include "sockets/interfaces_current.h"
#include "sockets/reader.h"

namespace earshot::sockets {
namespace {

/** The interfaces, kept where they are of this process's own namespace, which is asked about most.
 */
std::shared_ptr<const InterfaceList> readInterfaces(const Query& query,
                                                    const std::optional<NamespaceId>& own) {
  const auto shared = [](InterfaceList list) {
    return std::make_shared<const InterfaceList>(std::move(list));
  };
  if (query.source == Source::kProcfs) return shared(readInterfacesByProcfs());
  try {
    return own ? currentInterfaces(*own) : shared(readInterfacesByNetlink());
  } catch (const Failure& failure) {
    if (query.source == Source::kNetlink || !isUnavailable(failure.code)) throw;
    return shared(readInterfacesByProcfs());
  }
}

std::vector<uint64_t> cgroupsOf(Table& table) {
  std::vector<uint64_t> ids;
  std::unordered_set<uint64_t> seen;
  uint64_t last = 0;
  const uint64_t* column = table.column<Table::Cgroup>();
  for (size_t row = 0; row < table.length(); row++) {
    // Neighbours mostly share theirs.
    if (column[row] == last) continue;
    last = column[row];
    if (last != 0 && seen.insert(last).second) ids.push_back(last);
  }
  return ids;
}

}  // namespace

Reading read(const Query& query) {
  Reading reading;
  namespaces::run(query.netns, [&] {
    // Another namespace is asked about now and then, and mostly from a thread made for that.
    const auto own = query.netns ? std::nullopt : currentNamespace();
    Interfaces interfaces(readInterfaces(query, own));
    if (const auto filter = filterOf(query, interfaces)) {
      Reader(query, own).read(*filter, interfaces, reading.table);
    }
    joinInterfaces(reading, interfaces);
  });
  finish(reading);
  return reading;
}

Part readInParts(const Query& query, const std::function<void(Part)>& take) {
  Part last{};
  namespaces::run(query.netns, [&] {
    const auto own = query.netns ? std::nullopt : currentNamespace();
    Interfaces interfaces(readInterfaces(query, own));
    const auto partOf = [&](const Table& table, size_t first) {
      Part part{first, {}};
      part.reading.table = table.from(first);
      joinInterfaces(part.reading, interfaces);
      finish(part.reading);
      return part;
    };
    Table table;
    if (const auto filter = filterOf(query, interfaces)) {
      const auto onRows = [&] { take(partOf(table, table.length() - kRowsAtOnce)); };
      Reader(query, own, onRows).read(*filter, interfaces, table);
    }
    last = partOf(table, table.length() - table.length() % kRowsAtOnce);
  });
  return last;
}

void joinInterfaces(Reading& reading, Interfaces& interfaces) {
  Table& table = reading.table;
  for (size_t row = 0; row < table.length(); row++) {
    table.column<Table::InterfaceSet>()[row] = interfaces.setOf(
        table.column<Table::Family>()[row], table.column<Table::LocalAddress>()[row],
        table.column<Table::BoundInterface>()[row]);
  }
  reading.interfaceSets = interfaces.sets();
  reading.interfaces = interfaces.list();
}

void finish(Reading& reading) {
  reading.cgroups = processes::cgroupPaths(cgroupsOf(reading.table));
  reading.table.pack();
}

std::vector<Recording> record(const Query& query) {
  std::vector<Recording> recordings;
  namespaces::run(query.netns, [&] {
    const auto filter = filterOf(query, Interfaces(readInterfacesByNetlink()));
    if (!filter) return;
    netlink::Socket socket(NETLINK_SOCK_DIAG);
    for (const TableName name : kTables) {
      if (!isWanted(query, name)) continue;
      netlink::Recorder recorder;
      const auto refusal =
          diag::dump(socket, name, statesOf(query, name), query.extensions, *filter, recorder);
      if (refusal) {
        throw Failure{Operation::kKernel, socket.name(), refusal->code, refusal->detail};
      }
      recordings.push_back({name, std::move(recorder.bytes)});
    }
  });
  return recordings;
}

}  // namespace earshot::sockets
