#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "error.h"
#include "netlink/socket.h"
#include "sockets/filter.h"
#include "sockets/interfaces.h"
#include "sockets/kept_socket.h"
#include "sockets/query.h"
#include "sockets/table.h"

namespace earshot::sockets {

/** Every table of the kernel, in the order in which they are read. */
extern const TableName kTables[4];

/** The states of a table that the query asks for, as a bit mask. */
uint32_t statesOf(const Query& query, TableName name);

/** Can the table hold a socket that the query asks for? */
bool isWanted(const Query& query, TableName name);

/** The filter, or nothing when no socket can match since the device does not exist. */
std::optional<Filter> filterOf(const Query& query, const Interfaces& interfaces);

/** Does the error say that there is no sock_diag for us here: not in this kernel, or not allowed?
 */
bool isUnavailable(int code);

/** So many rows are told of at once: it takes as long to make records of them as to get more. */
constexpr size_t kRowsAtOnce = 4096;

/**
 * Reads the tables that a query asks for, in the calling thread's namespace and from where the
 * query says. Keeps its netlink socket for the next time.
 *
 * Where the TCP sockets were many the last time, the two halves of them are read at once, by two
 * threads: the kernel walks its tables for each that asks. One that was made of a query alone reads
 * in the background, and leaves the other cores to others.
 */
class Reader {
 public:
  /** The query must outlive it. */
  explicit Reader(const Query& query) : query_(query) {}

  /** One that has its netlink socket of others of this namespace, the calling thread's, and leaves
   * it to them. */
  Reader(const Query& query, std::optional<NamespaceId> shared)
      : query_(query), shared_(shared), mayHalve_(true) {}

  /**
   * One that calls `onRows` each time that the table's length becomes a multiple of kRowsAtOnce,
   * with that many new rows at its end; where a read starts again, it does so of these as well.
   */
  Reader(const Query& query, std::optional<NamespaceId> shared, std::function<void()> onRows)
      : query_(query), shared_(shared), onRows_(std::move(onRows)), mayHalve_(true) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader();

  /** Appends the sockets that match. */
  void read(const Filter& filter, const Interfaces& interfaces, Table& table);

  /**
   * Asks for the TCP socket of a row by both its ends and its cookie, and appends it to `found` as
   * it is now, if it is there and still matches. False where another was found in its place, as may
   * happen to one that is bound to a device (see Reader::lookUp): nobody can say whether it is
   * there.
   */
  bool find(const Filter& filter, const Table& table, size_t row, Table& found);

 private:
  bool lookUp(const Filter& filter, const Interfaces& interfaces, Table& table);
  bool readTcpTogether(const Filter& filter, Table& table);
  bool readTcpByHalves(Table& table);
  bool isWorthHalving(const Filter& filter) const;
  void readTable(TableName name, const Filter& filter, Table& table);
  std::optional<Failure> readNetlink(uint8_t protocol, const Filter& filter, Table& table,
                                     auto dump);
  std::optional<Failure> converse(Table& table, auto ask);
  void readProcfs(TableName name, const Filter& filter, Table& table);

  const Query& query_;
  const std::optional<NamespaceId> shared_;
  const std::function<void()> onRows_;
  const bool mayHalve_ = false;
  std::optional<netlink::Socket> socket_;
};

}  // namespace earshot::sockets
